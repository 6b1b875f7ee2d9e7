//! A search that is switched off, or begins anew, while its probe is out: the loss of the probe is no sign of congestion (RFC
//! 8899 §3 item 7, RFC 4821 §7.6.2), and its arrival proves nothing more.

use std::time::Duration;

use segue::{Config, Knob, Path};
use segue_kit::{ms, secs};

use super::link::{CLIENT, Fate, World, carries};

const RTT: Duration = ms(100);
const PROBE: usize = 9000;

/// The client has much to send, and a probe of 9000 octets has just left over a path that takes `mtu`.
fn probing(mtu: u16, (rack, sack): (bool, bool)) -> World<'static> {
    let config = || Config::builder().mtu_probe_max(9000).rack(rack).sack(sack);
    let mut world = World::new([config(), config()], Path::ipv4(1500)).over(carries(mtu, false));
    world.todo = 10_000_000;
    while probes(&world) == 0 {
        world.run(ms(1));
    }
    world
}

fn probes(world: &World<'_>) -> usize {
    world.sent.iter().filter(|packet| packet.from == CLIENT && packet.size > 1500).count()
}

/// What is done while the probe is out.
type Act = (&'static str, fn(&mut World<'_>));

const ACTS: [Act; 3] = [
    ("off", |world| world.set(Knob::MtuProbing(false))),
    ("off and on", |world| {
        world.set(Knob::MtuProbing(false));
        world.set(Knob::MtuProbing(true));
    }),
    ("told again", |world| world.tell(1500)),
];

#[test]
fn rfc_4821_7_6_2_the_loss_of_a_probe_of_a_search_that_is_over_is_no_congestion() {
    for (name, act) in ACTS {
        for detector @ (rack, sack) in [(true, true), (false, true), (false, false)] {
            let mut world = probing(1500, detector);
            let before = world.end(CLIENT).info();
            act(&mut world);
            world.run(3 * RTT);
            let after = world.end(CLIENT).info();
            let context = format!("{name}, {rack}, {sack}: {before:?}, {after:?}");
            assert!(after.cwnd >= before.cwnd && after.ssthresh == u32::MAX, "{context}");
            assert_eq!((after.counters.fast_retransmits, after.counters.timeouts), (0, 0), "{context}");
            assert_eq!(after.counters.retransmissions, 7, "8948 octets in segments of 1448: {context}");
        }
    }
}

/// The loss of other segments is congestion as ever.
#[test]
fn another_loss_beside_that_of_the_probe_is_congestion() {
    for (name, act) in ACTS {
        let mut world = probing(1500, (true, true));
        act(&mut world);
        let mut lost = 0;
        world = world.over(move |at, from, size| {
            lost += u32::from(from == CLIENT && size == 1500);
            if from == CLIENT && size == 1500 && lost == 4 { Fate::Lost } else { carries(1500, false)(at, from, size) }
        });
        world.run(4 * RTT);
        let after = world.end(CLIENT).info();
        assert!(after.ssthresh < u32::MAX && after.counters.fast_retransmits == 1, "{name}: {after:?}");
    }
}

/// No probe leaves any more, and the one that arrives does not change the MTU.
#[test]
fn a_probe_that_arrives_after_the_search_was_switched_off_proves_nothing() {
    let mut world = probing(9000, (true, true));
    world.set(Knob::MtuProbing(false));
    world.run(secs(20));
    assert_eq!((probes(&world), world.mtu(), world.mtus.len()), (1, 1500, 0));
    let info = world.end(CLIENT).info();
    assert_eq!((info.counters.retransmissions, info.ssthresh), (0, u32::MAX));
    // switched on again it searches as ever
    world.set(Knob::MtuProbing(true));
    world.until_mtu(u16::try_from(PROBE).expect("a small number"), secs(5));
}

/// After a loss that was no congestion the next probe waits as many round trips as the window has packets.
#[test]
fn rfc_4821_7_6_2_a_search_that_begins_anew_waits_after_the_loss_of_the_earlier_probe() {
    let mut world = probing(1500, (true, true));
    let window = world.end(CLIENT).info().cwnd / 1460;
    world.set(Knob::MtuProbing(false));
    world.set(Knob::MtuProbing(true));
    let first = world.time();
    while probes(&world) == 1 {
        world.todo = 10_000_000;
        world.run(ms(1));
    }
    let round_trips = (world.time() - first).div_duration_f64(RTT);
    assert!(window > 7 && round_trips > window.into(), "{round_trips} after {window} packets");
}
