//! The send buffer: text queued by the user and not acknowledged.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use bytes::{Buf, Bytes};

use crate::invariant::{Broken, holds};
use crate::rare::{AtRest, Rare};
use crate::stream::{Offset, slice_of};

/// Capacity, in pieces, that an emptied buffer may keep.
const KEEP: usize = 64;

#[derive(Clone, Eq, Hash, Debug)]
#[allow(clippy::derived_hash_with_manual_eq)] // equal pieces have equal text
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Piece {
    start: Offset,
    text: Bytes,
}

/// The text of a clone is the same memory, and need not be read.
impl PartialEq for Piece {
    fn eq(&self, other: &Self) -> bool {
        let place = |piece: &Self| (piece.text.as_ptr(), piece.text.len());
        self.start == other.start && (place(self) == place(other) || self.text == other.text)
    }
}

impl Piece {
    /// Whether the octet at `offset`, at or after the start, lies in it.
    fn covers(&self, offset: Offset) -> bool {
        offset - self.start < self.text.len()
    }

    /// Drops what lies before `offset`, which it covers.
    fn cut(&mut self, offset: Offset) {
        self.text.advance((offset - self.start).min(self.text.len()));
        self.start = offset;
    }
}

/// Text from offset [`start`](Self::start) on, as the user's own pieces. Finding an offset costs O(log n); a segment
/// inside one piece is a view of it, one across pieces is copied. Where the memory of an empty queue was given back,
/// offsets begin anew.
#[derive(Clone, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct SendBuffer {
    queue: Rare<Queue>,
    len: u32,
    /// The queue was full, and the user was not told since that there is room.
    awaited: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Queue {
    pieces: VecDeque<Piece>,
    /// The offset of the first octet that is not acknowledged.
    start: Offset,
    /// The piece in which the last slice ended: the next one usually begins there.
    cursor: usize,
}

impl AtRest for Queue {
    const AT_REST: &'static Self = &Self { pieces: VecDeque::new(), start: Offset::START, cursor: 0 };
}

/// Whether memory is kept for an empty queue does not count, nor where in the text it is.
impl PartialEq for SendBuffer {
    fn eq(&self, other: &Self) -> bool {
        let Self { queue, len, awaited } = self;
        (len, awaited) == (&other.len, &other.awaited) && (*len == 0 || **queue == *other.queue)
    }
}

impl Hash for SendBuffer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { queue, len, awaited } = self;
        ((*len > 0).then_some(&**queue), len, awaited).hash(state);
    }
}

impl SendBuffer {
    /// The offset of the first octet that is not acknowledged.
    pub(crate) fn start(&self) -> Offset {
        self.queue.start
    }

    #[cfg(test)]
    fn end(&self) -> Offset {
        self.start() + self.len
    }

    /// Octets held: no more than `Config::send_buffer`.
    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends text. A piece that together with the last one stays below `copy_below` is merged with it, so that there
    /// are at most two pieces for each `copy_below` octets.
    pub(crate) fn push(&mut self, text: Bytes, copy_below: usize) {
        if text.is_empty() {
            return;
        }
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let Queue { pieces, start, .. } = self.queue.begin();
        let start = *start + self.len;
        match pieces.back_mut() {
            Some(last) if last.text.len() + text.len() < copy_below => {
                let mut merged = Vec::with_capacity(last.text.len() + text.len()); // room that is left over holds memory
                merged.extend_from_slice(&last.text);
                merged.extend_from_slice(&text);
                last.text = merged.into();
            }
            Some(_) | None => pieces.push_back(Piece { start, text }),
        }
        self.len = self.len.saturating_add(len);
    }

    /// A user may wait from now on, when `most` octets, all that the buffer takes, are queued.
    pub(crate) fn note_full(&mut self, most: u32) {
        self.awaited |= self.len() >= most;
    }

    /// Whether a user may wait for room.
    pub(crate) const fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// Text was acknowledged. Whether the user is to be told, once, that there is room for `mark` octets of `most`.
    pub(crate) fn take_writable(&mut self, most: u32, mark: u32) -> bool {
        let told = self.awaited && self.len() <= most.saturating_sub(mark);
        self.awaited &= !told;
        told
    }

    /// The cursor saves a search and means nothing.
    pub(crate) fn rebase(&mut self) {
        let Self { queue: _, len: _, awaited: _ } = self; // a field that is added has to be looked at here
        if let Some(queue) = self.queue.active() {
            queue.cursor = 0;
        }
    }

    /// Gives the memory of an empty queue back.
    pub(crate) fn shrink(&mut self) {
        if self.queue.pieces.is_empty() {
            self.queue.end();
        }
    }

    /// Drops the first octets: they are acknowledged.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn release(&mut self, octets: u32) {
        let octets = octets.min(self.len);
        self.len -= octets;
        if let Some(queue) = self.queue.active() {
            queue.release(octets);
        }
    }

    /// The text at `offset..offset + len`, cut to the text there.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn slice(&mut self, offset: Offset, len: usize) -> Bytes {
        self.queue.active().map_or_else(Bytes::new, |queue| queue.slice(offset, len))
    }

    /// The pieces follow each other from the start on, and are as long as all of it.
    pub(crate) fn check_invariants(&self) -> Result<(), Broken> {
        let Queue { pieces, start, cursor } = &*self.queue;
        let mut at = *start;
        for piece in pieces {
            holds(piece.start == at && !piece.text.is_empty(), "pieces of the queue leave a gap")?;
            at = at.checked_end_of(&piece.text).ok_or("a stream without end")?;
        }
        holds(at.saturating_since(*start) == self.len, "the queue has another length than its pieces")?;
        holds(*cursor <= pieces.len(), "the cursor is beyond the queue")
    }

    #[cfg(test)]
    fn pieces(&self) -> usize {
        self.queue.pieces.len()
    }
}

impl Queue {
    /// Drops the first octets.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn release(&mut self, octets: u32) {
        self.start += octets;
        match self.pieces.front_mut() {
            Some(first) if first.covers(self.start) => first.cut(self.start),
            Some(_) | None => self.drop_pieces(),
        }
    }

    /// Drops the pieces that lie before the start.
    fn drop_pieces(&mut self) {
        while let Some(first) = self.pieces.front_mut() {
            if first.covers(self.start) {
                first.cut(self.start);
                return;
            }
            self.pieces.pop_front();
            self.cursor = self.cursor.saturating_sub(1);
        }
        self.cursor = 0;
        if self.pieces.capacity() > KEEP {
            self.pieces = VecDeque::new();
        }
    }

    /// The text at `offset..offset + len`, cut to the text there.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn slice(&mut self, offset: Offset, len: usize) -> Bytes {
        if let Some(piece) = self.pieces.get(self.cursor) {
            let at = offset.index_from(piece.start);
            if let Some(left) = piece.text.len().checked_sub(at).and_then(|left| left.checked_sub(len)) {
                self.cursor += usize::from(left == 0);
                return slice_of(&piece.text, at..at + len);
            }
        }
        self.slice_anywhere(offset, len)
    }

    /// The same, where the cursor does not point at it, or it ends in another piece.
    fn slice_anywhere(&mut self, offset: Offset, len: usize) -> Bytes {
        let Some((index, first, at)) = self.find(offset) else { return Bytes::new() };
        if len <= first.text.len() - at {
            let text = slice_of(&first.text, at..at + len);
            self.cursor = index + usize::from(at + len == first.text.len());
            return text;
        }
        let mut copy = Vec::with_capacity(len);
        copy.extend_from_slice(first.text.get(at..).unwrap_or(&[]));
        for piece in self.pieces.iter().skip(index + 1) {
            let room = len - copy.len();
            copy.extend_from_slice(piece.text.get(..room).unwrap_or(&piece.text));
            if copy.len() == len {
                break;
            }
        }
        copy.into()
    }

    /// The piece that holds `offset`: its index, itself, and where in it.
    fn find(&self, offset: Offset) -> Option<(usize, &Piece, usize)> {
        let index = self.pieces.partition_point(|piece| piece.start <= offset).checked_sub(1)?;
        let piece = self.pieces.get(index)?;
        let at = offset - piece.start;
        (at < piece.text.len()).then_some((index, piece, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    fn at(offset: usize) -> Offset {
        Offset::START + offset as u32
    }

    quickcheck! {
        fn behaves_as_a_vec(steps: Vec<(u16, u8, bool)>) -> bool {
            let mut buffer = SendBuffer::default();
            let (mut model, mut base, mut next) = (Vec::<u8>::new(), 0usize, 0u8);
            for (size, place, release) in steps {
                if release {
                    let cut = usize::from(place).min(model.len());
                    model.drain(..cut);
                    base += cut;
                    buffer.release(cut as u32);
                } else {
                    let text: Vec<u8> = (0..size % 700).map(|_| { next = next.wrapping_add(1); next }).collect();
                    model.extend_from_slice(&text);
                    buffer.push(Bytes::from(text), 64);
                }
                let from = usize::from(place).min(model.len());
                let to = (from + usize::from(size % 1500)).min(model.len());
                assert_eq!(buffer.slice(at(base + from), usize::from(size % 1500)), &model[from..to]);
                assert_eq!((buffer.len() as usize, buffer.start(), buffer.end()), (model.len(), at(base), at(base + model.len())));
            }
            true
        }
    }

    #[test]
    fn single_octets_are_merged() {
        let mut buffer = SendBuffer::default();
        for octet in 0..1000u32 {
            buffer.push(Bytes::copy_from_slice(&octet.to_be_bytes()[3..]), 64);
        }
        assert!(buffer.pieces() <= 2 * 1000 / 64 + 1);
        assert_eq!(buffer.slice(at(998), 10).len(), 2);
    }

    #[test]
    fn pieces_are_merged_below_the_limit_and_not_at_it() {
        for (second, pieces) in [(31, 1), (32, 2), (33, 2)] {
            let mut buffer = SendBuffer::default();
            buffer.push(Bytes::from_static(&[1; 32]), 64);
            buffer.push(Bytes::copy_from_slice(&[2; 33][..second]), 64);
            assert_eq!(buffer.pieces(), pieces, "32 and {second} octets");
        }
    }

    #[test]
    fn a_slice_inside_one_piece_is_a_view() {
        let text = Bytes::from_static(b"0123456789");
        let mut buffer = SendBuffer::default();
        buffer.push(text.clone(), 64);
        assert_eq!(buffer.slice(at(3), 4).as_ptr(), text[3..].as_ptr());
    }
}
