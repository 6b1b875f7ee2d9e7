//! Keep-alives (RFC 9293 §3.8.4).

use segue::{Config, Event, Flags, Knob, State, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{ours, peer, peer_text, theirs};
use segue_kit::{ms, plain, secs};

const PROBE: &str = "<SEQ=-1><ACK=0><CTL=ACK>";

#[test]
fn must_25_keep_alives_are_off_by_default() {
    assert!(!Config::default().keep_alive());
    let mut tcp = Rig::established(plain());
    assert_eq!(tcp.connection.next_deadline(), None);
    assert_eq!(tcp.pass(secs(24 * 3600)), []);
    assert_eq!(tcp.state(), State::Established);
}

#[test]
fn must_24_and_may_5_keep_alives_can_be_switched_at_any_time() {
    let mut tcp = Rig::established(plain());
    tcp.does(Event::Set(Knob::KeepAlive(true)));
    assert_eq!(tcp.until(Timer::KeepAlive), Some(secs(7200)));
    tcp.quiet(secs(100));
    tcp.does(Event::Set(Knob::KeepAlive(false)));
    assert_eq!(tcp.connection.next_deadline(), None);
    tcp.does(Event::Set(Knob::KeepAlive(true)));
    assert_eq!(tcp.until(Timer::KeepAlive), Some(secs(7100)));

    let mut config = Rig::established(plain().keep_alive(true));
    assert_eq!(config.fire(Timer::KeepAlive), PROBE);
}

#[test]
fn must_28_the_default_interval_is_two_hours() {
    let mut tcp = Rig::established(plain().keep_alive(true));
    assert_eq!(tcp.pass(secs(7199)), []);
    assert_eq!(tcp.pass(secs(1)), [(1000, PROBE.to_string())]);
}

#[test]
fn must_27_the_interval_is_configurable() {
    let mut tcp = Rig::established(plain().keep_alive(true).keep_alive_idle(secs(30)));
    tcp.quiet(secs(12));
    tcp.arrives(peer(0, 0));
    assert_eq!(tcp.pass(secs(31)), [(30_000, PROBE.to_string())]);
    // while the connection lives; 1 s is the least
    tcp.arrives(peer(0, 0));
    tcp.does(Event::Set(Knob::KeepAliveIdle(secs(500))));
    assert_eq!(tcp.until(Timer::KeepAlive), Some(secs(500)));
    tcp.does(Event::Set(Knob::KeepAliveIdle(ms(0))));
    assert_eq!(tcp.until(Timer::KeepAlive), Some(secs(1)));
}

#[test]
fn must_26_probes_are_sent_only_when_nothing_came_and_nothing_is_outstanding() {
    let config = plain().keep_alive(true).keep_alive_idle(secs(60));
    // text and ACKs of the peer begin the interval anew
    let mut tcp = Rig::established(config);
    for n in 0..10 {
        tcp.quiet(secs(59));
        assert_eq!(tcp.arrives(peer_text(n, 1, 0)), "Deliver 1");
        assert_eq!(tcp.fire(Timer::DelayedAck), format!("<SEQ=0><ACK={}><CTL=ACK>", n + 1));
        assert_eq!(tcp.until(Timer::KeepAlive), Some(secs(60) - ms(40)));
    }
    tcp.quiet(secs(59));
    tcp.arrives(peer(10, 0));
    assert_eq!(tcp.until(Timer::KeepAlive), Some(secs(60)));

    // outstanding text is retransmitted instead
    let mut tcp = Rig::established(config);
    tcp.send(10);
    assert_eq!(tcp.until(Timer::KeepAlive), None);
    let happened = tcp.pass(secs(299));
    assert!(happened.len() > 5 && happened.iter().all(|(_, words)| words.contains("<DATA=10>")), "{happened:?}");
    tcp.arrives(peer(0, 10));
    assert_eq!(tcp.until(Timer::KeepAlive), Some(secs(60)));

    // a segment that is thrown away is none of the peer's
    let mut tcp = Rig::established(config);
    tcp.quiet(secs(50));
    tcp.arrives(peer(70_000, 0));
    assert_eq!(tcp.until(Timer::KeepAlive), Some(secs(10)));
}

#[test]
fn must_29_only_many_unanswered_probes_end_a_connection() {
    let config = plain().keep_alive(true);
    let mut silent = Rig::established(config);
    let happened = silent.pass(secs(10_000));
    let mut expected: Vec<_> = (0..9).map(|n| ((7200 + 75 * n) * 1000, PROBE.to_string())).collect();
    expected.push(((7200 + 75 * 9) * 1000, "Closed(KeepAliveTimeout)".to_string()));
    assert_eq!(happened, expected);

    // the last of nine is answered
    let mut tcp = Rig::established(config);
    assert_eq!(tcp.pass(secs(7200 + 75 * 8)).len(), 9);
    assert_eq!(tcp.arrives(peer(0, 0)), "");
    assert_eq!(tcp.until(Timer::KeepAlive), Some(secs(7200)));
    assert_eq!(tcp.pass(secs(7200)), [(7_200_000, PROBE.to_string())]);
    assert!(Config::builder().keep_alive_probes(1).build().is_err());
}

#[test]
fn shld_12_a_probe_has_no_text_and_the_number_before_the_next() {
    let mut tcp = Rig::established(plain().keep_alive(true));
    tcp.send(10);
    tcp.arrives(peer_text(0, 5, 10));
    tcp.fire(Timer::DelayedAck);
    tcp.fire(Timer::KeepAlive);
    let probe = tcp.sent()[0].clone();
    assert_eq!((probe.seq, probe.ack, probe.flags, probe.len()), (ours(9), theirs(5), Flags::ACK, 0));
}

/// MAY-6: off by default; the peer has the octet already, so it is garbage and delivered to nobody.
#[test]
fn may_6_a_probe_may_carry_one_octet_of_garbage() {
    assert!(!Config::default().keep_alive_octet());
    let mut tcp = Rig::established(plain().keep_alive(true).keep_alive_octet(true));
    tcp.send(10);
    tcp.arrives(peer(0, 10));
    assert_eq!(tcp.fire(Timer::KeepAlive), "<SEQ=9><ACK=0><DATA=1><CTL=ACK>");
    assert_eq!((tcp.sent()[0].seq, tcp.info().snd_nxt), (ours(9), ours(10)));
    assert_eq!(tcp.arrives(peer(0, 10)), "");
    assert_eq!(tcp.until(Timer::KeepAlive), Some(secs(7200)));
    assert_eq!(tcp.info().counters.retransmissions, 0);
}

/// MAY-6 from the other end: a peer's probe, with one garbage octet or without, is answered and not delivered.
#[test]
fn may_6_a_probe_is_answered_whatever_it_carries() {
    for len in [0, 1] {
        let mut tcp = Rig::established(plain());
        tcp.arrives(peer_text(0, 5, 0));
        tcp.fire(Timer::DelayedAck);
        let words = tcp.arrives(peer_text(4, len, 0));
        let discarded = if len == 1 { "Discarded(Duplicate); " } else { "" };
        assert_eq!(words, format!("{discarded}<SEQ=0><ACK=5><CTL=ACK>"));
    }
}

/// U-9, RFC 5961 §7: guesses that use up the challenges do not silence the answers to keep-alives and probes at RCV.NXT - 1.
#[test]
fn who_guesses_cannot_silence_the_answers_to_keep_alives() {
    let mut tcp = Rig::established(plain());
    for n in 0..50 {
        tcp.arrives(peer(1_000_000 + n, 0));
    }
    assert_eq!(tcp.info().counters.challenge_acks, 10);
    let keep_alive = segue::Segment { seq: theirs(0) - 1, ..peer(0, 0) };
    assert_eq!(tcp.arrives(keep_alive), "<SEQ=0><ACK=0><CTL=ACK>");
}

/// RFC 5961 §7: whoever sees the connection cannot make it answer keep-alives without end.
#[test]
fn answers_to_keep_alives_are_throttled() {
    let mut tcp = Rig::established(plain());
    let answers = |tcp: &mut Rig| (0..50).filter(|_| !tcp.arrives(peer(u32::MAX, 0)).is_empty()).count();
    assert_eq!(answers(&mut tcp), 10);
    tcp.quiet(ms(4999));
    assert_eq!(answers(&mut tcp), 0);
    tcp.quiet(ms(1));
    assert_eq!(answers(&mut tcp), 10);
}

/// RFC 5681 §2: a keep-alive asks whether we are there, and tells nothing of what we sent.
#[test]
fn a_keep_alive_is_no_duplicate_ack() {
    for sack in [false, true] {
        let mut tcp = Rig::connect(plain().sack(sack), segue::Path::ipv4(1500));
        let mut syn_ack = segue_kit::streams::peer_syn_ack();
        syn_ack.options.update(|options| options.sack_permitted = sack);
        tcp.arrives(syn_ack);
        tcp.send(5 * 1460);
        for _ in 0..5 {
            assert_eq!(tcp.arrives(peer(u32::MAX, 0)), "<SEQ=7300><ACK=0><CTL=ACK>");
        }
        let counters = tcp.info().counters;
        assert_eq!((counters.duplicate_acks, counters.fast_retransmits, counters.retransmissions), (0, 0, 0));
        // an ACK like others is one, where there are no reports
        tcp.arrives(peer(0, 0));
        assert_eq!(tcp.info().counters.duplicate_acks, u64::from(!sack));
    }
}
