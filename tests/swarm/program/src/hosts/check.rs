//! Whether a plan makes sense: what it names is there, and each field is in the range that the generator draws from, or not far
//! from it.

use std::time::Duration;

use segue::Path;
use segue_kit::net::Side;

use super::judge;
use super::plan::{Flood, Flow, Host, Middlebox, Plan, Program, Stack, Way};
use crate::check::{self, Check, OCTETS, PER_MILLE, START, each, holds, seconds, within};

/// Checks all of it.
pub fn check(plan: &Plan) -> Check {
    within("start", plan.start, START)?;
    within("calm", plan.calm, seconds(600))?;
    within("hosts", plan.hosts.len(), 2..=20)?;
    each("hosts", &plan.hosts, 20, |field, one| host(plan, field, one))?;
    each("trunks", &plan.trunks, 20, way)?;
    each("boxes", &plan.boxes, plan.hosts.len(), |field, one| middlebox(plan, field, one))?;
    each("partitions", &plan.partitions, 20, |field, one| {
        place(format!("{field}.trunk"), one.trunk, plan.trunks.len())?;
        check::spell(field, (one.from, one.until), 3050)
    })?;
    plan.flood.iter().try_for_each(|one| flood(plan, one))?;
    within("flows", plan.flows.len(), 1..=120)?;
    each("flows", &plan.flows, 120, |field, one| flow(plan, field, one))?;
    let smoltcp = |flow: &Flow| plan.host(flow.server).limits().is_none();
    let ports: Vec<u16> = plan.flows.iter().filter(|flow| smoltcp(flow)).map(|flow| flow.port).collect();
    let twice = (1..ports.len()).any(|at| ports[..at].contains(&ports[at]));
    holds(!twice, "flows", || "two with one port to smoltcp, where a socket listens for one flow".into())
}

/// The number of one of so many.
fn place(field: String, number: u8, count: usize) -> Check {
    holds(usize::from(number) < count, field, || format!("{number}, and there are {count}"))
}

fn way(field: &str, way: &Way) -> Check {
    check::link(format!("{field}.link"), &way.link)?;
    let odds = way.odds;
    for (name, per_mille) in [
        ("lose", odds.lose),
        ("burst", odds.burst),
        ("double", odds.double),
        ("hold", odds.hold),
        ("corrupt", odds.corrupt),
        ("mark", odds.mark),
    ] {
        within(format!("{field}.odds.{name}"), per_mille, PER_MILLE)?;
    }
    within(format!("{field}.odds.held"), odds.held, seconds(10))
}

fn host(plan: &Plan, field: &str, host: &Host) -> Check {
    let name = |part: &str| format!("{field}.{part}");
    match &host.stack {
        Stack::Segue(limits) => {
            within(name("stack.ports"), limits.ports, 0..=1000)?;
            limits.gate.iter().try_for_each(|(wait, refused)| {
                within(name("stack.gate"), *wait, seconds(50))?;
                within(name("stack.gate"), *refused, PER_MILLE)
            })?;
        }
        Stack::Smoltcp(settings) => {
            within(name("stack.receive"), settings.receive, 1..=1_000_000)?;
            within(name("stack.send"), settings.send, 1..=1_000_000)?;
        }
    }
    place(name("router"), host.router, plan.trunks.len() + 1)?;
    way(&name("access"), &host.access)?;
    within(name("mtu"), host.mtu, if plan.v6 { 1280 } else { 576 }..=60_000)?;
    within(name("late"), host.late, seconds(50))?;
    within(name("batch"), host.batch, seconds(2))?;
    host.sleep.iter().try_for_each(|sleep| check::spell(name("sleep"), *sleep, 1050))?;
    host.reboot.iter().try_for_each(|at| within(name("reboot"), *at, seconds(50)))
}

fn middlebox(plan: &Plan, field: &str, one: &Middlebox) -> Check {
    place(format!("{field}.host"), one.host, plan.hosts.len())?;
    one.clamp_mss.iter().try_for_each(|mss| within(format!("{field}.clamp_mss"), *mss, 100..=60_000))?;
    within(format!("{field}.split"), one.split, PER_MILLE)?;
    within(format!("{field}.coalesce"), one.coalesce, seconds(1))?;
    // one that forgets at once runs out of ports
    let nat =
        |idle: &Duration| within(format!("{field}.nat"), *idle, Duration::from_secs(1)..=Duration::from_secs(1000));
    one.nat.iter().try_for_each(nat)
}

fn flood(plan: &Plan, flood: &Flood) -> Check {
    place("flood.host".into(), flood.host, plan.hosts.len())?;
    within("flood.at", flood.at, seconds(10))?;
    within("flood.every", flood.every, seconds(1))?;
    within("flood.count", flood.count, 0..=1000)
}

fn flow(plan: &Plan, field: &str, flow: &Flow) -> Check {
    let name = |part: &str| format!("{field}.{part}");
    place(name("client"), flow.client, plan.hosts.len())?;
    place(name("server"), flow.server, plan.hosts.len())?;
    holds(flow.client != flow.server, name("server"), || format!("{} is the client, too", flow.server))?;
    let ends = [flow.client, flow.server];
    let judged = ends.iter().any(|host| plan.host(*host).limits().is_some());
    holds(judged, name("server"), || "both ends are smoltcp's".into())?;
    within(name("port"), flow.port, 1..=u16::MAX)?;
    flow.from.iter().try_for_each(|port| within(name("from"), *port, 1..=u16::MAX))?;
    within(name("at"), flow.at, seconds(20))?;
    each(&name("programs"), &flow.programs, 2, program)?;
    let paths = ends.map(|host| Path::new(plan.address(host), plan.host(host).mtu));
    let configs = ends.map(|host| judge::config(plan.host(host)));
    Side::BOTH.into_iter().try_for_each(|side| {
        let field = name(&format!("programs[{}].octets", side.index()));
        check::octets(field, flow.program(side).octets, (&paths, &configs), side)
    })
}

fn program(field: &str, program: &Program) -> Check {
    within(format!("{field}.answers"), program.answers, OCTETS)?;
    within(format!("{field}.chunk"), program.chunk, 1..=u32::MAX)?;
    within(format!("{field}.pause"), program.pause, seconds(2))?;
    check::reading(format!("{field}.reading"), program.reading)?;
    check::closing(format!("{field}.closing"), program.closing)
}
