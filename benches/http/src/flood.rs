//! A real client during a flood of SYNs from addresses that nobody has.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use segue::codec::{Packet, PseudoHeader};
use segue::ip::{self, Format};
use segue::{Flags, Options as TcpOptions, Segment, SeqNum};
use socket2::{Domain, Protocol, Socket, Type};

use crate::args::Options;
use crate::measure::median;
use crate::servers::{Server, Which};

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const SYNS_A_SECOND: u64 = 3000;
const LIMIT: Duration = Duration::from_secs(15);

pub(crate) fn measure(options: &Options) -> io::Result<()> {
    let rounds = options.load.as_secs().max(1) * 5;
    println!("Fetches of / by a client of the kernel, one after the other, for {rounds} s each\n");
    println!("| server | SYNs/s | fetches | failures | median ms | beside quiet | 99 % ms | worst ms |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for which in [Which::SegueNoOffload, Which::Segue] {
        let _server = Server::start(which)?;
        let time = Duration::from_secs(rounds);
        fetches(Duration::from_secs(1));
        let quiet = fetches(time);
        let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
        let (flooded, rate) = thread::scope(|scope| {
            let flood = scope.spawn(|| flood(&stop, &sent));
            thread::sleep(Duration::from_secs(3)); // the backlog is full then
            let (before, begin) = (sent.load(Ordering::Relaxed), Instant::now());
            let flooded = fetches(time);
            let rate = (sent.load(Ordering::Relaxed) - before) as f64 / begin.elapsed().as_secs_f64();
            stop.store(true, Ordering::Relaxed);
            flood.join().unwrap_or_else(|_| Err(io::Error::other("the flood broke"))).map(|()| (flooded, rate))
        })?;
        let usual = median(&quiet.times, |time| *time);
        for (run, rate) in [(&quiet, 0.0), (&flooded, rate)] {
            let middle = median(&run.times, |time| *time);
            let place = |part: usize| run.times.get((run.times.len() * part / 100).min(run.times.len().max(1) - 1));
            println!(
                "| {} | {rate:.0} | {} | {} | {middle:.3} | {:.2} | {:.3} | {:.3} |",
                which.name(),
                run.times.len(),
                run.failures,
                middle / usual,
                place(99).unwrap_or(&0.0),
                place(100).unwrap_or(&0.0),
            );
        }
    }
    println!();
    Ok(())
}

/// Milliseconds of each fetch, sorted, and those that failed.
struct Fetched {
    times: Vec<f64>,
    failures: usize,
}

fn fetches(time: Duration) -> Fetched {
    let (end, mut fetched) = (Instant::now() + time, Fetched { times: Vec::new(), failures: 0 });
    while Instant::now() < end {
        let begin = Instant::now();
        match fetch() {
            Ok(()) => fetched.times.push(begin.elapsed().as_secs_f64() * 1000.0),
            Err(_) => fetched.failures += 1,
        }
    }
    fetched.times.sort_by(f64::total_cmp);
    fetched
}

/// Connects, asks and reads to the end.
fn fetch() -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((SERVER, 80)), LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    if all.starts_with(b"HTTP/1.1 200 OK\r\n") { Ok(()) } else { Err(io::Error::other("no response")) }
}

/// SYNs with IP headers of their own, through the kernel into the device.
fn flood(stop: &AtomicBool, sent: &AtomicU64) -> io::Result<()> {
    let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255)))?; // IPPROTO_RAW: headers are ours
    let to = SocketAddr::from((SERVER, 0)).into();
    let (begin, mut seed) = (Instant::now(), 0x9E37_79B9_7F4A_7C15_u64);
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    while !stop.load(Ordering::Relaxed) {
        let due = u64::try_from(begin.elapsed().as_micros()).unwrap_or(0) * SYNS_A_SECOND / 1_000_000;
        while sent.load(Ordering::Relaxed) < due {
            let [a, b, c, d, e, f, g, ..] = random().to_be_bytes();
            let source = Ipv4Addr::new(10, a, b, c.max(1));
            let packet = syn(source, u16::from_be_bytes([d | 4, e]), SeqNum::new(u32::from_be_bytes([f, g, d, e])))?;
            let _ = raw.send_to(&packet, &to); // a full queue drops, as in any flood
            sent.fetch_add(1, Ordering::Relaxed);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// A SYN as Linux sends it.
fn syn(source: Ipv4Addr, port: u16, seq: SeqNum) -> io::Result<Vec<u8>> {
    let addresses = PseudoHeader::V4 { src: source, dst: SERVER };
    let options =
        TcpOptions { mss: Some(1460), window_scale: Some(7), sack_permitted: true, ..TcpOptions::default() }.into();
    let segment = Segment { seq, flags: Flags::SYN, window: 64_240, options, ..Segment::default() };
    let mut packet = Vec::new();
    let syn = Packet { src_port: port, dst_port: 80, segment };
    ip::encode(addresses, &syn, Format::default(), &mut packet).map_err(io::Error::other)?;
    Ok(packet)
}
