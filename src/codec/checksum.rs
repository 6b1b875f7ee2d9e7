//! The Internet checksum (RFC 1071) and the pseudo-headers that TCP's covers.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// TCP's protocol number.
const PROTOCOL: u8 = 6;

/// A ones' complement sum of 16-bit words that grows piece by piece; pieces may have any length and alignment.
///
/// ```
/// use segue::codec::Sum;
/// // The example of RFC 1071 §3.
/// let mut sum = Sum::new();
/// sum.add(&[0x00, 0x01, 0xf2]);
/// sum.add(&[0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
/// assert_eq!((sum.value(), sum.checksum()), (0xddf2, !0xddf2));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Sum {
    /// The folded sum of words read in the machine's own byte order: the octets in memory are those of the true sum on
    /// every machine (RFC 1071 §2 (B)).
    native: u16,
    /// Whether an odd number of octets has gone in, so that the next one is the low half of a word.
    odd: bool,
}

impl Sum {
    /// The sum of nothing.
    ///
    /// ```
    /// use segue::codec::Sum;
    /// assert_eq!((Sum::new().value(), Sum::new().checksum()), (0, 0xffff));
    /// ```
    pub const fn new() -> Self {
        Self { native: 0, odd: false }
    }

    /// Continues the sum over `octets`.
    ///
    /// ```
    /// use segue::codec::Sum;
    /// let (mut whole, mut pieces) = (Sum::new(), Sum::new());
    /// whole.add(b"segments");
    /// pieces.add(b"seg"); // an odd number of octets
    /// pieces.add(b"ments");
    /// assert_eq!(whole, pieces);
    /// ```
    pub fn add(&mut self, octets: &[u8]) {
        let piece = fold(sum_words(octets));
        // Behind an odd number of octets every octet stands in the other half of its word (RFC 1071 §2 (B)).
        let piece = if self.odd { piece.swap_bytes() } else { piece };
        let (sum, carry) = self.native.overflowing_add(piece);
        self.native = sum + u16::from(carry); // no overflow: a sum that carried is at most 0xFFFE
        self.odd ^= octets.len() % 2 == 1;
    }

    /// The sum. Over data that contain their own correct checksum it is 0xFFFF.
    ///
    /// ```
    /// use segue::codec::Sum;
    /// let mut sum = Sum::new();
    /// sum.add(&[0x12, 0x34]);
    /// assert_eq!(sum.value(), 0x1234);
    /// sum.add(&sum.checksum().to_be_bytes());
    /// assert_eq!(sum.value(), 0xffff); // the data are sound
    /// ```
    pub const fn value(self) -> u16 {
        u16::from_be(self.native)
    }

    /// The checksum: the complement of the sum.
    ///
    /// ```
    /// use segue::codec::Sum;
    /// let mut sum = Sum::new();
    /// sum.add(&[0x12, 0x34]);
    /// assert_eq!(sum.checksum(), !0x1234);
    /// ```
    pub const fn checksum(self) -> u16 {
        !self.value()
    }
}

/// From here on [`sum_long`] is faster than [`sum_short`].
const LONG: usize = 128;

/// The most octets that [`sum_long`] takes at once: its sums of halves have room for 2³² words.
const PIECE: usize = 1 << 15;

/// The sum of `octets` as words in native order, of 64 bits as long as they last, not folded; the last is padded with
/// zeros. 128 bits leave room for all carries.
#[inline]
fn sum_words(octets: &[u8]) -> u128 {
    if usize::BITS < u64::BITS {
        return sum_narrow(octets).into();
    }
    if octets.len() < LONG { sum_short(octets) } else { sum_long(octets) }
}

/// The same in words of 32 bits, for machines whose registers hold no more. 64 bits leave room for the carries of all
/// that memory can hold there.
#[inline(never)]
fn sum_narrow(octets: &[u8]) -> u64 {
    let words = octets.chunks_exact(4);
    let mut last = [0; 4];
    words.remainder().iter().zip(&mut last).for_each(|(&octet, place)| *place = octet);
    let word = |octets: &[u8]| octets.first_chunk().map_or(0, |&word| u64::from(u32::from_ne_bytes(word)));
    words.map(word).sum::<u64>() + u64::from(u32::from_ne_bytes(last))
}

/// [`sum_words`] as a call, for input that is seldom there.
#[inline]
fn sum_called(octets: &[u8]) -> u128 {
    #[inline(never)]
    fn call(octets: &[u8]) -> u128 {
        sum_words(octets)
    }
    if octets.is_empty() { 0 } else { call(octets) }
}

/// Of sums of words of 64 bits: memory has not the 2⁶⁴ words with which it would wrap.
#[inline]
const fn plus(a: u128, b: u128) -> u128 {
    a.wrapping_add(b)
}

#[inline]
fn sum_short(mut octets: &[u8]) -> u128 {
    let mut sum = 0;
    while let Some((words, rest)) = octets.split_first_chunk::<32>() {
        sum = words.chunks_exact(8).fold(sum, |sum, octets| plus(sum, word(octets).into()));
        octets = rest;
    }
    if let Some((&pair, rest)) = octets.split_first_chunk() {
        let pair = u128::from_ne_bytes(pair);
        sum = plus(sum, plus(pair & u128::from(u64::MAX), pair >> 64));
        octets = rest;
    }
    if let Some((&word, rest)) = octets.split_first_chunk() {
        sum = plus(sum, u64::from_ne_bytes(word).into());
        octets = rest;
    }
    if let Some((&word, rest)) = octets.split_first_chunk() {
        sum = plus(sum, u32::from_ne_bytes(word).into());
        octets = rest;
    }
    if let Some((&word, rest)) = octets.split_first_chunk() {
        sum = plus(sum, u16::from_ne_bytes(word).into());
        octets = rest;
    }
    octets.first().map_or(sum, |&last| plus(sum, u16::from_ne_bytes([last, 0]).into()))
}

/// Without carries, so that compilers use vectors: the sum modulo 2⁶⁴ and the sum of the upper halves give the sum of
/// the lower halves.
#[inline(never)]
fn sum_long(octets: &[u8]) -> u128 {
    if octets.len() > PIECE {
        return octets.chunks(PIECE).map(sum_long).fold(0, plus);
    }
    let rest = octets.chunks_exact(32).remainder();
    let (mut all, mut upper) = (0u64, 0u64);
    for octets in octets.get(..octets.len() - rest.len()).unwrap_or(&[]).chunks_exact(8) {
        all = all.wrapping_add(word(octets));
        upper = upper.wrapping_add(word(octets) >> 32);
    }
    let lower = all.wrapping_sub(upper << 32);
    plus(lower.wrapping_add(upper).into(), sum_short(rest))
}

/// The word in eight octets.
#[inline]
fn word(octets: &[u8]) -> u64 {
    octets.first_chunk().map_or(0, |&word| u64::from_ne_bytes(word))
}

/// Folds the carries in, so that 2¹⁶ counts as 1. Adding the halves crosswise leaves their sum in the upper half, the
/// carry out of it added at its lower end.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
fn fold(sum: u128) -> u16 {
    let [a, b, c, d, e, f, g, h, ..] = sum.wrapping_add(sum.rotate_left(64)).to_be_bytes();
    let sum = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let [a, b, c, d, ..] = sum.wrapping_add(sum.rotate_left(32)).to_be_bytes();
    let sum = u32::from_be_bytes([a, b, c, d]);
    let [a, b, ..] = sum.wrapping_add(sum.rotate_left(16)).to_be_bytes();
    u16::from_be_bytes([a, b])
}

/// The addresses of a segment: with TCP's protocol number and the length they make the pseudo-header that the checksum
/// covers (RFC 9293 §3.1, RFC 8200 §8.1).
///
/// Over IPv6 the destination is the final one, also where a routing header names another on the way.
///
/// ```
/// use core::net::Ipv4Addr;
/// use segue::codec::PseudoHeader;
/// let there = PseudoHeader::V4 { src: Ipv4Addr::new(10, 0, 0, 1), dst: Ipv4Addr::new(10, 0, 0, 2) };
/// assert_eq!(there.reversed().src(), there.dst());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum PseudoHeader {
    /// Over IPv4.
    V4 {
        /// The source address.
        src: Ipv4Addr,
        /// The destination address.
        dst: Ipv4Addr,
    },
    /// Over IPv6.
    V6 {
        /// The source address.
        src: Ipv6Addr,
        /// The (final) destination address.
        dst: Ipv6Addr,
    },
}

impl PseudoHeader {
    /// The pseudo-header of these addresses; none when they are of different versions.
    ///
    /// ```
    /// use segue::codec::PseudoHeader;
    /// assert!(PseudoHeader::new("10.0.0.1".parse()?, "10.0.0.2".parse()?).is_some());
    /// assert_eq!(PseudoHeader::new("10.0.0.1".parse()?, "2001:db8::1".parse()?), None);
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub const fn new(src: IpAddr, dst: IpAddr) -> Option<Self> {
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => Some(Self::V4 { src, dst }),
            (IpAddr::V6(src), IpAddr::V6(dst)) => Some(Self::V6 { src, dst }),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }

    /// The source address.
    ///
    /// ```
    /// use segue::codec::PseudoHeader;
    /// let there = PseudoHeader::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() };
    /// assert_eq!(there.src().to_string(), "10.0.0.1");
    /// ```
    pub const fn src(&self) -> IpAddr {
        match *self {
            Self::V4 { src, .. } => IpAddr::V4(src),
            Self::V6 { src, .. } => IpAddr::V6(src),
        }
    }

    /// The destination address.
    ///
    /// ```
    /// use segue::codec::PseudoHeader;
    /// let there = PseudoHeader::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() };
    /// assert_eq!(there.dst().to_string(), "10.0.0.2");
    /// ```
    pub const fn dst(&self) -> IpAddr {
        match *self {
            Self::V4 { dst, .. } => IpAddr::V4(dst),
            Self::V6 { dst, .. } => IpAddr::V6(dst),
        }
    }

    /// That of the opposite direction.
    ///
    /// ```
    /// use segue::codec::PseudoHeader;
    /// let there = PseudoHeader::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() };
    /// let back = there.reversed(); // for the answer
    /// assert_eq!((back.src(), back.dst()), (there.dst(), there.src()));
    /// ```
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::V4 { src, dst } => Self::V4 { src: dst, dst: src },
            Self::V6 { src, dst } => Self::V6 { src: dst, dst: src },
        }
    }

    /// The longest segment, header included, that one IP packet carries: what the 16-bit length fields leave.
    ///
    /// ```
    /// use segue::codec::PseudoHeader;
    /// let there = PseudoHeader::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() };
    /// assert_eq!(there.max_len(), 65_515); // an IP packet has 65,535 octets at most, its header 20
    /// ```
    pub const fn max_len(&self) -> usize {
        match self {
            Self::V4 { .. } => 65_535 - 20, // Total Length counts the IP header
            Self::V6 { .. } => 65_535,      // Payload Length does not
        }
    }

    /// The pseudo-header of a segment of `len` octets, header included, as [`sum_words`] sums it.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn words(&self, len: u16) -> u128 {
        // The zeros beside the protocol number, and over IPv6 the upper half of the length, add nothing.
        let [high, low] = len.to_be_bytes();
        let last = u128::from(u32::from_ne_bytes([0, PROTOCOL, high, low]));
        let addresses = match self {
            Self::V4 { src, dst } => plus(sum_words(&src.octets()), sum_words(&dst.octets())),
            Self::V6 { src, dst } => plus(sum_words(&src.octets()), sum_words(&dst.octets())),
        };
        plus(last, addresses)
    }

    /// The sum over the pseudo-header, the first words of a header as they stand in memory, its rest, and the text. All
    /// but the text have an even length.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn sum(&self, len: u16, words: [u64; 4], rest: &[u8], text: &[u8]) -> u16 {
        let header = words.iter().fold(sum_called(rest), |sum, &word| plus(sum, word.into()));
        u16::from_be(fold(plus(self.words(len), plus(header, sum_called(text)))))
    }
}

/// The checksum of an encoded segment (header and text) whose checksum field is zero. [`encode`](super::encode) fills
/// the field by itself; this is for those who change a segment afterwards.
///
/// Lengths beyond [`PseudoHeader::max_len`] have no checksum: `None`.
///
/// ```
/// use segue::codec::{PseudoHeader, checksum};
/// let there = PseudoHeader::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() };
/// let mut octets = [0; 20];
/// let sum = checksum(there, &octets).expect("an IP packet takes them");
/// octets[16..18].copy_from_slice(&sum.to_be_bytes());
/// assert_eq!(checksum(there, &octets), Some(0)); // over a right segment it is 0
/// ```
pub fn checksum(pseudo: PseudoHeader, octets: &[u8]) -> Option<u16> {
    sum_segment(pseudo, octets).map(|sum| !sum)
}

/// The sum over pseudo-header and segment: 0xFFFF when the segment's checksum is right.
#[inline]
pub(super) fn sum_segment(pseudo: PseudoHeader, octets: &[u8]) -> Option<u16> {
    let len = u16::try_from(octets.len()).ok().filter(|_| octets.len() <= pseudo.max_len())?;
    Some(u16::from_be(fold(plus(pseudo.words(len), sum_words(octets)))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// RFC 1071 §1 to the letter: one word at a time.
    fn naive(octets: &[u8]) -> u16 {
        octets.chunks(2).fold(0, |sum, word| {
            let word = u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]);
            let (sum, carry) = word.overflowing_add(sum);
            sum + u16::from(carry)
        })
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1u32;
        let step = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..len).map(step).collect()
    }

    /// What machines of 32 bits do.
    #[test]
    fn words_of_32_bits_give_the_same_sum() {
        let octets = noise(100);
        for (start, end) in (0..8).flat_map(|start| (start..100).map(move |end| (start, end))) {
            let octets = &octets[start..end];
            assert_eq!(u16::from_be(fold(sum_narrow(octets).into())), naive(octets), "{start}..{end}");
        }
    }

    #[test]
    fn every_length_and_alignment_agrees_with_the_naive_sum() {
        let octets = noise(400);
        for start in 0..40 {
            for end in start..octets.len() {
                let mut sum = Sum::new();
                sum.add(&octets[start..end]);
                assert_eq!(sum.value(), naive(&octets[start..end]), "{start}..{end}");
            }
        }
    }

    #[test]
    fn every_split_in_three_pieces_agrees_with_the_whole() {
        let octets = noise(75);
        for first in 0..=octets.len() {
            for second in first..=octets.len() {
                let mut sum = Sum::new();
                [&octets[..first], &octets[first..second], &octets[second..]].iter().for_each(|piece| sum.add(piece));
                assert_eq!(sum.value(), naive(&octets), "{first} {second}");
            }
        }
    }

    #[test]
    fn the_carries_of_saturated_words_are_kept() {
        for len in [1, 2, 3, 31, 32, 33, 4096, 65_535, 65_536, 1 << 20] {
            for octet in [0x00, 0x01, 0x80, 0xFE, 0xFF] {
                let octets = alloc::vec![octet; len];
                let mut sum = Sum::new();
                sum.add(&octets);
                assert_eq!(sum.value(), naive(&octets), "{len} times {octet:#x}");
            }
        }
    }

    #[test]
    fn pseudo_headers_are_those_of_the_standards() {
        let (a, b) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 200));
        let v4 = PseudoHeader::new(a.into(), b.into()).unwrap();
        // RFC 9293 Figure 2.
        assert_eq!(v4.sum(0x1234, [0; 4], &[], &[]), naive(&[192, 0, 2, 1, 198, 51, 100, 200, 0, 6, 0x12, 0x34]));
        let (c, d) = (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 1, 2, 3, 4), Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xabcd));
        let v6 = PseudoHeader::new(c.into(), d.into()).unwrap();
        // RFC 8200 §8.1: addresses, 32 bits of length, three zeros, next header.
        let mut octets = [c.octets(), d.octets()].concat();
        octets.extend([0, 0, 0x12, 0x34, 0, 0, 0, 6]);
        assert_eq!(v6.sum(0x1234, [0; 4], &[], &[]), naive(&octets));
        assert_eq!(PseudoHeader::new(a.into(), d.into()), None);
        assert_eq!(PseudoHeader::new(c.into(), b.into()), None);
        for pseudo in [v4, v6] {
            let back = pseudo.reversed();
            assert_eq!((back.src(), back.dst(), back.reversed()), (pseudo.dst(), pseudo.src(), pseudo));
        }
    }

    #[test]
    fn a_length_no_ip_packet_has_gives_no_checksum() {
        let octets = alloc::vec![0; 65_536];
        let v4 = PseudoHeader::V4 { src: Ipv4Addr::LOCALHOST, dst: Ipv4Addr::LOCALHOST };
        let v6 = PseudoHeader::V6 { src: Ipv6Addr::LOCALHOST, dst: Ipv6Addr::LOCALHOST };
        assert!(checksum(v4, &octets[..65_515]).is_some() && checksum(v4, &octets[..65_516]).is_none());
        assert!(checksum(v6, &octets[..65_535]).is_some() && checksum(v6, &octets).is_none());
    }
}
