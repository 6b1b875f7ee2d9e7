//! Two connections over a network in virtual time: everything that happens follows from a [`Plan`].
//!
//! * [`plan`]: users, hosts, links and faults as a plain value;
//! * [`sim`]: the queue of events that plays it;
//! * [`host`], [`user`]: one end: a real `Connection`, whoever drives it, whoever reads and writes;
//! * [`check`], [`sending`], [`answers`]: what must hold after every call, and from call to call;
//! * [`laws`]: bounds on memory, work and repetition, for plans that are `strict`;
//! * [`wire`]: segments as octets;
//! * [`trace`], [`ladder`], [`verdict`]: what happened, for comparing, for reading, for judging.
#![allow(dead_code, unused_imports)] // every program that includes this module uses a part of it

mod answers;
pub(crate) mod bounds;
mod check;
mod host;
mod ladder;
mod laws;
mod plan;
mod rng;
mod sending;
pub(crate) mod settings;
mod sim;
mod text;
mod trace;
mod user;
mod verdict;
mod wire;

pub(crate) use host::{Host, Input, Reply, Step, apply, hash_of};
pub(crate) use ladder::Ladder;
pub(crate) use laws::{Heap, Ideal, Meter, Patience, Repeats, calm_by_plan, meter, reading_time};
pub(crate) use plan::{
    Closing, Driver, End, Fault, FaultKind, Form, Link, Magic, Narrow, Opening, Order, Outage, Plan, Rates, Reading,
    Side, Sleep, Spell, Which,
};
pub(crate) use rng::Rng;
pub(crate) use sim::{Outcome, Sim, in_silence, run};
pub(crate) use text::{is_text, text};
pub(crate) use trace::{Bases, Record, Trace, What};
pub(crate) use wire::{CLIENT_PORT, addresses, encode, packet_len};

impl settings::Source for Rng {
    fn below(&mut self, n: u32) -> u32 {
        Self::below(self, n)
    }

    fn any(&mut self) -> u64 {
        self.next()
    }
}
