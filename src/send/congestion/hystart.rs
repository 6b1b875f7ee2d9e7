//! HyStart++: leaving slow start before it overflows the queue (RFC 9406).

use super::Acked;
use crate::Instant;
use crate::time::Micros;

// RFC 9406 §4.3
const MIN_RTT_THRESH_US: u32 = 4_000;
const MAX_RTT_THRESH_US: u32 = 16_000;
const MIN_RTT_DIVISOR: u32 = 8;
const N_RTT_SAMPLE: u8 = 8;
const CSS_GROWTH_DIVISOR: u32 = 4;
const CSS_ROUNDS: u8 = 5;
/// L without pacing, in segments.
const L: u32 = 8;

/// Acknowledgments belong to one train while the gaps between them are no longer than this part of the smallest round
/// trip. A fixed time would join the rounds of a path whose round trip is no longer.
const TRAIN_GAP_DIVISOR: u32 = 8;

/// A paced train is as long only when the window has filled the path already. It does not grow in the round of the
/// train and the next: the delay of what leaves in them tells whether it was chance.
const HELD_ROUNDS: u8 = 2;

/// A smallest round-trip time that is not known.
const INFINITY: u32 = u32::MAX;

/// Before the first acknowledgment; no instant of the machine is so late.
const NO_TRAIN: Instant = Instant::from_micros(u64::MAX);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Phase {
    /// Standard slow start.
    SlowStart,
    /// Conservative slow start.
    Conservative {
        sign: Sign,
        /// Rounds that ended in this phase.
        rounds: u8,
    },
    /// Delay and train agree that the path is full.
    Full,
}

/// Why slow start became conservative.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Sign {
    /// The delay grew, perhaps by chance.
    Delay,
    /// A long train of acknowledgments came.
    Train,
}

/// The rounds of the initial slow start and the smallest round-trip time of each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct HyStart {
    phase: Phase,
    /// In conservative slow start the smallest round-trip time when it began: cssBaselineMinRtt; else 0.
    baseline_us: u32,
    /// Octets still to be acknowledged up to windowEnd; 0 where the next acknowledgment begins a round.
    left: u32,
    /// lastRoundMinRTT and currentRoundMinRTT.
    last_min_us: u32,
    current_min_us: u32,
    /// rttSampleCount.
    samples: u8,
    /// The first acknowledgment of a train, and how much later the last of it came, in microseconds.
    train: Instant,
    train_us: u32,
    /// The application wrote now and then, in less than the window: acknowledgments are as far apart, and so is all
    /// that they let go. No train tells of the path until a pause.
    spread: bool,
}

/// What slow start does on an acknowledgment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Growth {
    /// Octets to add.
    pub(super) octets: u32,
    /// Slow start is over: ssthresh becomes the window.
    pub(super) ends: bool,
}

/// Whether the smallest round trip has grown by RttThresh or more.
fn has_grown(from_us: u32, to_us: u32) -> bool {
    let thresh = (from_us / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESH_US, MAX_RTT_THRESH_US);
    to_us >= from_us.saturating_add(thresh)
}

impl HyStart {
    pub(super) const fn new() -> Self {
        Self {
            phase: Phase::SlowStart,
            baseline_us: 0,
            left: 0,
            last_min_us: INFINITY,
            current_min_us: INFINITY,
            samples: 0,
            train: NO_TRAIN,
            train_us: 0,
            spread: false,
        }
    }

    /// An acknowledgment came in slow start.
    #[inline]
    pub(super) fn on_ack(&mut self, acked: &Acked, mss: u32, paced: bool) -> Growth {
        if self.left == 0 {
            self.left = acked.flight; // windowEnd = SND.NXT
        }
        let limit = if paced { u32::MAX } else { mss.saturating_mul(L) };
        let standard = acked.octets.min(limit);
        let octets = match self.phase {
            Phase::SlowStart => standard,
            Phase::Conservative { sign: Sign::Train, rounds: 0..HELD_ROUNDS } if paced => 0,
            Phase::Conservative { .. } | Phase::Full => standard / CSS_GROWTH_DIVISOR,
        };
        if let Some(rtt_us) = acked.rtt_us {
            self.current_min_us = self.current_min_us.min(rtt_us);
            self.samples = self.samples.saturating_add(1);
        }
        self.judge();
        self.measure_train(acked, paced);
        self.left = self.left.saturating_sub(acked.octets);
        let over = self.left == 0 && self.end_round(acked.flight.saturating_sub(acked.octets));
        let late = paced && self.phase == Phase::Full; // a paced train is as long when the window has filled the path already
        Growth { octets, ends: (over || late) && !acked.application_limited }
    }

    /// Has the delay grown, or shrunk again?
    fn judge(&mut self) {
        if self.samples < N_RTT_SAMPLE || self.current_min_us == INFINITY {
            return;
        }
        let (current_us, baseline_us) = (self.current_min_us, self.baseline_us);
        match self.phase {
            Phase::SlowStart if has_grown(self.last_min_us, current_us) => {
                self.enter_conservative(Sign::Delay, current_us);
            }
            Phase::Conservative { sign: Sign::Delay, .. } if current_us < baseline_us => {
                self.leave_conservative(Phase::SlowStart); // the delay had grown by chance
            }
            Phase::Conservative { sign: Sign::Train, .. } if has_grown(baseline_us, current_us) => {
                self.leave_conservative(Phase::Full);
            }
            Phase::SlowStart | Phase::Conservative { .. } | Phase::Full => {}
        }
    }

    const fn enter_conservative(&mut self, sign: Sign, baseline_us: u32) {
        self.phase = Phase::Conservative { sign, rounds: 0 };
        self.baseline_us = baseline_us;
    }

    const fn leave_conservative(&mut self, phase: Phase) {
        self.phase = phase;
        self.baseline_us = 0;
    }

    /// A train of acknowledgments that is longer than half of the round trip: the window of the last round kept the
    /// bottleneck busy for so long, and this one, twice as large, fills the path (the original HyStart, which RFC 9438
    /// §4.10 names). The smallest delay of a round tells that one round later, when a queue of the size of the path has
    /// overflowed. Where both tell it, it is no chance.
    fn measure_train(&mut self, acked: &Acked, paced: bool) {
        let (least_us, now) = (self.last_min_us.min(self.current_min_us), acked.now);
        if acked.application_limited {
            (self.train, self.train_us) = (NO_TRAIN, 0); // as long as the user writes
            self.spread |= !acked.window_limited;
        }
        if acked.application_limited || self.spread {
            return;
        }
        let last = self.train + Micros::from_u32(self.train_us);
        let gap = Micros::from_u32(least_us / TRAIN_GAP_DIVISOR);
        if self.train == NO_TRAIN || now.since(last) > gap {
            self.train = now;
        }
        let length = now.since(self.train);
        self.train_us = length.saturated();
        if length.get() <= longest_train(least_us, acked, paced) {
            return;
        }
        match self.phase {
            Phase::SlowStart => self.enter_conservative(Sign::Train, least_us),
            Phase::Conservative { sign: Sign::Delay, .. } => self.leave_conservative(Phase::Full),
            Phase::Conservative { sign: Sign::Train, .. } | Phase::Full => {}
        }
    }

    pub(super) fn rebase(&mut self, now: Instant) {
        let Self {
            phase: _,
            baseline_us: _,
            left: _,
            last_min_us: _,
            current_min_us: _,
            samples: _,
            train: _,
            train_us: _,
            spread: _,
        } = self; // a field that is added has to be looked at here
        if self.train != NO_TRAIN {
            self.train = super::ago(self.train, now);
        }
    }

    /// windowEnd is acknowledged; the next round ends with the `flight` octets that are outstanding. Returns whether
    /// slow start is over.
    fn end_round(&mut self, flight: u32) -> bool {
        self.left = flight;
        self.last_min_us = core::mem::replace(&mut self.current_min_us, INFINITY);
        self.samples = 0;
        match &mut self.phase {
            Phase::SlowStart => false,
            Phase::Full => true,
            Phase::Conservative { rounds, .. } => {
                // The round in which it began counts, if only a part of it. A user that writes little makes any number.
                *rounds = rounds.saturating_add(1);
                *rounds >= CSS_ROUNDS
            }
        }
    }
}

/// The longest train, in microseconds, on a path that is not full yet. The pacer sends a window of slow start in up to
/// two thirds of SRTT, however fast the path is: at twice the window in a round trip, where half of what leaves must
/// wait for acknowledgments that were spread in the same way.
fn longest_train(least_us: u32, acked: &Acked, paced: bool) -> u64 {
    if !paced {
        return u64::from(least_us / 2);
    }
    let round_trip = u64::from(least_us).max(u64::from(acked.srtt_us.unwrap_or_default()));
    round_trip - round_trip / 4
}

#[cfg(test)]
mod tests;
