//! The sending side: SND.*, the sent part of the stream and the next one to send.

mod acks;
pub(crate) mod buffer;
mod check;
pub mod congestion;
mod delivered;
pub(crate) mod ecn;
mod episode;
mod exchange;
mod feedback;
mod loss;
mod next;
pub(crate) mod pace;
mod pacing;
mod path_mtu;
mod probe_timeout;
mod probing;
mod prr;
mod rack;
mod rate;
mod recovery;
pub(crate) mod rtt;
mod sampling;
mod scoreboard;
mod sent;
mod small;
mod steady;
mod tail;
mod undo;
mod validation;
mod window;

use alloc::boxed::Box;

use crate::rare::Rare;
use crate::stream::Position;
use crate::time::Micros;
use crate::{Config, Controller, Instant, SeqNum};
pub(crate) use acks::Ack;
use buffer::SendBuffer;
use ecn::EcnSender;
use episode::Episode;
pub(crate) use feedback::Feedback;
pub(crate) use next::{Gate, Kind, Next, Plan, Wait};
use pace::Pacer;
pub(crate) use path_mtu::{Packet, PathMtu, Policy, TooBig};
use rack::Rack;
use rate::Rate;
use recovery::Detector;
use rtt::Rtt;
use scoreboard::Scoreboard;
use small::Small;
use validation::{Used, Validation};

/// Octets of the send buffer for each record of a segment in flight.
const RECORD: u32 = 256;
const LEAST_RECORDS: u32 = 64;

/// The most records of segments in flight.
fn most_records(send_buffer: u32, mss: u32) -> u32 {
    (send_buffer / RECORD.min(mss.max(1))).max(LEAST_RECORDS)
}

/// Up to how many records lost ones are cut at once: half of all, so that what comes has room.
fn records_to_cut(send_buffer: u32, mss: u32) -> usize {
    usize::try_from(most_records(send_buffer, mss) / 2).unwrap_or(usize::MAX)
}

/// Our FIN: an octet of the stream after the text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Fin {
    /// The user has not closed.
    None,
    /// The user has closed.
    Queued,
    /// It is acknowledged.
    Acked,
}

/// SND.* of RFC 9293 §3.3.1, with the stream it numbers: SYN, text, FIN.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Sender<C> {
    pub(crate) iss: SeqNum,
    pub(crate) una: SeqNum,
    /// The number after the highest sent.
    pub(crate) nxt: SeqNum,
    pub(crate) wnd: u32,
    /// The furthest right edge that the peer has promised and not withdrawn: at or beyond SND.UNA + SND.WND, by less
    /// than 2^shift (RFC 7323 §2.4). New text stays inside of SND.WND; all else compares with this edge.
    pub(crate) edge: SeqNum,
    pub(crate) wl1: SeqNum,
    pub(crate) wl2: SeqNum,
    /// MAX.SND.WND (RFC 5961 §5), also the estimate of the peer's buffer (RFC 9293 §3.8.6.2.1).
    pub(crate) max_wnd: u32,
    /// SND.UP, and whether it is unacknowledged.
    up: SeqNum,
    urgent: bool,
    /// The shift of the windows we receive (RFC 7323 §2).
    pub(crate) shift: u8,
    /// SendMSS: what the peer's option allows (RFC 9293 §3.7.1), and no more than `max_sent_mss`.
    pub(crate) send_mss: u16,
    /// Whether our SYN is still unacknowledged.
    pub(crate) syn: bool,
    pub(crate) fin: Fin,
    pub(crate) buffer: SendBuffer,
    pub(crate) small: Small,
    pub(crate) rtt: Rtt,
    pub(crate) cc: C,
    /// The flight, segment by segment.
    board: Scoreboard,
    /// How loss is detected.
    detector: Detector,
    /// Loss, and what it may turn out to have been.
    episode: Rare<Episode>,
    rack: Rack,
    /// A round trip was measured since the last tail-loss probe (RFC 8985 §7.3).
    sampled: bool,
    /// The peer has reported a duplicate at some time: it knows how.
    dsack_seen: bool,
    pub(crate) ecn: EcnSender,
    rate: Rate,
    pacer: Rare<Pacer>,
    /// Where the window is kept while it is not used (RFC 7661).
    validation: Option<Box<Validation>>,
    used: Used,
    /// Timeouts of the first unacknowledged segment since it last moved: R1 counts these.
    pub(crate) repeats: u16,
    /// Zero-window probes since the window was last open or SND.UNA last advanced: the back-off of the persist timer.
    pub(crate) probes: u8,
    /// Octets of the longest zero-window probe since the window was last open; a FIN counts as one.
    probed: u16,
    last_sent: Instant,
    pub(crate) path_mtu: PathMtu,
}

impl<C: Controller> Sender<C> {
    /// A sender whose SYN is about to be sent.
    pub(crate) fn new(iss: SeqNum, cc: C, config: &Config, now: Instant) -> Self {
        Self {
            iss,
            una: iss,
            nxt: iss,
            wnd: 0,
            edge: iss,
            wl1: SeqNum::new(0),
            wl2: iss,
            max_wnd: 0,
            up: iss,
            urgent: false,
            shift: 0,
            send_mss: 0,
            syn: true,
            fin: Fin::None,
            buffer: SendBuffer::default(),
            small: Small::new(iss),
            rtt: Rtt::new(config),
            cc,
            board: Scoreboard::default(),
            detector: Detector::Duplicates,
            episode: Rare::default(),
            rack: Rack::new(),
            sampled: false,
            dsack_seen: false,
            ecn: EcnSender::default(),
            rate: Rate::default(),
            pacer: Rare::default(),
            validation: config.preserve_window().map(|period| Box::new(Validation::new(period.into()))),
            used: Used::default(),
            repeats: 0,
            probes: 0,
            probed: 0,
            last_sent: now,
            path_mtu: PathMtu::new(),
        }
    }

    /// The number of the first octet in the buffer.
    fn text_start(&self) -> SeqNum {
        self.una + u32::from(self.syn)
    }

    /// The number after the last octet of queued text.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn text_end(&self) -> SeqNum {
        self.text_start() + self.buffer.len()
    }

    /// The number after everything queued, the FIN included.
    pub(crate) fn end(&self) -> SeqNum {
        self.text_end() + u32::from(self.fin == Fin::Queued)
    }

    /// Whether anything is queued or unacknowledged.
    pub(crate) fn is_pending(&self) -> bool {
        self.una != self.end()
    }

    /// Whether text is queued or unacknowledged.
    #[inline]
    pub(crate) const fn has_queued(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// FlightSize: octets sent and not acknowledged.
    pub(crate) fn flight(&self) -> u32 {
        self.nxt - self.una
    }

    /// Whether sending the first segment again restarts the retransmission timer.
    pub(crate) fn repeat_restarts_timer(&self) -> bool {
        !self.episode.recovery.holds_timer(self.detector)
    }

    /// Whether the last timeout's retransmission has not left yet.
    pub(crate) fn owes_retransmission(&self) -> bool {
        self.episode.first_due
    }

    /// When RACK looks again for overdue segments.
    pub(crate) fn reorder_at(&self) -> Option<Instant> {
        self.episode.reorder_at
    }

    /// Until when new text is held back, because a mark said that a window of one segment is too large.
    pub(crate) fn held_by_mark(&self, now: Instant) -> Option<Instant> {
        self.episode.cover.held(now)
    }

    /// Whether this deadline was the end of a hold, and all that is in flight left afterwards: the host came late.
    pub(crate) fn is_of_hold(&self, deadline: Instant) -> bool {
        self.episode.cover.ends_at(deadline) && self.board.first().is_some_and(|first| first.at >= deadline)
    }

    /// Whether anything waits to be sent again.
    pub(crate) fn sends_again(&self) -> bool {
        self.board.has_lost()
    }

    /// Octets in the network, as far as known: sent, and neither acknowledged, reported nor lost.
    #[inline]
    pub(crate) fn inflight(&self) -> u32 {
        self.board.inflight().saturating_sub(self.episode.recovery.departed)
    }

    /// Both SYNs are here: how loss is detected from now on.
    pub(crate) fn agree(&mut self, sack: bool, config: &Config) {
        self.detector = match (sack, config.rack()) {
            (true, true) => Detector::Rack,
            (true, false) => Detector::Sack,
            (false, _) => Detector::Duplicates,
        };
    }

    /// Our SYN is to be sent again, with what the peer's SYN adds to it.
    pub(crate) fn repeat_syn(&mut self) {
        self.board.lose_where(&mut |_| true);
    }

    /// Octets of text leave with our first SYN (RFC 7413 §4.2.2).
    #[cfg(feature = "fast-open")]
    pub(crate) fn sent_early(&mut self, octets: u32, now: Instant) {
        let rate = self.snapshot(octets, now);
        self.board.sent(self.board.nxt() + octets, now, rate);
        self.nxt += octets;
        self.last_sent = now;
    }

    /// Text that left with our SYN, and was not acknowledged with it, goes again at once: the peer did not take it, or keeps
    /// it until the handshake is complete and acknowledges it then. It is no loss that could turn out to have been a
    /// mistake (RFC 7413 §4.2.2).
    #[cfg(feature = "fast-open")]
    pub(crate) fn repeat_early(&mut self) {
        if self.flight() > 0 {
            self.board.lose_for_good();
        }
    }

    /// For how long an unused window is kept, from now on (RFC 7661); `None`: it restarts (RFC 5681 §4.1).
    pub(crate) fn preserve_window(&mut self, config: &Config) {
        let period = config.preserve_window().map(Micros::from);
        match (&mut self.validation, period) {
            (Some(validation), Some(period)) => validation.set_period(period),
            (validation, period) => *validation = period.map(|period| Box::new(Validation::new(period))),
        }
    }

    /// The number at this position of the scoreboard.
    fn seq_of(&self, position: Position) -> SeqNum {
        self.una + position.saturating_since(self.board.una())
    }

    /// The position of SND.UNA.
    pub(crate) const fn position(&self) -> Position {
        self.board.una()
    }

    /// How far before SND.UNA an acknowledgment may be: MAX.SND.WND (RFC 5961 §5.2), but not before the ISS. What is before
    /// that was never sent, so no peer acknowledges it; and with a window of a gigabyte a quarter of all guesses would be in
    /// the range.
    pub(crate) fn oldest_ack(&self) -> u32 {
        self.max_wnd.min(self.position().saturating_since(Position::ISS))
    }

    /// In TIME-WAIT: everything is acknowledged, and all that is left to know is what `oldest_ack` says.
    pub(crate) fn end_with(&mut self, oldest_ack: u32) {
        self.syn = false;
        self.fin = Fin::Acked;
        self.max_wnd = oldest_ack;
        self.board = Scoreboard::at(Position::ISS + oldest_ack);
    }

    /// The position of a number at or after SND.UNA.
    pub(crate) fn position_of(&self, seq: SeqNum) -> Position {
        self.board.una() + seq.saturating_since(self.una)
    }

    /// SND.UNA < SEG.ACK =< SND.NXT. Measured from SND.UNA, since a number may lie half the circle away.
    pub(crate) fn is_news(&self, ack: SeqNum) -> bool {
        (1..=self.flight()).contains(&(ack - self.una))
    }

    /// Whether our FIN was sent at least once.
    pub(crate) fn fin_sent(&self) -> bool {
        match self.fin {
            Fin::None => false,
            Fin::Queued => self.nxt == self.end(),
            Fin::Acked => true,
        }
    }

    /// The text at `seq`, `len` octets of it.
    pub(crate) fn text(&mut self, seq: SeqNum, len: u32) -> bytes::Bytes {
        let offset = self.buffer.start() + seq.saturating_since(self.text_start());
        self.buffer.slice(offset, usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// SND.UP, until it is acknowledged.
    pub(crate) fn up(&self) -> Option<SeqNum> {
        self.urgent.then_some(self.up)
    }

    /// The text queued last is urgent.
    pub(crate) fn urge(&mut self) {
        (self.up, self.urgent) = (self.text_end(), true);
    }

    /// Octets of text that the user may still queue.
    pub(crate) fn room(&self, config: &Config) -> u32 {
        config.send_buffer().saturating_sub(self.buffer.len())
    }

    /// SEND, pushed or not: the text waits for the flush.
    pub(crate) fn queue(&mut self, text: bytes::Bytes, push: bool, config: &Config) {
        self.small.on_queued(u32::try_from(text.len()).unwrap_or(u32::MAX), push);
        self.buffer.push(text, usize::from(config.copy_below()));
        self.buffer.note_full(config.send_buffer()); // then the user must wait before it can queue more
    }

    /// Whether the user waits for room and the queue takes enough again to be worth a call.
    pub(crate) fn takes_again(&mut self, config: &Config) -> bool {
        self.buffer.is_awaited() && self.buffer.take_writable(config.send_buffer(), config.writable_room())
    }

    /// Gives back what an empty queue and an empty scoreboard keep.
    pub(crate) fn shrink(&mut self) {
        self.buffer.shrink();
        self.board.shrink();
    }

    /// All was acknowledged long ago: reports that a retransmission was needless are late as well.
    pub(crate) fn rest(&mut self, now: Instant) {
        let una = self.board.una();
        if let Some(episode) = self.episode.active() {
            episode.rest(una);
        }
        self.end_episode(now);
        self.cc.on_settled();
        self.shrink();
    }

    /// An episode of which nothing matters any more is no more.
    pub(super) fn end_episode(&mut self, now: Instant) {
        if !self.episode.is_at_rest() && self.episode.is_over(self.board.una(), now) {
            self.episode.end();
        }
    }

    /// There is nothing to send: if the window has room, the application limits the rate.
    #[inline]
    pub(crate) fn on_idle(&mut self, mss: u32) {
        let inflight = self.inflight();
        if inflight < self.cwnd(mss) {
            self.rate.on_application_limited(inflight);
        }
    }

    /// Segments are larger now: small segments in flight no longer need a record each. Where reports or
    /// retransmissions keep too many apart, all is sent again: reports are advisory (RFC 2018 §8).
    pub(crate) fn coalesce(&mut self, mss: u32, send_buffer: u32) {
        let send_buffer = send_buffer.max(self.buffer.len()); // it may be smaller now than what is queued
        let most = records_to_cut(send_buffer, mss);
        self.board.coalesce(mss, most);
        if self.records_left(send_buffer, mss) == 0 {
            self.board.forget_reports();
            self.board.lose_where(&mut |_| true);
            self.board.coalesce(mss, most);
        }
    }

    /// Segments are smaller now: those in flight that are too large are sent again, without any congestion signal.
    pub(crate) fn resegment(&mut self, mss: u32, send_buffer: u32) {
        let fin = self.fin_sent().then(|| self.board.nxt());
        self.board.lose_where(&mut |sent| sent.end - sent.start - u32::from(fin == Some(sent.end)) > mss);
        self.board.cut_lost(mss, records_to_cut(send_buffer, mss));
    }

    /// Octets of text in the segment that is lost at SND.UNA.
    pub(crate) fn first_lost(&self, mss: u32) -> u32 {
        self.board.next_lost(mss).filter(|(start, _)| *start == self.board.una()).map_or(0, |(_, len)| len)
    }

    pub(crate) fn rebase(&mut self, irs: SeqNum, now: Instant) {
        let Self {
            iss: _,
            una: _,
            nxt: _,
            wnd: _,
            edge: _,
            wl1: _,
            wl2: _,
            max_wnd: _,
            up: _,
            urgent: _,
            shift: _,
            send_mss: _,
            syn: _,
            fin: _,
            buffer: _,
            small: _,
            rtt: _,
            cc: _,
            board: _,
            detector: _,
            episode: _,
            rack: _,
            sampled: _,
            dsack_seen: _,
            ecn: _,
            rate: _,
            pacer: _,
            validation: _,
            used: _,
            repeats: _,
            probes: _,
            probed: _,
            last_sent: _,
            path_mtu: _,
        } = self; // a field that is added has to be looked at here
        let iss = self.iss;
        let relative = |seq: SeqNum| SeqNum::new(seq - iss);
        self.una = relative(self.una);
        self.nxt = relative(self.nxt);
        self.edge = relative(self.edge);
        self.wl2 = relative(self.wl2);
        self.wl1 = SeqNum::new(self.wl1 - irs);
        self.up = self.up().map_or(SeqNum::new(0), relative);
        self.small.rebase(iss);
        self.buffer.rebase();
        let ago = |at: Instant| Instant::from_micros(at.as_micros().wrapping_sub(now.as_micros()));
        self.board.rebase(ago, self.rate.totals());
        self.rack.rebase(ago);
        if let Some(episode) = self.episode.active() {
            episode.rebase(ago, now);
        }
        self.rate.rebase(ago);
        self.rtt.rebase(ago);
        if let Some(pacer) = self.pacer.active() {
            pacer.rebase(now);
        }
        self.last_sent = ago(self.last_sent);
        self.path_mtu.rebase(ago);
        self.cc.rebase(now);
        if let Some(validation) = &mut self.validation {
            validation.rebase(ago);
        }
        self.used.rebase(self.board.una());
        self.iss = SeqNum::new(0);
    }
}
