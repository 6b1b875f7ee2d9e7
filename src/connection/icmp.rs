//! ICMP errors and MTU changes (RFC 9293 §3.9.2.2, RFC 5927, RFC 1191, RFC 8201).

use core::cmp::Ordering;
use core::mem;

use super::steady::Steady;
use super::tcb::{Cx, Tcb};
use crate::send::{Kind, Packet, Plan, Policy, Sender, TooBig};
use crate::time::Micros;
use crate::{Action, Config, Controller, IcmpKind, Instant, IpVersion, Path, Report, Segment, SeqNum, Sink};

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

/// MUST-54, RFC 5927 §4.1: whoever quotes a number that is not in flight has not seen our segments. While opening, that
/// is the ISS alone. A pure ACK has SND.NXT, which is not in flight. An error that quotes it counts if it says "too
/// big", which no timer of ours would find out, and if nothing is in flight or a pure ACK was sent since SND.NXT is
/// there. A blind attacker must guess this one number of 2³², as while opening; and he must claim a link that the ACK
/// does not pass, which leaves 68 to 79 octets over IPv4 and nothing over IPv6.
pub(super) fn judge<C: Controller>(
    snd: &Sender<C>,
    path: &Path,
    kind: IcmpKind,
    quoted_seq: SeqNum,
    mtu: u16,
) -> Verdict {
    let about_ack = snd.flight() == 0 || snd.path_mtu.sent_pure_ack();
    let pure_ack = quoted_seq == snd.nxt && kind == IcmpKind::PacketTooBig && about_ack;
    if !planted!(believe_any_error, quoted_seq.within(snd.una, snd.flight()), true) && !pure_ack {
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
    /// What decides about the path MTU beside what happened.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn mtu_policy(&self, config: &Config, path: &Path) -> Policy {
        let peer = (path.ip.header() + 20).saturating_add(self.snd.send_mss);
        Policy::new(config, path.least_mtu(), peer)
    }

    /// The packet that carried the text at `seq`, or a pure ACK, was too big for a link of `claimed` octets.
    pub(super) fn too_big(&mut self, seq: SeqNum, claimed: u16, cx: &mut Cx<'_, '_>) {
        let policy = self.mtu_policy(cx.config, cx.path);
        // What an ACK may have now, a report of a duplicate included; those before may have had more.
        let blocks = if self.snd.flight() == 0 { self.sack_blocks(cx.path, false, cx.config.dsack()) } else { 0 };
        let ack = packet_size(cx.path, self.option_octets(blocks), 0);
        let pure_ack = (seq == self.snd.nxt).then_some(ack);
        let error = TooBig { start: self.snd.position_of(seq), claimed, pure_ack };
        let probe = self.snd.path_mtu.probe();
        let path_mtu = &mut self.snd.path_mtu;
        if let Some(probe) = probe.filter(|_| path_mtu.on_probe_too_big(error, cx.path.mtu, &policy, cx.now)) {
            return self.snd.lose_mtu_probe(probe);
        }
        let rtt = self.snd.rtt.srtt().unwrap_or(self.snd.rtt.base_rto());
        let times = (rtt.max(Micros::from_millis(1)), cx.now);
        let mtu = self.snd.path_mtu.on_too_big(error, (cx.path.mtu, self.snd.repeats.into()), &policy, times);
        self.change_mtu(mtu, &mut cx.steady());
    }

    /// The first segment in flight has timed out: perhaps for its size, unless a window that shrank explains it. If it
    /// was a probe for a larger MTU another one may leave at `next_probe`.
    pub(super) fn suspect_mtu(&mut self, next_probe: Instant, cx: &mut Cx<'_, '_>) {
        let policy = self.mtu_policy(cx.config, cx.path);
        let mss = u32::from(self.eff_snd_mss);
        let una = self.snd.position_of(self.snd.una);
        self.snd.path_mtu.on_probe_timeout(una, next_probe, cx.path.mtu, &policy, cx.now);
        let text = u16::try_from(self.snd.first_lost(mss)).unwrap_or(u16::MAX);
        let size = if self.snd.is_beyond_edge() { 0 } else { packet_size(cx.path, self.option_octets(0), text) };
        let mtu = self.snd.path_mtu.on_timeout(size, (cx.path.mtu, self.snd.repeats.into()), &policy, cx.now);
        self.change_mtu(mtu, &mut cx.steady());
    }

    /// SND.UNA has advanced: packets get through.
    #[inline]
    pub(super) fn trust_mtu<S: Sink + ?Sized>(&mut self, steady: &mut Steady<'_, S>) {
        let una = self.snd.position();
        if !self.snd.path_mtu.on_acknowledged_at_rest(una) {
            let policy = self.mtu_policy(steady.config, steady.path);
            let mtu = self.snd.path_mtu.on_acknowledged(una, steady.path.mtu, &policy, steady.now);
            self.change_mtu(mtu, steady);
        }
    }

    fn change_mtu<S: Sink + ?Sized>(&mut self, mtu: Option<u16>, steady: &mut Steady<'_, S>) {
        if let Some(mtu) = mtu.filter(|mtu| *mtu != steady.path.mtu) {
            self.set_mtu(mtu, steady.config, steady.path);
            steady.sink.push(Action::Report(Report::PathMtu(mtu)));
        }
    }

    /// The path MTU is `mtu` now. Segments in flight that are too large are cut anew, without any congestion signal.
    pub(super) fn set_mtu(&mut self, mtu: u16, config: &Config, path: &mut Path) {
        path.mtu = mtu;
        if self.resize(config, path) == Ordering::Less {
            self.snd.resegment(self.eff_snd_mss.into(), config.send_buffer());
        }
    }

    /// Octets that fit a segment are more, or less, than before. What is in flight stays as it is: nothing is known
    /// against it, but where larger segments leave room for fewer records.
    pub(super) fn resize(&mut self, config: &Config, path: &Path) -> Ordering {
        let mss = self.mss(path, 0);
        let before = mem::replace(&mut self.eff_snd_mss, mss);
        if self.snd.syn {
            return Ordering::Equal;
        }
        self.snd.cc.set_mss(u32::from(mss));
        if mss > before {
            self.snd.coalesce(u32::from(mss), config.send_buffer());
        }
        mss.cmp(&before)
    }

    /// The most octets of the packet that this piece of the stream goes in.
    pub(super) fn packet_limit(&self, plan: &Plan, cx: &Cx<'_, '_>) -> u16 {
        let path_mtu = &self.snd.path_mtu;
        let size = match plan.kind {
            Kind::MtuProbe => self.mtu_probe_size(cx),
            Kind::Again if plan.seq == self.snd.una => path_mtu.cut(),
            Kind::New | Kind::Again | Kind::Rescue | Kind::Tail | Kind::Probe => None,
        };
        size.unwrap_or(cx.path.mtu)
    }

    /// The size of the packet that probes for a larger path MTU, if the search wants one.
    pub(super) fn mtu_probe_size(&self, cx: &Cx<'_, '_>) -> Option<u16> {
        let useful = |high: u16| {
            let header = packet_size(cx.path, self.option_octets(0), 0);
            let (text, mss) = (high.saturating_sub(header).into(), self.eff_snd_mss.into());
            let text = self.snd.useful_mtu_probe(text, mss, cx.config.send_buffer());
            header.saturating_add(u16::try_from(text).unwrap_or(u16::MAX))
        };
        self.snd.path_mtu.probe_size(cx.path.mtu, useful, cx.now)
    }

    /// A piece of the stream leaves; `again` when it was sent before, `first` when it starts at SND.UNA.
    pub(super) fn note_packet(&mut self, segment: &Segment, (kind, again): (Kind, bool), path: &Path) {
        let text = match segment.segment_size {
            0 => u16::try_from(segment.payload.len()).unwrap_or(u16::MAX),
            size => size,
        };
        let size = packet_size(path, options_len(segment), text);
        let (start, end) = (self.snd.position_of(segment.seq), self.snd.position_of(segment.end()));
        let first = segment.seq == self.snd.una;
        self.snd.path_mtu.on_sent(&Packet { start, end, size, again, first, probe: kind == Kind::MtuProbe });
    }

    /// A segment leaves that takes no sequence numbers: an error about it quotes SND.NXT.
    pub(super) fn note_pure_ack(&mut self, segment: &Segment, path: &Path) {
        if segment.seq == self.snd.nxt {
            self.snd.path_mtu.on_pure_ack(packet_size(path, options_len(segment), 0));
        }
    }
}

fn options_len(segment: &Segment) -> u16 {
    u16::try_from(segment.options.wire_len()).unwrap_or(40)
}

/// Octets of the packet that carries `text` octets of text and `options` octets of TCP options.
pub(super) fn packet_size(path: &Path, options: u16, text: u16) -> u16 {
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
