//! Thousands of connections between endpoints in virtual time, and one number that tells whether anything differs.
//!
//! The library of segue has no clock, no entropy and no I/O. So a program that supplies all three from a seed gets the same
//! packets at the same times in every run, on every platform, from every compiler. [`trace`] hashes all of it: each packet
//! as octets with its time, each loss, each signal to a user.
//!
//! * [`world`]: the loop of events: endpoints, their deadlines, their users;
//! * [`network`]: the paths between endpoints: delay, jitter, loss;
//! * [`task`]: what a connection is for; [`user`]: both ends of it;
//! * [`trace`]: the hash;
//! * [`args`]: the command line.

pub mod args;
pub mod network;
pub mod task;
pub mod trace;
pub mod user;
pub mod world;
