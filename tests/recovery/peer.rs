//! What the peer may do meanwhile: take reports back, close its window or shrink it.

use std::collections::BTreeSet;

use segue::Timer;

use super::bench::{Bench, MSS, everywhere, sack, without_rack};

/// RFC 2018 §8: the peer reports, acknowledges what was missing, and has thrown the rest away.
#[test]
fn a_peer_that_reneges_gets_everything_again() {
    everywhere(|iss| {
        for config in [sack(), without_rack()] {
            let mut bench = Bench::new(iss, config);
            bench.send(10);
            bench.at(100);
            assert_eq!(bench.sack(0, &[(1, 10)]), "0");
            bench.at(200);
            assert_eq!(bench.ack(1), ""); // 1 to 9 were reported: it ought to be 10
            let clock = bench.clock() + bench.until(Timer::Retransmit).unwrap();
            assert_eq!(bench.fire(Timer::Retransmit, clock), "1"); // RFC 2018 §8: MUST be sent again, though reported
            for n in 2..=9 {
                bench.wait(100);
                bench.ack(n);
            }
            bench.wait(100);
            bench.ack(10);
            assert_eq!((bench.info().flight, bench.info().counters.timeouts), (0, 1));
        }
    });
}

/// A receiver of segments that throws away what it holds out of order now and then. Everything arrives in the end.
#[test]
fn whatever_a_peer_takes_back_arrives() {
    for seed in 1..=60_u32 {
        let config = if seed % 2 == 0 { sack() } else { without_rack() };
        let mut bench = Bench::new(seed.wrapping_mul(0x9E37_79B9), config.black_hole_timeouts(0));
        let mut random = seed;
        let mut chance = |percent: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 16) % 100 < percent
        };
        let (mut next, mut held) = (0, BTreeSet::new());
        bench.send(100);
        let mut turns = 0;
        while bench.info().send_queue > 0 {
            turns += 1;
            assert!(turns < 2000, "seed {seed}: it does not end: {:?}", bench.info());
            let arrived: Vec<u32> = bench.log.drain(..).filter_map(|(_, sent)| sent.parse().ok()).collect();
            if arrived.is_empty() {
                bench.pass(500);
                continue;
            }
            bench.pass(20);
            for segment in arrived {
                if chance(10) {
                    continue; // lost
                }
                held.insert(segment);
                while held.remove(&next) {
                    next += 1;
                }
                held.retain(|&segment| segment > next);
                let ranges: Vec<_> = held.iter().take(4).map(|&segment| (segment, segment + 1)).collect();
                bench.sack(next, &ranges);
                if chance(5) {
                    held.clear();
                }
            }
        }
        assert_eq!(next, 100, "seed {seed}");
    }
}

/// The window closes in recovery: nothing more goes; when it opens, lost segments do.
#[test]
fn the_window_closes_in_recovery() {
    everywhere(|iss| {
        for config in [sack(), without_rack()] {
            let mut bench = Bench::new(iss, config);
            bench.send(10);
            bench.at(100);
            bench.window = 0;
            assert_eq!(bench.sack(0, &[(1, 4)]), "");
            assert_eq!((bench.until(Timer::Retransmit), bench.until(Timer::Reorder)), (None, None));
            let wait = bench.until(Timer::Persist).expect("it asks");
            bench.at(100 + wait);
            assert_eq!(bench.fire(Timer::Persist, 100 + wait), "0:1");
            bench.window = 64_000;
            bench.sack(0, &[(1, 4)]);
            assert!(bench.log.last().is_some_and(|(_, sent)| sent != "0:1"), "{:?}", bench.log);
            bench.wait(100);
            bench.ack(10);
            assert_eq!(bench.info().flight, 0);
        }
    });
}

/// The window shrinks in recovery: lost text beyond its edge waits.
#[test]
fn the_window_shrinks_in_recovery() {
    everywhere(|iss| {
        for config in [sack(), without_rack()] {
            let mut bench = Bench::new(iss, config);
            bench.send(10);
            bench.at(100);
            bench.window = 2048;
            bench.sack(0, &[(4, 10)]); // 0 to 3 are lost
            bench.wait(100);
            bench.sack(1, &[(4, 10)]); // the edge is 3048 now
            bench.wait(20);
            for segment in bench.log.drain(..).skip(10).map(|(_, sent)| sent) {
                let part = segment.split_once(':').map(|(start, len)| (start.parse::<u32>(), len.parse::<u32>()));
                let (start, len) = part.unwrap_or((segment.parse::<u32>().map(|n| n * MSS), Ok(MSS)));
                let end = start.unwrap() + len.unwrap();
                assert!(end <= 3048, "{segment} lies beyond the edge");
            }
            bench.window = 1 << 20;
            bench.sack(3, &[(4, 10)]);
            bench.pass(1000);
            bench.octets(10 * MSS, &[], None);
            assert_eq!(bench.info().flight, 0);
        }
    });
}
