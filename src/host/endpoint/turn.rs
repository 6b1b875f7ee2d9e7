//! The end of a turn: timers, the flush, and what follows from the actions of a connection.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use super::Endpoint;
use super::memory::{for_itself, for_sending};
use crate::codec::{Packet, PseudoHeader};
use crate::host::flow::Flow;
use crate::host::live::{Live, Opening, Owner, Previous, Side, Taker, Waiting};
use crate::host::signal::{Id, Signal};
use crate::host::slots::Entry;
use crate::time::END_OF_TIME;
use crate::{Action, CloseReason, Connection, Controller, Event, Instant, Segment, State};

impl<C: Controller> Endpoint<C> {
    /// Runs all timers that are due. What they send leaves with the flush.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// tcp.connect(us, peer, now)?;
    /// let mut sent = Vec::new();
    /// tcp.flush(now, |_, packet| sent.push(packet));
    /// let at = tcp.next_deadline().expect("nobody has answered");
    /// tcp.timers(at);
    /// tcp.flush(at, |_, packet| sent.push(packet));
    /// assert!(sent.len() == 2 && sent[0].segment.seq == sent[1].segment.seq); // the SYN again
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timers(&mut self, now: Instant) {
        let now = now.min(END_OF_TIME); // the clocks of connections end there: later deadlines are never due
        while let Some(index) = self.deadlines.due(now) {
            self.deadlines.set(index, None); // the flush sets it again
            match self.slots.get(index) {
                Entry::Free | Entry::Over(_) => {}
                Entry::Held(_) => self.turn_away(index, true),
                Entry::Waiting(_) => self.waiting_timer(index, now),
                Entry::Live(live) => {
                    if let Some((timer, _)) = live.connection.next_deadline() {
                        let _ = self.part(index, Event::Timer(timer), now);
                        self.look(index, now);
                    }
                }
            }
        }
    }

    fn waiting_timer(&mut self, index: u32, now: Instant) {
        let Some(Entry::Waiting(waiting)) = self.slots.get_mut(index) else { return };
        if let Some((timer, _)) = waiting.value.next_deadline() {
            waiting.value.handle_timer_into(timer, now, &waiting.config, &mut |_: Action| {}); // its user was told
        }
        match waiting.value.next_deadline() {
            Some((_, at)) => self.deadlines.set(index, Some(at)),
            None => self.free(index),
        }
    }

    /// Hands out all packets that this turn has to send: the addresses for the IP header, and the packet for
    /// [`codec::encode`](crate::codec::encode). Its segment has the ECN codepoint, and with
    /// [`Config::max_transmit`](crate::Config::max_transmit) a `segment_size` for the hardware.
    ///
    /// A packet that is dropped here counts as lost in the network.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// use segue::codec::{self, Fill};
    /// tcp.connect(us, peer, now)?;
    /// let mut octets = Vec::new();
    /// tcp.flush(now, |addresses, packet| {
    ///     let encoded = codec::encode(&packet, Fill::Now(addresses), &mut octets);
    ///     assert!(encoded.is_ok());
    /// });
    /// assert_eq!(octets.len(), 40); // a SYN with its options
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flush(&mut self, now: Instant, mut send: impl FnMut(PseudoHeader, Packet)) {
        loop {
            while let Some((flow, segment)) = self.answers.pop() {
                send(flow.pseudo(), flow.packet(segment));
            }
            let Some(index) = self.next_dirty() else { break };
            self.finish(index, now, &mut |flow, segment| send(flow.pseudo(), flow.packet(segment)));
        }
        self.rest();
    }

    /// The same for a device that may be full, such as the ring of a network card: `send` says whether it took the packet.
    /// The first that it did not take waits in the endpoint with all that follow, and they leave in their order with the
    /// next flush of either kind; [`wants_flush`](Self::wants_flush) tells that they do. No text is lost: connections
    /// whose turn has not come decide what to send when it comes. Of answers and acknowledgments some are kept meanwhile,
    /// not all.
    ///
    /// ```
    /// use segue::Instant;
    /// use segue::host::{Endpoint, EndpointConfig, Keys};
    /// let mut endpoint = Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default());
    /// let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// (0..5).try_for_each(|_| endpoint.connect(us, peer, Instant::ZERO).map(drop))?;
    ///
    /// let mut ring = Vec::with_capacity(3);
    /// endpoint.flush_while(Instant::ZERO, |_, packet| {
    ///     let room = ring.len() < 3;
    ///     if room {
    ///         ring.push(packet.clone());
    ///     }
    ///     room
    /// });
    /// assert!(ring.len() == 3 && endpoint.wants_flush());
    /// ring.clear(); // the device has sent them
    /// endpoint.flush(Instant::ZERO, |_, packet| ring.push(packet));
    /// assert_eq!(ring.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flush_while(&mut self, now: Instant, mut send: impl FnMut(PseudoHeader, &Packet) -> bool) {
        loop {
            while let (held, Some((flow, segment))) = (self.answers.held, self.answers.pop()) {
                let packet = flow.packet(segment);
                if !send(flow.pseudo(), &packet) {
                    return self.answers.put_back((flow, packet.segment), held);
                }
            }
            let Some(index) = self.next_dirty() else { return self.rest() };
            let mut rest = VecDeque::new();
            self.finish(index, now, &mut |flow, segment| {
                let packet = flow.packet(segment);
                if !rest.is_empty() || !send(flow.pseudo(), &packet) {
                    rest.push_back((*flow, packet.segment));
                }
            });
            if !rest.is_empty() {
                return self.answers.keep(rest);
            }
        }
    }

    /// All has left.
    pub(super) fn rest(&mut self) {
        self.answers.rest();
        self.prune_signals();
    }

    /// The next connection whose batch has begun.
    pub(super) fn next_dirty(&mut self) -> Option<u32> {
        let index = self.dirty.pop_front()?;
        self.slots.end(index);
        Some(index)
    }

    /// Ends the batch of a connection before the flush.
    pub(super) fn finish_into_answers(&mut self, index: u32, now: Instant) {
        let Some(flow) = self.slots.live(index).map(|live| live.side.flow) else { return };
        let id = self.slots.id(index);
        let mut answers = core::mem::replace(&mut self.answers.queue, [].into());
        self.finish(index, now, &mut |flow, segment| answers.push_back((*flow, segment)));
        answers.append(&mut self.answers.queue);
        self.answers.queue = answers;
        if self.slots.id(index) != id || self.slots.live(index).is_none() {
            self.answers.let_go(&flow); // `end` found no queue
        }
    }

    /// The one flush of a connection in this turn.
    pub(super) fn finish(&mut self, index: u32, now: Instant, transmit: &mut dyn FnMut(&Flow, Segment)) {
        let Some(live) = self.slots.live_mut(index) else { return };
        let Some(open) = live.open.take() else { return };
        live.connection.end_batch(now, open, &mut Taker { side: &mut live.side, transmit });
        live.side.keep_fresh();
        self.deadlines.set(index, live.connection.next_deadline().map(|(_, at)| at));
        self.look(index, now);
        self.widen(index, now);
        self.shrink(index);
    }

    /// What follows from the actions of a connection so far.
    pub(super) fn look(&mut self, index: u32, now: Instant) {
        let Some(live) = self.slots.live_mut(index) else { return };
        let ends = live.open.is_some() && is_over(live);
        let side = &mut live.side;
        if side.opening == Opening::Nothing && side.acked == 0 && side.closed.is_none() && side.successor.is_none() {
            // As a rule.
            if side.has_news() {
                self.queue_signals(index);
            }
            if ends {
                self.finish_into_answers(index, now);
            }
            return;
        }
        let opening = core::mem::replace(&mut side.opening, Opening::Nothing);
        let acked = core::mem::take(&mut side.acked);
        let acked = acked.min(side.sending);
        let over = side.closed.is_some() || side.successor.is_some();
        #[cfg(feature = "fast-open")]
        self.look_at_fast_open(index, now);
        if opening == Opening::Connected {
            self.on_connected(index, now);
        }
        if acked > 0 {
            self.on_acked(index, acked);
        }
        if over {
            self.on_over(index, now);
        } else {
            self.queue_signals(index);
            self.settle(index, now);
        }
    }

    /// The connection ended, or in TIME-WAIT another one of its flow begins; what the user has not read stays.
    fn on_over(&mut self, index: u32, now: Instant) {
        let id = self.slots.id(index);
        let Some(live) = self.slots.live_mut(index) else { return };
        let (flow, successor, closed) = (live.side.flow, live.side.successor.take(), live.side.closed);
        if let Some(((syn, last), port)) = successor.zip(self.listener_for(flow.local())) {
            if let Some(id) = self.shrink_unread(index, now) {
                self.syn_arrives((flow, port), *syn, Some(Previous { id, last }), now);
            }
        } else if let Some(reason) = closed {
            self.end(id, reason);
        } else {
            self.settle(index, now);
        }
    }

    /// A connection that is over, or in TIME-WAIT with all read, needs no more of this turn: its user is told in it.
    pub(in crate::host) fn settle(&mut self, index: u32, now: Instant) {
        if self.slots.live(index).is_some_and(|live| live.open.is_some() && is_over(live)) {
            self.finish_into_answers(index, now);
        }
    }

    fn on_connected(&mut self, index: u32, now: Instant) {
        self.limit_window(index, now);
        let Some(live) = self.slots.live_mut(index) else { return };
        match live.side.owner {
            Owner::HalfOpen(port, ticket) => {
                let ticket = self.listeners.get_mut(&port).and_then(|bound| bound.listener.established(ticket));
                if let Some(ticket) = ticket {
                    live.side.owner = Owner::Ready(port, ticket);
                }
            }
            Owner::User => {
                live.side.pending.add(Signal::Connected);
                if live.side.wants_flushed == Some(0) && live.connection.is_flushed() {
                    live.side.wants_flushed = None; // there was nothing but the SYN
                    live.side.pending.add(Signal::Flushed);
                }
            }
            Owner::Ready(..) | Owner::Nobody => {}
        }
    }

    /// The signals of a connection wait in the queue, if it has a user.
    pub(in crate::host) fn queue_signals(&mut self, index: u32) {
        let Some(side) = self.side_mut(index) else { return };
        if side.has_news() {
            side.queued = true;
            self.signals.push_back(self.slots.id(index));
            if self.signals.len() > 2 * self.live + 64 {
                // Void ids, where nobody polls. A valid one is there once.
                let Self { signals, slots, .. } = self;
                signals.retain(|id| slots.index(*id).is_some());
            }
        }
    }

    /// The connection is over. Its flow is free; what the user has not read stays, and so do its signals.
    fn end(&mut self, id: Id, reason: CloseReason) {
        let Some(live) = self.slots.live_mut(id.index) else { return };
        live.side.closed = None;
        let owner = live.side.owner;
        let flow = live.side.flow;
        self.table.remove(self.keys.table_hash(&flow), id.index);
        self.deadlines.remove(id.index);
        self.answers.let_go(&flow);
        match owner {
            Owner::HalfOpen(port, ticket) | Owner::Ready(port, ticket) => {
                if let Some(bound) = self.listeners.get_mut(&port) {
                    bound.listener.gone(ticket);
                }
                self.free(id.index);
            }
            Owner::Nobody => self.free(id.index),
            Owner::User => self.keep_side(id.index, reason),
        }
    }

    /// Of a connection that is over, the user's part stays until it was told.
    fn keep_side(&mut self, index: u32, reason: CloseReason) {
        self.await_no_room(index);
        let Some(entry) = self.slots.get_mut(index) else { return };
        let Entry::Live(live) = core::mem::replace(entry, Entry::Free) else { return };
        let mut side = live.side;
        side.keep_fresh();
        self.budget.give_back(for_sending(side.sending) + side.window);
        (side.sending, side.window) = (0, 0);
        // What waits to be read may pin its frames.
        let unread = side.unread.saturating_mul(2);
        if self.budget.take(unread) {
            side.window = unread;
        }
        side.pending.add(Signal::Closed(reason));
        *entry = Entry::Over(Box::new(side));
        self.queue_signals(index);
    }

    /// A connection in TIME-WAIT whose text was read needs 64 octets; for its user it is over.
    pub(super) fn shrink(&mut self, index: u32) {
        let Some(live) = self.slots.live(index) else { return };
        if live.connection.state() == State::TimeWait && live.side.unread == 0 {
            self.compact(index);
        }
    }

    /// The same where the user has not read all, which no segment in TIME-WAIT depends on: the text stays for the user.
    fn shrink_unread(&mut self, index: u32, now: Instant) -> Option<Id> {
        let _ = self.part(index, Event::Consume(usize::MAX), now);
        self.finish_into_answers(index, now);
        self.compact(index)
    }

    fn compact(&mut self, index: u32) -> Option<Id> {
        let live = self.slots.live(index)?;
        let (flow, config) = (live.side.flow, live.connection.config().clone());
        let value = live.connection.as_time_wait()?;
        let at = value.next_deadline().map(|(_, at)| at);
        self.end(self.slots.id(index), CloseReason::Finished);
        let id = self.slots.insert(Entry::Waiting(Box::new(Waiting { value, flow, config })));
        self.table.insert(self.keys.table_hash(&flow), id.index);
        self.deadlines.set(id.index, at);
        self.waiting += 1;
        self.time_waits.push_back(id);
        self.limit_time_waits();
        Some(id)
    }

    /// Beyond the limit the oldest end early.
    fn limit_time_waits(&mut self) {
        while let Some(&oldest) = self.time_waits.front() {
            match self.slots.index(oldest) {
                Some(index) if self.waiting > self.config.time_wait => self.free(index),
                Some(_) => break,
                None => {} // it is over
            }
            self.time_waits.pop_front();
        }
        if self.time_waits.len() > 2 * self.waiting + 64 {
            let Self { time_waits, slots, .. } = self;
            time_waits.retain(|id| slots.index(*id).is_some());
        }
    }

    /// A half-open connection or a held SYN leaves the listener's queue and the table; with a reset, where it `answers`.
    pub(super) fn turn_away(&mut self, index: u32, answers: bool) {
        self.told_of(index);
        let (flow, owner, syn, previous) = match self.slots.get(index) {
            Entry::Held(held) => {
                let owner = Owner::HalfOpen(held.port, held.ticket);
                (held.flow, owner, Some(held.syn.clone()), held.previous)
            }
            Entry::Live(live) => (live.side.flow, live.side.owner, None, None),
            Entry::Free | Entry::Over(_) | Entry::Waiting(_) => return,
        };
        if let Owner::HalfOpen(port, ticket) | Owner::Ready(port, ticket) = owner {
            if let Some(bound) = self.listeners.get_mut(&port) {
                bound.listener.gone(ticket);
            }
        }
        if let Some(syn) = syn.filter(|_| answers) {
            self.answer_stray(&flow, &syn);
        }
        let hash = self.keys.table_hash(&flow);
        self.table.remove(hash, index);
        self.free(index);
        if let Some(previous) = previous.and_then(|previous| self.slots.index(previous.id)) {
            self.table.insert(hash, previous); // still in TIME-WAIT
        }
    }

    /// Frees a place and all that it has.
    pub(in crate::host) fn free(&mut self, index: u32) {
        self.deadlines.remove(index);
        match self.slots.free(index) {
            Entry::Free => {}
            Entry::Held(_) => self.live -= 1,
            Entry::Live(live) => self.give_back(&live.side),
            Entry::Over(side) => self.give_back(&side),
            Entry::Waiting(waiting) => {
                self.table.remove(self.keys.table_hash(&waiting.flow), index);
                self.waiting -= 1;
            }
        }
    }

    pub(super) fn give_back(&mut self, side: &Side) {
        self.live -= 1;
        if let Some(number) = side.starved {
            self.starved.remove(number);
        }
        #[cfg(feature = "fast-open")]
        if let Some(bound) = side.pending_at.and_then(|port| self.listeners.get_mut(&port)) {
            bound.fast_open.confirmed();
        }
        self.budget.give_back(for_itself::<C>() + side.window + for_sending(side.sending));
    }

    pub(in crate::host) fn side_mut(&mut self, index: u32) -> Option<&mut Side> {
        match self.slots.get_mut(index)? {
            Entry::Live(live) => Some(&mut live.side),
            Entry::Over(side) => Some(side),
            Entry::Free | Entry::Held(_) | Entry::Waiting(_) => None,
        }
    }
}

/// Whether a connection needs no more of its turn.
fn is_over<C: Controller>(live: &Live<C>) -> bool {
    match live.connection.state() {
        State::Closed => true,
        State::TimeWait => live.side.unread == 0,
        State::Listen
        | State::SynSent
        | State::SynReceived
        | State::Established
        | State::FinWait1
        | State::FinWait2
        | State::CloseWait
        | State::Closing
        | State::LastAck => false,
    }
}

/// What the guard of a connection needs.
impl<C: Controller> Endpoint<C> {
    pub(in crate::host) fn side(&self, index: u32) -> Option<&Side> {
        match self.slots.get(index) {
            Entry::Live(live) => Some(&live.side),
            Entry::Over(side) => Some(side),
            Entry::Free | Entry::Held(_) | Entry::Waiting(_) => None,
        }
    }

    pub(in crate::host) fn connection(&self, index: u32) -> Option<&Connection<C>> {
        self.slots.live(index).map(|live| &live.connection)
    }

    /// Whether the peer has acknowledged all that was written, and the FIN after a close.
    pub(in crate::host) fn is_flushed(&self, index: u32) -> bool {
        self.connection(index).is_none_or(Connection::is_flushed)
    }

    /// The guard is dropped: of a connection that is over, nothing stays once all was read and told.
    pub(in crate::host) fn after_use(&mut self, id: Id, now: Instant) {
        let Some(index) = self.slots.index(id) else { return };
        self.look(index, now);
        match self.slots.get(index) {
            Entry::Over(side) if side.unread == 0 && side.pending.is_empty() => self.free(index),
            Entry::Free | Entry::Held(_) | Entry::Live(_) | Entry::Over(_) | Entry::Waiting(_) => {}
        }
    }
}
