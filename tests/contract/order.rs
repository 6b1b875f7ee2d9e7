//! The shape of every call: one answer to one segment, the same actions in every form of the call, runs that can be
//! replayed, acknowledgments that are shared.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use segue::{Action, Connection, Event, Flags, Instant, Knob, Segment, State, Timer};
use segue_kit::audit::order;
use segue_kit::rig::{ACK, At, FIN, RST, Rig, SYN, everywhere};
use segue_kit::{ms, secs};

fn hash(connection: &Connection) -> u64 {
    let mut hasher = DefaultHasher::new();
    connection.hash(&mut hasher);
    hasher.finish()
}

// At most one control segment answers one segment (the rig counts). The hard cases: those that are answered by two rules.

#[test]
fn a_segment_with_two_faults_is_answered_once() {
    everywhere(|at| {
        let mut full = at.with(|config| config.receive_buffer(100)).established();
        full.arrives(full.octets(1, 1, 100));
        assert_eq!(full.connection.info().rcv_wnd, 0);
        // Text into the zero window, and an ACK for what was never sent.
        full.unmoved(full.text(101, 77, "x"), "<SEQ=1><ACK=101><CTL=ACK>; Discarded(AckOutOfRange)");
        // Text into the zero window without an ACK.
        let silent = Segment { payload: "x".into(), ..full.seg(Flags::PSH, 101, 0) };
        full.unmoved(silent, "<SEQ=1><ACK=101><CTL=ACK>; Discarded(NoAck)");

        let mut rig = at.established();
        // Keep-alives, with and without text, with an ACK for what was never sent.
        rig.unmoved(rig.ack(0, 77), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(AckOutOfRange)");
        rig.unmoved(rig.text(0, 77, "x"), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(AckOutOfRange)");
        let silent = Segment { payload: "x".into(), ..rig.seg(Flags::PSH, 0, 0) };
        rig.unmoved(silent, "<SEQ=1><ACK=1><CTL=ACK>; Discarded(NoAck)");

        let mut rig = at.syn_received();
        rig.unmoved(rig.ack(0, 77), "<SEQ=77><CTL=RST>; Discarded(BadHandshakeAck)");
        rig.unmoved(rig.text(0, 77, "x"), "<SEQ=77><CTL=RST>; Discarded(BadHandshakeAck)");
    });
}

#[test]
fn a_pending_acknowledgment_survives_answers_to_what_is_thrown_away() {
    everywhere(|at| {
        let mut rig = at.established();
        assert_eq!(rig.arrives(rig.text(1, 1, "abc")), "Deliver \"abc\"");
        let due = rig.connection.deadline(Timer::DelayedAck);
        assert!(due.is_some());
        rig.wait(ms(10));
        rig.unmoved(rig.rst(5), "<SEQ=1><ACK=4><CTL=ACK>; Discarded(ResetChallenged)");
        rig.unmoved(rig.text(-5, 1, "abc"), "<SEQ=1><ACK=4><CTL=ACK>; Discarded(Duplicate)");
        rig.unmoved(rig.octets(30_000, 1, 3), "<SEQ=1><ACK=4><CTL=ACK>; Discarded(OutOfWindow)");
        assert_eq!(rig.connection.deadline(Timer::DelayedAck), due);
        assert_eq!(rig.fire(Timer::DelayedAck), "<SEQ=1><ACK=4><CTL=ACK>");
    });
}

#[test]
fn everything_at_once_comes_in_order() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.send_buffer(500)).established();
        rig.send(500);
        rig.does(Event::Set(Knob::Nagle(false)));
        let segment = Segment { flags: ACK | FIN | Flags::URG, urgent: 2, ..rig.text(1, 501, "abc") };
        let told = rig.arrives(segment);
        assert_eq!(
            told,
            "Urgent { ahead: 2 }; Deliver \"abc\"; PeerClosed; Acked(500); Writable; Flushed; <SEQ=501><ACK=5><CTL=ACK>"
        );
    });
}

#[test]
fn text_delivered_before_a_reset_stays_delivered() {
    everywhere(|at| {
        let mut rig = at.established();
        let mut actions = Vec::new();
        let batch = [rig.text(1, 1, "abc"), rig.rst(4), rig.text(4, 1, "def")];
        rig.connection.handle_segments(batch, rig.now, &mut actions);
        order(&actions, false);
        let told = rig.say(&actions);
        assert_eq!(told, "Deliver \"abc\"; <SEQ=1><CTL=RST>; Discarded(NoConnection); Closed(Reset)");
        assert_eq!(rig.deadlines(), []);
    });
}

// One flush for a batch (MUST-58, MUST-59).

#[test]
fn a_batch_shares_one_acknowledgment() {
    everywhere(|at| {
        for segments in 1..=9 {
            let mut rig = at.established();
            let batch: Vec<_> = (0..segments).map(|i| rig.octets(1 + 1000 * i, 1, 1000)).collect();
            let mut actions = Vec::new();
            rig.connection.handle_segments(batch, rig.now, &mut actions);
            let deliveries = vec!["Deliver 1000"; segments as usize].join("; ");
            let ack =
                if segments == 1 { String::new() } else { format!("; <SEQ=1><ACK={}><CTL=ACK>", 1 + 1000 * segments) };
            assert_eq!(rig.say(&actions), deliveries + &ack);
            assert_eq!(rig.until(Timer::DelayedAck).is_some(), segments == 1);
        }
    });
}

#[test]
fn a_batch_is_processed_before_anything_is_sent() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(1000);
        rig.does(Event::Set(Knob::Nagle(false)));
        rig.send(400);
        rig.does(Event::Set(Knob::Nagle(true)));
        assert_eq!(rig.send(100), ""); // held by Nagle
        let mut actions = Vec::new();
        let batch = [rig.text(1, 1001, "abc"), rig.text(4, 1401, "def")];
        rig.connection.handle_segments(batch, rig.now, &mut actions);
        assert_eq!(
            rig.say(&actions),
            "Deliver \"abc\"; Deliver \"def\"; Acked(1400); <SEQ=1401><ACK=7><DATA=100><CTL=PSH,ACK>"
        );
    });
}

#[test]
fn an_empty_batch_does_nothing() {
    let mut rig = At::default().established();
    let before = rig.connection.clone();
    let mut actions = Vec::new();
    rig.connection.handle_segments([], rig.now, &mut actions);
    assert_eq!((actions, rig.connection == before), (vec![], true));
}

/// Gaps filled within one batch: no duplicate ACK tells the peer of a loss that was none.
#[test]
fn reordering_within_a_batch_is_acknowledged_once() {
    everywhere(|at| {
        let mut rig = at.established();
        let mut actions = Vec::new();
        let batch = [rig.text(4, 1, "def"), rig.text(1, 1, "abc")];
        rig.connection.handle_segments(batch, rig.now, &mut actions);
        assert_eq!(rig.say(&actions), "Deliver \"abcdef\"; <SEQ=1><ACK=7><CTL=ACK>");
    });
}

// The forms of a call.

/// A conversation with something of everything, as events.
fn script(at: At) -> Vec<(Event, Instant)> {
    let peer = at.listen(); // only makes segments
    let mut events = Vec::new();
    let mut now = at.start;
    let mut add = |wait: u64, event: Event| {
        now += ms(wait);
        events.push((event, now));
    };
    add(0, Event::Set(Knob::Nagle(false)));
    add(10, Event::Segment(peer.syn(SYN)));
    add(10, Event::Segment(peer.ack(1, 1)));
    add(10, Event::Send(vec![b'a'; 2500].into()));
    add(10, Event::Segment(peer.text(4, 1001, "def")));
    add(10, Event::Segment(peer.text(1, 1001, "abc")));
    add(0, Event::Consume(4));
    add(5, Event::SendUrgent("now".into()));
    add(1000, Event::Timer(Timer::Retransmit));
    add(3000, Event::Timer(Timer::Retransmit));
    add(10, Event::Segment(peer.ack(7, 2501)));
    add(10, Event::Segment(peer.rst(9)));
    add(10, Event::Mtu(576));
    add(10, Event::Segment(peer.ack(7, 2504)));
    add(10, Event::Set(Knob::KeepAlive(true)));
    add(8_000_000, Event::Timer(Timer::KeepAlive));
    add(10, Event::Close);
    add(10, Event::Segment(peer.fin(7, 2505)));
    add(10, Event::Segment(peer.fin(7, 2505)));
    add(10, Event::Segment(Segment { seq: peer.rcv(90_000), ..peer.syn(SYN) }));
    add(300_000, Event::Timer(Timer::TimeWait));
    add(10, Event::Segment(peer.ack(8, 2505)));
    events
}

#[test]
fn the_script_goes_through_the_states() {
    let at = At::default();
    let mut rig = at.listen();
    let mut states = Vec::new();
    for (event, now) in script(at) {
        rig.now = now;
        rig.does(event);
        states.push(rig.state());
    }
    states.dedup();
    let expected =
        [State::Listen, State::SynReceived, State::Established, State::FinWait1, State::TimeWait, State::Closed];
    assert_eq!(states, expected);
}

#[test]
fn recorded_events_replay_to_an_equal_value_and_equal_actions() {
    everywhere(|at| {
        let (mut one, mut other) = (at.listen().connection, at.listen().connection);
        let mut halfway = None;
        for (i, (event, now)) in script(at).into_iter().enumerate() {
            let (mut first, mut second) = (Vec::new(), Vec::new());
            let results = [one.handle(event.clone(), now, &mut first), other.handle(event, now, &mut second)];
            assert_eq!((results[0], &first), (results[1], &second));
            assert!(one == other && hash(&one) == hash(&other), "event {i}");
            if i == 9 {
                halfway = Some(one.clone());
            }
        }
        // A snapshot goes on as the original did.
        let mut copy = halfway.expect("the script is longer");
        for (event, now) in script(at).into_iter().skip(10) {
            copy.handle(event, now, &mut Vec::new()).expect("as before");
        }
        assert!(copy == one && hash(&copy) == hash(&one));
    });
}

#[test]
fn the_vec_form_the_sink_form_and_the_event_form_are_the_same() {
    everywhere(|at| {
        let [mut vec, mut sink, mut event_form] = [(); 3].map(|()| at.listen().connection);
        for (event, now) in script(at) {
            let expected = match event.clone() {
                Event::Segment(segment) => vec.handle_segment(segment, now),
                Event::Timer(timer) => vec.handle_timer(timer, now),
                Event::Send(mut text) => vec.send(&mut text, now).expect("as in the script"),
                Event::Consume(octets) => vec.consume(octets, now),
                Event::Close => vec.close(now).expect("as in the script"),
                other => {
                    let mut actions = Vec::new();
                    vec.handle(other, now, &mut actions).expect("as in the script");
                    actions
                }
            };
            let mut actions = Vec::new();
            match event.clone() {
                Event::Segment(segment) => {
                    sink.handle_segments([segment], now, &mut |action: Action| actions.push(action));
                }
                other => sink.handle(other, now, &mut |action: Action| actions.push(action)).expect("as in the script"),
            }
            assert_eq!(actions, expected);
            let mut actions = Vec::new();
            event_form.handle(event, now, &mut actions).expect("as in the script");
            assert_eq!(actions, expected);
            assert!(vec == sink && vec == event_form);
        }
    });
}

#[test]
fn release_and_abort_are_their_events() {
    for state in State::ALL {
        for event in [Event::Release, Event::Abort] {
            let mut rig = At::default().state(state);
            let mut other = rig.connection.clone();
            let actions = if event == Event::Release { other.release(rig.now) } else { other.abort(rig.now) };
            rig.does(event);
            assert_eq!(rig.last, actions, "{state}");
            assert!(rig.connection == other, "{state}");
        }
    }
}

/// Values of different policy or place are different values.
#[test]
fn equality_means_something() {
    let at = At::default();
    let mut changed = at.established();
    changed.send(1);
    let others = [
        At { iss: at.iss + 1, ..at }.established(),
        At { irs: at.irs + 1, ..at }.established(),
        at.with(|config| config.nagle(false)).established(),
        at.close_wait(),
        changed,
    ];
    let same = at.established();
    assert!(same.connection == at.established().connection);
    assert!(others.iter().all(|other| other.connection != same.connection));
}

#[test]
fn every_state_is_a_plain_value() {
    fn is_value<T: Clone + std::fmt::Debug + Eq + Hash + Send + Sync + 'static>() {}
    is_value::<Connection>();
    for state in State::ALL {
        let rig = At::default().with_options().state(state);
        let text = format!("{:?}", rig.connection);
        assert!(!text.is_empty() && rig.connection.clone() == rig.connection);
    }
}

/// Bytes are moved: `Deliver` hands over the memory that arrived, `Transmit` the memory that the user gave.
#[test]
fn text_is_moved_not_copied() {
    let mut rig = At::default().established();
    let text = Bytes::from(vec![b'x'; 900]);
    rig.arrives(rig.text(1, 1, text.clone()));
    let Some(Action::Deliver(delivered)) = rig.last.first() else { panic!("{:?}", rig.last) };
    assert_eq!(delivered.as_ptr(), text.as_ptr());
    rig.does(Event::Send(text.clone()));
    assert_eq!(rig.only().payload.as_ptr(), text.as_ptr());
}

/// With or without ACK and with every number: a reset is never answered.
#[test]
fn no_reset_is_ever_answered_by_a_reset() {
    everywhere(|at| {
        for state in State::ALL {
            for flags in [RST, RST | ACK, RST | SYN, RST | FIN | ACK, RST | SYN | ACK] {
                for (seq, ack) in [(0, 0), (1, 1), (2, 2), (1, 500), (9000, 1), (30_000, 9)] {
                    let mut rig = at.state(state);
                    rig.arrives(rig.seg(flags, seq, ack));
                    assert!(rig.sent().iter().all(|sent| !sent.flags.contains(RST)), "{state}: {}", rig.said());
                }
            }
        }
    });
}

fn in_order(rig: &Rig, count: i64) -> Vec<Segment> {
    (0..count).map(|i| rig.octets(1 + 100 * i, 1, 100)).collect()
}

/// Handed over one by one or together, the stream and the state of the receiver are the same.
#[test]
fn batches_deliver_what_single_segments_deliver() {
    everywhere(|at| {
        let (mut one, mut other) = (at.established(), at.established());
        for segment in in_order(&one, 20) {
            one.arrives(segment);
        }
        let mut delivered = 0;
        other.connection.handle_segments(in_order(&other, 20), other.now, &mut |action: Action| {
            if let Action::Deliver(text) = action {
                delivered += text.len();
            }
        });
        assert_eq!(delivered, 2000);
        let infos = [&one, &other].map(|rig| rig.connection.info());
        assert_eq!((infos[0].rcv_nxt, infos[0].unconsumed), (infos[1].rcv_nxt, infos[1].unconsumed));
        one.wait(secs(1));
    });
}
