//! The simulator of `examples/sim.rs`: its link does what it says, its laws can be broken, and no figure is worse than
//! recorded.

#[path = "../examples/sim/mod.rs"]
mod sim;

#[path = "simulation/figures.rs"]
mod figures;
#[path = "simulation/ideal.rs"]
mod ideal;
#[path = "simulation/laws.rs"]
mod laws;
#[path = "simulation/link.rs"]
mod link;
#[path = "simulation/loss.rs"]
mod loss;
#[path = "simulation/newreno.rs"]
mod newreno;
#[path = "simulation/output.rs"]
mod output;
#[path = "simulation/predicted.rs"]
mod predicted;
#[path = "simulation/rates.rs"]
mod rates;
#[path = "simulation/short.rs"]
mod short;
#[path = "simulation/user.rs"]
mod user;
