//! The model of the path: rounds, bandwidth, aggregation, and how losses change it (§5.5).

use super::control::{Gain, octets};
use super::info::BbrState;
use super::model::{AckPhase, Model, NO_RATE, NO_VOLUME, UndoState};
use super::sample::{Sample, Volume, inflight_at_loss, volume_of};
use crate::Instant;
use crate::send::congestion::Lost;

/// BBR.ExtraAckedFilterLen: rounds; one in Startup.
const EXTRA_ACKED_FILTER_LEN: u64 = 10;

/// BBR.Beta = 0.7.
fn beta(value: u64) -> u64 {
    value / 10 * 7 + value % 10 * 7 / 10
}

fn beta_of_volume(volume: u32) -> u32 {
    octets(beta(volume.into()))
}

impl Model {
    /// UpdateRound (§5.5.1).
    fn update_round(&mut self, sample: &Sample) {
        self.round_start = sample.prior_delivered.is_some_and(|prior| prior >= self.next_round_delivered);
        if self.round_start {
            self.start_round();
            self.round_count = self.round_count.saturating_add(1);
            self.rounds_since_probe_up = self.rounds_since_probe_up.saturating_add(1);
        }
    }

    pub(super) fn start_round(&mut self) {
        self.next_round_delivered = self.delivered;
    }

    /// UpdateMaxBw (§5.5.5).
    fn update_max_bw(&mut self, sample: &Sample) {
        self.update_round(sample);
        let rate = sample.delivery_rate;
        if rate > self.max_bw() {
            // Ours: what came was no aggregate. The path is faster than it was thought to be.
            self.extra_acked_delivered = 0;
            self.extra_acked_interval_start = sample.now;
        }
        if rate > 0 && (rate >= self.max_bw() || !sample.is_app_limited) {
            let [_, this] = &mut self.max_bw_filter;
            *this = rate.max(*this);
        }
    }

    /// UpdateLatestDeliverySignals (§5.5.10.3).
    pub(super) fn update_latest_delivery_signals(&mut self, sample: &Sample) {
        self.bw_latest = self.bw_latest.max(sample.delivery_rate);
        self.inflight_latest = self.inflight_latest.max(sample.delivered);
        self.loss_round_start = sample.prior_delivered.is_some_and(|prior| prior >= self.loss_round_delivered);
        if self.loss_round_start {
            self.loss_round_delivered = self.delivered;
        }
    }

    /// AdvanceLatestDeliverySignals.
    pub(super) fn advance_latest_delivery_signals(&mut self, sample: &Sample) {
        if self.loss_round_start {
            self.bw_latest = sample.delivery_rate;
            self.inflight_latest = sample.delivered;
        }
    }

    pub(super) fn reset_congestion_signals(&mut self) {
        self.is_loss_in_round = false;
        self.bw_latest = 0;
        self.inflight_latest = 0;
    }

    /// UpdateCongestionSignals.
    pub(super) fn update_congestion_signals(&mut self, sample: &Sample) {
        self.update_max_bw(sample);
        if self.loss_round_start {
            self.adapt_lower_bounds_from_congestion();
            self.is_loss_in_round = false;
        }
    }

    /// AdaptLowerBoundsFromCongestion: once per round with a loss, where the flow does not accelerate.
    fn adapt_lower_bounds_from_congestion(&mut self) {
        if self.is_probing_bw() || !self.is_loss_in_round {
            return;
        }
        self.init_lower_bounds();
        // LossLowerBounds
        let bw_latest = self.bw_latest_at_full_rate().min(self.bw_shortterm);
        self.bw_shortterm = bw_latest.max(beta(self.bw_shortterm));
        self.inflight_shortterm = self.inflight_latest.max(beta_of_volume(self.inflight_shortterm));
    }

    /// InitLowerBounds.
    fn init_lower_bounds(&mut self) {
        if self.bw_shortterm == NO_RATE {
            self.bw_shortterm = self.max_bw();
        }
        if self.inflight_shortterm == NO_VOLUME {
            self.inflight_shortterm = self.cwnd;
        }
    }

    /// BBR.bw_latest, as it would be at the pacing gain of 1. A flow that paces at nine tenths, less the margin, delivers
    /// no more, whatever the path takes. This is ours: with the draft's each round with a loss lowers the rate by the
    /// margin, and one in ProbeBW_DOWN by a tenth, for the rest of the cycle. Until the round that began with
    /// ProbeBW_DOWN, or ProbeRTT, is over, what is delivered left before it, and was not slowed down.
    fn bw_latest_at_full_rate(&self) -> u64 {
        if self.ack_phase == AckPhase::ProbeStopping { self.bw_latest } else { self.pacing_gain().undo(self.bw_latest) }
    }

    pub(super) fn bound_bw_for_model(&mut self) {
        self.bw = self.max_bw().min(self.bw_shortterm);
    }

    /// UpdateACKAggregation (§5.5.9). What the path takes is max_bw; this is ours. The draft's bw is less where losses lowered
    /// bw_shortterm, and all that the path delivered then would be an aggregate, for which the window grows.
    pub(super) fn update_ack_aggregation(&mut self, sample: &Sample) {
        let mut expected = volume_of(self.max_bw(), sample.now.since(self.extra_acked_interval_start));
        if self.extra_acked_delivered <= expected {
            self.extra_acked_delivered = 0; // the acknowledgments came more slowly than expected
            self.extra_acked_interval_start = sample.now;
            expected = 0;
        }
        self.extra_acked_delivered = self.extra_acked_delivered.saturating_add(sample.newly_acked.into());
        let extra = octets(self.extra_acked_delivered.saturating_sub(expected)).min(self.cwnd);
        let filter_len = if self.full_bw_reached { EXTRA_ACKED_FILTER_LEN } else { 1 };
        self.extra_acked_filter.update(extra, self.round_count, filter_len);
    }

    /// NoteLoss. What a mistake would restore is saved by the first loss of an episode, before that ends a state. The
    /// draft saves at the first of each round, and ProbeBW_DOWN begins one: there the second loss of the event that ended
    /// ProbeBW_UP would forget which state it was.
    fn note_loss(&mut self) {
        if !self.is_loss_in_round {
            self.loss_round_delivered = self.delivered;
        }
        if !self.in_recovery && !self.saved {
            self.save_state_upon_loss();
            self.saved = true;
        }
        self.is_loss_in_round = true;
    }

    /// Whether a loss tells of congestion: a queue stood when the segment left, of `quarters` quarters of a BDP, or more
    /// than an eighth of what was in flight is lost, as before a policer. Other losses are random, and slowing down would
    /// not lessen them. This is ours: the draft's model heeds each of them.
    fn is_congestive(&self, lost: &Lost, quarters: u64) -> bool {
        let bdp = self.bdp_multiple(Gain::ONE).max(self.min_pipe_cwnd());
        let queued = u64::from(lost.tx_in_flight) * 4 > u64::from(bdp) * (4 + quarters);
        let many = u64::from(lost.lost) * 8 > u64::from(lost.tx_in_flight);
        queued || many || !lost.sack
    }

    /// HandleLostPacket (§5.5.10.2). A probe for bandwidth makes a queue of a quarter of a BDP by itself: it heeds the
    /// losses from there on. What a random loss sets inflight_longterm to then leaves a BDP after the headroom.
    pub(super) fn handle_lost_packet(&mut self, lost: &Lost) {
        self.lost_ranges = self.lost_ranges.saturating_add(u32::from(!lost.adjoins || self.lost_ranges == 0));
        if self.state == BbrState::Startup || self.is_congestive(lost, 2) {
            self.note_loss(); // Startup counts a round from its first loss (§5.3.1.3)
        }
        let volume = Volume { tx_in_flight: lost.tx_in_flight, lost: lost.lost, sack: lost.sack };
        // only what was sent while the flow probed for bandwidth
        if self.is_bw_probe_sample && volume.is_inflight_too_high() && self.is_congestive(lost, 1) {
            self.note_loss();
            let inflight = inflight_at_loss(lost).unwrap_or(self.inflight_longterm);
            self.handle_inflight_too_high(inflight, lost.application_limited, lost.now);
        }
    }

    /// HandleInflightTooHigh: once per probe.
    pub(super) fn handle_inflight_too_high(&mut self, inflight: u32, is_app_limited: bool, now: Instant) {
        self.prev_probe_too_high = true;
        self.is_bw_probe_sample = false;
        if !is_app_limited {
            self.inflight_longterm = inflight.max(beta_of_volume(self.target_inflight()));
        }
        if self.state == BbrState::ProbeBwUp {
            self.undo.state = Some(UndoState::ProbeBwUp);
            self.start_probe_bw_down(now);
        }
    }

    /// SaveStateUponLoss (§5.5.11.1).
    pub(super) fn save_state_upon_loss(&mut self) {
        self.save_cwnd();
        self.undo.state = None;
        self.undo.bw_shortterm = self.bw_shortterm;
        self.undo.inflight_shortterm = self.inflight_shortterm;
        self.undo.inflight_longterm = self.inflight_longterm;
    }

    /// HandleSpuriousLossDetection (§5.5.11.2).
    pub(super) fn handle_spurious_loss_detection(&mut self) {
        self.restore_cwnd();
        self.is_loss_in_round = false;
        self.reset_full_bw();
        self.bw_shortterm = self.bw_shortterm.max(self.undo.bw_shortterm);
        self.inflight_shortterm = self.inflight_shortterm.max(self.undo.inflight_shortterm);
        self.inflight_longterm = self.inflight_longterm.max(self.undo.inflight_longterm);
        match self.undo.state.take() {
            Some(UndoState::Startup) if self.state != BbrState::Startup => {
                self.full_bw_reached = false;
                if self.state != BbrState::ProbeRtt {
                    self.enter_startup();
                }
            }
            Some(UndoState::ProbeBwUp) if self.state != BbrState::ProbeBwUp => {
                if self.state != BbrState::ProbeRtt {
                    self.start_probe_bw_refill();
                }
            }
            Some(UndoState::Startup | UndoState::ProbeBwUp) | None => {}
        }
    }

    /// A congestion mark, once in a window of data: the draft names no response, and RFC 8311 §4.1 asks for one (§3.7).
    /// It ends Startup as it ends a slow start; in a probe it says that too much was in flight; elsewhere the bounds fall
    /// as for a round of losses, but whatever was delivered: the mark comes before the queue is full.
    pub(super) fn handle_mark(&mut self, inflight: u32, now: Instant) {
        if self.state == BbrState::Startup {
            self.exit_startup_for_congestion();
        } else if self.is_bw_probe_sample {
            self.handle_inflight_too_high(inflight, false, now);
        } else if !self.is_probing_bw() {
            self.init_lower_bounds();
            self.bw_shortterm = beta(self.bw_shortterm);
            self.inflight_shortterm = beta_of_volume(self.inflight_shortterm);
            self.bound_bw_for_model();
        }
    }
}
