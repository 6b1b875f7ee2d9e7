//! Rounds, trains and thresholds of HyStart++.

use super::*;
use alloc::vec::Vec;

const MSS: u32 = 1000;

/// An acknowledgment of `octets` of `flight`.
fn ack(octets: u32, flight: u32, rtt_us: Option<u32>, at_us: u64) -> Acked {
    Acked { rtt_us, ..Acked::new(octets, flight, Instant::from_micros(at_us)) }
}

/// One round: a window is sent and acknowledged segment by segment with these round-trip times, before the next one
/// is sent. Returns what each acknowledgment added, and whether slow start ended.
fn round(hystart: &mut HyStart, rtts_us: &[u32]) -> (Vec<u32>, bool) {
    let mut flight = u32::try_from(rtts_us.len()).unwrap() * MSS;
    let mut ended = false;
    let grown = rtts_us.iter().map(|us| {
        assert!(!ended, "slow start ended before the round did");
        let growth = hystart.on_ack(&ack(MSS, flight, Some(*us), 0), MSS, false);
        ended = growth.ends;
        flight -= MSS;
        growth.octets
    });
    (grown.collect(), ended)
}

fn flat(acks: usize, us: u32) -> Vec<u32> {
    alloc::vec![us; acks]
}

fn is_conservative(hystart: &HyStart) -> bool {
    matches!(hystart.phase, Phase::Conservative { .. })
}

#[test]
fn a_round_ends_when_what_was_outstanding_at_its_start_is_acknowledged() {
    let mut hystart = HyStart::new();
    for acked in 1..=10 {
        hystart.on_ack(&ack(MSS, 10 * MSS, None, 0), MSS, false);
        assert_eq!(hystart.left, if acked == 10 { 9 * MSS } else { (10 - acked) * MSS });
    }
    hystart.on_ack(&ack(9 * MSS, 12 * MSS, None, 0), MSS, false); // 3 are outstanding before the reaction to it is sent
    assert_eq!(hystart.left, 3 * MSS);
    hystart.on_ack(&ack(3 * MSS, 3 * MSS, None, 0), MSS, false);
    assert_eq!(hystart.left, 0); // nothing is: the next round is the next text sent
    hystart.on_ack(&ack(MSS, 5 * MSS, None, 0), MSS, false);
    assert_eq!(hystart.left, 4 * MSS);
}

/// The threshold is an eighth of the last round's minimum, between 4 and 16 ms; exactly it is enough, 1 us less is
/// not.
#[test]
fn the_threshold_is_exact() {
    for (last, thresh) in [(8_000, 4_000), (32_000, 4_000), (40_000, 5_000), (128_000, 16_000), (400_000, 16_000)] {
        for (grown, leaves) in [(thresh - 1, false), (thresh, true)] {
            let mut hystart = HyStart::new();
            round(&mut hystart, &flat(10, last));
            round(&mut hystart, &flat(10, last + grown));
            assert_eq!(is_conservative(&hystart), leaves, "{last} us grown by {grown}");
        }
    }
}

/// Acknowledgments every `gap_us` for `train_us`, after a pause, with this round trip; SRTT is as large.
fn train_of(hystart: &mut HyStart, rtt_us: u32, paced: bool, (start_us, gap_us, train_us): (u64, u64, u64)) {
    for at in (start_us..=start_us + train_us).step_by(usize::try_from(gap_us).unwrap()) {
        let acked = Acked { srtt_us: Some(rtt_us), ..ack(MSS, 1000 * MSS, Some(rtt_us), at) };
        hystart.on_ack(&acked, MSS, paced);
    }
}

/// The same without pacing; the round trip is 40 ms.
fn train(hystart: &mut HyStart, start_us: u64, gap_us: u64, train_us: u64) {
    train_of(hystart, 40_000, false, (start_us, gap_us, train_us));
}

/// The rounds of a path whose round trip is 1 ms are no train: a pause of 0.9 ms is between them. So with 50 us.
#[test]
fn rounds_of_a_short_round_trip_are_no_train() {
    for (rtt, gap) in [(1_000, 5), (1_900, 5), (50, 1)] {
        let mut hystart = HyStart::new();
        for round in 0..100 {
            train_of(&mut hystart, rtt, false, (round * u64::from(rtt), gap, u64::from(rtt / 10)));
            assert!(!is_conservative(&hystart), "round {round} of {rtt} us");
        }
    }
}

/// All times are in proportion to the round trip.
#[test]
fn a_train_is_judged_alike_at_every_scale() {
    for rtt in [16, 50, 200, 1_000, 1_900, 16_000, 100_000, 600_000] {
        let (whole, eighth) = (u64::from(rtt), u64::from(rtt / 8));
        for (gap, length, paced, leaves) in [
            (eighth, whole / 2, false, false),
            (eighth, whole / 2 + eighth, false, true),
            (eighth + 1, 4 * whole, false, false),
            (1, whole / 2 + 1, false, true),
            (1, whole * 2 / 3, true, false), // a whole window of slow start, as the pacer sends it
            (1, whole - whole / 4, true, false),
            (1, whole - whole / 4 + 1, true, true),
            (eighth + 1, 4 * whole, true, false),
        ] {
            let mut hystart = HyStart::new();
            train_of(&mut hystart, rtt, paced, (0, gap, length));
            assert_eq!(is_conservative(&hystart), leaves, "{length} of {rtt} us, gaps of {gap}, paced: {paced}");
        }
    }
}

/// The pacer spreads a window over SRTT, not over the smallest round trip.
#[test]
fn a_paced_train_is_compared_with_srtt() {
    let lengths = [(30_001, true), (30_000, false)].map(|(at, leaves)| (20_000, at, leaves));
    for (srtt, at, leaves) in lengths.into_iter().chain([(80_000, 60_000, false), (80_000, 60_001, true)]) {
        let mut hystart = HyStart::new();
        for at in (0..at).step_by(4000).chain([at]) {
            let acked = Acked { srtt_us: Some(srtt), ..ack(MSS, 1000 * MSS, Some(40_000), at) };
            hystart.on_ack(&acked, MSS, true);
        }
        assert_eq!(is_conservative(&hystart), leaves, "{at} us with an SRTT of {srtt}");
    }
}

/// A train, and then a round whose smallest delay is larger by RttThresh: no chance. Slow start ends with that
/// round; with pacing at once.
#[test]
fn delay_and_train_together_end_slow_start() {
    for (grown, agree) in [(4_999, false), (5_000, true)] {
        for paced in [false, true] {
            let mut hystart = HyStart::new();
            train_of(&mut hystart, 40_000, paced, (0, 1_000, 31_000));
            assert!(is_conservative(&hystart));
            (hystart.left, hystart.current_min_us, hystart.samples) = (0, INFINITY, 0); // a round begins
            let mut ends = (0..16_u32).map(|n| {
                let acked = ack(MSS, (16 - n) * MSS, Some(40_000 + grown), 1_000_000);
                hystart.on_ack(&acked, MSS, paced).ends
            });
            let ends = ends.position(|ends| ends);
            let expected = if paced { 7 } else { 15 };
            assert_eq!(ends, agree.then_some(expected), "{grown} us, paced: {paced}");
        }
    }
}

/// A user that writes a little now and then makes a train of any length, and nothing of it tells of the path.
#[test]
fn a_train_of_what_the_application_wrote_does_not_count() {
    let mut hystart = HyStart::new();
    for at in (0..400_000).step_by(2_000) {
        let acked = Acked { application_limited: true, ..ack(200, 4_000, Some(40_000), at) };
        assert!(!hystart.on_ack(&acked, MSS, false).ends);
        assert!(!is_conservative(&hystart), "at {at} us");
    }
    train(&mut hystart, 400_000, 1_000, 20_000); // half of the round trip
    assert!(!is_conservative(&hystart), "its own train, not one with what came before");
    train(&mut hystart, 421_000, 1_000, 1_000);
    assert!(is_conservative(&hystart));
    // where it left a part of the window unused, what follows is spread as it was
    let mut spread = HyStart::new();
    spread.on_ack(&Acked { application_limited: true, window_limited: false, ..ack(200, 400, None, 0) }, MSS, false);
    train(&mut spread, 1_000, 1_000, 40_000);
    assert!(!is_conservative(&spread));
    // a slow start that became conservative before does not end while the application is the limit
    let limited = Acked { application_limited: true, ..ack(MSS, MSS, None, 500_000) };
    assert!((0..20).all(|_| !hystart.on_ack(&limited, MSS, false).ends));
}

/// After a paced train nothing is added in its round and the next, then a quarter; without pacing a quarter at
/// once.
#[test]
fn a_paced_train_holds_the_window_for_two_rounds() {
    for (paced, expected) in [(true, [0, 0, MSS / 4, MSS / 4]), (false, [MSS / 4; 4])] {
        let mut hystart = HyStart::new();
        train_of(&mut hystart, 40_000, paced, (0, 1_000, 31_000));
        let mut added = expected.map(|_| {
            let growth = hystart.on_ack(&ack(MSS, 2 * MSS, Some(40_000), 1_000_000), MSS, paced).octets;
            hystart.left = MSS; // the next one ends the round
            hystart.on_ack(&ack(MSS, 2 * MSS, Some(40_000), 1_000_000), MSS, paced);
            growth
        });
        added.sort_unstable();
        assert_eq!(added, expected, "paced: {paced}");
    }
}

/// The other way round: the delay grew first.
#[test]
fn a_train_after_the_delay_grew_ends_slow_start() {
    let mut hystart = HyStart::new();
    round(&mut hystart, &flat(10, 40_000));
    round(&mut hystart, &flat(10, 50_000));
    assert!(is_conservative(&hystart));
    train_of(&mut hystart, 50_000, false, (1_000_000, 1_000, 26_000));
    assert_eq!(hystart.phase, Phase::Full);
}

#[test]
fn a_train_longer_than_half_of_the_round_trip_ends_standard_slow_start() {
    for (gap, length, leaves) in [
        (1_000, 20_000, false),
        (1_000, 21_000, true),
        (5_000, 25_000, true), // an eighth of the round trip is no gap
        (5_001, 40_008, false),
    ] {
        let mut hystart = HyStart::new();
        train(&mut hystart, 0, 1_000, 15_000);
        train(&mut hystart, 40_000, gap, length); // a train of its own
        assert_eq!(is_conservative(&hystart), leaves, "{length} us with gaps of {gap}");
    }
}

#[test]
fn the_eighth_sample_of_a_round_decides() {
    let mut hystart = HyStart::new();
    round(&mut hystart, &flat(10, 40_000));
    let (grown, _) = round(&mut hystart, &flat(12, 50_000));
    assert_eq!(grown[..8], [MSS; 8]); // each acknowledgment grows by the phase it finds
    assert_eq!(grown[8..], [MSS / 4; 4]);
    let mut hystart = HyStart::new();
    round(&mut hystart, &flat(10, 40_000));
    round(&mut hystart, &flat(7, 50_000));
    assert!(!is_conservative(&hystart));
    let mut hystart = HyStart::new();
    for _ in 0..30 {
        hystart.on_ack(&ack(MSS, 10 * MSS, None, 0), MSS, false);
    }
    assert_eq!((hystart.samples, is_conservative(&hystart)), (0, false)); // no sample, no judgement
}

#[test]
fn one_small_sample_in_a_round_keeps_it_in_slow_start() {
    let mut hystart = HyStart::new();
    round(&mut hystart, &flat(10, 40_000));
    round(&mut hystart, &[60_000, 60_000, 41_000, 60_000, 60_000, 60_000, 60_000, 60_000, 60_000, 60_000]);
    assert!(!is_conservative(&hystart));
}

/// It begins in the middle of a round; that one is the first of five.
#[test]
fn conservative_slow_start_lasts_five_rounds_with_the_partial_one() {
    let mut hystart = HyStart::new();
    round(&mut hystart, &flat(10, 40_000));
    let ends: Vec<_> = (0..5).map(|_| round(&mut hystart, &flat(16, 50_000)).1).collect();
    assert_eq!(ends, [false, false, false, false, true]);
}

/// A user that writes little does not fill the window, which says nothing of the path: slow start ends with the first
/// round that does, however many there were.
#[test]
fn rounds_of_a_user_that_writes_little_are_counted_without_end() {
    let mut hystart = HyStart::new();
    round(&mut hystart, &flat(10, 40_000));
    assert!(!round(&mut hystart, &flat(16, 50_000)).1);
    for _ in 0..1000 {
        let acked = Acked { application_limited: true, ..ack(MSS, MSS, Some(50_000), 0) };
        assert!(!hystart.on_ack(&acked, MSS, false).ends);
    }
    assert!(hystart.on_ack(&ack(MSS, MSS, Some(50_000), 0), MSS, false).ends);
}

#[test]
fn a_delay_that_shrinks_again_resumes_slow_start_and_starts_over() {
    let mut hystart = HyStart::new();
    round(&mut hystart, &flat(10, 40_000));
    for _ in 0..4 {
        round(&mut hystart, &flat(16, 60_000));
    }
    let (grown, ended) = round(&mut hystart, &flat(16, 59_999)); // below the baseline of 60 ms
    assert_eq!((grown[7], grown[8], ended), (MSS / 4, MSS, false));
    assert!((0..9).all(|_| !round(&mut hystart, &flat(16, 59_999)).1)); // measured against the last round again
    let five = (0..5).map(|_| round(&mut hystart, &flat(16, 80_000)).1).collect::<Vec<_>>();
    assert_eq!(five, [false, false, false, false, true]); // none of the earlier rounds counts
}

#[test]
fn one_acknowledgment_adds_at_most_l() {
    assert_eq!(HyStart::new().on_ack(&ack(100 * MSS, 200 * MSS, None, 0), MSS, false).octets, 8 * MSS);
    assert_eq!(HyStart::new().on_ack(&ack(100 * MSS, 200 * MSS, None, 0), MSS, true).octets, 100 * MSS);
    let mut hystart = HyStart::new();
    round(&mut hystart, &flat(10, 40_000));
    round(&mut hystart, &flat(8, 50_000));
    assert_eq!(hystart.on_ack(&ack(100 * MSS, 200 * MSS, None, 0), MSS, false).octets, 2 * MSS); // L, then a quarter
}
