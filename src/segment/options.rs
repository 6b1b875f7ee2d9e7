//! The options a segment can carry, packed: presence bits beside fixed fields, no allocation.

use core::fmt;

use super::AccEcn;
use crate::SeqNum;

/// The timestamps option (RFC 7323 §3.2).
///
/// ```
/// use segue::{Options, Segment, Timestamps};
/// let options = Options { timestamps: Some(Timestamps { value: 7, echo: 0 }), ..Options::default() };
/// let segment = Segment { options: options.into(), ..Segment::default() };
/// assert_eq!(segment.options.timestamps().map(|ts| ts.value), Some(7));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamps {
    /// TSval: the sender's clock.
    pub value: u32,
    /// TSecr: the echoed clock of the other side; significant when ACK is set.
    pub echo: u32,
}

/// One block of a SACK option: octets `left..right` have arrived (RFC 2018 §3). On the wire it may be any pair; the
/// machine ignores pairs that are empty or inverted.
///
/// ```
/// use segue::{SackBlock, SeqNum};
/// let block = SackBlock { left: SeqNum::new(3000), right: SeqNum::new(4000) };
/// assert_eq!(block.right - block.left, 1000);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SackBlock {
    /// The first sequence number of the block.
    pub left: SeqNum,
    /// The number after the last.
    pub right: SeqNum,
}

/// Up to four SACK blocks, in order of importance.
///
/// ```
/// use segue::{SackBlock, SackBlocks, SeqNum};
/// let mut blocks = SackBlocks::default();
/// blocks.push(SackBlock { left: SeqNum::new(3000), right: SeqNum::new(4000) });
/// assert_eq!(blocks.as_slice().len(), 1); // 4 at most, as on the wire
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(into = "crate::segment::serial::Blocks", try_from = "crate::segment::serial::Blocks")
)]
pub struct SackBlocks {
    len: u8,
    blocks: [SackBlock; 4],
}

impl SackBlocks {
    /// The most blocks one option area can hold (RFC 2018 §3).
    pub const MAX: usize = 4;

    /// No block.
    ///
    /// ```
    /// use segue::SackBlocks;
    /// assert!(SackBlocks::new().is_empty());
    /// ```
    pub const fn new() -> Self {
        Self { len: 0, blocks: [SackBlock { left: SeqNum::new(0), right: SeqNum::new(0) }; 4] }
    }

    /// Appends a block; false when there are four already.
    ///
    /// ```
    /// use segue::{SackBlock, SackBlocks};
    /// let mut blocks = SackBlocks::new();
    /// assert!((0..SackBlocks::MAX).all(|_| blocks.push(SackBlock::default())));
    /// assert!(!blocks.push(SackBlock::default())); // no room
    /// ```
    pub fn push(&mut self, block: SackBlock) -> bool {
        let len = self.len;
        match self.blocks.get_mut(usize::from(len)) {
            Some(slot) => {
                *slot = block;
                self.len = len + 1;
                true
            }
            None => false,
        }
    }

    /// The blocks.
    ///
    /// ```
    /// use segue::{SackBlock, SackBlocks, SeqNum};
    /// let block = SackBlock { left: SeqNum::new(3000), right: SeqNum::new(4000) };
    /// let mut blocks = SackBlocks::new();
    /// blocks.push(block);
    /// assert_eq!(blocks.as_slice(), [block]);
    /// ```
    pub fn as_slice(&self) -> &[SackBlock] {
        self.blocks.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Keeps the first `n` blocks.
    ///
    /// ```
    /// use segue::{SackBlock, SackBlocks, SeqNum};
    /// let block = |left| SackBlock { left: SeqNum::new(left), right: SeqNum::new(left + 1000) };
    /// let mut blocks = SackBlocks::new();
    /// blocks.push(block(3000));
    /// blocks.push(block(7000));
    /// blocks.truncate(1); // the most important stays
    /// assert_eq!(blocks.as_slice(), [block(3000)]);
    /// ```
    pub fn truncate(&mut self, n: usize) {
        while usize::from(self.len) > n {
            self.len -= 1;
            if let Some(slot) = self.blocks.get_mut(usize::from(self.len)) {
                *slot = SackBlock::default(); // unused places stay zero, so that `==` compares blocks only
            }
        }
    }

    /// Whether there is no block.
    ///
    /// ```
    /// use segue::{SackBlock, SackBlocks};
    /// let mut blocks = SackBlocks::new();
    /// assert!(blocks.is_empty());
    /// blocks.push(SackBlock::default());
    /// assert!(!blocks.is_empty());
    /// ```
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many blocks there are, 0 to 4.
    ///
    /// ```
    /// use segue::{SackBlock, SackBlocks};
    /// let mut blocks = SackBlocks::new();
    /// blocks.push(SackBlock::default());
    /// assert_eq!(blocks.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }
}

impl fmt::Debug for SackBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// A Fast Open cookie (RFC 7413 §4.1.1): empty asks for one.
///
/// ```
/// use segue::FastOpenCookie;
/// let cookie = FastOpenCookie::new(&[7; 8]).expect("4 to 16 octets, an even number");
/// assert_eq!(cookie.as_slice(), [7; 8]);
/// assert_eq!(FastOpenCookie::new(&[7; 5]), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(into = "crate::segment::serial::Octets", try_from = "crate::segment::serial::Octets")
)]
pub struct FastOpenCookie {
    len: u8,
    octets: [u8; 16],
}

impl FastOpenCookie {
    /// The cookie with these octets: none (a request), or an even number from 4 to 16.
    ///
    /// ```
    /// use segue::FastOpenCookie;
    /// assert!(FastOpenCookie::new(&[7; 8]).is_some());
    /// assert_eq!(FastOpenCookie::new(&[]), Some(FastOpenCookie::default())); // a request
    /// assert_eq!(FastOpenCookie::new(&[7; 5]), None);
    /// ```
    pub fn new(octets: &[u8]) -> Option<Self> {
        let len = u8::try_from(octets.len()).ok().filter(|&n| n == 0 || ((4..=16).contains(&n) && n % 2 == 0))?;
        let mut cookie = Self { len, octets: [0; 16] };
        cookie.octets.get_mut(..octets.len())?.copy_from_slice(octets);
        Some(cookie)
    }

    /// The octets; empty for a request.
    ///
    /// ```
    /// use segue::FastOpenCookie;
    /// let cookie = FastOpenCookie::new(&[7; 8]).expect("4 to 16 octets, an even number");
    /// assert_eq!(cookie.as_slice(), [7; 8]);
    /// ```
    pub fn as_slice(&self) -> &[u8] {
        self.octets.get(..self.len()).unwrap_or(&[])
    }

    #[inline]
    fn len(&self) -> usize {
        usize::from(self.len)
    }
}

impl fmt::Debug for FastOpenCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FastOpenCookie(")?;
        self.as_slice().iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
        f.write_str(")")
    }
}

/// The options of one segment. The default has none.
///
/// ```
/// use segue::{Options, Timestamps};
/// let mut options = Options { mss: Some(1460), ..Options::default() };
/// options.timestamps = Some(Timestamps { value: 1, echo: 0 });
/// assert_eq!(options.wire_len(), 16); // MSS 4, NOP NOP timestamps 12
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Options {
    /// Maximum segment size (RFC 9293 §3.2): the value on the wire. Only SYN segments send it (MUST-65).
    pub mss: Option<u16>,
    /// Window scale: the shift count on the wire, 0 to 255 (RFC 7323 §2.2).
    pub window_scale: Option<u8>,
    /// SACK-permitted (RFC 2018 §2).
    pub sack_permitted: bool,
    /// Timestamps (RFC 7323 §3.2).
    pub timestamps: Option<Timestamps>,
    /// SACK blocks (RFC 2018 §3).
    pub sack: SackBlocks,
    /// Fast Open cookie (RFC 7413).
    pub fast_open: Option<FastOpenCookie>,
    /// User timeout as on the wire: the highest bit set for minutes, 15 bits of value (RFC 5482 §3).
    pub user_timeout: Option<u16>,
    /// AccECN (RFC 9768 §3.2.3). On a SYN it means nothing.
    #[cfg_attr(feature = "arbitrary", arbitrary(value = None))] // `Segment` makes one of a cookie
    pub acc_ecn: Option<AccEcn>,
}

/// Octets of options that end on a word.
const fn padded(octets: usize) -> usize {
    octets.saturating_add(3) & !3
}

impl Options {
    /// The most octets a header has for options: the data offset counts up to 15 words, the fixed header takes 5.
    pub const MAX_WIRE_LEN: usize = 40;

    /// Octets of the option area when encoded, a multiple of four. More than [`MAX_WIRE_LEN`](Self::MAX_WIRE_LEN):
    /// these options do not fit into one header, and cannot be encoded.
    ///
    /// ```
    /// use segue::Options;
    /// let options = Options { mss: Some(1460), window_scale: Some(7), ..Options::default() };
    /// assert_eq!(options.wire_len(), 8); // MSS 4, NOP window scale 4
    /// assert!(options.wire_len() <= Options::MAX_WIRE_LEN); // they can be encoded
    /// ```
    #[inline(never)]
    pub fn wire_len(&self) -> usize {
        let aligned = self.aligned_len();
        if aligned <= Self::MAX_WIRE_LEN { aligned } else { padded(self.packed_len()) }
    }

    /// [`wire_len`](Self::wire_len) where there is room for this many octets only.
    pub(crate) fn len_within(&self, room: usize) -> usize {
        let aligned = self.aligned_len();
        if aligned <= room { aligned } else { padded(self.packed_len()) }
    }

    /// Octets with the NOPs that put every field on its natural boundary (RFC 7323 App. A).
    pub(crate) fn aligned_len(&self) -> usize {
        4 * usize::from(self.mss.is_some())
            // SACK-permitted stands in the place of the two NOPs
            + if self.timestamps.is_some() { 12 } else { 4 * usize::from(self.sack_permitted) }
            + 4 * usize::from(self.window_scale.is_some())
            + 4 * usize::from(!self.sack.is_empty()) + 8 * self.sack.len()
            + 4 * usize::from(self.user_timeout.is_some())
            + if let Some(cookie) = &self.fast_open { padded(2 + cookie.len()) } else { 0 }
            + if let Some(option) = &self.acc_ecn { padded(option.wire_len()) } else { 0 }
    }

    /// Octets without any NOP: for options that have no room to be aligned.
    #[cold]
    #[inline(never)]
    fn packed_len(&self) -> usize {
        4 * usize::from(self.mss.is_some())
            + 2 * usize::from(self.sack_permitted)
            + 10 * usize::from(self.timestamps.is_some())
            + 3 * usize::from(self.window_scale.is_some())
            + if self.sack.is_empty() { 0 } else { 2 + 8 * self.sack.len() }
            + self.fast_open.map_or(0, |cookie| 2 + cookie.len())
            + 4 * usize::from(self.user_timeout.is_some())
            + self.acc_ecn.map_or(0, |option| option.wire_len())
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for SackBlocks {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        let mut blocks = Self::new();
        for _ in 0..u.int_in_range(0..=4)? {
            blocks.push(u.arbitrary()?);
        }
        Ok(blocks)
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for FastOpenCookie {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        let octets: [u8; 16] = u.arbitrary()?;
        let len = *u.choose(&[0usize, 4, 6, 8, 10, 12, 14, 16])?;
        Ok(Self::new(octets.get(..len).unwrap_or(&[])).unwrap_or_default())
    }
}
