//! Sequence numbers: arithmetic modulo 2³² (RFC 9293 §3.4).

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

/// A sequence number: a point on a circle of 2³² octets (RFC 9293 §3.4).
///
/// There is no `<`: on a circle it would lie. Ask [`before`](Self::before), [`after`](Self::after) or
/// [`within`](Self::within) instead. Of two numbers exactly 2³¹ apart neither is before, at or after the other. Windows
/// are smaller than 2³⁰, so such a number lies outside of every one.
///
/// ```
/// use segue::SeqNum;
/// let last = SeqNum::new(u32::MAX);
/// assert!(last.before(last + 1));
/// assert_eq!(last + 1, SeqNum::new(0));
/// assert_eq!((last + 5) - last, 5);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct SeqNum(u32);

impl SeqNum {
    /// The sequence number with this value on the wire.
    ///
    /// ```
    /// use segue::SeqNum;
    /// assert_eq!(SeqNum::new(u32::MAX) + 1, SeqNum::new(0));
    /// ```
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The value on the wire.
    ///
    /// ```
    /// use segue::SeqNum;
    /// assert_eq!((SeqNum::new(7) - 8_u32).value(), u32::MAX);
    /// ```
    pub const fn value(self) -> u32 {
        self.0
    }

    /// `self < other` in the RFC's sense: `other` lies less than 2³¹ ahead.
    ///
    /// ```
    /// use segue::SeqNum;
    /// let (last, first) = (SeqNum::new(u32::MAX), SeqNum::new(0));
    /// assert!(last.before(first) && !first.before(last) && !first.before(first));
    /// ```
    pub const fn before(self, other: Self) -> bool {
        other.0.wrapping_sub(self.0).wrapping_sub(1) < 0x7FFF_FFFF
    }

    /// `self =< other`.
    ///
    /// ```
    /// use segue::SeqNum;
    /// let (last, first) = (SeqNum::new(u32::MAX), SeqNum::new(0));
    /// assert!(last.at_or_before(first) && first.at_or_before(first));
    /// ```
    pub const fn at_or_before(self, other: Self) -> bool {
        other.0.wrapping_sub(self.0) < 0x8000_0000
    }

    /// `self > other`.
    ///
    /// ```
    /// use segue::SeqNum;
    /// let (last, first) = (SeqNum::new(u32::MAX), SeqNum::new(0));
    /// assert!(first.after(last) && !first.after(first));
    /// ```
    pub const fn after(self, other: Self) -> bool {
        other.before(self)
    }

    /// `self >= other`.
    ///
    /// ```
    /// use segue::SeqNum;
    /// let (last, first) = (SeqNum::new(u32::MAX), SeqNum::new(0));
    /// assert!(first.at_or_after(last) && first.at_or_after(first));
    /// ```
    pub const fn at_or_after(self, other: Self) -> bool {
        other.at_or_before(self)
    }

    /// `start =< self < start + len`: the octet lies in the window that starts at `start`.
    ///
    /// ```
    /// use segue::SeqNum;
    /// let start = SeqNum::new(u32::MAX); // a window of two octets: this one, and 0
    /// assert!(start.within(start, 2) && SeqNum::new(0).within(start, 2));
    /// assert!(!SeqNum::new(1).within(start, 2));
    /// ```
    pub const fn within(self, start: Self, len: u32) -> bool {
        self.0.wrapping_sub(start.0) < len
    }

    /// The later of two numbers.
    ///
    /// ```
    /// use segue::SeqNum;
    /// assert_eq!(SeqNum::new(u32::MAX).max(SeqNum::new(0)), SeqNum::new(0));
    /// ```
    #[must_use]
    pub const fn max(self, other: Self) -> Self {
        if self.before(other) { other } else { self }
    }

    /// The earlier of two numbers.
    ///
    /// ```
    /// use segue::SeqNum;
    /// assert_eq!(SeqNum::new(u32::MAX).min(SeqNum::new(0)), SeqNum::new(u32::MAX));
    /// ```
    #[must_use]
    pub const fn min(self, other: Self) -> Self {
        if other.before(self) { other } else { self }
    }

    /// How far `self` lies ahead of `earlier`; 0 when it does not.
    ///
    /// ```
    /// use segue::SeqNum;
    /// let (early, late) = (SeqNum::new(u32::MAX), SeqNum::new(4));
    /// assert_eq!((late.saturating_since(early), early.saturating_since(late)), (5, 0));
    /// ```
    pub const fn saturating_since(self, earlier: Self) -> u32 {
        if earlier.before(self) { self.0.wrapping_sub(earlier.0) } else { 0 }
    }
}

impl Add<u32> for SeqNum {
    type Output = Self;
    fn add(self, octets: u32) -> Self {
        Self(self.0.wrapping_add(octets))
    }
}

impl AddAssign<u32> for SeqNum {
    fn add_assign(&mut self, octets: u32) {
        *self = *self + octets;
    }
}

impl Sub<u32> for SeqNum {
    type Output = Self;
    fn sub(self, octets: u32) -> Self {
        Self(self.0.wrapping_sub(octets))
    }
}

/// The distance from `rhs` forward to `self`, modulo 2³².
impl Sub for SeqNum {
    type Output = u32;
    fn sub(self, rhs: Self) -> u32 {
        self.0.wrapping_sub(rhs.0)
    }
}

impl fmt::Debug for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::SeqNum;

    const EDGES: [u32; 9] = [0, 1, 2, 0x7FFF_FFFE, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, u32::MAX - 1, u32::MAX];

    #[test]
    fn order_depends_on_distance_only() {
        for base in EDGES {
            for d in [1u32, 2, 1000, 0x7FFF_FFFF] {
                let (a, b) = (SeqNum::new(base), SeqNum::new(base) + d);
                assert!(a.before(b) && !b.before(a) && b.after(a) && a.at_or_before(b) && !a.at_or_after(b));
                assert_eq!((a.max(b), a.min(b), b - a, b - d), (b, a, d, a));
                assert_eq!((b.saturating_since(a), a.saturating_since(b)), (d, 0));
            }
        }
    }

    #[test]
    fn within_is_the_half_open_window() {
        for base in EDGES {
            let start = SeqNum::new(base);
            assert!(!start.within(start, 0));
            assert!(start.within(start, 1) && !(start + 1).within(start, 1));
            assert!((start + 9).within(start, 10) && !(start + 10).within(start, 10) && !(start - 1).within(start, 10));
        }
    }
}
