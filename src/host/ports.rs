//! Ephemeral ports: the double-hash algorithm of RFC 6056 §3.3.4.

use alloc::boxed::Box;
use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;

use super::keys::Keys;

/// Counters that destinations share: TABLE_LENGTH.
const PLACES: usize = 64;

/// Chooses local ports of active opens so that nobody outside can guess them, and a destination sees each port again as
/// late as possible (RFC 6056 §3.3.4, "Algorithm 4").
///
/// ```
/// use segue::host::{Keys, Ports};
/// let keys = Keys::new(*b"drawn at startup");
/// let mut ports = Ports::new(&keys, 49152..=65535);
/// let (local, remote) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
/// let first = ports.choose(&keys, local, remote, |_| true).expect("nothing is in use");
/// let second = ports.choose(&keys, local, remote, |port| port != first).expect("many are left");
/// assert!(first >= 49152 && second != first);
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ports {
    first: u16,
    count: u32,
    table: Box<[u16; PLACES]>,
}

impl Ports {
    /// Ports of this range, without 0; RFC 6056 §3.2 recommends 1024 to 65535. An empty range has no port to give. The
    /// counters begin where the keys say.
    ///
    /// ```
    /// # use segue::host::Keys;
    /// # let keys = Keys::new(*b"drawn at startup");
    /// # use core::net::{IpAddr, SocketAddr};
    /// # let (local, remote): (IpAddr, SocketAddr) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// use segue::host::Ports;
    /// let mut one = Ports::new(&keys, 7000..=7000);
    /// assert_eq!(one.choose(&keys, local, remote, |_| true), Some(7000));
    /// let mut none = Ports::new(&keys, 1..=0);
    /// assert_eq!(none.choose(&keys, local, remote, |_| true), None);
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn new(keys: &Keys, range: RangeInclusive<u16>) -> Self {
        let (first, last) = (*range.start().max(&1), *range.end());
        let count = (u32::from(last) + 1).saturating_sub(first.into());
        let mut table = Box::new([0; PLACES]);
        for (counter, n) in table.iter_mut().zip(0u16..) {
            let (begin, _) = keys.port_hashes(IpAddr::from([0; 4]), IpAddr::from([0; 4]), n);
            *counter = u16::try_from(begin & 0xFFFF).unwrap_or(0);
        }
        Self { first, count, table }
    }

    /// The next port from `local` to `remote` for which `is_free` says so; `None` when none of the range is. Tries each
    /// port once at the most.
    ///
    /// ```
    /// # use segue::host::Keys;
    /// # let keys = Keys::new(*b"drawn at startup");
    /// # use core::net::{IpAddr, SocketAddr};
    /// # let (local, remote): (IpAddr, SocketAddr) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// use std::collections::BTreeSet;
    /// use segue::host::Ports;
    /// let mut ports = Ports::new(&keys, 7000..=7002);
    /// let mut in_use = BTreeSet::new(); // towards this peer
    /// while let Some(port) = ports.choose(&keys, local, remote, |port| !in_use.contains(&port)) {
    ///     in_use.insert(port);
    /// }
    /// assert!(in_use.into_iter().eq(7000..=7002));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn choose(
        &mut self,
        keys: &Keys,
        local: IpAddr,
        remote: SocketAddr,
        mut is_free: impl FnMut(u16) -> bool,
    ) -> Option<u16> {
        let (offset, index) = keys.port_hashes(local, remote.ip(), remote.port());
        let place = usize::try_from(index % PLACES as u64).unwrap_or(0);
        let counter = self.table.get_mut(place)?;
        let count = u64::from(self.count);
        for _ in 0..self.count {
            // The counter stays below the count: where it wraps, no port of the range is left out.
            let n = (offset % count + u64::from(*counter)) % count;
            *counter = u16::try_from((u64::from(*counter) + 1) % count).unwrap_or(0);
            let port = self.first.saturating_add(u16::try_from(n).unwrap_or(0));
            if is_free(port) {
                return Some(port);
            }
        }
        None
    }
}
