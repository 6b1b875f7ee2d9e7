//! Windows (RFC 9293 §3.8.6, §3.10.7.4).

use segue::{Config, ConfigBuilder, Event, Flags, Knob, Options, Path, Segment, State, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{ours, peer, peer_ctl, peer_syn, peer_syn_ack, peer_text, theirs};
use segue_kit::{ms, plain, secs};

/// The window field in octets (nothing is scaled here).
fn window(window: u16, segment: Segment) -> Segment {
    Segment { window, ..segment }
}

/// Ten full segments are in flight, of 20,000 octets queued; the peer's window is 65,535.
fn in_flight() -> Rig {
    let mut tcp = Rig::established(plain());
    tcp.send(20_000);
    assert_eq!(tcp.info().flight, 14_600);
    tcp
}

/// 3000 octets queued, and the peer's window was never open.
fn shut_out(config: ConfigBuilder) -> Rig {
    let mut tcp = Rig::connect(config, Path::ipv4(1500));
    tcp.arrives(window(0, peer_syn_ack()));
    assert_eq!(tcp.send(3000), "");
    tcp
}

#[test]
fn must_34_shld_15_a_window_that_shrinks_is_respected() {
    for shrunk in [0, 1, 1000, 5000, 14_599] {
        let mut tcp = in_flight();
        assert_eq!(tcp.arrives(window(shrunk, peer(0, 1460))), "Acked(1460)"); // no new text
        assert_eq!((tcp.info().snd_wnd, tcp.info().flight), (u32::from(shrunk), 13_140));
        // the usable window is negative until the flight is acknowledged
        assert_eq!(tcp.arrives(window(shrunk, peer(0, 2920))), if shrunk <= 11_680 { "Acked(1460)" } else { NEW });
    }
}
const NEW: &str = "Acked(1460); <SEQ=14600><ACK=0><DATA=1460><CTL=ACK>";

/// SHLD-16, and MAY-7 is not taken: what lies beyond the edge is not sent again.
#[test]
fn shld_16_text_inside_a_shrunk_window_is_retransmitted() {
    for (shrunk, len) in [(1000, 1000), (1460, 1460), (65_535, 1460)] {
        let mut tcp = in_flight();
        tcp.arrives(window(shrunk, peer(0, 1460)));
        assert_eq!(tcp.fire(Timer::Retransmit), format!("<SEQ=1460><ACK=0><DATA={len}><CTL=ACK>"));
        assert_eq!(tcp.info().flight, if shrunk == 65_535 { 16_060 } else { 13_140 });
    }
}

/// SHLD-17: while the peer answers with a window that keeps text out, that text being unacknowledged ends nothing.
#[test]
fn shld_17_text_beyond_a_shrunk_edge_does_not_end_the_connection() {
    let mut tcp = in_flight();
    tcp.arrives(window(1460, peer(0, 1460)));
    for _ in 0..100 {
        assert!(tcp.fire(Timer::Retransmit).ends_with("<SEQ=1460><ACK=0><DATA=1460><CTL=ACK>"));
        tcp.arrives(window(1460, peer(0, 1460)));
        assert_eq!(tcp.until(Timer::UserTimeout), Some(secs(300)));
    }
    assert_eq!((tcp.state(), tcp.info().rto), (State::Established, secs(60)));
}

#[test]
fn must_35_a_window_shrunk_to_zero_is_probed() {
    let mut tcp = in_flight();
    assert_eq!(tcp.arrives(window(0, peer(0, 1460))), "Acked(1460)");
    assert_eq!((tcp.until(Timer::Retransmit), tcp.until(Timer::Persist)), (None, Some(secs(1))));
    assert_eq!(tcp.fire(Timer::Persist), "<SEQ=1460><ACK=0><DATA=1><CTL=ACK>");
}

#[test]
fn must_36_shld_29_u_10_the_first_probe_follows_after_the_rto_with_the_next_octet() {
    let mut tcp = shut_out(plain());
    assert_eq!(tcp.info().rto, secs(1));
    assert_eq!(tcp.connection.next_deadline(), Some((Timer::Persist, tcp.now + secs(1))));
    assert_eq!(tcp.fire(Timer::Persist), "<SEQ=0><ACK=0><DATA=1><CTL=ACK>");
    // a probe that is accepted counts
    assert_eq!(tcp.arrives(window(0, peer(0, 1))), "Acked(1)");
    assert_eq!(tcp.fire(Timer::Persist), "<SEQ=1><ACK=0><DATA=1><CTL=ACK>");

    // the RTO that was measured
    let mut tcp = Rig::established(plain().min_rto(ms(1)));
    tcp.send(10);
    tcp.now += ms(400);
    tcp.arrives(window(0, peer(0, 10))); // SRTT 50 ms, RTTVAR 100 ms
    tcp.send(10);
    assert_eq!((tcp.info().rto, tcp.until(Timer::Persist)), (ms(450), Some(ms(450))));
}

#[test]
fn shld_30_the_interval_between_probes_doubles() {
    let mut tcp = shut_out(plain().user_timeout(None));
    let happened = tcp.pass(secs(303));
    let instants: Vec<u64> = happened.iter().map(|(at, _)| *at / 1000).collect();
    assert_eq!(instants, [1, 3, 7, 15, 31, 63, 123, 183, 243, 303]);
    assert!(happened.iter().all(|(_, words)| words == "<SEQ=0><ACK=0><DATA=1><CTL=ACK>"), "{happened:?}");
}

/// The same when the peer answers each: its answers are no duplicate ACKs that would ask for a retransmission.
#[test]
fn shld_30_answers_do_not_hasten_the_next_probe() {
    let mut tcp = shut_out(plain());
    for interval in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(tcp.until(Timer::Persist), Some(secs(interval)));
        assert_eq!(tcp.fire(Timer::Persist), "<SEQ=0><ACK=0><DATA=1><CTL=ACK>");
        assert_eq!(tcp.arrives(window(0, peer(0, 0))), "");
    }
    assert_eq!((tcp.info().counters.fast_retransmits, tcp.info().cwnd), (0, 14_600));
}

#[test]
fn must_37_a_connection_stays_open_while_probes_are_answered() {
    let mut tcp = shut_out(plain());
    let end = tcp.now + secs(7 * 24 * 3600);
    while tcp.now < end {
        assert_eq!(tcp.fire(Timer::Persist), "<SEQ=0><ACK=0><DATA=1><CTL=ACK>");
        assert_eq!(tcp.arrives(window(0, peer(0, 0))), "");
    }
    assert_eq!(tcp.state(), State::Established);
    // unanswered, they end it like any other silence
    let happened = tcp.pass(secs(400));
    assert_eq!(happened.last(), Some(&(300_000, "Closed(UserTimeout)".to_string())));
}

/// RFC 1122 §4.2.3.4: min (D, U) below both a full segment and half the largest window waits for the override timeout.
#[test]
fn must_38_u_20_no_small_segment_into_a_small_window() {
    let mut tcp = Rig::established(plain());
    tcp.send(50_000);
    let mut sent = 14_600;
    tcp.arrives(window(0, peer(0, sent)));
    assert_eq!(tcp.arrives(window(100, peer(0, sent))), "");
    assert_eq!(tcp.arrives(window(1459, peer(0, sent))), "");
    assert_eq!(tcp.until(Timer::Override), Some(ms(200)));
    assert_eq!(tcp.fire(Timer::Override), "<SEQ=14600><ACK=0><DATA=1459><CTL=ACK>");
    sent += 1459;
    assert_eq!(tcp.arrives(window(1460, peer(0, sent))), "Acked(1459); <SEQ=16059><ACK=0><DATA=1460><CTL=ACK>");
    assert!(Config::builder().sws_override(ms(99)).build().is_err());
    assert!(Config::builder().sws_override(ms(1001)).build().is_err());
}

/// Fs = 1/2: a peer whose whole buffer is smaller than a segment gets half of it at a time, and two such segments when it is
/// empty.
#[test]
fn u_20_half_the_largest_window_is_worth_a_segment() {
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    tcp.arrives(window(1000, peer_syn_ack()));
    tcp.send(5000);
    assert_eq!(tcp.lengths(), [500, 500]);
    assert_eq!(tcp.arrives(window(499, peer(0, 1000))), "Acked(1000)");
    tcp.arrives(window(500, peer(0, 1000)));
    assert_eq!(tcp.lengths(), [250, 250]); // half of the window is worth sending, and a lone segment would wait for its ACK

    // of what goes again as well
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    tcp.arrives(window(1000, peer_syn_ack()));
    tcp.send(5000);
    tcp.arrives(window(0, peer(0, 0)));
    tcp.fire(Timer::Persist);
    assert_eq!(tcp.arrives(window(499, peer(0, 0))), "");
    assert_eq!(tcp.arrives(window(500, peer(0, 0))), "<SEQ=0><ACK=0><DATA=500><CTL=ACK>");
}

/// The same for a buffer of one to two segments. Its window may be a little less than the largest was, or grow.
#[test]
fn u_20_a_window_below_two_segments_gets_two_halves() {
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    tcp.arrives(window(2000, peer_syn_ack()));
    tcp.send(50_000);
    assert_eq!(tcp.lengths(), [1000, 1000]);
    tcp.arrives(window(1990, peer(0, 2000)));
    assert_eq!(tcp.lengths(), [995, 995]);
    assert_eq!(tcp.arrives(window(999, peer(0, 3990))), "Acked(1990)"); // less than half
    assert_eq!(tcp.until(Timer::Override), Some(ms(200)));
    tcp.arrives(window(2919, peer(0, 3990)));
    assert_eq!(tcp.lengths(), [1459, 1459]);
    tcp.arrives(window(2920, peer(0, 6908)));
    assert_eq!(tcp.lengths(), [1460, 1460]);
    tcp.arrives(window(6000, peer(0, 9828)));
    assert_eq!(tcp.lengths(), [1460; 4]);

    // one value for both, whatever Nagle's algorithm and a cork hold back: they are full
    for cork in [false, true] {
        let mut tcp = Rig::connect(plain().max_transmit(64_000), Path::ipv4(1500));
        tcp.arrives(window(2000, peer_syn_ack()));
        tcp.does(Event::Set(Knob::Cork(cork)));
        tcp.send(50_000);
        assert_eq!((tcp.lengths(), tcp.sent()[0].segment_size), (vec![2000], 1000));
    }
}

#[test]
fn must_39_the_right_edge_moves_in_steps() {
    let mut tcp = Rig::established(plain().receive_buffer(4000));
    tcp.arrives(peer_text(0, 1460, 0));
    tcp.arrives(peer_text(1460, 1460, 0));
    assert_eq!(tcp.sent()[0].window, 4000 - 2920);
    assert_eq!(tcp.arrives(peer_text(2920, 1080, 0)), "Deliver 1080");
    assert_eq!(tcp.fire(Timer::DelayedAck), "<SEQ=0><ACK=4000><CTL=ACK>");
    assert_eq!(tcp.sent()[0].window, 0);
    // the user takes one octet at a time: min (RCV.BUFF / 2, MSS) = 1460 octets are the first that are offered
    for octet in 1..1460 {
        assert_eq!(tcp.consume(1), "", "{octet}");
        if octet % 500 == 0 {
            tcp.arrives(peer_text(4000, 1, 0)); // what answers a probe says the same
            assert_eq!(tcp.sent()[0].window, 0, "{octet}");
        }
    }
    assert_eq!(tcp.consume(1), "<SEQ=0><ACK=4000><CTL=ACK>");
    assert_eq!(tcp.sent()[0].window, 1460);

    // Fr = 1/2 where the buffer is small
    let mut tcp = Rig::established(plain().receive_buffer(1000));
    tcp.arrives(peer_text(0, 1000, 0));
    tcp.fire(Timer::DelayedAck);
    assert_eq!(tcp.consume(499), "");
    assert_eq!(tcp.consume(1), "<SEQ=0><ACK=1000><CTL=ACK>");
    assert_eq!(tcp.sent()[0].window, 500);
}

/// Without scaling no more than 65,535 octets can be offered, however large the buffer is: the edge moves in steps all the same.
#[test]
fn must_39_the_right_edge_moves_in_steps_without_scaling_too() {
    let mut tcp = Rig::established(plain().receive_buffer(200_000));
    assert_eq!(tcp.arrives(peer_text(0, 10, 0)), "Deliver 10");
    assert_eq!(tcp.consume(10), "");
    assert_eq!(tcp.fire(Timer::DelayedAck), "<SEQ=0><ACK=10><CTL=ACK>");
    assert_eq!(tcp.sent()[0].window, 65_525);
    tcp.arrives(peer_text(10, 1450, 0));
    assert_eq!(tcp.consume(1450), "");
    assert_eq!(tcp.fire(Timer::DelayedAck), "<SEQ=0><ACK=1460><CTL=ACK>");
    assert_eq!(tcp.sent()[0].window, 65_535);
}

/// SHLD-14, U-11: whatever happens, ACK + WND never decreases; with scaling by less than 2^shift (RFC 7323 §2.4).
#[test]
fn shld_14_u_11_the_right_edge_never_recedes() {
    let large = plain().window_scaling(true).receive_buffer(1 << 20);
    let whole = large.receive_buffer_initial(1 << 20);
    for (config, unit, in_syn) in [(plain().receive_buffer(9000), 1, 9000), (large, 32, 65_535), (whole, 32, 65_535)] {
        let mut tcp = Rig::connect(config, Path::ipv4(1500));
        let options = Options { window_scale: Some(0), ..peer_syn_ack().options.get() };
        tcp.arrives(Segment { options: options.into(), ..peer_syn_ack() });
        let mut furthest = u32::from(tcp.sent()[0].window) * unit; // the ACK of the handshake
        assert!(furthest >= in_syn);
        let mut seed = 7_u32;
        for _ in 0..5000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let pick = seed >> 8;
            match pick % 4 {
                0 => drop(tcp.consume((pick >> 4) as usize % 4000)),
                1 => drop(tcp.fire_if(Timer::DelayedAck)),
                _ => {
                    let next = tcp.info().rcv_nxt - theirs(0) + u32::from(pick % 7 == 0);
                    let len = ((pick >> 4) % 1460 + 1).min(tcp.info().rcv_wnd);
                    tcp.arrives(peer_text(next, len as usize, 0));
                }
            }
            for segment in tcp.sent() {
                let edge = (segment.ack - theirs(0)) + u32::from(segment.window) * unit;
                assert!(edge + unit > furthest, "{edge} after {furthest}");
                furthest = furthest.max(edge);
            }
            // and what was promised is kept
            assert_eq!(tcp.info().rcv_nxt + tcp.info().rcv_wnd, theirs(furthest));
        }
        assert!(furthest > 1_000_000);
    }
}

/// MAY-8: the user never reads, and the window stays closed.
#[test]
fn u_9_may_8_a_closed_window_answers_every_probe() {
    let mut tcp = Rig::established(plain().receive_buffer(1000));
    tcp.arrives(peer_text(0, 1000, 0));
    tcp.fire(Timer::DelayedAck);
    for _ in 0..1000 {
        tcp.quiet(secs(60));
        assert_eq!(tcp.arrives(peer_text(1000, 1, 0)), "Discarded(ZeroWindow); <SEQ=0><ACK=1000><CTL=ACK>");
        assert_eq!(tcp.sent()[0].window, 0);
    }
}

#[test]
fn must_66_a_closed_window_lets_resets_urgency_and_acks_through() {
    let closed = || {
        let mut tcp = Rig::established(plain().receive_buffer(1000));
        tcp.arrives(peer_text(0, 1000, 0));
        tcp.fire(Timer::DelayedAck);
        assert_eq!(tcp.info().rcv_wnd, 0);
        tcp
    };
    let mut tcp = closed();
    assert_eq!(tcp.arrives(peer_ctl(Flags::RST, 1000, 0)), "Closed(Reset)");

    let mut tcp = closed();
    let urgent = Segment { urgent: 5, flags: Flags::URG | Flags::ACK, ..peer_text(1000, 5, 0) };
    assert_eq!(tcp.arrives(urgent), "Discarded(ZeroWindow); Urgent { ahead: 5 }; <SEQ=0><ACK=1000><CTL=ACK>");

    let mut tcp = closed();
    tcp.send(10);
    let acked = "Discarded(ZeroWindow); Acked(10); Flushed; <SEQ=10><ACK=1000><CTL=ACK>";
    assert_eq!(tcp.arrives(peer_text(1000, 5, 10)), acked);
}

/// SND.WL1 < SEG.SEQ, or SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK.
#[test]
fn u_7_only_newer_segments_update_the_window() {
    let mut tcp = Rig::established(plain());
    tcp.send(30);
    let wnd = |tcp: &mut Rig, segment: Segment| {
        tcp.arrives(segment);
        (tcp.info().snd_wnd, tcp.info().snd_wl1 - theirs(0), tcp.info().snd_wl2 - ours(0))
    };
    assert_eq!(wnd(&mut tcp, window(5000, peer_text(0, 10, 0))), (5000, 0, 0));
    assert_eq!(wnd(&mut tcp, window(6000, peer(10, 20))), (6000, 10, 20)); // a later number
    assert_eq!(wnd(&mut tcp, window(9000, peer(9, 20))), (6000, 10, 20)); // an older one: ignored, though the window is larger
    assert_eq!(wnd(&mut tcp, window(9000, peer(10, 10))), (6000, 10, 20)); // the same number, an older ACK
    assert_eq!(wnd(&mut tcp, window(4000, peer(10, 20))), (4000, 10, 20)); // both the same, as in a window update
    assert_eq!(wnd(&mut tcp, window(7000, peer(10, 30))), (7000, 10, 30)); // a later ACK
}

/// Reports do not shorten the promise: a closed window and a user that leaves is a reset, not a retraction.
#[test]
fn shld_14_leaving_does_not_retract_the_window() {
    let mut tcp = Rig::established(plain());
    let edge = tcp.info().rcv_nxt + tcp.info().rcv_wnd;
    tcp.does(Event::Release);
    assert_eq!(tcp.sent()[0].ack + u32::from(tcp.sent()[0].window), edge);
}

/// A passive open with window scaling, the default buffer, of which so much is promised at first, and no quick ACKs; its
/// SYN,ACK says 65,535.
fn serves(initial: u32) -> Rig {
    let scaled = |segment: Segment| Segment {
        options: Options { window_scale: Some(0), ..segment.options.get() }.into(),
        ..segment
    };
    let config = plain().window_scaling(true).receive_buffer(262_144).receive_buffer_initial(initial);
    let mut tcp = Rig::accept(config, Path::ipv4(1500), scaled(peer_syn()));
    assert_eq!(tcp.sent()[0].window, 65_535);
    assert_eq!(tcp.arrives(peer(0, 0)), "Connected");
    tcp
}

/// The window rises from the 65,535 of the SYN to the buffer, and the peer does not wait for that.
#[test]
fn a_window_that_nobody_waits_for_is_told_with_the_delayed_ack() {
    let mut tcp = serves(131_072);
    assert_eq!(tcp.arrives(peer_text(0, 18, 0)), "Deliver 18");
    assert_eq!(tcp.consume(18), "");
    assert_eq!(tcp.fire(Timer::DelayedAck), "<SEQ=0><ACK=18><CTL=ACK>");
    assert_eq!(tcp.sent()[0].window, 16_384); // 131,072 octets
}

/// A reader that takes all in bursts, a sender that sends what the window allows: while the sender can go on, there is an ACK
/// for each second segment and no more; when it cannot, it hears with the `consume` that makes room.
#[test]
fn a_slow_reader_sends_updates_when_the_sender_waits_and_no_others() {
    for (burst, updates) in [(1, 0), (10, 0), (30, 0), (89, 0), (92, 1), (179, 1), (1000, 1)] {
        let mut tcp = serves(262_144);
        let (mut sent, mut acks, mut edge, mut told) = (0, 0, 65_535, 0);
        let hear = |tcp: &Rig, acks: &mut u32, edge: &mut u32| {
            for segment in tcp.sent() {
                *acks += 1;
                *edge = segment.ack - theirs(0) + (u32::from(segment.window) << 3);
            }
        };
        let mut rounds = 0;
        while sent < 3_000_000 {
            let mut unread = 0;
            for _ in 0..burst {
                let len = 1460.min(edge - sent);
                if len < 1460 {
                    break; // silly-window avoidance of the sender
                }
                tcp.arrives(peer_text(sent, len as usize, 0));
                hear(&tcp, &mut acks, &mut edge);
                sent += len;
                unread += len as usize;
            }
            assert!(unread > 0, "the sender waits for a window: burst {burst}, {sent} sent");
            tcp.consume(unread);
            told += tcp.sent().len();
            hear(&tcp, &mut acks, &mut edge);
            rounds += 1;
        }
        assert!(acks <= sent / 2920 + rounds + 1, "burst {burst}: {acks} ACKs for {sent} octets");
        let expected = updates * rounds as usize;
        assert!(told <= expected && told + 2 >= expected, "burst {burst}: {told} updates in {rounds} rounds");
    }
}
