//! TCP in IP packets: smoltcp's `wire` around segue's codec.

use bytes::Bytes;
use segue::codec::{self, Fill, Header, Packet, PseudoHeader, Verify};
use segue::{Ecn, Instant};
use smoltcp::phy::{ChecksumCapabilities, TxToken};
use smoltcp::wire::{IpProtocol, IpRepr, IpVersion, Ipv4Packet, Ipv6Packet};

/// The clock of the device.
pub fn time(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

/// The TCP packet in these octets; `None` for what is not TCP, a fragment, or damaged.
pub fn decode(octets: &[u8], checks: &ChecksumCapabilities) -> Option<(PseudoHeader, Packet)> {
    let (ends, protocol, mark, text) = match IpVersion::of_packet(octets).ok()? {
        IpVersion::Ipv4 => {
            let ip = Ipv4Packet::new_checked(octets).ok()?;
            let whole = !ip.more_frags() && ip.frag_offset() == 0 && (!checks.ipv4.rx() || ip.verify_checksum());
            let ends = whole.then_some(PseudoHeader::V4 { src: ip.src_addr(), dst: ip.dst_addr() })?;
            (ends, ip.next_header(), ip.ecn(), ip.payload())
        }
        IpVersion::Ipv6 => {
            let ip = Ipv6Packet::new_checked(octets).ok()?;
            let ends = PseudoHeader::V6 { src: ip.src_addr(), dst: ip.dst_addr() };
            (ends, ip.next_header(), ip.traffic_class(), ip.payload())
        }
    };
    let verify = if checks.tcp.rx() { Verify::Now(ends) } else { Verify::ByHardware };
    let text = (protocol == IpProtocol::Tcp).then(|| Bytes::copy_from_slice(text))?;
    let mut packet = codec::decode(text, verify).ok()?;
    packet.segment.ecn = Ecn::from_bits(mark);
    Some((ends, packet))
}

/// Sends a packet.
pub fn encode(ends: PseudoHeader, packet: &Packet, checks: &ChecksumCapabilities, token: impl TxToken) {
    let fill = if checks.tcp.tx() { Fill::Now(ends) } else { Fill::ByHardware(ends) };
    let Ok(header) = Header::new(packet, fill) else { return }; // no segment of a connection is too long
    let (header, text) = (header.as_slice(), &packet.segment.payload);
    let ip = IpRepr::new(ends.src().into(), ends.dst().into(), IpProtocol::Tcp, header.len() + text.len(), 64);
    token.consume(ip.buffer_len(), |octets| {
        let (head, tail) = octets.split_at_mut(ip.header_len());
        ip.emit(&mut *head, checks);
        mark(head, packet.segment.ecn, checks);
        tail[..header.len()].copy_from_slice(header);
        tail[header.len()..].copy_from_slice(text);
    });
}

/// The ECN codepoint goes into the IP header.
fn mark(head: &mut [u8], ecn: Ecn, checks: &ChecksumCapabilities) {
    if head.len() == 40 {
        return Ipv6Packet::new_unchecked(head).set_traffic_class(ecn.bits());
    }
    let mut ip = Ipv4Packet::new_unchecked(head);
    ip.set_ecn(ecn.bits());
    if checks.ipv4.tx() {
        ip.fill_checksum();
    }
}
