//! Text arrives: in order, in a gap, or beyond one.

use bytes::Bytes;

use super::limits::{Full, Inserted, Limits};
use super::{Accepted, Receiver};
use crate::SeqNum;
use crate::stream::Offset;

/// No window is larger (RFC 7323 §2.3): text further behind is not told from what never came.
const MAX_WINDOW: u32 = 1 << 30;

impl Receiver {
    /// Takes text that lies inside the window and before any FIN; text in order goes to `deliver`, moved. Returns also
    /// the first part of it that had arrived before (RFC 2883 §4).
    pub(crate) fn accept(
        &mut self,
        seq: SeqNum,
        text: Bytes,
        limits: &Limits,
        deliver: &mut dyn FnMut(Bytes),
    ) -> (Accepted, Option<(SeqNum, SeqNum)>) {
        let behind = self.nxt.saturating_since(seq);
        if behind == 0 {
            return self.accept_new(seq, text, limits, deliver);
        }
        let repeated = self.duplicate_behind(seq, u32::try_from(text.len()).unwrap_or(u32::MAX));
        let old = usize::try_from(behind).unwrap_or(usize::MAX);
        if old >= text.len() {
            return (Accepted::Old, repeated);
        }
        let new = planted!(deliver_twice, text.slice(old..), text);
        (self.accept_new(self.nxt, new, limits, deliver).0, repeated)
    }

    /// The same of text that starts at RCV.NXT or beyond.
    #[inline]
    fn accept_new(
        &mut self,
        seq: SeqNum,
        text: Bytes,
        limits: &Limits,
        deliver: &mut dyn FnMut(Bytes),
    ) -> (Accepted, Option<(SeqNum, SeqNum)>) {
        if self.held.is_empty() && planted!(acknowledge_over_a_hole, seq == self.nxt, true) {
            self.advance(text.len());
            deliver(text);
            return (Accepted::InOrder { filled: false }, None);
        }
        if seq == self.nxt {
            let repeated = self.fill(text, limits, deliver);
            return (Accepted::InOrder { filled: true }, repeated);
        }
        match self.held.insert(self.offset_of(seq), text, self.received, limits) {
            Err(Full) => (Accepted::Refused, None),
            Ok(inserted) => {
                self.fin_is_recent = false;
                (Accepted::Held, self.repeated(&inserted))
            }
        }
    }

    /// Text at RCV.NXT fills a part of a gap. It need not be held first, unless it overlaps held text, or is small and
    /// touches some. Returns the first part that was held.
    fn fill(&mut self, text: Bytes, limits: &Limits, deliver: &mut dyn FnMut(Bytes)) -> Option<(SeqNum, SeqNum)> {
        let end = self.received.end_of(&text);
        let apart =
            self.held.start().is_some_and(|start| end < start || (end == start && !limits.is_small(text.len())));
        if apart {
            self.advance(text.len());
            deliver(text);
            self.release_held(deliver);
            return None;
        }
        // The text is the next expected: it is never refused.
        let inserted = self.held.insert(self.received, text, self.received, limits).ok();
        let repeated = inserted.and_then(|inserted| self.repeated(&inserted));
        self.release_held(deliver);
        repeated
    }

    /// The first part of what was inserted that was held before.
    fn repeated(&self, inserted: &Inserted) -> Option<(SeqNum, SeqNum)> {
        inserted.repeated.map(|(from, to)| (self.seq_of(from), self.seq_of(to)))
    }

    /// Octets before RCV.NXT that are told from what never came.
    pub(crate) fn in_reach(&self) -> u32 {
        self.received.saturating_since(Offset::START).min(MAX_WINDOW)
    }

    /// The first part of `len` octets of text at `seq` that has arrived before (RFC 2883 §4).
    pub(crate) fn duplicate_in(&self, seq: SeqNum, len: u32) -> Option<(SeqNum, SeqNum)> {
        if self.nxt.after(seq) {
            return self.duplicate_behind(seq, len);
        }
        let start = self.offset_of(seq);
        let (from, to) = self.held.first_overlap(start, start + len)?;
        Some((self.seq_of(from), self.seq_of(to)))
    }

    /// The same of text that starts before RCV.NXT.
    fn duplicate_behind(&self, seq: SeqNum, len: u32) -> Option<(SeqNum, SeqNum)> {
        let behind = self.nxt.saturating_since(seq);
        (behind <= self.in_reach() && len > 0).then(|| (seq, (seq + len).min(self.nxt)))
    }
}
