//! Connections that leave an endpoint as data and go on in another one.

use std::net::SocketAddr;

use segue::codec::{Packet, PseudoHeader};
use segue::host::{Detached, Endpoint, EndpointConfig, Flow, Id, Keys, Listen, Signal};
use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};

type Wire = Vec<(PseudoHeader, Packet)>;

fn endpoint(memory: usize) -> Endpoint {
    Endpoint::new(Keys::new([7; 16]), EndpointConfig { memory, ..EndpointConfig::default() })
}

/// To a binary format and back, and to text and back.
fn moved(detached: &Detached) -> Detached {
    let octets = postcard::to_allocvec(detached).expect("it is written");
    let text = serde_json::to_string(detached).expect("it is written");
    let [a, b]: [Detached; 2] = [postcard::from_bytes(&octets).unwrap(), serde_json::from_str(&text).unwrap()];
    assert!(a == *detached && b == *detached);
    a
}

fn octet(at: usize) -> u8 {
    (at.wrapping_mul(0x9E37_79B9) >> 11) as u8
}

/// One end of a transfer in both directions: it writes `OCTETS` octets and reads slowly.
#[derive(Default)]
struct End {
    tcp: Option<Endpoint>,
    id: Option<Id>,
    written: usize,
    read: usize,
    over: bool,
}

const OCTETS: usize = 300_000;

impl End {
    fn turn(&mut self, arrived: Wire, lost: impl FnMut(&mut Packet) -> bool, now: Instant) -> Wire {
        let tcp = self.tcp.as_mut().unwrap();
        arrived.into_iter().for_each(|(ends, packet)| _ = tcp.receive(ends, packet, now));
        tcp.timers(now);
        while let Some((_, signal)) = tcp.poll_signal() {
            self.over |= matches!(signal, Signal::Closed(_));
        }
        if let Some(mut socket) = self.id.and_then(|id| tcp.socket(id, now).ok()) {
            let mut text = [0; 1500];
            let octets = socket.read(&mut text);
            for got in &text[..octets] {
                assert_eq!(*got, octet(self.read));
                self.read += 1;
            }
            let piece: Vec<u8> = (self.written..OCTETS.min(self.written + 4000)).map(octet).collect();
            self.written += socket.write(&piece).unwrap_or(0);
            if self.written == OCTETS {
                let _ = socket.close();
            }
        }
        let (mut wire, mut lost) = (vec![], lost);
        tcp.flush(now, |ends, mut packet| {
            if !lost(&mut packet) {
                wire.push((ends, packet));
            }
        });
        wire
    }
}

/// One end is stored every seventh turn and goes on in an endpoint with another budget; one packet in thirty is lost.
#[test]
fn a_stored_connection_goes_on_in_another_endpoint() {
    let (mut client, mut server) = (endpoint(usize::MAX), endpoint(4_000_000));
    let listener = server.listen(Listen::port(80)).unwrap();
    let mut now = Instant::from_secs(1);
    let id = client.connect("198.51.100.7".parse().unwrap(), "192.0.2.1:80".parse().unwrap(), now).unwrap();
    let mut ends = [End { id: Some(id), ..End::default() }, End::default()];
    (ends[0].tcp, ends[1].tcp) = (Some(client), Some(server));
    let (mut wires, mut sent, mut moves) = ([vec![], vec![]], 0, 0);
    for turn in 0..30_000 {
        now += core::time::Duration::from_millis(5);
        for end in [0, 1] {
            let arrived = std::mem::take(&mut wires[end]);
            wires[1 - end] = ends[end].turn(
                arrived,
                |_| {
                    sent += 1;
                    sent % 30 == 0
                },
                now,
            );
            let tcp = ends[end].tcp.as_mut().unwrap();
            if end == 1 {
                ends[1].id = ends[1].id.or_else(|| tcp.accept(listener));
            }
            if turn % 7 != 3 * end {
                continue;
            }
            if let Ok(detached) = ends[end].id.ok_or(()).and_then(|id| tcp.detach(id, now).map_err(|_| ())) {
                assert_eq!((tcp.len(), tcp.memory(), tcp.wants_flush()), ((0, 0), 0, false));
                let mut other = endpoint([usize::MAX, 3_000_000, 50_000_000][turn % 3]);
                ends[end].id = other.attach(moved(&detached), now).ok();
                ends[end].tcp = Some(other);
                moves += 1;
            }
        }
        if ends.iter().all(|end| end.over) {
            break;
        }
    }
    assert_eq!(ends.each_ref().map(|end| (end.read, end.written, end.over)), [(OCTETS, OCTETS, true); 2]);
    assert!(moves > 30, "{moves}");
}

/// What does not move is not read.
#[test]
fn what_cannot_move_is_no_value() {
    let ends: (SocketAddr, SocketAddr) = ("192.0.2.1:80".parse().unwrap(), "198.51.100.7:9".parse().unwrap());
    let text = serde_json::to_string(&Flow::new(ends.0, ends.1).unwrap()).unwrap();
    assert_eq!(text, r#"["192.0.2.1:80","198.51.100.7:9"]"#);
    assert!(serde_json::from_str::<Flow>(r#"["192.0.2.1:80","224.0.0.1:9"]"#).is_err());

    let secrets = Secrets { iss: SeqNum::new(1), ts_offset: 0 };
    let (opening, _) = Connection::connect(Arc::new(Config::default()), Path::ipv4(1500), secrets, Instant::ZERO);
    let opening = serde_json::to_string(&opening).unwrap();
    let waits = r#"{"pending":{"flags":0,"reports":[],"closed":null},"low_water":1,"flushed":null,"room":false,"budget":false}"#;
    let text = format!(r#"{{"connection":{opening},"flow":{text},"unread":[],"waits":{waits}}}"#);
    let refused = serde_json::from_str::<Detached>(&text).unwrap_err().to_string();
    assert!(refused.starts_with("the handshake is not complete"), "{refused}");
}
