//! The windows of the sender: SND.WND and the edge that it promised, probes of a closed window, the congestion window in
//! force and after disuse.

use super::Sender;
use super::recovery::Phase;
use crate::time::Micros;
use crate::{Controller, Instant, SeqNum};

impl<C: Controller> Sender<C> {
    /// The number of a segment without sequence length: SND.NXT, but not beyond the peer's right edge, where it would
    /// be unacceptable and its acknowledgment lost: two ends that probe each other's closed window would wait for ever
    /// (RFC 9293 App. A.2).
    pub(crate) fn acceptable_seq(&self) -> SeqNum {
        if planted!(number_acks_beyond_the_edge, self.is_beyond_edge(), false) && !self.syn {
            self.edge
        } else {
            self.nxt
        }
    }

    /// Whether the peer took back a part of the window after text was sent into it.
    pub(crate) fn is_beyond_edge(&self) -> bool {
        self.nxt.after(self.edge)
    }

    /// Whether the window is closed to everything, so that zero-window probes go. A window of 0 that lies before the
    /// promised edge by rounding is none to text sent before: that is retransmitted normally (RFC 7323 §2.4 (4)).
    pub(crate) fn is_shut_out(&self) -> bool {
        let only_probe = || self.flight() <= u32::from(self.probed);
        self.wnd == 0 && self.is_pending() && !self.syn && (self.una == self.edge || only_probe())
    }

    /// The congestion window in force, recovery included; never less than a segment but where recovery says so.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn cwnd(&self, mss: u32) -> u32 {
        match &self.episode.recovery.phase {
            Phase::Fast(prr) if self.cc.reduces_proportionally() => prr.cwnd(),
            Phase::Open | Phase::Fast(_) | Phase::Timeout => self.cc.window().max(mss),
        }
    }

    /// SND.WND, SND.WL1 and SND.WL2 of a segment whose window counts. What was in flight into a closed window is taken
    /// as refused when it opens after a probe at least, so for an RTO: it is sent again. A window that only flaps
    /// orders no flight each time.
    pub(crate) fn set_window(&mut self, wnd: u32, seq: SeqNum, ack: SeqNum) {
        (self.wl1, self.wl2) = (seq, ack);
        if wnd != self.wnd || self.una + wnd != self.edge {
            self.move_window(wnd);
        }
    }

    fn move_window(&mut self, wnd: u32) {
        if self.wnd == 0 && wnd > 0 {
            self.probes = 0;
            let probed = core::mem::take(&mut self.probed);
            if probed > 0 && !self.syn {
                self.board.lose_where(&mut |_| true);
            }
        }
        self.wnd = wnd;
        let edge = self.una + wnd;
        let withdrawn = self.edge.saturating_since(edge) >= 1 << self.shift; // less is rounding (RFC 7323 §2.4)
        self.edge = if withdrawn { edge } else { self.edge.max(edge) };
        self.max_wnd = self.max_wnd.max(wnd);
    }

    /// U-7: only a segment newer than the last update, or as new with a later acknowledgment, updates the window. A later
    /// acknowledgment is new whatever its number: a retransmission carries one, and after a forged segment further on
    /// (SND.WL1 too large) the window would stay what that said until the peer's text gets there.
    pub(crate) fn is_window_news(&self, seq: SeqNum, ack: SeqNum) -> bool {
        let newer = self.wl1.before(seq) || (self.wl1 == seq && self.wl2.at_or_before(ack)) || self.wl2.before(ack);
        planted!(forget_wl1, newer, true)
    }

    /// Whether nothing was sent for more than an RTO and nothing is in flight: the window restarts before text is sent
    /// (RFC 5681 §4.1), unless it is kept (RFC 7661).
    fn has_idled(&self, now: Instant) -> bool {
        let pause = now.since(self.last_sent);
        !self.syn && self.una == self.nxt && pause > self.rtt.rto() && self.validation.is_none()
    }

    /// Whether disuse may have made the window another before something is sent.
    pub(crate) fn may_revise_window(&self, now: Instant) -> bool {
        !self.syn && (self.validation.is_some() || self.has_idled(now))
    }

    /// Something is about to be sent, after a pause (RFC 5681 §4.1), or when the window was not used for a
    /// non-validated period, or for several (RFC 7661 §4.4.3).
    pub(crate) fn revise_window(&mut self, initial: u32, now: Instant) {
        if self.has_idled(now) {
            self.cc.on_idle(initial, now);
        }
        if let Some(validation) = &mut self.validation {
            let periods = validation.unused_periods(self.cc.window(), self.rtt.srtt().unwrap_or_default(), now);
            (0..periods).for_each(|_| self.cc.on_unused(initial, now));
        }
    }

    /// A probe of so many octets goes into a closed window.
    pub(crate) fn probed(&mut self, octets: u32) {
        self.probes = self.probes.saturating_add(1);
        self.probed = self.probed.max(u16::try_from(octets).unwrap_or(u16::MAX));
    }

    /// The interval to the next zero-window probe: an RTO, then doubled (RFC 9293 §3.8.6.1, SHLD-29, SHLD-30).
    pub(crate) fn persist_interval(&self, most: Micros) -> Micros {
        self.rtt.base_rto().backed_off(self.probes.into(), most)
    }
}
