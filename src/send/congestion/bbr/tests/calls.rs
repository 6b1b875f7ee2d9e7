//! Whatever the machine may tell, in any order and with any numbers; the same again; and what `rebase` keeps.

use super::*;
use crate::send::congestion::bbr::Bbr;
use crate::send::congestion::{Acked, Congestion, Controller, Delivery, MAX_CWND, RateSample, Signal};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;
use quickcheck::{Arbitrary, Gen, quickcheck};

#[derive(Clone, Debug)]
enum Call {
    Delivery(Delivery),
    Lost(Lost),
    Congestion(Signal, u32, u32),
    Spurious,
    Restart,
    Mss(u32),
    Others(u32),
}

/// After this number of microseconds.
#[derive(Clone, Debug)]
struct Step(u64, Call);

/// Often a number as they are, sometimes any, sometimes the first or the last.
fn number(g: &mut Gen, usual: u64) -> u64 {
    match u8::arbitrary(g) % 8 {
        0 => u64::arbitrary(g),
        1 => *g.choose(&[0, 1, u64::MAX, u64::MAX - 1, u32::MAX.into(), 1 << 30]).unwrap(),
        _ => u64::arbitrary(g) % usual,
    }
}

fn octets(g: &mut Gen) -> u32 {
    number(g, 200_000) as u32
}

fn any_delivery(g: &mut Gen) -> Delivery {
    let rate = RateSample {
        prior_delivered: number(g, 10_000_000),
        application_limited: u8::arbitrary(g) % 4 == 0,
        tx_in_flight: octets(g),
        lost: if bool::arbitrary(g) { 0 } else { octets(g) },
        ..RateSample::new(number(g, 200_000), Duration::from_micros(number(g, 300_000)))
    };
    Delivery {
        octets: octets(g),
        lost: if bool::arbitrary(g) { 0 } else { octets(g) },
        inflight: octets(g),
        delivered: number(g, 10_000_000),
        rate: Some(rate).filter(|_| u8::arbitrary(g) % 8 > 0),
        rtt: Some(Duration::from_micros(number(g, 300_000))).filter(|_| u8::arbitrary(g) % 8 > 0),
        min_rtt: Some(Duration::from_micros(number(g, 100_000))).filter(|_| bool::arbitrary(g)),
        recovering: bool::arbitrary(g),
        window_limited: bool::arbitrary(g),
        sack: u8::arbitrary(g) % 4 > 0,
        ..Delivery::new(now())
    }
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        let call = match u8::arbitrary(g) % 16 {
            0..=7 => Call::Delivery(any_delivery(g)),
            8..=10 => Call::Lost(Lost {
                lost: octets(g),
                delivered: number(g, 10_000_000),
                application_limited: bool::arbitrary(g),
                adjoins: bool::arbitrary(g),
                sack: u8::arbitrary(g) % 4 > 0,
                ..Lost::new(octets(g), octets(g), now())
            }),
            11 | 12 => {
                let signals = [Signal::Loss, Signal::Ecn, Signal::Timeout, Signal::TimeoutAgain];
                Call::Congestion(*g.choose(&signals).unwrap(), octets(g), octets(g))
            }
            13 => Call::Spurious,
            14 => Call::Restart,
            _ if bool::arbitrary(g) => Call::Mss(octets(g)),
            _ => Call::Others(octets(g)),
        };
        let usual = *g.choose(&[1, 1000, 200_000, 10_000_000]).unwrap();
        let after = number(g, usual);
        Self(after, call)
    }
}

struct Driven {
    bbr: Bbr,
    mss: u32,
    now: Instant,
}

impl Driven {
    fn new(seed: u64, (mss, initial): (u32, u32), now: Instant) -> Self {
        let mut bbr = Bbr::default();
        bbr.seed(seed);
        bbr.start(mss, initial, now);
        Self { bbr, mss: mss.clamp(1, 65_535), now }
    }

    /// `base` is what was delivered before the flow began.
    fn apply(&mut self, Step(after, call): &Step, base: u64) {
        self.now += Duration::from_micros(*after);
        let (now, bbr) = (self.now, &mut self.bbr);
        let based = |count: u64| count.saturating_add(base);
        match *call {
            Call::Delivery(delivery) => {
                let rate =
                    delivery.rate.map(|rate| RateSample { prior_delivered: based(rate.prior_delivered), ..rate });
                bbr.on_delivery(&Delivery { now, rate, delivered: based(delivery.delivered), ..delivery });
            }
            Call::Lost(lost) => bbr.on_lost(&Lost { now, delivered: based(lost.delivered), ..lost }),
            Call::Congestion(signal, flight, inflight) => {
                bbr.on_congestion(&Congestion { signal, flight, inflight, now });
            }
            Call::Spurious => bbr.on_spurious(now),
            Call::Restart => bbr.on_restart(now),
            Call::Mss(mss) => {
                self.mss = mss.clamp(1, 65_535);
                bbr.set_mss(mss);
            }
            Call::Others(octets) => {
                bbr.on_ack(&Acked::new(octets, octets, now));
                bbr.on_sent(octets, octets, now);
                bbr.on_recovered(octets, now);
                bbr.on_idle(octets, now);
                bbr.on_unused(octets, now);
                bbr.limit(octets, now);
                bbr.set_pacing(octets % 2 == 0);
                bbr.on_settled();
            }
        }
    }

    fn is_sane(&self) -> bool {
        let bbr = &self.bbr;
        let info = bbr.info();
        (self.mss..=MAX_CWND).contains(&bbr.window())
            && bbr.pacing_rate().is_some_and(|rate| rate >= 1)
            && bbr.send_quantum().is_some_and(|quantum| quantum >= 2 * self.mss)
            && bbr.ssthresh() == u32::MAX
            && info.bw <= info.max_bw
            && info.max_bw <= 1 << 40
    }
}

fn rebased(driven: &Driven) -> Bbr {
    let mut bbr = driven.bbr.clone();
    bbr.rebase(driven.now);
    bbr
}

quickcheck! {
    fn no_number_is_too_large_or_too_small(seed: u64, mss: u32, initial: u32, steps: Vec<Step>) -> bool {
        let mut driven = Driven::new(seed, (mss, initial), now());
        driven.is_sane() && steps.iter().all(|step| {
            driven.apply(step, 0);
            driven.is_sane()
        })
    }

    fn one_seed_gives_one_run(seed: u64, mss: u16, steps: Vec<Step>) -> bool {
        let [mut one, mut other] = [(); 2].map(|()| Driven::new(seed, (mss.into(), 14_600), now()));
        steps.iter().all(|step| {
            one.apply(step, 0);
            other.apply(step, 0);
            one.bbr == other.bbr
        })
    }

    /// The same flow a year later, after a terabyte: relative to now it is the same, and it does the same. Numbers that
    /// no clock and no count reaches are left out.
    fn two_flows_with_one_history_are_equal_after_rebase(seed: u64, steps: Vec<Step>) -> bool {
        let small = |n: u64| n < 1 << 40;
        let usual = |Step(after, call): &Step| small(*after) && match call {
            Call::Delivery(delivery) => {
                small(delivery.delivered) && delivery.rate.is_none_or(|rate| small(rate.prior_delivered))
            }
            Call::Lost(lost) => small(lost.delivered),
            _ => true,
        };
        let steps: Vec<_> = steps.into_iter().filter(usual).collect();
        let (year, bases) = (Duration::from_secs(31_536_000), [1 << 20, 1 << 40]);
        let [mut one, mut other] = [(now(), bases[0], 0), (now() + year, bases[1], 1000)].map(|(now, base, rounds)| {
            let mut driven = Driven::new(seed, (1460, 14_600), now);
            let model = &mut *driven.bbr.0;
            (model.delivered, model.next_round_delivered, model.loss_round_delivered) = (base, base, base);
            (model.cwnd_limited_until, model.round_count, model.drain_start_round) = (base, rounds, rounds);
            model.extra_acked_filter.update(0, rounds, 0);
            driven
        });
        rebased(&one) == rebased(&other) && steps.iter().all(|step| {
            one.apply(step, bases[0]);
            other.apply(step, bases[1]);
            let same = |of: &Bbr| (of.window(), of.pacing_rate(), of.send_quantum(), of.marks_application_limited());
            rebased(&one) == rebased(&other) && same(&one.bbr) == same(&other.bbr)
        })
    }
}

/// Until the initial window is delivered, the window grows faster.
#[test]
fn rebase_keeps_whether_the_initial_window_is_delivered() {
    let rebased = |delivered| {
        let mut bbr = Bbr(Box::new(Model { delivered, ..in_state(BbrState::Startup) }));
        bbr.rebase(now());
        bbr.0.delivered
    };
    assert_eq!((rebased(9999), rebased(10_000), rebased(1_000_000)), (9999, 10_000, 10_000));
}

#[test]
fn other_seeds_are_other_flows() {
    let flows = [1, 2].map(|seed| Driven::new(seed, (1460, 14_600), now()).bbr);
    assert_ne!(flows[0], flows[1]);
    assert_eq!(flows[0].info(), flows[1].info(), "so far");
}

/// Only the text in ProbeRTT is sent more slowly than the path takes it by choice of the flow itself.
#[test]
fn samples_of_probe_rtt_are_limited_by_the_application() {
    for state in STATES {
        let bbr = Bbr(Box::new(in_state(state)));
        assert_eq!(bbr.marks_application_limited(), state == BbrState::ProbeRtt, "{state:?}");
    }
    let bbr = Bbr::default();
    assert!(bbr.works_by_rates() && bbr.requires_pacing() && !bbr.reduces_proportionally());
}

/// The first round trip sets the pacing rate, if no rate is known; no later one does.
#[test]
fn the_first_round_trip_sets_the_pacing_rate_once() {
    let delivery = |rtt| Delivery { octets: 1, rtt: Some(Duration::from_millis(rtt)), ..Delivery::new(now()) };
    let mut driven = Driven::new(1, (1000, 10_000), now());
    assert_eq!(driven.bbr.pacing_rate(), Some(27_700_000));
    driven.bbr.on_delivery(&Delivery { rtt: None, ..delivery(0) });
    assert_eq!(driven.bbr.pacing_rate(), Some(27_700_000));
    driven.bbr.on_delivery(&delivery(100));
    assert_eq!(driven.bbr.pacing_rate(), Some(277_000));
    driven.bbr.on_delivery(&delivery(10));
    assert_eq!(driven.bbr.pacing_rate(), Some(277_000));
}

/// C.is_cwnd_limited: for a round after the window was full.
#[test]
fn the_window_limits_for_a_round_after_it_was_full() {
    let mut bbr = Bbr(Box::new(in_state(BbrState::ProbeBwCruise)));
    let tell = |bbr: &mut Bbr, delivered, window_limited| {
        bbr.on_delivery(&Delivery { octets: 1, inflight: 5000, delivered, window_limited, ..Delivery::new(now()) });
        bbr.0.is_cwnd_limited()
    };
    assert!(!tell(&mut bbr, 2_000_000, false) && tell(&mut bbr, 2_001_000, true));
    assert!(tell(&mut bbr, 2_006_000, false) && !tell(&mut bbr, 2_006_001, false));
}

/// A segment size of any kind at once, not from the next acknowledgment on.
#[test]
fn a_larger_segment_size_counts_at_once() {
    let mut bbr = Bbr(Box::new(Model { pacing_rate: 1, ..in_state(BbrState::ProbeBwCruise) }));
    bbr.set_mss(9000);
    assert_eq!((bbr.send_quantum(), bbr.window()), (Some(18_000), 2 * BDP));
    bbr.0.cwnd = 10;
    assert_eq!(bbr.window(), 9000);
}

#[test]
fn a_mark_lowers_the_short_term_bounds() {
    let mut bbr = Bbr(Box::new(in_state(BbrState::ProbeBwCruise)));
    let (cwnd, bw) = (bbr.0.cwnd, bbr.0.max_bw());
    for times in 1..=3 {
        bbr.on_congestion(&Congestion::new(Signal::Ecn, 150_000, now()));
        let kept = |of: u64| (0..times).fold(of, |of, _| of / 10 * 7);
        assert_eq!((bbr.0.bw, u64::from(bbr.0.inflight_shortterm)), (kept(bw), kept(cwnd.into())));
    }
    assert!(!bbr.0.in_recovery);
}

/// RFC 3168 §6.1.2: what tells of a mark adds nothing to the window.
#[test]
fn the_window_does_not_grow_with_a_mark() {
    for is_marked in [false, true] {
        let mut model = Model { cwnd: BDP, ..in_state(BbrState::ProbeBwCruise) };
        model.update_on_ack(&Sample { is_marked, ..sample() });
        assert_eq!(model.cwnd > BDP, !is_marked);
    }
}

/// A loss that the reduction for a mark covers begins recovery untold.
#[test]
fn recovery_that_begins_untold_is_recovery() {
    let mut bbr = Bbr(Box::new(in_state(BbrState::ProbeBwCruise)));
    let mut delivery = Delivery::new(now());
    (delivery.recovering, delivery.lost) = (true, MSS);
    bbr.on_delivery(&delivery);
    assert_eq!((bbr.0.in_recovery, bbr.0.fast, bbr.0.prior_cwnd), (true, true, bbr.0.cwnd));
}
