//! The watch for a queue that marks as RFC 3168 says, and lets a queue stand (RFC 9331 §4.3 item 3, App. A.1.5).

use crate::time::Micros;

/// A queue of less than this may be that of an L4S bottleneck.
const SHALLOW: Micros = Micros::from_millis(3);
/// Rounds that show a deep queue, less those that do not: from so many on the answer is a classic one …
const DEEP_ENOUGH: u8 = 4;
/// … and no more are counted.
const MOST: u8 = 8;

/// Evidence of a classic queue at the bottleneck.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct ClassicQueue {
    score: u8,
    classic: bool,
}

impl ClassicQueue {
    pub(super) const fn is_classic(self) -> bool {
        self.classic
    }

    /// A round that brought marks is over: its shortest round trip, the shortest of all, and how long `packets` segments take
    /// at the flow's rate, which an L4S queue may hold at any rate. A round without marks tells nothing: the queue may have
    /// drained after a reduction.
    pub(super) fn on_marked_round(&mut self, least: Micros, base: Micros, packets: Micros) {
        let deep = least > base + SHALLOW + packets;
        self.score = if deep { (self.score + 1).min(MOST) } else { self.score.saturating_sub(1) };
        self.classic = if self.classic { self.score > 0 } else { self.score >= DEEP_ENOUGH };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Micros = Micros::from_millis(20);

    fn rounds(queue: &mut ClassicQueue, count: u8, micros: u64) -> bool {
        for _ in 0..count {
            queue.on_marked_round(BASE + Micros::new(micros), BASE, Micros::new(240));
        }
        queue.is_classic()
    }

    #[test]
    fn a_deep_queue_under_marks_is_classic_after_four_rounds_and_while_it_lasts() {
        let mut queue = ClassicQueue::default();
        assert!(!rounds(&mut queue, 3, 3241) && rounds(&mut queue, 1, 3241));
        assert!(rounds(&mut queue, 3, 3240) && !rounds(&mut queue, 1, 3240));
        assert!(rounds(&mut queue, 200, 9000) && rounds(&mut queue, 7, 0) && !rounds(&mut queue, 1, 0));
    }

    #[test]
    fn a_round_now_and_then_is_no_evidence() {
        let mut queue = ClassicQueue::default();
        assert!((0..50).all(|_| !rounds(&mut queue, 1, 9000) && !rounds(&mut queue, 1, 1000)));
    }
}
