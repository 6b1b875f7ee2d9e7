//! AccECN mode (RFC 9768): which segments count, what they ask for, and what our segments say.

use alloc::boxed::Box;

use super::seldom::Seldom;
use super::state::{LiveState, Origin, Step, Stop};
use super::tcb::{Cx, Tcb};
use core::ops::ControlFlow::{Break, Continue};

use crate::ecn::accurate::receiver::{Due, Packet};
use crate::ecn::accurate::sender::Told;
use crate::ecn::accurate::{Accurate, ace_of};
use crate::ecn::told;
use crate::features::ACCURATE_ECN;
use crate::rare::Rare;
use crate::recv::ack::{Arrival, PendingAck};
use crate::send::Feedback;
use crate::timestamps::older;
use crate::{
    CloseReason, CompactOptions, Config, Controller, Ecn, Flags, Options, Path, SackBlock, SackBlocks, Segment,
};

impl<C: Controller> Tcb<C> {
    /// The mode is fixed: both half-connections are in AccECN mode, or neither.
    pub(super) fn enter_feedback_mode(&mut self) {
        if self.ecn.is_accurate() && self.accurate().is_none() {
            self.seldom.begin().accurate = Some(Box::new(Accurate::new()));
        }
    }

    /// The counters, in AccECN mode.
    #[inline]
    pub(super) fn accurate(&self) -> Option<&Accurate> {
        if self.ecn.is_accurate() { self.seldom.accurate.as_deref() } else { None }
    }

    pub(super) fn accurate_mut(&mut self) -> Option<&mut Accurate> {
        if self.ecn.is_accurate() { Self::accurate_in(&mut self.seldom) } else { None }
    }

    /// The same, while other parts are in use.
    pub(super) fn accurate_in(seldom: &mut Rare<Seldom>) -> Option<&mut Accurate> {
        if ACCURATE_ECN { seldom.active()?.accurate.as_deref_mut() } else { None }
    }

    /// A connection that is reset, because its peer mixes two kinds of feedback in one handshake (§3.1.5).
    pub(super) fn check_kinds(&self, cx: &mut Cx<'_, '_>) -> Step {
        if !self.ecn.mixes_kinds() {
            return Continue(());
        }
        self.transmit_reset(cx);
        Break(match self.origin {
            Origin::Listen => self.return_to_listen(CloseReason::Reset),
            Origin::Active | Origin::Accept => Stop::Delete(CloseReason::Reset),
        })
    }

    /// The client: a SYN,ACK agreed. The acknowledgment of it is a pure one, before any text (§3.2.2.1), and tells how it
    /// arrived.
    pub(super) fn answer_syn_ack(&mut self, segment: &Segment) {
        let Some(accurate) = self.accurate_mut() else { return };
        accurate.receiver.on_syn_ack(segment.ecn, segment.payload_len());
        accurate.receiver.feed_back(segment.ecn);
        accurate.receiver.test_options();
        self.ack = PendingAck::Pure;
    }

    /// The client, synchronized: the SYN,ACK came again, and its acknowledgment was lost perhaps. "The TCP Client MUST also use
    /// the handshake encoding for the pure ACK of any retransmitted SYN/ACK" that agrees (§3.2.2.1).
    pub(super) fn answers_repeated_syn_ack(&mut self, segment: &Segment) -> bool {
        let agrees = segment.flags.contains(Flags::SYN | Flags::ACK) && told(segment.flags).is_some();
        let repeats = segment.seq == self.rcv.irs && segment.ack == self.snd.iss + 1;
        if !(agrees && repeats && self.ecn.is_accurate_client() && self.state != LiveState::TimeWait) {
            return false;
        }
        if let Some(accurate) = self.accurate_mut() {
            accurate.receiver.on_syn_ack(segment.ecn, 0); // octets on it, if there were any, were counted
            accurate.receiver.feed_back(segment.ecn);
        }
        true
    }

    /// What the handshake says of our SYN or SYN,ACK. Returns whether it was marked: then the initial window is one segment.
    /// Neither was sent as ECN-capable (RFC 3168 §6.1.1), so that any change is one that the network may not make.
    pub(super) fn hear_handshake(&mut self, segment: &Segment, syn_ack: bool) -> bool {
        let (una, mss) = (self.snd.position(), u32::from(self.eff_snd_mss));
        let Some(Accurate { sender, .. }) = self.accurate_mut() else { return false };
        let (option, flags) = (segment.options.acc_ecn(), segment.flags);
        sender.on_first_option(option);
        let pure = segment.is_empty() && segment.options.sack().is_empty();
        match (syn_ack, pure) {
            (true, _) => told(flags).is_some_and(|arrived| sender.test_for_mangling(Ecn::NotEct, arrived)),
            (false, true) => sender.on_handshake_ack(ace_of(flags), told(flags)),
            (false, false) => {
                let told = Told { ace: ace_of(flags), option: None, packets: 1, octets: 0, mss, una, nxt: una };
                sender.on_ack(&told).packets > 0
            }
        }
    }

    /// The handshake is over: what our segments say, and how the peer's marks are fed back.
    pub(super) fn agree_on_feedback(&mut self) {
        let ect = self.accurate().map(|accurate| accurate.sender.sets_ect());
        match ect {
            Some(ect) => self.snd.ecn.agree_accurate(ect && self.ecn.is_capable()),
            None => self.snd.ecn.agree(self.ecn.is_capable()), // ECE of the SYN,ACK is no mark
        }
        self.tell_codepoint();
    }

    /// Text leaves with another codepoint from now on, perhaps: its feedback is judged by it.
    pub(super) fn tell_codepoint(&mut self) {
        let (codepoint, nxt) = (self.snd.codepoint(), self.snd.position_of(self.snd.nxt));
        if let Some(accurate) = self.accurate_mut() {
            accurate.sender.on_codepoint(codepoint, nxt);
        }
    }

    /// A segment passed the checks of RFC 9293 and RFC 5961: its codepoint counts, and may ask for an acknowledgment
    /// (§3.2.2.5.1).
    #[inline(never)]
    pub(super) fn count_packet(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) {
        let octets = segment.payload_len();
        let packets = Arrival::new(octets, segment.segment_size, self.rcv.policy.rmss(), false).segments().max(1);
        let owed = self.ack;
        let Some(Accurate { receiver, .. }) = self.accurate_mut() else { return };
        let unacknowledged = !segment.is_empty() || owed != PendingAck::No;
        let due = receiver.on_packet(&Packet { arrived: segment.ecn, packets, octets, unacknowledged });
        if unacknowledged {
            receiver.acks_text();
        }
        match due {
            Due::Nothing => {}
            Due::Ack | Due::AckOfAcks => self.ack.at_once(),
        }
        if segment.ecn == Ecn::Ce && octets > 0 {
            cx.out.counters.rare().ecn_marks += u64::from(packets);
        }
    }

    /// The feedback of a segment that is not a SYN.
    pub(super) fn feedback<'a>(
        accurate: Option<&'a mut Accurate>,
        segment: &Segment,
        ts: Option<&crate::timestamps::TsState>,
    ) -> Option<Feedback<'a>> {
        let accurate = accurate?;
        let later = segment.options.timestamps().zip(ts).is_some_and(|(new, ts)| older(ts.recent(), new.value));
        let (ace, option) = (ace_of(segment.flags), segment.options.acc_ecn());
        Some(Feedback { sender: &mut accurate.sender, ace, option, later })
    }

    /// The three ECN bits of a segment with SYN clear: the ACE field (§3.2.2), or the echo of RFC 3168.
    #[inline]
    pub(super) fn ecn_flags(&self, pure: bool) -> Flags {
        self.accurate().map_or(self.echo.flags(), |accurate| accurate.receiver.flags(pure))
    }

    /// What a segment that leaves says of the packets that arrived: the flags, and the option where it may have one.
    #[inline(never)]
    pub(super) fn tell_feedback(
        &mut self,
        options: &mut CompactOptions,
        (on_text, fin, with_option): (bool, bool, bool),
        config: &Config,
        path: &Path,
    ) -> Flags {
        if with_option {
            options.update(|options| self.add_accurate_option(options, on_text, config, path));
        }
        let pure = !on_text && !fin && options.sack().is_empty();
        let flags = self.ecn_flags(pure);
        let told = options.acc_ecn().is_some() || self.state == LiveState::TimeWait; // this is the last chance then
        if let Some(accurate) = self.accurate_mut() {
            accurate.receiver.on_sent(pure, on_text, told);
        }
        flags
    }

    /// Whether text has to leave in single segments: who cuts larger ones (GSO) leaves CWR on the first only, and so would
    /// falsify an ACE field that has this bit (§3.3.4).
    pub(super) fn forbids_cutting(&self) -> bool {
        self.accurate().is_some_and(|accurate| accurate.receiver.flags(false).contains(Flags::CWR))
    }

    /// Whether the acknowledgment that is owed answers acknowledgments only, and so carries no SACK blocks.
    pub(super) fn acks_acks(&self) -> bool {
        self.accurate().is_some_and(|accurate| accurate.receiver.acks_acks())
    }

    /// Whether text may have an AccECN option. What goes again has none: the option may be what the first was lost for
    /// (§3.2.3.2.2), and the text would no longer fit its packet.
    pub(super) fn adds_option_to_text(&self) -> bool {
        !self.snd.sends_again()
    }

    /// Adds the AccECN option that is due to the options of a segment (§3.2.3.3).
    pub(super) fn add_accurate_option(&self, options: &mut Options, on_text: bool, config: &Config, path: &Path) {
        let Some(accurate) = self.accurate() else { return };
        let mut with = *options;
        accurate.receiver.add_option(&mut with, on_text, option_room(config, path));
        let text = |options: &Options| {
            let octets = u16::try_from(options.wire_len()).unwrap_or(u16::MAX);
            u32::from(crate::options::eff_snd_mss(path, self.snd.send_mss, octets))
        };
        if !on_text || 2 * text(&with) >= u32::from(self.mss(path, 0)) {
            *options = with;
        }
    }

    /// Octets of text beside `blocks` SACK blocks and the AccECN option that is due.
    pub(super) fn text_beside_option(&self, config: &Config, path: &Path, blocks: usize) -> u16 {
        let mut sack = SackBlocks::new();
        (0..blocks).for_each(|_| _ = sack.push(SackBlock::default()));
        let timestamps = self.ts.as_ref().map(|_| crate::Timestamps::default());
        let mut options = Options { timestamps, sack, ..Options::default() };
        if self.adds_option_to_text() {
            self.add_accurate_option(&mut options, true, config, path);
        }
        let octets = u16::try_from(options.wire_len()).unwrap_or(u16::MAX);
        crate::options::eff_snd_mss(path, self.snd.send_mss, octets)
    }

    /// Adds the AccECN option of our SYN,ACK (§3.2.3.2.1).
    pub(super) fn add_syn_ack_option(&mut self, options: &mut Options, config: &Config, path: &Path) {
        if let Some(Accurate { receiver, .. }) = self.accurate_mut() {
            receiver.add_syn_ack_option(options, option_room(config, path));
        }
    }
}

/// Octets of options that a packet without text has room for.
pub(super) fn option_room(config: &Config, path: &Path) -> usize {
    usize::from(path.mss().saturating_sub(path.ip_options).min(config.option_room()))
}
