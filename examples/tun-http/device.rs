//! The TUN device: IP headers on and off, and virtio-net's header, by which the kernel cuts and merges segments and
//! leaves out checksums that nobody needs.

use std::io::{self, ErrorKind, IoSlice};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use etherparse::{IpEcn, IpSlice, Ipv4Header, Ipv6Header, ip_number};
use segue::codec::{self, Fill, Packet, PseudoHeader, Sum, Verify};
use segue::host::Flow;
use segue::{Ecn, Flags, IcmpKind, SeqNum};
use segue_tun::device::{KERNEL_V4, KERNEL_V6};
use segue_tun::ip::{self, Incoming};
use tun_rs::{DeviceBuilder, SyncDevice};

/// Octets of virtio-net's header: flags, kind of segmentation, length of headers, octets of text in a segment, where the
/// checksum begins, where it goes. Numbers have the order of the machine.
const VIRTIO: usize = 10;
const NEEDS_CSUM: u8 = 1;
const DATA_VALID: u8 = 2;
const GSO_TCP_V4: u8 = 1;
const GSO_TCP_V6: u8 = 4;
const GSO_ECN: u8 = 0x80;
/// Where a TCP header holds its checksum.
const CHECKSUM: u16 = 16;

const HOP_LIMIT: u8 = 64;
/// Packets that the kernel keeps for us: a burst from each of a thousand clients.
const QUEUE: u32 = 10_000;

/// Octets of a short segment: an acknowledgment, a request; and of the block that these share.
const SHORT: usize = 512;
const BLOCK: usize = 65_536;
/// Text that is longer goes to the device apart from its headers: a copy costs more than a second piece.
const LONG_TEXT: usize = 4096;

/// What came.
#[derive(Debug)]
pub enum Arrived {
    /// A packet, and the addresses of its IP header.
    Packet(PseudoHeader, Packet),
    /// An ICMP error: the connection, the error with the MTU that it names, and the sequence number that it quotes.
    Icmp(Flow, (IcmpKind, u16), SeqNum),
}

/// A TUN device.
pub struct Tun {
    device: SyncDevice,
    offload: bool,
    /// Whose packets are for this host; none: everybody's.
    own: Vec<IpAddr>,
    arrived: Vec<u8>,
    /// Short segments that arrived, many in one allocation.
    short: BytesMut,
    leaving: Vec<u8>,
}

impl Tun {
    /// Makes a device, which goes when the process goes. The kernel gets the addresses of
    /// [`segue_tun::device`] on it.
    ///
    /// # Errors
    /// There is no TUN driver, or no permission to use it: the message says what to do.
    pub fn open(name: &str, mtu: u16, offload: bool, own: &[IpAddr]) -> io::Result<Self> {
        let builder = DeviceBuilder::new().name(name).ipv4(KERNEL_V4, 24, None).ipv6(KERNEL_V6, 64).mtu(mtu);
        let builder = builder.with(|linux| {
            linux.offload(offload);
        });
        let device = builder.build_sync().map_err(|error| {
            let advice = match error.kind() {
                ErrorKind::NotFound => {
                    "there is no /dev/net/tun: load the module `tun`, or give the container the device"
                }
                ErrorKind::PermissionDenied => "run as root, or give the program CAP_NET_ADMIN",
                ErrorKind::ResourceBusy => "a device of this name is in use: choose another with --device",
                _ => "the kernel refused",
            };
            io::Error::new(error.kind(), format!("cannot open the TUN device {name}: {advice} ({error})"))
        })?;
        device.set_nonblocking(true)?;
        device.set_tx_queue_len(QUEUE)?;
        let (arrived, short, leaving) = (vec![0; VIRTIO + 65_536], BytesMut::new(), Vec::new());
        Ok(Self { device, offload, own: own.to_vec(), arrived, short, leaving })
    }

    /// For the event loop.
    pub fn fd(&self) -> RawFd {
        self.device.as_raw_fd()
    }

    /// The next packet for this host; `None`: none waits.
    ///
    /// # Errors
    /// The device failed.
    pub fn recv(&mut self) -> io::Result<Option<Arrived>> {
        loop {
            let length = match self.device.recv(&mut self.arrived) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            };
            let Self { offload, own, arrived, short, .. } = self;
            if let Some(arrived) = arrived.get(..length).and_then(|octets| parse(octets, *offload, own, short)) {
                return Ok(Some(arrived));
            } // else it is dropped, as a network may
        }
    }

    /// Sends a packet. A device without room drops it: to TCP that is loss, nothing worse.
    ///
    /// # Errors
    /// The device failed.
    pub fn send(&mut self, addresses: PseudoHeader, packet: &Packet) -> io::Result<()> {
        let segment = &packet.segment;
        let (text, header) = (segment.payload.len(), 20 + segment.options.wire_len());
        let length = u16::try_from(header + text).map_err(io::Error::other)?;
        let ecn = IpEcn::try_new(segment.ecn.bits()).map_err(io::Error::other)?;
        let to = &mut self.leaving;
        to.clear();
        if self.offload {
            let cut = text > usize::from(segment.segment_size) && segment.segment_size > 0;
            let (kind, at) = match addresses {
                PseudoHeader::V4 { .. } => (GSO_TCP_V4, 20),
                PseudoHeader::V6 { .. } => (GSO_TCP_V6, 40),
            };
            let ecn = if segment.flags.contains(Flags::CWR) { GSO_ECN } else { 0 };
            to.put_u8(NEEDS_CSUM);
            to.put_u8(if cut { kind | ecn } else { 0 });
            to.put_u16_ne(at + u16::try_from(header).map_err(io::Error::other)?);
            to.put_u16_ne(if cut { segment.segment_size } else { 0 });
            to.put_u16_ne(at);
            to.put_u16_ne(CHECKSUM);
        }
        put_ip_header(to, addresses, length, ecn)?;
        let fill = if self.offload { Fill::ByHardware(addresses) } else { Fill::Now(addresses) };
        let sent = if text > LONG_TEXT {
            to.put_slice(codec::Header::new(packet, fill).map_err(io::Error::other)?.as_slice());
            self.device.send_vectored(&[IoSlice::new(to), IoSlice::new(&segment.payload)])
        } else {
            codec::encode(packet, fill, to).map_err(io::Error::other)?;
            self.device.send(to)
        };
        match sent {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

/// What a packet says; `None`: nothing for this host.
fn parse(mut octets: &[u8], offload: bool, own: &[IpAddr], short: &mut BytesMut) -> Option<Arrived> {
    let (mut flags, mut gso_size) = (0, 0);
    if offload {
        let mut header = octets.get(..VIRTIO)?;
        (flags, gso_size) = (header.get_u8(), header.get(3..5).map_or(0, |mut size| size.get_u16_ne()));
        octets.advance(VIRTIO);
    }
    let ip = IpSlice::from_slice(octets).ok()?;
    let (src, dst) = (ip.source_addr(), ip.destination_addr());
    let foreign = !own.is_empty() && !own.contains(&dst);
    if foreign || ip.is_fragmenting_payload() {
        return None;
    }
    if ip.payload_ip_number() != ip_number::TCP {
        return icmp(&Bytes::copy_from_slice(octets));
    }
    let ecn = match &ip {
        IpSlice::Ipv4(v4) => {
            let mut sum = Sum::new();
            sum.add(v4.header().slice());
            if sum.checksum() != 0 {
                return None;
            }
            v4.header().ecn()
        }
        IpSlice::Ipv6(v6) => v6.header().ecn(),
    };
    let addresses = PseudoHeader::new(src, dst)?;
    let valid = flags & (NEEDS_CSUM | DATA_VALID) != 0;
    let verify = if valid { Verify::ByHardware } else { Verify::Now(addresses) };
    let mut packet = codec::decode(copy(ip.payload().payload, short), verify).ok()?;
    packet.segment.ecn = Ecn::from_bits(ecn.value());
    packet.segment.segment_size = gso_size; // how many segments came, for the acknowledgment rules
    Some(Arrived::Packet(addresses, packet))
}

/// A copy: the text of a connection then holds no more memory than came. That of short segments is copied again where it
/// waits ([`segue::Config::copy_below`]), so it pins no block.
fn copy(segment: &[u8], short: &mut BytesMut) -> Bytes {
    if segment.len() > SHORT {
        return Bytes::copy_from_slice(segment);
    }
    if short.capacity() < segment.len() {
        short.reserve(BLOCK); // the same block again, when nobody has a part of it any more
    }
    short.extend_from_slice(segment);
    short.split().freeze()
}

/// An ICMP error about a segment of ours; `None`: it is none.
fn icmp(octets: &Bytes) -> Option<Arrived> {
    let Ok(Incoming::Icmp { flow, kind, quoted_seq, mtu }) = ip::parse(octets) else { return None };
    Some(Arrived::Icmp(Flow::new(flow.local, flow.remote)?, (kind, mtu), quoted_seq))
}

/// Puts an IP header for this many octets of TCP. Without options and with DF set over IPv4: the path MTU is discovered
/// (RFC 1191), and the ID may then be anything (RFC 6864).
fn put_ip_header(to: &mut Vec<u8>, addresses: PseudoHeader, length: u16, ecn: IpEcn) -> io::Result<()> {
    match addresses {
        PseudoHeader::V4 { src, dst } => {
            let header = Ipv4Header::new(length, HOP_LIMIT, ip_number::TCP, src.octets(), dst.octets());
            let mut header = header.map_err(io::Error::other)?;
            header.ecn = ecn;
            header.header_checksum = header.calc_header_checksum();
            to.put_slice(&header.to_bytes());
        }
        PseudoHeader::V6 { src, dst } => {
            let (next_header, source, destination) = (ip_number::TCP, src.octets(), dst.octets());
            let rest = Ipv6Header::default();
            let mut header =
                Ipv6Header { payload_length: length, next_header, hop_limit: HOP_LIMIT, source, destination, ..rest };
            header.set_ecn(ecn);
            to.put_slice(&header.to_bytes());
        }
    }
    Ok(())
}
