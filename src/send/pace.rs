//! Pacing: segments leave at a rate instead of in bursts.

use crate::Instant;
use crate::rare::AtRest;
use crate::time::Micros;

const NANOS: u64 = 1_000_000_000;

/// The allowance: how many octets may leave grows with time, up to a burst. Kept in nanoseconds: at 10 Gbit/s a segment
/// takes about one microsecond.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Pacer {
    /// When the allowance was, or will be, nothing.
    empty_ns: i128,
}

impl AtRest for Pacer {
    const AT_REST: &'static Self = &Self { empty_ns: LONG_AGO };
}

/// Before all instants by more than any burst takes.
const LONG_AGO: i128 = i128::MIN / 4;

fn nanos(at: Instant) -> i128 {
    i128::from(at.as_micros()) * 1000
}

/// What leaves: `octets` octets, at `rate` octets per second, in bursts of `burst` octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Flow {
    pub(crate) octets: u32,
    pub(crate) rate: u64,
    pub(crate) burst: u32,
}

impl Flow {
    fn cost(&self, octets: u32) -> i128 {
        i128::from(u64::from(octets).saturating_mul(NANOS) / self.rate.max(1))
    }
}

impl Pacer {
    /// When the allowance is empty after `flow` has left, now or as soon as it suffices.
    fn after(&self, flow: &Flow, now: Instant) -> i128 {
        self.empty_ns.max(nanos(now) - flow.cost(flow.burst)) + flow.cost(flow.octets)
    }

    /// When `flow` may leave, if that is after `now`.
    pub(crate) fn release(&self, flow: &Flow, now: Instant) -> Option<Instant> {
        let at = self.after(flow, now);
        (at > nanos(now)).then(|| Instant::from_micros(u64::try_from((at + 999) / 1000).unwrap_or(u64::MAX)))
    }

    /// `flow` leaves now.
    pub(crate) fn on_sent(&mut self, flow: &Flow, now: Instant) {
        self.empty_ns = self.after(flow, now);
    }

    /// A time long past counts as one: the allowance is whole.
    pub(crate) fn rebase(&mut self, now: Instant) {
        let Self { empty_ns: _ } = self; // a field that is added has to be looked at here
        self.empty_ns = if self.empty_ns == LONG_AGO { LONG_AGO } else { self.empty_ns - nanos(now) };
    }
}

/// The rate where the controller names none: so much of a window in a round trip that pacing does not hold back growth.
pub(crate) fn rate_of(cwnd: u32, slow_start: bool, round_trip: Micros) -> u64 {
    let percent: u64 = if slow_start { 200 } else { 120 };
    u64::from(cwnd).saturating_mul(percent * 10_000) / round_trip.get().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_leave_at_the_rate_and_a_burst_is_bounded() {
        for start in [0, 1000] {
            let mut pacer = Pacer::AT_REST.clone();
            let mut now = Instant::from_millis(start);
            let flow = Flow { octets: 1000, rate: 1_000_000, burst: 4000 };
            let mut at_once = 0;
            while pacer.release(&flow, now).is_none() {
                pacer.on_sent(&flow, now);
                at_once += 1;
            }
            assert_eq!(at_once, 4);
            for _ in 0..100 {
                let next = pacer.release(&flow, now).unwrap();
                assert_eq!(next, now + Micros::from_millis(1));
                now = next;
                pacer.on_sent(&flow, now);
            }
            now += Micros::from_millis(2); // two segments may catch up, and no half one
            assert_eq!(pacer.release(&Flow { octets: 2000, ..flow }, now), None);
            assert_eq!(pacer.release(&Flow { octets: 2001, ..flow }, now), Some(now + Micros::new(1)));
        }
    }

    #[test]
    fn the_rate_is_a_multiple_of_the_window() {
        assert_eq!(rate_of(100_000, false, Micros::from_millis(100)), 1_200_000);
        assert_eq!(rate_of(100_000, true, Micros::from_millis(100)), 2_000_000);
    }
}
