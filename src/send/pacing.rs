//! Whether and when pacing holds segments back.

use super::Sender;
use super::pace;
use crate::{Config, Controller, Instant};

impl<C: Controller> Sender<C> {
    /// The controller hears whether segments are paced; where they are not, what the pacer has counted is past.
    pub(crate) fn tell_pacing(&mut self, config: &Config) {
        let paced = self.is_paced(config);
        self.cc.set_pacing(paced);
        if !paced {
            self.pacer.end();
        }
    }

    /// Whether segments are paced: the user asks for it, or the controller does.
    pub(crate) fn is_paced(&self, config: &Config) -> bool {
        config.pacing() || self.cc.requires_pacing()
    }

    /// Whether acknowledgments alone tell when segments leave, and the controller hears of nothing else: neither pacing
    /// nor rates.
    pub(crate) fn is_ack_clocked(&self, config: &Config) -> bool {
        !self.is_paced(config) && !self.cc.works_by_rates()
    }

    /// When `octets` may leave, if pacing holds them back.
    pub(crate) fn paced_until(&self, octets: u32, burst: u32, mss: u32, now: Instant) -> Option<Instant> {
        self.pacer.release(&self.flow_of(octets, burst, mss)?, now)
    }

    /// `octets` left.
    pub(crate) fn pace(&mut self, octets: u32, burst: u32, mss: u32, now: Instant) {
        if let Some(flow) = self.flow_of(octets, burst, mss) {
            self.pacer.begin().on_sent(&flow, now);
        }
    }

    /// The rate is the controller's, or a multiple of the window in a round trip, once one is measured.
    fn flow_of(&self, octets: u32, burst: u32, mss: u32) -> Option<pace::Flow> {
        let cwnd = self.cwnd(mss);
        let of_window = |round_trip| pace::rate_of(cwnd, cwnd < self.cc.ssthresh(), round_trip);
        let rate = self.cc.pacing_rate().or_else(|| self.rtt.paced_over().map(of_window))?;
        Some(pace::Flow { octets, rate, burst })
    }
}
