//! The sender's part of ECN (RFC 3168 §6.1.2): ECT on new text, one reduction for a window of data, CWR after it.

use crate::Instant;

/// What the sender knows of marks. It owns no window: it says when the controller must reduce it. Positions count from
/// the ISS.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct EcnSender {
    /// The handshake agreed: new text carries ECT(0).
    capable: bool,
    /// SND.NXT when the window was last reduced, for whatever reason. An echo that comes with the acknowledgment of no
    /// more than this tells of the same congestion.
    recover: u64,
    /// That reduction was made for a mark.
    by_mark: bool,
    /// The next new text says that the window was reduced.
    cwr: bool,
    /// The window is one segment and was still too large: no new text before this time.
    held: Option<Instant>,
}

impl EcnSender {
    /// The handshake is over.
    pub(crate) fn agree(&mut self, capable: bool) {
        self.capable = capable;
    }

    pub(crate) const fn is_capable(&self) -> bool {
        self.capable
    }

    /// An acknowledgment up to `una` has ECE, with `flight` octets in flight before it: whether the window must be
    /// reduced now. With nothing in flight it tells nothing new: what was marked is acknowledged, and that
    /// acknowledgment had ECE.
    pub(crate) const fn must_reduce(&self, una: u64, flight: u32) -> bool {
        self.capable && flight > 0 && una > self.recover
    }

    /// The window was reduced, with everything before `nxt` sent: by a mark, or by loss.
    pub(crate) fn on_reduced(&mut self, nxt: u64, by_mark: bool) {
        self.recover = nxt;
        self.by_mark = by_mark;
        self.cwr = self.capable;
    }

    /// Loss recovery, without a reduction of its own, goes on until everything before `nxt` is acknowledged: so long
    /// marks are of the same congestion.
    pub(crate) fn extend(&mut self, nxt: u64) {
        self.recover = nxt;
    }

    /// The reduction for a loss was a mistake: marks count from `una` on, and there is nothing to tell the peer.
    pub(crate) fn on_undone(&mut self, una: u64) {
        self.recover = una.saturating_sub(1);
        self.cwr = false;
    }

    /// Whether the window was already reduced, for a mark, after the segment at `lost` was sent: then its loss is the
    /// same congestion.
    pub(crate) const fn covers(&self, lost: u64) -> bool {
        self.by_mark && lost < self.recover
    }

    /// New text may not be sent before `until`.
    pub(crate) fn hold(&mut self, until: Instant) {
        self.held = Some(until);
    }

    /// Nothing is held back, and no reduction is to be told.
    pub(crate) const fn is_calm(&self) -> bool {
        self.held.is_none() && !self.cwr
    }

    /// Until when new text is held back.
    pub(crate) fn held(&self, now: Instant) -> Option<Instant> {
        self.held.filter(|&until| until > now)
    }

    /// New text is about to be sent: whether it carries CWR, as the first does after a reduction.
    pub(crate) fn take_cwr(&mut self) -> bool {
        core::mem::take(&mut self.cwr)
    }

    pub(crate) fn rebase(&mut self, now: Instant) {
        let ahead = |until: Instant| Instant::from_micros(until.as_micros().wrapping_sub(now.as_micros()));
        self.held = self.held(now).map(ahead);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capable() -> EcnSender {
        EcnSender { capable: true, ..EcnSender::default() }
    }

    #[test]
    fn a_window_is_reduced_once() {
        let mut ecn = capable();
        assert!(ecn.must_reduce(1, 5000));
        ecn.on_reduced(5000, true);
        assert!((1..=5000).all(|una| !ecn.must_reduce(una, 4000)));
        assert!(ecn.must_reduce(5001, 4000)); // the first new text, with CWR, is acknowledged
        assert!(!ecn.must_reduce(5001, 0));
        assert!(!EcnSender::default().must_reduce(1, 5000));
    }

    #[test]
    fn a_mark_covers_the_losses_of_its_window_and_no_others() {
        let mut ecn = capable();
        assert!(!ecn.covers(1));
        ecn.on_reduced(5000, true);
        assert!(ecn.covers(4999) && !ecn.covers(5000));
        ecn.extend(6000);
        assert!(!ecn.must_reduce(6000, 1) && ecn.must_reduce(6001, 1));
        ecn.on_reduced(9000, false);
        assert!(!ecn.covers(4999) && !ecn.must_reduce(9000, 1));
    }

    #[test]
    fn cwr_goes_out_once_after_a_reduction() {
        let mut ecn = capable();
        assert!(!ecn.take_cwr());
        ecn.on_reduced(5000, false);
        assert!(ecn.take_cwr());
        assert!(!ecn.take_cwr());
        let mut incapable = EcnSender::default();
        incapable.on_reduced(5000, false);
        assert!(!incapable.take_cwr());
    }

    #[test]
    fn a_reduction_that_was_a_mistake_is_not_told_and_hides_no_mark() {
        let mut ecn = capable();
        ecn.on_reduced(5000, false);
        ecn.on_undone(1000);
        assert!(!ecn.take_cwr() && ecn.must_reduce(1000, 4000));
    }
}
