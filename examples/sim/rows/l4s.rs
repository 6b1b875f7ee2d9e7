//! A bottleneck with two queues (RFC 9332): Prague alone, beside CUBIC, and beside another Prague with a longer round trip.

use segue::EcnMode;

use super::Want::{AtLeast, AtMost, Between, Less, More};
use super::{
    C_WAIT, Figure, GOODPUT, GOODPUT_OF_BOTH, L_WAIT, Load, Path, Row, SHARE, SHARE_OF_CUBIC, Second, Theme, Unit,
    Want, figure,
};
use crate::dualpi2::Aqm;
use crate::link::{MILLISECOND, SECOND};

pub(super) fn rows() -> Vec<Row> {
    let fair = Between(0.4, 0.6);
    let short = AtMost(2.0);
    vec![
        alone("l4s-100m", "100 Mbit/s, 20 ms", dual(100, 20), short, AtLeast(0.9)),
        alone("l4s-100m-5ms", "100 Mbit/s, 5 ms", dual(100, 5), short, More),
        alone("l4s-100m-100ms", "100 Mbit/s, 100 ms", dual(100, 100), Less, More),
        alone("l4s-10m", "10 Mbit/s, 20 ms", dual(10, 20), Less, More),
        beside("l4s-cubic-100m", "beside CUBIC, 100 Mbit/s, 20 ms", dual(100, 20), Second::Cubic, fair),
        beside(
            "l4s-cubic-100m-not-ect",
            "beside CUBIC without ECN, 100 Mbit/s, 20 ms",
            dual(100, 20),
            Second::CubicNotEct,
            fair,
        ),
        beside("l4s-cubic-100m-5ms", "beside CUBIC, 100 Mbit/s, 5 ms", dual(100, 5), Second::Cubic, More),
        beside("l4s-cubic-100m-50ms", "beside CUBIC, 100 Mbit/s, 50 ms", dual(100, 50), Second::Cubic, More),
        beside("l4s-cubic-10m", "beside CUBIC, 10 Mbit/s, 20 ms", dual(10, 20), Second::Cubic, fair),
        beside(
            "l4s-cubic-10m-not-ect",
            "beside CUBIC without ECN, 10 Mbit/s, 20 ms",
            dual(10, 20),
            Second::CubicNotEct,
            fair,
        ),
        both("l4s-both", "two flows, 100 Mbit/s, 20 ms", dual(100, 20)),
        both(
            "l4s-both-farther",
            "two flows, 100 Mbit/s, 5 ms and 20 ms",
            Path { farther: 15 * MILLISECOND, ..dual(100, 5) },
        ),
        classic("l4s-classic-queue", "beside CUBIC in one classic queue that marks, 100 Mbit/s, 20 ms", fair),
    ]
}

fn dual(mbits: u64, round_trip: u64) -> Path {
    Path { aqm: Some(Aqm::Dual), depth: 4, ..Path::new(mbits, round_trip) }
}

fn row(name: &str, label: &str, path: Path, load: Load, figures: Vec<Figure>) -> Row {
    Row::new(Theme::L4s, name, &format!("L4S, {label}"), path, load, figures)
        .both(|config| config.ecn(EcnMode::Accurate))
}

fn wait(want: Want) -> Figure {
    figure(L_WAIT, Unit::Milliseconds, want)
}

/// Ten seconds, slow start included.
fn alone(name: &str, label: &str, path: Path, queue: Want, goodput: Want) -> Row {
    let figures = vec![wait(queue), figure(GOODPUT, Unit::Share, goodput)];
    row(name, label, path, Load::Greedy(10 * SECOND), figures)
}

/// What CUBIC keeps, and its queue.
fn shares(share: Want) -> Vec<Figure> {
    vec![
        figure(SHARE_OF_CUBIC, Unit::Share, share),
        figure(GOODPUT_OF_BOTH, Unit::Share, More),
        figure(C_WAIT, Unit::Milliseconds, Less),
    ]
}

/// A minute beside CUBIC in a queue that knows RFC 3168 only.
fn classic(name: &str, label: &str, share: Want) -> Row {
    let path = Path { aqm: Some(Aqm::Classic), ..dual(100, 20) };
    row(name, label, path, Load::Pair { duration: 60 * SECOND, second: Second::Cubic }, shares(share))
}

/// A minute beside CUBIC.
fn beside(name: &str, label: &str, path: Path, second: Second, share: Want) -> Row {
    let mut figures = shares(share);
    figures.push(wait(Less));
    row(name, label, path, Load::Pair { duration: 60 * SECOND, second }, figures)
}

fn both(name: &str, label: &str, path: Path) -> Row {
    let figures =
        vec![figure(SHARE, Unit::Share, Between(0.4, 0.6)), figure(GOODPUT_OF_BOTH, Unit::Share, More), wait(Less)];
    row(name, label, path, Load::Pair { duration: 60 * SECOND, second: Second::Same }, figures)
}
