//! Random plans for quickcheck, and how a failing one shrinks.

use std::time::Duration;

use quickcheck::{Arbitrary, Gen, QuickCheck, TestResult};
use segue::{Config, EcnMode, Path};
use segue_kit::net::{Closing, Driver, End, Form, Link, Narrow, Opening, Outage, Outcome, Plan, Rates, Reading, Side};
use segue_kit::{Rng, STARTS};

/// What a family of plans has in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Family {
    /// The most octets of either user.
    pub(crate) octets: u32,
    /// Users may abort or leave, timeouts may end a connection, links may be dead for long.
    pub(crate) rough: bool,
    /// Hosts may be of any kind.
    pub(crate) hosts: bool,
}

/// The plan of this family that a seed decides. Every seed draws its own mixture: some faults and some features are
/// absent from it altogether, so that the others get room (swarm testing).
pub(crate) fn plan(family: Family, seed: u64) -> Plan {
    let mut rng = Rng::new(seed);
    let rates = Rates {
        lose: rng.pick(&[0, 0, 20, 100, 300]),
        duplicate: rng.pick(&[0, 0, 50, 200]),
        hold: rng.pick(&[0, 0, 50, 200]),
        corrupt: rng.pick(&[0, 0, 30]),
        burst: rng.pick(&[0, 300, 800]),
    };
    let faulty = rng.pick(&[8, 30, 100, 400]);
    let faults = rates.faults(&mut rng, faulty);
    let outage = (family.rough && rng.chance(200)).then(|| {
        let from = Duration::from_millis(u64::from(rng.below(3000)));
        Outage { from, until: from + rng.pick_millis(&[500, 5000, 100_000, 500_000]) }
    });
    let mut narrow = rng.chance(100).then(|| Narrow {
        from: rng.pick(&Side::BOTH),
        at: rng.pick_millis(&[0, 10, 50, 200]),
        mtu: rng.pick(&[1400, 576, 200]),
        silent: rng.chance(300),
    });
    let opening = rng.pick(&[Opening::Listen, Opening::Listen, Opening::Accept, Opening::Simultaneous]);
    let mut ends = Side::BOTH.map(|side| end(family, side, &mut rng));
    if !ends.iter().any(|end| closes_first(end.closing)) {
        ends[rng.below(2) as usize].closing = Closing::WhenWritten;
    }
    if let Some(narrow) = &mut narrow {
        narrow.silent &= ends[narrow.from.index()].config.black_hole_timeouts() > 0; // else nothing finds the hole
    }
    Plan {
        seed,
        start: rng.pick(&[0, 1_000_000, 4_294_967_295_000, 12_345_678]),
        opening,
        ends,
        links: Side::BOTH.map(|_| link(&mut rng)),
        faults,
        outage,
        narrow,
        encode: rng.chance(500),
        ..Plan::default()
    }
}

const fn closes_first(closing: Closing) -> bool {
    !matches!(closing, Closing::AfterPeer(_) | Closing::Never)
}

fn link(rng: &mut Rng) -> Link {
    Link {
        delay: rng.pick_micros(&[0, 50, 1000, 20_000, 150_000]),
        rate: rng.pick(&[0, 0, 0, 100, 1000, 12_500]),
        queue: rng.pick(&[0, 3000, 20_000]),
    }
}

fn end(family: Family, side: Side, rng: &mut Rng) -> End {
    let iss = if rng.chance(700) { rng.pick(&STARTS) } else { rng.next() as u32 };
    let octets = if rng.chance(200) { 0 } else { u64::from(rng.below(family.octets + 1)) };
    End {
        iss,
        ts_offset: rng.next() as u32,
        path: rng.pick(&[
            Path::ipv4(1500),
            Path::ipv4(1500),
            Path::ipv6(1500),
            Path::ipv6(1280),
            Path::ipv4(576),
            Path::ipv4(9000),
        ]),
        config: config(family, rng),
        octets,
        chunk: rng.pick(&[1 << 16, 1 << 16, 4096, 1000, 100]),
        pause: rng.pick_micros(&[0, 0, 0, 500, 30_000]),
        urgent: rng.chance(150),
        answers: 0,
        closing: closing(family, side, rng),
        reading: reading(rng),
        driver: if family.hosts { driver(rng) } else { Driver::Deadlines },
        merges: rng.chance(500),
        form: rng.pick(&[Form::Calls, Form::Events]),
        ..End::default()
    }
}

fn closing(family: Family, side: Side, rng: &mut Rng) -> Closing {
    let soon = Duration::from_micros(u64::from(rng.below(2_000_000)));
    if family.rough && rng.chance(150) {
        return if rng.chance(500) { Closing::Abort(soon) } else { Closing::Release(soon) };
    }
    let first = rng.chance(if side == Side::Client { 700 } else { 300 });
    match (first, rng.chance(500)) {
        (true, true) => Closing::WhenWritten,
        (true, false) => Closing::At(soon),
        (false, true) => Closing::AfterPeer(Duration::ZERO),
        (false, false) => Closing::AfterPeer(soon),
    }
}

fn reading(rng: &mut Rng) -> Reading {
    match rng.below(6) {
        0 => Reading::Pause { at: 1 + rng.below(5000), length: rng.pick_millis(&[100, 3000, 60_000]) },
        1 => {
            Reading::Sips { octets: 50 + rng.below(3000), every: Duration::from_millis(1 + u64::from(rng.below(200))) }
        }
        _ => Reading::Eager,
    }
}

fn driver(rng: &mut Rng) -> Driver {
    match rng.below(3) {
        0 => Driver::Deadlines,
        1 => Driver::Announced,
        _ => {
            Driver::Sloppy { late: rng.pick_millis(&[1, 50, 2000]), batch: rng.pick_micros(&[1, 100, 10_000, 100_000]) }
        }
    }
}

/// A configuration in which every fourth setting or so differs from the default.
fn config(family: Family, rng: &mut Rng) -> Config {
    let ms = |millis: u32| Duration::from_millis(u64::from(millis));
    let mut builder = Config::builder()
        .receive_buffer(rng.pick(&[262_144, 262_144, 65_535, 20_000, 3000, 600]))
        .send_buffer(rng.pick(&[262_144, 262_144, 30_000, 4000, 500]))
        .window_scaling(rng.chance(700))
        .timestamps(rng.chance(600))
        .sack(rng.chance(600))
        .nagle(rng.chance(700))
        .delayed_ack(ms(rng.pick(&[40, 40, 40, 0, 200])))
        .ack_every(rng.pick(&[2, 2, 1]))
        .min_rto(ms(rng.pick(&[1000, 1000, 200])))
        .max_ranges(rng.pick(&[64, 64, 4, 1]))
        .copy_below(rng.pick(&[1024, 1024, 64, 65_535]))
        .initial_window(rng.pick(&[10, 10, 3, 1]))
        .max_burst(rng.pick(&[0, 0, 0, 4, 1]))
        .max_transmit(rng.pick(&[0, 0, 0, 20_000, 65_000]))
        .rack(rng.chance(700))
        .dsack(rng.chance(700))
        .pacing(rng.chance(250))
        .pacing_burst(rng.pick(&[10, 1]))
        .ecn(rng.pick(&[EcnMode::Passive, EcnMode::Active, EcnMode::Off, EcnMode::Accurate]))
        .minshall(rng.chance(700))
        .quick_acks(rng.pick(&[32, 32, 0, 3]))
        .ack_full_sized(rng.chance(300))
        .preserve_window(rng.pick(&[None, None, Some(ms(1000))]))
        .receive_buffer_initial(rng.pick(&[131_072, 131_072, 14_600, 1_000_000]))
        .max_ack_delay(ms(rng.pick(&[40, 40, 0, 500])))
        .user_timeout_option(rng.chance(200))
        .keep_alive_octet(rng.chance(300))
        .tolerate_missing_timestamps(rng.chance(200));
    if family.rough {
        builder = builder
            .keep_alive(true) // without it, whoever only listens never learns that the other side is gone
            .keep_alive_idle(ms(30_000))
            .keep_alive_interval(ms(rng.pick(&[1000, 75_000])))
            .fin_wait_2(ms(rng.pick(&[60_000, 0])))
            .msl(ms(rng.pick(&[120_000, 1000, 0])));
    } else {
        // however many segments are lost, there is time to repeat them
        builder = builder.user_timeout(None).connect_timeout(None).msl(ms(600_000));
    }
    builder.build().expect("every value lies in its range")
}

/// A plan without roughness: both ends must finish and deliver everything.
#[derive(Clone, Debug)]
pub(crate) struct Gentle(pub(crate) Plan);

/// A plan in which anything may happen.
#[derive(Clone, Debug)]
pub(crate) struct Rough(pub(crate) Plan);

impl Arbitrary for Gentle {
    fn arbitrary(g: &mut Gen) -> Self {
        Self(plan(Family { octets: 60_000, rough: false, hosts: true }, u64::arbitrary(g)))
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(shrink(&self.0).map(Self))
    }
}

impl Arbitrary for Rough {
    fn arbitrary(g: &mut Gen) -> Self {
        Self(plan(Family { octets: 60_000, rough: true, hosts: true }, u64::arbitrary(g)))
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(shrink(&self.0).map(Self))
    }
}

/// Simpler plans, the simplest first: fewer faults, less text, defaults instead of particulars.
pub(crate) fn shrink(plan: &Plan) -> impl Iterator<Item = Plan> + use<> {
    let mut simpler = Vec::new();
    let mut offer = |change: &dyn Fn(&mut Plan)| {
        let mut changed = plan.clone();
        change(&mut changed);
        if changed != *plan {
            simpler.push(changed);
        }
    };
    offer(&|plan| plan.faults.clear());
    let count = plan.faults.len();
    let mut size = count / 2;
    while size > 0 {
        for at in (0..count).step_by(size) {
            offer(&|plan| drop(plan.faults.drain(at..count.min(at + size))));
        }
        size /= 2;
    }
    offer(&|plan| plan.outage = None);
    offer(&|plan| plan.narrow = None);
    offer(&|plan| plan.start = 0);
    offer(&|plan| plan.encode = false);
    offer(&|plan| plan.opening = Opening::Listen);
    for i in 0..2 {
        offer(&|plan| plan.links[i] = Link::default());
        offer(&|plan| plan.links[i].rate = 0);
        offer(&|plan| plan.ends[i].octets = 0);
        offer(&|plan| plan.ends[i].octets /= 2);
        offer(&|plan| plan.ends[i].octets = plan.ends[i].octets.saturating_sub(1));
        offer(&|plan| plan.ends[i].driver = Driver::Deadlines);
        offer(&|plan| plan.ends[i].reading = Reading::Eager);
        offer(&|plan| plan.ends[i].pause = Duration::ZERO);
        offer(&|plan| plan.ends[i].chunk = 1 << 16);
        offer(&|plan| plan.ends[i].iss = 0);
        offer(&|plan| plan.ends[i].ts_offset = 0);
        offer(&|plan| plan.ends[i].path = Path::ipv4(1500));
        offer(&|plan| plan.ends[i].merges = false);
        offer(&|plan| plan.ends[i].urgent = false);
        offer(&|plan| plan.ends[i].form = Form::Calls);
        shrink_config(plan, i, &mut offer);
    }
    simpler.into_iter()
}

fn shrink_config(plan: &Plan, i: usize, offer: &mut impl FnMut(&dyn Fn(&mut Plan))) {
    let (now, default) = (plan.ends[i].config.to_builder(), Config::default());
    let candidates = [
        now.receive_buffer(default.receive_buffer()),
        now.send_buffer(default.send_buffer()),
        now.window_scaling(false),
        now.timestamps(false),
        now.sack(false),
        now.nagle(true),
        now.delayed_ack(default.delayed_ack()),
        now.ack_every(2),
        now.min_rto(default.min_rto()),
        now.max_ranges(default.max_ranges()),
        now.copy_below(default.copy_below()),
        now.initial_window(default.initial_window()),
        now.max_burst(0),
        now.max_transmit(0),
        now.rack(true),
        now.dsack(true),
        now.pacing(false),
        now.ecn(EcnMode::Off),
        now.quick_acks(default.quick_acks()),
        now.preserve_window(None),
        now.receive_buffer_initial(default.receive_buffer_initial()),
        now.user_timeout_option(false),
    ];
    for config in candidates.into_iter().filter_map(|builder| builder.build().ok()) {
        offer(&|plan| plan.ends[i].config = config);
    }
}

/// A quickcheck whose cases are the same every time. `SEGUE_SEED=n` draws others, `SEGUE_CASES=n` another number.
pub(crate) fn quickcheck(cases: u64) -> QuickCheck {
    let number = |variable: &str, default: u64| {
        std::env::var(variable).ok().map_or(default, |text| text.parse().expect("a number"))
    };
    let (seed, cases) = (number("SEGUE_SEED", 1), number("SEGUE_CASES", cases));
    eprintln!("SEGUE_SEED={seed} SEGUE_CASES={cases}");
    QuickCheck::new().rng(Gen::from_size_and_seed(100, seed)).tests(cases)
}

/// The result of a property: a failure carries the plan and the ladder diagram.
pub(crate) fn verdict(outcome: &Outcome, result: Result<(), String>) -> TestResult {
    result.map_or_else(|problem| TestResult::error(outcome.report(&problem)), |()| TestResult::passed())
}
