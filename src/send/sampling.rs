//! What a controller that works by rates is told of each acknowledgment and of each loss.

use core::time::Duration;

use super::congestion::{Delivery, RateSample};
use super::delivered::{Before, Delivered};
use super::rate::Rate;
use super::recovery::Detector;
use super::scoreboard::Sent;
use super::{PathMtu, Sender};
use crate::stream::Position;
use crate::time::Micros;
use crate::{Controller, Instant};

/// What an acknowledgment delivered, before it is known what it shows to be lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sampled {
    rate: Option<RateSample>,
    /// C.lost then.
    lost: u32,
    /// What was delivered was sent when the application had no more to send.
    pub(super) application_limited: bool,
}

/// Tells the controller of segments that are found lost, if it works by rates.
pub(super) struct Losses<'a, C> {
    cc: &'a mut C,
    rate: &'a mut Rate,
    sack: bool,
    path_mtu: &'a PathMtu,
    now: Instant,
}

impl<'a, C: Controller> Losses<'a, C> {
    #[inline]
    pub(super) const fn new(
        (cc, rate, path_mtu): (&'a mut C, &'a mut Rate, &'a PathMtu),
        sack: bool,
        now: Instant,
    ) -> Self {
        Self { cc, rate, path_mtu, sack, now }
    }

    /// Tells of a segment if it is `lost`, and gives that back.
    #[inline]
    pub(super) fn tell_if(&mut self, lost: bool, sent: &Sent) -> bool {
        if lost {
            self.tell(sent);
        }
        lost
    }

    #[cold]
    #[inline(never)]
    pub(super) fn tell(&mut self, sent: &Sent) {
        // the loss of a probe for a larger MTU is none for congestion (RFC 4821 §7.7)
        let is_probe = || self.path_mtu.probe().is_some_and(|(start, _)| start == sent.start);
        if !self.cc.works_by_rates() || is_probe() {
            return;
        }
        if let Some(lost) = self.rate.on_lost(sent.rate, sent.start..sent.end, self.sack, self.now) {
            self.cc.on_lost(&lost);
        }
    }
}

/// Without SACK an acknowledgment that fills a hole delivers at once what came over a long time: that is no rate.
fn unreliable(rate: RateSample) -> RateSample {
    RateSample { delivered: 0, interval: Duration::ZERO, ..rate }
}

impl<C: Controller> Sender<C> {
    pub(super) fn uses_sack(&self) -> bool {
        match self.detector {
            Detector::Rack | Detector::Sack => true,
            Detector::Duplicates => false,
        }
    }

    /// The acknowledgment counts as delivered, before losses are looked for.
    pub(super) fn sample(&mut self, before: &Before, delivered: &Delivered) -> Sampled {
        if self.cc.works_by_rates() {
            return self.sample_rate(before, delivered);
        }
        let application_limited = self.rate.on_counted(delivered.delivered, delivered.newest);
        Sampled { rate: None, lost: 0, application_limited }
    }

    #[inline(never)]
    fn sample_rate(&mut self, before: &Before, delivered: &Delivered) -> Sampled {
        let rate = self.rate.on_delivered(delivered.delivered, before.now);
        let application_limited = rate.is_some_and(|sample| sample.application_limited);
        let rate = rate.filter(|_| !before.was_syn); // the one octet of a SYN tells of no rate
        let rate = if before.was_open || self.uses_sack() { rate } else { rate.map(unreliable) };
        Sampled { rate, lost: self.rate.lost(), application_limited }
    }

    /// A tail-loss probe sends the segment at `start` again.
    #[inline(never)]
    pub(super) fn note_tail_probe(&mut self, start: Position) {
        if let Some(snapshot) = self.board.snapshot_at(start).filter(|_| self.cc.works_by_rates()) {
            self.rate.on_tail_probe(start, snapshot);
        }
    }

    /// No tail-loss probe is out any more, or it is of no use.
    pub(super) fn forget_tail_probe(&mut self) {
        if let Some(episode) = self.episode.active() {
            episode.probe = None;
        }
        self.rate.take_probed();
    }

    /// The tail-loss probe repaired the loss of what it sent again, up to `end`: no other loss detection has told of it (RFC
    /// 8985 §7.4.2). Returns the octets that the controller hears of.
    #[cold]
    #[inline(never)]
    pub(super) fn tell_repaired(&mut self, end: Position, now: Instant) -> u32 {
        let Some((start, snapshot)) = self.rate.take_probed() else { return 0 };
        let Some(lost) = self.rate.on_lost(snapshot, start..end, true, now) else { return 0 };
        self.cc.on_lost(&lost);
        lost.octets
    }

    /// The rest of it: with `lost` octets that turned out to be lost.
    pub(super) fn tell_delivery(
        &mut self,
        before: &Before,
        delivered: &Delivered,
        sampled: &Sampled,
        (lost, marked): (u32, bool),
    ) {
        if self.cc.works_by_rates() && (delivered.delivered > 0 || lost > 0) {
            self.tell_rate(before, delivered, sampled, (lost, marked));
        }
    }

    #[inline(never)]
    fn tell_rate(&mut self, before: &Before, delivered: &Delivered, sampled: &Sampled, (lost, marked): (u32, bool)) {
        let since = self.rate.lost().wrapping_sub(sampled.lost);
        let rate = sampled.rate.map(|rate| RateSample { lost: rate.lost.saturating_add(since), ..rate });
        let delivery = Delivery {
            octets: delivered.delivered,
            lost,
            inflight: self.inflight(),
            delivered: self.rate.delivered(),
            rate,
            rtt: delivered.last_rtt.map(Duration::from),
            min_rtt: self.rtt.min_rtt().map(Duration::from),
            ecn_echo: marked,
            ce_octets: delivered.marks.octets,
            ce_packets: delivered.marks.packets,
            l4s: self.is_l4s(),
            recovering: !self.episode.recovery.is_open(),
            window_limited: before.inflight.saturating_add(before.mss) > before.cwnd,
            sack: self.uses_sack(),
            now: before.now,
        };
        self.cc.on_delivery(&delivery);
        if self.cc.marks_application_limited() {
            self.rate.on_application_limited(self.inflight());
        }
    }

    /// The next `octets` octets are about to be acknowledged, where segments are in order.
    #[cold]
    #[inline(never)]
    pub(super) fn sample_in_order(&mut self, octets: u32) {
        if let Some(last) = self.board.last_before(self.board.una() + octets) {
            self.rate.on_segment(&last.rate, last.at);
        }
    }

    /// The same for an acknowledgment in steady traffic, if the controller works by rates.
    #[cold]
    #[inline(never)]
    pub(super) fn tell_expected_delivery(
        &mut self,
        octets: u32,
        rtt: Option<Micros>,
        (inflight, cwnd, mss): (u32, u32, u32),
        now: Instant,
    ) -> bool {
        let mut delivered = Delivered::nothing(Position::ISS);
        (delivered.delivered, delivered.last_rtt) = (octets, rtt);
        let before = Before { inflight, cwnd, ..self.before(mss, now) };
        let sampled = self.sample(&before, &delivered);
        self.tell_delivery(&before, &delivered, &sampled, (0, false));
        sampled.application_limited
    }
}

#[cfg(feature = "path-mtu")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::Lost;
    use crate::congestion::{Acked, Congestion};
    use crate::send::Packet;
    use crate::send::scoreboard::Fate;
    use alloc::vec::Vec;

    /// What it heard of lost segments: octets, those lost since, and whether the segment adjoins.
    #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
    struct Heard(Vec<(u32, u32, bool)>);

    impl Controller for Heard {
        fn start(&mut self, _: u32, _: u32, _: Instant) {}
        fn on_ack(&mut self, _: &Acked) {}
        fn on_congestion(&mut self, _: &Congestion) {}
        fn window(&self) -> u32 {
            10_000
        }
        fn on_lost(&mut self, lost: &Lost) {
            self.0.push((lost.octets, lost.lost, lost.adjoins));
        }
    }

    /// The loss of a probe of a larger MTU tells of no congestion, and is not counted; nor is one that nobody sampled.
    #[test]
    fn a_probe_of_the_mtu_is_no_loss() {
        let (mut heard, mut rate, now) = (Heard::default(), Rate::default(), Instant::ZERO);
        let at = |place: u32| Position::ISS + place;
        let mut sent = |from: u32, to: u32, sampled: bool| {
            let snapshot = if sampled { rate.on_sent(to - from, 0, now) } else { rate.unsampled() };
            Sent { start: at(from), end: at(to), at: now, fate: Fate::Lost, again: false, rate: snapshot }
        };
        let all = [sent(1, 11, true), sent(11, 31, true), sent(31, 36, true), sent(36, 40, false), sent(36, 43, true)];
        let mut path_mtu = PathMtu::new();
        let (start, end) = (at(11), at(31));
        path_mtu.on_sent(&Packet { start, end, size: 1500, again: false, first: false, probe: true });
        let mut losses = Losses::new((&mut heard, &mut rate, &path_mtu), true, now);
        assert!(all.iter().all(|sent| losses.tell_if(true, sent)) && !losses.tell_if(false, &all[0]));
        assert_eq!((heard.0, rate.lost()), (Vec::from([(10, 10, false), (5, 15, false), (7, 22, true)]), 22));
    }
}
