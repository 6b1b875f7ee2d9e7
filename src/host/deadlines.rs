//! The earliest of many deadlines.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::Instant;

/// The earliest deadline over any number of keys, such as connections.
///
/// [`next`](Self::next) is exact and O(1): a deadline that moved later or was taken away causes no wake-up. To move one
/// later costs O(1) beside finding the key, as nearly every segment of steady traffic does; to move it earlier
/// O(log n). A key has one deadline.
///
/// ```
/// use core::time::Duration;
/// use segue::Instant;
/// use segue::host::Deadlines;
///
/// let at = Instant::from_millis;
/// let mut deadlines = Deadlines::new();
/// deadlines.set("a", Some(at(10)));
/// deadlines.set("b", Some(at(20)));
/// deadlines.set("a", Some(at(30))); // an acknowledgment came
/// assert_eq!(deadlines.next(), Some(at(20)));
/// assert_eq!(deadlines.due(at(19)), None);
/// assert_eq!(deadlines.due(at(30)), Some("b"));
/// assert_eq!(deadlines.due(at(30)), Some("a"));
/// assert_eq!(deadlines.next(), None);
/// ```
#[derive(Clone, Debug)]
pub struct Deadlines<K> {
    numbers: BTreeMap<K, u32>,
    keys: Vec<Option<K>>,
    free: Vec<u32>,
    heap: Heap,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self { numbers: BTreeMap::new(), keys: Vec::new(), free: Vec::new(), heap: Heap::default() }
    }
}

impl<K: Ord + Copy> Deadlines<K> {
    /// No deadline.
    ///
    /// ```
    /// use segue::host::Deadlines;
    /// let deadlines: Deadlines<u32> = Deadlines::new();
    /// assert_eq!(deadlines.next(), None); // nothing to wait for
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the deadline of a key, or takes it away. [`Connection::next_deadline`](crate::Connection::next_deadline)
    /// after each call on a connection is what to set.
    ///
    /// ```
    /// # use segue::Instant;
    /// use segue::host::Deadlines;
    /// let mut deadlines = Deadlines::new();
    /// deadlines.set("a", Some(Instant::from_millis(10)));
    /// deadlines.set("a", Some(Instant::from_millis(30))); // takes the place of the one before
    /// assert_eq!(deadlines.next(), Some(Instant::from_millis(30)));
    /// deadlines.set("a", None);
    /// assert!(deadlines.is_empty());
    /// ```
    pub fn set(&mut self, key: K, at: Option<Instant>) {
        match (at, self.numbers.get(&key).copied()) {
            (Some(at), Some(number)) => self.heap.set(number, Some(at)),
            (Some(at), None) => {
                let number = self.number(key);
                self.heap.set(number, Some(at));
            }
            (None, Some(number)) => self.forget(key, number),
            (None, None) => {}
        }
    }

    /// The earliest deadline.
    ///
    /// ```
    /// # use segue::Instant;
    /// use segue::host::Deadlines;
    /// let mut deadlines = Deadlines::new();
    /// deadlines.set("a", Some(Instant::from_millis(20)));
    /// deadlines.set("b", Some(Instant::from_millis(10)));
    /// assert_eq!(deadlines.next(), Some(Instant::from_millis(10))); // wait no longer than this
    /// ```
    pub fn next(&self) -> Option<Instant> {
        self.heap.next()
    }

    /// Takes a key whose deadline has passed at `now`, the earliest first; it has none then. Call again until there is
    /// none.
    ///
    /// ```
    /// # use segue::Instant;
    /// use segue::host::Deadlines;
    /// let mut deadlines = Deadlines::new();
    /// for (key, millis) in [("a", 20), ("b", 10), ("c", 30)] {
    ///     deadlines.set(key, Some(Instant::from_millis(millis)));
    /// }
    /// let now = Instant::from_millis(25);
    /// let due: Vec<_> = core::iter::from_fn(|| deadlines.due(now)).collect();
    /// assert_eq!(due, ["b", "a"]);
    /// ```
    pub fn due(&mut self, now: Instant) -> Option<K> {
        let number = self.heap.due(now)?;
        let key = self.key(number)?;
        self.forget(key, number);
        Some(key)
    }

    /// Keys with a deadline.
    ///
    /// ```
    /// # use segue::Instant;
    /// use segue::host::Deadlines;
    /// let mut deadlines = Deadlines::new();
    /// deadlines.set("a", Some(Instant::from_millis(10)));
    /// deadlines.set("b", Some(Instant::from_millis(10)));
    /// assert_eq!(deadlines.len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether no key has a deadline.
    ///
    /// ```
    /// # use segue::Instant;
    /// use segue::host::Deadlines;
    /// let mut deadlines = Deadlines::new();
    /// deadlines.set("a", Some(Instant::from_millis(10)));
    /// assert!(!deadlines.is_empty());
    /// assert_eq!(deadlines.due(Instant::from_millis(10)), Some("a"));
    /// assert!(deadlines.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    fn key(&self, number: u32) -> Option<K> {
        *self.keys.get(usize::try_from(number).ok()?)?
    }

    fn number(&mut self, key: K) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| u32::try_from(self.keys.len()).unwrap_or(u32::MAX));
        match usize::try_from(number).ok().and_then(|number| self.keys.get_mut(number)) {
            Some(slot) => *slot = Some(key),
            None => self.keys.push(Some(key)),
        }
        self.numbers.insert(key, number);
        number
    }

    fn forget(&mut self, key: K, number: u32) {
        self.heap.remove(number);
        self.numbers.remove(&key);
        if let Some(slot) = usize::try_from(number).ok().and_then(|number| self.keys.get_mut(number)) {
            *slot = None;
            self.free.push(number);
        }
    }
}

/// The same over small numbers, which it finds in O(1).
///
/// A heap whose entries may be too early: a deadline that moves later is only noted, and its entry sinks when it comes
/// to the top. So the top is always right.
#[derive(Clone, Debug, Default)]
pub(super) struct Heap {
    entries: Vec<Entry>,
    /// For each number its place among the entries, and its deadline in microseconds.
    known: Vec<(u32, u64)>,
}

/// When the entry was placed for, and whose it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Entry {
    at: u64,
    number: u32,
}

const NOWHERE: u32 = u32::MAX;
const NEVER: u64 = u64::MAX;
/// Children of an entry.
const WIDTH: usize = 4;

impl Heap {
    /// Sets the deadline of a number, or takes it away.
    pub(super) fn set(&mut self, number: u32, at: Option<Instant>) {
        let at = at.map_or(NEVER, |at| at.as_micros().min(NEVER - 1));
        let Ok(index) = usize::try_from(number) else { return };
        if index >= self.known.len() {
            if at == NEVER {
                return;
            }
            self.known.resize(index + 1, (NOWHERE, NEVER));
        }
        let Some((place, deadline)) = self.known.get_mut(index) else { return };
        *deadline = at;
        let place = *place;
        if place == NOWHERE {
            if at != NEVER {
                self.entries.push(Entry { at, number });
                self.rise(self.entries.len() - 1);
            }
            return;
        }
        let Some((place, entry)) = usize::try_from(place).ok().and_then(|p| Some((p, self.entries.get_mut(p)?))) else {
            return;
        };
        if at < entry.at {
            entry.at = at;
            self.rise(place);
        }
        self.settle(); // the top may be too early now
    }

    /// Takes the deadline of a number away, with its entry.
    pub(super) fn remove(&mut self, number: u32) {
        let Some((place, deadline)) = usize::try_from(number).ok().and_then(|n| self.known.get_mut(n)) else { return };
        *deadline = NEVER;
        if let Some(place) = usize::try_from(*place).ok().filter(|place| *place < self.entries.len()) {
            self.take(place);
            self.settle();
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.entries.first().map(|entry| Instant::from_micros(entry.at))
    }

    /// The number whose deadline passed first, if one has.
    pub(super) fn due(&self, now: Instant) -> Option<u32> {
        self.entries.first().filter(|entry| entry.at <= now.as_micros()).map(|entry| entry.number)
    }

    #[cfg(test)]
    fn deadline(&self, number: u32) -> u64 {
        usize::try_from(number).ok().and_then(|n| self.known.get(n)).map_or(NEVER, |(_, at)| *at)
    }

    /// Lets the top sink as long as its deadline is later than its entry says.
    fn settle(&mut self) {
        while let Some(top) = self.entries.first_mut() {
            let deadline = usize::try_from(top.number).ok().and_then(|n| self.known.get(n)).map_or(NEVER, |k| k.1);
            if deadline == top.at {
                return;
            }
            if deadline == NEVER {
                self.take(0);
            } else {
                top.at = deadline;
                self.sink(0);
            }
        }
    }

    /// Takes an entry out.
    fn take(&mut self, place: usize) {
        let removed = self.entries.swap_remove(place);
        self.note(removed.number, NOWHERE);
        if place < self.entries.len() {
            self.rise(place);
            self.sink(place);
        }
    }

    fn note(&mut self, number: u32, place: u32) {
        if let Some((known, _)) = usize::try_from(number).ok().and_then(|n| self.known.get_mut(n)) {
            *known = place;
        }
    }

    fn put(&mut self, place: usize, entry: Entry) {
        if let Some(slot) = self.entries.get_mut(place) {
            *slot = entry;
        }
        self.note(entry.number, u32::try_from(place).unwrap_or(NOWHERE));
    }

    fn rise(&mut self, mut place: usize) {
        let Some(&entry) = self.entries.get(place) else { return };
        while let Some(above) = place.checked_sub(1).map(|below| below / WIDTH) {
            let Some(&parent) = self.entries.get(above).filter(|parent| **parent > entry) else { break };
            self.put(place, parent);
            place = above;
        }
        self.put(place, entry);
    }

    fn sink(&mut self, mut place: usize) {
        let Some(&entry) = self.entries.get(place) else { return };
        loop {
            let first = place * WIDTH + 1;
            let end = self.entries.len().min(first + WIDTH);
            let Some(children) = self.entries.get(first..end) else { break };
            let (mut least, mut below) = (entry, place);
            for (child, at) in children.iter().zip(first..) {
                if *child < least {
                    (least, below) = (*child, at);
                }
            }
            if below == place {
                break;
            }
            self.put(place, least);
            place = below;
        }
        self.put(place, entry);
    }

    /// Octets on the heap.
    pub(super) fn octets(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.known.capacity() * size_of::<(u32, u64)>()
    }

    /// Panics when the heap is no heap, or the top is not the earliest deadline.
    #[cfg(test)]
    fn check(&self) {
        for (place, entry) in self.entries.iter().enumerate() {
            assert!(self.deadline(entry.number) >= entry.at);
            let above = place.checked_sub(1).map(|below| &self.entries[below / WIDTH]);
            assert!(above.is_none_or(|above| above <= entry));
        }
        let earliest = self.known.iter().map(|(_, at)| *at).min().filter(|at| *at != NEVER);
        assert_eq!(self.next().map(Instant::as_micros), earliest);
    }

    #[cfg(test)]
    fn get(&self, number: u32) -> Option<Instant> {
        Some(self.deadline(number)).filter(|at| *at != NEVER).map(Instant::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    quickcheck::quickcheck! {
        /// Beside a map of all deadlines.
        fn the_earliest_of_all_is_next(steps: Vec<(u8, Option<u8>, bool)>) -> bool {
            let (mut deadlines, mut model) = (Deadlines::new(), BTreeMap::new());
            for (key, at, takes) in steps {
                let (key, at) = (key % 40, at.map(|at| Instant::from_micros(at.into())));
                if takes {
                    let now = at.unwrap_or_default();
                    let first = model.iter().map(|(key, at)| (*at, *key)).min().filter(|(at, _)| *at <= now);
                    let taken = deadlines.due(now);
                    assert_eq!(taken.is_some(), first.is_some());
                    if let Some(taken) = taken {
                        assert_eq!(model.remove(&taken), first.map(|(at, _)| at));
                    }
                } else {
                    deadlines.set(key, at);
                    match at {
                        Some(at) => model.insert(key, at),
                        None => model.remove(&key),
                    };
                }
                deadlines.heap.check();
                assert_eq!((deadlines.next(), deadlines.len()), (model.values().min().copied(), model.len()));
                assert!(model.iter().all(|(key, at)| deadlines.heap.get(deadlines.numbers[key]) == Some(*at)));
            }
            true
        }

        fn a_heap_of_numbers_is_exact(steps: Vec<(u8, Option<u8>)>) -> bool {
            let mut heap = Heap::default();
            for (number, at) in steps {
                heap.set((number % 32).into(), at.map(|at| Instant::from_micros(at.into())));
                heap.check();
            }
            true
        }
    }
}
