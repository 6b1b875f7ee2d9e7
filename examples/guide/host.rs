use std::{fs::File, io::Read, net::UdpSocket, time::Duration};

use segue::Instant;
use segue::codec::{Fill, PseudoHeader, Verify, decode, encode};
use segue::host::{Endpoint, EndpointConfig, Keys, Listen, ListenerId, Signal};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    host(&UdpSocket::bind("127.0.0.1:6969")?)
}

fn host(device: &UdpSocket) -> Result<(), Box<dyn std::error::Error>> {
    let (us, start, mut key) = (device.local_addr()?.ip(), std::time::Instant::now(), [0; 16]);
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let mut tcp = Endpoint::new(Keys::new(key), EndpointConfig::default());
    let http = tcp.listen(Listen::port(80))?;
    loop {
        let wait = tcp.next_deadline().map(|at| at.saturating_since(Instant::ZERO + start.elapsed()));
        device.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        let mut frame = vec![0; 2048];
        let arrived = device.recv_from(&mut frame); // or the deadline passes
        let now = Instant::ZERO + start.elapsed();
        if let Ok((octets, from)) = arrived {
            frame.truncate(octets);
            let ends = PseudoHeader::new(from.ip(), us).ok_or("two versions of IP")?;
            decode(frame.into(), Verify::Now(ends)).map(|packet| tcp.receive(ends, packet, now)).ok();
        }
        tcp.timers(now);
        serve(&mut tcp, http, now);
        tcp.flush(now, |ends, packet| {
            let mut octets = Vec::new();
            let encoded = encode(&packet, Fill::Now(ends), &mut octets);
            encoded.map(|()| device.send_to(&octets, (ends.dst(), 6969)).ok()).ok(); // or it is lost
        });
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
