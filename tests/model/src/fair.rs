//! From any state on, a fair schedule: whatever is under way arrives in order, timers run in time, users send the rest
//! of their scripts, read and close.

use segue::State;

use crate::laws::{Law, NAMES, require};
use crate::moves::{Call, Move};
use crate::world::{SIDES, World};

/// More arrivals than this without a timer or a user are an exchange without end. Throttles let pass ten answers each.
const STREAK: u32 = 64;
/// More steps than this do not end.
const STEPS: u32 = 3000;

impl World<'_> {
    /// Runs the schedule. The laws of every step hold on the way, and at its end those of `quiet_and_complete`.
    pub(crate) fn fair_schedule_ends(&mut self) -> Law {
        self.fair = true;
        self.tell(|_| "                                 from here on the schedule is fair".into());
        let (mut streak, mut idle) = (0, self.setting.idle);
        for turn in 0..STEPS {
            if let Some(side) = self.next_arrival(turn) {
                streak += 1;
                require(streak <= STREAK, "no_exchange_without_end", || {
                    format!("{STREAK} segments, each in answer to the one before, without a timer")
                })?;
                self.step(Move::Deliver(side, 0))?;
                continue;
            }
            streak = 0;
            let acts = SIDES.into_iter().find_map(|side| self.user_acts(side, idle > 0));
            if let Some(step) = acts {
                self.step(step)?;
                continue;
            }
            let due = |side: usize| self.ends[side].connection.next_deadline().map(|(_, at)| (at, side));
            let next = SIDES.into_iter().filter_map(due).min();
            match next {
                Some((_, side)) => {
                    idle = idle.saturating_sub(1);
                    self.step(Move::Timer(side))?;
                }
                None if idle > 0 => idle = 0,
                None => return self.quiet_and_complete(),
            }
        }
        require(false, "fair_schedule_ends", || format!("it goes on after {STEPS} steps"))
    }

    /// The end that the next segment arrives at: they take turns.
    fn next_arrival(&self, turn: u32) -> Option<usize> {
        let first = usize::from(turn % 2 == 1);
        [first, 1 - first].into_iter().find(|&side| !self.wires[side].is_empty())
    }

    /// What the user of this end does next, if anything. A user that is `idle` does not close yet.
    fn user_acts(&self, side: usize, idle: bool) -> Option<Move> {
        let end = &self.ends[side];
        let user = &end.user;
        let open = user.over.is_none() && !matches!(end.numbers.state, State::Closed | State::Listen);
        let call = if user.returned {
            Call::Rearm
        } else if !open {
            return None;
        } else if user.cut {
            Call::Continue
        } else if user.unread > 0 {
            Call::Consume
        } else if self.can_send(side) {
            Call::Send
        } else if !user.closed && !idle && user.connected {
            Call::Close
        } else {
            return None;
        };
        Some(Move::Call(side, call))
    }

    /// Nothing is under way and no timer runs: both ends are without a connection, and whoever opened one has finished
    /// it, unless it was excused.
    fn quiet_and_complete(&self) -> Law {
        for side in SIDES {
            let user = &self.ends[side].user;
            require(self.is_at_rest(side), "quiet_and_complete", || {
                format!("{} stays in {} without a timer", NAMES[side], self.ends[side].numbers.state)
            })?;
            let opened = self.setting.roles[side].opens > 0 && !user.excused;
            let finished = user.connected && self.has_finished(side);
            require(!opened || finished, "quiet_and_complete", || {
                format!("{} opened a connection that is not finished: {:?}", NAMES[side], user.over)
            })?;
        }
        Ok(())
    }
}
