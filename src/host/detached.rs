//! A connection between two endpoints.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::fmt;

use bytes::Bytes;

use super::flow::Flow;
use super::signal::{OpenError, Pending};
use crate::{Algorithm, Connection, Controller, State};

/// A live connection without an endpoint: the connection, its flow, and the text that its user has not read.
///
/// [`Endpoint::detach`](super::Endpoint::detach) gives it out, [`Endpoint::attach`](super::Endpoint::attach) takes it, in
/// the same program or in another one: with the feature `serde` it is data. [`new`](Self::new) and
/// [`into_parts`](Self::into_parts) join it to a host with a table of its own.
///
/// ```
/// use bytes::Bytes;
/// use segue::host::{Detached, Endpoint, Flow, Id};
/// use segue::{Connection, Instant};
///
/// /// From a host with a table of its own to an endpoint. `None`: it cannot move yet, or there is no room.
/// fn hand_over(tcp: &mut Endpoint, flow: Flow, connection: Connection, unread: Vec<Bytes>, now: Instant) -> Option<Id> {
///     let detached = Detached::new(flow, connection, unread)?;
///     println!("{} moves, with {} octets to read", detached.flow(), detached.unread());
///     tcp.attach(detached, now).ok()
/// }
/// ```
///
/// The handshake of its connection is complete: only such a connection moves. The value holds the secrets and the text of
/// the connection: keep it as safe as the memory that it comes from, and read none that you did not write. It can be
/// cloned; but only one copy may talk to the network.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "serial::Unchecked<C>"))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "C: serde::Deserialize<'de>")))]
pub struct Detached<C: Controller = Algorithm> {
    /// First in its data, for its version.
    pub(super) connection: Box<Connection<C>>,
    pub(super) flow: Flow,
    #[cfg_attr(feature = "serde", serde(serialize_with = "serial::pieces::serialize"))]
    pub(super) unread: VecDeque<Bytes>,
    pub(super) waits: Waits,
}

/// What its user was not told, and what it waits for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub(super) struct Waits {
    pub(super) pending: Pending,
    /// Octets that it wants to hear of; 0 as 1.
    pub(super) low_water: usize,
    pub(super) flushed: Option<usize>,
    /// Room in the send buffer, and in the budget.
    pub(super) room: bool,
    pub(super) budget: bool,
}

impl<C: Controller> Detached<C> {
    /// A connection of a host with a table of its own. `unread`: what was delivered and not consumed. `None`: the
    /// handshake is not complete, or the connection is over.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut server] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # let listener = server.listen(Listen::port(7))?;
    /// # let peer = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
    /// # for _ in 0..2 {
    /// #     client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// #     server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// # }
    /// # let id = server.accept(listener).expect("a connection");
    /// # let (flow, connection, _) = server.detach(id, now)?.into_parts();
    /// use segue::host::Detached;
    /// let unread = ["GET ".into(), "/\n".into()]; // what its user has not read
    /// let detached = Detached::new(flow, connection, unread).expect("it is established");
    /// assert_eq!(detached.unread(), 6);
    /// let id = server.attach(detached, now)?;
    /// assert_eq!(server.socket(id, now)?.readable(), 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(flow: Flow, connection: Connection<C>, unread: impl IntoIterator<Item = Bytes>) -> Option<Self> {
        let unread = unread.into_iter().filter(|text| !text.is_empty()).collect();
        let is_live = connection.state().is_synchronized();
        is_live.then(|| Self { connection: Box::new(connection), flow, unread, waits: Waits::default() })
    }

    /// The flow, the connection, and what was delivered and not consumed, in order.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut server] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # let listener = server.listen(Listen::port(7))?;
    /// # let peer = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
    /// # for _ in 0..2 {
    /// #     client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// #     server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// # }
    /// # client.socket(peer, now)?.write(b"GET /\n")?;
    /// # client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// # let id = server.accept(listener).expect("a connection");
    /// use segue::State;
    /// let detached = server.detach(id, now)?;
    /// let (flow, connection, unread) = detached.into_parts();
    /// assert_eq!(flow.local().port(), 7);
    /// assert_eq!(connection.state(), State::Established);
    /// assert_eq!(unread.collect::<Vec<_>>(), ["GET /\n"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_parts(self) -> (Flow, Connection<C>, impl Iterator<Item = Bytes>) {
        (self.flow, *self.connection, self.unread.into_iter())
    }

    /// The addresses and ports.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut server] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # let listener = server.listen(Listen::port(7))?;
    /// # let peer = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
    /// # for _ in 0..2 {
    /// #     client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// #     server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// # }
    /// # let id = server.accept(listener).expect("a connection");
    /// let detached = server.detach(id, now)?;
    /// let moving = detached.flow(); // drop its packets until it is attached
    /// assert_eq!(moving.local(), "192.0.2.1:7".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn flow(&self) -> Flow {
        self.flow
    }

    /// The connection.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut server] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # let listener = server.listen(Listen::port(7))?;
    /// # let peer = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
    /// # for _ in 0..2 {
    /// #     client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// #     server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// # }
    /// # let id = server.accept(listener).expect("a connection");
    /// use segue::State;
    /// let detached = server.detach(id, now)?;
    /// assert_eq!(detached.connection().state(), State::Established);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn connection(&self) -> &Connection<C> {
        &self.connection
    }

    /// Octets that were delivered and not read.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// # let now = Instant::ZERO;
    /// # let [mut client, mut server] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// # let listener = server.listen(Listen::port(7))?;
    /// # let peer = client.connect("198.51.100.7".parse()?, "192.0.2.1:7".parse()?, now)?;
    /// # for _ in 0..2 {
    /// #     client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// #     server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// # }
    /// # client.socket(peer, now)?.write(b"GET /\n")?;
    /// # client.flush(now, |ends, packet| drop(server.receive(ends, packet, now)));
    /// # let id = server.accept(listener).expect("a connection");
    /// assert_eq!(server.socket(id, now)?.readable(), 6);
    /// let detached = server.detach(id, now)?;
    /// assert_eq!(detached.unread(), 6); // it goes with the connection
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unread(&self) -> usize {
        self.unread.iter().map(Bytes::len).sum()
    }

    /// Whether the peer's FIN has arrived, behind all its text.
    pub(super) fn peer_closed(&self) -> bool {
        match self.connection.state() {
            State::CloseWait | State::Closing | State::LastAck | State::TimeWait => true,
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2 => false,
        }
    }
}

/// Why [`Endpoint::detach`](super::Endpoint::detach) gave nothing out. Nothing else has changed, but the connection may have flushed.
///
/// ```
/// use segue::Instant;
/// use segue::host::{DetachError, Endpoint, EndpointConfig, Keys};
///
/// let mut tcp = Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default());
/// let now = Instant::ZERO;
/// let id = tcp.connect("192.0.2.1".parse()?, "198.51.100.7:80".parse()?, now)?;
/// assert_eq!(tcp.detach(id, now), Err(DetachError::HalfOpen)); // nobody has answered the SYN
/// tcp.socket(id, now)?.abort();
/// assert_eq!(tcp.detach(id, now), Err(DetachError::Gone));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DetachError {
    /// The id is not valid, or its user has released the connection, which goes on alone. One in TIME-WAIT whose text was
    /// read has no id either: it stays where it is.
    Gone,
    /// The handshake is not complete, or a gate holds the SYN: wait for the connection, or abort it. The peer repeats
    /// its SYN.
    HalfOpen,
    /// The connection is over; what waits can still be read, and `Signal::Closed` tells the reason.
    Over,
}

impl fmt::Display for DetachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "there is no such connection of a user",
            Self::HalfOpen => "the handshake is not complete: only an established connection moves",
            Self::Over => "the connection is over",
        })
    }
}

impl core::error::Error for DetachError {}

/// [`Endpoint::attach`](super::Endpoint::attach) did not take the connection; here it is again.
///
/// ```
/// use segue::Instant;
/// use segue::host::{AttachError, Detached, Endpoint, OpenError};
///
/// /// Back to the endpoint that it came from, if there is no room elsewhere.
/// fn try_to_move(detached: Detached, to: &mut Endpoint, from: &mut Endpoint, now: Instant) -> Result<(), AttachError> {
///     match to.attach(detached, now) {
///         Err(AttachError { reason: OpenError::Full, detached }) => from.attach(*detached, now).map(drop),
///         other => other.map(drop),
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttachError<C: Controller = Algorithm> {
    /// [`OpenError::InUse`] or [`OpenError::Full`].
    pub reason: OpenError,
    /// The connection, as it was.
    pub detached: Box<Detached<C>>,
}

impl<C: Controller> fmt::Display for AttachError<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.detached.flow, self.reason)
    }
}

impl<C: Controller + fmt::Debug> core::error::Error for AttachError<C> {}

#[cfg(feature = "serde")]
mod serial {
    use alloc::boxed::Box;
    use alloc::collections::VecDeque;

    use bytes::Bytes;
    use serde::Deserialize;

    use super::{Detached, Flow, Waits};
    use crate::{Connection, Controller};

    /// What may be no connection that moves.
    #[derive(Deserialize)]
    #[serde(rename = "Detached", deny_unknown_fields, bound(deserialize = "C: Deserialize<'de>"))]
    pub(super) struct Unchecked<C: Controller> {
        connection: Box<Connection<C>>,
        flow: Flow,
        #[serde(deserialize_with = "pieces::deserialize")]
        unread: VecDeque<Bytes>,
        waits: Waits,
    }

    impl<C: Controller> TryFrom<Unchecked<C>> for Detached<C> {
        type Error = &'static str;

        fn try_from(read: Unchecked<C>) -> Result<Self, Self::Error> {
            let Unchecked { connection, flow, unread, waits } = read;
            let detached = Self::new(flow, *connection, unread).ok_or("the handshake is not complete")?;
            Ok(Self { waits, ..detached })
        }
    }

    /// Text in pieces.
    pub(super) mod pieces {
        use alloc::collections::VecDeque;

        use bytes::Bytes;
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        struct Piece(#[serde(with = "crate::segment::serial::octets")] Bytes);

        pub(in super::super) fn serialize<S: Serializer>(list: &VecDeque<Bytes>, to: S) -> Result<S::Ok, S::Error> {
            to.collect_seq(list.iter().cloned().map(Piece))
        }

        pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<VecDeque<Bytes>, D::Error> {
            let list = VecDeque::<Piece>::deserialize(from)?;
            Ok(list.into_iter().map(|Piece(text)| text).collect())
        }
    }
}
