//! The data in flight: one record for each segment sent and not acknowledged (RFC 6675 §3, RFC 8985 §5.2).

mod again;
mod check;
mod lost;
mod marks;

use alloc::collections::VecDeque;

use self::marks::{Fingers, Marks};
use super::rate::{Snapshot, Totals};
use crate::Instant;
use crate::ranges::Ranges;
use crate::rare::Rare;
use crate::stream::Position;

/// DupThresh (RFC 6675 §2): duplicate acknowledgments, or reported segments, that mean loss (RFC 5681 §3.2).
pub(super) const DUP_THRESH: u32 = 3;

/// Records that an emptied scoreboard may keep room for.
const KEEP: usize = 64;

/// A segment that is not acknowledged cumulatively, as far as the sender knows its fate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Fate {
    /// It is in the network, as far as known.
    InFlight,
    /// The peer has reported it (SACK). It may still take that back: it is kept until it is acknowledged.
    Sacked,
    /// It left the network without arriving, and was not sent again since.
    Lost,
}

/// A segment of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Sent {
    pub(crate) start: Position,
    pub(crate) end: Position,
    /// When it was sent last.
    pub(crate) at: Instant,
    pub(crate) fate: Fate,
    /// Whether it was ever sent more than once: its round trip is ambiguous (Karn).
    pub(crate) again: bool,
    /// What had been delivered when it was sent.
    pub(crate) rate: Snapshot,
}

impl Sent {
    /// Octets of sequence space; records are shorter than 2^31.
    fn len(&self) -> u32 {
        self.end - self.start
    }

    fn is_fresh(&self) -> bool {
        self.fate == Fate::InFlight && !self.again
    }

    /// Whether an entry of `Scoreboard::again` tells of the last time this one was sent.
    fn is_again(&self, start: Position, at: Instant) -> bool {
        self.fate == Fate::InFlight && self.again && self.start == start && self.at == at
    }
}

/// The records from SND.UNA to SND.NXT, in the order of the stream, without gaps.
///
/// Cost: sending, acknowledging and reporting a segment are O(log n). Detection looks at segments in the order of their
/// last sending and stops at the first that is not lost: those never sent again stand in that order in `segments`,
/// from `fresh` on; those sent again in `again`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Scoreboard {
    segments: VecDeque<Sent>,
    una: Position,
    nxt: Position,
    marks: Rare<Marks>,
}

impl Scoreboard {
    /// One without records.
    pub(crate) fn at(una: Position) -> Self {
        Self { una, nxt: una, ..Self::default() }
    }

    pub(crate) const fn una(&self) -> Position {
        self.una
    }

    pub(crate) const fn nxt(&self) -> Position {
        self.nxt
    }

    /// Octets sent and neither acknowledged, reported nor lost.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn inflight(&self) -> u32 {
        self.outstanding() - self.marks.lost_octets
    }

    /// Octets sent and neither acknowledged nor reported.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn outstanding(&self) -> u32 {
        self.nxt - self.una - self.marks.sacked_octets
    }

    /// RACK.segs_sacked.
    pub(crate) fn sacked_segments(&self) -> u32 {
        self.marks.sacked_segments
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.segments.len()
    }

    /// Whether nothing was reported, and nothing sent again: the outstanding segments stand in the order of their
    /// sending.
    pub(crate) fn is_in_order(&self) -> bool {
        self.marks.sacked_segments == 0 && self.marks.again.is_empty()
    }

    /// Whether nothing was reported, lost or sent again.
    pub(crate) const fn is_plain(&self) -> bool {
        self.marks.is_at_rest()
    }

    pub(crate) fn has_lost(&self) -> bool {
        !self.marks.lost.is_empty()
    }

    /// Whether the segment that starts at this position is lost.
    pub(crate) fn is_lost(&self, start: Position) -> bool {
        self.marks.lost.first_overlap(start, start + 1).is_some()
    }

    /// The ranges that the peer has reported.
    pub(crate) fn sacked(&self) -> &Ranges<Position> {
        &self.marks.sacked
    }

    pub(crate) fn first(&self) -> Option<&Sent> {
        self.segments.front()
    }

    /// The end of a report that leaves out the last octet sent. Some receivers report text alone: where the last
    /// segment brought a FIN with its text, a report of all that text is one of the FIN. Of any other segment it is in
    /// part none.
    pub(crate) fn with_fin(&self, end: Position) -> Position {
        let joint = self.last().is_some_and(|last| last.start < end && end < last.end);
        if joint { end + 1 } else { end }
    }

    pub(crate) fn last(&self) -> Option<&Sent> {
        self.segments.back()
    }

    /// The last record that ends at `position` or before.
    pub(crate) fn last_before(&self, position: Position) -> Option<&Sent> {
        self.segments.get(self.index_of(position).checked_sub(1)?)
    }

    /// The index of the record that holds `position`, or of the next one.
    fn index_of(&self, position: Position) -> usize {
        self.segments.partition_point(|sent| sent.end <= position)
    }

    /// The same, where the finger may point at it.
    fn index_near(&self, finger: usize, position: Position) -> usize {
        let holds = |sent: &Sent| sent.start <= position && position < sent.end;
        match self.segments.get(finger) {
            Some(sent) if holds(sent) => finger,
            _ if position >= self.nxt => self.segments.len(),
            Some(_) | None => self.index_of(position),
        }
    }

    /// The index of the first record that starts at `position` or beyond.
    fn index_from(&self, position: Position) -> usize {
        let index = self.index_near(self.marks.fingers.reported, position);
        let covers = self.segments.get(index).is_some_and(|sent| sent.start < position);
        index + usize::from(covers)
    }

    /// `end - SND.NXT` octets of the stream are sent for the first time.
    pub(crate) fn sent(&mut self, end: Position, at: Instant, rate: Snapshot) {
        if end > self.nxt {
            self.segments.push_back(Sent { start: self.nxt, end, at, fate: Fate::InFlight, again: false, rate });
            self.nxt = end;
        }
    }

    /// Neighbours of one fate become one record, as far as that is no longer than `mss`. It counts as sent when the later
    /// of them was. Lost ones are cut as they will go again, up to `most` records in all. Looks at all: not for every
    /// acknowledgment.
    pub(crate) fn coalesce(&mut self, mss: u32, most: usize) {
        self.arrange(mss, most, |_| true);
    }

    /// The same for lost records alone: all of them at once, since to insert the borders one by one moves what lies
    /// behind them each time.
    pub(crate) fn cut_lost(&mut self, mss: u32, most: usize) {
        self.arrange(mss, most, |sent| sent.fate == Fate::Lost);
    }

    fn arrange(&mut self, mss: u32, most: usize, merges: fn(&Sent) -> bool) {
        let mut merged = VecDeque::<Sent>::new();
        for sent in self.segments.drain(..) {
            let lost = sent.fate == Fate::Lost;
            let alike = |last: &Sent| last.fate == sent.fate && (last.again == sent.again || lost);
            let fits = |last: &&mut Sent| alike(last) && (lost || sent.end - last.start <= mss);
            match merged.back_mut().filter(fits).filter(|_| sent.fate != Fate::Sacked && merges(&sent)) {
                Some(last) => {
                    last.end = sent.end;
                    last.again |= sent.again;
                    (last.at, last.rate) = if sent.at >= last.at { (sent.at, sent.rate) } else { (last.at, last.rate) };
                }
                None => merged.push_back(sent),
            }
        }
        let mut room = most.saturating_sub(merged.len());
        for mut sent in merged {
            let fin = u32::from(sent.end == self.nxt); // at most, and it goes with the last of them
            while sent.fate == Fate::Lost && sent.len() > mss.max(1) + fin && room > 0 {
                room -= 1;
                let end = sent.start + mss.max(1);
                self.segments.push_back(Sent { end, ..sent });
                sent.start = end;
            }
            self.segments.push_back(sent);
        }
        self.note_all_again();
        self.tidy();
    }

    /// SND.UNA advances to `to`. Each record that is acknowledged whole is shown, in order.
    pub(crate) fn acknowledge(&mut self, to: Position, mut show: impl FnMut(&Sent)) {
        while let Some(sent) = self.segments.front_mut().filter(|sent| sent.start < to) {
            let whole = sent.end <= to;
            let len = sent.end.min(to) - sent.start;
            if let Some(marks) = self.marks.active() {
                match sent.fate {
                    Fate::InFlight => {}
                    Fate::Sacked => {
                        marks.sacked_octets -= len;
                        marks.sacked_segments -= u32::from(whole);
                    }
                    Fate::Lost => marks.lost_octets -= len,
                }
            }
            if !whole {
                sent.start = to;
                let moved = (sent.again && sent.fate == Fate::InFlight).then_some(sent.at);
                if let Some(at) = moved {
                    self.note_again(to, at);
                }
                break;
            }
            show(sent);
            self.segments.pop_front();
            if let Some(marks) = self.marks.active() {
                let Fingers { reported, fresh, again, .. } = &mut marks.fingers;
                for finger in [reported, fresh, again] {
                    *finger = finger.saturating_sub(1);
                }
            }
        }
        self.una = to;
        if let Some(marks) = self.marks.active() {
            marks.release(to);
            if self.segments.is_empty() {
                marks.again.clear();
            }
        }
        self.tidy();
        self.keep_little();
    }

    /// An emptied scoreboard gives the memory of a large flight back.
    fn keep_little(&mut self) {
        if self.segments.is_empty() && self.segments.capacity() > KEEP {
            self.segments = VecDeque::new();
        }
    }

    /// Where nothing is set apart any more, nothing is kept for it.
    fn tidy(&mut self) {
        if self.marks.are_gone() {
            self.marks.end();
        }
    }

    /// SND.UNA advances to `to` over segments that were sent once and in order, none of them reported or lost. Returns
    /// when the first of those acknowledged whole was sent, and the last of them.
    #[inline]
    pub(crate) fn acknowledge_in_order(&mut self, to: Position) -> Option<(Instant, Sent)> {
        self.una = to;
        let first = self.segments.front().map(|sent| sent.at);
        let mut last = None;
        while let Some(sent) = self.segments.front_mut() {
            if sent.end > to {
                sent.start = to; // it lay at or before
                return first.zip(last);
            }
            last = Some(*sent);
            self.segments.pop_front();
        }
        self.keep_little();
        first.zip(last)
    }

    /// Gives the memory of an empty scoreboard back.
    pub(crate) fn shrink(&mut self) {
        if self.segments.is_empty() {
            self.segments = VecDeque::new();
        }
    }

    /// The peer reports `start..end`. Each record that lies inside and is news is shown. One that is covered in part
    /// does not count: reports are advisory.
    pub(crate) fn report(&mut self, start: Position, end: Position, mut show: impl FnMut(&Sent)) {
        let (mut at, end) = (start.max(self.una), end.min(self.nxt));
        if self.marks.fingers.recent.covers(at, end) {
            return; // most blocks repeat what was reported before
        }
        let mut news: Option<(Position, Position)> = None;
        while let Some((from, to)) = self.marks.sacked.first_gap(at, end) {
            at = to;
            let mut index = self.index_from(from);
            let first = self.segments.get(index).map(|sent| sent.start);
            let mut last = from;
            while let Some(sent) = self.segments.get_mut(index).filter(|sent| sent.end <= to) {
                show(sent);
                let marks = self.marks.begin();
                if sent.fate == Fate::Lost {
                    marks.lost.remove(sent.start, sent.end);
                    marks.lost_octets -= sent.len();
                }
                sent.fate = Fate::Sacked;
                marks.sacked_octets += sent.len();
                marks.sacked_segments += 1;
                last = sent.end;
                index += 1;
            }
            if let Some(first) = first.filter(|first| *first < last) {
                self.marks.begin().fingers.reported = index;
                news = Some((news.map_or(first, |(lowest, _)| lowest), last));
            }
        }
        // What lies between two gaps was reported before: one range holds it all, and takes the place of many at once.
        if let Some((lowest, last)) = news {
            let marks = self.marks.begin();
            let range = marks.sacked.insert(lowest, last);
            marks.fingers.recent.touch(range);
        }
    }

    /// The first segment below the highest report that was sent once and is not known to be lost (RFC 6675 §4 (3)).
    pub(crate) fn first_fresh_below_reports(&self) -> Option<&Sent> {
        let highest = self.marks.sacked.last()?.start;
        let segments = self.segments.iter().skip(self.index_near(self.marks.fingers.fresh, self.marks.fresh));
        segments.take_while(|sent| sent.start < highest).find(|sent| sent.is_fresh())
    }

    /// Where the last segment with text before `text_end` starts; that of a FIN alone, if there is none.
    pub(crate) fn last_text_start(&self, text_end: Position) -> Option<Position> {
        let mut last = self.segments.iter().rev();
        let end = last.next()?;
        let before = last.next().filter(|sent| end.start >= text_end && sent.fate == Fate::InFlight);
        Some(before.unwrap_or(end).start)
    }

    /// How far the segment at this position reaches.
    pub(crate) fn len_at(&self, position: Position) -> u32 {
        self.segments.get(self.index_of(position)).map_or(0, |sent| sent.end - position)
    }

    /// What the segment at this position remembers of its sending.
    pub(crate) fn snapshot_at(&self, position: Position) -> Option<Snapshot> {
        self.segments.get(self.index_of(position)).map(|sent| sent.rate)
    }

    /// The round trip of the first segment measures nothing any more.
    pub(crate) fn mark_ambiguous(&mut self) {
        if let Some(first) = self.segments.front_mut().filter(|first| !first.again) {
            first.again = true;
            let moved = (first.fate == Fate::InFlight).then_some((first.start, first.at));
            if let Some((start, at)) = moved {
                self.note_again(start, at);
            }
        }
    }

    /// What segments remember of rates is of another controller: nothing is to be made of it.
    pub(crate) fn forget_rates(&mut self) {
        self.segments.iter_mut().for_each(|sent| sent.rate.forget());
    }

    pub(crate) fn rebase(&mut self, ago: impl Fn(Instant) -> Instant, totals: Totals) {
        let Self { segments: _, una: _, nxt: _, marks: _ } = self; // a field that is added has to be looked at here
        for sent in &mut self.segments {
            sent.at = ago(sent.at);
            sent.rate.rebase(totals, &ago);
        }
        if let Some(marks) = self.marks.active() {
            marks.again.iter_mut().for_each(|(_, at)| *at = ago(*at));
        }
    }
}

#[cfg(feature = "rack")]
#[cfg(test)]
mod tests;
