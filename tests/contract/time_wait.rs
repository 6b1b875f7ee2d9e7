//! TIME-WAIT as a value of its own: when a connection becomes one, and what the host sees of it.

use segue::{Action, Arc, CloseReason, Event, Flags, Instant, State, Timer};

use segue_kit::rig::{ACK, At, FIN, Rig, everywhere};
use segue_kit::secs;

/// Whatever the state: nothing is lost when the host asks too early or too late.
#[test]
fn every_other_state_a_value_is_refused_and_the_connection_is_unchanged() {
    for state in State::ALL.into_iter().filter(|state| *state != State::TimeWait) {
        let rig = At::default().state(state);
        assert_eq!(rig.connection.clone().time_wait(), Err(rig.connection), "{state}");
    }
}

/// TIME-WAIT with `octets` that the user did not consume.
fn unread(at: At, octets: usize) -> Rig {
    let mut rig = at.fin_wait_2();
    rig.does(Event::Segment(rig.octets(1, 2, octets)));
    rig.does(Event::Segment(rig.fin(1 + octets as i64, 2)));
    assert_eq!(rig.state(), State::TimeWait);
    rig
}

#[test]
fn time_wait_unread_text_refuses_a_value_until_it_is_consumed_or_the_user_is_gone() {
    let rig = unread(At::default(), 300);
    let rig_of = |event| {
        let mut rig = unread(At::default(), 300);
        assert_eq!(rig.does(event), "");
        rig.connection
    };
    assert_eq!(rig.connection.clone().time_wait(), Err(rig.connection));
    let partly = rig_of(Event::Consume(299));
    assert_eq!(partly.clone().time_wait(), Err(partly));
    assert!(rig_of(Event::Consume(300)).time_wait().is_ok());
    assert!(rig_of(Event::Release).time_wait().is_ok());
}

/// Our ACK was lost: the FIN comes again, is answered, and 2 MSL start anew. Then they end.
#[test]
fn time_wait_as_a_value_answers_the_fin_restarts_and_closes() {
    everywhere(|at| {
        let at = at.with_options();
        let rig = at.time_wait();
        let (config, start, fin) = (Arc::new(at.config), rig.now, rig.fin(1, 2));
        let (nxt, ack) = (rig.snd(2), rig.rcv(2));
        let mut value = rig.connection.time_wait().expect("TIME-WAIT");
        assert_eq!(
            (value.state(), value.next_deadline()),
            (State::TimeWait, Some((Timer::TimeWait, start + secs(240))))
        );
        assert_eq!(
            value.handle_timer(Timer::TimeWait, start, &config),
            [Action::SetTimer(Timer::TimeWait, start + secs(240))]
        );

        let now = start + secs(100);
        let actions = value.handle_segment(fin.clone(), now, &config);
        let [Action::Transmit(segment)] = &actions[..] else { panic!("{actions:?}") };
        assert_eq!((segment.seq, segment.ack, segment.flags), (nxt, ack, ACK));
        assert_eq!(value.next_deadline(), Some((Timer::TimeWait, now + secs(240))));

        assert_eq!(value.handle_segment(fin.clone(), Instant::ZERO, &config).len(), 1, "time does not go back");
        let at = now + secs(240);
        assert_eq!(value.next_deadline(), Some((Timer::TimeWait, at)));
        assert_eq!(value.handle_timer(Timer::TimeWait, at, &config), [Action::Closed(CloseReason::Finished)]);
        assert_eq!((value.state(), value.next_deadline()), (State::Closed, None));
        let actions = value.handle_segment(fin, at, &config);
        assert!(
            matches!(&actions[..], [Action::Transmit(reset), _] if reset.flags.contains(Flags::RST)),
            "{actions:?}"
        );
    });
}

/// Whatever arrives, the value answers as the connection would: numbers, window, options. With windows in units of any size.
#[test]
fn time_wait_as_a_value_answers_as_the_connection() {
    for shift in [None, Some(0), Some(3), Some(9), Some(14)] {
        let at = At::default()
            .with(|config| config.window_scaling(true).window_shift(shift).receive_buffer(1 << 20))
            .with_options();
        let rig = at.time_wait();
        let config = Arc::new(at.config);
        let (later, text) = (rig.now + secs(1), |seq| rig.text(seq, 2, "text"));
        let arrivals = [rig.fin(1, 2), text(1), text(2), text(100_000), text(-50), rig.ack(2, 2), rig.ack(-1, 2)];
        for segment in arrivals {
            let answers = |actions: Vec<Action>| -> Vec<Action> {
                actions.into_iter().filter(|action| matches!(action, Action::Transmit(_))).collect()
            };
            let (mut connection, mut value) = (rig.connection.clone(), rig.connection.clone().time_wait().unwrap());
            let expected = answers(connection.handle_segment(segment.clone(), later));
            assert_eq!(answers(value.handle_segment(segment, later, &config)), expected, "{shift:?}");
        }
    }
}

/// The peer opens the next connection of the same ports: the host gets the SYN and the last number used.
#[test]
fn time_wait_as_a_value_offers_a_successor() {
    let at = At::default();
    let rig = at.time_wait();
    let mut syn = rig.syn(Flags::SYN);
    syn.seq = rig.rcv(9);
    let iss_after = rig.snd(2);
    let mut value = rig.connection.time_wait().expect("TIME-WAIT");
    let actions = value.handle_segment(syn.clone(), at.start, &Arc::new(at.config));
    assert_eq!(actions, [Action::Successor { syn: Box::new(syn), iss_after }]);
    assert_eq!(value.state(), State::TimeWait);
}

/// Several segments share the acknowledgment that they need, as they do for a connection.
#[test]
fn time_wait_as_a_value_takes_segments_that_arrive_together() {
    let at = At::default();
    let rig = at.time_wait();
    let text = [rig.text(2, 2, "beyond"), rig.text(2, 2, "the FIN"), rig.seg(FIN | ACK, 1, 2)];
    let mut value = rig.connection.time_wait().expect("TIME-WAIT");
    let mut actions = Vec::new();
    value.handle_segments(text, at.start, &Arc::new(at.config), &mut actions);
    let sent = actions.iter().filter(|action| matches!(action, Action::Transmit(_))).count();
    assert_eq!(sent, 2, "{actions:?}"); // the FIN is answered at once
}
