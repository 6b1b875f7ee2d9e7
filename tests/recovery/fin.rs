//! Our FIN is no text: it needs the peer's window and no congestion window (RFC 5681 §2).

use quickcheck::quickcheck;
use segue::{ConfigBuilder, Timer};

use super::bench::{Bench, MSS, everywhere, sack, without_rack, without_sack};

fn configs() -> [ConfigBuilder; 5] {
    [sack(), without_rack(), without_sack(), sack().timestamps(true), sack().pacing(true).pacing_burst(10)]
}

/// cwnd is full.
#[test]
fn fin_wait_1_a_fin_needs_no_room_in_cwnd() {
    everywhere(|iss| {
        for config in configs() {
            let mut bench = Bench::new(iss, config);
            bench.send(10);
            assert_eq!((bench.info().flight, bench.info().cwnd), (10_000, 10_000));
            assert_eq!(bench.close(), "F");
        }
    });
}

/// Text does need it, and the FIN stays behind the text.
#[test]
fn fin_wait_1_a_fin_behind_text_that_waits_for_cwnd_waits_too() {
    everywhere(|iss| {
        for config in configs() {
            let mut bench = Bench::new(iss, config);
            bench.send(12);
            assert_eq!(bench.close(), "");
            bench.wait(100);
            assert_eq!(bench.ack(1), "10 11F");
        }
    });
}

/// In fast recovery the window is what proportional rate reduction leaves.
#[test]
fn fin_wait_1_a_fin_in_fast_recovery_leaves_at_once() {
    everywhere(|iss| {
        for config in [sack(), without_rack(), sack().timestamps(true)] {
            let mut bench = Bench::new(iss, config);
            bench.send(10);
            bench.at(100);
            assert_eq!(bench.octets(0, &[(1000, 5000)], Some(0)), "0");
            assert_eq!((bench.info().flight, bench.info().cwnd), (10_000, 6000)); // and 4000 are reported
            assert_eq!(bench.close(), "F");
        }
    });
}

/// Where pacing holds the last text, the FIN leaves with it; behind the last text it costs nothing.
#[test]
fn fin_wait_1_a_fin_is_not_paced() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack().pacing(true).pacing_burst(1));
        assert_eq!(bench.send(2), "0");
        assert_eq!(bench.close(), "");
        assert_eq!(bench.fire(Timer::Pace, 5), "1F");
        let mut bench = Bench::new(iss, sack().pacing(true).pacing_burst(1));
        assert_eq!(bench.send(1), "0");
        assert_eq!(bench.close(), "F");
    });
}

/// The peer's window does hold it: it has a number.
#[test]
fn fin_wait_1_a_fin_needs_room_in_the_peers_window() {
    everywhere(|iss| {
        for config in configs() {
            let mut bench = Bench::unscaled(iss, config);
            bench.window_is(4000);
            bench.send(4);
            assert_eq!(bench.close(), "");
            assert_eq!(bench.window_is(4001), "F");
        }
    });
}

/// A FIN that went alone and was lost goes again when cwnd is full, too.
#[test]
fn fin_wait_1_a_lost_fin_needs_no_room_in_cwnd() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_sack());
        bench.send(1);
        assert_eq!(bench.close(), "F");
        bench.pass(300);
        assert_eq!(bench.log.iter().map(|(_, words)| words.as_str()).collect::<Vec<_>>(), ["0", "F", "0F"]);
    });
}

/// RFC 8985 §7.3: a probe takes new data: the last text with the FIN, where the peer's window has room for both.
#[test]
fn fin_wait_1_a_tail_loss_probe_takes_the_fin_along() {
    everywhere(|iss| {
        for (window, probe) in [(65_535, "10F"), (11_001, "10F"), (11_000, "10"), (10_999, "9")] {
            let mut bench = Bench::unscaled(iss, sack());
            bench.window_is(window);
            bench.send(11);
            assert_eq!(bench.close(), "");
            assert_eq!(bench.fire(Timer::TailLossProbe, 200), probe, "window {window}");
        }
        // no more text than a segment
        let mut bench = Bench::new(iss, sack());
        bench.send(12);
        bench.close();
        assert_eq!(bench.fire(Timer::TailLossProbe, 200), "10");
    });
}

quickcheck! {
    /// Whatever the configuration and the acknowledgments: once all text has left, the FIN has.
    fn where_nothing_is_lost_the_fin_leaves_with_the_last_text(
        flags: u8, segments: u8, initial: u8, gso: u16, acks: Vec<(u8, u8)>
    ) -> bool {
        let on = |bit: u8| flags & (1 << bit) != 0;
        let config = sack().sack(on(0)).rack(on(1)).timestamps(on(2)).pacing(on(3)).minshall(on(4));
        let config = config.initial_window(initial % 10 + 1).max_transmit(gso % 20_000);
        let mut bench = Bench::new(u32::MAX - 5000, config);
        let text = (u32::from(segments % 40) + 1) * MSS;
        bench.send_octets(text);
        bench.close();
        let mut una = 0;
        for (millis, share) in acks.into_iter().map(Some).chain(std::iter::repeat_n(None, 300)).map(|a| a.unwrap_or((10, 255))) {
            let info = bench.info();
            let nxt = info.snd_nxt - bench.seq(0);
            assert!(nxt != text, "all text has left, the FIN has not: {info:?}");
            bench.pass(u64::from(millis) % 50); // no timeout: each acknowledgment advances
            una += ((nxt.min(text) - una) * u32::from(share)).div_ceil(255);
            bench.octets(una, &[], Some(bench.clock() as u32));
        }
        bench.info().snd_nxt == bench.seq(text + 1)
    }
}
