//! What a packet costs beside many idle connections, and what these take. Run it alone, optimized, for the figures:
//! `cargo test --release -p segue-tests -- --ignored --nocapture host::scale`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant as Clock;

use segue::codec::{Packet, PseudoHeader};
use segue::host::{Endpoint, EndpointConfig, Id, Keys, Listen, Signal};
use segue::{Flags, Instant, Segment};

use super::world::SERVER;

fn endpoint(key: u8) -> Endpoint {
    let limits = EndpointConfig { connections: usize::MAX, answers: usize::MAX, ..EndpointConfig::default() };
    Endpoint::new(Keys::new([key; 16]), limits)
}

type Wire = Vec<(PseudoHeader, Packet)>;

fn flush(endpoint: &mut Endpoint, now: Instant) -> Wire {
    let mut wire = Wire::new();
    endpoint.flush(now, |addresses, packet| wire.push((addresses, packet)));
    wire
}

fn deliver(wire: Wire, to: &mut Endpoint, now: Instant) {
    for (addresses, packet) in wire {
        to.receive(addresses, packet, now);
    }
}

fn exchange(client: &mut Endpoint, server: &mut Endpoint, now: Instant) {
    loop {
        let there = flush(client, now);
        deliver(there, server, now);
        let back = flush(server, now);
        if back.is_empty() {
            break;
        }
        deliver(back, client, now);
    }
}

/// A server with this many idle connections, and one that is not idle, with its client.
fn server(idle: usize, now: Instant) -> (Endpoint, Endpoint, Id, Id) {
    let mut server = endpoint(1);
    let listener = server.listen(Listen::port(80)).unwrap();
    let mut made = 0;
    while made < idle {
        let mut clients = endpoint(2);
        for n in made..idle.min(made + 100) {
            let local = IpAddr::V4(Ipv4Addr::from(0x0A00_0000 + (n / 100) as u32));
            clients.connect(local, SocketAddr::new(SERVER, 80), now).unwrap();
        }
        exchange(&mut clients, &mut server, now);
        while server.accept(listener).is_some() {
            made += 1;
        }
    }
    let mut client = endpoint(3);
    let local = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
    let id = client.connect(local, SocketAddr::new(SERVER, 80), now).unwrap();
    exchange(&mut client, &mut server, now);
    let peer = server.accept(listener).unwrap();
    while client.poll_signal().is_some() {}
    (client, server, id, peer)
}

/// Requests and responses: nanoseconds that the server takes for one.
fn request(world: &mut (Endpoint, Endpoint, Id, Id), requests: u32, now: &mut Instant) -> u64 {
    let (client, server, id, peer) = world;
    let mut nanos = 0;
    for _ in 0..requests {
        *now += std::time::Duration::from_millis(1);
        client.socket(*id, *now).unwrap().write(b"GET /").unwrap();
        let there = flush(client, *now);
        let began = Clock::now();
        deliver(there, server, *now);
        server.timers(*now);
        while let Some((id, signal)) = server.poll_signal() {
            assert_eq!((id, signal), (*peer, Signal::Readable));
            let mut socket = server.socket(id, *now).unwrap();
            socket.chunks().for_each(drop);
            socket.write(b"200 OK").unwrap();
        }
        let back = flush(server, *now);
        nanos += began.elapsed().as_nanos() as u64;
        deliver(back, client, *now);
        client.timers(*now);
        client.socket(*id, *now).unwrap().chunks().for_each(drop);
        while client.poll_signal().is_some() {}
    }
    nanos / u64::from(requests)
}

/// Resident octets of this process.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

#[test]
#[ignore = "it measures time, and takes gigabytes"]
fn a_request_beside_idle_connections() {
    let mut all = Vec::new();
    for idle in [1, 1000, 100_000, 1_000_000] {
        let mut now = Instant::from_millis(1000);
        let before = resident();
        let mut world = server(idle, now);
        let octets = (resident() - before) / idle;
        let tables = world.1.table_octets() / idle;
        now += std::time::Duration::from_secs(10); // the timers of the handshakes are over
        world.1.timers(now);
        flush(&mut world.1, now);
        request(&mut world, 2000, &mut now);
        let nanos = (0..20).map(|_| request(&mut world, 500, &mut now)).min().unwrap();
        println!("{idle:8} idle: {nanos} ns a request, {octets} octets each, {tables} of them in tables");
        all.push(nanos);
    }
    assert!(all[2] * 10 <= all[0] * 13, "beside 100,000: {} ns, beside one {} ns", all[2], all[0]);
    assert!(all[3] <= all[0] * 2, "beside 1,000,000: {} ns, beside one {} ns", all[3], all[0]);
}

/// The server closes first, so that it waits.
#[test]
#[ignore = "it measures memory"]
fn a_connection_in_time_wait() {
    const WAITING: usize = 60_000;
    let now = Instant::from_millis(1000);
    let mut server = endpoint(1);
    let listener = server.listen(Listen::port(80)).unwrap();
    let before = resident();
    for n in 0..WAITING / 100 {
        let mut clients = endpoint(2);
        let local = IpAddr::V4(Ipv4Addr::from(0x0A00_0000 + n as u32));
        let ids: Vec<Id> =
            (0..100).map(|_| clients.connect(local, SocketAddr::new(SERVER, 80), now).unwrap()).collect();
        exchange(&mut clients, &mut server, now);
        while let Some(id) = server.accept(listener) {
            server.socket(id, now).unwrap().close().unwrap();
        }
        for first in [false, true] {
            if first {
                ids.iter().for_each(|id| clients.socket(*id, now).unwrap().close().unwrap());
            }
            let back = flush(&mut server, now);
            deliver(back, &mut clients, now);
            exchange(&mut clients, &mut server, now);
        }
        while server.poll_signal().is_some() {}
    }
    assert_eq!(server.len(), (0, WAITING));
    let (octets, tables) = ((resident() - before) / WAITING, server.table_octets() / WAITING);
    println!("{WAITING} in TIME-WAIT: {octets} octets each, {tables} of them in tables");
    assert!(octets < 384, "{octets} octets each");
}

/// A packet of a stranger finds no connection, whatever there is.
#[test]
fn strangers_cost_nothing_lasting() {
    let (_, mut server, ..) = server(300, Instant::from_millis(1));
    let (tables, len) = (server.table_octets(), server.len());
    for n in 0..10_000u32 {
        let from = IpAddr::V4(Ipv4Addr::from(0x0B00_0000 + n));
        // nothing that anybody listens for, and an ACK before any SYN
        let (dst_port, flags) = if n % 2 == 0 { (9, Flags::empty()) } else { (80, Flags::ACK) };
        let packet = Packet { src_port: 9, dst_port, segment: Segment { flags, ..Segment::default() } };
        server.receive(PseudoHeader::new(from, SERVER).unwrap(), packet, Instant::from_millis(2));
        if n % 100 == 0 {
            flush(&mut server, Instant::from_millis(2));
        }
    }
    flush(&mut server, Instant::from_millis(2));
    assert_eq!((server.table_octets(), server.len()), (tables, len));
}
