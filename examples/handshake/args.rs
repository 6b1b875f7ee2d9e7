//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

pub const HELP: &str = "\
A client and a server exchange text over a lossy link, in virtual time. No network and no privileges are needed.

Usage: cargo run --example handshake -- [OPTIONS]

Options:
  --seed N          decides which segments are lost, and the initial sequence numbers [default: 10]
  --loss PERCENT    how many of a hundred segments are lost, 0 to 50 [default: 5]
  --size OCTETS     how much the client sends, 0 to 10000000 [default: 12000]
  --pcap FILE       write what the client's interface sees, for tcpdump or Wireshark
  -h, --help        show this
";

/// What the user asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    pub seed: u64,
    /// In segments of a thousand.
    pub loss: u32,
    pub size: u64,
    pub pcap: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 10, loss: 50, size: 12_000, pcap: None }
    }
}

/// The options in these arguments; `None` when help was asked for.
pub fn parse(args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Option<Options>, String> {
    let mut parser = Parser::from_args(args.into_iter().map(Into::into));
    let mut options = Options::default();
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Arg::Long("seed") => options.seed = number(&mut parser, "--seed", "a whole number", |_| true)?,
            Arg::Long("loss") => {
                let percent: f64 =
                    number(&mut parser, "--loss", "a number from 0 to 50", |p| (0.0..=50.0).contains(p))?;
                options.loss = (percent * 10.0).round() as u32;
            }
            Arg::Long("size") => {
                let range = 0..=10_000_000;
                options.size = number(&mut parser, "--size", "a number from 0 to 10000000", |n| range.contains(n))?;
            }
            Arg::Long("pcap") => {
                let file = parser.value().map_err(|_| "--pcap: the name of a file is missing".to_string())?;
                options.pcap = Some(file.into());
            }
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
