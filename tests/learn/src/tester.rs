//! The peer and the user of a subject: words in, words out.
//!
//! It knows what anybody outside can know: the segments that it sent and saw, and what the user was told. From that it has
//! the numbers of both directions.

use std::time::Duration;

use bytes::Bytes;
use segue::{Flags, Options, Segment, SeqNum, Timestamps};

use crate::subject::{Out, Subject, end};
use crate::word::{Acked, Call, Due, Kind, Place, Stamp, Word};

/// The peer's initial number: its text, too, crosses a wrap.
pub const IRS: u32 = 0x7FFF_FFF9;
/// The octets of `DATA`, and the gap before what comes too early.
pub const TEXT: usize = 8;
/// The octets of `SEND`.
pub const SENT: usize = 5;
/// The peer's window.
pub const WINDOW: u16 = 4000;
/// The peer's first timestamp.
const STAMP: u32 = 0xFFFF_FF00;
/// Where nothing is known of the subject's numbers.
const NOWHERE: u32 = 0x1234_5678;

#[derive(Clone, Debug)]
pub struct Tester<S> {
    pub subject: S,
    timestamps: bool,
    /// Everything is told: asides, reasons, late events. Else only the events that all subjects can tell.
    asides: bool,
    /// The user has a connection.
    open: bool,
    /// The subject has taken our SYN.
    synced: bool,
    /// The user knows that the connection is established.
    connected: bool,
    /// Our SND.NXT: what the subject has taken of our stream.
    next: SeqNum,
    /// The subject's initial number, and the number after all that it sent.
    theirs: Option<(SeqNum, SeqNum)>,
    /// The number of its FIN.
    fin: Option<SeqNum>,
    /// The end of our text, and the number of our FIN, as far as they were ever sent.
    said: SeqNum,
    our_fin: Option<SeqNum>,
    /// Octets of its text that we have not acknowledged.
    flight: usize,
    /// Segments that we sent.
    count: u32,
    /// The last timestamp of theirs.
    echo: u32,
    /// What crossed the wire, for people.
    pub ladder: Option<Vec<String>>,
}

impl<S: Subject> Tester<S> {
    pub fn new(subject: S, timestamps: bool, asides: bool) -> Self {
        Self {
            subject,
            timestamps,
            asides,
            open: false,
            synced: false,
            connected: false,
            next: SeqNum::new(IRS) + 1,
            theirs: None,
            fin: None,
            said: SeqNum::new(IRS) + 1,
            our_fin: None,
            flight: 0,
            count: 0,
            echo: 0,
            ladder: None,
        }
    }

    /// What comes back for a word.
    pub fn step(&mut self, word: Word) -> String {
        self.note(|| format!("{word}"));
        let (seen, asked) = match word {
            Word::Segment(kind) => {
                let segment = self.make(kind);
                if !self.asides && self.contradicts(&segment) {
                    return "left out".to_owned();
                }
                self.note(|| format!("    ---> {segment}"));
                (self.subject.segment(&segment), Some(segment))
            }
            Word::Call(call) => match self.call(call) {
                Some(seen) => (seen, None),
                None => return "left out".to_owned(),
            },
            Word::Due(due) => (self.subject.due(due), None),
        };
        self.tell(word, &seen, asked.as_ref())
    }

    /// Time passes; what comes then.
    pub fn pass(&mut self, time: Duration) -> String {
        let seen = self.subject.pass(time);
        self.note(|| format!("{} ms pass", time.as_millis()));
        self.tell(Word::Due(Due::Retransmission), &seen, None)
    }

    /// The user has a connection, as far as the user knows.
    pub fn is_open(&self) -> bool {
        self.open
    }

    fn call(&mut self, call: Call) -> Option<Vec<Out>> {
        match call {
            Call::Connect | Call::Listen | Call::Accept if self.open => None,
            Call::Connect | Call::Listen => {
                self.open = true;
                Some(self.subject.open(call, None))
            }
            Call::Accept => {
                self.open = true;
                let syn = self.make(SYN);
                self.note(|| format!("    ---> {syn}"));
                Some(self.subject.open(call, Some(&syn)))
            }
            // The table says what happens to text in flight, not to text that waits.
            Call::Send if self.flight > 0 || self.open && !self.connected => None,
            _ => Some(self.subject.call(call)),
        }
    }

    fn make(&mut self, kind: Kind) -> Segment {
        let syn = kind.flags.contains(Flags::SYN);
        let len = u32::try_from(TEXT).expect("a small number");
        let takes = u32::from(syn) + u32::from(kind.flags.contains(Flags::FIN)) + if kind.data { len } else { 0 };
        let seq = match kind.place {
            // The first SYN has no other number to have.
            _ if syn && (kind.place == Place::Usual || !self.synced) => SeqNum::new(IRS),
            Place::Usual | Place::Next => self.next,
            Place::Left => self.next - 1,
            Place::Old => self.next - (takes + 5),
            Place::Gap => self.next + len,
            Place::Far => self.next + 1_000_000,
        };
        let (iss, end) = self.theirs.unwrap_or((SeqNum::new(NOWHERE), SeqNum::new(NOWHERE)));
        let ack = match kind.acked {
            Acked::All => end,
            Acked::Iss => iss,
            Acked::Syn => iss + 1,
            Acked::Text => self.fin.unwrap_or(end),
            Acked::Beyond => end + 1,
        };
        self.count += 1;
        Segment {
            seq,
            ack: if kind.flags.contains(Flags::ACK) { ack } else { SeqNum::new(0) },
            flags: kind.flags,
            // Never the same in a hundred segments: no two acknowledgments are duplicates (RFC 5681 §2), whose count the
            // table does not have.
            window: WINDOW + u16::try_from(self.count % 100).expect("a small number"),
            urgent: u16::from(kind.flags.contains(Flags::URG)),
            options: self.options(syn, kind.stamp).into(),
            payload: Bytes::from_static(&[b'.'; TEXT][..if kind.data { TEXT } else { 0 }]),
            ..Segment::default()
        }
    }

    /// Whether the peer's stream would end in two places. Segments after the end that the subject has taken, other SYNs
    /// and what is far away are for it to judge.
    fn contradicts(&mut self, segment: &Segment) -> bool {
        let (fin, end) = (segment.flags.contains(Flags::FIN), end(segment));
        let taken = self.our_fin.is_some_and(|fin| self.next.after(fin));
        let another_syn = self.synced && segment.flags.contains(Flags::SYN);
        if taken
            || another_syn
            || segment.flags.contains(Flags::RST)
            || end.after(self.next + 1000)
            || end.before(self.next)
        {
            return false;
        }
        let text_end = if fin { end - 1 } else { end };
        let wrong = match self.our_fin {
            Some(known) => text_end.after(known) || fin && text_end != known,
            None => fin && text_end.before(self.said),
        };
        if !wrong {
            self.said = if text_end.after(self.said) { text_end } else { self.said };
            self.our_fin = self.our_fin.or(fin.then_some(text_end));
        }
        wrong
    }

    fn options(&self, syn: bool, stamp: Stamp) -> Options {
        let value = match stamp {
            _ if !self.timestamps => None,
            Stamp::Usual => Some(STAMP.wrapping_add(self.count)),
            Stamp::Old => Some(STAMP.wrapping_sub(1)),
            Stamp::Missing => None,
        };
        Options {
            mss: syn.then_some(1460),
            timestamps: value.map(|value| Timestamps { value, echo: self.echo }),
            ..Options::default()
        }
    }

    /// Takes note of what the subject did, and puts it into words.
    fn tell(&mut self, word: Word, seen: &[Out], asked: Option<&Segment>) -> String {
        let mut words: Vec<(u8, String)> = Vec::new();
        // The user hears first, so that the numbers of segments are judged by the delivered text.
        for out in seen {
            self.learn(out);
        }
        let before = self.theirs;
        let closes = seen.iter().any(|out| matches!(out, Out::Closed(_)));
        for out in seen {
            let said = match out {
                Out::Sent(segment) => self.sent(segment, asked, before),
                Out::Later(segment) if self.asides => format!("later {}", self.sent(segment, asked, before)),
                Out::Later(segment) => self.sent(segment, asked, before),
                Out::Delivered(octets) => format!("delivered {octets}"),
                // At the end others do not tell it.
                Out::Acked(_) if !self.asides && closes => continue,
                Out::Acked(_) => "acked".to_owned(),
                Out::Connected => "connected".to_owned(),
                Out::PeerClosed => "peer-closed".to_owned(),
                Out::Flushed | Out::Refused(_) if !self.asides => continue,
                Out::Flushed => "flushed".to_owned(),
                Out::Closed(_) if !self.asides => "closed".to_owned(),
                Out::Closed(why) => format!("closed({why})"),
                Out::BackToListen => "back-to-listen".to_owned(),
                Out::Refused(why) => format!("error({why})"),
                Out::Aside(what) if self.asides => what.clone(),
                Out::Aside(_) => continue,
            };
            self.note(|| match out {
                Out::Sent(segment) | Out::Later(segment) => format!("    <--- {segment}    {said}"),
                _ => format!("    {said}"),
            });
            words.push((rank(out), said));
        }
        words.sort_by_key(|(rank, _)| *rank);
        let mut words: Vec<String> = words.into_iter().map(|(_, said)| said).collect();
        if word == Word::Due(Due::UserTimeout) {
            // How often something was sent again before the end does not matter.
            words.dedup();
        }
        if seen.iter().any(|out| matches!(out, Out::Closed(_) | Out::BackToListen)) {
            self.forget(seen);
        }
        if words.is_empty() { "-".to_owned() } else { words.join(" + ") }
    }

    fn learn(&mut self, out: &Out) {
        match out {
            Out::Connected => (self.synced, self.connected) = (true, true),
            Out::Delivered(octets) => self.next += u32::try_from(*octets).expect("few octets"),
            Out::PeerClosed => self.next += 1,
            Out::Acked(octets) => self.flight = self.flight.saturating_sub(*octets),
            _ => {}
        }
    }

    /// The connection is over, or starts anew: its numbers mean nothing any more.
    fn forget(&mut self, seen: &[Out]) {
        self.open = !seen.iter().any(|out| matches!(out, Out::Closed(_)));
        (self.synced, self.connected, self.theirs, self.fin, self.flight) = (false, false, None, None, 0);
        self.next = SeqNum::new(IRS) + 1;
        (self.said, self.our_fin) = (self.next, None);
    }

    /// The word for a segment of the subject.
    fn sent(&mut self, segment: &Segment, asked: Option<&Segment>, before: Option<(SeqNum, SeqNum)>) -> String {
        let flags = segment.flags - Flags::PSH - Flags::ECE - Flags::CWR;
        let names: Vec<&str> = flags.iter_names().map(|(name, _)| name).collect();
        let mut word = names.join(",");
        if !segment.payload.is_empty() {
            word = if flags == Flags::ACK { "DATA".to_owned() } else { format!("DATA,{word}") };
        }
        if flags.contains(Flags::RST) {
            return self.reset(segment, asked, before);
        }
        if let Some(stamp) = segment.options.timestamps() {
            self.echo = stamp.value;
        }
        if flags.contains(Flags::SYN) {
            if flags.contains(Flags::ACK) && segment.ack == SeqNum::new(IRS) + 1 {
                self.synced = true;
            }
            if self.theirs.is_none() {
                self.theirs = Some((segment.seq, end(segment)));
                return word + &self.acknowledged(segment);
            }
        }
        let Some((iss, mut next)) = self.theirs else { return format!("{word} of no connection") };
        let again = segment.seq.before(next);
        if end(segment).after(next) {
            self.flight += segment.payload.len();
            next = end(segment);
            self.theirs = Some((iss, next));
        }
        if flags.contains(Flags::FIN) {
            self.fin = Some(end(segment) - 1);
        }
        match before.map(|(_, next)| next) {
            // The first segment that is sent again: with it may go more.
            _ if again && !word.is_empty() && !segment.is_empty() => word = format!("again {}", first(segment)),
            Some(next) if again && segment.seq == next - 1 => word = "keep-alive".to_owned(),
            _ if again => word.push_str(" at an old number"),
            Some(next) if segment.seq.after(next) => word.push_str(" after a gap"),
            _ => {}
        }
        word + &self.acknowledged(segment)
    }

    fn acknowledged(&self, segment: &Segment) -> String {
        let taken = if self.synced { self.next } else { SeqNum::new(IRS) + 1 };
        match segment.flags.contains(Flags::ACK) {
            true if segment.ack != taken && segment.ack.before(taken) => {
                format!(" acking {} less", taken - segment.ack)
            }
            true if segment.ack != taken => format!(" acking {} more", segment.ack - taken),
            _ => String::new(),
        }
    }

    fn reset(&self, segment: &Segment, asked: Option<&Segment>, before: Option<(SeqNum, SeqNum)>) -> String {
        let acks = segment.flags.contains(Flags::ACK);
        match asked {
            Some(asked) if !acks && asked.flags.contains(Flags::ACK) && segment.seq == asked.ack => {
                "RST at SEG.ACK".to_owned()
            }
            Some(asked) if acks && segment.seq == SeqNum::new(0) && segment.ack == end(asked) => {
                "RST,ACK at 0".to_owned()
            }
            // With ACK or without (§3.10.5 leaves it open).
            _ if before.is_some_and(|(_, next)| segment.seq == next) => "RST at SND.NXT".to_owned(),
            _ => format!("RST{} elsewhere", if acks { ",ACK" } else { "" }),
        }
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(ladder) = &mut self.ladder {
            ladder.push(line());
        }
    }

    /// What decides about all that follows, with numbers of no bound cut where their classes stay the same.
    pub fn key(&self) -> String {
        let from_start = (self.next - SeqNum::new(IRS)).min(2);
        let theirs = self.theirs.map(|(iss, next)| (next - iss).min(2));
        let fin = self.fin.zip(self.theirs).map(|(fin, (_, next))| next - fin);
        // Where our stream ends, as far as it is said and not taken.
        let said = if self.said.after(self.next) { self.said - self.next } else { 0 };
        let our_fin = self.our_fin.map(|fin| if fin.before(self.next) { 0 } else { fin - self.next + 1 });
        format!(
            "{said} {our_fin:?} {} {} {} {from_start} {theirs:?} {fin:?} {}",
            self.open, self.synced, self.connected, self.flight
        )
    }
}

const SYN: Kind = Kind { flags: Flags::SYN, data: false, place: Place::Usual, acked: Acked::All, stamp: Stamp::Usual };

/// The order of an answer's words: subjects tell the user earlier or later.
fn rank(out: &Out) -> u8 {
    match out {
        Out::Aside(_) => 0,
        Out::Connected | Out::Refused(_) => 1,
        Out::Delivered(_) => 2,
        Out::PeerClosed => 3,
        Out::Acked(_) => 4,
        Out::Flushed => 5,
        Out::Sent(_) => 6,
        Out::Later(_) => 7,
        Out::BackToListen | Out::Closed(_) => 8,
    }
}

/// What begins at SEG.SEQ.
fn first(segment: &Segment) -> &'static str {
    match (segment.flags.contains(Flags::SYN), segment.flags.contains(Flags::ACK), segment.payload.is_empty()) {
        (true, false, _) => "SYN",
        (true, true, _) => "SYN,ACK",
        (false, _, false) => "DATA",
        (false, _, true) => "FIN",
    }
}
