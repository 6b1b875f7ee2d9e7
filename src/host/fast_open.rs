//! What hosts keep for TCP Fast Open: cookies and refusals at a client, requests that are pending at a server (RFC 7413).

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;

use super::keys::Keys;
use crate::{FastOpen, FastOpenCookie, FastOpenRefusal, Instant, Report};

/// Servers that a client remembers, and servers that refused.
const PLACES: usize = 256;
/// For how long a client uses no Fast Open after a refusal. "At least temporarily" (§4.1.3.1).
const REFUSED_FOR: Duration = Duration::from_secs(3600);
/// The same after a SYN without an answer, which any loss explains: twice as long each time, up to that.
const SILENT_FOR: Duration = Duration::from_secs(60);
/// For how long a request that was reset counts as pending (§5.1).
const RESET_COUNTS_FOR: Duration = Duration::from_secs(60);

/// A server's cookie.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Known {
    local: IpAddr,
    server: IpAddr,
    cookie: FastOpenCookie,
    mss: u16,
}

/// A service that refused.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Refused {
    local: IpAddr,
    service: SocketAddr,
    until: Instant,
    /// For how long that was.
    wait: Duration,
}

/// The cookies that servers gave a client, and the services that refused (RFC 7413 §4.1.3). It remembers 256 of each, about
/// 30 KB; what is new takes the place of what is old.
///
/// [`Endpoint`](super::Endpoint) has one. For a host with a table of its own:
///
/// ```
/// use segue::host::{FastOpenCache, Keys};
/// use segue::{FastOpenCookie, Instant, Report};
/// let (keys, mut cache, now) = (Keys::new(*b"drawn at startup"), FastOpenCache::new(), Instant::ZERO);
/// let (local, server) = ("198.51.100.7".parse()?, "192.0.2.1:80".parse()?);
/// let first = cache.open(&keys, (local, server), "GET /".into(), now).expect("nobody has refused");
/// assert!(first.cookie.as_slice().is_empty()); // it asks for a cookie
/// // The connection reports:
/// let cookie = FastOpenCookie::new(&[7; 8]).expect("an even number of octets");
/// cache.note(&keys, (local, server), &Report::FastOpenCookie { cookie, mss: 1460 }, now);
/// assert_eq!(cache.open(&keys, (local, server), "GET /".into(), now).map(|open| open.cookie), Some(cookie));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FastOpenCache {
    known: Vec<Option<Known>>,
    refused: Vec<Option<Refused>>,
}

/// The place of a server, or a service, among those that share the table.
fn place(keys: &Keys, local: IpAddr, server: IpAddr, port: u16) -> usize {
    let (_, place) = keys.port_hashes(local, server, port);
    usize::try_from(place).unwrap_or(usize::MAX) % PLACES
}

/// A table gets its memory when the first comes.
fn put<T: Clone>(table: &mut Vec<Option<T>>, place: usize, value: T) {
    if table.is_empty() {
        table.resize(PLACES, None);
    }
    if let Some(entry) = table.get_mut(place) {
        *entry = Some(value);
    }
}

impl FastOpenCache {
    /// Nothing is known. Memory is taken with the first cookie, and the first refusal.
    ///
    /// ```
    /// use segue::host::FastOpenCache;
    /// assert_eq!(FastOpenCache::new(), FastOpenCache::default());
    /// ```
    pub const fn new() -> Self {
        Self { known: Vec::new(), refused: Vec::new() }
    }

    /// How to open a connection from this address to this service, with this text: with the cookie of the server, or with
    /// a request for one. `None`: Fast Open did not work there lately; open the connection without. After a SYN that timed
    /// out that lasts for a minute, and twice as long each time, up to an hour; after another refusal for an hour.
    ///
    /// ```
    /// # use segue::host::{FastOpenCache, Keys};
    /// # use segue::{FastOpenRefusal, Instant, Report};
    /// # let (keys, mut cache, now) = (Keys::new(*b"drawn at startup"), FastOpenCache::new(), Instant::ZERO);
    /// # let ends = ("198.51.100.7".parse()?, "192.0.2.1:80".parse()?);
    /// cache.note(&keys, ends, &Report::FastOpenRefused(FastOpenRefusal::Timeout), now);
    /// assert_eq!(cache.open(&keys, ends, "GET /".into(), now), None);
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn open(
        &self,
        keys: &Keys,
        (local, service): (IpAddr, SocketAddr),
        text: Bytes,
        now: Instant,
    ) -> Option<FastOpen> {
        let server = service.ip();
        let refused = self.refused.get(place(keys, local, server, service.port())).and_then(Option::as_ref);
        let same = |refused: &&Refused| refused.local == local && refused.service == service && refused.until > now;
        if refused.filter(same).is_some() {
            return None;
        }
        let known = self.known.get(place(keys, local, server, 0)).and_then(Option::as_ref);
        let known = known.filter(|known| known.local == local && known.server == server);
        Some(match known {
            Some(known) => FastOpen { cookie: known.cookie, mss: Some(known.mss), text },
            None => FastOpen::request(text),
        })
    }

    /// What a connection from this address to this service reported: a cookie, or a refusal. An old cookie that was refused
    /// together with a new one is no refusal of Fast Open: note the cookie last, as connections report it first.
    ///
    /// ```
    /// # use segue::host::{FastOpenCache, Keys};
    /// # use segue::{Instant, Report};
    /// # let (keys, mut cache, now) = (Keys::new(*b"drawn at startup"), FastOpenCache::new(), Instant::ZERO);
    /// # let ends = ("198.51.100.7".parse()?, "192.0.2.1:80".parse()?);
    /// cache.note(&keys, ends, &Report::PathMtu(1400), now); // other reports change nothing
    /// assert_eq!(cache, FastOpenCache::new());
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn note(&mut self, keys: &Keys, (local, service): (IpAddr, SocketAddr), report: &Report, now: Instant) {
        let server = service.ip();
        match *report {
            Report::FastOpenCookie { cookie, mss } => {
                put(&mut self.known, place(keys, local, server, 0), Known { local, server, cookie, mss });
                let at = place(keys, local, server, service.port());
                if let Some(entry) = self.refused.get_mut(at) {
                    entry.take_if(|refused| refused.local == local && refused.service == service);
                }
            }
            Report::FastOpenRefused(why) => {
                let at = place(keys, local, server, service.port());
                let before = self.refused.get(at).and_then(Option::as_ref);
                let lately = |before: &&Refused| {
                    before.local == local && before.service == service && now < before.until + REFUSED_FOR
                };
                let wait = match (why, before.filter(lately)) {
                    (FastOpenRefusal::Timeout, None) => SILENT_FOR,
                    (FastOpenRefusal::Timeout, Some(before)) => before.wait.saturating_mul(2).min(REFUSED_FOR),
                    (FastOpenRefusal::NoCookie | FastOpenRefusal::NotAcknowledged | FastOpenRefusal::Icmp(_), _) => {
                        REFUSED_FOR
                    }
                };
                put(&mut self.refused, at, Refused { local, service, until: now + wait, wait });
            }
            Report::Unresponsive { .. }
            | Report::Icmp(_)
            | Report::PathMtu(_)
            | Report::UserTimeout(_)
            | Report::FastOpenConfirmed => {}
        }
    }
}

/// PendingFastOpenRequests (RFC 7413 §4.2): connections of a listener whose text was taken before the handshake is complete,
/// and those of the last minute that were reset then (§5.1).
///
/// ```
/// use segue::Instant;
/// use segue::host::FastOpenQueue;
/// let (mut queue, now) = (FastOpenQueue::new(1), Instant::ZERO);
/// assert!(queue.admits(now));
/// queue.opened();
/// assert!(!queue.admits(now)); // an ordinary handshake for the next
/// queue.confirmed(); // `Report::FastOpenConfirmed`
/// assert!(queue.admits(now));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FastOpenQueue {
    limit: usize,
    pending: usize,
    /// When those that were reset count no more, in order: together with those that are pending no more than the limit.
    reset: VecDeque<Instant>,
}

impl FastOpenQueue {
    /// At most `limit` requests may be pending; 0: Fast Open is off.
    ///
    /// ```
    /// use segue::Instant;
    /// use segue::host::FastOpenQueue;
    /// assert!(!FastOpenQueue::new(0).admits(Instant::ZERO));
    /// ```
    pub const fn new(limit: usize) -> Self {
        Self { limit, pending: 0, reset: VecDeque::new() }
    }

    /// Whether one more may be pending.
    ///
    /// ```
    /// use segue::Instant;
    /// use segue::host::FastOpenQueue;
    /// assert!(FastOpenQueue::new(64).admits(Instant::ZERO));
    /// ```
    pub fn admits(&mut self, now: Instant) -> bool {
        while self.reset.front().is_some_and(|until| *until <= now) {
            self.reset.pop_front();
        }
        self.pending + self.reset.len() < self.limit
    }

    /// A connection was opened with [`FastOpenAnswer::valid`](crate::FastOpenAnswer::valid).
    ///
    /// ```
    /// # let (mut queue, now) = (segue::host::FastOpenQueue::new(1), segue::Instant::ZERO);
    /// queue.opened();
    /// assert!(!queue.admits(now));
    /// ```
    pub fn opened(&mut self) {
        self.pending += 1;
    }

    /// Its handshake is complete, or it ended otherwise than by a reset.
    ///
    /// ```
    /// # let (mut queue, now) = (segue::host::FastOpenQueue::new(1), segue::Instant::ZERO);
    /// # queue.opened();
    /// queue.confirmed();
    /// assert!(queue.admits(now));
    /// ```
    pub fn confirmed(&mut self) {
        self.pending = self.pending.saturating_sub(1);
    }

    /// It was reset before its handshake was complete: it counts for a minute more. A host whose address an attacker forges
    /// resets what it did not open, and would make room for more (§5.1).
    ///
    /// ```
    /// # let (mut queue, now) = (segue::host::FastOpenQueue::new(1), segue::Instant::ZERO);
    /// # queue.opened();
    /// queue.was_reset(now);
    /// assert!(!queue.admits(now));
    /// assert!(queue.admits(now + core::time::Duration::from_secs(60)));
    /// ```
    pub fn was_reset(&mut self, now: Instant) {
        if self.pending > 0 {
            self.pending -= 1;
            self.reset.push_back(now + RESET_COUNTS_FOR);
        }
    }
}

/// What Fast Open did on a connection, since the last look of its endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct News {
    cookie: Option<(FastOpenCookie, u16)>,
    refusal: Option<FastOpenRefusal>,
    pub(super) confirmed: bool,
}

impl News {
    /// Whether the report is one of Fast Open's.
    pub(super) fn note(&mut self, report: &Report) -> bool {
        match *report {
            Report::FastOpenCookie { cookie, mss } => self.cookie = Some((cookie, mss)),
            Report::FastOpenRefused(why) => self.refusal = Some(why),
            Report::FastOpenConfirmed => self.confirmed = true,
            Report::Unresponsive { .. } | Report::Icmp(_) | Report::PathMtu(_) | Report::UserTimeout(_) => {
                return false;
            }
        }
        true
    }

    /// The reports for the cache, the cookie last.
    pub(super) fn reports(self) -> impl Iterator<Item = Report> {
        let cookie = self.cookie.map(|(cookie, mss)| Report::FastOpenCookie { cookie, mss });
        self.refusal.map(Report::FastOpenRefused).into_iter().chain(cookie)
    }
}
