//! Ephemeral ports: the double-hash algorithm of RFC 6056 §3.3.4, with a permutation for its offset.

use alloc::boxed::Box;
use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;

use super::keys::Keys;

/// Counters that destinations share: TABLE_LENGTH.
const PLACES: usize = 64;
/// Rounds of the permutation: with four of a good function nobody tells it from a random one (Luby and Rackoff); halves of few
/// bits want more.
const ROUNDS: u8 = 6;

/// Chooses local ports of active opens so that nobody outside can guess them, and a destination sees each port again as
/// late as possible (RFC 6056 §3.3.4, "Algorithm 4").
///
/// Destinations share counters. The RFC adds a secret offset to the counter, so that the ports of one destination still show how
/// often its counter moved, which recognizes a host (CVE-2022-32296). Here the counter goes through a secret permutation of the
/// range, another one for each destination.
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
        let (destination, index) = keys.port_hashes(local, remote.ip(), remote.port());
        let place = usize::try_from(index % PLACES as u64).unwrap_or(0);
        let counter = self.table.get_mut(place)?;
        for _ in 0..self.count {
            // The counter stays below the count: where it wraps, no port of the range is left out.
            let at = u32::from(*counter) % self.count;
            *counter = u16::try_from((at + 1) % self.count).unwrap_or(0);
            let n = permuted(at, self.count, |round, half| keys.port_round(destination, round, half));
            let port = self.first.saturating_add(u16::try_from(n).unwrap_or(0));
            if is_free(port) {
                return Some(port);
            }
        }
        None
    }
}

/// A permutation of the numbers below `count`, by a Feistel network over the next larger number of an even number of bits. What
/// comes out beyond goes through it again, and comes back below in the end, as each cycle of a permutation does.
fn permuted(n: u32, count: u32, round: impl Fn(u8, u32) -> u32) -> u32 {
    let half = (u32::BITS - count.saturating_sub(1).leading_zeros()).div_ceil(2);
    let mask = (1 << half) - 1;
    let mut n = n;
    loop {
        let (mut left, mut right) = (n >> half, n & mask);
        for number in 0..ROUNDS {
            (left, right) = (right, left ^ round(number, right) & mask);
        }
        n = left << half | right;
        if n < count {
            return n;
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    /// Whatever the rounds do, and for ranges of all sizes.
    #[test]
    fn a_permutation_takes_each_number_once() {
        let keys = Keys::new([3; 16]);
        for count in (1..300).chain([1023, 1024, 1025, 16_384, 16_385, 64_512, 65_535]) {
            for constant in [None, Some(0), Some(u32::MAX)] {
                let round = |n, half| constant.unwrap_or_else(|| keys.port_round(7, n, half));
                let seen: BTreeSet<u32> = (0..count).map(|n| permuted(n, count, round)).collect();
                assert!(seen.len() == count as usize && seen.last() == Some(&(count - 1)), "{count}");
            }
        }
    }
}
