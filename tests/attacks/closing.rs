//! F: how connections end, and what must not outlive them.

use std::time::Duration;

use segue::{Event, Segment, State, Timer};
use segue_kit::pair::Wire;
use segue_kit::rig::{At, LIVE, Rig, everywhere};
use segue_kit::{ms, secs};

#[test]
fn f2_an_orphan_does_not_stay_in_fin_wait_2() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.does(Event::Release);
        rig.arrives(rig.ack(1, 2));
        for _ in 0..5 {
            rig.wait(secs(10));
            rig.arrives(rig.ack(1, 2)); // a peer that stays alive and never closes
        }
        assert_eq!(rig.fire(Timer::FinWait2), "Closed(FinWait2Timeout)");
        assert_eq!(rig.now.saturating_since(at.start), secs(60));
    });
}

/// CVE-2015-5358: nobody answers the last FIN.
#[test]
fn f3_last_ack_ends_though_nobody_answers() {
    everywhere(|at| {
        for state in [State::LastAck, State::FinWait1, State::Closing] {
            let mut rig = at.state(state);
            let mut sent = 0;
            while let Some((timer, _)) = rig.connection.next_deadline() {
                rig.fire(timer);
                sent += rig.sent().len();
            }
            assert_eq!((rig.state(), rig.said().as_str()), (State::Closed, "Closed(UserTimeout)"));
            assert!((5..=12).contains(&sent), "{state}: {sent} FINs in 300 s");
        }
    });
}

/// smoltcp 816a4f96: duplicates in LAST-ACK end nothing and leave nothing stuck.
#[test]
fn f3_last_ack_survives_duplicates() {
    everywhere(|at| {
        let mut rig = at.last_ack();
        assert_eq!(rig.arrives(rig.ack(2, 1)), "");
        assert_eq!(rig.arrives(rig.fin(1, 1)), "Discarded(Duplicate); <SEQ=2><ACK=2><CTL=ACK>");
        rig.unmoved(rig.ack(2, 3), "<SEQ=2><ACK=2><CTL=ACK>; Discarded(AckOutOfRange)");
        assert_eq!(rig.fire(Timer::Retransmit), "<SEQ=1><ACK=2><CTL=FIN,ACK>");
        assert_eq!(rig.arrives(rig.ack(2, 2)), "Flushed; Closed(Finished)");
    });
}

/// RFC 1337.
#[test]
fn f4_time_wait_is_not_assassinated() {
    everywhere(|at| {
        let mut rig = at.time_wait();
        rig.wait(secs(50));
        rig.unmoved(rig.rst(2), "Discarded(TimeWait)");
        // Hazard H1: old text is answered, and the reset that answers the answer is ignored.
        rig.unmoved(rig.octets(-500, -400, 100), "<SEQ=2><ACK=2><CTL=ACK>; Discarded(TimeWait)");
        rig.unmoved(rig.rst(2), "Discarded(TimeWait)");
        assert_eq!(rig.until(Timer::TimeWait), Some(secs(190)));
        assert_eq!(rig.arrives(rig.fin(1, 2)), "<SEQ=2><ACK=2><CTL=ACK>");
        assert_eq!(rig.until(Timer::TimeWait), Some(secs(240)));
        assert_eq!(rig.fire(Timer::TimeWait), "Closed(Finished)");
        assert_eq!(rig.now.saturating_since(at.start), secs(290));
    });
}

/// Two ends in TIME-WAIT have nothing to say to each other.
#[test]
fn f4_two_ends_in_time_wait_are_silent() {
    everywhere(|at| {
        let other = At { iss: at.irs, irs: at.iss, ..at };
        let mut pair = Wire::new([at.time_wait(), other.time_wait()], Duration::ZERO);
        pair.put(1, other.listen().ack(2, 2));
        pair.put(0, at.listen().ack(2, 2));
        pair.put(0, at.listen().octets(-5, 1, 3));
        pair.pass(secs(1));
        assert_eq!(pair.exchanged, 4, "the text alone is answered");
    });
}

/// SHLD-3: the peer must not believe that its text was read.
#[test]
fn f5_release_with_unread_text_resets() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.arrives(rig.text(1, 1, "unread"));
        rig.consume(5);
        assert_eq!(rig.does(Event::Release), "<SEQ=1><CTL=RST>; Closed(Unread)");
        let mut rig = at.established();
        rig.does(Event::Release);
        assert_eq!(rig.arrives(rig.text(1, 1, "late")), "<SEQ=2><CTL=RST>; Closed(Unread)");
    });
}

#[test]
fn f6_text_after_the_end_is_reset() {
    everywhere(|at| {
        let mut rig = at.last_ack();
        rig.arrives(rig.ack(2, 2));
        assert_eq!(rig.state(), State::Closed);
        rig.unmoved(rig.text(2, 2, "late"), "<SEQ=2><CTL=RST>; Discarded(NoConnection)");
    });
}

#[test]
fn f7_a_half_closed_connection_carries_any_amount() {
    everywhere(|at| {
        let mut rig = at.fin_wait_2();
        let mut seq = 1;
        for _ in 0..100 {
            rig.arrives(rig.octets(seq, 2, 1000));
            assert_eq!(rig.delivered().len(), 1000);
            seq += 1000;
            rig.wait(secs(100));
            rig.call_timer(Timer::DelayedAck);
            rig.consume(1000);
        }
        assert_eq!(rig.arrives(rig.fin(seq, 2)), format!("PeerClosed; <SEQ=2><ACK={}><CTL=ACK>", seq + 1));
        let mut rig = at.close_wait();
        rig.send(8000);
        assert_eq!(rig.octets_sent(), 8000);
        assert_eq!(rig.arrives(rig.ack(2, 8001)), "Acked(8000); Flushed");
    });
}

/// smoltcp b38faa58.
#[test]
fn f8_closing_sends_its_fin_again() {
    everywhere(|at| {
        let mut rig = at.closing();
        assert_eq!(rig.fire(Timer::Retransmit), "<SEQ=1><ACK=2><CTL=FIN,ACK>");
        assert_eq!(rig.fire(Timer::Retransmit), "<SEQ=1><ACK=2><CTL=FIN,ACK>");
        assert_eq!(rig.arrives(rig.ack(2, 2)), "Flushed");
        assert_eq!(rig.state(), State::TimeWait);
    });
}

#[test]
fn f9_abort_leaves_nothing_in_any_state() {
    everywhere(|at| {
        for state in State::ALL {
            let mut rig = at.state(state);
            if rig.connection.send_room() > 0 {
                rig.send(5000);
            }
            rig.arrives(rig.text(50, 1, "held"));
            rig.does(Event::Abort);
            assert_eq!((rig.state(), rig.deadlines()), (State::Closed, vec![]), "{state}");
            assert_eq!(rig.connection.canonical(rig.now), at.closed().connection.canonical(rig.now), "{state}");
        }
    });
}

/// RFC 5482 §4.2 and RFC 1122 §4.2.3.6: each has its own job.
#[test]
fn f10_user_timeout_and_keep_alive_do_not_mix() {
    everywhere(|at| {
        let at = at.with(|config| config.keep_alive(true).keep_alive_idle(secs(10)).user_timeout(Some(secs(30))));
        let mut rig = at.established();
        // Idle: keep-alives count, the user timeout does not.
        assert_eq!(rig.until(Timer::UserTimeout), None);
        for _ in 0..9 {
            rig.fire(Timer::KeepAlive);
        }
        assert!(rig.now.saturating_since(at.start) > secs(600));
        assert_eq!(rig.clone().fire(Timer::KeepAlive), "Closed(KeepAliveTimeout)");
        // Text waits: the user timeout counts, keep-alives do not.
        rig.send(1);
        assert_eq!(rig.until(Timer::KeepAlive), None);
        while rig.connection.next_deadline().is_some_and(|(timer, _)| timer == Timer::Retransmit) {
            rig.fire(Timer::Retransmit);
        }
        assert_eq!(rig.fire(Timer::UserTimeout), "Closed(UserTimeout)");
    });
}

/// The application forgets to close: nothing is sent, nothing is lost, and a release ends it.
#[test]
fn f12_close_wait_waits_and_release_ends_it() {
    everywhere(|at| {
        let mut rig = at.close_wait();
        assert_eq!(rig.deadlines(), []);
        rig.wait(secs(1_000_000));
        assert_eq!(rig.does(Event::Release), "<SEQ=1><ACK=2><CTL=FIN,ACK>");
        assert_eq!(rig.arrives(rig.ack(2, 2)), "Flushed; Closed(Finished)");
    });
}

/// "Lost or mis-numbered FIN, data behind close()".
#[test]
fn f_the_fin_follows_the_text_whatever_is_lost() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(2500);
        rig.close();
        assert_eq!(rig.said(), "<SEQ=2001><ACK=1><DATA=500><CTL=FIN,PSH,ACK>");
        assert_eq!(rig.fire(Timer::Retransmit), "<SEQ=1><ACK=1><DATA=1000><CTL=ACK>");
        assert_eq!(rig.arrives(rig.ack(1, 2001)), "Acked(2000); <SEQ=2001><ACK=1><DATA=500><CTL=FIN,PSH,ACK>");
        assert_eq!(rig.arrives(rig.ack(1, 2501)), "Acked(500)");
        assert_eq!(rig.fire(Timer::Retransmit), "<SEQ=2501><ACK=1><CTL=FIN,ACK>");
        assert_eq!(rig.arrives(rig.ack(1, 2502)), "Flushed");
        assert_eq!(rig.state(), State::FinWait2);
    });
}

/// "Timers that survive close."
#[test]
fn f_no_timer_outlives_the_connection() {
    everywhere(|at| {
        for (state, pacing) in LIVE.into_iter().flat_map(|state| [(state, false), (state, true)]) {
            let busy = |rig: &mut Rig| {
                rig.arrives(rig.text(1, 1, "abc"));
                if rig.connection.send_room() > 0 {
                    rig.send(100);
                }
            };
            let mut reset = at.with(|config| config.keep_alive(true).rfc1337(false).pacing(pacing)).state(state);
            busy(&mut reset);
            let rcv = i64::from(reset.connection.info().rcv_nxt - reset.rcv(0));
            let reset_now = reset.rst(rcv);
            assert!(reset.arrives(reset_now).contains("Closed("), "{state}"); // the rig sees that all are stopped
            assert_eq!(reset.deadlines(), []);
            for timer in Timer::ALL {
                reset.wait(ms(1));
                assert_eq!(reset.call_timer(timer), "");
            }
        }
    });
}

/// "Data lost on RST after delivery": what came before the reset in one batch is delivered, what was acknowledged is told.
#[test]
fn f_a_reset_takes_nothing_back() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(100);
        let batch = [rig.text(1, 101, "abc"), Segment { seq: rig.rcv(4), ..rig.rst(4) }];
        let mut actions = Vec::new();
        rig.connection.handle_segments(batch, rig.now, &mut actions);
        assert_eq!(rig.say(&actions), "Deliver \"abc\"; Acked(100); Flushed; Closed(Reset)");
    });
}
