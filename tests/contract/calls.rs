//! User calls and other events in every state: a documented effect or a typed error that changes nothing.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use segue::{Error, Event, IcmpKind, Knob, Report, Secrets, Segment, SeqNum, State, Timer};
use segue_kit::rig::{ACK, At, FIN, Rig, SYN, everywhere};
use segue_kit::{ms, secs};

/// What `event` does in each of the eleven states: actions or the error, and the state after it.
fn table(event: &Event, rows: [(&str, State); 11]) {
    everywhere(|at| {
        for (state, (expected, after)) in State::ALL.into_iter().zip(rows) {
            let mut rig = at.state(state);
            let before = rig.connection.clone();
            match rig.handle(event.clone()) {
                Ok(told) => assert_eq!(told, expected, "{event:?} in {state}"),
                Err(error) => {
                    assert_eq!(format!("{error:?}"), expected, "{event:?} in {state}");
                    assert!(rig.connection == before, "an error changed {state}");
                }
            }
            assert_eq!(rig.state(), after, "{event:?} in {state}");
        }
    });
}

#[test]
fn send_in_every_state() {
    let rows = [
        ("NotConnected", State::Closed),
        ("RemoteUnspecified", State::Listen),
        ("", State::SynSent),
        ("", State::SynReceived),
        ("<SEQ=1><ACK=1><DATA=4><CTL=PSH,ACK>", State::Established),
        ("Closing", State::FinWait1),
        ("Closing", State::FinWait2),
        ("<SEQ=1><ACK=2><DATA=4><CTL=PSH,ACK>", State::CloseWait),
        ("Closing", State::Closing),
        ("Closing", State::LastAck),
        ("Closing", State::TimeWait),
    ];
    table(&Event::Send("text".into()), rows);
    let urgent = rows.map(|(told, state)| match told {
        "<SEQ=1><ACK=1><DATA=4><CTL=PSH,ACK>" => ("<SEQ=1><ACK=1><DATA=4><CTL=PSH,ACK,URG><UP=4>", state),
        "<SEQ=1><ACK=2><DATA=4><CTL=PSH,ACK>" => ("<SEQ=1><ACK=2><DATA=4><CTL=PSH,ACK,URG><UP=4>", state),
        other => (other, state),
    });
    table(&Event::SendUrgent("text".into()), urgent);
    let waits = rows.map(|(told, state)| (if told.contains("PSH") { "" } else { told }, state));
    table(&Event::SendMore("text".into()), waits);
}

#[test]
fn close_in_every_state() {
    table(
        &Event::Close,
        [
            ("NotConnected", State::Closed),
            ("Closed(Cancelled)", State::Closed),
            ("Closed(Cancelled)", State::Closed),
            ("", State::SynReceived),
            ("<SEQ=1><ACK=1><CTL=FIN,ACK>", State::FinWait1),
            ("Closing", State::FinWait1),
            ("Closing", State::FinWait2),
            ("<SEQ=1><ACK=2><CTL=FIN,ACK>", State::LastAck),
            ("Closing", State::Closing),
            ("Closing", State::LastAck),
            ("Closing", State::TimeWait),
        ],
    );
}

#[test]
fn abort_in_every_state() {
    table(
        &Event::Abort,
        [
            ("", State::Closed),
            ("Closed(Aborted)", State::Closed),
            ("Closed(Aborted)", State::Closed),
            ("<SEQ=1><CTL=RST>; Closed(Aborted)", State::Closed),
            ("<SEQ=1><CTL=RST>; Closed(Aborted)", State::Closed),
            ("<SEQ=2><CTL=RST>; Closed(Aborted)", State::Closed),
            ("<SEQ=2><CTL=RST>; Closed(Aborted)", State::Closed),
            ("<SEQ=1><CTL=RST>; Closed(Aborted)", State::Closed),
            ("Closed(Aborted)", State::Closed),
            ("Closed(Aborted)", State::Closed),
            ("Closed(Aborted)", State::Closed),
        ],
    );
}

#[test]
fn release_in_every_state() {
    table(
        &Event::Release,
        [
            ("", State::Closed),
            ("Closed(Cancelled)", State::Closed),
            ("Closed(Cancelled)", State::Closed),
            ("", State::SynReceived),
            ("<SEQ=1><ACK=1><CTL=FIN,ACK>", State::FinWait1),
            ("", State::FinWait1),
            ("", State::FinWait2),
            ("<SEQ=1><ACK=2><CTL=FIN,ACK>", State::LastAck),
            ("", State::Closing),
            ("", State::LastAck),
            ("", State::TimeWait),
        ],
    );
}

#[test]
fn rearm_in_every_state() {
    let rows = State::ALL.map(|state| ("NotWaiting", state));
    table(&Event::Rearm(Secrets { iss: SeqNum::new(1), ts_offset: 2 }), rows);
}

#[test]
fn events_that_do_nothing_by_themselves_in_every_state() {
    let rows = State::ALL.map(|state| ("", state));
    for event in [Event::Consume(0), Event::Consume(usize::MAX), Event::Continue, Event::Mtu(1500), Event::Mtu(9000)] {
        table(&event, rows);
    }
    for timer in Timer::ALL {
        table(&Event::Timer(timer), rows);
    }
    for knob in [
        Knob::Nagle(false),
        Knob::Cork(true),
        Knob::KeepAlive(true),
        Knob::KeepAliveIdle(std::time::Duration::MAX),
        Knob::UserTimeout(None),
        Knob::UserTimeout(Some(std::time::Duration::MAX)),
    ] {
        table(&Event::Set(knob), rows);
    }
}

/// The number that an error must quote to count: the SYN, or the FIN, where one is in flight.
fn icmp(rig: &Rig, kind: IcmpKind) -> Event {
    Event::Icmp { kind, quoted_seq: rig.connection.info().snd_una, mtu: 0 }
}

#[test]
fn icmp_errors_in_every_state() {
    everywhere(|at| {
        let soft = [IcmpKind::Unreachable, IcmpKind::TimeExceeded, IcmpKind::ParameterProblem];
        let hard = [IcmpKind::PortUnreachable, IcmpKind::ProtocolUnreachable];
        for state in State::ALL {
            let rig = at.state(state);
            let in_flight = rig.connection.info().flight > 0;
            for kind in soft {
                let told = rig.clone().does(icmp(&rig, kind));
                assert_eq!(told, if in_flight { format!("Report(Icmp({kind:?}))") } else { String::new() }, "{state}");
            }
            for kind in hard {
                let expected = match state {
                    State::SynSent | State::SynReceived => format!("Closed(Unreachable({kind:?}))"),
                    _ if in_flight => format!("Report(Icmp({kind:?}))"), // RFC 5927 §5.2
                    _ => String::new(),
                };
                assert_eq!(rig.clone().does(icmp(&rig, kind)), expected, "{state}");
            }
            assert_eq!(rig.clone().does(icmp(&rig, IcmpKind::SourceQuench)), "", "{state}"); // MUST-55
        }
    });
}

#[test]
fn a_hard_icmp_error_sends_a_listening_value_back() {
    everywhere(|at| {
        let mut rig = at.syn_received_from_listen();
        assert_eq!(rig.does(icmp(&rig, IcmpKind::PortUnreachable)), "ReturnedToListen");
        assert_eq!(rig.state(), State::Listen);
    });
}

/// RFC 5927 §4.1.
#[test]
fn icmp_errors_that_quote_what_is_not_in_flight_are_ignored() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(500);
        for quoted in [-1000, 0, 501, 502, 0x7FFF_FFFF] {
            for kind in [IcmpKind::Unreachable, IcmpKind::PacketTooBig, IcmpKind::PortUnreachable] {
                let before = rig.connection.canonical(rig.now);
                assert_eq!(rig.does(Event::Icmp { kind, quoted_seq: rig.snd(quoted), mtu: 600 }), "");
                assert_eq!(before, rig.connection.canonical(rig.now));
            }
        }
        let quoted_seq = rig.snd(500);
        assert_eq!(
            rig.does(Event::Icmp { kind: IcmpKind::Unreachable, quoted_seq, mtu: 0 }),
            format!("{:?}", segue::Action::Report(Report::Icmp(IcmpKind::Unreachable)))
        );
    });
}

#[test]
fn send_takes_what_fits_and_leaves_the_rest() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.send_buffer(1000)).established();
        let text = Bytes::from(vec![b'.'; 1500]);
        let mut rest = text.clone();
        rig.connection.send(&mut rest, rig.now).expect("1000 octets fit");
        assert_eq!((rest.len(), rig.connection.send_room()), (500, 0));
        let before = rig.connection.clone();
        rig.wait(secs(1));
        assert_eq!(rig.connection.send(&mut rest, rig.now), Err(Error::NoRoom { room: 0 }));
        assert_eq!(rest, text[1000..]);
        assert!(rig.connection == before, "an error changed the connection");
        assert_eq!(rig.arrives(rig.ack(1, 1001)), "Acked(1000); Writable; Flushed");
        assert_eq!(rig.connection.send_room(), 1000);
        rig.connection.send(&mut rest, rig.now).expect("it fits now");
        assert!(rest.is_empty());
    });
}

#[test]
fn the_send_event_takes_all_or_nothing() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.send_buffer(1000)).established();
        rig.send(400);
        let before = rig.connection.clone();
        for event in [Event::Send, Event::SendMore, Event::SendUrgent].map(|send| send(vec![0; 601].into())) {
            assert_eq!(rig.handle(event), Err(Error::NoRoom { room: 600 }));
            assert!(rig.connection == before, "an error changed the connection");
        }
        rig.send(600);
    });
}

#[test]
fn send_of_nothing_does_nothing() {
    for state in [State::SynSent, State::Established, State::CloseWait] {
        let mut rig = At::default().state(state);
        assert_eq!(rig.send(0), "");
        assert_eq!(rig.does(Event::SendUrgent(Bytes::new())), "");
        assert_eq!(rig.connection.info().snd_up, None);
    }
}

/// A room of zero where SEND is an error.
#[test]
fn send_room_in_every_state() {
    for state in State::ALL {
        let sends = matches!(state, State::SynSent | State::SynReceived | State::Established | State::CloseWait);
        let room = At::default().state(state).connection.send_room();
        assert_eq!(room > 0, sends, "{state}");
    }
    let mut rig = At::default().syn_received();
    rig.close();
    assert_eq!(rig.connection.send_room(), 0);
}

/// Where SEND is an error, `writable` is the same error, and the text of the user stays whole; elsewhere it takes the text.
#[test]
fn send_keeps_the_text_and_writable_tells_the_error_in_every_state() {
    everywhere(|at| {
        for state in State::ALL {
            let mut rig = at.state(state);
            let (room, mut text) = (rig.connection.writable(), Bytes::from_static(b"text"));
            let sent = rig.connection.send(&mut text, rig.now);
            assert_eq!(sent.as_ref().err(), room.as_ref().err(), "{state}");
            assert_eq!(text, if sent.is_ok() { "" } else { "text" }, "{state}");
            assert_eq!(room.unwrap_or(0), at.state(state).connection.send_room(), "{state}");
        }
    });
}

// The closed value.

#[test]
fn a_closed_value_answers_as_a_tcp_without_a_connection() {
    everywhere(|at| {
        let mut ended = vec![at.closed()];
        for state in State::ALL.into_iter().filter(|state| *state != State::Closed) {
            let mut rig = at.state(state);
            rig.does(Event::Abort);
            ended.push(rig);
        }
        for mut rig in ended {
            assert_eq!((rig.state(), rig.deadlines()), (State::Closed, vec![]));
            rig.unmoved(rig.syn(SYN), "<SEQ=0><ACK=1><CTL=RST,ACK>; Discarded(NoConnection)");
            rig.unmoved(rig.fin(5, 7), "<SEQ=7><CTL=RST>; Discarded(NoConnection)");
            rig.unmoved(rig.text(5, 7, "abc"), "<SEQ=7><CTL=RST>; Discarded(NoConnection)");
            let text = Segment { flags: FIN, payload: "abc".into(), ..rig.seg(FIN, 5, 0) };
            rig.unmoved(text, "<SEQ=0><ACK=9><CTL=RST,ACK>; Discarded(NoConnection)");
            rig.unmoved(rig.rst(5), "Discarded(NoConnection)");
            rig.unmoved(rig.seg(segue::Flags::RST | ACK, 5, 7), "Discarded(NoConnection)");
            for timer in Timer::ALL {
                assert_eq!(rig.call_timer(timer), "");
            }
            assert_eq!(rig.does(Event::Abort), "");
        }
    });
}

#[test]
fn accept_of_what_is_no_syn_gives_a_closed_value() {
    everywhere(|at| {
        let listen = at.listen();
        for (segment, told) in [
            (listen.rst(5), "Discarded(NotSyn); Closed(NotSyn)"),
            (listen.ack(5, 7), "<SEQ=7><CTL=RST>; Discarded(AckInListen); Closed(NotSyn)"),
            (listen.syn(SYN | ACK), "<SEQ=1><CTL=RST>; Discarded(AckInListen); Closed(NotSyn)"),
            (listen.seg(FIN, 5, 0), "Discarded(NotSyn); Closed(NotSyn)"),
        ] {
            let rig = at.accept(segment);
            assert_eq!(rig.state(), State::Closed);
            assert_eq!(rig.said(), told);
        }
    });
}

// Secrets are used once.

#[test]
fn a_listening_value_uses_its_secrets_once() {
    everywhere(|at| {
        let mut rig = at.syn_received_from_listen();
        assert_eq!(rig.handle(Event::Rearm(at.secrets())), Err(Error::NotWaiting));
        assert_eq!(rig.arrives(rig.rst(1)), "ReturnedToListen");
        rig.unmoved(rig.syn(SYN), "Discarded(NotArmed)");
        rig.unmoved(rig.ack(1, 1), "<SEQ=1><CTL=RST>; Discarded(AckInListen)");
        rig.unmoved(rig.rst(1), "Discarded(NotSyn)");
        let secrets = Secrets { iss: SeqNum::new(at.iss) + 70_000, ..at.secrets() };
        assert_eq!(rig.does(Event::Rearm(secrets)), "");
        assert_eq!(rig.handle(Event::Rearm(secrets)), Err(Error::NotWaiting));
        assert_eq!(rig.arrives(rig.syn(SYN)), "<SEQ=70000><ACK=1><CTL=SYN,ACK>");
        assert_eq!(rig.arrives(rig.ack(1, 70_001)), "Connected");
        assert_eq!(rig.arrives(rig.rst(1)), "Closed(Reset)");
    });
}

/// Nothing of the peer that was reset is left.
#[test]
fn back_in_listen_the_value_is_as_new() {
    everywhere(|at| {
        let mut rig = at.with_options().syn_received_from_listen();
        rig.send(700);
        rig.fire(Timer::Retransmit);
        assert_eq!(rig.arrives(rig.rst(1)), "ReturnedToListen");
        assert_eq!(rig.does(Event::Rearm(at.secrets())), "");
        let fresh = at.with_options().listen();
        assert_eq!(rig.connection.canonical(rig.now), fresh.connection.canonical(rig.now));
    });
}

/// Who has closed does not listen any more: in FIN-WAIT-1, where §3.10.4 would be, a reset ends the connection (§3.10.7.4).
#[test]
fn syn_received_reset_after_close_ends_the_connection() {
    everywhere(|at| {
        let mut rig = at.syn_received_from_listen();
        rig.close();
        assert_eq!(rig.arrives(rig.rst(1)), "Closed(Reset)");
        let mut rig = at.syn_received_from_listen();
        rig.does(Event::Release);
        assert_eq!(rig.arrives(rig.rst(1)), "Closed(Reset)");
    });
}

// RELEASE.

#[test]
fn release_with_text_unread_resets() {
    everywhere(|at| {
        for state in [State::Established, State::FinWait1, State::FinWait2] {
            let mut rig = at.state(state);
            rig.arrives(rig.text(1, 1, "text"));
            let nxt = rig.connection.info().snd_nxt - rig.snd(0);
            assert_eq!(rig.does(Event::Release), format!("<SEQ={nxt}><CTL=RST>; Closed(Unread)"), "{state}");
        }
        let mut unread = at.established();
        unread.arrives(Segment { payload: "text".into(), ..unread.fin(1, 1) });
        assert_eq!(unread.does(Event::Release), "<SEQ=1><CTL=RST>; Closed(Unread)");
    });
}

#[test]
fn release_with_all_text_read_closes() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.arrives(rig.text(1, 1, "text"));
        rig.consume(4);
        assert_eq!(rig.does(Event::Release), "<SEQ=1><ACK=5><CTL=FIN,ACK>");
        assert_eq!(rig.state(), State::FinWait1);
    });
}

#[test]
fn released_text_that_comes_is_reset() {
    everywhere(|at| {
        for acked in [1, 2] {
            let mut rig = at.established();
            assert_eq!(rig.does(Event::Release), "<SEQ=1><ACK=1><CTL=FIN,ACK>");
            let told = rig.arrives(rig.text(1, acked, "text"));
            let flushed = if acked == 2 { "Flushed; " } else { "" };
            assert_eq!(told, format!("{flushed}<SEQ=2><CTL=RST>; Closed(Unread)"));
        }
    });
}

#[test]
fn released_text_of_the_syn_is_reset_when_the_handshake_completes() {
    everywhere(|at| {
        let mut rig = at.accept(Segment { payload: "early".into(), ..at.syn() });
        assert_eq!(rig.does(Event::Release), "");
        assert_eq!(rig.arrives(rig.ack(1, 1)), "Connected; <SEQ=1><CTL=RST>; Closed(Unread)");
    });
}

#[test]
fn released_old_text_is_only_acknowledged() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.arrives(rig.text(1, 1, "text"));
        rig.consume(4);
        rig.does(Event::Release);
        assert_eq!(rig.arrives(rig.text(1, 1, "text")), "<SEQ=2><ACK=5><CTL=ACK>; Discarded(Duplicate)");
        assert_eq!(rig.state(), State::FinWait1);
    });
}

#[test]
fn released_fin_wait_2_is_limited() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.does(Event::Release);
        assert_eq!(rig.until(Timer::FinWait2), None);
        assert_eq!(rig.arrives(rig.ack(1, 2)), "Flushed");
        assert_eq!(rig.until(Timer::FinWait2), Some(secs(60)));
        rig.wait(secs(30));
        rig.arrives(rig.ack(1, 2));
        assert_eq!(rig.until(Timer::FinWait2), Some(secs(30)));
        assert_eq!(rig.clone().arrives(rig.fin(1, 2)), "PeerClosed; <SEQ=2><ACK=2><CTL=ACK>");
        assert_eq!(rig.fire(Timer::FinWait2), "Closed(FinWait2Timeout)");
    });
}

/// A half-close may last: the user is still there.
#[test]
fn closed_fin_wait_2_is_not_limited() {
    let mut rig = At::default().fin_wait_2();
    assert_eq!(rig.deadlines(), []);
    rig.wait(ms(1) * u32::MAX);
    assert_eq!(rig.arrives(rig.text(1, 2, "late")), "Deliver \"late\"");
    assert_eq!(rig.does(Event::Release), "<SEQ=2><CTL=RST>; Closed(Unread)");
}

#[test]
fn release_after_fin_wait_2_was_entered_starts_the_limit() {
    let mut rig = At::default().fin_wait_2();
    assert_eq!(rig.does(Event::Release), "");
    assert_eq!(rig.until(Timer::FinWait2), Some(secs(60)));
}

/// Everything in every state, twice: whatever comes out, nothing panics (the rig audits).
#[test]
fn every_event_in_every_state_is_legal() {
    let at = At::default();
    for state in State::ALL {
        let rig = at.state(state);
        let events = |rig: &Rig| {
            let icmp = |kind| Event::Icmp { kind, quoted_seq: rig.connection.info().snd_una, mtu: 1 };
            let mut events = vec![
                Event::Segment(rig.syn(SYN)),
                Event::Segment(rig.fin(1, 1)),
                Event::Segment(rig.rst(1)),
                Event::Segment(rig.text(1, 1, "abc")),
                Event::Send("text".into()),
                Event::SendUrgent("text".into()),
                Event::SendMore("text".into()),
                Event::Consume(3),
                Event::Close,
                Event::Release,
                Event::Abort,
                Event::Continue,
                Event::Set(Knob::Cork(true)),
                Event::Set(Knob::KeepAlive(true)),
                Event::Mtu(576),
                icmp(IcmpKind::PacketTooBig),
                icmp(IcmpKind::PortUnreachable),
                Event::Rearm(at.secrets()),
            ];
            events.extend(Timer::ALL.map(Event::Timer));
            events
        };
        for first in events(&rig) {
            for second in events(&rig) {
                let mut rig = rig.clone();
                for event in [&first, &second] {
                    let before = rig.connection.clone();
                    if rig.handle(event.clone()).is_err() {
                        assert!(rig.connection == before, "an error of {event:?} changed {state}");
                    }
                    rig.wait(secs(1));
                }
                for timer in Timer::ALL {
                    rig.call_timer(timer);
                }
            }
        }
    }
}

/// A segment that repeats a part and brings a part may be acknowledged late; the report of the part (RFC 2883) waits, too.
#[test]
fn established_the_canonical_form_counts_a_waiting_report_from_the_peers_syn() {
    let first = Cell::new(None);
    everywhere(|at| {
        let mut rig = at.with(|config| config.sack(true)).established();
        assert_eq!(rig.arrives(rig.octets(1, 1, 100)), "Deliver 100");
        assert_eq!(rig.fire(Timer::DelayedAck), "<SEQ=1><ACK=101><CTL=ACK>");
        assert_eq!(rig.arrives(rig.octets(51, 1, 100)), "Deliver 50", "the acknowledgment waits");
        let mut hasher = DefaultHasher::new();
        rig.connection.canonical(rig.now).hash(&mut hasher);
        let canonical = hasher.finish();
        assert_eq!(first.replace(Some(canonical)).unwrap_or(canonical), canonical);
        assert_eq!(rig.fire(Timer::DelayedAck), "<SEQ=1><ACK=151><CTL=ACK>");
        let report = rig.only().options.sack()[0];
        assert_eq!((report.left, report.right), (rig.rcv(51), rig.rcv(101)));
    });
}
