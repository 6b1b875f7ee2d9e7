//! One connection: the events that change it and the phases it goes through.

mod accurate;
mod arm;
mod arrives;
mod batch;
mod burst;
mod calls;
mod challenge;
mod deadlines;
mod emit;
mod establish;
mod exchange;
#[cfg(feature = "fast-open")]
mod fast_open;
mod flush;
mod icmp;
mod knobs;
mod listen;
mod marks;
mod open;
mod output;
mod parts;
mod phase;
mod predicted;
mod seldom;
#[cfg(feature = "serde")]
mod snapshot;
mod state;
mod status;
mod steady;
mod syn_sent;
mod tcb;
mod time_wait;
mod time_wait_value;
mod timeouts;

use alloc::vec::Vec;

use bytes::Bytes;

use crate::counts::Counts;
use crate::features::SHORTCUTS;
use crate::time::END_OF_TIME;
use crate::{Action, Algorithm, Arc, Config, Controller, Error, Event, Instant, Path, Segment, Sink, Timer};
pub use batch::Batch;
use deadlines::Deadlines;
use output::Output;
#[cfg(feature = "host")]
pub(crate) use parts::Open;
use phase::Phase;
use predicted::Prediction;
pub use status::Canonical;
use steady::{Progress, Steady};
#[cfg(feature = "host")]
pub(crate) use tcb::first_window;
use tcb::{Cx, Settings, Tcb};
pub use time_wait_value::TimeWait;

/// One TCP connection as a value.
///
/// It owns the state of RFC 9293's TCB and nothing else: no clock, no entropy, no address. Every change is an
/// [`Event`]; every request to the host is an [`Action`]. You can clone, compare, hash and replay it, and send it to
/// another thread.
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
    timers: Deadlines,
    counters: Counts,
    /// The latest `now`.
    clock: Instant,
    phase: Phase<C>,
}

const _: () = assert!(size_of::<Connection>() <= 768);

impl<C: Controller> Connection<C> {
    fn new(phase: Phase<C>, config: Arc<Config>, path: Path) -> Self {
        let settings = Settings::new(&config);
        let path = path.reserving(config.reserved_options());
        let (timers, counters) = (Deadlines::default(), Counts::default());
        Self { config, settings, path, timers, counters, clock: Instant::ZERO, phase }
    }

    /// Handles any event and pushes the actions into `sink`, without allocating for them. The other methods are short
    /// forms.
    ///
    /// # Errors
    /// [`Error`] when a user call cannot proceed; the connection is unchanged then. Segments, timers and ICMP errors
    /// never fail.
    ///
    /// ```
    /// # use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// use segue::{Error, Event};
    /// let mut actions = Vec::new(); // the host keeps it for all calls
    /// client.handle(Event::Send("GET /".into()), now, &mut actions)?;
    /// client.handle(Event::Close, now, &mut actions)?;
    /// assert_eq!(client.handle(Event::Close, now, &mut actions), Err(Error::Closing));
    /// # Ok::<(), segue::Error>(())
    /// ```
    #[inline]
    pub fn handle(&mut self, event: Event, now: Instant, sink: &mut impl Sink) -> Result<(), Error> {
        self.take(event, now, sink)
    }

    /// SEGMENT ARRIVES (§3.10.7).
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// use segue::Action;
    /// let request = sent(&client.send(&mut "GET /".into(), now)?);
    /// let actions = server.handle_segment(request, now);
    /// assert!(actions.contains(&Action::Deliver("GET /".into())));
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn handle_segment(&mut self, segment: Segment, now: Instant) -> Vec<Action> {
        self.actions_of(Event::Segment(segment), now)
    }

    /// Several segments that arrived together: the connection processes all of them before it sends anything, and they
    /// share acknowledgments (MUST-58, MUST-59). Short for [`Event::Segments`].
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// use segue::Action;
    /// let text = vec![0; 2 * usize::from(client.info().eff_snd_mss)];
    /// let segments: Vec<_> = client.send(&mut text.into(), now)?.iter().filter_map(of).collect();
    /// let mut actions = Vec::new();
    /// server.handle_segments(segments, now, &mut actions);
    /// assert_eq!(actions.iter().filter(|action| matches!(action, Action::Transmit(_))).count(), 1); // one ACK
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn handle_segments(&mut self, segments: impl IntoIterator<Item = Segment>, now: Instant, sink: &mut impl Sink) {
        self.arrive(Event::Segments(segments.into_iter().collect()), now, sink);
    }

    /// Runs every timer due at `now` in the order of [`Timer::ALL`]; a retransmission or probe that was due before the
    /// user timeout runs before it. If no timer is due, nothing happens. `timer` is the one that fired at the host.
    ///
    /// ```
    /// # use segue::{Arc, Config, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// use segue::{Action, Connection};
    /// let (mut client, actions) = Connection::connect(config, path, secrets(100), now);
    /// let (timer, at) = client.next_deadline().expect("the retransmission timer");
    /// assert_eq!(client.handle_timer(timer, now), [Action::SetTimer(timer, at)]); // too early
    /// assert_eq!(sent(&client.handle_timer(timer, at)).seq, sent(&actions).seq); // the SYN again
    /// ```
    pub fn handle_timer(&mut self, timer: Timer, now: Instant) -> Vec<Action> {
        self.actions_of(Event::Timer(timer), now)
    }

    fn actions_of(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        self.arrive(event, now, &mut actions);
        actions
    }

    /// An event that no state refuses.
    fn arrive(&mut self, event: Event, now: Instant, sink: &mut impl Sink) {
        let taken = self.take(event, now, sink);
        debug_assert_eq!(taken, Ok(()), "only calls of the user are refused");
    }

    /// An event, by the shortest way.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn take(&mut self, event: Event, now: Instant, sink: &mut impl Sink) -> Result<(), Error> {
        if !cfg!(any(debug_assertions, fuzzing)) {
            return self.step(event, now, sink, SHORTCUTS);
        }
        if self.phase.has_shortcuts() {
            return self.prove_step(event, now, sink);
        }
        let taken = self.step(event, now, sink, false);
        self.check_invariants();
        taken
    }

    /// The step, and a twin that takes it without shortcuts: what they leave out must change neither the value nor the
    /// actions.
    fn prove_step(&mut self, event: Event, now: Instant, sink: &mut impl Sink) -> Result<(), Error> {
        let (mut twin, same) = (self.clone(), event.clone());
        let (mut actions, mut of_twin) = (Vec::new(), Vec::new());
        let taken = self.step(event, now, &mut actions, true);
        assert_eq!(taken, twin.step(same, now, &mut of_twin, false), "the answer with shortcuts, and without");
        twin.counters.segments_predicted = self.counters.segments_predicted;
        assert_eq!(actions, of_twin, "the actions with shortcuts, and those without");
        assert_eq!(*self, twin, "the connection after an event with shortcuts, and without");
        self.check_invariants();
        actions.into_iter().for_each(|action| sink.push(action));
        taken
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn step(&mut self, event: Event, now: Instant, sink: &mut impl Sink, shortcuts: bool) -> Result<(), Error> {
        match event {
            Event::Segment(segment) => self.segment(segment, now, sink, shortcuts),
            Event::Send(text) => return self.send_text(text, true, now, sink, shortcuts),
            Event::SendMore(text) => return self.send_text(text, false, now, sink, shortcuts),
            Event::SendUrgent(_) | Event::Close | Event::Rearm(_) | Event::Set(_) => {
                return self.rare_call(event, now, sink, shortcuts);
            }
            // These hold nothing to drop, but the drop glue of an event calls itself, by `Batch`, so it is not inlined.
            Event::Consume(octets) => {
                core::mem::forget(event);
                self.take_text(octets, now, sink, shortcuts);
            }
            Event::Continue if shortcuts && self.phase.is_quiet() => {
                core::mem::forget(event);
                self.pass_to(now);
            }
            Event::Batch(parts) => self.whole_batch(parts, now, sink, shortcuts),
            event @ (Event::Segments(_)
            | Event::Timer(_)
            | Event::Release
            | Event::Abort
            | Event::Continue
            | Event::Mtu(_)
            | Event::Icmp { .. }) => self.whole_step(event, now, sink, shortcuts),
        }
        Ok(())
    }

    /// Calls that come seldom: apart, so that the others have a short way.
    #[inline(never)]
    fn rare_call(&mut self, event: Event, now: Instant, sink: &mut dyn Sink, shortcuts: bool) -> Result<(), Error> {
        self.check_call(&event)?;
        self.whole_step(event, now, sink, shortcuts);
        Ok(())
    }

    #[inline(never)]
    fn segment(&mut self, segment: Segment, now: Instant, sink: &mut impl Sink, shortcuts: bool) {
        match &self.phase {
            Phase::Live(tcb) if SHORTCUTS && shortcuts && tcb.expects(&segment) => {
                self.steadily(now, sink, |tcb, steady| tcb.arrives_as_expected(segment, steady));
            }
            Phase::Closed | Phase::Listen(_) | Phase::SynSent(_) | Phase::Live(_) => {
                if cfg!(target_pointer_width = "64") {
                    self.whole_segment(segment, now, sink, shortcuts);
                } else {
                    self.whole_step(Event::Segment(segment), now, sink, shortcuts); // code counts more there
                }
            }
        }
    }

    #[inline(never)]
    fn whole_segment(&mut self, mut segment: Segment, now: Instant, sink: &mut dyn Sink, shortcuts: bool) {
        self.event(now, sink, shortcuts, |phase, cx| phase.segment_arrives(&mut segment, cx));
    }

    /// SEND (§3.10.2).
    #[inline(never)]
    fn send_text(
        &mut self,
        text: Bytes,
        push: bool,
        now: Instant,
        sink: &mut impl Sink,
        shortcuts: bool,
    ) -> Result<(), Error> {
        self.check_send(text.len())?;
        match &mut self.phase {
            Phase::Live(tcb) if SHORTCUTS && shortcuts && tcb.prediction == Prediction::Flush => {
                tcb.snd.queue(text, push, &self.config);
                self.steadily(now, sink, |_, _| Progress::default());
            }
            Phase::Closed | Phase::Listen(_) | Phase::SynSent(_) | Phase::Live(_) => {
                let event = if push { Event::Send(text) } else { Event::SendMore(text) };
                self.whole_step(event, now, sink, shortcuts);
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn take_text(&mut self, octets: usize, now: Instant, sink: &mut dyn Sink, shortcuts: bool) {
        if self.phase.take_text(octets) {
            self.whole_step(Event::Consume(0), now, sink, shortcuts);
        } else {
            self.pass_to(now); // nothing follows
            self.predict();
        }
    }

    #[inline(never)]
    fn whole_step(&mut self, mut event: Event, now: Instant, sink: &mut dyn Sink, shortcuts: bool) {
        if let Event::Set(knob) = event {
            return self.set(knob, now, sink, shortcuts);
        }
        self.event(now, sink, shortcuts, |phase, cx| phase.dispatch(&mut event, cx));
    }

    /// The user took the last of urgent text: what stands in the way of prediction may be gone.
    fn predict(&mut self) {
        let Self { config, settings, timers, phase, .. } = self;
        if let Phase::Live(tcb) = phase {
            if tcb.prediction == Prediction::Off {
                tcb.prediction = tcb.predict(config, settings, timers);
            }
        }
    }

    /// Time moves on, never back.
    fn pass_to(&mut self, now: Instant) {
        self.clock = self.clock.max(now.min(END_OF_TIME));
    }

    /// One event in steady traffic: time moves on, `change` happens, then what follows from it is sent and the
    /// deadlines are set.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn steadily<S: Sink>(
        &mut self,
        now: Instant,
        sink: &mut S,
        change: impl FnOnce(&mut Tcb<C>, &mut Steady<'_, S>) -> Progress,
    ) {
        self.pass_to(now);
        let Self { config, settings, path, timers, counters, clock, phase } = self;
        let Phase::Live(tcb) = phase else { return };
        let mut transmits = 0;
        let transmits = &mut transmits;
        let mut steady = Steady { config, settings, path, timers, counters, sink, now: *clock, transmits };
        let progress = change(tcb, &mut steady);
        progress.report(steady.counters, steady.sink);
        let advances = progress.acked > 0;
        if tcb.flush_steadily(advances, &mut steady) {
            steady.timers.announce(steady.sink);
        } else {
            if advances {
                steady.timers.stop_sender(); // the flush starts them again
            }
            let transmits = *steady.transmits;
            self.end_event(transmits, sink);
        }
    }

    /// The whole flush, after the flush of steady traffic has transmitted this number of segments.
    #[inline(never)]
    fn end_event(&mut self, transmits: u32, sink: &mut dyn Sink) {
        let Self { config, settings, path, timers, counters, clock, phase } = self;
        let mut out = Output::new(sink, counters, transmits);
        phase.flush(&mut Cx { config, settings, path, timers, out: &mut out, now: *clock, shortcuts: true });
        timers.announce(sink);
    }

    /// One event: time moves on, `change` happens, then what follows from it is sent and the deadlines are set.
    fn event(
        &mut self,
        now: Instant,
        sink: &mut dyn Sink,
        shortcuts: bool,
        change: impl FnOnce(&mut Phase<C>, &mut Cx<'_, '_>),
    ) {
        self.pass_to(now);
        let Self { config, settings, path, timers, counters, clock, phase } = self;
        let mut out = Output::new(sink, counters, 0);
        let shortcuts = shortcuts && phase.has_shortcuts();
        let mut cx = Cx { config, settings, path, timers, out: &mut out, now: *clock, shortcuts };
        change(phase, &mut cx);
        cx.out.report_progress();
        phase.flush(&mut cx);
        timers.announce(out.sink());
        if let Some(reason) = out.close_reason() {
            out.push(Action::Closed(reason));
        }
    }
}
