//! The same HTTP server on the kernel's sockets: one thread, edges of epoll, as nginx does it.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};

use bytes::Bytes;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use segue_tun_http::http::octet;
use segue_tun_http::message::{self, Body};

use crate::say;

const BLOCK: u64 = 65_536;
const LISTENER: Token = Token(0);

struct Peer {
    stream: TcpStream,
    input: Vec<u8>,
    head: Vec<u8>,
    written: usize,
    body: std::ops::Range<u64>,
    last: bool,
    ended: bool,
}

/// Serves until it is killed.
pub(crate) fn serve(at: SocketAddr) -> io::Result<()> {
    let mut listener = listen(at)?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let block: Bytes = (0..BLOCK).map(octet).collect();
    let (mut peers, mut last, mut buffer) = (HashMap::<Token, Peer>::new(), 0, vec![0; 65_536]);
    say("the kernel: end with Ctrl-C")?;
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Some((mut stream, _)) = ready(listener.accept())? {
                    stream.set_nodelay(true)?;
                    last += 1;
                    poll.registry().register(&mut stream, Token(last), Interest::READABLE | Interest::WRITABLE)?;
                    let (input, head, written) = (Vec::new(), Vec::new(), 0);
                    let peer = Peer { stream, input, head, written, body: 0..0, last: false, ended: false };
                    peers.insert(Token(last), peer);
                }
                continue;
            }
            let Some(peer) = peers.get_mut(&event.token()) else { continue };
            if !peer.serve(&block, &mut buffer).unwrap_or(false) {
                peers.remove(&event.token());
            }
        }
    }
}

fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(at), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(4096)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// `None`: not now.
fn ready<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

impl Peer {
    /// Whether the connection goes on.
    fn serve(&mut self, block: &Bytes, buffer: &mut [u8]) -> io::Result<bool> {
        loop {
            if self.ended {
                // Until the peer's FIN: so it gets the response, and no reset.
                return match ready(self.stream.read(buffer))? {
                    Some(0) => Ok(false),
                    Some(_) => continue,
                    None => Ok(true),
                };
            }
            if !self.write(block)? {
                return Ok(true);
            }
            if self.last {
                self.stream.shutdown(Shutdown::Write)?;
                self.ended = true;
            } else if let Some((asked, octets)) = message::understand(&self.input) {
                self.input.drain(..octets);
                self.head.clear();
                self.written = 0;
                message::answer(&asked, &mut self.head);
                if let Body::Octets(octets) = asked.body {
                    self.body = if asked.head_only { 0..0 } else { 0..octets };
                }
                self.last = !asked.keep;
            } else {
                match ready(self.stream.read(buffer))? {
                    Some(0) => self.last = true,
                    Some(octets) => self.input.extend_from_slice(&buffer[..octets]),
                    None => return Ok(true),
                }
            }
        }
    }

    /// Writes what is to be written; whether all of it was. Head and body leave with one call, as by nginx.
    fn write(&mut self, block: &Bytes) -> io::Result<bool> {
        while self.written < self.head.len() || !self.body.is_empty() {
            let head = &self.head[self.written..];
            let from = usize::try_from(self.body.start % BLOCK).unwrap_or(0);
            let left = usize::try_from(self.body.end - self.body.start).unwrap_or(usize::MAX);
            let piece = &block[from..block.len().min(from.saturating_add(left))];
            let next = left.saturating_sub(piece.len()).min(block.len());
            let pieces = [io::IoSlice::new(head), io::IoSlice::new(piece), io::IoSlice::new(&block[..next])];
            let Some(taken) = ready(self.stream.write_vectored(&pieces))? else { return Ok(false) };
            let of_head = taken.min(head.len());
            self.written += of_head;
            self.body.start += u64::try_from(taken - of_head).unwrap_or(0);
        }
        Ok(true)
    }
}
