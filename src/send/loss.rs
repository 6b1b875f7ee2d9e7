//! Loss: found by acknowledgments, by the reordering timer or by the retransmission timeout, and what follows from it.

use super::Sender;
use super::congestion::{Congestion, Signal};
use super::delivered::{Before, Delivered};
use super::prr::Prr;
use super::rack::Facts;
use super::recovery::{Detector, Phase, lost_below};
use super::sampling::Losses;
use super::scoreboard::{Fate, Sent};
use crate::counts::Counts;
use crate::features::{RACK, SACK};
use crate::{Controller, Instant};

impl<C: Controller> Sender<C> {
    /// Takes as lost what this acknowledgment, or the time, shows to be. Returns the octets, but those of an MTU probe
    /// that was lost alone.
    pub(super) fn detect_loss(&mut self, before: &Before, delivered: &Delivered, recovered: bool) -> u32 {
        let lost = match self.detector {
            Detector::Rack if RACK => self.detect_by_time(before, delivered, recovered),
            Detector::Sack if SACK => self.detect_by_reports(before),
            Detector::Rack | Detector::Sack | Detector::Duplicates => {
                self.detect_by_duplicates(before, delivered, recovered)
            }
        };
        self.without_mtu_probe(lost, before)
    }

    /// RACK_detect_loss_and_arm_timer of RFC 8985 §6.2.
    fn detect_by_time(&mut self, before: &Before, delivered: &Delivered, recovered: bool) -> u32 {
        let mut reordering = self.episode.reordering;
        let reo_wnd = self.rack.update_reo_wnd(
            &mut reordering,
            &Facts {
                una: self.board.una(),
                nxt: self.board.nxt(),
                min_rtt: self.rtt.min_rtt(),
                srtt: self.rtt.srtt(),
                dsack: delivered.dsack.is_some(),
                recovering: !self.episode.recovery.is_open(),
                recovered,
                segs_sacked: self.board.sacked_segments(),
            },
        );
        if !reordering.is_past(self.board.una()) || !self.episode.is_at_rest() {
            self.episode.begin().reordering = reordering;
        }
        if let Some(episode) = self.episode.active() {
            episode.reorder_at = None;
        }
        let behind = self.board.first().is_some_and(|first| self.rack.sent_after(first));
        if self.board.is_in_order() && !behind {
            return 0; // whatever is outstanding was sent after what was delivered
        }
        let recover = self.episode.recovery.recover;
        let Self { board, rack, cc, rate, path_mtu, .. } = self;
        let mut losses = Losses::new((cc, rate, path_mtu), true, before.now);
        let (mut waits, mut after) = (false, false);
        let mut is_lost = |sent: &Sent| {
            let earlier = rack.sent_after(sent);
            let overdue = earlier && rack.is_overdue(sent, reo_wnd, before.now);
            waits |= earlier && !overdue;
            after |= overdue && sent.start >= recover;
            losses.tell_if(overdue, sent)
        };
        let lost = board.lose_fresh(&mut is_lost) + board.lose_again(&mut is_lost);
        self.note_lost_after(after);
        if waits {
            self.episode.begin().reorder_at = self.rack.all_overdue_at(reo_wnd);
        }
        lost
    }

    /// What was sent after the episode began was lost.
    fn note_lost_after(&mut self, after: bool) {
        if let Some(episode) = self.episode.active() {
            episode.recovery.lost_after |= after;
        }
    }

    /// IsLost of RFC 6675 §4, and its third duplicate (§5).
    fn detect_by_reports(&mut self, before: &Before) -> u32 {
        let recover = self.episode.recovery.recover;
        let mut after = false;
        let Self { board, cc, rate, path_mtu, .. } = self;
        let mut losses = Losses::new((cc, rate, path_mtu), true, before.now);
        let lost = lost_below(board, before.mss).map_or(0, |edge| {
            board.lose_fresh(|sent| {
                let lost = sent.end <= edge;
                after |= lost && sent.start >= recover;
                losses.tell_if(lost, sent)
            })
        });
        self.note_lost_after(after);
        if lost == 0 && self.episode.recovery.is_third_duplicate(self.board.una()) {
            return self.lose_first(before);
        }
        lost
    }

    /// RFC 6582 §3.2: the third duplicate, and then each partial acknowledgment, tell of one segment; but one that ends
    /// inside of what went again already tells of nothing.
    fn detect_by_duplicates(&mut self, before: &Before, delivered: &Delivered, recovered: bool) -> u32 {
        let recovery = &self.episode.recovery;
        let goes_on = recovery.is_fast() && before.was_fast && !recovered;
        let partial = goes_on && delivered.octets > 0 && self.board.una() >= recovery.high_rxt;
        if partial || recovery.is_third_duplicate(self.board.una()) {
            self.episode.begin().first_due |= partial; // whatever the window: nothing else may be in flight that would ask for it
            return self.lose_first(before);
        }
        0
    }

    /// Duplicate acknowledgments tell that the first segment is lost. Returns the octets.
    fn lose_first(&mut self, before: &Before) -> u32 {
        let (most, sack) = (self.first_len(before.mss), self.uses_sack());
        let Self { board, cc, rate, path_mtu, .. } = self;
        let mut losses = Losses::new((cc, rate, path_mtu), sack, before.now);
        board.lose_first(most, |sent| losses.tell(sent))
    }

    /// The window shrinks, once in an episode; fast recovery takes it there.
    pub(super) fn reduce(&mut self, signal: Signal, before: &Before) {
        let covered = self.episode.cover.covers(self.board.una()); // by the reduction for a mark (RFC 3168 §6.1.2)
        if !covered {
            self.tell_congestion(signal, before);
            self.ecn.on_reduced();
        }
        let inflight = self.inflight();
        let prr = Prr::new(self.cc.window(), before.outstanding, inflight, before.mss);
        let first = self.board.una() + self.board.len_at(self.board.una()).min(before.mss);
        let nxt = self.board.nxt();
        let episode = self.episode.begin();
        episode.recovery.enter(Phase::Fast(prr), first, nxt, inflight);
        if covered {
            episode.cover.extend(nxt);
            episode.undo.give_up();
        } else {
            episode.cover.on_reduced(nxt, false);
            episode.undo.begin(false);
        }
        self.forget_tail_probe();
    }

    /// The controller hears of congestion. FlightSize is without what limited transmit added (RFC 5681 §3.2 step 2).
    pub(super) fn tell_congestion(&mut self, signal: Signal, before: &Before) {
        let flight = before.flight.min(before.cwnd);
        let used = self.validation.as_mut().and_then(|validation| validation.on_congestion(flight));
        if let Some(used) = used {
            self.cc.limit(used, before.now); // the rest of the window was not validated (RFC 7661 §4.4.1)
        }
        let inflight = self.inflight();
        self.cc.on_congestion(&Congestion { signal, flight: used.unwrap_or(flight), inflight, now: before.now });
    }

    /// The reordering timer: RACK looks again.
    pub(crate) fn on_reorder_timeout(&mut self, mss: u32, counters: &mut Counts, now: Instant) {
        if !RACK {
            return;
        }
        let before = self.before(mss, now);
        let lost = self.detect_loss(&before, &Delivered::nothing(self.fack()), false);
        if lost > 0 && self.episode.recovery.is_open() {
            self.reduce(Signal::Loss, &before);
            counters.rare().fast_retransmits += 1;
        }
        self.end_episode(now);
    }

    /// RETRANSMISSION TIMEOUT: the first segment is lost, and with it what was sent too long ago (RFC 8985 §6.3), or
    /// everything in flight where there is no time to go by.
    pub(crate) fn on_timeout(&mut self, counters: &mut Counts, now: Instant) {
        self.rtt.on_timeout();
        self.repeats = self.repeats.saturating_add(1);
        if self.syn {
            counters.rare().timeouts += 1;
            self.board.lose_where(&mut |_| true);
            return;
        }
        if self.board.first().is_some_and(|first| first.fate == Fate::Sacked) {
            self.board.forget_reports(); // SND.UNA was reported, but is not acknowledged: the peer reneged
        }
        let (una, by_time) = (self.board.una(), RACK && self.detector == Detector::Rack);
        let reo_wnd = self.rack.reo_wnd(&self.episode.reordering, &self.rtt);
        let sack = self.uses_sack();
        let Self { board, rack, cc, rate, path_mtu, .. } = self;
        let mut losses = Losses::new((cc, rate, path_mtu), sack, now);
        board.lose_where(&mut |sent| {
            let lost = !by_time || sent.start == una || rack.is_overdue(sent, reo_wnd, now);
            losses.tell_if(lost, sent)
        });
        self.restart(counters, now);
        self.episode.begin().first_due = true;
    }

    /// The retransmission timer ran on in a fast recovery without SACK while holes went again (RFC 6582 §3.2 step 3):
    /// when it may expire for the first segment, if that went again so lately that it must not go yet (RFC 6298 §5).
    pub(crate) fn first_expires(&self, now: Instant) -> Option<Instant> {
        let first =
            self.board.first().filter(|first| first.again && self.episode.recovery.holds_timer(self.detector))?;
        let due = first.at + self.rtt.rto();
        (due > now).then_some(due)
    }

    /// That timer expired: slow start takes the place of a recovery that repairs one hole in each round trip. What went
    /// again less than an RTO ago is on its way, and the first segment has not timed out yet.
    pub(crate) fn abandon_recovery(&mut self, counters: &mut Counts, now: Instant) {
        let rto = self.rtt.rto();
        let sack = self.uses_sack();
        let Self { board, cc, rate, path_mtu, .. } = self;
        let mut losses = Losses::new((cc, rate, path_mtu), sack, now);
        board.lose_where(&mut |sent| losses.tell_if(!sent.again || sent.at + rto <= now, sent));
        self.restart(counters, now);
    }

    /// The window is the loss window; an episode begins, or goes on with its ssthresh.
    fn restart(&mut self, counters: &mut Counts, now: Instant) {
        counters.rare().timeouts += 1;
        let covered = self.episode.cover.covers(self.board.una());
        let first = self.episode.recovery.is_open() && !covered; // else ssthresh is reduced already
        let signal = if first { Signal::Timeout } else { Signal::TimeoutAgain };
        self.cc.on_congestion(&Congestion { signal, flight: self.flight(), inflight: self.inflight(), now });
        if let Some(validation) = &mut self.validation {
            validation.on_timeout();
        }
        self.ecn.on_reduced();
        let (nxt, inflight) = (self.board.nxt(), self.inflight());
        let episode = self.episode.begin();
        if first {
            episode.undo.begin(true);
        } else {
            episode.undo.give_up();
        }
        episode.cover.on_reduced(nxt, false);
        episode.recovery.enter(Phase::Timeout, nxt, nxt, inflight);
        episode.reorder_at = None;
        self.forget_tail_probe();
    }
}
