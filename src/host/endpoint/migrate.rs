//! Connections that leave for another endpoint, and that come from one.

use alloc::boxed::Box;

use super::Endpoint;
use super::memory::{for_itself, for_sending, for_window, room_to_send};
use crate::host::detached::{AttachError, DetachError, Detached, Waits};
use crate::host::flow::Flow;
use crate::host::live::{Live, Owner, Side, Taker};
use crate::host::signal::{Id, OpenError, Signal};
use crate::host::slots::Entry;
use crate::{Controller, Event, Instant, Knob, State};

impl<C: Controller> Endpoint<C> {
    /// The connection leaves the endpoint as a value, to go on in another one by [`attach`](Self::attach). The peer
    /// notices nothing: no segment is sent for it, but those that this turn owes leave with the next
    /// [`flush`](Self::flush). All that the connection had here is free again; the id is void, and its signals that
    /// nobody polled go with it.
    ///
    /// Segments that arrive for it between the two are strays, and would be answered with a reset: drop the packets of its
    /// [`flow`](Detached::flow) meanwhile, or [`attach`](Self::attach) in the same turn.
    ///
    /// A connection that no user has accepted moves, too, as soon as its handshake is complete.
    ///
    /// # Errors
    /// [`DetachError`]; nothing else has changed then, but the connection may have flushed.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{DetachError, Endpoint, EndpointConfig, Keys, Listen, OpenError, Signal};
    /// # let key = *b"drawn at startup";
    /// # let mut client = Endpoint::new(Keys::new(*b"drawn by another"), EndpointConfig::default());
    /// # let now = Instant::ZERO;
    /// # let mut old = Endpoint::new(Keys::new(key), EndpointConfig::default());
    /// # let listener = old.listen(Listen::port(7))?;
    /// # let peer = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
    /// # client.socket(peer, now)?.write(b"half of a request")?;
    /// # let mut wire = Vec::new();
    /// # for _ in 0..4 {
    /// #     client.flush(now, |ends, packet| wire.push((ends, packet)));
    /// #     wire.drain(..).for_each(|(ends, packet)| drop(old.receive(ends, packet, now)));
    /// #     old.flush(now, |ends, packet| wire.push((ends, packet)));
    /// #     wire.drain(..).for_each(|(ends, packet)| drop(client.receive(ends, packet, now)));
    /// # }
    /// # let id = old.accept(listener).expect("a connection");
    /// // From one endpoint to another, such as that of another core.
    /// let mut new = Endpoint::new(Keys::new(key), EndpointConfig::default());
    /// let detached = old.detach(id, now)?;
    /// assert_eq!(detached.unread(), 17);
    /// old.flush(now, |_, _| { /* what the turn owed */ });
    /// assert!(old.is_empty());
    ///
    /// let id = new.attach(detached, now)?;
    /// assert_eq!(new.poll_signal(), Some((id, Signal::Readable)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn detach(&mut self, id: Id, now: Instant) -> Result<Detached<C>, DetachError> {
        let index = self.slots.index(id).ok_or(DetachError::Gone)?;
        self.may_leave(index)?;
        self.finish_into_answers(index, now);
        let index = self.slots.index(id).ok_or(DetachError::Over)?;
        self.may_leave(index)?; // the flush may have been its end
        let Entry::Live(live) = self.slots.free(index) else { return Err(DetachError::Gone) };
        let Live { mut connection, mut side, .. } = *live;
        self.deadlines.remove(index);
        self.table.remove(self.keys.table_hash(&side.flow), index);
        if let Owner::HalfOpen(port, ticket) | Owner::Ready(port, ticket) = side.owner {
            if let Some(bound) = self.listeners.get_mut(&port) {
                bound.listener.gone(ticket);
            }
        }
        self.give_back(&side);
        if self.budget.is_limited() {
            // From now on, only its user limits the window.
            let Self { answers, live: connections, .. } = self;
            let transmit = &mut |flow: &Flow, segment| answers.push_own(flow, segment, *connections);
            let most = Event::Set(Knob::ReceiveBuffer(side.receive_limit));
            let _ = connection.handle(most, now, &mut Taker { side: &mut side, transmit }); // it is open
        }
        let waits = Waits {
            pending: side.pending,
            low_water: side.low_water,
            flushed: side.wants_flushed,
            room: side.wants_room,
            budget: side.starved.is_some(),
        };
        Ok(Detached { connection: Box::new(connection), flow: side.flow, unread: side.inbox, waits })
    }

    /// Whether what is in this place is a connection that can move.
    fn may_leave(&self, index: u32) -> Result<(), DetachError> {
        let live = match self.slots.get(index) {
            Entry::Free | Entry::Waiting(_) => return Err(DetachError::Gone),
            Entry::Held(_) => return Err(DetachError::HalfOpen),
            Entry::Over(_) => return Err(DetachError::Over),
            Entry::Live(live) if live.side.owner == Owner::Nobody => return Err(DetachError::Gone),
            Entry::Live(live) => live,
        };
        match live.connection.state() {
            State::Closed => Err(DetachError::Over),
            State::Listen | State::SynSent | State::SynReceived => Err(DetachError::HalfOpen),
            State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => Ok(()),
        }
    }

    /// A connection from another endpoint goes on here, with a new id. Its user is told what it has to know: of text that
    /// waits ([`Signal::Readable`]), of the end of the peer's stream ([`Signal::PeerClosed`]), and of what nobody polled
    /// at the other endpoint.
    ///
    /// The clock has to go on from that of the other endpoint: a time before its last one counts as the last one. Late
    /// timers do no harm.
    ///
    /// The connection keeps its configuration and its congestion controller. The budget takes its window and its text as
    /// they are.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when this endpoint has the flow, also in TIME-WAIT; [`OpenError::Full`] beyond
    /// [`EndpointConfig::connections`](super::EndpointConfig::connections) or the memory budget. The error has the
    /// connection.
    ///
    /// ```
    /// use segue::Instant;
    /// use segue::host::{AttachError, Detached, Endpoint, Id};
    ///
    /// /// To the first core that has room.
    /// fn spread(cores: &mut [Endpoint], mut detached: Detached, now: Instant) -> Result<(usize, Id), Detached> {
    ///     for (core, endpoint) in cores.iter_mut().enumerate() {
    ///         match endpoint.attach(detached, now) {
    ///             Ok(id) => return Ok((core, id)),
    ///             Err(AttachError { detached: again, .. }) => detached = *again,
    ///         }
    ///     }
    ///     Err(detached)
    /// }
    /// ```
    pub fn attach(&mut self, detached: Detached<C>, now: Instant) -> Result<Id, AttachError<C>> {
        let refused = |reason, detached| Err(AttachError { reason, detached: Box::new(detached) });
        if self.find(&detached.flow).is_some() {
            return refused(OpenError::InUse, detached);
        }
        let limited = self.budget.is_limited();
        let window = for_window(detached.connection.receive_capacity());
        let sending = if limited { detached.connection.info().send_queue } else { 0 };
        let octets = for_itself::<C>().saturating_add(window).saturating_add(for_sending(sending));
        if self.live >= self.config.connections || !self.budget.take(octets) {
            return refused(OpenError::Full, detached);
        }
        let id = self.enter(detached, (window, sending));
        self.limit_window(id.index, now);
        self.queue_signals(id.index);
        self.look(id.index, now);
        self.shrink(id.index);
        Ok(id)
    }

    /// The connection becomes an entry.
    fn enter(&mut self, detached: Detached<C>, (window, sending): (usize, usize)) -> Id {
        let (unread, peer_closed) = (detached.unread(), detached.peer_closed());
        let Detached { connection, flow, unread: inbox, waits } = detached;
        let mut side = Side::new(flow, Owner::User, connection.config().clone());
        (side.inbox, side.unread, side.pending, side.peer_closed) = (inbox, unread, waits.pending, peer_closed);
        if peer_closed {
            side.pending.add(Signal::PeerClosed);
        }
        (side.wants_flushed, side.wants_room) = (waits.flushed, waits.room);
        (side.window, side.sending, side.receive_limit) = (window, sending, connection.receive_limit());
        side.set_low_water(waits.low_water); // tells of the text that waits
        // Who waits for the budget here waits for others; room of its own is there already.
        let has_own = waits.budget && room_to_send(connection.info().send_queue, 0) > 0;
        if has_own {
            side.pending.add(Signal::Writable);
        }
        let at = connection.next_deadline().map(|(_, at)| at);
        let id = self.slots.insert(Entry::Live(Box::new(Live { connection: *connection, open: None, side })));
        self.table.insert(self.keys.table_hash(&flow), id.index);
        self.deadlines.set(id.index, at);
        self.live += 1;
        if waits.budget && !has_own {
            self.await_budget(id.index);
        }
        id
    }
}
