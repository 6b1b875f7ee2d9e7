//! Paths of all kinds: the grid of the draft (Appendix A), and wild ones.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use segue_kit::Rng;

use super::*;

/// Round trips from half a millisecond to a second, rates from 64 kbit/s to 10 Gbit/s. After Startup and Drain, 85 % of
/// what the path takes is used: the rest is what ProbeRTT and ProbeBW_DOWN may cost while the path is watched. Debug builds
/// compare the whole of a connection after each event, so a BDP of thousands of packets is left out, and fast paths have
/// large ones.
#[test]
fn any_round_trip_and_any_rate_is_used() {
    for rate in [64_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000] {
        for delay in [MILLI / 4, 10 * MILLI, 500 * MILLI] {
            let mtu = if rate >= 100_000_000 { 9000 } else { 1500 };
            let mut link = Link { rate, delay, mtu, ..Link::default() };
            if link.bdp() > 3_000_000 {
                continue;
            }
            let window = link.bdp() + 40 * u64::from(mtu); // and what windows are at the least
            link.queue = 2 * window;
            let drain = window * 8 * SECOND / rate;
            let mut world = World::new(link);
            world.app = App::Greedy;
            let most = 60 * (2 * delay + drain);
            let started = world.until(most, |world| world.bbr().full_bw_reached && world.state() != Drain);
            assert!(started, "{rate} bit/s, {delay} ns: {:#?}", world.bbr());
            let (got, goodput) = (world.rate_over(4 * (2 * delay + drain)), world.goodput());
            assert!(got >= goodput * 85 / 100, "{rate} bit/s, {delay} ns: {got} of {goodput}");
        }
    }
}

/// A slow path at the end of a short one. The pacing rate begins far above what the path takes, and falls only after
/// Startup; that must not let a window of seconds stand in the queue, whose rounds ProbeRTT interrupts for ever.
#[test]
fn startup_ends_on_a_slow_path_with_a_short_round_trip() {
    let link = Link { rate: 64_000, delay: MILLI / 4, queue: 200_000, ..Link::default() };
    let mut world = World::new(link);
    world.app = App::Greedy;
    assert!(world.until(60 * SECOND, |world| world.bbr().full_bw_reached), "{:#?}", world.bbr());
    world.pass(10 * SECOND);
    assert!(world.bbr().cwnd <= 30_000, "{}", world.bbr().cwnd);
    let rate = world.rate_over(20 * SECOND);
    assert!(rate >= world.goodput() * 85 / 100, "{rate}");
}

/// A path, users and a host of any kind.
fn wild(rng: &mut Rng, seed: u64) -> World {
    let rate = rng.pick(&[64_000, 300_000, 2_000_000, 10_000_000, 50_000_000]);
    let mut link = Link { rate, delay: u64::from(rng.below(150_000)) * 1000, seed, ..Link::default() };
    link.queue = u64::from(rng.pick(&[0_u32, 1500, 4000, 20_000, 100_000, 400_000]));
    link.loss = rng.pick(&[0, 0, 1000, 10_000, 50_000, 150_000, 300_000]);
    link.ack_loss = rng.pick(&[0, 0, 10_000, 200_000]);
    link.hold = (rng.pick(&[0, 0, 10_000, 200_000]), u64::from(rng.below(200)) * MILLI);
    link.ack_slot = rng.pick(&[0, 0, 5, 50]) * MILLI;
    if rng.chance(200) {
        link.policer = Some(Bucket { rate: rate / 8 / 3, burst: 5000 + u64::from(rng.below(100_000)) });
    }
    let buffer = rng.pick(&[3000, 20_000, 200_000, 1 << 26]);
    let config = path::config().receive_buffer(buffer).receive_buffer_initial(buffer.max(14_600));
    let config = config.send_buffer(rng.pick(&[3000, 60_000, 1 << 26])).user_timeout(None);
    let config = config.sack(rng.chance(850)).timestamps(rng.chance(850)).rack(rng.chance(850));
    World::with(link, config)
}

/// Changes of the path, of the packets' size, and of the reader, for a while; then calm.
fn disturb(world: &mut World, rng: &mut Rng) {
    for _ in 0..rng.below(12) {
        world.pass(u64::from(rng.below(1500)) * MILLI);
        match rng.below(6) {
            0 => world.reads = !world.reads,
            1 => world.mtu(rng.pick(&[576, 1000, 1280, 1500])),
            2 => world.change(|link| link.rate = (link.rate / 4).max(64_000)),
            3 => world.change(|link| link.rate = (link.rate * 4).min(50_000_000)),
            4 => world.change(|link| link.delay = link.delay / 2 + 5 * MILLI),
            _ => world.change(|link| link.loss = (link.loss / 2).max(1000)),
        }
    }
    world.reads = true;
}

/// All of it arrives within this number of virtual seconds, whatever the path did; nothing panics, and no law of the debug build is
/// broken.
fn arrives(seed: u64) {
    let mut rng = Rng::new(seed);
    let mut world = wild(&mut rng, seed);
    let all = u64::from(rng.pick(&[1_u32, 5000, 60_000, 200_000]));
    world.app = App::Until(all);
    disturb(&mut world, &mut rng);
    world.change(|link| {
        link.loss = link.loss.min(100_000);
        link.queue = link.queue.max(10_000);
    });
    // Ten times as long as stop-and-wait would take, with a tenth lost; and timers that had backed off to a minute.
    let wait = 4 * world.link.delay + world.link.hold.1 + world.link.ack_slot + SECOND;
    let most = 10 * (all / 500 + 1) * wait + 300 * SECOND;
    let arrived = world.until(most, |world| world.received == all);
    assert!(arrived, "{} of {all} after {most}: {:#?} {:?}", world.received, world.bbr(), world.link);
}

#[test]
fn whatever_the_path_does_all_text_arrives() {
    for seed in 0..200 {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| arrives(seed))) {
            eprintln!("seed {seed}");
            resume_unwind(panic);
        }
    }
}
