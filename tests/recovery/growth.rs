//! Slow start grows a window that is used, and no other (RFC 5681 §3.1, RFC 7661 §4.3).

use segue::congestion::{Algorithm, Cubic, Reno};
use segue_kit::secs;

use super::bench::{Bench, MSS, everywhere, sack, without_sack};

fn algorithms() -> [Algorithm; 2] {
    [Algorithm::Reno(Reno::default()), Algorithm::Cubic(Cubic::default())]
}

/// `n` segments leave at once, and are acknowledged one by one a round trip later, or in pairs.
fn request(bench: &mut Bench, first: u32, n: u32, step: u32) {
    bench.send(n);
    bench.wait(100);
    for ack in (first..first + n).skip(1).step_by(step as usize).chain([first + n]) {
        bench.ack(ack);
    }
}

/// Who used exactly the initial window may use twice as much: ten segments, then twenty, then forty.
#[test]
fn established_a_window_that_was_just_used_up_doubles() {
    everywhere(|iss| {
        for algorithm in algorithms() {
            let mut bench = Bench::with_controller(iss, sack(), algorithm);
            for (first, n) in [(0, 10), (10, 20), (30, 40)] {
                assert_eq!(bench.info().cwnd, n * MSS);
                request(&mut bench, first, n, 1);
            }
            assert_eq!(bench.info().cwnd, 80 * MSS);
        }
    });
}

/// A window of which less than half is used stays as it is; half is enough.
#[test]
fn established_less_than_half_of_the_window_in_use_does_not_open_it() {
    everywhere(|iss| {
        for algorithm in algorithms() {
            let mut bench = Bench::with_controller(iss, sack(), algorithm);
            request(&mut bench, 0, 10, 1);
            let before = bench.info().cwnd;
            for (first, n) in [(10, 9), (19, 3), (22, 9), (31, 1)] {
                request(&mut bench, first, n, 1);
            }
            assert_eq!((before, bench.info().cwnd), (20 * MSS, 20 * MSS));
            request(&mut bench, 32, 10, 1);
            assert!(bench.info().cwnd > 20 * MSS);
        }
    });
}

/// RFC 7661 §4.2: the partial acknowledgments of a long recovery do not measure what the application uses.
#[test]
fn rfc_7661_4_2_recovery_takes_no_sample() {
    everywhere(|iss| {
        let [preserved, plain] = [Some(secs(1)), None].map(|period| {
            let config = without_sack().min_rto(secs(3)).preserve_window(period);
            let mut bench = Bench::new(iss, config);
            request(&mut bench, 0, 10, 1);
            request(&mut bench, 10, 20, 1);
            bench.send(200); // forty leave, and the first half of them is lost: recovery goes on for twenty round trips
            bench.wait(100);
            (0..20).for_each(|_| drop(bench.ack(30)));
            let after_each = |n| {
                bench.wait(100);
                (bench.ack(n), bench.windows())
            };
            (31..50).chain([72]).map(after_each).collect::<Vec<_>>()
        });
        assert_eq!(preserved, plain);
    });
}

/// Whenever a user sends, and however acknowledgments are joined: the window grows only when half of it at least was in
/// flight within the last round trip.
#[test]
fn established_whatever_the_user_sends_only_a_used_window_grows() {
    for seed in 0..200_u32 {
        let mut random = seed.wrapping_mul(2_654_435_761) | 1;
        let mut draw = |below: u32| {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            random % below
        };
        let [reno, cubic] = algorithms();
        let mut bench = Bench::with_controller(seed << 24, sack(), if seed % 2 == 0 { reno } else { cubic });
        let (mut sent, mut acked) = (0, 0);
        let mut flights = vec![]; // when, and how many segments were in flight
        let mut due = std::collections::VecDeque::new(); // when each segment is acknowledged
        for clock in (0..3000).step_by(5) {
            while bench.clock() < clock {
                bench.pass(5);
            }
            let ready = due.iter().take_while(|at| **at <= clock).count() as u32;
            if ready > 0 && (draw(2) == 0 || due.front().is_some_and(|at| *at + 40 <= clock)) {
                let count = if draw(2) == 0 { 1 } else { ready };
                due.drain(..count as usize);
                acked += count;
                let before = bench.info().cwnd;
                bench.ack(acked);
                let most = flights.iter().filter(|(at, _)| *at + 145 >= clock).map(|(_, n)| *n).max().unwrap_or(0);
                let grew = bench.info().cwnd > before;
                assert!(!grew || 2 * most * MSS >= before, "seed {seed} at {clock} ms: {most} segments of {before}");
            }
            if draw(8) == 0 {
                bench.send(1 + draw(12));
            }
            let now = (bench.info().snd_nxt - bench.seq(0)) / MSS;
            due.extend((sent..now).map(|_| clock + 100));
            sent = now;
            flights.push((clock, sent - acked));
        }
        assert!(acked > 100, "seed {seed}: {acked}");
    }
}
