//! Timestamps and PAWS (RFC 7323 §3 to §5): its rules, and its worked examples with their numbers.

use segue::{Event, Flags, Options, Path, Segment, State, Timer, Timestamps};
use segue_kit::rig::Rig;
use segue_kit::streams::{peer, peer_ctl, peer_syn, peer_syn_ack, peer_text, stamped, text, theirs};
use segue_kit::{ms, plain, secs};

const START: u32 = 5000; // our clock when the connection opens, in its milliseconds

/// ESTABLISHED with timestamps; the peer's clock showed `value`; everything is acknowledged at once when `delay` is 0.
fn established(value: u32, delay: u64) -> Rig {
    let mut tcp = Rig::connect(plain().timestamps(true).delayed_ack(ms(delay)), Path::ipv4(1500));
    assert_eq!(tcp.sent()[0].options.timestamps(), Some(Timestamps { value: START, echo: 0 }));
    tcp.arrives(stamped(peer_syn_ack(), value, START));
    assert_eq!(echoes(&tcp), [value]);
    tcp
}

/// TSecr of each segment of the last call.
fn echoes(tcp: &Rig) -> Vec<u32> {
    tcp.sent().iter().map(|segment| segment.options.timestamps().expect("every segment has them").echo).collect()
}

/// The peer's segments A, B, C …, 100 octets each.
fn block(letter: char, value: u32) -> Segment {
    let n = u32::from(letter) - u32::from('A');
    stamped(peer_text(100 * n, 100, 0), value, START)
}

/// §4.3, first example, case (A): with delayed ACKs the earliest segment that is not acknowledged is echoed.
#[test]
fn rfc_7323_4_3_delayed_acks_echo_the_earliest_segment() {
    let mut tcp = established(1, 40);
    tcp.arrive_together(vec![block('A', 1), block('B', 2), block('C', 3)]);
    assert_eq!((echoes(&tcp), tcp.info().rcv_nxt), (vec![1], theirs(300)));
    // "(etc.)": the next to be echoed is the one at Last.ACK.sent()
    tcp.arrives(block('D', 4));
    tcp.arrives(block('E', 5));
    assert_eq!(echoes(&tcp), [4]);
    tcp.arrives(block('F', 6));
    tcp.quiet(ms(30));
    tcp.send(5);
    assert_eq!(echoes(&tcp), [6]);
}

/// §4.3, second example, cases (B) and (C): with gaps the last segment that advanced the left edge is echoed.
#[test]
fn rfc_7323_4_3_gaps_are_echoed_when_they_are_filled() {
    let mut tcp = established(0, 0);
    for (letter, value, acknowledged, echo) in
        [('A', 1, 'A', 1), ('C', 3, 'A', 1), ('B', 2, 'C', 2), ('E', 5, 'C', 2), ('D', 4, 'E', 4)]
    {
        tcp.arrives(block(letter, value));
        let end = 100 * (u32::from(acknowledged) - u32::from('A') + 1);
        assert_eq!((tcp.sent()[0].ack, echoes(&tcp)), (theirs(end), vec![echo]), "after {letter}");
    }
}

/// §5.3, the example of A.1 to Z.1 and B.2: held text was checked when it arrived, and is not checked again.
#[test]
fn rfc_7323_5_3_held_text_is_not_inspected_again() {
    let mut tcp = established(1, 0);
    tcp.arrives(block('A', 1));
    for letter in 'C'..='Z' {
        tcp.arrives(block(letter, 1));
    }
    assert!(tcp.arrives(block('B', 2)).ends_with("<SEQ=0><ACK=2600><CTL=ACK>"));
    assert_eq!(tcp.info().counters.octets_in, 2600);
    assert_eq!(echoes(&tcp), [2]);
    // and the example after it: a segment with the old clock that comes only now is discarded, and answered
    let mut tcp = established(1, 0);
    tcp.arrives(block('A', 1));
    tcp.arrives(block('B', 2));
    assert_eq!(tcp.arrives(block('C', 1)), "<SEQ=0><ACK=200><CTL=ACK>; Discarded(Paws)");
    assert_eq!(tcp.arrives(block('C', 2)), "Deliver 100; <SEQ=0><ACK=300><CTL=ACK>");
}

/// §5.3 R1 to R3: R1 comes before the sequence check and holds for all but resets; only a segment that is acceptable
/// and at the left of Last.ACK.sent() moves TS.Recent.
#[test]
fn what_paws_refuses_is_answered_and_what_is_unacceptable_moves_nothing() {
    for state in
        [State::Established, State::FinWait1, State::FinWait2, State::CloseWait, State::Closing, State::LastAck]
    {
        let mut tcp = established(1000, 0);
        let fin = |value| stamped(peer_ctl(Flags::FIN | Flags::ACK, 0, 0), value, START);
        match state {
            State::FinWait1 => drop(tcp.close()),
            State::FinWait2 => {
                tcp.close();
                tcp.arrives(stamped(peer(0, 1), 1000, START));
            }
            State::CloseWait => drop(tcp.arrives(fin(1000))),
            State::Closing => {
                tcp.close();
                tcp.arrives(fin(1000));
            }
            State::LastAck => {
                tcp.arrives(fin(1000));
                tcp.close();
            }
            _ => {}
        }
        assert_eq!(tcp.state(), state);
        let info = tcp.info();
        let here = || Segment { seq: info.rcv_nxt, ack: info.snd_una, ..peer(0, 0) };
        for segment in [Segment { payload: text(5), ..here() }, here(), Segment { flags: Flags::SYN, ..here() }] {
            let words = tcp.arrives(stamped(segment, 999, START));
            assert!(words.ends_with("<CTL=ACK>; Discarded(Paws)"), "{state} {words}");
            assert_eq!(echoes(&tcp), [1000]);
        }
        // outside the window, an ACK for what was never sent, ahead of Last.ACK.sent(), a reset that is not exact
        for segment in [
            Segment { seq: info.rcv_nxt + 100_000, payload: text(5), ..here() },
            Segment { ack: info.snd_nxt + 1, ..here() },
            Segment { seq: info.rcv_nxt + 1, ..here() },
            Segment { seq: info.rcv_nxt + 1, flags: Flags::RST, ..here() },
        ] {
            tcp.arrives(stamped(segment, 5000, START));
        }
        assert!(tcp.arrives(stamped(here(), 1000, START)).is_empty(), "{state}: TS.Recent was moved");
        // §5.2: a reset is judged without its clock, which may be any or none
        let reset = Segment { flags: Flags::RST, ..here() };
        assert_eq!(tcp.arrives(stamped(reset, 1, START)), "Closed(Reset)");
    }
}

/// §5.2: equal clocks are no old ones, and the circle has no beginning.
#[test]
fn the_clock_of_the_peer_may_wrap_anywhere() {
    for start in [u32::MAX - 1, (1 << 31) - 2, 0, 1 << 31] {
        let mut tcp = established(start, 0);
        for (n, letter) in ('A'..='D').enumerate() {
            let value = start.wrapping_add(n as u32);
            assert!(tcp.arrives(block(letter, value)).starts_with("Deliver 100"), "{value}");
            assert_eq!(echoes(&tcp), [value]);
        }
        assert!(tcp.arrives(block('E', start)).ends_with("Discarded(Paws)"));
        let half = start.wrapping_add(3).wrapping_add((1 << 31) - 1);
        assert!(tcp.arrives(block('E', half)).starts_with("Deliver 100"), "the furthest later one");
    }
}

/// §5.5: TS.Recent counts for 24 days after it was last confirmed; then any clock is taken, and counts from then on.
#[test]
fn a_clock_is_forgotten_after_24_idle_days() {
    let day = secs(24 * 3600);
    let mut tcp = established(1000, 0);
    tcp.quiet(20 * day);
    tcp.arrives(stamped(peer(0, 0), 1000, START)); // not idle: confirmed
    tcp.quiet(24 * day - ms(1));
    assert!(tcp.arrives(block('A', 500)).ends_with("Discarded(Paws)"));
    tcp.quiet(ms(1));
    assert!(tcp.arrives(block('A', 500)).starts_with("Deliver 100"));
    assert_eq!(echoes(&tcp), [500]);
    assert!(tcp.arrives(block('B', 499)).ends_with("Discarded(Paws)"));
}

/// §3.2: "MUST be sent in every non-<RST> segment", "SHOULD be sent in an <RST> segment".
#[test]
fn every_segment_carries_them_once_they_are_agreed() {
    let mut tcp = established(1000, 40);
    let check = |tcp: &Rig, what: &str| {
        assert!(!tcp.sent().is_empty(), "{what}");
        let now = tcp.now.as_micros() / 1000;
        let expected = Some(Timestamps { value: u32::try_from(now).unwrap(), echo: 1000 });
        assert!(tcp.sent().iter().all(|segment| segment.options.timestamps() == expected), "{what} {:?}", tcp.sent());
    };
    let say = |segment| stamped(segment, 1000, START);
    tcp.send(1000);
    check(&tcp, "text");
    tcp.fire(Timer::Retransmit);
    check(&tcp, "a retransmission");
    tcp.arrives(say(peer(0, 1000)));
    tcp.arrives(say(peer_text(0, 100, 1000)));
    tcp.fire(Timer::DelayedAck);
    check(&tcp, "a delayed ACK");
    tcp.arrives(say(peer_ctl(Flags::SYN, 100, 0)));
    check(&tcp, "a challenge");
    tcp.arrives(say(Segment { window: 0, ..peer(100, 1000) }));
    tcp.send(10);
    tcp.fire(Timer::Persist);
    check(&tcp, "a probe");
    tcp.arrives(say(peer(100, 1001)));
    tcp.arrives(say(peer(100, 1010)));
    tcp.does(Event::Set(segue::Knob::KeepAlive(true)));
    tcp.fire(Timer::KeepAlive);
    check(&tcp, "a keep-alive");
    tcp.arrives(say(peer_text(500, 100, 1010)));
    check(&tcp, "a duplicate ACK");
    tcp.close();
    check(&tcp, "a FIN");
    tcp.does(Event::Abort);
    assert_eq!(tcp.sent()[0].flags, Flags::RST);
    let value = u32::try_from(tcp.now.as_micros() / 1000).unwrap();
    assert_eq!(tcp.sent()[0].options.timestamps(), Some(Timestamps { value, echo: 0 }), "without ACK there is no echo");
}

/// §3.2: "If the ACK bit is not set in the outgoing TCP header, the sender of that segment SHOULD set the TSecr field to zero."
#[test]
fn a_segment_without_ack_echoes_nothing() {
    let mut aborted = established(1000, 0);
    aborted.does(Event::Abort);
    let mut unread = established(1000, 40);
    unread.arrives(block('A', 1001));
    unread.does(Event::Release);
    let mut late = established(1000, 40);
    late.does(Event::Release);
    late.arrives(block('A', 1001));
    for tcp in [aborted, unread, late] {
        let last = tcp.sent().last().unwrap();
        assert_eq!((last.flags, last.options.timestamps().map(|ts| ts.echo)), (Flags::RST, Some(0)));
    }
}

/// §3.2: without the option on both SYNs it is not sent, and a received one is ignored.
#[test]
fn without_agreement_they_are_ignored() {
    let mut tcp = Rig::connect(plain().timestamps(true).delayed_ack(ms(0)), Path::ipv4(1500));
    tcp.arrives(peer_syn_ack());
    for value in [1, 0, u32::MAX] {
        tcp.arrives(stamped(peer_text(0, 1, 0), value, START));
        assert_eq!(tcp.sent()[0].options, Options::default());
    }
    assert_eq!(tcp.info().rcv_nxt, theirs(1));
    // and where we do not want them, the SYN,ACK has none
    let tcp = Rig::accept(plain(), Path::ipv4(1500), stamped(peer_syn(), 7, 0));
    assert_eq!(tcp.sent()[0].options.timestamps(), None);
}

/// §3.2: a segment without the option is dropped in silence and ends nothing; a reset needs none (§5.2), and a SYN is
/// challenged whatever it carries (RFC 5961 §4.2).
#[test]
fn a_segment_without_them_ends_nothing() {
    let mut tcp = established(1000, 0);
    for segment in [peer_text(0, 5, 0), peer(0, 0), peer_ctl(Flags::FIN | Flags::ACK, 0, 0)] {
        assert_eq!(tcp.arrives(segment), "Discarded(MissingTimestamp)");
    }
    assert_eq!(tcp.arrives(peer_ctl(Flags::SYN, 0, 0)), "<SEQ=0><ACK=0><CTL=ACK>; Discarded(SynChallenged)");
    assert_eq!(tcp.arrives(peer_ctl(Flags::RST, 0, 0)), "Closed(Reset)");
}

/// The SHOULD of §3.2 set aside: the handshake's last ACK, keep-alives, text, FIN without the option count; ours carry it.
#[test]
fn a_missing_option_is_tolerated_where_that_is_set() {
    let config = || plain().timestamps(true).delayed_ack(ms(0)).tolerate_missing_timestamps(true);
    let mut tcp = Rig::accept(config(), Path::ipv4(1500), stamped(peer_syn(), 1000, 0));
    assert_eq!(tcp.arrives(peer(0, 0)), "Connected");
    assert_eq!(tcp.arrives(peer(u32::MAX, 0)), "<SEQ=0><ACK=0><CTL=ACK>");
    assert_eq!(echoes(&tcp), [1000]);
    assert_eq!(tcp.arrives(peer_text(0, 5, 0)), "Deliver 5; <SEQ=0><ACK=5><CTL=ACK>");
    assert_eq!(echoes(&tcp), [1000], "TS.Recent does not follow what says nothing");
    // who sends the option is held to it, and TS.Recent follows again
    assert!(tcp.arrives(stamped(peer_text(5, 5, 0), 999, START)).ends_with("Discarded(Paws)"));
    assert_eq!(tcp.arrives(stamped(peer_text(5, 5, 0), 2000, START)), "Deliver 5; <SEQ=0><ACK=10><CTL=ACK>");
    assert_eq!(echoes(&tcp), [2000]);
    let fin = peer_ctl(Flags::FIN | Flags::ACK, 10, 0);
    assert_eq!(tcp.arrives(fin), "PeerClosed; <SEQ=0><ACK=11><CTL=ACK>");
    assert_eq!(echoes(&tcp), [2000]);
}

/// Round trips are measured as without timestamps then: never from what was sent twice (Karn), and nothing is undone.
#[test]
fn what_has_no_echo_measures_by_karn_and_undoes_nothing() {
    for rack in [true, false] {
        let config = plain().timestamps(true).sack(true).rack(rack).tolerate_missing_timestamps(true);
        let mut tcp = Rig::connect(config, Path::ipv4(1500));
        tcp.arrives(stamped(peer_syn_ack(), 1000, START));
        let sack_ok = Segment {
            options: Options { sack_permitted: true, ..peer_syn_ack().options.get() }.into(),
            ..peer_syn_ack()
        };
        let mut with_sack = Rig::connect(config, Path::ipv4(1500));
        with_sack.arrives(stamped(sack_ok, 1000, START));
        for mut tcp in [tcp, with_sack] {
            tcp.send(1000);
            tcp.now += ms(100);
            assert_eq!(tcp.arrives(peer(0, 1000)), "Acked(1000); Flushed");
            let measured = tcp.info().srtt;
            assert!(measured.is_some_and(|srtt| srtt > ms(0)), "{measured:?}");
            let before = tcp.info().rto;
            tcp.send(3000);
            tcp.pass(secs(5));
            let again = tcp.info().counters.retransmissions;
            assert!(again > 0);
            tcp.arrives(peer(0, 4000));
            assert_eq!(tcp.info().srtt, measured, "rack {rack}: an ambiguous sample");
            assert_eq!(tcp.info().counters.spurious_recoveries, 0, "rack {rack}");
            assert_eq!(tcp.info().counters.retransmissions, again);
            assert!(tcp.info().rto >= before);
        }
    }
}
