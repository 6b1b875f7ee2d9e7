//! The users of the connections, and the gate.

use std::net::SocketAddr;

use bytes::Bytes;
use segue::host::{DetachError, Gone, Id, ListenerId, OpenError};
use segue::{Error, Knob};

use super::net::{ADDRESSES, Net};

/// What a user knows of its connection.
#[derive(Clone, Debug, Default)]
pub(super) struct User {
    /// The number of the client's SYN: it names the connection at both ends.
    pub(super) name: Option<u32>,
    pub(super) written: usize,
    pub(super) read: usize,
    closed: bool,
    /// All that the peer wrote has been read.
    pub(super) eof: bool,
}

/// The octet at a place of the stream that an end writes on the connection of this name.
fn octet(end: usize, name: Option<u32>, at: usize) -> u8 {
    let mixed = (at.wrapping_mul(0x9E37_79B9) >> 9).to_le_bytes()[0];
    mixed ^ name.unwrap_or(0).to_le_bytes()[1] ^ if end == 0 { 0 } else { 0xFF }
}

/// More than this no user writes.
const MOST: usize = 60_000;

impl Net {
    fn nth(&self, end: usize, n: usize) -> Option<Id> {
        let count = self.users[end].len();
        self.users[end].keys().nth(n.checked_rem(count)?).copied()
    }

    /// The id is void.
    pub(super) fn retire(&mut self, end: usize, id: Id) {
        if let Some(user) = self.users[end].remove(&id) {
            self.old[end].push((id, user));
        }
    }

    /// What the text of a connection depends on: its name. The text of a SYN with Fast Open is there before the name.
    fn key(&self, end: usize, id: Id) -> Option<u32> {
        let name = self.users[end].get(&id).and_then(|user| user.name);
        name.filter(|_| !self.features.is_fast_open())
    }

    pub(super) fn connect(&mut self, port: u16) {
        let (local, remote) = (ADDRESSES[0], SocketAddr::new(ADDRESSES[1], port));
        let mut written = 0;
        let opened = if self.features.is_fast_open() {
            let mut text: Bytes = (0..700).map(|at| octet(0, None, at)).collect();
            let opened = self.ends[0].connect_fast_open(local, remote, &mut text, self.now);
            written = 700 - text.len();
            opened
        } else {
            self.ends[0].connect(local, remote, self.now)
        };
        match opened {
            Ok(id) => {
                let socket = self.ends[0].socket(id, self.now).expect("it was opened");
                let name = socket.info().map(|info| info.iss.value());
                let user = User { name, written, ..User::default() };
                assert!(self.users[0].insert(id, user).is_none(), "an id used again: {id}");
            }
            Err(OpenError::Unusable) => assert_eq!(port, 0),
            Err(OpenError::Full | OpenError::NoPort) => {}
            Err(other) => panic!("{other}"),
        }
    }

    pub(super) fn accept(&mut self, which: usize) {
        let (listener, _) = self.listeners[which % self.listeners.len()];
        while let Some(id) = self.ends[1].accept(listener) {
            let info = self.ends[1].socket(id, self.now).ok().and_then(|socket| socket.info());
            let user = User { name: info.map(|info| info.irs.value()), ..User::default() };
            assert!(self.users[1].insert(id, user).is_none(), "an id used again: {id}");
        }
    }

    pub(super) fn read(&mut self, end: usize, which: usize, most: usize, by_chunk: bool) {
        if let Some(id) = self.nth(end, which) {
            self.read_some(end, id, most, by_chunk);
        }
    }

    fn read_some(&mut self, end: usize, id: Id, most: usize, by_chunk: bool) {
        let key = self.key(end, id);
        let Some(user) = self.users[end].get_mut(&id) else { return };
        let Ok(mut socket) = self.ends[end].socket(id, self.now) else { return };
        let mut text = vec![0; most.min(socket.readable())];
        if by_chunk {
            text = socket.chunk().map(Vec::from).unwrap_or_default();
        } else {
            assert_eq!(socket.read(&mut text), text.len(), "so much was readable: {id}");
        }
        for got in text {
            let expected = octet(1 - end, key, user.read);
            assert!(self.hostile || user.name.is_none() || got == expected, "octet {} of {id}", user.read);
            user.read += 1;
        }
        user.eof |= socket.eof();
        drop(socket);
        if self.ends[end].socket(id, self.now).is_err() {
            self.retire(end, id); // it was over, and this was the last of it
        }
    }

    pub(super) fn write(&mut self, end: usize, which: usize, octets: usize, by_bytes: bool) {
        let Some(id) = self.nth(end, which) else { return };
        let key = self.key(end, id);
        let Some(user) = self.users[end].get_mut(&id) else { return };
        let Ok(mut socket) = self.ends[end].socket(id, self.now) else { return };
        let octets = octets.min(MOST - user.written.min(MOST));
        let text: Vec<u8> = (user.written..user.written + octets).map(|at| octet(end, key, at)).collect();
        let took = if by_bytes {
            let mut rest = text.into();
            let took = socket.write_bytes(&mut rest);
            assert_eq!(took.unwrap_or(0), octets - rest.len(), "what was taken");
            took
        } else {
            socket.write(&text)
        };
        match took {
            Ok(took) => user.written += took,
            Err(Error::Closing) => assert!(user.closed, "it has not closed: {id}"),
            Err(error) => assert_eq!(error, Error::NotConnected),
        }
    }

    pub(super) fn leave(&mut self, end: usize, which: usize, how: usize) {
        let Some(id) = self.nth(end, which) else { return };
        let Ok(mut socket) = self.ends[end].socket(id, self.now) else { return };
        match how {
            0 => socket.release(),
            1 => socket.abort(),
            _ => {
                let closed = socket.close().is_ok();
                if let Some(user) = self.users[end].get_mut(&id) {
                    user.closed |= closed;
                }
                return;
            }
        }
        assert!(self.ends[end].socket(id, self.now).is_err(), "{id} is void");
        self.retire(end, id);
    }

    /// Reads all and closes, as calm users do.
    pub(super) fn finish(&mut self, end: usize, id: Id) {
        let Ok(mut socket) = self.ends[end].socket(id, self.now) else {
            return self.retire(end, id); // the rest was read, and the end was told
        };
        if socket.state().is_synchronized() {
            let closed = socket.close().is_ok();
            if let Some(user) = self.users[end].get_mut(&id) {
                user.closed |= closed;
            }
        }
        drop(socket);
        self.read_some(end, id, usize::MAX, false);
    }

    /// The gate answers what waits.
    pub(super) fn gate(&mut self, how: usize) {
        while let Some(incoming) = self.ends[1].incoming() {
            let answer = match how {
                0 => self.ends[1].refuse(incoming.id),
                1 => self.ends[1].ignore(incoming.id),
                _ => self.ends[1].admit(incoming.id, self.now),
            };
            assert!(answer == Ok(()) || self.ends[1].admit(incoming.id, self.now) == Err(Gone), "{incoming:?}");
        }
    }

    pub(super) fn stale(&mut self, end: usize, which: usize) {
        let count = self.old[end].len();
        let Some((id, _)) = which.checked_rem(count).and_then(|which| self.old[end].get(which)) else { return };
        let (endpoint, now) = (&mut self.ends[end], self.now);
        assert_eq!(endpoint.socket(*id, now).map(drop), Err(Gone), "{id} came back");
        assert_eq!(endpoint.admit(*id, now), Err(Gone));
        assert_eq!(endpoint.refuse(*id), Err(Gone));
        assert_eq!(endpoint.ignore(*id), Err(Gone));
        assert_eq!(endpoint.detach(*id, now).map(drop), Err(DetachError::Gone));
    }

    /// An id of any bits: it is void, or that of a connection.
    pub(super) fn any_id(&mut self, end: usize, bits: u64) {
        let (endpoint, now, id) = (&mut self.ends[end], self.now, Id::from_bits(bits));
        let known = endpoint.socket(id, now).is_ok();
        assert!(known || endpoint.detach(id, now).is_err());
        let listener = ListenerId::from_bits(bits);
        if !self.listeners.iter().any(|(known, _)| *known == listener) {
            assert!(endpoint.accept(listener).is_none() && !endpoint.unlisten(listener, now), "{listener:?}");
        }
    }

    /// A connection leaves and comes back: there is room for it, and its user goes on with another id.
    pub(super) fn migrate(&mut self, end: usize, which: usize) {
        let Some(id) = self.nth(end, which) else { return };
        let (endpoint, now) = (&mut self.ends[end], self.now);
        match endpoint.detach(id, now) {
            Ok(detached) => {
                assert_eq!(endpoint.socket(id, now).map(drop), Err(Gone), "{id} left");
                let new = endpoint.attach(detached, now).unwrap_or_else(|error| panic!("{}", error.reason));
                let user = self.users[end].remove(&id).expect("a user");
                self.users[end].insert(new, user);
                self.old[end].push((id, User::default()));
            }
            Err(DetachError::Gone) => assert!(endpoint.socket(id, now).is_err(), "{id} is there"),
            Err(_) => {}
        }
    }

    pub(super) fn set(&mut self, end: usize, which: usize, choice: u8) {
        let Some(id) = self.nth(end, which) else { return };
        let Ok(mut socket) = self.ends[end].socket(id, self.now) else { return };
        match choice & 7 {
            0 => drop(socket.set(Knob::Nagle(choice & 8 != 0))),
            1 => drop(socket.set(Knob::ReceiveBuffer(u32::from(choice) << 8))),
            2 => socket.set_mtu(u16::from(choice) << 6),
            3 => socket.notify_flushed(),
            4 => drop(socket.set_receive_low_water(usize::from(choice) << 4)),
            5 => assert!(socket.flow().is_some_and(|flow| flow.local().ip() == ADDRESSES[end])),
            _ => drop(socket.set(Knob::KeepAlive(choice & 8 != 0))),
        }
    }
}
