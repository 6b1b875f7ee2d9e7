//! What users are told.

use super::Endpoint;
use crate::Controller;
use crate::host::live::Owner;
use crate::host::signal::{Id, Signal};
use crate::host::slots::Entry;

impl<C: Controller> Endpoint<C> {
    /// The next signal, and whose it is. Poll until there is none.
    ///
    /// [`Signal::Writable`] of those that wait for room in the budget comes last, to as many as it may serve, in the order
    /// in which they began to wait; the others are told in later turns.
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
    /// server.socket(id, now)?.write(b"hello\n")?;
    /// server.flush(now, |addresses, packet| drop(client.receive(addresses, packet, now)));
    /// assert_eq!(client.poll_signal(), Some((peer, Signal::Connected)));
    /// assert_eq!(client.poll_signal(), Some((peer, Signal::Readable)));
    /// assert_eq!(client.poll_signal(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_signal(&mut self) -> Option<(Id, Signal)> {
        loop {
            let next = self.next_signal();
            if next.is_some() || !self.feed() {
                return next;
            }
        }
    }

    /// Entries whose signals nobody needs any more leave the front of the queue, so that the host does not wake for them.
    pub(super) fn prune_signals(&mut self) {
        while let Some(&id) = self.signals.front() {
            let side = self.slots.index(id).and_then(|index| self.side_mut(index));
            if let Some(side) = side {
                if side.owner == Owner::User && !side.pending.is_empty() {
                    break;
                }
                side.queued = false;
            }
            self.signals.pop_front();
        }
    }

    fn next_signal(&mut self) -> Option<(Id, Signal)> {
        while let Some(&id) = self.signals.front() {
            let index = self.slots.index(id);
            let side = index.and_then(|index| self.side_mut(index)).filter(|side| side.owner == Owner::User);
            let Some(side) = side else {
                self.signals.pop_front();
                continue;
            };
            let signal = side.pending.take();
            let (done, unread) = (side.pending.is_empty(), side.unread);
            if done {
                side.queued = false;
                self.signals.pop_front();
            }
            let Some(signal) = signal else { continue };
            if done && unread == 0 && matches!(self.slots.get(id.index), Entry::Over(_)) {
                self.free(id.index); // `Closed` comes last
            }
            return Some((id, signal));
        }
        None
    }
}
