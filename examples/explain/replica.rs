//! A segue in the place of one end: it is told what this end heard, and its user does what this end's user must have done.

use bytes::Bytes;
use segue::congestion::{Acked, Congestion};
use segue::journal::{Answer, Line, Opening, Recorder, Start};
use segue::{
    Action, Config, Connection, Controller, Discard, Event, Flags, Instant, Options, Path, Secrets, Segment, SeqNum,
    State, Timer,
};
use serde::{Deserialize, Serialize};

use crate::capture::{Captured, text_from};

/// The end of the capture had a window of its own: in its place ours never limits.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Unlimited;

impl Controller for Unlimited {
    fn start(&mut self, _mss: u32, _initial: u32, _now: Instant) {}
    fn on_ack(&mut self, _acked: &Acked) {}
    fn on_congestion(&mut self, _congestion: &Congestion) {}
    fn window(&self) -> u32 {
        1 << 30
    }
}

/// More text than this is not missing from a capture: the segment behind it is somebody else's.
const MOST_MISSING: u32 = 4 << 20;

/// Something to tell beside the segments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    pub at: Instant,
    pub words: String,
}

/// What the connection made of a segment that came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Heard {
    pub discards: Option<Discard>,
    /// Whether it answered at once, with neither text nor a reset.
    pub answers: bool,
    /// The number before RCV.NXT, and no text.
    pub keep_alive: bool,
    /// RCV.NXT after it.
    pub rcv_nxt: Option<SeqNum>,
}

/// One end.
#[derive(Debug, Default)]
pub struct Replica {
    recorder: Option<Recorder<Unlimited>>,
    /// The SYN that the server got and has not answered.
    syn: Option<Segment>,
    /// The number after the highest that this end sent.
    pub sent_to: SeqNum,
    /// What segue sent in this end's place.
    pub sent: Vec<(Instant, Segment)>,
    /// Transitions, discards and the end, since the last time that somebody took them.
    notes: Vec<Note>,
    /// Whether the capture was taken at this end: all that is seen to come to it has arrived.
    pub near: bool,
    /// The journal so far.
    pub lines: Vec<Line<Unlimited>>,
}

impl Replica {
    /// The connection, when it was opened.
    pub fn connection(&self) -> Option<&Connection<Unlimited>> {
        self.recorder.as_ref().map(Recorder::connection)
    }

    pub fn state(&self) -> State {
        match &self.syn {
            Some(_) => State::Listen,
            None => self.connection().map_or(State::Closed, Connection::state),
        }
    }

    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Time goes on: the timers that are due.
    pub fn pass_to(&mut self, now: Instant) {
        for _ in 0..10_000 {
            let due = self.connection().and_then(Connection::next_deadline).filter(|(_, at)| *at <= now);
            let Some((_, at)) = due else { break };
            self.event(Event::Timer(Timer::Retransmit), at);
        }
    }

    /// This end sent a segment: its user opened, sent, closed or aborted before.
    pub fn did(&mut self, captured: &Captured) {
        let Captured { at, segment, .. } = captured;
        if segment.flags.contains(Flags::SYN) {
            if self.recorder.is_none() {
                self.open(segment, *at);
                self.text(segment, *at);
            }
            return; // the same again, or one that another host sent in this end's name
        }
        self.text(segment, *at);
        if segment.flags.contains(Flags::RST) && self.state() != State::Closed {
            self.event(Event::Abort, *at);
        }
    }

    /// SEND and CLOSE of what is new in a segment.
    fn text(&mut self, segment: &Segment, at: Instant) {
        let end = segment.seq + segment.len();
        if end.after(self.sent_to) && !segment.flags.contains(Flags::RST) {
            if segment.seq.after(self.sent_to) {
                let missing = segment.seq - self.sent_to;
                if missing > MOST_MISSING {
                    return;
                }
                // the capture misses it, or shows it later: its length counts, its octets do not
                let text = vec![0; usize::try_from(missing).unwrap_or(0)];
                self.event(Event::Send(text.into()), at);
                self.sent_to = segment.seq;
            }
            let text = text_from(segment, self.sent_to);
            if !text.is_empty() {
                self.event(Event::Send(text), at);
            }
            if segment.flags.contains(Flags::FIN) {
                self.event(Event::Close, at);
            }
            self.sent_to = end;
        }
    }

    /// This end got a segment, and its user reads at once.
    pub fn hears(&mut self, captured: &Captured) -> Heard {
        let Captured { at, segment, .. } = captured;
        if self.recorder.is_none() && segment.flags & (Flags::SYN | Flags::ACK) == Flags::SYN {
            self.syn = Some(segment.clone());
            return Heard::default();
        }
        self.catch_up(segment, *at);
        let before = self.connection().map(|connection| connection.info().rcv_nxt);
        let lines = self.lines.len();
        self.event(Event::Segment(segment.clone()), *at);
        let actions = self.lines.get(lines).map_or(&[][..], Line::actions);
        Heard {
            discards: actions.iter().find_map(|action| match action {
                Action::Discarded(reason) => Some(*reason),
                _ => None,
            }),
            answers: actions.iter().any(|action| match action {
                Action::Transmit(sent) => sent.payload.is_empty() && !sent.flags.contains(Flags::RST),
                _ => false,
            }),
            keep_alive: segment.is_empty() && before.is_some_and(|nxt| segment.seq + 1 == nxt),
            rcv_nxt: self.connection().map(|connection| connection.info().rcv_nxt),
        }
    }

    /// Where this end sent beyond the window, segue has not: the peer acknowledges what waits here. Told of less, it sends
    /// the rest, until the acknowledgment is one for what it sent.
    fn catch_up(&mut self, segment: &Segment, at: Instant) {
        let acks = segment.flags & (Flags::ACK | Flags::RST | Flags::SYN) == Flags::ACK;
        while let Some(connection) = self.connection().filter(|_| acks && segment.ack.at_or_before(self.sent_to)) {
            let (nxt, queued) = (connection.info().snd_nxt, connection.info().send_queue);
            if !connection.state().is_synchronized() || queued == 0 || !segment.ack.after(nxt) {
                return;
            }
            let told = Segment { ack: nxt, flags: Flags::ACK, payload: Bytes::new(), ..segment.clone() };
            self.event(Event::Segment(told), at);
            if self.connection().is_none_or(|connection| connection.info().snd_nxt == nxt) {
                return;
            }
        }
    }

    /// The call that made this SYN or SYN,ACK, with the options that it offers.
    fn open(&mut self, syn: &Segment, at: Instant) {
        let opening = match self.syn.take() {
            Some(heard) => Opening::Accept(heard),
            None => Opening::Connect,
        };
        let options = syn.options.get();
        let clock = options.timestamps.map_or(0, |ts| ts.value);
        let millis = u32::try_from(at.as_micros() / 1000 % (1 << 32)).unwrap_or(0);
        let secrets = Secrets { iss: syn.seq, ts_offset: clock.wrapping_sub(millis) };
        let mtu = options.mss.map_or(576, |mss| mss.saturating_add(40));
        let start = Start { opening, config: config(&options), path: Path::ipv4(mtu), secrets, at };
        let (recorder, line) = Recorder::begin_with(Unlimited, start);
        self.sent_to = syn.seq + syn.len();
        self.recorder = Some(recorder);
        self.note(line, State::Closed, at);
    }

    fn event(&mut self, event: Event, now: Instant) {
        let from = self.state();
        let Some(recorder) = &mut self.recorder else { return };
        let line = recorder.handle(event, now);
        let delivered: usize = line.actions().iter().map(text_len).sum();
        self.note(line, from, now);
        if delivered > 0 {
            self.event(Event::Consume(delivered), now);
        }
    }

    fn note(&mut self, line: Line<Unlimited>, from: State, at: Instant) {
        let to = self.state();
        let mut words = Vec::new();
        match &line {
            Line::Entry(entry) => {
                words.extend(entry.event.cause(from, to).map(|cause| format!("{to}: {cause}")));
                if let Answer::Refused(error) = &entry.answer {
                    words.push(format!("the call could not proceed: {error}"));
                }
            }
            Line::Exchange(_) => {} // its window stays
            Line::Start { start, .. } => words.push(match start.opening {
                Opening::Connect | Opening::ConnectFastOpen(_) => {
                    format!("{to}: the user opened (RFC 9293 §3.10.1)")
                }
                Opening::Listen | Opening::Accept(_) | Opening::AcceptFastOpen(..) => {
                    format!("{to}: a SYN arrived, and the answer goes out (RFC 9293 §3.10.7.2 third)")
                }
            }),
        }
        for action in line.actions() {
            match action {
                Action::Transmit(segment) => self.sent.push((at, segment.clone())),
                // what the far end discards only a capture at that end could tell
                Action::Discarded(reason) if self.near => {
                    words.push(format!("discards: {reason} ({})", reason.clause()))
                }
                Action::Closed(reason) => words.push(format!("the end: {reason} ({})", reason.clause())),
                Action::Report(report) => words.push(format!("reports: {report}")),
                _ => {}
            }
        }
        self.notes.extend(words.into_iter().map(|words| Note { at, words }));
        self.lines.push(line);
    }
}

fn text_len(action: &Action) -> usize {
    if let Action::Deliver(text) = action { Bytes::len(text) } else { 0 }
}

/// The configuration that offers what the SYN offers. Nothing of ours holds text back.
fn config(options: &Options) -> Config {
    let shift = options.window_scale.filter(|shift| *shift <= 14);
    let builder = Config::builder()
        .nagle(false)
        .receive_buffer(64 << 20)
        .receive_buffer_initial(64 << 20)
        .send_buffer(64 << 20)
        .window_scaling(options.window_scale.is_some())
        .window_shift(shift)
        .timestamps(options.timestamps.is_some())
        .sack(options.sack_permitted)
        .user_timeout(None)
        .connect_timeout(None);
    builder.build().unwrap_or_default()
}
