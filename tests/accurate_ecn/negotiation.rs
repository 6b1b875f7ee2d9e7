//! RFC 9768 §3.1.1 to §3.1.3: which connections use accurate feedback, by the tables.

use segue::{Config, Ecn, EcnMode, Flags, Path, Segment, State, Timer};
use segue_kit::plain;
use segue_kit::rig::Rig;
use segue_kit::streams::{peer, peer_ctl, peer_syn, peer_syn_ack, peer_text, theirs};

use super::model::{self, Codepoint, Host, Mode};
use super::{accept, ce, client, code, coded, codes, connect, marks, send, with};

const MODES: [EcnMode; 4] = [EcnMode::Off, EcnMode::Passive, EcnMode::Active, EcnMode::Accurate];

/// What a mode is as a server.
fn host(mode: EcnMode) -> Host {
    match mode {
        EcnMode::Off => Host { accurate: false, classic: false },
        EcnMode::Active => Host { accurate: false, classic: true },
        EcnMode::Passive | EcnMode::Accurate => Host { accurate: true, classic: true },
    }
}

fn mode_of(rig: &Rig) -> Mode {
    let info = rig.info();
    match (info.accurate_ecn.is_some(), info.ecn) {
        (true, _) => Mode::Accurate,
        (false, true) => Mode::Classic,
        (false, false) => Mode::NotEcn,
    }
}

/// §3.1.1: only who is told so asks, and nothing but a peer that asks makes the others.
#[test]
fn rfc_9768_3_1_1_only_accurate_asks() {
    assert_eq!(Config::default().ecn(), EcnMode::Passive);
    for (mode, syn) in MODES.into_iter().zip([0b000, 0b000, 0b011, 0b111]) {
        let rig = connect(mode);
        assert_eq!((codes(&rig), rig.sent()[0].ecn), (vec![syn], Ecn::NotEct), "{mode:?}");
        assert_eq!(rig.sent()[0].options.acc_ecn(), None, "§3.2.3.2.1: MUST NOT be on a SYN");
        assert_eq!(rig.info().accurate_ecn, None, "no mode before the first SYN,ACK");
    }
}

/// Table 2, §3.1.3: all combinations on a SYN, all codepoints, all modes.
#[test]
fn rfc_9768_3_1_2_every_syn_at_a_server() {
    for mode in MODES {
        for syn in 0..8 {
            for arrived in Codepoint::ALL {
                let rig = accept(mode, syn, arrived);
                let (expected, answer) = model::server(host(mode), syn, arrived);
                assert_eq!(codes(&rig), [answer], "{mode:?} {syn:#05b} {arrived:?}");
                assert_eq!(rig.sent()[0].ecn, Ecn::NotEct);
                let mut rig = rig;
                rig.arrives(coded(peer(0, 0), if expected == Mode::Accurate { 0b010 } else { 0 }));
                assert_eq!(mode_of(&rig), expected, "{mode:?} {syn:#05b} {arrived:?}");
                rig.send(1);
                let ect = if expected == Mode::NotEcn { Ecn::NotEct } else { Ecn::Ect0 };
                assert_eq!(rig.only().ecn, ect);
                if expected == Mode::Accurate {
                    assert_eq!((codes(&rig), marks(&rig).ce_packets_in), (vec![5], 0), "CE on a SYN is not counted");
                }
            }
        }
    }
}

/// Table 2, §3.1.3: all combinations on a SYN,ACK, however it arrived; and Table 3, what its pure ACK says of that.
#[test]
fn rfc_9768_3_1_2_every_syn_ack_at_a_client() {
    for syn_ack in 0..8 {
        for arrived in Codepoint::ALL {
            let mut rig = connect(EcnMode::Accurate);
            rig.send(10); // text that could leave with the acknowledgment
            assert!(rig.arrives(with(coded(peer_syn_ack(), syn_ack), arrived)).contains("Connected"));
            let mode = model::client(syn_ack);
            assert_eq!(mode_of(&rig), if mode == Mode::Classic { Mode::Classic } else { mode }, "{syn_ack:#05b}");
            if mode != Mode::Accurate {
                assert_eq!(codes(&rig), [0], "the text with the acknowledgment");
                continue;
            }
            // §3.2.2.1: a pure ACK first, with the handshake encoding; then the counter.
            let counter = if arrived == Codepoint::CE { 6 } else { 5 };
            assert_eq!(codes(&rig), [model::told(arrived), counter], "{syn_ack:#05b} {arrived:?}");
            assert!(rig.sent()[0].is_empty() && rig.sent()[1].payload.len() == 10);
            let clean = !model::mangled(syn_ack);
            assert_eq!(rig.sent()[1].ecn, if clean { Ecn::Ect0 } else { Ecn::NotEct }, "§3.2.2.3 {syn_ack:#05b}");
            assert_eq!((rig.info().ecn, marks(&rig).ce_packets_in), (clean, u64::from(counter) - 5));
            assert_eq!(marks(&rig).ce_packets_out, 0, "§3.2.2.2: s.cep stays 5");
        }
    }
}

/// Who did not ask for AccECN never gets it from a SYN,ACK.
#[test]
fn rfc_9768_3_1_1_a_syn_ack_that_nobody_asked_for_agrees_to_nothing() {
    for mode in [EcnMode::Off, EcnMode::Passive, EcnMode::Active] {
        for syn_ack in 0..8 {
            let mut rig = connect(mode);
            rig.arrives(coded(peer_syn_ack(), syn_ack));
            assert_eq!((rig.info().accurate_ecn, codes(&rig)), (None, vec![0]), "{mode:?} {syn_ack:#05b}");
        }
    }
}

/// §3.2.2.2: a SYN that arrived with CE is congestion, and so is a SYN,ACK: the first window is one segment.
#[test]
fn rfc_9768_3_2_2_2_a_mark_in_the_handshake_is_heeded_once() {
    let mut rig = connect(EcnMode::Accurate);
    rig.arrives(coded(peer_syn_ack(), 0b110));
    assert_eq!(rig.info().cwnd, 1460);
    let mut rig = accept(EcnMode::Passive, 0b111, Codepoint::NOT_ECT);
    rig.arrives(coded(peer(0, 0), 0b110));
    assert_eq!((rig.info().cwnd, marks(&rig).ce_packets_out), (1460, 1));
    assert!(client().info().cwnd > 4000);
}

/// Table 4: every ACE field on the pure ACK of the SYN,ACK; with text, or with reports, the field is the counter.
#[test]
fn rfc_9768_3_2_2_1_every_ace_field_on_the_ack_of_the_syn_ack() {
    for ace in 0..8 {
        let mut rig = accept(EcnMode::Passive, 0b111, Codepoint::NOT_ECT);
        rig.arrives(coded(peer(0, 0), ace));
        let s_cep = model::s_cep_after_handshake(ace);
        assert_eq!(marks(&rig).ce_packets_out, s_cep.unwrap_or(5) - 5, "{ace:#05b}");
        let ect = s_cep.is_some() && !model::mangled(ace);
        assert_eq!(rig.info().ecn, ect, "{ace:#05b}");
        // what follows is a counter that begins there; disabled, it is not heeded
        send(&mut rig, 1);
        assert_eq!(rig.only().ecn == Ecn::Ect0, ect);
        let (before, next) = (rig.info().counters.ecn_reductions, (s_cep.unwrap_or(5) % 8) as u8 + 1);
        rig.arrives(coded(peer(0, 1000), next));
        assert_eq!(rig.info().counters.ecn_reductions > before, s_cep.is_some(), "{ace:#05b}");

        let mut rig = accept(EcnMode::Passive, 0b111, Codepoint::NOT_ECT);
        rig.arrives(coded(peer_text(0, 10, 0), ace));
        // one packet of ours can have been marked; more were control packets, or the counter was zeroed
        assert_eq!(marks(&rig).ce_packets_out, u64::from((ace + 8 - 5) % 8), "{ace:#05b} with text");
        assert_eq!(rig.info().ecn, ace != 0, "{ace:#05b} with text");
    }
}

/// §3.1.2: SYNs that cross. Each end does what it would do as a server, and no other SYN than that of AccECN allows AccECN.
#[test]
fn rfc_9768_3_1_2_simultaneous_open() {
    for mode in MODES {
        for syn in [0b000, 0b011, 0b111] {
            for arrived in Codepoint::ALL {
                let mut rig = connect(mode);
                rig.arrives(with(coded(peer_syn(), syn), arrived));
                let as_server = match mode {
                    EcnMode::Accurate => model::server(host(mode), syn, arrived).1,
                    EcnMode::Active if syn != 0 => 0b001,
                    EcnMode::Off | EcnMode::Passive | EcnMode::Active => 0b000, // our SYN asked for nothing
                };
                assert_eq!(codes(&rig), [as_server], "{mode:?} {syn:#05b} {arrived:?}");
                rig.arrives(coded(peer_syn_ack(), as_server));
                assert_eq!(rig.state(), State::Established);
                let accurate = mode == EcnMode::Accurate && syn == 0b111;
                assert_eq!(rig.info().accurate_ecn.is_some(), accurate);
                rig.send(1);
                assert_eq!(code(rig.only()), if accurate { 5 } else { 0 });
            }
        }
    }
}

/// §3.1.2: what TIME-WAIT and CLOSED know of AccECN is nothing to a connection that follows.
#[test]
fn rfc_9768_3_1_2_time_wait_tells_a_successor_nothing() {
    let mut rig = client();
    rig.close();
    rig.arrives(coded(peer(0, 1), 5));
    rig.arrives(ce(coded(peer_ctl(Flags::FIN | Flags::ACK, 0, 1), 5)));
    assert_eq!((rig.state(), codes(&rig)), (State::TimeWait, vec![6]));
    let again = Segment { seq: theirs(1000), ..coded(peer_syn(), 0b111) };
    assert!(rig.arrives(again.clone()).contains("Successor"));
    // the acknowledgments of TIME-WAIT still say what arrived, as a connection and as a value
    let value = rig.connection.clone().time_wait().expect("TIME-WAIT");
    let fin = coded(peer_ctl(Flags::FIN | Flags::ACK, 0, 1), 5);
    rig.arrives(fin.clone());
    assert_eq!(codes(&rig), [6]);
    let config = segue::Arc::new(plain().ecn(EcnMode::Accurate).build().unwrap());
    let mut value = value;
    let actions = value.handle_segment(fin, rig.now, &config);
    assert!(rig.last == actions, "{actions:?}");
    let new = Rig::accept(plain(), Path::ipv4(1500), again);
    assert_eq!(codes(&new), [0b010]);
}

/// §3.1.5: "MUST feed back the IP-ECN field on the latest valid SYN or acceptable SYN/ACK to arrive".
#[test]
fn rfc_9768_3_1_5_the_latest_syn_is_fed_back() {
    for first in Codepoint::ALL {
        for second in Codepoint::ALL {
            let mut rig = accept(EcnMode::Passive, 0b111, first);
            rig.arrives(with(coded(peer_syn(), 0b111), second));
            assert_eq!(codes(&rig), [model::told(second)]);
            rig.fire(Timer::Retransmit);
            assert_eq!(codes(&rig), [model::told(second)]);

            // a client, whose acknowledgment of the SYN,ACK was lost
            let mut rig = connect(EcnMode::Accurate);
            rig.arrives(with(coded(peer_syn_ack(), 0b010), first));
            rig.arrives(with(coded(peer_syn_ack(), 0b010), second));
            assert_eq!(codes(&rig), [model::told(second)], "{first:?} {second:?}");
            let marked = first == Codepoint::CE || second == Codepoint::CE;
            assert_eq!(marks(&rig).ce_packets_in, u64::from(marked), "once, however many");
            rig.send(1);
            assert_eq!(codes(&rig), [5 + u8::from(marked)]);
        }
    }
}

/// §3.1.3: the reserved combination 101 on a SYN,ACK says that the SYN arrived unchanged.
#[test]
fn rfc_9768_3_1_3_the_reserved_syn_ack_agrees() {
    let mut rig = connect(EcnMode::Accurate);
    rig.arrives(coded(peer_syn_ack(), 0b101));
    assert!(rig.info().ecn && marks(&rig).ce_packets_out == 0);
}

/// §3.1.5: "MUST NOT use reception of packets with ECT … as an implicit signal that the peer is ECN-capable".
#[test]
fn rfc_9768_3_1_5_ect_on_what_arrives_agrees_to_nothing() {
    for codepoint in Codepoint::ALL {
        let mut rig = accept(EcnMode::Passive, 0b000, codepoint);
        rig.arrives(with(peer(0, 0), codepoint));
        rig.arrives(with(peer_text(0, 10, 0), codepoint));
        rig.send(1);
        assert_eq!((code(rig.only()), rig.only().ecn, rig.info().accurate_ecn), (0, Ecn::NotEct, None));
    }
}

/// Classic mode is that of RFC 3168 whole, also where the SYN asked for AccECN.
#[test]
fn rfc_9768_3_1_2_a_classic_server_is_answered_classically() {
    let mut rig = connect(EcnMode::Accurate);
    rig.arrives(coded(peer_syn_ack(), 0b001));
    rig.arrives(ce(peer_text(0, 10, 0)));
    assert_eq!(codes(&rig), [0b001], "ECE until CWR");
    send(&mut rig, 1);
    rig.arrives(Segment { flags: Flags::ACK | Flags::ECE, ..peer(10, 1000) });
    assert_eq!(rig.info().counters.ecn_reductions, 1);
    send(&mut rig, 1);
    assert!(rig.only().flags.contains(Flags::CWR));
}
