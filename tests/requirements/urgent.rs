//! Urgent data (RFC 9293 §3.8.5, RFC 6093).

use segue::{Event, Flags, Segment, State, Timer};
use segue_kit::plain;
use segue_kit::rig::Rig;
use segue_kit::streams::{ours, peer, peer_ctl, peer_syn_ack, peer_text, text};

/// `len` octets of the peer's text at octet `seq`, with this urgent pointer.
fn urgent(seq: u32, len: usize, pointer: u16) -> Segment {
    Segment { urgent: pointer, payload: text(len), ..peer_ctl(Flags::URG | Flags::ACK, seq, 0) }
}

#[test]
fn must_30_urgent_data_is_sent_and_received() {
    let mut sender = Rig::established(plain());
    assert_eq!(sender.does(Event::SendUrgent(text(5))), "<SEQ=0><ACK=0><DATA=5><CTL=PSH,ACK,URG><UP=5>");
    assert_eq!((sender.sent()[0].urgent, sender.info().snd_up), (5, Some(ours(5))));
    assert_eq!(sender.arrives(peer(0, 5)), "Acked(5); Flushed");
    assert_eq!(sender.info().snd_up, None);
    assert_eq!(sender.send(5), "<SEQ=5><ACK=0><DATA=5><CTL=PSH,ACK>");

    let mut receiver = Rig::established(plain());
    assert_eq!(receiver.arrives(urgent(0, 5, 5)), "Urgent { ahead: 5 }; Deliver 5");
}

/// The pointer is that of the octet after the urgent ones: SEG.SEQ + SEG.UP, for each segment that carries it.
#[test]
fn must_62_the_pointer_is_the_octet_after_the_urgent_text() {
    let mut tcp = Rig::established(plain());
    tcp.send(3000);
    let mut segments = tcp.sent().to_vec();
    tcp.does(Event::SendUrgent(text(2000))); // ends before octet 5000
    segments.extend_from_slice(tcp.sent());
    tcp.send(1000);
    segments.extend_from_slice(tcp.sent());
    tcp.arrives(peer(0, 4380));
    segments.extend_from_slice(tcp.sent());
    let ends: Vec<_> = segments.iter().map(|s| (s.seq - ours(0), s.urgent_end().map(|end| end - ours(0)))).collect();
    assert_eq!(ends, [(0, None), (1460, None), (2920, Some(5000)), (4380, Some(5000))]);
}

/// Text behind the urgent octets carries no pointer.
#[test]
fn must_62_what_follows_the_urgent_text_is_not_urgent() {
    let mut tcp = Rig::established(plain().nagle(false));
    assert_eq!(tcp.does(Event::SendUrgent(text(10))), "<SEQ=0><ACK=0><DATA=10><CTL=PSH,ACK,URG><UP=10>");
    assert_eq!(tcp.send(5), "<SEQ=10><ACK=0><DATA=5><CTL=PSH,ACK>");
    assert_eq!(tcp.fire(Timer::Retransmit), "<SEQ=0><ACK=0><DATA=15><CTL=PSH,ACK,URG><UP=10>");
    assert_eq!(tcp.sent()[0].urgent, 10);
}

/// Urgent text is never left to segmentation below, and a host that allows none sees no `segment_size`: not either where half of
/// the peer's window makes segments smaller than the MSS.
#[test]
fn must_30_urgent_text_goes_in_whole_segments_where_the_window_is_small() {
    for max_transmit in [0, 65_000] {
        let config = plain().nagle(false).max_transmit(max_transmit);
        let mut tcp = Rig::in_state_with(State::Established, config, |segment| Segment { window: 2000, ..segment });
        tcp.does(Event::SendUrgent(text(1400)));
        let sizes: Vec<_> = tcp.sent().iter().map(|s| (s.payload.len(), s.segment_size)).collect();
        assert_eq!(sizes, [(1000, 0), (400, 0)], "{max_transmit}");
    }
}

#[test]
fn must_31_urgent_text_may_be_longer_than_the_pointer_reaches() {
    let mut sender = Rig::established(plain().send_buffer(200_000));
    sender.does(Event::SendUrgent(text(100_000)));
    let mut next = 0;
    while sender.info().send_queue > 0 {
        for segment in sender.sent() {
            let ahead = 100_000 - (segment.seq - ours(0));
            assert_eq!(u32::from(segment.urgent), ahead.min(65_535), "at octet {}", segment.seq - ours(0));
            next = segment.end() - ours(0);
        }
        sender.arrives(peer(0, next));
    }
    assert_eq!(next, 100_000);

    let mut receiver = Rig::established(plain());
    assert_eq!(receiver.arrives(urgent(0, 1000, 65_535)), "Urgent { ahead: 65535 }; Deliver 1000");
    assert_eq!(receiver.info().urgent_remaining, 65_535);
    receiver.consume(1000);
    assert_eq!(
        receiver.arrives(urgent(1000, 1000, 65_535)),
        "Urgent { ahead: 65535 }; Deliver 1000; <SEQ=0><ACK=2000><CTL=ACK>"
    );
    assert_eq!(receiver.info().urgent_remaining, 65_535); // to octet 66,535; 1000 were consumed
    assert_eq!(receiver.info().rcv_up.map(|up| up - receiver.info().rcv_nxt), Some(64_535));
}

#[test]
fn must_32_the_user_is_told_when_the_pointer_appears_or_advances() {
    let mut tcp = Rig::established(plain());
    assert_eq!(tcp.arrives(urgent(0, 0, 100)), "Urgent { ahead: 100 }"); // ahead of its text
    assert_eq!(tcp.arrives(urgent(0, 0, 100)), ""); // the same
    assert_eq!(tcp.arrives(urgent(0, 10, 50)), "Deliver 10"); // lower: it never recedes
    assert_eq!(tcp.arrives(urgent(10, 0, 190)), "Urgent { ahead: 190 }"); // octet 200
    assert_eq!(tcp.arrives(peer_text(10, 190, 0)), "Deliver 190; <SEQ=0><ACK=200><CTL=ACK>");
    assert_eq!(tcp.info().rcv_up, None);
    assert_eq!(tcp.arrives(urgent(200, 10, 10)), "Urgent { ahead: 10 }; Deliver 10"); // new urgent data
}

#[test]
fn must_33_the_user_can_ask_how_much_is_urgent() {
    let mut tcp = Rig::established(plain());
    tcp.arrives(urgent(0, 100, 60));
    let remaining = |tcp: &Rig| tcp.info().urgent_remaining;
    assert_eq!(remaining(&tcp), 60);
    tcp.consume(25);
    assert_eq!(remaining(&tcp), 35);
    tcp.consume(35);
    assert_eq!((remaining(&tcp), tcp.info().unconsumed), (0, 40));
}

/// Pointers that say nothing: behind what was delivered, or at the next octet.
#[test]
fn u_19_senseless_pointers_are_ignored() {
    let mut tcp = Rig::established(plain());
    assert_eq!(tcp.arrives(urgent(0, 10, 0)), "Deliver 10");
    assert_eq!(tcp.arrives(urgent(10, 10, 10)), "Urgent { ahead: 10 }; Deliver 10; <SEQ=0><ACK=20><CTL=ACK>");
    assert_eq!(tcp.arrives(urgent(20, 0, 0)), "");
    assert_eq!((tcp.info().rcv_up, tcp.info().rcv_nxt), (None, segue_kit::streams::theirs(20)));

    // nothing is urgent about no octet: "the URG flag must not be set … with no data"
    assert_eq!(tcp.does(Event::SendUrgent(text(0))), "");
    assert_eq!(tcp.info().snd_up, None);
}

/// §3.8.5: the pointer goes out even when the window is closed and the text cannot follow.
#[test]
fn must_30_urgency_passes_a_closed_window() {
    let mut tcp = Rig::connect(plain(), segue::Path::ipv4(1500));
    tcp.arrives(Segment { window: 0, ..peer_syn_ack() });
    assert_eq!(tcp.does(Event::SendUrgent(text(7))), "<SEQ=0><ACK=0><CTL=ACK,URG><UP=7>");
    assert_eq!(tcp.sent()[0].urgent, 7);
    assert_eq!(tcp.until(Timer::Persist), Some(segue_kit::secs(1)));
}

/// A pointer on the SYN waits for the handshake; of it and that of the ACK the later counts: RCV.UP <- max(RCV.UP,
/// SEG.UP) (§3.10.7.4 sixth).
#[test]
fn syn_received_the_later_of_two_urgent_pointers_counts() {
    for (on_syn, on_ack, ahead) in [(10, 20, 20), (30, 20, 29), (10, 9, 9), (0, 7, 7)] {
        let flags = Flags::SYN | Flags::URG;
        let syn = Segment { flags, urgent: on_syn, ..segue_kit::streams::peer_syn() };
        let mut tcp = Rig::accept(plain(), segue::Path::ipv4(1500), syn);
        assert_eq!(
            tcp.arrives(urgent(0, 0, on_ack)),
            format!("Connected; Urgent {{ ahead: {ahead} }}"),
            "{on_syn} {on_ack}"
        );
    }
    let syn = Segment { flags: Flags::SYN | Flags::URG, urgent: 10, ..segue_kit::streams::peer_syn() };
    let mut tcp = Rig::accept(plain(), segue::Path::ipv4(1500), syn);
    assert_eq!(tcp.arrives(peer(0, 0)), "Connected; Urgent { ahead: 9 }");
}
