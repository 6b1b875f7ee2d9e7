//! CUBIC (RFC 9438), in fixed point: octets, microseconds, and 128-bit products.

use super::hystart::{Growth, HyStart};
use super::{Acked, Congestion, Controller, MAX_CWND, Signal};
use crate::Instant;
use crate::time::micros;
use core::time::Duration;

/// C = 0.4 segments per second cubed, as C / 10.
const C_TENTHS: u128 = 4;
const MICROS_CUBED: u128 = 1_000_000_000_000_000_000;

/// beta_cubic = 0.7.
const fn beta(octets: u32) -> u32 {
    octets / 10 * 7 + octets % 10 * 7 / 10
}

/// (1 + beta_cubic) / 2 = 0.85, of fast convergence.
const fn converged(octets: u32) -> u32 {
    octets / 20 * 17 + octets % 20 * 17 / 20
}

/// A congestion avoidance stage.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Epoch {
    /// t_epoch, moved by the time in which the application limited the flow.
    start: Instant,
    /// The last acknowledgment.
    last: Instant,
    k_us: u64,
    w_est: u32,
    /// Fractions of an octet owed to the window and to W_est.
    cwnd_carry: u64,
    est_carry: u64,
}

/// What a spurious congestion event restores (RFC 9438 §4.9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Saved {
    cwnd: u32,
    cwnd_prior: u32,
    ssthresh: u32,
    w_max: u32,
    epoch: Option<Epoch>,
}

/// CUBIC with HyStart++ in the initial slow start.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cubic {
    mss: u32,
    cwnd: u32,
    ssthresh: u32,
    cwnd_prior: u32,
    /// W_max; 0 where the next stage takes the window it starts with (§4.8, §4.10).
    w_max: u32,
    epoch: Option<Epoch>,
    hystart: Option<HyStart>,
    saved: Option<Saved>,
}

impl Default for Cubic {
    fn default() -> Self {
        let mut cubic = Self {
            mss: 0,
            cwnd: 0,
            ssthresh: u32::MAX,
            cwnd_prior: 0,
            w_max: 0,
            epoch: None,
            hystart: None,
            saved: None,
        };
        cubic.start(536, 536, Instant::ZERO);
        cubic
    }
}

/// The largest integer whose cube is at most `n`.
fn cube_root(n: u128) -> u64 {
    let mut root = 0u64;
    for bit in (0..42).rev() {
        let candidate = root | 1 << bit;
        if u128::from(candidate).pow(3) <= n {
            root = candidate;
        }
    }
    root
}

impl Cubic {
    /// K of equation 2, in microseconds.
    fn k_us(&self, w_max: u32) -> u64 {
        let diff = u128::from(w_max.saturating_sub(self.cwnd));
        cube_root(diff * 10 * MICROS_CUBED / (C_TENTHS * u128::from(self.mss.max(1))))
    }

    /// W_cubic(t) of equation 1, in octets.
    fn w_cubic(&self, epoch: &Epoch, t_us: u64) -> u32 {
        let distance = u128::from(t_us.abs_diff(epoch.k_us).min(1 << 31));
        let octets = C_TENTHS * u128::from(self.mss) * distance.pow(3) / (10 * MICROS_CUBED);
        let octets = u32::try_from(octets).unwrap_or(MAX_CWND);
        if t_us >= epoch.k_us { self.w_max.saturating_add(octets) } else { self.w_max.saturating_sub(octets) }
    }

    fn begin(&mut self, now: Instant) -> Epoch {
        let k_us = if self.w_max == 0 { 0 } else { self.k_us(self.w_max) };
        if self.w_max == 0 {
            self.w_max = self.cwnd; // after a timeout, or without any loss so far
        }
        Epoch { start: now, last: now, k_us, w_est: self.cwnd, cwnd_carry: 0, est_carry: 0 }
    }

    /// Equation 4, in octets: alpha = 9/17 until W_est reaches cwnd_prior, then 1.
    fn reno_estimate(&self, epoch: &mut Epoch, acked: u32) {
        let (num, den) = if epoch.w_est >= self.cwnd_prior { (1, 1) } else { (9, 17) };
        let product = u64::from(acked) * u64::from(self.mss) * num;
        let divisor = u64::from(self.cwnd) * den;
        let owed = epoch.est_carry.min(divisor) + product;
        epoch.w_est = epoch.w_est.saturating_add(u32::try_from(owed / divisor).unwrap_or(MAX_CWND)).min(MAX_CWND);
        epoch.est_carry = owed % divisor;
    }

    /// One acknowledgment in congestion avoidance (§4.2 to §4.5).
    fn avoid(&mut self, acked: &Acked) {
        let mut epoch = match self.epoch {
            Some(epoch) => epoch,
            None => self.begin(acked.now),
        };
        epoch.last = acked.now;
        let t = micros(acked.now.saturating_since(epoch.start));
        let rtt = micros(acked.srtt.unwrap_or(Duration::ZERO));
        self.reno_estimate(&mut epoch, acked.octets);
        if self.w_cubic(&epoch, t) < epoch.w_est {
            self.cwnd = self.cwnd.max(epoch.w_est); // Reno-friendly region
        } else {
            let highest = self.cwnd.saturating_add(self.cwnd / 2);
            let target = self.w_cubic(&epoch, t.saturating_add(rtt)).clamp(self.cwnd, highest);
            let owed = epoch.cwnd_carry + u64::from(acked.octets) * u64::from(target - self.cwnd);
            let grown = u32::try_from(owed / u64::from(self.cwnd)).unwrap_or(MAX_CWND);
            epoch.cwnd_carry = owed % u64::from(self.cwnd);
            self.cwnd = self.cwnd.saturating_add(grown).min(MAX_CWND);
        }
        self.epoch = Some(epoch);
    }

    fn slow_start(&mut self, acked: &Acked) {
        let growth = match &mut self.hystart {
            Some(hystart) => hystart.on_ack(acked.octets, acked.flight, acked.rtt, self.mss),
            None => Growth::By(acked.octets.min(self.mss)),
        };
        match growth {
            Growth::By(octets) => self.cwnd = self.cwnd.saturating_add(octets).min(MAX_CWND),
            Growth::Exit => {
                self.ssthresh = self.cwnd; // no loss so far: K = 0, W_max = cwnd (§4.10)
                self.cwnd_prior = self.cwnd;
                self.hystart = None;
            }
        }
    }
}

impl Controller for Cubic {
    fn start(&mut self, mss: u32, initial: u32, _now: Instant) {
        *self = Self {
            mss,
            cwnd: initial,
            ssthresh: u32::MAX,
            cwnd_prior: 0,
            w_max: 0,
            epoch: None,
            hystart: Some(HyStart::new()),
            saved: None,
        };
    }

    fn on_ack(&mut self, acked: &Acked) {
        if !acked.window_limited {
            if let Some(epoch) = &mut self.epoch {
                epoch.start += acked.now.saturating_since(epoch.last); // that time does not count (§4.2)
                epoch.last = acked.now;
            }
        } else if self.cwnd < self.ssthresh {
            self.slow_start(acked);
        } else {
            self.avoid(acked);
        }
    }

    fn on_congestion(&mut self, congestion: &Congestion) {
        if congestion.signal == Signal::TimeoutAgain {
            self.cwnd = self.mss;
            return;
        }
        let Self { cwnd, cwnd_prior, ssthresh, w_max, epoch, .. } = *self;
        self.saved = Some(Saved { cwnd, cwnd_prior, ssthresh, w_max, epoch });
        self.hystart = None;
        self.epoch = None;
        self.cwnd_prior = cwnd;
        let reduced = beta(congestion.flight);
        self.ssthresh = reduced.max(self.mss.saturating_mul(2));
        match congestion.signal {
            Signal::Loss | Signal::Ecn => {
                self.w_max = if cwnd < w_max { converged(cwnd) } else { cwnd };
                self.cwnd = if congestion.signal == Signal::Ecn { reduced.max(self.mss) } else { self.ssthresh };
            }
            Signal::Timeout | Signal::TimeoutAgain => {
                self.w_max = 0; // §4.8
                self.cwnd = self.mss;
            }
        }
    }

    fn on_spurious(&mut self, _now: Instant) {
        if let Some(saved) = self.saved.take().filter(|_| self.cwnd < self.cwnd_prior) {
            let Saved { cwnd, cwnd_prior, ssthresh, w_max, epoch } = saved;
            *self = Self { mss: self.mss, cwnd, ssthresh, cwnd_prior, w_max, epoch, hystart: None, saved: None };
        }
    }

    fn window(&self) -> u32 {
        self.cwnd
    }

    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    fn set_mss(&mut self, mss: u32) {
        self.mss = mss;
        self.cwnd = self.cwnd.max(mss);
    }

    fn on_idle(&mut self, initial: u32, _now: Instant) {
        self.cwnd = self.cwnd.min(initial);
        self.epoch = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const MSS: u32 = 1448;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    /// In congestion avoidance after one loss at a window of `segments`.
    fn after_loss(segments: u32) -> Cubic {
        let mut cubic = Cubic::default();
        cubic.start(MSS, segments * MSS, Instant::ZERO);
        cubic.on_congestion(&Congestion { signal: Signal::Loss, flight: segments * MSS, now: Instant::ZERO });
        cubic
    }

    /// Full windows acknowledged segment by segment for `seconds`, each round trip `rtt_ms`; the window after each.
    fn run(cubic: &mut Cubic, rtt_ms: u64, seconds: u64) -> Vec<(f64, f64)> {
        let rtt = Duration::from_millis(rtt_ms);
        let mut now = 0;
        let mut curve = Vec::new();
        while now < seconds * 1_000_000 {
            let segments = u64::from(cubic.window() / MSS);
            for _ in 0..segments {
                now += rtt_ms * 1000 / segments;
                let flight = cubic.window();
                let (rtt, srtt) = (Some(rtt), Some(rtt));
                cubic.on_ack(&Acked { octets: MSS, flight, rtt, srtt, window_limited: true, now: at(now) });
            }
            curve.push((now as f64 / 1e6, f64::from(cubic.window()) / f64::from(MSS)));
        }
        curve
    }

    /// Equation 1 in floating point. The window follows it one round trip ahead, within the growth of one more.
    #[test]
    fn the_window_follows_the_curve() {
        for (segments, rtt_ms, seconds) in [(1000u32, 100u64, 20u64), (500, 40, 14), (3000, 200, 30)] {
            let mut cubic = after_loss(segments);
            let w_max = f64::from(segments);
            let k = (w_max * 0.3 / 0.4).cbrt();
            let mut start = None;
            for (t, window) in run(&mut cubic, rtt_ms, seconds) {
                let begun = *start.get_or_insert(t - rtt_ms as f64 / 1000.0);
                let w = |t: f64| 0.4 * (t - begun - k).powi(3) + w_max;
                let rtt = rtt_ms as f64 / 1000.0;
                let (low, high) = (w(t - rtt) - 3.0, w(t + 2.0 * rtt) + 3.0);
                assert!((low..=high).contains(&window), "at {t} s: {window} is not in {low}..={high}");
            }
        }
    }

    #[test]
    fn k_and_the_cube_root_are_exact() {
        for root in [0u64, 1, 2, 3, 1000, 4_217_163, (1 << 41) + 12_345] {
            let cube = u128::from(root).pow(3);
            assert_eq!(cube_root(cube), root);
            assert_eq!(cube_root(cube + 1), root.max(u64::from(root == 0)));
            assert!(root == 0 || cube_root(cube - 1) == root - 1);
        }
        let cubic = after_loss(1000);
        let exact = (1000.0f64 * 0.3 / 0.4).cbrt() * 1e6;
        assert!((cubic.k_us(1000 * MSS) as f64 - exact).abs() < 2.0);
    }

    /// On a short path Reno would grow faster: the window keeps up with W_est (equation 4).
    #[test]
    fn on_short_paths_it_grows_like_reno() {
        let mut cubic = after_loss(20);
        let curve = run(&mut cubic, 10, 1);
        let (_, window) = curve[curve.len() - 1];
        assert!(window > 60.0, "{window}"); // Reno: 14 + about 9/17 then 1 segment for each of 100 round trips
    }

    #[test]
    fn a_loss_reduces_to_seven_tenths_and_remembers() {
        let mut cubic = after_loss(100);
        assert_eq!((cubic.window(), cubic.ssthresh(), cubic.w_max), (beta(100 * MSS), beta(100 * MSS), 100 * MSS));
        cubic.on_congestion(&Congestion { signal: Signal::Loss, flight: cubic.window(), now: at(5) });
        assert_eq!(cubic.w_max, converged(beta(100 * MSS))); // below W_max: fast convergence
        assert_eq!(cubic.window(), beta(beta(100 * MSS)));
        let small = Congestion { signal: Signal::Loss, flight: MSS, now: at(9) };
        cubic.on_congestion(&small);
        assert_eq!(cubic.window(), 2 * MSS);
        cubic.on_congestion(&Congestion { signal: Signal::Ecn, ..small });
        assert_eq!(cubic.window(), MSS);
    }

    #[test]
    fn after_a_timeout_the_plateau_is_where_slow_start_ends() {
        let mut cubic = after_loss(100);
        cubic.on_congestion(&Congestion { signal: Signal::Timeout, flight: 70 * MSS, now: at(1) });
        assert_eq!((cubic.window(), cubic.ssthresh()), (MSS, beta(70 * MSS)));
        run(&mut cubic, 50, 2);
        assert!(cubic.w_max >= beta(70 * MSS) && cubic.epoch.is_some_and(|epoch| epoch.k_us == 0));
    }

    #[test]
    fn time_limited_by_the_application_does_not_count() {
        let (mut busy, mut idle) = (after_loss(1000), after_loss(1000));
        run(&mut busy, 100, 2);
        run(&mut idle, 100, 2);
        let rtt = Some(Duration::from_millis(100));
        let limited = Acked { octets: MSS, flight: MSS, rtt, srtt: rtt, window_limited: false, now: at(60_000_000) };
        idle.on_ack(&limited);
        let full = Acked { octets: MSS, flight: idle.window(), window_limited: true, ..limited };
        idle.on_ack(&Acked { now: at(60_010_000), ..full });
        assert!(idle.window() - busy.window() < 2 * MSS, "a minute's growth at once");
    }

    #[test]
    fn a_spurious_loss_is_undone() {
        let mut cubic = after_loss(100);
        run(&mut cubic, 100, 1);
        let before = cubic.clone();
        cubic.on_congestion(&Congestion { signal: Signal::Loss, flight: cubic.window(), now: at(1_000_000) });
        assert!(cubic.window() < before.window());
        cubic.on_spurious(at(1_100_000));
        assert_eq!((cubic.window(), cubic.ssthresh, cubic.w_max), (before.window(), before.ssthresh, before.w_max));
    }

    #[test]
    fn the_curve_is_non_decreasing_without_congestion() {
        let mut cubic = after_loss(300);
        let curve = run(&mut cubic, 80, 20);
        assert!(curve.windows(2).all(|pair| pair[0].1 <= pair[1].1));
    }
}
