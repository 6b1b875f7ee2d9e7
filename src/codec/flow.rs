//! The flow of a connection: two addresses and two ports.

use core::fmt;
use core::net::SocketAddr;

use super::{Packet, PseudoHeader, valid_endpoint};
use crate::{IpVersion, Segment};

/// The addresses and ports of one connection, seen from our side.
///
/// Both addresses have the same IP version, and both ends can be the end of a connection (MUST-46, MUST-57): a flow that
/// exists is valid. IPv6 scopes and flow labels are not part of it; a host with several links whose link-local addresses
/// repeat keeps an endpoint for each.
///
/// ```
/// use segue::codec::Flow;
/// let flow = Flow::new("192.0.2.1:80".parse()?, "198.51.100.7:49152".parse()?).expect("both are unicast");
/// assert_eq!(flow.to_string(), "192.0.2.1:80 - 198.51.100.7:49152");
/// assert_eq!(flow.remote().port(), 49152);
/// assert_eq!(Flow::new("192.0.2.1:80".parse()?, "224.0.0.1:80".parse()?), None); // multicast
/// assert_eq!(Flow::new("192.0.2.1:80".parse()?, "[2001:db8::1]:80".parse()?), None); // two versions
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Ends", into = "Ends"))]
pub struct Flow {
    /// From us to the peer.
    addresses: PseudoHeader,
    local_port: u16,
    remote_port: u16,
}

impl Flow {
    /// The flow between these ends; `None` where they are of different IP versions, an address is not unicast, or a port
    /// is 0.
    ///
    /// ```
    /// use segue::codec::Flow;
    /// assert!(Flow::new("[2001:db8::1]:80".parse()?, "[2001:db8::2]:49152".parse()?).is_some());
    /// assert_eq!(Flow::new("192.0.2.1:0".parse()?, "198.51.100.7:49152".parse()?), None); // port 0
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub const fn new(local: SocketAddr, remote: SocketAddr) -> Option<Self> {
        if !valid_endpoint(local) || !valid_endpoint(remote) {
            return None;
        }
        match PseudoHeader::new(local.ip(), remote.ip()) {
            Some(addresses) => Some(Self { addresses, local_port: local.port(), remote_port: remote.port() }),
            None => None,
        }
    }

    /// The flow of a packet that arrived between these addresses; `None` as in [`new`](Self::new).
    ///
    /// ```
    /// use segue::codec::{Flow, Packet, PseudoHeader};
    /// let addresses = PseudoHeader::V4 { src: [198, 51, 100, 7].into(), dst: [192, 0, 2, 1].into() };
    /// let packet = Packet { src_port: 49152, dst_port: 80, ..Packet::default() }; // it arrived
    /// let flow = Flow::of_received(addresses, &packet);
    /// assert_eq!(flow, Flow::new("192.0.2.1:80".parse()?, "198.51.100.7:49152".parse()?));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub const fn of_received(addresses: PseudoHeader, packet: &Packet) -> Option<Self> {
        let local = SocketAddr::new(addresses.dst(), packet.dst_port);
        Self::new(local, SocketAddr::new(addresses.src(), packet.src_port))
    }

    /// Our end.
    ///
    /// ```
    /// use segue::codec::Flow;
    /// let flow = Flow::new("192.0.2.1:80".parse()?, "198.51.100.7:49152".parse()?).expect("both are unicast");
    /// assert_eq!(flow.local(), "192.0.2.1:80".parse()?);
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub const fn local(&self) -> SocketAddr {
        SocketAddr::new(self.addresses.src(), self.local_port)
    }

    /// The peer's end.
    ///
    /// ```
    /// use segue::codec::Flow;
    /// let flow = Flow::new("192.0.2.1:80".parse()?, "198.51.100.7:49152".parse()?).expect("both are unicast");
    /// assert_eq!(flow.remote(), "198.51.100.7:49152".parse()?);
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub const fn remote(&self) -> SocketAddr {
        SocketAddr::new(self.addresses.dst(), self.remote_port)
    }

    /// The addresses of packets that we send.
    ///
    /// ```
    /// use segue::codec::Flow;
    /// let flow = Flow::new("192.0.2.1:80".parse()?, "198.51.100.7:49152".parse()?).expect("both are unicast");
    /// let addresses = flow.pseudo(); // for the checksum of what we send
    /// assert_eq!((addresses.src(), addresses.dst()), (flow.local().ip(), flow.remote().ip()));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub const fn pseudo(&self) -> PseudoHeader {
        self.addresses
    }

    /// The version of IP.
    ///
    /// ```
    /// use segue::codec::Flow;
    /// let flow = Flow::new("192.0.2.1:80".parse()?, "198.51.100.7:49152".parse()?).expect("both are unicast");
    /// assert_eq!(flow.ip(), segue::IpVersion::V4);
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub const fn ip(&self) -> IpVersion {
        match self.addresses {
            PseudoHeader::V4 { .. } => IpVersion::V4,
            PseudoHeader::V6 { .. } => IpVersion::V6,
        }
    }

    /// The same flow as the peer sees it.
    ///
    /// ```
    /// use segue::codec::Flow;
    /// let flow = Flow::new("192.0.2.1:80".parse()?, "198.51.100.7:49152".parse()?).expect("both are unicast");
    /// assert_eq!(flow.reversed().local(), flow.remote());
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub const fn reversed(&self) -> Self {
        Self { addresses: self.addresses.reversed(), local_port: self.remote_port, remote_port: self.local_port }
    }

    /// A packet of ours with this segment.
    ///
    /// ```
    /// use segue::codec::Flow;
    /// let flow = Flow::new("192.0.2.1:80".parse()?, "198.51.100.7:49152".parse()?).expect("both are unicast");
    /// let packet = flow.packet(segue::Segment::default());
    /// assert_eq!((packet.src_port, packet.dst_port), (80, 49152));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub const fn packet(&self, segment: Segment) -> Packet {
        Packet { src_port: self.local_port, dst_port: self.remote_port, segment }
    }
}

/// Our end, then the peer's.
impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} - {}", self.local(), self.remote())
    }
}

/// A flow as data: our end, then the peer's.
#[cfg(feature = "serde")]
type Ends = (SocketAddr, SocketAddr);

#[cfg(feature = "serde")]
impl From<Flow> for Ends {
    fn from(flow: Flow) -> Self {
        (flow.local(), flow.remote())
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Ends> for Flow {
    type Error = &'static str;

    fn try_from((local, remote): Ends) -> Result<Self, Self::Error> {
        Self::new(local, remote).ok_or("these ends can have no connection")
    }
}
