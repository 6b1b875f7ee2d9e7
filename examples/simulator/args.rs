//! The command line.

use std::ffi::OsString;

use lexopt::{Arg, Parser, ValueExt};

pub const HELP: &str = "\
Connections between 8 clients and 2 servers in virtual time, over paths that delay, lose and reorder packets: short
requests, long transfers in both directions, users that give up, ports where nobody listens. Prints what became of them and
a hash of all packets, losses and signals: the same seed gives the same hash, on every platform.

Usage: cargo run --release --example simulator -- [OPTIONS]

Options:
  --connections N   how many, 1 to 1000000 [default: 2000]
  --seed N          decides everything [default: 1]
  -h, --help        show this
";

/// What the user asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    pub connections: u32,
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 2000, seed: 1 }
    }
}

/// The options in these arguments; `None` when help was asked for.
pub fn parse(args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Option<Options>, String> {
    let mut parser = Parser::from_args(args.into_iter().map(Into::into));
    let mut options = Options::default();
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Arg::Long("connections") => {
                let valid = |n: &u32| (1..=1_000_000).contains(n);
                options.connections = number(&mut parser, "--connections", "a number from 1 to 1000000", valid)?;
            }
            Arg::Long("seed") => options.seed = number(&mut parser, "--seed", "a whole number", |_| true)?,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Long(_) | Arg::Short(_) | Arg::Value(_) => return Err(arg.unexpected().to_string()),
        }
    }
    Ok(Some(options))
}

fn number<T: std::str::FromStr>(
    parser: &mut Parser,
    option: &str,
    wanted: &str,
    valid: impl Fn(&T) -> bool,
) -> Result<T, String> {
    let value = parser.value().map_err(|_| format!("{option}: {wanted} is missing"))?;
    let text = value.string().map_err(|error| error.to_string())?;
    text.parse().ok().filter(|n| valid(n)).ok_or_else(|| format!("{option}: '{text}' is not {wanted}"))
}
