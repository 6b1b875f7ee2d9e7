//! Peers that delay the acknowledgment of a lone segment for long (RFC 9293 SHLD-18: less than half a second).

use crate::bench::{ms, without_sack};
use crate::link::Link;

/// Octets of so many full segments.
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
