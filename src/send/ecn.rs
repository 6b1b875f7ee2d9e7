//! The sender's part of ECN (RFC 3168 §6.1.2): ECT on new text, one reduction for a window of data, CWR after it.

use crate::Instant;
use crate::features::{ACCURATE_ECN, ECN};
use crate::stream::Position;

/// Whether new text carries ECT.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Ect {
    #[default]
    No,
    /// Yes, and the peer is told of reductions.
    Classic,
    /// Yes, and the peer is not told: "MUST NOT set CWR" (RFC 9768 §3.1.5).
    Accurate,
}

/// What the sender knows of marks as long as the connection lives.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct EcnSender {
    ect: Ect,
    /// The next new text says that the window was reduced.
    cwr: bool,
}

/// The last reduction, and the marks and losses that it covers. It owns no window: it says when the controller must
/// reduce it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Cover {
    /// SND.NXT when the window was last reduced, for whatever reason. An echo that comes with the acknowledgment of no
    /// more than this tells of the same congestion.
    recover: Position,
    /// That reduction was made for a mark.
    by_mark: bool,
    /// The window is one segment and was still too large: no new text before this time.
    held: Option<Instant>,
}

impl EcnSender {
    /// The handshake is over.
    pub(crate) fn agree(&mut self, capable: bool) {
        self.ect = if capable { Ect::Classic } else { Ect::No };
    }

    /// The handshake is over, or feedback shows that it goes wrong: AccECN mode.
    pub(crate) fn agree_accurate(&mut self, capable: bool) {
        (self.ect, self.cwr) = (if capable { Ect::Accurate } else { Ect::No }, false);
    }

    /// Whether text may carry ECT, and the feedback tells how much of it was marked: what L4S needs (RFC 9331 §4.2).
    pub(crate) const fn is_accurate(&self) -> bool {
        ACCURATE_ECN && matches!(self.ect, Ect::Accurate)
    }

    pub(crate) const fn is_capable(&self) -> bool {
        ECN && !matches!(self.ect, Ect::No)
    }

    /// The window was reduced.
    pub(crate) fn on_reduced(&mut self) {
        self.cwr = self.ect == Ect::Classic;
    }

    /// The reduction was a mistake: there is nothing to tell the peer.
    pub(crate) fn on_undone(&mut self) {
        self.cwr = false;
    }

    /// Whether the peer is still to be told of a reduction.
    pub(crate) const fn owes_cwr(&self) -> bool {
        ECN && self.cwr
    }

    /// New text is about to be sent: whether it carries CWR, as the first does after a reduction.
    pub(crate) fn take_cwr(&mut self) -> bool {
        ECN && core::mem::take(&mut self.cwr)
    }
}

impl Cover {
    pub(crate) const NONE: Self = Self { recover: Position::ISS, by_mark: false, held: None };

    /// An acknowledgment up to `una` has ECE, with `flight` octets in flight before it: whether the window must be
    /// reduced now. With nothing in flight it tells nothing new: what was marked is acknowledged, and that
    /// acknowledgment had ECE.
    pub(crate) fn must_reduce(&self, una: Position, flight: u32) -> bool {
        ECN && flight > 0 && una > self.recover
    }

    /// The window was reduced, with everything before `nxt` sent: by a mark, or by loss.
    pub(crate) fn on_reduced(&mut self, nxt: Position, by_mark: bool) {
        self.recover = nxt;
        self.by_mark = by_mark;
    }

    /// Loss recovery, without a reduction of its own, goes on until everything before `nxt` is acknowledged: so long
    /// marks are of the same congestion.
    pub(crate) fn extend(&mut self, nxt: Position) {
        self.recover = nxt;
    }

    /// The reduction for a loss was a mistake: marks count from `una` on.
    pub(crate) fn on_undone(&mut self, una: Position) {
        self.recover = una.saturating_sub(1);
    }

    /// Whether the window was already reduced, for a mark, after the segment at `lost` was sent: then its loss is the
    /// same congestion.
    pub(crate) fn covers(&self, lost: Position) -> bool {
        ECN && self.by_mark && lost < self.recover
    }

    /// Everything before `una` is acknowledged, and was all that was sent.
    pub(super) fn rest(&mut self, una: Position) {
        self.recover = self.recover.min(una.saturating_sub(1));
    }

    /// Whether the window that was reduced is acknowledged, up to `una`, and nothing is held back.
    pub(crate) fn is_past(&self, una: Position, now: Instant) -> bool {
        una > self.recover && self.held(now).is_none()
    }

    /// New text may not be sent before `until`.
    pub(crate) fn hold(&mut self, until: Instant) {
        self.held = Some(until);
    }

    /// Until when new text is held back.
    pub(crate) fn held(&self, now: Instant) -> Option<Instant> {
        self.held.filter(|&until| ECN && until > now)
    }

    /// Whether the hold ends then, or did.
    pub(crate) fn ends_at(&self, deadline: Instant) -> bool {
        ECN && self.held == Some(deadline)
    }

    pub(crate) fn rebase(&mut self, now: Instant) {
        let Self { recover: _, by_mark: _, held: _ } = self; // a field that is added has to be looked at here
        let ahead = |until: Instant| Instant::from_micros(until.as_micros().wrapping_sub(now.as_micros()));
        self.held = self.held(now).map(ahead);
    }
}

#[cfg(feature = "ecn")]
#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: u32) -> Position {
        Position::ISS + position
    }

    #[test]
    fn a_window_is_reduced_once() {
        let mut cover = Cover::NONE;
        assert!(cover.must_reduce(at(1), 5000));
        cover.on_reduced(at(5000), true);
        assert!((1..=5000).all(|una| !cover.must_reduce(at(una), 4000)));
        assert!(cover.must_reduce(at(5001), 4000)); // the first new text, with CWR, is acknowledged
        assert!(!cover.must_reduce(at(5001), 0));
        assert!(!cover.is_past(at(5000), Instant::ZERO) && cover.is_past(at(5001), Instant::ZERO));
    }

    #[test]
    fn a_mark_covers_the_losses_of_its_window_and_no_others() {
        let mut cover = Cover::NONE;
        assert!(!cover.covers(at(1)));
        cover.on_reduced(at(5000), true);
        assert!(cover.covers(at(4999)) && !cover.covers(at(5000)));
        cover.extend(at(6000));
        assert!(!cover.must_reduce(at(6000), 1) && cover.must_reduce(at(6001), 1));
        cover.on_reduced(at(9000), false);
        assert!(!cover.covers(at(4999)) && !cover.must_reduce(at(9000), 1));
    }

    #[test]
    fn cwr_goes_out_once_after_a_reduction() {
        let mut ecn = EcnSender { ect: Ect::Classic, cwr: false };
        assert!(!ecn.take_cwr());
        ecn.on_reduced();
        assert!(ecn.take_cwr());
        assert!(!ecn.take_cwr());
        let mut incapable = EcnSender::default();
        incapable.on_reduced();
        assert!(!incapable.take_cwr());
    }

    #[test]
    fn a_reduction_that_was_a_mistake_is_not_told_and_hides_no_mark() {
        let (mut ecn, mut cover) = (EcnSender { ect: Ect::Classic, cwr: false }, Cover::NONE);
        ecn.on_reduced();
        cover.on_reduced(at(5000), false);
        ecn.on_undone();
        cover.on_undone(at(1000));
        assert!(!ecn.take_cwr() && cover.must_reduce(at(1000), 4000));
    }

    #[test]
    fn what_is_held_back_outlives_the_window_that_was_reduced() {
        let mut cover = Cover::NONE;
        cover.hold(Instant::from_millis(5));
        assert!(!cover.is_past(at(1), Instant::from_millis(4)) && cover.is_past(at(1), Instant::from_millis(5)));
    }
}
