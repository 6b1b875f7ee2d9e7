//! Ranges against one bool for each offset, and their memory.

use alloc::vec;
use alloc::vec::Vec;
use core::hash::{BuildHasher, BuildHasherDefault, Hasher};

use quickcheck::quickcheck;

use super::*;

const SIZE: u64 = 400;

/// The naive model.
#[derive(Clone)]
struct Bitmap(Vec<bool>);

impl Bitmap {
    fn fill(&mut self, start: u64, end: u64, held: bool) {
        self.0[start as usize..end as usize].fill(held);
    }

    fn ranges(&self) -> Vec<(u64, u64)> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for offset in (0..SIZE).filter(|&offset| self.0[offset as usize]) {
            match ranges.last_mut().filter(|last| last.1 == offset) {
                Some(last) => last.1 += 1,
                None => ranges.push((offset, offset + 1)),
            }
        }
        ranges
    }

    /// The first part of `start..end` that is in the set, or is not.
    fn first(&self, start: u64, end: u64, held: bool) -> Option<(u64, u64)> {
        let from = (start..end).find(|&offset| self.0[offset as usize] == held)?;
        Some((from, (from..end).find(|&offset| self.0[offset as usize] != held).unwrap_or(end)))
    }
}

/// FNV-1a.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, octets: &[u8]) {
        octets.iter().for_each(|&octet| self.0 = (self.0 ^ u64::from(octet)).wrapping_mul(0x0100_0000_01B3));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn hash_of(set: &Ranges<u64>) -> u64 {
    BuildHasherDefault::<Fnv>::default().hash_one(set)
}

fn check(set: &Ranges<u64>, bitmap: &Bitmap) {
    let ranges = bitmap.ranges();
    assert!(set.iter().map(|range| (range.start, range.end)).eq(ranges.iter().copied()));
    assert!(set.iter_down().eq(ranges.iter().rev().copied()));
    assert_eq!((set.len(), set.is_empty()), (ranges.len(), ranges.is_empty()));
    assert_eq!(set.first().map(|range| (range.start, range.end)), ranges.first().copied());
    assert_eq!(set.last().map(|range| (range.start, range.end)), ranges.last().copied());
    assert!(set.lower.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK) && set.top.len() <= CHUNK);
    assert!(set.lower.is_empty() || !set.top.is_empty());
    assert!(!set.is_empty() || set.lower.capacity() + set.top.capacity() == 0, "an empty set keeps memory");
    let mut place = set.find(0);
    for range in &ranges {
        assert_eq!(set.at(place).map(|range| (range.start, range.end)), Some(*range));
        place = set.next(place);
    }
    assert_eq!(set.at(place), None);
    // The same ranges in another order make an equal value.
    let mut other = Ranges::default();
    ranges.iter().rev().for_each(|&(start, end)| {
        other.insert(start, end);
    });
    assert!(other == *set && hash_of(&other) == hash_of(set));
}

quickcheck! {
    fn behaves_as_a_bitmap(steps: Vec<(u16, u8, u8)>, singles: bool) -> bool {
        let (mut set, mut bitmap) = (Ranges::default(), Bitmap(vec![false; SIZE as usize]));
        for (start, len, what) in steps {
            let start = u64::from(start) % (SIZE - 40);
            let end = start + if singles { u64::from(len % 2) } else { u64::from(len) % 40 };
            match what % 16 {
                0 => {
                    set.remove_below(start);
                    bitmap.fill(0, start, false);
                }
                1 => {
                    let first = set.pop_first().map(|range| (range.start, range.end));
                    assert_eq!(first, bitmap.ranges().first().copied());
                    first.inspect(|&(start, end)| bitmap.fill(start, end, false));
                }
                2 => {
                    let last = set.pop_last().map(|range| (range.start, range.end));
                    assert_eq!(last, bitmap.ranges().last().copied());
                    last.inspect(|&(start, end)| bitmap.fill(start, end, false));
                }
                3 | 4 => {
                    set.remove(start, end);
                    bitmap.fill(start, end, false);
                }
                _ => {
                    assert_eq!(set.first_gap(start, end), bitmap.first(start, end, false));
                    assert_eq!(set.first_overlap(start, end), bitmap.first(start, end, true));
                    let whole = set.insert(start, end);
                    bitmap.fill(start, end, true);
                    let joined = bitmap.ranges().into_iter().find(|range| range.0 <= start && end <= range.1);
                    assert_eq!(whole, joined.unwrap_or((start, end)));
                }
            }
            check(&set, &bitmap);
        }
        true
    }
}

/// Ranges that come up, down, or in between, and go by one that joins many: no chunk stays behind that holds next to
/// nothing.
#[test]
fn memory_follows_the_number_of_ranges() {
    let up: Vec<u64> = (0..100).collect();
    let down: Vec<u64> = (0..100).rev().collect();
    let between: Vec<u64> = (0..100).map(|n| n * 37 % 100).collect();
    for order in [up, down, between] {
        let mut set = Ranges::default();
        for n in &order {
            set.insert(2 * n, 2 * n + 1);
        }
        assert!(set.lower.len() < 100 / (CHUNK / 2), "{} chunks", set.lower.len());
        for n in (0..100).filter(|n| n % 10 != 0) {
            set.insert(2 * n - 1, 2 * n);
        }
        assert_eq!(set.len(), 10);
        assert!(set.lower.len() <= 10, "{} chunks", set.lower.len());
        let sizes: Vec<usize> = (0..=set.lower.len()).map(|chunk| set.chunk(chunk).len()).collect();
        assert!(sizes.windows(2).all(|pair| pair[0] + pair[1] > CHUNK / 2), "{sizes:?}");
        set.remove_below(1000);
        assert_eq!(set.lower.capacity() + set.top.capacity(), 0);
    }
}
