//! What attackers, broken peers, broken middleboxes and careless hosts have done to TCPs: faults of two decades of
//! advisories and bug trackers, each as a named test that runs with ISS and IRS at 0, 1, 2³¹ − 1, 2³¹ and 2³² − 1.
//!
//! The names are those of the catalogue in `docs/attacks.md`, which has the tests elsewhere, too: malformed headers in
//! `tests/codec/catalogue.rs`, floods and forged packets for a whole host in `tests/host/attacks.rs`. A letter without a number
//! is a fault of a real stack that has no row of its own.

mod acks;
mod blind;
mod closing;
mod data;
mod driver;
mod handshake;
mod marks;
mod options;
mod reports;
