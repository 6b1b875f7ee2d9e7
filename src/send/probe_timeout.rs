//! When a tail-loss probe is due (RFC 8985 §7.2, §7.3).

use super::Sender;
use super::recovery::Detector;
use crate::Controller;
use crate::features::RACK;
use crate::time::Micros;

/// A tail-loss probe waits so long at least: where round trips take less than the peer needs to look, it would be
/// spurious.
const MIN_PTO: Micros = Micros::from_millis(10);

impl<C: Controller> Sender<C> {
    /// When a tail-loss probe is due, counted from now, if one may be sent at all (RFC 8985 §7.3).
    pub(crate) fn tail_probe_after(&self, mss: u32, max_ack_delay: Micros) -> Option<Micros> {
        let eligible = RACK
            && self.detector == Detector::Rack
            && self.episode.recovery.is_open()
            && self.board.sacked_segments() == 0
            && !self.board.has_lost()
            && self.flight() > 0
            && !self.syn
            && self.episode.probe.is_none()
            && self.sampled;
        eligible.then(|| self.calc_pto(mss, max_ack_delay))
    }

    /// TLP_calc_PTO of RFC 8985 §7.2.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn calc_pto(&self, mss: u32, max_ack_delay: Micros) -> Micros {
        let Some(srtt) = self.rtt.srtt() else { return Micros::from_secs(1) };
        match srtt.times(2).max(MIN_PTO) {
            pto if self.flight() > mss => pto,
            // A FIN is acknowledged at once (RFC 9293 §3.10.7.4 eighth): the delay is no more than time for the peer to
            // look.
            pto if self.fin_sent() => pto.max(max_ack_delay),
            pto => pto + max_ack_delay,
        }
    }

    /// Whether a tail-loss probe has not been judged yet, though all may be acknowledged (RFC 8985 §7.4.2).
    pub(crate) fn awaits_probe_answer(&self) -> bool {
        self.episode.probe.is_some()
    }
}
