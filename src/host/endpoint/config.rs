//! The limits and choices of an endpoint.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::RangeInclusive;
use core::time::Duration;

use crate::{Arc, Config, Path};

/// R2 of passive opens: a half-open connection waits no longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The limits and choices of an [`Endpoint`](super::Endpoint).
///
/// ```
/// use segue::host::EndpointConfig;
/// let config = EndpointConfig { memory: 64 << 20, mtu: 9000, ..EndpointConfig::default() };
/// assert_eq!(config.connections, 65_536);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointConfig {
    /// The configuration of connections. Passive opens wait for the ACK of their SYN,ACK 60 s at most, whatever
    /// [`Config::connect_timeout`] says, unless a listener brings its own.
    pub connection: Arc<Config>,
    /// The addresses of this host: packets for others are dropped. None: all are its own, as a transparent proxy needs it.
    pub addresses: Vec<IpAddr>,
    /// The MTU towards all peers in octets, IP header included; [`Socket::set_mtu`](crate::host::Socket::set_mtu) tells
    /// that of one.
    pub mtu: u16,
    /// The most connections, half-open ones and held SYNs included, TIME-WAIT not. Beyond it a SYN gets no more than a
    /// cookie, and `connect` fails.
    pub connections: usize,
    /// The most connections in TIME-WAIT, about 190 octets each, 281 with what the allocator keeps: 64 for the state of TCP,
    /// 48 for the flow and the configuration, the others in the tables. Beyond it the oldest ends early.
    pub time_wait: usize,
    /// The most octets for all connections together, those in TIME-WAIT not counted; `usize::MAX`: no limit.
    ///
    /// It covers each connection itself, twice what its receive window may grow to (what is out of order may pin its
    /// frames, see [`Config::frame_size`]), and what it has to send with three eighths more, for the records of its segments.
    /// It does not cover frames that you keep, nor the tables ([`Endpoint::table_octets`](super::Endpoint::table_octets)),
    /// nor the segments that a device had no room for ([`Endpoint::flush_while`](super::Endpoint::flush_while)): at most
    /// what one connection has in flight. The lists of a connection keep the room of their greatest length, a record for
    /// each segment, until all is acknowledged.
    /// At first each window may grow to [`Config::receive_buffer_initial`], and to ten segments of the MTU and two units of
    /// the window scale at least; beyond, it grows as long as the budget has room. When little is left, windows grow no
    /// more and writes take less, but 4096 octets are always a connection's own; then no connection is opened.
    /// Nothing that was promised to a peer is taken back.
    pub memory: usize,
    /// The local ports of active opens (RFC 6056).
    pub ports: RangeInclusive<u16>,
    /// The most segments that wait for a flush before another answer to a packet without a connection (a reset, a cookie, an
    /// answer of TIME-WAIT) is dropped, as a network may drop it. Packets that a device had no room for
    /// ([`Endpoint::flush_while`](super::Endpoint::flush_while)) count among those that wait, and are never dropped. For
    /// acknowledgments of its own each connection has room for eight segments beyond.
    pub answers: usize,
}

/// The default connections, no addresses of its own, an MTU of 1500, 65,536 connections and as many in TIME-WAIT, no limit of
/// memory, the ports from 1024 on, 4096 answers.
impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            connection: Arc::new(Config::default()),
            addresses: Vec::new(),
            mtu: 1500,
            connections: 65_536,
            time_wait: 65_536,
            memory: usize::MAX,
            ports: 1024..=65_535,
            answers: 4096,
        }
    }
}

impl EndpointConfig {
    /// The configuration of passive opens.
    pub(super) fn passive(&self) -> Arc<Config> {
        let given = self.connection.connect_timeout();
        let patience = given.map_or(PATIENCE, |given| given.min(PATIENCE));
        match self.connection.to_builder().connect_timeout(Some(patience)).build() {
            Ok(config) if given != Some(patience) => Arc::new(config),
            Ok(_) | Err(_) => self.connection.clone(),
        }
    }

    /// Whether packets to this address are for this host.
    #[inline]
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        self.addresses.is_empty() || self.addresses.contains(&address)
    }

    /// The path to a peer.
    pub(super) const fn path(&self, peer: IpAddr) -> Path {
        Path::new(peer, self.mtu)
    }
}
