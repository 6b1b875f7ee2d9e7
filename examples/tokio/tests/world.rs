//! Two hosts on a link, and devices that count.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use segue::codec::{Packet, PseudoHeader};
use segue::host::{EndpointConfig, Keys, Listen};
use segue::ip::Datagram;
use segue_tokio::{Device, Host, Link, TcpListener, TcpStream};

/// A client, a server, and what their devices did.
pub(crate) struct World {
    pub(crate) client: Host,
    pub(crate) server: Host,
    pub(crate) counts: [Arc<Counts>; 2],
}

/// What the device of an end did.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Times that the driver looked for packets and found no more.
    pub(crate) looks: AtomicUsize,
    pub(crate) received: AtomicUsize,
    pub(crate) sent: AtomicUsize,
    /// Looks since a packet came or went, and the most of them.
    idle: AtomicUsize,
    pub(crate) idle_most: AtomicUsize,
}

impl Counts {
    pub(crate) fn now(&self) -> (usize, usize, usize) {
        let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (of(&self.looks), of(&self.received), of(&self.sent))
    }
}

struct Counting<D>(D, Arc<Counts>);

impl<D: Device> Device for Counting<D> {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Datagram>> {
        let packet = self.0.poll_recv(cx);
        if packet.is_ready() {
            self.1.received.fetch_add(1, Ordering::Relaxed);
            self.1.idle.store(0, Ordering::Relaxed);
        } else {
            self.1.looks.fetch_add(1, Ordering::Relaxed);
            let idle = 1 + self.1.idle.fetch_add(1, Ordering::Relaxed);
            self.1.idle_most.fetch_max(idle, Ordering::Relaxed);
        }
        packet
    }

    fn send(&mut self, addresses: PseudoHeader, packet: Packet) {
        self.1.sent.fetch_add(1, Ordering::Relaxed);
        self.1.idle.store(0, Ordering::Relaxed);
        self.0.send(addresses, packet);
    }
}

impl World {
    /// A link that loses `lost` packets in a thousand.
    pub(crate) fn new(lost: u32) -> Self {
        Self::with(Link { lost, ..Link::default() }, EndpointConfig::default())
    }

    pub(crate) fn with(link: Link, config: EndpointConfig) -> Self {
        let (here, there) = link.open();
        let counts = [Arc::<Counts>::default(), Arc::default()];
        let [of_client, of_server] = counts.clone();
        let client = Keys::new(*b"a client's key..");
        let server = Keys::new(*b"a server's key..");
        let address = |a, b, c, d| IpAddr::from([a, b, c, d]);
        Self {
            client: Host::spawn(Counting(here, of_client), address(198, 51, 100, 7), client, config.clone()),
            server: Host::spawn(Counting(there, of_server), address(192, 0, 2, 1), server, config),
            counts,
        }
    }

    /// Where the server is.
    pub(crate) fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    pub(crate) fn listen(&self, port: u16) -> TcpListener {
        self.server.listen(Listen::port(port)).expect("nobody else does")
    }

    /// A connection: the end of the client, then the end of the server.
    pub(crate) async fn connection(&self) -> (TcpStream, TcpStream) {
        let mut listener = self.listen(9);
        let client = self.client.connect(Self::at(9)).await.expect("somebody listens");
        (client, listener.accept().await.expect("it connected"))
    }
}

/// So many octets without a pattern: SplitMix64, as the link has it. (`segue-kit` has one, too, but takes as long to build
/// as all of this.)
pub(crate) fn text(octets: usize, salt: u64) -> Vec<u8> {
    let eight = |n: u64| {
        let mut z = (salt << 32 | n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)).to_le_bytes()
    };
    (0..).flat_map(eight).take(octets).collect()
}
