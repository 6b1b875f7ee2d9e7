//! The endpoint: all connections of a host, found by their flows.

mod answers;
mod arrivals;
mod config;
#[cfg(feature = "ip")]
mod datagrams;
#[cfg(feature = "fast-open")]
mod fast_open;
mod listen;
mod memory;
mod migrate;
mod open;
mod signals;
#[cfg(feature = "ip")]
mod signed;
mod status;
mod turn;

use alloc::collections::{BTreeMap, VecDeque};
use bytes::Bytes;
use core::fmt;
use core::net::IpAddr;

use super::budget::Budget;
use super::deadlines::Heap;
use super::flow::Flow;
use super::keys::Keys;
use super::listener::Listener;
use super::live::{Owner, Port, Taker};
use super::ports::Ports;
use super::queue::Queue;
use super::signal::{Gone, Id, OpenError};
use super::slots::{Entry, Slots};
use super::socket::Socket;
use super::table::Table;
use crate::{Algorithm, Arc, Config, Controller, Error, Event, Instant};
use answers::Answers;
pub use config::EndpointConfig;
pub use listen::{Incoming, Listen, ListenerId};

/// The connections of a host: the table of flows, listeners, timers, TIME-WAIT, answers to strays, and one memory
/// budget. Values go in with the time, packets and signals come out; it has no clock, no entropy and no I/O.
///
/// A host does this in each turn:
///
/// 1. Wait for a packet, a user or [`next_deadline`](Self::next_deadline), and read the clock once.
/// 2. [`receive`](Self::receive) every packet that waits, [`timers`](Self::timers) once.
/// 3. For each of [`poll_signal`](Self::poll_signal) and [`accept`](Self::accept): read, write and close by the
///    [`socket`](Self::socket).
/// 4. [`flush`](Self::flush): the packets to send.
///
/// Whatever happened to a connection in a turn is one batch (see [`Connection::batch`](crate::Connection::batch)): it
/// sends once, in `flush`. So the response carries the acknowledgment of the request, and the FIN goes on the last text.
/// What was done and not flushed has not left: call `flush` after a turn of any kind. [`wants_flush`](Self::wants_flush)
/// tells.
///
/// The cost of a packet does not depend on the number of connections. No outsider can choose flows that collide: the
/// table is keyed.
///
/// An echo server and its client, in memory:
///
/// ```
/// use segue::Instant;
/// use segue::host::{Endpoint, EndpointConfig, Keys, Listen, Signal};
///
/// let mut server = Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default());
/// let mut client = Endpoint::new(Keys::new(*b"drawn by another"), EndpointConfig::default());
/// let listener = server.listen(Listen::port(7))?;
/// let mut now = Instant::ZERO;
/// let id = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
///
/// let (mut to_server, mut to_client, mut echoed) = (Vec::new(), Vec::new(), Vec::new());
/// while echoed != b"hello" {
///     now += core::time::Duration::from_millis(1);
///     for (addresses, packet) in to_server.drain(..) {
///         server.receive(addresses, packet, now);
///     }
///     while let Some(id) = server.accept(listener) {
///         println!("{id} is here");
///     }
///     while let Some((id, signal)) = server.poll_signal() {
///         if signal == Signal::Readable {
///             let mut socket = server.socket(id, now)?;
///             while let Some(mut text) = socket.chunk() {
///                 socket.write_bytes(&mut text)?; // a larger text: keep the rest for `Signal::Writable`
///             }
///             socket.close()?;
///         }
///     }
///     server.flush(now, |addresses, packet| to_client.push((addresses, packet)));
///
///     for (addresses, packet) in to_client.drain(..) {
///         client.receive(addresses, packet, now);
///     }
///     while let Some((id, signal)) = client.poll_signal() {
///         let mut socket = client.socket(id, now)?;
///         match signal {
///             Signal::Connected => drop(socket.write(b"hello")?),
///             Signal::Readable => echoed.extend(socket.chunks().flatten()),
///             _ => {}
///         }
///     }
///     client.flush(now, |addresses, packet| to_server.push((addresses, packet)));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Endpoint<C: Controller = Algorithm> {
    keys: Keys,
    config: EndpointConfig,
    /// The configuration of passive opens.
    passive: Arc<Config>,
    controller: C,
    slots: Slots<C>,
    table: Table,
    deadlines: Heap,
    listeners: BTreeMap<Port, Bound>,
    addresses: BTreeMap<Place, Port>,
    next_listener: Port,
    ports: Ports,
    #[cfg(feature = "fast-open")]
    fast_open: super::fast_open::FastOpenCache,
    /// What leaves with the next flush beside what the connections have to send.
    answers: Answers,
    /// Connections whose batch has begun.
    dirty: VecDeque<u32>,
    signals: VecDeque<Id>,
    /// Held SYNs that nobody was told of.
    incoming: Queue,
    /// Connections that wait for room in the budget.
    starved: Queue,
    /// What those that were told of room in this turn may take.
    spoken_for: usize,
    time_waits: VecDeque<Id>,
    waiting: usize,
    /// Connections and held SYNs, without those in TIME-WAIT.
    live: usize,
    budget: Budget,
}

/// Where a listener listens: an address or all, a port or all.
type Place = (Option<IpAddr>, Option<u16>);

/// A listener and its terms.
#[derive(Clone, Debug)]
struct Bound {
    listener: Listener<Id>,
    listen: Listen,
    #[cfg(feature = "fast-open")]
    fast_open: super::fast_open::FastOpenQueue,
}

impl Bound {
    /// The configuration of its connections.
    fn config(&self, passive: &Arc<Config>) -> Arc<Config> {
        self.listen.config.as_ref().unwrap_or(passive).clone()
    }
}

impl Endpoint {
    /// An endpoint without connections, with the default congestion controller.
    ///
    /// ```
    /// use segue::host::{Endpoint, EndpointConfig, Keys};
    /// let key = *b"drawn at startup"; // a product asks the system
    /// let tcp = Endpoint::new(Keys::new(key), EndpointConfig { mtu: 9000, ..EndpointConfig::default() });
    /// assert!(tcp.is_empty() && tcp.config().mtu == 9000);
    /// ```
    pub fn new(keys: Keys, config: EndpointConfig) -> Self {
        Self::with_controller(keys, config, Algorithm::default())
    }
}

impl<C: Controller> Endpoint<C> {
    /// An endpoint whose connections have this congestion controller.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (keys, config, now) = (Keys::new(*b"drawn at startup"), EndpointConfig::default(), Instant::ZERO);
    /// use segue::Algorithm;
    /// use segue::congestion::Reno;
    /// let mut tcp = Endpoint::with_controller(keys, config, Algorithm::Reno(Reno::default()));
    /// let id = tcp.connect("192.0.2.1".parse()?, "198.51.100.7:80".parse()?, now)?; // NewReno governs its window
    /// assert!(tcp.socket(id, now).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_controller(keys: Keys, config: EndpointConfig, controller: C) -> Self {
        Self {
            passive: config.passive(),
            ports: Ports::new(&keys, config.ports.clone()),
            #[cfg(feature = "fast-open")]
            fast_open: super::fast_open::FastOpenCache::new(),
            answers: Answers { queue: VecDeque::new(), held: 0, most: config.answers },
            budget: Budget::new(config.memory),
            keys,
            config,
            controller,
            slots: Slots::default(),
            table: Table::default(),
            deadlines: Heap::default(),
            listeners: BTreeMap::new(),
            addresses: BTreeMap::new(),
            next_listener: 0,
            dirty: VecDeque::new(),
            signals: VecDeque::new(),
            incoming: Queue::default(),
            starved: Queue::default(),
            spoken_for: 0,
            time_waits: VecDeque::new(),
            waiting: 0,
            live: 0,
        }
    }

    /// Listens.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// use segue::host::{Listen, OpenError};
    /// let all = tcp.listen(Listen::port(80))?;
    /// assert_eq!(tcp.listen(Listen::port(80)), Err(OpenError::InUse));
    /// let one = tcp.listen(Listen::on("192.0.2.1:80".parse()?))?; // goes before the one on all addresses
    /// assert_ne!(one, all);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`OpenError::InUse`] when there is a listener for this very address and port; [`OpenError::Full`] after four
    /// billion listeners, whose numbers are used up.
    pub fn listen(&mut self, listen: Listen) -> Result<ListenerId, OpenError> {
        let place = (listen.address, listen.port);
        if self.addresses.contains_key(&place) {
            return Err(OpenError::InUse);
        }
        let number = self.next_listener;
        self.next_listener = number.checked_add(1).ok_or(OpenError::Full)?; // the last number is of nobody
        self.addresses.insert(place, number);
        let backlog = listen.limits();
        let bound = Bound {
            listener: Listener::new(backlog),
            #[cfg(feature = "fast-open")]
            fast_open: super::fast_open::FastOpenQueue::new(listen.fast_open),
            listen: Listen { backlog, ..listen },
        };
        self.listeners.insert(number, bound);
        Ok(ListenerId(number))
    }

    /// Stops listening; whether there was such a listener. Connections that no user has accepted are reset; accepted ones
    /// go on.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// use segue::host::Listen;
    /// let http = tcp.listen(Listen::port(80))?;
    /// assert!(tcp.unlisten(http, now));
    /// assert!(!tcp.unlisten(http, now)); // it is gone
    /// assert!(tcp.listen(Listen::port(80)).is_ok()); // and the port is free
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unlisten(&mut self, listener: ListenerId, now: Instant) -> bool {
        let Some(mut bound) = self.listeners.remove(&listener.0) else { return false };
        self.addresses.remove(&(bound.listen.address, bound.listen.port));
        for id in bound.listener.drain() {
            let Some(index) = self.slots.index(id) else { continue };
            if let Some(live) = self.slots.live_mut(index) {
                live.side.owner = Owner::Nobody;
                let _ = self.part(index, Event::Abort, now);
            } else {
                self.turn_away(index, true);
            }
        }
        true
    }

    /// The connection that has been ready for longest, for the user. Its signals come from now on.
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
    /// let id = server.accept(listener).expect("a handshake is complete");
    /// assert_eq!(server.accept(listener), None); // nobody else waits
    /// assert_eq!(server.socket(id, now)?.write(b"hello\n")?, 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn accept(&mut self, listener: ListenerId) -> Option<Id> {
        let bound = self.listeners.get_mut(&listener.0)?;
        let id = bound.listener.accept()?;
        let live = self.slots.live_mut(id.index)?;
        live.side.owner = Owner::User;
        self.queue_signals(id.index);
        Some(id)
    }

    /// The next SYN at a gate that nobody was told of.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut tcp] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # tcp.listen(Listen { gate: Some(core::time::Duration::from_secs(5)), ..Listen::port(80) })?;
    /// # client.connect("198.51.100.7".parse()?, "192.0.2.1:80".parse()?, now)?;
    /// # client.flush(now, |ends, packet| drop(tcp.receive(ends, packet, now)));
    /// while let Some(syn) = tcp.incoming() {
    ///     if syn.flow.remote().ip().is_ipv4() {
    ///         tcp.admit(syn.id, now)?;
    ///     } else {
    ///         tcp.refuse(syn.id)?;
    ///     }
    /// }
    /// assert!(tcp.wants_flush()); // the answer
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn incoming(&mut self) -> Option<Incoming> {
        let index = self.incoming.first()?;
        self.told_of(index);
        let Entry::Held(held) = self.slots.get(index) else { return None };
        Some(Incoming { id: self.slots.id(index), flow: held.flow, listener: ListenerId(held.port) })
    }

    /// The connection with this id, for its user: a guard over what happens in this turn.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// let id = tcp.connect(us, peer, now)?;
    /// let mut socket = tcp.socket(id, now)?;
    /// socket.write(b"GET /\n")?; // leaves when the handshake is complete
    /// socket.abort();
    /// assert!(tcp.socket(id, now).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Gone`]: there is no such connection any more, or it is not the user's yet.
    pub fn socket(&mut self, id: Id, now: Instant) -> Result<Socket<'_, C>, Gone> {
        let index = self.slots.index(id).ok_or(Gone)?;
        let side = self.side_mut(index).ok_or(Gone)?;
        if side.owner == Owner::User { Ok(Socket::new(self, id, now)) } else { Err(Gone) }
    }

    fn find(&self, flow: &Flow) -> Option<u32> {
        self.table.find(self.keys.table_hash(flow), |index| self.slots.flow(index) == Some(flow))
    }

    /// One part of the batch of this turn.
    pub(in crate::host) fn part(&mut self, index: u32, event: Event, now: Instant) -> Result<(), Error> {
        let Self { slots, answers, dirty, live: connections, .. } = self;
        let (live, is_dirty) = slots.live_and_mark(index).ok_or(Error::NotConnected)?;
        live.connection.check_call(&event)?;
        let (connection, open, side) = live.begin(is_dirty, || dirty.push_back(index));
        let transmit = &mut |flow: &Flow, segment| answers.push_own(flow, segment, *connections);
        connection.part(event, now, open, &mut Taker { side, transmit });
        Ok(())
    }

    /// The user wrote text that fits.
    pub(in crate::host) fn send(&mut self, index: u32, text: Bytes, now: Instant) {
        let octets = text.len();
        let Self { slots, answers, dirty, live: connections, .. } = self;
        let Some((live, is_dirty)) = slots.live_and_mark(index) else { return };
        let (connection, open, side) = live.begin(is_dirty, || dirty.push_back(index));
        let transmit = &mut |flow: &Flow, segment| answers.push_own(flow, segment, *connections);
        connection.send_part(text, now, open, &mut Taker { side, transmit });
        self.on_sent(index, octets);
    }

    /// Another congestion controller takes over; the one before comes back, or this one where the connection is over.
    pub(in crate::host) fn replace_controller(&mut self, index: u32, controller: C, now: Instant) -> C {
        let Self { slots, answers, dirty, live: connections, .. } = self;
        let Some((live, is_dirty)) = slots.live_and_mark(index) else { return controller };
        let (connection, open, side) = live.begin(is_dirty, || dirty.push_back(index));
        let transmit = &mut |flow: &Flow, segment| answers.push_own(flow, segment, *connections);
        connection.controller_part(controller, now, open, &mut Taker { side, transmit })
    }

    /// The user read.
    pub(in crate::host) fn consume(&mut self, index: u32, octets: usize, now: Instant) {
        let Self { slots, dirty, .. } = self;
        let Some((live, is_dirty)) = slots.live_and_mark(index) else { return };
        let (connection, open, _) = live.begin(is_dirty, || dirty.push_back(index));
        connection.consume_part(octets, now, open);
    }
}

impl<C: Controller> fmt::Debug for Endpoint<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (live, waiting) = self.len();
        f.debug_struct("Endpoint").field("live", &live).field("time_wait", &waiting).finish_non_exhaustive()
    }
}
