//! ProbeBW: the cycle of probes for bandwidth (§5.3.3).

use super::control::Gain;
use super::info::BbrState;
use super::model::{AckPhase, Model, NO_RATE, NO_VOLUME};
use super::sample::Sample;
use crate::Instant;
use crate::time::Micros;

/// A probe waits for so long, and up to a second more.
const PROBE_WAIT: Micros = Micros::from_secs(2);
const PROBE_WAIT_SPREAD_US: u64 = 1_000_000;
/// The most rounds that a flow leaves to Reno flows beside it.
const RENO_ROUNDS: u32 = 63;
/// The growth of inflight_longterm doubles so often at most.
const MOST_UP_ROUNDS: u32 = 30;

impl Model {
    pub(super) fn enter_probe_bw(&mut self, now: Instant) {
        self.start_probe_bw_down(now);
    }

    pub(super) fn start_probe_bw_down(&mut self, now: Instant) {
        self.reset_congestion_signals();
        self.probe_up_acked_per_inc = NO_VOLUME; // inflight_longterm does not grow
        self.pick_probe_wait();
        self.cycle_stamp = now;
        self.ack_phase = AckPhase::ProbeStopping;
        self.start_round();
        self.state = BbrState::ProbeBwDown;
    }

    pub(super) fn start_probe_bw_cruise(&mut self) {
        self.state = BbrState::ProbeBwCruise;
    }

    pub(super) fn start_probe_bw_refill(&mut self) {
        self.reset_short_term_model();
        self.bw_probe_up_rounds = 0;
        self.bw_probe_up_acked = 0;
        self.prev_probe_precautionary = false;
        self.ack_phase = AckPhase::Refilling;
        self.start_round();
        self.state = BbrState::ProbeBwRefill;
    }

    fn start_probe_bw_up(&mut self, sample: &Sample) {
        self.ack_phase = AckPhase::ProbeStarting;
        self.start_round();
        self.reset_full_bw();
        self.full_bw = sample.delivery_rate;
        self.state = BbrState::ProbeBwUp;
        self.raise_inflight_longterm_slope();
    }

    /// UpdateProbeBWCyclePhase (§5.3.3.9).
    pub(super) fn update_probe_bw_cycle_phase(&mut self, sample: &Sample) {
        if !self.full_bw_reached || self.adapt_long_term_model(sample) {
            return;
        }
        match self.state {
            BbrState::Startup | BbrState::Drain | BbrState::ProbeRtt => {}
            BbrState::ProbeBwDown => {
                if !self.is_time_to_probe_bw(sample.now) && self.is_time_to_cruise(sample) {
                    self.start_probe_bw_cruise();
                }
            }
            BbrState::ProbeBwCruise => {
                self.is_time_to_probe_bw(sample.now);
            }
            BbrState::ProbeBwRefill => {
                if self.round_start {
                    self.is_bw_probe_sample = true;
                    self.start_probe_bw_up(sample);
                }
            }
            BbrState::ProbeBwUp => {
                if self.is_time_to_go_down(sample) {
                    self.prev_probe_too_high = false; // no high loss yet
                    self.start_probe_bw_down(sample.now);
                }
            }
        }
    }

    pub(super) const fn is_in_a_probe_bw_state(&self) -> bool {
        match self.state {
            BbrState::ProbeBwDown | BbrState::ProbeBwCruise | BbrState::ProbeBwRefill | BbrState::ProbeBwUp => true,
            BbrState::Startup | BbrState::Drain | BbrState::ProbeRtt => false,
        }
    }

    /// IsProbingBW: it accelerates.
    pub(super) const fn is_probing_bw(&self) -> bool {
        match self.state {
            BbrState::Startup | BbrState::ProbeBwRefill | BbrState::ProbeBwUp => true,
            BbrState::Drain | BbrState::ProbeBwDown | BbrState::ProbeBwCruise | BbrState::ProbeRtt => false,
        }
    }

    /// IsTimeToCruise: there is headroom, and no queue.
    fn is_time_to_cruise(&self, sample: &Sample) -> bool {
        sample.inflight <= self.inflight_with_headroom() && sample.inflight <= self.inflight(self.max_bw(), Gain::ONE)
    }

    /// IsTimeToGoDown.
    fn is_time_to_go_down(&mut self, sample: &Sample) -> bool {
        if self.prev_probe_too_high && sample.inflight >= self.inflight_longterm {
            self.prev_probe_precautionary = true; // §5.3.3.6
            return true;
        }
        if self.is_cwnd_limited() && self.cwnd >= self.inflight_longterm {
            self.reset_full_bw(); // inflight_longterm limits the bandwidth
            self.full_bw = sample.delivery_rate;
            return false;
        }
        self.full_bw_now
    }

    /// IsTimeToProbeBW: then it does.
    fn is_time_to_probe_bw(&mut self, now: Instant) -> bool {
        let is_time = now > self.cycle_stamp + self.bw_probe_wait || self.is_reno_coexistence_probe_time();
        if is_time {
            self.start_probe_bw_refill();
        }
        is_time
    }

    /// IsRenoCoexistenceProbeTime, in packets: MinPipeCwnd at the least, since no window is smaller. Where a BDP has less
    /// than a packet, a probe would follow the other at once: no round would pass between them that advances the filter
    /// of max_bw, and a bandwidth that shrinks would never be forgotten.
    fn is_reno_coexistence_probe_time(&self) -> bool {
        let reno_rounds = self.target_inflight().max(self.min_pipe_cwnd()) / self.smss.max(1);
        self.rounds_since_probe_up >= reno_rounds.min(RENO_ROUNDS)
    }

    /// PickProbeWait.
    fn pick_probe_wait(&mut self) {
        self.rounds_since_probe_up = u32::from(self.random() % 2 == 1);
        self.bw_probe_wait = PROBE_WAIT + Micros::new(self.random() % PROBE_WAIT_SPREAD_US);
    }

    /// RaiseInflightLongtermSlope: 1, 2, 4, 8 … segments in a round.
    fn raise_inflight_longterm_slope(&mut self) {
        let growth = self.cwnd.checked_shr(self.bw_probe_up_rounds).unwrap_or(0);
        self.bw_probe_up_rounds = self.bw_probe_up_rounds.saturating_add(1).min(MOST_UP_ROUNDS);
        self.probe_up_acked_per_inc = growth.max(self.smss);
    }

    /// ProbeInflightLongtermUpward.
    pub(super) fn probe_inflight_longterm_upward(&mut self, sample: &Sample) {
        if !self.is_cwnd_limited() || self.cwnd < self.inflight_longterm {
            return; // it does not use inflight_longterm wholly
        }
        self.bw_probe_up_acked = self.bw_probe_up_acked.saturating_add(sample.newly_acked);
        let delta = self.bw_probe_up_acked.checked_div(self.probe_up_acked_per_inc).unwrap_or(0);
        if delta > 0 {
            let counted = delta.saturating_mul(self.probe_up_acked_per_inc);
            self.bw_probe_up_acked = self.bw_probe_up_acked.saturating_sub(counted);
            self.inflight_longterm = self.inflight_longterm.saturating_add(delta.saturating_mul(self.smss));
        }
        if self.round_start {
            self.raise_inflight_longterm_slope();
        }
    }

    /// AdaptLongTermModel: whether it decided a transition.
    fn adapt_long_term_model(&mut self, sample: &Sample) -> bool {
        if self.ack_phase == AckPhase::ProbeStarting && self.round_start {
            self.ack_phase = AckPhase::ProbeFeedback; // samples of the probe come from now on
        }
        if self.ack_phase == AckPhase::ProbeStopping && self.round_start {
            self.is_bw_probe_sample = false;
            self.ack_phase = AckPhase::Init;
            let in_probe_bw = self.is_in_a_probe_bw_state();
            if in_probe_bw && !sample.is_app_limited {
                self.advance_max_bw_filter();
            }
            if in_probe_bw && self.prev_probe_precautionary && !self.prev_probe_too_high {
                self.start_probe_bw_refill(); // §5.3.3.6
                return true;
            }
        }
        if sample.volume.is_inflight_too_high() || self.inflight_longterm == NO_VOLUME {
            return false;
        }
        self.inflight_longterm = self.inflight_longterm.max(sample.volume.tx_in_flight);
        if self.state == BbrState::ProbeBwUp {
            self.probe_inflight_longterm_upward(sample);
        }
        false
    }

    /// AdvanceMaxBwFilter (§5.5.6). A cycle without a sample counts as none: else nothing would be known.
    fn advance_max_bw_filter(&mut self) {
        let [_, this] = self.max_bw_filter;
        if this > 0 {
            self.max_bw_filter = [this, 0];
        }
    }

    /// ResetShortTermModel.
    pub(super) fn reset_short_term_model(&mut self) {
        self.bw_shortterm = NO_RATE;
        self.inflight_shortterm = NO_VOLUME;
    }
}
