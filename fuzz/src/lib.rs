//! The harnesses: each takes the octets of one input and panics when something is wrong. The targets in `fuzz_targets`
//! call them, and so does `tests/fuzz_corpus` over the committed corpora, without a fuzzer.

pub mod attacker;
pub mod behaviour;
pub mod cases;
pub mod codec;
pub mod endpoint;
pub mod events;
mod features;
pub mod listener;
pub mod pair;
mod reader;
pub mod records;
pub mod table;
pub mod triples;

/// A harness.
pub type Harness = fn(&[u8]);

/// The targets, each with its harness and its corpus in `fuzz/corpus`.
pub const TARGETS: [(&str, Harness); 8] = [
    ("attacker", attacker::run),
    ("codec", codec::run),
    ("endpoint", endpoint::run),
    ("events", events::run),
    ("listener", listener::run),
    ("pair", pair::run),
    ("records", records::run),
    ("table", table::run),
];

/// The targets that show a connection event by event, so that [`triples`] can be counted; the table names its own classes.
pub const WITH_TRIPLES: [&str; 5] = ["attacker", "events", "pair", "records", "table"];
