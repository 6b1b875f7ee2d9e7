//! Swarm testing: pairs of ends with any configuration, any users, any hosts, over a network with any faults, in each
//! plan about half of everything; and hostile peers. Laws state what must hold: queued text arrives once the faults
//! stop or a limit that was truly reached is named; memory, work and repetition keep to their bounds.
//!
//! `SEGUE_CASES=100000 cargo test --release --test machine swarm` runs more of them, `SEGUE_SEED=n` one again.

mod config;
mod hostile;
mod knobs;
mod pairs;
mod runner;
mod time_wait;
