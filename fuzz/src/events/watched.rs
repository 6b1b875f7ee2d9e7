//! A connection, and the host that keeps the books on it.

use core::fmt;
use core::time::Duration;

use bytes::Bytes;
use segue::{
    Action, Arc, CloseReason, Config, Connection, Discard, Error, Event, Flags, Info, Instant, Options, Secrets,
    Segment, SeqNum, State, Timer, Timestamps,
};
use segue_kit::audit::{self, Announced};

use super::cases;
use super::checks;
use super::metered::Metered;
use super::show;
use super::{behaviour, triples};

/// What an input led to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The last state.
    pub state: State,
    /// Why segments were thrown away, each reason once.
    pub discards: Vec<Discard>,
    /// Why the connection ended.
    pub closed: Option<CloseReason>,
    /// Octets delivered.
    pub delivered: u32,
    /// What the steps made it transmit.
    pub transmitted: Vec<Segment>,
}

/// A connection under watch.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) connection: Connection,
    /// The same once more, for the octets of heap that it holds.
    metered: Metered,
    pub(super) config: Arc<Config>,
    /// The latest time the machine heard.
    pub(super) now: Instant,
    /// The host's clock, which may have gone back.
    clock: Instant,
    announced: Announced,
    /// The options of the peer's SYN.
    pub(super) peer: Options,
    /// The largest MSS that a SYN of the peer's had, 1220 at least: no probe of the path MTU is larger (RFC 4821 §7.2).
    largest_mss: u16,
    /// The number of the peer's first SYN.
    pub(super) irs: SeqNum,
    /// Start and end of the last segment that the peer sent.
    pub(super) last: (SeqNum, SeqNum),
    /// Octets of text that the machine took from the user, and the number of them acknowledged.
    pub(super) sent: u32,
    pub(super) acked: u32,
    pub(super) delivered: u32,
    pub(super) connected: bool,
    pub(super) peer_closed: bool,
    pub(super) closed: Option<CloseReason>,
    /// The furthest right edge that the peer ever gave.
    pub(super) edge: Option<SeqNum>,
    /// Whether timestamps were negotiated, once a segment showed it.
    timestamps: Option<bool>,
    /// The last that we sent.
    last_timestamp: Option<Timestamps>,
    in_batch: bool,
    discards: Vec<Discard>,
    transmitted: Vec<Segment>,
    /// Whether each event is printed.
    pub(super) traced: bool,
}

impl Watched {
    pub(super) fn new(
        (connection, actions): (Connection, Vec<Action>),
        metered: Metered,
        config: Arc<Config>,
        peer: Options,
        irs: SeqNum,
        now: Instant,
    ) -> Self {
        let mut watched = Self {
            connection,
            metered,
            config,
            now,
            clock: now,
            announced: Announced::default(),
            peer,
            irs,
            last: (irs, irs + 1),
            sent: 0,
            acked: 0,
            delivered: 0,
            largest_mss: peer.mss.unwrap_or(0).max(1220),
            connected: false,
            peer_closed: false,
            closed: None,
            edge: None,
            timestamps: None,
            last_timestamp: None,
            in_batch: false,
            discards: Vec::new(),
            transmitted: Vec::new(),
            traced: false,
        };
        watched.account(&actions);
        watched
    }

    pub(super) fn info(&self) -> Info {
        self.connection.info()
    }

    pub(super) fn into_outcome(self) -> Outcome {
        Outcome {
            state: self.connection.state(),
            discards: self.discards,
            closed: self.closed,
            delivered: self.delivered,
            transmitted: self.transmitted,
        }
    }

    // Time.

    pub(super) fn wait(&mut self, wait: Duration) {
        self.clock += wait;
    }

    /// An event brings the host's time; what lies before the latest is clamped.
    fn tell_time(&mut self) {
        self.now = self.now.max(self.clock.min(END));
    }

    /// The host's clock goes back; the machine must clamp it (the next event comes with the earlier time).
    pub(super) fn turn_back(&mut self, by: Duration) {
        let back = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        self.clock = Instant::from_micros(self.clock.as_micros().saturating_sub(back));
    }

    pub(super) fn until_deadline(&self) -> Duration {
        self.connection.next_deadline().map_or(Duration::ZERO, |(_, at)| at.saturating_since(self.clock))
    }

    // Events.

    /// An event of the way to the first state: it cannot fail.
    pub(super) fn must(&mut self, event: Event) {
        self.handle(event).expect("a legitimate event");
    }

    /// The first state is reached: what it took is no concern of the outcome.
    pub(super) fn begin(&mut self) {
        self.discards.clear();
        self.transmitted.clear();
    }

    /// An event that may be refused.
    pub(super) fn may(&mut self, event: Event) {
        // A refusal is fine: `handle` checked that it changed nothing.
        let _refused = self.handle(event).is_err();
    }

    /// SEND of this many octets of our text, in one of its three forms.
    pub(super) fn send(&mut self, octets: u16, form: fn(Bytes) -> Event) {
        let text = (0..u32::from(octets)).map(|i| checks::our_text(self.sent + i)).collect();
        self.sent += u32::from(octets);
        if self.handle(form(text)).is_err() {
            self.sent -= u32::from(octets);
        }
    }

    /// New secrets: a value in LISTEN starts another incarnation.
    pub(super) fn rearm(&mut self, secrets: Secrets) {
        self.may(Event::Rearm(secrets));
    }

    pub(super) fn fire_next(&mut self) {
        if let Some((timer, _)) = self.connection.next_deadline() {
            self.wait(self.until_deadline());
            self.may(Event::Timer(timer));
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Error> {
        let (before, then) = (self.connection.clone(), self.now);
        self.tell_time();
        if calls_timer(&event) {
            self.announced.fire();
        }
        self.note_mss_of(&event);
        let mut actions = Vec::new();
        self.trace(format_args!("{}", show::event(&event)));
        cases::note(&self.connection, &event, self.clock);
        let result = self.connection.handle(event.clone(), self.clock, &mut |action| actions.push(action));
        self.trace_all(&actions);
        triples::note(before.state(), &event, &actions);
        behaviour::note(|| (&actions, self.connection.info()));
        checks::forms_agree(before.clone(), &event, self.clock, &self.connection, &actions, result);
        if result.is_err() {
            assert_eq!(actions, [], "a refused call acts");
            self.now = then; // nor does the machine remember the time
        }
        let ineffective = match &event {
            Event::Timer(_) => before.next_deadline().is_none_or(|(_, at)| at > self.now),
            Event::Segment(_) => checks::thrown_away_whole(&actions),
            _ => result.is_err(),
        };
        // A burst that was cut, or that pacing held back, goes on with any event.
        let goes_on = [Timer::Continue, Timer::Pace].into_iter().any(|timer| before.deadline(timer).is_some());
        if ineffective && !goes_on {
            let (was, is) = (before.canonical(self.now), self.connection.canonical(self.now));
            let difference = || show::difference(&was, &is);
            assert!(was == is, "{} should have changed nothing:{}", show::event(&event), difference());
        }
        if matches!(event, Event::Set(_)) {
            self.config = checks::widened(&self.config, self.connection.config(), &event);
            self.metered.turn(self.config.clone());
        }
        checks::bounds(&before, &event, &actions, &self.config);
        self.metered.handle(&event, self.clock);
        assert!(self.metered.agrees(&self.connection), "the same events, and another value");
        self.examine(&before, &actions);
        if matches!(event, Event::Timer(_)) {
            self.check_progress();
        }
        result
    }

    fn note_mss_of(&mut self, event: &Event) {
        match event {
            Event::Segment(segment) => self.note_mss(segment),
            Event::Segments(segments) => segments.iter().for_each(|segment| self.note_mss(segment)),
            Event::Batch(parts) => parts.iter().for_each(|part| self.note_mss_of(part)),
            _ => {}
        }
    }

    fn note_mss(&mut self, segment: &Segment) {
        if segment.flags.contains(Flags::SYN) {
            self.largest_mss = self.largest_mss.max(segment.options.mss().unwrap_or(0));
        }
    }

    /// Several segments at once.
    pub(super) fn batch(&mut self, segments: Vec<Segment>) {
        let before = self.connection.clone();
        self.tell_time();
        segments.iter().for_each(|segment| self.note_mss(segment));
        let mut actions = Vec::new();
        self.trace(format_args!("{} segments at once", segments.len()));
        self.metered.batch(&segments, self.clock);
        cases::note(&self.connection, &Event::Segments(segments.clone()), self.clock);
        self.connection.handle_segments(segments, self.clock, &mut actions);
        triples::note_batch(before.state(), &actions);
        behaviour::note(|| (&actions, self.connection.info()));
        assert!(self.metered.agrees(&self.connection), "the same events, and another value");
        self.trace_all(&actions);
        self.in_batch = true;
        self.examine(&before, &actions);
        self.in_batch = false;
    }

    fn trace(&self, event: fmt::Arguments<'_>) {
        if self.traced {
            println!("{} {} {event}", self.clock, self.connection.state());
        }
    }

    fn trace_all(&self, actions: &[Action]) {
        if self.traced {
            actions.iter().for_each(|action| println!("    {}", show::action(action)));
        }
    }

    fn examine(&mut self, before: &Connection, actions: &[Action]) {
        self.connection.check_invariants();
        audit::order(actions, self.in_batch);
        checks::edges(&before.info(), &self.info());
        checks::memory(&self.info(), &self.config);
        checks::owes_a_timer(&self.connection, self.now);
        self.account(actions);
    }

    /// After a timer ran, the next deadline lies ahead: a host that waits for it does not spin.
    fn check_progress(&self) {
        if let Some((timer, at)) = self.connection.next_deadline() {
            assert!(at > self.now, "{timer:?} is due at {at}, and it is {}", self.now);
        }
    }

    // The books.

    fn account(&mut self, actions: &[Action]) {
        let info = self.info();
        self.note_edge(&info);
        for action in actions {
            assert!(
                self.closed.is_none() || matches!(action, Action::Transmit(_) | Action::Discarded(_)),
                "{action:?} after Closed"
            );
            match action {
                Action::Connected => {
                    assert!(!self.connected, "Connected twice");
                    self.connected = true;
                }
                Action::Deliver(text) => self.deliver(text, &info),
                Action::PeerClosed => {
                    assert!(self.connected && !self.peer_closed, "PeerClosed before Connected, or twice");
                    self.peer_closed = true;
                }
                Action::Acked(octets) => {
                    self.acked += u32::try_from(*octets).expect("less than was sent");
                    assert!(*octets > 0 && self.acked <= self.sent, "{} of {} acknowledged", self.acked, self.sent);
                }
                Action::Flushed => assert_eq!(self.acked, self.sent, "Flushed"),
                Action::ReturnedToListen => self.start_over(),
                Action::Transmit(segment) => self.transmit(segment, &info),
                Action::Discarded(reason) if !self.discards.contains(reason) => self.discards.push(*reason),
                Action::Closed(reason) => {
                    assert_eq!(self.connection.state(), State::Closed, "Closed");
                    self.closed = Some(*reason);
                }
                _ => {}
            }
        }
        self.announced.note(actions);
        self.announced.check(&self.connection);
        if self.connection.state() == State::Closed {
            assert!(self.closed.is_some(), "in CLOSED without a reason");
        }
    }

    fn start_over(&mut self) {
        (self.sent, self.acked, self.delivered, self.edge, self.timestamps) = (0, 0, 0, None, None);
        assert!(!self.connected, "back in LISTEN after Connected");
    }

    fn note_edge(&mut self, info: &Info) {
        if matches!(info.state, State::Closed | State::Listen | State::SynSent) {
            return;
        }
        let edge = info.snd_una + info.snd_wnd;
        self.edge = Some(self.edge.map_or(edge, |furthest| furthest.max(edge)));
    }

    fn deliver(&mut self, text: &Bytes, info: &Info) {
        assert!(self.connected && !self.peer_closed, "text before Connected or after PeerClosed");
        assert!(!text.is_empty(), "an empty Deliver");
        if info.state != State::Closed {
            let start = info.irs + 1 + self.delivered;
            checks::is_text(text, |i| checks::peer_text(start + i));
        }
        self.delivered += u32::try_from(text.len()).expect("less than a window");
    }

    fn transmit(&mut self, segment: &Segment, info: &Info) {
        let probe = if self.config.mtu_probing() { usize::from(self.largest_mss) } else { 0 };
        checks::well_formed(segment, info, &self.config, probe);
        if !matches!(info.state, State::Closed | State::Listen) {
            self.check_numbers(segment, info);
        }
        self.transmitted.push(segment.clone());
    }

    fn check_numbers(&mut self, segment: &Segment, info: &Info) {
        let offset = segment.seq + u32::from(segment.flags.contains(Flags::SYN)) - (info.iss + 1);
        // MAY-6: a keep-alive may carry an octet that was acknowledged, with any value
        let keep_alive =
            self.config.keep_alive_octet() && segment.payload.len() == 1 && segment.seq + 1 == info.snd_una;
        if !keep_alive {
            checks::is_text(&segment.payload, |i| checks::our_text(offset.wrapping_add(i)));
        }
        if !segment.payload.is_empty() && !keep_alive {
            let end = segment.seq + u32::try_from(segment.payload.len()).expect("less than 2^31");
            assert!(end - (info.iss + 1) <= self.sent, "text beyond what the user sent");
            let within = self.edge.is_some_and(|edge| end.at_or_before(edge));
            assert!(within || segment.payload.len() == 1, "{segment} beyond the window {:?}", self.edge);
        }
        if segment.flags.contains(Flags::ACK) && !segment.flags.contains(Flags::RST) {
            // In a batch an answer may stand before text that comes later.
            let current = segment.ack == info.rcv_nxt || self.in_batch && segment.ack.before(info.rcv_nxt);
            assert!(current, "the ACK of {segment}, RCV.NXT is {}", info.rcv_nxt);
        }
        self.check_timestamps(segment, info);
    }

    /// Once timestamps are in use every segment carries them, else none does (RFC 7323 §3.2). The SYN,ACK decides, or the first
    /// segment after it.
    fn check_timestamps(&mut self, segment: &Segment, info: &Info) {
        let carries = segment.options.timestamps().is_some();
        if carries {
            self.last_timestamp = segment.options.timestamps();
        }
        if segment.flags.contains(Flags::SYN | Flags::ACK) || info.state.is_synchronized() {
            // A reset decides nothing, and one that answers a segment takes its timestamps from there: in a batch it may have
            // answered in SYN-RECEIVED, before a segment that carries them.
            let reset = segment.flags.contains(Flags::RST);
            let decided = self.timestamps.or_else(|| (!reset).then_some(carries));
            let allowed = decided.is_none_or(|decided| carries == decided || reset && (carries || self.in_batch));
            assert!(allowed, "timestamps on {segment}, negotiated: {decided:?}");
            self.timestamps = decided;
        }
    }

    // What the peer needs to know.

    /// Whether the peer knows that timestamps are in use.
    pub(super) fn uses_timestamps(&self) -> bool {
        self.timestamps.unwrap_or(self.peer.timestamps.is_some() && self.config.timestamps())
    }

    /// The peer's clock now, and the echo of ours.
    pub(super) fn good_timestamps(&self) -> Timestamps {
        let ticks = u32::try_from(self.now.as_micros() / 1000 % (1 << 32)).expect("reduced");
        let echo = self.last_timestamp.map_or(0, |ts| ts.value);
        Timestamps { value: ticks, echo }
    }

    /// The peer's text at these numbers: the same octet whenever it comes.
    pub(super) fn peer_text(&self, start: SeqNum, octets: u16) -> Bytes {
        (0..u32::from(octets)).map(|i| checks::peer_text(start + i)).collect()
    }
}

/// Whether the host calls for a timer, alone or in a batch: its wake-up is over.
fn calls_timer(event: &Event) -> bool {
    match event {
        Event::Timer(_) => true,
        Event::Batch(parts) => parts.iter().any(calls_timer),
        _ => false,
    }
}

/// The machine's clock stops here, so that there is a later time for each of its deadlines.
const END: Instant = Instant::from_micros(1 << 58);
