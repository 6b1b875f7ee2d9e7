//! What an acknowledgment delivers: the variables before it, and the facts that it brings.

use super::acks::Ack;
use super::rack::Rack;
use super::rate::{Newest, Rate};
use super::recovery::Detector;
use super::scoreboard::{Fate, Sent};
use super::{Fin, Sender};
use crate::ecn::accurate::sender::Marks;
use crate::features::SACK;
use crate::stream::Position;
use crate::time::Micros;
use crate::{Controller, Instant, SeqNum};

/// The variables before an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    pub(super) now: Instant,
    pub(super) mss: u32,
    pub(super) outstanding: u32,
    pub(super) inflight: u32,
    pub(super) flight: u32,
    pub(super) cwnd: u32,
    pub(super) was_syn: bool,
    pub(super) was_fast: bool,
    pub(super) was_open: bool,
    pub(super) recover: Position,
    /// Nothing beyond SND.UNA was reported.
    pub(super) unreported: bool,
}

/// The facts of one acknowledgment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivered {
    /// Octets by which SND.UNA advanced, those of text among them, and octets delivered in any way.
    pub(super) octets: u32,
    pub(super) text: u32,
    pub(super) delivered: u32,
    pub(super) duplicate: bool,
    /// It repeats the last acknowledgment and reports nothing, though nothing may be in flight any more.
    pub(super) bare_duplicate: bool,
    /// When our clock showed the timestamp that it echoes.
    pub(super) echoed: Option<Instant>,
    /// Round trips of the first and of the last segment delivered that was sent once.
    first_rtt: Option<Micros>,
    pub(super) last_rtt: Option<Micros>,
    /// It acknowledges a segment that was sent again.
    ambiguous: bool,
    /// It delivers a segment of before the recovery point that was sent once.
    pub(super) original: bool,
    /// It delivers a segment of after that point.
    pub(super) beyond: bool,
    /// Its blocks report something new.
    reported: bool,
    /// What they report as a duplicate.
    pub(super) dsack: Option<(Position, Position)>,
    /// RACK.fack.
    fack: Position,
    /// The newest segment that it delivers.
    pub(super) newest: Newest,
    /// Segments delivered, and the marks that it tells of.
    pub(super) packets: u32,
    pub(super) marks: Marks,
}

impl Delivered {
    /// Nothing, while RACK.fack is `fack`.
    pub(super) fn nothing(fack: Position) -> Self {
        Self {
            octets: 0,
            text: 0,
            delivered: 0,
            duplicate: false,
            bare_duplicate: false,
            echoed: None,
            first_rtt: None,
            last_rtt: None,
            ambiguous: false,
            original: false,
            beyond: false,
            reported: false,
            dsack: None,
            fack,
            newest: Newest::default(),
            packets: 0,
            marks: Marks::default(),
        }
    }

    /// A segment is newly acknowledged; `times` tell when what arrived was sent, if anything does, and RACK.min_RTT.
    fn take(
        &mut self,
        sent: &Sent,
        before: &Before,
        (rack, rate): (&mut Rack, &mut Rate),
        times: (Option<Instant>, Option<Micros>),
    ) {
        if sent.fate == Fate::Sacked {
            return; // it was delivered before
        }
        self.packets = self.packets.saturating_add(1);
        self.beyond |= sent.start >= before.recover;
        rack.on_delivered(sent, &mut self.fack, times, before.now);
        self.newest.on_segment(&sent.rate, sent.at);
        rate.on_segment(&sent.rate, sent.at);
        if !sent.again {
            let rtt = before.now.since(sent.at);
            self.first_rtt.get_or_insert(rtt);
            self.last_rtt = Some(rtt);
            self.original |= sent.start < before.recover;
        }
    }
}

impl<C: Controller> Sender<C> {
    /// The variables as they are now.
    pub(super) fn before(&self, mss: u32, now: Instant) -> Before {
        Before {
            now,
            mss,
            outstanding: self.board.outstanding(),
            inflight: self.inflight(),
            flight: self.flight(),
            cwnd: self.cwnd(mss),
            was_syn: self.syn,
            was_fast: self.episode.recovery.is_fast(),
            was_open: self.episode.recovery.is_open(),
            recover: self.episode.recovery.recover,
            unreported: self.board.sacked_segments() == 0,
        }
    }

    /// RACK.fack.
    pub(super) fn fack(&self) -> Position {
        self.episode.reordering.fack.max(self.board.una())
    }

    /// SND.UNA =< SEG.ACK =< SND.NXT.
    pub(super) fn deliver<B: Iterator<Item = (SeqNum, SeqNum)> + Clone>(
        &mut self,
        ack: &Ack<B>,
        before: &Before,
    ) -> Delivered {
        let mut delivered = Delivered::nothing(self.fack());
        delivered.echoed = ack.echoed;
        delivered.octets = ack.ack - self.una;
        delivered.dsack = self.find_dsack(ack);
        self.dsack_seen |= delivered.dsack.is_some();
        if delivered.octets > 0 {
            delivered.text = self.advance(ack.ack, before, &mut delivered);
        }
        self.take_reports(ack.blocks.clone(), before, &mut delivered);
        self.note_fack(&delivered);
        self.count_duplicate(ack.bare && ack.same_window, before, &mut delivered);
        delivered.bare_duplicate =
            delivered.octets == 0 && ack.bare && ack.same_window && ack.blocks.clone().next().is_none();
        self.measure(before, &mut delivered);
        delivered
    }

    /// SEG.ACK < SND.UNA: what the blocks report. It is late, and measures no round trip.
    pub(super) fn deliver_reports<B: Iterator<Item = (SeqNum, SeqNum)> + Clone>(
        &mut self,
        ack: &Ack<B>,
        before: &Before,
    ) -> Delivered {
        let mut delivered = Delivered::nothing(self.fack());
        delivered.dsack = self.find_dsack(ack);
        self.dsack_seen |= delivered.dsack.is_some();
        self.take_reports(ack.blocks.clone(), before, &mut delivered);
        self.note_fack(&delivered);
        (delivered.first_rtt, delivered.last_rtt) = (None, None);
        delivered
    }

    /// RFC 2883 §4: the first block reports a duplicate when it lies below the cumulative acknowledgment or inside the
    /// second block.
    fn find_dsack<B: Iterator<Item = (SeqNum, SeqNum)> + Clone>(&self, ack: &Ack<B>) -> Option<(Position, Position)> {
        let mut blocks = ack.blocks.clone();
        if !SACK {
            return None;
        }
        let (left, right) = blocks.next().filter(|(left, right)| left.before(*right))?;
        let below = left.before(ack.ack);
        let inside = blocks.next().is_some_and(|(l, r)| l.at_or_before(left) && right.at_or_before(r));
        if !below && !inside {
            return None;
        }
        let (behind, ahead) = (self.una.saturating_since(right), right.saturating_since(self.una));
        let end = (self.board.una() + ahead).checked_sub(behind)?;
        let start = end.checked_sub(right - left)?;
        (end <= self.board.nxt()).then_some((start, end))
    }

    /// SND.UNA advances. Returns the octets of text.
    fn advance(&mut self, ack: SeqNum, before: &Before, delivered: &mut Delivered) -> u32 {
        let text = self.advance_una(ack, delivered.octets);
        let to = self.board.una() + delivered.octets;
        let times = (delivered.echoed, self.rtt.min_rtt());
        let Self { board, rack, rate, .. } = self;
        board.acknowledge(to, |sent| {
            delivered.ambiguous |= sent.again && sent.fate != Fate::Sacked;
            delivered.take(sent, before, (rack, rate), times);
        });
        let (octets, flight) = (delivered.octets, self.nxt - ack);
        let told = self.episode.active().map_or(0, |episode| episode.recovery.on_advance(octets, flight, before.mss));
        delivered.delivered = (before.outstanding - self.board.outstanding()).saturating_sub(told);
        text
    }

    /// SND.UNA advances by `octets` octets. Returns how many of them are text.
    fn advance_una(&mut self, ack: SeqNum, octets: u32) -> u32 {
        let beyond_syn = octets - u32::from(self.syn);
        let text = beyond_syn.min(self.buffer.len());
        if self.fin == Fin::Queued && ack == self.end() {
            self.fin = Fin::Acked;
        }
        self.syn = false;
        self.urgent = self.urgent && self.up.after(ack);
        self.advance_over(text, ack, octets);
        text
    }

    /// SND.UNA advances by `octets` octets, `text` of them text.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn advance_over(&mut self, text: u32, ack: SeqNum, octets: u32) {
        self.buffer.release(text);
        self.una = ack;
        self.wnd = self.wnd.saturating_sub(octets); // the right edge stays where it was
        self.edge = self.edge.max(ack);
        self.probes = 0; // the peer takes what probes bring
        self.small.on_ack(ack, self.buffer.len());
    }

    /// The blocks that lie above SND.UNA are reports; what lies elsewhere is old or false.
    #[inline(never)]
    fn take_reports(
        &mut self,
        blocks: impl Iterator<Item = (SeqNum, SeqNum)>,
        before: &Before,
        delivered: &mut Delivered,
    ) {
        if !SACK {
            return;
        }
        let outstanding = self.board.outstanding();
        // An acknowledgment of what came out of order echoes what came before in order (RFC 7323 §4.3).
        let times = (None, self.rtt.min_rtt());
        let fin = (self.fin == Fin::Queued && self.fin_sent()).then(|| self.text_end());
        for (left, right) in blocks {
            let sane = self.una.before(left) && left.before(right) && right.at_or_before(self.nxt);
            if sane {
                let start = self.board.una() + (left - self.una);
                let Self { board, rack, rate, .. } = self;
                let end = start + (right - left);
                let end = if fin == Some(right) { board.with_fin(end) } else { end };
                board.report(start, end, |sent| delivered.take(sent, before, (rack, rate), times));
            }
        }
        let reported = outstanding - self.board.outstanding();
        delivered.reported = reported > 0;
        delivered.delivered += reported;
    }

    /// Something beyond SND.UNA was delivered: what comes of less than that came out of order.
    fn note_fack(&mut self, delivered: &Delivered) {
        if delivered.fack > self.board.una() || !self.episode.is_at_rest() {
            self.episode.begin().reordering.fack = delivered.fack;
        }
    }

    /// A duplicate acknowledgment: without SACK as RFC 5681 §2 defines it, which `repeats`; with SACK it must report
    /// something new (RFC 6675 §2), or whoever guesses numbers could order retransmissions.
    pub(super) fn count_duplicate(&mut self, repeats: bool, before: &Before, delivered: &mut Delivered) {
        let repeats = match self.detector {
            Detector::Duplicates => repeats,
            Detector::Rack | Detector::Sack => delivered.reported,
        };
        delivered.duplicate = delivered.octets == 0 && before.flight > 0 && repeats;
        if delivered.duplicate {
            let recovery = &mut self.episode.begin().recovery;
            let departed = recovery.departed;
            recovery.on_duplicate(self.detector, before.mss);
            recovery.departed = recovery.departed.min(self.board.inflight());
            delivered.delivered += recovery.departed.saturating_sub(departed);
        }
    }

    /// One round-trip sample: the first segment acknowledged, or the echo where that was sent again (RFC 7323 §4.1).
    fn measure(&mut self, before: &Before, delivered: &mut Delivered) {
        let echo = delivered.echoed.filter(|_| delivered.octets > 0).map(|at| before.now.since(at));
        let own = delivered.first_rtt.filter(|_| !delivered.ambiguous);
        let repeats = if delivered.octets > 0 { core::mem::take(&mut self.repeats) } else { 0 };
        if before.was_syn && repeats > 0 {
            self.rtt.on_syn_timeout();
            if let Some(rtt) = echo {
                self.rtt.on_path_sample(rtt, before.now);
            }
            return;
        }
        if let Some(rtt) = own.or(echo) {
            let samples = before.flight.div_ceil(before.mss.saturating_mul(2).max(1));
            self.rtt.on_sample(rtt, samples, before.now);
            self.sampled = true;
            delivered.last_rtt.get_or_insert(rtt);
        }
        if let Some(rtt) = delivered.last_rtt {
            self.rtt.on_path_sample(rtt, before.now);
        }
    }
}
