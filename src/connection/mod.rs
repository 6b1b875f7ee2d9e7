//! One connection: the events that change it and the phases it goes through.

mod arrives;
mod calls;
mod challenge;
mod flush;
mod icmp;
mod listen;
mod marks;
mod output;
mod state;
mod status;
mod syn_sent;
mod tcb;
mod time_wait;
mod timeouts;

use alloc::vec::Vec;
use core::iter;
use core::ops::ControlFlow::{Break, Continue};

use crate::send::Sender;
use crate::time::END_OF_TIME;
use crate::timers::Timers;
use crate::{
    Action, Algorithm, Arc, CloseReason, Config, Controller, Counters, Discard, Error, Event, Instant, Path, Secrets,
    Segment, Sink, Timer,
};
use listen::Listen;
use output::Output;
use state::{Origin, Step, Stop};
pub use status::Canonical;
use syn_sent::{Outcome, SynSent};
use tcb::{Cx, Settings, Tcb};

/// §3.10.7 has four rules for arriving segments, and these are the data each has.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(clippy::large_enum_variant)] // nearly all connections are `Live`: a box would cost an allocation and a hop for each
enum Phase<C> {
    Closed,
    Listen(Listen<C>),
    SynSent(SynSent<C>),
    Live(Tcb<C>),
}

/// One TCP connection as a value.
///
/// It owns all state of RFC 9293's TCB and nothing else: no clock, no entropy, no address. Every change is an
/// [`Event`]; everything it wants done is an [`Action`]. Values can be cloned, compared, hashed, replayed and sent to
/// other threads.
///
/// Any order of calls is legal. A call that cannot proceed returns an [`Error`] and changes nothing. No peer can cause
/// an error or a panic. A `now` before the last one counts as the last one. After [`Action::Closed`] the value stays
/// usable and answers segments as a TCP without a connection does (§3.10.7.1).
///
/// ```
/// use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, SeqNum, State};
/// let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
/// let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
/// let (mut client, actions) = Connection::connect(config.clone(), path, secrets(100), now);
/// let sent = |actions: &[Action]| {
///     actions.iter().find_map(|a| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None })
/// };
/// let syn = sent(&actions).expect("a SYN");
/// let (mut server, actions) = Connection::accept(config, path, secrets(300), syn, now);
/// let actions = client.handle_segment(sent(&actions).expect("a SYN,ACK"), now);
/// assert!(actions.contains(&Action::Connected));
/// server.handle_segment(sent(&actions).expect("an ACK"), now);
/// assert_eq!((client.state(), server.state()), (State::Established, State::Established));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Connection<C: Controller = Algorithm> {
    config: Arc<Config>,
    settings: Settings,
    path: Path,
    timers: Timers,
    counters: Counters,
    /// The latest `now`.
    clock: Instant,
    phase: Phase<C>,
}

impl Connection {
    /// Passive OPEN as hosts do it: the SYN is here, so the secrets were chosen knowing the addresses and ports (RFC
    /// 6528).
    ///
    /// Gives the SYN,ACK. A segment that opens nothing is answered as in LISTEN and leaves a closed value, with
    /// [`CloseReason::NotSyn`].
    pub fn accept(
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        syn: Segment,
        now: Instant,
    ) -> (Self, Vec<Action>) {
        Self::accept_with(Algorithm::default(), config, path, secrets, syn, now)
    }

    /// The LISTEN state of the RFC as a value, for one peer. Its secrets are used up by the first SYN; back in LISTEN
    /// after a reset it reports [`Action::ReturnedToListen`] and discards SYNs until [`Event::Rearm`]: an ISS is never
    /// used twice.
    pub fn listen(config: Arc<Config>, path: Path, secrets: Secrets) -> Self {
        Self::listen_with(Algorithm::default(), config, path, secrets)
    }

    /// Active OPEN: gives the SYN. The host has chosen the addresses and ports, and the secrets knowing them (RFC
    /// 6528).
    pub fn connect(config: Arc<Config>, path: Path, secrets: Secrets, now: Instant) -> (Self, Vec<Action>) {
        Self::connect_with(Algorithm::default(), config, path, secrets, now)
    }
}

impl<C: Controller> Connection<C> {
    fn new(phase: Phase<C>, config: Arc<Config>, path: Path) -> Self {
        let settings = Settings::new(&config);
        let path = path.limited();
        let (timers, counters) = (Timers::default(), Counters::default());
        Self { config, settings, path, timers, counters, clock: Instant::ZERO, phase }
    }

    /// [`accept`](Connection::accept) with this congestion controller.
    pub fn accept_with(
        controller: C,
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        syn: Segment,
        now: Instant,
    ) -> (Self, Vec<Action>) {
        let listen = Listen { controller, secrets: Some(secrets) };
        let mut connection = Self::new(Phase::Listen(listen), config, path);
        let mut actions = Vec::new();
        connection.event(now, &mut actions, |connection, now, out| {
            connection.segment(syn, now, out);
            match &mut connection.phase {
                Phase::Live(tcb) => tcb.origin = Origin::Accept,
                Phase::Closed | Phase::Listen(_) | Phase::SynSent(_) => {
                    connection.apply(Stop::Delete(CloseReason::NotSyn), out)
                }
            }
        });
        (connection, actions)
    }

    /// [`listen`](Connection::listen) with this congestion controller.
    pub fn listen_with(controller: C, config: Arc<Config>, path: Path, secrets: Secrets) -> Self {
        Self::new(Phase::Listen(Listen { controller, secrets: Some(secrets) }), config, path)
    }

    /// [`connect`](Connection::connect) with this congestion controller.
    pub fn connect_with(
        controller: C,
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        now: Instant,
    ) -> (Self, Vec<Action>) {
        let mut connection = Self::new(Phase::Closed, config, path);
        let mut actions = Vec::new();
        connection.event(now, &mut actions, |connection, now, _| {
            let snd = Sender::new(secrets.iss, controller, &connection.config, now);
            connection.phase = Phase::SynSent(SynSent::new(snd, secrets.ts_offset, now));
        });
        (connection, actions)
    }

    /// Any event. The other methods are short forms of this one; it allocates nothing for the actions.
    ///
    /// # Errors
    /// [`Error`], when a user call cannot proceed; the connection is unchanged then. Segments, timers and ICMP errors
    /// never fail.
    pub fn handle(&mut self, event: Event, now: Instant, sink: &mut impl Sink) -> Result<(), Error> {
        self.check_call(&event)?;
        if let Event::Consume(octets) = event {
            if !self.take_text(octets) {
                self.clock = self.clock.max(now.min(END_OF_TIME));
                return Ok(()); // the window stays as it is: nothing follows
            }
        }
        self.event(now, sink, |connection, now, out| connection.dispatch(event, now, out));
        Ok(())
    }

    /// SEGMENT ARRIVES (§3.10.7).
    pub fn handle_segment(&mut self, segment: Segment, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        self.handle_segments(iter::once(segment), now, &mut actions);
        actions
    }

    /// Several segments that arrived together: all are processed before anything is sent, and they share
    /// acknowledgments (MUST-58, MUST-59).
    pub fn handle_segments(&mut self, segments: impl IntoIterator<Item = Segment>, now: Instant, sink: &mut impl Sink) {
        self.event(now, sink, |connection, now, out| {
            for segment in segments {
                connection.segment(segment, now, out);
            }
        });
    }

    /// Runs every timer due at `now`, in the order of [`Timer::ALL`], but what was to be sent before the user timeout goes
    /// before it; nothing when none is due. `timer` is the one that fired at the host.
    pub fn handle_timer(&mut self, timer: Timer, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        self.event(now, &mut actions, |connection, now, out| connection.timer(timer, now, out));
        actions
    }

    /// One event: time moves on, `change` happens, then what follows from it is sent and the timers are set.
    fn event(&mut self, now: Instant, sink: &mut dyn Sink, change: impl FnOnce(&mut Self, Instant, &mut Output<'_>)) {
        self.clock = self.clock.max(now.min(END_OF_TIME));
        let now = self.clock;
        let mut counters = self.counters;
        let mut out = Output::new(sink, &mut counters);
        change(self, now, &mut out);
        out.report_progress();
        self.with_phase(now, &mut out, |phase, cx| match phase {
            Phase::Closed | Phase::Listen(_) => {}
            Phase::SynSent(opening) => opening.flush(cx),
            Phase::Live(tcb) => tcb.flush(cx),
        });
        self.timers.announce(out.sink());
        if let Some(reason) = out.close_reason() {
            out.push(Action::Closed(reason));
        }
        self.counters = counters;
        if cfg!(any(debug_assertions, fuzzing)) {
            self.check_invariants();
        }
    }

    /// Lends the phase together with all that its steps need.
    fn with_phase<T>(
        &mut self,
        now: Instant,
        out: &mut Output<'_>,
        step: impl FnOnce(&mut Phase<C>, &mut Cx<'_, '_>) -> T,
    ) -> T {
        let (config, settings, path, timers) = (&*self.config, &self.settings, &mut self.path, &mut self.timers);
        step(&mut self.phase, &mut Cx { config, settings, path, timers, out, now })
    }

    fn dispatch(&mut self, event: Event, now: Instant, out: &mut Output<'_>) {
        match event {
            Event::Segment(segment) => self.segment(segment, now, out),
            Event::Timer(timer) => self.timer(timer, now, out),
            Event::Send(text) => self.queue_text(text, true, false),
            Event::SendMore(text) => self.queue_text(text, false, false),
            Event::SendUrgent(text) => self.queue_text(text, true, true),
            Event::Consume(_) | Event::Continue => {}
            Event::Close => self.close_call(now, out),
            Event::Release => self.release_call(now, out),
            Event::Abort => self.abort_call(now, out),
            Event::Set(knob) => self.set(knob),
            Event::Mtu(mtu) => self.mtu(mtu, now),
            Event::Icmp { kind, quoted_seq, mtu } => self.icmp((kind, quoted_seq, mtu), now, out),
            Event::Rearm(secrets) => self.rearm(secrets),
        }
    }

    /// SEGMENT ARRIVES: one of the four rules.
    fn segment(&mut self, mut segment: Segment, now: Instant, out: &mut Output<'_>) {
        out.counters.segments_in += 1;
        let step = self.with_phase(now, out, |phase, cx| match phase {
            Phase::Closed => {
                if let Some(reset) = segment.reset_reply() {
                    cx.out.transmit(reset); // §3.10.7.1
                }
                cx.out.discard(Discard::NoConnection);
                Break(Stop::Drop)
            }
            Phase::Listen(listen) => {
                if let Some(tcb) = listen.segment_arrives(&segment, cx) {
                    *phase = Phase::Live(tcb);
                }
                Continue(())
            }
            Phase::SynSent(_) => syn_sent_arrives(phase, &mut segment, cx),
            Phase::Live(tcb) => tcb.segment_arrives(&mut segment, cx),
        });
        if let Break(stop) = step {
            self.apply(stop, out);
        }
    }

    fn timer(&mut self, timer: Timer, now: Instant, out: &mut Output<'_>) {
        self.timers.fired(timer, now);
        while let Some(due) = self.timers.take_due(now) {
            let step = self.with_phase(now, out, |phase, cx| match phase {
                Phase::Closed | Phase::Listen(_) => Continue(()),
                Phase::SynSent(opening) => opening.timeout(due, cx),
                Phase::Live(tcb) => tcb.timeout(due, cx),
            });
            if let Break(stop) = step {
                self.apply(stop, out);
            }
        }
    }

    /// Leaves a phase by dropping it.
    fn apply(&mut self, stop: Stop, out: &mut Output<'_>) {
        match stop {
            Stop::Drop => {}
            Stop::Delete(reason) => {
                self.phase = Phase::Closed;
                self.timers.clear_all();
                out.closed(reason);
            }
            Stop::ReturnToListen => {
                let phase = core::mem::replace(&mut self.phase, Phase::Closed);
                if let Phase::Live(tcb) = phase {
                    self.phase = Phase::Listen(Listen { controller: tcb.snd.cc, secrets: None });
                }
                self.timers.clear_all();
                out.push(Action::ReturnedToListen);
            }
        }
    }
}

/// SYN-SENT becomes what the segment makes of it.
fn syn_sent_arrives<C: Controller>(phase: &mut Phase<C>, segment: &mut Segment, cx: &mut Cx<'_, '_>) -> Step {
    let Phase::SynSent(opening) = phase else { return Continue(()) };
    let outcome = opening.check(segment, cx)?;
    cx.timers.clear_all();
    let Phase::SynSent(opening) = core::mem::replace(phase, Phase::Closed) else { return Continue(()) };
    match outcome {
        Outcome::Established => {
            let (tcb, step) = Tcb::complete(opening, segment, cx);
            *phase = Phase::Live(tcb);
            step
        }
        Outcome::SynReceived => {
            *phase = Phase::Live(Tcb::cross(opening, segment, cx));
            Continue(())
        }
    }
}
