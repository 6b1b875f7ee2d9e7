//! The run as a capture file: what an interface at the client sees.

use std::io::{Error, Write};
use std::time::Duration;

use etherparse::{IpNumber, Ipv4Header};
use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use segue::Segment;
use segue::codec::PseudoHeader;
use segue_kit::net::{Outcome, Side, What, addresses, encode};

/// Writes every segment that left or reached the client, at the time when it did.
pub(crate) fn write(outcome: &Outcome, to: impl Write) -> Result<(), Error> {
    let header = PcapHeader { datalink: DataLink::RAW, ..PcapHeader::default() };
    let mut writer = PcapWriter::with_header(to, header).map_err(Error::other)?;
    for record in outcome.trace.records.iter().filter(|record| record.side == Side::Client) {
        let octets = match &record.what {
            What::Depart { segment, .. } => packet(Side::Client, segment)?,
            What::Arrive { segment, .. } => packet(Side::Server, segment)?,
            What::Call(_) | What::Timer(_) | What::State(_) | What::Told(_) => continue,
        };
        let time = Duration::from_micros(record.at.as_micros());
        let len = u32::try_from(octets.len()).map_err(Error::other)?;
        writer.write_packet(&PcapPacket::new(time, len, &octets)).map_err(Error::other)?;
    }
    writer.into_writer().flush()
}

/// The IPv4 packet that carries a segment of `from`.
fn packet(from: Side, segment: &Segment) -> Result<Vec<u8>, Error> {
    let text = encode(from, segment);
    let PseudoHeader::V4 { src, dst } = addresses(from) else { unreachable!("the run is over IPv4") };
    let len = u16::try_from(text.len()).map_err(Error::other)?;
    let header = Ipv4Header::new(len, 64, IpNumber::TCP, src.octets(), dst.octets()).map_err(Error::other)?;
    let mut octets = Vec::with_capacity(Ipv4Header::MIN_LEN + text.len());
    header.write(&mut octets)?;
    octets.extend_from_slice(&text);
    Ok(octets)
}
