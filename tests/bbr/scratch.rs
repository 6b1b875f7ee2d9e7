use super::*;
fn show(world: &World) {
    for (at, i) in &world.states {
        println!(
            "{:6} ms {:?} round {} max_bw {} bws {:?} lt {:?} st {:?} extra {} cwnd {} rtt {:?}",
            (at - 10 * SECOND) / MILLI,
            i.state,
            i.round_count,
            i.max_bw,
            i.bw_shortterm,
            i.inflight_longterm,
            i.inflight_shortterm,
            i.extra_acked,
            i.cwnd,
            i.min_rtt
        );
    }
    println!("lost {} of {} {:?}", world.lost, world.offered, world.tcp().info().counters);
}
#[test]
fn scratch() {
    let mut world = World::greedy(Link::default(), ProbeBwUp, 5 * SECOND);
    world.app = App::Trickle(HALF);
    world.pass(SECOND);
    world.change(|link| link.loss = 300_000);
    world.until(300 * MILLI, |world| {
        let i = world.bbr();
        println!(
            "{} {:?} {:?} cwnd {} flight {} {:?}",
            world.now / 1000,
            i.state,
            i.inflight_longterm,
            i.cwnd,
            world.inflight(),
            world.tcp().info().counters.fast_retransmits
        );
        world.state() != ProbeBwUp
    });
    show(&world);
}
