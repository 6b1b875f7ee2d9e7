//! RFC 9768 §3.1.4, §3.1.5, §3.2.2.3, §3.2.2.4, §3.2.3.2: what each end falls back to, row by row. In every case the mode
//! stays, and what arrives is counted and fed back.

use segue::{Ecn, EcnMode, Flags, Segment, State, Timer};
use segue_kit::rig::Rig;
use segue_kit::secs;
use segue_kit::streams::{peer, peer_ctl, peer_syn, peer_syn_ack, peer_text};

use super::model::Codepoint;
use super::{accept, ce, client, code, coded, codes, connect, marks, order_0, send, server, with_option};

/// Text that the peer sends with CE is fed back.
fn feeds_back(rig: &mut Rig, seq: u32, ack: u32) {
    let before = marks(rig).ce_packets_in;
    rig.arrives(ce(peer_text(seq, 10, ack)));
    assert_eq!(marks(rig).ce_packets_in, before + 1);
    assert_eq!(u64::from(code(rig.only())), (5 + before + 1) % 8);
}

/// The codepoint of new text.
fn codepoint(rig: &mut Rig) -> Ecn {
    rig.send(1);
    rig.sent().last().expect("text").ecn
}

/// §3.1.4.1: once more, then without; and always with the same number.
#[test]
fn rfc_9768_3_1_4_1_a_syn_that_times_out() {
    let mut rig = connect(EcnMode::Accurate);
    let mut said = vec![(code(rig.only()), rig.only().seq)];
    for _ in 0..3 {
        rig.fire(Timer::Retransmit);
        said.push((code(rig.only()), rig.only().seq));
    }
    let seq = said[0].1;
    assert_eq!(said, [(0b111, seq), (0b111, seq), (0, seq), (0, seq)]);
    // the client may set ECT: it knows the server's mode
    rig.arrives(coded(peer_syn_ack(), 0b010));
    assert_eq!((rig.info().ecn, codepoint(&mut rig)), (true, Ecn::Ect0));
    feeds_back(&mut rig, 0, 1);
}

/// A SYN,ACK that answers the plain SYN came first: Not ECN, whatever comes later.
#[test]
fn rfc_9768_3_1_4_1_the_first_syn_ack_decides() {
    let mut rig = connect(EcnMode::Accurate);
    (0..2).for_each(|_| _ = rig.fire(Timer::Retransmit));
    rig.arrives(peer_syn_ack());
    assert_eq!((rig.info().accurate_ecn, codepoint(&mut rig)), (None, Ecn::NotEct));
    rig.arrives(coded(peer_syn_ack(), 0b010));
    assert_eq!((rig.info().accurate_ecn, codes(&rig)), (None, vec![0]));
    // a client in AccECN mode that gets a plain SYN,ACK later goes on with ECT
    let mut rig = client();
    rig.arrives(peer_syn_ack());
    assert_eq!(codes(&rig), [5]);
    assert_eq!(codepoint(&mut rig), Ecn::Ect0);
}

/// RFC 3168 §6.1.1.1, updated by §3.1.4: a reset may come from a middlebox.
#[test]
fn a_syn_that_is_refused_goes_again_without() {
    let mut rig = connect(EcnMode::Accurate);
    rig.arrives(peer_ctl(Flags::RST | Flags::ACK, 0, 0));
    assert_eq!((codes(&rig), rig.state()), (vec![0], State::SynSent));
    rig.arrives(peer_ctl(Flags::RST | Flags::ACK, 0, 0));
    assert_eq!(rig.state(), State::Closed);
}

/// §3.2.3.2.2: without the option, then without ECN; the mode stays. §3.1.5: then no ECT.
#[test]
fn rfc_9768_3_2_3_2_2_a_syn_ack_that_times_out() {
    let mut rig = accept(EcnMode::Passive, 0b111, Codepoint::ECT_0);
    let mut said = vec![(code(rig.only()), rig.only().options.acc_ecn())];
    for _ in 0..3 {
        rig.fire(Timer::Retransmit);
        said.push((code(rig.only()), rig.only().options.acc_ecn()));
    }
    assert_eq!(said, [(0b100, order_0(&[1, 0, 1])), (0b100, None), (0, None), (0, None)]);
    rig.arrives(coded(peer(0, 0), 0b010));
    assert!(!rig.info().ecn && rig.info().accurate_ecn.is_some());
    feeds_back(&mut rig, 0, 0);
    assert_eq!(rig.only().options.acc_ecn(), None, "no option any more");
    assert_eq!(codepoint(&mut rig), Ecn::NotEct);

    // after one timeout there is still ECT
    let mut rig = accept(EcnMode::Passive, 0b111, Codepoint::NOT_ECT);
    rig.fire(Timer::Retransmit);
    rig.arrives(coded(peer(0, 0), 0b010));
    assert_eq!(codepoint(&mut rig), Ecn::Ect0);
}

/// §3.2.3.2.2: a second SYN that asks is answered without the option.
#[test]
fn rfc_9768_3_2_3_2_2_a_second_syn_is_answered_without_the_option() {
    let mut rig = accept(EcnMode::Passive, 0b111, Codepoint::NOT_ECT);
    rig.arrives(coded(peer_syn(), 0b111));
    assert_eq!((codes(&rig), rig.only().options.acc_ecn()), (vec![0b010], None));
    rig.arrives(coded(peer(0, 0), 0b010));
    assert_eq!(codepoint(&mut rig), Ecn::Ect0);
}

/// §3.1.5: a SYN without ECN at a server in AccECN mode is answered in that mode, and no ECT is set then; in any order.
#[test]
fn rfc_9768_3_1_5_a_plain_syn_after_one_that_asks() {
    let mut rig = accept(EcnMode::Passive, 0b111, Codepoint::NOT_ECT);
    rig.arrives(peer_syn());
    assert_eq!(codes(&rig), [0b010]);
    rig.arrives(coded(peer(0, 0), 0b010));
    assert!(!rig.info().ecn);
    feeds_back(&mut rig, 0, 0);
    // and feedback is heeded
    send(&mut rig, 1);
    assert_eq!(rig.only().ecn, Ecn::NotEct);
    rig.arrives(coded(peer(10, 1000), 6));
    assert_eq!((rig.info().counters.ecn_reductions, marks(&rig).ce_packets_out), (1, 1));

    // Not ECN mode stays, too: any SYN is answered without
    for syn in [0b011, 0b111, 0b101] {
        let mut rig = accept(EcnMode::Passive, 0b000, Codepoint::NOT_ECT);
        rig.arrives(coded(peer_syn(), syn));
        assert_eq!(codes(&rig), [0], "{syn:#05b}");
        rig.arrives(peer(0, 0));
        assert_eq!((rig.info().accurate_ecn, codepoint(&mut rig)), (None, Ecn::NotEct));
    }
}

/// §3.1.5: "MUST NOT switch into a different feedback mode": a classic server stays classic.
#[test]
fn rfc_9768_3_1_5_a_classic_server_stays_classic() {
    let mut rig = accept(EcnMode::Passive, 0b011, Codepoint::NOT_ECT);
    assert_eq!(codes(&rig), [0b001]);
    rig.arrives(peer_syn());
    rig.arrives(peer(0, 0));
    assert!(!rig.info().ecn);
    rig.arrives(ce(peer_text(0, 10, 0)));
    assert_eq!(codes(&rig), [0b001], "a mark is still echoed");
}

/// §3.1.5: both kinds in one handshake: RST.
#[test]
fn rfc_9768_3_1_5_two_kinds_of_syn_reset_the_connection() {
    for (first, second) in [(0b011, 0b111), (0b111, 0b011), (0b011, 0b010), (0b100, 0b011)] {
        let mut rig = accept(EcnMode::Passive, first, Codepoint::NOT_ECT);
        let said = rig.arrives(coded(peer_syn(), second));
        assert_eq!((said.contains("RST"), rig.state()), (true, State::Closed), "{first:#05b} {second:#05b}: {said}");
    }
    // who does not speak AccECN sees one kind only
    let mut rig = accept(EcnMode::Active, 0b011, Codepoint::NOT_ECT);
    rig.arrives(coded(peer_syn(), 0b111));
    assert_eq!(rig.state(), State::SynReceived);
    // one in the window, with another number, says nothing of this handshake
    let mut rig = accept(EcnMode::Passive, 0b111, Codepoint::NOT_ECT);
    let other = Segment { seq: peer_syn().seq + 5, ..coded(peer_syn(), 0b011) };
    assert!(!rig.arrives(other).contains("RST"));
}

/// §3.2.2.3: the handshake says that the IP-ECN field of our SYN or SYN,ACK changed: no ECT, but marks are heeded.
#[test]
fn rfc_9768_3_2_2_3_mangling_ends_ect_and_nothing_else() {
    for told in [0b011, 0b100, 0b110] {
        let mut client = connect(EcnMode::Accurate);
        client.arrives(coded(peer_syn_ack(), told));
        let mut server = accept(EcnMode::Passive, 0b111, Codepoint::NOT_ECT);
        server.arrives(coded(peer(0, 0), told));
        for mut rig in [client, server] {
            assert_eq!((rig.info().ecn, codepoint(&mut rig)), (false, Ecn::NotEct), "{told:#05b}");
            feeds_back(&mut rig, 0, 0);
            let next = (5 + marks(&rig).ce_packets_out + 1) as u8 % 8;
            rig.arrives(coded(peer(10, 1), next));
            assert_eq!(rig.info().counters.ecn_reductions, 1, "{told:#05b}");
        }
    }
}

/// §3.2.2.4: the first counter is zero, though too few packets are acknowledged for it to have come there by counting.
#[test]
fn rfc_9768_3_2_2_4_a_zeroed_counter_is_not_heeded() {
    for mut rig in [client(), server()] {
        send(&mut rig, 1);
        rig.arrives(coded(peer(0, 1000), 0));
        assert_eq!((rig.info().ecn, rig.info().counters.ecn_reductions), (false, 0));
        assert_eq!(codepoint(&mut rig), Ecn::NotEct);
        feeds_back(&mut rig, 0, 1000);
    }
    // three marked packets bring it there
    let mut rig = client();
    send(&mut rig, 3);
    rig.arrives(coded(peer(0, 3000), 0));
    assert_eq!((rig.info().ecn, rig.info().counters.ecn_reductions, marks(&rig).ce_packets_out), (true, 1, 3));
    // any other number may be the first: later variants of the protocol begin elsewhere
    for ace in 1..8 {
        let mut rig = client();
        send(&mut rig, 1);
        rig.arrives(coded(peer(0, 1000), ace));
        assert!(rig.info().ecn, "{ace}");
    }
}

/// §3.2.2.3: every packet of the first rounds is said to be marked: it is no queue that marks.
#[test]
fn rfc_9768_3_2_2_3_continuous_marking_is_not_heeded() {
    for clean in [false, true] {
        let mut rig = client();
        let mut acked = 0;
        let mut round = |rig: &mut Rig, ace: u8| {
            rig.wait(secs(2)); // the window may be one segment, which waits for the timer
            send(rig, 1);
            acked += 1000;
            rig.arrives(coded(peer(0, acked), ace % 8));
            rig.info().counters.ecn_reductions
        };
        if clean {
            round(&mut rig, 5);
        }
        for n in 1..=4 {
            assert!(rig.info().ecn);
            assert_eq!(round(&mut rig, 5 + n), u64::from(n) - u64::from(n == 4 && !clean));
        }
        assert_eq!(rig.info().ecn, clean);
        assert_eq!(round(&mut rig, 10), if clean { 5 } else { 3 });
        feeds_back(&mut rig, 0, acked);
    }
}

/// §3.2.3.2.3: no option where one ought to be: the ACE field alone, until one comes.
#[test]
fn rfc_9768_3_2_3_2_3_an_option_that_is_absent_may_come_later() {
    let mut rig = connect(EcnMode::Accurate);
    rig.arrives(coded(peer_syn_ack(), 0b010));
    assert!(!marks(&rig).options);
    assert!(rig.sent()[0].options.acc_ecn().is_some(), "options are sent nevertheless");
    send(&mut rig, 1);
    rig.arrives(with_option(coded(peer(0, 1000), 5), order_0(&[1001])));
    assert!(marks(&rig).options && marks(&rig).ect_octets_out == (1000, 0));
    let mut rig = accept(EcnMode::Passive, 0b111, Codepoint::NOT_ECT);
    rig.arrives(coded(peer(0, 0), 0b010));
    assert!(!marks(&rig).options);
}

/// §3.2.3.2.4: the first option has a counter that is zero: options are ignored. Other numbers are no matter.
#[test]
fn rfc_9768_3_2_3_2_4_a_zeroed_option_is_ignored() {
    for (fields, ignored) in [([0, 0, 1], true), ([1, 0, 0], true), ([0, 0, 0], true), ([7, 9, 3], false)] {
        let mut client = connect(EcnMode::Accurate);
        client.arrives(with_option(coded(peer_syn_ack(), 0b010), order_0(&fields)));
        let mut server = accept(EcnMode::Passive, 0b111, Codepoint::NOT_ECT);
        server.arrives(with_option(coded(peer(0, 0), 0b010), order_0(&fields)));
        for mut rig in [client, server] {
            assert_eq!(marks(&rig).options, !ignored, "{fields:?}");
            let (ect_0, ect_1) = marks(&rig).ect_octets_out;
            assert!(!ignored || (ect_0, ect_1) == (0, 0), "{fields:?}: {ect_0} and {ect_1}");
            send(&mut rig, 1);
            let [e0b, ceb, _] = fields;
            rig.arrives(with_option(coded(peer(0, 1000), 6), order_0(&[e0b, ceb + 1000])));
            assert_eq!((marks(&rig).options, marks(&rig).ce_packets_out), (!ignored, 1));
            assert_eq!((marks(&rig).ce_octets_out, rig.info().ecn), (1000, true));
        }
    }
}

/// §3.2.3.2.5: marked octets without a marked packet: feedback is mangled, and no ECT is set any more.
#[test]
fn rfc_9768_3_2_3_2_5_octets_without_a_packet_end_ect() {
    let mut rig = client();
    send(&mut rig, 2);
    rig.arrives(with_option(coded(peer(0, 1000), 5), order_0(&[1001, 0])));
    assert!(rig.info().ecn);
    rig.arrives(with_option(coded(peer(0, 2000), 5), order_0(&[1001, 1000])));
    assert!(!rig.info().ecn);
    assert_eq!(codepoint(&mut rig), Ecn::NotEct);
    feeds_back(&mut rig, 0, 2000);
    // where the packet was told of earlier, without an option, nothing is wrong
    let mut rig = client();
    send(&mut rig, 3);
    rig.arrives(coded(peer(0, 1000), 6));
    rig.arrives(with_option(coded(peer(0, 2000), 6), order_0(&[1001, 1000])));
    assert!(rig.info().ecn);
    assert_eq!((marks(&rig).ce_packets_out, marks(&rig).ce_octets_out), (1, 1000));
}

/// §3.2.3.2.2: the first data segment, with its option, is lost: it goes again without.
#[test]
fn rfc_9768_3_2_3_2_2_text_goes_again_without_the_option() {
    let mut rig = client();
    rig.send(100);
    assert!(rig.only().options.acc_ecn().is_some());
    rig.fire(Timer::Retransmit);
    assert_eq!((rig.only().options.acc_ecn(), code(rig.only()), rig.only().ecn), (None, 5, Ecn::NotEct));
}
