//! A row for each switch and each scale that the paths leave out.

use std::time::Duration;

use segue::ConfigBuilder;

use super::Want::{Less, More};
use super::{ACKS, COMPLETION, EXCHANGE, Figure, GOODPUT, GOODPUT_OF_BOTH, Load, Path, Row, Theme, Unit, figure};
use crate::link::{MILLISECOND, Nanos, SECOND};
use crate::loss::Loss;
use crate::user::{Ending, Intake, Reader};

const MICROSECOND: Nanos = 1000;
/// Octets of text in a full segment with timestamps.
const MSS: u32 = 1448;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = rates();
    rows.extend(segments());
    rows.extend(windows());
    rows.extend(readers());
    rows.extend(initial());
    rows.extend(delays());
    rows.extend(turns());
    rows.extend(peers());
    rows.extend(switches());
    rows
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn goodput() -> Vec<Figure> {
    vec![figure(GOODPUT, Unit::Share, More), figure(ACKS, Unit::Share, Less)]
}

fn greedy(theme: Theme, name: &str, label: &str, path: Path, duration: Nanos) -> Row {
    Row::new(theme, name, label, path, Load::Greedy(duration), goodput())
}

/// For so long that slow start and what follows it both count, and a run costs what it can: 40 round trips or 100 000
/// packets, at most 12 seconds.
fn while_it_counts(path: &Path) -> Nanos {
    let packets = 100_000 * u64::from(path.mtu) * 8 * SECOND / path.rate;
    packets.max(40 * path.round_trip).min(12 * SECOND)
}

fn rates() -> Vec<Row> {
    let mut rows = Vec::new();
    for (micros, round_trip) in
        [(50, "50us"), (200, "200us"), (1000, "1ms"), (2000, "2ms"), (300_000, "300ms"), (600_000, "600ms")]
    {
        for gbits in [1, 10, 100] {
            let path = Path::micros(gbits * 1000, micros);
            if path.product() > 1 << 30 {
                continue; // no window fills it
            }
            // Large segments where a run would have millions of small ones.
            let path = if micros >= 300_000 && gbits > 1 { path.with_mtu(9000) } else { path };
            let unit = round_trip.replace("us", " µs").replace("ms", " ms");
            let large = if path.mtu == 9000 { ", MTU 9000" } else { "" };
            let label = format!("{gbits} Gbit/s, {unit}{large}");
            let duration = while_it_counts(&path);
            rows.push(greedy(Theme::Rates, &format!("{gbits}g-{round_trip}"), &label, path, duration));
        }
    }
    rows
}

fn segments() -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, path) in [("100 Mbit/s, 20 ms", Path::new(100, 20)), ("1 Gbit/s, 1 ms", Path::new(1000, 1))] {
        for mss in [100, 536, 1220, 1460, 8960, 65_495] {
            let path = path.clone().with_mtu(mss + 40);
            let name = format!("{}-mss-{mss}", if path.rate < 1_000_000_000 { "100m" } else { "1g" });
            let duration = if path.rate < 1_000_000_000 { 2 * SECOND } else { SECOND / 2 };
            rows.push(greedy(Theme::Segments, &name, &format!("{place}, MSS {mss}"), path, duration));
        }
    }
    let default = greedy(
        Theme::Segments,
        "100m-mss-65495-small",
        "100 Mbit/s, 20 ms, MSS 65495, default buffers",
        Path::new(100, 20).with_mtu(65_535),
        2 * SECOND,
    );
    rows.push(default.both(|config| config.receive_buffer(262_144).send_buffer(262_144)));
    rows
}

/// Windows of few segments, and those that the tuning of the buffer must find.
fn windows() -> Vec<Row> {
    let mut rows = Vec::new();
    let window = |octets: u32| move |config: ConfigBuilder| config.receive_buffer(octets);
    for halves in [3, 4, 6, 8, 9, 12, 20, 40, 80] {
        let octets = halves * MSS / 2;
        let name = format!("window-{}", f64::from(halves) / 2.0);
        let label = format!("window of {} MSS, 100 Mbit/s, 20 ms", f64::from(halves) / 2.0);
        let row = greedy(Theme::Windows, &name, &label, Path::new(100, 20), 2 * SECOND);
        rows.push(row.peer(window(octets)));
    }
    let row =
        greedy(Theme::Windows, "window-64k", "window of 64 KiB, 100 Mbit/s, 20 ms", Path::new(100, 20), 2 * SECOND);
    rows.push(row.peer(window(65_536)));
    for first in [14_600, 14_601, 65_535] {
        let label = format!("first window of {first} octets, 100 Mbit/s, 100 ms");
        let row = greedy(Theme::Windows, &format!("first-{first}"), &label, Path::new(100, 100), 5 * SECOND);
        rows.push(row.peer(|config| config.receive_buffer_initial(first).receive_buffer(3 << 20)));
    }
    rows
}

fn readers() -> Vec<Row> {
    let mut rows = Vec::new();
    let ways = [
        ("1ms", "the user reads every 1 ms", Reader::Every(MILLISECOND), Intake::AtOnce),
        ("10ms", "the user reads every 10 ms", Reader::Every(10 * MILLISECOND), Intake::AtOnce),
        ("batches", "the host looks every 500 µs", Reader::AtOnce, Intake::Batches(500 * MICROSECOND)),
        ("gro", "the host coalesces for 500 µs", Reader::AtOnce, Intake::Coalesced(500 * MICROSECOND)),
    ];
    for (name, label, reader, intake) in ways {
        for (octets, size) in [(128_000, "128 KB"), (1 << 20, "1 MiB")] {
            let name = format!("read-{name}-{}", if octets > 1_000_000 { "1m" } else { "128k" });
            let label = format!("{label}, buffer of {size}, 100 Mbit/s, 20 ms");
            let mut row = greedy(Theme::Readers, &name, &label, Path::new(100, 20), 2 * SECOND);
            (row.ends[1].reader, row.ends[1].intake) = (reader, intake);
            rows.push(row.peer(|config| config.receive_buffer(octets)));
        }
        let name = format!("read-{name}-1g");
        let label = format!("{label}, 1 Gbit/s, 2 ms");
        let mut row = greedy(Theme::Readers, &name, &label, Path::new(1000, 2), SECOND / 2);
        (row.ends[1].reader, row.ends[1].intake) = (reader, intake);
        rows.push(row.peer(|config| config.receive_buffer(4 << 20)));
    }
    rows
}

fn completion(theme: Theme, name: &str, label: &str, path: Path, octets: u64) -> Row {
    let figures = vec![figure(COMPLETION, Unit::Milliseconds, Less), figure(ACKS, Unit::Share, Less)];
    let load = Load::Flows { count: 1, octets, ending: Ending::Close };
    Row::new(theme, name, label, path, load, figures)
}

/// Initial windows and delayed acknowledgments: 300 KB.
fn initial() -> Vec<Row> {
    let mut rows = Vec::new();
    for window in [1, 3, 10] {
        for delay in [0, 40, 200, 499] {
            for quick in [32, 0] {
                let (mark, said) = if quick == 0 { ("", "none") } else { ("-quick", "32") };
                let name = format!("iw-{window}-delay-{delay}{mark}");
                let label = format!("300 KB, initial window of {window}, ACKs delayed {delay} ms, {said} quick");
                let row = completion(Theme::Acknowledgments, &name, &label, Path::new(100, 20), 300_000);
                let row = row.peer(|config| config.delayed_ack(ms(delay)).quick_acks(quick));
                rows.push(row.both(|config| config.initial_window(window)));
            }
        }
    }
    rows
}

/// What else delays acknowledgments.
fn delays() -> Vec<Row> {
    let row =
        |name: &str, label: &str, path: Path, octets| completion(Theme::Acknowledgments, name, label, path, octets);
    let mut rows = vec![
        row(
            "iw-1-delay-499-no-rack",
            "300 KB, initial window of 1, ACKs delayed 499 ms, without RACK",
            Path::new(100, 20),
            300_000,
        )
        .both(|config| config.initial_window(1).rack(false).quick_acks(0).delayed_ack(ms(499))),
    ];
    for delay in [40, 499] {
        let name = format!("full-sized-{delay}");
        let label =
            format!("100 KB in segments of 100, full-sized ones count, ACKs delayed {delay} ms, 1 Gbit/s, 10 ms");
        let path = Path::new(1000, 10).with_mtu(140);
        let row = row(&name, &label, path, 100_000);
        rows.push(row.peer(|config| config.ack_full_sized(true).quick_acks(0).delayed_ack(ms(delay))));
    }
    for delay in [200, 250] {
        let name = format!("lone-ack-{delay}");
        let label =
            format!("responses of 700 KB to a client without SACK and timestamps, lone ACKs delayed {delay} ms");
        let mut row = exchanges(&name, &label, Path::new(10, 40), (200, 700_000), 300 * MILLISECOND);
        let config = row.ends[0].config.sack(false).timestamps(false);
        row.ends[0].config = config.quick_acks(0).delayed_ack(ms(delay));
        row.theme = Theme::Acknowledgments;
        rows.push(row);
    }
    rows
}

/// Twenty requests and responses of these octets on one connection.
fn exchanges(name: &str, label: &str, path: Path, (request, response): (u64, u64), pause: Nanos) -> Row {
    let figures = vec![figure(EXCHANGE, Unit::Milliseconds, Less), figure(ACKS, Unit::Share, Less)];
    let load = Load::Turns { request, response, pause, count: 20 };
    Row::new(Theme::Turns, name, label, path, load, figures)
}

/// A user that writes 200 octets every 2 ms for 300 ms, and then 2 MB.
fn trickles() -> Vec<Row> {
    let figures = || vec![figure(COMPLETION, Unit::Milliseconds, Less), figure(ACKS, Unit::Share, Less)];
    let row = |name: &str, label: &str, round_trip| {
        let load = Load::Trickle { octets: 200, every: 2 * MILLISECOND, count: 150, bulk: 2_000_000 };
        Row::new(Theme::Turns, name, label, Path::new(100, round_trip), load, figures())
    };
    let stream = |name: &str, label: &str, every| {
        let load = Load::Trickle { octets: 1448, every: every * MILLISECOND, count: 500, bulk: 20_000_000 };
        Row::new(Theme::Turns, name, label, Path::new(1000, 100), load, figures())
    };
    vec![
        row("trickle-20ms", "2 MB after small writes, 100 Mbit/s, 20 ms", 20),
        row("trickle-40ms", "2 MB after small writes, 100 Mbit/s, 40 ms", 40),
        row("trickle-100ms", "2 MB after small writes, 100 Mbit/s, 100 ms", 100),
        row("trickle-no-nagle", "2 MB after small writes without Nagle, 100 Mbit/s, 40 ms", 40)
            .both(|config| config.nagle(false)),
        row("trickle-no-minshall", "2 MB after small writes, Nagle without Minshall, 100 Mbit/s, 40 ms", 40)
            .both(|config| config.minshall(false)),
        stream("stream-3ms", "20 MB after a stream of a segment every 3 ms, 1 Gbit/s, 100 ms", 3),
        stream("stream-10ms", "20 MB after a stream of a segment every 10 ms, 1 Gbit/s, 100 ms", 10),
    ]
}

/// Requests and responses on one connection, and both directions at once.
fn turns() -> Vec<Row> {
    let mut rows = trickles();
    for kilo in [1, 10, 14, 100] {
        for (pause, said) in [(0, "no pause"), (100, "pauses of 100 ms"), (2000, "pauses of 2 s")] {
            let name = format!("turns-{kilo}-{pause}");
            let label = format!("responses of {kilo} KB, {said}, 10 Mbit/s, 40 ms");
            rows.push(exchanges(&name, &label, Path::new(10, 40), (200, kilo * 1000), pause * MILLISECOND));
        }
    }
    for (end, who) in [(0, "client"), (1, "server")] {
        for delay in [0, 200, 499] {
            let name = format!("turns-14-{who}-{delay}");
            let label = format!("responses of 14 KB, the {who} delays ACKs {delay} ms and none is quick");
            let mut row = exchanges(&name, &label, Path::new(10, 40), (200, 14_000), 0);
            row.ends[end].config = row.ends[end].config.delayed_ack(ms(delay)).quick_acks(0);
            rows.push(row);
        }
    }
    let half = exchanges(
        "half-duplex",
        "100 KB in each direction in turns, 100 Mbit/s, 20 ms",
        Path::new(100, 20),
        (100_000, 100_000),
        0,
    );
    rows.push(half);
    for (name, label, path) in [
        ("both-ways-10m", "both ways at once, 10 Mbit/s, 40 ms", Path::new(10, 40)),
        ("both-ways-100m", "both ways at once, 100 Mbit/s, 20 ms", Path::new(100, 20)),
    ] {
        let figures = vec![figure(GOODPUT_OF_BOTH, Unit::Share, More), figure(ACKS, Unit::Share, Less)];
        rows.push(Row::new(Theme::Turns, name, label, path, Load::BothWays(4 * SECOND), figures));
    }
    rows
}

type Tune = fn(ConfigBuilder) -> ConfigBuilder;

/// One setting at a time, on a clean path and on one that loses 1 %.
fn settings(theme: Theme, settings: &[(&str, &str, Tune)], both: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, label, tune) in settings {
        for (mark, place, path, duration) in [
            ("", "100 Mbit/s, 20 ms", Path::new(100, 20), 2 * SECOND),
            ("-lossy", "10 Mbit/s, 40 ms, 1 %", Path::new(10, 40).losing(Loss::Random(10_000)), 5 * SECOND),
        ] {
            let row = greedy(theme, &format!("{name}{mark}"), &format!("{label}, {place}"), path, duration);
            rows.push(if both { row.both(tune) } else { row.peer(tune) });
        }
    }
    rows
}

fn peers() -> Vec<Row> {
    settings(
        Theme::Peers,
        &[
            ("peer-no-sack", "a peer without SACK", |config| config.sack(false)),
            ("peer-no-stamps", "a peer without timestamps", |config| config.timestamps(false)),
            ("peer-no-scaling", "a peer without window scaling", |config| config.window_scaling(false)),
            ("peer-no-dsack", "a peer without D-SACK", |config| config.dsack(false)),
            ("peer-bare", "a peer without SACK, timestamps and scaling", |config| {
                config.sack(false).timestamps(false).window_scaling(false)
            }),
            ("peer-bare-slow", "a peer without SACK, timestamps and scaling that delays ACKs 200 ms", |config| {
                config.sack(false).timestamps(false).window_scaling(false).delayed_ack(ms(200)).quick_acks(0)
            }),
        ],
        false,
    )
}

fn switches() -> Vec<Row> {
    settings(
        Theme::Switches,
        &[
            ("no-sack", "without SACK", |config| config.sack(false)),
            ("no-rack", "without RACK", |config| config.rack(false)),
            ("no-nagle", "without Nagle", |config| config.nagle(false)),
            ("no-minshall", "Nagle without Minshall", |config| config.minshall(false)),
            ("ack-every-1", "every segment acknowledged", |config| config.ack_every(1)),
            ("ack-full-sized", "full-sized segments count", |config| config.ack_full_sized(true)),
            ("no-delay", "no ACK delayed", |config| config.delayed_ack(ms(0))),
            ("preserve", "window validation (RFC 7661)", |config| config.preserve_window(Some(ms(30_000)))),
            ("burst-4", "bursts of 4", |config| config.max_burst(4)),
            ("gso", "large sends", |config| config.max_transmit(65_000)),
            ("pace-1", "pacing without bursts", |config| config.pacing(true).pacing_burst(1)),
            ("rto-1s", "a minimum RTO of 1 s", |config| config.min_rto(ms(1000))),
        ],
        true,
    )
}
