//! What `examples/handshake.rs` is made of, so that a test can run it.

pub(crate) mod args;
pub(crate) mod capture;
pub(crate) mod demo;
