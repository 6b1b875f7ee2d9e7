//! What the hosts of a run share: users, names, chance, time.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use segue::{Instant, SeqNum};
use segue_kit::Rng;
use segue_kit::net::Side;

use super::middlebox::Parcel;
use super::plan::Plan;
use super::task::Task;
use crate::Counts;

/// Packets with their addresses.
pub(super) type Parcels = Vec<Parcel>;

/// Steps that a ladder shows.
const STEPS: usize = 400;

/// What stations share: users, names, chance, time.
#[derive(Debug)]
pub(super) struct World<'a> {
    pub(super) plan: &'a Plan,
    pub(super) now: Instant,
    pub(super) rng: Rng,
    pub(super) tasks: Vec<Task>,
    /// The users of each flow: the client's, the server's.
    pub(super) flows: Vec<[Option<usize>; 2]>,
    /// The flow that a host opened with this number.
    pub(super) names: BTreeMap<(u8, u32), usize>,
    pub(super) counts: Counts,
    /// Signs of a fault of another stack, by the flow that it ended.
    pub(super) signs: BTreeMap<usize, &'static str>,
    /// The last steps, when they are kept.
    pub(super) steps: Option<VecDeque<String>>,
}

impl World<'_> {
    /// A user begins.
    pub(super) fn begin(&mut self, flow: usize, side: Side) -> usize {
        let number = self.tasks.len();
        self.tasks.push(Task::new(flow, side, self.now));
        self.flows[flow][side.index()] = Some(number);
        number
    }

    /// The last user of an end.
    pub(super) fn task(&self, flow: usize, side: Side) -> Option<&Task> {
        self.flows[flow][side.index()].map(|number| &self.tasks[number])
    }

    /// The flow whose client has this address and began with this number, as a server sees it.
    pub(super) fn who(&self, address: IpAddr, irs: SeqNum) -> Option<usize> {
        let host = self.plan.host_of(address)?;
        let shift = self.plan.middlebox(host).map_or(0, |middlebox| middlebox.shift);
        self.names.get(&(host, (irs - shift).value())).copied()
    }

    /// Whether the user wants to do something by now that only time kept it from.
    pub(super) fn is_due(&self, task: usize) -> bool {
        self.ticks(task).any(|at| at <= self.now)
    }

    /// When the user wants to do something next, if only time keeps it from that.
    pub(super) fn next_tick(&self, task: usize) -> Option<Instant> {
        self.ticks(task).filter(|at| *at > self.now).min()
    }

    fn ticks(&self, task: usize) -> impl Iterator<Item = Instant> {
        let task = &self.tasks[task];
        task.ticks(self.plan.flows[task.flow].program(task.side)).into_iter().flatten()
    }

    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        let start = Instant::from_micros(self.plan.start);
        let at = self.now.saturating_since(start);
        let Some(steps) = &mut self.steps else { return };
        if steps.len() == STEPS {
            steps.pop_front();
        }
        steps.push_back(format!("{:12.6} {}", at.as_secs_f64(), what()));
    }

    pub(super) fn up_to(&mut self, most: Duration) -> Duration {
        let micros = u32::try_from(most.as_micros()).unwrap_or(u32::MAX - 1);
        Duration::from_micros(self.rng.below(micros + 1).into())
    }
}
