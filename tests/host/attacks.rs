//! Attacks on a host, by the rows of `docs/attacks.md`: floods, forged packets, and what an outsider can learn.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use segue::codec::{Packet, PseudoHeader};
use segue::host::{
    Backlog, Endpoint, EndpointConfig, Flow, Full, Gone, Id, Keys, Listen, ListenerId, OpenError, Ports, Received,
    Signal,
};
use segue::ip::{self, Format};
use segue::{Arc, Config, Flags, IcmpKind, Instant, Options, Segment, SeqNum, State};
use segue_kit::{Rng, ms, secs};

use super::endpoint::{PORT, pair, server};
use super::listener::spoofed;
use super::world::{CLIENT, SERVER, World};

/// A world whose server listens with this backlog.
fn listening(backlog: Backlog, config: EndpointConfig) -> (World, ListenerId) {
    let mut world = World::new([EndpointConfig::default(), config], 1);
    let listener = world.ends[1].listen(Listen { backlog, ..Listen::port(PORT) }).unwrap();
    (world, listener)
}

/// The packets that an end has to send.
fn flushed(endpoint: &mut Endpoint, now: Instant) -> Vec<(PseudoHeader, Packet)> {
    let mut out = Vec::new();
    endpoint.flush(now, |addresses, packet| out.push((addresses, packet)));
    out
}

/// CVE-2017-6214: a reader goes by octets alone, wherever the pointer of the peer points, and is told once.
#[test]
fn a18_urgent_text_is_read_as_any_other() {
    for urgent in [0, 1, 2, 3, 4, 1000, u16::MAX] {
        let (mut world, client, server) = pair();
        let now = world.now;
        world.ends[0].socket(client, now).unwrap().write(b"abc").unwrap();
        for (addresses, mut packet) in flushed(&mut world.ends[0], now) {
            packet.segment.flags |= Flags::URG;
            packet.segment.urgent = urgent;
            for _ in 0..3 {
                world.receive(1, addresses, packet.clone());
            }
        }
        flushed(&mut world.ends[1], now);
        assert_eq!(world.ends[1].poll_signal(), Some((server, Signal::Readable)), "{urgent}");
        assert_eq!(world.ends[1].poll_signal(), None, "{urgent}");
        let mut socket = world.ends[1].socket(server, now).unwrap();
        assert_eq!((socket.readable(), socket.chunk()), (3, Some("abc".into())), "{urgent}");
        assert_eq!((socket.readable(), socket.chunk()), (0, None), "{urgent}");
    }
}

/// From the second part of the flood on, memory stays as it is and a SYN costs what it cost before, counted in allocations.
#[test]
fn b1_a_flood_of_syns_costs_each_the_same_and_no_memory_beyond_the_limits() {
    for full in [Full::Cookies, Full::EvictOldest, Full::Drop, Full::Reset] {
        let backlog = Backlog { half_open: 256, full, ..Backlog::default() };
        let (mut world, _) = listening(backlog, EndpointConfig::default());
        let mut n = 0;
        let mut part = || {
            let work = allocation_counter::measure(|| {
                for _ in 0..2000 {
                    n += 1;
                    let (addresses, packet) = spoofed(n);
                    world.receive(1, addresses, packet);
                    if n % 16 == 0 {
                        let now = world.now;
                        world.ends[1].flush(now, |_, _| {});
                    }
                }
            });
            let server = &world.ends[1];
            assert_eq!(server.len(), (256, 0), "{full:?}");
            (work.count_total, work.bytes_current, server.memory(), server.table_octets())
        };
        part(); // the queue fills
        let early = part();
        for _ in 0..6 {
            let later = part();
            assert!(later.0 <= early.0 + early.0 / 50, "{full:?}: {} allocations, {} before", later.0, early.0);
            assert!(later.1 <= 4096, "{full:?}: {} octets more", later.1);
            assert_eq!((later.2, later.3), (early.2, early.3), "{full:?}");
        }
    }
}

/// The connections are as many as the endpoint may have: those who are there go on, and nobody is let in, not even by the
/// user, until one ends.
#[test]
fn b1_a_full_table_serves_those_who_are_in_it() {
    let config = EndpointConfig { connections: 4, ..EndpointConfig::default() };
    let (mut world, listener) = listening(Backlog::default(), config);
    let client = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    world.flush(0);
    world.go(50, |_, _, _| {});
    let peer = world.ends[1].accept(listener).expect("a connection");
    let elsewhere = SocketAddr::new(CLIENT, 9);
    while world.ends[1].connect(SERVER, elsewhere, world.now).is_ok() {}
    assert_eq!(world.ends[1].connect(SERVER, elsewhere, world.now), Err(OpenError::Full));
    let memory = world.ends[1].memory();
    for n in 0..1000 {
        let (addresses, packet) = spoofed(n);
        assert_eq!(world.receive(1, addresses, packet), Received::Full);
    }
    assert_eq!((world.ends[1].len(), world.ends[1].memory()), ((4, 0), memory));
    for _ in 0..5 {
        world.ends[0].socket(client, world.now).unwrap().write(b"ping").unwrap();
        world.flush(0);
        world.go(50, |endpoint, end, now| {
            if end == 1 {
                let mut socket = endpoint.socket(peer, now).unwrap();
                if socket.chunk().is_some() {
                    socket.write(b"pong").unwrap();
                }
            }
        });
        assert_eq!(world.ends[0].socket(client, world.now).unwrap().chunk().unwrap(), "pong");
    }
    world.ends[1].socket(peer, world.now).unwrap().abort();
    world.flush(1);
    let (addresses, packet) = spoofed(1);
    assert!(matches!(world.receive(1, addresses, packet), Received::Opened(_)));
}

/// A server that keeps nothing for a SYN, and the ACK that brings its cookie back.
fn with_a_cookie_out() -> (World, ListenerId, (PseudoHeader, Packet)) {
    let (mut world, listener) = listening(Backlog { half_open: 0, ..Backlog::default() }, EndpointConfig::default());
    let now = world.now;
    world.ends[0].connect(CLIENT, server(), now).unwrap();
    for (addresses, syn) in flushed(&mut world.ends[0], now) {
        assert_eq!(world.receive(1, addresses, syn), Received::Cookie);
    }
    for (addresses, syn_ack) in flushed(&mut world.ends[1], now) {
        world.receive(0, addresses, syn_ack);
    }
    let ack = flushed(&mut world.ends[0], now).pop().expect("the ACK of the handshake");
    (world, listener, ack)
}

/// 100,000 guesses, changes of a true cookie, and a true one that is too old: each draws a reset, and nothing is kept.
#[test]
fn b2_forged_and_expired_cookies_are_reset_and_leave_nothing() {
    let (mut world, listener, (addresses, good)) = with_a_cookie_out();
    let refused = |world: &mut World, addresses, packet: Packet| {
        let expected = packet.segment.ack;
        // A guess may have the twelve bits that tell a segment that comes too early: such a one is dropped.
        let received = world.receive(1, addresses, packet);
        let now = world.now;
        let answers = flushed(&mut world.ends[1], now);
        let resets =
            answers.iter().filter(|(_, answer)| (answer.segment.flags, answer.segment.seq) == (Flags::RST, expected));
        match received {
            Received::Stray => assert_eq!((resets.count(), answers.len()), (1, 1)),
            Received::Full => assert!(answers.is_empty()),
            other => panic!("{other:?}"),
        }
        assert!(world.ends[1].is_empty() && world.ends[1].memory() == 0);
        received == Received::Full
    };
    let rng = &mut Rng::new(7);
    let mut early = 0;
    for n in 0..20_000u32 {
        let mut forged = good.clone();
        if n < 64 {
            let number = if n < 32 { &mut forged.segment.ack } else { &mut forged.segment.seq };
            *number = SeqNum::new(number.value() ^ 1 << (n % 32));
        } else {
            forged.segment.ack = SeqNum::new(rng.next() as u32);
        }
        early += usize::from(refused(&mut world, addresses, forged));
    }
    assert!(early < 64 + 20, "{early} of 20,000 look like text that has overtaken its cookie");
    // Another client brings it.
    let thief = PseudoHeader::new("203.0.113.9".parse().unwrap(), SERVER).unwrap();
    refused(&mut world, thief, good.clone());
    refused(&mut world, addresses, Packet { src_port: good.src_port ^ 1, ..good.clone() });
    // It comes two minutes and a bit later, in the same flood.
    world.now += secs(100);
    let (syn, packet) = spoofed(3);
    assert_eq!(world.receive(1, syn, packet), Received::Cookie);
    let now = world.now;
    flushed(&mut world.ends[1], now);
    world.now += secs(29);
    assert!(!refused(&mut world, addresses, good));
    assert_eq!(world.ends[1].accept(listener), None);
}

/// A cookie that is seen on the way and sent again opens no second connection beside the first, nor in its TIME-WAIT. Once
/// nothing is left of the first, it opens one as its client could: it counts among those that are ready.
#[test]
fn b2_a_replayed_cookie_is_no_second_connection() {
    let (mut world, listener, (addresses, ack)) = with_a_cookie_out();
    let Received::Opened(id) = world.receive(1, addresses, ack.clone()) else { panic!("a good cookie") };
    for _ in 0..100 {
        assert_eq!(world.receive(1, addresses, ack.clone()), Received::Connection(id));
        let now = world.now;
        assert_eq!(flushed(&mut world.ends[1], now), [], "what says nothing new has no answer");
    }
    assert_eq!((world.ends[1].len(), world.ends[1].accept(listener)), ((1, 0), Some(id)));
    assert_eq!(world.ends[1].accept(listener), None);
    // Closed by both, the server first: TIME-WAIT.
    world.ends[1].socket(id, world.now).unwrap().close().unwrap();
    world.flush(1);
    world.go(50, |endpoint, end, now| {
        while let Some((id, signal)) = endpoint.poll_signal().filter(|_| end == 0) {
            if signal == Signal::PeerClosed {
                endpoint.socket(id, now).unwrap().close().unwrap();
            }
        }
    });
    assert_eq!(world.ends[1].len(), (0, 1));
    assert_eq!(world.receive(1, addresses, ack), Received::TimeWait);
    assert_eq!((world.ends[1].len(), world.ends[1].accept(listener)), ((0, 1), None));
}

/// Cookies that a listener did not send are not asked for, though the numbers are right.
#[test]
fn b2_without_a_flood_a_cookie_opens_nothing() {
    let (_, _, (addresses, ack)) = with_a_cookie_out();
    let (mut world, listener) = listening(Backlog::default(), EndpointConfig::default());
    assert_eq!(world.receive(1, addresses, ack.clone()), Received::Stray);
    let now = world.now;
    let answers = flushed(&mut world.ends[1], now);
    assert!(matches!(&answers[..], [(_, reset)] if reset.segment.flags == Flags::RST));
    assert!(world.ends[1].is_empty() && world.ends[1].accept(listener).is_none());
    // The same server, once it has sent a cookie itself.
    let (mut world, _) = listening(Backlog { half_open: 0, ..Backlog::default() }, EndpointConfig::default());
    let (syn, packet) = spoofed(1);
    assert_eq!(world.receive(1, syn, packet), Received::Cookie);
    assert!(matches!(world.receive(1, addresses, ack), Received::Opened(_)));
}

/// How far counts are from an even spread: the sum of (n - mean)² / mean, about as much as there are counts.
fn unevenness(counts: &[u32]) -> f64 {
    let mean = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
    counts.iter().map(|n| (f64::from(*n) - mean).powi(2) / mean).sum()
}

/// Asserts that 256 counts are as even as those of random numbers: 255 is expected, with a deviation of 22.6.
fn is_even(counts: [u32; 256], what: &str) {
    let unevenness = unevenness(&counts);
    assert!((120.0..400.0).contains(&unevenness), "{what}: {unevenness}");
}

/// An attacker opens connections of his own to the server and sees their numbers; the next one, of a neighbouring port or
/// address, has nothing to do with them: each octet of the difference is as even as chance, each bit of a flow changes half
/// of the bits of its number, and no two are the same.
#[test]
fn b3_numbers_of_other_flows_tell_nothing_about_this_one() {
    let now = Instant::from_millis(77);
    let flow = |port: u16, last: u8| {
        let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, last)), port);
        Flow::new(server(), peer).expect("unicast")
    };
    for key in 0..3u8 {
        let keys = Keys::new([key; 16]);
        let secrets = |port, last| keys.secrets(&flow(port, last), now, None);
        let kinds = ["two ports", "two addresses", "number and timestamp"];
        let mut counts = [[[0; 256]; 4]; 3]; // of each octet of each kind of difference
        let (mut seen, mut flipped, mut flips) = (BTreeSet::new(), 0, 0);
        for port in 1024..9216u16 {
            let (own, last) = (secrets(port, 7), port.to_be_bytes()[1].clamp(1, 254));
            assert!(seen.insert(own.iss.value()), "the same number twice");
            let others = [secrets(port + 1, 7).iss, secrets(port, 8).iss, SeqNum::new(secrets(port, last).ts_offset)];
            for (counts, other) in counts.iter_mut().zip(others) {
                for (counts, octet) in counts.iter_mut().zip((other - own.iss).to_be_bytes()) {
                    counts[usize::from(octet)] += 1;
                }
            }
            for bit in 0..16 {
                flipped += (secrets((port ^ 1 << bit).max(1), 7).iss.value() ^ own.iss.value()).count_ones();
                flips += 1;
            }
        }
        for (counts, kind) in counts.into_iter().zip(kinds) {
            counts.into_iter().for_each(|octet| is_even(octet, kind));
        }
        let share = f64::from(flipped) / f64::from(flips);
        assert!((15.8..16.2).contains(&share), "{share} of 32 bits change");
    }
    // What leaves has these numbers: active opens and passive ones, under the keys of `World`.
    let (client, host) = (Keys::new(*b"a client's key.."), Keys::new(*b"a server's key.."));
    let (mut world, _) = listening(Backlog::default(), EndpointConfig::default());
    let now = world.now;
    for _ in 0..50 {
        let id = world.ends[0].connect(CLIENT, server(), now).unwrap();
        let flow = world.ends[0].socket(id, now).unwrap().flow().unwrap();
        let (addresses, syn) = flushed(&mut world.ends[0], now).pop().unwrap();
        assert_eq!(syn.segment.seq, client.secrets(&flow, now, None).iss);
        world.receive(1, addresses, syn);
        let (_, syn_ack) = flushed(&mut world.ends[1], now).pop().unwrap();
        assert_eq!(syn_ack.segment.seq, host.secrets(&flow.reversed(), now, None).iss);
    }
}

/// SYNs with as much text as fits, from forged addresses: a half-open connection holds one segment of it at most, which the
/// budget counts, and a gate none.
#[test]
fn b4_text_on_the_syns_of_a_flood_is_within_the_budget() {
    for (gate, limit) in [(None, 2 * 1460), (Some(secs(5)), 0)] {
        let held = |text: usize| {
            let mut world = World::plain();
            world.ends[1].listen(Listen { gate, ..Listen::port(PORT) }).unwrap();
            let work = allocation_counter::measure(|| {
                for n in 0..500 {
                    let (addresses, mut packet) = spoofed(n);
                    packet.segment.payload = vec![7; text].into();
                    world.receive(1, addresses, packet);
                    let now = world.now;
                    world.ends[1].flush(now, |_, _| {});
                }
            });
            let server = &world.ends[1];
            assert_eq!(server.len(), (500, 0));
            let budget = server.memory() + server.table_octets();
            assert!(
                gate.is_some() || work.bytes_current <= budget as i64,
                "{} octets, {budget} in the budget",
                work.bytes_current
            );
            work.bytes_current
        };
        let (bare, full) = (held(0), held(9000));
        assert!(full <= bare + 500 * (limit + 64), "{gate:?}: {full} octets with text, {bare} without");
    }
}

/// Reflection: whatever comes from a forged address, whose owner never completes a handshake, draws one datagram at most. That
/// is four octets longer at most, a SYN without options, whose answer says our MSS; a SYN that comes again is answered with the
/// options of the first, 20 octets. The first answer to a SYN that asks for AccECN has an option of 12 octets more (RFC 9768
/// §3.2.3.2.1).
#[test]
fn b12_answers_to_strangers_are_hardly_larger_than_what_draws_them() {
    let rng = &mut Rng::new(3);
    for full in [Full::Cookies, Full::EvictOldest, Full::Reset] {
        let (mut world, _) =
            listening(Backlog { half_open: 20, full, ..Backlog::default() }, EndpointConfig::default());
        let (mut octets_in, mut octets_out, mut most) = (0, 0, 0);
        for n in 0..5000u32 {
            let (addresses, mut packet) = spoofed(n % 1500); // then they come again
            packet.dst_port = rng.pick(&[PORT, PORT, 9]);
            let segment = &mut packet.segment;
            let any = Flags::from_bits_truncate(rng.next() as u16);
            segment.flags = rng.pick(&[Flags::SYN, Flags::SYN, Flags::ACK, any]);
            segment.ack = SeqNum::new(rng.next() as u32);
            let all = segment.options.get();
            segment.options =
                rng.pick(&[Options::default(), Options { mss: Some(1460), ..Options::default() }, all]).into();
            segment.payload = vec![7; rng.pick(&[0, 0, 1, 600])].into();
            let mut datagram = Vec::new();
            ip::encode(addresses, &packet, Format::default(), &mut datagram).unwrap();
            let (length, now) = (datagram.len(), world.now);
            let bits = packet.segment.flags & (Flags::AE | Flags::CWR | Flags::ECE);
            let asks_accurate = !bits.is_empty() && bits != Flags::CWR | Flags::ECE;
            let _ = world.ends[1].receive_ip(datagram.into(), Format::default(), now);
            let mut answers = Vec::new();
            world.ends[1].flush_ip(now, Format::default(), |answer| answers.push(answer.len()));
            assert!(answers.len() <= 1, "{} answers to {packet:?}", answers.len());
            for answer in answers {
                // the option of a SYN,ACK that agrees to AccECN, up to 12 octets, on the first only
                let longer = if n < 1500 { 4 + if asks_accurate { 12 } else { 0 } } else { 20 };
                assert!(answer <= length + longer, "{answer} octets for {length}: {packet:?}");
                (octets_in, octets_out, most) = (octets_in + length, octets_out + answer, most.max(answer));
            }
        }
        assert!(octets_out < octets_in && most <= 72, "{full:?}: {octets_out} octets for {octets_in}, {most} the most");
    }
}

/// A SYN from a forged address draws its SYN,ACK and five repetitions within the minute of `EndpointConfig`; one that was
/// answered with a cookie draws one.
#[test]
fn b12_a_forged_syn_draws_six_syn_acks_at_most() {
    for (half_open, expected) in [(1, 6), (0, 1)] {
        let (mut world, _) = listening(Backlog { half_open, ..Backlog::default() }, EndpointConfig::default());
        let (addresses, packet) = spoofed(1);
        world.receive(1, addresses, packet);
        let mut sent = 0;
        let mut now = world.now;
        loop {
            world.ends[1].timers(now);
            sent += flushed(&mut world.ends[1], now).len();
            let Some(next) = world.ends[1].next_deadline() else { break };
            now = next;
        }
        assert_eq!((sent, world.ends[1].len()), (expected, (0, 0)));
    }
}

/// A user who accepts late, and 1000 clients at once: whoever was answered is kept though the queue is full, the others come
/// again, and nobody is reset (gVisor's issue 236, and what Linux does when `tcp_abort_on_overflow` is set).
#[test]
fn b17_a_thousand_clients_at_once_meet_no_reset() {
    let backlog = Backlog { half_open: 1024, ready: 16, full: Full::Cookies };
    let (mut world, listener) = listening(backlog, EndpointConfig::default());
    for _ in 0..1000 {
        world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    }
    world.flush(0);
    world.go(1000, |_, _, _| {});
    assert_eq!(world.ends[1].len(), (1000, 0)); // 1000 wait for the user, though the queue is for 16
    for _ in 0..100 {
        world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    }
    world.flush(0);
    world.go(1000, |_, _, _| {});
    assert_eq!(world.ends[1].len(), (1000, 0), "these wait in the network");
    let mut accepted = std::iter::from_fn(|| world.ends[1].accept(listener)).count();
    world.go(60_000, |endpoint, end, _| {
        accepted += if end == 1 { std::iter::from_fn(|| endpoint.accept(listener)).count() } else { 0 };
    });
    let connected = world.signals[0].iter().filter(|(_, signal)| *signal == Signal::Connected).count();
    assert_eq!((accepted, connected, world.signals[0].len()), (1100, 1100, 1100));
}

/// An attacker who is the server of some connections of a host does not learn from their ports the next one towards another
/// server: the distance is as even as chance, and another host has other ports.
#[test]
fn b20_ports_towards_one_server_do_not_tell_those_towards_another() {
    let local = CLIENT;
    let (mut between_servers, mut between_hosts) = ([0; 256], [0; 256]);
    for n in 0..8192u32 {
        let keys = Keys::new(u128::from(n).to_be_bytes());
        let own = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(0xC633_6401)), 443);
        let other = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(0xCB00_7101)), 443);
        let mut ports = Ports::new(&keys, 1024..=65_535);
        let seen = ports.choose(&keys, local, own, |_| true).unwrap();
        let next = ports.choose(&keys, local, other, |_| true).unwrap();
        let neighbours = Keys::new(u128::from(n + 1).to_be_bytes());
        let elsewhere = Ports::new(&neighbours, 1024..=65_535).choose(&neighbours, local, own, |_| true).unwrap();
        // 252 steps of 256 ports are the 64,512 of the range: the four that are left stay empty, and are filled evenly here.
        let step = |a: u16, b: u16| (u32::from(a) + 64_512 - u32::from(b)) % 64_512 * 256 / 64_512;
        between_servers[step(next, seen) as usize] += 1;
        between_hosts[step(elsewhere, seen) as usize] += 1;
    }
    is_even(between_servers, "between two servers");
    is_even(between_hosts, "between two hosts");
}

/// CVE-2022-32296: destinations share counters, so an attacker whose servers see many ports of a host could tell which of them
/// share one, and how many connections went elsewhere meanwhile: that recognizes a host. The ports of one destination follow
/// each other as evenly as chance, whatever happens between.
#[test]
fn b20_ports_do_not_tell_how_many_connections_went_elsewhere() {
    let own = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(0xC633_6401)), 443);
    let step = |a: u16, b: u16| (u32::from(a) + 64_512 - u32::from(b)) % 64_512 * 256 / 64_512;
    for elsewhere in [0u32, 1, 64, 200] {
        let keys = Keys::new([elsewhere as u8; 16]);
        let mut ports = Ports::new(&keys, 1024..=65_535);
        let (mut steps, mut last) = ([0; 256], ports.choose(&keys, CLIENT, own, |_| true).unwrap());
        for n in 0..4096 {
            for other in 0..elsewhere {
                let other = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(0x0A00_0000 + n * 7 + other)), 443);
                ports.choose(&keys, CLIENT, other, |_| true).unwrap();
            }
            let next = ports.choose(&keys, CLIENT, own, |_| true).unwrap();
            steps[step(next, last) as usize] += 1;
            last = next;
        }
        is_even(steps, &format!("with {elsewhere} between"));
    }
}

/// Forged segments for another connection draw challenges there; a prober with a connection of his own, and with packets that
/// belong to none, is answered as if nothing had happened, in the same turn and later.
#[test]
fn c4_what_a_victim_is_sent_does_not_show_on_a_prober() {
    let mut answers = Vec::new();
    for attacked in [false, true] {
        let (mut world, _, victim) = pair();
        let forged_flow = world.ends[1].socket(victim, world.now).unwrap().flow().unwrap();
        let victim_rcv_nxt = world.ends[1].socket(victim, world.now).unwrap().info().unwrap().rcv_nxt;
        let prober = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
        world.flush(0);
        world.go(50, |_, _, _| {});
        let own = world.ends[0].socket(prober, world.now).unwrap().flow().unwrap();
        let snd_nxt = world.ends[0].socket(prober, world.now).unwrap().info().unwrap().snd_nxt;
        let addresses = PseudoHeader::new(CLIENT, SERVER).unwrap();
        let packet = |port, segment| Packet { src_port: port, dst_port: PORT, segment };
        let mut drawn = Vec::new();
        for round in 0..30u32 {
            if attacked {
                for n in 1..200 {
                    let flags = if n % 2 == 0 { Flags::RST } else { Flags::SYN };
                    let segment = Segment { seq: victim_rcv_nxt + n * 9, flags, ..Segment::default() };
                    world.receive(1, addresses, packet(forged_flow.remote().port(), segment));
                }
            }
            let probe = Segment { seq: snd_nxt + 5, flags: Flags::RST, ..Segment::default() };
            world.receive(1, addresses, packet(own.local().port(), probe));
            let stray = Segment { ack: SeqNum::new(round), flags: Flags::ACK, ..Segment::default() };
            world.receive(1, addresses, packet(9, stray));
            let now = world.now;
            let mut out = flushed(&mut world.ends[1], now);
            out.retain(|(_, packet)| packet.dst_port != forged_flow.remote().port());
            drawn.push(out);
            world.now += ms(400);
        }
        answers.push(drawn);
    }
    assert!(answers[0] == answers[1], "the prober can tell that somebody else was attacked");
    let of_the_prober = answers[0].iter().flatten().filter(|(_, packet)| packet.segment.flags == Flags::ACK).count();
    assert_eq!(of_the_prober, 24, "10 in 5 s, from the first on, in 12 s");
}

/// Errors for flows that are not there, with numbers that are not in flight, of sizes that no router means; for a connection
/// that is open, half-open, or in TIME-WAIT.
#[test]
fn c9_forged_icmp_errors_by_flow_change_nothing() {
    let (mut world, client, peer) = pair();
    world.ends[0].socket(client, world.now).unwrap().write(&[7; 3000]).unwrap();
    let now = world.now;
    assert_eq!(flushed(&mut world.ends[0], now).len(), 3, "in flight");
    let flow = world.ends[0].socket(client, now).unwrap().flow().unwrap();
    let info = world.ends[0].socket(client, now).unwrap().info().unwrap();
    let other = Flow::new(flow.local(), SocketAddr::new(SERVER, 81)).unwrap();
    let kinds = [
        IcmpKind::PortUnreachable,
        IcmpKind::ProtocolUnreachable,
        IcmpKind::Unreachable,
        IcmpKind::TimeExceeded,
        IcmpKind::ParameterProblem,
        IcmpKind::SourceQuench,
        IcmpKind::PacketTooBig,
    ];
    for kind in kinds {
        for mtu in [0, 1, 67, 68, 576, 1499, 9000, u16::MAX] {
            assert_eq!(world.ends[0].icmp(&other, (kind, mtu), info.snd_una, now), Err(Gone));
            assert_eq!(world.ends[0].icmp(&flow.reversed(), (kind, mtu), info.snd_una, now), Err(Gone));
            for seq in [info.snd_una - 1, info.snd_nxt, info.snd_nxt + 1, info.snd_una + 0x8000_0000, SeqNum::new(0)] {
                world.ends[0].icmp(&flow, (kind, mtu), seq, now).unwrap();
            }
        }
    }
    for mtu in [1, 67, 1501, 9000] {
        world.ends[0].icmp(&flow, (IcmpKind::PacketTooBig, mtu), info.snd_una, now).unwrap();
    }
    assert_eq!((flushed(&mut world.ends[0], now).len(), world.ends[0].poll_signal()), (0, None));
    let after = world.ends[0].socket(client, now).unwrap().info().unwrap();
    assert_eq!((after.path_mtu, after.eff_snd_mss, after.cwnd), (info.path_mtu, info.eff_snd_mss, info.cwnd));
    assert_eq!(world.ends[0].socket(client, now).unwrap().state(), State::Established);
    // The right number: the user hears of it, and the connection goes on (RFC 5927 §5.2).
    world.ends[0].icmp(&flow, (IcmpKind::PortUnreachable, 0), info.snd_una, now).unwrap();
    flushed(&mut world.ends[0], now);
    assert!(matches!(world.ends[0].poll_signal(), Some((_, Signal::Report(_)))));
    assert_eq!(world.ends[0].socket(client, now).unwrap().state(), State::Established);
    // Half-open: only the number of the SYN,ACK counts. In TIME-WAIT: none.
    let (addresses, packet) = spoofed(1);
    let Received::Opened(id) = world.receive(1, addresses, packet.clone()) else { panic!("half-open") };
    let half_open = Flow::of_received(addresses, &packet).unwrap();
    let iss = flushed(&mut world.ends[1], now).pop().unwrap().1.segment.seq;
    world.ends[1].icmp(&half_open, (IcmpKind::PortUnreachable, 0), iss + 1, now).unwrap();
    flushed(&mut world.ends[1], now);
    assert_eq!(world.ends[1].len(), (2, 0));
    assert!(world.ends[1].socket(peer, now).is_ok() && id != peer);
}

/// The mixed assignment of IDs, a global counter, a counter for each peer: here nothing counts. Each datagram says that it is
/// not to be cut, and has the ID 0.
#[test]
fn c11_the_ip_id_tells_nothing() {
    let (mut world, _) = listening(Backlog::default(), EndpointConfig::default());
    let (now, mut seen) = (world.now, 0);
    for n in 0..200 {
        let (addresses, mut packet) = spoofed(n);
        packet.dst_port = if n % 3 == 0 { 9 } else { PORT };
        world.receive(1, addresses, packet);
        world.ends[1].flush_ip(now, Format::default(), |datagram| {
            seen += 1;
            assert_eq!((datagram[0], &datagram[4..8]), (0x45, &[0, 0, 0x40, 0][..]));
        });
    }
    assert_eq!(seen, 200);
}

/// Two hosts with different keys, in the same situation, print the same: no key, and nothing derived from one, is in it.
#[test]
fn c10_no_debug_output_shows_a_key() {
    let printed = |key: [u8; 16]| {
        let keys = Keys::new(key);
        let mut endpoint = Endpoint::new(keys.clone(), EndpointConfig::default());
        let listener = endpoint.listen(Listen::port(PORT)).unwrap();
        let (addresses, packet) = spoofed(1);
        let opened = endpoint.receive(addresses, packet, Instant::from_millis(1));
        endpoint.connect(CLIENT, server(), Instant::from_millis(1)).unwrap();
        format!("{keys:?} {keys:#?} {endpoint:?} {endpoint:#?} {listener:?} {opened:?}")
    };
    let one = printed(*b"a distinct key!!");
    assert_eq!(one, printed([0xA7; 16]));
    assert!(one.contains("Endpoint {") && one.contains("Keys(..)"), "{one}");
}

/// Sockstress: peers that ask for much, close their window, and answer every probe. What they hold is within the budget, and
/// when the user lets them go, nothing is left after the user timeout.
#[test]
fn e5_connections_that_never_read_keep_to_the_budget() {
    let memory = 3 << 20;
    let connection = Config::builder().receive_buffer(4096).build().unwrap();
    let clients = EndpointConfig { connection: Arc::new(connection), ..EndpointConfig::default() };
    let mut world = World::new([clients, EndpointConfig { memory, ..EndpointConfig::default() }], 1);
    let listener = world.ends[1].listen(Listen::port(PORT)).unwrap();
    for _ in 0..40 {
        world.ends[0].connect(CLIENT, server(), world.now).unwrap();
    }
    world.flush(0);
    let mut ids: Vec<Id> = Vec::new();
    let mut serve = |endpoint: &mut Endpoint, end: usize, now: Instant| {
        if end == 0 {
            return; // nobody reads
        }
        while let Some(id) = endpoint.accept(listener) {
            endpoint.socket(id, now).unwrap().write(&[7; 200_000]).unwrap();
            ids.push(id);
        }
        while let Some((id, signal)) = endpoint.poll_signal() {
            if let (Signal::Writable, Ok(mut socket)) = (signal, endpoint.socket(id, now)) {
                socket.write(&[7; 200_000]).unwrap();
            }
        }
        assert!(endpoint.memory() <= memory, "{}", endpoint.memory());
    };
    world.go(900_000, &mut serve);
    assert!(world.ends[1].memory() > memory / 2, "they hold much: {}", world.ends[1].memory());
    assert!(world.ends[1].len().0 >= 10, "probes that are answered keep a connection whose user stays (MUST-37)");
    let before = world.sent;
    world.go(600_000, &mut serve);
    let probes = (world.sent - before) / 2 / world.ends[1].len().0;
    assert!(probes <= 11, "{probes} probes each in ten minutes");
    for id in ids {
        if let Ok(socket) = world.ends[1].socket(id, world.now) {
            socket.release();
        }
    }
    world.flush(1);
    world.go(700_000, |_, _, _| {});
    assert_eq!((world.ends[1].len(), world.ends[1].memory()), ((0, 0), 0));
}

/// Clients that make the server close first, again and again: TIME-WAIT takes its limit and no more, and each is served.
#[test]
fn f11_a_flood_of_closes_keeps_to_the_limit_of_time_wait() {
    let config = EndpointConfig { time_wait: 20, ..EndpointConfig::default() };
    let (mut world, listener) = listening(Backlog::default(), config);
    let mut tables = 0;
    for round in 0..120 {
        let client = world.ends[0].connect(CLIENT, server(), world.now).unwrap();
        world.flush(0);
        world.go(60, |endpoint, end, now| {
            if let Some(id) = endpoint.accept(listener).filter(|_| end == 1) {
                endpoint.socket(id, now).unwrap().close().unwrap();
            }
            while let Some((id, signal)) = endpoint.poll_signal().filter(|_| end == 0) {
                if signal == Signal::PeerClosed {
                    endpoint.socket(id, now).unwrap().close().unwrap();
                }
            }
        });
        let (live, waiting) = world.ends[1].len();
        assert_eq!((live, waiting), (0, 20.min(round + 1)), "{client}");
        if round == 30 {
            tables = world.ends[1].table_octets();
        }
        assert!(round <= 30 || world.ends[1].table_octets() <= tables);
    }
    assert_eq!(world.ends[0].len(), (0, 0), "each came and went");
    world.go(300_000, |_, _, _| {});
    assert_eq!((world.ends[1].len(), world.ends[1].next_deadline()), ((0, 0), None));
}
