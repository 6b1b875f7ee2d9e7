//! Where segue would have answered otherwise than the end of the capture.

use std::fmt;

use segue::{Connection, Flags, Instant, Options, Segment, SeqNum};

use crate::capture::Captured;
use crate::ladder::millis;
use crate::owed::{Owed, Why};
use crate::replica::{Heard, Replica, Unlimited};

/// Retransmissions less than these milliseconds apart are the same.
const NEAR: u128 = 5;

/// What differs. Sequence numbers count from the ISN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// Octets acknowledged that segue had not accepted.
    Acknowledges(u32),
    /// Milliseconds that text waits for its acknowledgment.
    Silent(u128),
    /// No answer to a segment that segue answers at once.
    NoAnswer(Why),
    /// Octets of text beyond SND.UNA + SND.WND, the furthest of all.
    BeyondWindow(u32),
    /// An option that the peer had to offer first, and the clause.
    NotOffered(&'static str, &'static str),
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
            What::NoAnswer(why) => write!(f, "it does not answer within 500 ms, segue does at once: {why}"),
            What::BeyondWindow(octets) => {
                write!(f, "it sends {octets} octets beyond the peer's window (RFC 9293 §3.4, SND.UNA+SND.WND)")
            }
            What::NotOffered(option, clause) => write!(f, "it sends {option}, which the peer did not offer ({clause})"),
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
    owed: Owed,
    /// The options of the SYN of this end, and of its peer's.
    syns: [Option<Options>; 2],
    /// The furthest that the peer has promised to take, and the difference that says how much was beyond.
    edge: Option<SeqNum>,
    beyond: Option<(SeqNum, usize)>,
    /// Whether SACK without permission was told of.
    sacks: bool,
    /// Retransmissions of this end.
    again: Vec<(Instant, SeqNum)>,
    /// Resets that this end sent.
    resets: usize,
    highest: Option<SeqNum>,
    /// What the capture has not shown of the text before `highest`: no retransmission when it comes.
    holes: Vec<(SeqNum, SeqNum)>,
}

impl Comparison {
    /// Time goes on: what is overdue.
    pub fn pass_to(&mut self, now: Instant) {
        if let Some(since) = self.owed.silent(now) {
            self.add(now, What::Silent(now.saturating_since(since).as_millis()));
        }
        let late = self.owed.overdue(now).map(|(at, why)| Difference { at, what: What::NoAnswer(why) });
        self.differences.extend(late);
    }

    /// Before the replica hears of it: this end sent a segment.
    pub fn sent(&mut self, captured: &Captured, replica: &Replica) {
        let Captured { at, segment, .. } = captured;
        self.resets += usize::from(segment.flags.contains(Flags::RST));
        self.options(segment, *at);
        let end = segment.seq + segment.len();
        let fills = self.fills(segment.seq, end);
        if !fills && !segment.is_empty() && self.highest.is_some_and(|highest| end.at_or_before(highest)) {
            self.again.push((*at, segment.seq));
        }
        if let Some(highest) = self.highest.filter(|highest| segment.seq.after(*highest)) {
            self.holes.push((highest, segment.seq));
        }
        if let Some(connection) = replica.connection() {
            self.in_window(segment, *at, connection);
            self.acknowledged(segment, *at, connection);
        }
        self.highest = Some(self.highest.map_or(end, |highest| highest.max(end)));
        self.owed.sent(segment, self.promised(segment));
    }

    /// Whether a segment is part of a hole, which is smaller then.
    fn fills(&mut self, seq: SeqNum, end: SeqNum) -> bool {
        let within = |&(from, to): &(SeqNum, SeqNum)| seq != end && seq.at_or_after(from) && end.at_or_before(to);
        let Some(place) = self.holes.iter().rposition(within) else { return false };
        let (from, to) = self.holes.swap_remove(place);
        self.holes.extend([(from, seq), (end, to)].into_iter().filter(|(from, to)| from != to));
        true
    }

    /// What the other side must offer first.
    fn options(&mut self, segment: &Segment, at: Instant) {
        let sent = segment.options.get();
        let offered = self.syns[1];
        if segment.flags.contains(Flags::SYN) {
            self.syns[0] = Some(sent);
            // A SYN offers what it likes; so may a SYN,ACK offer SACK (RFC 2018 §2).
            let Some(offered) = offered.filter(|_| segment.flags.contains(Flags::ACK)) else { return };
            if sent.window_scale.is_some() && offered.window_scale.is_none() {
                self.add(at, What::NotOffered("a window scale", "RFC 7323 §2.2"));
            }
            if sent.timestamps.is_some() && offered.timestamps.is_none() {
                self.add(at, What::NotOffered("timestamps", "RFC 7323 §3.2"));
            }
        } else if !sent.sack.is_empty() && offered.is_some_and(|offered| !offered.sack_permitted) && !self.sacks {
            self.sacks = true;
            self.add(at, What::NotOffered("SACK blocks", "RFC 2018 §4"));
        }
    }

    /// The window of this segment in octets.
    fn promised(&self, segment: &Segment) -> u32 {
        let [own, peer] = self.syns.map(|options| options.and_then(|options| options.window_scale));
        let scaled = !segment.flags.contains(Flags::SYN) && peer.is_some();
        u32::from(segment.window) << own.filter(|_| scaled).unwrap_or(0).min(14)
    }

    /// New text ends within the furthest window that the peer promised: it may have taken some of it back (SHLD-15), which
    /// is not compared. What begins at SND.UNA probes a closed window (MUST-36).
    fn in_window(&mut self, segment: &Segment, at: Instant, connection: &Connection<Unlimited>) {
        let info = connection.info();
        if !connection.state().is_synchronized() || segment.flags.intersects(Flags::SYN | Flags::RST) {
            return;
        }
        let edge = self.promise_of_peer(connection).unwrap_or(info.snd_una);
        let end = segment.seq + u32::try_from(segment.payload.len()).unwrap_or(u32::MAX);
        let is_new = self.highest.is_none_or(|highest| end.after(highest));
        let probes = info.snd_wnd == 0 && segment.seq == info.snd_una;
        if !is_new || probes || !end.after(edge) {
            return;
        }
        match self.beyond {
            Some((same, place)) if same == edge => self.differences[place].what = What::BeyondWindow(end - edge),
            _ => {
                self.beyond = Some((edge, self.differences.len()));
                self.add(at, What::BeyondWindow(end - edge));
            }
        }
    }

    fn promise_of_peer(&mut self, connection: &Connection<Unlimited>) -> Option<SeqNum> {
        if connection.state().is_synchronized() {
            let info = connection.info();
            let edge = info.snd_una + info.snd_wnd;
            self.edge = Some(self.edge.map_or(edge, |old| old.max(edge)));
        }
        self.edge
    }

    fn acknowledged(&mut self, segment: &Segment, at: Instant, connection: &Connection<Unlimited>) {
        if !segment.flags.contains(Flags::ACK) || !connection.state().is_synchronized() {
            return;
        }
        let (ours, theirs) = (connection.info().rcv_nxt, segment.ack);
        if theirs.after(ours) {
            self.add(at, What::Acknowledges(theirs - ours));
        }
    }

    /// After the replica heard of it: a segment came to this end.
    pub fn heard(&mut self, captured: &Captured, heard: &Heard, replica: &Replica) {
        let Captured { at, segment, .. } = captured;
        if segment.flags.contains(Flags::SYN) && self.syns[1].is_none() {
            self.syns[1] = Some(segment.options.get());
        }
        let Some(connection) = replica.connection() else { return };
        self.promise_of_peer(connection);
        if connection.state().is_synchronized() {
            self.owed.heard(*at, segment, heard);
        } else {
            self.owed.forget();
        }
    }

    /// The end of the capture.
    pub fn end(mut self, until: Instant, replica: &Replica, iss: SeqNum) -> Vec<Difference> {
        self.pass_to(until);
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
