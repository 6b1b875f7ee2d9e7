//! The border to IP datagrams: what the headers cost beside the codec's rows.

use std::hint::black_box;
use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use segue::codec::{Packet, PseudoHeader};
use segue::ip::{self, Datagram, Format, Offload};
use segue::{Flags, Options, Segment, Timestamps};

use super::{Form, Row, row};
use crate::counted;

pub(super) fn rows() -> Vec<Row> {
    let v4 = PseudoHeader::V4 { src: Ipv4Addr::new(192, 0, 2, 1), dst: Ipv4Addr::new(198, 51, 100, 7) };
    let v6 = PseudoHeader::V6 { src: Ipv6Addr::LOCALHOST, dst: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1) };
    let mut rows = Vec::new();
    for (name, ends) in [("IPv4", v4), ("IPv6", v6)] {
        for (form, offload) in [(Form::Octets, Offload::VirtioNet), (Form::Checksum, Offload::None)] {
            rows.push(row(format!("decode {name}, timestamps"), form, move || decode(ends, offload, false)));
            rows.push(row(format!("encode {name}, timestamps"), form, move || encode(ends, offload)));
        }
    }
    let form = Form::Checksum;
    rows.push(row("decode IPv4 with an option, timestamps", form, move || decode(v4, Offload::None, true)));
    rows
}

fn packet() -> Packet {
    let timestamps = Some(Timestamps { value: 0x0102_0304, echo: 0x0506_0708 });
    let options = Options { timestamps, ..Options::default() }.into();
    let segment = Segment { flags: Flags::ACK, window: 502, options, ..Segment::default() };
    Packet { src_port: 49_152, dst_port: 443, segment }
}

fn decode(ends: PseudoHeader, offload: Offload, option: bool) -> u32 {
    let (mut octets, format) = (Vec::new(), Format { offload, ..Format::default() });
    ip::encode(ends, &packet(), format, &mut octets).expect("a packet of this file");
    if option {
        // Four octets more of header: No Operation. The checksum falls by what the two octets before it rise.
        octets.splice(20..20, [1, 1, 1, 0]);
        octets[0] += 1;
        octets[3] += 4;
        let sum = u16::from_be_bytes([octets[10], octets[11]]);
        octets[10..12].copy_from_slice(&(sum - 0x0100 - 4 - 0x0101 - 0x0100).to_be_bytes());
    }
    let octets = Bytes::from(octets);
    for _ in 0..1000 {
        let octets = octets.clone();
        let decoded = counted(|| ip::decode(octets, format));
        assert!(decoded == Ok(Datagram::Tcp(ends, packet())));
    }
    1000
}

fn encode(ends: PseudoHeader, offload: Offload) -> u32 {
    let (mut octets, packet, format) = (Vec::with_capacity(100), packet(), Format { offload, ..Format::default() });
    for _ in 0..1000 {
        octets.clear();
        counted(|| ip::encode(ends, black_box(&packet), format, &mut octets)).expect("a packet of this file");
    }
    1000
}
