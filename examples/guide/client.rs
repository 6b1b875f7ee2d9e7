use std::{fs::File, io::Read, net::UdpSocket, time::Duration};

use segue::host::{Endpoint, EndpointConfig, Keys, Signal};
use segue::ip::Format;
use segue::{CloseReason, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = UdpSocket::bind("127.0.0.1:6970")?;
    device.connect("127.0.0.1:6969")?; // the host
    print!("{}", String::from_utf8_lossy(&fetch(&device)?));
    Ok(())
}

fn fetch(device: &UdpSocket) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let (start, mut key) = (std::time::Instant::now(), [0; 16]);
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let mut tcp = Endpoint::new(Keys::new(key), EndpointConfig::default());
    let (mut now, mut reply) = (Instant::ZERO, Vec::new());
    let id = tcp.connect("192.0.2.1".parse()?, "192.0.2.2:80".parse()?, now)?;
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
        tcp.flush_ip(now, Format::default(), |datagram| drop(device.send(datagram))); // or it is lost
        let wait = tcp.next_deadline().map(|at| at.saturating_since(Instant::ZERO + start.elapsed()));
        device.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        let mut datagram = vec![0; 2048];
        let arrived = device.recv(&mut datagram); // or the deadline passes
        now = Instant::ZERO + start.elapsed();
        if let Ok(octets) = arrived {
            datagram.truncate(octets);
            let _ = tcp.receive_ip(datagram.into(), Format::default(), now); // what brings nothing is dropped
        }
    }
}
