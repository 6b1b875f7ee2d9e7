//! User calls and timeouts on real connections, in the words of the table.

use bytes::Bytes;
use segue::{
    Action, Arc, Config, Connection, Error, Event, FastOpen, FastOpenAnswer, FastOpenRefusal, Flags, Info, Instant,
    Knob, Path, Secrets, Segment, SeqNum, State, Timer,
};

use super::calls::{Call, CallCell, Unread};
use super::cell::{Close, Held, St};
use super::drive::Seen;
use super::fixture::{Fixture, PEER_WINDOW, QUEUED_TEXT, Setup, World, cookie, own_text, text_at};
use super::observe::Sorted;
use super::outcome::{Outcome, Reply};

/// What came of the cell; `None` if there is no way to it.
pub fn observe(cell: &CallCell, world: World) -> Option<Seen> {
    if cell.call.opens() {
        let closed = cell.state == St::Closed && cell.close == Close::No && cell.unread == Unread::No;
        return closed.then(|| open(cell.call, world));
    }
    let setup = Setup {
        state: cell.state,
        queued: cell.close == Close::Queued,
        held: Held::No,
        timestamps: world.choice & 8 != 0 && (cell.state.is_synchronized() || cell.state.is_syn_received()),
        // To be owed an ACK and have a closed window the text must come as the last thing.
        zero_window: cell.unread == Unread::Yes && cell.call != Call::DelayedAckDue,
        early_text: cell.state == St::SynSentText || cell.state == St::EarlyText && (world.choice >> 4) & 1 == 0,
        throttled: false,
    };
    if cell.unread == Unread::Yes && !cell.state.is_synchronized() && cell.state != St::EarlyText {
        return None;
    }
    let mut user = User { fixture: Fixture::build(setup, world)?, call: cell.call };
    let (event, at) = user.prepare(cell)?;
    // What prepares the event may itself end the situation: then there is no way to the cell.
    (user.fixture.connection.state() == cell.state.rfc()).then(|| user.run(event, at))
}

/// What happens now.
enum Doing {
    Event(Event),
    /// Every timer, though none is due.
    AllTimers,
    Status,
}

struct User {
    fixture: Fixture,
    call: Call,
}

impl User {
    /// Brings the connection from the common fixture to where the event belongs.
    fn prepare(&mut self, cell: &CallCell) -> Option<(Doing, Instant)> {
        let now = self.fixture.now;
        let event = match cell.call {
            Call::OpenActive
            | Call::OpenPassive
            | Call::OpenText
            | Call::OpenSyn
            | Call::OpenCookie
            | Call::OpenAck
            | Call::OpenNoSyn => return None,
            Call::Send => self.settled(Event::Send(own_text(QUEUED_TEXT))),
            Call::SendUrgent => self.settled(Event::SendUrgent(own_text(QUEUED_TEXT))),
            Call::SendFull => Event::Send(own_text(8192)),
            Call::Consume => Event::Consume(usize::MAX),
            Call::Close => self.settled(Event::Close),
            Call::Release => self.settled(Event::Release),
            Call::Abort => Event::Abort,
            Call::Rearm => {
                Event::Rearm(Secrets { iss: SeqNum::new(self.fixture.world.irs), ts_offset: self.fixture.world.irs })
            }
            Call::Status => return Some((Doing::Status, now)),
            Call::Early => return Some((Doing::AllTimers, now)),
            Call::TimeWaitDue => return self.due(Timer::TimeWait),
            Call::UserTimeoutDue => {
                self.until_patience_ends();
                return self.due(Timer::UserTimeout);
            }
            Call::RetransmitDue => {
                self.probe_tail();
                return self.due(Timer::Retransmit);
            }
            Call::FinWait2Due => {
                self.quietly(Event::Release);
                return self.due(Timer::FinWait2);
            }
            Call::PersistDue => {
                self.peer_acks(0);
                if cell.close == Close::No {
                    self.quietly(Event::Send(own_text(QUEUED_TEXT)));
                }
                return self.due(Timer::Persist);
            }
            Call::KeepAliveDue => {
                self.peer_acks(PEER_WINDOW);
                self.quietly(Event::Set(Knob::KeepAlive(true)));
                return self.due(Timer::KeepAlive);
            }
            Call::DelayedAckDue => {
                self.probe_tail();
                self.peer_text(cell.unread);
                return self.due(Timer::DelayedAck);
            }
        };
        Some((Doing::Event(event), now))
    }

    /// The tail-loss probe comes first; the retransmission timer starts anew with it (RFC 8985 §7.3).
    fn probe_tail(&mut self) {
        if let Some(at) = self.fixture.connection.deadline(Timer::TailLossProbe) {
            self.fixture.now = at.max(self.fixture.now);
            self.quietly(Event::Timer(Timer::TailLossProbe));
        }
    }

    /// The host is in time: a retransmission due before goes first.
    fn until_patience_ends(&mut self) {
        while let Some((next, at)) = self.fixture.connection.next_deadline() {
            if next == Timer::UserTimeout || self.due(Timer::UserTimeout).is_none() {
                break;
            }
            self.fixture.now = at.max(self.fixture.now);
            self.quietly(Event::Timer(next));
        }
    }

    fn due(&self, timer: Timer) -> Option<(Doing, Instant)> {
        let at = self.fixture.connection.deadline(timer)?;
        Some((Doing::Event(Event::Timer(timer)), at.max(self.fixture.now)))
    }

    /// The event, after all text in flight is acknowledged.
    fn settled(&mut self, event: Event) -> Event {
        if matches!(self.fixture.setup.state, St::Established | St::CloseWait) && !self.fixture.setup.queued {
            self.peer_acks(PEER_WINDOW);
        }
        event
    }

    fn quietly(&mut self, event: Event) {
        let mut actions: Vec<Action> = Vec::new();
        let _ = self.fixture.connection.handle(event, self.fixture.now, &mut actions);
        self.fixture.info = self.fixture.connection.info();
    }

    fn peer_acks(&mut self, window: u16) {
        let segment = self.peer_segment(window, 0);
        self.quietly(Event::Segment(segment));
    }

    fn peer_text(&mut self, unread: Unread) {
        let len = if unread == Unread::Yes { self.fixture.info.rcv_wnd } else { 4 };
        let mut segment = self.peer_segment(PEER_WINDOW, len);
        segment.ack = self.fixture.info.snd_una;
        self.quietly(Event::Segment(segment));
        if unread == Unread::No {
            self.quietly(Event::Consume(len as usize));
        }
    }

    fn peer_segment(&self, window: u16, text: u32) -> Segment {
        let Fixture { info, setup, world, .. } = &self.fixture;
        Segment {
            seq: info.rcv_nxt,
            ack: info.snd_nxt,
            flags: Flags::ACK,
            window,
            options: self.fixture.options(setup.timestamps.then_some(world.ts_base)).into(),
            payload: text_at(self.fixture.irs(), info.rcv_nxt, text),
            ..Segment::default()
        }
    }

    fn run(self, doing: Doing, at: Instant) -> Seen {
        let before = self.fixture.connection.info();
        let mut connection = self.fixture.connection.clone();
        let mut actions: Vec<Action> = Vec::new();
        let cause = |to| match &doing {
            Doing::Event(event) => event.cause(before.state, to),
            Doing::AllTimers => Event::Timer(Timer::TimeWait).cause(before.state, to),
            Doing::Status => None,
        };
        let causes = State::ALL.map(|to| (to, cause(to)));
        let result = match doing {
            Doing::Event(event) => connection.handle(event, at, &mut actions),
            Doing::AllTimers => {
                Timer::ALL.iter().for_each(|&timer| actions.extend(connection.handle_timer(timer, at)));
                Ok(())
            }
            Doing::Status => Ok(()),
        };
        connection.check_invariants();
        let seen = Sorted::new(&actions);
        let mut faults = seen.faults.clone();
        if self.call == Call::Status && before.state != self.fixture.setup.state.rfc() {
            faults.push("STATUS tells another state");
        }
        if result.is_err() && (connection != self.fixture.connection || !actions.is_empty()) {
            faults.push("a call that fails changes something");
        }
        if (connection.state() == State::Closed) != (seen.closed.is_some() || before.state == State::Closed) {
            faults.push("CLOSED without Closed, or the other way round");
        }
        if seen.refusal.is_some_and(|why| why != FastOpenRefusal::Timeout) {
            faults.push("Fast Open is refused for another reason");
        }
        let state = connection.state();
        if causes.iter().any(|(to, cause)| *to == state && cause.is_some() != (state != before.state)) {
            faults.push("a transition without a cause, or a cause without one");
        }
        let reply = reply(&seen, &before, &connection.info()).unwrap_or_else(|| {
            faults.push("what is sent fits no word");
            Reply::Odd
        });
        let outcome = Outcome {
            reply,
            next: (state != before.state).then_some(state),
            signals: seen.signals,
            discarded: seen.discarded,
            closed: seen.closed,
            error: result.err().map(nameless),
            ..Outcome::NOTHING
        };
        Seen { outcome, faults }
    }
}

/// How much room there is belongs to no cell.
fn nameless(error: Error) -> Error {
    if let Error::NoRoom { .. } = error { Error::NoRoom { room: 0 } } else { error }
}

fn open(call: Call, world: World) -> Seen {
    let secrets = Secrets { iss: SeqNum::new(world.iss), ts_offset: world.ts_offset };
    let segment = first_segment(call, world);
    let (connection, actions) = constructed(call, world, secrets, segment.clone());
    connection.check_invariants();
    let seen = Sorted::new(&actions);
    let mut faults = seen.faults.clone();
    let info = connection.info();
    let on_syn = if call == Call::OpenText { own_text(QUEUED_TEXT) } else { Bytes::new() };
    let snd_nxt = secrets.iss + 1 + u32::try_from(on_syn.len()).unwrap();
    let rcv_nxt = segment.seq + 1 + u32::try_from(segment.payload.len()).unwrap();
    let word = |sent: &Segment| {
        let cookie = sent.options.fast_open().is_some();
        let plain = sent.payload == on_syn && sent.seq == secrets.iss && cookie == (call == Call::OpenText);
        match sent.flags {
            Flags::SYN if plain && sent.ack == SeqNum::new(0) => Some(Reply::Syn),
            flags if plain && flags == Flags::SYN | Flags::ACK && sent.ack == rcv_nxt => Some(Reply::SynAck),
            Flags::RST if sent.payload.is_empty() && sent.seq == segment.ack => Some(Reply::Rst),
            _ => None,
        }
    };
    let reply = match seen.sent.as_slice() {
        [] => Reply::Nothing,
        [one] => word(one).unwrap_or(Reply::Odd),
        _ => Reply::Odd,
    };
    if matches!(reply, Reply::Syn | Reply::SynAck) && (info.snd_una != secrets.iss || info.snd_nxt != snd_nxt) {
        faults.push("SND.UNA = ISS, SND.NXT = ISS + 1, and the text of the SYN");
    }
    if seen.delivered != segment.payload {
        faults.push("what is delivered is not the text of the SYN");
    }
    let next = (connection.state() != State::Closed).then(|| connection.state());
    let outcome = Outcome {
        reply,
        next,
        signals: seen.signals,
        discarded: seen.discarded,
        closed: seen.closed,
        ..Outcome::NOTHING
    };
    Seen { outcome, faults }
}

/// The segment that a passive OPEN has at hand.
fn first_segment(call: Call, world: World) -> Segment {
    let (seq, ack) = (SeqNum::new(world.irs), SeqNum::new(world.iss));
    let mut segment = Segment { seq, ack, flags: Flags::SYN, window: PEER_WINDOW, ..Segment::default() };
    let (syn, ack, rst) = (Flags::SYN, Flags::ACK, Flags::RST);
    let choice = world.choice as usize % 4;
    match call {
        Call::OpenAck => segment.flags = [ack, syn | ack, ack | Flags::FIN, ack | Flags::PSH][choice],
        Call::OpenNoSyn => segment.flags = [Flags::empty(), rst, syn | rst | ack, Flags::FIN][choice],
        Call::OpenCookie => segment.payload = text_at(seq, seq + 1, [0, 1, 20, 256][choice]),
        _ => (),
    }
    segment
}

fn constructed(call: Call, world: World, secrets: Secrets, segment: Segment) -> (Connection, Vec<Action>) {
    let (config, path, now) = (Arc::new(Config::default()), Path::ipv6(1500), Instant::from_millis(10_000));
    let answer = FastOpenAnswer { valid: call != Call::OpenSyn, cookie: None };
    match call {
        Call::OpenActive => Connection::connect(config, path, secrets, now),
        Call::OpenPassive => (Connection::listen(config, path, secrets), Vec::new()),
        Call::OpenText => {
            let open = FastOpen { cookie: cookie(), mss: None, text: own_text(QUEUED_TEXT) };
            Connection::connect_fast_open(config, path, secrets, open, now).unwrap()
        }
        Call::OpenCookie => Connection::accept_fast_open(config, path, secrets, segment, answer, now),
        // The answer makes no difference where the segment is no SYN, or the cookie is not valid.
        _ if world.choice & 4 != 0 => Connection::accept_fast_open(config, path, secrets, segment, answer, now),
        _ => Connection::accept(config, path, secrets, segment, now),
    }
}

/// The word for what a call or a timer sent.
fn reply(seen: &Sorted, before: &Info, after: &Info) -> Option<Reply> {
    let sent = match seen.sent.as_slice() {
        [] => return Some(Reply::Nothing),
        [one] => one,
        _ => return None,
    };
    let flags = sent.flags - Flags::PSH;
    let (una, next) = (before.snd_una, before.snd_nxt);
    let acks = sent.ack == before.rcv_nxt && flags.contains(Flags::ACK);
    let handshake = matches!(before.state, State::SynSent | State::SynReceived);
    if flags.contains(Flags::RST) {
        let bare = sent.payload.is_empty() && sent.seq == next && (acks || flags == Flags::RST);
        return bare.then_some(Reply::Reset);
    }
    if sent.seq == una && una != next && !sent.is_empty() {
        let as_before = sent.flags.contains(Flags::SYN) == handshake
            && acks == (before.state != State::SynSent)
            && (sent.payload.is_empty() && sent.options.fast_open().is_none() || !handshake);
        return as_before.then_some(Reply::Again);
    }
    if !acks {
        return None;
    }
    match (flags, sent.payload.len()) {
        (Flags::ACK, 0) if sent.seq == next => Some(Reply::Ack),
        (Flags::ACK, 0 | 1) if sent.seq == next - 1 => Some(Reply::KeepAlive),
        (Flags::ACK, 1) if sent.seq == next && after.snd_wnd == 0 => Some(Reply::Probe),
        (Flags::ACK, QUEUED_TEXT) if sent.seq == next => Some(Reply::Text),
        (flags, 0) if flags == Flags::ACK | Flags::FIN && sent.seq == next => Some(Reply::Fin),
        (flags, QUEUED_TEXT) if flags == Flags::ACK | Flags::URG && sent.seq == next => {
            (usize::from(sent.urgent) == QUEUED_TEXT).then_some(Reply::UrgentText)
        }
        _ => None,
    }
}
