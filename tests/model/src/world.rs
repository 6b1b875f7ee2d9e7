//! The state that the search goes through: two connections with their users, the segments under way between them, and
//! the rest of the bounds. And one step of it: [`World::after`].

use std::hash::{BuildHasher, Hash, Hasher};
use std::rc::Rc;

use foldhash::quality::FixedState;
use segue::{
    Action, CloseReason, Connection, Ecn, Event, FastOpen, FastOpenAnswer, FastOpenCookie, Flags, Instant, Knob,
    Secrets, Segment, SeqNum, State,
};

use crate::attack;
use crate::end::{End, Flight, Numbers, PATH, User, closed, iss, text};
use crate::laws::{Law, Violation};
use crate::moves::{Call, Move};
use crate::setting::{Bounds, Kind, Reads, Setting};

pub(crate) const SIDES: [usize; 2] = [0, 1];

/// When all begins.
pub(crate) const START: Instant = Instant::from_secs(1000);

/// How late a late host is.
const LATE: std::time::Duration = std::time::Duration::from_secs(3);

/// What happened at a time, and the states of both ends after it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Instant,
    pub(crate) what: String,
    pub(crate) states: [State; 2],
}

/// The whole state.
#[derive(Clone, Debug)]
pub(crate) struct World<'s> {
    pub(crate) setting: &'s Setting,
    pub(crate) now: Instant,
    pub(crate) ends: [Rc<End>; 2],
    /// The segments on their way to A, and those to B, in the order in which they were sent.
    pub(crate) wires: [Vec<Flight>; 2],
    pub(crate) left: Bounds,
    /// The fair schedule runs: nothing is lost any more, so nobody may give up.
    pub(crate) fair: bool,
    /// What happened, for a ladder.
    pub(crate) told: Option<Vec<Line>>,
}

impl<'s> World<'s> {
    /// The first state: who opens has opened.
    pub(crate) fn new(setting: &'s Setting, told: Option<Vec<Line>>) -> Result<Self, Violation> {
        let now = START;
        let start = |side: usize| {
            let role = &setting.roles[side];
            let user = User { accepts: role.accepts, opens: role.opens, ..User::default() };
            Rc::new(End::new(closed(setting, side, now), user))
        };
        let ends = [start(0), start(1)];
        let (wires, left) =
            (setting.under_way.clone().map(|list| list.into_iter().map(Flight::new).collect()), setting.bounds);
        let mut world = Self { setting, now, ends, wires, left, fair: false, told };
        for side in SIDES {
            if setting.roles[side].listens {
                let (controller, config) = (setting.controllers[side].clone(), setting.configs[side].clone());
                let connection = Connection::listen_with(controller, config, PATH, world.secrets(side));
                let user = world.ends[side].user;
                world.ends[side] = Rc::new(End::new(connection, user));
            } else if setting.roles[side].opens > 0 {
                world.open(side)?;
            }
        }
        Ok(world)
    }

    /// The state as a number.
    pub(crate) fn hash(&self) -> u64 {
        let mut hasher = FixedState::default().build_hasher();
        for side in SIDES {
            self.ends[side].hash(self.setting, self.now).hash(&mut hasher);
            self.wires[side].len().hash(&mut hasher);
            self.wires[side].iter().for_each(|flight| flight.hash(self.now, &mut hasher));
        }
        self.left.hash(&mut hasher);
        hasher.finish()
    }

    /// The state after this step, unless the step is none here: a call that is refused.
    pub(crate) fn after(&self, step: Move) -> Result<Option<Self>, Violation> {
        let mut world = self.clone();
        Ok(world.step(step)?.then_some(world))
    }

    /// Takes a step. Returns whether it was one.
    pub(crate) fn step(&mut self, step: Move) -> Result<bool, Violation> {
        self.tell(|world| step.told(world));
        self.left.pay(step);
        let taken = self.take(step);
        let (states, now) = (self.states(), self.now);
        if let Some(last) = self.told.as_mut().and_then(|told| told.last_mut()) {
            (last.states, last.at) = (states, now);
        }
        taken
    }

    fn take(&mut self, step: Move) -> Result<bool, Violation> {
        match step {
            Move::Deliver(side, at) => {
                let flight = self.wires[side].remove(at.into());
                self.arrives(side, (*flight.segment).clone())
            }
            Move::Repeat(side, at) => {
                let segment = (*self.wires[side][usize::from(at)].segment).clone();
                self.arrives(side, segment)
            }
            Move::Together(side) => {
                let segments = std::mem::take(&mut self.wires[side]);
                let segments = segments.into_iter().map(|flight| (*flight.segment).clone()).collect();
                self.event(side, Event::Segments(segments))
            }
            Move::Lose(side, at) => {
                self.wires[side].remove(at.into());
                Ok(true)
            }
            Move::Mark(side, at) => {
                let flight = &mut self.wires[side][usize::from(at)];
                *flight = Flight::new(Segment { ecn: Ecn::Ce, ..(*flight.segment).clone() });
                Ok(true)
            }
            Move::Timer(side) | Move::Late(side) => {
                let Some((timer, at)) = self.ends[side].connection.next_deadline() else { return Ok(false) };
                self.now = self.now.max(at);
                if matches!(step, Move::Late(_)) {
                    self.now += LATE;
                }
                self.event(side, Event::Timer(timer))
            }
            Move::Call(side, call) => self.call(side, call),
            Move::Forge(side, which) => {
                let forged = attack::steps(&self.ends[side], self.now).into_iter().nth(which.into());
                let Some((_, segment)) = forged else { return Ok(false) };
                self.event(side, Event::Segment(segment))
            }
            Move::Reboot(side) => {
                let mut user = self.ends[side].user;
                (user.over, user.excused) = (Some(CloseReason::Aborted), true);
                self.ends[side] = Rc::new(End::new(closed(self.setting, side, self.now), user));
                self.excuse();
                Ok(true)
            }
            Move::Open(side) => self.open(side),
        }
    }

    fn call(&mut self, side: usize, call: Call) -> Result<bool, Violation> {
        let end = Rc::make_mut(&mut self.ends[side]);
        let user = &mut end.user;
        let event = match call {
            Call::Send => {
                let (kind, piece) = self.setting.roles[side].piece(user.pieces);
                let text = text(side, user.incarnation, user.sent, piece);
                (user.pieces, user.sent) = (user.pieces + 1, user.sent + piece);
                match kind {
                    Kind::Pushed => Event::Send(text),
                    Kind::More => Event::SendMore(text),
                    Kind::Urgent => Event::SendUrgent(text),
                }
            }
            Call::Consume => {
                let octets = match self.setting.roles[side].reads {
                    Reads::OneByOne => 1,
                    Reads::AtOnce | Reads::All => user.unread,
                };
                user.unread -= octets;
                Event::Consume(octets.into())
            }
            Call::Close => {
                user.closed = true;
                if end.numbers.state == State::SynSent {
                    self.excuse(); // it ends at once
                }
                Event::Close
            }
            Call::Release => {
                user.closed = true;
                self.excuse();
                Event::Release
            }
            Call::Abort => {
                user.closed = true;
                self.excuse();
                Event::Abort
            }
            Call::Continue => {
                user.cut = false;
                Event::Continue
            }
            Call::Cork => Event::Set(Knob::Cork(true)),
            Call::Uncork => Event::Set(Knob::Cork(false)),
            Call::Narrow => Event::Mtu(576),
            Call::Widen => Event::Mtu(PATH.mtu),
            Call::Rearm => {
                *user = user.next();
                Event::Rearm(self.secrets(side))
            }
        };
        self.event(side, event)
    }

    /// Both connections may end otherwise than by two FINs from now on.
    fn excuse(&mut self) {
        for end in &mut self.ends {
            let end = Rc::make_mut(end);
            end.user.excused = true;
            end.hashed.set(None);
        }
    }

    fn secrets(&self, side: usize) -> Secrets {
        Secrets { iss: iss(side, self.ends[side].user.incarnation), ts_offset: 0 }
    }

    /// Active OPEN; a connection that was there before is over.
    fn open(&mut self, side: usize) -> Result<bool, Violation> {
        let mut user = self.ends[side].user;
        if user.over.is_some() {
            user = user.next();
        }
        user.opens -= 1;
        let (controller, config) = (self.setting.controllers[side].clone(), self.setting.configs[side].clone());
        let (secrets, now) = (Secrets { iss: iss(side, user.incarnation), ts_offset: 0 }, self.now);
        let early = self.setting.roles[side].early.into();
        if early == 0 {
            let (connection, actions) = Connection::connect_with(controller, config, PATH, secrets, now);
            return self.settle(side, End::new(connection, user), actions);
        }
        let text = text(side, user.incarnation, 0, early);
        let (open, mut actions) = (FastOpen { cookie: cookie(), mss: None, text }, Vec::new());
        let opened =
            Connection::connect_fast_open_with_into(controller, config, PATH, secrets, open, now, &mut actions);
        let Ok(connection) = opened else { return Ok(false) };
        user.sent = early;
        self.settle(side, End::new(connection, user), actions)
    }

    /// A SYN for which the host makes a connection.
    fn accept(&mut self, side: usize, syn: Segment) -> Result<bool, Violation> {
        let mut user = self.ends[side].user;
        user.accepts -= 1;
        if user.over.is_some() || user.connected {
            user = user.next();
        }
        let (controller, config) = (self.setting.controllers[side].clone(), self.setting.configs[side].clone());
        let secrets = Secrets { iss: iss(side, user.incarnation), ts_offset: 0 };
        let stamp = syn.options.timestamps().map(|stamps| stamps.value);
        let answer = FastOpenAnswer { valid: syn.options.fast_open() == Some(cookie()), cookie: None };
        let (opening, mut actions) = ((config, PATH, secrets), Vec::new());
        let connection =
            Connection::accept_fast_open_with_into(controller, opening, syn, answer, self.now, &mut actions);
        let mut end = End::new(connection, user);
        end.first_stamp = stamp;
        self.settle(side, end, actions)
    }

    /// A segment arrives at the host of an end.
    fn arrives(&mut self, side: usize, segment: Segment) -> Result<bool, Violation> {
        let end = &self.ends[side];
        let opens = segment.flags.intersection(Flags::SYN | Flags::ACK | Flags::RST) == Flags::SYN;
        if opens && end.numbers.state == State::Closed && end.user.accepts > 0 {
            return self.accept(side, segment);
        }
        self.event(side, Event::Segment(segment))
    }

    /// An event at an end. Returns false for a call that is refused.
    fn event(&mut self, side: usize, event: Event) -> Result<bool, Violation> {
        let mut end = (*self.ends[side]).clone();
        let is_reset = matches!(&event, Event::Segment(segment) if segment.flags.contains(Flags::RST));
        let (stamp, at) = match &event {
            Event::Segment(segment) => {
                (segment.options.timestamps().map(|stamps| stamps.value), Some((segment.seq, segment.ack)))
            }
            _ => (None, None),
        };
        let fin = end_of_fin(&event);
        let mut actions = Vec::with_capacity(4);
        if end.connection.handle(event, self.now, &mut actions).is_err() {
            return Ok(false);
        }
        let old = end.numbers;
        end.numbers = Numbers::of(&end.connection);
        if end.numbers.is_live() && !old.is_live() {
            end.first_stamp = stamp;
        }
        self.no_reset_answers_a_reset(is_reset, &actions)?;
        self.nothing_moves_left(side, &old, &end.numbers, at)?;
        self.waits_for_two_msl(side, &end, &actions, fin)?;
        if end.numbers.state == State::Closed {
            end.numbers.irs = old.irs; // whose text this was
        }
        self.settle(side, end, actions)
    }

    /// The end after an event, and what it asks its host and tells its user.
    fn settle(&mut self, side: usize, mut end: End, actions: Vec<Action>) -> Result<bool, Violation> {
        end.hashed.set(None);
        if self.setting.invariants {
            end.connection.check_invariants();
        }
        let (mut successor, mut sent) = (None, Vec::new());
        for action in actions {
            match action {
                Action::Transmit(segment) => sent.push(segment),
                Action::Successor { syn, .. } => successor = Some(*syn),
                other => self.user_hears(side, &mut end, other)?,
            }
        }
        let laws = self.laws_of_an_event(side, &end, &sent);
        let (closes, reads) = (end.user.over.is_some(), self.setting.roles[side].reads);
        let octets = if reads == Reads::AtOnce { std::mem::take(&mut end.user.unread) } else { 0 };
        self.ends[side] = Rc::new(end);
        sent.into_iter().for_each(|segment| self.put(1 - side, segment));
        laws?; // a ladder shows these segments
        if closes {
            self.ends_by_two_fins(side)?;
        }
        if let Some(syn) = successor {
            return if self.ends[side].user.accepts > 0 { self.accept(side, syn) } else { Ok(true) };
        }
        if octets > 0 {
            return self.event(side, Event::Consume(octets.into()));
        }
        self.agreed_numbers()?;
        Ok(true)
    }

    fn laws_of_an_event(&self, side: usize, end: &End, sent: &[Segment]) -> Law {
        for segment in sent {
            self.one_octet_per_number(side, end, segment)?;
            self.inside_the_window(side, end, segment)?;
            self.reports_what_is_held(side, end, segment)?;
        }
        self.acknowledged_is_delivered(end)?;
        self.promises_what_it_has(side, end)?;
        self.answers_are_throttled(side, end)
    }

    fn user_hears(&mut self, side: usize, end: &mut End, action: Action) -> Law {
        match action {
            Action::Deliver(text) => {
                self.text_is_a_prefix(side, end, &text)?;
                let octets = u16::try_from(text.len()).unwrap_or(u16::MAX);
                (end.user.received, end.user.unread) = (end.user.received + octets, end.user.unread + octets);
            }
            Action::Connected => end.user.connected = true,
            Action::PeerClosed => {
                self.end_of_text_is_the_end(side, end)?;
                end.user.peer_closed = true;
            }
            Action::ReturnedToListen => end.user.returned = true,
            Action::MorePending => end.user.cut = true,
            Action::Closed(reason) => {
                end.user.over = Some(reason);
                end.user.waited = reason == CloseReason::Finished && self.ends[side].has_waited(self.now);
                let gives_up = matches!(reason, CloseReason::KeepAliveTimeout | CloseReason::UserTimeout);
                if gives_up && !self.fair {
                    end.user.excused = true; // the network was too bad
                    self.excuse();
                }
            }
            _ => {} // what it need not act on
        }
        Ok(())
    }

    /// A segment leaves; where the channel is full, it is lost.
    fn put(&mut self, to: usize, segment: Segment) {
        let lost = self.wires[to].len() >= self.setting.channel;
        if self.told.is_some() {
            let line = crate::ladder::sent(1 - to, &segment, lost);
            self.tell(|_| line);
        }
        if !lost {
            self.wires[to].push(Flight::new(segment));
        }
    }

    pub(crate) fn tell(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.told.is_some() {
            let line = Line { at: self.now, what: line(self), states: self.states() };
            self.told.iter_mut().for_each(|told| told.push(line.clone()));
        }
    }

    fn states(&self) -> [State; 2] {
        SIDES.map(|side| self.ends[side].numbers.state)
    }

    /// Which connection of the peer this end talks to, if it is one of them.
    pub(crate) fn peer_incarnation(&self, side: usize, end: &End) -> Option<u8> {
        let last = self.ends[1 - side].user.incarnation;
        (0..=last).find(|&incarnation| iss(1 - side, incarnation) == end.numbers.irs)
    }

    /// Whether the two ends are those of one connection.
    pub(crate) fn are_one_connection(&self, side: usize, end: &End) -> bool {
        let peer = &self.ends[1 - side];
        end.numbers.is_live()
            && peer.numbers.is_live()
            && end.numbers.irs == iss(1 - side, peer.user.incarnation)
            && peer.numbers.irs == iss(side, end.user.incarnation)
    }
}

/// The cookie that both hosts know.
fn cookie() -> FastOpenCookie {
    FastOpenCookie::new(&[7; 8]).unwrap_or_default()
}

/// The number after a FIN that arrives, of the last segment with one. None of a segment with timestamps: an old one may
/// be discarded by them.
fn end_of_fin(event: &Event) -> Option<SeqNum> {
    let segments = match event {
        Event::Segment(segment) => std::slice::from_ref(segment),
        Event::Segments(segments) => segments.as_slice(),
        _ => return None,
    };
    let has = |segment: &&Segment| segment.flags.contains(Flags::FIN) && segment.options.timestamps().is_none();
    segments.iter().rfind(has).map(Segment::end)
}
