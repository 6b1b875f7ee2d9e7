//! RS: what one acknowledgment delivered (§2.3), and P: a segment that was lost.

use crate::Instant;
use crate::send::congestion::{Delivery, Lost, RateSample};
use crate::time::Micros;

/// No path is faster, in octets per second: products with a round trip of seconds fit 64 bits.
const MAX_RATE: u64 = 1 << 40;
const MICROS: u64 = 1_000_000;

/// BBR.LossThresh, as a divisor: 2 %.
pub(super) const LOSS_THRESH: u32 = 50;

/// The per-ACK state of the draft.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sample {
    /// RS.delivery_rate in octets per second; 0: no reliable sample.
    pub(super) delivery_rate: u64,
    pub(super) delivered: u32,
    /// RS.prior_delivered, if the sending of what was delivered is known.
    pub(super) prior_delivered: Option<u64>,
    pub(super) is_app_limited: bool,
    /// It tells of a congestion mark: the window does not grow with it (RFC 3168 §6.1.2).
    pub(super) is_marked: bool,
    pub(super) newly_acked: u32,
    pub(super) volume: Volume,
    pub(super) rtt: Option<Micros>,
    /// C.inflight after the acknowledgment.
    pub(super) inflight: u32,
    pub(super) now: Instant,
}

/// RS.tx_in_flight and RS.lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Volume {
    pub(super) tx_in_flight: u32,
    pub(super) lost: u32,
    /// C.has_selective_acks.
    pub(super) sack: bool,
}

impl Volume {
    /// IsInflightTooHigh (§5.5.10.2).
    pub(super) fn is_inflight_too_high(&self) -> bool {
        u64::from(self.lost) * u64::from(LOSS_THRESH) > u64::from(self.tx_in_flight) || (self.lost > 0 && !self.sack)
    }
}

impl Sample {
    /// GenerateRateSample (§4.1.2.3): no reliable rate from an interval shorter than the smallest round trip.
    pub(super) fn new(delivery: &Delivery) -> Self {
        let rate = delivery.rate.as_ref();
        let reliable = rate.filter(|rate| delivery.min_rtt.is_none_or(|min_rtt| rate.interval >= min_rtt));
        Self {
            delivery_rate: reliable.map_or(0, rate_of),
            delivered: rate.map_or(0, |rate| u32::try_from(rate.delivered).unwrap_or(u32::MAX)),
            prior_delivered: rate.map(|rate| rate.prior_delivered),
            is_app_limited: rate.is_some_and(|rate| rate.application_limited),
            is_marked: delivery.ecn_echo,
            newly_acked: delivery.octets,
            volume: Volume {
                tx_in_flight: rate.map_or(0, |rate| rate.tx_in_flight),
                lost: rate.map_or(0, |rate| rate.lost),
                sack: delivery.sack,
            },
            rtt: delivery.rtt.map(Micros::from),
            inflight: delivery.inflight,
            now: delivery.now,
        }
    }
}

fn rate_of(rate: &RateSample) -> u64 {
    let micros = Micros::from(rate.interval).get();
    rate.delivered.saturating_mul(MICROS).checked_div(micros).unwrap_or(0).min(MAX_RATE)
}

/// The octets that pass at `rate` in `time`, rounded up.
pub(super) fn volume_of(rate: u64, time: Micros) -> u64 {
    rate.saturating_mul(time.get()).div_ceil(MICROS)
}

/// `octets` octets in each `time`, in octets per second.
pub(super) fn rate_over(octets: u32, time: Micros) -> u64 {
    u64::from(octets).saturating_mul(MICROS).checked_div(time.get()).unwrap_or(MAX_RATE).min(MAX_RATE)
}

/// InflightAtLoss (§5.5.10.2): at how much in flight losses crossed BBR.LossThresh, in the midst of the segment; `None`
/// where the facts contradict each other.
pub(super) fn inflight_at_loss(lost: &Lost) -> Option<u32> {
    let inflight_prev = lost.tx_in_flight.checked_sub(lost.octets)?;
    let lost_prev = lost.lost.checked_sub(lost.octets)?;
    // (LossThresh * inflight_prev - lost_prev) / (1 - LossThresh): none of it where the losses before were too many
    let lost_prefix = inflight_prev.saturating_sub(lost_prev.saturating_mul(LOSS_THRESH)) / (LOSS_THRESH - 1);
    Some(inflight_prev.saturating_add(lost_prefix))
}
