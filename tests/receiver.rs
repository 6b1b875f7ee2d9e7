//! The receiving side against a naive model, one octet at a time: what is taken, held, delivered, promised and reported.

use std::ops::Range;

use quickcheck::{Gen, QuickCheck};
use segue::{
    Action, Arc, Config, ConfigBuilder, Connection, Discard, Event, Flags, Instant, Options, Path, Secrets, Segment,
    SeqNum, Timer,
};

/// Initial numbers of the peer at which arithmetic goes wrong, if it does: the stream wraps early, late, or at its sign.
const STARTS: [u32; 7] = [0, u32::MAX, u32::MAX - 700, u32::MAX - 70_000, (1 << 31) - 1, (1 << 31) - 30_000, 12_345];
const RANGES: usize = 5;

/// Octet `n` of the peer's stream.
fn octet(n: u64) -> u8 {
    (n * 31 + n / 251) as u8
}

fn text(range: Range<u64>) -> Vec<u8> {
    range.map(octet).collect()
}

/// What a receiver may know, octet by octet.
struct Model {
    /// Which octets have arrived.
    arrived: Vec<bool>,
    /// The first that has not: RCV.NXT.
    next: u64,
    /// The furthest right edge that a segment promised.
    promised: u64,
    consumed: u64,
}

impl Model {
    fn has(&self, n: u64) -> bool {
        self.arrived.get(n as usize).copied().unwrap_or(false)
    }

    /// The ranges beyond RCV.NXT, each as long as can be.
    fn held(&self) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for n in (self.next..self.arrived.len() as u64).filter(|&n| self.has(n)) {
            match ranges.last_mut() {
                Some(last) if last.end == n => last.end += 1,
                _ => ranges.push(n..n + 1),
            }
        }
        ranges
    }

    /// Text arrives. What is not refused of it is what lies inside the window; `None`: all of it is thrown away.
    fn arrive(&mut self, text: Range<u64>) -> Option<()> {
        let inside = |n: u64| self.next <= n && n < self.promised;
        if text.is_empty() || !(inside(text.start) || inside(text.end - 1)) {
            return None; // Table 6
        }
        let before = self.arrived.clone();
        let end = text.end.min(self.promised);
        self.arrived.resize(self.arrived.len().max(end as usize), false);
        (text.start.max(self.next)..end).for_each(|n| self.arrived[n as usize] = true);
        if text.start > self.next && self.held().len() > RANGES {
            self.arrived = before; // it would open one more range than can be held
            return None;
        }
        while self.has(self.next) {
            self.next += 1;
        }
        Some(())
    }
}

struct Rig {
    connection: Connection,
    now: Instant,
    start: SeqNum,
    shift: u32,
    model: Model,
    delivered: u64,
}

impl Rig {
    fn new(irs: u32, config: ConfigBuilder) -> Self {
        let config = Arc::new(config.max_ranges(RANGES as u16).build().unwrap());
        let options = Options { mss: Some(1460), window_scale: Some(0), sack_permitted: true, ..Options::default() };
        let syn = Segment { seq: SeqNum::new(irs), flags: Flags::SYN, window: 65_535, options, ..Segment::default() };
        let now = Instant::from_millis(1000);
        let secrets = Secrets { iss: SeqNum::new(99), ts_offset: 0 };
        let (connection, actions) = Connection::accept(config, Path::ipv4(1500), secrets, syn, now);
        let Some(Action::Transmit(syn_ack)) = actions.first() else { panic!("{actions:?}") };
        let shift = u32::from(syn_ack.options.window_scale.unwrap_or(0));
        let promised = u64::from(syn_ack.window); // never scaled
        let model = Model { arrived: Vec::new(), next: 0, promised, consumed: 0 };
        let mut rig = Self { connection, now, start: SeqNum::new(irs) + 1, shift, model, delivered: 0 };
        rig.segment(0..0, 0);
        rig
    }

    /// The number of a stream octet.
    fn seq(&self, n: u64) -> SeqNum {
        self.start + n as u32
    }

    /// A segment with this text; what the machine does with it is what the model does.
    fn segment(&mut self, octets: Range<u64>, segment_size: u16) {
        let segment = Segment {
            seq: self.seq(octets.start),
            ack: SeqNum::new(100),
            flags: Flags::ACK,
            window: 65_535,
            segment_size,
            payload: text(octets.clone()).into(),
            ..Segment::default()
        };
        let taken = self.model.arrive(octets.clone()).is_some();
        let actions = self.connection.handle_segment(segment, self.now);
        let thrown = actions.iter().any(|a| matches!(a, Action::Discarded(_)));
        let refused = actions.contains(&Action::Discarded(Discard::ReassemblyFull));
        if !octets.is_empty() {
            assert_eq!(thrown, !taken, "{octets:?} {actions:?}");
            assert!(!refused || self.connection.info().held_ranges == RANGES);
        }
        let fresh = taken && octets.start > self.model.next;
        self.follow(&actions, fresh.then_some(octets.start));
    }

    fn event(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.connection.handle(event, self.now, &mut actions).unwrap();
        self.follow(&actions, None);
    }

    /// `latest`: text that was just put behind a gap. It is reported first.
    fn follow(&mut self, actions: &[Action], latest: Option<u64>) {
        for action in actions {
            match action {
                Action::Deliver(delivered) => {
                    let end = self.delivered + delivered.len() as u64;
                    assert_eq!(&delivered[..], text(self.delivered..end), "octets {}..{end}", self.delivered);
                    self.delivered = end;
                }
                Action::Transmit(segment) => self.acknowledged(segment, latest),
                _ => {}
            }
        }
        let (info, held) = (self.connection.info(), self.model.held());
        assert_eq!(self.delivered, self.model.next, "everything in order is delivered, at once");
        assert_eq!(info.rcv_nxt, self.seq(self.model.next));
        assert_eq!(info.rcv_nxt + info.rcv_wnd, self.seq(self.model.promised), "all that was promised, and no more");
        assert_eq!(info.held as u64, held.iter().map(|range| range.end - range.start).sum::<u64>());
        assert_eq!(info.held_ranges, held.len());
        assert_eq!(info.unconsumed as u64, self.delivered - self.model.consumed);
    }

    /// An acknowledgment says what the model says, and what it promises holds from now on.
    fn acknowledged(&mut self, segment: &Segment, latest: Option<u64>) {
        assert_eq!(segment.ack, self.seq(self.model.next));
        let edge = self.model.next + (u64::from(segment.window) << self.shift);
        assert!(edge + (1 << self.shift) > self.model.promised, "the edge went back to {edge}");
        self.model.promised = self.model.promised.max(edge);
        let ranges: Vec<_> =
            self.model.held().iter().map(|range| (self.seq(range.start), self.seq(range.end))).collect();
        let blocks: Vec<_> = segment.options.sack.as_slice().iter().map(|block| (block.left, block.right)).collect();
        assert_eq!(blocks.len(), ranges.len().min(4), "as many as fit (RFC 2018 §3)");
        assert!(blocks.iter().all(|block| ranges.contains(block)), "{blocks:?} of {ranges:?}");
        assert!((1..blocks.len()).all(|i| !blocks[..i].contains(&blocks[i])), "one twice: {blocks:?}");
        if let Some(latest) = latest.map(|n| self.seq(n)) {
            let (left, right) = blocks[0];
            assert!(latest - left < right - left, "the block with what came last is the first (RFC 2018 §4)");
        }
    }

    fn step(&mut self, (what, a, b): (u8, u16, u16)) {
        let window = self.model.promised - self.model.next;
        let (a, b) = (u64::from(a), u64::from(b));
        let at = |offset: u64| (self.model.next + offset).saturating_sub(300);
        match what % 8 {
            0 => {
                let octets = (a % 5000).min(self.delivered - self.model.consumed);
                self.model.consumed += octets;
                self.event(Event::Consume(octets as usize));
            }
            1 => self.event(Event::Timer(Timer::DelayedAck)),
            2 => self.now += std::time::Duration::from_millis(a % 100),
            3 => {
                let from = at(a % 700);
                self.segment(from..from + b % 6000, 1460); // coalesced
            }
            4 => {
                let from = at(300 + window.saturating_sub(a % 600)); // at the right edge
                self.segment(from..from + b % 900, 0);
            }
            5 => self.segment(self.model.next..self.model.next + b % 1461, 0),
            _ => {
                let from = at(a % (window + 600));
                self.segment(from..from + b % 1461, 0);
            }
        }
    }
}

fn run(config: ConfigBuilder, steps: &[(u8, u16, u16)]) {
    for irs in STARTS {
        let mut rig = Rig::new(irs, config);
        steps.iter().for_each(|&step| rig.step(step));
        // whatever was promised and is missing is taken, however little the user took
        let (mut at, edge) = (rig.model.next, rig.model.promised);
        while at < edge {
            let end = edge.min(at + 1460);
            rig.segment(at..end, 0);
            at = end;
        }
        assert!(rig.model.next >= edge);
    }
}

/// Without D-SACK, whose blocks the model does not have.
fn config() -> ConfigBuilder {
    Config::builder().timestamps(false).dsack(false)
}

#[test]
fn behaves_as_the_model_of_octets() {
    fn property(steps: Vec<(u8, u16, u16)>) -> bool {
        let plain = config().window_scaling(false).receive_buffer(20_000);
        let coarse = config().receive_buffer(50_000).window_shift(Some(9)).quick_acks(0);
        let tuned = config().receive_buffer(1 << 20).receive_buffer_initial(14_600);
        [plain, coarse, tuned].into_iter().for_each(|config| run(config, &steps));
        true
    }
    let random = Gen::from_size_and_seed(200, 7);
    QuickCheck::new().rng(random).tests(12).quickcheck(property as fn(Vec<(u8, u16, u16)>) -> bool);
}
