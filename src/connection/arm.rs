//! Which timers run: every deadline that follows from the state at the end of an event.

use super::state::LiveState;
use super::tcb::{Cx, Tcb};
use crate::recv::ack::PendingAck;
use crate::send::Wait;
use crate::time::Micros;
use crate::{Action, Controller, Instant, Timer};

/// When a burst that was cut goes on without the host's `Continue`.
const CONTINUE_AFTER: Micros = Micros::from_millis(1);

impl<C: Controller> Tcb<C> {
    /// Sets every deadline that follows from the state; what waits always has one (MUST-60). `wait` is why transmission
    /// stopped; `None`: a burst was cut.
    pub(super) fn arm_timers(&mut self, wait: Option<Wait>, cx: &mut Cx<'_, '_>) {
        if self.state == LiveState::TimeWait {
            return; // all others are turned off
        }
        let pending = self.snd.is_pending();
        let probing = pending && self.snd.is_shut_out();
        self.arm_retransmission(pending, probing, cx);
        self.arm_recovery(probing, cx);
        self.arm_sending(wait, probing, cx);
        self.arm_idle(pending, cx);
        self.arm_patience(pending, cx);
    }

    /// The retransmission timer runs while something is in flight; the persist timer takes its place while the window
    /// is closed, however it was closed (MUST-35). A window that opens answers the probes, as one confirmed as closed does
    /// (MUST-37).
    fn arm_retransmission(&mut self, pending: bool, probing: bool, cx: &mut Cx<'_, '_>) {
        if probing {
            self.overtake(Timer::Retransmit, cx);
            cx.timers.start(Timer::Persist, cx.now + self.snd.persist_interval(cx.config.max_rto().into()));
        } else if cx.timers.is_set(Timer::Persist) {
            self.overtake(Timer::Persist, cx);
            if !self.released {
                self.progressed(cx.now);
            }
        }
        if !probing && self.snd.flight() > planted!(no_timeout_of_the_fin, 0, u32::from(self.snd.fin_sent())) {
            let runs = cx.timers.get(Timer::Retransmit).is_some_and(|at| !self.snd.is_of_hold(at));
            if !runs {
                if cx.timers.has_rare() {
                    self.overtake_holds(cx);
                }
                cx.timers.set(Timer::Retransmit, cx.now + self.snd.rtt.rto());
            }
        } else if let Some(until) = self.snd.held_by_mark(cx.now).filter(|_| pending && !probing) {
            cx.timers.set(Timer::Retransmit, until);
        } else {
            cx.timers.clear(Timer::Retransmit);
        }
    }

    /// What ends a wait of the sender's own: pacing, the override timeout, a burst that was cut.
    fn arm_sending(&mut self, wait: Option<Wait>, probing: bool, cx: &mut Cx<'_, '_>) {
        if wait != Some(Wait::Pace) && cx.timers.is_set(Timer::Pace) {
            self.overtake_hold(Timer::Pace, cx);
        }
        if !probing && matches!(wait, Some(Wait::Silly | Wait::Cork)) {
            cx.timers.start(Timer::Override, cx.now + Micros::from(cx.config.sws_override()));
        } else if cx.timers.is_set(Timer::Override) {
            self.overtake_hold(Timer::Override, cx);
        }
        match wait {
            None => {
                cx.out.push(Action::MorePending);
                cx.timers.start(Timer::Continue, cx.now + CONTINUE_AFTER);
            }
            Some(_) if cx.timers.is_set(Timer::Continue) => self.overtake_hold(Timer::Continue, cx),
            Some(_) => {}
        }
    }

    /// Memory for sending is given back an RTO after all was acknowledged; steady traffic finds it where it was.
    fn arm_idle(&self, pending: bool, cx: &mut Cx<'_, '_>) {
        if pending {
            cx.timers.clear(Timer::Idle);
        } else if !self.pending_since.is_none() && !self.fin_acked() {
            cx.timers.set(Timer::Idle, cx.now + self.snd.rtt.rto()); // this event acknowledged the last
        }
    }

    /// RACK's timers (RFC 8985 §7.2, §8). The probe comes no later than the retransmission timeout, and first.
    fn arm_recovery(&mut self, probing: bool, cx: &mut Cx<'_, '_>) {
        cx.timers.put(Timer::Reorder, self.snd.reorder_at().filter(|_| !probing));
        let after = self.snd.tail_probe_after(u32::from(self.eff_snd_mss), cx.config.max_ack_delay().into());
        match after.filter(|_| !probing).zip(cx.timers.get(Timer::Retransmit)) {
            Some((after, rto)) => {
                cx.timers.start(Timer::TailLossProbe, (cx.now + after).min(rto));
            }
            None => cx.timers.clear(Timer::TailLossProbe),
        }
    }

    /// The timers that end a wait for the peer: user timeout, keep-alive, FIN-WAIT-2; and the delayed ACK that ends the
    /// peer's.
    fn arm_patience(&mut self, pending: bool, cx: &mut Cx<'_, '_>) {
        self.pending_since = pending.then(|| self.pending_since.get().unwrap_or(cx.now)).into();
        let user_timeout = self.user_timeout(cx.config, cx.settings);
        let limit = if self.snd.syn { cx.config.connect_timeout().map(Micros::from) } else { user_timeout };
        cx.timers.put(
            Timer::UserTimeout,
            self.pending_since.get().zip(limit).map(|(since, limit)| self.patience(since + limit, cx)),
        );
        self.arm_delayed_ack(cx);
        self.arm_keep_alive(pending, cx);
        if self.state == LiveState::FinWait2 && self.released {
            cx.timers.start(Timer::FinWait2, cx.now + cx.config.fin_wait_2());
        } else {
            cx.timers.clear(Timer::FinWait2);
        }
    }

    /// When patience ends that was to end at `limit`: not before there is evidence. A segment in flight that was not
    /// sent again yet gives some within three RTOs after its own.
    fn patience(&self, limit: Instant, cx: &Cx<'_, '_>) -> Instant {
        let timeout = cx.timers.get(Timer::Retransmit).filter(|_| self.snd.flight() > 0);
        match timeout {
            Some(timeout) if timeout + self.snd.rtt.rto().times(3) <= limit => limit,
            Some(_) | None => limit.max(self.evidence(cx)),
        }
    }

    pub(super) fn arm_delayed_ack(&self, cx: &mut Cx<'_, '_>) {
        if matches!(self.ack, PendingAck::Delayed { .. }) {
            cx.timers.start(Timer::DelayedAck, cx.now + Micros::from(cx.config.delayed_ack()));
        } else {
            cx.timers.clear(Timer::DelayedAck);
        }
    }

    pub(super) fn arm_keep_alive(&self, pending: bool, cx: &mut Cx<'_, '_>) {
        if !cx.settings.keep_alive || pending {
            return cx.timers.clear(Timer::KeepAlive);
        }
        let keeps_alive = match self.state {
            LiveState::Established | LiveState::FinWait2 | LiveState::CloseWait => true,
            LiveState::SynReceived
            | LiveState::FinWait1
            | LiveState::Closing
            | LiveState::LastAck
            | LiveState::TimeWait => false,
        };
        cx.timers.put(Timer::KeepAlive, keeps_alive.then(|| self.next_keep_alive(cx)));
    }
}
