//! The limits of text held out of order.

use bytes::Bytes;

use crate::Config;
use crate::stream::Offset;

/// Where `max_ranges` is 0, octets of the receive buffer for each range: when every other segment of a large window is
/// lost, all that arrive can be held.
const RANGE: u32 = 1024;
const LEAST_RANGES: usize = 64;

/// The limits of `Config` that concern held text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_ranges: usize,
    pub(super) copy_below: usize,
    pub(super) frame_size: usize,
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
    pub(super) const fn is_copied(&self, len: usize) -> bool {
        len < self.copy_below || len.saturating_mul(2) < self.frame_size
    }

    /// Whether text of this length is merged with what it touches.
    pub(crate) const fn is_small(&self, len: usize) -> bool {
        len < self.copy_below
    }

    /// A piece as it is held.
    pub(super) fn kept(&self, piece: Bytes) -> Bytes {
        if self.is_copied(piece.len()) { Bytes::copy_from_slice(&piece) } else { piece }
    }

    /// The most pieces that hold `octets` octets in `ranges` ranges.
    pub(super) fn most_pieces(&self, ranges: usize, octets: usize) -> usize {
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

/// What was done with text that is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Inserted {
    /// The range that the text is part of.
    pub(crate) range: (Offset, Offset),
    /// The first part of the text that was held before.
    pub(crate) repeated: Option<(Offset, Offset)>,
}

/// The cap on ranges is reached and the text would open another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full;
