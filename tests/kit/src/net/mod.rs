//! Two connections over a network in virtual time: everything that happens follows from a [`Plan`].
//!
//! * [`Plan`]: users, hosts, links and faults as a plain value;
//! * [`Sim`]: the queue of events that plays it;
//! * [`Host`]: one end: a real `Connection`, whoever drives it, whoever reads and writes;
//! * `check`, `sending`, `answers`: what must hold after every call, and from call to call;
//! * `laws`: bounds on memory, work and repetition, for plans that are `strict`;
//! * `wire`: segments as octets; `occasion`: what a state changed for;
//! * [`Trace`], [`Ladder`], [`Outcome`]: what happened, for comparing, for reading, for judging.

mod answers;
mod check;
mod control;
mod host;
mod ladder;
mod laws;
mod occasion;
mod plan;
mod sending;
mod sim;
mod text;
mod trace;
mod user;
mod verdict;
mod wire;

pub use control::Control;
pub use host::{Host, Input, Reply, Step, apply, hash_of};
pub use ladder::Ladder;
pub use laws::{Heap, Ideal, Meter, Patience, Repeats, calm_by_plan, meter, reading_time};
pub use plan::{
    Closing, Driver, End, Fault, FaultKind, Form, Link, Magic, Narrow, Opening, Order, Outage, Plan, Rates, Reading,
    Side, Sleep, Spell, Which,
};
pub use sim::{Caught, Outcome, Sim, caught, in_silence, run};
pub use text::{is_text, text};
pub use trace::{Bases, Record, Trace, What};
pub use wire::{CLIENT_PORT, addresses, encode, packet_len};
