//! The signatures of all connections of a host, found by their flows.

use alloc::collections::BTreeMap;
use core::net::SocketAddr;

use bytes::Bytes;

use super::flow::Flow;
use crate::auth::{Association, Authenticator, NoRoom, Refusal, Rejected, Room, signature};
use crate::codec::{self, EncodeError, Fill, Header, Packet, PseudoHeader, Verify};
use crate::{Config, Flags, IcmpKind, IpVersion, Path};

/// The keys of a host: which flows are signed, and by what.
///
/// ```
/// use segue::auth::{Authenticator, Covered, Refusal};
/// use segue::host::{Flow, Keyring};
/// /// The keys of one peer.
/// struct OnePeer<A>(std::net::IpAddr, A);
/// impl<A: Authenticator + Clone> Keyring for OnePeer<A> {
///     type Authenticator = A;
///     fn authenticator(&self, flow: &Flow) -> Option<A> {
///         (flow.remote().ip() == self.0).then(|| self.1.clone())
///     }
/// }
/// ```
pub trait Keyring {
    /// What has the keys of one connection.
    type Authenticator: Authenticator;

    /// The keys of a connection that begins; `None`: its segments are not signed.
    fn authenticator(&self, flow: &Flow) -> Option<Self::Authenticator>;

    /// Whether a segment with a signature is accepted where there is no key for it (RFC 5925 §7.3): it is, by default.
    fn accepts_unknown(&self, _flow: &Flow) -> bool {
        true
    }

    /// Whether a signed connection, once synchronized, heeds ICMP errors that end others, and those of IPv4 that say that a
    /// packet was too big: nobody can sign them, so that by default it does not (RFC 5925 §7.8).
    fn heeds_icmp(&self, _flow: &Flow) -> bool {
        false
    }
}

/// Both ends of a flow, in an order.
type Ends = (SocketAddr, SocketAddr);

fn ends(flow: &Flow) -> Ends {
    (flow.local(), flow.remote())
}

/// An [`Association`] for each flow that has keys, between an [`Endpoint`](super::Endpoint) and the device.
///
/// `Endpoint::receive_ip_signed` and `Endpoint::flush_ip_signed` do all of it. A host of another kind gives
/// what arrives to [`decode`](Self::decode), takes the headers of what leaves from [`header`](Self::header), asks
/// [`check`](Self::check) before it opens a connection, and forgets the flows of connections that are over with
/// [`retain`](Self::retain).
///
/// Only segments with a right signature make an association. A segment that is refused costs the search for its flow and
/// one MAC, leaves nothing behind but a count, and has no answer. A new connection of a flow has the keys that the keyring has
/// then, whatever an earlier one had.
///
/// ```
/// use segue::host::{Associations, Keyring};
/// fn begin<K: Keyring>(keys: K) -> Associations<K> {
///     Associations::new(keys)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Associations<K: Keyring> {
    keyring: K,
    flows: BTreeMap<Ends, Association<K::Authenticator>>,
    refused: BTreeMap<Refusal, u64>,
    last_refused: Option<(Flow, Refusal)>,
    ignored_icmp: u64,
}

impl<K: Keyring> Associations<K> {
    /// None yet.
    ///
    /// ```
    /// use segue::host::{Associations, Keyring};
    /// fn begin(keys: impl Keyring) {
    ///     assert!(Associations::new(keys).is_empty());
    /// }
    /// ```
    pub const fn new(keyring: K) -> Self {
        Self { keyring, flows: BTreeMap::new(), refused: BTreeMap::new(), last_refused: None, ignored_icmp: 0 }
    }

    /// The keys.
    ///
    /// ```
    /// use segue::host::{Associations, Flow, Keyring};
    /// fn is_signed<K: Keyring>(associations: &Associations<K>, flow: &Flow) -> bool {
    ///     associations.keyring().authenticator(flow).is_some()
    /// }
    /// ```
    pub const fn keyring(&self) -> &K {
        &self.keyring
    }

    /// The keys, to change those of connections to come.
    ///
    /// ```
    /// use segue::host::{Associations, Keyring};
    /// fn replace<K: Keyring>(associations: &mut Associations<K>, keys: K) {
    ///     *associations.keyring_mut() = keys; // connections that exist keep theirs
    /// }
    /// ```
    pub const fn keyring_mut(&mut self) -> &mut K {
        &mut self.keyring
    }

    /// The association of a flow.
    ///
    /// ```
    /// use segue::host::{Associations, Flow, Keyring};
    /// fn is_known<K: Keyring>(associations: &Associations<K>, flow: &Flow) -> bool {
    ///     associations.get(flow).is_some()
    /// }
    /// ```
    pub fn get(&self, flow: &Flow) -> Option<&Association<K::Authenticator>> {
        self.flows.get(&ends(flow))
    }

    /// The association of a flow, to change its keys.
    ///
    /// ```
    /// use segue::host::{Associations, Flow, Keyring};
    /// /// Changes the keys of a connection that exists.
    /// fn change<K: Keyring>(all: &mut Associations<K>, flow: &Flow, change: impl FnOnce(&mut K::Authenticator)) {
    ///     if let Some(association) = all.get_mut(flow) {
    ///         change(association.authenticator_mut());
    ///     }
    /// }
    /// ```
    pub fn get_mut(&mut self, flow: &Flow) -> Option<&mut Association<K::Authenticator>> {
        self.flows.get_mut(&ends(flow))
    }

    /// Takes the association of a flow away: its connection is over, or goes on elsewhere.
    ///
    /// ```
    /// use segue::host::{Associations, Endpoint, Flow, Keyring};
    /// /// Of a connection that has left the endpoint, after the flush that it owed.
    /// fn has_left<K: Keyring>(endpoint: &Endpoint, associations: &mut Associations<K>, flow: &Flow) {
    ///     if !endpoint.knows(flow) {
    ///         associations.remove(flow);
    ///     }
    /// }
    /// ```
    pub fn remove(&mut self, flow: &Flow) -> Option<Association<K::Authenticator>> {
        self.flows.remove(&ends(flow))
    }

    /// The association of a connection that comes from elsewhere, or was saved; returns the one that was there before. Without it,
    /// what the connection sends is refused ([`EncodeError::UnknownConnection`]).
    ///
    /// ```
    /// use segue::host::{Associations, DetachError, Detached, Endpoint, Id, Keyring};
    /// use segue::{Algorithm, Instant};
    /// /// A connection leaves for another core, with what its keys depend on. What it owes is still to be flushed here.
    /// fn leaves<K: Keyring>(
    ///     (endpoint, here): (&mut Endpoint, &Associations<K>),
    ///     there: &mut Associations<K>,
    ///     (id, now): (Id, Instant),
    /// ) -> Result<Detached<Algorithm>, DetachError>
    /// where
    ///     K::Authenticator: Clone,
    /// {
    ///     let detached = endpoint.detach(id, now)?;
    ///     let flow = detached.flow();
    ///     if let Some(association) = here.get(&flow) {
    ///         there.insert(flow, association.clone());
    ///     }
    ///     Ok(detached)
    /// }
    /// ```
    pub fn insert(
        &mut self,
        flow: Flow,
        association: Association<K::Authenticator>,
    ) -> Option<Association<K::Authenticator>> {
        self.flows.insert(ends(&flow), association)
    }

    /// Whether a connection of this flow with this configuration, on this path, has room for the signature of its keys, if it has
    /// any: to be asked before it is opened, or before a listener takes such a configuration.
    ///
    /// ```
    /// use segue::auth::NoRoom;
    /// use segue::host::{Associations, Flow, Keyring};
    /// use segue::{Config, Path};
    /// /// The policy with as much room as it lacks.
    /// fn with_room(keys: &Associations<impl Keyring>, flow: &Flow, policy: Config) -> Result<Config, segue::ConfigError> {
    ///     match keys.check(flow, &policy, Path::ipv4(1500)) {
    ///         Err(NoRoom::OptionSpace { needed, .. }) => policy.to_builder().option_space(needed).build(),
    ///         _ => Ok(policy),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NoRoom`]: nothing would leave.
    pub fn check(&self, flow: &Flow, config: &Config, path: Path) -> Result<(), NoRoom> {
        match self.keyring.authenticator(flow) {
            Some(authenticator) => Room::of(config, path).check(authenticator.space()),
            None => Ok(()),
        }
    }

    /// How many flows have an association.
    ///
    /// ```
    /// use segue::host::{Associations, Endpoint, Keyring};
    /// fn is_bounded(endpoint: &Endpoint, associations: &Associations<impl Keyring>) -> bool {
    ///     let (live, waiting) = endpoint.len();
    ///     associations.len() <= 2 * (live + waiting) + 64 // after each turn of `receive_ip_signed` and `flush_ip_signed`
    /// }
    /// ```
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether no flow has an association.
    ///
    /// ```
    /// use segue::host::{Associations, Keyring};
    /// fn has_none(associations: &Associations<impl Keyring>) -> bool {
    ///     associations.is_empty()
    /// }
    /// ```
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// Forgets the flows of which `keeps` says so: those of connections that are over, TIME-WAIT included.
    ///
    /// ```
    /// use segue::host::{Associations, Endpoint, Keyring};
    /// fn tidy(endpoint: &Endpoint, associations: &mut Associations<impl Keyring>) {
    ///     associations.retain(|flow| endpoint.knows(flow));
    /// }
    /// ```
    pub fn retain(&mut self, keeps: impl Fn(&Flow) -> bool) {
        self.flows.retain(|(local, remote), _| Flow::new(*local, *remote).is_some_and(|flow| keeps(&flow)));
    }

    /// How many segments were refused for this reason. It saturates.
    ///
    /// ```
    /// use segue::auth::Refusal;
    /// use segue::host::{Associations, Keyring};
    /// fn report(associations: &Associations<impl Keyring>) -> String {
    ///     let wrong = associations.refused(Refusal::Signature);
    ///     format!("{wrong} segments with wrong signatures, {} without", associations.refused(Refusal::Missing))
    /// }
    /// ```
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refused.get(&refusal).copied().unwrap_or(0)
    }

    /// The last segment that was refused: for a warning, as often as the host likes (RFC 5925 §7.3).
    ///
    /// ```
    /// use segue::host::{Associations, Keyring};
    /// /// For a log, once a second.
    /// fn warning(associations: &Associations<impl Keyring>) -> Option<String> {
    ///     associations.last_refused().map(|(flow, refusal)| format!("{flow}: {refusal}"))
    /// }
    /// ```
    pub const fn last_refused(&self) -> Option<(Flow, Refusal)> {
        self.last_refused
    }

    /// How many ICMP errors about signed connections were ignored. It saturates.
    ///
    /// ```
    /// use segue::host::{Associations, Keyring};
    /// fn report(associations: &Associations<impl Keyring>) -> String {
    ///     format!("{} ICMP errors ignored", associations.ignored_icmp())
    /// }
    /// ```
    pub const fn ignored_icmp(&self) -> u64 {
        self.ignored_icmp
    }

    /// The packet in these octets, which are the whole payload of an IP packet between these addresses: with a right
    /// signature where its flow has keys.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use segue::Instant;
    /// use segue::auth::Rejected;
    /// use segue::codec::{PseudoHeader, Verify};
    /// use segue::host::{Associations, Endpoint, Keyring, Received};
    /// /// For a host with an IP layer of its own.
    /// fn comes(
    ///     (endpoint, associations): (&mut Endpoint, &mut Associations<impl Keyring>),
    ///     (addresses, octets): (PseudoHeader, Bytes),
    ///     now: Instant,
    /// ) -> Result<Received, Rejected> {
    ///     let packet = associations.decode(addresses, octets, Verify::Now(addresses))?;
    ///     Ok(endpoint.receive(addresses, packet, now))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Throw the octets away without an answer. Nothing has changed but counts.
    pub fn decode(&mut self, addresses: PseudoHeader, octets: Bytes, verify: Verify) -> Result<Packet, Rejected> {
        self.decode_of(addresses, octets, verify, |_| Life::Live)
    }

    /// The same where `life` tells what is left of the connection of a flow: a SYN without ACK for one that is over is of the
    /// next, whose keys are those of the keyring.
    pub(super) fn decode_of(
        &mut self,
        addresses: PseudoHeader,
        octets: Bytes,
        verify: Verify,
        life: impl FnOnce(&Flow) -> Life,
    ) -> Result<Packet, Rejected> {
        let Some(flow) = flow_of(addresses, &octets) else { return Ok(codec::decode(octets, verify)?) };
        let life = if opens(&octets) && self.get(&flow).is_some() { life(&flow) } else { Life::Live };
        let result = self.judge(flow, life, addresses, octets, verify);
        if let Err(Rejected::Refused(refusal)) = result {
            self.refuse(flow, refusal);
        }
        result
    }

    /// A segment of this flow is refused.
    pub(super) fn refuse(&mut self, flow: Flow, refusal: Refusal) {
        let count = self.refused.entry(refusal).or_default();
        *count = count.saturating_add(1);
        self.last_refused = Some((flow, refusal));
    }

    fn judge(
        &mut self,
        flow: Flow,
        life: Life,
        addresses: PseudoHeader,
        octets: Bytes,
        verify: Verify,
    ) -> Result<Packet, Rejected> {
        if life == Life::Live {
            if let Some(association) = self.flows.get_mut(&ends(&flow)) {
                return association.decode(addresses, octets, verify);
            }
        }
        if let Some(authenticator) = self.keyring.authenticator(&flow) {
            let mut association = Association::new(authenticator);
            let packet = association.decode(addresses, octets, verify)?;
            if life != Life::Waiting {
                self.flows.insert(ends(&flow), association); // while it waits, what answers is of the old one
            }
            return Ok(packet);
        }
        let (packet, area) = codec::decode_raw(octets, verify)?;
        match signature(area.as_slice())? {
            Some(_) if !self.keyring.accepts_unknown(&flow) => Err(Refusal::NoKey.into()),
            Some(_) | None => Ok(packet),
        }
    }

    /// The header of a packet that leaves between these addresses, signed where its flow has keys; the text follows it. Each
    /// packet is one segment: [`codec::split_packet`] it.
    ///
    /// ```
    /// use segue::Instant;
    /// use segue::codec::{Fill, PseudoHeader, split_packet};
    /// use segue::host::{Associations, Endpoint, Keyring};
    /// /// For a host with an IP layer of its own.
    /// fn flush(
    ///     (endpoint, associations): (&mut Endpoint, &mut Associations<impl Keyring>),
    ///     now: Instant,
    ///     mut send: impl FnMut(PseudoHeader, &[u8], &[u8]),
    /// ) {
    ///     endpoint.flush(now, |addresses, packet| {
    ///         for piece in split_packet(packet) {
    ///             if let Ok(header) = associations.header(addresses, &piece, Fill::Now(addresses)) {
    ///                 send(addresses, header.as_slice(), &piece.segment.payload);
    ///             }
    ///         }
    ///     });
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Association::header`].
    pub fn header(&mut self, addresses: PseudoHeader, packet: &Packet, fill: Fill) -> Result<Header, EncodeError> {
        self.header_in(None, addresses, packet, fill)
    }

    /// [`header`](Self::header) of a connection that leaves this room, where the endpoint knows it.
    pub(super) fn header_in(
        &mut self,
        room: Option<Room>,
        addresses: PseudoHeader,
        packet: &Packet,
        fill: Fill,
    ) -> Result<Header, EncodeError> {
        let (local, remote) =
            (SocketAddr::new(addresses.src(), packet.src_port), SocketAddr::new(addresses.dst(), packet.dst_port));
        let succeeds =
            |old: &Association<_>| packet.segment.flags.contains(Flags::SYN) && old.succeeds(&packet.segment);
        if let Some(association) = self.flows.get_mut(&(local, remote)).filter(|old| !succeeds(old)) {
            return association.header_in(room, addresses, packet, fill);
        }
        let authenticator = Flow::new(local, remote).and_then(|flow| self.keyring.authenticator(&flow));
        let Some(authenticator) = authenticator else {
            self.flows.remove(&(local, remote)); // of an earlier connection: this one has no keys
            return Header::new(packet, fill);
        };
        let mut association = Association::new(authenticator);
        let header = association.header_in(room, addresses, packet, fill)?;
        if association.ours().is_some() {
            self.flows.insert((local, remote), association);
        }
        Ok(header)
    }

    /// Whether an ICMP error about this flow is to be ignored, see [`Keyring::heeds_icmp`]; it counts then.
    ///
    /// ```
    /// use segue::host::{Associations, Endpoint, Flow, Gone, Keyring};
    /// use segue::{IcmpKind, Instant, SeqNum};
    /// fn unreachable(
    ///     (endpoint, associations): (&mut Endpoint, &mut Associations<impl Keyring>),
    ///     (flow, quoted_seq): (&Flow, SeqNum),
    ///     now: Instant,
    /// ) -> Result<(), Gone> {
    ///     if associations.ignores_icmp(flow, IcmpKind::PortUnreachable) {
    ///         return Ok(());
    ///     }
    ///     endpoint.icmp(flow, (IcmpKind::PortUnreachable, 0), quoted_seq, now)
    /// }
    /// ```
    pub fn ignores_icmp(&mut self, flow: &Flow, kind: IcmpKind) -> bool {
        let synchronized = self.get(flow).is_some_and(|association| association.theirs().is_some());
        let forged_perhaps = kind.is_hard() || kind == IcmpKind::PacketTooBig && flow.ip() == IpVersion::V4;
        let ignores = synchronized && forged_perhaps && !self.keyring.heeds_icmp(flow);
        self.ignored_icmp = self.ignored_icmp.saturating_add(u64::from(ignores));
        ignores
    }
}

/// What is left of the connection of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    Live,
    /// It is in TIME-WAIT.
    Waiting,
    #[cfg(feature = "ip")]
    Over,
}

/// Whether octets have the SYN of a connection that is to come.
fn opens(octets: &[u8]) -> bool {
    const SYN_AND_ACK: u8 = 0x12;
    octets.get(13).is_some_and(|flags| flags & SYN_AND_ACK == 0x02)
}

/// The flow of octets that arrived.
fn flow_of(addresses: PseudoHeader, octets: &[u8]) -> Option<Flow> {
    let &[a, b, c, d] = octets.first_chunk()?;
    let local = SocketAddr::new(addresses.dst(), u16::from_be_bytes([c, d]));
    Flow::new(local, SocketAddr::new(addresses.src(), u16::from_be_bytes([a, b])))
}
