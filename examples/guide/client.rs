use std::{fs::File, io::Read, net::SocketAddr, net::UdpSocket, time::Duration};

use segue::codec::{Fill, PseudoHeader, Verify, decode, encode};
use segue::host::{Endpoint, EndpointConfig, Keys, Signal};
use segue::{CloseReason, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let reply = fetch(&UdpSocket::bind("127.0.0.2:6969")?, "127.0.0.1:80".parse()?)?;
    print!("{}", String::from_utf8_lossy(&reply));
    Ok(())
}

fn fetch(device: &UdpSocket, server: SocketAddr) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let (us, start, mut key) = (device.local_addr()?.ip(), std::time::Instant::now(), [0; 16]);
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let mut tcp = Endpoint::new(Keys::new(key), EndpointConfig::default());
    let (id, mut now, mut reply) = (tcp.connect(us, server, Instant::ZERO)?, Instant::ZERO, Vec::new());
    tcp.socket(id, now)?.write(b"GET / HTTP/1.0\r\n\r\n")?; // it leaves once the server has answered
    loop {
        tcp.timers(now);
        while let Some((id, signal)) = tcp.poll_signal() {
            match signal {
                Signal::Readable => reply.extend(tcp.socket(id, now)?.chunks().flatten()),
                Signal::PeerClosed => tcp.socket(id, now)?.close()?,
                Signal::Closed(CloseReason::Finished) => return Ok(reply),
                Signal::Closed(reason) => return Err(reason.to_string().into()),
                _ => {}
            }
        }
        tcp.flush(now, |ends, packet| {
            let mut octets = Vec::new();
            let encoded = encode(&packet, Fill::Now(ends), &mut octets);
            encoded.map(|()| device.send_to(&octets, (ends.dst(), 6969)).ok()).ok(); // or it is lost
        });
        let wait = tcp.next_deadline().map(|at| at.saturating_since(Instant::ZERO + start.elapsed()));
        device.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        let mut frame = vec![0; 2048];
        let arrived = device.recv_from(&mut frame);
        now = Instant::ZERO + start.elapsed();
        if let Ok((octets, from)) = arrived {
            frame.truncate(octets);
            let ends = PseudoHeader::new(from.ip(), us).ok_or("two versions of IP")?;
            decode(frame.into(), Verify::Now(ends)).map(|packet| tcp.receive(ends, packet, now)).ok();
        }
    }
}
