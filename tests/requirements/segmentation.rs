//! Segmentation: Nagle, PUSH, full segments (RFC 9293 §3.7.4, §3.8.6.2.1, §3.9.1.2).

use segue::{Config, Event, Knob, Path, State, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{peer, peer_syn_ack, peer_text, text};
use segue_kit::{ms, plain};

#[test]
fn shld_7_a_small_segment_waits_for_the_acknowledgment_of_the_one_before() {
    let mut tcp = Rig::established(plain());
    assert_eq!(tcp.send(10), "<SEQ=0><ACK=0><DATA=10><CTL=PSH,ACK>");
    assert_eq!(tcp.send(10), "");
    assert_eq!(tcp.send(10), "");
    assert_eq!(tcp.arrives(peer(0, 10)), "Acked(10); <SEQ=10><ACK=0><DATA=20><CTL=PSH,ACK>");
    // a full segment does not wait
    assert_eq!(tcp.send(1459), "");
    assert_eq!(tcp.send(2), "<SEQ=30><ACK=0><DATA=1460><CTL=ACK>");
    assert_eq!(tcp.info().send_queue, 20 + 1461);
}

#[test]
fn must_17_nagle_can_be_switched_off_and_on() {
    let mut tcp = Rig::established(plain());
    tcp.send(10);
    assert_eq!(tcp.send(10), "");
    // what was held leaves with the switch
    assert_eq!(tcp.does(Event::Set(Knob::Nagle(false))), "<SEQ=10><ACK=0><DATA=10><CTL=PSH,ACK>");
    assert_eq!(tcp.send(10), "<SEQ=20><ACK=0><DATA=10><CTL=PSH,ACK>");
    tcp.does(Event::Set(Knob::Nagle(true)));
    assert_eq!(tcp.send(10), "");

    let mut from_the_start = Rig::established(plain().nagle(false));
    assert_eq!(from_the_start.send(1), "<SEQ=0><ACK=0><DATA=1><CTL=PSH,ACK>");
    assert_eq!(from_the_start.send(1), "<SEQ=1><ACK=0><DATA=1><CTL=PSH,ACK>");
}

/// App. A.3: only a small segment in flight holds back another. So a write of some full segments and a rest leaves at once, and a
/// request of two writes waits for no delayed ACK.
#[test]
fn shld_7_with_minshalls_change_only_a_small_segment_holds_back_another() {
    let config = plain().minshall(true);
    assert!(Config::default().minshall());
    let mut tcp = Rig::established(config);
    tcp.send(2 * 1460 + 700);
    assert_eq!(tcp.lengths(), [1460, 1460, 700]);
    assert_eq!(tcp.send(10), "");
    assert_eq!(tcp.send(1460), "<SEQ=3620><ACK=0><DATA=1460><CTL=ACK>"); // full segments never wait
    // the full ones are acknowledged, the small one is not
    assert_eq!(tcp.arrives(peer(0, 2920)), "Acked(2920)");
    assert_eq!(tcp.arrives(peer(0, 3619)), "Acked(699)");
    assert_eq!(tcp.arrives(peer(0, 3620)), "Acked(1); <SEQ=5080><ACK=0><DATA=10><CTL=PSH,ACK>");
    assert_eq!(tcp.send(10), "");
    // a retransmission is no new small segment
    tcp.arrives(peer(0, 5080));
    assert_eq!(tcp.fire(Timer::Retransmit), "<SEQ=5080><ACK=0><DATA=20><CTL=PSH,ACK>");
    assert_eq!(tcp.arrives(peer(0, 5100)), "Acked(20); Flushed");
    assert_eq!(tcp.send(10), "<SEQ=5100><ACK=0><DATA=10><CTL=PSH,ACK>");

    // in one piece for the hardware, too; and with Nagle's algorithm as it was the rest waits
    for (minshall, lengths) in [(true, vec![3620]), (false, vec![2920])] {
        let mut tcp = Rig::established(plain().minshall(minshall).max_transmit(64_000));
        tcp.send(2 * 1460 + 700);
        assert_eq!((tcp.lengths(), tcp.sent()[0].segment_size), (lengths, 1460));
        assert_eq!(tcp.send(10), "");
    }
}

/// Text sent without a push waits for more, at most for the override timeout (MUST-60, MAY-16).
#[test]
fn may_15_text_without_a_push_waits_for_more() {
    let more = |tcp: &mut Rig, len| tcp.does(Event::SendMore(text(len)));
    let mut tcp = Rig::established(plain());
    assert_eq!(more(&mut tcp, 1000), "");
    assert_eq!(tcp.until(Timer::Override), Some(ms(200)));
    assert_eq!(more(&mut tcp, 1000), "<SEQ=0><ACK=0><DATA=1460><CTL=ACK>"); // a full segment
    tcp.arrives(peer(0, 1460));
    assert_eq!(tcp.send(100), "<SEQ=1460><ACK=0><DATA=640><CTL=PSH,ACK>"); // pushed, and all before it
    tcp.arrives(peer(0, 2100));
    // a push without text
    assert_eq!(more(&mut tcp, 10), "");
    assert_eq!(tcp.send(0), "<SEQ=2100><ACK=0><DATA=10><CTL=PSH,ACK>");
    tcp.arrives(peer(0, 2110));
    // nobody pushes: it leaves without PSH
    more(&mut tcp, 10);
    assert_eq!(tcp.fire(Timer::Override), "<SEQ=2110><ACK=0><DATA=10><CTL=ACK>");
    tcp.arrives(peer(0, 2120));
    // a FIN, urgent text
    more(&mut tcp, 10);
    assert_eq!(tcp.does(Event::SendUrgent(text(1))), "<SEQ=2120><ACK=0><DATA=11><CTL=PSH,ACK,URG><UP=11>");
    tcp.arrives(peer(0, 2131));
    more(&mut tcp, 10);
    assert_eq!(tcp.close(), "<SEQ=2131><ACK=0><DATA=10><CTL=FIN,ACK>");
}

/// §3.9.1.2: PSH is in the last segment made from what was pushed, and again when that is sent again; Nagle's algorithm
/// holds back text whether it is pushed or not.
#[test]
fn may_15_psh_is_where_the_user_pushed() {
    let mut tcp = Rig::established(plain());
    assert_eq!(tcp.send(10), "<SEQ=0><ACK=0><DATA=10><CTL=PSH,ACK>");
    assert_eq!(tcp.send(1000), "");
    assert_eq!(
        tcp.does(Event::SendMore(text(2000))),
        "<SEQ=10><ACK=0><DATA=1460><CTL=PSH,ACK>; <SEQ=1470><ACK=0><DATA=1460><CTL=ACK>"
    );
    assert_eq!(tcp.arrives(peer(0, 2930)), "Acked(2930)"); // 80 octets wait for more
    assert_eq!(tcp.until(Timer::Override), Some(ms(200)));
    assert_eq!(tcp.send(20), "<SEQ=2930><ACK=0><DATA=100><CTL=PSH,ACK>");
    assert_eq!(tcp.fire(Timer::Retransmit), "<SEQ=2930><ACK=0><DATA=100><CTL=PSH,ACK>");
    // before the connection is established
    let mut opening = Rig::connect(plain(), Path::ipv4(1500));
    opening.does(Event::SendMore(text(10)));
    assert_eq!(opening.arrives(peer_syn_ack()), "Connected; <SEQ=0><ACK=0><CTL=ACK>");
    assert_eq!(opening.send(1), "<SEQ=0><ACK=0><DATA=11><CTL=PSH,ACK>");
}

#[test]
fn must_61_push_is_on_the_segment_that_empties_the_queue() {
    let mut tcp = Rig::established(plain());
    assert_eq!(
        tcp.send(3 * 1460 + 730),
        "<SEQ=0><ACK=0><DATA=1460><CTL=ACK>; <SEQ=1460><ACK=0><DATA=1460><CTL=ACK>; <SEQ=2920><ACK=0><DATA=1460><CTL=ACK>"
    );
    assert_eq!(tcp.arrives(peer(0, 4380)), "Acked(4380); <SEQ=4380><ACK=0><DATA=730><CTL=PSH,ACK>");

    let mut nodelay = Rig::established(plain().nagle(false));
    nodelay.send(3 * 1460 + 730);
    let pushes: Vec<bool> = nodelay.sent().iter().map(|s| s.flags.contains(segue::Flags::PSH)).collect();
    assert_eq!(pushes, [false, false, false, true]);
}

/// MAY-16, SHLD-27: writes that wait together leave together, with one PUSH.
#[test]
fn shld_27_writes_that_wait_are_one_segment() {
    let mut tcp = Rig::established(plain());
    tcp.send(1);
    for len in [100, 200, 300] {
        assert_eq!(tcp.send(len), "");
    }
    assert_eq!(tcp.arrives(peer(0, 1)), "Acked(1); <SEQ=1><ACK=0><DATA=600><CTL=PSH,ACK>");
}

#[test]
fn shld_28_all_segments_but_the_last_are_full() {
    let mut tcp = Rig::established(plain());
    let (mut lengths, mut next) = (Vec::new(), 0);
    tcp.send(50_000);
    while !tcp.sent().is_empty() {
        lengths.extend(tcp.lengths());
        next += tcp.lengths().iter().sum::<usize>();
        tcp.arrives(peer(0, u32::try_from(next).unwrap()));
    }
    let mut expected = vec![1460; 34];
    expected.push(360);
    assert_eq!(lengths, expected);
}

/// Nothing is held for ever: queued text is in flight, or a timer runs that ends the wait.
#[test]
fn must_60_queued_text_always_has_a_deadline() {
    // the acknowledgment that Nagle waits for is guarded by the retransmission timer
    let mut tcp = Rig::established(plain());
    tcp.send(10);
    tcp.send(10);
    assert_eq!(tcp.until(Timer::Retransmit), Some(ms(1000)));
    assert_eq!(tcp.fire(Timer::Retransmit), "<SEQ=0><ACK=0><DATA=20><CTL=PSH,ACK>");

    // a cork, and a window too small to be worth it: the override timeout
    let mut corked = Rig::established(plain());
    corked.does(Event::Set(Knob::Cork(true)));
    assert_eq!(corked.send(10), "");
    assert_eq!(corked.until(Timer::Override), Some(ms(200)));
    assert_eq!(corked.fire(Timer::Override), "<SEQ=0><ACK=0><DATA=10><CTL=PSH,ACK>");

    // SYN-SENT: with the handshake
    let mut opening = Rig::connect(plain(), Path::ipv4(1500));
    assert_eq!(opening.send(10), "");
    assert_eq!(opening.arrives(peer_syn_ack()), "Connected; <SEQ=0><ACK=0><DATA=10><CTL=PSH,ACK>");
}

/// A FIN follows at once: text before it is the last there is, and Nagle has nothing to wait for.
#[test]
fn close_releases_what_nagle_holds() {
    let mut tcp = Rig::established(plain());
    tcp.send(10);
    tcp.send(10);
    assert_eq!(tcp.close(), "<SEQ=10><ACK=0><DATA=10><CTL=FIN,PSH,ACK>");
    assert_eq!(tcp.state(), State::FinWait1);
    assert_eq!(tcp.arrives(peer_text(0, 7, 21)), "Deliver 7; Acked(20); Flushed");
}

/// A small segment that goes again, filled up with what waited: its new text is a small segment in flight, too.
#[test]
fn shld_7_a_small_segment_filled_up_when_it_goes_again_holds_back_others() {
    let mut tcp = Rig::established(plain().minshall(true));
    tcp.send(10);
    assert_eq!(tcp.send(100), "");
    assert_eq!(tcp.fire(Timer::Retransmit), "<SEQ=0><ACK=0><DATA=110><CTL=PSH,ACK>");
    assert_eq!(tcp.arrives(peer(0, 10)), "Acked(10)");
    assert_eq!(tcp.send(5), "");
    assert_eq!(tcp.arrives(peer(0, 110)), "Acked(100); <SEQ=110><ACK=0><DATA=5><CTL=PSH,ACK>");
}
