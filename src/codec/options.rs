//! The option area.

use bytes::Bytes;

use crate::{AccEcn, CompactOptions, FastOpenCookie, Options, SackBlock, SeqNum, Timestamps};

use super::writer::Writer;

// The kinds of IANA's registry "TCP Option Kind Numbers".
const EOL: u8 = 0;
pub(super) const NOP: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;
const USER_TIMEOUT: u8 = 28;
const FAST_OPEN: u8 = 34;

/// One option as it stands in the header, of whatever kind, with the data after its length octet.
///
/// ```
/// use segue::codec::{Verify, decode_raw};
/// let mut octets = vec![0; 24];
/// octets[12] = 6 << 4; // one word of options
/// octets[20..].copy_from_slice(&[253, 4, 1, 2]); // an experimental kind
/// let (_, options) = decode_raw(octets.into(), Verify::ByHardware)?;
/// let option = options.iter().next().expect("there is one").expect("it is well-formed");
/// assert_eq!((option.kind, option.data), (253, &[1, 2][..]));
/// # Ok::<(), segue::codec::DecodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RawOption<'a> {
    /// The option-kind.
    pub kind: u8,
    /// The option-data.
    pub data: &'a [u8],
}

/// Where the option list stops making sense (MUST-7).
///
/// ```
/// use segue::codec::{Verify, decode_raw};
/// let mut octets = vec![0; 24];
/// octets[12] = 6 << 4; // one word of options
/// octets[20..].copy_from_slice(&[253, 9, 1, 2]); // longer than the header
/// let (_, options) = decode_raw(octets.into(), Verify::ByHardware)?;
/// assert!(options.iter().any(|option| option.is_err())); // a `BadOption`, with its place
/// # Ok::<(), segue::codec::DecodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BadOption {
    /// The option-kind.
    pub kind: u8,
    /// The option-length, illegal: 0, 1, or reaching past the end of the header. None: the header ends before it.
    pub len: Option<u8>,
    /// Octets from the start of the option area to the option-kind.
    pub offset: usize,
}

impl core::fmt::Display for BadOption {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.len {
            Some(len) => write!(f, "option of kind {} with length {len} at octet {}", self.kind, self.offset),
            None => write!(f, "option of kind {} without a length at octet {}", self.kind, self.offset),
        }
    }
}

impl core::error::Error for BadOption {}

/// The option area of a received segment, as it came: for options that [`Options`] has no place for, and to see the
/// fault of a malformed list. It shares the received buffer.
///
/// ```
/// use segue::codec::{Verify, decode_raw};
/// let mut octets = vec![0; 24];
/// octets[12] = 6 << 4; // one word of options
/// octets[20..].copy_from_slice(&[253, 4, 1, 2]); // an experimental kind
/// let (_, options) = decode_raw(octets.into(), Verify::ByHardware)?;
/// assert_eq!(options.as_slice(), [253, 4, 1, 2]);
/// # Ok::<(), segue::codec::DecodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct RawOptions(pub(super) Bytes);

impl RawOptions {
    /// The octets of the area, padding included: 0 to 40, a multiple of four.
    ///
    /// ```
    /// use segue::codec::{Verify, decode_raw};
    /// let mut octets = vec![0; 24];
    /// octets[12] = 6 << 4; // one word of options
    /// octets[20..].copy_from_slice(&[1, 3, 3, 7]); // NOP, window scale
    /// let (_, options) = decode_raw(octets.into(), Verify::ByHardware)?;
    /// assert_eq!(options.as_slice(), [1, 3, 3, 7]); // padding too
    /// # Ok::<(), segue::codec::DecodeError>(())
    /// ```
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The options in their order, known or not, duplicates too, without NOP and EOL. A malformed one is reported in
    /// its place and ends the list.
    ///
    /// ```
    /// use segue::codec::{Verify, decode_raw};
    /// let mut octets = vec![0; 24];
    /// octets[12] = 6 << 4; // one word of options
    /// octets[20..].copy_from_slice(&[1, 3, 3, 7]); // NOP, window scale
    /// let (_, options) = decode_raw(octets.into(), Verify::ByHardware)?;
    /// let kinds: Vec<u8> = options.iter().flatten().map(|option| option.kind).collect();
    /// assert_eq!(kinds, [3]); // no NOP
    /// # Ok::<(), segue::codec::DecodeError>(())
    /// ```
    pub fn iter(&self) -> RawOptionsIter<'_> {
        RawOptionsIter { area: &self.0, rest: &self.0 }
    }
}

impl<'a> IntoIterator for &'a RawOptions {
    type Item = Result<RawOption<'a>, BadOption>;
    type IntoIter = RawOptionsIter<'a>;

    fn into_iter(self) -> RawOptionsIter<'a> {
        self.iter()
    }
}

/// The iterator of [`RawOptions::iter`].
///
/// ```
/// use segue::codec::{Verify, decode_raw};
/// let mut octets = vec![0; 24];
/// octets[12] = 6 << 4; // one word of options
/// octets[20..].copy_from_slice(&[253, 4, 1, 2]); // an experimental kind
/// let (_, options) = decode_raw(octets.into(), Verify::ByHardware)?;
/// assert_eq!(options.iter().count(), 1);
/// # Ok::<(), segue::codec::DecodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RawOptionsIter<'a> {
    area: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Iterator for RawOptionsIter<'a> {
    type Item = Result<RawOption<'a>, BadOption>;

    /// The next option, on whatever octet it starts (MUST-64).
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&kind, after) = self.rest.split_first()?;
            let offset = self.area.len().saturating_sub(self.rest.len());
            self.rest = after;
            match kind {
                NOP => {}
                EOL => self.rest = &[], // what follows is padding, whatever it holds
                // Every other kind, known or not, has a length (MUST-68), which counts kind and length.
                _ => {
                    let len = after.first().copied();
                    let data = len
                        .and_then(|len| usize::from(len).checked_sub(2))
                        .and_then(|n| after.get(1..).and_then(|after| after.split_at_checked(n)));
                    self.rest = data.map_or(&[], |(_, rest)| rest);
                    return Some(match data {
                        Some((data, _)) => Ok(RawOption { kind, data }),
                        None => Err(BadOption { kind, len, offset }),
                    });
                }
            }
        }
    }
}

impl<'a> RawOptionsIter<'a> {
    /// The options of this area.
    pub(crate) fn over(area: &'a [u8]) -> Self {
        Self { area, rest: area }
    }

    /// Octets of the area up to the end of the last option.
    pub(crate) fn passed(&self) -> usize {
        self.area.len().saturating_sub(self.rest.len())
    }
}

impl core::iter::FusedIterator for RawOptionsIter<'_> {}

/// How timestamps begin where they are all of the area (RFC 7323 App. A), as on nearly every segment.
const ALIGNED_TIMESTAMPS: [u8; 4] = [NOP, NOP, TIMESTAMPS, 10];

/// The options of an area on any segment (MUST-4, MUST-5), by the rules of the [module's
/// table](super#malformed-and-unusual-input).
#[inline]
pub(super) fn parse(area: &[u8]) -> CompactOptions {
    match area.split_first_chunk() {
        None => CompactOptions::default(), // an area of whole words is empty then
        Some((&ALIGNED_TIMESTAMPS, &[a, b, c, d, e, f, g, h])) => {
            let (value, echo) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
            Some(Timestamps { value, echo }).into()
        }
        Some(_) => parse_list(area).into(),
    }
}

/// Any options, in any order.
#[inline(never)]
fn parse_list(area: &[u8]) -> Options {
    let mut options = Options::default();
    for RawOption { kind, data } in RawOptionsIter::over(area).map_while(Result::ok) {
        match (kind, data) {
            (MSS, &[a, b]) => first(&mut options.mss, u16::from_be_bytes([a, b])),
            (WINDOW_SCALE, &[shift]) => first(&mut options.window_scale, shift),
            (SACK_PERMITTED, []) => options.sack_permitted = true,
            (SACK, blocks) if options.sack.is_empty() && blocks.len() % 8 == 0 => {
                for (left, right) in blocks.chunks_exact(8).filter_map(word_pair) {
                    options.sack.push(SackBlock { left: SeqNum::new(left), right: SeqNum::new(right) });
                }
            }
            (TIMESTAMPS, data) if options.timestamps.is_none() => {
                options.timestamps = word_pair(data).map(|(value, echo)| Timestamps { value, echo });
            }
            (USER_TIMEOUT, &[a, b]) => first(&mut options.user_timeout, u16::from_be_bytes([a, b])),
            (FAST_OPEN, cookie) if options.fast_open.is_none() => options.fast_open = FastOpenCookie::new(cookie),
            (AccEcn::ORDER_0 | AccEcn::ORDER_1, data) => {
                first(&mut options.acc_ecn, AccEcn::read(kind == AccEcn::ORDER_1, data));
            }
            _ => {} // an unknown kind (MUST-6) or a known one with another length than it has
        }
    }
    options
}

/// Of duplicates the first counts.
fn first<T>(slot: &mut Option<T>, value: T) {
    slot.get_or_insert(value);
}

/// Two 32-bit words, when there are just two.
fn word_pair(octets: &[u8]) -> Option<(u32, u32)> {
    let &[a, b, c, d, e, f, g, h] = octets else { return None };
    Some((u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])))
}

/// The words of an area with timestamps alone.
#[inline]
pub(super) fn aligned(timestamps: Timestamps) -> [u32; 3] {
    [u32::from_be_bytes(ALIGNED_TIMESTAMPS), timestamps.value, timestamps.echo]
}

/// Writes the options as Linux lays them out, which is how RFC 7323 App. A has it: each field on its natural boundary.
/// Where the padding for that leaves no room in `room` octets, the options stand close together instead. What remains of the area is
/// zero (MUST-69): EOL and padding.
pub(super) fn write(options: &Options, room: usize, to: &mut Writer) {
    let aligned = options.aligned_len() <= room;
    let pad =
        |to: &mut Writer, octets: usize| to.put_slice([NOP, NOP].get(..octets).filter(|_| aligned).unwrap_or(&[]));
    if let Some(mss) = options.mss {
        let [a, b] = mss.to_be_bytes();
        to.put([MSS, 4, a, b]);
    }
    if options.sack_permitted != options.timestamps.is_some() {
        pad(to, 2); // with both, SACK-permitted stands where the NOPs before the timestamps would
    }
    if options.sack_permitted {
        to.put([SACK_PERMITTED, 2]);
    }
    if let Some(Timestamps { value, echo }) = options.timestamps {
        to.put([TIMESTAMPS, 10]);
        to.put(value.to_be_bytes());
        to.put(echo.to_be_bytes());
    }
    if let Some(shift) = options.window_scale {
        pad(to, 1);
        to.put([WINDOW_SCALE, 3, shift]);
    }
    if let Ok(blocks @ 1..) = u8::try_from(options.sack.len()) {
        pad(to, 2);
        to.put([SACK, blocks.saturating_mul(8).saturating_add(2)]);
        for block in options.sack.as_slice() {
            to.put(block.left.value().to_be_bytes());
            to.put(block.right.value().to_be_bytes());
        }
    }
    if let Some(cookie) = options.fast_open {
        let cookie = cookie.as_slice();
        to.put([FAST_OPEN, u8::try_from(2 + cookie.len()).unwrap_or(2)]); // at most 18
        to.put_slice(cookie);
        pad(to, (2 + cookie.len()) % 4); // 0 or 2: cookies have an even length
    }
    if let Some(timeout) = options.user_timeout {
        let [a, b] = timeout.to_be_bytes();
        to.put([USER_TIMEOUT, 4, a, b]);
    }
    if let Some(option) = options.acc_ecn {
        write_acc_ecn(&option, to);
    }
}

/// Kind, length, and three octets of each field (RFC 9768 §3.2.3).
fn write_acc_ecn(option: &AccEcn, to: &mut Writer) {
    let kind = if option.is_order_1() { AccEcn::ORDER_1 } else { AccEcn::ORDER_0 };
    to.put([kind, u8::try_from(option.wire_len()).unwrap_or(2)]); // at most 11
    for field in option.fields() {
        let [_, a, b, c] = field.to_be_bytes();
        to.put([a, b, c]);
    }
}
