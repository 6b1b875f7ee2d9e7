//! The path MTU of one connection: which "too big" errors are believed (RFC 5927 §7.2), and what is done when none
//! come: black holes (RFC 4821 §7.7).

use core::time::Duration;

use crate::{Config, Instant};

/// How the MTU in use relates to the one that the host gave.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Search {
    /// It is the same.
    Full,
    /// It is less, because larger packets did not get through. From `retry` on they are tried again.
    Lowered { full: u16, failed: u16, retry: Option<Instant> },
    /// Timeouts made it less, and nothing got through since. `tried`: the full size was tried after that, in vain.
    Falling { full: u16, failed: u16, tried: bool },
    /// It is the same again, on trial; packets of `works` octets get through, those of `failed` did not.
    Trial { full: u16, failed: u16, works: u16 },
}

/// A packet whose acknowledgment will tell that its size gets through.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Watched {
    end: u64,
    size: u16,
}

/// A "too big" error that is not believed yet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Pending {
    start: u64,
    mtu: u16,
}

/// The policy, of `Config` and the IP version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Policy {
    /// The least MTU that this module answers.
    floor: u16,
    /// MAXSEGRTO.
    believe_after: u32,
    /// Timeouts that make a black hole; 0: never.
    hole_after: u32,
    /// The first size that is tried in a black hole.
    hole_mtu: u16,
    retry: Option<Duration>,
}

impl Policy {
    pub(crate) fn new(config: &Config, min_mtu: u16) -> Self {
        let floor = config.min_mtu().max(min_mtu);
        Self {
            floor,
            believe_after: config.too_big_timeouts().into(),
            hole_after: config.black_hole_timeouts().into(),
            hole_mtu: config.black_hole_mtu().max(floor),
            retry: config.mtu_retry(),
        }
    }

    /// What is tried when a packet of `size` octets vanishes while the MTU is `mtu`: the safe size, then half of it, and
    /// so on, to the first step that makes the packet smaller.
    fn below(&self, mtu: u16, size: u16) -> Option<u16> {
        let first = if mtu > self.hole_mtu { self.hole_mtu } else { mtu / 2 };
        let steps = core::iter::successors(Some(first), |step| (*step > self.floor).then_some(step / 2));
        steps.map(|step| step.max(self.floor)).find(|&step| step < size && step < mtu)
    }
}

/// What is known of the sizes of packets on the path. It does not hold the MTU: it answers when that must change.
/// Positions count from the ISS.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct PathMtu {
    /// maxsizesent of RFC 5927, since the MTU last changed.
    max_sent: u16,
    /// maxsizeacked.
    max_acked: u16,
    watched: Option<Watched>,
    pending: Option<Pending>,
    /// When an error was last believed.
    believed: Option<Instant>,
    search: Search,
}

impl PathMtu {
    pub(crate) const fn new() -> Self {
        Self { max_sent: 0, max_acked: 0, watched: None, pending: None, believed: None, search: Search::Full }
    }

    /// A packet of `size` octets, IP header included, leaves with text from `start` to `end`. What goes `again` may
    /// have been sent in smaller sizes before, and proves none; but after an outage nothing else is sent, and there it
    /// counts: should it deceive, a black hole is found once more.
    pub(crate) fn on_sent(&mut self, start: u64, end: u64, size: u16, again: bool) {
        self.max_sent = self.max_sent.max(size);
        if again {
            self.watched = self.watched.filter(|watched| start >= watched.end || size >= watched.size);
        }
        let proves = !again || matches!(self.search, Search::Trial { .. });
        if proves && size > self.watched.map_or(self.max_acked, |watched| watched.size) {
            self.watched = Some(Watched { end, size });
        }
    }

    /// SND.UNA has advanced to `una`; packets of `mtu` octets are in use. Returns the MTU, if it changes.
    pub(crate) fn on_acknowledged(&mut self, una: u64, mtu: u16, policy: &Policy, now: Instant) -> Option<u16> {
        self.pending = self.pending.filter(|pending| pending.start >= una); // it was a false claim
        if let Some(watched) = self.watched.filter(|watched| watched.end <= una) {
            self.max_acked = self.max_acked.max(watched.size);
            self.watched = None;
        }
        match self.search {
            Search::Full => None,
            Search::Lowered { retry: Some(retry), full, failed } if retry <= now => self.try_full(full, failed, mtu),
            Search::Lowered { .. } => None,
            // Smaller packets got through, or the outage is over: the next timeout tells.
            Search::Falling { full, failed, tried: false } => self.try_full(full, failed, mtu),
            Search::Falling { full, failed, tried: true } => {
                self.search = Search::Lowered { full, failed, retry: policy.retry.map(|retry| now + retry) };
                None
            }
            Search::Trial { failed, .. } => {
                if self.max_acked >= failed {
                    self.search = Search::Full;
                }
                None
            }
        }
    }

    fn try_full(&mut self, full: u16, failed: u16, works: u16) -> Option<u16> {
        self.search = Search::Trial { full, failed, works };
        self.restart(works);
        Some(full)
    }

    /// The MTU changes: what was sent before proves nothing about it. Packets of `acked` octets get through.
    fn restart(&mut self, acked: u16) {
        self.max_sent = 0;
        self.max_acked = acked;
        self.watched = None;
        self.pending = None;
    }

    /// The MTU that the host gave, as far as known.
    fn full(&self, mtu: u16) -> u16 {
        match self.search {
            Search::Full => mtu,
            Search::Lowered { full, .. } | Search::Falling { full, .. } | Search::Trial { full, .. } => full,
        }
    }

    /// An error says that the packet with the text at `start` was too big for a link of `claimed` octets; `repeats` is
    /// how often the first segment in flight has timed out, `rtt` a round trip. Returns the MTU, if it changes. What was
    /// never sent cannot be too big; where packets of that size got through, the error waits for timeouts; and in a
    /// round trip one is believed, so that forged ones do not make a flood of what is cut anew.
    pub(crate) fn on_too_big(
        &mut self,
        (start, claimed): (u64, u16),
        (mtu, repeats): (u16, u32),
        policy: &Policy,
        (rtt, now): (Duration, Instant),
    ) -> Option<u16> {
        let soon = self.believed.is_some_and(|at| now.saturating_since(at) < rtt);
        if claimed >= self.max_sent || claimed >= mtu || soon {
            return None;
        }
        if claimed >= self.max_acked || repeats >= policy.believe_after {
            return self.believe(claimed, mtu, policy, now);
        }
        self.pending = Some(Pending { start, mtu: claimed });
        None
    }

    fn believe(&mut self, claimed: u16, mtu: u16, policy: &Policy, now: Instant) -> Option<u16> {
        let lower = claimed.max(policy.floor);
        self.pending = None;
        if lower >= mtu {
            return None;
        }
        let retry = policy.retry.map(|retry| now + retry);
        self.search = Search::Lowered { full: self.full(mtu), failed: self.max_sent, retry };
        self.believed = Some(now);
        self.restart(self.max_acked.min(lower));
        Some(lower)
    }

    /// The first segment in flight, a packet of `size` octets, has timed out `repeats` times. Returns the MTU, if it
    /// changes.
    pub(crate) fn on_timeout(
        &mut self,
        size: u16,
        (mtu, repeats): (u16, u32),
        policy: &Policy,
        now: Instant,
    ) -> Option<u16> {
        if let Some(pending) = self.pending.filter(|_| repeats >= policy.believe_after) {
            return self.believe(pending.mtu, mtu, policy, now);
        }
        if policy.hole_after == 0 {
            return None;
        }
        let (full, failed, tried, next) = match self.search {
            Search::Trial { full, failed, works } if size > works => {
                (full, failed, true, policy.below(full, size)?.max(works))
            }
            Search::Falling { full, failed, tried } => (full, failed, tried, policy.below(mtu, size)?),
            Search::Full | Search::Lowered { .. } if repeats >= policy.hole_after => {
                (self.full(mtu), size, false, policy.below(mtu, size)?)
            }
            Search::Full | Search::Lowered { .. } | Search::Trial { .. } => return None,
        };
        self.search = Search::Falling { full, failed, tried };
        self.restart(0);
        Some(next)
    }

    /// The host says what the MTU is.
    pub(crate) fn on_told(&mut self) {
        self.search = Search::Full;
        self.restart(0);
    }

    pub(crate) fn rebase(&mut self, ago: impl Fn(Instant) -> Instant) {
        self.believed = self.believed.map(&ago);
        if let Search::Lowered { retry: Some(retry), .. } = &mut self.search {
            *retry = ago(*retry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const POLICY: Policy =
        Policy { floor: 68, believe_after: 1, hole_after: 3, hole_mtu: 1024, retry: Some(Duration::from_secs(600)) };
    const RTT: Duration = Duration::from_millis(100);
    const NOW: Instant = Instant::from_millis(1_000_000);

    /// One packet of 1500 octets is acknowledged, another one is in flight.
    fn proven() -> PathMtu {
        let mut path = PathMtu::new();
        path.on_sent(1, 1461, 1500, false);
        assert_eq!(path.on_acknowledged(1461, 1500, &POLICY, NOW), None);
        path.on_sent(1461, 2921, 1500, false);
        path
    }

    /// RFC 5927 §7.2: Initial Path-MTU Discovery.
    #[test]
    fn an_error_about_a_size_that_never_got_through_is_believed_at_once() {
        let mut path = PathMtu::new();
        path.on_sent(1, 1461, 1500, false);
        for (claimed, answer) in [(1500, None), (1600, None), (1400, Some(1400))] {
            assert_eq!(path.clone().on_too_big((1, claimed), (1500, 0), &POLICY, (RTT, NOW)), answer);
        }
        assert_eq!(PathMtu::new().on_too_big((1, 1400), (1500, 0), &POLICY, (RTT, NOW)), None, "nothing was sent");
    }

    /// RFC 5927 §7.2: Path-MTU Update.
    #[test]
    fn an_error_about_a_size_that_got_through_waits_for_a_timeout() {
        let mut path = proven();
        assert_eq!(path.on_too_big((1461, 1400), (1500, 0), &POLICY, (RTT, NOW)), None);
        let mut progress = path.clone();
        assert_eq!(path.on_timeout(1500, (1500, 1), &POLICY, NOW), Some(1400));
        assert_eq!(progress.on_acknowledged(2921, 1500, &POLICY, NOW), None);
        assert_eq!(progress.on_timeout(1500, (1500, 1), &POLICY, NOW), None, "it was a false claim");
        let mut late = proven();
        assert_eq!(
            late.on_too_big((1461, 1400), (1500, 1), &POLICY, (RTT, NOW)),
            Some(1400),
            "it has timed out already"
        );
        let traditional = Policy { believe_after: 0, ..POLICY };
        assert_eq!(proven().on_too_big((1461, 1400), (1500, 0), &traditional, (RTT, NOW)), Some(1400));
    }

    #[test]
    fn what_was_sent_again_proves_no_size() {
        let mut path = PathMtu::new();
        path.on_sent(1, 1461, 1500, false);
        path.on_sent(1, 501, 540, true);
        path.on_acknowledged(1461, 1500, &POLICY, NOW);
        assert_eq!(path.max_acked, 0);
        let mut path = PathMtu::new();
        path.on_sent(1, 1461, 1500, false);
        path.on_sent(1461, 1961, 540, true); // another part of the stream
        path.on_acknowledged(1461, 1500, &POLICY, NOW);
        assert_eq!(path.max_acked, 1500);
    }

    #[test]
    fn the_floor_holds() {
        let floor = Policy { floor: 552, hole_mtu: 1024, ..POLICY };
        let mut path = PathMtu::new();
        path.on_sent(1, 1461, 1500, false);
        assert_eq!(path.on_too_big((1, 300), (1500, 0), &floor, (RTT, NOW)), Some(552));
        let mut path = proven();
        let steps = falls(&mut path, &floor);
        assert_eq!(steps, [1024, 552]);
        let v6 = Policy { floor: 1280, hole_mtu: 1280, ..POLICY };
        assert_eq!(falls(&mut proven(), &v6), [1280]);
    }

    /// The MTUs of timeouts without end.
    fn falls(path: &mut PathMtu, policy: &Policy) -> Vec<u16> {
        let (mut mtu, mut steps) = (1500, Vec::new());
        for repeats in 1..20 {
            if let Some(lower) = path.on_timeout(mtu, (mtu, repeats), policy, NOW) {
                steps.push(lower);
                mtu = lower;
            }
        }
        steps
    }

    /// RFC 4821 §7.7: the initial search_low, then halves, to 68 over IPv4.
    #[test]
    fn timeouts_make_the_mtu_fall() {
        assert_eq!(falls(&mut proven(), &POLICY), [1024, 512, 256, 128, 68]);
        assert_eq!(falls(&mut proven(), &Policy { hole_after: 0, ..POLICY }), []);
        let mut small = proven();
        assert_eq!(small.on_timeout(68, (1500, 3), &POLICY, NOW), None, "a smaller MTU would not help it");
        assert_eq!(small.on_timeout(600, (1500, 3), &POLICY, NOW), Some(512), "the first step that makes it smaller");
    }

    #[test]
    fn after_an_outage_the_full_size_is_back() {
        let mut path = proven();
        falls(&mut path, &POLICY);
        assert_eq!(path.on_acknowledged(1477, 68, &POLICY, NOW), Some(1500));
        path.on_sent(2921, 4381, 1500, false);
        assert_eq!(path.on_acknowledged(4381, 1500, &POLICY, NOW), None);
        assert_eq!((path.search, path.max_acked), (Search::Full, 1500));
        assert_eq!(path.on_timeout(1500, (1500, 1), &POLICY, NOW), None);
    }

    #[test]
    fn in_a_black_hole_the_largest_step_that_works_stays_until_it_is_time_to_try_again() {
        let mut path = proven();
        falls(&mut path, &POLICY);
        assert_eq!(path.on_acknowledged(1477, 68, &POLICY, NOW), Some(1500));
        path.on_sent(1477, 2921, 1500, true);
        assert_eq!(path.on_timeout(1500, (1500, 1), &POLICY, NOW), Some(1024), "one timeout is enough now");
        assert_eq!(path.on_acknowledged(2461, 1024, &POLICY, NOW), None);
        let later = NOW + Duration::from_secs(599);
        assert_eq!(path.on_acknowledged(9000, 1024, &POLICY, later), None);
        let later = NOW + Duration::from_secs(600);
        assert_eq!(path.on_acknowledged(9001, 1024, &POLICY, later), Some(1500));
        assert_eq!(path.on_timeout(900, (1500, 1), &POLICY, later), None, "of this size they get through");
        assert_eq!(path.on_timeout(1500, (1500, 1), &POLICY, later), Some(1024));
        path.on_told();
        assert_eq!(path.search, Search::Full);
    }

    /// What an error has lowered is tried again as well (RFC 1191 §6.3); the answer is another error, or a size that works.
    #[test]
    fn what_an_error_lowered_is_tried_again() {
        let mut path = PathMtu::new();
        path.on_sent(1, 1461, 1500, false);
        assert_eq!(path.on_too_big((1, 1400), (1500, 0), &POLICY, (RTT, NOW)), Some(1400));
        path.on_sent(1, 1361, 1400, true);
        let later = NOW + Duration::from_secs(601);
        assert_eq!(path.on_acknowledged(1361, 1400, &POLICY, later), Some(1500));
        path.on_sent(1361, 2821, 1500, false);
        assert_eq!(path.clone().on_too_big((1361, 1400), (1500, 0), &POLICY, (RTT, later)), Some(1400));
        assert_eq!(
            path.on_timeout(1500, (1500, 1), &POLICY, later),
            Some(1400),
            "the errors have ceased, not the link"
        );
    }
}
