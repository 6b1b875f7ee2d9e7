//! What sets records of the scoreboard apart: reports, losses and retransmissions.

use core::hash::{Hash, Hasher};

use alloc::collections::VecDeque;

use super::{Fate, Sent};
use crate::Instant;
use crate::features::SACK;
use crate::ranges::Ranges;
use crate::rare::AtRest;
use crate::recent::Recent;
use crate::stream::Position;

/// Where a search may look first. Nothing but its cost depends on it, so it is no part of the value.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Fingers {
    /// The ranges of `sacked` that grew last.
    pub(super) recent: Recent<Position>,
    /// The index of the record behind the one that was reported last, of that at `fresh`, of the first of `again`.
    pub(super) reported: usize,
    pub(super) fresh: usize,
    pub(super) again: usize,
}

impl PartialEq for Fingers {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Fingers {}

impl Hash for Fingers {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// What sets records apart from such as were sent once, in order, and wait for their acknowledgment: reports, losses
/// and retransmissions.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Marks {
    pub(super) sacked: Ranges<Position>,
    pub(super) sacked_octets: u32,
    pub(super) sacked_segments: u32,
    /// What the lost segments take.
    pub(super) lost: Ranges<Position>,
    pub(super) lost_octets: u32,
    /// No segment below this position is in flight for the first time.
    pub(super) fresh: Position,
    /// Start and time of each retransmission, in the order of time, and at one time of the stream. Those that do not
    /// agree with the record are over.
    pub(super) again: VecDeque<(Position, Instant)>,
    pub(super) fingers: Fingers,
}

impl AtRest for Marks {
    const AT_REST: &'static Self = &Self {
        sacked: Ranges::new(),
        sacked_octets: 0,
        sacked_segments: 0,
        lost: Ranges::new(),
        lost_octets: 0,
        fresh: Position::ISS,
        again: VecDeque::new(),
        fingers: Fingers { recent: Recent::new(Position::ISS), reported: 0, fresh: 0, again: 0 },
    };
}

impl Marks {
    /// No record is set apart.
    pub(super) fn are_gone(&self) -> bool {
        self.sacked.is_empty() && self.lost.is_empty() && self.again.is_empty()
    }

    /// SND.UNA advances to `to`.
    pub(super) fn release(&mut self, to: Position) {
        self.fresh = self.fresh.max(to);
        self.lost.remove_below(to);
        if SACK && self.sacked.first().is_some_and(|first| first.start < to) {
            self.sacked.remove_below(to);
            self.fingers.recent.release(to);
        }
    }

    /// A record is lost.
    #[inline(never)]
    pub(super) fn lose(&mut self, sent: &mut Sent) {
        self.lost.insert(sent.start, sent.end);
        self.lost_octets += sent.len();
        sent.fate = Fate::Lost;
    }
}
