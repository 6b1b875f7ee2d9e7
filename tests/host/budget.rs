//! The memory budget: whatever is promised or held has been taken from it before.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use segue::host::{Endpoint, EndpointConfig, Id, Listen, Signal};
use segue::{Arc, CloseReason, Config, Instant};
use segue_kit::settings::{Mixture, config, magnitude};
use segue_kit::{Rng, ms};

use super::endpoint::{PORT, server};
use super::world::{CLIENT, SERVER, World, cost_of_one, owed};

/// What decides about windows; all other settings are those of the default.
const SETTINGS: [&str; 10] = [
    "receive_buffer",
    "receive_buffer_initial",
    "window_scaling",
    "window_shift",
    "max_mss",
    "mtu_probing",
    "mtu_probe_max",
    "timestamps",
    "send_buffer",
    "max_transmit",
];

fn endpoint(rng: &mut Rng) -> EndpointConfig {
    let mixture = Mixture(SETTINGS.into_iter().filter(|_| rng.chance(700)).collect());
    EndpointConfig {
        connection: Arc::new(config(rng, &mixture, &[])),
        mtu: u16::try_from(magnitude(rng, (0, 65_535), &[576, 1280, 1500, 9000])).unwrap(),
        memory: usize::try_from(magnitude(rng, (10_000, 1 << 31), &[100_000, 1_000_000])).unwrap(),
        ..EndpointConfig::default()
    }
}

/// Users connect, tell of other MTUs before and after, write, and read all. After each step the budget holds all windows
/// and all text that waits.
fn windows_within(seed: u64) -> usize {
    let rng = &mut Rng::new(seed);
    let mut world = World::new([endpoint(rng), endpoint(rng)], seed);
    let limits = world.ends.each_ref().map(|end| end.config().memory);
    let listener = world.ends[1].listen(Listen::port(80)).unwrap();
    let mut ids: [Vec<Id>; 2] = [Vec::new(), Vec::new()];
    let [us, peer]: [IpAddr; 2] =
        if rng.chance(500) { [CLIENT, SERVER] } else { ["2001:db8::7", "2001:db8::1"].map(|ip| ip.parse().unwrap()) };
    for _ in 0..1 + rng.below(4) {
        let Ok(id) = world.ends[0].connect(us, SocketAddr::new(peer, 80), world.now) else { continue };
        ids[0].push(id);
        let mut socket = world.ends[0].socket(id, world.now).unwrap();
        if rng.chance(500) {
            socket.set_mtu(rng.pick(&[68, 1280, 9000, 40_000, 65_535]));
        }
        socket.write(&vec![7; rng.pick(&[0, 100, 100_000])]).unwrap();
    }
    world.flush(0);
    let (mut left, cost) = (200, cost_of_one());
    world.go(3000, |endpoint, end, now| {
        ids[end].extend(std::iter::from_fn(|| endpoint.accept(listener).filter(|_| end == 1)));
        for id in &ids[end] {
            let Ok(mut socket) = endpoint.socket(*id, now) else { continue };
            let octets = socket.chunks().map(|text| text.len()).sum::<usize>();
            if octets > 0 && left > 0 {
                left -= 1;
                let _ = socket.write(&vec![9; octets.max(3000)]);
            }
            if rng.chance(50) {
                socket.set_mtu(rng.pick(&[68, 1280, 9000, 65_535]));
            }
        }
        let owed = owed(endpoint, ids[end].iter().copied(), cost, now);
        assert!(owed <= endpoint.memory(), "seed {seed}, end {end}: {owed} of {}", endpoint.memory());
        assert!(endpoint.memory() <= limits[end], "seed {seed}, end {end}");
    });
    ids[1].len()
}

/// 300 worlds; more with `SEGUE_CASES`.
#[test]
fn no_window_exceeds_what_the_budget_holds_for_it() {
    let cases = std::env::var("SEGUE_CASES").map_or(300, |cases| cases.parse().expect("a number"));
    let from = std::env::var("SEGUE_FROM").map_or(0, |from| from.parse().expect("a number"));
    let opened: usize = (from..from + cases).map(windows_within).sum();
    assert!(opened as u64 > cases / 2, "{opened} connections");
}

/// Many write into a budget that holds little of it; some never write again when they are told, some of those that wait end
/// meanwhile. Who writes on in the same turn and who does so after all signals were polled is drawn.
fn writers_in_turn(seed: u64) {
    let rng = &mut Rng::new(seed);
    let (connections, text) = (2 + rng.below(80) as usize, rng.pick(&[5000, 20_000, 60_000]));
    let small = Arc::new(Config::builder().receive_buffer(1 + rng.below(5000)).build().unwrap());
    let shared = rng.pick(&[0, 1, 1000, 50_000]);
    let of_all = connections * (cost_of_one() + 2 * usize::try_from(small.receive_buffer()).unwrap());
    let client = EndpointConfig { connection: small, memory: of_all + shared, ..EndpointConfig::default() };
    let mut world = World::new([client, EndpointConfig::default()], seed);
    let listener = world.ends[1].listen(Listen::port(80)).unwrap();
    let mut left = BTreeMap::new();
    for _ in 0..connections {
        let id = world.ends[0].connect(CLIENT, SocketAddr::new(SERVER, 80), world.now).unwrap();
        left.insert(id, text);
    }
    let write = |endpoint: &mut Endpoint, left: &mut BTreeMap<Id, usize>, id: Id, now| {
        let Some(rest) = left.get_mut(&id) else { return };
        let Ok(mut socket) = endpoint.socket(id, now) else { return };
        *rest -= socket.write(&vec![7; *rest]).unwrap_or(0);
    };
    let (eager, laziness, mut lazy) = (rng.chance(500), rng.pick(&[0, 20, 900]), Vec::new());
    let mut read = 0;
    world.flush(0);
    while let Some(at) = world.next().filter(|_| world.now < Instant::from_secs(200)) {
        world.now = world.now.max(at);
        let now = world.now;
        if world.arrive(1) {
            let server = &mut world.ends[1];
            while server.accept(listener).is_some() {}
            while let Some((id, _)) = server.poll_signal() {
                read += server.socket(id, now).map_or(0, |mut socket| socket.chunks().map(|text| text.len()).sum());
            }
        }
        world.ends[1].timers(now);
        world.flush(1);
        world.arrive(0);
        let client = &mut world.ends[0];
        client.timers(now);
        let room = client.config().memory - client.memory();
        let mut told = Vec::new();
        while let Some((id, signal)) = client.poll_signal() {
            // Who has room of its own is told beside those for whom the budget has it.
            let has_own = client.socket(id, now).is_ok_and(|socket| socket.info().is_some_and(|i| i.send_queue < 4096));
            match signal {
                Signal::Writable if rng.chance(laziness) => {
                    left.remove(&id); // it has nothing to say any more
                    lazy.push(id);
                }
                Signal::Writable | Signal::Connected => told.push((id, has_own || signal == Signal::Connected)),
                _ => {}
            }
            if eager {
                write(client, &mut left, id, now);
            }
        }
        let served = told.iter().filter(|(_, has_own)| !has_own).count();
        assert!(served <= room / 4096 + 1, "seed {seed}: {served} told of {room} octets");
        told.into_iter().for_each(|(id, _)| write(client, &mut left, id, now));
        if let Some(id) = Some(()).filter(|()| rng.chance(20)).and_then(|()| lazy.pop()) {
            let Ok(socket) = client.socket(id, now) else { continue };
            if rng.chance(500) { socket.abort() } else { socket.release() }
        }
        world.flush(0);
    }
    assert!(left.values().all(|rest| *rest == 0), "seed {seed}: somebody waits for ever: {left:?}");
    assert!(read >= left.len() * text, "seed {seed}");
}

/// Room in the budget wakes as many as it serves, in the order in which they began to wait, and nobody waits for ever.
#[test]
fn room_in_the_budget_is_told_to_those_that_it_serves() {
    let cases = std::env::var("SEGUE_CASES").map_or(60, |cases| cases.parse().expect("a number"));
    let from = std::env::var("SEGUE_FROM").map_or(0, |from| from.parse().expect("a number"));
    (from..from + cases).for_each(writers_in_turn);
}

/// Whoever waits is told at once when another's text is gone, without an event of its own.
#[test]
fn room_in_the_budget_wakes_the_host() {
    let small = Arc::new(Config::builder().receive_buffer(1).build().unwrap());
    let config = EndpointConfig { connection: small, memory: 4 * cost_of_one(), ..EndpointConfig::default() };
    let mut world = World::new([config, EndpointConfig::default()], 1);
    let mut connect = || world.ends[0].connect(CLIENT, SocketAddr::new(SERVER, 80), world.now).unwrap();
    let (first, second) = (connect(), connect());
    for id in [first, second] {
        let mut socket = world.ends[0].socket(id, world.now).unwrap();
        assert!(socket.write(&[7; 100_000]).unwrap() < 100_000);
    }
    world.flush(0);
    assert!(world.ends[0].next_deadline() > Some(world.now));
    world.ends[0].socket(first, world.now).unwrap().abort();
    world.flush(0);
    assert_eq!(world.ends[0].next_deadline(), Some(Instant::ZERO));
    assert_eq!(world.ends[0].poll_signal(), Some((second, Signal::Writable)));
    assert_eq!(world.ends[0].poll_signal(), None);
    assert!(world.ends[0].next_deadline() > Some(world.now));
    // A close takes it out of those that wait.
    let mut socket = world.ends[0].socket(second, world.now).unwrap();
    assert!(socket.write(&[7; 100_000]).unwrap() < 100_000);
    socket.close().unwrap();
    drop(socket);
    let cancelled = Signal::Closed(CloseReason::Cancelled);
    assert_eq!(world.ends[0].poll_signal(), Some((second, cancelled)));
}

/// Octets of heap of two endpoints after one wrote this text in pieces of `piece` octets, and the peer, whose user does not
/// read, acknowledged the first window of it. Packets go in buffers of their own.
fn half_acknowledged(text: &[u8], piece: usize) -> i64 {
    let mut kept = None;
    let info = allocation_counter::measure(|| {
        let config = EndpointConfig { memory: 10_000_000, ..EndpointConfig::default() };
        let mut ends = World::new([config, EndpointConfig::default()], 1).ends;
        ends[1].listen(Listen::port(80)).unwrap();
        let mut now = Instant::from_millis(1000);
        let id = ends[0].connect(CLIENT, SocketAddr::new(SERVER, 80), now).unwrap();
        for text in text.chunks(piece) {
            assert_eq!(ends[0].socket(id, now).unwrap().write(text), Ok(text.len()));
        }
        for turn in 0..200 {
            let (from, mut sent) = (turn % 2, Vec::new());
            ends[from].timers(now);
            ends[from].flush(now, |addresses, mut packet| {
                packet.segment.payload = Bytes::copy_from_slice(&packet.segment.payload);
                sent.push((addresses, packet));
            });
            now += ms(5);
            for (addresses, packet) in sent {
                ends[1 - from].receive(addresses, packet, now);
            }
        }
        let queue = ends[0].socket(id, now).unwrap().info().unwrap().send_queue;
        assert!((1..text.len() / 2).contains(&queue), "{queue}");
        kept = Some(ends);
    });
    drop(kept);
    info.bytes_current
}

/// A peer that acknowledges all but the last octets does not make the endpoint keep the whole write, of which the budget
/// knows only what is left.
#[test]
fn what_is_acknowledged_of_a_large_write_is_given_back() {
    let text = vec![7; 200_000];
    let (small, large) = (half_acknowledged(&text, 4096), half_acknowledged(&text, text.len()));
    assert!((large - small).abs() <= 8192, "{large} octets of heap, {small} after small writes");
}

/// Text that is written in pieces of any size, merged where they are small, takes no more than the budget holds for it: three
/// eighths more than the text, beside what a connection has at the least.
#[test]
fn written_text_takes_what_the_budget_holds_for_it() {
    let text = Bytes::from(vec![7; 250_000]);
    for piece in (1..=1024).step_by(31).chain([341, 512, 683, 1500, 4096, 65_536]) {
        for copies in [false, true] {
            let (mut tcp, now) = (World::new([EndpointConfig::default(), EndpointConfig::default()], 1).ends, ms(1));
            let now = Instant::ZERO + now;
            let id = tcp[0].connect(CLIENT, SocketAddr::new(SERVER, 80), now).unwrap();
            let least = i64::try_from(text.len() / 8 * 11).unwrap();
            let info = allocation_counter::measure(|| {
                let mut socket = tcp[0].socket(id, now).unwrap();
                let mut written = 0;
                while written < text.len() {
                    let mut part = text.slice(written..text.len().min(written + piece));
                    written += if copies { socket.write(&part) } else { socket.write_bytes(&mut part) }.unwrap();
                }
            });
            assert!(info.bytes_current <= least, "{} octets of heap in pieces of {piece}", info.bytes_current);
        }
    }
}

/// Octets of heap of an endpoint with one connection, on which text waits that came in this many segments of ten octets.
fn with_unread(segments: usize) -> i64 {
    let (ends, now) = (World::new([EndpointConfig::default(), EndpointConfig::default()], 1).ends, Instant::ZERO);
    let [mut client, mut server] = ends;
    server.listen(Listen::port(80)).unwrap();
    let id = client.connect(CLIENT, SocketAddr::new(SERVER, 80), now).unwrap();
    for turn in 0..3 + segments {
        let text: &[u8] = if turn < 3 { &[] } else { &[7; 10] };
        client.socket(id, now).unwrap().write(text).unwrap();
        client.flush(now, |addresses, mut packet| {
            packet.segment.payload = Bytes::copy_from_slice(&packet.segment.payload);
            server.receive(addresses, packet, now);
        });
        server.flush(now, |addresses, packet| {
            client.receive(addresses, packet, now);
        });
    }
    -allocation_counter::measure(|| drop(server)).bytes_current
}

/// Text that waits for its user, and came in tiny segments, takes no more than twice its octets.
#[test]
fn unread_text_of_tiny_segments_takes_what_it_is() {
    let (without, with) = (with_unread(0), with_unread(100));
    assert!(with - without <= 2 * 1000 + 512, "{} octets of heap for 1000 of text", with - without);
}

/// What `table_octets` tells grows by what each table takes for a connection, and by the signals that wait.
#[test]
fn the_tables_tell_what_they_take() {
    const COUNT: usize = 500;
    let (mut ends, now) = (World::new([EndpointConfig::default(), EndpointConfig::default()], 1).ends, Instant::ZERO);
    ends[1]
        .listen(Listen {
            backlog: segue::host::Backlog { half_open: 4096, ready: 4096, ..Default::default() },
            ..Listen::port(80)
        })
        .unwrap();
    let empty = ends[0].table_octets();
    for _ in 0..COUNT {
        ends[0].connect(CLIENT, SocketAddr::new(SERVER, 80), now).unwrap();
    }
    let opening = ends[0].table_octets();
    assert!(opening >= empty + COUNT * 24, "{opening} octets for {COUNT} connections");
    for from in [0, 1] {
        let mut sent = Vec::new();
        ends[from].flush(now, |addresses, packet| sent.push((addresses, packet)));
        for (addresses, packet) in sent {
            ends[1 - from].receive(addresses, packet, now);
        }
    }
    let connected = ends[0].table_octets();
    assert!(
        connected >= opening + COUNT * size_of::<Id>(),
        "{connected} octets with {COUNT} signals, {opening} before"
    );
}

/// What waits for its user keeps neither a frame of more than twice its size nor, where the text is small, any.
#[test]
fn text_that_waits_pins_no_frame_that_is_much_larger() {
    let copy_below = usize::from(Config::default().copy_below());
    for (len, frame_size, copied) in [
        (1400, 65_536, true),
        (1400, 2801, true),
        (1400, 2800, false),
        (1400, 1500, false),
        (copy_below, 1, false),
        (copy_below - 1, 1, true),
    ] {
        let connection = Arc::new(Config::builder().frame_size(frame_size).build().unwrap());
        let config = EndpointConfig { connection, ..EndpointConfig::default() };
        let mut world = World::new([EndpointConfig::default(), config], 1);
        let listener = world.ends[1].listen(Listen::port(PORT)).unwrap();
        let client = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
        world.flush(0);
        world.go(20, |_, _, _| {});
        let id = world.ends[1].accept(listener).unwrap();
        let now = world.now;
        world.ends[0].socket(client, now).unwrap().write(&vec![7; len]).unwrap();
        let frame = Bytes::from(vec![7; 3000]);
        let mut out = Vec::new();
        world.ends[0].flush(now, |addresses, packet| out.push((addresses, packet)));
        for (addresses, mut packet) in out {
            assert_eq!(packet.segment.payload.len(), len);
            packet.segment.payload = frame.slice(..len);
            world.receive(1, addresses, packet);
        }
        world.flush(1);
        assert_eq!(frame.is_unique(), copied, "{len} octets, frames of {frame_size}");
        assert_eq!(world.ends[1].socket(id, now).unwrap().chunk().map(|text| text.len()), Some(len));
    }
}
