//! Runs packetdrill's scripts without a kernel.
//!
//! ```sh
//! cargo run -p segue-packetdrill -- tests/packetdrill
//! ```

use std::io::{ErrorKind, Write, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use segue_packetdrill::args::{self, Options};
use segue_packetdrill::setup::Setup;
use segue_packetdrill::stack::Stack;
use segue_packetdrill::{check, files, segue_host};

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
    run(&options)
}

fn make(name: &str) -> impl Fn(&Setup) -> Box<dyn Stack> + '_ {
    move |setup| match name {
        #[cfg(feature = "smoltcp")]
        "smoltcp" => Box::new(segue_packetdrill::smoltcp_host::Smoltcp::new(setup)),
        "endpoint" => Box::new(segue_host::OverEndpoint::new(setup)),
        _ => Box::new(segue_host::Segue::new(setup)),
    }
}

/// How many scripts held, and what could not be read.
#[derive(Default)]
struct Tally {
    all: usize,
    failed: usize,
    unreadable: usize,
    runs: u32,
}

impl Tally {
    fn unreadable(&mut self, problem: &str) {
        self.unreadable += 1;
        eprintln!("packetdrill: {problem}");
    }

    /// The code that `--help` explains.
    fn exit_code(&self) -> ExitCode {
        match self {
            Self { unreadable: 1.., .. } => ExitCode::from(2),
            Self { failed: 1.., .. } => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        }
    }
}

/// Runs all scripts, and goes on behind one that fails or cannot be read.
fn run(options: &Options) -> ExitCode {
    let (started, mut tally) = (Instant::now(), Tally::default());
    for path in &options.files {
        let found = files::scripts(path);
        found.problems.iter().for_each(|problem| tally.unreadable(problem));
        found.scripts.iter().for_each(|file| script(file, options, &mut tally));
    }
    let (Tally { all, failed, unreadable, runs }, seconds) = (&tally, started.elapsed().as_secs_f64());
    if *all == 0 {
        return tally.exit_code(); // the complaints say why
    }
    let rate = f64::from(*runs) / seconds.max(1e-9);
    let held = all - failed;
    let left_out = if *unreadable > 0 { "; others are missing, as the complaints say" } else { "" };
    show(&format!(
        "{held} of {all} scripts hold with {}; {runs} runs in {seconds:.3} s, {rate:.0} a second{left_out}\n",
        options.stack
    ));
    tally.exit_code()
}

/// Runs one script as often as the command line says, and reports.
fn script(file: &Path, options: &Options, tally: &mut Tally) {
    let text = match files::read(file) {
        Ok(text) => text,
        Err(problem) => return tally.unreadable(&problem),
    };
    tally.all += 1;
    let make = make(&options.stack);
    for _ in 0..options.repeat.max(1) {
        let setup = Setup { iss: options.iss, shift: options.shift, ..Setup::default() };
        tally.runs = tally.runs.saturating_add(1);
        match check(&text, setup, file.parent(), &make) {
            Ok(ladder) if options.ladder => show(&format!("{}\n{ladder}\n", file.display())),
            Ok(_) => {}
            Err(failure) => {
                tally.failed += 1;
                return show(&format!("{}\n", failure.report(&file.display().to_string(), &text)));
            }
        }
    }
}

/// Prints, and ends quietly where nobody reads on.
fn show(text: &str) {
    if let Err(error) = stdout().lock().write_all(text.as_bytes())
        && error.kind() == ErrorKind::BrokenPipe
    {
        std::process::exit(1);
    }
}
