//! A proxy: what connects to any address behind the device is spliced to a socket of the kernel.
//!
//! It dials before it answers: a gate ([`Listen::gate`]) holds each SYN until the upstream has answered. If it refuses, so
//! do we, by a reset; a client never sees a connection that leads nowhere. Each direction ends by itself (half-close), and
//! a reset of one side resets the other. Text waits in no more than one buffer for each direction: who does not read slows
//! down who writes.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::time::Duration;

use bytes::{Buf, Bytes};
use mio::net::TcpStream;
use mio::{Events, Interest, Registry, Token};
use segue::host::{Backlog, Deadlines, Endpoint, Full, Id, Incoming, Listen, ListenerId, Signal, Socket};
use segue::{CloseReason, Instant};
use socket2::SockRef;

use crate::host::App;

/// How long an upstream may take to answer.
const GATE: Duration = Duration::from_secs(10);
/// Whom no user has by then, the endpoint has given up: a gate, and R2 of the SYN,ACK (see [`Listen::config`]).
const GIVEN_UP: Duration = Duration::from_secs(80);
/// The most upstreams: SYNs beyond are not answered, and come again.
const MOST: usize = 8192;
/// A flood of SYNs: the oldest make room.
const BACKLOG: Backlog = Backlog { half_open: 1024, ready: 1024, full: Full::EvictOldest };
/// Octets read from an upstream at once.
const PIECE: usize = 65_536;

/// The proxy.
pub struct Proxy {
    listener: ListenerId,
    registry: Registry,
    to: IpAddr,
    splices: HashMap<Id, Splice>,
    tokens: HashMap<Token, Id>,
    last_token: usize,
    /// When connections must have been accepted.
    given_up: Deadlines<Id>,
    buffer: Vec<u8>,
}

/// One connection and its upstream.
struct Splice {
    upstream: TcpStream,
    token: Token,
    stage: Stage,
    /// What the client sent and the upstream does not take yet, and the other way round.
    up: Bytes,
    down: Bytes,
    up_ended: bool,
    down_ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The upstream has not answered; the gate holds the SYN.
    Dialing,
    /// The SYN is answered.
    Admitted,
    /// The handshake is complete.
    Open,
    /// Both sides of the client's connection have ended; what it sent last may wait for the upstream.
    Over,
}

impl Proxy {
    /// Dials this address, at the port of each connection.
    ///
    /// # Errors
    /// The event loop has no more descriptors, or another listener is there.
    pub fn new(endpoint: &mut Endpoint, registry: &Registry, to: IpAddr) -> io::Result<Self> {
        let listen = Listen { gate: Some(GATE), backlog: BACKLOG, ..Listen::anywhere() };
        Ok(Self {
            listener: endpoint.listen(listen).map_err(io::Error::other)?,
            registry: registry.try_clone()?,
            to,
            splices: HashMap::new(),
            tokens: HashMap::new(),
            last_token: 0,
            given_up: Deadlines::new(),
            buffer: vec![0; PIECE],
        })
    }

    /// A SYN: dials upstream.
    fn dial(&mut self, incoming: &Incoming, now: Instant) -> io::Result<()> {
        let mut upstream = TcpStream::connect(SocketAddr::new(self.to, incoming.flow.local().port()))?;
        let _ = upstream.set_nodelay(true); // the client's TCP has decided what leaves
        self.last_token += 1;
        let token = Token(self.last_token);
        self.registry.register(&mut upstream, token, Interest::READABLE | Interest::WRITABLE)?;
        self.tokens.insert(token, incoming.id);
        self.given_up.set(incoming.id, Some(now + GIVEN_UP));
        let (up, down) = (Bytes::new(), Bytes::new());
        let splice = Splice { upstream, token, stage: Stage::Dialing, up, down, up_ended: false, down_ended: false };
        self.splices.insert(incoming.id, splice);
        Ok(())
    }

    /// Moves what can be moved.
    fn serve(&mut self, endpoint: &mut Endpoint, id: Id, now: Instant) {
        let Some(splice) = self.splices.get_mut(&id) else { return };
        let result = match splice.stage {
            Stage::Dialing => splice.answered(endpoint, id, now),
            Stage::Admitted => Ok(()), // the client's turn
            // An id is void when its connection is over and read.
            Stage::Open | Stage::Over => splice.copy(endpoint.socket(id, now).ok(), &mut self.buffer),
        };
        let over = splice.stage == Stage::Over && splice.up_ended;
        if result.is_err() {
            let _ = endpoint.refuse(id); // where the gate still holds it
        }
        if over || result.is_err() {
            self.forget(endpoint, id, now, result.is_err());
        }
    }

    /// Both sides end, if they have not; by resets, if something is missing.
    fn forget(&mut self, endpoint: &mut Endpoint, id: Id, now: Instant, broken: bool) {
        self.given_up.set(id, None);
        let Some(mut splice) = self.splices.remove(&id) else { return };
        self.tokens.remove(&splice.token);
        let _ = self.registry.deregister(&mut splice.upstream);
        if broken {
            let _ = SockRef::from(&splice.upstream).set_linger(Some(Duration::ZERO)); // a reset when it is dropped
        }
        if let Ok(socket) = endpoint.socket(id, now) {
            socket.abort();
        }
    }
}

impl App for Proxy {
    fn turn(&mut self, endpoint: &mut Endpoint, events: &Events, now: Instant) {
        while let Some(incoming) = endpoint.incoming() {
            if self.splices.len() >= MOST {
                let _ = endpoint.ignore(incoming.id);
            } else if self.dial(&incoming, now).is_err() {
                let _ = endpoint.refuse(incoming.id);
            }
        }
        while let Some(id) = endpoint.accept(self.listener) {
            self.given_up.set(id, None);
            match self.splices.get_mut(&id) {
                Some(splice) => splice.stage = Stage::Open,
                None => drop(endpoint.socket(id, now).map(Socket::abort)), // the upstream ended before
            }
            self.serve(endpoint, id, now);
        }
        while let Some((id, signal)) = endpoint.poll_signal() {
            match signal {
                Signal::Readable | Signal::Writable | Signal::PeerClosed => self.serve(endpoint, id, now),
                Signal::Closed(CloseReason::Finished) => {
                    self.splices.entry(id).and_modify(|splice| splice.stage = Stage::Over);
                    self.serve(endpoint, id, now);
                }
                Signal::Closed(_) => self.forget(endpoint, id, now, true),
                _ => {} // nobody asked for `Flushed`, and reports are for logs
            }
        }
        for event in events {
            if let Some(id) = self.tokens.get(&event.token()) {
                self.serve(endpoint, *id, now);
            }
        }
        while let Some(id) = self.given_up.due(now) {
            self.forget(endpoint, id, now, true);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.given_up.next()
    }
}

impl Splice {
    /// Opens the gate, if the upstream answered. An error: it refused, or the client gave up.
    fn answered(&mut self, endpoint: &mut Endpoint, id: Id, now: Instant) -> io::Result<()> {
        if let Some(error) = self.upstream.take_error()? {
            return Err(error);
        }
        match self.upstream.peer_addr() {
            Ok(_) => {
                endpoint.admit(id, now).map_err(io::Error::other)?;
                self.stage = Stage::Admitted;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(()), // not yet
            Err(error) => Err(error),
        }
    }

    /// An error: one side is broken.
    fn copy(&mut self, mut socket: Option<Socket<'_>>, buffer: &mut [u8]) -> io::Result<()> {
        self.copy_up(socket.as_mut())?;
        socket.map_or(Ok(()), |mut socket| self.copy_down(&mut socket, buffer))
    }

    fn copy_up(&mut self, mut socket: Option<&mut Socket<'_>>) -> io::Result<()> {
        while !self.up_ended {
            if self.up.is_empty() {
                self.up = socket.as_mut().and_then(|socket| socket.chunk()).unwrap_or_default();
            }
            if !self.up.is_empty() {
                match ready(self.upstream.write(&self.up))? {
                    Some(octets) => self.up.advance(octets),
                    None => return Ok(()), // an event follows
                }
            } else if socket.as_ref().is_none_or(|socket| socket.eof()) {
                self.upstream.shutdown(Shutdown::Write)?;
                self.up_ended = true;
            } else {
                return Ok(()); // `Signal::Readable` or `PeerClosed` follows
            }
        }
        Ok(())
    }

    fn copy_down(&mut self, socket: &mut Socket<'_>, buffer: &mut [u8]) -> io::Result<()> {
        while !self.down_ended {
            socket.write_bytes(&mut self.down).map_err(io::Error::other)?;
            if !self.down.is_empty() {
                return Ok(()); // `Signal::Writable` follows
            }
            match ready(self.upstream.read(buffer))? {
                Some(0) => {
                    socket.close().map_err(io::Error::other)?;
                    self.down_ended = true;
                }
                Some(octets) => self.down = buffer.get(..octets).map(Bytes::copy_from_slice).unwrap_or_default(),
                None => return Ok(()), // an event follows
            }
        }
        Ok(())
    }
}

/// `None`: not now.
fn ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(octets) => Ok(Some(octets)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
