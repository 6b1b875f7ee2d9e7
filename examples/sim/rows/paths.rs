//! Paths: rates, losses, reordering, marks, lost and delayed acknowledgments; short flows and shares.

use segue::EcnMode;

use super::Want::{AtLeast, AtMost, Between, Less, More};
use super::{
    COMPLETION, Figure, GOODPUT, GOODPUT_OF_BOTH, Load, MEDIAN, Path, REPEATED, Row, SHARE, Second, Theme, Unit, Want,
    figure,
};
use crate::link::{MILLISECOND, Nanos, SECOND};
use crate::loss::Loss;
use crate::user::Ending;

const TEN_SECONDS: Nanos = 10 * SECOND;
const P95: &str = "95 %";

fn row(name: &str, label: &str, path: Path, load: Load, figures: Vec<Figure>) -> Row {
    Row::new(Theme::Paths, name, label, path, load, figures)
}

/// A greedy flow: the share of the rate it gets, and what it repeats.
fn greedy(name: &str, label: &str, path: Path, goodput: Want, repeated: Want) -> Row {
    let figures = vec![figure(GOODPUT, Unit::Share, goodput), figure(REPEATED, Unit::Percent, repeated)];
    row(name, label, path, Load::Greedy(TEN_SECONDS), figures)
}

/// What is wanted of BBR where a flow is greedy: the share of the rate it gets, and what it repeats at the most.
const fn bbr(goodput: f64, repeated: f64) -> [(&'static str, Want); 2] {
    [(GOODPUT, AtLeast(goodput)), (REPEATED, AtMost(repeated))]
}

const fn bursts(share: u32) -> Loss {
    Loss::Bursts { share, mean: 10 }
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = slow();
    rows.extend(fast());
    rows.extend(short());
    rows.extend(more());
    rows
}

fn slow() -> Vec<Row> {
    let path = || Path::new(10, 40);
    let lossy = |loss| path().losing(loss);
    vec![
        greedy("10m", "10 Mbit/s, 40 ms, no loss", path(), AtLeast(0.957), AtMost(0.003)).bbr(&bbr(0.95, 0.005)),
        greedy("10m-0.1", "10 Mbit/s, 40 ms, 0.1 %", lossy(Loss::Random(1000)), AtLeast(0.92), Less),
        greedy("10m-1", "10 Mbit/s, 40 ms, 1 %", lossy(Loss::Random(10_000)), AtLeast(0.43), AtMost(0.013))
            .bbr(&bbr(0.94, 0.015)),
        greedy("10m-3", "10 Mbit/s, 40 ms, 3 %", lossy(Loss::Random(30_000)), AtLeast(0.25), Less)
            .bbr(&bbr(0.905, 0.035)),
        greedy("10m-bursts", "10 Mbit/s, 40 ms, bursts, 1 %", lossy(bursts(10_000)), AtLeast(0.92), Less)
            .bbr(&bbr(0.93, 0.015)),
    ]
}

fn fast() -> Vec<Row> {
    let path = || Path::new(100, 20);
    let lossy = |loss| path().losing(loss);
    let huge = || Path::new(1000, 100);
    let held = Path { hold: Some((10_000, 5 * MILLISECOND)), ..path() };
    let ack_loss = Path { ack_loss: 100_000, ..lossy(Loss::Random(1000)) };
    vec![
        greedy("100m", "100 Mbit/s, 20 ms, no loss", path(), AtLeast(0.955), Less).bbr(&bbr(0.95, 0.005)),
        greedy("100m-0.01", "100 Mbit/s, 20 ms, 0.01 %", lossy(Loss::Random(100)), AtLeast(0.75), Less),
        greedy("100m-0.1", "100 Mbit/s, 20 ms, 0.1 %", lossy(Loss::Random(1000)), AtLeast(0.29), Less)
            .bbr(&bbr(0.95, 0.006)),
        greedy("100m-1", "100 Mbit/s, 20 ms, 1 %", lossy(Loss::Random(10_000)), AtLeast(0.086), Less)
            .bbr(&bbr(0.935, 0.015)),
        greedy("1g", "1 Gbit/s, 100 ms, no loss", huge(), AtLeast(0.87), Less).bbr(&bbr(0.855, 0.005)),
        greedy("1g-0.01", "1 Gbit/s, 100 ms, 0.01 %", huge().losing(Loss::Random(100)), AtLeast(0.22), Less)
            .bbr(&bbr(0.84, 0.0051)),
        greedy("100m-held", "100 Mbit/s, 20 ms, 1 % held back 5 ms", held, AtLeast(0.95), AtMost(0.003))
            .bbr(&bbr(0.93, 0.005)),
        greedy("100m-bursts", "100 Mbit/s, 20 ms, bursts, 0.5 %", lossy(bursts(5000)), AtLeast(0.43), Less)
            .bbr(&bbr(0.91, 0.01)),
        greedy("100m-acks", "100 Mbit/s, 20 ms, 0.1 %, 10 % of ACKs lost", ack_loss, AtLeast(0.29), Less),
    ]
}

fn short() -> Vec<Row> {
    let load = Load::Flows { count: 200, octets: 100_000, ending: Ending::Close };
    let percentiles = |median, p95, p99, p99_whole| {
        vec![
            figure(MEDIAN, Unit::Milliseconds, median),
            figure(P95, Unit::Milliseconds, p95),
            figure("99 %", Unit::Milliseconds, p99),
            figure("99 %, SYN not lost", Unit::Milliseconds, p99_whole),
        ]
    };
    let lossy = |path: Path, millionths| path.losing(Loss::Random(millionths));
    vec![
        row(
            "short",
            "200 flows of 100 KB, 10 Mbit/s, 40 ms, no loss",
            Path::new(10, 40),
            load,
            percentiles(AtMost(189.0), Less, Less, Less),
        ),
        row(
            "short-2",
            "200 flows of 100 KB, 10 Mbit/s, 40 ms, 2 %",
            lossy(Path::new(10, 40), 20_000),
            load,
            percentiles(AtMost(210.0), AtMost(400.0), AtMost(1250.0), AtMost(800.0)),
        )
        .bbr(&[(MEDIAN, AtMost(213.0)), (P95, AtMost(300.0))]),
        row(
            "short-1",
            "200 flows of 100 KB, 100 Mbit/s, 20 ms, 1 %",
            lossy(Path::new(100, 20), 10_000),
            load,
            percentiles(Less, AtMost(160.0), Less, Less),
        ),
        tail("tail", "the last of 20 segments lost, 10 Mbit/s, 40 ms", Ending::Stay),
        tail("tail-fin", "the last of 20 segments lost, and the user closes, 10 Mbit/s, 40 ms", Ending::Close),
    ]
}

/// Twenty segments of which the last is lost: a timeout must not be needed.
fn tail(name: &str, label: &str, ending: Ending) -> Row {
    let path = Path::new(10, 40).losing(Loss::Texts(vec![20]));
    let load = Load::Flows { count: 1, octets: 20 * 1448, ending };
    let figures = vec![figure("timeouts", Unit::Count, AtMost(0.0)), figure(COMPLETION, Unit::Milliseconds, Less)];
    row(name, label, path, load, figures)
}

/// Rows that the others leave out.
fn more() -> Vec<Row> {
    let marking = Path { mark_after: Some(5 * MILLISECOND), ..Path::new(100, 20) };
    let bunches = Path { ack_bunch: Some(5 * MILLISECOND), ..Path::new(100, 20) };
    let lossy = Path::new(10, 40).losing(Loss::Random(10_000));
    let share = |want| vec![figure(SHARE, Unit::Share, want), figure(GOODPUT_OF_BOTH, Unit::Share, More)];
    let pair = |second| Load::Pair { duration: 60 * SECOND, second };
    vec![
        greedy("100m-marks", "100 Mbit/s, 20 ms, marks after 5 ms in the queue", marking, More, Less)
            .both(|config| config.ecn(EcnMode::Active)),
        greedy("100m-bunches", "100 Mbit/s, 20 ms, ACKs in bunches of 5 ms", bunches, More, Less),
        greedy("10m-large", "10 Mbit/s, 40 ms, 1 %, large sends", lossy.clone(), More, Less)
            .both(|config| config.max_transmit(14_480)),
        row(
            "two",
            "two segue flows, 10 Mbit/s, 40 ms, no loss",
            Path::new(10, 40),
            pair(Second::Same),
            share(Between(0.45, 0.55)),
        )
        .bbr(&[(SHARE, Between(0.4, 0.6))]),
        row(
            "newreno",
            "beside another NewReno, 10 Mbit/s, 40 ms, 1 %",
            lossy,
            pair(Second::Stranger),
            share(Between(0.40, 0.60)),
        ),
    ]
}
