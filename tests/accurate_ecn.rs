//! Accurate ECN (RFC 9768): negotiation, counters, the ACE field and the option, fall-backs, and two ends over paths with
//! middleboxes. What is right is said by a model of the RFC in `model`, which shares no code with segue.

mod attacks;
mod fallback;
mod model;
mod negotiation;
mod options;
mod paths;
mod receiver;
mod sender;

use model::Codepoint;
use segue::{AccEcn, AccurateEcn, ConfigBuilder, Ecn, EcnMode, Flags, Options, Path, Segment};
use segue_kit::plain;
use segue_kit::rig::Rig;
use segue_kit::streams::{peer, peer_syn, peer_syn_ack};

/// The three bits as a number, AE the highest.
fn code(segment: &Segment) -> u8 {
    let bit = |flag, value| if segment.flags.contains(flag) { value } else { 0 };
    bit(Flags::AE, 4) + bit(Flags::CWR, 2) + bit(Flags::ECE, 1)
}

/// The segment with this number in these bits.
fn coded(segment: Segment, code: u8) -> Segment {
    let bits = Flags::AE | Flags::CWR | Flags::ECE;
    let flag = |flag, value| if code & value != 0 { flag } else { Flags::empty() };
    let code = flag(Flags::AE, 4) | flag(Flags::CWR, 2) | flag(Flags::ECE, 1);
    Segment { flags: segment.flags.difference(bits) | code, ..segment }
}

/// The segment as it arrives with this codepoint.
fn with(segment: Segment, codepoint: Codepoint) -> Segment {
    Segment { ecn: Ecn::from_bits(codepoint.0), ..segment }
}

fn ce(segment: Segment) -> Segment {
    with(segment, Codepoint::CE)
}

fn with_option(segment: Segment, option: Option<AccEcn>) -> Segment {
    let options = Options { acc_ecn: option, ..segment.options.get() };
    Segment { options: options.into(), ..segment }
}

fn order_0(fields: &[u32]) -> Option<AccEcn> {
    AccEcn::order_0(fields)
}

/// AccECN is asked for, and every SEND leaves at once.
fn accurate() -> ConfigBuilder {
    plain().ecn(EcnMode::Accurate).nagle(false)
}

fn connect(mode: EcnMode) -> Rig {
    Rig::connect(accurate().ecn(mode), Path::ipv4(1500))
}

fn accept(mode: EcnMode, syn: u8, arrived: Codepoint) -> Rig {
    Rig::accept(accurate().ecn(mode), Path::ipv4(1500), with(coded(peer_syn(), syn), arrived))
}

/// A client in AccECN mode whose SYN arrived as it was sent, and which gets options.
fn client() -> Rig {
    client_of(accurate())
}

fn client_of(config: ConfigBuilder) -> Rig {
    let mut rig = Rig::connect_with_reno(config);
    rig.arrives(with_option(coded(peer_syn_ack(), 0b010), order_0(&[1, 0, 1])));
    assert!(marks(&rig).options && rig.info().ecn);
    rig
}

/// A server in AccECN mode, established by a pure ACK.
fn server() -> Rig {
    let mut rig = accept(EcnMode::Passive, 0b111, Codepoint::NOT_ECT);
    rig.arrives(with_option(coded(peer(0, 0), 0b010), order_0(&[1, 0, 1])));
    assert!(marks(&rig).options && rig.info().ecn);
    rig
}

fn marks(rig: &Rig) -> AccurateEcn {
    rig.info().accurate_ecn.expect("AccECN mode")
}

/// This number of segments of 1000 octets leaves.
fn send(rig: &mut Rig, segments: usize) {
    for _ in 0..segments {
        rig.send(1000);
        assert_eq!(rig.only().payload.len(), 1000);
    }
}

/// The ACE field of every segment of the last call.
fn codes(rig: &Rig) -> Vec<u8> {
    rig.sent().iter().map(code).collect()
}
