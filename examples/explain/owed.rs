//! What an end owes to the segments that came: acknowledgments of text, which may be delayed, and answers at once.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use segue::{Discard, Flags, Instant, Segment, SeqNum};

use crate::replica::Heard;

/// MUST-40: an acknowledgment is delayed by less than half a second. An answer that is owed at once gets as long.
pub const MOST_DELAY: Duration = Duration::from_millis(500);

/// A challenge need not follow another within this time (RFC 5961 §7).
const CHALLENGES: Duration = Duration::from_secs(5);

/// To segments without text, an end need not answer more often (RFC 5961 §7 names no limit for these, stacks have one).
const BARE: Duration = Duration::from_millis(500);

/// Why an end must answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    Discarded(Discard),
    /// The number before RCV.NXT, and no text.
    KeepAlive,
}

impl Why {
    /// What the connection answered at once; `None` if RFCs leave silence to it.
    fn of(heard: &Heard) -> Option<Self> {
        match heard.discards {
            Some(reason) => is_answered(reason).then_some(Self::Discarded(reason)),
            None => heard.keep_alive.then_some(Self::KeepAlive),
        }
    }

    const fn is_challenge(self) -> bool {
        matches!(self, Self::Discarded(Discard::ResetChallenged | Discard::SynChallenged | Discard::AckOutOfRange))
    }
}

/// Whether an RFC wants an answer to what is discarded for this reason.
const fn is_answered(reason: Discard) -> bool {
    matches!(
        reason,
        Discard::OutOfWindow
            | Discard::Duplicate
            | Discard::ZeroWindow
            | Discard::Paws
            | Discard::TimeWait
            | Discard::ResetChallenged
            | Discard::SynChallenged
            | Discard::AckOutOfRange
    )
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discarded(reason) if self.is_challenge() => {
                write!(f, "{reason} ({}; §7 allows silence only to throttle)", reason.clause())
            }
            Self::Discarded(reason) => write!(f, "{reason} ({})", reason.clause()),
            Self::KeepAlive => write!(f, "a keep-alive probe (RFC 9293 §3.8.4)"),
        }
    }
}

/// What an end owes.
#[derive(Debug, Default)]
pub struct Owed {
    /// When text came, and the number that acknowledges it.
    text: VecDeque<(Instant, SeqNum)>,
    /// When something came that an answer at once is due for.
    answers: VecDeque<(Instant, Why)>,
    /// When the end owed a challenge, and an answer to a segment without text.
    last: [Option<Instant>; 2],
    /// The furthest that the end has promised to take.
    edge: Option<SeqNum>,
}

impl Owed {
    /// The end sent a segment: it acknowledges, it answers, and it promises `window` octets.
    pub fn sent(&mut self, segment: &Segment, window: u32) {
        if segment.flags.contains(Flags::RST) {
            self.forget();
        } else if segment.flags.contains(Flags::ACK) {
            self.answers.clear();
            while self.text.front().is_some_and(|(_, number)| segment.ack.at_or_after(*number)) {
                self.text.pop_front();
            }
            let edge = segment.ack + window;
            self.edge = Some(self.edge.map_or(edge, |old| old.max(edge)));
        }
    }

    /// The end got a segment.
    pub fn heard(&mut self, at: Instant, segment: &Segment, heard: &Heard) {
        let occupies = !segment.payload.is_empty() || segment.flags.contains(Flags::FIN);
        let beyond = self.edge.is_some_and(|edge| segment.seq.at_or_after(edge));
        if beyond && occupies && !segment.flags.contains(Flags::RST) {
            // the replica has more room than the end promised
            return self.answer(at, Why::Discarded(Discard::OutOfWindow), false);
        }
        if let Some(why) = Why::of(heard).filter(|_| heard.answers) {
            return self.answer(at, why, segment.payload.is_empty());
        }
        if let (true, None, Some(nxt)) = (occupies, heard.discards, heard.rcv_nxt) {
            self.text.push_back((at, self.edge.map_or(nxt, |edge| nxt.min(edge))));
        }
    }

    fn answer(&mut self, at: Instant, why: Why, bare: bool) {
        let (number, pause) = if why.is_challenge() { (0, CHALLENGES) } else { (1, BARE) };
        let throttled = self.last[number].is_some_and(|last| at.saturating_since(last) <= pause);
        if why.is_challenge() || bare {
            self.last[number] = Some(at);
            if throttled {
                return;
            }
        }
        self.answers.push_back((at, why));
    }

    /// Answers that did not come until now.
    pub fn overdue(&mut self, now: Instant) -> impl Iterator<Item = (Instant, Why)> + '_ {
        let late = self.answers.iter().take_while(|(at, _)| now.saturating_since(*at) > MOST_DELAY).count();
        self.answers.drain(..late)
    }

    /// Since when text waits, if that is too long.
    pub fn silent(&mut self, now: Instant) -> Option<Instant> {
        let (since, _) = *self.text.front().filter(|(since, _)| now.saturating_since(*since) > MOST_DELAY)?;
        self.text.clear();
        Some(since)
    }

    /// The connection is over.
    pub fn forget(&mut self) {
        self.text.clear();
        self.answers.clear();
    }
}
