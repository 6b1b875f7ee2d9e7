//! Another congestion controller takes over while the connection lives.

use core::mem;

use super::Sender;
use super::prr::Prr;
use super::recovery::Phase;
use crate::{Config, Controller, Instant};

impl<C: Controller> Sender<C> {
    /// The controller decides from now on; the one before takes its place.
    ///
    /// It starts with the window that the path is known to carry: no more than the window before it, and of that as much
    /// as is in flight and not lost, or the `initial` window (RFC 5681 §4.1 has the same reasons after a pause). While losses
    /// are repaired that a controller by rates caused, nothing tells how much that is: then it is the `initial` window. The
    /// slow-start threshold stays; where the controller before had none because it works by rates, it is the window, if
    /// there is anything to go by.
    pub(crate) fn exchange_controller(
        &mut self,
        controller: &mut C,
        seed: u64,
        (mss, initial): (u32, u32),
        config: &Config,
        now: Instant,
    ) {
        let overshot = self.cc.works_by_rates() && !self.episode.recovery.is_open();
        let carried = if overshot { initial } else { self.inflight().max(initial) };
        let window = self.cc.window().min(carried).max(mss);
        let threshold = match self.cc.ssthresh() {
            u32::MAX if self.cc.works_by_rates() && window > initial => window,
            threshold => threshold.max(window),
        };
        self.swap_controller(controller, now);
        self.tell_pacing(config);
        self.cc.seed(seed);
        self.cc.start(mss, window, now);
        if let Some(srtt) = self.rtt.srtt() {
            self.cc.set_rtt(srtt.into(), self.rtt.min_rtt().unwrap_or(srtt).min(srtt).into());
        }
        if threshold < u32::MAX {
            self.cc.limit(threshold, now);
        }
        self.continue_episode(mss);
    }

    /// The controllers change places; the handshake may still go on. What was sent before gives no rates.
    pub(crate) fn swap_controller(&mut self, controller: &mut C, now: Instant) {
        mem::swap(&mut self.cc, controller);
        self.board.forget_rates();
        if self.cc.works_by_rates() {
            self.rate.begin_anew(now);
        } else {
            self.rate.end();
        }
    }

    /// Recovery goes on, on the way to the window of the new controller. It has reduced nothing, so that nothing it did
    /// can turn out to have been a mistake.
    fn continue_episode(&mut self, mss: u32) {
        let prr = Prr::new(self.cc.window(), self.flight(), self.inflight(), mss);
        if let Some(episode) = self.episode.active() {
            episode.undo.give_up();
            if let Phase::Fast(before) = &mut episode.recovery.phase {
                *before = prr;
            }
        }
    }
}
