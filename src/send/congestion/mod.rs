//! Congestion control: told facts, asked for a window.

mod algorithm;
#[cfg(feature = "bbr")]
mod bbr;
#[cfg(feature = "cubic")]
mod cubic;
mod facts;
#[cfg(feature = "cubic")]
mod hystart;
#[cfg(feature = "prague")]
mod prague;
mod reno;

use core::fmt::Debug;
use core::hash::Hash;
use core::time::Duration;

use crate::Instant;
pub use algorithm::Algorithm;
#[cfg(feature = "bbr")]
pub use bbr::{Bbr, BbrInfo, BbrState};
#[cfg(feature = "cubic")]
pub use cubic::Cubic;
pub use facts::{Acked, Congestion, Delivery, Lost, RateSample, Signal};
#[cfg(feature = "prague")]
pub use prague::{Prague, PragueInfo};
pub use reno::Reno;

/// No window grows beyond the largest that RFC 7323 can announce.
const MAX_CWND: u32 = 1 << 30;

/// The segment size that controllers count with: what a 16-bit length allows, and never 0.
fn sane_mss(mss: u32) -> u32 {
    mss.clamp(1, 65_535)
}

/// An initial window of at least a segment.
fn sane_initial(initial: u32, mss: u32) -> u32 {
    initial.clamp(sane_mss(mss), MAX_CWND)
}

/// `at` relative to `now`, for comparisons only.
#[cfg(any(feature = "bbr", feature = "cubic", feature = "prague"))]
fn ago(at: Instant, now: Instant) -> Instant {
    Instant::from_micros(at.as_micros().wrapping_sub(now.as_micros()))
}

/// A congestion controller: told facts, it answers a window in octets and, if it paces, a rate.
///
/// Implementations use integers only: a connection is `Eq` and `Hash`, and replays must not depend on a machine's
/// floats. Every method but the first four has a default, so that later facts do not break an implementation.
///
/// ```
/// use segue::congestion::{Acked, Congestion, Controller};
/// use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
///
/// /// A window that never changes, for a link whose capacity is reserved.
/// #[derive(Clone, PartialEq, Eq, Hash, Debug)]
/// struct Reserved(u32);
///
/// impl Controller for Reserved {
///     fn start(&mut self, _mss: u32, _initial: u32, _now: Instant) {}
///     fn on_ack(&mut self, _acked: &Acked) {}
///     fn on_congestion(&mut self, _congestion: &Congestion) {}
///     fn window(&self) -> u32 {
///         self.0
///     }
/// }
///
/// let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
/// let secrets = Secrets { iss: SeqNum::new(1), ts_offset: 0 };
/// let (tcp, _) = Connection::connect_with(Reserved(100_000), config, path, secrets, Instant::ZERO);
/// assert_eq!(tcp.info().cwnd, 100_000);
/// ```
pub trait Controller: Clone + Debug + PartialEq + Eq + Hash + Send {
    /// The connection starts, or its segment size changed: `mss` octets fit a segment, the initial window is `initial`
    /// octets.
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Controller, Reno}};
    /// let mut reno = Reno::default();
    /// reno.start(1460, 14_600, Instant::ZERO);
    /// assert_eq!(reno.window(), 14_600);
    /// ```
    fn start(&mut self, mss: u32, initial: u32, now: Instant);
    /// New text was acknowledged outside of fast recovery.
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Controller, Reno}};
    /// let mut reno = Reno::default();
    /// reno.start(1460, 14_600, Instant::ZERO);
    /// reno.on_ack(&segue::congestion::Acked::new(1460, 14_600, Instant::from_millis(40)));
    /// assert_eq!(reno.window(), 14_600 + 1460); // slow start
    /// ```
    fn on_ack(&mut self, acked: &Acked);
    /// The network is congested.
    ///
    /// ```
    /// use segue::congestion::{Congestion, Signal};
    /// # use segue::{Instant, congestion::{Controller, Reno}};
    /// let mut reno = Reno::default();
    /// reno.start(1460, 14_600, Instant::ZERO);
    /// reno.on_congestion(&Congestion::new(Signal::Loss, 14_600, Instant::from_millis(40)));
    /// assert_eq!(reno.window(), 7300); // half of what was in flight
    /// ```
    fn on_congestion(&mut self, congestion: &Congestion);
    /// The congestion window in octets; the machine never takes it as less than one segment.
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Controller, Reno}};
    /// let mut reno = Reno::default();
    /// reno.start(1460, 14_600, Instant::ZERO);
    /// assert_eq!(reno.window(), 14_600); // the initial window
    /// ```
    fn window(&self) -> u32;
    /// Whether it works by rates: only then the machine samples rates and calls [`on_lost`](Self::on_lost),
    /// [`on_delivery`](Self::on_delivery) and [`on_restart`](Self::on_restart). The answer never changes.
    ///
    /// ```
    /// # use segue::congestion::{Controller, Reno};
    /// assert!(!Reno::default().works_by_rates()); // it counts octets
    /// ```
    fn works_by_rates(&self) -> bool {
        true
    }
    /// Whether segments are paced even where `Config::pacing` is off. The answer never changes.
    ///
    /// ```
    /// # use segue::congestion::{Controller, Reno};
    /// assert!(!Reno::default().requires_pacing());
    /// ```
    fn requires_pacing(&self) -> bool {
        false
    }
    /// Whether it answers marks in proportion, as RFC 9331 §4.3 demands (L4S). Where both ends agreed on accurate feedback
    /// (RFC 9768), text is sent as ECT(1) then, and marks are told by [`on_delivery`](Self::on_delivery) alone, with
    /// [`Delivery::l4s`] set: no [`Signal::Ecn`] comes. Anywhere else text is ECT(0) or not ECN-capable, and marks are told as
    /// to any other controller, which they ask to behave like one. Needs [`works_by_rates`](Self::works_by_rates). The answer
    /// never changes.
    ///
    /// ```
    /// # use segue::congestion::{Controller, Prague, Reno};
    /// assert!(Prague::default().is_scalable() && !Reno::default().is_scalable());
    /// ```
    fn is_scalable(&self) -> bool {
        false
    }
    /// Bits that differ from connection to connection, told before `start`: the only source of chance that a controller
    /// may use, so that a replay gives the same. They come from both initial sequence numbers, which the peer knows.
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Acked, Congestion, Controller}};
    /// impl Controller for Mine {
    ///     fn seed(&mut self, seed: u64) {
    ///         self.wait_ms = 2000 + seed % 1000; // probes of many flows do not coincide
    ///     }
    ///     // …
    /// #     fn start(&mut self, _: u32, _: u32, _: Instant) {}
    /// #     fn on_ack(&mut self, _: &Acked) {}
    /// #     fn on_congestion(&mut self, _: &Congestion) {}
    /// #     fn window(&self) -> u32 {
    /// #         14_600
    /// #     }
    /// # }
    /// # #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
    /// # struct Mine {
    /// #     wait_ms: u64,
    /// # }
    /// let mut mine = Mine::default();
    /// mine.seed(12_345);
    /// assert_eq!(mine.wait_ms, 2345);
    /// ```
    fn seed(&mut self, seed: u64) {
        let _ = seed;
    }
    /// The smoothed round trip and the shortest one of the last minutes, where they are known at the [`start`](Self::start):
    /// told after it to a controller that takes over from another one, and to no other.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use segue::{Instant, congestion::{Bbr, Controller}};
    /// let (srtt, min_rtt) = (Duration::from_millis(50), Duration::from_millis(40));
    /// let mut bbr = Bbr::default();
    /// bbr.start(1460, 14_600, Instant::ZERO);
    /// bbr.set_rtt(srtt, min_rtt);
    /// assert_eq!(bbr.info().min_rtt, Some(min_rtt));
    /// assert_eq!(bbr.info().pacing_rate, 14_600 * 20 * 277 / 100); // StartupPacingGain times a window in SRTT
    /// ```
    fn set_rtt(&mut self, srtt: Duration, min_rtt: Duration) {
        let _ = (srtt, min_rtt);
    }
    /// The slow-start threshold in octets; `u32::MAX` while unknown.
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Controller, Reno}};
    /// let mut reno = Reno::default();
    /// reno.start(1460, 14_600, Instant::ZERO);
    /// assert_eq!(reno.ssthresh(), u32::MAX); // no congestion so far
    /// ```
    fn ssthresh(&self) -> u32 {
        u32::MAX
    }
    /// Octets that fit a segment changed; the window in octets does not grow by it, unless it would be less than a
    /// segment.
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Controller, Reno}};
    /// let mut reno = Reno::default();
    /// reno.start(1460, 14_600, Instant::ZERO);
    /// reno.set_mss(1200); // the path MTU is smaller
    /// assert_eq!(reno.window(), 14_600);
    /// ```
    fn set_mss(&mut self, mss: u32) {
        let _ = mss;
    }
    /// Nothing was sent for longer than an RTO; `initial` is the restart window (RFC 5681 §4.1).
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Controller, Reno}};
    /// let mut reno = Reno::default();
    /// reno.start(1460, 14_600, Instant::ZERO);
    /// reno.on_ack(&segue::congestion::Acked::new(1460, 14_600, Instant::from_millis(40)));
    /// reno.on_idle(14_600, Instant::from_secs(9));
    /// assert_eq!(reno.window(), 14_600);
    /// ```
    fn on_idle(&mut self, initial: u32, now: Instant) {
        let _ = (initial, now);
    }
    /// The window was not used for the whole non-validated period (RFC 7661 §4.4.3): slow-start threshold at least
    /// three quarters of it, window at most the larger of its half and `initial`.
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Controller, Reno}};
    /// let mut reno = Reno::default();
    /// reno.start(1460, 14_600, Instant::ZERO);
    /// reno.on_unused(1460, Instant::from_secs(300));
    /// assert_eq!(reno.window(), 7300);
    /// ```
    fn on_unused(&mut self, initial: u32, now: Instant) {
        let _ = (initial, now);
    }
    /// The path is not known to carry more than `window` octets (RFC 7661 §4.4.1): neither the window nor the
    /// slow-start threshold stays above it. Told before `on_congestion`, and again when recovery ends.
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Controller, Reno}};
    /// let mut reno = Reno::default();
    /// reno.start(1460, 14_600, Instant::ZERO);
    /// reno.limit(5840, Instant::from_secs(1));
    /// assert_eq!((reno.window(), reno.ssthresh()), (5840, 5840));
    /// ```
    fn limit(&mut self, window: u32, now: Instant) {
        let _ = (window, now);
    }
    /// Whether segments are paced: a controller may then let one acknowledgment add more (RFC 9406 §4.3).
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Acked, Congestion, Controller}};
    /// impl Controller for Mine {
    ///     fn set_pacing(&mut self, paced: bool) {
    ///         self.burst = if paced { 2 } else { 10 };
    ///     }
    ///     // …
    /// #     fn start(&mut self, _: u32, _: u32, _: Instant) {}
    /// #     fn on_ack(&mut self, _: &Acked) {}
    /// #     fn on_congestion(&mut self, _: &Congestion) {}
    /// #     fn window(&self) -> u32 {
    /// #         14_600
    /// #     }
    /// }
    /// # #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
    /// # struct Mine {
    /// #     burst: u32,
    /// # }
    /// let mut mine = Mine::default();
    /// mine.set_pacing(true);
    /// assert_eq!(mine.burst, 2);
    /// ```
    fn set_pacing(&mut self, paced: bool) {
        let _ = paced;
    }
    /// Text was sent: `octets` of it, with `flight` now outstanding.
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Acked, Congestion, Controller}};
    /// impl Controller for Mine {
    ///     fn on_sent(&mut self, octets: u32, _flight: u32, _now: Instant) {
    ///         self.sent += u64::from(octets);
    ///     }
    ///     // …
    /// #     fn start(&mut self, _: u32, _: u32, _: Instant) {}
    /// #     fn on_ack(&mut self, _: &Acked) {}
    /// #     fn on_congestion(&mut self, _: &Congestion) {}
    /// #     fn window(&self) -> u32 {
    /// #         14_600
    /// #     }
    /// }
    /// # #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
    /// # struct Mine {
    /// #     sent: u64,
    /// # }
    /// let mut mine = Mine::default();
    /// mine.on_sent(1460, 1460, Instant::ZERO);
    /// assert_eq!(mine.sent, 1460);
    /// ```
    fn on_sent(&mut self, octets: u32, flight: u32, now: Instant) {
        let _ = (octets, flight, now);
    }
    /// Loss recovery ended with `flight` octets outstanding.
    ///
    /// ```
    /// use segue::congestion::{Congestion, Signal};
    /// # use segue::{Instant, congestion::{Controller, Reno}};
    /// let mut reno = Reno::default();
    /// reno.start(1460, 14_600, Instant::ZERO);
    /// reno.on_congestion(&Congestion::new(Signal::Loss, 14_600, Instant::from_millis(40)));
    /// reno.on_recovered(1460, Instant::from_millis(80));
    /// assert_eq!(reno.window(), 2920); // little is outstanding: no burst
    /// ```
    fn on_recovered(&mut self, flight: u32, now: Instant) {
        let _ = (flight, now);
    }
    /// The last congestion signal was a mistake: nothing had been lost.
    ///
    /// ```
    /// use segue::congestion::{Congestion, Signal};
    /// # use segue::{Instant, congestion::{Controller, Reno}};
    /// let mut reno = Reno::default();
    /// reno.start(1460, 14_600, Instant::ZERO);
    /// reno.on_congestion(&Congestion::new(Signal::Timeout, 14_600, Instant::from_secs(1)));
    /// reno.on_spurious(Instant::from_secs(1)); // the segments were only late
    /// assert_eq!(reno.window(), 14_600);
    /// ```
    fn on_spurious(&mut self, now: Instant) {
        let _ = now;
    }
    /// Everything was acknowledged an RTO ago: no earlier signal can turn out to have been a mistake. A place to give
    /// back memory kept for [`on_spurious`](Self::on_spurious).
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Acked, Congestion, Controller}};
    /// impl Controller for Mine {
    ///     fn on_settled(&mut self) {
    ///         self.saved = None; // no way back
    ///     }
    ///     // …
    /// #     fn start(&mut self, _: u32, _: u32, _: Instant) {}
    /// #     fn on_ack(&mut self, _: &Acked) {}
    /// #     fn on_congestion(&mut self, _: &Congestion) {}
    /// #     fn window(&self) -> u32 {
    /// #         14_600
    /// #     }
    /// }
    /// # #[derive(Clone, PartialEq, Eq, Hash, Debug)]
    /// # struct Mine {
    /// #     saved: Option<Box<u32>>,
    /// # }
    /// let mut mine = Mine { saved: Some(Box::new(14_600)) };
    /// mine.on_settled();
    /// assert_eq!(mine.saved, None);
    /// ```
    fn on_settled(&mut self) {}
    /// A segment was found lost, if it [works by rates](Self::works_by_rates). Told for each, in the order of their
    /// sending, before `on_delivery` and `on_congestion`; also for what a tail-loss probe repaired (RFC 8985 §7.4.2); not for
    /// a probe of a larger MTU, and not for what is sent again because segments became smaller or a closed window refused
    /// them.
    ///
    /// ```
    /// use segue::congestion::Lost;
    /// # use segue::{Instant, congestion::{Acked, Congestion, Controller}};
    /// impl Controller for Mine {
    ///     fn on_lost(&mut self, lost: &Lost) {
    ///         self.high_loss |= lost.lost > lost.tx_in_flight / 50; // more than 2 % of what was in flight
    ///     }
    ///     // …
    /// #     fn start(&mut self, _: u32, _: u32, _: Instant) {}
    /// #     fn on_ack(&mut self, _: &Acked) {}
    /// #     fn on_congestion(&mut self, _: &Congestion) {}
    /// #     fn window(&self) -> u32 {
    /// #         14_600
    /// #     }
    /// # }
    /// # #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
    /// # struct Mine {
    /// #     high_loss: bool,
    /// # }
    /// let mut mine = Mine::default();
    /// mine.on_lost(&Lost::new(1460, 14_600, Instant::ZERO));
    /// assert!(mine.high_loss);
    /// ```
    fn on_lost(&mut self, lost: &Lost) {
        let _ = lost;
    }
    /// An acknowledgment delivered something or showed loss, in any phase, if it
    /// [works by rates](Self::works_by_rates). Told before `on_ack` and `on_congestion`.
    ///
    /// ```
    /// use segue::congestion::Delivery;
    /// # use segue::{Instant, congestion::{Acked, Congestion, Controller}};
    /// impl Controller for Mine {
    ///     fn on_delivery(&mut self, delivery: &Delivery) {
    ///         self.delivered = delivery.delivered;
    ///     }
    ///     // …
    /// #     fn start(&mut self, _: u32, _: u32, _: Instant) {}
    /// #     fn on_ack(&mut self, _: &Acked) {}
    /// #     fn on_congestion(&mut self, _: &Congestion) {}
    /// #     fn window(&self) -> u32 {
    /// #         14_600
    /// #     }
    /// }
    /// # #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
    /// # struct Mine {
    /// #     delivered: u64,
    /// # }
    /// let (mut mine, mut delivery) = (Mine::default(), Delivery::new(Instant::ZERO));
    /// delivery.delivered = 1460;
    /// mine.on_delivery(&delivery);
    /// assert_eq!(mine.delivered, 1460);
    /// ```
    fn on_delivery(&mut self, delivery: &Delivery) {
        let _ = delivery;
    }
    /// Text is sent after a pause: nothing was in flight, and the application, not the window, had limited the flow.
    /// Told before the pacer counts the text, if it [works by rates](Self::works_by_rates).
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Acked, Congestion, Controller}};
    /// impl Controller for Mine {
    ///     fn on_restart(&mut self, now: Instant) {
    ///         self.restarted = Some(now);
    ///     }
    ///     // …
    /// #     fn start(&mut self, _: u32, _: u32, _: Instant) {}
    /// #     fn on_ack(&mut self, _: &Acked) {}
    /// #     fn on_congestion(&mut self, _: &Congestion) {}
    /// #     fn window(&self) -> u32 {
    /// #         14_600
    /// #     }
    /// # }
    /// # #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
    /// # struct Mine {
    /// #     restarted: Option<Instant>,
    /// # }
    /// let mut mine = Mine::default();
    /// mine.on_restart(Instant::from_secs(9));
    /// assert!(mine.restarted.is_some());
    /// ```
    fn on_restart(&mut self, now: Instant) {
        let _ = now;
    }
    /// Whether the rates of what is sent now tell nothing of the path, because the controller itself sends less than
    /// the path takes: the samples count as limited by the application. Asked after each `on_delivery`.
    ///
    /// ```
    /// # use segue::congestion::{Controller, Reno};
    /// assert!(!Reno::default().marks_application_limited());
    /// ```
    fn marks_application_limited(&self) -> bool {
        false
    }
    /// Whether proportional rate reduction (RFC 9937) governs transmission in fast recovery, on the way to
    /// [`window`](Self::window). If not, `window` itself does.
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Controller, Reno}};
    /// let mut reno = Reno::default();
    /// reno.start(1460, 14_600, Instant::ZERO);
    /// assert!(reno.reduces_proportionally());
    /// ```
    fn reduces_proportionally(&self) -> bool {
        true
    }
    /// Octets per second to pace at, where segments are paced; `None`: the machine takes a multiple of the window per round
    /// trip.
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Controller, Reno}};
    /// let mut reno = Reno::default();
    /// reno.start(1460, 14_600, Instant::ZERO);
    /// assert_eq!(reno.pacing_rate(), None); // by the window
    /// ```
    fn pacing_rate(&self) -> Option<u64> {
        None
    }
    /// Octets that pacing lets go at once; `None`: those of `Config::pacing_burst`.
    ///
    /// ```
    /// # use segue::congestion::{Controller, Reno};
    /// assert_eq!(Reno::default().send_quantum(), None);
    /// ```
    fn send_quantum(&self) -> Option<u32> {
        None
    }
    /// Makes the times that are kept relative to `now`, for `Connection::canonical`: two controllers that will do the
    /// same from now on shall be equal.
    ///
    /// ```
    /// # use segue::{Instant, congestion::{Acked, Congestion, Controller}};
    /// impl Controller for Mine {
    ///     fn rebase(&mut self, now: Instant) {
    ///         self.last_loss = Instant::ZERO + now.saturating_since(self.last_loss); // its age
    ///     }
    ///     // …
    /// #     fn start(&mut self, _: u32, _: u32, _: Instant) {}
    /// #     fn on_ack(&mut self, _: &Acked) {}
    /// #     fn on_congestion(&mut self, _: &Congestion) {}
    /// #     fn window(&self) -> u32 {
    /// #         14_600
    /// #     }
    /// }
    /// # #[derive(Clone, PartialEq, Eq, Hash, Debug)]
    /// # struct Mine {
    /// #     last_loss: Instant,
    /// # }
    /// let [mut one, mut other] = [10, 70].map(|seconds| Mine { last_loss: Instant::from_secs(seconds) });
    /// one.rebase(Instant::from_secs(15));
    /// other.rebase(Instant::from_secs(75));
    /// assert_eq!(one, other);
    /// ```
    fn rebase(&mut self, now: Instant) {
        let _ = now;
    }
}

#[cfg(feature = "cubic")]
#[cfg(test)]
mod properties;
