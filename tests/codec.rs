//! The codec against hand-made octets, against models written apart from it, against etherparse, and against packets of
//! a real kernel.

#[path = "codec/catalogue.rs"]
mod catalogue;
#[path = "codec/exhaustive.rs"]
mod exhaustive;
#[path = "../fuzz/src/codec.rs"]
#[expect(unreachable_pub, reason = "public in the crate of the fuzzers")]
mod fuzz;
#[path = "codec/kernel.rs"]
mod kernel;
#[path = "codec/offload.rs"]
mod offload;
#[path = "codec/properties.rs"]
mod properties;
#[path = "codec/requirements.rs"]
mod requirements;
#[path = "codec/support.rs"]
mod support;
