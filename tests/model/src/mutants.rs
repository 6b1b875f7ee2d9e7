//! Does the search find faults? One fault after the other is planted in a rule of the machine, and a law has to break.

use std::process::ExitCode;
use std::time::Instant;

use segue::planted::{Fault, plant};

use crate::ladder::ladder;
use crate::search::{Limits, search};
use crate::setting;

/// States of each configuration, round by round.
const ROUNDS: [usize; 3] = [2_000, 20_000, 100_000];

/// Plants each fault whose name contains one of the words, or all, and searches. With `ladders`, shows the runs.
pub(crate) fn run(words: &[String], fair: u64, ladders: bool) -> ExitCode {
    let began = Instant::now();
    let chosen = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let faults: Vec<_> = Fault::ALL.iter().filter(|(_, name, ..)| chosen(name)).collect();
    if faults.is_empty() {
        eprintln!("model: no planted fault is named like that");
        return ExitCode::from(2);
    }
    let mut missed = Vec::new();
    println!(
        "{:<28} {:<30} {:<20} {:>9} {:>14} {:>7}",
        "planted", "law", "configuration", "states", "steps", "seconds"
    );
    for (fault, name, clause, what) in &faults {
        let start = Instant::now();
        plant(Some(*fault));
        let (states, found) = find(fair);
        let seconds = start.elapsed().as_secs_f64();
        let Some((setting, found)) = found else {
            println!("{name:<28} MISSED in {states} states, {seconds:.1} s: {what} ({clause})");
            missed.push(*name);
            continue;
        };
        let (law, steps) = (found.violation.law, found.length());
        println!("{name:<28} {law:<30} {:<20} {states:>9} {steps:>14} {seconds:>7.1}", setting.name);
        if ladders {
            println!("\n{what} ({clause}): {}\n", found.violation.what);
            println!("{}", ladder(&setting, &found));
        }
    }
    plant(None);
    println!("{} planted, {} missed, {:.1} s", faults.len(), missed.len(), began.elapsed().as_secs_f64());
    ExitCode::from(u8::from(!missed.is_empty()))
}

/// A violation in any configuration, and the states that were looked at until then.
fn find(fair: u64) -> (usize, Option<(setting::Setting, crate::search::Found)>) {
    let mut states = 0;
    for most in ROUNDS {
        for mut setting in setting::all() {
            setting.invariants = false; // the laws have to show it from outside
            let seen = search(&setting, Limits { states: most, fair });
            states += seen.states;
            if let Some(found) = seen.found {
                return (states, Some((setting, found)));
            }
        }
    }
    (states, None)
}
