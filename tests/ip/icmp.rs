//! ICMP errors.

use bytes::Bytes;
use etherparse::icmpv4::DestUnreachableHeader;
use etherparse::icmpv6::DestUnreachableCode;
use etherparse::{Icmpv4Type, Icmpv6Type, PacketBuilder};
use segue::codec::{Flow, PseudoHeader};
use segue::ip::{self, Datagram, IcmpError, Ignored};
use segue::{IcmpKind, SeqNum};

use super::support::{PLAIN, addresses, encoded, packet};

const ROUTER_V4: [u8; 4] = [198, 51, 100, 1];

/// The flow of the packet that is quoted, as its sender sees it.
fn flow(ends: PseudoHeader) -> Flow {
    Flow::new((ends.src(), 1001).into(), (ends.dst(), 80).into()).unwrap()
}

/// A message that quotes these octets, as a router would send it to their source.
pub(crate) fn message(ends: PseudoHeader, v4: Icmpv4Type, v6: Icmpv6Type, quoted: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    match ends {
        PseudoHeader::V4 { src, .. } => {
            PacketBuilder::ipv4(ROUTER_V4, src.octets(), 64).icmpv4(v4).write(&mut octets, quoted)
        }
        PseudoHeader::V6 { src, dst } => {
            PacketBuilder::ipv6(dst.octets(), src.octets(), 64).icmpv6(v6).write(&mut octets, quoted)
        }
    }
    .unwrap();
    octets
}

fn decode(octets: Vec<u8>) -> Result<Datagram, Ignored> {
    ip::decode(octets.into(), PLAIN)
}

fn too_big(ends: PseudoHeader, quoted: &[u8]) -> Vec<u8> {
    let v4 = Icmpv4Type::DestinationUnreachable(DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: 1280 });
    message(ends, v4, Icmpv6Type::PacketTooBig { mtu: 1280 }, quoted)
}

fn port_unreachable(ends: PseudoHeader, quoted: &[u8]) -> Vec<u8> {
    let v4 = Icmpv4Type::DestinationUnreachable(DestUnreachableHeader::Port);
    message(ends, v4, Icmpv6Type::DestinationUnreachable(DestUnreachableCode::Port), quoted)
}

#[test]
fn errors_name_the_connection_and_the_segment() {
    for ends in addresses() {
        let quoted = encoded(ends, &packet(b"lost"), PLAIN);
        let expected = |kind, mtu| {
            Ok(Datagram::Icmp(IcmpError { flow: flow(ends), kind, mtu, quoted_seq: SeqNum::new(0x1234_5678) }))
        };
        assert_eq!(decode(too_big(ends, &quoted)), expected(IcmpKind::PacketTooBig, 1280));
        assert_eq!(decode(port_unreachable(ends, &quoted)), expected(IcmpKind::PortUnreachable, 0));
        // Eight octets of TCP are enough (RFC 792), fewer are not.
        let ip = quoted.len() - 32 - 4;
        assert_eq!(decode(port_unreachable(ends, &quoted[..ip + 8])), expected(IcmpKind::PortUnreachable, 0));
        for len in 0..ip + 8 {
            assert_eq!(decode(port_unreachable(ends, &quoted[..len])), Err(Ignored::Length), "{len} octets");
        }
    }
}

/// RFC 8201 §4 allows any number; a `u16` holds every MTU that TCP can make use of.
#[test]
fn an_mtu_beyond_16_bits_counts_as_the_largest() {
    let [_, ends] = addresses();
    let octets = message(
        ends,
        Icmpv4Type::Unknown { type_u8: 0, code_u8: 0, bytes5to8: [0; 4] },
        Icmpv6Type::PacketTooBig { mtu: 70_000 },
        &encoded(ends, &packet(b""), PLAIN),
    );
    assert!(matches!(decode(octets), Ok(Datagram::Icmp(IcmpError { mtu: u16::MAX, .. }))));
}

#[test]
fn damaged_errors_are_ignored() {
    for ends in addresses() {
        let mut octets = port_unreachable(ends, &encoded(ends, &packet(b"lost"), PLAIN));
        *octets.last_mut().unwrap() ^= 1;
        assert_eq!(decode(octets), Err(Ignored::Checksum));
    }
}

#[test]
fn messages_that_are_no_errors_about_a_segment_are_told_apart() {
    for ends in addresses() {
        let echo = etherparse::IcmpEchoHeader { id: 1, seq: 2 };
        let ping = message(ends, Icmpv4Type::EchoRequest(echo), Icmpv6Type::EchoRequest(echo), b"ping");
        assert_eq!(decode(ping), Err(Ignored::Icmp));
        // A quoted UDP packet, a later fragment, a group.
        let quoted = encoded(ends, &packet(b"lost"), PLAIN);
        let (protocol, to, group) = if ends.src().is_ipv4() { (9, 16, 224) } else { (6, 24, 0xFF) };
        for (at, value) in [(protocol, 17), (to, group)] {
            let mut other = quoted.clone();
            other[at] = value;
            assert_eq!(decode(port_unreachable(ends, &other)), Err(Ignored::Icmp));
        }
        if ends.src().is_ipv4() {
            let mut later = quoted.clone();
            later[7] = 1;
            assert_eq!(decode(port_unreachable(ends, &later)), Err(Ignored::Icmp));
        }
    }
}

#[test]
fn any_octets_in_a_message_are_survived() {
    for ends in addresses() {
        let whole = too_big(ends, &encoded(ends, &packet(b"lost"), PLAIN));
        for len in 0..whole.len() {
            let mut octets = whole[..len].to_vec();
            let _ = ip::decode(Bytes::from(octets.clone()), PLAIN);
            if let Some(last) = octets.last_mut() {
                *last = 0xFF;
                let _ = decode(octets);
            }
        }
    }
}
