//! The program of swarm testing; `--help` tells its options.

use std::process::ExitCode;

use segue_swarm::args::{self, HELP, Task};
use segue_swarm::campaign;

fn main() -> ExitCode {
    let options = match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}\n`--help` tells the options.");
            return ExitCode::from(2);
        }
    };
    let kept = match &options.task {
        Task::Campaign => campaign::run(&options),
        Task::Seed(seed) => Ok(campaign::seed(&options, *seed)),
        Task::Replay(path) => campaign::replay(path, options.whole),
    };
    match kept {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
