//! Writing, and the ways to end.

use bytes::Bytes;

use super::Socket;
use crate::{Controller, Error, Event};

impl<C: Controller> Socket<'_, C> {
    /// Octets that a write would take; 0: [`Signal::Writable`](crate::host::Signal::Writable) follows a write that took less
    /// than it was given.
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
    /// # let id = server.accept(listener).expect("a connection");
    /// use segue::Error;
    /// let mut socket = server.socket(id, now)?;
    /// let room = socket.writable()?;
    /// socket.write(b"200 OK\n")?;
    /// assert_eq!(socket.writable(), Ok(room - 7));
    /// socket.close()?;
    /// assert_eq!(socket.writable(), Err(Error::Closing));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Closing`] after a close, [`Error::NotConnected`] when the connection is over.
    pub fn writable(&self) -> Result<usize, Error> {
        self.endpoint.writable(self.id.index)
    }

    /// Writes the octets from the front of `from` that fit, and returns their number. If it is less than all, the send
    /// buffer or the budget is full, and [`Signal::Writable`](crate::host::Signal::Writable) follows.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// let id = tcp.connect(us, peer, now)?;
    /// let mut socket = tcp.socket(id, now)?;
    /// let text = vec![b'x'; 10 << 20]; // more than the send buffer
    /// let taken = socket.write(&text)?;
    /// assert!(0 < taken && taken < text.len());
    /// assert_eq!(socket.write(&text[taken..])?, 0); // go on at `Signal::Writable`
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`writable`](Self::writable), also where `from` is empty: SEND after CLOSE is an error whatever it sends
    /// (RFC 9293 §3.10.2).
    pub fn write(&mut self, from: &[u8]) -> Result<usize, Error> {
        let fits = self.fits(from.len())?;
        for block in from.get(..fits).unwrap_or_default().chunks(self.endpoint.block()) {
            self.send(Bytes::copy_from_slice(block))?;
        }
        Ok(fits)
    }

    /// The same without a copy: takes the octets that fit off the front of `from`, and leaves the rest there.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// use bytes::Bytes;
    /// let id = tcp.connect(us, peer, now)?;
    /// let mut socket = tcp.socket(id, now)?;
    /// let mut file = Bytes::from(vec![b'x'; 10 << 20]);
    /// let taken = socket.write_bytes(&mut file)?;
    /// assert_eq!(file.len(), (10 << 20) - taken); // the rest, for `Signal::Writable`
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`writable`](Self::writable); `from` is unchanged then.
    pub fn write_bytes(&mut self, from: &mut Bytes) -> Result<usize, Error> {
        let fits = self.fits(from.len())?;
        let text = from.split_to(fits);
        self.send(text)
    }

    /// How many of these octets fit; if not all do, the user waits.
    fn fits(&mut self, octets: usize) -> Result<usize, Error> {
        let fits = self.writable()?.min(octets);
        if fits < octets {
            self.endpoint.await_room(self.id.index, fits);
        }
        Ok(fits)
    }

    fn send(&mut self, text: Bytes) -> Result<usize, Error> {
        let octets = text.len();
        if octets > 0 {
            self.endpoint.send(self.id.index, text, self.now);
        }
        Ok(octets)
    }

    /// No more text will be written: the FIN leaves on the last of it. Reading goes on.
    ///
    /// An active open that is not complete is cancelled, with the text that waits for it (RFC 9293 §3.10.4, SYN-SENT):
    /// [`Signal::Closed`](crate::host::Signal::Closed) comes with
    /// [`CloseReason::Cancelled`](crate::CloseReason::Cancelled). To send the text all the same, close at
    /// [`Signal::Connected`](crate::host::Signal::Connected).
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen, Signal};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut server] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # let listener = server.listen(Listen::port(7))?;
    /// # let peer = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
    /// # for _ in 0..2 {
    /// #     client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// #     server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// # }
    /// # let id = server.accept(listener).expect("a connection");
    /// let mut socket = server.socket(id, now)?;
    /// socket.write(b"200 OK\n")?;
    /// socket.close()?;
    /// assert!(socket.write(b"more").is_err());
    /// drop(socket);
    /// server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// let told: Vec<_> = core::iter::from_fn(|| client.poll_signal()).map(|(_, signal)| signal).collect();
    /// assert_eq!(told, [Signal::Connected, Signal::Readable, Signal::PeerClosed]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`writable`](Self::writable).
    pub fn close(&mut self) -> Result<(), Error> {
        self.part(Event::Close)?;
        self.endpoint.await_no_room(self.id.index);
        if let Some(side) = self.side_mut() {
            side.stop_writing();
        }
        Ok(())
    }

    /// The user is gone, as when a process ends. What was written is sent, with the FIN; if text waits unread, also here,
    /// the peer is told by a reset instead (SHLD-3). The id is void.
    ///
    /// No signal of the connection follows, [`Signal::Closed`](crate::host::Signal::Closed) neither, and those that wait are
    /// dropped: nobody is there to hear them. Who has to know the end calls [`close`](Self::close) and waits.
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
    /// # let id = server.accept(listener).expect("a connection");
    /// let mut socket = server.socket(id, now)?;
    /// socket.write(b"200 OK\n")?;
    /// socket.release(); // the text and the FIN leave with the next flush
    /// assert!(server.socket(id, now).is_err());
    /// assert!(server.wants_flush());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn release(self) {
        self.leave(Event::Release);
    }

    /// Ends the connection at once, with a reset. The id is void. No signal follows, as after [`release`](Self::release).
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen, Signal};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut server] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # let listener = server.listen(Listen::port(7))?;
    /// # let peer = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
    /// # for _ in 0..2 {
    /// #     client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// #     server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// # }
    /// # let id = server.accept(listener).expect("a connection");
    /// use segue::CloseReason;
    /// server.socket(id, now)?.abort();
    /// assert!(server.is_empty());
    /// server.flush(now, |ends, packet| drop(client.receive(ends, packet, now))); // the reset
    /// assert_eq!(client.poll_signal(), Some((peer, Signal::Connected)));
    /// assert_eq!(client.poll_signal(), Some((peer, Signal::Closed(CloseReason::Reset))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn abort(self) {
        self.leave(Event::Abort);
    }

    fn leave(mut self, event: Event) {
        self.tell_taken();
        let _ = self.part(event);
        self.endpoint.disown(self.id);
    }
}
