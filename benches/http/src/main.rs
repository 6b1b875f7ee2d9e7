//! HTTP over TUN, measured: `examples/tun-http` beside the same server on smoltcp's sockets, 100 KB responses beside the
//! kernel's loopback, and a client during a flood of SYNs. Linux only.
//!
//! ```sh
//! cargo build --release --manifest-path benches/http/Cargo.toml && sudo benches/http/target/release/http
//! ```

mod args;
mod counts;
mod flood;
mod kernel;
mod measure;
mod servers;
mod smoltcp;

use std::io::{self, Write, stdout};
use std::process::ExitCode;

use args::{Command, Options};

fn main() -> ExitCode {
    let options = match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("http: {problem}\n\n{}", args::HELP);
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("http: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<ExitCode> {
    match &options.command {
        Command::Smoltcp => return smoltcp::serve(&options.device, options.sockets).map(|()| ExitCode::SUCCESS),
        Command::Kernel(at) => return kernel::serve(*at).map(|()| ExitCode::SUCCESS),
        Command::All | Command::Cpu | Command::Speed | Command::Flood | Command::Counts => {}
    }
    // All that follows runs in a network namespace of its own.
    if let Some(code) = servers::isolate(&options.command)? {
        return Ok(code);
    }
    match &options.command {
        Command::Cpu => measure::cpu(options)?,
        Command::Speed => measure::speed(options)?,
        Command::Flood => flood::measure(options)?,
        Command::Counts => counts::measure(options)?,
        Command::All => {
            measure::cpu(options)?;
            measure::speed(options)?;
            flood::measure(options)?;
        }
        Command::Smoltcp | Command::Kernel(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Says a line at once, also to a pipe.
fn say(what: &str) -> io::Result<()> {
    writeln!(stdout(), "{what}")?;
    stdout().flush()
}
