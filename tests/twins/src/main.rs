//! Random runs of two connections, each with shortcuts and without, in a release build: after each event, results,
//! actions and values are equal. `--help` tells the arguments.

mod controllers;
mod difference;
mod draw;
mod forged;
mod same;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use controllers::{Bbr, Cubic, Kind, Prague, Reno, Wild};
use segue_kit::Rng;
use world::{Stats, World};

const HELP: &str = "\
Runs pairs of connections, each with shortcuts and without, and compares the two after each event.

    cargo run --release --manifest-path tests/twins/Cargo.toml [-- SEED [RUNS]]
    cargo run --release --manifest-path tests/twins/Cargo.toml -- show SEED

    SEED    of the first run; the others follow (default 1)
    RUNS    how many (default 2000)
    show    one run, with its settings and each event
";

const RUNS: u64 = 2000;

/// It stops after this many failed runs.
const ENOUGH: u32 = 10;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (show, numbers) = match arguments.split_first() {
        Some((first, rest)) if first == "show" => (true, rest),
        _ => (false, &arguments[..]),
    };
    let numbers: Result<Vec<u64>, _> = numbers.iter().map(|number| number.parse()).collect();
    match (show, numbers.as_deref()) {
        (true, Ok(&[seed])) => {
            run(seed, &mut Stats::default(), true);
            ExitCode::SUCCESS
        }
        (false, Ok(&[])) => runs(1, RUNS),
        (false, Ok(&[seed])) => runs(seed, RUNS),
        (false, Ok(&[seed, count])) => runs(seed, count),
        _ => {
            print!("{HELP}");
            ExitCode::from(2)
        }
    }
}

fn runs(first: u64, count: u64) -> ExitCode {
    let (mut stats, mut failed) = (Stats::default(), 0);
    std::panic::set_hook(Box::new(|_| {})); // the message comes with the seed
    for seed in (first..).take(count.try_into().unwrap_or(usize::MAX)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed, &mut stats, false))) {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            println!("seed {seed}: {}\n", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic"));
            failed += 1;
        }
        if failed == ENOUGH {
            break;
        }
    }
    let Stats { events, segments, predicted } = stats;
    println!("{events} events; {segments} segments, {predicted} of them as predicted; {failed} runs failed");
    // Where no segment takes a shortcut, nothing is compared.
    ExitCode::from(u8::from(failed > 0 || predicted < segments / 10))
}

fn run(seed: u64, stats: &mut Stats, log: bool) {
    let mut rng = Rng::new(!seed);
    let turns = rng.pick(&[50, 200, 1000, 3000]);
    match rng.below(8) {
        0 => turns_of::<Reno>(seed, turns, stats, log),
        1 => turns_of::<Wild<true>>(seed, turns, stats, log),
        2 => turns_of::<Wild<false>>(seed, turns, stats, log),
        3 => turns_of::<Bbr>(seed, turns, stats, log),
        4 => turns_of::<Prague>(seed, turns, stats, log),
        _ => turns_of::<Cubic>(seed, turns, stats, log),
    }
}

fn turns_of<K: Kind>(seed: u64, turns: u32, stats: &mut Stats, log: bool) {
    let mut world = World::<K>::new(seed, stats, log);
    for _ in 0..turns {
        if world.is_over() {
            return;
        }
        world.turn();
    }
}
