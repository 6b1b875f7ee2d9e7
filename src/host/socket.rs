//! A connection as its user sees it.

use bytes::Bytes;

use super::endpoint::Endpoint;
use super::flow::Flow;
use super::live::{Owner, Side};
use super::signal::{Id, Pending, Signal};
use crate::{Algorithm, Controller, Error, Event, Info, Instant, Knob, State};

/// A connection of an [`Endpoint`], for its user: a guard that [`Endpoint::socket`] gives out for a while.
///
/// All that happens by it is part of the batch of the turn: it leaves with [`Endpoint::flush`], together with what the
/// packets and the timers of the turn owe, in as few segments as can be. Nothing leaves earlier.
///
/// ```
/// # use segue::Instant;
/// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen, Signal};
/// # let mut server = Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default());
/// # let mut client = Endpoint::new(Keys::new(*b"drawn by another"), EndpointConfig::default());
/// # let listener = server.listen(Listen::port(7))?;
/// # let now = Instant::ZERO;
/// # let peer = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
/// # client.socket(peer, now)?.write(b"GET /\n")?;
/// # for _ in 0..4 {
/// #     let mut wire = Vec::new();
/// #     client.flush(now, |addresses, packet| wire.push((addresses, packet)));
/// #     wire.drain(..).for_each(|(addresses, packet)| drop(server.receive(addresses, packet, now)));
/// #     if wire.is_empty() && server.is_empty() { break; }
/// #     if let Some(id) = server.accept(listener) {
/// #         assert_eq!(server.poll_signal(), Some((id, Signal::Readable)));
/// let mut socket = server.socket(id, now)?;
/// let mut request = [0; 100];
/// let octets = socket.read(&mut request);
/// assert_eq!(&request[..octets], b"GET /\n");
/// assert_eq!(socket.write(b"200 OK\n")?, 7); // less, when the buffer is full: `Signal::Writable` follows
/// socket.close()?; // the FIN goes on the text, and both on the acknowledgment
/// # drop(socket);
/// # let mut segments = 0;
/// # server.flush(now, |_, _| segments += 1);
/// # assert_eq!(segments, 1);
/// # return Ok(());
/// #     }
/// #     server.flush(now, |addresses, packet| wire.push((addresses, packet)));
/// #     wire.drain(..).for_each(|(addresses, packet)| drop(client.receive(addresses, packet, now)));
/// # }
/// # panic!("no connection");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Socket<'a, C: Controller = Algorithm> {
    endpoint: &'a mut Endpoint<C>,
    id: Id,
    now: Instant,
    /// Octets read, of which the connection has not been told.
    taken: usize,
}

impl<'a, C: Controller> Socket<'a, C> {
    pub(super) fn new(endpoint: &'a mut Endpoint<C>, id: Id, now: Instant) -> Self {
        Self { endpoint, id, now, taken: 0 }
    }

    /// The id.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// let id = tcp.connect(us, peer, now)?;
    /// let socket = tcp.socket(id, now)?;
    /// assert_eq!(socket.id(), id);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn id(&self) -> Id {
        self.id
    }

    /// The addresses and ports.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// let id = tcp.connect(us, peer, now)?;
    /// let flow = tcp.socket(id, now)?.flow();
    /// assert_eq!(flow.map(|flow| flow.remote()), Some(peer));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flow(&self) -> Option<Flow> {
        Some(self.side()?.flow)
    }

    fn side(&self) -> Option<&Side> {
        self.endpoint.side(self.id.index)
    }

    fn side_mut(&mut self) -> Option<&mut Side> {
        self.endpoint.side_mut(self.id.index)
    }

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

    /// Octets that a write would take; 0: [`Signal::Writable`] follows a write that took less than it was given.
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
    /// buffer or the budget is full, and [`Signal::Writable`] follows.
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
    /// [`Signal::Closed`] comes with [`CloseReason::Cancelled`](crate::CloseReason::Cancelled). To send the text all the
    /// same, close at [`Signal::Connected`].
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
    /// No signal of the connection follows, [`Signal::Closed`] neither, and those that wait are dropped: nobody is there
    /// to hear them. Who has to know the end calls [`close`](Self::close) and waits.
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

    /// [`Signal::Flushed`] comes once, when the peer has acknowledged all that is written by now, and the FIN after a
    /// close; at once, if it has. What is written later does not delay it. A call before the signal takes the place of
    /// the one before.
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
    /// socket.notify_flushed();
    /// drop(socket);
    /// server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// client.socket(peer, now)?.write(b"thanks\n")?; // its segment carries the acknowledgment
    /// client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// let told: Vec<_> = core::iter::from_fn(|| server.poll_signal()).map(|(_, signal)| signal).collect();
    /// assert!(told.contains(&Signal::Flushed));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn notify_flushed(&mut self) {
        let index = self.id.index;
        let done = self.endpoint.is_flushed(index);
        let Some(connection) = self.endpoint.connection(index) else { return }; // `Signal::Closed` says all
        let left = if connection.writable().is_ok() { connection.info().send_queue } else { 0 }; // else: the FIN
        let Some(side) = self.side_mut() else { return };
        if done {
            side.pending.add(Signal::Flushed);
            self.endpoint.queue_signals(index);
        } else {
            side.wants_flushed = Some(left);
        }
    }

    /// [`Signal::Readable`] comes when this number of octets wait, for a user that can do nothing with fewer; 1 at first, and
    /// 0 counts as 1. At the end of the stream fewer are enough. A mark beyond half of
    /// [`receive_buffer_initial`](crate::Config::receive_buffer_initial) counts as that, so that none stops the peer. Returns
    /// the mark that counts: who reads less than that waits for ever.
    ///
    /// ```
    /// use segue::host::Socket;
    /// /// Records of 512 octets: as many as are there, and no wake-up for less than one.
    /// fn records(socket: &mut Socket<'_>) {
    ///     assert_eq!(socket.set_receive_low_water(512), 512);
    ///     let mut record = [0; 512];
    ///     while socket.readable() >= record.len() {
    ///         socket.read(&mut record);
    ///     }
    /// }
    /// ```
    pub fn set_receive_low_water(&mut self, octets: usize) -> usize {
        let (index, is_over) = (self.id.index, self.endpoint.connection(self.id.index).is_none());
        let Some(side) = self.side_mut() else { return 1 };
        if is_over {
            return 1; // `Signal::Closed` comes last, and all that waits can be read
        }
        let mark = side.set_low_water(octets);
        self.endpoint.queue_signals(index);
        mark
    }

    /// Changes a setting. A receive buffer that becomes smaller lowers the mark of
    /// [`set_receive_low_water`](Self::set_receive_low_water) to half of it.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] where the setting does not take the value, [`Error::NotConnected`] when the connection is
    /// over.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// use core::time::Duration;
    /// use segue::Knob;
    /// let id = tcp.connect(us, peer, now)?;
    /// let mut socket = tcp.socket(id, now)?;
    /// let patience = Some(Duration::from_secs(30));
    /// socket.set(Knob::Nagle(false))?;
    /// socket.set(Knob::UserTimeout(patience))?;
    /// assert_eq!(socket.info().and_then(|info| info.user_timeout), patience);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set(&mut self, knob: Knob) -> Result<(), Error> {
        let knob = if let Knob::ReceiveBuffer(octets) = knob {
            Knob::ReceiveBuffer(self.endpoint.on_receive_limit(self.id.index, octets))
        } else {
            knob
        };
        self.part(Event::Set(knob))
    }

    /// Another congestion controller takes over; returns the one before. See
    /// [`Connection::replace_controller`](crate::Connection::replace_controller). When the connection is over it returns
    /// `controller` itself.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// use segue::congestion::{Algorithm, Reno};
    /// let id = tcp.connect(us, peer, now)?;
    /// let mut socket = tcp.socket(id, now)?;
    /// let before = socket.replace_controller(Algorithm::Reno(Reno::default()));
    /// assert_eq!(before, Algorithm::default());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replace_controller(&mut self, controller: C) -> C {
        self.endpoint.replace_controller(self.id.index, controller, self.now)
    }

    /// The host learned another MTU for the path, in octets. Before the handshake a larger one means a larger first
    /// window: it counts only if the memory budget has room for that.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// let id = tcp.connect(us, peer, now)?;
    /// let mut socket = tcp.socket(id, now)?;
    /// socket.set_mtu(1400); // the route goes through a tunnel
    /// assert_eq!(socket.info().map(|info| info.path_mtu), Some(1400));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_mtu(&mut self, mtu: u16) {
        if self.endpoint.covers_mtu(self.id.index, mtu) {
            let _ = self.part(Event::Mtu(mtu)); // fails only when the connection is over
        }
    }

    /// The state; CLOSED when the connection is over.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// use segue::State;
    /// let id = tcp.connect(us, peer, now)?;
    /// assert_eq!(tcp.socket(id, now)?.state(), State::SynSent);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state(&self) -> State {
        self.endpoint.connection(self.id.index).map_or(State::Closed, |connection| connection.state())
    }

    /// STATUS: the variables and counters; `None` when the connection is over.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// let id = tcp.connect(us, peer, now)?;
    /// let mut socket = tcp.socket(id, now)?;
    /// socket.write(b"GET /\n")?;
    /// let info = socket.info().expect("the connection is not over");
    /// assert_eq!((info.send_queue, info.srtt), (6, None)); // nothing is acknowledged yet
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn info(&self) -> Option<Info> {
        Some(self.endpoint.connection(self.id.index)?.info())
    }

    fn part(&mut self, event: Event) -> Result<(), Error> {
        self.endpoint.part(self.id.index, event, self.now)
    }

    fn tell_taken(&mut self) {
        let taken = core::mem::take(&mut self.taken);
        if taken > 0 {
            self.endpoint.consume(self.id.index, taken, self.now);
        }
    }
}

impl<C: Controller> Drop for Socket<'_, C> {
    fn drop(&mut self) {
        self.tell_taken();
        self.endpoint.after_use(self.id, self.now);
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

/// What the guard needs of the endpoint.
impl<C: Controller> Endpoint<C> {
    pub(super) fn disown(&mut self, id: Id) {
        self.await_no_room(id.index);
        if let Some(side) = self.side_mut(id.index) {
            side.owner = Owner::Nobody;
            side.pending = Pending::default();
            side.drop_inbox();
        }
        if self.connection(id.index).is_none() {
            self.free(id.index); // it was over
        }
    }
}
