use super::*;
fn trace(name: &str, link: Link, secs: u64) {
    let t = std::time::Instant::now();
    let mut world = World::new(link);
    world.app = App::Greedy;
    world.pass(secs * SECOND);
    println!("== {name} bdp {} goodput {} got {}", world.link.bdp(), world.goodput(), world.received / secs);
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
    println!("lost {} of {} real {:?} {:?}", world.lost, world.offered, t.elapsed(), world.tcp().info().counters);
}
#[test]
fn scratch() {
    trace("default", Link::default(), 20);
    trace("shallow", Link { queue: 20_000, ..Link::default() }, 20);
    trace("slots", Link { ack_slot: 30 * MILLI, ..Link::default() }, 10);
    trace(
        "policer",
        Link { rate: 100_000_000, policer: Some(Bucket { rate: 1_250_000, burst: 300_000 }), ..Link::default() },
        20,
    );
    trace("64k", Link { rate: 64_000, delay: 10 * MILLI, ..Link::default() }, 20);
}
