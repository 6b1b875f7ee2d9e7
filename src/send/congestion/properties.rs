//! What holds for the built-in controllers whatever they are told, in any order.

use alloc::vec::Vec;
use core::time::Duration;
use quickcheck::{Arbitrary, Gen, quickcheck};

use super::{Acked, Algorithm, Congestion, Controller, Cubic, Delivery, MAX_CWND, RateSample, Reno, Signal};
use crate::Instant;

/// One call of the trait, after some time.
#[derive(Clone, Debug)]
enum Call {
    Ack { octets: u32, flight: u32, rtt_us: u64, limited: bool },
    Congestion { signal: Signal, flight: u32 },
    Spurious,
    Recovered { flight: u32 },
    Sent { octets: u32, flight: u32 },
    Idle { initial: u32 },
    Unused { initial: u32 },
    Limit { window: u32 },
    Mss { mss: u32 },
    Pacing { paced: bool },
    Delivery { octets: u32, flight: u32, rtt_us: u32, recovering: bool, marked: Option<u32> },
}

#[derive(Clone, Debug)]
struct Step {
    after_us: u64,
    call: Call,
}

/// Octets of every size: mostly those of windows, sometimes none, sometimes the most there are.
fn octets(g: &mut Gen) -> u32 {
    match u8::arbitrary(g) % 8 {
        0 => u32::arbitrary(g),
        1 => *g.choose(&[0, 1, u32::MAX, MAX_CWND, 65_535]).unwrap(),
        2 | 3 => u32::arbitrary(g) % 3_000_000,
        _ => u32::arbitrary(g) % 6_000,
    }
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        let signal = *g.choose(&[Signal::Loss, Signal::Ecn, Signal::Timeout, Signal::TimeoutAgain]).unwrap();
        let call = match u8::arbitrary(g) % 24 {
            0..=10 => Call::Ack {
                octets: octets(g),
                flight: octets(g),
                rtt_us: u64::arbitrary(g) % if bool::arbitrary(g) { 300_000 } else { u64::MAX },
                limited: u8::arbitrary(g) % 4 != 0,
            },
            11..=13 => Call::Congestion { signal, flight: octets(g) },
            14 => Call::Spurious,
            15 => Call::Recovered { flight: octets(g) },
            16 => Call::Sent { octets: octets(g), flight: octets(g) },
            17 => Call::Idle { initial: octets(g) },
            18 => Call::Unused { initial: octets(g) },
            19 => Call::Limit { window: octets(g) },
            20 => Call::Mss { mss: octets(g) % 9_000 },
            21 => Call::Mss { mss: octets(g) },
            22 => Call::Pacing { paced: bool::arbitrary(g) },
            _ => Call::Delivery {
                octets: octets(g),
                flight: octets(g),
                rtt_us: u32::arbitrary(g),
                recovering: bool::arbitrary(g),
                marked: bool::arbitrary(g).then(|| octets(g)),
            },
        };
        let after_us = u64::arbitrary(g) % *g.choose(&[1, 1_000, 100_000, 10_000_000, u64::MAX]).unwrap();
        Self { after_us, call }
    }
}

/// A controller with the segment size that it was last told.
struct Driven {
    controller: Algorithm,
    mss: u32,
    now: Instant,
}

impl Driven {
    fn new(controller: Algorithm, mss: u32, initial: u32) -> Self {
        let mut driven = Self { controller, mss: mss.clamp(1, 65_535), now: Instant::ZERO };
        driven.controller.start(mss, initial, driven.now);
        driven
    }

    fn apply(&mut self, step: &Step) {
        self.now += Duration::from_micros(step.after_us);
        let (now, c) = (self.now, &mut self.controller);
        match step.call {
            Call::Ack { octets, flight, rtt_us, limited } => {
                let rtt_us = u32::try_from(rtt_us).ok();
                c.on_ack(&Acked {
                    rtt_us,
                    srtt_us: rtt_us,
                    window_limited: limited,
                    ..Acked::new(octets, flight, now)
                });
            }
            Call::Congestion { signal, flight } => c.on_congestion(&Congestion::new(signal, flight, now)),
            Call::Spurious => c.on_spurious(now),
            Call::Recovered { flight } => c.on_recovered(flight, now),
            Call::Sent { octets, flight } => c.on_sent(octets, flight, now),
            Call::Idle { initial } => c.on_idle(initial, now),
            Call::Unused { initial } => c.on_unused(initial, now),
            Call::Limit { window } => c.limit(window, now),
            Call::Mss { mss } => {
                self.mss = mss.clamp(1, 65_535);
                c.set_mss(mss);
            }
            Call::Pacing { paced } => c.set_pacing(paced),
            Call::Delivery { octets, flight, rtt_us, recovering, marked } => {
                let rtt = Duration::from_micros(rtt_us.into());
                let rate = RateSample { tx_in_flight: flight, ..RateSample::new(octets.into(), rtt) };
                let told = Delivery { octets, inflight: flight, rtt: Some(rtt), recovering, ..Delivery::new(now) };
                let told = Delivery { ce_octets: marked.unwrap_or(0), l4s: marked.is_some(), ..told };
                c.on_delivery(&Delivery { rate: Some(rate), ..told });
            }
        }
    }

    /// Runs the steps; `holds` compares the window and threshold before and after each.
    fn all(mut self, steps: &[Step], mut holds: impl FnMut(&Self, &Call, u32, u32) -> bool) -> bool {
        steps.iter().all(|step| {
            let (window, ssthresh) = (self.controller.window(), self.controller.ssthresh());
            self.apply(step);
            holds(&self, &step.call, window, ssthresh)
        })
    }
}

fn both(mss: u32, initial: u32) -> [Driven; 2] {
    [Algorithm::Reno(Reno::default()), Algorithm::Cubic(Cubic::default())].map(|c| Driven::new(c, mss, initial))
}

quickcheck! {
    fn the_window_and_the_threshold_stay_within_their_limits(mss: u16, initial: u32, steps: Vec<Step>) -> bool {
        both(mss.into(), initial).into_iter().all(|driven| driven.all(&steps, |driven, _, _, _| {
            let (window, ssthresh) = (driven.controller.window(), driven.controller.ssthresh());
            (driven.mss..=MAX_CWND).contains(&window) && ssthresh >= 2 * driven.mss
        }))
    }

    /// RFC 5681 §3.1, RFC 9438 §5.8, RFC 7661 §4.4: only an acknowledgment of a full window makes it grow. A mistake
    /// that is taken back and a larger segment size are no growth.
    fn only_acknowledgments_of_full_windows_grow_the_window(mss: u16, initial: u32, steps: Vec<Step>) -> bool {
        both(mss.into(), initial).into_iter().all(|driven| driven.all(&steps, |driven, call, window, _| {
            let after = driven.controller.window();
            match call {
                Call::Ack { limited: true, .. } => after >= window,
                Call::Spurious => after >= window,
                Call::Mss { .. } => after == window.max(driven.mss),
                Call::Congestion { signal: Signal::Loss, .. } => after <= window.max(2 * driven.mss),
                _ => after <= window.max(driven.mss),
            }
        }))
    }

    fn slow_start_adds_no_more_than_was_acknowledged(mss: u16, initial: u32, steps: Vec<Step>) -> bool {
        both(mss.into(), initial).into_iter().all(|driven| driven.all(&steps, |driven, call, window, ssthresh| {
            match call {
                Call::Ack { octets, .. } if window < ssthresh => {
                    let limit = if ssthresh == u32::MAX { u32::MAX } else { driven.mss };
                    driven.controller.window() - window <= (*octets).min(limit)
                }
                _ => true,
            }
        }))
    }

    /// A loss that was none changes nothing at all but the memory of it.
    fn an_undo_restores_exactly(mss: u16, initial: u32, steps: Vec<Step>, timeout: bool, flight: u32) -> bool {
        both(mss.into(), initial).into_iter().all(|mut driven| {
            steps.iter().for_each(|step| driven.apply(step));
            let (window, ssthresh) = (driven.controller.window(), driven.controller.ssthresh());
            let signal = if timeout { Signal::Timeout } else { Signal::Loss };
            driven.controller.on_congestion(&Congestion::new(signal, flight, driven.now));
            let reduced = driven.controller.window() < window;
            driven.controller.on_spurious(driven.now);
            !reduced || (driven.controller.window(), driven.controller.ssthresh()) == (window, ssthresh)
        })
    }

    /// A second call has nothing to take back, nor has one after a mark or after an idle time.
    fn an_undo_happens_once(mss: u16, initial: u32, steps: Vec<Step>, how: u8) -> bool {
        both(mss.into(), initial).into_iter().all(|mut driven| {
            steps.iter().for_each(|step| driven.apply(step));
            let now = driven.now;
            match how % 3 {
                0 => driven.controller.on_spurious(now),
                1 => driven.controller.on_congestion(&Congestion::new(Signal::Ecn, MAX_CWND, now)),
                _ => driven.controller.on_idle(10 * driven.mss, now),
            }
            let window = driven.controller.window();
            driven.controller.on_spurious(now);
            driven.controller.window() == window
        })
    }

    /// Whatever happened before and however large the flight: after a limit of `used` and a congestion signal the
    /// window is that share of `used` which the algorithm keeps (RFC 7661 §4.4.1).
    fn a_signal_while_the_window_is_not_validated_counts_what_was_used(
        mss: u16, initial: u32, steps: Vec<Step>, used: u32, ecn: bool
    ) -> bool {
        both(mss.into(), initial).into_iter().all(|mut driven| {
            steps.iter().for_each(|step| driven.apply(step));
            let (now, used) = (driven.now, used % MAX_CWND);
            driven.controller.limit(used, now);
            let signal = if ecn { Signal::Ecn } else { Signal::Loss };
            driven.controller.on_congestion(&Congestion::new(signal, used, now));
            let share = if matches!(driven.controller, Algorithm::Reno(_)) { 5 } else { 7 };
            let least = u64::from(driven.mss) * if ecn { 1 } else { 2 };
            let most = u64::from(used.max(driven.mss)) * share / 10;
            u64::from(driven.controller.window()) <= most.max(least)
        })
    }
}

#[cfg(feature = "bbr")]
fn bbr(mss: u32, initial: u32) -> Driven {
    Driven::new(Algorithm::Bbr(super::Bbr::default()), mss, initial)
}

#[cfg(feature = "bbr")]
quickcheck! {
    fn the_window_of_bbr_stays_within_its_limits(mss: u16, initial: u32, steps: Vec<Step>) -> bool {
        bbr(mss.into(), initial).all(&steps, |driven, _, _, _| {
            let (window, ssthresh) = (driven.controller.window(), driven.controller.ssthresh());
            (driven.mss..=MAX_CWND).contains(&window) && ssthresh == u32::MAX
        })
    }

    /// It goes by deliveries and losses: what counts octets, pauses and unused windows changes nothing.
    fn only_deliveries_and_losses_move_the_window_of_bbr(mss: u16, initial: u32, steps: Vec<Step>) -> bool {
        bbr(mss.into(), initial).all(&steps, |driven, call, window, _| {
            let after = driven.controller.window();
            match call {
                Call::Delivery { .. } => true,
                Call::Congestion { signal: Signal::Timeout | Signal::TimeoutAgain, .. } => true,
                Call::Spurious | Call::Recovered { .. } => after >= window,
                Call::Mss { .. } => after <= window.max(driven.mss),
                _ => after == window,
            }
        })
    }

    /// A loss that was none costs nothing of the window.
    fn an_undo_restores_the_window_of_bbr(mss: u16, initial: u32, steps: Vec<Step>, timeout: bool, flight: u32) -> bool {
        let mut driven = bbr(mss.into(), initial);
        steps.iter().for_each(|step| driven.apply(step));
        let window = driven.controller.window();
        let signal = if timeout { Signal::Timeout } else { Signal::Loss };
        driven.controller.on_congestion(&Congestion::new(signal, flight, driven.now));
        driven.controller.on_spurious(driven.now);
        driven.controller.window() >= window
    }
}

#[cfg(feature = "prague")]
fn prague(mss: u32, initial: u32) -> Driven {
    Driven::new(Algorithm::Prague(super::Prague::default()), mss, initial)
}

#[cfg(feature = "prague")]
quickcheck! {
    fn the_window_of_prague_stays_within_its_limits(mss: u16, initial: u32, steps: Vec<Step>) -> bool {
        prague(mss.into(), initial).all(&steps, |driven, _, _, _| {
            let (window, ssthresh) = (driven.controller.window(), driven.controller.ssthresh());
            let (rate, quantum) = (driven.controller.pacing_rate(), driven.controller.send_quantum());
            (driven.mss..=MAX_CWND).contains(&window)
                && ssthresh >= 2 * driven.mss
                && rate.is_none_or(|rate| rate > 0)
                && quantum.is_some_and(|quantum| quantum >= driven.mss)
        })
    }

    /// Deliveries alone make it grow, and marks and losses alone make it shrink, but for pauses and limits.
    fn only_deliveries_grow_the_window_of_prague(mss: u16, initial: u32, steps: Vec<Step>) -> bool {
        prague(mss.into(), initial).all(&steps, |driven, call, window, _| {
            let after = driven.controller.window();
            match call {
                Call::Delivery { marked: None | Some(0), .. } => after >= window,
                Call::Delivery { .. } => true,
                Call::Spurious => after >= window,
                Call::Ack { .. } | Call::Sent { .. } | Call::Recovered { .. } | Call::Pacing { .. } => after == window,
                _ => after <= window.max(2 * driven.mss),
            }
        })
    }

    /// A loss that was none changes nothing of both.
    fn an_undo_of_prague_restores_exactly(mss: u16, initial: u32, steps: Vec<Step>, timeout: bool, flight: u32) -> bool {
        let mut driven = prague(mss.into(), initial);
        steps.iter().for_each(|step| driven.apply(step));
        let (window, ssthresh) = (driven.controller.window(), driven.controller.ssthresh());
        let signal = if timeout { Signal::Timeout } else { Signal::Loss };
        driven.controller.on_congestion(&Congestion::new(signal, flight, driven.now));
        let reduced = driven.controller.window() < window;
        driven.controller.on_spurious(driven.now);
        !reduced || (driven.controller.window(), driven.controller.ssthresh()) == (window, ssthresh)
    }

    /// RFC 7661 §4.4.1, as with the others: half of what was used.
    fn a_signal_to_prague_counts_what_was_used(
        mss: u16, initial: u32, steps: Vec<Step>, used: u32, ecn: bool
    ) -> bool {
        let mut driven = prague(mss.into(), initial);
        steps.iter().for_each(|step| driven.apply(step));
        let (now, used) = (driven.now, used % MAX_CWND);
        driven.controller.limit(used, now);
        let signal = if ecn { Signal::Ecn } else { Signal::Loss };
        driven.controller.on_congestion(&Congestion::new(signal, used, now));
        driven.controller.window() <= (used.max(driven.mss) / 2).max(2 * driven.mss)
    }
}
