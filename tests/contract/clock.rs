//! Time as the host tells it: lazy timers, clocks that go wrong, timers called at any time.

use std::time::Duration;

use segue::{Action, Event, Instant, Knob, State, Timer};
use segue_kit::rig::{At, Rig, everywhere};
use segue_kit::{ms, secs};

fn timer_actions(rig: &Rig) -> Vec<Action> {
    let timer = |action: &&Action| matches!(action, Action::SetTimer(..));
    rig.last.iter().filter(timer).cloned().collect()
}

#[test]
fn a_timer_that_moves_later_is_not_announced_until_the_earlier_instant_fires() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.call_timer(Timer::Retransmit); // the wake-up of the handshake is over
        rig.send(1000);
        let first = rig.now + secs(1);
        assert_eq!(timer_actions(&rig), [Action::SetTimer(Timer::Retransmit, first)]);
        for i in 1..=5 {
            rig.wait(ms(100));
            rig.send(1000);
            rig.arrives(rig.ack(1, 1 + 1000 * i));
            assert_eq!(timer_actions(&rig), [], "the hot path has no timer traffic");
        }
        let due = rig.connection.deadline(Timer::Retransmit).expect("1000 octets are in flight");
        assert!(due > first);
        rig.now = first;
        assert_eq!(rig.call_timer(Timer::Retransmit), "");
        assert_eq!(timer_actions(&rig), [Action::SetTimer(Timer::Retransmit, due)]);
    });
}

/// Timers start and end with every segment; the host hears of the earliest instant of all, once.
#[test]
fn one_wake_up_serves_all_timers() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.call_timer(Timer::Retransmit); // the wake-up of the handshake is over
        rig.send(1000);
        let rto = rig.now + secs(1);
        assert_eq!(timer_actions(&rig), [Action::SetTimer(Timer::Retransmit, rto)]);
        rig.arrives(rig.text(1, 1, "abc")); // a delayed ACK
        let due = rig.connection.deadline(Timer::DelayedAck).expect("an ACK is owed");
        assert_eq!(timer_actions(&rig), [Action::SetTimer(Timer::DelayedAck, due)]);
        rig.arrives(rig.text(4, 1, "def")); // and it is sent
        assert_eq!((rig.until(Timer::DelayedAck), timer_actions(&rig)), (None, vec![]));
        rig.arrives(rig.ack(7, 1001));
        assert_eq!((rig.deadlines(), timer_actions(&rig)), (vec![(Timer::Idle, rig.now + secs(1))], vec![]));
        rig.now = due; // the host does as it was told
        assert_eq!(rig.call_timer(Timer::DelayedAck), "");
        let idle = rig.connection.deadline(Timer::Idle).expect("memory is given back");
        assert_eq!(timer_actions(&rig), [Action::SetTimer(Timer::Idle, idle)]);
        rig.fire(Timer::Idle);
        assert_eq!((rig.deadlines(), timer_actions(&rig)), (vec![], vec![]));
    });
}

#[test]
fn an_earlier_deadline_is_announced_at_once() {
    let mut rig = At::default().established();
    rig.call_timer(Timer::Retransmit); // the wake-up of the handshake is over
    let begin = rig.now;
    for (idle, told) in [(20, true), (10, true), (15, false), (11, false), (9, true)] {
        rig.does(Event::Set(Knob::KeepAlive(true)));
        rig.does(Event::Set(Knob::KeepAliveIdle(secs(idle))));
        let expected = told.then_some(Action::SetTimer(Timer::KeepAlive, begin + secs(idle)));
        assert_eq!(timer_actions(&rig), Vec::from_iter(expected), "{idle} s");
        assert_eq!(rig.until(Timer::KeepAlive), Some(secs(idle)));
    }
}

#[test]
fn a_timer_called_early_does_nothing() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(1000);
        let before = rig.connection.canonical(rig.now);
        for timer in Timer::ALL {
            assert_eq!(rig.call_timer(timer), "");
        }
        assert_eq!(before, rig.connection.canonical(rig.now));
        rig.wait(ms(999));
        assert_eq!(rig.call_timer(Timer::Retransmit), "");
        rig.wait(ms(1));
        assert_eq!(rig.call_timer(Timer::Retransmit), "<SEQ=1><ACK=1><DATA=1000><CTL=PSH,ACK>");
        assert_eq!(rig.call_timer(Timer::Retransmit), "");
    });
}

/// Any name will do: every timer that is due runs, in the order of `Timer::ALL`.
#[test]
fn one_call_runs_all_timers_that_are_due() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(1000);
        rig.arrives(rig.text(1, 1, "abc"));
        rig.wait(secs(2));
        assert_eq!(rig.call_timer(Timer::TimeWait), "<SEQ=1><ACK=4><DATA=1000><CTL=PSH,ACK>");
        assert_eq!(rig.connection.info().rto, secs(2));
        assert!(rig.connection.next_deadline().is_some_and(|(_, at)| at > rig.now));
    });
}

#[test]
fn an_overdue_timer_stays_due_while_segments_are_handled() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(1000);
        rig.wait(secs(5));
        assert_eq!(rig.arrives(rig.text(1, 1, "abc")), "Deliver \"abc\"");
        assert_eq!(rig.connection.next_deadline(), Some((Timer::Retransmit, at.start + secs(1))));
        assert_eq!(rig.call_timer(Timer::Retransmit), "<SEQ=1><ACK=4><DATA=1000><CTL=PSH,ACK>");
    });
}

/// A host that calls nothing for a long time and then everything.
#[test]
fn timers_called_very_late_run_once() {
    let mut rig = At::default().with(|config| config.user_timeout(None)).established();
    rig.send(3000);
    rig.wait(secs(100_000));
    assert_eq!(rig.call_timer(Timer::Retransmit), "<SEQ=1><ACK=1><DATA=1000><CTL=ACK>");
    assert_eq!(rig.connection.info().counters.timeouts, 1);
}

// The clock.

#[test]
fn a_clock_that_goes_backwards_stands_still() {
    everywhere(|at| {
        for state in State::ALL {
            let mut rig = at.state(state);
            rig.wait(secs(3));
            rig.does(Event::Continue);
            let mut still = rig.clone();
            for (back, event) in [
                (secs(2), Event::Segment(rig.text(1, 1, "abc"))),
                (secs(9), Event::Segment(rig.fin(4, 1))),
                (ms(1), Event::Continue),
            ] {
                rig.now = at.start + (secs(3).saturating_sub(back));
                rig.does(event.clone());
                still.does(event);
                assert_eq!(rig.last, still.last);
                assert!(rig.connection == still.connection, "{state}");
            }
        }
    });
}

#[test]
fn a_clock_that_goes_to_its_end_overflows_nothing() {
    for state in State::ALL {
        for end in [u64::MAX, u64::MAX - 1, 1 << 63, 1 << 62, 1 << 58, (1 << 58) - 1] {
            for options in [false, true] {
                let at = if options { At::default().with_options() } else { At::default() };
                let mut rig = at.with(|config| config.keep_alive(true)).state(state);
                rig.arrives(rig.text(1, 1, "abc"));
                rig.now = Instant::from_micros(end);
                rig.connection.send(&mut "text".into(), rig.now).ok();
                for timer in Timer::ALL {
                    let actions = rig.connection.handle_timer(timer, rig.now);
                    assert!(actions.len() < 20);
                }
                rig.connection.handle_segment(rig.ack(4, 1), rig.now);
                rig.connection.handle_segment(rig.fin(4, 1), rig.now);
                rig.connection.canonical(rig.now);
                rig.connection.check_invariants();
            }
        }
    }
}

/// Later instants count as the latest one.
#[test]
fn the_far_future_is_clamped() {
    let at = At::default();
    let (mut one, mut other) = (at.established().connection, at.established().connection);
    let rig = at.established();
    for segment in [rig.text(1, 1, "abc"), rig.rst(9)] {
        let first = one.handle_segment(segment.clone(), Instant::from_micros(1 << 58));
        let second = other.handle_segment(segment, Instant::from_micros(u64::MAX));
        assert_eq!(first, second);
    }
    assert!(one == other);
}

/// The time before an answer was asked for is no silence of the peer's: what it may not have got is sent again first.
#[test]
fn a_jump_of_years_ends_nothing_unasked() {
    let mut rig = At::default().established();
    rig.send(1);
    rig.wait(Duration::from_secs(3600 * 24 * 3650));
    assert_eq!(rig.call_timer(Timer::Retransmit), "<SEQ=1><ACK=1><DATA=1><CTL=PSH,ACK>");
    assert_eq!(rig.until(Timer::UserTimeout), Some(secs(299))); // 1 s of the 300 had passed in time
    assert_eq!(rig.arrives(rig.ack(1, 2)), "Acked(1); Flushed");
}

/// The property of the host that knows nothing but `SetTimer` is audited by every call of every test here.
#[test]
fn at_most_one_stale_wake_up_follows_the_last_activity() {
    let mut rig = At::default().established();
    rig.send(1000);
    rig.arrives(rig.text(1, 1, "abc"));
    rig.arrives(rig.ack(4, 1001));
    rig.fire(Timer::DelayedAck);
    rig.fire(Timer::Idle);
    assert_eq!((rig.deadlines(), timer_actions(&rig)), (vec![], vec![]));
    assert_eq!(rig.call_timer(Timer::Idle), "");
    assert_eq!(timer_actions(&rig), []);
}
