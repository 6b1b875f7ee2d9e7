//! What an acknowledgment does to the sender: delivery, round trips, mistakes undone, loss found, the window.

use core::time::Duration;

use super::congestion::{Acked, Delivery, RateSample, Signal};
use super::prr::Progress;
use super::rack::Rack;
use super::rate::Newest;
use super::recovery::{Detector, Phase};
use super::scoreboard::{Fate, Sent};
use super::tail::{Answer, Outcome};
use super::undo::{Evidence, Spurious};
use super::{Fin, Sender};
use crate::tally::Tally;
use crate::time::Micros;
use crate::{Controller, Instant, SeqNum};

/// An acknowledgment between SND.UNA and SND.NXT.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ack<B> {
    pub(crate) ack: SeqNum,
    /// Its SACK blocks in their order; none where SACK was not agreed on.
    pub(crate) blocks: B,
    /// When our clock showed the timestamp that it echoes.
    pub(crate) echoed: Option<Instant>,
    /// It has ECE: the network marked something.
    pub(crate) marked: bool,
    /// Without SACK it may count as a duplicate (RFC 5681 §2) …
    pub(crate) bare: bool,
    /// … if the window is the same.
    pub(crate) same_window: bool,
}

/// What an acknowledgment came to, for those who wait for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Newly {
    /// Octets of text acknowledged.
    pub(crate) text: usize,
    /// The retransmission timer restarts (RFC 6298 (5.3)).
    pub(crate) restarts_timer: bool,
}

/// The facts of one acknowledgment, as they are found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) now: Instant,
    pub(super) mss: u32,
    echoed: Option<Instant>,
    /// The variables before it.
    pub(super) outstanding: u32,
    inflight: u32,
    pub(super) flight: u32,
    pub(super) cwnd: u32,
    was_syn: bool,
    was_fast: bool,
    recover: u64,
    /// RACK.fack.
    fack: u64,
    /// Octets by which SND.UNA advanced, and octets delivered in any way.
    octets: u32,
    delivered: u32,
    duplicate: bool,
    /// It repeats the last acknowledgment and reports nothing, though nothing may be in flight any more.
    bare_duplicate: bool,
    /// Round trips of the first and of the last segment delivered that was sent once.
    first_rtt: Option<Micros>,
    last_rtt: Option<Micros>,
    /// It acknowledges a segment that was sent again.
    ambiguous: bool,
    /// It delivers a segment of before the recovery point that was sent once.
    original: bool,
    /// It delivers a segment of after that point.
    beyond: bool,
    /// It shows that the last reduction was a mistake.
    undone: bool,
    /// Its blocks report something new.
    reported: bool,
    /// It echoes a congestion mark.
    marked: bool,
    /// What they report as a duplicate; whether nothing else was reported before.
    dsack: Option<(u64, u64)>,
    unreported: bool,
    /// Recovery ended with it.
    pub(super) recovered: bool,
    /// Octets that it showed to be lost.
    lost: u32,
    /// The newest segment that it delivers.
    newest: Newest,
    /// What it delivered was sent when the application had no more to send.
    application_limited: bool,
}

/// An acknowledgment that lets the window grow.
pub(super) struct Growth {
    /// Octets by which SND.UNA advanced, and those that count.
    pub(super) octets: u32,
    pub(super) new: u32,
    /// The variables before it.
    pub(super) inflight: u32,
    pub(super) cwnd: u32,
    pub(super) last_rtt: Option<Micros>,
    pub(super) application_limited: bool,
    pub(super) mss: u32,
    pub(super) now: Instant,
}

impl Seen {
    pub(super) fn dsack(&self) -> bool {
        self.dsack.is_some()
    }

    /// SND.UNA advanced in fast recovery, which goes on.
    pub(super) fn is_partial(&self) -> bool {
        self.octets > 0 && self.was_fast && !self.recovered
    }

    /// A segment is newly acknowledged; `echoed` tells when what arrived was sent, if anything does.
    fn take(&mut self, sent: &Sent, echoed: Option<Instant>, rack: &mut Rack, min_rtt: Option<Micros>) {
        if sent.fate == Fate::Sacked {
            return; // it was delivered before
        }
        self.beyond |= sent.start >= self.recover;
        rack.on_delivered(sent, &mut self.fack, (echoed, min_rtt), self.now);
        self.newest.on_segment(sent.rate, sent.at);
        if !sent.again {
            let rtt = self.now.since(sent.at);
            self.first_rtt.get_or_insert(rtt);
            self.last_rtt = Some(rtt);
            self.original |= sent.start < self.recover;
        }
    }
}

impl<C: Controller> Sender<C> {
    /// SND.UNA =< SEG.ACK =< SND.NXT.
    pub(crate) fn on_ack<B: Iterator<Item = (SeqNum, SeqNum)> + Clone>(
        &mut self,
        ack: &Ack<B>,
        mss: u32,
        counters: &mut Tally,
        now: Instant,
    ) -> Newly {
        let mut seen = self.look(now, mss);
        seen.echoed = ack.echoed;
        seen.marked = ack.marked && self.ecn.is_capable();
        seen.octets = ack.ack - self.una;
        seen.dsack = self.find_dsack(ack);
        self.dsack_seen |= seen.dsack.is_some();
        let text = if seen.octets > 0 { self.advance(ack.ack, &mut seen) } else { 0 };
        self.take_reports(ack.blocks.clone(), &mut seen);
        self.note_fack(&seen);
        self.count_duplicate(ack.bare, ack.same_window, &mut seen);
        seen.bare_duplicate = seen.octets == 0 && ack.bare && ack.same_window && ack.blocks.clone().next().is_none();
        self.measure(&mut seen);
        if seen.duplicate {
            counters.seldom().duplicate_acks += 1;
        }
        self.undo_mistake(&mut seen, counters);
        self.leave_recovery(&mut seen);
        let repaired = self.tail_repaired(&seen);
        seen.lost = self.detect_loss(&seen);
        seen.application_limited = self.tell_delivery(&seen);
        self.respond(&seen, repaired, counters);
        let held = self.heed_mark(&seen, counters);
        let restarts = seen.octets > 0 && (!seen.is_partial() || self.restarts_by_partial());
        self.end_episode(now);
        Newly { text, restarts_timer: held || restarts }
    }

    /// SEG.ACK < SND.UNA. What the blocks report counts as in any other ACK. It is late, so it measures no round trip, and
    /// F-RTO, which goes by the order of ACKs, does not ask it (RFC 5682 §3.1).
    pub(crate) fn on_old_ack<B: Iterator<Item = (SeqNum, SeqNum)> + Clone>(
        &mut self,
        ack: &Ack<B>,
        mss: u32,
        counters: &mut Tally,
        now: Instant,
    ) {
        let mut seen = self.look(now, mss);
        seen.dsack = self.find_dsack(ack);
        self.dsack_seen |= seen.dsack.is_some();
        self.take_reports(ack.blocks.clone(), &mut seen);
        self.note_fack(&seen);
        (seen.first_rtt, seen.last_rtt) = (None, None);
        self.undo_mistake(&mut seen, counters);
        self.count_duplicate(false, false, &mut seen);
        if seen.duplicate {
            counters.seldom().duplicate_acks += 1;
        }
        seen.lost = self.detect_loss(&seen);
        self.tell_delivery(&seen);
        self.respond(&seen, false, counters);
        self.end_episode(now);
    }

    /// Something beyond SND.UNA was delivered: what comes of less than that came out of order.
    fn note_fack(&mut self, seen: &Seen) {
        if seen.fack > self.board.una() || !self.episode.is_at_rest() {
            self.episode.begin().reordering.fack = seen.fack;
        }
    }

    /// Whether a partial acknowledgment restarts the retransmission timer.
    fn restarts_by_partial(&mut self) -> bool {
        let detector = self.detector;
        self.episode.active().is_none_or(|episode| episode.recovery.on_partial(detector))
    }

    /// The variables as they are now.
    pub(super) fn look(&self, now: Instant, mss: u32) -> Seen {
        Seen {
            now,
            mss,
            echoed: None,
            outstanding: self.board.outstanding(),
            inflight: self.inflight(),
            flight: self.flight(),
            cwnd: self.cwnd(mss),
            was_syn: self.syn,
            was_fast: self.episode.recovery.is_fast(),
            recover: self.episode.recovery.recover,
            fack: self.episode.reordering.fack.max(self.board.una()),
            octets: 0,
            delivered: 0,
            duplicate: false,
            bare_duplicate: false,
            first_rtt: None,
            last_rtt: None,
            ambiguous: false,
            original: false,
            beyond: false,
            undone: false,
            reported: false,
            marked: false,
            dsack: None,
            unreported: self.board.sacked_segments() == 0,
            recovered: false,
            lost: 0,
            newest: Newest::default(),
            application_limited: false,
        }
    }

    /// RFC 2883 §4: the first block reports a duplicate when it lies below the cumulative acknowledgment or inside the
    /// second block.
    fn find_dsack<B: Iterator<Item = (SeqNum, SeqNum)> + Clone>(&self, ack: &Ack<B>) -> Option<(u64, u64)> {
        let mut blocks = ack.blocks.clone();
        let (left, right) = blocks.next().filter(|(left, right)| left.before(*right))?;
        let below = left.before(ack.ack);
        let inside = blocks.next().is_some_and(|(l, r)| l.at_or_before(left) && right.at_or_before(r));
        if !below && !inside {
            return None;
        }
        let behind = u64::from(self.una.saturating_since(right));
        let ahead = u64::from(right.saturating_since(self.una));
        let end = (self.board.una() + ahead).checked_sub(behind)?;
        let start = end.checked_sub(u64::from(right - left))?;
        (end <= self.board.nxt()).then_some((start, end))
    }

    /// SND.UNA advances. Returns the octets of text.
    fn advance(&mut self, ack: SeqNum, seen: &mut Seen) -> usize {
        let text = self.advance_una(ack, seen.octets);
        let to = self.board.una() + u64::from(seen.octets);
        let min_rtt = self.rtt.min_rtt();
        let outstanding = self.board.outstanding();
        let Self { board, rack, .. } = self;
        board.acknowledge(to, |sent| {
            seen.ambiguous |= sent.again && sent.fate != Fate::Sacked;
            seen.take(sent, seen.echoed, rack, min_rtt);
        });
        let (octets, flight) = (seen.octets, self.nxt - ack);
        let told = self.episode.active().map_or(0, |episode| episode.recovery.on_advance(octets, flight, seen.mss));
        seen.delivered = (outstanding - self.board.outstanding()).saturating_sub(told);
        text
    }

    /// SND.UNA advances by so many octets. Returns those of text.
    pub(super) fn advance_una(&mut self, ack: SeqNum, octets: u32) -> usize {
        let beyond_syn = octets - u32::from(self.syn);
        let text = usize::try_from(beyond_syn).unwrap_or(usize::MAX).min(self.buffer.len());
        if self.fin == Fin::Queued && ack == self.end() {
            self.fin = Fin::Acked;
        }
        self.syn = false;
        self.buffer.release(self.buffer.start() + u64::try_from(text).unwrap_or(u64::MAX));
        self.una = ack;
        self.wnd = self.wnd.saturating_sub(octets); // the right edge stays where it was
        self.edge = self.edge.max(ack);
        self.probes = 0; // the peer takes what probes bring
        self.small.on_ack(ack, self.buffer.len());
        if self.up.is_some_and(|up| up.at_or_before(ack)) {
            self.up = None;
        }
        text
    }

    /// The blocks that lie above SND.UNA are reports; what lies elsewhere is old or false.
    fn take_reports(&mut self, blocks: impl Iterator<Item = (SeqNum, SeqNum)>, seen: &mut Seen) {
        let outstanding = self.board.outstanding();
        let min_rtt = self.rtt.min_rtt();
        let fin = (self.fin == Fin::Queued && self.fin_sent()).then(|| self.text_end());
        for (left, right) in blocks {
            let sane = self.una.before(left) && left.before(right) && right.at_or_before(self.nxt);
            if sane {
                let start = self.board.una() + u64::from(left - self.una);
                let Self { board, rack, .. } = self;
                // An acknowledgment of what came out of order echoes what came before in order (RFC 7323 §4.3).
                let end = start + u64::from(right - left);
                let end = if fin == Some(right) { board.with_fin(end) } else { end };
                board.report(start, end, |sent| seen.take(sent, None, rack, min_rtt));
            }
        }
        let reported = outstanding - self.board.outstanding();
        seen.reported = reported > 0;
        seen.delivered += reported;
    }

    /// A duplicate acknowledgment: without SACK as RFC 5681 §2 defines it; with SACK it must report something new (RFC 6675
    /// §2), or whoever guesses numbers could order retransmissions.
    fn count_duplicate(&mut self, bare: bool, same_window: bool, seen: &mut Seen) {
        let repeats = match self.detector {
            Detector::Duplicates => bare && same_window,
            Detector::Rack | Detector::Sack => seen.reported,
        };
        seen.duplicate = seen.octets == 0 && seen.flight > 0 && repeats;
        if seen.duplicate {
            let recovery = &mut self.episode.begin().recovery;
            let departed = recovery.departed;
            recovery.on_duplicate(self.detector, seen.mss);
            recovery.departed = recovery.departed.min(self.board.inflight());
            seen.delivered += recovery.departed.saturating_sub(departed);
        }
    }

    /// One round-trip sample: the first segment acknowledged, or the echo where that was sent again (RFC 7323 §4.1).
    fn measure(&mut self, seen: &mut Seen) {
        let echo = seen.echoed.filter(|_| seen.octets > 0).map(|at| seen.now.since(at));
        let own = seen.first_rtt.filter(|_| !seen.ambiguous);
        let repeats = if seen.octets > 0 { core::mem::take(&mut self.repeats) } else { 0 };
        if seen.was_syn && repeats > 0 {
            self.rtt.on_syn_timeout();
            if let Some(rtt) = echo {
                self.rtt.on_path_sample(rtt, seen.now);
            }
            return;
        }
        if let Some(rtt) = own.or(echo) {
            let samples = seen.flight.div_ceil(seen.mss.saturating_mul(2).max(1));
            self.rtt.on_sample(rtt, samples, seen.now);
            self.sampled = true;
            seen.last_rtt.get_or_insert(rtt);
        }
        if let Some(rtt) = seen.last_rtt {
            self.rtt.on_path_sample(rtt, seen.now);
        }
    }

    /// The last reduction may turn out to have been a mistake.
    fn undo_mistake(&mut self, seen: &mut Seen, counters: &mut Tally) {
        let Some(episode) = self.episode.active() else { return };
        let evidence = Evidence {
            before: self.board.una() - u64::from(seen.octets),
            una: self.board.una(),
            nxt: self.board.nxt(),
            advanced: seen.octets > 0,
            duplicate: seen.duplicate,
            sack: self.detector != Detector::Duplicates,
            echoed: seen.echoed,
            dsack: seen.dsack,
            unreported: seen.unreported,
            dsack_seen: self.dsack_seen,
            original: seen.original,
            beyond: seen.beyond,
            recover: seen.recover,
        };
        let Some(kind) = episode.undo.on_ack(&evidence) else { return };
        // What is lost of this flight begins an episode of its own (RFC 5682 §2.1 (3b)).
        episode.recovery.leave();
        episode.recovery.recover = self.board.una().saturating_sub(1);
        episode.cover.on_undone(self.board.una());
        self.ecn.on_undone();
        counters.seldom().spurious_recoveries += 1;
        match kind {
            Spurious::Timeout => self.rtt.on_spurious_timeout(),
            Spurious::FastRetransmit => self.rack.on_spurious(),
        }
        self.cc.on_spurious(seen.now);
        self.board.find_lost();
        seen.undone = true;
    }

    /// Everything sent before the episode began is acknowledged.
    fn leave_recovery(&mut self, seen: &mut Seen) {
        if self.episode.recovery.is_open() || self.board.una() < self.episode.recovery.recover {
            return;
        }
        if seen.was_fast {
            self.cc.on_recovered(self.board.inflight(), seen.now);
            let window = self.cc.window();
            if let Some(window) = self.validation.as_mut().and_then(|validation| validation.on_recovered(window)) {
                self.cc.limit(window, seen.now);
            }
        }
        let again = seen.was_fast && self.episode.recovery.lost_after;
        self.episode.begin().on_recovered(self.board.nxt());
        seen.recovered = true;
        if again && self.board.outstanding() > 0 {
            self.reduce(Signal::Loss, seen); // loss in two successive windows is two indications (RFC 5681 §4.3)
        }
    }

    /// Whether the tail-loss probe repaired a loss.
    fn tail_repaired(&mut self, seen: &Seen) -> bool {
        let Some(episode) = self.episode.active() else { return false };
        let Some(probe) = episode.probe else { return false };
        let dsack_end = seen.dsack.map(|(_, end)| end);
        let answer = Answer { una: self.board.una(), dsack_end, bare_duplicate: seen.bare_duplicate };
        let outcome = probe.on_ack(&answer);
        if outcome != Outcome::Open {
            episode.probe = None;
        }
        outcome == Outcome::Repaired
    }

    /// Returns whether what was delivered was sent when the application had no more to send.
    fn tell_delivery(&mut self, seen: &Seen) -> bool {
        if !C::WORKS_BY_RATES {
            return self.rate.on_counted(seen.delivered, seen.newest);
        }
        let rate: Option<RateSample> = self.rate.on_delivered(seen.delivered, seen.newest, seen.now);
        let application_limited = rate.is_some_and(|sample| sample.application_limited);
        let rate = rate.filter(|_| !seen.was_syn); // the one octet of a SYN tells of no rate
        if seen.delivered == 0 && seen.lost == 0 {
            return application_limited;
        }
        let delivery = Delivery {
            octets: seen.delivered,
            lost: seen.lost,
            inflight: self.inflight(),
            delivered: self.rate.delivered(),
            rate,
            rtt: seen.last_rtt.map(Duration::from),
            min_rtt: self.rtt.min_rtt().map(Duration::from),
            ecn_echo: seen.marked,
            recovering: !self.episode.recovery.is_open(),
            now: seen.now,
        };
        self.cc.on_delivery(&delivery);
        application_limited
    }

    /// The same for an acknowledgment in steady traffic, where the controller works by rates.
    pub(super) fn tell_expected_delivery(
        &mut self,
        octets: u32,
        newest: Newest,
        rtt: Option<Micros>,
        now: Instant,
    ) -> bool {
        let mut seen = self.look(now, 1);
        (seen.delivered, seen.newest, seen.last_rtt) = (octets, newest, rtt);
        self.tell_delivery(&seen)
    }

    /// The window: less for loss, as recovery allows while it goes on, more for progress.
    fn respond(&mut self, seen: &Seen, repaired: bool, counters: &mut Tally) {
        if self.episode.recovery.is_open() && (seen.lost > 0 || repaired) {
            self.reduce(Signal::Loss, seen);
            if seen.lost > 0 {
                counters.seldom().fast_retransmits += 1;
            }
            if self.board.una() >= self.episode.recovery.recover {
                self.episode.begin().on_recovered(self.board.nxt()); // what was lost is repaired already
            }
        }
        let inflight = self.inflight();
        let grows = seen.octets > 0 && !seen.was_syn && !seen.undone && !self.deflates(seen); // RFC 4015 §3.4
        match self.episode.active().map(|episode| &mut episode.recovery.phase) {
            Some(Phase::Fast(prr)) => {
                let safe = seen.octets > 0 && seen.lost == 0;
                prr.on_ack(&Progress { delivered: seen.delivered, inflight, safe, mss: seen.mss });
            }
            None | Some(Phase::Open | Phase::Timeout) if seen.marked => {} // RFC 3168 §6.1.2: no growth
            None | Some(Phase::Open | Phase::Timeout) if grows => {
                // What ends fast recovery acknowledges what was delivered before: that was no growth then, and is none now.
                let new = if seen.was_fast { seen.octets.min(seen.delivered) } else { seen.octets };
                self.grow(&Growth {
                    octets: seen.octets,
                    new,
                    inflight: seen.inflight,
                    cwnd: seen.cwnd,
                    last_rtt: seen.last_rtt,
                    application_limited: seen.application_limited,
                    mss: seen.mss,
                    now: seen.now,
                });
            }
            None | Some(Phase::Open | Phase::Timeout) => {}
        }
    }

    /// Without SACK, what ends fast recovery sets the window and does no more (RFC 5681 §3.2 step 6); with it, the
    /// acknowledgment is one like others (RFC 9438 §4.3).
    fn deflates(&self, seen: &Seen) -> bool {
        seen.was_fast && self.detector == Detector::Duplicates
    }

    /// RFC 3168 §6.1.2: an echo reduces the window, once for the marks and losses of a window of data. Returns whether
    /// the retransmission timer must start anew, because no window is small enough: then it lowers the rate further.
    fn heed_mark(&mut self, seen: &Seen, counters: &mut Tally) -> bool {
        if !seen.marked || !self.episode.cover.must_reduce(self.board.una(), seen.flight) {
            return false;
        }
        let hold = self.cc.window() <= seen.mss;
        if !hold {
            self.tell_congestion(Signal::Ecn, seen);
        }
        self.ecn.on_reduced();
        let episode = self.episode.begin();
        if hold {
            episode.cover.hold(seen.now + self.rtt.rto());
        }
        episode.undo.give_up(); // what was reduced before is not what an undo would restore
        episode.cover.on_reduced(self.board.nxt(), true);
        counters.seldom().ecn_reductions += 1;
        hold
    }

    pub(super) fn grow(&mut self, growth: &Growth) {
        let &Growth { octets, new, inflight, cwnd, last_rtt, application_limited, mss, now } = growth;
        if let Some(validation) = &mut self.validation {
            let srtt = self.rtt.srtt().unwrap_or_default();
            validation.on_ack(octets, self.cc.window(), srtt, now);
        }
        let before = self.board.una() - u64::from(octets);
        let used = self.used.on_ack(before, self.board.nxt(), inflight);
        let slow_start = cwnd < self.cc.ssthresh();
        let window_limited = inflight.saturating_add(mss) > cwnd || (slow_start && used.saturating_mul(2) >= cwnd);
        self.cc.on_ack(&Acked {
            octets: new,
            flight: inflight,
            rtt_us: last_rtt.map(Micros::saturated),
            srtt_us: self.rtt.srtt().map(Micros::saturated),
            window_limited,
            application_limited,
            now,
        });
    }
}
