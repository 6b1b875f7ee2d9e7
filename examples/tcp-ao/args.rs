//! The command line.

use std::ffi::OsString;

use lexopt::{Arg, Parser, ValueExt};

use super::Algorithm;

pub const HELP: &str = "\
Two hosts talk over signed connections, in virtual time, while somebody forges segments and the keys change. No network and no
privileges are needed.

Usage: cargo run -p segue-tcp-ao --example tcp-ao -- [OPTIONS]

Options:
  --algorithm NAME  hmac-sha1, aes-cmac (both TCP-AO) or md5 (TCP MD5) [default: hmac-sha1]
  --size OCTETS     how much each end sends, 0 to 10000000 [default: 200000]
  --loss PERCENT    how many of a hundred datagrams are lost, 0 to 50 [default: 2]
  --forge N         how many forged segments the server gets, 0 to 10000000 [default: 10000]
  --seed N          decides which datagrams are lost, and what is forged [default: 1]
  -h, --help        show this
";

/// What the user asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// None: TCP MD5.
    pub algorithm: Option<Algorithm>,
    pub size: u64,
    /// In datagrams of a hundred.
    pub loss: u32,
    pub forge: u32,
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { algorithm: Some(Algorithm::HmacSha1), size: 200_000, loss: 2, forge: 10_000, seed: 1 }
    }
}

/// The options in these arguments; `None` when help was asked for.
pub fn parse(args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Option<Options>, String> {
    let mut parser = Parser::from_args(args.into_iter().map(Into::into));
    let mut options = Options::default();
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Arg::Long("algorithm") => {
                let name = parser.value().map_err(|_| "--algorithm: a name is missing".to_string())?;
                options.algorithm = match name.to_str() {
                    Some("hmac-sha1") => Some(Algorithm::HmacSha1),
                    Some("aes-cmac") => Some(Algorithm::Aes128Cmac),
                    Some("md5") => None,
                    _ => return Err(format!("--algorithm: {name:?} is neither hmac-sha1, aes-cmac nor md5")),
                };
            }
            Arg::Long("size") => options.size = number(&mut parser, "--size", 10_000_000)?,
            Arg::Long("loss") => options.loss = number(&mut parser, "--loss", 50)? as u32,
            Arg::Long("forge") => options.forge = number(&mut parser, "--forge", 10_000_000)? as u32,
            Arg::Long("seed") => options.seed = number(&mut parser, "--seed", u64::MAX)?,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Long(_) | Arg::Short(_) | Arg::Value(_) => return Err(arg.unexpected().to_string()),
        }
    }
    Ok(Some(options))
}

fn number(parser: &mut Parser, option: &str, most: u64) -> Result<u64, String> {
    let wanted = format!("a whole number from 0 to {most}");
    let value = parser.value().map_err(|_| format!("{option}: {wanted} is missing"))?;
    let text = value.string().map_err(|error| error.to_string())?;
    text.parse().ok().filter(|n| *n <= most).ok_or_else(|| format!("{option}: '{text}' is not {wanted}"))
}
