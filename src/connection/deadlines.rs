//! When a connection wants to be called: the deadline of each timer, the earliest of them, and the one wake-up that the
//! host knows of.

use core::hash::{Hash, Hasher};

use alloc::boxed::Box;

use crate::invariant::{Broken, holds};
use crate::time::{END_OF_TIME, Micros};
use crate::{Action, Instant, Sink, Timer};

/// What sends, the retransmission and persist timers first: where one of them is set, patience goes by it.
const SENDS: [Timer; 5] = [Timer::Retransmit, Timer::Persist, Timer::Override, Timer::Pace, Timer::Continue];

/// A deadline and its timer in one number: the earlier is less, and at one instant the timer that runs first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Due(u64);

/// Bits of the number of a timer.
const TIMER_BITS: u32 = 4;
const _: () = assert!(Timer::ALL.len() < 1 << TIMER_BITS && END_OF_TIME.as_micros() < 1 << (63 - TIMER_BITS));

impl Due {
    /// No timer's.
    const NEVER: Self = Self(u64::MAX);
    /// The earliest deadline is to be looked for: no other one comes before it.
    const STALE: Self = Self(0);

    /// A deadline beyond twice the end of time counts as that: no call could reach it.
    fn new(timer: Timer, at: Instant) -> Self {
        let micros = at.as_micros().min(2 * END_OF_TIME.as_micros());
        Self(micros << TIMER_BITS | order(timer))
    }

    const fn micros(self) -> u64 {
        self.0 >> TIMER_BITS
    }

    fn at(self) -> Option<Instant> {
        (self != Self::NEVER).then(|| Instant::from_micros(self.micros()))
    }

    /// Whether it is set, and this timer's.
    const fn is_of(self, timer: Timer) -> bool {
        self.0 & ((1 << TIMER_BITS) - 1) == order(timer)
    }

    fn timer(self) -> Option<Timer> {
        let order = usize::try_from(self.0 & ((1 << TIMER_BITS) - 1)).unwrap_or(usize::MAX);
        Timer::ALL.get(order).copied() // none where it is never
    }
}

/// How many timers have a place in the value itself: those of steady traffic, and TIME-WAIT. The others, seldom set,
/// are on the heap.
const USUAL: usize = 5;
/// The place of two timers that are never set at once: where our FIN is acknowledged, there is no `Timer::Idle`.
const SHARED: usize = 4;
const OTHERS: usize = Timer::ALL.len() - 1 - USUAL;

/// The place of a timer in `Timer::ALL`.
const fn order(timer: Timer) -> u64 {
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

/// Where the deadline of a timer is kept.
const fn place(timer: Timer) -> usize {
    match timer {
        Timer::Retransmit => 0,
        Timer::DelayedAck => 1,
        Timer::TailLossProbe => 2,
        Timer::UserTimeout => 3,
        Timer::Idle | Timer::TimeWait => SHARED,
        Timer::FinWait2 => 5,
        Timer::Reorder => 6,
        Timer::Persist => 7,
        Timer::Override => 8,
        Timer::KeepAlive => 9,
        Timer::Pace => 10,
        Timer::Continue => 11,
    }
}

/// The deadline of each timer.
///
/// The host keeps one wake-up for a connection. It hears of a deadline only when that is earlier than its wake-up; one
/// that moves later, or is not needed any more, costs a call that finds nothing to do, or announces the next. So timers
/// that move with every segment cost no action.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Deadlines {
    usual: [Due; USUAL],
    others: Option<Box<[Due; OTHERS]>>,
    /// The earliest deadline. Where it was moved later, `STALE` to the end of the event, which looks for it.
    next: Due,
    /// When the host will call, in microseconds, as far as it was told.
    wake: u64,
}

/// The host was told of no deadline.
const NO_WAKE: u64 = u64::MAX;

impl Default for Deadlines {
    fn default() -> Self {
        Self { usual: [Due::NEVER; USUAL], others: None, next: Due::NEVER, wake: NO_WAKE }
    }
}

/// Whether memory is kept for a deadline that is not set does not count.
impl PartialEq for Deadlines {
    fn eq(&self, other: &Self) -> bool {
        let Self { usual, others: _, next, wake } = self;
        (usual, next, wake) == (&other.usual, &other.next, &other.wake) && self.others() == other.others()
    }
}

impl Eq for Deadlines {}

impl Hash for Deadlines {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { usual, others: _, next, wake } = self;
        (usual, next, wake, self.others()).hash(state);
    }
}

impl Deadlines {
    fn others(&self) -> &[Due; OTHERS] {
        self.others.as_deref().unwrap_or(&[Due::NEVER; OTHERS])
    }

    fn due(&self, timer: Timer) -> Due {
        let place = place(timer);
        match self.usual.get(place) {
            Some(due) if place != SHARED || due.is_of(timer) => *due,
            Some(_) => Due::NEVER,
            None => self.others.as_ref().and_then(|others| others.get(place - USUAL)).copied().unwrap_or(Due::NEVER),
        }
    }

    /// When this timer is due, if it is set.
    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        self.due(timer).at()
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.due(timer) != Due::NEVER
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn set(&mut self, timer: Timer, deadline: Instant) {
        let place = place(timer);
        let slot = match self.usual.get_mut(place) {
            Some(slot) => Some(slot),
            None => self.others.get_or_insert_with(|| Box::new([Due::NEVER; OTHERS])).get_mut(place - USUAL),
        };
        let due = Due::new(timer, deadline);
        if let Some(slot) = slot {
            self.next = if *slot == self.next && due > self.next { Due::STALE } else { self.next.min(due) };
            *slot = due;
        }
    }

    /// Whether other timers than those of steady traffic are set.
    pub(crate) fn has_rare(&self) -> bool {
        *self.others() != [Due::NEVER; OTHERS]
    }

    /// Sets the deadline unless there is one. Returns the one that is in force.
    #[inline]
    pub(crate) fn start(&mut self, timer: Timer, deadline: Instant) -> Instant {
        match self.get(timer) {
            Some(deadline) => deadline,
            None => {
                self.set(timer, deadline);
                deadline
            }
        }
    }

    /// A deadline that is set comes no later than this.
    pub(crate) fn hasten(&mut self, timer: Timer, deadline: Instant) {
        if self.get(timer).is_some_and(|at| at > deadline) {
            self.set(timer, deadline);
        }
    }

    /// Sets the deadline or none. One beyond the end of time is none: no call could reach it.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn put(&mut self, timer: Timer, deadline: Option<Instant>) {
        match deadline.filter(|at| *at <= END_OF_TIME) {
            Some(deadline) => self.set(timer, deadline),
            None => self.clear(timer),
        }
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn clear(&mut self, timer: Timer) {
        let place = place(timer);
        let slot = match self.usual.get_mut(place) {
            Some(slot) => Some(slot),
            None => self.others.as_mut().and_then(|others| others.get_mut(place - USUAL)),
        };
        if let Some(slot) = slot.filter(|due| place != SHARED || due.is_of(timer)) {
            if *slot == self.next {
                self.next = Due::STALE;
            }
            *slot = Due::NEVER;
        }
    }

    /// The peer acknowledged something new: the sender's timers stop.
    pub(crate) fn stop_sender(&mut self) {
        self.clear(Timer::Retransmit);
        self.clear(Timer::TailLossProbe);
        self.clear(Timer::Persist);
    }

    /// The sender's timers start anew, in one step: the retransmission timeout, the tail-loss probe, the user timeout.
    #[inline]
    pub(crate) fn restart_sender(&mut self, timeout: Instant, probe: Option<Instant>, patience: Option<Instant>) {
        let due = |timer, at: Option<Instant>| at.map_or(Due::NEVER, |at| Due::new(timer, at));
        let deadlines = [
            (Timer::Retransmit, Due::new(Timer::Retransmit, timeout)),
            (Timer::TailLossProbe, due(Timer::TailLossProbe, probe)),
            (Timer::UserTimeout, due(Timer::UserTimeout, patience.filter(|at| *at <= END_OF_TIME))),
            (Timer::Idle, Due::NEVER),
        ];
        for (timer, due) in deadlines {
            if let Some(slot) = self.usual.get_mut(place(timer)) {
                *slot = due;
            }
        }
        self.next = Due::STALE;
    }

    pub(crate) fn clear_all(&mut self) {
        *self = Self { wake: self.wake, ..Self::default() };
    }

    /// Gives memory back that no deadline needs.
    pub(crate) fn shrink(&mut self) {
        if !self.has_rare() {
            self.others = None;
        }
    }

    #[inline]
    fn earliest(&self) -> Due {
        let usual = self.usual.into_iter().fold(Due::NEVER, Due::min);
        self.others.iter().flat_map(|others| others.iter()).copied().fold(usual, Due::min)
    }

    /// Finds the earliest deadline anew where it moved later.
    #[inline]
    fn refresh(&mut self) {
        if self.next == Due::STALE {
            self.next = self.earliest();
        }
    }

    /// The earliest deadline, and which timer runs first at it.
    pub(crate) fn next(&self) -> Option<(Timer, Instant)> {
        self.next.timer().map(|timer| (timer, Instant::from_micros(self.next.micros())))
    }

    /// Takes the first due timer, in the order of `Timer::ALL`, and tells how late it is. But patience does not end
    /// before what was to be sent earlier.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(Timer, Micros)> {
        let first = Timer::ALL.into_iter().find(|&timer| self.get(timer).is_some_and(|at| at <= now))?;
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
        self.wake = NO_WAKE;
    }

    /// Tells the host when to call, where that is earlier than it knows.
    #[inline]
    pub(crate) fn announce<S: Sink + ?Sized>(&mut self, sink: &mut S) {
        self.refresh();
        if self.next.micros() < self.wake {
            if let Some((timer, at)) = self.next() {
                self.wake = at.as_micros();
                sink.push(Action::SetTimer(timer, at));
            }
        }
    }

    /// The earliest deadline is that of the deadlines, and the host knows of it or of an earlier one.
    pub(crate) fn check_invariants(&self) -> Result<(), Broken> {
        holds(self.earliest() == self.next, "the earliest deadline is another")?;
        let told = self.next == Due::NEVER || self.wake <= self.next.micros();
        holds(told, "the host does not know when to call")?;
        let mut set = Timer::ALL.into_iter().filter(|&timer| self.is_set(timer));
        holds(set.all(|timer| self.due(timer).timer() == Some(timer)), "a deadline is another timer's")?;
        let shared = self.usual.get(SHARED).copied().unwrap_or(Due::NEVER);
        let known = [Timer::Idle, Timer::TimeWait].into_iter().any(|timer| shared.is_of(timer));
        holds(shared == Due::NEVER || known, "a deadline is no timer's")?;
        let ends = self.next == Due::NEVER || self.next.micros() <= 2 * END_OF_TIME.as_micros();
        holds(ends, "a deadline after the end of time")
    }

    /// All deadlines relative to `now`, and no announcement: what `canonical` compares.
    pub(crate) fn rebase(&mut self, now: Instant) {
        let Self { usual: _, others: _, next: _, wake: _ } = self; // a field that is added has to be looked at here
        let others = self.others.iter_mut().flat_map(|others| others.iter_mut());
        for due in self.usual.iter_mut().chain(others).chain([&mut self.next]).filter(|due| **due != Due::NEVER) {
            due.0 = due.0.wrapping_sub(now.as_micros() << TIMER_BITS);
        }
        self.wake = NO_WAKE;
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

    #[test]
    fn timers_that_share_a_place_do_not_answer_for_each_other() {
        for (timer, other) in [(Timer::Idle, Timer::TimeWait), (Timer::TimeWait, Timer::Idle)] {
            let mut deadlines = Deadlines::default();
            deadlines.set(timer, at(7));
            assert_eq!((deadlines.get(timer), deadlines.get(other)), (Some(at(7)), None));
            deadlines.clear(other);
            assert_eq!(deadlines.next(), Some((timer, at(7))));
            assert_eq!(deadlines.take_due(at(9)), Some((timer, Micros::new(2))));
            assert_eq!((deadlines.get(timer), deadlines.take_due(at(9))), (None, None));
        }
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
                let timer = Timer::ALL[usize::from(timer) % Timer::ALL.len()];
                timers.put(timer, deadline.map(|micros| at(micros.into())));
                if timer != Timer::Continue {
                    timers.announce(&mut |_| {});
                    timers.check_invariants().unwrap(); // sometimes after several changes
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
    fn order_agrees_with_all_and_each_has_a_place_but_two_that_share_one() {
        assert!((0..).zip(Timer::ALL).all(|(i, timer)| order(timer) == i));
        let mut places: Vec<_> = Timer::ALL.into_iter().filter(|timer| *timer != Timer::Idle).map(place).collect();
        places.sort_unstable();
        assert!(places.into_iter().eq(0..USUAL + OTHERS));
        assert_eq!((place(Timer::Idle), place(Timer::TimeWait)), (SHARED, SHARED));
    }
}
