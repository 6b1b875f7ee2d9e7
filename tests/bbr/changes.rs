//! Paths that change, and policers: A.15 to A.17.

use super::*;

/// A.15: ten times the bandwidth. inflight_longterm is set, so it limits, and grows by twice as much in each round.
#[test]
fn a_15_increasing_bandwidth_10x_and_ensuring_full_bandwidth_is_reached() {
    let mut world = World::greedy(shallow(), ProbeBwCruise, 5 * SECOND);
    world.change(|link| (link.rate, link.queue) = (100_000_000, 500_000));
    world.reach(ProbeBwUp, 5 * SECOND);
    let (first, mut steps) = (world.bbr(), vec![first_longterm(&world)]);
    let mut round = first.round_count;
    let goodput = world.goodput();
    assert!(world.until(20 * SECOND, |world| {
        let info = world.bbr();
        if info.round_count > round {
            (round, _) = (info.round_count, steps.push(first_longterm(world)));
        }
        info.max_bw >= goodput * 95 / 100
    }));
    println!("{steps:?} {} {}", world.bbr().round_count - first.round_count, world.now);
}

fn first_longterm(world: &World) -> u32 {
    world.bbr().inflight_longterm.expect("it is set")
}

/// A.16: a tenth of the bandwidth.
#[test]
fn a_16_decreasing_bandwidth_10x_and_ensuring_max_bandwidth_adapts_down() {
    let link = Link { rate: 100_000_000, queue: 200_000, ..Link::default() };
    let mut world = World::greedy(link, ProbeBwCruise, 5 * SECOND);
    world.change(|link| link.rate = 10_000_000);
    let goodput = world.goodput();
    for k in 0..60 {
        world.pass(100 * MILLI);
        let i = world.bbr();
        println!(
            "{k} {:?} {:?} max {} bws {:?} st {:?} lt {:?} cwnd {}",
            world.now, i.state, i.max_bw, i.bw_shortterm, i.inflight_shortterm, i.inflight_longterm, i.cwnd
        );
    }
    println!("{goodput}");
}

/// A.17
#[test]
fn a_17_handling_token_bucket_policers() {
    let policer = Some(Bucket { rate: 1_250_000, burst: 300_000 });
    for burst in [30_000, 100_000, 300_000] {
        let policer = policer.map(|p| Bucket { burst, ..p });
        let mut world =
            World::greedy(Link { rate: 100_000_000, policer, ..Link::default() }, ProbeBwCruise, 5 * SECOND);
        world.pass(5 * SECOND);
        let (lost, offered) = (world.lost, world.offered);
        let rate = world.rate_over(10 * SECOND);
        println!("{burst}: {rate} {} of {}", world.lost - lost, world.offered - offered);
    }
}
