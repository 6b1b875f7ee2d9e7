//! The path MTU of one connection: which "too big" errors are believed (RFC 5927 §7.2), the remedy when none come
//! (black holes, RFC 4821 §7.7), and the search for a larger one (RFC 4821 §7, RFC 8899).

mod errors;
mod hole;
mod search;

use crate::features::PATH_MTU;
use crate::rare::{AtRest, Rare};
use crate::stream::Position;
use crate::time::Micros;
use crate::{Config, Instant};
use errors::Pending;
pub(crate) use errors::TooBig;
use hole::Hole;
pub(crate) use search::ProbeLoss;
use search::Search;

/// A packet whose acknowledgment will tell that its size gets through.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Watched {
    end: Position,
    /// 0: there is none.
    size: u16,
}

impl Watched {
    const NONE: Self = Self { end: Position::ISS, size: 0 };
}

/// A packet with a piece of the stream, as it leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Packet {
    pub(crate) start: Position,
    pub(crate) end: Position,
    /// Its octets, IP header included.
    pub(crate) size: u16,
    /// Something of it was sent before.
    pub(crate) again: bool,
    /// It starts at SND.UNA.
    pub(crate) first: bool,
    /// It is larger than the MTU in use, to find out whether such packets get through.
    pub(crate) probe: bool,
}

/// The policy, of `Config`, the IP version and the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Policy {
    /// The least MTU that this module answers.
    floor: u16,
    /// MAXSEGRTO.
    believe_after: u32,
    /// Timeouts that make a black hole; 0: never.
    hole_after: u32,
    /// The initial search_low: the first size that is tried in a black hole.
    hole_mtu: u16,
    retry: Option<Micros>,
    probing: bool,
    /// The largest packet that probes look for, whatever MTU the host gave.
    largest: u16,
    /// The largest packet that the peer's MSS allows.
    peer: u16,
}

impl Policy {
    pub(crate) fn new(config: &Config, min_mtu: u16, peer: u16) -> Self {
        let floor = config.min_mtu().max(min_mtu);
        Self {
            floor,
            believe_after: config.too_big_timeouts().into(),
            hole_after: config.black_hole_timeouts().into(),
            hole_mtu: config.black_hole_mtu().max(floor),
            retry: config.mtu_retry().map(Micros::from),
            probing: config.mtu_probing(),
            largest: config.mtu_probe_max(),
            peer,
        }
    }

    /// The MTU to try when a packet of `size` octets vanishes while `limit` is the most: the safe size, then half of
    /// it, and so on, to the first step that makes the packet smaller.
    fn below(&self, limit: u16, size: u16) -> Option<u16> {
        let first = if limit > self.hole_mtu { self.hole_mtu } else { limit / 2 };
        let steps = core::iter::successors(Some(first), |step| (*step > self.floor).then_some(step / 2));
        steps.map(|step| step.max(self.floor)).find(|&step| step < size && step < limit)
    }

    /// The start value of search_high: what the host gave or asks for, as far as the peer takes it (RFC 4821 §7.2).
    fn ceiling(&self, told: u16) -> u16 {
        if self.probing { told.max(self.largest).min(self.peer) } else { 0 }
    }

    /// When a search that has ended begins anew.
    fn retry_at(&self, now: Instant) -> Option<Instant> {
        self.retry.map(|retry| now + retry)
    }
}

/// Errors and timeouts that tell of the MTU, as long as they may.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Trouble {
    pending: Option<Pending>,
    /// When an error was last believed.
    believed: Option<Instant>,
    hole: Hole,
}

impl AtRest for Trouble {
    const AT_REST: &'static Self = &Self { pending: None, believed: None, hole: Hole::None };
}

/// Knowledge of the sizes of packets on the path. It does not hold the MTU in use (eff_pmtu): it answers when that
/// must change.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct PathMtu {
    /// The MTU that the host gave.
    told: u16,
    /// maxsizesent of RFC 5927, since the MTU last changed.
    max_sent: u16,
    /// maxsizeacked.
    max_acked: u16,
    watched: Watched,
    /// The last packet that started at SND.UNA: its size. 0: none has, since SND.UNA is there.
    first: u16,
    /// The largest pure ACK since SND.NXT is where it is; 0: none.
    pure_ack: u16,
    trouble: Rare<Trouble>,
    search: Search,
}

impl PathMtu {
    pub(crate) fn new() -> Self {
        Self {
            told: 0,
            max_sent: 0,
            max_acked: 0,
            watched: Watched::NONE,
            first: 0,
            pure_ack: 0,
            trouble: Rare::default(),
            search: Search::new(),
        }
    }

    /// The host says what the MTU is, while packets of `before` octets are in use.
    pub(crate) fn on_told(&mut self, mtu: u16, before: u16, policy: &Policy, now: Instant) {
        self.told = mtu;
        self.set_hole(Hole::None);
        self.restart(0);
        let begin = |search: &mut Search| search.begin(policy.ceiling(mtu), mtu, now);
        if mtu < before {
            begin(&mut self.search); // what is larger, a probe as well, goes again at once
        } else {
            self.search.replace(begin);
        }
    }

    /// Packets may be no larger than the policy says from now on: a search looks for no more. One that could look for
    /// more begins when it begins anew.
    pub(crate) fn on_ceiling(&mut self, mtu: u16, policy: &Policy, now: Instant) {
        if PATH_MTU && policy.probing {
            self.search.exclude(policy.ceiling(self.told).saturating_add(1), mtu, policy.retry_at(now));
        }
    }

    /// The search is switched on or off.
    pub(crate) fn on_probing(&mut self, mtu: u16, policy: &Policy, now: Instant) {
        if !PATH_MTU {
        } else if policy.probing {
            self.search.replace(|search| search.begin(policy.ceiling(self.told), mtu, now));
        } else {
            self.search.replace(|search| search.rest(policy.retry_at(now).filter(|_| mtu < self.told)));
        }
    }

    /// How long a lowered MTU is kept is another time now: it counts from now on, where the search is over.
    pub(crate) fn on_retry(&mut self, mtu: u16, policy: &Policy, now: Instant) {
        if PATH_MTU && mtu < self.told {
            self.search.wait(mtu, policy.retry_at(now));
        }
    }

    /// A piece of the stream leaves. What goes again may have been sent in smaller sizes before, and proves none; but
    /// when timeouts have put a size in doubt nothing else is sent, and there it counts: should it deceive, a black
    /// hole is found once more.
    pub(crate) fn on_sent(&mut self, packet: &Packet) {
        let &Packet { start, end, size, again, first, probe } = packet;
        self.max_sent = self.max_sent.max(size);
        if !again {
            self.pure_ack = 0;
        }
        if first {
            self.first = size;
            if let Some(trouble) = self.trouble.active() {
                trouble.hole.on_sent(Watched { end, size });
            }
        }
        if probe {
            return self.search.on_probe(start, end, size);
        }
        if again && start < self.watched.end && size < self.watched.size {
            self.watched = Watched::NONE;
        }
        if !again || self.trouble.hole.is_doubt() {
            self.watch(end, size);
        }
    }

    /// The packet with the text up to `end` proves something if it arrives, where no other of its size does before.
    fn watch(&mut self, end: Position, size: u16) {
        let proven = if self.watched.size > 0 { self.watched.size } else { self.max_acked };
        if size > proven {
            self.watched = Watched { end, size };
        }
    }

    /// A packet leaves with new text up to `end`, `first` at SND.UNA, while no size is in doubt: what `on_sent` does
    /// then.
    pub(crate) fn on_text(&mut self, first: bool, end: Position, size: u16) {
        self.max_sent = self.max_sent.max(size);
        self.pure_ack = 0;
        if first {
            self.first = size;
        }
        self.watch(end, size);
    }

    /// A packet of `size` octets leaves that carries nothing of the stream.
    pub(crate) fn on_pure_ack(&mut self, size: u16) {
        self.pure_ack = self.pure_ack.max(size);
    }

    /// Whether an error may quote SND.NXT: a pure ACK was sent, and none of the stream since.
    pub(crate) const fn sent_pure_ack(&self) -> bool {
        self.pure_ack > 0
    }

    /// SND.UNA has advanced to `una`. Returns whether that is all it means, since nothing is in doubt or being looked
    /// for.
    #[inline]
    pub(crate) fn on_acknowledged_at_rest(&mut self, una: Position) -> bool {
        self.first = 0;
        if self.watched.size > 0 && self.watched.end <= una {
            self.max_acked = self.max_acked.max(self.watched.size);
            self.watched = Watched::NONE;
        }
        self.is_at_rest()
    }

    /// SND.UNA has advanced to `una`; packets of `mtu` octets are in use. Returns the MTU, if it changes.
    pub(crate) fn on_acknowledged(&mut self, una: Position, mtu: u16, policy: &Policy, now: Instant) -> Option<u16> {
        self.on_acknowledged_at_rest(una);
        if self.trouble.pending.is_some_and(|pending| pending.start < una) {
            self.set_pending(None); // it was a false claim
        }
        if !PATH_MTU {
            return None;
        }
        if let Some(size) = self.search.on_acknowledged(una, mtu, policy, now) {
            self.restart(size);
            return Some(if size >= policy.ceiling(self.told) { size.max(self.told) } else { size });
        }
        if self.trouble.hole != Hole::None {
            return self.leave_hole(una, mtu, policy, now);
        }
        if !self.search.is_over(mtu, now) {
            return None;
        }
        if policy.probing {
            self.search.begin(policy.ceiling(self.told), mtu, now);
            return None;
        }
        self.search.rest(None);
        (mtu < self.told).then(|| self.try_again(self.told, mtu))
    }

    /// The MTU changes: what was sent before proves nothing about it. Packets of `acked` octets get through.
    fn restart(&mut self, acked: u16) {
        self.max_sent = 0;
        self.max_acked = acked;
        self.watched = Watched::NONE;
        self.set_pending(None);
    }

    fn set_hole(&mut self, hole: Hole) {
        if PATH_MTU && self.trouble.hole != hole {
            self.trouble.begin().hole = hole;
            self.trouble.settle();
        }
    }

    fn set_pending(&mut self, pending: Option<Pending>) {
        if self.trouble.pending != pending {
            self.trouble.begin().pending = pending;
            self.trouble.settle();
        }
    }

    /// The size that a probe should have now, while packets of `mtu` octets are in use and as much as
    /// `useful` says of a size is worth a probe; its preconditions are the sender's matter.
    pub(crate) fn probe_size(&self, mtu: u16, useful: impl FnOnce(u16) -> u16, now: Instant) -> Option<u16> {
        self.search.next_size(mtu, useful, now).filter(|_| self.trouble.hole == Hole::None)
    }

    /// Whether no size is in doubt or being looked for, now and later.
    pub(crate) const fn is_at_rest(&self) -> bool {
        self.trouble.is_at_rest() && self.search.is_at_rest()
    }

    /// Whether packets of `mtu` octets are not in doubt, and no probe for a larger one is due.
    pub(crate) fn is_calm(&self, mtu: u16, now: Instant) -> bool {
        !PATH_MTU || self.trouble.hole == Hole::None && self.search.next_size(mtu, |high| high, now).is_none()
    }

    /// The most octets that a packet with the loss at SND.UNA may have, where that is less than the MTU.
    pub(crate) fn cut(&self) -> Option<u16> {
        self.trouble.hole.cut().filter(|_| PATH_MTU)
    }

    /// The probe that is out, from its first octet to the one after its last.
    pub(crate) fn probe(&self) -> Option<(Position, Position)> {
        self.search.probe().filter(|_| PATH_MTU)
    }

    /// Loss was found while a probe was out. Returns whether it is no congestion.
    pub(crate) fn on_loss(&mut self, loss: ProbeLoss, nxt: Position, next: Instant) -> bool {
        PATH_MTU && self.search.on_loss(loss, nxt, next)
    }

    /// The retransmission timer has expired; the next probe waits until `next`.
    pub(crate) fn on_probe_timeout(&mut self, una: Position, next: Instant, mtu: u16, policy: &Policy, now: Instant) {
        if PATH_MTU {
            self.search.on_timeout(una, next, mtu, policy, now);
        }
    }

    pub(crate) fn rebase(&mut self, ago: impl Fn(Instant) -> Instant) {
        let Self { told: _, max_sent: _, max_acked: _, watched: _, first: _, pure_ack: _, trouble: _, search: _ } =
            self; // a field that is added has to be looked at here
        if let Some(trouble) = self.trouble.active() {
            trouble.believed = trouble.believed.map(&ago);
            if let Some(pending) = &mut trouble.pending {
                pending.at = ago(pending.at);
            }
        }
        self.search.rebase(ago);
    }
}

#[cfg(feature = "path-mtu")]
#[cfg(test)]
mod tests;
