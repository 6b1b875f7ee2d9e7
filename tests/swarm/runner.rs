//! Runs many seeds on all cores and reports what fails: each kind of failure once, with its smallest plan.

use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use segue_kit::swarm::search;

/// Kinds of failures that are shrunk and printed; of the others only seeds are.
const SHOWN: usize = 3;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

type Failure = (String, String);

/// Runs `cases` seeds, or as many as `SEGUE_CASES` says, from `SEGUE_FROM`, or the one of `SEGUE_SEED`. `case` gives the problem
/// of a seed and the report on it.
pub(crate) fn run(name: &str, cases: u64, case: impl Fn(u64) -> Result<(), Failure> + Sync) {
    let (from, cases) = match number("SEGUE_SEED") {
        Some(seed) => (seed, 1),
        None => (number("SEGUE_FROM").unwrap_or(1), number("SEGUE_CASES").unwrap_or(cases)),
    };
    let (began, threads) = (Instant::now(), thread::available_parallelism().map_or(2, usize::from));
    let failures = search::seeds(from..from + cases, threads, case, |_| ControlFlow::Continue(())).failures;
    let failed: usize = failures.values().map(Vec::len).sum();
    eprintln!("{name}: {cases} cases from {from} in {:?}, {failed} failed", began.elapsed());
    if failed == 0 {
        return;
    }
    for (kind, seeds) in &failures {
        let numbers: Vec<u64> = seeds.iter().map(|(seed, _)| *seed).take(12).collect();
        eprintln!("{:6} x {kind}: seeds {numbers:?}", seeds.len());
    }
    for (kind, seeds) in failures.iter().take(SHOWN) {
        let shortest = seeds.iter().min_by_key(|(_, report)| report.len()).expect("at least one");
        eprintln!("\n==== {kind}\n{}", shortest.1);
    }
    eprintln!("\nRun one again: SEGUE_SEED=<seed> cargo test --test machine swarm {name}");
    panic!("{name}: {failed} of {cases} cases failed");
}

/// The smallest case found that fails in the same way. `simpler` offers simpler ones, `judge` gives the problem of one.
pub(crate) fn shrink<T: Clone>(
    first: (String, T),
    simpler: impl Fn(&T) -> Vec<T>,
    judge: impl Fn(&T) -> Result<(), String>,
) -> (String, T) {
    search::shrink(first, shrink_budget(), simpler, judge)
}

/// The time for one failure.
pub(crate) fn shrink_budget() -> Duration {
    Duration::from_millis(number("SEGUE_SHRINK_MS").unwrap_or(1500))
}
