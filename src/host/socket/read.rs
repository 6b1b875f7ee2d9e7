//! Reading.

use bytes::Bytes;

use super::Socket;
use crate::{Algorithm, Controller};

impl<'a, C: Controller> Socket<'a, C> {
    /// Octets that wait to be read.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut server] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # let listener = server.listen(Listen::port(7))?;
    /// # let peer = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
    /// # for _ in 0..2 {
    /// #     client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// #     server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// # }
    /// # client.socket(peer, now)?.write(b"GET /\n")?;
    /// # client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// # let id = server.accept(listener).expect("a connection");
    /// let mut socket = server.socket(id, now)?;
    /// assert_eq!(socket.readable(), 6);
    /// let mut header = [0; 4]; // a header that has a fixed length
    /// if socket.readable() >= header.len() {
    ///     socket.read(&mut header);
    /// }
    /// assert_eq!(socket.readable(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn readable(&self) -> usize {
        self.side().map_or(0, |side| side.unread)
    }

    /// Whether the stream of the peer has ended and all of it was read: what `read` returning 0 means elsewhere.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut server] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # let listener = server.listen(Listen::port(7))?;
    /// # let peer = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
    /// # for _ in 0..2 {
    /// #     client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// #     server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// # }
    /// # client.socket(peer, now)?.write(b"GET /\n")?;
    /// # client.socket(peer, now)?.close()?;
    /// # client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// # let id = server.accept(listener).expect("a connection");
    /// let mut socket = server.socket(id, now)?;
    /// assert!(!socket.eof()); // the FIN has arrived, and text waits before it
    /// socket.chunks().for_each(drop);
    /// assert!(socket.eof());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn eof(&self) -> bool {
        self.side().is_some_and(|side| side.unread == 0 && side.peer_closed)
    }

    /// Reads into `to`; returns the octets, 0 when none wait: see [`eof`](Self::eof). The receive window opens by as
    /// many.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut server] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # let listener = server.listen(Listen::port(7))?;
    /// # let peer = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
    /// # for _ in 0..2 {
    /// #     client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// #     server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// # }
    /// # client.socket(peer, now)?.write(b"GET /\n")?;
    /// # client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// # let id = server.accept(listener).expect("a connection");
    /// let mut socket = server.socket(id, now)?;
    /// let mut place = [0; 4];
    /// assert_eq!(socket.read(&mut place), 4);
    /// assert_eq!(&place, b"GET ");
    /// assert_eq!(socket.read(&mut place), 2);
    /// assert_eq!(socket.read(&mut place), 0); // none waits, and the stream goes on
    /// assert!(!socket.eof());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(&mut self, to: &mut [u8]) -> usize {
        let mut octets = 0;
        while let Some(rest) = to.get_mut(octets..).filter(|rest| !rest.is_empty()) {
            let Some(side) = self.side_mut() else { break };
            let Some(mut text) = side.inbox.pop_front() else { break };
            let piece = text.split_to(text.len().min(rest.len()));
            if !text.is_empty() {
                side.inbox.push_front(text);
            }
            if let Some(place) = rest.get_mut(..piece.len()) {
                place.copy_from_slice(&piece);
            }
            octets += piece.len();
            self.on_read(piece.len());
        }
        octets
    }

    /// Reads the next piece as it arrived, without a copy. The receive window opens by as many octets.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut server] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # let listener = server.listen(Listen::port(7))?;
    /// # let peer = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
    /// # for _ in 0..2 {
    /// #     client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// #     server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// # }
    /// # client.socket(peer, now)?.write(b"GET /\n")?;
    /// # client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// # let id = server.accept(listener).expect("a connection");
    /// let mut socket = server.socket(id, now)?;
    /// let text = socket.chunk().expect("text waits");
    /// assert_eq!(text, "GET /\n");
    /// assert_eq!(socket.chunk(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn chunk(&mut self) -> Option<Bytes> {
        let text = self.side_mut()?.inbox.pop_front()?;
        self.on_read(text.len());
        Some(text)
    }

    /// Reads all that waits, piece by piece.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut server] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # let listener = server.listen(Listen::port(7))?;
    /// # let peer = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
    /// # for _ in 0..2 {
    /// #     client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// #     server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// # }
    /// # client.socket(peer, now)?.write(b"GET /\n")?;
    /// # client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// # let id = server.accept(listener).expect("a connection");
    /// let mut socket = server.socket(id, now)?;
    /// let request: Vec<u8> = socket.chunks().flatten().collect();
    /// assert_eq!(request, b"GET /\n");
    /// assert_eq!(socket.readable(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn chunks(&mut self) -> Chunks<'_, 'a, C> {
        Chunks(self)
    }

    fn on_read(&mut self, octets: usize) {
        self.taken += octets;
        if let Some(side) = self.side_mut() {
            side.on_read(octets);
        }
    }
}

/// All that waits to be read, from [`Socket::chunks`]. What is not taken waits on.
///
/// ```
/// use segue::host::Socket;
/// /// All that waits, in pieces as they arrived.
/// fn octets(socket: &mut Socket<'_>) -> usize {
///     socket.chunks().map(|text| text.len()).sum()
/// }
/// ```
#[derive(Debug)]
pub struct Chunks<'s, 'a, C: Controller = Algorithm>(&'s mut Socket<'a, C>);

impl<C: Controller> Iterator for Chunks<'_, '_, C> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.0.chunk()
    }
}
