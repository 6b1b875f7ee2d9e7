//! One connection and a peer that means harm: slivers of text in any order, windows that open octet by octet, recede and close
//! by rounding, acknowledgments in slivers, duplicates with and without reports, bare rubbish, errors of the path. It knows the
//! numbers: what it cannot do, a blind one cannot either. Memory, work and repetition must keep to their bounds.

use std::fmt::Write;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use segue::{
    Action, Config, Flags, Info, Instant, IpVersion, Options, Path, SackBlock, Segment, SeqNum, State, Timestamps,
};

use super::{search, wild};
use crate::Rng;
use crate::net::{Host, Input, Opening, Plan, Repeats, Reply, Side, in_silence, text};
use crate::settings::{self, Mixture, magnitude};

/// Calls of one script, at the most.
const CALLS: u32 = 2500;

/// What the peer, the user or the path does. Numbers are relative to the connection's own at that time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Move {
    /// Segments of text: `len` octets each, the first at RCV.NXT + `offset`, each `stride` after the last, or before it.
    Text {
        offset: u32,
        len: u16,
        stride: u32,
        times: u16,
        down: bool,
    },
    /// Octets in a comb: every other one of a block behind all that is held, then those between, from left to right or back.
    Comb {
        teeth: u16,
        back: bool,
    },
    /// Acknowledgments, each of `octets` more, with this window, which grows each time.
    Ack {
        octets: u32,
        window: u16,
        grow: u16,
        times: u16,
    },
    /// Duplicate ACKs; with a block that reports `len` octets `offset` after SND.UNA, moving on by `len` each time.
    Duplicates {
        times: u16,
        block: Option<(u32, u16)>,
    },
    /// An ACK without text at these distances from the expected number.
    Bare {
        seq: i32,
        ack: i32,
        times: u16,
    },
    Fin {
        offset: u32,
    },
    Syn {
        ack: bool,
    },
    Reset {
        offset: i32,
    },
    /// The user writes and takes text.
    Send(u32),
    Consume(u32),
    Close,
    /// The path.
    Mtu(u16),
    TooBig(u16),
    Wait(Duration),
    /// The next timer is due.
    Timer,
}

/// A connection, its peer's SYN, and a script.
#[derive(Clone, Debug)]
pub struct Script {
    pub config: Config,
    pub path: Path,
    pub syn: Options,
    pub window: u16,
    pub irs: u32,
    /// The time between two segments of the peer.
    pub gap: Duration,
    /// The host calls no timer while segments arrive.
    pub busy: bool,
    pub moves: Vec<Move>,
}

const KINDS: u32 = 15;

/// The script of a number.
pub fn script(seed: u64) -> Script {
    let mut rng = Rng::new(seed ^ 0x0B57_11E5);
    let rng = &mut rng;
    let density = rng.pick(&[0, 100, 300, 500]);
    let mixture = Mixture::draw(rng, density);
    let mtu = rng.pick(&[1500, 1500, 576, 9000, 68, 65_535, 300]);
    let v4 = rng.chance(700);
    let path = Path { ip: if v4 { IpVersion::V4 } else { IpVersion::V6 }, mtu, ip_options: 0 };
    let mut config = settings::config(rng, &mixture, &[1460, 65_535, 3000]);
    if rng.chance(500) {
        // small buffers, so that a short script fills them
        let (receive, send) = (magnitude(rng, (1, 20_000), &[]) as u32, magnitude(rng, (1, 70_000), &[]) as u32);
        let small = config.to_builder().receive_buffer(receive).send_buffer(send).window_shift(None).build();
        config = small.unwrap_or(config);
    }
    let config = config.to_builder().drop_syn_fin(false).build().expect("as valid as before");
    let syn = Options {
        mss: rng.pick(&[Some(1460), Some(1460), None, Some(0), Some(64), Some(536), Some(u16::MAX)]),
        window_scale: if rng.chance(800) { Some(rng.below(15) as u8) } else { None },
        sack_permitted: rng.chance(700),
        timestamps: rng.chance(600).then_some(Timestamps { value: 1000, echo: 0 }),
        ..Options::default()
    };
    // half of the kinds of moves are absent; the user always writes, time always passes
    let kinds: Vec<u32> = (0..KINDS).filter(|kind| *kind >= 12 || rng.chance(500)).collect();
    let count = 5 + rng.below(60);
    let moves = (0..count).map(|_| one_move(rng, &kinds)).collect();
    let window = magnitude(rng, (0, 65_535), &[]) as u16;
    let gap = rng.pick_micros(&[0, 1, 50, 1000, 20_000]);
    Script {
        config,
        path,
        syn,
        window,
        irs: rng.pick(&[0, u32::MAX, 0x7FFF_FFFF, 5000]),
        gap,
        busy: rng.chance(200),
        moves,
    }
}

fn one_move(rng: &mut Rng, kinds: &[u32]) -> Move {
    let times = |rng: &mut Rng| magnitude(rng, (1, 1500), &[]) as u16;
    let signed = |rng: &mut Rng| {
        let size = magnitude(rng, (0, 100_000), &[]) as i32;
        if rng.chance(500) { -size } else { size }
    };
    let window = |rng: &mut Rng| magnitude(rng, (0, 65_535), &[1, 2]) as u16;
    match rng.pick(kinds) {
        0 | 1 => Move::Text {
            offset: magnitude(rng, (0, 40_000), &[]) as u32,
            len: magnitude(rng, (1, 3000), &[1, 2]) as u16,
            stride: magnitude(rng, (1, 4000), &[2, 3]) as u32,
            times: times(rng),
            down: rng.chance(500),
        },
        2 | 3 => Move::Comb { teeth: times(rng), back: rng.chance(500) },
        4 => Move::Ack { octets: 0, window: window(rng), grow: rng.pick(&[0, 1, 2, 100]), times: times(rng) },
        5 => {
            let octets = magnitude(rng, (0, 5000), &[1, 1448]) as u32;
            Move::Ack { octets, window: window(rng), grow: rng.pick(&[0, 0, 1]), times: times(rng) }
        }
        6 => {
            let block = (magnitude(rng, (1, 60_000), &[]) as u32, magnitude(rng, (1, 3000), &[1]) as u16);
            Move::Duplicates { times: times(rng), block: rng.chance(500).then_some(block) }
        }
        7 => Move::Bare { seq: signed(rng), ack: signed(rng), times: times(rng) },
        8 => Move::TooBig(magnitude(rng, (0, 65_535), &[68, 1280]) as u16),
        9 => Move::Mtu(magnitude(rng, (0, 65_535), &[68, 1280, 1500]) as u16),
        10 => match rng.below(12) {
            0 => Move::Fin { offset: magnitude(rng, (0, 5000), &[]) as u32 },
            1 => Move::Reset { offset: signed(rng) },
            2 => Move::Close,
            _ => Move::Syn { ack: rng.chance(500) },
        },
        11 => Move::Text { offset: 0, len: magnitude(rng, (1, 3000), &[]) as u16, stride: 1, times: 1, down: false },
        12 => Move::Send(magnitude(rng, (1, 300_000), &[1, 1460]) as u32),
        13 => Move::Consume(magnitude(rng, (1, 100_000), &[]) as u32),
        _ if rng.chance(500) => Move::Timer,
        _ => Move::Wait(wild::time(rng, 1, 100_000_000)),
    }
}

/// A connection under attack.
struct Attacked {
    host: Host,
    plan: Plan,
    now: Instant,
    irs: SeqNum,
    syn: Options,
    gap: Duration,
    busy: bool,
    repeats: Repeats,
    /// What the connection said last.
    said: Option<Timestamps>,
    delivered: u64,
    written: u64,
    unread: usize,
    calls: u32,
    log: Vec<String>,
    comb: SeqNum,
}

impl Attacked {
    fn new(script: &Script) -> Self {
        let mut plan = Plan { opening: Opening::Accept, strict: true, ..Plan::default() };
        plan.ends[1].config = script.config;
        plan.ends[1].path = script.path;
        plan.ends[1].iss = 0x7FFF_FF00;
        let irs = SeqNum::new(script.irs);
        let mut attacked = Self {
            host: Host::new(Side::Server, &plan, false),
            plan,
            now: Instant::from_millis(1000),
            irs,
            syn: script.syn,
            gap: script.gap,
            busy: script.busy,
            repeats: Repeats::default(),
            said: None,
            delivered: 0,
            written: 0,
            unread: 0,
            calls: 0,
            log: Vec::new(),
            comb: irs,
        };
        let syn = Segment {
            seq: irs,
            flags: Flags::SYN,
            window: script.window,
            options: script.syn.into(),
            ..Segment::default()
        };
        let reply = attacked.host.accept(syn, attacked.now);
        attacked.take(None, reply);
        let (seq, ack) = (irs + 1, attacked.info().snd_nxt);
        attacked.arrives(Segment { seq, ack, window: script.window, ..Segment::default() });
        attacked
    }

    fn info(&self) -> Info {
        self.host.connection.as_ref().expect("it was accepted").info()
    }

    fn done(&self) -> bool {
        self.calls >= CALLS || self.host.state() == State::Closed
    }

    fn call(&mut self, input: Input) {
        if self.done() {
            return;
        }
        self.calls += 1;
        self.log.push(format!("{} {}", self.now, shown(&input)));
        let before = self.info();
        let bare = matches!(&input, Input::Segment(s) if s.is_empty() && s.options.sack().is_empty());
        let reply = self.host.call(input, self.now);
        self.take(Some((before, bare)), reply);
    }

    fn take(&mut self, before: Option<(Info, bool)>, reply: Reply) {
        let after = self.info();
        for action in &reply.actions {
            match action {
                Action::Deliver(octets) => {
                    assert!(
                        crate::net::is_text(Side::Client, self.delivered, octets),
                        "octets {}.. delivered are not those that were sent",
                        self.delivered
                    );
                    self.delivered += octets.len() as u64;
                    self.unread += octets.len();
                }
                Action::Transmit(segment) => {
                    self.said = segment.options.timestamps().or(self.said);
                    let again = before.as_ref().is_some_and(|(before, _)| segment.seq.before(before.snd_nxt));
                    if again && !segment.payload.is_empty() {
                        self.repeats.again(&self.plan, Side::Server, &after, segment, self.now);
                    }
                }
                _ => {}
            }
        }
        // RFC 6675 §2: with SACK a duplicate ACK reports something new
        let Some((before, true)) = before else { return };
        let config = &self.host.end.config;
        let sack = self.syn.sack_permitted && config.sack() && !config.rack();
        let recovered = after.counters.fast_retransmits > before.counters.fast_retransmits;
        let timer = after.counters.timeouts > before.counters.timeouts;
        let stale = before.snd_una == after.snd_una;
        assert!(!(sack && recovered && stale && !timer), "bare ACKs without a report started a fast retransmit");
    }

    /// A segment of the peer: its ACK flag, timestamps as they must be.
    fn arrives(&mut self, segment: Segment) {
        self.pass(if self.busy { Duration::ZERO } else { self.gap });
        self.now += if self.busy { self.gap } else { Duration::ZERO };
        let value = 1000 + (self.now.as_micros() / 1000) as u32;
        let agreed = self.syn.timestamps.is_some() && self.host.end.config.timestamps();
        let echo = self.said.map_or(0, |said| said.value);
        let timestamps = agreed.then_some(Timestamps { value, echo });
        let flags = segment.flags | if segment.flags == Flags::SYN { Flags::empty() } else { Flags::ACK };
        let options = Options { timestamps, ..segment.options.get() };
        self.call(Input::Segment(Segment { flags, options: options.into(), ..segment }));
    }

    fn text(&mut self, seq: SeqNum, len: usize) {
        let info = self.info();
        let position = seq - (self.irs + 1);
        let payload = text(Side::Client, u64::from(position), len);
        let window = 65_535;
        self.arrives(Segment { seq, ack: info.snd_nxt, window, payload, ..Segment::default() });
    }

    fn bare(&mut self, ack: SeqNum, window: u16, block: Option<SackBlock>) {
        let mut options = Options::default();
        if let Some(block) = block {
            options.sack.push(block);
        }
        self.arrives(Segment { seq: self.info().rcv_nxt, ack, window, options: options.into(), ..Segment::default() });
    }

    fn perform(&mut self, a_move: Move) {
        match a_move {
            Move::Text { offset, len, stride, times, down } => {
                let first = self.info().rcv_nxt + offset;
                for i in 0..u32::from(times) {
                    let i = if down { u32::from(times) - 1 - i } else { i };
                    self.text(first + i.wrapping_mul(stride), usize::from(len));
                }
            }
            Move::Comb { teeth, back } => {
                let first = self.comb.max(self.info().rcv_nxt + 1);
                let teeth = u32::from(teeth);
                for i in 0..teeth {
                    self.text(first + 2 * i + 1, 1);
                }
                for i in 0..teeth {
                    let i = if back { teeth - 1 - i } else { i };
                    self.text(first + 2 * i, 1);
                }
                self.comb = first + 2 * teeth;
            }
            Move::Ack { octets, window, grow, times } => {
                for i in 0..times {
                    let info = self.info();
                    let ack = (info.snd_una + octets).min(info.snd_nxt);
                    self.bare(ack, window.saturating_add(grow.saturating_mul(i)), None);
                }
            }
            Move::Duplicates { times, block } => {
                let window = (self.info().snd_wnd >> self.shift()).min(65_535) as u16;
                for i in 0..u32::from(times) {
                    let una = self.info().snd_una;
                    let block = block.map(|(offset, len)| {
                        let left = una + offset + i * u32::from(len);
                        SackBlock { left, right: left + u32::from(len) }
                    });
                    self.bare(una, window, block.filter(|_| self.syn.sack_permitted));
                }
            }
            Move::Bare { seq, ack, times } => {
                for _ in 0..times {
                    let info = self.info();
                    let by = |base: SeqNum, by: i32| {
                        if by < 0 { base - by.unsigned_abs() } else { base + by.unsigned_abs() }
                    };
                    let (seq, ack) = (by(info.rcv_nxt, seq), by(info.snd_nxt, ack));
                    self.arrives(Segment { seq, ack, window: 1000, ..Segment::default() });
                }
            }
            Move::Fin { offset } => {
                let info = self.info();
                let (seq, ack) = (info.rcv_nxt + offset, info.snd_una);
                self.arrives(Segment { seq, ack, flags: Flags::FIN, window: 1000, ..Segment::default() });
            }
            Move::Syn { ack } => {
                let flags = if ack { Flags::SYN | Flags::ACK } else { Flags::SYN };
                let (seq, ack) = (self.irs, self.info().snd_una);
                self.arrives(Segment { seq, ack, flags, window: 1000, options: self.syn.into(), ..Segment::default() });
            }
            Move::Reset { offset } => {
                let seq = self.info().rcv_nxt + offset.unsigned_abs();
                self.arrives(Segment { seq, flags: Flags::RST, ..Segment::default() });
            }
            Move::Send(octets) => {
                let info = self.info();
                let room = self.host.connection.as_ref().map_or(0, |connection| connection.send_room());
                if !matches!(info.state, State::Established | State::CloseWait) || room == 0 {
                    return;
                }
                let octets = text(Side::Server, self.written, (octets as usize).min(room));
                self.written += octets.len() as u64;
                self.call(Input::Send(octets));
            }
            Move::Consume(octets) => {
                let octets = self.unread.min(octets as usize);
                self.unread -= octets;
                self.call(Input::Consume(octets));
            }
            Move::Close => {
                if matches!(self.info().state, State::Established | State::CloseWait) {
                    self.call(Input::Close);
                }
            }
            Move::Mtu(mtu) => self.call(Input::Mtu(mtu)),
            Move::TooBig(mtu) => {
                let quoted_seq = self.info().snd_una;
                self.call(Input::TooBig { quoted_seq, mtu });
            }
            Move::Wait(time) => self.pass(time),
            Move::Timer => {
                if let Some((timer, at)) = self.due() {
                    self.now = self.now.max(at);
                    self.call(Input::Timer(timer));
                }
            }
        }
    }

    /// Time passes, and timers run.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some((timer, at)) = self.due().filter(|(_, at)| *at <= until) {
            self.now = self.now.max(at);
            self.call(Input::Timer(timer));
        }
        self.now = until;
    }

    fn due(&self) -> Option<(segue::Timer, Instant)> {
        self.host.connection.as_ref().filter(|_| !self.done()).and_then(|connection| connection.next_deadline())
    }

    fn shift(&self) -> u8 {
        let both = self.syn.window_scale.filter(|_| self.host.end.config.window_scaling());
        both.unwrap_or(0).min(14)
    }
}

fn shown(input: &Input) -> String {
    match input {
        Input::Segment(segment) => format!("{segment}"),
        Input::Send(octets) => format!("send {}", octets.len()),
        other => format!("{other:?}"),
    }
}

/// Plays a script, in silence; the problem, and what was done before it.
///
/// # Errors
///
/// The law that was broken, and the last events.
pub fn play(script: &Script) -> Result<(), (String, Vec<String>)> {
    in_silence(|| play_aloud(script))
}

fn play_aloud(script: &Script) -> Result<(), (String, Vec<String>)> {
    let mut log = Vec::new();
    let played = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut attacked = Attacked::new(script);
        for a_move in &script.moves {
            if attacked.done() {
                break;
            }
            let played = panic::catch_unwind(AssertUnwindSafe(|| attacked.perform(*a_move)));
            if let Err(panic) = played {
                log = std::mem::take(&mut attacked.log);
                panic::resume_unwind(panic);
            }
        }
    }));
    played.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        (text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default(), log)
    })
}

/// Simpler scripts, the simplest first.
pub fn simpler(script: &Script) -> Vec<Script> {
    let mut simpler = Vec::new();
    let count = script.moves.len();
    let mut size = count;
    while size > 0 {
        for at in (0..count).step_by(size) {
            let mut fewer = script.clone();
            drop(fewer.moves.drain(at..count.min(at + size)));
            simpler.push(fewer);
        }
        size /= 2;
    }
    simpler.push(Script { config: Config::default(), ..script.clone() });
    for name in settings::NAMES {
        let (now, plain) = (settings::show_one(&script.config, name), settings::show_one(&Config::default(), name));
        if now != plain
            && let Ok(config) = settings::copy_one(script.config.to_builder(), name, &Config::default()).build()
        {
            simpler.push(Script { config, ..script.clone() });
        }
    }
    simpler.push(Script { path: Path::ipv4(1500), ..script.clone() });
    simpler.retain(|case| format!("{case:?}") != format!("{script:?}"));
    simpler
}

/// A script that broke a law, for a person.
pub fn report(seed: u64, problem: &str, script: &Script, log: &[String]) -> String {
    let mut report = format!("seed {seed}: {problem}\n");
    writeln!(report, "Config::builder(){}", settings::show(&script.config)).expect("a String takes all");
    let Script { path, syn, window, irs, gap, busy, .. } = script;
    writeln!(report, "{path:?}, {syn:?}, window {window}, irs {irs}, gap {gap:?}, busy {busy}")
        .expect("a String takes all");
    for a_move in &script.moves {
        writeln!(report, "  {a_move:?}").expect("a String takes all");
    }
    for line in &log[log.len().saturating_sub(20)..] {
        writeln!(report, "    {line}").expect("a String takes all");
    }
    report
}

/// The number's script; if a law is broken, the law, and the report on the smallest script that breaks it.
///
/// # Errors
///
/// The law that was broken, and the report.
pub fn judge(seed: u64, budget: Duration) -> Result<(), (String, String)> {
    let first = script(seed);
    let judge = |script: &Script| play(script).map_err(|(problem, _)| problem);
    let Err(problem) = judge(&first) else { return Ok(()) };
    let (problem, smallest) = search::shrink((problem, first), budget, simpler, judge);
    let log = play(&smallest).err().map(|(_, log)| log).unwrap_or_default();
    Err((problem.clone(), report(seed, &problem, &smallest, &log)))
}
