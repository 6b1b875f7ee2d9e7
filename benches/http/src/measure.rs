//! Load by wrk: the CPU time of a request, and responses a second.

use std::io;
use std::process::Command;

use crate::args::Options;
use crate::servers::{Server, Which, cpu_of_tools};

/// What a round gave.
#[derive(Clone, Copy, Default)]
struct Round {
    requests: f64,
    per_second: f64,
    /// Microseconds of a request.
    user: f64,
    system: f64,
    /// The same of the client, both together.
    client: f64,
    errors: f64,
}

/// The CPU time of a request.
pub(crate) fn cpu(options: &Options) -> io::Result<()> {
    println!(
        "CPU time of a request to /, median of {} rounds of {} s (user: min to max)\n",
        options.rounds,
        options.load.as_secs()
    );
    println!("| clients | load | server | requests/s | user µs | beside smoltcp | system µs | errors |");
    println!("|---:|---|---|---:|---:|---:|---:|---:|");
    for &clients in &options.clients {
        for (load, keep) in [("a connection per request", false), ("keep-alive", true)] {
            let which = [Which::Smoltcp(sockets(clients)), Which::SegueNoOffload, Which::Segue];
            let rounds = rounds(options, &which, clients, keep, "/")?;
            let user = |n: usize| median(&rounds[n], |round| round.user);
            for (n, which) in which.iter().enumerate() {
                let of = |get: fn(&Round) -> f64| median(&rounds[n], get);
                let (least, most) = extremes(&rounds[n], |round| round.user);
                println!(
                    "| {clients} | {load} | {} | {:.0} | {:.2} ({least:.2}–{most:.2}) | {:.2} | {:.2} | {:.0} |",
                    which.name(),
                    of(|round| round.per_second),
                    user(n),
                    user(n) / user(0),
                    of(|round| round.system),
                    rounds[n].iter().map(|round| round.errors).sum::<f64>(),
                );
            }
        }
    }
    println!();
    Ok(())
}

/// smoltcp needs a socket for each client, and as many for the next connection of each: a turn that brings its SYN may also
/// bring the last segment of the one before.
pub(crate) const fn sockets(clients: usize) -> usize {
    2 * clients + 8
}

/// 100 KB responses.
pub(crate) fn speed(options: &Options) -> io::Result<()> {
    println!("Responses of 100,000 octets, keep-alive, median of {} rounds (min to max)\n", options.rounds);
    println!(
        "| clients | server | responses/s | beside the kernel's loopback | server's CPU µs | client's CPU µs | errors |"
    );
    println!("|---:|---|---:|---:|---:|---:|---:|");
    for &clients in &options.clients {
        let which = [Which::Kernel, Which::Segue, Which::SegueNoOffload];
        let rounds = rounds(options, &which, clients, true, "/bytes/100000")?;
        let per_second = |n: usize| median(&rounds[n], |round| round.per_second);
        for (n, which) in which.iter().enumerate() {
            let (least, most) = extremes(&rounds[n], |round| round.per_second);
            println!(
                "| {clients} | {} | {:.0} ({least:.0}–{most:.0}) | {:.2} | {:.1} | {:.1} | {:.0} |",
                which.name(),
                per_second(n),
                per_second(n) / per_second(0),
                median(&rounds[n], |round| round.user + round.system),
                median(&rounds[n], |round| round.client),
                rounds[n].iter().map(|round| round.errors).sum::<f64>(),
            );
        }
    }
    println!();
    Ok(())
}

/// Rounds of each server, by turns: what else the machine does hits all alike.
fn rounds(options: &Options, which: &[Which], clients: usize, keep: bool, path: &str) -> io::Result<Vec<Vec<Round>>> {
    let mut rounds = vec![Vec::new(); which.len()];
    for _ in 0..options.rounds {
        for (n, which) in which.iter().enumerate() {
            let server = Server::start(*which)?;
            wrk(*which, clients, keep, path, 1)?; // memory and ports are warm then
            let before = (server.cpu()?, cpu_of_tools()?);
            let mut round = wrk(*which, clients, keep, path, options.load.as_secs())?;
            let after = (server.cpu()?, cpu_of_tools()?);
            round.user = (after.0.0 - before.0.0) / round.requests;
            round.system = (after.0.1 - before.0.1) / round.requests;
            round.client = (after.1.0 + after.1.1 - before.1.0 - before.1.1) / round.requests;
            rounds[n].push(round);
        }
    }
    Ok(rounds)
}

fn wrk(which: Which, clients: usize, keep: bool, path: &str, seconds: u64) -> io::Result<Round> {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t", "1", "-c", &clients.to_string(), "-d", &seconds.to_string()]);
    if !keep {
        wrk.args(["-H", "Connection: close"]);
    }
    let output = wrk.arg(which.url(path)).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut round = Round::default();
    for line in text.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            [number, "requests", "in", ..] => round.requests = parse(number),
            ["Requests/sec:", number] => round.per_second = parse(number),
            ["Socket", "errors:", rest @ ..] => {
                round.errors += rest.iter().skip(1).step_by(2).map(|number| parse(number)).sum::<f64>();
            }
            ["Non-2xx", .., number] => round.errors += parse(number),
            _ => {}
        }
    }
    if round.requests == 0.0 {
        return Err(io::Error::other(format!("wrk had no response from {}: {text}", which.name())));
    }
    Ok(round)
}

fn parse(number: &str) -> f64 {
    number.trim_end_matches(',').parse().unwrap_or(0.0)
}

pub(crate) fn median<T>(of: &[T], get: impl Fn(&T) -> f64) -> f64 {
    let mut values: Vec<_> = of.iter().map(get).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn extremes<T>(of: &[T], get: impl Fn(&T) -> f64) -> (f64, f64) {
    of.iter().map(get).fold((f64::MAX, 0.0), |(least, most), value| (least.min(value), most.max(value)))
}
