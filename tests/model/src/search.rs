//! Breadth first in layers: all runs without a fault, then all with one, and so on, where a fault is any step that the
//! bounds count. So the run to a violation has at most one fault more than the fewest that lead to one, unless it ends in
//! the fair schedule, which runs from a sample of the states. It need not be the shortest. A search that stops at its limit
//! has seen whole lives of connections, not only their beginnings.
//!
//! An own search, and not a model checker's: the state is a program's value, of which a search needs no more than a hash,
//! clones and a list of steps. The search keeps 8 octets of a state in a set, its parent and the step from there; the
//! values live only as long as they wait for their turn. The run to a violation is made again from its steps.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::laws::{Law, Violation, require};
use crate::moves::Move;
use crate::setting::Setting;
use crate::world::{SIDES, World};

/// How far a search goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) states: usize,
    /// The fair schedule runs from one state in `fair`, a power of two.
    pub(crate) fair: u64,
}

/// What a search saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) states: usize,
    pub(crate) transitions: u64,
    pub(crate) depth: u32,
    /// The search explored all runs with this number of faults.
    pub(crate) faults: Option<u32>,
    /// Distinct states of an end alone, each of which was attacked; states from which the fair schedule ran.
    pub(crate) ends: usize,
    pub(crate) schedules: u64,
    /// No state within the bounds was left out.
    pub(crate) complete: bool,
    pub(crate) found: Option<Found>,
}

/// A violation, and the steps to it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) violation: Violation,
    pub(crate) steps: Vec<Move>,
    /// It was found in the fair schedule after them.
    pub(crate) in_schedule: bool,
}

impl Found {
    /// How many steps lead to it.
    pub(crate) fn length(&self) -> String {
        let schedule = if self.in_schedule { " + schedule" } else { "" };
        format!("{}{schedule}", self.steps.len())
    }
}

/// The hashes are keys as they are.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("the keys are u64");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The states after each step, and the parent and the step that a state was first reached by.
type Futures = (Vec<Option<u64>>, u32, Option<Move>);
type Hashes = HashSet<u64, BuildHasherDefault<AsIs>>;

struct Search<'s> {
    limits: Limits,
    seen: Seen,
    hashes: Hashes,
    ends: Hashes,
    /// Of some states what follows from them.
    futures: HashMap<u64, Futures, BuildHasherDefault<AsIs>>,
    /// Of each state its parent and the step from there.
    parents: Vec<(u32, Option<Move>)>,
    /// By the faults on the way: number, depth, state.
    waiting: Vec<VecDeque<(u32, u32, World<'s>)>>,
}

/// Explores a configuration until its states are exhausted, the limit is reached, or a law does not hold.
pub(crate) fn search(setting: &Setting, limits: Limits) -> Seen {
    let (hashes, ends, futures, parents, waiting) = Default::default();
    let mut search = Search { limits, seen: Seen::default(), hashes, ends, futures, parents, waiting };
    search.seen.found = search.run(setting).err();
    search.seen.states = search.hashes.len();
    search.seen.ends = search.ends.len();
    search.seen
}

impl<'s> Search<'s> {
    fn run(&mut self, setting: &'s Setting) -> Result<(), Found> {
        let first = caught(|| World::new(setting, None)).map_err(|violation| Found {
            violation,
            steps: Vec::new(),
            in_schedule: false,
        })?;
        self.add(0, None, 0, first)?;
        let mut layer = 0;
        while layer < self.waiting.len() {
            let Some((state, depth, world)) = self.waiting[layer].pop_front() else {
                self.seen.faults = u32::try_from(layer).ok();
                layer += 1;
                continue;
            };
            self.seen.depth = self.seen.depth.max(depth);
            for step in world.moves() {
                let next = caught(|| world.after(step));
                let next = next.map_err(|violation| self.found(violation, state, Some(step)))?;
                let Some(next) = next else { continue };
                self.seen.transitions += 1;
                self.add(state, Some(step), depth + 1, next)?;
                if self.hashes.len() >= self.limits.states {
                    return Ok(());
                }
            }
        }
        self.seen.complete = true;
        Ok(())
    }

    /// A state that was reached: if it is new, its laws are checked, and it waits for its turn.
    fn add(&mut self, parent: u32, step: Option<Move>, depth: u32, world: World<'s>) -> Result<(), Found> {
        let hash = world.hash();
        let is_new = self.hashes.insert(hash);
        if hash >> 56 == 0 {
            let alike = self.equal_states_behave_alike(hash, (parent, step), &world);
            alike.map_err(|violation| self.found(violation, parent, step))?;
        }
        if !is_new {
            return Ok(());
        }
        for side in SIDES {
            let end = &world.ends[side];
            if self.ends.insert(end.hash(world.setting, world.now)) {
                let laws = || {
                    end.attacker_changes_nothing(world.now).and_then(|()| end.early_timer_changes_nothing(world.now))
                };
                caught(laws).map_err(|violation| self.found(violation, parent, step))?;
            }
        }
        if hash & (self.limits.fair - 1) == 0 {
            self.seen.schedules += 1;
            let mut world = world.clone();
            let fair = world.caught_fair();
            fair.map_err(|violation| Found { in_schedule: true, ..self.found(violation, parent, step) })?;
        }
        let state = u32::try_from(self.parents.len()).expect("fewer states than memory");
        self.parents.push((parent, step));
        let layer = world.faults() as usize;
        if self.waiting.len() <= layer {
            self.waiting.resize_with(layer + 1, VecDeque::new);
        }
        self.waiting[layer].push_back((state, depth, world));
        Ok(())
    }

    /// Two states that `canonical` does not tell apart have the same futures: of each hash in 256, all steps from the state
    /// that came first lead to the same states as those from any that comes later.
    fn equal_states_behave_alike(&mut self, hash: u64, (parent, step): (u32, Option<Move>), world: &World<'s>) -> Law {
        let after = |step: Move| caught(|| world.after(step)).ok().flatten().map(|next| next.hash());
        let moves = world.moves();
        let futures: Vec<_> = moves.iter().map(|&step| after(step)).collect();
        let first = self.futures.entry(hash).or_insert_with(|| (futures.clone(), parent, step));
        if first.0 == futures {
            return Ok(());
        }
        let (first, parent, step) = first.clone();
        let other = moves.iter().zip(first.iter().zip(&futures)).find(|(_, (a, b))| a != b);
        let steps = self.found(Violation { law: "", what: String::new() }, parent, step).steps;
        require(false, "equal_states_behave_alike", || {
            format!("{:?} leads elsewhere than from an equal state after {steps:?}", other.map(|(step, _)| step))
        })
    }

    /// The steps from the first state to this one, and one more.
    fn found(&self, violation: Violation, state: u32, step: Option<Move>) -> Found {
        let mut steps: Vec<Move> = step.into_iter().collect();
        let mut state = state;
        while let Some((parent, Some(step))) = self.parents.get(state as usize).copied() {
            steps.push(step);
            state = parent;
        }
        steps.reverse();
        Found { violation, steps, in_schedule: false }
    }
}

impl World<'_> {
    pub(crate) fn caught_step(&mut self, step: Move) -> Result<bool, Violation> {
        caught(|| self.step(step))
    }

    pub(crate) fn caught_fair(&mut self) -> Law {
        caught(|| self.fair_schedule_ends())
    }
}

/// A panic, of an invariant of the machine, is a violation, too.
fn caught<T>(run: impl FnOnce() -> Result<T, Violation>) -> Result<T, Violation> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let what = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_string();
        Err(Violation { law: "invariants", what })
    })
}
