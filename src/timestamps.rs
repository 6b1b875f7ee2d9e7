//! Timestamps: our clock, TS.Recent and PAWS (RFC 7323 §3-5).

use crate::time::Micros;
use crate::{Instant, SeqNum, Timestamps};

/// How long TS.Recent stays valid on an idle connection (RFC 7323 §5.5).
const RECENT_LIFETIME: Micros = Micros::from_secs(24 * 24 * 3600);

/// The timestamp state of a connection that negotiated them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(Rust, packed(4))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct TsState {
    /// The offset of our clock.
    offset: u32,
    /// What our clock showed when the connection was opened.
    opened: u32,
    /// TS.Recent and when it was taken.
    recent: u32,
    recent_at: Instant,
    /// The peer's first TSval: where `canonical` counts from.
    first: u32,
    /// Last.ACK.sent.
    pub(crate) last_ack_sent: SeqNum,
}

/// Our clock: 1 ms a tick from an offset of this connection (RFC 7323 §5.4).
pub(crate) fn clock(offset: u32, now: Instant) -> u32 {
    let millis = now.as_micros() / 1000;
    offset.wrapping_add(u32::try_from(millis & 0xFFFF_FFFF).unwrap_or(0))
}

/// `a < b` on the circle of timestamps.
pub(crate) const fn older(a: u32, b: u32) -> bool {
    SeqNum::new(a).before(SeqNum::new(b))
}

impl TsState {
    /// State after the peer's SYN carried `value`, on a connection that was `opened` with our SYN or the peer's.
    pub(crate) fn new(offset: u32, opened: Instant, value: u32, last_ack_sent: SeqNum, now: Instant) -> Self {
        let opened = clock(offset, opened);
        Self { offset, opened, recent: value, recent_at: now, first: value, last_ack_sent }
    }

    /// The state `now`, with the offset of our clock, TS.Recent, and how old that is.
    pub(crate) fn aged((offset, recent, age): (u32, u32, Micros), last_ack_sent: SeqNum, now: Instant) -> Self {
        let recent_at = Instant::from_micros(now.as_micros().saturating_sub(age.get()));
        Self { offset, opened: clock(offset, now), recent, recent_at, first: recent, last_ack_sent }
    }

    /// How old TS.Recent is, as far as it matters.
    pub(crate) fn age(&self, now: Instant) -> Micros {
        now.since(self.recent_at).min(RECENT_LIFETIME)
    }

    pub(crate) const fn offset(&self) -> u32 {
        self.offset
    }

    /// The option of a segment sent now.
    pub(crate) fn option(&self, now: Instant) -> Timestamps {
        Timestamps { value: clock(self.offset, now), echo: self.recent }
    }

    /// TS.Recent.
    pub(crate) const fn recent(&self) -> u32 {
        self.recent
    }

    /// R1 of RFC 7323 §5.3: the segment is an old duplicate.
    pub(crate) fn is_old(&self, ts: Timestamps, now: Instant) -> bool {
        planted!(forget_paws, older(ts.value, self.recent) && now.since(self.recent_at) < RECENT_LIFETIME, false)
    }

    /// R3 of RFC 7323 §5.3, after the segment proved acceptable: TS.Recent follows the left edge of what was
    /// acknowledged.
    pub(crate) fn update(&mut self, ts: Timestamps, seq: SeqNum, now: Instant) {
        if !self.is_old(ts, now) {
            self.follow(ts, seq, now);
        }
    }

    /// R3, for a timestamp that is not old.
    pub(crate) fn follow(&mut self, ts: Timestamps, seq: SeqNum, now: Instant) {
        if seq.at_or_before(self.last_ack_sent) {
            self.recent = ts.value;
            self.recent_at = now;
        }
    }

    /// When our clock began to show the value `echo`, unless it has not since the connection was opened.
    pub(crate) fn shown_at(&self, echo: u32, now: Instant) -> Option<Instant> {
        let ticks = clock(self.offset, now).wrapping_sub(echo);
        let age = clock(self.offset, now).wrapping_sub(self.opened);
        let millis = (now.as_micros() / 1000).checked_sub(u64::from(ticks))?;
        (ticks <= age).then(|| Instant::from_millis(millis))
    }

    /// Whether `echo` was on our clock after `since`: who sent it had seen a segment of ours that left later.
    pub(crate) fn has_seen(&self, echo: u32, since: Instant) -> bool {
        older(clock(self.offset, since), echo)
    }

    pub(crate) fn rebase(&mut self, irs: SeqNum, now: Instant) {
        let Self { offset: _, opened: _, recent: _, recent_at: _, first: _, last_ack_sent: _ } = *self; // a field that is added has to be looked at here
        self.opened = self.opened.wrapping_sub(clock(self.offset, now));
        self.offset = 0;
        self.recent = self.recent.wrapping_sub(self.first);
        self.first = 0;
        self.recent_at = Instant::from_micros(self.recent_at.as_micros().wrapping_sub(now.as_micros()));
        self.last_ack_sent = SeqNum::new(self.last_ack_sent - irs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ts(value: u32) -> Timestamps {
        Timestamps { value, echo: 0 }
    }

    #[test]
    fn paws_holds_across_the_wrap() {
        let state = TsState::new(0, Instant::ZERO, u32::MAX, SeqNum::new(0), Instant::ZERO);
        assert!(!state.is_old(ts(3), Instant::ZERO));
        assert!(!state.is_old(ts(u32::MAX), Instant::ZERO));
        assert!(state.is_old(ts(u32::MAX - 1), Instant::ZERO));
    }

    #[test]
    fn recent_expires_after_24_days_idle() {
        let mut state = TsState::new(0, Instant::ZERO, 100, SeqNum::new(0), Instant::ZERO);
        let later = Instant::ZERO + RECENT_LIFETIME;
        assert!(state.is_old(ts(99), Instant::from_micros(later.as_micros() - 1)));
        assert!(!state.is_old(ts(99), later));
        state.update(ts(99), SeqNum::new(0), later);
        assert_eq!(state.recent(), 99);
    }

    #[test]
    fn recent_follows_only_segments_at_or_before_the_last_ack() {
        let mut state = TsState::new(0, Instant::ZERO, 100, SeqNum::new(50), Instant::ZERO);
        state.update(ts(200), SeqNum::new(51), Instant::ZERO);
        assert_eq!(state.recent(), 100);
        state.update(ts(200), SeqNum::new(50), Instant::ZERO);
        assert_eq!(state.recent(), 200);
    }

    #[test]
    fn echoes_that_our_clock_never_showed_prove_nothing() {
        let (opened, now) = (Instant::from_millis(20), Instant::from_millis(70));
        let state = TsState::new(1000, opened, 0, SeqNum::new(0), opened);
        assert_eq!(state.shown_at(1030, now), Some(Instant::from_millis(30)));
        assert_eq!(state.shown_at(1020, now), Some(opened));
        assert_eq!(state.shown_at(1019, now), None);
        assert_eq!(state.shown_at(0, now), None);
        assert_eq!(state.shown_at(1071, now), None);
    }
}
