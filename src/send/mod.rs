//! The sending side: SND.*, what was sent of the stream and what may be sent next.

pub(crate) mod buffer;
pub mod congestion;
mod decide;
pub(crate) mod recovery;
pub(crate) mod rtt;

use core::time::Duration;

use crate::{Config, Controller, Counters, Instant, SeqNum};
use buffer::SendBuffer;
use congestion::{Acked, Congestion, Signal};
pub(crate) use decide::{Gate, Next, Plan, Wait};
use recovery::{Duplicate, New, NewReno};
use rtt::Rtt;

/// Our FIN: an octet of the stream after the text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Fin {
    /// The user has not closed.
    None,
    /// The user has closed.
    Queued,
    /// It is acknowledged.
    Acked,
}

/// The segment whose round trip is being measured.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Timed {
    end: SeqNum,
    at: Instant,
}

/// SND.* of RFC 9293 §3.3.1, with the stream it numbers: SYN, text, FIN.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Sender<C> {
    pub(crate) iss: SeqNum,
    pub(crate) una: SeqNum,
    /// The number after the highest sent.
    pub(crate) nxt: SeqNum,
    /// The next number to put on the wire: `nxt`, or before it while what was sent is sent again.
    pub(crate) resend: SeqNum,
    pub(crate) wnd: u32,
    pub(crate) wl1: SeqNum,
    pub(crate) wl2: SeqNum,
    /// MAX.SND.WND (RFC 5961 §5), also the estimate of the peer's buffer (RFC 9293 §3.8.6.2.1).
    pub(crate) max_wnd: u32,
    /// SND.UP, until it is acknowledged.
    pub(crate) up: Option<SeqNum>,
    /// The shift of the windows we receive (RFC 7323 §2).
    pub(crate) shift: u8,
    /// SendMSS: what the peer's option allows (RFC 9293 §3.7.1).
    pub(crate) send_mss: u16,
    /// Whether our SYN is still unacknowledged.
    pub(crate) syn: bool,
    pub(crate) fin: Fin,
    pub(crate) buffer: SendBuffer,
    pub(crate) rtt: Rtt,
    timed: Option<Timed>,
    pub(crate) cc: C,
    pub(crate) recovery: NewReno,
    /// The highest number the peer has reported as received out of order.
    sacked: SeqNum,
    /// The first unacknowledged segment is to be sent again, out of turn: fast retransmit.
    pub(crate) retransmit_first: bool,
    /// Timeouts of the first unacknowledged segment since it last moved: R1 counts these.
    pub(crate) repeats: u32,
    /// Zero-window probes since the window was last open: the back-off of the persist timer.
    pub(crate) probes: u32,
    last_sent: Instant,
    /// When an ICMP error last made what is in flight be cut anew.
    cut: Option<Instant>,
    /// When the connection was opened.
    pub(crate) opened: Instant,
}

/// What an acknowledgment of something new acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Newly {
    /// Octets of text.
    pub(crate) text: usize,
    /// The retransmission timer restarts (RFC 6298 (5.3), RFC 6582 §3.2).
    pub(crate) restarts_timer: bool,
}

impl<C: Controller> Sender<C> {
    /// A sender whose SYN is about to be sent.
    pub(crate) fn new(iss: SeqNum, cc: C, config: &Config, now: Instant) -> Self {
        Self {
            iss,
            una: iss,
            nxt: iss,
            resend: iss,
            wnd: 0,
            wl1: SeqNum::new(0),
            wl2: iss,
            max_wnd: 0,
            up: None,
            shift: 0,
            send_mss: 0,
            syn: true,
            fin: Fin::None,
            buffer: SendBuffer::default(),
            rtt: Rtt::new(config),
            timed: None,
            cc,
            recovery: NewReno::new(iss),
            sacked: iss,
            retransmit_first: false,
            repeats: 0,
            probes: 0,
            last_sent: now,
            cut: None,
            opened: now,
        }
    }

    /// The number of the first octet in the buffer.
    fn text_start(&self) -> SeqNum {
        self.una + u32::from(self.syn)
    }

    /// The number after the last octet of queued text.
    pub(crate) fn text_end(&self) -> SeqNum {
        self.text_start() + u32::try_from(self.buffer.len()).unwrap_or(u32::MAX)
    }

    /// The number after everything queued, the FIN included.
    pub(crate) fn end(&self) -> SeqNum {
        self.text_end() + u32::from(self.fin == Fin::Queued)
    }

    /// Whether anything is queued or unacknowledged.
    pub(crate) fn is_pending(&self) -> bool {
        self.una != self.end()
    }

    /// Octets sent and not acknowledged.
    pub(crate) fn flight(&self) -> u32 {
        self.nxt - self.una
    }

    /// SND.UNA < SEG.ACK =< SND.NXT. Measured from SND.UNA, since a number may lie half the circle away.
    pub(crate) fn is_news(&self, ack: SeqNum) -> bool {
        (1..=self.flight()).contains(&(ack - self.una))
    }

    /// The number of a segment without sequence length: SND.NXT, but not beyond the peer's right edge, where it would
    /// be unacceptable and its acknowledgment lost: two ends that probe each other's closed window would wait for ever
    /// (RFC 9293 App. A.2). A window that recedes by less than its scale is rounding (RFC 7323 §2.4).
    pub(crate) fn acceptable_seq(&self) -> SeqNum {
        let edge = self.una + self.wnd;
        let beyond = self.nxt.saturating_since(edge);
        let rounding = self.wnd > 0 && beyond < 1 << self.shift;
        if beyond == 0 || rounding || self.syn { self.nxt } else { edge }
    }

    /// Whether our FIN was sent at least once.
    pub(crate) fn fin_sent(&self) -> bool {
        match self.fin {
            Fin::None => false,
            Fin::Queued => self.nxt == self.end(),
            Fin::Acked => true,
        }
    }

    /// The text at `seq`, `len` octets of it.
    pub(crate) fn text(&self, seq: SeqNum, len: u32) -> bytes::Bytes {
        let offset = self.buffer.start() + u64::from(seq.saturating_since(self.text_start()));
        self.buffer.slice(offset, usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// The congestion window in force, recovery included.
    pub(crate) fn cwnd(&self, mss: u32) -> u32 {
        self.recovery.window(self.cc.window(), mss)
    }

    /// SND.WND, SND.WL1 and SND.WL2 of a segment whose window counts. What was in flight into a closed window is taken
    /// as refused when it opens: it is sent again, with what follows it.
    pub(crate) fn set_window(&mut self, wnd: u32, seq: SeqNum, ack: SeqNum) {
        if self.wnd == 0 && wnd > 0 {
            self.probes = 0;
            if !self.syn {
                self.resend = self.una;
            }
        }
        self.wnd = wnd;
        self.max_wnd = self.max_wnd.max(wnd);
        self.wl1 = seq;
        self.wl2 = ack;
    }

    /// U-7: only a segment newer than the last update, or as new with a later acknowledgment, updates the window.
    pub(crate) fn is_window_news(&self, seq: SeqNum, ack: SeqNum) -> bool {
        self.wl1.before(seq) || (self.wl1 == seq && self.wl2.at_or_before(ack))
    }

    /// Whether nothing was sent for more than an RTO and nothing is in flight: the window restarts before text is sent
    /// (RFC 5681 §4.1).
    pub(crate) fn has_idled(&self, now: Instant) -> bool {
        !self.syn && self.una == self.nxt && now.saturating_since(self.last_sent) > self.rtt.rto()
    }

    /// `plan` goes on the wire. Returns whether it repeats something.
    pub(crate) fn sent(&mut self, plan: &Plan, now: Instant) -> bool {
        let end = plan.end();
        let repeats = plan.seq.before(self.nxt);
        if repeats {
            self.timed = None; // Karn: the acknowledgment would be ambiguous
        } else {
            self.timed.get_or_insert(Timed { end, at: now });
        }
        if plan.in_turn {
            self.resend = end;
        }
        self.nxt = self.nxt.max(end);
        self.last_sent = now;
        if plan.len > 0 {
            self.cc.on_sent(plan.len, self.nxt - self.una, now);
        }
        repeats
    }

    /// A probe went into a closed window: it measures nothing.
    pub(crate) fn probed(&mut self) {
        self.timed = None;
        self.probes = self.probes.saturating_add(1);
    }

    /// SND.UNA < `ack` =< SND.NXT: SND.UNA advances. `echoed` is what the timestamps measured, if they did.
    pub(crate) fn acknowledge(&mut self, ack: SeqNum, echoed: Option<Duration>, mss: u32, now: Instant) -> Newly {
        let flight = self.flight();
        let octets = ack - self.una;
        let beyond_syn = octets - u32::from(self.syn);
        let text = usize::try_from(beyond_syn).unwrap_or(usize::MAX).min(self.buffer.len());
        if self.fin == Fin::Queued && ack == self.end() {
            self.fin = Fin::Acked;
        }
        let was_syn = core::mem::take(&mut self.syn);
        self.buffer.release(self.buffer.start() + u64::try_from(text).unwrap_or(u64::MAX));
        self.una = ack;
        self.resend = self.resend.max(ack);
        self.sacked = self.sacked.max(ack);
        self.retransmit_first = false;
        if self.up.is_some_and(|up| up.at_or_before(ack)) {
            self.up = None;
        }
        let rtt = self.measure(ack, echoed, was_syn, now);
        self.repeats = 0;
        let restarts_timer = was_syn || self.recover(octets, flight, rtt, mss, now);
        Newly { text, restarts_timer }
    }

    /// One round-trip sample of a new acknowledgment: the timed segment, or the echo where that was retransmitted (RFC
    /// 7323 §4.1).
    fn measure(&mut self, ack: SeqNum, echoed: Option<Duration>, was_syn: bool, now: Instant) -> Option<Duration> {
        if was_syn && self.repeats > 0 {
            self.timed = None;
            self.rtt.on_syn_timeout();
            return None;
        }
        let timed = self.timed.filter(|timed| timed.end.at_or_before(ack));
        let sample = match timed {
            Some(timed) => Some(now.saturating_since(timed.at)),
            None if self.timed.is_none() => echoed,
            None => None,
        };
        if let Some(rtt) = sample {
            self.timed = None;
            self.rtt.on_sample(rtt);
        }
        sample
    }

    /// Tells recovery and the controller. Returns whether the retransmission timer restarts.
    fn recover(&mut self, octets: u32, flight: u32, rtt: Option<Duration>, mss: u32, now: Instant) -> bool {
        match self.recovery.on_new(self.una, octets, self.flight(), mss) {
            New::Normal => {
                let cwnd = self.cc.window();
                let slow_start = cwnd < self.cc.ssthresh();
                let window_limited =
                    flight.saturating_add(mss) > cwnd || (slow_start && flight.saturating_mul(2) >= cwnd);
                let srtt = self.rtt.srtt();
                self.cc.on_ack(&Acked { octets, flight, rtt, srtt, window_limited, now });
                true
            }
            New::Partial { first } => {
                self.retransmit_first = true;
                first
            }
            New::Full => {
                self.cc.on_recovered(self.flight(), now);
                true
            }
        }
    }

    /// Whether these SACK blocks report more than any before: then the ACK is a duplicate even if its window is another
    /// (RFC 6675 §2).
    pub(crate) fn reports_more(&mut self, blocks: impl Iterator<Item = (SeqNum, SeqNum)>) -> bool {
        let known = self.sacked.max(self.una);
        let sane = blocks.filter(|(left, right)| self.una.before(*left) && left.before(*right));
        let reported = sane.map(|(_, right)| right).filter(|right| right.at_or_before(self.nxt));
        self.sacked = reported.fold(known, SeqNum::max);
        known.before(self.sacked)
    }

    /// A duplicate acknowledgment (RFC 5681 §2). Returns whether it made a fast retransmit.
    pub(crate) fn on_duplicate(&mut self, mss: u32, now: Instant) -> bool {
        match self.recovery.on_duplicate(self.una, mss) {
            Duplicate::Noted => false,
            Duplicate::Loss => {
                self.cc.on_congestion(&Congestion { signal: Signal::Loss, flight: self.flight(), now });
                self.recovery.enter(self.nxt, self.flight(), self.cc.window(), mss);
                self.retransmit_first = true;
                true
            }
        }
    }

    /// RETRANSMISSION TIMEOUT: everything in flight is sent again, from SND.UNA, as the loss window allows.
    pub(crate) fn on_timeout(&mut self, counters: &mut Counters, now: Instant) {
        counters.timeouts += 1;
        self.rtt.on_timeout();
        self.repeats = self.repeats.saturating_add(1);
        self.timed = None;
        self.resend = self.una;
        self.retransmit_first = false;
        if !self.syn {
            let signal = if self.repeats == 1 { Signal::Timeout } else { Signal::TimeoutAgain };
            self.cc.on_congestion(&Congestion { signal, flight: self.flight(), now });
            self.recovery.on_timeout(self.nxt);
        }
    }

    /// Whether an ICMP error may cut what is in flight anew: once in a round trip, so that forged ones do not make a flood
    /// of it (RFC 5927 §7).
    pub(crate) fn may_cut(&mut self, now: Instant) -> bool {
        let pause = self.rtt.srtt().unwrap_or(self.rtt.base_rto()).max(Duration::from_millis(1));
        let allowed = self.cut.is_none_or(|cut| now.saturating_since(cut) >= pause);
        if allowed {
            self.cut = Some(now);
        }
        allowed
    }

    /// The path takes smaller segments: what is in flight is cut anew.
    pub(crate) fn resegment(&mut self, mss: u32) {
        self.cc.set_mss(mss);
        self.resend = self.una;
        self.timed = None;
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.una.at_or_before(self.resend), "resend {} before SND.UNA {}", self.resend, self.una);
        assert!(self.resend.at_or_before(self.nxt), "resend {} beyond SND.NXT {}", self.resend, self.nxt);
        assert!(self.nxt.at_or_before(self.end()), "SND.NXT {} beyond what is queued, {}", self.nxt, self.end());
        assert!(self.wnd <= self.max_wnd, "SND.WND beyond MAX.SND.WND");
        assert!(self.up.is_none_or(|up| up.after(self.una)), "SND.UP is acknowledged");
    }

    pub(crate) fn rebase(&mut self, irs: SeqNum, now: Instant) {
        let iss = self.iss;
        let relative = |seq: SeqNum| SeqNum::new(seq - iss);
        self.sacked = relative(self.sacked.max(self.una));
        self.una = relative(self.una);
        self.nxt = relative(self.nxt);
        self.resend = relative(self.resend);
        self.wl2 = relative(self.wl2);
        self.wl1 = SeqNum::new(self.wl1 - irs);
        self.up = self.up.map(relative);
        let ago = |at: Instant| Instant::from_micros(at.as_micros().wrapping_sub(now.as_micros()));
        self.timed = self.timed.map(|timed| Timed { end: relative(timed.end), at: ago(timed.at) });
        self.last_sent = ago(self.last_sent);
        self.opened = ago(self.opened);
        self.cut = self.cut.map(ago);
        self.recovery.rebase(iss);
        self.cc.rebase(now);
        self.iss = SeqNum::new(0);
    }
}
