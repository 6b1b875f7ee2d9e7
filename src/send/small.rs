//! Small segments: what holds them back (RFC 9293 §3.7.4, App. A.3) and what releases them (§3.9.1.2).

use crate::SeqNum;
use crate::invariant::{Broken, holds};

/// What of the queue leaves in a small segment, or must not yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Small {
    /// The number after the last segment that was not full, until it is acknowledged; then SND.UNA.
    outstanding: SeqNum,
    /// Octets at the end of the queue that the user has not pushed: more will follow (MAY-15).
    unpushed: u32,
}

impl Small {
    /// Nothing is queued, and nothing outstanding after `una`.
    pub(crate) const fn new(una: SeqNum) -> Self {
        Self { outstanding: una, unpushed: 0 }
    }

    /// `len` octets that end before `end` leave for the first time, in segments of `mss`.
    pub(crate) fn on_sent(&mut self, end: SeqNum, len: u32, mss: u32) {
        if len % mss.max(1) != 0 {
            self.outstanding = end;
        }
    }

    /// Everything before `una` is acknowledged, and `queued` octets are queued.
    pub(crate) fn on_ack(&mut self, una: SeqNum, queued: u32) {
        self.outstanding = self.outstanding.max(una);
        self.unpushed = self.unpushed.min(queued);
    }

    /// SEND: `octets` octets more; without a push they may wait for what follows (MAY-16), with one all that wait may
    /// go.
    pub(crate) fn on_queued(&mut self, octets: u32, push: bool) {
        self.unpushed = if push { 0 } else { self.unpushed.saturating_add(octets) };
    }

    /// Nagle's algorithm holds back another small segment while something is in flight; with Minshall's change only a
    /// small segment does, so that one answer waits for one delayed ACK at the most.
    pub(crate) fn is_held(&self, minshall: bool, una: SeqNum) -> bool {
        !minshall || self.outstanding != una
    }

    /// Octets at the end of the queue that are not pushed.
    pub(crate) const fn unpushed(&self) -> u32 {
        self.unpushed
    }

    pub(crate) fn check_invariants(&self, una: SeqNum, queued: u32) -> Result<(), Broken> {
        holds(self.outstanding.at_or_after(una), "the last small segment is acknowledged")?;
        holds(self.unpushed <= queued, "more is not pushed than is queued")
    }

    pub(crate) fn rebase(&mut self, iss: SeqNum) {
        let Self { outstanding: _, unpushed: _ } = self; // a field that is added has to be looked at here
        self.outstanding = SeqNum::new(self.outstanding - iss);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_small_segment_in_flight_holds_back_another() {
        for start in [0, u32::MAX - 5, (1 << 31) - 5] {
            let start = SeqNum::new(start);
            let mut small = Small::new(start);
            small.on_sent(start + 3000, 3000, 1000);
            assert!(!small.is_held(true, start) && small.is_held(false, start));
            small.on_sent(start + 3010, 10, 1000);
            assert!(small.is_held(true, start));
            small.on_sent(start + 4010, 1000, 1000); // a full one does not release it
            small.on_ack(start + 3009, 100);
            assert!(small.is_held(true, start + 3009));
            small.on_ack(start + 3010, 100);
            assert!(!small.is_held(true, start + 3010));
            small.on_sent(start + 6500, 2490, 1000); // several at once, the last of them small
            assert!(small.is_held(true, start + 3010));
        }
    }

    #[test]
    fn a_push_releases_all_that_waits() {
        let mut small = Small::new(SeqNum::new(0));
        small.on_queued(10, false);
        small.on_queued(20, false);
        assert_eq!(small.unpushed(), 30);
        small.on_ack(SeqNum::new(0), 25);
        assert_eq!(small.unpushed(), 25);
        small.on_queued(0, true);
        assert_eq!(small.unpushed(), 0);
    }
}
