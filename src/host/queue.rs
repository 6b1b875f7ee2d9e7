//! A queue that anything can leave.

use alloc::collections::BTreeMap;

/// Places of an endpoint in the order in which they came. Each leaves by its number, in O(log n): so the queue holds no
/// more than what waits, also while nobody serves it.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    places: BTreeMap<u64, u32>,
    next: u64,
}

impl Queue {
    /// A place waits behind all others, with this number.
    pub(super) fn push(&mut self, index: u32) -> u64 {
        let number = self.next;
        self.next += 1;
        self.places.insert(number, index);
        number
    }

    /// The place that has waited for longest.
    pub(super) fn first(&self) -> Option<u32> {
        self.places.first_key_value().map(|(_, index)| *index)
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.places.remove(&number);
    }
}
