//! ACKs that a later one overtook (SEG.ACK < SND.UNA): what their SACK blocks report counts, and nothing else does (RFC 2018
//! §5, RFC 6675 §5).

use quickcheck::quickcheck;
use segue::ConfigBuilder;

use super::bench::{Bench, MSS, everywhere, sack, without_rack, without_sack};

/// Twenty in flight from segment 20 on; 20 and 21 are acknowledged, and something new is in flight.
fn overtaken(iss: u32, config: ConfigBuilder) -> Bench {
    let mut bench = Bench::with_window_20(iss, config);
    bench.send(30);
    bench.wait(100);
    bench.ack(22);
    bench
}

/// Three reports above a hole are loss, as from any other ACK.
#[test]
fn established_blocks_of_an_old_ack_show_a_loss() {
    everywhere(|iss| {
        for config in [sack(), without_rack()] {
            let mut bench = overtaken(iss, config);
            let (_, before) = bench.windows();
            assert_eq!(bench.sack(21, &[(23, 26)]), "22");
            assert_eq!(bench.episodes(), (1, 0, 0));
            assert!(bench.windows().1 < before);
        }
    });
}

/// RFC 6675 §2: one that reports something new is a duplicate acknowledgment.
#[test]
fn established_three_old_acks_that_report_are_three_duplicates() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_rack());
        for _ in 0..10 {
            bench.send_octets(100);
        }
        bench.at(100);
        bench.octets(200, &[], None);
        for (right, sent) in [(400, ""), (500, ""), (600, "200:100")] {
            assert_eq!(bench.octets(100, &[(300, right)], None), sent);
        }
    });
}

/// What was reported needs no retransmission: the timeout sends the rest.
#[test]
fn established_what_an_old_ack_reported_does_not_go_again() {
    everywhere(|iss| {
        // RACK finds 1 and 2 after a quarter of the round trip, else the timeout does
        for (config, timeouts) in [(sack(), 0), (without_rack(), 1)] {
            let mut bench = Bench::new(iss, config);
            bench.send(5);
            bench.at(100);
            bench.ack(1);
            bench.sack(0, &[(3, 5)]);
            bench.log.clear();
            while bench.info().counters.retransmissions == 0 {
                bench.pass(1);
            }
            bench.wait(100);
            bench.ack(2);
            bench.ack(5);
            assert_eq!(bench.info().counters.timeouts, timeouts);
            let log: Vec<_> = bench.log.iter().map(|(_, words)| words.as_str()).collect();
            assert_eq!(log, ["1", "2"]);
        }
    });
}

/// Old, and beside that any block that tells of nothing in flight; without SACK any block at all.
#[test]
fn established_an_old_ack_without_news_changes_nothing() {
    everywhere(|iss| {
        for (sack, config) in
            [(true, sack()), (true, without_rack()), (false, without_sack()), (true, sack().timestamps(true))]
        {
            let mut bench = overtaken(iss, config);
            let blocks: [&[(u32, u32)]; 6] = [&[], &[(22, 25)], &[(21, 25)], &[(60, 61)], &[(51, 53)], &[(26, 24)]]; // 51 is the last
            for blocks in blocks.into_iter().chain((!sack).then_some(&[(23, 26)][..])) {
                let before = bench.canonical();
                bench.window = 12_800; // no window update, either
                let octets: Vec<_> = blocks.iter().map(|(left, right)| (left * MSS, right * MSS)).collect();
                for _ in 0..4 {
                    assert_eq!(bench.octets(21 * MSS, &octets, Some(bench.clock() as u32 - 50)), "", "{blocks:?}");
                }
                assert!(bench.canonical() == before, "{blocks:?}");
            }
            assert_eq!(bench.episodes(), (0, 0, 0));
        }
    });
}

/// A late report measures no round trip.
#[test]
fn established_a_report_of_an_old_ack_measures_nothing() {
    everywhere(|iss| {
        for config in [sack(), without_rack()] {
            let mut bench = overtaken(iss, config);
            let before = bench.info();
            bench.wait(90);
            bench.sack(21, &[(23, 24)]);
            let info = bench.info();
            assert_eq!((info.srtt, info.rttvar, info.rto), (before.srtt, before.rttvar, before.rto));
        }
    });
}

/// RFC 5682 §3.1 goes by the order of ACKs: one that was overtaken is no second acknowledgment, and undoes nothing.
#[test]
fn established_an_old_ack_is_no_answer_to_f_rto() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_rack());
        bench.send(30);
        bench.pass(300);
        assert_eq!(bench.episodes().1, 1);
        bench.wait(100);
        bench.ack(2);
        bench.sack(1, &[(4, 5)]);
        assert_eq!((bench.episodes(), bench.windows().1), ((0, 1, 0), 5000));
    });
}

quickcheck! {
    /// A window of which any part arrived, reported by two ACKs that arrive in either order: what one of them reported does
    /// not go again, whatever detects the loss.
    fn no_order_of_acks_repeats_what_was_reported(rack: bool, pattern: u32, old_first: bool, edge: u32) -> bool {
        const FIRST: u32 = 21; // after the cumulative acknowledgment
        let mut bench = Bench::with_window_20(edge, sack().rack(rack));
        bench.send(20);
        bench.wait(100);
        let arrived = |n: u32| n > FIRST && pattern & (1 << (n % 32)) != 0;
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for n in (FIRST..40).filter(|n| arrived(*n)) {
            match runs.last_mut().filter(|(_, end)| *end == n) {
                Some((_, end)) => *end = n + 1,
                None => runs.push((n, n + 1)),
            }
        }
        let (low, high): (Vec<_>, Vec<_>) = runs.iter().partition(|(start, _)| start % 2 == 0);
        let (low, high) = (&low[..low.len().min(4)], &high[..high.len().min(4)]);
        if old_first {
            bench.sack(20, low);
            bench.sack(FIRST, high);
        } else {
            bench.sack(FIRST, high);
            bench.sack(20, low);
        }
        bench.pass(3000);
        let reported = |n: u32| low.iter().chain(high).any(|(start, end)| (*start..*end).contains(&n));
        bench.log.iter().filter(|(at, _)| *at > 300).all(|(_, words)| {
            words.split(' ').filter_map(|word| word.parse().ok()).all(|n: u32| !reported(n))
        })
    }
}
