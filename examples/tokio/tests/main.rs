//! Streams over a lossy link in virtual time: deterministic, without sleeping.

mod ends;
mod http2;
mod pressure;
mod tls;
mod transfer;
mod wakes;
mod world;
