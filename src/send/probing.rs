//! Probes for a larger path MTU: when one may leave, and what its loss means (RFC 4821 §7.4 to §7.6).

use super::Sender;
use super::delivered::Before;
use super::next::{Gate, Kind, Next, Plan, Wait};
use super::path_mtu::ProbeLoss;
use super::recovery::Detector;
use crate::features::PATH_MTU;
use crate::stream::Position;
use crate::time::Micros;
use crate::{Controller, Instant};

/// Segments that follow a probe, so that its loss shows by what arrives after it: DupThresh, but with RACK-TLP one is
/// enough.
const FOLLOWERS: u32 = 3;
/// Octets of text in a packet of the usual size.
const USUAL: u32 = 1460;
/// After a probe that a timeout found lost, the next one waits this many times longer (RFC 4821 §7.6.3).
pub(crate) const AFTER_TIMEOUT: u32 = 5;

impl<C: Controller> Sender<C> {
    /// A probe with `len` octets of text, or the wait until there is room for it; `None`: new text goes in segments of
    /// the usual size. The preconditions of RFC 4821 §7.4: nothing is lost, reported or being recovered; the windows
    /// and the queue hold the probe and what follows it. While something is in flight acknowledgments make that room,
    /// as far as windows and queue are large enough: new text waits for them.
    pub(super) fn next_mtu_probe(&self, len: u32, gate: &Gate) -> Option<Next> {
        let quiet = self.episode.recovery.is_open() && self.board.sacked_segments() == 0 && !self.board.has_lost();
        let held = gate.held || gate.records < 2 || self.urgent || self.episode.probe.is_some();
        if !PATH_MTU || !quiet || held || len <= gate.mss {
            return None;
        }
        let needed = len + self.mtu_probe_followers() * gate.mss;
        let (text, cwnd) = (self.text_end() - self.una, self.cwnd(gate.mss));
        let queued = self.text_end().saturating_since(self.nxt);
        let comes = queued >= needed || gate.send_room < needed; // the user waits for room in the send buffer
        if text.min(self.wnd).min(cwnd) < needed || !comes {
            return None;
        }
        let window = (self.una + self.wnd).saturating_since(self.nxt);
        if queued.min(window) < needed || self.inflight() + len > cwnd {
            return (self.flight() > 0).then_some(Next::Wait(Wait::Ack));
        }
        Some(Next::Send(Plan { seq: self.nxt, len, syn: false, fin: false, kind: Kind::MtuProbe }))
    }

    /// Of `len` octets of text in a probe as many as are useful (RFC 4821 §7.1): half of the peer's largest window,
    /// since no segment of new text is larger (RFC 9293 §3.8.6.2.1), and half of the send buffer. Where that is less, a
    /// window that opens by its half has room for the probe and for what follows (RFC 9293 §3.8.6.2.2); for more it may
    /// never have.
    pub(crate) fn useful_mtu_probe(&self, len: u32, mss: u32, send_buffer: u32) -> u32 {
        let half = send_buffer.min(self.max_wnd) / 2;
        if len <= half { len } else { half.saturating_sub(self.mtu_probe_followers() * mss) }
    }

    /// Segments that are to follow a probe.
    fn mtu_probe_followers(&self) -> u32 {
        if self.detector == Detector::Rack { 1 } else { FOLLOWERS }
    }

    /// `lost` octets were just found lost. Returns those that tell of congestion: all but a probe that was lost alone
    /// (RFC 4821 §7.6.2).
    pub(super) fn without_mtu_probe(&mut self, lost: u32, before: &Before) -> u32 {
        let Some((start, end)) = self.path_mtu.probe().filter(|_| lost > 0) else { return lost };
        let all = self.board.outstanding() - self.board.inflight();
        let alone = all == end - start && self.episode.recovery.is_open();
        let loss = match (self.board.is_lost(start), alone) {
            (true, true) => ProbeLoss::Alone,
            (true, false) => ProbeLoss::WithOthers,
            (false, _) => ProbeLoss::Others,
        };
        let next = before.now + self.mtu_probe_interval(before.mss);
        if self.path_mtu.on_loss(loss, self.board.nxt(), next) { 0 } else { lost }
    }

    /// The expected time between two losses for congestion: as many round trips as the window has packets (RFC 4821
    /// §7.6.2). The packets are those of a path of the usual size: a window of as many octets in tiny ones loses no
    /// less often, and while they are tiny a larger MTU is worth most. The round trip is the shortest: an outage
    /// that made the MTU fall left a smoothed one of minutes, which takes dozens of samples to come back.
    pub(crate) fn mtu_probe_interval(&self, mss: u32) -> Micros {
        let rtt = self.rtt.min_rtt().or(self.rtt.srtt()).unwrap_or(self.rtt.base_rto());
        rtt.times(self.cwnd(mss).div_ceil(mss.max(USUAL)))
    }

    /// Octets of the segment at SND.UNA that is lost: a whole MTU probe, or else no more than an MSS.
    pub(super) fn first_len(&self, mss: u32) -> u32 {
        let una = self.board.una();
        self.path_mtu.probe().filter(|(start, _)| *start == una).map_or(mss, |_| self.board.len_at(una).max(mss))
    }

    /// A router says that the probe was too big.
    pub(crate) fn lose_mtu_probe(&mut self, (start, end): (Position, Position)) {
        self.board.lose_where(&mut |sent| start <= sent.start && sent.end <= end);
    }

    /// When the next probe may leave, after one that a timeout found lost: by the window before that timeout.
    pub(crate) fn after_mtu_probe_timeout(&self, mss: u32, now: Instant) -> Instant {
        now + self.mtu_probe_interval(mss).times(AFTER_TIMEOUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, Config, SeqNum};

    /// An outage leaves a smoothed round trip of minutes, since the echo of what was sent before it comes late; with the first
    /// sample after it the search goes by the path again.
    #[test]
    fn rfc_4821_7_6_2_round_trips_across_an_outage_do_not_delay_the_search() {
        let (config, mut now) = (Config::default(), Instant::from_secs(1));
        let mut sender = Sender::new(SeqNum::new(0), Algorithm::default(), &config, now);
        sender.rtt.on_sample(Micros::from_millis(20), 1, now);
        let before = sender.mtu_probe_interval(536);
        for _ in 0..50 {
            now += Micros::from_secs(100);
            sender.rtt.on_sample(Micros::from_secs(100), 1, now);
        }
        sender.rtt.on_sample(Micros::from_millis(20), 1, now);
        assert!(sender.rtt.srtt().is_some_and(|srtt| srtt > Micros::from_secs(50)));
        assert_eq!(sender.mtu_probe_interval(536), before);
    }
}
