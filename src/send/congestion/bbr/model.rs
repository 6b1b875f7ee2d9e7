//! The state of a BBR flow (§2), and how it starts (§5.2.1).

use super::filter::WindowedMax;
use super::info::BbrState;
use super::sample::Sample;
use crate::Instant;
use crate::send::congestion::{ago, sane_initial, sane_mss};
use crate::time::Micros;

/// Infinity, where a volume or a rate has no bound.
pub(super) const NO_VOLUME: u32 = u32::MAX;
pub(super) const NO_RATE: u64 = u64::MAX;
/// BBR.MinPipeCwnd, in segments.
const MIN_PIPE_CWND: u32 = 4;
/// Where nothing is measured yet, the initial pacing rate supposes this round trip (§5.6.2).
const NOMINAL_RTT: Micros = Micros::from_millis(1);

/// What acknowledgments tell of a probe for bandwidth (§2.14).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum AckPhase {
    Init,
    Refilling,
    ProbeStarting,
    ProbeFeedback,
    ProbeStopping,
}

/// BBR.undo_state: the state that a loss ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum UndoState {
    Startup,
    ProbeBwUp,
}

/// What a spurious loss recovery restores (§2.15).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Undo {
    pub(super) state: Option<UndoState>,
    pub(super) bw_shortterm: u64,
    pub(super) inflight_shortterm: u32,
    pub(super) inflight_longterm: u32,
}

/// BBR.* and C.* of the draft, in octets, octets per second and microseconds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Model {
    // C.*: the connection and the control parameters (§2.2, §2.4)
    pub(super) smss: u32,
    pub(super) initial_cwnd: u32,
    pub(super) cwnd: u32,
    pub(super) prior_cwnd: u32,
    pub(super) pacing_rate: u64,
    pub(super) send_quantum: u32,
    pub(super) delivered: u64,
    /// The window was full within the last round: until this much is delivered (C.is_cwnd_limited).
    pub(super) cwnd_limited_until: u64,
    /// InLossRecovery(), and whether that is fast recovery.
    pub(super) in_recovery: bool,
    pub(super) fast: bool,
    /// A loss of this event has saved the state already: entering recovery must not do so again.
    pub(super) saved: bool,
    /// A loss was undone since the last delivery was told: the round counts from that delivery on.
    pub(super) undone: bool,
    /// The initial pacing rate comes of a measured round trip.
    pub(super) paced_by_rtt: bool,
    /// The source of chance: the seed, and how often it was asked.
    pub(super) seed: u64,
    pub(super) draws: u64,

    // the state machine (§2.7)
    pub(super) state: BbrState,
    pub(super) round_count: u64,
    pub(super) round_start: bool,
    pub(super) next_round_delivered: u64,
    pub(super) idle_restart: bool,

    // the model of the path (§2.9)
    /// BBR.max_bw_filter: the last cycle and this one.
    pub(super) max_bw_filter: [u64; 2],
    pub(super) bw_shortterm: u64,
    pub(super) bw: u64,
    pub(super) min_rtt: Option<Micros>,
    pub(super) min_rtt_stamp: Instant,
    pub(super) inflight_longterm: u32,
    pub(super) inflight_shortterm: u32,

    // aggregation (§2.12)
    pub(super) extra_acked_filter: WindowedMax,
    pub(super) extra_acked_interval_start: Instant,
    pub(super) extra_acked_delivered: u64,

    // congestion (§2.10)
    pub(super) bw_latest: u64,
    pub(super) inflight_latest: u32,
    pub(super) loss_round_delivered: u64,
    pub(super) loss_round_start: bool,
    pub(super) is_loss_in_round: bool,
    /// Discontiguous ranges found lost in this round (§5.3.1.3).
    pub(super) lost_ranges: u32,
    pub(super) undo: Undo,

    // a full pipe (§2.13)
    pub(super) full_bw: u64,
    pub(super) full_bw_count: u8,
    pub(super) full_bw_now: bool,
    pub(super) full_bw_reached: bool,
    pub(super) drain_start_round: u64,
    /// In Startup: the longest round trip of this round, and whether one fell much below it.
    pub(super) round_rtt_high: Micros,
    pub(super) round_rtt_fell: bool,

    // ProbeBW (§2.14)
    pub(super) ack_phase: AckPhase,
    pub(super) is_bw_probe_sample: bool,
    pub(super) cycle_stamp: Instant,
    pub(super) bw_probe_wait: Micros,
    pub(super) rounds_since_probe_up: u32,
    pub(super) bw_probe_up_rounds: u32,
    pub(super) bw_probe_up_acked: u32,
    pub(super) probe_up_acked_per_inc: u32,
    pub(super) prev_probe_too_high: bool,
    pub(super) prev_probe_precautionary: bool,

    // ProbeRTT (§2.16)
    pub(super) probe_rtt_min_delay: Option<Micros>,
    pub(super) probe_rtt_min_stamp: Instant,
    pub(super) probe_rtt_expired: bool,
    pub(super) probe_rtt_done_stamp: Option<Instant>,
    pub(super) probe_rtt_round_done: bool,
}

impl Model {
    /// OnInit.
    pub(super) fn new(mss: u32, initial: u32, seed: u64, now: Instant) -> Self {
        let (smss, initial_cwnd) = (sane_mss(mss), sane_initial(initial, mss));
        let mut model = Self {
            smss,
            initial_cwnd,
            cwnd: initial_cwnd,
            prior_cwnd: 0,
            pacing_rate: 0,
            send_quantum: 0,
            delivered: 0,
            cwnd_limited_until: 0,
            in_recovery: false,
            fast: false,
            saved: false,
            undone: false,
            paced_by_rtt: false,
            seed,
            draws: 0,
            state: BbrState::Startup,
            round_count: 0,
            round_start: false,
            next_round_delivered: 0,
            idle_restart: false,
            max_bw_filter: [0; 2],
            bw_shortterm: NO_RATE,
            bw: 0,
            min_rtt: None,
            min_rtt_stamp: now,
            inflight_longterm: NO_VOLUME,
            inflight_shortterm: NO_VOLUME,
            extra_acked_filter: WindowedMax::default(),
            extra_acked_interval_start: now,
            extra_acked_delivered: 0,
            bw_latest: 0,
            inflight_latest: 0,
            loss_round_delivered: 0,
            loss_round_start: false,
            is_loss_in_round: false,
            lost_ranges: 0,
            undo: Undo {
                state: None,
                bw_shortterm: NO_RATE,
                inflight_shortterm: NO_VOLUME,
                inflight_longterm: NO_VOLUME,
            },
            full_bw: 0,
            full_bw_count: 0,
            full_bw_now: false,
            full_bw_reached: false,
            drain_start_round: 0,
            round_rtt_high: Micros::ZERO,
            round_rtt_fell: false,
            ack_phase: AckPhase::Init,
            is_bw_probe_sample: false,
            cycle_stamp: now,
            bw_probe_wait: Micros::ZERO,
            rounds_since_probe_up: 0,
            bw_probe_up_rounds: 0,
            bw_probe_up_acked: 0,
            probe_up_acked_per_inc: NO_VOLUME,
            prev_probe_too_high: false,
            prev_probe_precautionary: false,
            probe_rtt_min_delay: None,
            probe_rtt_min_stamp: now,
            probe_rtt_expired: false,
            probe_rtt_done_stamp: None,
            probe_rtt_round_done: false,
        };
        model.init_pacing_rate(NOMINAL_RTT);
        model
    }

    /// The rest of OnInit where round trips were measured before (§5.2.1, §5.6.2). BBR.min_rtt is the shortest of them; the
    /// draft takes C.srtt, which has the queue that the controller before kept. Like that of a sample, it lasts ten seconds.
    pub(super) fn init_rtt(&mut self, srtt: Micros, min_rtt: Micros) {
        self.min_rtt = Some(min_rtt);
        self.probe_rtt_min_delay = Some(min_rtt);
        self.init_pacing_rate(srtt);
        self.paced_by_rtt = true;
    }

    /// UpdateOnACK (§5.2.3).
    pub(super) fn update_on_ack(&mut self, sample: &Sample) {
        self.update_model_and_state(sample);
        self.update_control_parameters(sample);
    }

    fn update_model_and_state(&mut self, sample: &Sample) {
        self.update_latest_delivery_signals(sample);
        self.update_congestion_signals(sample);
        self.update_ack_aggregation(sample);
        self.check_full_bw_reached(sample);
        self.check_startup_done(sample);
        self.check_drain_done(sample);
        self.update_probe_bw_cycle_phase(sample);
        self.update_min_rtt(sample);
        self.check_probe_rtt(sample);
        self.advance_latest_delivery_signals(sample);
        self.bound_bw_for_model();
    }

    pub(super) fn max_bw(&self) -> u64 {
        let [last, this] = self.max_bw_filter;
        last.max(this)
    }

    pub(super) const fn min_pipe_cwnd(&self) -> u32 {
        self.smss.saturating_mul(MIN_PIPE_CWND)
    }

    /// C.is_cwnd_limited.
    pub(super) const fn is_cwnd_limited(&self) -> bool {
        self.delivered <= self.cwnd_limited_until
    }

    /// The next of the random numbers, from the seed alone (the finalizer of SplitMix64).
    pub(super) fn random(&mut self) -> u64 {
        self.draws = self.draws.wrapping_add(1);
        let mut z = self.seed.wrapping_add(self.draws.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Times become ages, rounds and deliveries count from now on: what it will do depends on nothing else.
    pub(super) fn rebase(&mut self, now: Instant) {
        let round = self.round_count;
        let delivered = self.delivered.saturating_sub(self.initial_cwnd.into()); // SetCwnd compares with it
        for at in [
            &mut self.min_rtt_stamp,
            &mut self.extra_acked_interval_start,
            &mut self.cycle_stamp,
            &mut self.probe_rtt_min_stamp,
        ] {
            *at = ago(*at, now);
        }
        self.probe_rtt_done_stamp = self.probe_rtt_done_stamp.map(|at| ago(at, now));
        for total in [&mut self.next_round_delivered, &mut self.loss_round_delivered, &mut self.cwnd_limited_until] {
            *total = total.wrapping_sub(delivered);
        }
        self.drain_start_round = self.drain_start_round.wrapping_sub(round);
        self.extra_acked_filter.rebase(round);
        (self.round_count, self.delivered) = (0, self.delivered - delivered);
    }
}
