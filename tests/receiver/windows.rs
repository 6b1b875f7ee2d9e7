//! What a window lets through, and with how many acknowledgments.

use std::time::Duration;

use segue::{Config, ConfigBuilder};

use super::link::{Host, Setup, World};

const MSS: u32 = 1460;
const GBIT: u64 = 1_000_000_000;

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn client() -> ConfigBuilder {
    Config::builder().timestamps(false)
}

/// A gigabit in a second, a round trip of 20 ms, and a user that reads at once.
fn setup(window: u32) -> Setup {
    let server = Config::builder().receive_buffer(window);
    Setup { client: client(), server, rate: GBIT, rtt: ms(20), mtu: 1500, host: Host::Single, reader: us(0) }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Measured {
    read: u64,
    time: Duration,
    texts: usize,
    acks: usize,
}

impl Measured {
    /// Thousandths of a window in a round trip.
    fn of_window(&self, setup: &Setup) -> u64 {
        let window = u64::from(setup.server.build().unwrap().receive_buffer());
        self.read * setup.rtt.as_micros() as u64 * 1000 / (self.time.as_micros() as u64 * window)
    }

    /// Pure ACKs for a thousand segments of text.
    fn acks(&self) -> usize {
        self.acks * 1000 / self.texts
    }
}

/// 100 round trips of a bulk transfer, after a time to begin.
fn bulk(setup: &Setup) -> Measured {
    let mut world = World::new(*setup);
    world.writes(1 << 30);
    world.run(30 * setup.rtt + ms(300));
    let (read, texts, acks) = (world.read, world.texts, world.acks);
    let time = (100 * setup.rtt).clamp(ms(100), ms(2000));
    world.run(time);
    Measured { read: (world.read - read) as u64, time, texts: world.texts - texts, acks: world.acks - acks }
}

/// Windows of few segments, a user that reads at once. Of a window of 4.5 segments a sender uses four: it sends whole ones
/// while anything is in flight (RFC 9293 §3.8.6.2.1). Beyond 32 segments the one or two that the last ACK left out are worth
/// no ACK of their own.
#[test]
fn established_windows_of_few_segments_are_used_up() {
    let cases = [
        (2.0, 1000, 1000),
        (3.0, 1000, 1000),
        (4.0, 1000, 1000),
        (4.5, 888, 1000),
        (6.0, 1000, 1000),
        (10.0, 1000, 1000),
        (16.0, 1000, 1000),
        (17.0, 970, 666),
        (20.0, 975, 666),
        (32.0, 984, 666),
        (40.0, 950, 500),
        (100.0, 980, 500),
    ];
    for (segments, share, acks) in cases {
        let setup = setup((segments * f64::from(MSS)) as u32);
        let measured = bulk(&setup);
        assert_eq!((measured.of_window(&setup), measured.acks()), (share, acks), "{segments} segments");
    }
}

/// An MTU of 65,535 and the default buffers: the window is four segments. Whether the user pushes does not matter.
#[test]
fn established_a_default_window_of_four_large_segments_is_used_up() {
    for (rtt, share) in [(ms(2), 979), (ms(20), 999), (ms(40), 999)] {
        let (client, server) = (Config::builder(), Config::builder());
        let setup = Setup { client, server, mtu: 65_535, rate: 10 * GBIT, rtt, ..setup(1) };
        let measured = bulk(&setup);
        assert_eq!((measured.of_window(&setup), measured.acks()), (share, 1000), "{rtt:?}");
    }
}

/// Hosts that hand over what came in 500 us together, and users that read once in a while: a round trip is longer by that time.
#[test]
fn established_batches_and_late_readers_use_the_window_up() {
    let (batches, coalesces) = (Host::Batches(us(500)), Host::Coalesces(us(500)));
    let cases = [
        (131_072, batches, us(0), ms(20), 934, 52),
        (131_072, coalesces, us(0), ms(20), 934, 52),
        (131_072, Host::Single, ms(1), ms(20), 941, 516),
        (131_072, Host::Single, ms(10), ms(20), 664, 516), // it reads each second time: 20 / 30
        (131_072, batches, us(0), ms(2), 770, 51),         // 2 / 2.5
        (131_072, Host::Single, ms(1), ms(2), 664, 516),   // 2 / 3
        (20 * MSS, batches, us(0), ms(20), 970, 100),
        (20 * MSS, coalesces, us(0), ms(20), 970, 100),
        (20 * MSS, Host::Single, ms(10), ms(20), 665, 599),
        (10 * MSS, coalesces, us(0), ms(20), 970, 200),
        (65_535, coalesces, us(0), ms(20), 928, 58),
    ];
    for (window, host, reader, rtt, share, acks) in cases {
        let setup = Setup { host, reader, rtt, ..setup(window) };
        let measured = bulk(&setup);
        assert_eq!(
            (measured.of_window(&setup), measured.acks()),
            (share, acks),
            "{window} {host:?} {reader:?} {rtt:?}"
        );
    }
}

/// Any window of four segments or more, MSS, rate, round trip, host and reader: 0.9 at least of what whole segments in a window,
/// the time that they take and the link allow.
#[test]
fn established_any_window_is_used_up_to_nine_tenths() {
    let mut seed = 5_u64;
    let mut draw = |choices: &[u64]| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        choices[(seed >> 33) as usize % choices.len()]
    };
    for _ in 0..100 {
        let mtu = draw(&[576, 1260, 1500, 9000]) as u16;
        let mss = u64::from(mtu - 40);
        let timestamps = draw(&[0, 1]) == 1;
        let window =
            mss * draw(&[4, 5, 6, 7, 8, 10, 12, 15, 16, 17, 20, 31, 33, 40, 44, 64, 100]) + draw(&[0, 1, mss / 4]);
        let (rate, rtt) = (draw(&[10, 100, 1000, 10_000]) * 1_000_000, us(draw(&[1, 2, 5, 20, 40, 100]) * 1000));
        let (host, reader) = match draw(&[0, 0, 1, 2, 3]) {
            0 => (Host::Single, 0),
            1 => (Host::Single, draw(&[100, 500, 1000, 5000])),
            2 => (Host::Batches(us(500)), 0),
            _ => (Host::Coalesces(us(500)), 0),
        };
        let delayed_ack = ms(draw(&[0, 40, 200, 499]));
        let server = Config::builder().receive_buffer(window as u32).delayed_ack(delayed_ack);
        let client = client().timestamps(timestamps);
        let setup = Setup { client, server, rate, rtt, mtu, host, reader: us(reader) };
        let measured = bulk(&setup);
        let text = if timestamps { mss - 12 } else { mss };
        let whole = window / text * text;
        let one = u64::from(mtu) * 8_000_000 / rate + 512_000_000 / rate; // a segment and its ACK
        let wait = match host {
            Host::Single => reader,
            Host::Batches(time) | Host::Coalesces(time) => time.as_micros() as u64,
        };
        let cycle = rtt.as_micros() as u64 + wait + one;
        let time = measured.time.as_micros() as u64;
        let possible = (whole * time / cycle).min(rate * text / u64::from(mtu) * time / 8_000_000);
        assert!(
            measured.read * 10 >= possible * 9,
            "{} of {possible}, window {window} in segments of {text}, delayed ACK {delayed_ack:?}: {setup:?}",
            measured.read
        );
    }
}

/// Where the link is the limit, or the gain would be small, every second segment is acknowledged and no more.
#[test]
fn established_a_bulk_flow_that_waits_for_no_window_gets_no_further_acks() {
    let cases = [
        (10_000_000, ms(40), 131_072, 1667, 833),
        (10_000_000, ms(40), 1 << 20, 1667, 833),
        (100_000_000, ms(20), 1 << 20, 16_666, 8333),
        (100_000_000, ms(5), 131_072, 4166, 2083),
        (GBIT, us(200), 262_144, 8334, 4167),
        (GBIT, ms(1), 1 << 20, 8334, 4167),
        (GBIT, ms(20), 100 * MSS, 9800, 4900),
    ];
    for (rate, rtt, window, texts, acks) in cases {
        let measured = bulk(&Setup { rate, rtt, ..setup(window) });
        assert_eq!((measured.texts, measured.acks), (texts, acks), "{rate} {rtt:?} {window}");
    }
}

/// Requests that are answered with 100 octets when they have been read, and a pause after each: an ACK for each of the first
/// segments, then for every second, and an update where the user reads late and the window was half used. 20 requests of so
/// many octets, with so large a window: segments and pure ACKs.
#[test]
fn established_requests_get_no_further_acks() {
    let cases = [
        (14_600, 1000, Host::Single, 20, 20),
        (14_600, 10_000, Host::Single, 140, 78),
        (65_535, 10_000, Host::Single, 140, 78),
        (65_535, 14_000, Host::Single, 200, 116),
        (65_535, 100_000, Host::Single, 1400, 716),
        (131_072, 14_000, Host::Coalesces(us(500)), 200, 20),
        (131_072, 100_000, Host::Single, 1400, 716),
        (131_072, 100_000, Host::Coalesces(us(500)), 1400, 44),
        (262_144, 100_000, Host::Single, 1400, 716),
        (262_144, 100_000, Host::Batches(us(500)), 1400, 44),
    ];
    for (window, size, host, texts, acks) in cases {
        for pause in [0, 50] {
            let setup = Setup { client: client().timestamps(true), host, ..setup(window) };
            let mut world = World::new(setup);
            for _ in 0..20 {
                world.transfer(size, ms(5000));
                world.answers(100);
                world.run(setup.rtt + ms(pause));
            }
            assert_eq!((world.texts, world.acks), (texts, acks), "{window} {size} {host:?} {pause}");
        }
    }
}
