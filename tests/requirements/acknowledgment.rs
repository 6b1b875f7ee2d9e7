//! Acknowledging (RFC 9293 §3.8.6.3, §3.10.7.4 seventh).

use segue::{Config, Segment, Timer};

use crate::fixture::{Tcp, ms, peer_text, plain};

#[test]
fn shld_18_must_40_one_segment_is_acknowledged_within_half_a_second() {
    let mut tcp = Tcp::established(plain());
    assert_eq!(tcp.arrives(peer_text(0, 1460, 0)), "Deliver 1460");
    assert_eq!(tcp.connection.next_deadline(), Some((Timer::DelayedAck, tcp.now + ms(40))));
    assert_eq!(tcp.fire(Timer::DelayedAck), "<SEQ=0><ACK=1460><CTL=ACK>");
    assert_eq!(tcp.connection.next_deadline(), None);

    for delay in [1, 200, 499] {
        let mut tcp = Tcp::established(plain().delayed_ack(ms(delay)));
        tcp.arrives(peer_text(0, 1, 0));
        assert_eq!(tcp.deadline(Timer::DelayedAck), Some(ms(delay)));
    }
    assert!(Config::builder().delayed_ack(ms(500)).build().is_err());

    let mut never = Tcp::established(plain().delayed_ack(ms(0)));
    assert_eq!(never.arrives(peer_text(0, 1, 0)), "Deliver 1; <SEQ=0><ACK=1><CTL=ACK>");
}

/// The deadline is that of the first segment that waits.
#[test]
fn must_40_later_events_do_not_put_the_acknowledgment_off() {
    let mut tcp = Tcp::established(plain());
    tcp.arrives(peer_text(0, 1, 0));
    tcp.wait(ms(30));
    tcp.arrives(crate::fixture::peer(1, 0));
    tcp.consume(1);
    assert_eq!(tcp.deadline(Timer::DelayedAck), Some(ms(10)));
}

#[test]
fn shld_19_every_second_segment_is_acknowledged_at_once() {
    for len in [1460, 1] {
        let mut tcp = Tcp::established(plain());
        for n in 0..5 {
            let at = 2 * n * len;
            let text = |seq| peer_text(seq, len as usize, 0);
            assert_eq!(tcp.arrives(text(at)), format!("Deliver {len}"));
            assert_eq!(tcp.arrives(text(at + len)), format!("Deliver {len}; <SEQ=0><ACK={}><CTL=ACK>", at + 2 * len));
            assert_eq!(tcp.deadline(Timer::DelayedAck), None);
        }
    }
    // merged on the way up, it is still two segments
    let mut tcp = Tcp::established(plain());
    let merged = Segment { segment_size: 1460, ..peer_text(0, 2000, 0) };
    assert_eq!(tcp.arrives(merged), "Deliver 2000; <SEQ=0><ACK=2000><CTL=ACK>");
}

#[test]
fn must_58_segments_that_arrive_together_share_one_acknowledgment() {
    let mut tcp = Tcp::established(plain());
    let segments = (0..7).map(|n| peer_text(n * 100, 100, 0)).collect();
    let mut words = ["Deliver 100"; 7].join("; ");
    words += "; <SEQ=0><ACK=700><CTL=ACK>";
    assert_eq!(tcp.arrive_together(segments), words);
    assert_eq!(tcp.arrive_together(vec![peer_text(700, 100, 0)]), "Deliver 100");
    assert_eq!(tcp.deadline(Timer::DelayedAck), Some(ms(40)));
}

/// An acknowledgment rides on text where there is any.
#[test]
fn must_58_text_carries_the_acknowledgment() {
    let mut tcp = Tcp::established(plain());
    tcp.arrives(peer_text(0, 100, 0));
    assert_eq!(tcp.send(5), "<SEQ=0><ACK=100><DATA=5><CTL=PSH,ACK>");
    assert_eq!(tcp.deadline(Timer::DelayedAck), None);
}

#[test]
fn must_59_what_is_queued_is_processed_before_anything_is_acknowledged() {
    // the hole is filled: one ACK for all that was held behind it
    let mut tcp = Tcp::established(plain());
    for n in 1..=4 {
        assert_eq!(tcp.arrives(peer_text(n * 100, 100, 0)), "<SEQ=0><ACK=0><CTL=ACK>");
    }
    assert_eq!(tcp.arrives(peer_text(0, 100, 0)), "Deliver 500; <SEQ=0><ACK=500><CTL=ACK>");

    // out of order, but together: the ACK covers everything
    let mut tcp = Tcp::established(plain().sack(true));
    let mixed = vec![peer_text(100, 100, 0), peer_text(200, 100, 0), peer_text(0, 100, 0)];
    assert_eq!(tcp.arrive_together(mixed), "Deliver 300; <SEQ=0><ACK=300><CTL=ACK>");
}

#[test]
fn shld_31_may_13_text_out_of_order_is_held_and_acknowledged_at_once() {
    let mut tcp = Tcp::established(plain());
    assert_eq!(tcp.arrives(peer_text(10, 10, 0)), "<SEQ=0><ACK=0><CTL=ACK>");
    assert_eq!(tcp.arrives(peer_text(30, 10, 0)), "<SEQ=0><ACK=0><CTL=ACK>");
    assert_eq!((tcp.info().held, tcp.info().held_ranges), (20, 2));
    assert_eq!(tcp.arrives(peer_text(0, 10, 0)), "Deliver 20; <SEQ=0><ACK=20><CTL=ACK>");
    assert_eq!(tcp.arrives(peer_text(20, 10, 0)), "Deliver 20; <SEQ=0><ACK=40><CTL=ACK>");
    assert_eq!(tcp.info().held, 0);
}
