//! What is sent again, and records that are cut for it.

use super::{Fate, KEEP, Scoreboard, Sent};
use crate::Instant;
use crate::features::{RACK, SHORTCUTS};
use crate::send::rate::Snapshot;
use crate::stream::Position;

impl Scoreboard {
    /// `start..end`, sent before, goes out again; what of it was lost is in flight again. A record that it covers in
    /// part is cut in two, if it may be; else all of it counts as sent again, and the rest is found to be lost later.
    /// Returns whether any of it had been sent again before.
    pub(crate) fn sent_again(
        &mut self,
        start: Position,
        end: Position,
        may_cut: bool,
        at: Instant,
        rate: Snapshot,
    ) -> bool {
        let (mut index, mut before) = (self.index_of(start), false);
        if may_cut {
            index += usize::from(self.cut_at(index, start));
            self.cut_behind(index, start, end);
        }
        while let Some(sent) = self.segments.get_mut(index).filter(|sent| sent.start < end) {
            before |= sent.again && sent.fate != Fate::Sacked;
            if sent.fate == Fate::Lost {
                let marks = self.marks.begin();
                marks.lost.remove(sent.start, sent.end);
                marks.lost_octets -= sent.len();
                sent.fate = Fate::InFlight;
            }
            if sent.fate == Fate::InFlight {
                (sent.at, sent.again, sent.rate) = (at, true, rate);
                let start = sent.start;
                self.note_again(start, at);
            }
            index += 1;
        }
        before
    }

    /// The segment that starts here was sent again at this time. Entries that are over go when they are the larger
    /// part.
    pub(super) fn note_again(&mut self, start: Position, at: Instant) {
        self.insert_again(start, at);
        if self.marks.again.len() > 2 * self.segments.len() + KEEP {
            self.note_all_again();
        }
    }

    /// RACK looks at these entries, and steady traffic has none.
    #[inline(never)] // in one place, so that the linker's proof sees that the index is within bounds
    fn insert_again(&mut self, start: Position, at: Instant) {
        if !RACK && !SHORTCUTS {
            return self.tidy();
        }
        let again = &mut self.marks.begin().again;
        if again.back().is_none_or(|&(before, earlier)| (earlier, before) <= (at, start)) {
            return again.push_back((start, at)); // what is lost goes again in order, mostly
        }
        let place = again.partition_point(|&(before, earlier)| (earlier, before) <= (at, start));
        again.insert(place.min(again.len()), (start, at));
    }

    /// The entries of those that were sent again, anew from the records.
    pub(super) fn note_all_again(&mut self) {
        if let Some(marks) = self.marks.active() {
            marks.again.clear();
        }
        for index in 0..self.segments.len() {
            let again = self.segments.get(index).filter(|sent| sent.again && sent.fate == Fate::InFlight);
            if let Some((start, at)) = again.map(|sent| (sent.start, sent.at)) {
                self.insert_again(start, at);
            }
        }
    }

    /// Makes `end` a border; the record at `first` holds `start`. What lies before it in a record goes to the neighbour that
    /// goes out with it, if there is one: nothing is inserted then, whatever the sizes of the records.
    fn cut_behind(&mut self, first: usize, start: Position, end: Position) {
        if self.segments.get(first).is_some_and(|sent| sent.end == end) {
            return; // a whole record, as most
        }
        let index = self.index_of(end);
        let Some(sent) = self.segments.get(index).filter(|sent| sent.start < end && sent.fate != Fate::Sacked).copied()
        else {
            return;
        };
        let goes_along = |before: &&mut Sent| before.start >= start && before.fate == sent.fate;
        let before = index.checked_sub(1).and_then(|before| self.segments.get_mut(before)).filter(goes_along);
        let Some(before) = before else {
            self.cut_at(index, end);
            return;
        };
        before.end = end;
        if let Some(rest) = self.segments.get_mut(index) {
            rest.start = end;
        }
        if sent.again && sent.fate == Fate::InFlight {
            self.note_again(end, sent.at);
        }
    }

    /// Makes `position`, which the record at `index` holds, a border between records, which moves those on the shorter side of
    /// it. Returns whether it was none.
    #[inline(never)] // as above
    pub(super) fn cut_at(&mut self, index: usize, position: Position) -> bool {
        let Some(sent) = self.segments.get_mut(index).filter(|sent| sent.start < position && sent.fate != Fate::Sacked)
        else {
            return false;
        };
        let rest = Sent { start: position, ..*sent };
        sent.end = position;
        self.segments.insert((index + 1).min(self.segments.len()), rest);
        if rest.again && rest.fate == Fate::InFlight {
            self.note_again(position, rest.at);
        }
        true
    }
}
