//! What an endpoint tells its host: which connection, what happened, what became of a packet.

use alloc::vec::Vec;
use core::fmt;

use crate::codec::NoRoom;
use crate::{CloseReason, Report};

/// A connection of an [`Endpoint`](super::Endpoint).
///
/// It stays valid until the connection is over and read, see [`Signal::Closed`]. An id that is no longer valid is
/// answered with [`Gone`], and never means another connection: places are used again, with another generation, and a
/// place whose generations are used up is not used again.
///
/// ```
/// use segue::Instant;
/// use segue::host::{Endpoint, EndpointConfig, Keys, Id};
/// let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
/// let id = tcp.connect("192.0.2.1".parse()?, "198.51.100.7:80".parse()?, now)?;
/// assert_eq!(Id::from_bits(id.to_bits()), id); // for `epoll` data, or a foreign interface
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Id {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl Id {
    /// The place of the connection: for a table of the user's, which compares the whole id. Places are numbered from 0 on
    /// and used again, so there are no more than there were connections at once, those in TIME-WAIT included.
    ///
    /// ```
    /// use segue::host::Id;
    /// assert_eq!(Id::from_bits(3 << 32 | 12).index(), 12);
    /// ```
    pub const fn index(self) -> u32 {
        self.index
    }

    /// The id as a number, for tables and foreign interfaces. Never 0.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// # use segue::host::Id;
    /// let id = tcp.connect(us, peer, now)?;
    /// let data = id.to_bits(); // goes through `epoll` or a foreign interface
    /// assert_ne!(data, 0);
    /// assert_eq!(Id::from_bits(data), id);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The id with this number, whether it is valid or not.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// use segue::host::{Gone, Id};
    /// let unknown = Id::from_bits(7);
    /// assert_eq!(unknown.to_bits(), 7);
    /// assert_eq!(tcp.socket(unknown, now).err(), Some(Gone));
    /// ```
    pub fn from_bits(bits: u64) -> Self {
        let low = |n: u64| u32::try_from(n & 0xFFFF_FFFF).unwrap_or(0);
        Self { index: low(bits), generation: low(bits >> 32) }
    }
}

/// For logs: `12v3`.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}v{}", self.index, self.generation)
    }
}

/// News of a connection for the task that owns it. Signals are edges: each comes once, when something changed that a
/// task may wait for, and not again before the task did its part. None comes for what the task has done without it: text
/// that it read meanwhile, room that it filled or, after a close, does not want.
///
/// ```
/// use segue::Instant;
/// use segue::host::{Endpoint, EndpointConfig, Keys, Signal};
/// let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
/// /// An application in one function: it answers each piece with itself.
/// fn serve(tcp: &mut Endpoint, now: Instant) {
///     while let Some((id, signal)) = tcp.poll_signal() {
///         let Ok(mut socket) = tcp.socket(id, now) else { continue };
///         match signal {
///             Signal::Readable => while let Some(text) = socket.chunk() {
///                 let _ = socket.write(&text);
///             },
///             Signal::PeerClosed => drop(socket.close()),
///             other => println!("{id}: {other}"),
///         }
///     }
/// }
/// serve(&mut tcp, now);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Signal {
    /// An active open succeeded. (A passive one is told by [`Endpoint::accept`](super::Endpoint::accept).)
    Connected,
    /// Text arrived where none waited. Read until [`Socket::readable`](super::Socket::readable) is 0; then the next text
    /// signals again. [`Socket::set_receive_low_water`](super::Socket::set_receive_low_water) asks for more than one octet.
    Readable,
    /// A write took less than it was given, and there is room again.
    Writable,
    /// The peer acknowledged all that was written before
    /// [`Socket::notify_flushed`](super::Socket::notify_flushed), and the FIN after a close.
    Flushed,
    /// The peer sent its FIN: no more text will come after what waits.
    PeerClosed,
    /// Something that the user may want to know. Of each kind, the last report counts.
    Report(Report),
    /// The connection is over. Comes last, once, unless the user has left it by [`Socket::release`](super::Socket::release)
    /// or [`Socket::abort`](super::Socket::abort): no signal follows these. In an orderly end it comes when both sides have
    /// closed, before TIME-WAIT is over. The id is void then; but where text waits, it stays valid until that is read, or
    /// until [`Socket::release`](super::Socket::release) or [`Socket::abort`](super::Socket::abort).
    Closed(CloseReason),
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("connected"),
            Self::Readable => f.write_str("readable"),
            Self::Writable => f.write_str("writable"),
            Self::Flushed => f.write_str("flushed"),
            Self::PeerClosed => f.write_str("the peer closed"),
            Self::Report(report) => write!(f, "report: {report}"),
            Self::Closed(reason) => write!(f, "closed: {reason}"),
        }
    }
}

/// The id is not valid (any more): the connection is over, or never was.
///
/// ```
/// use segue::Instant;
/// use segue::host::{Endpoint, EndpointConfig, Keys, Gone, Id};
/// let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
/// let stale = Id::from_bits(7);
/// assert_eq!(tcp.socket(stale, now).map(|_| ()), Err(Gone));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is over: its id is not valid any more")
    }
}

impl core::error::Error for Gone {}

/// Why a connection was not opened. Nothing has changed.
///
/// ```
/// use segue::Instant;
/// use segue::host::{Endpoint, EndpointConfig, Keys, OpenError};
/// let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
/// let all = tcp.connect("192.0.2.1".parse()?, "224.0.0.1:80".parse()?, now); // multicast
/// assert_eq!(all, Err(OpenError::Unusable));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The two ends can have no connection: different versions of IP, an address that is not unicast, port 0 (MUST-46), or
    /// both are the same.
    Unusable,
    /// There is a connection between these ends, or one in TIME-WAIT; or somebody listens there already.
    InUse,
    /// Each port of the range has a connection to this peer.
    NoPort,
    /// [`EndpointConfig::connections`](super::EndpointConfig::connections) is reached, or the memory budget.
    Full,
    /// The segments of the connection would have no room for the signature of its keys.
    NoRoom(NoRoom),
}

impl From<NoRoom> for OpenError {
    fn from(error: NoRoom) -> Self {
        Self::NoRoom(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unusable => "no connection is possible between these ends",
            Self::InUse => "address in use",
            Self::NoPort => "no local port is left for this peer",
            Self::Full => "too many connections, or no memory left in the budget",
            Self::NoRoom(error) => return error.fmt(f),
        })
    }
}

impl core::error::Error for OpenError {}

/// As the sockets of the system say it; the error is the inner error.
#[cfg(feature = "std")]
impl From<OpenError> for std::io::Error {
    fn from(error: OpenError) -> Self {
        use std::io::ErrorKind;
        let kind = match error {
            OpenError::Unusable | OpenError::NoRoom(_) => ErrorKind::InvalidInput,
            OpenError::InUse => ErrorKind::AddrInUse,
            OpenError::NoPort => ErrorKind::AddrNotAvailable,
            OpenError::Full => ErrorKind::QuotaExceeded,
        };
        Self::new(kind, error)
    }
}

/// What became of a packet.
///
/// ```
/// use segue::Instant;
/// use segue::host::{Endpoint, EndpointConfig, Keys, Received};
/// let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
/// # let mut client = Endpoint::new(Keys::new(*b"drawn by another"), EndpointConfig::default());
/// # client.connect("198.51.100.7".parse()?, "192.0.2.1:80".parse()?, now)?;
/// client.flush(now, |addresses, packet| {
///     assert_eq!(tcp.receive(addresses, packet, now), Received::Stray); // nobody listens: a reset follows
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Received {
    /// It went to this connection, or to a SYN that a gate holds.
    Connection(Id),
    /// It opened this connection, which is half-open or, by a cookie, ready.
    Opened(Id),
    /// A SYN for a gate: [`Endpoint::incoming`](super::Endpoint::incoming) tells of it.
    Held(Id),
    /// It went to a connection in TIME-WAIT.
    TimeWait,
    /// A SYN, answered with a cookie; nothing is kept.
    Cookie,
    /// A SYN for a listener that has no room, and what its backlog says then; or one beyond the limits of the endpoint or
    /// that opens nothing ([`Config::drop_syn_fin`](crate::Config::drop_syn_fin)), and dropped. While cookies are out, also
    /// a segment whose cookie comes later, and dropped; and a cookie that finds no room, and refused with a reset.
    Full,
    /// No connection and no listener: answered as §3.10.7.1 says, with a reset unless it is one. An ICMP error about no
    /// connection: dropped.
    Stray,
    /// Not between two ends that can have a connection (MUST-57, MUST-63), or from one end to itself: dropped in silence.
    Unusable,
    /// For another host than [`EndpointConfig::addresses`](super::EndpointConfig::addresses) name: dropped in silence.
    Foreign,
}

/// The signals of a connection that its host has not taken.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Pending {
    flags: u8,
    /// The last of each kind, in the order of the first.
    reports: Vec<Report>,
    closed: Option<CloseReason>,
}

// In the order of `Signal`.
const CONNECTED: u8 = 1;
const READABLE: u8 = 2;
const WRITABLE: u8 = 4;
const FLUSHED: u8 = 8;
const PEER_CLOSED: u8 = 16;

impl Pending {
    pub(super) fn add(&mut self, signal: Signal) {
        match signal {
            Signal::Connected => self.flags |= CONNECTED,
            Signal::Readable => self.flags |= READABLE,
            Signal::Writable => self.flags |= WRITABLE,
            Signal::Flushed => self.flags |= FLUSHED,
            Signal::PeerClosed => self.flags |= PEER_CLOSED,
            Signal::Report(report) => {
                let kind = core::mem::discriminant(&report);
                match self.reports.iter_mut().find(|old| core::mem::discriminant(*old) == kind) {
                    Some(old) => *old = report,
                    None => self.reports.push(report),
                }
            }
            Signal::Closed(reason) => self.closed = Some(reason),
        }
    }

    /// In the order of [`Signal`].
    pub(super) fn take(&mut self) -> Option<Signal> {
        let first = self.flags & self.flags.wrapping_neg(); // the lowest bit
        self.flags &= !first;
        match first {
            CONNECTED => return Some(Signal::Connected),
            READABLE => return Some(Signal::Readable),
            WRITABLE => return Some(Signal::Writable),
            FLUSHED => return Some(Signal::Flushed),
            PEER_CLOSED => return Some(Signal::PeerClosed),
            _ => {}
        }
        if !self.reports.is_empty() {
            return Some(Signal::Report(self.reports.remove(0)));
        }
        self.closed.take().map(Signal::Closed)
    }

    /// The user has read all: the next text is told anew.
    pub(super) fn drop_readable(&mut self) {
        self.flags &= !READABLE;
    }

    /// A write found the room too small: the next room is told anew.
    pub(super) fn drop_writable(&mut self) {
        self.flags &= !WRITABLE;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.flags == 0 && self.reports.is_empty() && self.closed.is_none()
    }
}
