//! An HTTP server, a client or a proxy, whose TCP is segue's, on a TUN device.
//!
//! ```sh
//! cargo build --release -p segue-tun-http && sudo target/release/tun-http   # then: curl http://192.0.2.2/
//! ```

#[cfg(target_os = "linux")]
mod program {
    use std::io::{self, IsTerminal, Stdout, Write, stderr, stdout};
    use std::process::ExitCode;
    use std::sync::Arc;
    use std::time::Duration;

    use mio::{Events, Poll};
    use segue::host::{Endpoint, EndpointConfig, Keys, Listen, OpenError};
    use segue::{Clock, Config, Instant};
    use segue_tun::device::HOST;
    use segue_tun_http::args::{self, Command, Options};
    use segue_tun_http::device::Tun;
    use segue_tun_http::fetch::{Fetch, Url};
    use segue_tun_http::host::{self, App};
    use segue_tun_http::http::Server;
    use segue_tun_http::proxy::Proxy;

    /// The most octets that leave in one packet, for the kernel to cut.
    const MAX_TRANSMIT: u16 = 65_000;
    /// The most octets for all connections together.
    const MEMORY: usize = 1 << 30;
    /// How often a client says how far it is, to a terminal and to a log.
    const WATCHED: Duration = Duration::from_millis(200);
    const UNWATCHED: Duration = Duration::from_secs(10);

    struct Http(Server);

    impl App for Http {
        fn turn(&mut self, endpoint: &mut Endpoint, _: &Events, now: Instant) {
            self.0.turn(endpoint, now);
        }

        fn next_deadline(&self) -> Option<Instant> {
            self.0.next_deadline()
        }
    }

    pub(crate) fn main() -> ExitCode {
        match args::parse(std::env::args_os().skip(1)) {
            Ok(Some(options)) => match run(&options) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("tun-http: {error}");
                    ExitCode::FAILURE
                }
            },
            Ok(None) => {
                print!("{}", args::HELP);
                ExitCode::SUCCESS
            }
            Err(problem) => {
                eprintln!("tun-http: {problem}\n\n{}", args::HELP);
                ExitCode::from(2)
            }
        }
    }

    /// A client, and when it last said how far it is.
    struct Client<'a> {
        options: &'a Options,
        fetch: Fetch<Stdout>,
        /// What it fetches, and what comes after that.
        url: &'a Url,
        later: &'a [Url],
        /// How it went, when nothing comes any more.
        outcome: Option<Result<(), String>>,
        /// How often it says so, and when it does next.
        every: Duration,
        next: Instant,
    }

    impl App for Client<'_> {
        fn turn(&mut self, endpoint: &mut Endpoint, _: &Events, now: Instant) {
            self.fetch.turn(endpoint, now);
            match (self.fetch.outcome(), self.later) {
                (Some(Ok(())), [next, later @ ..]) => {
                    (self.url, self.later) = (next, later);
                    match begin(self.options, endpoint, next, now) {
                        Ok(fetch) => self.fetch = fetch,
                        Err(error) => self.outcome = Some(Err(error.to_string())),
                    }
                }
                (outcome, _) => self.outcome = outcome.cloned(),
            }
            if now >= self.next {
                self.next = now + self.every;
                let (octets, all) = self.fetch.progress();
                let all = all.map_or(String::new(), |all| format!(" of {all}"));
                // Nothing depends on this being seen. On a terminal, the next line takes the place of this.
                let (begin, end) = if stderr().is_terminal() { ("\r\x1b[K", "") } else { ("", "\n") };
                let _ = write!(stderr(), "{begin}{octets}{all} octets{end}");
            }
        }

        fn next_deadline(&self) -> Option<Instant> {
            self.fetch.next_deadline().map(|at| at.min(self.next))
        }

        fn is_over(&self) -> bool {
            self.outcome.is_some()
        }
    }

    fn begin(options: &Options, endpoint: &mut Endpoint, url: &Url, now: Instant) -> Result<Fetch<Stdout>, OpenError> {
        let [v4, v6] = HOST;
        let from = if url.to.is_ipv4() { v4 } else { v6 };
        Fetch::new(endpoint, from, url, options.idle, stdout(), options.fast_open > 0, now)
    }

    fn run(options: &Options) -> io::Result<()> {
        let tun = Tun::open(&options.device, options.mtu, options.offload)?;
        let mut key = [0; 16];
        getrandom::fill(&mut key)?;
        let connection = Config::builder().max_transmit(if options.offload { MAX_TRANSMIT } else { 0 });
        let connection = Arc::new(connection.build().map_err(io::Error::other)?);
        // The proxy is everybody.
        let addresses = if options.command == Command::Proxy { Vec::new() } else { HOST.to_vec() };
        let (mtu, memory) = (options.mtu, MEMORY);
        let config = EndpointConfig { connection, addresses, mtu, memory, ..EndpointConfig::default() };
        let (mut endpoint, poll, clock) = (Endpoint::new(Keys::new(key), config), Poll::new()?, Clock::new());
        match &options.command {
            Command::Serve => {
                let places = [Listen { fast_open: options.fast_open.into(), ..Listen::port(options.port) }];
                let server = Server::new(&mut endpoint, &places, options.idle).map_err(io::Error::other)?;
                let [v4, v6] = HOST;
                say(&format!("http://{v4}:{0}/ and http://[{v6}]:{0}/; end with Ctrl-C", options.port))?;
                host::run(tun, endpoint, poll, clock, &mut Http(server)).map_err(failed)
            }
            Command::Proxy => {
                let mut proxy = Proxy::new(&mut endpoint, poll.registry(), options.to).map_err(io::Error::other)?;
                say(&format!("{}: what connects behind it goes to {}; end with Ctrl-C", options.device, options.to))?;
                host::run(tun, endpoint, poll, clock, &mut proxy).map_err(failed)
            }
            Command::Fetch(urls) => {
                let Some((url, later)) = urls.split_first() else { return Ok(()) };
                let now = clock.now();
                let fetch = begin(options, &mut endpoint, url, now).map_err(io::Error::other)?;
                let watched = stderr().is_terminal() && !stdout().is_terminal();
                let every = if watched { WATCHED } else { UNWATCHED };
                let mut client = Client { options, fetch, url, later, outcome: None, every, next: now + every };
                host::run(tun, endpoint, poll, clock, &mut client).map_err(failed)?;
                if watched {
                    eprint!("\r\x1b[K");
                }
                match client.outcome {
                    Some(Err(problem)) => Err(io::Error::other(format!("{}: {problem}", client.url.to))),
                    _ => Ok(()),
                }
            }
        }
    }

    fn failed(error: io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("the device failed; was it set down or deleted? ({error})"))
    }

    /// Says that all is ready, at once also to a pipe.
    fn say(what: &str) -> io::Result<()> {
        writeln!(stdout(), "{what}")?;
        stdout().flush()
    }
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    program::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("tun-http: this example uses a Linux TUN device");
    std::process::ExitCode::FAILURE
}
