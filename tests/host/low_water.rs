//! `Signal::Readable` from a number of octets on: `set_receive_low_water`.

use segue::host::{EndpointConfig, Id, Listen, Signal};
use segue::{Arc, Config, Knob};

use super::endpoint::{PORT, pair, server};
use super::world::{CLIENT, World};

/// The client writes these pieces, one by one; what the server hears of, and how many octets wait then.
fn heard(world: &mut World, client: Id, server: Id, pieces: &[usize]) -> Vec<(Signal, usize)> {
    let mut heard = Vec::new();
    for &octets in pieces {
        world.ends[0].socket(client, world.now).unwrap().write(&vec![7; octets]).unwrap();
        world.flush(0);
        world.go(300, |_, _, _| {});
        let waits = world.ends[1].socket(server, world.now).unwrap().readable();
        heard.extend(std::mem::take(&mut world.signals[1]).into_iter().map(|(_, signal)| (signal, waits)));
    }
    heard
}

#[test]
fn readable_waits_for_the_low_water_mark() {
    let (mut world, client, server) = pair();
    world.ends[1].socket(server, world.now).unwrap().set_receive_low_water(1000);
    assert_eq!(heard(&mut world, client, server, &[400, 400, 400, 400]), [(Signal::Readable, 1200)]);
    let mut socket = world.ends[1].socket(server, world.now).unwrap();
    assert_eq!(socket.read(&mut [0; 1000]), 1000); // 600 are left
    drop(socket);
    assert_eq!(heard(&mut world, client, server, &[300, 100, 100]), [(Signal::Readable, 1000)]);
    let mut socket = world.ends[1].socket(server, world.now).unwrap();
    socket.chunks().for_each(drop);
    drop(socket);
    assert_eq!(heard(&mut world, client, server, &[900]), []);
    world.ends[1].socket(server, world.now).unwrap().set_receive_low_water(0); // what waits is enough now
    assert_eq!(world.ends[1].poll_signal(), Some((server, Signal::Readable)));
    world.ends[1].socket(server, world.now).unwrap().chunks().for_each(drop);
    world.ends[1].socket(server, world.now).unwrap().set_receive_low_water(1000);
    assert_eq!(heard(&mut world, client, server, &[5]), []);
    world.ends[0].socket(client, world.now).unwrap().close().unwrap();
    world.flush(0);
    world.go(300, |_, _, _| {});
    assert_eq!(world.signals[1], [(server, Signal::Readable), (server, Signal::PeerClosed)]);
}

/// A user that reads at its signals alone gets all, whatever the mark and the buffer: a mark beyond the window would leave both
/// ends waiting.
#[test]
fn no_low_water_mark_stops_the_peer() {
    const OCTETS: usize = 500_000;
    for (buffer, scaled) in [(1000, false), (14_600, true), (1 << 20, false), (1 << 20, true)] {
        for (mark, knob) in [(1 << 30, None), (1 << 30, Some(3000)), (700, None)] {
            let config = Config::builder().receive_buffer(buffer).receive_buffer_initial(buffer.max(14_600));
            let connection = Arc::new(config.window_scaling(scaled).build().unwrap());
            let config = EndpointConfig { connection, ..EndpointConfig::default() };
            let mut world = World::new([EndpointConfig::default(), config], 1);
            let listener = world.ends[1].listen(Listen::port(PORT)).unwrap();
            let client = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
            let (mut left, mut got, mut signals) = (OCTETS, 0, 0);
            world.flush(0);
            world.go(3_600_000, |endpoint, end, now| {
                while let Some(id) = endpoint.accept(listener).filter(|_| end == 1) {
                    let mut socket = endpoint.socket(id, now).unwrap();
                    socket.set_receive_low_water(mark);
                    knob.into_iter().for_each(|octets| socket.set(Knob::ReceiveBuffer(octets)).unwrap());
                }
                while let Some((id, signal)) = endpoint.poll_signal() {
                    if signal == Signal::Readable {
                        signals += 1;
                        got += endpoint.socket(id, now).unwrap().chunks().map(|text| text.len()).sum::<usize>();
                    }
                }
                if let (0, 1.., Ok(mut socket)) = (end, left, endpoint.socket(client, now)) {
                    left -= socket.write(&vec![7; left.min(50_000)]).unwrap();
                    if left == 0 {
                        socket.close().unwrap();
                    }
                }
            });
            assert_eq!((left, got), (0, OCTETS), "{buffer} {scaled} {mark} {knob:?}");
            let smallest = knob.map_or(buffer, |octets| octets.min(buffer));
            let most = OCTETS / mark.min(smallest as usize / 2) + 2; // before the mark was set, and at the end
            assert!(signals <= most, "{buffer} {scaled} {mark} {knob:?}: {signals} signals");
        }
    }
}
