//! ICMP errors (RFC 792, RFC 4443) about segments of ours.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use etherparse::{Icmpv4Slice, Icmpv6Slice, Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::{Datagram, IcmpError, Ignored, TCP};
use crate::codec::{Flow, Sum};
use crate::{IcmpKind, SeqNum};

/// An ICMP message: the error, and the head of the packet that caused it.
pub(super) fn v4(message: &[u8]) -> Result<Datagram, Ignored> {
    let icmp = Icmpv4Slice::from_slice(message).map_err(|_| Ignored::Length)?;
    let mut sum = Sum::new();
    sum.add(message);
    if sum.checksum() != 0 {
        return Err(Ignored::Checksum);
    }
    let kind = IcmpKind::from_v4(icmp.type_u8(), icmp.code_u8()).ok_or(Ignored::Icmp)?;
    let [_, _, high, low] = icmp.bytes5to8(); // RFC 1191 §4
    let mtu = if kind == IcmpKind::PacketTooBig { u16::from_be_bytes([high, low]) } else { 0 };
    let quoted = Ipv4HeaderSlice::from_slice(icmp.payload()).map_err(|_| Ignored::Length)?;
    if quoted.protocol().0 != TCP || quoted.fragments_offset().value() != 0 {
        return Err(Ignored::Icmp);
    }
    let tcp = icmp.payload().get(quoted.slice().len()..);
    about((quoted.source_addr().into(), quoted.destination_addr().into()), tcp, kind, mtu)
}

/// An ICMPv6 message between these addresses, which its checksum covers.
pub(super) fn v6(message: &[u8], src: Ipv6Addr, dst: Ipv6Addr) -> Result<Datagram, Ignored> {
    let icmp = Icmpv6Slice::from_slice(message).map_err(|_| Ignored::Length)?;
    if !icmp.is_checksum_valid(src.octets(), dst.octets()) {
        return Err(Ignored::Checksum);
    }
    let kind = IcmpKind::from_v6(icmp.type_u8(), icmp.code_u8()).ok_or(Ignored::Icmp)?;
    let mtu = if kind == IcmpKind::PacketTooBig { u32::from_be_bytes(icmp.bytes5to8()) } else { 0 };
    let quoted = Ipv6HeaderSlice::from_slice(icmp.payload()).map_err(|_| Ignored::Length)?;
    if quoted.next_header().0 != TCP {
        return Err(Ignored::Icmp); // nothing here sends extension headers
    }
    let tcp = icmp.payload().get(quoted.slice().len()..);
    let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
    about((quoted.source_addr().into(), quoted.destination_addr().into()), tcp, kind, mtu)
}

/// The first eight octets of the quoted TCP header, which every error has, name the connection and the sequence number.
fn about(
    (source, destination): (IpAddr, IpAddr),
    tcp: Option<&[u8]>,
    kind: IcmpKind,
    mtu: u16,
) -> Result<Datagram, Ignored> {
    let head = tcp.and_then(|tcp| tcp.first_chunk());
    let &[s0, s1, d0, d1, n0, n1, n2, n3] = head.ok_or(Ignored::Length)?;
    let local = SocketAddr::new(source, u16::from_be_bytes([s0, s1]));
    let remote = SocketAddr::new(destination, u16::from_be_bytes([d0, d1]));
    let flow = Flow::new(local, remote).ok_or(Ignored::Icmp)?;
    let quoted_seq = SeqNum::new(u32::from_be_bytes([n0, n1, n2, n3]));
    Ok(Datagram::Icmp(IcmpError { flow, kind, mtu, quoted_seq }))
}
