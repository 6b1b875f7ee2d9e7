//! Where the RFCs conflict or leave a choice about the handshake: what segue does (the table in `docs/conformance/decisions.md`).

use segue::{Event, Segment, State, Timer};
use segue_kit::rig::{ACK, FIN, RST, SYN, everywhere};
use segue_kit::{ms, secs};

// SYN-RECEIVED.

#[test]
fn syn_received_unacceptable_ack_is_reset_and_changes_nothing() {
    everywhere(|at| {
        for mut rig in [at.syn_received(), at.syn_received_from_listen(), at.crossed()] {
            for ack in [-5, 0, 2, 0x7000_0000] {
                rig.unmoved(rig.ack(1, ack), &format!("<SEQ={ack}><CTL=RST>; Discarded(BadHandshakeAck)"));
                rig.unmoved(rig.text(1, ack, "text"), &format!("<SEQ={ack}><CTL=RST>; Discarded(BadHandshakeAck)"));
            }
            // Beyond the window as well (§3.5.2, group 2); before it the sequence check comes first.
            rig.unmoved(rig.octets(20_000, 2, 1), "<SEQ=2><CTL=RST>; Discarded(BadHandshakeAck)");
            rig.unmoved(rig.octets(20_000, 1, 1), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(OutOfWindow)");
            rig.unmoved(rig.octets(-20, 2, 1), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(Duplicate)");
            assert_eq!(rig.state(), State::SynReceived);
        }
    });
}

#[test]
fn syn_received_repeated_syn_repeats_the_syn_ack_within_the_throttle() {
    everywhere(|at| {
        for mut rig in [at.syn_received(), at.syn_received_from_listen(), at.crossed()] {
            let rto = rig.connection.info().rto;
            rig.wait(ms(300));
            let deadline = rig.connection.deadline(Timer::Retransmit);
            for i in 0..15 {
                let answer = if i < 10 { "<SEQ=0><ACK=1><CTL=SYN,ACK>; " } else { "" };
                assert_eq!(rig.arrives(rig.syn(SYN)), format!("{answer}Discarded(SynRepeated)"));
            }
            assert_eq!(rig.connection.info().rto, rto);
            assert_eq!(rig.connection.deadline(Timer::Retransmit), deadline);
            // Not one of them counts for R1: the third timeout is the third.
            assert_eq!(rig.fire(Timer::Retransmit), "<SEQ=0><ACK=1><CTL=SYN,ACK>");
            assert_eq!(rig.fire(Timer::Retransmit), "<SEQ=0><ACK=1><CTL=SYN,ACK>");
            assert_eq!(
                rig.fire(Timer::Retransmit),
                "Report(Unresponsive { retransmissions: 3 }); <SEQ=0><ACK=1><CTL=SYN,ACK>"
            );
        }
    });
}

#[test]
fn syn_received_from_listen_another_syn_is_challenged() {
    everywhere(|at| {
        for mut rig in [at.syn_received(), at.syn_received_from_listen(), at.crossed()] {
            let other = Segment { seq: rig.rcv(77), ..rig.syn(SYN) };
            rig.unmoved(other, "<SEQ=1><ACK=1><CTL=ACK>; Discarded(SynChallenged)");
        }
    });
}

#[test]
fn syn_received_exact_rst_goes_back_where_it_came_from() {
    everywhere(|at| {
        let mut rig = at.syn_received_from_listen();
        assert_eq!(rig.arrives(rig.rst(1)), "ReturnedToListen");
        assert_eq!((rig.state(), rig.deadlines()), (State::Listen, vec![]));
        let mut rig = at.syn_received();
        assert_eq!(rig.arrives(rig.rst(1)), "Closed(Reset)");
        let mut rig = at.crossed();
        assert_eq!(rig.arrives(rig.rst(1)), "Closed(Refused)");
    });
}

#[test]
fn syn_received_rst_in_the_window_is_challenged() {
    everywhere(|at| {
        for mut rig in [at.syn_received(), at.syn_received_from_listen(), at.crossed()] {
            rig.unmoved(rig.rst(2), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(ResetChallenged)");
            rig.unmoved(rig.rst(0), "Discarded(ResetOutOfWindow)");
        }
    });
}

#[test]
fn syn_received_close_sends_the_fin_when_established() {
    everywhere(|at| {
        for mut rig in [at.syn_received(), at.syn_received_from_listen(), at.crossed()] {
            assert_eq!(rig.close(), "");
            assert_eq!(rig.state(), State::SynReceived);
            assert_eq!(rig.arrives(rig.ack(1, 1)), "Connected; <SEQ=1><ACK=1><CTL=FIN,ACK>");
            assert_eq!(rig.state(), State::FinWait1);
        }
    });
}

#[test]
fn syn_received_close_after_send_sends_text_and_fin_when_established() {
    everywhere(|at| {
        let mut rig = at.syn_received();
        assert_eq!((rig.send(10), rig.close()), (String::new(), String::new()));
        assert_eq!(rig.arrives(rig.ack(1, 1)), "Connected; <SEQ=1><ACK=1><DATA=10><CTL=FIN,PSH,ACK>");
    });
}

#[test]
fn crossed_syn_ack_completes_the_handshake() {
    everywhere(|at| {
        let mut rig = at.crossed();
        assert_eq!(rig.arrives(rig.syn(SYN | ACK)), "Connected");
        assert_eq!(rig.state(), State::Established);
    });
}

// Text or FIN on a SYN.

#[test]
fn text_and_fin_on_a_syn_wait_for_the_handshake() {
    everywhere(|at| {
        let syn = Segment { flags: SYN | FIN, payload: "early".into(), ..at.syn() };
        let mut from_listen = at.listen();
        assert_eq!(from_listen.arrives(syn.clone()), "<SEQ=0><ACK=1><CTL=SYN,ACK>");
        let mut crossed = at.connect();
        assert_eq!(crossed.arrives(syn.clone()), "<SEQ=0><ACK=1><CTL=SYN,ACK>");
        for mut rig in [at.accept(syn), from_listen, crossed] {
            let told = rig.arrives(rig.ack(1, 1));
            assert_eq!(told, "Connected; Deliver \"early\"; PeerClosed; <SEQ=1><ACK=7><CTL=ACK>");
            assert_eq!(rig.state(), State::CloseWait);
        }
    });
}

#[test]
fn text_and_fin_on_a_syn_ack_are_delivered_at_once() {
    everywhere(|at| {
        let mut rig = at.connect();
        let segment = Segment { flags: SYN | ACK | FIN, payload: "early".into(), ..rig.syn(SYN | ACK) };
        assert_eq!(rig.arrives(segment), "Connected; Deliver \"early\"; PeerClosed; <SEQ=1><ACK=7><CTL=ACK>");
    });
}

/// The pointer of a SYN waits with its text. It is to the octet after the urgent data: SYN, four octets of it, then one more.
#[test]
fn urgency_on_a_syn_waits_for_the_handshake() {
    everywhere(|at| {
        let syn = Segment { flags: SYN | segue::Flags::URG, urgent: 5, payload: "early".into(), ..at.syn() };
        let mut from_listen = at.listen();
        from_listen.arrives(syn.clone());
        let mut crossed = at.connect();
        crossed.arrives(syn.clone());
        for mut rig in [at.accept(syn), from_listen, crossed] {
            let told = rig.arrives(rig.ack(1, 1));
            assert_eq!(told, "Connected; Urgent { ahead: 4 }; Deliver \"early\"; <SEQ=1><ACK=6><CTL=ACK>");
        }
    });
}

/// The segment that completes the handshake may point elsewhere: the later pointer counts.
#[test]
fn the_later_pointer_of_syn_and_ack_counts() {
    everywhere(|at| {
        for (urgent, ahead) in [(3, 4), (4, 4), (9, 9)] {
            let syn = Segment { flags: SYN | segue::Flags::URG, urgent: 5, payload: "early".into(), ..at.syn() };
            let mut rig = at.accept(syn);
            let told = rig.arrives(Segment { flags: ACK | segue::Flags::URG, urgent, ..rig.ack(1, 1) });
            assert_eq!(
                told,
                format!("Connected; Urgent {{ ahead: {ahead} }}; Deliver \"early\"; <SEQ=1><ACK=6><CTL=ACK>")
            );
        }
    });
}

/// What was not held was not acknowledged either: it comes again.
#[test]
fn no_more_than_one_segment_of_text_on_a_syn_is_held() {
    everywhere(|at| {
        let syn = Segment { flags: SYN | FIN, payload: vec![b'x'; 3000].into(), ..at.syn() };
        let mut rig = at.accept(syn);
        assert!(rig.connection.info().counters.octets_trimmed > 0);
        assert_eq!(rig.arrives(rig.ack(3002, 1)), "Connected; Deliver 1460; <SEQ=1><ACK=1461><CTL=ACK>");
        assert_eq!(rig.state(), State::Established);
    });
}

#[test]
fn drop_syn_fin_drops_it() {
    everywhere(|at| {
        let at = at.with(|config| config.drop_syn_fin(true));
        let mut rig = at.listen();
        rig.unmoved(rig.syn(SYN | FIN), "Discarded(SynFin)");
        let mut rig = at.connect();
        rig.unmoved(rig.syn(SYN | FIN), "Discarded(SynFin)");
        rig.unmoved(rig.syn(SYN | FIN | ACK), "Discarded(SynFin)");
    });
}

// SYN-SENT.

#[test]
fn syn_sent_rst_needs_an_acceptable_ack_and_no_number() {
    everywhere(|at| {
        for seq in [-1000, 0, 1, 0x7FFF_FFFF] {
            let mut rig = at.connect();
            rig.unmoved(rig.rst(seq), "Discarded(BlindReset)");
            rig.unmoved(rig.seg(RST | ACK, seq, 0), "Discarded(BadHandshakeAck)");
            rig.unmoved(rig.seg(RST | ACK, seq, 2), "Discarded(BadHandshakeAck)");
            assert_eq!(rig.arrives(rig.seg(RST | ACK, seq, 1)), "Closed(Refused)");
        }
    });
}

// After a SYN timeout.

#[test]
fn syn_timeout_makes_data_start_at_three_seconds_with_a_small_window() {
    everywhere(|at| {
        let mut rig = at.connect();
        assert_eq!(rig.fire(Timer::Retransmit), "<SEQ=0><CTL=SYN>");
        assert_eq!(rig.arrives(rig.syn(SYN | ACK)), "Connected; <SEQ=1><ACK=1><CTL=ACK>");
        assert_eq!(rig.connection.info().cwnd, 10_000); // RFC 6928 §2: one loss may be spurious at an RTO of 1 s
        assert_eq!(rig.send(1), "<SEQ=1><ACK=1><DATA=1><CTL=PSH,ACK>");
        assert_eq!(rig.until(Timer::Retransmit), Some(secs(3)));

        let mut rig = at.connect();
        assert_eq!(rig.fire(Timer::Retransmit), "<SEQ=0><CTL=SYN>");
        assert_eq!(rig.fire(Timer::Retransmit), "<SEQ=0><CTL=SYN>");
        assert_eq!(rig.arrives(rig.syn(SYN | ACK)), "Connected; <SEQ=1><ACK=1><CTL=ACK>");
        assert_eq!(rig.connection.info().cwnd, 1000);
        assert_eq!(rig.send(5000), "<SEQ=1><ACK=1><DATA=1000><CTL=ACK>");
        assert_eq!(rig.until(Timer::Retransmit), Some(secs(3)));
        assert_eq!(rig.does(Event::Abort), "<SEQ=1001><CTL=RST>; Closed(Aborted)");
    });
}
