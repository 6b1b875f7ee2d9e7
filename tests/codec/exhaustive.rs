//! All of what can be enumerated, against models written apart from the codec.

use segue::codec::{self, DecodeError, EncodeError, Fill, Packet};
use segue::{AccEcn, FastOpenCookie, Flags, Options, SackBlock, Segment, SeqNum, Timestamps};

use super::support::{decode, octets, options, raw, segment, v4};

/// The word at an octet of the area.
fn word(area: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([area[at], area[at + 1], area[at + 2], area[at + 3]])
}

/// What an area says whose first option has this kind and length, and whose other octets are all NOP.
fn model(area: &[u8]) -> Options {
    let (kind, len) = (area[0], usize::from(area[1]));
    let mut options = Options::default();
    if len > area.len() {
        return options;
    }
    match (kind, len) {
        (2, 4) => options.mss = Some(u16::from(area[2]) << 8 | u16::from(area[3])),
        (3, 3) => options.window_scale = Some(area[2]),
        (4, 2) => options.sack_permitted = true,
        (5, 10 | 18 | 26 | 34) => {
            for block in 0..(len - 2) / 8 {
                let (left, right) = (word(area, 2 + 8 * block), word(area, 6 + 8 * block));
                options.sack.push(SackBlock { left: SeqNum::new(left), right: SeqNum::new(right) });
            }
        }
        (8, 10) => options.timestamps = Some(Timestamps { value: word(area, 2), echo: word(area, 6) }),
        (28, 4) => options.user_timeout = Some(u16::from(area[2]) << 8 | u16::from(area[3])),
        (34, 2 | 6 | 8 | 10 | 12 | 14 | 16 | 18) => options.fast_open = FastOpenCookie::new(&area[2..len]),
        (172 | 174, 2..) => {
            // RFC 9768 §3.2.3: whole fields of three octets, whatever the length is
            let starts = (2..len).step_by(3).take(3).filter(|at| at + 3 <= len);
            let fields: Vec<u32> = starts.map(|at| word(&[&[0], &area[at..at + 3]].concat(), 0)).collect();
            options.acc_ecn = if kind == 172 { AccEcn::order_0(&fields) } else { AccEcn::order_1(&fields) };
        }
        _ => {}
    }
    options
}

/// Every kind with every length, in areas of every size, alone and with an option behind it.
#[test]
fn every_kind_with_every_length() {
    for pair in 0..=0xFFFFu16 {
        let [kind, len] = pair.to_be_bytes();
        for size in [4, 8, 12, 20, 28, 36, 40] {
            let mut area = vec![1; size];
            (area[0], area[1]) = (kind, len);
            if kind >= 2 {
                assert_eq!(options(&area), model(&area), "kind {kind}, length {len}, {size} octets");
                let legal = (2..=size).contains(&usize::from(len));
                let (good, bad) = raw(&area);
                assert_eq!((good.len(), bad.is_some()), (usize::from(legal), !legal));
            }
            // The last four octets are an MSS: found exactly if the list gets there.
            let behind = size - 4;
            if behind < 4 {
                continue;
            }
            area[behind..].copy_from_slice(&[2, 4, 0xBE, 0xEF]);
            let reached = match kind {
                0 => false,
                1 => len == 1 || (len >= 2 && usize::from(len) < behind), // the length octet is itself a kind
                2 if len == 4 => false,                                   // there is an MSS already
                _ => (2..=behind).contains(&usize::from(len)),
            };
            if kind != 1 {
                assert_eq!(options(&area).mss == Some(0xBEEF), reached, "kind {kind}, length {len}, {size} octets");
            }
        }
    }
}

/// Octets 12 and 13 hold data offset, reserved bits and control bits: all their values.
#[test]
fn every_data_offset_with_every_bit() {
    let mut octets = octets(0, &[1; 40], b"text");
    for value in 0..=0xFFFFu16 {
        octets[12..14].copy_from_slice(&value.to_be_bytes());
        let outcome = decode(&octets);
        let words = value >> 12;
        if words < 5 {
            assert_eq!(outcome, Err(DecodeError::DataOffset(u8::try_from(words).unwrap())));
            continue;
        }
        let segment = outcome.unwrap().segment;
        assert_eq!(segment.flags.bits(), value & 0x1FF);
        assert_eq!(segment.payload, octets[usize::from(words) * 4..]);
    }
}

#[test]
fn all_512_combinations_of_control_bits_go_both_ways() {
    for bits in 0..512u16 {
        let flags = Flags::from_bits(bits).unwrap();
        let packet = Packet { src_port: 1, dst_port: 2, segment: Segment { flags, ..Segment::default() } };
        let mut octets = Vec::new();
        codec::encode(&packet, Fill::Now(v4()), &mut octets).unwrap();
        assert_eq!(u16::from_be_bytes([octets[12], octets[13]]), 5 << 12 | bits);
        assert_eq!(segment(&octets).flags, flags);
    }
}

/// Every set of options: with every number of SACK blocks and every length of cookie.
fn option_sets() -> impl Iterator<Item = Options> {
    let cookies = [None, Some(0), Some(4), Some(6), Some(8), Some(10), Some(12), Some(14), Some(16)];
    let counters = [0x01_0203, 0xFF_FFFF, 0];
    let accurate =
        (0..=3usize).flat_map(move |len| [AccEcn::order_0(&counters[..len]), AccEcn::order_1(&counters[..len])]);
    let accurate: Vec<_> = [None].into_iter().chain(accurate).collect();
    let sets = (0..32u8).flat_map(move |present| {
        (0..=4u32).flat_map(move |blocks| {
            cookies.into_iter().map(move |cookie| {
                let has = |bit: u8| present & bit != 0;
                let mut options = Options {
                    mss: has(1).then_some(0x1234),
                    window_scale: has(2).then_some(7),
                    sack_permitted: has(4),
                    timestamps: has(8).then_some(Timestamps { value: 0x0A0B_0C0D, echo: 0x1A1B_1C1D }),
                    user_timeout: has(16).then_some(0x8123),
                    fast_open: cookie.and_then(|len| FastOpenCookie::new(&[0xC0; 16][..len])),
                    ..Options::default()
                };
                for n in 1..=blocks {
                    options.sack.push(SackBlock { left: SeqNum::new(n << 24), right: SeqNum::new(n << 16) });
                }
                options
            })
        })
    });
    sets.flat_map(move |options| accurate.clone().into_iter().map(move |acc_ecn| Options { acc_ecn, ..options }))
}

/// The option area: each option in whole words where that fits (left), else as it is (right), and zeros at the end.
fn layout(options: &Options) -> Result<Vec<u8>, usize> {
    const NOP: &[u8] = &[1];
    let mut list: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut push = |before: usize, option: &[u8], after: usize| {
        list.push(([&NOP.repeat(before), option, &NOP.repeat(after)].concat(), option.to_vec()));
    };
    if let Some(mss) = options.mss {
        push(0, &[&[2, 4][..], &mss.to_be_bytes()].concat(), 0);
    }
    let timestamps =
        options.timestamps.map(|ts| [&[8, 10][..], &ts.value.to_be_bytes(), &ts.echo.to_be_bytes()].concat());
    match (options.sack_permitted, timestamps) {
        (false, None) => {}
        (true, None) => push(2, &[4, 2], 0),
        (false, Some(ts)) => push(2, &ts, 0),
        (true, Some(ts)) => push(0, &[&[4, 2][..], &ts].concat(), 0),
    }
    if let Some(shift) = options.window_scale {
        push(1, &[3, 3, shift], 0);
    }
    if !options.sack.is_empty() {
        let ends = options.sack.as_slice().iter().flat_map(|block| [block.left, block.right]);
        let data: Vec<u8> = ends.flat_map(|end| end.value().to_be_bytes()).collect();
        push(2, &[&[5, u8::try_from(2 + data.len()).unwrap()][..], &data].concat(), 0);
    }
    if let Some(cookie) = options.fast_open {
        let cookie = cookie.as_slice();
        let len = u8::try_from(2 + cookie.len()).unwrap();
        push(0, &[&[34, len][..], cookie].concat(), usize::from((4 - len % 4) % 4));
    }
    if let Some(timeout) = options.user_timeout {
        push(0, &[&[28, 4][..], &timeout.to_be_bytes()].concat(), 0);
    }
    if let Some(option) = options.acc_ecn {
        let fields = option.fields();
        let kind = if option.is_order_1() { 174 } else { 172 };
        let data: Vec<u8> = fields.iter().flat_map(|field| field.to_be_bytes()[1..].to_vec()).collect();
        push(0, &[&[kind, u8::try_from(2 + data.len()).unwrap()][..], &data].concat(), 0);
    }
    let (aligned, packed): (Vec<_>, Vec<_>) = list.into_iter().unzip();
    let mut area = if aligned.concat().len() <= 40 { aligned.concat() } else { packed.concat() };
    area.resize(area.len().next_multiple_of(4), 0);
    if area.len() <= 40 { Ok(area) } else { Err(area.len()) }
}

#[test]
fn every_set_of_options_has_its_layout_and_its_wire_len() {
    let mut outcomes = [0; 2];
    for options in option_sets() {
        let packet = Packet { segment: Segment { options: options.into(), ..Segment::default() }, ..Packet::default() };
        let mut octets = Vec::new();
        let encoded = codec::encode(&packet, Fill::Now(v4()), &mut octets);
        match layout(&options) {
            Ok(area) => {
                assert_eq!((encoded, &octets[20..]), (Ok(()), &area[..]), "{options:?}");
                assert_eq!(options.wire_len(), area.len(), "{options:?}");
                assert_eq!(segment(&octets).options, options);
                outcomes[0] += 1;
            }
            Err(len) => {
                assert_eq!(encoded, Err(EncodeError::OptionsTooLong { len }), "{options:?}");
                assert_eq!((octets.len(), options.wire_len()), (0, len));
                outcomes[1] += 1;
            }
        }
    }
    assert_eq!(outcomes, [5202, 7758], "of {} sets", 32 * 5 * 9 * 9);
}
