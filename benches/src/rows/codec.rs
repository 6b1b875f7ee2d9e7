//! The border to octets: the header with four sets of options, and the checksum.

use std::hint::black_box;
use std::net::Ipv4Addr;

use bytes::Bytes;
use segue::codec::{self, Fill, Packet, PseudoHeader, Sum, Verify};
use segue::{Flags, Options, SackBlock, Segment, SeqNum, Timestamps};

use super::{Form, Row, row};
use crate::counted;

const THERE: PseudoHeader = PseudoHeader::V4 { src: Ipv4Addr::new(192, 0, 2, 1), dst: Ipv4Addr::new(198, 51, 100, 7) };

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, packet) in packets() {
        let there = packet.clone();
        rows.push(row(format!("decode, {name}"), Form::Octets, move || decode(&there, Verify::ByHardware)));
        let there = packet.clone();
        rows.push(row(format!("decode, {name}"), Form::Checksum, move || decode(&there, Verify::Now(THERE))));
        let there = packet.clone();
        rows.push(row(format!("encode, {name}"), Form::Octets, move || encode(&there, Fill::ByHardware(THERE))));
        rows.push(row(format!("encode, {name}"), Form::Checksum, move || encode(&packet, Fill::Now(THERE))));
    }
    for len in [20, 64, 1460, 65_534] {
        rows.push(row(format!("checksum of {len} octets"), Form::Checksum, move || checksum(len)));
    }
    rows
}

/// The four sets, each on the segment it is common on.
fn packets() -> [(&'static str, Packet); 4] {
    let timestamps = Some(Timestamps { value: 0x0102_0304, echo: 0x0506_0708 });
    let syn =
        Options { mss: Some(1460), sack_permitted: true, timestamps, window_scale: Some(10), ..Options::default() };
    let mut sack = Options { timestamps, ..Options::default() };
    for n in 0..3u32 {
        sack.sack.push(SackBlock { left: SeqNum::new(n * 3000), right: SeqNum::new(n * 3000 + 1448) });
    }
    let packet = |flags, options: Options| {
        let (seq, ack) = (SeqNum::new(0x1234_5678), SeqNum::new(0x9ABC_DEF0));
        let segment = Segment { seq, ack, flags, window: 502, options: options.into(), ..Segment::default() };
        Packet { src_port: 49_152, dst_port: 443, segment }
    };
    [
        ("no options", packet(Flags::ACK, Options::default())),
        ("timestamps", packet(Flags::ACK, Options { timestamps, ..Options::default() })),
        ("timestamps and 3 SACK blocks", packet(Flags::ACK, sack)),
        ("options of a SYN", packet(Flags::SYN, syn)),
    ]
}

fn decode(packet: &Packet, verify: Verify) -> u32 {
    let mut octets = Vec::new();
    codec::encode(packet, Fill::Now(THERE), &mut octets).expect("a packet of this file");
    let octets = Bytes::from(octets);
    for _ in 0..1000 {
        let octets = octets.clone();
        let decoded = counted(|| codec::decode(octets, verify));
        assert!(decoded.as_ref() == Ok(packet));
    }
    1000
}

fn encode(packet: &Packet, fill: Fill) -> u32 {
    let mut octets = Vec::with_capacity(64);
    for _ in 0..1000 {
        octets.clear();
        counted(|| codec::encode(black_box(packet), fill, &mut octets)).expect("a packet of this file");
    }
    1000
}

fn checksum(len: usize) -> u32 {
    let octets: Vec<u8> = (0..=u8::MAX).cycle().take(len).collect();
    for _ in 0..100 {
        counted(|| {
            let mut sum = Sum::new();
            sum.add(black_box(&octets));
            sum.checksum()
        });
    }
    100
}
