//! Fast Open between endpoints (RFC 7413): cookies, refusals, and the requests that are pending.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use segue::codec::{Packet, PseudoHeader};
use segue::host::{
    Backlog, Endpoint, FastOpenCache, FastOpenQueue, Full, Id, Keys, Listen, ListenerId, Received, Signal,
};
use segue::{
    CloseReason, FastOpenCookie, FastOpenRefusal, Flags, IcmpKind, Instant, Options, Report, Segment, SeqNum, State,
};
use segue_kit::{ms, secs};

use super::world::{CLIENT, SERVER, World};

const WEB: SocketAddr = SocketAddr::new(SERVER, 80);

/// A world whose server takes this number of pending requests.
fn world(fast_open: usize) -> (World, ListenerId) {
    let mut world = World::plain();
    let listener = world.ends[1].listen(Listen { fast_open, ..Listen::port(80) }).unwrap();
    (world, listener)
}

/// The client opens with this text; its SYN is on its way.
fn open(world: &mut World, octets: usize) -> Id {
    let now = world.now;
    let mut text = Bytes::from(vec![7; octets]);
    let id = world.ends[0].connect_fast_open(CLIENT, WEB, &mut text, now).unwrap();
    assert!(text.is_empty(), "there is room for all");
    world.flush(0);
    id
}

/// The client has a cookie.
fn with_cookie(fast_open: usize) -> (World, ListenerId) {
    let (mut world, listener) = world(fast_open);
    open(&mut world, 10);
    world.go(100, |_, _, _| {});
    world.ends[1].accept(listener).expect("it is open");
    (world, listener)
}

fn reports(world: &World, end: usize, id: Id) -> Vec<Report> {
    let of =
        |(of, signal): &(Id, Signal)| if let (true, Signal::Report(r)) = (*of == id, signal) { Some(*r) } else { None };
    world.signals[end].iter().filter_map(of).collect()
}

/// Octets that wait at the server's user.
fn readable(world: &mut World, id: Id) -> usize {
    let now = world.now;
    world.ends[1].socket(id, now).unwrap().readable()
}

/// The first connection brings the cookie, the second its text with the SYN.
#[test]
fn the_second_request_is_at_the_user_after_half_a_round_trip() {
    let (mut world, listener) = with_cookie(8);
    let client = open(&mut world, 3000);
    world.go(5, |_, _, _| {});
    let server = world.ends[1].accept(listener).expect("before the handshake is complete");
    assert_eq!(readable(&mut world, server), 1428, "a segment beside its options");
    let now = world.now;
    assert_eq!(world.ends[1].socket(server, now).unwrap().info().unwrap().state, State::SynReceived);
    world.ends[1].socket(server, now).unwrap().write(&[9; 500]).unwrap();
    world.flush(1);
    world.go(5, |_, _, _| {});
    let now = world.now;
    assert_eq!(world.ends[0].socket(client, now).unwrap().readable(), 500, "after a round trip");
    world.go(100, |_, _, _| {});
    assert_eq!(readable(&mut world, server), 3000);
    assert_eq!(reports(&world, 1, server), [Report::FastOpenConfirmed]);
    assert_eq!(reports(&world, 0, client), [], "the cookie is as it was");
}

/// §4.1.2: cookies change each hour, and a client that brings the last one gets the new one.
#[test]
fn an_old_cookie_is_taken_and_replaced_and_an_expired_one_is_not_taken() {
    for (hours, taken) in [(1, true), (2, false)] {
        let (mut world, listener) = with_cookie(8);
        world.now += secs(3600 * hours);
        let client = open(&mut world, 100);
        world.go(5, |_, _, _| {});
        assert_eq!(world.ends[1].accept(listener).is_some(), taken);
        world.go(100, |_, _, _| {});
        let told = reports(&world, 0, client);
        assert!(matches!(told[0], Report::FastOpenCookie { .. }), "{told:?}");
        let refused = Report::FastOpenRefused(FastOpenRefusal::NotAcknowledged);
        assert_eq!(told.contains(&refused), !taken);
        // the new one works: that the old one had expired is no refusal
        open(&mut world, 100);
        world.go(5, |_, _, _| {});
        let late = world.ends[1].accept(listener);
        assert!(world.ends[1].accept(listener).or(late).is_some());
    }
}

/// §4.1.3.1: where it did not work, it is not tried for an hour.
#[test]
fn a_refusal_is_remembered() {
    let (mut world, _) = world(0); // off
    open(&mut world, 10);
    let first = world.ends[0].poll_signal();
    world.go(100, |_, _, _| {});
    assert_eq!(first, None);
    let syn = |world: &mut World| {
        let (now, mut text) = (world.now, Bytes::from_static(b"GET /"));
        let id = world.ends[0].connect_fast_open(CLIENT, WEB, &mut text, now).unwrap();
        assert!(text.is_empty());
        let mut syn = None;
        world.ends[0].flush(now, |_, packet| syn = Some(packet.segment));
        assert_eq!(world.ends[0].socket(id, now).unwrap().info().unwrap().send_queue, 5);
        syn.expect("a SYN")
    };
    assert_eq!(syn(&mut world).options.fast_open(), None);
    world.now += secs(3601);
    assert_eq!(syn(&mut world).options.fast_open(), Some(FastOpenCookie::default()), "an hour later");
}

/// A path that drops SYNs with the option: the SYN again goes without, and the next connection as well.
#[test]
fn a_path_that_drops_the_option_is_remembered() {
    let (mut world, listener) = world(8);
    let id = open(&mut world, 10);
    world.now += ms(5);
    world.lose(1);
    world.go(3000, |_, _, _| {});
    assert_eq!(reports(&world, 0, id), [Report::FastOpenRefused(FastOpenRefusal::Timeout)]);
    let server = world.ends[1].accept(listener).expect("by the SYN without");
    assert_eq!(readable(&mut world, server), 10);
    open(&mut world, 10);
    world.go(100, |_, _, _| {});
    assert_eq!(world.signals[0].iter().filter(|(_, signal)| matches!(signal, Signal::Report(_))).count(), 1);
}

/// A SYN may be lost by chance: the first costs a minute, and only a path that drops each costs an hour.
#[test]
fn each_timeout_in_turn_is_remembered_for_twice_as_long() {
    let (keys, mut cache, mut now) = (Keys::new([7; 16]), FastOpenCache::new(), Instant::from_secs(1));
    let refusal = Report::FastOpenRefused(FastOpenRefusal::Timeout);
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
        cache.note(&keys, (CLIENT, WEB), &refusal, now);
        now += secs(60 * minutes);
        assert_eq!(cache.open(&keys, (CLIENT, WEB), Bytes::new(), now - ms(1)), None, "{minutes}");
        assert!(cache.open(&keys, (CLIENT, WEB), Bytes::new(), now).is_some(), "{minutes}");
    }
    now += secs(3600);
    cache.note(&keys, (CLIENT, WEB), &refusal, now);
    assert!(cache.open(&keys, (CLIENT, WEB), Bytes::new(), now + secs(60)).is_some(), "that was long ago");
}

/// A SYN with this cookie from this client, and the answer.
fn syn_from(world: &mut World, client: SocketAddr, cookie: FastOpenCookie) -> (Received, Option<Segment>) {
    let options = Options { mss: Some(1460), fast_open: Some(cookie), ..Options::default() };
    let syn = Segment {
        seq: SeqNum::new(5000),
        flags: Flags::SYN,
        window: 65_535,
        options: options.into(),
        payload: Bytes::from_static(b"GET /"),
        ..Segment::default()
    };
    let addresses = PseudoHeader::new(client.ip(), SERVER).unwrap();
    let received = world.receive(1, addresses, Packet { src_port: client.port(), dst_port: 80, segment: syn });
    let (now, mut answer) = (world.now, None);
    world.ends[1].flush(now, |_, packet| answer = Some(packet.segment));
    (received, answer)
}

/// The server's cookie for a client.
fn cookie_of(world: &World, client: IpAddr) -> FastOpenCookie {
    Keys::new(*b"a server's key..").fast_open_cookie(SERVER, client, world.now)
}

/// §4.2: beyond the limit handshakes are ordinary ones, and cookies are given all the same.
#[test]
fn rfc_7413_4_2_no_more_are_pending_than_the_limit() {
    let (mut world, listener) = world(3);
    let clients: Vec<SocketAddr> = (1..=5).map(|n| SocketAddr::from(([198, 51, 100, n], 4000))).collect();
    let answers: Vec<Segment> = clients
        .iter()
        .map(|client| {
            let cookie = cookie_of(&world, client.ip());
            syn_from(&mut world, *client, cookie).1.expect("a SYN,ACK")
        })
        .collect();
    let taken: Vec<u32> = answers.iter().map(|answer| answer.ack - SeqNum::new(5001)).collect();
    assert_eq!(taken, [5, 5, 5, 0, 0]);
    assert_eq!((0..5).filter(|_| world.ends[1].accept(listener).is_some()).count(), 3);
    let says = |world: &mut World, nth: usize, flags| {
        let (client, ack) = (clients[nth], answers[nth].seq + 1);
        let segment = Segment { seq: SeqNum::new(5006), ack, flags, window: 65_535, ..Segment::default() };
        let addresses = PseudoHeader::new(client.ip(), SERVER).unwrap();
        world.receive(1, addresses, Packet { src_port: client.port(), dst_port: 80, segment });
        let now = world.now;
        world.ends[1].flush(now, |_, _| {});
    };
    let opens = |world: &mut World, n: u8| {
        let client = SocketAddr::from(([203, 0, 113, n], 4000));
        let cookie = cookie_of(world, client.ip());
        let (_, answer) = syn_from(world, client, cookie);
        answer.expect("a SYN,ACK").ack == SeqNum::new(5006)
    };
    assert!(!opens(&mut world, 1));
    says(&mut world, 0, Flags::ACK); // its handshake is complete: there is room for one more
    assert!(opens(&mut world, 2) && !opens(&mut world, 3));
    // §5.1: one that is reset makes no room for a minute
    says(&mut world, 1, Flags::RST);
    assert!(!opens(&mut world, 4));
    world.now += secs(59);
    assert!(!opens(&mut world, 5));
    world.now += secs(1);
    assert!(opens(&mut world, 6) && !opens(&mut world, 7));
}

/// Cookies of other clients, made-up ones and odd lengths open nothing early; each is answered with the client's own.
#[test]
fn what_is_no_cookie_of_this_client_gets_one() {
    let (mut world, listener) = world(8);
    let client = SocketAddr::from(([198, 51, 100, 9], 4000));
    let (own, other) = (cookie_of(&world, client.ip()), cookie_of(&world, CLIENT));
    let made_up = [&[][..], &[0; 4], &[0; 8], &[1; 16]].map(|octets| FastOpenCookie::new(octets).unwrap());
    for (n, cookie) in made_up.into_iter().chain([other]).enumerate() {
        let client = SocketAddr::new(client.ip(), 4000 + n as u16);
        let (_, answer) = syn_from(&mut world, client, cookie);
        let answer = answer.expect("a SYN,ACK");
        assert_eq!((answer.ack, answer.options.fast_open()), (SeqNum::new(5001), Some(own)));
        assert_eq!(world.ends[1].accept(listener), None);
    }
    let (_, answer) = syn_from(&mut world, SocketAddr::new(client.ip(), 5000), own);
    assert_eq!(answer.map(|answer| (answer.ack, answer.options.fast_open())), Some((SeqNum::new(5006), None)));
}

/// In a flood of SYNs, and behind a gate, handshakes are ordinary ones.
#[test]
fn floods_and_gates_know_no_fast_open() {
    let backlogs = [
        Listen { backlog: Backlog { half_open: 0, full: Full::Cookies, ..Backlog::default() }, ..Listen::port(80) },
        Listen { gate: Some(secs(1)), ..Listen::port(80) },
    ];
    for listen in backlogs {
        let mut world = World::plain();
        world.ends[1].listen(Listen { fast_open: 8, ..listen }).unwrap();
        let client = SocketAddr::from(([198, 51, 100, 9], 4000));
        let cookie = cookie_of(&world, client.ip());
        let (received, answer) = syn_from(&mut world, client, cookie);
        assert!(matches!(received, Received::Cookie | Received::Held(_)), "{received:?}");
        assert!(answer.is_none_or(|answer| answer.ack == SeqNum::new(5001)));
    }
}

/// A pending request that nobody answers ends some time, and its place is free; so is that of one the user aborts.
#[test]
fn a_request_whose_client_is_silent_ends() {
    let (mut world, listener) = world(1);
    let client = |n| SocketAddr::from(([198, 51, 100, n], 4000));
    let opens = |world: &mut World, n| {
        let cookie = cookie_of(world, client(n).ip());
        syn_from(world, client(n), cookie).1.is_some_and(|answer| answer.ack == SeqNum::new(5006))
    };
    assert!(opens(&mut world, 1) && !opens(&mut world, 2));
    let id = world.ends[1].accept(listener).unwrap();
    world.go(200_000, |_, _, _| {});
    let closed = Signal::Closed(CloseReason::ConnectTimeout);
    assert!(world.signals[1].contains(&(id, closed)), "{:?}", world.signals[1]);
    assert!(opens(&mut world, 3) && !opens(&mut world, 4));
    let id = world.ends[1].accept(listener).unwrap();
    let now = world.now;
    world.ends[1].socket(id, now).unwrap().abort();
    world.ends[1].flush(now, |_, _| {});
    assert!(opens(&mut world, 5));
}

/// The memory of refusals and cookies is bounded, whatever the number of servers.
#[test]
fn the_cache_is_bounded_and_forgets_nothing_of_another_kind() {
    let (keys, mut cache, now) = (Keys::new([7; 16]), FastOpenCache::new(), Instant::from_secs(1));
    let cookie = FastOpenCookie::new(&[7; 8]).unwrap();
    let service = |n: u32| SocketAddr::new(IpAddr::from(n.to_be_bytes()), 80);
    for n in 1..100_000 {
        cache.note(&keys, (CLIENT, service(n)), &Report::FastOpenCookie { cookie, mss: 1000 }, now);
        let known = cache.open(&keys, (CLIENT, service(n)), Bytes::new(), now).unwrap();
        assert_eq!((known.cookie, known.mss), (cookie, Some(1000)));
    }
    let known = (1..100_000).filter(|n| {
        let open = cache.open(&keys, (CLIENT, service(*n)), Bytes::new(), now).unwrap();
        open.cookie == cookie
    });
    assert!(known.count() <= 256);
    let refusal = Report::FastOpenRefused(FastOpenRefusal::Icmp(IcmpKind::Unreachable));
    cache.note(&keys, (CLIENT, service(99_999)), &refusal, now);
    assert_eq!(cache.open(&keys, (CLIENT, service(99_999)), Bytes::new(), now), None);
    let other_port = SocketAddr::new(service(99_999).ip(), 81);
    assert_eq!(cache.open(&keys, (CLIENT, other_port), Bytes::new(), now).map(|open| open.cookie), Some(cookie));
    assert!(cache.open(&keys, (CLIENT, service(99_999)), Bytes::new(), now + Duration::from_secs(3600)).is_some());
}

#[test]
fn a_queue_never_admits_more_than_its_limit() {
    let (mut queue, mut now) = (FastOpenQueue::new(3), Instant::ZERO);
    for round in 0..1000u64 {
        let admitted = (0..10).filter(|_| queue.admits(now).then(|| queue.opened()).is_some()).count();
        assert!(admitted <= 3);
        match round % 3 {
            0 => (0..5).for_each(|_| queue.confirmed()),
            1 => (0..5).for_each(|_| queue.was_reset(now)),
            _ => now += secs(30),
        }
    }
}

/// More text than the send buffer holds: the rest waits for the user.
#[test]
fn text_beyond_the_send_buffer_stays_with_the_user() {
    let (mut world, listener) = with_cookie(8);
    let now = world.now;
    let mut text = Bytes::from(vec![7; 3_000_000]);
    let id = world.ends[0].connect_fast_open(CLIENT, WEB, &mut text, now).unwrap();
    assert!(!text.is_empty());
    world.flush(0);
    let mut got = 0;
    let end = world.now + secs(30);
    world.run(end, |endpoint: &mut Endpoint, end, now| {
        if end == 0 {
            if let Ok(mut socket) = endpoint.socket(id, now) {
                let _ = socket.write_bytes(&mut text);
            }
        } else {
            let mut read = |id, endpoint: &mut Endpoint| {
                if let Ok(mut socket) = endpoint.socket(id, now) {
                    got += socket.chunks().map(|piece| piece.len()).sum::<usize>();
                }
            };
            while let Some(id) = endpoint.accept(listener) {
                read(id, endpoint);
            }
            while let Some((id, _)) = endpoint.poll_signal() {
                read(id, endpoint);
            }
        }
    });
    assert_eq!(got, 10 + 3_000_000, "with the text of the first connection");
}
