//! The simulator of `examples/sim`: its link does what it says, its laws can be broken, and no figure is worse than
//! recorded.

mod bbr;
mod dualpi2;
mod figures;
mod ideal;
mod l4s;
mod laws;
mod link;
mod loss;
mod newreno;
mod output;
mod predicted;
mod rates;
mod short;
mod user;
