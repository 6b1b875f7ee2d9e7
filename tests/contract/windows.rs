//! The receive window and the memory behind it.

use bytes::Bytes;
use segue::{Event, Segment, State, Timer};
use segue_kit::rig::{ACK, At, FIN, Rig, SYN, everywhere};
use segue_kit::{EDGES, ms};

/// The right edge that the last segment promised, relative to IRS.
fn wire_edge(rig: &Rig, shift: u8) -> i64 {
    let segment = rig.sent().last().map(|segment| (segment.ack - rig.rcv(0), segment.window));
    let (ack, window) = segment.expect("a segment was sent");
    i64::from(ack) + (i64::from(window) << shift)
}

#[test]
fn the_window_is_the_buffer_less_what_the_user_has_not_taken() {
    everywhere(|at| {
        let mut rig = at.established();
        assert_eq!(rig.only().window, 10_000);
        rig.arrives(rig.octets(1, 1, 1000));
        assert_eq!(rig.arrives(rig.octets(1001, 1, 1000)), "Deliver 1000; <SEQ=1><ACK=2001><CTL=ACK>");
        assert_eq!(rig.only().window, 8000);
        assert_eq!(rig.consume(1999), ""); // no update: the window would not double
        rig.arrives(rig.octets(2001, 1, 1000));
        assert_eq!(rig.arrives(rig.octets(3001, 1, 1000)), "Deliver 1000; <SEQ=1><ACK=4001><CTL=ACK>");
        assert_eq!(rig.only().window, 7999);
    });
}

#[test]
fn held_text_is_not_subtracted_from_the_window() {
    everywhere(|at| {
        let mut rig = at.established();
        for seq in [5001, 7001, 9001] {
            rig.arrives(rig.octets(seq, 1, 1000));
            assert_eq!((rig.only().window, wire_edge(&rig, 0)), (10_000, 10_001));
        }
        assert_eq!(rig.connection.info().held, 3000);
    });
}

#[test]
fn text_is_trimmed_at_both_edges_of_the_window() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.arrives(rig.text(1, 1, "abc"));
        assert_eq!(rig.arrives(rig.text(1, 1, "???def")), "Deliver \"def\"; <SEQ=1><ACK=7><CTL=ACK>");
        let mut long = vec![b'g'; 9994];
        long.extend_from_slice(b"???");
        let segment = Segment { flags: ACK | FIN, ..rig.text(7, 1, long) };
        assert_eq!(rig.arrives(segment), "Deliver 9994; <SEQ=1><ACK=10001><CTL=ACK>"); // more than two segments' text
        assert!(rig.delivered().iter().all(|octet| *octet == b'g'));
        assert_eq!((rig.state(), rig.only().window), (State::Established, 0)); // the FIN lay outside
    });
}

/// Table 6 asks whether the first or the last octet lies in the window; the answer tells the peer what to send.
#[test]
fn text_that_covers_more_than_the_window_on_both_sides_is_unacceptable() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.arrives(rig.text(1, 1, "abc"));
        rig.unmoved(rig.octets(1, 1, 10_500), "<SEQ=1><ACK=4><CTL=ACK>; Discarded(OutOfWindow)");
    });
}

#[test]
fn consume_of_more_than_delivered_counts_as_all() {
    let mut rig = At::default().established();
    rig.arrives(rig.octets(1, 1, 9999));
    assert_eq!(rig.consume(usize::MAX), "<SEQ=1><ACK=10000><CTL=ACK>");
    assert_eq!((rig.only().window, rig.connection.info().unconsumed), (10_000, 0));
    assert_eq!(rig.consume(1), "");
}

#[test]
fn a_closed_window_is_reopened_by_a_step_not_by_an_octet() {
    everywhere(|at| {
        let mut rig = at.established();
        for i in 0..10 {
            rig.arrives(rig.octets(1 + 1000 * i, 1, 1000));
        }
        assert_eq!(wire_edge(&rig, 0), 10_001);
        for _ in 0..999 {
            assert_eq!(rig.consume(1), ""); // RFC 9293 §3.8.6.2.2: min (RCV.BUFF/2, Eff.snd.MSS) = 1000
        }
        assert_eq!(rig.consume(1), "<SEQ=1><ACK=10001><CTL=ACK>");
        assert_eq!(rig.only().window, 1000);
    });
}

/// Whatever is received, held and consumed: the edge on the wire does not recede, and the segments in flight are taken.
#[test]
fn the_promised_edge_never_recedes() {
    for at in EDGES.map(|irs| At { irs, ..At::default() }) {
        let mut rig = at.established();
        let (mut edge, mut seq, mut random) = (10_001, 1, 12_345u32);
        for _ in 0..3000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let size = i64::from(random >> 20) % 1500;
            match random % 5 {
                0 | 1 if seq + size <= edge => {
                    rig.arrives(rig.octets(seq, 1, size as usize));
                    assert_eq!(rig.connection.info().rcv_nxt, rig.rcv(seq + size), "text inside the promise is taken");
                    seq += size;
                }
                2 => drop(rig.arrives(rig.octets(seq + 1 + size, 1, 0))),
                3 => drop(rig.call_timer(Timer::DelayedAck)),
                _ => drop(rig.consume(size as usize)),
            }
            if !rig.sent().is_empty() {
                let promised = wire_edge(&rig, 0);
                assert!(promised >= edge, "the edge went from {edge} back to {promised}");
                edge = promised;
            }
        }
        assert!(seq > 100_000, "the test moved {seq} octets");
    }
}

/// RFC 7323 §2.4: a promise stays, and the wire lags by less than one unit of the scale.
#[test]
fn a_scaled_edge_recedes_by_less_than_its_unit() {
    for irs in EDGES {
        let at = At { irs, ..At::default() }
            .with(|config| config.window_scaling(true).receive_buffer(1_000_000).receive_buffer_initial(1_000_000));
        let mut rig = at.connect();
        assert_eq!((rig.only().window, rig.only().options.window_scale()), (65_535, Some(4)));
        rig.arrives(rig.syn(SYN | ACK));
        assert_eq!(wire_edge(&rig, 4), 1_000_001);
        let (mut edge, mut promised, mut seq, mut random) = (1_000_001, 1_000_001, 1, 99u32);
        for _ in 0..3000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let size = 1 + i64::from(random >> 20) % 3000;
            if seq + size <= promised {
                rig.arrives(rig.octets(seq, 1, size as usize));
                assert_eq!(rig.connection.info().rcv_nxt, rig.rcv(seq + size), "text inside the promise is taken");
                seq += size;
            }
            if rig.sent().is_empty() {
                rig.consume(random as usize % 9000);
            }
            if !rig.sent().is_empty() {
                let now = wire_edge(&rig, 4);
                assert!(now > edge - 16, "the edge went from {edge} back to {now}");
                (edge, promised) = (now, promised.max(now));
                let info = rig.connection.info();
                assert_eq!(info.rcv_nxt + info.rcv_wnd, rig.rcv(promised), "the furthest edge ever promised");
            }
        }
        assert!(seq > 1_000_000, "the test moved {seq} octets");
    }
}

#[test]
fn the_window_of_a_syn_is_not_scaled() {
    everywhere(|at| {
        let at = at.with(|config| config.window_scaling(true).receive_buffer(1 << 20).receive_buffer_initial(1 << 20));
        let rig = at.connect();
        assert_eq!((rig.only().window, rig.only().options.window_scale()), (65_535, Some(5)));
        let rig = at.syn_received();
        assert_eq!((rig.only().window, rig.only().options.window_scale()), (65_535, Some(5)));
        let mut rig = at.connect();
        rig.window = 3000;
        rig.arrives(rig.syn(SYN | ACK));
        assert_eq!(rig.connection.info().snd_wnd, 3000);
        rig.arrives(rig.ack(1, 1));
        assert_eq!(rig.connection.info().snd_wnd, 12_000);
        // Without the peer's option our windows are not scaled either, and ours is not repeated.
        let mut syn = at.syn();
        syn.options.update(|options| options.window_scale = None);
        let mut rig = at.accept(syn);
        assert_eq!((rig.only().window, rig.only().options.window_scale()), (65_535, None));
        rig.arrives(rig.ack(1, 1));
        rig.arrives(rig.octets(1, 1, 1000));
        rig.arrives(rig.octets(1001, 1, 1000));
        assert_eq!(rig.only().window, 65_535);
    });
}

// SND.WND.

#[test]
fn only_newer_segments_update_the_send_window() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(300);
        let window = |rig: &mut Rig, seq, ack, window| {
            rig.window = window;
            rig.arrives(rig.ack(seq, ack));
            rig.connection.info().snd_wnd
        };
        assert_eq!(window(&mut rig, 5, 1, 500), 500); // WL1 < SEQ
        assert_eq!(window(&mut rig, 4, 1, 900), 500); // older
        assert_eq!(window(&mut rig, 5, 1, 600), 600); // the same, WL2 <= ACK
        assert_eq!(window(&mut rig, 4, 101, 900), 900); // sent again: a later ACK is newer, whatever its number
        assert_eq!(window(&mut rig, 5, 51, 700), 900); // an ACK before SND.UNA is ignored
        assert_eq!(window(&mut rig, 5, 101, 800), 800);
        let info = rig.connection.info();
        assert_eq!((info.snd_wl1, info.snd_wl2), (rig.rcv(5), rig.snd(101)));
    });
}

// Memory.

#[test]
fn the_next_octet_is_taken_when_reassembly_is_full() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.max_ranges(3)).established();
        for seq in [3, 5, 7] {
            assert_eq!(rig.arrives(rig.text(seq, 1, "x")), "<SEQ=1><ACK=1><CTL=ACK>");
        }
        assert_eq!(rig.arrives(rig.text(9, 1, "x")), "Discarded(ReassemblyFull); <SEQ=1><ACK=1><CTL=ACK>");
        assert_eq!(rig.arrives(rig.text(4, 1, "y")), "<SEQ=1><ACK=1><CTL=ACK>"); // joins two
        assert_eq!(rig.arrives(rig.text(9, 1, "x")), "<SEQ=1><ACK=1><CTL=ACK>");
        assert_eq!(rig.arrives(rig.text(11, 1, "x")), "Discarded(ReassemblyFull); <SEQ=1><ACK=1><CTL=ACK>");
        assert_eq!(rig.connection.info().held_ranges, 3);
        assert_eq!(rig.arrives(rig.text(1, 1, "z")), "Deliver \"z\"; <SEQ=1><ACK=2><CTL=ACK>");
        rig.arrives(rig.text(2, 1, "z"));
        assert_eq!((rig.delivered(), rig.only().ack), (b"zxyx".to_vec(), rig.rcv(6)));
        assert_eq!(rig.connection.info().held_ranges, 2);
    });
}

#[test]
fn what_is_refused_is_not_reported_as_received() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.max_ranges(2).sack(true)).established();
        let blocks = |rig: &Rig| -> Vec<(u32, u32)> {
            let sack = rig.only().options.sack();
            sack.iter().map(|block| (block.left - rig.rcv(0), block.right - rig.rcv(0))).collect()
        };
        rig.arrives(rig.text(11, 1, "x"));
        assert_eq!(blocks(&rig), [(11, 12)]);
        rig.arrives(rig.text(21, 1, "x"));
        assert_eq!(blocks(&rig), [(21, 22), (11, 12)]);
        rig.arrives(rig.text(31, 1, "x"));
        assert_eq!(blocks(&rig), [(21, 22), (11, 12)]);
        rig.arrives(rig.text(12, 1, "y"));
        assert_eq!(blocks(&rig), [(11, 13), (21, 22)]);
    });
}

/// `frame_size`: a view into a large frame pins the frame, so the receiver holds a copy.
#[test]
fn held_text_does_not_pin_the_frames_it_came_in() {
    let mut rig = At::default().with(|config| config.frame_size(4096).copy_below(64)).established();
    let frame = Bytes::from(vec![b'x'; 4096]);
    rig.arrives(rig.text(101, 1, frame.slice(..200)));
    assert!(frame.is_unique(), "200 octets pin a frame of 4096");
    let whole = Bytes::from(vec![b'x'; 4000]);
    rig.arrives(rig.text(1001, 1, whole.clone()));
    assert!(!whole.is_unique(), "a frame that is full of text need not be copied");
}

/// A segment that is larger than the frames that the host declared, of which little is taken: the rest is not pinned.
#[test]
fn held_text_does_not_pin_what_was_cut_off() {
    let mut rig = At::default().with(|config| config.receive_buffer(3000)).established();
    let frame = Bytes::from(vec![b'x'; 65_535]);
    rig.arrives(rig.text(771, 1, frame.clone()));
    assert_eq!(rig.connection.info().held, 3000 - 770);
    assert!(frame.is_unique(), "2230 octets pin 65,535");
    // parts of it that fill gaps
    let mut rig = At::default().with(|config| config.receive_buffer(10_000)).established();
    rig.arrives(rig.octets(1501, 1, 7000));
    let frame = Bytes::from(vec![b'x'; 9999]);
    rig.arrives(rig.text(2, 1, frame.clone()));
    assert_eq!(rig.connection.info().held, 9999);
    assert!(frame.is_unique(), "2999 octets pin 9999");
    // what came on the SYN
    let frame = Bytes::from(vec![b'x'; 65_535]);
    let mut syn = At::default().syn();
    syn.payload = frame.clone();
    let rig = At::default().accept(syn);
    assert!(rig.connection.info().held > 0 && frame.is_unique(), "the text of a SYN pins its frame");
}

#[test]
fn queued_text_is_bounded_by_the_send_buffer_whatever_its_pieces() {
    let mut rig = At::default().with(|config| config.send_buffer(5000)).established();
    rig.window = 0;
    rig.arrives(rig.ack(1, 1));
    let mut sent = 0;
    while rig.handle(Event::Send(Bytes::from_static(b"1"))).is_ok() {
        sent += 1;
    }
    assert_eq!((sent, rig.connection.info().send_queue), (5000, 5000));
}

/// Held text lies inside the window, whatever comes.
#[test]
fn held_text_is_inside_the_window() {
    for irs in EDGES {
        let mut rig = At { irs, ..At::default() }.with(|config| config.max_ranges(4)).established();
        let mut random = 7u32;
        for _ in 0..5000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (seq, size) = (i64::from(random >> 17) % 15_000, i64::from(random >> 8) % 700);
            let at = i64::from(rig.connection.info().rcv_nxt - rig.rcv(0)) + seq - 500;
            rig.arrives(rig.octets(at, 1, size as usize));
            if random % 64 == 0 {
                rig.consume(3000);
            }
            let info = rig.connection.info();
            assert!(info.held as u32 <= info.rcv_wnd && info.held_ranges <= 4, "{info:?}");
            assert!(info.unconsumed + info.rcv_wnd as usize <= 10_000, "{info:?}");
        }
        rig.wait(ms(1));
    }
}
