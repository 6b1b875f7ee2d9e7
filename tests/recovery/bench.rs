//! A sender, and a peer made of acknowledgments written by hand, in virtual time. Text counts in segments of 1000 octets:
//! segment `n` is the octets from 1000 `n` on. Times are milliseconds since the handshake ended, which took 100.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bytes::Bytes;
use segue::congestion::{Algorithm, Reno};
use segue::{
    Canonical, Config, ConfigBuilder, Connection, Event, Flags, Info, Instant, Options, SackBlock, Segment, SeqNum,
    Timer, Timestamps,
};
pub(crate) use segue_kit::ms;
use segue_kit::rig::{At, Rig};

/// Octets in a segment.
pub(crate) const MSS: u32 = 1000;
/// Where the numbers of the text wrap: before it, inside of it, and at the sign.
const EDGES: [u32; 6] = [0, u32::MAX, u32::MAX - 2500, (1 << 31) - 1, (1 << 31) - 2500, 1 << 31];
/// When the handshake ended: our clock, and that of the timestamps, is at 2000 ms.
const START: u64 = 2000;
const IRS: SeqNum = SeqNum::new(u32::MAX - 7);

/// Runs a test at all the edges.
pub(crate) fn everywhere(test: impl Fn(u32)) {
    for iss in EDGES {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(iss))) {
            eprintln!("with ISS {iss}");
            resume_unwind(panic);
        }
    }
}

/// SACK and RACK, no timestamps; every segment leaves at once.
pub(crate) fn sack() -> ConfigBuilder {
    Config::builder().timestamps(false).nagle(false).send_buffer(1 << 20)
}

/// SACK without RACK.
pub(crate) fn without_rack() -> ConfigBuilder {
    sack().rack(false)
}

/// Neither.
pub(crate) fn without_sack() -> ConfigBuilder {
    sack().sack(false)
}

pub(crate) struct Bench {
    rig: Rig,
    stamps: bool,
    /// SEG.WND of the peer's segments, in octets: a multiple of 2^`shift`.
    pub(crate) window: u32,
    shift: u8,
    /// What the last call transmitted.
    pub(crate) sent: Vec<Segment>,
    /// Every segment transmitted since the handshake, with its time.
    pub(crate) log: Vec<(u64, String)>,
}

impl Bench {
    /// ESTABLISHED, with the window of RFC 5681.
    pub(crate) fn new(iss: u32, config: ConfigBuilder) -> Self {
        Self::with_controller(iss, config, Algorithm::Reno(Reno::default()))
    }

    /// The same, and windows are not scaled: at most 65,535 octets.
    pub(crate) fn unscaled(iss: u32, config: ConfigBuilder) -> Self {
        let reno = Algorithm::Reno(Reno::default());
        let bench = Self::open(iss, config.window_scaling(false), reno, 65_535, START - 100);
        assert_eq!((bench.info().srtt, bench.info().eff_snd_mss), (Some(ms(100)), 1000));
        bench
    }

    /// ESTABLISHED, without a measured round trip: the SYN was sent twice, and there are no timestamps.
    pub(crate) fn unmeasured(iss: u32, config: ConfigBuilder) -> Self {
        let bench = Self::open(iss, config.timestamps(false), Algorithm::Reno(Reno::default()), 1 << 20, START - 1010);
        assert_eq!((bench.info().srtt, bench.info().rto), (None, ms(3000)));
        bench
    }

    /// ESTABLISHED, by an active OPEN whose round trip took 100 ms.
    pub(crate) fn with_controller(iss: u32, config: ConfigBuilder, controller: Algorithm) -> Self {
        let bench = Self::open(iss, config, controller, 1 << 20, START - 100);
        assert_eq!((bench.info().srtt, bench.info().eff_snd_mss), (Some(ms(100)), 1000));
        bench
    }

    /// ESTABLISHED, by an active OPEN at this time, whose SYN was repeated as often as the RTO says.
    fn open(iss: u32, config: ConfigBuilder, controller: Algorithm, window: u32, opened: u64) -> Self {
        let config = config.build().unwrap();
        let (stamps, shift) = (config.timestamps(), if config.window_scaling() { 7 } else { 0 });
        let start = Instant::from_millis(opened);
        let at = At { iss, irs: IRS.value(), first: 0, ts_offset: 0, start, config, ..At::default() };
        let mut bench = Self { rig: at.connect_with(controller), stamps, window, shift, sent: vec![], log: vec![] };
        bench.pass(START - opened);
        let options = Options {
            mss: Some(if stamps { 1012 } else { 1000 }),
            window_scale: Some(7),
            sack_permitted: true,
            timestamps: stamps.then_some(Timestamps { value: 1, echo: START as u32 - 100 }),
            ..Options::default()
        };
        let flags = Flags::SYN | Flags::ACK;
        let syn = Segment {
            seq: IRS,
            ack: bench.seq(0),
            flags,
            window: 65_535,
            options: options.into(),
            ..Segment::default()
        };
        assert_eq!(bench.arrives(syn), "ack");
        bench.window_is(window);
        bench.log.clear();
        bench
    }

    /// The same, after twenty segments were sent and acknowledged: the window is twenty, the log empty, and the next
    /// segment is the twentieth.
    pub(crate) fn with_window_20(iss: u32, config: ConfigBuilder) -> Self {
        let mut bench = Self::new(iss, config);
        bench.send(20);
        bench.wait(100);
        for n in 1..=9 {
            bench.ack(n);
        }
        bench.wait(100);
        bench.ack(20);
        assert_eq!((bench.info().cwnd, bench.info().flight), (20 * MSS, 0));
        bench.log.clear();
        bench
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.rig.connection
    }

    pub(crate) fn info(&self) -> Info {
        self.rig.info()
    }

    /// Milliseconds since the handshake.
    pub(crate) fn clock(&self) -> u64 {
        (self.rig.now.as_micros() / 1000).saturating_sub(START)
    }

    /// What the connection is now, without what only counts.
    pub(crate) fn canonical(&self) -> Canonical {
        self.rig.connection.canonical(self.rig.now)
    }

    /// The number of this octet.
    pub(crate) fn seq(&self, octet: u32) -> SeqNum {
        self.rig.snd(i64::from(octet))
    }

    /// What the last call of the rig transmitted.
    fn note(&mut self) -> String {
        self.sent = self.rig.sent().to_vec();
        let words: Vec<_> = self.sent.iter().map(|segment| self.words(segment)).collect();
        let clock = self.clock();
        self.log.extend(words.iter().map(|word| (clock, word.clone())));
        words.join(" ")
    }

    /// `7`: segment 7; `7-9`: those in one; `7500:20`: twenty octets; `F`: the FIN, `7F`: behind it.
    fn words(&self, segment: &Segment) -> String {
        let (octet, len) = (segment.seq - self.seq(0), segment.payload.len() as u32);
        let fin = if segment.flags.contains(Flags::FIN) { "F" } else { "" };
        if segment.flags.contains(Flags::SYN) {
            return "syn".into();
        }
        match (octet % MSS, len) {
            (_, 0) if fin.is_empty() => "ack".into(),
            (_, 0) => fin.into(),
            (0, MSS) => format!("{}{fin}", octet / MSS),
            (0, _) if len % MSS == 0 => format!("{}-{}{fin}", octet / MSS, (octet + len) / MSS - 1),
            _ => format!("{octet}:{len}{fin}"),
        }
    }

    fn arrives(&mut self, segment: Segment) -> String {
        self.rig.arrives(segment);
        self.note()
    }

    pub(crate) fn event(&mut self, event: Event) -> String {
        self.rig.does(event);
        self.note()
    }

    /// The user sends `segments` segments. Returns what leaves.
    pub(crate) fn send(&mut self, segments: u32) -> String {
        self.send_octets(segments * MSS)
    }

    pub(crate) fn send_octets(&mut self, octets: u32) -> String {
        self.event(Event::Send(Bytes::from(vec![b'x'; octets as usize])))
    }

    pub(crate) fn close(&mut self) -> String {
        self.event(Event::Close)
    }

    /// An acknowledgment of all octets before this one that reports these ranges of octets.
    pub(crate) fn octets(&mut self, ack: u32, ranges: &[(u32, u32)], echo: Option<u32>) -> String {
        let mut segment = Segment {
            seq: IRS + 1,
            ack: self.seq(ack),
            flags: Flags::ACK,
            window: (self.window >> self.shift) as u16,
            ..Segment::default()
        };
        for &(left, right) in ranges {
            segment
                .options
                .update(|options| options.sack.push(SackBlock { left: self.seq(left), right: self.seq(right) }));
        }
        if self.stamps {
            let echo = echo.map_or(START as u32 - 100, |millis| START as u32 + millis);
            segment.options.update(|options| options.timestamps = Some(Timestamps { value: 1, echo }));
        }
        self.arrives(segment)
    }

    /// The peer sends an octet of text, and acknowledges nothing new.
    pub(crate) fn text_arrives(&mut self) -> String {
        let info = self.info();
        let window = (self.window >> self.shift) as u16;
        let payload = Bytes::from_static(b"x");
        let flags = Flags::ACK;
        self.arrives(Segment { seq: info.rcv_nxt, ack: info.snd_una, flags, window, payload, ..Segment::default() })
    }

    /// The peer has all segments before this one.
    pub(crate) fn ack(&mut self, segment: u32) -> String {
        self.octets(segment * MSS, &[], None)
    }

    /// The same, echoing what our clock showed at this time.
    pub(crate) fn ack_echo(&mut self, segment: u32, echo: u32) -> String {
        self.octets(segment * MSS, &[], Some(echo))
    }

    /// The peer has all segments before `ack`, and reports these ranges of segments.
    pub(crate) fn sack(&mut self, ack: u32, ranges: &[(u32, u32)]) -> String {
        let octets: Vec<_> = ranges.iter().map(|(left, right)| (left * MSS, right * MSS)).collect();
        self.octets(ack * MSS, &octets, None)
    }

    /// The peer's window is `octets` octets now; nothing else is said.
    pub(crate) fn window_is(&mut self, octets: u32) -> String {
        self.window = octets;
        let una = self.info().snd_una - self.seq(0);
        self.octets(una, &[], None)
    }

    /// Time passes, and nothing is due meanwhile.
    #[track_caller]
    pub(crate) fn wait(&mut self, millis: u64) {
        let end = self.rig.now + ms(millis);
        self.rig.rest(end);
        self.rig.now = end;
        let due = self.rig.connection.next_deadline().filter(|(_, at)| *at < end);
        assert_eq!(due, None, "due before {} ms", self.clock());
    }

    /// Time passes until this, in milliseconds.
    #[track_caller]
    pub(crate) fn at(&mut self, clock: u64) {
        let passes = clock.checked_sub(self.clock()).expect("time does not go back");
        self.wait(passes);
    }

    /// The next timer, which must be this one, fires at this time.
    #[track_caller]
    pub(crate) fn fire(&mut self, timer: Timer, clock: u64) -> String {
        let at = Instant::from_millis(START + clock);
        assert_eq!(self.rig.connection.next_deadline(), Some((timer, at)), "at {clock} ms");
        self.rig.now = at;
        self.rig.call_timer(timer);
        self.note()
    }

    /// The timers that fire in this time.
    pub(crate) fn pass(&mut self, millis: u64) {
        let end = self.rig.now + ms(millis);
        while let Some((timer, at)) = self.rig.connection.next_deadline().filter(|(_, at)| *at <= end) {
            assert!(at >= self.rig.now, "{timer:?} is due in the past");
            self.rig.now = at;
            self.rig.call_timer(timer);
            self.note();
        }
        self.rig.now = end;
    }

    /// How many milliseconds from now this timer fires.
    pub(crate) fn until(&self, timer: Timer) -> Option<u64> {
        self.rig.until(timer).map(|time| time.as_millis() as u64)
    }

    /// cwnd and ssthresh in octets.
    pub(crate) fn windows(&self) -> (u32, u32) {
        (self.info().cwnd, self.info().ssthresh)
    }

    /// Fast recoveries, timeouts, and reductions undone.
    pub(crate) fn episodes(&self) -> (u64, u64, u64) {
        let counters = self.info().counters;
        (counters.fast_retransmits, counters.timeouts, counters.spurious_recoveries)
    }
}
