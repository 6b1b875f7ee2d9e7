//! New text in full segments, many in one event: one budget and one header for all of them.
//!
//! A shortcut like that of `predicted`: it sends what `Sender::next` would say, segment by segment, in the one case in which
//! the answer cannot change between two segments. Nagle's algorithm, silly windows and all else is asked for what is left.

use super::icmp::packet_size;
use super::tcb::{Cx, Tcb};
use crate::features::SHORTCUTS;
use crate::recv::ack::PendingAck;
use crate::send::Wait;
use crate::{Controller, Ecn, Flags, Segment, Timer};

impl<C: Controller> Tcb<C> {
    /// Sends full segments of new text, at most `limit` values, while windows, queue and records allow. Returns why nothing
    /// more may leave, if that is plain: all is sent, or a window is full.
    pub(super) fn transmit_full_segments(&mut self, limit: u32, cx: &mut Cx<'_, '_>) -> Option<Wait> {
        if !SHORTCUTS || !cx.shortcuts || !self.snd.is_steady() || !self.sends_plain_text(cx) {
            return None;
        }
        let mss = u32::from(self.eff_snd_mss);
        let full = self.snd.full_segment(mss);
        let (mut todo, mut room) = (self.snd.unsent(), self.snd.room_for_new(mss));
        if todo.min(room) >= full {
            let sent = self.transmit_budget(todo.min(room), full, limit, cx);
            todo -= sent;
            room -= sent;
        }
        if todo == 0 {
            self.snd.on_idle(mss);
            return Some(Wait::Idle);
        }
        let full_window = room < full.min(todo) && !self.overridden && self.snd.flight() > 0;
        full_window.then_some(Wait::Ack)
    }

    /// Sends full segments from `budget` octets. Returns the octets sent.
    fn transmit_budget(&mut self, budget: u32, full: u32, limit: u32, cx: &mut Cx<'_, '_>) -> u32 {
        let ends = budget == self.snd.unsent() && !self.nagle(cx); // then a part of a segment may be the last
        let max = u32::from(cx.config.max_transmit()).max(full);
        let (mut left, mut records) = (budget, self.records_left(cx));
        if records == 0 || cx.out.transmits() >= limit {
            return 0;
        }
        let header = self.header_of_text(cx);
        while left >= full && records > 0 && cx.out.transmits() < limit {
            let len = left.min(max).min(records.saturating_mul(full));
            let whole = len == full || (len == left && ends);
            let len = if whole { len } else { len - len % full };
            self.transmit_text(&header, len, full, cx);
            records -= len.div_ceil(full);
            left -= len;
        }
        budget - left
    }

    /// Whether nothing but text is to be sent, in the order of the stream, and no segment of it has options other than
    /// timestamps.
    fn sends_plain_text(&self, cx: &Cx<'_, '_>) -> bool {
        !cx.config.pacing()
            && self.rcv.reports() == 0
            && self.duplicate.is_none()
            && !self.owes_user_timeout
            && !self.snd.ecn.owes_cwr()
            && self.snd.path_mtu.is_calm(cx.path.mtu, cx.now)
    }

    /// What the segments of one event have in common: the acknowledgment that is owed, the window, the timestamps.
    fn header_of_text(&mut self, cx: &mut Cx<'_, '_>) -> Segment {
        cx.timers.clear(Timer::TailLossProbe); // the flush starts it again
        self.ack = PendingAck::No;
        cx.timers.clear(Timer::DelayedAck);
        self.rcv.policy.on_sent(cx.config, cx.now);
        let window = self.rcv.advertise(self.eff_snd_mss, || self.snd.rtt.round_trip(), cx.now);
        let nxt = self.rcv.nxt;
        if let Some(ts) = &mut self.ts {
            ts.last_ack_sent = nxt;
        }
        Segment {
            ack: nxt,
            flags: Flags::ACK | self.echo.flags(),
            window,
            options: self.ts.as_ref().map(|ts| ts.option(cx.now)).into(),
            ecn: if self.snd.ecn.is_capable() { Ecn::Ect0 } else { Ecn::NotEct },
            ..Segment::default()
        }
    }

    fn transmit_text(&mut self, header: &Segment, len: u32, full: u32, cx: &mut Cx<'_, '_>) {
        let seq = self.snd.nxt;
        let payload = self.snd.text(seq, len);
        let push = if self.snd.pushes_text(seq, len) { Flags::PSH } else { Flags::empty() };
        let segment_size = if len > full { u16::try_from(full).unwrap_or(u16::MAX) } else { 0 };
        let size = packet_size(cx.path, self.option_octets(0), u16::try_from(len.min(full)).unwrap_or(u16::MAX));
        self.snd.sent_text(len, full, size, cx.now);
        cx.out.transmit(Segment {
            seq,
            ack: header.ack,
            flags: header.flags | push,
            window: header.window,
            urgent: 0,
            options: header.options.timestamps().into(),
            ecn: header.ecn,
            segment_size,
            payload,
        });
    }
}
