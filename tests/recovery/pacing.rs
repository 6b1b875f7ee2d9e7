//! Pacing: `Timer::Pace`, the rate and the bound of bursts.

use std::collections::VecDeque;

use segue::congestion::{Algorithm, Cubic, Reno};
use segue::{ConfigBuilder, Timer};

use super::bench::{Bench, MSS, everywhere, ms, sack};

fn paced(burst: u16) -> ConfigBuilder {
    sack().pacing(true).pacing_burst(burst)
}

/// In slow start twice a window in a round trip: ten segments in 100 ms make one each 5 ms. At first the burst.
#[test]
fn segments_leave_at_the_rate() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, paced(2));
        assert_eq!(bench.send(30), "0 1");
        for n in 2..10_u64 {
            let clock = 5 * (n - 1);
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
        assert_eq!(bench.send(5), "0 1 2");
        assert_eq!(bench.fire(Timer::Pace, 5), "3");
        assert_eq!(bench.fire(Timer::Pace, 10), "4");
        bench.at(100);
        bench.ack(5);
        bench.at(20_000);
        assert_eq!(bench.send(10), "5 6 7");
        assert_eq!(bench.until(Timer::Pace), Some(5));
    });
}

/// With segmentation below, one `Transmit` is the burst at the most, and the rate is the same.
#[test]
fn large_transmits_are_paced() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, paced(4).max_transmit(60_000));
        assert_eq!(bench.send(30), "0-3"); // the burst
        assert_eq!(bench.fire(Timer::Pace, 20), "4-7");
        assert_eq!(bench.fire(Timer::Pace, 30), "8-9");
        assert_eq!(bench.until(Timer::Pace), None);
    });
}

/// Retransmissions are paced as well, and go before new text.
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
        assert!(times.windows(2).all(|w| w[1] > w[0]), "no more than the burst at once: {:?}", bench.log);
    });
}

/// A tail-loss probe and a timeout do not wait for the pacer; nor does a zero-window probe.
#[test]
fn probes_and_timeouts_are_not_held_back_for_long() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, paced(1));
        bench.send(2);
        assert_eq!(bench.fire(Timer::Pace, 5), "1");
        assert_eq!(bench.fire(Timer::TailLossProbe, 205), "1");
        bench.pass(400);
        assert_eq!(bench.info().counters.timeouts, 1);
        assert_eq!(bench.log.last().unwrap().1, "0");
    });
}

/// A greedy sender in slow start over a path of any rate; each second segment is acknowledged 100 ms after it left. The
/// window at the end of each round trip, in segments.
fn windows(iss: u32, config: ConfigBuilder, algorithm: Algorithm) -> Vec<u32> {
    let mut bench = Bench::with_controller(iss, config, algorithm);
    bench.send(1000);
    let (mut acked, mut left, mut windows) = (0, VecDeque::new(), vec![]); // left: when each segment in flight left
    for clock in 0..600 {
        let sent = |bench: &Bench| (bench.info().snd_nxt - bench.seq(0)) / MSS;
        left.resize((sent(&bench) - acked) as usize, clock);
        while left.get(1).is_some_and(|at| at + 100 <= clock) {
            left.drain(..2);
            acked += 2;
            bench.ack(acked);
            left.resize((sent(&bench) - acked) as usize, clock);
        }
        if clock % 100 == 99 {
            windows.push(bench.info().cwnd / MSS);
        }
        bench.pass(1);
    }
    windows
}

/// Evenly spaced acknowledgments are the pacer's work, and no sign of a full path: the window doubles as without pacing.
#[test]
fn slow_start_paced_doubles_as_without_pacing() {
    everywhere(|iss| {
        for algorithm in [Algorithm::Cubic(Cubic::default()), Algorithm::Reno(Reno::default())] {
            let unpaced = windows(iss, sack(), algorithm.clone());
            for burst in [1, 2, 10] {
                assert_eq!(windows(iss, paced(burst), algorithm.clone()), unpaced, "{algorithm:?}, burst {burst}");
            }
        }
    });
}

/// A round trip that is less than SRTT shows that a queue went away: a window leaves in that time, not in SRTT.
#[test]
fn established_a_queue_that_went_away_holds_nothing_back() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, paced(1));
        for (n, round_trip) in [(0, 180), (1, 180), (2, 180), (3, 100)] {
            bench.at(u64::from(n) * 1000);
            assert_eq!(bench.send(1), n.to_string());
            bench.wait(round_trip);
            bench.ack(n + 1);
        }
        assert!(bench.info().srtt > Some(ms(115)));
        bench.at(4000);
        assert_eq!(bench.send(2), "4");
        assert_eq!(bench.fire(Timer::Pace, 4005), "5"); // ten segments and twice that in 100 ms
    });
}
