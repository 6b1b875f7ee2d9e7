//! The program: worlds of each kind keep the laws, a broken law is found, shrunk, written and played again.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::Duration;

use segue_kit::net::Closing;
use segue_kit::swarm::{hostile, search};
use segue_swarm::args::{self, Options, Task};
use segue_swarm::hosts::plan::{Plan, Stack};
use segue_swarm::hosts::{draw, shrink};
use segue_swarm::{Capsule, Kind, World, campaign};

/// The first seeds of a kind.
fn seeds(kind: Kind) -> impl Iterator<Item = u64> {
    (1..).filter(move |seed| Kind::of(*seed) == kind)
}

fn keep_the_laws(kind: Kind, worlds: usize) {
    for seed in seeds(kind).take(worlds) {
        if let Err(problem) = World::draw(seed).play() {
            panic!("seed {seed}: {problem}\nnext: cargo run --release -p segue-swarm -- --seed {seed}");
        }
    }
}

#[test]
fn pairs_keep_the_laws() {
    keep_the_laws(Kind::Pair, 300);
}

#[test]
fn endpoints_keep_the_laws() {
    keep_the_laws(Kind::Endpoints, 300);
}

/// With assertions as in a debug build, but faster: `cargo test` has the first of these scripts.
#[test]
fn hostile_peers_cost_no_more_than_stated() {
    segue_swarm::pair::count_heap();
    let (jobs, budget) = (std::thread::available_parallelism().map_or(2, usize::from), Duration::from_secs(2));
    let case = |seed| hostile::judge(seed, budget);
    let failures = search::seeds(1..2001, jobs, case, |_| ControlFlow::Continue(())).failures;
    let reports = failures.values().flatten().map(|(_, report)| report.as_str()).collect::<Vec<_>>();
    assert!(failures.is_empty(), "{}", reports.join("\n"));
}

#[test]
fn smoltcps_sockets_as_the_other_end_keep_the_laws() {
    keep_the_laws(Kind::Smoltcp, 300);
}

/// Faults of smoltcp that have no end stop a flow under their sign, and nothing else: without it no law excuses them.
#[test]
fn a_fault_of_smoltcp_without_an_end_is_seen_and_ended() {
    for (sign, text) in [
        ("smoltcp takes no window update in LAST-ACK", include_str!("smoltcp/deaf.json")),
        ("smoltcp sends without end in FIN-WAIT-2", include_str!("smoltcp/endless.json")),
        ("smoltcp has no timer for what is not acknowledged", include_str!("smoltcp/no_timer.json")),
    ] {
        let world: World = serde_json::from_str(text).expect("a plan");
        assert_eq!(world.check(), Ok(()), "{sign}");
        let counts = world.play().unwrap_or_else(|problem| panic!("{sign}: {problem}"));
        assert_eq!(counts.0.get(sign), Some(&1), "{sign}: {:?}", counts.0);
    }
}

#[test]
fn of_ten_worlds_seven_are_pairs_two_endpoints_and_one_smoltcp() {
    let of = |kind| (0..100_000).filter(|seed| Kind::of(*seed) == kind).count();
    let shares = Kind::ALL.map(of);
    for (share, wanted) in shares.into_iter().zip([70_000, 20_000, 10_000]) {
        assert!(usize::abs_diff(share, wanted) < 1000, "{shares:?}");
    }
}

/// What a plan may have, by name.
type Family<'a> = (&'a str, &'a dyn Fn(&Plan) -> bool);

/// Each kind of fault, middlebox and limit is there in some plans, and absent from most.
#[test]
fn every_family_is_drawn_and_absent_from_about_half_of_the_plans_or_more() {
    let plans: Vec<Plan> = (0..2000).map(draw::endpoints).collect();
    let limits = |plan: &Plan, has: &dyn Fn(&segue_swarm::hosts::plan::Limits) -> bool| {
        plan.hosts.iter().any(|host| matches!(&host.stack, Stack::Segue(limits) if has(limits)))
    };
    let families: [Family<'_>; 22] = [
        ("loss", &|plan| plan.hosts.iter().any(|host| host.access.odds.lose > 0)),
        ("duplicates", &|plan| plan.hosts.iter().any(|host| host.access.odds.double > 0)),
        ("reordering", &|plan| plan.hosts.iter().any(|host| host.access.odds.hold > 0)),
        ("damage", &|plan| plan.hosts.iter().any(|host| host.access.odds.corrupt > 0)),
        ("marks", &|plan| plan.hosts.iter().any(|host| host.access.odds.mark > 0)),
        ("trunks", &|plan| plan.trunks.len() > 1),
        ("partitions", &|plan| !plan.partitions.is_empty()),
        ("stripped options", &|plan| plan.boxes.iter().any(|one| one.strip.timestamps)),
        ("a clamped MSS", &|plan| plan.boxes.iter().any(|one| one.clamp_mss.is_some())),
        ("split segments", &|plan| plan.boxes.iter().any(|one| one.split > 0)),
        ("joined segments", &|plan| plan.boxes.iter().any(|one| !one.coalesce.is_zero())),
        ("shifted numbers", &|plan| plan.boxes.iter().any(|one| one.shift > 0)),
        ("NAT", &|plan| plan.boxes.iter().any(|one| one.nat.is_some())),
        ("late hosts", &|plan| plan.hosts.iter().any(|host| !host.late.is_zero())),
        ("devices with little room", &|plan| plan.hosts.iter().any(|host| host.room > 0)),
        ("sleep", &|plan| plan.hosts.iter().any(|host| host.sleep.is_some())),
        ("reboots", &|plan| plan.hosts.iter().any(|host| host.reboot.is_some())),
        ("floods", &|plan| plan.flood.is_some()),
        ("budgets", &|plan| limits(plan, &|limits| limits.memory > 0)),
        ("backlogs", &|plan| limits(plan, &|limits| limits.half_open > 0)),
        ("few in TIME-WAIT", &|plan| limits(plan, &|limits| limits.time_wait > 0)),
        ("gates", &|plan| limits(plan, &|limits| limits.gate.is_some())),
    ];
    for (name, has) in families {
        let count = plans.iter().filter(|plan| has(plan)).count();
        assert!((20..1500).contains(&count), "{name}: in {count} of 2000 plans");
    }
    let ends: BTreeSet<_> = plans.iter().map(|plan| plan.hosts[0].config == plan.hosts[1].config).collect();
    assert!(ends.contains(&false), "both ends are always alike");
}

#[test]
fn one_seed_gives_the_same_run_twice() {
    for seed in seeds(Kind::Endpoints).take(20).chain(seeds(Kind::Smoltcp).take(10)).chain(seeds(Kind::Pair).take(10)) {
        let world = World::draw(seed);
        assert_eq!(world, World::draw(seed));
        assert_eq!((world.play(), world.ladder()), (world.play(), world.ladder()), "seed {seed}");
    }
}

/// A world that breaks the law of liveness: one of its users never closes.
fn broken() -> (u64, World) {
    let endless = |seed: &u64| {
        let World::Hosts(mut plan) = World::draw(*seed) else { return None };
        let flow = plan.flows.len() - 1;
        plan.patient = true;
        plan.flows[flow].programs[0].closing = Closing::Never;
        let world = World::Hosts(plan);
        world.play().is_err().then_some((*seed, world))
    };
    seeds(Kind::Endpoints).find_map(|seed| endless(&seed)).expect("such a plan")
}

#[test]
fn a_broken_law_is_found_shrunk_written_and_played_again() {
    let (seed, plan) = broken();
    let reason = plan.play().expect_err("it breaks a law");
    let (shrunk_reason, shrunk) = plan.shrink(reason.clone(), Duration::from_secs(5));
    let (World::Hosts(large), World::Hosts(small)) = (&plan, &shrunk) else { panic!("other worlds") };
    assert!(small.flows.len() <= large.flows.len() && shrink::simpler(small).len() <= shrink::simpler(large).len());
    assert_eq!(shrunk.play().map(drop), Err(shrunk_reason.clone()));
    let ladder: Vec<String> = shrunk.ladder().lines().map(ToString::to_string).collect();
    assert_eq!(ladder.last(), Some(&shrunk_reason));
    let (version, kind) = (Capsule::VERSION, Kind::of(seed));
    let capsule = Capsule { version, seed, kind, reason, plan, shrunk, shrunk_reason, ladder };
    let directory = std::env::temp_dir().join(format!("segue-swarm-{}", std::process::id()));
    let path = capsule.write(&directory).expect("a directory to write to");
    let read = Capsule::read(&path);
    std::fs::remove_dir_all(&directory).expect("it was made here");
    assert_eq!(read.as_ref(), Ok(&capsule));
    // its seed draws another world: somebody changed the drawn plan
    assert!(!capsule.is_current());
    assert!(Capsule { plan: World::draw(seed), ..capsule }.is_current());
}

#[test]
fn a_capsule_of_another_version_says_so() {
    let error = Capsule::parse(r#"{ "version": 0, "seed": 7, "plan": {} }"#).expect_err("another version");
    assert!(error.contains("version 0") && error.contains("--seed 7"), "{error}");
    let error = Capsule::parse(r#"{ "version": 1, "seed": 7, "plan": {} }"#).expect_err("no plan");
    assert!(error.contains("--seed 7"), "{error}");
    assert!(Capsule::parse("[]").expect_err("no capsule").contains("no capsule"));
}

#[test]
fn the_command_line_is_read_and_mistakes_are_named() {
    let parsed = args::parse(["--from", "5", "--runs", "7", "--kind", "smoltcp", "--jobs", "0", "--seconds", "9"]);
    let wanted =
        Options { from: 5, runs: 7, kind: Some(Kind::Smoltcp), jobs: 1, seconds: Some(9), ..Options::default() };
    assert_eq!(parsed, Ok(Some(wanted)));
    let parsed = args::parse(["--replay", "a.json", "--whole"]);
    assert_eq!(parsed, Ok(Some(Options { task: Task::Replay("a.json".into()), whole: true, ..Options::default() })));
    assert_eq!(args::parse(["--help"]), Ok(None));
    for (line, word) in [(["--kind", "pairs"], "pairs"), (["--runs", "-1"], "--runs"), (["--jobs", "two"], "--jobs")] {
        let error = args::parse(line).expect_err("a mistake");
        assert!(error.contains(word), "{error}");
    }
    assert!(args::parse(["--seed"]).is_err() && args::parse(["more"]).is_err());
}

#[test]
fn a_campaign_without_a_world_is_a_mistake() {
    for (line, word) in [
        (&["--runs", "0"][..], "--runs"),
        (&["--kind", "smoltcp", "--from", "1", "--runs", "1"], "no world of the kind smoltcp"),
        (&["--from", "18446744073709551615", "--runs", "10"], "--from 18446744073709551615"),
        (&["--from", "18446744073709551615", "--runs", "1", "--jobs", "1"], "--from 18446744073709551615"),
    ] {
        let error = args::parse(line).expect_err("a mistake");
        assert!(error.contains(word), "{error}");
    }
    let options = Options { kind: Some(Kind::Smoltcp), runs: 1, ..Options::default() };
    assert!(campaign::run(&options).expect_err("nothing is played").contains("no world of the kind smoltcp"));
    let last = args::parse(["--from", "18446744073709551614", "--runs", "1"]);
    assert!(last.is_ok_and(|options| options.is_some_and(|options| options.seeds() == (u64::MAX - 1..u64::MAX))));
}

/// Where the range ends at the greatest number, the threads end, too.
#[test]
fn the_last_seeds_are_run_once() {
    let played = Mutex::new(Vec::new());
    let case = |seed| {
        played.lock().expect("nobody panics here").push(seed);
        Ok::<(), (String, ())>(())
    };
    // the second of two threads would begin anew at 0
    let watch = |progress: &search::Progress<()>| {
        if progress.done < 100 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let progress = search::seeds(u64::MAX - 3..u64::MAX, 4, case, watch);
    let mut played = played.into_inner().expect("nobody panics here");
    played.sort_unstable();
    assert_eq!((progress.done, played), (3, vec![u64::MAX - 3, u64::MAX - 2, u64::MAX - 1]));
}

/// What the generator draws makes sense, and so does each simpler plan, the recorded ones too.
#[test]
fn drawn_worlds_and_simpler_ones_make_sense() {
    let check = |world: &World, seed: u64| world.check().unwrap_or_else(|senseless| panic!("seed {seed}: {senseless}"));
    for seed in 1..20_000 {
        let world = World::draw(seed);
        check(&world, seed);
        if seed % 50 == 0 {
            world.simpler().iter().for_each(|world| check(world, seed));
        }
    }
}

/// A capsule with this field of its plan set to another value.
fn capsule_with(world: World, pointer: &str, value: serde_json::Value) -> String {
    let (seed, reason) = (1, String::from("a reason"));
    let (version, kind, shrunk_reason, ladder) = (Capsule::VERSION, Kind::Pair, reason.clone(), Vec::new());
    let capsule = Capsule { version, seed, kind, reason, plan: world.clone(), shrunk: world, shrunk_reason, ladder };
    let mut capsule = serde_json::to_value(&capsule).expect("a capsule is data");
    *capsule.pointer_mut(pointer).unwrap_or_else(|| panic!("no field {pointer}")) = value;
    capsule.to_string()
}

#[test]
fn a_capsule_that_makes_no_sense_names_the_field() {
    let pair = || World::draw(seeds(Kind::Pair).next().expect("a seed"));
    let hosts = || World::draw(seeds(Kind::Endpoints).next().expect("a seed"));
    let long = serde_json::json!({ "secs": u32::MAX, "nanos": 0 });
    let cases = [
        (pair(), "/shrunk/pair/plan/ends/0/path/ip_options", 65_535.into(), "ends[0].path.ip_options: 65535"),
        (pair(), "/plan/pair/plan/ends/0/octets", u64::MAX.into(), "ends[0].octets: 18446744073709551615"),
        (pair(), "/shrunk/pair/plan/links/1/delay", long.clone(), "links[1].delay"),
        (hosts(), "/plan/hosts/flows/0/programs/1/octets", u64::MAX.into(), "flows[0].programs[1].octets"),
        (hosts(), "/shrunk/hosts/flows/0/client", 200.into(), "flows[0].client: 200"),
        (hosts(), "/shrunk/hosts/hosts/1/router", 9.into(), "hosts[1].router: 9"),
        (hosts(), "/shrunk/hosts/hosts/0/access/link/delay", long, "hosts[0].access.link.delay"),
    ];
    for (world, pointer, value, words) in cases {
        let whole = capsule_with(world.clone(), "/seed", 1.into());
        assert!(Capsule::parse(&whole).is_ok_and(|capsule| capsule.plan == world), "the capsule without the change");
        let error = Capsule::parse(&capsule_with(world, pointer, value)).expect_err(pointer);
        assert!(error.contains("makes no sense") && error.contains(words), "{error}");
    }
}
