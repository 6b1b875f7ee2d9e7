//! The keys of a connection as their user handles them (RFC 5925 §3, §7.1), and ICMP errors, which nobody can sign (§7.8).

use std::net::SocketAddr;

use segue::auth::{Refusal, Signature};
use segue::codec::Sum;
use segue::host::{Flow, Listen, Received};
use segue::{CloseReason, IcmpKind};
use segue_kit::secs;
use segue_tcp_ao::world::{ADDRESSES, PORT, User, World, policy};
use segue_tcp_ao::{Algorithm, KeyError, Keys, Peers, TcpAo};

use super::conversations::{key, keys_of, pair, refused, writes};

/// Both ends with a key of these numbers: what the client sends, and what the server sends.
fn with_ids(client: u8, server: u8) -> [Peers; 2] {
    [(0, client, server), (1, server, client)].map(|(end, send_id, recv_id)| {
        let keys = Keys::Ao(TcpAo::new(key(send_id, recv_id, Algorithm::HmacSha1)));
        Peers { keys: vec![(ADDRESSES[1 - end], Some(PORT), keys)], ..Peers::default() }
    })
}

/// Numbers of keys from 0 to 255, the same in both directions or others: they stand on every segment, and text gets through.
#[test]
fn rfc_5925_3_1_any_ids_in_either_direction() {
    for (client, server) in [(0, 0), (255, 255), (7, 7), (0, 255), (255, 0), (1, 2)] {
        let mut world = World::new(1, &policy(16, |config| config), with_ids(client, server));
        world.hosts[1].listen(Listen::port(PORT));
        world.hosts[1].accepted = User { octets: 3000, ..User::default() };
        world.captured = Some(Vec::new());
        world.connect(writes(5000));
        assert!(world.until(secs(60), |world| world.is_done([5000, 3000])), "{client} {server}");
        assert_eq!(refused(&world), 0);
        for (from, datagram) in world.captured.take().expect("it is kept") {
            let found = segue::auth::signature(&datagram[40..20 + usize::from(datagram[32] >> 4) * 4]);
            let Ok(Some(Signature::TcpAo { key_id, rnext_key_id, .. })) = found else { panic!("{found:?}") };
            let expected = if from == 0 { (client, server) } else { (server, client) };
            assert_eq!((key_id, rnext_key_id), expected);
        }
    }
}

/// No two keys of a connection have the same number in one direction, so that each segment matches one at the most; a key that
/// is in use stays.
#[test]
fn rfc_5925_3_1_ids_do_not_overlap() {
    let all: Vec<(u8, u8)> = (0..=255).flat_map(|a| [(a, 0), (a, 61), (a, 84), (a, 200)]).collect();
    let mut keys = TcpAo::new(key(61, 84, Algorithm::HmacSha1));
    keys.add(key(1, 200, Algorithm::Aes128Cmac)).expect("other numbers");
    let before = keys.clone();
    for (send_id, recv_id) in all {
        let mut keys = keys.clone();
        let overlaps = [61, 1].contains(&send_id) || [84, 200].contains(&recv_id);
        let added = keys.add(key(send_id, recv_id, Algorithm::HmacSha1));
        assert_eq!(added, if overlaps { Err(KeyError::Overlap) } else { Ok(()) }, "{send_id} {recv_id}");
        assert_eq!(keys == before, overlaps);
    }
    assert_eq!(keys.remove(61), Err(KeyError::InUse));
    assert_eq!(keys.remove(9), Err(KeyError::Unknown));
    assert_eq!((keys.ask_for(9), keys.sign_with(9)), (Err(KeyError::Unknown), Err(KeyError::Unknown)));
    assert_eq!(keys, before);
    keys.sign_with(1).expect("it is there");
    assert_eq!(keys.remove(61), Err(KeyError::InUse), "we still ask for it");
    keys.ask_for(200).expect("it is there");
    assert_eq!(keys.remove(61), Ok(()));
    assert_eq!(keys.keys().map(|key| key.send_id).collect::<Vec<_>>(), [1]);
}

/// RFC 5925 §7.1, §7.5 step 2e: a user reads all keys, the ones in use and the numbers that came, and says which key signs and which is
/// asked for. A peer that is asked for a key that it does not have goes on with the one it has.
#[test]
fn rfc_5925_7_1_a_user_reads_and_directs_the_keys() {
    let mut world = World::new(1, &policy(16, |config| config), pair(Some(Algorithm::HmacSha1)));
    world.hosts[1].listen(Listen::port(PORT));
    let id = world.connect(User { octets: 1000, ..User::default() });
    assert!(world.until(secs(5), |world| world.hosts[1].users.values().any(|user| user.read == 1000)));
    let flow = world.flow(id).expect("it is there");
    let flows = [flow, flow.reversed()];
    let in_use = |world: &mut World, end: usize| {
        let keys = keys_of(world, end, &flows[end]);
        (keys.current().send_id, keys.next().recv_id, keys.heard())
    };
    world.pass(secs(1));
    assert_eq!(in_use(&mut world, 0), (61, 84, Some((84, 61))));
    assert_eq!(in_use(&mut world, 1), (84, 61, Some((61, 84))));

    // The client alone has a second key, and asks for it: the server, which lacks it, goes on as before.
    keys_of(&mut world, 0, &flows[0]).add(key(1, 2, Algorithm::Aes128Cmac)).expect("other numbers");
    keys_of(&mut world, 0, &flows[0]).ask_for(2).expect("it is there");
    let more = |world: &mut World, octets| {
        world.hosts[0].users.get_mut(&id).expect("its user").octets = octets;
        world.turn(0);
        assert!(world.until(secs(60), |world| world.hosts[1].users.values().any(|user| user.read == octets)));
        world.pass(secs(1));
    };
    more(&mut world, 2000);
    assert_eq!(in_use(&mut world, 1), (84, 61, Some((61, 2))), "it hears the wish");
    assert_eq!(in_use(&mut world, 0), (61, 2, Some((84, 61))));

    // Now the server has it, too, and signs with it at the next wish; the client signs with its own when its user says so.
    keys_of(&mut world, 1, &flows[1]).add(key(2, 1, Algorithm::Aes128Cmac)).expect("other numbers");
    more(&mut world, 3000);
    assert_eq!(in_use(&mut world, 1), (2, 61, Some((61, 2))));
    keys_of(&mut world, 0, &flows[0]).sign_with(1).expect("it is there");
    keys_of(&mut world, 1, &flows[1]).ask_for(1).expect("it is there");
    more(&mut world, 4000);
    assert_eq!(in_use(&mut world, 0), (1, 2, Some((2, 1))));
    assert_eq!(in_use(&mut world, 1), (2, 1, Some((1, 2))));
    assert_eq!(keys_of(&mut world, 0, &flows[0]).keys().count(), 2);
    assert_eq!(refused(&world), 0);

    // A key that one end has removed is unknown there.
    for (end, old) in [(0, 61), (1, 84)] {
        keys_of(&mut world, end, &flows[end]).remove(old).expect("nobody uses it");
    }
    more(&mut world, 5000);
    keys_of(&mut world, 0, &flows[0]).add(key(61, 84, Algorithm::HmacSha1)).expect("it was removed");
    keys_of(&mut world, 0, &flows[0]).sign_with(61).expect("it is there");
    world.hosts[0].users.get_mut(&id).expect("its user").octets = 6000;
    world.turn(0);
    world.pass(secs(1));
    assert!(world.hosts[1].associations.refused(Refusal::UnknownKey) > 0);
}

/// An ICMPv4 error to the client about this datagram of its.
fn icmp(kind: u8, code: u8, quoted: &[u8]) -> Vec<u8> {
    let seal = |octets: &mut [u8], at: usize| {
        let mut sum = Sum::new();
        sum.add(octets);
        octets[at..at + 2].copy_from_slice(&sum.checksum().to_be_bytes());
    };
    let mut message = [&[kind, code, 0, 0, 0, 0, 2, 88][..], &quoted[..28]].concat(); // a next hop of 600 octets
    seal(&mut message, 2);
    let mut header = quoted[..20].to_vec();
    header[2..4].copy_from_slice(&(20 + message.len() as u16).to_be_bytes());
    (header[9], header[10], header[11]) = (1, 0, 0);
    header[12..16].copy_from_slice(&[203, 0, 113, 1]);
    header[16..20].copy_from_slice(&quoted[12..16]);
    seal(&mut header, 10);
    [header, message].concat()
}

/// RFC 5925 §7.8: of a synchronized connection, type 3 with codes 2 to 4 are ignored and counted, also with a number that is in
/// flight, unless the host heeds them; then what is too big for the path makes segments smaller. All other codes are as ever.
#[test]
fn rfc_5925_7_8_icmp_errors_are_ignored_unless_the_host_heeds_them() {
    for heeds_icmp in [false, true] {
        for code in 0..=15 {
            let peers = pair(Some(Algorithm::HmacSha1)).map(|peers| Peers { heeds_icmp, ..peers });
            let mut world = World::new(1, &policy(16, |config| config), peers);
            world.hosts[1].listen(Listen::port(PORT));
            let id = world.connect(User::default());
            assert!(world.until(secs(5), |world| !world.hosts[1].users.is_empty()));
            world.hosts[0].users.get_mut(&id).expect("its user").octets = 20_000;
            world.captured = Some(Vec::new());
            world.turn(0);
            let (now, captured) = (world.now, world.captured.take().expect("it is kept"));
            let large = captured.iter().find(|(_, datagram)| datagram.len() > 1400).expect("text");
            let client = &mut world.hosts[0];
            let received = client.receive(icmp(3, code, &large.1).into(), now);
            let protected = (2..=4).contains(&code) && !heeds_icmp;
            assert_eq!(client.associations.ignored_icmp(), u64::from(protected), "{code}");
            if protected {
                assert_eq!(received, Ok(Received::Stray), "{code}");
            }
            let mtu = client.endpoint.socket(id, now).expect("it is there").info().expect("it lives").path_mtu;
            assert_eq!(mtu, if heeds_icmp && code == 4 { 600 } else { 1500 }, "{code}");
            assert!(world.until(secs(60), |world| world.hosts[1].users.values().any(|user| user.read == 20_000)));
        }
    }
    // Before the peer has spoken, an error ends the attempt as ever.
    for (code, ends) in [(1, false), (2, true), (3, true)] {
        let mut world = World::new(1, &policy(16, |config| config), pair(Some(Algorithm::HmacSha1)));
        world.captured = Some(Vec::new());
        let id = world.connect(User::default());
        let (now, syn) = (world.now, world.captured.take().expect("it is kept").remove(0).1);
        let _ = world.hosts[0].receive(icmp(3, code, &syn).into(), now);
        world.turn(0);
        let closed: Option<CloseReason> = world.hosts[0].users[&id].closed;
        assert_eq!((closed.is_some(), world.hosts[0].associations.ignored_icmp()), (ends, 0), "{code}");
    }
}

/// The same with IPv6: type 1 with codes 1 and 4 are ignored; "packet too big" is not, since IPv6 cannot do without.
#[test]
fn rfc_5925_7_8_icmpv6_errors_are_ignored() {
    let mut world = World::new(1, &policy(16, |config| config), pair(Some(Algorithm::HmacSha1)));
    world.hosts[1].listen(Listen::port(PORT));
    let id = world.connect(User::default());
    assert!(world.until(secs(5), |world| !world.hosts[1].users.is_empty()));
    let flow = world.flow(id).expect("it is there");
    let associations = &mut world.hosts[0].associations;
    let association = associations.get(&flow).expect("it is signed").clone();
    let v6 = |text: &str, port| SocketAddr::new(text.parse().expect("an address"), port);
    let flow = Flow::new(v6("2001:db8::1", 50_000), v6("2001:db8::2", PORT)).expect("valid");
    associations.insert(flow, association);
    for code in 0..=6 {
        let kind = IcmpKind::from_v6(1, code).expect("an error");
        assert_eq!(associations.ignores_icmp(&flow, kind), [1, 4].contains(&code), "{code}");
    }
    assert!(!associations.ignores_icmp(&flow, IcmpKind::from_v6(2, 0).expect("an error")));
    associations.keyring_mut().heeds_icmp = true;
    assert!(!associations.ignores_icmp(&flow, IcmpKind::from_v6(1, 4).expect("an error")));
}
