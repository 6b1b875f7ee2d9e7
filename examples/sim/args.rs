//! The command line.

use std::ffi::OsString;

use lexopt::{Arg, Parser, ValueExt};

pub(crate) const HELP: &str = "\
Connections over an emulated bottleneck in virtual time: what they reach, row by row.
Without options all rows run with the seeds 1 to 20. Use a release build: it is some thirty times as fast.

Usage: cargo run --release --example sim -- [OPTIONS]

Options:
  --list            list the rows and leave
  --row NAME        only this row; may be given more than once
  --seeds A..B,...  sets of seeds, the last one included; a column for each set [default: 1..20]
  --verbose         also what each run gave
  -h, --help        show this
";

/// What the user asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Options {
    pub(crate) list: bool,
    pub(crate) rows: Vec<String>,
    pub(crate) seeds: Vec<(u64, u64)>,
    pub(crate) verbose: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { list: false, rows: Vec::new(), seeds: vec![(1, 20)], verbose: false }
    }
}

/// The options in these arguments; `None` when help was asked for.
pub(crate) fn parse(args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Option<Options>, String> {
    let mut parser = Parser::from_args(args.into_iter().map(Into::into));
    let mut options = Options::default();
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Arg::Long("list") => options.list = true,
            Arg::Long("verbose") => options.verbose = true,
            Arg::Long("row") => options.rows.push(value(&mut parser, "--row", "the name of a row (see --list)")?),
            Arg::Long("seeds") => options.seeds = seeds(&value(&mut parser, "--seeds", "sets of seeds, as 1..20")?)?,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Long(_) | Arg::Short(_) | Arg::Value(_) => return Err(arg.unexpected().to_string()),
        }
    }
    Ok(Some(options))
}

fn value(parser: &mut Parser, option: &str, wanted: &str) -> Result<String, String> {
    let value = parser.value().map_err(|_| format!("{option}: {wanted} is missing"))?;
    value.string().map_err(|error| error.to_string())
}

/// `1..20,1001..1020`, or single seeds.
fn seeds(text: &str) -> Result<Vec<(u64, u64)>, String> {
    let set = |part: &str| {
        let (first, last) = part.split_once("..").unwrap_or((part, part));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last && last - first < 10_000).then_some((first, last))
    };
    text.split(',')
        .map(|part| set(part).ok_or_else(|| format!("--seeds: '{part}' is not a set such as 1..20")))
        .collect()
}
