//! Two connections with BBR, and an emulated path between them in virtual time: a bottleneck whose rate can change, a queue
//! before it, a policer, random loss, slots in which packets gather, and packets that are held back. The one end sends, the
//! other reads.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use segue::congestion::{Algorithm, Bbr, BbrInfo, BbrState};
use segue::{Action, Arc, ConfigBuilder, Connection, Event, Instant, Path, Secrets, Segment, SeqNum, Timer, codec};
use segue_kit::Rng;

/// Virtual time in nanoseconds.
pub(crate) type Nanos = u64;

pub(crate) const MILLI: Nanos = 1_000_000;
pub(crate) const SECOND: Nanos = 1000 * MILLI;
/// Where a clock and a stream begin.
const START: Nanos = 10 * SECOND;
const PERIOD: usize = 251;
static TEXT: [u8; PERIOD + 65_536] = pattern();

const fn pattern() -> [u8; PERIOD + 65_536] {
    let mut text = [0; PERIOD + 65_536];
    let mut place = 0;
    while place < text.len() {
        text[place] = (place % PERIOD) as u8;
        place += 1;
    }
    text
}

/// The text from this octet on.
fn text(from: u64, len: usize) -> Bytes {
    let start = (from % PERIOD as u64) as usize;
    Bytes::from_static(&TEXT[start..start + len.min(65_536)])
}

/// A policer: octets per second, and octets in the bucket when it is full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    pub(crate) rate: u64,
    pub(crate) burst: u64,
}

/// What the path is like; most of it may change while it runs.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// Bits per second of the bottleneck.
    pub(crate) rate: u64,
    /// In each direction.
    pub(crate) delay: Nanos,
    /// Octets that may wait before the bottleneck.
    pub(crate) queue: u64,
    /// Lost behind the bottleneck, of a million; and of a million acknowledgments.
    pub(crate) loss: u32,
    pub(crate) ack_loss: u32,
    pub(crate) policer: Option<Bucket>,
    /// Acknowledgments arrive together, at the multiples of this; 0: each by itself.
    pub(crate) ack_slot: Nanos,
    /// The number of segments of text in a million that are held back, and for how long.
    pub(crate) hold: (u32, Nanos),
    pub(crate) mtu: u16,
    pub(crate) seed: u64,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            rate: 10_000_000,
            delay: 20 * MILLI,
            queue: 150_000,
            loss: 0,
            ack_loss: 0,
            policer: None,
            ack_slot: 0,
            hold: (0, 0),
            mtu: 1500,
            seed: 1,
        }
    }
}

impl Link {
    /// Octets of packets in a round trip.
    pub(crate) fn bdp(&self) -> u64 {
        (u128::from(self.rate) * u128::from(2 * self.delay) / 8 / u128::from(SECOND)) as u64
    }
}

/// What the application does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum App {
    Greedy,
    /// Octets each millisecond.
    Trickle(u32),
    Pause,
    /// Octets, all told.
    Until(u64),
}

enum Thing {
    Arrives(usize, Segment),
    /// The bottleneck has sent what it was sending.
    Sent,
    Tick,
}

pub(crate) struct World {
    pub(crate) now: Nanos,
    pub(crate) link: Link,
    pub(crate) app: App,
    /// The end that receives does read.
    pub(crate) reads: bool,
    ends: [Connection; 2],
    things: BTreeMap<(Nanos, u64), Thing>,
    planned: u64,
    rng: Rng,
    waiting: VecDeque<Segment>,
    backlog: u64,
    busy: bool,
    tokens: (u64, Nanos),
    unread: usize,
    pub(crate) written: u64,
    pub(crate) received: u64,
    /// Packets of text that were offered to the path, and that it lost: behind the bottleneck, before it, by the policer.
    pub(crate) offered: u64,
    pub(crate) lost: u64,
    /// Segments of text to lose, from the next on.
    pub(crate) lose_next: u32,
    /// Each state as it begins.
    pub(crate) states: Vec<(Nanos, BbrInfo)>,
    before: BbrInfo,
}

fn instant(now: Nanos) -> Instant {
    Instant::from_micros(now / 1000)
}

/// Big buffers, and nothing that makes small segments wait.
pub(crate) fn config() -> ConfigBuilder {
    segue::Config::builder().nagle(false).send_buffer(1 << 26).receive_buffer(1 << 26).receive_buffer_initial(1 << 26)
}

impl World {
    pub(crate) fn new(link: Link) -> Self {
        Self::with(link, config())
    }

    /// Connected, with nothing sent.
    pub(crate) fn with(link: Link, config: ConfigBuilder) -> Self {
        let config = Arc::new(config.build().expect("valid"));
        let (path, seed) = (Path::ipv4(link.mtu), link.seed);
        let secrets = Secrets { iss: SeqNum::new(0x8000_0000 - 9000), ts_offset: seed as u32 };
        let bbr = || Algorithm::Bbr(Bbr::default());
        let (client, actions) = Connection::connect_with(bbr(), config.clone(), path, secrets, instant(START));
        let mut segments = actions.into_iter().filter_map(|action| match action {
            Action::Transmit(segment) => Some(segment),
            _ => None,
        });
        let (syn, later) = (segments.next().expect("a SYN"), START + 2 * link.delay);
        let (server, actions) = Connection::accept_with(bbr(), config, path, secrets, syn, instant(later));
        let before = info_of(&client);
        let mut world = Self {
            now: later,
            tokens: (link.policer.map_or(0, |policer| policer.burst), later),
            link,
            app: App::Pause,
            reads: true,
            ends: [client, server],
            things: BTreeMap::new(),
            planned: 0,
            rng: Rng::new(seed),
            waiting: VecDeque::new(),
            backlog: 0,
            busy: false,
            unread: 0,
            written: 0,
            received: 0,
            offered: 0,
            lost: 0,
            lose_next: 0,
            states: vec![(later, before)],
            before,
        };
        world.carry_out(1, actions);
        world.plan(0, Thing::Tick);
        world.pass(2 * world.link.delay + MILLI);
        world
    }

    pub(crate) fn bbr(&self) -> BbrInfo {
        self.before
    }

    pub(crate) fn state(&self) -> BbrState {
        self.before.state
    }

    pub(crate) fn tcp(&self) -> &Connection {
        &self.ends[0]
    }

    /// The host of the sender puts a new BBR in the place of its own.
    pub(crate) fn exchange(&mut self) {
        let mut actions = Vec::new();
        let bbr = Algorithm::Bbr(Bbr::default());
        self.ends[0].replace_controller(bbr, instant(self.now), &mut actions);
        self.carry_out(0, actions);
    }

    /// C.inflight, as long as nothing is lost.
    pub(crate) fn inflight(&self) -> u32 {
        self.tcp().info().flight
    }

    /// Octets of text that the bottleneck carries in a second: with full segments, less headers.
    pub(crate) fn goodput(&self) -> u64 {
        let mtu = u64::from(self.link.mtu);
        self.link.rate / 8 * (mtu - 52) / mtu
    }

    /// The path is now like this.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Link)) {
        change(&mut self.link);
    }

    fn plan(&mut self, after: Nanos, thing: Thing) {
        self.planned += 1;
        self.things.insert((self.now + after, self.planned), thing);
    }

    fn offer(&mut self, segment: Segment) {
        let len = packet_len(&segment);
        self.offered += u64::from(!segment.payload.is_empty());
        if self.lose_next > 0 && !segment.payload.is_empty() {
            self.lose_next -= 1;
            self.lost += 1;
        } else if self.backlog + len > self.link.queue + u64::from(self.link.mtu) || !self.conforms(len) {
            self.lost += 1;
        } else {
            self.backlog += len;
            self.waiting.push_back(segment);
            self.transmit();
        }
    }

    /// Whether the bucket has tokens for it, which it then takes.
    fn conforms(&mut self, len: u64) -> bool {
        let Some(Bucket { rate, burst }) = self.link.policer else { return true };
        let (tokens, at) = self.tokens;
        let gained = (u128::from(rate) * u128::from(self.now - at) / u128::from(SECOND)) as u64;
        if gained > 0 {
            self.tokens = ((tokens + gained).min(burst), self.now);
        }
        let conforms = self.tokens.0 >= len;
        self.tokens.0 -= if conforms { len } else { 0 };
        conforms
    }

    /// The bottleneck sends the first that waits.
    fn transmit(&mut self) {
        if let (false, Some(first)) = (self.busy, self.waiting.front()) {
            self.busy = true;
            self.plan(packet_len(first) * 8 * SECOND / self.link.rate, Thing::Sent);
        }
    }

    fn sent(&mut self) {
        self.busy = false;
        let segment = self.waiting.pop_front().expect("it was sent");
        self.backlog -= packet_len(&segment);
        if self.rng.below(1_000_000) < self.link.loss {
            self.lost += 1;
        } else {
            let (share, time) = self.link.hold;
            let held = if self.rng.below(1_000_000) < share { time } else { 0 };
            self.plan(self.link.delay + held, Thing::Arrives(1, segment));
        }
        self.transmit();
    }

    fn acknowledge(&mut self, segment: Segment) {
        if self.rng.below(1_000_000) < self.link.ack_loss {
            return;
        }
        let at = self.now + self.link.delay;
        let at = if self.link.ack_slot > 0 { at.next_multiple_of(self.link.ack_slot) } else { at };
        self.plan(at - self.now, Thing::Arrives(0, segment));
    }

    fn handle(&mut self, end: usize, event: Event) {
        let mut actions = Vec::new();
        self.ends[end].handle(event, instant(self.now), &mut actions).expect("it is possible");
        self.carry_out(end, actions);
    }

    fn carry_out(&mut self, end: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Transmit(segment) if end == 0 => codec::split(segment).for_each(|piece| self.offer(piece)),
                Action::Transmit(segment) => self.acknowledge(segment),
                Action::Deliver(piece) => {
                    assert!(piece == text(self.received, piece.len()), "other text at {}", self.received);
                    self.received += piece.len() as u64;
                    self.unread += piece.len();
                }
                Action::MorePending => self.handle(end, Event::Continue),
                Action::Closed(reason) => panic!("closed at {}: {reason:?}", self.now),
                _ => {}
            }
        }
        self.read();
    }

    fn read(&mut self) {
        if self.reads && self.unread > 0 {
            let octets = std::mem::take(&mut self.unread);
            self.handle(1, Event::Consume(octets));
        }
    }

    /// The application writes this number of octets, as far as there is room.
    fn write(&mut self, octets: u64) {
        let mut left = octets.min(self.tcp().send_room() as u64);
        while left > 0 {
            let piece = text(self.written, left.min(65_536) as usize);
            self.written += piece.len() as u64;
            left -= piece.len() as u64;
            self.handle(0, Event::Send(piece));
        }
    }

    fn fill(&mut self) {
        match self.app {
            App::Greedy => {
                // Little more than leaves until the next turn, so that the application can change its mind.
                let most = (self.link.rate / 8 / 250).max(30_000);
                let unsent = self.written.saturating_sub(self.sent_text());
                if unsent < most / 2 {
                    self.write(most - unsent);
                }
            }
            App::Until(all) => self.write(all - self.written),
            App::Trickle(_) | App::Pause => {}
        }
    }

    /// Octets of text that were sent once at least.
    fn sent_text(&self) -> u64 {
        let info = self.tcp().info();
        self.written - info.send_queue as u64 + u64::from(info.flight)
    }

    /// The host of the sender learns that packets may have another size.
    pub(crate) fn mtu(&mut self, mtu: u16) {
        self.handle(0, Event::Mtu(mtu));
    }

    fn timer(&self) -> Option<(Nanos, usize, Timer)> {
        let due = |end: usize| self.ends[end].next_deadline().map(|(timer, at)| (at.as_micros() * 1000, end, timer));
        (0..2).filter_map(due).min()
    }

    /// The next that happens until then: `false` if nothing does.
    fn step(&mut self, until: Nanos) -> bool {
        let first = self.things.first_key_value().map(|((at, _), _)| *at);
        let timer = self.timer().filter(|(at, ..)| first.is_none_or(|first| *at < first));
        let Some(at) = timer.map(|(at, ..)| at).or(first).filter(|at| *at <= until) else { return false };
        self.now = self.now.max(at);
        if let Some((_, end, timer)) = timer {
            self.handle(end, Event::Timer(timer));
        } else if let Some((_, thing)) = self.things.pop_first() {
            match thing {
                Thing::Arrives(end, segment) => self.handle(end, Event::Segment(segment)),
                Thing::Sent => self.sent(),
                Thing::Tick => {
                    if let App::Trickle(octets) = self.app {
                        self.write(octets.into());
                    }
                    self.read();
                    self.plan(MILLI, Thing::Tick);
                }
            }
        }
        self.fill();
        self.observe();
        true
    }

    fn observe(&mut self) {
        let info = info_of(&self.ends[0]);
        if info.state != self.before.state {
            self.states.push((self.now, info));
        }
        self.before = info;
    }

    /// So much time passes.
    pub(crate) fn pass(&mut self, time: Nanos) {
        self.until(time, |_| false);
    }

    /// Time passes until this is so after an event, or the time is over. Whether it is so.
    pub(crate) fn until(&mut self, time: Nanos, mut is_so: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + time;
        while self.step(end) {
            if is_so(self) {
                return true;
            }
        }
        self.now = end;
        false
    }

    /// Time passes until the flow enters this state, or the time is over.
    #[track_caller]
    pub(crate) fn reach(&mut self, state: BbrState, time: Nanos) {
        let from = self.states.len();
        let reached = self.until(time, |world| world.states.len() > from && world.state() == state);
        assert!(reached, "no {state:?} within {:?}: {:#?}", Duration::from_nanos(time), self.bbr());
    }

    /// It sends without pause until the flow enters this state.
    #[track_caller]
    pub(crate) fn greedy(link: Link, state: BbrState, time: Nanos) -> Self {
        let mut world = Self::new(link);
        world.app = App::Greedy;
        world.reach(state, time);
        world
    }

    /// BBRInflight(1.0), which is that of max_bw where no loss lowered the bandwidth.
    pub(crate) fn inflight_target(&self) -> u32 {
        let info = self.bbr();
        let bdp = u128::from(info.bw) * info.min_rtt.map_or(0, |rtt| rtt.as_micros()) / 1_000_000;
        (bdp as u32 + 1).max(3 * info.send_quantum).max(4 * self.mss())
    }

    pub(crate) fn mss(&self) -> u32 {
        self.tcp().info().eff_snd_mss.into()
    }

    /// The state before the present one.
    pub(crate) fn previous(&self) -> BbrState {
        self.states[self.states.len() - 2].1.state
    }

    /// Octets delivered in this time, per second.
    pub(crate) fn rate_over(&mut self, time: Nanos) -> u64 {
        let before = self.received;
        self.pass(time);
        (u128::from(self.received - before) * u128::from(SECOND) / u128::from(time)) as u64
    }
}

fn packet_len(segment: &Segment) -> u64 {
    (40 + segment.options.wire_len() + segment.payload.len()) as u64
}

fn info_of(tcp: &Connection) -> BbrInfo {
    let Some(Algorithm::Bbr(bbr)) = tcp.controller() else { panic!("no BBR") };
    bbr.info()
}
