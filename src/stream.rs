//! Places in a stream, which unlike sequence numbers never repeat: positions in the sequence space, offsets in the
//! text.

use core::fmt;
use core::ops::{Add, AddAssign, Range, Sub};

use bytes::Bytes;

/// No stream gets further: that takes centuries.
const FURTHEST: u64 = 1 << 62;

/// A place that was read is half as far at the most: what follows does not lead beyond the end.
#[cfg(feature = "serde")]
fn read(at: u64) -> Result<u64, &'static str> {
    if at <= FURTHEST / 2 { Ok(at) } else { Err("a stream without end") }
}

/// A place in the sequence space of one direction, counted from the ISS: the SYN takes position 0, each octet of text
/// one, the FIN the one after. In memory it is aligned as the sequence numbers that it stands beside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(Rust, packed(4))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "u64"))]
pub(crate) struct Position(u64);

#[cfg(feature = "serde")]
impl TryFrom<u64> for Position {
    type Error = &'static str;
    fn try_from(at: u64) -> Result<Self, Self::Error> {
        read(at).map(Self)
    }
}

impl Position {
    /// That of the SYN.
    pub(crate) const ISS: Self = Self(0);

    /// `octets` before this one, at least that of the SYN.
    #[inline]
    pub(crate) fn saturating_sub(self, octets: u32) -> Self {
        Self(self.0.saturating_sub(u64::from(octets)))
    }

    /// `octets` before this one, if it is not before the SYN.
    #[inline]
    pub(crate) fn checked_sub(self, octets: u32) -> Option<Self> {
        self.0.checked_sub(u64::from(octets)).map(Self)
    }

    /// Octets since `earlier`; 0 when that is later.
    #[inline]
    pub(crate) fn saturating_since(self, earlier: Self) -> u32 {
        saturated(self.0.saturating_sub(earlier.0))
    }

    /// Whether a stream may get as far: sums of it and of a window stay in 64 bits.
    pub(crate) const fn is_reached(self) -> bool {
        self.0 <= FURTHEST
    }

    /// Octets since the SYN, modulo 2^32: what the sequence number is beyond ISS.
    pub(crate) fn wrapped(self) -> u32 {
        u32::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(0)
    }
}

impl Add<u32> for Position {
    type Output = Self;
    #[inline]
    fn add(self, octets: u32) -> Self {
        Self(self.0 + u64::from(octets))
    }
}

impl Sub<u32> for Position {
    type Output = Self;
    #[inline]
    fn sub(self, octets: u32) -> Self {
        Self(self.0 - u64::from(octets))
    }
}

/// A part of the text; nothing, where the range is not inside of it: so `slice`, which has the same check, cannot panic.
#[inline]
pub(crate) fn slice_of(text: &Bytes, range: Range<usize>) -> Bytes {
    if text.get(range.clone()).is_some() { text.slice(range) } else { Bytes::new() }
}

/// Octets since `earlier`, which is not later. The flight is shorter than 2^31.
impl Sub for Position {
    type Output = u32;
    #[inline]
    fn sub(self, earlier: Self) -> u32 {
        saturated(self.0 - earlier.0)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&{ self.0 }, f)
    }
}

/// A place in the text of one direction, counted from its first octet: neither SYN nor FIN has one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "u64"))]
pub(crate) struct Offset(u64);

#[cfg(feature = "serde")]
impl TryFrom<u64> for Offset {
    type Error = &'static str;
    fn try_from(at: u64) -> Result<Self, Self::Error> {
        read(at).map(Self)
    }
}

impl Offset {
    /// That of the first octet.
    pub(crate) const START: Self = Self(0);

    /// Where `text` that starts here ends.
    #[inline]
    pub(crate) fn end_of(self, text: &[u8]) -> Self {
        Self(self.0 + widened(text.len()))
    }

    /// The same, if a stream may get as far.
    pub(crate) fn checked_end_of(self, text: &[u8]) -> Option<Self> {
        self.0.checked_add(widened(text.len())).map(Self).filter(|end| end.is_reached())
    }

    /// Whether a stream may get as far: sums of it and of a window stay in 64 bits.
    pub(crate) const fn is_reached(self) -> bool {
        self.0 <= FURTHEST
    }

    /// The index of this octet in text that starts at `start`; beyond any text where this one lies before `start`.
    #[inline]
    pub(crate) fn index_from(self, start: Self) -> usize {
        usize::try_from(self.0.wrapping_sub(start.0)).unwrap_or(usize::MAX)
    }

    /// `octets` before this one, at least that of the first octet.
    #[inline]
    pub(crate) fn saturating_sub(self, octets: u32) -> Self {
        Self(self.0.saturating_sub(u64::from(octets)))
    }

    /// Octets since `earlier`; 0 when that is later.
    #[inline]
    pub(crate) fn saturating_since(self, earlier: Self) -> u32 {
        saturated(self.0.saturating_sub(earlier.0))
    }
}

impl Add<u32> for Offset {
    type Output = Self;
    #[inline]
    fn add(self, octets: u32) -> Self {
        Self(self.0 + u64::from(octets))
    }
}

impl AddAssign<u32> for Offset {
    #[inline]
    fn add_assign(&mut self, octets: u32) {
        *self = *self + octets;
    }
}

impl Sub<usize> for Offset {
    type Output = Self;
    #[inline]
    fn sub(self, octets: usize) -> Self {
        Self(self.0 - widened(octets))
    }
}

/// Octets of text since `earlier`, which is not later.
impl Sub for Offset {
    type Output = usize;
    #[inline]
    fn sub(self, earlier: Self) -> usize {
        usize::try_from(self.0 - earlier.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Debug for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[inline]
fn saturated(octets: u64) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}

#[inline]
fn widened(octets: usize) -> u64 {
    u64::try_from(octets).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_offsets_go_on_where_sequence_numbers_repeat() {
        let position = Position::ISS + u32::MAX + 2;
        assert!(position > Position::ISS + u32::MAX);
        assert_eq!((position - (Position::ISS + 1), position - u32::MAX), (u32::MAX, Position::ISS + 2));
        assert_eq!((position - Position::ISS, position.saturating_since(Position::ISS)), (u32::MAX, u32::MAX));
        let mut offset = Offset::START + u32::MAX;
        offset += 2;
        assert!(offset > Offset::START + u32::MAX);
        assert_eq!(offset.saturating_since(Offset::START), u32::MAX);
    }

    #[test]
    fn nothing_lies_before_the_start() {
        let position = Position::ISS + 5;
        assert_eq!((position.checked_sub(5), position.checked_sub(6)), (Some(Position::ISS), None));
        assert_eq!((position.saturating_sub(6), Position::ISS.saturating_since(position)), (Position::ISS, 0));
        let offset = Offset::START + 5;
        assert_eq!((offset.saturating_sub(6), Offset::START.saturating_since(offset)), (Offset::START, 0));
    }

    #[test]
    fn text_lies_between_its_offsets() {
        let (start, text) = (Offset::START + 7, b"text");
        let end = start.end_of(text);
        assert_eq!((end - start, end - text.len()), (4, start));
        assert_eq!(((start + 2).index_from(start), end.index_from(start)), (2, 4));
        assert!(Offset::START.index_from(start) > 1 << 30);
    }
}
