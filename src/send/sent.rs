//! What left is noted: in the scoreboard, in the sequence numbers, for rates and the tail-loss probe.

use super::Sender;
use super::most_records;
use super::next::{Gate, Kind, Plan};
use super::rate;
use super::tail::Probe;
use crate::{Controller, Instant};

impl<C: Controller> Sender<C> {
    /// `plan` goes on the wire, in segments of `mss` octets. Returns whether it repeats something. Where there is room
    /// for `records` more, a segment sent again in part is cut in two.
    pub(crate) fn sent(&mut self, plan: &Plan, mss: u32, records: u32, now: Instant) -> bool {
        let (end, repeats) = (plan.end(), plan.seq.before(self.nxt));
        match plan.kind {
            Kind::Probe if repeats => self.board.mark_ambiguous(), // an octet of the first segment: it measures nothing
            Kind::New | Kind::Again | Kind::Rescue | Kind::Tail | Kind::Probe | Kind::MtuProbe => {
                let (from, to) = (self.position_of(plan.seq), self.position_of(end));
                if plan.kind == Kind::Probe && self.cc.works_by_rates() {
                    self.rate.on_application_limited(self.inflight()); // a probe of a closed window measures no path
                }
                if plan.kind == Kind::Tail && repeats {
                    self.note_tail_probe(from);
                }
                let mut rate = self.snapshot((end - plan.seq).min(mss), now);
                if repeats {
                    let again = from..to.min(self.board.nxt());
                    let before = self.board.sent_again(again.start, again.end, records >= 2, now, rate);
                    if let Some(validation) = &mut self.validation {
                        validation.on_again(end.min(self.nxt) - plan.seq);
                    }
                    if let Some(episode) = self.episode.active() {
                        episode.undo.on_again(again, before, now);
                        episode.recovery.high_rxt = episode.recovery.high_rxt.max(to);
                    }
                }
                let text_end = to - u32::from(plan.fin);
                while self.board.nxt() + mss < text_end {
                    self.board.sent(self.board.nxt() + mss, now, rate);
                    rate = rate.followed_by(mss);
                }
                self.board.sent(to, now, rate);
            }
        }
        match plan.kind {
            Kind::Tail => {
                self.episode.begin().probe = Some(Probe { end: self.board.nxt(), again: repeats });
                self.sampled = false;
            }
            Kind::New | Kind::Again | Kind::Rescue | Kind::Probe | Kind::MtuProbe => {}
        }
        if let Some(episode) = self.episode.active() {
            episode.on_sent(plan.kind, plan.seq == self.una, end - plan.seq);
        }
        self.nxt = self.nxt.max(end);
        self.last_sent = now;
        if plan.len > 0 {
            self.cc.on_sent(plan.len, self.inflight(), now);
        }
        repeats
    }

    /// What a segment of `octets` octets sent now remembers of the rate.
    pub(super) fn snapshot(&mut self, octets: u32, now: Instant) -> rate::Snapshot {
        if !self.cc.works_by_rates() {
            return self.rate.unsampled();
        }
        let inflight = self.inflight();
        if inflight == 0 && !self.syn && self.rate.is_application_limited() {
            self.cc.on_restart(now);
        }
        self.rate.on_sent(octets, inflight, now)
    }

    /// How many segments more may be in flight: their records are bounded by the send buffer.
    pub(crate) fn records_left(&self, send_buffer: u32, mss: u32) -> u32 {
        let taken = u32::try_from(self.board.len()).unwrap_or(u32::MAX);
        most_records(send_buffer, mss).saturating_sub(taken)
    }

    /// Segments in flight.
    pub(crate) fn flight_segments(&self) -> usize {
        self.board.len()
    }

    /// Whether less than a segment waits to be sent, for Nagle's algorithm or a cork: small writes limit the rate.
    pub(crate) fn lacks_a_segment(&self, gate: &Gate) -> bool {
        let lacks = || self.text_end().saturating_since(self.nxt) < gate.full && !self.board.has_lost();
        self.cc.works_by_rates() && lacks()
    }
}
