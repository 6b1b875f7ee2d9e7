//! How fast the network delivers, for controllers that work by rates (draft-cheng-iccrg-delivery-rate-estimation §3).

use super::congestion::RateSample;
use crate::Instant;

/// What a segment remembers of the moment it was sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
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
pub(crate) struct Rate {
    delivered: u64,
    delivered_at: Instant,
    first_at: Instant,
    /// Until this many octets are delivered, samples tell how much the application had to send.
    application_limited: u64,
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
    pub(crate) const fn delivered(&self) -> u64 {
        self.delivered
    }

    /// A segment is sent while `inflight` octets are in the network.
    pub(crate) fn on_sent(&mut self, inflight: u32, now: Instant) -> Snapshot {
        if inflight == 0 {
            self.first_at = now;
            self.delivered_at = now;
        }
        let (delivered, delivered_at, first_at) = (self.delivered, self.delivered_at, self.first_at);
        Snapshot { delivered, delivered_at, first_at, application_limited: self.application_limited > 0 }
    }

    /// What a segment remembers where no samples are taken.
    pub(crate) fn unsampled(&self) -> Snapshot {
        Snapshot { application_limited: self.application_limited > 0, ..Snapshot::default() }
    }

    /// There was nothing to send although `inflight` octets left room for more.
    pub(crate) fn on_application_limited(&mut self, inflight: u32) {
        self.application_limited = (self.delivered + u64::from(inflight)).max(1);
    }

    /// The acknowledgment delivered `octets`, all told.
    pub(crate) fn on_delivered(&mut self, octets: u32, newest: Newest, now: Instant) -> Option<RateSample> {
        if octets == 0 {
            return None;
        }
        self.count(octets);
        self.delivered_at = now;
        let (snapshot, at) = newest.0?;
        let sending = at.saturating_since(snapshot.first_at);
        let arriving = now.saturating_since(snapshot.delivered_at);
        self.first_at = at;
        Some(RateSample {
            delivered: self.delivered - snapshot.delivered,
            interval: sending.max(arriving),
            prior_delivered: snapshot.delivered,
            application_limited: snapshot.application_limited,
        })
    }

    /// The same for a controller that needs no samples: whether the application limited what was sent.
    pub(crate) fn on_counted(&mut self, octets: u32, newest: Newest) -> bool {
        if octets == 0 {
            return false;
        }
        self.count(octets);
        newest.0.is_some_and(|(snapshot, _)| snapshot.application_limited)
    }

    /// So many octets are delivered.
    #[inline]
    pub(crate) fn count(&mut self, octets: u32) {
        self.delivered += u64::from(octets);
        if self.delivered > self.application_limited {
            self.application_limited = 0;
        }
    }

    pub(crate) fn rebase(&mut self, ago: impl Fn(Instant) -> Instant) {
        let Self { delivered: _, delivered_at: _, first_at: _, application_limited: _ } = self; // a field that is added has to be looked at here
        self.delivered_at = ago(self.delivered_at);
        self.first_at = ago(self.first_at);
    }
}
