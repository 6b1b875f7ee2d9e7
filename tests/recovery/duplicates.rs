//! Recovery without SACK: limited transmit (RFC 3042), fast retransmit (RFC 5681 §3.2), NewReno (RFC 6582).

use segue::Timer;

use super::bench::{Bench, everywhere, sack, without_rack, without_sack};

/// RFC 3042: each of the first two duplicates lets a new segment go, beyond cwnd by two at the most.
#[test]
fn rfc_3042_limited_transmit() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_sack());
        bench.send(20);
        bench.at(100);
        assert_eq!(bench.ack(0), "10");
        assert_eq!(bench.ack(0), "11");
        assert_eq!((bench.info().cwnd, bench.info().flight), (10_000, 12_000));
        assert_eq!(bench.ack(0), "0");
        assert_eq!(bench.windows().1, 5000); // of ten, without the two of limited transmit
        // not where the peer's window is full
        let mut bench = Bench::new(iss, without_sack());
        bench.window_is(10_112);
        bench.send_octets(10_112);
        bench.at(100);
        assert_eq!(bench.ack(0), "10000:112");
        assert_eq!(bench.ack(0), "");
    });
}

/// RFC 6582 §3.2 step 3: each partial acknowledgment sends the next hole; the full one ends it, without a burst.
#[test]
fn rfc_6582_partial_and_full_acknowledgments() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_sack());
        bench.send(10); // 0, 3 and 6 are lost
        bench.at(100);
        assert_eq!((bench.ack(0), bench.ack(0), bench.ack(0)), ("".into(), "".into(), "0".to_string()));
        for _ in 0..4 {
            bench.ack(0);
        }
        bench.at(200);
        assert_eq!(bench.ack(3), "3");
        bench.at(300);
        assert_eq!(bench.ack(6), "6");
        bench.at(400);
        assert_eq!(bench.ack(10), "");
        assert_eq!((bench.episodes(), bench.info().counters.retransmissions), ((1, 0, 0), 3));
        assert!(bench.info().cwnd <= 5000);
    });
}

/// §3.2 step 3: only the first partial acknowledgment restarts the timer; the holes of a whole window, one in each round trip,
/// end in a timeout.
#[test]
fn only_the_first_partial_acknowledgment_restarts_the_timer() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_sack().min_rto(std::time::Duration::from_secs(1)));
        bench.send(10);
        bench.at(100);
        for _ in 0..3 {
            bench.ack(0);
        }
        bench.at(200);
        assert_eq!(bench.ack(2), "2");
        let expires = bench.clock() + bench.until(Timer::Retransmit).unwrap();
        for (clock, hole) in [(300, 4), (400, 6)] {
            bench.at(clock);
            assert_eq!(bench.ack(hole), hole.to_string());
            assert_eq!(bench.clock() + bench.until(Timer::Retransmit).unwrap(), expires);
        }
        bench.fire(Timer::Retransmit, expires);
        assert_eq!((bench.windows().0, bench.info().counters.timeouts), (1000, 1));
    });
}

/// Of ten segments all but the last three are lost, and the third goes again 50 ms before the timer expires, which orders
/// nothing. When that was.
fn abandons_recovery(bench: &mut Bench) -> u64 {
    bench.send(10);
    bench.at(100);
    for _ in 0..3 {
        bench.ack(0);
    }
    bench.at(200);
    assert_eq!(bench.ack(1), "1");
    let expires = bench.clock() + bench.until(Timer::Retransmit).unwrap();
    bench.at(expires - 50);
    assert_eq!(bench.ack(2), "2");
    assert_eq!(bench.fire(Timer::Retransmit, expires), "");
    expires
}

/// RFC 6298 §5: no segment goes again less than an RTO after it went last. A hole that went shortly before the timer expired
/// stays in flight; its acknowledgment begins the slow start that repeats the rest.
#[test]
fn a_hole_that_went_again_shortly_before_the_timeout_does_not_go_once_more() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_sack().min_rto(std::time::Duration::from_secs(1)));
        let expires = abandons_recovery(&mut bench);
        assert_eq!((bench.windows().0, bench.info().counters.timeouts), (1000, 1));
        let rto = bench.info().rto.as_millis() as u64;
        assert_eq!(bench.until(Timer::Retransmit), Some(rto - 50), "the hole's own timeout, not backed off");
        bench.at(expires + 50);
        assert_eq!(bench.ack(3), "3 4");
        bench.at(expires + 150);
        assert_eq!(bench.ack(5), "5 6 7"); // what the peer has of them is not known
        bench.at(expires + 250);
        bench.ack(10);
        assert_eq!(bench.info().flight, 0);
        // With SACK each acknowledgment that advances restarts it.
        let mut bench = Bench::new(iss, without_rack());
        bench.send(10);
        bench.at(100);
        bench.sack(0, &[(7, 10)]);
        for (clock, hole) in [(200, 2), (300, 3)] {
            bench.at(clock);
            bench.sack(hole, &[(7, 10)]);
            assert_eq!(bench.until(Timer::Retransmit), Some(bench.info().rto.as_millis() as u64));
        }
    });
}

/// The hole's retransmission is lost as well: it goes again an RTO after it went, and R2 counts from there.
#[test]
fn a_recovery_that_is_abandoned_is_no_retry() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_sack().data_retries(1));
        let expires = abandons_recovery(&mut bench);
        let due = expires + bench.until(Timer::Retransmit).unwrap();
        assert_eq!(bench.fire(Timer::Retransmit, due), "2");
        assert_eq!((bench.info().counters.timeouts, bench.windows().0), (2, 1000));
        bench.at(due + 50);
        bench.ack(10);
        assert_eq!(bench.info().flight, 0);
    });
}

/// §3.2 step 2, §4: duplicates that what was sent again brings tell of no new loss, neither after a recovery nor after a
/// timeout.
#[test]
fn rfc_6582_no_multiple_fast_retransmits() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_sack());
        bench.send(10);
        bench.fire(Timer::Retransmit, 300);
        bench.at(400);
        assert_eq!(bench.ack(4), "4 5"); // only 0 was lost, but the ACKs too
        for _ in 0..5 {
            bench.ack(4);
        }
        assert_eq!(bench.episodes().0, 0);
        bench.at(500);
        bench.ack(10); // covers "recover" and no more: three duplicates of it tell nothing
        bench.send(4);
        for _ in 0..3 {
            bench.ack(10);
        }
        assert_eq!(bench.episodes(), (0, 1, 0));
        bench.at(600);
        bench.ack(11);
        bench.send(4);
        for _ in 0..3 {
            bench.ack(11);
        }
        assert_eq!(bench.episodes(), (1, 1, 0));
    });
}

/// RFC 9937 without SACK: each duplicate stands for a segment, as many as were in flight and no more; a partial
/// acknowledgment for what they did not tell of.
#[test]
fn proportional_reduction_without_sack() {
    everywhere(|iss| {
        let mut bench = Bench::with_window_20(iss, without_sack());
        bench.send(100); // 20 to 39; 20 is lost
        bench.wait(100);
        assert_eq!(bench.ack(20), "40");
        assert_eq!(bench.ack(20), "41");
        assert_eq!(bench.ack(20), "20");
        let sent: Vec<_> = (4..=21).map(|_| bench.ack(20)).collect(); // one for each of 23 to 39, and 40
        let new: Vec<_> = sent.iter().filter(|sent| !sent.is_empty()).collect();
        assert_eq!(bench.windows().1, 10_000);
        assert!((8..=10).contains(&new.len()), "half of them: {sent:?}");
        assert!(sent.iter().all(|sent| sent.split(' ').count() <= 1), "one at a time: {sent:?}");
        let before = bench.log.len();
        for _ in 0..50 {
            bench.ack(20); // more than were in flight: they open nothing
        }
        assert!(bench.log.len() - before <= new.len() + 2, "{:?}", &bench.log[before..]);
        bench.wait(100);
        bench.ack(42);
        assert_eq!(bench.info().cwnd, 10_000);
    });
}

/// RFC 6582 §3.2 step 3: a partial acknowledgment sends the next hole whatever else is thought to be in flight. Half of the
/// flight is lost; only the acknowledgments of retransmissions drive the recovery.
#[test]
fn each_partial_acknowledgment_sends_the_next_hole() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_sack().min_rto(std::time::Duration::from_secs(1)));
        bench.send(10); // 0 to 4 are lost
        bench.at(100);
        for n in 0..5 {
            assert_eq!(bench.ack(0), if n == 2 { "0" } else { "" });
        }
        for n in 1..5 {
            bench.wait(100);
            assert!(bench.ack(n).starts_with(&n.to_string()), "{:?}", bench.log);
        }
        bench.wait(100);
        bench.ack(10);
        assert_eq!(bench.episodes(), (1, 0, 0));
    });
}

/// RFC 6675 §2: with SACK, a duplicate reports something new. Bare ones, which anybody who guesses a number can send,
/// mean nothing, with RACK and without; nor does a report that repeats an earlier one.
#[test]
fn with_sack_bare_duplicates_mean_nothing() {
    for config in [sack(), without_rack()] {
        everywhere(|iss| {
            let mut bench = Bench::new(iss, config);
            bench.send(20);
            bench.at(50);
            for _ in 0..20_000 {
                assert_eq!(bench.ack(0), "");
            }
            assert_eq!((bench.info().counters.duplicate_acks, bench.windows().0), (0, 10_000));
            let repeated: Vec<_> = (0..100).map(|_| bench.sack(0, &[(1, 2)])).filter(|sent| !sent.is_empty()).collect();
            assert_eq!((repeated, bench.info().counters.duplicate_acks), (vec!["10".to_string()], 1));
            // each report of something new counts, also one with another window
            bench.window -= 1280;
            bench.sack(0, &[(1, 3)]);
            assert_eq!(bench.info().counters.duplicate_acks, 2);
        });
    }
}

/// RFC 6582 §3.2 step 3 sends "the first unacknowledged segment": one whose retransmission is under way, and of which the peer
/// acknowledges octet by octet, is none that must go once more.
#[test]
fn acknowledgments_in_slivers_send_nothing_twice() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_sack());
        bench.send(10);
        bench.at(100);
        for _ in 0..2 {
            bench.ack(0);
        }
        assert_eq!(bench.ack(0), "0");
        for octet in 1..1000 {
            assert_eq!(bench.octets(octet, &[], None), "", "{octet}");
        }
        assert_eq!(bench.ack(1), "1"); // a partial acknowledgment that tells of the next hole
        assert_eq!(bench.octets(1001, &[], None), "");
        assert_eq!(bench.ack(10), "");
        assert_eq!(bench.info().counters.retransmissions, 2);
    });
}
