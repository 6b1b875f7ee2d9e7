//! The two programs of the guide: its text has them, and they talk to each other over loopback.

use std::net::UdpSocket;
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use crate::root;

#[allow(dead_code)] // `main`
mod client {
    include!("../examples/guide/client.rs");

    pub(super) fn run(device: &UdpSocket) -> Result<Vec<u8>, String> {
        fetch(device).map_err(|error| error.to_string())
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

/// The guide and the README say how long the host is.
#[test]
fn the_host_has_as_many_lines_as_the_guide_says() {
    let program = fs::read_to_string(root().join("examples/guide/host.rs")).unwrap();
    let lines = |name: &str| {
        let body = program.lines().skip_while(|line| !line.starts_with(&format!("fn {name}(")));
        1 + body.take_while(|line| *line != "}").count()
    };
    assert_eq!((program.lines().count(), lines("main") + lines("host"), lines("serve")), (43, 25, 10));
}

/// The two ends of a tunnel; 10 s are much more than it needs.
#[test]
fn the_client_of_the_guide_hears_from_its_host() {
    let [here, there] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    here.connect(there.local_addr().unwrap()).unwrap();
    there.connect(here.local_addr().unwrap()).unwrap();
    thread::spawn(move || server::run(&here));
    let (to, reply) = mpsc::channel();
    thread::spawn(move || to.send(client::run(&there)));
    let reply = reply.recv_timeout(Duration::from_secs(10)).expect("it ends");
    assert_eq!(reply.as_deref(), Ok(&b"HTTP/1.0 200 OK\r\n\r\nhello\n"[..]));
}
