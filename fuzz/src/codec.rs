//! Codec: octets in. Decoding never panics, agrees with etherparse, and a decoded value survives encoding. The same octets
//! as an IP datagram: decoding it never panics either, and a packet survives the way through a datagram.

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use etherparse::{TcpOptionElement, TcpOptionsIterator, TcpSlice};
use segue::codec::{self, Fill, Packet, PseudoHeader, Verify};
use segue::ip::{self, Datagram, Format, Offload};
use segue::{AccEcn, FastOpenCookie, Flags, Options, SackBlock, Segment, SeqNum, Timestamps};

#[path = "signed.rs"] // this file is also a module of other names
mod signed;

const V4: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 254));
const V6: (Ipv6Addr, Ipv6Addr) =
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), Ipv6Addr::new(0xfe80, 0, 0, 0, 0x1234, 0, 0xfffe, 2));

/// The first octet says how to read the rest. Bit 0: IPv4 or IPv6; bit 1: correct the checksum field first; bit 2: build a
/// packet from the octets instead of decoding them.
pub fn run(data: &[u8]) {
    let Some((&mode, octets)) = data.split_first() else { return };
    let pseudo = match mode & 1 {
        0 => PseudoHeader::V4 { src: V4.0, dst: V4.1 },
        _ => PseudoHeader::V6 { src: V6.0, dst: V6.1 },
    };
    if mode & 4 != 0 {
        return built(Source(octets), pseudo);
    }
    datagram(octets);
    let mut octets = octets.to_vec();
    if mode & 2 != 0 && octets.len() >= 20 {
        octets[16..18].fill(0);
        if let Some(sum) = codec::checksum(pseudo, &octets) {
            octets[16..18].copy_from_slice(&sum.to_be_bytes());
        }
    }
    received(octets.into(), pseudo);
}

/// The octets as a device of each kind gives them.
fn datagram(octets: &[u8]) {
    for offload in [Offload::None, Offload::Checksum, Offload::VirtioNet] {
        let format = Format { offload, ..Format::default() };
        let _ = ip::decode(Bytes::copy_from_slice(octets), format);
    }
}

/// Octets from the network.
fn received(octets: Bytes, pseudo: PseudoHeader) {
    let decoded = codec::decode(octets.clone(), Verify::ByHardware);
    let oracle = TcpSlice::from_slice(&octets);
    let verified = codec::decode(octets.clone(), Verify::Now(pseudo));
    let (packet, oracle) = match (decoded, oracle) {
        (Ok(packet), Ok(oracle)) => (packet, oracle),
        (decoded, oracle) => {
            assert!(decoded.is_err() && oracle.is_err(), "segue: {decoded:?}, etherparse: {oracle:?}");
            assert!(verified.is_err());
            return;
        }
    };
    let good = checksum_is_right(&oracle, pseudo);
    assert_eq!(verified.ok(), good.then(|| packet.clone()), "field {:#x}", oracle.checksum());
    compare(&packet, &oracle);
    let raw = codec::decode_raw(octets.clone(), Verify::ByHardware).expect("decoded before");
    assert_eq!((&raw.0, raw.1.as_slice()), (&packet, oracle.options()));
    assert!(raw.1.iter().count() <= 20);
    signed::received(&octets, raw.1.as_slice(), pseudo);
    survives(&packet, pseudo);
    answered(&packet);
}

fn expected_checksum(oracle: &TcpSlice<'_>, pseudo: PseudoHeader) -> Option<u16> {
    match pseudo {
        PseudoHeader::V4 { src, dst } => oracle.calc_checksum_ipv4(src.octets(), dst.octets()).ok(),
        PseudoHeader::V6 { src, dst } => oracle.calc_checksum_ipv6(src.octets(), dst.octets()).ok(),
    }
}

/// A receiver sums up to 0xFFFF: of the two zeros of ones' complement both are right where one is.
fn checksum_is_right(oracle: &TcpSlice<'_>, pseudo: PseudoHeader) -> bool {
    oracle.slice().len() <= pseudo.max_len()
        && expected_checksum(oracle, pseudo)
            .is_some_and(|sum| sum == oracle.checksum() || (sum == 0 && oracle.checksum() == 0xFFFF))
}

/// Every field against the independent decoder.
fn compare(packet: &Packet, oracle: &TcpSlice<'_>) {
    let segment = &packet.segment;
    assert_eq!((packet.src_port, packet.dst_port), (oracle.source_port(), oracle.destination_port()));
    assert_eq!(segment.seq.value(), oracle.sequence_number());
    assert_eq!(segment.ack.value(), oracle.acknowledgment_number());
    assert_eq!(segment.window, oracle.window_size());
    assert_eq!(segment.urgent, oracle.urgent_pointer());
    let flags = [
        (Flags::FIN, oracle.fin()),
        (Flags::SYN, oracle.syn()),
        (Flags::RST, oracle.rst()),
        (Flags::PSH, oracle.psh()),
        (Flags::ACK, oracle.ack()),
        (Flags::URG, oracle.urg()),
        (Flags::ECE, oracle.ece()),
        (Flags::CWR, oracle.cwr()),
        (Flags::AE, oracle.ns()),
    ];
    assert_eq!(segment.flags, flags.into_iter().filter(|(_, set)| *set).map(|(flag, _)| flag).collect());
    assert_eq!((segment.ecn.bits(), segment.segment_size), (0, 0));
    assert_eq!(&segment.payload[..], oracle.payload());
    if !segment.payload.is_empty() {
        assert_eq!(segment.payload.as_ptr(), oracle.payload().as_ptr(), "the text was copied");
    }
    assert_eq!(segment.options, options_of(oracle.options()));
}

/// The options by etherparse, which stops at what it does not know: it is led over those by their length octets.
fn options_of(mut area: &[u8]) -> Options {
    let mut options = Options::default();
    while let [kind, after @ ..] = area {
        let mut one = TcpOptionsIterator::from_slice(area);
        if let Some(Ok(element)) = one.next() {
            area = one.rest();
            take(&mut options, element);
            continue;
        }
        let Some(data) = after.first().and_then(|&len| area.get(2..usize::from(len))).filter(|_| *kind != 0) else {
            break;
        };
        match (*kind, data) {
            (28, &[a, b]) if options.user_timeout.is_none() => options.user_timeout = Some(u16::from_be_bytes([a, b])),
            (172 | 174, data) if options.acc_ecn.is_none() => {
                let fields: Vec<u32> =
                    data.chunks_exact(3).take(3).map(|f| u32::from_be_bytes([0, f[0], f[1], f[2]])).collect();
                options.acc_ecn = if *kind == 172 { AccEcn::order_0(&fields) } else { AccEcn::order_1(&fields) };
            }
            (34, cookie) if options.fast_open.is_none() => options.fast_open = FastOpenCookie::new(cookie),
            _ => {}
        }
        area = &area[2 + data.len()..];
    }
    options
}

fn take(options: &mut Options, element: TcpOptionElement) {
    match element {
        TcpOptionElement::Noop => {}
        TcpOptionElement::MaximumSegmentSize(mss) => options.mss = options.mss.or(Some(mss)),
        TcpOptionElement::WindowScale(shift) => options.window_scale = options.window_scale.or(Some(shift)),
        TcpOptionElement::SelectiveAcknowledgementPermitted => options.sack_permitted = true,
        TcpOptionElement::SelectiveAcknowledgement(first, more) => {
            if options.sack.is_empty() {
                for (left, right) in [Some(first)].into_iter().chain(more).flatten() {
                    options.sack.push(SackBlock { left: SeqNum::new(left), right: SeqNum::new(right) });
                }
            }
        }
        TcpOptionElement::Timestamp(value, echo) => {
            options.timestamps = options.timestamps.or(Some(Timestamps { value, echo }));
        }
    }
}

/// Encoding takes any decoded value, or one built with options that fit, and gives it back.
fn survives(packet: &Packet, pseudo: PseudoHeader) {
    let mut octets = Vec::new();
    let encoded = codec::encode(packet, Fill::Now(pseudo), &mut octets);
    let len = 20 + packet.segment.options.wire_len() + packet.segment.payload.len();
    if packet.segment.options.wire_len() > Options::MAX_WIRE_LEN || len > pseudo.max_len() {
        assert!(encoded.is_err() && octets.is_empty());
        return;
    }
    assert_eq!(encoded, Ok(()));
    assert_eq!(octets.len(), len, "wire_len");
    let oracle = TcpSlice::from_slice(&octets).expect("a header that etherparse takes");
    assert_eq!(Some(oracle.checksum()), expected_checksum(&oracle, pseudo));
    assert_eq!(octets[12] & 0x0E, 0, "reserved bits");
    let octets = Bytes::from(octets);
    let again = codec::decode(octets.clone(), Verify::Now(pseudo)).expect("what was encoded");
    assert_eq!(&again, packet);
    let mut twice = Vec::new();
    codec::encode(&again, Fill::Now(pseudo), &mut twice).expect("it was encoded before");
    assert_eq!(octets, twice);
    let mut datagram = Vec::new();
    ip::encode(pseudo, packet, Format::default(), &mut datagram).expect("it was encoded before");
    let decoded = ip::decode(datagram.into(), Format::default());
    assert_eq!(decoded, Ok(Datagram::Tcp(pseudo, packet.clone())));
    signed::survives(packet, pseudo);
}

/// The reset of a TCP without connection is never answered itself, and its numbers are the ones of the RFC.
fn answered(packet: &Packet) {
    let segment = &packet.segment;
    let Some(reset) = codec::reset_for(segment) else {
        assert!(segment.flags.contains(Flags::RST));
        return;
    };
    assert!(!segment.flags.contains(Flags::RST) && reset.flags.contains(Flags::RST) && reset.is_empty());
    assert_eq!(reset.flags.contains(Flags::ACK), !segment.flags.contains(Flags::ACK));
    assert_eq!(codec::reset_for(&reset), None);
}

/// A packet with any value in any field.
fn built(mut from: Source<'_>, pseudo: PseudoHeader) {
    let packet = from.packet();
    survives(&packet, pseudo);
    let segment_size = from.u16();
    let whole = Segment { segment_size, ..packet.segment };
    let pieces: Vec<Segment> = codec::split(whole.clone()).collect();
    assert_eq!(pieces.len(), codec::split(whole.clone()).len());
    let mut next = whole.seq;
    let uncut = whole.flags.intersects(Flags::SYN | Flags::RST | Flags::URG) || segment_size == 0;
    for piece in &pieces {
        assert!((piece.seq, piece.segment_size) == (next, 0));
        assert!(uncut || piece.payload.len() <= usize::from(segment_size));
        next = piece.end();
    }
    assert_eq!(next, whole.end());
    assert_eq!(pieces.iter().flat_map(|piece| &piece.payload).copied().collect::<Vec<u8>>(), whole.payload);
    let carrying = |flag| pieces.iter().map(|piece| piece.flags.contains(flag)).collect::<Vec<bool>>();
    for flag in Flags::all().iter().filter(|flag| whole.flags.contains(*flag)) {
        let (first, last) = (carrying(flag)[0], carrying(flag)[pieces.len() - 1]);
        let count = carrying(flag).into_iter().filter(|set| *set).count();
        match flag {
            Flags::FIN | Flags::PSH => assert!(last && count == 1),
            Flags::CWR => assert!(first && count == 1),
            _ => assert!(count == pieces.len()),
        }
    }
}

/// Values out of octets; zeros when they are used up.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn u8(&mut self) -> u8 {
        let Some((&octet, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        octet
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    fn options(&mut self) -> Options {
        let present = self.u8();
        let mut options = Options {
            mss: (present & 1 != 0).then(|| self.u16()),
            window_scale: (present & 2 != 0).then(|| self.u8()),
            sack_permitted: present & 4 != 0,
            timestamps: (present & 8 != 0).then(|| Timestamps { value: self.u32(), echo: self.u32() }),
            user_timeout: (present & 16 != 0).then(|| self.u16()),
            ..Options::default()
        };
        for _ in 0..present >> 5 {
            options.sack.push(SackBlock { left: SeqNum::new(self.u32()), right: SeqNum::new(self.u32()) });
        }
        if let Some(len) = (self.u8() % 18).checked_sub(1) {
            let cookie: Vec<u8> = (0..len).map(|_| self.u8()).collect();
            options.fast_open = FastOpenCookie::new(&cookie);
            if options.fast_open.is_none() {
                // An octet that made nothing: the data of an AccECN option, most often with a part of a field at its end.
                let fields: Vec<u32> =
                    cookie.chunks_exact(3).take(3).map(|f| u32::from_be_bytes([0, f[0], f[1], f[2]])).collect();
                options.acc_ecn = if len % 2 == 0 { AccEcn::order_0(&fields) } else { AccEcn::order_1(&fields) };
            }
        }
        options
    }

    fn packet(&mut self) -> Packet {
        let segment = Segment {
            seq: SeqNum::new(self.u32()),
            ack: SeqNum::new(self.u32()),
            flags: Flags::from_bits_truncate(self.u16()),
            window: self.u16(),
            urgent: self.u16(),
            options: self.options().into(),
            ..Segment::default()
        };
        let mut packet = Packet { src_port: self.u16(), dst_port: self.u16(), segment };
        let len = usize::from(self.u8());
        packet.segment.payload = (0..len).map(|_| self.u8()).collect::<Vec<u8>>().into();
        packet
    }
}
