//! The scenarios of RFC 9293 §3.5 and §3.6 and of the textbooks, each with its exact numbers: the figures are played as
//! they stand in the RFC, at several places of the number space.

mod closed_windows;
mod closing;
mod data;
mod half_open;
mod opening;
mod world;
