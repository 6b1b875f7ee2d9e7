//! The end of every event: what the windows allow is sent, what is owed is acknowledged, the timers are set.

use core::time::Duration;

use super::state::LiveState;
use super::tcb::{Cx, Tcb};
use crate::options::announced_mss;
use crate::recv::ack::PendingAck;
use crate::recv::syn_window;
use crate::send::{Gate, Kind, Next, Plan, Wait};
use crate::timers::backed_off;
use crate::{Action, Controller, Ecn, Flags, Instant, Options, Path, Segment, SeqNum, Timer, Timestamps};
use bytes::Bytes;

/// When a burst that was cut goes on without the host's `Continue`.
const CONTINUE_AFTER: Duration = Duration::from_millis(1);
/// Octets of the user timeout option.
const UTO_OCTETS: u16 = 4;

impl<C: Controller> Tcb<C> {
    /// Sends and arms: the one place where segments of the stream leave.
    pub(super) fn flush(&mut self, cx: &mut Cx<'_, '_>) {
        if self.ack == PendingAck::Pure {
            self.transmit_owed_ack(cx);
        }
        let wait = self.transmit_stream(cx);
        self.overridden = false;
        if self.ack == PendingAck::Now {
            self.transmit_owed_ack(cx);
        }
        if self.state == LiveState::CloseWait && self.snd.fin_sent() {
            self.state = LiveState::LastAck; // our FIN is on its way
        }
        self.arm_timers(wait, cx);
    }

    /// Sends what may be sent, and says why no more.
    fn transmit_stream(&mut self, cx: &mut Cx<'_, '_>) -> Option<Wait> {
        if !self.snd.is_pending() {
            return Some(Wait::Idle);
        }
        if self.snd.may_revise_window(cx.now) && self.sends_now(cx) {
            self.snd.revise_window(self.initial_window(cx.config, cx.path), cx.now);
        }
        let limit = match cx.config.max_burst() {
            0 => u32::MAX,
            limit => u32::from(limit),
        };
        loop {
            let gate = self.gate(cx);
            match self.snd.next(&gate) {
                Next::Wait(wait) => {
                    if wait == Wait::Idle {
                        self.snd.on_idle(gate.mss);
                    }
                    return Some(wait);
                }
                Next::Send(_) if cx.out.transmits() >= limit => return None,
                Next::Send(plan) if plan.syn => self.transmit_syn(cx),
                Next::Send(plan) => match self.paced_until(&plan, &gate, cx) {
                    Some(at) => {
                        cx.timers.set(Timer::Pace, at);
                        return Some(Wait::Pace);
                    }
                    None => self.transmit_plan(&plan, cx),
                },
            }
        }
    }

    /// Whether anything leaves with this event.
    fn sends_now(&self, cx: &Cx<'_, '_>) -> bool {
        let gate = self.gate(cx);
        match self.snd.next(&gate) {
            Next::Send(plan) => self.paced_until(&plan, &gate, cx).is_none(),
            Next::Wait(_) => false,
        }
    }

    /// When the plan may leave, if pacing holds it back.
    fn paced_until(&self, plan: &Plan, gate: &Gate, cx: &Cx<'_, '_>) -> Option<Instant> {
        if !cx.config.pacing() {
            return None;
        }
        let burst = burst(cx, gate.mss).max(plan.len); // an MTU probe is larger than a segment
        self.snd.paced_until(plan.len, burst, gate.mss, cx.now)
    }

    pub(super) fn gate(&self, cx: &Cx<'_, '_>) -> Gate {
        let mss = u32::from(self.text_mss(cx.path));
        let text = |size: u16| u32::from(self.text_mss(&Path { mtu: size, ..*cx.path }));
        let first = self.snd.path_mtu.cut().map(text);
        let mtu_probe = self.snd.path_mtu.probe_size(cx.path.mtu, cx.now).map(text);
        let urgent = self.snd.up.is_some(); // its text is not for GSO
        let most = if urgent { 0 } else { u32::from(cx.config.max_transmit()) };
        let most = if cx.config.pacing() { most.min(burst(cx, mss)) } else { most };
        let nagle = cx.settings.nagle && self.snd.small.is_held(cx.config.minshall());
        let records = self.records_left(cx);
        let held = self.snd.ecn.held(cx.now).is_some();
        let full = self.snd.full_segment(mss);
        let (max, cork, overridden) = (most.max(full), cx.settings.cork, self.overridden);
        let queued = u32::try_from(self.snd.buffer.len()).unwrap_or(u32::MAX);
        let send_room = cx.config.send_buffer().saturating_sub(queued);
        Gate { mss, full, max, nagle, cork, records, held, overridden, first, send_room, mtu_probe }
    }

    /// How many segments more may be in flight. The bound goes by the MSS without SACK blocks, which come and go.
    fn records_left(&self, cx: &Cx<'_, '_>) -> u32 {
        self.snd.records_left(cx.config.send_buffer(), u32::from(self.mss(cx.path, 0)))
    }

    /// Octets of text that fit the next segment, beside all its options (MUST-16).
    fn text_mss(&self, path: &Path) -> u16 {
        let mss = self.mss(path, self.sack_blocks(path, true, self.duplicate.is_some()));
        if self.owes_user_timeout { mss.saturating_sub(UTO_OCTETS).max(1) } else { mss }
    }

    /// Octets of text in each full segment of the plan.
    fn segment_text(&self, plan: &Plan, path: &Path) -> u32 {
        let mss = u32::from(self.text_mss(path));
        match plan.kind {
            Kind::New => self.snd.full_segment(mss),
            Kind::Again | Kind::Rescue | Kind::Tail | Kind::Probe | Kind::MtuProbe => mss,
        }
    }

    /// A piece of the stream, in a packet of the MTU in use or one that finds out about another.
    pub(super) fn transmit_plan(&mut self, plan: &Plan, cx: &mut Cx<'_, '_>) {
        let mtu = cx.path.mtu;
        cx.path.mtu = self.packet_limit(plan, cx);
        self.transmit_piece(plan, cx);
        cx.path.mtu = mtu;
    }

    /// A piece of the stream, with the acknowledgment on it.
    fn transmit_piece(&mut self, plan: &Plan, cx: &mut Cx<'_, '_>) {
        let text = self.snd.text(plan.seq, plan.len);
        let mut flags = Flags::ACK;
        flags.set(Flags::PSH, self.snd.pushes(plan));
        flags.set(Flags::FIN, plan.fin);
        match plan.kind {
            Kind::New | Kind::MtuProbe => cx.timers.clear(Timer::TailLossProbe), // the flush starts them again
            Kind::Again if plan.seq == self.snd.una && self.snd.repeat_restarts_timer() => {
                cx.timers.clear(Timer::Retransmit);
            }
            Kind::Again | Kind::Rescue | Kind::Tail | Kind::Probe => {}
        }
        let mss = self.segment_text(plan, cx.path);
        if plan.end().after(self.snd.nxt) {
            self.snd.small.on_sent(plan.end(), plan.len, mss);
        }
        let records = self.records_left(cx);
        let again = self.snd.sent(plan, mss, records, cx.now);
        cx.out.counters.retransmissions += u64::from(again);
        // RFC 3168 §6.1.5, §6.1.6: neither ECT nor CWR on what is sent again, nor on window probes
        let ecn = self.snd.ecn.is_capable() && !again && plan.kind != Kind::Probe && plan.len > 0;
        flags.set(Flags::CWR, ecn && self.snd.ecn.take_cwr());
        let mut segment = self.segment(flags, text, cx);
        segment.seq = plan.seq;
        if ecn {
            segment.ecn = Ecn::Ect0;
        }
        if plan.len > mss {
            segment.segment_size = u16::try_from(mss).unwrap_or(u16::MAX);
        }
        if plan.len > 0 {
            self.rcv.policy.on_sent(cx.config, cx.now);
        }
        self.point_urgent(&mut segment);
        self.note_packet(&segment, (plan.kind, again), cx.path);
        cx.out.transmit(segment);
        if cx.config.pacing() {
            let mss = u32::from(self.text_mss(cx.path));
            self.snd.pace(plan.len, burst(cx, mss), mss, cx.now);
        }
    }

    /// A segment that carries the acknowledgment that is owed, and moves the window.
    fn segment(&mut self, flags: Flags, payload: Bytes, cx: &mut Cx<'_, '_>) -> Segment {
        self.ack = PendingAck::No;
        cx.timers.clear(Timer::DelayedAck);
        let mss = self.mss(cx.path, 0);
        let rtt = self.snd.rtt.srtt().unwrap_or_else(|| self.snd.rtt.base_rto()); // not measured: long enough
        let window = self.rcv.advertise(mss, rtt, cx.now);
        let duplicate = self.duplicate.take();
        let mut options = self.options(!payload.is_empty(), duplicate, cx);
        let room = usize::from(cx.path.mss().saturating_sub(cx.path.ip_options)).min(Options::MAX_WIRE_LEN);
        if self.owes_user_timeout && options.wire_len() + usize::from(UTO_OCTETS) <= room {
            options.user_timeout = cx.advertised_user_timeout(); // RFC 5482 §3: on the first segment that has room
            self.owes_user_timeout = false;
        }
        if let Some(ts) = &mut self.ts {
            ts.last_ack_sent = self.rcv.nxt;
        }
        Segment {
            seq: self.snd.acceptable_seq(),
            ack: self.rcv.nxt,
            flags: flags | self.echo.flags(),
            window,
            options,
            payload,
            ..Segment::default()
        }
    }

    /// The options of every segment after the handshake.
    fn options(&self, on_text: bool, duplicate: Option<(SeqNum, SeqNum)>, cx: &Cx<'_, '_>) -> Options {
        let room = self.sack_blocks(cx.path, on_text, duplicate.is_some());
        Options {
            timestamps: self.ts.as_ref().map(|ts| ts.option(cx.now)),
            sack: self.rcv.sack_blocks(duplicate, room),
            ..Options::default()
        }
    }

    /// URG and the pointer to the octet after the urgent text, while it lies ahead (MUST-62); as far as 16 bits reach
    /// (MUST-31).
    fn point_urgent(&self, segment: &mut Segment) {
        if let Some(up) = self.snd.up.filter(|up| up.after(segment.seq)) {
            segment.flags.insert(Flags::URG);
            segment.urgent = u16::try_from(up - segment.seq).unwrap_or(u16::MAX);
        }
    }

    /// <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>: the acknowledgment that is owed. Where the number lies beyond the peer's
    /// window, see `acceptable_seq`; so below.
    pub(super) fn transmit_owed_ack(&mut self, cx: &mut Cx<'_, '_>) {
        let mut segment = self.segment(Flags::ACK, Bytes::new(), cx);
        self.point_urgent(&mut segment);
        self.note_pure_ack(&segment, cx.path);
        cx.out.transmit(segment);
    }

    /// <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> in answer to a segment that is thrown away: it repeats what was said and
    /// changes nothing.
    pub(super) fn transmit_ack(&self, duplicate: Option<(SeqNum, SeqNum)>, cx: &mut Cx<'_, '_>) {
        let mut segment = Segment {
            seq: self.snd.acceptable_seq(),
            ack: self.rcv.nxt,
            flags: Flags::ACK | self.echo.flags(),
            window: self.rcv.promised(),
            options: self.options(false, duplicate, cx),
            ..Segment::default()
        };
        self.point_urgent(&mut segment);
        cx.out.transmit(segment);
    }

    /// <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>: our SYN again, the peer's having arrived.
    pub(super) fn transmit_syn(&mut self, cx: &mut Cx<'_, '_>) {
        let plan = Plan { seq: self.snd.iss, len: 0, syn: true, fin: false, kind: Kind::Again };
        if self.snd.sent(&plan, 1, 1, cx.now) {
            cx.out.counters.retransmissions += 1;
        }
        self.ack = PendingAck::No;
        if let Some(ts) = &mut self.ts {
            ts.last_ack_sent = self.rcv.nxt;
        }
        cx.out.transmit(Segment {
            seq: self.snd.iss,
            ack: self.rcv.nxt,
            flags: Flags::SYN | Flags::ACK | self.ecn.syn_ack_flags(cx.config.ecn()),
            window: syn_window(cx.config),
            options: Options {
                mss: Some(announced_mss(cx.config, cx.path)),
                window_scale: self.offered_shift(cx.config),
                sack_permitted: self.sack,
                timestamps: self.ts.as_ref().map(|ts| ts.option(cx.now)),
                user_timeout: cx.advertised_user_timeout(),
                ..Options::default()
            },
            ..Segment::default()
        });
    }

    /// <SEQ=SND.NXT><CTL=RST>: the end, from our side, with timestamps (RFC 7323 §5.2); TSecr is zero where there is no
    /// ACK (§3.2).
    pub(super) fn transmit_reset(&self, cx: &mut Cx<'_, '_>) {
        let timestamps = self.ts.as_ref().map(|ts| Timestamps { echo: 0, ..ts.option(cx.now) });
        cx.out.transmit(Segment {
            seq: self.snd.acceptable_seq(),
            flags: Flags::RST,
            options: Options { timestamps, ..Options::default() },
            ..Segment::default()
        });
    }

    /// Sets every deadline that follows from the state. `wait` is why transmission stopped; `None`: a burst was cut.
    fn arm_timers(&mut self, wait: Option<Wait>, cx: &mut Cx<'_, '_>) {
        if self.state == LiveState::TimeWait {
            return; // all others are turned off
        }
        let pending = self.snd.is_pending();
        let probing = self.snd.is_shut_out();
        if probing {
            let interval = backed_off(self.snd.rtt.base_rto(), self.snd.probes, cx.config.max_rto());
            cx.timers.start(Timer::Persist, cx.now + interval);
        } else {
            cx.timers.clear(Timer::Persist);
        }
        if !probing && self.snd.flight() > 0 {
            cx.timers.start(Timer::Retransmit, cx.now + self.snd.rtt.rto());
        } else if let Some(until) = self.snd.ecn.held(cx.now).filter(|_| pending && !probing) {
            cx.timers.set(Timer::Retransmit, until);
        } else {
            cx.timers.clear(Timer::Retransmit);
        }
        self.arm_recovery(probing, cx);
        if wait != Some(Wait::Pace) {
            cx.timers.clear(Timer::Pace);
        }
        if !probing && matches!(wait, Some(Wait::Silly | Wait::Cork)) {
            cx.timers.start(Timer::Override, cx.now + cx.config.sws_override());
        } else {
            cx.timers.clear(Timer::Override);
        }
        match wait {
            None => {
                cx.out.push(Action::MorePending);
                cx.timers.start(Timer::Continue, cx.now + CONTINUE_AFTER);
            }
            Some(_) => cx.timers.clear(Timer::Continue),
        }
        self.arm_idle(pending, cx);
        self.arm_patience(pending, cx);
    }

    /// Memory for sending is given back an RTO after all was acknowledged; steady traffic finds it where it was.
    fn arm_idle(&self, pending: bool, cx: &mut Cx<'_, '_>) {
        if pending {
            cx.timers.clear(Timer::Idle);
        } else if self.pending_since.is_some() && !self.fin_acked() {
            cx.timers.set(Timer::Idle, cx.now + self.snd.rtt.rto()); // this event acknowledged the last
        }
    }

    /// RACK's timers (RFC 8985 §7.2, §8). The probe comes no later than the retransmission timeout, and first.
    fn arm_recovery(&mut self, probing: bool, cx: &mut Cx<'_, '_>) {
        cx.timers.put(Timer::Reorder, self.snd.reorder_at.filter(|_| !probing));
        let after = self.snd.tail_probe_after(u32::from(self.mss(cx.path, 0)), cx.config.max_ack_delay());
        match after.filter(|_| !probing).zip(cx.timers.get(Timer::Retransmit)) {
            Some((after, rto)) => cx.timers.start(Timer::TailLossProbe, (cx.now + after).min(rto)),
            None => cx.timers.clear(Timer::TailLossProbe),
        }
    }

    /// The timers that end a wait for the peer: user timeout, keep-alive, FIN-WAIT-2, and the delayed ACK that ends the
    /// peer's.
    fn arm_patience(&mut self, pending: bool, cx: &mut Cx<'_, '_>) {
        self.pending_since = if pending { Some(self.pending_since.unwrap_or(cx.now)) } else { None };
        let user_timeout = self.user_timeout(cx.config, cx.settings);
        let limit = if self.snd.syn { cx.config.connect_timeout() } else { user_timeout };
        let patience = self.pending_since.zip(limit).map(|(since, limit)| (since + limit).max(self.evidence(cx)));
        cx.timers.put(Timer::UserTimeout, patience);
        if matches!(self.ack, PendingAck::Delayed { .. }) {
            cx.timers.start(Timer::DelayedAck, cx.now + cx.config.delayed_ack());
        } else {
            cx.timers.clear(Timer::DelayedAck);
        }
        let keeps_alive = match self.state {
            LiveState::Established | LiveState::FinWait2 | LiveState::CloseWait => cx.settings.keep_alive && !pending,
            LiveState::SynReceived
            | LiveState::FinWait1
            | LiveState::Closing
            | LiveState::LastAck
            | LiveState::TimeWait => false,
        };
        cx.timers.put(Timer::KeepAlive, keeps_alive.then(|| self.next_keep_alive(cx)));
        if self.state == LiveState::FinWait2 && self.released {
            cx.timers.start(Timer::FinWait2, cx.now + cx.config.fin_wait_2());
        } else {
            cx.timers.clear(Timer::FinWait2);
        }
    }
}

/// Octets that pacing lets go at once.
fn burst(cx: &Cx<'_, '_>, mss: u32) -> u32 {
    u32::from(cx.config.pacing_burst()) * mss
}
