//! What went wrong, in the words of `std::io`.

use std::io::{self, ErrorKind};

use segue::host::OpenError;
use segue::{CloseReason, IcmpKind};

/// The kind that a kernel gives for this end.
pub(crate) fn ended(reason: CloseReason) -> io::Error {
    let kind = match reason {
        CloseReason::Finished => ErrorKind::BrokenPipe,
        CloseReason::Refused | CloseReason::Unreachable(IcmpKind::PortUnreachable) => ErrorKind::ConnectionRefused,
        CloseReason::Reset => ErrorKind::ConnectionReset,
        CloseReason::ConnectTimeout
        | CloseReason::UserTimeout
        | CloseReason::KeepAliveTimeout
        | CloseReason::FinWait2Timeout => ErrorKind::TimedOut,
        CloseReason::Unreachable(_) => ErrorKind::HostUnreachable,
        _ => ErrorKind::ConnectionAborted, // we ended it
    };
    io::Error::new(kind, reason.to_string())
}

/// Why a connection or a listener was not opened.
pub(crate) fn not_opened(error: OpenError) -> io::Error {
    let kind = match error {
        OpenError::Unusable => ErrorKind::InvalidInput,
        OpenError::InUse => ErrorKind::AddrInUse,
        OpenError::NoPort => ErrorKind::AddrNotAvailable,
        _ => ErrorKind::OutOfMemory,
    };
    io::Error::new(kind, error)
}
