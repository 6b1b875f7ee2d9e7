//! A header with timestamps, out of octets and into octets, and the checksum of 1460 octets.

use std::hint::black_box;

use etherparse::{TcpHeader, TcpHeaderSlice, TcpOptionElement};
use pnet_packet::Packet as _;
use pnet_packet::tcp::{MutableTcpPacket, TcpOption, TcpOptionNumbers, TcpPacket};
use segue::codec::{self, Fill, Packet, PseudoHeader, Sum};
use segue::{Flags, SeqNum, Timestamps};
use segue_benches::counted;
use smoltcp::wire::{IpAddress, TcpControl, TcpRepr, TcpSeqNumber, TcpTimestampRepr};

use crate::smoltcp::capabilities;
use crate::{Row, THEM, US, Work, row};

const TIMESTAMPS: (u32, u32) = (0x0102_0304, 0x0506_0708);
const SEQ: u32 = 0x1234_5678;
const ACK: u32 = 0x1ABC_DEF0;
const WINDOW: u16 = 502;
const PORTS: (u16, u16) = (49_152, 443);
const TIMES: u32 = 1000;

/// What every decoder has to find: ports, numbers, window, control bits, timestamps.
type Found = ((u16, u16), u32, u32, u16, bool, (u32, u32));
const WANTED: Found = (PORTS, SEQ, ACK, WINDOW, true, TIMESTAMPS);

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for on in [false, true] {
        rows.push(row(Work::Decode, on, "smoltcp", move || decode(|octets| smoltcp_decode(octets, on))));
        rows.push(row(Work::Decode, on, "vtcp", move || decode(|octets| vtcp_decode(octets, on))));
        rows.push(row(Work::Decode, on, "etherparse", move || decode(|octets| etherparse_decode(octets, on))));
        rows.push(row(Work::Decode, on, "pnet", move || decode(|octets| pnet_decode(octets, on))));
        rows.push(row(Work::Encode, on, "smoltcp", move || encode(on, |to| smoltcp_encode(to, on))));
        rows.push(row(Work::Encode, on, "vtcp", move || encode(on, |to| vtcp_encode(to, on))));
        rows.push(row(Work::Encode, on, "etherparse", move || encode(on, |to| etherparse_encode(to, on))));
        rows.push(row(Work::Encode, on, "pnet", move || encode(on, |to| pnet_encode(to, on))));
    }
    for (who, checksum) in checksums() {
        rows.push(row(Work::Checksum, true, who, move || {
            (0..100).for_each(|_| assert_eq!(counted(|| checksum(black_box(&OCTETS))), expected()));
            100
        }));
    }
    rows
}

/// The packet as segue encodes it.
fn header() -> Vec<u8> {
    let there = PseudoHeader::V4 { src: US, dst: THEM };
    let timestamps = Some(Timestamps { value: TIMESTAMPS.0, echo: TIMESTAMPS.1 });
    let segment = segue::Segment {
        seq: SeqNum::new(SEQ),
        ack: SeqNum::new(ACK),
        flags: Flags::ACK,
        window: WINDOW,
        options: timestamps.into(),
        ..segue::Segment::default()
    };
    let mut octets = Vec::new();
    let packet = Packet { src_port: PORTS.0, dst_port: PORTS.1, segment };
    codec::encode(&packet, Fill::Now(there), &mut octets).expect("a header");
    octets
}

fn decode(decode: impl Fn(&[u8]) -> Found) -> u32 {
    let octets = header();
    for _ in 0..TIMES {
        assert_eq!(counted(|| decode(black_box(&octets))), WANTED);
    }
    TIMES
}

fn encode(on: bool, encode: impl Fn(&mut [u8])) -> u32 {
    let (mut wanted, mut octets) = (header(), vec![0; 32]);
    for _ in 0..TIMES {
        octets.fill(0);
        counted(|| encode(black_box(&mut octets)));
    }
    if !on {
        wanted[16..18].fill(0);
    }
    if octets[20] == 8 {
        octets[20..].rotate_right(2); // smoltcp pads behind the timestamps, the others before them
        octets[20..22].fill(1);
        wanted[16..18].copy_from_slice(&octets[16..18]); // so the sum differs by the padding
    }
    assert_eq!(octets, wanted);
    TIMES
}

fn smoltcp_decode(octets: &[u8], on: bool) -> Found {
    let packet = smoltcp::wire::TcpPacket::new_checked(octets).expect("a header");
    let (src, dst) = (IpAddress::Ipv4(US), IpAddress::Ipv4(THEM));
    let repr = TcpRepr::parse(&packet, &src, &dst, &capabilities(on)).expect("a header");
    let timestamps = repr.timestamp.map_or((0, 0), |option| (option.tsval, option.tsecr));
    let ack = repr.ack_number.map_or(0, |ack| ack.0 as u32);
    let plain = repr.control == TcpControl::None && repr.ack_number.is_some();
    ((repr.src_port, repr.dst_port), repr.seq_number.0 as u32, ack, repr.window_len, plain, timestamps)
}

fn smoltcp_encode(to: &mut [u8], on: bool) {
    let repr = TcpRepr {
        src_port: PORTS.0,
        dst_port: PORTS.1,
        control: TcpControl::None,
        seq_number: TcpSeqNumber(black_box(SEQ) as i32),
        ack_number: Some(TcpSeqNumber(ACK as i32)),
        window_len: WINDOW,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: Some(TcpTimestampRepr { tsval: TIMESTAMPS.0, tsecr: TIMESTAMPS.1 }),
        payload: &[],
    };
    let repr = black_box(repr);
    let mut packet = smoltcp::wire::TcpPacket::new_unchecked(&mut *to);
    repr.emit(&mut packet, &IpAddress::Ipv4(US), &IpAddress::Ipv4(THEM), &capabilities(on));
}

fn vtcp_decode(octets: &[u8], on: bool) -> Found {
    if on {
        assert_eq!(pktkit::transport_checksum(pktkit::Protocol::TCP, US.into(), THEM.into(), octets), 0);
    }
    let segment = pktkit::vtcp::Segment::parse(octets).expect("a header");
    let stamps = segment.options.iter().find(|option| option.kind == 8).expect("timestamps");
    let word = |at: usize| u32::from_be_bytes(stamps.data[at..at + 4].try_into().expect("four octets"));
    let ports = (segment.src_port, segment.dst_port);
    (ports, segment.seq, segment.ack, segment.window, segment.flags == 0x10, (word(0), word(4)))
}

/// It has no other way than into a vector of its own.
fn vtcp_encode(to: &mut [u8], on: bool) {
    let nop = || pktkit::vtcp::TcpOption { kind: 1, data: Vec::new() };
    let data = [TIMESTAMPS.0.to_be_bytes(), TIMESTAMPS.1.to_be_bytes()].concat();
    let stamps = pktkit::vtcp::TcpOption { kind: 8, data };
    let segment = pktkit::vtcp::Segment {
        src_port: PORTS.0,
        dst_port: PORTS.1,
        seq: black_box(SEQ),
        ack: ACK,
        flags: 0x10,
        window: WINDOW,
        options: vec![nop(), nop(), stamps],
        ..pktkit::vtcp::Segment::default()
    };
    let mut octets = segment.marshal();
    if on {
        let sum = pktkit::transport_checksum(pktkit::Protocol::TCP, US.into(), THEM.into(), &octets);
        octets[16..18].copy_from_slice(&sum.to_be_bytes());
    }
    to.copy_from_slice(&octets);
}

fn etherparse_decode(octets: &[u8], on: bool) -> Found {
    let header = TcpHeaderSlice::from_slice(octets).expect("a header");
    if on {
        let sum = header.calc_checksum_ipv4_raw(US.octets(), THEM.octets(), &octets[32..]).expect("short");
        assert_eq!(sum, header.checksum());
    }
    let timestamps = header.options_iterator().find_map(|option| match option {
        Ok(TcpOptionElement::Timestamp(value, echo)) => Some((value, echo)),
        _ => None,
    });
    let ports = (header.source_port(), header.destination_port());
    let (seq, ack) = (header.sequence_number(), header.acknowledgment_number());
    let plain = header.ack() && !(header.syn() || header.fin() || header.rst() || header.psh() || header.urg());
    (ports, seq, ack, header.window_size(), plain, timestamps.expect("timestamps"))
}

fn etherparse_encode(to: &mut [u8], on: bool) {
    let mut header = TcpHeader::new(PORTS.0, PORTS.1, black_box(SEQ), WINDOW);
    header.ack = true;
    header.acknowledgment_number = ACK;
    let stamps = TcpOptionElement::Timestamp(TIMESTAMPS.0, TIMESTAMPS.1);
    header.set_options(&[TcpOptionElement::Noop, TcpOptionElement::Noop, stamps]).expect("room");
    if on {
        header.checksum = header.calc_checksum_ipv4_raw(US.octets(), THEM.octets(), &[]).expect("short");
    }
    to.copy_from_slice(&header.to_bytes());
}

fn pnet_decode(octets: &[u8], on: bool) -> Found {
    let packet = TcpPacket::new(octets).expect("a header");
    if on {
        assert_eq!(pnet_packet::tcp::ipv4_checksum(&packet, &US, &THEM), packet.get_checksum());
    }
    let stamps = packet.get_options_iter().find(|option| option.get_number() == TcpOptionNumbers::TIMESTAMPS);
    let stamps = stamps.expect("timestamps");
    let word = |at: usize| u32::from_be_bytes(stamps.payload()[at..at + 4].try_into().expect("four octets"));
    let ports = (packet.get_source(), packet.get_destination());
    let (seq, ack) = (packet.get_sequence(), packet.get_acknowledgement());
    (ports, seq, ack, packet.get_window(), packet.get_flags() == 0x10, (word(0), word(4)))
}

fn pnet_encode(to: &mut [u8], on: bool) {
    let mut packet = MutableTcpPacket::new(to).expect("room");
    packet.set_source(PORTS.0);
    packet.set_destination(PORTS.1);
    packet.set_sequence(black_box(SEQ));
    packet.set_acknowledgement(ACK);
    packet.set_data_offset(8);
    packet.set_flags(0x10);
    packet.set_window(WINDOW);
    packet.set_options(&[TcpOption::nop(), TcpOption::nop(), TcpOption::timestamp(TIMESTAMPS.0, TIMESTAMPS.1)]);
    if on {
        let sum = pnet_packet::tcp::ipv4_checksum(&packet.to_immutable(), &US, &THEM);
        packet.set_checksum(sum);
    }
}

/// The octets whose checksum is computed.
pub static OCTETS: [u8; 1460] = {
    let mut octets = [0; 1460];
    let mut at = 0;
    while at < octets.len() {
        octets[at] = (at * 7 % 251) as u8;
        at += 1;
    }
    octets
};

fn expected() -> u16 {
    let mut sum = Sum::new();
    sum.add(&OCTETS);
    sum.checksum()
}

type Checksum = fn(&[u8]) -> u16;

/// Each one's checksum. segue is the first, smoltcp the second.
pub fn checksums() -> Vec<(&'static str, Checksum)> {
    vec![
        ("segue", |octets| {
            let mut sum = Sum::new();
            sum.add(octets);
            sum.checksum()
        }),
        ("smoltcp", |octets| !smoltcp::wire::checksum::data(octets)),
        ("vtcp", pktkit::checksum),
        ("etherparse", |octets| etherparse::checksum::Sum16BitWords::new().add_slice(octets).ones_complement().to_be()),
        ("pnet", |octets| pnet_packet::util::checksum(octets, usize::MAX)),
        ("internet-checksum", |octets| u16::from_be_bytes(internet_checksum::checksum(octets))),
    ]
}
