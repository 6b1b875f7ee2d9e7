//! Steady traffic asks its host for nothing but to carry segments: no timer action, and one wake-up at most in a while.

use segue::{Action, Event, Timer};
use segue_kit::rig::{At, Rig, everywhere};
use segue_kit::{ms, us};

/// `SetTimer`s of the last call.
fn set(rig: &Rig) -> usize {
    rig.last.iter().filter(|action| matches!(action, Action::SetTimer(..))).count()
}

/// A connection whose handshake's wake-up is over.
fn settled(at: At) -> Rig {
    let mut rig = at.with_options().established();
    rig.call_timer(Timer::Retransmit);
    rig
}

/// The delayed ACK starts and ends with every second segment; its first deadline is the wake-up of all.
#[test]
fn established_a_pure_receiver_sets_one_timer_in_a_thousand_segments() {
    everywhere(|at| {
        let mut rig = settled(at);
        let mut actions = 0;
        for n in 0..1000 {
            rig.wait(us(30));
            rig.arrives(rig.octets(1 + 100 * n, 1, 100));
            actions += set(&rig);
            rig.consume(100);
            actions += set(&rig);
        }
        assert_eq!((actions, rig.connection.info().counters.octets_in), (1, 100_000));
    });
}

/// Each ACK moves the retransmission timer, the tail-loss probe and the user timeout.
#[test]
fn established_a_pure_sender_sets_one_timer_in_a_thousand_acknowledgments() {
    everywhere(|at| {
        let mut rig = settled(at);
        let mut actions = 0;
        for n in 0..1000 {
            rig.wait(us(30));
            rig.send(988); // an MSS of 1000 less the timestamps
            actions += set(&rig);
            rig.wait(us(30));
            rig.arrives(rig.ack(1, 1 + 988 * (n + 1)));
            actions += set(&rig);
        }
        // the first deadline; and the first measurement moved the RTO before it
        assert!(actions <= 2, "{actions} timer actions");
        assert_eq!(rig.connection.info().counters.octets_acked, 988_000);
    });
}

/// Requests and responses: every timer of both sides starts and ends in each turn.
#[test]
fn established_a_ping_pong_sets_two_timers_in_a_thousand_turns() {
    everywhere(|at| {
        let mut rig = settled(at);
        let mut actions = 0;
        for n in 0..1000 {
            rig.wait(us(10));
            rig.send(64);
            actions += set(&rig);
            rig.wait(us(10));
            rig.arrives(rig.octets(1 + 64 * n, 1 + 64 * (n + 1), 64));
            actions += set(&rig);
            rig.consume(64);
            actions += set(&rig);
        }
        assert!(actions <= 3, "{actions} timer actions");
    });
}

/// A host that calls when it was told, and only then: it is called back at most once in each span of a delayed ACK.
#[test]
fn established_a_host_wakes_up_no_oftener_than_once_in_the_least_timeout() {
    everywhere(|at| {
        let mut rig = settled(at);
        let (mut wake, mut calls) = (None, 0);
        for n in 0..20_000 {
            rig.wait(us(50));
            rig.arrives(rig.octets(1 + 100 * n, 1, 100));
            wake = told(&rig).or(wake);
            rig.does(Event::Consume(100));
            if wake.is_some_and(|at| at <= rig.now) {
                calls += 1;
                rig.call_timer(Timer::DelayedAck);
                wake = told(&rig);
            }
        }
        assert!(calls <= 26, "{calls} calls in a second: a delayed ACK waits for 40 ms");
    });
}

fn told(rig: &Rig) -> Option<segue::Instant> {
    rig.last.iter().rev().find_map(|action| if let Action::SetTimer(_, at) = action { Some(*at) } else { None })
}

/// Nothing is due for ever: after the last wake-up an idle connection asks for none.
#[test]
fn established_an_idle_connection_falls_silent() {
    everywhere(|at| {
        let mut rig = settled(at);
        rig.send(988);
        rig.arrives(rig.ack(1, 989));
        for _ in 0..4 {
            rig.wait(ms(2000));
            rig.call_timer(Timer::Idle);
        }
        assert_eq!((set(&rig), rig.connection.next_deadline()), (0, None));
    });
}
