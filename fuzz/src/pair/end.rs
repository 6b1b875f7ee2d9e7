//! One end of a pair: a real connection, its user and its host, and the books that all three keep.

use core::fmt;

use bytes::Bytes;
use segue::congestion::Algorithm;
use segue::{
    Action, Arc, CloseReason, Config, Connection, Error, Event, FastOpen, FastOpenAnswer, FastOpenCookie, Flags,
    Instant, Knob, Path, Secrets, Segment, State,
};
use segue_kit::audit::{self, Announced};
use segue_kit::bounds;

use super::super::behaviour;
use super::super::cases;
use super::super::events::{checks, show};
use super::super::triples;

/// The octet that an end writes at this offset.
fn octet(end: usize, offset: u32) -> u8 {
    checks::our_text(offset) ^ if end == 0 { 0 } else { 0xFF }
}

/// The cookie that a host finds valid.
fn cookie() -> FastOpenCookie {
    FastOpenCookie::new(b"a cookie").expect("an even number of octets")
}

/// How an end opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Opening {
    Connect,
    /// With Fast Open, and this number of octets at most.
    FastOpen(u32),
    Listen,
    /// Its host makes a value of the SYN.
    Accept,
}

/// An end with its books.
#[derive(Clone, Debug)]
pub(crate) struct End {
    which: usize,
    /// None: the SYN has not come.
    pub(crate) connection: Option<Connection>,
    pub(crate) config: Arc<Config>,
    path: Path,
    secrets: Secrets,
    controller: Algorithm,
    announced: Announced,
    /// The most octets that its user writes.
    most: u32,
    pub(crate) written: u32,
    acked: u32,
    pub(crate) delivered: u32,
    /// Octets that were delivered and that the user has not taken.
    unread: usize,
    connected: bool,
    peer_closed: bool,
    /// The user has closed.
    closing: bool,
    pub(crate) closed: Option<CloseReason>,
    /// The user is gone: it minds no more what becomes of the connection.
    pub(super) left: bool,
    /// A reset brought a value in LISTEN back to it: it has no secrets.
    pub(super) disarmed: bool,
    traced: bool,
}

/// What a report of a failure says of an end.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { which, written, acked, delivered, closed, .. } = self;
        let state = self.state();
        write!(f, "end {which} in {state} wrote {written}, {acked} acknowledged, read {delivered}, closed {closed:?}")
    }
}

impl End {
    /// The most octets that a user writes: an input that fills windows needs no more, and a window that takes text octet
    /// by octet none that would take long.
    pub(super) fn limit(&mut self, peer_buffer: u32) {
        self.most = peer_buffer.saturating_mul(300).min(20_000);
    }

    pub(super) fn new(
        which: usize,
        (config, path, secrets): (Config, Path, Secrets),
        controller: Algorithm,
        traced: bool,
    ) -> Self {
        Self {
            which,
            connection: None,
            config: Arc::new(config),
            path,
            secrets,
            controller,
            announced: Announced::default(),
            most: 0,
            written: 0,
            acked: 0,
            delivered: 0,
            unread: 0,
            connected: false,
            peer_closed: false,
            closing: false,
            closed: None,
            left: false,
            disarmed: false,
            traced,
        }
    }

    /// Opens; what it sends.
    pub(super) fn open(&mut self, opening: Opening, now: Instant) -> Vec<Segment> {
        match opening {
            Opening::Accept => Vec::new(),
            Opening::Listen => {
                self.connection = Some(Connection::listen_with(
                    self.controller.clone(),
                    self.config.clone(),
                    self.path,
                    self.secrets,
                ));
                Vec::new()
            }
            Opening::Connect => {
                let (config, path, secrets) = (self.config.clone(), self.path, self.secrets);
                let opened = Connection::connect_with(self.controller.clone(), config, path, secrets, now);
                self.connection = Some(opened.0);
                self.books(&opened.1)
            }
            Opening::FastOpen(octets) => {
                let octets = octets.min(self.most).min(self.config.send_buffer());
                let text = (0..octets).map(|offset| octet(self.which, offset)).collect();
                self.written = octets;
                let open = FastOpen { cookie: cookie(), mss: Some(self.path.mss()), text };
                let (controller, mut actions) = (self.controller.clone(), Vec::new());
                let (config, path, secrets) = (self.config.clone(), self.path, self.secrets);
                let sink = &mut actions;
                let opened =
                    Connection::connect_fast_open_with_into(controller, config, path, secrets, open, now, sink);
                self.connection = Some(opened.expect("it is no more than the room"));
                self.books(&actions)
            }
        }
    }

    pub(crate) fn state(&self) -> State {
        self.connection.as_ref().map_or(State::Closed, Connection::state)
    }

    /// A segment arrives; the segments sent for it.
    pub(super) fn arrives(&mut self, segment: Segment, now: Instant) -> Vec<Segment> {
        if self.connection.is_none() {
            let syn = segment.flags & (Flags::SYN | Flags::ACK | Flags::RST) == Flags::SYN;
            if !syn {
                return Vec::new(); // the host knows nobody: its answers are the concern of another target
            }
            let valid = segment.options.fast_open() == Some(cookie());
            let answer = FastOpenAnswer { valid, cookie: None };
            let (controller, opening) = (self.controller.clone(), (self.config.clone(), self.path, self.secrets));
            let mut actions = Vec::new();
            let sink = &mut actions;
            let connection = Connection::accept_fast_open_with_into(controller, opening, segment, answer, now, sink);
            self.connection = Some(connection);
            return self.books(&actions);
        }
        self.call(Event::Segment(segment), now).1
    }

    /// Segments arrive together.
    pub(super) fn arrive_together(&mut self, mut segments: Vec<Segment>, now: Instant) -> Vec<Segment> {
        if self.connection.is_none() || segments.len() < 2 {
            return segments.drain(..).flat_map(|segment| self.arrives(segment, now)).collect();
        }
        self.call(Event::Segments(segments), now).1
    }

    /// SEND of as much of this many octets as fits.
    pub(super) fn send(&mut self, octets: u32, form: fn(Bytes) -> Event, now: Instant) -> Vec<Segment> {
        let Some(connection) = &self.connection else { return Vec::new() };
        let room = u32::try_from(connection.send_room()).unwrap_or(u32::MAX);
        let octets = octets.min(self.most.saturating_sub(self.written)).min(room);
        let text = (self.written..self.written + octets).map(|offset| octet(self.which, offset)).collect();
        self.written += octets;
        let (result, sent) = self.call(form(text), now);
        if result.is_err() {
            self.written -= octets;
        }
        sent
    }

    /// The user takes this many octets, or all.
    pub(super) fn take(&mut self, octets: usize, now: Instant) -> Vec<Segment> {
        let octets = octets.min(self.unread);
        self.unread -= octets;
        self.call(Event::Consume(octets), now).1
    }

    /// The user closes, if it has not.
    pub(super) fn close(&mut self, now: Instant) -> Vec<Segment> {
        if self.connection.is_none() || self.closing || self.closed.is_some() {
            return Vec::new();
        }
        let (result, sent) = self.call(Event::Close, now);
        self.closing = result.is_ok();
        sent
    }

    /// Any event; the segments sent for it.
    pub(crate) fn call(&mut self, event: Event, now: Instant) -> (Result<(), Error>, Vec<Segment>) {
        let Some(connection) = &mut self.connection else { return (Ok(()), Vec::new()) };
        if self.traced {
            println!("{now} end {} {} {}", self.which, connection.state(), show::event(&event));
        }
        match event {
            Event::Timer(_) => self.announced.fire(),
            Event::Release => self.left = true,
            _ => {}
        }
        let (before, state) = (connection.info(), connection.state());
        let mut actions = Vec::new();
        cases::note(connection, &event, now);
        let result = connection.handle(event.clone(), now, &mut actions);
        if self.traced {
            actions.iter().for_each(|action| println!("    {}", show::action(action)));
        }
        assert!(result.is_ok() || actions.is_empty(), "a refused call acts");
        connection.check_invariants();
        let after = connection.info();
        checks::edges(&before, &after);
        checks::memory(&after, &self.config);
        checks::owes_a_timer(connection, now);
        triples::note(state, &event, &actions);
        behaviour::note(|| (&actions, &after));
        let together = matches!(&event, Event::Segments(segments) if segments.len() > 1);
        audit::order(&actions, together);
        self.work(&before, &event, &actions);
        let sent = self.books(&actions);
        if let (Event::Timer(_), Some((timer, at))) =
            (&event, self.connection.as_ref().and_then(Connection::next_deadline))
        {
            assert!(at > now, "{timer:?} is due at {at}, and it is {now}");
        }
        (result, sent)
    }

    /// What one event may cause.
    fn work(&self, before: &segue::Info, event: &Event, actions: &[Action]) {
        let Some(connection) = &self.connection else { return };
        let after = connection.info();
        let segments = match event {
            Event::Segments(segments) => segments.len() as u64,
            _ => 1,
        };
        let count = |is: fn(&Action) -> bool| actions.iter().filter(|action| is(action)).count() as u64;
        let delivers = count(|action| matches!(action, Action::Deliver(_)));
        assert!(delivers <= bounds::deliveries(&self.config, before, &after, segments), "{delivers} Delivers");
        let transmits = count(|action| matches!(action, Action::Transmit(_)));
        let mss = before.eff_snd_mss.min(after.eff_snd_mss);
        let queued = if before.send_queue > after.send_queue { before } else { &after };
        assert!(transmits <= bounds::transmissions(&self.config, queued, mss, segments), "{transmits} Transmits");
    }

    /// Takes the actions into the books; the segments among them.
    fn books(&mut self, actions: &[Action]) -> Vec<Segment> {
        let mut sent = Vec::new();
        for action in actions {
            match action {
                Action::Connected => assert!(!std::mem::replace(&mut self.connected, true), "Connected twice"),
                Action::Deliver(text) => self.deliver(text),
                Action::PeerClosed => {
                    assert!(self.connected && !self.peer_closed, "PeerClosed before Connected, or twice");
                    self.peer_closed = true;
                }
                Action::Acked(octets) => {
                    self.acked += u32::try_from(*octets).expect("less than was written");
                    assert!(self.acked <= self.written, "{} of {} acknowledged", self.acked, self.written);
                }
                Action::Transmit(segment) => {
                    audit::echo(segment);
                    sent.push(segment.clone());
                }
                Action::ReturnedToListen => {
                    assert!(!self.connected, "back in LISTEN after Connected");
                    (self.disarmed, self.closing, self.written, self.acked) = (true, false, 0, 0);
                }
                Action::Closed(reason) => {
                    assert_eq!((self.state(), self.closed.replace(*reason)), (State::Closed, None), "Closed");
                }
                _ => {}
            }
        }
        self.announced.note(actions);
        if let Some(connection) = &self.connection {
            self.announced.check(connection);
        }
        sent
    }

    fn deliver(&mut self, text: &Bytes) {
        assert!(self.connected && !self.peer_closed, "text before Connected or after PeerClosed");
        let (peer, start) = (1 - self.which, self.delivered);
        checks::is_text(text, |i| octet(peer, start + i));
        self.delivered += u32::try_from(text.len()).expect("less than was written");
        self.unread += text.len();
    }

    /// A value that a reset brought back to LISTEN gets new secrets.
    pub(super) fn rearm(&mut self, now: Instant) {
        self.secrets.iss += 1 << 20;
        let (result, sent) = self.call(Event::Rearm(self.secrets), now);
        assert!(result.is_ok() && sent.is_empty(), "LISTEN takes secrets: {result:?}");
        self.disarmed = false;
    }

    /// No user loses patience any more.
    pub(super) fn calm(&mut self, now: Instant) -> Vec<Segment> {
        let whole = Knob::ReceiveBuffer(self.config.receive_buffer());
        let knobs = [Knob::KeepAlive(false), Knob::UserTimeout(None), Knob::Cork(false), whole];
        let set = knobs.into_iter().flat_map(|knob| self.call(Event::Set(knob), now).1);
        set.collect()
    }
}
