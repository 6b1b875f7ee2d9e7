//! Whether the peer fills the windows that it is told: then it waits for each, and a window that is told late costs
//! throughput.

use crate::time::{END_OF_TIME, Micros};
use crate::{Instant, SeqNum};

/// A window that is filled within this many round trips limits the peer. Its text arrives a round trip after the
/// promise; the rest is for the time that it takes on the link.
const ROUND_TRIPS: u32 = 2;

/// The right edge that is watched, and what became of the one before.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Filling {
    edge: SeqNum,
    filled: bool,
    /// Until when a further edge takes the place of this one. So the last promise for a burst is the one that counts:
    /// who sends less than a window at a time does not fill it.
    open_until: Instant,
    /// Until when text fills it in time.
    deadline: Instant,
}

/// No edge is watched: a deadline that no call can reach.
const NONE: Instant = Instant::from_micros(u64::MAX);

impl Default for Filling {
    fn default() -> Self {
        Self { edge: SeqNum::new(0), filled: false, open_until: Instant::ZERO, deadline: NONE }
    }
}

impl Filling {
    /// The right edge moved to `edge`; a round trip takes `rtt`.
    #[inline]
    pub(crate) fn on_promise(&mut self, edge: SeqNum, rtt: Micros, now: Instant) {
        if self.deadline == NONE {
            self.open_until = now + rtt / 2;
        } else if now >= self.open_until {
            return;
        }
        self.edge = edge;
        self.deadline = (now + rtt.times(ROUND_TRIPS)).min(END_OF_TIME);
    }

    /// Text arrived: RCV.NXT is `nxt`. A window without room for a full-sized segment of `size` octets is filled.
    #[inline]
    pub(crate) fn on_text(&mut self, nxt: SeqNum, size: u32, now: Instant) {
        if self.deadline == NONE {
            return;
        }
        let (full, in_time) = (self.edge.saturating_since(nxt) < size, now < self.deadline);
        if full || !in_time {
            *self = Self { filled: full && in_time, ..Self::default() };
        }
    }

    /// Whether the peer filled the last window that was watched.
    pub(crate) const fn filled(&self) -> bool {
        self.filled
    }

    pub(crate) fn rebase(&mut self, irs: SeqNum, now: Instant) {
        let Self { edge: _, filled: _, open_until: _, deadline: _ } = self; // a field that is added has to be looked at here
        if self.deadline != NONE {
            let ago = |at: Instant| Instant::from_micros(at.as_micros().wrapping_sub(now.as_micros()));
            self.edge = SeqNum::new(self.edge - irs);
            self.open_until = ago(self.open_until);
            self.deadline = ago(self.deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Micros = Micros::from_millis(10);
    const SIZE: u32 = 1000;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(1_000_000 + micros)
    }

    /// What text says that ends `short` octets before an edge promised at 0 and arrives at `micros`.
    fn filled(start: u32, short: u32, micros: u64) -> Option<bool> {
        let (mut filling, edge) = (Filling::default(), SeqNum::new(start) + 10 * SIZE);
        filling.on_promise(edge, RTT, at(0));
        filling.on_text(edge - short, SIZE, at(micros));
        (filling.deadline == NONE).then_some(filling.filled())
    }

    #[test]
    fn a_window_is_filled_when_no_segment_has_room_within_two_round_trips() {
        for start in [0, u32::MAX - 5000, (1 << 31) - 5000] {
            for (short, micros, expected) in [
                (0, 10_000, Some(true)),
                (999, 10_000, Some(true)),
                (1000, 10_000, None), // it may still be
                (0, 19_999, Some(true)),
                (0, 20_000, Some(false)),
                (1000, 20_000, Some(false)),
            ] {
                assert_eq!(filled(start, short, micros), expected, "{short} {micros}");
            }
        }
    }

    /// Seven segments in each round trip, of a window of ten: the mark of one burst would be passed by the next, but
    /// for the last promise that counts.
    #[test]
    fn bursts_of_less_than_a_window_do_not_fill_it() {
        for (burst, expected) in [(7, false), (8, false), (9, false), (10, true)] {
            let (mut filling, mut nxt) = (Filling::default(), SeqNum::new(u32::MAX - 50_000));
            let mut said = false;
            for round in 0..20 {
                for n in 0..burst {
                    nxt += SIZE;
                    filling.on_text(nxt, SIZE, at(11_000 * round + 100 * n));
                    filling.on_promise(nxt + 10 * SIZE, RTT, at(11_000 * round + 100 * n));
                    said |= filling.filled();
                }
            }
            assert_eq!(said, expected, "{burst}");
        }
    }

    /// A window promised long ago and filled now is no sign; the next window is.
    #[test]
    fn after_a_pause_the_next_window_counts() {
        let (mut filling, edge) = (Filling::default(), SeqNum::new(7));
        filling.on_promise(edge, RTT, at(0));
        filling.on_text(edge, SIZE, at(50_000));
        assert!(!filling.filled());
        filling.on_promise(edge + SIZE, RTT, at(50_000));
        filling.on_text(edge + SIZE, SIZE, at(60_000));
        assert!(filling.filled());
    }
}
