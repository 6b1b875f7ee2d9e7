//! What went wrong, in the words of `std::io`. The reason of an end becomes an error in the crate, by its feature `std`.

use std::io::{self, ErrorKind};

use segue::host::OpenError;

/// Why a connection or a listener was not opened.
pub(crate) fn not_opened(error: OpenError) -> io::Error {
    let kind = match error {
        OpenError::Unusable | OpenError::NoRoom(_) => ErrorKind::InvalidInput,
        OpenError::InUse => ErrorKind::AddrInUse,
        OpenError::NoPort => ErrorKind::AddrNotAvailable,
        _ => ErrorKind::OutOfMemory,
    };
    io::Error::new(kind, error)
}
