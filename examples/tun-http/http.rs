//! An HTTP/1.1 server (RFC 9112): keep-alive, pipelining, HEAD, and bodies of any length that take no memory.
//!
//! It knows an endpoint and no device: the tests run it in memory. A connection is read only when all that was asked
//! before is written, so a client that does not read its responses costs the send buffer and one request.

use std::ops::Range;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use segue::host::{Backlog, Endpoint, Id, Listen, ListenerId, OpenError, Signal, Socket};
use segue::{Error, Instant};

use crate::message::{self, Asked, Body};

/// A burst of clients: SYNs, and connections that wait until the turn takes them.
const BACKLOG: Backlog = Backlog { half_open: 4096, ready: 4096, full: segue::host::Full::Cookies };

/// Octets of a head of ours, with a text as body; more are possible.
const LONGEST_ANSWER: usize = 512;
/// Octets of a block of heads: what a client that does not read its response keeps.
const HEADS: usize = 8192;

/// The body of `/bytes/N` repeats this: lines of 64 octets.
const LINE: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+\n";
/// Octets of a block, which all bodies share: a segment that spans two pieces of text is a copy.
const BLOCK: u64 = 1 << 20;

/// The octet of the body of `/bytes/N` at this place.
pub fn octet(place: u64) -> u8 {
    usize::try_from(place % 64).ok().and_then(|place| LINE.get(place).copied()).unwrap_or(b'\n')
}

/// The server and its connections.
pub struct Server {
    listeners: Vec<ListenerId>,
    peers: Peers,
    patience: Duration,
    /// When the server looks for connections that have been idle for too long.
    next_look: Option<Instant>,
    block: Bytes,
    /// Where the heads of responses are made, many in one allocation.
    heads: BytesMut,
    /// Responses so far.
    pub answered: u64,
}

/// The connections, each at the index of its id.
#[derive(Default)]
struct Peers {
    places: Vec<Option<Peer>>,
    len: usize,
}

/// One connection.
struct Peer {
    id: Id,
    /// Its last sign of life.
    seen: Instant,
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
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
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
        let (peers, heads) = (Peers::default(), BytesMut::new());
        Ok(Self { listeners, peers, patience, next_look: None, block: block.into(), heads, answered: 0 })
    }

    /// What there is to do in this turn of the host.
    pub fn turn(&mut self, endpoint: &mut Endpoint, now: Instant) {
        for listener in &self.listeners {
            while let Some(id) = endpoint.accept(*listener) {
                self.peers.insert(Peer::new(id, now));
                self.next_look = self.next_look.or(Some(now + self.patience));
            }
        }
        while let Some((id, signal)) = endpoint.poll_signal() {
            match signal {
                Signal::Readable | Signal::Writable | Signal::PeerClosed => self.serve(endpoint, id, now),
                Signal::Closed(_) => self.forget(endpoint, id, now),
                _ => {} // nobody asked for `Flushed`, and reports are for logs
            }
        }
        if self.next_look.is_some_and(|at| at <= now) {
            self.end_idle(endpoint, now);
        }
    }

    /// When [`turn`](Self::turn) has to look for connections that have been idle for too long.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.next_look
    }

    /// Connections.
    pub fn len(&self) -> usize {
        self.peers.len
    }

    /// Whether there is no connection.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Resets who has been idle for too long. A deadline for each connection would move with each request; to look at all,
    /// sixteen times in the time that they have, is less work.
    fn end_idle(&mut self, endpoint: &mut Endpoint, now: Instant) {
        let ends = |peer: &Peer| peer.seen + self.patience;
        let idle: Vec<_> = self.peers.iter().filter(|peer| ends(peer) <= now).map(|peer| peer.id).collect();
        let next = self.peers.iter().map(ends).filter(|at| *at > now).min();
        self.next_look = next.map(|at| at.max(now + self.patience / 16));
        idle.into_iter().for_each(|id| self.forget(endpoint, id, now));
    }

    fn serve(&mut self, endpoint: &mut Endpoint, id: Id, now: Instant) {
        let (Some(peer), Ok(mut socket)) = (self.peers.get_mut(id), endpoint.socket(id, now)) else { return };
        if peer.end != End::Closed {
            peer.seen = now; // who was answered for the last time cannot stay by sending
        }
        // An error: the connection is over, which `Signal::Closed` says.
        let _ = peer.serve(&mut socket, &self.block, &mut self.heads, &mut self.answered);
    }

    fn forget(&mut self, endpoint: &mut Endpoint, id: Id, now: Instant) {
        self.peers.remove(id);
        if let Ok(socket) = endpoint.socket(id, now) {
            socket.abort(); // it is idle, or over with text that nobody wants
        }
    }
}

impl Peers {
    fn place(&mut self, id: Id) -> Option<&mut Option<Peer>> {
        self.places.get_mut(usize::try_from(id.index()).ok()?)
    }

    fn insert(&mut self, peer: Peer) {
        let id = peer.id;
        let needs = usize::try_from(id.index()).map_or(0, |index| index + 1);
        if needs > self.places.len() {
            self.places.resize_with(needs, || None);
        }
        if self.place(id).and_then(|place| place.replace(peer)).is_none() {
            self.len += 1;
        }
    }

    fn get_mut(&mut self, id: Id) -> Option<&mut Peer> {
        self.place(id)?.as_mut().filter(|peer| peer.id == id)
    }

    fn remove(&mut self, id: Id) {
        if self.place(id).and_then(|place| place.take_if(|peer| peer.id == id)).is_some() {
            self.len -= 1;
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.places.iter().flatten()
    }
}

impl Peer {
    fn new(id: Id, now: Instant) -> Self {
        Self { id, seen: now, input: Bytes::new(), skip: 0, head: Bytes::new(), body: 0..0, end: End::Open }
    }

    /// Writes, understands and reads by turns, until the peer has to do something.
    fn serve(
        &mut self,
        socket: &mut Socket<'_>,
        block: &Bytes,
        heads: &mut BytesMut,
        answered: &mut u64,
    ) -> Result<(), Error> {
        while self.end != End::Closed && self.write(socket, block)? {
            if self.end == End::LastResponse {
                socket.close()?;
                self.end = End::Closed;
                break;
            }
            if let Some((asked, octets)) = message::understand(&self.input) {
                self.input.advance(octets);
                self.answer(&asked, heads);
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
        if !self.head.is_empty() {
            socket.write_bytes(&mut self.head)?;
        }
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

    fn answer(&mut self, asked: &Asked, heads: &mut BytesMut) {
        let in_input = self.input.len().min(usize::try_from(asked.skip).unwrap_or(usize::MAX));
        self.input.advance(in_input);
        self.skip = asked.skip - u64::try_from(in_input).unwrap_or(0);
        if !asked.keep {
            self.end = End::LastResponse;
        }
        if let Body::Octets(octets) = asked.body {
            self.body = if asked.head_only { 0..0 } else { 0..octets };
        }
        if heads.capacity() < LONGEST_ANSWER {
            heads.reserve(HEADS); // the block that is there, once no response in it is on its way
        }
        message::answer(asked, heads);
        self.head = heads.split().freeze();
    }
}
