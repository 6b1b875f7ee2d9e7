//! What is lost: how records come to be, and how they go back in flight.

use super::{Fate, Scoreboard, Sent};
use crate::ranges::Ranges;
use crate::recent::Recent;
use crate::stream::Position;

impl Scoreboard {
    /// Takes as lost the segments in flight that were sent once, in the order of their sending, while `is_lost` says
    /// so. Returns the octets.
    pub(crate) fn lose_fresh(&mut self, mut is_lost: impl FnMut(&Sent) -> bool) -> u32 {
        let mut index = self.index_near(self.marks.fingers.fresh, self.marks.fresh);
        let marks = self.marks.begin();
        let before = marks.lost_octets;
        while let Some(sent) = self.segments.get_mut(index) {
            if sent.is_fresh() {
                if !is_lost(sent) {
                    break;
                }
                marks.lose(sent);
            }
            index += 1;
        }
        marks.fresh = self.segments.get(index).map_or(self.nxt, |sent| sent.start).max(marks.fresh);
        marks.fingers.fresh = index;
        let lost = marks.lost_octets - before;
        self.tidy();
        lost
    }

    /// The same for those that were sent again.
    pub(crate) fn lose_again(&mut self, mut is_lost: impl FnMut(&Sent) -> bool) -> u32 {
        let before = self.marks.lost_octets;
        while let Some(&(start, at)) = self.marks.again.front() {
            let index = self.index_near(self.marks.fingers.again, start);
            let marks = self.marks.begin();
            marks.fingers.again = index;
            if let Some(sent) = self.segments.get_mut(index).filter(|sent| sent.is_again(start, at)) {
                if !is_lost(sent) {
                    break;
                }
                marks.lose(sent);
            }
            marks.again.pop_front();
        }
        let lost = self.marks.lost_octets - before;
        self.tidy();
        lost
    }

    /// Takes the first segment, at most `most` octets of it, as lost, and shows it. Returns the octets.
    pub(crate) fn lose_first(&mut self, most: u32, show: impl FnOnce(&Sent)) -> u32 {
        let end = self.segments.front().map_or(self.una, |first| first.end.min(self.una + most));
        self.cut_at(self.index_of(end), end);
        let Some(first) = self.segments.front_mut().filter(|first| first.fate == Fate::InFlight) else { return 0 };
        self.marks.begin().lose(first);
        show(first);
        first.len()
    }

    /// Takes as lost every segment in flight of which `is_lost` says so. Looks at all: not for every acknowledgment.
    #[inline(never)]
    pub(crate) fn lose_where(&mut self, is_lost: &mut dyn FnMut(&Sent) -> bool) {
        for sent in &mut self.segments {
            if sent.fate == Fate::InFlight && is_lost(sent) {
                self.marks.begin().lose(sent);
            }
        }
    }

    /// Takes all as lost, and as sent again: so it measures no round trip, and `find_lost` does not take it as in flight.
    #[cfg(feature = "fast-open")]
    pub(crate) fn lose_for_good(&mut self) {
        self.lose_where(&mut |_| true);
        self.segments.iter_mut().for_each(|sent| sent.again = true);
    }

    /// The peer has taken its reports back (RFC 2018 §8): what it reported is lost as well.
    pub(crate) fn forget_reports(&mut self) {
        let Some(marks) = self.marks.active() else { return };
        self.segments.iter_mut().filter(|sent| sent.fate == Fate::Sacked).for_each(|sent| marks.lose(sent));
        marks.sacked = Ranges::default();
        marks.fingers.recent = Recent::default();
        (marks.sacked_octets, marks.sacked_segments) = (0, 0);
    }

    /// The loss was a mistake: what was not sent again meanwhile is in flight.
    pub(crate) fn find_lost(&mut self) {
        let Some(marks) = self.marks.active() else { return };
        let lost = core::mem::take(&mut marks.lost);
        for (start, end) in lost.iter_down() {
            let mut index = self.segments.partition_point(|sent| sent.end <= start);
            while let Some(sent) = self.segments.get_mut(index).filter(|sent| sent.start < end) {
                if sent.again {
                    marks.lost.insert(sent.start, sent.end);
                } else {
                    sent.fate = Fate::InFlight;
                    marks.lost_octets -= sent.len();
                    marks.fresh = marks.fresh.min(sent.start);
                }
                index += 1;
            }
        }
        self.tidy();
    }

    /// The first octets that are lost and stand together: where they start and how many, at most `most`.
    pub(crate) fn next_lost(&self, most: u32) -> Option<(Position, u32)> {
        let first = self.marks.lost.first()?;
        Some((first.start, (first.end - first.start).min(most)))
    }
}
