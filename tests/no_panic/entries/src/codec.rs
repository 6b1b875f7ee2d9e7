//! Octets to segments and back.

use alloc::vec::Vec;

use bytes::Bytes;
use segue::codec::{self, DecodeError, EncodeError, Fill, Header, Packet, PseudoHeader, RawOptions, Verify};
use segue::ip::{self, Datagram, Format, Ignored};
use segue::{Action, Segment};

use crate::host_takes;

#[unsafe(no_mangle)]
pub fn entry_codec_decode(octets: Bytes, verify: Verify) -> Result<Packet, DecodeError> {
    codec::decode(octets, verify)
}

#[unsafe(no_mangle)]
pub fn entry_codec_decode_raw(octets: Bytes, verify: Verify) -> Result<(Packet, RawOptions), DecodeError> {
    codec::decode_raw(octets, verify)
}

#[unsafe(no_mangle)]
pub fn entry_codec_raw_options(raw: &RawOptions) -> usize {
    raw.iter().flatten().map(|option| option.data.len()).fold(0, usize::wrapping_add)
}

#[unsafe(no_mangle)]
pub fn entry_codec_checksum(pseudo: PseudoHeader, octets: &[u8]) -> Option<u16> {
    codec::checksum(pseudo, octets)
}

#[unsafe(no_mangle)]
pub fn entry_codec_header(packet: &Packet, fill: Fill) -> Result<Header, EncodeError> {
    Header::new(packet, fill)
}

#[unsafe(no_mangle)]
pub fn entry_codec_encode_to_vec(packet: &Packet, fill: Fill, to: &mut Vec<u8>) -> Result<(), EncodeError> {
    codec::encode(packet, fill, to)
}

#[unsafe(no_mangle)]
pub fn entry_codec_encode_to_slice(packet: &Packet, fill: Fill, to: &mut &mut [u8]) -> Result<(), EncodeError> {
    codec::encode(packet, fill, to)
}

#[unsafe(no_mangle)]
pub fn entry_codec_split(segment: Segment) {
    codec::split(segment).map(Action::Transmit).for_each(host_takes);
}

#[unsafe(no_mangle)]
pub fn entry_codec_reset_to(packet: &Packet) -> Option<Packet> {
    codec::reset_to(packet)
}

#[unsafe(no_mangle)]
pub fn entry_ip_decode(octets: Bytes, format: Format) -> Result<Datagram, Ignored> {
    ip::decode(octets, format)
}

#[unsafe(no_mangle)]
pub fn entry_ip_encode_to_vec(addresses: PseudoHeader, packet: &Packet, format: Format, to: &mut Vec<u8>) -> bool {
    ip::encode(addresses, packet, format, to).is_ok()
}
