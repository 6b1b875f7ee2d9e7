//! C: whoever cannot see the connection but knows its addresses and ports.

use std::time::Duration;

use segue::{Event, Flags, IcmpKind, Segment, State, Timestamps};
use segue_kit::audit::segments;
use segue_kit::pair::Wire;
use segue_kit::rig::{ACK, At, LIVE, RST, Rig, SYN, everywhere};
use segue_kit::{ms, secs};

/// CVE-2004-0230.
#[test]
fn c1_only_the_exact_reset_resets() {
    everywhere(|at| {
        for state in LIVE.into_iter().filter(|state| *state != State::TimeWait) {
            let rig = at.state(state);
            let rcv = i64::from(rig.connection.info().rcv_nxt - rig.rcv(0));
            for offset in [1, 2, 5000, 9999 - rcv] {
                let mut rig = rig.clone();
                let told = rig.arrives(rig.rst(rcv + offset));
                assert!(told.ends_with("Discarded(ResetChallenged)"), "{state} {offset}: {told}");
            }
            // At RCV.NXT - 1 stands the peer's FIN, if it came: see `c1_the_number_of_the_fin_resets_too`.
            let just_before = if closed_by_peer(state) { -2 } else { -1 };
            for offset in [just_before, -2, 10_000, 20_000, 0x7FFF_FFFF, -0x7FFF_FFFF] {
                let mut rig = rig.clone();
                rig.unmoved(rig.rst(rcv + offset), "Discarded(ResetOutOfWindow)");
            }
            let mut rig = rig.clone();
            assert!(rig.arrives(rig.rst(rcv)).starts_with("Closed("), "{state}");
        }
    });
}

fn closed_by_peer(state: State) -> bool {
    matches!(state, State::CloseWait | State::Closing | State::LastAck)
}

/// A host that dies after its FIN numbers the reset as the FIN: who knows RCV.NXT - 1 knows as much as who knows RCV.NXT.
#[test]
fn c1_the_number_of_the_fin_resets_too() {
    everywhere(|at| {
        for state in LIVE.into_iter().filter(|state| closed_by_peer(*state)) {
            let mut rig = at.state(state);
            let rcv = i64::from(rig.connection.info().rcv_nxt - rig.rcv(0));
            assert_eq!(rig.arrives(rig.rst(rcv - 1)), "Closed(Reset)", "{state}");
        }
    });
}

/// RFC 5961 §7: 10 guesses a second do not keep a peer that rebooted from being heard.
#[test]
fn c7_bare_guesses_leave_the_answers_to_syns_and_resets() {
    everywhere(|at| {
        for state in LIVE.into_iter().filter(|state| state.is_synchronized() && *state != State::TimeWait) {
            let mut rig = at.with(|config| config.user_timeout(None)).state(state);
            let info = rig.connection.info();
            let rcv = i64::from(info.rcv_nxt - rig.rcv(0));
            for second in 0..64 {
                for n in 0..10 {
                    rig.arrives(rig.ack(rcv + 20_000 + n, 1));
                    rig.arrives(rig.ack(rcv, 1_000_000 + n));
                    rig.wait(ms(100));
                }
                if [0, 1, 3, 7, 15, 31, 63].contains(&second) {
                    let syn = Segment { seq: rig.rcv(5_000_000), ..rig.syn(SYN) };
                    let told = rig.arrives(syn);
                    assert!(told.contains("<CTL=ACK>"), "{state}, at {second} s: {told}");
                }
            }
            assert!(rig.arrives(rig.rst(rcv + 1)).contains("<CTL=ACK>"), "{state}");
        }
    });
}

#[test]
fn c2_a_syn_in_the_window_does_not_reset() {
    everywhere(|at| {
        let mut rig = at.established();
        for seq in [0, 1, 2, 9999, 10_001, 0x7000_0000] {
            let syn = Segment { seq: rig.rcv(seq), ..rig.syn(SYN) };
            rig.clone().unmoved(syn, "<SEQ=1><ACK=1><CTL=ACK>; Discarded(SynChallenged)");
        }
        rig.wait(ms(1));
        assert_eq!(rig.arrives(rig.text(1, 1, "abc")), "Deliver \"abc\"");
    });
}

/// CVE-2005-2068: the challenge reads nothing of the options.
#[test]
fn c2_a_syn_with_other_options_changes_none_of_the_connection() {
    everywhere(|at| {
        let mut rig = at.established();
        let mss = usize::from(rig.connection.info().eff_snd_mss);
        for (said, window_scale) in [(None, None), (Some(0), Some(0)), (Some(1), Some(14)), (Some(u16::MAX), Some(7))] {
            for on in [false, true] {
                let mut syn = Segment { seq: rig.rcv(1), window: 1, ..rig.syn(SYN | Flags::ECE | Flags::CWR) };
                syn.options.update(|options| {
                    (options.mss, options.window_scale, options.sack_permitted) = (said, window_scale, on);
                    options.timestamps = on.then_some(Timestamps { value: 7, echo: 9 });
                });
                rig.clone().unmoved(syn, "<SEQ=1><ACK=1><CTL=ACK>; Discarded(SynChallenged)");
            }
        }
        rig.send(3000);
        let longest = segments(&rig.last).iter().map(|segment| segment.payload.len()).max();
        assert_eq!(longest, Some(mss));
    });
}

/// A connection whose peer has acknowledged so many octets.
fn after(at: At, octets: i64) -> Rig {
    let mut rig = at.with(|config| config.send_buffer(1 << 20)).established();
    rig.send(octets as usize);
    let mut una = 1;
    while una <= octets {
        una = (una + 5000).min(octets + 1);
        rig.arrives(rig.ack(1, una));
    }
    rig.wait(secs(1));
    rig
}

/// RFC 5961 §5.
#[test]
fn c3_an_ack_before_the_largest_window_is_challenged() {
    everywhere(|at| {
        let mut rig = after(at, 61_000);
        rig.unmoved(rig.text(1, 1000, "evil"), "<SEQ=61001><ACK=1><CTL=ACK>; Discarded(AckOutOfRange)");
        assert_eq!(rig.arrives(rig.text(1, 1001, "good")), "Deliver \"good\"");
    });
}

/// CVE-2023-52881: while less was sent than the largest window, the range of RFC 5961 §5 reaches below the ISS, to numbers that
/// nobody sent; with the windows of a peer of scale 14 a quarter of all guesses would do.
#[test]
fn c3_an_ack_of_what_was_never_sent_is_challenged_though_the_window_is_large() {
    everywhere(|at| {
        for scale in [None, Some(14)] {
            for sent in [0, 10, 5000] {
                let at = at.with(|config| config.window_scaling(scale.is_some()));
                let mut rig = after(at, sent);
                if let Some(scale) = scale {
                    let mut syn = at.syn();
                    syn.options.update(|options| options.window_scale = Some(scale));
                    rig = at.accept(syn);
                    rig.window = u16::MAX;
                    rig.arrives(rig.ack(1, 1));
                    assert_eq!(rig.connection.info().snd_wnd, 65_535 << 14);
                }
                let una = i64::from(rig.connection.info().snd_una - rig.snd(0));
                for ack in [-1, -100, 1 - 60_000, 1 - (65_535 << 14)] {
                    let told = rig.clone().arrives(rig.text(1, ack, "evil"));
                    assert!(told.ends_with("<CTL=ACK>; Discarded(AckOutOfRange)"), "{sent} octets, ACK {ack}: {told}");
                    rig.clone().unmoved(rig.fin(1, ack), &told);
                }
                for ack in [0, 1, una] {
                    assert!(rig.clone().arrives(rig.text(1, ack, "good")).contains("Deliver \"good\""), "ACK {ack}");
                }
            }
        }
    });
}

/// CVE-2016-5696: what happens on one connection cannot be measured on another.
#[test]
fn c4_challenges_of_one_connection_do_not_show_on_another() {
    everywhere(|at| {
        let (mut victim, mut quiet) = (at.established(), at.established());
        let mut probe = at.established();
        for i in 0..500 {
            victim.arrives(victim.rst(2 + i));
        }
        for _ in 0..12 {
            assert_eq!(probe.arrives(probe.rst(2)), quiet.arrives(quiet.rst(2)));
        }
        assert_eq!(probe.connection.canonical(probe.now), quiet.connection.canonical(quiet.now));
    });
}

/// FreeBSD CVE-2026-4247: a challenge that is not sent must leave nothing either.
#[test]
fn c5_a_challenge_that_is_throttled_leaves_nothing() {
    everywhere(|at| {
        let mut rig = at.established();
        for i in 0..2000 {
            let answer = if i < 10 { "<SEQ=1><ACK=1><CTL=ACK>; " } else { "" };
            rig.unmoved(rig.octets(1, 999, 700), &format!("{answer}Discarded(AckOutOfRange)"));
        }
        let info = rig.connection.info();
        assert_eq!((info.held, info.unconsumed, info.counters.discarded), (0, 0, 2000));
    });
}

/// FreeBSD D32938: resets mangled on the way, answered by challenges that are mangled in turn.
#[test]
fn c6_mangled_resets_make_no_war() {
    everywhere(|at| {
        let mut rig = at.established();
        let mut sent = 0;
        for i in 0..20_000 {
            let seq = if i % 2 == 0 { rig.rcv(3) } else { segue::SeqNum::new(0) };
            rig.arrives(Segment { seq, ..rig.rst(0) });
            if rig.state() == State::Closed {
                return; // where 0 happens to be RCV.NXT the reset is exact
            }
            sent += rig.sent().len();
            rig.wait(ms(1));
        }
        assert!(sent <= 10 * (20 / 5 + 1), "{sent} challenges in 20 s");
    });
}

/// Two ends that disagree on everything answer each other, and then they do not.
#[test]
fn c6_desynchronized_ends_fall_silent() {
    everywhere(|at| {
        let strange = At { iss: at.irs.wrapping_add(1 << 20), irs: at.iss.wrapping_add(1 << 21), ..at };
        let mut pair = Wire::new([at.established(), strange.established()], Duration::ZERO);
        pair.put(1, strange.listen().ack(90_000, 90_000));
        pair.put(0, at.listen().ack(90_000, 90_000));
        pair.pass(secs(3600));
        assert!(pair.exchanged <= 2 + 2 * 10, "{} segments", pair.exchanged);
    });
}

#[test]
fn c7_text_in_the_window_with_a_bad_ack_is_not_taken() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(100);
        for ack in [102, 50_000, 0x7FFF_0000, -60_001, -0x7FFF_0000] {
            rig.clone().unmoved(rig.text(1, ack, "evil"), "<SEQ=101><ACK=1><CTL=ACK>; Discarded(AckOutOfRange)");
            rig.clone().unmoved(rig.text(50, ack, "evil"), "<SEQ=101><ACK=1><CTL=ACK>; Discarded(AckOutOfRange)");
            rig.clone().unmoved(rig.fin(1, ack), "<SEQ=101><ACK=1><CTL=ACK>; Discarded(AckOutOfRange)");
        }
    });
}

/// FreeBSD D45894.
#[test]
fn c8_an_ack_for_what_was_never_sent_acknowledges_nothing() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(100);
        let cwnd = rig.connection.info().cwnd;
        rig.unmoved(rig.ack(1, 102), "<SEQ=101><ACK=1><CTL=ACK>; Discarded(AckOutOfRange)");
        rig.unmoved(rig.ack(1, 50_000), "<SEQ=101><ACK=1><CTL=ACK>; Discarded(AckOutOfRange)");
        assert_eq!((rig.connection.info().cwnd, rig.connection.info().snd_una), (cwnd, rig.snd(1)));
    });
}

#[test]
fn c9_icmp_ends_no_connection_that_is_established() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(1000);
        let (first, beyond) = (rig.snd(1), rig.snd(1001));
        let icmp = |kind, quoted_seq, mtu| Event::Icmp { kind, quoted_seq, mtu };
        assert_eq!(rig.does(icmp(IcmpKind::PortUnreachable, first, 0)), "Report(Icmp(PortUnreachable))");
        assert_eq!(rig.does(icmp(IcmpKind::ProtocolUnreachable, first, 0)), "Report(Icmp(ProtocolUnreachable))");
        assert_eq!(rig.does(icmp(IcmpKind::PortUnreachable, beyond, 0)), "");
        assert_eq!(rig.does(icmp(IcmpKind::SourceQuench, first, 0)), "");
        assert_eq!(rig.does(icmp(IcmpKind::PacketTooBig, first, 1501)), "");
        assert_eq!(rig.does(icmp(IcmpKind::PacketTooBig, beyond, 600)), "");
        assert_eq!(rig.does(icmp(IcmpKind::PacketTooBig, first, 3)), ""); // no router can mean that (RFC 5927 §7.4)
        assert_eq!(rig.does(icmp(IcmpKind::PacketTooBig, first, 1040)), ""); // nothing larger was sent
        let told = rig.does(icmp(IcmpKind::PacketTooBig, first, 68));
        assert!(told.starts_with("Report(PathMtu(68)); <SEQ=1><ACK=1><DATA=28><CTL=ACK>"), "{told}");
        assert_eq!(rig.state(), State::Established);
    });
}

/// Whatever a blind attacker sends, the user's stream is unharmed.
#[test]
fn c_a_storm_of_guesses_does_not_touch_the_stream() {
    everywhere(|at| {
        let mut rig = at.established();
        let mut random = 5u32;
        for _ in 0..500 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let seq = 2 + i64::from(random) % 3_000_000_000;
            for flags in [RST, SYN, RST | SYN, SYN | ACK, Flags::empty()] {
                let guess = Segment { seq: rig.rcv(seq), payload: "evil".into(), ..rig.seg(flags, 0, -900_000) };
                rig.arrives(guess);
                assert_eq!(rig.state(), State::Established);
                assert!(rig.delivered().is_empty());
            }
        }
        rig.wait(secs(1));
        assert_eq!(rig.arrives(rig.text(1, 1, "good")), "Deliver \"good\"");
    });
}
