//! `canonical`: it leaves out what does not matter for the future; a segment thrown away whole changes nothing.

use std::time::Duration;

use segue::{Canonical, Discard, Event, Flags, Knob, Segment, State, Timer};
use segue_kit::rig::{ACK, At, FIN, LIVE, Rig, SYN, everywhere};
use segue_kit::{EDGES, ms, secs};

fn canonical(rig: &Rig) -> Canonical {
    rig.connection.canonical(rig.now)
}

/// Each state with something going on in it.
fn busy(at: At) -> Vec<(State, Rig)> {
    let mut rigs = Vec::new();
    for state in State::ALL {
        let mut rig = at.state(state);
        rig.wait(ms(7));
        if rig.connection.send_room() > 0 {
            rig.send(2500);
        }
        if matches!(state, State::Established | State::FinWait1 | State::FinWait2) {
            let mut segment = rig.text(3, 1, "cde");
            segment.flags |= Flags::URG;
            segment.urgent = 40;
            rig.arrives(segment);
            rig.wait(ms(3));
            rig.arrives(rig.text(1, 1, "ab"));
            rig.arrives(rig.text(20, 1, "later"));
            rig.consume(2);
        }
        if state != State::Listen && state != State::Closed {
            rig.call_timer(Timer::DelayedAck);
        }
        rig.wait(ms(11));
        rigs.push((state, rig));
    }
    rigs.push((State::SynReceived, at.crossed()));
    rigs.push((State::SynReceived, at.syn_received_from_listen()));
    rigs
}

#[test]
fn shifted_numbers_make_no_difference() {
    for at in [At::default(), At::default().with_options()] {
        let reference = busy(at);
        for iss in EDGES {
            for irs in EDGES {
                for ((state, one), (_, other)) in reference.iter().zip(busy(At { iss, irs, ..at })) {
                    assert_eq!(canonical(one), canonical(&other), "{state} with ISS {iss} and IRS {irs}");
                }
            }
        }
    }
}

#[test]
fn shifted_time_makes_no_difference() {
    for at in [At::default(), At::default().with_options()] {
        let reference = busy(at);
        for shift in [ms(1), secs(77), Duration::from_secs(1 << 33)] {
            for ((state, one), (_, other)) in reference.iter().zip(busy(At { start: at.start + shift, ..at })) {
                assert_eq!(canonical(one), canonical(&other), "{state} later by {shift:?}");
            }
        }
    }
}

#[test]
fn statistics_make_no_difference() {
    let (mut one, other) = (At::default().established(), At::default().established());
    for _ in 0..5 {
        one.arrives(one.rst(20_000));
    }
    assert_ne!(one.connection.info().counters, other.connection.info().counters);
    assert_eq!(canonical(&one), canonical(&other));
    assert!(one.connection != other.connection);
}

#[test]
fn what_matters_makes_a_difference() {
    let reference = At::default().established();
    let changes: [fn(&mut Rig); 8] = [
        |rig| drop(rig.arrives(rig.text(1, 1, "a"))),
        |rig| drop(rig.arrives(rig.text(5, 1, "a"))),
        |rig| drop(rig.send(1)),
        |rig| {
            rig.window = 1000;
            rig.arrives(rig.ack(1, 1));
        },
        |rig| drop(rig.does(Event::Set(Knob::Nagle(false)))),
        |rig| drop(rig.does(Event::Mtu(600))),
        |rig| drop(rig.close()),
        |rig| drop(rig.arrives(rig.fin(1, 1))),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut rig = reference.clone();
        change(&mut rig);
        assert_ne!(canonical(&rig), canonical(&reference), "change {i}");
    }
}

/// Every reason that throws away a segment whole. `SynRepeated` is no such reason (the SYN,ACK is sent again, and what was
/// measured of it is void), nor are those that throw away the text alone: `ZeroWindow`, `AfterFin`, `ReassemblyFull`.
#[test]
fn a_segment_thrown_away_whole_changes_nothing() {
    everywhere(|at| {
        let at = at.with_options();
        let mut seen = Vec::new();
        let mut unmoved = |mut rig: Rig, segment: Segment, reason: Discard| {
            for mut flags in [Flags::empty(), Flags::URG, Flags::PSH, Flags::ECE | Flags::CWR] {
                flags |= segment.flags;
                let segment = Segment { flags, urgent: 9, ..segment.clone() };
                rig.wait(ms(10));
                let before = canonical(&rig);
                let told = rig.arrives(segment);
                assert!(told.ends_with(&format!("Discarded({reason:?})")), "{reason:?}: {told}");
                assert_eq!(before, canonical(&rig), "{reason:?}");
            }
            seen.push(reason);
        };
        let syn = |rig: &Rig, seq| Segment { seq: rig.rcv(seq), ..rig.syn(SYN) };

        unmoved(at.closed(), at.closed().ack(3, 4), Discard::NoConnection);
        unmoved(at.listen(), at.listen().rst(3), Discard::NotSyn);
        unmoved(at.listen(), at.listen().seg(FIN, 3, 0), Discard::NotSyn);
        unmoved(at.listen(), at.listen().text(3, 4, "text"), Discard::AckInListen);
        let mut unarmed = at.syn_received_from_listen();
        unarmed.arrives(unarmed.rst(1));
        unmoved(unarmed.clone(), unarmed.syn(SYN), Discard::NotArmed);
        let no_syn_fin = at.with(|config| config.drop_syn_fin(true));
        unmoved(no_syn_fin.listen(), at.listen().syn(SYN | FIN), Discard::SynFin);
        unmoved(no_syn_fin.connect(), at.listen().syn(SYN | FIN | ACK), Discard::SynFin);
        unmoved(at.connect(), at.listen().ack(1, 2), Discard::BadHandshakeAck);
        unmoved(at.connect(), at.listen().rst(1), Discard::BlindReset);
        unmoved(at.connect(), at.listen().text(1, 1, "text"), Discard::NotSyn);
        for state in LIVE {
            let rig = at.state(state);
            let rcv = i64::from(rig.connection.info().rcv_nxt - rig.rcv(0));
            let mut earlier_clock = rig.clone();
            earlier_clock.peer_clock -= 1;
            let mut no_clock = rig.octets(rcv, 1, 5);
            no_clock.options.update(|options| options.timestamps = None);
            unmoved(rig.clone(), no_clock, Discard::MissingTimestamp);
            unmoved(rig.clone(), earlier_clock.octets(rcv, 1, 5), Discard::Paws);
            if state == State::TimeWait {
                unmoved(rig.clone(), rig.rst(rcv), Discard::TimeWait);
                unmoved(rig.clone(), rig.ack(rcv, 2), Discard::TimeWait);
                unmoved(rig.clone(), rig.ack(rcv - 1, 2), Discard::TimeWait);
                unmoved(rig.clone(), rig.ack(rcv + 30_000, 2), Discard::TimeWait);
                unmoved(rig.clone(), rig.ack(rcv, 3), Discard::AckOutOfRange);
                unmoved(rig.clone(), syn(&rig, 0), Discard::TimeWait);
                continue;
            }
            unmoved(rig.clone(), earlier_clock.ack(rcv, 1), Discard::Paws);
            unmoved(rig.clone(), rig.ack(rcv + 30_000, 1), Discard::OutOfWindow);
            unmoved(rig.clone(), rig.octets(rcv + 30_000, 1, 5), Discard::OutOfWindow);
            unmoved(rig.clone(), rig.octets(rcv - 5, 1, 5), Discard::Duplicate);
            unmoved(rig.clone(), rig.rst(rcv - 2), Discard::ResetOutOfWindow);
            unmoved(rig.clone(), rig.rst(rcv + 1), Discard::ResetChallenged);
            unmoved(rig.clone(), syn(&rig, rcv), Discard::SynChallenged);
            unmoved(rig.clone(), syn(&rig, rcv + 40_000), Discard::SynChallenged);
            let no_ack = Segment { payload: "text".into(), ..rig.seg(Flags::PSH, rcv, 0) };
            unmoved(rig.clone(), no_ack, Discard::NoAck);
            let bad = if state == State::SynReceived { Discard::BadHandshakeAck } else { Discard::AckOutOfRange };
            unmoved(rig.clone(), rig.octets(rcv, 500, 5), bad);
            unmoved(rig.clone(), rig.octets(rcv, -250_000, 5), bad);
        }
        let kinds = seen.iter().collect::<std::collections::HashSet<_>>().len();
        assert_eq!(kinds, 17, "{seen:?}");
    });
}
