//! The command line.

use std::ffi::OsString;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

use crate::fetch::Url;

/// What `--help` shows.
pub const HELP: &str = "\
TCP in this process, on a TUN device. The kernel is 192.0.2.1 and 2001:db8::1, this host is 192.0.2.2 and 2001:db8::2.

Usage: tun-http [OPTIONS] [serve]   an HTTP/1.1 server: try `curl http://192.0.2.2/` and `curl http://192.0.2.2/bytes/100`
       tun-http [OPTIONS] fetch URL...   the bodies of what is there, one after another, to standard output; the host of
                                    a URL is an address
       tun-http [OPTIONS] proxy     splices what connects to any address behind the device, to the same port at --to

Options:
  --device NAME     name of the TUN device [default: segue0]
  --mtu N           its MTU, 1280 to 65535 [default: 1500]
  --port N          where the server listens [default: 80]
  --to ADDR         where the proxy dials, before it answers a SYN [default: 127.0.0.1]
  --idle SECONDS    connections without a sign of life are reset after, 1 to 1000000 [default: 60]; so is a fetch
  --fast-open N     TCP Fast Open: the server answers requests on SYNs, while at most N, 0 to 65535, have no complete
                    handshake; fetch sends requests on its SYNs, from the second URL of a server on [default: 0, off]
  --no-offload      no segmentation offload (virtio-net's GSO and GRO): each segment is a packet with a checksum
  -h, --help        show this

Exit codes: 1 when the device cannot be made or fails, or when what was to be fetched did not come whole or is an error of
the server; 2 for a wrong command line. Making a network device needs root, or CAP_NET_ADMIN.
";

/// What the host does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    Serve,
    Proxy,
    /// What to fetch, one after another: one at least.
    Fetch(Vec<Url>),
}

/// What the user asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    pub command: Command,
    pub device: String,
    pub mtu: u16,
    pub port: u16,
    pub to: IpAddr,
    pub idle: Duration,
    /// Requests on SYNs that may be pending; 0: no Fast Open, neither of the server nor of the client.
    pub fast_open: u16,
    pub offload: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            command: Command::Serve,
            device: "segue0".to_owned(),
            mtu: 1500,
            port: 80,
            to: IpAddr::from([127, 0, 0, 1]),
            idle: Duration::from_secs(60),
            fast_open: 0,
            offload: true,
        }
    }
}

/// The options in these arguments; `None` when help was asked for.
///
/// # Errors
/// What is wrong with them.
pub fn parse(args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Option<Options>, String> {
    let mut parser = Parser::from_args(args.into_iter().map(Into::into));
    let (mut options, mut word) = (Options::default(), false);
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Arg::Long("device") => {
                // The kernel's limit is 15 octets.
                let valid = |name: &String| (1..=15).contains(&name.len()) && !name.contains(['/', ' ', '%']);
                options.device = value(&mut parser, "--device", "a name of 1 to 15 letters", valid)?;
            }
            Arg::Long("mtu") => {
                options.mtu = value(&mut parser, "--mtu", "a number from 1280 to 65535", |mtu| *mtu >= 1280)?;
            }
            Arg::Long("port") => {
                options.port = value(&mut parser, "--port", "a number from 1 to 65535", |port| *port > 0)?;
            }
            Arg::Long("to") => options.to = value(&mut parser, "--to", "an IP address", |_| true)?,
            Arg::Long("idle") => {
                let valid = |seconds: &u64| (1..=1_000_000).contains(seconds);
                let seconds = value(&mut parser, "--idle", "a number from 1 to 1000000", valid)?;
                options.idle = Duration::from_secs(seconds);
            }
            Arg::Long("fast-open") => {
                options.fast_open = value(&mut parser, "--fast-open", "a number from 0 to 65535", |_| true)?;
            }
            Arg::Long("no-offload") => options.offload = false,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(command) if !word && (command == "serve" || command == "proxy" || command == "fetch") => {
                word = true;
                options.command = match command.to_str() {
                    Some("proxy") => Command::Proxy,
                    Some("fetch") => Command::Fetch(vec![first_url(&mut parser)?]),
                    _ => Command::Serve,
                };
            }
            Arg::Value(text) if word => match &mut options.command {
                Command::Fetch(urls) => urls.push(url(text)?),
                Command::Serve | Command::Proxy => return Err(Arg::Value(text).unexpected().to_string()),
            },
            Arg::Long(_) | Arg::Short(_) | Arg::Value(_) => return Err(arg.unexpected().to_string()),
        }
    }
    Ok(Some(options))
}

fn first_url(parser: &mut Parser) -> Result<Url, String> {
    url(parser.value().map_err(|_| "fetch: the URL is missing, such as http://192.0.2.1:8000/path".to_owned())?)
}

fn url(text: OsString) -> Result<Url, String> {
    text.string().map_err(|error| error.to_string())?.parse().map_err(|problem| format!("fetch: {problem}"))
}

fn value<T: FromStr>(parser: &mut Parser, option: &str, wanted: &str, valid: impl Fn(&T) -> bool) -> Result<T, String> {
    let value = parser.value().map_err(|_| format!("{option}: {wanted} is missing"))?;
    let text = value.string().map_err(|error| error.to_string())?;
    text.parse().ok().filter(|n| valid(n)).ok_or_else(|| format!("{option}: '{text}' is not {wanted}"))
}
