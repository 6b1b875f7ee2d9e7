//! The test kit of segue: its tests, fuzz targets and examples share it.
//!
//! * [`net`]: two connections, their users and hosts over a network with faults, in virtual time;
//! * [`rig`]: one connection, brought into any state, and audited at every call; [`streams`]: a peer for it;
//! * [`pair`]: two of them, joined in virtual time;
//! * [`notation`]: segments as the figures of RFC 9293 show them; [`audit`]: what holds of the actions of any call;
//! * [`table`]: the reference transition table, and real connections beside it;
//! * [`octets`]: a model of the receiver, one octet at a time;
//! * [`swarm`]: wild pairs, their verdict, and the search over seeds;
//! * [`settings`]: draws configurations, every setting over its whole range;
//! * [`ends`]: two connections of any kind, step by step, as a value;
//! * [`bounds`]: the bounds on memory and work that `docs/architecture.md` states;
//! * [`Rng`]: a generator of numbers, so that a seed decides everything; [`EDGES`]: numbers where arithmetic goes wrong.

pub mod audit;
pub mod bounds;
pub mod ends;
pub mod knobs;
pub mod net;
pub mod notation;
pub mod octets;
pub mod pair;
pub mod rig;
mod rng;
pub mod settings;
pub mod streams;
pub mod swarm;
pub mod table;

use std::time::Duration;

pub use rng::Rng;
use segue::{Config, ConfigBuilder};

/// Sequence numbers where arithmetic goes wrong, if it does: the wrap of unsigned and of signed numbers.
pub const EDGES: [u32; 5] = [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX];

/// [`EDGES`], and numbers from which a stream crosses one of them after its first 4096 octets.
pub const STARTS: [u32; 7] = [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX, 0xFFFF_F000, 0x7FFF_F000];

pub const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A policy without options, so that a full segment carries 1460 octets, without quick ACKs, and with Nagle's algorithm
/// unchanged.
pub fn plain() -> ConfigBuilder {
    Config::builder().minshall(false).quick_acks(0).timestamps(false).sack(false).window_scaling(false).min_rto(secs(1))
}

/// Octets of the option area that a connection with this configuration leaves to its host.
pub fn reserved_options(config: &Config) -> usize {
    usize::from(config.option_space()).next_multiple_of(4)
}
