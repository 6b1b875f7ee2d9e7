//! Startup and Drain (§5.3.1, §5.3.2).

use super::control::Gain;
use super::info::BbrState;
use super::model::{Model, UndoState};
use super::sample::Sample;
use crate::time::Micros;

/// Rounds with little growth that tell of a full pipe.
const FULL_BW_ROUNDS: u8 = 3;
/// Segments in a BDP from which on a single round tells of a queue.
const TELLING_SEGMENTS: u64 = 64;
/// BBR.StartupFullLossCnt: discontiguous ranges lost in a round.
const STARTUP_FULL_LOSS_CNT: u32 = 6;
/// Drain ends after this many rounds.
const DRAIN_ROUNDS: u64 = 3;

impl Model {
    pub(super) fn enter_startup(&mut self) {
        self.state = BbrState::Startup;
    }

    /// ResetFullBW.
    pub(super) fn reset_full_bw(&mut self) {
        self.full_bw = 0;
        self.full_bw_count = 0;
        self.full_bw_now = false;
    }

    /// CheckFullBWReached (§5.3.1.2): three rounds in which the bandwidth grew by less than a quarter; in Startup one, if
    /// a queue stood.
    pub(super) fn check_full_bw_reached(&mut self, sample: &Sample) {
        if self.state == BbrState::Startup {
            self.note_round_trip(sample);
        }
        self.judge_round(sample);
        if self.round_start {
            (self.round_rtt_high, self.round_rtt_fell) = (sample.rtt.unwrap_or(Micros::ZERO), false);
        }
    }

    /// The longest round trip of this round, and whether one fell from it by a quarter of BBR.min_rtt.
    fn note_round_trip(&mut self, sample: &Sample) {
        let (Some(rtt), Some(least)) = (sample.rtt, self.min_rtt) else { return };
        self.round_rtt_fell |= rtt + Micros::new(least.get() / 4) < self.round_rtt_high;
        self.round_rtt_high = self.round_rtt_high.max(rtt);
    }

    /// The rule, at the end of a round.
    fn judge_round(&mut self, sample: &Sample) {
        if self.full_bw_now || !self.round_start || sample.is_app_limited {
            return;
        }
        if sample.delivery_rate.saturating_mul(4) >= self.full_bw.saturating_mul(5) {
            self.reset_full_bw();
            self.full_bw = sample.delivery_rate; // still growing
            return;
        }
        self.full_bw_count = self.full_bw_count.saturating_add(1);
        let queued = self.state == BbrState::Startup && self.has_queue(sample);
        self.full_bw_now = queued || self.full_bw_count >= FULL_BW_ROUNDS;
        self.full_bw_reached |= self.full_bw_now;
    }

    /// Whether half a BDP more than the path holds was in flight, beyond what comes in aggregates, and nothing was lost.
    /// This is ours. The draft waits three rounds since a small receive window or a sender that is slow to start may be the
    /// limit; neither builds a queue. Two rounds more at twice the BDP are what overflows the buffer of one BDP. Where delays
    /// vary, more is in flight as well; but then the rate is not that of before, round trips fall again, or few segments tell.
    fn has_queue(&self, sample: &Sample) -> bool {
        let bdp = u64::from(self.bdp_multiple_of(self.max_bw(), Gain::ONE));
        let aggregated = u64::from(self.extra_acked_filter.get());
        let many = bdp >= u64::from(self.smss) * TELLING_SEGMENTS;
        let steady = sample.delivery_rate.saturating_mul(16) >= self.max_bw().saturating_mul(15);
        let queued = u64::from(sample.volume.tx_in_flight) * 2 >= (bdp + aggregated) * 2 + bdp;
        queued && many && steady && !self.round_rtt_fell && sample.volume.lost == 0
    }

    pub(super) fn check_startup_done(&mut self, sample: &Sample) {
        self.check_startup_high_loss(sample);
        if self.state == BbrState::Startup && self.full_bw_reached {
            self.enter_drain();
        }
    }

    /// CheckStartupHighLoss (§5.3.1.3). A round of losses began with the first of them: where it ends in fast recovery,
    /// recovery has lasted for a round.
    fn check_startup_high_loss(&mut self, sample: &Sample) {
        let lost_ranges = self.lost_ranges;
        if self.loss_round_start {
            self.lost_ranges = 0;
        }
        if self.state != BbrState::Startup || !self.in_recovery || !self.fast {
            return;
        }
        let high_loss = if sample.volume.sack {
            self.loss_round_start && sample.volume.is_inflight_too_high() && lost_ranges >= STARTUP_FULL_LOSS_CNT
        } else {
            lost_ranges > 0
        };
        if high_loss {
            self.undo.state = Some(UndoState::Startup);
            self.exit_startup_for_congestion();
        }
    }

    /// The losses, or marks, suggest how much is safe in flight.
    pub(super) fn exit_startup_for_congestion(&mut self) {
        self.full_bw_now = true;
        self.full_bw_reached = true;
        self.inflight_longterm = self.bdp_multiple(Gain::ONE).max(self.inflight_latest);
    }

    fn enter_drain(&mut self) {
        self.state = BbrState::Drain;
        self.drain_start_round = self.round_count;
    }

    /// CheckDrainDone: the queue is gone, or three rounds have passed.
    pub(super) fn check_drain_done(&mut self, sample: &Sample) {
        let drained = || sample.inflight <= self.inflight(self.bw, Gain::ONE);
        if self.state == BbrState::Drain
            && (self.round_count > self.drain_start_round.saturating_add(DRAIN_ROUNDS) || drained())
        {
            self.enter_probe_bw(sample.now);
        }
    }
}
