//! How losses, acknowledgments and time move the bounds of the model (§5.3.4.3, §5.5).

use super::*;
use crate::send::congestion::bbr::model::{NO_RATE, NO_VOLUME};

const MICRO: Micros = Micros::new(1);

fn lossy_round(state: BbrState, delivery_rate: u64, delivered: u32) -> Model {
    let mut model = Model { is_loss_in_round: true, ..in_state(state) };
    model.update_on_ack(&Sample { delivery_rate, delivered, ..next_round() });
    model
}

/// LossLowerBounds: seven tenths, or what the last round saw.
#[test]
fn a_round_of_losses_lowers_the_short_term_bounds_to_seven_tenths() {
    let low = lossy_round(BbrState::ProbeBwCruise, 500_000, 50_000);
    assert_eq!((low.bw_shortterm, low.inflight_shortterm, low.bw), (700_000, 140_000, 700_000));
    let latest = lossy_round(BbrState::ProbeBwCruise, 792_000, 150_000);
    assert_eq!((latest.bw_shortterm, latest.inflight_shortterm), (800_000, 150_000), "it was paced at 99 %");
    assert!(!latest.is_loss_in_round);
}

/// Ours: what is paced at nine tenths, less the margin, cannot deliver more.
#[test]
fn bw_latest_is_relative_to_the_pacing_gain() {
    let down = |ack_phase, delivery_rate| {
        let mut model = Model { is_loss_in_round: true, ack_phase, ..in_state(BbrState::ProbeBwDown) };
        model.update_on_ack(&Sample { delivery_rate, ..next_round() });
        model.bw_shortterm
    };
    assert_eq!((down(AckPhase::Init, 891_000), down(AckPhase::Init, 712_800)), (BW, 800_000));
    assert_eq!(down(AckPhase::ProbeStopping, 891_000), 891_000, "that left in ProbeBW_UP");
    assert_eq!(lossy_round(BbrState::ProbeBwCruise, 5 * BW, 0).bw_shortterm, 5 * BW, "max_bw, which grew");
    let mut model = Model { bw_shortterm: 800_000, is_loss_in_round: true, ..in_state(BbrState::ProbeBwCruise) };
    model.update_on_ack(&next_round());
    assert_eq!(model.bw_shortterm, 800_000, "a loss raises nothing");
}

/// Where the flow accelerates, they wait.
#[test]
fn the_short_term_bounds_stay_while_the_flow_accelerates() {
    for state in STATES {
        let model = lossy_round(state, 500_000, 50_000);
        let accelerates = matches!(state, BbrState::Startup | BbrState::ProbeBwRefill | BbrState::ProbeBwUp);
        assert_eq!(model.inflight_shortterm == NO_VOLUME, accelerates, "{state:?}");
    }
    let mut model = Model { is_loss_in_round: true, ..in_state(BbrState::ProbeBwCruise) };
    model.update_on_ack(&sample());
    assert_eq!(model.bw_shortterm, NO_RATE, "the round goes on");
}

/// UpdateMaxBw: a sample that the application limited counts if it is larger.
#[test]
fn a_low_rate_by_the_application_is_no_measure() {
    let max_bw = |delivery_rate, is_app_limited| {
        let mut model = Model { max_bw_filter: [0, 900_000], ..in_state(BbrState::ProbeBwCruise) };
        model.update_on_ack(&Sample { delivery_rate, is_app_limited, ..sample() });
        model.max_bw_filter
    };
    assert_eq!((max_bw(899_999, true), max_bw(900_000, true)), ([0, 900_000], [0, 900_000]));
    assert_eq!((max_bw(900_001, true), max_bw(900_001, false)), ([0, 900_001], [0, 900_001]));
    assert_eq!(max_bw(0, false), [0, 900_000]);
    let mut model = Model { max_bw_filter: [900_000, 0], ..in_state(BbrState::ProbeBwCruise) };
    model.update_on_ack(&Sample { delivery_rate: 899_999, is_app_limited: true, ..sample() });
    assert_eq!(model.max_bw_filter, [900_000, 0], "nor is it what this cycle saw");
    model.update_on_ack(&Sample { delivery_rate: 899_999, ..sample() });
    assert_eq!(model.max_bw_filter, [900_000, 899_999]);
}

/// Two cycles; one without a sample, or limited by the application, does not count.
#[test]
fn max_bw_is_forgotten_after_two_cycles() {
    let mut model = Model { max_bw_filter: [0, 3 * BW], ..in_state(BbrState::ProbeBwDown) };
    let mut cycle = |sample: &Sample| {
        (model.ack_phase, model.next_round_delivered) = (AckPhase::ProbeStopping, 1_000_000);
        model.update_on_ack(sample);
        (model.max_bw_filter, model.max_bw())
    };
    assert_eq!(cycle(&Sample { is_app_limited: true, ..next_round() }), ([0, 3 * BW], 3 * BW));
    assert_eq!(cycle(&next_round()), ([3 * BW, 0], 3 * BW));
    assert_eq!(cycle(&Sample { delivery_rate: 0, ..next_round() }), ([3 * BW, 0], 3 * BW), "no sample");
    assert_eq!(cycle(&next_round()), ([BW, 0], BW));
}

/// UpdateACKAggregation: what came beyond the rate, for ten rounds; for one before the pipe was full.
#[test]
fn extra_acked_is_what_came_beyond_the_rate() {
    let mut model = in_state(BbrState::ProbeBwCruise);
    let acks = |model: &mut Model, micros, newly_acked| {
        let now = now() + Micros::new(micros);
        model.update_ack_aggregation(&Sample { now, newly_acked, ..sample() });
        model.extra_acked_filter.get()
    };
    assert_eq!(acks(&mut model, 0, 20_000), 20_000);
    assert_eq!(acks(&mut model, 5000, 20_000), 35_000, "5000 were expected");
    assert_eq!(acks(&mut model, 40_000, 2000), 35_000, "as expected: the interval starts anew");
    assert_eq!((model.extra_acked_delivered, model.extra_acked_interval_start), (2000, now() + Micros::new(40_000)));
    assert_eq!(acks(&mut model, 40_000, 3_000_000), 200_000, "never more than the window");
    for full_bw_reached in [true, false] {
        let mut model = Model { full_bw_reached, ..in_state(BbrState::ProbeBwCruise) };
        acks(&mut model, 0, 20_000);
        model.round_count += if full_bw_reached { 10 } else { 1 };
        assert_eq!(acks(&mut model, 1_000_000, 1), 20_000);
        model.round_count += 1;
        assert_eq!(acks(&mut model, 2_000_000, 1), 1);
    }
}

/// Ours: neither is what the path delivers while losses hold the rate down.
#[test]
fn a_short_term_bound_makes_no_aggregates() {
    let mut model = Model { bw_shortterm: BW / 2, bw: BW / 2, ..in_state(BbrState::ProbeBwCruise) };
    model.extra_acked_interval_start = now() - core::time::Duration::from_millis(10);
    model.extra_acked_delivered = 9_000;
    model.update_on_ack(&sample());
    assert_eq!((model.bw, model.extra_acked_delivered, model.extra_acked_filter.get()), (BW / 2, 2000, 2 * MSS));
}

/// Ours: an ACK that shows a faster path than was known is no aggregate.
#[test]
fn a_larger_bandwidth_restarts_the_interval_of_aggregation() {
    let mut model = Model { extra_acked_delivered: 50_000, ..in_state(BbrState::Startup) };
    model.update_on_ack(&Sample { delivery_rate: BW + 1, ..sample() });
    assert_eq!((model.extra_acked_delivered, model.extra_acked_filter.get()), (2 * u64::from(MSS), 2 * MSS));
    let mut model = Model { extra_acked_delivered: 50_000, ..in_state(BbrState::Startup) };
    model.update_on_ack(&sample());
    assert_eq!(model.extra_acked_delivered, 50_000 + 2 * u64::from(MSS));
}

fn measured(model: &mut Model, at: Instant, rtt: Option<u64>) -> (Option<Micros>, Option<Micros>, bool) {
    model.update_min_rtt(&Sample { now: at, rtt: rtt.map(Micros::new), ..sample() });
    (model.min_rtt, model.probe_rtt_min_delay, model.probe_rtt_expired)
}

/// BBR.ProbeRTTInterval: beyond 5 s any sample takes the place of the delay, and it is time for ProbeRTT.
#[test]
fn the_delay_of_probe_rtt_lasts_5_s() {
    let long = Some(Micros::from_millis(150));
    let mut model = in_state(BbrState::ProbeBwCruise);
    let at = now() + Micros::from_secs(5);
    assert_eq!(measured(&mut model, at, Some(150_000)), (Some(RTT), Some(RTT), false));
    assert_eq!(measured(&mut model, at + MICRO, None), (Some(RTT), Some(RTT), true), "nothing is measured");
    assert_eq!(measured(&mut model, at + MICRO, Some(150_000)), (Some(RTT), long, true));
    assert_eq!(model.probe_rtt_min_stamp, at + MICRO);
}

/// BBR.MinRTTFilterLen: beyond 10 s the delay of ProbeRTT takes its place, however long.
#[test]
fn the_minimum_lasts_10_s() {
    let long = Micros::from_millis(150);
    let stamp = now() + Micros::from_secs(6);
    let later =
        Model { probe_rtt_min_delay: Some(long), probe_rtt_min_stamp: stamp, ..in_state(BbrState::ProbeBwCruise) };
    let mut model = later;
    let at = now() + Micros::from_secs(10);
    assert_eq!(measured(&mut model, at, Some(300_000)), (Some(RTT), Some(long), false));
    assert_eq!(measured(&mut model, at + MICRO, Some(300_000)), (Some(long), Some(long), false));
    assert_eq!(model.min_rtt_stamp, stamp);
    assert_eq!(
        measured(&mut model, at + MICRO, Some(99_999)).0,
        Some(Micros::new(99_999)),
        "a shorter one counts at once"
    );
}

/// Ours: a sample up to an eighth longer shows that there is no queue.
#[test]
fn a_similar_sample_refreshes_the_delay() {
    let at = now() + Micros::from_secs(6);
    let mut model = in_state(BbrState::ProbeBwCruise);
    assert_eq!(measured(&mut model, at, Some(112_500)), (Some(RTT), Some(RTT), false));
    assert_eq!(model.probe_rtt_min_stamp, at);
    let mut model = in_state(BbrState::ProbeBwCruise);
    assert!(measured(&mut model, at, Some(112_501)).2);
}

/// BBR.ProbeRTTDuration runs from when half a BDP is in flight.
#[test]
fn probe_rtt_lasts_200_ms_from_when_little_is_in_flight() {
    let mut model = in_state(BbrState::ProbeRtt);
    model.check_probe_rtt(&Sample { inflight: 50_001, ..sample() });
    assert_eq!(model.probe_rtt_done_stamp, None);
    model.check_probe_rtt(&Sample { inflight: 50_000, ..sample() });
    let done = now() + Micros::from_millis(200);
    assert_eq!(model.probe_rtt_done_stamp, Some(done));
    model.round_start = true;
    model.check_probe_rtt(&Sample { now: done, ..sample() });
    assert_eq!(model.state, BbrState::ProbeRtt);
    (model.bw_shortterm, model.inflight_shortterm, model.prior_cwnd) = (1, 1, 180_000);
    model.cwnd = 50_000;
    model.check_probe_rtt(&Sample { now: done + MICRO, ..sample() });
    assert_eq!((model.state, model.cwnd), (BbrState::ProbeBwCruise, 180_000));
    assert_eq!((model.bw_shortterm, model.inflight_shortterm), (NO_RATE, NO_VOLUME));
    assert_eq!((model.probe_rtt_min_stamp, model.cycle_stamp), (done + MICRO, done + MICRO));
}

#[test]
fn a_restart_after_a_pause_paces_at_the_bandwidth() {
    let later = now() + Micros::from_secs(1);
    for state in STATES {
        let mut model = Model { pacing_rate: 7, ..in_state(state) };
        model.handle_restart_from_idle(later);
        let rate = if model.is_in_a_probe_bw_state() { 990_000 } else { 7 };
        assert_eq!((model.pacing_rate, model.idle_restart), (rate, true), "{state:?}");
        assert_eq!((model.extra_acked_interval_start, model.cwnd), (later, 2 * BDP));
        model.check_probe_rtt(&Sample { delivered: 0, ..sample() });
        assert!(model.idle_restart);
        model.check_probe_rtt(&sample());
        assert!(!model.idle_restart, "something is delivered");
    }
}

/// Drain begins with what the losses suggest: the BDP, or what the last round delivered.
#[test]
fn a_startup_that_losses_end_leaves_a_long_term_bound() {
    for (inflight_latest, longterm) in [(40_000, BDP), (140_000, 140_000)] {
        let mut model = Model { inflight_latest, ..in_state(BbrState::Startup) };
        model.exit_startup_for_congestion();
        assert_eq!((model.inflight_longterm, model.full_bw_now, model.full_bw_reached), (longterm, true, true));
    }
}
