//! Tail-loss probes (RFC 8985 §7).

use segue::Timer;

use super::bench::{Bench, everywhere, ms, sack, without_rack, without_sack};

/// §7.2: 2 SRTT, and the peer's delay more where a lone segment waits; no later than the RTO; 1 s without a sample.
#[test]
fn the_time_of_a_probe() {
    everywhere(|iss| {
        for (segments, delay, rto, expected) in
            [(2, 40, 200, 200), (1, 40, 200, 240), (1, 0, 200, 200), (1, 500, 200, 300), (1, 500, 1000, 700)]
        {
            let mut bench = Bench::new(iss, sack().max_ack_delay(ms(delay)).min_rto(ms(rto)));
            bench.send(segments);
            assert_eq!(bench.until(Timer::TailLossProbe), Some(expected), "{segments} segments, {delay} ms, RTO {rto}");
        }
    });
}

/// Where a round trip takes next to nothing, 2 SRTT would be.
#[test]
fn a_probe_of_a_short_round_trip_waits_for_ten_milliseconds() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        for n in 1..200 {
            bench.send(1);
            bench.ack(n);
        }
        bench.send(2);
        assert_eq!(bench.info().srtt.map(|srtt| srtt < ms(1)), Some(true));
        assert_eq!(bench.until(Timer::TailLossProbe), Some(10));
    });
}

/// §7.2: each transmission of new text, and each acknowledgment that advances, starts it anew; one that does not, does not.
#[test]
fn a_probe_waits_for_silence() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(2);
        bench.at(50);
        bench.send(2);
        assert_eq!(bench.until(Timer::TailLossProbe), Some(200));
        bench.at(100);
        bench.ack(1);
        assert_eq!(bench.until(Timer::TailLossProbe), Some(200));
        bench.at(150);
        bench.ack(1);
        assert_eq!(bench.until(Timer::TailLossProbe), Some(150));
        bench.ack(4);
        assert_eq!(bench.until(Timer::TailLossProbe), None); // nothing is in flight
    });
}

/// §7.2: not where something is reported, nor in recovery; not without SACK, nor where RACK is switched off.
#[test]
fn where_other_signs_of_loss_come_there_is_no_probe() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(5);
        bench.at(100);
        bench.sack(0, &[(1, 2)]);
        assert_eq!(bench.until(Timer::TailLossProbe), None);
        bench.sack(0, &[(1, 5)]);
        assert_eq!((bench.episodes().0, bench.until(Timer::TailLossProbe)), (1, None));
        for config in [without_rack(), without_sack()] {
            let mut bench = Bench::new(iss, config);
            bench.send(2);
            assert_eq!(bench.until(Timer::TailLossProbe), None);
        }
    });
}

/// §7.3: new text first, beyond the congestion window if need be.
#[test]
fn a_probe_is_new_text_if_there_is_any() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(20);
        assert_eq!(bench.info().flight, 10_000);
        assert_eq!(bench.fire(Timer::TailLossProbe, 200), "10");
        assert_eq!((bench.info().flight, bench.info().cwnd), (11_000, 10_000));
        assert_eq!(bench.until(Timer::TailLossProbe), None); // one at a time
        bench.at(210);
        assert_eq!(bench.ack(1), "11"); // slow start opens by two; one of them is made good
        assert_eq!(bench.ack(2), "12 13");
        assert_eq!(bench.until(Timer::TailLossProbe), None); // the probe is still out
        bench.ack(11);
        assert!(bench.until(Timer::TailLossProbe).is_some());
        assert_eq!(bench.episodes(), (0, 0, 0));
    });
}

/// §7.3: or else the last segment; where the peer's window is full, too.
#[test]
fn a_probe_is_the_last_segment_if_nothing_new_may_go() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(3);
        assert_eq!(bench.fire(Timer::TailLossProbe, 200), "2");
        assert_eq!(bench.info().counters.tail_probes, 1);
        let mut bench = Bench::new(iss, sack());
        bench.window_is(3072);
        bench.send(10);
        assert_eq!(bench.fire(Timer::TailLossProbe, 200), "2");
    });
}

/// §7.3: the RTO starts anew with the probe, and no second probe comes before a round trip was measured.
#[test]
fn after_a_probe_the_timeout_is_the_last_resort() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(3);
        bench.fire(Timer::TailLossProbe, 200);
        assert_eq!(bench.until(Timer::Retransmit), Some(300));
        assert_eq!(bench.fire(Timer::Retransmit, 500), "0");
        assert_eq!(bench.info().counters.tail_probes, 1);
    });
}

/// §7.3: an acknowledgment of the probe alone is ambiguous (Karn): the next flight is not probed, and the one after it is.
#[test]
fn a_probe_needs_a_new_sample() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(1);
        bench.fire(Timer::TailLossProbe, 240);
        bench.at(340);
        bench.sack(1, &[(0, 1)]); // both arrived
        bench.send(1);
        assert_eq!(bench.until(Timer::TailLossProbe), None);
        bench.at(440);
        bench.ack(2);
        bench.send(1);
        assert_eq!(bench.until(Timer::TailLossProbe), Some(240));
    });
}

/// §7.4.1: the acknowledgment of the probe shows what was lost before it.
#[test]
fn the_answer_to_a_probe_shows_what_was_lost() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(5);
        bench.fire(Timer::TailLossProbe, 200);
        bench.at(300);
        bench.sack(1, &[(4, 5)]); // 1 to 3 are lost
        bench.pass(150);
        bench.sack(4, &[(4, 5)]);
        assert_eq!((bench.episodes(), bench.info().counters.retransmissions > 1), ((1, 0, 0), true));
    });
}

/// A flight of two whose second is lost and repaired by the probe; then the peer answers to a third.
fn probed(iss: u32) -> Bench {
    let mut bench = Bench::new(iss, sack());
    bench.send(2);
    bench.at(100);
    bench.ack(1);
    assert_eq!(bench.fire(Timer::TailLossProbe, 340), "1"); // 2 SRTT + 40 ms from the acknowledgment
    bench
}

/// §7.4.2: the probe repaired the only loss. The window shrinks when something later is acknowledged, and once.
#[test]
fn a_loss_that_the_probe_repaired_costs_a_reduction() {
    everywhere(|iss| {
        let mut bench = probed(iss);
        bench.at(440);
        bench.ack(2);
        let (cwnd, _) = bench.windows();
        bench.send(4);
        bench.at(540);
        bench.ack(3);
        assert!(bench.windows().1 < cwnd, "{:?}", bench.windows());
        assert_eq!(bench.info().counters.fast_retransmits, 0); // nothing was sent again for it
        let (_, ssthresh) = bench.windows();
        bench.ack(6);
        bench.send(1);
        bench.wait(100);
        bench.ack(7);
        assert_eq!(bench.windows().1, ssthresh);
    });
}

/// §7.4.2 case 1: a DSACK that ends where the probe did: both arrived.
#[test]
fn case_1_a_duplicate_report_costs_nothing() {
    everywhere(|iss| {
        let mut bench = probed(iss);
        bench.at(345);
        bench.ack(2); // the original
        bench.at(440);
        bench.sack(2, &[(1, 2)]);
        bench.send(4);
        bench.at(540);
        bench.ack(3);
        assert_eq!(bench.windows().1, u32::MAX);
    });
}

/// §7.4.2 case 2: the same from a peer that does not report duplicates.
#[test]
fn case_2_a_bare_duplicate_costs_nothing() {
    everywhere(|iss| {
        let mut bench = probed(iss);
        bench.at(345);
        bench.ack(2); // the original
        bench.at(440);
        bench.ack(2);
        bench.send(4);
        bench.at(540);
        bench.ack(3);
        assert_eq!(bench.windows().1, u32::MAX);
    });
}

/// The same with more in flight meanwhile.
#[test]
fn case_2_with_later_text_in_flight() {
    everywhere(|iss| {
        let mut bench = probed(iss);
        bench.at(345);
        bench.ack(2);
        bench.send(4);
        bench.at(440);
        bench.ack(2);
        bench.at(445);
        bench.ack(3);
        assert_eq!(bench.windows().1, u32::MAX);
    });
}

/// A FIN alone is probed as text is; not later for a delayed acknowledgment, which a FIN does not get.
#[test]
fn a_fin_alone_is_probed() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        assert_eq!(bench.close(), "F");
        assert_eq!(bench.fire(Timer::TailLossProbe, 200), "F");
        let mut bench = Bench::new(iss, sack().max_ack_delay(ms(300)));
        bench.close();
        assert_eq!(bench.until(Timer::TailLossProbe), Some(300), "a peer may take so long to look");
        let mut bench = Bench::new(iss, sack());
        bench.send(2);
        bench.at(10);
        assert_eq!(bench.close(), "F");
        assert_eq!(bench.fire(Timer::TailLossProbe, 210), "1F"); // the last text, and the FIN with it
        bench.at(310);
        bench.octets(2001, &[], None);
        assert_eq!(bench.info().flight, 0);
    });
}

/// Some receivers report text alone. Where the FIN left with the last text, a report of that text is one of the FIN, and the
/// hole before it is found; where it left alone, or the last octet is text, a report that ends before it is none.
#[test]
fn a_report_of_the_last_text_is_one_of_the_fin_that_came_with_it() {
    everywhere(|iss| {
        for (end, what) in [(10_500, "the text alone"), (10_501, "the FIN, too")] {
            let mut bench = Bench::new(iss, sack());
            bench.send_octets(10_500);
            bench.close();
            assert_eq!(bench.info().flight, 10_000, "the window is full");
            bench.at(100);
            bench.ack(9); // the tenth is lost
            assert_eq!(bench.info().flight, 1501);
            bench.at(200);
            assert_eq!(bench.octets(9000, &[(10_000, end)], None), "9", "{what}");
            assert_eq!(bench.info().counters.fast_retransmits, 1, "{what}: {:?}", bench.log);
            bench.at(300);
            bench.octets(10_501, &[], None);
            assert_eq!((bench.info().flight, bench.info().counters.timeouts), (0, 0));
        }
        let mut bench = Bench::new(iss, sack());
        bench.send(2);
        bench.at(10);
        assert_eq!(bench.close(), "F");
        bench.at(100);
        bench.octets(0, &[(1000, 2000)], None);
        bench.pass(30);
        bench.at(200);
        bench.octets(2000, &[], None);
        assert_eq!(bench.info().flight, 1, "the FIN that left alone was not reported");
    });
}

/// The last segment of a flow of twenty is lost: no timeout.
#[test]
fn the_last_of_twenty_segments_is_repaired_without_a_timeout() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack().min_rto(ms(300)));
        bench.send(20);
        bench.at(100);
        for n in 1..=10 {
            bench.ack(n);
        }
        bench.at(200);
        bench.ack(19);
        assert_eq!(bench.fire(Timer::TailLossProbe, 440), "19");
        bench.at(540);
        bench.ack(20);
        assert_eq!((bench.episodes(), bench.info().flight), ((0, 0, 0), 0));
    });
}
