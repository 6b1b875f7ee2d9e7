//! What the example `handshake` is made of, so that a test can run it.

pub mod args;
pub mod capture;
pub mod demo;
