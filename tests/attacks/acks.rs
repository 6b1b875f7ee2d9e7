//! E: what acknowledgments can be abused for.

use std::time::Duration;

use segue::{Event, Knob, Segment, State, Timer, Timestamps};
use segue_kit::rig::{At, Rig, everywhere};
use segue_kit::{EDGES, ms, secs};

/// A sender in the middle of a transfer, ten segments in flight.
fn sender(at: At) -> Rig {
    let mut rig = at.established();
    rig.wait(ms(50));
    rig.send(200_000);
    assert_eq!(rig.octets_sent(), 10_000);
    rig.wait(ms(50));
    rig
}

#[test]
fn e1_division_of_acks_opens_no_faster() {
    everywhere(|at| {
        let (mut whole, mut split) = (sender(at), sender(at));
        whole.arrives(whole.ack(1, 1001));
        for ack in (11..=1001).step_by(10) {
            split.arrives(split.ack(1, ack));
        }
        assert_eq!(whole.connection.info().cwnd, 11_000);
        assert!(split.connection.info().cwnd <= 11_000);
    });
}

#[test]
fn e1_division_of_acks_in_congestion_avoidance() {
    everywhere(|at| {
        let mut rig = sender(at);
        rig.wait(secs(2));
        rig.call_timer(Timer::Retransmit);
        let ssthresh = rig.connection.info().ssthresh;
        let mut una = 1;
        while rig.connection.info().cwnd < ssthresh {
            una = i64::from(rig.connection.info().snd_una - rig.snd(0)) + 1000;
            rig.arrives(rig.ack(1, una));
        }
        let before = rig.connection.info().cwnd;
        for i in 1..=500 {
            rig.arrives(rig.ack(1, una + i));
        }
        assert!(rig.connection.info().cwnd <= before + 1000, "500 octets are no window");
    });
}

/// "300 duplicate ACKs": the window is cut once, and inflated by no more than the flight.
#[test]
fn e2_duplicate_acks_without_end_cut_once_and_open_nothing() {
    everywhere(|at| {
        let mut rig = sender(at);
        let nxt = |rig: &Rig| i64::from(rig.connection.info().snd_nxt - rig.snd(0));
        for _ in 0..300 {
            rig.arrives(rig.ack(1, 1));
        }
        let info = rig.connection.info();
        assert_eq!((info.counters.fast_retransmits, info.ssthresh), (1, 7000)); // 0.7 of the window (RFC 9438 §4.6)
        assert!(nxt(&rig) <= 60_001, "never beyond the peer's window");
        rig.arrives(rig.ack(1, nxt(&rig)));
        assert!(rig.connection.info().cwnd <= 7000, "what duplicates inflated is gone: {:?}", rig.connection.info());
    });
}

/// Inflation is bounded by what can have left the network: each duplicate stands for a segment that was in flight.
#[test]
fn e2_duplicates_beyond_what_is_in_flight_inflate_nothing() {
    everywhere(|at| {
        let mut rig = sender(at);
        for _ in 0..12 {
            rig.arrives(rig.ack(1, 1)); // ten were in flight, two more left by limited transmit
        }
        let honest = rig.connection.info().snd_nxt;
        for _ in 0..300 {
            rig.arrives(rig.ack(1, 1));
        }
        let spoofed = rig.connection.info().snd_nxt - honest;
        assert!(spoofed <= 12_000, "{spoofed} octets for duplicates of segments that were never sent");
    });
}

#[test]
fn e3_an_optimistic_ack_opens_no_more_than_what_was_sent() {
    everywhere(|at| {
        let mut rig = sender(at);
        let mut sent = 10_000;
        for _ in 0..5 {
            let nxt = i64::from(rig.connection.info().snd_nxt - rig.snd(0));
            rig.arrives(rig.ack(1, nxt));
            let info = rig.connection.info();
            assert!(info.cwnd as usize <= 10_000 + sent && info.flight <= 60_000);
            sent += rig.octets_sent();
        }
    });
}

/// smoltcp e798dfdd.
#[test]
fn e4_a_window_that_shrinks_below_what_is_in_flight() {
    everywhere(|at| {
        for window in [0u16, 1, 500, 5000] {
            let mut rig = sender(at);
            rig.window = window;
            assert_eq!(rig.arrives(rig.ack(1, 1001)), "Acked(1000)");
            let info = rig.connection.info();
            assert_eq!((info.snd_wnd, info.flight), (u32::from(window), 9000));
            let (timer, _) = rig.connection.next_deadline().expect("it goes on");
            assert_eq!(timer, if window == 0 { Timer::Persist } else { Timer::Retransmit });
            rig.fire(timer);
            let most = usize::from(window).max(1);
            assert!((1..=most).contains(&rig.octets_sent()), "window {window}: {}", rig.said());
            rig.window = 60_000;
            rig.arrives(rig.ack(1, 1001));
            let mut turns = 0;
            while rig.connection.info().snd_una != rig.snd(10_001) {
                let una = i64::from(rig.connection.info().snd_una - rig.snd(0));
                rig.arrives(rig.ack(1, (una + 1000).min(10_001)));
                turns += 1;
                assert!(turns < 20);
            }
        }
    });
}

/// Sockstress: bounded by the user timeout once the user is gone (a user who stays may wait as long as probes are
/// answered).
#[test]
fn e5_a_window_closed_for_ever() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(100);
        rig.window = 0;
        rig.arrives(rig.ack(1, 1));
        rig.does(Event::Release);
        let mut probes = 0;
        while rig.state() != State::Closed {
            let (timer, _) = rig.connection.next_deadline().expect("something is pending");
            rig.fire(timer);
            probes += rig.sent().len();
            if rig.state() != State::Closed {
                rig.arrives(rig.ack(1, 1));
            }
        }
        assert!(probes <= 12, "{probes} probes in 300 s");
    });
}

#[test]
fn e6_a_window_of_one_octet_for_ever_makes_progress() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.window = 1;
        rig.arrives(rig.ack(1, 1));
        rig.send(20);
        let mut una = 1;
        while una < 21 {
            let (timer, _) = rig.connection.next_deadline().expect("something is pending");
            rig.fire(timer);
            assert!(rig.octets_sent() <= 1);
            una += rig.octets_sent() as i64;
            rig.arrives(rig.ack(1, una));
        }
        assert!(rig.now.saturating_since(at.start) < secs(10));
        rig.fire(Timer::Idle);
        assert_eq!(rig.deadlines(), []);
    });
}

/// smoltcp 1ee7a056: echoes that prove nothing measure nothing.
#[test]
fn e9_wild_echoes_measure_nothing() {
    everywhere(|at| {
        let at = at.with_options().with(|config| config.rack(false)); // no probe before the timeout
        let echoes = [0u32, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX];
        for echo in echoes {
            let mut rig = at.established();
            rig.send(1000);
            rig.wait(secs(2));
            rig.call_timer(Timer::Retransmit); // Karn: only an echo could measure now
            let before = (rig.connection.info().srtt, rig.connection.info().rttvar);
            let mut ack = rig.ack(1, 1001);
            ack.options.update(|options| options.timestamps = Some(Timestamps { value: 100, echo }));
            rig.arrives(ack);
            let info = rig.connection.info();
            assert_eq!((info.srtt, info.rttvar), before, "echo {echo}");
            assert!(info.rto <= secs(60));
        }
    });
}

/// CVE-2005-0356.
#[test]
fn e10_paws_is_not_poisoned() {
    everywhere(|at| {
        let mut rig = at.with_options().established();
        let poison = rig.peer_clock.wrapping_add(0x7000_0000);
        let stamped = |rig: &Rig, segment: Segment, value| {
            let mut segment = segment;
            segment
                .options
                .update(|options| options.timestamps = Some(Timestamps { value, echo: rig.at.secrets().ts_offset }));
            segment
        };
        // Outside the window, with a bad ACK, a SYN, a reset, text ahead of a gap: TS.Recent stays.
        for segment in [
            rig.octets(50_000, 1, 5),
            rig.text(1, 999, "evil"),
            rig.syn(segue_kit::rig::SYN),
            rig.rst(5),
            rig.text(50, 1, "early"),
        ] {
            let segment = stamped(&rig, segment, poison);
            rig.arrives(segment);
        }
        assert_eq!(rig.arrives(rig.text(1, 1, "good")), "Deliver \"good\"; <SEQ=1><ACK=5><CTL=ACK>");
        assert_eq!(rig.only().options.timestamps().map(|ts| ts.echo), Some(100));
    });
}

#[test]
fn e10_a_clock_of_an_idle_connection_expires() {
    let mut rig = At::default().with_options().established();
    rig.wait(Duration::from_secs(24 * 24 * 3600) - ms(1));
    rig.peer_clock -= 1;
    rig.unmoved(rig.text(1, 1, "old"), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(Paws)");
    rig.wait(ms(1));
    assert_eq!(rig.arrives(rig.text(1, 1, "new")), "Deliver \"new\"");
}

#[test]
fn e10_a_reset_needs_no_clock() {
    everywhere(|at| {
        let mut rig = at.with_options().established();
        let mut reset = rig.rst(1);
        reset.options.update(|options| options.timestamps = None);
        assert_eq!(rig.arrives(reset), "Closed(Reset)");
    });
}

#[test]
fn e11_a_missing_clock_is_dropped_in_silence() {
    everywhere(|at| {
        let mut rig = at.with_options().established();
        let mut segment = rig.text(1, 1, "abc");
        segment.options.update(|options| options.timestamps = None);
        rig.unmoved(segment, "Discarded(MissingTimestamp)");
    });
}

#[test]
fn e13_back_off_is_bounded_for_ever() {
    for iss in EDGES {
        let mut rig = At { iss, ..At::default() }.with(|config| config.user_timeout(None)).established();
        rig.send(1);
        for _ in 0..2000 {
            rig.fire(Timer::Retransmit);
            assert!(rig.connection.info().rto <= secs(60));
        }
        assert_eq!(rig.connection.info().rto, secs(60));
        let mut rig = At { iss, ..At::default() }.established();
        rig.window = 0;
        rig.arrives(rig.ack(1, 1));
        rig.send(1);
        for _ in 0..2000 {
            rig.fire(Timer::Persist);
            assert!(rig.until(Timer::Persist).is_some_and(|wait| wait <= secs(60)));
            rig.arrives(rig.ack(1, 1));
        }
    }
}

/// "RTO collapse": whatever round trips come, the RTO has its floor.
#[test]
fn e13_the_rto_does_not_collapse() {
    let mut rig = At::default().established();
    for i in 1..=100 {
        rig.send(1);
        rig.arrives(rig.ack(1, 1 + i));
        assert_eq!(rig.connection.info().rto, secs(1));
    }
}

/// smoltcp cce9ae77.
#[test]
fn e14_window_updates_are_no_duplicates() {
    everywhere(|at| {
        let mut rig = sender(at);
        for window in 30_000..30_020 {
            rig.window = window;
            rig.arrives(rig.ack(1, 1));
        }
        assert_eq!((rig.connection.info().counters.duplicate_acks, rig.connection.info().ssthresh), (0, u32::MAX));
        // Nor are segments with text.
        for seq in 0..5 {
            rig.arrives(rig.text(1 + seq, 1, "x"));
        }
        assert_eq!(rig.connection.info().counters.duplicate_acks, 0);
    });
}

#[test]
fn e15_an_old_segment_does_not_take_the_window_back() {
    everywhere(|at| {
        let mut rig = sender(at);
        rig.window = 40_000;
        rig.arrives(rig.octets(1, 1001, 100));
        rig.window = 10;
        rig.arrives(rig.ack(1, 1001)); // sent before the text
        assert_eq!(rig.connection.info().snd_wnd, 40_000);
    });
}

/// A forged segment further on in the window says that the peer's window is 0. What the peer says with its next ACK counts all
/// the same, though its numbers are lower as long as it sends no text; a probe brings that ACK.
#[test]
fn e15_a_forged_segment_further_on_closes_the_window_for_one_probe() {
    everywhere(|at| {
        let mut rig = sender(at);
        rig.window = 0;
        rig.arrives(rig.octets(500, 10_001, 1));
        rig.send(3000);
        assert_eq!((rig.info().snd_wnd, rig.info().flight), (0, 0));
        rig.fire(Timer::Persist);
        rig.window = 40_000;
        rig.arrives(rig.ack(1, 10_002));
        assert_eq!(rig.info().snd_wnd, 40_000);
        assert!(rig.info().flight >= 2999, "the transfer goes on");
    });
}

#[test]
fn e16_a_stretched_ack_is_one_ack() {
    everywhere(|at| {
        let mut rig = sender(at);
        rig.arrives(rig.ack(1, 10_001));
        assert_eq!(rig.connection.info().cwnd, 18_000); // RFC 9406 §4.2: min (N, L * SMSS), L = 8
        assert!(rig.sent().len() <= 18);
    });
}

/// Two segments in the wrong order are no loss.
#[test]
fn e16_two_duplicates_retransmit_nothing() {
    everywhere(|at| {
        let mut rig = sender(at);
        rig.arrives(rig.ack(1, 1));
        rig.arrives(rig.ack(1, 1));
        assert_eq!(rig.connection.info().counters.retransmissions, 0);
        rig.arrives(rig.ack(1, 3001));
        rig.arrives(rig.ack(1, 3001));
        rig.arrives(rig.ack(1, 3001));
        assert_eq!(rig.connection.info().counters.fast_retransmits, 0);
    });
}

/// One episode of loss, one reduction: duplicates of what was sent before do not cut again.
#[test]
fn e_one_episode_cuts_once() {
    everywhere(|at| {
        let mut rig = sender(at);
        for _ in 0..5 {
            rig.arrives(rig.ack(1, 1));
        }
        let ssthresh = rig.connection.info().ssthresh;
        for ack in [1001, 2001, 3001] {
            for _ in 0..5 {
                rig.arrives(rig.ack(1, ack)); // partial, each with duplicates
            }
        }
        assert_eq!(rig.connection.info().ssthresh, ssthresh);
        assert_eq!(rig.connection.info().counters.fast_retransmits, 1);
        rig.does(Event::Set(Knob::Nagle(false)));
    });
}
