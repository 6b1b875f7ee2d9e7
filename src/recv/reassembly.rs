//! Text held out of order (RFC 9293 SHLD-31), with bounded memory.

use alloc::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use crate::Config;
use crate::ranges::Ranges;

/// Where `max_ranges` is 0, octets of the receive buffer for each range: when every other segment of a large window is
/// lost, all that arrive can be held.
const RANGE: u32 = 1024;
const LEAST_RANGES: usize = 64;

/// The limits of `Config` that concern held text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_ranges: usize,
    copy_below: usize,
    frame_size: usize,
}

impl Limits {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            max_ranges: match config.max_ranges() {
                0 => usize::try_from(config.receive_buffer() / RANGE).unwrap_or(usize::MAX).max(LEAST_RANGES),
                most => usize::from(most),
            },
            copy_below: usize::from(config.copy_below()),
            frame_size: usize::try_from(config.frame_size()).unwrap_or(usize::MAX),
        }
    }

    /// A piece that is small, or that pins more than twice its size of a frame, is copied instead of held.
    const fn is_copied(&self, len: usize) -> bool {
        len < self.copy_below || len < self.frame_size / 2
    }
}

/// The cap on ranges is reached and the text would open another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full;

/// Pieces of text by stream offset. The first octet accepted at an offset stays: nothing held is replaced or evicted.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Reassembly {
    pieces: BTreeMap<u64, Bytes>,
    ranges: Ranges,
    octets: usize,
}

impl Reassembly {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Octets held.
    pub(crate) const fn octets(&self) -> usize {
        self.octets
    }

    /// The ranges held.
    pub(crate) const fn ranges(&self) -> &Ranges {
        &self.ranges
    }

    /// Holds the parts of `text` at `offset` that are not held yet, and returns the range they are part of. `expected`
    /// is the offset of RCV.NXT: text that starts there leaves at once, so it is never refused.
    pub(crate) fn insert(
        &mut self,
        offset: u64,
        text: &Bytes,
        expected: u64,
        limits: &Limits,
    ) -> Result<(u64, u64), Full> {
        let end = offset + octets_of(text);
        if offset != expected && self.ranges.len() >= limits.max_ranges && self.ranges.opens_another(offset, end) {
            return Err(Full);
        }
        let mut at = offset;
        while let Some((start, stop)) = self.ranges.first_gap(at, end) {
            let from = usize::try_from(start - offset).unwrap_or(usize::MAX);
            let to = usize::try_from(stop - offset).unwrap_or(usize::MAX);
            self.hold(start, text.slice(from.min(text.len())..to.min(text.len())), limits);
            at = stop;
        }
        Ok(self.ranges.insert(offset, end))
    }

    /// Adds one piece where nothing is held. Small neighbours are merged into owned blocks, so that there are at most
    /// two pieces for each `copy_below` octets of a range; this copies at most `copy_below` octets.
    fn hold(&mut self, start: u64, text: Bytes, limits: &Limits) {
        self.octets += text.len();
        if !limits.is_copied(text.len()) {
            self.pieces.insert(start, text);
            return;
        }
        let end = start + octets_of(&text);
        let fits = |other: &Bytes| other.len() + text.len() <= limits.copy_below;
        let before = self.pieces.range(..start).next_back();
        let before = before.filter(|(s, piece)| **s + octets_of(piece) == start && fits(piece)).map(|(s, _)| *s);
        let after =
            if before.is_none() && self.pieces.get(&end).is_some_and(fits) { self.pieces.remove(&end) } else { None };
        let key = before.unwrap_or(start);
        let head = before.and_then(|s| self.pieces.remove(&s)).unwrap_or_default();
        let tail = after.unwrap_or_default();
        let mut block = BytesMut::with_capacity(head.len() + text.len() + tail.len());
        block.extend_from_slice(&head);
        block.extend_from_slice(&text);
        block.extend_from_slice(&tail);
        self.pieces.insert(key, block.freeze());
    }

    /// Takes the piece at `expected`, the offset of RCV.NXT.
    pub(crate) fn take(&mut self, expected: u64) -> Option<Bytes> {
        let first = self.pieces.first_entry().filter(|entry| *entry.key() == expected)?;
        let text = first.remove();
        self.octets -= text.len();
        self.ranges.remove_below(expected + octets_of(&text));
        Some(text)
    }

    /// Lets go of all that is held at or beyond `end`, where the stream ends. Returns how many octets that was.
    pub(crate) fn drop_beyond(&mut self, end: u64) -> usize {
        let beyond: usize = self.pieces.split_off(&end).values().map(Bytes::len).sum();
        let mut dropped = beyond;
        if let Some(mut last) = self.pieces.last_entry() {
            let (start, len) = (*last.key(), last.get().len());
            last.get_mut().truncate(usize::try_from(end - start).unwrap_or(usize::MAX));
            dropped += len - last.get().len();
        }
        self.octets -= dropped;
        self.ranges.remove_from(end);
        dropped
    }

    /// Whether the pieces fill the ranges exactly and are few.
    pub(crate) fn check_invariants(&self, limits: &Limits, received: u64) {
        let total: usize = self.pieces.values().map(Bytes::len).sum();
        assert_eq!(total, self.octets, "held octets");
        assert!(self.ranges.len() <= limits.max_ranges + 1, "held ranges: {}", self.ranges.len());
        assert!(self.ranges.first().is_none_or(|(start, _)| start >= received), "held text was already delivered");
    }

    #[cfg(test)]
    fn pieces(&self) -> usize {
        self.pieces.len()
    }
}

fn octets_of(text: &Bytes) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    const LIMITS: Limits = Limits { max_ranges: 4, copy_below: 16, frame_size: 40 };

    fn drain(held: &mut Reassembly, mut at: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(text) = held.take(at) {
            at += text.len() as u64;
            out.extend_from_slice(&text);
        }
        out
    }

    quickcheck! {
        /// Against one octet at a time: the first accepted octet of each offset wins, whatever overlaps.
        fn behaves_as_an_array_of_octets(inserts: Vec<(u8, u8, u8)>) -> bool {
            let mut held = Reassembly::default();
            let mut model = vec![None; 600];
            for (offset, len, fill) in inserts {
                let text = Bytes::from(vec![fill; usize::from(len % 60) + 1]);
                let full_before = held.ranges().len() >= LIMITS.max_ranges;
                match held.insert(u64::from(offset) + 1, &text, 0, &LIMITS) {
                    Ok((start, end)) => {
                        assert!(start <= u64::from(offset) + 1 && end > u64::from(offset) + text.len() as u64);
                        for slot in &mut model[usize::from(offset) + 1..][..text.len()] {
                            slot.get_or_insert(fill);
                        }
                    }
                    Err(Full) => assert!(full_before),
                }
                held.check_invariants(&LIMITS, 1);
                assert!(held.pieces() <= held.ranges().len() + 2 * held.octets() / LIMITS.copy_below + 1);
            }
            let mut at = 1;
            while at < 600 {
                let expected: Vec<u8> = model[at..].iter().map_while(|o| *o).collect();
                assert_eq!(drain(&mut held, at as u64), expected);
                at += expected.len() + 1;
            }
            held.is_empty() && held.octets() == 0 && held.ranges().is_empty()
        }
    }

    quickcheck! {
        /// What lies before the end stays, whatever pieces the rest was held in.
        fn the_end_of_the_stream_cuts_off_what_lies_beyond(inserts: Vec<(u8, u8, u8)>, end: u8) -> bool {
            let mut held = Reassembly::default();
            let mut model = vec![None; 600];
            for (offset, len, fill) in inserts {
                let text = Bytes::from(vec![fill; usize::from(len % 60) + 1]);
                if held.insert(u64::from(offset) + 1, &text, 0, &LIMITS).is_ok() {
                    for slot in &mut model[usize::from(offset) + 1..][..text.len()] {
                        slot.get_or_insert(fill);
                    }
                }
            }
            let end = usize::from(end);
            let beyond = model[end..].iter().flatten().count();
            assert_eq!(held.drop_beyond(end as u64), beyond);
            assert_eq!(held.drop_beyond(end as u64), 0);
            held.check_invariants(&LIMITS, 1);
            for at in 1..end {
                let expected: Vec<u8> = model[at..end].iter().map_while(|o| *o).collect();
                let first = model[at - 1].is_none() || at == 1;
                assert!(!first || drain(&mut held, at as u64) == expected);
            }
            held.is_empty() && held.octets() == 0 && held.ranges().is_empty()
        }
    }

    #[test]
    fn the_next_expected_text_is_never_refused() {
        let mut held = Reassembly::default();
        for range in 1..=4u64 {
            held.insert(range * 10, &Bytes::from_static(b"x"), 0, &LIMITS).unwrap();
        }
        assert_eq!(held.insert(90, &Bytes::from_static(b"x"), 0, &LIMITS), Err(Full));
        assert_eq!(held.insert(11, &Bytes::from_static(b"y"), 0, &LIMITS), Ok((10, 12)));
        assert_eq!(held.insert(0, &Bytes::from_static(b"z"), 0, &LIMITS), Ok((0, 1)));
    }

    #[test]
    fn single_octets_in_reverse_order_are_merged() {
        let limits = Limits { max_ranges: 4, copy_below: 64, frame_size: 2048 };
        let mut held = Reassembly::default();
        for offset in (1..=1000u64).rev() {
            held.insert(offset, &Bytes::from_static(b"x"), 0, &limits).unwrap();
        }
        assert!(held.pieces() <= 2 * 1000 / 64 + 1, "{} pieces", held.pieces());
    }
}
