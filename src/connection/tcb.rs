//! The transmission control block of §3.10.7.4: both sides, the handshake's outcome, the owed acknowledgment.

use core::num::NonZeroU32;
use core::time::Duration;

use super::challenge::Throttles;
use super::deadlines::Deadlines;
use super::output::Output;
use super::predicted::Prediction;
use super::seldom::Seldom;
use super::state::{LiveState, Origin, Stop};
use super::steady::Steady;
use crate::ecn::{Echo, Handshake};
use crate::features::{SACK, SHORTCUTS};
use crate::invariant::{Broken, holds};
use crate::options::{Agreed, announced_mss, eff_snd_mss};
use crate::rare::Rare;
use crate::recv::ack::{AckPolicy, PendingAck};
use crate::recv::limits::Limits;
use crate::recv::tuning::Tuning;
use crate::recv::{Receiver, own_shift, syn_window};
use crate::send::{Fin, Sender};
use crate::time::{MaybeInstant, Micros};
use crate::timestamps::TsState;
use crate::user_timeout::{adopted, decode, encode};
use crate::{
    Action, CloseReason, CompactOptions, Config, Controller, Instant, Options, Path, Report, SackBlocks, Segment,
    SeqNum, Sink, Timer,
};

/// What a connection can change of its configuration while it lives, and steady traffic reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(Rust, packed(2))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Settings {
    pub(super) nagle: bool,
    pub(super) cork: bool,
    pub(super) keep_alive: bool,
    pub(super) keep_alive_idle: Micros,
    pub(super) user_timeout: Option<Micros>,
    /// CHANGEABLE of RFC 5482: until the user sets a user timeout, the peer's option may change it.
    pub(super) changeable: bool,
    /// SendMSS as the peer's option allows it, 0 before it is here; `snd.send_mss` is no more than `max_sent_mss`, too.
    pub(super) agreed_mss: u16,
}

impl Settings {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            nagle: config.nagle(),
            cork: false,
            keep_alive: config.keep_alive(),
            keep_alive_idle: config.keep_alive_idle().into(),
            user_timeout: config.user_timeout().map(Micros::from),
            changeable: true,
            agreed_mss: 0,
        }
    }

    /// The connection is no more: the next peer has an MSS of its own.
    pub(super) fn forget_peer(&mut self) {
        self.agreed_mss = 0;
    }
}

/// What a step needs beside the TCB.
pub(super) struct Cx<'a, 'o> {
    pub(super) config: &'a Config,
    pub(super) settings: &'a mut Settings,
    pub(super) path: &'a mut Path,
    pub(super) timers: &'a mut Deadlines,
    pub(super) out: &'a mut Output<'o>,
    pub(super) now: Instant,
    /// Whether the machine may leave out steps that it knows to change nothing.
    pub(super) shortcuts: bool,
}

impl<'o> Cx<'_, 'o> {
    /// Whether what is known to change nothing may be left out.
    pub(super) const fn takes_shortcuts(&self) -> bool {
        SHORTCUTS && self.shortcuts
    }

    /// For the rules that steady traffic shares.
    pub(super) fn steady(&mut self) -> Steady<'_, dyn Sink + 'o> {
        let Self { config, settings, path, timers, out, now, shortcuts: _ } = self;
        let (sink, counters, transmits) = out.parts();
        Steady { config, settings, path, timers, counters, sink, now: *now, transmits }
    }

    /// The reset that answers this segment where it belongs to no connection, with as many of its options as have room.
    pub(super) fn transmit_reset_reply(&mut self, segment: &Segment) {
        if let Some(mut reset) = segment.reset_reply() {
            if reset.options.wire_len() > usize::from(self.config.option_room()) {
                reset.options = CompactOptions::default();
            }
            self.out.transmit(reset);
        }
    }

    /// ADV_UTO as an option, when it is in use (RFC 5482).
    pub(super) fn advertised_user_timeout(&self) -> Option<u16> {
        self.config.user_timeout_option().then(|| encode(self.settings.user_timeout.map(Duration::from)))
    }

    pub(super) fn limits(&self) -> Limits {
        Limits::of(self.config)
    }
}

/// Whether both SYNs permitted SACK, and for how many blocks the option area then has room: 0, or one more than those.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Sack(u8);

impl Sack {
    /// Beside timestamps there is room for three blocks, else for four (RFC 2018 §3); for fewer where the host has a part of
    /// the area.
    pub(super) fn new(agreed: bool, timestamps: bool, config: &Config) -> Self {
        let others = 4 + if timestamps { 12 } else { 0 };
        let blocks = u8::try_from(config.option_room().saturating_sub(others) / 8).unwrap_or(0);
        Self(if agreed { 1 + blocks } else { 0 })
    }

    pub(super) const fn is_agreed(self) -> bool {
        self.0 > 0
    }

    /// The most blocks of a segment.
    fn most(self) -> usize {
        usize::from(self.0.saturating_sub(1))
    }
}

/// Text that had arrived before.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Duplicate {
    left: SeqNum,
    len: NonZeroU32,
}

impl Duplicate {
    pub(super) fn new((left, right): (SeqNum, SeqNum)) -> Option<Self> {
        NonZeroU32::new(right - left).map(|len| Self { left, len })
    }

    /// Its left and its right edge.
    pub(super) fn block(self) -> (SeqNum, SeqNum) {
        (self.left, self.left + self.len.get())
    }
}

/// Keep-alive probing (RFC 9293 §3.8.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(Rust, packed(4))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct KeepAlive {
    /// When a segment was last accepted, or a keep-alive sent.
    pub(super) since: Instant,
    /// Keep-alives since the last segment.
    pub(super) unanswered: u8,
}

/// A connection in SYN-RECEIVED or any state after it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Tcb<C> {
    pub(super) state: LiveState,
    pub(super) origin: Origin,
    pub(super) snd: Sender<C>,
    pub(super) rcv: Receiver,
    /// Eff.snd.MSS without SACK blocks (RFC 9293 §3.7.1): octets of text in a segment that reports nothing.
    pub(super) eff_snd_mss: u16,
    /// Whether both SYNs carried window scale, SACK-permitted, timestamps.
    pub(super) scaled: bool,
    pub(super) sack: Sack,
    pub(super) ts: Option<TsState>,
    /// What the SYNs said of ECN, and the echo of marks.
    pub(super) ecn: Handshake,
    pub(super) echo: Echo,
    pub(super) ack: PendingAck,
    /// What of the last text had arrived before, until an acknowledgment reports it (RFC 2883 §4).
    pub(super) duplicate: Option<Duplicate>,
    /// The user is gone (`release`): text that comes now is answered by a reset.
    pub(super) released: bool,
    pub(super) seldom: Rare<Seldom>,
    pub(super) prediction: Prediction,
    pub(super) keep_alive: KeepAlive,
    /// Since when something has waited for an acknowledgment without progress: what the user timeout counts from.
    pub(super) pending_since: MaybeInstant,
    /// The peer's user timeout, REMOTE_UTO, as its option says it, 0: none; and whether it is to be told ours with the
    /// next segment (RFC 5482 §3).
    pub(super) remote_user_timeout: u16,
    pub(super) owes_user_timeout: bool,
    /// Retransmissions and probes of a closed window since the last answer.
    pub(super) retries: u16,
    /// The override timeout expired: text held back goes with the next flush.
    pub(super) overridden: bool,
}

/// Our half of the handshake.
pub(super) struct OurHalf<C> {
    pub(super) snd: Sender<C>,
    pub(super) ts_offset: u32,
    /// When the connection was opened: the clock of the timestamps began there.
    pub(super) opened: Instant,
    pub(super) ecn: Handshake,
}

/// RCV.BUFF as far as it is in use at the start of any connection over this path: a peer that does not scale windows may
/// leave less.
#[cfg(feature = "host")]
pub(crate) fn first_window(config: &Config, path: &Path) -> u32 {
    let shift = if config.window_scaling() { own_shift(config) } else { 0 };
    crate::recv::tuning::first(config, announced_mss(config, path), shift)
}

/// The peer's MSS, or our own limit of what we send.
fn capped(mss: u16, config: &Config) -> u16 {
    mss.min(config.max_sent_mss())
}

impl<C: Controller> Tcb<C> {
    /// The TCB after the peer's SYN (§3.10.7.2 third, §3.10.7.3 fourth); our SYN is in `ours.snd`, sent or about to be.
    pub(super) fn new(origin: Origin, ours: OurHalf<C>, syn: &Segment, cx: &mut Cx<'_, '_>) -> Self {
        let OurHalf { mut snd, ts_offset, opened, mut ecn } = ours;
        ecn.heard(syn.flags, syn.ecn, cx.config.ecn());
        let agreed = Agreed::new(cx.config, cx.path, &syn.options.get());
        let promised = syn_window(cx.config);
        let (theirs, ours) = agreed.shifts.unwrap_or((0, 0));
        snd.shift = theirs;
        cx.settings.agreed_mss = agreed.send_mss;
        snd.send_mss = capped(agreed.send_mss, cx.config);
        snd.wl1 = syn.seq;
        snd.max_wnd = snd.max_wnd.max(u32::from(syn.window)); // RFC 5961 §5.2: never scaled in a SYN
        snd.agree(agreed.sack, cx.config);
        let rmss = announced_mss(cx.config, cx.path);
        let policy = AckPolicy::new(cx.config, rmss, agreed.send_mss, cx.now);
        let tuning = Tuning::new(cx.config, rmss, ours, cx.now);
        let rcv = Receiver::new(syn.seq, promised, ours, policy, tuning);
        let ts = agreed.timestamps.map(|ts| TsState::new(ts_offset, opened, ts.value, rcv.nxt, cx.now));
        let mut tcb = Self {
            state: LiveState::SynReceived,
            origin,
            retries: snd.repeats,
            snd,
            rcv,
            eff_snd_mss: 0,
            scaled: agreed.shifts.is_some(),
            sack: Sack::new(agreed.sack, agreed.timestamps.is_some(), cx.config),
            ts,
            ecn,
            echo: Echo::default(),
            ack: PendingAck::No,
            duplicate: None,
            released: false,
            seldom: Rare::default(),
            prediction: Prediction::Off,
            keep_alive: KeepAlive { since: cx.now, unanswered: 0 },
            pending_since: MaybeInstant::NONE,
            remote_user_timeout: 0,
            owes_user_timeout: cx.config.user_timeout_option(),
            overridden: false,
        };
        tcb.eff_snd_mss = tcb.mss(cx.path, 0);
        tcb.enter_feedback_mode();
        let policy = tcb.mtu_policy(cx.config, cx.path);
        tcb.snd.path_mtu.on_told(cx.path.mtu, cx.path.mtu, &policy, cx.now);
        tcb
    }

    /// The user timeout in force: the user's, or what the peer's option made of it (RFC 5482 §3.1).
    #[inline]
    pub(super) fn user_timeout(&self, config: &Config, settings: &Settings) -> Option<Micros> {
        let own = settings.user_timeout?;
        let remote = decode(self.remote_user_timeout).filter(|_| settings.changeable);
        Some(remote.map_or(own, |remote| adopted(config, own.into(), remote, self.snd.rtt.rto().into()).into()))
    }

    /// The option of a segment, once the connection is synchronized; the user hears of a new one.
    pub(super) fn hear_user_timeout(&mut self, option: Option<u16>, cx: &mut Cx<'_, '_>) {
        let Some(remote) = option.filter(|_| cx.config.user_timeout_option()).and_then(decode) else { return };
        if decode(self.remote_user_timeout) != Some(remote) {
            cx.out.push(Action::Report(Report::UserTimeout(remote)));
        }
        self.remote_user_timeout = encode(Some(remote));
    }

    /// The shift of our SYN,ACK, when it carries the option.
    pub(super) fn offered_shift(&self, config: &Config) -> Option<u8> {
        self.scaled.then(|| own_shift(config))
    }

    /// Octets of options on a segment that carries `sack_blocks` SACK blocks.
    pub(super) fn option_octets(&self, sack_blocks: usize) -> u16 {
        let sack = if sack_blocks == 0 { 0 } else { 4 + 8 * u16::try_from(sack_blocks).unwrap_or(4) };
        sack + if self.ts.is_some() { 12 } else { 0 }
    }

    /// Octets of text that fit a segment with `sack_blocks` SACK blocks.
    pub(super) fn mss(&self, path: &Path, sack_blocks: usize) -> u16 {
        eff_snd_mss(path, self.snd.send_mss, self.option_octets(sack_blocks))
    }

    /// We send by an MSS of our own, where it is less than the peer's.
    pub(super) fn cap_mss(&mut self, cx: &Cx<'_, '_>) {
        self.snd.send_mss = capped(cx.settings.agreed_mss, cx.config);
    }

    /// Whether the user may send before the handshake is complete (RFC 7413 §4.2.2).
    pub(super) fn is_early(&self) -> bool {
        #[cfg(feature = "fast-open")]
        return self.seldom.fast_open.is_some_and(|answer| answer.valid);
        #[cfg(not(feature = "fast-open"))]
        false
    }

    /// The handshake is complete. Returns whether the user could send before.
    pub(super) fn end_fast_open(&mut self) -> bool {
        let early = self.is_early();
        #[cfg(feature = "fast-open")]
        if let Some(seldom) = self.seldom.active() {
            seldom.fast_open = None;
            self.seldom.settle();
        }
        early
    }

    /// The user learns that the handshake is complete.
    pub(super) fn tell_connected(&mut self, early: bool, cx: &mut Cx<'_, '_>) {
        if !early {
            cx.out.push(Action::Connected);
        } else {
            #[cfg(feature = "fast-open")]
            cx.out.push(Action::Report(Report::FastOpenConfirmed));
            if self.rcv.owes_update(self.eff_snd_mss) {
                self.ack.at_once(); // the user took the text of the SYN before anything but a SYN,ACK could tell of it
            }
        }
    }

    /// How many SACK blocks a segment sent now carries: as many as fit the option area beside timestamps (RFC 2018 §3)
    /// and the path, but on text no more than leave half of the segment to it.
    pub(super) fn sack_blocks(&self, path: &Path, on_text: bool, duplicate: bool) -> usize {
        let reports = self.rcv.reports() + usize::from(duplicate);
        let most = self.sack.most();
        if reports == 0 || !SACK || most == 0 || self.acks_acks() {
            return 0;
        }
        let (most, room) = (most.min(reports), path.mss().saturating_sub(path.ip_options));
        if !on_text && usize::from(room) >= Options::MAX_WIRE_LEN {
            return most;
        }
        let fits = |&blocks: &usize| {
            let leaves_half = || 2 * u32::from(self.mss(path, blocks)) >= u32::from(self.mss(path, 0));
            self.option_octets(blocks) <= room && (!on_text || leaves_half())
        };
        (0..=most).rev().find(fits).unwrap_or(0)
    }

    /// Octets of the initial window (RFC 6928 §2; after a SYN was lost more than once, one segment).
    pub(super) fn initial_window(&self, config: &Config) -> u32 {
        let mss = u32::from(self.eff_snd_mss);
        let segments = u32::from(config.initial_window());
        let initial = (segments * mss).min((2 * mss).max(14_600));
        if self.snd.syn && self.snd.repeats > 1 { mss } else { initial }
    }

    /// The text of this segment that arrived before, if that is to be reported.
    pub(super) fn duplicate_of(&self, segment: &Segment, config: &Config) -> Option<(SeqNum, SeqNum)> {
        let len = segment.payload_len();
        if self.reports_duplicates(config) { self.rcv.duplicate_in(segment.seq, len) } else { None }
    }

    /// Whether text that arrived before is to be reported (RFC 2883).
    pub(super) fn reports_duplicates(&self, config: &Config) -> bool {
        SACK && self.sack.is_agreed() && config.dsack() && !self.snd.syn // text of the SYN is held, not acknowledged
    }

    /// "Return this connection to the LISTEN state"; but a user who has closed does not listen any more.
    pub(super) fn return_to_listen(&self, reason: CloseReason) -> Stop {
        if self.snd.fin == Fin::None { Stop::ReturnToListen } else { Stop::Delete(reason) }
    }

    /// Whether our FIN is acknowledged.
    pub(super) fn fin_acked(&self) -> bool {
        self.snd.fin == Fin::Acked
    }

    /// "Start the time-wait timer, turn off the other timers."
    pub(super) fn enter_time_wait(&mut self, cx: &mut Cx<'_, '_>) {
        self.state = LiveState::TimeWait;
        self.echo = Echo::default(); // RFC 3168 §6.1.1
        cx.timers.clear_all();
        self.restart_time_wait(cx);
    }

    pub(super) fn restart_time_wait(&mut self, cx: &mut Cx<'_, '_>) {
        let wait = planted!(no_time_wait, cx.config.msl().saturating_mul(2), Default::default());
        cx.timers.set(Timer::TimeWait, cx.now + wait); // MUST-13
    }

    /// Text or FIN moved on, or a closed window was confirmed.
    pub(super) fn progressed(&mut self, now: Instant) {
        self.pending_since = self.pending_since.get().map(|_| now).into();
        self.retries = 0;
    }

    pub(super) fn check_invariants(&self, limits: &Limits, path: &Path) -> Result<(), Broken> {
        holds(self.eff_snd_mss == self.mss(path, 0), "Eff.snd.MSS is another")?;
        holds(self.sack.most() <= SackBlocks::MAX, "more SACK blocks than an option area holds")?;
        self.snd.check_invariants()?;
        if self.state != LiveState::TimeWait {
            self.snd.check_place()?; // a TIME-WAIT that was a value has forgotten its ISS
        }
        self.rcv.check_invariants(limits)?;
        if self.ack == PendingAck::No && self.state.receives() {
            self.rcv.check_told()?;
        }
        let gone = self.snd.fin != Fin::None && (self.rcv.user() == 0 || self.state == LiveState::TimeWait);
        holds(!self.released || gone, "the user is gone, and has not closed or left text")?;
        let fin_of_peer_processed = match self.state {
            LiveState::SynReceived | LiveState::Established | LiveState::FinWait1 | LiveState::FinWait2 => false,
            LiveState::CloseWait | LiveState::Closing | LiveState::LastAck | LiveState::TimeWait => true,
        };
        let processed = self.rcv.fin().is_some_and(|fin| self.rcv.nxt == fin + 1);
        holds(fin_of_peer_processed == processed, "the peer's FIN does not agree with the state")?;
        holds(self.snd.syn == (self.state == LiveState::SynReceived), "our SYN does not agree with the state")?;
        let fin = match self.state {
            LiveState::SynReceived | LiveState::CloseWait => !self.snd.fin_sent(),
            LiveState::Established => self.snd.fin == Fin::None,
            LiveState::FinWait1 | LiveState::Closing => self.snd.fin == Fin::Queued,
            LiveState::LastAck => self.snd.fin == Fin::Queued && self.snd.nxt == self.snd.end(),
            LiveState::FinWait2 | LiveState::TimeWait => self.snd.fin == Fin::Acked,
        };
        holds(fin, "our FIN does not agree with the state")
    }

    /// Nothing happened later than now.
    pub(super) fn check_times(&self, now: Instant) -> Result<(), Broken> {
        self.snd.check_times(now)
    }

    /// Numbers relative to ISS and IRS, times relative to now.
    pub(super) fn rebase(&mut self, now: Instant) {
        let Self {
            state: _,
            origin: _,
            snd: _,
            rcv: _,
            eff_snd_mss: _,
            scaled: _,
            sack: _,
            ts: _,
            ecn: _,
            echo: _,
            ack: _,
            duplicate: _,
            released: _,
            seldom: _,
            prediction: _,
            keep_alive: _,
            pending_since: _,
            remote_user_timeout: _,
            owes_user_timeout: _,
            retries: _,
            overridden: _,
        } = self; // a field that is added has to be looked at here
        let irs = self.rcv.irs;
        let ago = |at: Instant| Instant::from_micros(at.as_micros().wrapping_sub(now.as_micros()));
        let age = |at: Instant| Instant::from_micros(now.since(at).get());
        self.snd.rebase(irs, now);
        self.rcv.rebase(now);
        if let Some(ts) = &mut self.ts {
            ts.rebase(irs, now);
        }
        self.keep_alive.since = ago(self.keep_alive.since);
        self.pending_since = self.pending_since.get().map(age).into();
        if let Some(seldom) = self.seldom.active() {
            seldom.throttles = Throttles::UNUSED;
            if let Some(accurate) = &mut seldom.accurate {
                accurate.rebase();
            }
        }
        self.seldom.settle();
        let relative = |seq: SeqNum| SeqNum::new(seq - irs);
        self.duplicate = self.duplicate.map(|text| Duplicate { left: relative(text.left), ..text });
    }
}
