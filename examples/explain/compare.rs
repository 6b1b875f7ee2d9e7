//! Where segue would have answered otherwise than the end of the capture.

use std::fmt;
use std::time::Duration;

use segue::{Connection, Flags, Instant, Segment, SeqNum};

use crate::capture::Captured;
use crate::ladder::millis;
use crate::replica::{Replica, Unlimited};

/// MUST-40: an acknowledgment is delayed by less than half a second.
const MOST_DELAY: Duration = Duration::from_millis(500);

/// Retransmissions less than these milliseconds apart are the same.
const NEAR: u128 = 5;

/// What differs. Sequence numbers count from the ISN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// Octets acknowledged that segue had not accepted.
    Acknowledges(u32),
    /// Milliseconds that text waits for its acknowledgment.
    Silent(u128),
    /// A retransmission this number of milliseconds after segue's.
    Later(u32, u128),
    /// A retransmission this number of milliseconds before segue's.
    Earlier(u32, u128),
    /// A retransmission that segue does not make.
    Again(u32),
    /// One that segue alone makes.
    NotAgain(u32),
    /// Resets of the end and of segue.
    Resets(usize, usize),
}

/// A difference.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    pub at: Instant,
    pub what: What,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12} ms  ", millis(self.at))?;
        match self.what {
            What::Acknowledges(octets) => write!(f, "it acknowledges {octets} octets that segue has not accepted"),
            What::Silent(ms) => {
                write!(f, "it has not acknowledged text for {ms} ms; segue does within `delayed_ack` (MUST-40)")
            }
            What::Later(seq, ms) => write!(f, "it sends {seq} again {ms} ms later than segue"),
            What::Earlier(seq, ms) => write!(f, "it sends {seq} again {ms} ms earlier than segue"),
            What::Again(seq) => write!(f, "it sends {seq} again, segue does not"),
            What::NotAgain(seq) => write!(f, "it does not send {seq} again, segue does"),
            What::Resets(theirs, ours) => write!(f, "it sends {theirs} resets, segue sends {ours}"),
        }
    }
}

/// Compares one end with its replica.
#[derive(Debug, Default)]
pub struct Comparison {
    pub differences: Vec<Difference>,
    /// Since when text waits for an acknowledgment of this end.
    waits: Option<Instant>,
    /// Retransmissions of this end.
    again: Vec<(Instant, SeqNum)>,
    /// Resets that this end sent.
    resets: usize,
    highest: Option<SeqNum>,
}

impl Comparison {
    /// Before the replica hears of it: this end sent a segment.
    pub fn sent(&mut self, captured: &Captured, replica: &Replica) {
        let Captured { at, segment, .. } = captured;
        self.resets += usize::from(segment.flags.contains(Flags::RST));
        let end = segment.seq + segment.len();
        if !segment.is_empty() && self.highest.is_some_and(|highest| end.at_or_before(highest)) {
            self.again.push((*at, segment.seq));
        }
        self.highest = Some(self.highest.map_or(end, |highest| highest.max(end)));
        let Some(connection) = replica.connection() else { return };
        if segment.flags.contains(Flags::ACK) && connection.state().is_synchronized() {
            self.acknowledged(segment, *at, connection);
        }
    }

    fn acknowledged(&mut self, segment: &Segment, at: Instant, connection: &Connection<Unlimited>) {
        let (ours, theirs) = (connection.info().rcv_nxt, segment.ack);
        if theirs.after(ours) {
            self.add(at, What::Acknowledges(theirs - ours));
        }
        if theirs.at_or_after(ours) {
            self.waits = None;
        }
    }

    /// After the replica heard of it: a segment came to this end.
    pub fn heard(&mut self, captured: &Captured, replica: &Replica) {
        let at = captured.at;
        if let Some(since) = self.waits.filter(|since| at.saturating_since(*since) > MOST_DELAY) {
            let delay = at.saturating_since(since).as_millis();
            self.add(at, What::Silent(delay));
            self.waits = None;
        }
        let established = replica.connection().is_some_and(|connection| connection.state().is_synchronized());
        if !captured.segment.payload.is_empty() && established {
            self.waits.get_or_insert(at);
        }
    }

    /// The end of the capture.
    pub fn end(mut self, replica: &Replica, iss: SeqNum) -> Vec<Difference> {
        let mut highest: Option<SeqNum> = None;
        let mut ours = Vec::new();
        let mut resets = 0;
        for (at, segment) in &replica.sent {
            let end = segment.seq + segment.len();
            if !segment.is_empty() && highest.is_some_and(|highest| end.at_or_before(highest)) {
                ours.push((*at, segment.seq));
            }
            highest = Some(highest.map_or(end, |highest| highest.max(end)));
            resets += usize::from(segment.flags.contains(Flags::RST));
        }
        self.retransmissions(&ours, iss);
        if resets != self.resets {
            let at = replica.sent.last().map_or(Instant::ZERO, |(at, _)| *at);
            self.add(at, What::Resets(self.resets, resets));
        }
        self.differences.sort_by_key(|difference| difference.at);
        self.differences
    }

    /// What one of the two sent again and the other did not, or much earlier.
    fn retransmissions(&mut self, ours: &[(Instant, SeqNum)], iss: SeqNum) {
        let again = std::mem::take(&mut self.again);
        let mut rest: Vec<_> = ours.to_vec();
        for (at, seq) in again {
            let number = seq - iss;
            let Some(place) = rest.iter().position(|(_, other)| *other == seq) else {
                self.add(at, What::Again(number));
                continue;
            };
            let (other, _) = rest.remove(place);
            let (late, early) = (at.saturating_since(other).as_millis(), other.saturating_since(at).as_millis());
            if late >= NEAR {
                self.add(at, What::Later(number, late));
            } else if early >= NEAR {
                self.add(at, What::Earlier(number, early));
            }
        }
        for (at, seq) in rest {
            self.add(at, What::NotAgain(seq - iss));
        }
    }

    fn add(&mut self, at: Instant, what: What) {
        self.differences.push(Difference { at, what });
    }
}
