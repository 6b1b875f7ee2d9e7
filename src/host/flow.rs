//! The flow of a connection in a keyed hash.

use core::hash::Hasher;
use core::net::IpAddr;

pub use crate::codec::Flow;
use crate::codec::PseudoHeader;

/// The flow goes into a keyed hash.
pub(super) fn ends(flow: &Flow, hasher: &mut impl Hasher) {
    let ([i, j], [k, l]) = (flow.local().port().to_be_bytes(), flow.remote().port().to_be_bytes());
    match flow.pseudo() {
        PseudoHeader::V4 { src, dst } => {
            let ([a, b, c, d], [e, f, g, h]) = (src.octets(), dst.octets());
            hasher.write(&[a, b, c, d, e, f, g, h, i, j, k, l]);
        }
        PseudoHeader::V6 { src, dst } => {
            hasher.write(&src.octets());
            hasher.write(&dst.octets());
            hasher.write(&[i, j, k, l]);
        }
    }
}

/// An address goes into a keyed hash.
pub(super) fn address(ip: IpAddr, hasher: &mut impl Hasher) {
    match ip {
        IpAddr::V4(ip) => hasher.write(&ip.octets()),
        IpAddr::V6(ip) => hasher.write(&ip.octets()),
    }
}
