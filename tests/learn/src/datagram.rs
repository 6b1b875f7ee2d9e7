//! Segments as IPv4 datagrams between two fixed addresses, for subjects that speak octets.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use segue::Segment;
use segue::codec::{Packet, PseudoHeader};
use segue::ip::{Datagram, Format, decode, encode};

/// The subject's address and port.
pub const SUBJECT: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 443);
/// The tester's.
pub const TESTER: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 2), 49_152);

/// From the tester to a port of the subject.
pub fn to_subject(segment: &Segment, port: u16) -> Vec<u8> {
    let addresses = PseudoHeader::new(IpAddr::V4(TESTER.0), IpAddr::V4(SUBJECT.0)).expect("one version");
    let packet = Packet { src_port: TESTER.1, dst_port: port, segment: segment.clone() };
    let mut octets = Vec::new();
    encode(addresses, &packet, Format::default(), &mut octets).expect("a short segment");
    octets
}

/// The segment in a datagram of the subject, and its port; `None` for other protocols.
pub fn from_subject(octets: Vec<u8>) -> Option<(u16, Segment)> {
    match decode(Bytes::from(octets), Format::default()) {
        Ok(Datagram::Tcp(_, packet)) => Some((packet.src_port, packet.segment)),
        _ => None,
    }
}
