//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use super::rows::Sender;

pub const HELP: &str = "\
Connections over an emulated bottleneck in virtual time: what they reach, row by row.
Without options all rows run with the seeds 1 to 20 and the default sender. A release build is many times as fast.

Usage: cargo run --release --example sim -- [OPTIONS]

Options:
  --list            list the rows and leave
  --row NAME        only this row; may be given more than once
  --sender NAME     with this sender: cubic or reno, then -paced, then -bare (no timestamps); bbr, bbr-bare,
                    prague or prague-bare; or all that are recorded with all rows;
                    may be given more than once [default: cubic; all with --check and --record]
  --seeds A..B,...  sets of seeds, the last one included; a column for each set [default: 1..20]
  --verbose         also what each run gave
  --csv FILE        write every run's figures
  --svg PATH        plot window, flight and RTT of the first seed over time: a file (.svg, for one row) or a directory
  --trace PATH      the same as numbers: a file (.csv, for one row) or a directory
  --packets PATH    a line for each packet of the first seed: a file (.txt, for one row) or a directory
  --check           with the recorded seeds; fail when a figure is worse than recorded by more than 1 %
  --part            with --check, the part that takes less than a minute
  --record          with the recorded seeds; write tests/data/figures.csv and docs/figures.md; with --row or --sender,
                    nothing else changes
  -h, --help        show this
";

/// The command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Show,
    List,
    Check,
    Record,
}

/// What the user asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    pub mode: Mode,
    pub rows: Vec<String>,
    pub senders: Vec<Sender>,
    pub part: bool,
    pub seeds: Vec<(u64, u64)>,
    pub verbose: bool,
    pub csv: Option<PathBuf>,
    pub svg: Option<PathBuf>,
    pub trace: Option<PathBuf>,
    pub packets: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let (rows, senders, seeds) = (Vec::new(), vec![Sender::default()], vec![(1, 20)]);
        Self {
            mode: Mode::Show,
            rows,
            senders,
            part: false,
            seeds,
            verbose: false,
            csv: None,
            svg: None,
            trace: None,
            packets: None,
        }
    }
}

/// The options in these arguments; `None` when help was asked for.
pub fn parse(args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Option<Options>, String> {
    let mut parser = Parser::from_args(args.into_iter().map(Into::into));
    let mut options = Options::default();
    let mut alone = None;
    let (mut others, mut senders) = (Vec::new(), Vec::new());
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Arg::Long("list") => options.mode = Mode::List,
            Arg::Long("check") => (options.mode, alone) = (Mode::Check, Some("--check")),
            Arg::Long("record") => (options.mode, alone) = (Mode::Record, Some("--record")),
            Arg::Long("row") => {
                options.rows.push(value(&mut parser, "--row", "the name of a row (see --list)")?);
            }
            Arg::Long("sender") => {
                senders.extend(sender(&value(&mut parser, "--sender", "the name of a sender, or all")?)?);
            }
            Arg::Long("part") => options.part = true,
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
            Arg::Long("packets") => options.packets = Some(path(&mut parser, "--packets", &mut others)?),
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Long(_) | Arg::Short(_) | Arg::Value(_) => return Err(arg.unexpected().to_string()),
        }
    }
    if !senders.is_empty() {
        options.senders = senders;
    } else if alone.is_some() {
        options.senders = Sender::recorded();
    }
    if options.part && options.mode != Mode::Check {
        return Err("--part is a part of --check: give both".into());
    }
    match (alone, others.first()) {
        (Some(alone), Some(other)) => Err(format!("{alone} decides by itself what runs: leave {other} away")),
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

/// The sender with this name, or all.
fn sender(text: &str) -> Result<Vec<Sender>, String> {
    if text == "all" {
        return Ok(Sender::ALL.to_vec());
    }
    let known = || Sender::named().map(Sender::name).collect::<Vec<_>>().join(", ");
    let sender = Sender::named().find(|sender| sender.name() == text);
    sender.map(|sender| vec![sender]).ok_or_else(|| format!("--sender: there is no '{text}', but {} and all", known()))
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
