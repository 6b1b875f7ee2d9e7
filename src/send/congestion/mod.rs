//! Congestion control: told facts, asked for a window.

#[cfg(feature = "cubic")]
mod cubic;
#[cfg(feature = "cubic")]
mod hystart;
mod reno;

use core::fmt::Debug;
use core::hash::Hash;
use core::time::Duration;

use crate::Instant;
#[cfg(feature = "cubic")]
pub use cubic::Cubic;
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
#[cfg(feature = "cubic")]
fn ago(at: Instant, now: Instant) -> Instant {
    Instant::from_micros(at.as_micros().wrapping_sub(now.as_micros()))
}

/// The facts of a new acknowledgment.
///
/// ```
/// use segue::Instant;
/// use segue::congestion::{Acked, Controller, Reno};
/// let mut reno = Reno::default();
/// reno.start(1460, 14_600, Instant::ZERO);
/// let mut acked = Acked::new(1460, 14_600, Instant::from_millis(40));
/// acked.window_limited = false; // the application sends less than it may
/// reno.on_ack(&acked);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Acked {
    /// Octets newly acknowledged.
    pub octets: u32,
    /// Octets in flight before this acknowledgment: in the network, as far as known.
    pub flight: u32,
    /// A round-trip time measured by it, in microseconds.
    pub rtt_us: Option<u32>,
    /// The smoothed round-trip time in microseconds, once measured.
    pub srtt_us: Option<u32>,
    /// Whether the window, not the application or the peer, held the sender back.
    pub window_limited: bool,
    /// The acknowledged segments left when the application had no more data to send: their timing depends on the
    /// application, not on the path.
    pub application_limited: bool,
    /// Now.
    pub now: Instant,
}

impl Acked {
    /// `octets` acknowledged of `flight`, in a flow that its window limits and the application does not; no round trip
    /// is known.
    ///
    /// ```
    /// use segue::{Instant, congestion::Acked};
    /// let acked = Acked::new(1460, 14_600, Instant::from_millis(40));
    /// assert_eq!((acked.window_limited, acked.rtt_us), (true, None));
    /// ```
    pub const fn new(octets: u32, flight: u32, now: Instant) -> Self {
        Self { octets, flight, rtt_us: None, srtt_us: None, window_limited: true, application_limited: false, now }
    }
}

/// How fast the network delivered, measured from the sending of one segment to its acknowledgment: the larger of the
/// time to send and the time to deliver, so that neither compressed ACKs nor bursts make the rate too high.
///
/// ```
/// use core::time::Duration;
/// use segue::congestion::RateSample;
/// let sample = RateSample::new(125_000, Duration::from_millis(100));
/// assert_eq!(sample.delivered * 8 * 10, 10_000_000); // bits a second
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RateSample {
    /// Octets delivered in that time.
    pub delivered: u64,
    /// The time.
    pub interval: Duration,
    /// Octets delivered on the connection when the segment was sent: a round trip ends when this passes the total at
    /// its beginning.
    pub prior_delivered: u64,
    /// The application, not the window, limited the sending: the rate may be too low.
    pub application_limited: bool,
}

impl RateSample {
    /// `delivered` octets in `interval`, not limited by the application, from the first segment on.
    ///
    /// ```
    /// use core::time::Duration;
    /// use segue::congestion::RateSample;
    /// let sample = RateSample::new(125_000, Duration::from_millis(100));
    /// assert!(!sample.application_limited && sample.prior_delivered == 0);
    /// ```
    pub const fn new(delivered: u64, interval: Duration) -> Self {
        Self { delivered, interval, prior_delivered: 0, application_limited: false }
    }
}

/// The octets that one acknowledgment delivered and those it showed to be lost, inside and outside of loss recovery:
/// the facts for a rate-based controller.
///
/// ```
/// use segue::Instant;
/// use segue::congestion::{Delivery, RateSample};
/// /// The largest rate that a controller has seen, in octets a second.
/// fn bandwidth(before: u64, delivery: &Delivery) -> u64 {
///     let Some(RateSample { delivered, interval, .. }) = delivery.rate else { return before };
///     let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX).max(1);
///     before.max(delivered.saturating_mul(1_000_000) / micros)
/// }
/// let mut delivery = Delivery::new(Instant::ZERO);
/// delivery.rate = Some(RateSample::new(125_000, core::time::Duration::from_millis(100)));
/// assert_eq!(bandwidth(0, &delivery), 1_250_000);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Delivery {
    /// Octets newly acknowledged, cumulatively or selectively.
    pub octets: u32,
    /// Octets newly found lost.
    pub lost: u32,
    /// Octets in the network now: sent, and neither acknowledged nor known to be lost.
    pub inflight: u32,
    /// Octets delivered since the connection started.
    pub delivered: u64,
    /// The delivery rate, if a segment was acknowledged whose sending is known.
    pub rate: Option<RateSample>,
    /// A round-trip time measured by it.
    pub rtt: Option<Duration>,
    /// The smallest round-trip time of the last minutes, once measured.
    pub min_rtt: Option<Duration>,
    /// The peer echoes a congestion mark (RFC 3168), or tells of marks (RFC 9768).
    pub ecn_echo: bool,
    /// Of the octets, those that arrived with a congestion mark, with accurate feedback (RFC 9768); as far as the peer
    /// says, or an estimate by the packets.
    pub ce_octets: u32,
    /// Packets that arrived with a congestion mark, with accurate feedback.
    pub ce_packets: u32,
    /// Loss recovery is going on.
    pub recovering: bool,
    /// Now.
    pub now: Instant,
}

impl Delivery {
    /// An acknowledgment at `now` that told nothing yet: set what it told.
    ///
    /// ```
    /// use segue::{Instant, congestion::Delivery};
    /// let mut delivery = Delivery::new(Instant::from_millis(40));
    /// delivery.octets = 1460;
    /// assert_eq!((delivery.octets, delivery.lost), (1460, 0));
    /// ```
    pub const fn new(now: Instant) -> Self {
        Self {
            octets: 0,
            lost: 0,
            inflight: 0,
            delivered: 0,
            rate: None,
            rtt: None,
            min_rtt: None,
            ecn_echo: false,
            ce_octets: 0,
            ce_packets: 0,
            recovering: false,
            now,
        }
    }
}

/// Why the window must shrink. Each is told once per episode, never once per segment.
///
/// ```
/// use segue::Instant;
/// use segue::congestion::{Congestion, Controller, Reno, Signal};
/// let mut reno = Reno::default();
/// reno.start(1460, 14_600, Instant::ZERO);
/// reno.on_congestion(&Congestion::new(Signal::Timeout, 14_600, Instant::from_secs(1)));
/// assert_eq!((reno.window(), reno.ssthresh()), (1460, 7300));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Signal {
    /// Loss found by acknowledgments.
    Loss,
    /// An ECN echo (RFC 3168).
    Ecn,
    /// The retransmission timer, first time for this segment.
    Timeout,
    /// The retransmission timer again for the same segment.
    TimeoutAgain,
}

/// The facts of a congestion signal.
///
/// ```
/// use segue::Instant;
/// use segue::congestion::{Congestion, Controller, Reno, Signal};
/// let mut reno = Reno::default();
/// reno.start(1460, 14_600, Instant::ZERO);
/// reno.on_congestion(&Congestion::new(Signal::Loss, 14_600, Instant::from_secs(1)));
/// assert_eq!(reno.ssthresh(), 7300); // half of what was in flight
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Congestion {
    /// The signal.
    pub signal: Signal,
    /// FlightSize when it came, in octets (RFC 5681 §2), without what limited transmit added.
    pub flight: u32,
    /// Now.
    pub now: Instant,
}

impl Congestion {
    /// `signal` came with `flight` octets outstanding.
    ///
    /// ```
    /// use segue::Instant;
    /// use segue::congestion::{Congestion, Signal};
    /// let congestion = Congestion::new(Signal::Ecn, 14_600, Instant::from_secs(1));
    /// assert_eq!((congestion.signal, congestion.flight), (Signal::Ecn, 14_600));
    /// ```
    pub const fn new(signal: Signal, flight: u32, now: Instant) -> Self {
        Self { signal, flight, now }
    }
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
    /// Whether it works by rates: only then the machine samples rates and calls [`on_delivery`](Self::on_delivery).
    const WORKS_BY_RATES: bool = true;
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
    /// An acknowledgment delivered something or showed loss, in any phase, where
    /// [`WORKS_BY_RATES`](Self::WORKS_BY_RATES). Told before `on_ack` and `on_congestion`.
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
    /// Octets per second to pace at when `Config::pacing` is on; `None`: the machine takes a multiple of the window per
    /// round trip.
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
        }
    };
}

impl Controller for Algorithm {
    const WORKS_BY_RATES: bool = false; // neither does

    fn start(&mut self, mss: u32, initial: u32, now: Instant) {
        of_each!(self, c => c.start(mss, initial, now))
    }
    #[inline]
    fn on_ack(&mut self, acked: &Acked) {
        of_each!(self, c => c.on_ack(acked))
    }
    fn on_congestion(&mut self, congestion: &Congestion) {
        of_each!(self, c => c.on_congestion(congestion))
    }
    fn window(&self) -> u32 {
        of_each!(self, c => c.window())
    }
    fn ssthresh(&self) -> u32 {
        of_each!(self, c => c.ssthresh())
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
    fn on_sent(&mut self, octets: u32, flight: u32, now: Instant) {
        of_each!(self, c => c.on_sent(octets, flight, now))
    }
    fn on_delivery(&mut self, delivery: &Delivery) {
        of_each!(self, c => c.on_delivery(delivery))
    }
    fn reduces_proportionally(&self) -> bool {
        of_each!(self, c => c.reduces_proportionally())
    }
    fn pacing_rate(&self) -> Option<u64> {
        of_each!(self, c => c.pacing_rate())
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

#[cfg(feature = "cubic")]
#[cfg(test)]
mod properties;
