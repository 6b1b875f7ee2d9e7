//! What holds of a sender at all times.

use super::Sender;
use crate::invariant::{Broken, holds};
use crate::{Controller, Instant};

impl<C: Controller> Sender<C> {
    pub(crate) fn check_invariants(&self) -> Result<(), Broken> {
        self.board.check_invariants()?;
        holds(self.cc.works_by_rates() || !self.rate.is_sampling(), "samples of rates, and nobody who asks for them")?;
        self.board.check_rates(self.cc.works_by_rates(), self.rate.delivered())?;
        holds(self.episode.is_at_rest() || !self.episode.is_at_start(), "memory for an episode that is none")?;
        let probe = self.episode.probe.map(|probe| probe.end);
        holds(probe.is_none_or(|end| end <= self.board.nxt()), "a tail-loss probe of what was not sent")?;
        let brings = |from| probe.is_some_and(|end| from < end);
        holds(self.rate.probed_from().is_none_or(brings), "what a tail-loss probe brings, and no probe")?;
        self.episode.check_invariants()?;
        self.rtt.check_invariants()?;
        self.buffer.check_invariants()?;
        holds(self.board.nxt() - self.board.una() == self.flight(), "the scoreboard and SND.NXT differ")?;
        holds(!self.syn || self.una == self.iss, "the SYN is not acknowledged, and SND.UNA is not ISS")?;
        // Measured from SND.UNA, since what is queued may reach half the circle away.
        holds(self.flight() <= self.end() - self.una, "SND.NXT is beyond what is queued")?;
        self.small.check_invariants(self.una, self.buffer.len())?;
        holds(self.wnd <= self.max_wnd, "SND.WND is beyond MAX.SND.WND")?;
        holds(self.shift <= 14, "windows are scaled by more than 14")?; // RFC 7323 §2.3
        let rounding = self.edge - (self.una + self.wnd);
        holds(self.syn || rounding < 1 << self.shift, "the promised edge is beyond the window")?;
        holds(self.up().is_none_or(|up| up.after(self.una)), "SND.UP is acknowledged")
    }

    /// SND.UNA is as far from ISS as in the scoreboard.
    pub(crate) fn check_place(&self) -> Result<(), Broken> {
        holds(self.iss + self.board.una().wrapped() == self.una, "the scoreboard and SND.UNA differ")
    }

    /// Nothing was sent later than now.
    pub(crate) fn check_times(&self, now: Instant) -> Result<(), Broken> {
        self.board.check_times(now)?;
        self.rack.check_times(now)
    }
}
