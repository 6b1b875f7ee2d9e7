//! "May I send?": the one place that answers it, for transmission and for the timers.

use super::{Fin, Sender};
use crate::{Controller, SeqNum};

/// What outside of SND.* decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    /// Octets of text that fit a segment now: Eff.snd.MSS less the options this segment carries (MUST-16).
    pub(crate) mss: u32,
    /// Octets of text in one `Transmit`: at least `mss`.
    pub(crate) max: u32,
    pub(crate) nagle: bool,
    pub(crate) cork: bool,
    /// New text waits: the window is one segment and a mark said that it is too large (RFC 3168 §6.1.2).
    pub(crate) held: bool,
    /// The override timeout expired: what is held back may go.
    pub(crate) overridden: bool,
}

/// A piece of the stream to put on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) seq: SeqNum,
    /// Octets of text.
    pub(crate) len: u32,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    /// It empties the send queue (MUST-61).
    pub(crate) push: bool,
    /// It is the next in turn, as opposed to a fast retransmission or a probe.
    pub(crate) in_turn: bool,
}

impl Plan {
    /// The number after it.
    pub(crate) fn end(&self) -> SeqNum {
        self.seq + self.len + u32::from(self.syn) + u32::from(self.fin)
    }
}

/// Why nothing is sent now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    /// Everything is sent.
    Idle,
    /// A window is full, or text is held until an acknowledgment comes (Nagle).
    Ack,
    /// The peer's window is open by less than is worth sending: the override timeout ends it.
    Silly,
    /// The user corked: the override timeout ends it.
    Cork,
}

/// The answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    Send(Plan),
    Wait(Wait),
}

impl<C: Controller> Sender<C> {
    /// What to send next, in turn.
    pub(crate) fn next(&self, gate: &Gate) -> Next {
        if self.syn {
            return self.syn_due().map_or(Next::Wait(Wait::Ack), Next::Send);
        }
        if self.resend == self.end() {
            return Next::Wait(Wait::Idle);
        }
        let limit = self.una + self.wnd.min(self.cwnd(gate.mss));
        let limit = if gate.held { limit.min(self.nxt) } else { limit };
        let room = limit.saturating_since(self.resend);
        let todo = self.text_end().saturating_since(self.resend); // D of RFC 9293 §3.8.6.2.1
        let idle = self.una == self.nxt;
        let mut len = todo.min(room).min(gate.max);
        if len > gate.mss && len % gate.mss != 0 && (len < todo || (gate.nagle && self.fin == Fin::None)) {
            len -= len % gate.mss; // whole segments; the rest is a matter of its own
        }
        let fin = self.fin == Fin::Queued && len == todo && room > len;
        let plan = Plan { seq: self.resend, len, syn: false, fin, push: len == todo && len > 0, in_turn: true };
        if len == 0 && !fin {
            return Next::Wait(Wait::Ack);
        }
        let all = len == todo;
        let send = len >= gate.mss // (1) a full segment
            || self.resend.before(self.nxt) // it was sent before
            || fin // the user has closed: nothing will follow that could fill it
            || (all && !gate.cork && (idle || !gate.nagle)) // (2) all there is, unless Nagle (SHLD-7) or the user holds it
            || (idle && !gate.cork && len >= self.max_wnd / 2) // (3) half of the largest window seen
            || gate.overridden; // (4)
        if send {
            return Next::Send(plan);
        }
        Next::Wait(match () {
            () if gate.cork && len == todo => Wait::Cork,
            () if idle => Wait::Silly,
            () => Wait::Ack,
        })
    }

    /// Our SYN, when it is its turn.
    pub(crate) fn syn_due(&self) -> Option<Plan> {
        let plan = Plan { seq: self.iss, len: 0, syn: true, fin: false, push: false, in_turn: true };
        (self.syn && self.resend == self.iss).then_some(plan)
    }

    /// The first unacknowledged segment again: fast retransmit.
    pub(crate) fn first_again(&self, gate: &Gate) -> Plan {
        let text = self.text_end().min(self.nxt).saturating_since(self.una);
        let len = text.min(gate.mss);
        let fin = len == text && self.fin_sent() && self.fin == Fin::Queued;
        Plan { seq: self.una, len, syn: false, fin, push: self.una + len == self.text_end(), in_turn: false }
    }

    /// A zero-window probe: the first unacknowledged octet, or the first unsent (RFC 9293 §3.8.6.1).
    pub(crate) fn probe(&self) -> Plan {
        let len = self.text_end().saturating_since(self.una).min(1);
        let fin = len == 0 && self.fin == Fin::Queued;
        Plan { seq: self.una, len, syn: false, fin, push: self.una + len == self.text_end() && len > 0, in_turn: false }
    }
}
