//! What a host asks of the network below it.

use std::io;
use std::task::{Context, Poll};

use segue::codec::{Packet, PseudoHeader};

/// A network interface: packets come and go as values, with the addresses of their IP header.
///
/// Values, not octets: a simulated network needs no header and no checksum, and hardware that computes checksums or cuts
/// segments gets what it needs from the [`Packet`]. Where octets go over the wire, [`decode`] and [`encode`] stand in
/// between:
///
/// ```
/// use std::io;
/// use std::task::{Context, Poll, ready};
///
/// use bytes::Bytes;
/// use segue::codec::{self, Fill, Packet, PseudoHeader, Verify};
/// use segue_tokio::Device;
/// use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
///
/// /// Some task strips and makes the IP headers; TCP segments go through channels.
/// struct Channels {
///     received: UnboundedReceiver<(PseudoHeader, Bytes)>,
///     sent: UnboundedSender<(PseudoHeader, Bytes)>,
/// }
///
/// impl Device for Channels {
///     fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(PseudoHeader, Packet)>> {
///         while let Some((addresses, octets)) = ready!(self.received.poll_recv(cx)) {
///             if let Ok(packet) = codec::decode(octets, Verify::Now(addresses)) {
///                 return Poll::Ready(Ok((addresses, packet)));
///             } // else it is dropped: the peer will send it again
///         }
///         Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
///     }
///
///     fn send(&mut self, addresses: PseudoHeader, packet: Packet) {
///         let mut octets = Vec::new();
///         if codec::encode(&packet, Fill::Now(addresses), &mut octets).is_ok() {
///             let _ = self.sent.send((addresses, octets.into()));
///         }
///     }
/// }
/// ```
///
/// [`decode`]: segue::codec::decode
/// [`encode`]: segue::codec::encode
pub trait Device: Send + 'static {
    /// The next packet for this host, with a correct checksum; packets for others are not handed over. `Pending`: the
    /// device wakes the task when one comes.
    ///
    /// # Errors
    /// The device is gone. The host ends, and every pending call fails with the same kind of error.
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(PseudoHeader, Packet)>>;

    /// Sends a packet, or drops it where there is no room, as a network may. Does not wait.
    fn send(&mut self, addresses: PseudoHeader, packet: Packet);
}
