//! ICMP errors and MTU changes (RFC 9293 §3.9.2.2, RFC 5927, RFC 1191, RFC 8201).

use crate::options::eff_snd_mss;
use crate::send::Sender;
use crate::{Controller, IcmpKind, IpVersion, Path, SeqNum};

/// Where an IPv4 router did not say its MTU, the next lower of these (RFC 1191 §7).
const PLATEAUS: [u16; 10] = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];

/// What an ICMP error means to a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Not ours, or of no concern.
    Ignore,
    /// Tell the user.
    Soft,
    /// The path takes packets of this size only.
    Mtu(u16),
    /// It ends a connection that is still opening.
    Hard,
}

/// RFC 5927 §4.1: whoever quotes a number that is not in flight has not seen our segments. While opening, that is the
/// ISS alone.
pub(super) fn judge<C: Controller>(
    snd: &Sender<C>,
    path: &Path,
    kind: IcmpKind,
    quoted_seq: SeqNum,
    mtu: u16,
) -> Verdict {
    if !quoted_seq.within(snd.una, snd.flight()) {
        return Verdict::Ignore;
    }
    match kind {
        IcmpKind::SourceQuench => Verdict::Ignore, // MUST-55
        IcmpKind::PacketTooBig => smaller_mtu(path, mtu).map_or(Verdict::Ignore, Verdict::Mtu),
        IcmpKind::Unreachable | IcmpKind::TimeExceeded | IcmpKind::ParameterProblem => Verdict::Soft, // MUST-56
        IcmpKind::ProtocolUnreachable | IcmpKind::PortUnreachable if snd.syn => Verdict::Hard,        // SHLD-26
        IcmpKind::ProtocolUnreachable | IcmpKind::PortUnreachable => Verdict::Soft,                   // RFC 5927 §5.2
    }
}

/// The path MTU that a "too big" message leaves: never larger than before, never below the version's minimum.
fn smaller_mtu(path: &Path, mtu: u16) -> Option<u16> {
    let claimed = match (path.ip, mtu) {
        (IpVersion::V4, 0) => PLATEAUS.iter().copied().find(|&plateau| plateau < path.mtu)?,
        (IpVersion::V4, mtu) => mtu.max(path.ip.min_mtu()),
        (IpVersion::V6, mtu) if mtu < path.ip.min_mtu() => return None, // RFC 8201 §4
        (IpVersion::V6, mtu) => mtu,
    };
    (claimed < path.mtu).then_some(claimed)
}

/// The path MTU is `mtu` now. When that is less, what is in flight is cut anew, without any congestion signal.
pub(super) fn set_mtu<C: Controller>(snd: &mut Sender<C>, path: &mut Path, mtu: u16) {
    let smaller = mtu < path.mtu;
    path.mtu = mtu;
    if snd.syn {
        return;
    }
    let mss = u32::from(eff_snd_mss(path, snd.send_mss, 0));
    if smaller && snd.flight() > 0 {
        snd.resegment(mss);
    } else {
        snd.cc.set_mss(mss);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mtu_only_shrinks_and_not_below_the_minimum() {
        let path = Path::ipv4(1500);
        assert_eq!(smaller_mtu(&path, 1400), Some(1400));
        assert_eq!(smaller_mtu(&path, 1500), None);
        assert_eq!(smaller_mtu(&path, 9000), None);
        assert_eq!(smaller_mtu(&path, 20), Some(68));
        assert_eq!(smaller_mtu(&path, 0), Some(1492));
        assert_eq!(smaller_mtu(&Path::ipv4(68), 0), None);
        assert_eq!(smaller_mtu(&Path::ipv6(1500), 1000), None);
        assert_eq!(smaller_mtu(&Path::ipv6(1500), 1280), Some(1280));
    }
}
