//! "May I send?": the one place that answers it, for transmission and for the timers.

use super::recovery::{Detector, Phase};
use super::scoreboard::Fate;
use super::{Fin, Sender};
use crate::features::{FAST_OPEN, RACK, SACK};
use crate::stream::Position;
use crate::{Controller, SeqNum};

/// What outside of SND.* decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    /// Octets of text that fit a segment now: Eff.snd.MSS less the options this segment carries (MUST-16).
    pub(crate) mss: u32,
    /// Octets of new text in a full segment: `mss`, or half of the peer's window where that is less.
    pub(crate) full: u32,
    /// Octets of text in one `Transmit`: at least `full`.
    pub(crate) max: u32,
    /// Nagle's algorithm holds back a small segment while something is in flight.
    pub(crate) nagle: bool,
    pub(crate) cork: bool,
    /// How many segments more may be in flight: each has a record, and memory is bounded.
    pub(crate) records: u32,
    /// New text waits: the window is one segment and a mark said that it is too large (RFC 3168 §6.1.2).
    pub(crate) held: bool,
    /// The override timeout expired: text held back may go.
    pub(crate) overridden: bool,
    /// Where timeouts have put the MTU in doubt: octets of text that may go again at SND.UNA, and nothing else does.
    pub(crate) first: Option<u32>,
    /// New text may leave before our SYN is acknowledged (RFC 7413 §4.2.2).
    pub(crate) early: bool,
    /// Octets of text that the user may still queue.
    pub(crate) send_room: u32,
    /// Octets of text in a packet that probes for a larger MTU, if the search wants one.
    pub(crate) mtu_probe: Option<u32>,
}

/// Why a piece of the stream goes on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// For the first time.
    New,
    /// Again: it was lost.
    Again,
    /// Again, as a last resort in recovery (RFC 6675 §4 (4)).
    Rescue,
    /// A tail-loss probe (RFC 8985 §7).
    Tail,
    /// A zero-window probe (RFC 9293 §3.8.6.1).
    Probe,
    /// For the first time, in a packet larger than the MTU in use (RFC 4821 §7.5).
    MtuProbe,
}

/// A piece of the stream to put on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) seq: SeqNum,
    /// Octets of text.
    pub(crate) len: u32,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) kind: Kind,
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
    /// Pacing holds back the next segment.
    Pace,
}

/// The answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    Send(Plan),
    Wait(Wait),
}

impl<C: Controller> Sender<C> {
    /// What to send next: lost segments, then new text.
    pub(crate) fn next(&self, gate: &Gate) -> Next {
        if self.syn {
            return self.syn_due().map_or_else(|| self.next_early(gate), Next::Send);
        }
        if self.nxt == self.end() && !self.board.has_lost() {
            return self.rescue(gate).map_or(Next::Wait(Wait::Idle), Next::Send);
        }
        let lost = self.board.has_lost();
        if lost && (self.episode.first_due || !self.episode.undo.prefers_new()) {
            return self.next_lost(gate);
        }
        match self.next_new(gate) {
            new @ Next::Send(_) => new,
            Next::Wait(_) if lost => self.next_lost(gate),
            Next::Wait(wait) => self.rescue(gate).map_or(Next::Wait(wait), Next::Send),
        }
    }

    /// Our SYN is out, and not acknowledged: new text follows where Fast Open lets it, as long as the SYN,ACK was sent once.
    /// The FIN waits for the handshake.
    fn next_early(&self, gate: &Gate) -> Next {
        if !FAST_OPEN || !gate.early || self.repeats > 0 || self.board.has_lost() {
            return Next::Wait(Wait::Ack);
        }
        let nagle = gate.nagle && self.nxt != self.iss + 1; // a SYN is no text
        match self.next_new(&Gate { mtu_probe: None, nagle, ..*gate }) {
            Next::Send(Plan { len: 0, .. }) => Next::Wait(Wait::Ack),
            Next::Send(plan) => Next::Send(Plan { fin: false, ..plan }),
            wait @ Next::Wait(_) => wait,
        }
    }

    /// Lost segments go again, inside of both windows (RFC 7323 §2.4), and after a timeout the first in any case. A
    /// window that has no room for all of them is a silly one here, too (RFC 9293 §3.8.6.2.1).
    fn next_lost(&self, gate: &Gate) -> Next {
        let Some((start, lost)) = self.board.next_lost(gate.mss) else { return Next::Wait(Wait::Ack) };
        let seq = self.seq_of(start);
        let window = self.edge.saturating_since(seq);
        let joins = seq + lost == self.nxt && !gate.held && gate.records > 0; // new text has a record of its own
        let all = if joins { self.filled_up(seq, gate) } else { lost };
        let all = match gate.first {
            Some(first) if seq == self.una => all.min(first),
            Some(_) => return Next::Wait(Wait::Ack),
            None => all,
        };
        let (len, fin) = self.with_fin(seq, all.min(window));
        let fin = fin && window > len;
        let (inflight, first) = (self.inflight(), self.episode.first_due && seq == self.una);
        let fits = len == 0 || inflight.saturating_add(len) <= self.cwnd(gate.mss) || inflight == 0 || first;
        if len + u32::from(fin) == 0 || window == 0 || !fits {
            return Next::Wait(Wait::Ack);
        }
        let whole = window >= lost || len >= self.max_wnd / 2;
        if !whole && !first && !gate.overridden {
            return Next::Wait(Wait::Silly);
        }
        Next::Send(Plan { seq, len, syn: false, fin, kind: Kind::Again })
    }

    /// Lost text up to SND.NXT makes a full segment together with new text, if there is so much and the window of the
    /// last ACK has room for it (RFC 7323 §2.4 (3)).
    fn filled_up(&self, seq: SeqNum, gate: &Gate) -> u32 {
        let lost = self.nxt - seq;
        let window = (self.una + self.wnd).saturating_since(seq);
        let room = self.cwnd(gate.mss).saturating_sub(self.inflight()).min(window);
        self.end().saturating_since(seq).min(gate.mss).min(room.max(lost))
    }

    /// Octets of text in `octets` of the stream at `seq`, and whether the FIN is among them or follows at once.
    fn with_fin(&self, seq: SeqNum, octets: u32) -> (u32, bool) {
        let text = self.text_end().saturating_since(seq);
        (octets.min(text), octets >= text && self.fin_sent() && self.fin == Fin::Queued)
    }

    /// New text or the FIN, if it may go now.
    fn next_new(&self, gate: &Gate) -> Next {
        if self.nxt == self.end() {
            return Next::Wait(Wait::Idle);
        }
        if let Some(probe) = gate.mtu_probe.and_then(|len| self.next_mtu_probe(len, gate)) {
            return probe;
        }
        let cwnd = self.cwnd(gate.mss).saturating_sub(self.inflight());
        let cwnd = if gate.held { 0 } else { cwnd };
        let wnd = planted!(probe_without_timer, self.wnd, self.wnd.max(1));
        let edge = self.una + planted!(send_beyond_the_window, wnd, wnd + 2);
        let window = edge.saturating_since(self.nxt);
        let room = window.min(cwnd);
        let todo = self.text_end().saturating_since(self.nxt); // D of RFC 9293 §3.8.6.2.1
        let idle = self.una == self.nxt;
        let mut len = todo.min(room).min(gate.max).min(gate.records.saturating_mul(gate.full));
        let part = len.checked_rem(gate.full).unwrap_or(0);
        if len > gate.full && part != 0 && (len < todo || (gate.nagle && self.fin == Fin::None)) {
            len -= part; // whole segments; the rest is a matter of its own
        }
        let fin = self.fin == Fin::Queued && planted!(fin_before_text, len == todo, true) && window > len; // cwnd counts octets of text
        let plan = Plan { seq: self.nxt, len, syn: false, fin, kind: Kind::New };
        if len == 0 && (!fin || gate.held) {
            return Next::Wait(Wait::Ack); // a FIN alone is no text and needs no room in cwnd (RFC 5681 §2)
        }
        if fin || self.sws_allows(len, todo, gate) {
            return Next::Send(plan); // where the user has closed, nothing will follow that could fill it
        }
        Next::Wait(match () {
            () if len == todo && !self.cork_allows(todo, gate.cork) => Wait::Cork,
            () if idle => Wait::Silly,
            () => Wait::Ack,
        })
    }

    /// Silly-window avoidance of the sender (MUST-38, RFC 9293 §3.8.6.2.1 (1) to (4)): whether `len` of the `todo`
    /// octets D that wait are worth a segment.
    fn sws_allows(&self, len: u32, todo: u32, gate: &Gate) -> bool {
        len >= gate.full // (1) a full segment, (3) or half of the largest window seen
            || (len == todo && self.nagle_allows(gate.nagle) && self.cork_allows(todo, gate.cork)) // (2) all there is
            || gate.overridden // (4)
    }

    /// Nagle's algorithm (SHLD-7, RFC 9293 §3.7.4): a segment that is not full waits while something is unacknowledged.
    /// `nagle`: whether the algorithm is on and holds back a small segment now.
    #[inline]
    pub(crate) fn nagle_allows(&self, nagle: bool) -> bool {
        self.una == self.nxt || !nagle
    }

    /// Neither a cork nor a missing push (MAY-15) holds back the last `todo` octets.
    #[inline]
    pub(crate) fn cork_allows(&self, todo: u32, cork: bool) -> bool {
        !cork && !self.is_unpushed(todo)
    }

    /// Octets of new text in a full segment, of the `mss` that fit: no more than half of the largest window seen (RFC
    /// 9293 §3.8.6.2.1 (3), Fs = 1/2), so that the window has room for two and a peer that delays its ACK does not wait
    /// for the second. Where the window is not quite the largest, half of what it is.
    pub(crate) fn full_segment(&self, mss: u32) -> u32 {
        let fraction = self.max_wnd / 2;
        let half = if self.wnd < fraction { fraction } else { self.wnd / 2 };
        mss.min(half).max(1)
    }

    /// Whether the user pushed nothing of the last `todo` octets: they wait for more, as under a cork.
    fn is_unpushed(&self, todo: u32) -> bool {
        self.small.unpushed() >= todo.max(1)
    }

    /// Whether `plan` has the last octet that the user pushed: it gets the PSH bit (MUST-61, MAY-15).
    pub(crate) fn pushes(&self, plan: &Plan) -> bool {
        self.pushes_text(plan.seq, plan.len)
    }

    /// The same of `len` octets of text at `seq`.
    pub(crate) fn pushes_text(&self, seq: SeqNum, len: u32) -> bool {
        let last = self.text_end() - self.small.unpushed();
        len > 0 && last.after(seq) && last.at_or_before(seq + len)
    }

    /// RFC 6675 §4, rules (3) and (4): in recovery, where nothing is known to be lost and nothing new may go. A second
    /// copy does not show in `inflight`, so what the last acknowledgment let go limits them.
    fn rescue(&self, gate: &Gate) -> Option<Plan> {
        let Phase::Fast(prr) = &self.episode.recovery.phase else { return None };
        if !SACK {
            return None;
        }
        let room = self.cwnd(gate.mss).saturating_sub(self.inflight()).min(prr.left());
        if self.detector != Detector::Sack || room < gate.mss {
            return None;
        }
        let (start, kind) = match self.board.first_fresh_below_reports() {
            Some(below) => (below.start, Kind::Again),
            None => (self.last_for_rescue(gate.mss)?, Kind::Rescue),
        };
        let seq = self.seq_of(start);
        let most = self.board.len_at(start).min(gate.mss).min(self.edge.saturating_since(seq));
        let (len, fin) = self.with_fin(seq, most);
        (most > 0).then_some(Plan { seq, len, syn: false, fin, kind })
    }

    /// Where the last segment starts, if it is neither reported nor lost and HighACK is greater than RescueRxt.
    fn last_for_rescue(&self, mss: u32) -> Option<Position> {
        let last = self.board.last().filter(|sent| sent.fate == Fate::InFlight && !sent.again)?;
        let allowed = self.board.una() > self.episode.recovery.rescue;
        allowed.then(|| last.end.saturating_sub(mss).max(last.start))
    }

    /// Our SYN, when it is its turn.
    pub(crate) fn syn_due(&self) -> Option<Plan> {
        let plan = Plan { seq: self.iss, len: 0, syn: true, fin: false, kind: Kind::New };
        (self.syn && (self.nxt == self.iss || self.first_lost(1) > 0)).then_some(plan)
    }

    /// A tail-loss probe: new text if the peer's window allows, or else the last segment again (RFC 8985 §7.3).
    pub(crate) fn tail_probe(&self, gate: &Gate) -> Option<Plan> {
        if !RACK {
            return None;
        }
        if let Some(plan) = self.new_tail_probe(gate) {
            return Some(plan);
        }
        let start = self.board.last_text_start(self.position_of(self.text_end()))?;
        let end = self.board.nxt();
        let start = start.max(end.saturating_sub(gate.mss + u32::from(self.fin_sent())));
        let seq = self.seq_of(start);
        let (len, fin) = self.with_fin(seq, end - start);
        (len > 0 || fin).then_some(Plan { seq, len, syn: false, fin, kind: Kind::Tail })
    }

    /// Text that was never sent, and the FIN where all text is.
    fn new_tail_probe(&self, gate: &Gate) -> Option<Plan> {
        let todo = self.text_end().saturating_since(self.nxt);
        let room = (self.una + self.wnd).saturating_since(self.nxt);
        let len = todo.min(gate.mss);
        let fin = self.fin == Fin::Queued && !self.fin_sent() && len == todo && room > len;
        let text = len > 0 && len <= room && gate.records > 0;
        (!gate.held && (text || (len == 0 && fin))).then_some(Plan {
            seq: self.nxt,
            len,
            syn: false,
            fin,
            kind: Kind::Tail,
        })
    }

    /// A zero-window probe: "at least one octet" from SND.UNA on, sent before or not (RFC 9293 §3.8.6.1). A window that
    /// its unit alone rounds to 0 still takes what lies before the promised edge, as far as that fits a segment; but a
    /// second probe without an answer is one octet, which no path is too narrow for.
    pub(crate) fn zero_window_probe(&self, mss: u32) -> Plan {
        let sent_before = if self.flight() > 0 { self.flight() } else { u32::MAX };
        let promised = if self.probes == 0 { self.edge.saturating_since(self.una) } else { 0 };
        let len = promised.min(mss).min(sent_before).max(1).min(self.text_end().saturating_since(self.una));
        let fin = len == 0 && self.fin == Fin::Queued;
        Plan { seq: self.una, len, syn: false, fin, kind: Kind::Probe }
    }
}
