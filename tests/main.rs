//! The tests of the machine, in one program: it is linked once, and its tests share the cores.

use std::path::{Path, PathBuf};

mod accurate_ecn;
mod architecture;
mod attacks;
mod authentication;
mod bbr;
mod citations;
mod codec;
mod conformance;
mod contract;
mod conversation;
mod docs;
mod ecn;
mod fast_open;
mod guide;
mod handshake_example;
mod host;
mod host_contract;
mod ip;
mod kernel_capture;
mod l4s;
mod path_mtu;
mod receiver;
mod recovery;
mod requirements;
mod sack;
mod scenarios;
mod simulation;
mod swarm;
mod table;
mod vulnerabilities;
mod wire;

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
