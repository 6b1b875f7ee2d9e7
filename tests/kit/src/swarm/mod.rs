//! Swarm testing: what `tests/swarm` and its program share.
//!
//! * [`wild`]: pairs with any configuration, users, hosts and faults, about half of them absent in each plan;
//! * [`hostile`]: one connection and a peer that means harm;
//! * [`verdict`]: what such a run must have come to;
//! * [`search`]: runs many seeds, groups what fails, finds the smallest case that fails in the same way.

pub mod hostile;
pub mod search;
pub mod verdict;
pub mod wild;
