//! Tail-loss probes: a segment that asks for an acknowledgment before the timeout does (RFC 8985 §7).

/// A probe that is out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Probe {
    /// TLP.end_seq.
    pub(crate) end: u64,
    /// TLP.is_retrans.
    pub(crate) again: bool,
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

/// What becomes of a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It is not known yet.
    Open,
    /// It arrived, once or twice.
    Arrived,
    /// It repaired a loss, to which the window must respond.
    Repaired,
}

impl Probe {
    /// TLP_process_ack of §7.4.2.
    pub(crate) fn on_ack(&self, answer: &Answer) -> Outcome {
        if answer.una < self.end {
            return Outcome::Open;
        }
        let duplicate = answer.dsack_end == Some(self.end); // case 1: both arrived
        if self.again && !duplicate && answer.una > self.end {
            return Outcome::Repaired;
        }
        let arrived = !self.again || duplicate || answer.bare_duplicate;
        if arrived { Outcome::Arrived } else { Outcome::Open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COVERED: Answer = Answer { una: 100, dsack_end: None, bare_duplicate: false };

    #[test]
    fn a_probe_of_new_text_ends_when_it_is_acknowledged() {
        let probe = Probe { end: 100, again: false };
        assert_eq!(probe.on_ack(&Answer { una: 99, ..COVERED }), Outcome::Open);
        assert_eq!(probe.on_ack(&COVERED), Outcome::Arrived);
        assert_eq!(probe.on_ack(&Answer { una: 101, ..COVERED }), Outcome::Arrived);
    }

    #[test]
    fn only_a_probe_that_repaired_something_is_answered_by_a_reduction() {
        let probe = Probe { end: 100, again: true };
        assert_eq!(probe.on_ack(&COVERED), Outcome::Open); // whether it repaired anything is not known yet
        assert_eq!(probe.on_ack(&Answer { una: 101, ..COVERED }), Outcome::Repaired);
        for arrived in [Answer { dsack_end: Some(100), ..COVERED }, Answer { bare_duplicate: true, ..COVERED }] {
            assert_eq!(probe.on_ack(&arrived), Outcome::Arrived);
        }
    }
}
