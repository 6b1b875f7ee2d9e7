//! One end: a connection, the host that drives it and the user above it.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use segue::{
    Action, Arc, Config, Connection, Error, Event, FastOpen, FastOpenAnswer, FastOpenCookie, IcmpKind, Info, Instant,
    Knob, Secrets, Segment, SeqNum, State, Timer,
};

use super::answers::Answers;
use super::check::{self, Promised};
use super::laws::{self, Heap, Patience};
use super::sending::Sending;
use super::user::User;
use super::{Driver, End, Form, Opening, Plan, Side};
use crate::audit::Announced;

/// A call to the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    Segment(Segment),
    Segments(Vec<Segment>),
    Timer(Timer),
    Send(Bytes),
    SendUrgent(Bytes),
    Consume(usize),
    Close,
    Release,
    Abort,
    Continue,
    Rearm(Secrets),
    /// Packet too big, with the number in the header it quotes.
    TooBig {
        quoted_seq: SeqNum,
        mtu: u16,
    },
    Mtu(u16),
    Set(Knob),
}

/// What came of a call.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reply {
    pub actions: Vec<Action>,
    pub error: Option<Error>,
    /// Octets of a SEND that were not taken.
    pub rest: usize,
}

/// A call and what came of it, for replaying and comparing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    pub at: Instant,
    /// `None`: the constructor.
    pub input: Option<Input>,
    pub reply: Reply,
    /// The hash of the value after the call, and that of its canonical form.
    pub hash: u64,
    pub canonical: u64,
}

/// One end of the conversation.
#[derive(Clone, Debug)]
pub struct Host {
    pub side: Side,
    pub end: End,
    config: Arc<Config>,
    opening: Opening,
    /// No value until a SYN comes, for a host that uses `accept`.
    pub connection: Option<Connection>,
    pub announced: Announced,
    pub user: User,
    /// Segments that arrived and wait to be handed over together.
    pub inbox: Vec<Segment>,
    pub promised: Promised,
    sending: Sending,
    answers: Answers,
    patience: Patience,
    /// Whether the laws of `laws` are checked; the heap that the connection holds, when something measures it.
    strict: bool,
    heap: Heap,
    /// When the connection was over for this end: in TIME-WAIT or CLOSED.
    pub over: Option<Instant>,
    /// Segments that left so far.
    pub sent: u32,
    incarnations: u32,
    /// Every call, when the run is recorded.
    pub log: Option<Vec<Step>>,
}

impl Host {
    pub fn new(side: Side, plan: &Plan, record: bool) -> Self {
        let end = plan.ends[side.index()].clone();
        Self {
            side,
            config: Arc::new(end.config),
            opening: plan.opening,
            connection: None,
            announced: Announced::default(),
            user: User::new(side, plan.opening, Instant::from_micros(plan.start)),
            inbox: Vec::new(),
            promised: Promised::default(),
            sending: Sending::default(),
            answers: Answers::default(),
            patience: Patience::default(),
            strict: plan.strict,
            heap: Heap::default(),
            over: None,
            sent: 0,
            incarnations: 0,
            log: record.then(Vec::new),
            end,
        }
    }

    /// The state; CLOSED while there is no value.
    pub fn state(&self) -> State {
        self.connection.as_ref().map_or(State::Closed, Connection::state)
    }

    /// The secrets of the next incarnation, each used once.
    pub fn secrets(&mut self) -> Secrets {
        let first = self.end.secrets();
        let iss = first.iss + self.incarnations * 100_000;
        self.incarnations += 1;
        Secrets { iss, ..first }
    }

    /// OPEN, as the plan wants it; a host that uses `accept` waits.
    pub fn open(&mut self, now: Instant) -> Option<Reply> {
        let active = self.side == Side::Client || self.opening == Opening::Simultaneous;
        if !active && matches!(self.opening, Opening::Accept | Opening::FastOpen) {
            return None;
        }
        let early = (self.opening == Opening::FastOpen).then(|| self.user.opens_with(&self.end, now));
        let secrets = self.secrets();
        let (config, path, controller) = (self.config.clone(), self.end.path, self.end.control.algorithm());
        let mut made = None;
        let reply = laws::metered(&mut self.heap, 0, None, |_| {
            let (connection, actions) = if let Some(text) = early {
                let open = FastOpen { cookie: cookie(), mss: Some(path.mss()), text };
                let mut actions = Vec::new();
                let sink = &mut actions;
                let opened =
                    Connection::connect_fast_open_with_into(controller, config, path, secrets, open, now, sink);
                (opened.expect("it is no more than the room"), actions)
            } else if active {
                Connection::connect_with(controller, config, path, secrets, now)
            } else {
                (Connection::listen_with(controller, config, path, secrets), Vec::new())
            };
            made = Some(connection);
            Reply { actions, ..Reply::default() }
        });
        self.connection = made;
        Some(self.done(None, reply, now))
    }

    /// Whether a SYN would get a new value: the host uses `accept` and has no value, or one that ended in the handshake.
    pub fn awaits_syn(&self) -> bool {
        self.connection.is_none()
            || (matches!(self.opening, Opening::Accept | Opening::FastOpen)
                && self.side == Side::Server
                && self.state() == State::Closed
                && !self.user.connected
                && !self.user.gone)
    }

    /// A SYN arrives where none was before.
    pub fn accept(&mut self, syn: Segment, now: Instant) -> Reply {
        let secrets = self.secrets();
        let (opening, controller) = ((self.config.clone(), self.end.path, secrets), self.end.control.algorithm());
        let (mut made, input) = (None, Input::Segment(syn));
        let valid = self.opening == Opening::FastOpen && self.end.ts_offset & 1 == 0; // others keep the text
        (self.heap, self.patience) = (Heap::default(), Patience::default());
        let reply = laws::metered(&mut self.heap, self.end.frame, Some(input.clone()), |input| {
            let Some(Input::Segment(syn)) = input else { unreachable!("it was given") };
            let valid = valid && syn.options.fast_open() == Some(cookie()); // a SYN that comes again has none
            let answer = FastOpenAnswer { valid, cookie: None };
            let mut actions = Vec::new();
            let connection =
                Connection::accept_fast_open_with_into(controller, opening, syn, answer, now, &mut actions);
            made = Some(connection);
            Reply { actions, ..Reply::default() }
        });
        self.connection = made;
        self.announced = Announced::default();
        self.user.closed = None; // the one before ended in the handshake
        self.done(Some(input), reply, now)
    }

    /// A call.
    pub fn call(&mut self, input: Input, now: Instant) -> Reply {
        let connection = self.connection.as_mut().expect("a value to call");
        let before = (self.log.is_some() && matches!(input, Input::Segment(_))).then(|| connection.canonical(now));
        let form = self.end.form;
        if let Input::Timer(_) = input {
            self.announced.fire();
        }
        if let Input::Mtu(mtu) = input {
            self.end.path.mtu = mtu;
        }
        let reply = laws::metered(&mut self.heap, self.end.frame, Some(input.clone()), |input| {
            apply(connection, form, input.expect("it was given"), now)
        });
        if let Some(before) = before.filter(|_| check::throws_away(&reply.actions)) {
            assert!(before == connection.canonical(now), "a discarded segment changed something: {input:?} {reply:?}");
        }
        self.done(Some(input), reply, now)
    }

    /// What follows every call: timers noted, invariants checked, the call recorded.
    fn done(&mut self, input: Option<Input>, reply: Reply, now: Instant) -> Reply {
        self.announced.note(&reply.actions);
        let connection = self.connection.as_ref().expect("a value that was called");
        check::after_call(self, connection, input.as_ref(), &reply, now);
        self.answers.check(input.as_ref(), &reply.actions, now);
        let info = connection.info();
        if self.strict {
            self.laws(&info, input.as_ref(), &reply, now);
        }
        if matches!(info.state, State::TimeWait | State::Closed) {
            self.over.get_or_insert(now);
        }
        self.sending.check(info, &self.config, input.as_ref(), &reply.actions);
        let connection = self.connection.as_ref().expect("a value that was called");
        if let Some(log) = &mut self.log {
            let (hash, canonical) = (hash_of(connection), hash_of(&connection.canonical(now)));
            log.push(Step { at: now, input, reply: reply.clone(), hash, canonical });
        }
        reply
    }

    /// The laws of a run that is strict.
    fn laws(&mut self, info: &Info, input: Option<&Input>, reply: &Reply, now: Instant) {
        let before = self.patience.last().unwrap_or(info).clone();
        laws::one_event(&self.config, &before, info, input, reply, self.heap);
        self.patience.check(&self.config, info.clone(), input, &reply.actions, now);
    }

    /// When this host will call a timer by itself.
    pub fn next_wake(&self) -> Option<Instant> {
        match self.end.driver {
            Driver::Deadlines => self.connection.as_ref()?.next_deadline().map(|(_, at)| at),
            Driver::Announced | Driver::Sloppy { .. } => self.announced.wake().map(|(_, at)| at),
        }
    }

    /// The timer that this host calls now, if any; ask again after the call.
    pub fn take_due_timer(&mut self, now: Instant) -> Option<Timer> {
        match self.end.driver {
            Driver::Deadlines => {
                self.connection.as_ref()?.next_deadline().filter(|(_, at)| *at <= now).map(|(timer, _)| timer)
            }
            Driver::Announced | Driver::Sloppy { .. } => {
                self.announced.wake().filter(|(_, at)| *at <= now).map(|(timer, _)| timer)
            }
        }
    }

    /// The ISS of the incarnation that lives, or that will.
    pub fn iss(&self) -> SeqNum {
        self.end.secrets().iss + self.incarnations.saturating_sub(1) * 100_000
    }
}

/// The cookie that servers find valid.
fn cookie() -> FastOpenCookie {
    FastOpenCookie::new(b"a cookie").expect("an even number of octets")
}

/// Calls the machine in one form or the other; what comes of it must not differ.
pub fn apply(connection: &mut Connection, form: Form, input: Input, now: Instant) -> Reply {
    match form {
        Form::Calls => by_call(connection, input, now),
        Form::Events => by_event(connection, input, now),
    }
}

fn by_call(connection: &mut Connection, input: Input, now: Instant) -> Reply {
    let mut reply = Reply::default();
    let result = match input {
        Input::Segment(segment) => Ok(connection.handle_segment(segment, now)),
        Input::Timer(timer) => Ok(connection.handle_timer(timer, now)),
        Input::Send(mut octets) => {
            let result = connection.send(&mut octets, now);
            reply.rest = octets.len();
            result
        }
        Input::Consume(octets) => Ok(connection.consume(octets, now)),
        Input::Close => connection.close(now),
        Input::Release => Ok(connection.release(now)),
        Input::Abort => Ok(connection.abort(now)),
        Input::Segments(_)
        | Input::SendUrgent(_)
        | Input::Continue
        | Input::Rearm(_)
        | Input::TooBig { .. }
        | Input::Mtu(_)
        | Input::Set(_) => {
            return by_event(connection, input, now);
        }
    };
    match result {
        Ok(actions) => reply.actions = actions,
        Err(error) => reply.error = Some(error),
    }
    reply
}

fn by_event(connection: &mut Connection, input: Input, now: Instant) -> Reply {
    let mut reply = Reply::default();
    let event = match input {
        Input::Segments(segments) => {
            connection.handle_segments(segments, now, &mut reply.actions);
            return reply;
        }
        Input::Send(octets) => return send(connection, octets, Event::Send, now),
        Input::SendUrgent(octets) => return send(connection, octets, Event::SendUrgent, now),
        Input::Segment(segment) => Event::Segment(segment),
        Input::Timer(timer) => Event::Timer(timer),
        Input::Consume(octets) => Event::Consume(octets),
        Input::Close => Event::Close,
        Input::Release => Event::Release,
        Input::Abort => Event::Abort,
        Input::Continue => Event::Continue,
        Input::Rearm(secrets) => Event::Rearm(secrets),
        Input::Mtu(mtu) => Event::Mtu(mtu),
        Input::Set(knob) => Event::Set(knob),
        Input::TooBig { quoted_seq, mtu } => Event::Icmp { kind: IcmpKind::PacketTooBig, quoted_seq, mtu },
    };
    reply.error = connection.handle(event, now, &mut |action| reply.actions.push(action)).err();
    reply
}

/// SEND of as much as fits; what does not fit is offered and refused, so that the machine knows of it.
fn send(connection: &mut Connection, mut octets: Bytes, event: fn(Bytes) -> Event, now: Instant) -> Reply {
    let mut reply = Reply::default();
    let fits = octets.split_to(octets.len().min(connection.send_room()));
    if !fits.is_empty() {
        reply.error = connection.handle(event(fits.clone()), now, &mut reply.actions).err();
    }
    reply.rest = octets.len();
    if !octets.is_empty() {
        let refused = connection.handle(event(octets), now, &mut reply.actions);
        reply.error = refused.err().filter(|_| fits.is_empty());
    }
    reply
}

/// The hash of a value, by a hasher without a random key.
pub fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
