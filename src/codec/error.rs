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
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OptionsTooLong { len } => write!(f, "options of {len} octets, more than the 40 of a TCP header"),
            Self::TooLong { len, max } => write!(f, "a segment of {len} octets, more than the {max} of one IP packet"),
            Self::NotSplit { segment_size } => write!(f, "several segments of {segment_size} octets in one value"),
            Self::BufferTooSmall { needed, room } => write!(f, "room for {room} octets where {needed} are needed"),
        }
    }
}

impl core::error::Error for EncodeError {}
