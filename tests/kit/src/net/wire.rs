//! What the wire does to a segment: carries it as octets, flips bits.

use std::net::Ipv4Addr;

use bytes::Bytes;
use segue::codec::{self, DecodeError, Fill, Packet, PseudoHeader, Verify};
use segue::{Flags, IpVersion, Segment};

use super::{FaultKind, Side};

/// The ports of a capture: none that a dissector takes for a protocol of its own.
pub const CLIENT_PORT: u16 = 49_152;
const SERVER_PORT: u16 = 4242;

/// The addresses of a packet that `from` sends.
pub const fn addresses(from: Side) -> PseudoHeader {
    let (client, server) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
    match from {
        Side::Client => PseudoHeader::V4 { src: client, dst: server },
        Side::Server => PseudoHeader::V4 { src: server, dst: client },
    }
}

/// The octets of a segment that `from` sends.
pub fn encode(from: Side, segment: &Segment) -> Vec<u8> {
    let (src_port, dst_port) = match from {
        Side::Client => (CLIENT_PORT, SERVER_PORT),
        Side::Server => (SERVER_PORT, CLIENT_PORT),
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

/// Octets of the packet that carries a segment.
pub fn packet_len(ip: IpVersion, segment: &Segment) -> usize {
    usize::from(ip.header()) + 20 + segment.options.wire_len() + segment.payload.len()
}

/// Merges neighbours that a network card would merge (GRO): the same stream going on, in pieces of one size.
pub(crate) fn merge(segments: Vec<Segment>) -> Vec<Segment> {
    let mut merged: Vec<Segment> = Vec::new();
    for segment in segments {
        match merged.last_mut().filter(|last| goes_on(last, &segment)) {
            Some(last) => {
                if last.segment_size == 0 {
                    last.segment_size = last.payload.len() as u16;
                }
                last.payload = [&last.payload[..], &segment.payload[..]].concat().into();
                last.flags |= segment.flags;
            }
            None => merged.push(segment),
        }
    }
    merged
}

fn goes_on(last: &Segment, next: &Segment) -> bool {
    let size = if last.segment_size == 0 { last.payload.len() } else { usize::from(last.segment_size) };
    let whole = size > 0 && last.payload.len() % size == 0 && last.payload.len() + next.payload.len() <= 60_000;
    whole
        && last.flags == Flags::ACK
        && (next.flags - Flags::PSH - Flags::FIN) == Flags::ACK
        && next.seq == last.end()
        && (1..=size).contains(&next.payload.len())
        && (next.ack, next.window, &next.options, next.ecn) == (last.ack, last.window, &last.options, last.ecn)
}
