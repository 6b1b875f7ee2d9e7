//! The receiving side against a naive model, one octet at a time: octets taken, held, delivered, promised and reported;
//! and over a link, what its windows let through.

mod full_size;
mod link;
mod sizing;
mod windows;

use std::ops::Range;

use bytes::Bytes;
use quickcheck::{Gen, QuickCheck};
use segue::{
    Action, Arc, Config, ConfigBuilder, Connection, Discard, Event, Flags, Instant, Options, Path, Secrets, Segment,
    SeqNum, Timer,
};
use segue_kit::octets::{Model, text};

/// Initial numbers of the peer at which arithmetic goes wrong, if it does: the stream wraps early, late, or at its sign.
const STARTS: [u32; 7] = [0, u32::MAX, u32::MAX - 700, u32::MAX - 70_000, (1 << 31) - 1, (1 << 31) - 30_000, 12_345];
const RANGES: usize = 5;

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
        let syn = Segment {
            seq: SeqNum::new(irs),
            flags: Flags::SYN,
            window: 65_535,
            options: options.into(),
            ..Segment::default()
        };
        let now = Instant::from_millis(1000);
        let secrets = Secrets { iss: SeqNum::new(99), ts_offset: 0 };
        let (connection, actions) = Connection::accept(config, Path::ipv4(1500), secrets, syn, now);
        let Some(Action::Transmit(syn_ack)) = actions.first() else { panic!("{actions:?}") };
        let shift = u32::from(syn_ack.options.window_scale().unwrap_or(0));
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
        let taken = self.model.arrive(octets.clone(), RANGES).is_some();
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
        let blocks: Vec<_> = segment.options.sack().iter().map(|block| (block.left, block.right)).collect();
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

/// A sender that fills every window it is told of, and a user that reads when it likes.
struct Filler {
    connection: Connection,
    now: Instant,
    start: SeqNum,
    shift: u32,
    /// Octets of the stream sent, the right edge as it was last told, and what the user has not taken.
    sent: u32,
    edge: u32,
    unread: usize,
    /// The largest segment it may send.
    most: u32,
    refused: bool,
}

impl Filler {
    fn new(config: Config, irs: u32, mtu: u16, mss: u16) -> Self {
        let options = Options { mss: Some(mss), window_scale: Some(0), sack_permitted: true, ..Options::default() };
        let syn = Segment {
            seq: SeqNum::new(irs),
            flags: Flags::SYN,
            window: 65_535,
            options: options.into(),
            ..Segment::default()
        };
        let (now, secrets) = (Instant::from_millis(1000), Secrets { iss: SeqNum::new(99), ts_offset: 0 });
        let (connection, actions) = Connection::accept(Arc::new(config), Path::ipv4(mtu), secrets, syn, now);
        let Some(Action::Transmit(syn_ack)) = actions.first() else { panic!("{actions:?}") };
        let mut filler = Self {
            connection,
            now,
            start: SeqNum::new(irs) + 1,
            shift: u32::from(syn_ack.options.window_scale().unwrap_or(0)),
            sent: 0,
            edge: u32::from(syn_ack.window),
            unread: 0,
            most: u32::from(syn_ack.options.mss().unwrap()).max(1),
            refused: false,
        };
        filler.event(Event::Segment(filler.segment(0, 0)));
        filler
    }

    fn segment(&self, from: u32, len: u32) -> Segment {
        static TEXT: [u8; 1 << 16] = [0; 1 << 16];
        let payload = Bytes::from_static(&TEXT).slice(..len as usize);
        let (seq, ack, flags) = (self.start + from, SeqNum::new(100), Flags::ACK);
        Segment { seq, ack, flags, window: 65_535, payload, ..Segment::default() }
    }

    fn event(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.connection.handle(event, self.now, &mut actions).unwrap();
        for action in actions {
            match action {
                Action::Transmit(segment) => {
                    self.edge = segment.ack - self.start + (u32::from(segment.window) << self.shift);
                }
                Action::Deliver(text) => self.unread += text.len(),
                Action::Discarded(_) => self.refused = true,
                _ => {}
            }
        }
    }

    /// Octets that the sender may send, as far as it was told.
    fn usable(&self) -> u32 {
        self.edge.saturating_sub(self.sent)
    }

    /// A segment of `octets` octets, or of as many as the window allows.
    fn sends(&mut self, octets: u32) {
        let len = octets.min(self.usable());
        if len > 0 {
            let segment = self.segment(self.sent, len);
            self.refused = false;
            self.event(Event::Segment(segment));
            assert!(!self.refused, "what was promised was not taken");
            self.sent += len;
        }
    }

    fn consumes(&mut self, octets: usize) {
        let octets = octets.min(self.unread);
        self.unread -= octets;
        self.event(Event::Consume(octets));
    }

    fn acknowledges(&mut self) {
        if let Some(at) = self.connection.deadline(Timer::DelayedAck) {
            self.now = self.now.max(at);
            self.event(Event::Timer(Timer::DelayedAck));
        }
    }
}

/// 20,001 octets through a window in units of 16,384: it never closes while the user reads.
#[test]
fn a_coarse_window_stays_open_while_the_user_reads() {
    for initial in [14_600, 16_384, 20_000, 131_072] {
        let config = Config::builder().window_shift(Some(14)).receive_buffer_initial(initial);
        for unread in [0, 1, 1460] {
            let mut filler = Filler::new(config.build().unwrap(), 7, 1500, 1460);
            while filler.sent < 20_001 {
                assert!(filler.usable() > 0, "initial {initial}, {unread} unread: closed after {} octets", filler.sent);
                filler.sends(1460.min(20_001 - filler.sent));
                filler.consumes(filler.unread.saturating_sub(unread));
            }
        }
    }
}

/// Any buffer, scale and MSS, any pattern of sending and reading: once the user has taken everything the sender has been told a
/// window of a segment, or of half of what the buffer can announce (RFC 9293 §3.8.6.2.2), at once or with the delayed ACK;
/// and no octet of a window that was told is refused.
#[test]
fn an_empty_buffer_is_told_of_whatever_its_size_and_scale() {
    fn property(buffer: u32, initial: u32, (shift, mtu, mss): (u8, u16, u16), steps: Vec<(u8, u16)>) -> bool {
        // sizes of every order of magnitude
        let buffer = (buffer & 0x3FFF_FFFF) >> (buffer >> 27).min(29);
        let initial = ((initial & 0x3FFF_FFFF) >> (initial >> 28)).max(14_600);
        let (mtu, mss) = (68 + (mtu >> (mtu % 13)), 1 + (mss >> (mss % 11)));
        let config = Config::builder().receive_buffer(buffer.max(1)).receive_buffer_initial(initial);
        let shift = Some(shift % 15).filter(|_| shift < 200);
        let config = config.window_scaling(initial % 5 > 0);
        let Ok(config) = config.window_shift(shift).quick_acks(shift.unwrap_or(0)).build() else { return true };
        for irs in STARTS {
            let mut filler = Filler::new(config, irs, mtu, mss);
            for &(what, size) in &steps {
                let size = u32::from(size);
                match what % 8 {
                    0 => filler.consumes(size as usize),
                    1 => filler.consumes(filler.unread.saturating_sub(size as usize % 3)),
                    2 => filler.acknowledges(),
                    3 => filler.now += std::time::Duration::from_millis(u64::from(size)),
                    4 if filler.sent > 0 => filler.event(Event::Segment(filler.segment(filler.sent - 1, 1))), // a copy
                    5 => filler.sends(1 + size % filler.most),
                    6 => (0..size % 40).for_each(|_| filler.sends(filler.most)),
                    _ => filler.sends(1 << 16), // coalesced
                }
            }
            filler.consumes(filler.unread);
            filler.acknowledges();
            let info = filler.connection.info();
            let announceable = (info.rcv_buff >> filler.shift).min(65_535) << filler.shift;
            let segment = filler.most.min(u32::from(info.eff_snd_mss));
            let least = segment.min(announceable / 2).max(1);
            assert!(
                filler.usable() >= least,
                "{config:?}: told {} of {announceable}, {least} at least",
                filler.usable()
            );
        }
        true
    }
    let random = Gen::from_size_and_seed(60, 15);
    QuickCheck::new()
        .rng(random)
        .tests(400)
        .quickcheck(property as fn(u32, u32, (u8, u16, u16), Vec<(u8, u16)>) -> bool);
}

/// Without scaling, half of 65,535 octets is the step by which the edge moves, however large the buffer and a segment are: 1535
/// octets are too few for a sender that may send 65,495 at once.
#[test]
fn half_of_what_can_be_announced_is_a_step() {
    let config = Config::builder().window_scaling(false).receive_buffer(131_070).quick_acks(0);
    let mut filler = Filler::new(config.build().unwrap(), 7, u16::MAX, u16::MAX);
    for octets in [64_000, 64_000] {
        filler.sends(octets);
        filler.acknowledges();
    }
    assert_eq!((filler.unread, filler.usable()), (128_000, 1535));
    filler.consumes(31_231);
    assert_eq!(filler.usable(), 1535);
    filler.consumes(filler.unread);
    assert_eq!(filler.usable(), 65_535);
}
