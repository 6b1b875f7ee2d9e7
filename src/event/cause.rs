//! Why a state led to another, and by which clause: what a diagram of a connection tells beside its segments.

use core::{fmt, slice};

use super::{CloseReason, Discard, Event, State};
use crate::{Flags, Segment};

/// A reason in words, and the clause that it comes from.
///
/// ```
/// use segue::{Cause, Event, State};
/// let Cause { words, clause } = Event::Abort.cause(State::Established, State::Closed).expect("it leads there");
/// assert!(!words.is_empty() && clause.contains("RFC 9293"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cause {
    /// The reason.
    pub words: &'static str,
    /// The clause.
    pub clause: &'static str,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.words, self.clause)
    }
}

const fn cause(words: &'static str, clause: &'static str) -> Cause {
    Cause { words, clause }
}

impl Event {
    /// Why this event led from one state to another; `None` if the two are the same, or no event of this kind leads
    /// from the one to the other.
    ///
    /// ```
    /// use segue::{Event, Flags, Segment, State};
    /// let fin = Event::Segment(Segment { flags: Flags::FIN | Flags::ACK, ..Segment::default() });
    /// let cause = fin.cause(State::Established, State::CloseWait).unwrap();
    /// assert_eq!(cause.to_string(), "the peer closed: its FIN arrived (RFC 9293 §3.10.7.4 eighth)");
    /// ```
    pub fn cause(&self, from: State, to: State) -> Option<Cause> {
        if from == to {
            return None;
        }
        match self {
            Self::Segment(segment) => by_segments(slice::from_ref(segment), from, to),
            Self::Segments(segments) => by_segments(segments, from, to),
            Self::Batch(parts) => parts.iter().find_map(|part| part.cause(from, to)),
            Self::Timer(_) => by_timer(from, to),
            Self::Close | Self::Release => by_close(from, to),
            Self::Abort => (to == State::Closed).then(|| cause("the user aborted", "RFC 9293 §3.10.5")),
            Self::Icmp { .. } => {
                (to == State::Closed).then(|| cause("an ICMP error says that nobody answers", "RFC 9293 §3.9.2.2"))
            }
            Self::Send(_)
            | Self::SendMore(_)
            | Self::SendUrgent(_)
            | Self::Consume(_)
            | Self::Continue
            | Self::Set(_)
            | Self::Mtu(_)
            | Self::Rearm(_) => our_fin_leaves(from, to),
        }
    }
}

/// A FIN that waited behind text goes out.
fn our_fin_leaves(from: State, to: State) -> Option<Cause> {
    let leaves = from == State::CloseWait && to == State::LastAck;
    leaves.then(|| cause("our FIN goes out, after the text before it", "RFC 9293 §3.10.4"))
}

fn by_segments(segments: &[Segment], from: State, to: State) -> Option<Cause> {
    use State::{
        CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynReceived, SynSent, TimeWait,
    };
    let any = |flag| segments.iter().any(|segment| segment.flags.contains(flag));
    let (reset, fin) = (any(Flags::RST), any(Flags::FIN));
    Some(match (from, to) {
        (Listen, SynReceived) => cause("a SYN arrived, and we answer it", "RFC 9293 §3.10.7.2 third"),
        (SynSent, Established) => cause("the SYN,ACK acknowledges our SYN", "RFC 9293 §3.10.7.3 fourth"),
        (SynSent, SynReceived) => cause("a SYN crossed ours", "RFC 9293 §3.10.7.3 fourth"),
        (SynSent, Closed) if reset => {
            cause("the peer refused: a reset acknowledges our SYN", "RFC 9293 §3.10.7.3 second")
        }
        (SynReceived, Established) => cause("our SYN is acknowledged", "RFC 9293 §3.10.7.4 fifth"),
        (SynReceived, FinWait1) => cause("our SYN is acknowledged, and we have closed", "RFC 9293 §3.10.7.4 fifth"),
        (SynReceived, Listen) if reset => cause("a reset: back to LISTEN", "RFC 9293 §3.10.7.4 second"),
        (FinWait1, FinWait2) => cause("our FIN is acknowledged", "RFC 9293 §3.10.7.4 fifth"),
        (Closing, TimeWait) => cause("our FIN is acknowledged, too", "RFC 9293 §3.10.7.4 fifth"),
        (LastAck, Closed) if !reset => cause("our FIN is acknowledged: both have closed", "RFC 9293 §3.10.7.4 fifth"),
        (CloseWait, LastAck) => return our_fin_leaves(from, to),
        (Listen | SynSent | SynReceived | Established | FinWait1, CloseWait | Closing | TimeWait | LastAck)
        | (FinWait2, TimeWait)
            if fin =>
        {
            cause("the peer closed: its FIN arrived", "RFC 9293 §3.10.7.4 eighth")
        }
        // text out of order had a FIN behind it
        (SynSent | SynReceived | Established | FinWait1, CloseWait | Closing | TimeWait | LastAck)
        | (FinWait2, TimeWait) => cause("the gap before the peer's FIN is filled", "RFC 9293 §3.10.7.4 eighth"),
        (_, Closed) if reset => cause("the peer reset the connection", "RFC 9293 §3.10.7.4 second"),
        (_, Closed) => cause("the user was gone and left text unread: we reset", "RFC 9293 §3.6.1"),
        (Closed | Listen | SynSent | SynReceived | Established, _)
        | (FinWait1 | FinWait2 | CloseWait | Closing | LastAck | TimeWait, _) => return None,
    })
}

fn by_timer(from: State, to: State) -> Option<Cause> {
    Some(match (from, to) {
        (State::CloseWait, State::LastAck) => return our_fin_leaves(from, to),
        (State::TimeWait, State::Closed) => cause("2 MSL are over", "RFC 9293 §3.10.8"),
        (State::SynSent | State::SynReceived, State::Closed | State::Listen) => {
            cause("no answer to our SYN within R2", "RFC 9293 §3.8.3")
        }
        (State::FinWait2, State::Closed) => cause("the peer did not close in time", "RFC 9293 §3.6"),
        (State::Established | State::FinWait1 | State::CloseWait | State::Closing | State::LastAck, State::Closed) => {
            cause("the peer does not answer any more", "RFC 9293 §3.10.8")
        }
        (
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait,
            _,
        ) => return None,
    })
}

fn by_close(from: State, to: State) -> Option<Cause> {
    Some(match to {
        State::FinWait1 => cause("the user closed", "RFC 9293 §3.10.4"),
        State::LastAck => cause("the user closed, after the peer", "RFC 9293 §3.10.4"),
        State::Closed if !from.is_synchronized() => cause("the user closed before it opened", "RFC 9293 §3.10.4"),
        State::Closed => cause("the user was gone and left text unread: we reset", "RFC 9293 §3.6.1"),
        State::Listen
        | State::SynSent
        | State::SynReceived
        | State::Established
        | State::FinWait2
        | State::CloseWait
        | State::Closing
        | State::TimeWait => return None,
    })
}

impl Discard {
    /// The clause by which the connection discards.
    ///
    /// ```
    /// use segue::Discard;
    /// assert_eq!(Discard::Paws.clause(), "RFC 7323 §5.3");
    /// ```
    pub const fn clause(self) -> &'static str {
        match self {
            Self::NoConnection => "RFC 9293 §3.10.7.1",
            Self::NotSyn => "RFC 9293 §3.10.7.2 first, fourth",
            Self::AckInListen => "RFC 9293 §3.10.7.2 second",
            Self::NotArmed => "RFC 9293 §3.4.1: each incarnation has an ISS of its own",
            Self::SynFin => "Config::drop_syn_fin",
            Self::BadHandshakeAck => "RFC 9293 §3.10.7.3 first, §3.10.7.4 fifth",
            Self::BlindReset => "RFC 9293 §3.10.7.3 second",
            Self::OutOfWindow | Self::Duplicate | Self::ZeroWindow => "RFC 9293 §3.10.7.4 first",
            Self::ResetOutOfWindow | Self::ResetChallenged => "RFC 5961 §3.2",
            Self::SynChallenged => "RFC 5961 §4.2",
            Self::SynRepeated => "RFC 9293 §3.10.7.4 first",
            Self::NoAck => "RFC 9293 §3.10.7.4 fifth",
            Self::AckOutOfRange => "RFC 5961 §5.2",
            Self::Paws => "RFC 7323 §5.3",
            Self::MissingTimestamp => "RFC 7323 §3.2",
            Self::AfterFin => "RFC 9293 §3.10.7.4 seventh",
            Self::ReassemblyFull => "RFC 9293 §3.10.7.4 seventh; Config::max_ranges",
            Self::TimeWait => "RFC 1337 §3, RFC 9293 §3.10.7.4",
        }
    }
}

impl CloseReason {
    /// The clause by which the connection ended.
    ///
    /// ```
    /// use segue::CloseReason;
    /// assert_eq!(CloseReason::Aborted.clause(), "RFC 9293 §3.10.5");
    /// ```
    pub const fn clause(self) -> &'static str {
        match self {
            Self::Finished => "RFC 9293 §3.6",
            Self::Cancelled => "RFC 9293 §3.10.4",
            Self::Refused => "RFC 9293 §3.10.7.3 second",
            Self::Reset => "RFC 9293 §3.10.7.4 second",
            Self::Aborted => "RFC 9293 §3.10.5",
            Self::Unread => "RFC 9293 §3.6.1 (SHLD-3)",
            Self::ConnectTimeout => "RFC 9293 §3.8.3 (MUST-23)",
            Self::UserTimeout => "RFC 9293 §3.10.8 (MUST-20)",
            Self::KeepAliveTimeout => "RFC 9293 §3.8.4",
            Self::FinWait2Timeout => "RFC 9293 §3.6",
            Self::Unreachable(_) => "RFC 9293 §3.9.2.2 (SHLD-26)",
            Self::NotSyn => "RFC 9293 §3.10.7.2",
        }
    }
}
