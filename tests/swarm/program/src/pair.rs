//! Two connections: the wild pairs of `tests/swarm`, with the same plan for each number.

use segue::Config;
use segue_kit::net::{Driver, End, FaultKind, Heap, Magic, Meter, Narrow, Order, Plan, Side, meter, run};
use segue_kit::swarm::verdict;
use segue_kit::swarm::wild::{self, Family};
use serde::{Deserialize, Serialize};

use crate::Counts;
use crate::check::{self, Check, OCTETS, PER_MILLE, START, each, holds, seconds, within};

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

    /// Whether each field is in the range that the generator draws from, or not far from it.
    pub fn check(&self) -> Check {
        let plan = &self.plan;
        within("start", plan.start, START)?;
        each("links", &plan.links, 2, |field, link| check::link(field, link))?;
        each("ends", &plan.ends, 2, end)?;
        let (paths, configs) = (plan.ends.each_ref().map(|end| end.path), plan.ends.each_ref().map(|end| end.config));
        Side::BOTH.into_iter().try_for_each(|side| {
            let field = format!("ends[{}].octets", side.index());
            check::octets(field, plan.ends[side.index()].octets, (&paths, &configs), side)
        })?;
        each("faults", &plan.faults, 10_000, |field, fault| match fault.kind {
            FaultKind::Duplicate(micros) | FaultKind::Hold(micros) => within(field, micros, 0..=3_000_000),
            FaultKind::Lose | FaultKind::Corrupt(_) | FaultKind::Mark => Ok(()),
        })?;
        plan.outage.iter().try_for_each(|outage| check::spell("outage", (outage.from, outage.until), 10_000))?;
        let narrows = [("narrow", plan.narrow), ("also_narrow", plan.also_narrow)];
        narrows.iter().try_for_each(|(field, one)| one.iter().try_for_each(|one| narrow(plan, field, one)))?;
        each("spells", &plan.spells, 60, |field, spell| {
            check::spell(field, (spell.since, spell.until), 10_000)?;
            match spell.magic {
                Magic::Shuffle(time) => within(field, time, seconds(10)),
                Magic::Lose | Magic::Hold | Magic::Double => Ok(()),
            }
        })
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

fn narrow(plan: &Plan, field: &str, narrow: &Narrow) -> Check {
    let least = plan.ends[narrow.from.index()].path.ip.min_mtu();
    within(format!("{field}.mtu"), narrow.mtu, least..=u16::MAX)?;
    within(format!("{field}.at"), narrow.at, seconds(20))
}

fn end(field: &str, end: &End) -> Check {
    let name = |part: &str| format!("{field}.{part}");
    let least = end.path.ip.min_mtu();
    within(name("path.mtu"), end.path.mtu, least..=u16::MAX)?;
    within(name("path.ip_options"), end.path.ip_options, 0..=40)?;
    let text = end.path.ip_options == 0 || end.path.mtu >= least + 120;
    holds(text, name("path.mtu"), || format!("{} has no room for text beside these IP options", end.path.mtu))?;
    within(name("answers"), end.answers, OCTETS)?;
    within(name("chunk"), end.chunk, 1..=u32::MAX)?;
    within(name("pause"), end.pause, seconds(5))?;
    each(&name("pieces"), &end.pieces, 40, |field, (at, octets)| {
        within(field, *at, seconds(600))?;
        within(field, u64::from(*octets), 1..=*OCTETS.end())
    })?;
    check::closing(name("closing"), end.closing)?;
    check::reading(name("reading"), end.reading)?;
    if let Driver::Sloppy { late, batch } = end.driver {
        within(name("driver.late"), late, seconds(6000))?;
        within(name("driver.batch"), batch, seconds(2))?;
    }
    within(name("fidgets"), end.fidgets, PER_MILLE)?;
    within(name("frame"), end.frame, 0..=1 << 20)?;
    end.sleep.iter().try_for_each(|sleep| check::spell(name("sleep"), (sleep.since, sleep.until), 10_000))?;
    each(&name("orders"), &end.orders, 40, |field, (at, order)| {
        within(field, *at, seconds(100))?;
        match order {
            Order::Mtu(mtu) => within(field, *mtu, least..=u16::MAX),
            Order::Set(_) => Ok(()), // a knob takes any value
        }
    })
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
