//! An episode: from the first sign of loss until nothing of it can turn out any more. Without one there is no recovery,
//! no doubt and no retransmission to reason about.

use super::ecn::Cover;
use super::next::Kind;
use super::rack::Reordering;
use super::recovery::{Phase, Recovery};
use super::tail::Probe;
use super::undo::Undo;
use crate::Instant;
use crate::invariant::{Broken, holds};
use crate::rare::AtRest;
use crate::stream::Position;

/// What the sender remembers of loss, marks and probes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Episode {
    /// Which phase the sender is in, and RecoveryPoint.
    pub(super) recovery: Recovery,
    /// Whether the reduction was a mistake.
    pub(super) undo: Undo,
    /// The tail-loss probe that is out.
    pub(super) probe: Option<Probe>,
    /// The reduction that covers marks and losses of the same window of data.
    pub(super) cover: Cover,
    /// What was delivered out of order.
    pub(super) reordering: Reordering,
    /// When RACK looks again for overdue segments.
    pub(super) reorder_at: Option<Instant>,
    /// The first unacknowledged segment is to be sent again, whatever the window: the retransmission timer expired, or
    /// a partial acknowledgment came without SACK.
    pub(super) first_due: bool,
}

impl AtRest for Episode {
    const AT_REST: &'static Self = &Self {
        recovery: Recovery::OPEN,
        undo: Undo::IDLE,
        probe: None,
        cover: Cover::NONE,
        reordering: Reordering::NONE,
        reorder_at: None,
        first_due: false,
    };
}

impl Episode {
    /// Whether nothing of it matters any more, now that everything before `una` is acknowledged.
    pub(super) fn is_over(&self, una: Position, now: Instant) -> bool {
        self.recovery.is_past(una)
            && self.undo.is_idle()
            && self.probe.is_none()
            && self.cover.is_past(una, now)
            && self.reordering.is_past(una)
            && self.reorder_at.is_none()
            && !self.first_due
    }

    /// Everything before `una`, all that was sent, was acknowledged an RTO ago: duplicates of it are no more in the
    /// network, and text sent from now on is another window of data.
    pub(super) fn rest(&mut self, una: Position) {
        self.undo.give_up();
        self.reordering = Reordering::NONE;
        if self.recovery.is_open() {
            self.recovery.leave();
            self.recovery.recover = self.recovery.recover.min(una.saturating_sub(1));
        }
        self.cover.rest(una);
    }

    pub(super) fn is_at_start(&self) -> bool {
        self == Self::AT_REST
    }

    pub(super) fn check_invariants(&self) -> Result<(), Broken> {
        holds(!self.first_due || self.recovery.has_begun(), "a retransmission is due, and nothing was lost")?;
        self.undo.check_invariants()
    }

    /// Recovery is over, with everything before `nxt` sent.
    pub(super) fn on_recovered(&mut self, nxt: Position) {
        self.recovery.leave();
        self.undo.on_recovered(nxt);
    }

    /// `octets` of the stream left, `first` of all at SND.UNA.
    pub(super) fn on_sent(&mut self, kind: Kind, first: bool, octets: u32) {
        if kind == Kind::Rescue {
            self.recovery.rescue = self.recovery.recover;
        }
        if let Phase::Fast(prr) = &mut self.recovery.phase {
            prr.on_sent(octets);
        }
        if first {
            self.first_due = false;
        }
    }

    pub(super) fn rebase(&mut self, ago: impl Fn(Instant) -> Instant, now: Instant) {
        let Self { recovery: _, undo, probe: _, cover, reordering: _, reorder_at, first_due: _ } = self;
        undo.rebase(&ago);
        cover.rebase(now);
        *reorder_at = reorder_at.map(ago);
    }
}
