//! The option of Fast Open as octets from the wire: the experimental form (RFC 7413 §9), several options on one SYN, odd lengths,
//! and requests that were captured and come again in a flood.

use std::net::SocketAddr;

use segue::codec::{self, Fill, Packet, PseudoHeader};
use segue::host::{Id, Keys, Listen, ListenerId, Received};
use segue::{FastOpenCookie, FastOpenRefusal, Flags, Report, Segment, SeqNum, State};
use segue_kit::secs;

use super::world::{CLIENT, SERVER, World};
use crate::wire::with_area;

const WEB: SocketAddr = SocketAddr::new(SERVER, 80);
const MSS: [u8; 4] = [2, 4, 5, 180];
/// Kind 254 and the magic number of Fast Open (RFC 7413 §9, RFC 6994).
const EXPERIMENTAL: u8 = 254;
const MAGIC: [u8; 2] = [0xF9, 0x89];

fn experimental(cookie: &[u8]) -> Vec<u8> {
    [&[EXPERIMENTAL, 4 + cookie.len() as u8][..], &MAGIC, cookie].concat()
}

fn assigned(cookie: &[u8]) -> Vec<u8> {
    [&[34, 2 + cookie.len() as u8][..], cookie].concat()
}

fn world(fast_open: usize) -> (World, ListenerId) {
    let mut world = World::plain();
    let listener = world.ends[1].listen(Listen { fast_open, ..Listen::port(80) }).unwrap();
    (world, listener)
}

fn cookie_of(world: &World, client: SocketAddr) -> FastOpenCookie {
    Keys::new(*b"a server's key..").fast_open_cookie(SERVER, client.ip(), world.now)
}

/// What a client sends, and all that the server answers.
fn arrives(world: &mut World, client: SocketAddr, segment: Segment) -> (Received, Vec<Segment>) {
    let addresses = PseudoHeader::new(client.ip(), SERVER).unwrap();
    let received = world.receive(1, addresses, Packet { src_port: client.port(), dst_port: 80, segment });
    let (now, mut answers) = (world.now, Vec::new());
    world.ends[1].flush(now, |_, packet| answers.push(packet.segment));
    (received, answers)
}

/// A SYN with text and these options behind the MSS.
fn syn(area: &[u8]) -> Segment {
    let payload = "GET /".into();
    let syn = Segment { seq: SeqNum::new(5000), flags: Flags::SYN, window: 65_535, payload, ..Segment::default() };
    with_area(&syn, &[&MSS[..], area].concat())
}

/// How many octets of the text on such a SYN the server takes, and the cookie that it gives.
fn taken(world: &mut World, client: SocketAddr, area: &[u8]) -> (u32, Option<FastOpenCookie>) {
    let (_, answers) = arrives(world, client, syn(area));
    assert_eq!(answers.len(), 1, "{answers:?}");
    (answers[0].ack - SeqNum::new(5001), answers[0].options.fast_open())
}

fn readable(world: &mut World, id: Id) -> usize {
    let now = world.now;
    world.ends[1].socket(id, now).unwrap().readable()
}

/// RFC 7413 §9: kind 34 is the one to use. A server ignores kind 254 with the magic number, also around a cookie that is
/// valid: the handshake is an ordinary one, its SYN,ACK has neither option, and the text waits for the end of the handshake.
#[test]
fn rfc_7413_9_a_server_ignores_the_experimental_option() {
    for octets in 0..=16 {
        let (mut world, listener) = world(8);
        let client = SocketAddr::from(([198, 51, 100, 9], 4000));
        let own = cookie_of(&world, client);
        assert_eq!(own.as_slice().len(), 8);
        let cookie: Vec<u8> = own.as_slice().iter().copied().cycle().take(octets).collect();
        let (_, answers) = arrives(&mut world, client, syn(&experimental(&cookie)));
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!((answer.ack, answer.options.fast_open()), (SeqNum::new(5001), None), "{octets}");
        assert!(kinds(answer).iter().all(|kind| ![34, EXPERIMENTAL].contains(kind)));
        assert_eq!(world.ends[1].accept(listener), None, "before the handshake is complete");
        let (seq, ack) = (SeqNum::new(5006), answer.seq + 1);
        arrives(&mut world, client, Segment { seq, ack, flags: Flags::ACK, window: 65_535, ..Segment::default() });
        let id = world.ends[1].accept(listener).expect("after it");
        assert_eq!(readable(&mut world, id), 5);
    }
}

/// RFC 7413 §9: a client never sends it, and a cookie that comes in it is none: the server counts as one without Fast Open.
#[test]
fn rfc_7413_9_a_client_ignores_the_experimental_option() {
    for octets in [0, 4, 8, 16] {
        let (mut world, _) = world(8);
        let (now, mut text) = (world.now, "GET /".into());
        let id = world.ends[0].connect_fast_open(CLIENT, WEB, &mut text, now).unwrap();
        let mut sent = Vec::new();
        world.ends[0].flush(now, |_, packet| sent.push(packet));
        let request = &sent[0].segment;
        assert_eq!(request.options.fast_open(), Some(FastOpenCookie::default()));
        assert!(kinds(request).contains(&34) && !kinds(request).contains(&EXPERIMENTAL));
        let flags = Flags::SYN | Flags::ACK;
        let answer = Segment { ack: request.seq + 1, flags, window: 65_535, ..Segment::default() };
        let answer = with_area(&answer, &[&MSS[..], &experimental(&vec![7; octets])].concat());
        let back = PseudoHeader::new(SERVER, CLIENT).unwrap();
        world.receive(0, back, Packet { src_port: 80, dst_port: sent[0].src_port, segment: answer });
        let reports: Vec<_> = std::iter::from_fn(|| world.ends[0].poll_signal())
            .filter_map(|(of, signal)| match signal {
                segue::host::Signal::Report(report) if of == id => Some(report),
                _ => None,
            })
            .collect();
        assert_eq!(reports, [Report::FastOpenRefused(FastOpenRefusal::NoCookie)], "{octets}");
        let mut acks = Vec::new();
        world.ends[0].flush(now, |_, packet| acks.push(packet.segment));
        assert_eq!(acks.iter().map(|segment| segment.payload.len()).sum::<usize>(), 5, "the text goes as usual");
    }
}

/// The kinds of options of a segment on the wire.
fn kinds(segment: &Segment) -> Vec<u8> {
    let addresses = PseudoHeader::new(CLIENT, SERVER).unwrap();
    let packet = Packet { segment: Segment { payload: Default::default(), ..segment.clone() }, ..Packet::default() };
    let mut octets = Vec::new();
    codec::encode(&packet, Fill::Now(addresses), &mut octets).unwrap();
    let (_, area) = codec::decode_raw(octets.into(), codec::Verify::Now(addresses)).unwrap();
    area.iter().map(|option| option.unwrap().kind).collect()
}

/// Of several options of kind 34 the first of a right length counts, whatever stands around it.
#[test]
fn of_several_cookies_on_a_syn_the_first_counts() {
    let (mut world, listener) = world(100);
    let client = |n: u16| SocketAddr::from(([198, 51, 100, 9], 4000 + n));
    let own = cookie_of(&world, client(0));
    let (valid, wrong) = (assigned(own.as_slice()), assigned(&[9; 8]));
    let (odd, request) = (assigned(&[1; 7]), assigned(&[]));
    let cases: [(Vec<u8>, bool); 9] = [
        (valid.clone(), true),
        ([&valid[..], &wrong].concat(), true),
        ([&wrong[..], &valid].concat(), false),
        ([&request[..], &valid].concat(), false),
        ([&odd[..], &valid].concat(), true),
        ([&valid[..], &odd].concat(), true),
        ([&experimental(&[9; 8])[..], &valid].concat(), true),
        ([&valid[..], &[34, 0]].concat(), true),  // malformed behind it
        ([&[34, 1][..], &valid].concat(), false), // and before
    ];
    for (n, (area, takes)) in cases.into_iter().enumerate() {
        let (octets, cookie) = taken(&mut world, client(n as u16), &area);
        assert_eq!(octets, if takes { 5 } else { 0 }, "{area:?}");
        let asked = !takes && area[..2] != [34, 1];
        assert_eq!(cookie, asked.then_some(own), "{area:?}");
        assert_eq!(world.ends[1].accept(listener).is_some(), takes);
    }
}

/// Each length of the option with the octets of the valid cookie: only the whole cookie opens early; other even lengths are
/// answered with the right one; odd lengths and those of no cookie are as if there were no option.
#[test]
fn a_cookie_of_any_other_length_opens_nothing() {
    let (mut world, listener) = world(100);
    for octets in 0..=30usize {
        let client = SocketAddr::from(([198, 51, 100, 9], 4000 + octets as u16));
        let own = cookie_of(&world, client);
        let cookie: Vec<u8> = own.as_slice().iter().copied().cycle().take(octets).collect();
        let (taken, given) = taken(&mut world, client, &assigned(&cookie));
        let legal = octets % 2 == 0 && (octets == 0 || (4..=16).contains(&octets));
        assert_eq!(taken, if octets == 8 { 5 } else { 0 }, "{octets}");
        assert_eq!(given.is_some(), legal && octets != 8, "{octets}");
        assert_eq!(world.ends[1].accept(listener).is_some(), octets == 8);
    }
}

/// A thief of a cookie replays its request from every port of the client: no more than the limit are delivered, each segment
/// has one answer at most, memory stays within the limits, and afterwards all of it is given back.
#[test]
fn a_flood_of_replayed_requests_keeps_to_the_limit() {
    let (mut world, listener) = world(5);
    let before = world.ends[1].memory();
    let mut most = 0;
    let mut early = 0;
    for n in 0..20_000u16 {
        let client = SocketAddr::from(([198, 51, 100, 9], 1024 + n));
        let own = cookie_of(&world, client);
        let (received, answers) = arrives(&mut world, client, syn(&assigned(own.as_slice())));
        assert!(answers.len() <= 1, "{received:?}: {answers:?}");
        let answer = answers.first().map_or(0, |answer| answer.ack - SeqNum::new(5001));
        early += u32::from(answer > 0);
        if n % 3 == 0 {
            let flags = Flags::RST;
            let (_, answers) =
                arrives(&mut world, client, Segment { seq: SeqNum::new(5006), flags, ..Segment::default() });
            assert!(answers.len() <= 1, "a challenge at the most: {answers:?}");
        }
        most = most.max(world.ends[1].len().0);
    }
    assert_eq!(early, 5);
    assert!(most <= world.ends[1].config().connections, "{most}");
    let mut accepted = 0;
    while let Some(id) = world.ends[1].accept(listener) {
        accepted += 1;
        let now = world.now;
        let state = world.ends[1].socket(id, now).unwrap().info().unwrap().state;
        assert!(matches!(state, State::SynReceived | State::Closed), "{state}");
        world.ends[1].socket(id, now).unwrap().release();
    }
    assert!(accepted <= 5, "{accepted}");
    for _ in 0..100 {
        world.now += secs(10);
        let now = world.now;
        world.ends[1].timers(now);
        while world.ends[1].poll_signal().is_some() {}
        world.ends[1].flush(now, |_, _| {});
    }
    assert_eq!((world.ends[1].len().0, world.ends[1].memory()), (0, before));
}
