//! The TCP header on the wire.
