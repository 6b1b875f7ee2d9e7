//! Measures segue over an emulated bottleneck in virtual time: goodput, repeated text, completion of short flows,
//! fairness. `docs/simulation.md` tells how to read it.
//!
//! ```sh
//! cargo run --release --example sim -- --help
//! ```

use std::process::ExitCode;

use segue_sim::args;
use segue_sim::program::{self, Problem};

fn main() -> ExitCode {
    let done = match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => program::run(&options),
        Ok(None) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(problem) => Err(Problem::Usage(problem)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Problem::Usage(problem)) => {
            eprintln!("sim: {problem}\n\n{}", args::HELP);
            ExitCode::from(2)
        }
        Err(Problem::File(problem)) => {
            eprintln!("sim: {problem}");
            ExitCode::FAILURE
        }
    }
}
