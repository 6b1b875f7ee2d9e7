//! Pacing: `Timer::Pace`, the rate and the bound of bursts.

use segue::{ConfigBuilder, Timer};

use crate::bench::{Bench, everywhere, sack};

fn paced(burst: u16) -> ConfigBuilder {
    sack().pacing(true).pacing_burst(burst)
}

/// In slow start twice a window in a round trip: ten segments in 100 ms make one each 5 ms. At first the burst, and one.
#[test]
fn segments_leave_at_the_rate() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, paced(2));
        assert_eq!(bench.send(30), "0 1 2");
        for n in 3..10_u64 {
            let clock = 5 * (n - 2);
            assert_eq!(bench.fire(Timer::Pace, clock), n.to_string());
        }
        assert_eq!(bench.until(Timer::Pace), None); // the window holds back now
    });
}

/// After a pause no more than the burst catches up; late timers are made good.
#[test]
fn a_pause_makes_no_larger_burst() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, paced(3));
        assert_eq!(bench.send(5), "0 1 2 3");
        assert_eq!(bench.fire(Timer::Pace, 5), "4");
        bench.at(100);
        bench.ack(5);
        bench.at(20_000);
        assert_eq!(bench.send(10), "5 6 7 8");
        assert_eq!(bench.until(Timer::Pace), Some(5));
    });
}

/// With segmentation below, one `Transmit` is the burst at the most, and the rate is the same.
#[test]
fn large_transmits_are_paced() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, paced(4).max_transmit(60_000));
        assert_eq!(bench.send(30), "0-3 4-7"); // the burst, and what the next one overdraws
        assert_eq!(bench.fire(Timer::Pace, 20), "8-9"); // 4 octets in 20 µs: 200 octets in a millisecond
        assert_eq!(bench.until(Timer::Pace), None);
    });
}

/// What is lost is paced as well, and goes before what is new.
#[test]
fn retransmissions_are_paced() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, paced(1));
        bench.send(30);
        bench.pass(99);
        assert_eq!(bench.log.len(), 10);
        bench.log.clear();
        bench.at(150);
        bench.sack(0, &[(4, 10)]);
        bench.pass(60);
        let times: Vec<_> = bench.log.iter().map(|(at, _)| *at).collect();
        assert!(bench.log.first().is_some_and(|(_, sent)| sent == "0"), "{:?}", bench.log);
        assert!(times.windows(3).all(|w| w[2] > w[0]), "no more than the burst and one at once: {:?}", bench.log);
    });
}

/// A tail-loss probe and a timeout do not wait for the pacer; nor does a zero-window probe.
#[test]
fn probes_and_timeouts_are_not_held_back_for_long() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, paced(1));
        bench.send(2);
        assert_eq!(bench.fire(Timer::TailLossProbe, 200), "1");
        bench.pass(400);
        assert_eq!(bench.info().counters.timeouts, 1);
        assert_eq!(bench.log.last().unwrap().1, "0");
    });
}
