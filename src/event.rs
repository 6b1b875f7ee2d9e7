//! Everything that can happen to a connection, everything it can ask for, and the reasons it gives.

mod icmp;
mod reason;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use crate::{Instant, Secrets, Segment, SeqNum};
pub use icmp::IcmpKind;
pub use reason::{CloseReason, Discard, Error, Report};

/// A state of RFC 9293 §3.3.2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
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
    pub const fn is_synchronized(self) -> bool {
        !matches!(self, Self::Closed | Self::Listen | Self::SynSent | Self::SynReceived)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The timers of a connection. When several are due at once they run in this order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum Timer {
    /// 2 MSL in TIME-WAIT (MUST-13).
    TimeWait,
    /// The limit of FIN-WAIT-2 after [`Event::Release`].
    FinWait2,
    /// R2 for SYNs and the user timeout (MUST-20..23). A retransmission or probe that is due earlier runs before it.
    UserTimeout,
    /// RACK's reordering timer: what is overdue by then is lost (RFC 8985 §6.2).
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
    /// The next segment may leave, where pacing holds it back.
    Pace,
    /// Takes up a burst that `max_burst` cut, should the host not send [`Event::Continue`].
    Continue,
    /// Nothing was queued or in flight for an RTO: memory kept for sending is given back.
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

/// A setting that can change while the connection lives; its first value comes from [`Config`](crate::Config).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum Knob {
    /// Nagle's algorithm (MUST-17).
    Nagle(bool),
    /// Cork: hold back what does not fill a segment, for at most the override timeout.
    Cork(bool),
    /// Keep-alives (MUST-24).
    KeepAlive(bool),
    /// The idle time before the first keep-alive (MUST-27); 1 s at the least. So long that no instant is later: never.
    KeepAliveIdle(Duration),
    /// The user timeout, R2 for data (MUST-21); 1 s at the least, and not before one retransmission has timed out. `None`:
    /// never.
    UserTimeout(Option<Duration>),
}

/// Everything that changes a connection. A run is the list of its events with their times.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum Event {
    /// SEGMENT ARRIVES.
    Segment(Segment),
    /// SEGMENT ARRIVES for several that came together: all are processed before anything is sent, and they share
    /// acknowledgments (MUST-58, MUST-59).
    Segments(Vec<Segment>),
    /// A timer fired. All timers due by now run; if none is due, nothing happens.
    Timer(Timer),
    /// SEND with the PUSH flag. Fails, changing nothing, unless all of it fits [`send_room`](crate::Connection::send_room);
    /// [`Connection::send`](crate::Connection::send) takes what fits.
    Send(#[cfg_attr(feature = "arbitrary", arbitrary(with = crate::arbitrary_bytes))] Bytes),
    /// SEND without the PUSH flag: more will follow, which this text may wait for to fill a segment. The next
    /// [`Send`](Self::Send), also one without text, releases it, and so does the override timeout.
    SendMore(#[cfg_attr(feature = "arbitrary", arbitrary(with = crate::arbitrary_bytes))] Bytes),
    /// SEND with the URGENT flag: the urgent pointer is set to the octet after this text.
    SendUrgent(#[cfg_attr(feature = "arbitrary", arbitrary(with = crate::arbitrary_bytes))] Bytes),
    /// The user took so many delivered octets: RECEIVE's effect on the window. More than delivered counts as all.
    Consume(usize),
    /// CLOSE: no more to send. Receiving goes on.
    Close,
    /// The user is gone: CLOSE, and text that nobody will read is answered with a reset (SHLD-3).
    Release,
    /// ABORT.
    Abort,
    /// Take up a burst that `max_burst` cut; the answer to [`Action::MorePending`].
    Continue,
    /// Change a setting.
    Set(Knob),
    /// The MTU of the path is now so many octets, IP header included: a local fact, up or down. Less than the smallest
    /// MTU of the IP version counts as that.
    Mtu(u16),
    /// An ICMP error that quotes a segment of this connection.
    Icmp {
        /// What it says.
        kind: IcmpKind,
        /// The sequence number in the quoted TCP header: the proof that the sender saw our segment (RFC 5927 §4.1).
        quoted_seq: SeqNum,
        /// The next-hop MTU of [`IcmpKind::PacketTooBig`], 0 when the message names none; else 0.
        mtu: u16,
    },
    /// New secrets for a value that is back in LISTEN.
    Rearm(Secrets),
}

/// Everything a connection asks of its host. Each must be carried out, in order; see `docs/embedding.md`.
///
/// The actions of one call come in this order: [`Connected`](Self::Connected), [`Urgent`](Self::Urgent),
/// [`Deliver`](Self::Deliver), [`PeerClosed`](Self::PeerClosed), [`Acked`](Self::Acked), [`Writable`](Self::Writable),
/// [`Flushed`](Self::Flushed), [`Transmit`](Self::Transmit), [`MorePending`](Self::MorePending),
/// [`SetTimer`](Self::SetTimer), [`Closed`](Self::Closed). The others, and the answer to a segment that is discarded, come
/// where the decision falls.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send this segment. One that the host drops is packet loss, nothing worse.
    Transmit(Segment),
    /// The next text of the stream, in order, each octet once. Give it to the user; say `consume` when it is taken.
    Deliver(Bytes),
    /// The peer has urgent data: it ends so many octets after all that was delivered so far (MUST-32).
    Urgent {
        /// Octets from the next `Deliver` to the octet after the urgent data.
        ahead: u32,
    },
    /// Call `handle_timer` with this timer at this time: the earliest deadline. A connection needs one wake-up of its host, and
    /// this replaces the one before. It is given only when the time is earlier than what was told before, or after
    /// [`Event::Timer`]; a deadline that moved later or went away costs a call that does nothing but name the next.
    SetTimer(Timer, Instant),
    /// The connection is established.
    Connected,
    /// So many more octets of our text are acknowledged.
    Acked(usize),
    /// The send buffer was full and has room again, for [`Config::send_low_water`](crate::Config::send_low_water) octets.
    Writable,
    /// All text sent so far is acknowledged, and our FIN if we closed.
    Flushed,
    /// The peer closed: no more text will come (MUST-12).
    PeerClosed,
    /// `max_burst` cut the transmission: send [`Event::Continue`] when there is room below.
    MorePending,
    /// A `listen` value was reset in the handshake and waits for [`Event::Rearm`].
    ReturnedToListen,
    /// In TIME-WAIT a SYN came that may open the next incarnation (RFC 6191): the host may drop this value and `accept`
    /// the SYN with an ISS after `iss_after`.
    Successor {
        /// The SYN.
        syn: Box<Segment>,
        /// The last number this incarnation used; the next ISS must come after it (MAY-2).
        iss_after: SeqNum,
    },
    /// Something the user may want to know; the connection goes on (RFC 9293 §3.9.1.8).
    Report(Report),
    /// A segment, or all the text of one, was thrown away, and why. Parts that are cut off at the edges of the window,
    /// where the rest is used, are counted in [`Counters::octets_trimmed`](crate::Counters::octets_trimmed).
    Discarded(Discard),
    /// The connection is over, and why: the last action, once. Forget its wake-up.
    Closed(CloseReason),
}

// What comes in and what goes out is no larger than the segment in it.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Event>() <= 72 && size_of::<Action>() <= 72);

/// Where actions go: a `Vec<Action>`, or any `FnMut(Action)`.
pub trait Sink {
    /// Takes one action.
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
