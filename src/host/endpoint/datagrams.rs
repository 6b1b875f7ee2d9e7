//! IP datagrams in and out (feature `ip`).

use alloc::vec::Vec;

use bytes::Bytes;

use super::Endpoint;
use crate::codec::{self, Packet};
use crate::host::signal::Received;
use crate::ip::{self, Datagram, Format, Ignored, Offload};
use crate::{Controller, Instant};

impl<C: Controller> Endpoint<C> {
    /// A datagram arrived: [`ip::decode`], and then [`receive`](Self::receive) or [`icmp`](Self::icmp). An ICMP error about
    /// no connection is a [`Received::Stray`].
    ///
    /// With [`flush_ip`](Self::flush_ip), a host on a TUN device is a loop around its reads and writes:
    ///
    /// ```
    /// use bytes::Bytes;
    /// use segue::Instant;
    /// use segue::host::Endpoint;
    /// use segue::ip::Format;
    ///
    /// fn turn(tcp: &mut Endpoint, arrived: Vec<Bytes>, serve: impl FnOnce(&mut Endpoint), now: Instant) -> Vec<Vec<u8>> {
    ///     for datagram in arrived {
    ///         let _ = tcp.receive_ip(datagram, Format::default(), now); // what is ignored needs no answer
    ///     }
    ///     tcp.timers(now);
    ///     serve(tcp);
    ///     let mut leaving = Vec::new();
    ///     tcp.flush_ip(now, Format::default(), |datagram| leaving.push(datagram.to_vec()));
    ///     leaving
    /// }
    /// ```
    ///
    /// # Errors
    /// Why the datagram brings nothing. It costs nothing lasting, and nothing answers it.
    pub fn receive_ip(&mut self, datagram: Bytes, format: Format, now: Instant) -> Result<Received, Ignored> {
        ip::decode(datagram, format).map(|datagram| self.receive_datagram(datagram, now))
    }

    /// The second half of [`receive_ip`](Self::receive_ip), for hosts that decode elsewhere: before the flow chooses a core,
    /// or outside of a lock.
    ///
    /// ```
    /// use segue::Instant;
    /// use segue::codec::{Packet, PseudoHeader};
    /// use segue::host::{Endpoint, EndpointConfig, Keys, Received};
    /// use segue::ip::Datagram;
    ///
    /// let mut tcp = Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default());
    /// let addresses = PseudoHeader::new("198.51.100.7".parse()?, "192.0.2.1".parse()?).expect("one version");
    /// let packet = Packet { src_port: 49152, dst_port: 80, ..Packet::default() };
    /// assert_eq!(tcp.receive_datagram(Datagram::Tcp(addresses, packet), Instant::ZERO), Received::Stray);
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn receive_datagram(&mut self, datagram: Datagram, now: Instant) -> Received {
        match datagram {
            Datagram::Tcp(addresses, packet) => self.receive(addresses, packet, now),
            Datagram::Icmp(error) => {
                let id = self.find(&error.flow).map(|index| self.slots.id(index)); // void, where it ends the connection
                let taken = self.icmp(&error.flow, (error.kind, error.mtu), error.quoted_seq, now);
                id.filter(|_| taken.is_ok()).map_or(Received::Stray, Received::Connection)
            }
        }
    }

    /// [`flush`](Self::flush) that hands out datagrams: all that a device takes for one. Values that stand for several
    /// segments leave as such with [`Offload::VirtioNet`] alone, and are split for others.
    ///
    /// A datagram that is dropped here counts as lost in the network.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # let (us, peer) = ("192.0.2.1".parse()?, "198.51.100.7:80".parse()?);
    /// use segue::ip::Format;
    /// tcp.connect(us, peer, now)?;
    /// let mut device = Vec::new();
    /// tcp.flush_ip(now, Format::default(), |datagram| device.push(datagram.to_vec()));
    /// assert_eq!(device.iter().map(Vec::len).collect::<Vec<_>>(), [60]); // IPv4, TCP, and the options of a SYN
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flush_ip(&mut self, now: Instant, format: Format, mut send: impl FnMut(&[u8])) {
        let mut octets = Vec::new();
        let mut put = |addresses, packet: &Packet| {
            octets.clear();
            octets.reserve(ip::encoded_len(addresses, packet, format)); // once in a flush, as a rule
            // No segment of a connection is too long for IP.
            if ip::encode(addresses, packet, format, &mut octets).is_ok() {
                send(&octets);
            }
        };
        self.flush(now, |addresses, packet| {
            if format.offload == Offload::VirtioNet || !ip::is_large(&packet.segment) {
                return put(addresses, &packet);
            }
            for piece in codec::split_packet(packet) {
                put(addresses, &piece);
            }
        });
    }
}
