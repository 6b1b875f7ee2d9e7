//! The model by itself: octets in segments of 1000, a path of 1,000,000 octets in a second and 100 ms, so a BDP of 100,000.

mod arithmetic;
mod bounds;
mod calls;
mod probes;
mod transitions;
mod undo;

use super::info::BbrState;
use super::model::{AckPhase, Model};
use super::sample::{Sample, Volume};
use crate::Instant;
use crate::send::congestion::Lost;
use crate::time::Micros;

const MSS: u32 = 1000;
const BDP: u32 = 100_000;
const BW: u64 = 1_000_000;
const RTT: Micros = Micros::from_millis(100);
const STATES: [BbrState; 7] = [
    BbrState::Startup,
    BbrState::Drain,
    BbrState::ProbeBwDown,
    BbrState::ProbeBwCruise,
    BbrState::ProbeBwRefill,
    BbrState::ProbeBwUp,
    BbrState::ProbeRtt,
];

fn now() -> Instant {
    Instant::from_secs(100)
}

fn start(seed: u64) -> Model {
    Model::new(MSS, 10 * MSS, seed, now())
}

/// A flow that knows its path, in the midst of a round and of a state, where nothing is due.
fn in_state(state: BbrState) -> Model {
    Model {
        cwnd: 2 * BDP,
        delivered: 1_000_000,
        next_round_delivered: 1_000_000,
        loss_round_delivered: 1_000_000,
        round_count: 50,
        drain_start_round: 50,
        max_bw_filter: [BW, BW],
        bw: BW,
        min_rtt: Some(RTT),
        probe_rtt_min_delay: Some(RTT),
        paced_by_rtt: true,
        pacing_rate: 990_000,
        send_quantum: 2 * MSS,
        full_bw_reached: state != BbrState::Startup,
        bw_probe_wait: Micros::from_millis(2500),
        ack_phase: match state {
            BbrState::Startup | BbrState::Drain | BbrState::ProbeBwCruise => AckPhase::Init,
            BbrState::ProbeBwDown | BbrState::ProbeRtt => AckPhase::ProbeStopping,
            BbrState::ProbeBwRefill => AckPhase::Refilling,
            BbrState::ProbeBwUp => AckPhase::ProbeStarting,
        },
        state,
        ..start(1)
    }
}

/// Two segments are acknowledged while there is half a BDP in the queue; no round starts.
fn sample() -> Sample {
    Sample {
        delivery_rate: BW,
        delivered: 100_000,
        prior_delivered: Some(900_000),
        is_app_limited: false,
        is_marked: false,
        newly_acked: 2 * MSS,
        volume: Volume { tx_in_flight: 150_000, lost: 0, sack: true },
        rtt: Some(Micros::from_millis(150)),
        inflight: 150_000,
        now: now(),
    }
}

/// What was sent after the round began is acknowledged.
fn next_round() -> Sample {
    Sample { prior_delivered: Some(1_000_000), ..sample() }
}

/// A segment is lost, with a tenth of what was in flight, and an octet.
fn much_lost() -> Lost {
    Lost { lost: 15_001, ..Lost::new(MSS, 150_000, now()) }
}
