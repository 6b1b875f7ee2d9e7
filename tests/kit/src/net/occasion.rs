//! What a state changed for.

use bytes::Bytes;
use segue::{Cause, Event, IcmpKind, Segment, State};

use super::Input;

/// What a connection was told.
pub(super) enum Occasion {
    /// The constructors `connect` and `listen`.
    Open,
    /// The constructor `accept`.
    Accept,
    /// An event, as far as its cause depends on it: without text and options.
    Event(Event),
}

impl Occasion {
    pub(super) fn of(input: &Input) -> Self {
        Self::Event(match input {
            Input::Segment(segment) => Event::Segment(flags_of(segment)),
            Input::Segments(segments) => Event::Segments(segments.iter().map(flags_of).collect()),
            Input::Timer(timer) => Event::Timer(*timer),
            Input::Send(_) => Event::Send(Bytes::new()),
            Input::SendUrgent(_) => Event::SendUrgent(Bytes::new()),
            Input::Consume(octets) => Event::Consume(*octets),
            Input::Close => Event::Close,
            Input::Release => Event::Release,
            Input::Abort => Event::Abort,
            Input::Continue => Event::Continue,
            Input::Rearm(secrets) => Event::Rearm(*secrets),
            Input::TooBig { quoted_seq, mtu } => {
                Event::Icmp { kind: IcmpKind::PacketTooBig, quoted_seq: *quoted_seq, mtu: *mtu }
            }
            Input::Mtu(mtu) => Event::Mtu(*mtu),
            Input::Set(knob) => Event::Set(*knob),
        })
    }

    /// Why it led from one state to another.
    pub(super) fn cause(&self, from: State, to: State) -> Option<Cause> {
        match self {
            Self::Open => Some(Cause { words: "the user opened", clause: "RFC 9293 §3.10.1" }),
            Self::Accept => Event::Segment(Segment::default()).cause(State::Listen, State::SynReceived),
            Self::Event(event) => event.cause(from, to),
        }
    }
}

fn flags_of(segment: &Segment) -> Segment {
    Segment { flags: segment.flags, ..Segment::default() }
}
