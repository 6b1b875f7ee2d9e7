//! Pieces of text, linked into chains.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::invariant::{Broken, holds};

/// Pieces in one block of memory.
const BLOCK: usize = if cfg!(test) { 4 } else { 32 };

/// A piece of text and the one behind it in its chain; or an unused place and the next one.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Piece {
    text: Bytes,
    next: Option<u32>,
}

/// Pieces that touch, in order. A chain has one piece at least.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Chain {
    first: u32,
    last: u32,
}

impl Chain {
    pub(crate) const fn last(self) -> u32 {
        self.last
    }
}

/// The memory of all chains. Each operation but those on a whole chain costs O(1). Places that were used once stay.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Pieces {
    #[allow(clippy::vec_box)] // a block does not move when another is added
    full: Vec<Box<[Piece; BLOCK]>>,
    /// The block that grows.
    top: Vec<Piece>,
    /// The first of the unused places.
    unused: Option<u32>,
}

impl Pieces {
    fn piece(&self, place: u32) -> Option<&Piece> {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        self.full.get(place / BLOCK).map_or(&self.top[..], |block| &block[..]).get(place % BLOCK)
    }

    fn piece_mut(&mut self, place: u32) -> Option<&mut Piece> {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        self.full.get_mut(place / BLOCK).map_or(&mut self.top[..], |block| &mut block[..]).get_mut(place % BLOCK)
    }

    fn add(&mut self, text: Bytes) -> u32 {
        if let Some(place) = self.unused {
            if let Some(piece) = self.piece_mut(place) {
                piece.text = text;
                self.unused = piece.next.take();
            }
            return place;
        }
        if self.top.len() == BLOCK {
            let top = core::mem::replace(&mut self.top, Vec::with_capacity(BLOCK));
            self.full.extend(Box::try_from(top));
        }
        let place = self.full.len() * BLOCK + self.top.len();
        self.top.push(Piece { text, next: None });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// Takes out a piece: its text, and the one behind it.
    fn take(&mut self, place: u32) -> (Bytes, Option<u32>) {
        let unused = self.unused;
        let Some(piece) = self.piece_mut(place) else { return (Bytes::new(), None) };
        let taken = (core::mem::take(&mut piece.text), core::mem::replace(&mut piece.next, unused));
        self.unused = Some(place);
        taken
    }

    /// The text of a piece.
    pub(crate) fn text(&self, place: u32) -> &[u8] {
        self.piece(place).map_or(&[], |piece| &piece.text)
    }

    /// Another text takes the place of a piece's.
    pub(crate) fn set(&mut self, place: u32, text: Bytes) {
        if let Some(piece) = self.piece_mut(place) {
            piece.text = text;
        }
    }

    /// Adds a piece at the end of a chain, or as the first one.
    pub(crate) fn append(&mut self, chain: Option<Chain>, text: Bytes) -> Chain {
        let place = self.add(text);
        self.link(chain, Chain { first: place, last: place })
    }

    /// Adds a piece at the start of a chain.
    pub(crate) fn prepend(&mut self, chain: Chain, text: Bytes) -> Chain {
        let first = self.add(text);
        if let Some(piece) = self.piece_mut(first) {
            piece.next = Some(chain.first);
        }
        Chain { first, last: chain.last }
    }

    /// One chain of two that touch.
    pub(crate) fn link(&mut self, chain: Option<Chain>, behind: Chain) -> Chain {
        let Some(chain) = chain else { return behind };
        if let Some(last) = self.piece_mut(chain.last) {
            last.next = Some(behind.first);
        }
        Chain { first: chain.first, last: behind.last }
    }

    /// The text of the first piece.
    pub(crate) fn first_text(&self, chain: Chain) -> &[u8] {
        self.text(chain.first)
    }

    /// Takes the first piece out of a chain, and returns the rest.
    pub(crate) fn take_first(&mut self, chain: Chain) -> (Bytes, Option<Chain>) {
        let (text, next) = self.take(chain.first);
        (text, next.map(|first| Chain { first, last: chain.last }))
    }

    /// Takes out a whole chain, in order.
    pub(crate) fn take_all(&mut self, chain: Chain, mut show: impl FnMut(Bytes)) {
        let mut next = Some(chain.first);
        while let Some(place) = next {
            let text;
            (text, next) = self.take(place);
            show(text);
        }
    }

    /// The pieces of a chain.
    pub(crate) fn iter(&self, chain: Chain) -> impl Iterator<Item = &Bytes> {
        let pieces = core::iter::successors(self.piece(chain.first), |piece| self.piece(piece.next?));
        pieces.map(|piece| &piece.text)
    }

    /// Each place is in one of these chains, or unused, once: so each chain has an end.
    pub(crate) fn check_invariants(&self, chains: impl Iterator<Item = Chain>) -> Result<(), Broken> {
        let places = self.full.len() * BLOCK + self.top.len();
        holds(self.top.len() <= BLOCK, "a block with too many pieces")?;
        let mut seen = vec![false; places];
        let mut visit = |first: Option<u32>| {
            let (mut next, mut last) = (first, None);
            while let Some(place) = next {
                let index = usize::try_from(place).unwrap_or(usize::MAX);
                let visited = seen.get_mut(index).is_none_or(|seen| core::mem::replace(seen, true));
                holds(!visited, "a piece that is in no chain, or in two")?;
                (next, last) = (self.piece(place).and_then(|piece| piece.next), Some(place));
            }
            Ok(last)
        };
        for chain in chains {
            holds(visit(Some(chain.first))? == Some(chain.last), "a chain with another end")?;
        }
        visit(self.unused)?;
        holds(seen.into_iter().all(|seen| seen), "a piece that is in no chain")
    }

    /// Lets go of all that lies `octets` or more behind the start of a chain, which is more than none. Returns the
    /// chain without the piece that reached up to there or beyond, and the rest of that piece.
    pub(crate) fn cut(&mut self, chain: Chain, octets: usize) -> (Option<Chain>, Bytes) {
        let (mut kept, mut rest, mut left) = (None, Some(chain), octets);
        while let Some(chain) = rest {
            let len = self.first_text(chain).len();
            if len >= left {
                break;
            }
            left -= len;
            kept = Some(Chain { first: kept.map_or(chain.first, |kept: Chain| kept.first), last: chain.first });
            let next = self.piece(chain.first).and_then(|piece| piece.next);
            rest = next.map(|first| Chain { first, last: chain.last });
        }
        if let Some(last) = kept.and_then(|kept| self.piece_mut(kept.last)) {
            last.next = None;
        }
        let mut end = None;
        if let Some(rest) = rest {
            self.take_all(rest, |text| {
                end.get_or_insert(text);
            });
        }
        let mut end = end.unwrap_or_default();
        end.truncate(left);
        (kept, end)
    }
}
