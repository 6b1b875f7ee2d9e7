//! Model checking of the code that ships: a search, breadth first, over two connections with their users and the channel
//! between them. `docs/model.md` tells what is explored, the laws, and the figures. `--help` tells the arguments.

mod arguments;
mod attack;
mod end;
mod fair;
mod ladder;
mod laws;
mod moves;
#[cfg(segue_planted)]
mod mutants;
mod search;
mod setting;
mod world;

use std::process::ExitCode;
use std::time::Instant;

use arguments::{HELP, Options, Run};
use search::{Limits, search};
use setting::Setting;

fn main() -> ExitCode {
    let options = match arguments::parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("model: {problem}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    std::panic::set_hook(Box::new(|_| {})); // a panic is a violation, and printed as one
    match options.run {
        Run::Search => with_settings(&options),
        Run::Mutants => mutants(&options),
    }
}

#[cfg(segue_planted)]
fn mutants(options: &Options) -> ExitCode {
    mutants::run(&options.words, options.limits.fair, options.ladders)
}

#[cfg(not(segue_planted))]
fn mutants(_: &Options) -> ExitCode {
    eprintln!("model: this build has no planted faults; run tests/model/mutants");
    ExitCode::from(2)
}

fn with_settings(options: &Options) -> ExitCode {
    let settings = setting::all();
    let only = &options.words;
    if let Some(unknown) = only.iter().find(|name| settings.iter().all(|setting| setting.name != **name)) {
        eprintln!("model: no configuration is named {unknown}; --list tells the names");
        return ExitCode::from(2);
    }
    let chosen = settings.iter().filter(|setting| only.is_empty() || only.iter().any(|name| name == setting.name));
    if options.list {
        chosen.for_each(|setting| println!("{:<20} {}", setting.name, setting.about));
        return ExitCode::SUCCESS;
    }
    explore(chosen, options.limits)
}

/// Searches one configuration after the other.
fn explore<'s>(settings: impl Iterator<Item = &'s Setting>, limits: Limits) -> ExitCode {
    let began = Instant::now();
    let (mut states, mut transitions, mut ends, mut schedules, mut violations) = (0, 0, 0, 0, 0);
    println!(
        "{:<20} {:>9} {:>11} {:>5} {:>6} {:>8} {:>9} {:>7}",
        "configuration", "states", "transitions", "depth", "faults", "ends", "schedules", "seconds"
    );
    for setting in settings {
        let start = Instant::now();
        let seen = search(setting, limits);
        let seconds = start.elapsed().as_secs_f64();
        let faults = match seen.faults {
            _ if seen.complete => "all".into(),
            Some(faults) => faults.to_string(),
            None => "-".into(),
        };
        println!(
            "{:<20} {:>9} {:>11} {:>5} {faults:>6} {:>8} {:>9} {seconds:>7.1}",
            setting.name, seen.states, seen.transitions, seen.depth, seen.ends, seen.schedules
        );
        (states, transitions) = (states + seen.states, transitions + seen.transitions);
        (ends, schedules) = (ends + seen.ends, schedules + seen.schedules);
        if let Some(found) = seen.found {
            violations += 1;
            let (name, steps) = (setting.name, found.length());
            println!("\nVIOLATION of {} in {name}, steps: {steps}: {}\n", found.violation.law, found.violation.what);
            println!("{}", ladder::ladder(setting, &found));
        }
    }
    println!(
        "{states} states, {transitions} transitions, {ends} states of an end attacked, {schedules} fair schedules; \
         {violations} violations; {:.1} s",
        began.elapsed().as_secs_f64()
    );
    ExitCode::from(u8::from(violations > 0))
}
