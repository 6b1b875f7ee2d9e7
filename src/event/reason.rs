//! Why: typed errors for the user's mistakes, reasons for discards and for the end of a connection.

use core::fmt;
use core::time::Duration;

use super::IcmpKind;

/// A user call that cannot proceed. The connection is unchanged.
///
/// ```
/// use segue::{Arc, Config, Connection, Error, Instant, Path, Secrets, SeqNum};
/// # let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
/// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 0 };
/// let mut tcp = Connection::listen(config, path, secrets);
/// assert_eq!(tcp.send(&mut "text".into(), Instant::ZERO), Err(Error::RemoteUnspecified));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Error {
    /// "connection does not exist": the state is CLOSED.
    NotConnected,
    /// "remote socket unspecified": SEND in LISTEN.
    RemoteUnspecified,
    /// "connection closing": CLOSE was already called.
    Closing,
    /// "insufficient resources": the data does not fit the send buffer. If `room` is 0, wait for
    /// [`Action::Writable`](super::Action::Writable); otherwise send that many octets now.
    NoRoom {
        /// Octets that fit now.
        room: usize,
    },
    /// [`Event::Rearm`](super::Event::Rearm) outside LISTEN, or with secrets still unused.
    NotWaiting,
    /// [`Event::Set`](super::Event::Set) with a value that the setting does not take:
    /// [`Connection::check_knob`](crate::Connection::check_knob) says why.
    InvalidSetting,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("connection does not exist"),
            Self::RemoteUnspecified => {
                f.write_str("remote socket unspecified: the value listens, wait for `Connected`")
            }
            Self::Closing => f.write_str("connection closing: CLOSE was already called"),
            Self::NoRoom { room: 0 } => {
                f.write_str("insufficient resources: the send buffer is full, wait for `Writable`")
            }
            Self::NoRoom { room } => {
                write!(f, "insufficient resources: the send buffer has room for {room} octets, send that many first")
            }
            Self::NotWaiting => f.write_str("the connection does not wait for new secrets"),
            Self::InvalidSetting => f.write_str("the setting does not take this value: `check_knob` says why"),
        }
    }
}

impl core::error::Error for Error {}

/// Why a connection ended.
///
/// ```
/// use segue::{Action, Arc, CloseReason, Config, Connection, Instant, Path, Secrets, SeqNum};
/// # let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
/// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 0 };
/// let (mut tcp, _) = Connection::connect(config, path, secrets, Instant::ZERO);
/// assert_eq!(tcp.abort(Instant::ZERO).last(), Some(&Action::Closed(CloseReason::Aborted)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum CloseReason {
    /// Both sides closed and every octet was acknowledged.
    Finished,
    /// CLOSE before the connection was established, in LISTEN or SYN-SENT.
    Cancelled,
    /// The peer answered our SYN with a reset: "connection refused".
    Refused,
    /// The peer reset the connection: "connection reset".
    Reset,
    /// ABORT.
    Aborted,
    /// The user was gone and left data unread (SHLD-3).
    Unread,
    /// No answer to our SYN or SYN,ACK within R2 (MUST-23).
    ConnectTimeout,
    /// The peer did not acknowledge data or a FIN within the user timeout (R2, MUST-20).
    UserTimeout,
    /// The peer answered no keep-alive probe.
    KeepAliveTimeout,
    /// The user was gone and the peer did not close within the limit of FIN-WAIT-2.
    FinWait2Timeout,
    /// A hard ICMP error while opening (SHLD-26).
    Unreachable(IcmpKind),
    /// The segment for `accept` opens nothing.
    NotSyn,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished => "finished: both sides closed",
            Self::Cancelled => "cancelled before it was established",
            Self::Refused => "connection refused",
            Self::Reset => "connection reset by the peer",
            Self::Aborted => "aborted",
            Self::Unread => "reset: the user was gone and text was unread",
            Self::ConnectTimeout => "no answer to the SYN",
            Self::UserTimeout => "aborted due to user timeout",
            Self::KeepAliveTimeout => "no answer to keep-alives",
            Self::FinWait2Timeout => "the peer did not close in time",
            Self::Unreachable(kind) => return write!(f, "ICMP error: {kind}"),
            Self::NotSyn => "the segment opens no connection",
        })
    }
}

impl core::error::Error for CloseReason {}

/// Why the connection discarded a segment or its payload. A segment that it discards whole changes nothing but
/// statistics.
///
/// ```
/// use segue::{Action, Arc, Config, Connection, Discard, Instant, Path, Secrets, Segment, SeqNum};
/// # let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
/// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 0 };
/// let mut tcp = Connection::listen(config, path, secrets);
/// let actions = tcp.handle_segment(Segment::default(), Instant::ZERO); // neither SYN nor ACK
/// assert_eq!(actions, [Action::Discarded(Discard::NotSyn)]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Discard {
    /// There is no connection; answered by a reset unless it is one (§3.10.7.1).
    NoConnection,
    /// LISTEN: a reset, or a segment with neither SYN nor ACK.
    NotSyn,
    /// LISTEN: an ACK, answered by a reset.
    AckInListen,
    /// LISTEN: a SYN before [`Event::Rearm`](super::Event::Rearm) brought new secrets.
    NotArmed,
    /// A SYN with FIN, by `drop_syn_fin`.
    SynFin,
    /// SYN-SENT or SYN-RECEIVED: the ACK is not for our SYN; answered by a reset unless it is one.
    BadHandshakeAck,
    /// SYN-SENT: a reset without an acceptable ACK.
    BlindReset,
    /// The sequence number is outside the window.
    OutOfWindow,
    /// All of it arrived before.
    Duplicate,
    /// The payload came while the receive window was zero; ACK, URG and RST counted.
    ZeroWindow,
    /// A reset outside the window (RFC 5961 §3).
    ResetOutOfWindow,
    /// A reset in the window that is not exact; challenged (RFC 5961 §3).
    ResetChallenged,
    /// A SYN on a synchronized connection; challenged (RFC 5961 §4).
    SynChallenged,
    /// A retransmitted SYN in SYN-RECEIVED; the SYN,ACK is sent again.
    SynRepeated,
    /// No ACK where every segment has one.
    NoAck,
    /// The ACK is too old or for data never sent; challenged (RFC 5961 §5).
    AckOutOfRange,
    /// An old timestamp (RFC 7323 §5.3, PAWS).
    Paws,
    /// No timestamp although they were negotiated (RFC 7323 §3.2).
    MissingTimestamp,
    /// Payload after the peer's FIN.
    AfterFin,
    /// The receiver holds too many ranges; it always accepts in-order payload.
    ReassemblyFull,
    /// TIME-WAIT: a reset (RFC 1337), an unacceptable SYN or other segment, or an ACK, which tells nothing any more.
    TimeWait,
}

/// News for the user while the connection goes on (MUST-47, RFC 9293 §3.9.1.8).
///
/// ```
/// use segue::{Action, Report};
/// /// What a user that asked for reports reads in its log.
/// fn log(action: &Action) -> Option<String> {
///     if let Action::Report(report) = action { Some(report.to_string()) } else { None }
/// }
/// assert!(log(&Action::Report(Report::Unresponsive { retransmissions: 3 })).is_some());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Report {
    /// R1: retransmissions of one segment reached the limit; advise IP to look for another route (MUST-20, SHLD-9).
    Unresponsive {
        /// Retransmissions so far.
        retransmissions: u32,
    },
    /// An ICMP error that does not end the connection (SHLD-25).
    Icmp(IcmpKind),
    /// The path MTU in use from now on: a smaller one after an ICMP error or a black hole, or a larger one, on trial or
    /// confirmed.
    PathMtu(u16),
    /// The peer suggests this user timeout (RFC 5482 §3.1). It counts unless the user has set one; see
    /// [`Info::user_timeout`](crate::Info::user_timeout).
    UserTimeout(Duration),
    /// The server gave a Fast Open cookie: keep both for the next connection to its address (RFC 7413 §4.1.3).
    #[cfg(feature = "fast-open")]
    FastOpenCookie {
        /// The cookie.
        cookie: crate::FastOpenCookie,
        /// The MSS that it announced, in octets: how long a segment the text on the next SYN may make.
        mss: u16,
    },
    /// Fast Open did not work; the connection goes on without. Use none for a while to this address and port (RFC 7413
    /// §4.1.3.1).
    #[cfg(feature = "fast-open")]
    FastOpenRefused(FastOpenRefusal),
    /// The handshake of a connection whose text was taken before is complete: the client has the address that its SYN came
    /// from (RFC 7413 §4.2.2).
    #[cfg(feature = "fast-open")]
    FastOpenConfirmed,
}

/// Why Fast Open did not work (RFC 7413 §4.1.3.1).
///
/// ```
/// use segue::FastOpenRefusal;
/// assert_eq!(FastOpenRefusal::NoCookie.to_string(), "the server gives no cookie");
/// ```
#[cfg(feature = "fast-open")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FastOpenRefusal {
    /// The SYN asked for a cookie, and the SYN,ACK brought none.
    NoCookie,
    /// The SYN,ACK acknowledged none of the text on the SYN. With it may have come [`Report::FastOpenCookie`]: then the old
    /// cookie has expired, and the new one is worth a trial.
    NotAcknowledged,
    /// The SYN with the option had no answer in time: something on the path may drop it.
    Timeout,
    /// An ICMP error came for the SYN with text.
    Icmp(IcmpKind),
}

#[cfg(feature = "fast-open")]
impl fmt::Display for FastOpenRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCookie => f.write_str("the server gives no cookie"),
            Self::NotAcknowledged => f.write_str("the server took no text on the SYN"),
            Self::Timeout => f.write_str("no answer to the SYN with the option"),
            Self::Icmp(kind) => write!(f, "ICMP error: {kind}"),
        }
    }
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoConnection => "no connection",
            Self::NotSyn => "not a SYN, in LISTEN",
            Self::AckInListen => "an ACK, in LISTEN",
            Self::NotArmed => "a SYN before new secrets",
            Self::SynFin => "SYN with FIN",
            Self::BadHandshakeAck => "the ACK is not for our SYN",
            Self::BlindReset => "a reset without an acceptable ACK",
            Self::OutOfWindow => "outside the receive window",
            Self::Duplicate => "duplicate",
            Self::ZeroWindow => "payload for a closed receive window",
            Self::ResetOutOfWindow => "a reset outside the window",
            Self::ResetChallenged => "an inexact reset, challenged",
            Self::SynChallenged => "a SYN on an open connection, challenged",
            Self::SynRepeated => "a repeated SYN",
            Self::NoAck => "no ACK",
            Self::AckOutOfRange => "the ACK is out of range",
            Self::Paws => "an old timestamp (PAWS)",
            Self::MissingTimestamp => "no timestamp",
            Self::AfterFin => "payload after the FIN",
            Self::ReassemblyFull => "too many ranges out of order",
            Self::TimeWait => "TIME-WAIT",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresponsive { retransmissions } => {
                write!(f, "the peer did not answer {retransmissions} retransmissions")
            }
            Self::Icmp(kind) => write!(f, "ICMP error: {kind}"),
            Self::PathMtu(mtu) => write!(f, "the path MTU is {mtu}"),
            Self::UserTimeout(time) => write!(f, "the peer suggests a user timeout of {} s", time.as_secs()),
            #[cfg(feature = "fast-open")]
            Self::FastOpenCookie { cookie, mss } => write!(f, "{cookie:?}, with an MSS of {mss}"),
            #[cfg(feature = "fast-open")]
            Self::FastOpenRefused(why) => write!(f, "no Fast Open: {why}"),
            #[cfg(feature = "fast-open")]
            Self::FastOpenConfirmed => f.write_str("the handshake is complete, after Fast Open"),
        }
    }
}
