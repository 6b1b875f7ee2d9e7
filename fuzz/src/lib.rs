//! The harnesses: each takes the octets of one input and panics when something is wrong. The targets in `fuzz_targets`
//! call them, and so does `tests/fuzz_corpus` over the committed corpus, without a fuzzer.

pub mod attacker;
pub mod codec;
pub mod endpoint;
pub mod events;
pub mod listener;
pub mod pair;
mod reader;
pub mod table;
pub mod triples;
