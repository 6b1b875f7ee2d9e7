//! New connections: active opens, SYNs, cookies, and the gate.

use alloc::boxed::Box;
use bytes::Bytes;
use core::net::{IpAddr, SocketAddr};

use super::{Endpoint, Listener, Place, Port};
use crate::host::flow::Flow;
use crate::host::listener::{Admit, Full};
use crate::host::live::{Held, Live, Owner, Side, Taker};
use crate::host::signal::{Gone, Id, OpenError, Received};
use crate::host::slots::Entry;
use crate::{
    Action, Arc, Config, Connection, Controller, Event, Flags, Instant, Knob, Path, Secrets, Segment, SeqNum, Sink,
    State,
};

/// Octets that a connection takes beside itself and its buffers: its place in the tables, what it allocates when it runs.
const OVERHEAD: usize = 1024;
/// Octets that a connection may always have written, whatever the others do: so none waits for another.
const FLOOR: usize = 4096;

/// Octets of the budget that hold this much written text, beside the floor.
pub(super) const fn for_sending(octets: usize) -> usize {
    octets.saturating_sub(FLOOR)
}

/// Octets that may be written beside `queued` ones, when this much of the budget is left.
pub(super) const fn room_to_send(queued: usize, left: usize) -> usize {
    FLOOR.saturating_sub(queued).saturating_add(left)
}

/// Octets that the budget holds for a receive window of this size.
pub(super) fn for_window(octets: u32) -> usize {
    usize::try_from(octets).unwrap_or(usize::MAX).saturating_mul(2)
}

/// What every connection takes.
pub(super) const fn for_itself<C: Controller>() -> usize {
    size_of::<Live<C>>() + OVERHEAD + FLOOR
}

/// What the window may grow to at first.
fn first_window(config: &Config) -> u32 {
    config.receive_buffer_initial().min(config.receive_buffer())
}

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
    /// # Errors
    /// [`OpenError`]; nothing has changed then.
    ///
    /// [`Signal::Connected`]: crate::host::Signal::Connected
    /// [`Signal::Closed`]: crate::host::Signal::Closed
    pub fn connect(&mut self, local: IpAddr, remote: SocketAddr, now: Instant) -> Result<Id, OpenError> {
        let mut ports = self.ports.clone();
        let flow = |port| Flow::new(SocketAddr::new(local, port), remote);
        flow(1).ok_or(OpenError::Unusable)?;
        let free = |port| flow(port).is_some_and(|flow| self.find(&flow).is_none());
        let port = ports.choose(&self.keys, local, remote, free).ok_or(OpenError::NoPort)?;
        self.ports = ports;
        self.connect_from(flow(port).ok_or(OpenError::Unusable)?, now)
    }

    /// Active OPEN of this flow: the user names the local port.
    ///
    /// # Errors
    /// [`OpenError`]; nothing has changed then.
    pub fn connect_from(&mut self, flow: Flow, now: Instant) -> Result<Id, OpenError> {
        let (config, path) = (self.config.connection.clone(), self.config.path(flow.remote().ip()));
        self.connect_with(flow, config, path, now)
    }

    /// [`connect_from`](Self::connect_from) with a configuration and a path of its own.
    ///
    /// # Errors
    /// [`OpenError`]; nothing has changed then.
    pub fn connect_with(&mut self, flow: Flow, config: Arc<Config>, path: Path, now: Instant) -> Result<Id, OpenError> {
        if self.find(&flow).is_some() {
            return Err(OpenError::InUse);
        }
        if !self.reserve(&config) {
            return Err(OpenError::Full);
        }
        let secrets = self.keys.secrets(&flow, now, None);
        let (controller, side) = (self.controller.clone(), Side::new(flow, Owner::User, config.clone()));
        let (connection, actions) = Connection::connect_with(controller, config, path, secrets, now);
        Ok(self.adopt(connection, side, actions, now))
    }

    /// Takes what a connection needs from the budget, if it has it.
    fn reserve(&mut self, config: &Config) -> bool {
        let octets = for_itself::<C>().saturating_add(for_window(first_window(config)));
        self.live < self.config.connections && self.budget.take(octets)
    }

    /// A connection and its first actions become an entry.
    fn adopt(
        &mut self,
        connection: Connection<C>,
        mut side: Side,
        actions: impl IntoIterator<Item = Action>,
        now: Instant,
    ) -> Id {
        side.window = for_window(first_window(&side.config));
        let hash = self.keys.table_hash(&side.flow);
        let at = connection.next_deadline().map(|(_, at)| at);
        let id = self.slots.insert(Entry::Live(Box::new(Live { connection, open: None, side })));
        self.table.insert(hash, id.index);
        self.deadlines.set(id.index, at);
        self.live += 1;
        let Self { slots, answers, .. } = self;
        if let Some(live) = slots.live_mut(id.index) {
            let transmit = &mut |flow: &Flow, segment| answers.push_own(flow, segment);
            let mut taker = Taker { side: &mut live.side, transmit };
            actions.into_iter().for_each(|action| taker.push(action));
        }
        self.limit_window(id.index, now);
        id
    }

    /// The window of a live connection grows no further than the budget knows of.
    pub(super) fn limit_window(&mut self, index: u32, now: Instant) {
        if !self.budget.is_limited() {
            return;
        }
        let Some(live) = self.slots.live(index) else { return };
        let octets = u32::try_from(live.side.window / 2).unwrap_or(u32::MAX).min(live.side.receive_limit);
        if octets != live.connection.receive_limit() {
            let _ = self.part(index, Event::Set(Knob::ReceiveBuffer(octets)), now);
        }
    }

    /// The user limits the window; it grows no further than the budget knows of.
    pub(in crate::host) fn on_receive_limit(&mut self, index: u32, octets: u32) -> u32 {
        let is_limited = self.budget.is_limited();
        let Some(live) = self.slots.live_mut(index) else { return octets };
        live.side.receive_limit = octets.min(live.side.config.receive_buffer());
        if is_limited { octets.min(u32::try_from(live.side.window / 2).unwrap_or(u32::MAX)) } else { octets }
    }

    /// The listener for a local address and port: the most special one.
    pub(super) fn listener_for(&self, local: SocketAddr) -> Option<Port> {
        let (ip, port) = (Some(local.ip()), Some(local.port()));
        let places: [Place; 4] = [(ip, port), (None, port), (ip, None), (None, None)];
        places.iter().find_map(|place| self.addresses.get(place)).copied()
    }

    /// The SYN of a flow that is not in the table. `after`: the last number of the previous incarnation.
    pub(super) fn syn_arrives(
        &mut self,
        (flow, port): (Flow, Port),
        syn: Segment,
        after: Option<SeqNum>,
        now: Instant,
    ) -> Received {
        let Some(bound) = self.listeners.get_mut(&port) else { return Received::Full };
        let config = bound.listen.config.as_ref().unwrap_or(&self.passive).clone();
        let gate = bound.listen.gate;
        let needs = for_itself::<C>().saturating_add(for_window(first_window(&config)));
        let full = self.live >= self.config.connections || needs > self.budget.left();
        // Connections that are half-open take a quarter of the limits at most: the rest is for peers that have proved
        // themselves, and for our own opens.
        let (half_open, _) = bound.listener.len();
        let scarce = full
            || half_open > self.config.connections / 4
            || half_open > 0 && half_open.saturating_add(1).saturating_mul(needs) > self.budget.limit() / 4;
        let admit = match bound.listen.backlog.full {
            Full::Cookies if scarce => bound.listener.on_flood(now),
            Full::EvictOldest if scarce => match bound.listener.evict() {
                Some(oldest) => Admit::Evict(oldest),
                None if full => Admit::Drop,
                None => bound.listener.on_syn(now),
            },
            Full::Drop | Full::Reset if full => Admit::Drop,
            Full::Cookies | Full::EvictOldest | Full::Drop | Full::Reset => bound.listener.on_syn(now),
        };
        match admit {
            Admit::Open => {}
            Admit::Evict(id) => self.turn_away(id.index, false),
            Admit::Cookie if after.is_some() => return Received::Full, // a cookie knows of no previous incarnation
            Admit::Cookie => {
                let path = self.config.path(flow.remote().ip());
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
            return self.hold((flow, port), (syn, after), now + patience);
        }
        let secrets = self.keys.secrets(&flow, now, after);
        match self.open_passive(flow, config, (secrets, syn), now) {
            Some(id) => {
                self.own(id, port, |listener| Owner::HalfOpen(port, listener.opened(id)));
                Received::Opened(id)
            }
            None => Received::Full,
        }
    }

    /// Passive OPEN. `None`: the SYN opens nothing after all, and was answered, or the budget is used up.
    fn open_passive(
        &mut self,
        flow: Flow,
        config: Arc<Config>,
        (secrets, syn): (Secrets, Segment),
        now: Instant,
    ) -> Option<Id> {
        if !self.reserve(&config) {
            return None;
        }
        let path = self.config.path(flow.remote().ip());
        let controller = self.controller.clone();
        let (connection, actions) = Connection::accept_with(controller, config.clone(), path, secrets, syn, now);
        if connection.state() == State::Closed {
            self.budget.give_back(for_itself::<C>().saturating_add(for_window(first_window(&config))));
            return None;
        }
        Some(self.adopt(connection, Side::new(flow, Owner::Nobody, config), actions, now))
    }

    /// A new passive connection gets its place in the queues of its listener.
    fn own(&mut self, id: Id, port: Port, place: impl FnOnce(&mut Listener<Id>) -> Owner) {
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
        let bound = self.listeners.get(&port).filter(|bound| bound.listener.expects_cookies(now))?;
        let Some(found) = self.keys.redeem(&flow, segment, now) else {
            // Text may overtake the segment with the cookie, which comes again: a reset would end a good connection.
            let may_follow = !segment.payload.is_empty() && !segment.flags.contains(Flags::RST);
            return may_follow.then_some(Received::Full);
        };
        if !bound.listener.has_room() {
            return Some(Received::Full); // the peer repeats its text
        }
        let config = bound.listen.config.as_ref().unwrap_or(&self.passive).clone();
        let side = Side::new(flow, Owner::Nobody, config.clone());
        // The cookie proves its peer: those that are half-open make room.
        while !self.reserve(&config) {
            let Some(oldest) = self.listeners.get_mut(&port).and_then(|bound| bound.listener.evict()) else {
                return Some(Received::Full);
            };
            self.turn_away(oldest.index, false);
        }
        let (controller, path) = (self.controller.clone(), self.config.path(flow.remote().ip()));
        let (connection, _) = Connection::accept_with(controller, config, path, found.secrets, found.syn, found.sent);
        let id = self.adopt(connection, side, [], now); // its SYN,ACK left long ago
        self.own(id, port, |listener| Owner::Ready(port, listener.ready(id)));
        let _ = self.part(id.index, Event::Segment(segment.clone()), now);
        self.look(id.index, now);
        Some(Received::Opened(id))
    }

    /// A SYN waits at the gate, without its text.
    fn hold(
        &mut self,
        (flow, port): (Flow, Port),
        (syn, after): (Segment, Option<SeqNum>),
        until: Instant,
    ) -> Received {
        let hash = self.keys.table_hash(&flow);
        let Some(bound) = self.listeners.get_mut(&port) else { return Received::Full };
        let next = self.slots.insert(Entry::Free);
        let ticket = bound.listener.opened(next);
        let held = Entry::Held(Box::new(Held { flow, syn: bare(syn), after, port, ticket }));
        if let Some(entry) = self.slots.get_mut(next.index) {
            *entry = held;
        }
        self.table.insert(hash, next.index);
        self.deadlines.set(next.index, Some(until));
        self.incoming.push_back(next);
        self.live += 1;
        Received::Held(next)
    }

    /// The gate opens: the SYN is answered, and the connection comes by [`accept`](Self::accept) when the handshake is
    /// complete. The id stays the same.
    ///
    /// # Errors
    /// [`Gone`]: the peer gave up, the deadline passed, the SYN made room for another, or the memory budget is used up, and
    /// the peer was refused.
    pub fn admit(&mut self, id: Id, now: Instant) -> Result<(), Gone> {
        let index = self.slots.index(id).ok_or(Gone)?;
        let Entry::Held(held) = self.slots.get(index) else { return Err(Gone) };
        let (flow, port, ticket, syn, after) = (held.flow, held.port, held.ticket, held.syn.clone(), held.after);
        let Some(bound) = self.listeners.get(&port) else { return Err(Gone) };
        let config = bound.listen.config.as_ref().unwrap_or(&self.passive).clone();
        if !self.budget.take(for_itself::<C>().saturating_add(for_window(first_window(&config)))) {
            self.turn_away(index, true);
            return Err(Gone);
        }
        let secrets = self.keys.secrets(&flow, now, after);
        let (controller, path) = (self.controller.clone(), self.config.path(flow.remote().ip()));
        let (connection, actions) = Connection::accept_with(controller, config.clone(), path, secrets, syn, now);
        let mut side = Side::new(flow, Owner::HalfOpen(port, ticket), config);
        side.window = for_window(first_window(&side.config));
        let answers = &mut self.answers;
        let transmit = &mut |flow: &Flow, segment| answers.push_own(flow, segment);
        let mut taker = Taker { side: &mut side, transmit };
        actions.into_iter().for_each(|action| taker.push(action));
        self.deadlines.set(index, connection.next_deadline().map(|(_, at)| at));
        if let Some(entry) = self.slots.get_mut(index) {
            *entry = Entry::Live(Box::new(Live { connection, open: None, side }));
        }
        self.limit_window(index, now);
        self.look(index, now); // a SYN that opens nothing ends here
        Ok(())
    }

    /// The gate stays shut: a reset refuses the SYN.
    ///
    /// # Errors
    /// [`Gone`], as [`admit`](Self::admit).
    pub fn refuse(&mut self, id: Id) -> Result<(), Gone> {
        self.shut(id, true)
    }

    /// The SYN is forgotten without an answer; the peer may repeat it.
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
