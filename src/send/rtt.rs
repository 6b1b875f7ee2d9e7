//! Round-trip time and retransmission timeout (RFC 6298).

use crate::invariant::{Broken, holds};
use crate::time::Micros;
use crate::{Config, Instant};

/// The clock granularity G (RFC 6298 §2): timestamps tick 1 ms.
const GRANULARITY_US: u64 = 1000;
/// RFC 6298 (5.7).
const AFTER_SYN_TIMEOUT: Micros = Micros::from_millis(3000);

/// SRTT and RTTVAR are kept in 2^-10 us: the gains are small when there are many samples in a round trip.
const FRACTION: u32 = 10;
/// How long the smallest round trip is remembered at least; at most twice as long (RFC 8985 §6.2, step 1).
const MIN_RTT_WINDOW: Micros = Micros::from_millis(150_000);
/// No limit of the RTO is larger, in microseconds.
const MOST_RTO: u32 = 600_000_000;
/// Far more than any estimate: samples end at the limit of the RTO, and each spurious timeout adds 2 ms.
const MOST_FINE: u64 = 1 << 44;
/// More samples in a round trip than this count as this many.
const MOST_SAMPLES: u32 = 1 << 16;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Estimator {
    NoSample { rto: Micros },
    Measured { srtt: Fine, rttvar: Fine },
}

/// A span in 2^-10 us, aligned as 32 bits are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(Rust, packed(4))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Fine(u64);

impl Fine {
    const fn micros(self) -> Micros {
        Micros::new(self.0 >> FRACTION)
    }
}

/// The smallest round trip of a recent time: of the window that is going on, and of the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(Rust, packed(4))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct MinRtt {
    /// Since when the window goes on.
    since: Instant,
    /// In microseconds.
    current: u32,
    previous: u32,
}

/// No sample was taken.
const NO_SAMPLE: u32 = u32::MAX;

impl MinRtt {
    const fn new() -> Self {
        Self { since: Instant::ZERO, current: NO_SAMPLE, previous: NO_SAMPLE }
    }

    fn on_sample(&mut self, rtt: Micros, now: Instant) {
        if self.current == NO_SAMPLE {
            self.since = now;
        } else if now.since(self.since) >= MIN_RTT_WINDOW {
            self.previous = self.current;
            (self.since, self.current) = (now, NO_SAMPLE);
        }
        self.current = self.current.min(rtt.saturated().min(NO_SAMPLE - 1));
    }

    fn get(&self) -> Option<Micros> {
        let least = self.current.min(self.previous);
        (least != NO_SAMPLE).then(|| Micros::from_u32(least))
    }

    fn rebase(&mut self, ago: impl Fn(Instant) -> Instant) {
        let Self { since: _, current: _, previous: _ } = *self; // a field that is added has to be looked at here
        if self.current != NO_SAMPLE {
            self.since = ago(self.since);
        }
    }
}

/// SRTT, RTTVAR and the RTO with its back-off. The RTO lies between the configured limits at all times.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Rtt {
    estimator: Estimator,
    least: MinRtt,
    /// The limits of the RTO, in microseconds: 600 s at most.
    min: u32,
    max: u32,
    /// The RTO that follows from these.
    rto: u32,
    /// The last sample.
    latest: u32,
    /// How many times the RTO is doubled (5.5).
    backoff: u8,
    /// The last timeout was spurious: the next sample counts for more (RFC 4015 §3.1 (11)).
    spurious: bool,
}

impl Rtt {
    pub(crate) fn new(config: &Config) -> Self {
        let short = |limit| Micros::from(limit).saturated();
        let mut rtt = Self {
            estimator: Estimator::NoSample { rto: config.initial_rto().into() },
            least: MinRtt::new(),
            min: short(config.min_rto()),
            max: short(config.max_rto()),
            rto: 0,
            latest: NO_SAMPLE,
            backoff: 0,
            spurious: false,
        };
        rtt.derive_rto();
        rtt
    }

    /// The limits of the RTO are others from now on.
    pub(crate) fn set_limits(&mut self, config: &Config) {
        let short = |limit| Micros::from(limit).saturated();
        (self.min, self.max) = (short(config.min_rto()), short(config.max_rto()));
        self.derive_rto();
    }

    /// What the RTO depends on has changed.
    fn derive_rto(&mut self) {
        self.rto = self.backed_off_rto().saturated();
    }

    fn backed_off_rto(&self) -> Micros {
        self.base_rto().backed_off(self.backoff.into(), self.max())
    }

    const fn max(&self) -> Micros {
        Micros::from_u32(self.max)
    }

    /// MUST-18. (2.2), (2.3), when `samples` of them are expected in a round trip (RFC 7323 App. G). The measurement
    /// also ends the back-off (Karn).
    pub(crate) fn on_sample(&mut self, rtt: Micros, samples: u32, now: Instant) {
        self.on_samples(rtt, rtt, samples, now);
    }

    /// The same, with another round trip that tells of the path: that of the last segment of those acknowledged.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn on_samples(&mut self, rtt: Micros, last_rtt: Micros, samples: u32, now: Instant) {
        self.least.on_sample(rtt.min(last_rtt), now);
        self.latest = rtt.saturated();
        let r = rtt.min(self.max()).get() << FRACTION;
        let n = u64::from(samples.clamp(1, MOST_SAMPLES));
        self.backoff = 0;
        self.estimator = match self.estimator {
            Estimator::NoSample { .. } => Estimator::Measured { srtt: Fine(r), rttvar: Fine(r / 2) },
            Estimator::Measured { srtt, rttvar } if self.spurious => {
                Estimator::Measured { srtt: Fine(srtt.0.max(r)), rttvar: Fine(rttvar.0.max(r / 2)) }
            }
            Estimator::Measured { srtt: Fine(srtt), rttvar: Fine(rttvar) } => Estimator::Measured {
                rttvar: Fine(mean(rttvar, srtt.abs_diff(r), 4 * n)), // beta = 1/4, with the old SRTT
                srtt: Fine(mean(srtt, r, 8 * n)),                    // alpha = 1/8
            },
        };
        self.spurious = false;
        self.rto = self.base_rto().saturated();
    }

    /// A round trip that tells of the path, not of when acknowledgments come.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn on_path_sample(&mut self, rtt: Micros, now: Instant) {
        self.least.on_sample(rtt, now);
    }

    /// RACK.min_RTT.
    pub(crate) fn min_rtt(&self) -> Option<Micros> {
        self.least.get()
    }

    /// The timeout was spurious: the back-off ends, and the estimate adapts at once (RFC 4015 §3.1 (0), (11)).
    pub(crate) fn on_spurious_timeout(&mut self) {
        self.backoff = 0;
        if let Estimator::Measured { srtt, .. } = &mut self.estimator {
            *srtt = Fine(srtt.0.saturating_add((2 * GRANULARITY_US) << FRACTION));
            self.spurious = true;
        }
        self.derive_rto();
    }

    /// (5.5).
    pub(crate) fn on_timeout(&mut self) {
        self.backoff = self.backoff.saturating_add(1);
        self.derive_rto();
    }

    /// (5.7): a SYN was retransmitted, so data starts with at least 3 s and no sample of the handshake.
    pub(crate) fn on_syn_timeout(&mut self) {
        self.backoff = 0;
        if let Estimator::NoSample { rto } = &mut self.estimator {
            *rto = (*rto).max(AFTER_SYN_TIMEOUT);
        }
        self.derive_rto();
    }

    /// The RTO without back-off: the unit of the persist timer. RTO = SRTT + max (G, K*RTTVAR), where `min_rto` is a
    /// lower limit of the variation too: a delayed ACK comes on top of the round trip, however steady that is (2.3),
    /// (2.4).
    #[inline]
    pub(crate) fn base_rto(&self) -> Micros {
        match self.estimator {
            Estimator::NoSample { rto } => rto.max(Micros::from_u32(self.min)).min(self.max()),
            Estimator::Measured { srtt, rttvar } => {
                let variation =
                    Micros::new(GRANULARITY_US.max((4 * rttvar.0) >> FRACTION)).max(Micros::from_u32(self.min));
                (srtt.micros() + variation).min(self.max())
            }
        }
    }

    /// The RTO.
    pub(crate) const fn rto(&self) -> Micros {
        Micros::from_u32(self.rto)
    }

    pub(crate) fn check_invariants(&self) -> Result<(), Broken> {
        holds(self.min <= self.max && self.max <= MOST_RTO, "the limits of the RTO")?;
        if let Estimator::Measured { srtt: Fine(srtt), rttvar: Fine(rttvar) } = self.estimator {
            holds(srtt <= MOST_FINE && rttvar <= MOST_FINE, "a round trip that none can be")?;
        }
        holds(self.rto() == self.backed_off_rto(), "the RTO does not follow from its estimate")
    }

    pub(crate) fn srtt(&self) -> Option<Micros> {
        match self.estimator {
            Estimator::NoSample { .. } => None,
            Estimator::Measured { srtt, .. } => Some(srtt.micros()),
        }
    }

    /// SRTT; where none is measured, long enough.
    pub(crate) fn round_trip(&self) -> Micros {
        self.srtt().unwrap_or_else(|| self.base_rto())
    }

    /// The round trip over which a window is paced: SRTT, or the last sample where that is less, because a queue went
    /// away; with the round trip of the queue the pacer would hold back the next window. No less than half of SRTT: one
    /// sample that is too small makes no burst.
    pub(crate) fn paced_over(&self) -> Option<Micros> {
        let srtt = self.srtt()?;
        Some(Micros::from_u32(self.latest).max(Micros::new(srtt.get() / 2)).min(srtt))
    }

    pub(crate) fn rttvar(&self) -> Option<Micros> {
        match self.estimator {
            Estimator::NoSample { .. } => None,
            Estimator::Measured { rttvar, .. } => Some(rttvar.micros()),
        }
    }

    pub(crate) fn rebase(&mut self, ago: impl Fn(Instant) -> Instant) {
        let Self { estimator: _, least: _, min: _, max: _, rto: _, latest: _, backoff: _, spurious: _ } = self; // a field that is added has to be looked at here
        self.least.rebase(ago);
    }
}

/// `old` moved towards `new` by one part in `parts`.
const fn mean(old: u64, new: u64, parts: u64) -> u64 {
    (old * (parts - 1) + new + parts / 2) / parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    fn fast() -> Rtt {
        Rtt::new(&Config::builder().min_rto(Micros::from_millis(1).into()).build().unwrap())
    }

    #[test]
    fn the_sequence_of_rfc_6298() {
        let mut rtt = fast();
        assert_eq!(rtt.rto(), Micros::from_secs(1)); // (2.1)
        rtt.on_sample(Micros::from_millis(100), 1, Instant::ZERO); // (2.2)
        assert_eq!((rtt.srtt(), rtt.rttvar()), (Some(Micros::from_millis(100)), Some(Micros::from_millis(50))));
        assert_eq!(rtt.rto(), Micros::from_millis(300));
        rtt.on_sample(Micros::from_millis(200), 1, Instant::ZERO); // (2.3): RTTVAR = 37.5 + 25, with the old SRTT; SRTT = 87.5 + 25
        assert_eq!(rtt.rttvar(), Some(Micros::new(62_500)));
        assert_eq!(rtt.srtt(), Some(Micros::new(112_500)));
        assert_eq!(rtt.rto(), Micros::new(362_500));
        rtt.on_timeout();
        rtt.on_timeout();
        assert_eq!(rtt.rto(), Micros::new(4 * 362_500)); // (5.5)
        rtt.on_sample(Micros::new(112_500), 1, Instant::ZERO);
        assert!(rtt.rto() < Micros::new(362_500));
    }

    /// RTO = SRTT + max (G, 4 * RTTVAR, min_rto), and `max_rto` limits it.
    #[test]
    fn the_rto_is_srtt_and_the_larger_of_the_variation_and_its_limit() {
        for (rtt, min, rto) in
            [(40, 200, 240), (100, 200, 300), (101, 200, 303), (0, 1, 1), (1, 1, 3), (59_000, 2000, 60_000)]
        {
            let min = Micros::from_millis(min);
            let mut estimate = Rtt::new(&Config::builder().min_rto(min.into()).build().unwrap());
            estimate.on_sample(Micros::from_millis(rtt), 1, Instant::ZERO); // RTTVAR = R / 2
            assert_eq!(estimate.rto(), Micros::from_millis(rto), "{rtt} ms");
        }
    }

    #[test]
    fn a_window_is_paced_over_srtt_or_the_last_round_trip_if_less() {
        let mut rtt = fast();
        assert_eq!(rtt.paced_over(), None);
        for (sample, srtt, over) in [
            (100_000, 100_000, 100_000),
            (180_000, 110_000, 110_000), // a queue: SRTT follows slowly
            (92_000, 107_750, 92_000),   // and so it does when the queue is gone
            (107_750, 107_750, 107_750),
            (11_750, 95_750, 47_875), // no less than half
        ] {
            rtt.on_sample(Micros::new(sample), 1, Instant::ZERO);
            let measured = (rtt.srtt(), rtt.paced_over());
            assert_eq!(measured, (Some(Micros::new(srtt)), Some(Micros::new(over))), "{sample} us");
        }
    }

    #[test]
    fn a_syn_timeout_makes_data_start_at_three_seconds() {
        let mut rtt = fast();
        rtt.on_timeout();
        rtt.on_syn_timeout();
        assert_eq!(rtt.rto(), Micros::from_secs(3));
    }

    quickcheck! {
        fn the_rto_stays_within_its_limits(steps: Vec<Option<u64>>) -> bool {
            let config = Config::default();
            let mut rtt = Rtt::new(&config);
            steps.into_iter().all(|step| {
                match step {
                    Some(us) => rtt.on_sample(Micros::new(us), 1, Instant::ZERO),
                    None => rtt.on_timeout(),
                }
                (config.min_rto()..=config.max_rto()).contains(&rtt.rto().into())
            })
        }
    }
    use alloc::vec::Vec;
}
