//! Packets that the TCP of Linux sent: decoded, and encoded again, they are the same octets.

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use pcap_file::pcap::PcapReader;
use segue::codec::{self, Fill, Packet, PseudoHeader, Verify};
use segue::{Flags, Options};

/// The addresses of an IP packet, and the TCP segment in it.
fn unwrap_ip(packet: &[u8]) -> (PseudoHeader, Bytes) {
    let tcp = |header: usize| Bytes::copy_from_slice(&packet[header..]);
    if packet[0] >> 4 == 4 {
        let address = |at: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&packet[at..at + 4]).unwrap());
        assert_eq!((packet[9], usize::from(packet[2]) << 8 | usize::from(packet[3])), (6, packet.len()));
        (PseudoHeader::V4 { src: address(12), dst: address(16) }, tcp(usize::from(packet[0] & 15) * 4))
    } else {
        let address = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).unwrap());
        assert_eq!((packet[0] >> 4, packet[6]), (6, 6));
        (PseudoHeader::V6 { src: address(8), dst: address(24) }, tcp(40))
    }
}

fn packets(pcap: &[u8]) -> Vec<(PseudoHeader, Bytes)> {
    let mut reader = PcapReader::new(pcap).unwrap();
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet() {
        packets.push(unwrap_ip(&packet.unwrap().data));
    }
    packets
}

fn encoded(packet: &Packet, fill: Fill) -> Vec<u8> {
    let mut octets = Vec::new();
    codec::encode(packet, fill, &mut octets).unwrap();
    octets
}

/// Which options a segment has, as a short name.
fn kinds(options: &Options) -> String {
    let sack = format!("sack{}", options.sack.len());
    [
        (options.mss.is_some(), "mss"),
        (options.sack_permitted, "sackOK"),
        (options.timestamps.is_some(), "ts"),
        (options.window_scale.is_some(), "ws"),
        (!options.sack.is_empty(), &sack),
        (options.fast_open.is_some(), "tfo"),
    ]
    .into_iter()
    .filter_map(|(has, name)| has.then_some(name))
    .collect::<Vec<_>>()
    .join(" ")
}

#[test]
fn decode_then_encode_gives_the_same_octets() {
    let packets = packets(include_bytes!("../data/codec/linux.pcap"));
    let mut seen = std::collections::BTreeSet::new();
    for (pseudo, octets) in &packets {
        let packet = codec::decode(octets.clone(), Verify::Now(*pseudo)).unwrap();
        assert_eq!(&encoded(&packet, Fill::Now(*pseudo)), octets, "{packet}");
        let what = if packet.segment.flags.contains(Flags::SYN) { "SYN" } else { "" };
        seen.insert(format!("{what} {}", kinds(&packet.segment.options.get())));
    }
    let expected = [
        " ",
        " sack1",
        " sack2",
        " sack3",
        " sack4",
        " ts",
        " ts sack1",
        " ts sack2",
        " ts sack3",
        "SYN mss",
        "SYN mss sackOK ts",
        "SYN mss sackOK ts ws",
        "SYN mss sackOK ts ws tfo",
        "SYN mss sackOK ws",
        "SYN mss sackOK ws tfo",
        "SYN mss ts ws",
        "SYN mss ws",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected, "what the capture shows");
}

/// With checksum offload the kernel leaves in the field what `Fill::ByHardware` does, also for more than one MTU.
#[test]
fn with_checksum_offload_the_octets_are_the_same_too() {
    let mut partial = 0;
    for (pseudo, octets) in packets(include_bytes!("../data/codec/linux-offload.pcap")) {
        let packet = codec::decode(octets.clone(), Verify::ByHardware).unwrap();
        if codec::decode(octets.clone(), Verify::Now(pseudo)).is_ok() {
            // The kernel computes that of its bare resets itself.
            assert!(packet.segment.flags.contains(Flags::RST), "{packet}");
            assert_eq!(encoded(&packet, Fill::Now(pseudo)), octets, "{packet}");
        } else {
            partial += 1;
            assert_eq!(encoded(&packet, Fill::ByHardware(pseudo)), octets, "{packet}");
        }
    }
    assert!(partial > 100, "{partial}");
}
