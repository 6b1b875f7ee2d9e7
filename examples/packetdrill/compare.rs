//! Expected against seen.

use std::time::Duration;

use crate::call::{Call, Errno, Value};
use crate::posix::Returned;
use crate::script::{Packet, TcpOption, Time, Tos};
use crate::setup::Setup;

/// The fields in which a packet differs from what a line expects.
pub fn differences(expected: &Packet, seen: &Packet, setup: &Setup) -> Vec<&'static str> {
    let differs = [
        ("traffic class", !traffic_class(expected.tos, seen.tos)),
        ("flags", expected.flags != seen.flags),
        ("sequence number", expected.seq != seen.seq),
        ("length", expected.len != seen.len),
        ("acknowledgment", expected.ack != seen.ack),
        ("window", expected.window.is_some_and(|window| Some(window) != seen.window)),
        ("urgent pointer", expected.urgent != seen.urgent),
        ("options", !options(expected.options.as_deref(), seen.options.as_deref(), setup)),
    ];
    differs.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect()
}

fn traffic_class(expected: Tos, seen: Tos) -> bool {
    let Tos::All(seen) = seen else { return true };
    match expected {
        Tos::Unchecked => true,
        Tos::Ecn(bits) => seen & 3 == bits,
        Tos::Ect => matches!(seen & 3, 1 | 2),
        Tos::All(all) => seen == all,
    }
}

/// Options in their order. What fills the header up does not count.
fn options(expected: Option<&[TcpOption]>, seen: Option<&[TcpOption]>, setup: &Setup) -> bool {
    let (Some(mut expected), Some(seen)) = (expected, seen) else { return true };
    while let [before @ .., TcpOption::Eol] = expected {
        expected = before;
    }
    let near = |a: u32, b: u32| {
        let ticks = a.wrapping_sub(b).min(b.wrapping_sub(a));
        setup.tick.saturating_mul(ticks) <= setup.tolerance
    };
    expected.len() == seen.len()
        && expected.iter().zip(seen).all(|pair| match pair {
            (TcpOption::Timestamps { value, echo }, TcpOption::Timestamps { value: own_value, echo: own_echo }) => {
                near(*value, *own_value) && echo == own_echo
            }
            (expected, seen) => expected == seen,
        })
}

/// The first and last instant of an event, after one at `before`.
pub fn window(time: Time, before: Duration) -> Option<(Duration, Duration)> {
    let at = Duration::from_micros;
    Some(match time {
        Time::Absolute(time) => (at(time), at(time)),
        Time::Relative(time) => (before + at(time), before + at(time)),
        Time::AbsoluteRange(first, last) => (at(first), at(last)),
        Time::RelativeRange(first, last) => (before + at(first), before + at(last)),
        Time::Any => return None,
    })
}

/// The difference in the result of a call.
pub fn result(call: &Call, returned: &Returned) -> Option<String> {
    let (value, errno) = match returned.result {
        Ok(value) => (value, None),
        Err(errno) => (-1, Some(errno)),
    };
    let shown = || match errno {
        Some(errno) => format!("-1 {errno}"),
        None => value.to_string(),
    };
    if call.result != Value::Any && call.result.number() != Some(value) {
        return Some(shown());
    }
    if call.errno.as_deref().is_some_and(|name| errno.is_none_or(|errno| errno.to_string() != name)) {
        return Some(shown());
    }
    let wrong = |(place, seen): &(usize, Value)| {
        let expected = call.arguments.get(*place)?;
        (!out(expected, seen)).then(|| format!("{} with {seen} in argument {}", shown(), place + 1))
    };
    returned.outs.iter().find_map(wrong)
}

/// Whether what a call wrote is what the script names. Of polled descriptors the `revents` count.
fn out(expected: &Value, seen: &Value) -> bool {
    match (expected, seen) {
        (Value::Any, _) => true,
        (Value::List(expected), Value::List(seen)) => {
            expected.len() == seen.len() && expected.iter().zip(seen).all(|(expected, seen)| out(expected, seen))
        }
        (Value::Struct(_), seen) => out(expected.field("revents").unwrap_or(&Value::Number(0)), seen),
        (Value::Word(name), Value::Number(number)) if name.starts_with('E') => {
            Errno::ALL.iter().any(|errno| errno.to_string() == *name && errno.number() == *number)
        }
        (expected, seen) => expected.number() == seen.number(),
    }
}
