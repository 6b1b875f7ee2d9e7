//! Addresses and ports that TCP does not speak with.

use core::net::{IpAddr, SocketAddr};

/// Whether `end` can be one end of a connection: a unicast address and a port other than 0.
///
/// A host drops a segment silently when one of its two ends is not (MUST-57, MUST-63): nothing answers a segment that
/// was sent to many or comes from nowhere. The broadcast addresses of its subnets only the host itself knows.
///
/// ```
/// use segue::codec::valid_endpoint;
/// assert!(valid_endpoint("192.0.2.1:80".parse().unwrap()));
/// assert!(!valid_endpoint("255.255.255.255:80".parse().unwrap()));
/// assert!(!valid_endpoint("[ff02::1]:80".parse().unwrap()));
/// ```
pub const fn valid_endpoint(end: SocketAddr) -> bool {
    // An IPv4-mapped address is as good as the address in it.
    let unicast = match end.ip().to_canonical() {
        IpAddr::V4(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast()),
        IpAddr::V6(ip) => !(ip.is_unspecified() || ip.is_multicast()),
    };
    unicast && end.port() != 0 // port 0 is reserved (RFC 6335 §6)
}
