//! Loss: found by acknowledgments, by the reordering timer or by the retransmission timeout, and what follows from it.

use super::Sender;
use super::acks::Seen;
use super::congestion::{Congestion, Signal};
use super::prr::Prr;
use super::rack::Facts;
use super::recovery::{Detector, Phase, lost_below};
use super::scoreboard::{Fate, Sent};
use crate::{Controller, Counters, Instant};

impl<C: Controller> Sender<C> {
    /// Takes as lost what this acknowledgment, or the time, shows to be. Returns the octets, but those of an MTU probe that
    /// was lost alone.
    pub(super) fn detect_loss(&mut self, seen: &Seen) -> u32 {
        let lost = match self.recovery.detector {
            Detector::Rack => self.detect_by_time(seen),
            Detector::Sack => self.detect_by_reports(seen),
            Detector::Duplicates => self.detect_by_duplicates(seen),
        };
        self.without_mtu_probe(lost, seen)
    }

    /// RACK_detect_loss_and_arm_timer of RFC 8985 §6.2.
    pub(super) fn detect_by_time(&mut self, seen: &Seen) -> u32 {
        self.rack.update_reo_wnd(&Facts {
            una: self.board.una(),
            nxt: self.board.nxt(),
            min_rtt: self.rtt.min_rtt(),
            srtt: self.rtt.srtt(),
            dsack: seen.dsack(),
            recovering: !self.recovery.is_open(),
            recovered: seen.recovered,
            segs_sacked: self.board.sacked_segments(),
        });
        if self.board.is_in_order() {
            self.reorder_at = None;
            return 0; // whatever is outstanding was sent after what was delivered
        }
        let recover = self.recovery.recover;
        let Self { board, rack, .. } = self;
        let (mut waits, mut after) = (false, false);
        let mut is_lost = |sent: &Sent| {
            let earlier = rack.sent_after(sent);
            let overdue = earlier && rack.is_overdue(sent, seen.now);
            waits |= earlier && !overdue;
            after |= overdue && sent.start >= recover;
            overdue
        };
        let lost = board.lose_fresh(&mut is_lost) + board.lose_again(&mut is_lost);
        self.recovery.lost_after |= after;
        self.reorder_at = if waits { self.rack.all_overdue_at() } else { None };
        lost
    }

    /// IsLost of RFC 6675 §4, and its third duplicate (§5).
    fn detect_by_reports(&mut self, seen: &Seen) -> u32 {
        let recover = self.recovery.recover;
        let mut after = false;
        let lost = lost_below(&self.board, seen.mss).map_or(0, |edge| {
            self.board.lose_fresh(|sent| {
                let lost = sent.end <= edge;
                after |= lost && sent.start >= recover;
                lost
            })
        });
        self.recovery.lost_after |= after;
        if lost == 0 && self.recovery.is_third_duplicate(self.board.una()) {
            return self.board.lose_first(self.first_len(seen.mss));
        }
        lost
    }

    /// RFC 6582 §3.2: the third duplicate, and then each partial acknowledgment, tell of one segment; but one that ends inside
    /// of what went again already tells of nothing.
    fn detect_by_duplicates(&mut self, seen: &Seen) -> u32 {
        let partial = self.recovery.is_fast() && seen.is_partial() && self.board.una() >= self.recovery.high_rxt;
        if partial || self.recovery.is_third_duplicate(self.board.una()) {
            self.first_due |= partial; // whatever the window: nothing else may be in flight that would ask for it
            return self.board.lose_first(self.first_len(seen.mss));
        }
        0
    }

    /// The window shrinks, once in an episode; fast recovery takes it there.
    pub(super) fn reduce(&mut self, signal: Signal, seen: &Seen) {
        let covered = self.ecn.covers(self.board.una()); // by the reduction for a mark (RFC 3168 §6.1.2)
        if covered {
            self.ecn.extend(self.board.nxt());
        } else {
            self.tell_congestion(signal, seen);
            self.ecn.on_reduced(self.board.nxt(), false);
        }
        let inflight = self.inflight();
        let prr = Prr::new(self.cc.window(), seen.outstanding, inflight, seen.mss);
        let first = self.board.una() + u64::from(self.board.len_at(self.board.una()).min(seen.mss));
        self.recovery.enter(Phase::Fast(prr), first, self.board.nxt(), inflight);
        if covered {
            self.undo.give_up();
        } else {
            self.undo.begin(false);
        }
        self.tail.reset();
    }

    /// The controller hears of congestion. FlightSize is without what limited transmit added (RFC 5681 §3.2 step 2).
    pub(super) fn tell_congestion(&mut self, signal: Signal, seen: &Seen) {
        let flight = seen.flight.min(seen.cwnd);
        let used = self.validation.on_congestion(flight);
        if let Some(used) = used {
            self.cc.limit(used, seen.now); // the rest of the window was not validated (RFC 7661 §4.4.1)
        }
        self.cc.on_congestion(&Congestion { signal, flight: used.unwrap_or(flight), now: seen.now });
    }

    /// The reordering timer: RACK looks again.
    pub(crate) fn on_reorder_timeout(&mut self, mss: u32, counters: &mut Counters, now: Instant) {
        let seen = self.look(now, mss);
        let lost = self.detect_loss(&seen);
        if lost > 0 && self.recovery.is_open() {
            self.reduce(Signal::Loss, &seen);
            counters.fast_retransmits += 1;
        }
    }

    /// RETRANSMISSION TIMEOUT: the first segment is lost, and with it what was sent too long ago (RFC 8985 §6.3), or
    /// everything in flight where there is no time to go by.
    pub(crate) fn on_timeout(&mut self, counters: &mut Counters, now: Instant) {
        self.rtt.on_timeout();
        self.repeats = self.repeats.saturating_add(1);
        if self.syn {
            counters.timeouts += 1;
            self.reorder_at = None;
            self.board.lose_where(|_| true);
            return;
        }
        if self.board.first().is_some_and(|first| first.fate == Fate::Sacked) {
            self.board.forget_reports(); // SND.UNA was reported, but is not acknowledged: the peer reneged
        }
        let (una, by_time) = (self.board.una(), self.recovery.detector == Detector::Rack);
        let Self { board, rack, .. } = self;
        board.lose_where(|sent| !by_time || sent.start == una || rack.is_overdue(sent, now));
        self.restart(counters, now);
        self.first_due = true;
    }

    /// The retransmission timer ran on in a fast recovery without SACK while holes went again (RFC 6582 §3.2 step 3): when it
    /// may expire for the first segment, if that went again so lately that it must not go yet (RFC 6298 §5).
    pub(crate) fn first_expires(&self, now: Instant) -> Option<Instant> {
        let first = self.board.first().filter(|first| first.again && self.recovery.holds_timer())?;
        let due = first.at + self.rtt.rto();
        (due > now).then_some(due)
    }

    /// That timer expired: slow start takes the place of a recovery that repairs one hole in each round trip. What went again
    /// less than an RTO ago is on its way, and the first segment has not timed out yet.
    pub(crate) fn abandon_recovery(&mut self, counters: &mut Counters, now: Instant) {
        let rto = self.rtt.rto();
        self.board.lose_where(|sent| !sent.again || sent.at + rto <= now);
        self.restart(counters, now);
    }

    /// The window is the loss window; an episode begins, or goes on with its ssthresh.
    fn restart(&mut self, counters: &mut Counters, now: Instant) {
        counters.timeouts += 1;
        self.reorder_at = None;
        let first = self.recovery.is_open() && !self.ecn.covers(self.board.una()); // else ssthresh is reduced already
        let signal = if first { Signal::Timeout } else { Signal::TimeoutAgain };
        self.cc.on_congestion(&Congestion { signal, flight: self.flight(), now });
        self.validation.on_timeout();
        if first {
            self.undo.begin(true);
        } else {
            self.undo.give_up();
        }
        self.ecn.on_reduced(self.board.nxt(), false);
        self.recovery.enter(Phase::Timeout, self.board.nxt(), self.board.nxt(), self.inflight());
        self.tail.reset();
    }
}
