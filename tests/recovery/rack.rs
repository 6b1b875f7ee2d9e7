//! RACK (RFC 8985 §6).

use segue::Timer;

use super::bench::{Bench, everywhere, ms, sack};

/// RFC 8985 §3.4, Figure 1: a tail of three is lost, and one of the retransmissions too.
#[test]
fn rfc_8985_figure_1_fast_recovery() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        assert_eq!(bench.send(4), "0 1 2 3"); // 1
        bench.at(100);
        assert_eq!(bench.ack(1), ""); // 2
        assert_eq!(bench.fire(Timer::TailLossProbe, 300), "3"); // 3a, 3b: two round trips later
        bench.at(400);
        assert_eq!(bench.sack(1, &[(3, 4)]), "1"); // 5b, 5c: both are lost; PRR lets go one for each that arrives …
        assert_eq!(bench.info().counters.fast_retransmits, 1);
        assert_eq!(bench.until(Timer::TailLossProbe), None);
        bench.at(405);
        assert_eq!(bench.log.len(), 6);
    });
}

/// The end of Figure 1: the delivery of a retransmission tells that one sent before it was lost again, and the window
/// shrinks once.
#[test]
fn rfc_8985_figure_1_lost_retransmission() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        assert_eq!(bench.send(6), "0 1 2 3 4 5");
        bench.at(100);
        assert_eq!(bench.sack(1, &[(3, 6)]), "1 2"); // three are reported: 1 and 2 are lost
        let windows = bench.windows();
        bench.at(200);
        assert_eq!(bench.sack(1, &[(2, 6)]), "1"); // 7a, 7b: the first retransmission of 1 was lost
        bench.at(300);
        assert_eq!(bench.ack(6), "");
        assert_eq!(bench.info().counters.retransmissions, 3);
        assert_eq!((bench.episodes(), bench.windows().1), ((1, 0, 0), windows.1));
    });
}

/// RFC 8985 §3.5: a spurious timeout; of what was sent just before it nothing is lost. The tail-loss probe is out first.
#[test]
fn rfc_8985_3_5_a_timeout_takes_the_first_and_what_is_older_than_a_round_trip() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack().min_rto(ms(1000)));
        assert_eq!(bench.send(1), "0");
        assert_eq!(bench.fire(Timer::TailLossProbe, 240), "0"); // 2 SRTT + 40 ms; the RTO counts from here
        bench.at(1300);
        assert_eq!(bench.send(2), "1 2");
        assert_eq!(bench.fire(Timer::Retransmit, 1340), "0"); // SRTT 100 ms, and 1 s
        bench.at(1350);
        assert_eq!(bench.ack(1), ""); // of the first 0: "would not yet retransmit the second or third segment", …
        assert_eq!(bench.until(Timer::Reorder), None);
        let rto = bench.info().rto.as_millis() as u64;
        assert_eq!(bench.until(Timer::Retransmit), Some(rto)); // … "but rather would re-arm the RTO timer"
        assert_eq!(bench.fire(Timer::Retransmit, 1350 + rto), "1");
    });
}

/// §6.2 step 5, in the same place: the acknowledgment of the retransmission, a round trip later, shows that what was sent
/// before it is lost.
#[test]
fn the_acknowledgment_of_a_retransmission_shows_what_was_lost_before_it() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack().min_rto(ms(1000)));
        bench.send(1);
        bench.fire(Timer::TailLossProbe, 240);
        bench.at(1300);
        bench.send(2);
        bench.fire(Timer::Retransmit, 1340);
        bench.at(1440);
        assert_eq!(bench.ack(1), "1 2");
        assert_eq!(bench.episodes(), (0, 1, 0));
    });
}

/// §6.2 step 4: without reordering seen, min_RTT / 4 before three segments are reported, nothing then.
#[test]
fn three_reports_are_loss_and_fewer_wait_for_a_quarter_of_the_round_trip() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(8);
        bench.at(100);
        assert_eq!(bench.sack(0, &[(1, 2)]), "");
        assert_eq!(bench.until(Timer::Reorder), Some(25));
        bench.at(110);
        assert_eq!(bench.sack(0, &[(1, 3)]), "");
        assert_eq!(bench.until(Timer::Reorder), Some(25)); // RACK.rtt is 110 ms now
        assert_eq!(bench.sack(0, &[(1, 4)]), "0");
        assert_eq!(bench.until(Timer::Reorder), None);

        let mut bench = Bench::new(iss, sack());
        bench.send(8);
        bench.at(100);
        assert_eq!(bench.sack(0, &[(1, 3)]), "");
        assert_eq!(bench.fire(Timer::Reorder, 125), "0");
        assert_eq!(bench.episodes(), (1, 0, 0));
        bench.at(200);
        assert_eq!(bench.sack(0, &[(1, 3)]), ""); // nothing new
        assert_eq!(bench.episodes(), (1, 0, 0));
    });
}

/// The round trip of the handshake is a sample: two segments of the first flight that change places cost nothing.
#[test]
fn the_first_flight_tolerates_reordering() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(10);
        bench.at(100);
        assert_eq!(bench.sack(0, &[(2, 3)]), "");
        assert_eq!(bench.sack(0, &[(2, 4)]), "");
        bench.at(124);
        assert_eq!(bench.ack(4), "");
        assert_eq!(bench.until(Timer::Reorder), None);
        assert_eq!((bench.info().counters.retransmissions, bench.episodes()), (0, (0, 0, 0)));
    });
}

/// Once reordering was seen, three reports are no loss any more; time is.
#[test]
fn after_reordering_only_time_tells() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(10);
        bench.at(100);
        bench.sack(0, &[(1, 2)]);
        bench.ack(2); // 0 came after 1: reordering
        assert_eq!(bench.sack(2, &[(3, 9)]), "");
        assert_eq!(bench.until(Timer::Reorder), Some(25));
        assert_eq!(bench.fire(Timer::Reorder, 125), "2");
        assert_eq!(bench.episodes(), (1, 0, 0));
    });
}

/// What the peer reports as a duplicate. A window of twenty, reordering seen, and the next segment is the one given.
fn reordered(iss: u32) -> (Bench, u32) {
    let mut bench = Bench::with_window_20(iss, sack());
    bench.send(3);
    bench.wait(100);
    bench.sack(20, &[(21, 22)]);
    bench.ack(23);
    (bench, 23)
}

/// How long the reordering window is: the next two segments are sent, and the second one is reported 100 ms later.
fn window_of(bench: &mut Bench, next: u32) -> u64 {
    bench.send(2);
    bench.wait(100);
    bench.sack(next, &[(next + 1, next + 2)]);
    let window = bench.until(Timer::Reorder).expect("it is late");
    bench.ack(next + 2);
    window
}

/// §6.2 step 1: a path has become longer, and after five minutes the smallest round trip is one of the longer.
#[test]
fn rfc_8985_6_2_the_smallest_round_trip_is_of_a_recent_time() {
    everywhere(|iss| {
        let (mut bench, mut next) = reordered(iss);
        let window = |bench: &mut Bench, next: &mut u32| {
            bench.send(2);
            bench.wait(200);
            bench.sack(*next, &[(*next + 1, *next + 2)]);
            let window = bench.until(Timer::Reorder);
            bench.ack(*next + 2);
            *next += 2;
            window
        };
        assert_eq!(window(&mut bench, &mut next), Some(25));
        for _ in 0..4 {
            bench.wait(100_000);
            bench.send(1);
            bench.wait(200);
            next += 1;
            bench.ack(next);
        }
        assert_eq!(window(&mut bench, &mut next), Some(50));
    });
}

/// §6.2 step 4: each round trip with a DSACK makes the window longer by min_RTT / 4, up to SRTT.
#[test]
fn each_round_with_a_duplicate_report_makes_the_window_longer() {
    everywhere(|iss| {
        let (mut bench, mut next) = reordered(iss);
        for (round, expected) in [25, 50, 75, 100, 100, 100].into_iter().enumerate() {
            assert_eq!(window_of(&mut bench, next), expected, "round {round}");
            next += 2;
            bench.send(1);
            bench.wait(100);
            for _ in 0..3 {
                bench.sack(next, &[(next - 1, next)]); // three in one round count once
            }
            next += 1;
            bench.ack(next);
        }
    });
}

/// §6.2 step 4: it stays so for sixteen recoveries, and starts anew then.
#[test]
fn the_longer_window_stays_for_sixteen_recoveries() {
    everywhere(|iss| {
        let (mut bench, mut next) = reordered(iss);
        bench.send(1);
        bench.wait(100);
        bench.sack(next, &[(next - 1, next)]);
        next += 1;
        bench.ack(next);
        for recovery in 0..=16 {
            let longer = if recovery < 16 { 50 } else { 25 };
            bench.send(2);
            bench.wait(100);
            bench.sack(next, &[(next + 1, next + 2)]);
            assert_eq!(bench.until(Timer::Reorder), Some(longer), "recovery {recovery}");
            bench.pass(longer);
            assert_eq!(bench.log.last().unwrap().1, next.to_string());
            bench.wait(100);
            next += 2;
            bench.ack(next);
        }
        assert_eq!(bench.episodes(), (17, 0, 0));
    });
}

/// §6.2 step 2: what came back sooner than the least round trip was sent before its retransmission, and tells nothing
/// of what else was lost.
#[test]
fn the_echo_of_a_spurious_retransmission_is_no_evidence() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(6);
        bench.at(100);
        bench.sack(0, &[(1, 2)]);
        assert_eq!(bench.fire(Timer::Reorder, 125), "0");
        bench.at(130);
        bench.send(2); // 6 and 7, or what the window allows
        bench.at(135);
        bench.ack(2); // the original of 0, 10 ms after it was sent again
        assert_eq!(bench.until(Timer::Reorder), None);
        bench.pass(60);
        assert_eq!(bench.info().counters.retransmissions, 1, "{:?}", bench.log);
    });
}

/// RFC 8985 §9.1 (1): a short flight whose first and last are lost needs no timeout.
#[test]
fn rfc_8985_9_1_first_and_last_of_three() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        for n in 0..3 {
            bench.at(30 * n);
            bench.send(1);
        }
        bench.at(130);
        assert_eq!(bench.sack(0, &[(1, 2)]), "0"); // sent 30 ms before what arrived: late by more than 25 ms
        bench.at(230);
        assert_eq!(bench.ack(2), "2"); // its retransmission was sent after 2
        bench.at(330);
        bench.ack(3);
        assert_eq!((bench.episodes(), bench.info().counters.tail_probes), ((1, 0, 0), 0));
    });
}

/// RFC 8985 §9.1 (3): with reordering seen, two full segments behind a small one are not lost within min_RTT / 4;
/// then they are, and the first goes again at once.
#[test]
fn rfc_8985_9_1_a_small_segment_overtakes() {
    everywhere(|iss| {
        for (late, again) in [(24, 0), (26, 1)] {
            let (mut bench, next) = reordered(iss);
            bench.send_octets(2001);
            bench.wait(100);
            bench.octets(next * 1000, &[(next * 1000 + 2000, next * 1000 + 2001)], None);
            bench.pass(late);
            bench.octets(next * 1000 + 2001, &[], None);
            assert_eq!(bench.info().counters.retransmissions, again);
        }
    });
}

/// RFC 8985 §6.2, step 2: where no round trip was ever measured and no timestamp tells, an acknowledgment of what was sent again
/// may be the original's. The SYN was sent twice, a flight is acknowledged late, and each acknowledgment crosses what it caused.
#[test]
fn without_a_round_trip_what_was_sent_again_proves_nothing() {
    everywhere(|iss| {
        let mut bench = Bench::unmeasured(iss, sack());
        bench.at(10);
        assert_eq!(bench.send(10), "0 1 2 3 4 5 6 7 8 9");
        assert_eq!(bench.fire(Timer::Retransmit, 3010), "0");
        bench.at(3020);
        assert_eq!(bench.ack(1), "1 2"); // RACK.rtt is 0: all was lost (§6.3)
        for _ in 0..100 {
            assert_eq!(bench.sack(1, &[(2, 3)]).split(' ').filter(|sent| *sent == "1").count(), 0);
        }
        for to in 4..=10 {
            bench.sack(1, &[(2, to)]);
        }
        for _ in 0..100 {
            assert_eq!(bench.sack(1, &[(2, 10)]), "");
        }
        assert_eq!(bench.ack(10), "");
        assert_eq!(bench.log.len(), 20, "each once, and once again: {:?}", bench.log);
    });
}

/// A clock that stands still, as a host's may between two ticks: at one instant nothing is overdue, however much is reported.
#[test]
fn while_the_clock_stands_still_nothing_is_lost_twice() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(10);
        let again = |bench: &Bench| bench.log.iter().filter(|(_, sent)| sent == "0").count() - 1;
        for to in 4..=10 {
            bench.sack(0, &[(1, to)]);
        }
        assert_eq!(again(&bench), 0);
        bench.pass(1);
        for _ in 0..100 {
            bench.sack(0, &[(1, 10)]);
        }
        assert_eq!(again(&bench), 1);
        assert_eq!(bench.ack(10), "");
    });
}

/// Reordering seen, at 100 ms; the next segment is 2.
fn late(iss: u32) -> Bench {
    let mut bench = Bench::new(iss, sack().min_rto(ms(1000)));
    bench.send(2);
    bench.at(100);
    bench.sack(0, &[(1, 2)]);
    bench.ack(2);
    bench
}

/// §6.2 step 5: 10 was sent for the first time 10 ms before a retransmission of 8. Its acknowledgment, which came just
/// now, ended the recovery. Nothing is reported, and nothing in flight was sent again; yet 10 is overdue in 25 ms.
fn late_behind_a_retransmission(iss: u32) -> Bench {
    let mut bench = late(iss);
    assert_eq!(bench.send(8), "2 3 4 5 6 7 8 9");
    assert_eq!(bench.fire(Timer::TailLossProbe, 300), "9");
    assert_eq!(bench.fire(Timer::Retransmit, 1400), "2"); // SRTT 100 ms, and 1 s
    assert_eq!(bench.fire(Timer::Retransmit, 3600), "2"); // now nothing of it can be a mistake any more
    bench.at(3700);
    assert_eq!(bench.ack(7), "7 8");
    bench.at(3800);
    assert_eq!(bench.ack(8), "9");
    bench.at(3890);
    assert_eq!(bench.send(1), "10");
    bench.at(3900);
    assert_eq!(bench.sack(8, &[(9, 10)]), "8"); // that retransmission was lost
    bench.at(4000);
    assert_eq!(bench.ack(10), "");
    assert_eq!(bench.until(Timer::Reorder), Some(25));
    bench
}

/// A segment that acknowledges nothing new does not put off overdue retransmissions, neither a bare one nor one with
/// text.
#[test]
fn what_is_late_behind_a_retransmission_is_lost_by_the_reordering_window() {
    everywhere(|iss| {
        for tells_nothing in [|bench: &mut Bench| bench.ack(10), Bench::text_arrives] {
            let mut bench = late_behind_a_retransmission(iss);
            tells_nothing(&mut bench);
            assert_eq!(bench.fire(Timer::Reorder, 4025), "10");
        }
        let mut bench = late_behind_a_retransmission(iss);
        bench.send(1);
        bench.ack(11); // it was late, not lost
        assert_eq!(bench.until(Timer::Reorder), None);
    });
}

/// The same while a recovery from a timeout goes on: 3 was sent shortly before 2 timed out.
#[test]
fn what_is_late_behind_a_timeout_is_lost_by_the_reordering_window() {
    everywhere(|iss| {
        let mut bench = late(iss);
        bench.send(1);
        assert_eq!(bench.fire(Timer::TailLossProbe, 340), "2");
        bench.at(1430);
        assert_eq!(bench.send(1), "3");
        assert_eq!(bench.fire(Timer::Retransmit, 1440), "2");
        bench.at(1540);
        assert_eq!(bench.ack(3), "");
        assert_eq!(bench.ack(3), "");
        assert_eq!(bench.fire(Timer::Reorder, 1565), "3");
    });
}
