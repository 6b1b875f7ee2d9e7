//! A conversation of two endpoints over a network that loses datagrams, in virtual time, and its hash.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use segue::Instant;
use segue::host::{Endpoint, EndpointConfig, Id, Keys, Listen, ListenerId, Signal};
use segue::ip::Format;

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
const DELAY: Duration = Duration::from_millis(20);
/// Octets that the client sends, and the server sends back.
const TEXT: u32 = 200_000;

/// The hash of all datagrams with their times; 0 when the client did not get its text back, or an end did not fall silent.
#[unsafe(no_mangle)]
pub extern "C" fn conversation(seed: u32) -> u64 {
    converse(seed).unwrap_or(0)
}

/// FNV-1a of 64 bits.
struct Hash(u64);

impl Hash {
    fn add(&mut self, octets: &[u8]) {
        for &octet in octets {
            self.0 = (self.0 ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

struct Network {
    now: Instant,
    random: u32,
    hash: Hash,
    /// What is under way, to the server or not, in the order of arrival.
    under_way: VecDeque<(Instant, bool, Vec<u8>)>,
}

impl Network {
    /// xorshift32.
    fn draw(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }

    /// What an end sends arrives later, but one datagram in 32.
    fn take(&mut self, end: &mut Endpoint, to_server: bool) {
        let mut sent = Vec::new();
        end.flush_ip(self.now, Format::default(), |datagram| sent.push(datagram.to_vec()));
        for datagram in sent {
            self.hash.add(&self.now.saturating_since(Instant::ZERO).as_micros().to_be_bytes());
            self.hash.add(&datagram);
            if !self.draw().is_multiple_of(32) {
                self.under_way.push_back((self.now + DELAY, to_server, datagram));
            }
        }
    }
}

fn converse(seed: u32) -> Option<u64> {
    let mut network = Network {
        now: Instant::ZERO,
        random: seed.max(1),
        hash: Hash(0xcbf2_9ce4_8422_2325),
        under_way: VecDeque::new(),
    };
    let mut server = Endpoint::new(Keys::new([1; 16]), EndpointConfig::default());
    let mut client = Endpoint::new(Keys::new([2; 16]), EndpointConfig::default());
    let listener = server.listen(Listen::port(7)).ok()?;
    let id = client.connect(CLIENT, SocketAddr::new(SERVER, 7), network.now).ok()?;
    let text: Vec<u8> =
        (0..TEXT).map(|n| n.to_be_bytes().iter().fold(7, |sum: u8, octet| sum.wrapping_mul(31) ^ octet)).collect();
    let (mut written, mut echo) = (0, Vec::new());
    loop {
        serve(&mut server, listener, network.now);
        written += write(&mut client, id, text.get(written..)?, network.now);
        while client.poll_signal().is_some() {}
        if let Ok(mut socket) = client.socket(id, network.now) {
            echo.extend(socket.chunks().flatten());
            if written == text.len() && 2 * echo.len() > text.len() {
                let _ = socket.close();
            }
        }
        network.take(&mut client, true);
        network.take(&mut server, false);
        let arrives = network.under_way.front().map(|(at, ..)| *at);
        let Some(next) = [arrives, client.next_deadline(), server.next_deadline()].into_iter().flatten().min() else {
            break;
        };
        network.now = next.max(network.now);
        while let Some((_, to_server, datagram)) = network.under_way.pop_front_if(|(at, ..)| *at <= network.now) {
            let end = if to_server { &mut server } else { &mut client };
            end.receive_ip(datagram.into(), Format::default(), network.now).ok()?;
        }
        client.timers(network.now);
        server.timers(network.now);
    }
    (echo == text).then_some(network.hash.0)
}

fn write(client: &mut Endpoint, id: Id, text: &[u8], now: Instant) -> usize {
    client.socket(id, now).ok().and_then(|mut socket| socket.write(text).ok()).unwrap_or(0)
}

/// The server sends back what it gets, and closes after its peer.
fn serve(server: &mut Endpoint, listener: ListenerId, now: Instant) {
    while server.accept(listener).is_some() {}
    while let Some((id, signal)) = server.poll_signal() {
        let Ok(mut socket) = server.socket(id, now) else { continue };
        if matches!(signal, Signal::Readable | Signal::Writable | Signal::PeerClosed) {
            echo(&mut socket);
        }
    }
}

fn echo(socket: &mut segue::host::Socket<'_>) {
    let mut octets = [0; 4096];
    loop {
        let room = socket.writable().unwrap_or(0).min(octets.len());
        let n = octets.get_mut(..room).map_or(0, |octets| socket.read(octets));
        if n == 0 {
            break;
        }
        let _ = octets.get(..n).map(|octets| socket.write(octets));
    }
    if socket.eof() {
        let _ = socket.close();
    }
}
