//! When a connection wants to be called: the deadline of each timer, the earliest of them, and the one wake-up that the
//! host knows of.

use core::hash::{Hash, Hasher};

use alloc::boxed::Box;

use crate::time::{END_OF_TIME, Micros};
use crate::{Action, Instant, Sink, Timer};

const COUNT: usize = Timer::ALL.len();
/// No instant of the machine reaches this: `END_OF_TIME` lies far below it.
const NEVER: u64 = u64::MAX;

/// What sends, the retransmission and persist timers first: where one of them is set, patience goes by it.
const SENDS: [Timer; 5] = [Timer::Retransmit, Timer::Persist, Timer::Override, Timer::Pace, Timer::Continue];

/// The deadline of each timer.
///
/// The host keeps one wake-up for a connection. It hears of a deadline only when that is earlier than its wake-up; one
/// that moves later, or is not needed any more, costs a call that finds nothing to do, or announces the next. So timers
/// that move with every segment cost no action.
#[derive(Clone, Debug)]
pub(crate) struct Deadlines {
    /// Of the timers that run in steady traffic, and of TIME-WAIT.
    usual: [u64; USUAL],
    others: Option<Box<[u64; OTHERS]>>,
    /// A bit for each timer that has a deadline.
    set: u16,
    /// The earliest deadline; of those at one instant, the timer that runs first.
    next: (u64, Timer),
    /// `next` was moved later: it is looked for at the end of the event.
    stale: bool,
    /// When the host will call, as far as it was told.
    wake: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { usual: [NEVER; USUAL], others: None, set: 0, next: NONE, stale: false, wake: NEVER }
    }
}

/// No deadline.
const NONE: (u64, Timer) = (NEVER, Timer::TimeWait);

const fn index(timer: Timer) -> usize {
    match timer {
        Timer::TimeWait => 0,
        Timer::FinWait2 => 1,
        Timer::UserTimeout => 2,
        Timer::Reorder => 3,
        Timer::TailLossProbe => 4,
        Timer::Retransmit => 5,
        Timer::Persist => 6,
        Timer::Override => 7,
        Timer::KeepAlive => 8,
        Timer::DelayedAck => 9,
        Timer::Pace => 10,
        Timer::Continue => 11,
        Timer::Idle => 12,
    }
}

/// How many timers of `index` have a place in the value itself: the others, on the heap, are seldom set.
const USUAL: usize = 6;
const OTHERS: usize = COUNT - USUAL;

/// Where the deadline of a timer is kept.
const fn place(timer: Timer) -> usize {
    match timer {
        Timer::Retransmit => 0,
        Timer::DelayedAck => 1,
        Timer::TailLossProbe => 2,
        Timer::UserTimeout => 3,
        Timer::Idle => 4,
        Timer::TimeWait => 5,
        Timer::FinWait2 => 6,
        Timer::Reorder => 7,
        Timer::Persist => 8,
        Timer::Override => 9,
        Timer::KeepAlive => 10,
        Timer::Pace => 11,
        Timer::Continue => 12,
    }
}

/// Where a deadline is kept does not count.
impl PartialEq for Deadlines {
    fn eq(&self, other: &Self) -> bool {
        let Self { set, next, stale, wake, .. } = self;
        (*set, *next, *stale, *wake) == (other.set, other.next, other.stale, other.wake)
            && Timer::ALL.iter().all(|&timer| self.at(timer) == other.at(timer))
    }
}

impl Eq for Deadlines {}

impl Hash for Deadlines {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.set, self.next, self.stale, self.wake).hash(state);
        Timer::ALL.iter().for_each(|&timer| self.at(timer).hash(state));
    }
}

fn some(at: u64) -> Option<Instant> {
    (at != NEVER).then(|| Instant::from_micros(at))
}

impl Deadlines {
    /// When this timer is due, if it is set.
    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        some(self.at(timer))
    }

    fn at(&self, timer: Timer) -> u64 {
        let place = place(timer);
        match self.usual.get(place) {
            Some(at) => *at,
            None => self.others.as_ref().and_then(|others| others.get(place - USUAL).copied()).unwrap_or(NEVER),
        }
    }

    fn slot(&mut self, timer: Timer) -> Option<&mut u64> {
        let place = place(timer);
        match self.usual.get_mut(place) {
            Some(at) => Some(at),
            None => self.others.get_or_insert_with(|| Box::new([NEVER; OTHERS])).get_mut(place - USUAL),
        }
    }

    /// Gives memory back that no deadline needs.
    pub(crate) fn shrink(&mut self) {
        if self.others.as_ref().is_some_and(|others| **others == [NEVER; OTHERS]) {
            self.others = None;
        }
    }

    pub(crate) const fn is_set(&self, timer: Timer) -> bool {
        self.set & (1 << index(timer)) != 0
    }

    pub(crate) fn set(&mut self, timer: Timer, deadline: Instant) {
        self.move_to(timer, deadline.as_micros());
    }

    /// Sets the deadline unless there is one.
    pub(crate) fn start(&mut self, timer: Timer, deadline: Instant) {
        if !self.is_set(timer) {
            self.set(timer, deadline);
        }
    }

    /// Sets the deadline or none. One beyond the end of time is none: no call could reach it.
    pub(crate) fn put(&mut self, timer: Timer, deadline: Option<Instant>) {
        match deadline.filter(|at| *at <= END_OF_TIME) {
            Some(deadline) => self.set(timer, deadline),
            None => self.clear(timer),
        }
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        if self.is_set(timer) {
            self.move_to(timer, NEVER);
        }
    }

    pub(crate) fn clear_all(&mut self) {
        *self = Self { wake: self.wake, ..Self::default() };
    }

    fn move_to(&mut self, timer: Timer, at: u64) {
        if let Some(slot) = self.slot(timer) {
            *slot = at;
        }
        let bit = 1 << index(timer);
        self.set = if at == NEVER { self.set & !bit } else { self.set | bit };
        let (earliest, first) = self.next;
        if at < earliest || (at == earliest && timer < first) {
            self.next = (at, timer);
        } else if timer == first {
            self.stale |= at > earliest;
        }
    }

    /// Finds the earliest deadline anew where it moved later.
    fn refresh(&mut self) {
        if !core::mem::take(&mut self.stale) {
            return;
        }
        self.next = NONE;
        let mut left = self.set;
        while let Some(index) = left.checked_ilog2().and_then(|index| usize::try_from(index).ok()) {
            if let Some(&timer) = Timer::ALL.get(index) {
                let at = self.at(timer);
                if at <= self.next.0 {
                    self.next = (at, timer); // of those at one instant the first
                }
            }
            left &= !(1 << index);
        }
    }

    /// The earliest deadline, and which timer runs first at it.
    pub(crate) fn next(&self) -> Option<(Timer, Instant)> {
        let (at, timer) = self.next;
        some(at).map(|at| (timer, at))
    }

    /// Takes the first due timer, in the order of `Timer::ALL`, and tells how late it is. But patience does not end before
    /// what was to be sent earlier.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(Timer, Micros)> {
        let first = Timer::ALL.into_iter().find(|&timer| self.is_set(timer) && self.at(timer) <= now.as_micros())?;
        let before = if first == Timer::UserTimeout { self.sends_before_patience_ends() } else { None };
        let timer = before.unwrap_or(first);
        let late = now.since(self.get(timer)?);
        self.clear(timer);
        Some((timer, late))
    }

    /// The timer that was to send something before the user timeout.
    fn sends_before_patience_ends(&self) -> Option<Timer> {
        let sends = SENDS.into_iter().find(|&timer| self.is_set(timer));
        sends.filter(|&timer| self.get(timer) < self.get(Timer::UserTimeout))
    }

    /// The host calls for a timer, and so it has no wake-up any more: the next deadline is announced anew.
    pub(crate) const fn fired(&mut self) {
        self.wake = NEVER;
    }

    /// Tells the host when to call, where that is earlier than it knows.
    pub(crate) fn announce(&mut self, sink: &mut dyn Sink) {
        self.refresh();
        let (at, timer) = self.next;
        if at < self.wake {
            self.wake = at;
            sink.push(Action::SetTimer(timer, Instant::from_micros(at)));
        }
    }

    /// The earliest deadline is that of the deadlines, and the host knows of it or of an earlier one.
    pub(crate) fn check_invariants(&self) {
        let earliest = Timer::ALL.into_iter().map(|timer| (self.at(timer), timer)).min().filter(|(at, _)| *at != NEVER);
        assert_eq!(earliest.unwrap_or(NONE), self.next, "the earliest deadline");
        assert!(!self.stale && self.wake <= self.next.0, "the host does not know when to call");
        let bits = Timer::ALL.iter().filter(|&&timer| self.get(timer).is_some()).map(|&timer| 1 << index(timer));
        assert_eq!(bits.sum::<u16>(), self.set, "which timers are set");
    }

    /// All deadlines relative to `now`, and no announcement: what `canonical` compares.
    pub(crate) fn rebase(&mut self, now: Instant) {
        let others = self.others.iter_mut().flat_map(|others| others.iter_mut());
        for at in self.usual.iter_mut().chain(others).chain([&mut self.next.0]).filter(|at| **at != NEVER) {
            *at = at.wrapping_sub(now.as_micros());
        }
        self.wake = NEVER;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    fn late(micros: u64) -> Micros {
        Micros::new(micros)
    }

    #[test]
    fn a_later_deadline_is_announced_when_the_earlier_fires() {
        let mut timers = Deadlines::default();
        let mut out = Vec::new();
        timers.set(Timer::Retransmit, at(10));
        timers.announce(&mut out);
        timers.set(Timer::Retransmit, at(30));
        timers.announce(&mut out);
        assert_eq!(out, vec![Action::SetTimer(Timer::Retransmit, at(10))]);
        out.clear();
        timers.fired();
        assert_eq!(timers.take_due(at(10)), None);
        timers.announce(&mut out);
        assert_eq!(out, vec![Action::SetTimer(Timer::Retransmit, at(30))]);
    }

    #[test]
    fn only_a_deadline_that_is_earlier_than_the_wake_up_is_announced() {
        let mut timers = Deadlines::default();
        let mut out = Vec::new();
        timers.set(Timer::Retransmit, at(10));
        timers.set(Timer::DelayedAck, at(5));
        timers.announce(&mut out);
        assert_eq!(out, vec![Action::SetTimer(Timer::DelayedAck, at(5))]);
        for now in 6..100 {
            timers.clear(Timer::DelayedAck);
            timers.set(Timer::Retransmit, at(now + 10));
            timers.announce(&mut out);
            timers.set(Timer::DelayedAck, at(now + 5));
            timers.announce(&mut out);
        }
        timers.clear_all();
        timers.announce(&mut out);
        assert_eq!(out.len(), 1); // steady traffic, and its end
        timers.fired();
        timers.announce(&mut out);
        assert_eq!(out.len(), 1);
        timers.set(Timer::KeepAlive, at(4));
        timers.announce(&mut out);
        assert_eq!(out.get(1..), Some(&[Action::SetTimer(Timer::KeepAlive, at(4))][..]));
    }

    /// Whatever the host called for, it has no wake-up any more.
    #[test]
    fn the_next_deadline_is_announced_after_every_call_for_a_timer() {
        let mut timers = Deadlines::default();
        let mut out = Vec::new();
        timers.set(Timer::Retransmit, at(10));
        timers.set(Timer::KeepAlive, at(20));
        timers.announce(&mut out);
        for _ in 0..2 {
            out.clear();
            timers.fired();
            assert_eq!(timers.take_due(at(9)), None);
            timers.announce(&mut out);
            assert_eq!(out, vec![Action::SetTimer(Timer::Retransmit, at(10))]);
        }
        timers.fired();
        assert_eq!(timers.take_due(at(10)), Some((Timer::Retransmit, late(0))));
        timers.announce(&mut out);
        assert_eq!(out.get(1..), Some(&[Action::SetTimer(Timer::KeepAlive, at(20))][..]));
    }

    quickcheck::quickcheck! {
        fn the_earliest_deadline_is_kept_up_to_date(steps: Vec<(u8, Option<u16>)>) -> bool {
            let mut timers = Deadlines::default();
            steps.into_iter().all(|(timer, deadline)| {
                let timer = Timer::ALL[usize::from(timer) % COUNT];
                timers.put(timer, deadline.map(|micros| at(micros.into())));
                if timer != Timer::Continue {
                    timers.announce(&mut |_| {});
                    timers.check_invariants(); // sometimes after several changes
                }
                true
            })
        }
    }

    #[test]
    fn beyond_the_end_of_time_is_never() {
        let mut timers = Deadlines::default();
        timers.put(Timer::KeepAlive, Some(END_OF_TIME));
        assert_eq!(timers.get(Timer::KeepAlive), Some(END_OF_TIME));
        timers.put(Timer::KeepAlive, Some(END_OF_TIME + late(1)));
        assert_eq!(timers.get(Timer::KeepAlive), None);
    }

    #[test]
    fn due_timers_run_in_a_fixed_order() {
        let mut timers = Deadlines::default();
        timers.set(Timer::DelayedAck, at(1));
        timers.set(Timer::UserTimeout, at(3));
        timers.set(Timer::KeepAlive, at(9));
        assert_eq!(timers.next(), Some((Timer::DelayedAck, at(1))));
        assert_eq!(timers.take_due(at(3)), Some((Timer::UserTimeout, late(0))));
        assert_eq!(timers.take_due(at(3)), Some((Timer::DelayedAck, late(2))));
        assert_eq!(timers.take_due(at(3)), None);
    }

    /// At the same instant it is patience that ends: what was sent last has timed out.
    #[test]
    fn patience_ends_after_what_was_to_be_sent_before() {
        for sends in SENDS {
            let mut timers = Deadlines::default();
            timers.set(Timer::UserTimeout, at(5));
            timers.set(sends, at(5));
            assert_eq!(timers.clone().take_due(at(9)), Some((Timer::UserTimeout, late(4))));
            timers.set(sends, at(4));
            assert_eq!(timers.take_due(at(9)), Some((sends, late(5))));
            assert_eq!(timers.take_due(at(9)), Some((Timer::UserTimeout, late(4))));
        }
        // what asks for an acknowledgment decides, not what waits beside it
        let mut timers = Deadlines::default();
        timers.set(Timer::UserTimeout, at(5));
        timers.set(Timer::Retransmit, at(6));
        timers.set(Timer::Override, at(1));
        assert_eq!(timers.take_due(at(9)), Some((Timer::UserTimeout, late(4))));
    }

    #[test]
    fn index_agrees_with_all() {
        assert!(Timer::ALL.iter().enumerate().all(|(i, &timer)| index(timer) == i));
    }
}
