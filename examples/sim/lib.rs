//! Connections over an emulated bottleneck in virtual time, and what they reach.
//!
//! * [`loss`], [`link`]: one direction of the path: rate, queue, delay, losses, reordering;
//! * [`dualpi2`]: an AQM with a queue for L4S and one for classic traffic (RFC 9332);
//! * [`watch`]: a controller that tells what it was told, and the check of one reduction per episode;
//! * [`host`], [`user`], [`newreno`]: the ends: a segue connection with its user and host, or a NewReno sender written from
//!   the RFCs alone;
//! * [`world`]: the loop of events;
//! * [`rows`], [`ideal`], [`measure`]: the matrix of scenarios, the ideal, and its figures;
//! * [`record`], [`document`]: the recorded figures, whether the present ones are worse, and the tables for people;
//! * [`args`], [`program`], [`table`], [`svg`], [`progress`]: the program around it.
#![expect(
    clippy::len_without_is_empty,
    clippy::new_without_default,
    reason = "a library for its program and the tests alone"
)]

pub mod args;
pub mod document;
pub mod dualpi2;
pub mod host;
pub mod ideal;
pub mod link;
pub mod loss;
pub mod measure;
pub mod newreno;
pub mod program;
pub mod progress;
pub mod record;
pub mod rows;
pub mod svg;
pub mod table;
pub mod user;
pub mod watch;
pub mod world;
