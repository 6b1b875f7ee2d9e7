//! The dimensions of the second table: user calls and timeouts.

use core::fmt;

use super::cell::{Close, Dimension, Set, St, dimension};

dimension! {
    /// A user call, or a timer that fires. OPEN is a constructor.
    Call = "call" {
        /// `connect`
        OpenActive = "OPEN active",
        /// `listen`
        OpenPassive = "OPEN passive",
        /// `connect_fast_open` with a cookie and text.
        OpenText = "OPEN with text",
        /// `accept`: passive OPEN with the SYN at hand. Or `accept_fast_open` where the cookie is not valid.
        OpenSyn = "OPEN with SYN",
        /// `accept_fast_open` with the SYN at hand, with a valid cookie and with text or without.
        OpenCookie = "OPEN with cookie",
        /// The same, but the segment has an ACK and no RST.
        OpenAck = "OPEN with ACK",
        /// The same, but the segment has neither SYN nor ACK, or is a reset.
        OpenNoSyn = "OPEN with no SYN",
        /// Ten octets of text; nothing of ours is in flight.
        Send = "SEND",
        /// The same with the URGENT flag.
        SendUrgent = "SEND urgent",
        /// More text than there is room for.
        SendFull = "SEND no room",
        /// RECEIVE: the user takes all that was delivered.
        Consume = "CONSUME",
        /// No more to send.
        Close = "CLOSE",
        /// CLOSE by a user that will not read either.
        Release = "RELEASE",
        /// Send a reset where one is due, forget the rest.
        Abort = "ABORT",
        /// What state is it?
        Status = "STATUS",
        /// New secrets for a value that is back in LISTEN.
        Rearm = "REARM",
        /// 2 MSL are over.
        TimeWaitDue = "TIME-WAIT timeout",
        /// After RELEASE, the peer does not close.
        FinWait2Due = "FIN-WAIT-2 timeout",
        /// R2: what we sent was not acknowledged in time.
        UserTimeoutDue = "USER TIMEOUT",
        /// What we sent was not acknowledged within the RTO.
        RetransmitDue = "RETRANSMISSION timeout",
        /// The window is zero and something waits for it.
        PersistDue = "PERSIST timeout",
        /// Keep-alives are on and nothing was heard.
        KeepAliveDue = "KEEP-ALIVE timeout",
        /// An ACK is owed.
        DelayedAckDue = "DELAYED ACK timeout",
        /// Each timer in turn fires although it is not due.
        Early = "early timeout",
    }
}

impl Call {
    /// Whether it is a constructor.
    pub fn opens(self) -> bool {
        matches!(
            self,
            Self::OpenActive
                | Self::OpenPassive
                | Self::OpenText
                | Self::OpenSyn
                | Self::OpenCookie
                | Self::OpenAck
                | Self::OpenNoSyn
        )
    }
}

dimension! {
    /// Text was delivered and not consumed: so much that the window is zero.
    Unread = "unread" {
        /// No.
        No = "no",
        /// Yes.
        Yes = "yes",
    }
}

/// One cell of the second table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CallCell {
    pub call: Call,
    pub state: St,
    pub close: Close,
    pub unread: Unread,
}

impl CallCell {
    pub fn all() -> impl Iterator<Item = Self> {
        St::ALL.iter().flat_map(|&state| {
            [Close::No, Close::Queued].into_iter().flat_map(move |close| {
                Unread::ALL
                    .iter()
                    .flat_map(move |&unread| Call::ALL.iter().map(move |&call| Self { call, state, close, unread }))
            })
        })
    }
}

impl fmt::Display for CallCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, state, close, unread } = *self;
        write!(f, "{} in {} close={} unread={}", call.name(), state.name(), close.name(), unread.name())
    }
}

/// The left-hand side of a row of the second table.
#[derive(Clone, Debug)]
pub struct CallPattern {
    pub call: Set<Call>,
    pub state: Set<St>,
    pub close: Set<Close>,
    pub unread: Set<Unread>,
}

impl CallPattern {
    pub fn matches(&self, cell: &CallCell) -> bool {
        self.call.has(cell.call)
            && self.state.has(cell.state)
            && self.close.has(cell.close)
            && self.unread.has(cell.unread)
    }
}
