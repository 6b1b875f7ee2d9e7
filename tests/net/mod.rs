//! Two connections over a network in virtual time: everything that happens follows from a [`Plan`].
//!
//! * [`plan`]: users, hosts, links and faults as a plain value;
//! * [`sim`]: the queue of events that plays it;
//! * [`host`], [`user`]: one end: a real `Connection`, whoever drives it, whoever reads and writes;
//! * [`check`], [`sending`], [`answers`]: what must hold after every call, and from call to call;
//! * [`wire`]: segments as octets;
//! * [`trace`], [`ladder`], [`verdict`]: what happened, for comparing, for reading, for judging.
#![allow(dead_code, unused_imports)] // every program that includes this module uses a part of it

mod answers;
mod check;
mod host;
mod ladder;
mod plan;
mod rng;
mod sending;
mod sim;
mod text;
mod trace;
mod user;
mod verdict;
mod wire;

pub(crate) use host::{Host, Input, Reply, Step, apply, hash_of};
pub(crate) use ladder::Ladder;
pub(crate) use plan::{
    Closing, Driver, End, Fault, FaultKind, Form, Link, Narrow, Opening, Outage, Plan, Rates, Reading, Side,
};
pub(crate) use rng::Rng;
pub(crate) use sim::{Outcome, Sim, run};
pub(crate) use text::{is_text, text};
pub(crate) use trace::{Bases, Record, Trace, What};
pub(crate) use wire::{CLIENT_PORT, addresses, encode, packet_len};
