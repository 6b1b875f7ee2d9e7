//! One connection: brought into any state, given any event, its actions read as text.
//!
//! Numbers are relative: where [`At`] says so, our text begins at 1 after ISS, the peer's at 1 after IRS. So one expectation
//! serves every place in the number space. Every call is audited: order of actions, timers announced, invariants.

mod at;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

pub use at::At;
use bytes::Bytes;
use segue::{
    Action, Connection, Error, Event, Flags, Info, Instant, Options, Segment, SeqNum, State, Timer, Timestamps,
};

use crate::EDGES;
use crate::audit::{self, Announced, segments};
use crate::notation::{Origin, notation};

pub const ACK: Flags = Flags::ACK;
pub const SYN: Flags = Flags::SYN;
pub const FIN: Flags = Flags::FIN;
pub const RST: Flags = Flags::RST;

/// Runs a test at all pairs of edges.
pub fn everywhere(test: impl Fn(At)) {
    for iss in EDGES {
        for irs in EDGES {
            let at = At { iss, irs, ..At::default() };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(at))) {
                eprintln!("with ISS {iss} and IRS {irs}");
                resume_unwind(panic);
            }
        }
    }
}

/// The eight states after LISTEN and SYN-SENT.
pub const LIVE: [State; 8] = [
    State::SynReceived,
    State::Established,
    State::FinWait1,
    State::FinWait2,
    State::CloseWait,
    State::Closing,
    State::LastAck,
    State::TimeWait,
];

/// A connection and what its host knows.
#[derive(Clone, Debug)]
pub struct Rig {
    pub connection: Connection,
    pub now: Instant,
    pub at: At,
    /// The window of the segments that the peer sends.
    pub window: u16,
    /// Their TSval.
    pub peer_clock: u32,
    /// The actions of the last call.
    pub last: Vec<Action>,
    sent: Vec<Segment>,
    announced: Announced,
}

impl Rig {
    fn new(at: At, connection: Connection) -> Self {
        let announced = Announced::default();
        Self {
            connection,
            now: at.start,
            at,
            window: at.window,
            peer_clock: 100,
            last: Vec::new(),
            sent: Vec::new(),
            announced,
        }
    }
}

/// Segments of the peer.
impl Rig {
    pub fn rcv(&self, number: i64) -> SeqNum {
        SeqNum::new(self.at.irs) + 1 + (number as u32).wrapping_sub(self.at.first)
    }

    pub fn snd(&self, number: i64) -> SeqNum {
        SeqNum::new(self.at.iss) + 1 + (number as u32).wrapping_sub(self.at.first)
    }

    /// A segment with these numbers; timestamps where they are negotiated.
    pub fn seg(&self, flags: Flags, seq: i64, ack: i64) -> Segment {
        let echo = self.at.ts_offset.wrapping_add((self.now.as_micros() / 1000) as u32);
        let timestamps = Timestamps { value: self.peer_clock, echo };
        let stamped = self.at.agrees && self.at.config.timestamps();
        let options = Options { timestamps: stamped.then_some(timestamps), ..Options::default() };
        let ack = if flags.contains(ACK) { self.snd(ack) } else { SeqNum::new(0) };
        Segment { seq: self.rcv(seq), ack, flags, window: self.window, options: options.into(), ..Segment::default() }
    }

    /// The peer's SYN or SYN,ACK.
    pub fn syn(&self, flags: Flags) -> Segment {
        let At { first, mss, agrees, config, .. } = self.at;
        let mut segment = self.seg(flags, i64::from(first) - 1, i64::from(first));
        segment.options.update(|options| {
            options.mss = Some(mss);
            options.window_scale = (agrees && config.window_scaling()).then_some(2);
            options.sack_permitted = agrees && config.sack();
        });
        segment
    }

    pub fn ack(&self, seq: i64, ack: i64) -> Segment {
        self.seg(ACK, seq, ack)
    }

    pub fn fin(&self, seq: i64, ack: i64) -> Segment {
        self.seg(FIN | ACK, seq, ack)
    }

    pub fn rst(&self, seq: i64) -> Segment {
        self.seg(RST, seq, 0)
    }

    pub fn text(&self, seq: i64, ack: i64, text: impl Into<Bytes>) -> Segment {
        Segment { payload: text.into(), ..self.ack(seq, ack) }
    }

    /// So many octets of text.
    pub fn octets(&self, seq: i64, ack: i64, octets: usize) -> Segment {
        self.text(seq, ack, vec![b'x'; octets])
    }
}

/// Events.
impl Rig {
    pub fn arrives(&mut self, segment: Segment) -> String {
        self.does(Event::Segment(segment))
    }

    /// Segments that the host hands over in one call.
    pub fn arrive_together(&mut self, segments: Vec<Segment>) -> String {
        self.perform_batch(segments);
        self.said()
    }

    pub fn handle(&mut self, event: Event) -> Result<String, Error> {
        self.perform(event)?;
        Ok(self.said())
    }

    /// The actions of an event.
    pub fn perform(&mut self, event: Event) -> Result<&[Action], Error> {
        let arrived = usize::from(matches!(event, Event::Segment(_)));
        if let Event::Timer(_) = event {
            self.announced.fire();
        }
        let mut actions = Vec::new();
        self.connection.handle(event, self.now, &mut actions)?;
        self.take(actions, arrived);
        Ok(&self.last)
    }

    /// The actions of a call that hands over these segments.
    pub fn perform_batch(&mut self, segments: Vec<Segment>) -> &[Action] {
        let (count, mut actions) = (segments.len(), Vec::new());
        self.connection.handle_segments(segments, self.now, &mut actions);
        self.take(actions, count);
        &self.last
    }

    /// SEND of `octets` octets, all of which are taken.
    pub fn send(&mut self, octets: usize) -> String {
        self.handle(Event::Send(vec![b'.'; octets].into())).expect("SEND is possible")
    }

    pub fn close(&mut self) -> String {
        self.handle(Event::Close).expect("CLOSE is possible")
    }

    pub fn does(&mut self, event: Event) -> String {
        self.handle(event).expect("never fails")
    }

    pub fn consume(&mut self, octets: usize) -> String {
        self.does(Event::Consume(octets))
    }

    pub fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    /// Time passes, and nothing is due meanwhile.
    #[track_caller]
    pub fn quiet(&mut self, time: Duration) {
        self.rest(self.now + time);
        self.now += time;
        let due = self.connection.next_deadline().filter(|(_, at)| *at <= self.now);
        assert_eq!(due, None, "due before {}", self.now);
    }

    /// Time passes, and the timers fire as they are due: what came of it, by milliseconds from now.
    pub fn pass(&mut self, time: Duration) -> Vec<(u64, String)> {
        let (start, end) = (self.now, self.now + time);
        let mut happened = Vec::new();
        while let Some((timer, at)) = self.connection.next_deadline().filter(|(_, at)| *at <= end) {
            self.now = self.now.max(at);
            let words = self.call_timer(timer);
            if !words.is_empty() {
                let millis = self.now.saturating_since(start).as_millis();
                happened.push((u64::try_from(millis).expect("a short time"), words));
            }
        }
        self.now = end;
        happened
    }

    /// `Timer::Idle` fires if it is the next one and due by then: memory is given back, and nothing is to be seen.
    #[track_caller]
    pub fn rest(&mut self, until: Instant) {
        if let Some((Timer::Idle, at)) = self.connection.next_deadline().filter(|(_, at)| *at <= until) {
            self.now = self.now.max(at);
            assert_eq!(self.call_timer(Timer::Idle), "", "memory is given back, and nothing is to be seen");
        }
    }

    /// Time passes until the next timer, which must be this one, and it fires.
    #[track_caller]
    pub fn fire(&mut self, timer: Timer) -> String {
        if timer != Timer::Idle {
            self.rest(self.connection.deadline(timer).unwrap_or(self.now));
        }
        let next = self.connection.next_deadline();
        assert_eq!(next.map(|(next, _)| next), Some(timer), "the next timer, of {:?}", self.deadlines());
        self.now = self.now.max(next.expect("just seen").1);
        self.call_timer(timer)
    }

    /// This timer fires, if it is the next one.
    pub fn fire_if(&mut self, timer: Timer) -> String {
        self.last.clear();
        self.sent.clear();
        let due = self.connection.next_deadline().is_some_and(|(next, _)| next == timer);
        if due { self.fire(timer) } else { String::new() }
    }

    /// The host calls this timer now.
    pub fn call_timer(&mut self, timer: Timer) -> String {
        let told = self.does(Event::Timer(timer));
        assert!(
            self.connection.next_deadline().is_none_or(|(_, at)| at > self.now),
            "still due: {:?}",
            self.deadlines()
        );
        told
    }

    /// Audits the actions of one call, which handed over `arrived` segments.
    fn take(&mut self, actions: Vec<Action>, arrived: usize) {
        audit::order(&actions, arrived > 1);
        let sent = segments(&actions);
        let control = sent.iter().filter(|segment| audit::is_control(segment)).count();
        assert!(arrived == 0 || control <= arrived, "{control} control segments answer {arrived}: {actions:?}");
        sent.into_iter().for_each(audit::echo);
        let closed = actions.iter().any(|action| matches!(action, Action::Closed(_)));
        assert!(!closed || self.state() == State::Closed, "Closed in {}", self.state());
        self.announced.note(&actions);
        self.announced.check(&self.connection);
        self.connection.check_invariants();
        self.sent = segments(&actions).into_iter().cloned().collect();
        self.last = actions;
    }

    /// On the way into a state: the peer says this, as [`At`] has it, and this comes of it.
    #[track_caller]
    fn hears(&mut self, segment: Segment, expected: &str) {
        self.arrives((self.at.say)(segment));
        self.has_said(expected);
    }

    /// The last call, in numbers that begin at the SYNs.
    #[track_caller]
    fn has_said(&self, expected: &str) {
        let origin = Origin { seq: SeqNum::new(self.at.iss), ack: SeqNum::new(self.at.irs) };
        assert_eq!(say(&self.last, origin), expected);
    }
}

/// Questions.
impl Rig {
    pub fn state(&self) -> State {
        self.connection.state()
    }

    /// Time until this timer; `None` when it does not run.
    pub fn until(&self, timer: Timer) -> Option<Duration> {
        self.connection.deadline(timer).map(|at| at.saturating_since(self.now))
    }

    pub fn deadlines(&self) -> Vec<(Timer, Instant)> {
        Timer::ALL.into_iter().filter_map(|timer| Some((timer, self.connection.deadline(timer)?))).collect()
    }

    /// The segments of the last call.
    pub fn sent(&self) -> &[Segment] {
        &self.sent
    }

    /// The only segment of the last call.
    #[track_caller]
    pub fn only(&self) -> &Segment {
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "segments in {:?}", self.last);
        &sent[0]
    }

    /// Octets sent by the last call.
    pub fn octets_sent(&self) -> usize {
        self.sent().iter().map(|segment| segment.payload.len()).sum()
    }

    /// What was delivered by the last call.
    pub fn delivered(&self) -> Vec<u8> {
        self.last
            .iter()
            .filter_map(|a| if let Action::Deliver(text) = a { Some(&text[..]) } else { None })
            .collect::<Vec<_>>()
            .concat()
    }

    /// `segment` is thrown away for this reason, with this answer or none, and nothing is changed by it.
    #[track_caller]
    pub fn unmoved(&mut self, segment: Segment, expected: &str) {
        let before = self.connection.canonical(self.now);
        assert_eq!(self.arrives(segment), expected);
        assert!(
            before == self.connection.canonical(self.now),
            "{expected} changed\n{before:#?}\n{:#?}",
            self.connection
        );
    }

    /// The last call once more.
    pub fn said(&self) -> String {
        self.say(&self.last)
    }

    pub fn say(&self, actions: &[Action]) -> String {
        say(actions, self.origin())
    }

    fn origin(&self) -> Origin {
        Origin { seq: self.snd(0), ack: self.rcv(0) }
    }

    pub fn info(&self) -> Info {
        self.connection.info()
    }

    /// Octets of text in each segment of the last call.
    pub fn lengths(&self) -> Vec<usize> {
        self.sent().iter().map(|segment| segment.payload.len()).collect()
    }
}

/// Actions in words, timers left out.
fn say(actions: &[Action], origin: Origin) -> String {
    let timer = |action: &&Action| !matches!(action, Action::SetTimer(..));
    actions.iter().filter(timer).map(|action| say_one(action, origin)).collect::<Vec<_>>().join("; ")
}

fn say_one(action: &Action, origin: Origin) -> String {
    match action {
        Action::Transmit(segment) => notation(segment, origin),
        Action::Deliver(text) => match std::str::from_utf8(text) {
            Ok(short) if text.len() <= 10 && !short.contains(char::is_control) => format!("Deliver {short:?}"),
            _ => format!("Deliver {}", text.len()),
        },
        Action::Successor { syn, iss_after } => {
            format!("Successor {} after {}", (syn.seq - origin.ack) as i32, *iss_after - origin.seq)
        }
        other => format!("{other:?}"),
    }
}
