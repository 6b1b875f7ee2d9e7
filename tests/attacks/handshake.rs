//! B: attacks on the handshake; A11, A13: what its options may say.

use std::time::Duration;

use segue::{Connection, Event, Flags, Options, Path, Segment, State, Timer};
use segue_kit::audit::segments;
use segue_kit::pair::Wire;
use segue_kit::rig::{ACK, At, FIN, RST, Rig, SYN, everywhere};
use segue_kit::{ms, secs};

fn with_options(mut syn: Segment, options: Options) -> Segment {
    syn.options = options.into();
    syn
}

/// picoTCP-NG CVE-2023-35847, and a division by zero in two others.
#[test]
fn a11_mss_of_nothing_counts_as_the_default_and_of_little_as_the_least() {
    everywhere(|at| {
        for (mss, used) in [(None, 536), (Some(0), 536), (Some(1), 64), (Some(63), 64), (Some(64), 64), (Some(65), 65)]
        {
            let options = Options { mss, ..Options::default() };
            let mut passive = at.accept(with_options(at.syn(), options));
            passive.arrives(passive.ack(1, 1));
            let mut active = at.connect();
            active.arrives(with_options(active.syn(SYN | ACK), options));
            for mut rig in [passive, active] {
                assert_eq!(rig.connection.info().eff_snd_mss, used, "{mss:?}");
                rig.send(2000);
                assert!(rig.sent().iter().all(|segment| segment.payload.len() == usize::from(used)), "{mss:?}");
                assert!(!rig.sent().is_empty());
            }
        }
    });
}

/// SACK panic's little sister: IP options, a tiny MSS and a narrow path leave no room for text. Still a segment has as much
/// as on a path of 68 octets without IP options, 28 octets less the timestamps: IP must cut it in any case (RFC 791 §3.2).
#[test]
fn a11_options_that_leave_no_room_leave_that_of_the_narrowest_path() {
    everywhere(|at| {
        let at = at.with(|config| config.min_mss(48)).with_options();
        let mut syn = at.syn();
        syn.options.update(|options| options.mss = Some(1));
        let (config, mut path) = (segue::Arc::new(segue::Config::default()), Path::ipv4(68));
        path.ip_options = 40;
        let (mut connection, _) = Connection::accept(config, path, at.secrets(), syn, at.start);
        connection.handle_segment(at.listen().ack(1, 1), at.start);
        assert_eq!((connection.state(), connection.info().eff_snd_mss), (State::Established, 12)); // 64 - 40 - 12
        let actions = connection.send(&mut vec![b'a'; 33].into(), at.start).expect("there is room");
        let sent = segments(&actions);
        assert_eq!(sent.iter().map(|segment| segment.payload.len()).collect::<Vec<_>>(), [12, 12, 9]);
    });
}

#[test]
fn a13_window_scale_beyond_14_counts_as_14() {
    everywhere(|at| {
        for shift in [14, 15, 31, 32, 255] {
            let at = at.with(|config| config.window_scaling(true));
            let options = Options { window_scale: Some(shift), ..Options::default() };
            let mut rig = at.accept(with_options(at.syn(), options));
            rig.window = 65_535;
            rig.arrives(rig.ack(1, 1));
            assert_eq!(rig.connection.info().snd_wnd, 65_535 << 14);
        }
    });
}

#[test]
fn b4_text_on_a_syn_is_not_delivered_before_the_handshake() {
    everywhere(|at| {
        let mut rig = at.accept(Segment { payload: "early".into(), ..at.syn() });
        assert_eq!(rig.said(), "<SEQ=0><ACK=1><CTL=SYN,ACK>");
        assert_eq!(rig.fire(Timer::Retransmit), "<SEQ=0><ACK=1><CTL=SYN,ACK>");
        assert!(rig.clone().arrives(rig.ack(1, 77)).ends_with("Discarded(BadHandshakeAck)"));
        assert_eq!(rig.clone().arrives(rig.rst(1)), "Closed(Reset)");
        assert_eq!(rig.arrives(rig.ack(6, 1)), "Connected; Deliver \"early\"; <SEQ=1><ACK=6><CTL=ACK>");
    });
}

#[test]
fn b5_flags_of_no_protocol() {
    everywhere(|at| {
        let all = Flags::all();
        let mut rig = at.listen();
        rig.unmoved(rig.seg(SYN | RST, 0, 0), "Discarded(NotSyn)");
        rig.unmoved(rig.seg(Flags::empty(), 0, 0), "Discarded(NotSyn)");
        rig.unmoved(rig.seg(FIN | Flags::PSH | Flags::URG, 0, 0), "Discarded(NotSyn)"); // Christmas
        rig.unmoved(rig.seg(all, 0, 0), "Discarded(NotSyn)");
        rig.unmoved(rig.seg(all - RST, 0, 5), "<SEQ=5><CTL=RST>; Discarded(AckInListen)");
        assert_eq!(rig.arrives(rig.syn(SYN | Flags::URG | Flags::PSH)), "<SEQ=0><ACK=1><CTL=SYN,ACK>");

        let mut rig = at.connect();
        rig.unmoved(rig.seg(SYN | RST, 0, 0), "Discarded(BlindReset)");
        rig.unmoved(rig.seg(Flags::empty(), 0, 0), "Discarded(NotSyn)");
        rig.unmoved(rig.seg(FIN | Flags::PSH | Flags::URG, 0, 0), "Discarded(NotSyn)");
        assert_eq!(rig.arrives(rig.seg(all, 0, 1)), "Closed(Refused)");

        let mut rig = at.established();
        rig.unmoved(rig.seg(Flags::empty(), 1, 0), "Discarded(NoAck)");
        rig.unmoved(rig.seg(FIN | Flags::PSH | Flags::URG, 1, 0), "Discarded(NoAck)");
        rig.unmoved(rig.seg(SYN | RST, 500, 0), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(ResetChallenged)");
        rig.unmoved(rig.seg(all - RST, 1, 1), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(SynChallenged)");
    });
}

#[test]
fn b6_syn_sent_believes_only_an_ack_of_its_syn() {
    everywhere(|at| {
        let mut rig = at.connect();
        for ack in [-1, 0, 2, 0x7FFF_FFFF] {
            rig.unmoved(rig.ack(9, ack), &format!("<SEQ={ack}><CTL=RST>; Discarded(BadHandshakeAck)"));
            rig.unmoved(rig.seg(SYN | ACK, 9, ack), &format!("<SEQ={ack}><CTL=RST>; Discarded(BadHandshakeAck)"));
            rig.unmoved(rig.seg(RST | ACK, 9, ack), "Discarded(BadHandshakeAck)");
        }
        rig.unmoved(rig.rst(9), "Discarded(BlindReset)");
        rig.unmoved(rig.ack(9, 1), "Discarded(NotSyn)");
        assert_eq!(rig.arrives(rig.seg(RST | ACK, 9, 1)), "Closed(Refused)");
    });
}

/// A server that answers a SYN with an ACK and a SYN, or with a SYN alone, makes a simultaneous open of it and no more.
#[test]
fn b7_split_handshake_is_a_simultaneous_open() {
    everywhere(|at| {
        let mut rig = at.connect();
        assert_eq!(rig.arrives(rig.ack(1, 1)), "Discarded(NotSyn)");
        assert_eq!(rig.arrives(rig.syn(SYN)), "<SEQ=0><ACK=1><CTL=SYN,ACK>");
        assert_eq!(rig.state(), State::SynReceived);
        assert_eq!(rig.clone().arrives(rig.rst(1)), "Closed(Refused)", "it stays an active OPEN");
        assert_eq!(rig.arrives(rig.ack(1, 1)), "Connected");
    });
}

#[test]
fn b8_simultaneous_open_converges_whatever_is_lost() {
    everywhere(|at| {
        for lost in 0..16u32 {
            let other = At { iss: at.irs, irs: at.iss, ..at };
            let mut pair = Wire::new([at.connect(), other.connect()], Duration::ZERO);
            let syns = [at.connect().only().clone(), other.connect().only().clone()];
            for (from, syn) in syns.into_iter().enumerate().filter(|(from, _)| lost & 1 << from == 0) {
                let answers = pair.pair.call(1 - from, Event::Segment(syn));
                if lost & 4 << from == 0 {
                    segments(&answers).into_iter().for_each(|answer| pair.put(from, answer.clone()));
                }
            }
            pair.pass(secs(3600));
            assert_eq!(pair.pair.ends.each_ref().map(Rig::state), [State::Established; 2], "lost {lost:04b}");
            assert!(pair.exchanged < 12, "{} segments", pair.exchanged);
        }
    });
}

/// LAND: source and destination are the same, so the value hears itself.
#[test]
fn b9_a_connection_with_itself_does_not_loop() {
    for iss in segue_kit::EDGES {
        let at = At { iss, irs: iss, ..At::default() };
        let mut rig = at.connect();
        let mut flying = rig.sent().to_vec();
        let mut heard = 0;
        while let Some(segment) = flying.pop() {
            heard += 1;
            assert!(heard < 50, "it talks to itself for ever");
            rig.arrives(segment);
            flying.extend(rig.sent().iter().cloned());
        }
        assert_eq!(rig.state(), State::Established, "RFC 9293 §3.5: a self-connect is a simultaneous open");
        let told = rig.send(3);
        assert_eq!(told, "<SEQ=1><ACK=1><DATA=3><CTL=PSH,ACK>");
        let own = rig.only().clone();
        assert!(rig.arrives(own).starts_with("Deliver \"...\""));
    }
}

/// FreeBSD D52934, smoltcp 4be331f7.
#[test]
fn b10_syn_received_wrong_ack_is_reset_and_nothing_else_happens() {
    everywhere(|at| {
        let mut rig = at.syn_received_from_listen();
        rig.unmoved(rig.ack(1, 2), "<SEQ=2><CTL=RST>; Discarded(BadHandshakeAck)");
        rig.unmoved(rig.ack(1, 0), "<SEQ=0><CTL=RST>; Discarded(BadHandshakeAck)");
        assert_eq!(rig.clone().arrives(rig.rst(1)), "ReturnedToListen");
        assert_eq!(rig.arrives(rig.ack(1, 1)), "Connected");
        let mut active = at.crossed();
        assert_eq!(active.arrives(active.rst(1)), "Closed(Refused)");
    });
}

#[test]
fn b11_repeated_syns_are_answered_within_the_throttle() {
    everywhere(|at| {
        let mut rig = at.syn_received();
        let mut answers = 0;
        for _ in 0..1000 {
            rig.arrives(rig.syn(SYN));
            answers += rig.sent().len();
            let other = Segment { seq: rig.rcv(500), ..rig.syn(SYN) };
            rig.arrives(other);
            answers += rig.sent().len();
            rig.wait(ms(1));
        }
        assert_eq!(answers, 10);
        assert_eq!(rig.state(), State::SynReceived);
    });
}

/// Reflection: whoever sent the SYN may not have sent it.
#[test]
fn b12_syn_acks_to_a_silent_peer_are_few() {
    everywhere(|at| {
        let mut rig = at.syn_received();
        let mut sent = 1;
        while let Some((timer, _)) = rig.connection.next_deadline() {
            rig.fire(timer);
            sent += rig.sent().len();
        }
        assert_eq!((rig.state(), sent), (State::Closed, 8));
    });
}

#[test]
fn b13_text_completes_a_handshake_whose_third_segment_was_lost() {
    everywhere(|at| {
        let mut rig = at.syn_received();
        assert_eq!(rig.arrives(rig.text(1, 1, "abc")), "Connected; Deliver \"abc\"");
        // And text that overtook it completes it as well.
        let mut rig = at.syn_received();
        assert_eq!(rig.arrives(rig.text(4, 1, "def")), "Connected; <SEQ=1><ACK=1><CTL=ACK>");
        assert_eq!(rig.arrives(rig.text(1, 1, "abc")), "Deliver \"abcdef\"; <SEQ=1><ACK=7><CTL=ACK>");
    });
}

#[test]
fn b14_the_third_segment_may_bring_text_and_fin() {
    everywhere(|at| {
        let mut rig = at.syn_received();
        let segment = Segment { payload: "abc".into(), ..rig.fin(1, 1) };
        assert_eq!(rig.arrives(segment), "Connected; Deliver \"abc\"; PeerClosed; <SEQ=1><ACK=5><CTL=ACK>");
        assert_eq!(rig.state(), State::CloseWait);
    });
}

/// RFC 9293 figure 8, from the side of the deceived server.
#[test]
fn b15_an_old_duplicate_syn_is_taken_back_by_a_reset() {
    everywhere(|at| {
        let mut rig = at.syn_received_from_listen();
        assert_eq!(rig.arrives(rig.rst(1)), "ReturnedToListen");
        let secrets = segue::Secrets { iss: rig.snd(90_000), ..at.secrets() };
        rig.does(Event::Rearm(secrets));
        assert_eq!(
            rig.arrives(Segment { seq: rig.rcv(70_000), ..rig.syn(SYN) }),
            "<SEQ=90000><ACK=70001><CTL=SYN,ACK>"
        );
        assert_eq!(rig.arrives(rig.ack(70_001, 90_001)), "Connected");
    });
}

/// The peer crashed and opens anew: our challenge makes it reset us.
#[test]
fn b16_a_peer_that_rebooted_recovers() {
    everywhere(|at| {
        let mut rig = at.established();
        let reborn = At { iss: at.irs.wrapping_add(5_000_000), irs: at.iss, ..at };
        let mut peer = reborn.connect();
        rig.arrives(peer.only().clone());
        assert_eq!(rig.said(), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(SynChallenged)");
        let challenge = rig.only().clone();
        peer.arrives(challenge);
        let reset = peer.only().clone();
        assert_eq!(reset.flags, RST);
        assert_eq!(rig.arrives(reset), "Closed(Reset)");
        assert_eq!(peer.state(), State::SynSent);
    });
}

#[test]
fn b18_a_syn_in_time_wait_must_be_newer() {
    everywhere(|at| {
        let mut rig = at.time_wait();
        rig.unmoved(rig.syn(SYN), "Discarded(TimeWait)");
        let newer = Segment { seq: rig.rcv(2), ..rig.syn(SYN) };
        rig.unmoved(newer, "Successor 2 after 2");
    });
}

/// smoltcp 6a082745, 9ca8408d.
#[test]
fn b19_the_window_of_a_syn_is_not_scaled_and_scaling_needs_both() {
    everywhere(|at| {
        let at = at.with(|config| config.window_scaling(true));
        let mut rig = at.connect();
        rig.window = 100;
        rig.arrives(rig.syn(SYN | ACK));
        assert_eq!(rig.connection.info().snd_wnd, 100);
        let off = at.with(|config| config.window_scaling(false));
        let mut syn = off.syn();
        syn.options.update(|options| options.window_scale = Some(7));
        let mut rig = off.accept(syn);
        assert_eq!(rig.only().options.window_scale(), None);
        rig.arrives(rig.ack(1, 1));
        assert_eq!(rig.connection.info().snd_wnd, 60_000);
    });
}

/// State of one connection does not leak into the next: a reset value starts with nothing.
#[test]
fn b_nothing_of_a_failed_handshake_is_left() {
    everywhere(|at| {
        let mut rig = at.accept(Segment { payload: "early".into(), ..at.syn() });
        rig.send(100);
        assert_eq!(rig.arrives(rig.rst(1)), "Closed(Reset)");
        let info = rig.connection.info();
        assert_eq!((info.send_queue, info.held, info.unconsumed, info.rcv_wnd), (0, 0, 0, 0));
        rig.wait(secs(1));
        assert_eq!(rig.deadlines(), []);
    });
}
