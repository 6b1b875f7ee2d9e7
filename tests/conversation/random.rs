//! Random plans: quickcheck draws them, shrinks what fails, and the report shows the run.

use quickcheck::TestResult;
use segue_kit::net::run;

use super::generate::{Gentle, Rough, quickcheck, verdict};

/// Once the faults have stopped, all is delivered and both ends finish.
#[test]
fn gentle_plans_deliver_everything_and_finish() {
    fn property(plan: Gentle) -> TestResult {
        let outcome = run(&plan.0);
        verdict(&outcome, outcome.finished())
    }
    quickcheck(4000).quickcheck(property as fn(Gentle) -> TestResult);
}

/// Whatever happens, both ends are over at last, what was delivered was right, and `Finished` is not said in vain.
#[test]
fn rough_plans_are_accounted_for() {
    fn property(plan: Rough) -> TestResult {
        let outcome = run(&plan.0);
        verdict(&outcome, outcome.accounted())
    }
    quickcheck(4000).quickcheck(property as fn(Rough) -> TestResult);
}
