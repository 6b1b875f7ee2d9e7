//! Proportional rate reduction: what leaves during fast recovery follows what arrives (RFC 9937).

use core::num::NonZeroU32;

/// The variables of RFC 9937 §5, in octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Prr {
    ssthresh: u32,
    /// RecoverFS.
    recover_fs: NonZeroU32,
    delivered: u32,
    out: u32,
    /// The window after the last acknowledgment.
    cwnd: u32,
    /// The rest of SndCnt: for segments that go a second time while the first is thought to be in flight.
    left: u32,
}

/// What an acknowledgment in fast recovery told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Progress {
    /// DeliveredData.
    pub(crate) delivered: u32,
    pub(crate) inflight: u32,
    /// SafeACK: SND.UNA advanced, and nothing more was found lost.
    pub(crate) safe: bool,
    pub(crate) mss: u32,
}

impl Prr {
    /// Recovery begins, with `recover_fs` octets outstanding before the acknowledgment that found the loss, and room
    /// for the fast retransmit.
    pub(crate) fn new(ssthresh: u32, recover_fs: u32, inflight: u32, mss: u32) -> Self {
        let cwnd = inflight.saturating_add(mss);
        Self {
            ssthresh,
            recover_fs: NonZeroU32::new(recover_fs).unwrap_or(NonZeroU32::MIN),
            delivered: 0,
            out: 0,
            cwnd,
            left: 0,
        }
    }

    pub(crate) fn on_ack(&mut self, ack: &Progress) {
        if ack.delivered == 0 {
            return;
        }
        self.delivered = self.delivered.saturating_add(ack.delivered);
        let mut send = if ack.inflight > self.ssthresh {
            let share = u64::from(self.delivered) * u64::from(self.ssthresh); // in proportion to what was delivered
            let share = share.div_ceil(u64::from(self.recover_fs.get()));
            u32::try_from(share).unwrap_or(u32::MAX).saturating_sub(self.out)
        } else {
            let mut limit = self.delivered.saturating_sub(self.out).max(ack.delivered); // packet conservation
            if ack.safe {
                limit = limit.saturating_add(ack.mss); // and slow start, while no more is lost
            }
            limit.min(self.ssthresh - ack.inflight)
        };
        if self.out == 0 {
            send = send.max(ack.mss); // the fast retransmit, a whole segment
        }
        self.cwnd = ack.inflight.saturating_add(send);
        self.left = send;
    }

    pub(crate) fn on_sent(&mut self, octets: u32) {
        self.out = self.out.saturating_add(octets);
        self.left = self.left.saturating_sub(octets);
    }

    /// What of SndCnt was not sent yet.
    pub(crate) const fn left(&self) -> u32 {
        self.left
    }

    pub(crate) const fn cwnd(&self) -> u32 {
        self.cwnd
    }
}
