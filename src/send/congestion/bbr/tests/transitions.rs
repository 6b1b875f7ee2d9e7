//! State and event: where each leads, and what nothing leads to (§5.1, §5.3, §5.5.11.2).

use super::*;
use crate::send::congestion::bbr::model::UndoState;
use BbrState::{Drain, ProbeBwCruise, ProbeBwDown, ProbeBwRefill, ProbeBwUp, ProbeRtt, Startup};

/// What happens, and the states that it ends, with those that follow. It leaves the other states as they are.
type Row = (&'static str, fn(&mut Model), &'static [(BbrState, BbrState)]);

const MICRO: Micros = Micros::new(1);

const TABLE: &[Row] = &[
    ("an acknowledgment within a round", |m| m.update_on_ack(&sample()), &[]),
    ("a round starts", |m| m.update_on_ack(&next_round()), &[(ProbeBwRefill, ProbeBwUp)]),
    // a full pipe
    (
        "the third round with little growth",
        |m| third_round(m, &next_round()),
        &[(Startup, Drain), (ProbeBwRefill, ProbeBwUp), (ProbeBwUp, ProbeBwDown)],
    ),
    ("the third, but no round starts", |m| third_round(m, &sample()), &[]),
    (
        "the third, but the application limits",
        |m| third_round(m, &Sample { is_app_limited: true, ..next_round() }),
        &[(ProbeBwRefill, ProbeBwUp)],
    ),
    (
        "the third, but inflight_longterm limits",
        |m| {
            (m.inflight_longterm, m.cwnd_limited_until) = (m.cwnd, u64::MAX);
            third_round(m, &next_round());
        },
        &[(Startup, Drain), (ProbeBwRefill, ProbeBwUp)],
    ),
    // losses
    ("6 ranges, above 2 %", |m| startup_losses(m, 6, 3001, true), &[(Startup, Drain)]),
    ("6 ranges, 2 %", |m| startup_losses(m, 6, 3000, true), &[]),
    ("5 ranges, above 2 %", |m| startup_losses(m, 5, 3001, true), &[]),
    ("a loss in fast recovery without SACK", |m| startup_losses(m, 1, 0, false), &[(Startup, Drain)]),
    (
        "6 ranges, above 2 %, outside of recovery",
        |m| {
            lost_ranges(m, 6);
            m.update_on_ack(&lossy_round(3001, true));
        },
        &[],
    ),
    (
        "6 ranges, above 2 %, after a timeout",
        |m| {
            lost_ranges(m, 6);
            m.in_recovery = true;
            m.update_on_ack(&lossy_round(3001, true));
        },
        &[],
    ),
    (
        "more than 2 % of a probe is lost",
        |m| {
            m.is_bw_probe_sample = true;
            m.handle_lost_packet(&much_lost());
        },
        &[(ProbeBwUp, ProbeBwDown)],
    ),
    ("more than 2 % is lost, but of no probe", |m| m.handle_lost_packet(&much_lost()), &[]),
    (
        "a mark of a probe",
        |m| {
            m.is_bw_probe_sample = true;
            m.handle_mark(150_000, now());
            m.update_on_ack(&sample());
        },
        &[(Startup, Drain), (ProbeBwUp, ProbeBwDown)],
    ),
    // precautionary probes (§5.3.3.6)
    ("inflight_longterm, after too much", |m| precautionary(m, 150_000), &[(ProbeBwUp, ProbeBwDown)]),
    ("an octet less than inflight_longterm", |m| precautionary(m, 150_001), &[]),
    (
        "a precautionary probe succeeded",
        |m| {
            m.prev_probe_precautionary = true;
            m.update_on_ack(&next_round());
        },
        &[(ProbeBwDown, ProbeBwRefill), (ProbeBwRefill, ProbeBwUp)],
    ),
    (
        "a precautionary probe failed",
        |m| {
            (m.prev_probe_precautionary, m.prev_probe_too_high) = (true, true);
            m.update_on_ack(&next_round());
        },
        &[(ProbeBwRefill, ProbeBwUp)],
    ),
    // what is in flight
    ("a BDP in flight", |m| in_flight(m, BDP), &[(Drain, ProbeBwCruise), (ProbeBwDown, ProbeBwCruise)]),
    ("an octet more", |m| in_flight(m, BDP + 1), &[]),
    (
        "a BDP in flight, and no headroom",
        |m| {
            m.inflight_longterm = 117_000; // less 15 %: 99,450
            let volume = Volume { tx_in_flight: BDP, lost: 0, sack: true };
            m.update_on_ack(&Sample { inflight: BDP, volume, ..sample() });
        },
        &[(Drain, ProbeBwDown)],
    ),
    // times and rounds
    ("the fourth round of Drain", |m| rounds_of_drain(m, 47), &[(Drain, ProbeBwDown), (ProbeBwRefill, ProbeBwUp)]),
    ("the third round of Drain", |m| rounds_of_drain(m, 48), &[(ProbeBwRefill, ProbeBwUp)]),
    ("bw_probe_wait", |m| waits(m, Micros::ZERO), &[]),
    (
        "bw_probe_wait, and a microsecond",
        |m| waits(m, MICRO),
        &[(ProbeBwDown, ProbeBwRefill), (ProbeBwCruise, ProbeBwRefill)],
    ),
    (
        "63 rounds since the last probe",
        |m| reno_rounds(m, 62),
        &[(ProbeBwDown, ProbeBwRefill), (ProbeBwCruise, ProbeBwRefill), (ProbeBwRefill, ProbeBwUp)],
    ),
    ("62 rounds since the last probe", |m| reno_rounds(m, 61), &[(ProbeBwRefill, ProbeBwUp)]),
    (
        "as many rounds as packets in a BDP",
        |m| {
            m.min_rtt = Some(Micros::from_millis(20));
            reno_rounds(m, 19);
        },
        &[(ProbeBwDown, ProbeBwRefill), (ProbeBwCruise, ProbeBwRefill), (ProbeBwRefill, ProbeBwUp)],
    ),
    ("3 rounds, and a BDP of a packet", |m| tiny_bdp_rounds(m, 2), &[(ProbeBwRefill, ProbeBwUp)]),
    (
        "4 rounds, and a BDP of a packet",
        |m| tiny_bdp_rounds(m, 3),
        &[(ProbeBwDown, ProbeBwRefill), (ProbeBwCruise, ProbeBwRefill), (ProbeBwRefill, ProbeBwUp)],
    ),
    // the round trip
    ("5 s without a short round trip", |m| without_short_rtt(m, Micros::ZERO), &[]),
    (
        "5 s without a short round trip, and a microsecond",
        |m| without_short_rtt(m, MICRO),
        &[
            (Startup, ProbeRtt),
            (Drain, ProbeRtt),
            (ProbeBwDown, ProbeRtt),
            (ProbeBwCruise, ProbeRtt),
            (ProbeBwRefill, ProbeRtt),
            (ProbeBwUp, ProbeRtt),
        ],
    ),
    (
        "the same after a pause",
        |m| {
            m.idle_restart = true;
            without_short_rtt(m, MICRO);
        },
        &[],
    ),
    ("a round and 200 ms of ProbeRTT", |m| probe_rtt_done(m, MICRO, true), &[(ProbeRtt, ProbeBwCruise)]),
    ("a round, and not yet 200 ms", |m| probe_rtt_done(m, Micros::ZERO, true), &[]),
    ("200 ms, and not yet a round", |m| probe_rtt_done(m, MICRO, false), &[]),
    (
        "a round and 200 ms of ProbeRTT, before the pipe was full",
        |m| {
            m.full_bw_reached = false;
            probe_rtt_done(m, MICRO, true);
        },
        &[(ProbeRtt, Startup)],
    ),
    (
        "a restart after 200 ms of ProbeRTT",
        |m| {
            m.probe_rtt_done_stamp = Some(ago(MICRO));
            m.handle_restart_from_idle(now());
        },
        &[(ProbeRtt, ProbeBwCruise)],
    ),
    ("a restart", |m| m.handle_restart_from_idle(now()), &[]),
    // mistakes
    ("a mistake", |m| m.handle_spurious_loss_detection(), &[]),
    (
        "a mistake that ended Startup",
        |m| mistake(m, UndoState::Startup),
        &[
            (Drain, Startup),
            (ProbeBwDown, Startup),
            (ProbeBwCruise, Startup),
            (ProbeBwRefill, Startup),
            (ProbeBwUp, Startup),
        ],
    ),
    (
        "a mistake that ended ProbeBW_UP",
        |m| mistake(m, UndoState::ProbeBwUp),
        &[
            (Startup, ProbeBwRefill),
            (Drain, ProbeBwRefill),
            (ProbeBwDown, ProbeBwRefill),
            (ProbeBwCruise, ProbeBwRefill),
        ],
    ),
];

fn ago(time: Micros) -> Instant {
    Instant::from_micros(now().as_micros() - time.get())
}

fn third_round(m: &mut Model, sample: &Sample) {
    (m.full_bw, m.full_bw_count) = (BW, 2);
    m.update_on_ack(sample);
}

fn lost_ranges(m: &mut Model, ranges: u32) {
    (0..ranges).for_each(|_| m.handle_lost_packet(&Lost::new(0, 150_000, now())));
    (m.loss_round_delivered, m.next_round_delivered) = (1_000_000, 2_000_000);
}

/// A round of losses ends, no other.
fn lossy_round(lost: u32, sack: bool) -> Sample {
    Sample { volume: Volume { tx_in_flight: 150_000, lost, sack }, ..next_round() }
}

fn startup_losses(m: &mut Model, ranges: u32, lost: u32, sack: bool) {
    lost_ranges(m, ranges);
    (m.in_recovery, m.fast) = (true, true);
    m.update_on_ack(&lossy_round(lost, sack));
}

fn precautionary(m: &mut Model, longterm: u32) {
    (m.prev_probe_too_high, m.inflight_longterm) = (true, longterm);
    m.update_on_ack(&sample());
}

fn in_flight(m: &mut Model, inflight: u32) {
    m.update_on_ack(&Sample { inflight, ..sample() });
}

fn rounds_of_drain(m: &mut Model, start: u64) {
    m.drain_start_round = start;
    m.update_on_ack(&next_round());
}

fn waits(m: &mut Model, more: Micros) {
    m.cycle_stamp = ago(m.bw_probe_wait + more);
    m.update_on_ack(&sample());
}

fn reno_rounds(m: &mut Model, before: u32) {
    m.rounds_since_probe_up = before;
    m.update_on_ack(&next_round());
}

fn tiny_bdp_rounds(m: &mut Model, before: u32) {
    m.min_rtt = Some(Micros::from_millis(1));
    reno_rounds(m, before);
}

fn without_short_rtt(m: &mut Model, more: Micros) {
    m.probe_rtt_min_stamp = ago(Micros::from_secs(5) + more);
    m.update_on_ack(&sample());
}

fn probe_rtt_done(m: &mut Model, more: Micros, round: bool) {
    (m.probe_rtt_done_stamp, m.probe_rtt_round_done) = (Some(ago(more)), round);
    m.update_on_ack(&sample());
}

fn mistake(m: &mut Model, state: UndoState) {
    m.undo.state = Some(state);
    m.handle_spurious_loss_detection();
}

#[test]
fn each_state_leaves_by_its_events_only() {
    for (event, happens, ends) in TABLE {
        for state in STATES {
            let mut model = in_state(state);
            happens(&mut model);
            let next = ends.iter().find(|(from, _)| *from == state).map_or(state, |(_, to)| *to);
            assert_eq!(model.state, next, "{state:?}: {event}");
        }
    }
}

#[test]
fn a_flow_starts_in_startup() {
    assert_eq!(start(1).state, Startup);
}
