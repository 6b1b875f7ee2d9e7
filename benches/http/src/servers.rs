//! The network namespace, the servers as processes, and what they cost.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};

use crate::args;

const INSIDE: &str = "SEGUE_HTTP_INSIDE";
pub(crate) const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);

/// Runs this program again in a network namespace of its own, where it is not in it yet.
///
/// # Errors
/// Something is missing; the message says what to do.
pub(crate) fn isolate(command: &args::Command) -> io::Result<Option<ExitCode>> {
    if std::env::var_os(INSIDE).is_some() {
        run("ip", &["link", "set", "lo", "up"])?;
        return Ok(None);
    }
    File::options().read(true).write(true).open("/dev/net/tun").map_err(|error| {
        let advice = "run as root, and load the module `tun`, or give the container the device";
        io::Error::new(error.kind(), format!("/dev/net/tun cannot be opened ({error}): {advice}"))
    })?;
    let mut tools = vec![("ip", "-V", "iproute2"), ("wrk", "-v", "wrk")];
    if *command == args::Command::Counts {
        tools.extend([("valgrind", "--version", "valgrind"), ("ab", "-V", "apache2-utils")]);
    }
    for (tool, arg, package) in tools {
        let output = Command::new(tool).arg(arg).output();
        output.map_err(|error| io::Error::other(format!("`{tool}` cannot be run ({error}): install {package}")))?;
    }
    run("unshare", &["--net", "--", "true"]).map_err(|error| {
        io::Error::other(format!("a network namespace cannot be made, run as root, with util-linux installed: {error}"))
    })?;
    let this = std::env::current_exe()?;
    let mut inside = Command::new("unshare");
    inside.args(["--net", "--"]).arg(this).args(std::env::args_os().skip(1)).env(INSIDE, "1");
    Ok(Some(if inside.status()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

fn run(program: &str, args: &[&str]) -> io::Result<()> {
    let output = Command::new(program).args(args).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// Which server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Which {
    /// `examples/tun-http` as it is, with GSO and GRO.
    Segue,
    /// The same with `--no-offload`: each segment is a packet with a checksum.
    SegueNoOffload,
    /// With this number of sockets.
    Smoltcp(usize),
    Kernel,
}

impl Which {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Segue => "segue",
            Self::SegueNoOffload => "segue --no-offload",
            Self::Smoltcp(_) => "smoltcp",
            Self::Kernel => "the kernel's loopback",
        }
    }

    pub(crate) fn url(self, path: &str) -> String {
        match self {
            Self::Kernel => format!("http://{}{path}", SocketAddr::from(LOOPBACK)),
            Self::Segue | Self::SegueNoOffload | Self::Smoltcp(_) => format!("http://192.0.2.2{path}"),
        }
    }

    /// Program and arguments.
    pub(crate) fn command(self) -> io::Result<(PathBuf, Vec<String>)> {
        let this = std::env::current_exe()?;
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Ok(match self {
            Self::Segue => (this.with_file_name("tun-http"), words(&[])),
            Self::SegueNoOffload => (this.with_file_name("tun-http"), words(&["--no-offload"])),
            Self::Smoltcp(sockets) => (this, words(&["smoltcp", "--sockets", &sockets.to_string()])),
            Self::Kernel => (this, words(&["kernel", &SocketAddr::from(LOOPBACK).to_string()])),
        })
    }
}

/// A running server.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn start(which: Which) -> io::Result<Self> {
        let (program, args) = which.command()?;
        Self::spawn(Command::new(&program).args(args), &program.display().to_string())
    }

    /// Starts it, and waits until it says that all is ready.
    pub(crate) fn spawn(command: &mut Command, name: &str) -> io::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| {
            let advice = "build all of it: cargo build --release --manifest-path benches/http/Cargo.toml";
            io::Error::new(error.kind(), format!("{name} cannot be run ({error}); {advice}"))
        })?;
        let (mut line, pipe) = (String::new(), child.stdout.take());
        if let Some(pipe) = pipe {
            BufReader::new(pipe).read_line(&mut line)?;
        }
        if line.contains("end with Ctrl-C") {
            Ok(Self(child))
        } else {
            Err(io::Error::other(format!("{name}: {line}")))
        }
    }

    /// CPU time so far in microseconds: the program's own, and the kernel's for it.
    pub(crate) fn cpu(&self) -> io::Result<(f64, f64)> {
        times(&format!("/proc/{}/stat", self.0.id()), 14)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self) -> io::Result<()> {
        self.0.wait().map(drop)
    }
}

/// CPU time in microseconds of the programs that this one ran to their end: their own, and the kernel's for them.
pub(crate) fn cpu_of_tools() -> io::Result<(f64, f64)> {
    times("/proc/self/stat", 16)
}

/// Two fields of such a file, in ticks of 10 ms: utime and stime are 14 and 15, those of children follow.
fn times(file: &str, field: usize) -> io::Result<(f64, f64)> {
    let stat = fs::read_to_string(file)?;
    // The second field, in parentheses, may contain anything.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(field) * 10_000.0, ticks(field + 1) * 10_000.0))
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
