//! Memory for data in flight: one record for each segment, bounded under retransmission by any sequence of windows.

use segue::{Event, Timer};

use super::bench::{Bench, MSS, everywhere, ms, sack, without_rack, without_sack};

/// The bound that docs/architecture.md states: one record for each 256 octets of the send buffer, or for each MSS where that is
/// less, 64 at least; and one each for a zero-window probe, and a FIN.
fn bound(bench: &Bench, send_buffer: u32) -> usize {
    let mss = u32::from(bench.info().eff_snd_mss);
    (send_buffer / mss.min(256)).max(64) as usize + 2
}

/// RFC 9293 §3.8.6.2.1 for retransmissions: a window that opens octet by octet gets no segments of an octet.
#[test]
fn a_window_that_opens_octet_by_octet_gets_no_slivers() {
    for config in [sack(), without_rack(), without_sack()] {
        everywhere(|iss| {
            let buffer = 65_536;
            // without scaling each octet of the window counts
            let mut bench = Bench::unscaled(iss, config.send_buffer(buffer));
            let mut acked = 0;
            while bench.info().cwnd < 61_999 {
                bench.send_octets(60_000 - bench.info().send_queue as u32);
                bench.wait(1);
                acked += bench.info().flight;
                bench.octets(acked, &[], None);
            }
            bench.send_octets(61_999 - bench.info().send_queue as u32);
            assert_eq!(bench.info().flight, 61_999);
            bench.window = 0;
            bench.octets(acked, &[], None);
            bench.pass(1000);
            let (before, octets) = (bench.info().counters.retransmissions, bench.info().flight);
            for window in 1..=octets {
                bench.window = window;
                bench.octets(acked, &[], None);
                assert!(bench.info().flight_segments <= bound(&bench, buffer), "{}", bench.info().flight_segments);
            }
            let segments = bench.info().counters.retransmissions - before;
            assert!(segments <= 2 * u64::from(octets / MSS), "{segments} segments for {octets} octets");
        });
    }
}

/// Any sequence of windows, timeouts and reports: the records stay within the bound, and in the end all arrives.
#[test]
fn records_are_bounded_by_any_sequence_of_windows() {
    for (seed, config) in (0..60u32).zip([sack(), without_rack(), without_sack()].into_iter().cycle()) {
        let buffer = [600, 20_000, 65_536][seed as usize % 3];
        let mut bench = Bench::unscaled(seed.wrapping_mul(0x9E37_79B9), config.send_buffer(buffer).user_timeout(None));
        let mut random = seed.wrapping_mul(747_796_405).wrapping_add(1);
        let (mut acked, mut queued) = (0, 0);
        for _ in 0..3000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let pick = random >> 8;
            let info = bench.info();
            let space = buffer - info.send_queue as u32;
            match pick % 8 {
                0 | 1 => {
                    let octets = [1, 3, 1000, 5000][pick as usize / 8 % 4].min(space);
                    queued += octets;
                    bench.send_octets(octets);
                }
                2 => bench.pass(u64::from(pick / 8 % 3000)),
                3 => {
                    bench.window = [0, 0, 1, 2, 7, 300, 999, 1000, 1001, 20_000][pick as usize / 8 % 10];
                    bench.octets(acked, &[], None);
                }
                4 => {
                    bench.window = (bench.window + 1).min(65_535);
                    bench.octets(acked, &[], None);
                }
                5 if info.flight > 3 => {
                    let left = acked + 1 + pick / 8 % (info.flight - 2);
                    bench.octets(acked, &[(left, left + 1)], None);
                }
                6 if pick / 8 % 4 == 0 => {
                    acked += (pick / 32 % 50).min(info.flight);
                    bench.octets(acked, &[], None);
                }
                _ => bench.pass(1),
            }
            let records = bench.info().flight_segments;
            assert!(records <= bound(&bench, buffer), "seed {seed}: {records} records");
        }
        bench.window = 60_000;
        bench.octets(acked, &[], None);
        for _ in 0..1000 {
            acked += bench.info().flight;
            bench.octets(acked, &[], None);
            bench.pass(10);
            if bench.info().send_queue == 0 {
                break;
            }
        }
        assert_eq!(acked, queued, "seed {seed}");
    }
}

/// An override timeout, as for new text, ends the wait for a better window; a timeout sends what fits.
#[test]
fn a_window_that_stays_silly_is_used_in_the_end() {
    everywhere(|iss| {
        let mut bench = Bench::unscaled(iss, without_sack().min_rto(ms(1000)));
        bench.send(3);
        bench.wait(10);
        bench.window = 0;
        bench.octets(0, &[], None);
        bench.pass(1500); // a probe
        bench.window = 700;
        assert_eq!(bench.octets(0, &[], None), "");
        assert_eq!(bench.until(Timer::Override), Some(200));
        let clock = bench.clock();
        assert_eq!(bench.fire(Timer::Override, clock + 200), "0:700");
        bench.window = 1000;
        assert_eq!(bench.octets(700, &[], None), "700:1000");
    });
}

/// What left in small segments while the MTU was small, for the first time or again, needs fewer records when it rises.
#[test]
fn small_segments_of_a_narrow_path_become_few_records_when_the_mtu_rises() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack().send_buffer(9975));
        bench.event(Event::Mtu(68));
        bench.send_octets(9900);
        bench.pass(1);
        assert_eq!(bench.info().flight, 9900);
        assert!(bench.info().flight_segments > 340);
        bench.event(Event::Mtu(1500));
        assert!(bench.info().flight_segments <= 64, "{}", bench.info().flight_segments);
        bench.wait(10);
        assert_eq!(bench.octets(9900, &[], None), "");
        assert_eq!(bench.info().send_queue, 0);
    });
}

/// An MTU that rises by less than the size of a segment leaves no two small ones that fit one of the larger.
#[test]
fn small_segments_become_few_records_when_the_mtu_rises_by_little() {
    for config in [sack(), without_rack(), without_sack()] {
        everywhere(|iss| {
            for mtu in [69, 76, 95, 96, 97, 300, 555] {
                let mut bench = Bench::new(iss, config.send_buffer(9975));
                bench.event(Event::Mtu(68));
                bench.send_octets(9900);
                bench.pass(1);
                assert!(bench.info().flight_segments > 340);
                bench.event(Event::Mtu(mtu));
                assert!(bench.info().flight_segments <= bound(&bench, 9975), "{mtu} {}", bench.info().flight_segments);
                bench.wait(10);
                assert_eq!(bench.octets(9900, &[], None), "");
                assert_eq!(bench.info().send_queue, 0);
            }
        });
    }
}

/// Reports of every other segment keep records apart: where there would be too many, the reports are forgotten, and all arrives.
#[test]
fn reports_do_not_keep_small_records_apart_when_the_mtu_rises() {
    for config in [sack(), without_rack()] {
        everywhere(|iss| {
            let mut bench = Bench::new(iss, config.send_buffer(9975).min_rto(ms(1000)));
            bench.event(Event::Mtu(68));
            bench.send_octets(9900);
            bench.pass(1);
            for n in 0..170 {
                bench.octets(0, &[(28 + 56 * n, 56 + 56 * n)], None);
            }
            bench.event(Event::Mtu(1500));
            assert!(bench.info().flight_segments <= bound(&bench, 9975), "{}", bench.info().flight_segments);
            bench.pass(5000);
            assert_eq!(bench.octets(9900, &[], None), "");
            assert_eq!(bench.info().send_queue, 0);
        });
    }
}

/// A dip of the MTU cuts the flight into small segments, each with a record.
#[test]
fn segments_that_were_cut_small_become_few_again_when_the_mtu_rises() {
    for config in [sack(), without_rack(), without_sack()] {
        everywhere(|iss| {
            let mut bench = Bench::new(iss, config.send_buffer(9975));
            bench.send_octets(9975);
            assert_eq!(bench.info().flight_segments, 10);
            bench.event(Event::Mtu(68));
            assert!((340..=bound(&bench, 9975)).contains(&bench.info().flight_segments));
            bench.event(Event::Mtu(1500));
            assert!(bench.info().flight_segments <= 64, "{}", bench.info().flight_segments);
            bench.octets(500, &[(2000, 3000)], None);
            assert_eq!(bench.octets(9975, &[], None), "");
            assert_eq!(bench.info().send_queue, 0);
        });
    }
}

/// Small segments wait when there is a record for each of as many as the bound allows; the FIN, which ends them, does not.
#[test]
fn where_no_record_is_left_small_segments_wait_and_the_fin_leaves() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack().send_buffer(10_000));
        for octet in 0..70u32 {
            assert_eq!(bench.send_octets(1).is_empty(), octet >= 64, "octet {octet}");
        }
        assert_eq!((bench.info().flight_segments, bench.info().send_queue), (64, 70));
        assert_eq!(bench.octets(1, &[], None), "64:6"); // all that waited, in one
        let mut bench = Bench::new(iss, sack().send_buffer(10_000));
        (0..64).for_each(|_| drop(bench.send_octets(1)));
        assert_eq!(bench.close(), "F");
    });
}

/// Small segments time out again and again, and more text waits for a record: what goes again is not filled up with it.
#[test]
fn where_no_record_is_left_what_goes_again_takes_no_new_text_along() {
    for config in [sack(), without_rack(), without_sack()] {
        everywhere(|iss| {
            let config = config.send_buffer(10_000).user_timeout(None).black_hole_timeouts(0);
            let mut bench = Bench::new(iss, config);
            for _ in 0..120 {
                bench.send_octets(1);
                bench.pass(1000);
                assert!(bench.info().flight_segments <= 64, "{}", bench.info().flight_segments);
            }
            assert!(bench.info().counters.timeouts > 5 && bench.info().flight == 64);
            assert_eq!(bench.octets(64, &[], None), "64:56");
        });
    }
}
