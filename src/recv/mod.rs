//! The receiving side: RCV.*, its window, and the text on its way to the user.

mod accept;
pub(crate) mod ack;
pub(crate) mod filling;
#[cfg_attr(not(feature = "reassembly"), allow(dead_code))]
pub(crate) mod limits;
#[cfg(feature = "reassembly")]
mod pieces;
#[cfg(feature = "reassembly")]
mod reassembly;
#[cfg(not(feature = "reassembly"))]
#[path = "in_order.rs"]
mod reassembly;
pub(crate) mod tuning;

use bytes::Bytes;

use crate::invariant::{Broken, holds};
use crate::rare::{AtRest, Rare};
use crate::stream::Offset;
use crate::time::Micros;
use crate::{Config, Instant, SackBlock, SackBlocks, SeqNum};
use ack::AckPolicy;
use filling::Filling;
use limits::Limits;
use reassembly::Reassembly;
use tuning::{Round, Tuning};

/// RCV.* of RFC 9293 §3.3.1.
///
/// RCV.WND is the window that the peer may use: from RCV.NXT to the furthest right edge it was ever promised. What may
/// be promised next is the capacity less what was delivered and not consumed; text held out of order lies inside the
/// window and is not subtracted.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Receiver {
    pub(crate) irs: SeqNum,
    pub(crate) nxt: SeqNum,
    /// The furthest right edge ever promised; it never moves left.
    edge: SeqNum,
    /// RCV.BUFF, as far as it is in use.
    tuning: Tuning,
    filling: Filling,
    /// The shift of the windows we announce (RFC 7323 §2).
    pub(crate) shift: u8,
    /// RCV.USER: octets delivered and not consumed.
    user: u32,
    /// The offset of RCV.NXT: all text before it was delivered.
    received: Offset,
    urgent: Rare<Urgent>,
    pub(crate) held: Reassembly,
    /// The last that arrived out of order is the FIN.
    fin_is_recent: bool,
    pub(crate) policy: AckPolicy,
    /// The number of the peer's FIN, and whether one was accepted.
    fin: SeqNum,
    has_fin: bool,
}

/// Where urgent text ends.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Urgent {
    /// RCV.UP, until the text before it was delivered.
    up: Option<SeqNum>,
    /// The urgent pointer of the SYN, until the handshake is complete.
    syn_up: Option<SeqNum>,
    /// The urgent text the user has not consumed: the offset of its end.
    end: Offset,
}

impl AtRest for Urgent {
    const AT_REST: &'static Self = &Self { up: None, syn_up: None, end: Offset::START };
}

/// What became of text that was given to the receiver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Accepted {
    /// RCV.NXT advanced; `filled` when it filled a part of a gap.
    InOrder { filled: bool },
    /// It is held until the text before it comes.
    Held,
    /// It is not new.
    Old,
    /// No range is left to hold it.
    Refused,
}

/// One part in this many of a window that the peer fills is worth a segment of its own.
const CONSIDERABLE: u32 = 16;

/// The shift of our windows: that of the settings, or the smallest with which all of the buffer can be announced (RFC
/// 7323 §2.3).
pub(crate) fn own_shift(config: &Config) -> u8 {
    let smallest = || (0..14).find(|&shift| config.receive_buffer() >> shift <= 0xFFFF).unwrap_or(14);
    config.window_shift().unwrap_or_else(smallest)
}

/// The window in a SYN: never scaled (RFC 7323 §2.2).
pub(crate) fn syn_window(config: &Config) -> u16 {
    u16::try_from(tuning::initial(config)).unwrap_or(u16::MAX)
}

impl Receiver {
    /// The receiver after the peer's SYN with number `irs`, when `promised` octets were announced or are about to be.
    pub(crate) fn new(irs: SeqNum, promised: u16, shift: u8, policy: AckPolicy, tuning: Tuning) -> Self {
        let nxt = irs + 1;
        Self {
            irs,
            nxt,
            edge: nxt + u32::from(promised).max(1 << shift), // rounding must not make it 0 before text arrives
            tuning: tuning.announced(promised.into()),
            filling: Filling::default(),
            shift,
            user: 0,
            received: Offset::START,
            urgent: Rare::default(),
            held: Reassembly::default(),
            fin_is_recent: false,
            policy,
            fin: irs,
            has_fin: false,
        }
    }

    /// RCV.WND.
    pub(crate) fn wnd(&self) -> u32 {
        self.edge - self.nxt
    }

    /// The window of a SYN,ACK: that of a SYN, less the text of the peer's SYN that was delivered already (RFC 7413 §4.2.2).
    pub(crate) fn syn_ack_window(&self, config: &Config) -> u16 {
        u16::try_from(self.wnd()).unwrap_or(u16::MAX).min(syn_window(config))
    }

    pub(crate) const fn user(&self) -> u32 {
        self.user
    }

    /// The number of the peer's FIN, once one was accepted.
    pub(crate) fn fin(&self) -> Option<SeqNum> {
        self.has_fin.then_some(self.fin)
    }

    pub(crate) fn up(&self) -> Option<SeqNum> {
        self.urgent.up
    }

    /// Octets of urgent text that the user has not consumed (MUST-33).
    pub(crate) fn urgent_remaining(&self) -> u32 {
        let consumed = self.received.saturating_sub(self.user);
        self.urgent.end.saturating_since(consumed)
    }

    /// RCV.BUFF grows, or shrinks, up to this from now on: at least two units of the window field, since of one nothing
    /// could be announced as soon as an octet waits for the user.
    pub(crate) fn limit_buffer(&mut self, octets: u32, now: Instant) {
        let in_use = self.user.saturating_add(self.wnd()); // what is held lies in the window
        self.tuning.set_limit(octets.max(2 << self.shift).min(tuning::MOST), in_use, now);
    }

    /// RCV.BUFF, as far as it is in use.
    pub(crate) const fn capacity(&self) -> u32 {
        self.tuning.capacity()
    }

    /// What RCV.BUFF may grow to.
    #[cfg(feature = "host")]
    pub(crate) const fn limit(&self) -> u32 {
        self.tuning.limit()
    }

    /// `octets` in the units of the window field, rounded down, at most what the field can say (RFC 7323 §2.3).
    #[inline]
    fn in_units(&self, octets: u32) -> u32 {
        (octets >> self.shift).min(0xFFFF) << self.shift
    }

    /// The window of a segment that repeats the promise.
    fn told(&self) -> u32 {
        self.in_units(self.wnd())
    }

    /// The window that the buffer allows to announce now.
    fn offer(&self) -> u32 {
        self.in_units(self.capacity().saturating_sub(planted!(promise_what_is_unread, self.user, 0)))
    }

    /// How much larger the window would be if it were promised anew.
    fn growth(&self) -> u32 {
        self.offer().saturating_sub(self.told())
    }

    /// The edge moves only by this much at once: silly-window avoidance (RFC 9293 §3.8.6.2.2). RCV.BUFF counts as far
    /// as it can be announced, or an edge that may not move yet could be the last.
    fn step(&self, mss: u16) -> u32 {
        (self.in_units(self.capacity()) / 2).min(u32::from(mss)).max(1)
    }

    #[inline]
    fn next_promise(&self, mss: u16) -> u32 {
        if self.growth() >= self.step(mss) { self.offer() } else { self.told() }
    }

    /// The window field of a segment sent now.
    pub(crate) fn next_window(&self, mss: u16) -> u16 {
        self.field(self.next_promise(mss))
    }

    /// The window field of a segment sent now, and the promise it makes. `rtt` is how long a round trip takes.
    #[inline]
    pub(crate) fn advertise(&mut self, mss: u16, rtt: impl FnOnce() -> Micros, now: Instant) -> u16 {
        let window = self.next_promise(mss);
        let edge = self.nxt + window;
        if edge.after(self.edge) {
            self.edge = edge;
            self.filling.on_promise(edge, rtt(), now);
        }
        self.tuning.on_announced(window);
        self.field(window)
    }

    /// The window field that repeats the promise made before.
    pub(crate) fn promised(&self) -> u16 {
        self.field(self.told())
    }

    fn field(&self, window: u32) -> u16 {
        u16::try_from(window >> self.shift).unwrap_or(u16::MAX)
    }

    /// Whether the peer may be waiting for a window. It has room for less than one of its full-sized segments, or for
    /// so little that a sender holds back (RFC 9293 §3.8.6.2.1), or it fills every window and would gain much. Else it
    /// sends, and the acknowledgment of that tells of the window.
    fn peer_may_wait(&self) -> bool {
        let told = self.told();
        told < u32::from(self.policy.rmss()) || told < self.tuning.max_wnd() / 2 || self.gains_much()
    }

    /// Whether the peer fills every window, and one promised now were larger by a considerable part.
    fn gains_much(&self) -> bool {
        self.filling.filled() && self.growth() >= self.offer() / CONSIDERABLE
    }

    /// Whether the user took so much that the peer should be told at once: the edge can move by a step, and the peer
    /// may wait for it (MUST-39).
    pub(crate) fn owes_update(&self, mss: u16) -> bool {
        self.growth() >= self.step(mss) && self.peer_may_wait()
    }

    /// The user took `octets`.
    #[inline]
    pub(crate) fn consume(&mut self, octets: usize) {
        let octets = u32::try_from(octets).unwrap_or(u32::MAX).min(self.user);
        self.user -= octets;
        if !self.urgent.is_at_rest() {
            self.end_urgent();
        }
        self.tuning.on_taken(octets);
    }

    /// Text arrived that was accepted. `echoes` tells whether the sender had seen an acknowledgment since an instant,
    /// when timestamps can tell.
    #[inline]
    pub(crate) fn on_round(&mut self, echoes: impl FnOnce(Instant) -> Option<bool>, now: Instant) {
        self.filling.on_text(self.nxt, u32::from(self.policy.rmss()), now);
        let window = Round::Window { nxt: self.nxt, edge: self.edge };
        let round = echoes(self.tuning.since()).map_or(window, Round::Echoed);
        self.tuning.on_text(round, now);
    }

    fn offset_of(&self, seq: SeqNum) -> Offset {
        self.received + seq.saturating_since(self.nxt)
    }

    fn seq_of(&self, offset: Offset) -> SeqNum {
        self.nxt + offset.saturating_since(self.received)
    }

    /// Whether nothing is missing, urgent or the last: text at RCV.NXT is delivered and no more.
    pub(crate) fn is_in_order(&self) -> bool {
        self.held.is_empty() && !self.has_fin && self.urgent.is_at_rest()
    }

    /// RCV.NXT advances over text that is delivered, where nothing is urgent.
    #[inline]
    pub(crate) fn advance_in_order(&mut self, octets: u32) {
        self.nxt += octets;
        self.received += octets;
        self.user = self.user.saturating_add(octets);
    }

    /// Text at RCV.NXT leaves: RCV.NXT advances over it.
    pub(crate) fn advance(&mut self, octets: usize) {
        self.advance_in_order(u32::try_from(octets).unwrap_or(u32::MAX));
        if let Some(urgent) = self.urgent.active() {
            urgent.up = urgent.up.filter(|up| up.after(self.nxt));
            self.end_urgent();
        }
    }

    /// The urgent text was consumed, or there is none.
    fn end_urgent(&mut self) {
        if self.urgent.up.is_none() && self.urgent.syn_up.is_none() && self.urgent_remaining() == 0 {
            self.urgent.end();
        }
    }

    /// Holds text that came on the SYN until the handshake is complete.
    pub(crate) fn hold(&mut self, seq: SeqNum, text: &Bytes, limits: &Limits) {
        if !text.is_empty() {
            // Nothing is held yet, and the text is the next expected: it is never refused.
            let _ = self.held.insert(self.offset_of(seq), text.clone(), self.received, limits);
        }
    }

    /// Whether text is held at RCV.NXT.
    pub(crate) fn holds_next(&self) -> bool {
        self.held.start() == Some(self.received)
    }

    /// Delivers the text held at RCV.NXT.
    pub(crate) fn release_held(&mut self, deliver: &mut dyn FnMut(Bytes)) {
        let received = self.received;
        let mut octets = 0;
        self.held.release(received, |text| {
            octets += text.len();
            deliver(text);
        });
        self.advance(octets);
    }

    /// The SYN carried an urgent pointer, to `end`.
    pub(crate) fn hold_urgent(&mut self, end: Option<SeqNum>) {
        if end.is_some() {
            self.urgent.begin().syn_up = end;
        }
    }

    /// The later of a pointer that arrived and one that was held.
    pub(crate) fn urgent_with_held(&mut self, end: Option<SeqNum>) -> Option<SeqNum> {
        let held = self.urgent.active().and_then(|urgent| urgent.syn_up.take());
        self.end_urgent();
        match (end, held) {
            (Some(end), Some(held)) => Some(end.max(held)),
            (end, held) => end.or(held),
        }
    }

    /// The urgent pointer says `end`. Returns how far ahead of RCV.NXT it is when that is news (MUST-32).
    pub(crate) fn on_urgent(&mut self, end: SeqNum) -> Option<u32> {
        if !end.after(self.nxt) || self.urgent.up.is_some_and(|up| !end.after(up)) {
            return None;
        }
        let offset = self.offset_of(end);
        let urgent = self.urgent.begin();
        (urgent.up, urgent.end) = (Some(end), offset);
        Some(end - self.nxt)
    }

    /// The peer's FIN has this number. The first one accepted counts; one that would cut off text already taken or held
    /// is no FIN of this stream.
    pub(crate) fn note_fin(&mut self, fin: SeqNum) {
        let held = self.held.end().is_some_and(|end| end > self.offset_of(fin));
        let cuts = held || fin.before(self.nxt);
        if !self.has_fin && !cuts {
            (self.fin, self.has_fin) = (fin, true);
        }
        self.fin_is_recent = self.fin() == Some(fin);
    }

    /// The FIN, if it has arrived and text before it is missing.
    fn early_fin(&self) -> Option<SeqNum> {
        self.fin().filter(|fin| fin.after(self.nxt))
    }

    /// The FIN, if it arrived early and no held text reaches up to it: a range of its own.
    fn lone_fin(&self) -> Option<SeqNum> {
        let joins = |fin: SeqNum| self.held.end().is_some_and(|end| self.seq_of(end) == fin);
        self.early_fin().filter(|fin| !joins(*fin))
    }

    /// How many ranges there are to report.
    pub(crate) fn reports(&self) -> usize {
        if self.held.is_empty() && !self.has_fin {
            return 0;
        }
        self.held.ranges() + usize::from(self.lone_fin().is_some())
    }

    /// The peer's FIN has this number, and nothing before it is missing any more: the stream ends there, unless it was
    /// to end before. Drops the text held beyond it and returns how many octets that was.
    pub(crate) fn end_stream(&mut self, fin: SeqNum, limits: &Limits) -> usize {
        if self.fin().is_some_and(|first| first.at_or_before(fin)) {
            return 0;
        }
        (self.fin, self.has_fin) = (fin, true);
        self.held.drop_beyond(self.offset_of(fin), limits)
    }

    /// The blocks to report: what arrived twice (RFC 2883), then the most recent first (RFC 2018 §4). A FIN has a
    /// number as text has: without it in a report the loss of the last text before it would go unnoticed until a
    /// timeout.
    pub(crate) fn sack_blocks(&self, duplicate: Option<(SeqNum, SeqNum)>, room: usize) -> SackBlocks {
        let mut blocks = SackBlocks::new();
        if room == 0 {
            return blocks;
        }
        let (fin, lone) = (self.early_fin(), self.lone_fin().map(|fin| (fin, fin + 1)));
        let mut put = |left: SeqNum, right: SeqNum| {
            if blocks.len() < room {
                blocks.push(SackBlock { left, right });
            }
        };
        let (first, last) = if self.fin_is_recent { (lone, None) } else { (None, lone) };
        duplicate.into_iter().chain(first).for_each(|(left, right)| put(left, right));
        for &(start, end) in self.held.reports().as_slice() {
            let right = self.seq_of(end) + planted!(report_too_much, 0, 1);
            if start > self.received {
                put(self.seq_of(start), if fin == Some(right) { right + 1 } else { right });
            } // what came on the SYN waits at RCV.NXT
        }
        last.into_iter().for_each(|(left, right)| put(left, right));
        blocks
    }

    /// Moves to behind the peer's FIN: RCV.NXT with the octets in reach before it, RCV.WND, the next window field and
    /// its shift.
    pub(crate) fn end(&mut self, (nxt, in_reach): (SeqNum, u32), wnd: u32, (window, shift): (u16, u8)) {
        self.irs = nxt - 2 - in_reach;
        self.nxt = nxt;
        self.edge = nxt + wnd;
        self.received = Offset::START + in_reach;
        (self.fin, self.has_fin) = (nxt - 1, true);
        self.shift = shift;
        self.tuning = Tuning::full(wnd.max(u32::from(window) << shift)); // none announced: nobody waits for one any more
    }

    /// No acknowledgment is owed: the peer knows a window that it can use, if the buffer is empty.
    pub(crate) fn check_told(&self) -> Result<(), Broken> {
        let (told, most) = (self.told(), self.tuning.max_wnd());
        holds(self.user > 0 || told >= most / 2, "the buffer is empty, and the peer may use less than half of it")
    }

    pub(crate) fn check_invariants(&self, limits: &Limits) -> Result<(), Broken> {
        holds(self.shift <= 14, "our windows are scaled by more than 14")?; // RFC 7323 §2.3
        holds(self.nxt.at_or_before(self.edge), "RCV.NXT is beyond the promised edge")?;
        let (wnd, capacity) = (self.wnd(), self.capacity());
        holds(wnd <= capacity, "RCV.WND is beyond RCV.BUFF")?;
        let most = u32::from(u16::MAX) << self.shift;
        holds(self.tuning.max_wnd() <= most, "more was announced than a window field says")?;
        holds(self.user <= capacity, "RCV.USER is beyond RCV.BUFF")?;
        holds(self.received.is_reached(), "a stream without end")?;
        let beyond = |end: Offset| end > self.received + self.wnd();
        holds(!self.held.end().is_some_and(beyond), "held text outside the window")?;
        self.held.check_invariants(limits, self.received)?;
        self.tuning.check_invariants()
    }

    pub(crate) fn rebase(&mut self, now: Instant) {
        let Self {
            irs: _,
            nxt: _,
            edge: _,
            tuning: _,
            filling: _,
            shift: _,
            user: _,
            received: _,
            urgent: _,
            held: _,
            fin_is_recent: _,
            policy: _,
            fin: _,
            has_fin: _,
        } = self; // a field that is added has to be looked at here
        let irs = self.irs;
        self.policy.rebase(now);
        self.tuning.rebase(irs, now);
        self.filling.rebase(irs, now);
        let relative = |seq: SeqNum| SeqNum::new(seq - irs);
        self.nxt = relative(self.nxt);
        self.edge = relative(self.edge);
        if let Some(urgent) = self.urgent.active() {
            urgent.up = urgent.up.map(relative);
            urgent.syn_up = urgent.syn_up.map(relative);
        }
        self.fin = self.fin().map_or(SeqNum::new(0), relative);
        self.irs = SeqNum::new(0);
    }
}
