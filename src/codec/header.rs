//! The header as octets (RFC 9293 §3.1).

use bytes::{Buf, BufMut, Bytes};

use crate::{Ecn, Flags, Options, Segment, SeqNum};

use super::checksum::{PseudoHeader, sum_segment};
use super::options::{self, RawOptions};
use super::{DecodeError, EncodeError, Packet};

/// Octets of the header without options.
const FIXED: usize = 20;
/// Octets of the longest header.
const LONGEST: usize = FIXED + Options::MAX_WIRE_LEN;

/// Who verifies the checksum of a received segment. It is never optional (MUST-3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verify {
    /// [`decode`] does.
    Now(PseudoHeader),
    /// Somebody has: the network hardware, or, for a segment that never left this machine, nobody needs to. virtio says
    /// so with `VIRTIO_NET_HDR_F_DATA_VALID` and `VIRTIO_NET_HDR_F_NEEDS_CSUM`. The field is not looked at.
    ByHardware,
}

/// Who computes the checksum of a segment to be sent. It is never optional (MUST-2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fill {
    /// [`encode`] does.
    Now(PseudoHeader),
    /// The network hardware will. The field then holds what such hardware expects there: the folded sum of the
    /// pseudo-header, not complemented, so that the checksum over header and text alone comes out right (virtio:
    /// `VIRTIO_NET_HDR_F_NEEDS_CSUM` with `csum_start` at the header and `csum_offset` 16). The length in the sum is
    /// that of the whole value, also when the hardware is to cut it by its [`segment_size`](Segment::segment_size).
    ByHardware(PseudoHeader),
}

/// The packet in these octets, which are the whole payload of an IP packet.
///
/// The text is not copied: it is what remains of `octets`. The ECN codepoint stands in the IP header and the number of
/// merged segments in the receive descriptor; who knows them sets [`Segment::ecn`] and [`Segment::segment_size`].
///
/// # Errors
///
/// See the [module's table](super#malformed-and-unusual-input).
pub fn decode(octets: Bytes, verify: Verify) -> Result<Packet, DecodeError> {
    let header_len = check(&octets, verify)?;
    Ok(parse(octets, header_len))
}

/// [`decode`] that hands out the option area too.
///
/// ```
/// use segue::codec::{self, RawOption, Verify};
/// let octets = [
///     0, 80, 0, 99, 0, 0, 0, 1, 0, 0, 0, 0, 0x70, 2, 0, 9, 0, 0, 0, 0, // 7 words, SYN
///     253, 4, 0xAB, 0xCD, 2, 4, 5, 180, // an experiment (RFC 6994) and the MSS
/// ];
/// let (packet, raw) = codec::decode_raw(octets.to_vec().into(), Verify::ByHardware)?;
/// assert_eq!(packet.to_string(), "80 > 99: Flags [S], seq 1, win 9, options [mss 1460], length 0");
/// assert_eq!(raw.iter().next(), Some(Ok(RawOption { kind: 253, data: &[0xAB, 0xCD] })));
/// # Ok::<(), codec::DecodeError>(())
/// ```
///
/// # Errors
///
/// Those of [`decode`].
pub fn decode_raw(octets: Bytes, verify: Verify) -> Result<(Packet, RawOptions), DecodeError> {
    let header_len = check(&octets, verify)?;
    let raw = RawOptions(octets.slice(FIXED..header_len));
    Ok((parse(octets, header_len), raw))
}

/// The length of the header, when the octets hold one and their checksum is right.
fn check(octets: &[u8], verify: Verify) -> Result<usize, DecodeError> {
    let len = octets.len();
    let truncated = |needed| DecodeError::Truncated { needed, len };
    let &offset = octets.first_chunk::<FIXED>().and_then(|fixed| fixed.get(12)).ok_or(truncated(FIXED))?;
    // First of all: what else seems wrong with a damaged segment means nothing.
    if let Verify::Now(pseudo) = verify {
        let sum = sum_segment(pseudo, octets).ok_or(DecodeError::TooLong { len, max: pseudo.max_len() })?;
        if sum.value() != 0xFFFF {
            return Err(DecodeError::Checksum);
        }
    }
    let words = offset >> 4;
    let needed = usize::from(words) * 4;
    match words {
        0..5 => Err(DecodeError::DataOffset(words)),
        _ if needed > len => Err(truncated(needed)),
        _ => Ok(needed),
    }
}

/// The packet behind a header that [`check`] has measured.
fn parse(mut octets: Bytes, header_len: usize) -> Packet {
    let options = octets.get(FIXED..header_len).map_or_else(Options::default, options::parse);
    let fixed = octets.first_chunk::<FIXED>().copied().unwrap_or_default();
    octets.advance(header_len);
    let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, f0, f1, w0, w1, _, _, u0, u1] = fixed;
    let segment = Segment {
        seq: SeqNum::new(u32::from_be_bytes([q0, q1, q2, q3])),
        ack: SeqNum::new(u32::from_be_bytes([a0, a1, a2, a3])),
        flags: Flags::from_bits_truncate(u16::from_be_bytes([f0, f1])), // not the data offset, not the reserved bits
        window: u16::from_be_bytes([w0, w1]),                           // unsigned (MUST-1)
        urgent: u16::from_be_bytes([u0, u1]),
        options: options.into(),
        ecn: Ecn::NotEct,
        segment_size: 0,
        payload: octets,
    };
    Packet { src_port: u16::from_be_bytes([s0, s1]), dst_port: u16::from_be_bytes([d0, d1]), segment }
}

/// Appends the packet, header and text, to `to`.
///
/// # Errors
///
/// Those of [`Header::new`], and [`EncodeError::BufferTooSmall`]; nothing is written then.
pub fn encode(packet: &Packet, fill: Fill, to: &mut impl BufMut) -> Result<(), EncodeError> {
    let header = Header::new(packet, fill)?;
    let text = &packet.segment.payload;
    let (needed, room) = (header.as_slice().len() + text.len(), to.remaining_mut());
    if room < needed {
        return Err(EncodeError::BufferTooSmall { needed, room });
    }
    to.put_slice(header.as_slice());
    to.put_slice(text);
    Ok(())
}

/// The header of a packet as octets, for hosts that hand header and text to the device apart (scatter-gather), so that
/// the text is never copied.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Header(Writer);

impl Header {
    /// The header that goes before the text of `packet`.
    ///
    /// # Errors
    ///
    /// When the options do not fit into 40 octets, or the whole not into an IP packet, or when the value stands for
    /// several segments that no hardware cuts.
    pub fn new(packet: &Packet, fill: Fill) -> Result<Self, EncodeError> {
        let segment = &packet.segment;
        let (len, words) = measure(segment, fill)?;
        let [f0, f1] = (u16::from(words) << 12 | (segment.flags & Flags::all()).bits()).to_be_bytes();
        let mut header = Writer::new();
        header.put(packet.src_port.to_be_bytes());
        header.put(packet.dst_port.to_be_bytes());
        header.put(segment.seq.value().to_be_bytes());
        header.put(segment.ack.value().to_be_bytes());
        header.put([f0, f1]);
        header.put(segment.window.to_be_bytes());
        header.put([0, 0]); // the checksum
        header.put(segment.urgent.to_be_bytes());
        options::write(&segment.options.get(), &mut header);
        header.len = usize::from(words) * 4; // what options do not fill is zero
        let field = match fill {
            Fill::ByHardware(pseudo) => pseudo.sum(len).value(),
            Fill::Now(pseudo) => {
                let mut sum = pseudo.sum(len);
                sum.add(header.as_slice());
                sum.add(&segment.payload);
                sum.checksum()
            }
        };
        if let Some(place) = header.octets.get_mut(16..18) {
            place.copy_from_slice(&field.to_be_bytes());
        }
        Ok(Self(header))
    }

    /// The octets, 20 to 60.
    pub fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl AsRef<[u8]> for Header {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

/// The length of the segment and, in words, of its header, when it has a form on the wire.
fn measure(segment: &Segment, fill: Fill) -> Result<(u16, u8), EncodeError> {
    let options = segment.options.wire_len();
    let words = u8::try_from(options / 4 + 5)
        .ok()
        .filter(|_| options <= Options::MAX_WIRE_LEN)
        .ok_or(EncodeError::OptionsTooLong { len: options })?;
    let len = (FIXED + options).saturating_add(segment.payload.len());
    let (Fill::Now(pseudo) | Fill::ByHardware(pseudo)) = fill;
    let max = pseudo.max_len();
    let several = segment.segment_size != 0 && segment.payload.len() > usize::from(segment.segment_size);
    match (u16::try_from(len), fill) {
        (_, Fill::Now(_)) if several => Err(EncodeError::NotSplit { segment_size: segment.segment_size }),
        (Ok(short), _) if len <= max => Ok((short, words)),
        _ => Err(EncodeError::TooLong { len, max }),
    }
}

/// A header that grows from the left; beyond `len` there are only zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Writer {
    octets: [u8; LONGEST],
    len: usize,
}

impl Writer {
    const fn new() -> Self {
        Self { octets: [0; LONGEST], len: 0 }
    }

    pub(super) fn put<const N: usize>(&mut self, octets: [u8; N]) {
        if let Some(place) = self.octets.get_mut(self.len..).and_then(|room| room.first_chunk_mut::<N>()) {
            *place = octets;
            self.len += N;
        }
    }

    pub(super) fn put_slice(&mut self, octets: &[u8]) {
        if let Some(place) = self.octets.get_mut(self.len..).and_then(|room| room.get_mut(..octets.len())) {
            place.copy_from_slice(octets);
            self.len += octets.len();
        }
    }

    fn as_slice(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or(&[])
    }
}
