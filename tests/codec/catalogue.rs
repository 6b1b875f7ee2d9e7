//! Headers and options as attackers and broken stacks send them, one test each.

use segue::codec::{BadOption, DecodeError, Verify, decode as decode_verified, valid_endpoint};
use segue::{AccEcn, Flags, Options, SackBlock, SeqNum, Timestamps};

use super::support::{ACK, SYN, decode, octets, options, raw, sealed, segment, v4, v6};

const MSS: [u8; 4] = [2, 4, 0x05, 0xB4];
const TIMESTAMPS: [u8; 10] = [8, 10, 0, 0, 0, 1, 0, 0, 0, 2];

fn mss() -> Options {
    Options { mss: Some(1460), ..Options::default() }
}

#[test]
fn a1_data_offset_below_5_or_past_the_end_is_an_error() {
    for words in 0..16u8 {
        let mut octets = octets(ACK, &[1; 20], b"");
        octets[12] = words << 4;
        match words {
            0..5 => assert_eq!(decode(&octets), Err(DecodeError::DataOffset(words))),
            5..=10 => assert_eq!(decode(&octets).unwrap().segment.payload, octets[usize::from(words) * 4..]),
            _ => {
                let needed = usize::from(words) * 4;
                assert_eq!(decode(&octets), Err(DecodeError::Truncated { needed, len: 40 }));
            }
        }
    }
}

#[test]
fn a2_every_length_up_to_the_longest_header() {
    let whole = octets(ACK, &[1; 40], b"");
    for len in 0..whole.len() {
        let needed = if len < 20 { 20 } else { 60 };
        assert_eq!(decode(&whole[..len]), Err(DecodeError::Truncated { needed, len }));
    }
    assert!(decode(&whole).unwrap().segment.payload.is_empty());
    assert!(decode(&octets(ACK, &[], b"")).is_ok());
}

#[test]
fn a3_option_length_0_ends_the_list() {
    for kind in 2..=255 {
        let area = [&MSS[..], &[kind, 0], &TIMESTAMPS].concat();
        assert_eq!(options(&area), mss(), "kind {kind}");
        assert_eq!(raw(&area), (vec![(2, vec![0x05, 0xB4])], Some(BadOption { kind, len: Some(0), offset: 4 })));
    }
}

#[test]
fn a4_option_length_1_or_past_the_end_ends_the_list() {
    for kind in 2..=255 {
        for len in [1, 9, 10, 60, 127, 128, 255] {
            let area = [&MSS[..], &[1, kind, len, 0, 0, 0, 0, 0]].concat(); // 7 octets from the kind on
            assert_eq!(options(&area), mss(), "kind {kind}, length {len}");
            assert_eq!(raw(&area).1, Some(BadOption { kind, len: Some(len), offset: 5 }));
        }
        // The text behind the header is no part of any option.
        let area = [kind, 8, 0, 0];
        assert_eq!(raw(&area), (vec![], Some(BadOption { kind, len: Some(8), offset: 0 })));
    }
    // The last octet of the header can be the last of an option.
    assert_eq!(options(&[1, 1, 1, 1, 2, 4, 0x05, 0xB4]), mss());
}

#[test]
fn a5_a_kind_in_the_last_octet_has_no_length() {
    for kind in 0..=255 {
        let area = [&MSS[..], &[1, 1, 1, kind]].concat();
        assert_eq!(options(&area), mss(), "kind {kind}");
        assert_eq!(raw(&area).1, (kind > 1).then_some(BadOption { kind, len: None, offset: 7 }));
    }
}

#[test]
fn a6_what_follows_eol_is_ignored() {
    for garbage in [&[0xFF; 7][..], &[8, 10, 1, 1, 1, 1, 1], &[3, 3, 7, 3, 3, 7, 1], &[2, 0, 2, 0, 2, 0, 2]] {
        let area = [&MSS[..], &[0], garbage].concat();
        assert_eq!((options(&area), raw(&area).1), (mss(), None), "{garbage:?}");
    }
}

#[test]
fn a7_forty_octets_of_nop() {
    let segment = segment(&octets(ACK, &[1; 40], b"text"));
    assert_eq!((segment.options.get(), &segment.payload[..]), (Options::default(), &b"text"[..]));
    // And the last option behind 36 of them.
    assert_eq!(options(&[&[1; 36][..], &MSS].concat()), mss());
}

#[test]
fn a8_of_duplicates_the_first_counts() {
    let twice: [(&[u8], &[u8], Options); 8] = [
        (&MSS, &[2, 4, 9, 9], mss()),
        (&[3, 3, 7], &[3, 3, 9], Options { window_scale: Some(7), ..Options::default() }),
        (&[4, 2], &[4, 2], Options { sack_permitted: true, ..Options::default() }),
        (
            &TIMESTAMPS,
            &[8, 10, 9, 9, 9, 9, 9, 9, 9, 9],
            Options { timestamps: Some(Timestamps { value: 1, echo: 2 }), ..Options::default() },
        ),
        (&[28, 4, 0, 5], &[28, 4, 9, 9], Options { user_timeout: Some(5), ..Options::default() }),
        (&[172, 5, 0, 0, 7], &[174, 5, 0, 0, 9], Options { acc_ecn: AccEcn::order_0(&[7]), ..Options::default() }),
        (&[174, 2], &[172, 5, 0, 0, 9], Options { acc_ecn: AccEcn::order_1(&[]), ..Options::default() }),
        (&[34, 6, 1, 2, 3, 4], &[34, 2], {
            Options { fast_open: segue::FastOpenCookie::new(&[1, 2, 3, 4]), ..Options::default() }
        }),
    ];
    for (once, again, expected) in twice {
        assert_eq!(options(&[once, again].concat()), expected);
        assert_eq!(options(&[once, &[1], again, again].concat()), expected);
        assert_eq!(raw(&[once, again].concat()).0.len(), 2, "who asks sees both");
    }
    let mut expected = Options::default();
    expected.sack.push(SackBlock { left: SeqNum::new(1), right: SeqNum::new(2) });
    assert_eq!(options(&[5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 5, 10, 0, 0, 0, 3, 0, 0, 0, 4]), expected);
}

#[test]
fn a9_a_known_kind_with_another_length_is_ignored() {
    let every: Vec<usize> = (2..=36).collect(); // RFC 9768 §3.2.3
    let right: [(u8, &[usize]); 9] = [
        (172, &every),
        (174, &every),
        (2, &[4]),
        (3, &[3]),
        (4, &[2]),
        (5, &[10, 18, 26, 34]),
        (8, &[10]),
        (28, &[4]),
        (34, &[2, 6, 8, 10, 12, 14, 16, 18]),
    ];
    for (kind, lengths) in right {
        for len in 2..=36 {
            let mut area = vec![1; 40];
            area[0] = kind;
            area[1] = u8::try_from(len).unwrap();
            area[36..].copy_from_slice(if kind == 28 { &MSS } else { &[28, 4, 0x80, 7] });
            let found = options(&area);
            // The option behind it is found in its place.
            assert!(if kind == 28 { found.mss == Some(1460) } else { found.user_timeout == Some(0x8007) });
            let without =
                if kind == 28 { Options { mss: None, ..found } } else { Options { user_timeout: None, ..found } };
            assert_eq!(without != Options::default(), lengths.contains(&len), "kind {kind}, length {len}");
        }
    }
    // After one of the wrong length, one of the right length counts.
    assert_eq!(options(&[&[2, 3, 9][..], &MSS].concat()), mss());
}

#[test]
fn a10_unknown_kinds_are_skipped() {
    for kind in [6, 7, 9, 14, 19, 21, 27, 29, 30, 69, 171, 173, 175, 200, 252, 253, 254, 255] {
        for len in 2..=26 {
            let data: Vec<u8> = (2..len).map(|i| i ^ 0x0A).collect();
            let area = [&MSS[..], &[kind, len], &data, &TIMESTAMPS].concat();
            let expected = Options { timestamps: Some(Timestamps { value: 1, echo: 2 }), ..mss() };
            assert_eq!(options(&area), expected, "kind {kind}, length {len}");
            assert_eq!(raw(&area).0[1], (kind, data));
        }
    }
}

#[test]
fn a11_a_tiny_mss_is_handed_on_as_a_value() {
    for value in [0u8, 1, 2, 63, 64] {
        assert_eq!(options(&[2, 4, 0, value]).mss, Some(u16::from(value)));
    }
}

#[test]
fn a12_the_largest_mss() {
    assert_eq!(options(&[2, 4, 0xFF, 0xFF]).mss, Some(65_535));
}

#[test]
fn a13_a_window_scale_above_14_is_handed_on_as_a_value() {
    for shift in [14, 15, 31, 32, 255] {
        assert_eq!(options(&[3, 3, shift]).window_scale, Some(shift));
    }
}

#[test]
fn a14_reserved_bits_are_ignored() {
    let plain = octets(ACK, &MSS, b"text");
    for reserved in 0..8u8 {
        let mut octets = plain.clone();
        octets[12] |= reserved << 1;
        assert_eq!(decode(&octets), decode(&plain), "{reserved:#b}");
    }
}

#[test]
fn a15_a_wrong_checksum_is_an_error() {
    for pseudo in [v4(), v6()] {
        for text in [&b""[..], b"o", b"even", b"seven77"] {
            let good = sealed(pseudo, octets(ACK, &TIMESTAMPS, text));
            let right = u16::from_be_bytes([good[16], good[17]]);
            for field in 0..=0xFFFFu16 {
                let mut octets = good.clone();
                octets[16..18].copy_from_slice(&field.to_be_bytes());
                let outcome = decode_verified(octets.into(), Verify::Now(pseudo));
                // 0 and 0xFFFF are the same number; a sender never has 0xFFFF.
                assert_eq!(outcome.is_ok(), field == right || (right == 0 && field == 0xFFFF), "{field:#x}");
                assert!(outcome.is_ok() || outcome == Err(DecodeError::Checksum));
            }
            // The same octets between other addresses, of the other version, or cut short.
            let other = if pseudo == v4() { v6() } else { v4() };
            assert_eq!(decode_verified(good.clone().into(), Verify::Now(other)), Err(DecodeError::Checksum));
            let longer = [&good[..], &[0, 0]].concat();
            assert_eq!(decode_verified(longer.into(), Verify::Now(pseudo)), Err(DecodeError::Checksum));
        }
    }
    // The checksum moved into the window leaves 0 for the field; 0xFFFF verifies as well.
    let mut octets = sealed(v4(), octets(ACK, &[], b"ab"));
    let (window, carry) =
        u16::from_be_bytes([octets[14], octets[15]]).overflowing_add(u16::from_be_bytes([octets[16], octets[17]]));
    octets[14..16].copy_from_slice(&(window + u16::from(carry)).to_be_bytes());
    for field in [0, 0xFF] {
        octets[16..18].fill(field);
        assert!(decode_verified(octets.clone().into(), Verify::Now(v4())).is_ok(), "{field}");
    }
}

#[test]
fn a16_all_combinations_of_control_bits_are_values() {
    for control in 0..512 {
        assert_eq!(segment(&octets(control, &[], b"")).flags.bits(), control);
    }
}

#[test]
fn a17_port_0_and_ends_that_are_not_unicast_are_no_endpoints() {
    for bad in [
        "192.0.2.1:0",
        "[2001:db8::1]:0",
        "0.0.0.0:80",
        "255.255.255.255:80",
        "224.0.0.1:80",
        "239.255.255.255:80",
        "[::]:80",
        "[ff02::1]:80",
        "[ffff::1]:80",
        "[::ffff:224.0.0.1]:80",
        "[::ffff:255.255.255.255]:80",
        "[::ffff:0.0.0.0]:80",
    ] {
        assert!(!valid_endpoint(bad.parse().unwrap()), "{bad}");
    }
    for good in [
        "192.0.2.1:1",
        "10.255.255.255:65535",
        "127.0.0.1:80",
        "223.255.255.255:80",
        "[2001:db8::1]:1",
        "[fe80::1]:80",
        "[::1]:80",
        "[::ffff:192.0.2.1]:80",
    ] {
        assert!(valid_endpoint(good.parse().unwrap()), "{good}");
    }
    // The codec itself passes port 0 on.
    let mut octets = octets(SYN, &[], b"");
    octets[..4].fill(0);
    let packet = decode(&octets).unwrap();
    assert_eq!((packet.src_port, packet.dst_port), (0, 0));
}

#[test]
fn a18_the_urgent_pointer_is_only_a_number() {
    for pointer in [0u16, 1, 4, 5, 0x7FFF, 0x8000, 0xFFFF] {
        for control in [0, ACK, 0x20, 0x20 | ACK, 0x20 | SYN] {
            let mut octets = octets(control, &[], b"text");
            octets[18..20].copy_from_slice(&pointer.to_be_bytes());
            let segment = segment(&octets);
            assert_eq!((segment.urgent, &segment.payload[..]), (pointer, &b"text"[..]));
            let end = segment.flags.contains(Flags::URG).then(|| segment.seq + u32::from(pointer));
            assert_eq!(segment.urgent_end(), end);
        }
    }
}
