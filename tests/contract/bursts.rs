//! How much leaves and comes at once: `max_burst`, segmentation below (GSO), coalescing below (GRO), path MTU.

use std::time::Duration;

use segue::{Action, Event, Flags, IcmpKind, Knob, Segment, State, Timer, codec};
use segue_kit::audit::segments;
use segue_kit::ms;
use segue_kit::rig::{ACK, At, FIN, Rig, everywhere};

#[test]
fn a_burst_is_cut_and_taken_up() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.max_burst(3)).established();
        let three =
            |seq| format!("<SEQ={seq}><ACK=1><DATA=1000><CTL=ACK>; <SEQ={}><ACK=1><DATA=1000><CTL=ACK>; ", seq + 1000);
        assert_eq!(rig.send(8000), three(1) + "<SEQ=2001><ACK=1><DATA=1000><CTL=ACK>; MorePending");
        assert_eq!(rig.until(Timer::Continue), Some(ms(1)));
        assert_eq!(rig.does(Event::Continue), three(3001) + "<SEQ=5001><ACK=1><DATA=1000><CTL=ACK>; MorePending");
        assert_eq!(
            rig.fire(Timer::Continue),
            "<SEQ=6001><ACK=1><DATA=1000><CTL=ACK>; <SEQ=7001><ACK=1><DATA=1000><CTL=PSH,ACK>"
        );
        assert_eq!(rig.until(Timer::Continue), None);
        assert_eq!(rig.does(Event::Continue), "");
    });
}

/// No event gives more, whatever it is.
#[test]
fn no_event_gives_more_than_a_burst() {
    for max_burst in [1, 2, 7] {
        let mut rig = At::default().with(|config| config.max_burst(max_burst).nagle(false)).established();
        let (mut una, mut steps) = (1, 0);
        rig.send(200_000);
        while una < 200_001 {
            assert!(rig.sent().len() <= usize::from(max_burst), "{}", rig.said());
            let nxt = i64::from(rig.connection.info().snd_nxt - rig.snd(0));
            steps += 1;
            match steps % 7 {
                0 => drop(rig.fire(rig.connection.next_deadline().expect("something is pending").0)),
                1..=4 => drop(rig.does(Event::Continue)),
                _ => {
                    una = nxt;
                    rig.arrives(rig.ack(1, una));
                }
            }
            rig.wait(ms(1));
        }
    }
}

#[test]
fn continue_in_time_or_not_sends_the_same() {
    let at = At::default().with(|config| config.max_burst(2));
    let (mut prompt, mut late) = (at.established(), at.established());
    let sent = |rig: &Rig| rig.sent().to_vec();
    prompt.send(9000);
    late.send(9000);
    let (mut one, mut other) = (sent(&prompt), sent(&late));
    for _ in 0..4 {
        prompt.does(Event::Continue);
        one.extend(sent(&prompt));
        late.fire(Timer::Continue);
        other.extend(sent(&late));
    }
    assert_eq!(one, other);
    assert_eq!(one.len(), 9);
}

// GSO.

/// The segments of a conversation of `at`, with everything that can be on the last one.
fn outgoing(at: At, octets: usize, close: bool) -> Vec<Segment> {
    let mut rig = at.syn_received();
    rig.send(octets);
    if close {
        rig.close();
    }
    rig.arrives(rig.ack(1, 1));
    rig.sent().to_vec()
}

#[test]
fn gso_cut_in_software_is_what_single_segments_are() {
    for at in [At::default(), At::default().with_options()] {
        for max_transmit in [1500, 3000, 4999, 65_000] {
            for octets in [1, 999, 1000, 1001, 2000, 2999, 3000, 3001, 9000, 10_000] {
                for close in [false, true] {
                    let plain = outgoing(at, octets, close);
                    let whole = outgoing(at.with(|config| config.max_transmit(max_transmit)), octets, close);
                    assert!(whole.iter().all(|segment| segment.payload.len() <= usize::from(max_transmit)));
                    let cut: Vec<Segment> = whole.into_iter().flat_map(codec::split).collect();
                    assert_eq!(cut, plain, "{octets} octets in transmits of {max_transmit}");
                }
            }
        }
    }
}

#[test]
fn gso_puts_psh_and_fin_on_the_last_segment_only() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.max_transmit(65_000)).syn_received();
        rig.send(4500);
        rig.close();
        assert_eq!(rig.arrives(rig.ack(1, 1)), "Connected; <SEQ=1><ACK=1><DATA=4500><CTL=FIN,PSH,ACK>");
        let segment = rig.only();
        assert_eq!(segment.segment_size, 1000);
        let pieces: Vec<_> = codec::split(segment.clone()).map(|piece| (piece.payload.len(), piece.flags)).collect();
        let last = (500, ACK | Flags::PSH | FIN);
        assert_eq!(pieces, [(1000, ACK), (1000, ACK), (1000, ACK), (1000, ACK), last]);
    });
}

#[test]
fn gso_never_with_urgent_text() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.max_transmit(65_000)).established();
        rig.does(Event::SendUrgent(vec![b'!'; 4500].into()));
        assert!(rig.sent().iter().all(|segment| segment.segment_size == 0 && segment.payload.len() <= 1000));
        assert!(rig.sent().iter().all(|segment| segment.flags.contains(Flags::URG)), "MUST-31: any length");
    });
}

#[test]
fn gso_leaves_segment_size_zero_where_one_segment_is_enough() {
    let mut rig = At::default().with(|config| config.max_transmit(65_000)).established();
    rig.send(1000);
    assert_eq!(rig.only().segment_size, 0);
}

// GRO.

#[test]
fn a_coalesced_segment_counts_as_many() {
    everywhere(|at| {
        for (octets, answered) in [(1000, false), (1001, true), (2000, true), (9000, true)] {
            let mut rig = at.established();
            let coalesced = Segment { segment_size: 1000, ..rig.octets(1, 1, octets) };
            let ack = format!("; <SEQ=1><ACK={}><CTL=ACK>", octets + 1);
            let expected = format!("Deliver {octets}{}", if answered { &ack } else { "" });
            assert_eq!(rig.arrives(coalesced), expected);
        }
    });
}

#[test]
fn a_coalesced_segment_is_what_its_segments_are() {
    everywhere(|at| {
        let (mut whole, mut cut) = (at.established(), at.established());
        let coalesced = Segment { segment_size: 700, flags: ACK | FIN, ..whole.octets(1, 1, 3000) };
        let mut actions = Vec::new();
        cut.connection.handle_segments(codec::split(coalesced.clone()), cut.now, &mut actions);
        whole.arrives(coalesced);
        assert_eq!(segments(&actions), whole.sent().iter().collect::<Vec<_>>());
        assert_eq!((whole.state(), cut.state()), (State::CloseWait, State::CloseWait));
        let received = |rig: &Rig| {
            let info = rig.connection.info();
            (info.rcv_nxt, info.rcv_wnd, info.unconsumed, rig.deadlines())
        };
        assert_eq!(received(&whole), received(&cut));
    });
}

#[test]
fn a_segment_size_of_nonsense_harms_nothing() {
    let at = At::default();
    for segment_size in [1, 65_535] {
        for state in State::ALL {
            let mut rig = at.state(state);
            rig.arrives(Segment { segment_size, ..rig.octets(1, 1, 3) });
            rig.arrives(Segment { segment_size, ..rig.ack(1, 1) });
            rig.arrives(Segment { segment_size, ..rig.rst(1) });
        }
    }
}

// The path.

#[test]
fn a_smaller_mtu_cuts_anew_what_is_in_flight_and_what_is_queued() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(15_000);
        assert_eq!((rig.sent().len(), rig.octets_sent()), (10, 10_000));
        let (cwnd, ssthresh) = (rig.connection.info().cwnd, rig.connection.info().ssthresh);
        rig.does(Event::Mtu(576));
        let sizes: Vec<usize> = rig.sent().iter().map(|segment| segment.payload.len()).collect();
        assert!(sizes.iter().all(|size| *size <= 536), "{sizes:?}");
        assert_eq!(rig.sent()[0].seq, rig.snd(1));
        assert!(rig.octets_sent() > 9000, "no loss was signalled to the congestion window: {sizes:?}");
        let info = rig.connection.info();
        assert_eq!((info.eff_snd_mss, info.cwnd, info.ssthresh), (536, cwnd, ssthresh));
    });
}

#[test]
fn a_packet_too_big_does_the_same_and_is_reported() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(3000);
        let quoted_seq = rig.snd(1001);
        let too_big = |mtu| Event::Icmp { kind: IcmpKind::PacketTooBig, quoted_seq, mtu };
        assert_eq!(rig.does(too_big(1500)), ""); // not smaller than what we use
        assert_eq!(rig.does(too_big(9000)), "");
        let told = rig.does(too_big(576));
        assert!(told.starts_with("Report(PathMtu(576)); <SEQ=1><ACK=1><DATA=536><CTL=ACK>; "), "{told}");
        assert_eq!(rig.does(too_big(300)), ""); // one a round trip (RFC 5927 §7)
        rig.wait(ms(500));
        assert_eq!(rig.does(too_big(1)), ""); // no IPv4 link is narrower than 68: no router can mean that (RFC 5927 §7.4)
        let told = rig.does(too_big(68));
        assert!(told.starts_with("Report(PathMtu(68)); <SEQ=1><ACK=1><DATA=28><CTL=ACK>; "), "{told}");
    });
}

#[test]
fn a_larger_mtu_is_used_as_far_as_the_peer_allows() {
    let mut rig = At::default().established();
    rig.does(Event::Mtu(576));
    rig.does(Event::Mtu(9000));
    assert_eq!(rig.connection.info().eff_snd_mss, 1000);
    rig.send(3000);
    assert!(rig.sent().iter().all(|segment| segment.payload.len() == 1000));
}

/// The options of a segment take from its text (MUST-16).
#[test]
fn options_take_from_the_text() {
    let mut rig = At::default().with_options().established();
    rig.send(2000);
    assert_eq!(rig.sent()[0].payload.len(), 988);
    rig.arrives(rig.text(11, 1, "held"));
    rig.does(Event::Set(Knob::Nagle(false)));
    rig.arrives(rig.ack(1, 2001));
    rig.send(3000);
    let first = &rig.sent()[0];
    assert_eq!((first.payload.len(), first.options.sack().len()), (976, 1));
}

/// Segments that are dropped below are lost segments, nothing worse.
#[test]
fn a_dropped_transmit_is_repaired() {
    let mut rig = At::default().established();
    rig.send(5000); // all dropped by the host
    assert_eq!(rig.until(Timer::Retransmit), Some(Duration::from_secs(1)));
    assert_eq!(rig.fire(Timer::Retransmit), "<SEQ=1><ACK=1><DATA=1000><CTL=ACK>");
    assert!(rig.last.iter().any(|action| matches!(action, Action::SetTimer(Timer::Retransmit, _))));
}

/// Not even an event that owes an acknowledgment of its own and a retransmission.
#[test]
fn a_retransmission_and_a_pure_acknowledgment_keep_to_the_burst() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.max_burst(1)).established();
        rig.send(5000);
        for _ in 0..4 {
            rig.does(Event::Continue);
        }
        for _ in 0..3 {
            rig.arrives(rig.ack(1, 1));
            assert!(rig.sent().len() <= 1, "{}", rig.said());
        }
        let told = rig.arrives(rig.text(100, 1001, "out of order, and a partial acknowledgment"));
        assert_eq!(told, "Acked(1000); <SEQ=5001><ACK=1><CTL=ACK>; MorePending");
        assert_eq!(rig.does(Event::Continue), "<SEQ=1001><ACK=1><DATA=1000><CTL=ACK>");
    });
}
