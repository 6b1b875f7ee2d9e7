//! How fast the network delivers, for controllers that work by rates (draft-cheng-iccrg-delivery-rate-estimation §3).

use core::ops::Range;

use super::congestion::{Lost, RateSample};
use crate::Instant;
use crate::rare::{AtRest, Rare};
use crate::stream::Position;

/// What a segment remembers of the moment it was sent: the per-packet state of the sampler.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(Rust, packed(4))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Snapshot {
    /// Octets delivered by then, and when the last of them were.
    delivered: u64,
    delivered_at: Instant,
    /// When the first segment of this flight was sent.
    first_at: Instant,
    /// Octets in the network, those of the segment included.
    tx_in_flight: u32,
    /// Octets found lost by then, modulo 2^32.
    lost: u32,
    application_limited: bool,
    /// A controller that works by rates hears of it.
    sampled: bool,
}

impl Snapshot {
    pub(crate) const fn is_application_limited(&self) -> bool {
        self.application_limited
    }

    /// Another controller took over since: what it remembers is of no use.
    pub(crate) fn forget(&mut self) {
        *self = Self { application_limited: self.application_limited, ..Self::default() };
    }

    /// That of the next segment, of `octets` octets, which leaves at once.
    pub(crate) const fn followed_by(self, octets: u32) -> Self {
        let tx_in_flight = if self.sampled { self.tx_in_flight.saturating_add(octets) } else { 0 };
        Self { tx_in_flight, ..self }
    }

    /// What orders samples of segments that were sent one after the other.
    pub(crate) fn order(&self) -> (bool, u64) {
        (self.sampled, if self.sampled { self.delivered } else { 0 })
    }

    pub(crate) fn rebase(&mut self, totals: Totals, ago: impl Fn(Instant) -> Instant) {
        // a field that is added has to be looked at here
        let Self { delivered, delivered_at, first_at, tx_in_flight: _, lost, application_limited: _, sampled } = *self;
        if sampled {
            self.delivered = delivered.wrapping_sub(totals.delivered);
            self.lost = lost.wrapping_sub(totals.lost);
            self.delivered_at = ago(delivered_at);
            self.first_at = ago(first_at);
        }
    }
}

/// Octets delivered, and octets found lost modulo 2^32, since the connection started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Totals {
    delivered: u64,
    lost: u32,
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
    /// Octets found lost, modulo 2^32.
    lost: u32,
    /// The end of the segment that was found lost last.
    lost_end: Position,
    /// The newest segment that the acknowledgment delivers which is looked at, and when it was sent.
    newest: Option<(Snapshot, Instant)>,
    /// What the tail-loss probe that is out sent again: where it starts, and what it remembered.
    probed: Option<(Position, Snapshot)>,
}

impl AtRest for Sampling {
    const AT_REST: &'static Self = &Self {
        delivered: 0,
        delivered_at: Instant::ZERO,
        first_at: Instant::ZERO,
        lost: 0,
        lost_end: Position::ISS,
        newest: None,
        probed: None,
    };
}

/// When the newest segment that an acknowledgment delivers was sent, and whether the application limited it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Newest {
    at: Option<Instant>,
    application_limited: bool,
}

impl Newest {
    /// The acknowledgment delivers a segment that was sent at this time.
    pub(crate) fn on_segment(&mut self, snapshot: &Snapshot, sent_at: Instant) {
        if self.at.is_none_or(|at| sent_at >= at) {
            (self.at, self.application_limited) = (Some(sent_at), snapshot.application_limited);
        }
    }
}

impl Rate {
    /// Whether samples are taken: the controller works by rates.
    #[inline]
    pub(crate) const fn is_sampling(&self) -> bool {
        !self.sampling.is_at_rest()
    }

    /// C.delivered: octets.
    pub(crate) fn delivered(&self) -> u64 {
        self.sampling.delivered
    }

    /// C.lost, modulo 2^32: octets.
    pub(crate) fn lost(&self) -> u32 {
        self.sampling.lost
    }

    /// What is sent now leaves while the application limits the flow.
    pub(crate) const fn is_application_limited(&self) -> bool {
        self.application_limited > 0
    }

    /// OnPacketSent: a segment of `octets` octets is sent while `inflight` octets are in the network.
    pub(crate) fn on_sent(&mut self, octets: u32, inflight: u32, now: Instant) -> Snapshot {
        if inflight == 0 {
            let sampling = self.sampling.begin();
            sampling.first_at = now;
            sampling.delivered_at = now;
        }
        let &Sampling { delivered, delivered_at, first_at, lost, lost_end: _, newest: _, probed: _ } = &*self.sampling;
        let application_limited = self.is_application_limited();
        let tx_in_flight = inflight.saturating_add(octets);
        Snapshot { delivered, delivered_at, first_at, tx_in_flight, lost, application_limited, sampled: true }
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

    /// UpdateRateSample: the acknowledgment delivers a segment that was sent at this time.
    #[inline]
    pub(crate) fn on_segment(&mut self, snapshot: &Snapshot, sent_at: Instant) {
        if snapshot.sampled {
            self.on_sampled(snapshot, sent_at);
        }
    }

    #[cold]
    #[inline(never)]
    fn on_sampled(&mut self, snapshot: &Snapshot, sent_at: Instant) {
        let newest = &mut self.sampling.begin().newest;
        let newer = |&(newest, at): &(Snapshot, Instant)| (sent_at, snapshot.delivered) >= (at, newest.delivered);
        if newest.as_ref().is_none_or(newer) {
            *newest = Some((*snapshot, sent_at));
        }
    }

    /// The acknowledgment delivered `octets`, all told.
    pub(crate) fn on_delivered(&mut self, octets: u32, now: Instant) -> Option<RateSample> {
        let newest = self.sampling.active().and_then(|sampling| sampling.newest.take());
        if octets == 0 {
            return None;
        }
        self.count(octets);
        let sampling = self.sampling.begin();
        sampling.delivered = sampling.delivered.saturating_add(octets.into()); // a value that was read may say anything
        sampling.delivered_at = now;
        let (snapshot, at) = newest?;
        let sending = at.saturating_since(snapshot.first_at);
        let arriving = now.saturating_since(snapshot.delivered_at);
        sampling.first_at = at;
        Some(RateSample {
            delivered: sampling.delivered.saturating_sub(snapshot.delivered),
            interval: sending.max(arriving),
            prior_delivered: snapshot.delivered,
            application_limited: snapshot.application_limited,
            tx_in_flight: snapshot.tx_in_flight,
            lost: sampling.lost.wrapping_sub(snapshot.lost),
        })
    }

    /// A segment was found lost: the facts for the controller, if its sending was sampled.
    pub(crate) fn on_lost(
        &mut self,
        snapshot: Snapshot,
        segment: Range<Position>,
        sack: bool,
        now: Instant,
    ) -> Option<Lost> {
        if !snapshot.sampled {
            return None;
        }
        let octets = segment.end - segment.start;
        let sampling = self.sampling.begin();
        sampling.lost = sampling.lost.wrapping_add(octets);
        let adjoins = core::mem::replace(&mut sampling.lost_end, segment.end) == segment.start;
        Some(Lost {
            octets,
            tx_in_flight: snapshot.tx_in_flight,
            lost: sampling.lost.wrapping_sub(snapshot.lost),
            delivered: sampling.delivered,
            application_limited: snapshot.application_limited,
            adjoins,
            sack,
            now,
        })
    }

    /// A tail-loss probe sends this segment again.
    pub(crate) fn on_tail_probe(&mut self, start: Position, snapshot: Snapshot) {
        if let Some(sampling) = self.sampling.active() {
            sampling.probed = Some((start, snapshot));
        }
    }

    /// Whether what a tail-loss probe sent again may turn out to have been lost.
    pub(crate) fn probed_from(&self) -> Option<Position> {
        self.sampling.probed.map(|(from, _)| from)
    }

    /// The tail-loss probe is judged, or of no use any more: what it sent again.
    pub(crate) fn take_probed(&mut self) -> Option<(Position, Snapshot)> {
        self.sampling.active().and_then(|sampling| sampling.probed.take())
    }

    /// The same for a controller that needs no samples: whether the application limited what was sent.
    pub(crate) fn on_counted(&mut self, octets: u32, newest: Newest) -> bool {
        self.count(octets);
        octets > 0 && newest.application_limited
    }

    /// This number of octets is delivered.
    #[inline]
    pub(crate) fn count(&mut self, octets: u32) {
        self.application_limited = self.application_limited.saturating_sub(octets);
    }

    /// A controller that works by rates takes over: nobody has counted lately.
    pub(crate) fn begin_anew(&mut self, now: Instant) {
        self.sampling.end();
        let sampling = self.sampling.begin();
        (sampling.first_at, sampling.delivered_at) = (now, now);
    }

    /// A controller that does not work by rates takes over.
    pub(crate) fn end(&mut self) {
        self.sampling.end();
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals { delivered: self.sampling.delivered, lost: self.sampling.lost }
    }

    pub(crate) fn rebase(&mut self, ago: impl Fn(Instant) -> Instant) {
        let Self { application_limited: _, sampling: _ } = self; // a field that is added has to be looked at here
        let totals = self.totals();
        if let Some(sampling) = self.sampling.active() {
            let Sampling { delivered, delivered_at, first_at, lost, lost_end: _, newest: _, probed } = sampling;
            if let Some((_, snapshot)) = probed {
                snapshot.rebase(totals, &ago);
            }
            (*delivered, *lost) = (0, 0); // all that is compared with them counts from them
            *delivered_at = ago(*delivered_at);
            *first_at = ago(*first_at);
        }
    }
}
