//! The path to the peer, and the secrets of one incarnation.

use core::net::IpAddr;

use crate::SeqNum;

/// The version of IP below a connection. It decides the default MSS (MUST-15) and the smallest MTU.
///
/// ```
/// use segue::IpVersion;
/// assert_eq!((IpVersion::V4.default_mss(), IpVersion::V6.default_mss()), (536, 1220));
/// assert_eq!(IpVersion::V6.min_mtu(), 1280);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum IpVersion {
    /// IPv4: default MSS 536, smallest MTU 68.
    V4,
    /// IPv6: default MSS 1220, smallest MTU 1280.
    V6,
}

impl IpVersion {
    /// Octets of the fixed IP header.
    ///
    /// ```
    /// use segue::IpVersion;
    /// assert_eq!((IpVersion::V4.header(), IpVersion::V6.header()), (20, 40));
    /// ```
    pub const fn header(self) -> u16 {
        match self {
            Self::V4 => 20,
            Self::V6 => 40,
        }
    }

    /// The send MSS to assume when the peer named none (MUST-15).
    ///
    /// ```
    /// use segue::IpVersion;
    /// assert_eq!((IpVersion::V4.default_mss(), IpVersion::V6.default_mss()), (536, 1220));
    /// ```
    pub const fn default_mss(self) -> u16 {
        match self {
            Self::V4 => 536,
            Self::V6 => 1220,
        }
    }

    /// The smallest MTU that every link of this version carries (RFC 791 §3.2, RFC 8200 §5).
    ///
    /// ```
    /// use segue::IpVersion;
    /// assert_eq!((IpVersion::V4.min_mtu(), IpVersion::V6.min_mtu()), (68, 1280));
    /// ```
    pub const fn min_mtu(self) -> u16 {
        match self {
            Self::V4 => 68,
            Self::V6 => 1280,
        }
    }

    /// The most octets of IP options or extension headers. An IPv4 header has 60 octets at most (RFC 791 §3.1). The
    /// chain of IPv6 headers up to the end of TCP's, 60 octets at most, fits the smallest MTU (RFC 7112 §5).
    const fn max_options(self) -> u16 {
        match self {
            Self::V4 => 40,
            Self::V6 => 1280 - 40 - 60,
        }
    }
}

/// The path of one connection: the MTU and the octets that IP takes from it.
///
/// ```
/// use segue::Path;
/// assert_eq!(Path::ipv4(1500).mss(), 1460);
/// assert_eq!(Path::ipv6(1500).mss(), 1440);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Path {
    /// The version of IP.
    pub ip: IpVersion,
    /// The largest IP packet, header included, in octets. Values under the version's minimum count as the minimum.
    pub mtu: u16,
    /// Octets of IP options or extension headers on every packet; they shrink the payload (MUST-16). Up to 40 over IPv4
    /// and 1180 over IPv6; a larger number counts as the limit. If an IPv4 path leaves less than 28 octets for TCP
    /// options and payload, segments take 28 nevertheless, and IP must fragment the packet.
    pub ip_options: u16,
}

impl Path {
    /// A path to a peer with this address, with this MTU in octets and no IP options.
    ///
    /// ```
    /// use segue::Path;
    /// assert_eq!(Path::new("2001:db8::1".parse()?, 1500), Path::ipv6(1500));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub const fn new(peer: IpAddr, mtu: u16) -> Self {
        match peer {
            IpAddr::V4(_) => Self::ipv4(mtu),
            IpAddr::V6(_) => Self::ipv6(mtu),
        }
    }

    /// A path over IPv4 with this MTU and no IP options.
    ///
    /// ```
    /// use segue::{IpVersion, Path};
    /// assert_eq!(Path::ipv4(1500), Path { ip: IpVersion::V4, mtu: 1500, ip_options: 0 });
    /// ```
    pub const fn ipv4(mtu: u16) -> Self {
        Self { ip: IpVersion::V4, mtu, ip_options: 0 }
    }

    /// A path over IPv6 with this MTU and no extension headers.
    ///
    /// ```
    /// use segue::{IpVersion, Path};
    /// assert_eq!(Path::ipv6(1500), Path { ip: IpVersion::V6, mtu: 1500, ip_options: 0 });
    /// ```
    pub const fn ipv6(mtu: u16) -> Self {
        Self { ip: IpVersion::V6, mtu, ip_options: 0 }
    }

    /// The path within the limits of IP.
    pub(crate) fn limited(self) -> Self {
        let (mtu, ip_options) = (self.mtu.max(self.ip.min_mtu()), self.ip_options.min(self.ip.max_options()));
        Self { mtu, ip_options, ..self }
    }

    /// The path within the limits of IP, where each segment leaves this many octets of its option area to the host. They count
    /// as octets of IP: both take from the text, and neither from the MSS that we announce.
    pub(crate) fn reserving(self, octets: u16) -> Self {
        let limited = self.limited();
        let ip_options = match limited.ip {
            IpVersion::V4 => limited.ip_options,
            IpVersion::V6 => limited.ip_options.min(IpVersion::V6.max_options().saturating_sub(octets)),
        };
        Self { ip_options: ip_options.saturating_add(octets), ..limited }
    }

    /// The MTU below which segments become no smaller, see `ip_options`: no search for the path MTU goes there.
    pub(crate) const fn least_mtu(&self) -> u16 {
        match self.ip {
            IpVersion::V4 => IpVersion::V4.min_mtu().saturating_add(self.ip_options),
            IpVersion::V6 => IpVersion::V6.min_mtu(),
        }
    }

    /// The MSS to announce: MTU less the fixed IP and TCP headers, options not subtracted (MUST-67, RFC 6691).
    ///
    /// ```
    /// use segue::Path;
    /// assert_eq!((Path::ipv4(1500).mss(), Path::ipv6(1500).mss()), (1460, 1440));
    /// assert_eq!(Path { ip_options: 8, ..Path::ipv4(1500) }.mss(), 1460); // options are not subtracted
    /// ```
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub const fn mss(&self) -> u16 {
        let mtu = if self.mtu < self.ip.min_mtu() { self.ip.min_mtu() } else { self.mtu };
        mtu - self.ip.header() - 20
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Path {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self { ip: u.arbitrary()?, mtu: u.int_in_range(68..=u16::MAX)?, ip_options: u.int_in_range(0..=40)? })
    }
}

/// The unpredictable numbers of one incarnation. Use each value once: choose `iss` as RFC 6528 says, knowing the
/// addresses and ports.
///
/// ```
/// use segue::{Secrets, SeqNum};
/// /// By RFC 6528; with the feature `host`, `host::Keys` does it.
/// fn secrets(hash_of_the_flow: u32, hash_of_the_hosts: u32, micros: u64) -> Secrets {
///     let ticks = u32::try_from(micros / 4 % (1 << 32)).unwrap_or(0); // one in 4 µs (MUST-8)
///     Secrets { iss: SeqNum::new(ticks) + hash_of_the_flow, ts_offset: hash_of_the_hosts }
/// }
/// assert_ne!(secrets(1, 2, 0), secrets(1, 2, 4));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Secrets {
    /// The initial send sequence number (RFC 9293 §3.4.1).
    pub iss: SeqNum,
    /// The offset of the timestamp clock (RFC 7323 §5.4).
    pub ts_offset: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(ip: IpVersion, mtu: u16, ip_options: u16) -> (u16, u16) {
        let path = Path { ip, mtu, ip_options }.limited();
        (path.mtu, path.ip_options)
    }

    #[test]
    fn options_and_mtu_are_those_that_ip_allows() {
        for (mtu, options, limited_mtu, limited_options) in [
            (1500, 0, 1500, 0),
            (1500, 40, 1500, 40),
            (1500, 41, 1500, 40),
            (1500, u16::MAX, 1500, 40),
            (0, 0, 68, 0),
            (67, 40, 68, 40),
            (u16::MAX, u16::MAX, u16::MAX, 40),
        ] {
            assert_eq!(limited(IpVersion::V4, mtu, options), (limited_mtu, limited_options));
            let path = Path { ip: IpVersion::V4, mtu, ip_options: limited_options };
            assert_eq!(path.least_mtu(), 68 + limited_options);
        }
        for (mtu, options, limited_mtu, limited_options) in
            [(1500, 8, 1500, 8), (0, 1180, 1280, 1180), (1280, 1181, 1280, 1180), (9000, u16::MAX, 9000, 1180)]
        {
            assert_eq!(limited(IpVersion::V6, mtu, options), (limited_mtu, limited_options));
            assert_eq!(Path { ip_options: options, ..Path::ipv6(mtu) }.least_mtu(), 1280);
        }
    }
}
