//! SYN-SENT: our SYN is out (RFC 9293 §3.10.7.3).

use core::ops::ControlFlow::{Break, Continue};

use super::state::{Origin, Step, Stop};
use super::tcb::{Cx, OurHalf, Tcb};
use super::timeouts::evidence;
use crate::ecn::Handshake;
use crate::options::of_syn;
use crate::recv::ack::PendingAck;
use crate::recv::syn_window;
use crate::send::Sender;
use crate::{CloseReason, Controller, Discard, Flags, Instant, Segment, Timer};

/// A connection in SYN-SENT.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct SynSent<C> {
    pub(super) snd: Sender<C>,
    /// When the connection was opened.
    opened: Instant,
    pub(super) ts_offset: u32,
    pub(super) ecn: Handshake,
    /// R2 for SYN counts from here: the active OPEN, later by what the host slept.
    pub(super) pending_since: Instant,
    #[cfg(feature = "fast-open")]
    pub(super) fast_open: Option<super::fast_open::Asked>,
}

/// What a segment makes of SYN-SENT.
pub(super) enum Outcome {
    /// SYN,ACK: ESTABLISHED, and the segment goes on at the sixth step of §3.10.7.4.
    Established,
    /// SYN: simultaneous open, SYN-RECEIVED.
    SynReceived,
}

impl<C: Controller> SynSent<C> {
    pub(super) fn new(snd: Sender<C>, ts_offset: u32, now: Instant) -> Self {
        Self {
            snd,
            opened: now,
            ts_offset,
            ecn: Handshake::default(),
            pending_since: now,
            #[cfg(feature = "fast-open")]
            fast_open: None,
        }
    }

    /// The same with Fast Open.
    #[cfg(feature = "fast-open")]
    pub(super) fn asking(snd: Sender<C>, ts_offset: u32, asked: super::fast_open::Asked, now: Instant) -> Self {
        Self { fast_open: Some(asked), ..Self::new(snd, ts_offset, now) }
    }

    /// The checks of §3.10.7.3, in order. What they let through opens the connection.
    pub(super) fn check(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) -> Step<Outcome> {
        let has_ack = segment.flags.contains(Flags::ACK);
        if has_ack && planted!(syn_sent_takes_any_ack, !self.snd.is_news(segment.ack), false) {
            cx.transmit_reset_reply(segment); // first; none in answer to a reset
            cx.out.discard(Discard::BadHandshakeAck);
            return Break(Stop::Drop);
        }
        if segment.flags.contains(Flags::RST) {
            if has_ack && self.ecn.may_fall_back() {
                self.ecn.refused();
                self.snd.repeat_syn(); // RFC 3168 §6.1.1.1: perhaps a middlebox refused ECN, not the peer us
                if let Some(due) = cx.timers.get(Timer::Retransmit) {
                    self.pending_since += cx.now.since(due); // the host slept: that is no silence of the peer's
                }
                cx.timers.clear(Timer::Retransmit);
                return Break(Stop::Drop);
            }
            if has_ack {
                return Break(Stop::Delete(CloseReason::Refused)); // second; no sequence check (erratum 8167)
            }
            cx.out.discard(Discard::BlindReset);
            return Break(Stop::Drop);
        }
        if !segment.flags.contains(Flags::SYN) {
            cx.out.discard(Discard::NotSyn); // fifth
            return Break(Stop::Drop);
        }
        if segment.flags.contains(Flags::FIN) && cx.config.drop_syn_fin() {
            cx.out.discard(Discard::SynFin);
            return Break(Stop::Drop);
        }
        Continue(if has_ack { Outcome::Established } else { Outcome::SynReceived }) // fourth
    }

    /// Sends the SYN when it is due, and arms the timers.
    pub(super) fn flush(&mut self, cx: &mut Cx<'_, '_>) {
        if let Some(plan) = self.snd.syn_due() {
            let again = self.snd.sent(&plan, 1, 1, cx.now);
            if again {
                cx.out.counters.rare().retransmissions += 1;
            }
            let options = of_syn(cx.config, cx.path, self.ts_offset, cx.advertised_user_timeout(), cx.now);
            #[cfg(feature = "fast-open")]
            let (options, payload) = match self.fast_open {
                Some(_) if !again => self.with_fast_open(options, cx),
                Some(_) | None => (options, bytes::Bytes::new()),
            };
            #[cfg(not(feature = "fast-open"))]
            let payload = bytes::Bytes::new();
            // <SEQ=ISS><CTL=SYN>
            cx.out.transmit(Segment {
                seq: self.snd.iss,
                flags: Flags::SYN | self.ecn.syn_flags(cx.config.ecn()),
                window: syn_window(cx.config),
                options: options.into(),
                payload,
                ..Segment::default()
            });
        }
        let rto = self.snd.rtt.rto();
        cx.timers.start(Timer::Retransmit, cx.now + rto);
        let next = cx.timers.get(Timer::Retransmit).unwrap_or(cx.now);
        let timed_out = evidence(self.snd.repeats, next, rto.backed_off(1, cx.config.max_rto().into()));
        let limit = cx.config.connect_timeout();
        cx.timers.put(Timer::UserTimeout, limit.map(|limit| (self.pending_since + limit).max(timed_out)));
    }

    pub(super) fn rebase(&mut self, now: Instant) {
        let Self {
            snd: _,
            opened: _,
            ts_offset: _,
            ecn: _,
            pending_since: _,
            #[cfg(feature = "fast-open")]
                fast_open: _,
        } = self; // a field that is added has to be looked at here
        let irs = crate::SeqNum::new(0);
        self.snd.rebase(irs, now);
        let ago = |at: Instant| Instant::from_micros(at.as_micros().wrapping_sub(now.as_micros()));
        self.pending_since = ago(self.pending_since);
        self.opened = ago(self.opened);
        self.ts_offset = 0;
    }
}

impl<C: Controller> Tcb<C> {
    /// Our SYN crossed the peer's (MUST-10): SYN-RECEIVED, and a SYN,ACK leaves with the flush.
    pub(super) fn cross(opening: SynSent<C>, syn: &Segment, cx: &mut Cx<'_, '_>) -> Self {
        let SynSent { snd, ts_offset, opened, ecn, pending_since, .. } = opening;
        let mut tcb = Self::new(Origin::Active, OurHalf { snd, ts_offset, opened, ecn }, syn, cx);
        tcb.snd.repeat_syn();
        tcb.snd.set_window(u32::from(syn.window), syn.seq, tcb.snd.iss); // SND.WL2: there is no SEG.ACK
        tcb.pending_since = pending_since.into();
        tcb.hold_syn_text(syn, cx);
        tcb.hear_user_timeout(syn.options.user_timeout(), cx);
        tcb
    }

    /// SYN,ACK: ESTABLISHED; control and text in the segment go on at the sixth step.
    pub(super) fn complete(opening: SynSent<C>, segment: &mut Segment, cx: &mut Cx<'_, '_>) -> (Self, Step) {
        #[cfg(feature = "fast-open")]
        let asked = opening.fast_open;
        let SynSent { snd, ts_offset, opened, ecn, pending_since, .. } = opening;
        let mut tcb = Self::new(Origin::Active, OurHalf { snd, ts_offset, opened, ecn }, segment, cx);
        tcb.pending_since = pending_since.into();
        tcb.establish(segment, true, cx);
        #[cfg(feature = "fast-open")]
        if let Some(asked) = asked {
            tcb.conclude_fast_open(asked, segment, cx);
        }
        let shift = planted!(scale_the_window_of_a_syn, 0, tcb.snd.shift);
        tcb.snd.set_window(u32::from(segment.window) << shift, segment.seq, segment.ack);
        tcb.ack = PendingAck::Now; // <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, with text if there is any
        tcb.answer_syn_ack(segment);
        segment.trim_syn();
        tcb.hear_user_timeout(segment.options.user_timeout(), cx);
        let step = tcb.sixth_and_on(segment, cx);
        (tcb, step)
    }

    /// The sixth step of §3.10.7.4 and those after it.
    fn sixth_and_on(&mut self, segment: &mut Segment, cx: &mut Cx<'_, '_>) -> Step {
        self.check_urg(segment, cx);
        let fin = self.process_text(segment, cx)?;
        self.check_fin(fin, cx);
        Continue(())
    }
}
