//! The shortcut beside the whole.

use std::vec::Vec;

use quickcheck::{QuickCheck, TestResult};

use super::{any, plain};
use crate::codec::{Packet, PseudoHeader};
use crate::ip::{Format, encode};
use crate::{Ecn, Segment};

/// A datagram with some octets changed; where the shortcut takes it, it says what the whole says. And it takes the usual.
#[test]
fn the_shortcut_says_what_the_whole_says() {
    fn holds(v6: bool, ecn: u8, text: Vec<u8>, changes: Vec<(u8, u8)>, length: u8) -> TestResult {
        let addresses = match v6 {
            false => PseudoHeader::V4 { src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() },
            true => PseudoHeader::V6 { src: [1; 16].into(), dst: [2; 16].into() },
        };
        let segment = Segment { ecn: Ecn::from_bits(ecn), payload: text.into(), ..Segment::default() };
        let mut octets = Vec::new();
        encode(addresses, &Packet { src_port: 1, dst_port: 2, segment }, Format::default(), &mut octets).unwrap();
        assert_eq!(plain(&octets), any(&octets).ok());
        assert!(plain(&octets).is_some());
        for (place, octet) in &changes {
            let place = usize::from(*place) % octets.len().min(64);
            octets[place] ^= *octet;
        }
        octets.truncate(if length < 80 { usize::from(length) } else { octets.len() });
        // The header's checksum is right again, so that more than it decides.
        if !v6 && octets.len() >= 20 && octets[0] == 0x45 {
            octets[10..12].fill(0);
            let mut sum = crate::codec::Sum::new();
            sum.add(&octets[..20]);
            octets[10..12].copy_from_slice(&sum.checksum().to_be_bytes());
        }
        TestResult::from_bool(plain(&octets).is_none_or(|ip| any(&octets) == Ok(ip)))
    }
    QuickCheck::new().tests(20_000).quickcheck(holds as fn(bool, u8, Vec<u8>, Vec<(u8, u8)>, u8) -> TestResult);
}
