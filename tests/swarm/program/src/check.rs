//! Whether a plan that was read from a file makes sense. The ranges are those that the generator draws from, most of them ten
//! times as wide; a `Config` checks itself. What lies beyond them overflows, names what is not there, or has no end within a
//! person's patience.

use std::fmt::{self, Debug, Display};
use std::ops::RangeInclusive;
use std::time::Duration;

use segue::{Config, Path};
use segue_kit::net::{Closing, Link, Reading, Side};
use segue_kit::swarm::wild;

/// A field that is out of its range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Senseless {
    /// Its place in the plan: `ends[0].path.mtu`.
    pub field: String,
    pub problem: String,
}

impl Display for Senseless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl std::error::Error for Senseless {}

pub type Check = Result<(), Senseless>;

/// Octets of a user; the generator draws two million at the most.
pub const OCTETS: RangeInclusive<u64> = 0..=4_000_000;
/// When a run begins, in microseconds.
pub const START: RangeInclusive<u64> = 0..=1 << 50;
pub const PER_MILLE: RangeInclusive<u32> = 0..=1000;

/// From nothing to so many seconds.
pub const fn seconds(most: u64) -> RangeInclusive<Duration> {
    Duration::ZERO..=Duration::from_secs(most)
}

pub fn holds(holds: bool, field: impl Display, problem: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(Senseless { field: field.to_string(), problem: problem() }) }
}

pub fn within<T: PartialOrd + Debug>(field: impl Display, value: T, range: RangeInclusive<T>) -> Check {
    holds(range.contains(&value), field, || {
        let (low, high) = (range.start(), range.end());
        format!("{value:?} is not within {low:?} to {high:?}")
    })
}

/// The text of a side is not too long for segments of the size that it has there.
pub fn octets(field: impl Display, octets: u64, (paths, configs): (&[Path; 2], &[Config; 2]), side: Side) -> Check {
    within(&field, octets, OCTETS)?;
    within(field, octets, 0..=100 * wild::most_octets(paths, configs, side))
}

/// A time that begins and ends.
pub fn spell(field: impl Display, (from, until): (Duration, Duration), most: u64) -> Check {
    within(&field, until, seconds(most))?;
    holds(from <= until, field, || format!("it ends at {until:?}, before it begins at {from:?}"))
}

pub fn link(field: impl Display, link: &Link) -> Check {
    within(format!("{field}.delay"), link.delay, seconds(20))
}

pub fn closing(field: impl Display, closing: Closing) -> Check {
    let time = match closing {
        Closing::WhenWritten | Closing::Never => return Ok(()),
        Closing::AfterText(octets, pause) => {
            within(&field, octets, OCTETS)?;
            pause
        }
        Closing::AfterPeer(time) | Closing::At(time) | Closing::Abort(time) | Closing::Release(time) => time,
    };
    within(field, time, seconds(50))
}

pub fn reading(field: impl Display, reading: Reading) -> Check {
    match reading {
        Reading::Eager => Ok(()),
        Reading::Pause { length: time, .. } | Reading::Late(time) => within(field, time, seconds(10_000)),
        Reading::Sips { octets, every } => {
            within(&field, octets, 1..=u32::MAX)?;
            within(field, every, seconds(20))
        }
    }
}

/// Each of a list, with its place.
pub fn each<T>(field: &str, list: &[T], most: usize, check: impl Fn(&str, &T) -> Check) -> Check {
    within(field, list.len(), 0..=most)?;
    list.iter().enumerate().try_for_each(|(at, one)| check(&format!("{field}[{at}]"), one))
}
