//! Octets by hand, so that the encoder never judges the decoder.

use std::net::{Ipv4Addr, Ipv6Addr};

use segue::codec::{self, BadOption, DecodeError, Packet, PseudoHeader, Verify};
use segue::{Options, Segment};

pub(crate) const ACK: u16 = 0x010;
pub(crate) const SYN: u16 = 0x002;

pub(crate) fn v4() -> PseudoHeader {
    PseudoHeader::V4 { src: Ipv4Addr::new(192, 0, 2, 1), dst: Ipv4Addr::new(198, 51, 100, 7) }
}

pub(crate) fn v6() -> PseudoHeader {
    let src = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0xffff, 0, 0, 1);
    PseudoHeader::V6 { src, dst: Ipv6Addr::new(0xfe80, 0, 0, 0, 1, 2, 3, 4) }
}

/// Ports 258 and 772, SEQ 0x05060708, ACK 0x090A0B0C, window 0x0D0E, urgent pointer 0x1112; the options are filled up with
/// zeros to whole words. The checksum field holds 0.
pub(crate) fn octets(control: u16, options: &[u8], text: &[u8]) -> Vec<u8> {
    let mut octets = vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0, 13, 14, 0, 0, 17, 18];
    octets.extend(options);
    octets.resize(octets.len().next_multiple_of(4), 0);
    let words = u16::try_from(octets.len() / 4).unwrap();
    octets[12..14].copy_from_slice(&(words << 12 | control).to_be_bytes());
    octets.extend(text);
    octets
}

/// The same with the right checksum, one 16-bit word after the other.
pub(crate) fn sealed(pseudo: PseudoHeader, mut octets: Vec<u8>) -> Vec<u8> {
    octets[16..18].fill(0);
    let sum = sum(pseudo, &octets);
    octets[16..18].copy_from_slice(&(!sum).to_be_bytes());
    octets
}

/// The ones' complement sum over pseudo-header and segment, by the letter of RFC 9293 §3.1 and RFC 8200 §8.1.
pub(crate) fn sum(pseudo: PseudoHeader, octets: &[u8]) -> u16 {
    let len = u32::try_from(octets.len()).unwrap();
    let mut all = match pseudo {
        PseudoHeader::V4 { src, dst } => [&src.octets()[..], &dst.octets(), &[0, 6], &len.to_be_bytes()[2..]].concat(),
        PseudoHeader::V6 { src, dst } => [&src.octets()[..], &dst.octets(), &len.to_be_bytes(), &[0, 0, 0, 6]].concat(),
    };
    all.extend(octets);
    all.resize(all.len().next_multiple_of(2), 0);
    let mut sum = 0u32;
    for word in all.chunks(2) {
        sum += u32::from(word[0]) << 8 | u32::from(word[1]);
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

pub(crate) fn decode(octets: &[u8]) -> Result<Packet, DecodeError> {
    codec::decode(octets.to_vec().into(), Verify::ByHardware)
}

/// The segment in `octets`, without a look at the checksum.
pub(crate) fn segment(octets: &[u8]) -> Segment {
    decode(octets).unwrap().segment
}

/// The options that stand in `area`.
pub(crate) fn options(area: &[u8]) -> Options {
    segment(&octets(ACK, area, b"text")).options.get()
}

/// The raw options in `area`, and the malformed one that ends them.
pub(crate) fn raw(area: &[u8]) -> (Vec<(u8, Vec<u8>)>, Option<BadOption>) {
    let (_, raw) = codec::decode_raw(octets(ACK, area, b"text").into(), Verify::ByHardware).unwrap();
    let mut good = Vec::new();
    for option in &raw {
        match option {
            Ok(option) => good.push((option.kind, option.data.to_vec())),
            Err(bad) => return (good, Some(bad)),
        }
    }
    (good, None)
}

/// The option area of these options as encoded.
pub(crate) fn area(options: Options) -> Vec<u8> {
    let packet = Packet { segment: Segment { options: options.into(), ..Segment::default() }, ..Packet::default() };
    let mut octets = Vec::new();
    codec::encode(&packet, codec::Fill::Now(v4()), &mut octets).unwrap();
    octets.split_off(20)
}
