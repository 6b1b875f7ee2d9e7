//! The segments that carry nothing of the stream: acknowledgments, SYN,ACK, resets, keep-alives.

use bytes::Bytes;

use super::tcb::{Cx, Tcb};
use crate::options::{announced_mss, fitting};
use crate::recv::ack::PendingAck;
use crate::send::{Kind, Plan};
use crate::{Controller, Flags, Options, Segment, SeqNum, Timestamps};

impl<C: Controller> Tcb<C> {
    /// <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>: the acknowledgment that is owed. Where the number lies beyond the peer's
    /// window, see `acceptable_seq`; so below.
    pub(super) fn transmit_owed_ack(&mut self, cx: &mut Cx<'_, '_>) {
        let mut segment = self.segment(Flags::ACK, Bytes::new(), true, cx);
        self.point_urgent(&mut segment);
        self.note_pure_ack(&segment, cx.path);
        cx.out.transmit(segment);
    }

    /// <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> in answer to a segment that is thrown away: it repeats what was said and
    /// changes nothing.
    pub(super) fn transmit_ack(&self, duplicate: Option<(SeqNum, SeqNum)>, cx: &mut Cx<'_, '_>) {
        let options = self.options(false, duplicate, cx);
        let mut segment = Segment {
            seq: self.snd.acceptable_seq(),
            ack: self.rcv.nxt,
            flags: Flags::ACK | self.ecn_flags(options.sack().is_empty()),
            window: self.rcv.promised(),
            options,
            ..Segment::default()
        };
        self.point_urgent(&mut segment);
        cx.out.transmit(segment);
    }

    /// <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>: our SYN again, the peer's having arrived, after this number of timeouts.
    pub(super) fn transmit_syn(&mut self, timeouts: u8, cx: &mut Cx<'_, '_>) {
        let plan = Plan { seq: self.snd.iss, len: 0, syn: true, fin: false, kind: Kind::Again };
        if self.snd.sent(&plan, 1, 1, cx.now) {
            cx.out.counters.rare().retransmissions += 1;
        }
        self.ack = PendingAck::No;
        if let Some(ts) = &mut self.ts {
            ts.last_ack_sent = self.rcv.nxt;
        }
        let flags = Flags::SYN | Flags::ACK | self.ecn.syn_ack_flags(cx.config.ecn(), timeouts);
        let agreed = Options {
            mss: Some(announced_mss(cx.config, cx.path)),
            window_scale: self.offered_shift(cx.config),
            sack_permitted: self.sack.is_agreed(),
            timestamps: self.ts.as_ref().map(|ts| ts.option(cx.now)),
            user_timeout: cx.advertised_user_timeout(),
            ..Options::default()
        };
        let mut options = fitting(cx.config, agreed);
        #[cfg(feature = "fast-open")]
        self.add_fast_open_cookie(&mut options, cx.config, cx.path);
        self.add_syn_ack_option(&mut options, cx.config, cx.path);
        cx.out.transmit(Segment {
            seq: self.snd.iss,
            ack: self.rcv.nxt,
            flags,
            window: self.rcv.syn_ack_window(cx.config),
            options: options.into(),
            ..Segment::default()
        });
    }

    /// <SEQ=SND.NXT><CTL=RST>: the end, from our side, with timestamps (RFC 7323 §5.2); TSecr is zero where there is no
    /// ACK (§3.2).
    pub(super) fn transmit_reset(&self, cx: &mut Cx<'_, '_>) {
        let timestamps = self.ts.as_ref().map(|ts| Timestamps { echo: 0, ..ts.option(cx.now) });
        cx.out.transmit(Segment {
            seq: self.snd.acceptable_seq(),
            flags: Flags::RST | self.accurate().map_or(Flags::empty(), |accurate| accurate.receiver.flags(false)),
            options: timestamps.into(),
            ..Segment::default()
        });
    }

    /// <SEQ=SND.NXT-1><ACK=RCV.NXT><CTL=ACK>, with an octet the peer has (MAY-6) if it must be.
    pub(super) fn transmit_keep_alive(&self, cx: &mut Cx<'_, '_>) {
        let window = self.rcv.promised();
        let seq = self.snd.nxt - 1;
        let timestamps = self.ts.as_ref().map(|ts| ts.option(cx.now));
        let payload = Bytes::from_static(if cx.config.keep_alive_octet() { b"\0" } else { b"" });
        let (ack, flags) = (self.rcv.nxt, Flags::ACK | self.ecn_flags(false));
        cx.out.transmit(Segment { seq, ack, flags, window, options: timestamps.into(), payload, ..Segment::default() });
    }
}
