//! Endpoints that speak datagrams.

use std::net::SocketAddr;
use std::time::Duration;

use etherparse::icmpv4::DestUnreachableHeader;
use etherparse::icmpv6::DestUnreachableCode;
use etherparse::{Icmpv4Type, Icmpv6Type};
use segue::host::{Endpoint, EndpointConfig, Keys, Listen, Received, Signal};
use segue::ip::{Format, Ignored, Offload};
use segue::{Arc, CloseReason, Config, Flags, IcmpKind, Instant};

use super::icmp::message;
use super::support::{PLAIN, VIRTIO, addresses, encoded, packet};

fn end(config: EndpointConfig) -> Endpoint {
    Endpoint::new(Keys::new(*b"drawn at startup"), config)
}

/// Sends what waits from one end to the other; how many datagrams.
fn pass(from: &mut Endpoint, to: &mut Endpoint, format: Format, now: Instant) -> usize {
    let mut passed = 0;
    from.flush_ip(now, format, |datagram| {
        passed += 1;
        to.receive_ip(datagram.to_vec().into(), format, now).unwrap();
    });
    passed
}

/// The text crosses whole, in large values where the device cuts and in segments where it does not.
#[test]
fn a_conversation_in_datagrams() {
    let mut counts = Vec::new();
    for ends in addresses() {
        for offload in [Offload::None, Offload::Checksum, Offload::VirtioNet] {
            let format = Format { offload, ..PLAIN };
            let connection = Arc::new(Config::builder().max_transmit(65_000).build().unwrap());
            let config = EndpointConfig { connection, ..EndpointConfig::default() };
            let (mut client, mut server) = (end(config.clone()), end(config));
            let listener = server.listen(Listen::port(80)).unwrap();
            let mut now = Instant::from_millis(1);
            let id = client.connect(ends.src(), SocketAddr::new(ends.dst(), 80), now).unwrap();
            let text: Vec<u8> = (0..40_000_u32).map(|n| n.to_le_bytes()[0]).collect();
            let (mut unsent, mut got, mut peer, mut datagrams) =
                (bytes::Bytes::from(text.clone()), Vec::new(), None, 0);
            while got.len() < text.len() {
                now += Duration::from_millis(1);
                client.socket(id, now).unwrap().write_bytes(&mut unsent).unwrap();
                datagrams += pass(&mut client, &mut server, format, now);
                peer = peer.or_else(|| server.accept(listener));
                if let Some(peer) = peer {
                    got.extend(server.socket(peer, now).unwrap().chunks().flatten());
                }
                pass(&mut server, &mut client, format, now);
                client.timers(now);
                server.timers(now);
            }
            assert_eq!(got, text);
            counts.push(datagrams);
        }
    }
    assert!(counts.chunks(3).all(|of| of[0] == of[1] && of[2] * 3 < of[0]), "{counts:?}");
}

#[test]
fn an_icmp_error_ends_a_connection_that_opens() {
    for ends in addresses() {
        let (mut client, now) = (end(EndpointConfig::default()), Instant::from_millis(1));
        let id = client.connect(ends.src(), SocketAddr::new(ends.dst(), 80), now).unwrap();
        let mut syn = Vec::new();
        client.flush_ip(now, PLAIN, |datagram| syn.extend_from_slice(datagram));
        let error = |quoted: &[u8]| {
            let v4 = Icmpv4Type::DestinationUnreachable(DestUnreachableHeader::Port);
            message(ends, v4, Icmpv6Type::DestinationUnreachable(DestUnreachableCode::Port), quoted).into()
        };
        let stranger = encoded(ends, &packet(b"x"), PLAIN);
        assert_eq!(client.receive_ip(error(&stranger), PLAIN, now), Ok(Received::Stray));
        assert_eq!(client.poll_signal(), None);
        assert_eq!(client.receive_ip(error(&syn), PLAIN, now), Ok(Received::Connection(id)));
        client.flush(now, |_, _| {});
        let unreachable = CloseReason::Unreachable(IcmpKind::PortUnreachable);
        assert_eq!(client.poll_signal(), Some((id, Signal::Closed(unreachable))));
    }
}

#[test]
fn what_is_for_other_hosts_is_dropped() {
    let [v4, v6] = addresses();
    let config = EndpointConfig { addresses: vec![v4.dst(), v6.dst()], ..EndpointConfig::default() };
    let (mut server, now) = (end(config), Instant::from_millis(1));
    for ends in [v4, v6] {
        let octets = |ends| encoded(ends, &packet(b"x"), PLAIN).into();
        assert_eq!(server.receive_ip(octets(ends), PLAIN, now), Ok(Received::Stray));
        assert!(server.wants_flush());
        server.flush(now, |_, _| {});
        assert_eq!(server.receive_ip(octets(ends.reversed()), PLAIN, now), Ok(Received::Foreign));
        assert!(!server.wants_flush(), "nothing answers");
    }
}

/// Options of every kind that lie about their length, in segments that are right otherwise: nothing panics, and what stays is
/// what one SYN leaves.
#[test]
fn malformed_options_cost_nothing_lasting() {
    const DATA_VALID: u8 = 2; // the device has judged the checksum
    let format = VIRTIO;
    for ends in addresses() {
        for flags in [Flags::SYN, Flags::ACK | Flags::PSH] {
            let (mut server, now) = (end(EndpointConfig::default()), Instant::from_millis(1));
            server.listen(Listen::port(80)).unwrap();
            let mut good = packet(b"text");
            good.segment.flags = flags;
            let mut octets = encoded(ends, &good, format);
            octets[0] = DATA_VALID;
            let options = octets.len() - "text".len() - 12;
            let one = |server: &mut Endpoint, octets: Vec<u8>| {
                let _ = server.receive_ip(octets.into(), format, now);
                server.flush(now, |_, _| {});
                (server.len(), server.memory(), server.table_octets(), server.next_deadline())
            };
            let first = one(&mut server, octets.clone());
            let mut all = || {
                for kind in 0..=u8::MAX {
                    for len in [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 40, u8::MAX] {
                        for at in [0, 1, 2, 10, 11] {
                            let mut bad = octets.clone();
                            bad[options + at] = kind;
                            bad[options + (at + 1).min(11)] = len;
                            assert_eq!(one(&mut server, bad), first, "{flags:?} {kind} {len} {at}");
                        }
                    }
                }
            };
            all(); // queues have their room
            assert_eq!(allocation_counter::measure(all).bytes_current, 0, "{flags:?}");
        }
    }
}

/// Damaged, short and foreign datagrams: typed answers, and nothing stays.
#[test]
fn bad_datagrams_cost_nothing_lasting() {
    let (mut server, now) = (end(EndpointConfig::default()), Instant::from_millis(1));
    server.listen(Listen::port(80)).unwrap();
    let before = (server.len(), server.memory(), server.table_octets(), server.next_deadline());
    for ends in addresses() {
        let octets = encoded(ends, &packet(b"text"), VIRTIO);
        for len in 0..octets.len() {
            assert!(server.receive_ip(octets[..len].to_vec().into(), VIRTIO, now).is_err());
        }
        for at in 10..octets.len() {
            let mut damaged = octets.clone();
            (damaged[0], damaged[at]) = (0, !damaged[at]);
            let _ = server.receive_ip(damaged.into(), VIRTIO, now);
        }
    }
    server.flush(now, |_, _| {});
    assert_eq!((server.len(), server.memory(), server.table_octets(), server.next_deadline()), before);
    assert_eq!(server.receive_ip(Default::default(), PLAIN, now), Err(Ignored::Length));
}
