//! Signals: who waits is told, once, and of nothing else.

use segue::host::{Endpoint, EndpointConfig, Keys, Listen, Signal};
use segue::{Arc, CloseReason, Config, Instant};
use segue_kit::ms;

use super::endpoint::{PORT, count, expected, pair, server};
use super::world::{CLIENT, World, cost_of_one};

/// What the task has done without a signal, it is not told of.
#[test]
fn no_signal_comes_for_text_that_was_read_nor_for_room_that_was_filled() {
    let (mut world, client, server) = pair();
    let now = world.now;
    let text = vec![7; 1_000_000];
    let mut socket = world.ends[0].socket(client, now).unwrap();
    let mut written = socket.write(&text).unwrap();
    assert!(written < text.len());
    drop(socket);
    world.flush(0);
    let mut told = 0;
    world.go(1000, |endpoint, end, now| {
        let mut socket = endpoint.socket([client, server][end], now).unwrap();
        if end == 1 {
            told += socket.chunks().count();
        } else if socket.writable().unwrap() > 0 && written < text.len() {
            written += socket.write(&text[written..]).unwrap();
        }
    });
    assert!(told > 100, "{told} pieces were read");
    assert_eq!(written, text.len());
    assert_eq!(count(&world.signals[1]), expected([]));
    // All room was filled before a poll, but the room for the last piece.
    let last = count(&world.signals[0]);
    assert!(last == expected([]) || last == expected([("writable", 1)]), "{last:?}");
    // Nor after a close.
    let mut socket = world.ends[0].socket(client, world.now).unwrap();
    assert!(socket.write(&text).unwrap() < text.len());
    socket.close().unwrap();
    drop(socket);
    world.signals = [Vec::new(), Vec::new()];
    world.flush(0);
    world.go(1000, |endpoint, end, now| {
        if end == 1 {
            endpoint.socket(server, now).unwrap().chunks().for_each(drop);
        }
    });
    assert_eq!(count(&world.signals[0]), expected([]));
    assert_eq!(count(&world.signals[1]), expected([("the peer closed", 1)]));
}

/// A host that never polls, and users that come, read and go: nothing is kept for signals, and the host does not wake for
/// what nobody needs; also behind a signal that waits.
#[test]
fn signals_that_nobody_needs_leave_nothing_behind() {
    for waits in [false, true] {
        let mut world = World::plain();
        let listener = world.ends[1].listen(Listen::port(PORT)).unwrap();
        let (mut octets, mut accepted) = (0, 0);
        for round in 0..400 {
            for _ in 0..10 {
                let id = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
                world.ends[0].socket(id, world.now).unwrap().write(b"hello").unwrap();
            }
            world.flush(0);
            for _ in 0..4 {
                world.now += ms(5);
                let _ = [world.arrive(0), world.arrive(1)];
                [0, 1].into_iter().for_each(|end| world.flush(end));
            }
            while world.ends[0].poll_signal().is_some() {}
            while let Some(id) = world.ends[1].accept(listener) {
                accepted += 1;
                if waits && accepted == 1 {
                    continue;
                }
                assert_eq!(world.ends[1].socket(id, world.now).unwrap().chunks().count(), 1);
                world.flush(1);
                assert_eq!(waits, world.ends[1].next_deadline() == Some(Instant::ZERO), "the text was read");
                world.ends[1].socket(id, world.now).unwrap().abort();
            }
            world.flush(1);
            if round == 20 {
                octets = world.ends[1].table_octets();
            }
        }
        assert_eq!((accepted, world.ends[1].len().0), (4000, usize::from(waits)));
        assert!(world.ends[1].table_octets() <= octets, "{} octets, {octets} at first", world.ends[1].table_octets());
    }
}

/// Nothing was written: all that the peer acknowledges is the SYN.
#[test]
fn flushed_comes_with_the_handshake_where_nothing_was_written() {
    let mut world = World::plain();
    world.ends[1].listen(Listen::port(PORT)).unwrap();
    let id = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    world.ends[0].socket(id, world.now).unwrap().notify_flushed();
    world.flush(0);
    world.go(100, |_, _, _| {});
    assert_eq!(world.signals[0], [(id, Signal::Connected), (id, Signal::Flushed)]);
}

#[test]
fn closed_comes_last_whatever_its_user_asks_for() {
    let (mut world, client, server) = pair();
    assert_eq!(world.ends[1].socket(server, world.now).unwrap().set_receive_low_water(1000), 1000);
    world.ends[0].socket(client, world.now).unwrap().write(&[1; 100]).unwrap();
    world.flush(0);
    world.go(300, |_, _, _| {});
    world.ends[0].socket(client, world.now).unwrap().abort();
    world.flush(0);
    world.go(300, |_, _, _| {});
    assert_eq!(world.signals[1].last(), Some(&(server, Signal::Closed(CloseReason::Reset))));
    let mut socket = world.ends[1].socket(server, world.now).unwrap();
    socket.set_receive_low_water(1);
    assert_eq!(socket.readable(), 100);
    drop(socket);
    assert_eq!(world.ends[1].poll_signal(), None);
}

/// A writer that waited for the budget moves where others hold all of it: it has room of its own, and is told.
#[test]
fn room_of_its_own_is_told_in_a_full_endpoint() {
    let small = Arc::new(Config::builder().receive_buffer(1000).build().unwrap());
    let config = |memory| EndpointConfig { connection: small.clone(), memory, ..EndpointConfig::default() };
    let mut world = World::new([config(cost_of_one() + 2000), EndpointConfig::default()], 1);
    let listener = world.ends[1].listen(Listen::port(PORT)).unwrap();
    let id = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    world.flush(0);
    world.go(100, |_, _, _| {});
    let peer = world.ends[1].accept(listener).unwrap();
    assert!(world.ends[0].socket(id, world.now).unwrap().write(&[1; 9000]).unwrap() < 9000);
    // In an endpoint without limits, which nobody polls, all is acknowledged.
    let now = world.now;
    let detached = world.ends[0].detach(id, now).unwrap();
    let mut other = Endpoint::new(Keys::new([3; 16]), config(usize::MAX));
    let id = other.attach(detached, now).unwrap();
    let mut there = Vec::new();
    world.ends[0].flush(now, |ends, packet| there.push((ends, packet)));
    for _ in 0..9 {
        for (ends, packet) in there.drain(..) {
            world.ends[1].receive(ends, packet, now);
        }
        world.ends[1].socket(peer, now).unwrap().chunks().for_each(drop);
        world.ends[1].flush(now, |ends, packet| {
            other.receive(ends, packet, now);
        });
        other.flush(now, |ends, packet| there.push((ends, packet)));
    }
    assert_eq!(other.socket(id, now).unwrap().info().unwrap().send_queue, 0);
    let detached = other.detach(id, now).unwrap();
    let id = world.ends[0].attach(detached, now).unwrap();
    assert_eq!(world.ends[0].poll_signal(), Some((id, Signal::Writable)));
    assert!(world.ends[0].socket(id, now).unwrap().writable().unwrap() >= 4096);
}
