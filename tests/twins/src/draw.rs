//! What a run is like: its settings, its path, and how often each thing happens.

use std::time::Duration;

use segue::{Config, ConfigBuilder, EcnMode, IpVersion, Path};
use segue_kit::Rng;
use segue_kit::settings::{self, Mixture};

/// How often things happen, in a thousand, and what they are like.
#[derive(Debug)]
pub(crate) struct Weights {
    /// What is due arrives; where nothing is, time passes.
    pub(crate) arrive: u32,
    /// More than one segment arrives at once.
    pub(crate) batch: u32,
    pub(crate) send: u32,
    pub(crate) consume: u32,
    /// A segment that the peer did not send.
    pub(crate) forged: u32,
    /// A rare event: a setting changes, an ICMP error, a timer that is not due.
    pub(crate) odd: u32,
    pub(crate) close: u32,
    pub(crate) lose: u32,
    pub(crate) duplicate: u32,
    pub(crate) mark: u32,
    /// Time jumps, and the host is late.
    pub(crate) gap: u32,
    /// A segment is late.
    pub(crate) late: u32,
    /// The user takes at once what arrived.
    pub(crate) echo: u32,
    /// Microseconds on the way.
    pub(crate) latency: u32,
    /// The most octets of a `Send`, in most cases.
    pub(crate) size: u32,
}

/// Mostly never.
fn rare(rng: &mut Rng) -> u32 {
    rng.pick(&[0, 0, 0, 1, 5, 20, 100])
}

impl Weights {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        Self {
            arrive: rng.pick(&[300, 600, 900]),
            batch: rng.pick(&[0, 50, 500, 900]),
            send: rng.pick(&[50, 200, 500]),
            consume: rng.pick(&[10, 100, 400]),
            forged: rare(rng),
            odd: rare(rng),
            close: rng.pick(&[0, 0, 0, 1, 3]),
            lose: rare(rng),
            duplicate: rare(rng),
            mark: rare(rng),
            gap: rare(rng),
            late: rare(rng),
            echo: rng.pick(&[0, 0, 500]),
            latency: rng.pick(&[0, 10, 100, 5_000, 50_000, 400_000]),
            size: rng.pick(&[1, 10, 1000, 3000, 20_000, 100_000]),
        }
    }
}

/// Settings at random, with a preference for those that concern usual traffic.
pub(crate) fn config(rng: &mut Rng) -> Config {
    let share = rng.pick(&[0, 0, 20, 100, 300, 700]);
    let mixture = Mixture::draw(rng, share);
    let mut config = settings::config(rng, &mixture, &[1, 536, 1448, 1460, 2896, 14_600, 65_535]);
    // Not every combination is allowed; then the settings stay as they were.
    let mut with = |change: &dyn Fn(ConfigBuilder, &mut Rng) -> ConfigBuilder, per_mille: u32| {
        if rng.chance(per_mille) {
            config = change(config.to_builder(), rng).build().unwrap_or(config);
        }
    };
    with(&|b, r| b.send_buffer(r.pick(&[1, 2, 3, 100, 1460, 4096, 30_000])), 200);
    with(&|b, r| b.receive_buffer(r.pick(&[1, 2, 3, 100, 1460, 4096, 30_000])), 200);
    with(&|b, r| b.max_transmit(r.pick(&[1, 1448, 2896, 3000, 65_000])), 200);
    with(&|b, r| b.max_burst(r.pick(&[1, 2, 3, 10])), 150);
    with(&|b, _| b.pacing(true), 80);
    with(&|b, r| b.preserve_window(Some(Duration::from_secs(r.pick(&[1, 5, 300])))), 80);
    with(&|b, _| b.keep_alive(true).keep_alive_idle(Duration::from_secs(1)), 80);
    with(&|b, _| b.user_timeout_option(true), 80);
    with(&|b, _| b.ecn(EcnMode::Active), 200);
    with(&|b, _| b.nagle(false), 100);
    with(&|b, _| b.minshall(false), 100);
    with(&|b, _| b.timestamps(false), 200);
    with(&|b, _| b.rack(false), 100);
    with(&|b, _| b.sack(false), 100);
    with(&|b, r| b.max_mss(r.pick(&[64, 100, 536])), 100);
    with(&|b, r| b.user_timeout(Some(Duration::from_secs(r.pick(&[1, 2, 3])))), 100);
    with(&|b, r| b.quick_acks(r.pick(&[0, 1, 2])), 200);
    with(&|b, _| b.ack_full_sized(true), 100);
    with(&|b, r| b.copy_below(r.pick(&[64, 65_535])), 100);
    with(&|b, r| b.mtu_probe_max(r.pick(&[1500, 1600, 9000, 65_535])), 80);
    config
}

pub(crate) fn path(rng: &mut Rng) -> Path {
    let ip = if rng.chance(800) { IpVersion::V4 } else { IpVersion::V6 };
    let mtu = rng.pick(&[1500, 1500, 1500, 576, 68, 1280, 9000, 65_535]);
    Path { ip, mtu, ip_options: rng.pick(&[0, 0, 0, 0, 4, 40]) }
}
