//! In place of `ranges` where neither SACK nor reassembly is there: a set of positions in one short list.

use alloc::vec::Vec;

use crate::invariant::{Broken, holds};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Range<K> {
    pub(crate) start: K,
    pub(crate) end: K,
}

/// Disjoint, non-adjacent, non-empty ranges in ascending order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Ranges<K>(Vec<Range<K>>);

impl<K> Ranges<K> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Copy + Ord + Default> Ranges<K> {
    /// The ranges are disjoint, do not touch, are not empty and ascend.
    pub(crate) fn check_invariants(&self) -> Result<(), Broken> {
        let apart = self.0.is_sorted_by(|range, next| range.end < next.start);
        holds(apart && self.iter().all(|range| range.start < range.end), "ranges overlap")
    }

    /// The ranges in ascending order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Range<K>> {
        self.0.iter()
    }

    /// The lowest range.
    pub(crate) fn first(&self) -> Option<Range<K>> {
        self.0.first().copied()
    }

    /// The highest range.
    pub(crate) fn last(&self) -> Option<Range<K>> {
        self.0.last().copied()
    }

    /// The ranges, the highest first.
    pub(crate) fn iter_down(&self) -> impl Iterator<Item = (K, K)> + '_ {
        self.0.iter().rev().map(|range| (range.start, range.end))
    }

    /// The part of `start..end` that comes first and is in the set.
    pub(crate) fn first_overlap(&self, start: K, end: K) -> Option<(K, K)> {
        let range = self.0.iter().find(|range| start < range.end)?;
        let (from, to) = (range.start.max(start), range.end.min(end));
        (from < to).then_some((from, to))
    }

    /// The part of `start..end` that comes first and is not in the set.
    pub(crate) fn first_gap(&self, start: K, end: K) -> Option<(K, K)> {
        let holds = |range: &&Range<K>| range.start <= start && start < range.end;
        let start = self.0.iter().find(holds).map_or(start, |range| range.end);
        let next = self.0.iter().find(|range| start < range.start);
        (start < end).then(|| (start, next.map_or(end, |next| next.start.min(end))))
    }

    /// Adds `start..end` and returns the range it is now part of.
    pub(crate) fn insert(&mut self, start: K, end: K) -> (K, K) {
        let mut joined = Range { start, end };
        self.0.retain(|range| {
            let apart = range.end < start || end < range.start;
            if !apart {
                joined = Range { start: joined.start.min(range.start), end: joined.end.max(range.end) };
            }
            apart
        });
        if joined.start < joined.end {
            self.0.insert(self.0.partition_point(|range| range.start < joined.start), joined);
        }
        (joined.start, joined.end)
    }

    /// Removes `start..end`.
    pub(crate) fn remove(&mut self, start: K, end: K) {
        let mut above = None;
        self.0.retain_mut(|range| {
            if range.start < start {
                above = above.or((end < range.end).then_some((end, range.end)));
                range.end = range.end.min(start);
                return true;
            }
            range.start = range.start.max(end);
            range.start < range.end
        });
        if let Some((start, end)) = above {
            self.insert(start, end);
        }
    }

    /// Removes everything below `offset`.
    pub(crate) fn remove_below(&mut self, offset: K) {
        self.remove(K::default(), offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same as a mask of the offsets below 64.
    fn mask(start: u64, end: u64) -> u64 {
        (start..end).map(|at| 1 << at).sum()
    }

    #[test]
    fn a_list_of_ranges_is_a_set_of_offsets() {
        let (mut ranges, mut set, mut seed) = (Ranges::<u64>::new(), 0u64, 1u32);
        for _ in 0..10_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let start = u64::from(seed >> 8) % 60;
            let end = start + u64::from(seed >> 16) % (64 - start).min(9);
            match seed >> 29 {
                0..4 => {
                    let (from, to) = ranges.insert(start, end);
                    assert!(from <= start && end <= to);
                    set |= mask(start, end);
                }
                4..7 => {
                    ranges.remove(start, end);
                    set &= !mask(start, end);
                }
                _ => {
                    ranges.remove_below(start / 8);
                    set &= !mask(0, start / 8);
                }
            }
            assert_eq!(ranges.iter_down().map(|(start, end)| mask(start, end)).sum::<u64>(), set);
            let mut down = ranges.iter_down().zip(ranges.iter_down().skip(1));
            assert!(down.all(|((above, _), (_, below))| below < above), "{ranges:?}");
            let here = mask(start, end);
            let overlap = ranges.first_overlap(start, end).map_or(0, |(from, to)| mask(from, to));
            assert!(overlap & set == overlap && (overlap != 0) == (here & set != 0));
            let gap = ranges.first_gap(start, end).map_or(0, |(from, to)| mask(from, to));
            assert!(gap & set == 0 && (gap != 0) == (here & !set != 0));
        }
    }
}
