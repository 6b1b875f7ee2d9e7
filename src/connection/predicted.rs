//! The shortcut before the eight steps: the segment that a connection in steady traffic expects next.
//!
//! It leaves out only steps that the predicate has shown to be void. Under `debug_assertions` and fuzzing a clone takes each
//! event of a live connection that may send without shortcuts: the two values and their actions must be equal.

use super::deadlines::Deadlines;
use super::state::LiveState;
use super::steady::{Progress, Steady};
use super::tcb::{Settings, Tcb};
use crate::features::SHORTCUTS;
use crate::recv::ack::Arrival;
use crate::timestamps::older;
use crate::{Action, Config, Controller, Ecn, Flags, Segment, SeqNum, Sink, Timestamps};
use bytes::Bytes;

/// What the next event may leave out, as the state stands at the end of an event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Prediction {
    /// Nothing.
    Off,
    /// The eight steps, where the segment is the expected one.
    Steps,
    /// The flush too: nothing but the stream and acknowledgments can leave, and no timer but the usual ones can run.
    Flush,
}

impl<C: Controller> Tcb<C> {
    /// Whether the connection is established and steady: nothing is missing, nothing is to be reported, and nobody
    /// closes.
    pub(super) fn is_predictable(&self) -> bool {
        self.state == LiveState::Established
            && self.snd.is_steady()
            && self.duplicate.is_none()
            && self.rcv.is_in_order()
    }

    /// What the state allows to leave out.
    pub(super) fn predict(&self, config: &Config, settings: &Settings, timers: &Deadlines) -> Prediction {
        // In AccECN mode every segment has a counter to be looked at (RFC 9768 §3.2.2).
        if !SHORTCUTS || self.ecn.is_accurate() || !self.is_predictable() {
            return Prediction::Off;
        }
        let plain = self.snd.is_ack_clocked(config)
            && !settings.keep_alive
            && !self.owes_user_timeout
            && !self.snd.ecn.owes_cwr()
            && self.snd.path_mtu.is_at_rest()
            && !timers.has_rare();
        if plain { Prediction::Flush } else { Prediction::Steps }
    }

    /// Whether the segment is the next in order: text inside the window, an acknowledgment of something new, or both.
    #[inline]
    pub(super) fn expects(&self, segment: &Segment) -> bool {
        let (text, acked) = (segment.payload.len(), segment.ack - self.snd.una);
        self.prediction != Prediction::Off
            && segment.flags.difference(Flags::PSH) == Flags::ACK
            && segment.seq == self.rcv.nxt
            && self.has_expected_options(segment)
            && u32::try_from(text).is_ok_and(|text| text <= self.rcv.wnd())
            && acked <= self.snd.flight()
            && (text != 0 || acked != 0)
            && segment.ecn != Ecn::Ce
    }

    /// No options but the timestamps that were agreed on, not older than TS.Recent (RFC 7323 §5.3 R1).
    #[inline]
    fn has_expected_options(&self, segment: &Segment) -> bool {
        match (&self.ts, segment.options.common()) {
            (Some(ts), Some(Some(new))) => !older(new.value, ts.recent()),
            (None, Some(None)) => true,
            (None, Some(Some(_)) | None) | (Some(_), Some(None) | None) => false,
        }
    }

    /// What the eight steps do with it; where SND.UNA advances, the caller restarts the sender's timers.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn arrives_as_expected<S: Sink + ?Sized>(
        &mut self,
        segment: Segment,
        steady: &mut Steady<'_, S>,
    ) -> Progress {
        steady.counters.segments_in += 1;
        steady.counters.segments_predicted += 1;
        let Segment { seq, ack, flags, window, options, segment_size, payload, .. } = segment;
        let stamps = options.common().flatten();
        let advances = ack != self.snd.una;
        let progress = if advances { self.advance_as_expected(ack, stamps, steady) } else { Progress::default() }; // fifth step
        self.update_window(seq, ack, u32::from(window) << self.snd.shift, steady.now);
        self.keep_alive.since = steady.now;
        self.keep_alive.unanswered = 0;
        if let Some((ts, new)) = self.ts.as_mut().zip(stamps) {
            ts.follow(new, seq, steady.now);
        }
        if !payload.is_empty() {
            let octets = u32::try_from(payload.len()).unwrap_or(u32::MAX);
            let pushed = flags.contains(Flags::PSH);
            let arrival = Arrival::new(octets, segment_size, self.rcv.policy.rmss(), pushed);
            self.text_arrives(payload, arrival, stamps, steady); // seventh step
        }
        progress
    }

    /// SND.UNA advances over segments that were sent once and in order.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn advance_as_expected<S: Sink + ?Sized>(
        &mut self,
        ack: SeqNum,
        stamps: Option<Timestamps>,
        steady: &mut Steady<'_, S>,
    ) -> Progress {
        let now = steady.now;
        let stamps = self.ts.as_ref().zip(stamps);
        let echoed = || stamps.and_then(|(state, new)| state.shown_at(new.echo, now));
        let text = self.snd.on_expected_ack(ack, u32::from(self.eff_snd_mss), echoed, now);
        self.acknowledged(text, steady)
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn text_arrives<S: Sink + ?Sized>(
        &mut self,
        text: Bytes,
        arrival: Arrival,
        stamps: Option<Timestamps>,
        steady: &mut Steady<'_, S>,
    ) {
        self.rcv.advance_in_order(arrival.octets);
        steady.counters.octets_in += u64::from(arrival.octets);
        steady.sink.push(Action::Deliver(text));
        let stamps = self.ts.as_ref().zip(stamps);
        self.rcv.on_round(|since| stamps.map(|(state, new)| state.has_seen(new.echo, since)), steady.now);
        self.rcv.policy.on_text(arrival, &mut self.ack, steady.config, self.snd.rtt.rto(), steady.now);
    }
}
