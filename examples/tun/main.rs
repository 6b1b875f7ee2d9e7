//! A TCP host in this process, on a TUN device: the kernel's TCP talks to segue's.
//!
//! ```text
//! sudo target/debug/examples/tun echo --port 7                     # then: nc 192.0.2.2 7, or nc 2001:db8::2 7
//! sudo target/debug/examples/tun connect 192.0.2.1:7777 --send 1000000   # beside: socat TCP-LISTEN:7777 EXEC:cat
//! ```
//!
//! `host.rs` is the host, made to be read; `tests/kernel` runs the same code against the kernel.

#[cfg(target_os = "linux")]
mod cli {
    use segue::Arc;
    use std::error::Error;
    use std::net::SocketAddr;
    use std::path::PathBuf;
    use std::process::ExitCode;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use lexopt::prelude::*;
    use segue::codec::Flow;
    use segue::congestion::{Bbr, Cubic, Prague, Reno};
    use segue::{Algorithm, Config};
    use segue_tun::apps::{Echo, News, Talker};
    use segue_tun::link::{Faults, Link};
    use segue_tun::{Host, device};

    const HELP: &str = "\
A TCP host in this process, on a TUN device: the kernel's TCP talks to segue's.
The kernel is 192.0.2.1 and 2001:db8::1, this host is 192.0.2.2 and 2001:db8::2.

usage: tun [OPTIONS] echo [--port N]                    serve echo, on port 7 if none is given, until interrupted
       tun [OPTIONS] connect ADDR:PORT [--send OCTETS]  talk to an echo server (65536 octets if not said otherwise)

  --device NAME      name of the TUN device [segue0]
  --mtu N            its MTU, 1280 to 65535 [1500]
  --loss PERCENT     packets that vanish, in each direction [0]
  --reorder PERCENT  packets that others overtake, in each direction [0]
  --twice PERCENT    packets that come twice, in each direction [0]
  --mark PERCENT     packets that are marked by ECN, in each direction, if they can be [0]
  --delay MILLIS     how long every packet takes, in each direction [0]
  --congestion NAME  cubic, reno, bbr or prague [cubic]
  --seed N           makes the choice of these packets repeatable [1]
  --pcap FILE        write what crosses the device to FILE
  --msl SECONDS      maximum segment lifetime [1; a host on a real network keeps RFC 9293's 120]
  -h, --help         this text

Making a network device needs root (CAP_NET_ADMIN).";

    enum Command {
        Echo { port: u16 },
        Connect { remote: SocketAddr, octets: u64 },
    }

    struct Options {
        command: Command,
        device: String,
        mtu: u16,
        faults: Faults,
        pcap: Option<PathBuf>,
        msl: Duration,
        algorithm: Algorithm,
    }

    pub(crate) fn main() -> ExitCode {
        let options = match parse(lexopt::Parser::from_env()) {
            Ok(Some(options)) => options,
            Ok(None) => {
                println!("{HELP}");
                return ExitCode::SUCCESS;
            }
            Err(problem) => {
                eprintln!("tun: {problem}\n\n{HELP}");
                return ExitCode::from(2);
            }
        };
        match run(options) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("tun: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn parse(mut args: lexopt::Parser) -> Result<Option<Options>, Box<dyn Error>> {
        let (mut word, mut remote, mut port, mut octets) = (None::<String>, None, 7, 65_536);
        let (mut device, mut mtu, mut pcap, mut msl) = ("segue0".to_owned(), 1500, None, 1);
        let mut algorithm = Algorithm::default();
        let mut faults = Faults { seed: 1, ..Faults::default() };
        while let Some(arg) = args.next()? {
            match arg {
                Short('h') | Long("help") => return Ok(None),
                Long("device") => device = args.value()?.string()?,
                Long("mtu") => mtu = args.value()?.parse()?,
                Long("loss") => faults.loss = args.value()?.parse()?,
                Long("reorder") => faults.reorder = args.value()?.parse()?,
                Long("twice") => faults.duplicate = args.value()?.parse()?,
                Long("mark") => faults.mark = args.value()?.parse()?,
                Long("delay") => faults.delay = Duration::from_millis(args.value()?.parse()?),
                Long("congestion") => algorithm = named(&args.value()?.string()?)?,
                Long("seed") => faults.seed = args.value()?.parse()?,
                Long("pcap") => pcap = Some(PathBuf::from(args.value()?)),
                Long("msl") => msl = args.value()?.parse()?,
                Long("port") => port = args.value()?.parse()?,
                Long("send") => octets = args.value()?.parse()?,
                Value(value) if word.is_none() => word = Some(value.string()?),
                Value(value) if remote.is_none() => remote = Some(value.parse()?),
                other => return Err(other.unexpected().into()),
            }
        }
        let command = match (word.as_deref(), remote) {
            (Some("echo"), None) => Command::Echo { port },
            (Some("connect"), Some(remote)) => Command::Connect { remote, octets },
            (Some("connect"), None) => return Err("connect to where? for example: connect 192.0.2.1:7777".into()),
            _ => return Err("say `echo` or `connect ADDR:PORT`; --help tells more".into()),
        };
        if mtu < 1280 {
            return Err("--mtu: IPv6 needs 1280 at least".into());
        }
        let percentages = [faults.loss, faults.reorder, faults.duplicate, faults.mark];
        if !percentages.iter().all(|percent| (0.0..=100.0).contains(percent)) {
            return Err("--loss, --reorder, --twice and --mark are percentages".into());
        }
        Ok(Some(Options { command, device, mtu, faults, pcap, msl: Duration::from_secs(msl), algorithm }))
    }

    fn named(name: &str) -> Result<Algorithm, String> {
        match name {
            "cubic" => Ok(Algorithm::Cubic(Cubic::default())),
            "reno" => Ok(Algorithm::Reno(Reno::default())),
            "bbr" => Ok(Algorithm::Bbr(Bbr::default())),
            "prague" => Ok(Algorithm::Prague(Prague::default())),
            other => Err(format!("--congestion: there is no {other}; say cubic, reno, bbr or prague")),
        }
    }

    /// Whether the conversation went well.
    fn run(options: Options) -> Result<bool, Box<dyn Error>> {
        let config = Config::builder().msl(options.msl).build()?;
        let device = device::open(&options.device, options.mtu, device::KERNEL_V4, device::KERNEL_V6)?;
        let mut link = Link::new(device, options.mtu, options.faults)?;
        if let Some(file) = &options.pcap {
            link.capture_to(file).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        }
        let mut host = Host::new(link, &device::HOST, config);
        host.set_algorithm(options.algorithm);
        match options.command {
            Command::Echo { port } => {
                host.listen(port, Box::new(|_| Box::new(Echo::new(Box::new(print)))));
                println!("echo on {}:{port} and [{}]:{port}; end with Ctrl-C", device::HOST[0], device::HOST[1]);
                loop {
                    host.turn()?;
                }
            }
            Command::Connect { remote, octets } => talk(&mut host, remote, octets),
        }
    }

    fn talk(host: &mut Host, remote: SocketAddr, octets: u64) -> Result<bool, Box<dyn Error>> {
        let good = Arc::new(AtomicBool::new(false));
        let started = Instant::now();
        let verdict = Arc::clone(&good);
        let tell = move |flow: &Flow, news: News| {
            if news == (News::Heard { octets, wrong_at: None }) {
                println!("{flow}: {octets} octets there and back in {:.3} s", started.elapsed().as_secs_f64());
                verdict.store(true, Ordering::Relaxed);
            } else {
                print(flow, news);
            }
        };
        host.connect(remote, Box::new(Talker::new(octets, Box::new(tell))))?;
        while host.flows().next().is_some() {
            host.turn()?;
        }
        Ok(good.load(Ordering::Relaxed))
    }

    fn print(flow: &Flow, news: News) {
        match news {
            News::Report(report) => println!("{flow}: {report}"),
            News::Heard { octets, wrong_at: None } => println!("{flow}: only {octets} octets came back"),
            News::Heard { wrong_at: Some(place), .. } => println!("{flow}: octet {place} came back wrong"),
            News::Closed(reason, info) => println!(
                "{flow}: {reason}; {} octets in, {} out, {} segments sent again",
                info.counters.octets_in, info.counters.octets_acked, info.counters.retransmissions
            ),
        }
    }
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cli::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("tun: this example uses a Linux TUN device");
}
