//! What a tester speaks to.

use std::time::Duration;

use segue::{Flags, Segment, SeqNum, State};

use crate::word::{Call, Due};

/// The subject's initial number: its first text crosses the wrap.
pub const ISS: u32 = 0xFFFF_FFFC;
/// The subject's receive buffer; no text of a test fills it.
pub const RECEIVE_BUFFER: u32 = 60_000;

/// What a subject does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Out {
    Sent(Segment),
    /// Sent after a wait: a delayed acknowledgment.
    Later(Segment),
    /// Octets that the user gets.
    Delivered(usize),
    /// Octets of ours that are acknowledged.
    Acked(usize),
    Connected,
    PeerClosed,
    Flushed,
    /// The connection is over.
    Closed(String),
    BackToListen,
    /// The call failed.
    Refused(String),
    /// What only some subjects tell; dropped where they are compared with others.
    Aside(String),
}

/// A TCP with one connection at most.
pub trait Subject {
    /// The user opens a connection; there is none. `Call::Accept` comes with the SYN.
    fn open(&mut self, call: Call, syn: Option<&Segment>) -> Vec<Out>;
    /// Any other call.
    fn call(&mut self, call: Call) -> Vec<Out>;
    fn segment(&mut self, segment: &Segment) -> Vec<Out>;
    fn due(&mut self, due: Due) -> Vec<Out>;
    /// Time passes.
    fn pass(&mut self, time: Duration) -> Vec<Out>;
    /// The state, as RFC 9293 calls it, where the subject tells it.
    fn state(&self) -> Option<State>;
}

/// The number after all that a segment takes.
pub fn end(segment: &Segment) -> SeqNum {
    let fin = u32::from(segment.flags.contains(Flags::FIN));
    let syn = u32::from(segment.flags.contains(Flags::SYN));
    segment.seq + syn + u32::try_from(segment.payload.len()).expect("a short segment") + fin
}
