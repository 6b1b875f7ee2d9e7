//! What an endpoint promises, one by one.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use segue::codec::{Packet, PseudoHeader};
use segue::host::{Endpoint, EndpointConfig, Flow, Gone, Id, Listen, ListenerId, OpenError, Received, Signal};
use segue::{Arc, CloseReason, Config, Error, Flags, IcmpKind, Instant, Knob, Segment, State};
use segue_kit::secs;

use super::world::{CLIENT, SERVER, World};

pub(crate) const PORT: u16 = 80;

pub(crate) fn server() -> SocketAddr {
    SocketAddr::new(SERVER, PORT)
}

/// Adds up the signals of an end by their names.
pub(super) fn count(signals: &[(Id, Signal)]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (_, signal) in signals {
        *counts.entry(signal.to_string()).or_insert(0) += 1;
    }
    counts
}

pub(super) fn expected<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.into_iter().map(|(name, n)| (name.to_string(), n)).collect()
}

/// The server's turn: a response for each request; `closes` after it. Adds the signals to `seen`.
fn serve(endpoint: &mut Endpoint, listener: ListenerId, closes: bool, now: Instant, seen: &mut Vec<(Id, Signal)>) {
    while endpoint.accept(listener).is_some() {}
    while let Some((id, signal)) = endpoint.poll_signal() {
        seen.push((id, signal));
        if signal == Signal::Readable {
            let mut socket = endpoint.socket(id, now).unwrap();
            assert_eq!(socket.chunk().unwrap(), "GET /");
            assert_eq!(socket.write(b"200 OK"), Ok(6));
            if closes {
                socket.close().unwrap();
            }
        }
    }
}

/// A client and a server with an open connection.
fn connected() -> (World, Id, ListenerId) {
    let mut world = World::plain();
    let listener = world.ends[1].listen(Listen::port(PORT)).unwrap();
    let id = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    world.flush(0);
    world.go(20, |_, _, _| {});
    assert_eq!(world.signals[0], [(id, Signal::Connected)]);
    (world, id, listener)
}

/// The same, with the id of the server's connection.
pub(crate) fn pair() -> (World, Id, Id) {
    let (mut world, client, listener) = connected();
    let server = world.ends[1].accept(listener).unwrap();
    world.signals = [Vec::new(), Vec::new()];
    (world, client, server)
}

/// Both ends: request, response, acknowledgment. And a user wakes once for each request.
#[test]
fn a_keep_alive_request_costs_three_segments_and_one_signal() {
    let (mut world, id, listener) = connected();
    let mut seen = Vec::new();
    for _ in 0..100 {
        world.sent = 0;
        world.ends[0].socket(id, world.now).unwrap().write(b"GET /").unwrap();
        world.flush(0);
        world.go(200, |endpoint, end, now| {
            if end == 1 {
                serve(endpoint, listener, false, now, &mut seen);
            } else {
                endpoint.socket(id, now).unwrap().chunk();
            }
        });
        assert!(world.sent <= 3, "{} segments", world.sent);
    }
    assert_eq!(count(&seen), expected([("readable", 100)]));
    // The client reads before it polls: nothing is left to be told.
    assert_eq!(count(&world.signals[0]), expected([("connected", 1)]));
}

/// What a host sends to itself does not come by the network (the "land" attack).
#[test]
fn a_packet_from_an_end_to_itself_is_dropped() {
    let mut world = World::plain();
    world.ends[1].listen(Listen::port(PORT)).unwrap();
    let segment = Segment { flags: Flags::SYN, ..Segment::default() };
    let packet = Packet { src_port: PORT, dst_port: PORT, segment };
    let addresses = PseudoHeader::new(SERVER, SERVER).unwrap();
    assert_eq!(world.ends[1].receive(addresses, packet, world.now), Received::Unusable);
    assert!(world.ends[1].is_empty() && !world.ends[1].wants_flush());
    let itself = Flow::new(server(), server()).unwrap();
    assert_eq!(world.ends[1].connect_from(itself, world.now), Err(OpenError::Unusable));
}

/// SYN, SYN,ACK, ACK, request, response with FIN, FIN, ACK: the client writes when it is connected.
#[test]
fn a_connection_for_each_request_costs_at_most_eight_segments() {
    let mut world = World::plain();
    let listener = world.ends[1].listen(Listen::port(PORT)).unwrap();
    let (mut seen, mut own) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        world.sent = 0;
        world.ends[0].connect(CLIENT, server(), world.now).unwrap();
        world.flush(0);
        world.go(200, |endpoint, end, now| {
            if end == 1 {
                return serve(endpoint, listener, true, now, &mut seen);
            }
            while let Some((id, signal)) = endpoint.poll_signal() {
                own.push((id, signal));
                match signal {
                    Signal::Connected => drop(endpoint.socket(id, now).unwrap().write(b"GET /")),
                    Signal::Readable => {
                        let mut socket = endpoint.socket(id, now).unwrap();
                        assert_eq!(socket.chunk().unwrap(), "200 OK");
                        socket.close().unwrap();
                    }
                    _ => {}
                }
            }
        });
        assert!(world.sent <= 6, "{} segments", world.sent);
    }
    let finished = CloseReason::Finished.to_string();
    let closed = format!("closed: {finished}");
    assert_eq!(count(&seen), expected([("readable", 100), ("the peer closed", 100), (&closed, 100)]));
    let all = expected([("connected", 100), ("readable", 100), ("the peer closed", 100), (&closed, 100)]);
    assert_eq!(count(&own), all);
    // The server closed first: its connections are in TIME-WAIT, and nobody else holds anything.
    assert_eq!((world.ends[0].len(), world.ends[1].len()), ((0, 0), (0, 100)));
    world.go(300_000, |_, _, _| {});
    assert_eq!((world.ends[1].len(), world.ends[1].next_deadline()), ((0, 0), None));
}

#[test]
fn writable_comes_after_a_short_write_and_only_then() {
    let (mut world, client, peer) = pair();
    let mut socket = world.ends[0].socket(client, world.now).unwrap();
    let room = socket.writable().unwrap();
    assert_eq!(socket.write(&vec![7; room]), Ok(room)); // all of it
    drop(socket);
    world.flush(0);
    let read = |endpoint: &mut Endpoint, end, now| {
        if end == 1 {
            assert!(endpoint.socket(peer, now).unwrap().chunks().all(|text| text.iter().all(|octet| *octet == 7)));
        }
    };
    world.go(2000, read);
    assert_eq!(world.signals[0], []);
    let mut socket = world.ends[0].socket(client, world.now).unwrap();
    assert_eq!(socket.write(&vec![7; room + 1]), Ok(room));
    drop(socket);
    world.flush(0);
    world.go(2000, read);
    assert_eq!(world.signals[0], [(client, Signal::Writable)]);
}

#[test]
fn flushed_comes_once_for_each_wish() {
    let (mut world, client, _) = pair();
    let mut socket = world.ends[0].socket(client, world.now).unwrap();
    socket.notify_flushed(); // nothing is written
    drop(socket);
    assert_eq!(world.ends[0].poll_signal(), Some((client, Signal::Flushed)));
    for wishes in [false, true] {
        let mut socket = world.ends[0].socket(client, world.now).unwrap();
        socket.write(b"text").unwrap();
        if wishes {
            socket.notify_flushed();
        }
        drop(socket);
        world.flush(0);
        world.go(100, |_, _, _| {});
        let signals = std::mem::take(&mut world.signals[0]);
        assert_eq!(signals.contains(&(client, Signal::Flushed)), wishes);
    }
}

/// A user that never stops writing hears of what it had written when it asked.
#[test]
fn flushed_does_not_wait_for_what_is_written_later() {
    let (mut world, client, peer) = pair();
    let mut written = [0; 2];
    for round in 0..20 {
        let mut socket = world.ends[0].socket(client, world.now).unwrap();
        written[1] += socket.write(&[7; 30_000]).unwrap();
        if round == 5 {
            socket.notify_flushed();
            written[0] = written[1];
        }
        let waiting = socket.info().unwrap().send_queue;
        drop(socket);
        world.flush(0);
        let acknowledged = written[1] - waiting;
        let told = std::mem::take(&mut world.signals[0]).contains(&(client, Signal::Flushed));
        assert!(waiting > 0 && (!told || round > 5 && acknowledged >= written[0]));
        if told {
            assert!(acknowledged < written[0] + 30_000, "late: {acknowledged} of {written:?}");
            return;
        }
        world.go(4, |endpoint, end, now| {
            if end == 1 {
                endpoint.socket(peer, now).unwrap().chunks().for_each(drop);
            }
        });
    }
    panic!("it never comes");
}

/// A timer behind another part of the turn runs in the flush: the host hears that it has to take another turn.
#[test]
fn a_connection_that_gives_up_in_a_flush_wakes_its_host() {
    let (mut world, client, _) = pair();
    world.faults.lost = 1000;
    let mut socket = world.ends[0].socket(client, world.now).unwrap();
    socket.set(Knob::UserTimeout(Some(secs(1)))).unwrap();
    socket.write(b"text").unwrap();
    drop(socket);
    world.flush(0);
    for _ in 0..20 {
        let Some(at) = world.ends[0].next_deadline() else { break };
        if at == Instant::ZERO {
            let reason = CloseReason::UserTimeout;
            assert_eq!(world.ends[0].poll_signal(), Some((client, Signal::Closed(reason))));
            assert!(world.ends[0].is_empty());
            return;
        }
        world.now = at;
        world.ends[0].socket(client, at).unwrap().set(Knob::Nagle(false)).unwrap(); // a part that comes before the timers
        world.ends[0].timers(at);
        assert_eq!(world.ends[0].poll_signal(), None);
        world.flush(0);
    }
    panic!("it did not give up");
}

/// Text that was delivered before the end is there after it.
#[test]
fn what_waits_can_be_read_after_the_end() {
    let (mut world, client, peer) = pair();
    world.ends[0].socket(client, world.now).unwrap().write(b"last words").unwrap();
    world.flush(0);
    world.go(100, |_, _, _| {});
    world.ends[0].socket(client, world.now).unwrap().abort();
    assert_eq!(world.ends[0].socket(client, world.now).map(drop), Err(Gone));
    world.flush(0);
    world.go(100, |_, _, _| {});
    assert_eq!(world.signals[1], [(peer, Signal::Readable), (peer, Signal::Closed(CloseReason::Reset))]);
    let mut socket = world.ends[1].socket(peer, world.now).unwrap();
    assert_eq!((socket.state(), socket.writable()), (State::Closed, Err(Error::NotConnected)));
    let mut octets = [0; 5];
    assert_eq!((socket.read(&mut octets), &octets), (5, b"last "));
    drop(socket);
    assert_eq!(world.ends[1].socket(peer, world.now).unwrap().chunk().unwrap(), "words");
    assert_eq!(world.ends[1].socket(peer, world.now).map(drop), Err(Gone));
    assert_eq!((world.ends[0].len(), world.ends[1].len()), ((0, 0), (0, 0)));
}

/// Release sends what was written; text that nobody will read draws a reset.
#[test]
fn release_ends_as_when_a_process_ends() {
    for unread in [false, true] {
        let (mut world, client, peer) = pair();
        if unread {
            world.ends[1].socket(peer, world.now).unwrap().write(b"unread").unwrap();
            world.flush(1);
            world.go(100, |_, _, _| {});
        }
        let mut socket = world.ends[0].socket(client, world.now).unwrap();
        socket.write(b"text").unwrap();
        socket.release();
        world.flush(0);
        world.go(100, |endpoint, end, now| {
            if end == 1 {
                if let Ok(mut socket) = endpoint.socket(peer, now) {
                    socket.chunks().for_each(drop);
                    let _ = socket.close();
                }
            }
        });
        let reason = if unread { CloseReason::Reset } else { CloseReason::Finished };
        assert_eq!(world.signals[1].last(), Some(&(peer, Signal::Closed(reason))));
        assert_eq!(world.ends[0].len(), (0, usize::from(!unread)));
    }
}

#[test]
fn strays_are_answered_as_by_a_tcp_without_connection() {
    let mut world = World::plain();
    let addresses = PseudoHeader::new(SERVER, CLIENT).unwrap();
    let packet = |flags| Packet { src_port: PORT, dst_port: 9, segment: Segment { flags, ..Segment::default() } };
    for (flags, answer) in [
        (Flags::SYN, Some(Flags::RST | Flags::ACK)),
        (Flags::ACK, Some(Flags::RST)),
        (Flags::empty(), Some(Flags::RST | Flags::ACK)),
        (Flags::all(), None),
        (Flags::RST, None),
    ] {
        assert_eq!(world.receive(0, addresses, packet(flags)), Received::Stray);
        let mut out = Vec::new();
        world.ends[0].flush(world.now, |to, packet| out.push((to, packet.src_port, packet.segment.flags)));
        assert_eq!(out, Vec::from_iter(answer.map(|answer| (addresses.reversed(), 9, answer))));
    }
    let multicast = PseudoHeader::new("224.0.0.1".parse().unwrap(), CLIENT).unwrap();
    assert_eq!(world.receive(0, multicast, packet(Flags::SYN)), Received::Unusable);
    let port_0 = Packet { src_port: 0, ..packet(Flags::SYN) };
    assert_eq!(world.receive(0, addresses, port_0), Received::Unusable);
    assert!(world.ends[0].is_empty() && !world.ends[0].wants_flush());
}

/// More answers than the limit are lost, as in a network.
#[test]
fn a_flood_of_strays_takes_no_more_than_its_limit() {
    let config = EndpointConfig { answers: 3, ..EndpointConfig::default() };
    let mut world = World::new([config, EndpointConfig::default()], 1);
    let addresses = PseudoHeader::new(SERVER, CLIENT).unwrap();
    for port in 1..100 {
        let segment = Segment { flags: Flags::SYN, ..Segment::default() };
        world.receive(0, addresses, Packet { src_port: port, dst_port: 9, segment });
    }
    let mut out = 0;
    world.ends[0].flush(world.now, |_, _| out += 1);
    assert_eq!(out, 3);
}

#[test]
fn what_cannot_be_opened_has_a_typed_answer() {
    let config = EndpointConfig { connections: 3, ports: 50_000..=50_001, ..EndpointConfig::default() };
    let mut world = World::new([config, EndpointConfig::default()], 1);
    let now = world.now;
    let [client, _] = &mut world.ends;
    assert_eq!(client.connect(CLIENT, "224.0.0.1:80".parse().unwrap(), now), Err(OpenError::Unusable));
    assert_eq!(client.connect(CLIENT, "[2001:db8::1]:80".parse().unwrap(), now), Err(OpenError::Unusable));
    assert_eq!(client.connect(CLIENT, SocketAddr::new(SERVER, 0), now), Err(OpenError::Unusable));
    let first = client.connect(CLIENT, server(), now).unwrap();
    client.connect(CLIENT, server(), now).unwrap();
    assert_eq!(client.connect(CLIENT, server(), now), Err(OpenError::NoPort));
    let flow = client.socket(first, now).unwrap().flow().unwrap();
    assert_eq!(client.connect_from(flow, now), Err(OpenError::InUse));
    client.connect(CLIENT, SocketAddr::new(SERVER, 81), now).unwrap();
    assert_eq!(client.connect(CLIENT, SocketAddr::new(SERVER, 82), now), Err(OpenError::Full));
    assert_eq!(client.len(), (3, 0));
}

/// A place that is used again has another generation.
#[test]
fn a_stale_id_is_gone_and_never_another_connection() {
    let mut world = World::plain();
    let mut old = Vec::new();
    for _ in 0..50 {
        let id = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
        assert!(!old.contains(&id) && Id::from_bits(id.to_bits()) == id && id.to_bits() != 0);
        for stale in &old {
            assert_eq!(world.ends[0].socket(*stale, world.now).map(drop), Err(Gone));
            assert_eq!(world.ends[0].admit(*stale, world.now), Err(Gone));
        }
        world.ends[0].socket(id, world.now).unwrap().abort();
        world.flush(0);
        old.push(id);
    }
    assert_eq!(world.ends[0].socket(Id::from_bits(7), world.now).map(drop), Err(Gone));
    assert_eq!(world.ends[0].socket(Id::from_bits(u64::MAX), world.now).map(drop), Err(Gone));
}

/// A user that does not read, and a peer that sends octet by octet: what waits are few pieces, and none pins a frame.
#[test]
fn what_waits_for_the_user_is_bounded_by_its_octets() {
    let (mut world, client, server) = pair();
    for n in 0..5000u32 {
        let mut socket = world.ends[0].socket(client, world.now).unwrap();
        socket.set(Knob::Nagle(false)).unwrap();
        assert_eq!(socket.write(&[n as u8]), Ok(1));
        drop(socket);
        world.flush(0);
        world.go(1, |_, _, _| {});
    }
    world.go(200, |_, _, _| {});
    let mut socket = world.ends[1].socket(server, world.now).unwrap();
    let pieces: Vec<_> = socket.chunks().collect();
    assert_eq!(pieces.concat(), (0..5000u32).map(|n| n as u8).collect::<Vec<u8>>());
    assert!(pieces.len() <= 2 * 5000 / 1024 + 1, "{} pieces", pieces.len());
}

/// Strays fill the queue of answers, and what our connections send goes out all the same.
#[test]
fn answers_to_strays_take_no_place_from_our_own_segments() {
    let config = EndpointConfig { answers: 4, ..EndpointConfig::default() };
    let mut world = World::new([config.clone(), config], 1);
    for n in 0..100 {
        let segment = Segment { flags: Flags::ACK, ..Segment::default() };
        let packet = Packet { src_port: 1000 + n, dst_port: 9, segment };
        let addresses = PseudoHeader::new(SERVER, CLIENT).unwrap();
        world.ends[0].receive(addresses, packet, world.now);
    }
    let opened = (0..50).filter(|_| world.ends[0].connect(CLIENT, server(), world.now).is_ok()).count();
    let (mut resets, mut syns) = (0, 0);
    world.ends[0].flush(world.now, |_, packet| match packet.segment.flags {
        Flags::SYN => syns += 1,
        _ => resets += 1,
    });
    assert_eq!((opened, syns, resets), (50, 50, 4));
}

/// The clock of connections ends before that of a host might: a turn ends then, too.
#[test]
fn a_turn_ends_after_the_end_of_time() {
    for now in [1 << 58, (1 << 58) + 1, u64::MAX].map(Instant::from_micros) {
        let mut world = World::plain();
        world.now = now;
        let listener = world.ends[1].listen(Listen::port(PORT)).unwrap();
        let client = world.ends[0].connect(CLIENT, server(), now).unwrap();
        let mut server = None;
        for turn in 0..12 {
            for end in [0, 1] {
                let mut out = Vec::new();
                world.ends[end].timers(now);
                world.ends[end].flush(now, |addresses, packet| out.push((addresses, packet)));
                for (addresses, packet) in out {
                    world.ends[1 - end].receive(addresses, packet, now);
                }
            }
            server = server.or_else(|| world.ends[1].accept(listener));
            if turn == 6 {
                world.ends[0].socket(client, now).unwrap().close().unwrap();
                world.ends[1].socket(server.expect("a connection"), now).unwrap().close().unwrap();
            }
        }
        assert!(world.ends.iter().any(|end| end.len().1 == 1), "TIME-WAIT at {now}");
    }
}

/// A SYN for the ports of a connection in TIME-WAIT opens the next one (RFC 6191, MAY-2).
#[test]
fn time_wait_hands_over_to_a_successor() {
    let (mut world, client, peer) = pair();
    let flow = world.ends[0].socket(client, world.now).unwrap().flow().unwrap();
    world.ends[1].socket(peer, world.now).unwrap().close().unwrap();
    world.flush(1);
    world.go(50, |endpoint, end, now| {
        if end == 0 {
            let _ = endpoint.socket(client, now).map(|mut socket| socket.close());
        }
    });
    assert_eq!((world.ends[0].len(), world.ends[1].len()), ((0, 0), (0, 1)));
    world.go(2000, |_, _, _| {});
    let again = world.ends[0].connect_from(flow, world.now).unwrap();
    world.flush(0);
    world.go(50, |_, _, _| {});
    assert_eq!(world.signals[0].last(), Some(&(again, Signal::Connected)));
    assert_eq!(world.ends[1].len(), (1, 0));
}

/// The ISS of the next connection comes after the numbers of the last one (MAY-2), behind a gate as well: also where the
/// last one used more of them than the clock of RFC 6528 moved on.
#[test]
fn a_successor_at_a_gate_has_a_later_iss() {
    for gate in [None, Some(secs(5))] {
        let mut world = World::plain();
        let listener = world.ends[1].listen(Listen { gate, ..Listen::port(PORT) }).unwrap();
        let now = world.now;
        let mut last = None;
        let mut flow = None;
        for round in 0..2 {
            let client = match flow {
                None => world.ends[0].connect(CLIENT, server(), now).unwrap(),
                Some(flow) => world.ends[0].connect_from(flow, world.now).unwrap(),
            };
            flow = world.ends[0].socket(client, world.now).unwrap().flow();
            world.flush(0);
            world.go(10, |endpoint, end, now| {
                if let (1, Some(incoming)) = (end, endpoint.incoming()) {
                    endpoint.admit(incoming.id, now).unwrap();
                }
            });
            world.flush(1);
            world.go(50, |_, _, _| {});
            let peer = world.ends[1].accept(listener).expect("a connection");
            let info = world.ends[1].socket(peer, world.now).unwrap().info().unwrap();
            if let Some(last) = last.replace(info.iss) {
                assert!(info.iss.after(last + 4_000_000), "{gate:?}: {} after {last}", info.iss);
            }
            if round == 1 {
                continue;
            }
            // within a second far more numbers than the clock's 250 for each ms
            let mut rest = 4_000_000;
            let mut socket = world.ends[1].socket(peer, world.now).unwrap();
            rest -= socket.write(&vec![7; rest]).unwrap();
            drop(socket);
            world.flush(1);
            world.go(800, |endpoint, end, now| {
                while let Some((id, signal)) = endpoint.poll_signal() {
                    let Ok(mut socket) = endpoint.socket(id, now) else { continue };
                    match (end, signal) {
                        (0, Signal::Readable) => socket.chunks().for_each(drop),
                        (1, Signal::Writable) => rest -= socket.write(&vec![7; rest]).unwrap(),
                        _ => {}
                    }
                }
            });
            assert_eq!(rest, 0);
            world.ends[1].socket(peer, world.now).unwrap().close().unwrap();
            world.flush(1);
            world.go(50, |endpoint, end, now| {
                if end == 0 {
                    let _ = endpoint.socket(client, now).map(|mut socket| socket.close());
                }
            });
            assert_eq!(world.ends[1].len(), (0, 1), "{gate:?}");
        }
    }
}

#[test]
fn beyond_its_limit_the_oldest_time_wait_ends() {
    let config = EndpointConfig { time_wait: 5, ..EndpointConfig::default() };
    let mut world = World::new([config, EndpointConfig::default()], 1);
    let listener = world.ends[1].listen(Listen::port(PORT)).unwrap();
    for _ in 0..20 {
        let id = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
        world.ends[0].socket(id, world.now).unwrap().close().unwrap(); // CLOSE in SYN-SENT ends it
        let id = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
        world.flush(0);
        world.go(50, |_, _, _| {});
        world.ends[0].socket(id, world.now).unwrap().close().unwrap();
        world.flush(0);
        world.go(50, |endpoint, end, now| {
            if let Some(id) = endpoint.accept(listener).filter(|_| end == 1) {
                endpoint.socket(id, now).unwrap().close().unwrap();
            }
        });
        assert!(world.ends[0].len().1 <= 5);
    }
    assert_eq!(world.ends[0].len(), (0, 5));
}

#[test]
fn an_icmp_error_goes_to_its_connection() {
    let mut world = World::plain();
    let id = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    let mut syn = Vec::new();
    world.ends[0].flush(world.now, |addresses, packet| syn.push((addresses, packet)));
    let (addresses, packet) = &syn[0];
    let quoted = Flow::of_received(
        addresses.reversed(),
        &Packet { src_port: packet.dst_port, dst_port: packet.src_port, segment: Segment::default() },
    );
    let (flow, now) = (quoted.unwrap(), world.now);
    let error = (IcmpKind::PortUnreachable, 0);
    assert_eq!(world.ends[0].icmp(&flow.reversed(), error, packet.segment.seq, now), Err(Gone));
    assert_eq!(world.ends[0].icmp(&flow, error, packet.segment.seq + 9, now), Ok(())); // blind
    world.flush(0);
    assert_eq!(world.ends[0].poll_signal(), None);
    assert_eq!(world.ends[0].icmp(&flow, error, packet.segment.seq, now), Ok(()));
    world.flush(0);
    let closed = Signal::Closed(CloseReason::Unreachable(IcmpKind::PortUnreachable));
    assert_eq!(world.ends[0].poll_signal(), Some((id, closed)));
    assert!(world.ends[0].is_empty());
}

/// A connection that does nothing holds no more than it was opened with: what it might need is there for others.
#[test]
fn the_budget_of_an_idle_connection_does_not_grow() {
    let config = EndpointConfig { memory: 4_000_000, ..EndpointConfig::default() };
    let mut world = World::new([config.clone(), config], 1);
    world.ends[1].listen(Listen::port(PORT)).unwrap();
    let mut opened = 0;
    while world.ends[0].connect(CLIENT, server(), world.now).is_ok() {
        opened += 1;
        let before = world.ends[0].memory();
        world.flush(0);
        world.go(1000, |_, _, _| {});
        assert_eq!(world.ends.each_ref().map(Endpoint::memory), [before; 2], "{opened}");
    }
    assert_eq!((opened, world.ends[0].len().0), (4_000_000 / (world.ends[0].memory() / opened), opened));
}

/// Windows grow while the budget has room, then writes take less, then nothing is opened; and all of it comes back.
#[test]
fn the_budget_holds_over_all_connections() {
    let connection = Config::builder().receive_buffer_initial(16_384).build().unwrap();
    let memory = 600_000;
    let config = EndpointConfig { memory, connection: Arc::new(connection), ..EndpointConfig::default() };
    let mut world = World::new([config.clone(), config], 1);
    let listener = world.ends[1].listen(Listen::port(PORT)).unwrap();
    let mut ids = Vec::new();
    loop {
        match world.ends[0].connect(CLIENT, server(), world.now) {
            Ok(id) => ids.push(id),
            Err(error) => break assert_eq!(error, OpenError::Full),
        }
    }
    assert!((10..20).contains(&ids.len()), "{}", ids.len());
    world.flush(0);
    let mut left: BTreeMap<Id, usize> = ids.iter().map(|id| (*id, 100_000)).collect();
    let mut read = 0;
    world.go(60_000, |endpoint, end, now| {
        assert!(endpoint.memory() <= memory, "{}", endpoint.memory());
        while endpoint.accept(listener).is_some() {}
        while let Some((id, signal)) = endpoint.poll_signal() {
            let Ok(mut socket) = endpoint.socket(id, now) else { continue };
            match signal {
                Signal::Connected | Signal::Writable => {
                    let rest = left.get_mut(&id).unwrap();
                    *rest -= socket.write(&vec![7; *rest]).unwrap();
                    if *rest == 0 {
                        socket.close().unwrap();
                    }
                }
                Signal::Readable => read += socket.chunks().map(|text| text.len()).sum::<usize>(),
                Signal::PeerClosed if end == 1 => socket.close().unwrap(),
                _ => {}
            }
        }
    });
    assert_eq!((read, left.values().sum::<usize>()), (ids.len() * 100_000, 0));
    world.run(world.now + secs(300), |_, _, _| {});
    assert_eq!([0, 1].map(|end| (world.ends[end].len(), world.ends[end].memory())), [((0, 0), 0); 2]);
}
