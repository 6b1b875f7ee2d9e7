//! RFC 9768 §3.2, §3.2.2: the Data Receiver: what is counted, what every segment says, and when an acknowledgment leaves.

use segue::{Ecn, EcnMode, Event, Flags, Segment, State, Timer};
use segue_kit::rig::{At, Rig};
use segue_kit::streams::{ours, peer, peer_ctl, peer_syn_ack, peer_text, text};
use segue_kit::{Rng, ms, secs};

use super::model::{Codepoint, Receiver};
use super::{accurate, ce, client, client_of, code, coded, codes, marks, order_0, send, server, with, with_option};

/// §3.2.2: every segment with SYN clear, of whatever kind, has the newest counter; none has another meaning of the bits.
#[test]
fn rfc_9768_3_2_2_every_segment_says_the_newest_counter() {
    let mut rig = client_of(accurate().keep_alive(true).keep_alive_idle(secs(10)));
    let mut at = 0;
    for n in 1..20u8 {
        rig.arrives(ce(peer_text(at, 10, 0)));
        at += 10;
        if rig.sent().is_empty() {
            rig.fire(Timer::DelayedAck);
        }
        assert_eq!(codes(&rig), [(5 + n) % 8], "pure");
    }
    let now = (5 + 19) % 8;
    send(&mut rig, 1);
    assert_eq!(codes(&rig), [now], "text");
    rig.arrives(ce(peer_text(at, 10, 0)));
    rig.fire_if(Timer::DelayedAck);
    rig.fire(Timer::Retransmit);
    assert_eq!(codes(&rig), [now + 1], "text again, with what is newest");
    rig.arrives(peer(at + 10, 1000));
    let before = codes(&rig);
    rig.arrives(peer_text(0, 10, 1000)); // not acceptable: it is old
    assert_eq!((before, codes(&rig)), (vec![], vec![now + 1]), "an answer to a duplicate");
    rig.wait(secs(11));
    rig.fire_if(Timer::KeepAlive);
    assert!(codes(&rig).iter().all(|&code| code == now + 1), "a keep-alive");
    rig.does(Event::Abort);
    assert_eq!((codes(&rig), rig.only().flags.contains(Flags::RST)), (vec![now + 1], true));
}

/// §3.1.5: "MUST NOT set CWR to indicate that it has received and responded"; ECE and CWR of the peer are a counter.
#[test]
fn rfc_9768_3_1_5_cwr_is_no_answer() {
    let mut rig = client();
    send(&mut rig, 3);
    rig.arrives(coded(peer(0, 1000), 6));
    assert_eq!(rig.info().counters.ecn_reductions, 1);
    rig.arrives(coded(peer(0, 3000), 6));
    send(&mut rig, 1);
    assert_eq!((codes(&rig), rig.only().ecn), (vec![5], Ecn::Ect0));
    rig.arrives(coded(peer_text(0, 10, 4000), 6)); // CWR and AE set, and nothing was echoed
    rig.arrives(ce(coded(peer_text(10, 10, 4000), 6)));
    rig.arrives(coded(peer_text(20, 10, 4000), 6));
    rig.fire_if(Timer::DelayedAck);
    assert_eq!(codes(&rig), [6], "no echo began, and none ended");
}

/// §3.2: which packets count. The counters are those of the model, whatever arrives.
#[test]
fn rfc_9768_3_2_every_acceptable_packet_counts() {
    let mut rig = client();
    let mut model = Receiver::new();
    let mut arrives = |rig: &mut Rig, segment: Segment, codepoint, counts: bool| {
        if counts {
            model.packet(codepoint, segment.payload.len());
        }
        rig.arrives(with(segment, codepoint));
        let now = marks(rig);
        let counted = [now.ect_0_octets_in + 1, now.ce_octets_in, now.ect_1_octets_in + 1];
        assert_eq!((now.ce_packets_in + 5, counted), (model.cep, [model.e0b, model.ceb, model.e1b]));
        codes(rig).iter().for_each(|&code| assert_eq!(code, model.ace()));
    };
    let mut at = 0;
    for codepoint in Codepoint::ALL.into_iter().cycle().take(40) {
        arrives(&mut rig, peer_text(at, 10, 0), codepoint, true);
        at += 10;
        arrives(&mut rig, peer(at, 0), codepoint, true); // pure ACKs count as packets
        arrives(&mut rig, peer_text(at + 10_000, 10, 0), codepoint, true); // out of order
        arrives(&mut rig, peer_text(at - 5, 15, 0), codepoint, true); // partly old: a retransmission, and acceptable
        at += 10;
        arrives(&mut rig, peer_text(at - 10, 10, 0), codepoint, false); // old
        arrives(&mut rig, peer_text(0x4000_0000, 10, 0), codepoint, false); // beyond the window
        arrives(&mut rig, peer_text(at, 10, 5000), codepoint, false); // an ACK of what was never sent
        arrives(&mut rig, peer_ctl(Flags::RST, at + 5, 0), codepoint, false); // challenged
        arrives(&mut rig, Segment { flags: Flags::SYN, ..peer(at, 0) }, codepoint, false);
        rig.wait(secs(10));
    }
    arrives(&mut rig, peer_ctl(Flags::FIN | Flags::ACK, at, 0), Codepoint::CE, true);
    assert_eq!(rig.state(), State::CloseWait);
}

/// What is answered although it is not acceptable does not count: keep-alives, probes of a closed window, an ACK at the right
/// edge (Table 6 of RFC 9293).
#[test]
fn rfc_9768_3_2_what_is_not_acceptable_does_not_count() {
    let mut rig = client_of(accurate().receive_buffer(2000));
    rig.arrives(peer_text(0, 10, 0));
    rig.arrives(ce(peer(9, 0)));
    rig.arrives(ce(peer_text(9, 1, 0)));
    let edge = rig.info().rcv_wnd + 10;
    rig.arrives(ce(peer(edge, 0)));
    rig.arrives(peer_text(10, usize::try_from(edge).unwrap() - 10, 0));
    assert_eq!(rig.info().rcv_wnd, 0);
    rig.arrives(ce(peer_text(edge, 1, 0)));
    assert_eq!((marks(&rig).ce_packets_in, marks(&rig).ce_octets_in), (0, 0));
}

/// PAWS is one of the checks that an acceptable packet passes.
#[test]
fn rfc_9768_3_2_an_old_timestamp_does_not_count() {
    let mut rig = At { agrees: true, ..At::default() }
        .with(|config| config.ecn(EcnMode::Accurate).timestamps(true).sack(true))
        .connect();
    rig.arrives(coded(rig.syn(Flags::SYN | Flags::ACK), 0b010));
    rig.peer_clock = 200;
    rig.arrives(ce(rig.text(1, 1, "abc")));
    assert_eq!(marks(&rig).ce_packets_in, 1);
    rig.peer_clock = 100;
    rig.arrives(ce(rig.text(4, 1, "def")));
    assert_eq!(marks(&rig).ce_packets_in, 1);
}

/// §3.2: payload of a SYN is not counted; that of a SYN,ACK is, and its mark once.
#[test]
fn rfc_9768_3_2_payload_of_handshake_segments() {
    use segue::Path;
    let syn = Segment { payload: text(7), ..coded(segue_kit::streams::peer_syn(), 0b111) };
    let mut server = Rig::accept(accurate(), Path::ipv4(1500), ce(syn));
    server.arrives(coded(peer(0, 0), 0b010));
    assert_eq!((marks(&server).ce_packets_in, marks(&server).ce_octets_in), (0, 0));
    let mut client = Rig::connect(accurate(), Path::ipv4(1500));
    client.arrives(ce(Segment { payload: text(7), ..coded(peer_syn_ack(), 0b010) }));
    assert_eq!((marks(&client).ce_packets_in, marks(&client).ce_octets_in), (1, 7));
}

/// Segments that the host merged count each (§3.3.4).
#[test]
fn rfc_9768_3_3_4_merged_segments_count_each() {
    let mut rig = client();
    rig.arrives(ce(Segment { segment_size: 1000, ..peer_text(0, 5500, 0) }));
    assert_eq!((marks(&rig).ce_packets_in, marks(&rig).ce_octets_in), (6, 5500));
    assert_eq!(codes(&rig), [(5 + 6) % 8]);
}

/// §3.3.4: who cuts a large segment leaves CWR on the first piece: so there is none to cut while the counter has this bit,
/// and every piece has the counter.
#[test]
fn rfc_9768_3_3_4_segments_to_cut_have_no_cwr() {
    let mut rig = client_of(accurate().max_transmit(30_000).send_buffer(1 << 20));
    let (mut at, mut large) = (0, 0);
    for _ in 0..24 {
        rig.arrives(ce(peer_text(at, 10, rig.info().snd_nxt - ours(0))));
        at += 10;
        let counter = ((5 + marks(&rig).ce_packets_in) % 8) as u8;
        rig.send(4000);
        for segment in rig.sent().iter().filter(|segment| !segment.payload.is_empty()) {
            large += usize::from(segment.segment_size > 0);
            assert!(segment.segment_size == 0 || !segment.flags.contains(Flags::CWR), "{segment}");
            segue::codec::split(segment.clone()).for_each(|piece| assert_eq!(code(&piece), counter));
        }
    }
    assert!(large >= 8, "{large}");
}

/// §3.2.2.5.1: data with CE after a packet without is acknowledged at once; the packet before may be one without data.
#[test]
fn rfc_9768_3_2_2_5_1_change_triggered_acks() {
    let mut rig = client_of(accurate().quick_acks(0).delayed_ack(ms(400)).ack_full_sized(true));
    let mut at = 0;
    let mut acked = |rig: &mut Rig, codepoint, octets: usize| {
        let pushed = Segment { flags: Flags::ACK | Flags::PSH, ..peer_text(at, octets, 0) };
        rig.arrives(with(pushed, codepoint));
        at += octets as u32;
        !rig.sent().is_empty()
    };
    assert!(!acked(&mut rig, Codepoint::ECT_0, 10));
    assert!(acked(&mut rig, Codepoint::CE, 10), "a change");
    assert!(!acked(&mut rig, Codepoint::CE, 10), "none, and one mark");
    assert!(acked(&mut rig, Codepoint::CE, 10), "two marks since the last acknowledgment");
    assert!(!acked(&mut rig, Codepoint::ECT_0, 10), "only to CE");
    assert!(!acked(&mut rig, Codepoint::ECT_1, 10));
    assert!(acked(&mut rig, Codepoint::CE, 10));
    assert!(!acked(&mut rig, Codepoint::CE, 10));
    rig.fire(Timer::DelayedAck);
    rig.arrives(with(peer(at, 0), Codepoint::NOT_ECT)); // any packet is the previous one
    rig.arrives(ce(peer_text(at, 10, 0)));
    assert!(!rig.sent().is_empty());
}

/// §3.2.2.5.1: acknowledgments of acknowledgments: every third mark, without SACK blocks.
#[test]
fn rfc_9768_3_2_2_5_1_increment_triggered_acks_of_acks() {
    let mut rig = At { agrees: true, ..At::default() }
        .with(|config| config.ecn(EcnMode::Accurate).timestamps(true).sack(true))
        .connect();
    rig.arrives(coded(rig.syn(Flags::SYN | Flags::ACK), 0b010));
    rig.arrives(rig.text(101, 1, "out of order")); // there is something to report
    assert!(!rig.only().options.sack().is_empty());
    let mut acks = Vec::new();
    for n in 1..=12u8 {
        rig.peer_clock += 1;
        rig.arrives(ce(rig.ack(1, 1)));
        for segment in rig.sent() {
            assert!(segment.is_empty() && segment.options.sack().is_empty());
            acks.push((n, code(segment)));
        }
    }
    assert_eq!(acks, [(3, 0), (6, 3), (9, 6), (12, 1)]);
    // together with text: that is reported
    let mut together: Vec<_> = (0..3).map(|_| ce(rig.ack(1, 1))).collect();
    together.push(rig.text(151, 1, "text"));
    rig.arrive_together(together);
    assert!(rig.sent().iter().all(|segment| !segment.options.sack().is_empty()));
    rig.peer_clock += 1;
    rig.arrives(rig.text(201, 1, "more"));
    assert!(!rig.only().options.sack().is_empty(), "reports go on");
}

/// The same with two ends whose pure ACKs all get marked by a broken network: it dies out.
#[test]
fn rfc_9768_3_2_2_5_1_acks_of_acks_die_out() {
    let (mut one, mut other) = super::paths::Pair::connected(&accurate(), &accurate());
    one.does(Event::Send(text(20_000)));
    let mut rounds = 0;
    while !(one.out.is_empty() && other.out.is_empty()) {
        rounds += 1;
        assert!(rounds < 100, "a war of acknowledgments");
        one.pass_all(&mut other, |segment| Some(ce(segment)));
        other.pass_all(&mut one, |segment| Some(ce(segment)));
    }
    assert!(rounds > 2);
}

/// §3.2.3.3: the recommended scheme: an option if a counter has risen, with every counter that has ever changed.
#[test]
fn rfc_9768_3_2_3_3_recommended_scheme() {
    let mut rig = server();
    let mut model = Receiver::new();
    let mut at = 0;
    let mut next = |rig: &mut Rig, codepoint| {
        model.packet(codepoint, 10);
        rig.arrives(with(peer_text(at, 10, 0), codepoint));
        at += 10;
        if rig.sent().is_empty() {
            rig.fire(Timer::DelayedAck);
        }
        let option = rig.sent().last().and_then(|segment| segment.options.acc_ecn());
        (option, model.fields())
    };
    let (option, _) = next(&mut rig, Codepoint::NOT_ECT);
    assert_eq!(option, None, "no counter has risen");
    for _ in 0..3 {
        let (option, [e0b, ..]) = next(&mut rig, Codepoint::ECT_0);
        assert_eq!(option, order_0(&[e0b]));
    }
    let (option, [e0b, ceb, _]) = next(&mut rig, Codepoint::CE);
    assert_eq!(option, order_0(&[e0b, ceb]));
    let (option, [e0b, ceb, _]) = next(&mut rig, Codepoint::ECT_0);
    assert_eq!(option, order_0(&[e0b, ceb]), "what has ever changed");
    let (option, fields) = next(&mut rig, Codepoint::ECT_1);
    assert_eq!(option, order_0(&fields));
    // "If … it turns out never to receive ECT(0), it can start sending EE1B and ECEB instead"
    let mut rig = server();
    rig.arrives(ce(peer_text(0, 10, 0)));
    assert_eq!(rig.only().options.acc_ecn(), order_0(&[1, 10]));
    rig.arrives(with(peer_text(10, 10, 0), Codepoint::ECT_1));
    if rig.sent().is_empty() {
        rig.fire(Timer::DelayedAck);
    }
    assert_eq!(rig.sent().last().unwrap().options.acc_ecn(), segue::AccEcn::order_1(&[11, 10]));
}

/// §3.2.3.2.1: the first acknowledgment of the client, and its first text, test whether options get through.
#[test]
fn rfc_9768_3_2_3_2_1_the_handshake_tests_the_option() {
    let mut rig = super::connect(EcnMode::Accurate);
    rig.send(10);
    rig.arrives(with_option(coded(peer_syn_ack(), 0b010), order_0(&[1, 0, 1])));
    let options: Vec<_> = rig.sent().iter().map(|segment| segment.options.acc_ecn()).collect();
    assert_eq!(options, [order_0(&[1, 0, 1]), order_0(&[])]);
    send(&mut rig, 1);
    assert_eq!(rig.only().options.acc_ecn(), None);
}

/// App. A.1, §3.2.3.1: the fields are the low 24 bits, also after the counters have passed 2^24 and 2^32.
#[test]
fn rfc_9768_3_2_3_1_counters_wrap() {
    let mut rig = client_of(accurate().window_scaling(true).receive_buffer(1 << 20));
    let mut model = Receiver::new();
    let (mut at, mut fields) = (0u32, 0);
    let mut rng = Rng::new(9);
    while model.e0b < (1 << 24) + 300_000 {
        let codepoint = rng.pick(&[Codepoint::ECT_0, Codepoint::ECT_0, Codepoint::ECT_0, Codepoint::CE]);
        let octets = 30_000;
        (0..30).for_each(|_| model.packet(codepoint, 1000));
        rig.arrives(Segment { segment_size: 1000, ..with(peer_text(at, octets, 0), codepoint) });
        at = at.wrapping_add(octets as u32);
        for segment in rig.sent() {
            assert_eq!(code(segment), model.ace());
            if let Some(option) = segment.options.acc_ecn() {
                let [e0b, ceb, _] = model.fields();
                assert!(option.e0b().is_none_or(|field| field == e0b) && option.ceb().is_none_or(|field| field == ceb));
                fields += 1;
            }
        }
        rig.consume(octets);
    }
    assert!(fields > 100 && marks(&rig).ect_0_octets_in > 1 << 24);
}
