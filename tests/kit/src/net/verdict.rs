//! What a whole run must have come to.

use std::fmt::Write;

use segue::{CloseReason, State};

use super::{Closing, Ladder, Outcome, Side};

impl Outcome {
    /// Records that a report shows at most.
    const SHOWN: usize = 600;

    /// Nothing failed, both ends are over, and everything written was delivered or a reason says why not.
    pub fn accounted(&self) -> Result<(), String> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        for side in Side::BOTH {
            let host = self.host(side);
            let waits = host.connection.is_none() || host.state() == State::Listen;
            let Some(reason) = host.user.closed else {
                if waits || self.plan.ends.iter().any(|end| end.closing == Closing::Never) {
                    continue;
                }
                return Err(format!("all is silent and the {} is still in {}", side.name(), host.state()));
            };
            if reason == CloseReason::Finished {
                self.delivered_all(side)?;
                self.delivered_all(side.other())?;
            }
        }
        Ok(())
    }

    /// Both sides closed in good order, and every octet that the plan names was delivered and acknowledged.
    pub fn finished(&self) -> Result<(), String> {
        self.accounted()?;
        for side in Side::BOTH {
            let (user, end) = (&self.host(side).user, &self.host(side).end);
            if user.closed != Some(CloseReason::Finished) {
                return Err(format!("the {} did not finish: {:?}", side.name(), user.closed));
            }
            if user.written != end.octets || user.acked != end.octets {
                let (written, acked) = (user.written, user.acked);
                return Err(format!("of {} octets {written} were written, {acked} acknowledged", end.octets));
            }
        }
        Ok(())
    }

    fn delivered_all(&self, from: Side) -> Result<(), String> {
        let (written, delivered) = (self.host(from).user.written, self.host(from.other()).user.delivered);
        if written == delivered {
            return Ok(());
        }
        Err(format!("finished, but of {written} octets that the {} wrote {delivered} were delivered", from.name()))
    }

    /// For a person: what went wrong, the plan that shows it, and what happened.
    pub fn report(&self, problem: &str) -> String {
        let mut report = format!("{problem}\n\n{:#?}\n\n", self.plan);
        let forgotten = self.trace.forgotten + self.trace.records.len().saturating_sub(Self::SHOWN) as u64;
        if forgotten > 0 {
            writeln!(report, "({forgotten} records before these)").expect("a String takes all");
        }
        let ladder = Ladder::of_last(Self::SHOWN, &self.plan, &self.trace);
        write!(report, "{ladder}").expect("a String takes all");
        report
    }

    /// Panics with the whole report unless the run finished.
    #[track_caller]
    pub fn expect_finished(self) -> Self {
        if let Err(problem) = self.finished() {
            panic!("{}", self.report(&problem));
        }
        self
    }

    /// Panics with the whole report unless everything is accounted for.
    #[track_caller]
    pub fn expect_accounted(self) -> Self {
        if let Err(problem) = self.accounted() {
            panic!("{}", self.report(&problem));
        }
        self
    }
}
