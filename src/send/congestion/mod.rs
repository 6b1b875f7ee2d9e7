//! Congestion control: told facts, asked for a window.

mod cubic;
mod hystart;
mod reno;

use core::fmt::Debug;
use core::hash::Hash;
use core::time::Duration;

use crate::Instant;
pub use cubic::Cubic;
pub use reno::Reno;

/// No window grows beyond the largest that RFC 7323 can announce.
const MAX_CWND: u32 = 1 << 30;

/// What a new acknowledgment told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Acked {
    /// Octets newly acknowledged.
    pub octets: u32,
    /// Octets in flight before this acknowledgment.
    pub flight: u32,
    /// A round-trip time measured by it.
    pub rtt: Option<Duration>,
    /// The smoothed round-trip time, once measured.
    pub srtt: Option<Duration>,
    /// Whether the window, not the application or the peer, held the sender back.
    pub window_limited: bool,
    /// Now.
    pub now: Instant,
}

/// Why the window must shrink. Each is told once per episode, never once per segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Signal {
    /// Loss found by duplicate acknowledgments.
    Loss,
    /// An ECN echo (RFC 3168). Not given yet: the machine does not use ECN.
    Ecn,
    /// The retransmission timer, first time for this segment.
    Timeout,
    /// The retransmission timer again for the same segment.
    TimeoutAgain,
}

/// What a congestion signal found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Congestion {
    /// The signal.
    pub signal: Signal,
    /// Octets in flight when it came.
    pub flight: u32,
    /// Now.
    pub now: Instant,
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
    fn start(&mut self, mss: u32, initial: u32, now: Instant);
    /// New text was acknowledged outside of loss recovery.
    fn on_ack(&mut self, acked: &Acked);
    /// The network is congested.
    fn on_congestion(&mut self, congestion: &Congestion);
    /// The congestion window in octets; the machine never takes it as less than one segment.
    fn window(&self) -> u32;
    /// The slow-start threshold in octets; `u32::MAX` while unknown.
    fn ssthresh(&self) -> u32 {
        u32::MAX
    }
    /// Octets that fit a segment changed; the window in octets does not grow by it, unless it would be less than a
    /// segment.
    fn set_mss(&mut self, mss: u32) {
        let _ = mss;
    }
    /// Nothing was sent for longer than an RTO; `initial` is the restart window (RFC 5681 §4.1).
    fn on_idle(&mut self, initial: u32, now: Instant) {
        let _ = (initial, now);
    }
    /// Text was sent: `octets` of it, with `flight` now outstanding.
    fn on_sent(&mut self, octets: u32, flight: u32, now: Instant) {
        let _ = (octets, flight, now);
    }
    /// Loss recovery ended with `flight` octets outstanding.
    fn on_recovered(&mut self, flight: u32, now: Instant) {
        let _ = (flight, now);
    }
    /// The last congestion signal was a mistake: nothing had been lost. Not told yet: the machine does not detect it.
    fn on_spurious(&mut self, now: Instant) {
        let _ = now;
    }
    /// Octets per second to pace at; `None`: as the window allows. Not asked yet: the machine does not pace.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }
}

/// The built-in controllers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(clippy::large_enum_variant)] // a box would cost an allocation for each connection
#[non_exhaustive]
pub enum Algorithm {
    /// RFC 5681.
    Reno(Reno),
    /// RFC 9438, with HyStart++ (RFC 9406).
    Cubic(Cubic),
}

impl Default for Algorithm {
    fn default() -> Self {
        Self::Reno(Reno::default())
    }
}

impl Controller for Algorithm {
    fn start(&mut self, mss: u32, initial: u32, now: Instant) {
        match self {
            Self::Reno(c) => c.start(mss, initial, now),
            Self::Cubic(c) => c.start(mss, initial, now),
        }
    }
    fn on_ack(&mut self, acked: &Acked) {
        match self {
            Self::Reno(c) => c.on_ack(acked),
            Self::Cubic(c) => c.on_ack(acked),
        }
    }
    fn on_congestion(&mut self, congestion: &Congestion) {
        match self {
            Self::Reno(c) => c.on_congestion(congestion),
            Self::Cubic(c) => c.on_congestion(congestion),
        }
    }
    fn window(&self) -> u32 {
        match self {
            Self::Reno(c) => c.window(),
            Self::Cubic(c) => c.window(),
        }
    }
    fn ssthresh(&self) -> u32 {
        match self {
            Self::Reno(c) => c.ssthresh(),
            Self::Cubic(c) => c.ssthresh(),
        }
    }
    fn set_mss(&mut self, mss: u32) {
        match self {
            Self::Reno(c) => c.set_mss(mss),
            Self::Cubic(c) => c.set_mss(mss),
        }
    }
    fn on_idle(&mut self, initial: u32, now: Instant) {
        match self {
            Self::Reno(c) => c.on_idle(initial, now),
            Self::Cubic(c) => c.on_idle(initial, now),
        }
    }
    fn on_sent(&mut self, octets: u32, flight: u32, now: Instant) {
        match self {
            Self::Reno(c) => c.on_sent(octets, flight, now),
            Self::Cubic(c) => c.on_sent(octets, flight, now),
        }
    }
    fn pacing_rate(&self) -> Option<u64> {
        match self {
            Self::Reno(c) => c.pacing_rate(),
            Self::Cubic(c) => c.pacing_rate(),
        }
    }
    fn on_spurious(&mut self, now: Instant) {
        match self {
            Self::Reno(c) => c.on_spurious(now),
            Self::Cubic(c) => c.on_spurious(now),
        }
    }
    fn on_recovered(&mut self, flight: u32, now: Instant) {
        match self {
            Self::Reno(c) => c.on_recovered(flight, now),
            Self::Cubic(c) => c.on_recovered(flight, now),
        }
    }
}
