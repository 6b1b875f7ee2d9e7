//! Peers that delay the acknowledgment of a lone segment for long (RFC 9293 SHLD-18: less than half a second).

use quickcheck::quickcheck;

use super::bench::{ms, sack, without_sack};
use super::link::Link;

/// Octets of `n` full segments.
const fn segments(n: u32) -> u32 {
    n * 1460
}

/// RFC 6298 (2.3), (2.4): 200 ms are the lower limit of the variation, and come on top of a round trip that is steady at
/// nearly 100 ms, the queue included. The last segment of a bulk is a lone one. Without SACK and timestamps nothing would
/// tell that its timeout was spurious, and the next bulk would begin with ssthresh at two segments.
#[test]
fn established_a_delayed_ack_behind_a_bulk_costs_the_next_bulk_nothing() {
    for cubic in [false, true] {
        for delay in (0..=250).step_by(10).chain([199, 201]) {
            let link = Link { delay: ms(delay), cubic, ..Link::default() };
            let outcome = link.carry(without_sack(), &[segments(481), segments(481)]);
            assert_eq!(outcome.info.counters.timeouts, 0, "{delay} ms");
            assert!(outcome.time < ms(600), "{delay} ms: {:?}", outcome.time);
        }
    }
}

/// A longer delay times out once for each lone segment: F-RTO asks for more than one acknowledgment (RFC 5682 §2.1 (2a)).
#[test]
fn established_a_delayed_ack_of_half_a_second_costs_one_timeout_each() {
    for delay in (280..500).step_by(10).chain([499]) {
        let link = Link { delay: ms(delay), ..Link::default() };
        let outcome = link.carry(without_sack(), &[segments(481), segments(481)]);
        assert_eq!(outcome.info.counters.timeouts, 2, "{delay} ms");
        assert_eq!(outcome.info.counters.retransmissions, 2);
        assert!(outcome.time < ms(1400), "{delay} ms: {:?}", outcome.time);
    }
}

/// 1 Gbit/s, 1 ms, and a peer that delays the ACK of a lone segment by 200 ms.
fn near(window: u32) -> Link {
    let syn_window = window.min(65_535) as u16;
    Link { delay: ms(200), rate: 1_000_000_000, rtt: ms(1), window, syn_window, shift: 0, ..Link::default() }
}

/// RFC 9293 §3.8.6.2.1 (3): a window of one to two segments gets two segments of half of it, and each round trip its ACK.
#[test]
fn established_a_window_below_two_segments_waits_for_no_delayed_ack() {
    for (window, most) in [(1460, 70), (1461, 70), (2000, 51), (2800, 37), (2919, 36), (2920, 36)] {
        let outcome = near(window).carry(sack().timestamps(false), &[100_000]);
        assert!(outcome.time < ms(most), "window {window}: {:?}", outcome.time);
        assert_eq!(outcome.info.counters.timeouts, 0);
    }
}

/// All windows of one to four segments, scaled or not, with peers that count segments or octets (half of their buffer), and
/// any detector.
#[test]
fn established_small_windows_of_all_sizes_wait_for_no_delayed_ack() {
    for (n, window) in (1460..=5840).step_by(73).flat_map(|window| [window, window + 1, window + 5]).enumerate() {
        let on = |bit: usize| (n / 3) >> bit & 1 == 1;
        let config = sack().sack(on(0)).rack(on(1)).timestamps(on(2)).max_transmit(if on(3) { 60_000 } else { 0 });
        let config = config.pacing(on(4)).pacing_burst(10).nagle(on(1));
        for (shift, octets) in [(0, None), (5, None), (0, Some(window / 2)), (5, Some(window.min(2920) / 2))] {
            let outcome = Link { shift, octets, ..near(window) }.carry(config, &[100_000]);
            // a round trip takes 1.1 ms at most, and brings 31 octets less than the window, or two segments
            let rounds = u64::from(100_000 / (window - 31).min(2 * 1448) + 1);
            assert!(
                outcome.time < ms(11 * rounds / 10 + 3),
                "window {window}, {shift}, {octets:?}: {:?}",
                outcome.time
            );
        }
    }
}

/// Windows of a few octets.
#[test]
fn established_tiny_windows_are_filled_in_two_segments() {
    for window in 2..=64 {
        let outcome = near(window).carry(sack().nagle(window % 2 == 0), &[40 * window]);
        assert!(outcome.time < ms(62), "window {window}: {:?}", outcome.time);
    }
    // here each segment is a lone one
    assert!(near(1).carry(sack(), &[10]).time < ms(2010));
}

/// The largest segments there are, and the largest window without scaling.
#[test]
fn established_two_segments_of_the_largest_size_share_the_window() {
    for shift in [0, 2] {
        let window = if shift == 0 { 65_535 } else { 131_000 };
        let link = Link { mtu: 65_535, shift, ..near(window) };
        let outcome = link.carry(sack().timestamps(false), &[2_000_000]);
        assert!(outcome.time < ms(52), "{:?}", outcome.time);
    }
}

/// A first window of one segment, whose ACK comes after the timeout, and then the report of the duplicate: the timeout is undone,
/// although cwnd has grown past its old size meanwhile (RFC 3708 §3, RFC 4015 §3 (9)). The delays are those with which the
/// ACK leaves before the duplicate arrives; else one ACK tells both, as after the loss of all ACKs (RFC 3708 §3 (A.1), RFC
/// 3522 §3.2 (5)).
#[test]
fn established_a_spurious_timeout_of_a_lone_first_segment_is_undone() {
    for (rtt, rto) in [(40, 240), (60, 260), (100, 300)] {
        for n in 0..8 {
            let config = sack().rack(false).quick_acks(0).initial_window(1).timestamps(n & 1 != 0);
            let link = Link { rtt: ms(rtt), cubic: n & 2 != 0, ..Link::default() };
            let usual = Link { delay: ms(100), ..link }.carry(config, &[700_000]).time - ms(100);
            for delay in (rto - rtt + 5..rto).step_by(5) {
                let outcome = Link { delay: ms(delay), ..link }.carry(config, &[700_000]);
                let counters = outcome.info.counters;
                assert_eq!((counters.timeouts, counters.spurious_recoveries), (1, 1), "{link:?}, {delay} ms");
                assert!(outcome.time < usual + ms(delay + 5), "{link:?}, {delay} ms: {:?}", outcome.time);
            }
        }
    }
}

quickcheck! {
    /// Whatever the window was at first and is later: everything arrives, and never is a timeout needed.
    fn any_windows_carry_everything(window: u16, first: u16, shift: u8, delay: u8, mtu: u16, gso: u16, flags: u8) -> bool {
        let on = |bit: u8| flags & (1 << bit) != 0;
        let (window, first, shift) = (u32::from(window % 9000) + 64, first % 9000 + 64, shift % 5);
        let mtu = mtu % 1200 + 300;
        let link = Link { window, syn_window: first, shift, mtu, delay: ms(u64::from(delay) / 2), ..near(window) };
        let config = sack().sack(on(0)).rack(on(1)).timestamps(on(2)).nagle(on(3)).pacing(on(4)).max_transmit(gso % 9000);
        let octets = 20 * window;
        let outcome = link.carry(config, &[octets]);
        // each round trip takes as much as was worth sending: half of the largest window, or a segment, and override timeouts
        let round = 2 + u64::from(delay) / 2 + 200;
        let rounds = u64::from(octets / (window - (1 << shift)).min(u32::from(mtu) - 60) + 2);
        outcome.info.counters.timeouts == 0 && outcome.time < ms(round * rounds)
    }
}
