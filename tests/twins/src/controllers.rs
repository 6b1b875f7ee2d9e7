//! The congestion controllers of the runs, for both crates.

/// A controller that answers anything: what it is told decides, so the two differ for good once they are told different
/// things.
macro_rules! wild {
    ($module:ident, $segue:ident) => {
        mod $module {
            use $segue::Instant;
            use $segue::congestion::{Acked, Congestion, Controller, Delivery};

            #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
            pub(crate) struct Wild<const RATES: bool> {
                seed: u64,
                /// What kind of windows and thresholds it has, and when it changes them.
                mode: u8,
                told: u64,
                window: u32,
                mss: u32,
            }

            impl<const RATES: bool> Wild<RATES> {
                pub(super) fn new(seed: u64) -> Self {
                    Self { seed, mode: seed.to_le_bytes()[1], ..Self::default() }
                }

                fn hear(&mut self, now: Instant, facts: &[u64]) {
                    for fact in facts.iter().chain([&now.as_micros()]) {
                        self.told = (self.told.rotate_left(7) ^ fact).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                    }
                }

                /// Takes another window.
                fn turn(&mut self) {
                    let drawn = self.told ^ self.seed;
                    let drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                    let (mss, n) = (self.mss, (drawn >> 8) as u32 % 16);
                    self.window = match (self.mode % 16, n) {
                        (0, 0) | (2, _) => 0,
                        (0, 1) => 1,
                        (0, 2) | (1, _) => u32::MAX,
                        (0, 3) => mss,
                        (0, 4) => mss.wrapping_sub(1),
                        (0, 5) => mss.saturating_add(1),
                        (0, 6) => 1 << 31,
                        (0, n) => (drawn >> 32) as u32 >> (n + 4),
                        (3, n) => mss.saturating_mul(n),
                        (4, n) => mss.saturating_mul(n / 2).wrapping_add(n % 3).wrapping_sub(1),
                        (5, _) => 1 << 20,
                        (_, n) => mss.saturating_mul(4 + n),
                    };
                }

                fn hear_and_turn(&mut self, now: Instant, facts: &[u64]) {
                    self.hear(now, facts);
                    self.turn();
                }
            }

            impl<const RATES: bool> Controller for Wild<RATES> {
                fn works_by_rates(&self) -> bool {
                    RATES
                }

                fn start(&mut self, mss: u32, initial: u32, now: Instant) {
                    self.mss = mss;
                    self.hear_and_turn(now, &[mss.into(), initial.into()]);
                }

                fn on_ack(&mut self, acked: &Acked) {
                    let rtts = [acked.rtt_us, acked.srtt_us].map(|rtt| rtt.map_or(u64::MAX, u64::from));
                    let limits = [acked.window_limited, acked.application_limited].map(u64::from);
                    self.hear(acked.now, &[acked.octets.into(), acked.flight.into()]);
                    self.hear_and_turn(acked.now, &[rtts, limits].concat());
                }

                fn on_congestion(&mut self, congestion: &Congestion) {
                    self.hear_and_turn(congestion.now, &[congestion.signal as u64, congestion.flight.into()]);
                }

                fn window(&self) -> u32 {
                    self.window
                }

                fn ssthresh(&self) -> u32 {
                    let told = self.told as u32;
                    match self.mode >> 4 & 3 {
                        0 => u32::MAX,
                        1 => 0,
                        2 => self.window.wrapping_add(told % 3).wrapping_sub(1),
                        _ => told,
                    }
                }

                fn set_mss(&mut self, mss: u32) {
                    self.mss = mss;
                    self.hear_and_turn(Instant::default(), &[mss.into()]);
                }

                fn on_idle(&mut self, initial: u32, now: Instant) {
                    self.hear_and_turn(now, &[1, initial.into()]);
                }

                fn on_unused(&mut self, initial: u32, now: Instant) {
                    self.hear_and_turn(now, &[2, initial.into()]);
                }

                fn limit(&mut self, window: u32, now: Instant) {
                    self.hear_and_turn(now, &[3, window.into()]);
                }

                fn set_pacing(&mut self, paced: bool) {
                    self.hear(Instant::default(), &[paced.into()]);
                }

                fn on_sent(&mut self, octets: u32, flight: u32, now: Instant) {
                    self.hear(now, &[octets.into(), flight.into()]);
                    if self.mode & 128 != 0 {
                        self.turn();
                    }
                }

                fn on_recovered(&mut self, flight: u32, now: Instant) {
                    self.hear_and_turn(now, &[4, flight.into()]);
                }

                fn on_spurious(&mut self, now: Instant) {
                    self.hear_and_turn(now, &[5]);
                }

                fn on_settled(&mut self) {
                    self.hear(Instant::default(), &[6]);
                }

                fn on_delivery(&mut self, delivery: &Delivery) {
                    let Delivery { octets, lost, inflight, delivered, rate, rtt, min_rtt, .. } = delivery;
                    let now = delivery.now;
                    self.hear(now, &[u64::from(*octets), u64::from(*lost), u64::from(*inflight), *delivered]);
                    if let Some(rate) = rate {
                        self.hear(now, &[rate.delivered, rate.interval.as_micros() as u64, rate.prior_delivered]);
                        self.hear(now, &[rate.application_limited.into()]);
                    }
                    self.hear(now, &[*rtt, *min_rtt].map(|rtt| rtt.map_or(u64::MAX, |rtt| rtt.as_micros() as u64)));
                    self.hear_and_turn(now, &[delivery.ecn_echo, delivery.recovering].map(u64::from));
                }

                fn reduces_proportionally(&self) -> bool {
                    self.mode & 64 == 0
                }

                fn pacing_rate(&self) -> Option<u64> {
                    match self.told % 5 {
                        0 => Some(self.told >> 20),
                        1 => Some(self.told >> 44),
                        2 => Some(self.told >> 58),
                        _ => None,
                    }
                }
            }
        }
    };
}
wild!(full, segue);
wild!(of_plain, plain);

/// A controller that both crates have.
pub(crate) trait Kind {
    type Full: segue::Controller;
    type Plain: plain::Controller;

    fn controllers(seed: u64) -> (Self::Full, Self::Plain);
}

pub(crate) struct Cubic;

impl Kind for Cubic {
    type Full = segue::Algorithm;
    type Plain = plain::Algorithm;

    fn controllers(_: u64) -> (Self::Full, Self::Plain) {
        Default::default()
    }
}

/// Those of the crate that are not the default.
macro_rules! chosen {
    ($($name:ident)*) => {$(
        pub(crate) struct $name;

        impl Kind for $name {
            type Full = segue::Algorithm;
            type Plain = plain::Algorithm;

            fn controllers(_: u64) -> (Self::Full, Self::Plain) {
                (segue::Algorithm::$name(Default::default()), plain::Algorithm::$name(Default::default()))
            }
        }
    )*};
}
chosen!(Reno Bbr Prague);

/// A wild one, that is told of rates or not.
pub(crate) struct Wild<const RATES: bool>;

impl<const RATES: bool> Kind for Wild<RATES> {
    type Full = full::Wild<RATES>;
    type Plain = of_plain::Wild<RATES>;

    fn controllers(seed: u64) -> (Self::Full, Self::Plain) {
        (full::Wild::new(seed), of_plain::Wild::new(seed))
    }
}
