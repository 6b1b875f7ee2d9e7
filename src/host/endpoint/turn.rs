//! The end of a turn: timers, the flush, and what follows from the actions of a connection.

use alloc::boxed::Box;

use super::Endpoint;
use super::open::{for_itself, for_sending, for_window, room_to_send};
use crate::codec::{Packet, PseudoHeader};
use crate::host::flow::Flow;
use crate::host::live::{Owner, Side, Taker, Waiting};
use crate::host::signal::{Id, Signal};
use crate::host::slots::Entry;
use crate::time::END_OF_TIME;
use crate::{CloseReason, Connection, Controller, Error, Event, Instant, Segment, State};

impl<C: Controller> Endpoint<C> {
    /// Runs all timers that are due. What they send leaves with the flush.
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
            waiting.value.handle_timer(timer, now, &waiting.config);
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
    pub fn flush(&mut self, now: Instant, mut send: impl FnMut(PseudoHeader, Packet)) {
        loop {
            while let Some((flow, segment)) = self.answers.queue.pop_front() {
                send(flow.pseudo(), flow.packet(segment));
            }
            let Some(index) = self.dirty.pop_front() else { break };
            self.finish(index, now, &mut |flow, segment| send(flow.pseudo(), flow.packet(segment)));
        }
    }

    /// Ends the batch of a connection before the flush.
    pub(super) fn finish_into_answers(&mut self, index: u32, now: Instant) {
        let mut answers = core::mem::replace(&mut self.answers.queue, [].into());
        self.finish(index, now, &mut |flow, segment| answers.push_back((*flow, segment)));
        answers.append(&mut self.answers.queue);
        self.answers.queue = answers;
    }

    /// The one flush of a connection in this turn.
    fn finish(&mut self, index: u32, now: Instant, transmit: &mut dyn FnMut(&Flow, Segment)) {
        let Some(live) = self.slots.live_mut(index) else { return };
        let Some(open) = live.open.take() else { return };
        live.connection.end_batch(now, open, &mut Taker { side: &mut live.side, transmit });
        self.deadlines.set(index, live.connection.next_deadline().map(|(_, at)| at));
        self.look(index, now);
        self.widen(index, now);
        self.shrink(index);
    }

    /// What follows from the actions of a connection so far.
    pub(super) fn look(&mut self, index: u32, now: Instant) {
        let Some(live) = self.slots.live_mut(index) else { return };
        let side = &mut live.side;
        let (connected, acked) = (core::mem::take(&mut side.connected), core::mem::take(&mut side.acked));
        let acked = acked.min(side.sending);
        let over = side.closed.is_some() || side.successor.is_some();
        if connected {
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
        if let Some(((syn, iss_after), port)) = successor.zip(self.listener_for(flow.local())) {
            self.end(id, CloseReason::Finished);
            self.syn_arrives((flow, port), *syn, Some(iss_after), now);
        } else if let Some(reason) = closed {
            self.end(id, reason);
        } else {
            self.settle(index, now);
        }
    }

    /// A connection that is over, or in TIME-WAIT with all read, needs no more of this turn: its user is told in it.
    pub(in crate::host) fn settle(&mut self, index: u32, now: Instant) {
        let Some(live) = self.slots.live(index).filter(|live| live.open.is_some()) else { return };
        let over = match live.connection.state() {
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
        };
        if over {
            self.finish_into_answers(index, now);
        }
    }

    /// The budget holds less for this connection; it goes on writing, if it waits.
    fn on_acked(&mut self, index: u32, octets: usize) {
        let id = self.slots.id(index);
        let Some(side) = self.side_mut(index) else { return };
        let held = for_sending(side.sending);
        side.sending -= octets.min(side.sending);
        let (holds, starved) = (for_sending(side.sending), side.starved);
        self.budget.give_back(held - holds);
        if starved {
            self.starved.push_front(id); // it has room again, of its own
        }
        self.feed();
    }

    fn on_connected(&mut self, index: u32, now: Instant) {
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
                self.limit_window(index, now);
            }
            Owner::Ready(..) | Owner::Nobody => {}
        }
    }

    /// The signals of a connection wait in the queue, if it has a user.
    pub(in crate::host) fn queue_signals(&mut self, index: u32) {
        let Some(side) = self.side_mut(index) else { return };
        if !side.queued && !side.pending.is_empty() && side.owner == Owner::User {
            side.queued = true;
            self.signals.push_back(self.slots.id(index));
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
        let Some(entry) = self.slots.get_mut(index) else { return };
        let Entry::Live(live) = core::mem::replace(entry, Entry::Free) else { return };
        let mut side = live.side;
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
        self.feed();
    }

    /// A connection in TIME-WAIT whose text was read needs 64 octets; for its user it is over.
    fn shrink(&mut self, index: u32) {
        let Some(live) = self.slots.live(index) else { return };
        if live.connection.state() != State::TimeWait || live.side.unread > 0 {
            return;
        }
        let (flow, config) = (live.side.flow, live.side.config.clone());
        let Some(value) = live.connection.as_time_wait() else { return };
        let at = value.next_deadline().map(|(_, at)| at);
        self.end(self.slots.id(index), CloseReason::Finished);
        let id = self.slots.insert(Entry::Waiting(Box::new(Waiting { value, flow, config })));
        self.table.insert(self.keys.table_hash(&flow), id.index);
        self.deadlines.set(id.index, at);
        self.waiting += 1;
        self.time_waits.push_back(id);
        self.limit_time_waits();
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

    /// A window that is as large as it may get grows while the budget has room, if its peer makes use of it.
    fn widen(&mut self, index: u32, now: Instant) {
        if !self.budget.is_limited() {
            return;
        }
        let Some(live) = self.slots.live_mut(index) else { return };
        let (most, now_at) = (live.side.receive_limit, live.connection.receive_capacity());
        let granted = for_window(now_at);
        let used = live.side.delivered >= usize::try_from(now_at / 2).unwrap_or(usize::MAX);
        if now_at >= most || granted < live.side.window || !used {
            return;
        }
        live.side.delivered = 0;
        let more = for_window(now_at.saturating_mul(2).min(most)).saturating_sub(live.side.window);
        let more = more.min(self.budget.left() / 4); // the last quarter is for new connections and for writes
        if more < 2048 || !self.budget.take(more) {
            return;
        }
        live.side.window += more;
        self.limit_window(index, now);
    }

    /// The budget has room again: those that wait for it are told.
    pub(super) fn feed(&mut self) {
        while let Some(&id) = self.starved.front() {
            let left = self.budget.left();
            if let Some(live) = self.slots.index(id).and_then(|index| self.slots.live_mut(index)) {
                if live.side.starved && room_to_send(live.side.sending, left) == 0 {
                    break;
                }
                if core::mem::take(&mut live.side.starved) {
                    live.side.pending.add(Signal::Writable);
                    self.queue_signals(id.index);
                }
            }
            self.starved.pop_front();
        }
    }

    /// A half-open connection or a held SYN leaves the listener's queue and the table; with a reset, where it `answers`.
    pub(super) fn turn_away(&mut self, index: u32, answers: bool) {
        let (flow, syn, owner) = match self.slots.get(index) {
            Entry::Held(held) => (held.flow, Some(held.syn.clone()), Owner::HalfOpen(held.port, held.ticket)),
            Entry::Live(live) => (live.side.flow, None, live.side.owner),
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
        self.table.remove(self.keys.table_hash(&flow), index);
        self.free(index);
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
        self.budget.give_back(for_itself::<C>() + side.window + for_sending(side.sending));
        self.feed();
    }

    pub(in crate::host) fn side_mut(&mut self, index: u32) -> Option<&mut Side> {
        match self.slots.get_mut(index)? {
            Entry::Live(live) => Some(&mut live.side),
            Entry::Over(side) => Some(side),
            Entry::Free | Entry::Held(_) | Entry::Waiting(_) => None,
        }
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

    /// Octets that a write takes: what fits the send buffer and the budget.
    pub(in crate::host) fn writable(&self, index: u32) -> Result<usize, Error> {
        let live = self.slots.live(index).ok_or(Error::NotConnected)?;
        Ok(live.connection.writable()?.min(room_to_send(live.side.sending, self.budget.left())))
    }

    /// A write took only `took` octets: the user waits for the send buffer, or for the budget.
    pub(in crate::host) fn await_room(&mut self, id: Id, took: usize) {
        let short = self.connection(id.index).is_some_and(|connection| connection.send_room() > took);
        let Some(side) = self.side_mut(id.index) else { return };
        if !short {
            side.wants_room = true;
        } else if !core::mem::replace(&mut side.starved, true) {
            self.starved.push_back(id);
        }
    }

    /// The user wrote: the budget holds it until the peer acknowledges it.
    pub(in crate::host) fn on_sent(&mut self, index: u32, octets: usize) {
        if !self.budget.is_limited() {
            return;
        }
        let Some(side) = self.side_mut(index) else { return };
        let held = for_sending(side.sending);
        side.sending += octets;
        let more = for_sending(side.sending) - held;
        self.budget.take(more); // `writable` saw that it is there
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
