//! Everything that can happen to a connection, everything it can ask for, and the reasons it gives.

mod cause;
mod icmp;
mod reason;
#[cfg(feature = "serde")]
mod serial;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::{Instant, Knob, Secrets, Segment, SeqNum};
pub use cause::Cause;
pub use icmp::IcmpKind;
#[cfg(feature = "fast-open")]
pub use reason::FastOpenRefusal;
pub use reason::{CloseReason, Discard, Error, Report};

/// A state of RFC 9293 §3.3.2.
///
/// ```
/// use segue::State;
/// assert_eq!(State::FinWait1.name(), "FIN-WAIT-1");
/// assert!(State::Established.is_synchronized() && !State::SynSent.is_synchronized());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum State {
    /// No connection.
    Closed,
    /// Waiting for a SYN.
    Listen,
    /// Our SYN is out.
    SynSent,
    /// Both SYNs are out, ours is not acknowledged.
    SynReceived,
    /// Data flows both ways.
    Established,
    /// We closed; our FIN is not acknowledged.
    FinWait1,
    /// We closed and our FIN is acknowledged; the peer may still send.
    FinWait2,
    /// The peer closed; we may still send.
    CloseWait,
    /// Both closed at once; our FIN is not acknowledged.
    Closing,
    /// The peer closed, then we; our FIN is not acknowledged.
    LastAck,
    /// Both closed; waiting 2 MSL.
    TimeWait,
}

impl State {
    /// The eleven states.
    pub const ALL: [Self; 11] = [
        Self::Closed,
        Self::Listen,
        Self::SynSent,
        Self::SynReceived,
        Self::Established,
        Self::FinWait1,
        Self::FinWait2,
        Self::CloseWait,
        Self::Closing,
        Self::LastAck,
        Self::TimeWait,
    ];

    /// The RFC's name, such as `FIN-WAIT-1`.
    ///
    /// ```
    /// use segue::State;
    /// assert_eq!(State::TimeWait.name(), "TIME-WAIT");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::Listen => "LISTEN",
            Self::SynSent => "SYN-SENT",
            Self::SynReceived => "SYN-RECEIVED",
            Self::Established => "ESTABLISHED",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::CloseWait => "CLOSE-WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST-ACK",
            Self::TimeWait => "TIME-WAIT",
        }
    }

    /// Whether both SYNs are acknowledged: ESTABLISHED and all states after it.
    ///
    /// ```
    /// use segue::State;
    /// assert!(State::Established.is_synchronized() && State::TimeWait.is_synchronized());
    /// assert!(!State::SynReceived.is_synchronized());
    /// ```
    pub const fn is_synchronized(self) -> bool {
        !matches!(self, Self::Closed | Self::Listen | Self::SynSent | Self::SynReceived)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The timers of a connection. Timers that are due at once run in this order.
///
/// ```
/// use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum, Timer};
/// # let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
/// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 0 };
/// let (tcp, _) = Connection::connect(config, path, secrets, Instant::ZERO);
/// assert_eq!(tcp.next_deadline(), Some((Timer::Retransmit, Instant::from_secs(1)))); // of the SYN
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Timer {
    /// 2 MSL in TIME-WAIT (MUST-13).
    TimeWait,
    /// The limit of FIN-WAIT-2 after [`Event::Release`].
    FinWait2,
    /// R2 for SYNs and the user timeout (MUST-20..23). A retransmission or probe that is due earlier runs before it.
    UserTimeout,
    /// RACK's reordering timer: it marks overdue segments as lost (RFC 8985 §6.2).
    Reorder,
    /// The tail-loss probe (RFC 8985 §7.2). Never due later than `Retransmit`.
    TailLossProbe,
    /// The retransmission timeout (RFC 6298).
    Retransmit,
    /// The next zero-window probe (RFC 9293 §3.8.6.1).
    Persist,
    /// The override timeout of silly-window avoidance, and the limit of a cork (RFC 9293 §3.8.6.2.1).
    Override,
    /// The next keep-alive probe (RFC 9293 §3.8.4).
    KeepAlive,
    /// A delayed acknowledgment (RFC 9293 §3.8.6.3).
    DelayedAck,
    /// Pacing releases the next segment.
    Pace,
    /// Continues a burst that `max_burst` cut, in case the host does not send [`Event::Continue`].
    Continue,
    /// Gives the memory for sending back after an RTO with nothing queued or in flight.
    Idle,
}

impl Timer {
    /// All timers, in the order in which due ones run.
    pub const ALL: [Self; 13] = [
        Self::TimeWait,
        Self::FinWait2,
        Self::UserTimeout,
        Self::Reorder,
        Self::TailLossProbe,
        Self::Retransmit,
        Self::Persist,
        Self::Override,
        Self::KeepAlive,
        Self::DelayedAck,
        Self::Pace,
        Self::Continue,
        Self::Idle,
    ];
}

/// The usual name, such as `retransmission timeout`.
impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::TimeWait => "TIME-WAIT",
            Self::FinWait2 => "FIN-WAIT-2 timeout",
            Self::UserTimeout => "user timeout",
            Self::Reorder => "reordering timer",
            Self::TailLossProbe => "tail-loss probe",
            Self::Retransmit => "retransmission timeout",
            Self::Persist => "zero-window probe",
            Self::Override => "override timeout",
            Self::KeepAlive => "keep-alive",
            Self::DelayedAck => "delayed ACK",
            Self::Pace => "pacing",
            Self::Continue => "rest of a burst",
            Self::Idle => "idle",
        })
    }
}

/// Everything that changes a connection, but for [`Connection::replace_controller`](crate::Connection::replace_controller), whose
/// value is of the connection's own type. A run is the list of both with their times, which a `journal` holds (feature `serde`).
///
/// ```
/// use segue::{Action, Arc, Config, Connection, Event, Instant, Path, Secrets, SeqNum};
/// # let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
/// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 0 };
/// let (mut tcp, mut actions) = Connection::connect(config, path, secrets, Instant::ZERO);
/// tcp.handle(Event::Send("GET /".into()), Instant::ZERO, &mut actions)?; // it waits for the handshake
/// tcp.handle(Event::Abort, Instant::from_secs(1), &mut actions)?;
/// assert!(matches!(actions.last(), Some(Action::Closed(_))));
/// # Ok::<(), segue::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Event {
    /// SEGMENT ARRIVES.
    Segment(Segment),
    /// SEGMENT ARRIVES for several segments that arrived together: the connection processes all of them before it sends
    /// anything, and they share acknowledgments (MUST-58, MUST-59).
    Segments(Vec<Segment>),
    /// Several events of one time with one flush at their end: what they owe leaves together.
    /// [`Connection::batch`](crate::Connection::batch) makes one. Each part acts in its turn; a call that cannot
    /// proceed then is left out, so a batch never fails. A [`Timer`](Self::Timer) that is not the first part runs after
    /// the flush, if it is still due: the parts before it may have stopped it. A batch that is a part of another acts as its
    /// parts would; with the feature `serde` it is written, and refused when it is read.
    Batch(#[cfg_attr(feature = "serde", serde(deserialize_with = "serial::parts"))] Vec<Self>),
    /// A timer fired. All due timers run; if none is due, nothing happens.
    Timer(Timer),
    /// SEND with the PUSH flag. Fails, changing nothing, unless all of it fits
    /// [`send_room`](crate::Connection::send_room); [`Connection::send`](crate::Connection::send) takes what fits.
    Send(
        #[cfg_attr(feature = "arbitrary", arbitrary(with = crate::arbitrary_bytes))]
        #[cfg_attr(feature = "serde", serde(with = "crate::segment::serial::octets"))]
        Bytes,
    ),
    /// SEND without the PUSH flag: more data will follow, and this data may wait for it to fill a segment. The next
    /// [`Send`](Self::Send), even an empty one, releases it, and so does the override timeout.
    SendMore(
        #[cfg_attr(feature = "arbitrary", arbitrary(with = crate::arbitrary_bytes))]
        #[cfg_attr(feature = "serde", serde(with = "crate::segment::serial::octets"))]
        Bytes,
    ),
    /// SEND with the URGENT flag: the urgent pointer points to the octet after this data.
    SendUrgent(
        #[cfg_attr(feature = "arbitrary", arbitrary(with = crate::arbitrary_bytes))]
        #[cfg_attr(feature = "serde", serde(with = "crate::segment::serial::octets"))]
        Bytes,
    ),
    /// The user took this number of delivered octets: RECEIVE's effect on the receive window. A larger number counts as
    /// all of them.
    Consume(usize),
    /// CLOSE: the user has no more data to send. Receiving goes on.
    Close,
    /// The user is gone: CLOSE, and a reset in answer to data that nobody will read (SHLD-3).
    Release,
    /// ABORT.
    Abort,
    /// Continue a burst that `max_burst` cut; the answer to [`Action::MorePending`].
    Continue,
    /// Change a setting. Fails, changing nothing, where the value is out of its range or contradicts another setting.
    Set(Knob),
    /// The new MTU of the path in octets, IP header included, larger or smaller: a fact that the host knows. A number
    /// below the smallest MTU of the IP version counts as that MTU.
    Mtu(u16),
    /// An ICMP error that quotes a segment of this connection.
    Icmp {
        /// The kind of the error.
        kind: IcmpKind,
        /// The sequence number in the quoted TCP header: the proof that the sender saw our segment (RFC 5927 §4.1).
        quoted_seq: SeqNum,
        /// The next-hop MTU of [`IcmpKind::PacketTooBig`], 0 when the message names none; else 0.
        mtu: u16,
    },
    /// New secrets for a value that is back in LISTEN.
    Rearm(Secrets),
}

/// Everything a connection asks of its host. The host carries out the actions in order; see `docs/embedding.md`.
///
/// The actions of one call come in this order: [`Connected`](Self::Connected), [`Urgent`](Self::Urgent),
/// [`Deliver`](Self::Deliver), [`PeerClosed`](Self::PeerClosed), [`Acked`](Self::Acked), [`Writable`](Self::Writable),
/// [`Flushed`](Self::Flushed), [`Transmit`](Self::Transmit), [`MorePending`](Self::MorePending),
/// [`SetTimer`](Self::SetTimer), [`Closed`](Self::Closed). The others, and the answer to a discarded segment, come at
/// the point of the decision.
///
/// ```
/// use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
/// # let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
/// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 0 };
/// let (_, actions) = Connection::connect(config, path, secrets, Instant::ZERO);
/// for action in actions {
///     match action {
///         Action::Transmit(segment) => println!("to the device: {segment}"),
///         Action::SetTimer(timer, at) => println!("wake up at {at:?} for {timer:?}"),
///         other => println!("{other:?}"),
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Action {
    /// Send this segment. A host may drop it: that counts as packet loss.
    Transmit(Segment),
    /// The next payload of the stream, in order, each octet once. Give it to the user, and call `consume` when the user
    /// has taken it.
    Deliver(#[cfg_attr(feature = "serde", serde(with = "crate::segment::serial::octets"))] Bytes),
    /// The peer sent urgent data; it ends `ahead` octets after all data delivered so far (MUST-32).
    Urgent {
        /// Octets from the next `Deliver` to the octet after the urgent data.
        ahead: u32,
    },
    /// Call `handle_timer` with this timer at this time, the earliest deadline. A connection needs one wake-up of its
    /// host; this one replaces the previous one. The action comes only when the deadline is earlier than the known
    /// wake-up, or after [`Event::Timer`]. If the deadline moved later or went away, the call only announces the next
    /// one.
    SetTimer(Timer, Instant),
    /// The connection is established.
    Connected,
    /// The peer acknowledged this number of further octets of our data.
    Acked(usize),
    /// The send buffer was full and has room again, for [`Config::send_low_water`](crate::Config::send_low_water)
    /// octets.
    Writable,
    /// The peer has acknowledged all data sent so far, and our FIN if we closed.
    Flushed,
    /// The peer closed: no more data will come (MUST-12).
    PeerClosed,
    /// `max_burst` cut the transmission: send [`Event::Continue`] when the device has room.
    MorePending,
    /// The peer reset a `listen` value in the handshake; the value waits for [`Event::Rearm`].
    ReturnedToListen,
    /// In TIME-WAIT, a SYN arrived that may open the next incarnation (RFC 6191): the host may drop this value and
    /// `accept` the SYN with an ISS after `iss_after`.
    Successor {
        /// The SYN.
        syn: Box<Segment>,
        /// The last number this incarnation used; the next ISS must come after it (MAY-2).
        iss_after: SeqNum,
    },
    /// Something the user may want to know; the connection goes on (RFC 9293 §3.9.1.8).
    Report(Report),
    /// The connection discarded a segment, or the whole payload of one, for this reason. If it trims a segment to the
    /// window and uses the rest, it counts in [`Counters::octets_trimmed`](crate::Counters::octets_trimmed) instead.
    Discarded(Discard),
    /// The connection ended for this reason: the last action, once. Forget its wake-up.
    Closed(CloseReason),
}

// What comes in and what goes out is no larger than the segment in it.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Event>() <= 72 && size_of::<Action>() <= 72);

/// Where actions go: a `Vec<Action>`, or any `FnMut(Action)`.
///
/// ```
/// use segue::{Action, Segment, Sink};
/// /// A device whose queue the actions go to.
/// struct Device(Vec<Segment>);
/// impl Sink for Device {
///     fn push(&mut self, action: Action) {
///         if let Action::Transmit(segment) = action {
///             self.0.push(segment);
///         }
///     }
/// }
/// let mut device = Device(Vec::new());
/// device.push(Action::Transmit(Segment::default()));
/// assert_eq!(device.0.len(), 1);
/// ```
pub trait Sink {
    /// Takes one action.
    ///
    /// ```
    /// use segue::{Action, Sink};
    /// let mut actions = Vec::new();
    /// Sink::push(&mut actions, Action::Connected);
    /// Sink::push(&mut |action: Action| actions.push(action), Action::PeerClosed); // a closure is a sink too
    /// assert_eq!(actions, [Action::Connected, Action::PeerClosed]);
    /// ```
    fn push(&mut self, action: Action);
}

impl Sink for Vec<Action> {
    fn push(&mut self, action: Action) {
        Self::push(self, action);
    }
}

impl<F: FnMut(Action)> Sink for F {
    fn push(&mut self, action: Action) {
        self(action);
    }
}
