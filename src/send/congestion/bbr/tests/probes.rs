//! Probes for bandwidth: when they begin, and how inflight_longterm moves (§5.3.3).

use super::*;
use crate::send::congestion::bbr::model::NO_VOLUME;
use alloc::vec::Vec;

/// PickProbeWait: 2 s to 3 s, and a round to begin with in half of the cases.
#[test]
fn a_probe_waits_2_to_3_s_by_the_seed_alone() {
    let wait = |seed, at| {
        let mut model = start(seed);
        model.start_probe_bw_down(at);
        (model.bw_probe_wait.get(), model.rounds_since_probe_up)
    };
    let waits: Vec<_> = (0..1000).map(|seed| wait(seed, now())).collect();
    assert!(waits.iter().all(|(wait, rounds)| (2_000_000..3_000_000).contains(wait) && *rounds <= 1));
    assert!((0..1000).all(|seed| wait(seed, Instant::from_secs(seed)) == waits[seed as usize]));
    assert!(waits.iter().any(|(wait, _)| *wait < 2_020_000) && waits.iter().any(|(wait, _)| *wait > 2_980_000));
    let started = waits.iter().filter(|(_, rounds)| *rounds == 1).count();
    assert!((400..600).contains(&started), "{started}");
    let mut sums = [0, 0];
    waits.iter().for_each(|(wait, rounds)| sums[*rounds as usize] += wait / 1000);
    assert!(sums[1] / started as u64 > 2400 && sums[1] / (started as u64) < 2600, "one tells nothing of the other");
}

#[test]
fn each_probe_of_a_flow_waits_anew() {
    let mut model = start(7);
    let mut waits: Vec<_> = (0..100)
        .map(|_| {
            model.start_probe_bw_down(now());
            model.bw_probe_wait.get()
        })
        .collect();
    waits.sort_unstable();
    waits.dedup();
    assert_eq!(waits.len(), 100);
}

/// Uses all of inflight_longterm for a round: how many segments it gets.
fn segments_of_a_round(model: &mut Model, first: bool) -> u32 {
    let before = model.inflight_longterm;
    for ack in 0..before / MSS {
        (model.cwnd, model.round_start) = (model.inflight_longterm, ack == 0 && !first);
        model.probe_inflight_longterm_upward(&Sample { newly_acked: MSS, ..sample() });
    }
    (model.inflight_longterm - before) / MSS
}

fn up() -> Model {
    let longterm = 64 * MSS;
    let mut model = Model { inflight_longterm: longterm, cwnd: longterm, ..in_state(BbrState::ProbeBwRefill) };
    model.cwnd_limited_until = model.delivered;
    model.update_on_ack(&Sample { volume: Volume { tx_in_flight: longterm, ..sample().volume }, ..next_round() });
    assert_eq!((model.state, model.inflight_longterm), (BbrState::ProbeBwUp, longterm));
    model
}

/// §5.3.3.5: 1, 2, 4, 8 … segments in a round, spread over it.
#[test]
fn inflight_longterm_grows_by_1_2_4_8_segments_in_a_round() {
    let mut model = up();
    let grown: Vec<_> = (0..6).map(|round| segments_of_a_round(&mut model, round == 0)).collect();
    assert_eq!(grown, [1, 2, 4, 8, 16, 32]);
    (model.cwnd, model.bw_probe_up_rounds, model.round_start) = (model.inflight_longterm, 30, true);
    model.probe_inflight_longterm_upward(&sample());
    assert_eq!((model.bw_probe_up_rounds, model.probe_up_acked_per_inc), (30, MSS), "a segment for each at the most");
}

/// It grows only if it is used wholly, and only in ProbeBW_UP.
#[test]
fn inflight_longterm_grows_where_it_limits() {
    let all = |model: &mut Model| (0..500).for_each(|_| model.update_on_ack(&at_longterm(model)));
    fn at_longterm(model: &Model) -> Sample {
        let volume = Volume { tx_in_flight: model.inflight_longterm, lost: 0, sack: true };
        Sample { volume, newly_acked: MSS, delivery_rate: 0, ..sample() }
    }
    let mut model = up();
    all(&mut model);
    assert!(model.inflight_longterm > 64 * MSS);
    let mut model = up();
    model.cwnd_limited_until = 0;
    all(&mut model);
    assert_eq!(model.inflight_longterm, 64 * MSS, "the window is not full");
    let mut model = Model { state: BbrState::ProbeBwRefill, ..up() };
    all(&mut model);
    assert_eq!(model.inflight_longterm, 64 * MSS, "ProbeBW_REFILL");
}

/// AdaptLongTermModel: what was in flight without high loss is safe.
#[test]
fn inflight_longterm_rises_to_what_was_safe() {
    let risen = |longterm, lost, tx_in_flight| {
        let mut model = Model { inflight_longterm: longterm, ..in_state(BbrState::ProbeBwCruise) };
        model.update_on_ack(&Sample { volume: Volume { tx_in_flight, lost, sack: true }, ..sample() });
        model.inflight_longterm
    };
    assert_eq!((risen(100_000, 3000, 150_000), risen(100_000, 3001, 150_000)), (150_000, 100_000));
    assert_eq!((risen(160_000, 0, 150_000), risen(NO_VOLUME, 0, 150_000)), (160_000, NO_VOLUME));
}

/// HandleInflightTooHigh, once in a probe: not below seven tenths of what is aimed at, and not if the application limits.
#[test]
fn too_much_in_flight_lowers_inflight_longterm_once_in_a_probe() {
    let mut model = Model { is_bw_probe_sample: true, ..in_state(BbrState::ProbeBwUp) };
    model.handle_lost_packet(&much_lost()); // I = 149,000, L = 14,001
    assert_eq!((model.inflight_longterm, model.prev_probe_too_high, model.is_bw_probe_sample), (149_000, true, false));
    assert_eq!((model.state, model.bw_latest, model.probe_up_acked_per_inc), (BbrState::ProbeBwDown, 0, NO_VOLUME));
    model.handle_lost_packet(&Lost { tx_in_flight: 90_000, ..much_lost() });
    assert_eq!(model.inflight_longterm, 149_000, "once");
    let mut small = Model { is_bw_probe_sample: true, ..in_state(BbrState::ProbeBwUp) };
    small.handle_lost_packet(&Lost { tx_in_flight: 40_000, ..much_lost() });
    assert_eq!(small.inflight_longterm, 70_000, "seven tenths of the BDP");
    let mut limited = Model { is_bw_probe_sample: true, ..in_state(BbrState::ProbeBwUp) };
    limited.handle_lost_packet(&Lost { application_limited: true, ..much_lost() });
    assert_eq!((limited.inflight_longterm, limited.state), (NO_VOLUME, BbrState::ProbeBwDown));
}

/// Ours: a loss without a queue is random, unless it is one of many.
#[test]
fn a_random_loss_is_not_heeded() {
    let heeded = |lost: Lost| {
        let mut model = in_state(BbrState::ProbeBwCruise);
        model.handle_lost_packet(&lost);
        model.is_loss_in_round
    };
    let lost = |tx_in_flight, lost| Lost { lost, ..Lost::new(MSS, tx_in_flight, now()) };
    assert!(!heeded(lost(150_000, 18_750)), "half a BDP in the queue, and an eighth of it lost");
    assert!(heeded(lost(150_001, 1000)) && heeded(lost(150_000, 18_751)));
    assert!(heeded(Lost { sack: false, ..lost(50_000, 1000) }));
    let ends_the_probe = |tx_in_flight, octets| {
        let mut model = Model { is_bw_probe_sample: true, ..in_state(BbrState::ProbeBwUp) };
        model.handle_lost_packet(&lost(tx_in_flight, octets));
        model.state == BbrState::ProbeBwDown
    };
    assert!(!ends_the_probe(125_000, 15_625), "a quarter of a BDP in the queue, as a probe makes it");
    assert!(ends_the_probe(125_001, 15_625) && ends_the_probe(125_000, 15_626) && !ends_the_probe(150_000, 3000));
}

/// What enters ProbeBW_REFILL and ProbeBW_UP begins anew.
#[test]
fn refill_forgets_the_short_term_and_up_the_full_pipe() {
    let cruise =
        Model { bw_shortterm: 1, inflight_shortterm: 1, bw_probe_up_acked: 9, ..in_state(BbrState::ProbeBwCruise) };
    let mut model = Model { prev_probe_precautionary: true, bw_probe_up_rounds: 9, delivered: 2_000_000, ..cruise };
    model.start_probe_bw_refill();
    assert_eq!((model.bw_shortterm, model.inflight_shortterm), (u64::MAX, NO_VOLUME));
    assert_eq!((model.bw_probe_up_acked, model.bw_probe_up_rounds, model.prev_probe_precautionary), (0, 0, false));
    assert_eq!((model.ack_phase, model.next_round_delivered), (AckPhase::Refilling, 2_000_000));
    (model.full_bw_now, model.full_bw_count) = (true, 3);
    model.update_on_ack(&Sample { prior_delivered: Some(2_000_000), ..next_round() });
    assert_eq!(
        (model.state, model.ack_phase, model.is_bw_probe_sample),
        (BbrState::ProbeBwUp, AckPhase::ProbeStarting, true)
    );
    assert_eq!((model.full_bw, model.full_bw_count, model.full_bw_now), (BW, 0, false));
    assert_eq!((model.bw_probe_up_rounds, model.probe_up_acked_per_inc), (1, 2 * BDP));
    model.update_on_ack(&Sample { prior_delivered: Some(2_000_000), ..next_round() });
    assert_eq!(model.ack_phase, AckPhase::ProbeFeedback);
}

/// The samples of a probe end a round after it.
#[test]
fn the_samples_of_a_probe_end_a_round_after_it() {
    let mut model = Model { is_bw_probe_sample: true, ..in_state(BbrState::ProbeBwDown) };
    model.update_on_ack(&sample());
    assert!(model.is_bw_probe_sample);
    model.update_on_ack(&next_round());
    assert_eq!((model.is_bw_probe_sample, model.ack_phase), (false, AckPhase::Init));
}
