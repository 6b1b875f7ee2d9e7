//! IP as a TCP host needs it: datagrams ⇄ packets and ICMP errors, with addresses, ECN and checksums.
//!
//! [`decode`](decode()) takes the octets that a device gave, [`encode`](encode()) makes those that it takes. In between stand the values of
//! [`codec`](crate::codec) and of [`Event::Icmp`](crate::Event::Icmp). With the feature `host`, `Endpoint::receive_ip` and
//! `Endpoint::flush_ip` do both.
//!
//! ```
//! use segue::codec::{Packet, PseudoHeader};
//! use segue::ip::{self, Datagram, Format};
//! use segue::{Ecn, Flags, Segment};
//!
//! let addresses = PseudoHeader::new("192.0.2.1".parse()?, "198.51.100.7".parse()?).expect("one version");
//! let segment = Segment { flags: Flags::SYN, ecn: Ecn::Ect0, ..Segment::default() };
//! let packet = Packet { src_port: 49152, dst_port: 80, segment };
//!
//! let mut octets = Vec::new();
//! ip::encode(addresses, &packet, Format::default(), &mut octets)?;
//! assert_eq!(octets.len(), 20 + 20);
//! assert_eq!(ip::decode(octets.into(), Format::default())?, Datagram::Tcp(addresses, packet));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Malformed and unusual input
//!
//! Decoding never panics, and takes a number of steps that the length of the datagram bounds. What is not handed over is
//! [`Ignored`] for a reason; nothing answers it.
//!
//! | input | outcome |
//! |---|---|
//! | neither version 4 nor 6; an IPv4 header of fewer than five words; IPv6 options of each hop that are not first | [`Ignored::Malformed`] |
//! | fewer octets than the headers say; lengths that contradict each other; an IPv6 jumbogram | [`Ignored::Length`] |
//! | more octets than the header says: padding of a link | ignored |
//! | wrong checksum of an IPv4 header or of an ICMP message | [`Ignored::Checksum`] |
//! | IPv4 options, IPv6 extension headers, an authentication header | skipped (MUST-50) |
//! | a part of a datagram; a whole one with a fragment header (RFC 6946) | [`Ignored::Fragment`]; taken |
//! | a protocol other than TCP and ICMP | [`Ignored::Protocol`] |
//! | an ICMP message that is no error, or not about a TCP segment between two unicast ends | [`Ignored::Icmp`] |
//! | a TCP header or checksum that is wrong | [`Ignored::Tcp`] |
//! | with [`decode_by`]: a signature that is wrong or missing | [`Ignored::Refused`] |
//! | addresses that no connection has (MUST-57) | decoded; [`Flow::of_received`](crate::codec::Flow::of_received) refuses them |
//!
//! Path MTU discovery takes care that TCP makes no fragments, so nothing here puts them together.

mod decode;
mod encode;
mod icmp;
mod virtio;

use core::fmt;

use crate::auth::{Refusal, Rejected};
use crate::codec::{DecodeError, Flow, Packet, PseudoHeader};
use crate::{IcmpKind, SeqNum};

pub use decode::{decode, decode_by};
#[cfg(feature = "host")]
pub(crate) use encode::is_large;
pub use encode::{encode, encode_headers, encode_with, encoded_len};

/// TCP's protocol number.
const TCP: u8 = 6;

/// How a device takes and gives datagrams.
///
/// ```
/// use segue::ip::{Format, Offload};
/// let tun = Format { offload: Offload::VirtioNet, hop_limit: 255, ..Format::default() };
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Format {
    /// What the device does for us.
    pub offload: Offload,
    /// The TTL or hop limit of what is sent (MUST-49).
    pub hop_limit: u8,
    /// The Differentiated Services codepoint of what is sent (MUST-48), 0 to 63; of a larger value the lower six bits
    /// count.
    pub dscp: u8,
}

/// No offload, a hop limit of 64, the codepoint 0.
impl Default for Format {
    fn default() -> Self {
        Self { offload: Offload::None, hop_limit: 64, dscp: 0 }
    }
}

/// What a device does for TCP.
///
/// ```
/// use segue::codec::{Packet, PseudoHeader};
/// use segue::ip::{Format, Offload, encoded_len};
/// let addresses = PseudoHeader::new("192.0.2.1".parse()?, "192.0.2.2".parse()?).expect("one version");
/// let octets = |offload| encoded_len(addresses, &Packet::default(), Format { offload, ..Format::default() });
/// assert_eq!([Offload::None, Offload::Checksum, Offload::VirtioNet].map(octets), [40, 40, 50]);
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Offload {
    /// Nothing: checksums are verified and computed here.
    #[default]
    None,
    /// It verifies and computes TCP's checksum: what arrives is right, and what leaves holds what such hardware expects
    /// ([`Fill::ByHardware`](crate::codec::Fill::ByHardware)). The checksum of an IPv4 header is always ours.
    Checksum,
    /// virtio-net's header of 10 octets stands before each datagram, as a TUN device with `IFF_VNET_HDR` has it: the
    /// header says of each whether its checksum was verified, and in how many segments it came or is to be cut.
    VirtioNet,
}

/// What a datagram brings.
///
/// ```
/// use segue::codec::Flow;
/// use segue::ip::{Datagram, IcmpError};
///
/// /// The connection that it concerns, as we see it: for a table of connections.
/// fn flow(datagram: &Datagram) -> Option<Flow> {
///     match datagram {
///         Datagram::Tcp(addresses, packet) => Flow::of_received(*addresses, packet),
///         Datagram::Icmp(IcmpError { flow, .. }) => Some(*flow),
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Datagram {
    /// A TCP packet between these addresses, its checksum verified. The segment has the ECN codepoint of the IP header, and
    /// with [`Offload::VirtioNet`] the size of the segments that were merged.
    Tcp(PseudoHeader, Packet),
    /// An ICMP error about a segment that we sent.
    Icmp(IcmpError),
}

/// An ICMP error about a TCP segment, for [`Event::Icmp`](crate::Event::Icmp).
///
/// ```
/// use segue::ip::IcmpError;
/// use segue::{Action, Connection, Event, Instant};
///
/// fn tell(connection: &mut Connection, error: &IcmpError, now: Instant, actions: &mut Vec<Action>) {
///     let &IcmpError { kind, mtu, quoted_seq, .. } = error;
///     let told = connection.handle(Event::Icmp { kind, quoted_seq, mtu }, now, actions);
///     assert_eq!(told, Ok(()), "the connection judges it, and refuses none");
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct IcmpError {
    /// The connection of that segment, as its sender sees it.
    pub flow: Flow,
    /// What happened to it.
    pub kind: IcmpKind,
    /// The next-hop MTU of [`IcmpKind::PacketTooBig`] in octets, 65535 at most; 0: the message names none.
    pub mtu: u16,
    /// Its sequence number: whoever complains has seen it (RFC 5927 §4.1).
    pub quoted_seq: SeqNum,
}

/// Why a datagram brings nothing. Nothing answers it.
///
/// ```
/// use segue::ip::{self, Format, Ignored};
/// let ping = b"\x45\0\0\x1c\0\0\0\0\x40\x01\xf6\xdd\xc0\0\x02\x01\xc0\0\x02\x02\x08\0\xf7\xff\0\0\0\0";
/// let ignored = ip::decode(ping[..].into(), Format::default()).expect_err("a host answers it elsewhere");
/// assert_eq!(ignored, Ignored::Icmp);
/// assert_eq!(ignored.to_string(), "an ICMP message that is no error about TCP");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Ignored {
    /// Not a header of IPv4 or IPv6, or extension headers in a wrong order.
    Malformed,
    /// The lengths in its headers contradict each other, or there are fewer octets than they say.
    Length,
    /// The checksum of the IPv4 header or of the ICMP message is wrong.
    Checksum,
    /// A part of a datagram.
    Fragment,
    /// This protocol, neither TCP nor ICMP of the same version of IP.
    Protocol(u8),
    /// An ICMP message that is no error about a TCP segment.
    Icmp,
    /// The TCP header or its checksum is wrong.
    Tcp(DecodeError),
    /// A TCP segment whose signature is wrong or missing.
    Refused(Refusal),
}

impl From<DecodeError> for Ignored {
    fn from(error: DecodeError) -> Self {
        Self::Tcp(error)
    }
}

impl From<Rejected> for Ignored {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Malformed(error) => Self::Tcp(error),
            Rejected::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("malformed IP header"),
            Self::Length => f.write_str("an IP datagram whose lengths are wrong"),
            Self::Checksum => f.write_str("wrong checksum of IP or ICMP"),
            Self::Fragment => f.write_str("a fragment"),
            Self::Protocol(number) => write!(f, "protocol {number}, neither TCP nor ICMP"),
            Self::Icmp => f.write_str("an ICMP message that is no error about TCP"),
            Self::Tcp(error) => write!(f, "TCP: {error}"),
            Self::Refused(refusal) => write!(f, "TCP: {refusal}"),
        }
    }
}

impl core::error::Error for Ignored {}
