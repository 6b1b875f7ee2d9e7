//! Black holes: larger packets vanish and no error tells why (RFC 4821 §7.7).
//!
//! Timeouts alone do not tell a black hole from an outage, or from heavy loss. So they lower the MTU no further than to
//! the safe size; below it only the loss at SND.UNA goes in smaller packets. A size is judged when smaller packets
//! get through while it does not: the acknowledgment ends where such a packet ended, or short of where one of that size
//! would, though larger ones went before.

use super::search::{MAX_PROBES, THRESHOLD};
use super::{PathMtu, Policy, Watched};
use crate::Instant;
use crate::features::PATH_MTU;
use crate::stream::Position;

/// Packets of one size may differ by this many octets of text.
const OPTIONS: u32 = 40;

/// The memory of timeouts while sizes are in doubt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Doubt {
    /// How often smaller packets got through where those of the MTU in use did not, and how large those were.
    times: u8,
    works: u16,
    /// The MTU in use before, if packets of that size had got through: then this is rather an outage.
    proven: Option<u16>,
}

impl Doubt {
    const NEW: Self = Self { times: 0, works: 0, proven: None };

    /// The size to try when packets of `cut` octets vanish, while `step` is the next one below: what worked, at once.
    /// But the last time, before the MTU is lowered, each step down to it: what worked may be what an outage had led
    /// to.
    fn next(self, cut: u16, step: Option<u16>) -> Option<u16> {
        let works = Some(self.works).filter(|works| (1..cut).contains(works));
        if self.times.saturating_add(1) < MAX_PROBES { works.or(step) } else { step.max(works) }
    }
}

/// What timeouts came to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Hole {
    /// Nothing: packets get through, as far as known.
    None,
    /// The loss at SND.UNA goes in packets of `cut` octets at most, `sent` was the last, and nothing got through
    /// since.
    Falling { cut: u16, sent: Option<Watched>, doubt: Doubt },
    /// Smaller packets got through, larger ones did not, and go again: one more timeout is enough.
    Doubted(Doubt),
    /// The MTU in use before is so again; packets of `works` octets get through: one timeout is enough.
    Trial { works: u16 },
}

impl Hole {
    pub(super) const fn cut(&self) -> Option<u16> {
        match self {
            Self::Falling { cut, .. } => Some(*cut),
            Self::None | Self::Doubted(_) | Self::Trial { .. } => None,
        }
    }

    pub(super) const fn is_doubt(&self) -> bool {
        match self {
            Self::None | Self::Falling { .. } => false,
            Self::Doubted(_) | Self::Trial { .. } => true,
        }
    }

    /// A packet leaves that starts at SND.UNA.
    pub(super) const fn on_sent(&mut self, packet: Watched) {
        if let Self::Falling { sent, .. } = self {
            *sent = Some(packet);
        }
    }
}

impl PathMtu {
    /// The first segment in flight has timed out `repeats` times; it was, or would be, a packet of `size` octets.
    /// Returns the MTU, if it changes.
    pub(crate) fn on_timeout(
        &mut self,
        size: u16,
        (mtu, repeats): (u16, u32),
        policy: &Policy,
        now: Instant,
    ) -> Option<u16> {
        if let Some(lower) = self.believe_pending(mtu, repeats, policy, now) {
            return Some(lower);
        }
        if !PATH_MTU || policy.hole_after == 0 || size == 0 {
            return None;
        }
        let size = if self.first > 0 { self.first } else { size }; // the packet that was sent, if one was
        let sent = None;
        match self.trouble.hole {
            Hole::Falling { cut, doubt, .. } => {
                // What got through before does not: this loss is no matter of size.
                let doubt = if cut <= doubt.works { Doubt { times: 0, ..doubt } } else { doubt };
                let cut = doubt.next(cut, policy.below(cut, size)).unwrap_or(cut);
                self.set_hole(Hole::Falling { cut, sent, doubt });
                None
            }
            Hole::Doubted(doubt) if size > doubt.works => {
                let safe = (mtu > policy.hole_mtu).then_some(policy.hole_mtu).filter(|safe| *safe < size);
                // What worked may be what an outage had led to: the larger steps are tried before it.
                let step = safe.or_else(|| policy.below(mtu, size)).unwrap_or(doubt.works);
                self.set_hole(Hole::Falling { cut: step.max(doubt.works), sent, doubt });
                if safe.is_some() {
                    self.restart(0);
                }
                safe
            }
            Hole::Trial { works } if size > works => {
                self.set_hole(Hole::Falling { cut: works, sent, doubt: Doubt::NEW });
                self.restart(0);
                Some(works)
            }
            Hole::None | Hole::Doubted(_) | Hole::Trial { .. } if repeats >= policy.hole_after => {
                self.fall(size, (mtu, repeats), policy)
            }
            Hole::None | Hole::Doubted(_) | Hole::Trial { .. } => None,
        }
    }

    /// A full-stop timeout. Of less than the safe size, and of a size that got through before, it takes twice as many:
    /// that is rather an outage, and the cut text goes without the FIN behind it.
    fn fall(&mut self, size: u16, (mtu, repeats): (u16, u32), policy: &Policy) -> Option<u16> {
        let cut = policy.below(mtu, size)?;
        if cut < policy.hole_mtu {
            if self.max_acked >= size && repeats < 2 * policy.hole_after {
                return None;
            }
            self.set_hole(Hole::Falling { cut, sent: None, doubt: Doubt::NEW });
            return None;
        }
        let proven = (self.max_acked >= size).then_some(mtu);
        self.set_hole(Hole::Falling { cut, sent: None, doubt: Doubt { proven, ..Doubt::NEW } });
        self.restart(0);
        Some(cut)
    }

    /// SND.UNA has advanced to `una` while sizes are in doubt. Returns the MTU, if it changes.
    pub(super) fn leave_hole(&mut self, una: Position, mtu: u16, policy: &Policy, now: Instant) -> Option<u16> {
        match self.trouble.hole {
            Hole::Falling { cut, sent: Some(sent), doubt } if sent.end <= una => {
                let (size, got) = (sent.size.max(policy.floor), u32::from(sent.size) + (una - sent.end));
                if size >= mtu || sent.end < una && got + OPTIONS >= mtu.into() {
                    return self.vindicate(doubt.proven, mtu, policy, now); // that, or a larger one before it
                }
                let works = if cut < doubt.works { size } else { size.max(doubt.works) };
                let doubt = Doubt { times: doubt.times.saturating_add(1), works, ..doubt };
                self.restart(works);
                if doubt.times >= MAX_PROBES {
                    self.vindicate(None, works, policy, now);
                    self.search.exclude(mtu, works, policy.retry_at(now));
                    return Some(works);
                }
                self.set_hole(Hole::Doubted(doubt));
                doubt.proven.filter(|_| doubt.times == 1)
            }
            // Larger packets than were known to work got through, but none of the size that is in doubt.
            Hole::Doubted(doubt) if self.max_acked > doubt.works && self.max_acked < mtu.saturating_sub(THRESHOLD) => {
                self.set_hole(Hole::Doubted(Doubt { works: self.max_acked, ..doubt }));
                None
            }
            Hole::Doubted(doubt) if self.max_acked > doubt.works => {
                self.vindicate(doubt.proven.filter(|proven| *proven > mtu), mtu, policy, now)
            }
            Hole::Trial { works } if self.max_acked > works && self.max_acked >= mtu.saturating_sub(THRESHOLD) => {
                self.set_hole(Hole::None);
                None
            }
            Hole::None | Hole::Falling { .. } | Hole::Doubted(_) | Hole::Trial { .. } => None,
        }
    }

    /// Packets of `mtu` octets get through. What larger ones did before the timeouts decides: one that had got through
    /// is in use again at once; else probes look for it.
    fn vindicate(&mut self, proven: Option<u16>, mtu: u16, policy: &Policy, now: Instant) -> Option<u16> {
        self.set_hole(Hole::None);
        if policy.probing {
            self.search.begin(policy.ceiling(self.told), mtu, now);
        } else {
            self.search.rest(policy.retry_at(now));
        }
        proven.map(|proven| self.try_again(proven, mtu))
    }

    /// Packets of `larger` octets again, on trial; those of `works` octets get through.
    pub(super) fn try_again(&mut self, larger: u16, works: u16) -> u16 {
        self.set_hole(Hole::Trial { works });
        self.restart(works);
        larger
    }
}
