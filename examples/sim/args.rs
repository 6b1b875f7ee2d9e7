//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

pub(crate) const HELP: &str = "\
Connections over an emulated bottleneck in virtual time: what they reach, row by row.
Without options all rows run with the seeds 1 to 20. A release build is many times as fast.

Usage: cargo run --release --example sim -- [OPTIONS]

Options:
  --list            list the rows and leave
  --row NAME        only this row; may be given more than once
  --seeds A..B,...  sets of seeds, the last one included; a column for each set [default: 1..20]
  --verbose         also what each run gave
  --csv FILE        write every run's figures
  --svg PATH        plot window, flight and RTT of the first seed over time: a file (.svg, for one row) or a directory
  --trace PATH      the same as numbers: a file (.csv, for one row) or a directory
  --check           run the recorded seeds; fail when a figure is worse than recorded by more than 1 %
  --record          run the recorded seeds and write tests/data/figures.csv and docs/figures.md
  -h, --help        show this
";

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Show,
    List,
    Check,
    Record,
}

/// What the user asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    pub(crate) rows: Vec<String>,
    pub(crate) seeds: Vec<(u64, u64)>,
    pub(crate) verbose: bool,
    pub(crate) csv: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
    pub(crate) trace: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let (rows, seeds) = (Vec::new(), vec![(1, 20)]);
        Self { mode: Mode::Show, rows, seeds, verbose: false, csv: None, svg: None, trace: None }
    }
}

/// The options in these arguments; `None` when help was asked for.
pub(crate) fn parse(args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Option<Options>, String> {
    let mut parser = Parser::from_args(args.into_iter().map(Into::into));
    let mut options = Options::default();
    let mut alone = None;
    let mut others = Vec::new();
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Arg::Long("list") => options.mode = Mode::List,
            Arg::Long("check") => (options.mode, alone) = (Mode::Check, Some("--check")),
            Arg::Long("record") => (options.mode, alone) = (Mode::Record, Some("--record")),
            Arg::Long("row") => {
                options.rows.push(value(&mut parser, "--row", "the name of a row (see --list)")?);
            }
            Arg::Long("seeds") => {
                options.seeds = seeds(&value(&mut parser, "--seeds", "sets of seeds, as 1..20")?)?;
                others.push("--seeds");
            }
            Arg::Long("verbose") => {
                options.verbose = true;
                others.push("--verbose");
            }
            Arg::Long("csv") => options.csv = Some(path(&mut parser, "--csv", &mut others)?),
            Arg::Long("svg") => options.svg = Some(path(&mut parser, "--svg", &mut others)?),
            Arg::Long("trace") => options.trace = Some(path(&mut parser, "--trace", &mut others)?),
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Long(_) | Arg::Short(_) | Arg::Value(_) => return Err(arg.unexpected().to_string()),
        }
    }
    match (alone, others.first()) {
        (Some(alone), Some(other)) => Err(format!("{alone} decides by itself what runs: leave {other} away")),
        (Some("--record"), None) if !options.rows.is_empty() => {
            Err("--record writes all rows: leave --row away".into())
        }
        _ => Ok(Some(options)),
    }
}

fn path(parser: &mut Parser, option: &'static str, others: &mut Vec<&'static str>) -> Result<PathBuf, String> {
    others.push(option);
    Ok(parser.value().map_err(|_| format!("{option}: the name of a file or directory is missing"))?.into())
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
