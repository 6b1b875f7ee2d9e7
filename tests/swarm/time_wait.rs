//! `TimeWait` answers as the connection would that it was made of: the same events at the same times give the same actions
//! and the same deadlines, whatever was agreed on, whatever arrives, whenever the host calls.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use bytes::Bytes;
use segue::{
    Action, Arc, Config, Connection, Ecn, Event, Flags, Instant, Knob, Options, Path, SackBlock, SackBlocks, Secrets,
    Segment, SeqNum, State, TimeWait, Timer, Timestamps,
};
use segue_kit::Rng;

use super::config::{self, Mixture};
use super::runner::run;

/// Sequence numbers around which arithmetic goes wrong, if it does.
const EDGES: [u32; 6] = [0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_F000];
const MS: u64 = 1000;
const S: u64 = 1_000_000;
const DAY: u64 = 24 * 3600 * S;

/// How often each kind of answer was compared.
type Seen = BTreeMap<String, u64>;

const KINDS: [&str; 19] = [
    "begun",
    "refused",
    "transmit",
    "duplicate reported",
    "window moved",
    "successor",
    "timer announced",
    "Closed(Finished)",
    "Closed(Reset)",
    "Discarded(AckOutOfRange)",
    "Discarded(AfterFin)",
    "Discarded(MissingTimestamp)",
    "Discarded(NoAck)",
    "Discarded(NoConnection)",
    "Discarded(Paws)",
    "Discarded(ResetChallenged)",
    "Discarded(ResetOutOfWindow)",
    "Discarded(SynChallenged)",
    "Discarded(TimeWait)",
];

/// One end.
struct End {
    tcp: Connection,
    config: Arc<Config>,
    /// The timestamp that it echoed last.
    echoed: u32,
}

/// Two ends in virtual time, their users, and the segments on their way to each.
struct Pair {
    rng: Rng,
    now: Instant,
    ends: [End; 2],
    wire: [VecDeque<Segment>; 2],
}

fn path(rng: &mut Rng) -> Path {
    let mut path = if rng.chance(500) {
        Path::ipv4(rng.pick(&[68, 576, 1500, 9000]))
    } else {
        Path::ipv6(rng.pick(&[1280, 1500]))
    };
    path.ip_options = rng.pick(&[0, 0, 0, 8, 40]);
    path
}

fn secrets(rng: &mut Rng) -> Secrets {
    let mut number = || rng.pick(&EDGES).wrapping_add(rng.below(3)).wrapping_sub(rng.below(9000));
    Secrets { iss: SeqNum::new(number()), ts_offset: number() }
}

impl Pair {
    fn new(mut rng: Rng) -> Self {
        let density = rng.pick(&[0, 100, 500, 800]);
        let mixture = Mixture::draw(&mut rng, density);
        let now = Instant::from_micros(rng.pick(&[0, 1, 7 * S, 30 * DAY, 1 << 61]));
        let configs = [(); 2].map(|()| Arc::new(config::config(&mut rng, &mixture, &[])));
        let (here, there) = (path(&mut rng), path(&mut rng));
        let end = |tcp, config| End { tcp, config, echoed: 0 };
        let (client, actions) = Connection::connect(configs[0].clone(), here, secrets(&mut rng), now);
        let server = Connection::listen(configs[1].clone(), there, secrets(&mut rng));
        let [one, other] = configs;
        let mut pair = Self { rng, now, ends: [end(client, one), end(server, other)], wire: Default::default() };
        pair.take(0, actions);
        pair
    }

    /// The host of one end does as it is told; the network loses a little.
    fn take(&mut self, side: usize, actions: Vec<Action>) {
        for action in actions {
            if let Action::Transmit(segment) = action {
                self.ends[side].echoed = segment.options.timestamps().map_or(0, |ts| ts.echo);
                if !self.rng.chance(20) {
                    self.wire[1 - side].push_back(segment);
                }
            }
        }
    }

    fn does(&mut self, side: usize, event: Event) {
        let mut actions = Vec::new();
        if self.ends[side].tcp.handle(event, self.now, &mut actions).is_ok() {
            self.take(side, actions);
        }
    }

    /// One thing happens.
    fn step(&mut self, n: u32) {
        let side = self.rng.below(2) as usize;
        let size = self.rng.pick(&[1, 10, 700, 3000]);
        match self.rng.below(16) {
            0 if n < 60 => self.does(side, Event::Send(Bytes::from(vec![7; size]))),
            1 if n < 60 => self.does(side, Event::SendUrgent(Bytes::from_static(b"urgent"))),
            2 => self.does(side, Event::Consume(size)),
            3 if n > 20 => self.does(side, Event::Close),
            4 if n > 40 && self.rng.chance(100) => self.does(side, Event::Release),
            5 if self.rng.chance(100) => self.does(side, Event::Set(Knob::UserTimeout(None))),
            6 => {
                let delay = self.rng.pick(&[1, MS, 100 * MS]);
                self.now = Instant::from_micros(self.now.as_micros() + delay);
            }
            _ if self.wire[side].is_empty() => {
                let due = self.ends[side].tcp.next_deadline().filter(|(timer, _)| *timer != Timer::TimeWait);
                if let Some((timer, at)) = due.filter(|_| self.wire[1 - side].is_empty()) {
                    self.now = self.now.max(at);
                    self.does(side, Event::Timer(timer));
                }
            }
            _ => {
                if let Some(segment) = self.wire[side].pop_front() {
                    self.does(side, Event::Segment(segment));
                }
            }
        }
    }

    /// Until one end is in TIME-WAIT, if it comes to that, and a little longer.
    fn time_wait(&mut self) -> Option<usize> {
        let mut left = self.rng.below(20);
        for n in 0..600 {
            self.step(n);
            let waits = |side: &usize| self.ends[*side].tcp.state() == State::TimeWait;
            let found = [0, 1].into_iter().find(waits);
            if found.is_some() {
                if left == 0 {
                    return found;
                }
                left -= 1;
            }
        }
        None
    }
}

/// Mostly at, next to or a window away from what decides.
fn near(rng: &mut Rng, number: SeqNum, distances: &[u32]) -> SeqNum {
    let far = match rng.below(4) {
        0 => 0,
        1 => rng.pick(&[1 << 31, 1 << 30, 0xFFFF, rng.clone().next() as u32]),
        _ => rng.pick(distances),
    };
    let number = if rng.chance(500) { number + far } else { number - far };
    match rng.below(4) {
        0 => number + 1,
        1 => number - 1,
        _ => number,
    }
}

/// A segment that a peer, an old duplicate or a blind attacker might send.
fn segment(rng: &mut Rng, end: &End) -> Segment {
    let info = end.tcp.info();
    let (ack, fin) = (Flags::ACK, Flags::FIN);
    let flags = match rng.below(12) {
        0..=2 => fin | ack,
        3 | 4 => ack,
        5 => Flags::SYN,
        6 => Flags::SYN | ack,
        7 => Flags::RST,
        8 => Flags::RST | ack,
        9 => fin,
        10 => ack | Flags::PSH | Flags::URG | Flags::CWR,
        _ => Flags::from_bits_truncate(rng.next() as u16),
    };
    let text = rng.pick(&[0, 0, 0, 1, 10, 1000]);
    let len = text + u32::from(flags.contains(fin));
    let seq = if rng.chance(300) { info.rcv_nxt - len } else { near(rng, info.rcv_nxt, &[len, info.rcv_wnd]) };
    let told = if rng.chance(500) { info.snd_nxt } else { near(rng, info.snd_nxt, &[info.snd_wnd, 60_000]) };
    let clock = end.echoed.wrapping_add(rng.pick(&[0, 0, 1, 1000, u32::MAX, 1 << 31, (1 << 31) - 1]));
    let mut sack = SackBlocks::new();
    if rng.chance(100) {
        sack.push(SackBlock { left: told - 9, right: told });
    }
    let options = Options {
        timestamps: rng.chance(if end.echoed == 0 { 100 } else { 900 }).then_some(Timestamps { value: clock, echo: 9 }),
        user_timeout: rng.chance(100).then_some(500),
        sack,
        ..Options::default()
    };
    Segment {
        seq,
        ack: told,
        flags,
        window: rng.pick(&[0, 1, 1000, u16::MAX]),
        urgent: rng.pick(&[0, 1, 5000]),
        options: options.into(),
        ecn: rng.pick(&[Ecn::NotEct, Ecn::Ect0, Ecn::Ce]),
        payload: Bytes::from(vec![1; text as usize]),
        ..Segment::default()
    }
}

/// Another time: later by any of the spans that decide, at the deadline or next to it, or earlier.
fn time(rng: &mut Rng, now: Instant, end: &End) -> Instant {
    let (now, config) = (now.as_micros(), &end.config);
    let window = u64::try_from(config.challenge_window().as_micros()).expect("short");
    let deadline = end.tcp.next_deadline().map_or(now, |(_, at)| at.as_micros());
    let spans = [0, 0, 1, MS, S, 5 * S, window, 80 * 60 * S];
    let later = match rng.below(24) {
        0 => deadline,
        1 => now + rng.pick(&[24 * DAY, 60 * DAY]),
        2 => now.saturating_sub(rng.pick(&spans)),
        _ => now + rng.pick(&spans[..7]).min(deadline.saturating_sub(now) / 2),
    };
    Instant::from_micros(later + u64::from(rng.chance(200))).max(Instant::from_micros(u64::from(rng.chance(200))))
}

/// Both take the event; what each answered.
fn both(
    rng: &mut Rng,
    (end, value): (&mut End, &mut TimeWait),
    now: Instant,
    seen: &mut Seen,
) -> (String, [Vec<Action>; 2]) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let window = end.tcp.info().rcv_wnd;
    let told = match rng.below(10) {
        0 => {
            ours = end.tcp.handle_timer(Timer::Retransmit, now); // whatever the host takes it for
            theirs = value.handle_timer(Timer::TimeWait, now, &end.config);
            "timer".to_string()
        }
        1 => {
            let segments: Vec<_> = (0..rng.below(5)).map(|_| segment(rng, end)).collect();
            end.tcp.handle_segments(segments.clone(), now, &mut ours);
            let told = format!("{segments:?}");
            value.handle_segments(segments, now, &end.config, &mut theirs);
            told
        }
        _ => {
            let segment = segment(rng, end);
            let told = format!("{segment:?}");
            ours = end.tcp.handle_segment(segment.clone(), now);
            theirs = value.handle_segment(segment, now, &end.config);
            told
        }
    };
    for action in &ours {
        let kind = match action {
            Action::Transmit(segment) if !segment.options.sack().is_empty() => "duplicate reported".to_string(),
            Action::Transmit(_) => "transmit".to_string(),
            Action::Successor { .. } => "successor".to_string(),
            Action::SetTimer(..) => "timer announced".to_string(),
            other => format!("{other:?}"),
        };
        *seen.entry(kind).or_default() += 1;
    }
    if end.tcp.state() == State::TimeWait && end.tcp.info().rcv_wnd != window {
        *seen.entry("window moved".to_string()).or_default() += 1;
    }
    for segment in ours.iter().filter_map(|a| if let Action::Transmit(segment) = a { Some(segment) } else { None }) {
        end.echoed = segment.options.timestamps().map_or(end.echoed, |ts| ts.echo);
    }
    (told, [ours, theirs])
}

fn case(seed: u64, seen: &mut Seen) -> Result<(), (String, String)> {
    let mut pair = Pair::new(Rng::new(seed));
    let Some(side) = pair.time_wait() else { return Ok(()) };
    let Pair { mut rng, mut now, ends, .. } = pair;
    let mut end = ends.into_iter().nth(side).expect("one of two");
    if rng.chance(900) {
        let event = if rng.chance(100) { Event::Release } else { Event::Consume(usize::MAX) };
        end.tcp.handle(event, now, &mut |action| panic!("{action:?}")).expect("never fails");
    }
    let mut value = match end.tcp.clone().time_wait() {
        Ok(value) => value,
        Err(same) if same == end.tcp && same.info().unconsumed > 0 => {
            *seen.entry("refused".to_string()).or_default() += 1;
            return Ok(());
        }
        Err(_) => return Err(("refused without a reason".to_string(), format!("seed {seed}"))),
    };
    *seen.entry("begun".to_string()).or_default() += 1;
    let mut told = vec![format!("seed {seed}: {value:?}\n  {:?}{}", end.tcp.info(), config::show(&end.config))];
    let mut left = 60;
    while left > 0 {
        left = if end.tcp.state() == State::Closed { left.min(5) - 1 } else { left - 1 };
        now = time(&mut rng, now, &end);
        let (event, [ours, theirs]) = both(&mut rng, (&mut end, &mut value), now, seen);
        told.push(format!("{now} {event}\n  {ours:?}\n  {theirs:?}"));
        let again = end.tcp.clone().time_wait();
        let problem = if ours != theirs {
            "other actions"
        } else if end.tcp.next_deadline() != value.next_deadline() || end.tcp.state() != value.state() {
            "another deadline"
        } else if again.is_ok_and(|again| again != value) {
            "another value than one that is made now"
        } else {
            continue;
        };
        return Err((problem.to_string(), told.join("\n")));
    }
    Ok(())
}

#[test]
fn time_wait_as_a_value_answers_as_the_connection() {
    let seen = Mutex::new(Seen::new());
    run("time_wait_as_a_value_answers_as_the_connection", 3000, |seed| {
        let mut of_case = Seen::new();
        let result = case(seed, &mut of_case);
        let mut seen = seen.lock().expect("no panic");
        of_case.into_iter().for_each(|(kind, n)| *seen.entry(kind).or_default() += n);
        result
    });
    let seen = seen.into_inner().expect("no panic");
    let missing: Vec<_> = KINDS.iter().filter(|kind| !seen.contains_key(**kind)).collect();
    let enough = seen.get("begun").is_some_and(|n| *n > 1000); // else fewer were asked for
    assert!(missing.is_empty() || !enough, "never compared: {missing:?} of {seen:#?}");
}
