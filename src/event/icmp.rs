//! ICMP errors as TCP sees them (RFC 9293 §3.9.2.2).

use core::fmt;

/// The kind of an ICMP or ICMPv6 error.
///
/// ```
/// use segue::IcmpKind;
/// assert_eq!(IcmpKind::from_v4(3, 4), Some(IcmpKind::PacketTooBig)); // fragmentation needed
/// assert!(IcmpKind::PortUnreachable.is_hard());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum IcmpKind {
    /// A soft error: network or host unreachable, source route failed, no route, beyond scope (MUST-56).
    Unreachable,
    /// A soft error: time or hop limit exceeded (MUST-56).
    TimeExceeded,
    /// A soft error: parameter problem (MUST-56).
    ParameterProblem,
    /// A hard error: the peer does not speak TCP (SHLD-26).
    ProtocolUnreachable,
    /// A hard error: nobody listens there, or a policy forbids it (SHLD-26).
    PortUnreachable,
    /// Fragmentation needed (IPv4), packet too big (IPv6): the path MTU is smaller (RFC 1191, RFC 8201).
    PacketTooBig,
    /// Source Quench: silently ignored (MUST-55).
    SourceQuench,
}

impl fmt::Display for IcmpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "unreachable",
            Self::TimeExceeded => "time exceeded",
            Self::ParameterProblem => "parameter problem",
            Self::ProtocolUnreachable => "protocol unreachable",
            Self::PortUnreachable => "port unreachable",
            Self::PacketTooBig => "packet too big",
            Self::SourceQuench => "source quench",
        })
    }
}

impl IcmpKind {
    /// The meaning of an ICMPv4 type and code (RFC 792); `None` for messages that do not concern TCP.
    ///
    /// ```
    /// use segue::IcmpKind;
    /// assert_eq!(IcmpKind::from_v4(3, 4), Some(IcmpKind::PacketTooBig)); // fragmentation needed
    /// assert_eq!(IcmpKind::from_v4(8, 0), None); // an echo request
    /// ```
    pub const fn from_v4(kind: u8, code: u8) -> Option<Self> {
        match (kind, code) {
            (3, 0 | 1 | 5..=13) => Some(Self::Unreachable),
            (3, 2) => Some(Self::ProtocolUnreachable),
            (3, 3) => Some(Self::PortUnreachable),
            (3, 4) => Some(Self::PacketTooBig),
            (4, _) => Some(Self::SourceQuench),
            (11, 0 | 1) => Some(Self::TimeExceeded),
            (12, _) => Some(Self::ParameterProblem),
            _ => None,
        }
    }

    /// The meaning of an ICMPv6 type and code (RFC 4443); `None` for messages that do not concern TCP.
    ///
    /// ```
    /// use segue::IcmpKind;
    /// assert_eq!(IcmpKind::from_v6(2, 0), Some(IcmpKind::PacketTooBig));
    /// assert_eq!(IcmpKind::from_v6(128, 0), None); // an echo request
    /// ```
    pub const fn from_v6(kind: u8, code: u8) -> Option<Self> {
        match (kind, code) {
            (1, 0 | 2 | 3 | 5 | 6) => Some(Self::Unreachable),
            (1, 1 | 4) => Some(Self::PortUnreachable),
            (2, _) => Some(Self::PacketTooBig),
            (3, 0 | 1) => Some(Self::TimeExceeded),
            (4, 0..=2) => Some(Self::ParameterProblem),
            _ => None,
        }
    }

    /// Whether it ends a connection that is still opening (SHLD-26). In synchronized states every error is soft (RFC
    /// 5927 §5.2).
    ///
    /// ```
    /// use segue::IcmpKind;
    /// assert!(IcmpKind::PortUnreachable.is_hard() && !IcmpKind::TimeExceeded.is_hard());
    /// ```
    pub const fn is_hard(self) -> bool {
        match self {
            Self::ProtocolUnreachable | Self::PortUnreachable => true,
            Self::Unreachable
            | Self::TimeExceeded
            | Self::ParameterProblem
            | Self::PacketTooBig
            | Self::SourceQuench => false,
        }
    }
}
