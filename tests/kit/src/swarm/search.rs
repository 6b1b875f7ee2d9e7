//! Runs many seeds on several threads and groups what fails; finds the smallest case that fails in the same way.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A failure without its numbers and times: two of one kind are told once.
pub fn kind(problem: &str) -> String {
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

/// What failed, by its kind: seeds, each with what its case gave.
pub type Failures<T> = BTreeMap<String, Vec<(u64, T)>>;

/// What has been run so far.
#[derive(Clone, Debug)]
pub struct Progress<T> {
    pub done: u64,
    pub failures: Failures<T>,
}

/// Runs the seeds, each once, on `jobs` threads. `case` gives the problem of a seed and what to keep of it; `watch` is
/// called after each case and may break off.
pub fn seeds<T: Send>(
    seeds: Range<u64>,
    jobs: usize,
    case: impl Fn(u64) -> Result<(), (String, T)> + Sync,
    mut watch: impl FnMut(&Progress<T>) -> ControlFlow<()>,
) -> Progress<T> {
    let next = AtomicU64::new(seeds.start);
    let (sender, results) = mpsc::channel();
    let mut progress = Progress { done: 0, failures: Failures::new() };
    thread::scope(|scope| {
        for _ in 0..jobs {
            let (next, case, end, sender) = (&next, &case, seeds.end, sender.clone());
            scope.spawn(move || {
                // the last number must not lead to 0
                let more = |seed: u64| (seed < end).then(|| seed + 1);
                while let Ok(seed) = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
                    if sender.send((seed, case(seed))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (seed, result) in &results {
            progress.done += 1;
            if let Err((problem, kept)) = result {
                progress.failures.entry(kind(&problem)).or_default().push((seed, kept));
            }
            if watch(&progress).is_break() {
                break;
            }
        }
        drop(results); // the threads end
    });
    progress
}

/// The smallest case found within `budget` that fails in the same way. `simpler` offers simpler ones, `judge` gives the
/// problem of one.
pub fn shrink<T: Clone>(
    first: (String, T),
    budget: Duration,
    simpler: impl Fn(&T) -> Vec<T>,
    judge: impl Fn(&T) -> Result<(), String>,
) -> (String, T) {
    let began = Instant::now();
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
