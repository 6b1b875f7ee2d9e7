//! One connection and its association, without the host layer: the codec and `Connection` are all that a host needs.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use segue::auth::{Association, Authenticator, Covered, Extension, Refusal, Rejected};
use segue::codec::{Fill, Packet, PseudoHeader, Verify};
use segue::{Action, Arc, Config, Connection, Event, Flags, Instant, Path, Secrets, Segment, SeqNum, State};
use segue_kit::Rng;
use segue_tcp_ao::{Algorithm, TcpAo};

use super::conversations::key;

/// Keys that count the segments that came to be judged.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Counted {
    pub(crate) keys: TcpAo,
    pub(crate) judged: u64,
}

impl Authenticator for Counted {
    fn space(&self) -> u8 {
        self.keys.space()
    }

    fn sign(&mut self, segment: &Covered<'_>, option: &mut [u8]) {
        self.keys.sign(segment, option);
    }

    fn verify(&mut self, segment: &Covered<'_>) -> Result<(), Refusal> {
        self.judged += 1;
        self.keys.verify(segment)
    }
}

/// One end.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) connection: Connection,
    pub(crate) association: Association<Counted>,
    pub(crate) addresses: PseudoHeader,
    pub(crate) ports: (u16, u16),
    pub(crate) delivered: Vec<u8>,
}

/// Two ends and what is under way between them.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) ends: [End; 2],
    pub(crate) captured: Vec<(usize, Bytes)>,
    wire: BTreeMap<(Instant, u64), (usize, Bytes)>,
    rng: Rng,
    lost: u32,
}

impl Pair {
    /// A client and a server whose streams begin with these numbers.
    pub(crate) fn new(seed: u64, isns: [u32; 2], lost: u32) -> Self {
        let there = PseudoHeader::new("192.0.2.1".parse().unwrap(), "198.51.100.7".parse().unwrap()).unwrap();
        let config = Arc::new(Config::builder().option_space(16).user_timeout(None).build().unwrap());
        let now = Instant::from_millis(1000);
        let secrets = isns.map(|iss| Secrets { iss: SeqNum::new(iss), ts_offset: iss });
        let (client, actions) = Connection::connect(config.clone(), Path::ipv4(1500), secrets[0], now);
        let server = Connection::listen(config, Path::ipv4(1500), secrets[1]);
        let keys = |a, b| {
            let keys = TcpAo::new(key(a, b, Algorithm::HmacSha1));
            Association::new(Counted { keys, judged: 0 })
        };
        let end = |connection, association, addresses, ports| End {
            connection,
            association,
            addresses,
            ports,
            delivered: Vec::new(),
        };
        let ends = [
            end(client, keys(61, 84), there, (50_000, 179)),
            end(server, keys(84, 61), there.reversed(), (179, 50_000)),
        ];
        let (wire, captured) = (BTreeMap::new(), Vec::new());
        let mut pair = Self { now, ends, captured, wire, rng: Rng::new(seed), lost };
        pair.take(0, actions);
        pair
    }

    pub(crate) fn event(&mut self, end: usize, event: Event) {
        let mut actions = Vec::new();
        self.ends[end].connection.handle(event, self.now, &mut actions).expect("a valid call");
        self.take(end, actions);
    }

    fn take(&mut self, at: usize, actions: Vec<Action>) {
        for action in actions {
            let end = &mut self.ends[at];
            match action {
                Action::Transmit(segment) => {
                    let packet = Packet { src_port: end.ports.0, dst_port: end.ports.1, segment };
                    let header = end.association.header(end.addresses, &packet, Fill::Now(end.addresses)).unwrap();
                    let octets = Bytes::from([header.as_slice(), &packet.segment.payload].concat());
                    self.captured.push((at, octets.clone()));
                    if !self.rng.chance(self.lost) {
                        let late = if self.rng.chance(150) { self.rng.below(40) } else { 0 };
                        let arrives = self.now + Duration::from_millis(10 + u64::from(late));
                        let number = self.captured.len() as u64;
                        self.wire.insert((arrives, number), (1 - at, octets));
                    }
                }
                Action::Deliver(text) => {
                    end.delivered.extend_from_slice(&text);
                    self.event(at, Event::Consume(text.len()));
                }
                _ => {}
            }
        }
    }

    /// Octets arrive at an end. An error has no consequence.
    pub(crate) fn arrives(&mut self, end: usize, octets: Bytes) -> Result<(), Rejected> {
        let from = self.ends[1 - end].addresses;
        let packet = self.ends[end].association.decode(from, octets, Verify::Now(from))?;
        let actions = self.ends[end].connection.handle_segment(packet.segment, self.now);
        self.take(end, actions);
        Ok(())
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let limit = self.now + time;
        loop {
            let timers = [0, 1].map(|end| self.ends[end].connection.next_deadline().map(|(_, at)| at));
            let arrival = self.wire.keys().next().map(|(at, _)| *at);
            let Some(next) = timers.into_iter().chain([arrival]).flatten().min().filter(|at| *at <= limit) else {
                break;
            };
            self.now = self.now.max(next);
            if arrival.is_some_and(|at| at <= self.now) {
                let (_, (to, octets)) = self.wire.pop_first().unwrap();
                self.arrives(to, octets).expect("signed by the peer");
            }
            for (end, due) in timers.into_iter().enumerate() {
                if let Some((timer, _)) =
                    self.ends[end].connection.next_deadline().filter(|_| due.is_some_and(|at| at <= self.now))
                {
                    let actions = self.ends[end].connection.handle_timer(timer, self.now);
                    self.take(end, actions);
                }
            }
        }
        self.now = limit;
    }

    /// Established, after some text both ways.
    pub(crate) fn established(seed: u64, isns: [u32; 2]) -> Self {
        let mut pair = Self::new(seed, isns, 0);
        pair.run(Duration::from_secs(1));
        assert!(pair.ends.iter().all(|end| end.connection.state() == State::Established));
        pair.event(0, Event::Send(Bytes::from(vec![1; 5000])));
        pair.event(1, Event::Send(Bytes::from(vec![2; 5000])));
        pair.run(Duration::from_secs(1));
        pair
    }
}

/// Both directions cross 2³² while segments are lost and late: the extension becomes 1, and nothing is refused.
#[test]
fn rfc_9187_4_both_directions_wrap_with_loss_and_reordering() {
    for seed in 0..10 {
        for isns in [[0xFFFF_C000, 0xFFFF_F000], [u32::MAX, u32::MAX - 1], [0x7FFF_F000, u32::MAX]] {
            let mut pair = Pair::new(seed, isns, 50);
            pair.run(Duration::from_secs(20));
            for end in [0, 1] {
                pair.event(end, Event::Send(Bytes::from(vec![end as u8; 60_000])));
            }
            pair.run(Duration::from_secs(60));
            for end in [0, 1] {
                assert_eq!(pair.ends[end].delivered.len(), 60_000, "{seed}");
                let (ours, theirs) = (pair.ends[end].association.ours(), pair.ends[end].association.theirs());
                let info = pair.ends[end].connection.info();
                let wrapped = |isn: u32| u32::from(isn.checked_add(60_001).is_none());
                assert_eq!(ours.unwrap().sne(info.snd_nxt), wrapped(isns[end]));
                assert_eq!(theirs.unwrap().sne(info.rcv_nxt), wrapped(isns[1 - end]));
            }
        }
    }
}

/// Forty wraps, with a third of the segments lost and others late by up to 2³⁰ octets: sender and receiver agree on each; and a segment
/// of one wrap is refused in the next.
#[test]
fn rfc_9187_4_many_wraps_with_loss_and_reordering() {
    let pair = Pair::established(1, [7, 9]);
    let [client, server] = &pair.ends;
    let (mut sender, mut receiver) = (client.association.clone(), server.association.clone());
    let (from, ports) = (client.addresses, client.ports);
    let mut rng = Rng::new(5);
    let mut position: u64 = 5000;
    let mut late: Vec<(u64, Bytes)> = Vec::new();
    let mut old: Vec<(u64, Bytes)> = Vec::new();
    let (mut taken, mut refused) = (0, 0);
    while position < 40 << 32 {
        position += u64::from(rng.below(1 << 28));
        let seq = SeqNum::new((position & 0xFFFF_FFFF) as u32);
        let segment = Segment { seq, flags: Flags::ACK, payload: Bytes::from_static(b"text"), ..Segment::default() };
        let packet = Packet { src_port: ports.0, dst_port: ports.1, segment };
        let header = sender.header(from, &packet, Fill::ByHardware(from)).unwrap();
        let octets = Bytes::from([header.as_slice(), b"text"].concat());
        if rng.chance(330) {
            continue;
        }
        if rng.chance(50) {
            old.push((position, octets.clone()));
        }
        if rng.chance(300) {
            late.push((position, octets));
        } else {
            assert_eq!(receiver.decode(from, octets, Verify::ByHardware), Ok(packet));
            taken += 1;
        }
        late.retain(|(at, octets)| {
            let due = position - at > 1 << 29;
            if due && position - at < 1 << 30 {
                receiver.decode(from, octets.clone(), Verify::ByHardware).expect("late, not old");
                taken += 1;
            }
            !due
        });
        old.retain(|(at, octets)| {
            let due = position - at > 3 << 31;
            if due {
                let error = receiver.decode(from, octets.clone(), Verify::ByHardware).unwrap_err();
                assert_eq!(error, Rejected::Refused(Refusal::Signature));
                refused += 1;
            }
            !due
        });
    }
    assert!(taken > 600 && refused > 20, "{taken} {refused}");
}

/// What the machine expects is what the association extends: its numbers are those of the connection.
#[test]
fn rfc_5925_6_2_the_extension_is_that_of_the_connection() {
    let pair = Pair::established(3, [u32::MAX - 100, 77]);
    for end in &pair.ends {
        let info = end.connection.info();
        let extension: &Extension = end.association.ours().unwrap();
        assert_eq!(extension.isn(), info.iss);
        assert_eq!(extension.position(info.snd_nxt), u64::from(info.iss.value()) + 5001);
        assert_eq!(end.association.theirs().unwrap().position(info.rcv_nxt) & 0xFFFF_FFFF, info.rcv_nxt.value().into());
    }
}
