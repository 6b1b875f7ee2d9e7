//! The timers of a connection: true deadlines, and what the host was told of them.

use crate::time::{END_OF_TIME, micros};
use crate::{Action, Instant, Sink, Timer};
use core::time::Duration;

const COUNT: usize = Timer::ALL.len();
/// No instant of the machine reaches this: `END_OF_TIME` lies far below it.
const NEVER: u64 = u64::MAX;

/// What sends, the retransmission and persist timers first: where one of them is set, patience goes by it.
const SENDS: [Timer; 5] = [Timer::Retransmit, Timer::Persist, Timer::Override, Timer::Pace, Timer::Continue];

/// One true deadline and one announced instant for each timer.
///
/// The host hears of a timer only when its deadline is earlier than what it was told, or when it was told nothing; a
/// deadline that moves later is announced when the earlier instant fires. So timers that move with every segment cost
/// no action.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Timers {
    deadline: [u64; COUNT],
    announced: [u64; COUNT],
    /// Whether anything moved since the host was last told.
    moved: bool,
    /// Announced for a time that had passed when another timer fired: the host may have forgotten these.
    passed: [bool; COUNT],
}

impl Default for Timers {
    fn default() -> Self {
        Self { deadline: [NEVER; COUNT], announced: [NEVER; COUNT], moved: false, passed: [false; COUNT] }
    }
}

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

fn some(at: u64) -> Option<Instant> {
    (at != NEVER).then(|| Instant::from_micros(at))
}

impl Timers {
    /// The true deadline.
    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        self.deadline.get(index(timer)).copied().and_then(some)
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.get(timer).is_some()
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
        self.move_to(timer, NEVER);
    }

    pub(crate) fn clear_all(&mut self) {
        self.deadline = [NEVER; COUNT];
        self.moved = true;
    }

    fn move_to(&mut self, timer: Timer, at: u64) {
        if let Some(slot) = self.deadline.get_mut(index(timer)).filter(|slot| **slot != at) {
            *slot = at;
            self.moved = true;
        }
    }

    /// The earliest deadline, and which timer runs first at it.
    pub(crate) fn next(&self) -> Option<(Timer, Instant)> {
        let earliest = Timer::ALL.iter().zip(&self.deadline).min_by_key(|&(_, at)| *at)?;
        some(*earliest.1).map(|at| (*earliest.0, at))
    }

    /// Takes the first due timer, in the order of `Timer::ALL`, and tells how late it is. But patience does not end before
    /// what was to be sent earlier.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(Timer, Duration)> {
        let (first, _) = Timer::ALL.iter().zip(&self.deadline).find(|(_, at)| **at <= now.as_micros())?;
        let before = if *first == Timer::UserTimeout { self.sends_before_patience_ends() } else { None };
        let timer = before.unwrap_or(*first);
        let late = now.saturating_since(self.get(timer)?);
        self.clear(timer);
        Some((timer, late))
    }

    /// The timer that was to send something before the user timeout.
    fn sends_before_patience_ends(&self) -> Option<Timer> {
        let sends = SENDS.into_iter().find(|&timer| self.is_set(timer));
        sends.filter(|&timer| self.get(timer) < self.get(Timer::UserTimeout))
    }

    /// The host's timer has fired, and perhaps it has forgotten all that it was told to fire by now: those that have a
    /// deadline, now or later, are announced anew.
    pub(crate) fn fired(&mut self, timer: Timer, now: Instant) {
        self.moved = true;
        for (passed, at) in self.passed.iter_mut().zip(&self.announced) {
            *passed |= *at <= now.as_micros();
        }
        if let Some(at) = self.announced.get_mut(index(timer)) {
            *at = NEVER;
        }
    }

    /// Tells the host what it must know.
    pub(crate) fn announce(&mut self, sink: &mut dyn Sink) {
        if !core::mem::take(&mut self.moved) {
            return;
        }
        let mut any = false;
        let told = self.announced.iter_mut().zip(&mut self.passed);
        for ((timer, &deadline), (announced, passed)) in Timer::ALL.iter().zip(&self.deadline).zip(told) {
            any |= deadline != NEVER;
            if deadline < *announced || (deadline != NEVER && *passed) {
                *announced = deadline;
                *passed = false;
                sink.push(Action::SetTimer(*timer, Instant::from_micros(deadline)));
            }
        }
        if !any {
            self.passed = [false; COUNT];
            for (timer, announced) in Timer::ALL.iter().zip(&mut self.announced) {
                if *announced != NEVER {
                    *announced = NEVER;
                    sink.push(Action::StopTimer(*timer));
                }
            }
        }
    }

    /// All deadlines relative to `now`, and no announcements: what `canonical` compares.
    pub(crate) fn rebase(&mut self, now: Instant) {
        for at in &mut self.deadline {
            if *at != NEVER {
                *at = at.wrapping_sub(now.as_micros());
            }
        }
        self.announced = [NEVER; COUNT];
        self.passed = [false; COUNT];
    }
}

/// `d` doubled `times` times, at most `max`.
pub(crate) fn backed_off(d: Duration, times: u32, max: Duration) -> Duration {
    let factor = 1u64.checked_shl(times.min(32)).unwrap_or(u64::MAX);
    Duration::from_micros(micros(d).saturating_mul(factor)).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    fn late(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn a_later_deadline_is_announced_when_the_earlier_fires() {
        let mut timers = Timers::default();
        let mut out = Vec::new();
        timers.set(Timer::Retransmit, at(10));
        timers.announce(&mut out);
        timers.set(Timer::Retransmit, at(30));
        timers.announce(&mut out);
        assert_eq!(out, vec![Action::SetTimer(Timer::Retransmit, at(10))]);
        out.clear();
        timers.fired(Timer::Retransmit, at(10));
        assert_eq!(timers.take_due(at(10)), None);
        timers.announce(&mut out);
        assert_eq!(out, vec![Action::SetTimer(Timer::Retransmit, at(30))]);
    }

    #[test]
    fn timers_are_stopped_only_when_none_remains() {
        let mut timers = Timers::default();
        let mut out = Vec::new();
        timers.set(Timer::Retransmit, at(10));
        timers.set(Timer::DelayedAck, at(5));
        timers.announce(&mut out);
        out.clear();
        timers.clear(Timer::DelayedAck);
        timers.announce(&mut out);
        assert_eq!(out, vec![]);
        timers.clear(Timer::Retransmit);
        timers.announce(&mut out);
        assert_eq!(out, vec![Action::StopTimer(Timer::Retransmit), Action::StopTimer(Timer::DelayedAck)]);
    }

    /// Whether one firing ended all that were due or its own only is the host's: neither may miss a later deadline.
    #[test]
    fn what_was_due_when_another_fired_is_announced_when_it_is_set_again() {
        let mut timers = Timers::default();
        let mut out = Vec::new();
        timers.set(Timer::Retransmit, at(10));
        timers.set(Timer::KeepAlive, at(20));
        timers.announce(&mut out);
        timers.clear(Timer::Retransmit);
        timers.fired(Timer::KeepAlive, at(20));
        assert_eq!(timers.take_due(at(20)), Some((Timer::KeepAlive, late(0))));
        timers.set(Timer::KeepAlive, at(40));
        timers.announce(&mut out);
        out.clear();
        timers.set(Timer::Retransmit, at(30));
        timers.announce(&mut out);
        assert_eq!(out, vec![Action::SetTimer(Timer::Retransmit, at(30))]);
    }

    #[test]
    fn beyond_the_end_of_time_is_never() {
        let mut timers = Timers::default();
        timers.put(Timer::KeepAlive, Some(END_OF_TIME));
        assert_eq!(timers.get(Timer::KeepAlive), Some(END_OF_TIME));
        timers.put(Timer::KeepAlive, Some(END_OF_TIME + late(1)));
        assert_eq!(timers.get(Timer::KeepAlive), None);
    }

    #[test]
    fn due_timers_run_in_a_fixed_order() {
        let mut timers = Timers::default();
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
            let mut timers = Timers::default();
            timers.set(Timer::UserTimeout, at(5));
            timers.set(sends, at(5));
            assert_eq!(timers.clone().take_due(at(9)), Some((Timer::UserTimeout, late(4))));
            timers.set(sends, at(4));
            assert_eq!(timers.take_due(at(9)), Some((sends, late(5))));
            assert_eq!(timers.take_due(at(9)), Some((Timer::UserTimeout, late(4))));
        }
        // what asks for an acknowledgment decides, not what waits beside it
        let mut timers = Timers::default();
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
