//! A host that knows of timers only what it was told.

use segue::{Action, Connection, Instant, Timer};

/// The wake-up that `SetTimer` asked for.
#[derive(Clone, Default, Debug)]
pub(super) struct Announced {
    wake: Option<(Timer, Instant)>,
}

impl Announced {
    /// The host is about to call, whether its wake-up came or not: from now on it has none.
    pub(super) fn fire(&mut self) {
        self.wake = None;
    }

    pub(super) fn note(&mut self, action: &Action) {
        match *action {
            Action::SetTimer(timer, at) => {
                let earlier = self.wake.replace((timer, at));
                assert!(
                    earlier.is_none_or(|(_, earlier)| at < earlier),
                    "{timer:?} is announced for {at}, the host was to call for {earlier:?}"
                );
            }
            Action::Closed(_) => self.wake = None,
            _ => {}
        }
    }

    /// No deadline is missed by a host that does as it was told.
    pub(super) fn check(&self, connection: &Connection) {
        let deadlines = Timer::ALL.map(|timer| (timer, connection.deadline(timer)));
        // min_by_key takes the first of equals: the order of Timer::ALL.
        let earliest = deadlines.into_iter().filter_map(|(timer, at)| Some((timer, at?))).min_by_key(|(_, at)| *at);
        assert_eq!(connection.next_deadline(), earliest);
        if let Some((timer, deadline)) = earliest {
            assert!(
                self.wake.is_some_and(|(_, at)| at <= deadline),
                "{timer:?} is due at {deadline}, the host calls for {:?}",
                self.wake
            );
        }
    }
}
