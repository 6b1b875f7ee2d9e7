//! What the example does: requests by HTTP/2, on one connection over a lossy link, in virtual time.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt::Write;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lexopt::{Arg, Parser, ValueExt};
use segue::host::{EndpointConfig, Keys, Listen};
use segue_tokio::{Host, Link};
use tokio::time::Instant;

pub(crate) const HELP: &str = "\
A client makes requests by HTTP/2 on one connection over a lossy link, all at once; the time is virtual. No network and no
privileges are needed.

Usage: cargo run -p segue-tokio --example tokio -- [OPTIONS]

Options:
  --requests N      how many requests, 1 to 10000 [default: 100]
  --size OCTETS     the body of each response, 0 to 1000000 [default: 20000]
  --delay MS        the time from one end to the other, 0 to 1000 [default: 20]
  --lost N          packets lost in a thousand, 0 to 200 [default: 0, 5, 10 and 20, one after the other]
  --seed N          decides which [default: 1]
  -h, --help        show this
";

/// What the user asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Options {
    pub(crate) requests: u64,
    pub(crate) size: u64,
    pub(crate) delay: u64,
    pub(crate) lost: Vec<u32>,
    pub(crate) seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { requests: 100, size: 20_000, delay: 20, lost: vec![0, 5, 10, 20], seed: 1 }
    }
}

/// The options in these arguments; `None` when help was asked for.
pub(crate) fn parse(args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Option<Options>, String> {
    let mut parser = Parser::from_args(args.into_iter().map(Into::into));
    let mut options = Options::default();
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Arg::Long("requests") => options.requests = number(&mut parser, "--requests", 1..=10_000)?,
            Arg::Long("size") => options.size = number(&mut parser, "--size", 0..=1_000_000)?,
            Arg::Long("delay") => options.delay = number(&mut parser, "--delay", 0..=1000)?,
            Arg::Long("lost") => options.lost = vec![number(&mut parser, "--lost", 0..=200)? as u32],
            Arg::Long("seed") => options.seed = number(&mut parser, "--seed", 0..=u64::MAX)?,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Long(_) | Arg::Short(_) | Arg::Value(_) => return Err(arg.unexpected().to_string()),
        }
    }
    Ok(Some(options))
}

fn number(parser: &mut Parser, option: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let wanted = format!("a number from {} to {}", range.start(), range.end());
    let value = parser.value().map_err(|_| format!("{option}: {wanted} is missing"))?;
    let text = value.string().map_err(|error| error.to_string())?;
    text.parse().ok().filter(|n| range.contains(n)).ok_or_else(|| format!("{option}: '{text}' is not {wanted}"))
}

/// The lines of the table, one for each loss, as they come.
pub(crate) fn run(options: &Options, mut show: impl FnMut(&str)) -> Result<(), String> {
    let Options { requests, size, delay, .. } = *options;
    show(&format!("{requests} requests by HTTP/2 at once, {size} octets each, {delay} ms one way\n\n"));
    show("    lost   seconds   Mbit/s\n");
    for &lost in &options.lost {
        // Without other threads and with its time paused, the runtime goes from timer to timer: a run is repeatable.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
        let link = Link { delay: Duration::from_millis(delay), lost, seed: options.seed };
        let time = runtime.block_on(all_requests(link, requests, size)).map_err(|error| error.to_string())?;
        let micros = time.as_micros().max(1);
        let (percent, rate) = (f64::from(lost) / 10.0, (u128::from(requests * size) * 8 * 10 / micros) as f64 / 10.0);
        let mut line = String::new();
        let _ = writeln!(line, "{percent:6.1} % {:9.3} {rate:8.1}", time.as_secs_f64());
        show(&line);
    }
    Ok(())
}

/// Makes the requests, and returns the time from the connection to the last response.
async fn all_requests(link: Link, requests: u64, size: u64) -> Result<Duration, Box<dyn std::error::Error>> {
    let (here, there) = link.open();
    let config = EndpointConfig::default();
    // Fixed keys, so that a seed decides everything. A program that talks to others draws them at its start.
    let client = Host::spawn(here, [198, 51, 100, 7].into(), Keys::new(*b"of the client..."), config.clone());
    let server = Host::spawn(there, [192, 0, 2, 1].into(), Keys::new(*b"of the server..."), config);
    let mut listener = server.listen(Listen::port(80))?;
    let body = Bytes::from(vec![b'x'; usize::try_from(size)?]);
    tokio::spawn(async move {
        while let Ok(stream) = listener.accept().await {
            let body = body.clone();
            let answer = service_fn(move |_: Request<Incoming>| {
                let body = body.clone();
                async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
            });
            let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(async move { http.serve_connection(TokioIo::new(stream), answer).await });
        }
    });
    let begun = Instant::now();
    let stream = client.connect("192.0.2.1:80".parse()?).await?;
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut responses = Vec::new();
    for _ in 0..requests {
        let mut sender = sender.clone();
        responses.push(tokio::spawn(async move {
            sender.ready().await?;
            let request = Request::get("http://segue.test/").body(Empty::<Bytes>::new()).expect("a valid one");
            let response = sender.send_request(request).await?;
            Ok::<_, hyper::Error>(response.into_body().collect().await?.to_bytes().len())
        }));
    }
    for response in responses {
        if response.await?? as u64 != size {
            return Err("a response is not whole".into());
        }
    }
    Ok(begun.elapsed())
}
