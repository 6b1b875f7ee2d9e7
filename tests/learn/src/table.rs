//! The reference transition table as a subject: its rows, carried out on the variables that they speak of.
//!
//! A segment is put into its cell, the first row that matches decides, and its words change the variables and make the
//! segments. Nothing here comes from segue's machine, which only lends its types.

use bytes::Bytes;
use segue::{Flags, Options, Segment, SeqNum, State, Timestamps};
use segue_kit::table::calls::{Call as Event, CallCell, Unread};
use segue_kit::table::cell::{Ack, Cell, Close, Held, Seq, St, Ts};
use segue_kit::table::drive::expect_call;
use segue_kit::table::outcome::{Delivered, Outcome, Reply, Signal};
use segue_kit::table::rows::{Table, expect};
use std::rc::Rc;
use std::time::Duration;

use crate::subject::{ISS, Out, RECEIVE_BUFFER, Subject, end};
use crate::tester::{SENT, TEXT, WINDOW};
use crate::word::{Call, Due};

/// Octets held behind a gap as long.
const HELD: u32 = TEXT as u32;

#[derive(Clone, Debug)]
pub struct Model {
    table: Rc<Table>,
    timestamps: bool,
    /// New secrets come at once.
    pub rearms: bool,
    state: St,
    una: SeqNum,
    nxt: SeqNum,
    rcv: SeqNum,
    /// CLOSE was called in SYN-RECEIVED; the FIN waits.
    queued: bool,
    /// RELEASE was called.
    released: bool,
    /// Our FIN's number.
    fin: Option<SeqNum>,
    held: Held,
    /// Both SYNs had timestamps.
    stamped: bool,
    recent: u32,
    /// The rows that decided something, by their line in the file.
    pub lines: std::collections::BTreeSet<usize>,
}

impl Model {
    pub fn new(table: Rc<Table>, timestamps: bool) -> Self {
        let zero = SeqNum::new(0);
        Self {
            table,
            timestamps,
            rearms: false,
            state: St::Closed,
            una: zero,
            nxt: zero,
            rcv: zero,
            queued: false,
            released: false,
            fin: None,
            held: Held::No,
            stamped: false,
            recent: 0,
            lines: std::collections::BTreeSet::new(),
        }
    }

    /// What decides about all that follows.
    pub fn key(&self) -> String {
        let sends = !matches!(self.state, St::Closed | St::Listen | St::ListenSpent);
        let acked = if sends { (self.una - SeqNum::new(ISS)).min(2) } else { 0 };
        let out = if sends { self.nxt - self.una } else { 0 };
        let fin = if sends { self.fin.map(|fin| self.nxt - fin) } else { None };
        let Self { queued, released, held, stamped, .. } = self;
        format!("{} {acked} {out} {fin:?} {queued} {released} {held:?} {stamped}", name(self.state))
    }

    fn known(&self) -> bool {
        self.state.is_syn_received() || self.state.is_synchronized()
    }

    fn cell(&self, segment: &Segment) -> Cell {
        let flags = segment.flags.bits() & 0x3F;
        let cell = Cell {
            state: self.state,
            flags: u8::try_from(flags).expect("six bits"),
            seq: self.seq(segment),
            ack: self.ack(segment),
            text: !segment.payload.is_empty(),
            close: if self.queued { Close::Freed } else { Close::No },
            held: self.held,
            ts: self.ts(segment),
        };
        if let Some(row) = self.table.impossible(&cell) {
            panic!("line {} says that {cell} is impossible", self.table.impossible[row].line);
        }
        cell
    }

    fn seq(&self, segment: &Segment) -> Seq {
        if !self.known() {
            return Seq::Unknown;
        }
        let (next, edge) = (self.rcv, self.rcv + RECEIVE_BUFFER);
        let (seq, last) = (segment.seq, end(segment));
        match last - seq {
            _ if seq == next => Seq::Exact,
            0 | 1 if seq == next - 1 => Seq::Left,
            _ if seq.before(next) && last.after(next) => Seq::Straddle,
            _ if seq.before(next) => Seq::Before,
            0 if seq == edge => Seq::Edge,
            _ if seq.before(edge) => Seq::Inside,
            _ => Seq::After,
        }
    }

    fn ack(&self, segment: &Segment) -> Ack {
        let ack = segment.ack;
        match self.state {
            _ if !segment.flags.contains(Flags::ACK) => Ack::None,
            St::Closed | St::Listen | St::ListenSpent => Ack::Unknown,
            _ if ack.after(self.nxt) => Ack::Beyond,
            _ if ack == self.una => Ack::Dup,
            _ if ack.after(self.una) && self.fin.is_some_and(|fin| ack.after(fin)) => Ack::Fin,
            _ if ack.after(self.una) => Ack::New,
            St::SynSent => Ack::TooOld,
            _ if self.una - ack > u32::from(WINDOW) => Ack::TooOld,
            _ => Ack::Old,
        }
    }

    fn ts(&self, segment: &Segment) -> Ts {
        match segment.options.timestamps() {
            None if self.known() && self.stamped => Ts::Missing,
            None => Ts::Off,
            Some(_) if !self.known() || !self.stamped => Ts::Extra,
            Some(stamp) if stamp.value.wrapping_sub(self.recent) > 0x7FFF_FFFF => Ts::Old,
            Some(stamp) if stamp.value == self.recent && self.state == St::TimeWait => Ts::Equal,
            Some(_) => Ts::Good,
        }
    }

    /// A row's words, in the order of a connection's actions.
    fn carry_out(&mut self, outcome: &Outcome, seen: &Facts<'_>) -> Vec<Out> {
        let (mut outs, una, early) = (Vec::new(), self.una, self.state.is_syn_received());
        let acked = self.acked(outcome, una, seen.segment);
        let signals = |signal| outcome.signals.has(signal);
        let aside = |signal, word: &str| signals(signal).then(|| Out::Aside(word.to_owned()));
        if outcome.takes_ack
            && let Some(segment) = seen.segment
        {
            self.una = segment.ack;
        }
        if let Some(next) = outcome.next {
            self.go(next);
        }
        let text = u32::try_from(seen.text).expect("few octets");
        let delivered = match outcome.delivered {
            Delivered::Nothing => 0,
            Delivered::Text => text,
            Delivered::Held => HELD,
            // Text on the SYN begins at RCV.NXT; text that is held later, behind a gap.
            Delivered::All if early => HELD.max(text),
            Delivered::All => 2 * HELD,
            Delivered::Odd => panic!("no row says `odd`"),
        };
        self.rcv += delivered + u32::from(signals(Signal::PeerClosed));
        let discarded = outcome.discarded.map(|why| Out::Aside(format!("discarded({})", words(why))));
        let answer = self.answer(outcome, seen);
        outs.extend(discarded);
        outs.extend(aside(Signal::Successor, "successor"));
        outs.extend(aside(Signal::Urgent, "urgent"));
        outs.extend(signals(Signal::Connected).then_some(Out::Connected));
        outs.extend((delivered > 0).then(|| Out::Delivered(delivered as usize)));
        outs.extend(signals(Signal::PeerClosed).then_some(Out::PeerClosed));
        outs.extend(acked.map(Out::Acked));
        outs.extend(signals(Signal::Flushed).then_some(Out::Flushed));
        outs.extend(answer);
        outs.extend(signals(Signal::ReturnedToListen).then_some(Out::BackToListen));
        outs.extend(outcome.closed.map(|why| Out::Closed(words(why))));
        if let Some(error) = outcome.error {
            outs.push(Out::Refused(words(error)));
        }
        outs
    }

    /// Octets of text that the acknowledgment frees, which SYN and FIN are not.
    fn acked(&self, outcome: &Outcome, before: SeqNum, segment: Option<&Segment>) -> Option<usize> {
        let ack = segment.filter(|_| outcome.signals.has(Signal::Acked))?.ack;
        let fin = u32::from(self.fin.is_some_and(|fin| ack.after(fin)));
        let text = (ack - before).saturating_sub(fin) as usize;
        (text > 0).then_some(text)
    }

    fn go(&mut self, next: State) {
        self.state = match (next, self.state) {
            (State::Listen, St::Closed) => St::Listen,
            (State::Listen, _) if self.rearms => St::Listen,
            (State::Listen, _) => St::ListenSpent,
            (State::SynReceived, St::Listen) => St::SynReceivedListen,
            (State::SynReceived, St::SynSent) => St::SynReceivedCrossed,
            (State::SynReceived, _) => St::SynReceivedAccept,
            (State::Closed, _) => St::Closed,
            (State::SynSent, _) => St::SynSent,
            (State::Established, _) => St::Established,
            (State::FinWait1, _) => St::FinWait1,
            (State::FinWait2, _) => St::FinWait2,
            (State::CloseWait, _) => St::CloseWait,
            (State::Closing, _) => St::Closing,
            (State::LastAck, _) => St::LastAck,
            (State::TimeWait, _) => St::TimeWait,
        };
        if matches!(self.state, St::Closed | St::Listen | St::ListenSpent) {
            (self.queued, self.released, self.stamped) = (false, false, false);
            (self.fin, self.held) = (None, Held::No);
        }
    }

    fn answer(&mut self, outcome: &Outcome, seen: &Facts<'_>) -> Option<Out> {
        let asked = seen.segment;
        let sent = match outcome.reply {
            Reply::Nothing => return None,
            Reply::Ack | Reply::Challenge => self.make(self.nxt, Flags::ACK, 0),
            Reply::Delayed => return Some(Out::Later(self.make(self.nxt, Flags::ACK, 0))),
            Reply::Rst => Segment { seq: asked?.ack, flags: Flags::RST, ..Segment::default() },
            Reply::RstAck => Segment { ack: end(asked?), flags: Flags::RST | Flags::ACK, ..Segment::default() },
            Reply::SynAck | Reply::SynAckAgain => {
                let sent = self.make(SeqNum::new(ISS), Flags::SYN | Flags::ACK, 0);
                self.nxt = SeqNum::new(ISS) + 1;
                sent
            }
            Reply::Fin => {
                self.queued = false;
                self.fin = Some(self.nxt);
                self.advance(Flags::FIN | Flags::ACK, 0)
            }
            Reply::Syn => {
                (self.una, self.nxt) = (SeqNum::new(ISS), SeqNum::new(ISS));
                self.advance(Flags::SYN, 0)
            }
            Reply::Text => self.advance(Flags::ACK, SENT),
            Reply::Reset => Segment { seq: self.nxt, flags: Flags::RST, ..Segment::default() },
            Reply::Again => self.again(),
            Reply::KeepAlive => self.make(self.nxt - 1, Flags::ACK, 0),
            reply @ (Reply::UrgentText | Reply::Probe | Reply::Odd) => panic!("no word leads to {reply:?}"),
        };
        Some(Out::Sent(sent))
    }

    fn make(&self, seq: SeqNum, flags: Flags, text: usize) -> Segment {
        let syn = flags.contains(Flags::SYN);
        let stamp = self.stamped || syn && self.timestamps;
        Segment {
            seq,
            ack: if flags.contains(Flags::ACK) { self.rcv } else { SeqNum::new(0) },
            flags,
            options: Options {
                timestamps: stamp.then_some(Timestamps { value: 0, echo: self.recent }),
                ..Options::default()
            }
            .into(),
            payload: Bytes::from_static(&[b'o'; SENT][..text]),
            ..Segment::default()
        }
    }

    fn advance(&mut self, flags: Flags, text: usize) -> Segment {
        let sent = self.make(self.nxt, flags, text);
        self.nxt = end(&sent);
        sent
    }

    /// What starts at SND.UNA.
    fn again(&self) -> Segment {
        let syn = self.una == SeqNum::new(ISS);
        match (syn, self.state) {
            (true, St::SynSent) => self.make(self.una, Flags::SYN, 0),
            (true, _) => self.make(self.una, Flags::SYN | Flags::ACK, 0),
            (false, _) if self.fin == Some(self.una) => self.make(self.una, Flags::FIN | Flags::ACK, 0),
            (false, _) => self.make(self.una, Flags::ACK, SENT),
        }
    }

    fn event(&mut self, call: Event, syn: Option<&Segment>) -> Vec<Out> {
        let close = if self.queued { Close::Queued } else { Close::No };
        let cell = CallCell { call, state: self.state, close, unread: Unread::No };
        if let Some(row) = self.table.impossible_call(&cell) {
            panic!("line {} says that {cell} is impossible", self.table.impossible_calls[row].line);
        }
        let row = self.table.call_row(&cell).map(|row| &self.table.calls[row]).expect("a row for the call");
        self.lines.insert(row.line);
        let outcome = expect_call(&row.outcome, &cell);
        if call == Event::OpenPassive {
            self.state = St::Closed;
        }
        let before = self.state;
        let outs = self.carry_out(&outcome, &Facts { segment: syn, text: 0 });
        self.released |= call == Event::Release && self.state != St::Closed;
        if matches!(call, Event::Close | Event::Release) && before.is_syn_received() {
            self.queued = true;
        }
        if call == Event::Rearm && outcome.error.is_none() {
            self.state = St::Listen;
        }
        outs
    }

    fn take_syn(&mut self, syn: &Segment) {
        self.rcv = syn.seq + 1;
        self.stamped = self.timestamps && syn.options.timestamps().is_some();
        self.recent = syn.options.timestamps().map_or(0, |stamp| stamp.value);
    }

    /// Whether something of ours is not acknowledged.
    fn waits(&self) -> bool {
        !matches!(self.state, St::Closed | St::Listen | St::ListenSpent) && self.una != self.nxt
    }
}

/// What an outcome speaks of.
struct Facts<'a> {
    segment: Option<&'a Segment>,
    /// Octets of its text after RCV.NXT.
    text: usize,
}

impl Subject for Model {
    fn open(&mut self, call: Call, syn: Option<&Segment>) -> Vec<Out> {
        match (call, syn) {
            (Call::Connect, _) => self.event(Event::OpenActive, None),
            (_, Some(syn)) => {
                (self.una, self.nxt) = (SeqNum::new(ISS), SeqNum::new(ISS));
                self.take_syn(syn);
                self.event(Event::OpenSyn, Some(syn))
            }
            (_, None) => self.event(Event::OpenPassive, None),
        }
    }

    fn call(&mut self, call: Call) -> Vec<Out> {
        let event = match call {
            Call::Connect | Call::Listen | Call::Accept => return Vec::new(),
            Call::Rearm => Event::Rearm,
            Call::Send => Event::Send,
            Call::Close => Event::Close,
            Call::Release => Event::Release,
            Call::Abort => Event::Abort,
        };
        self.event(event, None)
    }

    fn segment(&mut self, segment: &Segment) -> Vec<Out> {
        let cell = self.cell(segment);
        let row = self.table.row(&cell).map(|row| &self.table.segments[row]).expect("a row for the cell");
        self.lines.insert(row.line);
        let outcome = expect(&row.outcome, &cell);
        // The table says of a SYN that it is taken by where it leads.
        let takes_syn = matches!(outcome.next, Some(State::SynReceived | State::Established | State::CloseWait))
            && matches!(self.state, St::Listen | St::SynSent);
        if takes_syn {
            if self.state == St::Listen {
                (self.una, self.nxt) = (SeqNum::new(ISS), SeqNum::new(ISS));
            }
            self.take_syn(segment);
        }
        let old = if self.known() && segment.seq.before(self.rcv) { self.rcv - segment.seq } else { 0 };
        let text = segment.payload.len().saturating_sub(old as usize);
        let (open, was_held) = (matches!(self.state, St::Established | St::FinWait1 | St::FinWait2), self.held);
        let holds = cell.seq == Seq::Inside && cell.text && outcome.discarded.is_none() && outcome.closed.is_none();
        let before = self.rcv;
        let outs = self.carry_out(&outcome, &Facts { segment: Some(segment), text });
        if self.rcv != before {
            self.held = Held::No;
        }
        if takes_syn && self.state.is_syn_received() && !segment.payload.is_empty() {
            self.held = if segment.flags.contains(Flags::FIN) { Held::Fin } else { Held::Text };
        }
        if holds && (open || cell.state.is_syn_received()) {
            let fin = segment.flags.contains(Flags::FIN) || was_held == Held::Fin;
            self.held = if fin { Held::Fin } else { Held::Text };
        }
        if cell.ts == Ts::Good
            && outcome.discarded.is_none()
            && let Some(stamp) = segment.options.timestamps()
        {
            self.recent = stamp.value;
        }
        outs
    }

    fn due(&mut self, due: Due) -> Vec<Out> {
        let idle = matches!(self.state, St::Established | St::FinWait2 | St::CloseWait) && !self.waits();
        match due {
            Due::Retransmission if self.waits() => self.event(Event::RetransmitDue, None),
            Due::KeepAlive if idle => self.event(Event::KeepAliveDue, None),
            Due::FinWait2 if self.released && self.state == St::FinWait2 => self.event(Event::FinWait2Due, None),
            Due::TimeWait if self.state == St::TimeWait => self.event(Event::TimeWaitDue, None),
            Due::UserTimeout if self.waits() => {
                let mut seen = self.event(Event::RetransmitDue, None);
                seen.extend(self.event(Event::UserTimeoutDue, None));
                seen
            }
            _ => Vec::new(),
        }
    }

    fn state(&self) -> Option<State> {
        Some(self.state.rfc())
    }

    /// No deadline of the table lies within a pause.
    fn pass(&mut self, _: Duration) -> Vec<Out> {
        Vec::new()
    }
}

/// `OutOfWindow` is `out-of-window`, as in the file.
fn words(value: impl std::fmt::Debug) -> String {
    crate::segue::kebab(value)
}

fn name(state: St) -> &'static str {
    segue_kit::table::cell::Dimension::name(state)
}
