//! Text held out of order (RFC 9293 SHLD-31), with bounded memory.

use alloc::collections::BTreeMap;

use alloc::vec::Vec;

use bytes::Bytes;

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
        len < self.copy_below || len.saturating_mul(2) < self.frame_size
    }

    /// The most pieces that hold so many octets in so many ranges.
    fn most_pieces(&self, ranges: usize, octets: usize) -> usize {
        ranges.saturating_add(octets.saturating_mul(2) / self.copy_below)
    }
}

/// The first `len` octets of `text`, and no more memory than twice as much.
pub(crate) fn keep_front(text: &mut Bytes, len: usize) {
    let whole = text.len();
    text.truncate(len);
    if text.len() < whole / 2 {
        *text = Bytes::copy_from_slice(text);
    }
}

/// The cap on ranges is reached and the text would open another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full;

/// Pieces of text by stream offset. The first octet accepted at an offset stays: nothing held is replaced or evicted.
///
/// Two pieces that touch hold more than `copy_below` octets together, whatever the order in which they came. So there
/// are at most two pieces for each `copy_below` octets, and one more for each range.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Reassembly {
    pieces: BTreeMap<u64, Bytes>,
    ranges: Ranges,
    octets: usize,
}

/// Small pieces that touch, gathered while one segment is inserted. They become one piece, of `copy_below` octets at most.
#[derive(Default)]
struct Block {
    start: u64,
    text: Vec<u8>,
}

impl Block {
    fn end(&self) -> u64 {
        self.start + octets_of(&self.text)
    }
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
    /// is the offset of RCV.NXT: text that starts there leaves at once, so it is never refused. This copies at most the
    /// text and `copy_below` octets on either side of it.
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
        let mut block = Block::default();
        let mut at = offset;
        while let Some((start, stop)) = self.ranges.first_gap(at, end) {
            let from = usize::try_from(start - offset).unwrap_or(usize::MAX);
            let to = usize::try_from(stop - offset).unwrap_or(usize::MAX);
            let mut part = text.slice(from.min(text.len())..to.min(text.len()));
            if part.len() < text.len() / 2 && part.len() >= limits.copy_below {
                part = Bytes::copy_from_slice(&part); // it would pin the whole text
            }
            self.place(&mut block, start, part, limits);
            at = stop;
        }
        self.close(&mut block);
        Ok(self.ranges.insert(offset, end))
    }

    /// Adds a part where nothing is held: a small one to the `block` that is gathered, others as a piece.
    fn place(&mut self, block: &mut Block, start: u64, part: Bytes, limits: &Limits) {
        if part.len() < limits.copy_below {
            self.gather(block, start, &part, limits.copy_below);
        } else {
            let copied = limits.is_copied(part.len());
            self.hold(start, if copied { Bytes::copy_from_slice(&part) } else { part });
        }
    }

    /// Adds one piece where nothing is held.
    fn hold(&mut self, start: u64, piece: Bytes) {
        self.octets += piece.len();
        self.pieces.insert(start, piece);
    }

    /// Adds a small part where nothing is held: to the piece before it and the piece behind it, where they fit.
    fn gather(&mut self, block: &mut Block, start: u64, part: &[u8], copy_below: usize) {
        if block.end() != start || block.text.len() + part.len() > copy_below {
            self.close(block);
        }
        let room = copy_below - part.len();
        let before = if block.text.is_empty() { self.take_before(start, room) } else { None };
        let room = room - before.as_ref().map_or(block.text.len(), Bytes::len);
        let behind = self.take_at(start + octets_of(part), room);
        let (head, tail) = (before.unwrap_or_default(), behind.unwrap_or_default());
        if block.text.is_empty() {
            block.start = start - octets_of(&head);
        }
        block.text.reserve(head.len() + part.len() + tail.len());
        block.text.extend_from_slice(&head);
        block.text.extend_from_slice(part);
        block.text.extend_from_slice(&tail);
    }

    /// The block becomes a piece, without spare capacity.
    fn close(&mut self, block: &mut Block) {
        if !block.text.is_empty() {
            let text = core::mem::take(&mut block.text).into_boxed_slice();
            self.hold(block.start, text.into());
        }
    }

    /// Takes out the piece that ends here, when it is no longer than `most`.
    fn take_before(&mut self, end: u64, most: usize) -> Option<Bytes> {
        let (&start, piece) = self.pieces.range(..end).next_back()?;
        if start + octets_of(piece) == end { self.take_at(start, most) } else { None }
    }

    /// Takes out the piece that starts here, when it is no longer than `most`.
    fn take_at(&mut self, start: u64, most: usize) -> Option<Bytes> {
        self.pieces.get(&start).filter(|piece| piece.len() <= most)?;
        let piece = self.pieces.remove(&start)?;
        self.octets -= piece.len();
        Some(piece)
    }

    /// Takes the piece at `expected`, the offset of RCV.NXT.
    pub(crate) fn take(&mut self, expected: u64) -> Option<Bytes> {
        let first = self.pieces.first_entry().filter(|entry| *entry.key() == expected)?;
        let text = first.remove();
        self.octets -= text.len();
        self.ranges.remove_below(expected + octets_of(&text));
        self.give_back();
        Some(text)
    }

    /// Lets go of all that is held at or beyond `end`, where the stream ends. Returns how many octets that was.
    pub(crate) fn drop_beyond(&mut self, end: u64, limits: &Limits) -> usize {
        let before = self.octets;
        let beyond: usize = self.pieces.split_off(&end).values().map(Bytes::len).sum();
        self.octets -= beyond;
        if let Some((start, mut last)) = self.pieces.pop_last() {
            self.octets -= last.len();
            last.truncate(usize::try_from(end - start).unwrap_or(usize::MAX));
            let mut block = Block::default();
            self.place(&mut block, start, last, limits);
            self.close(&mut block);
        }
        self.ranges.remove_from(end);
        self.give_back();
        before - self.octets
    }

    /// Nothing held takes no memory: an emptied map keeps a node.
    fn give_back(&mut self) {
        if self.pieces.is_empty() {
            self.pieces = BTreeMap::new();
        }
    }

    /// Whether the pieces fill the ranges exactly and are few.
    pub(crate) fn check_invariants(&self, limits: &Limits, received: u64) {
        let total: usize = self.pieces.values().map(Bytes::len).sum();
        assert_eq!(total, self.octets, "held octets");
        let most = limits.most_pieces(self.ranges.len(), self.octets);
        assert!(self.pieces.len() <= most, "{} pieces, {most} at most", self.pieces.len());
        let end_of = |(start, piece): (&u64, &Bytes)| *start + octets_of(piece);
        let touching = self.pieces.iter().zip(self.pieces.iter().skip(1)).filter(|(a, b)| end_of(*a) == *b.0);
        for (before, behind) in touching {
            let together = before.1.len() + behind.1.len();
            assert!(together > limits.copy_below, "two pieces of {together} octets at {}", before.0);
        }
        assert!(self.ranges.len() <= limits.max_ranges + 1, "held ranges: {}", self.ranges.len());
        assert!(self.ranges.first().is_none_or(|(start, _)| start >= received), "held text was already delivered");
    }

    #[cfg(test)]
    fn pieces(&self) -> usize {
        self.pieces.len()
    }
}

fn octets_of(text: &[u8]) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
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
            assert_eq!(held.drop_beyond(end as u64, &LIMITS), beyond);
            assert_eq!(held.drop_beyond(end as u64, &LIMITS), 0);
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
