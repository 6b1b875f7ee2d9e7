//! What connections take of the memory budget, and who waits for room in it.

use super::Endpoint;
use crate::connection::first_window;
use crate::host::live::Live;
use crate::host::signal::Signal;
use crate::{Config, Controller, Error, Event, Instant, Knob, Path, State};

/// Octets that a connection takes beside itself and its buffers: its place in the tables, what it allocates when it runs.
const OVERHEAD: usize = 1024;
/// Octets that a connection may always have written, whatever the others do: so none waits for another.
pub(super) const FLOOR: usize = 4096;

/// Octets of the budget that hold this much written text, beside the floor: three eighths more than the text, for the
/// records of its segments, which a peer with a small MSS makes many.
pub(super) const fn for_sending(octets: usize) -> usize {
    let octets = octets.saturating_sub(FLOOR);
    octets.saturating_add(octets / 8 * 3)
}

/// Octets that may be written beside `queued` ones, when this much of the budget is left.
pub(super) const fn room_to_send(queued: usize, left: usize) -> usize {
    // Whole eighths: what fits, costs no more than what is left.
    FLOOR.saturating_sub(queued).saturating_add(left / 11 * 8)
}

/// Octets that the budget holds for a receive window of this size.
pub(super) fn for_window(octets: u32) -> usize {
    usize::try_from(octets).unwrap_or(usize::MAX).saturating_mul(2)
}

/// What every connection takes.
pub(super) const fn for_itself<C: Controller>() -> usize {
    size_of::<Live<C>>() + OVERHEAD + FLOOR
}

/// What a connection takes at first: itself, and its window.
pub(super) fn needs<C: Controller>(config: &Config, path: &Path) -> usize {
    for_itself::<C>().saturating_add(for_window(first_window(config, path)))
}

impl<C: Controller> Endpoint<C> {
    /// Takes what a connection needs from the budget, if it has it, and returns the part for the window.
    pub(super) fn reserve(&mut self, config: &Config, path: &Path) -> Option<usize> {
        let has_place = self.live < self.config.connections;
        (has_place && self.budget.take(needs::<C>(config, path))).then(|| for_window(first_window(config, path)))
    }

    /// The window of a live connection grows no further than the budget knows of. Before the handshake is complete it does
    /// not grow, and that all is said in one batch counts more.
    pub(super) fn limit_window(&mut self, index: u32, now: Instant) {
        if !self.budget.is_limited() {
            return;
        }
        let opens = |live: &&Live<C>| matches!(live.connection.state(), State::SynSent | State::SynReceived);
        let Some(live) = self.slots.live(index).filter(|live| !opens(live)) else { return };
        let octets = u32::try_from(live.side.window / 2).unwrap_or(u32::MAX).min(live.side.receive_limit);
        if octets != live.connection.receive_limit() {
            let _ = self.part(index, Event::Set(Knob::ReceiveBuffer(octets)), now);
        }
    }

    /// In SYN-SENT the MTU decides about the first window: whether the budget holds that of a path with this MTU, or has
    /// the rest of it.
    pub(in crate::host) fn covers_mtu(&mut self, index: u32, mtu: u16) -> bool {
        let Some(live) = self.slots.live_mut(index).filter(|live| live.connection.state() == State::SynSent) else {
            return true;
        };
        let path = Path::new(live.side.flow.remote().ip(), mtu);
        let more = for_window(first_window(&live.side.config, &path)).saturating_sub(live.side.window);
        let covers = self.budget.take(more);
        if covers {
            live.side.window += more;
        }
        covers
    }

    /// Octets of a block of copied text. A block is held until all of it is acknowledged, while the budget gives back what is:
    /// so with a budget it is no larger than what is a connection's own. A segment across two blocks is copied again.
    pub(in crate::host) const fn block(&self) -> usize {
        if self.budget.is_limited() { FLOOR } else { usize::MAX }
    }

    /// The user limits the window; it grows no further than the budget knows of.
    pub(in crate::host) fn on_receive_limit(&mut self, index: u32, octets: u32) -> u32 {
        let is_limited = self.budget.is_limited();
        let Some(live) = self.slots.live_mut(index) else { return octets };
        live.side.set_receive_limit(octets);
        if is_limited { octets.min(u32::try_from(live.side.window / 2).unwrap_or(u32::MAX)) } else { octets }
    }

    /// A window that is as large as it may get grows while the budget has room, if its peer makes use of it.
    pub(super) fn widen(&mut self, index: u32, now: Instant) {
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

    /// Octets that a write takes: what fits the send buffer and the budget.
    pub(in crate::host) fn writable(&self, index: u32) -> Result<usize, Error> {
        let live = self.slots.live(index).ok_or(Error::NotConnected)?;
        Ok(live.connection.writable()?.min(room_to_send(live.side.sending, self.budget.left())))
    }

    /// A write took only `took` octets: the user waits for the send buffer, or for the budget.
    pub(in crate::host) fn await_room(&mut self, index: u32, took: usize) {
        let short = self.connection(index).is_some_and(|connection| connection.send_room() > took);
        let Some(side) = self.side_mut(index) else { return };
        side.pending.drop_writable();
        if short {
            self.await_budget(index);
        } else {
            side.wants_room = true;
        }
    }

    /// The user waits for room in the budget.
    pub(super) fn await_budget(&mut self, index: u32) {
        let Self { slots, starved, .. } = self;
        if let Some(live) = slots.live_mut(index).filter(|live| live.side.starved.is_none()) {
            live.side.starved = Some(starved.push(index));
        }
    }

    /// The user waits for room in the budget no more; whether it did.
    pub(in crate::host) fn await_no_room(&mut self, index: u32) -> bool {
        let Self { slots, starved, .. } = self;
        let number = slots.live_mut(index).and_then(|live| live.side.starved.take());
        if let Some(number) = number {
            starved.remove(number);
        }
        number.is_some()
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

    /// The budget holds less for this connection; it goes on writing, if it waits.
    pub(super) fn on_acked(&mut self, index: u32, octets: usize) {
        let Some(side) = self.side_mut(index) else { return };
        let held = for_sending(side.sending);
        side.sending -= octets.min(side.sending);
        let (holds, has_own) = (for_sending(side.sending), room_to_send(side.sending, 0) > 0);
        self.budget.give_back(held - holds);
        if has_own {
            self.tell_room(index); // what the budget has goes to those that have waited for longest
        }
    }

    /// Who has waited for room in the budget for longest, if it has room.
    pub(super) fn hungry(&self) -> Option<u32> {
        self.starved.first().filter(|_| room_to_send(FLOOR, self.budget.left()) > 0)
    }

    /// Tells the next that waits for room in the budget, if the budget has more than those may take that were told in this
    /// turn: room for one wakes one. Whether it told anyone; if not, the turn is over.
    pub(super) fn feed(&mut self) -> bool {
        match self.hungry().filter(|_| room_to_send(FLOOR, self.budget.left()) > self.spoken_for) {
            Some(index) => {
                self.spoken_for += FLOOR;
                self.tell_room(index);
                true
            }
            None => {
                self.spoken_for = 0;
                false
            }
        }
    }

    /// The user of a connection that waits for room may write on.
    fn tell_room(&mut self, index: u32) {
        if !self.await_no_room(index) {
            return;
        }
        if let Some(side) = self.side_mut(index) {
            side.pending.add(Signal::Writable);
        }
        self.queue_signals(index);
    }
}
