//! Swarm testing: pairs of ends with any configuration, any users, any hosts, over a network with any faults, in each plan about half
//! of everything; and hostile peers. What must hold is stated as laws: what is queued arrives once the faults stop or a limit
//! that was truly reached is named; memory, work and repetition keep to their bounds.
//!
//! `SEGUE_CASES=100000 cargo test --release --test swarm` runs more of them, `SEGUE_SEED=n` one again.

#[path = "swarm/config.rs"]
mod config;
#[path = "swarm/hostile.rs"]
mod hostile;
#[path = "swarm/pairs.rs"]
mod pairs;
#[path = "swarm/runner.rs"]
mod runner;
#[path = "swarm/time_wait.rs"]
mod time_wait;
#[path = "swarm/verdict.rs"]
mod verdict;
#[path = "swarm/wild.rs"]
mod wild;
