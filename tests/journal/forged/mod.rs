//! Snapshots that somebody has changed: whatever stands in the place of any node, reading gives an error, or a connection that
//! no event can harm.

mod tree;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use segue::{Connection, Event, Instant, Knob, State};
use segue_kit::Rng;
use segue_kit::ends::Ends;
use segue_kit::net::{Caught, caught};
use serde_json::Value;

use tree::{Place, Seen, node, places, shape, with};

/// No clock of a connection goes further.
const END_OF_TIME: Instant = Instant::from_micros(1 << 58);

/// How much is tried. `SEGUE_CASES` says how many worlds, from the seed `SEGUE_FROM` on, for a longer search.
struct Search {
    worlds: u64,
    from: u64,
    /// Nodes of each kind, and forgeries of each node.
    nodes: usize,
    forgeries: usize,
}

impl Search {
    fn new() -> Self {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
        let from = number("SEGUE_FROM").unwrap_or(1);
        match number("SEGUE_CASES") {
            None => Self { worlds: 24, from, nodes: 1, forgeries: 6 },
            Some(worlds) => {
                Self { worlds, from, nodes: 1 + usize::try_from(worlds / 20).unwrap(), forgeries: usize::MAX }
            }
        }
    }

    fn snapshots(&self) -> Vec<Taken> {
        (self.from..self.from + self.worlds).flat_map(snapshots).collect()
    }
}

/// A snapshot, and the world that it was taken in.
struct Taken {
    seed: u64,
    world: Ends,
    end: usize,
    snapshot: Value,
}

/// A few snapshots of the world of a seed, one of each state at least.
fn snapshots(seed: u64) -> Vec<Taken> {
    let mut world = Ends::new(seed);
    let (mut taken, mut states) = (vec![], HashSet::new());
    let mut rng = Rng::new(seed);
    let (first, each) = (rng.below(20), 10 + rng.below(20));
    for step in 0..60 {
        for end in 0..2 {
            let Some(connection) = world.connection(end) else { continue };
            if states.insert(connection.state()) || step % each == first % each && step % 2 == end as u32 {
                let snapshot = serde_json::to_value(connection).expect("it is written");
                taken.push(Taken { seed, world: world.clone(), end, snapshot });
            }
        }
        world.step();
    }
    taken
}

/// What follows in the world that the connection was taken of.
fn goes_on(mut world: Ends) {
    for _ in 0..12 {
        world.step();
    }
}

/// What somebody sends who means harm, and a user who does what is allowed.
fn is_attacked(mut world: Ends, end: usize) {
    for step in 0..16 {
        let forged = world.forged(end);
        world.call(end, Event::Segment(forged));
        let room = world.connection(end).map_or(0, Connection::send_room).min(5000);
        match step % 8 {
            1 => world.call(end, Event::Send(vec![7; room].into())),
            3 => world.call(end, Event::Consume(usize::MAX)),
            5 => world.call(end, Event::Set(Knob::ReceiveBuffer(5000))),
            7 => world.call(end, Event::Mtu(1280)),
            _ => {}
        }
        if step % 3 == 0 {
            world.now += Duration::from_millis(50);
            runs_timers(&mut world, end);
        }
    }
}

/// Runs the timers that are due: one call serves them all, and a second one the end of a patience that was forged.
fn runs_timers(world: &mut Ends, end: usize) {
    let due = |world: &Ends| world.connection(end).and_then(Connection::next_deadline);
    for calls in 0.. {
        let Some((timer, at)) = due(world).filter(|(_, at)| *at <= world.now.min(END_OF_TIME)) else { return };
        assert!(calls < 2, "the timers ran at {}, and {timer:?} is left, due at {at}", world.now);
        world.call(end, Event::Timer(timer));
    }
}

/// Nobody sends anything: timers run when they are due, then years later; at last the user closes, and aborts.
fn is_left_alone(mut world: Ends, end: usize) {
    for round in 0..24 {
        let Some((_, at)) = world.connection(end).and_then(Connection::next_deadline) else { break };
        world.now = world.now.max(at);
        runs_timers(&mut world, end);
        match round {
            14 => world.now += Duration::from_secs(100_000_000),
            18 => world.call(end, Event::Close),
            20 => world.now = Instant::from_micros(u64::MAX),
            _ => {}
        }
    }
    world.call(end, Event::Abort);
    let left = world.connection(end).and_then(Connection::next_deadline);
    assert!(left.is_none(), "{left:?} after ABORT");
}

/// Whether the forged snapshot is read, and then does no harm.
fn judge(Taken { world, end, .. }: &Taken, forged: Value) -> Result<bool, String> {
    let told = |when: &'static str| {
        move |Caught { message, place }| {
            let (begin, chars) = (message.chars().take(200).collect::<String>(), message.chars().count());
            let end: String = message.chars().skip(chars.saturating_sub(80).max(200)).collect();
            format!("{when}, at {place}: {begin} .. {end}")
        }
    };
    let read = caught(|| serde_json::from_value::<Connection>(forged)).map_err(told("reading"))?;
    let Ok(connection) = read else { return Ok(false) };
    let mut world = world.clone();
    world.replace(*end, connection);
    caught(|| goes_on(world.clone())).map_err(told("going on"))?;
    caught(|| is_attacked(world.clone(), *end)).map_err(told("attacked"))?;
    caught(|| is_left_alone(world.clone(), *end)).map_err(told("left alone"))?;
    Ok(true)
}

/// What came of forgeries: how many were read, how many refused, and the first failure of each kind of node.
#[derive(Default)]
struct Tally {
    read: u64,
    refused: u64,
    failures: BTreeMap<String, String>,
}

impl Tally {
    /// Forges one node of a snapshot.
    fn try_node(&mut self, search: &Search, seen: &Seen, taken: &Taken, place: &Place) {
        let (kind, was) = (shape(place), node(&taken.snapshot, place));
        let mut rng =
            Rng::new(taken.seed ^ kind.bytes().fold(7, |sum: u64, octet| sum.wrapping_mul(31) + u64::from(octet)));
        let mut forgeries = seen.forgeries(&mut rng, place, was);
        while forgeries.len() > search.forgeries {
            forgeries.swap_remove(rng.below(forgeries.len() as u32) as usize);
        }
        for forgery in forgeries {
            let told = format!("{forgery:.60}, which was {was:.60}, in a world of seed {}", taken.seed);
            match judge(taken, with(&taken.snapshot, place, forgery)) {
                Ok(true) => self.read += 1,
                Ok(false) => self.refused += 1,
                Err(why) => drop(self.failures.entry(kind.clone()).or_insert_with(|| format!("{told}: {why}"))),
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.read += other.read;
        self.refused += other.refused;
        for (kind, failure) in other.failures {
            self.failures.entry(kind).or_insert(failure);
        }
    }
}

#[test]
fn every_node_forged_is_refused_or_does_no_harm() {
    let search = Search::new();
    let all = search.snapshots();
    let (mut seen, mut kinds) = (Seen::default(), BTreeMap::<String, Vec<(&Taken, Place)>>::new());
    for taken in &all {
        seen.note(&taken.snapshot);
        for place in places(&taken.snapshot) {
            kinds.entry(shape(&place)).or_default().push((taken, place));
        }
    }
    let mut rng = Rng::new(search.from);
    let mut nodes = vec![];
    for of_kind in kinds.values_mut() {
        for _ in 0..search.nodes.min(of_kind.len()) {
            nodes.push(of_kind.swap_remove(rng.below(of_kind.len() as u32) as usize));
        }
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let run = |nth: usize| {
        let mut tally = Tally::default();
        let part = nodes.iter().skip(nth).step_by(threads);
        part.for_each(|(taken, place)| tally.try_node(&search, &seen, taken, place));
        tally
    };
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let run = &run;
        let parts: Vec<_> = (0..threads).map(|nth| scope.spawn(move || run(nth))).collect();
        parts.into_iter().for_each(|part| tally.add(part.join().expect("it ends")));
    });
    let Tally { read, refused, failures } = tally;
    let told: Vec<_> = failures.iter().map(|(kind, failure)| format!("{kind} = {failure}")).collect();
    assert!(told.is_empty(), "of {read} read and {refused} refused, {} fail:\n{}", told.len(), told.join("\n"));
    println!("{} snapshots, {} kinds of nodes, {read} read, {refused} refused", all.len(), kinds.len());
    assert!(
        kinds.len() > 900 && read > 1500 && refused > 1500,
        "{} kinds, {read} read, {refused} refused",
        kinds.len()
    );
}

/// The worlds have what there is to forge: every state, controller and feature.
#[test]
fn the_snapshots_are_of_all_states_controllers_and_features() {
    let all: Vec<Taken> = (1..=60).flat_map(snapshots).collect();
    let states: BTreeSet<String> = all
        .iter()
        .filter_map(|taken| taken.world.connection(taken.end))
        .map(|connection| connection.state().to_string())
        .collect();
    let missing: Vec<_> = State::ALL.iter().filter(|state| !states.contains(&state.to_string())).collect();
    assert!(missing.is_empty(), "no snapshot in {missing:?}");
    let kinds: BTreeSet<String> =
        all.iter().flat_map(|taken| places(&taken.snapshot)).map(|place| shape(&place)).collect();
    let missing: Vec<_> = PARTS.iter().filter(|part| !kinds.iter().any(|kind| kind.ends_with(**part))).collect();
    assert!(missing.is_empty(), "no snapshot has {missing:?}");
}

/// What shows a controller or a feature at work.
const PARTS: [&str; 20] = [
    ".cc.Cubic",
    ".cc.Reno",
    ".cc.Bbr",
    ".cc.Prague",
    ".seldom.accurate",
    ".SynSent.fast_open.cookie",
    ".path_mtu.trouble.hole.Falling.cut",
    ".ts.recent",
    ".held.ranges",
    ".held.pieces.top[0].text",
    ".board.marks.sacked.top[0].start",
    ".board.marks.lost.top[0].start",
    ".board.marks.again[0][1]",
    ".episode.recovery.phase.Fast",
    ".episode.undo.reduction.again",
    ".episode.probe.end",
    ".rate.sampling.newest",
    ".pacer.empty_ns",
    ".validation",
    ".urgent.up",
];
