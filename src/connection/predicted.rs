//! The shortcut before the eight steps: the segment that a connection in steady traffic expects next.
//!
//! What it leaves out it leaves out because the predicate has shown that there is nothing to do. Under
//! `debug_assertions` and fuzzing each predicted segment also takes the eight steps, on a clone: the two values and their
//! actions must be equal.

use super::state::LiveState;
use super::tcb::{Cx, Tcb};
use crate::recv::ack::{Arrival, PendingAck};
use crate::timestamps::older;
use crate::{Action, Controller, Ecn, Flags, Segment, Timer};

impl<C: Controller> Tcb<C> {
    /// Whether the segment is the next in order on a steady connection where nothing is missing and nobody closes: text inside
    /// the window, an acknowledgment of something new, or both.
    pub(super) fn expects(&self, segment: &Segment) -> bool {
        let (text, acked) = (segment.payload.len(), segment.ack - self.snd.una);
        self.state == LiveState::Established
            && segment.flags.difference(Flags::PSH) == Flags::ACK
            && segment.seq == self.rcv.nxt
            && self.has_expected_options(segment)
            && u32::try_from(text).is_ok_and(|text| text <= self.rcv.wnd())
            && acked <= self.snd.flight()
            && (text != 0 || acked != 0)
            && segment.ecn != Ecn::Ce
            && self.duplicate.is_none()
            && self.rcv.is_in_order()
    }

    /// No options but the timestamps that were agreed on, not older than TS.Recent (RFC 7323 §5.3 R1).
    fn has_expected_options(&self, segment: &Segment) -> bool {
        let options = &segment.options;
        let timely = match (&self.ts, options.timestamps()) {
            (None, None) => true,
            (Some(ts), Some(new)) => !older(new.value, ts.recent()),
            (None, Some(_)) | (Some(_), None) => false,
        };
        timely && options.rare().is_none()
    }

    /// What the eight steps do with it.
    pub(super) fn arrives_as_expected(&mut self, segment: &mut Segment, cx: &mut Cx<'_, '_>) {
        cx.out.counters.segments_in += 1;
        cx.out.counters.segments_predicted += 1;
        if segment.ack != self.snd.una {
            self.advance_as_expected(segment, cx); // fifth
        }
        self.update_window(segment, u32::from(segment.window) << self.snd.shift, cx);
        self.keep_alive.heard = cx.now;
        self.keep_alive.unanswered = 0;
        if let Some((ts, new)) = self.ts.as_mut().zip(segment.options.timestamps()) {
            ts.follow(new, segment.seq, cx.now);
        }
        if !segment.payload.is_empty() {
            self.text_arrives(segment, cx); // seventh
        }
    }

    /// SND.UNA advances over segments that were sent once and in order.
    fn advance_as_expected(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) {
        let (opened, now) = (self.snd.opened, cx.now);
        let stamps = self.ts.as_ref().zip(segment.options.timestamps());
        let echoed = || stamps.and_then(|(state, new)| state.shown_at(new.echo, opened, now));
        let text = self.snd.on_expected_ack(segment.ack, u32::from(self.eff_snd_mss), echoed, now);
        cx.timers.clear(Timer::Retransmit); // the flush starts it again
        self.acknowledged(text, cx);
    }

    fn text_arrives(&mut self, segment: &mut Segment, cx: &mut Cx<'_, '_>) {
        let text = core::mem::take(&mut segment.payload);
        let octets = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let pushed = segment.flags.contains(Flags::PSH);
        let arrival = Arrival::new(octets, segment.segment_size, self.rcv.policy.rmss(), pushed);
        self.rcv.advance(text.len());
        cx.out.counters.octets_in += u64::from(octets);
        cx.out.push(Action::Deliver(text));
        let stamps = self.ts.as_ref().zip(segment.options.timestamps());
        self.rcv.on_round(|since| stamps.map(|(state, new)| state.has_seen(new.echo, since)), cx.now);
        self.rcv.policy.on_text(arrival, &mut self.ack, cx.config, self.snd.rtt.rto(), cx.now);
    }

    /// Whether nothing is queued or in flight, and was not when the event began: no deadline moves but those of the receiver.
    pub(super) fn is_quiet(&self) -> bool {
        self.pending_since.is_none() && !self.snd.is_pending()
    }

    /// The flush where nothing can leave but the acknowledgment.
    pub(super) fn flush_quietly(&mut self, cx: &mut Cx<'_, '_>) {
        match self.ack {
            PendingAck::Now | PendingAck::Pure => self.transmit_owed_ack(cx),
            PendingAck::No => {}
            PendingAck::Delayed { .. } => self.arm_delayed_ack(cx),
        }
        if cx.settings.keep_alive {
            self.arm_keep_alive(false, cx);
        }
    }
}
