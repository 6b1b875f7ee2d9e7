//! The matrix: every path, what is measured on it, and what must be reached.

use segue::{ConfigBuilder, EcnMode};

use super::link::{MILLISECOND, Nanos, SECOND, Settings};
use super::loss::Loss;

/// A path and what goes wrong on it. Both directions have the same rate, delay and queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Path {
    /// Bits per second.
    pub(crate) rate: u64,
    pub(crate) round_trip: Nanos,
    /// In the direction of the text.
    pub(crate) loss: Loss,
    pub(crate) hold: Option<(u32, Nanos)>,
    pub(crate) mark_after: Option<Nanos>,
    /// In the direction of the acknowledgments: millionths lost, and the period of bunches.
    pub(crate) ack_loss: u32,
    pub(crate) ack_bunch: Option<Nanos>,
}

impl Path {
    /// A path without faults: Mbit/s, round trip in milliseconds.
    pub(crate) const fn new(mbits: u64, round_trip: u64) -> Self {
        Self {
            rate: mbits * 1_000_000,
            round_trip: round_trip * MILLISECOND,
            loss: Loss::None,
            hold: None,
            mark_after: None,
            ack_loss: 0,
            ack_bunch: None,
        }
    }

    fn losing(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    /// Octets of a bandwidth-delay product.
    pub(crate) fn product(&self) -> u64 {
        u64::try_from(u128::from(self.rate) * u128::from(self.round_trip) / (8 * u128::from(SECOND))).expect("octets")
    }

    /// One product, at least 32 packets.
    fn queue(&self) -> u64 {
        self.product().max(32 * 1500)
    }

    /// The buffers of the ends: 2.5 products, at least 1 MiB.
    pub(crate) fn buffer(&self) -> u32 {
        u32::try_from((self.product() * 5 / 2).max(1 << 20)).expect("a buffer")
    }

    fn settings(&self) -> Settings {
        Settings {
            rate: self.rate,
            delay: self.round_trip / 2,
            queue: self.queue(),
            mark_after: None,
            loss: Loss::None,
            hold: None,
            bunch: None,
        }
    }

    pub(crate) fn forward(&self) -> Settings {
        Settings { loss: self.loss.clone(), hold: self.hold, mark_after: self.mark_after, ..self.settings() }
    }

    pub(crate) fn backward(&self) -> Settings {
        let loss = if self.ack_loss == 0 { Loss::None } else { Loss::Random(self.ack_loss) };
        Settings { loss, bunch: self.ack_bunch, ..self.settings() }
    }

    /// Whether a seed decides anything.
    pub(crate) fn is_random(&self) -> bool {
        matches!(self.loss, Loss::Random(_) | Loss::Bursts { .. }) || self.hold.is_some() || self.ack_loss > 0
    }
}

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Load {
    /// As much as goes, from `connect` for so long.
    Greedy(Nanos),
    /// So many flows of so many octets, one after the other on an idle path.
    Flows { count: u32, octets: u64, ending: Ending },
    /// Two greedy flows for so long, the second started within the first second. The figure is the share of the first,
    /// which is segue's; the second is segue's too, or a stranger's.
    Pair { duration: Nanos, stranger: bool },
}

/// What the user does after the last octet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    Close,
    /// Nothing: the connection stays open.
    Stay,
}

/// What a figure must be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Want {
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
pub(crate) enum Unit {
    /// A share of one, with three places.
    Share,
    /// A share of one, written in percent.
    Percent,
    Milliseconds,
    Count,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) want: Want,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) path: Path,
    pub(crate) load: Load,
    /// What differs from the default `Config`, the buffers excepted; the label says so.
    pub(crate) tune: fn(ConfigBuilder) -> ConfigBuilder,
    pub(crate) figures: Vec<Figure>,
}

const TEN_SECONDS: Nanos = 10 * SECOND;

/// Nothing differs.
const fn default(config: ConfigBuilder) -> ConfigBuilder {
    config
}

const fn figure(name: &'static str, unit: Unit, want: Want) -> Figure {
    Figure { name, unit, want }
}

/// A greedy flow: the share of the rate it gets, and what it repeats.
fn greedy(name: &'static str, label: &'static str, path: Path, goodput: Want, repeated: Want) -> Row {
    let figures = vec![figure("goodput", Unit::Share, goodput), figure("repeated", Unit::Percent, repeated)];
    Row { name, label, path, load: Load::Greedy(TEN_SECONDS), tune: default, figures }
}

const fn bursts(share: u32) -> Loss {
    Loss::Bursts { share, mean: 10 }
}

/// All rows, in the order of the table.
pub(crate) fn all() -> Vec<Row> {
    let mut rows = slow();
    rows.extend(fast());
    rows.extend(short());
    rows.extend(more());
    rows
}

fn slow() -> Vec<Row> {
    use Want::{AtLeast, AtMost, Less};
    let path = || Path::new(10, 40);
    let lossy = |loss| path().losing(loss);
    vec![
        greedy("10m", "10 Mbit/s, 40 ms, no loss", path(), AtLeast(0.957), AtMost(0.003)),
        greedy("10m-0.1", "10 Mbit/s, 40 ms, 0.1 %", lossy(Loss::Random(1000)), AtLeast(0.92), Less),
        greedy("10m-1", "10 Mbit/s, 40 ms, 1 %", lossy(Loss::Random(10_000)), AtLeast(0.43), AtMost(0.013)),
        greedy("10m-3", "10 Mbit/s, 40 ms, 3 %", lossy(Loss::Random(30_000)), AtLeast(0.25), Less),
        greedy("10m-bursts", "10 Mbit/s, 40 ms, bursts, 1 %", lossy(bursts(10_000)), AtLeast(0.92), Less),
    ]
}

fn fast() -> Vec<Row> {
    use Want::{AtLeast, AtMost, Less};
    let path = || Path::new(100, 20);
    let lossy = |loss| path().losing(loss);
    let huge = || Path::new(1000, 100);
    let held = Path { hold: Some((10_000, 5 * MILLISECOND)), ..path() };
    let ack_loss = Path { ack_loss: 100_000, ..lossy(Loss::Random(1000)) };
    vec![
        greedy("100m", "100 Mbit/s, 20 ms, no loss", path(), AtLeast(0.955), Less),
        greedy("100m-0.01", "100 Mbit/s, 20 ms, 0.01 %", lossy(Loss::Random(100)), AtLeast(0.75), Less),
        greedy("100m-0.1", "100 Mbit/s, 20 ms, 0.1 %", lossy(Loss::Random(1000)), AtLeast(0.29), Less),
        greedy("100m-1", "100 Mbit/s, 20 ms, 1 %", lossy(Loss::Random(10_000)), AtLeast(0.086), Less),
        greedy("1g", "1 Gbit/s, 100 ms, no loss", huge(), AtLeast(0.87), Less),
        greedy("1g-0.01", "1 Gbit/s, 100 ms, 0.01 %", huge().losing(Loss::Random(100)), AtLeast(0.22), Less),
        greedy("100m-held", "100 Mbit/s, 20 ms, 1 % held back 5 ms", held, AtLeast(0.95), AtMost(0.003)),
        greedy("100m-bursts", "100 Mbit/s, 20 ms, bursts, 0.5 %", lossy(bursts(5000)), AtLeast(0.43), Less),
        greedy("100m-acks", "100 Mbit/s, 20 ms, 0.1 %, 10 % of ACKs lost", ack_loss, AtLeast(0.29), Less),
    ]
}

fn short() -> Vec<Row> {
    use Unit::Milliseconds;
    use Want::{AtMost, Less};
    let load = Load::Flows { count: 200, octets: 100_000, ending: Ending::Close };
    let percentiles = |median, p95, p99, p99_whole| {
        vec![
            figure("median", Milliseconds, median),
            figure("95 %", Milliseconds, p95),
            figure("99 %", Milliseconds, p99),
            figure("99 %, SYN not lost", Milliseconds, p99_whole),
        ]
    };
    let lossy = Path::new(10, 40).losing(Loss::Random(20_000));
    vec![
        Row {
            name: "short",
            label: "200 flows of 100 KB, 10 Mbit/s, 40 ms, no loss",
            path: Path::new(10, 40),
            load,
            tune: default,
            figures: percentiles(AtMost(189.0), Less, Less, Less),
        },
        Row {
            name: "short-2",
            label: "200 flows of 100 KB, 10 Mbit/s, 40 ms, 2 %",
            path: lossy,
            load,
            tune: default,
            figures: percentiles(AtMost(210.0), AtMost(400.0), AtMost(1250.0), AtMost(800.0)),
        },
        tail("tail", "the last of 20 segments lost, 10 Mbit/s, 40 ms", Ending::Stay),
        tail("tail-fin", "the same, and the user closes", Ending::Close),
    ]
}

/// Twenty segments of which the last is lost: a timeout must not be needed.
fn tail(name: &'static str, label: &'static str, ending: Ending) -> Row {
    let path = Path::new(10, 40).losing(Loss::Texts(vec![20]));
    let load = Load::Flows { count: 1, octets: 20 * 1448, ending };
    let figures =
        vec![figure("timeouts", Unit::Count, Want::AtMost(0.0)), figure("completion", Unit::Milliseconds, Want::Less)];
    Row { name, label, path, load, tune: default, figures }
}

/// Rows that the others leave out.
fn more() -> Vec<Row> {
    use Want::{Between, Less, More};
    let marking = Path { mark_after: Some(5 * MILLISECOND), ..Path::new(100, 20) };
    let bunches = Path { ack_bunch: Some(5 * MILLISECOND), ..Path::new(100, 20) };
    let lossy = Path::new(10, 40).losing(Loss::Random(10_000));
    let share = |want| vec![figure("share", Unit::Share, want), figure("goodput of both", Unit::Share, More)];
    let duration = 60 * SECOND;
    vec![
        Row {
            tune: |config| config.ecn(EcnMode::Active),
            ..greedy("100m-marks", "100 Mbit/s, 20 ms, marks after 5 ms in the queue", marking, More, Less)
        },
        greedy("100m-bunches", "100 Mbit/s, 20 ms, ACKs in bunches of 5 ms", bunches, More, Less),
        Row {
            tune: |config| config.max_transmit(14_480),
            ..greedy("10m-large", "10 Mbit/s, 40 ms, 1 %, large sends", lossy.clone(), More, Less)
        },
        Row {
            name: "two",
            label: "two segue flows, 10 Mbit/s, 40 ms, no loss",
            path: Path::new(10, 40),
            load: Load::Pair { duration, stranger: false },
            tune: default,
            figures: share(Between(0.45, 0.55)),
        },
        Row {
            name: "newreno",
            label: "beside another NewReno, 10 Mbit/s, 40 ms, 1 %",
            path: lossy,
            load: Load::Pair { duration, stranger: true },
            tune: default,
            figures: share(Between(0.40, 0.60)),
        },
    ]
}
