//! What attackers, broken peers, broken middleboxes and careless hosts have done to TCPs, each as a named test: the
//! letters and numbers are those of the catalogue in `docs/testing.md`, the fault lists of two decades of advisories and
//! bug trackers. Every test runs with ISS and IRS at 0, 1, 2³¹ − 1, 2³¹ and 2³² − 1.
//!
//! Rows that are not here, and why:
//!
//! | row | where |
//! |---|---|
//! | A1–A10, A12, A14–A17 | the codec: `tests/codec` |
//! | B1, B2, B17 | a backlog and SYN cookies come with the listener; one value is one connection |
//! | B3, C10 | the machine is given its ISS; the generator comes with the host helpers |
//! | D8, E7, E8 | the machine offers SACK blocks and does not yet use those of the peer: with recovery by SACK |
//! | E12 | ECN comes with the data path |
//! | F1 | every segment of every way to close is lost in `tests/host_contract` and `tests/conversation` |
//! | F11 | the number of connections in TIME-WAIT is the host's |

#[path = "attacks/acks.rs"]
mod acks;
#[path = "attacks/blind.rs"]
mod blind;
#[path = "attacks/closing.rs"]
mod closing;
#[path = "attacks/data.rs"]
mod data;
#[path = "attacks/driver.rs"]
mod driver;
#[path = "attacks/handshake.rs"]
mod handshake;
#[path = "attacks/pair.rs"]
mod pair;
#[path = "contract/support.rs"]
#[allow(dead_code, reason = "shared with the contract tests, which use all of it")]
mod support;
