//! Startup and Drain: A.1 to A.4, A.7, A.12, A.20.

use super::path::config;
use super::*;

/// A.1: three rounds that grow by less than a quarter end Startup, and max_bw is the rate of the path to 2 %. Here the
/// receive window has 1.2 BDP. Ours: where a queue builds up on a path of 64 segments and more, one such round is enough.
#[test]
fn a_1_exiting_startup_on_bandwidth_plateau() {
    let windowed = config().receive_buffer(60_000).receive_buffer_initial(60_000);
    let cases = [(Link::default(), windowed, &[0, 1, 2, 3][..]), (Link::default(), config(), &[0, 1, 2, 3])];
    for (link, config, ends) in cases.into_iter().chain([(long(), config(), &[0, 1][..])]) {
        let mut world = World::with(link, config);
        world.app = App::Greedy;
        let counts = full_bw_counts(&mut world, 5 * SECOND);
        let info = world.bbr();
        assert!(counts.ends_with(ends), "{counts:?}");
        assert_eq!((world.previous(), info.state), (Startup, Drain));
        assert!(info.full_bw_now && info.full_bw_reached);
        let goodput = world.goodput();
        assert!(info.max_bw.abs_diff(goodput) * 50 <= goodput, "{} of {goodput}", info.max_bw);
        assert_eq!((world.lost, info.inflight_longterm), (0, None));
    }
}

/// A.2: a quarter of the segments is lost while the application limits the flow: more than 2 %, in 6 ranges a round. So
/// little is in flight that Drain may be over at once.
#[test]
fn a_2_exiting_startup_on_loss_when_application_limited() {
    let mut world = World::new(Link::default());
    world.app = App::Trickle(HALF);
    world.pass(2 * SECOND);
    assert_eq!((world.state(), world.bbr().full_bw_reached), (Startup, false));
    world.change(|link| link.loss = 250_000);
    assert!(world.until(SECOND, |world| world.state() != Startup));
    let info = world.bbr();
    assert!(info.full_bw_now && info.full_bw_reached && info.inflight_longterm.is_some());
    assert!(info.max_bw < world.goodput() * 3 / 4, "all samples were limited: {}", info.max_bw);
    assert_eq!(world.previous(), Startup);
}

/// A.3: in Drain it paces at half of the bandwidth, until no more than Inflight(1.0) is in flight.
#[test]
fn a_3_exiting_drain_based_on_inflight() {
    let mut world = World::greedy(Link::default(), Drain, 5 * SECOND);
    let start = world.bbr();
    assert_eq!(start.pacing_gain_percent, 50);
    assert_eq!(start.pacing_rate, start.bw.div_ceil(2) * 99 / 100);
    assert!(world.until(SECOND, |world| {
        let drains = world.state() == Drain;
        assert!(!drains || world.inflight() > world.inflight_target(), "{} in flight", world.inflight());
        !drains
    }));
    assert!(world.inflight() <= world.inflight_target() + world.bbr().send_quantum);
    assert!(world.bbr().round_count <= start.round_count + 3);
    assert_eq!(world.state(), ProbeBwCruise, "ProbeBW_DOWN has nothing left to do");
}

/// A.4: the path becomes slower than half of what was measured, so the queue stays: three rounds end Drain. At the 10 %
/// of the draft a pacing gain of 0.5 would drain the queue all the same.
#[test]
fn a_4_exiting_drain_based_on_time() {
    let mut world = World::greedy(Link::default(), Drain, 5 * SECOND);
    world.change(|link| link.rate = link.rate * 2 / 5);
    let start = world.bbr().round_count;
    assert!(world.until(5 * SECOND, |world| {
        assert!(world.inflight() > world.inflight_target(), "{} in flight", world.inflight());
        world.state() != Drain
    }));
    assert_eq!((world.state(), world.bbr().round_count), (ProbeBwDown, start + 4));
}

/// A.7, in Startup: rounds that the application limits tell of no full pipe, however many.
#[test]
fn a_7_never_exiting_startup_when_application_limited_with_no_loss() {
    let mut world = World::new(Link::default());
    world.app = App::Trickle(HALF);
    world.pass(60 * SECOND);
    assert_eq!((world.states.len(), world.state(), world.lost), (1, Startup, 0));
    assert!(world.bbr().round_count > 1000 && !world.bbr().full_bw_reached);
}

/// A.12: acknowledgments come in slots of three quarters of a round trip. The window grows beyond 2 BDP, and Startup finds
/// the bandwidth as fast as without. Samples over little more than a slot are a quarter too large.
#[test]
fn a_12_achieving_expected_startup_bandwidth_on_a_link_with_aggregation() {
    let mut world = World::new(Link { ack_slot: 30 * MILLI, queue: 400_000, ..Link::default() });
    world.app = App::Greedy;
    let mut extra = 0;
    assert!(world.until(3 * SECOND, |world| {
        extra = extra.max(world.bbr().extra_acked);
        world.state() == Drain
    }));
    let (info, goodput) = (world.bbr(), world.goodput());
    let slot = goodput as u32 * 30 / 1000;
    assert!(extra >= slot / 2 && extra <= 2 * slot, "extra_acked {extra}, a slot is {slot}");
    assert!(u64::from(info.cwnd) > 2 * world.link.bdp(), "cwnd {}", info.cwnd);
    assert!(info.max_bw >= goodput * 98 / 100 && info.max_bw <= goodput * 13 / 10, "{} of {goodput}", info.max_bw);
    assert!(info.round_count <= 10, "{} rounds", info.round_count);
}

/// A.20: Startup lasts for long because the application limits it, and the round trip gets longer. ProbeRTT leads back to
/// Startup, which then finds the bandwidth.
#[test]
fn a_20_entering_and_exiting_probe_rtt_during_startup() {
    let mut world = World::new(Link::default());
    world.app = App::Trickle(HALF);
    world.pass(2 * SECOND);
    world.change(|link| link.delay += 10 * MILLI);
    world.reach(ProbeRtt, 6 * SECOND);
    assert_eq!((world.previous(), world.bbr().full_bw_reached), (Startup, false));
    world.reach(Startup, SECOND);
    world.app = App::Greedy;
    world.reach(Drain, 3 * SECOND);
    assert!(world.bbr().max_bw >= world.goodput() * 98 / 100);
}
