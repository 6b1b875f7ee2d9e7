//! Nothing: `tests/interface.rs` is all.
