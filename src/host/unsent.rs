//! What a flush could not send.

use core::fmt;

use super::flow::Flow;
use crate::codec::EncodeError;

/// Segments of one flow that could not leave in a flush, since they could not be signed
/// ([`Endpoint::flush_ip_signed`](super::Endpoint::flush_ip_signed)).
///
/// ```
/// use segue::auth::NoRoom;
/// use segue::codec::EncodeError;
/// use segue::host::{Flow, Unsent};
/// let flow = Flow::new("192.0.2.1:179".parse()?, "198.51.100.7:50000".parse()?).expect("unicast");
/// let error = EncodeError::NoRoom(NoRoom::OptionSpace { needed: 18, reserved: 0 });
/// let unsent = Unsent { flow, error, segments: 2 };
/// assert!(unsent.to_string().ends_with("2 segments unsent: a signature of 18 octets where option_space is 0"));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Unsent {
    /// Whose segments.
    pub flow: Flow,
    /// Why the last of them could not leave.
    pub error: EncodeError,
    /// How many. It saturates.
    pub segments: u32,
}

impl Unsent {
    /// One more.
    #[cfg(feature = "ip")]
    pub(super) fn count(&mut self, error: EncodeError) {
        self.error = error;
        self.segments = self.segments.saturating_add(1);
    }
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flow, error, segments } = self;
        write!(f, "{flow}: {segments} segments unsent: {error}")
    }
}

impl core::error::Error for Unsent {}
