//! The cycle of ProbeBW: A.5, A.6, A.8, A.9, A.13, A.14, A.21, A.22, and A.7 in ProbeBW_UP.

use super::*;

/// A.5: three rounds at 1.25 that bring nothing end ProbeBW_UP.
#[test]
fn a_5_exiting_probe_up_on_bandwidth_plateau() {
    let mut world = World::greedy(Link::default(), ProbeBwUp, 5 * SECOND);
    let start = world.bbr();
    assert_eq!((start.pacing_gain_percent, start.cwnd_gain_percent, start.full_bw_now), (125, 225, false));
    let counts = full_bw_counts(&mut world, SECOND);
    assert_eq!((counts, world.bbr().round_count), (vec![0, 1, 2, 3], start.round_count + 3));
    assert_eq!((world.state(), world.bbr().full_bw_now, world.lost), (ProbeBwDown, true, 0));
    assert!(u64::from(world.inflight()) > world.link.bdp() * 5 / 4, "{} in flight", world.inflight());
}

/// A.6: losses end ProbeBW_UP while the application limits the flow. The draft's text lets them update inflight_longterm,
/// its pseudocode (HandleInflightTooHigh) does not: what the application left out says nothing of the path. The losses
/// must be more than a tenth here, as no queue stands: others are taken as random, which is ours.
#[test]
fn a_6_exiting_probe_up_on_loss_when_application_limited() {
    let mut world = World::greedy(Link::default(), ProbeBwUp, 5 * SECOND);
    world.app = App::Trickle(HALF);
    world.pass(SECOND);
    assert_eq!((world.state(), world.bbr().inflight_longterm), (ProbeBwUp, None));
    world.change(|link| link.loss = 300_000);
    assert!(world.until(100 * MILLI, |world| world.state() != ProbeBwUp));
    assert_eq!(world.state(), ProbeBwCruise, "ProbeBW_DOWN has nothing to do");
    assert_eq!((world.bbr().full_bw_now, world.bbr().inflight_longterm), (false, None));
}

/// A.7, in ProbeBW_UP.
#[test]
fn a_7_never_exiting_probe_up_when_application_limited_with_no_loss() {
    let mut world = World::greedy(Link::default(), ProbeBwUp, 5 * SECOND);
    world.app = App::Trickle(HALF);
    let states = world.states.len();
    world.pass(60 * SECOND);
    assert_eq!((world.states.len(), world.state(), world.lost), (states, ProbeBwUp, 0));
}

/// A.8: ProbeBW_DOWN paces at nine tenths until neither a queue is left nor inflight_longterm's headroom is used.
#[test]
fn a_8_exiting_probe_down_on_inflight() {
    for link in [Link::default(), shallow()] {
        let mut world = World::greedy(link, ProbeBwUp, 5 * SECOND);
        world.reach(ProbeBwDown, SECOND);
        let info = world.bbr();
        assert_eq!(info.pacing_gain_percent, 90);
        assert_eq!(info.pacing_rate, (info.bw * 9).div_ceil(10) * 99 / 100);
        let target = |world: &World| {
            let headroom = world.bbr().inflight_longterm.map_or(u32::MAX, |longterm| longterm - longterm * 15 / 100);
            headroom.min(world.inflight_target())
        };
        assert!(world.until(SECOND, |world| {
            let goes_down = world.state() == ProbeBwDown;
            assert!(!goes_down || world.inflight() > target(world), "{} in flight", world.inflight());
            !goes_down
        }));
        assert_eq!(world.state(), ProbeBwCruise);
        assert!(world.inflight() <= target(&world) + world.bbr().send_quantum, "{} in flight", world.inflight());
    }
}

/// A.9: the path loses a tenth, so the queue stays. When bw_probe_wait is over, REFILL follows at once.
#[test]
fn a_9_exiting_probe_down_after_max_time() {
    let mut world = World::greedy(long(), ProbeBwUp, 10 * SECOND);
    world.reach(ProbeBwDown, SECOND);
    let (start, rounds) = (world.now, world.bbr().round_count);
    world.change(|link| link.rate = link.rate * 9 / 10);
    world.reach(ProbeBwRefill, 5 * SECOND);
    assert_eq!(world.previous(), ProbeBwDown);
    let time = world.now - start;
    assert!((2 * SECOND..3 * SECOND + 100 * MILLI).contains(&time), "{time}");
    assert!(world.bbr().round_count < rounds + 62, "it was no matter of rounds");
}

/// A.13: in ProbeBW_CRUISE acknowledgments begin to come in slots. extra_acked is what a slot brings at once, the window
/// covers it, and the path stays full. Ten rounds after the slots are gone, so is extra_acked.
#[test]
fn a_13_achieving_expected_cruise_bandwidth_on_a_link_with_aggregation() {
    let mut world = World::greedy(Link { queue: 400_000, ..Link::default() }, ProbeBwCruise, 5 * SECOND);
    let before = world.bbr();
    assert!(before.extra_acked <= 3 * world.mss());
    world.change(|link| link.ack_slot = 30 * MILLI);
    world.pass(300 * MILLI);
    let (info, slot) = (world.bbr(), world.goodput() as u32 * 30 / 1000);
    assert!(info.extra_acked >= slot / 2 && info.extra_acked <= 2 * slot, "{} of {slot}", info.extra_acked);
    assert!(info.max_inflight >= before.max_inflight + info.extra_acked - before.extra_acked);
    assert!(info.cwnd > before.cwnd + slot / 3, "{} after {}", info.cwnd, before.cwnd);
    let (rate, goodput) = (world.rate_over(3 * SECOND), world.goodput());
    assert!(rate >= goodput * 95 / 100, "{rate} of {goodput}");
    world.change(|link| link.ack_slot = 0);
    world.pass(2 * SECOND);
    assert!(world.bbr().extra_acked <= 3 * world.mss(), "{}", world.bbr().extra_acked);
}

/// A.14: a BDP of a sixth of a packet. Four packets are the least window, in ProbeRTT exactly, and the path is full.
#[test]
fn a_14_correctly_managing_sub_packet_bdps() {
    let link = Link { rate: 1_000_000, delay: MILLI, ..Link::default() };
    let mut world = World::greedy(link, ProbeBwDown, 5 * SECOND);
    let (floor, goodput, before) = (4 * world.mss(), world.goodput(), world.received);
    assert!(!world.until(4 * SECOND, |world| world.bbr().cwnd < floor));
    let rate = (world.received - before) / 4;
    assert!(rate >= goodput * 95 / 100, "{rate} of {goodput}");
    let info = world.bbr();
    let paced = info.pacing_rate * 100 / u64::from(info.pacing_gain_percent);
    assert!(paced.abs_diff(goodput) * 50 <= goodput, "{paced} of {goodput}");
    world.change(|link| link.delay = 20 * MILLI);
    world.reach(ProbeRtt, 12 * SECOND);
    assert!(!world.until(100 * MILLI, |world| world.bbr().cwnd < floor));
    assert_eq!((world.state(), world.bbr().cwnd), (ProbeRtt, floor));
}

/// Where the BDP is less than a packet, probes do not follow each other without end, and max_bw is forgotten, too.
#[test]
fn a_bandwidth_of_less_than_a_packet_in_flight_is_forgotten() {
    let link = Link { rate: 1_000_000, delay: MILLI, ..Link::default() };
    let mut world = World::greedy(link, ProbeBwDown, 5 * SECOND);
    world.change(|link| link.rate = 250_000);
    world.pass(10 * SECOND);
    let (max_bw, goodput) = (world.bbr().max_bw, world.goodput());
    assert!(max_bw.abs_diff(goodput) * 50 <= goodput, "{max_bw} of {goodput}");
}

/// A.21: a probe loses segments before its plateau: inflight_longterm falls, not below seven tenths, and DOWN follows.
#[test]
fn a_21_handling_loss_during_probe_up_after_inflight_longterm_is_set() {
    let mut world = World::greedy(shallow(), ProbeBwRefill, 5 * SECOND);
    world.change(|link| link.queue = 150_000); // no other losses
    world.reach(ProbeBwUp, SECOND);
    let (before, full) = (world.bbr(), world.bbr().full_bw_count);
    let longterm = before.inflight_longterm.expect("it is set");
    world.lose_next = 12;
    world.reach(ProbeBwDown, 200 * MILLI);
    let info = world.bbr();
    assert_eq!((world.previous(), info.full_bw_now, full), (ProbeBwUp, false, 0));
    let lowered = info.inflight_longterm.expect("it is set");
    let least = world.inflight_target().min(before.cwnd) * 7 / 10;
    assert!(lowered < longterm && lowered >= least, "{lowered}, from {longterm}, at least {least}");
}

/// A.22: in ProbeBW_REFILL the application sends little, or nothing. max_bw stays, and the probe goes on.
#[test]
fn a_22_handling_application_limited_sending_during_probe_refill() {
    for app in [App::Trickle(100), App::Pause] {
        let mut world = World::greedy(Link::default(), ProbeBwRefill, 5 * SECOND);
        let before = world.bbr().max_bw;
        world.app = app;
        if app == App::Pause {
            world.pass(200 * MILLI);
            world.app = App::Greedy;
        }
        world.until(SECOND, |world| {
            assert_eq!(world.bbr().max_bw, before, "{app:?}");
            world.state() != ProbeBwRefill
        });
        assert_eq!(world.state(), ProbeBwUp, "{app:?}");
        world.app = App::Greedy;
        world.reach(ProbeBwDown, 2 * SECOND);
        world.pass(5 * SECOND);
        let (max_bw, goodput) = (world.bbr().max_bw, world.goodput());
        assert!(max_bw.abs_diff(goodput) * 50 <= goodput, "{max_bw} of {goodput}");
    }
}

/// The same, where the application limits the flow before ProbeBW_REFILL begins: the round counts all the same.
#[test]
fn a_refill_that_the_application_limits_from_its_start_leads_to_probe_up() {
    let mut world = World::greedy(Link::default(), ProbeBwCruise, 5 * SECOND);
    world.app = App::Trickle(HALF);
    world.reach(ProbeBwRefill, 5 * SECOND);
    let (max_bw, round) = (world.bbr().max_bw, world.bbr().round_count);
    world.reach(ProbeBwUp, SECOND);
    assert_eq!((world.bbr().max_bw, world.bbr().round_count), (max_bw, round + 1));
}
