//! How long segue waits, and what it does then.

use segue::{Event, Knob, Segment, State, Timer};
use segue_kit::rig::{ACK, At, Rig, SYN, everywhere};
use segue_kit::{ms, secs};

// Retransmission.

#[test]
fn retransmission_backs_off_up_to_its_limit_and_reports_r1() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.user_timeout(None).black_hole_timeouts(0)).established();
        rig.send(1000);
        for (i, wait) in [1, 2, 4, 8, 16, 32, 60, 60, 60].into_iter().enumerate() {
            assert_eq!(rig.until(Timer::Retransmit), Some(secs(wait)));
            let report = if i == 2 { "Report(Unresponsive { retransmissions: 3 }); " } else { "" };
            assert_eq!(rig.fire(Timer::Retransmit), format!("{report}<SEQ=1><ACK=1><DATA=1000><CTL=PSH,ACK>"));
        }
        assert_eq!(rig.connection.info().counters.timeouts, 9);
    });
}

/// Karn's back-off stays until something sent once is acknowledged.
#[test]
fn back_off_is_kept_until_a_new_measurement() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(1000);
        rig.fire(Timer::Retransmit);
        rig.fire(Timer::Retransmit);
        assert_eq!(rig.connection.info().rto, secs(4));
        assert_eq!(rig.arrives(rig.ack(1, 1001)), "Acked(1000); Flushed");
        assert_eq!(rig.connection.info().rto, secs(4));
        rig.send(1000);
        assert_eq!(rig.until(Timer::Retransmit), Some(secs(4)));
        rig.wait(ms(100));
        rig.arrives(rig.ack(1, 2001));
        assert_eq!(rig.connection.info().rto, secs(1) + ms(100) / 8); // SRTT 100 ms / 8
    });
}

// The user timeout.

#[test]
fn user_timeout_counts_from_the_last_progress() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(2000);
        assert_eq!(rig.until(Timer::UserTimeout), Some(secs(300)));
        rig.pass(secs(200));
        rig.arrives(rig.ack(1, 1001));
        assert_eq!(rig.until(Timer::UserTimeout), Some(secs(300)));
        rig.pass(secs(299));
        rig.arrives(rig.ack(1, 1001)); // no progress
        assert_eq!(rig.until(Timer::UserTimeout), Some(secs(1)));
        assert_eq!(rig.pass(secs(1)).pop().expect("a timer").1, "Closed(UserTimeout)");
    });
}

#[test]
fn user_timeout_runs_only_while_something_waits() {
    let mut rig = At::default().established();
    assert_eq!(rig.until(Timer::UserTimeout), None);
    rig.send(10);
    rig.arrives(rig.ack(1, 11));
    rig.fire(Timer::Idle);
    assert_eq!(rig.deadlines(), []);
    rig.wait(secs(1_000_000));
    rig.send(10);
    assert_eq!(rig.until(Timer::UserTimeout), Some(secs(300)));
}

#[test]
fn user_timeout_is_a_setting_of_every_moment() {
    let mut rig = At::default().established();
    rig.send(10);
    rig.does(Event::Set(Knob::UserTimeout(None)));
    assert_eq!(rig.until(Timer::UserTimeout), None);
    rig.pass(secs(5));
    rig.does(Event::Set(Knob::UserTimeout(Some(secs(30)))));
    assert_eq!(rig.until(Timer::UserTimeout), Some(secs(25)));
    rig.does(Event::Set(Knob::UserTimeout(Some(ms(0))))); // 1 s at the least, which is over
    assert_eq!(rig.call_timer(Timer::UserTimeout), "Closed(UserTimeout)");
}

#[test]
fn user_timeout_covers_the_fin() {
    for state in [State::FinWait1, State::Closing, State::LastAck] {
        let mut rig = At::default().state(state);
        rig.pass(secs(299));
        assert_eq!((rig.state(), rig.until(Timer::UserTimeout)), (state, Some(secs(1))));
        assert_eq!(rig.pass(secs(1)).pop().expect("a timer").1, "Closed(UserTimeout)", "{state}");
    }
}

#[test]
fn connect_timeout_ends_the_handshake() {
    everywhere(|at| {
        let mut rig = at.connect();
        let mut sent = 1;
        while rig.connection.next_deadline().is_some_and(|(timer, _)| timer == Timer::Retransmit) {
            rig.fire(Timer::Retransmit);
            sent += 1;
        }
        assert_eq!((rig.until(Timer::UserTimeout), sent), (Some(secs(57)), 8)); // 1 2 4 8 16 32 60: 123 s, MUST-23: 180 s
        assert_eq!(rig.fire(Timer::UserTimeout), "Closed(ConnectTimeout)");
        for mut rig in [at.syn_received(), at.syn_received_from_listen(), at.crossed()] {
            rig.pass(secs(179));
            assert_eq!((rig.state(), rig.until(Timer::UserTimeout)), (State::SynReceived, Some(secs(1))));
            assert_eq!(rig.pass(secs(1)).pop().expect("a timer").1, "Closed(ConnectTimeout)");
        }
    });
}

/// A peer that answers probes is alive, however long its window stays closed (MUST-37); one that does not is not.
#[test]
fn a_closed_window_lasts_as_long_as_probes_are_answered() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.window = 0;
        rig.arrives(rig.ack(1, 1));
        rig.send(100);
        for _ in 0..100 {
            rig.fire(Timer::Persist);
            rig.arrives(rig.ack(1, 1));
        }
        assert!(rig.now.saturating_since(at.start) > secs(5000));
        while rig.connection.next_deadline().is_some_and(|(timer, _)| timer == Timer::Persist) {
            rig.fire(Timer::Persist);
        }
        assert_eq!(rig.fire(Timer::UserTimeout), "Closed(UserTimeout)");
    });
}

/// A window that opens answers the probes that were lost: the user timeout starts anew.
#[test]
fn a_window_that_opens_answers_the_probes() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.window = 0;
        rig.arrives(rig.ack(1, 1));
        rig.send(100);
        let start = rig.now;
        while rig.now.saturating_since(start) < secs(240) {
            rig.fire(Timer::Persist); // the network loses it
        }
        rig.window = 1000;
        rig.arrives(rig.ack(1, 1));
        let opened = rig.now;
        assert_eq!(rig.info().flight, 100);
        while rig.state() != State::Closed {
            let (timer, _) = rig.connection.next_deadline().expect("it waits");
            rig.fire(timer);
        }
        assert_eq!(rig.now.saturating_since(opened), secs(300));
    });
}

/// Text waits for a window, and the user has gone.
fn orphan_behind_a_closed_window() -> Rig {
    let mut rig = At::default().established();
    rig.send(100);
    rig.window = 0;
    rig.arrives(rig.ack(1, 1));
    rig.does(Event::Release);
    rig
}

/// Nobody waits any more: an orphan with a closed window ends though its probes are answered.
#[test]
fn a_closed_window_does_not_keep_an_orphan_alive() {
    let mut rig = orphan_behind_a_closed_window();
    let start = rig.now;
    while rig.state() != State::Closed {
        let (timer, _) = rig.connection.next_deadline().expect("it waits");
        let told = rig.fire(timer);
        if rig.state() == State::Closed {
            assert_eq!(told, "Closed(UserTimeout)");
        } else {
            rig.arrives(rig.ack(1, 1));
        }
    }
    assert_eq!(rig.now.saturating_since(start), secs(300));
}

/// Nor do windows that open and close again without taking anything.
#[test]
fn windows_that_open_do_not_keep_an_orphan_alive() {
    let mut rig = orphan_behind_a_closed_window();
    let start = rig.now;
    while rig.state() != State::Closed {
        assert!(rig.now.saturating_since(start) <= secs(300));
        let (timer, _) = rig.connection.next_deadline().expect("it waits");
        rig.fire(timer);
        for window in [1000, 0] {
            if rig.state() != State::Closed {
                rig.window = window;
                rig.arrives(rig.ack(1, 1));
            }
        }
    }
    assert_eq!(rig.now.saturating_since(start), secs(300));
}

// Keep-alive.

#[test]
fn keep_alive_is_off_by_default() {
    for state in [State::Established, State::FinWait2, State::CloseWait] {
        assert_eq!(At::default().state(state).deadlines(), [], "{state}");
    }
}

#[test]
fn keep_alive_probes_an_idle_peer_and_gives_up() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.keep_alive(true)).established();
        assert_eq!(rig.until(Timer::KeepAlive), Some(secs(7200)));
        for _ in 0..3 {
            assert_eq!(rig.fire(Timer::KeepAlive), "<SEQ=0><ACK=1><CTL=ACK>");
            assert!(rig.only().payload.is_empty());
            assert_eq!(rig.until(Timer::KeepAlive), Some(secs(75)));
            assert_eq!(rig.arrives(rig.ack(1, 1)), "");
            assert_eq!(rig.until(Timer::KeepAlive), Some(secs(7200)));
        }
        for _ in 0..9 {
            assert_eq!(rig.fire(Timer::KeepAlive), "<SEQ=0><ACK=1><CTL=ACK>");
        }
        assert_eq!(rig.fire(Timer::KeepAlive), "Closed(KeepAliveTimeout)");
    });
}

#[test]
fn keep_alive_counts_from_the_last_segment_that_counted() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.keep_alive(true)).established();
        rig.wait(secs(7000));
        rig.arrives(rig.rst(2));
        rig.arrives(rig.ack(20_000, 1));
        rig.arrives(rig.ack(1, 99));
        assert_eq!(rig.until(Timer::KeepAlive), Some(secs(200)), "what is thrown away proves nothing");
        rig.arrives(rig.ack(1, 1));
        assert_eq!(rig.until(Timer::KeepAlive), Some(secs(7200)));
    });
}

#[test]
fn keep_alive_rests_while_text_waits_for_its_acknowledgment() {
    let mut rig = At::default().with(|config| config.keep_alive(true)).established();
    rig.send(100);
    assert_eq!(rig.until(Timer::KeepAlive), None);
    rig.arrives(rig.ack(1, 101));
    assert_eq!(rig.until(Timer::KeepAlive), Some(secs(7200)));
}

#[test]
fn keep_alive_of_the_peer_is_answered() {
    everywhere(|at| {
        let mut rig = at.established();
        assert_eq!(rig.arrives(rig.ack(0, 1)), "<SEQ=1><ACK=1><CTL=ACK>");
        assert_eq!(rig.arrives(rig.text(0, 1, "\0")), "Discarded(Duplicate); <SEQ=1><ACK=1><CTL=ACK>");
    });
}

#[test]
fn keep_alive_knobs() {
    let mut rig = At::default().established();
    rig.does(Event::Set(Knob::KeepAliveIdle(secs(30))));
    assert_eq!(rig.until(Timer::KeepAlive), None);
    rig.does(Event::Set(Knob::KeepAlive(true)));
    assert_eq!(rig.until(Timer::KeepAlive), Some(secs(30)));
    rig.does(Event::Set(Knob::KeepAliveIdle(ms(1))));
    assert_eq!(rig.until(Timer::KeepAlive), Some(secs(1)));
    rig.does(Event::Set(Knob::KeepAlive(false)));
    assert_eq!(rig.until(Timer::KeepAlive), None);
}

// Acknowledgments that wait.

#[test]
fn an_acknowledgment_waits_at_most_its_time() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.arrives(rig.text(1, 1, "abc"));
        assert_eq!(rig.until(Timer::DelayedAck), Some(ms(40)));
        assert_eq!(rig.fire(Timer::DelayedAck), "<SEQ=1><ACK=4><CTL=ACK>");
        rig.arrives(rig.text(4, 1, "def"));
        assert_eq!(rig.send(2), "<SEQ=1><ACK=7><DATA=2><CTL=PSH,ACK>");
        assert_eq!(rig.until(Timer::DelayedAck), None);
        let mut rig = at.with(|config| config.delayed_ack(ms(0))).established();
        assert_eq!(rig.arrives(rig.text(1, 1, "abc")), "Deliver \"abc\"; <SEQ=1><ACK=4><CTL=ACK>");
    });
}

// Silly windows and Nagle.

#[test]
fn nagle_holds_what_does_not_fill_a_segment() {
    everywhere(|at| {
        let mut rig = at.established();
        assert_eq!(rig.send(1), "<SEQ=1><ACK=1><DATA=1><CTL=PSH,ACK>");
        assert_eq!(rig.send(400), "");
        assert_eq!(rig.send(700), "<SEQ=2><ACK=1><DATA=1000><CTL=ACK>");
        assert_eq!(rig.arrives(rig.ack(1, 1002)), "Acked(1001); <SEQ=1002><ACK=1><DATA=100><CTL=PSH,ACK>");
        rig.does(Event::Set(Knob::Nagle(false)));
        assert_eq!(rig.send(1), "<SEQ=1102><ACK=1><DATA=1><CTL=PSH,ACK>");
        rig.does(Event::Set(Knob::Nagle(true)));
        rig.send(5);
        assert_eq!(rig.close(), "<SEQ=1103><ACK=1><DATA=5><CTL=FIN,PSH,ACK>"); // nothing will follow that could fill it
    });
}

#[test]
fn a_cork_holds_even_the_first_segment_for_a_while() {
    let mut rig = At::default().established();
    rig.does(Event::Set(Knob::Cork(true)));
    assert_eq!(rig.send(300), "");
    assert_eq!(rig.until(Timer::Override), Some(ms(200)));
    assert_eq!(rig.send(800), "<SEQ=1><ACK=1><DATA=1000><CTL=ACK>");
    assert_eq!(rig.does(Event::Set(Knob::Cork(false))), "");
    assert_eq!(rig.arrives(rig.ack(1, 1001)), "Acked(1000); <SEQ=1001><ACK=1><DATA=100><CTL=PSH,ACK>");
    rig.does(Event::Set(Knob::Cork(true)));
    rig.arrives(rig.ack(1, 1101));
    assert_eq!(rig.send(7), "");
    assert_eq!(rig.fire(Timer::Override), "<SEQ=1101><ACK=1><DATA=7><CTL=PSH,ACK>");
}

#[test]
fn a_silly_window_is_used_after_a_while() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.window = 100;
        rig.arrives(rig.ack(1, 1));
        assert_eq!(rig.send(5000), "");
        assert_eq!(rig.until(Timer::Override), Some(ms(200)));
        assert_eq!(rig.fire(Timer::Override), "<SEQ=1><ACK=1><DATA=100><CTL=ACK>");
        assert_eq!(rig.arrives(rig.ack(1, 101)), "Acked(100)");
        rig.window = 30_000; // half of the largest window seen
        assert!(rig.arrives(rig.ack(1, 101)).starts_with("<SEQ=101><ACK=1><DATA=1000><CTL=ACK>; "));
    });
}

// TIME-WAIT and who may follow (RFC 6191).

/// A SYN in TIME-WAIT; `clock` is its TSval less the last one of this incarnation, `seq` its number less RCV.NXT.
fn successor(at: At, options: bool, seq: i64, clock: Option<i64>) -> String {
    let mut rig = if options { at.with_options() } else { at }.time_wait();
    let peer_clock = rig.peer_clock;
    let mut syn = Segment { seq: rig.rcv(2 + seq), ..rig.syn(SYN) };
    syn.options.update(|options| {
        options.timestamps =
            clock.map(|clock| segue::Timestamps { value: peer_clock.wrapping_add(clock as u32), echo: 0 })
    });
    rig.wait(secs(1));
    let before = rig.connection.canonical(rig.now);
    let told = rig.arrives(syn);
    assert!(before == rig.connection.canonical(rig.now), "stay in TIME-WAIT whatever comes");
    told
}

#[test]
fn time_wait_syn_opens_a_successor_by_rfc_6191() {
    everywhere(|at| {
        let yes = |seq: i64| format!("Successor {} after 2", 2 + seq);
        let no = "Discarded(TimeWait)";
        // Timestamps in both: the clock decides; equal, the number does.
        for seq in [-70_000, -1, 0, 70_000] {
            assert_eq!(successor(at, true, seq, Some(1)), yes(seq));
            assert_eq!(successor(at, true, seq, Some(0x7FFF_FFFF)), yes(seq));
            assert_eq!(successor(at, true, seq, Some(-1)), no);
        }
        assert_eq!(successor(at, true, 0, Some(0)), yes(0));
        assert_eq!(successor(at, true, 5, Some(0)), yes(5));
        assert_eq!(successor(at, true, -1, Some(0)), no);
        // Timestamps in the old incarnation only: the number decides.
        assert_eq!(successor(at, true, 0, None), yes(0));
        assert_eq!(successor(at, true, -1, None), no);
        // In neither: the number decides.
        assert_eq!(successor(at, false, 0, None), yes(0));
        assert_eq!(successor(at, false, 0x7000_0000, None), yes(0x7000_0000));
        assert_eq!(successor(at, false, -1, None), no);
        // In the SYN only, and we would use them: there is no old segment that they would not tell apart.
        let both = at.with(|config| config.timestamps(true));
        let mut rig = both.connect();
        let mut syn_ack = rig.syn(SYN | ACK);
        syn_ack.options.update(|options| options.timestamps = None);
        rig.arrives(syn_ack);
        rig.close();
        let plain = |mut segment: Segment| {
            segment.options.update(|options| options.timestamps = None);
            segment
        };
        rig.arrives(plain(rig.fin(1, 2)));
        assert_eq!(rig.state(), State::TimeWait);
        assert_eq!(rig.arrives(Segment { seq: rig.rcv(-500), ..rig.syn(SYN) }), "Successor -500 after 2");
    });
}

/// The host drops the old value and accepts the SYN; nothing of the old connection can be taken for one of the new.
#[test]
fn the_successor_is_accepted_with_an_iss_beyond() {
    everywhere(|at| {
        let mut rig = at.time_wait();
        rig.arrives(Segment { seq: rig.rcv(100_000), ..rig.syn(SYN) });
        let segue::Action::Successor { syn, iss_after } = rig.last[0].clone() else { panic!("{:?}", rig.last) };
        let next = At { iss: (iss_after + 64_000).value(), irs: syn.seq.value(), ..at };
        let mut new = next.accept(*syn);
        assert_eq!(new.said(), "<SEQ=0><ACK=1><CTL=SYN,ACK>");
        assert_eq!(new.arrives(new.ack(1, 1)), "Connected");
        let old = rig.fin(1, 2);
        assert!(new.arrives(old).ends_with("Discarded(OutOfWindow)") || new.said().ends_with("Discarded(Duplicate)"));
        assert_eq!(new.state(), State::Established);
    });
}

/// A SYN,ACK is no SYN that opens anything.
#[test]
fn time_wait_syn_ack_is_challenged() {
    everywhere(|at| {
        let mut rig = at.time_wait();
        rig.unmoved(rig.syn(SYN | ACK), "<SEQ=2><ACK=2><CTL=ACK>; Discarded(SynChallenged)");
    });
}
