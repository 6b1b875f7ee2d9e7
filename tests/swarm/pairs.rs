//! Pairs of connections with wild plans.

use std::time::Duration;

use segue::{ConfigBuilder, EcnMode};
use segue_kit::Rng;
use segue_kit::net::{Control, Heap, Meter, Plan, Reading, meter, run};
use segue_kit::swarm::verdict;
use segue_kit::swarm::wild::{self, Family};

use super::runner;

/// Whatever is queued arrives once the faults stop, or a limit that was truly reached says why not; and both ends fall
/// silent within the bounds of memory, work, repetition and time.
#[test]
fn wild_pairs_keep_the_laws() {
    count_heap();
    runner::run("wild_pairs_keep_the_laws", 1000, |seed| {
        let (family, plan) = wild::plan(seed);
        let judge = |plan: &Plan| verdict::judge(family, &run(plan));
        let Err(problem) = judge(&plan) else { return Ok(()) };
        let (problem, plan) = runner::shrink((problem, plan), wild::shrink, judge);
        Err((problem.clone(), verdict::report(seed, family, &problem, &run(&plan))))
    });
}

/// The same with another controller at one end or both, BBR and Prague among them, and accurate feedback at half of the pairs.
#[test]
fn wild_pairs_with_other_controllers_keep_the_laws() {
    count_heap();
    runner::run("wild_pairs_with_other_controllers_keep_the_laws", 600, |seed| {
        let (family, mut plan) = wild::plan(seed);
        let mut rng = Rng::new(!seed); // what else is drawn stays as it is
        let accurate = rng.chance(500);
        for end in &mut plan.ends {
            end.control = rng.pick(&Control::ALL);
            if accurate {
                end.config = end.config.to_builder().ecn(EcnMode::Accurate).build().expect("as valid as before");
            }
        }
        let judge = |plan: &Plan| verdict::judge(family, &run(plan));
        let Err(problem) = judge(&plan) else { return Ok(()) };
        let (problem, plan) = runner::shrink((problem, plan), wild::shrink, judge);
        Err((problem.clone(), verdict::report(seed, family, &problem, &run(&plan))))
    });
}

/// Pairs from beyond the range above that failed once: a window that opens by its half and just misses the room for an MTU probe;
/// new text on a retransmission where no record is left; a late segment in an orderly scoreboard; losses that came with
/// a black hole and made it narrower; retransmissions of a steady path that did not count, since the least round trip
/// was a fraction less; one challenge ACK in ten minutes, and the first was lost.
#[test]
fn pairs_that_failed_once_keep_the_laws() {
    count_heap();
    for seed in [7_006_543, 7_014_228, 9_006_737, 31_006_262, 42_035_463, 51_008_491, 1_374_554, 8444] {
        let (family, plan) = wild::plan(seed);
        let outcome = run(&plan);
        if let Err(problem) = verdict::judge(family, &outcome) {
            panic!("{}", verdict::report(seed, family, &problem, &outcome));
        }
    }
}

/// Both fill the other's window but for a little, nobody reads, and a little more follows while the last windows are
/// under way: the right edges recede by rounding, to 0 for some. Whatever the shift, both ends go on when the users
/// read at last.
#[test]
fn windows_that_close_by_rounding_deadlock_nobody() {
    count_heap();
    for shift in 0..=14 {
        for less in [3, 1 << shift] {
            for quarters in 20..64 {
                let plan = filled_windows(shift, less, Duration::from_millis(50) * quarters / 4);
                let outcome = run(&plan);
                if let Err(problem) = verdict::judge(Family::Patient, &outcome) {
                    panic!("{}", verdict::report(0, Family::Patient, &problem, &outcome));
                }
            }
        }
    }
}

/// Both ends send all but `less` octets of the other's window, and three octets more at `then`.
fn filled_windows(shift: u8, less: u32, then: Duration) -> Plan {
    let buffer = 131_072_u32;
    let config = |builder: ConfigBuilder| {
        builder.nagle(false).receive_buffer(buffer).window_shift(Some(shift)).user_timeout(None)
    };
    let octets = u64::from(buffer - less + 3);
    Plan::exchange(octets, octets).with_config(config).with(|plan| {
        plan.strict = true;
        plan.links.iter_mut().for_each(|link| link.delay = Duration::from_millis(50));
        for end in &mut plan.ends {
            end.pieces = vec![(Duration::ZERO, buffer - less), (then, 3)];
            end.reading = Reading::Late(Duration::from_secs(5));
        }
    })
}

/// From now on calls to connections are measured.
pub(crate) fn count_heap() {
    meter(Meter {
        measure: |code| {
            let info = allocation_counter::measure(code);
            Heap { octets: info.bytes_current, allocations: info.count_total }
        },
        apart: |code| allocation_counter::opt_out(code),
    });
}
