//! What the link and the host do to packets, and the judge of captures: no kernel needed. `tests/ip` has the IP layer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use pcap_file::pcap::{PcapPacket, PcapWriter};
use segue::codec::{Flow, Packet, PseudoHeader};
use segue::ip::{self, Datagram, Format};
use segue::{Ecn, Flags, Options, Segment, SeqNum, Timestamps};

use super::capture::{Expected, judge};
use segue_tun::flow_of;
use segue_tun::link::mark;

fn flows() -> [Flow; 2] {
    let v4 = |last| SocketAddr::new(Ipv4Addr::new(192, 0, 2, last).into(), 1000 + u16::from(last));
    let v6 = |last| SocketAddr::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into(), 2000 + last);
    [Flow::new(v4(1), v4(2)).unwrap(), Flow::new(v6(1), v6(2)).unwrap()]
}

fn build(flow: &Flow, segment: Segment) -> Bytes {
    let mut octets = Vec::new();
    ip::encode(flow.pseudo(), &flow.packet(segment), Format::default(), &mut octets).unwrap();
    octets.into()
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

#[test]
fn marked_is_what_can_be() {
    for flow in flows() {
        for (ecn, marked) in
            [(Ecn::NotEct, Ecn::NotEct), (Ecn::Ect0, Ecn::Ce), (Ecn::Ect1, Ecn::Ce), (Ecn::Ce, Ecn::Ce)]
        {
            let packet = mark(build(&flow, Segment { ecn, ..segment(b"text") }));
            let expected = flow.packet(Segment { ecn: marked, ..segment(b"text") });
            assert_eq!(ip::decode(packet, Format::default()), Ok(Datagram::Tcp(flow.pseudo(), expected)));
        }
    }
}

#[test]
fn multicast_and_our_own_address_are_no_peers() {
    let packet = |src_port| Packet { src_port, dst_port: 80, ..Packet::default() };
    for flow in flows() {
        let between = |from: IpAddr| PseudoHeader::new(from, flow.remote().ip()).unwrap();
        let group: IpAddr =
            if flow.local().is_ipv4() { [224, 0, 0, 1].into() } else { [0xff02, 0, 0, 0, 0, 0, 0, 1].into() };
        assert!(flow_of(between(flow.local().ip()), &packet(5)).is_some());
        assert_eq!(flow_of(between(flow.local().ip()), &packet(0)), None);
        assert_eq!(flow_of(between(flow.remote().ip()), &packet(5)), None);
        assert_eq!(flow_of(between(group), &packet(5)), None);
    }
    let from = PseudoHeader::V4 { src: Ipv4Addr::BROADCAST, dst: Ipv4Addr::new(192, 0, 2, 2) };
    assert_eq!(flow_of(from, &packet(5)), None);
}

/// The judge of captures must be able to condemn.
#[test]
fn tshark_objects_to_a_damaged_checksum_and_to_a_gap() {
    let flow = flows()[0];
    let second = Segment { seq: segment(b"").seq + 100, ..segment(b"text") };
    let sound: Vec<Bytes> = vec![build(&flow, segment(b"text"))];
    let gap: Vec<Bytes> = vec![sound[0].clone(), build(&flow, second)];
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
