//! The TCP header on the wire.

mod reset;

pub use reset::reset_for;
