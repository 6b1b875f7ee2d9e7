//! Acknowledging (RFC 9293 §3.8.6.3, §3.10.7.4 seventh).

use segue::{Config, Flags, Segment, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{peer, peer_ctl, peer_text};
use segue_kit::{ms, plain};

#[test]
fn shld_18_must_40_one_segment_is_acknowledged_within_half_a_second() {
    let mut tcp = Rig::established(plain());
    assert_eq!(tcp.arrives(peer_text(0, 1460, 0)), "Deliver 1460");
    assert_eq!(tcp.connection.next_deadline(), Some((Timer::DelayedAck, tcp.now + ms(40))));
    assert_eq!(tcp.fire(Timer::DelayedAck), "<SEQ=0><ACK=1460><CTL=ACK>");
    assert_eq!(tcp.connection.next_deadline(), None);

    for delay in [1, 200, 499] {
        let mut tcp = Rig::established(plain().delayed_ack(ms(delay)));
        tcp.arrives(peer_text(0, 1, 0));
        assert_eq!(tcp.until(Timer::DelayedAck), Some(ms(delay)));
    }
    assert!(Config::builder().delayed_ack(ms(500)).build().is_err());

    let mut never = Rig::established(plain().delayed_ack(ms(0)));
    assert_eq!(never.arrives(peer_text(0, 1, 0)), "Deliver 1; <SEQ=0><ACK=1><CTL=ACK>");
}

/// The deadline is that of the first segment that waits.
#[test]
fn must_40_later_events_do_not_put_the_acknowledgment_off() {
    let mut tcp = Rig::established(plain());
    tcp.arrives(peer_text(0, 1, 0));
    tcp.quiet(ms(30));
    tcp.arrives(peer(1, 0));
    tcp.consume(1);
    assert_eq!(tcp.until(Timer::DelayedAck), Some(ms(10)));
}

#[test]
fn shld_19_every_second_segment_is_acknowledged_at_once() {
    for len in [1460, 1] {
        let mut tcp = Rig::established(plain());
        for n in 0..5 {
            let at = 2 * n * len;
            let text = |seq| peer_text(seq, len as usize, 0);
            assert_eq!(tcp.arrives(text(at)), format!("Deliver {len}"));
            assert_eq!(tcp.arrives(text(at + len)), format!("Deliver {len}; <SEQ=0><ACK={}><CTL=ACK>", at + 2 * len));
            assert_eq!(tcp.until(Timer::DelayedAck), None);
        }
    }
    // merged on the way up, it is still two segments
    let mut tcp = Rig::established(plain());
    let merged = Segment { segment_size: 1460, ..peer_text(0, 2000, 0) };
    assert_eq!(tcp.arrives(merged), "Deliver 2000; <SEQ=0><ACK=2000><CTL=ACK>");
}

/// What the host coalesced counts by its segments; where it does not say their size, by octets.
#[test]
fn shld_19_coalesced_text_counts_by_its_segments() {
    for (len, segment_size, at_once) in [(2000, 0, true), (1460, 0, false), (1000, 500, true), (9, 500, false)] {
        let mut tcp = Rig::established(plain());
        let words = tcp.arrives(Segment { segment_size, ..peer_text(0, len, 0) });
        let ack = if at_once { format!("; <SEQ=0><ACK={len}><CTL=ACK>") } else { String::new() };
        assert_eq!(words, format!("Deliver {len}{ack}"));
    }
}

/// With `ack_full_sized` two full-sized segments are waited for, or as many octets; MUST-40 holds all the same.
#[test]
fn shld_19_small_segments_may_count_for_less() {
    let mut tcp = Rig::established(plain().ack_full_sized(true));
    assert_eq!(tcp.arrives(peer_text(0, 1000, 0)), "Deliver 1000");
    for n in 0..9 {
        assert_eq!(tcp.arrives(peer_text(1000 + 100 * n, 100, 0)), "Deliver 100");
    }
    assert_eq!(tcp.until(Timer::DelayedAck), Some(ms(40)));
    assert_eq!(tcp.arrives(peer_text(1900, 100, 0)), "Deliver 100; <SEQ=0><ACK=2000><CTL=ACK>");
    assert_eq!(tcp.arrives(peer_text(2000, 1460, 0)), "Deliver 1460");
    assert_eq!(tcp.arrives(peer_text(3460, 1459, 0)), "Deliver 1459");
    assert_eq!(tcp.fire(Timer::DelayedAck), "<SEQ=0><ACK=4919><CTL=ACK>");
}

/// Text of `len` octets after `seq` octets arrives: whether it is acknowledged at once.
fn is_quick(tcp: &mut Rig, seq: &mut u32) -> bool {
    let words = tcp.arrives(peer_text(*seq, 10, 0));
    *seq += 10;
    let quick = words == format!("Deliver 10; <SEQ=0><ACK={seq}><CTL=ACK>");
    assert!(quick || words == "Deliver 10", "{words}");
    quick
}

/// The first segments, those after text that was missing, and those after a pause of more than an RTO.
#[test]
fn quick_acks_at_the_start_after_loss_and_after_a_pause() {
    let mut tcp = Rig::established(plain().quick_acks(3));
    let mut seq = 0;
    let four = |tcp: &mut Rig, seq: &mut u32| {
        let quick = [0; 4].map(|_| is_quick(tcp, seq));
        assert!(!tcp.fire(Timer::DelayedAck).is_empty());
        quick
    };
    assert_eq!(four(&mut tcp, &mut seq), [true, true, true, false]);
    assert_eq!([is_quick(&mut tcp, &mut seq), is_quick(&mut tcp, &mut seq)], [false, true]);
    tcp.arrives(peer_text(seq + 10, 10, 0));
    assert_eq!(tcp.arrives(peer_text(seq, 10, 0)), format!("Deliver 20; <SEQ=0><ACK={}><CTL=ACK>", seq + 20));
    seq += 20;
    assert_eq!(four(&mut tcp, &mut seq), [true, true, true, false]);
    tcp.quiet(tcp.info().rto + ms(1));
    assert_eq!(four(&mut tcp, &mut seq), [true, true, true, false]);

    // 32 by default, none when switched off
    for (config, quick) in [(plain().quick_acks(Config::default().quick_acks()), 32), (plain(), 0)] {
        let (mut tcp, mut seq) = (Rig::established(config), 0);
        assert_eq!((0..).take_while(|_| is_quick(&mut tcp, &mut seq)).count(), quick);
    }
}

/// Where the two sides take turns, the acknowledgment waits for the answer, after a pause too.
#[test]
fn quick_acks_are_no_hindrance_to_answers() {
    let mut tcp = Rig::established(plain().quick_acks(1));
    assert_eq!(tcp.arrives(peer_text(0, 10, 0)), "Deliver 10; <SEQ=0><ACK=10><CTL=ACK>");
    for turn in 0..3 {
        assert_eq!(tcp.send(5), format!("<SEQ={}><ACK={}><DATA=5><CTL=PSH,ACK>", 5 * turn, 10 + 10 * turn));
        tcp.arrives(peer(10 + 10 * turn, 5 + 5 * turn));
        tcp.quiet(ms(30_000));
        assert_eq!(tcp.arrives(peer_text(10 + 10 * turn, 10, 5 + 5 * turn)), "Deliver 10");
    }
}

#[test]
fn must_58_segments_that_arrive_together_share_one_acknowledgment() {
    let mut tcp = Rig::established(plain());
    let segments = (0..7).map(|n| peer_text(n * 100, 100, 0)).collect();
    let mut words = ["Deliver 100"; 7].join("; ");
    words += "; <SEQ=0><ACK=700><CTL=ACK>";
    assert_eq!(tcp.arrive_together(segments), words);
    assert_eq!(tcp.arrive_together(vec![peer_text(700, 100, 0)]), "Deliver 100");
    assert_eq!(tcp.until(Timer::DelayedAck), Some(ms(40)));
}

/// An acknowledgment rides on text where there is any.
#[test]
fn must_58_text_carries_the_acknowledgment() {
    let mut tcp = Rig::established(plain());
    tcp.arrives(peer_text(0, 100, 0));
    assert_eq!(tcp.send(5), "<SEQ=0><ACK=100><DATA=5><CTL=PSH,ACK>");
    assert_eq!(tcp.until(Timer::DelayedAck), None);
}

#[test]
fn must_59_what_is_queued_is_processed_before_anything_is_acknowledged() {
    // the hole is filled: one ACK for all that was held behind it
    let mut tcp = Rig::established(plain());
    for n in 1..=4 {
        assert_eq!(tcp.arrives(peer_text(n * 100, 100, 0)), "<SEQ=0><ACK=0><CTL=ACK>");
    }
    assert_eq!(tcp.arrives(peer_text(0, 100, 0)), "Deliver 500; <SEQ=0><ACK=500><CTL=ACK>");

    // out of order, but together: the ACK covers everything
    let mut tcp = Rig::established(plain().sack(true));
    let mixed = vec![peer_text(100, 100, 0), peer_text(200, 100, 0), peer_text(0, 100, 0)];
    assert_eq!(tcp.arrive_together(mixed), "Deliver 300; <SEQ=0><ACK=300><CTL=ACK>");
}

#[test]
fn shld_31_may_13_text_out_of_order_is_held_and_acknowledged_at_once() {
    let mut tcp = Rig::established(plain());
    assert_eq!(tcp.arrives(peer_text(10, 10, 0)), "<SEQ=0><ACK=0><CTL=ACK>");
    assert_eq!(tcp.arrives(peer_text(30, 10, 0)), "<SEQ=0><ACK=0><CTL=ACK>");
    assert_eq!((tcp.info().held, tcp.info().held_ranges), (20, 2));
    assert_eq!(tcp.arrives(peer_text(0, 10, 0)), "Deliver 20; <SEQ=0><ACK=20><CTL=ACK>");
    assert_eq!(tcp.arrives(peer_text(20, 10, 0)), "Deliver 20; <SEQ=0><ACK=40><CTL=ACK>");
    assert_eq!(tcp.info().held, 0);
}

/// RFC 5681 §2: without SACK a duplicate ACK carries no text, whatever else asks for an acknowledgment in the same batch.
#[test]
fn may_13_a_duplicate_ack_stays_pure_when_something_else_is_owed_as_well() {
    let mut tcp = Rig::established(plain());
    tcp.send(20_000);
    tcp.arrives(peer_text(0, 10, 0));
    let fin = peer_ctl(Flags::FIN | Flags::ACK, 40, 1460);
    let words = tcp.arrive_together(vec![peer_text(20, 10, 1460), fin]);
    let pure = "Acked(1460); <SEQ=14600><ACK=10><CTL=ACK>; <SEQ=14600><ACK=10><DATA=1460><CTL=ACK>";
    assert!(words.starts_with(pure), "{words}");
}
