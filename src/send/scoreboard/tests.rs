//! The scoreboard against a model of single octets; its cost and its memory.

use alloc::vec;
use alloc::vec::Vec;
use quickcheck::{Arbitrary, Gen, quickcheck};

use super::*;

/// An octet that was sent and is not acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Octet {
    /// A record begins here.
    begins: bool,
    at: Instant,
    fate: Fate,
    again: bool,
}

/// What a record is: start, end, time, fate, whether it was sent again.
type Record = (u32, u32, Instant, Fate, bool);

fn record(sent: &Sent) -> Record {
    (number(sent.start), number(sent.end), sent.at, sent.fate, sent.again)
}

fn number(position: Position) -> u32 {
    position - Position::ISS
}

fn at(number: u32) -> Position {
    Position::ISS + number
}

/// The naive model: nothing but octets. Every question is answered by looking at all of them.
#[derive(Clone, Debug, Default)]
struct Model {
    una: u32,
    octets: Vec<Octet>,
}

impl Model {
    fn nxt(&self) -> u32 {
        self.una + self.octets.len() as u32
    }

    fn at(&mut self, position: u32) -> &mut Octet {
        let una = self.una;
        &mut self.octets[(position - una) as usize]
    }

    fn records(&self) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        for (position, octet) in (self.una..).zip(&self.octets) {
            match records.last_mut().filter(|_| !octet.begins) {
                Some(last) => last.1 = position + 1,
                None => records.push((position, position + 1, octet.at, octet.fate, octet.again)),
            }
        }
        records
    }

    fn count(&self, fate: Fate) -> u32 {
        self.octets.iter().filter(|octet| octet.fate == fate).count() as u32
    }

    fn set(&mut self, record: &Record, fate: Fate) {
        (record.0..record.1).for_each(|position| self.at(position).fate = fate);
    }

    /// All records of which `is` says so get this fate.
    fn judge(&mut self, fate: Fate, is: impl Fn(&Record) -> bool) -> Vec<Record> {
        let judged: Vec<_> = self.records().into_iter().filter(is).collect();
        judged.iter().for_each(|record| self.set(record, fate));
        judged
    }

    fn send(&mut self, len: u32, at: Instant) {
        for i in 0..len {
            self.octets.push(Octet { begins: i == 0, at, fate: Fate::InFlight, again: false });
        }
    }

    fn cut(&mut self, position: u32) {
        if (self.una..self.nxt()).contains(&position) && self.at(position).fate != Fate::Sacked {
            self.at(position).begins = true;
        }
    }

    fn send_again(&mut self, start: u32, end: u32, may_cut: bool, now: Instant) {
        let (mut start, mut end) = (start, end);
        if may_cut {
            self.cut(start);
            let records = self.records();
            let split = records.iter().position(|record| record.0 < end && record.1 > end && record.3 != Fate::Sacked);
            let goes_along = |before: &&Record| before.0 >= start && split.is_some_and(|at| records[at].3 == before.3);
            if split.and_then(|at| records.get(at.checked_sub(1)?)).filter(goes_along).is_some() {
                self.at(records[split.unwrap()].0).begins = false;
            }
            self.cut(end);
        } else {
            let covered = |record: &&Record| record.0 < end && record.1 > start;
            let records = self.records();
            let mut covered = records.iter().filter(covered);
            if let Some(first) = covered.next() {
                (start, end) = (first.0, covered.next_back().map_or(first.1, |last| last.1));
            }
        }
        for position in start..end {
            let octet = self.at(position);
            if octet.fate != Fate::Sacked {
                (octet.at, octet.fate, octet.again) = (now, Fate::InFlight, true);
            }
        }
    }

    /// Runs of lost octets in pieces of `mss`; in flight, neighbours that fit together.
    fn coalesce(&mut self, mss: u32, most: usize, lost_only: bool) {
        let mut merged: Vec<Record> = Vec::new();
        for record in self.records() {
            let fits = |last: &&mut Record| {
                last.3 == record.3
                    && match record.3 {
                        Fate::Lost => true,
                        Fate::InFlight => !lost_only && record.1 - last.0 <= mss && last.4 == record.4,
                        Fate::Sacked => false,
                    }
            };
            let Some(last) = merged.last_mut().filter(fits) else {
                merged.push(record);
                continue;
            };
            (last.1, last.2, last.4) = (record.1, last.2.max(record.2), last.4 || record.4);
        }
        let (nxt, mut room) = (self.nxt(), most.saturating_sub(merged.len()));
        for (start, end, at, fate, again) in merged {
            for position in start..end {
                let rest = end - position;
                let border = fate == Fate::Lost && (position - start) % mss == 0 && !(rest == 1 && end == nxt);
                let cuts = border && position != start && room > 0;
                room -= usize::from(cuts);
                *self.at(position) = Octet { begins: position == start || cuts, at, fate, again };
            }
        }
    }

    fn acknowledge(&mut self, to: u32) -> Vec<Record> {
        let whole = self.records().into_iter().filter(|record| record.1 <= to).collect();
        self.octets.drain(..(to - self.una) as usize);
        self.una = to;
        if let Some(first) = self.octets.first_mut() {
            first.begins = true;
        }
        whole
    }

    fn next_lost(&self, most: u32) -> Option<(Position, u32)> {
        let first = self.octets.iter().position(|octet| octet.fate == Fate::Lost)?;
        let run = self.octets[first..].iter().take_while(|octet| octet.fate == Fate::Lost).count();
        Some((at(self.una + first as u32), run.min(most as usize) as u32))
    }

    /// RFC 6675 §4 (3), read literally.
    fn first_fresh_below_reports(&self) -> Option<u32> {
        let highest = self.octets.iter().rposition(|octet| octet.fate == Fate::Sacked)? as u32 + self.una;
        let fresh = |record: &&Record| record.3 == Fate::InFlight && !record.4 && record.0 < highest;
        self.records().iter().find(fresh).map(|record| record.0)
    }
}

/// What can happen to a scoreboard. Places are shares of the flight, in 255ths, rounded to a record if `whole`.
#[derive(Clone, Debug)]
enum Step {
    Wait,
    Send {
        len: u16,
    },
    /// Lost segments go again, as a sender does it.
    Retransmit {
        most: u16,
    },
    /// Any range goes again, as probes and smaller path MTUs do it.
    Again {
        from: u8,
        to: u8,
        whole: bool,
        may_cut: bool,
    },
    Acknowledge {
        to: u8,
        whole: bool,
    },
    Report {
        from: u8,
        to: u8,
        whole: bool,
    },
    /// RACK: whatever was last sent before the record here.
    LoseByTime {
        place: u8,
    },
    LoseBelow {
        place: u8,
    },
    LoseFirst {
        most: u16,
    },
    LoseLonger {
        than: u16,
    },
    FindLost,
    ForgetReports,
    MarkAmbiguous,
    Coalesce {
        mss: u16,
        most: u8,
    },
    CutLost {
        mss: u16,
        most: u8,
    },
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        let mut place = || *g.choose(&[0, 1, 40, 80, 128, 200, 254, 255]).unwrap() ^ (u8::arbitrary(g) % 8);
        let (from, to) = (place(), place());
        let len = u16::arbitrary(g) % 30 + 1;
        let whole = u8::arbitrary(g) % 4 != 0;
        match u8::arbitrary(g) % 41 {
            0..=5 => Self::Wait,
            6..=14 => Self::Send { len },
            15..=18 => Self::Retransmit { most: len },
            19 => Self::Again { from, to, whole, may_cut: u8::arbitrary(g) % 3 != 0 },
            20 => Self::Coalesce { mss: 2 * len, most: u8::arbitrary(g) },
            21..=23 => Self::Acknowledge { to: from / 2, whole },
            24..=29 => Self::Report { from, to, whole },
            30..=32 => Self::LoseByTime { place: from },
            33 => Self::LoseBelow { place: from },
            34 => Self::LoseFirst { most: len },
            35 => Self::LoseLonger { than: len },
            36 | 37 => Self::FindLost,
            38 => Self::ForgetReports,
            39 => Self::CutLost { mss: len, most: u8::arbitrary(g) },
            _ => Self::MarkAmbiguous,
        }
    }
}

/// Both, and the clock.
#[derive(Default)]
struct Pair {
    board: Scoreboard,
    model: Model,
    now: Instant,
    /// The most records there ever were.
    most: usize,
}

impl Pair {
    fn place(&self, share: u8, whole: bool) -> u32 {
        let position = self.model.una + self.model.octets.len() as u32 * u32::from(share) / 255;
        let mut borders = self.model.records().into_iter().map(|record| record.0).filter(|start| *start <= position);
        if whole && position != self.model.nxt() { borders.next_back().unwrap_or(position) } else { position }
    }

    fn take(&mut self, step: &Step) {
        self.take_one(step);
        self.most = self.most.max(self.board.segments.len());
    }

    fn take_one(&mut self, step: &Step) {
        let rate = Snapshot::default();
        let Self { board, model, now, .. } = self;
        match *step {
            Step::Wait => *now += core::time::Duration::from_millis(1),
            Step::Send { len } => {
                model.send(u32::from(len), *now);
                board.sent(at(model.nxt()), *now, rate);
            }
            Step::Retransmit { most } => {
                if let Some((start, len)) = board.next_lost(u32::from(most)) {
                    board.sent_again(start, start + len, true, *now, rate);
                    model.send_again(number(start), number(start) + len, true, *now);
                }
            }
            Step::Again { from, to, whole, may_cut } => {
                let (from, to) = (self.place(from, whole), self.place(to, whole));
                self.board.sent_again(at(from.min(to)), at(from.max(to)), may_cut, self.now, rate);
                self.model.send_again(from.min(to), from.max(to), may_cut, self.now);
            }
            Step::Coalesce { mss, most } => {
                board.coalesce(u32::from(mss), usize::from(most));
                model.coalesce(u32::from(mss), usize::from(most), false);
            }
            Step::CutLost { mss, most } => {
                board.cut_lost(u32::from(mss), usize::from(most));
                model.coalesce(u32::from(mss), usize::from(most), true);
            }
            Step::Acknowledge { to, whole } => {
                let to = self.place(to, whole);
                let mut shown = Vec::new();
                self.board.acknowledge(at(to), |sent| shown.push(record(sent)));
                assert_eq!(shown, self.model.acknowledge(to));
            }
            Step::Report { from, to, whole } => {
                let (from, to) = (self.place(from, whole), self.place(to, whole));
                let mut shown = Vec::new();
                self.board.report(at(from), at(to), |sent| shown.push(record(sent)));
                let news = |record: &Record| record.0 >= from && record.1 <= to && record.3 != Fate::Sacked;
                assert_eq!(shown, self.model.judge(Fate::Sacked, news));
            }
            Step::LoseByTime { place } => self.lose_by_time(place),
            Step::LoseBelow { place } => {
                let edge = self.place(place, true);
                let octets = self.board.lose_fresh(|sent| sent.end <= at(edge));
                let late = |record: &Record| record.3 == Fate::InFlight && !record.4 && record.1 <= edge;
                assert_eq!(octets, octets_of(&self.model.judge(Fate::Lost, late)));
            }
            Step::LoseFirst { most } => {
                let mut shown = Vec::new();
                let octets = board.lose_first(u32::from(most), |sent| shown.push((sent.start, sent.end)));
                let una = model.una;
                let end = model.records().first().map_or(una, |first| first.1);
                model.cut(end.min(una + u32::from(most)));
                let lost = model.judge(Fate::Lost, |record| record.0 == una && record.3 == Fate::InFlight);
                assert_eq!(octets, octets_of(&lost));
                assert_eq!(shown, lost.iter().map(|record| (at(record.0), at(record.1))).collect::<Vec<_>>());
            }
            Step::LoseLonger { than } => {
                board.lose_where(&mut |sent| sent.len() > u32::from(than));
                let long = |record: &Record| record.3 == Fate::InFlight && record.1 - record.0 > u32::from(than);
                model.judge(Fate::Lost, long);
            }
            Step::FindLost => {
                board.find_lost();
                model.judge(Fate::InFlight, |record| record.3 == Fate::Lost && !record.4);
            }
            Step::ForgetReports => {
                board.forget_reports();
                model.judge(Fate::Lost, |record| record.3 == Fate::Sacked);
            }
            Step::MarkAmbiguous => {
                board.mark_ambiguous();
                let end = model.records().first().map_or(model.una, |first| first.1);
                (model.una..end).for_each(|position| model.at(position).again = true);
            }
        }
    }

    /// RFC 8985 §6.2, step 5, with this record as RACK.segment and a reordering window of 0.
    fn lose_by_time(&mut self, place: u8) {
        let position = self.place(place, true);
        let Some(newest) = self.model.records().into_iter().find(|record| record.0 == position) else { return };
        let earlier = |at: Instant, end: u32| (at, end) < (newest.2, newest.1);
        let octets = self.board.lose_fresh(|sent| earlier(sent.at, number(sent.end)))
            + self.board.lose_again(|sent| earlier(sent.at, number(sent.end)));
        let late = |record: &Record| record.3 == Fate::InFlight && earlier(record.2, record.1);
        assert_eq!(octets, octets_of(&self.model.judge(Fate::Lost, late)));
    }

    fn compare(&self) {
        let Self { board, model, .. } = self;
        board.check_invariants().unwrap();
        let records = model.records();
        assert_eq!(board.segments.iter().map(record).collect::<Vec<_>>(), records);
        assert_eq!((board.una(), board.nxt()), (at(model.una), at(model.nxt())));
        assert_eq!(board.inflight(), model.count(Fate::InFlight));
        assert_eq!(board.outstanding(), model.count(Fate::InFlight) + model.count(Fate::Lost));
        assert_eq!(board.marks.sacked_octets, model.count(Fate::Sacked));
        let sacked: Vec<_> = records.iter().filter(|record| record.3 == Fate::Sacked).collect();
        assert_eq!(board.sacked_segments() as usize, sacked.len());
        assert_eq!(board.sacked().last().map(|range| number(range.end)), sacked.last().map(|record| record.1));
        for position in model.una..model.nxt() {
            let octet = model.octets[(position - model.una) as usize];
            assert_eq!(
                board.sacked().first_overlap(at(position), at(position + 1)).is_some(),
                octet.fate == Fate::Sacked,
                "octet {position}"
            );
        }
        assert_eq!(board.has_lost(), model.count(Fate::Lost) > 0);
        for most in [1, 7, 1000] {
            assert_eq!(board.next_lost(most), model.next_lost(most));
        }
        let below = board.first_fresh_below_reports().map(|sent| number(sent.start));
        assert_eq!(below, model.first_fresh_below_reports());
        assert_eq!(board.first().map(record), records.first().copied());
        assert_eq!(board.last().map(record), records.last().copied());
        assert!(board.marks.again.len() <= 2 * self.most + KEEP + 1, "the queue of retransmissions grows");
    }
}

fn octets_of(records: &[Record]) -> u32 {
    records.iter().map(|record| record.1 - record.0).sum()
}

quickcheck! {
    fn behaves_as_single_octets_do(steps: Vec<Step>) -> bool {
        let mut pair = Pair::default();
        // something is in flight from the first step on
        for step in [Step::Send { len: 20 }, Step::Wait, Step::Send { len: 20 }, Step::Send { len: 20 }].iter().chain(&steps) {
            pair.take(step);
            pair.compare();
        }
        true
    }

    /// Lost segments go again in the order of the stream, each octet once, in pieces of no more than was asked for.
    fn what_is_lost_goes_again_in_order(steps: Vec<Step>, most: u8) -> bool {
        let mut pair = Pair::default();
        steps.iter().for_each(|step| pair.take(step));
        let most = u32::from(most).max(1);
        let (mut from, mut octets, lost) = (at(0), 0, pair.model.count(Fate::Lost));
        while let Some((start, len)) = pair.board.next_lost(most) {
            assert!(start >= from && (1..=most).contains(&len));
            from = start + len;
            octets += len;
            pair.board.sent_again(start, from, true, pair.now, Snapshot::default());
            pair.board.check_invariants().unwrap();
        }
        octets == lost
    }
}

/// `segments` of 100 octets, one each millisecond.
fn flight(segments: u32) -> Scoreboard {
    let mut board = Scoreboard::default();
    for n in 1..=segments {
        board.sent(at(100 * n), Instant::from_millis(n.into()), Snapshot::default());
    }
    board
}

/// Of 10,000 segments every other one is reported, in four blocks of which three are old: each is shown once, each of
/// the rest is judged twice at the most, and the search goes on where it stopped.
#[test]
fn an_acknowledgment_looks_at_what_it_tells_and_at_no_more() {
    let mut board = flight(10_000);
    let (mut shown, mut asked) = (0, 0);
    for n in 1..5000 {
        for block in (1..=n).rev().take(4) {
            board.report(at(200 * block), at(200 * block + 100), |_| shown += 1);
        }
        board.lose_fresh(|sent| {
            asked += 1;
            sent.at < Instant::from_millis(2 * u64::from(n))
        });
        assert_eq!(board.marks.fresh, at(100 * (2 * n - 1))); // sent at 2n ms
    }
    let lost = board.segments.iter().filter(|sent| sent.fate == Fate::Lost).count();
    assert_eq!((shown, lost), (4999, 4999));
    assert!(asked <= 2 * 5000, "{asked} questions");
    assert_eq!(board.next_lost(250), Some((at(0), 200)));
}

/// The same for what was sent again: whoever looks stops at the first that is not late.
#[test]
fn retransmissions_are_judged_in_the_order_of_their_time() {
    let mut board = flight(10_000);
    board.lose_where(&mut |_| true);
    for n in 0..10_000 {
        let now = Instant::from_millis(20_000 + u64::from(n));
        board.sent_again(at(100 * n), at(100 * n + 100), true, now, Snapshot::default());
    }
    let mut asked = 0;
    for n in 0..10_000 {
        let lost = board.lose_again(|sent| {
            asked += 1;
            sent.at < Instant::from_millis(20_000 + n)
        });
        assert_eq!(lost, if n == 0 { 0 } else { 100 });
    }
    assert!(asked <= 20_000, "{asked} questions");
}

/// Segments that left in one instant are in the order of the stream (RACK_sent_after of RFC 8985 §6.2), also where an
/// acknowledgment fell into one of them.
#[test]
fn retransmissions_of_one_instant_are_judged_in_the_order_of_the_stream() {
    let mut board = flight(3);
    board.lose_where(&mut |_| true);
    let now = Instant::from_millis(100);
    for n in 0..3 {
        board.sent_again(at(100 * n), at(100 * n + 100), true, now, Snapshot::default());
    }
    board.acknowledge(at(50), |_| ());
    board.report(at(100), at(200), |_| ());
    assert_eq!(board.lose_again(|sent| (sent.at, sent.end) < (now, at(200))), 50);
    assert_eq!(board.next_lost(1000), Some((at(50), 50)));
}

/// However often the same segments are lost and sent again, the memory kept for them is in proportion to their number;
/// an emptied scoreboard gives its room back.
#[test]
fn memory_is_in_proportion_to_what_is_in_flight() {
    let mut board = flight(1000);
    for round in 0..100 {
        board.lose_where(&mut |_| true);
        let now = Instant::from_millis(2000 + round);
        while let Some((start, len)) = board.next_lost(100) {
            board.sent_again(start, start + len, true, now, Snapshot::default());
        }
        assert!(board.marks.again.len() <= 2 * board.segments.len() + KEEP + 1);
        board.check_invariants().unwrap();
    }
    // a peer that acknowledges octet by octet
    for octet in 1..=90_000 {
        board.acknowledge(at(octet), |_| ());
        assert!(board.marks.again.len() <= 2 * 1000 + KEEP + 1, "{} after {octet}", board.marks.again.len());
    }
    board.acknowledge(at(100_000), |_| ());
    assert_eq!((board.segments.capacity(), board.marks.again.capacity()), (0, 0));
    assert_eq!((board.marks.lost.len(), board.marks.sacked.len()), (0, 0));
}

/// RFC 2018 §8: what was reported is kept and may be taken back.
#[test]
fn reports_can_be_taken_back() {
    let mut board = flight(4);
    board.report(at(100), at(300), |_| ());
    assert_eq!((board.inflight(), board.outstanding(), board.sacked_segments()), (200, 200, 2));
    board.forget_reports();
    assert_eq!((board.inflight(), board.outstanding(), board.sacked_segments()), (200, 400, 0));
    assert_eq!(board.next_lost(1000), Some((at(100), 200)));
    let mut shown = vec![];
    board.report(at(100), at(400), |sent| shown.push(sent.fate));
    assert_eq!(shown, [Fate::Lost, Fate::Lost, Fate::InFlight]); // and reported anew
}

/// The last segment with text, where the FIN is one of its own (RFC 8985 §7.3).
#[test]
fn the_last_segment_with_text() {
    let mut board = flight(2);
    assert_eq!(board.last_text_start(at(200)), Some(at(100)));
    board.sent(at(201), Instant::from_millis(3), Snapshot::default());
    assert_eq!(board.last_text_start(at(200)), Some(at(100)));
    board.report(at(100), at(200), |_| ());
    assert_eq!(board.last_text_start(at(200)), Some(at(200))); // it has arrived; the FIN has not
    board.acknowledge(at(200), |_| ());
    assert_eq!(board.last_text_start(at(200)), Some(at(200)));
    assert_eq!(board.len_at(at(200)), 1);
}
