//! Requests by HTTP/2 over a lossy link, in virtual time: hyper on the streams of segue-tokio.
//!
//! ```sh
//! cargo run -p segue-tokio --example tokio -- --help
//! ```

mod demo;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match demo::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", demo::HELP);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("tokio: {problem}\n\n{}", demo::HELP);
            return ExitCode::from(2);
        }
    };
    let shown = demo::run(&options, |text| {
        let _ = std::io::stdout().write_all(text.as_bytes()); // nobody may read on, as with `| head`
    });
    if let Err(failure) = shown {
        eprintln!("tokio: the run failed: {failure}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
