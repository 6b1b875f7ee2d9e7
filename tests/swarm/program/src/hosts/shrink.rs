//! Simpler plans.

use std::time::Duration;

use segue::Config;
use segue_kit::net::{Closing, Reading};
use segue_kit::settings;
use segue_kit::swarm::wild;

use super::plan::{Limits, Odds, Plan, Stack, Way};

/// Simpler plans, the simplest first.
pub fn simpler(plan: &Plan) -> Vec<Plan> {
    let mut simpler = Vec::new();
    let mut offer = |change: &dyn Fn(&mut Plan)| {
        let mut changed = plan.clone();
        change(&mut changed);
        if changed != *plan {
            simpler.push(changed);
        }
    };
    let flows = plan.flows.len();
    for size in [flows / 2, flows / 4, 1] {
        for at in (0..flows).step_by(size.max(1)) {
            if size > 0 && size < flows {
                offer(&|plan| drop(plan.flows.drain(at..flows.min(at + size))));
            }
        }
    }
    offer(&|plan| plan.boxes.clear());
    offer(&|plan| plan.partitions.clear());
    offer(&|plan| plan.flood = None);
    offer(&|plan| plan.calm = Duration::ZERO);
    offer(&|plan| plan.calm /= 2);
    offer(&|plan| plan.encode = false);
    offer(&|plan| plan.start = 0);
    offer(&|plan| plan.v6 = false);
    for at in 0..plan.boxes.len() {
        offer(&|plan| drop(plan.boxes.drain(at..=at)));
        offer(&|plan| plan.boxes[at].strip = Default::default());
        offer(&|plan| plan.boxes[at].clamp_mss = None);
        offer(&|plan| plan.boxes[at].bleach = false);
        offer(&|plan| plan.boxes[at].hides_sack = false);
        offer(&|plan| plan.boxes[at].split = 0);
        offer(&|plan| plan.boxes[at].coalesce = Duration::ZERO);
        offer(&|plan| plan.boxes[at].shift = 0);
        offer(&|plan| plan.boxes[at].nat = None);
    }
    for at in 0..plan.trunks.len() {
        ways(&mut offer, &|plan| &mut plan.trunks[at]);
    }
    for at in 0..plan.hosts.len() {
        host(&mut offer, plan, at);
    }
    for at in 0..flows {
        flow(&mut offer, at);
    }
    simpler
}

type Offer<'a> = dyn FnMut(&dyn Fn(&mut Plan)) + 'a;

fn ways(offer: &mut Offer<'_>, way: &dyn Fn(&mut Plan) -> &mut Way) {
    offer(&|plan| *way(plan) = Way::default());
    offer(&|plan| way(plan).link = Default::default());
    offer(&|plan| way(plan).link.rate = 0);
    offer(&|plan| way(plan).odds = Odds::default());
    offer(&|plan| way(plan).odds.lose = 0);
    offer(&|plan| way(plan).odds.burst = 0);
    offer(&|plan| way(plan).odds.double = 0);
    offer(&|plan| way(plan).odds.hold = 0);
    offer(&|plan| way(plan).odds.corrupt = 0);
    offer(&|plan| way(plan).odds.mark = 0);
}

fn host(offer: &mut Offer<'_>, plan: &Plan, at: usize) {
    ways(offer, &|plan| &mut plan.hosts[at].access);
    offer(&|plan| plan.hosts[at].router = 0);
    offer(&|plan| plan.hosts[at].mtu = 1500);
    offer(&|plan| plan.hosts[at].late = Duration::ZERO);
    offer(&|plan| plan.hosts[at].batch = Duration::ZERO);
    offer(&|plan| plan.hosts[at].room = 0);
    offer(&|plan| plan.hosts[at].sleep = None);
    offer(&|plan| plan.hosts[at].reboot = None);
    if let Stack::Segue(_) = plan.hosts[at].stack {
        let limits = |plan: &mut Plan, change: &dyn Fn(&mut Limits)| {
            if let Stack::Segue(limits) = &mut plan.hosts[at].stack {
                change(limits);
            }
        };
        offer(&|plan| limits(plan, &|limits| *limits = Limits::default()));
        offer(&|plan| limits(plan, &|limits| limits.memory = 0));
        offer(&|plan| limits(plan, &|limits| limits.connections = 0));
        offer(&|plan| limits(plan, &|limits| limits.time_wait = 0));
        offer(&|plan| limits(plan, &|limits| limits.answers = 0));
        offer(&|plan| limits(plan, &|limits| limits.ports = 0));
        offer(&|plan| limits(plan, &|limits| limits.half_open = 0));
        offer(&|plan| limits(plan, &|limits| limits.ready = 0));
        offer(&|plan| limits(plan, &|limits| limits.gate = None));
        offer(&|plan| limits(plan, &|limits| limits.hasty = false));
    }
    let default = if plan.patient { wild::patient(&Config::default()) } else { Config::default() };
    offer(&|plan| plan.hosts[at].config = default);
    let own = plan.hosts[at].config;
    for name in settings::NAMES {
        let differs = settings::show_one(&own, name) != settings::show_one(&default, name);
        let copied = settings::copy_one(own.to_builder(), name, &default).build();
        if let Some(config) = copied.ok().filter(|_| differs) {
            offer(&|plan| plan.hosts[at].config = config);
        }
    }
}

fn flow(offer: &mut Offer<'_>, at: usize) {
    offer(&|plan| plan.flows[at].at = Duration::ZERO);
    offer(&|plan| plan.flows[at].from = None);
    for end in 0..2 {
        offer(&|plan| plan.flows[at].programs[end].octets = 0);
        offer(&|plan| plan.flows[at].programs[end].octets /= 2);
        offer(&|plan| {
            let octets = &mut plan.flows[at].programs[end].octets;
            *octets = octets.saturating_sub(1);
        });
        offer(&|plan| plan.flows[at].programs[end].reading = Reading::Eager);
        offer(&|plan| plan.flows[at].programs[end].pause = Duration::ZERO);
        offer(&|plan| plan.flows[at].programs[end].chunk = 1 << 16);
        offer(&|plan| plan.flows[at].programs[end].answers = 0);
        offer(&|plan| plan.flows[at].programs[end].low_water = 0);
        offer(&|plan| plan.flows[at].programs[end].flushed = false);
        offer(&|plan| {
            let closing = &mut plan.flows[at].programs[end].closing;
            *closing = match *closing {
                Closing::AfterPeer(_) => Closing::AfterPeer(Duration::ZERO),
                _ => Closing::WhenWritten,
            };
        });
    }
}
