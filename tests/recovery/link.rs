//! A sender, a link without loss, and a peer that is a model: in order, with a window, and with acknowledgments that it delays.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use segue::congestion::{Algorithm, Cubic, Reno};
use segue::{
    Action, Arc, ConfigBuilder, Connection, Event, Flags, Info, Instant, Options, Path, SackBlock, Secrets, Segment,
    SeqNum, State, Timestamps, codec,
};

use super::bench::ms;

const IRS: SeqNum = SeqNum::new(u32::MAX - 7);

/// The path and the peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) iss: u32,
    pub(crate) mtu: u16,
    /// Bits per second.
    pub(crate) rate: u64,
    /// The round trip without queue and delayed ACK.
    pub(crate) rtt: Duration,
    /// How long the peer delays an acknowledgment.
    pub(crate) delay: Duration,
    /// It acknowledges every second segment, or as soon as this many octets are not acknowledged.
    pub(crate) octets: Option<u32>,
    /// Its window: it reads at once. That of its SYN, and all others.
    pub(crate) syn_window: u16,
    pub(crate) window: u32,
    /// The shift of its windows.
    pub(crate) shift: u8,
    pub(crate) cubic: bool,
}

impl Default for Link {
    fn default() -> Self {
        let (rate, rtt) = (10_000_000, ms(40));
        let (syn_window, window, shift) = (65_535, 1 << 17, 2);
        Self {
            iss: u32::MAX - 5000,
            mtu: 1500,
            rate,
            rtt,
            delay: ms(0),
            octets: None,
            syn_window,
            window,
            shift,
            cubic: false,
        }
    }
}

enum Arrives {
    AtPeer(Segment),
    AtUs(Segment),
    DelayedAck,
}

/// The peer's receiver, and the segments under way.
struct World {
    link: Link,
    connection: Connection,
    now: Instant,
    events: BTreeMap<(Instant, u64), Arrives>,
    count: u64,
    /// When the link has sent what was given to it.
    free: Instant,
    rcv_nxt: u32,
    last_ack: u32,
    unacked: (u32, u32),
    waiting: Option<(Instant, u64)>,
    sack: bool,
    ts_recent: Option<u32>,
}

/// What came of a transfer.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// From SEND until the peer had everything.
    pub(crate) time: Duration,
    pub(crate) info: Info,
}

impl Link {
    /// The user sends each bulk at once, the next when all is acknowledged. Returns the outcome of the last.
    pub(crate) fn carry(self, config: ConfigBuilder, bulks: &[u32]) -> Outcome {
        let config = config.send_buffer(1 << 24).build().unwrap();
        let iss = SeqNum::new(self.iss);
        let controller = if self.cubic { Algorithm::Cubic(Cubic::default()) } else { Algorithm::Reno(Reno::default()) };
        let (sack, stamps) = (config.sack(), config.timestamps());
        let now = Instant::from_millis(2000);
        let secrets = Secrets { iss, ts_offset: 0 };
        let path = Path::ipv4(self.mtu);
        let (connection, actions) = Connection::connect_with(controller, Arc::new(config), path, secrets, now);
        let mut world = World {
            link: self,
            connection,
            now,
            events: BTreeMap::new(),
            count: 0,
            free: now,
            rcv_nxt: 0,
            last_ack: 0,
            unacked: (0, 0),
            waiting: None,
            sack,
            ts_recent: stamps.then_some(0),
        };
        world.carry_out(actions);
        world.connect();
        let mut outcome = None;
        for octets in bulks {
            outcome = Some(world.carry(*octets));
        }
        outcome.expect("something to carry")
    }
}

impl World {
    fn connect(&mut self) {
        while self.connection.state() != State::Established {
            self.step();
        }
    }

    fn carry(&mut self, octets: u32) -> Outcome {
        let (start, end) = (self.now, self.rcv_nxt + octets);
        let mut text = Bytes::from(vec![b'x'; octets as usize]);
        let actions = self.connection.send(&mut text, self.now).unwrap();
        self.carry_out(actions);
        while self.rcv_nxt < end {
            self.step();
            assert!(self.now < start + Duration::from_secs(300), "it takes too long: {:?}", self.connection.info());
        }
        let time = self.now.saturating_since(start);
        while self.connection.info().send_queue > 0 {
            self.step();
        }
        Outcome { time, info: self.connection.info() }
    }

    fn after(&mut self, at: Instant, what: Arrives) -> (Instant, u64) {
        self.count += 1;
        self.events.insert((at, self.count), what);
        (at, self.count)
    }

    /// The next thing happens: a segment under way arrives before a timer of the same time.
    fn step(&mut self) {
        let timer = self.connection.next_deadline();
        let next = self.events.first_key_value().map(|((at, _), _)| *at);
        if let Some((timer, at)) = timer.filter(|(_, at)| next.is_none_or(|next| *at < next)) {
            self.now = self.now.max(at);
            let actions = self.connection.handle_timer(timer, self.now);
            return self.carry_out(actions);
        }
        let ((at, _), what) = self.events.pop_first().expect("something happens");
        self.now = at;
        match what {
            Arrives::AtUs(segment) => {
                let actions = self.connection.handle_segment(segment, at);
                self.carry_out(actions);
            }
            Arrives::AtPeer(segment) if segment.flags.contains(Flags::SYN) => self.answer_syn(&segment),
            Arrives::AtPeer(segment) => self.take(&segment),
            Arrives::DelayedAck => self.acknowledge(None),
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        self.connection.check_invariants();
        for action in actions {
            match action {
                Action::Transmit(segment) => {
                    for piece in codec::split(segment) {
                        let bits = 8 * (piece.payload.len() as u64 + 40);
                        let free = self.free.max(self.now);
                        self.free = free + Duration::from_nanos(bits * 1_000_000_000 / self.link.rate);
                        self.after(self.free + self.link.rtt / 2, Arrives::AtPeer(piece));
                    }
                }
                Action::MorePending => {
                    let mut actions = Vec::new();
                    self.connection.handle(Event::Continue, self.now, &mut actions).unwrap();
                    self.carry_out(actions);
                }
                _ => {}
            }
        }
    }

    fn say(&mut self, flags: Flags, window: u32, options: Options) {
        let seq = if flags.contains(Flags::SYN) { IRS } else { IRS + 1 };
        let ack = SeqNum::new(self.link.iss) + 1 + self.rcv_nxt;
        let segment = Segment { seq, ack, flags, window: window as u16, options: options.into(), ..Segment::default() };
        self.after(self.now + self.link.rtt / 2, Arrives::AtUs(segment));
    }

    fn stamps(&self) -> Option<Timestamps> {
        self.ts_recent.map(|echo| Timestamps { value: (self.now.as_micros() / 1000) as u32, echo })
    }

    fn answer_syn(&mut self, syn: &Segment) {
        self.ts_recent = self.ts_recent.and(syn.options.timestamps().map(|ts| ts.value));
        let options = Options {
            mss: Some(self.link.mtu - 40),
            window_scale: Some(self.link.shift),
            sack_permitted: self.sack,
            timestamps: self.stamps(),
            ..Options::default()
        };
        self.say(Flags::SYN | Flags::ACK, self.link.syn_window.into(), options);
    }

    fn take(&mut self, segment: &Segment) {
        let seq = segment.seq - (SeqNum::new(self.link.iss) + 1);
        let end = seq + segment.payload.len() as u32;
        let edge = u32::from(self.link.syn_window).max(self.last_ack + self.link.window);
        assert!(seq <= self.rcv_nxt && end <= edge, "{seq}..{end} is beyond the window");
        if let Some(ts) = segment.options.timestamps().filter(|_| seq <= self.last_ack) {
            self.ts_recent = self.ts_recent.map(|_| ts.value); // RFC 7323 §4.3
        }
        if segment.payload.is_empty() {
            return;
        }
        if end <= self.rcv_nxt {
            return self.acknowledge(Some((seq, end))); // RFC 2883
        }
        self.unacked = (self.unacked.0 + 1, self.unacked.1 + end - self.rcv_nxt);
        self.rcv_nxt = end;
        let enough = self.link.octets.map_or(self.unacked.0 >= 2, |octets| self.unacked.1 >= octets);
        if enough || self.link.delay.is_zero() {
            self.acknowledge(None);
        } else if self.waiting.is_none() {
            self.waiting = Some(self.after(self.now + self.link.delay, Arrives::DelayedAck));
        }
    }

    fn acknowledge(&mut self, duplicate: Option<(u32, u32)>) {
        self.waiting.take().and_then(|key| self.events.remove(&key));
        self.unacked = (0, 0);
        self.last_ack = self.rcv_nxt;
        let mut options = Options { timestamps: self.stamps(), ..Options::default() };
        if let Some((left, right)) = duplicate.filter(|_| self.sack) {
            let first = SeqNum::new(self.link.iss) + 1;
            options.sack.push(SackBlock { left: first + left, right: first + right });
        }
        self.say(Flags::ACK, self.link.window >> self.link.shift, options);
    }
}
