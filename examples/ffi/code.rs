//! What a call returns, why a connection ended, and the words for both.

use std::ffi::{CStr, c_char};

use segue::codec::DecodeError;
use segue::host::{Gone, OpenError};
use segue::{CloseReason, ConfigError, Error};

/// What a call returns: 0, a positive code where there is nothing to give, a negative one for a mistake. After a mistake
/// nothing has changed. segue_strerror has the words.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    /// Done.
    Ok = 0,
    /// Nothing waits: no signal, no connection, no text, no deadline.
    None = 1,
    /// The peer's stream has ended, and all of it was read.
    End = 2,
    /// A pointer that has to point to something is NULL.
    Null = -1,
    /// A value is out of its range: an address, a length, an option, a listener.
    Invalid = -2,
    /// The id is void: the connection is over, or never was, or is not the user's yet.
    Gone = -3,
    /// The connection is over; what it delivered can still be read.
    NotConnected = -4,
    /// Closed already: nothing can be written any more.
    Closing = -5,
    /// No connection is possible between these ends.
    Unusable = -6,
    /// There is a connection between these ends, or a listener.
    InUse = -7,
    /// No local port is left for this peer.
    NoPort = -8,
    /// Too many connections, or no memory left in the budget.
    Full = -9,
    /// The octets are no TCP segment.
    Malformed = -10,
    /// The checksum is wrong.
    Checksum = -11,
    /// A call from within segue_flush on the endpoint that flushes.
    Busy = -12,
    /// A defect of the library: the endpoint can only be freed.
    Panic = -13,
    /// The connection cannot do this now.
    Failed = -14,
}

impl Code {
    const ALL: [Self; 17] = [
        Self::Ok,
        Self::None,
        Self::End,
        Self::Null,
        Self::Invalid,
        Self::Gone,
        Self::NotConnected,
        Self::Closing,
        Self::Unusable,
        Self::InUse,
        Self::NoPort,
        Self::Full,
        Self::Malformed,
        Self::Checksum,
        Self::Busy,
        Self::Panic,
        Self::Failed,
    ];

    const fn text(self) -> &'static CStr {
        match self {
            Self::Ok => c"done",
            Self::None => c"nothing waits",
            Self::End => c"the stream of the peer has ended",
            Self::Null => c"a pointer is NULL",
            Self::Invalid => c"a value is out of its range",
            Self::Gone => c"the connection is over: its id is not valid any more",
            Self::NotConnected => c"connection does not exist",
            Self::Closing => c"connection closing: it was closed already",
            Self::Unusable => c"no connection is possible between these ends",
            Self::InUse => c"address in use",
            Self::NoPort => c"no local port is left for this peer",
            Self::Full => c"too many connections, or no memory left in the budget",
            Self::Malformed => c"the octets are no TCP segment",
            Self::Checksum => c"wrong checksum",
            Self::Busy => c"the endpoint is flushing: call it after that",
            Self::Panic => c"a defect of the library: free the endpoint",
            Self::Failed => c"the connection cannot do this now",
        }
    }
}

impl From<Gone> for Code {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

impl From<OpenError> for Code {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Unusable => Self::Unusable,
            OpenError::InUse => Self::InUse,
            OpenError::NoPort => Self::NoPort,
            OpenError::Full => Self::Full,
            _ => Self::Failed,
        }
    }
}

impl From<Error> for Code {
    fn from(error: Error) -> Self {
        match error {
            Error::NotConnected => Self::NotConnected,
            Error::Closing => Self::Closing,
            _ => Self::Failed,
        }
    }
}

impl From<DecodeError> for Code {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Checksum => Self::Checksum,
            _ => Self::Malformed,
        }
    }
}

impl From<ConfigError> for Code {
    fn from(_: ConfigError) -> Self {
        Self::Invalid
    }
}

/// Why a connection ended: the detail of SEGUE_SIGNAL_CLOSED. segue_reason_text has the words.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Both sides closed, and every octet was acknowledged.
    Finished = 0,
    /// Closed before it was established.
    Cancelled = 1,
    /// The peer answered the SYN with a reset.
    Refused = 2,
    /// The peer reset the connection.
    Reset = 3,
    /// Aborted by its user.
    Aborted = 4,
    /// The user was gone, and text was unread.
    Unread = 5,
    /// No answer to the SYN.
    ConnectTimeout = 6,
    /// The peer did not acknowledge in time.
    UserTimeout = 7,
    /// No answer to keep-alives.
    KeepAliveTimeout = 8,
    /// The user was gone, and the peer did not close in time.
    FinWait2Timeout = 9,
    /// A hard ICMP error while it was opened.
    Unreachable = 10,
    /// The segment opened no connection.
    NotSyn = 11,
    /// A reason that this header does not know.
    Other = 12,
}

impl Reason {
    const ALL: [Self; 13] = [
        Self::Finished,
        Self::Cancelled,
        Self::Refused,
        Self::Reset,
        Self::Aborted,
        Self::Unread,
        Self::ConnectTimeout,
        Self::UserTimeout,
        Self::KeepAliveTimeout,
        Self::FinWait2Timeout,
        Self::Unreachable,
        Self::NotSyn,
        Self::Other,
    ];

    const fn text(self) -> &'static CStr {
        match self {
            Self::Finished => c"finished: both sides closed",
            Self::Cancelled => c"cancelled before it was established",
            Self::Refused => c"connection refused",
            Self::Reset => c"connection reset by the peer",
            Self::Aborted => c"aborted",
            Self::Unread => c"reset: the user was gone and text was unread",
            Self::ConnectTimeout => c"no answer to the SYN",
            Self::UserTimeout => c"aborted due to user timeout",
            Self::KeepAliveTimeout => c"no answer to keep-alives",
            Self::FinWait2Timeout => c"the peer did not close in time",
            Self::Unreachable => c"unreachable",
            Self::NotSyn => c"the segment opens no connection",
            Self::Other => c"another reason",
        }
    }
}

impl From<CloseReason> for Reason {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Finished => Self::Finished,
            CloseReason::Cancelled => Self::Cancelled,
            CloseReason::Refused => Self::Refused,
            CloseReason::Reset => Self::Reset,
            CloseReason::Aborted => Self::Aborted,
            CloseReason::Unread => Self::Unread,
            CloseReason::ConnectTimeout => Self::ConnectTimeout,
            CloseReason::UserTimeout => Self::UserTimeout,
            CloseReason::KeepAliveTimeout => Self::KeepAliveTimeout,
            CloseReason::FinWait2Timeout => Self::FinWait2Timeout,
            CloseReason::Unreachable(_) => Self::Unreachable,
            CloseReason::NotSyn => Self::NotSyn,
            _ => Self::Other,
        }
    }
}

/// The words for a code, as a static string; never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn segue_strerror(code: i32) -> *const c_char {
    let known = Code::ALL.into_iter().find(|known| *known as i32 == code);
    known.map_or(c"unknown code", Code::text).as_ptr()
}

/// The words for a reason, as a static string; never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn segue_reason_text(reason: i32) -> *const c_char {
    let known = Reason::ALL.into_iter().find(|known| *known as i32 == reason);
    known.map_or(c"unknown reason", Reason::text).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_the_words_of_the_crate() {
        for reason in [CloseReason::Finished, CloseReason::Refused, CloseReason::UserTimeout, CloseReason::NotSyn] {
            assert_eq!(Reason::from(reason).text().to_str(), Ok(reason.to_string().as_str()));
        }
    }

    #[test]
    fn every_code_is_listed_once() {
        let mut numbers = Code::ALL.map(|code| code as i32);
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(-14..=2), "{numbers:?}");
        assert!(Reason::ALL.iter().map(|reason| *reason as i32).eq(0..=12));
    }
}
