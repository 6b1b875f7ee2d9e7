//! Answers to what may not be the peer's, and their throttles (RFC 5961 §7): those of one connection, so that none can
//! be measured through another.

use super::tcb::{Cx, Tcb};
use crate::time::Micros;
use crate::{Config, Controller, Flags, Instant, Segment};

/// What RFC 5961 §7 speaks of: the most answers to bare segments, and the time that they are counted over.
const BARE_ANSWERS: u16 = 10;
const BARE_WINDOW: Micros = Micros::from_secs(5);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Throttle {
    since: Instant,
    sent: u16,
}

impl Throttle {
    const UNUSED: Self = Self { since: Instant::ZERO, sent: 0 };

    /// Whether one more may be sent now, of `limit` in `window`; counts it.
    fn allows(&mut self, limit: u16, window: Micros, now: Instant) -> bool {
        if self.sent == 0 || now.since(self.since) >= window {
            *self = Self { since: now, sent: 0 };
        }
        if planted!(answer_without_limit, self.sent >= limit, false) {
            return false;
        }
        self.sent += 1;
        true
    }

    /// The same by the settings, but never more than RFC 5961 §7 speaks of.
    fn allows_bare(&mut self, config: &Config, now: Instant) -> bool {
        let limit = config.challenge_limit().min(BARE_ANSWERS);
        self.allows(limit, Micros::from(config.challenge_window()).max(BARE_WINDOW), now)
    }
}

/// Three throttles, so that who can cause answers of one kind cannot use up those of another.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Throttles {
    /// Answers to SYNs and resets: a peer that rebooted, or that means its reset, waits for them.
    challenges: Throttle,
    /// Answers to what anybody can send blindly, and to what may be such an answer itself: bare segments that are not
    /// acceptable, an ACK out of range, an old timestamp. They end every war of ACKs, so `challenge_limit` cannot raise
    /// their rate.
    bare: Throttle,
    /// Answers to keep-alives and probes at RCV.NXT - 1: who cannot see the connection cannot use them up.
    keep_alives: Throttle,
}

impl Throttles {
    pub(super) const UNUSED: Self =
        Self { challenges: Throttle::UNUSED, bare: Throttle::UNUSED, keep_alives: Throttle::UNUSED };

    /// Whether a SYN or a reset may be answered now.
    pub(super) fn allow_challenge(&mut self, config: &Config, now: Instant) -> bool {
        self.challenges.allows(config.challenge_limit(), config.challenge_window().into(), now)
    }

    /// How many answers to bare segments and how many challenges are counted. TIME-WAIT answers no keep-alives.
    pub(super) fn counts(&self) -> (u8, u16) {
        (u8::try_from(self.bare.sent).unwrap_or(u8::MAX), self.challenges.sent) // `BARE_ANSWERS` at most
    }

    /// How many microseconds ago these counts began. No window reaches as far back as 32 bits do.
    pub(super) fn ages(&self, now: Instant) -> (u32, u32) {
        (now.since(self.bare.since).saturated(), now.since(self.challenges.since).saturated())
    }

    /// The throttles with these counts of these ages.
    pub(super) fn aged((bare, challenges): (u8, u16), (bare_age, challenges_age): (u32, u32), now: Instant) -> Self {
        let since = |age: u32| Instant::from_micros(now.as_micros().saturating_sub(age.into()));
        Self {
            challenges: Throttle { since: since(challenges_age), sent: challenges },
            bare: Throttle { since: since(bare_age), sent: bare.into() },
            keep_alives: Throttle::UNUSED,
        }
    }

    /// Whether a keep-alive may be answered now.
    pub(super) fn allow_keep_alive(&mut self, config: &Config, now: Instant) -> bool {
        self.keep_alives.allows_bare(config, now)
    }
}

impl<C: Controller> Tcb<C> {
    /// A challenge ACK to a SYN or a reset (RFC 5961 §3.2, §4.2).
    pub(super) fn challenge(&mut self, cx: &mut Cx<'_, '_>) {
        if self.seldom.begin().throttles.allow_challenge(cx.config, cx.now) {
            cx.out.counters.rare().challenge_acks += 1;
            self.transmit_ack(None, cx);
        }
    }

    /// A challenge ACK to what may be an answer itself (RFC 5961 §5.2, §10).
    pub(super) fn challenge_bare(&mut self, cx: &mut Cx<'_, '_>) {
        if self.seldom.begin().throttles.bare.allows_bare(cx.config, cx.now) {
            cx.out.counters.rare().challenge_acks += 1;
            self.transmit_ack(None, cx);
        }
    }

    /// "An acknowledgment should be sent in reply (unless the RST bit is set)": always where the segment has sequence
    /// length, for the peer lacks our ACK.
    pub(super) fn answer_unacceptable(&mut self, segment: &Segment, cx: &mut Cx<'_, '_>) {
        if segment.flags.contains(Flags::SYN) {
            self.challenge(cx);
        } else if segment.is_empty() {
            self.challenge_bare(cx);
        } else {
            self.transmit_ack(self.duplicate_of(segment, cx.config), cx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Micros = Micros::from_millis(1);

    #[test]
    fn ten_in_five_seconds() {
        let config = Config::default();
        let mut throttles = Throttles::UNUSED;
        let mut now = Instant::from_millis(100);
        assert_eq!((0..50).filter(|_| throttles.allow_challenge(&config, now)).count(), 10);
        now += Micros::from_millis(4999);
        assert!(!throttles.allow_challenge(&config, now));
        now += MS;
        assert_eq!((0..50).filter(|_| throttles.allow_challenge(&config, now)).count(), 10);
    }

    #[test]
    fn the_settings_can_only_lower_the_rate_of_answers_to_bare_segments() {
        for (limit, window, expected) in [(u16::MAX, 1, 20), (10, 5000, 20), (3, 1, 6), (u16::MAX, 60_000, 10)] {
            let config =
                Config::builder().challenge_limit(limit).challenge_window(MS.times(window).into()).build().unwrap();
            let mut throttle = Throttle::UNUSED;
            let allowed = |n: &u64| throttle.allows_bare(&config, Instant::from_millis(*n));
            assert_eq!((0..10_000).filter(allowed).count(), expected, "{limit} in {window} ms");
        }
    }
}
