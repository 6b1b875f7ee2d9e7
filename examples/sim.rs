//! Measures segue over an emulated bottleneck in virtual time: goodput, repeated text, completion of short flows,
//! fairness.
//!
//! ```sh
//! cargo run --release --example sim -- --help
//! ```

use std::process::ExitCode;

#[path = "sim/mod.rs"]
mod sim;

use sim::args::{self, Options};
use sim::rows::{self, Row};
use sim::{measure, progress, table};

fn main() -> ExitCode {
    match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => match run(&options) {
            Ok(code) => code,
            Err(problem) => fail(&problem),
        },
        Ok(None) => {
            print!("{}", args::HELP);
            ExitCode::SUCCESS
        }
        Err(problem) => fail(&problem),
    }
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("sim: {problem}\n\n{}", args::HELP);
    ExitCode::from(2)
}

fn run(options: &Options) -> Result<ExitCode, String> {
    let rows = chosen(options)?;
    if options.list {
        for row in &rows {
            println!("{:<14} {}", row.name, row.label);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut sets = Vec::new();
    for &(first, last) in &options.seeds {
        let seeds = (first..=last).collect::<Vec<_>>();
        let measured = measure::measure(&rows, &seeds, |done, all, row| progress::show(done, all, row.label));
        sets.push((format!("{first} to {last}"), measured));
    }
    if options.verbose {
        show_runs(&rows, &sets);
    }
    print!("{}", table::table(&rows, &sets));
    Ok(show_violations(&rows, &sets))
}

fn chosen(options: &Options) -> Result<Vec<Row>, String> {
    let mut rows = rows::all();
    for name in &options.rows {
        if !rows.iter().any(|row| row.name == name) {
            return Err(format!("--row: there is no row '{name}'; --list shows them"));
        }
    }
    rows.retain(|row| options.rows.is_empty() || options.rows.iter().any(|name| name == row.name));
    Ok(rows)
}

fn show_runs(rows: &[Row], sets: &[(String, Vec<measure::Measured>)]) {
    for (_, measured) in sets {
        for (row, measured) in rows.iter().zip(measured) {
            for (seed, outcome) in &measured.runs {
                let values = row.figures.iter().zip(&outcome.values);
                let values = values.map(|(f, v)| format!("{} {}", f.name, table::value(f.unit, *v)));
                println!("{} seed {seed}: {}; {}", row.name, values.collect::<Vec<_>>().join(", "), outcome.notes);
            }
        }
    }
}

fn show_violations(rows: &[Row], sets: &[(String, Vec<measure::Measured>)]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for (_, measured) in sets {
        for (row, measured) in rows.iter().zip(measured) {
            for (seed, outcome) in &measured.runs {
                if let Some(first) = outcome.violations.first() {
                    code = ExitCode::FAILURE;
                    println!("{} seed {seed}: {} violations; the first: {first}", row.name, outcome.violations.len());
                }
            }
        }
    }
    code
}
