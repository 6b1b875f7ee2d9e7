//! RFC 3168 §6.1.1: which connections use ECN.

use segue::{CloseReason, Config, Discard, Ecn, EcnMode, Flags, Path, State, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{ours, peer, peer_ctl, peer_syn, peer_syn_ack, theirs};
use segue_kit::{ms, plain};

use super::{SETUP, all_said, said, with};

const NOTHING: (Ecn, Flags) = (Ecn::NotEct, Flags::empty());
const RST_ACK: Flags = Flags::RST.union(Flags::ACK);

fn connect(mode: EcnMode) -> Rig {
    Rig::connect(plain().ecn(mode), Path::ipv4(1500))
}

fn accept(mode: EcnMode, flags: Flags) -> Rig {
    Rig::accept(plain().ecn(mode), Path::ipv4(1500), with(peer_syn(), flags))
}

#[test]
fn by_default_ecn_is_used_when_the_peer_asks() {
    assert_eq!(Config::default().ecn(), EcnMode::Passive);
}

#[test]
fn syn_asks_with_both_bits_and_without_ect() {
    assert_eq!(all_said(&connect(EcnMode::Active)), [(Ecn::NotEct, SETUP)]);
    assert_eq!(all_said(&connect(EcnMode::Passive)), [NOTHING]);
    assert_eq!(all_said(&connect(EcnMode::Off)), [NOTHING]);
}

#[test]
fn syn_ack_accepts_with_ece_alone_and_without_ect() {
    for (mode, asked, answer) in [
        (EcnMode::Passive, SETUP, Flags::ECE),
        (EcnMode::Active, SETUP, Flags::ECE),
        (EcnMode::Off, SETUP, Flags::empty()),
        (EcnMode::Active, Flags::empty(), Flags::empty()),
        (EcnMode::Active, Flags::ECE, Flags::empty()),
        (EcnMode::Active, Flags::CWR, Flags::empty()),
    ] {
        let mut server = accept(mode, asked);
        assert_eq!(all_said(&server), [(Ecn::NotEct, answer)], "{mode:?} {asked:?}");
        server.fire(Timer::Retransmit);
        assert_eq!(all_said(&server), [(Ecn::NotEct, answer)], "{mode:?} {asked:?}, sent again");
        server.arrives(peer(0, 0));
        assert_eq!(server.info().ecn, !answer.is_empty());
        server.send(1);
        let codepoint = if answer.is_empty() { Ecn::NotEct } else { Ecn::Ect0 };
        assert_eq!(all_said(&server), [(codepoint, Flags::empty())]);
    }
}

/// §6.1.1.2: a peer that reflects the reserved bits does not know ECN.
#[test]
fn only_a_syn_ack_with_ece_alone_agrees() {
    for (mode, answer, agreed) in [
        (EcnMode::Active, Flags::ECE, true),
        (EcnMode::Active, SETUP, false),
        (EcnMode::Active, Flags::CWR, false),
        (EcnMode::Active, Flags::empty(), false),
        (EcnMode::Passive, Flags::ECE, false), // it answers what nobody asked
        (EcnMode::Off, Flags::ECE, false),
    ] {
        let mut client = connect(mode);
        assert_eq!(client.arrives(with(peer_syn_ack(), answer)), "Connected; <SEQ=0><ACK=0><CTL=ACK>");
        assert_eq!(all_said(&client), [NOTHING], "the ACK of the SYN,ACK");
        client.send(1);
        let codepoint = if agreed { Ecn::Ect0 } else { Ecn::NotEct };
        assert_eq!(all_said(&client), [(codepoint, Flags::empty())], "{mode:?} {answer:?}");
    }
}

#[test]
fn crossing_syns_that_both_ask_agree() {
    let mut tcp = connect(EcnMode::Active);
    assert_eq!(tcp.arrives(with(peer_syn(), SETUP)), "<SEQ=-1><ACK=0><CTL=SYN,ACK,ECE>");
    assert_eq!(tcp.arrives(with(peer_syn_ack(), Flags::ECE)), "Connected");
    tcp.send(1);
    assert_eq!(all_said(&tcp), [(Ecn::Ect0, Flags::empty())]);
}

#[test]
fn crossing_syns_of_which_one_does_not_ask_do_not_agree() {
    for (mode, theirs) in [(EcnMode::Active, Flags::empty()), (EcnMode::Passive, SETUP), (EcnMode::Off, SETUP)] {
        let mut tcp = connect(mode);
        assert_eq!(tcp.arrives(with(peer_syn(), theirs)), "<SEQ=-1><ACK=0><CTL=SYN,ACK>", "{mode:?}");
        tcp.arrives(with(peer_syn_ack(), Flags::ECE));
        tcp.send(1);
        assert_eq!(all_said(&tcp), [NOTHING], "{mode:?}");
    }
    // the SYNs agree, the SYN,ACK that follows does not
    let mut tcp = connect(EcnMode::Active);
    tcp.arrives(with(peer_syn(), SETUP));
    tcp.arrives(peer_syn_ack());
    assert_eq!(tcp.state(), State::Established);
    tcp.send(1);
    assert_eq!(all_said(&tcp), [NOTHING]);
}

/// A SYN,ACK whose acknowledgment is bad is not the peer's word.
#[test]
fn a_bad_syn_ack_in_syn_received_says_nothing() {
    let mut tcp = connect(EcnMode::Active);
    tcp.arrives(with(peer_syn(), SETUP));
    let bad = segue::Segment { ack: ours(77), ..peer_syn_ack() };
    assert!(tcp.arrives(bad).contains("Discarded(BadHandshakeAck)"));
    tcp.arrives(with(peer_syn_ack(), Flags::ECE));
    assert!(tcp.info().ecn);
}

/// §6.1.1.1: no reply to an ECN-setup SYN.
#[test]
fn syn_that_times_out_is_sent_again_without_ecn() {
    let mut tcp = connect(EcnMode::Active);
    for _ in 0..2 {
        assert_eq!(tcp.fire(Timer::Retransmit), "<SEQ=-1><CTL=SYN>");
        assert_eq!(all_said(&tcp), [NOTHING]);
    }
    // the answer to the first was late: ECT is forbidden after a plain SYN
    tcp.arrives(with(peer_syn_ack(), Flags::ECE));
    assert!(!tcp.info().ecn);
    tcp.send(1);
    assert_eq!(all_said(&tcp), [NOTHING]);
    // but the peer may have heard the first only, and its marks are echoed
    tcp.arrives(super::marked(segue_kit::streams::peer_text(0, 1, 1)));
    assert_eq!(all_said(&tcp), [(Ecn::NotEct, Flags::ECE)]);
}

/// §6.1.1.1: a reset in answer to an ECN-setup SYN may come from a middlebox. Once, and at once.
#[test]
fn syn_that_is_refused_is_sent_again_without_ecn_once() {
    let mut tcp = connect(EcnMode::Active);
    tcp.quiet(ms(30));
    assert_eq!(tcp.arrives(peer_ctl(RST_ACK, 0, 0)), "<SEQ=-1><CTL=SYN>");
    assert_eq!((all_said(&tcp), tcp.state()), (vec![NOTHING], State::SynSent));
    assert_eq!(tcp.until(Timer::Retransmit), Some(ms(1000)));
    assert_eq!(tcp.arrives(peer_ctl(RST_ACK, 0, 0)), format!("Closed({:?})", CloseReason::Refused));

    let mut tcp = connect(EcnMode::Active);
    tcp.arrives(peer_ctl(RST_ACK, 0, 0));
    assert_eq!(tcp.arrives(peer_syn_ack()), "Connected; <SEQ=0><ACK=0><CTL=ACK>");
    assert!(!tcp.info().ecn);
}

#[test]
fn a_reset_that_proves_nothing_changes_nothing() {
    let mut tcp = connect(EcnMode::Active);
    let before = tcp.connection.canonical(tcp.now);
    let blind = segue::Segment { flags: Flags::RST, seq: theirs(0), ..Default::default() };
    assert_eq!(tcp.arrives(blind), format!("Discarded({:?})", Discard::BlindReset));
    assert_eq!(tcp.arrives(peer_ctl(RST_ACK, 0, 1)), format!("Discarded({:?})", Discard::BadHandshakeAck));
    assert_eq!(tcp.connection.canonical(tcp.now), before);
}

#[test]
fn a_plain_syn_that_is_refused_is_refused() {
    for mode in [EcnMode::Passive, EcnMode::Off] {
        let mut tcp = connect(mode);
        assert_eq!(tcp.arrives(peer_ctl(RST_ACK, 0, 0)), format!("Closed({:?})", CloseReason::Refused));
    }
}

/// The scenario (1) to (4) of §6.1.1.1: the SYN,ACK is lost, the SYN that follows is plain, and so is its answer.
#[test]
fn after_a_plain_syn_the_server_answers_plainly_and_sets_no_ect() {
    let mut server = accept(EcnMode::Passive, SETUP);
    assert_eq!(said(&server.sent()[0]).1, Flags::ECE);
    assert_eq!(server.arrives(peer_syn()), "<SEQ=-1><ACK=0><CTL=SYN,ACK>; Discarded(SynRepeated)");
    assert_eq!(server.fire(Timer::Retransmit), "<SEQ=-1><ACK=0><CTL=SYN,ACK>");
    server.arrives(peer(0, 0));
    server.send(1);
    assert_eq!(all_said(&server), [NOTHING]);
    assert!(!server.info().ecn);

    let mut server = accept(EcnMode::Passive, Flags::empty());
    assert_eq!(server.arrives(with(peer_syn(), SETUP)), "<SEQ=-1><ACK=0><CTL=SYN,ACK>; Discarded(SynRepeated)");
    server.arrives(peer(0, 0));
    assert!(!server.info().ecn);
}
