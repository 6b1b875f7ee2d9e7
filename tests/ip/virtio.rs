//! virtio-net's header, octet by octet.

use segue::codec::{self, DecodeError};
use segue::ip::{self, Datagram, Format, Ignored, Offload};
use segue::{Ecn, Flags};

use super::support::{PLAIN, VIRTIO, addresses, encoded, packet};

const NEEDS_CSUM: u8 = 1;
const DATA_VALID: u8 = 2;

fn word(octets: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes(octets[at..at + 2].try_into().unwrap())
}

#[test]
fn the_header_says_where_the_checksum_goes() {
    for (ends, ip) in addresses().into_iter().zip([20, 40]) {
        let octets = encoded(ends, &packet(b"text"), VIRTIO);
        assert_eq!((octets[0], octets[1]), (NEEDS_CSUM, 0));
        assert_eq!([2, 4, 6, 8].map(|at| word(&octets, at)), [ip + 32, 0, ip, 16]);
        // The checksum over what `csum_start` says, put where `csum_offset` says, is that of software.
        let mut datagram = octets[10..].to_vec();
        let (start, place) = (usize::from(ip), usize::from(ip) + 16);
        let mut sum = codec::Sum::new();
        sum.add(&datagram[start..]);
        datagram[place..place + 2].copy_from_slice(&sum.checksum().to_be_bytes());
        assert_eq!(datagram, encoded(ends, &packet(b"text"), PLAIN));
    }
}

#[test]
fn a_large_value_is_for_the_device_to_cut() {
    let mut large = packet(&[b'x'; 5000]);
    large.segment.segment_size = 1448;
    for (ends, kind) in addresses().into_iter().zip([1, 4]) {
        let octets = encoded(ends, &large, VIRTIO);
        assert_eq!((octets[1], word(&octets, 4)), (kind, 1448));
        let mut reduced = large.clone();
        reduced.segment.flags |= Flags::CWR;
        assert_eq!(encoded(ends, &reduced, VIRTIO)[1], kind | 0x80); // GSO_ECN
    }
}

#[test]
fn a_device_that_verified_is_believed_and_no_other() {
    for ends in addresses() {
        let plain = encoded(ends, &packet(b"text"), PLAIN);
        let mut damaged = plain.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let with = |flags: u8, kind: u8, octets: &[u8]| {
            let mut all = vec![flags, kind, 0, 0];
            all.extend(1448_u16.to_ne_bytes());
            all.extend([0; 4]);
            all.extend(octets);
            ip::decode(all.into(), VIRTIO)
        };
        assert_eq!(with(0, 0, &plain), Ok(Datagram::Tcp(ends, packet(b"text"))));
        assert_eq!(with(0, 0, &damaged), Err(Ignored::Tcp(DecodeError::Checksum)));
        assert_eq!(with(NEEDS_CSUM, 0, &damaged), Ok(Datagram::Tcp(ends, packet(b"tex\x75"))));
        assert_eq!(with(DATA_VALID, 0, &damaged), Ok(Datagram::Tcp(ends, packet(b"tex\x75"))));
        let Ok(Datagram::Tcp(_, merged)) = with(NEEDS_CSUM, 1, &plain) else { panic!("a packet") };
        assert_eq!((merged.segment.segment_size, merged.segment.ecn), (1448, Ecn::Ect0));
    }
    assert_eq!(ip::decode(vec![0; 9].into(), VIRTIO), Err(Ignored::Length));
}

#[test]
fn hardware_without_a_header_verifies_and_computes() {
    let format = Format { offload: Offload::Checksum, ..PLAIN };
    for ends in addresses() {
        let octets = encoded(ends, &packet(b"text"), format);
        assert_eq!(octets, encoded(ends, &packet(b"text"), VIRTIO)[10..]);
        assert_eq!(ip::decode(octets.into(), format), Ok(Datagram::Tcp(ends, packet(b"text"))));
    }
}
