//! How fast the network delivers, for controllers that work by rates (draft-cheng-iccrg-delivery-rate-estimation §3).

use super::congestion::RateSample;
use crate::Instant;
use crate::rare::{AtRest, Rare};

/// What a segment remembers of the moment it was sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Snapshot {
    /// Octets delivered by then, and when the last of them were.
    delivered: u64,
    delivered_at: Instant,
    /// When the first segment of this flight was sent.
    first_at: Instant,
    application_limited: bool,
}

impl Snapshot {
    pub(crate) const fn is_application_limited(&self) -> bool {
        self.application_limited
    }

    pub(crate) fn rebase(&mut self, ago: impl Fn(Instant) -> Instant) {
        let Self { delivered: _, delivered_at: _, first_at: _, application_limited: _ } = self; // a field that is added has to be looked at here
        self.delivered_at = ago(self.delivered_at);
        self.first_at = ago(self.first_at);
    }
}

/// What was delivered so far.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Rate {
    /// Octets: samples are limited by the application until these, too, are delivered; 0: they are not.
    application_limited: u32,
    /// For a controller that works by rates.
    sampling: Rare<Sampling>,
}

/// What samples of the rate are taken from.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Sampling {
    delivered: u64,
    delivered_at: Instant,
    first_at: Instant,
}

impl AtRest for Sampling {
    const AT_REST: &'static Self = &Self { delivered: 0, delivered_at: Instant::ZERO, first_at: Instant::ZERO };
}

/// The newest segment that an acknowledgment delivers, and when it was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Newest(Option<(Snapshot, Instant)>);

impl Newest {
    /// The acknowledgment delivers a segment that was sent `at`.
    pub(crate) fn on_segment(&mut self, snapshot: Snapshot, at: Instant) {
        let newer = self.0.is_none_or(|(newest, newest_at)| (at, snapshot.delivered) >= (newest_at, newest.delivered));
        if newer {
            self.0 = Some((snapshot, at));
        }
    }
}

impl Rate {
    pub(crate) fn delivered(&self) -> u64 {
        self.sampling.delivered
    }

    /// A segment is sent while `inflight` octets are in the network.
    pub(crate) fn on_sent(&mut self, inflight: u32, now: Instant) -> Snapshot {
        if inflight == 0 {
            let sampling = self.sampling.begin();
            sampling.first_at = now;
            sampling.delivered_at = now;
        }
        let &Sampling { delivered, delivered_at, first_at } = &*self.sampling;
        Snapshot { delivered, delivered_at, first_at, application_limited: self.application_limited > 0 }
    }

    /// What a segment remembers where no samples are taken.
    pub(crate) fn unsampled(&self) -> Snapshot {
        Snapshot { application_limited: self.application_limited > 0, ..Snapshot::default() }
    }

    /// There was nothing to send although `inflight` octets left room for more: what is in the network, and the first
    /// octet after it.
    pub(crate) fn on_application_limited(&mut self, inflight: u32) {
        self.application_limited = inflight.saturating_add(1);
    }

    /// The acknowledgment delivered `octets`, all told.
    pub(crate) fn on_delivered(&mut self, octets: u32, newest: Newest, now: Instant) -> Option<RateSample> {
        if octets == 0 {
            return None;
        }
        self.count(octets);
        let sampling = self.sampling.begin();
        sampling.delivered += u64::from(octets);
        sampling.delivered_at = now;
        let (snapshot, at) = newest.0?;
        let sending = at.saturating_since(snapshot.first_at);
        let arriving = now.saturating_since(snapshot.delivered_at);
        sampling.first_at = at;
        Some(RateSample {
            delivered: sampling.delivered - snapshot.delivered,
            interval: sending.max(arriving),
            prior_delivered: snapshot.delivered,
            application_limited: snapshot.application_limited,
        })
    }

    /// The same for a controller that needs no samples: whether the application limited what was sent.
    pub(crate) fn on_counted(&mut self, octets: u32, newest: Newest) -> bool {
        self.count(octets);
        octets > 0 && newest.0.is_some_and(|(snapshot, _)| snapshot.application_limited)
    }

    /// So many octets are delivered.
    #[inline]
    pub(crate) fn count(&mut self, octets: u32) {
        self.application_limited = self.application_limited.saturating_sub(octets);
    }

    pub(crate) fn rebase(&mut self, ago: impl Fn(Instant) -> Instant) {
        let Self { application_limited: _, sampling: _ } = self; // a field that is added has to be looked at here
        if let Some(sampling) = self.sampling.active() {
            sampling.delivered_at = ago(sampling.delivered_at);
            sampling.first_at = ago(sampling.first_at);
        }
    }
}
