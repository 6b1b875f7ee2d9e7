//! The seams to hardware: who does the checksum, who cuts, what fits.

use std::error::Error;

use bytes::{BufMut, Bytes};
use segue::codec::{self, DecodeError, EncodeError, Fill, Header, Packet, PseudoHeader, Verify};
use segue::{Ecn, Flags, Options, SackBlock, Segment, SeqNum, Timestamps};

use super::support::{ACK, octets, sealed, sum, v4, v6};

fn packet(segment: Segment) -> Packet {
    Packet { src_port: 258, dst_port: 772, segment }
}

fn encode(segment: &Segment, fill: Fill) -> Result<Vec<u8>, EncodeError> {
    let mut octets = Vec::new();
    codec::encode(&packet(segment.clone()), fill, &mut octets).map(|()| octets)
}

fn text(len: usize) -> Bytes {
    (0..len).map(|i| i.to_le_bytes()[0] ^ 0x5A).collect::<Vec<u8>>().into()
}

#[test]
fn hardware_completes_what_it_is_to_fill() {
    for pseudo in [v4(), v6()] {
        for len in [0, 1, 2, 555, 1460] {
            let segment = Segment { flags: Flags::ACK, window: 9, payload: text(len), ..Segment::default() };
            let mut octets = encode(&segment, Fill::ByHardware(pseudo)).unwrap();
            // As the device does: the checksum of header and text, whatever the field holds included.
            let mut device = codec::Sum::new();
            device.add(&octets);
            octets[16..18].copy_from_slice(&device.checksum().to_be_bytes());
            assert_eq!(octets, encode(&segment, Fill::Now(pseudo)).unwrap(), "{len}");
            assert_eq!(sum(pseudo, &octets), 0xFFFF);
        }
    }
}

#[test]
fn a_checksum_verified_by_hardware_is_not_looked_at() {
    let good = sealed(v4(), octets(ACK, &[], b"text"));
    let expected = codec::decode(good.clone().into(), Verify::Now(v4()));
    for field in [[0, 0], [0xFF, 0xFF], [0x12, 0x34]] {
        let mut octets = good.clone();
        octets[16..18].copy_from_slice(&field);
        assert_eq!(codec::decode(octets.into(), Verify::ByHardware), expected);
    }
}

#[test]
fn the_text_is_a_slice_of_what_came() {
    let received = Bytes::from(octets(ACK, &[1; 12], b"the text"));
    let place = received.as_ptr().wrapping_add(32);
    let segment = codec::decode(received.clone(), Verify::ByHardware).unwrap().segment;
    assert_eq!((segment.payload.as_ptr(), &segment.payload[..]), (place, &b"the text"[..]));
    let (again, raw) = codec::decode_raw(received.clone(), Verify::ByHardware).unwrap();
    assert_eq!(again.segment, segment);
    assert_eq!((raw.as_slice().as_ptr(), raw.as_slice()), (received.as_ptr().wrapping_add(20), &[1; 12][..]));
}

#[test]
fn a_header_apart_from_its_text() {
    let segment = Segment { flags: Flags::ACK, payload: text(99), ..Segment::default() };
    let header = Header::new(&packet(segment.clone()), Fill::Now(v6())).unwrap();
    assert_eq!([header.as_slice(), &segment.payload].concat(), encode(&segment, Fill::Now(v6())).unwrap());
}

#[test]
fn options_that_do_not_fit_are_an_error() {
    let mut options = Options { timestamps: Some(Timestamps::default()), ..Options::default() };
    (0..4).for_each(|_| assert!(options.sack.push(SackBlock::default())));
    let error = encode(&Segment { options: options.into(), ..Segment::default() }, Fill::Now(v4())).unwrap_err();
    assert_eq!(error, EncodeError::OptionsTooLong { len: 44 });
}

#[test]
fn the_longest_segment_of_an_ip_packet() {
    for (pseudo, max) in [(v4(), 65_515), (v6(), 65_535)] {
        for fill in [Fill::Now(pseudo), Fill::ByHardware(pseudo)] {
            let mut segment = Segment { payload: text(max - 20), ..Segment::default() };
            assert_eq!(encode(&segment, fill).unwrap().len(), max);
            segment.payload = text(max - 19);
            assert_eq!(encode(&segment, fill), Err(EncodeError::TooLong { len: max + 1, max }));
        }
        let mut octets = octets(ACK, &[], &text(max - 20));
        octets = sealed(pseudo, octets);
        assert!(codec::decode(octets.clone().into(), Verify::Now(pseudo)).is_ok());
        octets.push(0);
        let outcome = codec::decode(octets.clone().into(), Verify::Now(pseudo));
        assert_eq!(outcome, Err(DecodeError::TooLong { len: max + 1, max }));
        // What hardware has merged can be longer.
        assert!(codec::decode(octets.into(), Verify::ByHardware).is_ok());
    }
}

#[test]
fn only_hardware_cuts_a_value_of_several_segments() {
    let several = Segment { segment_size: 100, payload: text(101), ..Segment::default() };
    assert_eq!(encode(&several, Fill::Now(v4())), Err(EncodeError::NotSplit { segment_size: 100 }));
    assert_eq!(encode(&several, Fill::ByHardware(v4())).unwrap().len(), 121);
    let one = Segment { segment_size: 100, payload: text(100), ..Segment::default() };
    assert_eq!(encode(&one, Fill::Now(v4())).unwrap().len(), 120);
}

#[test]
fn a_buffer_without_room_is_an_error_and_stays_as_it_is() {
    let segment = Segment { payload: text(10), ..Segment::default() };
    for room in 0..=30 {
        let mut storage = [0xEE; 30];
        let mut buffer = &mut storage[..room];
        let outcome = codec::encode(&packet(segment.clone()), Fill::Now(v4()), &mut buffer);
        if room < 30 {
            assert_eq!(outcome, Err(EncodeError::BufferTooSmall { needed: 30, room }));
            assert_eq!(storage, [0xEE; 30]);
        } else {
            assert_eq!((outcome, buffer.remaining_mut()), (Ok(()), 0));
        }
    }
}

#[test]
fn splitting_gives_each_flag_to_its_segment() {
    let options = Options { timestamps: Some(Timestamps { value: 3, echo: 4 }), ..Options::default() };
    let whole = Segment {
        seq: SeqNum::new(u32::MAX - 4),
        ack: SeqNum::new(77),
        flags: Flags::FIN | Flags::PSH | Flags::CWR | Flags::ECE | Flags::ACK,
        window: 5,
        urgent: 0,
        options: options.into(),
        ecn: Ecn::Ect0,
        segment_size: 10,
        payload: text(25),
    };
    let piece = |seq, flags, range: std::ops::Range<usize>| Segment {
        seq: SeqNum::new(seq),
        flags,
        segment_size: 0,
        payload: whole.payload.slice(range),
        ..whole.clone()
    };
    let pieces: Vec<Segment> = codec::split(whole.clone()).collect();
    let expected = [
        piece(u32::MAX - 4, Flags::CWR | Flags::ECE | Flags::ACK, 0..10),
        piece(5, Flags::ECE | Flags::ACK, 10..20),
        piece(15, Flags::FIN | Flags::PSH | Flags::ECE | Flags::ACK, 20..25),
    ];
    assert_eq!(pieces, expected);
    assert_eq!(pieces[1].payload.as_ptr(), whole.payload[10..].as_ptr(), "no text is copied");
}

#[test]
fn splitting_what_is_one_segment_changes_nothing() {
    for (len, segment_size, flags) in [
        (0, 0, Flags::ACK | Flags::FIN),
        (30, 0, Flags::ACK | Flags::CWR),
        (30, 30, Flags::ACK | Flags::PSH),
        (30, 31, Flags::ACK),
        (30, 10, Flags::SYN),
        (30, 10, Flags::ACK | Flags::RST),
        (30, 10, Flags::ACK | Flags::URG),
    ] {
        let segment = Segment { flags, segment_size, payload: text(len), ..Segment::default() };
        let mut pieces = codec::split(segment.clone());
        assert_eq!(pieces.len(), 1);
        assert_eq!(pieces.next(), Some(Segment { segment_size: 0, ..segment }));
        assert_eq!((pieces.len(), pieces.next(), pieces.next()), (0, None, None));
    }
}

#[test]
fn splitting_tells_how_many() {
    for len in 1..40 {
        for size in 1..45u16 {
            let segment = Segment { segment_size: size, payload: text(len), ..Segment::default() };
            let pieces = codec::split(segment);
            assert_eq!((pieces.len(), pieces.count()), (len.div_ceil(size.into()), len.div_ceil(size.into())));
        }
    }
}

#[test]
fn splitting_a_packet_keeps_its_ports() {
    let segment = Segment { seq: SeqNum::new(7), segment_size: 10, payload: text(25), ..Segment::default() };
    let pieces = codec::split_packet(packet(segment.clone()));
    assert_eq!(pieces.len(), 3);
    assert!(pieces.eq(codec::split(segment).map(packet)));
}

#[test]
fn packets_and_errors_read_well() {
    let options = Options { mss: Some(1460), sack_permitted: true, window_scale: Some(10), ..Options::default() };
    let syn_ack = Segment {
        seq: SeqNum::new(300),
        ack: SeqNum::new(101),
        flags: Flags::SYN | Flags::ACK | Flags::ECE,
        window: 65_160,
        options: options.into(),
        ..Segment::default()
    };
    let expected = "258 > 772: Flags [S.E], seq 300, ack 101, win 65160, options [mss 1460,sackOK,wscale 10], length 0";
    assert_eq!(packet(syn_ack).to_string(), expected);
    let errors: [(&dyn Error, &str); 8] = [
        (&DecodeError::Truncated { needed: 20, len: 3 }, "a TCP header of 20 octets is cut off after 3"),
        (&DecodeError::DataOffset(4), "a data offset of 4 words, fewer than 5"),
        (
            &DecodeError::TooLong { len: 65_516, max: 65_515 },
            "a segment of 65516 octets, more than the 65515 of one IP packet",
        ),
        (&DecodeError::Checksum, "wrong checksum"),
        (&EncodeError::OptionsTooLong { len: 44 }, "options of 44 octets, more than the 40 of a TCP header"),
        (
            &EncodeError::TooLong { len: 65_536, max: 65_535 },
            "a segment of 65536 octets, more than the 65535 of one IP packet",
        ),
        (&EncodeError::NotSplit { segment_size: 9 }, "several segments of 9 octets in one value"),
        (&EncodeError::BufferTooSmall { needed: 30, room: 29 }, "room for 29 octets where 30 are needed"),
    ];
    for (error, text) in errors {
        assert_eq!(error.to_string(), text);
    }
    let there = PseudoHeader::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into()).unwrap();
    assert_eq!((there.src().to_string(), there.dst().to_string()), ("10.0.0.1".into(), "10.0.0.2".into()));
}
