//! Two hosts talk over signed connections, in virtual time, while somebody forges segments and the keys change.
//!
//! ```sh
//! cargo run -p segue-tcp-ao --example tcp-ao -- --help
//! ```

use std::process::ExitCode;

use segue_tcp_ao::{args, demo};

fn main() -> ExitCode {
    let options = match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("tcp-ao: {problem}\n\n{}", args::HELP);
            return ExitCode::from(2);
        }
    };
    match demo::run(&options) {
        Ok(said) => {
            print!("{said}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("tcp-ao: the run failed: {problem}");
            ExitCode::FAILURE
        }
    }
}
