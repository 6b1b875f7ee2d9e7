//! Two recorded connections over a link that loses, repeats and delays, both with configurations of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use segue::congestion::Algorithm;
use segue::journal::{Journal, Line, Opening, Recorder, Start};
use segue::{Action, Config, Connection, Event, Instant, Path, Secrets, Segment, SeqNum, Timer};

/// What was drawn: all else follows from it.
#[derive(Clone, Debug, Arbitrary)]
pub(crate) struct Plan {
    configs: [Config; 2],
    secrets: [Secrets; 2],
    acts: Vec<Act>,
    /// Whether both close at the end.
    closes: bool,
    /// One octet for each segment: whether it arrives, twice, or late.
    fates: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Act {
    Pass { millis: u16 },
    Send { end: bool, octets: u16 },
    Consume { end: bool, octets: u16 },
    Close { end: bool },
    Abort { end: bool },
    Mtu { end: bool, mtu: u16 },
    Forge { end: bool, seq: u16, flags: segue::Flags, len: u8 },
}

impl Plan {
    /// The plan of a seed. The default configuration in one of two seeds: with drawn ones alone few pairs get far.
    pub(crate) fn of(seed: u64) -> Self {
        let mut state = seed;
        let octets: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15); // SplitMix64
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB).to_le_bytes()
        })
        .take(400)
        .flatten()
        .collect();
        let mut plan = Self::arbitrary(&mut Unstructured::new(&octets)).expect("enough octets");
        if seed % 2 == 0 {
            plan.configs = [Config::default(); 2];
        }
        plan
    }

    /// Nothing but a handshake.
    pub(crate) fn plain() -> Self {
        Self { acts: vec![], closes: false, fates: vec![], configs: [Config::default(); 2], ..Self::of(0) }
    }

    /// A plan without faults, aborts and forgeries, for what has to reach the later states.
    pub(crate) fn gentle(mut self) -> Self {
        self.fates.clear();
        self.acts.retain(|act| !matches!(act, Act::Abort { .. } | Act::Forge { .. }));
        self
    }
}

impl Plan {
    /// A plan that moves much text both ways over a link that loses one of 25 segments: the windows matter.
    pub(crate) fn busy(self, mut draw: impl FnMut(u64) -> u64) -> Self {
        let acts = (0..60).map(|act| match act % 3 {
            0 => Act::Send { end: draw(2) == 0, octets: 20_000 },
            1 => Act::Consume { end: draw(2) == 0, octets: u16::MAX },
            _ => Act::Pass { millis: u16::try_from(draw(150)).expect("less than 150") },
        });
        let acts = acts.collect();
        let fates = (0..4000).map(|_| u8::try_from(30 + draw(226)).expect("less than 256")).collect();
        Self { acts, fates, configs: [Config::default(); 2], ..self }
    }
}

/// Both ends, and what is under way.
pub(crate) struct Run {
    now: Instant,
    ends: [Recorder; 2],
    pub(crate) lines: [Vec<Line>; 2],
    ahead: BTreeMap<(Instant, u32), (usize, Segment)>,
    fates: std::vec::IntoIter<u8>,
    count: u32,
}

impl Run {
    fn new(plan: &Plan, [first, second]: [Algorithm; 2]) -> Self {
        let now = Instant::from_millis(1000);
        let start = |end: usize, opening| Start {
            opening,
            config: plan.configs[end],
            path: Path::ipv4(1500),
            secrets: plan.secrets[end],
            at: now,
        };
        let (client, opens) = Recorder::begin_with(first, start(0, Opening::Connect));
        let (server, listens) = Recorder::begin_with(second, start(1, Opening::Listen));
        let fates = plan.fates.clone().into_iter();
        let lines = [vec![], vec![]];
        let mut run = Self { now, ends: [client, server], lines, ahead: BTreeMap::new(), fates, count: 0 };
        run.note(0, opens);
        run.note(1, listens);
        run
    }

    pub(crate) fn connection(&self, end: usize) -> &Connection {
        self.ends[end].connection()
    }

    pub(crate) fn journal(&self, end: usize) -> Journal {
        Journal::read(self.lines[end].iter().cloned()).expect("what was recorded is a journal")
    }

    fn note(&mut self, from: usize, line: Line) {
        for action in line.actions() {
            let Action::Transmit(segment) = action else { continue };
            let fate = self.fates.next().unwrap_or(255);
            let copies = match fate {
                0..40 => 0,
                40..60 => 2,
                60..=255 => 1,
            };
            for copy in 0..copies {
                self.count += 1;
                let late = if fate < 90 { u64::from(fate) * 3 } else { 0 };
                let at = self.now + Duration::from_millis(5 + late + copy);
                self.ahead.insert((at, self.count), (1 - from, segment.clone()));
            }
        }
        self.lines[from].push(line);
    }

    pub(crate) fn event(&mut self, end: usize, event: Event) {
        let line = self.ends[end].handle(event, self.now);
        self.note(end, line);
    }

    pub(crate) fn exchange(&mut self, end: usize, controller: Algorithm) {
        let (_, line) = self.ends[end].replace_controller(controller, self.now);
        self.note(end, line);
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..2000 {
            let arrival = self.ahead.first_key_value().map(|(key, _)| key.0);
            let due = |end: usize| self.connection(end).next_deadline().map(|(_, at)| (at, end));
            let timer = due(0).into_iter().chain(due(1)).min();
            let Some(at) = arrival.into_iter().chain(timer.map(|(at, _)| at)).min().filter(|at| *at <= until) else {
                break;
            };
            self.now = self.now.max(at);
            if arrival == Some(at) {
                let (_, (end, segment)) = self.ahead.pop_first().expect("something is under way");
                self.event(end, Event::Segment(segment));
            } else if let Some((_, end)) = timer {
                self.event(end, Event::Timer(Timer::Retransmit));
            }
        }
        self.now = until.max(self.now);
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Pass { millis } => self.pass(Duration::from_millis(u64::from(millis))),
            Act::Send { end, octets } => {
                let end = usize::from(end);
                let room = self.connection(end).send_room();
                self.event(end, Event::Send(Bytes::from(vec![b'x'; room.min(octets.into())])));
            }
            Act::Consume { end, octets } => self.event(end.into(), Event::Consume(octets.into())),
            Act::Close { end } => self.event(end.into(), Event::Close),
            Act::Abort { end } => self.event(end.into(), Event::Abort),
            Act::Mtu { end, mtu } => self.event(end.into(), Event::Mtu(mtu)),
            Act::Forge { end, seq, flags, len } => {
                let rcv_nxt = self.connection(end.into()).info().rcv_nxt;
                let payload = Bytes::from(vec![b'f'; len.into()]);
                let seq: SeqNum = rcv_nxt + u32::from(seq);
                self.event(end.into(), Event::Segment(Segment { seq, flags, payload, ..Segment::default() }));
            }
        }
        // what is under way arrives now and then, whatever else was drawn
        self.pass(Duration::from_millis([2, 5, 9, 14][self.count as usize % 4]));
    }

    /// All of the plan, with `each` after each act.
    pub(crate) fn play(plan: &Plan, mut each: impl FnMut(&Self)) -> Self {
        Self::play_with(plan, [Algorithm::default(), Algorithm::default()], |run| each(run))
    }

    /// The same from these controllers on, where `each` may do more.
    pub(crate) fn play_with(plan: &Plan, controllers: [Algorithm; 2], mut each: impl FnMut(&mut Self)) -> Self {
        let mut run = Self::new(plan, controllers);
        run.pass(Duration::from_millis(30));
        for act in &plan.acts {
            each(&mut run);
            run.act(*act);
        }
        for end in 0..2 {
            each(&mut run);
            if plan.closes {
                run.event(end, Event::Close);
                each(&mut run);
                run.pass(Duration::from_millis(30));
            }
        }
        each(&mut run);
        run
    }
}
