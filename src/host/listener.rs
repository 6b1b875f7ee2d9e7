//! A listening port: the SYN queue, the accept backlog, and what happens when they are full.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::Instant;

/// How long cookies are redeemed after the last one left.
const COOKIES_LAST: Duration = Duration::from_secs(128);

/// The limits of a listener.
///
/// A connection counts as half-open from its SYN until the handshake is complete, and as ready from then until the user
/// takes it. While `ready` connections wait, no SYN is taken; those that are half-open then may still get ready. So a
/// listener holds `half_open + ready` connections at most.
///
/// ```
/// use segue::host::{Backlog, Full};
/// let small = Backlog { half_open: 16, ..Backlog::default() };
/// assert_eq!((small.ready, small.full), (128, Full::Cookies));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Backlog {
    /// Connections whose handshake is not complete. With [`Full::Cookies`], 0 means that no SYN costs memory.
    pub half_open: usize,
    /// Connections that wait for the user to take them, 1 or more; 0 counts as 1.
    pub ready: usize,
    /// What happens to a SYN when `half_open` connections are half-open.
    pub full: Full,
}

/// 1024 half-open, 128 ready, cookies when full.
impl Default for Backlog {
    fn default() -> Self {
        Self { half_open: 1024, ready: 128, full: Full::Cookies }
    }
}

/// What happens to a SYN when the SYN queue is full (RFC 4987 §3).
///
/// To drop it in silence would be a denial of service: a few SYNs a second from addresses that nobody has keep such a
/// port shut, because each half-open connection waits until R2.
///
/// ```
/// use segue::Instant;
/// use segue::host::{Admit, Backlog, Full, Listener};
/// let mut listener: Listener<&str> = Listener::new(Backlog { half_open: 0, full: Full::Cookies, ..Backlog::default() });
/// assert_eq!(listener.on_syn(Instant::ZERO), Admit::Cookie); // nothing is kept for any SYN
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Full {
    /// The host answers without keeping anything (RFC 4987 §3.6): the SYN,ACK remembers the connection. Clients are
    /// served whatever the flood; those without timestamps get no window scaling and no SACK. A SYN gets a cookie only
    /// where whoever brings it back finds room, or half-open connections that make room; who finds none after all is
    /// reset at once.
    #[default]
    Cookies,
    /// The connection that is half-open for longest makes room (RFC 4987 §3.4). Clients are served as long as a round
    /// trip is shorter than the time in which `half_open` SYNs arrive. With `half_open` 0, and where an
    /// [`Endpoint`](super::Endpoint) is at the limits of its connections or its memory though nothing is half-open
    /// here, the SYN is dropped.
    EvictOldest,
    /// The SYN is dropped; the peer repeats it. For networks without strangers.
    Drop,
    /// The peer is refused with a reset at once. For networks without strangers.
    Reset,
}

/// What to do with a SYN.
///
/// ```
/// use segue::Instant;
/// use segue::host::{Admit, Backlog, Full, Listener};
/// let mut listener: Listener<&str> = Listener::new(Backlog { half_open: 1, ready: 1, full: Full::EvictOldest });
/// assert_eq!(listener.on_syn(Instant::ZERO), Admit::Open);
/// listener.opened("the first");
/// assert_eq!(listener.on_syn(Instant::ZERO), Admit::Evict("the first"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Admit<K> {
    /// Open a connection, and call [`Listener::opened`].
    Open,
    /// Drop this half-open connection first, without a word; the listener has forgotten it. Then as `Open`.
    Evict(K),
    /// Answer with [`Keys::cookie`](super::Keys::cookie).
    Cookie,
    /// Do nothing: the peer will repeat it.
    Drop,
    /// Answer with [`codec::reset_for`](crate::codec::reset_for).
    Reset,
}

/// The place of a connection in a listener's queues.
///
/// ```
/// use segue::host::{Backlog, Listener, Ticket};
/// let mut listener: Listener<&str> = Listener::new(Backlog::default());
/// let half_open: Ticket = listener.opened("a flow");
/// let ready = listener.established(half_open).expect("it is known");
/// assert_eq!(listener.accept(), Some("a flow"));
/// listener.gone(ready); // the user has it: void, and no harm
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(u64);

/// The queues of one listener. It holds keys of connections, such as flows or [`Id`](super::Id)s, and no connection: a
/// host with a table of its own can use it as [`Endpoint`](super::Endpoint) does.
///
/// The caller looks into its table first. A SYN of a flow that is there, a repeated one above all, goes to its
/// connection: so a repeated SYN never makes a second one.
///
/// ```
/// use segue::Instant;
/// use segue::host::{Admit, Backlog, Full, Listener};
///
/// let now = Instant::ZERO;
/// let mut listener = Listener::new(Backlog { half_open: 2, ready: 1, full: Full::EvictOldest });
/// // The SYNs of three peers arrive.
/// assert_eq!(listener.on_syn(now), Admit::Open);
/// let a = listener.opened("a");
/// assert_eq!(listener.on_syn(now), Admit::Open);
/// let b = listener.opened("b");
/// assert_eq!(listener.on_syn(now), Admit::Evict("a")); // the oldest
/// let c = listener.opened("c");
/// // The handshake of one is complete, the other is reset.
/// listener.established(b);
/// listener.gone(c);
/// assert_eq!(listener.on_syn(now), Admit::Drop); // a user has to take the one that is ready
/// assert_eq!(listener.accept(), Some("b"));
/// assert_eq!((listener.accept(), listener.on_syn(now)), (None, Admit::Open));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener<K> {
    backlog: Backlog,
    half_open: BTreeMap<Ticket, K>,
    ready: BTreeMap<Ticket, K>,
    tickets: u64,
    /// When the last cookie left.
    cookies: Option<Instant>,
}

impl<K: Copy> Listener<K> {
    /// A listener with these limits.
    ///
    /// ```
    /// use segue::host::{Backlog, Listener};
    /// let listener: Listener<&str> = Listener::new(Backlog::default());
    /// assert!(listener.is_empty() && listener.has_room());
    /// ```
    pub const fn new(backlog: Backlog) -> Self {
        Self { backlog, half_open: BTreeMap::new(), ready: BTreeMap::new(), tickets: 0, cookies: None }
    }

    /// A SYN of a new flow arrived. Changes nothing but what [`Admit::Evict`] and [`Admit::Cookie`] say.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Admit, Backlog, Full, Listener};
    /// # let now = Instant::ZERO;
    /// let mut listener = Listener::new(Backlog { half_open: 1, ready: 1, full: Full::Reset });
    /// assert_eq!(listener.on_syn(now), Admit::Open);
    /// listener.opened("a"); // its SYN,ACK left
    /// assert_eq!(listener.on_syn(now), Admit::Reset); // no room for another
    /// ```
    pub fn on_syn(&mut self, now: Instant) -> Admit<K> {
        if !self.has_room() {
            return if self.backlog.full == Full::Reset { Admit::Reset } else { Admit::Drop };
        }
        if self.half_open.len() < self.backlog.half_open {
            return Admit::Open;
        }
        match self.backlog.full {
            Full::Cookies => self.on_flood(now),
            Full::EvictOldest => self.evict().map_or(Admit::Drop, Admit::Evict),
            Full::Drop => Admit::Drop,
            Full::Reset => Admit::Reset,
        }
    }

    /// The connection that is half-open for longest, to be dropped without a word: the listener forgets it.
    ///
    /// ```
    /// # use segue::host::{Backlog, Listener};
    /// let mut listener = Listener::new(Backlog::default());
    /// let first = listener.opened("first");
    /// listener.opened("second");
    /// assert_eq!(listener.evict(), Some("first"));
    /// assert_eq!(listener.established(first), None); // the listener does not know it any more
    /// ```
    pub fn evict(&mut self) -> Option<K> {
        self.half_open.pop_first().map(|(_, key)| key)
    }

    /// A SYN for which the host has no memory: a cookie, if the listener has room for what comes of it.
    pub(super) fn on_flood(&mut self, now: Instant) -> Admit<K> {
        if !self.has_room() {
            return Admit::Drop;
        }
        self.cookies = self.cookies.max(Some(now));
        Admit::Cookie
    }

    /// A segment brought a cookie back, which [`Keys::redeem`](super::Keys::redeem) found valid: [`Admit::Open`] or
    /// [`Admit::Evict`], then [`ready`](Self::ready); or [`Admit::Reset`], when as many connections wait for the user as
    /// the listener may hold. The cookie proves its peer: one that is half-open makes room for it. A host that cannot open
    /// it for want of memory resets it as well. To drop it would leave the peer with a connection that nobody knows of:
    /// where the peer has nothing to say first, for ever.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Admit, Backlog, Full, Listener};
    /// # let now = Instant::ZERO;
    /// let mut listener = Listener::new(Backlog { half_open: 0, ready: 1, full: Full::Cookies });
    /// assert_eq!(listener.on_syn(now), Admit::Cookie);
    /// assert_eq!(listener.on_cookie(), Admit::Open); // it came back
    /// listener.ready("a");
    /// assert_eq!(listener.on_cookie(), Admit::Reset); // a second one, and the user has to take the first
    /// ```
    pub fn on_cookie(&mut self) -> Admit<K> {
        let places = self.backlog.half_open.saturating_add(self.backlog.ready.max(1));
        let (half_open, ready) = self.len();
        if half_open + ready < places { Admit::Open } else { self.evict().map_or(Admit::Reset, Admit::Evict) }
    }

    /// The SYN of this connection was answered: it is half-open.
    ///
    /// ```
    /// # use segue::host::{Backlog, Listener};
    /// let mut listener = Listener::new(Backlog::default());
    /// let ticket = listener.opened("a flow"); // keep it with the connection
    /// assert_eq!(listener.len(), (1, 0));
    /// listener.gone(ticket); // the peer reset it
    /// assert!(listener.is_empty());
    /// ```
    pub fn opened(&mut self, key: K) -> Ticket {
        let ticket = self.ticket();
        self.half_open.insert(ticket, key);
        ticket
    }

    /// The handshake is complete: the connection waits for [`accept`](Self::accept), behind those that came before.
    /// Returns its new ticket; the old one is void. `None`: the listener does not know the ticket.
    ///
    /// ```
    /// # use segue::host::{Backlog, Listener};
    /// let mut listener = Listener::new(Backlog::default());
    /// let half_open = listener.opened("a flow");
    /// let ready = listener.established(half_open);
    /// assert!(ready.is_some() && listener.len() == (0, 1));
    /// assert_eq!(listener.established(half_open), None); // the old ticket is void
    /// ```
    pub fn established(&mut self, ticket: Ticket) -> Option<Ticket> {
        let key = self.half_open.remove(&ticket)?;
        Some(self.ready(key))
    }

    /// A connection got ready that was never half-open here: by a cookie.
    ///
    /// ```
    /// # use segue::host::{Admit, Backlog, Listener};
    /// let mut listener = Listener::new(Backlog::default());
    /// if listener.on_cookie() == Admit::Open {
    ///     listener.ready("a flow");
    /// }
    /// assert_eq!(listener.accept(), Some("a flow"));
    /// ```
    pub fn ready(&mut self, key: K) -> Ticket {
        let ticket = self.ticket();
        self.ready.insert(ticket, key);
        ticket
    }

    /// The connection ended before the user took it.
    ///
    /// ```
    /// # use segue::host::{Backlog, Listener};
    /// let mut listener = Listener::new(Backlog::default());
    /// let ticket = listener.ready("a flow");
    /// listener.gone(ticket); // reset before the user took it
    /// assert_eq!(listener.accept(), None);
    /// ```
    pub fn gone(&mut self, ticket: Ticket) {
        if self.half_open.remove(&ticket).is_none() {
            self.ready.remove(&ticket);
        }
    }

    /// The connection that has been ready for longest, for the user.
    ///
    /// ```
    /// # use segue::host::{Backlog, Listener};
    /// let mut listener = Listener::new(Backlog::default());
    /// listener.ready("first");
    /// listener.ready("second");
    /// assert_eq!(listener.accept(), Some("first"));
    /// assert_eq!(listener.accept(), Some("second"));
    /// assert_eq!(listener.accept(), None);
    /// ```
    pub fn accept(&mut self) -> Option<K> {
        self.ready.pop_first().map(|(_, key)| key)
    }

    /// Whether cookies may come back: [`Keys::redeem`](super::Keys::redeem) is asked only then. Without a flood a guessed
    /// cookie is worth nothing.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Admit, Backlog, Listener};
    /// # let now = Instant::ZERO;
    /// # use core::time::Duration;
    /// let mut listener: Listener<&str> = Listener::new(Backlog { half_open: 0, ..Backlog::default() });
    /// assert!(!listener.expects_cookies(now));
    /// assert_eq!(listener.on_syn(now), Admit::Cookie);
    /// assert!(listener.expects_cookies(now + Duration::from_secs(1)));
    /// assert!(!listener.expects_cookies(now + Duration::from_secs(3600))); // too late
    /// ```
    pub fn expects_cookies(&self, now: Instant) -> bool {
        self.cookies.is_some_and(|last| now.saturating_since(last) <= COOKIES_LAST)
    }

    /// Whether a SYN may be taken: few enough connections wait for the user.
    ///
    /// ```
    /// # use segue::host::{Backlog, Listener};
    /// let mut listener = Listener::new(Backlog { ready: 1, ..Backlog::default() });
    /// listener.ready("a flow");
    /// assert!(!listener.has_room());
    /// listener.accept();
    /// assert!(listener.has_room());
    /// ```
    pub fn has_room(&self) -> bool {
        self.ready.len() < self.backlog.ready.max(1)
    }

    /// Connections that are half-open, and that are ready.
    ///
    /// ```
    /// # use segue::host::{Backlog, Listener};
    /// let mut listener = Listener::new(Backlog::default());
    /// listener.opened("a");
    /// listener.opened("b");
    /// listener.ready("c");
    /// assert_eq!(listener.len(), (2, 1)); // half-open, ready
    /// ```
    pub fn len(&self) -> (usize, usize) {
        (self.half_open.len(), self.ready.len())
    }

    /// Whether nothing waits.
    ///
    /// ```
    /// # use segue::host::{Backlog, Listener};
    /// let mut listener = Listener::new(Backlog::default());
    /// listener.ready("a flow");
    /// assert!(!listener.is_empty());
    /// listener.accept();
    /// assert!(listener.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == (0, 0)
    }

    /// All that wait, half-open or ready.
    ///
    /// ```
    /// # use segue::host::{Backlog, Listener};
    /// let mut listener = Listener::new(Backlog::default());
    /// listener.opened("half-open");
    /// listener.ready("ready");
    /// let to_reset: Vec<_> = listener.drain().collect(); // nobody will accept them
    /// assert_eq!(to_reset, ["half-open", "ready"]);
    /// assert!(listener.is_empty());
    /// ```
    pub fn drain(&mut self) -> impl Iterator<Item = K> {
        let (half_open, ready) = (core::mem::take(&mut self.half_open), core::mem::take(&mut self.ready));
        half_open.into_values().chain(ready.into_values())
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }
}
