//! Streams over a lossy link in virtual time: deterministic, without sleeping.

mod datagrams;
#[path = "../demo.rs"]
mod demo;
mod ends;
mod http2;
mod pressure;
mod program;
mod settings;
mod tls;
mod transfer;
mod wakes;
mod world;
