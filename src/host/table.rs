//! The flow table: a hash map from flows to small numbers, eight octets for a place.

use alloc::vec;
use alloc::vec::Vec;

/// A place: a hash, and whose it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    hash: u32,
    number: u32,
}

const EMPTY: Place = Place { hash: 0, number: u32::MAX };
const SMALLEST: usize = 16;

/// Open addressing with linear probing. The caller keeps the keys: it compares the flow of a number, and brings the keyed
/// hash. So a million connections take 8 to 22 octets each here, and growing needs no hash anew. `hashbrown` would do
/// the same in as many octets; this is shorter than to depend on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    places: Vec<Place>,
    len: usize,
}

impl Table {
    #[cfg(test)]
    const fn len(&self) -> usize {
        self.len
    }

    /// The place for this hash to begin with; the number of places is a power of two.
    fn home(&self, hash: u32) -> usize {
        usize::try_from(hash).unwrap_or(0) & self.places.len().wrapping_sub(1)
    }

    fn next(&self, place: usize) -> usize {
        (place + 1) & self.places.len().wrapping_sub(1)
    }

    /// The number with this hash for which `is_it` says so.
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.place_of(hash, is_it).map(|(_, number)| number)
    }

    fn place_of(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<(usize, u32)> {
        let mut at = self.home(hash);
        loop {
            let place = self.places.get(at)?; // none in a table without places
            if *place == EMPTY {
                return None;
            }
            if place.hash == hash && is_it(place.number) {
                return Some((at, place.number));
            }
            at = self.next(at);
        }
    }

    /// Adds a number that is not in the table.
    pub(super) fn insert(&mut self, hash: u32, number: u32) {
        if (self.len + 1) * 4 > self.places.len() * 3 {
            let larger = vec![EMPTY; (self.places.len() * 2).max(SMALLEST)];
            let old = core::mem::replace(&mut self.places, larger);
            old.into_iter().filter(|place| *place != EMPTY).for_each(|place| self.put(place));
        }
        self.put(Place { hash, number });
        self.len += 1;
    }

    fn put(&mut self, new: Place) {
        let mut at = self.home(new.hash);
        while self.places.get(at).is_some_and(|place| *place != EMPTY) {
            at = self.next(at);
        }
        if let Some(place) = self.places.get_mut(at) {
            *place = new;
        }
    }

    /// Takes a number out. Those behind it move up, so that no search ends too early.
    pub(super) fn remove(&mut self, hash: u32, number: u32) {
        let Some((mut hole, _)) = self.place_of(hash, |other| other == number) else { return };
        let mask = self.places.len().wrapping_sub(1);
        let mut at = hole;
        loop {
            at = self.next(at);
            let Some(&place) = self.places.get(at).filter(|place| **place != EMPTY) else { break };
            // It may move up unless its home lies behind the hole.
            let (from_home, from_hole) = (at.wrapping_sub(self.home(place.hash)), at.wrapping_sub(hole));
            if from_home & mask >= from_hole & mask {
                if let Some(slot) = self.places.get_mut(hole) {
                    *slot = place;
                }
                hole = at;
            }
        }
        if let Some(slot) = self.places.get_mut(hole) {
            *slot = EMPTY;
        }
        self.len -= 1;
    }

    /// Octets on the heap.
    pub(super) fn octets(&self) -> usize {
        self.places.capacity() * size_of::<Place>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    quickcheck::quickcheck! {
        /// Hashes of few bits collide often.
        fn a_number_is_found_until_it_is_taken_out(steps: Vec<(u8, u8, bool)>, bits: u8) -> bool {
            let (mut table, mut model) = (Table::default(), BTreeMap::new());
            for (number, hash, adds) in steps {
                let (number, hash) = (u32::from(number % 64), u32::from(hash) & ((1 << (bits % 9)) - 1));
                match (adds, model.get(&number).copied()) {
                    (true, None) => {
                        table.insert(hash, number);
                        model.insert(number, hash);
                    }
                    (false, Some(hash)) => {
                        table.remove(hash, number);
                        model.remove(&number);
                    }
                    (true, Some(_)) | (false, None) => table.remove(hash, 99), // of no one
                }
                assert_eq!(table.len(), model.len());
                assert!((0..64).all(|n| {
                    let found = model.get(&n).and_then(|hash| table.find(*hash, |other| other == n));
                    found == model.get(&n).map(|_| n)
                }));
            }
            true
        }
    }

    /// Most lie at home, so a search looks at few places.
    #[test]
    fn numbers_lie_where_their_hashes_say() {
        let mut table = Table::default();
        for number in 0..1000u32 {
            table.insert(number.wrapping_mul(0x9E37_79B1), number);
        }
        let at_home = |place: &(usize, &Place)| *place.1 != EMPTY && table.home(place.1.hash) == place.0;
        assert!(table.places.iter().enumerate().filter(at_home).count() > 500);
        assert_eq!(table.octets(), table.places.capacity() * 8);
    }
}
