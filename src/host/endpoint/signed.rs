//! Datagrams with signatures in and out (feature `ip`).

use alloc::vec::Vec;

use bytes::Bytes;

use super::Endpoint;
use crate::codec::{self, Fill, Packet};
use crate::host::associations::{Associations, Keyring};
use crate::host::signal::Received;
use crate::ip::{self, Datagram, Format, Ignored, Offload};
use crate::{Controller, Instant};

/// How many associations may be left of flows that are over, beside as many as there are connections.
const LEFT: usize = 64;

impl<C: Controller> Endpoint<C> {
    /// [`receive_ip`](Self::receive_ip) for a host whose connections are signed: a segment reaches a connection only with a right
    /// signature, where its flow has keys. The device must not merge segments. ICMP errors as
    /// [`Keyring::heeds_icmp`] says.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use segue::Instant;
    /// use segue::host::{Associations, Endpoint, Keyring};
    /// use segue::ip::Format;
    /// fn turn(
    ///     (endpoint, associations): (&mut Endpoint, &mut Associations<impl Keyring>),
    ///     arrived: Vec<Bytes>,
    ///     serve: impl FnOnce(&mut Endpoint),
    ///     now: Instant,
    /// ) -> Vec<Vec<u8>> {
    ///     for datagram in arrived {
    ///         let _ = endpoint.receive_ip_signed(datagram, Format::default(), associations, now);
    ///     }
    ///     endpoint.timers(now);
    ///     serve(endpoint);
    ///     let mut leaving = Vec::new();
    ///     endpoint.flush_ip_signed(now, Format::default(), associations, |datagram| leaving.push(datagram.to_vec()));
    ///     leaving
    /// }
    /// ```
    ///
    /// # Errors
    /// Why the datagram brings nothing. It costs nothing lasting, and nothing answers it.
    pub fn receive_ip_signed<K: Keyring>(
        &mut self,
        datagram: Bytes,
        format: Format,
        associations: &mut Associations<K>,
        now: Instant,
    ) -> Result<Received, Ignored> {
        let datagram = ip::decode_by(datagram, format, |addresses, octets, verify| {
            associations.decode(addresses, octets, verify).map_err(Ignored::from)
        })?;
        if let Datagram::Icmp(error) = &datagram {
            if associations.ignores_icmp(&error.flow, error.kind) {
                return Ok(Received::Stray);
            }
        }
        let received = self.receive_datagram(datagram, now);
        self.forget_strangers(associations);
        Ok(received)
    }

    /// [`flush_ip`](Self::flush_ip) for a host whose connections are signed. Each segment leaves by itself, since each has a
    /// signature of its own; the device may compute the checksum. [`Config::option_space`](crate::Config::option_space) has to be
    /// at least [`Authenticator::space`](crate::auth::Authenticator::space) for all that have keys: else their datagrams are
    /// larger than the MTU.
    ///
    /// ```
    /// use segue::Instant;
    /// use segue::host::{Associations, Endpoint, Keyring};
    /// use segue::ip::Format;
    /// fn flush(endpoint: &mut Endpoint, associations: &mut Associations<impl Keyring>, now: Instant) -> Vec<Vec<u8>> {
    ///     let mut leaving = Vec::new();
    ///     endpoint.flush_ip_signed(now, Format::default(), associations, |datagram| leaving.push(datagram.to_vec()));
    ///     leaving
    /// }
    /// ```
    pub fn flush_ip_signed<K: Keyring>(
        &mut self,
        now: Instant,
        format: Format,
        associations: &mut Associations<K>,
        mut send: impl FnMut(&[u8]),
    ) {
        let mut octets = Vec::new();
        self.flush(now, |addresses, packet: Packet| {
            let fill = if format.offload == Offload::None { Fill::Now(addresses) } else { Fill::ByHardware(addresses) };
            for piece in codec::split_packet(packet) {
                octets.clear();
                let header = associations.header(addresses, &piece, fill);
                // No segment of a connection that leaves room for the signature is too long for IP.
                let put = header.and_then(|header| ip::encode_with(addresses, &header, &piece, format, &mut octets));
                if put.is_ok() {
                    send(&octets);
                }
            }
        });
        self.forget_strangers(associations);
    }

    /// Forgets the associations of connections that are over, when there are many of them.
    fn forget_strangers<K: Keyring>(&self, associations: &mut Associations<K>) {
        let (live, waiting) = self.len();
        if associations.len() > 2 * (live + waiting) + LEFT {
            associations.retain(|flow| self.knows(flow));
        }
    }
}
