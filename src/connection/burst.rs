//! New text, many segments in one event: one budget and one header for all of them.
//!
//! A shortcut like that of `predicted`: it sends what `Sender::next` would say, segment by segment, in the one case in
//! which the answer cannot change between two segments but for the last, small one.

use super::icmp::packet_size;
use super::steady::Steady;
use super::tcb::{Cx, Tcb};
use crate::recv::ack::PendingAck;
use crate::send::Wait;
use crate::{Config, Controller, Ecn, Flags, Segment, SeqNum, Sink, Timer, Timestamps};

/// What the segments of one event have in common.
struct Header {
    ack: SeqNum,
    flags: Flags,
    window: u16,
    stamps: Option<Timestamps>,
    ecn: Ecn,
}

/// `Transmit`s that one event may have.
pub(super) fn max_transmits(config: &Config) -> u32 {
    match config.max_burst() {
        0 => u32::MAX,
        limit => u32::from(limit),
    }
}

impl<C: Controller> Tcb<C> {
    /// Whether nothing but text is to be sent, in the order of the stream, and no segment of it has options other than
    /// timestamps.
    pub(super) fn sends_plain_text(&self, cx: &Cx<'_, '_>) -> bool {
        self.snd.is_steady()
            && self.snd.is_ack_clocked(cx.config)
            && !self.ecn.is_accurate()
            && self.rcv.reports() == 0
            && self.duplicate.is_none()
            && !self.owes_user_timeout
            && !self.snd.ecn.owes_cwr()
            && self.snd.path_mtu.is_calm(cx.path.mtu, cx.now)
    }

    /// Sends plain text in full segments, and the last of it in a small one where that may go, while windows, queue and
    /// records allow. Returns why nothing more may leave, if that is plain: all is sent, or a window is full.
    #[inline]
    pub(super) fn transmit_text<S: Sink + ?Sized>(&mut self, steady: &mut Steady<'_, S>) -> Option<Wait> {
        let mss = u32::from(self.eff_snd_mss);
        let full = self.snd.full_segment(mss);
        let (mut todo, mut room) = (self.snd.unsent(), self.snd.room_for_new(mss));
        let budget = todo.min(room);
        if budget >= full || (budget == todo && budget > 0 && self.sends_small(budget, steady)) {
            todo -= self.transmit_budget(budget, full, steady);
            room = self.snd.room_for_new(mss); // the controller may have changed its window with a segment
        }
        if todo == 0 {
            self.snd.on_all_sent(mss);
            return Some(Wait::Idle);
        }
        let full_window = room < full.min(todo) && !self.overridden && self.snd.flight() > 0;
        full_window.then_some(Wait::Ack)
    }

    /// Whether Nagle's algorithm, a cork and a missing push let the last `todo` octets go in a small segment.
    fn sends_small<S: Sink + ?Sized>(&self, todo: u32, steady: &Steady<'_, S>) -> bool {
        let settings = steady.settings;
        self.snd.nagle_allows(self.nagle(settings, steady.config)) && self.snd.cork_allows(todo, settings.cork)
    }

    /// Sends `budget` octets, as far as they fill segments. Returns the octets sent.
    fn transmit_budget<S: Sink + ?Sized>(&mut self, budget: u32, full: u32, steady: &mut Steady<'_, S>) -> u32 {
        let all = budget == self.snd.unsent();
        let nagle = self.nagle(steady.settings, steady.config);
        let max = u32::from(steady.config.max_transmit()).max(full);
        let limit = max_transmits(steady.config);
        let mut records = self.snd.records_left(steady.config.send_buffer(), u32::from(self.eff_snd_mss));
        if records == 0 || *steady.transmits >= limit {
            return 0;
        }
        let header = self.header_of_text(steady);
        let text = u16::try_from(budget.min(full)).unwrap_or(u16::MAX);
        let mut burst = self.snd.begin_text(packet_size(steady.path, self.option_octets(0), text));
        let (mut left, window) = (budget, self.snd.cc.window());
        while left > 0 && records > 0 && *steady.transmits < limit && self.snd.cc.window() == window {
            let len = left.min(max).min(records.saturating_mul(full));
            let len = match () {
                () if len < full && !(all && len == left && self.sends_small(left, steady)) => break,
                () if len <= full || (all && len == left && !nagle) => len,
                () => len - len % full, // whole segments; the rest is a matter of its own
            };
            records -= if len <= full { 1 } else { len.div_ceil(full) };
            left -= len;
            let seq = self.snd.nxt;
            let (payload, push) = self.snd.send_text(&mut burst, len, full, steady.now);
            steady.transmit(Segment {
                seq,
                ack: header.ack,
                flags: if push { header.flags | Flags::PSH } else { header.flags },
                window: header.window,
                urgent: 0,
                options: header.stamps.into(),
                ecn: header.ecn,
                segment_size: if len > full { u16::try_from(full).unwrap_or(u16::MAX) } else { 0 },
                payload,
            });
        }
        self.snd.end_text(budget - left, full, steady.now);
        budget - left
    }

    /// The acknowledgment that is owed leaves with this text.
    #[inline]
    fn header_of_text<S: Sink + ?Sized>(&mut self, steady: &mut Steady<'_, S>) -> Header {
        steady.timers.clear(Timer::TailLossProbe); // the flush starts it again
        self.ack = PendingAck::No;
        steady.timers.clear(Timer::DelayedAck);
        self.rcv.policy.on_sent(steady.config, steady.now);
        let window = self.rcv.advertise(self.eff_snd_mss, || self.snd.rtt.round_trip(), steady.now);
        let nxt = self.rcv.nxt;
        if let Some(ts) = &mut self.ts {
            ts.last_ack_sent = nxt;
        }
        Header {
            ack: nxt,
            flags: Flags::ACK | self.echo.flags(),
            window,
            stamps: self.ts.as_ref().map(|ts| ts.option(steady.now)),
            ecn: if self.snd.ecn.is_capable() { Ecn::Ect0 } else { Ecn::NotEct },
        }
    }
}
