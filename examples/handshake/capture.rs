//! The run as a capture file: what an interface at the client sees.
//!
//! Written by hand, for the sake of the README's first command, which builds 7 crates in 12 s of CPU time: `pcap-file` would
//! add 10 crates and 10 s, etherparse 2 crates and 4 s. `tests/handshake_example.rs` reads the file back with both.

use std::io::{Error, Write};

use segue::Segment;
use segue::codec::PseudoHeader;
use segue_kit::net::{Outcome, Side, What, addresses, encode};

/// The header of a file of packets that begin with their IP header (LINKTYPE_RAW), with times in microseconds.
const FILE_HEADER: [u32; 6] = [0xA1B2_C3D4, 0x0004_0002, 0, 0, 65_535, 101];

/// Writes every segment that left or reached the client, at the time when it did.
pub fn write(outcome: &Outcome, mut to: impl Write) -> Result<(), Error> {
    write_words(&mut to, &FILE_HEADER)?;
    for record in outcome.trace.records.iter().filter(|record| record.side == Side::Client) {
        let octets = match &record.what {
            What::Depart { segment, .. } => packet(Side::Client, segment)?,
            What::Arrive { segment, .. } => packet(Side::Server, segment)?,
            What::Call(_) | What::Timer(_) | What::State(..) | What::Told(_) => continue,
        };
        let (micros, len) = (record.at.as_micros(), word(octets.len())?);
        write_words(&mut to, &[word(micros / 1_000_000)?, word(micros % 1_000_000)?, len, len])?;
        to.write_all(&octets)?;
    }
    to.flush()
}

fn write_words(to: &mut impl Write, words: &[u32]) -> Result<(), Error> {
    words.iter().try_for_each(|word| to.write_all(&word.to_le_bytes()))
}

fn word(number: impl TryInto<u32>) -> Result<u32, Error> {
    number.try_into().map_err(|_| Error::other("more than a capture file can say"))
}

/// The IPv4 packet that carries a segment of `from`.
fn packet(from: Side, segment: &Segment) -> Result<Vec<u8>, Error> {
    let text = encode(from, segment);
    let PseudoHeader::V4 { src, dst } = addresses(from) else { unreachable!("the run is over IPv4") };
    let len = u16::try_from(20 + text.len()).map_err(Error::other)?;
    let mut octets = vec![0x45, 0]; // version 4, a header of five words
    octets.extend(len.to_be_bytes());
    octets.extend([0, 0, 0x40, 0, 64, 6, 0, 0]); // may not be fragmented; TTL 64; TCP; the checksum
    octets.extend(src.octets().into_iter().chain(dst.octets()));
    let sum: u32 = octets.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let checksum = !((sum & 0xFFFF) + (sum >> 16)) as u16;
    octets[10..12].copy_from_slice(&checksum.to_be_bytes());
    octets.extend_from_slice(&text);
    Ok(octets)
}
