//! The header as octets (RFC 9293 §3.1).

use core::ops::Range;

use bytes::{Buf, BufMut, Bytes};

use crate::{CompactOptions, Ecn, Flags, Options, Segment, SeqNum};

use super::checksum::{PseudoHeader, sum_segment};
use super::options::{self, RawOptions};
use super::writer::Writer;
use super::{DecodeError, EncodeError, Packet};

/// Octets of the header without options.
const FIXED: usize = 20;

/// Who verifies the checksum of a received segment. It is never optional (MUST-3).
///
/// ```
/// use segue::codec::{Fill, Packet, PseudoHeader, Verify, decode, encode};
/// let there = PseudoHeader::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() };
/// let packet = Packet { src_port: 49152, dst_port: 80, ..Packet::default() };
/// let mut octets = Vec::new();
/// encode(&packet, Fill::Now(there), &mut octets)?;
/// assert_eq!(decode(octets.into(), Verify::Now(there))?, packet);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verify {
    /// [`decode`] does.
    Now(PseudoHeader),
    /// Somebody has: the network hardware, or, for a segment that never left this machine, nobody needs to. virtio says
    /// so with `VIRTIO_NET_HDR_F_DATA_VALID` and `VIRTIO_NET_HDR_F_NEEDS_CSUM`. The field is not looked at.
    ByHardware,
}

/// Who computes the checksum of a segment to be sent. It is never optional (MUST-2).
///
/// ```
/// use segue::codec::{Fill, Packet, PseudoHeader, Verify, decode, encode};
/// let there = PseudoHeader::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() };
/// let packet = Packet { src_port: 49152, dst_port: 80, ..Packet::default() };
/// let mut octets = Vec::new();
/// encode(&packet, Fill::ByHardware(there), &mut octets)?; // the device completes the checksum
/// assert!(decode(octets.into(), Verify::Now(there)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
/// The text is not copied: it is the rest of `octets`. The ECN codepoint stands in the IP header and the number of
/// merged segments in the receive descriptor; who knows them sets [`Segment::ecn`] and [`Segment::segment_size`].
///
/// # Errors
///
/// See the [module's table](super#malformed-and-unusual-input).
///
/// ```
/// use segue::codec::{Fill, Packet, PseudoHeader, Verify, decode, encode};
/// let there = PseudoHeader::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() };
/// let packet = Packet { src_port: 49152, dst_port: 80, ..Packet::default() };
/// let mut octets = Vec::new();
/// encode(&packet, Fill::Now(there), &mut octets)?;
/// assert_eq!(decode(octets.into(), Verify::Now(there))?.dst_port, 80);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decode(mut octets: Bytes, verify: Verify) -> Result<Packet, DecodeError> {
    let (&fixed, area) = check(&octets, verify)?;
    let (options, header_len) = (options::parse(area), FIXED + area.len());
    octets.advance(header_len.min(octets.len()));
    Ok(parse(fixed, options, octets))
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
    let (_, area) = check(&octets, verify)?;
    let end = (FIXED + area.len()).min(octets.len());
    let raw = RawOptions(octets.slice(FIXED.min(end)..end));
    Ok((decode(octets, Verify::ByHardware)?, raw))
}

/// The fixed header and the option area, when the octets hold them and their checksum is right.
#[inline]
fn check(octets: &[u8], verify: Verify) -> Result<(&[u8; FIXED], &[u8]), DecodeError> {
    let len = octets.len();
    let (fixed, rest) = octets.split_first_chunk::<FIXED>().ok_or(DecodeError::Truncated { needed: FIXED, len })?;
    // First of all: what else seems wrong with a damaged segment means nothing.
    if let Verify::Now(pseudo) = verify {
        let sum = sum_segment(pseudo, octets).ok_or(DecodeError::TooLong { len, max: pseudo.max_len() })?;
        if sum != 0xFFFF {
            return Err(DecodeError::Checksum);
        }
    }
    let [_, _, _, _, _, _, _, _, _, _, _, _, offset, ..] = *fixed;
    let words = offset >> 4;
    let needed = usize::from(words) * 4;
    let area = needed.checked_sub(FIXED).ok_or(DecodeError::DataOffset(words))?;
    Ok((fixed, rest.get(..area).ok_or(DecodeError::Truncated { needed, len })?))
}

/// The packet with this header and text.
#[inline]
fn parse(fixed: [u8; FIXED], options: CompactOptions, payload: Bytes) -> Packet {
    let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, f0, f1, w0, w1, _, _, u0, u1] = fixed;
    let segment = Segment {
        seq: SeqNum::new(u32::from_be_bytes([q0, q1, q2, q3])),
        ack: SeqNum::new(u32::from_be_bytes([a0, a1, a2, a3])),
        flags: Flags::from_bits_truncate(u16::from_be_bytes([f0, f1])), // not the data offset, not the reserved bits
        window: u16::from_be_bytes([w0, w1]),                           // unsigned (MUST-1)
        urgent: u16::from_be_bytes([u0, u1]),
        options,
        ecn: Ecn::NotEct,
        segment_size: 0,
        payload,
    };
    Packet { src_port: u16::from_be_bytes([s0, s1]), dst_port: u16::from_be_bytes([d0, d1]), segment }
}

/// Appends the packet, header and text, to `to`.
///
/// # Errors
///
/// Those of [`Header::new`], and [`EncodeError::BufferTooSmall`]; nothing is written then.
///
/// ```
/// use segue::codec::{Fill, Packet, PseudoHeader, Verify, decode, encode};
/// let there = PseudoHeader::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() };
/// let packet = Packet { src_port: 49152, dst_port: 80, ..Packet::default() };
/// let mut octets = Vec::new();
/// encode(&packet, Fill::Now(there), &mut octets)?;
/// assert_eq!((octets.len(), &octets[2..4]), (20, &80u16.to_be_bytes()[..]));
/// # Ok::<(), segue::codec::EncodeError>(())
/// ```
pub fn encode(packet: &Packet, fill: Fill, to: &mut impl BufMut) -> Result<(), EncodeError> {
    encode_behind(0, packet, fill, true, to, |_, _| {})
}

/// [`encode`] behind other headers of `front` octets, which `put` appends when it is known that there is room for all. With
/// the text, or without.
#[inline]
pub(crate) fn encode_behind<B: BufMut>(
    front: usize,
    packet: &Packet,
    fill: Fill,
    text: bool,
    to: &mut B,
    put: impl FnOnce(Lens, &mut B),
) -> Result<(), EncodeError> {
    let lens = measure(&packet.segment, fill)?;
    let (needed, room) = (front + usize::from(if text { lens.segment } else { lens.header }), to.remaining_mut());
    if room < needed {
        return Err(EncodeError::BufferTooSmall { needed, room });
    }
    put(lens, to);
    // Two passes over the text: the checksum stands before it, and a `BufMut` only appends. One pass into a slice gains
    // nothing either. On x86-64, to sum and to copy 1460 octets took 759 instructions and 55.0 ns one after the other,
    // 762 and 54.8 ns word by word in one loop, 1124 and 68.6 ns in chunks of 32 octets: arithmetic bounds the sum, and
    // the copy finds the text in the cache. 128 to 65,000 octets gave the same order.
    write(packet, fill, lens, |header| to.put_slice(header));
    if text && !packet.segment.payload.is_empty() {
        to.put_slice(&packet.segment.payload);
    }
    Ok(())
}

/// The header of a packet as octets, for hosts that hand header and text to the device apart (scatter-gather), so that
/// the text is never copied.
///
/// ```
/// use segue::codec::{Fill, Header, Packet, PseudoHeader};
/// use segue::Segment;
/// let there = PseudoHeader::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() };
/// let packet = Packet { segment: Segment { payload: "text".into(), ..Segment::default() }, ..Packet::default() };
/// let header = Header::new(&packet, Fill::ByHardware(there))?;
/// let pieces = [header.as_slice(), &packet.segment.payload]; // for `writev`, or a descriptor each
/// assert_eq!(pieces.map(<[u8]>::len), [20, 4]);
/// # Ok::<(), segue::codec::EncodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Header(Writer);

impl Header {
    /// The header that goes before the text of `packet`.
    ///
    /// # Errors
    ///
    /// When the options do not fit into 40 octets, or the whole not into an IP packet, or when the value stands for
    /// several segments that no hardware cuts.
    ///
    /// ```
    /// use segue::codec::{EncodeError, Fill, Header, Packet, PseudoHeader};
    /// use segue::{Options, Segment, Timestamps};
    /// let there = PseudoHeader::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() };
    /// let options = Options { timestamps: Some(Timestamps { value: 1, echo: 0 }), ..Options::default() };
    /// let packet = Packet { segment: Segment { options: options.into(), ..Segment::default() }, ..Packet::default() };
    /// let header = Header::new(&packet, Fill::Now(there))?;
    /// assert_eq!(header.as_slice().len(), 20 + 12); // options included
    /// # Ok::<(), EncodeError>(())
    /// ```
    pub fn new(packet: &Packet, fill: Fill) -> Result<Self, EncodeError> {
        let lens = measure(&packet.segment, fill)?;
        let mut octets = Writer::new();
        write(packet, fill, lens, |header| octets.put_slice(header));
        Ok(Self(octets))
    }

    /// The octets, 20 to 60.
    ///
    /// ```
    /// use segue::codec::{EncodeError, Fill, Header, Packet, PseudoHeader};
    /// let there = PseudoHeader::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() };
    /// let packet = Packet { src_port: 80, dst_port: 49152, ..Packet::default() };
    /// let header = Header::new(&packet, Fill::Now(there))?;
    /// assert_eq!(header.as_slice()[..4], [0, 80, 0xc0, 0]); // the ports come first
    /// # Ok::<(), EncodeError>(())
    /// ```
    pub fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Header {
    /// The header with `space` octets of one more option behind the others, which `sign` writes: it gets the header with zeros for
    /// the checksum and for that option, and the place of the option. The checksum is computed last (RFC 5925 §7.3).
    pub(crate) fn signed(
        packet: &Packet,
        fill: Fill,
        space: u8,
        sign: impl FnOnce(&[u8], Range<usize>, &mut [u8]),
    ) -> Result<Self, EncodeError> {
        let space = usize::from(space);
        let options = packet.segment.options.get();
        let room = Options::MAX_WIRE_LEN.saturating_sub(space.next_multiple_of(4));
        let area = options.len_within(room).saturating_add(space.next_multiple_of(4));
        // A signature covers one segment: hardware cannot cut it.
        let pseudo = match fill {
            Fill::Now(pseudo) | Fill::ByHardware(pseudo) => pseudo,
        };
        let lens = measure_with(&packet.segment, area, Fill::Now(pseudo))?;
        let mut header = start(packet, lens);
        options::write(&options, room, &mut header);
        while header.as_slice().len() % 4 != 0 {
            header.put([options::NOP]); // EOL would end the list
        }
        let at = header.as_slice().len();
        header.fill_up(usize::from(lens.header));
        let mut option = [0; Options::MAX_WIRE_LEN];
        let option = option.get_mut(..space).unwrap_or(&mut []);
        sign(header.as_slice(), at..at + option.len(), option);
        header.put_at(at, option);
        let field = checksum([0; 4], header.as_slice(), packet, fill, lens);
        header.put_checksum(field);
        Ok(Self(header))
    }
}

impl AsRef<[u8]> for Header {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

/// Octets of a header, a multiple of four from 20 to 60, and of the segment that it begins.
#[derive(Clone, Copy)]
pub(crate) struct Lens {
    pub(crate) header: u16,
    pub(crate) segment: u16,
}

#[cfg(feature = "ip")]
impl Lens {
    /// Those of a header that was made for this text.
    pub(crate) fn of(header: &[u8], text: &[u8]) -> Self {
        let octets = |len: usize| u16::try_from(len).unwrap_or(u16::MAX); // `measure` has seen to it
        Self { header: octets(header.len()), segment: octets(header.len().saturating_add(text.len())) }
    }
}

/// The lengths of the segment, when it has a form on the wire.
#[inline]
fn measure(segment: &Segment, fill: Fill) -> Result<Lens, EncodeError> {
    measure_with(segment, segment.options.wire_len(), fill)
}

/// The same where the options take this many octets.
#[inline]
fn measure_with(segment: &Segment, options: usize, fill: Fill) -> Result<Lens, EncodeError> {
    if options > Options::MAX_WIRE_LEN {
        return Err(EncodeError::OptionsTooLong { len: options });
    }
    let text = segment.payload.len();
    let (pseudo, whole) = match fill {
        Fill::Now(pseudo) => (pseudo, segment.segment_size == 0 || text <= usize::from(segment.segment_size)),
        Fill::ByHardware(pseudo) => (pseudo, true),
    };
    if !whole {
        return Err(EncodeError::NotSplit { segment_size: segment.segment_size });
    }
    let (header, max) = (FIXED + options, pseudo.max_len());
    let len = header.saturating_add(text);
    match (u16::try_from(header), u16::try_from(len)) {
        (Ok(header), Ok(segment)) if usize::from(segment) <= max => Ok(Lens { header, segment }),
        _ => Err(EncodeError::TooLong { len, max }),
    }
}

/// Gives the octets of the header to `put`.
#[inline]
fn write(packet: &Packet, fill: Fill, lens: Lens, mut put: impl FnMut(&[u8])) {
    let options = &packet.segment.options;
    if let Some(options) = options.rare() {
        return put(write_rare(packet, options, fill, lens).as_slice());
    }
    // Without timestamps, zeros: they add nothing to the sum, and the header ends before them.
    let [a, b, c, d] = words(packet, lens, options.timestamps().map_or([0; 3], options::aligned));
    let field = checksum([a, b, c, d], &[], packet, fill, lens);
    let octets = [a, b, c | (u64::from(field) << 48).to_be(), d].map(u64::to_ne_bytes);
    // Two slices whose lengths compilers know.
    match octets.as_flattened().first_chunk::<FIXED>() {
        Some(octets) if usize::from(lens.header) == FIXED => put(octets),
        _ => put(octets.as_flattened()),
    }
}

/// The fixed header, with zeros for the checksum.
fn start(packet: &Packet, lens: Lens) -> Writer {
    let mut header = Writer::new();
    let fixed = words(packet, lens, [0; 3]).map(u64::to_ne_bytes);
    header.put_slice(fixed.as_flattened().get(..FIXED).unwrap_or(&[]));
    header
}

/// A header with options other than timestamps.
#[inline(never)]
fn write_rare(packet: &Packet, options: &Options, fill: Fill, lens: Lens) -> Writer {
    let mut header = start(packet, lens);
    options::write(options, Options::MAX_WIRE_LEN, &mut header);
    header.fill_up(usize::from(lens.header));
    let field = checksum([0; 4], header.as_slice(), packet, fill, lens);
    header.put_checksum(field);
    header
}

/// The first words of the header as they stand in memory, with zero for the checksum. `area`: how the options begin.
#[inline]
fn words(packet: &Packet, lens: Lens, area: [u32; 3]) -> [u64; 4] {
    let segment = &packet.segment;
    let control = ((lens.header / 4) << 12) | (segment.flags & Flags::all()).bits();
    let pair = |high: u32, low: u32| (u64::from(high) << 32 | u64::from(low)).to_be();
    let ports = u32::from(packet.src_port) << 16 | u32::from(packet.dst_port);
    let window = u32::from(control) << 16 | u32::from(segment.window);
    let [a, b, c] = area;
    [
        pair(ports, segment.seq.value()),
        pair(segment.ack.value(), window),
        pair(u32::from(segment.urgent), a), // beside the checksum
        pair(b, c),
    ]
}

/// The field of the checksum. The header is given as `words` or as octets.
#[inline]
fn checksum(words: [u64; 4], header: &[u8], packet: &Packet, fill: Fill, lens: Lens) -> u16 {
    match fill {
        Fill::ByHardware(pseudo) => pseudo.sum(lens.segment, [0; 4], &[], &[]),
        Fill::Now(pseudo) => !pseudo.sum(lens.segment, words, header, &packet.segment.payload),
    }
}
