//! What a connection counts: five usual counters in the value itself, the rare ones on the heap.

use crate::Counters;
use crate::rare::{AtRest, Rare};

/// The [`Counters`] of a connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) segments_in: u64,
    pub(crate) segments_predicted: u64,
    pub(crate) segments_out: u64,
    pub(crate) octets_in: u64,
    pub(crate) octets_acked: u64,
    /// All others, once one of them has counted; its own five usual counters stay 0.
    rare: Rare<Counters>,
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

impl Counts {
    /// The rare counters, to count.
    #[cold]
    pub(crate) fn rare(&mut self) -> &mut Counters {
        self.rare.begin()
    }

    /// `octets` octets were trimmed.
    pub(crate) fn trimmed(&mut self, octets: usize) {
        if octets > 0 {
            self.rare().octets_trimmed += u64::try_from(octets).unwrap_or(0);
        }
    }

    pub(crate) fn get(&self) -> Counters {
        let Self { segments_in, segments_predicted, segments_out, octets_in, octets_acked, rare } = self;
        Counters {
            segments_in: *segments_in,
            segments_predicted: *segments_predicted,
            segments_out: *segments_out,
            octets_in: *octets_in,
            octets_acked: *octets_acked,
            ..**rare
        }
    }
}

/// Of a text of `len` octets the first `behind` had arrived before, and only the first `room` can be taken: the octets
/// that are trimmed.
pub(crate) fn trimmed(len: usize, behind: usize, room: usize) -> usize {
    behind.min(len).saturating_add(len.saturating_sub(room)).min(len)
}
