//! The parts of a batch, one after the other, and the flush at its end.

use super::output::{Notes, Output};
use super::steady::Steady;
use super::tcb::Cx;
use super::{Connection, Phase};
use crate::features::SHORTCUTS;
use crate::{Action, Controller, Event, Instant, Segment, Sink, Timer};
use alloc::vec::Vec;
use bytes::Bytes;
use core::mem;

/// What a batch has noted for its end: it may rest between its parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Open {
    notes: Notes,
    /// Whether its parts and its flush may take shortcuts: where an event that began as it did might.
    shortcuts: bool,
    /// Whether all parts so far were those of steady traffic, so that the flush is too; and whether the peer acknowledged
    /// something new.
    steady: bool,
    advances: bool,
    /// Whether a part has come.
    begun: bool,
    /// Whether the timers are still to run.
    timers: bool,
}

/// Whether steady traffic has a flush of its own in a batch: not on small machines, where code counts more.
const STEADY: bool = SHORTCUTS && cfg!(target_pointer_width = "64");

impl<C: Controller> Connection<C> {
    pub(crate) fn open_batch(&self, shortcuts: bool) -> Open {
        let shortcuts = shortcuts && self.phase.has_shortcuts();
        let steady = shortcuts && self.phase.flushes_steadily();
        Open { notes: Notes::default(), shortcuts, steady, advances: false, begun: false, timers: false }
    }

    /// [`Event::Batch`].
    #[inline(never)]
    pub(super) fn whole_batch(&mut self, parts: Vec<Event>, now: Instant, sink: &mut dyn Sink, shortcuts: bool) {
        let mut open = self.open_batch(shortcuts);
        self.pass_to(now);
        self.parts(parts, now, &mut open, sink);
        self.end_batch(now, open, sink);
    }

    /// Parts in their order, as far as they can proceed in their turn.
    fn parts(&mut self, parts: Vec<Event>, now: Instant, open: &mut Open, sink: &mut dyn Sink) {
        for part in parts {
            if self.check_call(&part).is_ok() {
                self.part(part, now, open, sink);
            }
        }
    }

    /// One part of a batch. `check_call` let it pass.
    pub(crate) fn part(&mut self, part: Event, now: Instant, open: &mut Open, sink: &mut dyn Sink) {
        match part {
            Event::Batch(parts) => self.parts(parts, now, open, sink),
            Event::Timer(_) if open.begun => open.timers = true,
            Event::Segment(segment) if STEADY && open.steady && self.phase.expects(&segment) => {
                open.begun = true;
                self.expected_part(segment, now, open, sink);
            }
            Event::Send(text) => self.send_part(text, now, open, sink),
            Event::SendMore(text) if STEADY && open.steady => self.text_part(text, false, now, open),
            Event::Consume(octets) => self.consume_part(octets, now, open),
            Event::Set(knob) => self.set_part(knob, now, open, sink),
            part @ (Event::Segment(_)
            | Event::Segments(_)
            | Event::Timer(_)
            | Event::SendMore(_)
            | Event::SendUrgent(_)
            | Event::Close
            | Event::Release
            | Event::Abort
            | Event::Continue
            | Event::Mtu(_)
            | Event::Icmp { .. }
            | Event::Rearm(_)) => self.whole_part(part, now, open, sink),
        }
    }

    /// [`Event::Consume`], for those who have a number and no event.
    pub(crate) fn consume_part(&mut self, octets: usize, now: Instant, open: &mut Open) {
        open.begun = true;
        self.pass_to(now);
        self.phase.take_text(octets);
    }

    /// [`Event::Send`] of text that fits, for those who have asked [`writable`](Self::writable).
    pub(crate) fn send_part(&mut self, text: Bytes, now: Instant, open: &mut Open, sink: &mut dyn Sink) {
        if STEADY && open.steady {
            self.text_part(text, true, now, open);
        } else {
            self.whole_part(Event::Send(text), now, open, sink);
        }
    }

    /// A part that leaves nothing out.
    #[inline(never)]
    fn whole_part(&mut self, mut part: Event, now: Instant, open: &mut Open, sink: &mut dyn Sink) {
        self.rare_part(now, open, sink, |phase, cx| phase.dispatch(&mut part, cx));
    }

    /// A part that is none of steady traffic.
    pub(super) fn rare_part(
        &mut self,
        now: Instant,
        open: &mut Open,
        sink: &mut dyn Sink,
        change: impl FnOnce(&mut Phase<C>, &mut Cx<'_, '_>),
    ) {
        open.begun = true;
        self.leave_steady(open);
        self.within(now, open, sink, |phase, cx| {
            change(phase, cx);
            cx.out.report_progress();
        });
    }

    /// SEND in steady traffic.
    fn text_part(&mut self, text: Bytes, push: bool, now: Instant, open: &mut Open) {
        open.begun = true;
        self.pass_to(now);
        if let Phase::Live(tcb) = &mut self.phase {
            tcb.snd.queue(text, push, &self.config);
        }
    }

    /// The expected segment in steady traffic.
    fn expected_part(&mut self, segment: Segment, now: Instant, open: &mut Open, sink: &mut dyn Sink) {
        self.pass_to(now);
        let Self { config, settings, path, timers, counters, clock, phase } = self;
        let Phase::Live(tcb) = phase else { return };
        let transmits = open.notes.transmits_mut();
        let mut steady = Steady { config, settings, path, timers, counters, sink, now: *clock, transmits };
        let progress = tcb.arrives_as_expected(segment, &mut steady);
        progress.report(steady.counters, steady.sink);
        open.advances |= progress.acked > 0;
    }

    /// What comes now is not of steady traffic.
    fn leave_steady(&mut self, open: &mut Open) {
        open.steady = false;
        if mem::take(&mut open.advances) {
            self.timers.stop_sender(); // the flush starts them again
        }
    }

    /// The flush of steady traffic; whether that was all.
    fn flush_steadily(&mut self, now: Instant, open: &mut Open, sink: &mut dyn Sink) -> bool {
        self.pass_to(now);
        let Self { config, settings, path, timers, counters, clock, phase } = self;
        let Phase::Live(tcb) = phase else { return false };
        let transmits = open.notes.transmits_mut();
        let mut steady = Steady { config, settings, path, timers, counters, sink, now: *clock, transmits };
        tcb.flush_steadily(open.advances, &mut steady)
    }

    /// The end of a batch: its one flush; then the timers, where they wait and are still due.
    pub(crate) fn end_batch(&mut self, now: Instant, mut open: Open, sink: &mut dyn Sink) {
        if !open.begun {
            return;
        }
        if !(STEADY && open.steady && self.flush_steadily(now, &mut open, sink)) {
            self.leave_steady(&mut open);
            self.flush_whole(now, &mut open, sink);
        }
        if open.timers {
            self.whole_part(Event::Timer(Timer::Retransmit), now, &mut open, sink);
            self.flush_whole(now, &mut open, sink);
        }
        self.timers.announce(sink);
        if let Some(reason) = open.notes.close_reason() {
            sink.push(Action::Closed(reason));
        }
    }

    /// The whole flush.
    #[inline(never)]
    fn flush_whole(&mut self, now: Instant, open: &mut Open, sink: &mut dyn Sink) {
        self.within(now, open, sink, |phase, cx| phase.flush(cx));
    }

    /// A change in an event that has begun and is not over.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn within(
        &mut self,
        now: Instant,
        open: &mut Open,
        sink: &mut dyn Sink,
        change: impl FnOnce(&mut Phase<C>, &mut Cx<'_, '_>),
    ) {
        self.pass_to(now);
        let Self { config, settings, path, timers, counters, clock, phase } = self;
        let mut out = Output::resume(sink, counters, open.notes);
        let shortcuts = open.shortcuts;
        change(phase, &mut Cx { config, settings, path, timers, out: &mut out, now: *clock, shortcuts });
        open.notes = out.notes();
        open.shortcuts &= phase.has_shortcuts();
    }
}
