//! Prague: a scalable congestion control for L4S (RFC 9331 §4.3), after DCTCP (RFC 8257). The window falls in proportion
//! to the marks, so that at any rate about two marks come in a round trip.
//!
//! * `alpha`: the fraction of marks, over virtual round trips (RFC 8257 §3.3).
//! * `classic`: the watch for a queue that marks as RFC 3168 says (RFC 9331 §4.3 item 3).
//! * `flow`: the window, and what each fact does with it.

mod alpha;
mod classic;
mod flow;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use core::time::Duration;

use super::{Acked, Congestion, Controller, Delivery, MAX_CWND, Signal};
use crate::Instant;
pub use flow::PragueInfo;
use flow::{Flow, octets_of};

/// Prague, a scalable congestion control. It paces whether `Config::pacing` is on or not.
///
/// Its text is sent as ECT(1) where both ends agreed on accurate ECN feedback (RFC 9768, [`EcnMode`](crate::EcnMode)); there
/// it keeps the queue of an L4S bottleneck below a few milliseconds. Anywhere else it behaves as NewReno does, and its text is
/// ECT(0) or not ECN-capable. `docs/conformance/rfc9331.md` tells how it meets RFC 9331.
///
/// ```
/// use segue::congestion::{Algorithm, Prague};
/// use segue::{Arc, Config, Connection, EcnMode, Instant, Path, Secrets, SeqNum};
/// let config = Arc::new(Config::builder().ecn(EcnMode::Accurate).build().unwrap());
/// let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 0 };
/// let algorithm = Algorithm::Prague(Prague::default());
/// let (tcp, _) = Connection::connect_with(algorithm, config, Path::ipv4(1500), secrets, Instant::ZERO);
/// let Some(Algorithm::Prague(prague)) = tcp.controller() else { panic!("it has a controller") };
/// assert!(!prague.info().classic_queue);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "Flow"))]
pub struct Prague(Box<Flow>);

/// A flow that was read may say anything: its numbers stay within their bounds.
#[cfg(feature = "serde")]
impl From<Flow> for Prague {
    fn from(flow: Flow) -> Self {
        Self(Box::new(flow.within_bounds()))
    }
}

impl Default for Prague {
    fn default() -> Self {
        Self(Box::new(Flow::new(536, 536, Instant::ZERO)))
    }
}

impl Prague {
    /// The variables of the flow.
    ///
    /// ```
    /// use segue::congestion::Prague;
    /// assert_eq!(Prague::default().info().alpha, 1 << 24); // all of it, until marks are measured
    /// ```
    pub fn info(&self) -> PragueInfo {
        self.0.info()
    }
}

impl Controller for Prague {
    fn requires_pacing(&self) -> bool {
        true
    }

    fn is_scalable(&self) -> bool {
        true
    }

    fn start(&mut self, mss: u32, initial: u32, now: Instant) {
        *self.0 = Flow::new(mss, initial, now);
    }

    fn set_rtt(&mut self, srtt: Duration, _min_rtt: Duration) {
        self.0.set_rtt(srtt.into());
    }

    fn on_ack(&mut self, _acked: &Acked) {}

    fn on_delivery(&mut self, delivery: &Delivery) {
        self.0.on_delivery(delivery);
    }

    fn on_congestion(&mut self, congestion: &Congestion) {
        let flow = &mut *self.0;
        match congestion.signal {
            Signal::Loss => flow.on_loss(congestion.flight),
            Signal::Ecn => flow.on_classic_mark(congestion.flight),
            Signal::Timeout => flow.on_timeout(congestion.flight),
            Signal::TimeoutAgain => flow.enter_loss_window(),
        }
    }

    fn on_spurious(&mut self, _now: Instant) {
        self.0.on_spurious();
    }

    fn on_settled(&mut self) {
        self.0.saved = None;
    }

    fn window(&self) -> u32 {
        octets_of(self.0.cwnd).max(self.0.floor).min(MAX_CWND)
    }

    fn ssthresh(&self) -> u32 {
        self.0.ssthresh
    }

    fn set_mss(&mut self, mss: u32) {
        self.0.set_mss(mss);
    }

    /// RFC 5681 §4.1: RW = min (IW, cwnd).
    fn on_idle(&mut self, initial: u32, _now: Instant) {
        self.0.lower_to(initial);
    }

    fn on_unused(&mut self, initial: u32, _now: Instant) {
        let window = self.window();
        self.0.ssthresh = self.0.ssthresh.max(window / 4 * 3);
        self.0.lower_to((window / 2).max(initial));
    }

    fn limit(&mut self, window: u32, _now: Instant) {
        self.0.limit(window);
    }

    fn pacing_rate(&self) -> Option<u64> {
        self.0.pacing_rate()
    }

    fn send_quantum(&self) -> Option<u32> {
        Some(self.0.send_quantum())
    }

    fn rebase(&mut self, now: Instant) {
        self.0.rebase(now);
    }
}
