//! What attackers, broken peers, broken middleboxes and careless hosts have done to TCPs: faults of two decades of
//! advisories and bug trackers, each as a named test that runs with ISS and IRS at 0, 1, 2³¹ − 1, 2³¹ and 2³² − 1.
//!
//! The names are those of a catalogue: A headers and options, B handshake, C blind and off-path, D data and reassembly,
//! E acknowledgments and congestion, F closing and lifetime, G time and driver. A letter without a number is a fault of a
//! real stack that has no row. Rows that are not here, and why:
//!
//! | row | where |
//! |---|---|
//! | A1–A10, A12, A14–A17 malformed headers and options | `tests/codec` |
//! | B1 SYN flood, B2 SYN cookies, B17 full accept queue | one value is one connection: with the listener |
//! | B3 predictable ISN, C10 keys in `Debug` | the machine is given its ISS: with the host's generator |
//! | the memory and the steps of E8, SACK blocks at a small MSS | `src/send/scoreboard/tests.rs` |
//! | F1 every way to close with every segment lost | `tests/host_contract`, `tests/conversation` |
//! | F11 flood of connections in TIME-WAIT | their number is the host's |

mod acks;
mod blind;
mod closing;
mod data;
mod driver;
mod handshake;
mod marks;
mod reports;
