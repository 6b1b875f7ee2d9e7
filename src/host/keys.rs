//! The secrets of a host: one drawn key, and from it a key for each purpose.

use core::fmt;
use core::hash::Hasher;
use core::net::IpAddr;

use siphasher::sip::{SipHasher13, SipHasher24};
use siphasher::sip128::{Hasher128, SipHasher24 as SipHasher128};

use super::flow::{self, Flow, address};
use crate::{FastOpenCookie, Instant, Secrets, SeqNum};

type Key = [u8; 16];

/// How long Fast Open cookies stay the same, in microseconds (RFC 7413 §4.1.2, property 5).
const FAST_OPEN_PERIOD: u64 = 3_600_000_000;

/// The keyed functions that a host needs: initial sequence numbers (RFC 6528), offsets of timestamps (RFC 7323 §5.4),
/// ephemeral ports (RFC 6056), SYN cookies (RFC 4987) and Fast Open cookies (RFC 7413).
///
/// All are SipHash under keys that are derived from the drawn one, a different one for each purpose: what one of them
/// shows tells nothing about another. There is no default key, and `Debug` shows none.
///
/// Draw 16 octets from the entropy of the system when the host starts. A restart draws anew; so does a virtual machine
/// that wakes up from a snapshot.
///
/// ```
/// use core::time::Duration;
/// use segue::host::{Flow, Keys};
/// use segue::{Instant, SeqNum};
///
/// let keys = Keys::new(*b"drawn at startup"); // a product asks the system
/// let flow = Flow::new("192.0.2.1:80".parse()?, "198.51.100.7:49152".parse()?).expect("unicast");
/// let now = Instant::from_millis(5);
/// let secrets = keys.secrets(&flow, now, None);
/// // RFC 6528: the next incarnation has later numbers, one tick each 4 microseconds.
/// let later = keys.secrets(&flow, now + Duration::from_secs(1), None);
/// assert_eq!(later.iss - secrets.iss, 250_000);
/// // A successor in TIME-WAIT begins after the numbers of its predecessor, whatever the clock says.
/// let after = later.iss + 10_000_000;
/// assert_eq!(keys.secrets(&flow, now, Some(after)).iss, after + 1);
/// assert_eq!(format!("{keys:?}"), "Keys(..)");
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    iss: Key,
    timestamps: Key,
    ports: Key,
    places: Key,
    cookies: Key,
    fast_open: Key,
    table: Key,
}

impl Keys {
    /// The keys that follow from 16 drawn octets.
    ///
    /// ```
    /// use segue::host::Keys;
    /// let drawn = *b"drawn at startup"; // a product asks the system
    /// assert!(Keys::new(drawn) == Keys::new(drawn)); // nothing else is random
    /// assert!(Keys::new(drawn) != Keys::new(*b"drawn by another"));
    /// ```
    pub fn new(drawn: [u8; 16]) -> Self {
        let derive = |purpose: &[u8]| {
            let mut hasher = SipHasher128::new_with_key(&drawn);
            hasher.write(purpose);
            hasher.finish128().as_bytes()
        };
        Self {
            iss: derive(b"RFC 6528 ISS"),
            timestamps: derive(b"RFC 7323 timestamp offset"),
            ports: derive(b"RFC 6056 offset"),
            places: derive(b"RFC 6056 index"),
            cookies: derive(b"RFC 4987 SYN cookie"),
            fast_open: derive(b"RFC 7413 cookie"),
            table: derive(b"flow table"),
        }
    }

    /// The secrets of a connection that opens now. `after`: the last number that the previous incarnation of the flow
    /// used, from [`Action::Successor`](crate::Action::Successor); the ISS comes after it (MAY-2).
    ///
    /// The ISS is M + F(flow), where M ticks every 4 microseconds (RFC 6528 §3, MUST-8, MUST-9). The offset of
    /// timestamps is that of the two addresses (RFC 7323 §5.4), so that a later connection between two hosts has later
    /// timestamps.
    ///
    /// ```
    /// # use segue::host::Keys;
    /// # let keys = Keys::new(*b"drawn at startup");
    /// # use segue::host::Flow;
    /// # let flow = Flow::new("192.0.2.1:80".parse()?, "198.51.100.7:49152".parse()?).expect("unicast");
    /// # use segue::{Arc, Config, Connection, Instant, Path};
    /// let now = Instant::from_millis(5);
    /// let secrets = keys.secrets(&flow, now, None);
    /// let (_tcp, _actions) = Connection::connect(Arc::new(Config::default()), Path::ipv4(1500), secrets, now);
    /// // An incarnation that follows another one at once begins after the numbers that it used.
    /// let last = secrets.iss + 100_000;
    /// assert_eq!(keys.secrets(&flow, now, Some(last)).iss, last + 1);
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn secrets(&self, flow: &Flow, now: Instant, after: Option<SeqNum>) -> Secrets {
        let ticks = low(now.as_micros() / 4);
        let iss = SeqNum::new(ticks.wrapping_add(low(hash(&self.iss, |hasher| flow::ends(flow, hasher)))));
        let iss = match after {
            Some(last) if !iss.after(last) => last + 1,
            Some(_) | None => iss,
        };
        let ts_offset = low(hash(&self.timestamps, |hasher| {
            address(flow.local().ip(), hasher);
            address(flow.remote().ip(), hasher);
        }));
        Secrets { iss, ts_offset }
    }

    /// GetCookie of RFC 7413 §4.1.2: the Fast Open cookie of a client at this server address, 8 octets. It changes each
    /// hour, and [`is_fast_open_cookie`](Self::is_fast_open_cookie) takes the last two, so a cookie expires within two
    /// hours. The machine itself does not use Fast Open: the cookie is for hosts that do.
    ///
    /// ```
    /// use core::time::Duration;
    /// use segue::Instant;
    /// use segue::host::Keys;
    /// let (keys, now) = (Keys::new(*b"drawn at startup"), Instant::from_millis(5));
    /// let (server, client) = ("192.0.2.1".parse()?, "198.51.100.7".parse()?);
    /// let cookie = keys.fast_open_cookie(server, client, now);
    /// assert!(keys.is_fast_open_cookie(server, client, cookie, now + Duration::from_secs(3600)));
    /// assert!(!keys.is_fast_open_cookie(server, client, cookie, now + Duration::from_secs(7200)));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn fast_open_cookie(&self, server: IpAddr, client: IpAddr, now: Instant) -> FastOpenCookie {
        self.fast_open_cookie_of(server, client, now.as_micros() / FAST_OPEN_PERIOD)
    }

    /// IsCookieValid of RFC 7413 §4.1.2: whether it is a cookie of this client that has not expired.
    ///
    /// ```
    /// # use segue::host::Keys;
    /// # let keys = Keys::new(*b"drawn at startup");
    /// # use segue::Instant;
    /// use core::net::IpAddr;
    /// let (server, client): (IpAddr, IpAddr) = ("192.0.2.1".parse()?, "198.51.100.7".parse()?);
    /// let cookie = keys.fast_open_cookie(server, client, Instant::ZERO);
    /// assert!(keys.is_fast_open_cookie(server, client, cookie, Instant::from_secs(60)));
    /// let another = "198.51.100.8".parse()?;
    /// assert!(!keys.is_fast_open_cookie(server, another, cookie, Instant::from_secs(60)));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn is_fast_open_cookie(&self, server: IpAddr, client: IpAddr, cookie: FastOpenCookie, now: Instant) -> bool {
        let this = now.as_micros() / FAST_OPEN_PERIOD;
        let mut periods = [Some(this), this.checked_sub(1)].into_iter().flatten();
        periods.any(|period| self.fast_open_cookie_of(server, client, period) == cookie)
    }

    fn fast_open_cookie_of(&self, server: IpAddr, client: IpAddr, period: u64) -> FastOpenCookie {
        let cookie = hash(&self.fast_open, |hasher| {
            address(server, hasher);
            address(client, hasher);
            hasher.write(&period.to_be_bytes());
        });
        FastOpenCookie::new(&cookie.to_be_bytes()).unwrap_or_default()
    }

    /// F and G of RFC 6056 §3.3.4: what is secret about a destination, and its place in the table of counters.
    pub(super) fn port_hashes(&self, local: IpAddr, remote: IpAddr, remote_port: u16) -> (u64, u64) {
        let of = |key| {
            hash(key, |hasher| {
                address(local, hasher);
                address(remote, hasher);
                hasher.write(&remote_port.to_be_bytes());
            })
        };
        (of(&self.ports), of(&self.places))
    }

    /// A round of the permutation of ports of a destination.
    pub(super) fn port_round(&self, destination: u64, round: u8, half: u32) -> u32 {
        low(hash(&self.ports, |hasher| {
            hasher.write(&destination.to_be_bytes());
            hasher.write(&[round]);
            hasher.write(&half.to_be_bytes());
        }))
    }

    /// The keyed hash in a SYN cookie.
    pub(super) fn cookie_hash(&self, flow: &Flow, facts: &[u8]) -> u32 {
        low(hash(&self.cookies, |hasher| {
            flow::ends(flow, hasher);
            hasher.write(facts);
        }))
    }

    /// The hash of the flow table: nobody outside can choose flows that collide. SipHash-1-3, as in the standard
    /// library.
    pub(super) fn table_hash(&self, flow: &Flow) -> u32 {
        let mut hasher = SipHasher13::new_with_key(&self.table);
        let (local, remote) = (flow.local(), flow.remote());
        if let (IpAddr::V4(src), IpAddr::V4(dst)) = (local.ip(), remote.ip()) {
            // The same octets, all at once: each packet pays for this.
            let ([a, b, c, d], [e, f, g, h]) = (src.octets(), dst.octets());
            let ([i, j], [k, l]) = (local.port().to_be_bytes(), remote.port().to_be_bytes());
            return low(hasher.hash(&[a, b, c, d, e, f, g, h, i, j, k, l]));
        }
        flow::ends(flow, &mut hasher);
        low(hasher.finish())
    }
}

fn hash(key: &Key, feed: impl FnOnce(&mut SipHasher24)) -> u64 {
    let mut hasher = SipHasher24::new_with_key(key);
    feed(&mut hasher);
    hasher.finish()
}

/// The low 32 bits.
fn low(n: u64) -> u32 {
    u32::try_from(n & 0xFFFF_FFFF).unwrap_or(0)
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;
    use core::net::{Ipv4Addr, SocketAddr};

    use super::*;

    /// Flows that an attacker could collect if he knew the key of one host: all in one place of a table of 256. Under another
    /// key they are spread as random ones are, over 56 places of 64 that are tried.
    #[test]
    fn b21_flows_that_collide_under_one_key_do_not_under_another() {
        let server = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 80));
        let peers =
            (0..100_000u32).map(|n| SocketAddr::from((Ipv4Addr::from(0x0A00_0001 + n / 7), 1024 + (n % 7) as u16)));
        let flows = peers.filter_map(|peer| Flow::new(server, peer));
        let known = Keys::new([1; 16]);
        let colliding: Vec<Flow> = flows.filter(|flow| known.table_hash(flow) & 0xFF == 0x5A).take(64).collect();
        assert_eq!(colliding.len(), 64);
        for other in 2..10 {
            let other = Keys::new([other; 16]);
            let places: BTreeSet<u32> = colliding.iter().map(|flow| other.table_hash(flow) & 0xFF).collect();
            assert!(places.len() > 45, "{} places", places.len());
        }
    }
}
