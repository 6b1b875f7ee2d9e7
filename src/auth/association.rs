//! What one connection knows beside its keys: the initial sequence numbers and their extensions.

use core::ops::Range;

use bytes::Bytes;

use super::option::locate;
use super::room::Room;
use super::{Authenticator, Covered, Extension, Refusal, Rejected};
use crate::codec::{
    DecodeError, EncodeError, Fill, Header, NoRoom, Packet, PseudoHeader, Verify, checksum, decode_raw,
};
use crate::{Config, Flags, Options, Path, Segment, SeqNum};

/// Octets of the header without options.
const FIXED: usize = 20;

/// Where the checksum stands.
const CHECKSUM: Range<usize> = 16..18;

fn put(octets: &mut [u8], range: Range<usize>, with: &[u8]) {
    if let Some(octets) = octets.get_mut(range) {
        octets.copy_from_slice(with);
    }
}

/// An authenticator at work for one connection, between it and the device: packets become signed octets, and only octets
/// with a right signature become packets. It is a value, and a clone goes on as the original does.
///
/// It learns the initial sequence numbers from the SYNs: its own from what leaves, the peer's from what came with a right
/// signature. Nothing changes by a segment that is refused.
///
/// Use it for all segments of the connection, also those for which a host has no connection: while it waits (TIME-WAIT), and
/// for SYN cookies, where the acknowledgment of a SYN,ACK tells both numbers. It can outlive the connection: our next SYN or
/// SYN,ACK begins anew.
///
/// See the [module](super) for one at work.
///
/// ```
/// use segue::auth::{Association, Authenticator};
/// /// Both ends of a connection that has the same keys in both directions.
/// fn ends<A: Authenticator + Clone>(keys: A) -> [Association<A>; 2] {
///     [Association::new(keys.clone()), Association::new(keys)]
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Association<A> {
    authenticator: A,
    ours: Option<Extension>,
    theirs: Option<Extension>,
    /// The peer has shown that it knows both initial sequence numbers.
    confirmed: bool,
    /// Octets of the option area that the connection leaves to the signature.
    reserved: u8,
}

impl<A> Association<A> {
    /// The association of a connection that is to come, whose host answers for the room ([`within`](Self::within) sees to it).
    ///
    /// ```
    /// use segue::auth::{Association, Authenticator};
    /// fn begins(keys: impl Authenticator) {
    ///     let association = Association::new(keys);
    ///     assert!(association.ours().is_none() && association.theirs().is_none());
    /// }
    /// ```
    pub const fn new(authenticator: A) -> Self {
        Self { authenticator, ours: None, theirs: None, confirmed: false, reserved: 40 }
    }

    /// The keys.
    ///
    /// ```
    /// use segue::auth::{Association, Authenticator};
    /// fn keys<A: Authenticator>(association: &Association<A>) -> &A {
    ///     association.authenticator()
    /// }
    /// ```
    pub const fn authenticator(&self) -> &A {
        &self.authenticator
    }

    /// The keys, to change them.
    ///
    /// ```
    /// use segue::auth::{Association, Authenticator};
    /// fn change<A: Authenticator>(association: &mut Association<A>, change: impl FnOnce(&mut A)) {
    ///     change(association.authenticator_mut());
    /// }
    /// ```
    pub const fn authenticator_mut(&mut self) -> &mut A {
        &mut self.authenticator
    }

    /// The sequence numbers of what leaves, from our first SYN or SYN,ACK on.
    ///
    /// ```
    /// use segue::SeqNum;
    /// use segue::auth::{Association, Authenticator};
    /// fn iss(association: &Association<impl Authenticator>) -> Option<SeqNum> {
    ///     association.ours().map(|ours| ours.isn())
    /// }
    /// ```
    pub const fn ours(&self) -> Option<&Extension> {
        self.ours.as_ref()
    }

    /// The sequence numbers of what comes, when the peer's SYN is known.
    ///
    /// ```
    /// use segue::SeqNum;
    /// use segue::auth::{Association, Authenticator};
    /// /// How often the peer's numbers have begun anew.
    /// fn wraps(association: &Association<impl Authenticator>, rcv_nxt: SeqNum) -> u32 {
    ///     association.theirs().map_or(0, |theirs| theirs.sne(rcv_nxt))
    /// }
    /// ```
    pub const fn theirs(&self) -> Option<&Extension> {
        self.theirs.as_ref()
    }

    /// The number of the peer that our SYN or SYN,ACK answers.
    fn answered(segment: &Segment) -> Option<SeqNum> {
        segment.flags.contains(Flags::ACK).then(|| segment.ack - 1)
    }

    /// Whether our SYN or SYN,ACK begins another connection than the one that is known.
    pub(crate) fn succeeds(&self, segment: &Segment) -> bool {
        let known = self.theirs.is_some_and(|theirs| Some(theirs.isn()) != Self::answered(segment));
        self.ours.is_some_and(|ours| ours.isn() != segment.seq || known)
    }

    /// Our SYN or SYN,ACK leaves: another one than before begins a new connection.
    fn begin(&mut self, segment: &Segment) {
        if self.ours.is_none() || self.succeeds(segment) {
            self.ours = Some(Extension::new(segment.seq));
            self.theirs = None;
            self.confirmed = false;
        }
        if self.theirs.is_none() {
            self.theirs = Self::answered(segment).map(Extension::new);
        }
    }
}

impl<A: Authenticator> Association<A> {
    /// The association of a connection with this configuration, on this path: one whose segments have room for the signature.
    /// Later [`header`](Self::header) refuses a signature that has become longer than that.
    ///
    /// ```
    /// use segue::auth::{Association, Authenticator, NoRoom};
    /// use segue::{Arc, Config, Connection, Instant, Path, Secrets};
    /// fn opens<A: Authenticator>(
    ///     keys: A,
    ///     (config, path): (Arc<Config>, Path),
    ///     secrets: Secrets,
    ///     now: Instant,
    /// ) -> Result<(Association<A>, Connection), NoRoom> {
    ///     let association = Association::within(keys, &config, path)?;
    ///     Ok((association, Connection::connect(config, path, secrets, now).0))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NoRoom`]: raise [`Config::option_space`](crate::Config::option_space), or, over IPv4 below 108 octets, the MTU.
    pub fn within(authenticator: A, config: &Config, path: Path) -> Result<Self, NoRoom> {
        Room::of(config, path).check(authenticator.space())?;
        Ok(Self { reserved: config.option_space(), ..Self::new(authenticator) })
    }

    /// The header of a packet that leaves, signed; the text follows it. With [`Fill::ByHardware`], the device completes the
    /// checksum. A reset of which not both initial sequence numbers are known leaves without signature: no key can be derived for
    /// it (RFC 5925 §7.7).
    ///
    /// ```
    /// use segue::auth::{Association, Authenticator};
    /// use segue::codec::{EncodeError, Fill, Flow};
    /// use segue::{Action, Segment};
    /// fn leaves(keys: &mut Association<impl Authenticator>, flow: &Flow, segment: Segment) -> Result<Vec<u8>, EncodeError> {
    ///     let packet = flow.packet(segment);
    ///     let header = keys.header(flow.pseudo(), &packet, Fill::Now(flow.pseudo()))?;
    ///     Ok([header.as_slice(), &packet.segment.payload].concat())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Header::new`]; also [`EncodeError::NotSplit`] with [`Fill::ByHardware`], since each segment has a signature of its
    /// own: [`codec::split_packet`](crate::codec::split_packet) it. [`EncodeError::NoRoom`] where the connection has left less room
    /// than the signature takes, and [`EncodeError::UnknownConnection`] for a segment other than a reset of which not both
    /// initial sequence numbers are known: nothing leaves without the signature that it needs.
    pub fn header(&mut self, addresses: PseudoHeader, packet: &Packet, fill: Fill) -> Result<Header, EncodeError> {
        self.header_in(None, addresses, packet, fill)
    }

    /// [`header`](Self::header) of a connection that leaves this room, where the host knows it.
    pub(crate) fn header_in(
        &mut self,
        room: Option<Room>,
        addresses: PseudoHeader,
        packet: &Packet,
        fill: Fill,
    ) -> Result<Header, EncodeError> {
        let segment = &packet.segment;
        let (space, syn) = (self.authenticator.space(), segment.flags.contains(Flags::SYN));
        if let Some(room) = room {
            self.reserved = room.octets(); // what leaves when the connection is over has no more
        }
        if syn || self.numbers(segment).is_some() {
            room.unwrap_or(Room::reserved(self.reserved)).check(space)?;
        }
        if syn {
            self.begin(segment);
        }
        let Some((isns, sne)) = self.numbers(segment).filter(|_| space > 0) else {
            return if space == 0 || segment.flags.contains(Flags::RST) {
                Header::new(packet, fill)
            } else {
                Err(EncodeError::UnknownConnection)
            };
        };
        let authenticator = &mut self.authenticator;
        let header = Header::signed(packet, fill, space, |header, place, option| {
            authenticator.sign(&Covered { addresses, header, place, text: &segment.payload, isns, sne }, option);
        })?;
        self.sent(segment);
        Ok(header)
    }

    /// Signs a segment that leaves in octets, for hosts that encode by themselves: it has an option of a signature already, in
    /// its place and of the length that the [authenticator](Authenticator::space) wants; its content is replaced, and the
    /// checksum, too. Returns whether the segment was signed: not if there is no such option, or if not both initial sequence
    /// numbers are known.
    ///
    /// ```
    /// use segue::auth::{Association, Authenticator, Rejected};
    /// use segue::codec::Flow;
    /// /// A segment of an encoder that has put an empty option of 16 octets into it.
    /// fn leaves(keys: &mut Association<impl Authenticator>, flow: &Flow, octets: &mut [u8]) -> Result<(), Rejected> {
    ///     let signed = keys.sign_octets(flow.pseudo(), octets)?;
    ///     assert!(signed, "no such option, or a reset without a connection");
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// What [`decode`](crate::codec::decode) says of the octets.
    pub fn sign_octets(&mut self, addresses: PseudoHeader, octets: &mut [u8]) -> Result<bool, Rejected> {
        let (packet, area) = decode_raw(Bytes::copy_from_slice(octets), Verify::ByHardware)?;
        let place = locate(area.as_slice())?.map(|place| FIXED + place.start..FIXED + place.end);
        let segment = &packet.segment;
        if segment.flags.contains(Flags::SYN) {
            self.begin(segment);
        }
        let space = usize::from(self.authenticator.space());
        let (Some(place), Some((isns, sne))) = (place.filter(|place| place.len() == space), self.numbers(segment))
        else {
            return Ok(false);
        };
        let mut option = [0; Options::MAX_WIRE_LEN];
        let option = option.get_mut(..space).unwrap_or(&mut []);
        put(octets, place.clone(), option);
        put(octets, CHECKSUM, &[0, 0]);
        let (header, text) = octets.split_at(octets.len().min(FIXED + area.as_slice().len()));
        self.authenticator.sign(&Covered { addresses, header, place: place.clone(), text, isns, sne }, option);
        put(octets, place, option);
        let len = octets.len();
        let sum = checksum(addresses, octets).ok_or(DecodeError::TooLong { len, max: addresses.max_len() })?;
        put(octets, CHECKSUM, &sum.to_be_bytes());
        self.sent(segment);
        Ok(true)
    }

    /// The initial sequence numbers, ours first, and the extension of a segment that leaves; none if they are not known.
    fn numbers(&self, segment: &Segment) -> Option<((SeqNum, SeqNum), u32)> {
        let opens = segment.flags.intersection(Flags::SYN | Flags::ACK) == Flags::SYN;
        let peer = if opens { SeqNum::new(0) } else { self.theirs?.isn() };
        let ours = self.ours?;
        Some(((ours.isn(), peer), ours.sne(segment.seq)))
    }

    fn sent(&mut self, segment: &Segment) {
        if let Some(ours) = &mut self.ours {
            ours.note(segment.seq);
        }
    }

    /// The packet in these octets, which are the whole payload of an IP packet, if its signature is right.
    /// [`codec::decode`](crate::codec::decode) says what is not in them.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use segue::auth::{Association, Authenticator, Rejected};
    /// use segue::codec::{Flow, Verify};
    /// use segue::{Action, Connection, Instant};
    /// fn comes(
    ///     keys: &mut Association<impl Authenticator>,
    ///     connection: &mut Connection,
    ///     (flow, octets): (&Flow, Bytes),
    ///     now: Instant,
    /// ) -> Result<Vec<Action>, Rejected> {
    ///     let from = flow.pseudo().reversed();
    ///     let packet = keys.decode(from, octets, Verify::Now(from))?; // else nothing happens
    ///     Ok(connection.handle_segment(packet.segment, now))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Throw the octets away without an answer. Nothing has changed.
    pub fn decode(&mut self, addresses: PseudoHeader, octets: Bytes, verify: Verify) -> Result<Packet, Rejected> {
        let (packet, area) = decode_raw(octets.clone(), verify)?; // the checksum first (RFC 5925 §7.3)
        let place = locate(area.as_slice())?.ok_or(Refusal::Missing)?;
        let (header, text) = octets.split_at(octets.len().min(FIXED + area.as_slice().len()));
        let place = FIXED + place.start..FIXED + place.end;
        self.judge(addresses, (header, place, text), &packet.segment)?;
        Ok(packet)
    }

    fn judge(
        &mut self,
        addresses: PseudoHeader,
        (header, place, text): (&[u8], Range<usize>, &[u8]),
        segment: &Segment,
    ) -> Result<(), Refusal> {
        let syn = segment.flags.contains(Flags::SYN);
        let ack = segment.flags.contains(Flags::ACK);
        if syn && !ack {
            // It is for a connection that does not exist yet: our SYN,ACK makes it one.
            let isns = (segment.seq, SeqNum::new(0));
            return self.authenticator.verify(&Covered { addresses, header, place, text, isns, sne: 0 });
        }
        let mut theirs = match self.theirs {
            Some(theirs) => theirs,
            None if syn => Extension::new(segment.seq),
            None if ack && self.ours.is_none() => Extension::new(segment.seq - 1), // it answers a SYN cookie, if it is right
            None => return Err(Refusal::UnknownConnection),
        };
        let ours = match self.ours {
            // Of several SYN,ACKs with cookies, the peer takes any.
            Some(ours) if self.confirmed || syn || !ack || ours.isn() == segment.ack - 1 => ours,
            Some(_) | None if ack => Extension::new(segment.ack - 1),
            Some(ours) => ours,
            None => return Err(Refusal::UnknownConnection),
        };
        let (isns, sne) = ((theirs.isn(), ours.isn()), theirs.sne(segment.seq));
        self.authenticator.verify(&Covered { addresses, header, place, text, isns, sne })?;
        theirs.note(segment.seq);
        (self.ours, self.theirs, self.confirmed) = (Some(ours), Some(theirs), true);
        Ok(())
    }
}
