//! CUBIC (RFC 9438), in fixed point: octets, microseconds, and 128-bit products.

use alloc::boxed::Box;

use super::hystart::{Growth, HyStart};
use super::{Acked, Congestion, Controller, MAX_CWND, Signal, ago, sane_initial, sane_mss};
use crate::Instant;
use crate::time::Micros;

/// C = 0.4 segments per second cubed (§5.1), in tenths.
const C_TENTHS: u128 = 4;
const MICROS_CUBED: u128 = 1_000_000_000_000_000_000;
/// L of every slow start but the first, in segments: RFC 5681 (2), RFC 3465 §2.3.
const LIMIT: u32 = 1;

/// beta_cubic = 0.7 (§4.6), rounded down.
const fn beta(octets: u32) -> u32 {
    octets / 10 * 7 + octets % 10 * 7 / 10
}

/// (1 + beta_cubic) / 2 = 0.85 (§4.7), rounded down.
const fn converged(octets: u32) -> u32 {
    octets / 20 * 17 + octets % 20 * 17 / 20
}

/// A congestion avoidance stage.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(Rust, packed(4))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Epoch {
    /// The last acknowledgment, or the end of a pause.
    last_ack: Instant,
    /// t then, in microseconds: the time since t_epoch without that in which the application limited the flow.
    t_us: u32,
    /// K, in microseconds.
    k_us: u32,
    w_est: u32,
    /// Debts to the window and to W_est beside whole octets, in fractions of the window. A fraction that is carried
    /// to a larger window counts for a little less there: over a stage, ln(cwnd / cwnd_epoch) octets at most.
    cwnd_carry: u32,
    est_carry: u32,
}

/// What a spurious loss restores (§4.9.2), beside cwnd: that one is cwnd_prior.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Saved {
    /// It was a timeout.
    timeout: bool,
    cwnd_prior: u32,
    ssthresh: u32,
    w_max: u32,
    epoch: Option<Epoch>,
}

/// CUBIC with HyStart++ in the initial slow start.
///
/// ```
/// use segue::congestion::{Controller, Cubic};
/// use segue::Instant;
/// let mut cubic = Cubic::default();
/// cubic.start(1460, 14_600, Instant::ZERO);
/// assert_eq!(cubic.window(), 14_600);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cubic {
    mss: u32,
    cwnd: u32,
    ssthresh: u32,
    cwnd_prior: u32,
    /// W_max; 0 where the next stage takes the window it starts with (§4.8, §4.10).
    w_max: u32,
    paced: bool,
    stage: Stage,
    saved: Option<Box<Saved>>,
}

/// What growth goes by.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Stage {
    /// The initial slow start: ssthresh is still arbitrarily high (RFC 9406 §4.3).
    Initial(HyStart),
    /// A later slow start, and congestion avoidance until its first acknowledgment.
    NoEpoch,
    /// Congestion avoidance.
    Avoidance(Epoch),
}

impl Default for Cubic {
    fn default() -> Self {
        Self {
            mss: 536,
            cwnd: 536,
            ssthresh: u32::MAX,
            cwnd_prior: 0,
            w_max: 0,
            paced: false,
            stage: Stage::Initial(HyStart::new()),
            saved: None,
        }
    }
}

/// The largest integer whose cube is at most `n`, for roots below 2^32.
fn cube_root(n: u128) -> u32 {
    let mut root = 0u32;
    for bit in (0..32).rev() {
        let candidate = root | 1 << bit;
        if u128::from(candidate).pow(3) <= n {
            root = candidate;
        }
    }
    root
}

impl Cubic {
    /// The slow-start threshold has not been set yet.
    const fn is_initial(&self) -> bool {
        self.ssthresh == u32::MAX
    }

    const fn epoch(&self) -> Option<Epoch> {
        match self.stage {
            Stage::Initial(_) | Stage::NoEpoch => None,
            Stage::Avoidance(epoch) => Some(epoch),
        }
    }

    /// The stage is over; what HyStart++ knew is of no use in the next.
    fn end_stage(&mut self) {
        self.resume(None);
    }

    /// A stage of congestion avoidance is over.
    fn end_epoch(&mut self) {
        if let Stage::Avoidance(_) = self.stage {
            self.stage = Stage::NoEpoch;
        }
    }

    /// A stage goes on, or none does.
    fn resume(&mut self, epoch: Option<Epoch>) {
        self.stage = match epoch {
            _ if self.is_initial() => Stage::Initial(HyStart::new()),
            Some(epoch) => Stage::Avoidance(epoch),
            None => Stage::NoEpoch,
        };
    }

    /// K of equation 2, in microseconds: 0 from W_max on.
    fn k_us(&self) -> u32 {
        let diff = u128::from(self.w_max.saturating_sub(self.cwnd));
        cube_root(diff * 10 * MICROS_CUBED / (C_TENTHS * u128::from(self.mss.max(1))))
    }

    /// W_cubic(t) of equation 1, in octets, rounded down.
    fn w_cubic(&self, k_us: u32, t: Micros) -> u32 {
        let t_us = u32::try_from(t.get()).unwrap_or(u32::MAX);
        let distance = u128::from(t_us.abs_diff(k_us));
        let product = C_TENTHS * u128::from(self.mss) * distance.pow(3);
        let octets = |n: u128| u32::try_from(n).unwrap_or(MAX_CWND).min(MAX_CWND);
        if t_us < k_us {
            self.w_max.saturating_sub(octets(product.div_ceil(10 * MICROS_CUBED)))
        } else {
            self.w_max.saturating_add(octets(product / (10 * MICROS_CUBED)))
        }
    }

    /// A stage begins with the window as it is.
    fn begin(&mut self, now: Instant) -> Epoch {
        self.w_max = self.w_max.max(self.cwnd); // unknown: after a timeout (§4.8), without any loss so far (§4.10)
        Epoch { last_ack: now, t_us: 0, k_us: self.k_us(), w_est: self.cwnd, cwnd_carry: 0, est_carry: 0 }
    }

    /// Equation 4, in octets: alpha_cubic = 9/17 until W_est reaches cwnd_prior, then 1.
    fn reno_estimate(&self, epoch: &mut Epoch, octets: u32) {
        let product = u64::from(octets) * u64::from(self.mss);
        let owed = if epoch.w_est >= self.cwnd_prior { product } else { (product * 9 + 8) / 17 };
        let (whole, carry) = divide(u64::from(epoch.est_carry) + owed, self.cwnd);
        epoch.w_est = epoch.w_est.saturating_add(whole).min(MAX_CWND);
        epoch.est_carry = carry;
    }

    /// One acknowledgment in congestion avoidance (§4.2 to §4.5).
    #[inline(never)]
    fn avoid(&mut self, acked: &Acked) {
        let mut epoch = match self.epoch() {
            Some(epoch) => epoch,
            None => self.begin(acked.now),
        };
        let t = Micros::from_u32(epoch.t_us) + acked.now.since(epoch.last_ack);
        (epoch.t_us, epoch.last_ack) = (t.saturated(), acked.now);
        self.reno_estimate(&mut epoch, acked.octets);
        if self.w_cubic(epoch.k_us, t) < epoch.w_est {
            self.cwnd = self.cwnd.max(epoch.w_est); // Reno-friendly region; it takes nothing back
        } else {
            let target = self.w_cubic(epoch.k_us, t + Micros::new(acked.srtt_us.unwrap_or_default().into()));
            let target = target.clamp(self.cwnd, self.cwnd.saturating_add(self.cwnd / 2));
            let owed = u64::from(acked.octets) * u64::from(target - self.cwnd);
            let (whole, carry) = divide(u64::from(epoch.cwnd_carry) + owed, self.cwnd);
            epoch.cwnd_carry = carry;
            self.cwnd = self.cwnd.saturating_add(whole).min(MAX_CWND);
        }
        self.stage = Stage::Avoidance(epoch);
    }

    /// t does not include the time since the last acknowledgment (§4.2).
    fn pause(&mut self, now: Instant) {
        if let Stage::Avoidance(epoch) = &mut self.stage {
            epoch.last_ack = epoch.last_ack.max(now);
        }
    }

    #[inline]
    fn slow_start(&mut self, acked: &Acked) {
        let growth = match &mut self.stage {
            Stage::Initial(hystart) => hystart.on_ack(acked, self.mss, self.paced),
            Stage::NoEpoch | Stage::Avoidance(_) => {
                Growth { octets: acked.octets.min(self.mss.saturating_mul(LIMIT)), ends: false }
            }
        };
        if acked.window_limited {
            self.cwnd = self.cwnd.saturating_add(growth.octets).min(MAX_CWND);
        }
        if growth.ends {
            self.ssthresh = self.cwnd.max(self.mss.saturating_mul(2));
            self.cwnd_prior = self.cwnd; // §4.10; W_max is still 0
            self.end_stage();
        }
    }

    /// What the reduction starts from (§4.6): FlightSize. In whole segments it stays below the window by less than one
    /// also where the window is all that limits it; then the window itself.
    fn used(&self, flight: u32) -> u32 {
        if flight.saturating_add(self.mss) > self.cwnd { self.cwnd } else { flight }
    }
}

/// `owed` fractions of `window`, as whole octets and the remainder.
fn divide(owed: u64, window: u32) -> (u32, u32) {
    let window = u64::from(window.max(1));
    let whole = u32::try_from(owed / window).unwrap_or(MAX_CWND);
    (whole, u32::try_from(owed % window).unwrap_or(0)) // less than the window
}

impl Controller for Cubic {
    #[inline]
    fn works_by_rates(&self) -> bool {
        false
    }

    fn start(&mut self, mss: u32, initial: u32, _now: Instant) {
        let (mss, cwnd, paced) = (sane_mss(mss), sane_initial(initial, mss), self.paced);
        *self = Self { mss, cwnd, paced, ..Self::default() };
    }

    #[inline]
    fn on_ack(&mut self, acked: &Acked) {
        if self.cwnd <= self.ssthresh {
            self.slow_start(acked); // "when cwnd is no more than ssthresh" (§4.10): with the first one after a loss, too
        } else if acked.window_limited {
            self.avoid(acked);
        } else {
            self.pause(acked.now);
        }
    }

    fn on_congestion(&mut self, congestion: &Congestion) {
        if congestion.signal == Signal::TimeoutAgain {
            self.cwnd = self.mss; // ssthresh is held constant (RFC 5681 §3.1)
            self.w_max = 0; // §4.8
            self.end_epoch();
            self.saved = None;
            return;
        }
        let (epoch, timeout) = (self.epoch(), congestion.signal == Signal::Timeout);
        let Self { cwnd, cwnd_prior, ssthresh, w_max, .. } = *self;
        let used = self.used(congestion.flight);
        self.saved = Some(Box::new(Saved { timeout, cwnd_prior, ssthresh, w_max, epoch }));
        self.cwnd_prior = cwnd;
        self.w_max = if cwnd < w_max { converged(cwnd) } else { cwnd };
        let least = self.mss.saturating_mul(2);
        match congestion.signal {
            Signal::Loss => {
                self.ssthresh = beta(used).max(least);
                self.cwnd = self.ssthresh;
            }
            Signal::Ecn => {
                self.ssthresh = beta(used).max(least);
                self.cwnd = beta(used).max(self.mss);
                self.saved = None; // a mark is no mistake
            }
            Signal::Timeout | Signal::TimeoutAgain => {
                let outstanding = congestion.flight.min(MAX_CWND).max(used); // of before a reduction, if this is its episode
                self.ssthresh = beta(outstanding).max(least);
                self.cwnd = self.mss;
                self.w_max = 0; // §4.8
            }
        }
        self.end_stage();
    }

    fn on_spurious(&mut self, _now: Instant) {
        let Some(saved) = self.saved.take() else { return };
        // A spurious timeout in slow start lets it go on, wherever cwnd is by now (§4.9.1, RFC 4015 §3 (9)).
        let slow_start = saved.timeout && self.cwnd < saved.ssthresh;
        if slow_start || self.cwnd < self.cwnd_prior {
            self.cwnd = self.cwnd.max(self.cwnd_prior);
            (self.cwnd_prior, self.ssthresh) = (saved.cwnd_prior, saved.ssthresh);
            self.w_max = saved.w_max;
            self.resume(saved.epoch); // the rounds of HyStart++ are over, if it is in use again
        }
    }

    fn on_settled(&mut self) {
        self.saved = None;
    }

    fn window(&self) -> u32 {
        self.cwnd
    }

    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    /// The curve has another scale then: another stage begins.
    fn set_mss(&mut self, mss: u32) {
        self.mss = sane_mss(mss);
        self.cwnd = self.cwnd.max(self.mss);
        self.ssthresh = self.ssthresh.max(self.mss.saturating_mul(2));
        self.end_epoch();
        self.saved = None;
    }

    fn on_idle(&mut self, initial: u32, _now: Instant) {
        self.cwnd = self.cwnd.min(sane_initial(initial, self.mss));
        self.end_stage(); // what HyStart++ knew of the path was of a larger window
        self.saved = None;
    }

    fn on_unused(&mut self, initial: u32, _now: Instant) {
        if !self.is_initial() {
            self.ssthresh = self.ssthresh.max(self.cwnd / 4 * 3);
        }
        let least = (self.cwnd / 2).max(sane_initial(initial, self.mss));
        self.cwnd = self.cwnd.min(least);
        self.end_epoch();
        self.saved = None;
    }

    fn limit(&mut self, window: u32, _now: Instant) {
        if window < self.cwnd || window < self.ssthresh {
            self.cwnd = self.cwnd.min(window.max(self.mss));
            self.ssthresh = self.ssthresh.min(window.max(self.mss.saturating_mul(2)));
            self.end_stage();
        }
    }

    fn set_pacing(&mut self, paced: bool) {
        self.paced = paced;
    }

    /// After a pause with nothing outstanding, t goes on from here.
    fn on_sent(&mut self, octets: u32, flight: u32, now: Instant) {
        if flight <= octets {
            self.pause(now);
        }
    }

    fn rebase(&mut self, now: Instant) {
        let Self { mss: _, cwnd: _, ssthresh: _, cwnd_prior: _, w_max: _, paced: _, stage: _, saved: _ } = self; // a field that is added has to be looked at here
        let relative = |epoch: &mut Epoch| epoch.last_ack = ago(epoch.last_ack, now);
        match &mut self.stage {
            Stage::Initial(hystart) => hystart.rebase(now),
            Stage::NoEpoch => {}
            Stage::Avoidance(epoch) => relative(epoch),
        }
        if let Some(saved) = &mut self.saved {
            saved.epoch.iter_mut().for_each(relative);
        }
    }
}

#[cfg(test)]
mod tests;
