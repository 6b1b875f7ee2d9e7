//! The host's IP layer alone: no kernel needed.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use etherparse::{Icmpv6Type, PacketBuilder, icmpv4, icmpv6};
use pcap_file::pcap::{PcapPacket, PcapWriter};
use segue::codec::DecodeError;
use segue::{Ecn, Flags, IcmpKind, Options, Segment, SeqNum, Timestamps};

use super::capture::{Expected, judge};
use segue_tun::ip::{Flow, Ignored, Incoming, build, mark, parse};

const ROUTER_V4: [u8; 4] = [198, 51, 100, 1];

fn flows() -> [Flow; 2] {
    let v4 = |last| SocketAddr::new(Ipv4Addr::new(192, 0, 2, last).into(), 1000 + u16::from(last));
    let v6 = |last| SocketAddr::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into(), 2000 + last);
    [Flow { local: v4(1), remote: v4(2) }, Flow { local: v6(1), remote: v6(2) }]
}

fn reverse(flow: Flow) -> Flow {
    Flow { local: flow.remote, remote: flow.local }
}

fn segment(text: &'static [u8]) -> Segment {
    Segment {
        seq: SeqNum::new(0x1234_5678),
        ack: SeqNum::new(9),
        flags: Flags::ACK | Flags::PSH,
        window: 500,
        options: Options { timestamps: Some(Timestamps { value: 1, echo: 2 }), ..Options::default() }.into(),
        ecn: Ecn::Ect0,
        payload: Bytes::from_static(text),
        ..Segment::default()
    }
}

/// The packet with an error that quotes it, as a router would send it to its source.
fn icmp(flow: Flow, kind_v4: icmpv4::DestUnreachableHeader, kind_v6: Icmpv6Type) -> Bytes {
    let quoted = build(&flow, segment(b"lost")).unwrap();
    let mut packet = Vec::new();
    match (flow.local, flow.remote) {
        (SocketAddr::V4(us), SocketAddr::V4(_)) => PacketBuilder::ipv4(ROUTER_V4, us.ip().octets(), 64)
            .icmpv4(etherparse::Icmpv4Type::DestinationUnreachable(kind_v4))
            .write(&mut packet, &quoted),
        (SocketAddr::V6(us), SocketAddr::V6(them)) => {
            PacketBuilder::ipv6(them.ip().octets(), us.ip().octets(), 64).icmpv6(kind_v6).write(&mut packet, &quoted)
        }
        _ => unreachable!("both of one version"),
    }
    .unwrap();
    packet.into()
}

#[test]
fn what_is_built_is_parsed() {
    for flow in flows() {
        for text in [&b""[..], b"x", b"some text"] {
            let packet = build(&flow, segment(text)).unwrap();
            assert_eq!(parse(&packet), Ok(Incoming::Segment(reverse(flow), segment(text))));
        }
    }
}

#[test]
fn marked_is_what_can_be() {
    for flow in flows() {
        for (ecn, marked) in
            [(Ecn::NotEct, Ecn::NotEct), (Ecn::Ect0, Ecn::Ce), (Ecn::Ect1, Ecn::Ce), (Ecn::Ce, Ecn::Ce)]
        {
            let packet = mark(build(&flow, Segment { ecn, ..segment(b"text") }).unwrap());
            let expected = Segment { ecn: marked, ..segment(b"text") };
            assert_eq!(parse(&packet), Ok(Incoming::Segment(reverse(flow), expected)));
        }
    }
}

#[test]
fn text_shares_the_memory_of_its_packet() {
    let packet = build(&flows()[0], segment(b"some text")).unwrap();
    let Ok(Incoming::Segment(_, segment)) = parse(&packet) else { panic!("a segment") };
    assert!(packet.as_ptr_range().contains(&segment.payload.as_ptr()));
}

#[test]
fn every_damaged_octet_is_noticed() {
    for flow in flows() {
        let packet = build(&flow, segment(b"text")).unwrap();
        let whole = parse(&packet);
        for place in 0..packet.len() {
            let mut damaged = packet.to_vec();
            damaged[place] ^= 0x10;
            // IPv6 has no checksum of its own: traffic class, flow label and hop limit are not covered, nor need they be.
            let uncovered = flow.local.is_ipv6() && [1, 2, 3, 7].contains(&place);
            assert!(uncovered || parse(&damaged.into()) != whole, "octet {place} of {flow}");
        }
    }
}

#[test]
fn a_wrong_tcp_checksum_is_named() {
    let mut packet = build(&flows()[0], segment(b"text")).unwrap().to_vec();
    *packet.last_mut().unwrap() ^= 1;
    assert_eq!(parse(&packet.into()), Err(Ignored::Tcp(DecodeError::Checksum)));
}

#[test]
fn multicast_and_our_own_address_are_no_peers() {
    let [v4, v6] = flows();
    let multicast = |flow: Flow, group: std::net::IpAddr| Flow { local: SocketAddr::new(group, 5), ..flow };
    for from in [
        multicast(v4, Ipv4Addr::new(224, 0, 0, 1).into()),
        multicast(v4, Ipv4Addr::BROADCAST.into()),
        multicast(v6, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into()),
        Flow { local: SocketAddr::new(v4.remote.ip(), 5), ..v4 },
        Flow { local: SocketAddr::new(v4.local.ip(), 0), ..v4 },
    ] {
        assert_eq!(parse(&build(&from, segment(b"")).unwrap()), Err(Ignored::BadEndpoint), "{from}");
    }
}

#[test]
fn fragments_and_other_protocols_are_ignored() {
    let mut fragment = build(&flows()[0], segment(b"text")).unwrap().to_vec();
    let mut header = etherparse::Ipv4Header::from_slice(&fragment).unwrap().0;
    header.more_fragments = true;
    header.header_checksum = header.calc_header_checksum();
    fragment[..20].copy_from_slice(&header.to_bytes());
    assert_eq!(parse(&fragment.into()), Err(Ignored::Fragment));

    let mut udp = Vec::new();
    PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).udp(1, 2).write(&mut udp, b"text").unwrap();
    assert_eq!(parse(&udp.into()), Err(Ignored::OtherProtocol));
    assert_eq!(parse(&Bytes::new()), Err(Ignored::Malformed));
}

#[test]
fn icmp_errors_name_the_connection_and_the_segment() {
    let quoted_seq = segment(b"").seq;
    for flow in flows() {
        let too_big = icmp(
            flow,
            icmpv4::DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: 1280 },
            Icmpv6Type::PacketTooBig { mtu: 1280 },
        );
        let expected = Incoming::Icmp { flow, kind: IcmpKind::PacketTooBig, quoted_seq, mtu: 1280 };
        assert_eq!(parse(&too_big), Ok(expected));

        let unreachable = icmp(
            flow,
            icmpv4::DestUnreachableHeader::Port,
            Icmpv6Type::DestinationUnreachable(icmpv6::DestUnreachableCode::Port),
        );
        let expected = Incoming::Icmp { flow, kind: IcmpKind::PortUnreachable, quoted_seq, mtu: 0 };
        assert_eq!(parse(&unreachable), Ok(expected));
    }
}

#[test]
fn damaged_icmp_is_ignored() {
    for flow in flows() {
        let packet = icmp(
            flow,
            icmpv4::DestUnreachableHeader::Port,
            Icmpv6Type::DestinationUnreachable(icmpv6::DestUnreachableCode::Port),
        );
        let mut damaged = packet.to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        assert_eq!(parse(&damaged.into()), Err(Ignored::Malformed));
    }
}

/// The judge of captures must be able to condemn.
#[test]
fn tshark_objects_to_a_damaged_checksum_and_to_a_gap() {
    let flow = flows()[0];
    let second = Segment { seq: segment(b"").seq + 100, ..segment(b"text") };
    let sound: Vec<Bytes> = vec![build(&flow, segment(b"text")).unwrap()];
    let gap: Vec<Bytes> = vec![sound[0].clone(), build(&flow, second).unwrap()];
    let mut octets = sound[0].to_vec();
    *octets.last_mut().unwrap() ^= 1;

    assert!(judged("sound", &sound).is_ok());
    if std::process::Command::new("tshark").arg("--version").output().is_ok() {
        assert!(judged("gap", &gap).is_err(), "a gap");
        assert!(judged("damaged", &[octets.into()]).is_err(), "a wrong checksum");
    }
}

fn judged(name: &str, packets: &[Bytes]) -> std::thread::Result<()> {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("judged-{name}.pcap"));
    let header = pcap_file::pcap::PcapHeader { datalink: pcap_file::DataLink::RAW, ..Default::default() };
    let mut pcap = PcapWriter::with_header(std::fs::File::create(&path).unwrap(), header).unwrap();
    for (time, packet) in (0..).zip(packets) {
        let length = packet.len().try_into().unwrap();
        pcap.write_packet(&PcapPacket::new(std::time::Duration::from_millis(time), length, packet)).unwrap();
    }
    drop(pcap);
    let expected = Expected { lossy: false, remarks: &[], tail_probes: 0 };
    let verdict = std::panic::catch_unwind(|| judge(&path, &expected));
    std::fs::remove_file(&path).unwrap();
    verdict
}
