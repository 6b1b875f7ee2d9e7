//! Two connections: the wild pairs of `tests/swarm`, with the same plan for each number.

use segue::Config;
use segue_kit::net::{Heap, Meter, Plan, Side, meter, run};
use segue_kit::swarm::verdict;
use segue_kit::swarm::wild::{self, Family};
use serde::{Deserialize, Serialize};

use crate::Counts;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Pair {
    pub family: Family,
    pub plan: Plan,
}

impl Pair {
    pub fn draw(seed: u64) -> Self {
        let (family, plan) = wild::plan(seed);
        Self { family, plan }
    }

    pub fn play(&self) -> Result<Counts, String> {
        count_heap();
        let outcome = run(&self.plan);
        verdict::judge(self.family, &outcome)?;
        let mut counts = Counts::default();
        counts.add("connections", 1);
        counts.add("segments", outcome.segments.into());
        counts.add("octets", Side::BOTH.iter().map(|side| outcome.host(*side).user.delivered).sum());
        let finished = Side::BOTH.iter().all(|side| outcome.reason(*side) == Some(segue::CloseReason::Finished));
        counts.add("finished at both ends", finished.into());
        let settings = self.plan.ends.iter().filter(|end| end.config != Config::default()).count();
        counts.add("ends with settings of their own", settings as u64);
        Ok(counts)
    }

    pub fn simpler(&self) -> Vec<Self> {
        let plans = wild::shrink(&self.plan);
        plans.into_iter().map(|plan| Self { family: self.family, plan }).collect()
    }

    pub fn ladder(&self) -> String {
        count_heap();
        let outcome = run(&self.plan);
        let problem = verdict::judge(self.family, &outcome).err().unwrap_or_else(|| "all laws were kept".into());
        verdict::report(self.plan.seed, self.family, &problem, &outcome)
    }
}

/// From now on calls to connections are measured.
pub fn count_heap() {
    meter(Meter {
        measure: |code| {
            let info = allocation_counter::measure(code);
            Heap { octets: info.bytes_current, allocations: info.count_total }
        },
        apart: |code| allocation_counter::opt_out(code),
    });
}
