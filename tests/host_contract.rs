//! What a host may do to a connection without harm: drop any one `Transmit`, call timers late, hand events over in
//! batches, know nothing of timers but `SetTimer`. No octet is lost, nothing is stuck.

use std::time::Duration;

use crate::conversation::generate::{Family, Gentle, plan, quickcheck, verdict};
use ::quickcheck::TestResult;
use segue_kit::Rng;
use segue_kit::net::{Closing, Driver, End, Fault, FaultKind, Opening, Plan, Rates, Reading, Side, run};

const SLOPPY: Driver = Driver::Sloppy { late: Duration::from_millis(700), batch: Duration::from_millis(30) };

/// Conversations with something of everything: text both ways, both orders of closing, a starved window.
fn conversations() -> Vec<Plan> {
    let closed_by_server = Plan::exchange(5000, 9000).with(|plan| {
        plan.ends[0].closing = Closing::AfterPeer(Duration::ZERO);
        plan.ends[1].closing = Closing::WhenWritten;
    });
    let starved = Plan::exchange(9000, 2000).with_config(|config| config.receive_buffer(3000)).with(|plan| {
        plan.ends[1].reading = Reading::Pause { at: 2500, length: Duration::from_secs(3) };
    });
    let together = Plan::exchange(4000, 4000).with(|plan| {
        plan.opening = Opening::Simultaneous;
        plan.ends[1].closing = Closing::WhenWritten;
    });
    let plain = Plan::exchange(9000, 4000)
        .with_config(|config| config.timestamps(false).sack(false).window_scaling(false).max_burst(2));
    vec![Plan::exchange(9000, 4000), closed_by_server, starved, together, plain]
}

fn drivers() -> [Driver; 3] {
    [Driver::Deadlines, Driver::Announced, SLOPPY]
}

fn with_driver(plan: &Plan, driver: Driver) -> Plan {
    plan.clone().with(|plan| plan.ends.iter_mut().for_each(|end: &mut End| end.driver = driver))
}

#[test]
fn any_one_transmit_may_be_dropped() {
    for plan in conversations() {
        for driver in drivers() {
            let plan = with_driver(&plan, driver);
            let whole = run(&plan).expect_finished();
            for from in Side::BOTH {
                for nth in 0..whole.host(from).sent {
                    let drop = Fault { from, nth, kind: FaultKind::Lose };
                    run(&plan.clone().with(|plan| plan.faults = vec![drop])).expect_finished();
                }
            }
        }
    }
}

/// The dropped one and its repetition, or one from each side.
#[test]
fn any_two_transmits_may_be_dropped() {
    let mut rng = Rng::new(2);
    for plan in conversations() {
        let whole = run(&plan).expect_finished();
        for _ in 0..150 {
            let mut pick = || {
                let from = rng.pick(&Side::BOTH);
                Fault { from, nth: rng.below(whole.host(from).sent + 2), kind: FaultKind::Lose }
            };
            let faults = vec![pick(), pick()];
            run(&plan.clone().with(|plan| plan.faults = faults)).expect_finished();
        }
    }
}

/// The first transmissions of one side, all of them: the host below it was not ready.
#[test]
fn a_whole_burst_may_be_dropped() {
    for plan in conversations() {
        for from in Side::BOTH {
            for first in 0..12 {
                let faults = (first..first + 5).map(|nth| Fault { from, nth, kind: FaultKind::Lose }).collect();
                run(&plan.clone().with(|plan| plan.faults = faults)).expect_finished();
            }
        }
    }
}

#[test]
fn timers_may_be_called_late() {
    for plan in conversations() {
        for (seed, late) in [(1, 1), (2, 10), (3, 100), (4, 1000), (5, 30_000)] {
            let driver = Driver::Sloppy { late: Duration::from_millis(late), batch: Duration::ZERO };
            let rates = Rates { lose: 100, ..Rates::default() };
            run(&with_driver(&plan, driver).with_faults(seed, rates, 60)).expect_finished();
        }
    }
}

#[test]
fn segments_may_be_handed_over_in_batches_and_merged() {
    for plan in conversations() {
        for (seed, batch) in [(1, 1), (2, 10), (3, 100), (4, 1000)] {
            let driver = Driver::Sloppy { late: Duration::ZERO, batch: Duration::from_millis(batch) };
            let rates = Rates { lose: 50, duplicate: 50, hold: 100, ..Rates::default() };
            for merges in [false, true] {
                let plan = with_driver(&plan, driver).with_faults(seed, rates, 60);
                run(&plan.with(|plan| plan.ends.iter_mut().for_each(|end| end.merges = merges))).expect_finished();
            }
        }
    }
}

/// The network compares every deadline with what was announced after every call.
#[test]
fn a_host_that_knows_only_set_timer_misses_no_deadline() {
    for seed in 0..300 {
        let plan = plan(Family { octets: 20_000, rough: false, hosts: false }, seed);
        run(&with_driver(&plan, Driver::Announced)).expect_finished();
    }
}

/// A burst that was cut goes on though the host never sends `Continue`: a timer backs it up.
#[test]
fn continue_need_not_be_called() {
    for max_burst in [1, 2, 5] {
        let plan = Plan::exchange(100_000, 30_000).with_config(|config| config.max_burst(max_burst));
        run(&with_driver(&plan, Driver::Announced)).expect_finished();
    }
}

/// Two careless hosts, and whatever else quickcheck thinks of.
#[test]
fn careless_hosts_on_a_bad_network_lose_nothing() {
    fn property(plan: Gentle) -> TestResult {
        let outcome = run(&with_driver(&plan.0, SLOPPY));
        verdict(&outcome, outcome.finished())
    }
    quickcheck(4000).quickcheck(property as fn(Gentle) -> TestResult);
}
