//! Timeouts (RFC 9293 §3.10.8): what each timer does when it is due.

use core::ops::ControlFlow::{Break, Continue};

use super::state::{LiveState, Step, Stop};
use super::tcb::{Cx, Tcb};
use crate::time::Micros;
use crate::{Action, CloseReason, Config, Controller, Instant, Report, Timer};

impl<C: Controller> Tcb<C> {
    /// `timer` is due, and so `late`. The flush that follows sets it again where that is due.
    pub(super) fn timeout(&mut self, (timer, late): (Timer, Micros), cx: &mut Cx<'_, '_>) -> Step {
        if self.asks(timer) {
            self.excuse(late, cx);
        }
        match timer {
            Timer::TimeWait => Break(Stop::Delete(CloseReason::Finished)), // TIME-WAIT TIMEOUT
            Timer::FinWait2 => Break(Stop::Delete(CloseReason::FinWait2Timeout)),
            Timer::UserTimeout => self.give_up(),
            Timer::Reorder => {
                let mss = u32::from(self.eff_snd_mss);
                self.snd.on_reorder_timeout(mss, cx.out.counters, cx.now);
                Continue(())
            }
            Timer::TailLossProbe => {
                self.probe_tail(cx);
                Continue(())
            }
            Timer::Retransmit if self.snd.flight() == 0 => Continue(()), // it held back new text (RFC 3168 §6.1.2)
            Timer::Retransmit if self.holds_retransmission(cx) => Continue(()), // nothing left that could be answered
            Timer::Retransmit => self.retransmission_timeout(cx),
            Timer::Persist => {
                self.count_retry(cx.config)?;
                planted!(no_window_probe, self.probe_window(cx), ());
                Continue(())
            }
            Timer::Override => {
                self.overridden = true;
                Continue(())
            }
            Timer::KeepAlive => self.probe_idle_peer(cx),
            Timer::DelayedAck => {
                self.ack.at_once();
                Continue(())
            }
            Timer::Pace | Timer::Continue => Continue(()),
            Timer::Idle => {
                self.snd.rest(cx.now);
                cx.timers.shrink();
                Continue(())
            }
        }
    }

    /// Whether this timer sends what the peer must answer. In flight, that is a retransmission or a probe.
    fn asks(&self, timer: Timer) -> bool {
        match timer {
            Timer::Retransmit | Timer::TailLossProbe | Timer::Persist => true,
            Timer::Override | Timer::Pace | Timer::Continue => self.snd.flight() == 0, // else those above do
            Timer::TimeWait
            | Timer::FinWait2
            | Timer::UserTimeout
            | Timer::Reorder
            | Timer::KeepAlive
            | Timer::DelayedAck
            | Timer::Idle => false,
        }
    }

    /// What asks the peer is `late`: the host slept, and the peer is not to blame. That time does not count for the
    /// user timeout, which the flush sets again.
    fn excuse(&mut self, late: Micros, cx: &mut Cx<'_, '_>) {
        if late > Micros::ZERO {
            let since = self.pending_since.get();
            self.pending_since = since.map(|since| (since + late).min(cx.now)).into(); // not what came before the progress
            cx.timers.clear(Timer::UserTimeout);
        }
    }

    /// `timer`, which asks the peer, stops before the host called for it. If it is overdue, the host slept, and a segment or
    /// the user came first.
    #[inline(never)]
    pub(super) fn overtake(&mut self, timer: Timer, cx: &mut Cx<'_, '_>) {
        self.excuse_overdue(timer, cx);
        cx.timers.clear(timer);
    }

    /// The same for a timer that holds text back, which asks while nothing is in flight.
    #[inline(never)]
    pub(super) fn overtake_hold(&mut self, timer: Timer, cx: &mut Cx<'_, '_>) {
        if self.snd.flight() == 0 {
            self.excuse_overdue(timer, cx);
        }
        cx.timers.clear(timer);
    }

    /// What was held back left, and is the first in flight, before the host called for the timer that held it.
    #[inline(never)]
    pub(super) fn overtake_holds(&mut self, cx: &mut Cx<'_, '_>) {
        for timer in [Timer::Override, Timer::Pace, Timer::Continue] {
            self.excuse_overdue(timer, cx);
        }
    }

    /// The time since `timer` was due is excused, unless patience ended before.
    fn excuse_overdue(&mut self, timer: Timer, cx: &mut Cx<'_, '_>) {
        let ends = cx.timers.get(Timer::UserTimeout);
        if let Some(due) = cx.timers.get(timer).filter(|&due| ends.is_none_or(|ends| due < ends)) {
            self.excuse(cx.now.since(due), cx);
        }
    }

    /// When a retransmission or probe has timed out unanswered: nobody gives up before. Once one has, any instant will
    /// do.
    pub(super) fn evidence(&self, cx: &Cx<'_, '_>) -> Instant {
        // Where the window is open again, the probes of the closed one were answered, and do not count; so, too, on a
        // connection that the user has released.
        let retries = if self.snd.is_shut_out() { self.retries } else { self.retries.min(self.snd.repeats) };
        if retries > 1 {
            return Instant::ZERO; // the first has, even where pacing holds the second back
        }
        let sent = retries.saturating_sub(u16::from(self.holds_retransmission(cx)));
        let (rto, max) = (self.snd.rtt.rto(), cx.config.max_rto().into());
        let next = |timer| cx.timers.get(timer);
        if let Some(probe) = next(Timer::Persist) {
            let after = self.snd.rtt.base_rto().backed_off(self.snd.probes.saturating_add(1).into(), max);
            return evidence(sent, probe, after);
        }
        if self.snd.flight() > 0 {
            let tail = next(Timer::TailLossProbe).map(|probe| probe + rto);
            let timeout = tail.or(next(Timer::Retransmit)).unwrap_or(cx.now);
            return evidence(sent, timeout, rto.backed_off(1, max));
        }
        let held = [Timer::Retransmit, Timer::Override, Timer::Pace, Timer::Continue].into_iter().find_map(next);
        evidence(0, held.unwrap_or(cx.now) + rto, rto.backed_off(1, max))
    }

    /// Whether pacing holds what the last timeout orders, or a burst was cut before it.
    fn holds_retransmission(&self, cx: &Cx<'_, '_>) -> bool {
        self.snd.owes_retransmission()
            && [Timer::Pace, Timer::Continue].into_iter().any(|timer| cx.timers.is_set(timer))
    }

    /// USER TIMEOUT: R2 (MUST-20, MUST-22).
    fn give_up(&self) -> Step {
        let reason = if self.snd.syn { CloseReason::ConnectTimeout } else { CloseReason::UserTimeout };
        Break(Stop::Delete(reason))
    }

    /// One more retransmission or probe without an answer, or the end: R2 as a count.
    fn count_retry(&mut self, config: &Config) -> Step {
        let limit = if self.snd.syn { config.syn_retries() } else { config.data_retries() };
        if limit > 0 && self.retries >= u16::from(limit) {
            return self.give_up();
        }
        self.retries = self.retries.saturating_add(1);
        Continue(())
    }

    /// RETRANSMISSION TIMEOUT.
    fn retransmission_timeout(&mut self, cx: &mut Cx<'_, '_>) -> Step {
        if let Some(at) = self.snd.first_expires(cx.now) {
            self.snd.abandon_recovery(cx.out.counters, cx.now);
            cx.timers.set(Timer::Retransmit, at);
            return Continue(()); // nothing goes again that could be answered: no retry for R2
        }
        self.count_retry(cx.config)?;
        let next_mtu_probe = self.snd.after_mtu_probe_timeout(self.eff_snd_mss.into(), cx.now);
        planted!(no_retransmission, self.snd.on_timeout(cx.out.counters, cx.now), ());
        cx.timers.clear(Timer::TailLossProbe); // RFC 8985 §7.3: none in RTO recovery
        if self.snd.repeats == cx.config.r1().into() {
            cx.out.push(Action::Report(Report::Unresponsive { retransmissions: self.snd.repeats.into() })); // R1
        }
        if !self.snd.syn {
            self.suspect_mtu(next_mtu_probe, cx);
        }
        Continue(())
    }

    /// PTO: one segment more asks for an acknowledgment, and the retransmission timer starts anew (RFC 8985 §7.3).
    fn probe_tail(&mut self, cx: &mut Cx<'_, '_>) {
        if let Some(plan) = self.snd.tail_probe(&self.gate(cx)) {
            self.transmit_plan(&plan, cx);
            cx.out.counters.rare().tail_probes += 1;
        }
        cx.timers.set(Timer::Retransmit, cx.now + self.snd.rtt.rto());
    }

    /// The window is closed: text, or the FIN, asks whether it still is (MUST-36, SHLD-29, SHLD-30).
    fn probe_window(&mut self, cx: &mut Cx<'_, '_>) {
        let plan = self.snd.zero_window_probe(u32::from(self.text_mss(cx.config, cx.path)));
        self.transmit_plan(&plan, cx);
        self.snd.probed(plan.len + u32::from(plan.fin));
        cx.out.counters.rare().probes += 1;
    }

    /// KEEP-ALIVE: a segment the peer must answer, or the end when it answered none (MUST-26, MUST-29, SHLD-12).
    fn probe_idle_peer(&mut self, cx: &mut Cx<'_, '_>) -> Step {
        if self.keep_alive.unanswered >= cx.config.keep_alive_probes() {
            return Break(Stop::Delete(CloseReason::KeepAliveTimeout));
        }
        self.keep_alive.unanswered += 1;
        self.keep_alive.since = cx.now;
        self.transmit_keep_alive(cx);
        Continue(())
    }

    /// The idle time before the first keep-alive. Where the user timeout option is in use, longer than the user timeout
    /// (RFC 5482 §4.2).
    fn keep_alive_idle(&self, cx: &Cx<'_, '_>) -> Micros {
        let in_use = cx.config.user_timeout_option();
        let patience = self.user_timeout(cx.config, cx.settings).filter(|_| in_use);
        let longer = patience.map_or(Micros::ZERO, |patience| patience + Micros::from_secs(1));
        cx.settings.keep_alive_idle.max(longer)
    }

    /// When the next keep-alive is due.
    pub(super) fn next_keep_alive(&self, cx: &Cx<'_, '_>) -> Instant {
        self.keep_alive.since
            + match self.keep_alive.unanswered {
                0 => self.keep_alive_idle(cx),
                _ => cx.config.keep_alive_interval().into(),
            }
    }

    /// Whether a reset is sent when the connection is aborted in this state (§3.10.5).
    pub(super) const fn abort_sends_reset(&self) -> bool {
        match self.state {
            LiveState::SynReceived
            | LiveState::Established
            | LiveState::FinWait1
            | LiveState::FinWait2
            | LiveState::CloseWait => true,
            LiveState::Closing | LiveState::LastAck | LiveState::TimeWait => false,
        }
    }
}

/// When a retransmission has timed out, after `retries` retransmissions since the last progress: the `next` is due
/// then, and `after` is its own timeout. R2 is more than one retransmission (RFC 9293 §3.8.3).
pub(super) fn evidence(retries: u16, next: Instant, after: Micros) -> Instant {
    match retries {
        0 => next + after,
        1 => next,
        2.. => Instant::ZERO,
    }
}
