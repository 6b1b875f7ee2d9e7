//! How the endpoint is, and what its host waits for.

use super::Endpoint;
use super::EndpointConfig;
use crate::host::signal::Id;
use crate::{Controller, Instant};

impl<C: Controller> Endpoint<C> {
    /// When the host has to begin a turn although nothing arrives, in O(1): when timers are due, or at once
    /// ([`Instant::ZERO`]) where signals wait to be polled, as after a flush in which a connection gave up. Exact after
    /// [`flush`](Self::flush).
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// assert_eq!(tcp.next_deadline(), None); // wait for packets and users alone
    /// tcp.connect(us, peer, now)?;
    /// tcp.flush(now, |_, _| { /* the SYN */ });
    /// let at = tcp.next_deadline().expect("the SYN may be lost");
    /// assert_eq!(at - now, core::time::Duration::from_secs(1)); // wait no longer than this
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn next_deadline(&self) -> Option<Instant> {
        let is_quiet = self.signals.is_empty() && self.hungry().is_none();
        if is_quiet { self.deadlines.next() } else { Some(Instant::ZERO) }
    }

    /// Whether [`flush`](Self::flush) has something to do.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// tcp.connect(us, peer, now)?;
    /// assert!(tcp.wants_flush()); // the SYN has not left
    /// tcp.flush(now, |_, _| { /* send it */ });
    /// assert!(!tcp.wants_flush());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wants_flush(&self) -> bool {
        !self.dirty.is_empty() || !self.answers.queue.is_empty()
    }

    /// Connections that are half-open, ready or open, with the SYNs that a gate holds, without TIME-WAIT; and those in
    /// TIME-WAIT.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// tcp.connect(us, peer, now)?;
    /// let (live, time_wait) = tcp.len();
    /// assert_eq!((live, time_wait), (1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn len(&self) -> (usize, usize) {
        (self.live, self.waiting)
    }

    /// Whether there is no connection.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// let id = tcp.connect(us, peer, now)?;
    /// assert!(!tcp.is_empty());
    /// tcp.socket(id, now)?.abort();
    /// assert!(tcp.is_empty()); // the host may stop
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == (0, 0)
    }

    /// Octets of [`EndpointConfig::memory`] that are spoken for; without a limit, not counting text to send.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (keys, now) = (Keys::new(*b"drawn at startup"), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// let mut tcp = Endpoint::new(keys, EndpointConfig { memory: 64 << 20, ..EndpointConfig::default() });
    /// assert_eq!(tcp.memory(), 0);
    /// let id = tcp.connect(us, peer, now)?;
    /// assert!((1..64 << 20).contains(&tcp.memory())); // the connection and its first window
    /// tcp.socket(id, now)?.abort();
    /// assert_eq!(tcp.memory(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn memory(&self) -> usize {
        self.budget.used()
    }

    /// Octets that the tables and the queue of signals take, beside the connections themselves: a figure for measurements.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// let before = tcp.table_octets();
    /// tcp.connect(us, peer, now)?;
    /// assert!(tcp.table_octets() > before);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn table_octets(&self) -> usize {
        let signals = self.signals.capacity() * size_of::<Id>();
        self.table.octets() + self.slots.octets() + self.deadlines.octets() + signals
    }

    /// The configuration.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// let config = tcp.config();
    /// assert_eq!((config.mtu, config.connections), (1500, 65_536)); // the defaults
    /// assert!(config.addresses.is_empty()); // all are its own
    /// ```
    pub const fn config(&self) -> &EndpointConfig {
        &self.config
    }
}
