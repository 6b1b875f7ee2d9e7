//! Pacing: segments leave at a rate instead of in bursts.

use core::time::Duration;

use crate::Instant;
use crate::time::micros;

const NANOS: u64 = 1_000_000_000;

/// When the next segment may leave. Kept in nanoseconds: at 10 Gbit/s a segment takes about one microsecond.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Pacer {
    next_ns: u64,
}

fn nanos(at: Instant) -> u64 {
    at.as_micros().saturating_mul(1000)
}

impl Pacer {
    /// When the next segment may leave, if that is after `now`.
    pub(crate) fn release(&self, now: Instant) -> Option<Instant> {
        (self.next_ns > nanos(now)).then(|| Instant::from_micros(self.next_ns.div_ceil(1000)))
    }

    /// `octets` leave now, at `rate` octets per second. After a pause, or late timers, at most `burst` octets may catch
    /// up.
    pub(crate) fn on_sent(&mut self, octets: u32, rate: u64, burst: u32, now: Instant) {
        let cost = |octets: u32| u64::from(octets).saturating_mul(NANOS) / rate.max(1);
        let earliest = nanos(now).saturating_sub(cost(burst));
        self.next_ns = self.next_ns.max(earliest).saturating_add(cost(octets));
    }

    pub(crate) fn rebase(&mut self, now: Instant) {
        self.next_ns = self.next_ns.saturating_sub(nanos(now));
    }
}

/// The rate where the controller names none: so much of a window in a round trip that pacing does not hold back growth.
pub(crate) fn rate_of(cwnd: u32, slow_start: bool, srtt: Duration) -> u64 {
    let percent: u64 = if slow_start { 200 } else { 120 };
    u64::from(cwnd).saturating_mul(percent * 10_000) / micros(srtt).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_leave_at_the_rate_and_a_burst_is_bounded() {
        let mut pacer = Pacer::default();
        let mut now = Instant::from_millis(1000);
        // 1 MB/s, bursts of 4000 octets: at first four segments may leave, one with what the burst allows beyond 0
        let mut at_once = 0;
        while pacer.release(now).is_none() {
            pacer.on_sent(1000, 1_000_000, 4000, now);
            at_once += 1;
        }
        assert_eq!(at_once, 5);
        for _ in 0..100 {
            let next = pacer.release(now).unwrap();
            assert_eq!(next, now + Duration::from_millis(1));
            now = next;
            pacer.on_sent(1000, 1_000_000, 4000, now);
        }
    }

    #[test]
    fn the_rate_is_a_multiple_of_the_window() {
        assert_eq!(rate_of(100_000, false, Duration::from_millis(100)), 1_200_000);
        assert_eq!(rate_of(100_000, true, Duration::from_millis(100)), 2_000_000);
    }
}
