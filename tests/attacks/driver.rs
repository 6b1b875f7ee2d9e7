//! G: clocks, hosts and middleboxes that do what they should not.

use std::time::Duration;

use segue::{Action, Connection, Event, Flags, Instant, Options, SackBlock, SackBlocks, Segment, State, Timer};
use segue_kit::pair::Wire;
use segue_kit::rig::{ACK, At, FIN, LIVE, Rig, SYN, everywhere};
use segue_kit::{EDGES, ms, secs};

#[test]
fn g1_a_clock_that_jumps_anywhere_harms_nothing() {
    everywhere(|at| {
        let times = [0, u64::MAX, 1, 1 << 62, at.start.as_micros(), u64::MAX / 2, 5];
        for state in State::ALL {
            let mut rig = at.with_options().state(state);
            for time in times {
                rig.now = Instant::from_micros(time);
                for timer in Timer::ALL {
                    rig.connection.handle_timer(timer, rig.now);
                }
                rig.connection.handle_segment(rig.text(1, 1, "abc"), rig.now);
                rig.connection.check_invariants();
            }
        }
    });
}

#[test]
fn g2_timers_early_late_never_and_again() {
    everywhere(|at| {
        for state in State::ALL {
            let rig = at.state(state);
            for timer in Timer::ALL {
                let mut early = rig.clone();
                assert_eq!(early.call_timer(timer), "", "{state} {timer:?}");
                assert_eq!(early.connection.canonical(early.now), rig.connection.canonical(rig.now));
            }
            let mut late = rig.clone();
            late.wait(secs(100_000));
            late.call_timer(Timer::Continue);
            let again = late.clone();
            for timer in Timer::ALL {
                assert_eq!(late.call_timer(timer), "", "{state} {timer:?} twice at one time");
            }
            assert!(late.connection.canonical(late.now) == again.connection.canonical(late.now));
        }
    });
}

/// A host that never takes delivered text, and sends for ever: memory stays bounded.
#[test]
fn g3_inputs_without_end_are_bounded() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.send_buffer(5000)).established();
        for i in 0..3000i64 {
            rig.arrives(rig.octets(1 + (i * 131) % 20_000, 1, 97));
            rig.handle(Event::Send(vec![0; 13].into())).ok();
            rig.handle(Event::SendUrgent(vec![0; 7].into())).ok();
            let info = rig.connection.info();
            assert!(info.unconsumed + info.held <= 10_000 && info.send_queue <= 5000 && info.held_ranges <= 64);
        }
    });
}

/// Every transmit of the first ten is dropped, one or all: the text arrives, late.
#[test]
fn g4_dropped_transmits_are_losses() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.max_burst(2)).established();
        rig.send(10_000);
        let mut received = 1;
        let mut calls = 0;
        while rig.connection.info().snd_una != rig.snd(10_001) {
            calls += 1;
            assert!(calls < 300, "stuck at {received}");
            let sent: Vec<Segment> = rig.sent().to_vec();
            for segment in sent.into_iter().filter(|_| calls > 10 && calls % 3 != 0) {
                if segment.seq == rig.snd(received) {
                    received += segment.payload.len() as i64;
                }
            }
            if calls % 2 == 0 {
                rig.arrives(rig.ack(1, received));
            } else {
                let (timer, at) = rig.connection.next_deadline().expect("it is not over");
                rig.now = rig.now.max(at);
                rig.call_timer(timer);
            }
        }
    });
}

#[test]
fn g5_the_mtu_changes_in_flight_both_ways() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(100_000);
        let mut una = 1;
        for (i, mtu) in [1500, 576, 68, 0, 9000, 600, 65_535, 1500].into_iter().cycle().take(400).enumerate() {
            rig.does(Event::Mtu(mtu));
            let most = usize::from(rig.connection.info().eff_snd_mss);
            assert!(rig.sent().iter().all(|segment| segment.payload.len() <= most), "mtu {mtu}");
            let nxt = i64::from(rig.connection.info().snd_nxt - rig.snd(0));
            una = (una + 700).min(nxt);
            rig.arrives(rig.ack(1, una));
            assert!(rig.sent().iter().all(|segment| segment.payload.len() <= most), "mtu {mtu}");
            if i % 5 == 0 {
                if let Some((timer, _)) = rig.connection.next_deadline() {
                    rig.fire(timer);
                }
            }
            if una == 100_001 {
                return;
            }
        }
        panic!("stuck at {una}");
    });
}

/// draft-gont-tcpm-tcp-seq-validation: the three ways to make two TCPs answer each other for ever.
#[test]
fn g6_simultaneous_open_close_and_probes_end_in_silence() {
    everywhere(|at| {
        let other = At { iss: at.irs, irs: at.iss, ..at };
        let ends = || [at.established(), other.established()];

        let mut opening = Wire::new([at.connect(), other.connect()], Duration::ZERO);
        for (to, from) in [(1, at), (0, other)] {
            opening.put(to, from.connect().only().clone());
        }
        opening.pass(secs(3600));
        assert!(opening.exchanged <= 6, "open: {} segments", opening.exchanged);

        let mut closing = Wire::new(ends(), Duration::ZERO);
        closing.call(0, Event::Close);
        closing.call(1, Event::Close);
        closing.pass(secs(3600));
        assert!(closing.exchanged <= 6, "close: {} segments", closing.exchanged);
        assert_eq!(closing.pair.ends.map(|end| end.state()), [State::Closed; 2]);

        let mut probing = Wire::new(ends(), Duration::ZERO);
        for (end, at) in [(0, at), (1, other)] {
            probing.call(end, Event::Segment(Segment { window: 0, ..at.listen().ack(1, 1) }));
        }
        probing.call(0, Event::Send("probe".into()));
        probing.call(1, Event::Send("probe".into()));
        probing.pass(secs(3600));
        assert!(probing.exchanged <= 12, "probes: {} segments", probing.exchanged);
        for end in probing.pair.ends {
            let info = end.info();
            assert_eq!((info.unconsumed, info.send_queue), (5, 0));
        }
    });
}

/// Windows that close by the rounding of their scale, both at once, with text under way: each end's ACKs can carry a number
/// that the other no longer accepts. Whatever the settings of challenges, they do not answer each other for long.
#[test]
fn g6_windows_that_close_by_rounding_start_no_war() {
    everywhere(|at| {
        let at = at.with_options().with(|config| {
            let config = config.receive_buffer(131_072).nagle(false);
            config.challenge_limit(65_535).challenge_window(ms(1))
        });
        let other = At { iss: at.irs, irs: at.iss, ..at };
        let mut pair = Wire::new([at.established(), other.established()], ms(50));
        let send = |pair: &mut Wire, octets: usize| {
            for end in 0..2 {
                pair.call(end, Event::Send(vec![b'x'; octets].into()));
            }
        };
        let queued = |end: &Rig| end.info().snd_nxt != end.info().snd_una + end.info().send_queue as u32;
        send(&mut pair, 131_069);
        while pair.pair.ends.iter().any(queued) {
            pair.pass(ms(1)); // until all of it is sent
        }
        pair.pass(ms(75));
        send(&mut pair, 3);
        pair.pass(ms(200));
        for end in 0..2 {
            pair.call(end, Event::Consume(1 << 20));
        }
        pair.pass(secs(1));
        let before = pair.exchanged;
        pair.pass(secs(60));
        let exchanged = pair.exchanged - before;
        assert!(exchanged <= 2 * 2 * 10 * 13, "{exchanged} segments in a minute");
    });
}

/// Middleboxes: options stripped from the SYN,ACK, or later; numbers rewritten; text cut and joined anew.
#[test]
fn g7_stripped_options_and_rewritten_numbers() {
    everywhere(|at| {
        let at = at.with_options();
        let strip = |mut segment: Segment| {
            segment.options = Options::default().into();
            segment
        };
        let mut rig = at.connect();
        rig.arrives(strip(rig.syn(SYN | ACK)));
        assert_eq!(rig.only().options, Options::default(), "what was not agreed is not used");
        assert_eq!(rig.arrives(strip(rig.text(1, 1, "abc"))), "Deliver \"abc\"");

        let mut rig = at.established();
        rig.unmoved(strip(rig.text(1, 1, "abc")), "Discarded(MissingTimestamp)");
        assert_eq!(rig.arrives(rig.text(1, 1, "abc")), "Deliver \"abc\"", "and the connection lives");

        let mut rewritten = rig.text(4, 1, "def");
        rewritten.seq += 123_456_789;
        assert!(rig.arrives(rewritten).ends_with("Discarded(OutOfWindow)"));
        let mut rewritten = rig.text(4, 1, "def");
        rewritten.ack += 123_456_789;
        assert!(rig.arrives(rewritten).ends_with("Discarded(AckOutOfRange)"));
    });
}

/// A middlebox that takes the timestamps off some segments: where that is tolerated, both streams arrive all the same, and
/// nothing is sent again for it.
#[test]
fn g7_timestamps_that_vanish_on_the_way_are_tolerated_where_that_is_set() {
    for every in [1, 2, 3, 7] {
        let at = At::default().with_options().with(|config| config.tolerate_missing_timestamps(true));
        let other = At { iss: at.irs, irs: at.iss, ..at };
        let mut ends = [at.established().connection, other.established().connection];
        let mut flying = std::collections::VecDeque::new();
        let (mut now, mut delivered, mut sent) = (at.start, [0, 0], 0);
        for (from, end) in ends.iter_mut().enumerate() {
            let actions = end.send(&mut vec![b'x'; 8 * 988].into(), now).expect("established");
            flying.extend(segue_kit::audit::segments(&actions).into_iter().cloned().map(|segment| (from, segment)));
        }
        while let Some((from, mut segment)) = flying.pop_front() {
            sent += 1;
            assert!(sent < 200, "without end: {segment}");
            if sent % every == 0 {
                segment.options.update(|options| options.timestamps = None);
            }
            now += ms(3);
            let actions = ends[1 - from].handle_segment(segment, now);
            let text = |action: &Action| if let Action::Deliver(text) = action { text.len() } else { 0 };
            delivered[1 - from] += actions.iter().map(text).sum::<usize>();
            flying.extend(segue_kit::audit::segments(&actions).into_iter().cloned().map(|segment| (1 - from, segment)));
        }
        assert_eq!(delivered, [8 * 988; 2], "every {every}");
        for end in ends {
            let info = end.info();
            assert_eq!((info.counters.retransmissions, info.counters.discarded, info.send_queue), (0, 0, 0));
            assert!(info.srtt.is_some_and(|srtt| srtt < secs(1)), "{:?}", info.srtt);
        }
    }
}

#[test]
fn g7_text_cut_and_joined_anew_is_the_same_text() {
    everywhere(|at| {
        let text: Vec<u8> = (0..=255).cycle().take(3000).collect();
        for cut in [1, 7, 536, 999, 1460, 3000] {
            let mut rig = at.established();
            let mut delivered = Vec::new();
            for (i, piece) in text.chunks(cut).enumerate() {
                rig.arrives(rig.text(1 + (i * cut) as i64, 1, piece.to_vec()));
                delivered.extend(rig.delivered());
            }
            assert_eq!(delivered, text);
        }
    });
}

/// Any bit of any field of a good segment flipped: no panic, no text that nobody sent outside its place, and at most one
/// answer (the rig counts).
#[test]
fn g8_flipped_bits() {
    for iss in EDGES {
        let at = At { iss, irs: iss.wrapping_add(77), ..At::default() }.with_options();
        for state in LIVE {
            let rig = at.state(state);
            let rcv = i64::from(rig.connection.info().rcv_nxt - rig.rcv(0));
            for good in [rig.text(rcv, 1, "abcd"), rig.fin(rcv, 1), rig.ack(rcv, 1), rig.rst(rcv), rig.syn(SYN)] {
                for bit in 0..32 {
                    let mut flipped = vec![
                        Segment { seq: segue::SeqNum::new(good.seq.value() ^ 1 << bit), ..good.clone() },
                        Segment { ack: segue::SeqNum::new(good.ack.value() ^ 1 << bit), ..good.clone() },
                        Segment { window: good.window ^ 1u16.rotate_left(bit), ..good.clone() },
                        Segment {
                            urgent: good.urgent ^ 1u16.rotate_left(bit),
                            flags: good.flags | Flags::URG,
                            ..good.clone()
                        },
                        Segment { segment_size: 1u16.rotate_left(bit), ..good.clone() },
                    ];
                    if bit < 9 {
                        flipped
                            .push(Segment { flags: good.flags ^ Flags::from_bits_truncate(1 << bit), ..good.clone() });
                    }
                    for segment in flipped {
                        let mut rig: Rig = rig.clone();
                        rig.arrives(segment);
                        assert!(rig.delivered().len() <= 4);
                        rig.call_timer(Timer::DelayedAck);
                    }
                }
            }
        }
    }
}

/// SACK blocks of every kind, which nobody uses yet, harm nobody.
#[test]
fn g_sack_blocks_of_nonsense_are_ignored() {
    everywhere(|at| {
        let at = at.with_options();
        let mut rig = at.established();
        rig.send(4940); // five full segments
        let blocks = [(0i64, 0i64), (1, 90_000), (3000, 2000), (-500, 0), (0x7FFF_FFFF, -0x7FFF_FFFF), (1001, 2001)];
        for (i, first) in blocks.iter().enumerate() {
            let mut sack = SackBlocks::new();
            for (left, right) in [*first, blocks[(i + 1) % 6], blocks[(i + 2) % 6], *first] {
                sack.push(SackBlock { left: rig.snd(left), right: rig.snd(right) });
            }
            let mut segment = rig.text(1 + i as i64, 1, "x");
            segment.options.update(|options| options.sack = sack);
            rig.arrives(segment);
        }
        assert_eq!(rig.connection.info().snd_una, rig.snd(1));
        rig.arrives(rig.ack(7, 4941));
        assert_eq!(rig.connection.info().send_queue, 0);
    });
}

/// "State leaking between connections": two values share a configuration and nothing else.
#[test]
fn g_two_connections_share_nothing() {
    let at = At::default();
    let config = segue::Arc::new(segue::Config::default());
    let make = || Connection::connect(config.clone(), segue::Path::ipv4(1500), at.secrets(), at.start);
    let (mut one, _) = make();
    let (other, _) = make();
    let before = other.clone();
    let mut actions: Vec<Action> = Vec::new();
    for event in [Event::Segment(at.listen().syn(SYN | ACK)), Event::Mtu(600), Event::Send("text".into()), Event::Abort]
    {
        one.handle(event, at.start + ms(1), &mut actions).expect("legal");
    }
    assert!(other == before && one.state() == State::Closed);
    assert!(actions.iter().any(|action| matches!(action, Action::Transmit(segment) if !segment.flags.contains(FIN))));
}
