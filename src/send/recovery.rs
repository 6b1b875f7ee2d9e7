//! Loss recovery by duplicate acknowledgments: fast retransmit and fast recovery (RFC 5681 §3.2, RFC 6582), limited
//! transmit (RFC 3042).

use crate::SeqNum;

/// Duplicate acknowledgments that mean loss (RFC 5681 §3.2).
const DUP_THRESH: u32 = 3;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Phase {
    /// No loss known.
    Open { dups: u32 },
    /// Fast recovery: until everything sent before the loss was found is acknowledged. `credit` is how much more duplicates may inflate
    /// the window: what was in flight and can have left the network (RFC 5681 §3.2 step 4).
    Fast { cwnd: u32, credit: u32, partial: bool },
}

/// NewReno's recovery. It owns no window: the controller says what the window is after the loss.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct NewReno {
    phase: Phase,
    /// The number after the highest sent when the last recovery began: one episode, one reduction.
    recover: SeqNum,
}

/// What a duplicate acknowledgment asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Duplicate {
    /// Nothing, or the window lets one more segment out.
    Noted,
    /// Loss: reduce the window, then call [`NewReno::enter`] and retransmit the first segment.
    Loss,
}

/// What an acknowledgment of new text means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum New {
    /// No recovery is going on: the window may grow.
    Normal,
    /// Recovery goes on: retransmit the first segment.
    Partial {
        /// The first partial one restarts the retransmission timer, later ones do not (RFC 6582 §3.2 step 3).
        first: bool,
    },
    /// Recovery is over.
    Full,
}

impl NewReno {
    pub(crate) const fn new(iss: SeqNum) -> Self {
        Self { phase: Phase::Open { dups: 0 }, recover: iss }
    }

    /// A duplicate acknowledgment of `una`.
    pub(crate) fn on_duplicate(&mut self, una: SeqNum, mss: u32) -> Duplicate {
        match &mut self.phase {
            Phase::Fast { cwnd, credit, .. } => {
                let left = mss.min(*credit); // a segment has left the network
                *cwnd = cwnd.saturating_add(left);
                *credit -= left;
                Duplicate::Noted
            }
            Phase::Open { dups } => {
                *dups = dups.saturating_add(1);
                // RFC 6582 §3.2 step 1: not for what was sent before the last recovery began.
                if *dups == DUP_THRESH && una.after(self.recover) { Duplicate::Loss } else { Duplicate::Noted }
            }
        }
    }

    /// Enters fast recovery with `flight` octets up to `nxt`; the controller's window after the reduction is `ssthresh`.
    pub(crate) fn enter(&mut self, nxt: SeqNum, flight: u32, ssthresh: u32, mss: u32) {
        let left = mss.saturating_mul(DUP_THRESH);
        self.recover = nxt;
        self.phase =
            Phase::Fast { cwnd: ssthresh.saturating_add(left), credit: flight.saturating_sub(left), partial: false };
    }

    /// `octets` more were acknowledged, up to `una`; `flight` are left.
    pub(crate) fn on_new(&mut self, una: SeqNum, octets: u32, flight: u32, mss: u32) -> New {
        let meaning = self.judge_new(una, octets, flight, mss);
        if una.after(self.recover) {
            self.recover = una - 1; // what is past stays past, however far the numbers go on
        }
        meaning
    }

    fn judge_new(&mut self, una: SeqNum, octets: u32, flight: u32, mss: u32) -> New {
        match &mut self.phase {
            Phase::Open { dups } => {
                *dups = 0;
                New::Normal
            }
            Phase::Fast { .. } if una.at_or_after(self.recover) => {
                self.phase = Phase::Open { dups: 0 };
                New::Full
            }
            Phase::Fast { cwnd, credit, partial } => {
                *credit = flight;
                let deflated = cwnd.saturating_sub(octets);
                *cwnd = if octets >= mss { deflated.saturating_add(mss) } else { deflated };
                New::Partial { first: !core::mem::replace(partial, true) }
            }
        }
    }

    /// The retransmission timer expired: everything up to `nxt` belongs to this episode (RFC 6582 §3.2 step 4).
    pub(crate) fn on_timeout(&mut self, nxt: SeqNum) {
        self.phase = Phase::Open { dups: 0 };
        self.recover = nxt;
    }

    /// The congestion window with what recovery adds to the controller's.
    pub(crate) fn window(&self, controller: u32, mss: u32) -> u32 {
        match self.phase {
            // RFC 3042: one segment for each of the first two duplicates
            Phase::Open { dups } => controller.max(mss).saturating_add(mss.saturating_mul(dups.min(DUP_THRESH - 1))),
            Phase::Fast { cwnd, .. } => cwnd.max(mss),
        }
    }

    pub(crate) fn rebase(&mut self, iss: SeqNum) {
        self.recover = SeqNum::new(self.recover - iss);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;

    #[test]
    fn the_third_duplicate_means_loss_once_an_episode() {
        let (una, nxt) = (SeqNum::new(5000), SeqNum::new(15_000));
        let mut reno = NewReno::new(SeqNum::new(0));
        assert_eq!(reno.on_duplicate(una, MSS), Duplicate::Noted);
        assert_eq!(reno.window(10_000, MSS), 11_000); // limited transmit
        assert_eq!(reno.on_duplicate(una, MSS), Duplicate::Noted);
        assert_eq!(reno.on_duplicate(una, MSS), Duplicate::Loss);
        reno.enter(nxt, 10_000, 5000, MSS);
        assert_eq!(reno.window(5000, MSS), 8000);
        for _ in 0..300 {
            assert_eq!(reno.on_duplicate(una, MSS), Duplicate::Noted);
        }
        assert_eq!(reno.window(5000, MSS), 15_000); // no more than the ten segments that were in flight
        assert_eq!(reno.on_new(nxt - MSS, 9000, MSS, MSS), New::Partial { first: true });
        assert_eq!(reno.on_new(nxt, MSS, 0, MSS), New::Full);
        assert_eq!(reno.window(5000, MSS), 5000);
    }

    #[test]
    fn duplicates_of_what_was_sent_before_a_timeout_start_no_recovery() {
        let nxt = SeqNum::new(15_000);
        let mut reno = NewReno::new(SeqNum::new(0));
        reno.on_timeout(nxt);
        assert!((0..9).all(|_| reno.on_duplicate(nxt - MSS, MSS) == Duplicate::Noted));
        assert_eq!(reno.on_new(nxt + 1, MSS, 0, MSS), New::Normal);
        assert_eq!(reno.on_duplicate(nxt + 1, MSS), Duplicate::Noted);
        assert_eq!(reno.on_duplicate(nxt + 1, MSS), Duplicate::Noted);
        assert_eq!(reno.on_duplicate(nxt + 1, MSS), Duplicate::Loss);
    }
}
