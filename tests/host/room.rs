//! Devices that have no room.

use std::time::Duration;

use segue::codec::Packet;
use segue::host::{Endpoint, EndpointConfig, Id, Keys, Listen};
use segue::{Arc, Config, Flags, Instant};
use segue_kit::{Rng, ms};

use super::endpoint::pair;
use super::world::{CLIENT, SERVER};

fn end(answers: usize) -> Endpoint {
    // No segment is sent twice, unless one is lost: the round trips are longer than any RTO at first.
    let connection = Arc::new(Config::builder().min_rto(Duration::from_secs(10)).build().unwrap());
    let config = EndpointConfig { answers, connection, ..EndpointConfig::default() };
    Endpoint::new(Keys::new(*b"a key of a test."), config)
}

/// The number of packets that the device took.
fn pass(from: &mut Endpoint, to: &mut Endpoint, room: usize, now: Instant) -> usize {
    let mut taken = 0;
    from.flush_while(now, |addresses, packet| {
        if taken == room {
            return false;
        }
        taken += 1;
        to.receive(addresses, packet.clone(), now);
        true
    });
    taken
}

fn retransmissions(tcp: &mut Endpoint, id: Id, now: Instant) -> u64 {
    tcp.socket(id, now).unwrap().info().unwrap().counters.retransmissions
}

/// A device with room for two packets each millisecond, and a window of ten and more: all arrive, in order, once.
#[test]
fn what_the_device_does_not_take_waits_and_comes_first() {
    let (mut client, mut server, mut now) = (end(4096), end(4096), Instant::from_millis(1));
    let listener = server.listen(Listen::port(80)).unwrap();
    let id = client.connect(CLIENT, (SERVER, 80).into(), now).unwrap();
    assert_eq!(pass(&mut client, &mut server, 0, now), 0);
    assert!(client.wants_flush(), "the SYN waits");
    let text: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let (mut unsent, mut got, mut peer, mut waited) = (bytes::Bytes::from(text.clone()), Vec::new(), None, 0);
    while got.len() < text.len() {
        now += Duration::from_millis(1);
        client.socket(id, now).unwrap().write_bytes(&mut unsent).unwrap();
        pass(&mut client, &mut server, 2, now);
        waited += usize::from(client.wants_flush());
        peer = peer.or_else(|| server.accept(listener));
        if let Some(peer) = peer {
            got.extend(server.socket(peer, now).unwrap().chunks().flatten());
        }
        pass(&mut server, &mut client, 2, now);
        client.timers(now);
        server.timers(now);
    }
    assert!(got == text && waited > 20, "{waited}");
    assert_eq!(retransmissions(&mut client, id, now), 0);
}

#[test]
fn no_more_wait_than_the_limit() {
    let (mut server, now) = (end(8), Instant::from_millis(1));
    for port in 1..=100 {
        let packet = Packet { src_port: port, dst_port: 80, ..Packet::default() };
        let ends = segue::codec::PseudoHeader::new(CLIENT, SERVER).unwrap();
        server.receive(ends, packet, now);
        server.flush_while(now, |_, _| false);
    }
    let mut ports = Vec::new();
    server.flush(now, |_, packet| ports.push(packet.dst_port));
    assert_eq!(ports, (1..=8).collect::<Vec<u16>>());
    assert!(!server.wants_flush());
}

/// A device that drains while it is filled: what came first goes first all the same.
#[test]
fn after_a_refusal_nothing_is_offered_in_this_flush() {
    let (mut server, now) = (end(4096), Instant::from_millis(1));
    let ends = segue::codec::PseudoHeader::new(CLIENT, SERVER).unwrap();
    for port in 1..=10 {
        server.receive(ends, Packet { src_port: port, dst_port: 80, ..Packet::default() }, now);
    }
    let (mut offered, mut taken) = (0, Vec::new());
    for _ in 0..5 {
        server.flush_while(now, |_, packet| {
            offered += 1;
            let takes = offered % 3 != 0;
            taken.extend(takes.then_some(packet.dst_port));
            takes
        });
    }
    assert_eq!(taken, (1..=10).collect::<Vec<u16>>());
}

/// What waits for a device takes no place from a reset and a SYN of our own.
#[test]
fn a_full_device_takes_no_place_from_later_segments() {
    let (mut client, mut server, mut now) = (end(8), end(8), Instant::from_millis(1));
    let listener = server.listen(Listen::port(80)).unwrap();
    let [busy, idle] = [(); 2].map(|()| client.connect(CLIENT, (SERVER, 80).into(), now).unwrap());
    for _ in 0..60 {
        now += Duration::from_millis(1);
        client.socket(busy, now).unwrap().write(&[1; 100_000]).unwrap();
        pass(&mut client, &mut server, usize::MAX, now);
        while server.accept(listener).is_some() {}
        while let Some((id, _)) = server.poll_signal() {
            server.socket(id, now).unwrap().chunks().for_each(drop);
        }
        pass(&mut server, &mut client, usize::MAX, now);
    }
    client.socket(busy, now).unwrap().write(&[1; 400_000]).unwrap();
    assert_eq!(pass(&mut client, &mut server, 0, now), 0);
    client.socket(idle, now).unwrap().abort();
    client.connect(CLIENT, (SERVER, 80).into(), now).unwrap();
    assert_eq!(pass(&mut client, &mut server, 0, now), 0);
    let (mut all, mut ours) = (0, Vec::new());
    client.flush(now, |_, packet| {
        all += 1;
        ours.extend(Some(packet.segment.flags).filter(|flags| flags.intersects(Flags::RST | Flags::SYN)));
    });
    assert!(all > 80 && ours.len() == 2, "{all} segments, {ours:?}");
}

/// A device that takes a few packets at a time: nothing is lost, nothing is sent twice, and all comes in its order.
#[test]
fn what_a_full_device_does_not_take_leaves_later() {
    for seed in 0..40 {
        let rng = &mut Rng::new(seed);
        let (mut world, client, server) = pair();
        let (mut left, mut got) = ([300_000usize; 2], [0; 2]);
        for _ in 0..20_000 {
            for (end, id) in [(0, client), (1, server)] {
                world.arrive(end);
                let now = world.now;
                world.ends[end].timers(now);
                let mut socket = world.ends[end].socket(id, now).unwrap();
                got[end] += socket.chunks().map(|text| text.len()).sum::<usize>();
                let text: Vec<u8> = vec![7; left[end]];
                left[end] -= socket.write(&text).unwrap();
                drop(socket);
                world.flush_into(end, rng.pick(&[1, 2, 20]));
            }
            world.now += ms(1);
            if got == [300_000; 2] {
                break;
            }
        }
        assert_eq!((got, left), ([300_000; 2], [0; 2]), "seed {seed}");
        for (end, id) in [(0, client), (1, server)] {
            let counters = world.ends[end].socket(id, world.now).unwrap().info().unwrap().counters;
            assert_eq!((counters.retransmissions, counters.duplicate_acks), (0, 0), "seed {seed}");
        }
    }
}

/// Text whose memory is shared with the test.
#[derive(Clone)]
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Segments that a device had no room for hold none of the memory of a write once their connection is over, whoever ended
/// it; what says that it is over leaves all the same, and other connections lose nothing.
#[test]
fn what_waits_of_a_connection_that_is_over_holds_no_text() {
    for by_peer in [false, true] {
        let (mut client, mut server, now) = (end(4096), end(4096), Instant::from_millis(1));
        let listener = server.listen(Listen::port(80)).unwrap();
        let [over, other] = [(); 2].map(|()| client.connect(CLIENT, (SERVER, 80).into(), now).unwrap());
        for _ in 0..3 {
            pass(&mut client, &mut server, usize::MAX, now);
            pass(&mut server, &mut client, usize::MAX, now);
        }
        let peers: Vec<Id> = std::iter::from_fn(|| server.accept(listener)).collect();
        let text = Shared(vec![7; 100_000].into());
        client.socket(over, now).unwrap().write_bytes(&mut bytes::Bytes::from_owner(text.clone())).unwrap();
        pass(&mut client, &mut server, 1, now);
        client.socket(other, now).unwrap().write(&[1; 5000]).unwrap();
        assert!(Arc::strong_count(&text.0) > 1, "it waits for a device");
        let peer = peers.into_iter().find(|id| server.socket(*id, now).unwrap().readable() > 0).unwrap();
        server.socket(peer, now).unwrap().chunks().for_each(drop); // the peer's copy is the same memory here
        if by_peer {
            server.socket(peer, now).unwrap().abort();
            pass(&mut server, &mut client, usize::MAX, now);
        } else {
            client.socket(over, now).unwrap().abort();
        }
        let (mut resets, mut octets) = (0, 0);
        assert_eq!(Arc::strong_count(&text.0), 1, "aborted by the peer: {by_peer}");
        client.flush(now, |_, packet| {
            resets += usize::from(packet.segment.flags.contains(Flags::RST));
            octets += packet.segment.payload.len();
        });
        assert_eq!((resets, octets), (usize::from(!by_peer), 5000), "aborted by the peer: {by_peer}");
    }
}

/// After a turn with very many packets the queue of the next turn is as small as ever.
#[test]
fn a_long_queue_gives_its_memory_back() {
    let ends = segue::codec::PseudoHeader::new(CLIENT, SERVER).unwrap();
    let now = Instant::from_millis(1);
    let held = |packets: u16| {
        let mut server = end(4096);
        let info = allocation_counter::measure(|| {
            for port in 1..=packets {
                server.receive(ends, Packet { src_port: port, dst_port: 80, ..Packet::default() }, now);
            }
            server.flush(now, |_, _| {});
        });
        info.bytes_current
    };
    assert!(held(4000) <= held(60), "{} and {} octets", held(4000), held(60));
}
