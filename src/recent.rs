//! The ranges that were reported last: the order of SACK blocks (RFC 2018 §4), and what most blocks of the peer repeat.

/// As many as fit an option.
pub(crate) const REPORTS: usize = 4;

/// Ranges of positions or offsets, the most recent first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Recent<K> {
    len: usize,
    ranges: [(K, K); REPORTS],
}

impl<K: Copy + Ord + Default> Recent<K> {
    /// No ranges: empty ones at `unused` fill the places.
    pub(crate) const fn new(unused: K) -> Self {
        Self { len: 0, ranges: [(unused, unused); REPORTS] }
    }

    pub(crate) fn as_slice(&self) -> &[(K, K)] {
        self.ranges.get(..self.len).unwrap_or(&self.ranges)
    }

    /// Adds a range, as long as there is room.
    fn push(&mut self, range: (K, K)) {
        if let Some(slot) = self.ranges.get_mut(self.len) {
            *slot = range;
            self.len += 1;
        }
    }

    /// Whether one of them has all of `start..end`.
    pub(crate) fn covers(&self, start: K, end: K) -> bool {
        self.as_slice().iter().any(|range| range.0 <= start && end <= range.1)
    }

    /// Text arrived out of order and is part of this range now, which goes first. Those that it joined are no more.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))] // one copy serves positions and offsets
    pub(crate) fn touch(&mut self, range: (K, K)) {
        let joined = |older: &(K, K)| range.0 <= older.0 && older.1 <= range.1;
        let [first, others @ ..] = &mut self.ranges;
        if first.0 == range.0 && first.0 < first.1 && !others.iter().any(joined) {
            first.1 = range.1; // the usual case
            return;
        }
        let mut touched = Self::default();
        touched.push(range);
        self.as_slice().iter().filter(|older| !joined(older)).for_each(|&older| touched.push(older));
        *self = touched;
    }

    /// Text up to `offset` left in order.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))] // one copy serves positions and offsets
    pub(crate) fn release(&mut self, offset: K) {
        let mut left = Self::default();
        self.as_slice().iter().filter(|range| range.0 >= offset).for_each(|&range| left.push(range));
        *self = left;
    }

    /// The stream ends at `offset`.
    pub(crate) fn cut(&mut self, offset: K) {
        let mut left = Self::default();
        let below = self.as_slice().iter().filter(|range| range.0 < offset);
        below.for_each(|range| left.push((range.0, range.1.min(offset))));
        *self = left;
    }

    /// These ranges, then as many of the `others` as there is room for: RFC 2018 §3 asks for as many blocks as fit.
    pub(crate) fn with(mut self, others: impl Iterator<Item = (K, K)>) -> Self {
        for other in others {
            if !self.as_slice().contains(&other) {
                self.push(other);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn listed(recent: &Recent<u64>) -> Vec<(u64, u64)> {
        recent.as_slice().to_vec()
    }

    #[test]
    fn ranges_are_reported_most_recent_first_and_once() {
        let mut recent = Recent::default();
        for range in [(10, 20), (30, 40), (50, 60), (70, 80), (90, 95)] {
            recent.touch(range);
        }
        assert_eq!(listed(&recent), [(90, 95), (70, 80), (50, 60), (30, 40)]);
        recent.touch((50, 80)); // joins two
        assert_eq!(listed(&recent), [(50, 80), (90, 95), (30, 40)]);
        recent.touch((90, 97));
        assert!(recent.covers(90, 97) && recent.covers(50, 60) && !recent.covers(49, 60) && !recent.covers(90, 98));
        assert_eq!(listed(&recent), [(90, 97), (50, 80), (30, 40)]);
        recent.release(41);
        assert_eq!(listed(&recent), [(90, 97), (50, 80)]);
        recent.cut(91);
        assert_eq!(listed(&recent), [(90, 91), (50, 80)]);
        recent.cut(90);
        assert_eq!(listed(&recent), [(50, 80)]);
    }

    /// RFC 2018 §3: as many as fit, also those that five later ones pushed out of memory.
    #[test]
    fn other_ranges_are_reported_where_there_is_room() {
        let mut recent = Recent::default();
        for range in [(50, 55), (30, 35)] {
            recent.touch(range);
        }
        let others = [(100, 105), (50, 55), (30, 35), (20, 25), (10, 15)];
        let all = recent.with(others.into_iter());
        assert_eq!(listed(&all), [(30, 35), (50, 55), (100, 105), (20, 25)]);
        assert_eq!(listed(&all.with(others.into_iter())), listed(&all));
    }
}
