//! Mistakes of loss detection: A.18 and A.19.

use super::*;

/// A.18: a seventh of the segments of 40 ms come 30 ms late, which RACK takes as loss; that ends ProbeBW_UP. DSACK shows
/// that none was lost: inflight_longterm is as before, and REFILL leads back to ProbeBW_UP.
#[test]
fn a_18_handling_spurious_fast_recovery() {
    let mut world = World::greedy(Link::default(), ProbeBwUp, 5 * SECOND);
    let before = world.bbr();
    world.change(|link| link.hold = (150_000, 30 * MILLI));
    world.pass(40 * MILLI);
    world.change(|link| link.hold = (0, 0));
    world.reach(ProbeBwDown, 200 * MILLI);
    assert_eq!(world.previous(), ProbeBwUp);
    assert!(world.bbr().inflight_longterm.is_some());
    world.reach(ProbeBwRefill, 200 * MILLI);
    let (info, counters) = (world.bbr(), world.tcp().info().counters);
    assert_eq!(
        (counters.spurious_recoveries, counters.fast_retransmits),
        (2, 2),
        "the first was too small to be heeded"
    );
    assert_eq!((counters.timeouts, world.lost), (0, 0));
    assert_eq!((info.inflight_longterm, info.bw_shortterm, info.inflight_shortterm), (None, None, None));
    assert!(!info.is_loss_in_round && info.cwnd >= before.cwnd);
    world.reach(ProbeBwUp, 200 * MILLI);
    assert_eq!(world.previous(), ProbeBwRefill);
}

/// A.19: nothing arrives for longer than the RTO, and then everything. REFILL lasts until what
/// is sent after that is acknowledged: a round trip of more than a second.
#[test]
fn a_19_handling_spurious_rto_recovery() {
    let mut world = World::greedy(Link::default(), ProbeBwUp, 5 * SECOND);
    let before = world.bbr();
    world.change(|link| link.delay += 500 * MILLI);
    world.reach(ProbeBwDown, 600 * MILLI);
    let timeouts = world.tcp().info().counters.timeouts;
    assert_eq!((world.previous(), timeouts), (ProbeBwUp, 1));
    assert!(world.bbr().cwnd <= 2 * world.mss() + world.inflight());
    world.reach(ProbeBwRefill, SECOND);
    let (began, info) = (world.now, world.bbr());
    world.reach(ProbeBwUp, 3 * SECOND);
    assert!(world.now - began >= SECOND, "{} ns", world.now - began);
    let counters = world.tcp().info().counters;
    assert_eq!((world.previous(), counters.spurious_recoveries, world.lost), (ProbeBwRefill, 1, 0));
    assert_eq!((info.inflight_longterm, info.bw_shortterm, info.inflight_shortterm), (None, None, None));
    let restored = before.cwnd - 2 * world.mss(); // REFILL's gain is 8/9 of that of UP, which has two segments more
    assert!(!info.is_loss_in_round && info.cwnd >= restored / 9 * 8, "{} of {}", info.cwnd, before.cwnd);
}
