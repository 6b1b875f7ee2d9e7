//! A NewReno sender straight from RFC 5681, RFC 6582, RFC 3042 and RFC 6298: a stranger that shares the path with segue.
//!
//! It shares no code with segue's sender or its controllers. It sends for ever, to a receiver that acknowledges; it has
//! neither SACK nor timestamps.

use bytes::{Bytes, BytesMut};
use segue::{Flags, Options, Segment, SeqNum};
use segue_kit::Rng;

use super::host::{End, Report, Sample, Samples};
use super::link::{MILLISECOND, Nanos, SECOND};
use super::user::Text;

const MSS: u32 = 1460;
const INITIAL_WINDOW: u32 = 10 * MSS;
const MIN_RTO: Nanos = SECOND;
const MAX_RTO: Nanos = 60 * SECOND;

/// The sender's variables, under their names of the RFCs.
pub struct NewReno {
    text: Text,
    iss: SeqNum,
    una: SeqNum,
    /// The next to send: behind `max` after a timeout.
    nxt: SeqNum,
    /// The number after the highest sent.
    max: SeqNum,
    rcv_nxt: Option<SeqNum>,
    window: u32,
    shift: u8,
    cwnd: u32,
    ssthresh: u32,
    /// Octets acknowledged since the window last grew in congestion avoidance.
    acked: u32,
    duplicates: u32,
    /// Octets that limited transmit sent on these duplicates.
    limited: u32,
    recover: SeqNum,
    recovering: bool,
    partial_seen: bool,
    srtt: Option<(Nanos, Nanos)>,
    rto: Nanos,
    timed: Option<(SeqNum, Nanos)>,
    timer: Option<Nanos>,
    timeouts: u64,
    samples: Samples,
}

impl NewReno {
    pub fn new(text: Text, rng: &mut Rng, sample_every: Option<Nanos>) -> Self {
        let iss = SeqNum::new(rng.next() as u32);
        Self {
            text,
            iss,
            una: iss,
            nxt: iss + 1,
            max: iss + 1,
            rcv_nxt: None,
            window: 0,
            shift: 0,
            cwnd: INITIAL_WINDOW,
            ssthresh: u32::MAX,
            acked: 0,
            duplicates: 0,
            limited: 0,
            recover: iss,
            recovering: false,
            partial_seen: false,
            srtt: None,
            rto: SECOND,
            timed: None,
            timer: None,
            timeouts: 0,
            samples: Samples::new(sample_every),
        }
    }

    fn sample(&mut self, now: Nanos) {
        let (cwnd, ssthresh, flight) = (self.cwnd, self.ssthresh, self.flight());
        let srtt = self.srtt.map(|(srtt, _)| srtt);
        self.samples.take(now, || Sample { at: now, cwnd, ssthresh, flight, srtt });
    }

    fn flight(&self) -> u32 {
        self.max - self.una
    }

    fn syn(&self) -> Segment {
        let options = Options { mss: Some(1460), window_scale: Some(0), ..Options::default() };
        Segment { seq: self.iss, flags: Flags::SYN, window: u16::MAX, options: options.into(), ..Segment::default() }
    }

    fn segment(&self, seq: SeqNum, payload: Bytes) -> Segment {
        let ack = self.rcv_nxt.unwrap_or_default();
        Segment { seq, ack, flags: Flags::ACK, window: u16::MAX, payload, ..Segment::default() }
    }

    /// A whole segment of text at `seq`.
    fn piece(&self, seq: SeqNum) -> Bytes {
        let (offset, len) = (u64::from(seq - self.iss - 1), u64::from(MSS));
        let first = self.text.at(offset, len);
        if first.len() as u64 == len {
            return first;
        }
        let mut whole = BytesMut::from(&first[..]);
        whole.extend_from_slice(&self.text.at(offset + first.len() as u64, len - first.len() as u64));
        whole.freeze()
    }

    /// Sends one segment at `seq`.
    fn transmit(&mut self, seq: SeqNum, now: Nanos, out: &mut Vec<Segment>) {
        let segment = self.segment(seq, self.piece(seq));
        if seq.before(self.max) {
            self.timed = None; // Karn's algorithm (RFC 6298 §3)
        } else if self.timed.is_none() {
            self.timed = Some((segment.end(), now));
        }
        self.max = self.max.max(segment.end());
        self.timer = self.timer.or(Some(now + self.rto)); // RFC 6298 (5.1)
        out.push(segment);
    }

    /// Sends what the windows allow, and `extra` octets (RFC 3042).
    fn fill(&mut self, extra: u32, now: Nanos, out: &mut Vec<Segment>) {
        let allowed = (self.cwnd + extra).min(self.window);
        while self.nxt - self.una + MSS <= allowed {
            self.transmit(self.nxt, now, out);
            self.nxt += MSS;
        }
    }

    fn established(&mut self, segment: &Segment, now: Nanos, out: &mut Vec<Segment>) {
        if !segment.flags.contains(Flags::SYN | Flags::ACK) || segment.ack != self.iss + 1 {
            return;
        }
        self.rcv_nxt = Some(segment.seq + 1);
        self.una = segment.ack;
        self.recover = segment.ack;
        self.window = u32::from(segment.window);
        self.shift = segment.options.window_scale().unwrap_or(0);
        self.timer = None;
        if let Some((_, at)) = self.timed.take() {
            self.measured(now - at);
        }
        out.push(self.segment(self.nxt, Bytes::new()));
        self.fill(0, now, out);
    }

    /// RFC 6298 (2.2) to (2.4).
    fn measured(&mut self, r: Nanos) {
        let (srtt, rttvar) = match self.srtt {
            None => (r, r / 2),
            Some((srtt, rttvar)) => ((7 * srtt + r) / 8, (3 * rttvar + srtt.abs_diff(r)) / 4),
        };
        self.srtt = Some((srtt, rttvar));
        self.rto = (srtt + (4 * rttvar).max(MILLISECOND)).clamp(MIN_RTO, MAX_RTO);
    }

    /// An acknowledgment of something new.
    fn advance(&mut self, ack: SeqNum, now: Nanos, out: &mut Vec<Segment>) {
        let octets = ack - self.una;
        self.una = ack;
        self.nxt = self.nxt.max(ack);
        if let Some((_, at)) = self.timed.filter(|(end, _)| end.at_or_before(ack)) {
            self.timed = None;
            self.measured(now - at);
        }
        let mut restart = true;
        if self.recovering && ack.before(self.recover) {
            // A partial acknowledgment (RFC 6582 §3.2 step 3).
            self.transmit(ack, now, out);
            self.cwnd = self.cwnd.saturating_sub(octets).max(MSS) + if octets >= MSS { MSS } else { 0 };
            restart = !std::mem::replace(&mut self.partial_seen, true);
        } else if self.recovering {
            self.recovering = false;
            self.cwnd = self.ssthresh.min(self.flight().max(MSS) + MSS);
            self.acked = 0;
        } else if self.cwnd < self.ssthresh {
            self.cwnd += octets.min(MSS);
        } else {
            self.acked += octets;
            if self.acked >= self.cwnd {
                self.acked -= self.cwnd;
                self.cwnd += MSS;
            }
        }
        (self.duplicates, self.limited) = (0, 0);
        if restart {
            self.timer = (self.flight() > 0).then_some(now + self.rto); // RFC 6298 (5.2), (5.3)
        }
        self.fill(0, now, out);
    }

    fn duplicate(&mut self, now: Nanos, out: &mut Vec<Segment>) {
        self.duplicates += 1;
        if self.recovering {
            self.cwnd += MSS;
            self.fill(0, now, out);
        } else if self.duplicates < 3 {
            let before = self.max;
            self.fill(self.duplicates * MSS, now, out);
            self.limited += self.max - before;
        } else if self.duplicates == 3 && self.una.after(self.recover) {
            // Without what limited transmit sent (RFC 5681 §3.2 step 2).
            self.ssthresh = ((self.flight() - self.limited) / 2).max(2 * MSS);
            self.recover = self.max;
            (self.recovering, self.partial_seen) = (true, false);
            self.cwnd = self.ssthresh + 3 * MSS;
            self.transmit(self.una, now, out);
            self.fill(0, now, out);
        }
    }
}

impl End for NewReno {
    fn start(&mut self, now: Nanos, out: &mut Vec<Segment>) {
        out.push(self.syn());
        self.timed = Some((self.iss + 1, now));
        self.timer = Some(now + self.rto);
    }

    fn arrives(&mut self, segment: Segment, now: Nanos, out: &mut Vec<Segment>) {
        self.sample(now);
        if self.rcv_nxt.is_none() {
            return self.established(&segment, now, out);
        }
        if !segment.flags.contains(Flags::ACK) || segment.flags.intersects(Flags::SYN | Flags::RST) {
            return;
        }
        let window = u32::from(segment.window) << self.shift.min(14);
        let same_window = std::mem::replace(&mut self.window, window) == window;
        if (1..=self.flight()).contains(&(segment.ack - self.una)) {
            self.advance(segment.ack, now, out);
        } else if segment.ack == self.una && self.flight() > 0 && segment.payload.is_empty() && same_window {
            self.duplicate(now, out);
        } else {
            self.fill(0, now, out);
        }
    }

    fn timer(&mut self, now: Nanos, out: &mut Vec<Segment>) {
        self.timeouts += 1;
        self.rto = (self.rto * 2).min(MAX_RTO);
        self.timer = Some(now + self.rto);
        self.timed = None;
        if self.rcv_nxt.is_none() {
            return out.push(self.syn());
        }
        self.ssthresh = (self.flight() / 2).max(2 * MSS);
        self.cwnd = MSS;
        self.recover = self.max;
        self.recovering = false;
        (self.duplicates, self.limited, self.acked) = (0, 0, 0);
        self.nxt = self.una;
        self.fill(0, now, out);
    }

    fn wake(&self) -> Option<Nanos> {
        self.timer
    }

    fn report(&self) -> Report {
        Report { timeouts: self.timeouts, samples: self.samples.taken(), ..Report::default() }
    }
}
