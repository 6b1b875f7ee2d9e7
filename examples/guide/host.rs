use std::{fs::File, io::Read, net::UdpSocket, time::Duration};

use segue::Instant;
use segue::host::{Endpoint, EndpointConfig, Keys, Listen, ListenerId, Signal};
use segue::ip::Format;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = UdpSocket::bind("127.0.0.1:6969")?;
    device.connect("127.0.0.1:6970")?; // the other end
    host(&device)
}

fn host(device: &UdpSocket) -> Result<(), Box<dyn std::error::Error>> {
    let (start, mut key) = (std::time::Instant::now(), [0; 16]);
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let mut tcp = Endpoint::new(Keys::new(key), EndpointConfig::default());
    let http = tcp.listen(Listen::port(80))?;
    loop {
        let wait = tcp.next_deadline().map(|at| at.saturating_since(Instant::ZERO + start.elapsed()));
        device.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        let mut datagram = vec![0; 2048];
        let arrived = device.recv(&mut datagram); // or the deadline passes
        let now = Instant::ZERO + start.elapsed();
        if let Ok(octets) = arrived {
            datagram.truncate(octets);
            let _ = tcp.receive_ip(datagram.into(), Format::default(), now); // what brings nothing is dropped
        }
        tcp.timers(now);
        serve(&mut tcp, http, now);
        tcp.flush_ip(now, Format::default(), |datagram| drop(device.send(datagram))); // or it is lost
    }
}

fn serve(tcp: &mut Endpoint, http: ListenerId, now: Instant) {
    while tcp.accept(http).is_some() {} // signals of a connection come once it is accepted
    while let Some((id, signal)) = tcp.poll_signal() {
        let (Signal::Readable, Ok(mut socket)) = (signal, tcp.socket(id, now)) else { continue };
        socket.chunks().for_each(drop); // the request
        if socket.write(b"HTTP/1.0 200 OK\r\n\r\nhello\n").is_ok() {
            let _ = socket.close(); // the FIN goes on the text, and both on the acknowledgment
        }
    }
}
