//! virtio-net's header (Virtual I/O Device 1.2, §5.1.6) as a TUN device has it: without a number of buffers, and in the
//! byte order of the machine. It is flags, a kind of segmentation, the length of all headers, the text of a segment, where
//! the checksum begins, and where it goes.

use super::encode::is_large;
use crate::codec::{Lens, PseudoHeader};
use crate::{Flags, Segment};

/// Octets of the header.
pub(super) const LEN: usize = 10;

const NEEDS_CSUM: u8 = 1;
const DATA_VALID: u8 = 2;
const GSO_NONE: u8 = 0;
const GSO_TCP_V4: u8 = 1;
const GSO_TCP_V6: u8 = 4;
const GSO_ECN: u8 = 0x80;
/// Where a TCP header holds its checksum.
const CHECKSUM: u16 = 16;

/// What a device did to a datagram.
pub(super) struct Merged {
    /// Somebody verified TCP's checksum, or nobody needs to.
    pub(super) verified: bool,
    /// Octets of text in each of the segments that came as one, or 0.
    pub(super) segment_size: u16,
}

/// The header before a datagram, and its length.
pub(super) fn read(octets: &[u8]) -> Option<(Merged, usize)> {
    let &[flags, kind, _, _, s0, s1, _, _, _, _] = octets.first_chunk::<LEN>()?;
    let verified = flags & (NEEDS_CSUM | DATA_VALID) != 0;
    let segment_size = if kind == GSO_NONE { 0 } else { u16::from_ne_bytes([s0, s1]) };
    Some((Merged { verified, segment_size }, LEN))
}

/// The header before a segment in an IP header of `at` octets.
pub(super) fn header(addresses: &PseudoHeader, segment: &Segment, lens: Lens, at: u16) -> [u8; LEN] {
    let cut = is_large(segment);
    let kind = match addresses {
        PseudoHeader::V4 { .. } => GSO_TCP_V4,
        PseudoHeader::V6 { .. } => GSO_TCP_V6,
    };
    let ecn = if segment.flags.contains(Flags::CWR) { GSO_ECN } else { 0 }; // CWR belongs to the first piece alone
    let [h0, h1] = (at + lens.header).to_ne_bytes();
    let [s0, s1] = if cut { segment.segment_size } else { 0 }.to_ne_bytes();
    let ([b0, b1], [c0, c1]) = (at.to_ne_bytes(), CHECKSUM.to_ne_bytes());
    [NEEDS_CSUM, if cut { kind | ecn } else { GSO_NONE }, h0, h1, s0, s1, b0, b1, c0, c1]
}
