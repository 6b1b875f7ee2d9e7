//! Explicit Congestion Notification (RFC 3168), rule by rule: which segments ask for it, carry it, echo it and answer it.

mod conversation;
mod handshake;
mod receiver;
mod sender;

use segue::{ConfigBuilder, Ecn, EcnMode, Flags, Segment};
use segue_kit::plain;
use segue_kit::rig::Rig;
use segue_kit::streams::peer_syn_ack;

const SETUP: Flags = Flags::ECE.union(Flags::CWR);

/// ESTABLISHED by an active OPEN that asked for ECN and was answered, with the window of RFC 5681.
fn agreed(config: ConfigBuilder) -> Rig {
    let mut tcp = Rig::connect_with_reno(config.ecn(EcnMode::Active));
    tcp.arrives(with(peer_syn_ack(), Flags::ECE));
    assert!(tcp.info().ecn);
    tcp
}

fn established() -> Rig {
    agreed(plain())
}

fn with(mut segment: Segment, flags: Flags) -> Segment {
    segment.flags |= flags;
    segment
}

fn marked(segment: Segment) -> Segment {
    Segment { ecn: Ecn::Ce, ..segment }
}

/// What a segment says of ECN: its codepoint, ECE and CWR.
fn said(segment: &Segment) -> (Ecn, Flags) {
    (segment.ecn, segment.flags & SETUP)
}

/// What the segments of the last call say.
fn all_said(tcp: &Rig) -> Vec<(Ecn, Flags)> {
    tcp.sent().iter().map(said).collect()
}
