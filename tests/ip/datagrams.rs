//! TCP in IP, both ways.

use bytes::Bytes;
use etherparse::{IpNumber, IpSlice, Ipv4Header, Ipv4Options, PacketBuilder, SlicedPacket, TransportSlice};
use quickcheck::{Arbitrary, Gen, QuickCheck};
use segue::Ecn;
use segue::codec::{DecodeError, EncodeError, PseudoHeader};
use segue::ip::{self, Datagram, Format, Ignored, Offload};

use super::support::{PLAIN, VIRTIO, addresses, encoded, packet};

fn decode(octets: &[u8]) -> Result<Datagram, Ignored> {
    ip::decode(Bytes::copy_from_slice(octets), PLAIN)
}

#[test]
fn what_is_encoded_is_decoded() {
    for ends in addresses() {
        for text in [&b""[..], b"x", b"some text", &[b'y'; 60_000]] {
            for ecn in [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce] {
                let mut packet = packet(text);
                packet.segment.ecn = ecn;
                for offload in [Offload::None, Offload::VirtioNet] {
                    let format = Format { offload, dscp: 46, ..PLAIN };
                    let octets = encoded(ends, &packet, format);
                    assert_eq!(ip::decode(octets.into(), format), Ok(Datagram::Tcp(ends, packet.clone())));
                }
            }
        }
    }
}

/// Another implementation reads the header as it was meant.
#[test]
fn etherparse_reads_what_is_encoded() {
    let format = Format { hop_limit: 7, dscp: 46, ..PLAIN };
    for ends in addresses() {
        let octets = encoded(ends, &packet(b"text"), format);
        let sliced = SlicedPacket::from_ip(&octets).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("TCP") };
        assert_eq!((tcp.source_port(), tcp.payload()), (1001, &b"text"[..]));
        let ip = IpSlice::from_slice(&octets).unwrap();
        assert_eq!((ip.source_addr(), ip.destination_addr()), (ends.src(), ends.dst()));
        match ip {
            IpSlice::Ipv4(v4) => {
                let header = v4.header().to_header();
                assert_eq!(header.header_checksum, header.calc_header_checksum());
                assert_eq!(tcp.to_header().calc_checksum_ipv4(&header, tcp.payload()), Ok(tcp.checksum()));
                assert_eq!((header.dscp.value(), header.ecn.value(), header.time_to_live), (46, 2, 7));
                assert!(header.dont_fragment && !header.more_fragments); // RFC 1191
            }
            IpSlice::Ipv6(v6) => {
                let header = v6.header().to_header();
                assert_eq!(tcp.to_header().calc_checksum_ipv6(&header, tcp.payload()), Ok(tcp.checksum()));
                assert_eq!((header.traffic_class, header.hop_limit), (46 << 2 | 2, 7));
            }
        }
    }
}

#[test]
fn text_shares_the_memory_of_its_datagram() {
    let octets = Bytes::from(encoded(addresses()[0], &packet(b"some text"), PLAIN));
    let Ok(Datagram::Tcp(_, packet)) = ip::decode(octets.clone(), PLAIN) else { panic!("a packet") };
    assert!(octets.as_ptr_range().contains(&packet.segment.payload.as_ptr()));
}

#[test]
fn every_damaged_octet_is_noticed() {
    for ends in addresses() {
        let octets = encoded(ends, &packet(b"text"), PLAIN);
        let whole = decode(&octets);
        for place in 0..octets.len() {
            let mut damaged = octets.clone();
            damaged[place] ^= 0x10;
            // IPv6 has no checksum of its own: traffic class, flow label and hop limit are not covered, nor need they be.
            let uncovered = ends.src().is_ipv6() && [1, 2, 3, 7].contains(&place);
            assert!(uncovered || decode(&damaged) != whole, "octet {place} of {ends:?}");
        }
    }
}

#[test]
fn each_part_of_a_datagram_is_too_short() {
    for ends in addresses() {
        let octets = encoded(ends, &packet(b"text"), PLAIN);
        for len in 0..octets.len() {
            assert_eq!(decode(&octets[..len]), Err(Ignored::Length), "{len} octets of {ends:?}");
        }
        let padded = [&octets[..], &[0xFF; 9]].concat();
        assert_eq!(decode(&padded), decode(&octets));
    }
}

#[test]
fn what_is_ignored_has_its_reason() {
    let [v4, v6] = addresses().map(|ends| encoded(ends, &packet(b"text"), PLAIN));
    let changed = |octets: &[u8], at: usize, value: u8| {
        let mut octets = octets.to_vec();
        octets[at] = value;
        octets
    };
    for (octets, reason) in [
        (changed(&v4, 0, 0x55), Ignored::Malformed),
        (changed(&v4, 0, 0x44), Ignored::Malformed),
        (changed(&v4, 3, 19), Ignored::Length),
        (changed(&v4, 8, 63), Ignored::Checksum), // the TTL
        (changed(&v4, 53, 0), Ignored::Tcp(DecodeError::Checksum)),
        (changed(&v6, 0, 0x70), Ignored::Malformed),
        (changed(&v6, 5, 0), Ignored::Length), // a jumbogram
        (changed(&v6, 6, 17), Ignored::Protocol(17)),
        (changed(&v6, 6, 1), Ignored::Protocol(1)), // ICMP of the other version
        (changed(&v6, 73, 0), Ignored::Tcp(DecodeError::Checksum)),
    ] {
        assert_eq!(decode(&octets), Err(reason), "{octets:?}");
    }
    let mut udp = Vec::new();
    PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).udp(1, 2).write(&mut udp, b"text").unwrap();
    assert_eq!(decode(&udp), Err(Ignored::Protocol(17)));
}

/// The header of an IPv4 datagram, changed.
fn v4_with(octets: &[u8], change: impl FnOnce(&mut Ipv4Header)) -> Vec<u8> {
    let (mut header, text) = Ipv4Header::from_slice(octets).unwrap();
    change(&mut header);
    header.set_payload_len(text.len()).unwrap();
    header.header_checksum = header.calc_header_checksum();
    [&header.to_bytes()[..], text].concat()
}

/// The same datagram over IPv6 behind these extension headers: kinds with their octets, which begin with the next kind.
fn v6_with(octets: &[u8], extensions: &[(u8, &[u8])]) -> Vec<u8> {
    let mut all = octets[..40].to_vec();
    all[6] = extensions[0].0;
    for (at, (_, body)) in extensions.iter().enumerate() {
        all.push(extensions.get(at + 1).map_or(6, |(kind, _)| *kind));
        all.extend(*body);
    }
    all.extend(&octets[40..]);
    let length = u16::try_from(all.len() - 40).unwrap();
    all[4..6].copy_from_slice(&length.to_be_bytes());
    all
}

#[test]
fn must_50_options_and_extension_headers_are_skipped() {
    let [v4, v6] = addresses();
    let octets = encoded(v4, &packet(b"text"), PLAIN);
    let router_alert = Ipv4Options::try_from(&[0x94, 4, 0, 0][..]).unwrap();
    let optioned = v4_with(&octets, |header| header.options = router_alert);
    assert_eq!(decode(&optioned), decode(&octets));
    let octets = encoded(v6, &packet(b"text"), PLAIN);
    let options = [0, 1, 4, 0, 0, 0, 0]; // PadN
    for chain in [&[(0, &options[..])][..], &[(0, &options), (60, &options)], &[(44, &[0, 0, 0, 1, 2, 3, 4])]] {
        assert_eq!(decode(&v6_with(&octets, chain)), decode(&octets), "{chain:?}");
    }
    assert_eq!(decode(&v6_with(&octets, &[(60, &options), (0, &options)])), Err(Ignored::Malformed));
    assert_eq!(decode(&v6_with(&octets, &[(60, &[255, 0, 0, 0, 0, 0, 0])])), Err(Ignored::Length));
}

#[test]
fn fragments_are_told_apart() {
    let [v4, v6] = addresses();
    let octets = encoded(v4, &packet(b"text"), PLAIN);
    assert_eq!(decode(&v4_with(&octets, |header| header.more_fragments = true)), Err(Ignored::Fragment));
    let later = v4_with(&octets, |header| header.fragment_offset = 1.try_into().unwrap());
    assert_eq!(decode(&later), Err(Ignored::Fragment));
    assert_eq!(decode(&v4_with(&octets, |header| header.dont_fragment = false)), decode(&octets));
    let octets = encoded(v6, &packet(b"text"), PLAIN);
    assert_eq!(decode(&v6_with(&octets, &[(44, &[0, 0, 1, 1, 2, 3, 4])])), Err(Ignored::Fragment));
}

#[test]
fn a_value_for_several_segments_leaves_whole_only_with_virtio() {
    let mut large = packet(&[b'x'; 3000]);
    large.segment.segment_size = 1448;
    for ends in addresses() {
        for offload in [Offload::None, Offload::Checksum] {
            let mut octets = Vec::new();
            let refused = ip::encode(ends, &large, Format { offload, ..PLAIN }, &mut octets);
            assert_eq!((refused, octets.len()), (Err(EncodeError::NotSplit { segment_size: 1448 }), 0));
        }
        assert_eq!(ip::decode(encoded(ends, &large, VIRTIO).into(), VIRTIO), Ok(Datagram::Tcp(ends, large.clone())));
    }
}

#[test]
fn headers_and_text_apart_are_the_datagram() {
    let mut large = packet(&[b'x'; 3000]);
    large.segment.segment_size = 1448;
    for ends in addresses() {
        for (packet, format) in [(packet(b"text"), PLAIN), (packet(b""), VIRTIO), (large.clone(), VIRTIO)] {
            let whole = encoded(ends, &packet, format);
            let (mut room, len) = ([0; 110], whole.len() - packet.segment.payload.len());
            ip::encode_headers(ends, &packet, format, &mut &mut room[..len]).unwrap();
            assert_eq!([&room[..len], &packet.segment.payload].concat(), whole);
            let refused = ip::encode_headers(ends, &packet, format, &mut &mut room[..len - 1]);
            assert_eq!(refused, Err(EncodeError::BufferTooSmall { needed: len, room: len - 1 }));
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    for ends in addresses() {
        let (too_long, fits) = (packet(&[0; 65_530]), packet(b"text"));
        let mut octets = Vec::new();
        assert!(matches!(ip::encode(ends, &too_long, PLAIN, &mut octets), Err(EncodeError::TooLong { .. })));
        assert!(octets.is_empty());
        let needed = ip::encoded_len(ends, &fits, PLAIN);
        let mut small = vec![7; needed - 1];
        let refused = ip::encode(ends, &fits, PLAIN, &mut &mut small[..]);
        assert_eq!(refused, Err(EncodeError::BufferTooSmall { needed, room: needed - 1 }));
        assert!(small.iter().all(|octet| *octet == 7));
    }
}

/// A datagram with a few octets changed, or noise.
#[derive(Clone, Debug)]
struct Input {
    octets: Vec<u8>,
    format: Format,
}

impl Arbitrary for Input {
    fn arbitrary(g: &mut Gen) -> Self {
        let offload = *g.choose(&[Offload::None, Offload::Checksum, Offload::VirtioNet]).unwrap();
        let format = Format { offload, hop_limit: u8::arbitrary(g), dscp: u8::arbitrary(g) };
        if u8::arbitrary(g) % 4 == 0 {
            return Self { octets: Vec::arbitrary(g), format };
        }
        let ends = *g.choose(&addresses()).unwrap();
        let mut octets = encoded(ends, &packet(&Vec::<u8>::arbitrary(g)), format);
        for _ in 0..u8::arbitrary(g) % 4 {
            let at = usize::arbitrary(g) % octets.len().min(80);
            octets[at] = *g.choose(&[0, 1, 6, 44, 51, 58, 60, 0x45, 0x46, u8::MAX]).unwrap();
        }
        octets.truncate(if u8::arbitrary(g) % 4 == 0 { usize::arbitrary(g) % 100 } else { octets.len() });
        Self { octets, format }
    }
}

/// What is decoded from any octets can be encoded, and is the same then.
#[test]
fn decoding_never_panics_and_is_what_encoding_undoes() {
    fn holds(Input { octets, format }: Input) -> bool {
        let Ok(Datagram::Tcp(ends, mut packet)) = ip::decode(octets.into(), format) else { return true };
        let mut again = Vec::new();
        if ip::encode(ends, &packet, format, &mut again).is_err() {
            return false;
        }
        if packet.segment.payload.len() <= usize::from(packet.segment.segment_size) {
            packet.segment.segment_size = 0; // it cuts nothing, and is not told
        }
        ip::decode(again.into(), format) == Ok(Datagram::Tcp(ends, packet))
    }
    QuickCheck::new().tests(20_000).quickcheck(holds as fn(Input) -> bool);
}

/// Random packets of etherparse, with options and extension headers or without.
#[test]
fn packets_of_etherparse_are_decoded() {
    fn holds(src: [u8; 16], dst: [u8; 16], v6: bool, ports: (u16, u16), text: Vec<u8>) -> bool {
        let (mut octets, mut four) = (Vec::new(), ([0; 4], [0; 4]));
        four.0.copy_from_slice(&src[..4]);
        four.1.copy_from_slice(&dst[..4]);
        let builder = if v6 { PacketBuilder::ipv6(src, dst, 64) } else { PacketBuilder::ipv4(four.0, four.1, 64) };
        builder.tcp(ports.0, ports.1, 5, 6).ack(7).write(&mut octets, &text).unwrap();
        let ends = if v6 {
            PseudoHeader::V6 { src: src.into(), dst: dst.into() }
        } else {
            PseudoHeader::V4 { src: four.0.into(), dst: four.1.into() }
        };
        let Ok(Datagram::Tcp(found, packet)) = decode(&octets) else { return false };
        (found, packet.src_port, packet.dst_port) == (ends, ports.0, ports.1) && packet.segment.payload == text
    }
    fn arrays(seed: Vec<u8>, v6: bool, ports: (u16, u16), text: Vec<u8>) -> bool {
        let mut octets = [1; 32];
        octets.iter_mut().zip(seed).for_each(|(place, octet)| *place = octet);
        let (src, dst) = octets.split_at(16);
        holds(src.try_into().unwrap(), dst.try_into().unwrap(), v6, ports, text)
    }
    QuickCheck::new().quickcheck(arrays as fn(Vec<u8>, bool, (u16, u16), Vec<u8>) -> bool);
    assert_eq!(IpNumber::TCP.0, 6);
}
