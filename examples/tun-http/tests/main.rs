//! The server and the client in memory, over two endpoints in virtual time; the program on a real TUN device, with the
//! kernel as its peer.

mod fetch;
mod memory;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod program;
