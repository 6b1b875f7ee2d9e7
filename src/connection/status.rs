//! STATUS, deadlines, invariants and the canonical form.

use super::deadlines::Deadlines;
use super::state::LiveState;
use core::time::Duration;

use super::Connection;
use super::phase::Phase;
use crate::counts::Counts;
use crate::ecn::accurate::Accurate;
use crate::invariant::{Broken, holds};
use crate::recv::limits::Limits;
use crate::send::Sender;
use crate::{Algorithm, Arc, Config, Controller, Counters, Info, Instant, SeqNum, State, Timer};

/// A connection with all times relative to now, all numbers relative to ISS and IRS, and without statistics,
/// announcements to the host and the throttles of challenge ACKs. Two connections with equal canonical values behave
/// alike from now on, but for those throttles.
///
/// Model checkers store it, and metamorphic tests compare it. It takes no events.
///
/// ```
/// use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
/// let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
/// let open = |iss, at| {
///     let secrets = Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
///     Connection::connect(config.clone(), path, secrets, at).0.canonical(at)
/// };
/// assert_eq!(open(7, Instant::ZERO), open(1_000_000, Instant::from_secs(5))); // they will behave alike
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Canonical<C: Controller = Algorithm>(Connection<C>);

/// The timers of what is queued or in flight.
const ASKS: [Timer; 7] = [
    Timer::UserTimeout,
    Timer::TailLossProbe,
    Timer::Retransmit,
    Timer::Persist,
    Timer::Override,
    Timer::Pace,
    Timer::Continue,
];

impl<C: Controller> Connection<C> {
    /// The state.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// use segue::State;
    /// let (mut client, _) = Connection::connect(config, path, secrets(100), now);
    /// assert_eq!(client.state(), State::SynSent);
    /// client.abort(now);
    /// assert_eq!(client.state(), State::Closed);
    /// ```
    pub fn state(&self) -> State {
        match &self.phase {
            Phase::Closed => State::Closed,
            Phase::Listen(_) => State::Listen,
            Phase::SynSent(_) => State::SynSent,
            Phase::Live(tcb) => tcb.state.into(),
        }
    }

    /// When this timer is due, if it is set.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// use segue::Timer;
    /// let (client, _) = Connection::connect(config, path, secrets(100), now);
    /// assert_eq!(client.deadline(Timer::Retransmit), Some(Instant::from_secs(1)));
    /// assert_eq!(client.deadline(Timer::TimeWait), None);
    /// ```
    pub fn deadline(&self, timer: Timer) -> Option<Instant> {
        self.timers.get(timer)
    }

    /// The earliest deadline and its timer, in O(1). The wake-up that `SetTimer` announced may be earlier, never later.
    /// After `handle_timer(_, now)` the deadline lies after `now`.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// let (mut client, _) = Connection::connect(config, path, secrets(100), now);
    /// // Nobody answers: a loop from deadline to deadline ends when R2 is over.
    /// let mut last = now;
    /// while let Some((timer, at)) = client.next_deadline() {
    ///     client.handle_timer(timer, at);
    ///     assert!(at > last);
    ///     last = at;
    /// }
    /// assert_eq!(client.state(), segue::State::Closed);
    /// ```
    pub fn next_deadline(&self) -> Option<(Timer, Instant)> {
        self.timers.next()
    }

    /// Whether the peer has acknowledged all that was sent and queued, SYN and FIN included.
    #[cfg(feature = "host")]
    pub(crate) fn is_flushed(&self) -> bool {
        self.phase.sender().is_none_or(|snd| !snd.is_pending())
    }

    /// Whether this acknowledges something new: SND.UNA < SEG.ACK =< SND.NXT.
    #[cfg(feature = "host")]
    pub(crate) fn is_news(&self, ack: SeqNum) -> bool {
        self.phase.sender().is_some_and(|snd| snd.is_news(ack))
    }

    /// RCV.BUFF as far as it is in use; 0 before the peer's SYN.
    #[cfg(feature = "host")]
    pub(crate) fn receive_capacity(&self) -> u32 {
        match &self.phase {
            Phase::Closed | Phase::Listen(_) | Phase::SynSent(_) => 0,
            Phase::Live(tcb) => tcb.rcv.capacity(),
        }
    }

    /// What RCV.BUFF may grow to; 0 before the peer's SYN.
    #[cfg(feature = "host")]
    pub(crate) fn receive_limit(&self) -> u32 {
        match &self.phase {
            Phase::Closed | Phase::Listen(_) | Phase::SynSent(_) => 0,
            Phase::Live(tcb) => tcb.rcv.limit(),
        }
    }

    /// The configuration: that of the opening, until a [`Knob`](crate::Knob) changes it. Nagle's algorithm, keep-alives
    /// with their idle time, the user timeout and the receive buffer are the connection's own after the opening, and do
    /// not change it.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Event, Instant, Knob, Path, Secrets, SeqNum};
    /// # let (path, now) = (Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// let shared = Arc::new(Config::default());
    /// let (mut client, mut actions) = Connection::connect(shared.clone(), path, secrets(100), now);
    /// client.handle(Event::Set(Knob::AckEvery(1)), now, &mut actions)?;
    /// assert_eq!((client.config().ack_every(), shared.ack_every()), (1, 2)); // a copy of its own
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub const fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The path, whose IP options count what the host's options of TCP take.
    #[cfg(all(feature = "host", feature = "ip"))]
    pub(crate) const fn path(&self) -> &crate::Path {
        &self.path
    }

    /// The congestion controller: `None` in CLOSED and LISTEN.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// use segue::Controller;
    /// let (client, _) = Connection::connect(config, path, secrets(100), now);
    /// assert!(client.controller().is_some_and(|controller| controller.pacing_rate().is_none()));
    /// ```
    pub fn controller(&self) -> Option<&C> {
        self.phase.sender().map(|snd| &snd.cc)
    }

    /// STATUS (§3.10.6): the RFC's variables, and the counters.
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
    /// client.send(&mut "GET /".into(), now)?;
    /// let info = client.info();
    /// assert_eq!((info.flight, info.send_queue), (5, 5)); // sent, not acknowledged
    /// assert_eq!(info.path_mtu, 1500);
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn info(&self) -> Info {
        let mut info = Info::closed(self.state(), self.counters.get());
        info.path_mtu = self.path.mtu;
        info.user_timeout = self.settings.user_timeout.map(Duration::from);
        if let Some(snd) = self.phase.sender() {
            info.iss = snd.iss;
            info.snd_una = snd.una;
            info.snd_nxt = snd.nxt;
            info.snd_wnd = snd.wnd;
            info.snd_wl1 = snd.wl1;
            info.snd_wl2 = snd.wl2;
            info.snd_up = snd.up();
            info.send_queue = usize::try_from(snd.buffer.len()).unwrap_or(usize::MAX);
            info.cwnd = snd.cwnd(u32::from(snd.send_mss));
            info.ssthresh = snd.cc.ssthresh();
            info.flight = snd.flight();
            info.flight_segments = snd.flight_segments();
            info.srtt = snd.rtt.srtt().map(Duration::from);
            info.rttvar = snd.rtt.rttvar().map(Duration::from);
            info.rto = snd.rtt.rto().into();
            info.ecn = snd.ecn.is_capable();
        }
        if let Phase::Live(tcb) = &self.phase {
            info.user_timeout = tcb.user_timeout(&self.config, &self.settings).map(Duration::from);
            info.irs = tcb.rcv.irs;
            info.rcv_nxt = tcb.rcv.nxt;
            info.rcv_wnd = tcb.rcv.wnd();
            info.rcv_buff = tcb.rcv.capacity();
            info.rcv_up = tcb.rcv.up();
            info.urgent_remaining = tcb.rcv.urgent_remaining();
            info.eff_snd_mss = tcb.eff_snd_mss;
            info.unconsumed = usize::try_from(tcb.rcv.user()).unwrap_or(usize::MAX);
            info.held = tcb.rcv.held.octets();
            info.held_ranges = tcb.rcv.held.ranges();
            info.accurate_ecn = tcb.accurate().map(Accurate::info);
        }
        info
    }

    /// See [`Canonical`].
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// let (early, late) = (now, Instant::from_secs(5));
    /// let (one, _) = Connection::connect(config.clone(), path, secrets(7), early);
    /// let (other, _) = Connection::connect(config, path, secrets(1_000_000), late);
    /// assert!(one != other && one.canonical(early) == other.canonical(late));
    /// ```
    pub fn canonical(&self, now: Instant) -> Canonical<C> {
        let mut value = self.clone();
        let now = now.max(value.clock);
        value.timers.rebase(now);
        value.counters = Counts::default();
        value.clock = Instant::ZERO;
        match &mut value.phase {
            Phase::Closed => {}
            Phase::Listen(listen) => listen.rebase(),
            Phase::SynSent(opening) => opening.rebase(now),
            Phase::Live(tcb) => tcb.rebase(now),
        }
        Canonical(value)
    }

    /// Panics when an invariant of the machine does not hold. Called after every event in debug builds and when
    /// fuzzing.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// let (client, _) = Connection::connect(config, path, secrets(100), now);
    /// client.check_invariants(); // they hold
    /// ```
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        assert_eq!(self.invariants(), Ok(()), "{self:?}");
    }

    /// What does not hold of it.
    pub(super) fn invariants(&self) -> Result<(), Broken> {
        self.timers.check_invariants()?;
        self.counters.check_invariants()?;
        match &self.phase {
            Phase::Closed | Phase::Listen(_) => holds(self.timers.next().is_none(), "a timer without a connection"),
            Phase::SynSent(opening) => {
                opening.snd.check_invariants()?;
                opening.snd.check_place()?;
                opening.snd.check_times(self.clock)?;
                holds(opening.snd.syn, "SYN-SENT, and the SYN is acknowledged")?;
                holds(self.timers.is_set(Timer::Retransmit), "SYN-SENT without a retransmission timer")
            }
            Phase::Live(tcb) => {
                tcb.check_invariants(&Limits::of(&self.config), &self.path)?;
                tcb.check_times(self.clock)?;
                let predicted = tcb.predict(&self.config, &self.settings, &self.timers);
                holds(tcb.prediction == predicted, "what is predicted is another")?;
                let rests = self.phase.is_quiet(); // the flush at rest looks for none of these
                holds(!rests || !ASKS.iter().any(|&timer| self.timers.is_set(timer)), "a timer of what is not sent")?;
                Self::check_progress(&self.timers, tcb.state, &tcb.snd)
            }
        }
    }

    /// No silent deadlock: whatever waits for the peer has a timer (I12).
    fn check_progress(timers: &Deadlines, state: LiveState, snd: &Sender<C>) -> Result<(), Broken> {
        let waits = [Timer::Retransmit, Timer::Persist, Timer::Override, Timer::Continue, Timer::Pace, Timer::TimeWait];
        let armed = waits.iter().any(|&timer| timers.is_set(timer));
        holds(!snd.is_pending() || armed, "it waits without a timer")?;
        let waits = (state == LiveState::TimeWait) == timers.is_set(Timer::TimeWait);
        holds(waits, "2 MSL runs elsewhere than in TIME-WAIT, or not there")?;
        let both = timers.is_set(Timer::Retransmit) && timers.is_set(Timer::Persist);
        holds(!both, "retransmission and persist timer at once")
    }
}

impl Info {
    fn closed(state: State, counters: Counters) -> Self {
        let zero = SeqNum::new(0);
        Self {
            state,
            iss: zero,
            snd_una: zero,
            snd_nxt: zero,
            snd_wnd: 0,
            snd_wl1: zero,
            snd_wl2: zero,
            snd_up: None,
            irs: zero,
            rcv_nxt: zero,
            rcv_wnd: 0,
            rcv_buff: 0,
            rcv_up: None,
            urgent_remaining: 0,
            eff_snd_mss: 0,
            path_mtu: 0,
            send_queue: 0,
            unconsumed: 0,
            held: 0,
            held_ranges: 0,
            cwnd: 0,
            ssthresh: 0,
            flight: 0,
            flight_segments: 0,
            srtt: None,
            rttvar: None,
            rto: Duration::ZERO,
            ecn: false,
            accurate_ecn: None,
            user_timeout: None,
            counters,
        }
    }
}
