//! A host that knows of timers only what it was told.

use std::collections::{BTreeMap, BTreeSet};

use segue::{Action, Connection, Instant, Timer};

/// The timers as `SetTimer` and `StopTimer` announced them.
#[derive(Clone, Default, Debug)]
pub(super) struct Announced {
    ahead: BTreeMap<Timer, Instant>,
    /// Due when another timer fired: a host may take them as fired with it, so they cannot be relied on.
    passed: BTreeSet<Timer>,
}

impl Announced {
    /// The host is about to call: this timer fires.
    pub(super) fn fire(&mut self, timer: Timer, now: Instant) {
        self.ahead.remove(&timer);
        self.passed.remove(&timer);
        self.passed.extend(self.ahead.iter().filter(|(_, at)| **at <= now).map(|(timer, _)| *timer));
        self.ahead.retain(|_, at| *at > now);
    }

    pub(super) fn note(&mut self, action: &Action) {
        match *action {
            Action::SetTimer(timer, at) => {
                self.passed.remove(&timer);
                let earlier = self.ahead.insert(timer, at);
                assert!(
                    earlier.is_none_or(|earlier| at < earlier),
                    "{timer:?} was announced for {earlier:?}, now {at}"
                );
            }
            Action::StopTimer(timer) => {
                let known = self.ahead.remove(&timer).is_some() | self.passed.remove(&timer);
                assert!(known, "{timer:?} stopped though it was not announced");
            }
            _ => {}
        }
    }

    /// No true deadline is missed by firing what was announced; nothing stays announced when no deadline remains.
    pub(super) fn check(&self, connection: &Connection) {
        let deadlines = Timer::ALL.map(|timer| (timer, connection.deadline(timer)));
        for (timer, deadline) in deadlines {
            let Some(deadline) = deadline else { continue };
            let announced = self.ahead.get(&timer);
            assert!(
                announced.is_some_and(|at| *at <= deadline),
                "{timer:?} is due at {deadline}, announced {announced:?}"
            );
        }
        // min_by_key takes the first of equals: the order of Timer::ALL.
        let earliest = deadlines.into_iter().filter_map(|(timer, at)| Some((timer, at?))).min_by_key(|(_, at)| *at);
        assert_eq!(connection.next_deadline(), earliest);
        if earliest.is_none() {
            assert!(self.ahead.is_empty() && self.passed.is_empty(), "no deadline, but not stopped: {self:?}");
        }
    }
}
