//! The facts that controllers are told.

use core::time::Duration;

use crate::Instant;

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
    /// The time; 0 where the acknowledgment tells no rate, as in recovery without SACK.
    pub interval: Duration,
    /// Octets delivered on the connection when the segment was sent: a round trip ends when this passes the total at
    /// its beginning.
    pub prior_delivered: u64,
    /// The application, not the window, limited the sending: the rate may be too low.
    pub application_limited: bool,
    /// Octets in the network just after the segment was sent, those of the segment included.
    pub tx_in_flight: u32,
    /// Octets found lost since the segment was sent.
    pub lost: u32,
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
        Self { delivered, interval, prior_delivered: 0, application_limited: false, tx_in_flight: 0, lost: 0 }
    }
}

/// A segment that was found lost: told for each, before [`on_delivery`](super::Controller::on_delivery) and
/// [`on_congestion`](super::Controller::on_congestion) tell of the same event.
///
/// ```
/// use segue::{Instant, congestion::Lost};
/// let lost = Lost::new(1460, 100_000, Instant::ZERO);
/// assert_eq!((lost.lost, lost.adjoins), (1460, false)); // nothing but itself since it was sent
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Lost {
    /// Its octets.
    pub octets: u32,
    /// Octets in the network just after it was sent, its own included.
    pub tx_in_flight: u32,
    /// Octets found lost since it was sent, its own included.
    pub lost: u32,
    /// Octets delivered since the connection started.
    pub delivered: u64,
    /// The application, not the window, limited the sending when it left.
    pub application_limited: bool,
    /// It follows in the stream on the segment that was found lost last: both are one range.
    pub adjoins: bool,
    /// The peer reports what arrives out of order (SACK), so that more than one loss in a round trip is found.
    pub sack: bool,
    /// Now.
    pub now: Instant,
}

impl Lost {
    /// `octets` were lost that left with `tx_in_flight` in the network; nothing else was lost since.
    ///
    /// ```
    /// use segue::{Instant, congestion::Lost};
    /// assert!(Lost::new(1460, 14_600, Instant::ZERO).sack);
    /// ```
    pub const fn new(octets: u32, tx_in_flight: u32, now: Instant) -> Self {
        Self {
            octets,
            tx_in_flight,
            lost: octets,
            delivered: 0,
            application_limited: false,
            adjoins: false,
            sack: true,
            now,
        }
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
    /// The marks are those of L4S: the controller [is scalable](super::Controller::is_scalable), and text is sent as ECT(1). No
    /// [`Signal::Ecn`] tells of them.
    pub l4s: bool,
    /// Loss recovery is going on.
    pub recovering: bool,
    /// The congestion window was full when it came: neither the application nor the peer nor pacing held the sender
    /// back.
    pub window_limited: bool,
    /// The peer reports what arrives out of order (SACK).
    pub sack: bool,
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
            l4s: false,
            recovering: false,
            window_limited: false,
            sack: true,
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
    /// Octets in the network after it: without those known to be lost.
    pub inflight: u32,
    /// Now.
    pub now: Instant,
}

impl Congestion {
    /// `signal` came with `flight` octets outstanding, all of them in the network.
    ///
    /// ```
    /// use segue::Instant;
    /// use segue::congestion::{Congestion, Signal};
    /// let congestion = Congestion::new(Signal::Ecn, 14_600, Instant::from_secs(1));
    /// assert_eq!((congestion.signal, congestion.flight), (Signal::Ecn, 14_600));
    /// ```
    pub const fn new(signal: Signal, flight: u32, now: Instant) -> Self {
        Self { signal, flight, inflight: flight, now }
    }
}
