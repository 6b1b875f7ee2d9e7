//! Model checking of the code that ships: a search, breadth first, over two connections with their users and the channel
//! between them. `docs/model.md` tells what is explored, the laws, and the figures. `--help` tells the arguments.

mod attack;
mod fair;
mod ladder;
mod laws;
mod moves;
mod search;
mod setting;
mod world;

use std::process::ExitCode;
use std::time::Instant;

use lexopt::{Arg, ValueExt};

use search::{Limits, Seen, search};
use setting::Setting;

const HELP: &str = "\
Explores two connections and the channel between them, breadth first, and checks the laws in every state.

    cargo run --release --manifest-path tests/model/Cargo.toml [-- OPTIONS]

    --list          the configurations
    --only NAME     only this one; may be repeated
    --states N      at most so many states of each configuration (default 20000)
    --fair N        the fair schedule runs from one state in N, a power of two (default 8)
    --help          this text

A violation is printed as a ladder of the fewest steps that lead to it. Exit code 1: a law does not hold.
";

struct Options {
    list: bool,
    only: Vec<String>,
    limits: Limits,
}

fn parse() -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options { list: false, only: Vec::new(), limits: Limits { states: 20_000, fair: 8 } };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("list") => options.list = true,
            Arg::Long("only") => options.only.push(parser.value()?.string()?),
            Arg::Long("states") => options.limits.states = parser.value()?.parse()?,
            Arg::Long("fair") => options.limits.fair = parser.value()?.parse()?,
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    if !options.limits.fair.is_power_of_two() {
        return Err("--fair wants a power of two".into());
    }
    Ok(Some(options))
}

fn main() -> ExitCode {
    let options = match parse() {
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
    let settings = setting::all();
    if let Some(unknown) = options.only.iter().find(|name| settings.iter().all(|setting| setting.name != **name)) {
        eprintln!("model: no configuration is named {unknown}; --list tells the names");
        return ExitCode::from(2);
    }
    let chosen = settings
        .iter()
        .filter(|setting| options.only.is_empty() || options.only.iter().any(|name| name == setting.name));
    if options.list {
        chosen.for_each(|setting| println!("{:<20} {}", setting.name, setting.about));
        return ExitCode::SUCCESS;
    }
    std::panic::set_hook(Box::new(|_| {})); // a panic is a violation, and printed as one
    explore(chosen, options.limits)
}

/// Searches one configuration after the other.
fn explore<'s>(settings: impl Iterator<Item = &'s Setting>, limits: Limits) -> ExitCode {
    let began = Instant::now();
    let (mut states, mut transitions, mut violations) = (0, 0, 0);
    println!(
        "{:<20} {:>10} {:>12} {:>6} {:>6} {:>9} {:>9} {:>8}",
        "configuration", "states", "transitions", "depth", "faults", "ends", "schedules", "seconds"
    );
    for setting in settings {
        let start = Instant::now();
        let seen: Seen = search(setting, limits);
        let seconds = start.elapsed().as_secs_f64();
        let all = if seen.complete { "  all within the bounds" } else { "" };
        println!(
            "{:<20} {:>10} {:>12} {:>6} {:>6} {:>9} {:>9} {seconds:>8.1}{all}",
            setting.name,
            seen.states,
            seen.transitions,
            seen.depth,
            seen.faults.map_or(-1, i64::from),
            seen.ends,
            seen.schedules
        );
        states += seen.states;
        transitions += seen.transitions;
        if let Some(found) = seen.found {
            violations += 1;
            let search::Found { violation, steps } = found;
            println!(
                "\nVIOLATION of {} in {}, after {} steps: {}\n",
                violation.law,
                setting.name,
                steps.len(),
                violation.what
            );
            println!("{}", ladder::ladder(setting, &steps, &violation));
        }
    }
    println!(
        "{states} states, {transitions} transitions, {violations} violations, {:.1} s",
        began.elapsed().as_secs_f64()
    );
    ExitCode::from(u8::from(violations > 0))
}
