//! The codec against hand-made octets, against models written apart from it, against etherparse, and against packets of
//! a real kernel.

mod catalogue;
mod exhaustive;
#[path = "../fuzz/src/codec.rs"]
#[expect(unreachable_pub, reason = "public in the crate of the fuzzers")]
mod fuzz;
mod kernel;
mod offload;
mod properties;
mod requirements;
mod support;
