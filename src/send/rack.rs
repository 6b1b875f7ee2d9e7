//! RACK: loss and reordering told apart by time (RFC 8985 §6).

use super::rtt::Rtt;
use super::scoreboard::{DUP_THRESH, Sent};
use crate::Instant;
use crate::features::RACK;
use crate::invariant::{Broken, holds};
use crate::stream::Position;
use crate::time::Micros;

/// The granularity of the timestamp clock.
const TICK: Micros = Micros::from_millis(1);
/// Recoveries for which a reordering window that grew is kept (RFC 8985 §6.2, step 4).
const PERSIST: u8 = 16;

/// The variables of RFC 8985 §5.3 that last as long as the connection, but for RACK.min_RTT, which the round-trip
/// estimator keeps.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Rack {
    /// RACK.xmit_ts and RACK.end_seq of RACK.segment, the most recently sent segment that was delivered.
    xmit_ts: Instant,
    end: Position,
    /// RACK.rtt, in microseconds, the unit of our clock. None counts as 0: at one instant nothing is overdue, and
    /// nothing is lost twice. 0: there is no RACK.segment.
    rtt: u32,
    reordering_seen: bool,
    reo_wnd_mult: u16,
    reo_wnd_persist: u8,
}

/// Those of an episode.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Reordering {
    /// RACK.fack, the highest number acknowledged cumulatively or selectively, where that is more than SND.UNA.
    pub(crate) fack: Position,
    dsack_round: Option<Position>,
    /// RACK.reo_wnd, as the last acknowledgment left it.
    reo_wnd: Option<Micros>,
}

impl Reordering {
    pub(crate) const NONE: Self = Self { fack: Position::ISS, dsack_round: None, reo_wnd: None };

    /// Whether nothing beyond SND.UNA was delivered, and no round of a report of duplicates goes on.
    pub(crate) fn is_past(&self, una: Position) -> bool {
        self.fack <= una && self.dsack_round.is_none()
    }
}

/// What the reordering window depends on beside RACK's own variables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) una: Position,
    pub(crate) nxt: Position,
    pub(crate) min_rtt: Option<Micros>,
    pub(crate) srtt: Option<Micros>,
    /// This acknowledgment reports a duplicate.
    pub(crate) dsack: bool,
    /// Fast recovery or RTO recovery is going on.
    pub(crate) recovering: bool,
    /// Fast recovery or RTO recovery has just ended.
    pub(crate) recovered: bool,
    /// RACK.segs_sacked, at least as far as it matters.
    pub(crate) segs_sacked: u32,
}

impl Rack {
    pub(crate) const fn new() -> Self {
        Self {
            xmit_ts: Instant::ZERO,
            end: Position::ISS,
            rtt: 0,
            reordering_seen: false,
            reo_wnd_mult: 1,
            reo_wnd_persist: 0,
        }
    }

    pub(crate) fn check_times(&self, now: Instant) -> Result<(), Broken> {
        holds(self.xmit_ts <= now, "RACK.segment was sent later than now")
    }

    /// RACK.segment is this one, unless it was sent before RACK.segment; it took `rtt`.
    fn follow(&mut self, sent: &Sent, rtt: Micros) {
        if !self.sent_after(sent) {
            (self.xmit_ts, self.end) = (sent.at, sent.end);
        }
        self.rtt = rtt.saturated().max(1);
    }

    /// Steps 2 and 3: a segment is newly acknowledged. `echoed` is when our clock showed the timestamp that came back.
    /// `fack` is RACK.fack.
    pub(crate) fn on_delivered(
        &mut self,
        sent: &Sent,
        fack: &mut Position,
        (echoed, min_rtt): (Option<Instant>, Option<Micros>),
        now: Instant,
    ) {
        if !RACK {
            return;
        }
        self.detect_reordering(sent, fack);
        let rtt = now.since(sent.at);
        let timely = match (echoed, min_rtt) {
            (Some(echoed), _) if echoed < whole_millis(sent.at) => false,
            // A round trip of a tick or more needs no heuristic. RACK.min_RTT may be an echo's, up to a tick too long.
            (Some(_), Some(min_rtt)) => rtt >= min_rtt.min(TICK),
            (None, Some(min_rtt)) => rtt >= min_rtt,
            (echoed, None) => echoed.is_some(), // nothing tells the original from what was sent again
        };
        if sent.again && !timely {
            return; // it was not the last retransmission that arrived
        }
        self.follow(sent, rtt);
    }

    /// The same for a segment that was sent once, in order, and is acknowledged in order.
    pub(crate) fn on_delivered_in_order(&mut self, sent: &Sent, now: Instant) {
        if RACK {
            self.follow(sent, now.since(sent.at));
        }
    }

    fn detect_reordering(&mut self, sent: &Sent, fack: &mut Position) {
        if sent.end > *fack {
            *fack = sent.end;
        } else if sent.end < *fack && !sent.again {
            self.reordering_seen = true;
        }
    }

    /// A fast retransmission was spurious: the original was delivered out of order.
    pub(crate) const fn on_spurious(&mut self) {
        self.reordering_seen = true;
    }

    /// Step 4.
    pub(crate) fn update_reo_wnd(&mut self, reordering: &mut Reordering, facts: &Facts) -> Micros {
        let round = &mut reordering.dsack_round;
        if round.is_some_and(|round| facts.una >= round) {
            *round = None;
        }
        if round.is_none() && facts.dsack {
            *round = Some(facts.nxt);
            self.reo_wnd_mult = self.reo_wnd_mult.saturating_add(1);
            self.reo_wnd_persist = PERSIST;
        } else if facts.recovered {
            self.reo_wnd_persist = self.reo_wnd_persist.saturating_sub(1);
            if self.reo_wnd_persist == 0 {
                self.reo_wnd_mult = 1;
            }
        }
        let at_once = !self.reordering_seen && (facts.recovering || facts.segs_sacked >= DUP_THRESH);
        let reo_wnd = if at_once { Micros::ZERO } else { self.usual_reo_wnd(facts.min_rtt, facts.srtt) };
        reordering.reo_wnd = Some(reo_wnd);
        reo_wnd
    }

    /// RACK.reo_wnd, as the last acknowledgment left it.
    pub(crate) fn reo_wnd(&self, reordering: &Reordering, rtt: &Rtt) -> Micros {
        reordering.reo_wnd.unwrap_or_else(|| self.usual_reo_wnd(rtt.min_rtt(), rtt.srtt()))
    }

    /// RACK.reo_wnd where reordering was seen, or nothing tells of loss.
    fn usual_reo_wnd(&self, min_rtt: Option<Micros>, srtt: Option<Micros>) -> Micros {
        let window = |(min_rtt, srtt): (Micros, Micros)| (min_rtt.times(self.reo_wnd_mult.into()) / 4).min(srtt);
        min_rtt.zip(srtt).map_or(Micros::ZERO, window)
    }

    /// Step 5: whether RACK.segment was sent after this one.
    pub(crate) fn sent_after(&self, sent: &Sent) -> bool {
        (self.xmit_ts, self.end) > (sent.at, sent.end) // no segment ends at the ISS
    }

    /// Step 5, and §6.3: whether this one is overdue. RACK.rtt is 0 until it is measured.
    pub(crate) fn is_overdue(&self, sent: &Sent, reo_wnd: Micros, now: Instant) -> bool {
        sent.at + self.rtt() + reo_wnd <= now
    }

    /// When all that was sent before RACK.segment is overdue.
    pub(crate) fn all_overdue_at(&self, reo_wnd: Micros) -> Option<Instant> {
        (self.rtt > 0).then(|| self.xmit_ts + self.rtt() + reo_wnd)
    }

    /// RACK.rtt.
    const fn rtt(&self) -> Micros {
        Micros::from_u32(self.rtt)
    }

    pub(crate) fn rebase(&mut self, ago: impl Fn(Instant) -> Instant) {
        let Self { xmit_ts: _, end: _, rtt: _, reordering_seen: _, reo_wnd_mult: _, reo_wnd_persist: _ } = self; // a field that is added has to be looked at here
        if self.rtt > 0 {
            self.xmit_ts = ago(self.xmit_ts);
        }
    }
}

/// An instant as the timestamp clock shows it (RFC 7323 §5.4).
pub(crate) const fn whole_millis(at: Instant) -> Instant {
    Instant::from_micros(at.as_micros() - at.as_micros() % 1000)
}

#[cfg(feature = "rack")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::send::scoreboard::Fate;

    const MIN_RTT: Micros = Micros::new(151_235);

    /// RACK after a segment that was sent again is acknowledged: the echo is what the clock showed at `echoed`.
    fn after(at: Instant, rtt: Micros, echoed: Option<Instant>) -> Option<Micros> {
        let rate = super::super::rate::Snapshot::default();
        let (start, end) = (Position::ISS + 1, Position::ISS + 2);
        let sent = Sent { start, end, at, fate: Fate::InFlight, again: true, rate };
        let mut rack = Rack::new();
        rack.on_delivered(&sent, &mut Position::default(), (echoed.map(whole_millis), Some(MIN_RTT)), at + rtt);
        (rack.rtt > 0).then(|| rack.rtt())
    }

    /// RFC 8985 §6.2, step 2: an echo is up to a tick early, and so RACK.min_RTT up to a tick too long. Where the echo
    /// tells that the last retransmission arrived, RACK.rtt follows it, at whatever part of a tick it was sent.
    #[test]
    fn the_echo_of_a_retransmission_counts_whatever_part_of_a_tick_min_rtt_has() {
        for phase in (0..1000).step_by(7) {
            let at = Instant::from_micros(5_000_000 + phase);
            let rtt = Micros::new(151_000);
            assert_eq!(after(at, rtt, Some(at)), Some(rtt), "{phase}");
            let earlier = Instant::from_micros(4_999_999);
            assert_eq!(after(at, rtt, Some(earlier)), None, "the original, or an earlier retransmission");
            assert_eq!(after(at, rtt, None), None, "without timestamps RACK.min_RTT decides");
            assert_eq!(after(at, Micros::new(999), Some(at)), None, "within a tick both have one timestamp");
        }
    }
}
