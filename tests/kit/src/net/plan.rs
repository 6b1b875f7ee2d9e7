//! What happens in one run, as a plain value: the users, the hosts, the links and every fault. Two runs of one plan are
//! equal; a plan can be generated, shrunk and printed.

use std::time::Duration;

use segue::{Config, ConfigBuilder, Instant, Knob, Path, Secrets, SeqNum};

use super::control::Control;
use crate::Rng;

/// One of the two ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Side {
    Client,
    Server,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    pub const fn index(self) -> usize {
        self as usize
    }

    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// What the network does to one segment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FaultKind {
    /// It is lost.
    Lose,
    /// It arrives, and once more this many microseconds later.
    Duplicate(u32),
    /// It arrives this many microseconds late: others overtake it.
    Hold(u32),
    /// This bit of it is flipped (modulo its length): the checksum must give it away.
    Corrupt(u16),
    /// It arrives with a congestion mark, if it is ECN-capable.
    Mark,
}

/// A fault: it befalls the segment that `from` sends as its `nth`, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fault {
    pub from: Side,
    pub nth: u32,
    pub kind: FaultKind,
}

/// How often each kind of fault occurs, in segments of a thousand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rates {
    pub lose: u32,
    pub duplicate: u32,
    pub hold: u32,
    pub corrupt: u32,
    /// Chance that a lost segment takes the next one with it.
    pub burst: u32,
}

impl Rates {
    /// The most losses in a row: more would be an outage, in which a TCP may rightly lose patience.
    const ROW: u32 = 6;

    /// The faults of the first `segments` segments of either direction. After them the network is free of faults.
    pub fn faults(self, rng: &mut Rng, segments: u32) -> Vec<Fault> {
        let mut faults = Vec::new();
        for from in Side::BOTH {
            let mut row = 0;
            for nth in 0..segments {
                let lose = rng.chance(if row > 0 { self.burst.max(self.lose) } else { self.lose }) && row < Self::ROW;
                row = if lose { row + 1 } else { 0 };
                let kind = if lose {
                    FaultKind::Lose
                } else if rng.chance(self.duplicate) {
                    FaultKind::Duplicate(rng.below(200_000))
                } else if rng.chance(self.hold) {
                    FaultKind::Hold(1 + rng.below(300_000))
                } else if rng.chance(self.corrupt) {
                    FaultKind::Corrupt(rng.below(12_000) as u16)
                } else {
                    continue;
                };
                faults.push(Fault { from, nth, kind });
            }
        }
        faults
    }
}

/// A time in which nothing gets through, either way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Outage {
    pub from: Duration,
    pub until: Duration,
}

impl Outage {
    /// Whether it lasts at this time of a run that began at `start` microseconds.
    pub fn covers(&self, start: u64, now: Instant) -> bool {
        let elapsed = now.saturating_since(Instant::from_micros(start));
        self.from <= elapsed && elapsed < self.until
    }
}

/// From this time on, a router on the way of `from` takes no packets larger than `mtu`: it drops them and says so, unless
/// it is silent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Narrow {
    pub from: Side,
    pub at: Duration,
    pub mtu: u16,
    pub silent: bool,
}

/// Which segments a [`Spell`] falls on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Which {
    /// All.
    All,
    /// Those with text or FIN.
    Text,
    /// Those without: acknowledgments and window updates.
    Bare,
}

/// What a [`Spell`] does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Magic {
    /// They are lost: an outage of one direction.
    Lose,
    /// They wait until it is over and arrive together: ACK compression.
    Hold,
    /// Each arrives twice, the second time when it is over.
    Double,
    /// Each is late by any time up to this, half of them arrive twice: reordering and duplicates without end.
    Shuffle(Duration),
}

/// A time in which something befalls all segments of one kind that `from` sends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Spell {
    pub from: Side,
    pub since: Duration,
    pub until: Duration,
    pub which: Which,
    pub magic: Magic,
}

/// A time in which a host does nothing at all: a suspended machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Sleep {
    pub since: Duration,
    pub until: Duration,
    /// What arrives meanwhile is lost; else it is handled afterwards, before the timers.
    pub deaf: bool,
}

/// What a host tells its connection at a certain time, of itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Order {
    /// The MTU of the path is another from now on.
    Mtu(u16),
    /// A setting changes.
    Set(Knob),
}

/// One direction of the network.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Link {
    pub delay: Duration,
    /// Octets that pass in a millisecond; 0: any number.
    pub rate: u32,
    /// Octets that wait for their turn on a link with a rate; what exceeds them is lost.
    pub queue: u32,
}

impl Default for Link {
    fn default() -> Self {
        Self { delay: Duration::from_millis(20), rate: 0, queue: 0 }
    }
}

/// How a connection begins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Opening {
    /// The server holds a value in LISTEN.
    Listen,
    /// The server's host makes a value when the SYN is there.
    Accept,
    /// Both send a SYN at once.
    Simultaneous,
    /// As `Accept`, with Fast Open: the first text goes with the SYN, and the server's host finds the cookie valid.
    FastOpen,
}

/// When a user closes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Closing {
    /// Right after the last SEND.
    WhenWritten,
    /// So long after the other side closed, all being written.
    AfterPeer(Duration),
    /// This long after this many octets came, all being written.
    AfterText(u64, Duration),
    /// At this time, all being written.
    At(Duration),
    /// ABORT at this time.
    Abort(Duration),
    /// The user leaves at this time, with the text written by then.
    Release(Duration),
    /// Never.
    Never,
}

/// How a user takes the text that is delivered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Reading {
    /// At once.
    Eager,
    /// At once, but for one long pause that begins when `at` octets have come: the window starves.
    Pause { at: u32, length: Duration },
    /// `octets` octets at regular intervals.
    Sips { octets: u32, every: Duration },
    /// Nothing until so long after the start, then at once.
    Late(Duration),
}

/// What drives a connection's timers and how carefully its host works.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Driver {
    /// Asks `next_deadline()` after every call.
    Deadlines,
    /// Knows only `SetTimer`.
    Announced,
    /// Knows only `SetTimer`, calls timers late by up to `late`, and keeps arriving segments for up to
    /// `batch` before it hands them over together.
    Sloppy { late: Duration, batch: Duration },
}

/// By which form of the calls the host speaks to the machine: they must not differ.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Form {
    /// `handle_segment`, `send`, …: each gives a `Vec<Action>`.
    Calls,
    /// `handle(event, now, sink)`.
    Events,
}

/// One end: its secrets, its settings, its user and its host.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct End {
    pub iss: u32,
    pub ts_offset: u32,
    pub path: Path,
    pub config: Config,
    #[cfg_attr(feature = "serde", serde(default))]
    pub control: Control,
    /// Octets that the user sends.
    pub octets: u64,
    /// The most octets of one SEND, and the time between two.
    pub chunk: u32,
    pub pause: Duration,
    /// When not empty: the user writes no more than what these add up to that are due, counted from the start.
    pub pieces: Vec<(Duration, u32)>,
    /// Every SEND is urgent.
    pub urgent: bool,
    /// The user writes only when this many octets have come.
    pub answers: u64,
    pub closing: Closing,
    pub reading: Reading,
    pub driver: Driver,
    /// Segments that are handed over together are merged where they can be (GRO).
    pub merges: bool,
    /// In this many of a thousand cases the host makes a needless call after an event: a timer that is not due,
    /// `Continue`, `consume(0)`.
    pub fidgets: u32,
    pub sleep: Option<Sleep>,
    pub orders: Vec<(Duration, Order)>,
    /// Octets of the buffer in which the host receives each segment; 0: as many as it takes.
    pub frame: u32,
    pub form: Form,
}

impl Default for End {
    fn default() -> Self {
        Self {
            iss: 0,
            ts_offset: 0,
            path: Path::ipv4(1500),
            config: Config::default(),
            control: Control::default(),
            octets: 0,
            chunk: 65_536,
            pause: Duration::ZERO,
            pieces: Vec::new(),
            urgent: false,
            answers: 0,
            closing: Closing::AfterPeer(Duration::ZERO),
            reading: Reading::Eager,
            driver: Driver::Deadlines,
            merges: false,
            fidgets: 0,
            sleep: None,
            orders: Vec::new(),
            frame: 0,
            form: Form::Calls,
        }
    }
}

impl End {
    pub const fn secrets(&self) -> Secrets {
        Secrets { iss: SeqNum::new(self.iss), ts_offset: self.ts_offset }
    }
}

/// A whole run.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Plan {
    /// Where the hosts' carelessness comes from (see [`Driver::Sloppy`]); the network's faults are listed below.
    pub seed: u64,
    /// The time at which the run begins, in microseconds.
    pub start: u64,
    pub opening: Opening,
    pub ends: [End; 2],
    /// The links, by the side that sends.
    pub links: [Link; 2],
    pub faults: Vec<Fault>,
    pub outage: Option<Outage>,
    pub narrow: Option<Narrow>,
    /// Another link that becomes narrow.
    pub also_narrow: Option<Narrow>,
    pub spells: Vec<Spell>,
    /// Judge the run by the laws that `laws` states, too.
    pub strict: bool,
    /// Encode and decode every segment on its way.
    pub encode: bool,
}

impl Default for Plan {
    /// The client connects and closes, the server follows; no text, no faults.
    fn default() -> Self {
        let client = End { iss: 1000, ts_offset: 1_000_000, closing: Closing::WhenWritten, ..End::default() };
        let server = End { iss: 5000, ts_offset: 3_000_000, ..End::default() };
        Self {
            seed: 0,
            start: 0,
            opening: Opening::Listen,
            ends: [client, server],
            links: [Link::default(); 2],
            faults: Vec::new(),
            outage: None,
            narrow: None,
            also_narrow: None,
            spells: Vec::new(),
            strict: false,
            encode: false,
        }
    }
}

impl Plan {
    /// The client sends `client` octets and closes; the server sends `server` octets and follows.
    pub fn exchange(client: u64, server: u64) -> Self {
        let mut plan = Self::default();
        plan.ends[0].octets = client;
        plan.ends[1].octets = server;
        plan
    }

    /// The same with faults at these rates in the first `segments` segments of either direction.
    pub fn with_faults(mut self, seed: u64, rates: Rates, segments: u32) -> Self {
        self.seed = seed;
        self.faults = rates.faults(&mut Rng::new(seed), segments);
        self
    }

    /// The same with another configuration at both ends.
    pub fn with_config(mut self, change: impl Fn(ConfigBuilder) -> ConfigBuilder) -> Self {
        for end in &mut self.ends {
            end.config = change(end.config.to_builder()).build().expect("a valid configuration");
        }
        self
    }

    /// The same with something else changed.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}
