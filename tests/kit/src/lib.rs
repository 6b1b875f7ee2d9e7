//! The test kit of segue: what its tests, fuzz targets, benchmarks and examples share.
//!
//! * [`net`]: two connections, their users and hosts over a network with faults, in virtual time;
//! * [`settings`]: draws configurations, every setting over its whole range;
//! * [`bounds`]: the bounds on memory and work that `docs/architecture.md` states;
//! * [`Rng`]: a generator of numbers, so that a seed decides everything; [`EDGES`]: numbers where arithmetic goes wrong.

pub mod bounds;
pub mod net;
mod rng;
pub mod settings;

pub use rng::Rng;

/// Sequence numbers where arithmetic goes wrong, if it does: the wrap of unsigned and of signed numbers.
pub const EDGES: [u32; 5] = [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX];

/// [`EDGES`], and numbers from which a stream crosses one of them after its first 4096 octets.
pub const STARTS: [u32; 7] = [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX, 0xFFFF_F000, 0x7FFF_F000];
