//! Runs many seeds on all cores and reports what fails: each kind of failure once, with its smallest plan.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Kinds of failures that are shrunk and printed; of the others only seeds are.
const SHOWN: usize = 3;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// A failure without its numbers and times: two of one kind are told once.
pub(crate) fn kind(problem: &str) -> String {
    let line = problem.lines().next().unwrap_or_default();
    let mut kind = String::new();
    let mut number = false;
    for c in line.chars() {
        if c.is_ascii_digit() || number && ".µmns".contains(c) {
            if !number {
                kind.push('#');
            }
            number = true;
        } else {
            number = false;
            kind.push(c);
        }
    }
    kind.chars().take(70).collect()
}

type Failure = (String, String);

/// Runs `cases` seeds, or as many as `SEGUE_CASES` says, from `SEGUE_FROM`, or the one of `SEGUE_SEED`. `case` gives the problem
/// of a seed and the report on it.
pub(crate) fn run(name: &str, cases: u64, case: impl Fn(u64) -> Result<(), Failure> + Sync) {
    let (from, cases) = match number("SEGUE_SEED") {
        Some(seed) => (seed, 1),
        None => (number("SEGUE_FROM").unwrap_or(1), number("SEGUE_CASES").unwrap_or(cases)),
    };
    let (next, began) = (AtomicU64::new(from), Instant::now());
    let failures: Mutex<BTreeMap<String, Vec<(u64, String)>>> = Mutex::new(BTreeMap::new());
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + cases {
                        break;
                    }
                    if let Err((problem, report)) = case(seed) {
                        failures.lock().expect("no panic").entry(kind(&problem)).or_default().push((seed, report));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic");
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
    let began = Instant::now();
    let budget = Duration::from_millis(number("SEGUE_SHRINK_MS").unwrap_or(1500));
    let mut smallest = first;
    'again: loop {
        for case in simpler(&smallest.1) {
            if began.elapsed() > budget {
                return smallest;
            }
            if let Err(problem) = judge(&case)
                && kind(&problem) == kind(&smallest.0)
            {
                smallest = (problem, case);
                continue 'again;
            }
        }
        return smallest;
    }
}
