//! The server in memory, over two endpoints in virtual time; the program on a real TUN device, with the kernel as client.

mod memory;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod program;
