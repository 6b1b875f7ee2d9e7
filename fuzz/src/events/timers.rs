//! A host that knows of timers only what it was told.

use std::collections::BTreeMap;

use segue::{Action, Connection, Instant, Timer};

/// The timers as `SetTimer` and `StopTimer` announced them.
#[derive(Clone, Default, Debug)]
pub(super) struct Announced(BTreeMap<Timer, Instant>);

impl Announced {
    /// The host is about to call: this timer fires, and it knows that all due ones run.
    pub(super) fn fire(&mut self, timer: Timer, now: Instant) {
        self.0.retain(|&announced, at| announced != timer && *at > now);
    }

    pub(super) fn note(&mut self, action: &Action) {
        match *action {
            Action::SetTimer(timer, at) => {
                let earlier = self.0.insert(timer, at);
                assert!(
                    earlier.is_none_or(|earlier| at < earlier),
                    "{timer:?} was announced for {earlier:?}, now {at}"
                );
            }
            Action::StopTimer(timer) => {
                assert!(self.0.remove(&timer).is_some(), "{timer:?} stopped though it was not announced");
            }
            _ => {}
        }
    }

    /// No true deadline is missed by firing what was announced; nothing stays announced when no deadline remains.
    pub(super) fn check(&self, connection: &Connection) {
        let deadlines = Timer::ALL.map(|timer| (timer, connection.deadline(timer)));
        for (timer, deadline) in deadlines {
            let Some(deadline) = deadline else { continue };
            let announced = self.0.get(&timer);
            assert!(
                announced.is_some_and(|at| *at <= deadline),
                "{timer:?} is due at {deadline}, announced {announced:?}"
            );
        }
        // min_by_key takes the first of equals: the order of Timer::ALL.
        let earliest = deadlines.into_iter().filter_map(|(timer, at)| Some((timer, at?))).min_by_key(|(_, at)| *at);
        assert_eq!(connection.next_deadline(), earliest);
        if earliest.is_none() {
            assert!(self.0.is_empty(), "no deadline, but {:?} not stopped", self.0);
        }
    }
}
