//! What one event does to the outside: the sink, and notes until the end of the event.

use super::steady::Progress;
use crate::counts::Counts;
use crate::{Action, CloseReason, Discard, Segment, Sink};

/// What an event has noted for its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Notes {
    progress: Progress,
    closed: Option<CloseReason>,
    transmits: u32,
}

impl Notes {
    /// `Transmit`s so far.
    pub(super) const fn transmits_mut(&mut self) -> &mut u32 {
        &mut self.transmits
    }

    pub(super) const fn close_reason(&self) -> Option<CloseReason> {
        self.closed
    }
}

/// The actions of one event, in the order of the contract: what must come later is noted, until
/// [`report_progress`](Self::report_progress) or the end of the event pushes it.
pub(super) struct Output<'a> {
    sink: &'a mut (dyn Sink + 'a),
    pub(super) counters: &'a mut Counts,
    notes: Notes,
}

impl<'a> Output<'a> {
    /// The output of an event that has transmitted this number of segments already.
    pub(super) fn new(sink: &'a mut dyn Sink, counters: &'a mut Counts, transmits: u32) -> Self {
        Self::resume(sink, counters, Notes { transmits, ..Notes::default() })
    }

    /// The output of an event that goes on: a batch has several parts.
    pub(super) fn resume(sink: &'a mut dyn Sink, counters: &'a mut Counts, notes: Notes) -> Self {
        Self { sink, counters, notes }
    }

    /// What is noted, for [`resume`](Self::resume).
    pub(super) const fn notes(&self) -> Notes {
        self.notes
    }

    pub(super) fn push(&mut self, action: Action) {
        self.sink.push(action);
    }

    pub(super) fn sink(&mut self) -> &mut (dyn Sink + 'a) {
        self.sink
    }

    /// What takes the actions, the counters, and how many segments were transmitted.
    pub(super) fn parts(&mut self) -> (&mut (dyn Sink + 'a), &mut Counts, &mut u32) {
        (self.sink, self.counters, &mut self.notes.transmits)
    }

    /// News of our own stream, until `report_progress`.
    pub(super) fn note_progress(&mut self, progress: Progress) {
        self.notes.progress.acked += progress.acked;
        self.notes.progress.writable |= progress.writable;
        self.notes.progress.flushed |= progress.flushed;
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn transmit(&mut self, segment: Segment) {
        self.counters.segments_out += 1;
        self.notes.transmits += 1;
        self.sink.push(Action::Transmit(segment));
    }

    /// `Transmit`s of this event so far.
    pub(super) const fn transmits(&self) -> u32 {
        self.notes.transmits
    }

    #[cold]
    #[inline(never)] // there are many uses
    pub(super) fn discard(&mut self, reason: Discard) {
        self.counters.rare().discarded += 1;
        self.sink.push(Action::Discarded(reason));
    }

    /// The connection ended; `Closed` comes last.
    pub(super) fn closed(&mut self, reason: CloseReason) {
        self.notes.closed.get_or_insert(reason);
    }

    pub(super) const fn close_reason(&self) -> Option<CloseReason> {
        self.notes.close_reason()
    }

    /// `Acked`, `Writable`, `Flushed`: before the first segment of the flush.
    pub(super) fn report_progress(&mut self) {
        core::mem::take(&mut self.notes.progress).report(self.counters, self.sink);
    }
}
