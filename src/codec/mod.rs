//! The TCP header on the wire: octets ⇄ [`Packet`], checksum included.
//!
//! A connection knows neither ports nor octets; a host that has an IP layer beneath it puts this module between the
//! two.
//!
//! ```
//! use core::net::Ipv4Addr;
//! use segue::codec::{self, Fill, Packet, PseudoHeader, Verify};
//! use segue::{Flags, Segment, SeqNum};
//!
//! let there = PseudoHeader::V4 { src: Ipv4Addr::new(10, 0, 0, 1), dst: Ipv4Addr::new(10, 0, 0, 2) };
//! let segment = Segment { seq: SeqNum::new(7), flags: Flags::SYN, window: 65535, ..Segment::default() };
//! let packet = Packet { src_port: 49152, dst_port: 80, segment };
//!
//! let mut octets = Vec::new();
//! codec::encode(&packet, Fill::Now(there), &mut octets)?;
//! let again = codec::decode(octets.into(), Verify::Now(there))?;
//! assert_eq!(again, packet);
//! assert_eq!(again.to_string(), "49152 > 80: Flags [S], seq 7, win 65535, length 0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Malformed and unusual input
//!
//! Decoding never panics and takes a bounded number of steps. What cannot be trusted is refused with a [`DecodeError`];
//! merely odd input is taken as the other stacks take it, so that one bad option of a middlebox costs no connection.
//!
//! | input | outcome |
//! |---|---|
//! | fewer than 20 octets | [`DecodeError::Truncated`] |
//! | wrong checksum (MUST-3) | [`DecodeError::Checksum`], looked at before anything below |
//! | more octets than an IP packet carries, with [`Verify::Now`] | [`DecodeError::TooLong`] |
//! | data offset below 5 | [`DecodeError::DataOffset`] |
//! | data offset past the end | [`DecodeError::Truncated`] |
//! | reserved bits set | ignored (§3.1); bit 8 is AE (RFC 9768) |
//! | any combination of control bits | decoded as it is: the connection judges it |
//! | acknowledgment or urgent pointer without its control bit | kept as a value without meaning |
//! | option that starts on any octet (MUST-64), on any segment (MUST-5) | decoded |
//! | option length 0 or 1, or past the end of the header, or no room for a length (MUST-7) | the options before it count, it and the rest of the list are ignored; [`RawOptions`] tells where |
//! | octets after EOL | ignored, zero or not |
//! | no EOL at the end of the list | as if there were one |
//! | unknown kind (MUST-6), in the right form (MUST-68) | ignored; [`RawOptions`] shows it |
//! | known kind with another length than it has (SACK: other than 1 to 4 blocks; Fast Open: no cookie RFC 7413 allows) | this option is ignored |
//! | AccECN of another length than 2, 5, 8 or 11 (RFC 9768 §3.2.3) | its whole fields count |
//! | the same kind again | the first one in the right form counts |
//! | MSS of any value, window scale above 14, SACK blocks that are empty or inverted | decoded as they are: the connection bounds them |
//! | port 0; addresses that are not unicast (MUST-57) | decoded; [`valid_endpoint`] tells hosts to drop the segment |
//!
//! # Encoding
//!
//! Reserved bits are zero. Options have the order and the padding that Linux and RFC 7323 App. A give them: MSS;
//! SACK-permitted and timestamps in three words; NOP and window scale; NOP, NOP and SACK; Fast Open; user timeout; AccECN. Only
//! where that takes more than 40 octets the NOPs are left out. [`Options::wire_len`](crate::Options::wire_len) tells
//! the octets exactly. What [`decode`] returns, [`encode`] always takes, in other octets perhaps; the same packet comes
//! back.

mod checksum;
mod endpoint;
mod error;
mod flow;
mod header;
mod options;
mod reset;
mod split;
mod writer;

use core::fmt;

use crate::Segment;

pub use checksum::{PseudoHeader, Sum, checksum};
pub use endpoint::valid_endpoint;
pub use error::{DecodeError, EncodeError, NoRoom};
pub use flow::Flow;
pub use header::{Fill, Header, Verify, decode, decode_raw, encode};
#[cfg(feature = "ip")]
pub(crate) use header::{Lens, encode_behind};
pub use options::{BadOption, RawOption, RawOptions, RawOptionsIter};
pub use reset::{opens, reset_for, reset_to};
pub use split::{Split, split, split_packet};

/// A segment with the ports it travels between: what the functions of this module take and give.
///
/// ```
/// use segue::codec::{Packet, opens, reset_to};
/// use segue::{Flags, Segment};
/// let segment = Segment { flags: Flags::SYN, window: 65535, ..Segment::default() };
/// let packet = Packet { src_port: 49152, dst_port: 80, segment };
/// assert!(opens(&packet));
/// let refused = reset_to(&packet).expect("a SYN is answered");
/// assert_eq!(refused.to_string(), "80 > 49152: Flags [R.], seq 0, ack 1, win 0, length 0");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Packet {
    /// The source port.
    pub src_port: u16,
    /// The destination port.
    pub dst_port: u16,
    /// The segment.
    pub segment: Segment,
}

/// The style of tcpdump: `49152 > 80: Flags [S], seq 7, win 65535, length 0`.
impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {}: {}", self.src_port, self.dst_port, self.segment)
    }
}
