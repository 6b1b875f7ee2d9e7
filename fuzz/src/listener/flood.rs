//! An endpoint that listens, and peers who bring back what they were told, or something else.

use core::time::Duration;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use segue::codec::{Packet, PseudoHeader};
use segue::host::{Backlog, Endpoint, EndpointConfig, Flow, Full, Id, Keys, Listen, ListenerId, Received};
use segue::{Arc, Config, Flags, Instant, Options, Path, Segment, SeqNum, Timestamps};

use super::super::behaviour;
use super::super::reader::Reader;
use super::MAX_STEPS;

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// Peers who wait for answers; the addresses of a flood come after theirs.
const PEERS: u8 = 8;
/// A cookie is good for so long at the least, and at the most.
const GOOD: Duration = Duration::from_secs(63);
const EXPIRED: Duration = Duration::from_secs(128);

/// A SYN,ACK, and the number of the SYN that it answers.
#[derive(Clone, Debug)]
struct Told {
    irs: SeqNum,
    answer: Segment,
    at: Instant,
    /// Nothing was kept for it.
    cookie: bool,
}

struct Flood {
    now: Instant,
    server: Endpoint,
    listener: ListenerId,
    backlog: Backlog,
    /// What each peer was told.
    told: Vec<Vec<Told>>,
    /// Peers that have brought back what they were told.
    proved: BTreeSet<u8>,
    /// The last that each peer brought.
    last: Vec<Option<Segment>>,
    accepted: Vec<Id>,
    strangers: u16,
}

pub(super) fn play(form: u8, input: &mut Reader<'_>) {
    let mut flood = Flood::new(form, input.u8());
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        flood.step(input);
        flood.check();
    }
}

impl Flood {
    fn new(form: u8, choice: u8) -> Self {
        let full = [Full::Cookies, Full::Cookies, Full::EvictOldest, Full::Reset][usize::from(form & 3)];
        let half_open = [0, 1, 2, 5][usize::from(form >> 2 & 3)];
        let backlog = Backlog { half_open, ready: [8, 1, 2, 3][usize::from(form >> 4 & 3)], full };
        let config = Config::builder().timestamps(choice & 1 == 0).sack(choice & 2 == 0).drop_syn_fin(choice & 4 != 0);
        let config = Arc::new(config.build().expect("within the ranges"));
        let limits = EndpointConfig { connection: config, ..EndpointConfig::default() };
        let mut server = Endpoint::new(Keys::new([choice; 16]), limits);
        let listener = server.listen(Listen { backlog, ..Listen::port(80) }).expect("nobody listens there");
        let peers = usize::from(PEERS);
        Self {
            now: Instant::from_millis(if choice & 8 == 0 { 1 } else { 63_990 }),
            server,
            listener,
            backlog,
            told: vec![Vec::new(); peers],
            proved: BTreeSet::new(),
            last: vec![None; peers],
            accepted: Vec::new(),
            strangers: 0,
        }
    }

    fn step(&mut self, input: &mut Reader<'_>) {
        let first = input.u8();
        let peer = first >> 4 & (PEERS - 1);
        match first & 0x0F {
            0..=2 => self.syn(peer, input),
            3..=5 => self.bring_back(peer, input.u8()),
            6 | 7 => self.forge(peer, input),
            8 => self.repeat(peer),
            9 => self.other_keys(peer),
            10 => {
                let segment = Segment { flags: Flags::RST, ..self.any_segment(peer, input) };
                self.give(peer, segment);
            }
            11 => self.now += Duration::from_millis(1 + 4000 * u64::from(first >> 4)),
            12 => {
                self.server.timers(self.now);
                self.answers(peer, None);
            }
            13 => (0..=first >> 4).for_each(|_| self.stranger()),
            14 => self.accept(),
            _ => {
                if let Some(id) = self.accepted.pop() {
                    if let Ok(socket) = self.server.socket(id, self.now) {
                        socket.abort();
                    }
                    self.answers(peer, None);
                }
            }
        }
    }

    fn flow(peer: u8) -> Flow {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1 + peer % 2)), 50_000 + u16::from(peer));
        Flow::new(SocketAddr::new(SERVER, 80), address).expect("unicast")
    }

    /// A peer sends this: its effect.
    fn give(&mut self, peer: u8, segment: Segment) -> Received {
        let flow = Self::flow(peer);
        let (irs, opens) = (segment.seq, segment.flags.contains(Flags::SYN));
        let packet = flow.reversed().packet(segment);
        let received = self.server.receive(flow.reversed().pseudo(), packet, self.now);
        behaviour::note(|| received);
        self.answers(peer, opens.then_some((irs, received)));
        received
    }

    /// What the server sends: one answer to one packet, kept by the peer that it is for.
    fn answers(&mut self, peer: u8, to: Option<(SeqNum, Received)>) {
        let mut out: Vec<(PseudoHeader, Packet)> = Vec::new();
        self.server.flush(self.now, |addresses, packet| out.push((addresses, packet)));
        behaviour::note_packets(&out);
        let Some((irs, received)) = to else { return };
        assert!(out.len() <= 1, "{} answers to one packet", out.len());
        let Some((_, Packet { segment: answer, .. })) = out.pop() else {
            assert_ne!(received, Received::Cookie, "a cookie is an answer");
            return;
        };
        if answer.flags.contains(Flags::SYN | Flags::ACK) && answer.ack == irs + 1 {
            let cookie = received == Received::Cookie;
            self.told[usize::from(peer)].push(Told { irs, answer, at: self.now, cookie });
        }
    }

    fn syn(&mut self, peer: u8, input: &mut Reader<'_>) {
        let choice = input.u8();
        let options = Options {
            mss: [Some(1460), None, Some(216), Some(100)][usize::from(choice & 3)],
            window_scale: [Some(7), None, Some(14), Some(255)][usize::from(choice >> 2 & 3)],
            sack_permitted: choice & 16 == 0,
            timestamps: (choice & 32 == 0).then_some(Timestamps { value: 1000, echo: 0 }),
            ..Options::default()
        };
        let flags = if choice & 0xC0 == 0xC0 { Flags::SYN | Flags::FIN } else { Flags::SYN };
        let seq = SeqNum::new([7, u32::MAX, 0x7FFF_FFFF, 9][usize::from(choice >> 6)]);
        self.give(peer, Segment { seq, flags, window: 1000, options: options.into(), ..Segment::default() });
    }

    /// The ACK of something that the peer was told.
    fn ack_of(told: &Told, octets: usize) -> Segment {
        let theirs = told.answer.options.timestamps();
        let timestamps = theirs.map(|theirs| Timestamps { value: 1001, echo: theirs.value });
        Segment {
            seq: told.irs + 1,
            ack: told.answer.seq + 1,
            flags: Flags::ACK,
            window: 1000,
            options: Options { timestamps, ..Options::default() }.into(),
            payload: vec![b'x'; octets].into(),
            ..Segment::default()
        }
    }

    fn told(&self, peer: u8, back: u8) -> Option<Told> {
        self.told[usize::from(peer)].iter().rev().nth(usize::from(back & 3)).cloned()
    }

    fn bring_back(&mut self, peer: u8, choice: u8) {
        let Some(told) = self.told(peer, choice) else { return };
        let segment = Self::ack_of(&told, usize::from(choice >> 2 & 3));
        self.last[usize::from(peer)] = Some(segment.clone());
        let age = self.now.saturating_since(told.at);
        // Another SYN of the same number may have been given a half-open connection, which proves the peer at any age.
        let half_open = self.told[usize::from(peer)].iter().any(|told| !told.cookie);
        if age <= EXPIRED || half_open {
            self.proved.insert(peer);
        }
        let known = self.knows(peer);
        let received = self.give(peer, segment);
        if !told.cookie || known {
            return;
        }
        match received {
            Received::Opened(_) => assert!(age <= EXPIRED, "a cookie that is {age:?} old"),
            _ => assert!(age > GOOD || received == Received::Full && self.is_full(), "{received:?} after {age:?}"),
        }
    }

    /// Whether the server has a connection with this peer, of any kind.
    fn knows(&self, peer: u8) -> bool {
        let mut looked = self.server.clone();
        looked.connect_from(Self::flow(peer), self.now).is_err()
    }

    /// Whether as many connections wait as the backlog allows, with none among them that could make room.
    fn is_full(&self) -> bool {
        self.server.len().0 - self.accepted.len() >= self.backlog.ready.max(1)
    }

    /// What the peer was told, with something else in one place.
    fn forge(&mut self, peer: u8, input: &mut Reader<'_>) {
        const DELTAS: [u32; 8] = [1, 2, 8, 16, 0x1_0000, u32::MAX, 0xFFFF_FFF8, 0x8000_0000];
        let choice = input.u8();
        let other = choice >> 5;
        let from = if choice & 7 == 0 && other != peer { other } else { peer };
        let Some(told) = self.told(from, input.u8()) else { return };
        let mut segment = Self::ack_of(&told, 1);
        let delta = DELTAS[usize::from(choice >> 5)];
        match choice & 7 {
            0 if from != peer => {}
            0..=2 => segment.ack += delta,
            3 | 4 => segment.seq += delta,
            5 => segment.flags = Flags::ACK | Flags::SYN,
            6 => segment.flags = Flags::empty(),
            _ => match segment.options.timestamps() {
                // The low bits of the echo are the options of the SYN.
                Some(mut echoed) => {
                    echoed.echo ^= 1 << (choice >> 5);
                    segment.options.update(|options| options.timestamps = Some(echoed));
                    if choice >> 5 > 5 {
                        return; // only the time is another: that is good enough
                    }
                }
                None => return,
            },
        }
        // The peer may have been told that, too.
        if (0..=3).filter_map(|back| self.told(peer, back)).any(|told| told.answer.seq + 1 == segment.ack) {
            return;
        }
        let known = self.knows(peer);
        let received = self.give(peer, segment);
        let opened = matches!(received, Received::Opened(_)) && !known;
        assert!(!opened || choice & 7 == 5, "{received:?} for a forged ACK of {peer}");
    }

    fn repeat(&mut self, peer: u8) {
        let Some(segment) = self.last[usize::from(peer)].clone() else { return };
        let before = self.server.len().0;
        let known = self.knows(peer);
        self.give(peer, segment);
        assert!(!known || self.server.len().0 <= before, "a second connection");
    }

    /// A cookie of another host.
    fn other_keys(&mut self, peer: u8) {
        let syn = Segment { seq: SeqNum::new(7), flags: Flags::SYN, window: 1000, ..Segment::default() };
        let config = self.server.config().connection.clone();
        let keys = Keys::new(*b"another host's..");
        let answer = keys.cookie(&Self::flow(peer), &syn, &config, Path::ipv4(1500), self.now).expect("a SYN");
        let told = Told { irs: syn.seq, answer, at: self.now, cookie: true };
        let received = self.give(peer, Self::ack_of(&told, 0));
        assert!(!matches!(received, Received::Opened(_)), "{received:?} for a cookie of another host");
    }

    fn any_segment(&self, peer: u8, input: &mut Reader<'_>) -> Segment {
        let told = self.told(peer, input.u8());
        told.map_or_else(Segment::default, |told| Self::ack_of(&told, 0))
    }

    /// A SYN of an address that nobody has.
    fn stranger(&mut self) {
        self.strangers = self.strangers.wrapping_add(1);
        let [high, low] = self.strangers.to_be_bytes();
        let address = IpAddr::V4(Ipv4Addr::new(203, 0, high, low.max(1)));
        let addresses = PseudoHeader::new(address, SERVER).expect("one version");
        let options = Options { mss: Some(1460), ..Options::default() };
        let segment = Segment { flags: Flags::SYN, window: 1000, options: options.into(), ..Segment::default() };
        let before = self.server.memory();
        let received = self.server.receive(addresses, Packet { src_port: 1, dst_port: 80, segment }, self.now);
        let costs = matches!(received, Received::Opened(_));
        assert!(costs || self.server.memory() <= before, "{received:?} costs memory");
        let mut answers = 0;
        self.server.flush(self.now, |_, _| answers += 1);
        assert!(answers <= 1, "{answers} answers to a SYN");
    }

    fn accept(&mut self) {
        while let Some(id) = self.server.accept(self.listener) {
            let flow = self.server.socket(id, self.now).ok().and_then(|socket| socket.flow());
            let port = flow.map_or(0, |flow| flow.remote().port());
            let peer = u8::try_from(port.wrapping_sub(50_000)).unwrap_or(u8::MAX);
            assert!(self.proved.contains(&peer), "{id} of {port} has shown nothing");
            self.accepted.push(id);
        }
        while self.server.poll_signal().is_some() {}
        let (server, now) = (&mut self.server, self.now);
        self.accepted.retain(|id| server.socket(*id, now).is_ok());
    }

    fn check(&mut self) {
        let (server, now) = (&mut self.server, self.now);
        self.accepted.retain(|id| server.socket(*id, now).is_ok());
        let most = self.backlog.half_open + self.backlog.ready.max(1) + self.accepted.len();
        assert!(server.len().0 <= most, "{} connections, {most} are allowed", server.len().0);
    }
}
