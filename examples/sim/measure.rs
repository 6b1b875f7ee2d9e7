//! One row with one seed, and the medians over seeds.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use segue::congestion::Cubic;
use segue::{Algorithm, Config};

use super::link::{Link, MILLISECOND, Nanos, SECOND};
use super::newreno::NewReno;
use super::rng::Rng;
use super::rows::{Load, Path, Row};
use super::source::{Report, Sample, Source, Stream, Text, User};
use super::world::{Flow, World};

/// What one run gave: a value for each figure of its row, and what broke a law.
#[derive(Clone, Default, Debug)]
pub(crate) struct Outcome {
    pub(crate) values: Vec<f64>,
    pub(crate) violations: Vec<String>,
    pub(crate) samples: Vec<Sample>,
    /// For people: what else was counted.
    pub(crate) notes: String,
}

/// The end of a run that must finish by itself.
const LONG: Nanos = 600 * SECOND;

struct Bench {
    path: Path,
    config: Arc<Config>,
    text: Text,
    rng: Rng,
    sample_every: Option<Nanos>,
}

impl Bench {
    fn new(row: &Row, seed: u64, sample_every: Option<Nanos>) -> Self {
        let (path, buffer) = (row.path.clone(), row.path.buffer());
        let config = Config::builder().receive_buffer(buffer).send_buffer(buffer);
        let config = (row.tune)(config).build().expect("the rows have valid settings");
        Self { path, config: Arc::new(config), text: Text::new(), rng: Rng::new(seed), sample_every }
    }

    fn segue(&mut self, user: User) -> Box<dyn Source> {
        let (algorithm, config, text) = (Algorithm::Cubic(Cubic::default()), self.config.clone(), self.text.clone());
        Box::new(Stream::new(algorithm, config, text, user, &mut self.rng, self.sample_every))
    }

    fn flow(&mut self, source: Box<dyn Source>, starts: Nanos) -> Flow {
        Flow::new(source, self.config.clone(), self.text.clone(), &mut self.rng, starts)
    }

    fn world(&mut self, flows: Vec<Flow>) -> World {
        let data = Link::new(self.path.forward(), self.rng.next());
        let acks = Link::new(self.path.backward(), self.rng.next());
        World::new(data, acks, flows)
    }

    /// `octets` in `time` as a share of the rate.
    fn share(&self, octets: u64, time: Nanos) -> f64 {
        octets as f64 * 8.0 / (self.path.rate as f64 * time as f64 / SECOND as f64)
    }
}

/// Runs a row once.
pub(crate) fn run(row: &Row, seed: u64, sample_every: Option<Nanos>) -> Outcome {
    let mut bench = Bench::new(row, seed, sample_every);
    match row.load {
        Load::Greedy(duration) => greedy(&mut bench, duration),
        Load::Flows { count, octets, ending } => {
            flows(&mut bench, count, User::Sends { octets, ending }, row.figures.len() == 4)
        }
        Load::Pair { duration, stranger } => pair(&mut bench, duration, stranger),
    }
}

fn greedy(bench: &mut Bench, duration: Nanos) -> Outcome {
    let source = bench.segue(User::Greedy);
    let flow = bench.flow(source, 0);
    let mut world = bench.world(vec![flow]);
    world.run(duration, |_| false);
    let flow = &world.flows[0];
    let Report { timeouts, episodes, samples } = flow.source().report();
    let values =
        vec![bench.share(flow.delivered(), duration), flow.sent.repeated as f64 / flow.sent.octets.max(1) as f64];
    let (data, reductions, spurious) = (world.data.tally, episodes.reductions, episodes.spurious);
    let notes = format!(
        "packets {}, queue full {}, lost {}, marked {}, held {}, reductions {reductions}, spurious {spurious}, \
         timeouts {timeouts}",
        data.offered, data.full, data.lost, data.marked, data.held
    );
    let mut violations = episodes.violations;
    if data.held == 0 && spurious > 0 {
        violations.push(format!("{spurious} reductions were undone where nothing was reordered: the losses were real"));
    }
    Outcome { values, violations, samples, notes }
}

/// The value below which so many percent of the values lie: the nearest rank.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

fn flows(bench: &mut Bench, count: u32, user: User, percentiles: bool) -> Outcome {
    let octets = user.total();
    let (mut all, mut whole, mut outcome, mut timeouts) = (vec![], vec![], Outcome::default(), 0);
    for _ in 0..count {
        let source = bench.segue(user);
        let flow = bench.flow(source, 0);
        let mut world = bench.world(vec![flow]);
        world.run(LONG, |flows| flows[0].delivered() == octets);
        let flow = &world.flows[0];
        if flow.delivered() < octets {
            outcome.violations.push(format!("only {} of {octets} octets were delivered", flow.delivered()));
        }
        let time = flow.last_delivery() as f64 / MILLISECOND as f64;
        all.push(time);
        if !flow.sent.handshake_lost {
            whole.push(time);
        }
        let report = flow.source().report();
        outcome.violations.extend(report.episodes.violations);
        outcome.samples = report.samples;
        timeouts += report.timeouts;
    }
    all.sort_by(f64::total_cmp);
    whole.sort_by(f64::total_cmp);
    outcome.values = if percentiles {
        vec![percentile(&all, 50), percentile(&all, 95), percentile(&all, 99), percentile(&whole, 99)]
    } else {
        vec![timeouts as f64, percentile(&all, 50)]
    };
    outcome.notes = format!("timeouts {timeouts}, handshakes with a loss {}", all.len() - whole.len());
    outcome
}

fn pair(bench: &mut Bench, duration: Nanos, stranger: bool) -> Outcome {
    let first = bench.segue(User::Greedy);
    let text = bench.text.clone();
    let second = if stranger { Box::new(NewReno::new(text, &mut bench.rng)) } else { bench.segue(User::Greedy) };
    let later = u64::from(bench.rng.below(1000)) * MILLISECOND;
    let flows = vec![bench.flow(first, 0), bench.flow(second, later)];
    let mut world = bench.world(flows);
    world.run(duration, |_| false);
    let octets = [world.flows[0].delivered(), world.flows[1].delivered()];
    let both = octets[0] + octets[1];
    let reports = world.flows.iter().map(|flow| flow.source().report()).collect::<Vec<_>>();
    let notes = format!("timeouts {} and {}", reports[0].timeouts, reports[1].timeouts);
    Outcome {
        values: vec![octets[0] as f64 / both.max(1) as f64, bench.share(both, duration)],
        violations: reports.iter().flat_map(|report| report.episodes.violations.clone()).collect(),
        samples: reports[0].samples.clone(),
        notes,
    }
}

/// The median; of an even number, the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// A row with a set of seeds.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// For each figure the median over the seeds.
    pub(crate) medians: Vec<f64>,
    /// For each seed its outcome.
    pub(crate) runs: Vec<(u64, Outcome)>,
}

/// Runs every row with every seed; one that no seed changes, with the first only. `done` is told how many runs of how
/// many are over.
pub(crate) fn measure(rows: &[Row], seeds: &[u64], done: impl Fn(usize, usize, &Row) + Sync) -> Vec<Measured> {
    let seeds_of = |row: &Row| if row.path.is_random() || is_pair(row) { seeds } else { &seeds[..seeds.len().min(1)] };
    let jobs = rows.iter().enumerate().flat_map(|(i, row)| seeds_of(row).iter().map(move |seed| (i, *seed)));
    let jobs = jobs.collect::<Vec<_>>();
    let (next, over) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(&(i, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run(&rows[i], seed, None);
                    outcomes.lock().expect("no run panics with it").push((i, seed, outcome));
                    done(over.fetch_add(1, Ordering::Relaxed) + 1, jobs.len(), &rows[i]);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("no run panics with it");
    outcomes.sort_by_key(|(i, seed, _)| (*i, *seed));
    let of_row = |i: usize| outcomes.iter().filter(move |o| o.0 == i).map(|o| (o.1, o.2.clone())).collect::<Vec<_>>();
    (0..rows.len()).map(|i| summary(&rows[i], of_row(i))).collect()
}

/// The second flow of a pair starts at a random time.
const fn is_pair(row: &Row) -> bool {
    matches!(row.load, Load::Pair { .. })
}

fn summary(row: &Row, runs: Vec<(u64, Outcome)>) -> Measured {
    let column = |i: usize| runs.iter().map(|(_, outcome)| outcome.values[i]).collect::<Vec<_>>();
    Measured { medians: (0..row.figures.len()).map(|i| median(column(i))).collect(), runs }
}
