//! Wild plans: every setting over its whole range, both ends different, users and hosts of any kind, faults of any kind; but
//! in each plan about half of the settings and of the faults are wholly absent, so that the others get room (swarm testing).

use std::time::Duration;

use crate::Rng;
use crate::net::{
    Closing, Driver, End, Form, Ideal, Link, Magic, Narrow, Opening, Order, Outage, Plan, Rates, Reading, Side, Sleep,
    Spell, Which,
};
use segue::{Config, IpVersion, Knob, Path};

use crate::reserved_options;
use crate::settings::{self, Edges, Mixture, magnitude};

/// Sequence numbers around which arithmetic goes wrong, if it does.
const EDGES: [u32; 7] = [0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_F000, 0x7FFF_F000];

/// The most segments of text that one side sends in a plan.
const SEGMENTS: u64 = 250;
/// The same where timeouts have lowered the path MTU for good, as an outage may in any plan: what a few large packets carry takes
/// many small ones.
const FALLEN_SEGMENTS: u64 = 120 * SEGMENTS;

/// Settings that decide when an end gives up.
pub const PATIENCE: &[&str] = &[
    "user_timeout",
    "user_timeout_option",
    "user_timeout_lower",
    "user_timeout_upper",
    "connect_timeout",
    "data_retries",
    "syn_retries",
    "keep_alive",
    "keep_alive_idle",
    "keep_alive_interval",
    "keep_alive_probes",
    "fin_wait_2",
    "msl",
];

/// What a family of plans has in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Family {
    /// Nobody ever gives up: everything must arrive.
    Patient,
    /// Either end may lose patience, by any of its limits.
    Impatient,
}

pub fn time(rng: &mut Rng, low: u64, high: u64) -> Duration {
    Duration::from_micros(magnitude(rng, (low, high), &[]))
}

const MS: u64 = 1000;
const S: u64 = 1_000_000;

/// The plan that a seed decides.
pub fn plan(seed: u64) -> (Family, Plan) {
    let mut rng = Rng::new(seed ^ 0x5EED_0F57_0A11);
    let rng = &mut rng;
    let family = if rng.chance(600) { Family::Patient } else { Family::Impatient };
    let density = rng.pick(&[0, 50, 150, 500, 500, 800]);
    let mut mixture = Mixture::draw(rng, density);
    if family == Family::Patient {
        mixture = mixture.without(PATIENCE);
    }
    let links = links(rng);
    let twins = rng.chance(300);
    let paths = paths(rng, twins);
    let mut edges = edges(rng, &paths);
    let mut configs = Side::BOTH.map(|_| Config::default());
    for side in Side::BOTH {
        let drawn = settings::config(rng, &mixture, &edges);
        configs[side.index()] = match family {
            Family::Patient => patient(&drawn),
            Family::Impatient => drawn,
        };
        let own = configs[side.index()];
        edges.extend([
            u64::from(own.receive_buffer()),
            u64::from(own.send_buffer()),
            u64::from(own.receive_buffer_initial()),
        ]);
        edges.extend(own.window_shift().map(|shift| 1 << shift));
    }
    if twins {
        configs[1] = configs[0];
    }
    let users = Users::draw(rng, &links);
    let mut ends = Side::BOTH.map(|side| end(rng, family, &users, side, &paths, &configs));
    if twins && rng.chance(500) {
        let (iss, closing) = (ends[1].iss, ends[1].closing);
        ends[1] = End { iss, closing, ..ends[0].clone() };
    }
    let octets = Side::BOTH.map(|side| ends[side.other().index()].octets);
    for (end, octets) in ends.iter_mut().zip(octets) {
        end.reading = if users.slow_readers { reading(rng, octets, &users, &links) } else { Reading::Eager };
    }
    if twins && rng.chance(500) {
        let reading = reading(rng, octets[0].max(octets[1]), &users, &links);
        ends.iter_mut().for_each(|end| end.reading = if users.slow_readers { reading } else { Reading::Eager });
    }
    if !ends.iter().any(|end| !matches!(end.closing, Closing::AfterPeer(_))) {
        ends[rng.below(2) as usize].closing = Closing::WhenWritten;
    }
    let mut plan = Plan {
        seed,
        start: rng.pick(&[0, 1_000_000, 4_294_967_295_000, 12_345_678]),
        opening: rng.pick(&[Opening::Listen, Opening::Listen, Opening::Accept, Opening::Simultaneous]),
        ends,
        links,
        encode: rng.chance(300),
        strict: true,
        ..Plan::default()
    };
    faults(rng, &mut plan);
    if plan.opening == Opening::Accept && rng.chance(600) {
        plan.opening = Opening::FastOpen;
    }
    if Ideal::of(&plan).total() > 8 * SEGMENTS {
        // too much text for a path that becomes so narrow
        (plan.narrow, plan.also_narrow) = (None, None);
        plan.ends.iter_mut().for_each(|end| end.orders.retain(|(_, order)| !matches!(order, Order::Mtu(_))));
    }
    (family, plan)
}

/// The same without limits of patience, and TIME-WAIT longer than anything that the network holds back.
pub fn patient(config: &Config) -> Config {
    let builder = config.to_builder().user_timeout(None).connect_timeout(None);
    builder
        .data_retries(0)
        .syn_retries(0)
        .keep_alive(false)
        .msl(Duration::from_secs(600))
        .build()
        .expect("as valid as before")
}

fn links(rng: &mut Rng) -> [Link; 2] {
    let (rates, far) = (rng.chance(250), rng.chance(300));
    let link = |rng: &mut Rng| Link {
        delay: if far { time(rng, 1, 2 * S) } else { rng.pick_micros(&[0, 50, 1000, 20_000, 50_000, 150_000]) },
        rate: if rates { rng.pick(&[1, 10, 100, 1000, 12_500]) } else { 0 },
        queue: rng.pick(&[0, 0, 3000, 20_000]),
    };
    let first = link(rng);
    [first, if rng.chance(500) { first } else { link(rng) }]
}

fn paths(rng: &mut Rng, twins: bool) -> [Path; 2] {
    let (ip, plain) = (if rng.chance(600) { IpVersion::V4 } else { IpVersion::V6 }, rng.chance(500));
    let one = |rng: &mut Rng| {
        let least = u64::from(ip.min_mtu());
        let mtu = if plain { 1500 } else { magnitude(rng, (least, 65_535), &[576, 1280, 1500, 9000]) };
        // options leave room for a header with options of its own and some text
        let options = if plain || mtu < least + 120 { 0 } else { rng.pick(&[0, 0, 4, 8, 24, 40]) };
        Path { ip, mtu: mtu as u16, ip_options: options }
    };
    let first = one(rng);
    [first, if twins { first } else { one(rng) }]
}

/// Sizes at which something turns: segments, first windows, what a window field can say.
pub fn edges(rng: &mut Rng, paths: &[Path; 2]) -> Edges {
    let mut edges: Edges = vec![14_600, 65_535, 65_536, 131_072, 262_144];
    for path in paths {
        let mss = u64::from(path.mss());
        edges.extend([mss, mss.saturating_sub(12), 2 * mss, 10 * mss, 3 * mss]);
    }
    let shift = rng.below(15);
    edges.extend([1 << shift, 0xFFFF << shift, 3 << shift, (1 << shift) + 14_600]);
    edges
}

/// What the users of a plan have in common.
#[derive(Clone, Copy, Debug)]
struct Users {
    slow_readers: bool,
    bursts: bool,
    careless: bool,
    sleepy: bool,
    large: bool,
    orders: bool,
    round: Duration,
}

impl Users {
    fn draw(rng: &mut Rng, links: &[Link; 2]) -> Self {
        Self {
            slow_readers: rng.chance(500),
            bursts: rng.chance(500),
            careless: rng.chance(400),
            sleepy: rng.chance(150),
            large: rng.chance(700),
            orders: rng.chance(200),
            round: links[0].delay + links[1].delay,
        }
    }
}

fn end(rng: &mut Rng, family: Family, users: &Users, side: Side, paths: &[Path; 2], configs: &[Config; 2]) -> End {
    let (config, peer) = (configs[side.index()], configs[side.other().index()]);
    let patient = family == Family::Patient;
    let mut end = End {
        iss: if rng.chance(700) { rng.pick(&EDGES) } else { rng.next() as u32 },
        ts_offset: rng.next() as u32,
        path: paths[side.index()],
        config,
        chunk: if users.bursts { magnitude(rng, (1, 1 << 16), &[1000, 1448, 1460, 4096]) as u32 } else { 1 << 16 },
        pause: if rng.chance(200) { time(rng, 1, 500 * MS) } else { Duration::ZERO },
        urgent: rng.chance(80),
        form: rng.pick(&[Form::Calls, Form::Events]),
        merges: rng.chance(300),
        ..End::default()
    };
    end.frame = if rng.chance(500) { config.frame_size().min(1 << 17) } else { 0 };
    let window = u64::from(peer.receive_buffer().min(peer.receive_buffer_initial()));
    let sizes = [
        window,
        window.min(65_535),
        u64::from(peer.receive_buffer()),
        u64::from(config.send_buffer()),
        u64::from(end.path.mss()),
        u64::from(end.path.mss()).saturating_sub(12),
    ];
    let each = segment_of(paths, configs, side);
    let most = most_octets(paths, configs, side);
    end.octets = match rng.below(5) {
        0 => 0,
        1 | 2 => magnitude(rng, (1, most), &sizes),
        _ if users.large => most.min(window * 3 + 1),
        _ => magnitude(rng, (1, 20 * each), &sizes),
    }
    .min(most);
    if users.bursts && rng.chance(500) {
        end.pieces = pieces(rng, &end, users, window.min(most), &peer);
        end.octets = end.pieces.iter().map(|(_, octets)| u64::from(*octets)).sum();
    }
    end.chunk = end.chunk.max((end.octets / 300) as u32).max(1);
    end.closing = closing(rng, side);
    end.driver = match rng.below(3) {
        _ if !users.careless => rng.pick(&[Driver::Deadlines, Driver::Announced]),
        0 => Driver::Announced,
        _ => Driver::Sloppy { late: time(rng, 1, 600 * S), batch: time(rng, 1, 200 * MS) },
    };
    if users.orders {
        end.orders = (0..1 + rng.below(4)).map(|_| (time(rng, 1, 10 * S), order(rng, &end, patient))).collect();
    }
    end.fidgets = if users.careless { rng.pick(&[0, 100, 500]) } else { 0 };
    if users.sleepy && rng.chance(700) {
        let since = time(rng, 1, 10 * S);
        end.sleep = Some(Sleep { since, until: since + time(rng, MS, 1000 * S), deaf: rng.chance(500) });
    }
    end
}

/// The path changes, or the user changes its mind. Those who are patient stay so.
fn order(rng: &mut Rng, end: &End, patient: bool) -> Order {
    let any =
        |rng: &mut Rng| rng.pick(&[Duration::ZERO, Duration::from_micros(1), Duration::from_secs(5), Duration::MAX]);
    Order::Set(match rng.below(if patient { 6 } else { 9 }) {
        0..3 => {
            let least = u64::from(end.path.ip.min_mtu() + 2 * end.path.ip_options);
            let most = u64::from(end.path.mtu);
            return Order::Mtu(magnitude(rng, (least.min(most), most), &[576, 1280, 1500]) as u16);
        }
        3 => Knob::Nagle(rng.chance(500)),
        4 => Knob::Cork(rng.chance(500)),
        5 => Knob::KeepAliveIdle(any(rng)),
        6 => Knob::KeepAlive(rng.chance(500)),
        7 => Knob::UserTimeout(None),
        _ => Knob::UserTimeout(Some(any(rng))),
    })
}

/// The most octets that this side sends in a plan.
pub fn most_octets(paths: &[Path; 2], configs: &[Config; 2], side: Side) -> u64 {
    let (config, path) = (&configs[side.index()], paths[side.index()]);
    (SEGMENTS * segment_of(paths, configs, side)).min(FALLEN_SEGMENTS * fallen(config, path)).min(2_000_000)
}

/// Octets that a full segment of this side may carry, at the least.
fn segment_of(paths: &[Path; 2], configs: &[Config; 2], side: Side) -> u64 {
    let (own, other) = (side.index(), side.other().index());
    let mss = paths.iter().map(|path| path.mss()).min().unwrap_or(28);
    let mss = mss.min(configs[own].max_mss()).min(configs[own].max_sent_mss()).min(configs[other].max_mss());
    let mss = u64::from(mss).saturating_sub(40 + u64::from(paths[own].ip_options)).max(1);
    mss.min(u64::from(configs[other].receive_buffer())).min(u64::from(configs[own].send_buffer()))
}

/// Octets that a segment carries when timeouts have lowered the MTU for good: where no probe looks for a larger one.
fn fallen(config: &Config, path: Path) -> u64 {
    let stays = config.black_hole_timeouts() > 0 && !config.mtu_probing();
    let mtu = if stays { config.min_mtu().max(path.ip.min_mtu()) } else { path.mtu };
    let reserved = u16::try_from(reserved_options(config)).unwrap_or(40);
    let headers = path.ip.header() + path.ip_options + 20 + 12 + reserved; // with timestamps
    u64::from(mtu.saturating_sub(headers).max(16))
}

/// Writes at certain times: most of a window at once, then the rest of it, then a little.
fn pieces(rng: &mut Rng, end: &End, users: &Users, window: u64, peer: &Config) -> Vec<(Duration, u32)> {
    let unit = u64::from(peer.receive_buffer().checked_shr(16).unwrap_or(0)).next_power_of_two();
    let unit = peer.window_shift().map_or(unit, |shift| 1 << shift);
    let first = match rng.below(5) {
        4 => 1,
        0 => window.min(end.octets.max(1)),
        1 => window.saturating_sub(rng.next() % (2 * unit)),
        2 => window,
        _ => magnitude(rng, (1, end.octets.max(1)), &[window]),
    };
    let first = first.clamp(1, end.octets.max(1).max(window));
    let mut at = Duration::ZERO;
    let mut pieces = vec![(at, first as u32)];
    for _ in 0..1 + rng.below(3) {
        at += if rng.chance(500) { users.round.mul_f64(f64::from(rng.below(40)) / 16.0) } else { time(rng, 1, 20 * S) };
        pieces.push((at, magnitude(rng, (1, 5000.min(window.max(10))), &[unit]) as u32));
    }
    pieces
}

fn closing(rng: &mut Rng, side: Side) -> Closing {
    let soon = Duration::from_micros(u64::from(rng.below(2_000_000)));
    match (rng.chance(if side == Side::Client { 700 } else { 300 }), rng.below(10)) {
        (true, 0..6) => Closing::WhenWritten,
        (true, _) => Closing::At(soon),
        (false, 0..6) => Closing::AfterPeer(Duration::ZERO),
        (false, _) => Closing::AfterPeer(soon),
    }
}

fn reading(rng: &mut Rng, octets: u64, users: &Users, links: &[Link; 2]) -> Reading {
    match rng.below(4) {
        0 => Reading::Pause { at: magnitude(rng, (1, octets.max(1)), &[]) as u32, length: time(rng, 1, 1000 * S) },
        1 => Reading::Late(time(rng, 1, 1000 * S)),
        2 => Reading::Late(users.round * (1 + rng.below(8)) + links[0].delay),
        _ => {
            let sip = magnitude(rng, (1 + octets / 200, 1 << 20), &[]);
            Reading::Sips { octets: sip as u32, every: time(rng, 1, 2 * S) }
        }
    }
}

fn faults(rng: &mut Rng, plan: &mut Plan) {
    let kinds = if rng.chance(250) { 0 } else { 500 };
    let rate = |rng: &mut Rng, choices: &[u32]| if rng.chance(kinds) { rng.pick(choices) } else { 0 };
    let rates = Rates {
        lose: rate(rng, &[20, 100, 300, 500]),
        duplicate: rate(rng, &[50, 200, 500]),
        hold: rate(rng, &[50, 200, 500]),
        corrupt: rate(rng, &[30, 200]),
        burst: rate(rng, &[300, 800]),
    };
    let count = rng.pick(&[4, 8, 30, 100, 400]);
    plan.faults = rates.faults(rng, count);
    if rng.chance(kinds) && rng.chance(300) {
        let since = time(rng, 1, 10 * S);
        plan.outage = Some(Outage { from: since, until: since + time(rng, MS, 1000 * S) });
    }
    if rng.chance(kinds) {
        for _ in 0..1 + rng.below(3) {
            let since = if rng.chance(400) { Duration::ZERO } else { time(rng, 1, 10 * S) };
            let shuffle = Magic::Shuffle(time(rng, 1, S));
            let magic = rng.pick(&[Magic::Lose, Magic::Hold, Magic::Hold, Magic::Double, shuffle, shuffle]);
            let longest = if magic == Magic::Lose { 300 * S } else { 5 * S };
            let spell = Spell {
                from: rng.pick(&Side::BOTH),
                since,
                until: since + time(rng, MS, longest),
                which: rng.pick(&[Which::All, Which::All, Which::Text, Which::Bare, Which::Bare]),
                magic,
            };
            plan.spells.push(spell);
            if rng.chance(400) {
                plan.spells.push(Spell { from: spell.from.other(), ..spell });
            }
        }
    }
    let narrow = |rng: &mut Rng, plan: &Plan| {
        let from = rng.pick(&Side::BOTH);
        let (ip, mtu) = (plan.ends[from.index()].path.ip, plan.ends[from.index()].path.mtu);
        let least = u64::from(ip.min_mtu());
        let mtu = magnitude(rng, (least, u64::from(mtu).max(least)), &[576, 1000, 1280]) as u16;
        let at = if rng.chance(400) { Duration::ZERO } else { time(rng, 1, 2 * S) };
        Narrow { from, at, mtu, silent: rng.chance(600) }
    };
    if rng.chance(kinds) && rng.chance(500) {
        let one = narrow(rng, plan);
        plan.narrow = passable(plan, one);
        let other = narrow(rng, plan);
        plan.also_narrow = if rng.chance(300) { passable(plan, other) } else { None };
    }
}

/// A link that packets can pass after all: what black-hole detection and `min_mtu` come down to fits.
fn passable(plan: &Plan, narrow: Narrow) -> Option<Narrow> {
    let Plan { ends, .. } = plan;
    let end = &ends[narrow.from.index()];
    let least = end.config.min_mtu().max(end.path.ip.min_mtu());
    // an ACK with as many reports as it may carry passes: its sender would not learn that it does not
    let acks = end.path.ip.header() + 60;
    let found = !narrow.silent || narrow.mtu >= acks && (1..=4).contains(&end.config.black_hole_timeouts());
    (narrow.mtu >= least && found && end.path.ip_options == 0).then_some(narrow)
}

/// Simpler plans, the simplest first.
pub fn shrink(plan: &Plan) -> Vec<Plan> {
    let mut simpler = Vec::new();
    let mut offer = |change: &dyn Fn(&mut Plan)| {
        let mut changed = plan.clone();
        change(&mut changed);
        if changed != *plan {
            simpler.push(changed);
        }
    };
    offer(&|plan| plan.faults.clear());
    offer(&|plan| plan.spells.clear());
    offer(&|plan| plan.outage = None);
    offer(&|plan| plan.narrow = None);
    offer(&|plan| plan.also_narrow = None);
    offer(&|plan| plan.start = 0);
    offer(&|plan| plan.encode = false);
    offer(&|plan| plan.opening = Opening::Listen);
    for i in 0..2 {
        let plain = End::default();
        offer(&|plan| plan.ends[i].config = Config::default());
        offer(&|plan| plan.links[i] = Link::default());
        offer(&|plan| plan.links[i].rate = 0);
        offer(&|plan| (plan.ends[i].octets, plan.ends[i].pieces) = (0, Vec::new()));
        offer(&|plan| plan.ends[i].octets /= 2);
        offer(&|plan| plan.ends[i].octets = plan.ends[i].octets.saturating_sub(1));
        offer(&|plan| plan.ends[i].pieces.clear());
        offer(&|plan| plan.ends[i].pieces.truncate(plan.ends[i].pieces.len().saturating_sub(1)));
        offer(&|plan| plan.ends[i].sleep = None);
        offer(&|plan| plan.ends[i].orders.clear());
        offer(&|plan| plan.ends[i].orders.truncate(plan.ends[i].orders.len().saturating_sub(1)));
        offer(&|plan| drop(plan.ends[i].orders.drain(..plan.ends[i].orders.len().min(1))));
        offer(&|plan| plan.ends[i].fidgets = 0);
        offer(&|plan| plan.ends[i].frame = 0);
        offer(&|plan| plan.ends[i].driver = plain.driver);
        offer(&|plan| plan.ends[i].reading = Reading::Eager);
        offer(&|plan| plan.ends[i].pause = Duration::ZERO);
        offer(&|plan| plan.ends[i].chunk = 1 << 16);
        offer(&|plan| plan.ends[i].iss = 1000);
        offer(&|plan| plan.ends[i].ts_offset = 0);
        offer(&|plan| plan.ends[i].path = Path::ipv4(1500));
        offer(&|plan| plan.ends[i].path.ip_options = 0);
        offer(&|plan| plan.ends[i].merges = false);
        offer(&|plan| plan.ends[i].urgent = false);
        offer(&|plan| plan.ends[i].form = Form::Calls);
        let default =
            if plan.ends[i].config.user_timeout().is_none() { patient(&Config::default()) } else { Config::default() };
        for name in settings::NAMES {
            let (now, plain) = (settings::show_one(&plan.ends[i].config, name), settings::show_one(&default, name));
            let copied = settings::copy_one(plan.ends[i].config.to_builder(), name, &default).build();
            if let Ok(config) = copied.map_err(drop).and_then(|config| if now == plain { Err(()) } else { Ok(config) })
            {
                offer(&|plan| plan.ends[i].config = config);
            }
        }
    }
    let count = plan.faults.len();
    let mut size = count / 2;
    while size > 0 {
        for at in (0..count).step_by(size) {
            offer(&|plan| drop(plan.faults.drain(at..count.min(at + size))));
        }
        size /= 2;
    }
    for at in 0..plan.spells.len() {
        offer(&|plan| drop(plan.spells.drain(at..=at)));
    }
    simpler
}
