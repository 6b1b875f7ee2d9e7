//! Round-trip time and retransmission timeout (RFC 6298).

use core::time::Duration;

use crate::Config;
use crate::time::micros;
use crate::timers::backed_off;

/// The clock granularity G (RFC 6298 §2): timestamps tick 1 ms.
const GRANULARITY_US: u64 = 1000;
/// RFC 6298 (5.7).
const AFTER_SYN_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Estimator {
    NoSample { rto: Duration },
    Measured { srtt_us: u64, rttvar_us: u64 },
}

/// SRTT, RTTVAR and the RTO with its back-off. The RTO lies between the configured limits at all times.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Rtt {
    estimator: Estimator,
    min: Duration,
    max: Duration,
    /// How many times the RTO is doubled (5.5).
    backoff: u32,
}

impl Rtt {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            estimator: Estimator::NoSample { rto: config.initial_rto() },
            min: config.min_rto(),
            max: config.max_rto(),
            backoff: 0,
        }
    }

    /// (2.2), (2.3). The measurement also ends the back-off (Karn).
    pub(crate) fn on_sample(&mut self, rtt: Duration) {
        let r = micros(rtt).min(micros(self.max));
        self.backoff = 0;
        self.estimator = match self.estimator {
            Estimator::NoSample { .. } => Estimator::Measured { srtt_us: r, rttvar_us: r / 2 },
            Estimator::Measured { srtt_us, rttvar_us } => Estimator::Measured {
                rttvar_us: (3 * rttvar_us + srtt_us.abs_diff(r)) / 4, // beta = 1/4, with the old SRTT
                srtt_us: (7 * srtt_us + r) / 8,                       // alpha = 1/8
            },
        };
    }

    /// (5.5).
    pub(crate) fn on_timeout(&mut self) {
        self.backoff = self.backoff.saturating_add(1);
    }

    /// (5.7): a SYN was retransmitted, so data starts with at least 3 s and no sample of the handshake.
    pub(crate) fn on_syn_timeout(&mut self) {
        self.backoff = 0;
        if let Estimator::NoSample { rto } = &mut self.estimator {
            *rto = (*rto).max(AFTER_SYN_TIMEOUT);
        }
    }

    /// The RTO without back-off: the unit of the persist timer.
    pub(crate) fn base_rto(&self) -> Duration {
        match self.estimator {
            Estimator::NoSample { rto } => rto.clamp(self.min, self.max),
            Estimator::Measured { srtt_us, rttvar_us } => {
                Duration::from_micros(srtt_us + GRANULARITY_US.max(4 * rttvar_us)).clamp(self.min, self.max)
            }
        }
    }

    /// The RTO.
    pub(crate) fn rto(&self) -> Duration {
        backed_off(self.base_rto(), self.backoff, self.max)
    }

    pub(crate) fn srtt(&self) -> Option<Duration> {
        match self.estimator {
            Estimator::NoSample { .. } => None,
            Estimator::Measured { srtt_us, .. } => Some(Duration::from_micros(srtt_us)),
        }
    }

    pub(crate) fn rttvar(&self) -> Option<Duration> {
        match self.estimator {
            Estimator::NoSample { .. } => None,
            Estimator::Measured { rttvar_us, .. } => Some(Duration::from_micros(rttvar_us)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    fn fast() -> Rtt {
        Rtt::new(&Config::builder().min_rto(Duration::from_millis(1)).build().unwrap())
    }

    #[test]
    fn the_sequence_of_rfc_6298() {
        let mut rtt = fast();
        assert_eq!(rtt.rto(), Duration::from_secs(1)); // (2.1)
        rtt.on_sample(Duration::from_millis(100)); // (2.2)
        assert_eq!((rtt.srtt(), rtt.rttvar()), (Some(Duration::from_millis(100)), Some(Duration::from_millis(50))));
        assert_eq!(rtt.rto(), Duration::from_millis(300));
        rtt.on_sample(Duration::from_millis(200)); // (2.3): RTTVAR = 37.5 + 25, with the old SRTT; SRTT = 87.5 + 25
        assert_eq!(rtt.rttvar(), Some(Duration::from_micros(62_500)));
        assert_eq!(rtt.srtt(), Some(Duration::from_micros(112_500)));
        assert_eq!(rtt.rto(), Duration::from_micros(362_500));
        rtt.on_timeout();
        rtt.on_timeout();
        assert_eq!(rtt.rto(), Duration::from_micros(4 * 362_500)); // (5.5)
        rtt.on_sample(Duration::from_micros(112_500));
        assert!(rtt.rto() < Duration::from_micros(362_500));
    }

    #[test]
    fn a_syn_timeout_makes_data_start_at_three_seconds() {
        let mut rtt = fast();
        rtt.on_timeout();
        rtt.on_syn_timeout();
        assert_eq!(rtt.rto(), Duration::from_secs(3));
    }

    quickcheck! {
        fn the_rto_stays_within_its_limits(steps: Vec<Option<u64>>) -> bool {
            let config = Config::default();
            let mut rtt = Rtt::new(&config);
            steps.into_iter().all(|step| {
                match step {
                    Some(us) => rtt.on_sample(Duration::from_micros(us)),
                    None => rtt.on_timeout(),
                }
                (config.min_rto()..=config.max_rto()).contains(&rtt.rto())
            })
        }
    }
    use alloc::vec::Vec;
}
