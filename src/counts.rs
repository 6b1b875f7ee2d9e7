//! What a connection counts: five usual counters in the value itself, the rare ones on the heap.

use crate::Counters;
use crate::invariant::{Broken, holds};
use crate::rare::{AtRest, Rare};

/// The [`Counters`] of a connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Counts {
    pub(crate) segments_in: u64,
    pub(crate) segments_predicted: u64,
    pub(crate) segments_out: u64,
    pub(crate) octets_in: u64,
    pub(crate) octets_acked: u64,
    /// All others, once one of them has counted.
    rare: Rare<RareCounts>,
}

/// The counters of what happens seldom; [`Counters`] tells what they count.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct RareCounts {
    pub(crate) retransmissions: u64,
    pub(crate) timeouts: u64,
    pub(crate) fast_retransmits: u64,
    pub(crate) spurious_recoveries: u64,
    pub(crate) tail_probes: u64,
    pub(crate) duplicate_acks: u64,
    pub(crate) discarded: u64,
    pub(crate) octets_trimmed: u64,
    pub(crate) ecn_marks: u64,
    pub(crate) ecn_reductions: u64,
    pub(crate) probes: u64,
    pub(crate) challenge_acks: u64,
}

impl AtRest for RareCounts {
    const AT_REST: &'static Self = &Self {
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
    pub(crate) fn rare(&mut self) -> &mut RareCounts {
        self.rare.begin()
    }

    /// `octets` octets were trimmed.
    pub(crate) fn trimmed(&mut self, octets: usize) {
        if octets > 0 {
            self.rare().octets_trimmed += u64::try_from(octets).unwrap_or(0);
        }
    }

    /// No counter is so high that counting on may end.
    pub(crate) fn check_invariants(&self) -> Result<(), Broken> {
        self.check_below(u64::MAX / 2)
    }

    /// A value that was read leaves room for what follows: no event takes it to the bound of every value.
    #[cfg(feature = "serde")]
    pub(crate) fn check_read(&self) -> Result<(), Broken> {
        self.check_below(u64::MAX / 4)
    }

    fn check_below(&self, most: u64) -> Result<(), Broken> {
        let Self { segments_in, segments_predicted, segments_out, octets_in, octets_acked, rare } = self;
        let usual = [segments_in, segments_predicted, segments_out, octets_in, octets_acked];
        let seldom = [
            &rare.retransmissions,
            &rare.timeouts,
            &rare.fast_retransmits,
            &rare.spurious_recoveries,
            &rare.tail_probes,
            &rare.duplicate_acks,
            &rare.discarded,
            &rare.octets_trimmed,
            &rare.ecn_marks,
            &rare.ecn_reductions,
            &rare.probes,
            &rare.challenge_acks,
        ];
        holds(usual.into_iter().chain(seldom).all(|&count| count <= most), "a counter is at its end")
    }

    pub(crate) fn get(&self) -> Counters {
        Counters {
            segments_in: self.segments_in,
            segments_predicted: self.segments_predicted,
            segments_out: self.segments_out,
            octets_in: self.octets_in,
            octets_acked: self.octets_acked,
            retransmissions: self.rare.retransmissions,
            timeouts: self.rare.timeouts,
            fast_retransmits: self.rare.fast_retransmits,
            spurious_recoveries: self.rare.spurious_recoveries,
            tail_probes: self.rare.tail_probes,
            duplicate_acks: self.rare.duplicate_acks,
            discarded: self.rare.discarded,
            octets_trimmed: self.rare.octets_trimmed,
            ecn_marks: self.rare.ecn_marks,
            ecn_reductions: self.rare.ecn_reductions,
            probes: self.rare.probes,
            challenge_acks: self.rare.challenge_acks,
        }
    }
}

/// Of a text of `len` octets the first `behind` had arrived before, and only the first `room` can be taken: the octets
/// that are trimmed.
pub(crate) fn trimmed(len: usize, behind: usize, room: usize) -> usize {
    behind.min(len).saturating_add(len.saturating_sub(room)).min(len)
}
