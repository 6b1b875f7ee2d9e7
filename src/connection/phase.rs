//! The phases of a connection: §3.10.7 has four rules for arriving segments, and these are the data each has.

use core::mem;
use core::ops::ControlFlow::{Break, Continue};

use super::listen::{Listen, opened};
use super::predicted::Prediction;
use super::state::{LiveState, Step, Stop};
use super::syn_sent::{Outcome, SynSent};
use super::tcb::{Cx, Tcb};
use crate::features::SHORTCUTS;
use crate::send::Sender;
use crate::{Action, Controller, Discard, Event, Segment};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(clippy::large_enum_variant)] // nearly all connections are `Live`: a box would cost an allocation and a hop for each
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Phase<C> {
    Closed,
    Listen(Listen<C>),
    SynSent(SynSent<C>),
    Live(Tcb<C>),
}

impl<C: Controller> Phase<C> {
    pub(super) fn sender(&self) -> Option<&Sender<C>> {
        match self {
            Self::Closed | Self::Listen(_) => None,
            Self::SynSent(opening) => Some(&opening.snd),
            Self::Live(tcb) => Some(&tcb.snd),
        }
    }

    /// The sending side, to change it.
    pub(super) fn sender_mut(&mut self) -> Option<&mut Sender<C>> {
        match self {
            Self::Closed | Self::Listen(_) => None,
            Self::SynSent(opening) => Some(&mut opening.snd),
            Self::Live(tcb) => Some(&mut tcb.snd),
        }
    }

    /// Whether an event may take a shortcut: text of ours may still leave.
    pub(super) fn has_shortcuts(&self) -> bool {
        match self {
            Self::Closed | Self::Listen(_) | Self::SynSent(_) => false,
            Self::Live(tcb) => SHORTCUTS && tcb.state.sends(),
        }
    }

    /// Whether nothing of ours is queued or in flight, and none of the sender's timers runs.
    pub(super) fn is_quiet(&self) -> bool {
        match self {
            Self::Closed | Self::Listen(_) | Self::SynSent(_) => false,
            Self::Live(tcb) => tcb.state == LiveState::Established && tcb.is_quiet(),
        }
    }

    /// Whether the flush is that of steady traffic.
    #[inline]
    pub(super) fn flushes_steadily(&self) -> bool {
        match self {
            Self::Closed | Self::Listen(_) | Self::SynSent(_) => false,
            Self::Live(tcb) => tcb.prediction == Prediction::Flush,
        }
    }

    /// Whether this is the segment that steady traffic expects.
    pub(super) fn expects(&self, segment: &Segment) -> bool {
        match self {
            Self::Closed | Self::Listen(_) | Self::SynSent(_) => false,
            Self::Live(tcb) => tcb.expects(segment),
        }
    }

    pub(super) fn dispatch(&mut self, event: &mut Event, cx: &mut Cx<'_, '_>) {
        match event {
            Event::Segment(segment) => self.segment_arrives(segment, cx),
            Event::Segments(segments) => segments.iter_mut().for_each(|segment| self.segment_arrives(segment, cx)),
            Event::Timer(_) => self.timeouts(cx),
            Event::Send(text) => self.queue_text(mem::take(text), true, false, cx),
            Event::SendMore(text) => self.queue_text(mem::take(text), false, false, cx),
            Event::SendUrgent(text) => self.queue_text(mem::take(text), true, true, cx),
            Event::Batch(_) | Event::Consume(_) | Event::Continue | Event::Set(_) => {} // their callers look after them
            Event::Close => self.close_call(cx),
            Event::Release => self.release_call(cx),
            Event::Abort => self.abort_call(cx),
            Event::Mtu(mtu) => self.mtu(*mtu, cx),
            Event::Icmp { kind, quoted_seq, mtu } => self.icmp((*kind, *quoted_seq, *mtu), cx),
            Event::Rearm(secrets) => self.rearm(*secrets),
        }
    }

    /// SEGMENT ARRIVES: one of the four rules.
    pub(super) fn segment_arrives(&mut self, segment: &mut Segment, cx: &mut Cx<'_, '_>) {
        if let Self::Live(tcb) = self {
            if cx.takes_shortcuts() && tcb.is_predictable() && tcb.expects(segment) {
                let progress = tcb.arrives_as_expected(mem::take(segment), &mut cx.steady());
                if progress.acked > 0 {
                    cx.timers.stop_sender(); // the flush starts them again
                }
                return cx.out.note_progress(progress);
            }
        }
        cx.out.counters.segments_in += 1;
        let step = match self {
            Self::Live(tcb) => tcb.segment_arrives(segment, cx),
            Self::SynSent(_) => self.syn_sent_arrives(segment, cx),
            Self::Listen(_) => {
                self.listen_arrives(segment, cx);
                Continue(())
            }
            Self::Closed => {
                cx.transmit_reset_reply(segment); // §3.10.7.1
                cx.out.discard(Discard::NoConnection);
                Break(Stop::Drop)
            }
        };
        if let Break(stop) = step {
            self.stop(stop, cx);
        }
    }

    /// LISTEN becomes SYN-RECEIVED by a SYN.
    fn listen_arrives(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) {
        let Self::Listen(listen) = self else { return };
        let Some(secrets) = listen.check(segment, cx) else { return };
        if let Self::Listen(Listen { controller, .. }) = mem::replace(self, Self::Closed) {
            *self = Self::Live(opened(controller, secrets, segment, cx));
        }
    }

    /// SYN-SENT becomes what the segment makes of it.
    fn syn_sent_arrives(&mut self, segment: &mut Segment, cx: &mut Cx<'_, '_>) -> Step {
        let Self::SynSent(opening) = self else { return Continue(()) };
        let outcome = opening.check(segment, cx)?;
        cx.timers.clear_all();
        let Self::SynSent(opening) = mem::replace(self, Self::Closed) else { return Continue(()) };
        match outcome {
            Outcome::Established => {
                let (tcb, step) = Tcb::complete(opening, segment, cx);
                *self = Self::Live(tcb);
                step
            }
            Outcome::SynReceived => {
                *self = Self::Live(Tcb::cross(opening, segment, cx));
                Continue(())
            }
        }
    }

    /// Runs the timers that are due.
    fn timeouts(&mut self, cx: &mut Cx<'_, '_>) {
        cx.timers.fired();
        while let Some(due) =
            cx.timers.take_due(planted!(run_timers_early, cx.now, cx.now + core::time::Duration::from_secs(1)))
        {
            let step = match self {
                Self::Closed | Self::Listen(_) => Continue(()),
                Self::SynSent(opening) => opening.timeout(due, cx),
                Self::Live(tcb) => tcb.timeout(due, cx),
            };
            if let Break(stop) = step {
                self.stop(stop, cx);
            }
        }
    }

    /// The end of every event: what may be sent is sent.
    pub(super) fn flush(&mut self, cx: &mut Cx<'_, '_>) {
        match self {
            Self::Closed | Self::Listen(_) => {}
            Self::SynSent(opening) => opening.flush(cx),
            Self::Live(tcb) => tcb.flush(cx),
        }
    }

    /// Leaves a phase by dropping it.
    pub(super) fn stop(&mut self, stop: Stop, cx: &mut Cx<'_, '_>) {
        match stop {
            Stop::Drop => {}
            Stop::Delete(reason) => {
                *self = Self::Closed;
                cx.timers.clear_all();
                cx.settings.forget_peer();
                cx.out.closed(reason);
            }
            Stop::ReturnToListen => {
                if let Self::Live(tcb) = mem::replace(self, Self::Closed) {
                    *self = Self::Listen(Listen { controller: tcb.snd.cc, secrets: None });
                }
                cx.timers.clear_all();
                cx.settings.forget_peer();
                cx.out.push(Action::ReturnedToListen);
            }
        }
    }
}
