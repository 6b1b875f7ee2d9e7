//! A client and a server exchange text over a lossy link, in virtual time, and this prints the ladder diagram: handshake,
//! text, loss and repair, four-way close.
//!
//! ```sh
//! cargo run --example handshake -- --help
//! ```

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use segue_handshake::{args, capture, demo};

fn main() -> ExitCode {
    let options = match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("handshake: {problem}\n\n{}", args::HELP);
            return ExitCode::from(2);
        }
    };
    let outcome = demo::run(&options);
    let shown = std::io::stdout().write_all(demo::show(&outcome, &options).as_bytes());
    if let Some(failure) = &outcome.failure {
        eprintln!("handshake: the run failed: {failure}");
        return ExitCode::FAILURE;
    }
    if shown.is_err() {
        return ExitCode::SUCCESS; // nobody reads on, as with `| head`
    }
    if let Some(file) = &options.pcap {
        let written = File::create(file).and_then(|f| capture::write(&outcome, BufWriter::new(f)));
        if let Err(error) = written {
            eprintln!("handshake: cannot write {}: {error}", file.display());
            return ExitCode::FAILURE;
        }
        println!("capture  {}", file.display());
    }
    ExitCode::SUCCESS
}
