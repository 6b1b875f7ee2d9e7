//! Acknowledgments by full-sized segments (`ack_full_sized`), and peers whose segments are small.

use std::time::Duration;

use segue::Config;

use super::link::{Host, Setup, World};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A peer whose full-sized segment has `mss` octets with its options.
fn setup(mss: u16, initial_window: u8, timestamps: bool, delayed_ack: Duration) -> Setup {
    let client = Config::builder().max_mss(mss).min_mss(64).timestamps(timestamps).initial_window(initial_window);
    let server = Config::builder().ack_full_sized(true).quick_acks(0).delayed_ack(delayed_ack);
    Setup { client, server, rate: 1_000_000_000, rtt: ms(10), mtu: 1500, host: Host::Single, reader: Duration::ZERO }
}

/// 100 kB in segments of 88 octets and 12 of options: an ACK for every second one, and none waits.
#[test]
fn established_a_peer_with_small_full_segments_gets_an_ack_for_every_second_one() {
    for delayed_ack in [40, 499] {
        let mut world = World::new(setup(100, 10, true, ms(delayed_ack)));
        let took = world.transfer(100_000, ms(20_000));
        assert_eq!((took, world.texts, world.acks), (Duration::from_micros(65_592), 1137, 568), "{delayed_ack}");
    }
}

/// Any full size and initial window, with and without timestamps: it takes no longer than where every second segment counts.
#[test]
fn established_a_peer_of_any_full_size_is_acknowledged_as_if_segments_counted() {
    for mss in [64, 65, 100, 268, 269, 500, 535, 536, 537, 1000, 1459, 1460] {
        for (initial_window, timestamps) in [(2, true), (3, true), (10, true), (2, false), (3, false), (10, false)] {
            for host in [Host::Single, Host::Coalesces(Duration::from_micros(500))] {
                let setup = Setup { host, ..setup(mss, initial_window, timestamps, ms(499)) };
                let took = |counts: bool| {
                    let server = setup.server.ack_full_sized(counts);
                    World::new(Setup { server, ..setup }).transfer(100_000, ms(20_000))
                };
                assert_eq!(took(true), took(false), "{mss} {initial_window} {timestamps} {host:?}");
            }
        }
    }
}
