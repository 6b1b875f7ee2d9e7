//! Many connections in virtual time, and a hash of all that happens: the same for the same seed, on every platform.
//!
//! ```sh
//! cargo run --release --example simulator -- --help
//! ```

use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;

use segue_simulator::args::{self, Options};
use segue_simulator::world::{self, Summary};

fn main() -> ExitCode {
    match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => {
            let summary = world::run(&options, progress(options.connections));
            show(&options, &summary);
            ExitCode::SUCCESS
        }
        Ok(None) => {
            print!("{}", args::HELP);
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("simulator: {problem}\n\n{}", args::HELP);
            ExitCode::from(2)
        }
    }
}

/// Tells on standard error how far it is: in one line when somebody watches, else in a line for each tenth.
fn progress(all: u32) -> impl FnMut(u32) {
    let mut done = 0;
    move |over| {
        let tenth = |done: u32| u64::from(done) * 10 / u64::from(all);
        let before = tenth(done);
        done += over;
        let mut out = stderr().lock();
        // Nothing depends on these being seen.
        let _ = if out.is_terminal() {
            let end = if done == all { "\n" } else { "" };
            write!(out, "\r\x1b[K{done} of {all} connections are over{end}")
        } else if tenth(done) > before {
            writeln!(out, "{done} of {all} connections are over")
        } else {
            Ok(())
        };
    }
}

fn show(options: &Options, summary: &Summary) {
    let Summary { ends, served, octets, packets, lost, until, hash } = summary;
    println!("seed {}: {} connections, of which {served} were served", options.seed, options.connections);
    for (end, number) in ends {
        println!("{number:>9}  {end}");
    }
    println!("{octets:>9}  octets received");
    println!("{packets:>9}  packets, {lost} of them lost");
    println!("{:>9}  s of virtual time, until the last timer was over", until.as_micros() / 1_000_000);
    println!("hash of the trace: {hash:016x}");
}
