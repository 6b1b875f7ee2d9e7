//! The sender in steady traffic: new text leaves and is acknowledged in order. What `sent` and `on_ack` come to then.

use super::acks::Growth;
use super::recovery::Detector;
use super::{Fin, Sender};
use crate::time::Micros;
use crate::{Config, Controller, Instant, SeqNum};
use bytes::Bytes;

/// New text that leaves in one event.
pub(crate) struct Burst {
    /// Octets of a packet.
    size: u16,
    /// Octets up to the last that the user pushed (MUST-61, MAY-15).
    pushed: u32,
    begun: bool,
}

impl<C: Controller> Sender<C> {
    /// Whether nothing is lost, late, in doubt or urgent, nothing was sent again, and neither SYN nor FIN is
    /// unacknowledged: an acknowledgment of something new acknowledges the segments in flight in the order of their
    /// sending, and one of nothing new tells nothing.
    pub(crate) fn is_steady(&self) -> bool {
        !self.syn
            && self.fin == Fin::None
            && !self.urgent
            && self.episode.is_at_rest()
            && self.board.is_plain()
            && self.probed == 0
    }

    /// Octets of text that were never sent, while neither SYN nor FIN is unacknowledged.
    #[inline]
    pub(crate) fn unsent(&self) -> u32 {
        self.buffer.len() - self.flight()
    }

    /// Everything is sent, while the sender is steady: what `on_idle` does then.
    #[inline]
    pub(crate) fn on_all_sent(&mut self, mss: u32) {
        let flight = self.flight();
        if flight < self.cc.window().max(mss) {
            self.rate.on_application_limited(flight);
        }
    }

    /// Octets of new text that the peer's window and the congestion window leave room for.
    #[inline]
    pub(crate) fn room_for_new(&self, mss: u32) -> u32 {
        let flight = self.flight(); // all of it is in the network, as far as known
        let cwnd = self.cc.window().max(mss).saturating_sub(flight);
        self.wnd.saturating_sub(flight).min(cwnd)
    }

    /// New text is about to leave in full segments, in packets of `size` octets, while the sender is steady.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn begin_text(&mut self, size: u16) -> Burst {
        let pushed = (self.buffer.len() - self.small.unpushed()).saturating_sub(self.flight());
        Burst { size, pushed, begun: false }
    }

    /// `len` octets of new text leave in segments of `full`: what `sent` does then. Returns the text, and whether it
    /// gets the PSH bit.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn send_text(&mut self, burst: &mut Burst, len: u32, full: u32, now: Instant) -> (Bytes, bool) {
        let inflight = self.flight();
        let text = self.buffer.slice(self.buffer.start() + inflight, usize::try_from(len).unwrap_or(usize::MAX));
        let rate = self.rate.unsampled(); // a controller that works by rates does not come here
        let to = self.board.nxt() + len;
        while self.board.nxt() + full < to {
            self.board.sent(self.board.nxt() + full, now, rate);
        }
        self.board.sent(to, now, rate);
        self.nxt += len;
        self.cc.on_sent(len, inflight + len, now);
        if !burst.begun {
            burst.begun = true;
            self.path_mtu.on_text(inflight == 0, to, burst.size); // what follows in packets of this size proves no more
        }
        let push = (1..=len).contains(&burst.pushed);
        burst.pushed = burst.pushed.saturating_sub(len);
        (text, push)
    }

    /// `octets` left, in segments of `full`.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn end_text(&mut self, octets: u32, full: u32, now: Instant) {
        if octets > 0 {
            self.last_sent = now;
            self.small.on_sent(self.nxt, octets, full);
        }
    }

    /// SND.UNA < SEG.ACK =< SND.NXT without reports or marks, while the sender is steady: what `on_ack` does then.
    /// `echoed` tells when our clock showed the timestamp that came back. Returns the octets of text acknowledged.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn on_expected_ack(
        &mut self,
        ack: SeqNum,
        mss: u32,
        echoed: impl FnOnce() -> Option<Instant>,
        now: Instant,
    ) -> u32 {
        let (octets, flight, cwnd) = (ack - self.una, self.flight(), self.cc.window().max(mss));
        self.advance_over(octets, ack, octets);
        self.repeats = 0;
        let is_sampling = self.rate.is_sampling();
        if is_sampling {
            self.sample_in_order(octets);
        }
        let freed = self.board.acknowledge_in_order(self.board.una() + octets);
        if let Some((_, last)) = &freed {
            self.rack.on_delivered_in_order(last, now);
        }
        let own = freed.as_ref().map(|(first, last)| (now.since(*first), now.since(last.at)));
        let times = own.or_else(|| echoed().map(|at| (now.since(at), now.since(at))));
        if let Some((rtt, last_rtt)) = times {
            let samples = flight.div_ceil(mss.saturating_mul(2).max(1));
            self.rtt.on_samples(rtt, last_rtt, samples, now);
            self.sampled = true;
        }
        let last_rtt = times.map(|(_, last_rtt)| last_rtt);
        let application_limited = if is_sampling {
            self.tell_expected_delivery(octets, last_rtt, (flight, cwnd, mss), now)
        } else {
            self.rate.count(octets);
            freed.is_some_and(|(_, last)| last.rate.is_application_limited())
        };
        self.grow(&Growth { octets, new: octets, inflight: flight, cwnd, last_rtt, application_limited, mss, now });
        octets
    }

    /// When a tail-loss probe is due, counted from now, if one may be sent at all: `tail_probe_after` while the sender
    /// is steady and text is in flight.
    #[inline]
    pub(crate) fn steady_tail_probe_after(&self, mss: u32, config: &Config) -> Option<Micros> {
        let eligible = self.detector == Detector::Rack && self.sampled;
        eligible.then(|| self.calc_pto(mss, config.max_ack_delay().into()))
    }
}
