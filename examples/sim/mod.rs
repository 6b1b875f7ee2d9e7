//! Connections over an emulated bottleneck in virtual time, and what they reach.
//!
//! * [`loss`], [`link`]: one direction of the path: rate, queue, delay, losses, reordering;
//! * [`watch`]: a controller that tells what it was told, and the check of one reduction per episode;
//! * [`source`], [`newreno`]: who sends: a segue connection, or a NewReno sender written from the RFCs alone;
//! * [`world`]: the loop of events;
//! * [`rows`], [`measure`]: the matrix of scenarios and its figures;
//! * [`record`]: the recorded figures, and whether the present ones are worse;
//! * [`args`], [`program`], [`table`], [`svg`], [`progress`]: the program around it.
#![allow(dead_code)] // the example and the tests use a part each

pub(crate) mod args;
pub(crate) mod link;
pub(crate) mod loss;
pub(crate) mod measure;
pub(crate) mod newreno;
pub(crate) mod program;
pub(crate) mod progress;
pub(crate) mod record;
#[path = "../../tests/net/rng.rs"]
pub(crate) mod rng;
pub(crate) mod rows;
pub(crate) mod source;
pub(crate) mod svg;
pub(crate) mod table;
pub(crate) mod watch;
pub(crate) mod world;
