//! The control parameters: pacing rate, send quantum and congestion window (§5.6).

use super::info::BbrState;
use super::model::{Model, NO_VOLUME};
use super::sample::{Sample, rate_over, volume_of};
use crate::send::congestion::MAX_CWND;
use crate::time::Micros;

/// BBR.PacingMarginPercent.
const PACING_MARGIN_PERCENT: u64 = 1;
/// The largest send quantum, and how long it takes at least to send one (§5.6.3).
const MAX_QUANTUM: u32 = 64 * 1024;
const QUANTUM_TIME: Micros = Micros::from_millis(1);
/// Quanta in the offload budget of a TCP (§5.5.8.1).
const OFFLOAD_QUANTA: u32 = 3;

/// A gain, in hundredths (§5.6.1): each of the draft's is a whole number of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gain(u16);

impl Gain {
    pub(super) const ONE: Self = Self(100);
    pub(super) const STARTUP_PACING: Self = Self(277); // 4 ln 2

    pub(super) const fn percent(self) -> u16 {
        self.0
    }

    pub(super) fn of(self, value: u64) -> u64 {
        value.saturating_mul(self.0.into()).div_ceil(100)
    }

    /// The pacing rate for `bw` (§5.6.2).
    fn pace(self, bw: u64) -> u64 {
        self.of(bw).saturating_mul(100 - PACING_MARGIN_PERCENT) / 100
    }

    /// The bandwidth for which this is the pacing rate; of Drain no more is undone than of ProbeBW_DOWN.
    pub(super) fn undo(self, rate: u64) -> u64 {
        let paced = u64::from(self.0.max(90)) * (100 - PACING_MARGIN_PERCENT);
        rate.saturating_mul(10_000).checked_div(paced).unwrap_or(rate)
    }
}

/// A volume as the window counts it; what is larger than any window has no bound.
pub(super) fn octets(volume: u64) -> u32 {
    u32::try_from(volume).unwrap_or(NO_VOLUME)
}

impl Model {
    /// BBR.pacing_gain, which the state decides.
    pub(super) const fn pacing_gain(&self) -> Gain {
        match self.state {
            BbrState::Startup => Gain::STARTUP_PACING,
            BbrState::Drain => Gain(50),
            BbrState::ProbeBwDown => Gain(90),
            BbrState::ProbeBwCruise | BbrState::ProbeBwRefill | BbrState::ProbeRtt => Gain::ONE,
            BbrState::ProbeBwUp => Gain(125),
        }
    }

    /// BBR.cwnd_gain, which the state decides.
    pub(super) const fn cwnd_gain(&self) -> Gain {
        match self.state {
            BbrState::Startup
            | BbrState::Drain
            | BbrState::ProbeBwDown
            | BbrState::ProbeBwCruise
            | BbrState::ProbeBwRefill => Gain(200),
            BbrState::ProbeBwUp => Gain(225),
            BbrState::ProbeRtt => Gain(50),
        }
    }

    pub(super) fn update_control_parameters(&mut self, sample: &Sample) {
        self.set_pacing_rate();
        self.set_send_quantum();
        self.set_cwnd(sample);
    }

    /// InitPacingRate: the initial window in a round trip.
    pub(super) fn init_pacing_rate(&mut self, srtt: Micros) {
        let nominal_bandwidth = rate_over(self.initial_cwnd, srtt);
        self.pacing_rate = Gain::STARTUP_PACING.of(nominal_bandwidth).max(1);
        self.set_send_quantum();
    }

    pub(super) fn set_pacing_rate_with_gain(&mut self, gain: Gain) {
        let rate = gain.pace(self.bw);
        if rate > 0 && (self.full_bw_reached || rate > self.pacing_rate) {
            self.pacing_rate = rate;
        }
    }

    fn set_pacing_rate(&mut self) {
        self.set_pacing_rate_with_gain(self.pacing_gain());
    }

    /// SetSendQuantum, of what the bandwidth is worth where the pacing rate is more. This is ours (§5.6.3 allows it): in
    /// Startup the pacing rate never falls, and where it began far above a slow path, three quanta of it would be a
    /// window of many seconds. The rounds would be longer than ProbeRTT's interval then, and Startup would never end.
    pub(super) fn set_send_quantum(&mut self) {
        let worth = if self.bw > 0 { self.pacing_gain().pace(self.bw) } else { u64::MAX };
        let rate = self.pacing_rate.min(worth);
        let quantum = octets(volume_of(rate, QUANTUM_TIME)).min(MAX_QUANTUM);
        self.send_quantum = quantum.max(self.smss.saturating_mul(2));
    }

    /// BDPMultiple, of BBR.bw.
    pub(super) fn bdp_multiple(&self, gain: Gain) -> u32 {
        self.bdp_multiple_of(self.bw, gain)
    }

    pub(super) fn bdp_multiple_of(&self, bw: u64, gain: Gain) -> u32 {
        match self.min_rtt {
            None => self.initial_cwnd, // no valid RTT samples yet
            Some(min_rtt) => octets(gain.of(volume_of(bw, min_rtt))),
        }
    }

    /// QuantizationBudget.
    fn quantization_budget(&self, inflight_cap: u32) -> u32 {
        let offload_budget = self.send_quantum.saturating_mul(OFFLOAD_QUANTA);
        let inflight_cap = inflight_cap.max(offload_budget).max(self.min_pipe_cwnd());
        if self.state == BbrState::ProbeBwUp {
            inflight_cap.saturating_add(self.smss.saturating_mul(2))
        } else {
            inflight_cap
        }
    }

    /// Inflight(gain), of a bandwidth.
    pub(super) fn inflight(&self, bw: u64, gain: Gain) -> u32 {
        self.quantization_budget(self.bdp_multiple_of(bw, gain))
    }

    /// BBR.max_inflight.
    pub(super) fn max_inflight(&self) -> u32 {
        let inflight_cap = self.bdp_multiple(self.cwnd_gain()).saturating_add(self.extra_acked_filter.get());
        self.quantization_budget(inflight_cap)
    }

    /// TargetInflight: the BDP, where the window allows it.
    pub(super) fn target_inflight(&self) -> u32 {
        self.bdp_multiple(Gain::ONE).min(self.cwnd)
    }

    /// InflightWithHeadroom: room in the bottleneck for others (BBR.Headroom = 0.15).
    pub(super) fn inflight_with_headroom(&self) -> u32 {
        if self.inflight_longterm == NO_VOLUME {
            return NO_VOLUME;
        }
        let headroom = self.smss.max(octets(u64::from(self.inflight_longterm) * 15 / 100));
        self.inflight_longterm.saturating_sub(headroom).max(self.min_pipe_cwnd())
    }

    /// SetCwnd (§5.6.4.6).
    fn set_cwnd(&mut self, sample: &Sample) {
        let max_inflight = self.max_inflight();
        let grown = if sample.is_marked { self.cwnd } else { self.cwnd.saturating_add(sample.newly_acked) };
        if self.full_bw_reached {
            self.cwnd = grown.min(max_inflight);
        } else if self.cwnd < max_inflight || self.delivered < u64::from(self.initial_cwnd) {
            self.cwnd = grown;
        }
        self.cwnd = self.cwnd.max(self.min_pipe_cwnd());
        self.bound_cwnd_for_probe_rtt();
        self.bound_cwnd_for_model();
        self.cwnd = self.cwnd.min(MAX_CWND);
    }

    pub(super) fn probe_rtt_cwnd(&self) -> u32 {
        self.bdp_multiple(Gain(50)).max(self.min_pipe_cwnd())
    }

    fn bound_cwnd_for_probe_rtt(&mut self) {
        if self.state == BbrState::ProbeRtt {
            self.cwnd = self.cwnd.min(self.probe_rtt_cwnd());
        }
    }

    /// BoundCwndForModel (§5.6.4.7).
    fn bound_cwnd_for_model(&mut self) {
        let cap = match self.state {
            BbrState::ProbeBwDown | BbrState::ProbeBwRefill | BbrState::ProbeBwUp => self.inflight_longterm,
            BbrState::ProbeRtt | BbrState::ProbeBwCruise => self.inflight_with_headroom(),
            BbrState::Startup | BbrState::Drain => NO_VOLUME,
        };
        let cap = cap.min(self.inflight_shortterm).max(self.min_pipe_cwnd());
        self.cwnd = self.cwnd.min(cap);
    }

    /// SaveCwnd: the last window that neither loss recovery nor ProbeRTT has modulated.
    pub(super) fn save_cwnd(&mut self) {
        let modulated = self.in_recovery || self.state == BbrState::ProbeRtt;
        self.prior_cwnd = if modulated { self.prior_cwnd.max(self.cwnd) } else { self.cwnd };
    }

    pub(super) fn restore_cwnd(&mut self) {
        self.cwnd = self.cwnd.max(self.prior_cwnd);
    }
}
