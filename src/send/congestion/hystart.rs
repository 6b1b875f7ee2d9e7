//! HyStart++: leaving slow start before it overflows the queue (RFC 9406).

use core::time::Duration;

use crate::Instant;
use crate::time::micros;

// RFC 9406 §4.3
const MIN_RTT_THRESH_US: u32 = 4_000;
const MAX_RTT_THRESH_US: u32 = 16_000;
const MIN_RTT_DIVISOR: u32 = 8;
const N_RTT_SAMPLE: u8 = 8;
const CSS_GROWTH_DIVISOR: u32 = 4;
const CSS_ROUNDS: u8 = 5;

/// Acknowledgments belong to one train while the gaps between them are no longer than this, or than an eighth of the
/// round trip.
const TRAIN_GAP_US: u32 = 2_000;

/// A smallest round-trip time that is not known.
const INFINITY: u32 = u32::MAX;

/// Before the first acknowledgment; no instant of the machine is so late.
const NO_TRAIN: (Instant, Instant) = (Instant::from_micros(u64::MAX), Instant::from_micros(u64::MAX));

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
    /// The first and the last acknowledgment of a train.
    train: (Instant, Instant),
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
        Self {
            phase: Phase::SlowStart,
            left: 0,
            last_min_us: INFINITY,
            current_min_us: INFINITY,
            samples: 0,
            train: NO_TRAIN,
        }
    }

    /// `octets` of `flight` were acknowledged. `limit` is L: the most that one acknowledgment adds, in octets.
    pub(super) fn on_ack(
        &mut self,
        octets: u32,
        flight: u32,
        rtt: Option<Duration>,
        limit: u32,
        now: Instant,
    ) -> Growth {
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
        self.measure_train(now);
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

    /// A train of acknowledgments that is longer than half of the round trip: the window of the last round kept the
    /// bottleneck busy for so long, and this one, twice as large, fills the path (the original HyStart, which RFC 9438 §4.10 names).
    /// The smallest delay of a round tells that one round later, when a queue of the size of the path has overflowed.
    fn measure_train(&mut self, now: Instant) {
        let least_us = self.last_min_us.min(self.current_min_us);
        let (first, last) = self.train;
        let gap_us = u64::from((least_us / 8).max(TRAIN_GAP_US));
        let goes_on = self.train != NO_TRAIN && micros(now.saturating_since(last)) <= gap_us;
        let first = if goes_on { first } else { now };
        self.train = (first, now);
        if self.phase == Phase::SlowStart && micros(now.saturating_since(first)) > u64::from(least_us / 2) {
            self.phase = Phase::Conservative { baseline_us: 0, rounds: 0 };
        }
    }

    pub(super) fn rebase(&mut self, now: Instant) {
        if self.train != NO_TRAIN {
            self.train = (super::ago(self.train.0, now), super::ago(self.train.1, now));
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
            let growth = hystart.on_ack(MSS, flight, Some(Duration::from_micros(u64::from(*us))), L, Instant::ZERO);
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
            hystart.on_ack(MSS, 10 * MSS, None, L, Instant::ZERO);
            assert_eq!(hystart.left, if acked == 10 { 9 * MSS } else { (10 - acked) * MSS });
        }
        hystart.on_ack(9 * MSS, 12 * MSS, None, L, Instant::ZERO); // 3 are outstanding before the reaction to it is sent
        assert_eq!(hystart.left, 3 * MSS);
        hystart.on_ack(3 * MSS, 3 * MSS, None, L, Instant::ZERO);
        assert_eq!(hystart.left, 0); // nothing is: the next round is what is sent next
        hystart.on_ack(MSS, 5 * MSS, None, L, Instant::ZERO);
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

    /// Acknowledgments every `gap_us` for `train_us`, after a pause; the round trip is 40 ms.
    fn train(hystart: &mut HyStart, start_us: u64, gap_us: u64, train_us: u64) {
        for at in (start_us..=start_us + train_us).step_by(usize::try_from(gap_us).unwrap()) {
            hystart.on_ack(MSS, 1000 * MSS, Some(Duration::from_millis(40)), L, Instant::from_micros(at));
        }
    }

    #[test]
    fn a_train_longer_than_half_of_the_round_trip_ends_standard_slow_start() {
        for (gap, length, leaves) in [
            (1_000, 20_000, false),
            (1_000, 21_000, true),
            (5_000, 25_000, true), // an eighth of the round trip is no gap
            (5_001, 40_008, false),
        ] {
            let mut hystart = HyStart::new();
            train(&mut hystart, 0, 1_000, 15_000);
            train(&mut hystart, 40_000, gap, length); // a train of its own
            assert_eq!(is_conservative(&hystart), leaves, "{length} us with gaps of {gap}");
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
            hystart.on_ack(MSS, 10 * MSS, None, L, Instant::ZERO);
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
        assert_eq!(HyStart::new().on_ack(100 * MSS, 200 * MSS, None, L, Instant::ZERO).octets, 8 * MSS);
        assert_eq!(HyStart::new().on_ack(100 * MSS, 200 * MSS, None, u32::MAX, Instant::ZERO).octets, 100 * MSS);
        let mut hystart = HyStart::new();
        round(&mut hystart, &flat(10, 40_000));
        round(&mut hystart, &flat(8, 50_000));
        assert_eq!(hystart.on_ack(100 * MSS, 200 * MSS, None, L, Instant::ZERO).octets, 2 * MSS); // L, then a quarter
    }
}
