//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

pub const HELP: &str = "\
Runs scripts in packetdrill's language against a TCP in virtual time. Needs no root and no network.

usage: packetdrill [OPTIONS] FILE...

A FILE may be a directory: every .pkt file below it runs.

  --stack NAME   the TCP under test: segue (the default), endpoint (segue by way of its
                 host layer), or smoltcp
  --iss NUMBER   segue's initial sequence number; without it RFC 6528 gives one
  --shift NUMBER adds this to all sequence numbers of the peer
  --repeat N     runs each script N times and tells how many ran in a second
  --ladder       shows the conversation of scripts that hold, too
  --help         this text

The exit code is 0 when all scripts hold; 1 when one does not; 2 when the command line is wrong, when
a file cannot be read, or when a directory has no script. The other scripts run nevertheless.
docs/packetdrill.md describes the language.
";

/// What the command line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    pub stack: String,
    pub iss: Option<u32>,
    pub shift: u32,
    pub repeat: u32,
    pub ladder: bool,
    pub files: Vec<PathBuf>,
}

/// The stacks that this build has.
pub const STACKS: &[&str] =
    if cfg!(feature = "smoltcp") { &["segue", "endpoint", "smoltcp"] } else { &["segue", "endpoint"] };

/// Reads the arguments; `None` where the user asks for help.
///
/// # Errors
/// The mistake, in words.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Options>, String> {
    let mut options =
        Options { stack: "segue".into(), iss: None, shift: 0, repeat: 1, ladder: false, files: Vec::new() };
    let mut parser = lexopt::Parser::from_args(arguments);
    let words = |error: lexopt::Error| error.to_string();
    while let Some(argument) = parser.next().map_err(words)? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("stack") => options.stack = parser.value().and_then(|value| value.parse()).map_err(words)?,
            Long("iss") => options.iss = Some(parser.value().and_then(|value| value.parse()).map_err(words)?),
            Long("shift") => options.shift = parser.value().and_then(|value| value.parse()).map_err(words)?,
            Long("repeat") => options.repeat = parser.value().and_then(|value| value.parse()).map_err(words)?,
            Long("ladder") => options.ladder = true,
            Value(file) => options.files.push(file.into()),
            other => return Err(other.unexpected().to_string()),
        }
    }
    if !STACKS.contains(&options.stack.as_str()) {
        return Err(format!("there is no stack {:?} in this build: name one of {}", options.stack, STACKS.join(", ")));
    }
    match options.files.is_empty() {
        true => Err("name a script or a directory, such as tests/packetdrill".into()),
        false => Ok(Some(options)),
    }
}
