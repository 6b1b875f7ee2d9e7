//! What an acknowledgment does to the sender: mistakes undone, loss found, the window. The facts come first: `Before`
//! and `Delivered`; then the `Verdict` on them, and the response.

use super::Sender;
use super::congestion::{Acked, Signal};
use super::delivered::{Before, Delivered};
use super::feedback::Feedback;
use super::prr::Progress;
use super::recovery::{Detector, Phase};
use super::tail::{Answer, Outcome};
use super::undo::{Evidence, Spurious};
use crate::counts::Counts;
use crate::features::{RACK, UNDO};
use crate::stream::Position;
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
    pub(crate) text: u32,
    /// The retransmission timer restarts (RFC 6298 (5.3)).
    pub(crate) restarts_timer: bool,
}

/// What the facts of an acknowledgment come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Verdict {
    /// The last reduction was a mistake.
    undone: bool,
    /// Recovery ended.
    recovered: bool,
    /// The tail-loss probe repaired a loss.
    repaired: bool,
    /// Octets that were lost.
    lost: u32,
    /// What was delivered was sent when the application had no more to send.
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

impl<C: Controller> Sender<C> {
    /// SND.UNA =< SEG.ACK =< SND.NXT.
    pub(crate) fn on_ack<B: Iterator<Item = (SeqNum, SeqNum)> + Clone>(
        &mut self,
        ack: &Ack<B>,
        feedback: Option<Feedback<'_>>,
        mss: u32,
        counters: &mut Counts,
        now: Instant,
    ) -> Newly {
        let before = self.before(mss, now);
        let mut delivered = self.deliver(ack, &before);
        if delivered.duplicate {
            counters.rare().duplicate_acks += 1;
        }
        let marked = match feedback {
            Some(feedback) => self.take_feedback(feedback, &mut delivered, mss),
            None => ack.marked && self.ecn.is_capable(),
        };
        let verdict = self.judge(&before, &delivered, marked, counters);
        self.respond(&before, &delivered, (&verdict, marked), counters);
        let held = marked && self.heed_mark(&before, counters);
        let partial = before.was_fast && !verdict.recovered;
        let restarts = delivered.octets > 0 && (!partial || self.restarts_by_partial());
        self.end_episode(now);
        Newly { text: delivered.text, restarts_timer: held || restarts }
    }

    /// SEG.ACK < SND.UNA. What the blocks report counts as in any other ACK; but F-RTO, which goes by the order of
    /// ACKs, does not ask it (RFC 5682 §3.1), and it ends no recovery.
    pub(crate) fn on_old_ack<B: Iterator<Item = (SeqNum, SeqNum)> + Clone>(
        &mut self,
        ack: &Ack<B>,
        mss: u32,
        counters: &mut Counts,
        now: Instant,
    ) {
        let before = self.before(mss, now);
        let mut delivered = self.deliver_reports(ack, &before);
        let undone = self.undo_mistake(&before, &delivered, counters);
        self.count_duplicate(false, &before, &mut delivered);
        if delivered.duplicate {
            counters.rare().duplicate_acks += 1;
        }
        let sampled = self.sample(&before, &delivered);
        let lost = self.detect_loss(&before, &delivered, false);
        self.tell_delivery(&before, &delivered, &sampled, (lost, false));
        let verdict = Verdict { undone, recovered: false, repaired: false, lost, application_limited: false };
        self.respond(&before, &delivered, (&verdict, false), counters);
        self.end_episode(now);
    }

    fn judge(&mut self, before: &Before, delivered: &Delivered, marked: bool, counters: &mut Counts) -> Verdict {
        let undone = self.undo_mistake(before, delivered, counters);
        let recovered = self.leave_recovery(before);
        let repaired = self.tail_repaired(delivered);
        let sampled = self.sample(before, delivered);
        let told = repaired.map_or(0, |end| self.tell_repaired(end, before.now));
        let lost = self.detect_loss(before, delivered, recovered);
        self.tell_delivery(before, delivered, &sampled, (lost.saturating_add(told), marked));
        let repaired = repaired.is_some();
        Verdict { undone, recovered, repaired, lost, application_limited: sampled.application_limited }
    }

    /// Whether a partial acknowledgment restarts the retransmission timer.
    fn restarts_by_partial(&mut self) -> bool {
        let detector = self.detector;
        self.episode.active().is_none_or(|episode| episode.recovery.on_partial(detector))
    }

    /// Whether the last reduction turns out to have been a mistake: then it is undone.
    fn undo_mistake(&mut self, before: &Before, delivered: &Delivered, counters: &mut Counts) -> bool {
        let Some(episode) = self.episode.active().filter(|_| UNDO) else { return false };
        let evidence = Evidence {
            before: self.board.una() - delivered.octets,
            una: self.board.una(),
            nxt: self.board.nxt(),
            advanced: delivered.octets > 0,
            duplicate: delivered.duplicate,
            sack: self.detector != Detector::Duplicates,
            echoed: delivered.echoed,
            dsack: delivered.dsack,
            unreported: before.unreported,
            dsack_seen: self.dsack_seen,
            original: delivered.original,
            beyond: delivered.beyond,
            recover: before.recover,
        };
        let Some(kind) = episode.undo.on_ack(&evidence) else { return false };
        // Losses of this flight begin an episode of their own (RFC 5682 §2.1 (3b)).
        episode.recovery.leave();
        episode.recovery.recover = self.board.una().saturating_sub(1);
        episode.cover.on_undone(self.board.una());
        self.ecn.on_undone();
        counters.rare().spurious_recoveries += 1;
        match kind {
            Spurious::Timeout => self.rtt.on_spurious_timeout(),
            Spurious::FastRetransmit => self.rack.on_spurious(),
        }
        self.cc.on_spurious(before.now);
        self.board.find_lost();
        true
    }

    /// Whether everything sent before the episode began is acknowledged.
    fn leave_recovery(&mut self, before: &Before) -> bool {
        if self.episode.recovery.is_open() || self.board.una() < self.episode.recovery.recover {
            return false;
        }
        if before.was_fast {
            self.cc.on_recovered(self.board.inflight(), before.now);
            let window = self.cc.window();
            if let Some(window) = self.validation.as_mut().and_then(|validation| validation.on_recovered(window)) {
                self.cc.limit(window, before.now);
            }
        } else if self.cc.works_by_rates() {
            self.cc.on_recovered(self.board.inflight(), before.now); // a controller by windows has slow-started
        }
        let again = before.was_fast && self.episode.recovery.lost_after;
        self.episode.begin().on_recovered(self.board.nxt());
        if again && self.board.outstanding() > 0 {
            self.reduce(Signal::Loss, before); // loss in two successive windows is two indications (RFC 5681 §4.3)
        }
        true
    }

    /// The end of what the tail-loss probe sent again, if that repaired a loss.
    fn tail_repaired(&mut self, delivered: &Delivered) -> Option<Position> {
        let probe = self.episode.probe.filter(|_| RACK)?;
        let dsack_end = delivered.dsack.map(|(_, end)| end);
        let answer = Answer { una: self.board.una(), dsack_end, bare_duplicate: delivered.bare_duplicate };
        let outcome = probe.on_ack(&answer);
        if outcome != Outcome::Open {
            if let Some(episode) = self.episode.active() {
                episode.probe = None;
            }
        }
        match outcome {
            Outcome::Open => None,
            Outcome::Arrived => {
                self.rate.take_probed();
                None
            }
            Outcome::Repaired => Some(probe.end),
        }
    }

    /// The window: less for loss, as recovery allows while it goes on, more for progress. It does not grow with an echo
    /// of a mark (RFC 3168 §6.1.2); a scalable controller knows by itself which octets were marked.
    fn respond(
        &mut self,
        before: &Before,
        delivered: &Delivered,
        (verdict, marked): (&Verdict, bool),
        counters: &mut Counts,
    ) {
        let &Verdict { undone, recovered: _, repaired, lost, application_limited } = verdict;
        if self.episode.recovery.is_open() && (lost > 0 || repaired) {
            self.reduce(Signal::Loss, before);
            if lost > 0 {
                counters.rare().fast_retransmits += 1;
            }
            if self.board.una() >= self.episode.recovery.recover {
                self.episode.begin().on_recovered(self.board.nxt()); // what was lost is repaired already
            }
        }
        let inflight = self.inflight();
        if let Some(Phase::Fast(prr)) = self.episode.active().map(|episode| &mut episode.recovery.phase) {
            let safe = delivered.octets > 0 && lost == 0;
            return prr.on_ack(&Progress { delivered: delivered.delivered, inflight, safe, mss: before.mss });
        }
        let grows = delivered.octets > 0 && !before.was_syn && !undone && !self.deflates(before); // RFC 4015 §3.4
        if grows && (!marked || self.is_l4s()) {
            // What ends fast recovery acknowledges what was delivered before: that was no growth then, and is none now.
            let octets = delivered.octets;
            self.grow(&Growth {
                octets,
                new: if before.was_fast { octets.min(delivered.delivered) } else { octets },
                inflight: before.inflight,
                cwnd: before.cwnd,
                last_rtt: delivered.last_rtt,
                application_limited,
                mss: before.mss,
                now: before.now,
            });
        }
    }

    /// Without SACK, what ends fast recovery sets the window and does no more (RFC 5681 §3.2 step 6); with it, the
    /// acknowledgment is one like others (RFC 9438 §4.3).
    fn deflates(&self, before: &Before) -> bool {
        before.was_fast && self.detector == Detector::Duplicates
    }

    /// RFC 3168 §6.1.2: an echo reduces the window, once for the marks and losses of a window of data. Returns whether
    /// the retransmission timer must start anew, because no window is small enough: then it lowers the rate further.
    fn heed_mark(&mut self, before: &Before, counters: &mut Counts) -> bool {
        if self.is_l4s() || !self.episode.cover.must_reduce(self.board.una(), before.flight) {
            return false; // a scalable controller has heard of the marks (RFC 9331 §4.3)
        }
        let hold = self.cc.window() <= before.mss;
        if !hold {
            self.tell_congestion(Signal::Ecn, before);
        }
        self.ecn.on_reduced();
        let episode = self.episode.begin();
        if hold {
            episode.cover.hold(before.now + self.rtt.rto());
        }
        episode.undo.give_up(); // what was reduced before is not what an undo would restore
        episode.cover.on_reduced(self.board.nxt(), true);
        counters.rare().ecn_reductions += 1;
        hold
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn grow(&mut self, growth: &Growth) {
        let &Growth { octets, new, inflight, cwnd, last_rtt, application_limited, mss, now } = growth;
        if let Some(validation) = &mut self.validation {
            let srtt = self.rtt.srtt().unwrap_or_default();
            validation.on_ack(octets, self.cc.window(), srtt, now);
        }
        let before = self.board.una() - octets;
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
