//! What one event does to the outside: the sink, and what is noted until the end of the event.

use crate::{Action, CloseReason, Counters, Discard, Segment, Sink};

/// The actions of one event, in the order of the contract: what must come later is noted, until
/// [`report_progress`](Self::report_progress) or the end of the event pushes it.
pub(super) struct Output<'a> {
    sink: &'a mut dyn Sink,
    pub(super) counters: &'a mut Counters,
    /// Octets of our text acknowledged.
    pub(super) acked: usize,
    pub(super) writable: bool,
    pub(super) flushed: bool,
    closed: Option<CloseReason>,
    transmits: u32,
}

impl<'a> Output<'a> {
    pub(super) fn new(sink: &'a mut dyn Sink, counters: &'a mut Counters) -> Self {
        Self { sink, counters, acked: 0, writable: false, flushed: false, closed: None, transmits: 0 }
    }

    pub(super) fn push(&mut self, action: Action) {
        self.sink.push(action);
    }

    pub(super) fn sink(&mut self) -> &mut dyn Sink {
        self.sink
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn transmit(&mut self, segment: Segment) {
        self.counters.segments_out += 1;
        self.transmits += 1;
        self.sink.push(Action::Transmit(segment));
    }

    /// `Transmit`s of this event so far.
    pub(super) const fn transmits(&self) -> u32 {
        self.transmits
    }

    #[cold]
    #[inline(never)] // there are many uses
    pub(super) fn discard(&mut self, reason: Discard) {
        self.counters.discarded += 1;
        self.sink.push(Action::Discarded(reason));
    }

    /// The connection ended; `Closed` comes last.
    pub(super) fn closed(&mut self, reason: CloseReason) {
        self.closed.get_or_insert(reason);
    }

    pub(super) const fn close_reason(&self) -> Option<CloseReason> {
        self.closed
    }

    /// `Acked`, `Writable`, `Flushed`: before the first segment of the flush.
    pub(super) fn report_progress(&mut self) {
        let acked = core::mem::take(&mut self.acked);
        if acked > 0 {
            self.counters.octets_acked += u64::try_from(acked).unwrap_or(0);
            self.push(Action::Acked(acked));
        }
        if core::mem::take(&mut self.writable) {
            self.push(Action::Writable);
        }
        if core::mem::take(&mut self.flushed) {
            self.push(Action::Flushed);
        }
    }
}
