//! The sender in steady traffic: new text leaves and is acknowledged in order. What `sent` and `on_ack` come to then.

use super::acks::Growth;
use super::rate::Newest;
use super::{Fin, Sender};
use crate::{Controller, Instant, SeqNum};

impl<C: Controller> Sender<C> {
    /// Whether nothing is lost, late, in doubt or urgent, nothing was sent again, and neither SYN nor FIN is unacknowledged: an
    /// acknowledgment of something new acknowledges what is in flight in the order of its sending, and one of nothing new
    /// tells nothing.
    pub(crate) fn is_steady(&self) -> bool {
        !self.syn
            && self.fin == Fin::None
            && self.up.is_none()
            && self.episode.is_at_rest()
            && self.board.is_plain()
            && !self.probed
    }

    /// Octets of text that were never sent.
    pub(crate) fn unsent(&self) -> u32 {
        self.text_end().saturating_since(self.nxt)
    }

    /// Octets of new text that the peer's window and the congestion window leave room for.
    pub(crate) fn room_for_new(&self, mss: u32) -> u32 {
        let cwnd = self.cwnd(mss).saturating_sub(self.inflight());
        (self.una + self.wnd).saturating_since(self.nxt).min(cwnd)
    }

    /// So many octets of new text leave, in segments of `mss` octets and packets of `size`, while the sender is steady: what
    /// `sent` does then.
    pub(crate) fn sent_text(&mut self, len: u32, mss: u32, size: u16, now: Instant) {
        let inflight = self.flight();
        let first = inflight == 0;
        let rate = self.snapshot(inflight, now);
        let to = self.board.nxt() + u64::from(len);
        while self.board.nxt() + u64::from(mss) < to {
            self.board.sent(self.board.nxt() + u64::from(mss), now, rate);
        }
        self.board.sent(to, now, rate);
        self.nxt += len;
        self.last_sent = now;
        self.small.on_sent(self.nxt, len, mss);
        self.cc.on_sent(len, inflight + len, now);
        self.path_mtu.on_text(first, to, size);
    }

    /// SND.UNA < SEG.ACK =< SND.NXT without reports or marks, while the sender is steady: what `on_ack` does then. `echoed`
    /// tells when our clock showed the timestamp that came back. Returns the octets of text acknowledged.
    pub(crate) fn on_expected_ack(
        &mut self,
        ack: SeqNum,
        mss: u32,
        echoed: impl FnOnce() -> Option<Instant>,
        now: Instant,
    ) -> usize {
        let (octets, flight, cwnd) = (ack - self.una, self.flight(), self.cwnd(mss));
        let text = self.advance_una(ack, octets);
        let freed = self.board.acknowledge_in_order(self.board.una() + u64::from(octets));
        let mut newest = Newest::default();
        if let Some((_, last)) = &freed {
            self.rack.on_delivered_in_order(last, now);
            newest.on_segment(last.rate, last.at);
        }
        self.repeats = 0;
        let own = freed.as_ref().map(|(first, last)| (now.since(*first), now.since(last.at)));
        let last_rtt = match own.or_else(|| echoed().map(|at| (now.since(at), now.since(at)))) {
            Some((rtt, last_rtt)) => {
                let samples = flight.div_ceil(mss.saturating_mul(2).max(1));
                self.rtt.on_sample(rtt, samples, now);
                self.sampled = true;
                self.rtt.on_path_sample(last_rtt, now);
                Some(last_rtt)
            }
            None => None,
        };
        let application_limited = if C::WORKS_BY_RATES {
            self.tell_expected_delivery(octets, newest, last_rtt, now)
        } else {
            self.rate.on_counted(octets, newest)
        };
        self.grow(&Growth { octets, new: octets, inflight: flight, cwnd, last_rtt, application_limited, mss, now });
        text
    }
}
