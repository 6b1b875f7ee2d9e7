//! The built-in controllers, one of them chosen at run time.

use core::time::Duration;

#[cfg(feature = "bbr")]
use super::Bbr;
#[cfg(feature = "cubic")]
use super::Cubic;
#[cfg(feature = "prague")]
use super::Prague;
use super::{Acked, Congestion, Controller, Delivery, Lost, Reno};
use crate::Instant;

/// The built-in controllers; CUBIC is the default, and NewReno without the feature `cubic`.
///
/// ```
/// use segue::congestion::{Algorithm, Reno};
/// use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
/// let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
/// let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 0 };
/// let algorithm = Algorithm::Reno(Reno::default());
/// let (tcp, _) = Connection::connect_with(algorithm, config, path, secrets, Instant::ZERO);
/// # drop(tcp);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(clippy::large_enum_variant)] // a box would cost an allocation for each connection
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Algorithm {
    /// RFC 5681.
    Reno(Reno),
    /// RFC 9438, with HyStart++ (RFC 9406).
    #[cfg(feature = "cubic")]
    Cubic(Cubic),
    /// BBRv3 (draft-ietf-ccwg-bbr), which paces by itself.
    #[cfg(feature = "bbr")]
    Bbr(Bbr),
    /// A scalable control for L4S (RFC 9331), which paces by itself.
    #[cfg(feature = "prague")]
    Prague(Prague),
}

impl Default for Algorithm {
    #[cfg(feature = "cubic")]
    fn default() -> Self {
        Self::Cubic(Cubic::default())
    }

    #[cfg(not(feature = "cubic"))]
    fn default() -> Self {
        Self::Reno(Reno::default())
    }
}

/// What the chosen controller says.
macro_rules! of_each {
    ($algorithm:expr, $controller:ident => $call:expr) => {
        match $algorithm {
            Algorithm::Reno($controller) => $call,
            #[cfg(feature = "cubic")]
            Algorithm::Cubic($controller) => $call,
            #[cfg(feature = "bbr")]
            Algorithm::Bbr($controller) => $call,
            #[cfg(feature = "prague")]
            Algorithm::Prague($controller) => $call,
        }
    };
}

/// The same where steady traffic asks: the default is one comparison away, the others are out of line.
macro_rules! of_default {
    ($algorithm:expr, $controller:ident => $call:expr, $others:ident($($argument:expr),*)) => {
        match $algorithm {
            #[cfg(feature = "cubic")]
            Algorithm::Cubic($controller) => $call,
            others => others.$others($($argument),*),
        }
    };
}

impl Algorithm {
    #[inline(never)]
    fn on_ack_of_each(&mut self, acked: &Acked) {
        of_each!(self, c => c.on_ack(acked))
    }
    #[inline(never)]
    fn window_of_each(&self) -> u32 {
        of_each!(self, c => c.window())
    }
    #[inline(never)]
    fn ssthresh_of_each(&self) -> u32 {
        of_each!(self, c => c.ssthresh())
    }
    #[inline(never)]
    fn on_sent_of_each(&mut self, octets: u32, flight: u32, now: Instant) {
        of_each!(self, c => c.on_sent(octets, flight, now))
    }
}

impl Controller for Algorithm {
    #[inline]
    fn works_by_rates(&self) -> bool {
        match self {
            Self::Reno(_) => false,
            #[cfg(feature = "cubic")]
            Self::Cubic(_) => false,
            #[cfg(feature = "bbr")]
            Self::Bbr(_) => true,
            #[cfg(feature = "prague")]
            Self::Prague(_) => true,
        }
    }
    #[inline]
    fn requires_pacing(&self) -> bool {
        self.works_by_rates()
    }
    fn is_scalable(&self) -> bool {
        of_each!(self, c => c.is_scalable())
    }
    fn seed(&mut self, seed: u64) {
        of_each!(self, c => c.seed(seed))
    }
    fn start(&mut self, mss: u32, initial: u32, now: Instant) {
        of_each!(self, c => c.start(mss, initial, now))
    }
    fn set_rtt(&mut self, srtt: Duration, min_rtt: Duration) {
        of_each!(self, c => c.set_rtt(srtt, min_rtt))
    }
    #[inline]
    fn on_ack(&mut self, acked: &Acked) {
        of_default!(self, c => c.on_ack(acked), on_ack_of_each(acked))
    }
    fn on_congestion(&mut self, congestion: &Congestion) {
        of_each!(self, c => c.on_congestion(congestion))
    }
    #[inline]
    fn window(&self) -> u32 {
        of_default!(self, c => c.window(), window_of_each())
    }
    #[inline]
    fn ssthresh(&self) -> u32 {
        of_default!(self, c => c.ssthresh(), ssthresh_of_each())
    }
    fn set_mss(&mut self, mss: u32) {
        of_each!(self, c => c.set_mss(mss))
    }
    fn on_idle(&mut self, initial: u32, now: Instant) {
        of_each!(self, c => c.on_idle(initial, now))
    }
    fn on_unused(&mut self, initial: u32, now: Instant) {
        of_each!(self, c => c.on_unused(initial, now))
    }
    fn limit(&mut self, window: u32, now: Instant) {
        of_each!(self, c => c.limit(window, now))
    }
    fn set_pacing(&mut self, paced: bool) {
        of_each!(self, c => c.set_pacing(paced))
    }
    fn rebase(&mut self, now: Instant) {
        of_each!(self, c => c.rebase(now))
    }
    #[inline]
    fn on_sent(&mut self, octets: u32, flight: u32, now: Instant) {
        of_default!(self, c => c.on_sent(octets, flight, now), on_sent_of_each(octets, flight, now))
    }
    fn on_lost(&mut self, lost: &Lost) {
        of_each!(self, c => c.on_lost(lost))
    }
    fn on_delivery(&mut self, delivery: &Delivery) {
        of_each!(self, c => c.on_delivery(delivery))
    }
    fn on_restart(&mut self, now: Instant) {
        of_each!(self, c => c.on_restart(now))
    }
    fn marks_application_limited(&self) -> bool {
        of_each!(self, c => c.marks_application_limited())
    }
    fn reduces_proportionally(&self) -> bool {
        of_each!(self, c => c.reduces_proportionally())
    }
    fn pacing_rate(&self) -> Option<u64> {
        of_each!(self, c => c.pacing_rate())
    }
    fn send_quantum(&self) -> Option<u32> {
        of_each!(self, c => c.send_quantum())
    }
    fn on_spurious(&mut self, now: Instant) {
        of_each!(self, c => c.on_spurious(now))
    }
    fn on_settled(&mut self) {
        of_each!(self, c => c.on_settled())
    }
    fn on_recovered(&mut self, flight: u32, now: Instant) {
        of_each!(self, c => c.on_recovered(flight, now))
    }
}
