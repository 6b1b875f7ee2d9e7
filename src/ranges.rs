//! A set of stream offsets kept as disjoint ranges: what is held out of order, what is acknowledged selectively.

use alloc::collections::BTreeMap;

/// Disjoint, non-adjacent, non-empty half-open ranges of stream offsets. Every operation costs O(log n), plus O(1) for
/// each range it joins or removes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Ranges {
    ranges: BTreeMap<u64, u64>,
}

impl Ranges {
    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The lowest range.
    pub(crate) fn first(&self) -> Option<(u64, u64)> {
        self.ranges.first_key_value().map(|(&start, &end)| (start, end))
    }

    /// The highest range.
    pub(crate) fn last(&self) -> Option<(u64, u64)> {
        self.ranges.last_key_value().map(|(&start, &end)| (start, end))
    }

    /// The ranges, the highest first.
    pub(crate) fn iter_down(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().rev().map(|(&start, &end)| (start, end))
    }

    /// The range that holds this offset.
    pub(crate) fn containing(&self, offset: u64) -> Option<(u64, u64)> {
        let (&start, &end) = self.ranges.range(..=offset).next_back()?;
        (offset < end).then_some((start, end))
    }

    /// Whether inserting `start..end` would open another range, joining none.
    pub(crate) fn opens_another(&self, start: u64, end: u64) -> bool {
        let before = self.ranges.range(..=start).next_back();
        let after = self.ranges.range(start..=end).next();
        before.is_none_or(|(_, &e)| e < start) && after.is_none()
    }

    /// The part of `start..end` that comes first and is in the set.
    pub(crate) fn first_overlap(&self, start: u64, end: u64) -> Option<(u64, u64)> {
        let (from, to) = match self.containing(start) {
            Some((_, e)) => (start, e),
            None => self.ranges.range(start..end).next().map(|(&s, &e)| (s, e))?,
        };
        (from < end).then_some((from, to.min(end)))
    }

    /// The part of `start..end` that comes first and is not in the set.
    pub(crate) fn first_gap(&self, start: u64, end: u64) -> Option<(u64, u64)> {
        let start = self.containing(start).map_or(start, |(_, e)| e);
        if start >= end {
            return None;
        }
        let next = self.ranges.range(start..end).next().map_or(end, |(&s, _)| s);
        Some((start, next))
    }

    /// Adds `start..end` and returns the range it is now part of.
    pub(crate) fn insert(&mut self, start: u64, end: u64) -> (u64, u64) {
        let (mut start, mut end) = (start, end.max(start));
        if let Some((&s, &e)) = self.ranges.range(..=start).next_back() {
            if e >= start {
                start = s;
                end = end.max(e);
                self.ranges.remove(&s);
            }
        }
        while let Some((&s, &e)) = self.ranges.range(start..=end).next() {
            end = end.max(e);
            self.ranges.remove(&s);
        }
        if end > start {
            self.ranges.insert(start, end);
        }
        (start, end)
    }

    /// Removes everything from `offset` on.
    pub(crate) fn remove_from(&mut self, offset: u64) {
        self.ranges.split_off(&offset);
        if let Some(mut last) = self.ranges.last_entry() {
            let end = (*last.get()).min(offset);
            last.insert(end);
        }
        self.give_back();
    }

    /// An empty set holds no memory: an emptied map keeps a node.
    fn give_back(&mut self) {
        if self.ranges.is_empty() {
            self.ranges = BTreeMap::new();
        }
    }

    /// Removes everything below `offset`.
    pub(crate) fn remove_below(&mut self, offset: u64) {
        while let Some((start, end)) = self.first().filter(|&(start, _)| start < offset) {
            self.ranges.remove(&start);
            if end > offset {
                self.ranges.insert(offset, end);
            }
        }
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::Ranges;
    use alloc::vec::Vec;
    use quickcheck::{TestResult, quickcheck};

    /// The naive model: one bool for each offset.
    fn model_of(set: &Ranges, size: u64) -> Vec<bool> {
        (0..size).map(|offset| set.containing(offset).is_some()).collect()
    }

    quickcheck! {
        fn behaves_as_a_bitmap(steps: Vec<(u8, u8, bool)>) -> TestResult {
            let mut set = Ranges::default();
            let mut bitmap = [false; 600];
            for (start, len, remove) in steps {
                let (start, end) = (u64::from(start), u64::from(start) + u64::from(len % 40));
                if remove && len % 4 == 0 {
                    set.remove_below(start);
                    bitmap[..start as usize].fill(false);
                } else if remove && len % 4 == 1 {
                    set.remove_from(end);
                    bitmap[end as usize..].fill(false);
                } else {
                    let gap = (start..end).find(|&o| !bitmap[o as usize]);
                    let until = gap.map(|g| (g..end).find(|&o| bitmap[o as usize]).unwrap_or(end));
                    assert_eq!(set.first_gap(start, end), gap.zip(until));
                    let known = (start..end).find(|&o| bitmap[o as usize]);
                    let until = known.map(|k| (k..end).find(|&o| !bitmap[o as usize]).unwrap_or(end));
                    assert_eq!(set.first_overlap(start, end), known.zip(until));
                    let before = set.len();
                    let opens = set.opens_another(start, end);
                    let (s, e) = set.insert(start, end);
                    assert!(s <= start && end <= e);
                    if start < end {
                        assert_eq!(opens, set.len() == before + 1);
                    }
                    bitmap[start as usize..end as usize].fill(true);
                }
                assert_eq!(model_of(&set, 600), bitmap);
                let runs = (0..600).filter(|&o| bitmap[o] && (o == 0 || !bitmap[o - 1])).count();
                assert_eq!(set.len(), runs); // disjoint and not adjacent
                assert_eq!(set.first().map(|r| r.0), (0..600).find(|&o| bitmap[o as usize]));
                assert_eq!(set.last().map(|r| r.1), (0..600).rev().find(|&o| bitmap[o as usize]).map(|o| o + 1));
            }
            TestResult::passed()
        }
    }
}
