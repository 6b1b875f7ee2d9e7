//! Loss recovery: which phase the sender is in, and what the window is in each (RFC 5681 §3.2, RFC 6582, RFC 6675).

use super::prr::Prr;
use super::scoreboard::{DUP_THRESH, Scoreboard};
use crate::stream::Position;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Phase {
    /// No loss known.
    Open,
    /// Fast recovery: lost segments are sent again, and departures follow arrivals.
    Fast(Prr),
    /// After a retransmission timeout: slow start.
    Timeout,
}

/// How loss is detected.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Detector {
    /// RFC 8985.
    Rack,
    /// RFC 6675: with SACK, when RACK is switched off.
    Sack,
    /// RFC 6582: without SACK.
    Duplicates,
}

/// The phase, and what it needs beside the scoreboard.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Recovery {
    pub(crate) phase: Phase,
    /// RecoveryPoint: the highest number sent when the last episode began. One episode, one reduction.
    pub(crate) recover: Position,
    /// Duplicate acknowledgments since SND.UNA advanced.
    pub(crate) dups: u32,
    /// Without SACK: octets that duplicate acknowledgments tell have left the network.
    pub(crate) departed: u32,
    /// How many more may have left: what was in flight when recovery began, or at the last partial acknowledgment.
    credit: u32,
    /// In fast recovery: what was sent after it began was lost as well.
    pub(crate) lost_after: bool,
    /// In fast recovery: there was a partial acknowledgment.
    partial: bool,
    /// HighRxt of RFC 6675 §2: how far the retransmissions of this fast recovery reach.
    pub(crate) high_rxt: Position,
    /// RescueRxt of RFC 6675 §4 (4): a rescue may go when more than this is acknowledged.
    pub(crate) rescue: Position,
}

impl Recovery {
    /// No loss is known or suspected.
    pub(crate) const OPEN: Self = Self {
        phase: Phase::Open,
        recover: Position::ISS,
        dups: 0,
        departed: 0,
        credit: 0,
        lost_after: false,
        partial: false,
        high_rxt: Position::ISS,
        rescue: Position::ISS,
    };

    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether there was any episode since all was at rest.
    pub(crate) fn has_begun(&self) -> bool {
        !self.is_open() || self.recover > Position::ISS
    }

    /// Whether there is no loss, and `una` is beyond RecoveryPoint.
    pub(crate) fn is_past(&self, una: Position) -> bool {
        self.is_open() && (self.dups, self.departed) == (0, 0) && una > self.recover
    }

    pub(crate) fn is_fast(&self) -> bool {
        matches!(self.phase, Phase::Fast(_))
    }

    /// A duplicate acknowledgment: without SACK a segment has left, as far as one can tell.
    pub(crate) fn on_duplicate(&mut self, detector: Detector, mss: u32) {
        self.dups = self.dups.saturating_add(1);
        if detector != Detector::Duplicates {
            return;
        }
        if !self.is_open() {
            let left = mss.min(self.credit);
            self.departed = self.departed.saturating_add(left);
            self.credit -= left;
        } else {
            self.limited_transmit(mss);
        }
    }

    /// Limited Transmit (RFC 3042 §2): each of the first two duplicates lets one segment of new text go, beyond cwnd.
    fn limited_transmit(&mut self, mss: u32) {
        if self.dups < DUP_THRESH {
            self.departed = self.departed.saturating_add(mss);
        }
    }

    /// SND.UNA advanced by `octets`, `flight` are left. Returns how many of them duplicates had told of before.
    pub(crate) fn on_advance(&mut self, octets: u32, flight: u32, mss: u32) -> u32 {
        self.dups = 0;
        self.credit = flight;
        let told = if self.is_open() { self.departed } else { self.departed.min(octets.saturating_sub(mss)) };
        self.departed -= told;
        told.min(octets)
    }

    /// A partial acknowledgment came, in fast recovery: whether it restarts the retransmission timer. Without SACK only
    /// the first does (RFC 6582 §3.2 step 3): a recovery that repairs one hole in each round trip ends in a timeout
    /// when there are many.
    pub(crate) fn on_partial(&mut self, detector: Detector) -> bool {
        let later = core::mem::replace(&mut self.partial, true);
        !(later && detector == Detector::Duplicates)
    }

    /// Whether the retransmission timer runs on, whatever goes again.
    pub(crate) fn holds_timer(&self, detector: Detector) -> bool {
        self.is_fast() && self.partial && detector == Detector::Duplicates
    }

    /// Whether the third duplicate means loss: not of what was sent before the last episode began (RFC 6582 §3.2
    /// step 1).
    pub(crate) fn is_third_duplicate(&self, una: Position) -> bool {
        self.is_open() && self.dups == DUP_THRESH && una > self.recover
    }

    /// An episode begins with `inflight` octets in the network; the first segment ends at `first`.
    pub(crate) fn enter(&mut self, phase: Phase, first: Position, nxt: Position, inflight: u32) {
        self.credit = inflight;
        self.phase = phase;
        self.recover = nxt;
        self.lost_after = false;
        self.partial = false;
        self.high_rxt = Position::ISS;
        self.rescue = first;
        if phase == Phase::Timeout {
            (self.dups, self.departed) = (0, 0);
        }
    }

    /// Everything sent before the episode began is acknowledged, or the episode was a mistake.
    pub(crate) fn leave(&mut self) {
        self.phase = Phase::Open;
        (self.dups, self.departed) = (0, 0);
    }
}

/// IsLost of RFC 6675 §4: what ends at or before this position, and is not reported, is lost, since DupThresh ranges or
/// more than DupThresh - 1 segments are reported above it.
pub(crate) fn lost_below(board: &Scoreboard, mss: u32) -> Option<Position> {
    let enough = u64::from(mss) * u64::from(DUP_THRESH - 1);
    let mut octets = 0;
    let mut ranges = 0;
    board.sacked().iter_down().take(3).find_map(|(start, end)| {
        ranges += 1;
        octets += u64::from(end - start);
        (ranges == DUP_THRESH || octets > enough).then_some(start)
    })
}
