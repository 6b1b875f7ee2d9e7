//! What attackers send: forged segments in every form, replays, floods. Nothing of it changes a state or has an answer.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use segue::auth::{Association, Refusal, Rejected};
use segue::codec::{self, Fill, Packet, PseudoHeader, Verify};
use segue::host::{Flow, Listen};
use segue::ip::{self, Format};
use segue::{Event, Flags, IcmpKind, Options, Segment, SeqNum, State};
use segue_kit::{Rng, secs};
use segue_tcp_ao::world::{ADDRESSES, PORT, User, World, policy};
use segue_tcp_ao::{Algorithm, Keys};

use super::connection::Pair;
use super::conversations::{KINDS, pair};

/// How many forged segments: a million, fewer where algorithms are not optimized.
const FORGED: u32 = if cfg!(debug_assertions) { 30_000 } else { 1_000_000 };

/// The octets of a segment with this option area, its checksum right.
fn octets(addresses: PseudoHeader, ports: (u16, u16), segment: &Segment, area: &[u8]) -> Bytes {
    assert!(area.len() % 4 == 0 && area.len() <= 40);
    let packet = Packet {
        src_port: ports.0,
        dst_port: ports.1,
        segment: Segment { options: Options::default().into(), ..segment.clone() },
    };
    let header = codec::Header::new(&packet, Fill::Now(addresses)).expect("short");
    let mut octets = [header.as_slice(), area, &segment.payload].concat();
    octets[12] += (area.len() as u8 / 4) << 4;
    octets[16..18].fill(0);
    let sum = codec::checksum(addresses, &octets).expect("short");
    octets[16..18].copy_from_slice(&sum.to_be_bytes());
    octets.into()
}

/// A segment that a blind or a watching attacker makes: with numbers in the window, of any kind, with an option area of any kind,
/// in the form of TCP MD5 or of TCP-AO.
fn forged(rng: &mut Rng, seq: SeqNum, ack: SeqNum, md5: bool) -> (Segment, Vec<u8>) {
    let flags =
        [Flags::RST, Flags::RST | Flags::ACK, Flags::SYN, Flags::SYN | Flags::ACK, Flags::ACK, Flags::FIN | Flags::ACK];
    let text = [0, 0, 1, 100][rng.below(4) as usize];
    let segment = Segment {
        seq: seq + rng.pick(&[0, 0, 1, 1000, 0xFFFF_FFFF, 1 << 31]),
        ack: ack + rng.pick(&[0, 0, 1, 0xFFFF_FFFF]),
        flags: rng.pick(&flags),
        window: 1000,
        payload: vec![9; text].into(),
        ..Segment::default()
    };
    let mut random = || [0; 16].map(|_: u8| rng.below(256) as u8);
    let mac = random();
    let option = |key_id: u8, mac: &[u8]| [&[29, 4 + mac.len() as u8, key_id, 84][..], mac].concat();
    let digest = |octets: &[u8]| [&[19, 2 + octets.len() as u8][..], octets].concat();
    let (right, other) =
        if md5 { (digest(&mac), option(61, &mac[..12])) } else { (option(61, &mac[..12]), digest(&mac)) };
    let mut area = match rng.below(10) {
        0..=3 => right,
        4 => Vec::new(),
        5 if md5 => other,
        5 => option(rng.below(256) as u8, &[7; 12]),
        6 if md5 => digest(&[7; 38][..rng.below(39) as usize]),
        6 => option(61, &[7; 40][..rng.below(33) as usize]),
        7 => [&right[..], &right[..]].concat(),
        8 => [right, other].concat(),
        _ => vec![if md5 { 19 } else { 29 }, rng.below(60) as u8, 61, 84],
    };
    area.resize(area.len().next_multiple_of(4), 0);
    (segment, area)
}

/// A flood of forged segments at a connection: both values are equal afterwards, there is one MAC at the most for each and none
/// for what is malformed, and the conversation goes on.
#[test]
fn a_flood_of_forged_segments_changes_nothing() {
    let mut pair = Pair::established(1, [7, 9]);
    let mut rng = Rng::new(2);
    for state in [State::Established, State::TimeWait] {
        if state == State::TimeWait {
            for end in [1, 0] {
                pair.event(end, Event::Close);
                pair.run(secs(1));
            }
        }
        let before = pair.clone();
        let server = &mut pair.ends[1];
        let info = server.connection.info();
        assert_eq!(info.state, state);
        let from = server.addresses.reversed();
        let (mut wrong, mut cheap, mut told) = (0, 0, BTreeSet::new());
        for _ in 0..FORGED / 2 {
            let (segment, area) = forged(&mut rng, info.rcv_nxt, info.snd_nxt, false);
            let judged = server.association.authenticator().judged;
            let octets = octets(from, (50_000, 179), &segment, &area);
            let error = server.association.decode(from, octets, Verify::Now(from)).unwrap_err();
            let Rejected::Refused(refusal) = error else { panic!("{error}") };
            let asked = server.association.authenticator().judged - judged;
            let expected = match refusal {
                Refusal::Signature | Refusal::UnknownKey | Refusal::Length => 1,
                Refusal::Missing | Refusal::Malformed | Refusal::Several => 0,
                _ => panic!("{refusal}"),
            };
            assert_eq!(asked, expected, "{refusal}");
            wrong += u32::from(refusal == Refusal::Signature);
            told.insert(refusal);
            cheap += u32::from(asked == 0);
        }
        assert_eq!(told.len(), 6, "{told:?}"); // a wrong length is told before the MAC is, which is wrong as well (§7.5)
        assert!(wrong > FORGED / 8 && cheap > FORGED / 10, "{wrong} {cheap}");
        server.association.authenticator_mut().judged = before.ends[1].association.authenticator().judged;
        assert_eq!(server.association, before.ends[1].association);
        assert!(server.connection == before.ends[1].connection);
        pair.event(0, if state == State::Established { Event::Send("more".into()) } else { Event::Abort });
        pair.run(secs(1));
        assert!(pair.ends[1].delivered.ends_with(b"more"));
    }
}

/// The same at a whole host, with other flows and ICMP errors: no datagram leaves, no timer is set, no memory is kept, and the
/// connection goes on.
#[test]
fn a_flood_at_a_host_has_no_answer() {
    for (space, algorithm) in KINDS {
        flood(World::new(1, &policy(space, |config| config), pair(algorithm)), algorithm.is_none());
    }
}

fn flood(mut world: World, md5: bool) {
    world.hosts[1].listen(Listen::port(PORT));
    world.hosts[1].accepted = User { octets: 3000, ..User::default() };
    let id = world.connect(User { octets: 10_000, ..User::default() });
    assert!(world.until(secs(5), |world| world.hosts[1].users.values().any(|user| user.read == 10_000)));
    world.pass(secs(2));
    let flow = world.flow(id).expect("it is there");
    let info = world.hosts[0].endpoint.socket(id, world.now).unwrap().info().unwrap();
    let now = world.now;
    let server = &mut world.hosts[1];
    let told = |server: &segue_tcp_ao::world::Host| {
        let endpoint = &server.endpoint;
        let flows = [server.associations.len(), endpoint.len().0, endpoint.len().1];
        (flows, endpoint.memory(), endpoint.next_deadline(), endpoint.wants_flush(), server.sent)
    };
    let before = told(server);
    let mut rng = Rng::new(3);
    let from = PseudoHeader::new(ADDRESSES[0], ADDRESSES[1]).unwrap();
    let mut put = Vec::new();
    for round in 0..FORGED / 20 {
        let (segment, area) = forged(&mut rng, info.snd_nxt, info.rcv_nxt, md5);
        let port = if round % 2 == 0 { flow.local().port() } else { 1024 + (round % 60_000) as u16 };
        let tcp = octets(from, (port, PORT), &segment, &area);
        put.clear();
        let packet = Packet { src_port: port, dst_port: PORT, segment };
        ip::encode(from, &packet, Format::default(), &mut put).unwrap();
        // the same IP header before the octets that are forged
        let total = 20 + tcp.len() as u16;
        put.truncate(20);
        put[2..4].copy_from_slice(&total.to_be_bytes());
        put[10..12].fill(0);
        let mut sum = codec::Sum::new();
        sum.add(&put);
        let sum = sum.checksum();
        put[10..12].copy_from_slice(&sum.to_be_bytes());
        put.extend_from_slice(&tcp);
        let received = server.receive(Bytes::copy_from_slice(&put), now);
        assert!(matches!(received, Err(ip::Ignored::Refused(_))), "{received:?} {packet}");
    }
    assert!(server.turn(now).is_empty());
    assert_eq!(told(server), before);
    assert!(server.associations.last_refused().is_some());
    for refusal in [Refusal::Signature, Refusal::Missing, Refusal::Malformed, Refusal::Several] {
        assert!(server.associations.refused(refusal) > 50, "{refusal}");
    }
    let flow_there = flow.reversed();
    for kind in [IcmpKind::ProtocolUnreachable, IcmpKind::PortUnreachable, IcmpKind::PacketTooBig] {
        assert!(server.associations.ignores_icmp(&flow_there, kind));
    }
    assert!(!server.associations.ignores_icmp(&flow_there, IcmpKind::TimeExceeded));
    assert_eq!(server.associations.ignored_icmp(), 3);
    world.hosts[0].users.get_mut(&id).unwrap().closes = true;
    world.turn(0);
    assert!(world.until(secs(60), |world| world.is_done([10_000, 3000])));
}

/// What was captured comes again: its signature is right within the same wrap, and it changes what a repeated segment
/// changes; in another connection between the same ends it is refused.
#[test]
fn replays_are_duplicates_or_refused() {
    let pair = Pair::established(1, [7, 9]);
    let mut same = pair.clone();
    let before = same.ends.each_ref().map(|end| (end.connection.info(), end.delivered.clone()));
    for (from, octets) in pair.captured.clone() {
        same.arrives(1 - from, octets).expect("signed by the peer");
    }
    for (end, (info, delivered)) in same.ends.iter().zip(before) {
        let now = end.connection.info();
        assert_eq!((now.state, now.snd_nxt, now.rcv_nxt), (info.state, info.snd_nxt, info.rcv_nxt));
        assert_eq!(end.delivered, delivered);
    }
    // The same numbers but for one of the server: another connection.
    let mut other = Pair::established(1, [7, 10]);
    let sent = other.captured.len();
    for (from, octets) in pair.captured {
        let flags = Flags::from_bits_truncate(octets[13].into());
        let before = other.ends.each_ref().map(|end| end.connection.clone());
        match other.arrives(1 - from, octets) {
            // The SYN is the same; the machine challenges it.
            Ok(()) => assert_eq!((from, flags & (Flags::SYN | Flags::ACK)), (0, Flags::SYN)),
            Err(error) => {
                assert_eq!(error, Rejected::Refused(Refusal::Signature));
                assert!(before == other.ends.each_ref().map(|end| end.connection.clone()));
            }
        }
    }
    assert!(other.captured.len() <= sent + 1);
}

/// A flow without keys: signatures are accepted, unless the host demands keys; malformed ones never are.
#[test]
fn rfc_5925_7_3_signatures_without_a_key() {
    let from = PseudoHeader::new(ADDRESSES[0], ADDRESSES[1]).unwrap();
    let syn = Segment { seq: SeqNum::new(5), flags: Flags::SYN, window: 9, ..Segment::default() };
    let ao = [&[29, 16, 61, 84][..], &[7; 12]].concat();
    let twice = [&ao[..], &ao].concat();
    let both = [&ao[..], &[19, 18], &[7; 16], &[0, 0]].concat();
    for (area, default, strict) in [
        (&[][..], Ok(()), Ok(())),
        (&ao[..], Ok(()), Err(Refusal::NoKey)),
        (&twice[..], Err(Refusal::Several), Err(Refusal::Several)),
        (&both[..], Err(Refusal::Several), Err(Refusal::Several)),
        (&[29, 3, 1, 1][..], Err(Refusal::Malformed), Err(Refusal::Malformed)),
        (&[29, 5, 1, 1][..], Err(Refusal::Malformed), Err(Refusal::Malformed)),
    ] {
        for (refuses_unknown, expected) in [(false, default), (true, strict)] {
            let peers = segue_tcp_ao::Peers { refuses_unknown, ..Default::default() };
            let mut associations = segue::host::Associations::new(peers);
            let result = associations.decode(from, octets(from, (5, 6), &syn, area), Verify::Now(from));
            assert_eq!(result.map(|_| ()), expected.map_err(Rejected::Refused), "{area:?}");
            assert!(associations.is_empty());
        }
    }
}

/// One that has keys for TCP-AO refuses TCP MD5, and the other way round (RFC 5925 §8).
#[test]
fn rfc_5925_8_never_both_options_on_a_connection() {
    let [client, _] = pair(None);
    let [_, server] = pair(Some(Algorithm::Aes128Cmac));
    for (one, other) in [(client.clone(), server.clone()), (server, client)] {
        let (mut one, mut other) = (keys(&one), keys(&other));
        let there = PseudoHeader::new(ADDRESSES[0], ADDRESSES[1]).unwrap();
        let syn = Segment { seq: SeqNum::new(5), flags: Flags::SYN, ..Segment::default() };
        let header = one.header(there, &Packet { src_port: 5, dst_port: 6, segment: syn }, Fill::Now(there)).unwrap();
        let taken = other.decode(there, Bytes::copy_from_slice(header.as_slice()), Verify::Now(there));
        assert_eq!(taken, Err(Rejected::Refused(Refusal::OtherKind)));
    }
}

fn keys(peers: &segue_tcp_ao::Peers) -> Association<Keys> {
    Association::new(peers.keys[0].2.clone())
}

/// SYNs with right signatures, captured from an earlier life and sent again in a flood, leave no more associations than there are
/// connections, and some.
#[test]
fn replayed_syns_leave_bounded_state() {
    let config = policy(16, |config| config);
    let peers = pair(Some(Algorithm::HmacSha1));
    let mut world = World::new(1, &config, peers);
    let [mut peers, _] = pair(Some(Algorithm::HmacSha1));
    peers.keys[0].1 = None;
    let server = &mut world.hosts[1];
    server.listen(Listen::port(PORT));
    let there = PseudoHeader::new(ADDRESSES[0], ADDRESSES[1]).unwrap();
    let mut opened = 0;
    for port in 1024..4024u16 {
        let mut client = segue::host::Associations::new(peers.clone());
        let segment = Segment { seq: SeqNum::new(port.into()), flags: Flags::SYN, window: 9, ..Segment::default() };
        let packet = Packet { src_port: port, dst_port: PORT, segment };
        let header = client.header(there, &packet, Fill::Now(there)).unwrap();
        let mut datagram = Vec::new();
        ip::encode_with(there, &header, &packet, Format::default(), &mut datagram).unwrap();
        let flow = Flow::new(SocketAddr::new(ADDRESSES[1], PORT), SocketAddr::new(ADDRESSES[0], port)).unwrap();
        server.receive(datagram.into(), world.now).expect("signed");
        opened += u32::from(server.endpoint.knows(&flow));
        server.turn(world.now);
        let (live, waiting) = server.endpoint.len();
        assert!(server.associations.len() <= 2 * (live + waiting) + 65);
    }
    assert!((1000..3000).contains(&opened), "{opened}");
    let server = &mut world.hosts[1];
    for second in 1..200 {
        server.turn(world.now + Duration::from_secs(second));
    }
    assert_eq!(server.endpoint.len(), (0, 0));
    assert!(server.associations.len() <= 64);
}
