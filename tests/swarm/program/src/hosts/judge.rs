//! What a run must have come to: the law of liveness, and what excuses a flow from it.

use std::time::Duration;

use segue::host::EndpointConfig;
use segue::{CloseReason, Config, Instant, IpVersion, Path};
use segue_kit::net::{self, Closing, Driver, Ideal, Link, Side};

use super::neighbour::has_left;
use super::plan::{Flow, Host, Limits, Plan, Stack};
use super::shared::World;
use super::task::{Over, by_itself};

/// Why not everything need arrive in a flow; `None`: it must.
fn excuse(plan: &Plan, flow: &Flow) -> Option<&'static str> {
    if !plan.patient {
        return Some("impatient");
    }
    let ends = [flow.client, flow.server].map(|host| plan.host(host));
    let flows = plan.flows.len();
    if ends.iter().any(|host| host.limits().is_some_and(|limits| is_tight(limits, host, flows))) {
        return Some("the limits of an endpoint");
    }
    if flow.programs.iter().any(|program| matches!(program.closing, Closing::Abort(_) | Closing::Release(_))) {
        return Some("a user left");
    }
    if ends.iter().any(|host| host.reboot.is_some()) {
        return Some("a host started anew");
    }
    if [flow.client, flow.server].iter().any(|host| plan.middlebox(*host).is_some_and(|one| one.nat.is_some())) {
        return Some("a NAT may have forgotten");
    }
    if plan.flood.as_ref().is_some_and(|flood| flood.host == flow.server) {
        return Some("a flood of SYNs");
    }
    None
}

/// Whether this number of flows may reach a limit.
fn is_tight(limits: &Limits, host: &Host, flows: usize) -> bool {
    let below = |n: u16| n > 0 && usize::from(n) < 2 * flows;
    let budget = limits.memory > 0 && limits.memory as usize / flows < 8 * room(host);
    let answers = limits.answers > 0 && limits.answers < 64;
    budget
        || answers
        || limits.hasty
        || limits.gate.is_some()
        || [limits.connections, limits.half_open, limits.ready].into_iter().any(below)
}

/// What the budget may hold for a connection, nearly.
fn room(host: &Host) -> usize {
    let window = host.config.receive_buffer().max(host.config.receive_buffer_initial());
    2 * (window as usize + host.config.send_buffer() as usize) + 100_000
}

/// After the run.
pub(super) fn run(world: &World<'_>, last_packet: Instant) -> Result<(), String> {
    let plan = world.plan;
    for (number, flow) in plan.flows.iter().enumerate() {
        one(world, number, flow).map_err(|problem| format!("flow {number}: {problem}"))?;
    }
    let silent = last_packet.saturating_since(Instant::from_micros(plan.start));
    let (calm, most) = (plan.calm(), most_time(plan));
    let free =
        plan.flows.iter().all(|flow| !matches!(excuse(plan, flow), Some("impatient" | "the limits of an endpoint")));
    if free && silent > calm + most {
        let took = silent - calm;
        return Err(format!("livelock: it took {took:?} after the faults stopped (at {calm:?}), {most:?} are enough"));
    }
    Ok(())
}

/// Whether a reset may end a connection after both sides have closed: of a host whose TIME-WAIT a reset ends (RFC 1337), or of
/// one whose peer may not have waited for 2 MSL, for its limit or as smoltcp's does. Where a plan is patient, no reset comes from a
/// peer that has waited.
fn may_end_by_reset(host: &Host, peer: &Host) -> bool {
    !host.config.rfc1337() || peer.limits().is_none_or(|limits| limits.time_wait > 0)
}

fn one(world: &World<'_>, number: usize, flow: &Flow) -> Result<(), String> {
    let tasks = Side::BOTH.map(|side| world.task(number, side));
    let finished =
        |side: Side| tasks[side.index()].is_some_and(|task| task.over == Some(Over::Closed(CloseReason::Finished)));
    if Side::BOTH.into_iter().all(finished) {
        for side in Side::BOTH {
            let (writer, reader) = (tasks[side.index()], tasks[side.other().index()]);
            let (written, read) = (writer.map_or(0, |task| task.written), reader.map_or(0, |task| task.read));
            if written != read {
                return Err(format!("both finished, but of {written} octets of the {} {read} were read", side.name()));
            }
        }
    }
    if excuse(world.plan, flow).is_some() {
        return Ok(());
    }
    let sign = world.signs.get(&number);
    let host = |side: Side| world.plan.host(flow.host(side));
    if has_left(world, number) {
        return Ok(()); // its peer can know nothing of that; what it must not have any more, `remains` tells
    }
    for side in Side::BOTH {
        // what another stack does to itself, and only that
        if sign.is_some() && host(side).limits().is_none() {
            continue;
        }
        let name = side.name();
        let Some(task) = tasks[side.index()] else { return Err(format!("the {name} never had a connection")) };
        task.is_complete(flow.program(side), flow.program(side.other()))?;
        match task.over {
            Some(Over::Closed(CloseReason::Finished)) => {}
            Some(Over::Closed(CloseReason::Reset)) if may_end_by_reset(host(side), host(side.other())) => {}
            over => return Err(format!("all is silent, and the {name} has not finished: {over:?}")),
        }
    }
    Ok(())
}

/// What there was to judge.
pub(super) fn count(world: &mut World<'_>) {
    let plan = world.plan;
    for (number, flow) in plan.flows.iter().enumerate() {
        world.counts.add("flows", 1);
        let over = Side::BOTH.map(|side| world.task(number, side).and_then(|task| task.over));
        let all = over.iter().all(|over| *over == Some(Over::Closed(CloseReason::Finished)));
        world.counts.add("flows that finished at both ends", all.into());
        world.counts.add(excuse(plan, flow).unwrap_or("flows that had to finish"), 1);
        if let Some(sign) = world.signs.get(&number) {
            world.counts.add(sign, 1);
        }
        let read = Side::BOTH.map(|side| world.task(number, side).map_or(0, |task| task.read));
        world.counts.add("octets", read.iter().sum());
    }
}

/// A flow as a pair, as far as time and work depend on it.
fn as_pair(plan: &Plan, flow: &Flow) -> net::Plan {
    let mut pair = net::Plan::exchange(0, 0);
    let (a, b) = (plan.host(flow.client), plan.host(flow.server));
    let (low, high) = (a.router.min(b.router), a.router.max(b.router));
    let trunks = plan.trunks[usize::from(low)..usize::from(high)].iter();
    let ways: Vec<_> = [&a.access, &b.access].into_iter().chain(trunks).collect();
    let coalesce: Duration = plan.boxes.iter().map(|one| one.coalesce).sum();
    let delay: Duration = ways.iter().map(|way| way.link.delay + way.odds.held).sum();
    let rate = ways.iter().map(|way| way.link.rate).filter(|rate| *rate > 0).min().unwrap_or(0);
    pair.links = [Link { delay: delay + coalesce, rate, queue: 0 }; 2];
    for side in Side::BOTH {
        let (host, end) = (plan.host(flow.host(side)), &mut pair.ends[side.index()]);
        let (program, peer) = (flow.program(side), flow.program(side.other()));
        end.config = config(host);
        end.path = Path { ip: version(plan), mtu: least_mtu(plan, flow), ip_options: 0 };
        (end.octets, end.chunk, end.pause) = (program.octets, program.chunk, program.pause);
        end.closing = Closing::At(by_itself(program, peer, end.config.receive_buffer()));
        end.driver = Driver::Sloppy { late: host.late, batch: host.batch };
    }
    pair
}

/// The configuration of a host, or what comes near to it.
pub(super) fn config(host: &Host) -> Config {
    match &host.stack {
        Stack::Segue(_) => host.config,
        Stack::Smoltcp(settings) => {
            let alike = Config::builder().receive_buffer(settings.receive).send_buffer(settings.send);
            alike.build().expect("buffers that segue may have, too")
        }
    }
}

const fn version(plan: &Plan) -> IpVersion {
    if plan.v6 { IpVersion::V6 } else { IpVersion::V4 }
}

/// The MTU that what both ends know comes to.
fn least_mtu(plan: &Plan, flow: &Flow) -> u16 {
    let boxes = plan.boxes.iter().filter(|one| [flow.client, flow.server].contains(&one.host));
    let header = version(plan).header() + 20;
    let plain = if plan.v6 { 1280 } else { 576 };
    let told = boxes.map(|one| if one.strip.mss { plain } else { one.clamp_mss.unwrap_or(u16::MAX - 100) + header });
    let hosts = [flow.client, flow.server].map(|host| plan.host(host).mtu);
    told.chain(hosts).min().unwrap_or(plain)
}

/// The most time that all flows take after the last fault, one after the other.
fn most_time(plan: &Plan) -> Duration {
    let calm = plan.calm();
    let each = plan.flows.iter().map(|flow| {
        let pair = as_pair(plan, flow);
        Ideal::of(&pair).most_time(&pair, calm)
    });
    // an old SYN is answered until TIME-WAIT of its flow is over
    let old = plan.hosts.iter().map(|host| 2 * host.config.msl()).max().unwrap_or_default();
    // and who has used up its challenge ACKs is silent (RFC 5961 §7)
    let silenced = plan.hosts.iter().map(|host| host.config.challenge_window()).max().unwrap_or_default();
    each.sum::<Duration>() + old + silenced
}

/// Until when a run is watched.
pub(super) fn longest(plan: &Plan) -> Duration {
    const TIME_WAIT: Duration = Duration::from_secs(4 * 3600);
    const PATIENCE: Duration = Duration::from_secs(100 * 24 * 3600);
    if plan.patient { plan.calm() + 2 * most_time(plan) + TIME_WAIT } else { PATIENCE }
}

/// The most packets of a run.
#[derive(Clone, Debug)]
pub(super) struct Packets {
    pairs: Vec<(Ideal, net::Plan)>,
    floods: u64,
    calm: Duration,
}

impl Packets {
    pub(super) fn of(plan: &Plan) -> Self {
        let pairs = plan.flows.iter().map(|flow| {
            let pair = as_pair(plan, flow);
            (Ideal::of(&pair), pair)
        });
        let answers = EndpointConfig::default().answers as u64;
        let floods = plan.flood.as_ref().map_or(0, |flood| 8 * u64::from(flood.count) + answers);
        // smoltcp's sender fills a window that opens by single octets (no SWS avoidance)
        let is_smoltcp =
            |flow: &Flow| [flow.client, flow.server].iter().any(|host| plan.host(*host).limits().is_none());
        let singles = plan.flows.iter().filter(|flow| is_smoltcp(flow));
        let singles: u64 = singles.flat_map(|flow| &flow.programs).map(|program| 3 * program.octets).sum();
        Self { pairs: pairs.collect(), floods: floods + singles, calm: plan.calm() }
    }

    pub(super) fn by(&self, elapsed: Duration) -> u64 {
        let each = self.pairs.iter().map(|(ideal, pair)| ideal.most_segments(pair, elapsed.max(self.calm)));
        4000 + self.floods + 4 * each.sum::<u64>()
    }
}
