//! An HTTP/1.1 server (RFC 9112): keep-alive, pipelining, HEAD, and bodies of any length that take no memory.
//!
//! It knows an endpoint and no device: the tests run it in memory. A connection is read only when all that was asked
//! before is written, so a client that does not read its responses costs the send buffer and one request.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use segue::host::{Backlog, Deadlines, Endpoint, Id, Listen, ListenerId, OpenError, Signal, Socket};
use segue::{Error, Instant};

/// The longest head of a request, in octets.
const LONGEST_HEAD: usize = 8192;
/// The most fields of a request.
const MOST_FIELDS: usize = 64;
/// A burst of clients: SYNs, and connections that wait until the turn takes them.
const BACKLOG: Backlog = Backlog { half_open: 4096, ready: 4096, full: segue::host::Full::Cookies };

const HELLO: &str = "Hello from segue. GET /bytes/N gives N octets.\n";
/// The body of `/bytes/N` repeats this: lines of 64 octets.
const LINE: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+\n";
/// Lines in a block, which all bodies share.
const BLOCK: u64 = 65_536;

/// The octet of the body of `/bytes/N` at this place.
pub fn octet(place: u64) -> u8 {
    usize::try_from(place % 64).ok().and_then(|place| LINE.get(place).copied()).unwrap_or(b'\n')
}

/// The server: its connections, and when each has been idle for too long.
pub struct Server {
    listeners: Vec<ListenerId>,
    peers: HashMap<Id, Peer>,
    idle: Deadlines<Id>,
    patience: Duration,
    block: Bytes,
    /// Responses so far.
    pub answered: u64,
}

/// One connection.
#[derive(Default)]
struct Peer {
    /// What was read and not yet understood.
    input: Bytes,
    /// Octets of a request's body still to come, which nobody reads.
    skip: u64,
    /// What is still to be written: a head, and a part of the body of `/bytes/N`.
    head: Bytes,
    body: Range<u64>,
    end: End,
}

/// How far the end of a connection has come.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum End {
    #[default]
    Open,
    /// No response comes after the one that is being written.
    LastResponse,
    /// We sent our FIN, and read until the peer's: so it gets the response, and no reset (RFC 9112 §9.6).
    Closed,
}

/// What a request asks for.
struct Asked {
    status: &'static str,
    body: Body,
    head_only: bool,
    keep: bool,
    /// Whether the client speaks HTTP/1.0, where keeping is the exception.
    old: bool,
    /// Octets of the request's own body.
    skip: u64,
}

enum Body {
    Text(&'static str),
    Octets(u64),
}

impl Server {
    /// Listens at `Listen::port(80)`, or several places, each with a backlog for a burst of clients. Connections without
    /// a sign of life for as long as `patience` are reset.
    ///
    /// # Errors
    /// [`OpenError::InUse`].
    pub fn new(endpoint: &mut Endpoint, places: &[Listen], patience: Duration) -> Result<Self, OpenError> {
        let listen = |place: &Listen| endpoint.listen(Listen { backlog: BACKLOG, ..place.clone() });
        let listeners = places.iter().map(listen).collect::<Result<_, _>>()?;
        let block: Vec<u8> = (0..BLOCK).map(octet).collect();
        let (peers, idle) = (HashMap::new(), Deadlines::new());
        Ok(Self { listeners, peers, idle, patience, block: block.into(), answered: 0 })
    }

    /// What there is to do in this turn of the host.
    pub fn turn(&mut self, endpoint: &mut Endpoint, now: Instant) {
        for listener in &self.listeners {
            while let Some(id) = endpoint.accept(*listener) {
                self.peers.insert(id, Peer::default());
                self.idle.set(id, Some(now + self.patience));
            }
        }
        while let Some((id, signal)) = endpoint.poll_signal() {
            match signal {
                Signal::Readable | Signal::Writable | Signal::PeerClosed => self.serve(endpoint, id, now),
                Signal::Closed(_) => self.forget(endpoint, id, now),
                _ => {} // nobody asked for `Flushed`, and reports are for logs
            }
        }
        while let Some(id) = self.idle.due(now) {
            self.forget(endpoint, id, now);
        }
    }

    /// When the next connection has been idle for too long.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.idle.next()
    }

    /// Connections.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there is no connection.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    fn serve(&mut self, endpoint: &mut Endpoint, id: Id, now: Instant) {
        let (Some(peer), Ok(mut socket)) = (self.peers.get_mut(&id), endpoint.socket(id, now)) else { return };
        if peer.end != End::Closed {
            self.idle.set(id, Some(now + self.patience)); // who was answered for the last time cannot stay by sending
        }
        // An error: the connection is over, which `Signal::Closed` says.
        let _ = peer.serve(&mut socket, &self.block, &mut self.answered);
    }

    fn forget(&mut self, endpoint: &mut Endpoint, id: Id, now: Instant) {
        self.peers.remove(&id);
        self.idle.set(id, None);
        if let Ok(socket) = endpoint.socket(id, now) {
            socket.abort(); // it is idle, or over with text that nobody wants
        }
    }
}

impl Peer {
    /// Writes, understands and reads by turns, until the peer has to do something.
    fn serve(&mut self, socket: &mut Socket<'_>, block: &Bytes, answered: &mut u64) -> Result<(), Error> {
        while self.end != End::Closed && self.write(socket, block)? {
            if self.end == End::LastResponse {
                socket.close()?;
                self.end = End::Closed;
                break;
            }
            if let Some((asked, octets)) = self.understand() {
                self.input.advance(octets);
                self.answer(&asked);
                *answered += 1;
            } else if let Some(text) = socket.chunk() {
                self.take(text);
            } else if socket.eof() {
                self.end = End::LastResponse;
            } else {
                return Ok(());
            }
        }
        if self.end == End::Closed {
            socket.chunks().for_each(drop);
        }
        Ok(())
    }

    /// Writes what is to be written; whether all of it was.
    fn write(&mut self, socket: &mut Socket<'_>, block: &Bytes) -> Result<bool, Error> {
        socket.write_bytes(&mut self.head)?;
        while self.head.is_empty() && !self.body.is_empty() {
            let from = usize::try_from(self.body.start % BLOCK).unwrap_or(0);
            let left = usize::try_from(self.body.end - self.body.start).unwrap_or(usize::MAX);
            let mut piece = block.slice(from..block.len().min(from.saturating_add(left)));
            let taken = socket.write_bytes(&mut piece)?;
            self.body.start += u64::try_from(taken).unwrap_or(0);
            if !piece.is_empty() {
                return Ok(false); // `Signal::Writable` follows
            }
        }
        Ok(self.head.is_empty())
    }

    fn take(&mut self, mut text: Bytes) {
        let skipped = text.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        text.advance(skipped);
        self.skip -= u64::try_from(skipped).unwrap_or(0);
        if self.input.is_empty() {
            self.input = text; // a whole request, as a rule, and never copied
        } else {
            let mut joined = BytesMut::with_capacity(self.input.len() + text.len());
            joined.extend_from_slice(&self.input);
            joined.extend_from_slice(&text);
            self.input = joined.freeze();
        }
    }

    /// The next request, if its head is complete, and the octets that it takes from the input.
    fn understand(&self) -> Option<(Asked, usize)> {
        if self.input.is_empty() {
            return None;
        }
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(&self.input) {
            Ok(httparse::Status::Complete(octets)) => Some((asked(&request), octets)),
            Ok(httparse::Status::Partial) if self.input.len() <= LONGEST_HEAD => None,
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                Some((refused("431 Request Header Fields Too Large"), self.input.len()))
            }
            Err(_) => Some((refused("400 Bad Request"), self.input.len())),
        }
    }

    fn answer(&mut self, asked: &Asked) {
        let in_input = self.input.len().min(usize::try_from(asked.skip).unwrap_or(usize::MAX));
        self.input.advance(in_input);
        self.skip = asked.skip - u64::try_from(in_input).unwrap_or(0);
        if !asked.keep {
            self.end = End::LastResponse;
        }
        let (length, kind) = match asked.body {
            Body::Text(text) => (u64::try_from(text.len()).unwrap_or(0), "text/plain"),
            Body::Octets(octets) => (octets, "application/octet-stream"),
        };
        let connection = match (asked.keep, asked.old) {
            (true, false) => "",
            (true, true) => "Connection: keep-alive\r\n",
            (false, _) => "Connection: close\r\n",
        };
        let mut head = BytesMut::with_capacity(256);
        let allow = if asked.status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
        // A `BytesMut` takes what it is given. No Date: this server has no clock of the day (RFC 9110 §6.6.1).
        let _ = write!(
            head,
            "HTTP/1.1 {}\r\nServer: segue\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{allow}{connection}\r\n",
            asked.status
        );
        match asked.body {
            _ if asked.head_only => {}
            Body::Text(text) => head.extend_from_slice(text.as_bytes()),
            Body::Octets(octets) => self.body = 0..octets,
        }
        self.head = head.freeze();
    }
}

/// A request that is not understood: what follows it is not either.
fn refused(status: &'static str) -> Asked {
    Asked { status, body: Body::Text(status), head_only: false, keep: false, old: false, skip: 0 }
}

/// What a complete head asks for.
fn asked(request: &httparse::Request<'_, '_>) -> Asked {
    let (Some(method), Some(path), Some(version)) = (request.method, request.path, request.version) else {
        return refused("400 Bad Request");
    };
    let (mut keep, mut hosts, mut length) = (version == 1, 0, None);
    for field in request.headers.iter() {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        if is("Connection") {
            let has =
                |option: &[u8]| field.value.split(|c| *c == b',').any(|o| o.trim_ascii().eq_ignore_ascii_case(option));
            keep = !has(b"close") && (keep || has(b"keep-alive"));
        } else if is("Host") {
            hosts += 1;
        } else if is("Transfer-Encoding") {
            return refused("501 Not Implemented"); // nobody sends bodies here
        } else if is("Content-Length") {
            // RFC 9112 §6.3: what differs or is no number cannot be trusted, nor can what follows.
            let digits = field.value.iter().all(u8::is_ascii_digit);
            let value = std::str::from_utf8(field.value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
            if value.is_none() || length.is_some_and(|length| Some(length) != value) {
                return refused("400 Bad Request");
            }
            length = value;
        }
    }
    // RFC 9112 §3.2: exactly one Host in HTTP/1.1.
    if hosts > 1 || (version == 1 && hosts == 0) {
        return refused("400 Bad Request");
    }
    let (status, body) = match (method, path, path.strip_prefix("/bytes/")) {
        ("GET" | "HEAD", "/", _) => ("200 OK", Body::Text(HELLO)),
        ("GET" | "HEAD", _, Some(number)) => match number.parse() {
            Ok(octets) if number.bytes().all(|c| c.is_ascii_digit()) => ("200 OK", Body::Octets(octets)),
            _ => ("404 Not Found", Body::Text("/bytes/N: N is a number of octets\n")),
        },
        ("GET" | "HEAD", _, None) => ("404 Not Found", Body::Text("there is / and /bytes/N\n")),
        _ => ("405 Method Not Allowed", Body::Text("only GET and HEAD\n")),
    };
    Asked { status, body, head_only: method == "HEAD", keep, old: version == 0, skip: length.unwrap_or(0) }
}
