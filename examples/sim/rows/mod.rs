//! The matrix: every path, its measurements, and its targets.

mod l4s;
mod paths;
mod queues;
mod themes;

use segue::congestion::{Bbr, Cubic, Prague, Reno};
use segue::{Algorithm, Config, ConfigBuilder};

use super::dualpi2::Aqm;
use super::ideal::{self, Ideal};
use super::link::{Nanos, SECOND, Settings};
use super::loss::Loss;
use super::user::{Ending, Intake, Reader};

/// A path and what goes wrong on it. Both directions have the same rate, delay and queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// Bits per second.
    pub rate: u64,
    pub round_trip: Nanos,
    pub mtu: u16,
    /// Bandwidth-delay products that the queue holds.
    pub depth: u64,
    /// In the direction of the text.
    pub loss: Loss,
    pub hold: Option<(u32, Nanos)>,
    pub mark_after: Option<Nanos>,
    pub aqm: Option<Aqm>,
    /// The round trip of the second flow is so much longer.
    pub farther: Nanos,
    /// In the direction of the acknowledgments: millionths lost, and the period of bunches.
    pub ack_loss: u32,
    pub ack_bunch: Option<Nanos>,
}

/// The largest buffer that a window can announce (RFC 7323 §2.3).
const LARGEST: u64 = (1 << 30) - 1;

impl Path {
    /// A path without faults: Mbit/s, round trip in milliseconds.
    pub const fn new(mbits: u64, round_trip: u64) -> Self {
        Self::micros(mbits, round_trip * 1000)
    }

    /// A path without faults: Mbit/s, round trip in microseconds.
    const fn micros(mbits: u64, round_trip: u64) -> Self {
        Self {
            rate: mbits * 1_000_000,
            round_trip: round_trip * 1000,
            mtu: 1500,
            depth: 1,
            loss: Loss::None,
            hold: None,
            mark_after: None,
            aqm: None,
            farther: 0,
            ack_loss: 0,
            ack_bunch: None,
        }
    }

    fn losing(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    fn with_mtu(self, mtu: u16) -> Self {
        Self { mtu, ..self }
    }

    fn with_depth(self, depth: u64) -> Self {
        Self { depth, ..self }
    }

    /// Octets of a bandwidth-delay product.
    pub fn product(&self) -> u64 {
        u64::try_from(u128::from(self.rate) * u128::from(self.round_trip) / (8 * u128::from(SECOND))).expect("octets")
    }

    /// `depth` products, at least 32 packets of 1500 octets and 4 of the largest.
    fn queue(&self) -> u64 {
        (self.product() * self.depth).max(32 * 1500).max(4 * u64::from(self.mtu))
    }

    /// The buffers of the ends: 2.5 products for each that the queue holds, at least 1 MiB and at most what a window can
    /// announce. A sender can fill the path and the queue.
    pub fn buffer(&self) -> u32 {
        u32::try_from((self.product() * self.depth * 5 / 2).clamp(1 << 20, LARGEST)).expect("a buffer")
    }

    fn settings(&self) -> Settings {
        Settings {
            rate: self.rate,
            delay: self.round_trip / 2,
            queue: self.queue(),
            mark_after: None,
            aqm: None,
            farther: 0,
            loss: Loss::None,
            hold: None,
            bunch: None,
        }
    }

    pub fn forward(&self) -> Settings {
        let (loss, farther) = (self.loss.clone(), self.farther);
        Settings { loss, farther, hold: self.hold, mark_after: self.mark_after, aqm: self.aqm, ..self.settings() }
    }

    pub fn backward(&self) -> Settings {
        let loss = if self.ack_loss == 0 { Loss::None } else { Loss::Random(self.ack_loss) };
        Settings { loss, bunch: self.ack_bunch, ..self.settings() }
    }
}

/// Who sends the second of two flows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Second {
    /// The same sender as of the first.
    Same,
    /// segue with CUBIC, unpaced.
    Cubic,
    /// The same, which is not ECN-capable.
    CubicNotEct,
    /// The NewReno that shares no code with segue.
    Stranger,
}

/// The data to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Load {
    /// As much as goes, from `connect` for so long.
    Greedy(Nanos),
    /// The same in both directions at once.
    BothWays(Nanos),
    /// `count` flows of `octets` octets, one after the other on an idle path.
    Flows { count: u32, octets: u64, ending: Ending },
    /// Requests and responses in turns on one connection, with a pause after each.
    Turns { request: u64, response: u64, pause: Nanos, count: u32 },
    /// `octets` octets at a time, `count` times, one in each `every`, and then `bulk`: the figure is the time of the
    /// bulk.
    Trickle { octets: u64, every: Nanos, count: u32, bulk: u64 },
    /// Two greedy flows for so long, the second started within the first second. The figure is the share of one of them.
    Pair { duration: Nanos, second: Second },
}

/// What a figure must be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Want {
    /// It is only shown; more is better.
    More,
    /// It is only shown; less is better.
    Less,
    AtLeast(f64),
    AtMost(f64),
    Between(f64, f64),
}

/// How a figure is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A share of one, with four places.
    Share,
    /// A share of one, written in percent.
    Percent,
    Milliseconds,
    Count,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Figure {
    pub name: &'static str,
    pub unit: Unit,
    pub want: Want,
}

const fn figure(name: &'static str, unit: Unit, want: Want) -> Figure {
    Figure { name, unit, want }
}

/// The figure by which a row is compared with the ideal.
pub const GOODPUT: &str = "goodput";
pub const GOODPUT_OF_BOTH: &str = "goodput of both";
pub const MEDIAN: &str = "median";
pub const COMPLETION: &str = "completion";
pub const EXCHANGE: &str = "exchange";
/// Pure ACKs of the accepting end, for each segment of text that the other sent.
pub const ACKS: &str = "ACKs";
/// Octets of text sent again, of all that were sent.
pub const REPEATED: &str = "repeated";
/// Of what two flows deliver, the part of the first.
pub const SHARE: &str = "share";
/// Of what two flows deliver, the part of the second, which is CUBIC.
pub const SHARE_OF_CUBIC: &str = "share of CUBIC";
/// What waits at the bottleneck, in bandwidth-delay products: the median over time, once the flow is settled.
pub const QUEUE: &str = "queue";

/// How long a packet of the L queue waited, at the bottleneck with two queues: 99 % of them no longer.
pub const L_WAIT: &str = "L queue, 99 %";
/// The same of half of the packets of the C queue.
pub const C_WAIT: &str = "C queue, median";

/// The congestion control of a sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, PartialOrd, Ord)]
pub enum Control {
    #[default]
    Cubic,
    Reno,
    Bbr,
    Prague,
}

/// Who sends: every row runs with each of [`Sender::ALL`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, PartialOrd, Ord)]
pub struct Sender {
    pub control: Control,
    /// BBR always is.
    pub paced: bool,
    /// Without timestamps.
    pub bare: bool,
}

impl Sender {
    pub const BBR: Self = Self { control: Control::Bbr, paced: true, bare: false };
    /// It always is paced, too.
    pub const PRAGUE: Self = Self { control: Control::Prague, ..Self::BBR };

    /// Unpaced and paced side by side, and BBR after them.
    pub const ALL: [Self; 9] = {
        let mut all = [Self::BBR; 9];
        let mut n = 0;
        while n < 8 {
            let control = if n >= 4 { Control::Reno } else { Control::Cubic };
            all[n] = Self { control, bare: n % 4 >= 2, paced: n % 2 == 1 };
            n += 1;
        }
        all
    };

    /// Those of which anything is recorded.
    pub fn recorded() -> Vec<Self> {
        Self::ALL.into_iter().chain([Self::PRAGUE]).collect()
    }

    /// Every sender that has a name. Of those after [`ALL`](Self::ALL) only Prague is recorded, with the rows of L4S.
    pub fn named() -> impl Iterator<Item = Self> {
        let bare = |sender| Self { bare: true, ..sender };
        Self::ALL.into_iter().chain([Self::PRAGUE, bare(Self::BBR), bare(Self::PRAGUE)])
    }

    pub fn name(self) -> String {
        let part = |on, name| if on { name } else { "" };
        let (base, paced) = match self.control {
            Control::Cubic => ("cubic", part(self.paced, "-paced")),
            Control::Reno => ("reno", part(self.paced, "-paced")),
            Control::Bbr => ("bbr", ""),
            Control::Prague => ("prague", ""),
        };
        format!("{base}{paced}{}", part(self.bare, "-bare"))
    }

    pub fn algorithm(self) -> Algorithm {
        match self.control {
            Control::Cubic => Algorithm::Cubic(Cubic::default()),
            Control::Reno => Algorithm::Reno(Reno::default()),
            Control::Bbr => Algorithm::Bbr(Bbr::default()),
            Control::Prague => Algorithm::Prague(Prague::default()),
        }
    }

    fn tune(self, config: ConfigBuilder) -> ConfigBuilder {
        let config = if self.paced { config.pacing(true) } else { config };
        if self.bare { config.timestamps(false) } else { config }
    }
}

/// Rows that belong together: a table of the document.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Theme {
    Paths,
    /// Beside CUBIC, and what stands in a deep queue: with CUBIC and BBR only.
    Queues,
    Rates,
    Segments,
    Windows,
    Readers,
    Acknowledgments,
    Turns,
    Peers,
    Switches,
    /// A bottleneck with two queues: with Prague only.
    L4s,
}

impl Theme {
    /// Those with a table of all senders.
    pub const ALL: [Self; 10] = [
        Self::Paths,
        Self::Queues,
        Self::Rates,
        Self::Segments,
        Self::Windows,
        Self::Readers,
        Self::Acknowledgments,
        Self::Turns,
        Self::Peers,
        Self::Switches,
    ];
}

/// What an end has that differs from the default, the algorithm excepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ways {
    pub config: ConfigBuilder,
    pub reader: Reader,
    pub intake: Intake,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub label: String,
    pub theme: Theme,
    pub path: Path,
    pub load: Load,
    pub sender: Sender,
    /// The end that connects, and the one that accepts.
    pub ends: [Ways; 2],
    /// With what is wanted of the sender.
    pub figures: Vec<Figure>,
    /// What is wanted of BBR, by the names of the figures. Those without a name here are only shown.
    pub bbr: Vec<(&'static str, Want)>,
}

impl Row {
    /// A row with the default `Config` but for the buffers.
    fn new(theme: Theme, name: &str, label: &str, path: Path, load: Load, figures: Vec<Figure>) -> Self {
        let config = Config::builder().receive_buffer(path.buffer()).send_buffer(path.buffer());
        let ways = Ways { config, reader: Reader::AtOnce, intake: Intake::AtOnce };
        let (name, label) = (name.to_string(), label.to_string());
        Self { name, label, theme, path, load, sender: Sender::default(), ends: [ways; 2], figures, bbr: Vec::new() }
    }

    /// The row with what is wanted of BBR.
    fn bbr(self, wants: &[(&'static str, Want)]) -> Self {
        Self { bbr: wants.into(), ..self }
    }

    /// Changes the settings of both ends.
    fn both(mut self, tune: impl Fn(ConfigBuilder) -> ConfigBuilder) -> Self {
        self.ends.iter_mut().for_each(|end| end.config = tune(end.config));
        self
    }

    /// Changes the settings of the end that accepts.
    fn peer(mut self, tune: impl Fn(ConfigBuilder) -> ConfigBuilder) -> Self {
        self.ends[1].config = tune(self.ends[1].config);
        self
    }

    /// The row with another sender: the targets of the default one are only shown, and BBR has its own.
    pub fn by(&self, sender: Sender) -> Self {
        let mut row = Self { sender, ..self.clone() }.both(|config| sender.tune(config));
        if sender == Sender::default() || (row.theme == Theme::L4s && sender == Sender::PRAGUE) {
            return row; // what is wanted of L4S is wanted of Prague
        }
        for figure in &mut row.figures {
            let own = self.bbr.iter().find(|(name, _)| sender == Sender::BBR && *name == figure.name);
            figure.want = match (own, figure.want) {
                (Some((_, want)), _) => *want,
                (None, Want::AtLeast(_) | Want::More) => Want::More,
                (None, Want::AtMost(_) | Want::Less) => Want::Less,
                (None, Want::Between(..)) => figure.want,
            };
        }
        row
    }

    /// Whether the figure is one of the row's.
    pub fn has(&self, name: &str) -> bool {
        self.figures.iter().any(|figure| figure.name == name)
    }

    /// The name under which it is recorded.
    pub fn id(&self) -> String {
        if self.sender == Sender::default() {
            self.name.clone()
        } else {
            format!("{}@{}", self.name, self.sender.name())
        }
    }

    /// The label, and who sends if it is another than the default.
    pub fn title(&self) -> String {
        let other = self.sender != Sender::default();
        if other { format!("{}, {}", self.label, self.sender.name()) } else { self.label.clone() }
    }

    /// Whether a seed decides anything.
    pub fn is_random(&self) -> bool {
        let path = &self.path;
        let lossy = matches!(path.loss, Loss::Random(_) | Loss::Bursts { .. }) || path.ack_loss > 0;
        lossy || path.hold.is_some() || matches!(self.load, Load::Pair { .. })
    }

    /// What an ideal sender would reach here.
    fn ideal(&self) -> Ideal {
        let [first, second] = &self.ends;
        let config = first.config.build().expect("the rows have valid settings");
        let peer = second.config.build().expect("the rows have valid settings");
        let stamps = config.timestamps() && peer.timestamps();
        let scales = config.window_scaling() && peer.window_scaling();
        let buffer = peer.receive_buffer();
        Ideal {
            rate: self.path.rate,
            round_trip: self.path.round_trip,
            header: if stamps { 52 } else { 40 },
            mss: u32::from(self.path.mtu - 40).min(u32::from(peer.max_mss())) - if stamps { 12 } else { 0 },
            initial: u32::from(config.initial_window()),
            window: if scales { buffer } else { buffer.min(65_535) },
            wait: second.intake.period().unwrap_or(0),
            read: match second.reader {
                Reader::AtOnce => 0,
                Reader::Every(period) => period,
            },
        }
    }

    /// The ideal of the figure that counts, and which one that is: more of it is better, or less.
    pub fn possible(&self) -> (&'static str, f64, bool) {
        let ideal = self.ideal();
        let share = |octets: f64, duration| octets * 8.0 / (self.path.rate as f64 * ideal::seconds(duration));
        let millis = |seconds: f64| seconds * 1000.0;
        match self.load {
            Load::Greedy(duration) => (GOODPUT, share(ideal.delivered(duration), duration), true),
            Load::BothWays(duration) => (GOODPUT_OF_BOTH, 2.0 * share(ideal.delivered(duration), duration), true),
            Load::Pair { duration, .. } => (GOODPUT_OF_BOTH, share(ideal.delivered(duration), duration), true),
            Load::Flows { octets, .. } if self.figures.len() == 4 => (MEDIAN, millis(ideal.completion(octets)), false),
            Load::Flows { octets, .. } => (COMPLETION, millis(ideal.completion(octets)), false),
            Load::Trickle { bulk, .. } => (COMPLETION, millis(ideal.transfer(bulk)), false),
            Load::Turns { request, response, .. } => (EXCHANGE, millis(ideal.exchange(request, response)), false),
        }
    }

    /// How a row's figures compare with the ideal: 1 is all of it.
    pub fn ratio(&self, value: impl Fn(&Figure) -> f64) -> f64 {
        let (name, possible, more) = self.possible();
        let figure = self.figures.iter().find(|figure| figure.name == name);
        let value = figure.map_or(f64::NAN, value);
        if more { value / possible } else { possible / value }
    }

    /// Packets of text in a run: what it costs.
    pub fn packets(&self) -> f64 {
        let ideal = self.ideal();
        let octets = match self.load {
            Load::Greedy(duration) | Load::Pair { duration, .. } => ideal.delivered(duration),
            Load::BothWays(duration) => 2.0 * ideal.delivered(duration),
            Load::Flows { count, octets, .. } => f64::from(count) * octets as f64,
            Load::Turns { request, response, count, .. } => f64::from(count) * (request + response) as f64,
            Load::Trickle { octets, count, bulk, .. } => f64::from(count) * octets as f64 + bulk as f64,
        };
        octets / f64::from(ideal.mss)
    }
}

/// All rows with the default sender, in the order of the tables.
pub fn all() -> Vec<Row> {
    let mut rows = paths::rows();
    rows.extend(queues::rows());
    rows.extend(l4s::rows());
    rows.extend(themes::rows());
    rows
}

/// These rows with these senders.
pub fn matrix(rows: &[Row], senders: &[Sender]) -> Vec<Row> {
    rows.iter().flat_map(|row| senders.iter().map(|sender| row.by(*sender))).collect()
}
