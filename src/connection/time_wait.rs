//! What TIME-WAIT does with segments otherwise than the other states (RFC 1337, RFC 6191, RFC 9293 §3.10.7.4).

use alloc::boxed::Box;
use core::ops::ControlFlow::{Break, Continue};

use super::state::{LiveState, Step, Stop};
use super::tcb::{Cx, Tcb};
use crate::timestamps::older;
use crate::{Action, Controller, Discard, Flags, Segment};

impl<C: Controller> Tcb<C> {
    /// TIME-WAIT looks at RST and at a SYN that may open a successor before anything else (RFC 1337, RFC 6191).
    pub(super) fn check_time_wait(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) -> Step {
        if self.state != LiveState::TimeWait {
            return Continue(());
        }
        if segment.flags.contains(Flags::RST) {
            if cx.config.rfc1337() {
                return self.discard(Discard::TimeWait, cx);
            }
        } else if segment.flags.intersection(Flags::SYN | Flags::ACK) == Flags::SYN && cx.config.time_wait_reuse() {
            if !self.opens_successor(segment, cx.config.timestamps()) {
                return self.discard(Discard::TimeWait, cx);
            }
            cx.out.push(Action::Successor { syn: Box::new(segment.clone()), iss_after: self.snd.nxt });
            return Break(Stop::Drop);
        }
        Continue(())
    }

    /// RFC 6191 §2: a later timestamp or, where that does not decide, a later number than the last of this incarnation
    /// (MAY-2).
    fn opens_successor(&self, syn: &Segment, timestamps_enabled: bool) -> bool {
        let later_number = planted!(any_syn_is_a_successor, syn.seq.at_or_after(self.rcv.nxt), true);
        match (&self.ts, syn.options.timestamps().filter(|_| timestamps_enabled)) {
            (Some(ts), Some(new)) => older(ts.recent(), new.value) || (new.value == ts.recent() && later_number),
            (None, Some(_)) => true,
            (Some(_) | None, None) => later_number,
        }
    }

    /// TIME-WAIT: the peer's FIN again restarts 2 MSL; anything else is only answered.
    pub(super) fn time_wait_unacceptable<T>(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) -> Step<T> {
        planted!(silent_time_wait, self.answer_unacceptable(segment, cx), ());
        if segment.flags.contains(Flags::FIN) && segment.end() == self.rcv.nxt {
            self.restart_time_wait(cx);
            return Break(Stop::Drop);
        }
        self.discard(Discard::TimeWait, cx)
    }

    /// Fifth, TIME-WAIT: an ACK tells nothing any more, neither of what we sent nor of a window or a user timeout to
    /// send by. What follows the peer's FIN is ignored (seventh), but answered.
    pub(super) fn time_wait_acceptable(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) -> Step {
        if segment.is_empty() {
            return self.discard(Discard::TimeWait, cx);
        }
        self.heard(segment, cx.now);
        self.ack.at_once();
        self.discard(Discard::AfterFin, cx)
    }
}
