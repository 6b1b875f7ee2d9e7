//! HyStart++: leaving slow start before it overflows the queue (RFC 9406).

use core::time::Duration;

use crate::time::micros;

// RFC 9406 §4.3
const MIN_RTT_THRESH_US: u32 = 4_000;
const MAX_RTT_THRESH_US: u32 = 16_000;
const MIN_RTT_DIVISOR: u32 = 8;
const N_RTT_SAMPLE: u8 = 8;
const CSS_GROWTH_DIVISOR: u32 = 4;
const CSS_ROUNDS: u8 = 5;

/// A smallest round-trip time that is not known.
const INFINITY: u32 = u32::MAX;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Phase {
    /// Standard slow start.
    SlowStart,
    /// Conservative slow start: the delay grew, perhaps by chance.
    Conservative {
        /// cssBaselineMinRtt.
        baseline_us: u32,
        /// Rounds that ended in this phase.
        rounds: u8,
    },
}

/// The rounds of the initial slow start and the smallest round-trip time of each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct HyStart {
    phase: Phase,
    /// Octets still to be acknowledged up to windowEnd; 0 where the next acknowledgment begins a round.
    left: u32,
    /// lastRoundMinRTT and currentRoundMinRTT.
    last_min_us: u32,
    current_min_us: u32,
    /// rttSampleCount.
    samples: u8,
}

/// What slow start does on an acknowledgment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Growth {
    /// Octets to add.
    pub(super) octets: u32,
    /// Slow start is over: ssthresh becomes the window.
    pub(super) ends: bool,
}

impl HyStart {
    pub(super) const fn new() -> Self {
        Self { phase: Phase::SlowStart, left: 0, last_min_us: INFINITY, current_min_us: INFINITY, samples: 0 }
    }

    /// `octets` of `flight` were acknowledged. `limit` is L: the most that one acknowledgment adds, in octets.
    pub(super) fn on_ack(&mut self, octets: u32, flight: u32, rtt: Option<Duration>, limit: u32) -> Growth {
        if self.left == 0 {
            self.left = flight; // windowEnd = SND.NXT
        }
        let standard = octets.min(limit);
        let octets_to_add = match self.phase {
            Phase::SlowStart => standard,
            Phase::Conservative { .. } => standard / CSS_GROWTH_DIVISOR,
        };
        if let Some(rtt) = rtt {
            let rtt_us = u32::try_from(micros(rtt)).unwrap_or(INFINITY);
            self.current_min_us = self.current_min_us.min(rtt_us);
            self.samples = self.samples.saturating_add(1);
        }
        self.judge();
        self.left = self.left.saturating_sub(octets);
        let ends = self.left == 0 && self.end_round(flight.saturating_sub(octets));
        Growth { octets: octets_to_add, ends }
    }

    /// Has the delay grown, or shrunk again?
    fn judge(&mut self) {
        if self.samples < N_RTT_SAMPLE || self.current_min_us == INFINITY {
            return;
        }
        match self.phase {
            Phase::SlowStart if self.last_min_us == INFINITY => {}
            Phase::SlowStart => {
                let thresh = (self.last_min_us / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESH_US, MAX_RTT_THRESH_US);
                if self.current_min_us >= self.last_min_us.saturating_add(thresh) {
                    self.phase = Phase::Conservative { baseline_us: self.current_min_us, rounds: 0 };
                }
            }
            Phase::Conservative { baseline_us, .. } if self.current_min_us < baseline_us => {
                self.phase = Phase::SlowStart; // the delay had grown by chance
            }
            Phase::Conservative { .. } => {}
        }
    }

    /// windowEnd is acknowledged; the next round ends with the `flight` octets that are outstanding. Returns whether slow
    /// start is over.
    fn end_round(&mut self, flight: u32) -> bool {
        self.left = flight;
        self.last_min_us = core::mem::replace(&mut self.current_min_us, INFINITY);
        self.samples = 0;
        match &mut self.phase {
            Phase::SlowStart => false,
            Phase::Conservative { rounds, .. } => {
                *rounds += 1; // the round in which it began counts, if only a part of it
                *rounds >= CSS_ROUNDS
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const MSS: u32 = 1000;
    const L: u32 = 8 * MSS;

    /// One round: a window is sent and acknowledged segment by segment with these round-trip times, before the next one
    /// is sent. Returns what each acknowledgment added, and whether slow start ended.
    fn round(hystart: &mut HyStart, rtts_us: &[u32]) -> (Vec<u32>, bool) {
        let mut flight = u32::try_from(rtts_us.len()).unwrap() * MSS;
        let mut ended = false;
        let grown = rtts_us.iter().map(|us| {
            assert!(!ended, "slow start ended before the round did");
            let growth = hystart.on_ack(MSS, flight, Some(Duration::from_micros(u64::from(*us))), L);
            ended = growth.ends;
            flight -= MSS;
            growth.octets
        });
        (grown.collect(), ended)
    }

    fn flat(acks: usize, us: u32) -> Vec<u32> {
        alloc::vec![us; acks]
    }

    fn is_conservative(hystart: &HyStart) -> bool {
        matches!(hystart.phase, Phase::Conservative { .. })
    }

    #[test]
    fn a_round_ends_when_what_was_outstanding_at_its_start_is_acknowledged() {
        let mut hystart = HyStart::new();
        for acked in 1..=10 {
            hystart.on_ack(MSS, 10 * MSS, None, L);
            assert_eq!(hystart.left, if acked == 10 { 9 * MSS } else { (10 - acked) * MSS });
        }
        hystart.on_ack(9 * MSS, 12 * MSS, None, L); // 3 are outstanding before the reaction to it is sent
        assert_eq!(hystart.left, 3 * MSS);
        hystart.on_ack(3 * MSS, 3 * MSS, None, L);
        assert_eq!(hystart.left, 0); // nothing is: the next round is what is sent next
        hystart.on_ack(MSS, 5 * MSS, None, L);
        assert_eq!(hystart.left, 4 * MSS);
    }

    /// The threshold is an eighth of the last round's minimum, between 4 and 16 ms; exactly it is enough, 1 us less is not.
    #[test]
    fn the_threshold_is_exact() {
        for (last, thresh) in [(8_000, 4_000), (32_000, 4_000), (40_000, 5_000), (128_000, 16_000), (400_000, 16_000)] {
            for (grown, leaves) in [(thresh - 1, false), (thresh, true)] {
                let mut hystart = HyStart::new();
                round(&mut hystart, &flat(10, last));
                round(&mut hystart, &flat(10, last + grown));
                assert_eq!(is_conservative(&hystart), leaves, "{last} us grown by {grown}");
            }
        }
    }

    #[test]
    fn the_eighth_sample_of_a_round_decides() {
        let mut hystart = HyStart::new();
        round(&mut hystart, &flat(10, 40_000));
        let (grown, _) = round(&mut hystart, &flat(12, 50_000));
        assert_eq!(grown[..8], [MSS; 8]); // each acknowledgment grows by the phase it finds
        assert_eq!(grown[8..], [MSS / 4; 4]);
        let mut hystart = HyStart::new();
        round(&mut hystart, &flat(10, 40_000));
        round(&mut hystart, &flat(7, 50_000));
        assert!(!is_conservative(&hystart));
        let mut hystart = HyStart::new();
        for _ in 0..30 {
            hystart.on_ack(MSS, 10 * MSS, None, L);
        }
        assert_eq!((hystart.samples, is_conservative(&hystart)), (0, false)); // no sample, no judgement
    }

    #[test]
    fn one_small_sample_in_a_round_keeps_it_in_slow_start() {
        let mut hystart = HyStart::new();
        round(&mut hystart, &flat(10, 40_000));
        round(&mut hystart, &[60_000, 60_000, 41_000, 60_000, 60_000, 60_000, 60_000, 60_000, 60_000, 60_000]);
        assert!(!is_conservative(&hystart));
    }

    /// It begins in the middle of a round; that one is the first of five.
    #[test]
    fn conservative_slow_start_lasts_five_rounds_with_the_partial_one() {
        let mut hystart = HyStart::new();
        round(&mut hystart, &flat(10, 40_000));
        let ends: Vec<_> = (0..5).map(|_| round(&mut hystart, &flat(16, 50_000)).1).collect();
        assert_eq!(ends, [false, false, false, false, true]);
    }

    #[test]
    fn a_delay_that_shrinks_again_resumes_slow_start_and_starts_over() {
        let mut hystart = HyStart::new();
        round(&mut hystart, &flat(10, 40_000));
        for _ in 0..4 {
            round(&mut hystart, &flat(16, 60_000));
        }
        let (grown, ended) = round(&mut hystart, &flat(16, 59_999)); // below the baseline of 60 ms
        assert_eq!((grown[7], grown[8], ended), (MSS / 4, MSS, false));
        assert!((0..9).all(|_| !round(&mut hystart, &flat(16, 59_999)).1)); // measured against the last round again
        let five = (0..5).map(|_| round(&mut hystart, &flat(16, 80_000)).1).collect::<Vec<_>>();
        assert_eq!(five, [false, false, false, false, true]); // none of the earlier rounds counts
    }

    #[test]
    fn one_acknowledgment_adds_at_most_l() {
        assert_eq!(HyStart::new().on_ack(100 * MSS, 200 * MSS, None, L).octets, 8 * MSS);
        assert_eq!(HyStart::new().on_ack(100 * MSS, 200 * MSS, None, u32::MAX).octets, 100 * MSS);
        let mut hystart = HyStart::new();
        round(&mut hystart, &flat(10, 40_000));
        round(&mut hystart, &flat(8, 50_000));
        assert_eq!(hystart.on_ack(100 * MSS, 200 * MSS, None, L).octets, 2 * MSS); // L, then a quarter
    }
}
