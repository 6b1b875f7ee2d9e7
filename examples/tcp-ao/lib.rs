//! Keys and algorithms for [`segue::auth`]: TCP-AO (RFC 5925) with the algorithms of RFC 5926, and TCP MD5 (RFC 2385).
//!
//! [`TcpAo`] and [`TcpMd5`] are authenticators of one connection. [`Peers`] is the keyring of a host: which peer has which keys.
//! The program shows two hosts in virtual time: `cargo run -p segue-tcp-ao --example tcp-ao -- --help`.

pub mod algorithm;
pub mod ao;
pub mod args;
pub mod demo;
pub mod keyring;
pub mod md5;
pub mod world;

pub use algorithm::Algorithm;
pub use ao::{KeyError, MasterKeyTuple, TcpAo};
pub use keyring::{Keys, Peers};
pub use md5::TcpMd5;
