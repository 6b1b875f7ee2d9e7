//! What leaves with the next flush beside what connections have to send.

use alloc::collections::VecDeque;

use crate::Segment;
use crate::host::flow::Flow;

/// The answers that wait for the next flush, up to a limit.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    pub(super) queue: VecDeque<(Flow, Segment)>,
    /// Segments at the front that a device had no room for: they do not count.
    pub(super) held: usize,
    pub(super) most: usize,
}

/// Segments of one connection that may wait for a flush, beside the answers to strays.
const OF_ONE: usize = 8;
/// Segments for which an empty queue keeps its memory.
const AT_REST: usize = 64;

impl Answers {
    /// Segments that count.
    pub(super) fn len(&self) -> usize {
        self.queue.len().saturating_sub(self.held)
    }

    pub(super) fn pop(&mut self) -> Option<(Flow, Segment)> {
        self.held = self.held.saturating_sub(1);
        self.queue.pop_front()
    }

    /// All has left: a queue that was long gives its memory back.
    pub(super) fn rest(&mut self) {
        if self.queue.is_empty() {
            self.queue.shrink_to(AT_REST);
        }
    }

    /// What was popped comes first again, and counts as before.
    pub(super) fn put_back(&mut self, segment: (Flow, Segment), held: usize) {
        self.queue.push_front(segment);
        self.held = held;
    }

    /// What a device had no room for comes first the next time.
    pub(super) fn keep(&mut self, mut rest: VecDeque<(Flow, Segment)>) {
        self.held += rest.len();
        rest.append(&mut self.queue);
        self.queue = rest;
    }

    /// A connection is over: its text that a device had no room for is of no use, and it would hold the memory of the
    /// write that it is part of. Only one connection at a time has segments that are held.
    pub(super) fn let_go(&mut self, flow: &Flow) {
        if self.held > 0 && self.queue.front().is_some_and(|(held, _)| held == flow) {
            let mut rest = self.queue.split_off(self.held.min(self.queue.len()));
            self.queue.retain(|(_, segment)| segment.payload.is_empty());
            self.held = self.queue.len();
            self.queue.append(&mut rest);
        }
    }

    pub(super) fn push(&mut self, flow: &Flow, segment: Segment) {
        if self.len() < self.most {
            self.queue.push_back((*flow, segment));
        } // else it is lost, as packets may be
    }

    /// A segment of one of our `connections`. Each has room for some beside the limit: so none is lost while the host
    /// flushes in each turn, and packets that arrive while it does not fill no memory.
    pub(super) fn push_own(&mut self, flow: &Flow, segment: Segment, connections: usize) {
        if self.len() < self.most.saturating_add(connections.saturating_mul(OF_ONE)) {
            self.queue.push_back((*flow, segment));
        }
    }
}
