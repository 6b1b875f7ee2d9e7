//! Connections over an emulated bottleneck in virtual time, and what they reach.
//!
//! * [`loss`], [`link`]: one direction of the path: rate, queue, delay, losses, reordering;
//! * [`watch`]: a controller that tells what it was told, and the check of one reduction per episode;
//! * [`host`], [`user`], [`newreno`]: the ends: a segue connection with its user and host, or a NewReno sender written from
//!   the RFCs alone;
//! * [`world`]: the loop of events;
//! * [`rows`], [`ideal`], [`measure`]: the matrix of scenarios, what is possible, and its figures;
//! * [`record`], [`document`]: the recorded figures, whether the present ones are worse, and the tables for people;
//! * [`args`], [`program`], [`table`], [`svg`], [`progress`]: the program around it.
#![allow(dead_code)] // the example and the tests use a part each

pub(crate) mod args;
pub(crate) mod document;
pub(crate) mod host;
pub(crate) mod ideal;
pub(crate) mod link;
pub(crate) mod loss;
pub(crate) mod measure;
pub(crate) mod newreno;
pub(crate) mod program;
pub(crate) mod progress;
pub(crate) mod record;
pub(crate) mod rows;
pub(crate) mod svg;
pub(crate) mod table;
pub(crate) mod user;
pub(crate) mod watch;
pub(crate) mod world;
