//! Initial sequence numbers and the handshake (RFC 9293 §3.4.1, §3.5, §3.10.7.2, §3.10.7.3).

use segue::host::{Flow, Keys};
use segue::{Flags, Instant, Options, Path, Segment, SeqNum, State, Timer, Timestamps};
use segue_kit::plain;
use segue_kit::rig::Rig;
use segue_kit::streams::{IRS, ISS, ours, peer, peer_ctl, peer_syn, peer_syn_ack, peer_text, text, theirs};

fn flow(port: u16) -> Flow {
    Flow::new("192.0.2.1:80".parse().unwrap(), ([198, 51, 100, 7], port).into()).unwrap()
}

#[test]
fn must_8_initial_numbers_follow_a_clock_of_4_microseconds() {
    let keys = Keys::new(*b"drawn at startup");
    let iss = |micros| keys.secrets(&flow(5000), Instant::from_micros(micros), None).iss;
    assert_eq!(iss(1_000_004) - iss(1_000_000), 1);
    assert_eq!(iss(60_000_000) - iss(0), 15_000_000);
    // the clock wraps in 2³² × 4 µs, about 4.77 h
    assert_eq!(iss(4 << 32), iss(0));
}

#[test]
fn must_9_and_shld_1_connections_and_keys_have_numbers_of_their_own() {
    let [one, other] = [*b"drawn at startup", *b"drawn by another"].map(Keys::new);
    let iss = |keys: &Keys, port| keys.secrets(&flow(port), Instant::ZERO, None).iss;
    let mut numbers: Vec<u32> = (1..=1000).map(|port| iss(&one, port).value()).collect();
    assert!((1..=1000).any(|port| iss(&other, port) != iss(&one, port)), "the key counts");
    let steps = numbers.windows(2).filter(|pair| pair[1].wrapping_sub(pair[0]) == numbers[1].wrapping_sub(numbers[0]));
    assert!(steps.count() < 10, "one connection's number tells nothing about the next");
    numbers.sort_unstable();
    numbers.dedup();
    assert!(numbers.len() > 990);
}

/// The machine invents no number: the one it is given is the one on the wire.
#[test]
fn must_8_the_secrets_are_used_as_they_are() {
    let config = plain().timestamps(true);
    let sent = [
        Rig::connect(config, Path::ipv4(1500)).sent()[0].clone(),
        Rig::accept(config, Path::ipv4(1500), peer_syn()).sent()[0].clone(),
    ];
    assert_eq!(sent.map(|syn| syn.seq), [ISS; 2]);
}

#[test]
fn must_10_a_crossing_syn_is_answered_and_its_answer_establishes() {
    for answer in [peer(0, 0), Segment { seq: IRS, ..peer_syn_ack() }] {
        let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
        assert_eq!(tcp.arrives(peer_syn()), "<SEQ=-1><ACK=0><CTL=SYN,ACK>");
        assert_eq!(tcp.state(), State::SynReceived);
        assert_eq!(tcp.arrives(answer), "Connected");
        assert_eq!(tcp.state(), State::Established);
    }
}

#[test]
fn must_11_a_reset_in_syn_received_depends_on_the_origin() {
    let reset = peer_ctl(Flags::RST, 0, 0);

    let mut tcp = Rig::listen(plain());
    assert_eq!(tcp.arrives(peer_syn()), "<SEQ=-1><ACK=0><CTL=SYN,ACK>");
    assert_eq!(tcp.arrives(reset.clone()), "ReturnedToListen");
    assert_eq!(tcp.state(), State::Listen);

    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    tcp.arrives(peer_syn());
    assert_eq!(tcp.arrives(reset.clone()), "Closed(Refused)");
    assert_eq!(tcp.state(), State::Closed);

    let mut tcp = Rig::accept(plain(), Path::ipv4(1500), peer_syn());
    assert_eq!(tcp.arrives(reset), "Closed(Reset)");
    assert_eq!(tcp.state(), State::Closed);
}

#[test]
fn u_3_text_on_a_syn_waits_for_the_handshake() {
    let mut tcp = Rig::listen(plain());
    assert_eq!(tcp.arrives(Segment { payload: text(10), ..peer_syn() }), "<SEQ=-1><ACK=0><CTL=SYN,ACK>");
    assert_eq!(tcp.info().held, 10);
    assert_eq!(tcp.arrives(peer(10, 0)), "Connected; Deliver 10; <SEQ=0><ACK=10><CTL=ACK>");
}

/// The same when the SYNs cross.
#[test]
fn u_3_text_on_a_crossing_syn_waits_too() {
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    assert_eq!(tcp.arrives(Segment { payload: text(10), ..peer_syn() }), "<SEQ=-1><ACK=0><CTL=SYN,ACK>");
    assert_eq!(tcp.arrives(peer(10, 0)), "Connected; Deliver 10; <SEQ=0><ACK=10><CTL=ACK>");
    // text on a SYN,ACK comes with the end of the handshake
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    let words = tcp.arrives(Segment { payload: text(10), ..peer_syn_ack() });
    assert_eq!(words, "Connected; Deliver 10; <SEQ=0><ACK=10><CTL=ACK>");
}

#[test]
fn u_4_resets_are_not_answered() {
    let resets = [Flags::RST, Flags::RST | Flags::ACK, Flags::RST | Flags::SYN | Flags::ACK];
    let numbers = [(0, 0), (70_000, 0), (0, 500), (10, 0)];
    let opening: [fn() -> Rig; 3] = [
        || Rig::listen(plain()),
        || Rig::connect(plain(), Path::ipv4(1500)),
        || {
            let mut closed = Rig::listen(plain());
            closed.close();
            closed
        },
    ];
    let live = State::ALL.into_iter().filter(|state| *state == State::SynReceived || state.is_synchronized());
    let live = live.map(|state| Box::new(move || Rig::in_state(state, plain())) as Box<dyn Fn() -> Rig>);
    for make in opening.into_iter().map(|make| Box::new(make) as Box<dyn Fn() -> Rig>).chain(live) {
        for flags in resets {
            for (seq, ack) in numbers {
                let mut tcp = make();
                let state = tcp.state();
                let words = tcp.arrives(peer_ctl(flags, seq, ack));
                let reset = tcp.sent().iter().any(|segment| segment.flags.contains(Flags::RST));
                assert!(!reset, "{state}, {flags:?} at {seq}, {ack}: {words}");
            }
        }
    }
}

/// In synchronized states no segment is answered by a reset because of its numbers.
#[test]
fn u_4_unacceptable_segments_are_answered_by_an_acknowledgment() {
    for state in State::ALL.into_iter().filter(|state| state.is_synchronized() && *state != State::TimeWait) {
        for segment in [peer_text(70_000, 1, 0), peer_text(u32::MAX - 99, 9, 0), peer(1, 90_000)] {
            let mut tcp = Rig::in_state(state, plain());
            let info = tcp.info();
            tcp.arrives(segment);
            let (seq, ack) = (info.snd_nxt, info.rcv_nxt);
            assert_eq!(
                tcp.sent(),
                [Segment { seq, ack, window: tcp.sent()[0].window, flags: Flags::ACK, ..Segment::default() }]
            );
            assert_eq!(tcp.state(), state);
        }
    }
}

#[test]
fn u_12_a_fin_alone_opens_and_closes_nothing() {
    let fin = Segment { flags: Flags::FIN, ..peer_syn() };
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    assert_eq!(tcp.arrives(fin.clone()), "Discarded(NotSyn)");
    assert_eq!(tcp.state(), State::SynSent);
    let mut tcp = Rig::listen(plain());
    assert_eq!(tcp.arrives(fin.clone()), "Discarded(NotSyn)");
    assert_eq!(tcp.state(), State::Listen);
    tcp.close();
    // §3.10.7.1: only the reset, which acknowledges the FIN
    tcp.arrives(fin);
    let reset = Segment { ack: IRS + 1, flags: Flags::RST | Flags::ACK, ..Segment::default() };
    assert_eq!((tcp.sent(), tcp.state()), (&[reset][..], State::Closed));
}

#[test]
fn u_13_in_syn_sent_only_what_was_sent_can_be_acknowledged() {
    for (ack, acceptable) in
        [(ISS, false), (ISS + 1, true), (ISS + 2, false), (ISS - 1, false), (ISS + (1 << 31), false)]
    {
        let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
        tcp.arrives(Segment { ack, ..peer_syn_ack() });
        if acceptable {
            assert_eq!((tcp.state(), tcp.sent().len()), (State::Established, 1));
        } else {
            // <SEQ=SEG.ACK><CTL=RST>, and nothing else changed
            assert_eq!(tcp.sent(), [Segment { seq: ack, flags: Flags::RST, ..Segment::default() }]);
            assert_eq!(tcp.state(), State::SynSent);
        }
    }
}

#[test]
fn u_14_in_syn_sent_an_acknowledgment_without_syn_is_dropped() {
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    let before = tcp.connection.canonical(tcp.now);
    assert_eq!(tcp.arrives(peer(0, 0)), "Discarded(NotSyn)");
    assert_eq!(tcp.connection.canonical(tcp.now), before);
    assert_eq!(tcp.arrives(peer_syn_ack()), "Connected; <SEQ=0><ACK=0><CTL=ACK>");
}

/// RFC 7323 §2.2, §3.2, RFC 2018 §2: an option is in force when both SYNs carried it; a SYN,ACK offers only what the SYN offered.
#[test]
fn a_syn_ack_offers_what_the_syn_offered() {
    let full = segue::Config::builder();
    let tcp = Rig::accept(full, Path::ipv4(1500), peer_syn());
    assert_eq!(tcp.sent()[0].options, Options { mss: Some(1460), ..Options::default() });

    let timestamps = Some(Timestamps { value: 77, echo: 0 });
    let options = Options { window_scale: Some(7), sack_permitted: true, timestamps, ..peer_syn().options.get() };
    let tcp = Rig::accept(full, Path::ipv4(1500), Segment { options: options.into(), ..peer_syn() });
    let timestamps = Some(Timestamps { value: 5000, echo: 77 });
    assert_eq!(tcp.sent()[0].options, Options { mss: Some(1460), window_scale: Some(3), timestamps, ..options });
}

#[test]
fn the_handshake_timer_stops_with_the_handshake() {
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    assert_eq!(tcp.until(Timer::Retransmit), Some(segue_kit::secs(1)));
    tcp.arrives(peer_syn_ack());
    assert_eq!(tcp.connection.next_deadline(), None);
    assert_eq!((tcp.info().snd_una, tcp.info().rcv_nxt), (ours(0), theirs(0)));
    assert_eq!(tcp.info().iss, SeqNum::new(u32::MAX - 2));
}
