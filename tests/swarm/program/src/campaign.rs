//! Many worlds, one after the other on each thread, with progress; and one again.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use segue_kit::swarm::search::{self, Progress};

use crate::args::Options;
use crate::{Capsule, Counts, Kind, World};

/// Failures of one kind that are shrunk and written; of the others only seeds are told.
const SHRUNK: usize = 2;
/// The time between two lines of progress.
const TELLS: Duration = Duration::from_secs(3);

/// Lines of a capsule's ladder.
const LADDER: usize = 150;

/// Runs the seeds that the options name; whether all laws were kept. An error: no world was played.
pub fn run(options: &Options) -> Result<bool, String> {
    let began = Instant::now();
    let counts: Mutex<BTreeMap<Kind, (u64, Counts)>> = Mutex::default();
    let case = |seed: u64| {
        if !options.wants(seed) {
            return Ok(());
        }
        let world = World::draw(seed);
        let result = world.play();
        let mut all = counts.lock().expect("nobody panics here");
        let (worlds, sum) = all.entry(Kind::of(seed)).or_default();
        *worlds += 1;
        match result {
            Ok(counts) => {
                sum.add_all(&counts);
                Ok(())
            }
            Err(problem) => {
                eprintln!("seed {seed} ({}): {problem}", Kind::of(seed));
                Err((format!("{}: {problem}", Kind::of(seed)), problem))
            }
        }
    };
    let mut told = Instant::now();
    let most = options.seconds.map_or(Duration::MAX, Duration::from_secs);
    let progress = search::seeds(options.seeds(), options.jobs, case, |progress| {
        if told.elapsed() >= TELLS {
            told = Instant::now();
            eprintln!("{}", line(progress, options.runs, began.elapsed()));
        }
        if began.elapsed() > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let counts = counts.into_inner().expect("nobody panics here");
    if counts.is_empty() {
        let kind = options.kind.map_or_else(String::new, |kind| format!(" of the kind {kind}"));
        return Err(format!("no world{kind} was played: {} of {} seeds were looked at", progress.done, options.runs));
    }
    tell(options, &progress, &counts, began.elapsed());
    write_capsules(options, &progress);
    Ok(progress.failures.is_empty())
}

/// `12345 of 20000 seeds, 310/s, ETA 25 s, 2 failed (pair: stuck … ×2)`.
fn line(progress: &Progress<String>, runs: u64, elapsed: Duration) -> String {
    let done = progress.done;
    let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
    let left = (runs - done.min(runs)) as f64 / rate.max(0.001);
    let failed: usize = progress.failures.values().map(Vec::len).sum();
    let kinds: Vec<String> =
        progress.failures.iter().map(|(kind, seeds)| format!("{kind} × {}", seeds.len())).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join("; ")) };
    format!("{done} of {runs} seeds, {rate:.0}/s, ETA {left:.0} s, {failed} failed{kinds}")
}

fn tell(options: &Options, progress: &Progress<String>, counts: &BTreeMap<Kind, (u64, Counts)>, elapsed: Duration) {
    let first = options.from;
    let last = first.saturating_add(progress.done.saturating_sub(1));
    println!("seeds {first} to {last} in {:.1} s", elapsed.as_secs_f64());
    for (kind, (worlds, counts)) in counts {
        println!("{kind}: {worlds} worlds");
        counts.0.iter().for_each(|(what, times)| println!("  {times:12} {what}"));
    }
    for (kind, seeds) in &progress.failures {
        let numbers: Vec<u64> = seeds.iter().map(|(seed, _)| *seed).take(12).collect();
        println!("FAILED {} × {kind}: seeds {numbers:?}", seeds.len());
    }
    if progress.failures.is_empty() {
        println!("All laws were kept.");
    }
}

fn write_capsules(options: &Options, progress: &Progress<String>) {
    for (seed, problem) in progress.failures.values().flat_map(|seeds| seeds.iter().take(SHRUNK)) {
        let capsule = capsule(*seed, problem, Duration::from_secs(options.shrink));
        match capsule.write(&options.capsules) {
            Ok(path) => println!(
                "{}: {}\n  next: cargo run --release -p segue-swarm -- --replay {}\n  mend the cause, and add a test of \
                 its class",
                path.display(),
                capsule.shrunk_reason,
                path.display()
            ),
            Err(error) => println!(
                "{}: {error}; give another directory with --capsules, or run it again: --seed {seed}",
                options.capsules.display()
            ),
        }
    }
}

/// The capsule of a seed that failed.
pub fn capsule(seed: u64, problem: &str, budget: Duration) -> Capsule {
    let plan = World::draw(seed);
    let (shrunk_reason, shrunk) = plan.shrink(problem.to_string(), budget);
    let ladder = shrunk.ladder();
    let lines: Vec<String> = ladder.lines().map(ToString::to_string).collect();
    let ladder = lines[lines.len().saturating_sub(LADDER)..].to_vec();
    let (version, kind, reason) = (Capsule::VERSION, Kind::of(seed), problem.to_string());
    Capsule { version, seed, kind, reason, plan, shrunk, shrunk_reason, ladder }
}

/// Runs one seed again and prints its last steps; whether it kept the laws.
pub fn seed(options: &Options, seed: u64) -> bool {
    let world = World::draw(seed);
    println!("seed {seed}, {}", Kind::of(seed));
    let result = world.play();
    println!("{}", world.ladder());
    verdict(&result.map(drop), || {
        let problem = world.play().err().unwrap_or_default();
        let capsule = capsule(seed, &problem, Duration::from_secs(options.shrink));
        match capsule.write(&options.capsules) {
            Ok(path) => format!("its smallest world: --replay {}", path.display()),
            Err(error) => format!("{}: {error}", options.capsules.display()),
        }
    })
}

/// Runs a capsule again and prints its last steps; whether it kept the laws.
pub fn replay(path: &Path, whole: bool) -> Result<bool, String> {
    let capsule = Capsule::read(path)?;
    if !capsule.is_current() {
        let seed = capsule.seed;
        println!(
            "An older program wrote this capsule: its seed draws another world now. The recorded world is played; \
             --seed {seed} plays the one of today."
        );
    }
    let world = if whole { &capsule.plan } else { &capsule.shrunk };
    println!("seed {}, {}: {}", capsule.seed, capsule.kind, capsule.reason);
    let result = world.play();
    println!("{}", world.ladder());
    Ok(verdict(&result.map(drop), || "mend the cause, and add a test of its class".into()))
}

fn verdict(result: &Result<(), String>, next: impl FnOnce() -> String) -> bool {
    match result {
        Ok(()) => println!("All laws were kept."),
        Err(problem) => println!("FAILED: {problem}\nnext: {}", next()),
    }
    result.is_ok()
}
