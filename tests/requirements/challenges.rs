//! SYNs and resets on a connection that exists, and what bounds the answers to bare segments (RFC 9293 §3.10.7.4, RFC 5961).

use segue::{Connection, Event, Flags, Instant, Path, Secrets, Segment, SeqNum, State, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{IRS, ours, peer, peer_ctl, peer_syn, peer_text, stamped, text, theirs};
use segue_kit::{ms, plain, secs};

const FIN_ACK: Flags = Flags::FIN.union(Flags::ACK);

/// SYN-RECEIVED and the states after it.
fn live() -> impl Iterator<Item = State> {
    State::ALL.into_iter().filter(|state| *state == State::SynReceived || state.is_synchronized())
}

fn at_1000(segment: Segment) -> Segment {
    stamped(segment, 1000, 5000)
}

/// RFC 5961 §4.2: "irrespective of the sequence number", and of the rule of RFC 7323 §3.2 on a missing option.
#[test]
fn u_6_a_syn_without_timestamps_is_challenged_where_they_were_agreed() {
    for state in live() {
        for flags in [Flags::SYN, Flags::SYN | Flags::ACK] {
            for seq in [0, 1, 1000, 65_536, 1 << 31, 7u32.wrapping_neg()] {
                let mut tcp = Rig::in_state_with(state, plain().timestamps(true).time_wait_reuse(false), at_1000);
                let info = tcp.info();
                let words = tcp.arrives(peer_ctl(flags, seq, 0));
                assert!(words.ends_with("<CTL=ACK>; Discarded(SynChallenged)"), "{state}, {seq}: {words}");
                assert_eq!((tcp.sent()[0].seq, tcp.sent()[0].ack, tcp.state()), (info.snd_nxt, info.rcv_nxt, state));
            }
        }
    }
}

/// §3.10.7.4 fourth, as RFC 793 had it: in the window it resets, elsewhere it is answered; a missing option is no matter.
#[test]
fn without_rfc_5961_a_syn_in_the_window_resets() {
    for (state, say) in live().flat_map(|state| [(state, None), (state, Some(at_1000 as fn(Segment) -> Segment))]) {
        let config = || plain().rfc5961(false).time_wait_reuse(false).timestamps(say.is_some());
        let tcp = Rig::in_state_with(state, config(), say.unwrap_or(|segment| segment));
        let (nxt, wnd) = (tcp.info().rcv_nxt, tcp.info().rcv_wnd);
        let syn = |seq, len| Segment { seq, payload: text(len), options: Default::default(), ..peer_syn() };
        for (seq, len) in [(nxt, 0), (nxt, 100), (nxt + 1, 0), (nxt + wnd - 1, 0), (nxt + wnd - 1, 9)] {
            let mut tcp = tcp.clone();
            let words = tcp.arrives(syn(seq, len));
            let reset = Segment { ack: syn(seq, len).end(), flags: Flags::RST | Flags::ACK, ..Segment::default() };
            if state == State::SynReceived {
                assert_eq!(words, "Closed(Reset)", "the LISTEN it came from is the host's");
            } else {
                assert!(words.ends_with("Closed(Reset)"), "{state}, {seq}, {len}: {words}");
                assert_eq!(tcp.sent(), [reset], "{state}, {seq}, {len}");
            }
        }
        for (seq, len) in [(nxt - 1, 2), (nxt - 2, 100), (nxt - 50, 1000), (nxt + wnd, 0), (nxt + wnd, 5)] {
            let seq = if state == State::SynReceived { seq - 1 } else { seq }; // IRS is that of the peer's own SYN
            let mut tcp = tcp.clone();
            let seq = if seq == nxt + wnd - 1 { seq + 1 } else { seq };
            let words = tcp.arrives(Segment { flags: Flags::SYN | Flags::FIN, ..syn(seq, len) });
            assert!(words.ends_with("<CTL=ACK>; Discarded(SynChallenged)"), "{state}, {seq}, {len}: {words}");
            assert_eq!((tcp.sent()[0].ack, tcp.state()), (nxt, state));
        }
    }
}

/// "In the window" asks for SEG.SEQ alone (RFC 5961 §4.2 quotes RFC 793: RCV.NXT <= SEG.SEQ < RCV.NXT+RCV.WND).
#[test]
fn without_rfc_5961_a_delayed_syn_whose_text_reaches_into_the_window_is_answered() {
    let mut tcp = Rig::listen(plain().rfc5961(false));
    tcp.arrives(peer_syn());
    assert_eq!(tcp.arrives(peer(0, 0)), "Connected");
    let delayed = Segment { payload: text(100), ..peer_syn() };
    assert_eq!(tcp.arrives(delayed), "<SEQ=0><ACK=0><CTL=ACK>; Discarded(SynChallenged)");
    // a closed window has nothing in it
    let mut tcp = Rig::established(plain().rfc5961(false).receive_buffer(100));
    tcp.arrives(peer_text(0, 100, 0));
    let words = tcp.arrives(peer_ctl(Flags::SYN, 100, 0));
    assert_eq!((words.as_str(), tcp.info().rcv_wnd), ("<SEQ=0><ACK=100><CTL=ACK>; Discarded(SynChallenged)", 0));
}

/// §3.10.7.4 fourth: a passive OPEN returns to LISTEN; after an active one the reset goes out as in the other states.
#[test]
fn without_rfc_5961_a_syn_in_syn_received_depends_on_the_origin() {
    let syn = || Segment { seq: theirs(5), ..peer_syn() };
    let mut listening = Rig::listen(plain().rfc5961(false));
    listening.arrives(peer_syn());
    assert_eq!(listening.arrives(syn()), "ReturnedToListen");
    let mut crossed = Rig::connect(plain().rfc5961(false), Path::ipv4(1500));
    crossed.arrives(peer_syn());
    assert!(crossed.arrives(syn()).ends_with("<CTL=RST,ACK>; Closed(Reset)"));
}

/// The peer's SYN again: our SYN,ACK was lost. A middlebox took the options away, or the peer now does without.
#[test]
fn syn_received_the_syn_again_with_fewer_options_brings_the_syn_ack_again() {
    for crossed in [false, true] {
        let config = plain().timestamps(true).sack(true);
        let mut tcp = if crossed {
            let mut tcp = Rig::connect(config, Path::ipv4(1500));
            tcp.arrives(at_1000(peer_syn()));
            tcp
        } else {
            Rig::accept(config, Path::ipv4(1500), at_1000(peer_syn()))
        };
        tcp.quiet(ms(10));
        let bare = Segment { options: Default::default(), ..peer_syn() };
        for _ in 0..10 {
            assert_eq!(tcp.arrives(bare.clone()), "<SEQ=-1><ACK=0><CTL=SYN,ACK>; Discarded(SynRepeated)");
        }
        assert_eq!(tcp.arrives(bare), "Discarded(SynRepeated)", "within the throttle");
        assert_eq!(tcp.arrives(at_1000(peer(0, 0))), "Connected");
    }
}

/// The peer comes back with another firmware, without timestamps: SYN, challenge, reset, and its next SYN finds nobody.
#[test]
fn a_peer_that_restarts_without_timestamps_gets_through() {
    for state in live().filter(|state| !matches!(state, State::SynReceived | State::TimeWait)) {
        let mut tcp = Rig::in_state_with(state, plain().timestamps(true), at_1000);
        let secrets = Secrets { iss: IRS + 5_000_000, ts_offset: 0 };
        let config = segue::Arc::new(plain().build().unwrap());
        let (mut reborn, actions) = Connection::connect(config, Path::ipv4(1500), secrets, tcp.now);
        let sent = |actions: Vec<segue::Action>| {
            let mut sent = actions.into_iter();
            sent.find_map(|a| if let segue::Action::Transmit(segment) = a { Some(segment) } else { None })
        };
        tcp.arrives(sent(actions).expect("a SYN"));
        let reset = sent(reborn.handle_segment(tcp.sent()[0].clone(), tcp.now)).expect("a reset");
        assert!(tcp.arrives(reset).ends_with("Closed(Reset)"), "{state}");
    }
}

/// RFC 5961 §7: who sends what a peer can answer bare uses up one throttle; SYNs and resets have another.
#[test]
fn blind_bare_segments_do_not_silence_the_answers_to_syns_and_resets() {
    let rubbish: [fn() -> Segment; 3] = [
        || peer(1_000_000, 0),       // out of the window
        || peer(1, 1_000_000),       // an ACK for what was never sent
        || peer_text(1, 5, 1 << 31), // the same with text
    ];
    for state in live().filter(|state| !matches!(state, State::SynReceived | State::TimeWait)) {
        for segment in rubbish {
            let mut tcp = Rig::in_state(state, plain().user_timeout(None));
            let mut answered = 0;
            for tenth in 0..700 {
                tcp.arrives(segment());
                if [0, 10, 30, 70, 150, 310, 630].contains(&tenth) {
                    answered += usize::from(tcp.arrives(peer_ctl(Flags::SYN, 7_000_000, 0)).contains("<CTL=ACK>"));
                }
                if tenth == 500 {
                    let words = tcp.arrives(peer_ctl(Flags::RST, 500, 0));
                    assert!(words.ends_with("<CTL=ACK>; Discarded(ResetChallenged)"), "{state}: {words}");
                }
                tcp.now += ms(100);
            }
            assert_eq!(answered, 7, "{state}: SYNs of a peer that rebooted, at 0, 1, 3, 7, 15, 31 and 63 s");
        }
    }
}

/// The same from the other side: SYNs leave the answers to what a desynchronized peer says alone.
#[test]
fn blind_syns_do_not_silence_the_answers_to_bare_segments() {
    let mut tcp = Rig::established(plain());
    for _ in 0..50 {
        tcp.arrives(peer_ctl(Flags::SYN, 7_000_000, 0));
    }
    assert_eq!(tcp.arrives(peer_ctl(Flags::RST, 5, 0)), "Discarded(ResetChallenged)");
    assert_eq!(tcp.arrives(peer(1_000_000, 0)), "<SEQ=0><ACK=0><CTL=ACK>; Discarded(OutOfWindow)");
    assert_eq!(tcp.arrives(peer(u32::MAX, 0)), "<SEQ=0><ACK=0><CTL=ACK>");
}

/// RFC 5961 §7 speaks of 10 in 5 s. Answers to what may be an answer itself are bounded so whatever the settings say, or by
/// the settings where those are stricter: the limit of the challenges is for SYNs and resets.
#[test]
fn answers_to_bare_segments_are_bounded_in_time_whatever_the_limit() {
    let cases: [(fn() -> Segment, bool); 5] = [
        (|| at_1000(peer(1_000_000, 0)), true),
        (|| at_1000(peer(0, 1_000_000)), true),
        (|| stamped(peer(0, 0), 999, 5000), true),
        (|| at_1000(peer(u32::MAX, 0)), true), // a keep-alive
        (|| at_1000(peer_ctl(Flags::SYN, 9, 0)), false),
    ];
    for (segment, bounded) in cases {
        let most = |limit, window| {
            let config = plain().timestamps(true).challenge_limit(limit).challenge_window(window);
            let mut tcp = Rig::in_state_with(State::Established, config, at_1000);
            let answers = (0..10_000).filter(|_| {
                tcp.now += ms(1);
                tcp.arrives(segment()).contains("<CTL=ACK>")
            });
            answers.count()
        };
        assert_eq!(most(65_535, ms(1)), if bounded { 20 } else { 10_000 }); // in 10 s
        assert_eq!(most(65_535, secs(100)), if bounded { 10 } else { 10_000 });
        assert_eq!(most(3, secs(2)), if bounded { 6 } else { 15 });
        assert_eq!(most(3, secs(100)), 3);
    }
}

/// A stack that resets an orphan after its FIN numbers the reset as the FIN's octet, RCV.NXT - 1: it knows as much as one
/// that names RCV.NXT.
#[test]
fn a_reset_at_the_peers_fin_counts() {
    for rfc5961 in [true, false] {
        let mut tcp = Rig::established(plain().rfc5961(rfc5961));
        tcp.send(5000);
        tcp.arrives(peer_ctl(FIN_ACK, 0, 0));
        assert_eq!(tcp.arrives(peer_ctl(Flags::RST, 0, 0)), "Closed(Reset)");
        for state in live() {
            let mut tcp = Rig::in_state(state, plain().rfc5961(rfc5961));
            let before = tcp.info().rcv_nxt - 1;
            let words = tcp.arrives(Segment { seq: before, ..peer_ctl(Flags::RST, 0, 0) });
            let expected = match state {
                State::CloseWait | State::Closing | State::LastAck => "Closed(Reset)",
                State::TimeWait => "Discarded(TimeWait)", // RFC 1337
                _ => "Discarded(ResetOutOfWindow)",
            };
            assert_eq!(words, expected, "{state}");
            let mut tcp = Rig::in_state(state, plain().rfc5961(rfc5961));
            let words = tcp.arrives(Segment { seq: before - 1, ..peer_ctl(Flags::RST, 0, 0) });
            assert!(words.starts_with("Discarded("), "{state}: {words}");
        }
    }
    let mut tcp = Rig::in_state(State::TimeWait, plain().rfc1337(false));
    assert_eq!(tcp.arrives(peer_ctl(Flags::RST, 0, 0)), "Discarded(ResetOutOfWindow)");
}

/// RFC 5961 §5.2: MAX.SND.WND is "the largest window that the local sender has ever received", that of the SYN included.
#[test]
fn max_snd_wnd_includes_the_window_of_the_syn() {
    let syn = |segment: Segment| Segment { window: 1000, ..segment };
    let listen = || {
        let mut tcp = Rig::listen(plain());
        tcp.arrives(syn(peer_syn()));
        tcp
    };
    let accept = || Rig::accept(plain(), Path::ipv4(1500), syn(peer_syn()));
    let crossed = || {
        let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
        tcp.arrives(syn(peer_syn()));
        tcp
    };
    let active = || {
        let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
        tcp.arrives(syn(segue_kit::streams::peer_syn_ack()));
        tcp
    };
    let ways: [&dyn Fn() -> Rig; 4] = [&listen, &accept, &crossed, &active];
    for (way, open) in ways.into_iter().enumerate() {
        for (below, taken) in [(1000, true), (1001, false)] {
            let mut tcp = open();
            for acknowledged in [0, 900, 1800] {
                tcp.arrives(Segment { window: 900, ..peer(0, acknowledged) });
                tcp.send(900); // no more: what was never sent is never acknowledged
            }
            assert_eq!((tcp.state(), tcp.info().snd_wnd), (State::Established, 900));
            let old = Segment { ack: ours(1800) - below, ..peer_text(0, 10, 0) };
            assert_eq!(tcp.arrives(old).contains("Deliver 10"), taken, "way {way}, {below} below SND.UNA");
        }
    }
}

/// §3.10.7.4 first holds in TIME-WAIT, too: an unacceptable segment is answered, within the throttle; an acceptable one
/// is not.
#[test]
fn time_wait_answers_what_is_unacceptable_without_length() {
    let mut tcp = Rig::in_state(State::TimeWait, plain());
    assert_eq!(tcp.arrives(peer(0, 1)), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(TimeWait)");
    assert_eq!(tcp.arrives(peer(1, 1)), "Discarded(TimeWait)");
    for seq in [0, u32::MAX, 1 << 31, 65_536, 70_000] {
        let mut tcp = Rig::in_state(State::TimeWait, plain());
        tcp.quiet(secs(100));
        for n in 0..20 {
            let answer = if n < 10 { "<SEQ=1><ACK=1><CTL=ACK>; " } else { "" };
            assert_eq!(tcp.arrives(peer(seq, 1)), format!("{answer}Discarded(TimeWait)"), "{seq}");
        }
        assert_eq!(tcp.until(Timer::TimeWait), Some(secs(140)), "and restarts nothing");
    }
    for seq in [1, 2, 65_534] {
        let mut tcp = Rig::in_state(State::TimeWait, plain());
        assert_eq!(tcp.arrives(peer(seq, 1)), "Discarded(TimeWait)", "{seq}");
        assert_eq!(tcp.arrives(peer(seq, 0)), "Discarded(TimeWait)", "{seq}");
        assert_eq!(tcp.arrives(peer(seq, 2)), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(AckOutOfRange)", "RFC 5961 §5.2");
    }
}

/// Two values in TIME-WAIT that disagree on their numbers hand each other all they say, and fall silent.
#[test]
fn time_wait_two_ends_that_disagree_fall_silent() {
    let time_wait = |iss: SeqNum, irs: SeqNum| {
        let config = segue::Arc::new(plain().challenge_limit(65_535).challenge_window(ms(1)).build().unwrap());
        let now = Instant::from_millis(5000);
        let secrets = Secrets { iss, ts_offset: 0 };
        let mut end = Connection::connect(config, Path::ipv4(1500), secrets, now).0;
        let say = |flags, seq, ack| Segment { seq, ack, flags, window: 65_535, ..Segment::default() };
        end.handle_segment(say(Flags::SYN | Flags::ACK, irs, iss + 1), now);
        end.close(now).unwrap();
        end.handle_segment(say(FIN_ACK, irs + 1, iss + 2), now);
        assert_eq!(end.state(), State::TimeWait);
        end
    };
    let offsets = [0, 1, 2, 65_534, 65_535, 65_536, 1 << 20, 1 << 31, 2u32.wrapping_neg(), 1u32.wrapping_neg()];
    for (a, b) in offsets.into_iter().flat_map(|a| offsets.into_iter().map(move |b| (a, b))) {
        let (iss, irs) = (SeqNum::new(u32::MAX - 1), SeqNum::new((1 << 31) - 2));
        let mut ends = [time_wait(iss, irs), time_wait(irs + a, iss + b)];
        for seed in [peer(0, 1), peer_text(5, 3, 1), peer_ctl(FIN_ACK, u32::MAX, 1)] {
            let mut flying = vec![(0, seed.clone()), (1, Segment { seq: iss + 2, ack: irs + 2, ..seed })];
            let mut exchanged = 0;
            while let Some((to, segment)) = flying.pop() {
                exchanged += 1;
                assert!(exchanged <= 100, "offsets {a} and {b}: {segment}");
                let now = Instant::from_millis(6000 + exchanged);
                let actions = ends[to].handle_segment(segment, now);
                let sent = actions.into_iter().filter_map(|a| match a {
                    segue::Action::Transmit(segment) => Some((1 - to, segment)),
                    _ => None,
                });
                flying.extend(sent);
            }
        }
    }
}

/// A FIN that is next in order ends the stream (§3.10.7.4 eighth), whatever somebody said of numbers beyond it.
#[test]
fn a_fin_next_in_order_ends_the_stream_in_front_of_held_text() {
    let established = || {
        let mut tcp = Rig::established(plain());
        assert_eq!(tcp.arrives(peer_text(4999, 1, 0)), "<SEQ=0><ACK=0><CTL=ACK>");
        assert_eq!(tcp.info().held, 1);
        tcp
    };
    let after = |tcp: &Rig| (tcp.state(), tcp.info().held, tcp.info().counters.octets_trimmed);
    let mut tcp = established();
    assert_eq!(tcp.arrives(peer_text(0, 100, 0)), "Deliver 100; <SEQ=0><ACK=100><CTL=ACK>");
    assert_eq!(tcp.arrives(peer_ctl(FIN_ACK, 100, 0)), "PeerClosed; <SEQ=0><ACK=101><CTL=ACK>");
    assert_eq!(after(&tcp), (State::CloseWait, 0, 1));
    // behind text, and behind text that came in part before
    for start in [0, 60] {
        let mut tcp = established();
        tcp.arrives(peer_text(0, start, 0));
        let words = tcp.arrives(Segment { flags: FIN_ACK, ..peer_text(0, 100, 0) });
        assert_eq!(words, format!("Deliver {}; PeerClosed; <SEQ=0><ACK=101><CTL=ACK>", 100 - start));
        assert_eq!(after(&tcp), (State::CloseWait, 0, 1 + u64::try_from(start).unwrap()));
    }
    // held text that goes on across the FIN is cut there
    let mut tcp = Rig::established(plain());
    tcp.arrives(peer_text(50, 100, 0));
    let words = tcp.arrives(Segment { flags: FIN_ACK, ..peer_text(0, 100, 0) });
    assert_eq!(words, "Deliver 100; PeerClosed; <SEQ=0><ACK=101><CTL=ACK>");
    assert_eq!(after(&tcp), (State::CloseWait, 0, 50));
    // a FIN that is held out of order is not of this stream either
    let mut tcp = Rig::established(plain());
    tcp.arrives(peer_ctl(FIN_ACK, 5000, 0));
    assert_eq!(tcp.arrives(peer_ctl(FIN_ACK, 0, 0)), "PeerClosed; <SEQ=0><ACK=1><CTL=ACK>");
    // what comes at or after it is thrown away
    assert_eq!(tcp.arrives(peer_text(1, 5, 0)), "Discarded(AfterFin); <SEQ=0><ACK=1><CTL=ACK>");
}

/// A FIN out of order proves nothing yet: it yields to text that is held.
#[test]
fn a_fin_out_of_order_yields_to_held_text() {
    let mut tcp = Rig::established(plain());
    tcp.arrives(peer_text(4999, 1, 0));
    assert_eq!(tcp.arrives(peer_ctl(FIN_ACK, 100, 0)), "<SEQ=0><ACK=0><CTL=ACK>");
    assert_eq!(tcp.arrives(peer_text(0, 100, 0)), "Deliver 100; <SEQ=0><ACK=100><CTL=ACK>");
    assert_eq!((tcp.state(), tcp.info().held), (State::Established, 1));
    assert_eq!(tcp.arrives(peer_ctl(FIN_ACK, 100, 0)), "PeerClosed; <SEQ=0><ACK=101><CTL=ACK>");
}

/// A FIN behind text of a SYN that is held in part only comes again with the rest.
#[test]
fn syn_received_a_fin_behind_text_of_the_syn_that_was_cut_is_cut_off_too() {
    let syn_fin = |octets| Segment { flags: Flags::SYN | Flags::FIN, payload: text(octets), ..peer_syn() };
    for (octets, ends) in [(1460, true), (1461, false), (5000, false)] {
        let mut tcp = Rig::accept(plain(), Path::ipv4(1500), syn_fin(octets));
        assert_eq!(tcp.info().held, 1460);
        let words = tcp.arrives(peer(1460, 0));
        let expected = if ends { "PeerClosed; <SEQ=0><ACK=1461>" } else { "<SEQ=0><ACK=1460>" };
        assert_eq!(words, format!("Connected; Deliver 1460; {expected}<CTL=ACK>"), "{octets}");
        assert_eq!(tcp.state() == State::CloseWait, ends);
        if !ends {
            let rest = Segment { payload: text(octets).slice(1460..), ..peer(1460, 0) };
            assert!(!tcp.arrives(rest).contains("PeerClosed"), "{octets}: the FIN was not accepted with the SYN");
            let fin = peer_ctl(FIN_ACK, u32::try_from(octets).unwrap(), 0);
            assert!(tcp.arrives(fin).contains("PeerClosed"), "{octets}");
        }
    }
}

/// SHLD-3 in the states in which the peer's FIN came; in TIME-WAIT there is nobody left to tell.
#[test]
fn shld_3_release_with_unread_text_resets_after_the_peers_fin() {
    for (state, acknowledged) in [(State::Closing, 0), (State::LastAck, 0), (State::CloseWait, 0), (State::TimeWait, 1)]
    {
        for read in [0, 9, 10] {
            let mut tcp = Rig::established(plain());
            if matches!(state, State::Closing | State::TimeWait) {
                tcp.close();
            }
            tcp.arrives(Segment { flags: FIN_ACK, ..peer_text(0, 10, acknowledged) });
            if state == State::LastAck {
                tcp.close();
            }
            assert_eq!(tcp.state(), state);
            tcp.consume(read);
            let words = tcp.does(Event::Release);
            if read < 10 && state != State::TimeWait {
                assert!(words.ends_with("<CTL=RST>; Closed(Unread)"), "{state}: {words}");
                assert_eq!(tcp.sent()[0].seq, ours(u32::from(state != State::CloseWait)));
            } else {
                assert!(!words.contains("RST") && !words.contains("Closed"), "{state}: {words}");
            }
        }
    }
}
