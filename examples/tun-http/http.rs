//! An HTTP/1.1 server (RFC 9112): keep-alive, pipelining, HEAD, and bodies of any length that take no memory.
//!
//! It knows an endpoint and no device: the tests run it in memory. A connection is read only when all that was asked
//! before is written, so a client that does not read its responses costs the send buffer and one request.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use segue::host::{Backlog, Deadlines, Endpoint, Id, Listen, ListenerId, OpenError, Signal, Socket};
use segue::{Error, Instant};

use crate::message::{self, Asked, Body};

/// A burst of clients: SYNs, and connections that wait until the turn takes them.
const BACKLOG: Backlog = Backlog { half_open: 4096, ready: 4096, full: segue::host::Full::Cookies };

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
            if let Some((asked, octets)) = message::understand(&self.input) {
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

    fn answer(&mut self, asked: &Asked) {
        let in_input = self.input.len().min(usize::try_from(asked.skip).unwrap_or(usize::MAX));
        self.input.advance(in_input);
        self.skip = asked.skip - u64::try_from(in_input).unwrap_or(0);
        if !asked.keep {
            self.end = End::LastResponse;
        }
        if let Body::Octets(octets) = asked.body {
            self.body = if asked.head_only { 0..0 } else { 0..octets };
        }
        let mut head = BytesMut::with_capacity(256);
        message::answer(asked, &mut head);
        self.head = head.freeze();
    }
}
