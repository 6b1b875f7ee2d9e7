//! A set of positions or offsets kept as disjoint ranges: text held out of order, selective acknowledgments.

use core::hash::{Hash, Hasher};

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::invariant::{Broken, holds};

/// The most ranges in one chunk.
const CHUNK: usize = if cfg!(test) { 4 } else { 64 };

/// A half-open range of positions or offsets, and what belongs to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Range<K, T> {
    pub(crate) start: K,
    pub(crate) end: K,
    pub(crate) value: T,
}

/// Where a range stands, until the next change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    chunk: usize,
    index: usize,
}

impl Place {
    const LOWEST: Self = Self { chunk: 0, index: 0 };
}

/// Disjoint, non-adjacent, non-empty ranges in ascending order, in chunks of limited size.
///
/// The usual case, a range at the upper end, costs O(1). Any other look-up costs O(log n). A change moves the ranges of
/// two chunks at most, and a pointer to each chunk when their number changes.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Ranges<K, T = ()> {
    /// All chunks but the highest, none of them empty.
    #[allow(clippy::vec_box)] // else three words for each chunk would move
    lower: Vec<Box<Vec<Range<K, T>>>>,
    /// The highest chunk. It is empty only where there is no range.
    top: Vec<Range<K, T>>,
    len: usize,
}

impl<K, T> Default for Ranges<K, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, T> Ranges<K, T> {
    pub(crate) const fn new() -> Self {
        Self { lower: Vec::new(), top: Vec::new(), len: 0 }
    }
}

/// How the ranges are distributed over chunks does not count.
impl<K: Copy + Ord, T: Copy + PartialEq> PartialEq for Ranges<K, T> {
    fn eq(&self, other: &Self) -> bool {
        if self.len != other.len {
            return false;
        }
        let (mut mine, mut theirs) = (Place::LOWEST, Place::LOWEST);
        while let Some(range) = self.at(mine) {
            if other.at(theirs) != Some(range) {
                return false;
            }
            (mine, theirs) = (self.next(mine), other.next(theirs));
        }
        true
    }
}

impl<K: Copy + Ord, T: Copy + Eq> Eq for Ranges<K, T> {}

impl<K: Copy + Ord + Hash, T: Copy + Hash> Hash for Ranges<K, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len.hash(state);
        self.iter().for_each(|range| range.hash(state));
    }
}

impl<K: Copy + Ord, T: Copy> Ranges<K, T> {
    /// How many ranges there are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The ranges in ascending order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Range<K, T>> {
        self.lower.iter().flat_map(|chunk| chunk.iter()).chain(&self.top)
    }

    /// The lowest range.
    pub(crate) fn first(&self) -> Option<Range<K, T>> {
        self.chunk(0).first().copied()
    }

    /// The highest range.
    pub(crate) fn last(&self) -> Option<Range<K, T>> {
        self.top.last().copied()
    }

    /// The ranges, the highest first.
    pub(crate) fn iter_down(&self) -> impl Iterator<Item = (K, K)> + '_ {
        self.iter().rev().map(|range| (range.start, range.end))
    }

    /// The ranges are disjoint, do not touch, are not empty and ascend, and there are as many as it says.
    pub(crate) fn check_invariants(&self) -> Result<(), Broken> {
        let mut end = None;
        for range in self.iter() {
            let apart = end.is_none_or(|end| end < range.start) && range.start < range.end;
            holds(apart, "ranges overlap")?;
            end = Some(range.end);
        }
        holds(self.iter().count() == self.len, "ranges that are not counted")?;
        let empty = self.lower.iter().any(|chunk| chunk.is_empty()) || self.top.is_empty() && self.len > 0;
        holds(!empty, "memory for no range")
    }

    fn chunk(&self, chunk: usize) -> &[Range<K, T>] {
        self.lower.get(chunk).map_or(&self.top, |chunk| chunk)
    }

    fn chunk_mut(&mut self, chunk: usize) -> &mut Vec<Range<K, T>> {
        self.lower.get_mut(chunk).map_or(&mut self.top, |chunk| chunk)
    }

    /// The place of the first range that ends at or beyond `offset`: text from there on joins no range before it.
    #[inline]
    pub(crate) fn find(&self, offset: K) -> Place {
        match self.last() {
            Some(last) if last.start > offset => self.search(offset),
            last => {
                let joins = last.is_some_and(|last| last.end >= offset);
                Place { chunk: self.lower.len(), index: self.top.len() - usize::from(joins) }
            }
        }
    }

    /// The same by binary search, of the chunks and in one of them.
    #[inline(never)] // `find` has many uses
    fn search(&self, offset: K) -> Place {
        let chunk = match self.top.first() {
            Some(first) if first.start > offset => {
                self.lower.partition_point(|chunk| chunk.last().is_some_and(|last| last.end < offset))
            }
            Some(_) | None => self.lower.len(),
        };
        Place { chunk, index: self.chunk(chunk).partition_point(|range| range.end < offset) }
    }

    /// The range at this place.
    pub(crate) fn at(&self, place: Place) -> Option<Range<K, T>> {
        self.chunk(place.chunk).get(place.index).copied()
    }

    /// The place behind this one.
    #[inline]
    pub(crate) fn next(&self, place: Place) -> Place {
        let index = place.index + 1;
        if place.chunk < self.lower.len() && index >= self.chunk(place.chunk).len() {
            return Place { chunk: place.chunk + 1, index: 0 };
        }
        Place { chunk: place.chunk, index }
    }

    /// The part of `start..end` that comes first and is in the set.
    pub(crate) fn first_overlap(&self, start: K, end: K) -> Option<(K, K)> {
        self.last().filter(|last| last.end > start)?;
        let place = self.find(start);
        let mut range = self.at(place)?;
        if range.end == start {
            range = self.at(self.next(place))?;
        }
        let (from, to) = (range.start.max(start), range.end.min(end));
        (from < to).then_some((from, to))
    }

    /// One range takes the place of `count` from `place` on.
    pub(crate) fn replace(&mut self, place: Place, count: usize, range: Range<K, T>) {
        if count == 0 {
            self.insert_at(place, range);
            return;
        }
        if let Some(slot) = self.chunk_mut(place.chunk).get_mut(place.index) {
            *slot = range;
        }
        if count > 1 {
            self.remove_at(self.next(place), count - 1);
            self.join_around(place.chunk);
        }
    }

    /// Adds a range above all others.
    fn push(&mut self, range: Range<K, T>) {
        if self.top.len() >= CHUNK {
            let full = core::mem::replace(&mut self.top, Vec::with_capacity(CHUNK / 2));
            self.lower.push(Box::new(full));
        }
        self.top.push(range);
        self.len += 1;
    }

    fn insert_at(&mut self, place: Place, range: Range<K, T>) {
        let Place { mut chunk, mut index } = place;
        if chunk == self.lower.len() && index >= self.top.len() {
            return self.push(range);
        }
        if self.chunk(chunk).len() >= CHUNK {
            let upper = self.chunk_mut(chunk).split_off(CHUNK / 2);
            if chunk == self.lower.len() {
                let lower = core::mem::replace(&mut self.top, upper);
                self.lower.push(Box::new(lower));
            } else {
                self.lower.insert((chunk + 1).min(self.lower.len()), Box::new(upper));
            }
            if index >= CHUNK / 2 {
                (chunk, index) = (chunk + 1, index - CHUNK / 2);
            }
        }
        let ranges = self.chunk_mut(chunk);
        ranges.insert(index.min(ranges.len()), range);
        self.len += 1;
    }

    /// Removes `count` ranges from `place` on. A chunk before the place stays as it is.
    fn remove_at(&mut self, place: Place, count: usize) {
        let (Place { mut chunk, mut index }, mut left) = (place, count.min(self.len));
        while left > 0 {
            let lower = self.lower.len();
            let ranges = self.chunk_mut(chunk);
            let from = index.min(ranges.len());
            let here = left.min(ranges.len() - from);
            let end = (from + here).min(ranges.len()); // so `drain` cannot panic
            ranges.drain(from.min(end)..end);
            let emptied = ranges.is_empty();
            left -= here;
            self.len -= here;
            if !emptied {
                (chunk, index) = (chunk + 1, 0);
            } else if chunk < lower {
                self.lower.remove(chunk);
            } else {
                self.top = self.lower.pop().map_or_else(Vec::new, |chunk| *chunk);
            }
            if chunk > lower {
                break;
            }
        }
        self.give_back();
    }

    /// An empty set holds no memory.
    fn give_back(&mut self) {
        if self.len == 0 {
            *self = Self::default();
        }
    }

    fn join_around(&mut self, chunk: usize) {
        self.join_small(chunk);
        self.join_small(chunk.wrapping_sub(1));
    }

    /// Two chunks become one where all their ranges fit half of it: so memory follows the number of ranges.
    fn join_small(&mut self, chunk: usize) {
        let lower = self.lower.len();
        if chunk >= lower || self.chunk(chunk).len() + self.chunk(chunk + 1).len() > CHUNK / 2 {
            return;
        }
        if chunk + 1 < lower {
            let above = self.lower.remove(chunk + 1);
            self.chunk_mut(chunk).extend(*above);
        } else if let Some(mut below) = self.lower.pop() {
            below.append(&mut self.top);
            self.top = *below;
        }
    }

    /// Takes out the lowest range.
    pub(crate) fn pop_first(&mut self) -> Option<Range<K, T>> {
        let first = self.first()?;
        self.remove_at(Place::LOWEST, 1);
        self.join_small(0);
        Some(first)
    }

    /// Takes out the highest range.
    pub(crate) fn pop_last(&mut self) -> Option<Range<K, T>> {
        let last = self.top.pop()?;
        self.len -= 1;
        if self.top.is_empty() {
            self.top = self.lower.pop().map_or_else(Vec::new, |chunk| *chunk);
        }
        self.give_back();
        Some(last)
    }
}

impl<K: Copy + Ord> Ranges<K> {
    /// The part of `start..end` that comes first and is not in the set.
    pub(crate) fn first_gap(&self, start: K, end: K) -> Option<(K, K)> {
        let place = self.find(start);
        let (start, next) = match self.at(place) {
            Some(range) if range.start <= start => (range.end, self.at(self.next(place))),
            next => (start, next),
        };
        (start < end).then(|| (start, next.map_or(end, |next| next.start.min(end))))
    }

    /// Adds `start..end` and returns the range it is now part of.
    pub(crate) fn insert(&mut self, start: K, end: K) -> (K, K) {
        let place = self.find(start);
        let (mut at, mut count) = (place, 0);
        let (mut start, mut end) = (start, end.max(start));
        while let Some(range) = self.at(at).filter(|range| range.start <= end) {
            (start, end) = (start.min(range.start), end.max(range.end));
            count += 1;
            at = self.next(at);
        }
        if start < end {
            self.replace(place, count, Range { start, end, value: () });
        }
        (start, end)
    }

    /// Removes `start..end`.
    pub(crate) fn remove(&mut self, start: K, end: K) {
        let mut place = self.find(start);
        if self.at(place).is_some_and(|range| range.end == start) {
            place = self.next(place);
        }
        let Some(first) = self.at(place).filter(|range| range.start < end) else { return };
        let (mut last, mut at, mut count) = (first, place, 0);
        while let Some(range) = self.at(at).filter(|range| range.start < end) {
            (last, at, count) = (range, self.next(at), count + 1);
        }
        let below = Some(Range { end: start, ..first }).filter(|below| below.start < start);
        let above = Some(Range { start: end, ..last }).filter(|above| end < above.end);
        match below.or(above) {
            Some(range) => self.replace(place, count, range),
            None => {
                self.remove_at(place, count);
                self.join_around(place.chunk);
            }
        }
        if let Some((_, above)) = below.zip(above) {
            self.insert(above.start, above.end);
        }
    }

    /// Removes everything below `offset`.
    pub(crate) fn remove_below(&mut self, offset: K) {
        while let Some(first) = self.first().filter(|first| first.start < offset) {
            if first.end > offset {
                if let Some(slot) = self.chunk_mut(0).first_mut() {
                    slot.start = offset;
                }
                return;
            }
            let below = self.chunk(0).partition_point(|range| range.end <= offset);
            self.remove_at(Place::LOWEST, below);
            self.join_small(0);
        }
    }
}

#[cfg(test)]
mod tests;
