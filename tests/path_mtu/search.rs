//! The search upward (RFC 4821 §7.3 to §7.6): single packets find out what gets through, and an outage leaves no trace.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use segue::{Config, ConfigBuilder, Path, Timer};
use segue_kit::Rng;
use segue_kit::{ms, secs};

use super::link::{CLIENT, Departure, Fate, SERVER, World, carries};

const RTT: Duration = ms(100);

fn defaults() -> [ConfigBuilder; 2] {
    [Config::builder(), Config::builder()]
}

/// Both interfaces take packets of `most` octets; the path is expected to carry less at first.
fn jumbo(most: u16) -> [ConfigBuilder; 2] {
    [0; 2].map(|_| Config::builder().mtu_probe_max(most).send_buffer(40_000))
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
        let goal = world.end(CLIENT).info().counters.timeouts + timeouts - 1;
        while world.end(CLIENT).info().counters.timeouts < goal {
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

/// Five timeouts, one ACK, five timeouts, one ACK, then a perfect path; and the like.
#[test]
fn outages_with_one_acknowledgment_between_leave_the_mtu() {
    for outages in 1..=4 {
        for timeouts in 3..=9 {
            let mut world = after_outages(outages, timeouts, 100_000);
            let rto = world.end(CLIENT).deadline(Timer::Retransmit).map_or(world.now(), |at| at);
            let wait = rto.saturating_since(world.now());
            let took = world.until_mtu(1500, secs(200)).saturating_sub(wait);
            assert!(took <= 10 * RTT, "{outages}, {timeouts}: {took:?}");
            assert!(world.mtus.iter().all(|(_, mtu)| *mtu >= 1024), "{outages}, {timeouts}: {:?}", world.mtus);
            // what was sent before the path recovered may be lost even now: then probes find it
            world.transfer(300_000, secs(3));
            world.until_mtu(1500, 10 * RTT);
        }
    }
}

/// Random loss of 15 to 30 % for two minutes, then none: the full MTU is back when the first retransmissions have got
/// through, and never was less than the safe size.
#[test]
fn random_loss_leaves_the_mtu() {
    for seed in 0..31 {
        let (mut rng, rate) = (Rng::new(seed), 150 + 5 * u32::try_from(seed).expect("a small number"));
        let quiet = secs(120);
        let lossy = move |at, _, _| if at < quiet && rng.chance(rate) { Fate::Lost } else { Fate::Arrives };
        let mut world = World::new(defaults(), Path::ipv4(1500)).over(lossy);
        world.todo = 1_000_000_000;
        world.run(secs(120));
        assert!(!world.closed && world.mtus.iter().all(|(_, mtu)| *mtu >= 1024), "{seed}: {:?}", world.mtus);
        let next = world.end(CLIENT).deadline(Timer::Retransmit).expect("text is in flight");
        world.run(next.saturating_since(world.now()));
        let took = world.until_mtu(1500, secs(60));
        assert!(took <= secs(10), "{seed}: {took:?}");
        world.run(secs(2));
        assert_eq!(world.mtu(), 1500, "{seed}");
    }
}

/// Silent paths of many sizes: each is found, no probe is larger than what the peer takes, and each size that fails is
/// tried three times. In steps of 743 octets; `src/send/path_mtu/tests.rs` has each size without the connection.
#[test]
fn a_path_is_found() {
    for mtu in (576..9001).step_by(743).chain([1280, 1492, 1500, 9000, 9001]) {
        let (start, top) = if mtu < 1500 { (mtu.min(1024), 1500) } else { (1500, 9000) };
        let mut world = World::new(jumbo(top), Path::ipv4(start)).over(carries(mtu, false));
        settle(&mut world);
        let mut lost: Vec<_> = lost_probes(&world).map(|probe| probe.size).collect();
        let losses = lost.len();
        lost.dedup();
        assert!(world.mtu() <= mtu && mtu.min(top) - world.mtu() < 8, "{mtu}: {:?}", world.mtus);
        assert!(lost.len() <= 11 && losses <= 3 * lost.len(), "{mtu}: {lost:?}, {losses}");
        let info = world.end(CLIENT).info();
        assert_eq!((info.counters.fast_retransmits, info.counters.timeouts), (0, 0), "{mtu}: it is no congestion");
        assert_eq!(info.ssthresh, u32::MAX, "{mtu}");
    }
}

/// Probes: packets larger than the MTU in use.
fn lost_probes<'w>(world: &'w World<'_>) -> impl Iterator<Item = &'w Departure> {
    world.sent.iter().filter(|packet| packet.from == CLIENT && !packet.arrives)
}

/// Text flows until no probe has left for twelve seconds.
fn settle(world: &mut World<'_>) {
    let mut quiet = 0;
    while quiet < 12 {
        let before = (lost_probes(world).count(), world.mtus.len());
        world.todo = 10_000_000;
        world.run(secs(1));
        quiet = if before == (lost_probes(world).count(), world.mtus.len()) { quiet + 1 } else { 0 };
    }
}

/// One probe is lost: it goes again in segments of the usual size, and the window stays what it was.
#[test]
fn an_isolated_probe_loss_leaves_the_window() {
    let loss = |rack: bool, sack: bool| {
        let config = || Config::builder().mtu_probe_max(9000).rack(rack).sack(sack);
        let mut world = World::new([config(), config()], Path::ipv4(1500)).over(carries(1500, false));
        world.todo = 10_000_000;
        while lost_probes(&world).next().is_none() {
            world.run(ms(1));
        }
        let before = world.end(CLIENT).info();
        world.run(3 * RTT);
        let after = world.end(CLIENT).info();
        assert_eq!(lost_probes(&world).count(), 1);
        assert!(after.cwnd >= before.cwnd && after.ssthresh == u32::MAX, "{rack}, {sack}: {before:?}, {after:?}");
        assert_eq!((after.counters.fast_retransmits, after.counters.timeouts), (0, 0), "{rack}, {sack}");
        assert_eq!(after.counters.retransmissions, 7, "{rack}, {sack}: 8948 octets in segments of 1448");
    };
    loss(true, true);
    loss(false, true);
    loss(false, false);
}

/// Between a probe that was lost and the next one lie as many round trips as the window has packets: losses for congestion
/// would come no oftener.
#[test]
fn rfc_4821_7_6_2_after_a_lost_probe_the_next_one_waits() {
    let mut world = World::new(jumbo(9000), Path::ipv4(1500)).over(carries(1500, false));
    let mut packets = Vec::new();
    while lost_probes(&world).count() < 3 {
        world.todo = 10_000_000;
        world.run(ms(1));
        if lost_probes(&world).count() > packets.len() {
            packets.push(world.end(CLIENT).info().cwnd / 1460);
        }
    }
    let times: Vec<_> = lost_probes(&world).map(|packet| packet.at).collect();
    for (times, packets) in times.windows(2).zip(packets) {
        let round_trips = (times[1] - times[0]).div_duration_f64(RTT);
        assert!(packets > 7 && round_trips > packets.into(), "{round_trips} after {packets} packets");
    }
}

/// Where a timeout finds that a probe was lost the next one waits five times as long, by the window before the timeout.
#[test]
fn rfc_4821_7_6_3_after_a_timeout_the_next_probe_waits_five_times_as_long() {
    let out = Rc::new(Cell::new(false));
    let link = out.clone();
    let narrow = move |_, from, size| {
        link.set(link.get() || size > 1500); // the probe takes what follows it along
        if from == CLIENT && link.get() { Fate::Lost } else { Fate::Arrives }
    };
    let mut world = World::new(jumbo(9000), Path::ipv4(1500)).over(narrow);
    let mut packets = 0;
    while world.end(CLIENT).info().counters.timeouts == 0 {
        world.todo = 10_000_000;
        packets = world.end(CLIENT).info().cwnd / 1460;
        world.run(ms(1));
    }
    out.set(false);
    let timeout = world.time();
    let probe = |world: &World<'_>| lost_probes(world).find(|packet| packet.at > timeout).map(|packet| packet.at);
    while probe(&world).is_none() {
        world.todo = 10_000_000;
        world.run(ms(1));
    }
    let round_trips = (probe(&world).expect("it left") - timeout).div_duration_f64(RTT);
    assert!(packets > 7 && round_trips > f64::from(5 * packets), "{round_trips} after {packets} packets");
}

/// Random loss of 1 to 3 % on a path that takes all sizes: none is found too large.
#[test]
fn random_loss_does_not_make_a_size_too_large() {
    for seed in 0..40 {
        let (mut rng, rate) = (Rng::new(seed), 10 + u32::try_from(seed % 3).expect("a small number") * 10);
        let lossy = move |_, _, _| if rng.chance(rate) { Fate::Lost } else { Fate::Arrives };
        let mut world = World::new(jumbo(9000), Path::ipv4(1500)).over(lossy);
        world.until_mtu(9000, secs(120));
        assert_eq!(world.mtus.len(), 1, "{seed}: {:?}", world.mtus);
    }
}

/// The path becomes narrower in the middle, with and without errors, and ten minutes later wider.
#[test]
fn a_path_that_changes_is_followed() {
    for tells in [false, true] {
        let (narrow, wide) = (secs(20), secs(700));
        let link = move |at: Duration, from, size| {
            let mtu = if (narrow..wide).contains(&at) { 1280 } else { 9000 };
            carries(mtu, tells)(at, from, size)
        };
        let mut world = World::new(jumbo(9000), Path::ipv4(1500)).over(link);
        world.until_mtu(9000, secs(5));
        world.todo = 50_000;
        world.run(narrow.saturating_sub(world.time()));
        world.until_mtu(1280, secs(200));
        settle(&mut world);
        assert!((1280 - 8..=1280).contains(&world.mtu()), "{:?}", world.mtus);
        world.todo = 0;
        world.run(secs(700));
        assert!(world.time() > wide);
        world.until_mtu(9000, secs(60));
    }
}

/// Windows and buffers that hold no probe: none leaves, and all arrives.
#[test]
fn tiny_windows_are_never_stuck() {
    for octets in [1, 100, 536, 1448, 1500, 2000, 2900, 3000, 4000, 6000, 9000, 10_000, 12_000, 18_000] {
        for (send, receive) in [(octets, 100_000), (100_000, octets), (octets, octets)] {
            let config = || Config::builder().mtu_probe_max(9000).send_buffer(send).receive_buffer(receive);
            let mut world = World::new([config(), config()], Path::ipv4(1500)).over(carries(4000, false));
            world.transfer(usize::try_from(20 * octets).expect("a small number"), secs(60));
        }
    }
}

/// RFC 4821 §7.1, §7.4: a full size that no window, or no queue, has room for does not keep smaller ones from being
/// found. No segment of new text is larger than half of the peer's largest window (RFC 9293 §3.8.6.2.1), so more than
/// that is of no use; and a window that opens by its half has room for a probe and what follows it (§3.8.6.2.2).
#[test]
fn a_size_that_no_window_holds_does_not_end_the_search() {
    for rack in [true, false] {
        for (send, receive) in [(100_000, 20_000), (100_000, 40_000), (100_000, 65_535), (20_000, 200_000)] {
            for carried in [3000, 9000, 65_535] {
                let config =
                    || Config::builder().mtu_probe_max(65_535).send_buffer(send).receive_buffer(receive).rack(rack);
                let mut world = World::new([config(), config()], Path::ipv4(1500)).over(carries(carried, false));
                settle(&mut world);
                let (found, followers) = (u32::from(world.mtu()), if rack { 1 } else { 3 });
                let all = found + 8 > carried.into() || (1 + followers) * found > send.min(receive) / 2;
                assert!(all, "{rack}, {send}, {receive}, {carried}: {found}");
                assert!((1501..=u32::from(carried)).contains(&found), "{rack}, {send}, {receive}, {carried}: {found}");
            }
        }
    }
}

/// Pacing lets a probe go that is larger than a burst.
#[test]
fn pacing_lets_a_probe_go() {
    let config = || Config::builder().mtu_probe_max(9000).pacing(true).pacing_burst(1);
    let mut world = World::new([config(), config()], Path::ipv4(1500)).over(carries(9000, false));
    world.until_mtu(9000, secs(5));
}

/// By default nothing is probed: packets have the MTU at most, and no report comes.
#[test]
fn without_a_larger_mtu_to_find_no_probe_leaves() {
    for mtu in [576, 1280, 1500, 9000] {
        let mut world = World::new(defaults(), Path::ipv4(mtu)).over(carries(9000, false));
        world.transfer(5_000_000, secs(60));
        let largest = world.sent.iter().map(|packet| packet.size).max();
        assert_eq!((largest, world.mtus.len()), (Some(usize::from(mtu)), 0));
    }
}

/// A probe is one packet, where segments are cut below; and it is no larger than the peer's MSS allows.
#[test]
fn a_probe_is_never_cut_and_never_larger_than_the_peer_takes() {
    let client = Config::builder().mtu_probe_max(9000).max_transmit(60_000);
    let server = Config::builder().mtu_probe_max(4000);
    let mut world = World::new([client, server], Path::ipv4(1500)).over(carries(9000, false));
    world.until_mtu(4000, secs(10));
    world.transfer(5_000_000, secs(60));
    let largest = world.sent.iter().filter(|packet| packet.from == CLIENT).map(|packet| packet.size).max();
    assert_eq!((largest, world.mtus.len()), (Some(4000), 1));
}
