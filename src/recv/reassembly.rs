//! Text held out of order (RFC 9293 SHLD-31), with bounded memory.

use core::hash::{Hash, Hasher};

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use super::limits::{Full, Inserted, Limits};
use super::pieces::{Chain, Pieces};
use crate::invariant::{Broken, holds};
use crate::ranges::{Place, Range, Ranges};
use crate::recent::{REPORTS, Recent};
use crate::stream::{Offset, slice_of};

/// Text held out of order. The first octet accepted at an offset stays: nothing held is replaced or evicted. Nothing
/// held takes no memory.
///
/// Two pieces that touch hold more than `copy_below` octets together, whatever the order in which they came. So there
/// are at most two pieces for each `copy_below` octets, and one more for each range.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Reassembly(Option<Box<Held>>);

/// The ranges held, each with its pieces. There is one range at least.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Held {
    ranges: Ranges<Offset, Chain>,
    pieces: Pieces,
    octets: usize,
    recent: Recent<Offset>,
}

impl Held {
    /// The pieces by offset.
    fn iter(&self) -> impl Iterator<Item = (Offset, &Bytes)> {
        let mut at = self.ranges.find(Offset::START);
        let ranges = core::iter::from_fn(move || {
            let range = self.ranges.at(at)?;
            at = self.ranges.next(at);
            Some(range)
        });
        ranges.flat_map(|range| {
            let mut start = range.start;
            self.pieces.iter(range.value).map(move |piece| {
                let at = start;
                start = at.end_of(piece);
                (at, piece)
            })
        })
    }
}

/// Where the pieces stand in memory does not count.
impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.octets == other.octets && self.recent == other.recent && self.iter().eq(other.iter())
    }
}

impl Eq for Held {}

impl Hash for Held {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.octets, self.recent).hash(state);
        self.iter().for_each(|piece| piece.hash(state));
    }
}

/// A range that grows while one segment is inserted.
struct Growing {
    start: Offset,
    end: Offset,
    chain: Option<Chain>,
    /// Small pieces that touch, at the end of the range. They become one piece, of `copy_below` octets at most.
    block: Vec<u8>,
    /// The piece of the chain that the block began with.
    began_with: Option<u32>,
}

impl Growing {
    /// Adds a part at the end: a small one to the block, others as a piece. `next` is what the part touches at its end.
    fn add(&mut self, part: Bytes, pieces: &mut Pieces, next: Option<Chain>, limits: &Limits) -> Option<Chain> {
        self.end = self.end.end_of(&part);
        if limits.is_small(part.len()) {
            return self.gather(&part, pieces, next, limits.copy_below);
        }
        self.close(pieces);
        self.chain = Some(pieces.append(self.chain, limits.kept(part)));
        next
    }

    /// Adds a small part: to the piece before it and the piece behind it, where they fit. Returns the rest of `next`.
    fn gather(&mut self, part: &[u8], pieces: &mut Pieces, next: Option<Chain>, copy_below: usize) -> Option<Chain> {
        if self.block.len() + part.len() > copy_below {
            self.close(pieces);
        }
        let room = copy_below - part.len();
        if self.block.is_empty() {
            let before = self.chain.map(Chain::last);
            self.began_with = before.filter(|&before| pieces.text(before).len() <= room);
        }
        let head = self.began_with.filter(|_| self.block.is_empty()).map_or(&[][..], |before| pieces.text(before));
        let room = room - self.block.len() - head.len();
        let behind = next.filter(|&next| pieces.first_text(next).len() <= room);
        let tail = behind.map_or(&[][..], |next| pieces.first_text(next));
        self.block.reserve(head.len() + part.len() + tail.len());
        self.block.extend_from_slice(head);
        self.block.extend_from_slice(part);
        self.block.extend_from_slice(tail);
        behind.map_or(next, |next| pieces.take_first(next).1)
    }

    /// The block becomes a piece, without spare capacity.
    fn close(&mut self, pieces: &mut Pieces) {
        if self.block.is_empty() {
            return;
        }
        let text = core::mem::take(&mut self.block).into_boxed_slice().into();
        match self.began_with {
            Some(place) => pieces.set(place, text),
            None => self.chain = Some(pieces.append(self.chain, text)),
        }
    }

    /// Joins the range whose pieces these are, or the rest of them.
    fn join(&mut self, end: Offset, chain: Option<Chain>, pieces: &mut Pieces) {
        self.end = self.end.max(end);
        if let Some(chain) = chain {
            self.close(pieces);
            self.chain = Some(pieces.link(self.chain, chain));
        }
    }
}

impl Held {
    /// The usual cases: text that continues the range at `place`, opens another there, or is what was missing just
    /// before it, and overlaps and joins no other. Returns that range.
    fn insert_apart(
        &mut self,
        offset: Offset,
        text: &mut Bytes,
        place: Place,
        limits: &Limits,
    ) -> Option<(Offset, Offset)> {
        let (len, end) = (text.len(), offset.end_of(text));
        match self.ranges.at(place) {
            Some(range) if range.end == offset && !limits.is_small(len) => {
                let next = self.ranges.at(self.ranges.next(place));
                if next.is_some_and(|next| next.start <= end) {
                    return None;
                }
                let value = self.pieces.append(Some(range.value), limits.kept(core::mem::take(text)));
                self.ranges.replace(place, 1, Range { start: range.start, end, value });
                self.octets += len;
                Some((range.start, end))
            }
            // The range before ends before the text, or it would stand at `place`.
            Some(range) if range.start == end && !limits.is_small(len) => {
                let value = self.pieces.prepend(range.value, limits.kept(core::mem::take(text)));
                self.ranges.replace(place, 1, Range { start: offset, end: range.end, value });
                self.octets += len;
                Some((offset, range.end))
            }
            Some(range) if range.start <= end => None,
            _ if self.ranges.len() >= limits.max_ranges => None,
            Some(_) | None => {
                let value = self.pieces.append(None, limits.kept(core::mem::take(text)));
                self.ranges.replace(place, 0, Range { start: offset, end, value });
                self.octets += len;
                Some((offset, end))
            }
        }
    }

    /// Holds the parts of `text` at `offset` that are not held yet.
    fn insert(&mut self, offset: Offset, mut text: Bytes, needed: bool, limits: &Limits) -> Result<Inserted, Full> {
        let (len, end) = (text.len(), offset.end_of(&text));
        let place = self.ranges.find(offset);
        if let Some(range) = self.insert_apart(offset, &mut text, place, limits) {
            return Ok(Inserted { range, repeated: None });
        }
        let repeated = self.ranges.first_overlap(offset, end);
        let Self { ranges, pieces, octets, .. } = self;
        let mut growing = Growing { start: offset, end: offset, chain: None, block: Vec::new(), began_with: None };
        let (mut at, mut joined) = (place, 0);
        let mut part = |from: Offset, to: Offset| {
            let (from, to) = (from - offset, to - offset);
            let part = if from == 0 && to == len { core::mem::take(&mut text) } else { slice_of(&text, from..to) };
            *octets += part.len();
            let pins = part.len() < len / 2 && !limits.is_small(part.len()) && !limits.is_copied(part.len());
            if pins { Bytes::copy_from_slice(&part) } else { part } // it would pin the whole text
        };
        while let Some(range) = ranges.at(at).filter(|range| range.start <= end) {
            growing.start = growing.start.min(range.start);
            let mut chain = Some(range.value);
            if growing.end < range.start {
                chain = growing.add(part(growing.end, range.start), pieces, chain, limits);
            }
            growing.join(range.end, chain, pieces);
            (at, joined) = (ranges.next(at), joined + 1);
        }
        if joined == 0 && !needed && ranges.len() >= limits.max_ranges {
            return Err(Full);
        }
        if growing.end < end {
            growing.add(part(growing.end, end), pieces, None, limits);
        }
        growing.close(pieces);
        let (start, end) = (growing.start, growing.end);
        if let Some(value) = growing.chain {
            ranges.replace(place, joined, Range { start, end, value });
        }
        Ok(Inserted { range: (start, end), repeated })
    }

    /// Lets go of all that is held at or beyond `end`.
    fn drop_beyond(&mut self, end: Offset, limits: &Limits) {
        let Self { ranges, pieces, octets, recent } = self;
        recent.cut(end);
        while let Some(last) = ranges.last().filter(|last| last.end > end) {
            ranges.pop_last();
            if last.start >= end {
                pieces.take_all(last.value, |text| *octets -= text.len());
                continue;
            }
            *octets -= last.end - end;
            let (chain, text) = pieces.cut(last.value, end - last.start);
            let start = end - text.len();
            let mut growing = Growing { start, end: start, chain, block: Vec::new(), began_with: None };
            growing.add(text, pieces, None, limits);
            growing.close(pieces);
            if let Some(value) = growing.chain {
                ranges.replace(ranges.find(last.start), 0, Range { start: last.start, end, value });
            }
        }
    }
}

impl Reassembly {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Octets held.
    pub(crate) fn octets(&self) -> usize {
        self.0.as_ref().map_or(0, |held| held.octets)
    }

    /// How many ranges are held.
    pub(crate) fn ranges(&self) -> usize {
        self.0.as_ref().map_or(0, |held| held.ranges.len())
    }

    /// Where the first range starts.
    pub(crate) fn start(&self) -> Option<Offset> {
        Some(self.0.as_ref()?.ranges.first()?.start)
    }

    /// Where the last range ends.
    pub(crate) fn end(&self) -> Option<Offset> {
        Some(self.0.as_ref()?.ranges.last()?.end)
    }

    /// The part of `start..end` that comes first and is held.
    pub(crate) fn first_overlap(&self, start: Offset, end: Offset) -> Option<(Offset, Offset)> {
        self.0.as_ref()?.ranges.first_overlap(start, end)
    }

    /// The ranges to report, in order, each once: those that came last, then as many others as there is room for.
    pub(crate) fn reports(&self) -> Recent<Offset> {
        let Some(held) = &self.0 else { return Recent::default() };
        let known = held.recent.as_slice().len() >= held.ranges.len().min(REPORTS);
        if known { held.recent } else { held.recent.with(held.ranges.iter_down().take(2 * REPORTS)) }
    }

    /// Holds the parts of `text` at `offset` that are not held yet. `expected` is the offset of RCV.NXT: text that
    /// starts there leaves at once, so it is never refused, and no range to report.
    /// This copies at most the text and `copy_below` octets on either side of it.
    pub(crate) fn insert(
        &mut self,
        offset: Offset,
        text: Bytes,
        expected: Offset,
        limits: &Limits,
    ) -> Result<Inserted, Full> {
        let held = self.0.get_or_insert_default();
        let inserted = held.insert(offset, text, offset == expected, limits)?;
        if offset != expected {
            held.recent.touch(inserted.range);
        }
        Ok(inserted)
    }

    /// Takes the range that starts at `expected`, the offset of RCV.NXT: its pieces go to `deliver`.
    pub(crate) fn release(&mut self, expected: Offset, mut deliver: impl FnMut(Bytes)) {
        let Some(held) = &mut self.0 else { return };
        let first = held.ranges.first().filter(|first| first.start == expected);
        let Some(range) = first.and_then(|_| held.ranges.pop_first()) else { return };
        held.octets -= range.end - range.start;
        held.recent.release(range.end);
        held.pieces.take_all(range.value, &mut deliver);
        self.give_back();
    }

    /// Lets go of all that is held at or beyond `end`, where the stream ends. Returns how many octets that was.
    pub(crate) fn drop_beyond(&mut self, end: Offset, limits: &Limits) -> usize {
        let Some(held) = &mut self.0 else { return 0 };
        let before = held.octets;
        held.drop_beyond(end, limits);
        let dropped = before - held.octets;
        self.give_back();
        dropped
    }

    fn give_back(&mut self) {
        if self.0.as_ref().is_some_and(|held| held.ranges.is_empty()) {
            self.0 = None;
        }
    }

    /// Whether the pieces fill the ranges exactly and are few.
    pub(crate) fn check_invariants(&self, limits: &Limits, received: Offset) -> Result<(), Broken> {
        let Some(held) = &self.0 else { return Ok(()) };
        holds(!held.ranges.is_empty(), "memory for nothing")?;
        held.ranges.check_invariants()?;
        held.pieces.check_invariants(held.ranges.iter().map(|range| range.value))?; // from here on, chains have an end
        let (mut pieces, mut octets, mut whole) = (0, 0, 0_usize);
        for range in held.ranges.iter() {
            let (mut end, mut previous) = (range.start, None);
            for piece in held.pieces.iter(range.value) {
                (pieces, octets) = (pieces + 1, octets + piece.len());
                let together = previous.is_none_or(|len: usize| len + piece.len() > limits.copy_below);
                holds(together && !piece.is_empty(), "two small pieces that touch")?;
                previous = Some(piece.len());
                end = end.checked_end_of(piece).ok_or("a stream without end")?;
            }
            holds(end == range.end, "pieces do not fill their range")?;
            whole = whole.saturating_add(range.end - range.start);
        }
        let ranges = held.ranges.len();
        holds(pieces <= limits.most_pieces(ranges, held.octets), "too many pieces")?;
        holds((octets, whole) == (held.octets, held.octets), "octets held, and in ranges")?;
        holds(ranges <= limits.max_ranges.saturating_add(1), "too many ranges are held")?;
        holds(self.start().is_none_or(|start| start >= received), "held text was already delivered")?;
        let known = |&(start, end): &(Offset, Offset)| {
            let range = held.ranges.at(held.ranges.find(start));
            range.is_some_and(|range| (range.start, range.end) == (start, end))
        };
        holds(held.recent.as_slice().iter().all(known), "a range reported last is none")
    }

    #[cfg(test)]
    fn pieces(&self) -> usize {
        self.0.as_ref().map_or(0, |held| held.iter().count())
    }
}

#[cfg(test)]
mod tests;
