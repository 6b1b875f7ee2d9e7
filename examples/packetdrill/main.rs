//! Runs packetdrill's scripts without a kernel.
//!
//! ```sh
//! cargo run -p segue-packetdrill -- tests/packetdrill
//! ```

use std::io::{ErrorKind, Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use segue_packetdrill::args::{self, Options};
use segue_packetdrill::setup::Setup;
use segue_packetdrill::stack::Stack;
use segue_packetdrill::{check, scripts, segue_host};

fn main() -> ExitCode {
    let options = match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("packetdrill: {problem}\n\n{}", args::HELP);
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("packetdrill: {problem}");
            ExitCode::from(2)
        }
    }
}

fn make(name: &str) -> impl Fn(&Setup) -> Box<dyn Stack> + '_ {
    move |setup| match name {
        #[cfg(feature = "smoltcp")]
        "smoltcp" => Box::new(segue_packetdrill::smoltcp_host::Smoltcp::new(setup)),
        "endpoint" => Box::new(segue_host::OverEndpoint::new(setup)),
        _ => Box::new(segue_host::Segue::new(setup)),
    }
}

/// Whether all scripts hold.
fn run(options: &Options) -> Result<bool, String> {
    let mut files: Vec<PathBuf> = Vec::new();
    for file in &options.files {
        files.extend(scripts(file)?);
    }
    let make = make(&options.stack);
    let (started, mut failed, mut runs) = (Instant::now(), 0, 0_u32);
    for file in &files {
        let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let mut outcome = Ok(());
        for _ in 0..options.repeat.max(1) {
            let setup = Setup { iss: options.iss, shift: options.shift, ..Setup::default() };
            let checked = check(&text, setup, file.parent(), &make);
            runs += 1;
            if let (true, Ok(ladder)) = (options.ladder, &checked) {
                show(&format!("{}\n{ladder}\n", file.display()));
            }
            outcome = checked.map(drop).map_err(|failure| failure.report(&file.display().to_string(), &text));
            if outcome.is_err() {
                break;
            }
        }
        if let Err(report) = outcome {
            failed += 1;
            show(&format!("{report}\n"));
        }
    }
    let taken = started.elapsed();
    let rate = f64::from(runs) / taken.as_secs_f64().max(1e-9);
    let all = files.len();
    show(&format!(
        "{} of {all} scripts hold with {}; {runs} runs in {:.3} s, {rate:.0} a second\n",
        all - failed,
        options.stack,
        taken.as_secs_f64()
    ));
    Ok(failed == 0)
}

/// Prints, and ends quietly where nobody reads on.
fn show(text: &str) {
    if let Err(error) = stdout().lock().write_all(text.as_bytes())
        && error.kind() == ErrorKind::BrokenPipe
    {
        std::process::exit(1);
    }
}
