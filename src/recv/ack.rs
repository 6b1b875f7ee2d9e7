//! When to acknowledge, and which blocks to report (RFC 9293 §3.8.6.3, RFC 5681 §4.2, RFC 2018 §4).

use crate::ranges::Ranges;

/// The acknowledgment that is owed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum PendingAck {
    /// None.
    #[default]
    No,
    /// One that may wait until `Timer::DelayedAck`, for so many segments.
    Delayed { segments: u32 },
    /// One that leaves with this event, on text if there is any.
    Now,
    /// One that leaves with this event as a segment of its own: a duplicate ACK carries no text (RFC 5681 §2).
    Pure,
}

impl PendingAck {
    /// In-order text of `segments` segments arrived: every `every`-th is acknowledged at once, others may wait.
    pub(crate) fn on_text(&mut self, segments: u32, every: u8) {
        let waiting = match *self {
            Self::No => 0,
            Self::Delayed { segments } => segments,
            Self::Now | Self::Pure => return,
        };
        let segments = waiting.saturating_add(segments.max(1));
        *self = if segments >= u32::from(every) { Self::Now } else { Self::Delayed { segments } };
    }

    /// An acknowledgment must leave now.
    pub(crate) fn at_once(&mut self) {
        if *self != Self::Pure {
            *self = Self::Now;
        }
    }
}

/// The ranges reported lately, most recent first, by an offset inside each: the order of SACK blocks (RFC 2018 §4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Recent {
    offsets: [Option<u64>; 4],
}

impl Recent {
    /// Text at `offset` arrived out of order: its range goes first.
    pub(crate) fn touch(&mut self, offset: u64, held: &Ranges) {
        let range = held.containing(offset);
        let mut order = [None; 4];
        let older = self.offsets.iter().flatten().copied().filter(|&o| held.containing(o) != range);
        for (slot, offset) in order.iter_mut().zip(core::iter::once(offset).chain(older)) {
            *slot = Some(offset);
        }
        self.offsets = order;
    }

    /// The ranges to report, in order, each once.
    pub(crate) fn blocks<'a>(&'a self, held: &'a Ranges) -> impl Iterator<Item = (u64, u64)> + 'a {
        let range_of = move |index: usize| held.containing(self.offsets.get(index).copied().flatten()?);
        (0..self.offsets.len()).filter_map(move |i| range_of(i).filter(|r| (0..i).all(|j| range_of(j) != Some(*r))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn every_second_segment_is_acknowledged_at_once() {
        let mut ack = PendingAck::No;
        ack.on_text(1, 2);
        assert_eq!(ack, PendingAck::Delayed { segments: 1 });
        ack.on_text(1, 2);
        assert_eq!(ack, PendingAck::Now);
        let mut coalesced = PendingAck::No;
        coalesced.on_text(2, 2);
        assert_eq!(coalesced, PendingAck::Now);
    }

    #[test]
    fn blocks_are_reported_most_recent_first_and_once() {
        let (mut held, mut recent) = (Ranges::default(), Recent::default());
        for (start, end) in [(10, 20), (30, 40), (50, 60), (70, 80), (90, 95)] {
            held.insert(start, end);
            recent.touch(start, &held);
        }
        assert_eq!(recent.blocks(&held).collect::<Vec<_>>(), [(90, 95), (70, 80), (50, 60), (30, 40)]);
        held.insert(60, 70); // joins two
        recent.touch(60, &held);
        assert_eq!(recent.blocks(&held).collect::<Vec<_>>(), [(50, 80), (90, 95), (30, 40)]);
        held.remove_below(41);
        assert_eq!(recent.blocks(&held).collect::<Vec<_>>(), [(50, 80), (90, 95)]);
    }
}
