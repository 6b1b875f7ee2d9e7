//! The search upward (RFC 4821 §7.3 to §7.6): single packets find out what gets through, and an outage leaves no trace.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use segue::{Config, ConfigBuilder, Path};

use crate::fixture::{ms, secs};
use crate::link::{CLIENT, Fate, SERVER, World, carries};
use crate::net::Rng;

const RTT: Duration = ms(100);

fn defaults() -> [ConfigBuilder; 2] {
    [Config::builder(), Config::builder()]
}

/// Both interfaces take packets of `most` octets; the path is expected to carry less at first.
fn jumbo(most: u16) -> [ConfigBuilder; 2] {
    [0; 2].map(|_| Config::builder().mtu_probe_max(most).send_buffer(24_000))
}

/// What the link does with the client's packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Open,
    Out,
    /// Out, but for one packet.
    One,
}

fn switched(mode: &Rc<Cell<Mode>>) -> impl FnMut(Duration, usize, usize) -> Fate + use<> {
    let mode = mode.clone();
    move |_, from, _| match mode.get() {
        Mode::Open => Fate::Arrives,
        Mode::Out | Mode::One if from == SERVER => Fate::Arrives,
        Mode::Out => Fate::Lost,
        Mode::One => {
            mode.set(Mode::Out);
            Fate::Arrives
        }
    }
}

/// So many outages of `timeouts` timeouts each, with one packet and its acknowledgment at the end of each.
fn after_outages(outages: u32, timeouts: u64, queued: usize) -> World<'static> {
    let mode = Rc::new(Cell::new(Mode::Open));
    let mut world = World::new(defaults(), Path::ipv4(1500)).over(switched(&mode));
    world.transfer(200_000, secs(10));
    mode.set(Mode::Out);
    world.todo = queued;
    for _ in 0..outages {
        let goal = world.ends[CLIENT].info().counters.timeouts + timeouts - 1;
        while world.ends[CLIENT].info().counters.timeouts < goal {
            world.run(ms(1));
        }
        mode.set(Mode::One);
        while mode.get() == Mode::One {
            world.run(ms(1));
        }
        world.run(RTT + ms(50));
    }
    mode.set(Mode::Open);
    world
}

/// Five timeouts, one ACK, five timeouts, one ACK, then a perfect path.
#[test]
fn outages_with_one_acknowledgment_between_leave_the_mtu() {
    for (outages, timeouts) in [(1, 3), (1, 5), (2, 5), (2, 8), (3, 4)] {
        let mut world = after_outages(outages, timeouts, 100_000);
        assert!(world.mtus.iter().all(|(_, mtu)| *mtu >= 1024), "{outages}, {timeouts}: {:?}", world.mtus);
        let timer = world.ends[CLIENT].next_deadline().map_or(Duration::ZERO, |(_, at)| at.saturating_since(world.now));
        let took = world.until_mtu(1500, secs(20)).saturating_sub(timer);
        eprintln!("{outages} {timeouts}: {took:?} {:?}", world.mtus);
        assert!(took <= 8 * RTT, "{outages}, {timeouts}: {took:?}");
    }
}

/// Random loss of 15 to 30 % for two minutes, then none.
#[test]
fn random_loss_leaves_the_mtu() {
    for seed in 0..31 {
        let mut rng = Rng::new(seed);
        let (rate, quiet) = (150 + 5 * (seed as u32 % 31), secs(120));
        let mut world = World::new(defaults(), Path::ipv4(1500))
            .over(move |at, _, _| if at < quiet && rng.chance(rate) { Fate::Lost } else { Fate::Arrives });
        world.todo = 400_000_000;
        world.run(secs(120));
        assert!(!world.closed);
        let end = world.mtu();
        let least = world.mtus.iter().map(|(_, mtu)| *mtu).min();
        let took = world.until_mtu(1500, secs(200));
        eprintln!("{seed} {rate}: ends at {end} least {least:?}, {took:?}, changes {}", world.mtus.len());
        world.run(secs(5));
        assert_eq!(world.mtu(), 1500);
    }
}

/// Probes: new text in packets larger than the MTU in use when they left.
#[test]
fn a_path_is_found() {
    for mtu in (576..9001).step_by(397).chain([576, 1280, 1492, 1500, 9000]) {
        let ceiling = if mtu <= 1500 { 1500 } else { 9000 };
        let start = if mtu <= 1500 { mtu.min(1024) } else { 1500 };
        let mut world = World::new(jumbo(ceiling), Path::ipv4(start)).over(carries(mtu, false));
        world.todo = 400_000_000;
        world.run(secs(150));
        let probes: Vec<_> = world.sent.iter().filter(|p| p.from == CLIENT && !p.arrives).collect();
        let mut sizes: Vec<_> = probes.iter().map(|p| p.size).collect();
        sizes.dedup();
        eprintln!(
            "path {mtu}: found {} lost {} sizes {:?} changes {:?} cwnd {}",
            world.mtu(),
            probes.len(),
            sizes,
            world.mtus,
            world.ends[0].info().cwnd
        );
        assert!(world.mtu() <= mtu);
    }
    let _ = carries(1, false);
}
