//! A connection as its user sees it.

mod read;
mod write;

use super::endpoint::Endpoint;
use super::flow::Flow;
use super::live::{Owner, Side};
use super::signal::{Id, Pending, Signal};
use crate::{Algorithm, Controller, Error, Event, Info, Instant, Knob, State};
pub use read::Chunks;

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
