//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

pub(crate) const HELP: &str = "\
HTTP over TUN, measured in a network namespace of its own. Needs root, /dev/net/tun, `ip`, `unshare` and `wrk`.

Usage: http [OPTIONS] [COMMAND]

Commands:
  all      cpu, speed and flood, one after the other [default]
  cpu      CPU time of a request: segue beside smoltcp, a connection per request and keep-alive
  speed    100 KB responses with GSO and GRO beside the kernel's loopback
  flood    a client's fetches without and with 3000 spoofed SYNs a second
  counts   instructions of a request under callgrind (needs `valgrind` and `ab`)
  smoltcp  the server on smoltcp's sockets, for the others
  kernel ADDRESS:PORT   the server on the kernel's sockets, for the others

Options:
  --rounds N        rounds of each row, interleaved [default: 5]
  --seconds N       of load in a round [default: 3]
  --clients N,...   parallel clients; a row for each [default: 10,100]
  --sockets N       smoltcp: sockets [default: 32]
  --device NAME     smoltcp: name of the TUN device [default: segue0]
  -h, --help        show this

Exit codes: 1 when something is missing or fails, 2 for a wrong command line.
";

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    All,
    Cpu,
    Speed,
    Flood,
    Counts,
    Smoltcp,
    Kernel(SocketAddr),
}

pub(crate) struct Options {
    pub(crate) command: Command,
    pub(crate) rounds: usize,
    pub(crate) load: Duration,
    pub(crate) clients: Vec<usize>,
    pub(crate) sockets: usize,
    pub(crate) device: String,
}

pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Option<Options>, String> {
    let mut parser = Parser::from_args(args);
    let mut options = Options {
        command: Command::All,
        rounds: 5,
        load: Duration::from_secs(3),
        clients: vec![10, 100],
        sockets: 32,
        device: "segue0".to_owned(),
    };
    let mut named = false;
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Arg::Long("rounds") => options.rounds = number(&mut parser, "--rounds")?,
            Arg::Long("seconds") => {
                options.load = Duration::from_secs(number(&mut parser, "--seconds")?.try_into().unwrap_or(u64::MAX));
            }
            Arg::Long("sockets") => options.sockets = number(&mut parser, "--sockets")?,
            Arg::Long("clients") => {
                let text = text(&mut parser, "--clients")?;
                let clients = text.split(',').map(|n| positive(n, "--clients")).collect::<Result<_, _>>()?;
                options.clients = clients;
            }
            Arg::Long("device") => options.device = text(&mut parser, "--device")?,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(word) if !named => {
                named = true;
                options.command = match word.to_str() {
                    Some("all") => Command::All,
                    Some("cpu") => Command::Cpu,
                    Some("speed") => Command::Speed,
                    Some("flood") => Command::Flood,
                    Some("counts") => Command::Counts,
                    Some("smoltcp") => Command::Smoltcp,
                    Some("kernel") => {
                        let at = text(&mut parser, "kernel")?;
                        Command::Kernel(at.parse().map_err(|_| format!("'{at}' is no address with a port"))?)
                    }
                    _ => return Err(format!("there is no command {word:?}")),
                };
            }
            Arg::Long(_) | Arg::Short(_) | Arg::Value(_) => return Err(arg.unexpected().to_string()),
        }
    }
    Ok(Some(options))
}

fn text(parser: &mut Parser, option: &str) -> Result<String, String> {
    parser.value().and_then(|value| value.string()).map_err(|error| format!("{option}: {error}"))
}

fn number(parser: &mut Parser, option: &str) -> Result<usize, String> {
    positive(&text(parser, option)?, option)
}

fn positive(text: &str, option: &str) -> Result<usize, String> {
    usize::from_str(text).ok().filter(|n| *n > 0).ok_or_else(|| format!("{option}: '{text}' is no positive number"))
}
