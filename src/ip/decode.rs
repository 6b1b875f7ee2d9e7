//! Datagrams that arrive.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::Range;

use bytes::{Buf, Bytes};
use etherparse::IpSlice;
use etherparse::err::ip::SliceError;

use super::virtio::{self, Merged};
use super::{Datagram, Format, Ignored, Offload, TCP, icmp};
use crate::Ecn;
use crate::codec::{self, Packet, PseudoHeader, Sum, Verify};

const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;

/// What an IP header says.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Ip {
    addresses: PseudoHeader,
    /// The protocol of the payload.
    protocol: u8,
    ecn: Ecn,
    /// Where the payload is.
    payload: Range<usize>,
}

/// The value of these octets, where the expression makes a packet of the payload for TCP. A macro: a function would move the
/// packet once more.
macro_rules! datagram_of {
    ($octets:ident, $format:ident, |$addresses:ident, $given:ident, $verify:ident| $tcp:expr) => {{
        let (merged, front) = match $format.offload {
            Offload::None => (Merged { verified: false, segment_size: 0 }, 0),
            Offload::Checksum => (Merged { verified: true, segment_size: 0 }, 0),
            Offload::VirtioNet => virtio::read(&$octets).ok_or(Ignored::Length)?,
        };
        let datagram = $octets.get(front..).unwrap_or(&[]);
        let Ip { addresses, protocol, ecn, payload } = plain(datagram).map_or_else(|| any(datagram), Ok)?;
        $octets.truncate(front.saturating_add(payload.end));
        $octets.advance(front.saturating_add(payload.start).min($octets.len()));
        match (protocol, addresses) {
            (TCP, _) => {
                let verify = if merged.verified { Verify::ByHardware } else { Verify::Now(addresses) };
                let ($addresses, $given, $verify) = (addresses, $octets, verify);
                let mut packet = $tcp?;
                packet.segment.ecn = ecn;
                packet.segment.segment_size = merged.segment_size;
                Ok(Datagram::Tcp(addresses, packet))
            }
            (ICMP, PseudoHeader::V4 { .. }) => icmp::v4(&$octets),
            (ICMP_V6, PseudoHeader::V6 { src, dst }) => icmp::v6(&$octets, src, dst),
            (protocol, _) => Err(Ignored::Protocol(protocol)),
        }
    }};
}

/// What these octets bring: all that a device gave for one datagram, with virtio-net's header where the format has it.
///
/// The text of a segment is not copied: it is a part of `octets`. A host that gives a datagram in a large buffer copies
/// it first, or sets [`Config::frame_size`](crate::Config::frame_size).
///
/// ```
/// use segue::ip::{self, Format, Ignored};
/// assert_eq!(ip::decode(vec![0x75; 40].into(), Format::default()), Err(Ignored::Malformed)); // version 7
/// ```
///
/// # Errors
///
/// See the [module's table](super#malformed-and-unusual-input).
pub fn decode(mut octets: Bytes, format: Format) -> Result<Datagram, Ignored> {
    datagram_of!(octets, format, |_addresses, octets, verify| codec::decode(octets, verify).map_err(Ignored::Tcp))
}

/// [`decode`] where `tcp` makes a packet of the payload for TCP, instead of [`codec::decode`]: for hosts whose segments are signed
/// ([`Association::decode`](crate::auth::Association::decode)).
///
/// ```
/// use bytes::Bytes;
/// use segue::auth::{Association, Authenticator, Rejected};
/// use segue::ip::{self, Datagram, Format, Ignored};
/// fn arrived(octets: Bytes, keys: &mut Association<impl Authenticator>) -> Result<Datagram, Ignored> {
///     ip::decode_by(octets, Format::default(), |addresses, octets, verify| {
///         keys.decode(addresses, octets, verify).map_err(Ignored::from)
///     })
/// }
/// ```
///
/// # Errors
///
/// Those of [`decode`], and of `tcp`.
pub fn decode_by<E: Into<Ignored>>(
    mut octets: Bytes,
    format: Format,
    tcp: impl FnOnce(PseudoHeader, Bytes, Verify) -> Result<Packet, E>,
) -> Result<Datagram, Ignored> {
    datagram_of!(octets, format, |addresses, octets, verify| tcp(addresses, octets, verify).map_err(E::into))
}

/// The usual header of TCP: without options, whole, correct. `None`: [`any`] tells.
///
/// A shortcut: `docs/costs.md` has the instructions that it saves for each packet.
#[inline]
fn plain(octets: &[u8]) -> Option<Ip> {
    if let Some(&header) = octets.first_chunk::<20>().filter(|header| header.first() == Some(&0x45)) {
        let [_, tos, l0, l1, _, _, f0, f1, _, TCP, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = header else { return None };
        let end = usize::from(u16::from_be_bytes([l0, l1]));
        // The reserved bit and DF say nothing to a receiver.
        let fragment = u16::from_be_bytes([f0, f1]) & 0x3FFF != 0;
        let mut sum = Sum::new();
        sum.add(&header);
        let good = !fragment && (20..=octets.len()).contains(&end) && sum.checksum() == 0;
        let addresses = PseudoHeader::V4 { src: Ipv4Addr::new(s0, s1, s2, s3), dst: Ipv4Addr::new(d0, d1, d2, d3) };
        return good.then_some(Ip { addresses, protocol: TCP, ecn: Ecn::from_bits(tos), payload: 20..end });
    }
    let (&[first, class, _, _, l0, l1, TCP, _], rest) = octets.split_first_chunk::<8>()? else { return None };
    let (&src, rest) = rest.split_first_chunk::<16>()?;
    let (&dst, _) = rest.split_first_chunk::<16>()?;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let good = first >> 4 == 6 && length > 0 && 40 + length <= octets.len();
    let addresses = PseudoHeader::V6 { src: Ipv6Addr::from(src), dst: Ipv6Addr::from(dst) };
    let ecn = Ecn::from_bits(class >> 4); // the lower half of the traffic class, in the second octet
    good.then_some(Ip { addresses, protocol: TCP, ecn, payload: 40..40 + length })
}

/// Any header, with options or extension headers.
#[inline(never)]
fn any(octets: &[u8]) -> Result<Ip, Ignored> {
    let ip = IpSlice::from_slice(octets).map_err(|error| match error {
        SliceError::Len(_) => Ignored::Length,
        SliceError::IpHeaders(_) => Ignored::Malformed,
    })?;
    let (addresses, ecn, start) = match &ip {
        IpSlice::Ipv4(v4) => {
            let header = v4.header();
            let mut sum = Sum::new();
            sum.add(header.slice());
            if sum.checksum() != 0 {
                return Err(Ignored::Checksum);
            }
            let skipped = v4.extensions().auth.map_or(0, |auth| auth.slice().len());
            let addresses = PseudoHeader::V4 { src: header.source_addr(), dst: header.destination_addr() };
            (addresses, header.ecn(), header.slice().len() + skipped)
        }
        IpSlice::Ipv6(v6) => {
            let header = v6.header();
            if header.payload_length() == 0 && octets.len() > 40 {
                return Err(Ignored::Length); // a jumbogram, or padding behind nothing
            }
            let addresses = PseudoHeader::V6 { src: header.source_addr(), dst: header.destination_addr() };
            (addresses, header.ecn(), 40 + v6.extensions().slice().len())
        }
    };
    if ip.is_fragmenting_payload() {
        return Err(Ignored::Fragment);
    }
    let (protocol, ecn) = (ip.payload_ip_number().0, Ecn::from_bits(ecn.value()));
    Ok(Ip { addresses, protocol, ecn, payload: start..start + ip.payload().payload.len() })
}

#[cfg(test)]
mod tests;
