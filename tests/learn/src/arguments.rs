//! The command line of both programs: a command with its words, and two numbers.

use lexopt::{Arg, Parser, ValueExt as _};

pub struct Arguments {
    /// The command and what follows it; nothing where `--help` stands.
    pub words: Vec<String>,
    pub runs: u64,
    pub seed: u64,
}

impl Arguments {
    /// Reads the command line of this process.
    pub fn read(runs: u64) -> Result<Self, lexopt::Error> {
        let mut read = Self { words: Vec::new(), runs, seed: 1 };
        let mut parser = Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("runs") => read.runs = parser.value()?.parse()?,
                Arg::Long("seed") => read.seed = parser.value()?.parse()?,
                Arg::Short('h') | Arg::Long("help") => {
                    read.words.clear();
                    return Ok(read);
                }
                Arg::Value(word) => read.words.push(word.string()?),
                Arg::Long(_) | Arg::Short(_) => return Err(argument.unexpected()),
            }
        }
        Ok(read)
    }
}
