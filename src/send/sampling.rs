//! What a controller that works by rates is told of each acknowledgment and of each loss.

use core::time::Duration;

use super::Sender;
use super::congestion::{Delivery, RateSample};
use super::delivered::{Before, Delivered};
use super::rate::{Newest, Rate};
use super::recovery::Detector;
use super::scoreboard::Sent;
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
    /// Where the probe of a larger MTU starts: its loss is none for congestion (RFC 4821 §7.7).
    mtu_probe: Option<Position>,
    now: Instant,
}

impl<'a, C: Controller> Losses<'a, C> {
    pub(super) const fn new(
        (cc, rate): (&'a mut C, &'a mut Rate),
        sack: bool,
        mtu_probe: Option<Position>,
        now: Instant,
    ) -> Self {
        Self { cc, rate, sack, mtu_probe, now }
    }

    /// Tells of a segment if it is `lost`, and gives that back.
    pub(super) fn tell_if(&mut self, lost: bool, sent: &Sent) -> bool {
        if lost {
            self.tell(sent);
        }
        lost
    }

    pub(super) fn tell(&mut self, sent: &Sent) {
        if !self.cc.works_by_rates() || self.mtu_probe == Some(sent.start) {
            return;
        }
        if let Some(lost) = self.rate.on_lost(sent, self.sack, self.now) {
            self.cc.on_lost(&lost);
        }
    }
}

impl<C: Controller> Sender<C> {
    pub(super) fn uses_sack(&self) -> bool {
        match self.detector {
            Detector::Rack | Detector::Sack => true,
            Detector::Duplicates => false,
        }
    }

    /// Where the probe of a larger MTU starts, if one is in flight.
    pub(super) fn mtu_probe_start(&self) -> Option<Position> {
        self.path_mtu.probe().map(|(start, _)| start)
    }

    /// The acknowledgment counts as delivered, before losses are looked for.
    pub(super) fn sample(&mut self, before: &Before, delivered: &Delivered) -> Sampled {
        let (octets, newest) = (delivered.delivered, delivered.newest);
        if !self.cc.works_by_rates() {
            let application_limited = self.rate.on_counted(octets, newest);
            return Sampled { rate: None, lost: 0, application_limited };
        }
        let rate = self.rate.on_delivered(octets, newest, before.now);
        let application_limited = rate.is_some_and(|sample| sample.application_limited);
        let rate = rate.filter(|_| !before.was_syn); // the one octet of a SYN tells of no rate
        Sampled { rate, lost: self.rate.lost(), application_limited }
    }

    /// The rest of it: with `lost` octets that turned out to be lost.
    pub(super) fn tell_delivery(
        &mut self,
        before: &Before,
        delivered: &Delivered,
        sampled: &Sampled,
        (lost, marked): (u32, bool),
    ) {
        if !self.cc.works_by_rates() || (delivered.delivered == 0 && lost == 0) {
            return;
        }
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

    /// The same for an acknowledgment in steady traffic: `last` is the last segment that it acknowledges whole.
    pub(super) fn tell_expected_delivery(
        &mut self,
        octets: u32,
        last: Option<&Sent>,
        rtt: Option<Micros>,
        (inflight, cwnd, mss): (u32, u32, u32),
        now: Instant,
    ) -> bool {
        let mut newest = Newest::default();
        if let Some(last) = last {
            newest.on_segment(last.rate, last.at);
        }
        let mut delivered = Delivered::nothing(Position::ISS);
        (delivered.delivered, delivered.newest, delivered.last_rtt) = (octets, newest, rtt);
        let before = Before { inflight, cwnd, ..self.before(mss, now) };
        let sampled = self.sample(&before, &delivered);
        self.tell_delivery(&before, &delivered, &sampled, (0, false));
        sampled.application_limited
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::Lost;
    use crate::congestion::{Acked, Congestion};
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
        let mut losses = Losses::new((&mut heard, &mut rate), true, Some(at(11)), now);
        assert!(all.iter().all(|sent| losses.tell_if(true, sent)) && !losses.tell_if(false, &all[0]));
        assert_eq!((heard.0, rate.lost()), (Vec::from([(10, 10, false), (5, 15, false), (7, 22, true)]), 22));
    }
}
