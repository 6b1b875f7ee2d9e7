//! BBRv3: a model of the path instead of a window that loss cuts (draft-ietf-ccwg-bbr, the editors' copy of
//! 2026-08-03). Clauses without another name are the draft's, and its functions keep their names.
//!
//! * `model`: the state (§2) and what each acknowledgment does with it (§5.2).
//! * `sample`: RS and P, what one acknowledgment or loss tells (§4).
//! * `startup`, `probe_bw`, `probe_rtt`: the state machine (§5.3, §5.4).
//! * `path`: the bounds of rate and volume, and their undo (§5.5).
//! * `control`: pacing rate, send quantum and window (§5.6).

mod control;
mod filter;
mod info;
mod model;
mod path;
mod probe_bw;
mod probe_rtt;
mod sample;
mod startup;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use core::time::Duration;

use super::{Acked, Congestion, Controller, Delivery, Lost, MAX_CWND, Signal, sane_mss};
use crate::Instant;
pub use info::{BbrInfo, BbrState};
use model::Model;
use sample::Sample;

/// BBR, version 3. It paces whether `Config::pacing` is on or not.
///
/// The draft is experimental. The flow keeps the queue short, and random losses hardly slow it down: where no queue stands,
/// up to an eighth of what is in flight may be lost. `docs/figures.md` has figures, and `docs/conformance/bbr.md` tells
/// where it differs from the draft.
///
/// ```
/// use segue::congestion::{Algorithm, Bbr, BbrState};
/// use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
/// let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
/// let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 0 };
/// let algorithm = Algorithm::Bbr(Bbr::default());
/// let (tcp, _) = Connection::connect_with(algorithm, config, path, secrets, Instant::ZERO);
/// let Some(Algorithm::Bbr(bbr)) = tcp.controller() else { panic!("it has a controller") };
/// assert_eq!(bbr.info().state, BbrState::Startup);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bbr(Box<Model>);

impl Default for Bbr {
    fn default() -> Self {
        Self(Box::new(Model::new(536, 536, 0, Instant::ZERO)))
    }
}

impl Bbr {
    /// The variables of the flow.
    ///
    /// ```
    /// use segue::congestion::Bbr;
    /// assert_eq!(Bbr::default().info().pacing_gain_percent, 277);
    /// ```
    pub fn info(&self) -> BbrInfo {
        self.0.info()
    }

    /// RestoreCwnd where loss recovery has ended (§5.6.4.4). It may have begun untold, where the reduction for a mark
    /// covers the loss (RFC 3168 §6.1.2).
    fn follow_recovery(&mut self, recovering: bool) {
        if recovering && !self.0.in_recovery {
            self.enter_recovery(true);
        }
        let model = &mut *self.0;
        if model.in_recovery && !recovering {
            model.restore_cwnd();
        }
        model.in_recovery = recovering;
        model.fast &= recovering;
    }

    /// OnEnterFastRecovery and OnEnterRTO (§5.6.4.4). Saving forgets which state the loss has ended: where a loss of
    /// this event has saved already, the state of before it is saved.
    fn enter_recovery(&mut self, fast: bool) {
        let model = &mut *self.0;
        if !core::mem::take(&mut model.saved) {
            model.save_state_upon_loss();
        }
        model.in_recovery = true;
        model.fast = fast;
    }
}

impl Controller for Bbr {
    fn requires_pacing(&self) -> bool {
        true
    }

    fn seed(&mut self, seed: u64) {
        self.0.seed = seed;
    }

    fn start(&mut self, mss: u32, initial: u32, now: Instant) {
        *self.0 = Model::new(mss, initial, self.0.seed, now);
    }

    fn set_rtt(&mut self, srtt: Duration, min_rtt: Duration) {
        self.0.init_rtt(srtt.into(), min_rtt.into());
    }

    fn on_ack(&mut self, _acked: &Acked) {}

    fn on_lost(&mut self, lost: &Lost) {
        self.0.delivered = lost.delivered;
        self.0.handle_lost_packet(lost);
    }

    fn on_delivery(&mut self, delivery: &Delivery) {
        self.follow_recovery(delivery.recovering);
        let model = &mut *self.0;
        model.saved &= delivery.lost > 0;
        model.delivered = delivery.delivered;
        if core::mem::take(&mut model.undone) {
            model.start_round(); // what the acknowledgment that undid the loss delivers was sent before
        }
        if delivery.octets == 0 {
            return;
        }
        if delivery.window_limited {
            model.cwnd_limited_until = delivery.delivered.saturating_add(delivery.inflight.into());
        }
        let sample = Sample::new(delivery);
        if let Some(rtt) = sample.rtt.filter(|_| !model.paced_by_rtt && model.max_bw() == 0) {
            model.init_pacing_rate(rtt);
        }
        model.paced_by_rtt |= sample.rtt.is_some();
        model.update_on_ack(&sample);
    }

    fn on_congestion(&mut self, congestion: &Congestion) {
        match congestion.signal {
            Signal::Loss => self.enter_recovery(true),
            Signal::Timeout | Signal::TimeoutAgain => {
                self.enter_recovery(false);
                let model = &mut *self.0;
                model.cwnd = congestion.inflight.saturating_add(model.smss).min(MAX_CWND);
            }
            Signal::Ecn => self.0.handle_mark(congestion.flight, congestion.now),
        }
    }

    /// Told before the losses that the same acknowledgment shows: they begin an episode of their own.
    fn on_recovered(&mut self, _flight: u32, _now: Instant) {
        self.follow_recovery(false);
    }

    fn on_spurious(&mut self, _now: Instant) {
        self.0.handle_spurious_loss_detection();
        (self.0.in_recovery, self.0.undone) = (false, true);
    }

    fn on_restart(&mut self, now: Instant) {
        self.0.handle_restart_from_idle(now);
    }

    /// MarkConnectionAppLimited of HandleProbeRTT: low rates there are no measure.
    fn marks_application_limited(&self) -> bool {
        self.0.state == BbrState::ProbeRtt
    }

    fn window(&self) -> u32 {
        self.0.cwnd.max(self.0.smss).min(MAX_CWND)
    }

    fn set_mss(&mut self, mss: u32) {
        self.0.smss = sane_mss(mss);
        self.0.set_send_quantum(); // two segments at the least
    }

    fn reduces_proportionally(&self) -> bool {
        false
    }

    fn pacing_rate(&self) -> Option<u64> {
        Some(self.0.pacing_rate.max(1))
    }

    fn send_quantum(&self) -> Option<u32> {
        Some(self.0.send_quantum)
    }

    fn rebase(&mut self, now: Instant) {
        self.0.rebase(now);
    }
}
