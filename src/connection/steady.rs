//! The end of an event in steady traffic: the flush where nothing but the stream and its acknowledgments can leave, and
//! no timer but the usual ones can run.
//!
//! A shortcut like that of `predicted`, with the same proof: what it does is what `flush` comes to then.

use super::deadlines::Deadlines;
use super::icmp::packet_size;
use super::predicted::Prediction;
use super::tcb::{Settings, Tcb};
use crate::counts::Counts;
use crate::recv::ack::PendingAck;
use crate::time::Micros;
use crate::{Action, Config, Controller, Flags, Instant, Path, Segment, Sink, Timer};

/// What a step in steady traffic needs beside the TCB.
pub(super) struct Steady<'a, S: ?Sized> {
    pub(super) config: &'a Config,
    pub(super) settings: &'a Settings,
    pub(super) path: &'a mut Path,
    pub(super) timers: &'a mut Deadlines,
    pub(super) counters: &'a mut Counts,
    pub(super) sink: &'a mut S,
    pub(super) now: Instant,
    /// `Transmit`s of this event so far.
    pub(super) transmits: &'a mut u32,
}

impl<S: Sink + ?Sized> Steady<'_, S> {
    /// The same for a call that is not inlined, so that this one may stay in registers.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn lent(&mut self) -> Steady<'_, S> {
        let Self { config, settings, path, timers, counters, sink, now, transmits } = self;
        Steady { config, settings, path, timers, counters, sink, now: *now, transmits }
    }

    #[inline]
    pub(super) fn transmit(&mut self, segment: Segment) {
        self.counters.segments_out += 1;
        *self.transmits += 1;
        self.sink.push(Action::Transmit(segment));
    }
}

/// What an event told of our own stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Progress {
    /// Octets of our text acknowledged.
    pub(super) acked: u32,
    pub(super) writable: bool,
    pub(super) flushed: bool,
}

impl Progress {
    /// `Acked`, `Writable`, `Flushed`: before the first segment of the flush.
    #[inline]
    pub(super) fn report<S: Sink + ?Sized>(self, counters: &mut Counts, sink: &mut S) {
        let Self { acked, writable, flushed } = self;
        if acked > 0 {
            counters.octets_acked += u64::from(acked);
            sink.push(Action::Acked(usize::try_from(acked).unwrap_or(usize::MAX)));
        }
        if writable {
            sink.push(Action::Writable);
        }
        if flushed {
            sink.push(Action::Flushed);
        }
    }
}

impl<C: Controller> Tcb<C> {
    /// Whether nothing is queued or in flight, and was not when the event began: no deadline moves but those of the
    /// receiver.
    #[inline]
    pub(super) fn is_quiet(&self) -> bool {
        self.pending_since.is_none() && !self.snd.is_pending()
    }

    /// The flush, where that is plain. Returns whether nothing is left to do: if not, the whole flush does the rest.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn flush_steadily<S: Sink + ?Sized>(&mut self, advances: bool, steady: &mut Steady<'_, S>) -> bool {
        if self.prediction != Prediction::Flush {
            return false;
        }
        let (pending, nxt) = (self.snd.has_queued(), self.snd.nxt);
        if pending && self.snd.wnd == 0 {
            return false;
        }
        if self.snd.unsent() > 0 {
            if !self.transmit_unsent(&mut steady.lent()) {
                return false;
            }
        } else if pending {
            self.snd.on_all_sent(self.eff_snd_mss.into());
        }
        match self.ack {
            PendingAck::No => {}
            PendingAck::Delayed { .. } => {
                let at = steady.now + Micros::from(steady.config.delayed_ack());
                steady.timers.start(Timer::DelayedAck, at);
            }
            PendingAck::Now | PendingAck::Pure => self.transmit_plain_ack(steady),
        }
        if pending {
            let moves = advances || nxt != self.snd.nxt;
            // Beyond a window that shrank any answer is progress (SHLD-17), and the user timeout moves alone.
            return if moves { self.arm_sender(advances, steady) } else { !self.snd.is_beyond_edge() };
        }
        if self.pending_since.take().is_some() {
            // This event acknowledged the last.
            steady.timers.stop_sender();
            steady.timers.clear(Timer::UserTimeout);
            steady.timers.set(Timer::Idle, steady.now + self.snd.rtt.rto());
        }
        true
    }

    /// Sends queued text, in full segments. Returns whether nothing more may leave until an acknowledgment comes.
    #[inline(never)]
    fn transmit_unsent<S: Sink + ?Sized>(&mut self, steady: &mut Steady<'_, S>) -> bool {
        !self.snd.may_revise_window(steady.now) && self.transmit_text(steady).is_some()
    }

    /// The sender's timers, after progress or new text. Returns whether the user timeout leaves time for evidence,
    /// see `patience`.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn arm_sender<S: Sink + ?Sized>(&mut self, advances: bool, steady: &mut Steady<'_, S>) -> bool {
        let (now, rto) = (steady.now, self.snd.rtt.rto());
        let running = if advances { None } else { steady.timers.get(Timer::Retransmit) };
        let timeout = running.unwrap_or(now + rto);
        let probe = self.snd.steady_tail_probe_after(self.eff_snd_mss.into(), steady.config);
        let since = self.pending_since.get_or_insert(now);
        let limit = self.user_timeout(steady.config, steady.settings).map(|limit| since + limit);
        steady.timers.restart_sender(timeout, probe.map(|after| (now + after).min(timeout)), limit);
        limit.is_none_or(|limit| timeout + rto.times(3) <= limit)
    }

    /// `transmit_owed_ack` where it has no options but timestamps, and nothing is urgent.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn transmit_plain_ack<S: Sink + ?Sized>(&mut self, steady: &mut Steady<'_, S>) {
        self.ack = PendingAck::No;
        steady.timers.clear(Timer::DelayedAck);
        let window = self.rcv.advertise(self.eff_snd_mss, || self.snd.rtt.round_trip(), steady.now);
        let (seq, nxt) = (self.snd.acceptable_seq(), self.rcv.nxt);
        if let Some(ts) = &mut self.ts {
            ts.last_ack_sent = nxt;
        }
        if seq == self.snd.nxt {
            self.snd.path_mtu.on_pure_ack(packet_size(steady.path, self.option_octets(0), 0));
        }
        steady.transmit(Segment {
            seq,
            ack: nxt,
            flags: Flags::ACK | self.echo.flags(),
            window,
            options: self.ts.as_ref().map(|ts| ts.option(steady.now)).into(),
            ..Segment::default()
        });
    }
}
