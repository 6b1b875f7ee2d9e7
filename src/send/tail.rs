//! Tail-loss probes: a segment that asks for an acknowledgment before the timeout does (RFC 8985 §7).

/// A probe that is out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Probe {
    /// TLP.end_seq.
    end: u64,
    /// TLP.is_retrans.
    again: bool,
}

/// The variables of RFC 8985 §7.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct TailLoss {
    probe: Option<Probe>,
    /// Whether a round trip was measured since the last probe.
    sampled: bool,
}

/// What an acknowledgment tells a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) una: u64,
    /// The end of the text that it reports as a duplicate.
    pub(crate) dsack_end: Option<u64>,
    /// A duplicate ACK without SACK blocks.
    pub(crate) bare_duplicate: bool,
}

impl TailLoss {
    pub(crate) const fn on_sample(&mut self) {
        self.sampled = true;
    }

    /// Whether a probe is out, and not known to have arrived once or twice.
    pub(crate) const fn is_out(&self) -> bool {
        self.probe.is_some()
    }

    /// Whether a probe may be sent (§7.3).
    pub(crate) const fn may_probe(&self) -> bool {
        self.probe.is_none() && self.sampled
    }

    /// A probe that ends at `end` is sent.
    pub(crate) const fn on_probe(&mut self, end: u64, again: bool) {
        self.probe = Some(Probe { end, again });
        self.sampled = false;
    }

    /// Fast recovery or RTO recovery begins.
    pub(crate) const fn reset(&mut self) {
        self.probe = None;
    }

    /// TLP_process_ack of §7.4.2. Whether the probe repaired a loss, to which the window must respond.
    pub(crate) fn on_ack(&mut self, answer: &Answer) -> bool {
        let Some(probe) = self.probe.filter(|probe| answer.una >= probe.end) else { return false };
        let duplicate = answer.dsack_end == Some(probe.end); // case 1: both arrived
        let repaired = probe.again && !duplicate && answer.una > probe.end;
        if !probe.again || duplicate || repaired || answer.bare_duplicate {
            self.probe = None;
        }
        repaired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(again: bool) -> TailLoss {
        let mut tail = TailLoss::default();
        assert!(!tail.may_probe()); // no round trip was measured yet
        tail.on_sample();
        assert!(tail.may_probe());
        tail.on_probe(100, again);
        tail.on_sample();
        assert!(!tail.may_probe());
        tail
    }

    const COVERED: Answer = Answer { una: 100, dsack_end: None, bare_duplicate: false };

    #[test]
    fn a_probe_of_new_text_ends_when_it_is_acknowledged() {
        let mut tail = out(false);
        assert!(!tail.on_ack(&Answer { una: 99, ..COVERED }));
        assert!(!tail.may_probe());
        assert!(!tail.on_ack(&COVERED));
        assert!(tail.may_probe());
    }

    #[test]
    fn only_a_probe_that_repaired_something_is_answered_by_a_reduction() {
        let mut tail = out(true);
        assert!(!tail.on_ack(&COVERED)); // whether it repaired anything is not known yet
        assert!(!tail.may_probe());
        assert!(tail.on_ack(&Answer { una: 101, ..COVERED }));
        assert!(tail.may_probe());
        for arrived in [Answer { dsack_end: Some(100), ..COVERED }, Answer { bare_duplicate: true, ..COVERED }] {
            let mut tail = out(true);
            assert!(!tail.on_ack(&arrived));
            assert!(tail.may_probe());
            assert!(!tail.on_ack(&Answer { una: 101, ..COVERED }));
        }
    }
}
