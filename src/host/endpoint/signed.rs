//! Datagrams with signatures in and out (feature `ip`).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;

use super::Endpoint;
use crate::auth::{Authenticator, NoRoom, Refusal, Room};
use crate::codec::{self, EncodeError, Fill, Packet};
use crate::host::associations::{Associations, Keyring, Life};
use crate::host::flow::Flow;
use crate::host::signal::{Id, OpenError, Received};
use crate::host::slots::Entry;
use crate::host::unsent::Unsent;
use crate::ip::{self, Datagram, Format, Ignored, Offload};
use crate::{Arc, Config, Controller, Instant, Path, Segment};

/// How many associations may be left of flows that are over, beside as many as there are connections.
const LEFT: usize = 64;

impl<C: Controller> Endpoint<C> {
    /// [`connect_with`](Self::connect_with) for a host whose connections are signed: it opens none whose segments have no room for
    /// the signature of its keys.
    ///
    /// ```
    /// use segue::auth::NoRoom;
    /// use segue::host::{Associations, Endpoint, Flow, Id, Keyring, OpenError};
    /// use segue::{Arc, Config, Instant, Path};
    /// /// A connection with as much room as its keys need.
    /// fn open(
    ///     (endpoint, keys): (&mut Endpoint, &Associations<impl Keyring>),
    ///     flow: Flow,
    ///     mut policy: Arc<Config>,
    ///     now: Instant,
    /// ) -> Result<Id, Box<dyn std::error::Error>> {
    ///     let path = Path::new(flow.remote().ip(), endpoint.config().mtu);
    ///     if let Err(NoRoom::OptionSpace { needed, .. }) = keys.check(&flow, &policy, path) {
    ///         policy = Arc::new(policy.to_builder().option_space(needed).build()?);
    ///     }
    ///     Ok(endpoint.connect_signed(flow, policy, path, keys, now)?)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`OpenError`], of which [`OpenError::NoRoom`] is for this call alone; nothing has changed then.
    pub fn connect_signed<K: Keyring>(
        &mut self,
        flow: Flow,
        config: Arc<Config>,
        path: Path,
        associations: &Associations<K>,
        now: Instant,
    ) -> Result<Id, OpenError> {
        associations.check(&flow, &config, path)?;
        self.connect_with(flow, config, path, now)
    }

    /// [`receive_ip`](Self::receive_ip) for a host whose connections are signed: a segment reaches a connection only with a right
    /// signature, where its flow has keys. The device must not merge segments. ICMP errors as
    /// [`Keyring::heeds_icmp`] says. A SYN for a listener whose configuration leaves no room for the signature opens nothing
    /// and is refused ([`Refusal::NoRoom`]).
    ///
    /// ```
    /// use bytes::Bytes;
    /// use segue::Instant;
    /// use segue::host::{Associations, Endpoint, Keyring, Unsent};
    /// use segue::ip::Format;
    /// fn turn(
    ///     (endpoint, associations): (&mut Endpoint, &mut Associations<impl Keyring>),
    ///     arrived: Vec<Bytes>,
    ///     serve: impl FnOnce(&mut Endpoint),
    ///     now: Instant,
    /// ) -> (Vec<Vec<u8>>, Vec<Unsent>) {
    ///     for datagram in arrived {
    ///         let _ = endpoint.receive_ip_signed(datagram, Format::default(), associations, now);
    ///     }
    ///     endpoint.timers(now);
    ///     serve(endpoint);
    ///     let mut leaving = Vec::new();
    ///     let send = |datagram: &[u8]| leaving.push(datagram.to_vec());
    ///     let unsent = endpoint.flush_ip_signed(now, Format::default(), associations, send);
    ///     (leaving, unsent)
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
            associations.decode_of(addresses, octets, verify, |flow| self.life(flow)).map_err(Ignored::from)
        })?;
        match &datagram {
            Datagram::Icmp(error) if associations.ignores_icmp(&error.flow, error.kind) => return Ok(Received::Stray),
            Datagram::Tcp(addresses, packet) if codec::opens(packet) => {
                let flow = Flow::of_received(*addresses, packet).filter(|flow| self.lacks_room(flow, associations));
                if let Some(flow) = flow {
                    if !self.knows(&flow) {
                        associations.remove(&flow); // its right signature made one
                    }
                    associations.refuse(flow, Refusal::NoRoom);
                    return Err(Ignored::Refused(Refusal::NoRoom));
                }
            }
            Datagram::Icmp(_) | Datagram::Tcp(..) => {}
        }
        let received = self.receive_datagram(datagram, now);
        self.forget_strangers(associations);
        Ok(received)
    }

    /// [`flush_ip`](Self::flush_ip) for a host whose connections are signed. Each segment leaves by itself, since each has a
    /// signature of its own; the device may compute the checksum.
    ///
    /// Returns what could not leave, in the order of the flows: nothing leaves unsigned where its flow has keys, and nothing larger
    /// than the MTU for its signature. The connections know nothing of it: for them it is lost, and goes again. Mend the cause, or
    /// end the connection: one that can send nothing ends by its timeouts alone.
    ///
    /// ```
    /// use segue::Instant;
    /// use segue::host::{Associations, Endpoint, Keyring};
    /// use segue::ip::Format;
    /// fn flush(endpoint: &mut Endpoint, associations: &mut Associations<impl Keyring>, now: Instant) -> Vec<Vec<u8>> {
    ///     let mut leaving = Vec::new();
    ///     let send = |datagram: &[u8]| leaving.push(datagram.to_vec());
    ///     for unsent in endpoint.flush_ip_signed(now, Format::default(), associations, send) {
    ///         println!("{unsent}"); // a fault of the host's: `option_space`, or an association that is lost
    ///     }
    ///     leaving
    /// }
    /// ```
    #[must_use = "segments that could not be signed have not left"]
    pub fn flush_ip_signed<K: Keyring>(
        &mut self,
        now: Instant,
        format: Format,
        associations: &mut Associations<K>,
        send: impl FnMut(&[u8]),
    ) -> Vec<Unsent> {
        let (octets, unsent) = (Vec::new(), BTreeMap::new());
        let mut device = Device { format, associations, octets, unsent, send };
        loop {
            while let Some((flow, segment)) = self.answers.pop() {
                device.put(&flow, segment, self.room(&flow));
            }
            let Some(index) = self.next_dirty() else { break };
            let room = self.room_at(index);
            self.finish(index, now, &mut |flow, segment| device.put(flow, segment, room));
        }
        self.rest();
        let Device { associations, unsent, .. } = device;
        self.forget_strangers(associations);
        unsent.into_values().collect()
    }

    /// What is left of the connection of a flow.
    fn life(&self, flow: &Flow) -> Life {
        match self.find(flow).map(|index| self.slots.get(index)) {
            Some(Entry::Live(_)) => Life::Live,
            Some(Entry::Waiting(_) | Entry::Held(_)) => Life::Waiting,
            Some(Entry::Free | Entry::Over(_)) | None => Life::Over,
        }
    }

    /// Whether the listener of this flow would open a connection without room for its signature.
    fn lacks_room<K: Keyring>(&self, flow: &Flow, associations: &Associations<K>) -> bool {
        let listener = self.listener_for(flow.local()).and_then(|port| self.listeners.get(&port));
        listener.filter(|_| self.life(flow) != Life::Live).is_some_and(|bound| {
            let path = self.config.path(flow.remote().ip());
            associations.check(flow, &bound.config(&self.passive), path).is_err()
        })
    }

    /// The room that a segment of this flow has for its signature.
    fn room(&self, flow: &Flow) -> Of {
        let found = self.find(flow).map_or(Of::Nobody(0), |index| self.room_at(index));
        match found {
            Of::Connection(_) => found,
            Of::Nobody(_) => Of::Nobody(self.config.path(flow.remote().ip()).mtu.max(flow.ip().min_mtu())),
        }
    }

    fn room_at(&self, index: u32) -> Of {
        self.connection(index).map_or(Of::Nobody(0), |connection| {
            Of::Connection(Room::of_connection(connection.config(), connection.path()))
        })
    }

    /// Forgets the associations of connections that are over, when there are many of them.
    fn forget_strangers<K: Keyring>(&self, associations: &mut Associations<K>) {
        let (live, waiting) = self.len();
        if associations.len() > 2 * (live + waiting) + LEFT {
            associations.retain(|flow| self.knows(flow));
        }
    }
}

/// Whose segment it is.
#[derive(Clone, Copy)]
enum Of {
    /// Of a connection that leaves this room.
    Connection(Room),
    /// Of no connection, or of one in TIME-WAIT: it has no text, and has to fit this MTU.
    Nobody(u16),
}

/// Between an endpoint and the device.
struct Device<'a, K: Keyring, F> {
    format: Format,
    associations: &'a mut Associations<K>,
    octets: Vec<u8>,
    unsent: BTreeMap<(core::net::SocketAddr, core::net::SocketAddr), Unsent>,
    send: F,
}

impl<K: Keyring, F: FnMut(&[u8])> Device<'_, K, F> {
    /// A segment, or several in one value, that leaves.
    fn put(&mut self, flow: &Flow, segment: Segment, of: Of) {
        for piece in codec::split_packet(flow.packet(segment)) {
            match self.encode(flow, &piece, of) {
                Ok(()) => (self.send)(&self.octets),
                Err(error) => {
                    let unsent = self.unsent.entry((flow.local(), flow.remote()));
                    unsent.or_insert(Unsent { flow: *flow, error, segments: 0 }).count(error);
                }
            }
        }
    }

    fn encode(&mut self, flow: &Flow, piece: &Packet, of: Of) -> Result<(), EncodeError> {
        let addresses = flow.pseudo();
        let fill = match self.format.offload {
            Offload::None => Fill::Now(addresses),
            Offload::Checksum | Offload::VirtioNet => Fill::ByHardware(addresses),
        };
        let room = match of {
            Of::Connection(room) => Some(room),
            Of::Nobody(_) => None,
        };
        self.octets.clear();
        let header = self.associations.header_in(room, addresses, piece, fill)?;
        if let Of::Nobody(mtu) = of {
            let needed = usize::from(flow.ip().header()) + header.as_slice().len() + piece.segment.payload.len();
            if needed > usize::from(mtu) && self.is_signed(flow) {
                return Err(NoRoom::Mtu { needed: u16::try_from(needed).unwrap_or(u16::MAX), mtu }.into());
            }
        }
        ip::encode_with(addresses, &header, piece, self.format, &mut self.octets)
    }

    fn is_signed(&self, flow: &Flow) -> bool {
        self.associations.get(flow).is_some_and(|association| association.authenticator().space() > 0)
    }
}
