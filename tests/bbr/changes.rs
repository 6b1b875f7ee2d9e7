//! Paths that change, and policers: A.15 to A.17.

use super::*;

/// A.15: ten times the bandwidth. inflight_longterm is set, so it limits the flow, and its growth doubles in each round. A
/// BDP of 35 segments becomes one of 345 (3.3 doublings of the rate, 9 of the step), and 25 rounds find it.
#[test]
fn a_15_increasing_bandwidth_10x_and_ensuring_full_bandwidth_is_reached() {
    let mut world = World::greedy(shallow(), ProbeBwCruise, 5 * SECOND);
    world.change(|link| (link.rate, link.queue) = (100_000_000, 500_000));
    world.reach(ProbeBwUp, 5 * SECOND);
    let longterm = |world: &World| world.bbr().inflight_longterm.expect("it is set");
    let (first, mut round, mut bounds) = (world.bbr().round_count, 0, vec![longterm(&world)]);
    let goodput = world.goodput();
    assert!(world.until(5 * SECOND, |world| {
        if world.bbr().round_count > round {
            round = world.bbr().round_count;
            bounds.push(longterm(world));
        }
        world.bbr().max_bw >= goodput * 95 / 100
    }));
    let steps: Vec<_> =
        bounds.windows(2).map(|pair| (pair[1] - pair[0]) / world.mss()).filter(|step| *step > 0).collect();
    assert_eq!(steps[..3], [2, 4, 8], "{steps:?}");
    assert!(round - first <= 25, "{} rounds", round - first);
    assert_eq!(
        (world.states.iter().filter(|(_, info)| info.state == ProbeBwUp).count(), world.state()),
        (1, ProbeBwUp)
    );
}

/// A.16: a tenth of the bandwidth. Losses lower bw_shortterm by seven tenths a round. The first cycle still has samples of
/// the change, so after the second max_bw is that of the path.
#[test]
fn a_16_decreasing_bandwidth_10x_and_ensuring_max_bandwidth_adapts_down() {
    let link = Link { rate: 100_000_000, queue: 200_000, ..Link::default() };
    let mut world = World::greedy(link, ProbeBwCruise, 5 * SECOND);
    let before = world.bbr().max_bw;
    world.change(|link| link.rate = 10_000_000);
    assert!(world.until(2 * SECOND, |world| world.bbr().bw_shortterm.is_some_and(|bw| bw < before / 4)));
    assert!(world.bbr().is_loss_in_round || world.lost > 0);
    world.reach(ProbeBwDown, 10 * SECOND);
    assert!(world.bbr().max_bw == before, "the maximum of two cycles");
    world.reach(ProbeBwDown, 10 * SECOND);
    world.pass(SECOND);
    let (max_bw, goodput) = (world.bbr().max_bw, world.goodput());
    assert!(max_bw.abs_diff(goodput) * 50 <= goodput, "{max_bw} of {goodput}");
    world.pass(2 * SECOND);
    let (rate, lost) = (world.rate_over(5 * SECOND), world.lost);
    assert!(rate >= goodput * 95 / 100, "{rate} of {goodput}");
    world.pass(2 * SECOND);
    assert_eq!(world.lost, lost, "what is in flight fits");
}

/// A.17: a policer with tokens for a tenth of the link. What it drops lowers the short-term bounds. The flow then gets nine
/// tenths of the tokens, and loses less than 8 %: each probe finds the tokens that were saved up, and empties the bucket.
#[test]
fn a_17_handling_token_bucket_policers() {
    for burst in [30_000, 100_000, 300_000] {
        let policer = Some(Bucket { rate: 1_250_000, burst });
        let mut world =
            World::greedy(Link { rate: 100_000_000, policer, ..Link::default() }, ProbeBwCruise, 5 * SECOND);
        let heeds = |world: &World| world.bbr().inflight_shortterm.is_some() && world.bbr().bw_shortterm.is_some();
        assert!(world.until(5 * SECOND, heeds), "{burst}");
        world.pass(5 * SECOND);
        let (lost, offered) = (world.lost, world.offered);
        let (rate, tokens) = (world.rate_over(10 * SECOND), 1_250_000 * 1448 / 1500);
        assert!(rate >= tokens * 90 / 100, "{burst}: {rate} of {tokens}");
        let (lost, offered) = (world.lost - lost, world.offered - offered);
        assert!(lost * 100 <= 8 * offered, "{burst}: {lost} of {offered}");
    }
}

/// Ours: a BBR that takes over does not begin where the one before overshot, however often that happens.
#[test]
fn exchanges_again_and_again_do_not_flood_the_path() {
    for every in [10, 40, 80, 120, 200, 300] {
        let mut world = World::new(Link { queue: 100_000, ..Link::default() });
        world.app = App::Greedy;
        for _ in 0..8000 / every {
            world.pass(every * MILLI);
            world.exchange();
        }
        let (lost, offered) = (world.lost, world.offered);
        assert!(lost * 3 < offered && offered > 2000, "each {every} ms: {lost} of {offered} lost");
    }
}
