//! What must hold of the answers to bare segments: such a segment may be an answer itself, so that two ends that answer
//! them all talk for ever (RFC 5961 §7, §10).

use std::collections::VecDeque;
use std::slice;
use std::time::Duration;

use segue::{Action, Flags, Instant, Segment};

use super::Input;

/// What RFC 5961 §7 speaks of is 10 in 5 s. There are two such allowances, and any 5 s touch two periods of each.
const PERIOD: Duration = Duration::from_secs(5);
const MOST: usize = 2 * 2 * 10;

/// When this end last sent ACKs that no text, SYN, FIN, reset, timer or user asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    sent: VecDeque<Instant>,
}

impl Answers {
    /// After each call. Text, SYN, FIN and reset ask for one ACK each; calls other than segments for any.
    pub(crate) fn check(&mut self, input: Option<&Input>, actions: &[Action], now: Instant) {
        let arrived = match input {
            Some(Input::Segment(segment)) => slice::from_ref(segment),
            Some(Input::Segments(segments)) => segments,
            _ => return,
        };
        let asked = arrived.iter().filter(|s| !s.is_empty() || s.flags.contains(Flags::RST)).count();
        let acks = actions.iter().filter(|a| matches!(a, Action::Transmit(segment) if is_bare_ack(segment))).count();
        self.sent.extend((asked..acks).map(|_| now));
        self.sent.retain(|at| now.saturating_since(*at) < PERIOD);
        assert!(self.sent.len() <= MOST, "{} answers to bare segments in {PERIOD:?}: {input:?}", self.sent.len());
    }
}

fn is_bare_ack(segment: &Segment) -> bool {
    segment.is_empty() && segment.flags.contains(Flags::ACK) && !segment.flags.contains(Flags::RST)
}
