//! ProbeRTT: A.10 and A.11.

use super::*;
use std::time::Duration;

/// A.10: the round trip gets half as long again, so probe_rtt_min_delay is refreshed by nothing for 5 s. (A sample that is
/// an eighth longer or less would: that is ours.) ProbeRTT lasts for a round and 200 ms, with half a BDP in flight.
#[test]
fn a_10_entering_and_exiting_probe_rtt() {
    let mut world = World::greedy(Link::default(), ProbeBwCruise, 5 * SECOND);
    world.pass(500 * MILLI); // the queue of Startup is gone
    assert_eq!(world.state(), ProbeBwCruise);
    world.change(|link| link.delay += 10 * MILLI);
    let changed = world.now;
    world.reach(ProbeRtt, 6 * SECOND);
    let waited = world.now - changed;
    assert!((5 * SECOND..5 * SECOND + 200 * MILLI).contains(&waited), "{waited}");
    let info = world.bbr();
    assert_eq!((info.cwnd_gain_percent, info.pacing_gain_percent), (50, 100));
    assert!(info.cwnd <= world.inflight_target() / 2 + 1, "{}", info.cwnd);
    let little = world.until(SECOND, |world| world.inflight() <= world.bbr().cwnd);
    let (start, round) = (world.now, world.bbr().round_count);
    world.reach(ProbeBwCruise, SECOND);
    let (time, after) = (world.now - start, world.bbr());
    assert!(little && (200 * MILLI..330 * MILLI).contains(&time), "{time}");
    assert!(after.round_count > round && after.full_bw_reached && after.cwnd_gain_percent == 200);
    assert!((after.bw_shortterm, after.inflight_shortterm) == (None, None));
    world.pass(6 * SECOND);
    assert!(world.bbr().min_rtt.expect("known") >= Duration::from_millis(60), "the minimum of 10 s");
    let (rate, goodput) = (world.rate_over(3 * SECOND), world.goodput());
    assert!(rate >= goodput * 95 / 100, "{rate} of {goodput}");
}

/// Without a longer round trip there is no queue to drain: that is ours.
#[test]
fn probe_rtt_is_left_out_where_no_queue_stands() {
    let mut world = World::greedy(Link::default(), ProbeBwCruise, 5 * SECOND);
    world.pass(20 * SECOND);
    assert!(world.states.iter().all(|(_, info)| info.state != ProbeRtt));
}

/// A.11: the application pauses for longer than ProbeRTTInterval. What it sends then restarts the flow at its bandwidth,
/// and no ProbeRTT follows, though the first sample is long.
#[test]
fn a_11_skipping_probe_rtt_due_to_application_limited_sending() {
    let mut world = World::greedy(Link::default(), ProbeBwCruise, 5 * SECOND);
    world.app = App::Pause;
    world.pass(6 * SECOND);
    assert_eq!((world.inflight(), world.bbr().idle_restart), (0, false));
    world.change(|link| link.delay += 10 * MILLI);
    let (before, states) = (world.bbr(), world.states.len());
    world.app = App::Greedy;
    assert!(world.until(2 * MILLI, |world| world.bbr().idle_restart));
    assert_eq!((world.bbr().pacing_rate, world.bbr().cwnd), (before.bw * 99 / 100, before.cwnd));
    assert!(world.until(SECOND, |world| !world.bbr().idle_restart), "something is delivered");
    world.pass(2 * SECOND);
    assert!(world.states[states..].iter().all(|(_, info)| info.state != ProbeRtt));
}
