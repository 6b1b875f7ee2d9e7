//! The kernel's own packets, as a capture kept with the tests: what the codec decodes it encodes again, octet for octet.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bytes::Bytes;
use etherparse::{IpSlice, ip_number};
use pcap_file::pcap::PcapReader;
use segue::Flags;
use segue::codec::{self, Fill, Packet, PseudoHeader, Verify};

const CAPTURE: &[u8] = include_bytes!("data/kernel.pcap");

/// The addresses of the IP header and the octets of TCP, of every packet.
fn packets() -> Vec<(PseudoHeader, Bytes)> {
    let mut reader = PcapReader::new(CAPTURE).expect("a pcap file");
    let mut packets = Vec::new();
    while let Some(record) = reader.next_packet() {
        let record = record.expect("a whole record");
        let ip = IpSlice::from_slice(&record.data).expect("an IP packet");
        assert_eq!(ip.payload_ip_number(), ip_number::TCP, "the capture has nothing but TCP");
        let pseudo = PseudoHeader::new(ip.source_addr(), ip.destination_addr()).expect("one version of IP");
        packets.push((pseudo, Bytes::copy_from_slice(ip.payload().payload)));
    }
    packets
}

#[test]
fn what_the_kernel_sent_is_encoded_as_it_came() {
    for (number, (pseudo, octets)) in packets().into_iter().enumerate() {
        let packet =
            codec::decode(octets.clone(), Verify::Now(pseudo)).unwrap_or_else(|e| panic!("packet {number}: {e}"));
        let mut again = Vec::new();
        codec::encode(&packet, Fill::Now(pseudo), &mut again).unwrap_or_else(|e| panic!("packet {number}: {e}"));
        assert_eq!(Bytes::from(again), octets, "packet {number}: {packet}");
    }
}

#[test]
fn every_flipped_bit_spoils_the_checksum() {
    for (pseudo, octets) in packets() {
        for bit in 0..octets.len() * 8 {
            let mut flipped = octets.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(codec::decode(flipped.into(), Verify::Now(pseudo)).is_err(), "bit {bit} of {octets:?}");
        }
    }
}

/// What the tests above rely on being there.
#[test]
fn the_capture_has_every_kind_of_segment() {
    let mut kinds = BTreeSet::new();
    for (pseudo, octets) in packets() {
        let Packet { segment, .. } = codec::decode(octets, Verify::Now(pseudo)).expect("a segment");
        let mut kind = |present: bool, name: &str| {
            let version = if matches!(pseudo.src(), IpAddr::V4(_)) { "IPv4" } else { "IPv6" };
            present.then(|| kinds.insert(format!("{version} {name}")));
        };
        let has = |flags| segment.flags.contains(flags);
        kind(segment.flags == Flags::SYN && segment.options.sack_permitted(), "SYN");
        kind(has(Flags::SYN | Flags::ACK) && segment.options.window_scale().is_some(), "SYN,ACK");
        kind(!segment.payload.is_empty() && segment.options.timestamps().is_some(), "text");
        kind(segment.payload.is_empty() && segment.flags == Flags::ACK, "ACK");
        kind(segment.options.sack().len() == 1, "one SACK block");
        kind(segment.options.sack().len() > 1, "several SACK blocks");
        kind(has(Flags::FIN), "FIN");
        kind(has(Flags::RST), "RST");
    }
    let names = ["SYN", "SYN,ACK", "text", "ACK", "one SACK block", "several SACK blocks", "FIN", "RST"];
    let wanted = ["IPv4", "IPv6"].iter().flat_map(|version| names.iter().map(move |name| format!("{version} {name}")));
    assert_eq!(kinds, wanted.collect(), "kinds of segments in tests/data/kernel.pcap");
}
