//! Hosts with many flows: endpoints of segue, listeners, users that act on signals, links with queues that flows share,
//! middleboxes, partitions; smoltcp's sockets at one end of each flow, where a plan says so.
//!
//! * [`Plan`]: all of it as a plain value; [`draw`]: what a number decides; [`shrink`]: simpler plans;
//!   [`check`]: whether one makes sense;
//! * `sim`: the events in virtual time; `shared`: what hosts share; `middlebox`: what rewrites packets;
//! * `station`, `neighbour`: a host with segue, with smoltcp; `task`: a user;
//! * `judge`: what a run must have come to.

pub mod check;
pub mod draw;
mod judge;
mod middlebox;
mod neighbour;
pub mod plan;
mod shared;
pub mod shrink;
mod sim;
mod station;
mod task;

use segue_kit::net::{Caught, Side, caught, text};

pub use plan::Plan;

use crate::Counts;
use sim::Sim;

/// Plays a plan: what there was to judge, or which law was broken.
pub fn play(plan: &Plan) -> Result<Counts, String> {
    let _ = text(Side::Client, 0, 1); // made once, and of no host
    caught(|| Sim::new(plan, false).finish()).unwrap_or_else(|caught| Err(told(&caught)))
}

fn told(Caught { message, place }: &Caught) -> String {
    format!("{message} ({place})")
}

/// Plays it again and tells its last steps.
pub fn ladder(plan: &Plan) -> String {
    let result = caught(|| {
        let mut sim = Sim::new(plan, true);
        let result = caught(|| sim.finish()).unwrap_or_else(|caught| Err(told(&caught)));
        (result, sim.steps())
    });
    let (result, steps) = result.unwrap_or_else(|caught| (Err(told(&caught)), String::new()));
    match result {
        Ok(_) => steps + "all laws were kept\n",
        Err(problem) => steps + &problem + "\n",
    }
}
