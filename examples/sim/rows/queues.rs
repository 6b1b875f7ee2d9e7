//! Beside CUBIC, and what stands in a deep queue.

use super::Want::{AtLeast, AtMost, Less, More};
use super::{GOODPUT, GOODPUT_OF_BOTH, Load, Path, QUEUE, REPEATED, Row, SHARE_OF_CUBIC, Second, Theme, Unit, figure};
use crate::link::SECOND;

/// Bandwidth-delay products of a deep queue.
const DEEP: u64 = 10;

pub(super) fn rows() -> Vec<Row> {
    let (slow, fast) = (Path::new(10, 40), Path::new(100, 20));
    let fair = &[(SHARE_OF_CUBIC, AtLeast(0.25))];
    let low = &[(QUEUE, AtMost(0.35))];
    vec![
        beside("beside-cubic-10m", "beside CUBIC, 10 Mbit/s, 40 ms", slow.clone()).bbr(fair),
        beside("beside-cubic-100m", "beside CUBIC, 100 Mbit/s, 20 ms", fast.clone()).bbr(fair),
        beside("beside-cubic-deep", "beside CUBIC, 10 Mbit/s, 40 ms, a queue of 10 BDP", slow.clone().with_depth(DEEP)),
        standing("standing-10m", "10 Mbit/s, 40 ms, a queue of 10 BDP", slow.with_depth(DEEP)).bbr(low),
        standing("standing-100m", "100 Mbit/s, 20 ms, a queue of 10 BDP", fast.with_depth(DEEP)).bbr(low),
    ]
}

/// The sender, and CUBIC beside it, for a minute.
fn beside(name: &str, label: &str, path: Path) -> Row {
    let figures = vec![figure(SHARE_OF_CUBIC, Unit::Share, More), figure(GOODPUT_OF_BOTH, Unit::Share, More)];
    let load = Load::Pair { duration: 60 * SECOND, second: Second::Cubic };
    Row::new(Theme::Queues, name, label, path, load, figures)
}

/// One greedy flow for half a minute: what waits at the bottleneck in the last twenty seconds.
fn standing(name: &str, label: &str, path: Path) -> Row {
    let figures = vec![
        figure(QUEUE, Unit::Share, Less),
        figure(GOODPUT, Unit::Share, More),
        figure(REPEATED, Unit::Percent, Less),
    ];
    Row::new(Theme::Queues, name, label, path, Load::Greedy(30 * SECOND), figures)
}
