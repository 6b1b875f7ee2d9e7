//! What can be wrong with octets, and with a packet that is to become octets.

use core::fmt;

/// Why octets are not a TCP segment. Such octets must not reach a connection; nothing answers them.
///
/// ```
/// use segue::codec::{DecodeError, Verify, decode};
/// let error = decode(vec![0; 19].into(), Verify::ByHardware).unwrap_err();
/// assert_eq!(error, DecodeError::Truncated { needed: 20, len: 19 });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are fewer octets than the fixed header has, or than the data offset says that the header has.
    Truncated {
        /// Octets of the header.
        needed: usize,
        /// Octets there are.
        len: usize,
    },
    /// The data offset, in octet 12, counts fewer than the five words of the fixed header.
    DataOffset(u8),
    /// There are more octets than one IP packet can carry, so that no checksum is defined for them.
    TooLong {
        /// Octets there are.
        len: usize,
        /// The most there can be.
        max: usize,
    },
    /// The checksum is wrong (MUST-3).
    Checksum,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, len } => write!(f, "a TCP header of {needed} octets is cut off after {len}"),
            Self::DataOffset(words) => write!(f, "a data offset of {words} words, fewer than 5"),
            Self::TooLong { len, max } => write!(f, "a segment of {len} octets, more than the {max} of one IP packet"),
            Self::Checksum => f.write_str("wrong checksum"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Why a packet has no form on the wire. Nothing was written.
///
/// ```
/// use segue::codec::{EncodeError, Fill, Header, Packet, PseudoHeader};
/// use segue::{Options, SackBlock, SackBlocks, Segment, Timestamps};
/// let there = PseudoHeader::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() };
/// let mut sack = SackBlocks::new();
/// (0..4).for_each(|_| drop(sack.push(SackBlock::default())));
/// let timestamps = Some(Timestamps::default());
/// let options = Options { sack, timestamps, ..Options::default() }; // 34 and 10 octets
/// let packet = Packet { segment: Segment { options: options.into(), ..Segment::default() }, ..Packet::default() };
/// assert!(matches!(Header::new(&packet, Fill::Now(there)), Err(EncodeError::OptionsTooLong { .. })));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum EncodeError {
    /// The options need more than the 40 octets that the data offset can count.
    OptionsTooLong {
        /// Octets they need.
        len: usize,
    },
    /// Header and text do not fit into one IP packet.
    TooLong {
        /// Octets of header and text.
        len: usize,
        /// The most there can be.
        max: usize,
    },
    /// The value stands for several segments, which no hardware will cut: [`split`](super::split()) it first.
    NotSplit {
        /// Octets of text in each.
        segment_size: u16,
    },
    /// The buffer has no room.
    BufferTooSmall {
        /// Octets of header and text.
        needed: usize,
        /// Octets of room.
        room: usize,
    },
    /// The connection leaves no room for the signature of the segment ([`auth`](crate::auth)).
    NoRoom(NoRoom),
    /// The initial sequence numbers are not known, which the keys of the segment depend on, and it is no reset, which may
    /// leave without signature ([`auth`](crate::auth)): the keys came after the SYN, or the association was lost.
    UnknownConnection,
}

impl From<NoRoom> for EncodeError {
    fn from(error: NoRoom) -> Self {
        Self::NoRoom(error)
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OptionsTooLong { len } => write!(f, "options of {len} octets, more than the 40 of a TCP header"),
            Self::TooLong { len, max } => write!(f, "a segment of {len} octets, more than the {max} of one IP packet"),
            Self::NotSplit { segment_size } => write!(f, "several segments of {segment_size} octets in one value"),
            Self::BufferTooSmall { needed, room } => write!(f, "room for {room} octets where {needed} are needed"),
            Self::NoRoom(error) => error.fmt(f),
            Self::UnknownConnection => f.write_str("a segment to sign of a connection whose first numbers are unknown"),
        }
    }
}

impl core::error::Error for EncodeError {}

/// Why the segments of a connection have no room for its signature (RFC 5925 §7.6, RFC 2385 §4.3). It is told before
/// anything leaves: no datagram becomes larger than the MTU for its signature.
///
/// ```
/// use segue::auth::NoRoom;
/// let error = NoRoom::OptionSpace { needed: 18, reserved: 16 };
/// assert_eq!(error.to_string(), "a signature of 18 octets where option_space is 16");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NoRoom {
    /// [`Config::option_space`](crate::Config::option_space), rounded up to a multiple of 4, is less than the signature takes.
    OptionSpace {
        /// Octets of the signature: the least `option_space`.
        needed: u8,
        /// The `option_space` of the connection.
        reserved: u8,
    },
    /// The MTU is less than that of the narrowest path over IPv4, 68 octets, and the option of the signature: the options of
    /// TCP would fit no datagram beside it.
    Mtu {
        /// The least MTU, or the octets of a datagram that was to leave.
        needed: u16,
        /// The MTU of the path.
        mtu: u16,
    },
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OptionSpace { needed, reserved } => {
                write!(f, "a signature of {needed} octets where option_space is {reserved}")
            }
            Self::Mtu { needed, mtu } => write!(f, "an MTU of {mtu} octets where a signature needs {needed}"),
        }
    }
}

impl core::error::Error for NoRoom {}
