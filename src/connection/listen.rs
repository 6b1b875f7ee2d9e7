//! SEGMENT ARRIVES in LISTEN (RFC 9293 §3.10.7.2).

use super::state::Origin;
use super::tcb::{Cx, OurHalf, Tcb};
use crate::counts::trimmed;
use crate::ecn::Handshake;
use crate::recv::limits::keep_front;
use crate::send::Sender;
use crate::{Controller, Discard, Flags, Secrets, Segment, SeqNum};

/// The LISTEN state for one peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Listen<C> {
    pub(super) controller: C,
    /// Used up by the first SYN: no ISS serves twice.
    pub(super) secrets: Option<Secrets>,
}

impl<C: Controller> Listen<C> {
    /// The first four checks. A SYN uses the secrets up; it makes a TCB in SYN-RECEIVED.
    pub(super) fn check(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) -> Option<Secrets> {
        if segment.flags.contains(Flags::RST) {
            cx.out.discard(Discard::NotSyn); // first: a reset could not be valid
            return None;
        }
        if segment.flags.contains(Flags::ACK) {
            cx.transmit_reset_reply(segment); // second: any acknowledgment is bad
            cx.out.discard(Discard::AckInListen);
            return None;
        }
        if !segment.flags.contains(Flags::SYN) {
            cx.out.discard(Discard::NotSyn); // fourth
            return None;
        }
        if segment.flags.contains(Flags::FIN) && cx.config.drop_syn_fin() {
            cx.out.discard(Discard::SynFin);
            return None;
        }
        let secrets = self.secrets.take(); // third
        if secrets.is_none() {
            cx.out.discard(Discard::NotArmed);
        }
        secrets
    }

    /// The numbers to come count from themselves.
    pub(super) fn rebase(&mut self) {
        let Self { controller: _, secrets: _ } = self; // a field that is added has to be looked at here
        self.secrets = self.secrets.map(|_| Secrets { iss: SeqNum::new(0), ts_offset: 0 });
    }
}

/// SYN-RECEIVED by a passive OPEN. The SYN,ACK leaves with the flush.
pub(super) fn opened<C: Controller>(controller: C, secrets: Secrets, syn: &Segment, cx: &mut Cx<'_, '_>) -> Tcb<C> {
    let snd = Sender::new(secrets.iss, controller, cx.config, cx.now);
    let ours = OurHalf { snd, ts_offset: secrets.ts_offset, opened: cx.now, ecn: Handshake::default() };
    let mut tcb = Tcb::new(Origin::Listen, ours, syn, cx);
    tcb.hold_syn_text(syn, cx);
    tcb.hear_user_timeout(syn.options.user_timeout(), cx);
    tcb
}

impl<C: Controller> Tcb<C> {
    /// Text, FIN and URG on a SYN are processed when the handshake is complete; SYN,ACK acknowledges the SYN only. No
    /// more than one segment of text is held.
    pub(super) fn hold_syn_text(&mut self, syn: &Segment, cx: &mut Cx<'_, '_>) {
        let first = syn.seq + 1;
        self.rcv.hold_urgent(syn.urgent_end());
        let room = usize::try_from(self.rcv.wnd()).unwrap_or(usize::MAX);
        let most = room.min(usize::from(crate::options::announced_mss(cx.config, cx.path)));
        let mut text = syn.payload.clone();
        let whole = text.len() <= most;
        cx.out.counters.trimmed(trimmed(text.len(), 0, most));
        keep_front(&mut text, most);
        self.rcv.hold(first, &text, &cx.limits());
        let end = syn.end() - 1;
        if whole && syn.flags.contains(Flags::FIN) && end.within(self.rcv.nxt, self.rcv.wnd()) {
            self.rcv.note_fin(end);
        }
    }
}
