//! The command line.

use lexopt::{Arg, ValueExt};

use crate::search::Limits;

pub(crate) const HELP: &str = "\
Explores two connections and the channel between them, breadth first, and checks the laws in every state.

    cargo run --release --manifest-path tests/model/Cargo.toml [-- OPTIONS]
    tests/model/mutants [--ladders] [WORD...]

    --list          the configurations
    --only NAME     only this one; may be repeated
    --states N      at most N states of each configuration (default 20000)
    --fair N        the fair schedule runs from one state in N, a power of two (default 8)
    --ladders       of mutants: the run that shows each fault
    --help          this text

A violation is printed as a ladder, by a run with few of the steps that have a bound; it need not be the shortest.
Exit code 1: a law does not hold, or a planted fault was not found; 2: the command line makes no sense.
";

pub(crate) enum Run {
    Search,
    Mutants,
}

pub(crate) struct Options {
    pub(crate) run: Run,
    pub(crate) list: bool,
    pub(crate) ladders: bool,
    /// Names of configurations, or words in those of planted faults.
    pub(crate) words: Vec<String>,
    pub(crate) limits: Limits,
}

/// The options; none where help is asked for.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    let limits = Limits { states: 20_000, fair: 8 };
    let mut options = Options { run: Run::Search, list: false, ladders: false, words: Vec::new(), limits };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("list") => options.list = true,
            Arg::Long("ladders") => options.ladders = true,
            Arg::Long("only") => options.words.push(parser.value()?.string()?),
            Arg::Long("states") => options.limits.states = parser.value()?.parse()?,
            Arg::Long("fair") => options.limits.fair = parser.value()?.parse()?,
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Value(word) if word == "mutants" => options.run = Run::Mutants,
            Arg::Value(word) if matches!(options.run, Run::Mutants) => options.words.push(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    if options.limits.states == 0 {
        return Err("--states wants at least one state".into());
    }
    if !options.limits.fair.is_power_of_two() {
        return Err("--fair wants a power of two".into());
    }
    Ok(Some(options))
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn limits(line: &[&str]) -> Result<Option<(usize, u64)>, String> {
        let options = parse(lexopt::Parser::from_args(line)).map_err(|error| error.to_string())?;
        Ok(options.map(|options| (options.limits.states, options.limits.fair)))
    }

    #[test]
    fn a_search_of_nothing_is_refused() {
        assert_eq!(limits(&["--states", "1", "--fair", "4"]), Ok(Some((1, 4))));
        assert_eq!(limits(&["--help"]), Ok(None));
        for (line, word) in [(["--states", "0"], "--states"), (["--fair", "0"], "--fair"), (["--fair", "3"], "--fair")]
        {
            let error = limits(&line).expect_err("a mistake");
            assert!(error.contains(word), "{error}");
        }
    }
}
