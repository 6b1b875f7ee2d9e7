//! Segments with option areas that no encoder of the crate writes, as the wire brings them.

use bytes::Bytes;
use segue::codec::{self, Fill, Packet, PseudoHeader, Verify};
use segue::{Options, Segment};

fn octets_of(segment: Segment) -> Vec<u8> {
    let there = PseudoHeader::new("192.0.2.1".parse().unwrap(), "198.51.100.7".parse().unwrap()).unwrap();
    let mut octets = Vec::new();
    codec::encode(&Packet { segment, ..Packet::default() }, Fill::Now(there), &mut octets).unwrap();
    octets
}

/// The segment as the wire brings it whose option area is this one, filled up with NOP to whole words.
pub(crate) fn with_area(segment: &Segment, area: &[u8]) -> Segment {
    let mut octets = octets_of(Segment { options: Options::default().into(), ..segment.clone() });
    let mut area = area.to_vec();
    area.resize(area.len().next_multiple_of(4), 1);
    assert!(area.len() <= 40);
    octets[12] += (area.len() as u8 / 4) << 4;
    octets.splice(20..20, area);
    let decoded = codec::decode(octets.into(), Verify::ByHardware).unwrap().segment;
    Segment { ecn: segment.ecn, ..decoded }
}

/// The option area of the segment as it is encoded.
pub(crate) fn own_area(segment: &Segment) -> Vec<u8> {
    octets_of(Segment { payload: Bytes::new(), ..segment.clone() }).split_off(20)
}
