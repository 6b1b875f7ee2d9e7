//! The receive window grows to what the path needs, whatever it began with.

use std::time::Duration;

use segue::Config;

use super::link::{Host, Setup, World};

const RTT: Duration = Duration::from_millis(20);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A bulk transfer that only the window limits.
fn setup(first: u32, buffer: u32, timestamps: bool) -> Setup {
    let client = Config::builder().timestamps(timestamps);
    let server = Config::builder().receive_buffer(buffer).receive_buffer_initial(first);
    Setup { client, server, rate: 10_000_000_000, rtt: RTT, mtu: 1500, host: Host::Single, reader: Duration::ZERO }
}

/// Round trips until the whole buffer is in use. A reader that is late makes each longer.
fn rounds(setup: Setup) -> u32 {
    let buffer = setup.server.build().unwrap().receive_buffer();
    let mut world = World::new(setup);
    world.writes(1 << 30);
    let in_use = |world: &World| world.info(1).rcv_buff;
    let rounds = (0..64).find(|_| {
        world.run(RTT + setup.reader + Duration::from_micros(200));
        in_use(&world) == buffer
    });
    rounds.unwrap_or_else(|| panic!("after 64 round trips {} of {buffer} octets: {setup:?}", in_use(&world)))
}

/// Ten segments of 1460 octets fill a first window of 14,600 exactly. The burst, 108 us at 1 Gbit/s, is no round trip.
#[test]
fn established_a_burst_that_fills_the_first_window_is_no_round_trip() {
    for (first, buffer, expected) in [(14_600, 262_144, 3), (14_601, 262_144, 3), (14_600, 1 << 20, 5)] {
        let setup = Setup { rate: 1_000_000_000, ..setup(first, buffer, false) };
        assert_eq!(rounds(setup), expected, "{first} of {buffer}");
    }
}

/// Any first window, exact multiples of a segment and the octet before and after among them, with and without
/// timestamps, ACKs that are delayed or not, readers in time and late: the buffer is found within log2 of its size over
/// the first window, and the two round trips until a first one is known.
#[test]
fn established_a_first_window_of_any_size_grows_to_the_buffer_within_log2_rounds() {
    let exact = [10, 11, 16, 20, 45, 99].into_iter().flat_map(|n| [n * 1460 - 1, n * 1460, n * 1460 + 1]);
    let with_timestamps = [11, 20].into_iter().flat_map(|n| [n * 1448 - 1, n * 1448, n * 1448 + 1]);
    let firsts: Vec<u32> =
        exact.chain(with_timestamps).chain([65_535, 65_536, 131_072]).filter(|&n| n >= 14_600).collect();
    for buffer in [262_144, 1 << 20] {
        for (quick, delayed_ack, reader) in
            [(32, 40, 0), (0, 40, 0), (0, 200, 0), (0, 0, 0), (32, 40, 1), (32, 40, 10), (0, 200, 50)]
        {
            for (&first, timestamps) in firsts.iter().flat_map(|first| [(first, true), (first, false)]) {
                let mut setup = setup(first, buffer, timestamps);
                setup.server = setup.server.quick_acks(quick).delayed_ack(ms(delayed_ack));
                setup.reader = ms(reader);
                let (rounds, most) = (rounds(setup), 2 + (buffer / first).ilog2() + 1);
                assert!(
                    rounds <= most,
                    "{rounds} rounds of {most}: {first} of {buffer}, {timestamps} {quick} {delayed_ack} {reader}"
                );
            }
        }
    }
}
