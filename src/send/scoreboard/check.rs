//! What holds of a scoreboard at all times.

use super::{Fate, Scoreboard, Sent};
use crate::Instant;
use crate::features::{RACK, SHORTCUTS};
use crate::invariant::{Broken, holds};
use crate::stream::Position;

impl Scoreboard {
    pub(crate) fn check_invariants(&self) -> Result<(), Broken> {
        let marks = &*self.marks;
        holds(self.marks.is_at_rest() == marks.are_gone(), "memory for what was set apart")?;
        marks.sacked.check_invariants()?;
        marks.lost.check_invariants()?;
        holds(self.nxt.is_reached(), "a stream without end")?;
        holds(marks.fresh <= self.nxt, "the search for losses is beyond SND.NXT")?;
        let (mut at, mut sacked, mut lost, mut segments) = (self.una, 0_u32, 0_u32, 0);
        for sent in &self.segments {
            holds(sent.start == at && sent.end > at && sent.end <= self.nxt, "records leave a gap")?;
            at = sent.end;
            match sent.fate {
                Fate::InFlight => holds(sent.again || sent.start >= marks.fresh, "a record is behind the search")?,
                Fate::Sacked => {
                    (sacked, segments) = (sacked.saturating_add(sent.len()), segments + 1);
                    let reported = marks.sacked.first_gap(sent.start, sent.end).is_none();
                    holds(reported, "a record counts as reported, and no range says so")?;
                }
                Fate::Lost => lost = lost.saturating_add(sent.len()),
            }
            holds(sent.fate != Fate::InFlight || self.knows_again(sent), "a retransmission that nothing tells of")?;
            let overlap = marks.lost.first_overlap(sent.start, sent.end);
            let expected = (sent.fate == Fate::Lost).then_some((sent.start, sent.end));
            holds(overlap == expected, "a record and the lost ranges differ")?;
        }
        holds(at == self.nxt, "records end before SND.NXT")?;
        holds(self.nxt.saturating_since(self.una) < 1 << 31, "more is in flight than can be numbered")?;
        holds((sacked, lost) == (marks.sacked_octets, marks.lost_octets), "octets reported and lost")?;
        let ranges = marks.lost.iter().fold(0_u32, |sum, range| sum.saturating_add(range.end - range.start));
        holds(ranges == lost, "what is lost was never sent")?; // or octets that are in no record would go for ever
        let known = marks.sacked.first().is_none_or(|range| range.start >= self.una)
            && marks.sacked.last().is_none_or(|range| range.end <= self.nxt);
        holds(known, "a report of what was never sent, or is acknowledged")?;
        holds(segments == marks.sacked_segments, "segments reported")?;
        let reported = |&(start, end): &(Position, Position)| marks.sacked.first_gap(start, end).is_none();
        holds(marks.fingers.recent.as_slice().iter().all(reported), "a range that was not reported")?;
        let again = marks.again.iter().map(|&(start, at)| (at, start));
        holds(again.is_sorted(), "retransmissions out of order")?;
        let once = self.segments.iter().filter(|sent| !sent.again);
        holds(once.is_sorted_by_key(|sent| sent.at), "segments out of the order of their sending")
    }

    /// Where deliveries are sampled, `delivered` octets so far, the segments remember them in the order of their sending.
    pub(crate) fn check_rates(&self, sampling: bool, delivered: u64) -> Result<(), Broken> {
        let known = |sent: &Sent| sent.rate.order() <= (sampling, delivered);
        holds(self.segments.iter().all(known), "a segment remembers more than was delivered")?;
        let once = self.segments.iter().filter(|sent| !sent.again);
        holds(once.is_sorted_by_key(|sent| sent.rate.order()), "what segments remember of rates goes back")
    }

    /// A record that was sent again has an entry that tells when.
    fn knows_again(&self, sent: &Sent) -> bool {
        let order = |&(start, at): &(Position, Instant)| (at, start).cmp(&(sent.at, sent.start));
        !sent.again || !(RACK || SHORTCUTS) || self.marks.again.binary_search_by(order).is_ok()
    }

    /// No record was sent later than now.
    pub(crate) fn check_times(&self, now: Instant) -> Result<(), Broken> {
        holds(self.segments.iter().all(|sent| sent.at <= now), "a segment was sent later than now")
    }
}
