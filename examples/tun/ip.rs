//! IP as a TCP host needs it: headers off, headers on, and what ICMP says about our segments.

use std::net::{IpAddr, SocketAddr};
use std::{fmt, io};

use bytes::{Bytes, BytesMut};
use etherparse::{
    Icmpv4Slice, Icmpv6Slice, IpEcn, IpSlice, Ipv4Header, Ipv4HeaderSlice, Ipv6Header, Ipv6HeaderSlice, ip_number,
};
use segue::codec::{self, DecodeError, Fill, Packet, PseudoHeader, Sum, Verify};
use segue::{Ecn, IcmpKind, Segment, SeqNum};

const HOP_LIMIT: u8 = 64;

/// The two sockets that name a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Flow {
    /// Our address and port.
    pub local: SocketAddr,
    /// The peer's address and port.
    pub remote: SocketAddr,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <-> {}", self.local, self.remote)
    }
}

/// What a packet brings.
#[derive(PartialEq, Debug)]
pub enum Incoming {
    /// A segment, its checksum verified.
    Segment(Flow, Segment),
    /// An ICMP error about a segment that we sent.
    Icmp {
        /// The connection of that segment.
        flow: Flow,
        /// What happened to it.
        kind: IcmpKind,
        /// Its sequence number.
        quoted_seq: SeqNum,
        /// The next-hop MTU, or 0.
        mtu: u16,
    },
}

/// Why a packet brings nothing.
#[derive(PartialEq, Debug)]
pub enum Ignored {
    /// Not a well-formed IP packet or ICMP message.
    Malformed,
    /// A part of a datagram: this host does not reassemble them (TCP over a path MTU makes none).
    Fragment,
    /// Neither TCP nor an ICMP error about a segment of ours.
    OtherProtocol,
    /// One end is not a single host with a port, or both are the same host (MUST-57, MUST-63).
    BadEndpoint,
    /// The TCP header or its checksum is wrong.
    Tcp(DecodeError),
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("malformed IP or ICMP"),
            Self::Fragment => f.write_str("a fragment"),
            Self::OtherProtocol => f.write_str("neither TCP nor an ICMP error about it"),
            Self::BadEndpoint => f.write_str("not between two hosts"),
            Self::Tcp(error) => write!(f, "TCP: {error}"),
        }
    }
}

/// Takes a packet apart. The text of a segment stays where it is: it shares the packet's memory.
///
/// # Errors
/// [`Ignored`] says why the packet brings nothing.
pub fn parse(packet: &Bytes) -> Result<Incoming, Ignored> {
    let ip = IpSlice::from_slice(packet).map_err(|_| Ignored::Malformed)?;
    if ip.ipv4().is_some_and(|v4| v4.header().header_checksum() != v4.header().to_header().calc_header_checksum()) {
        return Err(Ignored::Malformed);
    }
    if ip.is_fragmenting_payload() {
        return Err(Ignored::Fragment);
    }
    let (source, destination) = (ip.source_addr(), ip.destination_addr());
    let payload = ip.payload().payload;
    match ip.payload_ip_number() {
        ip_number::TCP => {
            let ecn = match &ip {
                IpSlice::Ipv4(v4) => v4.header().ecn(),
                IpSlice::Ipv6(v6) => v6.header().ecn(),
            };
            segment(packet.slice_ref(payload), source, destination, Ecn::from_bits(ecn.value()))
        }
        ip_number::ICMP => icmp_v4(payload),
        ip_number::IPV6_ICMP => icmp_v6(payload, source, destination),
        _ => Err(Ignored::OtherProtocol),
    }
}

fn segment(octets: Bytes, source: IpAddr, destination: IpAddr, ecn: Ecn) -> Result<Incoming, Ignored> {
    let pseudo = PseudoHeader::new(source, destination).ok_or(Ignored::Malformed)?;
    let packet = codec::decode(octets, Verify::Now(pseudo)).map_err(Ignored::Tcp)?;
    let flow =
        Flow { local: SocketAddr::new(destination, packet.dst_port), remote: SocketAddr::new(source, packet.src_port) };
    if !codec::valid_endpoint(flow.remote) || !codec::valid_endpoint(flow.local) || source == destination {
        return Err(Ignored::BadEndpoint);
    }
    Ok(Incoming::Segment(flow, Segment { ecn, ..packet.segment }))
}

/// Puts IP and TCP headers in front of a segment.
///
/// # Errors
/// When it does not fit an IP packet. A connection never makes such a segment: its path's MTU bounds them.
pub fn build(flow: &Flow, segment: Segment) -> io::Result<Bytes> {
    let (source, destination) = (flow.local.ip(), flow.remote.ip());
    let pseudo = PseudoHeader::new(source, destination).ok_or_else(|| io::Error::other("two versions of IP"))?;
    let ecn = segment.ecn.bits();
    let tcp = Packet { src_port: flow.local.port(), dst_port: flow.remote.port(), segment };
    let tcp_length = 20 + tcp.segment.options.wire_len() + tcp.segment.payload.len();
    let length = u16::try_from(tcp_length).map_err(io::Error::other)?;
    let mut packet = BytesMut::with_capacity(40 + tcp_length);
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            // Without options and with DF set: the path MTU is discovered (RFC 1191). The ID may then be anything (RFC 6864).
            let mut ip = Ipv4Header::new(length, HOP_LIMIT, ip_number::TCP, source.octets(), destination.octets())
                .map_err(io::Error::other)?;
            ip.ecn = IpEcn::try_new(ecn).map_err(io::Error::other)?;
            ip.header_checksum = ip.calc_header_checksum();
            packet.extend_from_slice(&ip.to_bytes());
        }
        (source, destination) => {
            let mut ip = Ipv6Header {
                payload_length: length,
                next_header: ip_number::TCP,
                hop_limit: HOP_LIMIT,
                source: v6_octets(source),
                destination: v6_octets(destination),
                ..Ipv6Header::default()
            };
            ip.set_ecn(IpEcn::try_new(ecn).map_err(io::Error::other)?);
            packet.extend_from_slice(&ip.to_bytes());
        }
    }
    codec::encode(&tcp, Fill::Now(pseudo), &mut packet).map_err(io::Error::other)?;
    Ok(packet.freeze())
}

/// Marks a packet as a router does that is about to be congested (RFC 3168 §5): CE, unless its transport knows nothing of
/// it.
pub fn mark(packet: Bytes) -> Bytes {
    let mut octets = BytesMut::from(packet);
    if octets[0] >> 4 == 4 {
        let Ok((mut header, _)) = Ipv4Header::from_slice(&octets) else { return octets.freeze() };
        if header.ecn != IpEcn::ZERO {
            header.ecn = IpEcn::THREE;
            header.header_checksum = header.calc_header_checksum();
            let header = header.to_bytes();
            octets[..header.len()].copy_from_slice(&header);
        }
    } else if octets[1] & 0x30 != 0 {
        octets[1] |= 0x30; // the lower half of the traffic class, in the second octet
    }
    octets.freeze()
}

fn v6_octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// An ICMP message (RFC 792): the error, and the head of the packet that caused it.
fn icmp_v4(message: &[u8]) -> Result<Incoming, Ignored> {
    let icmp = Icmpv4Slice::from_slice(message).map_err(|_| Ignored::Malformed)?;
    let mut sum = Sum::new();
    sum.add(message);
    if sum.checksum() != 0 {
        return Err(Ignored::Malformed);
    }
    let kind = IcmpKind::from_v4(icmp.type_u8(), icmp.code_u8()).ok_or(Ignored::OtherProtocol)?;
    let [_, _, high, low] = icmp.bytes5to8(); // RFC 1191 §4
    let mtu = if kind == IcmpKind::PacketTooBig { u16::from_be_bytes([high, low]) } else { 0 };
    let quoted = Ipv4HeaderSlice::from_slice(icmp.payload()).map_err(|_| Ignored::Malformed)?;
    if quoted.protocol() != ip_number::TCP || quoted.fragments_offset().value() != 0 {
        return Err(Ignored::OtherProtocol);
    }
    let tcp = icmp.payload().get(quoted.slice().len()..);
    quoted_segment(quoted.source_addr().into(), quoted.destination_addr().into(), tcp, kind, mtu)
}

/// An ICMPv6 message (RFC 4443).
fn icmp_v6(message: &[u8], source: IpAddr, destination: IpAddr) -> Result<Incoming, Ignored> {
    let icmp = Icmpv6Slice::from_slice(message).map_err(|_| Ignored::Malformed)?;
    if !icmp.is_checksum_valid(v6_octets(source), v6_octets(destination)) {
        return Err(Ignored::Malformed);
    }
    let kind = IcmpKind::from_v6(icmp.type_u8(), icmp.code_u8()).ok_or(Ignored::OtherProtocol)?;
    let mtu = if kind == IcmpKind::PacketTooBig { u32::from_be_bytes(icmp.bytes5to8()) } else { 0 };
    let quoted = Ipv6HeaderSlice::from_slice(icmp.payload()).map_err(|_| Ignored::Malformed)?;
    if quoted.next_header() != ip_number::TCP {
        return Err(Ignored::OtherProtocol); // we send no extension headers
    }
    let tcp = icmp.payload().get(quoted.slice().len()..);
    let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
    quoted_segment(quoted.source_addr().into(), quoted.destination_addr().into(), tcp, kind, mtu)
}

/// The first eight octets of the quoted TCP header name the connection and the sequence number, which shows the machine
/// that whoever complains has seen our segment (RFC 5927 §4.1).
fn quoted_segment(
    source: IpAddr,
    destination: IpAddr,
    tcp: Option<&[u8]>,
    kind: IcmpKind,
    mtu: u16,
) -> Result<Incoming, Ignored> {
    let Some(&[s0, s1, d0, d1, n0, n1, n2, n3]) = tcp.and_then(|t| t.first_chunk()) else {
        return Err(Ignored::Malformed);
    };
    let flow = Flow {
        local: SocketAddr::new(source, u16::from_be_bytes([s0, s1])),
        remote: SocketAddr::new(destination, u16::from_be_bytes([d0, d1])),
    };
    let quoted_seq = SeqNum::new(u32::from_be_bytes([n0, n1, n2, n3]));
    Ok(Incoming::Icmp { flow, kind, quoted_seq, mtu })
}
