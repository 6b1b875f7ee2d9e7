//! The command line.

use std::ffi::OsString;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use lexopt::{Arg, Parser, ValueExt};

use crate::Kind;

pub const HELP: &str = "\
Swarm testing: each seed decides a world of hosts, users, a network and faults, and every world must keep the laws
(docs/swarm.md). What fails is written as a capsule, shrunk.

Usage: cargo run --release -p segue-swarm -- [OPTIONS]
       cargo run --profile swarm -p segue-swarm -- [OPTIONS]     with the assertions of the machine

Options:
  --from N          the first seed [default: 1]
  --runs N          how many seeds [default: 10000]
  --kind K          only worlds of this kind: pair, endpoints, smoltcp
  --jobs N          threads [default: 2]
  --seconds N       stop after this time
  --capsules DIR    where the capsules of failures go [default: swarm-capsules]
  --shrink SECONDS  time for shrinking one failure [default: 10]
  --seed N          run one seed again, and print its last steps
  --replay CAPSULE  run the shrunk world of a capsule again, and print its last steps
  --whole           with --replay: the world as the seed drew it
  -h, --help        show this

Exit codes: 0 all laws were kept; 1 a law was broken; 2 the command line or a capsule makes no sense, or no world was
played.
";

/// What to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Task {
    Campaign,
    Seed(u64),
    Replay(PathBuf),
}

/// What the user asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    pub task: Task,
    pub from: u64,
    pub runs: u64,
    pub kind: Option<Kind>,
    pub jobs: usize,
    pub seconds: Option<u64>,
    pub capsules: PathBuf,
    pub shrink: u64,
    pub whole: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            task: Task::Campaign,
            from: 1,
            runs: 10_000,
            kind: None,
            jobs: 2,
            seconds: None,
            capsules: "swarm-capsules".into(),
            shrink: 10,
            whole: false,
        }
    }
}

impl Options {
    /// The seeds of a campaign.
    pub const fn seeds(&self) -> Range<u64> {
        self.from..self.from.saturating_add(self.runs)
    }

    /// Whether a campaign plays the world of this seed.
    pub fn wants(&self, seed: u64) -> bool {
        self.kind.is_none_or(|kind| Kind::of(seed) == kind)
    }

    /// There are seeds, and one of them has a world to play.
    fn check(&self) -> Result<(), String> {
        let Self { from, runs, .. } = *self;
        if runs == 0 {
            return Err("--runs: of 0 seeds none is played".into());
        }
        if self.task != Task::Campaign {
            return Ok(());
        }
        if from.checked_add(runs).is_none() {
            return Err(format!("--from {from}, --runs {runs}: the greatest seed is {}", u64::MAX - 1));
        }
        if let Some(kind) = self.kind.filter(|_| !self.seeds().any(|seed| self.wants(seed))) {
            let last = self.seeds().end - 1;
            return Err(format!("--kind: no world of the kind {kind} is among the seeds {from} to {last}"));
        }
        Ok(())
    }
}

/// The options in these arguments; `None` when help was asked for.
pub fn parse(args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Option<Options>, String> {
    let mut parser = Parser::from_args(args.into_iter().map(Into::into));
    let mut options = Options::default();
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Arg::Long("from") => options.from = number(&mut parser, "--from")?,
            Arg::Long("runs") => options.runs = number(&mut parser, "--runs")?,
            Arg::Long("jobs") => options.jobs = number::<usize>(&mut parser, "--jobs")?.max(1),
            Arg::Long("seconds") => options.seconds = Some(number(&mut parser, "--seconds")?),
            Arg::Long("shrink") => options.shrink = number(&mut parser, "--shrink")?,
            Arg::Long("seed") => options.task = Task::Seed(number(&mut parser, "--seed")?),
            Arg::Long("kind") => options.kind = Some(kind(&text(&mut parser, "--kind")?)?),
            Arg::Long("capsules") => options.capsules = text(&mut parser, "--capsules")?.into(),
            Arg::Long("replay") => options.task = Task::Replay(text(&mut parser, "--replay")?.into()),
            Arg::Long("whole") => options.whole = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Long(_) | Arg::Short(_) | Arg::Value(_) => return Err(arg.unexpected().to_string()),
        }
    }
    options.check()?;
    Ok(Some(options))
}

fn kind(text: &str) -> Result<Kind, String> {
    let found = Kind::ALL.into_iter().find(|kind| kind.name() == text);
    found.ok_or_else(|| format!("--kind: '{text}' is none of pair, endpoints, smoltcp"))
}

fn text(parser: &mut Parser, option: &str) -> Result<String, String> {
    let value = parser.value().map_err(|_| format!("{option}: a value is missing"))?;
    value.string().map_err(|error| error.to_string())
}

fn number<T: FromStr>(parser: &mut Parser, option: &str) -> Result<T, String> {
    let text = text(parser, option)?;
    text.parse().map_err(|_| format!("{option}: '{text}' is not a whole number from 0 on"))
}
