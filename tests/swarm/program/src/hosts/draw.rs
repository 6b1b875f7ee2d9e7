//! What a number decides: about half of the settings, of the kinds of faults and of the limits are absent in each plan, so
//! that the others get room; those that are there take their edges on purpose.

use std::time::Duration;

use segue::{Config, Path};
use segue_kit::Rng;
use segue_kit::net::{Closing, Link, Reading, Side};
use segue_kit::settings::{self, Mixture, magnitude};
use segue_kit::swarm::wild::{self, time};

use super::judge;
use super::plan::{
    Flood, Flow, Host, Limits, Middlebox, Odds, Partition, Plan, Program, Smoltcp, Stack, Strip, Way, WhenFull,
};

const MS: u64 = 1000;
const S: u64 = 1_000_000;

/// The parts that a plan has at all.
#[derive(Clone, Copy, Debug)]
struct Families {
    loss: bool,
    disorder: bool,
    damage: bool,
    rates: bool,
    partitions: bool,
    boxes: bool,
    careless: bool,
    sleepy: bool,
    room: bool,
    limits: bool,
    flood: bool,
    reboots: bool,
    slow_readers: bool,
    bursts: bool,
    leavers: bool,
}

impl Families {
    fn draw(rng: &mut Rng) -> Self {
        let calm = rng.chance(150);
        let mut has = |per_mille: u32| rng.chance(if calm { 0 } else { per_mille });
        Self {
            loss: has(500),
            disorder: has(500),
            damage: has(300),
            rates: has(500),
            partitions: has(300),
            boxes: has(400),
            careless: has(400),
            sleepy: has(200),
            room: has(300),
            limits: has(350),
            flood: has(120),
            reboots: has(120),
            slow_readers: has(500),
            bursts: has(500),
            leavers: has(200),
        }
    }
}

/// Hosts with endpoints.
pub fn endpoints(seed: u64) -> Plan {
    let mut rng = Rng::new(seed ^ 0x0E4D_9017);
    let rng = &mut rng;
    let families = Families::draw(rng);
    let count = 2 + rng.pick(&[0, 0, 1, 2, 3]);
    let mut plan = frame(rng, seed, &families, count);
    let density = rng.pick(&[0, 50, 150, 500, 500, 800]);
    let mut mixture = Mixture::draw(rng, density);
    if plan.patient {
        mixture = mixture.without(wild::PATIENCE);
    }
    for number in 0..count {
        let host = segue(rng, &plan, &families, &mixture);
        plan.hosts[usize::from(number)] = host;
    }
    let flows = rng.pick(&[1, 2, 3, 5, 8, 12]);
    for _ in 0..flows {
        let (client, server) = (rng.below(count.into()) as u8, rng.below(count.into()) as u8);
        let server = if client == server { (server + 1) % count } else { server };
        let flow = flow(rng, &plan, &families, client, server);
        plan.flows.push(flow);
    }
    faults(rng, &mut plan, &families);
    plan
}

/// One host with an endpoint, one with smoltcp's sockets.
pub fn smoltcp(seed: u64) -> Plan {
    let mut rng = Rng::new(seed ^ 0x0501_07C9);
    let rng = &mut rng;
    let mut families = Families::draw(rng);
    // what its sockets have not: limits of an endpoint, users that leave with the text under way
    (families.limits, families.flood, families.reboots, families.leavers) = (false, false, false, false);
    let mut plan = frame(rng, seed, &families, 2);
    plan.patient = true;
    let density = rng.pick(&[0, 50, 150, 500]);
    let mixture = Mixture::draw(rng, density).without(wild::PATIENCE);
    let theirs = rng.below(2) as u8;
    let buffer = |rng: &mut Rng| magnitude(rng, (64, 100_000), &[1460, 4096, 65_535, 65_536]) as u32;
    for number in 0..2 {
        let mut host = segue(rng, &plan, &families, &mixture);
        if number == theirs {
            host.stack = Stack::Smoltcp(Smoltcp {
                receive: buffer(rng),
                send: buffer(rng),
                nagle: rng.chance(500),
                ack_delay: rng.pick(&[None, Some(10), Some(10), Some(200)]),
                timestamps: rng.chance(500),
            });
            host.room = 0;
        }
        plan.hosts[usize::from(number)] = host;
    }
    for number in 0..rng.pick(&[1, 1, 2, 4]) {
        let client = rng.below(2) as u8;
        let mut flow = flow(rng, &plan, &families, client, 1 - client);
        flow.port = 80 + number;
        for side in Side::BOTH {
            if flow.host(side) == theirs {
                let program = &mut flow.programs[side.index()];
                (program.flushed, program.low_water) = (false, 0);
            }
        }
        plan.flows.push(flow);
    }
    faults(rng, &mut plan, &families);
    plan
}

/// Routers, the links between them, and what holds for all.
fn frame(rng: &mut Rng, seed: u64, families: &Families, count: u8) -> Plan {
    let routers = 1 + rng.below(3) as u8;
    let host = Host {
        stack: Stack::Segue(Limits::default()),
        router: 0,
        access: Way::default(),
        mtu: 1500,
        config: Config::default(),
        late: Duration::ZERO,
        batch: Duration::ZERO,
        room: 0,
        sleep: None,
        reboot: None,
    };
    let mut plan = Plan {
        seed,
        start: rng.pick(&[0, 1_000_000, 4_294_967_295_000, 12_345_678]),
        v6: rng.chance(300),
        patient: rng.chance(700),
        hosts: vec![host; usize::from(count)],
        trunks: (1..routers).map(|_| way(rng, families)).collect(),
        boxes: Vec::new(),
        partitions: Vec::new(),
        flood: None,
        flows: Vec::new(),
        encode: rng.chance(300),
        calm: Duration::ZERO,
    };
    for host in &mut plan.hosts {
        host.router = rng.below(routers.into()) as u8;
        host.access = way(rng, families);
    }
    plan
}

fn way(rng: &mut Rng, families: &Families) -> Way {
    let delay = rng.pick_micros(&[0, 50, 1000, 5000, 20_000, 100_000]);
    let rate = if families.rates { rng.pick(&[0, 10, 100, 1000, 12_500]) } else { 0 };
    let link = Link { delay, rate, queue: rng.pick(&[0, 6000, 20_000, 60_000]) };
    let odd = |rng: &mut Rng, has: bool, choices: &[u32]| if has && rng.chance(500) { rng.pick(choices) } else { 0 };
    let odds = Odds {
        lose: odd(rng, families.loss, &[5, 20, 100, 300]),
        burst: odd(rng, families.loss, &[300, 800]),
        double: odd(rng, families.disorder, &[20, 200]),
        hold: odd(rng, families.disorder, &[20, 200, 500]),
        held: if families.disorder { time(rng, 1, S) } else { Duration::ZERO },
        corrupt: odd(rng, families.damage, &[10, 100]),
        mark: odd(rng, families.damage, &[50, 500]),
    };
    Way { link, odds }
}

fn segue(rng: &mut Rng, plan: &Plan, families: &Families, mixture: &Mixture) -> Host {
    let base = plan.hosts[0].clone();
    let least = if plan.v6 { 1280 } else { 576 };
    let mtu = rng.pick(&[1500, 1500, 1500, least, 9000, 1280]).max(least);
    let path = Path::new(plan.address(0), mtu);
    let edges = wild::edges(rng, &[path, path]);
    let drawn = settings::config(rng, mixture, &edges);
    let config = if plan.patient { wild::patient(&drawn) } else { impatient(&drawn) };
    let careless = families.careless && rng.chance(600);
    let mut host = Host {
        stack: Stack::Segue(Limits::default()),
        router: rng.below(plan.trunks.len() as u32 + 1) as u8,
        access: way(rng, families),
        mtu,
        config,
        late: if careless { time(rng, 1, 5 * S) } else { Duration::ZERO },
        batch: if careless { time(rng, 1, 200 * MS) } else { Duration::ZERO },
        room: if families.room && rng.chance(600) { rng.pick(&[1, 2, 5, 50]) } else { 0 },
        ..base
    };
    if families.limits && rng.chance(700) {
        host.stack = Stack::Segue(limits(rng, &host));
    }
    if families.sleepy && rng.chance(400) {
        let since = time(rng, 1, 5 * S);
        host.sleep = Some((since, since + time(rng, MS, 100 * S)));
    }
    if families.reboots && rng.chance(500) {
        host.reboot = Some(time(rng, 1, 5 * S));
    }
    host
}

/// Everybody gives up at last.
fn impatient(config: &Config) -> Config {
    let patience = config.user_timeout().or(Some(Duration::from_secs(300)));
    config.to_builder().user_timeout(patience).build().unwrap_or(*config)
}

/// About half of the limits, at values that the flows of a plan reach, or nearly.
fn limits(rng: &mut Rng, host: &Host) -> Limits {
    let some = |rng: &mut Rng, choices: &[u16]| if rng.chance(500) { rng.pick(choices) } else { 0 };
    let window = host.config.receive_buffer().max(host.config.receive_buffer_initial()).min(1 << 26);
    Limits {
        memory: if rng.chance(500) {
            let times = 1 + rng.below(24);
            (2 * window + 10_000).saturating_mul(times).saturating_add(rng.below(5000))
        } else {
            0
        },
        connections: some(rng, &[1, 2, 5, 24]),
        time_wait: some(rng, &[1, 2, 5]),
        answers: some(rng, &[1, 8, 64]),
        ports: some(rng, &[1, 2, 12]),
        half_open: some(rng, &[1, 2, 24]),
        ready: some(rng, &[1, 2, 24]),
        full: rng.pick(&[WhenFull::Cookies, WhenFull::EvictOldest, WhenFull::Drop, WhenFull::Reset]),
        gate: rng.chance(200).then(|| (Duration::from_secs(5), rng.pick(&[0, 0, 300]))),
        hasty: rng.chance(200),
    }
}

fn flow(rng: &mut Rng, plan: &Plan, families: &Families, client: u8, server: u8) -> Flow {
    let from = rng.chance(300).then(|| 40_000 + plan.flows.len() as u16);
    let at = rng.pick(&[Duration::ZERO, Duration::ZERO, Duration::from_millis(10), Duration::from_secs(2)]);
    let mut flow = Flow {
        client,
        server,
        port: rng.pick(&[80, 81]),
        from,
        at: at + Duration::from_micros(rng.below(1000).into()),
        programs: [(); 2].map(|()| program(rng, families)),
    };
    let paths = [client, server].map(|host| Path::new(plan.address(host), plan.host(host).mtu));
    let configs = [client, server].map(|host| judge::config(plan.host(host)));
    let many = 1 + plan.flows.len() as u64 / 2;
    for side in Side::BOTH {
        let most = wild::most_octets(&paths, &configs, side) / (3 * many);
        let window = u64::from(configs[side.other().index()].receive_buffer_initial());
        let sizes = [window, u64::from(configs[side.index()].send_buffer()), 1460, 65_535];
        flow.programs[side.index()].octets = match rng.below(4) {
            0 => 0,
            1 => most,
            _ => magnitude(rng, (1, most.max(1)), &sizes).min(most),
        };
    }
    let octets = flow.programs.each_ref().map(|program| program.octets);
    for (program, octets) in flow.programs.iter_mut().zip([octets[1], octets[0]]) {
        program.chunk = program.chunk.max((program.octets / 300) as u32).max(1);
        program.reading = if families.slow_readers { reading(rng, octets) } else { Reading::Eager };
    }
    // one of them answers, and one of them closes first
    if rng.chance(300) {
        flow.programs[1].answers = octets[0].min(1 + u64::from(rng.below(100)));
    }
    let first = usize::from(rng.chance(400));
    let soon = Duration::from_micros(u64::from(rng.below(2_000_000)));
    flow.programs[first].closing = rng.pick(&[Closing::WhenWritten, Closing::WhenWritten, Closing::At(soon)]);
    flow.programs[1 - first].closing =
        rng.pick(&[Closing::AfterPeer(Duration::ZERO), Closing::AfterPeer(soon), Closing::WhenWritten]);
    let waits = |program: &Program| matches!(program.closing, Closing::AfterPeer(_));
    for program in &mut flow.programs {
        if program.answers == 0 && !waits(program) && rng.chance(200) {
            program.low_water = rng.pick(&[2, 512, 1460, 100_000]);
        }
    }
    if families.leavers && rng.chance(400) {
        let leave = time(rng, 1, 5 * S);
        flow.programs[rng.below(2) as usize].closing =
            if rng.chance(500) { Closing::Abort(leave) } else { Closing::Release(leave) };
    }
    flow
}

fn program(rng: &mut Rng, families: &Families) -> Program {
    Program {
        octets: 0,
        chunk: if families.bursts { magnitude(rng, (1, 1 << 16), &[1000, 1448, 1460, 4096]) as u32 } else { 1 << 16 },
        pause: if families.bursts && rng.chance(300) { time(rng, 1, 200 * MS) } else { Duration::ZERO },
        answers: 0,
        reading: Reading::Eager,
        low_water: 0,
        flushed: rng.chance(300),
        closing: Closing::WhenWritten,
    }
}

fn reading(rng: &mut Rng, octets: u64) -> Reading {
    match rng.below(4) {
        0 => Reading::Eager,
        1 => Reading::Pause { at: magnitude(rng, (1, octets.max(1)), &[]) as u32, length: time(rng, 1, 300 * S) },
        2 => Reading::Late(time(rng, 1, 300 * S)),
        _ => {
            let sip = magnitude(rng, (1 + octets / 200, 1 << 20), &[]);
            Reading::Sips { octets: sip as u32, every: time(rng, 1, S) }
        }
    }
}

fn faults(rng: &mut Rng, plan: &mut Plan, families: &Families) {
    plan.calm = time(rng, 10 * MS, 60 * S);
    let trunks = plan.trunks.len() as u32;
    if families.partitions && trunks > 0 {
        for _ in 0..1 + rng.below(2) {
            let (trunk, from) = (rng.below(trunks) as u8, time(rng, 1, 5 * S));
            plan.partitions.push(Partition { trunk, from, until: from + time(rng, MS, 300 * S) });
        }
    }
    if families.flood {
        let host = rng.below(plan.hosts.len() as u32) as u8;
        let port = plan.flows.iter().find(|flow| flow.server == host).map(|flow| flow.port);
        if let (Some(port), Stack::Segue(limits)) = (port, &mut plan.hosts[usize::from(host)].stack) {
            limits.hasty = true; // none of the half-open connections would ever give up
            let (at, every, count) = (time(rng, 1, S), time(rng, 10, 10 * MS), rng.pick(&[3, 20, 100]));
            plan.flood = Some(Flood { host, port, at, every, count });
        }
    }
    if families.boxes {
        for host in 0..plan.hosts.len() as u8 {
            if rng.chance(500) {
                let middlebox = middlebox(rng, plan, host);
                plan.boxes.push(middlebox);
            }
        }
    }
}

fn middlebox(rng: &mut Rng, plan: &Plan, host: u8) -> Middlebox {
    let mut has = |per_mille: u32| rng.chance(per_mille);
    let strip = Strip { mss: has(150), window_scale: has(250), sack: has(250), timestamps: has(250) };
    let (bleach, hides_sack, shifts_sack, shifts) = (has(250), has(150), has(800), has(300));
    let (clamps, splits, joins, is_nat) = (has(250), has(300), has(300), has(350));
    // only for those that nobody calls; and whoever may be forgotten must not wait for ever
    let serves = plan.flows.iter().any(|flow| flow.server == host);
    let is_nat = is_nat && !serves && !plan.patient;
    Middlebox {
        host,
        strip,
        clamp_mss: clamps.then(|| rng.pick(&[536, 1000, 1400])),
        bleach,
        hides_sack,
        split: if splits { rng.pick(&[50, 500, 1000]) } else { 0 },
        coalesce: if joins { time(rng, 100, 20 * MS) } else { Duration::ZERO },
        // reports that are not shifted must not look like true ones
        shift: if shifts { rng.next() as u32 | 0x4000_0000 } else { 0 },
        shifts_sack,
        nat: is_nat.then(|| time(rng, S, 100 * S)),
    }
}
