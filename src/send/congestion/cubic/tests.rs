//! CUBIC against the equations of RFC 9438, and HyStart++ on links with a known delay.

use super::*;
use alloc::collections::VecDeque;

const MSS: u32 = 1448;

fn at(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

fn loss(cubic: &Cubic) -> Congestion {
    Congestion::new(Signal::Loss, cubic.window(), at(0))
}

/// In congestion avoidance from time 0 on, after one loss at a window of `segments`. The first acknowledgment after it,
/// which is slow start's (§4.10), is of one octet.
fn after_loss(segments: u32) -> Cubic {
    let mut cubic = Cubic::default();
    cubic.start(MSS, segments * MSS, at(0));
    cubic.on_congestion(&loss(&cubic));
    cubic.on_ack(&Acked::new(1, cubic.window(), at(0)));
    cubic
}

fn acked(octets: u32, srtt: Micros, cubic: &Cubic, now: u64) -> Acked {
    Acked {
        rtt_us: Some(srtt.saturated()),
        srtt_us: Some(srtt.saturated()),
        ..Acked::new(octets, cubic.window(), at(now))
    }
}

/// Equations 1 to 4 in floating point, one acknowledgment at a time, in segments and seconds.
struct Reference {
    cwnd: f64,
    w_max: f64,
    cwnd_prior: f64,
    w_est: f64,
    k: f64,
    epoch: Option<f64>,
    /// Which regions it has been in: Reno-friendly, concave, convex.
    regions: [bool; 3],
}

impl Reference {
    fn new(cwnd: f64, w_max: f64, cwnd_prior: f64) -> Self {
        Self { cwnd, w_max, cwnd_prior, w_est: cwnd, k: 0.0, epoch: None, regions: [false; 3] }
    }

    fn on_ack(&mut self, segments: f64, srtt: f64, now: f64) {
        let epoch = *self.epoch.get_or_insert_with(|| {
            self.k = ((self.w_max - self.cwnd) / 0.4).cbrt();
            now
        });
        let w_cubic = |t: f64| 0.4 * (t - self.k).powi(3) + self.w_max;
        let t = now - epoch;
        let alpha = if self.w_est >= self.cwnd_prior { 1.0 } else { 3.0 * (1.0 - 0.7) / (1.0 + 0.7) };
        self.w_est += alpha * segments / self.cwnd;
        if w_cubic(t) < self.w_est {
            self.regions[0] = true;
            self.cwnd = self.cwnd.max(self.w_est);
        } else {
            self.regions[if self.cwnd < self.w_max { 1 } else { 2 }] = true;
            let target = w_cubic(t + srtt).clamp(self.cwnd, 1.5 * self.cwnd);
            self.cwnd += segments * (target - self.cwnd) / self.cwnd;
        }
    }
}

/// What a run of acknowledgments is like: a full window each round trip, in steps of some octets.
struct Run {
    segments: u32,
    rtt_ms: u64,
    seconds: u64,
    step: u32,
}

/// Runs CUBIC and the reference side by side; the largest difference in octets, and the reference.
fn compare(run: &Run) -> (f64, Reference) {
    let mut cubic = after_loss(run.segments);
    let (mss, segments) = (f64::from(MSS), f64::from(run.segments));
    let mut reference = Reference::new(f64::from(cubic.window()) / mss, segments, segments);
    let rtt = Micros::from_millis(run.rtt_ms);
    let (mut now, mut worst) = (0, 0.0f64);
    while now < run.seconds * 1_000_000 {
        now += run.rtt_ms * 1000 * u64::from(run.step) / u64::from(cubic.window());
        cubic.on_ack(&acked(run.step, rtt, &cubic, now));
        reference.on_ack(f64::from(run.step) / mss, rtt.get() as f64 / 1e6, now as f64 / 1e6);
        worst = worst.max((f64::from(cubic.window()) - reference.cwnd * mss).abs());
    }
    (worst, reference)
}

/// At every acknowledgment of many seconds the window is that of the equations, but for two octets.
#[test]
fn the_window_follows_the_equations_at_every_acknowledgment() {
    for (segments, rtt_ms, seconds, step) in [
        (1000, 100, 25, MSS),
        (1000, 100, 25, 2 * MSS),
        (500, 40, 20, 2 * MSS),
        (3000, 200, 40, 4 * MSS),
        (20_000, 100, 48, 44 * MSS),
        (100, 300, 30, 777),
    ] {
        let (worst, reference) = compare(&Run { segments, rtt_ms, seconds, step });
        assert!(worst <= 2.0, "{segments} segments, {rtt_ms} ms: {worst} octets off");
        assert_eq!(reference.regions[1..], [true; 2], "{segments} segments, {rtt_ms} ms");
        assert!(reference.cwnd > 1.2 * f64::from(segments), "{} segments", reference.cwnd);
    }
}

/// Where Reno would grow faster the window is W_est: alpha_cubic up to the window of before the loss, then 1.
#[test]
fn the_reno_friendly_region_follows_the_equations_too() {
    for (segments, rtt_ms, seconds, step) in
        [(20, 10, 3, MSS), (20, 10, 3, 2 * MSS), (60, 20, 3, 2 * MSS), (20, 10, 1, 100), (6, 40, 8, MSS)]
    {
        let (worst, reference) = compare(&Run { segments, rtt_ms, seconds, step });
        assert!(worst <= 2.0, "{segments} segments, {rtt_ms} ms: {worst} octets off");
        assert!(reference.regions[0] && reference.w_est > reference.cwnd_prior, "never past the old window");
    }
}

#[test]
fn k_and_the_cube_root_are_exact() {
    for root in [0u32, 1, 2, 3, 1000, 4_217_163, (1 << 31) + 12_345] {
        let cube = u128::from(root).pow(3);
        assert_eq!(cube_root(cube), root);
        assert_eq!(cube_root(cube + 1), root.max(u32::from(root == 0)));
        assert!(root == 0 || cube_root(cube - 1) == root - 1);
    }
    let cubic = after_loss(1000);
    let exact = (f64::from(1000 * MSS - cubic.window()) / f64::from(MSS) / 0.4).cbrt() * 1e6;
    assert!((f64::from(cubic.k_us()) - exact).abs() <= 1.0);
}

/// Only fractions of an octet are carried, so acknowledgments of an octet each grow the window like those of a segment.
#[test]
fn rounding_loses_no_growth() {
    let rtt = Micros::from_millis(10);
    let (mut fine, mut coarse) = (after_loss(20), after_loss(20));
    for round in 1..=100 {
        let now = round * 10_000;
        let (a, b) = (fine.window(), coarse.window());
        (0..a).for_each(|_| fine.on_ack(&acked(1, rtt, &fine, now)));
        coarse.on_ack(&acked(b, rtt, &coarse, now));
    }
    // In the steps of a round the divisor grows along with the window: alpha / 2 of a segment in a window's growth.
    let (fine, coarse) = (f64::from(fine.window()), f64::from(coarse.window()));
    assert!(coarse > 60.0 * f64::from(MSS) && (coarse - fine).abs() / coarse < 0.02, "{fine} {coarse}");
}

#[test]
fn a_loss_reduces_to_seven_tenths_and_remembers() {
    let mut cubic = after_loss(100);
    let reduced = beta(100 * MSS);
    assert_eq!((cubic.ssthresh(), cubic.w_max, cubic.cwnd_prior), (reduced, 100 * MSS, 100 * MSS));
    assert_eq!(cubic.window(), reduced + 1); // the octet of `after_loss`
    cubic.on_congestion(&loss(&cubic));
    assert_eq!(cubic.w_max, converged(reduced + 1)); // below W_max: fast convergence
    assert_eq!(cubic.window(), beta(reduced + 1));
}

/// A loss leaves two segments at least, a mark one; the threshold stays at two.
#[test]
fn small_windows_stop_at_two_segments_or_at_one() {
    let mut cubic = after_loss(4);
    assert_eq!(cubic.window(), beta(4 * MSS) + 1);
    for (signal, window) in [
        (Signal::Loss, 2 * MSS),
        (Signal::Loss, 2 * MSS),
        (Signal::Ecn, beta(2 * MSS)),
        (Signal::Ecn, MSS),
        (Signal::Ecn, MSS),
    ] {
        cubic.on_congestion(&Congestion { signal, ..loss(&cubic) });
        assert_eq!((cubic.window(), cubic.ssthresh()), (window, 2 * MSS));
    }
}

/// FlightSize, unless the window was used up but for less than a whole segment.
#[test]
fn the_reduction_starts_from_what_was_in_use() {
    let reduced = |flight: u32| {
        let mut cubic = Cubic::default();
        cubic.start(MSS, 10 * MSS + 700, at(0));
        cubic.on_congestion(&Congestion::new(Signal::Loss, flight, at(1)));
        (cubic.window(), cubic.w_max)
    };
    let window = 10 * MSS + 700;
    assert_eq!(reduced(10 * MSS), (beta(window), window));
    assert_eq!(reduced(9 * MSS), (beta(9 * MSS), window));
    assert_eq!(reduced(12 * MSS), (beta(window), window)); // no more than the window
}

/// §4.10: slow start when cwnd is no more than ssthresh. So the first acknowledgment after a loss adds a segment at
/// most.
#[test]
fn congestion_avoidance_begins_above_the_threshold() {
    let mut cubic = Cubic::default();
    cubic.start(MSS, 100 * MSS, at(0));
    cubic.on_congestion(&loss(&cubic));
    cubic.on_ack(&acked(2 * MSS, Micros::from_millis(40), &cubic, 40_000));
    assert_eq!((cubic.window(), cubic.epoch()), (beta(100 * MSS) + MSS, None));
    cubic.on_ack(&acked(2 * MSS, Micros::from_millis(40), &cubic, 41_000));
    let epoch = cubic.epoch().expect("the stage has begun");
    assert_eq!((epoch.last_ack, epoch.t_us), (at(41_000), 0));
    assert!(cubic.window() < beta(100 * MSS) + 2 * MSS);
}

#[test]
fn after_a_timeout_the_plateau_is_where_slow_start_ends() {
    let mut cubic = after_loss(100);
    cubic.on_congestion(&Congestion::new(Signal::Timeout, 70 * MSS, at(1)));
    assert_eq!((cubic.window(), cubic.ssthresh()), (MSS, beta(cubic.cwnd_prior)));
    cubic.on_congestion(&Congestion::new(Signal::TimeoutAgain, MSS, at(1)));
    assert_eq!(cubic.ssthresh(), beta(cubic.cwnd_prior));
    let mut acks = 0;
    while cubic.epoch().is_none() {
        acks += 1;
        cubic.on_ack(&acked(3 * MSS, Micros::from_millis(50), &cubic, 1_000_000 + acks));
    }
    // From 1 segment to above 49.007, one for each acknowledgment; then the stage begins.
    assert_eq!((acks, cubic.w_max), (50, 50 * MSS));
    assert!(cubic.epoch().is_some_and(|epoch| epoch.k_us == 0));
}

#[test]
fn without_any_loss_the_plateau_is_where_slow_start_ends() {
    let mut cubic = Cubic::default();
    cubic.start(MSS, 10 * MSS, at(0));
    let mut now = 0;
    while cubic.ssthresh() == u32::MAX {
        now += 1000;
        let rtt = Micros::new(40_000 + now / 5);
        cubic.on_ack(&acked(MSS, rtt, &cubic, now));
    }
    assert_eq!((cubic.ssthresh(), cubic.cwnd_prior, cubic.w_max), (cubic.window(), cubic.window(), 0));
    for _ in 0..2 {
        now += 1000;
        cubic.on_ack(&acked(MSS, Micros::from_millis(60), &cubic, now));
    }
    assert_eq!(cubic.epoch().map(|epoch| epoch.k_us), Some(0));
    assert_eq!(cubic.w_max, cubic.ssthresh() + MSS);
}

/// Slow start may end with a window of one segment, after timeouts that were undone; the threshold stays at two.
#[test]
fn slow_start_leaves_a_threshold_of_two_segments_at_least() {
    let mut cubic = Cubic::default();
    cubic.start(MSS, MSS, at(0));
    for now in 0.. {
        let limited = Acked { window_limited: false, ..acked(MSS, Micros::new(40_000 + now), &cubic, now) };
        cubic.on_ack(&limited);
        if cubic.ssthresh() != u32::MAX || now == 1_000_000 {
            break;
        }
    }
    assert_eq!((cubic.window(), cubic.ssthresh()), (MSS, 2 * MSS));
}

/// Two flows, one of which pauses for a minute in the middle: they go on with the same window.
fn busy_and_paused(pause: impl Fn(&mut Cubic, u64)) -> (u32, u32) {
    let rtt = Micros::from_millis(100);
    let (mut busy, mut paused) = (after_loss(1000), after_loss(1000));
    for step in 1..=2000 {
        busy.on_ack(&acked(MSS, rtt, &busy, step * 1000));
        paused.on_ack(&acked(MSS, rtt, &paused, step * 1000));
    }
    pause(&mut paused, 62_000_000);
    for step in 1..=2000 {
        busy.on_ack(&acked(MSS, rtt, &busy, 2_000_000 + step * 1000));
        paused.on_ack(&acked(MSS, rtt, &paused, 62_000_000 + step * 1000));
    }
    (busy.window(), paused.window())
}

#[test]
fn time_limited_by_the_application_does_not_count() {
    let (busy, paused) = busy_and_paused(|cubic, now| {
        let limited = Acked { window_limited: false, ..acked(MSS, Micros::from_millis(100), cubic, now) };
        cubic.on_ack(&limited);
    });
    assert_eq!(busy, paused);
}

#[test]
fn time_with_nothing_outstanding_does_not_count() {
    let (busy, paused) = busy_and_paused(|cubic, now| cubic.on_sent(MSS, MSS, at(now)));
    assert_eq!(busy, paused);
    let (busy, grown) = busy_and_paused(|cubic, now| cubic.on_sent(MSS, 2 * MSS, at(now)));
    assert!(grown > busy + 100 * MSS, "time with something outstanding counts");
}

#[test]
fn a_spurious_loss_is_undone() {
    let rtt = Micros::from_millis(100);
    let mut cubic = after_loss(100);
    (1..=700).for_each(|step| cubic.on_ack(&acked(MSS, rtt, &cubic, step * 1400)));
    let before = cubic.clone();
    for signal in [Signal::Loss, Signal::Timeout] {
        cubic.on_congestion(&Congestion { signal, ..loss(&cubic) });
        assert!(cubic.window() < before.window());
        cubic.on_spurious(at(1_100_000));
        assert_eq!(cubic, Cubic { saved: None, ..before.clone() });
    }
    cubic.on_congestion(&Congestion { signal: Signal::Ecn, ..loss(&cubic) });
    let marked = cubic.clone();
    cubic.on_spurious(at(1_100_000));
    assert_eq!(cubic, marked, "a mark is no mistake");
}

/// §4.9.2: not when the window has grown past the old one meanwhile.
#[test]
fn a_late_undo_changes_nothing() {
    let mut cubic = after_loss(100);
    (1..=20_000).for_each(|step| cubic.on_ack(&acked(MSS, Micros::from_millis(100), &cubic, step * 1000)));
    assert!(cubic.window() >= cubic.cwnd_prior);
    let before = cubic.clone();
    cubic.on_spurious(at(21_000_000));
    assert_eq!(cubic, Cubic { saved: None, ..before });
}

/// RFC 4015 §3 (9): a window of one segment grows with the acknowledgment that comes before the undo; slow start goes
/// on all the same.
#[test]
fn a_late_undo_of_a_timeout_lets_slow_start_go_on() {
    let mut cubic = Cubic::default();
    cubic.start(MSS, MSS, at(0));
    cubic.on_congestion(&Congestion { signal: Signal::Timeout, ..loss(&cubic) });
    assert_eq!((cubic.window(), cubic.ssthresh()), (MSS, 2 * MSS));
    cubic.on_ack(&acked(MSS, Micros::from_millis(40), &cubic, 300_000));
    cubic.on_spurious(at(310_000));
    assert_eq!((cubic.window(), cubic.ssthresh()), (2 * MSS, u32::MAX));
}

/// A mistake in the initial slow start brings HyStart++ back as well.
#[test]
fn the_initial_slow_start_goes_on_after_a_spurious_loss() {
    let mut cubic = Cubic::default();
    cubic.start(MSS, 10 * MSS, at(0));
    cubic.on_ack(&acked(8 * MSS, Micros::from_millis(40), &cubic, 40_000));
    cubic.on_congestion(&loss(&cubic));
    cubic.on_spurious(at(80_000));
    assert_eq!((cubic.window(), cubic.ssthresh()), (18 * MSS, u32::MAX));
    cubic.on_ack(&acked(8 * MSS, Micros::from_millis(40), &cubic, 80_000));
    assert_eq!(cubic.window(), 26 * MSS); // L = 8
}

/// RFC 5681 §4.1 restarts from the restart window while ssthresh is still arbitrarily high: the train and the rounds of
/// a larger window tell of no path that this one fills.
#[test]
fn after_a_pause_the_initial_slow_start_begins_anew() {
    let mut cubic = Cubic::default();
    cubic.start(MSS, 100 * MSS, at(0));
    let grow = |cubic: &mut Cubic, millis: u64| {
        let before = cubic.window();
        cubic.on_ack(&acked(MSS, Micros::from_millis(40), cubic, millis * 1000));
        cubic.window() - before
    };
    let train = core::array::from_fn::<_, 25, _>(|n| grow(&mut cubic, n as u64));
    assert_eq!((train[20], train[24]), (MSS, MSS / 4), "the train is longer than half of the round trip");
    cubic.on_idle(10 * MSS, at(1_000_000));
    assert_eq!(cubic.window(), 10 * MSS);
    assert_eq!(grow(&mut cubic, 1040), MSS);
}

#[test]
fn pacing_lifts_the_limit_of_one_acknowledgment() {
    let mut cubic = Cubic::default();
    cubic.set_pacing(true);
    cubic.start(MSS, 30 * MSS, at(0));
    cubic.on_ack(&acked(30 * MSS, Micros::from_millis(40), &cubic, 40_000));
    assert_eq!(cubic.window(), 60 * MSS);
}

#[test]
fn an_unused_window_shrinks_to_its_half_and_the_threshold_remembers() {
    let mut cubic = after_loss(100);
    let window = cubic.window();
    cubic.on_unused(10 * MSS, at(300_000_000));
    assert_eq!((cubic.window(), cubic.ssthresh()), (window / 2, beta(100 * MSS).max(window / 4 * 3)));
    (0..5).for_each(|_| cubic.on_unused(10 * MSS, at(300_000_000)));
    assert_eq!(cubic.window(), 10 * MSS);
    cubic.on_unused(20 * MSS, at(300_000_000));
    assert_eq!(cubic.window(), 10 * MSS); // it does not grow by it
}

#[test]
fn a_limit_holds_for_window_and_threshold() {
    let mut cubic = after_loss(100);
    cubic.limit(200 * MSS, at(5));
    assert_eq!(cubic, after_loss(100));
    cubic.limit(30 * MSS, at(5));
    assert_eq!((cubic.window(), cubic.ssthresh()), (30 * MSS, 30 * MSS));
    cubic.limit(0, at(5));
    assert_eq!((cubic.window(), cubic.ssthresh()), (MSS, 2 * MSS));
}

/// The same at another time is the same.
#[test]
fn two_that_will_do_the_same_are_equal_after_rebasing() {
    let run = |shift: u64| {
        let mut cubic = Cubic::default();
        cubic.start(MSS, 100 * MSS, at(shift));
        cubic.on_congestion(&Congestion::new(Signal::Loss, 100 * MSS, at(shift)));
        (1..100).for_each(|step| cubic.on_ack(&acked(MSS, Micros::from_millis(40), &cubic, shift + step * 1000)));
        cubic.on_congestion(&Congestion::new(Signal::Loss, 70 * MSS, at(shift + 100_000)));
        (1..9).for_each(|s| cubic.on_ack(&acked(MSS, Micros::from_millis(40), &cubic, shift + 100_000 + s * 1000)));
        cubic.rebase(at(shift + 200_000));
        cubic
    };
    assert_eq!(run(0), run(77_777_777));
    let mut idle = Cubic::default();
    idle.start(MSS, 100 * MSS, at(5));
    idle.on_sent(MSS, MSS, at(17));
    let mut other = idle.clone();
    other.on_sent(MSS, MSS, at(30));
    idle.rebase(at(100));
    other.rebase(at(100));
    assert_eq!(idle, other, "without a stage its last acknowledgment does not matter");
}

/// A greedy sender over a path that carries `product` segments in a round trip, with an endless queue; every second
/// segment is acknowledged. With pacing it sends twice a window in a round trip. The window when slow start ends, in
/// segments.
fn slow_start_over(rtt_us: u64, product: u64, paced: bool) -> u64 {
    let (rtt, segment) = (rtt_us * 1000, rtt_us * 1000 / product); // nanoseconds
    let mut cubic = Cubic::default();
    cubic.set_pacing(paced);
    cubic.start(MSS, 10 * MSS, at(0));
    let (mut now, mut free, mut may_send) = (0, 0, 0);
    let mut flight = VecDeque::new(); // when each arrives, and when it was sent
    while cubic.ssthresh() == u32::MAX {
        let room = u64::from(cubic.window() / MSS) > flight.len() as u64;
        let acked = flight.get(1).or(flight.front()).map(|(arrives, _)| *arrives);
        if room && acked.is_none_or(|arrives| may_send <= arrives) {
            now = may_send.max(now);
            free = now.max(free) + segment;
            flight.push_back((free + rtt, now));
            may_send = if paced { now + rtt * u64::from(MSS) / (2 * u64::from(cubic.window())) } else { now };
            continue;
        }
        let (before, count) = (flight.len() as u32, flight.len().min(2));
        let (arrives, sent) = flight.drain(..count).next_back().unwrap();
        now = arrives;
        let sample = u32::try_from((now - sent) / 1000).ok();
        let srtt_us = u32::try_from(rtt_us).ok();
        let acked = Acked::new(count as u32 * MSS, before * MSS, at(now / 1000));
        cubic.on_ack(&Acked { rtt_us: sample, srtt_us, ..acked });
    }
    u64::from(cubic.window() / MSS)
}

/// On no path, from a data centre to a satellite, before the window fills it.
#[test]
fn slow_start_ends_when_the_path_is_full() {
    for rtt_us in [50, 200, 1_000, 1_900, 2_000, 20_000, 100_000, 600_000] {
        for (product, paced) in [20, 100, 1_000, 5_120, 8_000].into_iter().flat_map(|p| [(p, false), (p, true)]) {
            let window = slow_start_over(rtt_us, product, paced);
            let (least, most) = (product, product * 6);
            assert!((least..=most).contains(&window), "{window} of {product}, {rtt_us} us, paced: {paced}");
        }
    }
}

/// It is a part of every connection.
#[test]
fn it_is_small() {
    let size = size_of::<Cubic>();
    assert!(size <= 96, "{size} octets");
}
