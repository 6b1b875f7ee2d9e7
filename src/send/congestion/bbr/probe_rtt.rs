//! The smallest round trip, ProbeRTT, and the restart after a pause (§5.3.4, §5.4).

use super::control::Gain;
use super::info::BbrState;
use super::model::{AckPhase, Model};
use super::sample::Sample;
use crate::Instant;
use crate::time::Micros;

/// BBR.ProbeRTTInterval: a MUST, so that flows drain the queue together.
const PROBE_RTT_INTERVAL: Micros = Micros::from_secs(5);
/// BBR.ProbeRTTDuration.
const PROBE_RTT_DURATION: Micros = Micros::from_millis(200);
/// BBR.MinRTTFilterLen.
const MIN_RTT_FILTER_LEN: Micros = Micros::from_secs(10);

impl Model {
    /// UpdateMinRTT (§5.3.4.3). A sample that is an eighth longer than the shortest, or less, shows that there is no
    /// queue: it refreshes the estimate, and no ProbeRTT is needed. This is ours: the draft wants one that is shorter,
    /// which a path without a queue never gives.
    pub(super) fn update_min_rtt(&mut self, sample: &Sample) {
        let now = sample.now;
        self.probe_rtt_expired = now > self.probe_rtt_min_stamp + PROBE_RTT_INTERVAL;
        if let Some(rtt) = sample.rtt {
            self.update_probe_rtt_min_delay(rtt, now);
        }
        let Some(delay) = self.probe_rtt_min_delay else { return };
        let min_rtt_expired = now > self.min_rtt_stamp + MIN_RTT_FILTER_LEN;
        if min_rtt_expired || self.min_rtt.is_none_or(|min_rtt| delay < min_rtt) {
            self.min_rtt = Some(delay);
            self.min_rtt_stamp = self.probe_rtt_min_stamp;
        }
    }

    fn update_probe_rtt_min_delay(&mut self, rtt: Micros, now: Instant) {
        let least = self.probe_rtt_min_delay.unwrap_or(rtt);
        if rtt <= least + least / 8 {
            self.probe_rtt_min_delay = Some(least.min(rtt));
            self.probe_rtt_expired = false;
        } else if self.probe_rtt_expired {
            self.probe_rtt_min_delay = Some(rtt);
        } else {
            return;
        }
        self.probe_rtt_min_stamp = now;
    }

    /// CheckProbeRTT.
    pub(super) fn check_probe_rtt(&mut self, sample: &Sample) {
        if self.state != BbrState::ProbeRtt && self.probe_rtt_expired && !self.idle_restart {
            self.state = BbrState::ProbeRtt;
            self.save_cwnd();
            self.probe_rtt_done_stamp = None;
            self.ack_phase = AckPhase::ProbeStopping;
            self.start_round();
        }
        if self.state == BbrState::ProbeRtt {
            self.handle_probe_rtt(sample);
        }
        if sample.delivered > 0 {
            self.idle_restart = false;
        }
    }

    /// HandleProbeRTT. That rates count as limited by the application, `Bbr::marks_application_limited` tells.
    fn handle_probe_rtt(&mut self, sample: &Sample) {
        if self.probe_rtt_done_stamp.is_some() {
            self.probe_rtt_round_done |= self.round_start;
            if self.probe_rtt_round_done {
                self.check_probe_rtt_done(sample.now);
            }
        } else if sample.inflight <= self.probe_rtt_cwnd() {
            self.probe_rtt_done_stamp = Some(sample.now + PROBE_RTT_DURATION);
            self.probe_rtt_round_done = false;
            self.start_round();
        }
    }

    fn check_probe_rtt_done(&mut self, now: Instant) {
        if self.probe_rtt_done_stamp.is_some_and(|done| now > done) {
            self.probe_rtt_min_stamp = now; // the next ProbeRTT
            self.restore_cwnd();
            self.exit_probe_rtt(now);
        }
    }

    /// ExitProbeRTT (§5.3.4.4).
    fn exit_probe_rtt(&mut self, now: Instant) {
        self.reset_short_term_model();
        if self.full_bw_reached {
            self.start_probe_bw_down(now);
            self.start_probe_bw_cruise();
        } else {
            self.enter_startup();
        }
    }

    /// HandleRestartFromIdle (§5.4.1).
    pub(super) fn handle_restart_from_idle(&mut self, now: Instant) {
        self.idle_restart = true;
        self.extra_acked_interval_start = now;
        if self.is_in_a_probe_bw_state() {
            self.set_pacing_rate_with_gain(Gain::ONE);
        } else if self.state == BbrState::ProbeRtt {
            self.check_probe_rtt_done(now);
        }
    }
}
