//! Counting: what nearly every event counts, and the rest on the heap from the first time on.

use crate::Counters;
use crate::rare::{AtRest, Rare};

/// The counters, as they are kept.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) segments_in: u64,
    pub(crate) segments_predicted: u64,
    pub(crate) segments_out: u64,
    pub(crate) octets_in: u64,
    pub(crate) octets_acked: u64,
    seldom: Rare<Counters>,
}

impl AtRest for Counters {
    const AT_REST: &'static Self = &Self {
        segments_in: 0,
        segments_predicted: 0,
        segments_out: 0,
        octets_in: 0,
        octets_acked: 0,
        retransmissions: 0,
        timeouts: 0,
        fast_retransmits: 0,
        spurious_recoveries: 0,
        tail_probes: 0,
        duplicate_acks: 0,
        discarded: 0,
        octets_trimmed: 0,
        ecn_marks: 0,
        ecn_reductions: 0,
        probes: 0,
        challenge_acks: 0,
    };
}

impl Tally {
    /// The counters of what is no part of steady traffic.
    pub(crate) fn seldom(&mut self) -> &mut Counters {
        self.seldom.begin()
    }

    /// All of them.
    pub(crate) fn counters(&self) -> Counters {
        let &Self { segments_in, segments_predicted, segments_out, octets_in, octets_acked, ref seldom } = self;
        Counters { segments_in, segments_predicted, segments_out, octets_in, octets_acked, ..**seldom }
    }

    /// Of a text of `len` octets the first `behind` had arrived before, and only the first `room` can be taken.
    pub(crate) fn trimmed(&mut self, len: usize, behind: usize, room: usize) {
        let trimmed = behind.min(len).saturating_add(len.saturating_sub(room)).min(len);
        if trimmed > 0 {
            self.seldom().octets_trimmed += u64::try_from(trimmed).unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_come_together_from_both_places() {
        let mut tally =
            Tally { segments_in: 1, segments_predicted: 2, segments_out: 3, octets_in: 4, ..Tally::default() };
        tally.octets_acked = 5;
        tally.trimmed(10, 0, 10);
        assert!(tally.seldom.is_at_rest(), "nothing was trimmed");
        tally.trimmed(10, 3, 8);
        tally.seldom().timeouts += 6;
        let counters = tally.counters();
        let usual = (counters.segments_in, counters.segments_predicted, counters.segments_out);
        assert_eq!((usual, counters.octets_in, counters.octets_acked), ((1, 2, 3), 4, 5));
        assert_eq!((counters.octets_trimmed, counters.timeouts, counters.probes), (5, 6, 0));
    }
}
