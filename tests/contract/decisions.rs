//! Where the RFCs conflict or leave a choice: what segue does (the table in `docs/conformance/decisions.md`).

use segue::{Flags, Segment, State, Timer};
use segue_kit::rig::{ACK, At, FIN, LIVE, RST, Rig, SYN, everywhere};
use segue_kit::{ms, secs};

/// ESTABLISHED with 10,000 octets delivered that the user has not taken: RCV.WND is 0, RCV.NXT 10,001.
fn full(at: At) -> Rig {
    let mut rig = at.established();
    for i in 0..10 {
        rig.arrives(rig.octets(1 + 1000 * i, 1, 1000));
    }
    assert_eq!((rig.connection.info().rcv_wnd, rig.connection.info().rcv_nxt), (0, rig.rcv(10_001)));
    rig
}

// The ACK field of unacceptable segments (App. A.2, MUST-66).

#[test]
fn zero_window_text_at_rcv_nxt_is_dropped_but_its_ack_window_and_urg_count() {
    everywhere(|at| {
        let mut rig = full(at);
        rig.send(300);
        rig.window = 777;
        let segment = rig.text(10_001, 301, "refused");
        let urgent = Segment { flags: ACK | Flags::URG, urgent: 9, ..segment };
        assert_eq!(
            rig.arrives(urgent),
            "Discarded(ZeroWindow); Urgent { ahead: 9 }; Acked(300); Flushed; <SEQ=301><ACK=10001><CTL=ACK>"
        );
        let info = rig.connection.info();
        assert_eq!((info.snd_una, info.snd_wnd, info.unconsumed), (rig.snd(301), 777, 10_000));
    });
}

#[test]
fn zero_window_fin_at_rcv_nxt_is_not_taken() {
    everywhere(|at| {
        let mut rig = full(at);
        assert_eq!(rig.arrives(rig.fin(10_001, 1)), "Discarded(ZeroWindow); <SEQ=1><ACK=10001><CTL=ACK>");
        assert_eq!(rig.state(), State::Established);
    });
}

#[test]
fn zero_window_exact_reset_resets() {
    everywhere(|at| {
        let mut rig = full(at);
        assert_eq!(rig.arrives(rig.rst(10_001)), "Closed(Reset)");
        let mut rig = full(at);
        let with_text = Segment { payload: "refused".into(), ..rig.rst(10_001) };
        assert_eq!(rig.arrives(with_text), "Closed(Reset)");
    });
}

#[test]
fn empty_segment_at_the_right_edge_is_heard() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(300);
        rig.window = 4321;
        assert_eq!(rig.arrives(rig.ack(10_001, 301)), "Acked(300); Flushed");
        assert_eq!(rig.connection.info().snd_wnd, 4321);
    });
}

#[test]
fn empty_segment_beyond_the_right_edge_is_thrown_away() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(300);
        rig.unmoved(rig.ack(10_002, 301), "<SEQ=301><ACK=1><CTL=ACK>; Discarded(OutOfWindow)");
    });
}

#[test]
fn segment_just_before_rcv_nxt_is_heard_and_answered() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(300);
        rig.window = 4321;
        assert_eq!(rig.arrives(rig.ack(0, 301)), "Acked(300); Flushed; <SEQ=301><ACK=1><CTL=ACK>");
        rig.send(300);
        assert_eq!(
            rig.arrives(rig.text(0, 601, "?")),
            "Discarded(Duplicate); Acked(300); Flushed; <SEQ=601><ACK=1><CTL=ACK>"
        );
    });
}

// The ACK that answers an unacceptable segment.

#[test]
fn answers_to_segments_without_length_share_the_throttle_and_others_do_not() {
    everywhere(|at| {
        let mut rig = at.established();
        for answered in 0..30 {
            let answer = if answered < 10 { "<SEQ=1><ACK=1><CTL=ACK>; " } else { "" };
            rig.unmoved(rig.ack(20_000, 1), &format!("{answer}Discarded(OutOfWindow)"));
        }
        rig.unmoved(rig.ack(1, 2), "Discarded(AckOutOfRange)");
        rig.unmoved(rig.rst(2), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(ResetChallenged)"); // that of SYNs and resets is another
        for _ in 0..30 {
            rig.unmoved(rig.octets(20_000, 1, 10), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(OutOfWindow)");
        }
    });
}

// The handshake: see opening.rs. OPEN and SEND in LISTEN: see calls.rs. Zero-window probes.

/// ESTABLISHED, the peer's window is closed.
fn peer_full(at: At) -> Rig {
    let mut rig = at.established();
    rig.window = 0;
    assert_eq!(rig.arrives(rig.ack(1, 1)), "");
    rig
}

#[test]
fn zero_window_probe_sends_one_octet_and_repeats_it() {
    everywhere(|at| {
        let mut rig = peer_full(at);
        assert_eq!(rig.send(100), "");
        assert_eq!(rig.until(Timer::Retransmit), None);
        for (i, wait) in [1, 2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
            assert_eq!(rig.until(Timer::Persist), Some(secs(wait)), "probe {i}");
            assert_eq!(rig.fire(Timer::Persist), "<SEQ=1><ACK=1><DATA=1><CTL=ACK>");
            assert_eq!(rig.connection.info().snd_nxt, rig.snd(2));
            assert_eq!(rig.arrives(rig.ack(1, 1)), ""); // refused, but answered
        }
        assert_eq!(rig.connection.info().counters.probes, 8);
        rig.window = 60_000;
        assert_eq!(rig.arrives(rig.ack(1, 1)), "<SEQ=1><ACK=1><DATA=100><CTL=PSH,ACK>");
    });
}

#[test]
fn zero_window_probe_that_is_taken_advances_the_next_one() {
    everywhere(|at| {
        let mut rig = peer_full(at);
        rig.send(3);
        assert_eq!(rig.fire(Timer::Persist), "<SEQ=1><ACK=1><DATA=1><CTL=ACK>");
        assert_eq!(rig.arrives(rig.ack(1, 2)), "Acked(1)");
        assert_eq!(rig.fire(Timer::Persist), "<SEQ=2><ACK=1><DATA=1><CTL=ACK>");
        assert_eq!(rig.arrives(rig.ack(1, 3)), "Acked(1)");
        assert_eq!(rig.fire(Timer::Persist), "<SEQ=3><ACK=1><DATA=1><CTL=PSH,ACK>");
    });
}

#[test]
fn zero_window_fin_alone_is_probed() {
    everywhere(|at| {
        let mut rig = peer_full(at);
        assert_eq!(rig.close(), "");
        assert_eq!(rig.state(), State::FinWait1);
        assert_eq!(rig.fire(Timer::Persist), "<SEQ=1><ACK=1><CTL=FIN,ACK>");
        assert_eq!(rig.arrives(rig.ack(1, 1)), "");
        assert_eq!(rig.fire(Timer::Persist), "<SEQ=1><ACK=1><CTL=FIN,ACK>");
        assert_eq!(rig.arrives(rig.ack(1, 2)), "Flushed");
        assert_eq!(rig.state(), State::FinWait2);
    });
}

/// Both windows are closed and both probe: an acknowledgment never lies beyond the edge of the window that refused the
/// probe, so each hears the other, and an opening too.
#[test]
fn simultaneous_probes_are_answered_and_deadlock_nobody() {
    everywhere(|at| {
        let mut rig = full(at);
        rig.window = 0;
        assert_eq!(rig.arrives(rig.ack(10_001, 1)), "");
        rig.send(100);
        assert_eq!(rig.fire(Timer::Persist), "<SEQ=1><ACK=10001><DATA=1><CTL=ACK>");
        // The peer's probe crosses ours; it sent before our octet came.
        let probe = rig.text(10_001, 1, "p");
        assert_eq!(rig.arrives(probe.clone()), "Discarded(ZeroWindow); <SEQ=1><ACK=10001><CTL=ACK>");
        assert_eq!(rig.connection.info().snd_nxt, rig.snd(2));
        // A stack that answers ours with its SND.NXT, one beyond the octet that we refused, is not heard …
        rig.window = 500;
        rig.unmoved(rig.ack(10_002, 1), "<SEQ=1><ACK=10001><CTL=ACK>; Discarded(OutOfWindow)");
        // … but its next probe is, and an answer with a number that we accept.
        let probe = Segment { window: 500, ..probe };
        assert_eq!(rig.clone().arrives(probe), "Discarded(ZeroWindow); <SEQ=1><ACK=10001><DATA=100><CTL=PSH,ACK>");
        assert_eq!(rig.arrives(rig.ack(10_001, 1)), "<SEQ=1><ACK=10001><DATA=100><CTL=PSH,ACK>");
    });
}

// Out of order, out of range.

#[test]
fn out_of_order_segment_has_its_ack_and_urg_processed_now_and_its_text_and_fin_held() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(50);
        let segment = Segment { flags: ACK | FIN | Flags::URG, urgent: 3, ..rig.text(4, 51, "def") };
        assert_eq!(rig.arrives(segment), "Urgent { ahead: 6 }; Acked(50); Flushed; <SEQ=51><ACK=1><CTL=ACK>");
        assert_eq!((rig.state(), rig.connection.info().held), (State::Established, 3));
        let told = rig.arrives(rig.text(1, 51, "abc"));
        assert_eq!(told, "Deliver \"abcdef\"; PeerClosed; <SEQ=51><ACK=8><CTL=ACK>");
        assert_eq!(rig.state(), State::CloseWait);
    });
}

#[test]
fn synchronized_rst_not_exact_syn_and_ack_out_of_range_are_challenged() {
    everywhere(|at| {
        for state in LIVE.into_iter().filter(|state| state.is_synchronized() && *state != State::TimeWait) {
            let rig = at.state(state);
            let info = rig.connection.info();
            let (nxt, rcv) = (info.snd_nxt - rig.snd(0), i64::from(info.rcv_nxt - rig.rcv(0)));
            let challenge = format!("<SEQ={nxt}><ACK={rcv}><CTL=ACK>; ");
            for (segment, reason) in [
                (rig.rst(rcv + 1), "ResetChallenged"),
                (rig.rst(rcv + 9000), "ResetChallenged"),
                (rig.syn(SYN), "SynChallenged"),
                (Segment { seq: rig.rcv(rcv), ..rig.syn(SYN) }, "SynChallenged"),
                (Segment { seq: rig.rcv(rcv + 50_000), ..rig.syn(SYN | ACK) }, "SynChallenged"),
                (rig.ack(rcv, i64::from(nxt) + 1), "AckOutOfRange"),
                (rig.ack(rcv, -60_001), "AckOutOfRange"),
            ] {
                let mut rig = rig.clone();
                for i in 0..12 {
                    let answer = if i < 10 { &challenge } else { "" };
                    rig.unmoved(segment.clone(), &format!("{answer}Discarded({reason})"));
                }
                assert_eq!(rig.connection.info().counters.challenge_acks, 10, "{state}");
            }
            let mut rig = rig.clone();
            rig.unmoved(rig.rst(rcv - 2), "Discarded(ResetOutOfWindow)");
            rig.unmoved(rig.rst(rcv + 20_000), "Discarded(ResetOutOfWindow)");
        }
    });
}

#[test]
fn oldest_ack_that_rfc_5961_allows_is_only_old() {
    everywhere(|at| {
        let mut rig = at.established();
        for una in (10_001..=70_001).step_by(10_000) {
            rig.send(10_000);
            rig.arrives(rig.ack(1, una));
        }
        // SND.UNA - MAX.SND.WND
        assert_eq!(rig.arrives(rig.text(1, 70_001 - 60_000, "text")), "Deliver \"text\"");
    });
}

#[test]
fn the_throttle_refills_and_belongs_to_one_connection() {
    everywhere(|at| {
        let (mut one, mut other) = (at.established(), at.established());
        for _ in 0..20 {
            one.arrives(one.rst(2));
        }
        one.unmoved(one.rst(2), "Discarded(ResetChallenged)");
        other.unmoved(other.rst(2), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(ResetChallenged)");
        one.wait(ms(4999));
        one.unmoved(one.rst(2), "Discarded(ResetChallenged)");
        one.wait(ms(1));
        for _ in 0..10 {
            one.unmoved(one.rst(2), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(ResetChallenged)");
        }
        one.unmoved(one.rst(2), "Discarded(ResetChallenged)");
    });
}

// TIME-WAIT.

#[test]
fn time_wait_retransmitted_fin_is_acknowledged_and_restarts_2_msl() {
    everywhere(|at| {
        let mut rig = at.time_wait();
        rig.wait(secs(100));
        assert_eq!(rig.until(Timer::TimeWait), Some(secs(140)));
        assert_eq!(rig.arrives(rig.fin(1, 2)), "<SEQ=2><ACK=2><CTL=ACK>");
        assert_eq!(rig.until(Timer::TimeWait), Some(secs(240)));
        assert_eq!(rig.fire(Timer::TimeWait), "Closed(Finished)");
    });
}

#[test]
fn time_wait_other_text_is_answered_and_restarts_nothing() {
    everywhere(|at| {
        let mut rig = at.time_wait();
        rig.wait(secs(100));
        rig.unmoved(rig.text(-2, 2, "abc"), "<SEQ=2><ACK=2><CTL=ACK>; Discarded(TimeWait)");
        rig.unmoved(rig.octets(20_000, 2, 1), "<SEQ=2><ACK=2><CTL=ACK>; Discarded(TimeWait)");
        assert_eq!(rig.until(Timer::TimeWait), Some(secs(140)));
    });
}

#[test]
fn time_wait_segment_without_length_is_answered_where_it_is_unacceptable() {
    everywhere(|at| {
        for seq in [2, 3, 10_000] {
            let mut rig = at.time_wait();
            rig.unmoved(rig.ack(seq, 1), "Discarded(TimeWait)");
            rig.unmoved(rig.ack(seq, 2), "Discarded(TimeWait)");
            rig.unmoved(rig.ack(seq, 3), "<SEQ=2><ACK=2><CTL=ACK>; Discarded(AckOutOfRange)");
        }
        for seq in [1, 0, -5, 10_002, 20_000] {
            let mut rig = at.time_wait();
            for ack in [1, 2, 3].into_iter().cycle().take(10) {
                rig.unmoved(rig.ack(seq, ack), "<SEQ=2><ACK=2><CTL=ACK>; Discarded(TimeWait)");
            }
            rig.unmoved(rig.ack(seq, 2), "Discarded(TimeWait)");
        }
    });
}

#[test]
fn time_wait_rst_is_ignored_whatever_its_number() {
    everywhere(|at| {
        let mut rig = at.time_wait();
        for seq in [-1, 1, 2, 3, 5000, 20_000] {
            rig.unmoved(rig.rst(seq), "Discarded(TimeWait)");
            rig.unmoved(rig.seg(RST | ACK, seq, 2), "Discarded(TimeWait)");
        }
    });
}

#[test]
fn time_wait_exact_rst_closes_without_rfc_1337() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.rfc1337(false)).time_wait();
        rig.unmoved(rig.rst(3), "<SEQ=2><ACK=2><CTL=ACK>; Discarded(ResetChallenged)");
        assert_eq!(rig.arrives(rig.rst(2)), "Closed(Reset)");
    });
}

#[test]
fn time_wait_syn_is_challenged_without_reuse() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.time_wait_reuse(false)).time_wait();
        let syn = Segment { seq: rig.rcv(100_000), ..rig.syn(SYN) };
        rig.unmoved(syn, "<SEQ=2><ACK=2><CTL=ACK>; Discarded(SynChallenged)");
    });
}

// ABORT: see calls.rs. Urgent data.

#[test]
fn urgent_is_told_when_the_pointer_appears_or_advances_and_before_its_text() {
    everywhere(|at| {
        let mut rig = at.established();
        let urgent = |rig: &Rig, seq, text: &'static str, up| Segment {
            flags: ACK | Flags::URG,
            urgent: up,
            ..rig.text(seq, 1, text)
        };
        assert_eq!(rig.arrives(urgent(&rig, 1, "abc", 5)), "Urgent { ahead: 5 }; Deliver \"abc\"");
        assert_eq!(rig.arrives(urgent(&rig, 4, "d", 2)), "Deliver \"d\"; <SEQ=1><ACK=5><CTL=ACK>");
        assert_eq!(rig.arrives(urgent(&rig, 5, "e", 4)), "Urgent { ahead: 4 }; Deliver \"e\"");
        assert_eq!(rig.connection.info().rcv_up, Some(rig.rcv(9)));
        assert_eq!(rig.connection.info().urgent_remaining, 8);
        assert_eq!(rig.arrives(rig.text(6, 1, "fgh")), "Deliver \"fgh\"; <SEQ=1><ACK=9><CTL=ACK>");
        assert_eq!(rig.connection.info().rcv_up, None);
        // Behind RCV.NXT it is no news.
        assert_eq!(rig.arrives(urgent(&rig, 9, "i", 0)), "Deliver \"i\"");
    });
}
