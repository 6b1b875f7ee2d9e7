//! Every event of a run with the connection that meets it, for tests that look at each by itself.

use std::cell::RefCell;

use segue::{Connection, Event, Instant};

use super::triples;

type Watcher = Box<dyn FnMut(&Connection, &Event, Instant)>;

thread_local! {
    static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
}

/// Plays the inputs and shows the watcher each event that a connection is about to get.
pub fn watch(
    inputs: impl IntoIterator<Item = Vec<u8>>,
    harness: fn(&[u8]),
    watcher: impl FnMut(&Connection, &Event, Instant) + 'static,
) {
    WATCHER.set(Some(Box::new(watcher)));
    inputs.into_iter().for_each(|input| harness(&input));
    WATCHER.set(None);
}

/// What an event is called among the [`triples`].
pub fn class(event: &Event) -> String {
    triples::input(event)
}

pub(crate) fn note(connection: &Connection, event: &Event, now: Instant) {
    WATCHER.with_borrow_mut(|watcher| {
        if let Some(watcher) = watcher {
            watcher(connection, event, now);
        }
    });
}
