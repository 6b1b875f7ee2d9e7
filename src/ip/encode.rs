//! Datagrams that leave.

use bytes::BufMut;
use etherparse::{IpNumber, Ipv6Header};

use super::{Format, Offload, TCP, virtio};
use crate::codec::{EncodeError, Fill, Header, Lens, Packet, PseudoHeader, Sum, encode_behind};
use crate::{IpVersion, Segment};

/// Octets of headers and text that [`encode`] appends for this packet: for devices that ask before they give a buffer.
///
/// ```
/// use segue::codec::{Packet, PseudoHeader};
/// use segue::ip::{self, Format};
/// let addresses = PseudoHeader::new("2001:db8::1".parse()?, "2001:db8::2".parse()?).expect("one version");
/// let mut frame = vec![0; ip::encoded_len(addresses, &Packet::default(), Format::default())];
/// ip::encode(addresses, &Packet::default(), Format::default(), &mut &mut frame[..])?;
/// assert_eq!((frame.len(), frame[0] >> 4), (40 + 20, 6));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encoded_len(addresses: PseudoHeader, packet: &Packet, format: Format) -> usize {
    front(addresses, format) + 20 + packet.segment.options.wire_len() + packet.segment.payload.len()
}

/// Appends the datagram of a packet between these addresses to `to`: all that a device takes, with virtio-net's header where
/// the format has it.
///
/// Without IP options and with DF set, so that the path MTU is discovered (RFC 1191); the ID of such an IPv4 header says
/// nothing (RFC 6864) and is 0. The ECN codepoint is that of the segment.
///
/// ```
/// use segue::codec::{Packet, PseudoHeader};
/// use segue::ip::{self, Format};
/// let addresses = PseudoHeader::new("192.0.2.1".parse()?, "192.0.2.2".parse()?).expect("one version");
/// let mut octets = Vec::new();
/// ip::encode(addresses, &Packet::default(), Format { hop_limit: 255, ..Format::default() }, &mut octets)?;
/// assert_eq!(octets[..12], [0x45, 0, 0, 40, 0, 0, 0x40, 0, 255, 6, 0xF7, 0xCB]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Those of [`codec::encode`](crate::codec::encode); nothing is written then. A packet with a
/// [`segment_size`](Segment::segment_size) leaves whole with [`Offload::VirtioNet`] alone;
/// [`codec::split`](crate::codec::split()) it for others.
#[inline]
pub fn encode(
    addresses: PseudoHeader,
    packet: &Packet,
    format: Format,
    to: &mut impl BufMut,
) -> Result<(), EncodeError> {
    put(addresses, packet, format, true, to)
}

/// [`encode`] without the text, for devices that take the text apart (scatter-gather), so that nobody copies it.
///
/// ```
/// use segue::Segment;
/// use segue::codec::{Packet, PseudoHeader};
/// use segue::ip::{self, Format};
/// let addresses = PseudoHeader::new("192.0.2.1".parse()?, "192.0.2.2".parse()?).expect("one version");
/// let packet = Packet { segment: Segment { payload: "text".into(), ..Segment::default() }, ..Packet::default() };
/// let (mut whole, mut headers) = (Vec::new(), Vec::new());
/// ip::encode(addresses, &packet, Format::default(), &mut whole)?;
/// ip::encode_headers(addresses, &packet, Format::default(), &mut headers)?;
/// assert_eq!([&headers[..], &packet.segment.payload].concat(), whole);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Those of [`encode`].
pub fn encode_headers(
    addresses: PseudoHeader,
    packet: &Packet,
    format: Format,
    to: &mut impl BufMut,
) -> Result<(), EncodeError> {
    put(addresses, packet, format, false, to)
}

#[inline]
fn put(
    addresses: PseudoHeader,
    packet: &Packet,
    format: Format,
    text: bool,
    to: &mut impl BufMut,
) -> Result<(), EncodeError> {
    let segment = &packet.segment;
    let fill = match format.offload {
        Offload::None => Fill::Now(addresses),
        Offload::Checksum if is_large(segment) => {
            return Err(EncodeError::NotSplit { segment_size: segment.segment_size });
        }
        Offload::Checksum | Offload::VirtioNet => Fill::ByHardware(addresses),
    };
    let ip = |lens, to: &mut _| put_front(addresses, segment, lens, format, to);
    encode_behind(front(addresses, format), packet, fill, text, to, ip)
}

/// [`encode`] with this header of TCP, which belongs to the packet: a signed one
/// ([`Association::header`](crate::auth::Association::header)). With an offload, the header has the checksum that the device
/// completes ([`Fill::ByHardware`]).
///
/// ```
/// use segue::codec::{EncodeError, Fill, Header, Packet, PseudoHeader};
/// use segue::ip::{self, Format};
/// let addresses = PseudoHeader::new("192.0.2.1".parse()?, "192.0.2.2".parse()?).expect("one version");
/// let packet = Packet { src_port: 49152, dst_port: 80, ..Packet::default() };
/// let (mut one, mut other) = (Vec::new(), Vec::new());
/// let header = Header::new(&packet, Fill::Now(addresses))?;
/// ip::encode_with(addresses, &header, &packet, Format::default(), &mut one)?;
/// ip::encode(addresses, &packet, Format::default(), &mut other)?;
/// assert_eq!(one, other);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`EncodeError::BufferTooSmall`]; nothing is written then.
pub fn encode_with(
    addresses: PseudoHeader,
    header: &Header,
    packet: &Packet,
    format: Format,
    to: &mut impl BufMut,
) -> Result<(), EncodeError> {
    let (segment, header) = (&packet.segment, header.as_slice());
    let lens = Lens::of(header, &segment.payload);
    let (needed, room) = (front(addresses, format) + usize::from(lens.segment), to.remaining_mut());
    if room < needed {
        return Err(EncodeError::BufferTooSmall { needed, room });
    }
    put_front(addresses, segment, lens, format, to);
    to.put_slice(header);
    to.put_slice(&segment.payload);
    Ok(())
}

/// What stands before the header of TCP.
#[cfg_attr(target_pointer_width = "64", inline(always))]
fn put_front(addresses: PseudoHeader, segment: &Segment, lens: Lens, format: Format, to: &mut impl BufMut) {
    let class = format.dscp << 2 | segment.ecn.bits();
    if format.offload == Offload::VirtioNet {
        to.put_slice(&virtio::header(&addresses, segment, lens, version(&addresses).header()));
    }
    match addresses {
        PseudoHeader::V4 { src, dst } => {
            to.put_slice(&v4(src.octets(), dst.octets(), lens.segment, class, format.hop_limit));
        }
        PseudoHeader::V6 { src, dst } => {
            let header = Ipv6Header {
                traffic_class: class,
                payload_length: lens.segment,
                next_header: IpNumber(TCP),
                hop_limit: format.hop_limit,
                source: src.octets(),
                destination: dst.octets(),
                ..Ipv6Header::default()
            };
            to.put_slice(&header.to_bytes());
        }
    }
}

/// Whether the value stands for several segments.
pub(crate) fn is_large(segment: &Segment) -> bool {
    segment.segment_size > 0 && segment.payload.len() > usize::from(segment.segment_size)
}

const fn version(addresses: &PseudoHeader) -> IpVersion {
    match addresses {
        PseudoHeader::V4 { .. } => IpVersion::V4,
        PseudoHeader::V6 { .. } => IpVersion::V6,
    }
}

/// Octets before the TCP header.
fn front(addresses: PseudoHeader, format: Format) -> usize {
    let virtio = if format.offload == Offload::VirtioNet { virtio::LEN } else { 0 };
    virtio + usize::from(version(&addresses).header())
}

/// An IPv4 header for `length` octets of TCP, which an IP packet carries. By hand: `docs/costs.md` tells why.
fn v4([a, b, c, d]: [u8; 4], [e, f, g, h]: [u8; 4], length: u16, class: u8, ttl: u8) -> [u8; 20] {
    const DF: u8 = 0x40;
    let [l0, l1] = length.saturating_add(20).to_be_bytes();
    let header = |c0, c1| [0x45, class, l0, l1, 0, 0, DF, 0, ttl, TCP, c0, c1, a, b, c, d, e, f, g, h];
    let mut sum = Sum::new();
    sum.add(&header(0, 0));
    let [c0, c1] = sum.checksum().to_be_bytes();
    header(c0, c1)
}
