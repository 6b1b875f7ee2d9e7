//! NewReno's window (RFC 5681 §3.1, RFC 6582), grown by the octets acknowledged (RFC 3465).

use super::{Acked, Congestion, Controller, MAX_CWND, Signal, sane_initial, sane_mss};
use crate::Instant;

/// L: the segments that one acknowledgment may add in slow start. RFC 5681 (2) allows one; the two of RFC 3465 §2.3 are
/// an experiment, and not for the slow start after a timeout.
const LIMIT: u32 = 1;

/// RFC 5681's congestion window: slow start, congestion avoidance by octets, half on loss.
///
/// ```
/// use segue::congestion::{Acked, Controller, Reno};
/// use segue::Instant;
/// let mut reno = Reno::default();
/// reno.start(1460, 14_600, Instant::ZERO);
/// reno.on_ack(&Acked::new(1460, 14_600, Instant::from_millis(40)));
/// assert!(reno.window() > 14_600); // slow start
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Reno {
    mss: u32,
    cwnd: u32,
    ssthresh: u32,
    /// bytes_acked of RFC 3465 §2.1: since the window last grew in congestion avoidance.
    acked: u32,
    saved: Option<Saved>,
}

/// What a spurious loss restores (RFC 4015 §3.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Saved {
    cwnd: u32,
    ssthresh: u32,
}

impl Default for Reno {
    fn default() -> Self {
        Self { mss: 536, cwnd: 536, ssthresh: u32::MAX, acked: 0, saved: None }
    }
}

impl Reno {
    const fn least_ssthresh(&self) -> u32 {
        self.mss.saturating_mul(2)
    }
}

impl Controller for Reno {
    #[inline]
    fn works_by_rates(&self) -> bool {
        false
    }

    fn start(&mut self, mss: u32, initial: u32, _now: Instant) {
        *self = Self { mss: sane_mss(mss), cwnd: sane_initial(initial, mss), ..Self::default() };
    }

    fn on_ack(&mut self, acked: &Acked) {
        if !acked.window_limited {
            return; // the window was not what limited the sender: it proved nothing about more
        }
        if self.cwnd < self.ssthresh {
            let limit = self.mss.saturating_mul(LIMIT);
            self.cwnd = self.cwnd.saturating_add(acked.octets.min(limit)).min(MAX_CWND); // RFC 5681 (2)
        } else {
            // what was acknowledged beyond a window came from an older and larger one
            self.acked = self.acked.saturating_add(acked.octets.min(self.cwnd));
            if self.acked >= self.cwnd {
                self.acked -= self.cwnd;
                self.cwnd = self.cwnd.saturating_add(self.mss).min(MAX_CWND); // one segment per window acknowledged
            }
        }
    }

    fn on_congestion(&mut self, congestion: &Congestion) {
        let half = congestion.flight.min(MAX_CWND) / 2;
        let least = self.least_ssthresh();
        let before = Saved { cwnd: self.cwnd, ssthresh: self.ssthresh };
        self.acked = 0;
        match congestion.signal {
            Signal::Loss => {
                self.saved = Some(before);
                self.ssthresh = half.max(least); // RFC 5681 (4)
                self.cwnd = self.ssthresh.min(self.cwnd.max(least)); // the flight may be older than the window
            }
            Signal::Ecn => {
                self.saved = None; // a mark is no mistake
                self.ssthresh = half.max(least);
                self.cwnd = half.clamp(self.mss, self.cwnd.max(self.mss)); // RFC 3168 §6.1.2: down to one segment
            }
            Signal::Timeout => {
                self.saved = Some(before);
                self.ssthresh = half.max(least);
                self.cwnd = self.mss; // the loss window
            }
            Signal::TimeoutAgain => self.cwnd = self.mss, // ssthresh is held constant
        }
    }

    fn on_spurious(&mut self, _now: Instant) {
        let Some(saved) = self.saved.take() else { return };
        if self.cwnd < saved.cwnd {
            Saved { cwnd: self.cwnd, ssthresh: self.ssthresh } = saved;
        } else {
            self.ssthresh = self.ssthresh.max(saved.ssthresh); // pipe_prev, wherever cwnd is by now (RFC 4015 §3 (9))
        }
    }

    fn window(&self) -> u32 {
        self.cwnd
    }

    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    fn set_mss(&mut self, mss: u32) {
        self.mss = sane_mss(mss);
        self.cwnd = self.cwnd.max(self.mss);
        self.ssthresh = self.ssthresh.max(self.least_ssthresh());
        self.saved = None;
    }

    fn on_recovered(&mut self, flight: u32, _now: Instant) {
        // RFC 6582 §3.2 step 3, first choice: no burst when little is outstanding
        let enough = flight.max(self.mss).saturating_add(self.mss);
        self.cwnd = self.ssthresh.min(enough).min(self.cwnd.max(self.mss));
    }

    fn on_idle(&mut self, initial: u32, _now: Instant) {
        self.cwnd = self.cwnd.min(sane_initial(initial, self.mss)); // RFC 5681 §4.1: RW = min(IW, cwnd)
        self.saved = None;
    }

    fn on_unused(&mut self, initial: u32, _now: Instant) {
        self.ssthresh = self.ssthresh.max(self.cwnd / 4 * 3);
        self.cwnd = self.cwnd.min((self.cwnd / 2).max(sane_initial(initial, self.mss)));
        self.saved = None;
    }

    fn limit(&mut self, window: u32, _now: Instant) {
        self.cwnd = self.cwnd.min(window.max(self.mss));
        self.ssthresh = self.ssthresh.min(window.max(self.least_ssthresh()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;

    fn reno(segments: u32) -> Reno {
        let mut reno = Reno::default();
        reno.start(MSS, segments * MSS, Instant::ZERO);
        reno
    }

    fn signal(reno: &mut Reno, signal: Signal, flight: u32) -> (u32, u32) {
        reno.on_congestion(&Congestion::new(signal, flight, Instant::ZERO));
        (reno.window(), reno.ssthresh())
    }

    /// Acknowledges `octets`; the window after it.
    fn ack(reno: &mut Reno, octets: u32) -> u32 {
        reno.on_ack(&Acked::new(octets, reno.window(), Instant::ZERO));
        reno.window()
    }

    #[test]
    fn slow_start_adds_what_was_acknowledged_and_a_segment_at_most() {
        let mut reno = reno(10);
        assert_eq!(ack(&mut reno, 300), 10_300);
        assert_eq!(ack(&mut reno, 1000), 11_300);
        assert_eq!(ack(&mut reno, 8000), 12_300);
    }

    /// RFC 3465 §2.1: by octets, not by acknowledgments; a remainder counts for the next segment.
    #[test]
    fn congestion_avoidance_adds_a_segment_for_each_window_acknowledged() {
        for step in [1, 500, 1000, 2000] {
            let mut reno = reno(20);
            signal(&mut reno, Signal::Loss, 20 * MSS);
            let (mut acked, mut window) = (0, 10 * MSS);
            for _ in 0..5 {
                while ack(&mut reno, step) == window {
                    acked += step;
                }
                acked += step;
                window += MSS;
                assert_eq!(reno.window(), window);
            }
            assert_eq!(acked, 60 * MSS, "10 + 11 + 12 + 13 + 14 segments, in steps of {step}");
        }
    }

    /// RFC 5681 (4), from FlightSize and not from the window; RFC 3168 §6.1.2 goes down to one segment.
    #[test]
    fn congestion_halves_what_was_in_flight() {
        assert_eq!(signal(&mut reno(20), Signal::Loss, 12 * MSS), (6 * MSS, 6 * MSS));
        assert_eq!(signal(&mut reno(20), Signal::Loss, 3 * MSS), (2 * MSS, 2 * MSS));
        assert_eq!(signal(&mut reno(20), Signal::Ecn, 3 * MSS), (1500, 2 * MSS));
        assert_eq!(signal(&mut reno(20), Signal::Ecn, MSS), (MSS, 2 * MSS));
        assert_eq!(signal(&mut reno(4), Signal::Loss, 20 * MSS), (4 * MSS, 10 * MSS)); // never a larger window
        let mut reno = reno(20);
        assert_eq!(signal(&mut reno, Signal::Timeout, 12 * MSS), (MSS, 6 * MSS));
        assert_eq!(signal(&mut reno, Signal::TimeoutAgain, MSS), (MSS, 6 * MSS));
    }

    #[test]
    fn a_spurious_signal_is_undone_and_a_window_that_grew_past_it_stays() {
        let mut reno = reno(4);
        signal(&mut reno, Signal::Timeout, 4 * MSS);
        reno.on_spurious(Instant::ZERO);
        assert_eq!(reno, self::reno(4));
        signal(&mut reno, Signal::Timeout, 4 * MSS);
        while ack(&mut reno, MSS) <= 4 * MSS {}
        reno.on_spurious(Instant::ZERO);
        assert_eq!((reno.window(), reno.ssthresh()), (5 * MSS, u32::MAX)); // RFC 4015 §3 (9): pipe_prev
    }

    /// RFC 6582 §3.2 step 3: min (ssthresh, max (FlightSize, SMSS) + SMSS).
    #[test]
    fn recovery_ends_without_a_burst() {
        for (flight, window) in [(0, 2 * MSS), (3 * MSS, 4 * MSS), (30 * MSS, 10 * MSS)] {
            let mut reno = reno(20);
            signal(&mut reno, Signal::Loss, 20 * MSS);
            reno.on_recovered(flight, Instant::ZERO);
            assert_eq!((reno.window(), reno.ssthresh()), (window, 10 * MSS));
        }
    }

    #[test]
    fn an_unused_window_shrinks_to_its_half_and_the_threshold_remembers() {
        let mut reno = reno(40);
        signal(&mut reno, Signal::Loss, 40 * MSS);
        while ack(&mut reno, 20 * MSS) < 120 * MSS {}
        assert_eq!((reno.window(), reno.ssthresh()), (120 * MSS, 20 * MSS));
        reno.on_unused(10 * MSS, Instant::ZERO);
        assert_eq!((reno.window(), reno.ssthresh()), (60 * MSS, 90 * MSS));
    }
}
