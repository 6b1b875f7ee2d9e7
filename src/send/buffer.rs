//! The send buffer: text queued by the user and not acknowledged.

use alloc::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

/// Capacity, in pieces, that an emptied buffer may keep.
const KEEP: usize = 64;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Piece {
    start: u64,
    text: Bytes,
}

/// Text from stream offset [`start`](Self::start) to [`end`](Self::end), as the user's own pieces. Finding an offset
/// costs O(log n); a segment inside one piece is a view of it, one across pieces is copied.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct SendBuffer {
    pieces: VecDeque<Piece>,
    start: u64,
    end: u64,
    /// The piece in which the last slice ended: the next one usually begins there.
    cursor: usize,
    /// The queue was full, and the user was not told since that there is room.
    awaited: bool,
}

impl SendBuffer {
    /// The offset of the first octet that is not acknowledged.
    pub(crate) const fn start(&self) -> u64 {
        self.start
    }

    #[cfg(test)]
    const fn end(&self) -> u64 {
        self.end
    }

    /// Octets held.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.end - self.start).unwrap_or(usize::MAX)
    }

    /// Appends text. A piece that together with the last one stays below `copy_below` is merged with it, so that there
    /// are at most two pieces for each `copy_below` octets.
    pub(crate) fn push(&mut self, text: Bytes, copy_below: usize) {
        if text.is_empty() {
            return;
        }
        let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
        match self.pieces.back_mut() {
            Some(last) if last.text.len() + text.len() < copy_below => {
                let mut merged = BytesMut::with_capacity(copy_below);
                merged.extend_from_slice(&last.text);
                merged.extend_from_slice(&text);
                last.text = merged.freeze();
            }
            Some(_) | None => self.pieces.push_back(Piece { start: self.end, text }),
        }
        self.end += len;
    }

    /// A user may wait from now on, when `most` octets, all that the buffer takes, are queued.
    pub(crate) fn note_full(&mut self, most: usize) {
        self.awaited |= self.len() >= most;
    }

    /// Whether a user may wait for room.
    pub(crate) const fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// Text was acknowledged. Whether the user is to be told, once, that there is room for `mark` octets of `most`.
    pub(crate) fn take_writable(&mut self, most: usize, mark: usize) -> bool {
        let told = self.awaited && self.len() <= most.saturating_sub(mark);
        self.awaited &= !told;
        told
    }

    /// The cursor saves a search and means nothing.
    pub(crate) fn rebase(&mut self) {
        self.cursor = 0;
    }

    /// Gives the memory of an empty queue back.
    pub(crate) fn shrink(&mut self) {
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
    }

    /// Drops what lies before `offset`: it is acknowledged.
    pub(crate) fn release(&mut self, offset: u64) {
        let offset = offset.clamp(self.start, self.end);
        while let Some(first) = self.pieces.front_mut() {
            let len = u64::try_from(first.text.len()).unwrap_or(u64::MAX);
            if first.start + len <= offset {
                self.pieces.pop_front();
                self.cursor = self.cursor.saturating_sub(1);
                continue;
            }
            if first.start < offset {
                let cut = usize::try_from(offset - first.start).unwrap_or(usize::MAX);
                first.text.advance(cut.min(first.text.len()));
                first.start = offset;
            }
            break;
        }
        self.start = offset;
        if self.pieces.is_empty() {
            self.cursor = 0;
            if self.pieces.capacity() > KEEP {
                self.pieces = VecDeque::new();
            }
        }
    }

    /// The text at `offset..offset + len`, cut to what is there.
    pub(crate) fn slice(&mut self, offset: u64, len: usize) -> Bytes {
        let Some((index, first, at)) = self.find(offset) else { return Bytes::new() };
        if len <= first.text.len() - at {
            let text = first.text.slice(at..at + len);
            self.cursor = index + usize::from(at + len == first.text.len());
            return text;
        }
        let mut copy = BytesMut::with_capacity(len);
        copy.extend_from_slice(first.text.get(at..).unwrap_or(&[]));
        for piece in self.pieces.iter().skip(index + 1) {
            let room = len - copy.len();
            copy.extend_from_slice(piece.text.get(..room).unwrap_or(&piece.text));
            if copy.len() == len {
                break;
            }
        }
        copy.freeze()
    }

    /// The piece that holds `offset`: its index, itself, and where in it.
    fn find(&self, offset: u64) -> Option<(usize, &Piece, usize)> {
        let inside = |index: usize| {
            let piece = self.pieces.get(index)?;
            let at = usize::try_from(offset.checked_sub(piece.start)?).ok()?;
            (at < piece.text.len()).then_some((index, piece, at))
        };
        inside(self.cursor).or_else(|| {
            let index = self.pieces.partition_point(|piece| piece.start <= offset);
            inside(index.checked_sub(1)?)
        })
    }

    #[cfg(test)]
    fn pieces(&self) -> usize {
        self.pieces.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    quickcheck! {
        fn behaves_as_a_vec(steps: Vec<(u16, u8, bool)>) -> bool {
            let mut buffer = SendBuffer::default();
            let (mut model, mut base, mut next) = (Vec::<u8>::new(), 0usize, 0u8);
            for (size, at, release) in steps {
                if release {
                    let cut = usize::from(at).min(model.len());
                    model.drain(..cut);
                    base += cut;
                    buffer.release(base as u64);
                } else {
                    let text: Vec<u8> = (0..size % 700).map(|_| { next = next.wrapping_add(1); next }).collect();
                    model.extend_from_slice(&text);
                    buffer.push(Bytes::from(text), 64);
                }
                let from = usize::from(at).min(model.len());
                let to = (from + usize::from(size % 1500)).min(model.len());
                assert_eq!(buffer.slice((base + from) as u64, usize::from(size % 1500)), &model[from..to]);
                assert_eq!((buffer.len(), buffer.start(), buffer.end()), (model.len(), base as u64, (base + model.len()) as u64));
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
        assert_eq!(buffer.slice(998, 10).len(), 2);
    }

    #[test]
    fn a_slice_inside_one_piece_is_a_view() {
        let text = Bytes::from_static(b"0123456789");
        let mut buffer = SendBuffer::default();
        buffer.push(text.clone(), 64);
        assert_eq!(buffer.slice(3, 4).as_ptr(), text[3..].as_ptr());
    }
}
