//! SYN-RECEIVED and the end of the handshake (RFC 9293 §3.10.7.4).

use core::ops::ControlFlow::Continue;

use super::arrives::Arrived;
#[cfg(feature = "fast-open")]
use super::state::Origin;
use super::state::{LiveState, Step};
use super::tcb::{Cx, Tcb};
use crate::ecn::Echo;
use crate::send::Fin;
use crate::{Action, Controller, Discard, Flags, Segment};

impl<C: Controller> Tcb<C> {
    /// SYN-RECEIVED: an acceptable ACK completes the handshake, another one is answered by a reset (§3.5.2).
    pub(super) fn check_handshake_ack(&mut self, segment: &Segment, arrived: &Arrived, cx: &mut Cx<'_, '_>) -> Step {
        self.refuse_handshake_ack(segment, cx)?;
        self.establish(segment, arrived.syn_ack, cx);
        self.snd.set_window(arrived.window, segment.seq, segment.ack);
        Continue(())
    }

    /// SYN-RECEIVED: a reset answers what acknowledges something that we did not send (§3.5.2, group 2), beyond the window
    /// as well: else two ends with small windows, each synchronized with another one than its peer, would tell each other
    /// for ever that their numbers are wrong.
    pub(super) fn refuse_handshake_ack(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) -> Step {
        let refuses = self.state == LiveState::SynReceived
            && segment.flags.contains(Flags::ACK)
            && planted!(handshake_takes_any_ack, !self.snd.is_news(segment.ack), false);
        if !refuses {
            return Continue(());
        }
        cx.transmit_reset_reply(segment);
        self.discard(Discard::BadHandshakeAck, cx)
    }

    /// Our SYN is acknowledged: ESTABLISHED, or on to FIN-WAIT-1 when the user has closed meanwhile.
    pub(super) fn establish(&mut self, segment: &Segment, syn_ack: bool, cx: &mut Cx<'_, '_>) {
        let marked = self.hear_handshake(segment, syn_ack);
        let early = self.end_fast_open();
        if !early || marked || self.snd.repeats > 0 {
            let initial = if marked { u32::from(self.eff_snd_mss) } else { self.initial_window(cx.config) };
            self.start_sending(initial, cx);
        }
        self.process_ack(segment, false, false, cx);
        #[cfg(feature = "fast-open")]
        if self.origin == Origin::Active {
            self.snd.repeat_early();
        }
        self.agree_on_feedback();
        self.echo = Echo::new(self.ecn.echoes());
        self.snd.shrink(); // the record of our SYN
        self.pending_since = self.pending_since.get().filter(|_| self.snd.is_pending()).into();
        self.state = match self.snd.fin {
            Fin::None => LiveState::Established,
            Fin::Queued | Fin::Acked => LiveState::FinWait1,
        };
        self.tell_connected(early, cx);
    }

    /// The congestion controller starts with this window.
    pub(super) fn start_sending(&mut self, initial: u32, cx: &Cx<'_, '_>) {
        self.snd.tell_pacing(cx.config);
        let seed = self.seed();
        self.snd.cc.seed(seed);
        self.snd.cc.start(u32::from(self.eff_snd_mss), initial, cx.now);
    }

    /// What came on the SYN is held at RCV.NXT until the handshake is complete.
    pub(super) fn deliver_syn_text(&mut self, cx: &mut Cx<'_, '_>) -> Step {
        if !self.rcv.holds_next() {
            return Continue(());
        }
        if self.released {
            return self.reset_unread(cx);
        }
        self.deliver_held(cx);
        Continue(())
    }

    /// What is held at RCV.NXT goes to the user.
    pub(super) fn deliver_held(&mut self, cx: &mut Cx<'_, '_>) {
        self.ack.at_once();
        let out = &mut *cx.out;
        self.rcv.release_held(&mut |text| {
            out.counters.octets_in += u64::try_from(text.len()).unwrap_or(0);
            out.push(Action::Deliver(text));
        });
    }
}
