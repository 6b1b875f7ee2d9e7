//! TIME-WAIT as a value of its own: all that a connection needs once both sides have closed, in 64 octets.
//!
//! No rule stands here: a call makes a connection of the value, the connection takes the event, and a value is made of
//! it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Connection;
use super::challenge::Throttles;
use super::phase::Phase;
use super::state::{LiveState, Origin};
use super::tcb::{Cx, OurHalf, Sack, Tcb};
use crate::ecn::Handshake;
use crate::ecn::accurate::{Accurate, ace_of};
use crate::features::ACCURATE_ECN;
use crate::send::Sender;
use crate::time::Micros;
use crate::timestamps::TsState;
use crate::{
    Action, Algorithm, Arc, Config, Controller, Event, Flags, Instant, Path, Segment, SeqNum, Sink, State, Timer,
};

/// A connection in TIME-WAIT in 64 octets, without heap: for hosts that keep many of them.
///
/// [`Connection::time_wait`] makes it. It answers every segment and timer as the connection would, with the same
/// actions, and a host keeps the same wake-up for it. After [`Action::Closed`] it answers as a TCP without a connection
/// does.
///
/// The configuration is not in it: pass that of the connection to each call. The value takes neither calls of the user
/// nor ICMP errors, and it does not count ([`Info`](crate::Info)). To abort it, drop it: ABORT sends nothing in
/// TIME-WAIT.
///
/// ```
/// use segue::{Action, Arc, Config, Connection, Flags, Instant, Path, Secrets, Segment, SeqNum, State, TimeWait};
/// let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
/// let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
/// let (mut client, actions) = Connection::connect(config.clone(), path, secrets(100), now);
/// let sent = |actions: &[Action]| {
///     actions.iter().find_map(|a| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None })
/// };
/// let (mut server, actions) = Connection::accept(config.clone(), path, secrets(300), sent(&actions).unwrap(), now);
/// let actions = client.handle_segment(sent(&actions).unwrap(), now);
/// server.handle_segment(sent(&actions).unwrap(), now);
/// let actions = client.close(now).unwrap();
/// let actions = server.handle_segment(sent(&actions).unwrap(), now);
/// client.handle_segment(sent(&actions).unwrap(), now);
/// let fin = sent(&server.close(now).unwrap()).unwrap();
/// client.handle_segment(fin.clone(), now);
///
/// let mut client: TimeWait = client.time_wait().unwrap();
/// let actions = client.handle_segment(fin, now, &config); // our ACK was lost
/// assert!(matches!(&actions[..], [Action::Transmit(ack)] if ack.flags == Flags::ACK));
/// let (timer, at) = client.next_deadline().unwrap();
/// let actions = client.handle_timer(timer, at, &config);
/// assert!(matches!(&actions[..], [Action::Closed(_)]) && client.state() == State::Closed);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TimeWait {
    /// The latest `now`.
    clock: Instant,
    /// When 2 MSL are over; in CLOSED never.
    expires: Instant,
    /// SND.NXT, and how far before it an acknowledgment may be.
    snd_nxt: SeqNum,
    oldest_ack: u32,
    /// RCV.NXT and RCV.WND; the octets before RCV.NXT that are told from what never came.
    rcv_nxt: SeqNum,
    rcv_wnd: u32,
    in_reach: u32,
    /// The window field of the next acknowledgment that may move the window.
    next_window: u16,
    /// The shift of our windows in four bits, and what was agreed on.
    agreed: u8,
    /// Challenge ACKs to bare segments, to SYNs and resets; and how many microseconds ago their counts began.
    bare: u8,
    challenges: u16,
    bare_age: u32,
    challenges_age: u32,
    /// The offset of our clock of timestamps, TS.Recent, and its age in microseconds, which takes 41 bits.
    ts_offset: u32,
    ts_recent: u32,
    ts_recent_age: [u8; 6],
}

const _: () = assert!(size_of::<TimeWait>() <= 64);

/// `TimeWait::agreed`.
const SHIFT: u8 = 0x0F;
const TIMESTAMPS: u8 = 0x10;
const DSACK: u8 = 0x20;

/// In `bare`, which counts to 10: from this bit on, the ACE field of what is sent in AccECN mode (RFC 9768 §3.2.2).
const ACE: u8 = 4;

/// `TimeWait::expires` in CLOSED.
const NEVER: Instant = Instant::from_micros(u64::MAX);

impl<C: Controller> Connection<C> {
    /// The connection in 64 octets, while it waits for the end of TIME-WAIT: see [`TimeWait`].
    ///
    /// # Errors
    /// The connection itself, unchanged, in any other state, and while the user has delivered octets left to
    /// [`consume`](Self::consume): they decide about the window. After RELEASE nobody will consume them.
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
    /// # let ack = server.handle_segment(sent(&client.close(now)?), now);
    /// # client.handle_segment(sent(&ack), now);
    /// # let fin = sent(&server.close(now)?);
    /// # client.handle_segment(fin.clone(), now);
    /// use segue::{State, TimeWait};
    /// assert!(server.time_wait().is_err()); // the peer of the side that closed first has no TIME-WAIT
    /// let client: TimeWait = client.time_wait().expect("it is in TIME-WAIT, and all is consumed");
    /// assert_eq!(client.state(), State::TimeWait);
    /// # Ok::<(), segue::Error>(())
    /// ```
    #[allow(clippy::result_large_err)] // a box would be an allocation for who asks too early
    pub fn time_wait(self) -> Result<TimeWait, Self> {
        TimeWait::of(&self).ok_or(self)
    }

    /// The same, without an end of the connection.
    #[cfg(feature = "host")]
    pub(crate) fn as_time_wait(&self) -> Option<TimeWait> {
        TimeWait::of(self)
    }
}

impl TimeWait {
    fn of<C: Controller>(connection: &Connection<C>) -> Option<Self> {
        let Phase::Live(tcb) = &connection.phase else { return None };
        let unread = tcb.rcv.user() > 0 && !tcb.released;
        let expires = connection.timers.get(Timer::TimeWait).filter(|_| !unread)?; // no other state has this timer
        let clock = connection.clock;
        let reports = tcb.sack_blocks(&connection.path, false, true) > 0; // the path has room for a block
        let (bare, challenges) = tcb.seldom.throttles.counts();
        let (bare_age, challenges_age) = tcb.seldom.throttles.ages(clock);
        let ts = tcb.ts.as_ref();
        let [_, _, ts_recent_age @ ..] = ts.map_or(Micros::ZERO, |ts| ts.age(clock)).get().to_be_bytes();
        Some(Self {
            clock,
            expires,
            snd_nxt: tcb.snd.nxt,
            oldest_ack: tcb.snd.oldest_ack(),
            rcv_nxt: tcb.rcv.nxt,
            rcv_wnd: tcb.rcv.wnd(),
            in_reach: tcb.rcv.in_reach(),
            next_window: tcb.rcv.next_window(tcb.eff_snd_mss),
            agreed: tcb.rcv.shift | if ts.is_some() { TIMESTAMPS } else { 0 } | if reports { DSACK } else { 0 },
            bare: bare | tcb.accurate().map_or(0, |accurate| ace_of(accurate.receiver.flags(false))) << ACE,
            challenges,
            bare_age,
            challenges_age,
            ts_offset: ts.map_or(0, TsState::offset),
            ts_recent: ts.map_or(0, TsState::recent),
            ts_recent_age,
        })
    }

    /// CLOSED (§3.10.7.1): all that is left is the time.
    const fn closed(clock: Instant) -> Self {
        Self {
            clock,
            expires: NEVER,
            snd_nxt: SeqNum::new(0),
            oldest_ack: 0,
            rcv_nxt: SeqNum::new(0),
            rcv_wnd: 0,
            in_reach: 0,
            next_window: 0,
            agreed: 0,
            bare: 0,
            challenges: 0,
            bare_age: 0,
            challenges_age: 0,
            ts_offset: 0,
            ts_recent: 0,
            ts_recent_age: [0; 6],
        }
    }

    /// The connection that it stands for. A path of any size does: the value knows whether a report of a duplicate
    /// fits.
    fn connection(&self, config: &Arc<Config>) -> Connection {
        let mut connection = Connection::new(Phase::Closed, config.clone(), Path::ipv4(1500));
        connection.event(self.clock, &mut |_: Action| {}, false, |phase, cx| {
            if self.state() == State::TimeWait {
                cx.timers.set(Timer::TimeWait, self.expires); // the host knows of it
                *phase = Phase::Live(self.tcb(cx));
            }
        });
        connection
    }

    fn tcb(&self, cx: &mut Cx<'_, '_>) -> Tcb<Algorithm> {
        let snd = Sender::new(self.snd_nxt, Algorithm::default(), cx.config, cx.now);
        let syn = Segment { flags: Flags::SYN, ..Segment::default() };
        let ours = OurHalf { snd, ts_offset: self.ts_offset, opened: cx.now, ecn: Handshake::default() };
        let mut tcb = Tcb::new(Origin::Accept, ours, &syn, cx);
        tcb.state = LiveState::TimeWait;
        tcb.snd.end_with(self.oldest_ack);
        tcb.snd.send_mss = 1; // the least: the window moves as soon as it can
        let shift = (self.agreed & SHIFT).min(14); // a value that was read may say anything
        tcb.rcv.end((self.rcv_nxt, self.in_reach), self.rcv_wnd.min(1 << 30), (self.next_window, shift));
        tcb.sack = Sack::new(self.agreed & DSACK != 0, self.agreed & TIMESTAMPS != 0, cx.config);
        tcb.ts = (self.agreed & TIMESTAMPS != 0).then(|| {
            let [a, b, c, d, e, f] = self.ts_recent_age;
            let age = Micros::new(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
            TsState::aged((self.ts_offset, self.ts_recent, age), self.rcv_nxt, cx.now)
        });
        if ACCURATE_ECN && self.bare >> ACE != 0 {
            tcb.ecn = Handshake::accurate();
            tcb.seldom.begin().accurate = Some(Box::new(Accurate::ended(self.bare >> ACE)));
        }
        let (counts, ages) = ((self.bare & ((1 << ACE) - 1), self.challenges), (self.bare_age, self.challenges_age));
        if counts != (0, 0) {
            tcb.seldom.begin().throttles = Throttles::aged(counts, ages, self.clock);
        }
        tcb.eff_snd_mss = tcb.mss(cx.path, 0);
        tcb
    }

    /// SEGMENT ARRIVES (§3.10.7). `config` is that of the connection, here and below.
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
    /// # let ack = server.handle_segment(sent(&client.close(now)?), now);
    /// # client.handle_segment(sent(&ack), now);
    /// # let fin = sent(&server.close(now)?);
    /// # client.handle_segment(fin.clone(), now);
    /// # let mut client = client.time_wait().expect("TIME-WAIT");
    /// use segue::Flags;
    /// let actions = client.handle_segment(fin, now, &config); // again: our ACK was lost
    /// assert_eq!(sent(&actions).flags, Flags::ACK);
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn handle_segment(&mut self, segment: Segment, now: Instant, config: &Arc<Config>) -> Vec<Action> {
        let mut actions = Vec::new();
        self.handle_segment_into(segment, now, config, &mut actions);
        actions
    }

    /// [`handle_segment`](Self::handle_segment) with the actions into `sink`, without allocating for them.
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
    /// # let ack = server.handle_segment(sent(&client.close(now)?), now);
    /// # client.handle_segment(sent(&ack), now);
    /// # let fin = sent(&server.close(now)?);
    /// # client.handle_segment(fin.clone(), now);
    /// # let mut client = client.time_wait().expect("TIME-WAIT");
    /// let mut actions = Vec::new();
    /// client.handle_segment_into(fin, now, &config, &mut actions);
    /// assert_eq!(sent(&actions).flags, segue::Flags::ACK);
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn handle_segment_into(&mut self, segment: Segment, now: Instant, config: &Arc<Config>, sink: &mut impl Sink) {
        self.handle_segments([segment], now, config, sink);
    }

    /// Several segments that arrived together, as [`Connection::handle_segments`]; the actions go into `sink`.
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
    /// # let ack = server.handle_segment(sent(&client.close(now)?), now);
    /// # client.handle_segment(sent(&ack), now);
    /// # let fin = sent(&server.close(now)?);
    /// # client.handle_segment(fin.clone(), now);
    /// # let mut client = client.time_wait().expect("TIME-WAIT");
    /// let mut actions = Vec::new();
    /// client.handle_segments([fin.clone(), fin], now, &config, &mut actions);
    /// assert_eq!(sent(&actions).flags, segue::Flags::ACK);
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn handle_segments(
        &mut self,
        segments: impl IntoIterator<Item = Segment>,
        now: Instant,
        config: &Arc<Config>,
        sink: &mut impl Sink,
    ) {
        self.event(now, config, sink, |phase, cx| {
            segments.into_iter().for_each(|mut segment| phase.segment_arrives(&mut segment, cx));
        });
    }

    /// The end of TIME-WAIT when 2 MSL are over; before, the deadline is announced anew. `timer` is the one that fired
    /// at the host, as in [`Connection::handle_timer`].
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
    /// # let ack = server.handle_segment(sent(&client.close(now)?), now);
    /// # client.handle_segment(sent(&ack), now);
    /// # let fin = sent(&server.close(now)?);
    /// # client.handle_segment(fin.clone(), now);
    /// # let mut client = client.time_wait().expect("TIME-WAIT");
    /// use segue::{Action, CloseReason};
    /// let (timer, at) = client.next_deadline().expect("2 MSL");
    /// assert_eq!(client.handle_timer(timer, at, &config), [Action::Closed(CloseReason::Finished)]);
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn handle_timer(&mut self, timer: Timer, now: Instant, config: &Arc<Config>) -> Vec<Action> {
        let mut actions = Vec::new();
        self.handle_timer_into(timer, now, config, &mut actions);
        actions
    }

    /// [`handle_timer`](Self::handle_timer) with the actions into `sink`, without allocating for them.
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
    /// # let ack = server.handle_segment(sent(&client.close(now)?), now);
    /// # client.handle_segment(sent(&ack), now);
    /// # let fin = sent(&server.close(now)?);
    /// # client.handle_segment(fin.clone(), now);
    /// # let mut client = client.time_wait().expect("TIME-WAIT");
    /// use segue::{Action, CloseReason};
    /// let (timer, at) = client.next_deadline().expect("2 MSL");
    /// let mut actions = Vec::new();
    /// client.handle_timer_into(timer, at, &config, &mut actions);
    /// assert_eq!(actions, [Action::Closed(CloseReason::Finished)]);
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn handle_timer_into(&mut self, timer: Timer, now: Instant, config: &Arc<Config>, sink: &mut impl Sink) {
        self.event(now, config, sink, |phase, cx| phase.dispatch(&mut Event::Timer(timer), cx));
    }

    fn event(
        &mut self,
        now: Instant,
        config: &Arc<Config>,
        sink: &mut dyn Sink,
        change: impl FnOnce(&mut Phase<Algorithm>, &mut Cx<'_, '_>),
    ) {
        let mut connection = self.connection(config);
        connection.event(now, sink, false, change);
        if cfg!(any(debug_assertions, fuzzing)) {
            connection.check_invariants();
        }
        *self = Self::of(&connection).unwrap_or_else(|| Self::closed(connection.clock));
    }

    /// TIME-WAIT, or CLOSED after [`Action::Closed`].
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
    /// # let ack = server.handle_segment(sent(&client.close(now)?), now);
    /// # client.handle_segment(sent(&ack), now);
    /// # let fin = sent(&server.close(now)?);
    /// # client.handle_segment(fin.clone(), now);
    /// # let mut client = client.time_wait().expect("TIME-WAIT");
    /// use segue::{State, Timer};
    /// assert_eq!(client.state(), State::TimeWait);
    /// client.handle_timer(Timer::TimeWait, Instant::from_secs(3600), &config);
    /// assert_eq!(client.state(), State::Closed);
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn state(&self) -> State {
        if self.expires == NEVER { State::Closed } else { State::TimeWait }
    }

    /// [`Timer::TimeWait`] and its deadline, until the state is CLOSED.
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
    /// # let ack = server.handle_segment(sent(&client.close(now)?), now);
    /// # client.handle_segment(sent(&ack), now);
    /// # let fin = sent(&server.close(now)?);
    /// # client.handle_segment(fin.clone(), now);
    /// # let mut client = client.time_wait().expect("TIME-WAIT");
    /// use segue::Timer;
    /// let Some((Timer::TimeWait, at)) = client.next_deadline() else { panic!("2 MSL") };
    /// client.handle_timer(Timer::TimeWait, at, &config);
    /// assert_eq!(client.next_deadline(), None);
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn next_deadline(&self) -> Option<(Timer, Instant)> {
        (self.state() == State::TimeWait).then_some((Timer::TimeWait, self.expires))
    }
}
