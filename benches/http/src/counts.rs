//! Instructions of a request, of the whole program outside of the kernel, under callgrind: the same each time, whatever
//! else the machine does.

use std::fs;
use std::io;
use std::process::Command;

use crate::args::Options;
use crate::measure::sockets;
use crate::servers::{Server, Which};

/// The difference of two runs: what starting costs is in both.
const REQUESTS: [u32; 2] = [2_000, 12_000];

pub(crate) fn measure(options: &Options) -> io::Result<()> {
    println!("Instructions of a request to /, under callgrind\n");
    println!("| clients | load | server | instructions | beside smoltcp |\n|---:|---|---|---:|---:|");
    for &clients in &options.clients {
        for (load, keep) in [("a connection per request", false), ("keep-alive", true)] {
            let mut smoltcp = 0.0;
            for which in [Which::Smoltcp(sockets(clients)), Which::SegueNoOffload, Which::Segue] {
                let [few, many] = REQUESTS;
                let more = run(which, clients, keep, many)? - run(which, clients, keep, few)?;
                let each = more / f64::from(many - few);
                if let Which::Smoltcp(_) = which {
                    smoltcp = each;
                }
                println!("| {clients} | {load} | {} | {each:.0} | {:.2} |", which.name(), each / smoltcp);
            }
        }
    }
    Ok(())
}

/// The instructions of a run with this number of requests.
fn run(which: Which, clients: usize, keep: bool, requests: u32) -> io::Result<f64> {
    let (program, args) = which.command()?;
    let kind = which.name().replace(' ', "");
    let file = std::env::temp_dir().join(format!("http-{kind}-{clients}-{keep}-{requests}.callgrind"));
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["-q", "--tool=callgrind"]).arg(format!("--callgrind-out-file={}", file.display()));
    let mut server = Server::spawn(valgrind.arg(program).args(args), "valgrind")?;
    let mut ab = Command::new("ab");
    ab.args(["-q", "-n", &requests.to_string(), "-c", &clients.to_string()]);
    if keep {
        ab.arg("-k");
    }
    let output = ab.arg(which.url("/")).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse::<u32>().ok())
    };
    if number("Complete requests:") != Some(requests) || number("Failed requests:") != Some(0) {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("ab was not served by {}: {text}{errors}", which.name())));
    }
    // valgrind writes its file when its program is asked to end.
    Command::new("kill").arg(server.id().to_string()).status()?;
    server.wait()?;
    let written = fs::read_to_string(&file)?;
    let total = written.lines().rev().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    total.ok_or_else(|| io::Error::other(format!("{} has no total", file.display())))
}
