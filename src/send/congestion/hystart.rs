//! HyStart++: leaving slow start before it overflows the queue (RFC 9406).

use core::time::Duration;

use crate::time::micros;

const MIN_RTT_THRESH_US: u64 = 4_000;
const MAX_RTT_THRESH_US: u64 = 16_000;
const MIN_RTT_DIVISOR: u64 = 8;
const N_RTT_SAMPLE: u8 = 8;
const CSS_GROWTH_DIVISOR: u32 = 4;
const CSS_ROUNDS: u8 = 5;
/// L without pacing: segments that one acknowledgment may add.
const LIMIT: u32 = 8;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Phase {
    /// Standard slow start.
    SlowStart,
    /// Conservative slow start: the delay grew; perhaps by chance.
    Conservative { baseline_us: u64, rounds: u8 },
}

/// The rounds of slow start and the smallest round-trip time of each.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct HyStart {
    phase: Phase,
    /// Octets acknowledged so far, and where the round ends.
    acked: u64,
    window_end: u64,
    last_round_min_us: Option<u64>,
    current_round_min_us: Option<u64>,
    samples: u8,
}

/// What slow start may do on an acknowledgment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Growth {
    /// Add so many octets.
    By(u32),
    /// Slow start is over: ssthresh becomes the window.
    Exit,
}

impl HyStart {
    pub(super) const fn new() -> Self {
        Self {
            phase: Phase::SlowStart,
            acked: 0,
            window_end: 0,
            last_round_min_us: None,
            current_round_min_us: None,
            samples: 0,
        }
    }

    /// `octets` were acknowledged with `flight` outstanding before.
    pub(super) fn on_ack(&mut self, octets: u32, flight: u32, rtt: Option<Duration>, mss: u32) -> Growth {
        self.acked += u64::from(octets);
        let limited = octets.min(mss.saturating_mul(LIMIT));
        if let Some(rtt) = rtt {
            let rtt = micros(rtt);
            self.current_round_min_us = Some(self.current_round_min_us.map_or(rtt, |min| min.min(rtt)));
            self.samples = self.samples.saturating_add(1);
        }
        let growth = match self.phase {
            Phase::SlowStart => limited,
            Phase::Conservative { .. } => limited / CSS_GROWTH_DIVISOR,
        };
        self.judge();
        if self.acked >= self.window_end && self.next_round(flight.saturating_sub(octets)) {
            return Growth::Exit;
        }
        Growth::By(growth)
    }

    /// Has the delay grown, or shrunk again?
    fn judge(&mut self) {
        let Some(current) = self.current_round_min_us.filter(|_| self.samples >= N_RTT_SAMPLE) else { return };
        match self.phase {
            Phase::SlowStart => {
                let Some(last) = self.last_round_min_us else { return };
                let thresh = (last / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESH_US, MAX_RTT_THRESH_US);
                if current >= last.saturating_add(thresh) {
                    self.phase = Phase::Conservative { baseline_us: current, rounds: 0 };
                }
            }
            Phase::Conservative { baseline_us, .. } if current < baseline_us => self.phase = Phase::SlowStart,
            Phase::Conservative { .. } => {}
        }
    }

    /// A round ends when what was outstanding at its start is acknowledged. Returns whether slow start is over.
    fn next_round(&mut self, flight: u32) -> bool {
        self.window_end = self.acked + u64::from(flight);
        self.last_round_min_us = self.current_round_min_us.take();
        self.samples = 0;
        match &mut self.phase {
            Phase::SlowStart => false,
            Phase::Conservative { rounds, .. } => {
                *rounds += 1; // the round in which it began counts
                *rounds >= CSS_ROUNDS
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;

    /// One round of `acks` acknowledgments of one segment each.
    fn round(hystart: &mut HyStart, acks: u32, rtt_ms: u64) -> Growth {
        let mut last = Growth::By(0);
        for _ in 0..acks {
            last = hystart.on_ack(MSS, acks * MSS, Some(Duration::from_millis(rtt_ms)), MSS);
            if last == Growth::Exit {
                break;
            }
        }
        last
    }

    #[test]
    fn growing_delay_slows_down_and_five_rounds_end_it() {
        let mut hystart = HyStart::new();
        assert_eq!(round(&mut hystart, 10, 40), Growth::By(MSS));
        assert_eq!(round(&mut hystart, 20, 44), Growth::By(MSS)); // 40 / 8 = 5 ms: not yet
        assert_eq!(round(&mut hystart, 20, 50), Growth::By(MSS / 4));
        let rounds = (0..9).take_while(|_| round(&mut hystart, 20, 50) != Growth::Exit).count();
        assert!((3..=5).contains(&rounds), "{rounds}");
    }

    #[test]
    fn a_delay_that_shrinks_again_resumes_slow_start() {
        let mut hystart = HyStart::new();
        round(&mut hystart, 10, 40);
        round(&mut hystart, 20, 60);
        assert_eq!(round(&mut hystart, 20, 60), Growth::By(MSS / 4));
        assert_eq!(round(&mut hystart, 20, 41), Growth::By(MSS));
    }

    #[test]
    fn one_acknowledgment_adds_at_most_eight_segments() {
        assert_eq!(HyStart::new().on_ack(100 * MSS, 200 * MSS, None, MSS), Growth::By(8 * MSS));
    }
}
