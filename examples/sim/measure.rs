//! One row with one seed, and the medians over seeds.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use segue::{Algorithm, Config, EcnMode};
use segue_kit::Rng;

use super::host::{End, Host, Setup, Track};
use super::link::{Link, MILLISECOND, Nanos, SECOND};
use super::newreno::NewReno;
use super::rows::{
    ACKS, C_WAIT, Control, GOODPUT, GOODPUT_OF_BOTH, L_WAIT, Load, Path, QUEUE, REPEATED, Row, SHARE, SHARE_OF_CUBIC,
    Second, Sender,
};
use super::user::{Text, Writer};
use super::world::{Flow, World};

/// What one run gave: a value for each figure of its row, and what broke a law.
#[derive(Clone, Default, Debug)]
pub struct Outcome {
    pub values: Vec<f64>,
    pub violations: Vec<String>,
    /// Of each sender that its plot shows.
    pub tracks: Vec<Track>,
    /// A line for each packet, if asked for.
    pub packets: String,
    /// For people: what else was counted.
    pub notes: String,
    /// Of a greedy flow, for each side: the share of the segments that arrived there and took the shortcut.
    pub predicted: [f64; 2],
}

/// The end of a run that must finish by itself.
const LONG: Nanos = 600 * SECOND;

struct Bench {
    path: Path,
    algorithm: Algorithm,
    /// What the ends are like, their users excepted.
    setups: [Setup; 2],
    /// That of the end that connects, without pacing: for CUBIC beside another sender.
    unpaced: Arc<Config>,
    /// The same without ECN.
    not_ect: Arc<Config>,
    rng: Rng,
    watch: Option<Nanos>,
}

impl Bench {
    fn new(row: &Row, seed: u64, watch: Option<Nanos>) -> Self {
        let text = Text::new();
        let setups = row.ends.map(|ways| {
            let config = Arc::new(ways.config.build().expect("the rows have valid settings"));
            let path = segue::Path::ipv4(row.path.mtu);
            let (text, writer) = (text.clone(), Writer::Silent);
            Setup { config, path, text, writer, reader: ways.reader, intake: ways.intake }
        });
        let (path, algorithm) = (row.path.clone(), row.sender.algorithm());
        let unpaced = row.ends[0].config.pacing(false).build().expect("the rows have valid settings");
        let not_ect = row.ends[0].config.pacing(false).ecn(EcnMode::Off).build().expect("the rows have valid settings");
        let (unpaced, not_ect) = (Arc::new(unpaced), Arc::new(not_ect));
        Self { path, algorithm, setups, unpaced, not_ect, rng: Rng::new(seed), watch }
    }

    /// The end with this number and a user that writes this.
    fn end(&mut self, number: usize, writer: Writer) -> Box<dyn End> {
        let setup = Setup { writer, ..self.setups[number].clone() };
        Box::new(Host::new(self.algorithm.clone(), setup, &mut self.rng, self.watch))
    }

    /// The sender of the second of two greedy flows.
    fn second(&mut self, second: Second) -> Box<dyn End> {
        match second {
            Second::Same => self.end(0, Writer::Greedy),
            Second::Cubic | Second::CubicNotEct => {
                let config = if second == Second::Cubic { &self.unpaced } else { &self.not_ect };
                let setup = Setup { config: config.clone(), writer: Writer::Greedy, ..self.setups[0].clone() };
                Box::new(Host::new(Sender::default().algorithm(), setup, &mut self.rng, self.watch))
            }
            Second::Stranger => {
                let text = self.setups[0].text.clone();
                Box::new(NewReno::new(text, &mut self.rng).watched(self.watch))
            }
        }
    }

    fn flow(&mut self, first: Writer, second: Writer) -> Flow {
        Flow::new([self.end(0, first), self.end(1, second)], 0)
    }

    fn world(&mut self, flows: Vec<Flow>) -> World {
        let data = Link::new(self.path.forward(), self.rng.next());
        let acks = Link::new(self.path.backward(), self.rng.next());
        let mut world = World::new([data, acks], flows);
        world.log = self.watch.map(|_| String::new());
        world
    }

    /// `octets` in `time` as a share of the rate.
    fn share(&self, octets: u64, time: Nanos) -> f64 {
        octets as f64 * 8.0 / (self.path.rate as f64 * time as f64 / SECOND as f64)
    }
}

/// Runs a row once; under watch, with a sample of the first end at each interval, and a line for each packet.
pub fn run(row: &Row, seed: u64, watch: Option<Nanos>) -> Outcome {
    let mut bench = Bench::new(row, seed, watch);
    match row.load {
        Load::Greedy(duration) => greedy(&mut bench, duration, row),
        Load::BothWays(duration) => both_ways(&mut bench, duration),
        Load::Flows { count, octets, ending } => flows(&mut bench, count, Writer::Sends { octets, ending }, row),
        Load::Turns { request, response, pause, count } => turns(&mut bench, request, response, pause, count),
        Load::Trickle { octets, every, count, bulk } => {
            trickle(&mut bench, Writer::Trickles { octets, every, count, bulk }, u64::from(count) + 1)
        }
        Load::Pair { duration, second } => pair(&mut bench, duration, second, row),
    }
}

fn track(name: &'static str, end: &dyn End) -> Track {
    Track { name, samples: end.report().samples }
}

/// Pure ACKs of the accepting end for each segment of text of the other.
fn acks_per_text(flow: &Flow) -> f64 {
    let [first, second] = &flow.sides;
    second.sent.acks as f64 / first.sent.texts.max(1) as f64
}

/// A value for each figure of the row, by its name.
fn values(row: &Row, value: impl Fn(&str) -> Option<f64>) -> Vec<f64> {
    row.figures.iter().map(|figure| value(figure.name).unwrap_or(f64::NAN)).collect()
}

/// What waits at the bottleneck is looked at once in this time, which is no part of a round trip.
const LOOK: Nanos = 7 * MILLISECOND;

/// Runs a greedy flow. What waits at the bottleneck after the first third of the time, in bandwidth-delay products: the
/// median over time.
fn standing(world: &mut World, duration: Nanos, product: u64) -> f64 {
    let mut queue = Vec::new();
    for at in (duration / 3..=duration).step_by(LOOK as usize) {
        world.run(at, |_| false);
        queue.push(world.links[0].backlog(at) as f64 / product as f64);
    }
    median(queue)
}

/// How long packets waited in the queues of the AQM, in milliseconds: the figure with this name.
fn waits(world: &World, name: &str) -> Option<f64> {
    let [l4s, classic] = world.links[0].aqm()?.waits();
    let (waits, percent) = match name {
        L_WAIT => (l4s, 99),
        C_WAIT => (classic, 50),
        _ => return None,
    };
    let mut waits = waits.iter().map(|micros| f64::from(*micros) / 1000.0).collect::<Vec<_>>();
    waits.sort_by(f64::total_cmp);
    Some(percentile(&waits, percent))
}

fn greedy(bench: &mut Bench, duration: Nanos, row: &Row) -> Outcome {
    let flow = bench.flow(Writer::Greedy, Writer::Silent);
    let mut world = bench.world(vec![flow]);
    let queue = row.has(QUEUE).then(|| standing(&mut world, duration, row.path.product()));
    world.run(duration, |_| false);
    let flow = &world.flows[0];
    let (report, sent) = (flow.sides[0].end.report(), flow.sides[0].sent);
    let (data, episodes, timeouts) = (world.links[0].tally, report.episodes, report.timeouts);
    let (reductions, spurious) = (episodes.reductions, episodes.spurious);
    let predicted = flow.sides.each_ref().map(|side| side.end.report()).map(|r| r.predicted as f64 / r.arrived as f64);
    let notes = format!(
        "packets {}, queue full {}, lost {}, marked {}, held {}, reductions {reductions}, spurious {spurious}, \
         timeouts {timeouts}, predicted {:.2} % of the ACKs and {:.2} % of the text",
        data.offered,
        data.full,
        data.lost,
        data.marked,
        data.held,
        100.0 * predicted[0],
        100.0 * predicted[1]
    );
    let mut violations = episodes.violations;
    // New text and retransmissions of one microsecond stand in the order of their numbers (RFC 8985 §6.2 step 5): where
    // recovery does not hold back the text, a retransmission may be taken for lost without being so.
    if data.held == 0 && spurious > timeouts && row.sender.control != Control::Bbr {
        violations.push(format!("{spurious} reductions were undone where nothing was reordered: the losses were real"));
    }
    let values = values(row, |name| match name {
        GOODPUT => Some(bench.share(flow.delivered().0, duration)),
        REPEATED => Some(sent.repeated as f64 / sent.octets.max(1) as f64),
        ACKS => Some(acks_per_text(flow)),
        QUEUE => queue,
        _ => waits(&world, name),
    });
    let tracks = vec![track("", &*flow.sides[0].end)];
    let packets = world.log.unwrap_or_default();
    Outcome { values, violations, tracks, notes, packets, predicted }
}

fn both_ways(bench: &mut Bench, duration: Nanos) -> Outcome {
    let flow = bench.flow(Writer::Greedy, Writer::Greedy);
    let mut world = bench.world(vec![flow]);
    world.run(duration, |_| false);
    let flow = &world.flows[0];
    let octets = flow.sides.each_ref().map(|side| side.end.delivered().0);
    let reports = flow.sides.each_ref().map(|side| side.end.report());
    Outcome {
        values: vec![bench.share(octets[0] + octets[1], duration), acks_per_text(flow)],
        notes: format!("timeouts {} and {}", reports[0].timeouts, reports[1].timeouts),
        violations: reports.iter().flat_map(|report| report.episodes.violations.clone()).collect(),
        tracks: vec![track("there", &*flow.sides[0].end), track("back", &*flow.sides[1].end)],
        packets: world.log.unwrap_or_default(),
        ..Outcome::default()
    }
}

/// The value below which `percent` percent of the values lie: the nearest rank.
pub fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

fn flows(bench: &mut Bench, count: u32, user: Writer, row: &Row) -> Outcome {
    let octets = user.allowed(0, 0);
    let (mut all, mut whole, mut outcome, mut timeouts) = (vec![], vec![], Outcome::default(), 0);
    let mut acks = 0.0;
    for _ in 0..count {
        let flow = bench.flow(user, Writer::Silent);
        let mut world = bench.world(vec![flow]);
        world.run(LONG, |flows| flows[0].delivered().0 == octets);
        let flow = &world.flows[0];
        let (delivered, last) = flow.delivered();
        if delivered < octets {
            outcome.violations.push(format!("only {delivered} of {octets} octets were delivered"));
        }
        let time = last as f64 / MILLISECOND as f64;
        all.push(time);
        if !flow.sides[0].sent.handshake_lost {
            whole.push(time);
        }
        let report = flow.sides[0].end.report();
        outcome.violations.extend(report.episodes.violations);
        outcome.tracks = vec![Track { name: "the last flow", samples: report.samples }];
        timeouts += report.timeouts;
        acks = acks_per_text(flow);
        if let Some(log) = world.log {
            let _ = write!(outcome.packets, "{time:.1} ms:\n{log}");
        }
    }
    all.sort_by(f64::total_cmp);
    whole.sort_by(f64::total_cmp);
    outcome.values = if row.figures.len() == 4 {
        vec![percentile(&all, 50), percentile(&all, 95), percentile(&all, 99), percentile(&whole, 99)]
    } else if row.has(ACKS) {
        vec![percentile(&all, 50), acks]
    } else {
        vec![timeouts as f64, percentile(&all, 50)]
    };
    outcome.notes = format!("timeouts {timeouts}, handshakes with a loss {}", all.len() - whole.len());
    outcome
}

fn turns(bench: &mut Bench, request: u64, response: u64, pause: Nanos, count: u32) -> Outcome {
    let flow = bench.flow(Writer::Asks { request, response, pause, count }, Writer::Answers { request, response });
    let mut world = bench.world(vec![flow]);
    let all = response * u64::from(count);
    world.run(LONG, |flows| flows[0].sides[0].end.delivered().0 == all);
    let flow = &world.flows[0];
    let reports = flow.sides.each_ref().map(|side| side.end.report());
    let exchanges = &reports[0].exchanges;
    let mean = exchanges.iter().sum::<Nanos>() as f64 / exchanges.len().max(1) as f64 / MILLISECOND as f64;
    let mut violations: Vec<_> = reports.iter().flat_map(|report| report.episodes.violations.clone()).collect();
    if exchanges.len() as u64 != u64::from(count) {
        violations.push(format!("only {} of {count} exchanges were completed", exchanges.len()));
    }
    let [first, second] = flow.sides.each_ref().map(|side| side.sent);
    let acks = (first.acks + second.acks) as f64 / (first.texts + second.texts).max(1) as f64;
    let notes = format!("timeouts {} and {}", reports[0].timeouts, reports[1].timeouts);
    let packets = world.log.unwrap_or_default();
    Outcome {
        values: vec![mean, acks],
        violations,
        tracks: vec![track("who asks", &*flow.sides[0].end), track("who answers", &*flow.sides[1].end)],
        notes,
        packets,
        ..Outcome::default()
    }
}

fn trickle(bench: &mut Bench, user: Writer, turns: u64) -> Outcome {
    let all = user.allowed(turns, 0);
    let flow = bench.flow(user, Writer::Silent);
    let mut world = bench.world(vec![flow]);
    world.run(LONG, |flows| flows[0].delivered().0 == all);
    let flow = &world.flows[0];
    let report = flow.sides[0].end.report();
    let time = flow.delivered().1.saturating_sub(report.last_turn) as f64 / MILLISECOND as f64;
    let (violations, notes) = (report.episodes.violations, format!("timeouts {}", report.timeouts));
    let tracks = vec![track("", &*flow.sides[0].end)];
    let (values, packets) = (vec![time, acks_per_text(flow)], world.log.unwrap_or_default());
    Outcome { values, violations, tracks, notes, packets, ..Outcome::default() }
}

fn pair(bench: &mut Bench, duration: Nanos, second: Second, row: &Row) -> Outcome {
    let first = bench.end(0, Writer::Greedy);
    let names = match second {
        Second::Same => ["first flow", "second flow"],
        Second::Cubic | Second::CubicNotEct => ["first flow", "CUBIC"],
        Second::Stranger => ["segue", "the other NewReno"],
    };
    let second = bench.second(second);
    let later = u64::from(bench.rng.below(1000)) * MILLISECOND;
    let flows = [(first, 0), (second, later)];
    let flows = flows.map(|(sender, starts)| Flow::new([sender, bench.end(1, Writer::Silent)], starts));
    let mut world = bench.world(flows.into());
    world.run(duration, |_| false);
    let octets = [world.flows[0].delivered().0, world.flows[1].delivered().0];
    let tracks = names.iter().zip(&world.flows).map(|(name, flow)| track(name, &*flow.sides[0].end)).collect();
    let both = octets[0] + octets[1];
    let share = |octets: u64| octets as f64 / both.max(1) as f64;
    let reports = world.flows.iter().map(|flow| flow.sides[0].end.report()).collect::<Vec<_>>();
    let mut notes = format!("timeouts {} and {}", reports[0].timeouts, reports[1].timeouts);
    if let Some(aqm) = world.links[0].aqm() {
        let packets = aqm.waits().map(<[u32]>::len);
        let _ = write!(notes, ", packets {packets:?}, marked {:?}, dropped {:?}", aqm.marked(), aqm.dropped());
    }
    Outcome {
        values: values(row, |name| match name {
            SHARE => Some(share(octets[0])),
            SHARE_OF_CUBIC => Some(share(octets[1])),
            GOODPUT_OF_BOTH => Some(bench.share(both, duration)),
            _ => waits(&world, name),
        }),
        violations: reports.iter().flat_map(|report| report.episodes.violations.clone()).collect(),
        tracks,
        notes,
        packets: world.log.unwrap_or_default(),
        ..Outcome::default()
    }
}

/// The median; of an even number, the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// A row with a set of seeds.
#[derive(Clone, Debug)]
pub struct Measured {
    /// For each figure the median over the seeds.
    pub medians: Vec<f64>,
    /// For each seed its outcome.
    pub runs: Vec<(u64, Outcome)>,
}

/// The seeds that a row runs with: one that no seed changes, with the first only.
fn seeds_of<'a>(row: &Row, seeds: &'a [u64]) -> &'a [u64] {
    if row.is_random() { seeds } else { &seeds[..seeds.len().min(1)] }
}

/// What it costs to measure these rows: packets, and something for each run.
pub fn cost(rows: &[Row], seeds: &[u64]) -> f64 {
    rows.iter().map(|row| seeds_of(row, seeds).len() as f64 * run_cost(row)).sum()
}

fn run_cost(row: &Row) -> f64 {
    row.packets() + 100.0
}

/// Runs every row with every seed, the dearest first. `done` is told the cost of each run that is over.
pub fn measure(rows: &[Row], seeds: &[u64], done: impl Fn(f64, &Row) + Sync) -> Vec<Measured> {
    let jobs = rows.iter().enumerate().flat_map(|(i, row)| seeds_of(row, seeds).iter().map(move |seed| (i, *seed)));
    let mut jobs = jobs.map(|job| (run_cost(&rows[job.0]), job)).collect::<Vec<_>>();
    jobs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(&(cost, (i, seed))) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run(&rows[i], seed, None);
                    outcomes.lock().expect("no run panics with it").push((i, seed, outcome));
                    done(cost, &rows[i]);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("no run panics with it");
    outcomes.sort_by_key(|(i, seed, _)| (*i, *seed));
    let mut runs = rows.iter().map(|_| Vec::new()).collect::<Vec<_>>();
    for (i, seed, outcome) in outcomes {
        runs[i].push((seed, outcome));
    }
    rows.iter().zip(runs).map(|(row, runs)| summary(row, runs)).collect()
}

fn summary(row: &Row, runs: Vec<(u64, Outcome)>) -> Measured {
    let column = |i: usize| runs.iter().map(|(_, outcome)| outcome.values[i]).collect::<Vec<_>>();
    Measured { medians: (0..row.figures.len()).map(|i| median(column(i))).collect(), runs }
}
