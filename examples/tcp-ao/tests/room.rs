//! The room for signatures in whole hosts: who leaves too little is refused, what could not leave is told, and no datagram is
//! larger than the MTU for its signature (RFC 5925 §7.6, RFC 2385 §4.3).

use std::net::SocketAddr;

use segue::auth::{Association, NoRoom, Refusal};
use segue::codec::EncodeError;
use segue::host::{Backlog, EndpointConfig, Flow, Full, Listen, OpenError};
use segue::{Arc, Path};
use segue_kit::secs;
use segue_tcp_ao::world::{ADDRESSES, Host, PORT, User, World, policy};

use super::conversations::{KINDS, pair, refused};

fn client_flow() -> Flow {
    Flow::new(SocketAddr::new(ADDRESSES[0], 50_000), SocketAddr::new(ADDRESSES[1], PORT)).expect("valid")
}

/// A policy with this room, on paths with this MTU. Handshakes end soon.
fn config(space: u8, mtu: u16) -> EndpointConfig {
    EndpointConfig { mtu, ..policy(space, |config| config.connect_timeout(Some(secs(10)))) }
}

/// What a connection of such a policy is told, if a signature takes `needed` octets: by its own arithmetic.
fn expected(space: u8, mtu: u16, needed: u8) -> Option<NoRoom> {
    let words = |octets: u8| u16::from(octets.div_ceil(4) * 4);
    if words(space) < words(needed) {
        return Some(NoRoom::OptionSpace { needed, reserved: space });
    }
    let least = 68 + words(space);
    (mtu < least).then_some(NoRoom::Mtu { needed: least, mtu })
}

/// Every `option_space` on paths of several MTUs: where a signature has room, the text gets through, and no datagram is
/// larger than the MTU; where it has none, the open is refused, and if the host opens by another call, nothing leaves and
/// it is told so in each flush until the connection times out.
#[test]
fn rfc_5925_7_6_a_connection_without_room_is_refused_and_sends_nothing() {
    let (mut carried, mut silent) = (0, 0);
    for (needed, algorithm) in KINDS {
        for space in 0..=40 {
            for mtu in [68, 83, 84, 87, 88, 108, 576, 1500] {
                let config = config(space, mtu);
                let mut world = World::new(1, &config, pair(algorithm));
                world.hosts[1].listen(Listen::port(PORT));
                world.captured = Some(Vec::new());
                let (now, connection) = (world.now, config.connection.clone());
                let path = Path::new(ADDRESSES[1], mtu);
                let Host { endpoint, associations, .. } = &mut world.hosts[0];
                let opened = endpoint.connect_signed(client_flow(), connection, path, associations, now);
                let error = expected(space, mtu, needed);
                let id = match error {
                    None => opened.expect("there is room"),
                    Some(error) => {
                        assert_eq!(opened, Err(OpenError::NoRoom(error)), "{space} {mtu}");
                        assert_eq!((endpoint.len(), endpoint.wants_flush()), ((0, 0), false));
                        endpoint.connect_from(client_flow(), now).expect("free") // a host that does not ask
                    }
                };
                let octets = 2000;
                world.hosts[0].users.insert(id, User { octets, closes: true, ..User::default() });
                world.turn(0);
                assert!(world.until(secs(200), |world| world.hosts[0].users[&id].closed.is_some()), "{space} {mtu}");
                let captured = world.captured.as_ref().expect("it is kept");
                let largest = captured.iter().map(|(_, datagram)| datagram.len()).max().unwrap_or(0);
                assert!(largest <= usize::from(mtu), "{space} {mtu}: {largest}");
                let [client, server] = &world.hosts;
                match error {
                    None => {
                        assert!(world.until(secs(9), |world| world.is_done([octets, 0])), "{space} {mtu}");
                        assert!(world.hosts.iter().all(|host| host.unsent.is_empty()));
                        carried += 1;
                    }
                    Some(error) => {
                        assert_eq!(captured.len(), 0, "{space} {mtu}");
                        assert_eq!((server.ignored, server.endpoint.len()), (0, (0, 0)));
                        assert!(client.unsent.len() >= 3, "the SYN goes again"); // and each time it is told
                        for unsent in &client.unsent {
                            let told = (unsent.flow, unsent.error, unsent.segments);
                            assert_eq!(told, (client_flow(), EncodeError::NoRoom(error), 1));
                        }
                        assert!(client.associations.is_empty());
                        silent += 1;
                    }
                }
            }
        }
    }
    assert!(carried > 250 && silent > 500, "{carried} {silent}");
}

/// A listener whose policy leaves no room takes no SYN of a peer with keys, whatever it does when it is full: no answer, no
/// cookie, no connection, no association; the refusal is counted, and the warning tells it.
#[test]
fn rfc_5925_7_6_a_listener_without_room_opens_nothing() {
    for (needed, algorithm) in KINDS {
        for space in [0, 1, 12, 16] {
            for full in [Full::Cookies, Full::EvictOldest, Full::Drop, Full::Reset] {
                for half_open in [0, 10] {
                    let has_room = expected(space, 1500, needed).is_none();
                    let mut world = World::new(1, &config(needed, 1500), pair(algorithm));
                    world.hosts[1] = Host::new(2, config(space, 1500), pair(algorithm)[1].clone());
                    let backlog = Backlog { half_open, ready: 10, full };
                    world.hosts[1].listen(Listen { backlog, ..Listen::port(PORT) });
                    let id = world.connect(User { octets: 10, closes: true, ..User::default() });
                    assert!(world.until(secs(100), |world| world.hosts[0].users[&id].closed.is_some()));
                    let server = &world.hosts[1];
                    let no_room = server.associations.refused(Refusal::NoRoom);
                    if has_room {
                        assert_eq!(no_room, 0);
                        assert!(server.sent > 0 || half_open == 0, "{full:?}");
                        continue;
                    }
                    assert_eq!((server.sent, server.cookies, server.unsent.len()), (0, 0, 0));
                    assert_eq!((server.endpoint.len(), server.associations.len()), ((0, 0), 0));
                    assert_eq!(no_room, world.hosts[0].sent);
                    let (flow, refusal) = server.associations.last_refused().expect("it is told");
                    assert_eq!((flow.local(), refusal), (SocketAddr::new(ADDRESSES[1], PORT), Refusal::NoRoom));
                    assert!(no_room >= 3, "each SYN counts");
                }
            }
        }
    }
}

/// A path that becomes narrower than the room: what would be larger than its MTU does not leave, and is told; when the path
/// widens, the connection goes on where it was.
#[test]
fn rfc_5925_7_6_a_path_that_narrows_below_the_room_is_told() {
    for (needed, algorithm) in KINDS {
        let least = 68 + u16::from(needed.div_ceil(4) * 4);
        for mtu in [68, least - 1, least] {
            let mut world = World::new(1, &config(needed, 1500), pair(algorithm));
            world.hosts[1].listen(Listen::port(PORT));
            let id = world.connect(User::default());
            assert!(world.until(secs(5), |world| !world.hosts[1].users.is_empty()));
            let now = world.now;
            world.hosts[0].endpoint.socket(id, now).expect("it is there").set_mtu(mtu);
            world.hosts[0].users.get_mut(&id).expect("its user").octets = 3000;
            world.captured = Some(Vec::new());
            world.turn(0);
            world.pass(secs(2));
            let captured = world.captured.take().expect("it is kept");
            let largest = captured.iter().filter(|(from, _)| *from == 0).map(|(_, datagram)| datagram.len()).max();
            if mtu < least {
                assert_eq!(largest, None, "{mtu}");
                let unsent = world.hosts[0].unsent.last().expect("it is told");
                assert_eq!(unsent.error, EncodeError::NoRoom(NoRoom::Mtu { needed: least, mtu }));
                world.hosts[0].endpoint.socket(id, world.now).expect("it is there").set_mtu(1500);
                world.turn(0);
            } else {
                assert!(largest.is_some_and(|largest| largest <= usize::from(mtu)), "{mtu} {largest:?}");
                assert!(world.hosts[0].unsent.is_empty());
            }
            let carried = world.until(secs(200), |world| world.hosts[1].users.values().all(|user| user.read == 3000));
            assert!(carried, "{mtu}");
            assert_eq!(refused(&world), 0);
        }
    }
}

/// Keys that come to a peer after the SYN: its first numbers are not known, and what would need a signature does not leave
/// without one. A reset leaves: no key can be derived for it (RFC 5925 §7.7), and the peer ignores it.
#[test]
fn rfc_5925_7_7_what_needs_a_signature_never_leaves_without() {
    for (space, algorithm) in KINDS {
        let keys = pair(algorithm);
        let mut world = World::new(1, &config(space, 1500), keys.clone().map(|_| Default::default()));
        world.hosts[1].listen(Listen::port(PORT));
        let id = world.connect(User { octets: 10, ..User::default() });
        assert!(world.until(secs(5), |world| world.hosts[1].users.values().any(|user| user.read == 10)));
        world.pass(secs(2));
        let flow = world.flow(id).expect("it is there");
        *world.hosts[0].associations.keyring_mut() = keys[0].clone();
        world.hosts[0].users.get_mut(&id).expect("its user").octets = 5000;
        world.captured = Some(Vec::new());
        world.turn(0);
        world.pass(secs(1));
        assert_eq!(world.captured.as_ref().expect("it is kept").len(), 0);
        let client = &mut world.hosts[0];
        assert!(!client.unsent.is_empty());
        for unsent in &client.unsent {
            assert_eq!((unsent.flow, unsent.error), (flow, EncodeError::UnknownConnection));
        }
        assert!(client.unsent[0].segments > 1, "all of a flush are counted: {}", client.unsent[0]);
        client.endpoint.socket(id, world.now).expect("it is there").abort();
        world.turn(0);
        let captured = world.captured.as_ref().expect("it is kept");
        let area = segue::auth::signature(&captured[0].1[40..]);
        assert_eq!(area, Ok(None));
        let resets = captured.iter().filter(|(_, datagram)| datagram[33] & 4 != 0).count();
        assert_eq!((captured.len(), resets), (1, 1), "{captured:?}");
    }
}

/// A host with a table of its own: `Association::within` refuses, and what it takes stays within the room that was left.
#[test]
fn rfc_5925_7_6_an_association_without_room_is_refused() {
    for (needed, algorithm) in KINDS {
        let [peers, _] = pair(algorithm);
        let keys = &peers.keys[0].2;
        for space in 0..=40 {
            for path in [Path::ipv4(68), Path::ipv4(1500), Path::ipv6(1280)] {
                let config = config(space, path.mtu).connection;
                let v6 = path == Path::ipv6(1280);
                let error = expected(space, if v6 { 1500 } else { path.mtu }, needed);
                assert_eq!(Association::within(keys.clone(), &config, path).err(), error);
            }
        }
    }
}

/// The room is that of the connection's own policy, whatever others of the host have.
#[test]
fn each_connection_has_the_room_of_its_own_policy() {
    let (needed, algorithm) = KINDS[0];
    let mut world = World::new(1, &config(0, 1500), pair(algorithm));
    world.hosts[1] = Host::new(2, config(needed, 1500), pair(algorithm)[1].clone());
    world.hosts[1].listen(Listen::port(PORT));
    let (now, path) = (world.now, Path::ipv4(1500));
    let wide: Arc<segue::Config> = config(needed, 1500).connection;
    let other = Flow::new(SocketAddr::new(ADDRESSES[0], 50_001), client_flow().remote()).expect("valid");
    let Host { endpoint, associations, users, .. } = &mut world.hosts[0];
    let id = endpoint.connect_signed(client_flow(), wide, path, associations, now).expect("it has room");
    users.insert(id, User { octets: 5000, closes: true, ..User::default() });
    let narrow = endpoint.connect_from(other, now).expect("free"); // with the policy of the endpoint
    world.turn(0);
    let carried = world.until(secs(60), |world| world.hosts[1].users.values().any(|user| user.read == 5000));
    assert!(carried);
    let client = &mut world.hosts[0];
    assert!(client.unsent.iter().all(|unsent| unsent.flow == other) && !client.unsent.is_empty());
    assert!(client.endpoint.socket(narrow, world.now).is_ok());
}
