//! SEGMENT ARRIVES in SYN-RECEIVED and the states after it (RFC 9293 §3.10.7.4): the eight steps, in the RFC's order.

use core::ops::ControlFlow::{Break, Continue};

use super::state::{LiveState, Origin, Step, Stop};
use super::steady::{Progress, Steady};
use super::tcb::{Cx, Duplicate, Tcb};
use crate::counts::trimmed;
use crate::recv::Accepted;
use crate::recv::ack::{Arrival, PendingAck};
use crate::recv::limits::{Limits, keep_front};
use crate::send::{Ack, Fin};
use crate::{Action, CloseReason, Controller, Discard, Flags, Instant, Segment, SeqNum, Sink, Timer};

/// What the sequence check leaves of a segment.
pub(super) struct Arrived {
    /// SEG.WND in octets.
    pub(super) window: u32,
    /// SEG.LEN was 0 on arrival: it may count as a duplicate ACK.
    pub(super) bare: bool,
    /// It must be answered, although it is not new.
    pub(super) owed: bool,
    /// Why its text was cut off, if it was.
    pub(super) cut: Option<Discard>,
    /// What of it arrived before.
    pub(super) duplicate: Option<(SeqNum, SeqNum)>,
    /// It passed the test of Table 6, whole.
    pub(super) acceptable: bool,
    /// It is a SYN,ACK, in SYN-RECEIVED.
    pub(super) syn_ack: bool,
}

impl<C: Controller> Tcb<C> {
    pub(super) fn segment_arrives(&mut self, segment: &mut Segment, cx: &mut Cx<'_, '_>) -> Step {
        self.check_time_wait(segment, cx)?;
        self.check_timestamps(segment, cx)?;
        let arrived = self.check_sequence(segment, cx)?; // first
        self.check_rst(segment, cx)?; // second; third, security and compartment: not supported
        self.check_syn(segment, cx)?; // fourth
        self.check_ack(segment, &arrived, cx)?; // fifth
        if self.ecn.is_accurate() && arrived.acceptable && !arrived.syn_ack {
            self.count_packet(segment, cx);
        }
        self.heard(segment, cx.now);
        self.hear_user_timeout(segment.options.user_timeout(), cx);
        self.answer_cut(segment, &arrived, cx);
        self.check_urg(segment, cx); // sixth
        self.deliver_syn_text(cx)?;
        let fin = self.process_text(segment, cx)?; // seventh
        self.check_fin(fin, cx); // eighth
        Continue(())
    }

    /// R1 of RFC 7323 §5.3, and its rule for a missing option (§3.2). Resets are exempt; so is a SYN from the latter:
    /// the fourth step answers it whatever it carries (RFC 5961 §4.2), and in SYN-RECEIVED it is the peer's own again.
    fn check_timestamps(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) -> Step {
        let Some(ts) = &self.ts else { return Continue(()) };
        if segment.flags.contains(Flags::RST) {
            return Continue(());
        }
        match segment.options.timestamps() {
            None if segment.flags.contains(Flags::SYN) || cx.config.tolerate_missing_timestamps() => Continue(()),
            None => self.discard(Discard::MissingTimestamp, cx),
            Some(new) if ts.is_old(new, cx.now) => {
                self.answer_unacceptable(segment, cx);
                self.discard(Discard::Paws, cx)
            }
            Some(_) => Continue(()),
        }
    }

    /// First, the sequence number (Table 6). What lies outside the window is trimmed; resets and SYNs keep what their
    /// own steps look at.
    fn check_sequence(&mut self, segment: &mut Segment, cx: &mut Cx<'_, '_>) -> Step<Arrived> {
        // The window in a SYN is never scaled (RFC 7323 §2.2).
        let shift = if segment.flags.contains(Flags::SYN) { 0 } else { self.snd.shift };
        let window = u32::from(segment.window) << shift;
        let syn_ack =
            self.state == LiveState::SynReceived && segment.flags.contains(Flags::SYN) && segment.seq == self.rcv.irs;
        if syn_ack {
            self.trim_syn(segment, cx)?; // goes on with a SYN,ACK only
        }
        let bare = segment.is_empty();
        if segment.flags.intersects(Flags::RST | Flags::SYN) || self.is_acceptable(segment) {
            return Continue(Arrived {
                window,
                bare,
                owed: false,
                cut: None,
                duplicate: None,
                acceptable: true,
                syn_ack,
            });
        }
        let duplicate = self.duplicate_of(segment, cx.config);
        let (owed, cut) = self.allow_unacceptable(segment, cx)?;
        let bare = bare && segment.seq + 1 != self.rcv.nxt; // a keep-alive is no duplicate ACK
        Continue(Arrived { window, bare, owed, cut, duplicate, acceptable: false, syn_ack })
    }

    /// SYN-RECEIVED: the peer's SYN once more. With an ACK it is Figure 7's SYN,ACK of a simultaneous open: the SYN is
    /// a duplicate, the ACK counts. Without, our SYN,ACK was lost: send it again.
    fn trim_syn(&mut self, segment: &mut Segment, cx: &mut Cx<'_, '_>) -> Step {
        if segment.flags.contains(Flags::RST) {
            return Continue(());
        }
        if segment.flags.contains(Flags::ACK) {
            // Where text of the peer's SYN was delivered already, what is left of the segment is old (RFC 7413 §4.2.2).
            if self.snd.is_news(segment.ack) && self.rcv.nxt == self.rcv.irs + 1 {
                self.ecn.heard(segment.flags, segment.ecn, cx.config.ecn());
                self.check_kinds(cx)?;
                if let Some(accurate) = self.accurate_mut() {
                    accurate.receiver.on_syn_ack(segment.ecn, segment.payload_len());
                }
            }
            segment.trim_syn();
            return Continue(());
        }
        self.ecn.heard(segment.flags, segment.ecn, cx.config.ecn());
        self.check_kinds(cx)?;
        if self.seldom.begin().throttles.allow_challenge(cx.config, cx.now) {
            self.transmit_syn(0, cx); // the RTO is untouched, and it does not count for R2
        }
        self.discard(Discard::SynRepeated, cx)
    }

    /// The four cases of Table 6.
    fn is_acceptable(&self, segment: &Segment) -> bool {
        let (nxt, wnd, len) = (self.rcv.nxt, self.rcv.wnd(), segment.len());
        match (len, wnd) {
            (0, 0) => segment.seq == nxt,
            (0, _) => segment.seq.within(nxt, wnd),
            (_, 0) => false,
            (_, _) => segment.seq.within(nxt, wnd) || (segment.end() - 1).within(nxt, wnd),
        }
    }

    /// An unacceptable segment is answered and dropped; but where both ends would wait for each other for ever, its ACK
    /// and URG count (MUST-66) and only its text is dropped (declared exception, RFC 9293 App. A.2).
    fn allow_unacceptable(&mut self, segment: &mut Segment, cx: &mut Cx<'_, '_>) -> Step<(bool, Option<Discard>)> {
        let (nxt, wnd, len) = (self.rcv.nxt, self.rcv.wnd(), segment.len());
        if self.state == LiveState::TimeWait {
            return self.time_wait_unacceptable(segment, cx);
        }
        let at_right_edge = len == 0 && segment.seq == nxt + wnd;
        let just_before = segment.seq + 1 == nxt;
        let at_zero_window = wnd == 0 && len > 0 && segment.seq == nxt;
        if !(at_right_edge || just_before || at_zero_window) {
            if planted!(number_before_handshake_ack, segment.seq.at_or_after(nxt), false) {
                self.refuse_handshake_ack(segment, cx)?;
            }
            self.answer_unacceptable(segment, cx);
            let old = len > 0 && segment.end().at_or_before(nxt);
            if let Some(accurate) = self.accurate_mut().filter(|_| old) {
                accurate.receiver.on_reappeared();
            }
            return self.discard(if old { Discard::Duplicate } else { Discard::OutOfWindow }, cx);
        }
        if len == 0 {
            let answers = planted!(no_answer_before_rcv_nxt, just_before, false) // a keep-alive
                && self.seldom.begin().throttles.allow_keep_alive(cx.config, cx.now);
            return Continue((answers, None));
        }
        segment.payload.clear();
        segment.flags.remove(Flags::FIN);
        Continue((true, Some(if just_before { Discard::Duplicate } else { Discard::ZeroWindow }))) // the peer lacks our ACK
    }

    /// What `allow_unacceptable` left open until the ACK was found good.
    fn answer_cut(&mut self, segment: &Segment, arrived: &Arrived, cx: &mut Cx<'_, '_>) {
        if let Some(reason) = arrived.cut {
            if reason == Discard::ZeroWindow {
                self.note_mark(segment, cx); // RFC 3168 §6.1.6: a window probe cannot be forged easily
            }
            cx.out.discard(reason);
        }
        if planted!(answer_acks, arrived.owed, true) {
            self.duplicate = arrived.duplicate.and_then(Duplicate::new);
            self.ack.at_once();
        }
    }

    /// Second, RST (RFC 5961 §3). One that is numbered as the peer's FIN, when that was the last it sent, is exact as
    /// well: so some stacks reset an orphan.
    fn check_rst(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) -> Step {
        if !segment.flags.contains(Flags::RST) {
            return Continue(());
        }
        let at_fin = segment.seq + 1 == self.rcv.nxt && self.state.takes_reset_at_fin();
        let exact = planted!(accept_any_reset, segment.seq == self.rcv.nxt || at_fin, true);
        if !exact && !planted!(accept_far_resets, segment.seq.within(self.rcv.nxt, self.rcv.wnd()), true) {
            return self.discard(Discard::ResetOutOfWindow, cx);
        }
        if !exact && cx.config.rfc5961() {
            self.challenge(cx);
            return self.discard(Discard::ResetChallenged, cx);
        }
        if self.state != LiveState::SynReceived {
            return Break(Stop::Delete(CloseReason::Reset));
        }
        Break(match self.origin {
            Origin::Listen => self.return_to_listen(CloseReason::Reset),
            Origin::Active => Stop::Delete(CloseReason::Refused),
            Origin::Accept => Stop::Delete(CloseReason::Reset),
        })
    }

    /// Fourth, SYN (RFC 5961 §4): a challenge, whatever its number. Without RFC 5961, one in the window ends the
    /// connection.
    fn check_syn(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) -> Step {
        if !segment.flags.contains(Flags::SYN) {
            return Continue(());
        }
        if planted!(syn_resets, cx.config.rfc5961(), false) || !segment.seq.within(self.rcv.nxt, self.rcv.wnd()) {
            let fed_back = self.answers_repeated_syn_ack(segment);
            self.challenge(cx);
            if let Some(accurate) = self.accurate_mut().filter(|_| fed_back) {
                accurate.receiver.fed_back();
            }
            return self.discard(Discard::SynChallenged, cx);
        }
        if self.state == LiveState::SynReceived {
            match self.origin {
                Origin::Listen => return Break(self.return_to_listen(CloseReason::Reset)),
                Origin::Accept => return Break(Stop::Delete(CloseReason::Reset)), // that LISTEN is the host's
                Origin::Active => {}
            }
        }
        cx.transmit_reset_reply(segment);
        Break(Stop::Delete(CloseReason::Reset))
    }

    /// Fifth, ACK.
    fn check_ack(&mut self, segment: &Segment, arrived: &Arrived, cx: &mut Cx<'_, '_>) -> Step {
        if !segment.flags.contains(Flags::ACK) {
            if arrived.owed {
                self.transmit_ack(arrived.duplicate, cx);
            }
            return self.discard(Discard::NoAck, cx);
        }
        let ack = segment.ack;
        if self.state == LiveState::SynReceived {
            return self.check_handshake_ack(segment, arrived, cx);
        }
        self.check_ack_range(segment, arrived, cx)?;
        if self.state == LiveState::TimeWait {
            return self.time_wait_acceptable(segment, cx);
        }
        let octets = ack - self.snd.una;
        if octets > self.snd.flight() {
            self.process_old_ack(segment, cx);
            return Continue(()); // "If the ACK is a duplicate, it can be ignored"; its text counts
        }
        let reports = !segment.options.sack().is_empty();
        if self.snd.flight() > 0 || reports || self.snd.awaits_probe_answer() || self.ecn.is_accurate() {
            let bare = arrived.bare && arrived.window > 0; // an answer to a zero-window probe is no duplicate ACK
            self.process_ack(segment, bare, arrived.window == self.snd.wnd, cx);
        }
        self.update_window(segment.seq, segment.ack, arrived.window, cx.now);
        self.after_ack(cx)
    }

    /// SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT (RFC 5961 §5.2, MAY-12), and ISS =< SEG.ACK.
    fn check_ack_range(&mut self, segment: &Segment, arrived: &Arrived, cx: &mut Cx<'_, '_>) -> Step {
        let (ack, una) = (segment.ack, self.snd.una);
        let oldest = || if cx.config.rfc5961() { self.snd.oldest_ack() } else { (1 << 31) - 1 };
        if ack - una <= self.snd.flight() || planted!(take_acks_of_the_unsent, una - ack <= oldest(), true) {
            return Continue(());
        }
        if arrived.cut.is_some() {
            self.transmit_ack(arrived.duplicate, cx); // old text with an old ACK: the peer lacks our ACK
        } else {
            self.challenge_bare(cx); // too old, or for what was never sent
        }
        self.discard(Discard::AckOutOfRange, cx)
    }

    /// The user is gone and there is text nobody will read: the peer must know (SHLD-3).
    pub(super) fn reset_unread<T>(&self, cx: &mut Cx<'_, '_>) -> Step<T> {
        cx.out.report_progress(); // before the reset
        self.transmit_reset(cx);
        Break(Stop::Delete(CloseReason::Unread))
    }

    /// SND.UNA =< SEG.ACK =< SND.NXT. With `bare` it may be a duplicate.
    pub(super) fn process_ack(&mut self, segment: &Segment, bare: bool, same_window: bool, cx: &mut Cx<'_, '_>) {
        let echo = segment.options.timestamps().zip(self.ts.as_ref());
        let echoed = echo.and_then(|(ts, state)| state.shown_at(ts.echo, cx.now));
        let mss = u32::from(self.eff_snd_mss);
        let reported = if self.sack.is_agreed() { segment.options.sack() } else { &[] };
        let blocks = reported.iter().map(|block| (block.left, block.right));
        let advances = segment.ack != self.snd.una;
        let before_established = self.state == LiveState::SynReceived; // `hear_handshake` has heard it
        let marked = segment.flags.contains(Flags::ECE);
        let ack = Ack { ack: segment.ack, blocks, echoed, marked, bare, same_window };
        let told = self.ecn.is_accurate() && !before_established;
        let accurate = if told { Self::accurate_in(&mut self.seldom) } else { None };
        let feedback = Self::feedback(accurate, segment, self.ts.as_ref());
        let newly = self.snd.on_ack(&ack, feedback, mss, cx.out.counters, cx.now);
        match (newly.restarts_timer, advances) {
            (true, true) => cx.timers.clear(Timer::Retransmit), // the flush starts it again
            (true, false) => self.overtake(Timer::Retransmit, cx),
            (false, _) => {}
        }
        if advances {
            let progress = self.acknowledged(newly.text, &mut cx.steady());
            cx.out.note_progress(progress);
            cx.timers.clear(Timer::TailLossProbe); // the flush starts them again
            cx.timers.clear(Timer::Persist);
        }
    }

    /// SND.UNA advanced, over so much text.
    #[inline]
    pub(super) fn acknowledged<S: Sink + ?Sized>(&mut self, text: u32, steady: &mut Steady<'_, S>) -> Progress {
        let writable = text > 0 && self.snd.fin == Fin::None && self.snd.takes_again(steady.config);
        let flushed = !self.snd.is_pending() && (text > 0 || self.fin_acked());
        self.progressed(steady.now);
        self.trust_mtu(steady);
        Progress { acked: text, writable, flushed }
    }

    /// SEG.ACK < SND.UNA: of an ACK that a later one overtook, the SACK blocks count (RFC 2018 §5, RFC 6675 §5).
    fn process_old_ack(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) {
        let reported = if self.sack.is_agreed() { segment.options.sack() } else { &[] };
        if reported.is_empty() || self.snd.flight() == 0 {
            return;
        }
        let mss = u32::from(self.eff_snd_mss);
        let blocks = reported.iter().map(|block| (block.left, block.right));
        let ack = Ack { ack: segment.ack, blocks, echoed: None, marked: false, bare: false, same_window: false };
        self.snd.on_old_ack(&ack, mss, cx.out.counters, cx.now);
    }

    /// "The send window should be updated", and may shrink (MUST-34). A window confirmed as closed counts as an answer:
    /// the user timeout starts anew while the user is there (MUST-37).
    #[inline]
    pub(super) fn update_window(&mut self, seq: SeqNum, ack: SeqNum, window: u32, now: Instant) {
        if self.snd.is_window_news(seq, ack) {
            self.snd.set_window(window, seq, ack);
        }
        if (self.snd.wnd == 0 || self.snd.is_beyond_edge()) && !self.released {
            self.progressed(now); // SHLD-17
        }
    }

    /// What the acknowledgment of our FIN means to each state.
    fn after_ack(&mut self, cx: &mut Cx<'_, '_>) -> Step {
        let fin_acked = planted!(any_ack_is_of_the_fin, self.fin_acked(), self.snd.fin != Fin::None);
        if fin_acked {
            self.snd.rest(cx.now); // nothing is sent any more
        }
        match self.state {
            LiveState::FinWait1 if fin_acked => self.state = LiveState::FinWait2, // our FIN is acknowledged
            LiveState::Closing if fin_acked => self.enter_time_wait(cx),          // so are both FINs
            LiveState::LastAck if fin_acked => return Break(Stop::Delete(CloseReason::Finished)),
            LiveState::SynReceived
            | LiveState::Established
            | LiveState::FinWait1
            | LiveState::FinWait2
            | LiveState::CloseWait
            | LiveState::Closing
            | LiveState::LastAck
            | LiveState::TimeWait => {}
        }
        Continue(())
    }

    /// Sixth, URG (MUST-30): RCV.UP advances, and the user hears of it once for each advance (MUST-32).
    pub(super) fn check_urg(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) {
        if !self.state.receives() {
            return; // "This should not occur since a FIN has been received"
        }
        let end = self.rcv.urgent_with_held(segment.urgent_end());
        if let Some(ahead) = end.and_then(|end| self.rcv.on_urgent(end)) {
            cx.out.push(Action::Urgent { ahead });
        }
    }

    /// Seventh, the text. Returns the number of a FIN that lies in the window.
    pub(super) fn process_text(&mut self, segment: &mut Segment, cx: &mut Cx<'_, '_>) -> Step<Option<SeqNum>> {
        let mut fin = segment.flags.contains(Flags::FIN).then(|| segment.end() - 1);
        let edge = self.rcv.nxt + self.rcv.wnd();
        if fin.is_some_and(|fin| fin.at_or_after(edge)) {
            fin = None; // trimmed with what lies outside the window
        }
        self.end_stream(segment, fin, cx);
        if segment.payload.is_empty() {
            return Continue(fin);
        }
        if !self.state.receives() || self.rcv.fin().is_some_and(|fin| segment.seq.at_or_after(fin)) {
            self.ack.at_once();
            cx.out.discard(Discard::AfterFin);
            return Continue(None);
        }
        if self.released && (segment.seq + segment.payload_len()).after(self.rcv.nxt) {
            return self.reset_unread(cx);
        }
        self.note_mark(segment, cx);
        let end = self.rcv.fin().map_or(edge, |fin| fin.min(edge));
        let octets = segment.payload_len();
        let pushed = segment.flags.contains(Flags::PSH);
        let arrival = Arrival::new(octets, segment.segment_size, self.rcv.policy.rmss(), pushed);
        let room = usize::try_from(end.saturating_since(segment.seq)).unwrap_or(usize::MAX);
        let behind = usize::try_from(self.rcv.nxt.saturating_since(segment.seq)).unwrap_or(usize::MAX);
        cx.out.counters.trimmed(trimmed(segment.payload.len(), behind, room));
        keep_front(&mut segment.payload, room);
        let text = core::mem::take(&mut segment.payload);
        let seq = segment.seq;
        let out = &mut *cx.out;
        let limits = Limits::of(cx.config);
        let (accepted, duplicate) = self.rcv.accept(seq, text, &limits, &mut |text| {
            out.counters.octets_in += u64::try_from(text.len()).unwrap_or(0);
            out.push(Action::Deliver(text));
        });
        self.duplicate = duplicate.filter(|_| self.reports_duplicates(cx.config)).and_then(Duplicate::new);
        let stamps = self.ts.as_ref().zip(segment.options.timestamps());
        self.rcv.on_round(|since| stamps.map(|(state, new)| state.has_seen(new.echo, since)), cx.now);
        self.acknowledge_text(accepted, arrival, cx);
        Continue(fin)
    }

    /// A FIN before which nothing is missing ends the stream (eighth): whatever is held beyond it, an honest peer never
    /// sent, and it must not keep the connection from being closed.
    fn end_stream(&mut self, segment: &Segment, fin: Option<SeqNum>, cx: &mut Cx<'_, '_>) {
        let in_order = segment.seq.at_or_before(self.rcv.nxt) && self.state.receives();
        if let Some(fin) = fin.filter(|fin| in_order && fin.at_or_after(self.rcv.nxt)) {
            let dropped = self.rcv.end_stream(fin, &cx.limits());
            cx.out.counters.trimmed(dropped);
        }
    }

    /// When the text is acknowledged (RFC 5681 §4.2).
    fn acknowledge_text(&mut self, accepted: Accepted, arrival: Arrival, cx: &mut Cx<'_, '_>) {
        match accepted {
            Accepted::InOrder { filled: false } if self.rcv.held.is_empty() => {
                let rto = self.snd.rtt.rto();
                return self.rcv.policy.on_text(arrival, &mut self.ack, cx.config, rto, cx.now);
            }
            Accepted::InOrder { .. } | Accepted::Old => self.ack.at_once(),
            Accepted::Held if self.sack.is_agreed() => self.ack.at_once(),
            Accepted::Held => self.ack = PendingAck::Pure,
            Accepted::Refused => {
                cx.out.discard(Discard::ReassemblyFull);
                self.ack = PendingAck::Pure;
            }
        }
        self.rcv.policy.quicken(cx.config);
    }

    /// Eighth, FIN, when everything before it has arrived. The first one accepted fixes the length of the stream.
    pub(super) fn check_fin(&mut self, fin: Option<SeqNum>, cx: &mut Cx<'_, '_>) {
        if !self.state.receives() {
            if fin.is_some() {
                self.ack.at_once(); // "Remain in the … state"; the one that is sent again was answered by the first step
                cx.out.discard(Discard::AfterFin);
            }
            return;
        }
        if let Some(fin) = fin {
            self.ack.at_once();
            self.rcv.note_fin(fin);
        }
        if planted!(skip_fin_check, self.rcv.fin() != Some(self.rcv.nxt), fin.is_none()) {
            return;
        }
        self.rcv.nxt += 1;
        self.ack.at_once();
        cx.out.push(Action::PeerClosed);
        match self.state {
            LiveState::Established => self.state = LiveState::CloseWait,
            LiveState::FinWait1 => self.state = LiveState::Closing, // our FIN is not acknowledged, or this were FIN-WAIT-2
            LiveState::FinWait2 => self.enter_time_wait(cx),
            LiveState::SynReceived
            | LiveState::CloseWait
            | LiveState::Closing
            | LiveState::LastAck
            | LiveState::TimeWait => {}
        }
    }

    /// The segment is one of this connection's: the peer is there, and TS.Recent may follow it (R3 of RFC 7323 §5.3).
    pub(super) fn heard(&mut self, segment: &Segment, now: Instant) {
        self.keep_alive.since = now;
        self.keep_alive.unanswered = planted!(forget_the_answer, 0, self.keep_alive.unanswered);
        if let Some((ts, new)) = self.ts.as_mut().zip(segment.options.timestamps()) {
            ts.update(new, segment.seq, now);
        }
    }

    /// "Drop the segment and return", with the reason.
    pub(super) fn discard<T>(&self, reason: Discard, cx: &mut Cx<'_, '_>) -> Step<T> {
        cx.out.discard(reason);
        Break(Stop::Drop)
    }
}
