//! Alpha, the window and the pace, fact by fact.

use super::*;
use crate::congestion::RateSample;
use crate::time::Micros;
use alloc::vec::Vec;
use core::time::Duration;

const MSS: u32 = 1000;
const REFERENCE: u64 = 25_000;

/// A flow whose window is full, over a path with this round trip; `now` and `delivered` go on.
#[derive(Clone, PartialEq, Debug)]
struct Driven {
    prague: Prague,
    rtt: u64,
    least: u64,
    now: Instant,
    delivered: u64,
}

impl Driven {
    fn new(segments: u32, rtt: u64) -> Self {
        Self::at(segments, rtt, Instant::ZERO)
    }

    fn at(segments: u32, rtt: u64, now: Instant) -> Self {
        let mut prague = Prague::default();
        prague.start(MSS, segments * MSS, now);
        Self { prague, rtt, least: rtt, now, delivered: 0 }
    }

    /// Past slow start and its measures: alpha is the least that it begins with, 1/16.
    fn steady(segments: u32, rtt: u64) -> Self {
        let mut driven = Self::new(segments, rtt);
        driven.pass(1);
        let flow = &mut *driven.prague.0;
        (flow.cwnd, flow.ssthresh) = (u64::from(segments * MSS) << 24, segments * MSS);
        (flow.alpha, flow.stage) = (alpha::Alpha::START, flow::Stage::Steady);
        flow.alpha.update(1, 0);
        assert_eq!(driven.prague.info().alpha, 1 << 20);
        driven
    }

    fn delivery(&self, octets: u32, marked: u32) -> Delivery {
        let rate = RateSample::new((20 * MSS).into(), Duration::from_micros(self.rtt));
        Delivery {
            octets,
            delivered: self.delivered,
            ce_octets: marked,
            ce_packets: marked.div_ceil(MSS),
            ecn_echo: marked > 0,
            l4s: true,
            rtt: Some(Duration::from_micros(self.rtt)),
            min_rtt: Some(Duration::from_micros(self.least)),
            rate: Some(rate),
            inflight: self.prague.window().saturating_sub(octets),
            window_limited: true,
            ..Delivery::new(self.now)
        }
    }

    /// An acknowledgment of as many segments, and of these so many marked, at once.
    fn ack(&mut self, segments: u32, marked: u32) {
        self.delivered += u64::from(segments * MSS);
        let delivery = self.delivery(segments * MSS, marked * MSS);
        self.prague.on_delivery(&delivery);
    }

    /// A window is acknowledged in a round trip, and every `every`th segment is marked; 0: none.
    fn round(&mut self, every: u32) {
        let segments = self.prague.window().div_ceil(MSS).max(1);
        for n in 1..=segments {
            self.now += Micros::new(self.rtt / u64::from(segments));
            self.ack(1, u32::from(every > 0 && n % every == 0));
        }
    }

    /// Rounds without marks.
    fn pass(&mut self, rounds: u32) {
        (0..rounds).for_each(|_| self.round(0));
    }

    fn signal(&mut self, signal: Signal, flight: u32) {
        self.prague.on_congestion(&Congestion::new(signal, flight, self.now));
    }

    fn cwnd(&self) -> u32 {
        self.prague.info().cwnd
    }
}

/// DCTCP.Alpha in floating point: M of whole rounds, g = 1/16 (RFC 8257 §3.3). The first round gives the value.
#[test]
fn alpha_follows_the_equations() {
    let (mut alpha, mut model) = (alpha::Alpha::START, None::<f64>);
    let mut seed = 7u64;
    for _ in 0..5000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let acked = (seed >> 33) % 300_000 + 1;
        let marked = if seed % 3 == 0 { 0 } else { acked * (seed >> 20 & 0xFF) / 255 };
        alpha.update(acked, marked);
        let fraction = marked as f64 / acked as f64;
        let next = model.map_or(fraction.max(0.0625), |alpha| alpha + (fraction - alpha) / 16.0);
        model = Some(next);
        let got = f64::from(alpha.value()) / f64::from(alpha::ONE);
        assert!((got - next).abs() < 0.000_004, "{got} {next}"); // a unit for each of two shifts, 16 times
        assert!(alpha.value() <= alpha::ONE);
    }
    let value = alpha.value();
    alpha.update(0, 0);
    assert_eq!(alpha.value(), value, "nothing was acknowledged");
}

#[test]
fn alpha_reaches_both_ends() {
    let mut alpha = alpha::Alpha::START;
    (0..400).for_each(|_| alpha.update(1000, 1000));
    assert_eq!(alpha.value(), alpha::ONE);
    (0..400).for_each(|_| alpha.update(1000, 0));
    assert!(alpha.value() < 16);
}

/// The first mark ends slow start and halves; what was in flight then comes at the rate of the path, and the window becomes
/// what the path holds at this rate.
#[test]
fn the_first_mark_ends_slow_start_and_the_window_is_what_the_path_took() {
    let mut driven = Driven::new(10, 30_000);
    driven.round(0);
    assert_eq!((driven.cwnd(), driven.prague.ssthresh()), (20 * MSS, u32::MAX));
    driven.ack(1, 1);
    assert_eq!((driven.cwnd(), driven.prague.ssthresh()), (10 * MSS, 10 * MSS));
    // 19 segments more, in 40 ms each window of 20: the path holds 15 of these in the 30 ms without a queue
    driven.rtt = 40_000;
    for _ in 0..19 {
        driven.now += Micros::new(40_000 / 19);
        driven.ack(1, 1);
    }
    assert!((13 * MSS..=15 * MSS).contains(&driven.cwnd()), "{}", driven.cwnd());
    assert!(driven.prague.ssthresh() <= driven.cwnd(), "slow start is over");
    let window = driven.cwnd();
    (0..10).for_each(|_| driven.ack(1, 1));
    assert_eq!(driven.cwnd(), window, "the marks of this round are measured");
}

/// By alpha / 2, once in a virtual round trip, whatever the number of marks (RFC 8257 §3.3).
#[test]
fn marks_reduce_the_window_in_proportion_and_once_in_a_round() {
    for (every, share) in [(1, 1.0), (2, 0.5), (4, 0.25), (10, 0.1)] {
        let mut driven = Driven::steady(200, 25_000);
        for _ in 0..120 {
            driven.prague.0.cwnd = u64::from(200 * MSS) << 24;
            driven.round(every);
        }
        let alpha = f64::from(driven.prague.info().alpha) / f64::from(alpha::ONE);
        assert!((alpha - share).abs() < 0.03, "{every}: {alpha}");
        driven.pass(2); // the last reduction is past, and no other one
        driven.prague.0.cwnd = u64::from(200 * MSS) << 24;
        let alpha = f64::from(driven.prague.info().alpha) / f64::from(alpha::ONE);
        driven.ack(1, 1);
        let after = f64::from(driven.cwnd());
        assert!((after - 200_000.0 * (1.0 - alpha / 2.0)).abs() < 2.0 * f64::from(MSS), "{every}: {alpha} {after}");
        let before = driven.cwnd();
        driven.ack(50, 50);
        assert_eq!(driven.cwnd(), before);
    }
}

/// In steady state a window sees two marks, whatever its size (RFC 9331 §4.3): where each `every`th segment is marked, the
/// window becomes twice as many segments.
#[test]
fn rfc_9331_4_3_marks_in_a_round_trip_do_not_depend_on_the_rate() {
    for every in [10, 50, 200] {
        let (mut driven, mut marks, mut sum, mut count) = (Driven::steady(every, 30_000), 0, 0u64, 0);
        for round in 0..12_000u64 {
            let segments = driven.prague.window().div_ceil(MSS);
            for _ in 0..segments {
                driven.now += Micros::new(driven.rtt / u64::from(segments));
                marks += 1;
                let marked = marks % every == 0;
                driven.ack(1, u32::from(marked));
            }
            if round >= 6000 {
                (sum, count) = (sum + u64::from(segments), count + 1);
            }
        }
        let marks_in_a_round = sum as f64 / f64::from(count) / f64::from(every);
        assert!((1.5..=2.5).contains(&marks_in_a_round), "{every}: {marks_in_a_round}");
    }
}

/// Rounds whose marks chance spaces out, one in 50 segments, with so much in the queue: the marks in a round trip on average.
fn marks_by_chance(queue: u64, rounds: u32) -> f64 {
    let mut driven = Driven::steady(100, 25_000 + queue);
    driven.least = 25_000;
    let (mut seed, mut sum) = (11u64, 0);
    for round in 0..rounds {
        let segments = driven.prague.window().div_ceil(MSS);
        for _ in 0..segments {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            driven.now += Micros::new(driven.rtt / u64::from(segments));
            driven.ack(1, u32::from((seed >> 33) % 50 == 0));
        }
        if round >= rounds / 4 {
            sum += u64::from(segments);
        }
    }
    sum as f64 / f64::from(rounds - rounds / 4) / 50.0
}

/// RFC 9332 App. C.2, equation 6: r = 2 / (R p) under the marks of a coupled queue, which come by chance. Where the flow's own queue
/// stands, rounds without marks tell of room, as RFC 8257 has it.
#[test]
fn two_marks_come_in_a_round_trip_under_the_coupling() {
    let coupled = marks_by_chance(0, 20_000);
    assert!((1.95..=2.05).contains(&coupled), "{coupled}");
    let own = marks_by_chance(600, 20_000);
    assert!((2.15..=2.5).contains(&own), "{own}");
}

/// The mark after rounds that ought to have had one: half of alpha for each of these, and for the round itself.
#[test]
fn a_mark_stands_for_rounds_that_are_without_by_chance() {
    // alpha is 1/16, less after each round without a mark; 100 segments: six marks are expected in a round
    let cut = |pass: u32, change: &dyn Fn(&mut Driven)| {
        let mut driven = Driven::steady(100, 25_000);
        driven.round(16);
        driven.pass(pass);
        change(&mut driven);
        driven.prague.0.cwnd = u64::from(1000 * MSS) << 24;
        let alpha = f64::from(driven.prague.info().alpha) / f64::from(alpha::ONE);
        driven.ack(1, 1);
        (1.0 - f64::from(driven.cwnd()) / f64::from(1000 * MSS)) / alpha * 2.0
    };
    let about = |got: f64, expected: f64| assert!((got - expected).abs() < 0.1, "{got} {expected}");
    let mut cuts: Vec<f64> = (1..10).map(|pass| cut(pass, &|_| ()).round()).collect();
    about(cut(9, &|_| ()), 4.0);
    cuts.dedup();
    assert_eq!(cuts, [1.0, 2.0, 3.0, 4.0]);
    about(cut(9, &|driven| driven.signal(Signal::Ecn, 100 * MSS)), 1.0);
    about(
        cut(9, &|driven| {
            driven.rtt = 30_000; // a queue
            driven.pass(2);
        }),
        1.0,
    );
    about(
        cut(9, &|driven| {
            driven.signal(Signal::Loss, 100 * MSS);
            driven.prague.on_spurious(driven.now);
        }),
        1.0,
    );
    // hardly a mark is expected: none is missing
    let mut few = Driven::steady(12, 25_000);
    few.pass(3);
    few.prague.0.cwnd = u64::from(12 * MSS) << 24;
    let alpha = f64::from(few.prague.info().alpha) / f64::from(alpha::ONE);
    few.ack(1, 1);
    about((1.0 - f64::from(few.cwnd()) / f64::from(12 * MSS)) / alpha * 2.0, 1.0);
}

/// RFC 9331 §4.3 item 4: below the reference the rate grows by a segment per reference round trip in each of these, as at the
/// reference itself; above, by a segment in each round trip.
#[test]
fn rfc_9331_4_3_the_growth_of_the_rate_does_not_depend_on_short_round_trips() {
    for rtt in [1_000u64, 5_000, 12_500, 25_000, 100_000] {
        let mut driven = Driven::steady(100, rtt);
        let rounds = 200_000 / rtt;
        let before = driven.prague.0.cwnd;
        driven.pass(u32::try_from(rounds).unwrap());
        let grown = (driven.prague.0.cwnd - before) as f64 / f64::from(1 << 24);
        let part = (rtt.min(REFERENCE) as f64 / REFERENCE as f64).powi(2);
        let expected = rounds as f64 * f64::from(MSS) * part;
        assert!((grown / expected - 1.0).abs() < 0.03, "{rtt}: {grown} {expected}");
    }
}

#[test]
fn only_unmarked_octets_of_a_full_window_grow_it() {
    let mut driven = Driven::steady(20, 25_000);
    driven.prague.0.cwnd = u64::from(20 * MSS) << 24;
    driven.delivered += u64::from(2 * MSS);
    let delivery = driven.delivery(2 * MSS, MSS);
    let grows = |delivery: &Delivery| {
        let mut driven = driven.clone();
        driven.prague.0.limited_until = 0;
        driven.prague.on_delivery(delivery);
        driven.prague.info().cwnd
    };
    let cut = 20 * MSS - 20 * MSS / 32; // by alpha / 2 = 1 / 32
    assert!((cut..=cut + 51).contains(&grows(&delivery)), "{}", grows(&delivery)); // 1000 / 20 for one of both, then the cut
    assert_eq!(grows(&Delivery { ce_octets: 0, ..delivery }), 20 * MSS + 100);
    assert_eq!(grows(&Delivery { ce_octets: 0, window_limited: false, ..delivery }), 20 * MSS);
    assert_eq!(grows(&Delivery { ce_octets: 0, recovering: true, ..delivery }), 20 * MSS);
}

/// RFC 9331 §4.3 item 2: a loss halves, as it does with Reno; and the reduction for marks of the same round does not count twice.
#[test]
fn rfc_9331_4_3_a_loss_halves_and_a_mark_before_it_does_not_cut_twice() {
    let mut plain = Driven::steady(100, 25_000);
    plain.signal(Signal::Loss, 100 * MSS);
    assert_eq!((plain.cwnd(), plain.prague.ssthresh()), (50 * MSS, 50 * MSS));
    let mut marked = Driven::steady(100, 25_000);
    marked.ack(1, 1);
    let flight = marked.cwnd();
    assert!((96 * MSS..98 * MSS).contains(&flight));
    marked.signal(Signal::Loss, flight);
    assert!((50 * MSS - 10..=50 * MSS + 10).contains(&marked.cwnd()), "{}", marked.cwnd());
    marked.ack(1, 1);
    assert!((50 * MSS - 10..=50 * MSS + 10).contains(&marked.cwnd()), "nor does a mark after it");
    let mut later = Driven::steady(100, 25_000);
    later.ack(1, 1);
    later.pass(3);
    let flight = later.cwnd();
    later.signal(Signal::Loss, flight);
    assert_eq!(later.cwnd(), flight / 2, "the mark is past");
}

#[test]
fn a_timeout_leaves_one_segment_and_half_as_the_threshold() {
    let mut driven = Driven::steady(100, 25_000);
    driven.signal(Signal::Timeout, 80 * MSS);
    assert_eq!((driven.prague.window(), driven.prague.ssthresh()), (MSS, 40 * MSS));
    driven.signal(Signal::TimeoutAgain, MSS);
    assert_eq!((driven.prague.window(), driven.prague.ssthresh()), (MSS, 40 * MSS));
    driven.ack(1, 0);
    assert_eq!(driven.prague.window(), 2 * MSS, "slow start");
}

#[test]
fn a_spurious_loss_is_undone_but_for_marks_since() {
    for signal in [Signal::Loss, Signal::Timeout] {
        let mut driven = Driven::steady(100, 25_000);
        let before = (driven.cwnd(), driven.prague.ssthresh());
        driven.signal(signal, 100 * MSS);
        driven.prague.on_spurious(driven.now);
        assert_eq!((driven.cwnd(), driven.prague.ssthresh()), before);
        driven.prague.on_spurious(driven.now);
        assert_eq!((driven.cwnd(), driven.prague.ssthresh()), before, "once");
    }
    let mut driven = Driven::steady(100, 25_000);
    driven.signal(Signal::Loss, 100 * MSS);
    driven.pass(3);
    driven.ack(1, 1);
    driven.prague.on_spurious(driven.now);
    let expected = 100 * MSS - 100 * MSS / 32;
    assert!(driven.cwnd() <= expected + MSS && driven.cwnd() + 2 * MSS > expected, "{}", driven.cwnd());
    let mut settled = Driven::steady(100, 25_000);
    settled.signal(Signal::Loss, 100 * MSS);
    settled.prague.on_settled();
    settled.prague.on_spurious(settled.now);
    assert_eq!(settled.cwnd(), 50 * MSS);
}

/// Where feedback is classic or none (RFC 9331 §4.2): NewReno's answer, whatever the counters say.
#[test]
fn without_accurate_feedback_a_mark_halves() {
    let mut driven = Driven::steady(100, 25_000);
    driven.delivered += u64::from(MSS);
    driven.prague.on_delivery(&Delivery { l4s: false, ..driven.delivery(MSS, MSS) });
    assert!(driven.cwnd() >= 100 * MSS, "the signal tells of it");
    driven.signal(Signal::Ecn, 100 * MSS);
    assert_eq!((driven.cwnd(), driven.prague.ssthresh()), (50 * MSS, 50 * MSS));
    driven.signal(Signal::Ecn, MSS);
    assert_eq!((driven.prague.window(), driven.prague.ssthresh()), (MSS, 2 * MSS)); // RFC 3168 §6.1.2
}

/// RFC 9331 §4.3 item 5: below a segment the rate goes on falling, and the window lets two segments out.
#[test]
fn rfc_9331_4_3_marks_go_on_slowing_the_flow_below_a_segment() {
    let mut driven = Driven::steady(4, 5_000);
    let mut rates = Vec::new();
    for _ in 0..2000 {
        driven.now += Micros::new(25_000);
        driven.ack(1, 1);
        rates.push(driven.prague.pacing_rate().unwrap());
    }
    assert!(driven.cwnd() < MSS / 4 && driven.prague.window() == 2 * MSS, "{}", driven.cwnd());
    assert!(rates.windows(2).all(|pair| pair[1] <= pair[0]) && *rates.last().unwrap() >= 12_500);
    let least = driven.cwnd();
    (0..100).for_each(|_| driven.ack(1, 0));
    assert!(driven.cwnd() > 2 * least, "and it grows again");
}

/// RFC 9331 §4.3 item 7.
#[test]
fn rfc_9331_4_3_bursts_take_250_us_or_one_segment() {
    let mut quanta = Vec::new();
    for segments in [2, 50, 500, 5000, 500_000] {
        let driven = Driven::steady(segments, 20_000);
        let (rate, quantum) = (driven.prague.pacing_rate().unwrap(), driven.prague.send_quantum().unwrap());
        assert!(u64::from(quantum) * 1_000_000 <= (rate * 250).max(u64::from(MSS) * 1_000_000), "{rate} {quantum}");
        quanta.push(quantum);
    }
    assert!(quanta[0] == MSS && quanta[3] > 60 * MSS && quanta[4] == 64 * 1024, "{quanta:?}");
}

#[test]
fn it_paces_somewhat_faster_than_the_window_and_twice_as_fast_in_slow_start() {
    let mut driven = Driven::new(10, 20_000);
    assert_eq!(driven.prague.pacing_rate(), None, "no round trip is known");
    driven.ack(0, 0);
    assert_eq!(driven.prague.pacing_rate(), Some(1_000_000));
    assert_eq!(Driven::steady(100, 20_000).prague.pacing_rate(), Some(5_250_000));
}

/// RFC 9331 §4.3 item 3: rounds with marks and a queue of more than 3 ms and two segments; then a mark halves, once in a round trip;
/// rounds with marks and a shallow queue end it.
#[test]
fn rfc_9331_4_3_under_a_deep_queue_marks_halve_while_it_lasts() {
    let deep = |driven: &mut Driven, queue: u64| {
        driven.prague.0.cwnd = u64::from(100 * MSS) << 24;
        driven.rtt = 25_000 + queue;
        driven.round(20);
        driven.prague.info().classic_queue
    };
    let mut driven = Driven::steady(100, 25_000);
    assert!((0..50).all(|_| !deep(&mut driven, 3_000)), "an L4S queue may hold as much");
    let rounds = (0..50).find(|_| deep(&mut driven, 9_000)).unwrap();
    assert!((3..=6).contains(&rounds), "{rounds}");
    driven.pass(2);
    driven.prague.0.cwnd = u64::from(100 * MSS) << 24;
    driven.ack(1, 1);
    assert!((50 * MSS..=50 * MSS + 20).contains(&driven.cwnd()), "{}", driven.cwnd());
    driven.ack(40, 40);
    assert!(driven.cwnd() >= 50 * MSS, "once in a round trip");
    let rounds = (0..50).find(|_| !deep(&mut driven, 500)).unwrap();
    assert!((3..=12).contains(&rounds), "{rounds}");
}

#[test]
fn pauses_and_limits_bound_the_window_as_they_do_with_reno() {
    let mut driven = Driven::steady(100, 25_000);
    driven.prague.on_unused(10 * MSS, driven.now);
    assert_eq!((driven.prague.window(), driven.prague.ssthresh()), (50 * MSS, 100 * MSS));
    driven.prague.limit(30 * MSS, driven.now);
    assert_eq!((driven.prague.window(), driven.prague.ssthresh()), (30 * MSS, 30 * MSS));
    driven.prague.on_idle(10 * MSS, driven.now);
    assert_eq!((driven.prague.window(), driven.prague.ssthresh()), (10 * MSS, 30 * MSS));
    driven.prague.limit(0, driven.now);
    assert_eq!((driven.prague.window(), driven.prague.ssthresh()), (MSS, 2 * MSS));
    driven.prague.set_mss(3000);
    assert_eq!((driven.prague.window(), driven.prague.ssthresh()), (3000, 6000));
}

/// Two flows that have seen the same, at other times and after other octets, are equal when rebased.
#[test]
fn rebased_flows_that_will_do_the_same_are_equal() {
    let run = |start: u64, before: u64| {
        let mut driven = Driven::at(20, 20_000, Instant::from_micros(start));
        driven.delivered = before;
        driven.pass(1);
        for round in 0..40 {
            driven.round(if round % 3 == 0 { 7 } else { 0 });
        }
        driven.signal(Signal::Loss, 20 * MSS);
        driven.prague.rebase(driven.now);
        driven.prague
    };
    let one = run(1_000_000, 0);
    assert_eq!(one, run(77_000_000, 0));
    assert_eq!(one, run(1_000_000, 5_000_000_000));
}

/// An outage, or the sleep of a host, within one round trip: SRTT follows the next one, and does not pace by the outage.
#[test]
fn srtt_is_twice_the_last_round_trip_at_the_most() {
    let mut driven = Driven::steady(100, 25_000);
    let srtt = |driven: &Driven| driven.prague.0.srtt();
    driven.rtt = 60_000_000;
    driven.ack(1, 0);
    assert!(srtt(&driven) > Some(Micros::from_secs(7)), "{:?}", srtt(&driven));
    driven.rtt = 30_000;
    driven.ack(1, 0);
    assert_eq!(srtt(&driven), Some(Micros::from_millis(60)));
}

/// What the connection measured before it took over.
#[test]
fn a_round_trip_that_is_known_is_the_first_srtt() {
    let mut prague = Prague::default();
    prague.start(MSS, 10 * MSS, Instant::ZERO);
    assert_eq!(prague.0.srtt(), None);
    prague.set_rtt(Duration::from_millis(50), Duration::from_millis(40));
    assert_eq!(prague.0.srtt(), Some(Micros::from_millis(50)));
}
