//! Swarm testing in the manner of TigerBeetle's VOPR: one number decides a whole world, its hosts, users, network and faults.
//! A world runs under laws, first with faults, then without; all queued text must arrive and all must fall silent, or a
//! limit that was truly reached says why not. A failure is that number, and a capsule: see `docs/swarm.md`.
//!
//! * [`World`]: what a number decides: a [pair] of connections, or [hosts];
//! * [`Capsule`]: a failure as JSON, for running it again;
//! * [`check`]: whether the plan of a capsule makes sense;
//! * [`campaign`]: many worlds, with progress; [`args`]: the command line.

pub mod args;
pub mod campaign;
mod capsule;
pub mod check;
pub mod hosts;
pub mod pair;
mod world;

pub use capsule::Capsule;
pub use world::{Counts, Kind, World};
