//! Tail-loss probes: a segment that asks for an acknowledgment before the timeout does (RFC 8985 §7).

use crate::stream::Position;

/// A probe that is out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Probe {
    /// TLP.end_seq.
    pub(crate) end: Position,
    /// TLP.is_retrans.
    pub(crate) again: bool,
}

/// What an acknowledgment tells a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) una: Position,
    /// The end of the text that it reports as a duplicate.
    pub(crate) dsack_end: Option<Position>,
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

    fn at(position: u32) -> Position {
        Position::ISS + position
    }

    fn covered(una: u32) -> Answer {
        Answer { una: at(una), dsack_end: None, bare_duplicate: false }
    }

    #[test]
    fn a_probe_of_new_text_ends_when_it_is_acknowledged() {
        let probe = Probe { end: at(100), again: false };
        assert_eq!(probe.on_ack(&covered(99)), Outcome::Open);
        assert_eq!(probe.on_ack(&covered(100)), Outcome::Arrived);
        assert_eq!(probe.on_ack(&covered(101)), Outcome::Arrived);
    }

    #[test]
    fn only_a_probe_that_repaired_something_is_answered_by_a_reduction() {
        let probe = Probe { end: at(100), again: true };
        assert_eq!(probe.on_ack(&covered(100)), Outcome::Open); // whether it repaired anything is not known yet
        assert_eq!(probe.on_ack(&covered(101)), Outcome::Repaired);
        for arrived in
            [Answer { dsack_end: Some(at(100)), ..covered(100) }, Answer { bare_duplicate: true, ..covered(100) }]
        {
            assert_eq!(probe.on_ack(&arrived), Outcome::Arrived);
        }
    }
}
