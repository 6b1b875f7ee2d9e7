//! The trait `Controller` is wide enough for a controller that works by rates: this one, in the style of BBR, knows of the
//! crate what any embedder does.

use std::sync::Arc;
use std::time::Duration;

use segue::congestion::{Acked, Congestion, Controller, Cubic, Delivery, RateSample};
use segue::{Config, Instant};
use segue_kit::Rng;

use segue_sim::host::{End, Host, Setup};
use segue_sim::link::{Link, SECOND};
use segue_sim::loss::Loss;
use segue_sim::rows::Path;
use segue_sim::user::{Text, Writer};
use segue_sim::world::{Flow, World};

/// Rounds over which the largest delivery rate counts.
const ROUNDS: usize = 10;
/// Gains in percent: 2 / ln 2 doubles the rate each round; its inverse drains what that queued.
const STARTUP: u64 = 289;
const DRAIN: u64 = 35;
const PROBING: [u64; 8] = [125, 75, 100, 100, 100, 100, 100, 100];

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Phase {
    /// Until the rate has not grown by a quarter for three rounds.
    Startup {
        best: u64,
        rounds: u8,
    },
    Drain,
    Probe {
        step: usize,
        since: Instant,
    },
}

/// The window is twice what the path holds, and what leaves is paced.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct RateBased {
    mss: u32,
    initial: u32,
    phase: Phase,
    /// Octets per second: the largest of each of the last rounds.
    rates: [u64; ROUNDS],
    min_rtt: Duration,
    /// The round ends when this many octets are delivered.
    round_ends: u64,
    application_limited: u32,
}

impl RateBased {
    fn new() -> Self {
        Self {
            mss: 0,
            initial: 0,
            phase: Phase::Startup { best: 0, rounds: 0 },
            rates: [0; ROUNDS],
            min_rtt: Duration::ZERO,
            round_ends: 0,
            application_limited: 0,
        }
    }

    fn rate(&self) -> u64 {
        self.rates.into_iter().max().unwrap_or(0)
    }

    /// What the path holds, in octets.
    fn product(&self) -> u64 {
        u64::try_from(u128::from(self.rate()) * self.min_rtt.as_micros() / 1_000_000).unwrap_or(u64::MAX)
    }

    fn gain(&self) -> u64 {
        match self.phase {
            Phase::Startup { .. } => STARTUP,
            Phase::Drain => DRAIN,
            Phase::Probe { step, .. } => PROBING[step],
        }
    }

    /// Takes the sample; whether a round ended with it.
    fn sample(&mut self, sample: &RateSample, delivered: u64) -> bool {
        let ends = sample.prior_delivered >= self.round_ends;
        if ends {
            self.round_ends = delivered;
            self.rates.rotate_right(1);
            self.rates[0] = 0;
        }
        let micros = u64::try_from(sample.interval.as_micros()).unwrap_or(u64::MAX).max(1);
        let rate = sample.delivered * 1_000_000 / micros;
        if sample.application_limited {
            self.application_limited += 1;
        }
        if !sample.application_limited || rate > self.rate() {
            self.rates[0] = self.rates[0].max(rate);
        }
        ends
    }

    fn advance(&mut self, round_ended: bool, inflight: u32, now: Instant) {
        let (rate, held) = (self.rate(), u64::from(inflight));
        self.phase = match self.phase {
            Phase::Startup { best, .. } if round_ended && rate * 4 >= best * 5 => {
                Phase::Startup { best: rate, rounds: 0 }
            }
            Phase::Startup { rounds: 2, .. } if round_ended => Phase::Drain,
            Phase::Startup { best, rounds } => Phase::Startup { best, rounds: rounds + u8::from(round_ended) },
            Phase::Drain if held <= self.product() => Phase::Probe { step: 2, since: now },
            Phase::Drain => Phase::Drain,
            Phase::Probe { step, since } if now.saturating_since(since) >= self.min_rtt => {
                Phase::Probe { step: (step + 1) % PROBING.len(), since: now }
            }
            probing @ Phase::Probe { .. } => probing,
        };
    }
}

impl Controller for RateBased {
    fn start(&mut self, mss: u32, initial: u32, _now: Instant) {
        *self = Self { mss, initial, ..Self::new() };
    }
    fn on_ack(&mut self, _acked: &Acked) {}
    fn on_congestion(&mut self, _congestion: &Congestion) {} // loss is no sign of congestion to it
    fn window(&self) -> u32 {
        let twice = u32::try_from(self.product() * 2).unwrap_or(u32::MAX);
        if self.rate() == 0 { self.initial } else { twice.max(4 * self.mss) + 3 * self.mss }
    }
    fn on_delivery(&mut self, delivery: &Delivery) {
        self.min_rtt = delivery.min_rtt.unwrap_or(self.min_rtt);
        let round_ended = delivery.rate.is_some_and(|sample| self.sample(&sample, delivery.delivered));
        self.advance(round_ended, delivery.inflight, delivery.now);
    }
    fn reduces_proportionally(&self) -> bool {
        false
    }
    fn pacing_rate(&self) -> Option<u64> {
        (self.rate() > 0).then(|| self.rate() * self.gain() / 100)
    }
}

const RTT: Duration = Duration::from_millis(40);

/// A path that delivers 1 250 000 octets per second: a round of samples, 10 ms apart.
fn round(controller: &mut RateBased, number: u64, inflight: u32) {
    for part in 0..4 {
        let delivered = number * 50_000 + (part + 1) * 12_500;
        let mut sample = RateSample::new(50_000, RTT);
        sample.prior_delivered = delivered.saturating_sub(50_000);
        let mut delivery = Delivery::new(Instant::from_millis(40 * number + 10 * part));
        (delivery.delivered, delivery.inflight) = (delivered, inflight);
        (delivery.rate, delivery.min_rtt) = (Some(sample), Some(RTT));
        controller.on_delivery(&delivery);
    }
}

#[test]
fn rates_alone_make_a_window_and_a_pace() {
    let mut controller = RateBased::new();
    controller.start(1000, 10_000, Instant::ZERO);
    assert_eq!((controller.window(), controller.pacing_rate()), (10_000, None));
    round(&mut controller, 0, 100_000);
    assert_eq!((controller.window(), controller.pacing_rate()), (103_000, Some(3_612_500)));
    (1..4).for_each(|number| round(&mut controller, number, 100_000));
    assert_eq!(controller.phase, Phase::Drain, "three rounds without growth");
    assert_eq!(controller.pacing_rate(), Some(437_500));
    round(&mut controller, 4, 50_000);
    let seen: Vec<_> = (5..20)
        .map(|number| {
            round(&mut controller, number, 50_000);
            controller.pacing_rate().unwrap_or(0)
        })
        .collect();
    assert!(seen.contains(&1_562_500) && seen.contains(&937_500) && seen.contains(&1_250_000), "{seen:?}");
    assert_eq!(controller.window(), 103_000);
}

/// Goodput of ten seconds over a path, as a share of its rate, and the share of packets that its queue refused.
fn over<C: Controller + 'static>(controller: C, path: &Path, pacing: bool) -> (f64, f64) {
    let buffer = path.buffer();
    let config = Config::builder().receive_buffer(buffer).send_buffer(buffer).pacing(pacing).build().expect("valid");
    let (config, text, mut rng) = (Arc::new(config), Text::new(), Rng::new(1));
    let setup = |writer| Setup::new(config.clone(), text.clone(), writer);
    let sender: Box<dyn End> = Box::new(Host::new(controller, setup(Writer::Greedy), &mut rng, None));
    let receiver = Box::new(Host::new(Cubic::default(), setup(Writer::Silent), &mut rng, None));
    let links = [Link::new(path.forward(), 11), Link::new(path.backward(), 12)];
    let mut world = World::new(links, vec![Flow::new([sender, receiver], 0)]);
    world.run(10 * SECOND, |_| false);
    let tally = world.links[0].tally;
    let refused = tally.full as f64 / tally.offered as f64;
    (world.flows[0].delivered().0 as f64 * 8.0 / 10.0 / path.rate as f64, refused)
}

/// Random loss does not slow down what does not take it for congestion.
#[test]
fn a_controller_by_rates_fills_a_path_that_loses() {
    for (mbits, round_trip, loss) in [(10, 40, 10_000), (100, 20, 10_000), (10, 40, 30_000)] {
        let path = Path { loss: Loss::Random(loss), ..Path::new(mbits, round_trip) };
        let (by_rates, refused) = over(RateBased::new(), &path, true);
        let (by_loss, _) = over(Cubic::default(), &path, false);
        assert!(by_rates > 0.85, "{mbits} Mbit/s: {by_rates}, by loss {by_loss}");
        assert!(by_loss < 0.6 && refused < 0.01, "{mbits} Mbit/s: by loss {by_loss}, refused {refused}");
    }
}
