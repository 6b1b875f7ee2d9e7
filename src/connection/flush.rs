//! The end of every event: it sends what the windows allow and the owed acknowledgment, and sets the timers.

use super::accurate::option_room;
use super::burst::max_transmits;
use super::state::LiveState;
use super::tcb::{Cx, Duplicate, Settings, Tcb};
use crate::recv::ack::PendingAck;
use crate::send::{Gate, Kind, Next, Plan, Wait};
use crate::{CompactOptions, Config, Controller, Flags, Instant, Options, Path, Segment, SeqNum, Timer};
use bytes::Bytes;

/// Octets of the user timeout option.
const UTO_OCTETS: u16 = 4;

impl<C: Controller> Tcb<C> {
    /// Sends and arms: the one place where segments of the stream leave.
    pub(super) fn flush(&mut self, cx: &mut Cx<'_, '_>) {
        if self.ack == PendingAck::Pure {
            self.transmit_owed_ack(cx);
        }
        if cx.takes_shortcuts() && self.is_at_rest() {
            self.flush_at_rest(cx);
            self.prediction = self.predict(cx.config, cx.settings, cx.timers);
            return;
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
        self.prediction = self.predict(cx.config, cx.settings, cx.timers);
    }

    /// Whether the connection is established and nothing of ours is queued, in flight or waited for, nor was before the
    /// event: none of the sender's timers runs.
    fn is_at_rest(&self) -> bool {
        self.state == LiveState::Established && self.is_quiet() && self.snd.reorder_at().is_none()
    }

    /// The rest of the flush then: the acknowledgment, and the receiver's timers.
    fn flush_at_rest(&mut self, cx: &mut Cx<'_, '_>) {
        self.overridden = false;
        if self.ack == PendingAck::Now {
            self.transmit_owed_ack(cx);
        }
        self.arm_delayed_ack(cx);
        self.arm_keep_alive(false, cx);
    }

    /// Sends what may be sent, and says why no more.
    fn transmit_stream(&mut self, cx: &mut Cx<'_, '_>) -> Option<Wait> {
        if !self.snd.is_pending() {
            return Some(Wait::Idle);
        }
        if self.snd.may_revise_window(cx.now) && self.sends_now(cx) {
            self.snd.revise_window(self.initial_window(cx.config), cx.now);
        }
        if cx.takes_shortcuts() && self.sends_plain_text(cx) {
            if let Some(wait) = self.transmit_text(&mut cx.steady()) {
                return Some(wait);
            }
        }
        let limit = max_transmits(cx.config);
        let mut gate = self.gate(cx);
        loop {
            let plan = match self.snd.next(&gate) {
                Next::Wait(wait) => {
                    if wait == Wait::Idle || self.snd.lacks_a_segment(&gate) {
                        self.snd.on_idle(gate.mss);
                    }
                    return Some(wait);
                }
                Next::Send(plan) => plan,
            };
            if cx.out.transmits() >= limit {
                return None;
            }
            if plan.syn {
                self.transmit_syn(u8::try_from(self.snd.repeats).unwrap_or(u8::MAX), cx);
            } else if let Some(at) = self.paced_until(&plan, &gate, cx) {
                if !cx.timers.is_set(Timer::Retransmit) {
                    self.overtake_holds(cx); // nothing was in flight
                }
                cx.timers.set(Timer::Pace, at);
                return Some(Wait::Pace);
            } else {
                self.transmit_plan(&plan, cx);
            }
            if plan.kind == Kind::New && self.is_plain(&gate) {
                gate.records = self.records_left(cx);
                gate.nagle = self.nagle(cx.settings, cx.config);
            } else {
                gate = self.gate(cx);
            }
        }
    }

    /// Whether a segment of new text changes nothing of the answers but the number of records and Nagle's: it took no
    /// report along, and no path MTU is in doubt.
    fn is_plain(&self, gate: &Gate) -> bool {
        gate.mss == u32::from(self.eff_snd_mss) && gate.first.is_none() && gate.mtu_probe.is_none()
    }

    /// Whether Nagle's algorithm holds back a small segment while something is in flight.
    #[inline]
    pub(super) fn nagle(&self, settings: &Settings, config: &Config) -> bool {
        settings.nagle && self.snd.small.is_held(config.minshall(), self.snd.una)
    }

    /// Whether anything leaves with this event.
    fn sends_now(&self, cx: &Cx<'_, '_>) -> bool {
        let gate = self.gate(cx);
        match self.snd.next(&gate) {
            Next::Send(plan) => self.paced_until(&plan, &gate, cx).is_none(),
            Next::Wait(_) => false,
        }
    }

    /// Octets that pacing lets go at once.
    fn burst(&self, cx: &Cx<'_, '_>, mss: u32) -> u32 {
        self.snd.cc.send_quantum().unwrap_or_else(|| u32::from(cx.config.pacing_burst()) * mss)
    }

    /// When the plan may leave, if pacing holds it back.
    fn paced_until(&self, plan: &Plan, gate: &Gate, cx: &Cx<'_, '_>) -> Option<Instant> {
        if !self.snd.is_paced(cx.config) {
            return None;
        }
        let burst = self.burst(cx, gate.mss).max(plan.len); // an MTU probe is larger than a segment
        self.snd.paced_until(plan.len, burst, gate.mss, cx.now)
    }

    pub(super) fn gate(&self, cx: &Cx<'_, '_>) -> Gate {
        let mss = u32::from(self.text_mss(cx.config, cx.path));
        let text = |size: u16| u32::from(self.text_mss(cx.config, &Path { mtu: size, ..*cx.path }));
        let first = self.snd.path_mtu.cut().map(text);
        let mtu_probe = self.mtu_probe_size(cx).map(text);
        let urgent = self.snd.up().is_some(); // its text is not for GSO
        let most = if urgent || self.forbids_cutting() { 0 } else { u32::from(cx.config.max_transmit()) };
        let most = if self.snd.is_paced(cx.config) { most.min(self.burst(cx, mss)) } else { most };
        let full = self.snd.full_segment(mss);
        Gate {
            mss,
            full,
            max: most.max(full),
            nagle: self.nagle(cx.settings, cx.config),
            cork: cx.settings.cork,
            records: self.records_left(cx),
            held: self.snd.held_by_mark(cx.now).is_some(),
            overridden: self.overridden,
            first,
            early: self.snd.syn && self.is_early(),
            send_room: self.snd.room(cx.config),
            mtu_probe,
        }
    }

    /// How many segments more may be in flight. The bound goes by the MSS without SACK blocks, which come and go.
    pub(super) fn records_left(&self, cx: &Cx<'_, '_>) -> u32 {
        self.snd.records_left(cx.config.send_buffer(), u32::from(self.eff_snd_mss))
    }

    /// Octets of text that fit the next segment, beside all its options (MUST-16).
    pub(super) fn text_mss(&self, config: &Config, path: &Path) -> u16 {
        let blocks = self.sack_blocks(path, true, self.duplicate.is_some());
        let accurate = self.ecn.is_accurate();
        let mss = if accurate { self.text_beside_option(config, path, blocks) } else { self.mss(path, blocks) };
        if self.owes_user_timeout { mss.saturating_sub(UTO_OCTETS).max(1) } else { mss }
    }

    /// Octets of text in each full segment of the plan, of the `mss` that fit.
    fn segment_text(&self, plan: &Plan, mss: u32) -> u32 {
        match plan.kind {
            Kind::New => self.snd.full_segment(mss),
            Kind::Again | Kind::Rescue | Kind::Tail | Kind::Probe | Kind::MtuProbe => mss,
        }
    }

    /// A piece of the stream, in a packet of the MTU in use or one that finds out about another.
    pub(super) fn transmit_plan(&mut self, plan: &Plan, cx: &mut Cx<'_, '_>) {
        if plan.kind == Kind::New {
            return self.transmit_piece(plan, cx);
        }
        let mtu = cx.path.mtu;
        cx.path.mtu = self.packet_limit(plan, cx);
        self.transmit_piece(plan, cx);
        cx.path.mtu = mtu;
    }

    /// A piece of the stream, with the acknowledgment on it.
    pub(super) fn transmit_piece(&mut self, plan: &Plan, cx: &mut Cx<'_, '_>) {
        let text = self.snd.text(plan.seq, plan.len);
        let mut flags = Flags::ACK;
        flags.set(Flags::PSH, self.snd.pushes(plan));
        flags.set(Flags::FIN, plan.fin);
        match plan.kind {
            Kind::New | Kind::MtuProbe => cx.timers.clear(Timer::TailLossProbe), // the flush starts them again
            Kind::Again if plan.seq == self.snd.una && self.snd.repeat_restarts_timer() => {
                self.overtake(Timer::Retransmit, cx);
            }
            Kind::Again | Kind::Rescue | Kind::Tail | Kind::Probe => {}
        }
        let room = u32::from(self.text_mss(cx.config, cx.path));
        let mss = self.segment_text(plan, room);
        if plan.end().after(self.snd.nxt) {
            self.snd.small.on_sent(plan.end(), plan.len, mss);
        }
        let records = self.records_left(cx);
        let with_option = self.adds_option_to_text(); // as `text_mss` has planned
        let again = self.snd.sent(plan, mss, records, cx.now);
        if again {
            cx.out.counters.rare().retransmissions += 1;
        }
        // RFC 3168 §6.1.5, §6.1.6: neither ECT nor CWR on retransmissions, nor on window probes
        let ecn = self.snd.ecn.is_capable() && !again && plan.kind != Kind::Probe && plan.len > 0;
        flags.set(Flags::CWR, ecn && self.snd.ecn.take_cwr());
        let mut segment = self.segment(flags, text, with_option && !again, cx);
        segment.seq = plan.seq;
        if ecn {
            segment.ecn = self.snd.codepoint();
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
        if self.snd.is_paced(cx.config) {
            self.snd.pace(plan.len, self.burst(cx, room), room, cx.now);
        }
    }

    /// A segment that carries the acknowledgment that is owed, and moves the window; the AccECN option, too, where it may.
    pub(super) fn segment(&mut self, flags: Flags, payload: Bytes, with_option: bool, cx: &mut Cx<'_, '_>) -> Segment {
        self.ack = PendingAck::No;
        cx.timers.clear(Timer::DelayedAck);
        let window = self.rcv.advertise(self.eff_snd_mss, || self.snd.rtt.round_trip(), cx.now);
        let duplicate = self.duplicate.take().map(Duplicate::block);
        let on_text = !payload.is_empty();
        let mut options = self.options(on_text, duplicate, cx);
        let ecn = if self.ecn.is_accurate() {
            self.tell_feedback(&mut options, (on_text, flags.contains(Flags::FIN), with_option), cx.config, cx.path)
        } else {
            self.echo.flags()
        };
        if self.owes_user_timeout && self.state != LiveState::TimeWait {
            let room = option_room(cx.config, cx.path);
            if options.wire_len() + usize::from(UTO_OCTETS) <= room {
                // RFC 5482 §3: on the first segment that has room.
                options.update(|options| options.user_timeout = cx.advertised_user_timeout());
                self.owes_user_timeout = false;
            }
        }
        if let Some(ts) = &mut self.ts {
            ts.last_ack_sent = self.rcv.nxt;
        }
        Segment {
            seq: self.snd.acceptable_seq(),
            ack: self.rcv.nxt,
            flags: flags | ecn,
            window,
            options,
            payload,
            ..Segment::default()
        }
    }

    /// The options of every segment after the handshake.
    pub(super) fn options(
        &self,
        on_text: bool,
        duplicate: Option<(SeqNum, SeqNum)>,
        cx: &Cx<'_, '_>,
    ) -> CompactOptions {
        let timestamps = self.ts.as_ref().map(|ts| ts.option(cx.now));
        match self.sack_blocks(cx.path, on_text, duplicate.is_some()) {
            0 => timestamps.into(),
            room => {
                let sack = self.rcv.sack_blocks(duplicate, room);
                Options { timestamps, sack, ..Options::default() }.into()
            }
        }
    }

    /// URG and the pointer to the octet after the urgent text, while it lies ahead (MUST-62); as far as 16 bits reach
    /// (MUST-31).
    pub(super) fn point_urgent(&self, segment: &mut Segment) {
        if let Some(up) = self.snd.up().filter(|up| up.after(segment.seq)) {
            segment.flags.insert(Flags::URG);
            segment.urgent = u16::try_from(up - segment.seq).unwrap_or(u16::MAX);
        }
    }
}
