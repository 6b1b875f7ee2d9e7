//! New connections: active opens, SYNs, cookies, and the gate.

use alloc::boxed::Box;
use bytes::Bytes;
use core::net::{IpAddr, SocketAddr};

use super::memory::{for_window, needs};
use super::{Endpoint, Listener, Place, Port};
use crate::connection::first_window;
use crate::host::flow::Flow;
use crate::host::listener::{Admit, Full};
use crate::host::live::{Held, Live, Owner, Previous, Side, Taker};
use crate::host::signal::{Gone, Id, OpenError, Received};
use crate::host::slots::Entry;
use crate::{Action, Arc, Config, Connection, Controller, Event, Flags, Instant, Path, Secrets, Segment, State};

/// The answer to a Fast Open option.
#[cfg(feature = "fast-open")]
type Early = crate::FastOpenAnswer;
#[cfg(not(feature = "fast-open"))]
type Early = ();

/// A SYN without what comes again: text, which would pin its frame, and a FIN behind it.
pub(super) fn bare(mut syn: Segment) -> Segment {
    syn.payload = Bytes::new();
    syn.flags.remove(Flags::FIN);
    syn
}

impl<C: Controller> Endpoint<C> {
    /// Active OPEN from this address, from a port that RFC 6056 chooses. [`Signal::Connected`] or
    /// [`Signal::Closed`] follows.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// let id = tcp.connect("192.0.2.1".parse()?, "198.51.100.7:80".parse()?, now)?;
    /// let flow = tcp.socket(id, now)?.flow().expect("it is there");
    /// assert_eq!(flow.remote(), "198.51.100.7:80".parse()?);
    /// assert!(tcp.config().ports.contains(&flow.local().port())); // a port that nobody can guess
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`OpenError`]; nothing has changed then.
    ///
    /// [`Signal::Connected`]: crate::host::Signal::Connected
    /// [`Signal::Closed`]: crate::host::Signal::Closed
    pub fn connect(&mut self, local: IpAddr, remote: SocketAddr, now: Instant) -> Result<Id, OpenError> {
        let flow = self.choose_port(local, remote)?;
        self.connect_from(flow, now)
    }

    /// A flow from a port that RFC 6056 chooses.
    pub(super) fn choose_port(&mut self, local: IpAddr, remote: SocketAddr) -> Result<Flow, OpenError> {
        let flow = |port| Flow::new(SocketAddr::new(local, port), remote);
        flow(1).ok_or(OpenError::Unusable)?;
        let Self { ports, keys, table, slots, .. } = self;
        let in_use = |flow: &Flow| table.find(keys.table_hash(flow), |index| slots.flow(index) == Some(flow)).is_some();
        let free = |port| flow(port).is_some_and(|flow| !in_use(&flow));
        let port = ports.choose(keys, local, remote, free).ok_or(OpenError::NoPort)?;
        flow(port).ok_or(OpenError::Unusable)
    }

    /// Active OPEN of this flow: the user names the local port.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// use segue::host::{Flow, OpenError};
    /// let flow = Flow::new("192.0.2.1:179".parse()?, "198.51.100.7:179".parse()?).expect("both are unicast");
    /// tcp.connect_from(flow, now)?;
    /// assert_eq!(tcp.connect_from(flow, now), Err(OpenError::InUse));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`OpenError`]; nothing has changed then.
    pub fn connect_from(&mut self, flow: Flow, now: Instant) -> Result<Id, OpenError> {
        let (config, path) = (self.config.connection.clone(), self.config.path(flow.remote().ip()));
        self.connect_with(flow, config, path, now)
    }

    /// [`connect_from`](Self::connect_from) with a configuration and a path of its own.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # use core::time::Duration;
    /// # use segue::host::Flow;
    /// # let flow = Flow::new("192.0.2.1:179".parse()?, "198.51.100.7:179".parse()?).expect("both are unicast");
    /// use segue::{Arc, Config, Path};
    /// let hasty = Config::builder().connect_timeout(Some(Duration::from_secs(5))).build()?;
    /// let id = tcp.connect_with(flow, Arc::new(hasty), Path::ipv4(9000), now)?; // a link with large frames
    /// assert_eq!(tcp.socket(id, now)?.info().map(|info| info.path_mtu), Some(9000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`OpenError`]; nothing has changed then.
    pub fn connect_with(&mut self, flow: Flow, config: Arc<Config>, path: Path, now: Instant) -> Result<Id, OpenError> {
        let open = |controller, config, path, secrets, taker: &mut Taker<'_>| {
            Connection::connect_with_into(controller, config, path, secrets, now, taker)
        };
        self.connect_by(flow, config, path, now, open)
    }

    /// Active OPEN by this call of the machine.
    pub(super) fn connect_by(
        &mut self,
        flow: Flow,
        config: Arc<Config>,
        path: Path,
        now: Instant,
        open: impl FnOnce(C, Arc<Config>, Path, Secrets, &mut Taker<'_>) -> Connection<C>,
    ) -> Result<Id, OpenError> {
        if flow.local() == flow.remote() {
            return Err(OpenError::Unusable);
        }
        if self.find(&flow).is_some() {
            return Err(OpenError::InUse);
        }
        let window = self.reserve(&config, &path).ok_or(OpenError::Full)?;
        let secrets = self.keys.secrets(&flow, now, None);
        let controller = self.controller.clone();
        let mut side = Side { window, ..Side::new(flow, Owner::User, config.clone()) };
        let (answers, connections) = (&mut self.answers, self.live + 1); // with this one
        let transmit = &mut |flow: &Flow, segment| answers.push_own(flow, segment, connections);
        let mut taker = Taker { side: &mut side, transmit };
        let connection = open(controller, config, path, secrets, &mut taker);
        Ok(self.adopt(connection, side, now))
    }

    /// A connection becomes an entry. Its `side` has taken its first actions.
    fn adopt(&mut self, connection: Connection<C>, side: Side, now: Instant) -> Id {
        let hash = self.keys.table_hash(&side.flow);
        let at = connection.next_deadline().map(|(_, at)| at);
        let id = self.slots.insert(Entry::Live(Box::new(Live { connection, open: None, side })));
        self.table.insert(hash, id.index);
        self.deadlines.set(id.index, at);
        self.live += 1;
        self.limit_window(id.index, now);
        id
    }

    /// The listener for a local address and port: the most special one.
    pub(super) fn listener_for(&self, local: SocketAddr) -> Option<Port> {
        let (ip, port) = (Some(local.ip()), Some(local.port()));
        let places: [Place; 4] = [(ip, port), (None, port), (ip, None), (None, None)];
        places.iter().find_map(|place| self.addresses.get(place)).copied()
    }

    /// The SYN of a flow that is not in the table, or only in TIME-WAIT. The previous incarnation stays there unless the
    /// SYN opens a connection.
    pub(super) fn syn_arrives(
        &mut self,
        (flow, port): (Flow, Port),
        syn: Segment,
        previous: Option<Previous>,
        now: Instant,
    ) -> Received {
        let Some(bound) = self.listeners.get(&port) else { return Received::Full };
        let (config, gate) = (bound.config(&self.passive), bound.listen.gate);
        if syn.flags.contains(Flags::FIN) && config.drop_syn_fin() {
            return Received::Full; // it opens nothing
        }
        let path = self.config.path(flow.remote().ip());
        let admit = match self.judge(port, needs::<C>(&config, &path), now) {
            // A cookie knows of no previous incarnation (MAY-2). A peer that had one has proved itself: the oldest makes
            // room, or where none is half-open, there is room.
            Admit::Cookie if previous.is_some() => {
                self.listeners.get_mut(&port).and_then(|bound| bound.listener.evict()).map_or(Admit::Open, Admit::Evict)
            }
            admit @ (Admit::Open | Admit::Evict(_) | Admit::Cookie | Admit::Drop | Admit::Reset) => admit,
        };
        match admit {
            Admit::Open => {}
            Admit::Evict(id) => self.turn_away(id.index, false),
            Admit::Cookie => {
                let answer = self.keys.cookie(&flow, &syn, &config, path, now);
                let Some(answer) = answer else { return Received::Full };
                self.answers.push(&flow, answer);
                return Received::Cookie;
            }
            Admit::Drop => return Received::Full,
            Admit::Reset => {
                self.answer_stray(&flow, &syn);
                return Received::Full;
            }
        }
        if let Some(patience) = gate {
            return self.hold((flow, port), (syn, previous), now + patience);
        }
        #[cfg(feature = "fast-open")]
        let early = self.fast_open_answer(&flow, port, &syn, now);
        #[cfg(not(feature = "fast-open"))]
        let early = ();
        match self.open_passive(flow, (config, path), (syn, previous), early, now) {
            Some(id) => {
                #[cfg(feature = "fast-open")]
                if early.valid {
                    self.own_fast_open(id, port);
                    return Received::Opened(id);
                }
                self.own(id, port, |listener| Owner::HalfOpen(port, listener.opened(id)));
                Received::Opened(id)
            }
            None => Received::Full,
        }
    }

    /// What becomes of a SYN whose connection `needs` this much, by the limits of the listener and of the endpoint.
    fn judge(&mut self, port: Port, needs: usize, now: Instant) -> Admit<Id> {
        let Some(bound) = self.listeners.get_mut(&port) else { return Admit::Drop };
        let full = self.live >= self.config.connections || needs > self.budget.left();
        // Connections that are half-open take a quarter of the limits at most: the rest is for peers that have proved
        // themselves, and for our own opens.
        let (half_open, _) = bound.listener.len();
        let scarce = full
            || half_open > self.config.connections / 4
            || half_open > 0 && half_open.saturating_add(1).saturating_mul(needs) > self.budget.limit() / 4;
        match bound.listen.backlog.full {
            Full::Cookies if full && half_open == 0 => Admit::Drop, // who brings the cookie back would find no room
            Full::Cookies if scarce => bound.listener.on_flood(now),
            Full::EvictOldest if scarce && bound.listener.has_room() => match bound.listener.evict() {
                Some(oldest) => Admit::Evict(oldest),
                None if full => Admit::Drop,
                None => bound.listener.on_syn(now),
            },
            Full::Drop | Full::Reset if full => Admit::Drop,
            Full::Cookies | Full::EvictOldest | Full::Drop | Full::Reset => bound.listener.on_syn(now),
        }
    }

    /// Passive OPEN, and the end of the previous incarnation. `None`: the SYN opens nothing after all, or the budget is
    /// used up.
    fn open_passive(
        &mut self,
        flow: Flow,
        (config, path): (Arc<Config>, Path),
        (syn, previous): (Segment, Option<Previous>),
        early: Early,
        now: Instant,
    ) -> Option<Id> {
        let window = self.reserve(&config, &path)?;
        let secrets = self.keys.secrets(&flow, now, previous.map(|previous| previous.last));
        #[cfg(feature = "fast-open")]
        let owner = if early.valid { Owner::User } else { Owner::Nobody }; // somebody will read the text of the SYN
        #[cfg(not(feature = "fast-open"))]
        let owner = Owner::Nobody;
        let mut side = Side { window, ..Side::new(flow, owner, config.clone()) };
        let controller = self.controller.clone();
        let (answers, connections) = (&mut self.answers, self.live + 1); // with this one
        let transmit = &mut |flow: &Flow, segment| answers.push_own(flow, segment, connections);
        let mut taker = Taker { side: &mut side, transmit };
        let opening = (config.clone(), path, secrets);
        #[cfg(feature = "fast-open")]
        let connection = Connection::accept_fast_open_with_into(controller, opening, syn, early, now, &mut taker);
        #[cfg(not(feature = "fast-open"))]
        let connection = {
            let ((config, path, secrets), ()) = (opening, early);
            Connection::accept_with_into(controller, config, path, secrets, syn, now, &mut taker)
        };
        if connection.state() == State::Closed {
            self.budget.give_back(needs::<C>(&config, &path));
            return None;
        }
        self.succeed(previous);
        Some(self.adopt(connection, side, now))
    }

    /// A connection follows its previous incarnation, which ends.
    fn succeed(&mut self, previous: Option<Previous>) {
        if let Some(index) = previous.and_then(|previous| self.slots.index(previous.id)) {
            self.free(index);
        }
    }

    /// A new passive connection gets its place in the queues of its listener.
    pub(super) fn own(&mut self, id: Id, port: Port, place: impl FnOnce(&mut Listener<Id>) -> Owner) {
        let Some(bound) = self.listeners.get_mut(&port) else { return };
        let owner = place(&mut bound.listener);
        if let Some(live) = self.slots.live_mut(id.index) {
            live.side.owner = owner;
        }
    }

    /// A segment that may bring a cookie back.
    pub(super) fn cookie_arrives(
        &mut self,
        (flow, port): (Flow, Port),
        segment: &Segment,
        now: Instant,
    ) -> Option<Received> {
        self.listeners.get(&port).filter(|bound| bound.listener.expects_cookies(now))?;
        let Some(found) = self.keys.redeem(&flow, segment, now) else {
            return self.keys.acknowledges_cookie(&flow, segment, now).then_some(Received::Full);
        };
        // A repeated SYN may have opened a connection beside the cookie; the peer answers the SYN,ACK that came first.
        if let Some(half_open) = self.find(&flow) {
            self.turn_away(half_open, false);
        }
        let config = self.listeners.get(&port)?.config(&self.passive);
        let path = self.config.path(flow.remote().ip());
        let Some(window) = self.make_room(port, &config, &path) else {
            self.answer_stray(&flow, segment); // RFC 9293 §3.10.7.2, second: the peer must not believe in a connection
            return Some(Received::Full);
        };
        let side = Side { window, ..Side::new(flow, Owner::Nobody, config.clone()) };
        let controller = self.controller.clone();
        let left = &mut |_: Action| {}; // its SYN,ACK left long ago
        let (secrets, syn) = (found.secrets, found.syn);
        let connection = Connection::accept_with_into(controller, config, path, secrets, syn, found.sent, left);
        let id = self.adopt(connection, side, now);
        self.own(id, port, |listener| Owner::Ready(port, listener.ready(id)));
        let _ = self.part(id.index, Event::Segment(segment.clone()), now);
        self.look(id.index, now);
        Some(Received::Opened(id))
    }

    /// A place for a connection by a cookie, and what it needs of the budget: the cookie proves its peer, and those that
    /// are half-open make room.
    fn make_room(&mut self, port: Port, config: &Config, path: &Path) -> Option<usize> {
        match self.listeners.get_mut(&port)?.listener.on_cookie() {
            Admit::Open => {}
            Admit::Evict(oldest) => self.turn_away(oldest.index, false),
            Admit::Cookie | Admit::Drop | Admit::Reset => return None,
        }
        loop {
            if let Some(window) = self.reserve(config, path) {
                return Some(window);
            }
            let oldest = self.listeners.get_mut(&port)?.listener.evict()?;
            self.turn_away(oldest.index, false);
        }
    }

    /// A SYN waits at the gate, without its text; its previous incarnation waits behind it.
    fn hold(
        &mut self,
        (flow, port): (Flow, Port),
        (syn, previous): (Segment, Option<Previous>),
        until: Instant,
    ) -> Received {
        let hash = self.keys.table_hash(&flow);
        if let Some(previous) = previous {
            self.table.remove(hash, previous.id.index);
        }
        let Some(bound) = self.listeners.get_mut(&port) else { return Received::Full };
        let next = self.slots.insert(Entry::Free);
        let ticket = bound.listener.opened(next);
        let untold = Some(self.incoming.push(next.index));
        let held = Entry::Held(Box::new(Held { flow, syn: bare(syn), previous, port, ticket, untold }));
        if let Some(entry) = self.slots.get_mut(next.index) {
            *entry = held;
        }
        self.table.insert(hash, next.index);
        self.deadlines.set(next.index, Some(until));
        self.live += 1;
        Received::Held(next)
    }

    /// The gate opens: the SYN is answered, and the connection comes by [`accept`](Self::accept) when the handshake is
    /// complete. The id stays the same.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut tcp] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # tcp.listen(Listen { gate: Some(core::time::Duration::from_secs(5)), ..Listen::port(80) })?;
    /// # client.connect("198.51.100.7".parse()?, "192.0.2.1:80".parse()?, now)?;
    /// # client.flush(now, |ends, packet| drop(tcp.receive(ends, packet, now)));
    /// use segue::host::Gone;
    /// let syn = tcp.incoming().expect("a SYN waits");
    /// tcp.admit(syn.id, now)?; // its SYN,ACK leaves with the flush
    /// assert_eq!(tcp.admit(syn.id, now), Err(Gone)); // it waits no more
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Gone`]: the peer gave up, the deadline passed, the SYN made room for another or opens nothing; or the memory
    /// budget is used up, and the peer was refused. A connection of the flow that is in TIME-WAIT stays there.
    pub fn admit(&mut self, id: Id, now: Instant) -> Result<(), Gone> {
        let index = self.slots.index(id).ok_or(Gone)?;
        let Entry::Held(held) = self.slots.get(index) else { return Err(Gone) };
        let Held { flow, syn, previous, port, ticket, untold: _ } = Held::clone(held);
        let config = self.listeners.get(&port).ok_or(Gone)?.config(&self.passive);
        let path = self.config.path(flow.remote().ip());
        if !self.budget.take(needs::<C>(&config, &path)) {
            self.turn_away(index, true);
            return Err(Gone);
        }
        let secrets = self.keys.secrets(&flow, now, previous.map(|previous| previous.last));
        let controller = self.controller.clone();
        let window = for_window(first_window(&config, &path));
        let mut side = Side { window, ..Side::new(flow, Owner::HalfOpen(port, ticket), config.clone()) };
        let Self { answers, live: connections, .. } = self;
        let transmit = &mut |flow: &Flow, segment| answers.push_own(flow, segment, *connections);
        let mut taker = Taker { side: &mut side, transmit };
        let connection = Connection::accept_with_into(controller, config.clone(), path, secrets, syn, now, &mut taker);
        if connection.state() == State::Closed {
            self.budget.give_back(needs::<C>(&config, &path));
            self.turn_away(index, false);
            return Err(Gone);
        }
        self.told_of(index);
        self.succeed(previous);
        self.deadlines.set(index, connection.next_deadline().map(|(_, at)| at));
        if let Some(entry) = self.slots.get_mut(index) {
            *entry = Entry::Live(Box::new(Live { connection, open: None, side }));
        }
        self.limit_window(index, now);
        Ok(())
    }

    /// Nobody has to be told of a held SYN any more.
    pub(super) fn told_of(&mut self, index: u32) {
        let Self { slots, incoming, .. } = self;
        let Some(Entry::Held(held)) = slots.get_mut(index) else { return };
        if let Some(number) = held.untold.take() {
            incoming.remove(number);
        }
    }

    /// The gate stays shut: a reset refuses the SYN.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut tcp] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # tcp.listen(Listen { gate: Some(core::time::Duration::from_secs(5)), ..Listen::port(80) })?;
    /// # client.connect("198.51.100.7".parse()?, "192.0.2.1:80".parse()?, now)?;
    /// # client.flush(now, |ends, packet| drop(tcp.receive(ends, packet, now)));
    /// use segue::Flags;
    /// let syn = tcp.incoming().expect("a SYN waits");
    /// tcp.refuse(syn.id)?;
    /// let mut flags = Flags::empty();
    /// tcp.flush(now, |_, packet| flags = packet.segment.flags);
    /// assert!(flags.contains(Flags::RST));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Gone`], as [`admit`](Self::admit).
    pub fn refuse(&mut self, id: Id) -> Result<(), Gone> {
        self.shut(id, true)
    }

    /// The SYN is forgotten without an answer; the peer may repeat it.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut tcp] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # tcp.listen(Listen { gate: Some(core::time::Duration::from_secs(5)), ..Listen::port(80) })?;
    /// # client.connect("198.51.100.7".parse()?, "192.0.2.1:80".parse()?, now)?;
    /// # client.flush(now, |ends, packet| drop(tcp.receive(ends, packet, now)));
    /// let syn = tcp.incoming().expect("a SYN waits");
    /// tcp.ignore(syn.id)?;
    /// assert!(tcp.is_empty() && !tcp.wants_flush());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Gone`], as [`admit`](Self::admit).
    pub fn ignore(&mut self, id: Id) -> Result<(), Gone> {
        self.shut(id, false)
    }

    fn shut(&mut self, id: Id, answers: bool) -> Result<(), Gone> {
        let index = self.slots.index(id).ok_or(Gone)?;
        let Entry::Held(_) = self.slots.get(index) else { return Err(Gone) };
        self.turn_away(index, answers);
        Ok(())
    }
}
