//! The sender's part of ECN (RFC 3168 §6.1.2): ECT on new text, one reduction for a window of data, CWR after it.

use crate::{Instant, SeqNum};

/// What the sender knows of marks. It owns no window: it says when the controller must reduce it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct EcnSender {
    /// The handshake agreed: new text carries ECT(0).
    capable: bool,
    /// The number after the highest sent when the window was last reduced, for whatever reason. An echo that comes
    /// with the acknowledgment of no more than this tells of the same congestion.
    recover: SeqNum,
    /// That reduction was made for a mark.
    by_mark: bool,
    /// The next new text says that the window was reduced.
    cwr: bool,
    /// The window is one segment and was still too large: no new text before this time.
    held: Option<Instant>,
}

impl EcnSender {
    pub(crate) const fn new(iss: SeqNum) -> Self {
        Self { capable: false, recover: iss, by_mark: false, cwr: false, held: None }
    }

    /// The handshake is over.
    pub(crate) fn agree(&mut self, capable: bool) {
        self.capable = capable;
    }

    pub(crate) const fn is_capable(&self) -> bool {
        self.capable
    }

    /// An acceptable acknowledgment up to `ack` has ECE: whether the window must be reduced now. With nothing in flight
    /// it tells nothing new: what was marked is acknowledged, and that acknowledgment had ECE.
    pub(crate) fn must_reduce(&self, ack: SeqNum, flight: u32) -> bool {
        self.capable && flight > 0 && ack.after(self.recover)
    }

    /// The window was reduced, with everything before `nxt` sent: by a mark, or by loss.
    pub(crate) fn on_reduced(&mut self, nxt: SeqNum, by_mark: bool) {
        self.recover = nxt;
        self.by_mark = by_mark;
        self.cwr = self.capable;
    }

    /// Loss recovery, without a reduction of its own, goes on until everything before `nxt` is acknowledged: so long
    /// marks are of the same congestion.
    pub(crate) fn extend(&mut self, nxt: SeqNum) {
        self.recover = nxt;
    }

    /// Whether the window was already reduced, for a mark, after the segment at `lost` was sent: then its loss is the
    /// same congestion.
    pub(crate) fn covers(&self, lost: SeqNum) -> bool {
        self.by_mark && lost.before(self.recover)
    }

    /// New text may not be sent before `until`.
    pub(crate) fn hold(&mut self, until: Instant) {
        self.held = Some(until);
    }

    /// Until when new text is held back.
    pub(crate) fn held(&self, now: Instant) -> Option<Instant> {
        self.held.filter(|&until| until > now)
    }

    /// New text is about to be sent: whether it carries CWR, as the first does after a reduction.
    pub(crate) fn take_cwr(&mut self) -> bool {
        core::mem::take(&mut self.cwr)
    }

    /// Everything up to `una` is acknowledged.
    pub(crate) fn on_acknowledged(&mut self, una: SeqNum) {
        if una.after(self.recover) {
            self.recover = una - 1; // what is past stays past, however far the numbers go on
            self.by_mark = false;
        }
    }

    pub(crate) fn rebase(&mut self, iss: SeqNum, now: Instant) {
        self.recover = SeqNum::new(self.recover - iss);
        let ahead = |until: Instant| Instant::from_micros(until.as_micros().wrapping_sub(now.as_micros()));
        self.held = self.held(now).map(ahead);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seq(number: u32) -> SeqNum {
        SeqNum::new(number)
    }

    fn capable() -> EcnSender {
        let mut ecn = EcnSender::new(seq(0));
        ecn.agree(true);
        ecn
    }

    #[test]
    fn a_window_is_reduced_once() {
        let mut ecn = capable();
        assert!(ecn.must_reduce(seq(1), 5000));
        ecn.on_reduced(seq(5000), true);
        assert!((1..=5000).all(|ack| !ecn.must_reduce(seq(ack), 4000)));
        assert!(ecn.must_reduce(seq(5001), 4000)); // the first new text, with CWR, is acknowledged
        assert!(!ecn.must_reduce(seq(5001), 0));
        assert!(!EcnSender::new(seq(0)).must_reduce(seq(1), 5000));
    }

    #[test]
    fn a_mark_covers_the_losses_of_its_window_and_no_others() {
        let mut ecn = capable();
        assert!(!ecn.covers(seq(1)));
        ecn.on_reduced(seq(5000), true);
        assert!(ecn.covers(seq(4999)) && !ecn.covers(seq(5000)));
        ecn.on_reduced(seq(9000), false);
        assert!(!ecn.covers(seq(4999)) && !ecn.must_reduce(seq(9000), 1));
    }

    #[test]
    fn cwr_goes_out_once_after_a_reduction() {
        let mut ecn = capable();
        assert!(!ecn.take_cwr());
        ecn.on_reduced(seq(5000), false);
        assert!(ecn.take_cwr());
        assert!(!ecn.take_cwr());
        let mut incapable = EcnSender::new(seq(0));
        incapable.on_reduced(seq(5000), false);
        assert!(!incapable.take_cwr());
    }

    #[test]
    fn what_is_past_stays_past_half_the_circle_later() {
        let mut ecn = capable();
        ecn.on_reduced(seq(5000), true);
        for una in [5001, 1 << 30, 1 << 31, (1 << 31) + 6000] {
            ecn.on_acknowledged(seq(una));
            assert!(ecn.must_reduce(seq(una), 1) && !ecn.covers(seq(una)));
        }
    }
}
