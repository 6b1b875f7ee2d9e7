//! The way to a large flight: a path without losses. Its events are not counted.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use segue::{Event, Instant, Timer};

use crate::end::End;

const ROUND_TRIP: Duration = Duration::from_millis(20);
/// More events than any controller needs.
const MOST: u32 = 1 << 20;

pub(crate) fn octets(n: usize) -> Bytes {
    Bytes::from(vec![7; n])
}

/// Sends until more than this number of segments are in flight; how much was acknowledged.
pub(crate) fn fill(end: &mut End, segments: usize) -> u32 {
    travel(end, true, |end| end.tcp.info().flight_segments > segments)
}

/// All that is queued leaves and is acknowledged.
pub(crate) fn drain(end: &mut End) -> u32 {
    travel(end, false, |end| end.tcp.info().flight == 0)
}

/// What is paced leaves; nothing is acknowledged.
pub(crate) fn pace(end: &mut End) {
    while let Some(at) = end.tcp.deadline(Timer::Pace) {
        end.wait(at.saturating_since(end.now));
        end.quietly(Event::Timer(Timer::Pace));
    }
}

/// Each second segment is acknowledged a round trip after it left; `more` text is always there.
fn travel(end: &mut End, more: bool, is_there: impl Fn(&End) -> bool) -> u32 {
    let mut under_way: VecDeque<(Instant, u32)> = VecDeque::new();
    let info = end.tcp.info();
    let out = info.counters.octets_acked as u32 + info.flight;
    if info.flight > 0 {
        under_way.push_back((end.now + ROUND_TRIP, out)); // what left before
    }
    for _ in 0..MOST {
        let room = end.tcp.send_room();
        if more && room > 0 {
            end.quietly(Event::Send(octets(room)));
            under_way.extend(end.sent().map(|offset| (end.now + ROUND_TRIP, offset)));
        }
        if is_there(end) {
            return end.tcp.info().counters.octets_acked as u32;
        }
        let paced = end.tcp.deadline(Timer::Pace);
        match under_way.front().copied() {
            Some((at, offset)) if paced.is_none_or(|paced| at < paced) => {
                under_way.pop_front();
                let second = under_way.pop_front_if(|(next, _)| *next <= at + Duration::from_millis(1));
                let (at, offset) = second.unwrap_or((at, offset));
                end.wait(at.saturating_since(end.now));
                end.quietly(Event::Segment(end.segment(0, offset, 2000, &[])));
            }
            _ => {
                let at = paced.expect("something is under way, or waits for its time");
                end.wait(at.saturating_since(end.now));
                end.quietly(Event::Timer(Timer::Pace));
            }
        }
        under_way.extend(end.sent().map(|offset| (end.now + ROUND_TRIP, offset)));
    }
    panic!("{:?} is in flight", end.tcp.info().flight_segments)
}
