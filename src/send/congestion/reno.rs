//! Slow start and congestion avoidance (RFC 5681 §3.1).

use super::{Acked, Congestion, Controller, MAX_CWND, Signal};
use crate::Instant;

/// RFC 5681's congestion window: slow start, congestion avoidance by octets, half on loss.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reno {
    mss: u32,
    cwnd: u32,
    ssthresh: u32,
    /// Octets acknowledged since the window last grew in congestion avoidance.
    acked: u32,
}

impl Default for Reno {
    fn default() -> Self {
        Self { mss: 536, cwnd: 536, ssthresh: u32::MAX, acked: 0 }
    }
}

impl Controller for Reno {
    fn start(&mut self, mss: u32, initial: u32, _now: Instant) {
        *self = Self { mss, cwnd: initial, ssthresh: u32::MAX, acked: 0 };
    }

    fn on_ack(&mut self, acked: &Acked) {
        if !acked.window_limited {
            return; // the window was not what limited the sender: it proved nothing about more
        }
        if self.cwnd < self.ssthresh {
            self.cwnd = self.cwnd.saturating_add(acked.octets.min(self.mss)).min(MAX_CWND); // (2): min (N, SMSS)
        } else {
            self.acked = self.acked.saturating_add(acked.octets);
            if self.acked >= self.cwnd {
                self.acked -= self.cwnd;
                self.cwnd = self.cwnd.saturating_add(self.mss).min(MAX_CWND); // one segment per window acknowledged
            }
        }
    }

    fn on_congestion(&mut self, congestion: &Congestion) {
        let half = (congestion.flight / 2).max(self.mss.saturating_mul(2)); // (4)
        self.acked = 0;
        match congestion.signal {
            Signal::Loss | Signal::Ecn => {
                self.ssthresh = half;
                self.cwnd = half;
            }
            Signal::Timeout => {
                self.ssthresh = half;
                self.cwnd = self.mss; // the loss window
            }
            Signal::TimeoutAgain => self.cwnd = self.mss, // ssthresh is held constant
        }
    }

    fn window(&self) -> u32 {
        self.cwnd
    }

    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    fn set_mss(&mut self, mss: u32) {
        self.mss = mss;
        self.cwnd = self.cwnd.max(mss);
    }

    fn on_recovered(&mut self, flight: u32, _now: Instant) {
        // RFC 6582 §3.2 step 3, first choice: no burst when little is outstanding
        self.cwnd = self.ssthresh.min(flight.max(self.mss).saturating_add(self.mss));
    }

    fn on_idle(&mut self, initial: u32, _now: Instant) {
        self.cwnd = self.cwnd.min(initial); // RFC 5681 §4.1: RW = min(IW, cwnd)
    }
}
