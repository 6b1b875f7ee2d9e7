//! What a BBR flow tells of itself.

use core::time::Duration;

use super::model::{Model, NO_RATE, NO_VOLUME};

/// The state of a BBR flow (§5.1).
///
/// ```
/// use segue::congestion::{Bbr, BbrState};
/// assert_eq!(Bbr::default().info().state, BbrState::Startup);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum BbrState {
    /// It looks for the bandwidth, twice as fast in each round trip.
    Startup,
    /// It drains the queue that Startup made.
    Drain,
    /// It sends more slowly than the path delivers.
    ProbeBwDown,
    /// It sends as fast as the path delivers.
    ProbeBwCruise,
    /// It fills the pipe for a round trip.
    ProbeBwRefill,
    /// It sends faster than the path delivered so far.
    ProbeBwUp,
    /// It has little in flight, to see the round-trip time without a queue.
    ProbeRtt,
}

/// The variables of a BBR flow, under the draft's names: volumes in octets, rates in octets per second.
///
/// ```
/// use segue::Instant;
/// use segue::congestion::{Bbr, BbrState, Controller};
/// let mut bbr = Bbr::default();
/// bbr.start(1460, 14_600, Instant::ZERO);
/// let info = bbr.info();
/// assert_eq!((info.state, info.inflight_longterm, info.min_rtt), (BbrState::Startup, None, None));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct BbrInfo {
    /// BBR.state.
    pub state: BbrState,
    /// BBR.round_count: packet-timed round trips so far.
    pub round_count: u64,
    /// BBR.max_bw.
    pub max_bw: u64,
    /// BBR.bw_shortterm; `None`: infinity.
    pub bw_shortterm: Option<u64>,
    /// BBR.bw.
    pub bw: u64,
    /// BBR.min_rtt, once measured.
    pub min_rtt: Option<Duration>,
    /// BBR.inflight_longterm; `None`: infinity.
    pub inflight_longterm: Option<u32>,
    /// BBR.inflight_shortterm; `None`: infinity.
    pub inflight_shortterm: Option<u32>,
    /// BBR.extra_acked.
    pub extra_acked: u32,
    /// BBR.max_inflight.
    pub max_inflight: u32,
    /// BBR.full_bw_count.
    pub full_bw_count: u8,
    /// BBR.full_bw_now.
    pub full_bw_now: bool,
    /// BBR.full_bw_reached.
    pub full_bw_reached: bool,
    /// BBR.is_loss_in_round.
    pub is_loss_in_round: bool,
    /// BBR.idle_restart.
    pub idle_restart: bool,
    /// BBR.pacing_gain in hundredths.
    pub pacing_gain_percent: u16,
    /// BBR.cwnd_gain in hundredths.
    pub cwnd_gain_percent: u16,
    /// C.pacing_rate.
    pub pacing_rate: u64,
    /// C.send_quantum.
    pub send_quantum: u32,
    /// C.cwnd.
    pub cwnd: u32,
}

impl Model {
    pub(super) fn info(&self) -> BbrInfo {
        BbrInfo {
            state: self.state,
            round_count: self.round_count,
            max_bw: self.max_bw(),
            bw_shortterm: Some(self.bw_shortterm).filter(|bw| *bw != NO_RATE),
            bw: self.bw,
            min_rtt: self.min_rtt.map(Duration::from),
            inflight_longterm: Some(self.inflight_longterm).filter(|volume| *volume != NO_VOLUME),
            inflight_shortterm: Some(self.inflight_shortterm).filter(|volume| *volume != NO_VOLUME),
            extra_acked: self.extra_acked_filter.get(),
            max_inflight: self.max_inflight(),
            full_bw_count: self.full_bw_count,
            full_bw_now: self.full_bw_now,
            full_bw_reached: self.full_bw_reached,
            is_loss_in_round: self.is_loss_in_round,
            idle_restart: self.idle_restart,
            pacing_gain_percent: self.pacing_gain().percent(),
            cwnd_gain_percent: self.cwnd_gain().percent(),
            pacing_rate: self.pacing_rate,
            send_quantum: self.send_quantum,
            cwnd: self.cwnd,
        }
    }
}
