//! The requirements of RFC 9293 that fall on the codec, by their numbers.

use segue::codec::{self, DecodeError, Fill, Packet, Verify};
use segue::{Flags, Options, SackBlock, Segment, SeqNum, Timestamps};

use super::support::{ACK, area, octets, options, raw, sealed, segment, sum, v4, v6};

#[test]
fn must_1_the_window_is_unsigned() {
    for window in [0u16, 1, 0x7FFF, 0x8000, 0xFFFF] {
        let mut octets = octets(ACK, &[], b"");
        octets[14..16].copy_from_slice(&window.to_be_bytes());
        assert_eq!(segment(&octets).window, window);
    }
}

#[test]
fn must_2_every_segment_sums_up() {
    for pseudo in [v4(), v6()] {
        for len in 0..70u8 {
            for ts in [None, Some(Timestamps { value: u32::MAX, echo: 1 })] {
                let segment = Segment {
                    flags: Flags::ACK,
                    options: Options { timestamps: ts, ..Options::default() }.into(),
                    payload: (0..len).map(|i| i ^ 0xA5).collect::<Vec<u8>>().into(),
                    ..Segment::default()
                };
                let mut octets = Vec::new();
                let packet = Packet { src_port: 1, dst_port: 2, segment };
                codec::encode(&packet, Fill::Now(pseudo), &mut octets).unwrap();
                assert_eq!(sum(pseudo, &octets), 0xFFFF);
            }
        }
    }
}

#[test]
fn must_3_every_damaged_bit_is_noticed() {
    for pseudo in [v4(), v6()] {
        let good = sealed(pseudo, octets(ACK, &[1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8], b"seven77"));
        assert!(codec::decode(good.clone().into(), Verify::Now(pseudo)).is_ok());
        for bit in 0..good.len() * 8 {
            let mut octets = good.clone();
            octets[bit / 8] ^= 1 << (bit % 8);
            let outcome = codec::decode(octets.into(), Verify::Now(pseudo));
            assert_eq!(outcome, Err(DecodeError::Checksum), "bit {bit}");
        }
        for (src, dst) in [(7, 0), (0, 7)] {
            // The addresses count, and which is which does not change the sum.
            let other = match pseudo {
                codec::PseudoHeader::V4 { .. } => {
                    codec::PseudoHeader::V4 { src: [192, 0, 2, 1 ^ src].into(), dst: [198, 51, 100, 7 ^ dst].into() }
                }
                codec::PseudoHeader::V6 { src: s, dst: d } => codec::PseudoHeader::V6 {
                    src: (s.to_bits() ^ u128::from(src)).into(),
                    dst: (d.to_bits() ^ u128::from(dst)).into(),
                },
            };
            let outcome = codec::decode(good.clone().into(), Verify::Now(other));
            assert_eq!(outcome, Err(DecodeError::Checksum));
        }
        assert!(codec::decode(good.into(), Verify::Now(pseudo.reversed())).is_ok());
    }
}

#[test]
fn must_4_eol_nop_and_mss_go_both_ways() {
    assert_eq!(options(&[1, 2, 4, 0x12, 0x34, 0]), Options { mss: Some(0x1234), ..Options::default() });
    assert_eq!(area(Options { mss: Some(0x1234), ..Options::default() }), [2, 4, 0x12, 0x34]);
    assert_eq!(area(Options { window_scale: Some(7), ..Options::default() }), [1, 3, 3, 7]);
    // EOL where the header goes on behind the last option: 2 + 3 + 34 octets, no room for NOPs.
    let mut full = Options { sack_permitted: true, window_scale: Some(7), ..Options::default() };
    (1..=4).for_each(|n| assert!(full.sack.push(SackBlock { left: SeqNum::new(n), right: SeqNum::new(n + 9) })));
    let area = area(full);
    assert_eq!((area.len(), &area[..7], area[39]), (40, &[4, 2, 3, 3, 7, 5, 34][..], 0));
}

#[test]
fn must_5_options_are_received_on_any_segment() {
    let area = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 2, 4, 1, 0, 250, 3, 0];
    let expected = options(&area);
    assert_eq!((expected.mss, expected.timestamps), (Some(256), Some(Timestamps { value: 1, echo: 2 })));
    for control in 0..512 {
        for text in [&b""[..], b"text"] {
            let segment = segment(&octets(control, &area, text));
            assert_eq!((segment.options.get(), &segment.payload[..]), (expected, text));
        }
    }
}

#[test]
fn must_6_and_68_every_unknown_kind_has_a_length_and_is_ignored() {
    let known = [2, 3, 4, 5, 8, 28, 34, 172, 174];
    let list: [&[u8]; 4] = [&[2, 4, 5, 180], &[4, 2], &[8, 10, 0, 0, 0, 9, 0, 0, 0, 8], &[3, 3, 7]];
    let plain = options(&list.concat());
    for kind in (2..=255).filter(|kind| !known.contains(kind)) {
        for len in 2..=21 {
            let unknown = [&[kind, len][..], &vec![2; usize::from(len) - 2]].concat();
            for place in 0..=list.len() {
                let mut with = list.to_vec();
                with.insert(place, &unknown);
                let area = with.concat();
                assert_eq!(options(&area), plain, "kind {kind}, length {len}, place {place}");
                assert_eq!(raw(&area).0[place], (kind, unknown[2..].to_vec()));
            }
        }
    }
}

#[test]
fn must_7_illegal_lengths_end_the_list_and_nothing_else() {
    for len in [0, 1, 37, 255] {
        let mut area = [1; 40];
        area[..6].copy_from_slice(&[2, 4, 5, 180, 8, len]);
        let segment = segment(&octets(ACK, &area, b"text"));
        assert_eq!(segment.options, Options { mss: Some(1460), ..Options::default() });
        assert_eq!(segment.payload, &b"text"[..]);
        let bad = raw(&area).1.unwrap();
        assert_eq!(bad.to_string(), format!("option of kind 8 with length {len} at octet 4"));
    }
}

#[test]
fn must_64_options_start_anywhere() {
    let list: [&[u8]; 5] = [&[2, 4, 5, 180], &[4, 2], &[8, 10, 0, 0, 0, 9, 0, 0, 0, 8], &[3, 3, 7], &[1]];
    let plain = options(&list.concat());
    let mut orders = 0;
    for order in 0..5usize.pow(5) {
        let order: Vec<usize> = (0..5u32).map(|digit| order / 5usize.pow(digit) % 5).collect();
        if (0..5).all(|index| order.contains(&index)) {
            orders += 1;
            let area: Vec<u8> = order.iter().flat_map(|&index| list[index]).copied().collect();
            assert_eq!(options(&area), plain, "{order:?}");
        }
    }
    assert_eq!(orders, 120);
}

#[test]
fn must_69_the_padding_is_zero() {
    // 3 + 2 + 34 octets: without NOPs they fit, and one octet is left over.
    let mut full = Options { window_scale: Some(7), sack_permitted: true, ..Options::default() };
    (1..=4).for_each(|n| assert!(full.sack.push(SackBlock { left: SeqNum::new(n), right: SeqNum::new(n + 9) })));
    let area = area(full);
    assert_eq!((area.len(), area[39]), (40, 0));
    assert_eq!(options(&area), full);
}

#[test]
fn u_1_reserved_bits_are_sent_as_zero() {
    let segment = Segment { flags: Flags::from_bits_retain(0xFFFF), ..Segment::default() };
    let mut octets = Vec::new();
    codec::encode(&Packet { src_port: 1, dst_port: 2, segment }, Fill::Now(v4()), &mut octets).unwrap();
    assert_eq!(octets[12..14], [0x51, 0xFF]);
}
