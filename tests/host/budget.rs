//! The memory budget: whatever is promised or held has been taken from it before.

use std::net::{IpAddr, SocketAddr};

use segue::Arc;
use segue::host::{EndpointConfig, Id, Listen};
use segue_kit::Rng;
use segue_kit::settings::{Mixture, config, magnitude};

use super::world::{CLIENT, SERVER, World, cost_of_one, owed};

/// What decides about windows; all other settings are those of the default.
const SETTINGS: [&str; 10] = [
    "receive_buffer",
    "receive_buffer_initial",
    "window_scaling",
    "window_shift",
    "max_mss",
    "mtu_probing",
    "mtu_probe_max",
    "timestamps",
    "send_buffer",
    "max_transmit",
];

fn endpoint(rng: &mut Rng) -> EndpointConfig {
    let mixture = Mixture(SETTINGS.into_iter().filter(|_| rng.chance(700)).collect());
    EndpointConfig {
        connection: Arc::new(config(rng, &mixture, &[])),
        mtu: u16::try_from(magnitude(rng, (0, 65_535), &[576, 1280, 1500, 9000])).unwrap(),
        memory: usize::try_from(magnitude(rng, (10_000, 1 << 31), &[100_000, 1_000_000])).unwrap(),
        ..EndpointConfig::default()
    }
}

/// Users connect, tell of other MTUs before and after, write, and read all. After each step the budget holds all windows
/// and all text that waits.
fn windows_within(seed: u64) -> usize {
    let rng = &mut Rng::new(seed);
    let mut world = World::new([endpoint(rng), endpoint(rng)], seed);
    let limits = world.ends.each_ref().map(|end| end.config().memory);
    let listener = world.ends[1].listen(Listen::port(80)).unwrap();
    let mut ids: [Vec<Id>; 2] = [Vec::new(), Vec::new()];
    let [us, peer]: [IpAddr; 2] =
        if rng.chance(500) { [CLIENT, SERVER] } else { ["2001:db8::7", "2001:db8::1"].map(|ip| ip.parse().unwrap()) };
    for _ in 0..1 + rng.below(4) {
        let Ok(id) = world.ends[0].connect(us, SocketAddr::new(peer, 80), world.now) else { continue };
        ids[0].push(id);
        let mut socket = world.ends[0].socket(id, world.now).unwrap();
        if rng.chance(500) {
            socket.set_mtu(rng.pick(&[68, 1280, 9000, 40_000, 65_535]));
        }
        socket.write(&vec![7; rng.pick(&[0, 100, 100_000])]).unwrap();
    }
    world.flush(0);
    let (mut left, cost) = (200, cost_of_one());
    world.go(3000, |endpoint, end, now| {
        ids[end].extend(std::iter::from_fn(|| endpoint.accept(listener).filter(|_| end == 1)));
        for id in &ids[end] {
            let Ok(mut socket) = endpoint.socket(*id, now) else { continue };
            let octets = socket.chunks().map(|text| text.len()).sum::<usize>();
            if octets > 0 && left > 0 {
                left -= 1;
                let _ = socket.write(&vec![9; octets.max(3000)]);
            }
            if rng.chance(50) {
                socket.set_mtu(rng.pick(&[68, 1280, 9000, 65_535]));
            }
        }
        let owed = owed(endpoint, ids[end].iter().copied(), cost, now);
        assert!(owed <= endpoint.memory(), "seed {seed}, end {end}: {owed} of {}", endpoint.memory());
        assert!(endpoint.memory() <= limits[end], "seed {seed}, end {end}");
    });
    ids[1].len()
}

/// 300 worlds; more with `SEGUE_CASES`.
#[test]
fn no_window_exceeds_what_the_budget_holds_for_it() {
    let cases = std::env::var("SEGUE_CASES").map_or(300, |cases| cases.parse().expect("a number"));
    let from = std::env::var("SEGUE_FROM").map_or(0, |from| from.parse().expect("a number"));
    let opened: usize = (from..from + cases).map(windows_within).sum();
    assert!(opened as u64 > cases / 2, "{opened} connections");
}
