//! Gains, constants, and values worked out by hand (§2.8, §5.5.10.2, §5.6).

use super::*;
use crate::send::congestion::bbr::control::Gain;
use crate::send::congestion::bbr::model::NO_VOLUME;
use crate::send::congestion::bbr::sample::inflight_at_loss;

/// The state, its pacing gain and its cwnd gain, in hundredths (§5.6.1).
const GAINS: [(BbrState, u32, u32); 7] = [
    (BbrState::Startup, 277, 200),
    (BbrState::Drain, 50, 200),
    (BbrState::ProbeBwDown, 90, 200),
    (BbrState::ProbeBwCruise, 100, 200),
    (BbrState::ProbeBwRefill, 100, 200),
    (BbrState::ProbeBwUp, 125, 225),
    (BbrState::ProbeRtt, 100, 50),
];

#[test]
fn gains_are_exact_fractions() {
    for (state, pacing, cwnd) in GAINS {
        let mut model = Model { bw: 10_000_000, full_bw_reached: true, ..in_state(state) };
        let info = model.info();
        assert_eq!((u32::from(info.pacing_gain_percent), u32::from(info.cwnd_gain_percent)), (pacing, cwnd));
        model.set_pacing_rate_with_gain(model.pacing_gain());
        assert_eq!(model.pacing_rate, u64::from(pacing) * 100_000 * 99 / 100, "{state:?}");
        // 1,000,000 octets, and two segments more in ProbeBW_UP
        let more = if state == BbrState::ProbeBwUp { 2 * MSS } else { 0 };
        assert_eq!(model.max_inflight(), cwnd * 10_000 + more, "{state:?}");
    }
}

/// InitPacingRate: 2.77 windows in the round trip, or in a millisecond while that is not known.
#[test]
fn the_first_pacing_rate_is_the_initial_window_in_a_round_trip() {
    let mut model = start(1);
    assert_eq!((model.pacing_rate, model.send_quantum), (27_700_000, 27_700));
    model.init_pacing_rate(RTT);
    assert_eq!((model.pacing_rate, model.send_quantum), (277_000, 2 * MSS));
    model.init_pacing_rate(Micros::ZERO);
    assert!(model.pacing_rate > 1 << 40 && model.send_quantum == 65_536);
}

/// Until the pipe was full, the pacing rate does not fall.
#[test]
fn the_pacing_rate_falls_only_once_the_pipe_was_full() {
    let mut model = Model { pacing_rate: 5_000_000, ..in_state(BbrState::Startup) };
    model.update_control_parameters(&sample());
    assert_eq!(model.pacing_rate, 5_000_000);
    model.full_bw_reached = true;
    model.update_control_parameters(&sample());
    assert_eq!(model.pacing_rate, 2_742_300);
    model.bw = 0;
    model.update_control_parameters(&sample());
    assert_eq!(model.pacing_rate, 2_742_300, "no rate is known");
}

/// A millisecond of the rate, from two segments to 64 KB.
#[test]
fn the_send_quantum_is_a_millisecond() {
    let rates = [(1, 2000), (2_000_000, 2000), (2_000_001, 2001), (10_000_000, 10_000), (65_536_000, 65_536)];
    for (rate, quantum) in rates.into_iter().chain([(65_537_000, 65_536), (u64::MAX, 65_536)]) {
        let mut model = Model { pacing_rate: rate, ..start(1) };
        model.set_send_quantum();
        assert_eq!(model.send_quantum, quantum, "{rate}");
    }
}

/// Ours: a pacing rate that is too large, as Startup keeps it, does not count.
#[test]
fn the_send_quantum_is_what_the_bandwidth_is_worth() {
    let quantum = |bw, pacing_rate| {
        let mut model = Model { bw, pacing_rate, ..in_state(BbrState::Startup) };
        model.set_send_quantum();
        model.send_quantum
    };
    assert_eq!((quantum(10_000_000, 1 << 40), quantum(10_000, 1 << 40)), (27_423, 2000));
    assert_eq!((quantum(0, 1 << 40), quantum(10_000_000, 9_000_000)), (65_536, 9000));
}

/// Three quanta, four segments, and in ProbeBW_UP two more.
#[test]
fn what_is_allowed_in_flight_has_floors() {
    let tiny = |state, send_quantum| Model { bw: 1, send_quantum, ..in_state(state) }.inflight(1, Gain::ONE);
    assert_eq!(tiny(BbrState::ProbeBwCruise, 2000), 6000, "three quanta");
    assert_eq!(tiny(BbrState::ProbeBwCruise, 1000), 4000, "MinPipeCwnd");
    assert_eq!(tiny(BbrState::ProbeBwUp, 2000), 8000);
    let unmeasured = Model { min_rtt: None, ..in_state(BbrState::Startup) };
    assert_eq!(unmeasured.max_inflight(), 10 * MSS, "the initial window");
    let cwnd = |bw| Model { bw, ..in_state(BbrState::ProbeRtt) }.probe_rtt_cwnd();
    assert_eq!((cwnd(BW), cwnd(80_000), cwnd(79_000)), (50_000, 4000, 4000));
}

#[test]
fn headroom_is_15_percent_and_a_segment_at_the_least() {
    let longterms = [(NO_VOLUME, NO_VOLUME), (100_000, 85_000), (6000, 5000), (4500, 4000), (0, 4000)];
    for (inflight_longterm, target) in longterms {
        let model = Model { inflight_longterm, ..start(1) };
        assert_eq!(model.inflight_with_headroom(), target, "{inflight_longterm}");
    }
}

/// What bounds the window in each state (§5.6.1, §5.6.4.7).
#[test]
fn the_volume_cap_is_that_of_the_state() {
    for (state, shortterm, cap) in [
        (BbrState::Startup, NO_VOLUME, 200_000),
        (BbrState::Drain, NO_VOLUME, 200_000),
        (BbrState::Drain, 60_000, 60_000),
        (BbrState::ProbeBwDown, NO_VOLUME, 120_000),
        (BbrState::ProbeBwCruise, NO_VOLUME, 102_000),
        (BbrState::ProbeBwCruise, 60_000, 60_000),
        (BbrState::ProbeBwCruise, 0, 4000),
        (BbrState::ProbeBwRefill, NO_VOLUME, 120_000),
        (BbrState::ProbeBwUp, NO_VOLUME, 120_000),
        (BbrState::ProbeRtt, NO_VOLUME, 50_000),
    ] {
        let bounds = Model { inflight_longterm: 120_000, inflight_shortterm: shortterm, ..in_state(state) };
        let mut model = Model { full_bw_reached: true, ..bounds };
        model.update_control_parameters(&sample());
        assert_eq!(model.cwnd, cap, "{state:?}");
    }
}

/// SetCwnd: it grows by what is acknowledged; before the pipe was full, it never shrinks to the model.
#[test]
fn the_window_grows_by_what_is_acknowledged() {
    let grown = |full_bw_reached, cwnd, delivered| {
        let mut model = Model { full_bw_reached, cwnd, delivered, ..in_state(BbrState::ProbeBwCruise) };
        model.update_control_parameters(&sample());
        model.cwnd
    };
    assert_eq!(grown(true, 100_000, 1_000_000), 102_000);
    assert_eq!((grown(true, 199_000, 1_000_000), grown(true, 300_000, 1_000_000)), (200_000, 200_000));
    assert_eq!((grown(false, 199_000, 1_000_000), grown(false, 200_000, 1_000_000)), (201_000, 200_000));
    assert_eq!((grown(false, 200_000, 9_999), grown(true, 1000, 1_000_000)), (202_000, 4000));
}

fn lost(octets: u32, tx_in_flight: u32, lost: u32) -> Lost {
    Lost { lost, ..Lost::new(octets, tx_in_flight, now()) }
}

/// (I - 50 L) / 49 above I, where I was in flight and L lost before the segment.
#[test]
fn inflight_at_loss_by_hand() {
    for (octets, tx_in_flight, all_lost, expected) in [
        (1000, 101_000, 1000, Some(102_040)), // 100,000 + 100,000 / 49
        (1000, 101_000, 2000, Some(101_020)), // 100,000 + 50,000 / 49
        (1000, 101_000, 3000, Some(100_000)), // they were at 2 % already
        (1000, 101_000, 9000, Some(100_000)), // and beyond: no less than that
        (1000, 1000, 1000, Some(0)),
        (64_000, 164_000, 64_000, Some(102_040)), // in the midst of an offload burst
        (1000, 999, 1000, None),                  // less in flight than its own octets
        (1000, 101_000, 999, None),               // less lost than its own octets
        (0, 0, 0, Some(0)),
        (0, u32::MAX, 0, Some(u32::MAX)),
        (u32::MAX, u32::MAX, u32::MAX, Some(0)),
    ] {
        assert_eq!(inflight_at_loss(&lost(octets, tx_in_flight, all_lost)), expected, "{octets} {tx_in_flight}");
    }
}

/// BBR.LossThresh is 2 %: more than that, or any loss without SACK.
#[test]
fn inflight_is_too_high_above_2_percent() {
    let high = |lost, tx_in_flight, sack| Volume { tx_in_flight, lost, sack }.is_inflight_too_high();
    assert_eq!((high(2000, 100_000, true), high(2001, 100_000, true)), (false, true));
    assert_eq!((high(1, 100_000, false), high(0, 100_000, false)), (true, false));
    assert_eq!((high(0, 0, true), high(1, 0, true), high(u32::MAX, u32::MAX, true)), (false, true, true));
}

/// A quarter exactly is growth; an octet less is none.
#[test]
fn growth_of_a_quarter_is_growth() {
    let round = |rate, full_bw_count| {
        let mut model = Model { full_bw: BW, full_bw_count, round_start: true, ..start(1) };
        let volume = Volume { tx_in_flight: 10 * MSS, ..sample().volume }; // no queue
        model.check_full_bw_reached(&Sample { delivery_rate: rate, volume, ..sample() });
        (model.full_bw, model.full_bw_count, model.full_bw_now, model.full_bw_reached)
    };
    assert_eq!(round(1_250_000, 2), (1_250_000, 0, false, false));
    assert_eq!(round(1_249_999, 1), (BW, 2, false, false));
    assert_eq!(round(1_249_999, 2), (BW, 3, true, true));
    assert_eq!(round(0, 0), (BW, 1, false, false));
}

/// Ours: in Startup a queue of half a BDP tells at once that the pipe is full. Losses, aggregates, a rate that varies, round
/// trips that fall again and a BDP of few segments tell of something else.
#[test]
fn in_startup_a_queue_tells_of_a_full_pipe_at_once() {
    let judge = |model: &Model, tx_in_flight, lost, delivery_rate| {
        let mut model = Model { full_bw: BW, round_start: true, ..model.clone() };
        let volume = Volume { tx_in_flight, lost, sack: true };
        model.check_full_bw_reached(&Sample { delivery_rate, volume, ..sample() });
        model.full_bw_now
    };
    let startup = in_state(BbrState::Startup);
    assert_eq!((judge(&startup, 150_000, 0, BW), judge(&startup, 149_999, 0, BW)), (true, false));
    assert!(!judge(&startup, 150_000, 1, BW) && !judge(&startup, 150_000, 0, 1_250_000));
    assert_eq!((judge(&startup, 150_000, 0, 937_500), judge(&startup, 150_000, 0, 937_499)), (true, false));
    let mut aggregates = startup.clone();
    aggregates.extra_acked_filter.update(10_000, 50, 1);
    assert_eq!((judge(&aggregates, 160_000, 0, BW), judge(&aggregates, 159_999, 0, BW)), (true, false));
    for (max_bw, few) in [(640_000, false), (639_990, true)] {
        let narrow = Model { max_bw_filter: [0, max_bw], ..startup.clone() };
        assert_eq!(judge(&narrow, 150_000, 0, max_bw), !few, "{max_bw}");
    }
    for (high, fell) in [(174_999, false), (175_001, true)] {
        let swings = Model { round_rtt_high: Micros::new(high), ..startup.clone() };
        assert_eq!(judge(&swings, 150_000, 0, BW), !fell, "150 ms after {high}");
    }
    for state in STATES.into_iter().filter(|state| *state != BbrState::Startup) {
        assert!(!judge(&in_state(state), 2_000_000, 0, BW), "{state:?}");
    }
}

/// A round begins with the sample that ends the one before: only its own round trips count.
#[test]
fn a_round_trip_that_fell_counts_in_its_round_alone() {
    let mut model = Model { full_bw: BW, ..in_state(BbrState::Startup) };
    let mut ack = |round_start, millis, rate| {
        model.round_start = round_start;
        let rtt = Some(Micros::from_millis(millis));
        model.check_full_bw_reached(&Sample { rtt, delivery_rate: rate, ..sample() });
        (model.round_rtt_high, model.round_rtt_fell)
    };
    assert_eq!(ack(false, 180, BW), (Micros::from_millis(180), false));
    assert_eq!(ack(false, 154, BW), (Micros::from_millis(180), true));
    assert_eq!(ack(true, 190, BW / 2), (Micros::from_millis(190), false));
    assert_eq!(ack(false, 165, BW), (Micros::from_millis(190), false));
}

/// GenerateRateSample: no rate from an interval that is shorter than the smallest round trip.
#[test]
fn a_rate_takes_a_round_trip_at_the_least() {
    use crate::send::congestion::{Delivery, RateSample};
    use core::time::Duration;
    let rate = |micros, min_rtt: Option<u64>| {
        let rate = Some(RateSample::new(100_000, Duration::from_micros(micros)));
        let min_rtt = min_rtt.map(Duration::from_micros);
        Sample::new(&Delivery { rate, min_rtt, ..Delivery::new(now()) }).delivery_rate
    };
    assert_eq!((rate(100_000, Some(100_000)), rate(99_999, Some(100_000))), (BW, 0));
    assert_eq!((rate(50_000, None), rate(0, None), rate(1, None)), (2 * BW, 0, 100_000_000_000));
}

/// OnInit and InitPacingRate where round trips were measured before: no later sample starts the pacing anew.
#[test]
fn a_round_trip_that_is_known_sets_the_first_pacing_rate() {
    let mut model = start(1);
    assert_eq!((model.min_rtt, model.pacing_rate), (None, 27_700_000), "over a millisecond");
    model.init_rtt(Micros::from_millis(200), RTT);
    assert_eq!((model.min_rtt, model.pacing_rate, model.send_quantum), (Some(RTT), 138_500, 2 * MSS));
    let mut bbr = crate::congestion::Bbr::default();
    let (srtt, min_rtt) = (core::time::Duration::from_millis(200), core::time::Duration::from_millis(100));
    crate::Controller::start(&mut bbr, MSS, 10 * MSS, now());
    crate::Controller::set_rtt(&mut bbr, srtt, min_rtt);
    let mut delivery = crate::congestion::Delivery::new(now());
    (delivery.octets, delivery.rtt) = (MSS, Some(min_rtt));
    crate::Controller::on_delivery(&mut bbr, &delivery);
    assert_eq!(bbr.info().pacing_rate, 138_500, "no rate is known yet");
}
