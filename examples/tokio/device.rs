//! What a host asks of the network below it.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use segue::codec::{self, Packet, PseudoHeader};
use segue::ip::{self, Datagram, Format, Offload};

/// The most datagrams that bring nothing in a row: then others have their turn.
const IGNORED: usize = 256;

/// A network interface: packets come and go as values, with the addresses of their IP header.
///
/// Values, not octets: a simulated network needs no header and no checksum. Where IP datagrams go over the wire, a device is
/// [`Datagrams`], and [`Ip`] makes a `Device` of it.
pub trait Device: Send + 'static {
    /// The next packet or ICMP error for this host, with a correct checksum. Packets for others are not handed over, unless
    /// [`EndpointConfig::addresses`](segue::host::EndpointConfig::addresses) tells them apart. `Pending`: the device wakes
    /// the task when one comes.
    ///
    /// # Errors
    /// The device is gone. The host ends, and every pending call fails with the same kind of error.
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Datagram>>;

    /// Sends a packet, or drops it where there is no room, as a network may. Does not wait.
    fn send(&mut self, addresses: PseudoHeader, packet: Packet);
}

/// A network interface that carries IP datagrams as octets: a TUN device, a tunnel.
pub trait Datagrams: Send + 'static {
    /// How datagrams look, and what the interface does for us.
    fn format(&self) -> Format {
        Format::default()
    }

    /// The next datagram. `Pending`: the interface wakes the task when one comes.
    ///
    /// # Errors
    /// The interface is gone.
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>>;

    /// Sends a datagram, or drops it where there is no room. Does not wait.
    fn send(&mut self, datagram: &[u8]);
}

/// The [`Device`] over [`Datagrams`]: IP headers, ICMP errors, checksums.
///
/// ```
/// use std::io;
/// use std::task::{Context, Poll};
///
/// use bytes::Bytes;
/// use segue::host::{EndpointConfig, Keys};
/// use segue_tokio::{Datagrams, Host, Ip};
/// use tokio::sync::mpsc::{Receiver, Sender};
///
/// /// Some task reads datagrams from a tunnel, and another writes them.
/// struct Tunnel {
///     received: Receiver<Bytes>,
///     sent: Sender<Bytes>,
/// }
///
/// impl Datagrams for Tunnel {
///     fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
///         self.received.poll_recv(cx).map(|datagram| datagram.ok_or(io::ErrorKind::BrokenPipe.into()))
///     }
///
///     fn send(&mut self, datagram: &[u8]) {
///         let _ = self.sent.try_send(Bytes::copy_from_slice(datagram)); // no room: it is lost
///     }
/// }
///
/// async fn host(tunnel: Tunnel, keys: Keys) -> Host {
///     Host::spawn(Ip::new(tunnel), [198, 51, 100, 7].into(), keys, EndpointConfig::default())
/// }
/// ```
#[derive(Debug)]
pub struct Ip<D> {
    datagrams: D,
    leaving: Vec<u8>,
}

impl<D: Datagrams> Ip<D> {
    /// A device of these.
    pub const fn new(datagrams: D) -> Self {
        Self { datagrams, leaving: Vec::new() }
    }
}

impl<D: Datagrams> Device for Ip<D> {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Datagram>> {
        let format = self.datagrams.format();
        for _ in 0..IGNORED {
            let octets = ready!(self.datagrams.poll_recv(cx))?;
            if let Ok(datagram) = ip::decode(octets, format) {
                return Poll::Ready(Ok(datagram));
            } // else it is dropped, as a network may
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn send(&mut self, addresses: PseudoHeader, packet: Packet) {
        let format = self.datagrams.format();
        let mut put = |packet| {
            self.leaving.clear();
            // No segment of a connection is too long for IP.
            if ip::encode(addresses, &packet, format, &mut self.leaving).is_ok() {
                self.datagrams.send(&self.leaving);
            }
        };
        match format.offload {
            Offload::VirtioNet => put(packet),
            Offload::None | Offload::Checksum => codec::split_packet(packet).for_each(put),
        }
    }
}
