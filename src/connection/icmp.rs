//! ICMP errors and MTU changes (RFC 9293 §3.9.2.2, RFC 5927, RFC 1191, RFC 8201).

use super::tcb::{Cx, Tcb};
use crate::send::{Policy, Sender};
use crate::{Action, Controller, IcmpKind, IpVersion, Path, Report, Segment, SeqNum};

/// Where an IPv4 router did not say its MTU, the next lower of these (RFC 1191 §7).
const PLATEAUS: [u16; 10] = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];

/// What an ICMP error means to a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Not ours, or of no concern.
    Ignore,
    /// Tell the user.
    Soft,
    /// A link on the path takes packets of this size only, it says.
    TooBig(u16),
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
        IcmpKind::PacketTooBig => claimed_mtu(path, mtu).map_or(Verdict::Ignore, Verdict::TooBig),
        IcmpKind::Unreachable | IcmpKind::TimeExceeded | IcmpKind::ParameterProblem => Verdict::Soft, // MUST-56
        IcmpKind::ProtocolUnreachable | IcmpKind::PortUnreachable if snd.syn => Verdict::Hard,        // SHLD-26
        IcmpKind::ProtocolUnreachable | IcmpKind::PortUnreachable => Verdict::Soft,                   // RFC 5927 §5.2
    }
}

/// The MTU of the link that a "too big" message tells of; none that every link must carry, as no router can mean that.
fn claimed_mtu(path: &Path, mtu: u16) -> Option<u16> {
    match (path.ip, mtu) {
        (IpVersion::V4, 0) => PLATEAUS.iter().copied().find(|&plateau| plateau < path.mtu),
        (ip, mtu) => (mtu >= ip.min_mtu()).then_some(mtu), // RFC 8201 §4, RFC 5927 §7.4
    }
}

impl<C: Controller> Tcb<C> {
    /// The packet that carried the text at `seq` was too big for a link of `claimed` octets.
    pub(super) fn too_big(&mut self, seq: SeqNum, claimed: u16, cx: &mut Cx<'_, '_>) {
        let policy = Policy::new(cx.config, cx.path.ip.min_mtu());
        let start = self.snd.position_of(seq);
        let rtt = self.snd.rtt.srtt().unwrap_or(self.snd.rtt.base_rto());
        let times = (rtt.max(core::time::Duration::from_millis(1)), cx.now);
        let mtu = self.snd.path_mtu.on_too_big((start, claimed), (cx.path.mtu, self.snd.repeats), &policy, times);
        self.change_mtu(mtu, cx);
    }

    /// The first segment in flight has timed out: perhaps for its size, unless a window that shrank explains it.
    pub(super) fn suspect_mtu(&mut self, cx: &mut Cx<'_, '_>) {
        let policy = Policy::new(cx.config, cx.path.ip.min_mtu());
        let text = self.snd.first_lost(u32::from(self.mss(cx.path, 0)));
        let text = if self.snd.is_beyond_edge() { 0 } else { text };
        let size = packet_size(cx.path, self.option_octets(0), u16::try_from(text).unwrap_or(u16::MAX));
        let mtu = self.snd.path_mtu.on_timeout(size, (cx.path.mtu, self.snd.repeats), &policy, cx.now);
        self.change_mtu(mtu, cx);
    }

    /// SND.UNA has advanced: packets get through.
    pub(super) fn trust_mtu(&mut self, cx: &mut Cx<'_, '_>) {
        let policy = Policy::new(cx.config, cx.path.ip.min_mtu());
        let una = self.snd.position_of(self.snd.una);
        let mtu = self.snd.path_mtu.on_acknowledged(una, cx.path.mtu, &policy, cx.now);
        self.change_mtu(mtu, cx);
    }

    fn change_mtu(&mut self, mtu: Option<u16>, cx: &mut Cx<'_, '_>) {
        if let Some(mtu) = mtu {
            self.set_mtu(mtu, cx.path);
            cx.out.push(Action::Report(Report::PathMtu(mtu)));
        }
    }

    /// The path MTU is `mtu` now. What is in flight and too large is cut anew, without any congestion signal.
    pub(super) fn set_mtu(&mut self, mtu: u16, path: &mut Path) {
        let before = self.mss(path, 0);
        path.mtu = mtu;
        let mss = self.mss(path, 0);
        if self.snd.syn {
            return;
        }
        self.snd.cc.set_mss(u32::from(mss));
        if mss < before {
            self.snd.resegment(u32::from(mss));
        } else if mss > before {
            self.snd.coalesce(u32::from(mss));
        }
    }

    /// A segment of the stream leaves; `again` when its text was sent before.
    pub(super) fn note_packet(&mut self, segment: &Segment, again: bool, path: &Path) {
        let text = match segment.segment_size {
            0 => u16::try_from(segment.payload.len()).unwrap_or(u16::MAX),
            size => size,
        };
        let options = u16::try_from(segment.options.wire_len()).unwrap_or(40);
        let size = packet_size(path, options, text);
        let (start, end) = (self.snd.position_of(segment.seq), self.snd.position_of(segment.end()));
        self.snd.path_mtu.on_sent(start, end, size, again);
    }
}

/// Octets of the packet that carries so many octets of text, beside so many of TCP options.
fn packet_size(path: &Path, options: u16, text: u16) -> u16 {
    let header = (path.ip.header() + 20).saturating_add(path.ip_options).saturating_add(options);
    header.saturating_add(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_router_can_mean_less_than_every_link_carries() {
        let path = Path::ipv4(1500);
        assert_eq!(claimed_mtu(&path, 1400), Some(1400));
        assert_eq!(claimed_mtu(&path, 68), Some(68));
        assert_eq!(claimed_mtu(&path, 67), None);
        assert_eq!(claimed_mtu(&path, 0), Some(1492));
        assert_eq!(claimed_mtu(&Path::ipv4(68), 0), None);
        assert_eq!(claimed_mtu(&Path::ipv6(1500), 1279), None);
        assert_eq!(claimed_mtu(&Path::ipv6(1500), 0), None);
        assert_eq!(claimed_mtu(&Path::ipv6(1500), 1280), Some(1280));
    }
}
