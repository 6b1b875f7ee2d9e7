//! The host layer in the same program: two endpoints, a request and its response.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use segue::Instant;
use segue::host::{Endpoint, EndpointConfig, Keys, Listen, Signal};

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

pub(crate) fn conversation() -> bool {
    let mut server = Endpoint::new(Keys::new([1; 16]), EndpointConfig::default());
    let mut client = Endpoint::new(Keys::new([2; 16]), EndpointConfig::default());
    let now = Instant::ZERO;
    let Ok(listener) = server.listen(Listen::port(7)) else { return false };
    let Ok(id) = client.connect(CLIENT, SocketAddr::new(SERVER, 7), now) else { return false };
    let Ok(Ok(5)) = client.socket(id, now).map(|mut socket| socket.write(b"hello")) else { return false };
    for _ in 0..9 {
        client.flush(now, |addresses, packet| {
            server.receive(addresses, packet, now);
        });
        while server.accept(listener).is_some() {}
        while let Some((id, signal)) = server.poll_signal() {
            if signal == Signal::Readable {
                let Ok(mut socket) = server.socket(id, now) else { return false };
                while let Some(mut text) = socket.chunk() {
                    let Ok(_) = socket.write_bytes(&mut text) else { return false };
                }
            }
        }
        server.flush(now, |addresses, packet| {
            client.receive(addresses, packet, now);
        });
        let mut octets = [0; 8];
        let Ok(mut socket) = client.socket(id, now) else { return false };
        if socket.read(&mut octets) == 5 {
            return octets.starts_with(b"hello");
        }
    }
    false
}
