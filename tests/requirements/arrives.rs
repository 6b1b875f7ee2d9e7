//! SEGMENT ARRIVES in synchronized states: numbers, resets, SYNs, acknowledgments (RFC 9293 §3.10.7.4, RFC 5961).

use segue::{Flags, Segment, State, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{peer, peer_ctl, peer_text, text};
use segue_kit::{ms, plain};

/// The states in which the peer's numbers begin at octet 0 and nothing of ours is acknowledged beyond the SYN.
const OPEN: [State; 3] = [State::SynReceived, State::Established, State::FinWait1];

#[test]
fn u_5_a_reset_counts_when_its_number_is_exact() {
    for state in OPEN {
        for seq in [1, 100, 65_534] {
            let mut tcp = Rig::in_state(state, plain());
            let nxt = tcp.info().snd_nxt;
            let words = tcp.arrives(peer_ctl(Flags::RST, seq, 0));
            assert!(words.ends_with("<CTL=ACK>; Discarded(ResetChallenged)"), "{state}, {seq}: {words}");
            assert_eq!((tcp.sent()[0].seq, tcp.state()), (nxt, state));
        }
        for seq in [u32::MAX, 65_535, 65_536, 1 << 31] {
            let mut tcp = Rig::in_state(state, plain());
            assert_eq!(tcp.arrives(peer_ctl(Flags::RST, seq, 0)), "Discarded(ResetOutOfWindow)");
            assert_eq!(tcp.state(), state);
        }
        let mut tcp = Rig::in_state(state, plain());
        assert_eq!(tcp.arrives(peer_ctl(Flags::RST, 0, 0)), "Closed(Reset)");
    }
}

/// RFC 5961 §3.2 closes the circle: the challenge tells an honest peer the number, and it resets again.
#[test]
fn u_5_the_challenge_tells_the_exact_number() {
    let mut tcp = Rig::established(plain());
    assert_eq!(tcp.arrives(peer_ctl(Flags::RST, 9, 0)), "<SEQ=0><ACK=0><CTL=ACK>; Discarded(ResetChallenged)");
    let again = segue::codec::reset_for(&tcp.sent()[0]).unwrap();
    assert_eq!(tcp.arrives(again), "Closed(Reset)");
}

#[test]
fn u_6_a_syn_is_challenged_whatever_its_number() {
    for state in State::ALL.into_iter().filter(|state| state.is_synchronized() && *state != State::TimeWait) {
        for flags in [Flags::SYN, Flags::SYN | Flags::ACK] {
            for seq in [0, 1, u32::MAX, 1000, 65_536, 1 << 31] {
                let mut tcp = Rig::in_state(state, plain());
                let info = tcp.info();
                let words = tcp.arrives(peer_ctl(flags, seq, 0));
                assert!(words.ends_with("<CTL=ACK>; Discarded(SynChallenged)"), "{state}, {seq}: {words}");
                assert_eq!((tcp.sent()[0].seq, tcp.sent()[0].ack, tcp.state()), (info.snd_nxt, info.rcv_nxt, state));
            }
        }
    }
}

/// SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT (RFC 5961 §5), and nothing before the ISS.
#[test]
fn may_12_an_acknowledgment_out_of_range_makes_text_suspect() {
    let with_ack = |ack: u32| peer_text(0, 5, ack);
    for (sent, good, bad) in [
        (73_000, [73_000, 20_000, 73_000 - 65_535], [73_001, 73_000 - 65_536, 1 << 31]),
        (10, [10, 9, 0], [11, 2_u32.wrapping_neg(), 10_u32.wrapping_sub(65_535)]),
    ] {
        for (ack, taken) in good.map(|ack| (ack, true)).into_iter().chain(bad.map(|ack| (ack, false))) {
            let mut tcp = Rig::established(plain());
            for acknowledged in (0..sent).step_by(14_600) {
                let piece = 14_600.min(sent - acknowledged); // ten segments
                tcp.send(piece as usize);
                tcp.arrives(peer(0, acknowledged + piece));
            }
            let words = tcp.arrives(with_ack(ack));
            let challenge = format!("<SEQ={sent}><ACK=0><CTL=ACK>; Discarded(AckOutOfRange)");
            assert_eq!(words, if taken { "Deliver 5" } else { &challenge }, "{ack} of {sent}");
        }
    }
    // switched off, only the future is out of range
    let mut tcp = Rig::established(plain().rfc5961(false));
    assert_eq!(tcp.arrives(with_ack(1_000_000_u32.wrapping_neg())), "Deliver 5");
    assert_eq!(tcp.arrives(peer_text(5, 5, 1)), "<SEQ=0><ACK=5><CTL=ACK>; Discarded(AckOutOfRange)");
}

#[test]
fn u_15_a_segment_is_trimmed_to_the_window() {
    // on the left, octets that came before
    let mut tcp = Rig::established(plain());
    tcp.arrives(peer_text(0, 10, 0));
    assert_eq!(tcp.arrives(peer_text(5, 10, 0)), "Deliver 5; <SEQ=0><ACK=15><CTL=ACK>");
    // the octets delivered are those of the right place
    let actions = tcp.connection.handle_segment(peer_text(10, 20, 0), tcp.now);
    assert_eq!(actions[0], segue::Action::Deliver(text(20).slice(5..)));

    assert_eq!(tcp.info().counters.octets_trimmed, 5 + 5);

    // on the right, what the window has no room for, the FIN with it
    let mut tcp = Rig::established(plain().receive_buffer(100));
    let long = Segment { flags: Flags::FIN | Flags::ACK, ..peer_text(0, 150, 0) };
    assert_eq!(tcp.arrives(long), "Deliver 100");
    assert_eq!((tcp.state(), tcp.info().rcv_wnd), (State::Established, 0));
    assert_eq!(tcp.info().counters.octets_trimmed, 50);
    let exact = Segment { flags: Flags::FIN | Flags::ACK, ..peer_text(0, 100, 0) };
    let mut tcp = Rig::established(plain().receive_buffer(100));
    assert_eq!(tcp.arrives(exact), "Deliver 100");
    assert_eq!(tcp.state(), State::Established, "the FIN is the first octet beyond the window");
    let mut tcp = Rig::established(plain().receive_buffer(100));
    let fits = Segment { flags: Flags::FIN | Flags::ACK, ..peer_text(0, 99, 0) };
    assert_eq!(tcp.arrives(fits), "Deliver 99; PeerClosed; <SEQ=0><ACK=100><CTL=ACK>");
}

/// Table 6: the acceptable segments for each length of segment and window.
#[test]
fn u_15_the_four_cases_of_acceptability() {
    let old =
        |len| format!("<SEQ=0><ACK=0><CTL=ACK>; Discarded({})", if len > 0 { "Duplicate" } else { "OutOfWindow" });
    let outside = "<SEQ=0><ACK=0><CTL=ACK>; Discarded(OutOfWindow)";
    let cases: [(u32, usize, String); 8] = [
        (0, 0, String::new()),
        (65_534, 0, String::new()),
        (65_536, 0, outside.to_string()),
        (u32::MAX - 1, 0, old(0)),
        (0, 1, "Deliver 1".to_string()),
        (65_534, 1, "<SEQ=0><ACK=0><CTL=ACK>".to_string()),
        (65_535, 1, outside.to_string()),
        (u32::MAX - 9, 10, old(10)),
    ];
    for (seq, len, words) in cases {
        let mut tcp = Rig::established(plain());
        assert_eq!(tcp.arrives(peer_text(seq, len, 0)), words, "{seq}, {len}");
    }
    // the last octet of a segment may be the only new one
    let mut tcp = Rig::established(plain());
    assert_eq!(tcp.arrives(peer_text(u32::MAX - 8, 10, 0)), "Deliver 1");
}

/// App. A.2: at both edges of the window the ACK counts although the segment is not acceptable, or both ends would wait for ever.
#[test]
fn u_21_the_acknowledgment_of_an_unacceptable_segment_counts_at_the_edges() {
    for (seq, len) in [(u32::MAX, 1), (u32::MAX, 0), (65_535, 0)] {
        let mut tcp = Rig::established(plain());
        tcp.send(10);
        let words = tcp.arrives(peer_text(seq, len, 10));
        assert!(words.contains("Acked(10)"), "{seq}, {len}: {words}");
        assert!(!words.contains("Deliver"), "{seq}, {len}: {words}");
    }
    // and nowhere else
    for (seq, len) in [(u32::MAX - 1, 0), (65_536, 0), (65_535, 1)] {
        let mut tcp = Rig::established(plain());
        tcp.send(10);
        assert!(!tcp.arrives(peer_text(seq, len, 10)).contains("Acked"), "{seq}, {len}");
    }
}

/// Two ends with closed windows that probe each other at once (App. A.2): both learn of the other's window when it opens.
#[test]
fn u_21_simultaneous_zero_window_probes_do_not_deadlock() {
    let mut tcp = Rig::established(plain().receive_buffer(1000));
    tcp.arrives(Segment { window: 0, ..peer_text(0, 1000, 0) });
    tcp.fire(Timer::DelayedAck);
    tcp.send(500);
    assert_eq!(tcp.fire(Timer::Persist), "<SEQ=0><ACK=1000><DATA=1><CTL=ACK>");
    // the peer's probe crosses ours; it neither fits our window nor acknowledges our octet, yet its window counts
    let probe = Segment { window: 800, ..peer_text(1000, 1, 0) };
    assert_eq!(tcp.arrives(probe), "Discarded(ZeroWindow); <SEQ=0><ACK=1000><DATA=500><CTL=PSH,ACK>");
}

/// A connection to itself (App. A.2, §3.5): every segment comes back to its sender.
#[test]
fn u_21_a_connection_to_itself_completes() {
    let mut tcp = Rig::connect(plain(), segue::Path::ipv4(1500));
    let mut all = String::new();
    let mut run = |tcp: &mut Rig| {
        for _ in 0..20 {
            for segment in tcp.sent().to_vec() {
                let words = tcp.arrives(segment);
                all += &words;
                all += "\n";
            }
        }
        assert_eq!(tcp.sent(), [], "it does not answer itself for ever");
        std::mem::take(&mut all)
    };
    assert!(run(&mut tcp).contains("Connected"));
    assert_eq!(tcp.state(), State::Established);
    tcp.send(10);
    assert!(run(&mut tcp).contains("Deliver \"..........\""));
    tcp.fire(Timer::DelayedAck);
    assert!(run(&mut tcp).contains("Acked(10)"));
    tcp.close();
    assert!(run(&mut tcp).contains("PeerClosed"));
    assert_eq!(tcp.state(), State::TimeWait);
}

/// RFC 5961 §7: the answers are counted, and no more than the limit leave in five seconds.
#[test]
fn u_5_challenges_are_throttled() {
    let mut tcp = Rig::established(plain());
    let challenges = |tcp: &mut Rig| {
        (0..100).filter(|n| tcp.arrives(peer_ctl(Flags::RST, 1 + n, 0)).starts_with("<SEQ=0><ACK=0><CTL=ACK>")).count()
    };
    assert_eq!(challenges(&mut tcp), 10);
    tcp.quiet(ms(4999));
    assert_eq!(challenges(&mut tcp), 0);
    tcp.quiet(ms(1));
    assert_eq!(challenges(&mut tcp), 10);
}
