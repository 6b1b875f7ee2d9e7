//! Recovery by SACK without RACK (RFC 6675). The RFC has no worked example: these scenarios are ours.

use segue::Timer;

use super::bench::{Bench, everywhere, without_rack};

/// §4, IsLost: three ranges above it, of whatever size.
#[test]
fn three_ranges_above_are_loss() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_rack());
        bench.send(20);
        bench.at(100);
        assert_eq!(bench.octets(0, &[(1000, 1001), (3000, 3001), (5000, 5001)], None), ""); // nothing arrived whole
        let mut bench = Bench::new(iss, without_rack());
        for _ in 0..10 {
            bench.send_octets(100); // a record each
        }
        bench.at(100);
        assert_eq!(bench.octets(0, &[(100, 200), (300, 400), (500, 600)], None), "0:100");
        assert_eq!(bench.episodes(), (1, 0, 0));
    });
}

/// §4, IsLost: more than (DupThresh - 1) * SMSS octets above it.
#[test]
fn more_than_two_segments_above_are_loss() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_rack());
        bench.send(20);
        bench.at(100);
        assert_eq!(bench.sack(0, &[(1, 3)]), "10 11"); // limited transmit, by what has left
        assert_eq!(bench.episodes(), (0, 0, 0));
        assert_eq!(bench.sack(0, &[(1, 4)]), "0");
        assert_eq!(bench.episodes(), (1, 0, 0));
    });
}

/// §5 (1): three duplicates that report something new each, however little.
#[test]
fn three_duplicates_of_small_segments_are_loss() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_rack());
        for _ in 0..10 {
            bench.send_octets(100);
        }
        bench.at(100);
        for (right, sent) in [(200, ""), (300, ""), (400, "0:100")] {
            assert_eq!(bench.octets(0, &[(100, right)], None), sent);
        }
    });
}

/// NextSeg (1): lost segments, in the order of the stream; no reported ones, and nothing twice.
#[test]
fn next_seg_1_what_is_lost_goes_first() {
    everywhere(|iss| {
        let mut bench = Bench::with_window_20(iss, without_rack());
        bench.send(40);
        bench.wait(100);
        assert_eq!(bench.sack(20, &[(23, 24), (26, 30)]), "20"); // 20 to 22 and, with 26 to 29 above them, 24 and 25
        assert_eq!(bench.sack(20, &[(23, 24), (26, 32)]), "21");
        assert_eq!(bench.sack(20, &[(23, 24), (26, 34)]), "22 24");
        assert_eq!(bench.sack(20, &[(23, 24), (26, 36)]), "25 40");
        assert_eq!(bench.info().counters.retransmissions, 5);
        assert_eq!(bench.episodes(), (1, 0, 0));
    });
}

/// NextSeg (2): then new text.
#[test]
fn next_seg_2_then_what_is_new() {
    everywhere(|iss| {
        let mut bench = Bench::with_window_20(iss, without_rack());
        bench.send(60);
        bench.wait(100);
        assert_eq!(bench.sack(20, &[(21, 24)]), "20");
        assert_eq!(bench.sack(20, &[(21, 26)]), "40");
        assert_eq!(bench.sack(20, &[(21, 28)]), "41");
    });
}

/// NextSeg (3): with nothing new to send, what lies below the highest report, though not enough is reported above it.
#[test]
fn next_seg_3_then_what_may_be_lost() {
    everywhere(|iss| {
        let mut bench = Bench::with_window_20(iss, without_rack());
        bench.send(20);
        bench.wait(100);
        // of four delivered two may go: 20 is lost, of 24 one report above tells too little
        assert_eq!(bench.sack(20, &[(21, 24), (36, 37)]), "20 24");
        assert_eq!(bench.sack(20, &[(25, 28), (36, 37), (21, 24)]), "28"); // 7000 delivered: 3500 may go in all
        assert_eq!(bench.sack(20, &[(25, 28), (36, 37), (21, 24)]), "");
        bench.wait(100);
        bench.ack(40);
        assert_eq!(bench.episodes(), (1, 0, 0));
    });
}

/// NextSeg (4): one rescue of the last segment, once something beyond the first retransmission is acknowledged.
#[test]
fn next_seg_4_one_rescue_in_an_episode() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_rack());
        assert_eq!(bench.send(8), "0 1 2 3 4 5 6 7");
        bench.at(100);
        assert_eq!(bench.sack(0, &[(1, 4)]), "0"); // 5 to 7 are lost as well, and nothing tells
        bench.at(200);
        assert_eq!(bench.sack(0, &[(1, 5)]), ""); // HighACK is not greater than RescueRxt
        assert_eq!(bench.ack(5), "7"); // a partial acknowledgment: the rescue
        assert_eq!(bench.info().counters.retransmissions, 2);
        bench.at(300);
        assert_eq!(bench.sack(5, &[(7, 8)]), "5 6"); // rule (3): they lie below a report
        bench.at(400);
        bench.ack(8);
        assert_eq!((bench.episodes(), bench.info().flight), ((1, 0, 0), 0));
    });
}

/// NextSeg (4): no rescue before HighACK is greater than RescueRxt, though the window has room.
#[test]
fn no_rescue_before_the_first_retransmission_is_answered() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_rack());
        bench.send(10);
        bench.at(100);
        assert_eq!(bench.sack(0, &[(6, 9)]), "0 1 2");
        bench.at(200);
        assert_eq!(bench.sack(0, &[(1, 3), (6, 9)]), "3 4");
        bench.at(300);
        assert_eq!(bench.sack(0, &[(1, 5), (6, 9)]), "5"); // 9 could go too
        assert_eq!(bench.sack(5, &[(6, 9)]), "9");
    });
}

/// The rescue is single: new text that comes later in the episode gets none.
#[test]
fn a_second_rescue_waits_for_the_next_episode() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_rack());
        bench.send(8);
        bench.at(100);
        bench.sack(0, &[(1, 4)]);
        bench.at(200);
        assert_eq!(bench.ack(5), "7");
        assert_eq!(bench.send(1), "8");
        bench.at(210);
        assert_eq!(bench.ack(6), "");
        assert_eq!(bench.info().counters.retransmissions, 2);
    });
}

/// §5: losses of one flight reduce the window once, and (A) what comes after RecoveryPoint may do so again.
#[test]
fn one_flight_one_reduction() {
    everywhere(|iss| {
        let mut bench = Bench::with_window_20(iss, without_rack());
        bench.send(100);
        bench.wait(100);
        bench.sack(20, &[(21, 24)]);
        let (_, ssthresh) = bench.windows();
        bench.sack(20, &[(21, 24), (26, 30)]);
        bench.sack(24, &[(26, 34)]);
        bench.sack(25, &[(26, 40)]);
        assert_eq!((bench.episodes(), bench.windows().1), ((1, 0, 0), ssthresh));
        bench.wait(100);
        bench.ack(41); // RecoveryPoint and one more
        assert_eq!((bench.episodes().0, bench.windows().1), (1, ssthresh));
        bench.wait(100);
        bench.sack(41, &[(42, 45)]);
        assert_eq!(bench.episodes(), (2, 0, 0));
    });
}

/// §5.1: after a timeout in recovery everything goes again in slow start, and no fast recovery begins below HighData.
#[test]
fn a_timeout_ends_recovery_and_no_other_begins_below_its_point() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_rack());
        bench.send(10);
        bench.at(100);
        bench.sack(0, &[(1, 4)]);
        let rto = bench.until(Timer::Retransmit).unwrap();
        let clock = bench.clock();
        assert_eq!(bench.fire(Timer::Retransmit, clock + rto), "0");
        assert_eq!(bench.info().cwnd, 1000);
        bench.wait(100);
        assert_eq!(bench.sack(4, &[]), "4 5");
        for n in 6..9 {
            bench.sack(4, &[(5, n)]);
        }
        assert_eq!(bench.episodes(), (1, 1, 0));
    });
}

/// RFC 5681 §4.3: what was sent after the reduction is lost as well, and that is another indication of congestion: the second
/// reduction comes when the first recovery ends.
#[test]
fn rfc_5681_4_3_loss_in_two_successive_windows_reduces_twice() {
    everywhere(|iss| {
        for config in [super::bench::sack(), without_rack()] {
            let mut reduced = [true, false].map(|again| {
                let mut bench = Bench::with_window_20(iss, config);
                bench.send(100);
                bench.wait(100);
                (21..40).for_each(|n| drop(bench.sack(20, &[(21, n + 1)])));
                assert_eq!((bench.episodes(), bench.windows().1), ((1, 0, 0), 10_000));
                bench.wait(100);
                let last = if again { 44 } else { 49 }; // RecoveryPoint is the 42nd
                bench.sack(20, &[(21, last), (45, 49)]);
                assert_eq!(bench.windows().1, 10_000, "the first recovery goes on");
                bench.sack(last, &[(45, 49)]);
                bench.windows().1
            });
            reduced.sort_unstable();
            assert!(reduced[0] <= 5000 && reduced[1] == 10_000, "{reduced:?}");
        }
    });
}

/// RFC 6675 §5 (A): what was reported above RecoveryPoint is known when recovery is over, though the ACK that ends it does not
/// repeat it.
#[test]
fn rfc_6675_5_reports_outlive_the_recovery() {
    everywhere(|iss| {
        let mut bench = Bench::with_window_20(iss, without_rack());
        bench.send(100);
        bench.wait(100);
        (21..40).for_each(|n| drop(bench.sack(20, &[(21, n + 1)])));
        bench.wait(100);
        bench.log.clear();
        bench.sack(20, &[(21, 44), (45, 49)]); // RecoveryPoint is the 42nd
        bench.ack(44);
        bench.wait(100);
        bench.ack(49);
        let again: Vec<_> =
            bench.log.iter().map(|(_, word)| word.parse::<u32>().unwrap()).filter(|n| *n < 49).collect();
        assert_eq!(again, [44]);
    });
}

/// RFC 2018 §3: a block lies above the cumulative acknowledgment. One that begins at SND.UNA contradicts it and tells nothing.
#[test]
fn a_block_that_begins_at_the_acknowledgment_tells_nothing() {
    for config in [super::bench::sack(), without_rack()] {
        everywhere(|iss| {
            let mut bench = Bench::new(iss, config);
            bench.send(10);
            bench.at(100);
            for to in 1..=10 {
                assert_eq!(bench.sack(0, &[(0, to)]), "");
            }
            assert_eq!((bench.info().counters.duplicate_acks, bench.episodes()), (0, (0, 0, 0)));
            assert_eq!(bench.sack(0, &[(1, 2)]), if bench.info().snd_nxt == bench.seq(10_000) { "" } else { "10" });
            assert_eq!(bench.info().counters.duplicate_acks, 1);
        });
    }
}
