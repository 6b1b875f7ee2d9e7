//! Listeners under a flood of SYNs, and the gate.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use segue::codec::{Packet, PseudoHeader};
use segue::host::{Backlog, Endpoint, EndpointConfig, Full, Gone, Id, Incoming, Listen, ListenerId, Received, Signal};
use segue::{Arc, CloseReason, Config, Flags, Instant, Options, Segment, SeqNum, Timestamps};
use segue_kit::{Rng, ms, secs};

use super::world::{CLIENT, Faults, SERVER, World};

const PORT: u16 = 80;

fn server() -> SocketAddr {
    SocketAddr::new(SERVER, PORT)
}

/// A SYN from an address that nobody has.
pub(super) fn spoofed(n: u32) -> (PseudoHeader, Packet) {
    let from = Ipv4Addr::from(0x0A00_0000 + n % 0x00FF_FFFF + 1);
    let options = Options {
        mss: Some(1460),
        sack_permitted: true,
        window_scale: Some(7),
        timestamps: Some(Timestamps { value: n, echo: 0 }),
        ..Options::default()
    };
    let segment = Segment {
        seq: SeqNum::new(n.wrapping_mul(0x9E37_79B9)),
        flags: Flags::SYN,
        window: 64_000,
        options: options.into(),
        ..Segment::default()
    };
    let addresses = PseudoHeader::new(IpAddr::V4(from), SERVER).unwrap();
    (addresses, Packet { src_port: 1024 + (n % 50_000) as u16, dst_port: PORT, segment })
}

/// The server answers each request with a response.
fn serve(endpoint: &mut Endpoint, listener: ListenerId, now: Instant) {
    while endpoint.accept(listener).is_some() {}
    while let Some((id, signal)) = endpoint.poll_signal() {
        if signal == Signal::Readable {
            let mut socket = endpoint.socket(id, now).unwrap();
            assert_eq!(socket.chunk().unwrap(), "GET /");
            assert_eq!(socket.write(b"200 OK"), Ok(6));
        }
    }
}

/// How long a client, 40 ms away, takes for a request and its response, under a flood of so many SYNs a millisecond that
/// began 2 s before.
fn served_in(flood: u32, backlog: Backlog) -> Option<Duration> {
    let mut world = World::plain();
    world.delay = ms(20);
    let listener = world.ends[1].listen(Listen { backlog, ..Listen::port(PORT) }).unwrap();
    let start = world.now + secs(2);
    let (mut n, mut id, mut answered) = (0, None, None);
    while world.now < start + secs(15) && answered.is_none() {
        if id.is_none() && world.now >= start {
            let client = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
            world.ends[0].socket(client, world.now).unwrap().write(b"GET /").unwrap();
            world.flush(0);
            id = Some(client);
        }
        for _ in 0..flood {
            n += 1;
            let (addresses, packet) = spoofed(n);
            world.receive(1, addresses, packet);
        }
        world.flush(1); // the answers to those that nobody has go nowhere
        world.go(1, |endpoint, end, now| {
            if end == 1 {
                return serve(endpoint, listener, now);
            }
            let mut socket = endpoint.socket(id.expect("nothing arrives before"), now).unwrap();
            if socket.readable() == 6 {
                assert_eq!(socket.chunk().unwrap(), "200 OK");
                answered = Some(now);
            }
        });
        assert!(world.ends[1].len().0 <= backlog.half_open + backlog.ready);
    }
    answered.map(|at| at.saturating_since(start))
}

/// 3000 SYNs a second from addresses that nobody has, beside a client.
#[test]
fn a_client_is_served_beside_a_flood_as_if_there_were_none() {
    let quiet = served_in(0, Backlog::default()).expect("nobody disturbs");
    assert_eq!(quiet, ms(80)); // two round trips
    for full in [Full::Cookies, Full::EvictOldest] {
        let flooded = served_in(3, Backlog { half_open: 1024, ready: 128, full }).expect("served");
        assert!(flooded <= 2 * quiet, "{full:?}: {flooded:?} against {quiet:?}");
    }
    let stateless = Backlog { half_open: 0, ready: 128, full: Full::Cookies };
    assert_eq!(served_in(3, stateless), Some(quiet));
}

/// A client whose port comes again within the server's 2 MSL: a cookie could not put its ISS behind the last one (MAY-2), so
/// the connection that is half-open for longest makes room; where none is, there is room.
#[test]
fn a_flood_does_not_shut_out_a_successor() {
    [0, 1, 1024].into_iter().for_each(successor_in_a_flood);
}

fn successor_in_a_flood(half_open: usize) {
    let mut world = World::plain();
    let backlog = Backlog { half_open, ..Backlog::default() };
    let listener = world.ends[1].listen(Listen { backlog, ..Listen::port(PORT) }).unwrap();
    let client = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    let flow = world.ends[0].socket(client, world.now).unwrap().flow().unwrap();
    world.flush(0);
    world.go(50, |_, _, _| {});
    let peer = world.ends[1].accept(listener).unwrap();
    world.ends[1].socket(peer, world.now).unwrap().close().unwrap();
    world.flush(1);
    world.go(50, |endpoint, end, now| {
        if end == 0 {
            let _ = endpoint.socket(client, now).map(|mut socket| socket.close());
        }
    });
    assert_eq!(world.ends[1].len(), (0, 1)); // in TIME-WAIT
    for n in 0..3000 {
        let (addresses, packet) = spoofed(n);
        world.receive(1, addresses, packet);
    }
    world.flush(1);
    assert_eq!(world.ends[1].len(), (half_open, 1));
    let again = world.ends[0].connect_from(flow, world.now).unwrap();
    world.flush(0);
    world.go(50, |_, _, _| {});
    assert_eq!(world.signals[0].last(), Some(&(again, Signal::Connected)));
    assert!(world.ends[1].accept(listener).is_some());
    assert_eq!(world.ends[1].len(), (half_open.max(1), 0));
}

/// The queue of those that are ready is full, and our own opens have taken the rest: a SYN evicts nobody in vain.
#[test]
fn a_syn_evicts_nobody_while_the_ready_queue_is_full() {
    let config = EndpointConfig { connections: 8, ..EndpointConfig::default() };
    let mut world = World::new([EndpointConfig::default(), config], 3);
    let backlog = Backlog { half_open: 8, ready: 1, full: Full::EvictOldest };
    world.ends[1].listen(Listen { backlog, ..Listen::port(PORT) }).unwrap();
    world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    world.flush(0);
    world.now += ms(5);
    world.arrive(1);
    for n in 0..2 {
        let (addresses, packet) = spoofed(n);
        world.receive(1, addresses, packet);
    }
    world.flush(1);
    world.go(50, |_, _, _| {}); // the client is ready
    while world.ends[1].connect(SERVER, (CLIENT, 9).into(), world.now).is_ok() {}
    let (addresses, packet) = spoofed(3);
    assert_eq!(world.receive(1, addresses, packet), Received::Full);
    assert_eq!(world.ends[1].len(), (8, 0));
}

/// What the guide used to advise.
#[test]
fn a_listener_that_drops_is_shut_by_a_flood() {
    assert_eq!(served_in(3, Backlog { half_open: 1024, ready: 128, full: Full::Drop }), None);
}

/// The ACK and the first text are lost: what follows them draws no reset, and the first comes again.
#[test]
fn text_that_overtakes_its_cookie_is_no_stray() {
    let mut world = World::plain();
    let backlog = Backlog { half_open: 0, ..Backlog::default() };
    let listener = world.ends[1].listen(Listen { backlog, ..Listen::port(PORT) }).unwrap();
    let client = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    world.ends[0].socket(client, world.now).unwrap().write(&[7; 5000]).unwrap();
    world.flush(0);
    world.go(5, |_, _, _| {}); // the SYN is answered
    assert!(world.ends[1].is_empty());
    world.now += ms(5);
    assert!(world.arrive(0));
    let (mut out, now) = (Vec::new(), world.now);
    world.ends[0].flush(now, |addresses, packet| out.push((addresses, packet)));
    let (addresses, last) = out.pop().expect("text");
    assert!(!out.is_empty() && !last.segment.payload.is_empty());
    assert_eq!(world.receive(1, addresses, last), Received::Full);
    assert!(!world.ends[1].wants_flush());
    let mut octets = 0;
    world.go(5000, |endpoint, end, now| {
        if end == 1 {
            while endpoint.accept(listener).is_some() {}
            while let Some((id, _)) = endpoint.poll_signal() {
                octets += endpoint.socket(id, now).unwrap().chunks().map(|text| text.len()).sum::<usize>();
            }
        }
    });
    assert_eq!(octets, 5000);
}

#[test]
fn a_repeated_syn_never_makes_a_second_connection() {
    let mut world = World::plain();
    let listener = world.ends[1].listen(Listen::port(PORT)).unwrap();
    let (addresses, packet) = spoofed(1);
    let Received::Opened(id) = world.receive(1, addresses, packet.clone()) else { panic!("opened") };
    for _ in 0..3 {
        assert_eq!(world.receive(1, addresses, packet.clone()), Received::Connection(id));
        world.flush(1);
    }
    assert_eq!((world.ends[1].len(), world.ends[1].accept(listener)), ((1, 0), None));
}

#[test]
fn half_open_connections_end_after_a_minute() {
    let mut world = World::plain();
    world.ends[1].listen(Listen::port(PORT)).unwrap();
    for n in 0..100 {
        let (addresses, packet) = spoofed(n);
        world.receive(1, addresses, packet);
    }
    assert_eq!(world.ends[1].len(), (100, 0));
    world.faults.lost = 1000;
    world.go(90_000, |_, _, _| {});
    assert_eq!((world.ends[1].len(), world.ends[1].next_deadline()), ((0, 0), None));
    assert!(world.signals[1].is_empty()); // no user knew of them
}

#[test]
fn a_full_listener_may_refuse() {
    let mut world = World::plain();
    let backlog = Backlog { half_open: 1, ready: 1, full: Full::Reset };
    world.ends[1].listen(Listen { backlog, ..Listen::port(PORT) }).unwrap();
    let (addresses, packet) = spoofed(1);
    assert!(matches!(world.receive(1, addresses, packet), Received::Opened(_)));
    world.ends[1].flush(world.now, |_, _| {});
    let (addresses, packet) = spoofed(2);
    assert_eq!(world.receive(1, addresses, packet), Received::Full);
    let mut out = Vec::new();
    world.ends[1].flush(world.now, |_, packet| out.push(packet.segment.flags));
    assert_eq!(out, [Flags::RST | Flags::ACK]);
}

/// The client has sent its SYN; the server holds it.
fn at_the_gate(patience: Duration) -> (World, Incoming, Id, ListenerId) {
    let mut world = World::plain();
    let listener = world.ends[1].listen(Listen { gate: Some(patience), ..Listen::anywhere() }).unwrap();
    let id = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    world.flush(0);
    world.go(10, |_, _, _| {});
    let incoming = world.ends[1].incoming().expect("a SYN");
    assert_eq!((incoming.flow.local(), world.sent, world.ends[1].incoming()), (server(), 1, None));
    (world, incoming, id, listener)
}

#[test]
fn a_gate_answers_when_the_user_says_so() {
    let (mut world, incoming, client, listener) = at_the_gate(secs(5));
    world.go(1500, |_, _, _| {}); // the client repeats its SYN
    assert_eq!((world.sent, world.ends[1].len(), world.ends[1].incoming()), (2, (1, 0), None));
    world.ends[1].admit(incoming.id, world.now).unwrap();
    assert_eq!(world.ends[1].admit(incoming.id, world.now), Err(Gone));
    world.flush(1);
    world.go(100, |_, _, _| {});
    assert_eq!(world.signals[0], [(client, Signal::Connected)]);
    assert_eq!(world.ends[1].accept(listener), Some(incoming.id));
}

#[test]
fn a_gate_refuses_by_call_and_by_its_deadline() {
    for calls in [true, false] {
        let (mut world, incoming, client, _) = at_the_gate(ms(500));
        if calls {
            world.ends[1].refuse(incoming.id).unwrap();
            world.flush(1);
        }
        world.go(600, |_, _, _| {});
        assert_eq!(world.signals[0], [(client, Signal::Closed(CloseReason::Refused))]);
        assert_eq!((world.ends[1].len(), world.ends[1].refuse(incoming.id)), ((0, 0), Err(Gone)));
    }
}

#[test]
fn a_gate_forgets_without_a_word() {
    let (mut world, incoming, _, _) = at_the_gate(secs(5));
    assert_eq!(world.ends[1].ignore(incoming.id), Ok(()));
    assert_eq!((world.ends[1].len(), world.ends[1].wants_flush()), ((0, 0), false));
}

/// SYNs of a flood take no more than a quarter of the limits, and what they take makes room for a client that proves
/// itself: also where the limits are reached long before the queue of SYNs is full.
#[test]
fn a_flood_does_not_shut_a_listener_by_its_budget() {
    for (full, memory, connections) in [
        (Full::Cookies, 4 << 20, 65_536),
        (Full::EvictOldest, 4 << 20, 65_536),
        (Full::Cookies, usize::MAX, 16),
        (Full::EvictOldest, usize::MAX, 16),
    ] {
        let config = EndpointConfig { memory, connections, ..EndpointConfig::default() };
        let mut world = World::new([EndpointConfig::default(), config], 1);
        let backlog = Backlog { full, ..Backlog::default() };
        let listener = world.ends[1].listen(Listen { backlog, ..Listen::port(PORT) }).unwrap();
        for n in 0..200 {
            let (addresses, packet) = spoofed(n);
            world.receive(1, addresses, packet);
        }
        assert!(world.ends[1].memory() <= memory / 4, "{full:?}: {}", world.ends[1].memory());
        assert!(world.ends[1].len().0 <= connections / 4 + 1, "{full:?}: {:?}", world.ends[1].len());
        let client = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
        world.ends[0].socket(client, world.now).unwrap().write(b"GET /").unwrap();
        world.flush(0);
        world.go(200, |_, _, _| {});
        assert_eq!(world.signals[0], [(client, Signal::Connected)], "{full:?}");
        assert!(world.ends[1].accept(listener).is_some(), "{full:?}");
    }
}

/// The cookie of a client brings it in even where connections that are half-open hold all of the budget.
#[test]
fn a_cookie_makes_room_in_a_full_budget() {
    let config = EndpointConfig { memory: 2 << 20, ..EndpointConfig::default() };
    let mut world = World::new([EndpointConfig::default(), config], 1);
    let listener = world.ends[1].listen(Listen::port(PORT)).unwrap();
    for n in 0..100 {
        let (addresses, packet) = spoofed(n);
        world.receive(1, addresses, packet);
    }
    // our own opens take the rest
    while world.ends[1].connect(SERVER, SocketAddr::new(CLIENT, 9), world.now).is_ok() {}
    let client = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    world.ends[0].socket(client, world.now).unwrap().write(b"GET /").unwrap();
    world.flush(0);
    world.go(200, |_, _, _| {});
    assert!(world.signals[0].contains(&(client, Signal::Connected)));
    assert!(world.ends[1].accept(listener).is_some());
    assert!(world.ends[1].memory() <= 2 << 20);
}

/// Another SYN of the flow that a gate holds, as an outsider would forge it, changes nothing.
#[test]
fn a_forged_syn_does_not_replace_the_one_at_the_gate() {
    let mut world = World::plain();
    world.ends[1].listen(Listen { gate: Some(secs(5)), ..Listen::anywhere() }).unwrap();
    let client = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    let mut syn = None;
    let now = world.now;
    world.ends[0].flush(now, |addresses, packet| syn = Some((addresses, packet)));
    let (addresses, packet) = syn.unwrap();
    world.receive(1, addresses, packet.clone());
    let incoming = world.ends[1].incoming().unwrap();
    let mut forged = packet;
    forged.segment.seq += 1_000_000;
    world.receive(1, addresses, forged);
    world.ends[1].admit(incoming.id, now).unwrap();
    world.flush(1);
    world.go(100, |_, _, _| {});
    assert_eq!(world.signals[0], [(client, Signal::Connected)]);
}

/// Whatever waits at a gate has no answer that could carry a cookie: a flood evicts what waits for longest, and the SYN of
/// a client gets in.
#[test]
fn a_flood_does_not_shut_a_gate() {
    let mut world = World::plain();
    let backlog = Backlog { half_open: 8, ..Backlog::default() };
    assert_eq!(backlog.full, Full::Cookies);
    world.ends[1].listen(Listen { gate: Some(secs(5)), backlog, ..Listen::anywhere() }).unwrap();
    for n in 0..100 {
        let (addresses, packet) = spoofed(n);
        assert!(matches!(world.receive(1, addresses, packet), Received::Held(_)), "{n}");
        assert!(world.ends[1].len().0 <= 8, "{n}");
    }
    let client = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    world.flush(0);
    world.go(10, |_, _, _| {});
    let incoming = std::iter::from_fn(|| world.ends[1].incoming()).last().expect("the client's SYN");
    assert_eq!(incoming.flow.remote().ip(), CLIENT);
    world.ends[1].admit(incoming.id, world.now).unwrap();
    world.flush(1);
    world.go(100, |_, _, _| {});
    assert_eq!(world.signals[0], [(client, Signal::Connected)]);
}

#[test]
fn the_most_special_listener_is_asked() {
    let mut world = World::plain();
    let anywhere = world.ends[1].listen(Listen::anywhere()).unwrap();
    let port = world.ends[1].listen(Listen::port(PORT)).unwrap();
    let on = world.ends[1].listen(Listen::on(server())).unwrap();
    assert!(world.ends[1].listen(Listen::port(PORT)).is_err());
    let other = SocketAddr::new("192.0.2.9".parse().unwrap(), PORT);
    for to in [server(), other, SocketAddr::new(SERVER, 9)] {
        world.ends[0].connect(CLIENT, to, world.now).unwrap();
    }
    world.flush(0);
    world.go(100, |_, _, _| {});
    for listener in [anywhere, port, on] {
        assert!(world.ends[1].accept(listener).is_some());
        assert_eq!(world.ends[1].accept(listener), None);
    }
}

#[test]
fn who_stops_listening_resets_what_nobody_accepted() {
    let mut world = World::plain();
    let listener = world.ends[1].listen(Listen::port(PORT)).unwrap();
    for _ in 0..3 {
        world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    }
    world.flush(0);
    world.go(100, |_, _, _| {});
    let kept = world.ends[1].accept(listener).unwrap();
    world.ends[1].unlisten(listener, world.now);
    world.flush(1);
    world.go(100, |_, _, _| {});
    assert_eq!((world.ends[1].len(), world.ends[0].len()), ((1, 0), (1, 0)));
    assert!(world.ends[1].socket(kept, world.now).is_ok());
    let resets = world.signals[0].iter().filter(|(_, s)| *s == Signal::Closed(CloseReason::Reset)).count();
    assert_eq!(resets, 2);
}

/// SYNs from everywhere, some of whose senders give up, for a host that only flushes, into a device that may be full most of
/// the time: it asks neither for what waits at the gate nor for who is ready. Whatever the listener does, 20,000 more packets take no more memory than 20,000.
#[test]
fn a_flood_that_nobody_attends_to_leaves_nothing_behind() {
    for full in [Full::Cookies, Full::EvictOldest, Full::Drop, Full::Reset] {
        for (gate, stalls) in [(None, false), (None, true), (Some(ms(3)), false), (Some(secs(5)), true)] {
            let mut world = World::new(
                [EndpointConfig::default(), EndpointConfig { memory: 4 << 20, ..EndpointConfig::default() }],
                1,
            );
            let backlog = Backlog { half_open: 8, ready: 2, full };
            world.ends[1].listen(Listen { gate, backlog, ..Listen::port(PORT) }).unwrap();
            let mut flood = |from: u32| {
                for n in from..from + 20_000 {
                    let (addresses, mut packet) = spoofed(n);
                    world.ends[1].receive(addresses, packet.clone(), world.now);
                    if n % 3 == 0 {
                        (packet.segment.flags, packet.segment.seq) = (Flags::RST, packet.segment.seq + 1);
                        world.ends[1].receive(addresses, packet, world.now);
                    }
                    if n % 16 == 0 {
                        world.now += ms(1);
                        world.ends[1].timers(world.now);
                        if stalls {
                            world.ends[1].flush_while(world.now, |_, _| false);
                        } else {
                            world.ends[1].flush(world.now, |_, _| {});
                        }
                    }
                }
            };
            flood(0);
            let more = allocation_counter::measure(|| flood(20_000));
            let octets = more.bytes_current;
            assert!(octets < 8192, "{full:?}, {gate:?}, {stalls}: {octets} octets more");
        }
    }
}

/// A flood comes and goes while the SYNs of a client come twice and late: some are answered with a cookie, some open a
/// half-open connection with another ISS. Whichever SYN,ACK the client answers, no reset ends its connection.
#[test]
fn a_cookie_counts_beside_a_half_open_connection_of_its_flow() {
    let cases = std::env::var("SEGUE_CASES").map_or(300, |cases| cases.parse().expect("a number"));
    for seed in 0..cases {
        let mut world = World::new([EndpointConfig::default(), EndpointConfig::default()], seed);
        world.faults = Faults { lost: 50, twice: 600, late: 500 };
        let rng = &mut Rng::new(seed);
        let backlog = Backlog { half_open: rng.pick(&[1, 2]), ready: rng.pick(&[1, 128]), full: Full::Cookies };
        let listener = world.ends[1].listen(Listen { backlog, ..Listen::port(PORT) }).unwrap();
        let client = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
        if rng.chance(700) {
            world.ends[0].socket(client, world.now).unwrap().write(&[7; 5000][..rng.pick(&[1, 5000])]).unwrap();
        }
        world.flush(0);
        for n in 0..400 {
            let (addresses, mut packet) = spoofed(n / 4);
            if rng.chance(500) {
                (packet.segment.flags, packet.segment.seq) = (Flags::RST, packet.segment.seq + 1);
            }
            if n < 200 {
                world.receive(1, addresses, packet);
            }
            world.flush(1);
            world.go(rng.pick(&[1, 1, 7]), |endpoint, end, _| {
                if end == 1 {
                    while endpoint.accept(listener).is_some() {}
                }
            });
        }
        world.go(10_000, |_, _, _| {});
        assert_eq!(world.signals[0], [(client, Signal::Connected)], "seed {seed}");
        let arrived = world.signals[1].iter().any(|(_, signal)| *signal == Signal::Closed(CloseReason::Reset));
        assert!(!arrived, "seed {seed}");
    }
}

/// A SYN for the ports of a connection in TIME-WAIT, whatever becomes of it: TIME-WAIT is over only when there is a
/// connection instead (RFC 6191, MAY-2), and until then it answers.
#[test]
fn time_wait_ends_only_for_a_connection() {
    for seed in 0..400 {
        let rng = &mut Rng::new(seed);
        let connection = Config::builder().drop_syn_fin(rng.chance(500)).build().unwrap();
        let (memory, connections) = rng.pick(&[(usize::MAX, 65_536), (usize::MAX, 1), (320_000, 65_536)]);
        let config =
            EndpointConfig { memory, connections, connection: Arc::new(connection), ..EndpointConfig::default() };
        let mut world = World::new([EndpointConfig::default(), config], seed);
        let full = rng.pick(&[Full::Cookies, Full::EvictOldest, Full::Drop, Full::Reset]);
        let backlog = Backlog { half_open: rng.pick(&[0, 1, 8]), ready: 1, full };
        let first = world.ends[1].listen(Listen::port(PORT)).unwrap();
        let client = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
        let flow = world.ends[0].socket(client, world.now).unwrap().flow().unwrap();
        world.flush(0);
        world.go(50, |_, _, _| {});
        let peer = world.ends[1].accept(first).unwrap();
        assert!(world.ends[1].unlisten(first, world.now));
        let gate = rng.pick(&[None, Some(secs(5))]);
        world.ends[1].listen(Listen { gate, backlog, ..Listen::port(PORT) }).unwrap();
        // The client may have sent text that nobody reads, then both close, the server first.
        let unread = rng.chance(500);
        let mut socket = world.ends[0].socket(client, world.now).unwrap();
        socket.write(&[7; 9][..if unread { 9 } else { 0 }]).unwrap();
        drop(socket);
        world.ends[1].socket(peer, world.now).unwrap().close().unwrap();
        world.flush(1);
        world.flush(0);
        world.go(50, |_, _, _| {});
        world.ends[0].socket(client, world.now).unwrap().close().unwrap();
        world.flush(0);
        world.go(2000, |_, _, _| {});
        assert_eq!(world.ends[1].len(), if unread { (1, 0) } else { (0, 1) }, "seed {seed}");
        // Others that are half-open, or not.
        for n in 0..rng.pick(&[0, 0, 1, 20]) {
            let (addresses, packet) = spoofed(n);
            world.receive(1, addresses, packet);
        }
        world.flush(1);
        world.ends[0].connect_from(flow, world.now).unwrap();
        let (mut syn, now) = (None, world.now);
        world.ends[0].flush(now, |addresses, packet| syn = Some((addresses, packet)));
        let (addresses, mut packet) = syn.expect("a SYN");
        if rng.chance(200) {
            packet.segment.flags |= Flags::FIN;
        }
        world.receive(1, addresses, packet.clone());
        while world.ends[1].poll_signal().is_some() {}
        let mut admitted = false;
        while let Some(incoming) = world.ends[1].incoming() {
            if incoming.flow != flow.reversed() {
                continue;
            }
            assert_eq!(world.ends[1].len().1, 1, "seed {seed}: it waits behind the gate");
            let answer = match rng.below(4) {
                0 => world.ends[1].refuse(incoming.id),
                1 => world.ends[1].ignore(incoming.id),
                2 => {
                    let segment = Segment { seq: packet.segment.seq + 1, flags: Flags::RST, ..Segment::default() };
                    world.receive(1, addresses, Packet { segment, ..packet.clone() });
                    assert_eq!(world.ends[1].admit(incoming.id, now), Err(Gone));
                    Ok(())
                }
                _ => {
                    let answer = world.ends[1].admit(incoming.id, now);
                    admitted |= answer.is_ok();
                    answer
                }
            };
            assert!(answer == Ok(()) || world.ends[1].admit(incoming.id, now) == Err(Gone));
        }
        // Whether a connection answers, or TIME-WAIT: a late segment of the old incarnation tells.
        let opens = world.ends[1].len().1 == 0;
        assert!(opens || !admitted, "seed {seed}: what is admitted opens");
        let mut out = Vec::new();
        world.ends[1].flush(now, |to, packet| out.push((to, packet)));
        let to_us =
            |(to, packet): &&(PseudoHeader, Packet)| to.dst() == CLIENT && packet.segment.flags.contains(Flags::SYN);
        assert_eq!(opens, out.iter().filter(to_us).count() == 1, "seed {seed}: {:?}", world.ends[1].len());
        if !opens {
            let late = Segment {
                seq: packet.segment.seq - 1000,
                ack: packet.segment.ack,
                flags: Flags::ACK,
                ..Segment::default()
            };
            let received = world.receive(1, addresses, Packet { segment: late, ..packet });
            assert_eq!(received, Received::TimeWait, "seed {seed}");
        }
    }
}

/// Half-open or ready: either is something that waits.
#[test]
fn a_listener_is_empty_while_nothing_waits() {
    let mut listener = segue::host::Listener::new(Backlog::default());
    assert!(listener.is_empty());
    listener.ready("a flow");
    assert!(!listener.is_empty());
    listener.accept();
    assert!(listener.is_empty());
}
