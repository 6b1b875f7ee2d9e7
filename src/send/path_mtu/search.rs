//! The search upward: single packets that are larger than the MTU in use (RFC 4821 §7.3 to §7.6; RFC 8899 §5.1.2).

use super::Policy;
use crate::Instant;
use crate::features::PATH_MTU;
use crate::rare::{AtRest, Rare};
use crate::stream::Position;

/// MAX_PROBES (RFC 8899 §5.1.2): this many probes of one size must vanish, each alone.
pub(super) const MAX_PROBES: u8 = 3;
/// What would be gained is no longer worth a probe (RFC 4821 §7.3).
pub(super) const THRESHOLD: u16 = 8;
/// Common sizes, which are tried first: jumbo frames, Ethernet, PPPoE, tunnels, and the plateaus of RFC 1191 §7.
const COMMON: [u16; 20] = [
    296, 508, 576, 1006, 1280, 1380, 1400, 1420, 1440, 1450, 1460, 1480, 1492, 1500, 2002, 4352, 8166, 9000, 17_914,
    32_000,
];

/// A probe that is out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Probe {
    start: Position,
    end: Position,
    /// 0: of a search that is over. It proves nothing, but that it is lost is no congestion all the same.
    size: u16,
    /// Something else was lost since: whether it arrives or not, its loss says nothing.
    disturbed: bool,
    /// It was lost. When all that was sent by then, up to this position, is acknowledged and nothing else was lost,
    /// that was for its size.
    lost: Option<Position>,
}

/// What was lost while a probe was out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum ProbeLoss {
    /// The probe, and nothing else.
    Alone,
    WithOthers,
    /// Not the probe, or what was sent again in its place.
    Others,
}

/// The search. search_low is the MTU in use, as always when probing upward (RFC 4821 §7.1).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Search {
    /// search_high: the greatest size that is not known to fail.
    high: u16,
    /// That came from the host, the peer or an error: it is tried first.
    untried: bool,
    /// Probes of this size that vanished.
    pub(super) fails: u8,
    course: Rare<Course>,
}

/// What goes on while there is something to search.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Course {
    /// When the next probe may leave, or, where nothing is left to search, the search begins anew; `None`: never.
    next: Option<Instant>,
    probe: Option<Probe>,
}

impl AtRest for Course {
    const AT_REST: &'static Self = &Self { next: None, probe: None };
}

impl Search {
    pub(super) fn new() -> Self {
        Self { high: 0, untried: false, fails: 0, course: Rare::default() }
    }

    fn set_next(&mut self, next: Option<Instant>) {
        if PATH_MTU && self.course.next != next {
            self.course.begin().next = next;
            self.course.settle();
        }
    }

    fn end_probe(&mut self) {
        if let Some(course) = self.course.active() {
            course.probe = None;
            self.course.settle();
        }
    }

    /// From `mtu` up to `high`.
    pub(super) fn begin(&mut self, high: u16, mtu: u16, now: Instant) {
        *self = Self { high, untried: true, ..Self::new() };
        self.set_next((!self.is_converged(mtu)).then_some(now));
    }

    /// Packets of this size do not get through, those of `mtu` octets do: search_high is less. Where nothing lies
    /// between, the search has ended.
    pub(super) fn exclude(&mut self, size: u16, mtu: u16, until: Option<Instant>) {
        if size > self.high {
            return;
        }
        self.high = size.saturating_sub(1);
        self.untried = false;
        if self.is_converged(mtu) {
            self.set_next(until);
        }
    }

    /// Nothing more is known to be worth a probe, until then.
    pub(super) fn rest(&mut self, until: Option<Instant>) {
        *self = Self::new();
        self.set_next(until);
    }

    /// Where nothing is left to search, it begins anew then.
    pub(super) fn wait(&mut self, mtu: u16, until: Option<Instant>) {
        if self.is_converged(mtu) {
            self.set_next(until);
        }
    }

    /// Another search, or none, takes the place of this one, whose probe may be out. Whether that arrives decides nothing any
    /// more; but "loss of a probe packet SHOULD NOT be treated as an indication of congestion" (RFC 8899 §3 item 7).
    pub(super) fn replace(&mut self, other: impl FnOnce(&mut Self)) {
        let out = self.course.probe;
        other(self);
        if let Some(probe) = out {
            self.course.begin().probe = Some(Probe { size: 0, ..probe });
        }
    }

    /// An error says that no more than `high` gets through, which is the MTU now.
    pub(super) fn bound(&mut self, high: u16, until: Option<Instant>) {
        *self = Self { high, untried: true, ..Self::new() };
        self.set_next(until);
    }

    fn is_converged(&self, mtu: u16) -> bool {
        self.high < mtu.saturating_add(THRESHOLD)
    }

    /// Whether no probe is out, and none will be.
    pub(super) const fn is_at_rest(&self) -> bool {
        self.course.is_at_rest()
    }

    /// Whether the search has ended, and it is time to begin anew.
    pub(super) fn is_over(&self, mtu: u16, now: Instant) -> bool {
        self.is_converged(mtu) && self.course.next.is_some_and(|next| next <= now)
    }

    /// The size of the next probe, if one may leave: as much of search_high as is useful.
    pub(super) fn next_size(&self, mtu: u16, useful: impl FnOnce(u16) -> u16, now: Instant) -> Option<u16> {
        if !PATH_MTU
            || self.is_converged(mtu)
            || self.course.probe.is_some()
            || self.course.next.is_none_or(|next| next > now)
        {
            return None;
        }
        let high = useful(self.high);
        if high < mtu.saturating_add(THRESHOLD) {
            return None;
        }
        if self.untried {
            return Some(high);
        }
        let common = COMMON.iter().filter(|&&size| mtu < size && size <= high);
        let middle = common.clone().nth(common.count() / 2);
        Some(middle.copied().unwrap_or(mtu + (high - mtu).div_ceil(2)))
    }

    pub(super) fn on_probe(&mut self, start: Position, end: Position, size: u16) {
        self.course.begin().probe = Some(Probe { start, end, size, disturbed: false, lost: None });
    }

    pub(super) fn probe(&self) -> Option<(Position, Position)> {
        self.course.probe.map(|probe| (probe.start, probe.end))
    }

    /// SND.UNA has advanced to `una`. Returns the size of a probe that has arrived (RFC 4821 §7.6.1).
    pub(super) fn on_acknowledged(&mut self, una: Position, mtu: u16, policy: &Policy, now: Instant) -> Option<u16> {
        let probe = self.course.probe?;
        match probe.lost {
            Some(nxt) if una >= nxt => {
                self.end_probe();
                self.fail(probe.size, mtu, policy, now);
                None
            }
            Some(_) => None, // others may be lost as well
            None if una >= probe.end && probe.size > 0 => {
                self.end_probe();
                self.fails = 0;
                self.set_next(if self.is_converged(probe.size) { policy.retry_at(now) } else { Some(now) });
                Some(probe.size)
            }
            None if una > probe.start => {
                self.end_probe(); // a part was taken, as by a full receiver, or the search is over: that says nothing
                None
            }
            None => None,
        }
    }

    /// Loss was found while a probe was out: of the probe, or not, or of it alone among what was sent up to `nxt`.
    /// Returns whether that may be for its size: then another may leave from `next` on, and it is no congestion (RFC
    /// 4821 §7.6.2).
    pub(super) fn on_loss(&mut self, loss: ProbeLoss, nxt: Position, next: Instant) -> bool {
        let Some(course) = self.course.active() else { return false };
        let Some(probe) = course.probe.as_mut() else { return false };
        match loss {
            ProbeLoss::Alone if !probe.disturbed && probe.lost.is_none() => {
                probe.lost = Some(nxt);
                course.next = course.next.map(|earlier| earlier.max(next));
                return true;
            }
            ProbeLoss::Others if probe.lost.is_none() => probe.disturbed = true,
            ProbeLoss::Alone | ProbeLoss::Others | ProbeLoss::WithOthers => self.end_probe(), // §7.6.4: inconclusive
        }
        false
    }

    /// A timeout. If it was the probe's, that is likely to be for its size (RFC 4821 §7.6.3).
    pub(super) fn on_timeout(&mut self, una: Position, next: Instant, mtu: u16, policy: &Policy, now: Instant) {
        let Some(probe) = self.course.probe else { return };
        self.end_probe();
        self.set_next(self.course.next.map(|earlier| earlier.max(next)));
        if probe.start == una && probe.lost.is_none() && !probe.disturbed {
            self.fail(probe.size, mtu, policy, now);
        }
    }

    /// A probe of this size has vanished.
    fn fail(&mut self, size: u16, mtu: u16, policy: &Policy, now: Instant) {
        self.fails += u8::from(size > 0);
        if size == 0 || self.fails < MAX_PROBES {
            return;
        }
        self.fails = 0;
        self.untried = false;
        self.high = size - 1;
        if self.is_converged(mtu) {
            self.set_next(policy.retry_at(now));
        }
    }

    /// An error about the packet at `start` says that no more than `claimed` octets get through. Returns whether it can
    /// mean the probe.
    pub(super) fn on_too_big(
        &mut self,
        (start, claimed): (Position, u16),
        mtu: u16,
        policy: &Policy,
        now: Instant,
    ) -> bool {
        let means =
            |probe: &Probe| probe.start == start && probe.lost.is_none() && (mtu..probe.size).contains(&claimed);
        if !self.course.probe.as_ref().is_some_and(means) {
            return false;
        }
        self.begin(claimed, mtu, now);
        self.set_next(self.course.next.or(policy.retry_at(now)));
        true
    }

    pub(super) fn rebase(&mut self, ago: impl Fn(Instant) -> Instant) {
        let Self { high: _, untried: _, fails: _, course: _ } = self; // a field that is added has to be looked at here
        if let Some(course) = self.course.active() {
            course.next = course.next.map(ago);
        }
    }
}
