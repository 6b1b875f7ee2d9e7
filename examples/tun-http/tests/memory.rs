//! The HTTP server over two endpoints in virtual time: no device, no privilege.

use std::time::Duration;

use segue::Instant;
use segue::codec::{Packet, PseudoHeader};
use segue::host::{Endpoint, EndpointConfig, Id, Keys, Listen, Signal};
use segue_tun_http::http::{Server, octet};

const PATIENCE: Duration = Duration::from_secs(60);
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A server, and clients on one endpoint.
struct World {
    server: Endpoint,
    http: Server,
    clients: Endpoint,
    now: Instant,
    to_server: Vec<(PseudoHeader, Packet)>,
    to_clients: Vec<(PseudoHeader, Packet)>,
    /// Packets that crossed the wire.
    packets: usize,
    /// Connections that the clients were told are over.
    closed: Vec<Id>,
}

impl World {
    fn new() -> Self {
        let mut server = Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default());
        let http = Server::new(&mut server, &[Listen::port(80)], PATIENCE).expect("the port is free");
        let clients = Endpoint::new(Keys::new(*b"drawn by another"), EndpointConfig::default());
        let (to_server, to_clients, closed) = (Vec::new(), Vec::new(), Vec::new());
        Self { server, http, clients, now: Instant::from_millis(1), to_server, to_clients, packets: 0, closed }
    }

    fn connect(&mut self) -> Id {
        let (client, server) = ("198.51.100.7".parse().expect("one"), "192.0.2.2:80".parse().expect("another"));
        self.clients.connect(client, server, self.now).expect("a free port")
    }

    fn write(&mut self, id: Id, text: &[u8]) {
        let taken = self.clients.socket(id, self.now).expect("a connection").write(text);
        assert_eq!(taken, Ok(text.len()));
    }

    fn close(&mut self, id: Id) {
        self.clients.socket(id, self.now).expect("a connection").close().expect("the first time");
    }

    /// All that arrived at the client so far.
    fn read(&mut self, id: Id) -> Vec<u8> {
        self.clients.socket(id, self.now).map(|mut socket| socket.chunks().flatten().collect()).unwrap_or_default()
    }

    /// A turn of each host, a millisecond later; whether packets are on their way.
    fn turn(&mut self) -> bool {
        self.now += Duration::from_millis(1);
        for (addresses, packet) in self.to_server.drain(..) {
            self.server.receive(addresses, packet, self.now);
        }
        self.server.timers(self.now);
        self.http.turn(&mut self.server, self.now);
        self.server.flush(self.now, |addresses, packet| self.to_clients.push((addresses, packet)));
        self.packets += self.to_clients.len();
        for (addresses, packet) in self.to_clients.drain(..) {
            self.clients.receive(addresses, packet, self.now);
        }
        self.clients.timers(self.now);
        while let Some((id, signal)) = self.clients.poll_signal() {
            if let Signal::Closed(_) = signal {
                self.closed.push(id);
            }
        }
        self.clients.flush(self.now, |addresses, packet| self.to_server.push((addresses, packet)));
        self.packets += self.to_server.len();
        !self.to_server.is_empty()
    }

    /// Until nobody has anything to say for a while: longer than a delayed acknowledgment.
    fn settle(&mut self) {
        let mut quiet = 0;
        while quiet < 100 {
            quiet = if self.turn() { 0 } else { quiet + 1 };
        }
    }

    /// What a client gets for this text, and whether the server then ended the stream.
    fn ask(&mut self, text: &[u8]) -> (String, bool) {
        let id = self.connect();
        self.write(id, text);
        let mut answer = Vec::new();
        loop {
            self.settle();
            let more = self.read(id);
            if more.is_empty() {
                break;
            }
            answer.extend(more);
        }
        let ended = self.clients.socket(id, self.now).is_ok_and(|socket| socket.eof());
        self.clients.socket(id, self.now).expect("we have not closed").abort();
        self.settle();
        (String::from_utf8(answer).expect("ASCII"), ended)
    }
}

/// The head and the body of the first response, and what follows it.
fn cut(text: &str) -> (&str, &str, &str) {
    let (head, rest) = text.split_once("\r\n\r\n").expect("a whole head");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    let (body, rest) = rest.split_at(length.parse().expect("a number"));
    (head, body, rest)
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let mut world = World::new();
    let id = world.connect();
    for _ in 0..3 {
        world.write(id, GET);
        world.settle();
        let answer = String::from_utf8(world.read(id)).expect("ASCII");
        let (head, body, rest) = cut(&answer);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && !head.contains("Connection"), "{head}");
        assert!(body.starts_with("Hello") && rest.is_empty());
    }
    world.close(id);
    world.settle();
    assert_eq!((world.closed.as_slice(), world.http.len()), ([id].as_slice(), 0));
}

/// RFC 9112 §9.3.
#[test]
fn who_asks_for_the_end_gets_it_after_the_response() {
    for (request, ended) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", true),
        ("GET / HTTP/1.0\r\n\r\n", true),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false),
    ] {
        let (answer, end) = World::new().ask(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{request:?}: {answer}");
        assert_eq!(end, ended, "{request:?}");
        assert_eq!(answer.contains("Connection: close"), ended, "{request:?}: {answer}");
    }
}

#[test]
fn a_body_of_any_length_arrives_whole() {
    for octets in [0, 1, 1459, 65_536, 65_537, 3_000_000_u64] {
        let mut world = World::new();
        let id = world.connect();
        world.write(id, format!("GET /bytes/{octets} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let mut answer = Vec::new();
        for _ in 0..100_000 {
            let moved = world.turn();
            answer.extend(world.read(id));
            if !moved && answer.len() as u64 > octets {
                break;
            }
        }
        let place = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        let body = &answer[place..];
        assert_eq!(body.len() as u64, octets);
        assert!(body.iter().zip(0..).all(|(have, place)| *have == octet(place)), "{octets} octets are wrong");
    }
}

#[test]
fn head_has_the_length_and_no_body() {
    let (answer, _) = World::new().ask(b"HEAD /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let (first, second) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(first.ends_with("Content-Length: 5"), "{first}");
    assert!(second.starts_with("HTTP/1.1 200 OK\r\n") && second.ends_with("\r\n\r\n"), "{second}");
}

#[test]
fn what_is_not_there_is_404_and_the_connection_goes_on() {
    for path in ["/nothing", "/bytes/", "/bytes/-1", "/bytes/+1", "/bytes/99999999999999999999999", "*"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let (answer, ended) = World::new().ask(request.as_bytes());
        let (head, _, rest) = cut(&answer);
        assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{path}: {head}");
        assert!(rest.starts_with("HTTP/1.1 200 OK\r\n") && !ended, "{path}: {rest}");
    }
}

#[test]
fn other_methods_are_405_and_their_bodies_are_skipped() {
    let (answer, ended) = World::new()
        .ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nGET / HTTGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let (head, _, rest) = cut(&answer);
    assert!(head.starts_with("HTTP/1.1 405 Method Not Allowed\r\n") && head.contains("Allow: GET, HEAD"), "{head}");
    assert!(rest.starts_with("HTTP/1.1 200 OK\r\n") && !ended, "{rest}");
}

/// RFC 9112 §2.2, §3.2, §6.3: what follows such a request cannot be trusted.
#[test]
fn bad_requests_are_answered_once_and_end_the_connection() {
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(100));
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(10_000));
    for (request, status) in [
        ("nonsense\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "501"),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", "400"), // TLS
        (many.as_str(), "431"),
        (long.as_str(), "431"),
    ] {
        let (answer, ended) = World::new().ask(format!("{request}GET / HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let (head, _, rest) = cut(&answer);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {head}");
        assert!(head.contains("Connection: close") && rest.is_empty() && ended, "{request:?}: {answer}");
    }
}

/// RFC 9112 §9.6: a server that stops reading after its last response would reset the connection, and the client might
/// lose the response.
#[test]
fn what_follows_the_last_response_is_read_and_dropped() {
    let mut world = World::new();
    let id = world.connect();
    world.write(id, b"nonsense\r\n\r\n");
    for _ in 0..20 {
        world.settle();
        world.write(id, &[b'x'; 50_000]);
    }
    world.settle();
    assert!(world.read(id).starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
    world.close(id);
    world.settle();
    assert!(world.read(id).is_empty() && world.closed == [id] && world.http.is_empty());
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let requests: String = (0..500).map(|n| format!("GET /bytes/{n} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    let mut world = World::new();
    let (answer, _) = world.ask(requests.as_bytes());
    let mut rest = answer.as_str();
    for n in 0..500 {
        let (head, body, more) = cut(rest);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(body.len(), n);
        rest = more;
    }
    assert!(rest.is_empty());
    assert_eq!(world.http.answered, 500);
}

#[test]
fn a_request_may_come_octet_by_octet() {
    let mut world = World::new();
    let id = world.connect();
    for octet in GET.iter().chain(GET) {
        world.write(id, &[*octet]);
        world.settle();
    }
    let answer = String::from_utf8(world.read(id)).expect("ASCII");
    let (_, _, second) = cut(&answer);
    assert_eq!(cut(second).2, "");
}

#[test]
fn a_client_that_closes_after_its_request_is_answered() {
    let mut world = World::new();
    let id = world.connect();
    world.settle(); // a CLOSE in SYN-SENT would end all (RFC 9293 §3.10.4)
    world.write(id, GET);
    world.close(id);
    world.settle();
    assert!(world.read(id).starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(world.http.is_empty() && world.server.len().0 == 0);
}

#[test]
fn a_thousand_clients_at_once_are_all_served() {
    let mut world = World::new();
    let ids: Vec<Id> = (0..1000).map(|_| world.connect()).collect();
    for id in &ids {
        world.write(*id, GET);
    }
    world.settle();
    assert_eq!((world.http.len(), world.http.answered), (1000, 1000));
    for id in ids {
        assert!(world.read(id).starts_with(b"HTTP/1.1 200 OK\r\n"));
        world.close(id);
    }
    world.settle();
    assert!(world.http.is_empty() && world.server.len().0 == 0);
    assert_eq!((world.server.memory(), world.closed.len()), (0, 1000));
}

#[test]
fn who_is_silent_for_too_long_is_reset() {
    let mut world = World::new();
    let (silent, busy) = (world.connect(), world.connect());
    world.settle();
    let begun = world.now;
    while world.now.saturating_since(begun) <= PATIENCE {
        world.now += PATIENCE / 4;
        world.write(busy, GET);
        world.settle();
    }
    assert_eq!((world.closed.as_slice(), world.http.len()), ([silent].as_slice(), 1));
}

#[test]
fn who_does_not_read_takes_no_more_than_a_send_buffer() {
    let mut world = World::new();
    let id = world.connect();
    world.write(id, b"GET /bytes/1000000000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    world.settle();
    assert!(world.server.memory() < 4 << 20, "{} octets", world.server.memory());
    world.clients.socket(id, world.now).expect("a connection").abort();
    world.settle();
    assert!(world.http.is_empty() && world.server.memory() == 0);
}

/// The response carries the acknowledgment of the request, and the FIN goes on the last text.
#[test]
fn a_short_request_costs_few_segments() {
    let mut world = World::new();
    let id = world.connect();
    world.write(id, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    for _ in 0..10 {
        world.turn();
        if world.clients.socket(id, world.now).is_ok_and(|socket| socket.eof() || socket.readable() > 0) {
            world.read(id);
            let _ = world.clients.socket(id, world.now).map(|mut socket| socket.close());
        }
    }
    assert!(world.closed.contains(&id) && world.packets <= 8, "{} packets for a connection", world.packets);

    let mut world = World::new();
    let id = world.connect();
    world.write(id, GET);
    world.settle();
    world.read(id);
    world.settle();
    world.packets = 0;
    world.write(id, GET);
    world.settle();
    assert!(world.packets <= 3, "{} packets for a request", world.packets);
}
