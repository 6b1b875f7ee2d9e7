//! An HTTP server, or a proxy, whose TCP is segue's, on a TUN device.
//!
//! ```sh
//! cargo build --release -p segue-tun-http && sudo target/release/tun-http   # then: curl http://192.0.2.2/
//! ```

#[cfg(target_os = "linux")]
mod program {
    use std::io::{self, Write, stdout};
    use std::process::ExitCode;
    use std::sync::Arc;

    use mio::{Events, Poll};
    use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    use segue::{Config, Instant};
    use segue_tun::device::HOST;
    use segue_tun_http::args::{self, Options};
    use segue_tun_http::device::Tun;
    use segue_tun_http::host::{self, App};
    use segue_tun_http::http::Server;
    use segue_tun_http::proxy::Proxy;

    /// The most octets that leave in one packet, for the kernel to cut.
    const MAX_TRANSMIT: u16 = 65_000;
    /// The most octets for all connections together.
    const MEMORY: usize = 1 << 30;

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

    fn run(options: &Options) -> io::Result<()> {
        let tun = Tun::open(&options.device, options.mtu, options.offload)?;
        let mut key = [0; 16];
        getrandom::fill(&mut key)?;
        let connection = Config::builder().max_transmit(if options.offload { MAX_TRANSMIT } else { 0 }).build();
        let connection = Arc::new(connection.map_err(io::Error::other)?);
        let addresses = if options.proxy { Vec::new() } else { HOST.to_vec() }; // the proxy is everybody
        let (mtu, memory) = (options.mtu, MEMORY);
        let config = EndpointConfig { connection, addresses, mtu, memory, ..EndpointConfig::default() };
        let (mut endpoint, poll) = (Endpoint::new(Keys::new(key), config), Poll::new()?);
        if options.proxy {
            let mut proxy = Proxy::new(&mut endpoint, poll.registry(), options.to).map_err(io::Error::other)?;
            say(&format!("{}: what connects behind it goes to {}; end with Ctrl-C", options.device, options.to))?;
            return host::run(tun, endpoint, poll, &mut proxy).map_err(failed);
        }
        let places = [Listen::port(options.port)];
        let server = Server::new(&mut endpoint, &places, options.idle).map_err(io::Error::other)?;
        let [v4, v6] = HOST;
        say(&format!("http://{v4}:{0}/ and http://[{v6}]:{0}/; end with Ctrl-C", options.port))?;
        host::run(tun, endpoint, poll, &mut Http(server)).map_err(failed)
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
