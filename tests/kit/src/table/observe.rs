//! Puts what a connection did into the words of the table. Whatever fits no word is `odd`.

use segue::{
    Action, CloseReason, Connection, Discard, Event, FastOpenRefusal, Flags, Info, Report, Segment, SeqNum, State,
    Timer,
};

use super::cell::{Ack, Cell, Seq};
use super::drive::Seen;
use super::fixture::{Fixture, QUEUED_TEXT, own_text, text_at};
use super::outcome::{Delivered, Outcome, Reply, Signal, Signals};

/// The actions of one call, sorted.
#[derive(Clone, Debug, Default)]
pub struct Sorted {
    pub sent: Vec<Segment>,
    pub delivered: Vec<u8>,
    pub signals: Signals,
    pub discarded: Option<Discard>,
    pub closed: Option<CloseReason>,
    pub urgent_ahead: Option<u32>,
    pub acked: usize,
    pub report: Option<Report>,
    pub refusal: Option<FastOpenRefusal>,
    /// Breaches of the rules for actions themselves.
    pub faults: Vec<&'static str>,
}

impl Sorted {
    pub fn new(actions: &[Action]) -> Self {
        let mut seen = Self::default();
        let mut rank = 0;
        for action in actions {
            let own = seen.take(action);
            if own < rank && own > 0 {
                seen.faults.push("actions out of order");
            }
            rank = rank.max(own);
        }
        seen
    }

    /// Notes one action; its place in the order of one call, 0 if it has none.
    fn take(&mut self, action: &Action) -> u8 {
        let mut signal = |signal: Signal| {
            if self.signals.has(signal) {
                self.faults.push("a signal came twice");
            }
            self.signals = self.signals.with(signal);
        };
        match action {
            Action::Connected => signal(Signal::Connected),
            Action::Urgent { ahead } => {
                signal(Signal::Urgent);
                self.urgent_ahead = Some(*ahead);
                return 2;
            }
            Action::Deliver(text) => {
                self.delivered.extend_from_slice(text);
                return 3;
            }
            Action::PeerClosed => {
                signal(Signal::PeerClosed);
                return 4;
            }
            Action::Acked(octets) => {
                signal(Signal::Acked);
                self.acked = *octets;
                return 5;
            }
            Action::Writable => {
                signal(Signal::Writable);
                return 6;
            }
            Action::Flushed => {
                signal(Signal::Flushed);
                return 7;
            }
            Action::Transmit(segment) => {
                self.sent.push(segment.clone());
                // The answer to a discarded segment comes where the decision falls.
                return if self.discarded.is_some() { 0 } else { 8 };
            }
            Action::SetTimer(..) => return 0,
            Action::Closed(reason) => {
                if self.closed.replace(*reason).is_some() {
                    self.faults.push("Closed came twice");
                }
                return 10;
            }
            Action::Discarded(reason) => {
                if self.discarded.replace(*reason).is_some() {
                    self.faults.push("Discarded came twice");
                }
                return 0;
            }
            Action::ReturnedToListen => {
                signal(Signal::ReturnedToListen);
                return 0;
            }
            Action::Successor { .. } => {
                signal(Signal::Successor);
                return 0;
            }
            Action::Report(Report::FastOpenConfirmed) => signal(Signal::Confirmed),
            Action::Report(Report::FastOpenRefused(why)) => {
                signal(Signal::Refused);
                self.refusal = Some(*why);
                return 0;
            }
            Action::Report(report) => {
                signal(Signal::Report);
                self.report = Some(*report);
                return 0;
            }
            _ => {
                self.faults.push("an action that no row speaks of");
                return 0;
            }
        }
        1
    }
}

/// Hands the segment to a copy of the fixture's connection.
pub fn probe(cell: &Cell, fixture: &Fixture, segment: &Segment) -> Seen {
    let mut connection = fixture.connection.clone();
    let actions = connection.handle_segment(segment.clone(), fixture.now);
    connection.check_invariants();
    let sorted = Sorted::new(&actions);
    let after = connection.info();
    let judge = Judge { cell, fixture, segment, before: &fixture.info, after: &after, connection: &connection };
    let mut faults = sorted.faults.clone();
    let outcome = judge.outcome(&sorted, &mut faults);
    let (from, to) = (fixture.info.state, connection.state());
    if Event::Segment(segment.clone()).cause(from, to).is_some() != (from != to) {
        faults.push("a transition without a cause, or a cause without one");
    }
    Seen { outcome, faults }
}

struct Judge<'a> {
    cell: &'a Cell,
    fixture: &'a Fixture,
    segment: &'a Segment,
    before: &'a Info,
    after: &'a Info,
    connection: &'a Connection,
}

impl Judge<'_> {
    fn outcome(&self, seen: &Sorted, faults: &mut Vec<&'static str>) -> Outcome {
        let state = self.connection.state();
        let mut signals = seen.signals;
        if self.restarted() {
            signals = signals.with(Signal::Restart);
        }
        if (state == State::Closed) != (seen.closed.is_some() || self.before.state == State::Closed) {
            faults.push("CLOSED without Closed, or the other way round");
        }
        if seen.report.is_some() {
            faults.push("a report");
        }
        if seen.refusal.is_some_and(|why| why != FastOpenRefusal::NotAcknowledged) {
            faults.push("Fast Open is refused for another reason");
        }
        if let (Some(ahead), Some(end)) = (seen.urgent_ahead, self.segment.urgent_end()) {
            let next = if self.cell.seq == Seq::Unknown { self.segment.seq + 1 } else { self.before.rcv_nxt };
            if end != next + ahead {
                faults.push("Urgent points elsewhere");
            }
        }
        let reply = match self.reply(seen) {
            Some(reply) => reply,
            None => {
                faults.push("what is sent fits no word");
                Reply::Odd
            }
        };
        Outcome {
            reply,
            next: (state != self.before.state).then_some(state),
            takes_ack: self.takes_ack(seen, faults),
            delivered: self.delivered(seen, faults),
            signals,
            discarded: seen.discarded,
            closed: seen.closed,
            error: None,
        }
    }

    fn restarted(&self) -> bool {
        let deadline = |connection: &Connection| connection.deadline(Timer::TimeWait);
        self.before.state == State::TimeWait
            && self.after.state == State::TimeWait
            && deadline(self.connection) != deadline(&self.fixture.connection)
    }

    /// The word for what was sent.
    fn reply(&self, seen: &Sorted) -> Option<Reply> {
        let owed = self.connection.deadline(Timer::DelayedAck).is_some();
        let words = seen.sent.iter().map(|sent| self.word(sent)).collect::<Option<Vec<Reply>>>()?;
        match words.as_slice() {
            [] if owed => Some(Reply::Delayed),
            [] => Some(Reply::Nothing),
            [_] if owed => None,
            [one] => Some(*one),
            _ => None,
        }
    }

    fn word(&self, sent: &Segment) -> Option<Reply> {
        let ends_unsynchronized = sent.flags.contains(Flags::RST) || !self.has_connection();
        if !ends_unsynchronized {
            let timestamps = sent.options.timestamps();
            let wanted = if self.before.state == State::SynSent || self.before.state == State::Listen {
                self.segment.options.timestamps().is_some()
            } else {
                self.fixture.setup.timestamps
            };
            if timestamps.is_some() != wanted {
                return None;
            }
        }
        let exactly = |flags: Flags, seq: SeqNum, ack: SeqNum| {
            sent.flags == flags && sent.seq == seq && sent.ack == ack && sent.payload.is_empty()
        };
        let (seg, irs) = (self.segment, self.fixture.irs());
        if exactly(Flags::ACK, self.before.snd_nxt, self.after.rcv_nxt) {
            return Some(Reply::Ack);
        }
        if exactly(Flags::RST, seg.ack, SeqNum::new(0)) {
            return Some(Reply::Rst);
        }
        if exactly(Flags::RST | Flags::ACK, SeqNum::new(0), seg.end()) {
            return Some(Reply::RstAck);
        }
        let syn_acked = if self.cell.state.is_early() { self.before.rcv_nxt } else { irs + 1 };
        if exactly(Flags::SYN | Flags::ACK, SeqNum::new(self.fixture.world.iss), syn_acked) {
            return Some(Reply::SynAck);
        }
        let text_again = self.before.state == State::SynSent
            && sent.flags - Flags::PSH == Flags::ACK
            && sent.seq == seg.ack
            && sent.ack == self.after.rcv_nxt
            && sent.payload == own_text((self.before.snd_nxt - seg.ack) as usize);
        if text_again && !sent.payload.is_empty() {
            return Some(Reply::Again);
        }
        let fin = sent.flags - Flags::PSH == Flags::FIN | Flags::ACK
            && sent.seq == self.before.snd_nxt
            && sent.ack == self.after.rcv_nxt
            && sent.payload.len() == if self.cell.state.is_syn_received() { 0 } else { QUEUED_TEXT };
        fin.then_some(Reply::Fin)
    }

    fn has_connection(&self) -> bool {
        !matches!(self.before.state, State::Closed)
    }

    /// Whether SND.UNA, SND.WND, SND.WL1 and SND.WL2 took what the segment says; anything in between is a fault.
    fn takes_ack(&self, seen: &Sorted, faults: &mut Vec<&'static str>) -> bool {
        let (before, after, seg) = (self.before, self.after, self.segment);
        if after.state == State::Closed || after.state == State::Listen || !self.sends() {
            return false;
        }
        let variables = |i: &Info| (i.snd_una, i.snd_wnd, i.snd_wl1, i.snd_wl2);
        if variables(before) == variables(after) {
            if seen.acked > 0 {
                faults.push("Acked, but SND.UNA stays");
            }
            return false;
        }
        if before.state == State::SynSent && self.cell.ack == Ack::None {
            return false; // the variables are set for the first time
        }
        // What lies before RCV.NXT is cut off, SEG.SEQ with it.
        let trimmed = if seg.seq.before(before.rcv_nxt) { before.rcv_nxt } else { seg.seq };
        let first = before.state == State::SynSent || before.state == State::SynReceived;
        let took = after.snd_una == seg.ack
            && after.snd_wnd == u32::from(seg.window)
            && (after.snd_wl1 == seg.seq || after.snd_wl1 == trimmed || first && after.snd_wl1 == seg.seq + 1)
            && after.snd_wl2 == seg.ack;
        if !took {
            faults.push("the ACK and the window are taken in part");
        }
        let fin = u32::from(self.cell.ack == Ack::Fin);
        let syn = u32::from(first);
        if took && after.snd_una - before.snd_una != u32::try_from(seen.acked).unwrap() + fin + syn {
            faults.push("Acked counts wrong");
        }
        took
    }

    fn sends(&self) -> bool {
        !matches!(self.before.state, State::Closed | State::Listen)
    }

    fn delivered(&self, seen: &Sorted, faults: &mut Vec<&'static str>) -> Delivered {
        let fixture = self.fixture;
        let irs = fixture.irs();
        let next = if self.cell.seq == Seq::Unknown { irs + 1 } else { self.before.rcv_nxt };
        let len = u32::try_from(seen.delivered.len()).unwrap();
        let end = next + len;
        let still_there = matches!(self.after.state, State::SynReceived) || self.after.state.is_synchronized();
        if still_there {
            let fin = u32::from(seen.signals.has(Signal::PeerClosed));
            if self.after.rcv_nxt != end + fin {
                faults.push("RCV.NXT does not follow from what was delivered");
            }
        }
        if len == 0 {
            return Delivered::Nothing;
        }
        if seen.delivered != text_at(irs, next, len) {
            faults.push("the text is not the peer's");
        }
        let text_from = self.segment.seq + u32::from(self.cell.has(Flags::SYN));
        let mut text_to = text_from + u32::try_from(self.segment.payload.len()).unwrap();
        if self.cell.seq != Seq::Unknown {
            text_to = text_to.min(next + self.before.rcv_wnd);
        }
        match fixture.held_end() {
            Some(held_to) if end == held_to => {
                let helps = self.cell.text && text_from.at_or_before(next) && text_to.after(next);
                if helps { Delivered::All } else { Delivered::Held }
            }
            _ if end == text_to => Delivered::Text,
            _ => {
                faults.push("more or less is delivered than there is");
                Delivered::Odd
            }
        }
    }
}

/// The answer with allowance and the answer without make one word: what only the first sends is a challenge.
pub fn combine(with: Outcome, without: Outcome) -> Outcome {
    let reply = match (with.reply, without.reply) {
        (a, b) if a == b => a,
        (Reply::Ack, Reply::Nothing) => Reply::Challenge,
        (Reply::SynAck, Reply::Nothing) => Reply::SynAckAgain,
        _ => Reply::Odd,
    };
    let same = Outcome { reply: with.reply, ..without } == with;
    Outcome { reply: if same { reply } else { Reply::Odd }, ..with }
}
