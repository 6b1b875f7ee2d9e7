//! The scenarios of RFC 9293 §3.5 and §3.6 and of the textbooks, each with its exact numbers: the figures are played as
//! they stand in the RFC, at several places of the number space.

#[path = "scenarios/closed_windows.rs"]
mod closed_windows;
#[path = "scenarios/closing.rs"]
mod closing;
#[path = "scenarios/data.rs"]
mod data;
#[path = "scenarios/half_open.rs"]
mod half_open;
#[path = "scenarios/opening.rs"]
mod opening;
#[path = "scenarios/world.rs"]
mod world;
