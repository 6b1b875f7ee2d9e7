//! Packets and addresses of both versions of IP.

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use segue::codec::{Packet, PseudoHeader};
use segue::ip::{self, Format, Offload};
use segue::{Ecn, Flags, Options, Segment, SeqNum, Timestamps};

pub(crate) const PLAIN: Format = Format { offload: Offload::None, hop_limit: 64, dscp: 0 };
pub(crate) const VIRTIO: Format = Format { offload: Offload::VirtioNet, ..PLAIN };

/// Addresses of both versions.
pub(crate) fn addresses() -> [PseudoHeader; 2] {
    let (src, dst) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2));
    let v6 = |last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last);
    [PseudoHeader::V4 { src, dst }, PseudoHeader::V6 { src: v6(1), dst: v6(2) }]
}

/// A packet with timestamps, which may be marked.
pub(crate) fn packet(text: &[u8]) -> Packet {
    let segment = Segment {
        seq: SeqNum::new(0x1234_5678),
        ack: SeqNum::new(9),
        flags: Flags::ACK | Flags::PSH,
        window: 500,
        options: Options { timestamps: Some(Timestamps { value: 1, echo: 2 }), ..Options::default() }.into(),
        ecn: Ecn::Ect0,
        payload: Bytes::copy_from_slice(text),
        ..Segment::default()
    };
    Packet { src_port: 1001, dst_port: 80, segment }
}

pub(crate) fn encoded(addresses: PseudoHeader, packet: &Packet, format: Format) -> Vec<u8> {
    let mut octets = Vec::new();
    ip::encode(addresses, packet, format, &mut octets).unwrap();
    assert_eq!(octets.len(), ip::encoded_len(addresses, packet, format));
    octets
}
