//! Text held out of order against one octet at a time.

use super::*;
use alloc::vec;
use core::hash::{BuildHasher, BuildHasherDefault};
use quickcheck::quickcheck;

const LIMITS: Limits = Limits { max_ranges: 4, copy_below: 16, frame_size: 40 };

fn at(offset: usize) -> Offset {
    Offset::START + offset as u32
}

fn drain(held: &mut Reassembly, from: usize) -> Vec<u8> {
    let mut out = Vec::new();
    held.release(at(from), |text| out.extend_from_slice(&text));
    out
}

quickcheck! {
    /// Against one octet at a time: the first accepted octet of each offset wins, whatever overlaps.
    fn behaves_as_an_array_of_octets(inserts: Vec<(u8, u8, u8)>) -> bool {
        let mut held = Reassembly::default();
        let mut model = vec![None; 600];
        for (offset, len, fill) in inserts {
            let text = Bytes::from(vec![fill; usize::from(len % 60) + 1]);
            let full_before = held.ranges() >= LIMITS.max_ranges;
            let offset = usize::from(offset) + 1;
            let old = &model[offset..offset + text.len()];
            let from = old.iter().position(Option::is_some);
            let repeated = from.map(|from| {
                let len = old[from..].iter().take_while(|octet| octet.is_some()).count();
                (at(offset + from), at(offset + from + len))
            });
            match held.insert(at(offset), text.clone(), Offset::START, &LIMITS) {
                Ok(inserted) => {
                    assert!(inserted.range.0 <= at(offset) && inserted.range.1 >= at(offset + text.len()));
                    assert_eq!(inserted.repeated, repeated, "what was held before");
                    for slot in &mut model[offset..][..text.len()] {
                        slot.get_or_insert(fill);
                    }
                }
                Err(Full) => assert!(full_before),
            }
            held.check_invariants(&LIMITS, at(1)).unwrap();
            assert!(held.pieces() <= held.ranges() + 2 * held.octets() / LIMITS.copy_below + 1);
        }
        let mut from = 1;
        while from < 600 {
            let expected: Vec<u8> = model[from..].iter().map_while(|o| *o).collect();
            assert_eq!(drain(&mut held, from), expected);
            from += expected.len() + 1;
        }
        held.is_empty() && held.octets() == 0 && held.ranges() == 0
    }
}

quickcheck! {
    /// What lies before the end stays, whatever pieces the rest was held in.
    fn the_end_of_the_stream_cuts_off_what_lies_beyond(inserts: Vec<(u8, u8, u8)>, end: u8) -> bool {
        let mut held = Reassembly::default();
        let mut model = vec![None; 600];
        for (offset, len, fill) in inserts {
            let text = Bytes::from(vec![fill; usize::from(len % 60) + 1]);
            let offset = usize::from(offset) + 1;
            if held.insert(at(offset), text.clone(), Offset::START, &LIMITS).is_ok() {
                for slot in &mut model[offset..][..text.len()] {
                    slot.get_or_insert(fill);
                }
            }
        }
        let end = usize::from(end);
        let beyond = model[end..].iter().flatten().count();
        assert_eq!(held.drop_beyond(at(end), &LIMITS), beyond);
        assert_eq!(held.drop_beyond(at(end), &LIMITS), 0);
        held.check_invariants(&LIMITS, at(1)).unwrap();
        for from in 1..end {
            let expected: Vec<u8> = model[from..end].iter().map_while(|o| *o).collect();
            let first = model[from - 1].is_none() || from == 1;
            assert!(!first || drain(&mut held, from) == expected);
        }
        held.is_empty() && held.octets() == 0 && held.ranges() == 0
    }
}

quickcheck! {
    /// Values with the same pieces are equal: earlier pieces, and places in memory, do not count.
    fn what_was_held_before_does_not_count(before: Vec<(u8, u8)>, inserts: Vec<(u8, u8, u8)>) -> bool {
        let limits = Limits { max_ranges: 1000, ..LIMITS };
        let (mut used, mut fresh) = (Reassembly::default(), Reassembly::default());
        let piece = |len: u8, fill: u8| Bytes::from(vec![fill; usize::from(len % 60) + 1]);
        for (offset, len) in before {
            used.insert(at(usize::from(offset) + 1), piece(len, 1), Offset::START, &limits).unwrap();
        }
        let anchor = (at(400), piece(0, 2)); // so that the memory of `used` is not given back
        for held in [&mut used, &mut fresh] {
            held.insert(anchor.0, anchor.1.clone(), Offset::START, &limits).unwrap();
        }
        (1..400).for_each(|offset| used.release(at(offset), drop));
        for (offset, len, fill) in inserts {
            for held in [&mut used, &mut fresh] {
                held.insert(at(usize::from(offset) + 500), piece(len, fill), Offset::START, &limits).unwrap();
            }
        }
        let hash = |held: &Reassembly| BuildHasherDefault::<Lengths>::default().hash_one(held);
        assert!(used == fresh && hash(&used) == hash(&fresh) && used == used.clone());
        used.insert(at(4000), piece(0, 3), Offset::START, &limits).unwrap();
        fresh.insert(at(4000), piece(0, 4), Offset::START, &limits).unwrap();
        used != fresh
    }
}

/// A hasher good enough for that.
#[derive(Default)]
struct Lengths(u64);

impl Hasher for Lengths {
    fn write(&mut self, octets: &[u8]) {
        octets.iter().for_each(|&octet| self.0 = self.0.wrapping_mul(31).wrapping_add(u64::from(octet)));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The start of the range that holds this offset.
fn start_of(bitmap: &[bool], at: usize) -> usize {
    bitmap[..at].iter().rposition(|held| !held).map_or(0, |gap| gap + 1)
}

quickcheck! {
    /// RFC 2018 §4 against an offset in each of the last four ranges: the range of what arrived last goes first.
    fn the_ranges_that_came_last_are_reported_first(inserts: Vec<(u8, u8)>) -> bool {
        let limits = Limits { max_ranges: 1000, ..LIMITS };
        let (mut held, mut bitmap, mut arrived) = (Reassembly::default(), vec![false; 300], Vec::new());
        for (offset, len) in inserts {
            if len % 8 == 0 {
                let first = bitmap.iter().position(|&held| held).unwrap_or(0);
                held.release(at(first), drop);
                let end = bitmap[first..].iter().position(|held| !held).map_or(300, |len| first + len);
                bitmap[..end].fill(false);
            } else {
                let (offset, len) = (usize::from(offset) + 1, usize::from(len % 6) + 1);
                held.insert(at(offset), Bytes::from(vec![0; len]), Offset::START, &limits).unwrap();
                bitmap[offset..offset + len].fill(true);
                arrived.retain(|&at| bitmap[at] && start_of(&bitmap, at) != start_of(&bitmap, offset));
                arrived.insert(0, offset);
                arrived.truncate(REPORTS);
            }
            let mut expected = Vec::new();
            for offset in arrived.iter().copied().chain((0..300).rev()).filter(|&offset| bitmap[offset]) {
                let start = at(start_of(&bitmap, offset));
                if expected.len() < REPORTS && !expected.contains(&start) {
                    expected.push(start);
                }
            }
            let reports: Vec<Offset> = held.reports().as_slice().iter().map(|range| range.0).collect();
            assert_eq!(reports, expected);
            held.check_invariants(&limits, at(1)).unwrap();
        }
        true
    }
}

#[test]
fn the_next_expected_text_is_never_refused() {
    let mut held = Reassembly::default();
    for range in 1..=4 {
        held.insert(at(range * 10), Bytes::from_static(b"x"), Offset::START, &LIMITS).unwrap();
    }
    let mut range = |offset, text| held.insert(at(offset), text, Offset::START, &LIMITS).map(|held| held.range);
    assert_eq!(range(90, Bytes::from_static(b"x")), Err(Full));
    assert_eq!(range(11, Bytes::from_static(b"y")), Ok((at(10), at(12))));
    assert_eq!(range(0, Bytes::from_static(b"z")), Ok((at(0), at(1))));
}

#[test]
fn single_octets_in_reverse_order_are_merged() {
    let limits = Limits { max_ranges: 4, copy_below: 64, frame_size: 2048 };
    let mut held = Reassembly::default();
    for offset in (1..=1000).rev() {
        held.insert(at(offset), Bytes::from_static(b"x"), Offset::START, &limits).unwrap();
    }
    assert!(held.pieces() <= 2 * 1000 / 64 + 1, "{} pieces", held.pieces());
}
