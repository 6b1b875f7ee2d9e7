//! What belongs to no connection, beside the machine's own CLOSED and LISTEN.

use std::net::SocketAddr;

use segue::codec::{Packet, PseudoHeader};
use segue::host::{Endpoint, EndpointConfig, Keys, Listen, Received};
use segue::{Action, Arc, Config, Connection, Flags, Instant, Path, Secrets, Segment, SeqNum};

use super::world::{CLIENT, SERVER};

/// Every combination of control bits, with and without text, but for the SYNs that open.
fn strays() -> impl Iterator<Item = Segment> {
    let opens = |flags: Flags| flags.intersection(Flags::SYN | Flags::ACK | Flags::RST) == Flags::SYN;
    let each = |bits: u16| ["", "text"].map(|text| (Flags::from_bits_truncate(bits), text));
    let all = (0..0x200).flat_map(each).filter(move |(flags, _)| !opens(*flags));
    all.map(|(flags, text)| Segment {
        seq: SeqNum::new(500),
        ack: SeqNum::new(700),
        flags,
        window: 1000,
        payload: text.into(),
        ..Segment::default()
    })
}

/// What an endpoint answers, with or without a listener.
fn answers(listens: bool, segment: Segment) -> Vec<Segment> {
    let mut tcp = Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default());
    if listens {
        tcp.listen(Listen::port(80)).expect("nobody listens yet");
    }
    let addresses = PseudoHeader::new(CLIENT, SERVER).expect("one version");
    let received = tcp.receive(addresses, Packet { src_port: 49152, dst_port: 80, segment }, Instant::ZERO);
    assert_eq!(received, Received::Stray);
    let mut sent = Vec::new();
    tcp.flush(Instant::ZERO, |addresses, packet| {
        let ends =
            (SocketAddr::new(addresses.src(), packet.src_port), SocketAddr::new(addresses.dst(), packet.dst_port));
        assert_eq!(ends, (SocketAddr::new(SERVER, 80), SocketAddr::new(CLIENT, 49152)));
        sent.push(packet.segment);
    });
    assert!(tcp.is_empty());
    sent
}

/// What a connection in this state transmits.
fn transmitted(mut tcp: Connection, segment: Segment) -> Vec<Segment> {
    let actions = tcp.handle_segment(segment, Instant::ZERO);
    actions
        .into_iter()
        .filter_map(|action| if let Action::Transmit(sent) = action { Some(sent) } else { None })
        .collect()
}

fn listening() -> Connection {
    let secrets = Secrets { iss: SeqNum::new(9), ts_offset: 0 };
    Connection::listen(Arc::new(Config::default()), Path::ipv4(1500), secrets)
}

/// RFC 9293 §3.10.7.2: a reset and what has neither SYN nor ACK is dropped, an ACK draws a reset.
#[test]
fn listen_any_stray_is_answered_as_by_the_machine() {
    for segment in strays() {
        let expected = transmitted(listening(), segment.clone());
        assert_eq!(answers(true, segment.clone()), expected, "{segment}");
    }
}

/// RFC 9293 §3.10.7.1: all but resets draw one.
#[test]
fn closed_any_stray_is_answered_as_by_the_machine() {
    for segment in strays() {
        let mut closed = listening();
        closed.abort(Instant::ZERO);
        assert_eq!(answers(false, segment.clone()), transmitted(closed, segment.clone()), "{segment}");
    }
}
