//! Reads captures.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use etherparse::{LaxNetSlice, LaxSlicedPacket, SlicedPacket, ip_number};
use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::{Block, PcapNgReader};
use segue::codec::{self, Packet, Verify};
use segue::{Ecn, Flags, Instant, Segment, SeqNum};

/// A segment of the capture.
#[derive(Clone, Debug)]
pub struct Captured {
    /// From the first packet of the capture on, plus a second.
    pub at: Instant,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub segment: Segment,
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    pub segments: Vec<Captured>,
    /// Packets that hold no TCP segment, or one that the codec does not decode.
    pub others: usize,
}

/// Reads a capture file. `progress` hears with each packet how many there were.
///
/// # Errors
/// Words for the user, when the file cannot be read or is no capture.
pub fn read(file: &Path, progress: impl FnMut(usize)) -> Result<Capture, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let mut opened = BufReader::new(File::open(file).map_err(|error| told(&error))?);
    let mut magic = [0; 4];
    opened.read_exact(&mut magic).map_err(|_| told(&"too short for a capture"))?;
    opened.seek(SeekFrom::Start(0)).map_err(|error| told(&error))?;
    let mut reading = Reading { capture: Capture::default(), first: None, packets: 0, progress };
    if magic == [0x0A, 0x0D, 0x0D, 0x0A] { read_pcapng(opened, &mut reading) } else { read_pcap(opened, &mut reading) }
        .map_err(|error| told(&error))?;
    Ok(reading.capture)
}

fn read_pcap(from: impl Read, reading: &mut Reading<impl FnMut(usize)>) -> Result<(), String> {
    let mut reader =
        PcapReader::new(from).map_err(|error| format!("no pcap file ({error}); give one of tcpdump -w"))?;
    let link = reader.header().datalink;
    while let Some(packet) = reader.next_packet() {
        let Ok(packet) = packet else { break }; // the capture was cut while it was written
        reading.packet(packet.timestamp, link, &packet.data)?;
    }
    Ok(())
}

fn read_pcapng(from: impl Read, reading: &mut Reading<impl FnMut(usize)>) -> Result<(), String> {
    let mut reader = PcapNgReader::new(from).map_err(|error| format!("no pcapng file ({error})"))?;
    let mut links = Vec::new();
    while let Some(block) = reader.next_block() {
        let Ok(block) = block else { break };
        match block {
            Block::InterfaceDescription(interface) => links.push(interface.linktype),
            Block::EnhancedPacket(packet) => {
                let link = usize::try_from(packet.interface_id).ok().and_then(|id| links.get(id));
                let link = *link.ok_or("a packet of an interface that the file does not describe")?;
                reading.packet(packet.timestamp, link, &packet.data)?;
            }
            _ => {}
        }
    }
    Ok(())
}

struct Reading<P> {
    capture: Capture,
    first: Option<Duration>,
    packets: usize,
    progress: P,
}

impl<P: FnMut(usize)> Reading<P> {
    fn packet(&mut self, time: Duration, link: DataLink, octets: &[u8]) -> Result<(), String> {
        self.packets += 1;
        (self.progress)(self.packets);
        let first = *self.first.get_or_insert(time);
        let at = Instant::from_millis(1000) + time.saturating_sub(first);
        match segment(link, octets)? {
            Some((from, to, segment)) => self.capture.segments.push(Captured { at, from, to, segment }),
            None => self.capture.others += 1,
        }
        Ok(())
    }
}

/// The segment in a packet, if there is one.
fn segment(link: DataLink, octets: &[u8]) -> Result<Option<(SocketAddr, SocketAddr, Segment)>, String> {
    let packet = match link {
        DataLink::ETHERNET => LaxSlicedPacket::from_ethernet(octets).ok(),
        DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => LaxSlicedPacket::from_ip(octets).ok(),
        DataLink::NULL | DataLink::LOOP => octets.get(4..).and_then(|ip| LaxSlicedPacket::from_ip(ip).ok()),
        DataLink::LINUX_SLL => {
            return Ok(SlicedPacket::from_linux_sll(octets).ok().and_then(|_| in_ip(octets.get(16..)?)));
        }
        other => return Err(format!("packets of link type {other:?}; capture Ethernet, Linux cooked or raw IP")),
    };
    Ok(packet.as_ref().and_then(|packet| packet.net.as_ref()).and_then(in_net))
}

fn in_ip(octets: &[u8]) -> Option<(SocketAddr, SocketAddr, Segment)> {
    in_net(LaxSlicedPacket::from_ip(octets).ok()?.net.as_ref()?)
}

fn in_net(net: &LaxNetSlice<'_>) -> Option<(SocketAddr, SocketAddr, Segment)> {
    let (src, dst, class, len) = match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            let len = usize::from(header.total_len()).saturating_sub(header.slice().len());
            (header.source_addr().into(), header.destination_addr().into(), header.ecn().value(), len)
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            (
                header.source_addr().into(),
                header.destination_addr().into(),
                header.traffic_class(),
                usize::from(header.payload_length()),
            )
        }
        LaxNetSlice::Arp(_) => return None,
    };
    let payload = net.ip_payload_ref()?;
    if payload.fragmented || payload.ip_number != ip_number::TCP {
        return None;
    }
    // What the capture cut off was text: its length counts, its octets do not.
    let mut octets = BytesMut::from(payload.payload);
    if octets.len() < len {
        octets.resize(len, 0);
    }
    // The host's network card computes checksums after the capture saw its packets.
    let Packet { src_port, dst_port, mut segment } = codec::decode(octets.freeze(), Verify::ByHardware).ok()?;
    segment.ecn = Ecn::from_bits(class);
    Some((SocketAddr::new(src, src_port), SocketAddr::new(dst, dst_port), segment))
}

/// The payload of a segment after the number `seq`.
pub fn text_from(segment: &Segment, seq: SeqNum) -> Bytes {
    let skip =
        usize::try_from(seq - (segment.seq + u32::from(segment.flags.contains(Flags::SYN)))).unwrap_or(usize::MAX);
    segment.payload.slice(skip.min(segment.payload.len())..)
}
