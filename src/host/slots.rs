//! The places of an endpoint: what is in each, and its generation.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::flow::Flow;
use super::live::{Held, Live, Side, Waiting};
use super::signal::Id;
use crate::Controller;

/// What is in a place.
#[derive(Clone, Debug)]
pub(super) enum Entry<C: Controller> {
    Free,
    Held(Box<Held>),
    Live(Box<Live<C>>),
    /// A connection that is over, whose user has not been told or has not read all.
    Over(Box<Side>),
    Waiting(Box<Waiting>),
}

#[derive(Clone, Debug)]
struct Slot<C: Controller> {
    generation: u32,
    /// Whether the place is in the queue of those whose batch has begun: it may outlive what was in the place.
    is_dirty: bool,
    entry: Entry<C>,
}

/// A slab with generations.
#[derive(Clone, Debug)]
pub(super) struct Slots<C: Controller> {
    slots: Vec<Slot<C>>,
    free: Vec<u32>,
}

impl<C: Controller> Default for Slots<C> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<C: Controller> Slots<C> {
    fn slot(&self, index: u32) -> Option<&Slot<C>> {
        self.slots.get(usize::try_from(index).ok()?)
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<C>> {
        self.slots.get_mut(usize::try_from(index).ok()?)
    }

    /// Puts something into a free place.
    pub(super) fn insert(&mut self, entry: Entry<C>) -> Id {
        let index = self.free.pop().unwrap_or_else(|| u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        match self.slot_mut(index) {
            Some(slot) => slot.entry = entry,
            None => self.slots.push(Slot { generation: 1, is_dirty: false, entry }),
        }
        self.id(index)
    }

    /// The id of what is in a place.
    pub(super) fn id(&self, index: u32) -> Id {
        Id { index, generation: self.slot(index).map_or(0, |slot| slot.generation) }
    }

    /// The place of an id, if it is valid.
    pub(super) fn index(&self, id: Id) -> Option<u32> {
        let slot = self.slot(id.index).filter(|slot| slot.generation == id.generation)?;
        (!matches!(slot.entry, Entry::Free)).then_some(id.index)
    }

    pub(super) fn get(&self, index: u32) -> &Entry<C> {
        self.slot(index).map_or(&Entry::Free, |slot| &slot.entry)
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Entry<C>> {
        self.slot_mut(index).map(|slot| &mut slot.entry)
    }

    /// The place ends with what is in it: its id is void. A place whose generations are used up is not used again.
    pub(super) fn free(&mut self, index: u32) -> Entry<C> {
        let Some(slot) = self.slot_mut(index) else { return Entry::Free };
        let entry = core::mem::replace(&mut slot.entry, Entry::Free);
        if !matches!(entry, Entry::Free) {
            if let Some(next) = slot.generation.checked_add(1) {
                slot.generation = next;
                self.free.push(index);
            }
        }
        entry
    }

    pub(super) fn live(&self, index: u32) -> Option<&Live<C>> {
        match self.get(index) {
            Entry::Live(live) => Some(live),
            Entry::Free | Entry::Held(_) | Entry::Over(_) | Entry::Waiting(_) => None,
        }
    }

    pub(super) fn live_mut(&mut self, index: u32) -> Option<&mut Live<C>> {
        match self.get_mut(index)? {
            Entry::Live(live) => Some(live),
            Entry::Free | Entry::Held(_) | Entry::Over(_) | Entry::Waiting(_) => None,
        }
    }

    /// The connection in a place, and whether the place is in the queue of those whose batch has begun.
    pub(super) fn live_and_mark(&mut self, index: u32) -> Option<(&mut Live<C>, &mut bool)> {
        let slot = self.slot_mut(index)?;
        match &mut slot.entry {
            Entry::Live(live) => Some((live, &mut slot.is_dirty)),
            Entry::Free | Entry::Held(_) | Entry::Over(_) | Entry::Waiting(_) => None,
        }
    }

    /// The place leaves that queue.
    pub(super) fn end(&mut self, index: u32) {
        if let Some(slot) = self.slot_mut(index) {
            slot.is_dirty = false;
        }
    }

    /// The flow of what is in a place.
    pub(super) fn flow(&self, index: u32) -> Option<&Flow> {
        match self.get(index) {
            Entry::Free | Entry::Over(_) => None,
            Entry::Held(held) => Some(&held.flow),
            Entry::Live(live) => Some(&live.side.flow),
            Entry::Waiting(waiting) => Some(&waiting.flow),
        }
    }

    /// Octets on the heap, without what is in the boxes.
    pub(super) fn octets(&self) -> usize {
        self.slots.capacity() * size_of::<Slot<C>>() + self.free.capacity() * size_of::<u32>()
    }
}
