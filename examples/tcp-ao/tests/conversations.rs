//! Signed connections between two hosts: with loss, key change, wraps, simultaneous opens, SYN cookies, TIME-WAIT.

use std::net::SocketAddr;
use std::time::Duration;

use segue::auth::Refusal;
use segue::host::{Backlog, Full, Listen};
use segue::{CloseReason, EcnMode};
use segue_kit::secs;
use segue_tcp_ao::world::{ADDRESSES, Faults, PORT, User, World, policy};
use segue_tcp_ao::{Algorithm, Keys, MasterKeyTuple, Peers, TcpAo, TcpMd5};

/// A key that this end sends with `send_id`.
pub(crate) fn key(send_id: u8, recv_id: u8, algorithm: Algorithm) -> MasterKeyTuple {
    let key = vec![send_id ^ recv_id; 20];
    MasterKeyTuple { send_id, recv_id, algorithm, covers_options: true, key }
}

/// Client and server with one key, or the same password.
pub(crate) fn pair(ao: Option<Algorithm>) -> [Peers; 2] {
    [0, 1].map(|end: usize| {
        let (send_id, recv_id) = if end == 0 { (61, 84) } else { (84, 61) };
        let keys = match ao {
            Some(algorithm) => Keys::Ao(TcpAo::new(key(send_id, recv_id, algorithm))),
            None => Keys::Md5(TcpMd5::new("a password")),
        };
        Peers { keys: vec![(ADDRESSES[1 - end], Some(PORT), keys)], ..Peers::default() }
    })
}

pub(crate) const KINDS: [(u8, Option<Algorithm>); 3] =
    [(16, Some(Algorithm::HmacSha1)), (16, Some(Algorithm::Aes128Cmac)), (18, None)];

pub(crate) fn writes(octets: u64) -> User {
    User { octets, closes: true, ..User::default() }
}

pub(crate) fn refused(world: &World) -> u64 {
    let all = [
        Refusal::Missing,
        Refusal::Malformed,
        Refusal::Several,
        Refusal::OtherKind,
        Refusal::UnknownKey,
        Refusal::Length,
        Refusal::Signature,
        Refusal::UnknownConnection,
        Refusal::NoKey,
    ];
    world.hosts.iter().map(|host| all.iter().map(|refusal| host.associations.refused(*refusal)).sum::<u64>()).sum()
}

/// All text gets through, both ends finish, nothing is refused, and after TIME-WAIT nothing is kept.
#[test]
fn signed_connections_carry_text_over_lossy_paths() {
    for (space, algorithm) in KINDS {
        for seed in 0..20 {
            let config = policy(space, |config| config.ecn(EcnMode::Accurate).max_transmit(20_000));
            let mut world = World::new(seed, &config, pair(algorithm));
            world.faults = Faults { lost: 30, twice: 20, late: 100 };
            world.hosts[1].listen(Listen::port(PORT));
            world.hosts[1].accepted = User { octets: 3000, ..User::default() };
            world.captured = Some(Vec::new());
            world.connect(writes(100_000));
            assert!(world.until(secs(300), |world| world.is_done([100_000, 3000])), "{algorithm:?} {seed}");
            assert_eq!(refused(&world), 0, "{algorithm:?} {seed}");
            world.pass(secs(10));
            assert_eq!(world.hosts[0].endpoint.len(), (0, 0));
            for (from, datagram) in world.captured.unwrap() {
                let header = 20 + usize::from(datagram[32] >> 4) * 4;
                let area = segue::auth::signature(&datagram[40..header]);
                assert!(matches!(area, Ok(Some(_))), "not signed: {from} {datagram:?}");
            }
        }
    }
}

/// RFC 5925 §6.1: keys change in both directions while text flows over a lossy path, and no segment is refused.
#[test]
fn rfc_5925_6_1_keys_change_under_loss() {
    for seed in 0..20 {
        let mut world = World::new(seed, &policy(16, |config| config), pair(Some(Algorithm::HmacSha1)));
        world.faults = Faults { lost: 30, twice: 20, late: 100 };
        world.hosts[1].listen(Listen::port(PORT));
        world.hosts[1].accepted = User { octets: 200_000, ..User::default() };
        let id = world.connect(writes(200_000));
        assert!(world.until(secs(60), |world| world.hosts[1].users.values().any(|user| user.read > 10_000)));
        let flow = world.flow(id).expect("it is there");
        let flows = [flow, flow.reversed()];
        for end in [0, 1] {
            let keys = keys_of(&mut world, end, &flows[end]);
            let (send_id, recv_id) = if end == 0 { (1, 2) } else { (2, 1) };
            keys.add(key(send_id, recv_id, Algorithm::Aes128Cmac)).expect("other numbers");
        }
        // The client asks for the new key of the server, and signs with its own when the server asks for it.
        keys_of(&mut world, 0, &flows[0]).ask_for(2).expect("it is there");
        assert!(world.until(secs(60), |world| current(world, 1, &flows[1]) == 2), "{seed}");
        keys_of(&mut world, 1, &flows[1]).ask_for(1).expect("it is there");
        assert!(world.until(secs(60), |world| current(world, 0, &flows[0]) == 1), "{seed}");
        assert!(world.until(secs(300), |world| world.is_done([200_000, 200_000])), "{seed}");
        assert_eq!(refused(&world), 0, "{seed}");
    }
}

pub(crate) fn keys_of<'a>(world: &'a mut World, end: usize, flow: &segue::host::Flow) -> &'a mut TcpAo {
    match world.hosts[end].associations.get_mut(flow).expect("an association").authenticator_mut() {
        Keys::Ao(keys) => keys,
        Keys::Md5(_) => panic!("TCP-AO"),
    }
}

fn current(world: &World, end: usize, flow: &segue::host::Flow) -> u8 {
    match world.hosts[end].associations.get(flow).map(|association| association.authenticator()) {
        Some(Keys::Ao(keys)) => keys.current().send_id,
        _ => panic!("TCP-AO"),
    }
}

/// Both open at once: all four traffic keys are in use (RFC 5925 §3.2).
#[test]
fn rfc_5925_3_2_simultaneous_open() {
    for (space, algorithm) in KINDS {
        let mut world = World::new(1, &policy(space, |config| config), pair(algorithm));
        let ends = [0, 1].map(|end: usize| SocketAddr::new(ADDRESSES[end], PORT));
        for end in [0, 1] {
            let flow = segue::host::Flow::new(ends[end], ends[1 - end]).expect("valid");
            let id = world.hosts[end].endpoint.connect_from(flow, world.now).expect("free");
            world.hosts[end].users.insert(id, writes(5000));
        }
        world.turn(0);
        world.turn(1);
        assert!(world.until(secs(30), |world| world.is_done([5000, 5000])), "{algorithm:?}");
        assert_eq!(refused(&world), 0);
    }
}

/// A server that answers with SYN cookies keeps no keys until one comes back; what does, has a right signature.
#[test]
fn signed_connections_open_by_syn_cookies() {
    for (space, algorithm) in KINDS {
        for seed in 0..10 {
            let mut world = World::new(seed, &policy(space, |config| config), pair(algorithm));
            let backlog = Backlog { half_open: 0, ready: 100, full: Full::Cookies };
            world.hosts[1].listen(Listen { backlog, ..Listen::port(PORT) });
            world.hosts[1].accepted = User { octets: 3000, ..User::default() };
            world.faults = Faults { lost: 50, twice: 20, late: 100 };
            world.connect(writes(20_000));
            assert!(world.until(secs(300), |world| world.is_done([20_000, 3000])), "{algorithm:?} {seed}");
            assert!(world.hosts[1].cookies > 0);
        }
    }
}

/// RFC 5925 §7.7: a server that has lost its state cannot reset the connection; keep-alives end it.
#[test]
fn rfc_5925_7_7_keep_alives_find_a_peer_without_state() {
    let config = policy(16, |config| {
        let every = Duration::from_secs(5);
        config.keep_alive(true).keep_alive_idle(every).keep_alive_interval(every).keep_alive_probes(3)
    });
    let peers = pair(Some(Algorithm::HmacSha1));
    let mut world = World::new(1, &config, peers.clone());
    world.hosts[1].listen(Listen::port(PORT));
    let id = world.connect(User { octets: 10, ..User::default() });
    assert!(world.until(secs(10), |world| world.hosts[1].users.values().any(|user| user.read == 10)));
    world.hosts[1] = segue_tcp_ao::world::Host::new(9, config, peers[1].clone());
    world.hosts[1].listen(Listen::port(PORT));
    assert!(world.until(secs(100), |world| world.hosts[0].users[&id].closed.is_some()));
    assert_eq!(world.hosts[0].users[&id].closed, Some(CloseReason::KeepAliveTimeout));
    assert_eq!(world.hosts[1].sent, 0, "what cannot be judged has no answer");
    assert!(world.hosts[1].associations.refused(Refusal::Signature) >= 3);
}

/// RFC 5925 §7.7: a reset of a connection that is known is signed, and taken.
#[test]
fn rfc_5925_7_7_signed_resets_end_connections() {
    for (space, algorithm) in KINDS {
        let mut world = World::new(1, &policy(space, |config| config), pair(algorithm));
        world.hosts[1].listen(Listen::port(PORT));
        let id = world.connect(User { octets: 10, ..User::default() });
        assert!(world.until(secs(10), |world| world.hosts[1].users.values().any(|user| user.read == 10)));
        world.hosts[0].endpoint.socket(id, world.now).expect("it is there").abort();
        world.turn(0);
        assert!(world.until(secs(10), |world| world.hosts[1].users.values().all(|user| user.closed.is_some())));
        assert!(world.hosts[1].users.values().all(|user| user.closed == Some(CloseReason::Reset)));
    }
}

/// A port where nobody listens: the reset has no signature, and the SYN times out (RFC 2385 §4.1).
#[test]
fn rfc_2385_4_1_a_refusal_without_signature_is_ignored() {
    for (space, algorithm) in KINDS {
        let config = policy(space, |config| config.connect_timeout(Some(secs(10))));
        let mut world = World::new(1, &config, pair(algorithm));
        let id = world.connect(writes(10));
        assert!(world.until(secs(60), |world| world.hosts[0].users[&id].closed.is_some()));
        assert_ne!(world.hosts[0].users[&id].closed, Some(CloseReason::Refused));
        assert!(world.hosts[1].sent > 0);
        assert_eq!(world.hosts[0].associations.refused(Refusal::Missing), world.hosts[1].sent);
    }
}

/// One connection after the other between the same ports, through TIME-WAIT: each has keys of its own.
#[test]
fn signed_connections_follow_each_other_on_one_flow() {
    let config = policy(16, |config| config.msl(secs(60)));
    let mut world = World::new(1, &config, pair(Some(Algorithm::HmacSha1)));
    world.hosts[1].listen(Listen::port(PORT));
    let flow = segue::host::Flow::new(SocketAddr::new(ADDRESSES[0], 50_000), SocketAddr::new(ADDRESSES[1], PORT));
    let flow = flow.expect("valid");
    for round in 0..5 {
        // The server closes first, so that it waits and the client may come again.
        world.hosts[1].accepted = writes(5000);
        let id = world.hosts[0].endpoint.connect_from(flow, world.now).expect("free");
        world.hosts[0].users.insert(id, User { octets: 1000, ..User::default() });
        world.turn(0);
        assert!(world.until(secs(20), |world| world.is_done([1000, 5000])), "{round}");
        assert_eq!(world.hosts[1].endpoint.len().1, 1, "{round}");
        assert_eq!(world.hosts[0].associations.len(), 1);
    }
    assert_eq!(refused(&world), 0);
}

/// RFC 5925 §7.1: keys that the host changes are those of the next connection, whatever the flow had before, also while the
/// peer's end of the last one waits: other algorithms, TCP MD5, and none.
#[test]
fn rfc_5925_7_1_the_next_connection_has_the_keys_of_the_keyring() {
    let config = policy(20, |config| config.msl(secs(60)));
    let mut world = World::new(1, &config, pair(None));
    world.hosts[1].listen(Listen::port(PORT));
    let flow = segue::host::Flow::new(SocketAddr::new(ADDRESSES[0], 50_000), SocketAddr::new(ADDRESSES[1], PORT));
    let flow = flow.expect("valid");
    let (sha1, cmac) = (Some(Algorithm::HmacSha1), Some(Algorithm::Aes128Cmac));
    let none = [Peers::default(), Peers::default()];
    for (keys, octets) in [
        (pair(sha1), 16),
        (pair(cmac), 16),
        (pair(None), 18),
        (none.clone(), 0),
        (pair(None), 18),
        (pair(sha1), 16),
        (none, 0),
        (pair(cmac), 16),
    ] {
        for (host, keys) in world.hosts.iter_mut().zip(keys) {
            *host.associations.keyring_mut() = keys;
        }
        world.hosts[1].accepted = writes(5000);
        world.captured = Some(Vec::new());
        let id = world.hosts[0].endpoint.connect_from(flow, world.now).expect("free");
        world.hosts[0].users.insert(id, User { octets: 1000, ..User::default() });
        world.turn(0);
        assert!(world.until(secs(20), |world| world.is_done([1000, 5000])), "{octets}");
        assert_eq!(world.hosts[1].endpoint.len().1, 1, "it waits");
        for (_, datagram) in world.captured.take().expect("it is kept") {
            let area = &datagram[40..20 + usize::from(datagram[32] >> 4) * 4];
            let found = match segue::auth::signature(area) {
                Ok(Some(segue::auth::Signature::TcpAo { mac, .. })) => 4 + mac.len(),
                Ok(Some(segue::auth::Signature::Md5(_))) => 18,
                Ok(None) => 0,
                Err(refusal) => panic!("{refusal}"),
            };
            assert_eq!(found, octets);
        }
    }
    assert_eq!(refused(&world), 0);
    assert!(world.hosts.iter().all(|host| host.unsent.is_empty()));
}

/// A connection that moves to another host goes on where its association goes with it; where it does not, nothing leaves, and that is
/// told: for ever with TCP-AO, whose keys depend on the first numbers, with TCP MD5 until the peer has spoken.
#[test]
fn a_signed_connection_moves_with_its_association() {
    for (space, algorithm) in KINDS {
        for moves in [true, false] {
            let (config, peers) = (policy(space, |config| config), pair(algorithm));
            let mut world = World::new(1, &config, peers.clone());
            world.hosts[1].listen(Listen::port(PORT));
            let id = world.connect(User { octets: 1000, ..User::default() });
            assert!(world.until(secs(10), |world| world.hosts[1].users.values().any(|user| user.read == 1000)));
            let (flow, now) = (world.flow(id).expect("it is there"), world.now);
            let detached = world.hosts[0].endpoint.detach(id, now).expect("it is synchronized");
            world.turn(0);
            let other = segue_tcp_ao::world::Host::new(9, config, peers[0].clone());
            let mut before = std::mem::replace(&mut world.hosts[0], other);
            let association = before.associations.remove(&flow).expect("it is signed");
            if moves {
                assert!(world.hosts[0].associations.insert(flow, association).is_none());
            }
            let id = world.hosts[0].endpoint.attach(detached, now).expect("there is room");
            let mut user = before.users.into_values().next().expect("its user");
            user.octets = 9000;
            world.hosts[0].users.insert(id, user);
            world.turn(0);
            let carried = world.until(secs(5), |world| world.hosts[1].users.values().any(|user| user.read == 9000));
            assert_eq!(carried, moves || algorithm.is_none(), "{algorithm:?}");
            let told = world.hosts[0].unsent.first().map(|unsent| (unsent.flow, unsent.error));
            assert_eq!(told, (!moves).then_some((flow, segue::codec::EncodeError::UnknownConnection)));
            assert_eq!(world.hosts[0].sent > 0, carried);
            assert!(!moves || refused(&world) == 0);
        }
    }
}
