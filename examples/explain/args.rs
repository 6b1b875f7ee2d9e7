//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

pub const HELP: &str = "\
Explains the TCP connections of a capture: the segments and states of both ends, the cause and the clause of each
transition and discard, and where segue would have answered otherwise.

Usage: cargo run -p segue-explain --example explain -- [OPTIONS] FILE

FILE is a capture of tcpdump or Wireshark, pcap or pcapng. It must show the SYN of a connection to explain it.

Compared with segue, at the end where the capture was taken: acknowledgments of what did not arrive; text and FINs without
an acknowledgment for 500 ms; answers that are due at once and do not come within 500 ms; text beyond the peer's window;
options that the peer did not offer; retransmissions and their times; the number of resets. Not compared, because RFCs
leave it to each end: when in these 500 ms an acknowledgment comes, the size of segments and windows, the congestion
window, what a SYN offers, silence that throttles challenges (RFC 5961 section 7), when the user sends and closes.

Options:
  --list            only list the connections
  --flow N          explain connection N of the list [default: the one with the most segments]
  --at END          the end at which the capture was taken, client or server [default: the one that answers faster]
  --lines N         show no more than N lines of the ladder, 0: all [default: 200]
  --svg FILE        write the ladder as a picture, too
  --journal PREFIX  write what each end was told and answered, as lines of JSON, to PREFIX.client and PREFIX.server
  -h, --help        show this
";

/// What the user asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    pub file: PathBuf,
    pub list: bool,
    pub flow: Option<usize>,
    /// 0: the client; 1: the server.
    pub at: Option<usize>,
    pub lines: usize,
    pub svg: Option<PathBuf>,
    pub journal: Option<PathBuf>,
}

/// The options in these arguments; `None` when help was asked for.
pub fn parse(args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Option<Options>, String> {
    let mut parser = Parser::from_args(args.into_iter().map(Into::into));
    let mut options =
        Options { file: PathBuf::new(), list: false, flow: None, at: None, lines: 200, svg: None, journal: None };
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Arg::Long("list") => options.list = true,
            Arg::Long("flow") => options.flow = Some(number(&mut parser, "--flow")?),
            Arg::Long("at") => {
                let end = parser.value().map_err(|_| "--at: client or server is missing".to_string())?;
                let ends = ["client", "server"];
                options.at = Some(ends.iter().position(|name| end == *name).ok_or("--at: give client or server")?);
            }
            Arg::Long("lines") => options.lines = number(&mut parser, "--lines")?,
            Arg::Long("svg") => options.svg = Some(file(&mut parser, "--svg")?),
            Arg::Long("journal") => options.journal = Some(file(&mut parser, "--journal")?),
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(file) if options.file.as_os_str().is_empty() => options.file = file.into(),
            Arg::Long(_) | Arg::Short(_) | Arg::Value(_) => return Err(arg.unexpected().to_string()),
        }
    }
    if options.file.as_os_str().is_empty() {
        return Err("name a capture file".into());
    }
    Ok(Some(options))
}

fn number(parser: &mut Parser, name: &str) -> Result<usize, String> {
    let value = parser.value().map_err(|_| format!("{name}: a whole number is missing"))?;
    value.parse().map_err(|_| format!("{name}: {value:?} is no whole number"))
}

fn file(parser: &mut Parser, name: &str) -> Result<PathBuf, String> {
    parser.value().map(Into::into).map_err(|_| format!("{name}: the name of a file is missing"))
}
