//! "Too big" errors: a size that never got through is believed at once, others when timeouts agree (RFC 5927 §7.2).

use super::hole::Hole;
use super::{PathMtu, Policy};
use crate::Instant;
use crate::features::PATH_MTU;
use crate::stream::Position;
use crate::time::Micros;

/// An error that is not believed yet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Pending {
    pub(super) start: Position,
    mtu: u16,
    pub(super) at: Instant,
}

/// What an error says: the packet with the text at `start`, or a pure ACK, was too big for a link of `claimed` octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooBig {
    pub(crate) start: Position,
    pub(crate) claimed: u16,
    /// It quotes SND.NXT; the size of an ACK.
    pub(crate) pure_ack: Option<u16>,
}

impl PathMtu {
    /// An error; `repeats` is how often the first segment in flight has timed out, `rtt` a round trip. Returns the MTU,
    /// if it changes. What was never sent cannot be too big; where packets of that size got through, the error waits
    /// for timeouts; and in a round trip one is believed, so that forged ones do not cause a flood of segments cut
    /// anew.
    pub(crate) fn on_too_big(
        &mut self,
        error: TooBig,
        (mtu, repeats): (u16, u32),
        policy: &Policy,
        (rtt, now): (Micros, Instant),
    ) -> Option<u16> {
        let TooBig { start, claimed, pure_ack } = error;
        let sent = pure_ack.map_or(self.max_sent, |size| size.max(self.pure_ack));
        let soon = self.trouble.believed.is_some_and(|at| now.since(at) < rtt);
        if claimed >= sent || claimed >= mtu || soon {
            return None;
        }
        // No timer of ours tells that a pure ACK was lost. But each is sent because something arrived: an error about
        // another one, a round trip later, stands for the timeout.
        let waited = |pending: Pending| pending.start == start && now.since(pending.at) >= rtt;
        let again = u32::from(pure_ack.is_some() && self.trouble.pending.is_some_and(waited));
        if claimed >= self.max_acked || repeats.max(again) >= policy.believe_after {
            return self.believe(claimed, mtu, policy, now);
        }
        let at = self.trouble.pending.filter(|pending| pending.start == start).map_or(now, |pending| pending.at);
        self.set_pending(Some(Pending { start, mtu: claimed, at }));
        None
    }

    /// A timeout, the first segment's `repeats`th, agrees with an error.
    pub(super) fn believe_pending(&mut self, mtu: u16, repeats: u32, policy: &Policy, now: Instant) -> Option<u16> {
        let pending = self.trouble.pending.filter(|_| repeats >= policy.believe_after)?;
        self.believe(pending.mtu, mtu, policy, now)
    }

    fn believe(&mut self, claimed: u16, mtu: u16, policy: &Policy, now: Instant) -> Option<u16> {
        let lower = claimed.max(policy.floor);
        self.set_pending(None);
        if lower >= mtu {
            return None;
        }
        self.set_hole(Hole::None);
        self.search.bound(lower, policy.retry_at(now));
        self.trouble.begin().believed = Some(now);
        self.restart(self.max_acked.min(lower));
        Some(lower)
    }

    /// The error quotes the probe that is out, from `start` on: search_high is what it says (RFC 4821 §7.6.2). Returns
    /// whether it does; the probe is lost then, for its size.
    pub(crate) fn on_probe_too_big(&mut self, error: TooBig, mtu: u16, policy: &Policy, now: Instant) -> bool {
        PATH_MTU && error.pure_ack.is_none() && self.search.on_too_big((error.start, error.claimed), mtu, policy, now)
    }
}
