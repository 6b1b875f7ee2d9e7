//! The two programs of the guide: its text has them, and they talk to each other over loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use crate::root;

#[allow(dead_code)] // `main`
mod client {
    include!("../examples/guide/client.rs");

    pub(super) fn run(device: &UdpSocket, server: SocketAddr) -> Result<Vec<u8>, String> {
        fetch(device, server).map_err(|error| error.to_string())
    }
}

#[allow(dead_code)]
mod server {
    include!("../examples/guide/host.rs");

    pub(super) fn run(device: &UdpSocket) {
        host(device).expect("it goes on until the process ends");
    }
}

#[test]
fn the_guide_has_the_programs() {
    let guide = fs::read_to_string(root().join("docs/embedding.md")).unwrap();
    for name in ["host", "client"] {
        let program = fs::read_to_string(root().join("examples/guide").join(name).with_extension("rs")).unwrap();
        assert!(guide.contains(&format!("```rust,no_run\n{program}```\n")), "examples/guide/{name}.rs");
    }
}

/// The addresses are this process's own, and 10 s are much more than it needs.
#[test]
fn the_client_of_the_guide_hears_from_its_host() {
    let [.., a, b] = std::process::id().to_be_bytes();
    let [us, peer] = [1, 2].map(|last| IpAddr::V4(Ipv4Addr::new(127, a, b, last)));
    let device = UdpSocket::bind((us, 6969)).unwrap();
    thread::spawn(move || server::run(&device));
    let (to, reply) = mpsc::channel();
    thread::spawn(move || to.send(client::run(&UdpSocket::bind((peer, 6969)).unwrap(), SocketAddr::new(us, 80))));
    let reply = reply.recv_timeout(Duration::from_secs(10)).expect("it ends");
    assert_eq!(reply.as_deref(), Ok(&b"HTTP/1.0 200 OK\r\n\r\nhello\n"[..]));
}
