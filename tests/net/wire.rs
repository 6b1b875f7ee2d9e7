//! What the wire does to a segment: carries it as octets, flips bits.

use std::net::Ipv4Addr;

use bytes::Bytes;
use segue::Segment;
use segue::codec::{self, DecodeError, Fill, Packet, PseudoHeader, Verify};

use super::{FaultKind, Side};

/// The addresses of a packet that `from` sends.
pub(crate) const fn addresses(from: Side) -> PseudoHeader {
    let (client, server) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
    match from {
        Side::Client => PseudoHeader::V4 { src: client, dst: server },
        Side::Server => PseudoHeader::V4 { src: server, dst: client },
    }
}

/// The octets of a segment that `from` sends.
pub(crate) fn encode(from: Side, segment: &Segment) -> Vec<u8> {
    let (src_port, dst_port) = match from {
        Side::Client => (49_152, 7),
        Side::Server => (7, 49_152),
    };
    let mut octets = Vec::with_capacity(60 + segment.payload.len());
    let packet = Packet { src_port, dst_port, segment: segment.clone() };
    codec::encode(&packet, Fill::Now(addresses(from)), &mut octets).expect("the machine sends what can be encoded");
    octets
}

/// What arrives of a segment: `None` when a bit was flipped and the checksum gave it away.
pub(crate) fn carry(from: Side, segment: &Segment, encoded: bool, faults: &[FaultKind]) -> Option<Segment> {
    let flipped = faults.iter().find_map(|kind| if let FaultKind::Corrupt(bit) = kind { Some(*bit) } else { None });
    if !encoded && flipped.is_none() {
        return Some(segment.clone());
    }
    let mut octets = encode(from, segment);
    if let Some(bit) = flipped {
        let bit = usize::from(bit) % (octets.len() * 8);
        octets[bit / 8] ^= 1 << (bit % 8);
    }
    let decoded = codec::decode(Bytes::from(octets), Verify::Now(addresses(from)));
    if flipped.is_some() {
        assert_eq!(decoded, Err(DecodeError::Checksum), "a flipped bit went unnoticed in {segment}");
        return None;
    }
    let arrived = Segment { ecn: segment.ecn, ..decoded.expect("what was encoded can be decoded").segment };
    assert_eq!(arrived, *segment, "decoding gives another segment");
    Some(arrived)
}
