//! When to acknowledge (RFC 9293 §3.8.6.3, RFC 5681 §4.2).

use crate::time::Micros;
use crate::{Config, Instant};

/// The acknowledgment that is owed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum PendingAck {
    /// None.
    #[default]
    No,
    /// One that may wait until `Timer::DelayedAck`, for `segments` segments and `octets` octets.
    Delayed { segments: u16, octets: u32 },
    /// One that leaves with this event, on text if there is any.
    Now,
    /// One that leaves with this event as a segment of its own: a duplicate ACK carries no text (RFC 5681 §2).
    Pure,
}

impl PendingAck {
    /// In-order text arrived: it is acknowledged at once, or may wait.
    #[inline]
    fn on_text(&mut self, text: Arrival, at_once: impl FnOnce(u16, u32) -> bool) {
        let (segments, octets) = match *self {
            Self::No => (0, 0),
            Self::Delayed { segments, octets } => (segments, octets),
            Self::Now | Self::Pure => return,
        };
        let (segments, octets) = (segments.saturating_add(text.segments), octets.saturating_add(text.octets));
        *self = if at_once(segments, octets) { Self::Now } else { Self::Delayed { segments, octets } };
    }

    /// An acknowledgment must leave now.
    pub(crate) fn at_once(&mut self) {
        if *self != Self::Pure {
            *self = Self::Now;
        }
    }
}

/// Text as it arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Arrival {
    pub(crate) octets: u32,
    /// How many segments brought it: more than one when the host coalesced them (GRO).
    segments: u16,
    /// The size of the largest.
    size: u32,
    /// The last of them ends what the peer had to send (PSH): it may be small.
    pushed: bool,
}

impl Arrival {
    /// How many segments brought it.
    pub(crate) const fn segments(&self) -> u16 {
        self.segments
    }

    /// `octets` in segments of `segment_size`; 0: in one, or in as many as an MSS of `rmss` takes.
    #[inline]
    pub(crate) fn new(octets: u32, segment_size: u16, rmss: u16, pushed: bool) -> Self {
        if segment_size == 0 && octets <= u32::from(rmss) {
            return Self { octets, segments: u16::from(octets > 0), size: octets.max(1), pushed };
        }
        let size = if segment_size == 0 { rmss } else { segment_size };
        let size = u32::from(size).min(octets).max(1);
        let segments = u16::try_from(octets.div_ceil(size)).unwrap_or(u16::MAX);
        Self { octets, segments, size, pushed }
    }
}

/// The peer's full-sized segment, as far as its text tells.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct FullSize {
    /// Our MSS at the most.
    size: u16,
    /// Such a segment was seen.
    seen: bool,
    /// Segments in succession that are smaller, all of one size, though the peer had more to send: the size, and the
    /// octets.
    smaller: (u16, u32),
}

impl FullSize {
    /// Until one is seen: what the default MSS (RFC 9293 §3.7.1) and the MSS that the peer announced allow.
    fn new(rmss: u16, peer_mss: u16) -> Self {
        Self { size: rmss.min(peer_mss).min(DEFAULT_SIZE), seen: false, smaller: (0, 0) }
    }

    /// A larger segment counts at once. A smaller one is full-sized when the next has the same size and neither was
    /// pushed; once larger ones came, when enough follow for one of the larger size to be acknowledged alone.
    #[inline]
    fn on_text(&mut self, text: Arrival, rmss: u16, every: u32) {
        let size = u16::try_from(text.size).unwrap_or(u16::MAX).min(rmss);
        if size >= self.size {
            *self = Self { size, seen: true, smaller: (0, 0) };
        } else {
            self.on_smaller(text, size, every);
        }
    }

    fn on_smaller(&mut self, text: Arrival, size: u16, every: u32) {
        let (last, octets) = self.smaller;
        if text.pushed && text.segments == 1 {
            if size > last {
                self.smaller = (0, 0);
            }
            return;
        }
        let octets = if size == last { octets.saturating_add(text.octets) } else { text.octets };
        self.smaller = (size, octets);
        if octets >= if self.seen { every * u32::from(self.size) } else { 2 * u32::from(size) } {
            *self = Self { size, seen: true, smaller: (0, 0) };
        }
    }
}

/// The most that the peer's full-sized segments are taken for, until one is seen.
const DEFAULT_SIZE: u16 = 536;

/// How fast text in order is acknowledged.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct AckPolicy {
    /// So many segments more are acknowledged at once. The RFCs leave this to the receiver: a SHOULD asks for an
    /// acknowledgment of every second segment at least (RFC 5681 §4.2), and where the peer's window is small each one
    /// makes it grow.
    quick: u8,
    full: FullSize,
    /// RMSS, the MSS that we announced.
    rmss: u16,
    /// When text last arrived.
    last: Instant,
    /// Our text followed it so soon that it carried the acknowledgment: the two sides take turns.
    answered: bool,
}

impl AckPolicy {
    /// At the start of a connection, when `rmss` is announced and the peer announced `peer_mss`.
    pub(crate) fn new(config: &Config, rmss: u16, peer_mss: u16, now: Instant) -> Self {
        let full = FullSize::new(rmss, peer_mss);
        Self { quick: config.quick_acks(), full, rmss, last: now, answered: false }
    }

    pub(crate) const fn rmss(&self) -> u16 {
        self.rmss
    }

    /// Text in order arrived, and nothing is missing. After more than an RTO without any the peer's window has
    /// restarted (RFC 5681 §4.1); but where the sides take turns, our text will carry the acknowledgment.
    #[inline]
    pub(crate) fn on_text(&mut self, text: Arrival, ack: &mut PendingAck, config: &Config, rto: Micros, now: Instant) {
        let idle = now.since(self.last) > rto;
        self.last = now;
        if idle && !self.answered {
            self.quicken(config);
        }
        self.answered = false;
        let quick = self.quick > 0 || config.delayed_ack().is_zero();
        if self.quick > 0 {
            self.quick = self.quick.saturating_sub(u8::try_from(text.segments).unwrap_or(u8::MAX));
        }
        let every = u32::from(config.ack_every());
        if config.ack_full_sized() {
            self.full.on_text(text, self.rmss, every);
        }
        let full = u32::from(self.full.size);
        ack.on_text(text, |segments, octets| {
            quick || if config.ack_full_sized() { octets >= every * full } else { u32::from(segments) >= every }
        });
    }

    /// The settings are others from now on: what waits for an acknowledgment goes by them.
    pub(crate) fn on_settings(&mut self, ack: &mut PendingAck, config: &Config) {
        self.quick = self.quick.min(config.quick_acks());
        let PendingAck::Delayed { segments, octets } = *ack else { return };
        let (every, full) = (u32::from(config.ack_every()), u32::from(self.full.size));
        let enough = if config.ack_full_sized() { octets >= every * full } else { u32::from(segments) >= every };
        if enough || config.delayed_ack().is_zero() {
            ack.at_once();
        }
    }

    /// Text arrived out of order, or twice: the peer's window is about to restart from a loss.
    pub(crate) fn quicken(&mut self, config: &Config) {
        self.quick = config.quick_acks();
    }

    /// Our text leaves.
    pub(crate) fn on_sent(&mut self, config: &Config, now: Instant) {
        self.answered |= now.since(self.last) < config.delayed_ack().into();
    }

    pub(crate) fn rebase(&mut self, now: Instant) {
        let Self { quick: _, full: _, rmss: _, last: _, answered: _ } = self; // a field that is added has to be looked at here
        self.last = Instant::from_micros(self.last.as_micros().wrapping_sub(now.as_micros()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const RTO: Micros = Micros::from_secs(1);
    const RMSS: u16 = 1460;

    /// Segments of these sizes, one a millisecond: which were acknowledged at once.
    fn at_once(policy: &mut AckPolicy, config: &Config, start: Instant, sizes: &[u32]) -> Vec<bool> {
        let (mut ack, mut now, mut acked) = (PendingAck::No, start, Vec::new());
        for &size in sizes {
            now += Micros::from_millis(1);
            policy.on_text(Arrival::new(size, 0, RMSS, true), &mut ack, config, RTO, now);
            acked.push(ack == PendingAck::Now);
            if ack == PendingAck::Now {
                ack = PendingAck::No;
            }
        }
        acked
    }

    #[test]
    fn every_second_segment_is_acknowledged_at_once() {
        let config = Config::builder().quick_acks(0).build().unwrap();
        let mut policy = AckPolicy::new(&config, RMSS, RMSS, Instant::ZERO);
        assert_eq!(
            at_once(&mut policy, &config, Instant::ZERO, &[1460, 1, 1, 1460, 9]),
            [false, true, false, true, false]
        );
    }

    #[test]
    fn coalesced_text_counts_by_its_segments() {
        for (octets, segment_size, segments, size) in [
            (1460, 0, 1, 1460),
            (1461, 0, 2, 1460), // larger than the MSS: coalesced without being said
            (4380, 0, 3, 1460),
            (100, 0, 1, 100),
            (2896, 1448, 2, 1448),
            (2897, 1448, 3, 1448),
            (100, 1448, 1, 100),
            (1, 1, 1, 1),
        ] {
            for pushed in [false, true] {
                let expected = Arrival { octets, segments, size, pushed };
                assert_eq!(Arrival::new(octets, segment_size, RMSS, pushed), expected);
            }
        }
        let config = Config::builder().quick_acks(0).build().unwrap();
        let mut ack = PendingAck::No;
        AckPolicy::new(&config, RMSS, RMSS, Instant::ZERO).on_text(
            Arrival::new(2000, 0, RMSS, true),
            &mut ack,
            &config,
            RTO,
            Instant::ZERO,
        );
        assert_eq!(ack, PendingAck::Now);
    }

    /// What counts is two full-sized segments of the peer's, whatever it takes for one, or as many octets.
    #[test]
    fn full_sized_segments_can_be_what_counts() {
        let config = Config::builder().quick_acks(0).ack_full_sized(true).build().unwrap();
        let mut policy = AckPolicy::new(&config, RMSS, RMSS, Instant::ZERO);
        let sizes = [100; 11]; // 1072 octets before one was seen: two of the default size
        let acked = at_once(&mut policy, &config, Instant::ZERO, &sizes);
        assert_eq!(acked.iter().position(|&now| now), Some(10));
        // the peer's path takes 1200 octets: two of those, not 2 * RMSS
        assert_eq!(at_once(&mut policy, &config, Instant::ZERO, &[1200, 1200, 1200, 1200]), [false, true, false, true]);
        assert_eq!(at_once(&mut policy, &config, Instant::ZERO, &[1200, 600, 599, 1]), [false, false, false, true]);
        // never more than 2 * RMSS
        assert_eq!(at_once(&mut policy, &config, Instant::ZERO, &[1460, 1460, 5000]), [false, true, true]);
        assert_eq!(policy.full.size, RMSS);
    }

    /// The same for segments that the peer does not push: it has more to send.
    fn at_once_of_a_stream(policy: &mut AckPolicy, config: &Config, sizes: &[u32]) -> Vec<bool> {
        let mut ack = PendingAck::No;
        let mut one = |&size: &u32| {
            policy.on_text(Arrival::new(size, 0, RMSS, false), &mut ack, config, RTO, Instant::ZERO);
            let now = ack == PendingAck::Now;
            ack = if now { PendingAck::No } else { ack };
            now
        };
        sizes.iter().map(&mut one).collect()
    }

    /// Two segments in succession of one size, neither pushed, are full-sized: the second is acknowledged at once.
    #[test]
    fn a_full_size_below_the_default_is_learned_from_two_segments() {
        let config = Config::builder().quick_acks(0).ack_full_sized(true).build().unwrap();
        let fresh = || AckPolicy::new(&config, RMSS, RMSS, Instant::ZERO);
        for size in [1, 64, 100, 535, 536, 1459, 1460] {
            let acked = at_once_of_a_stream(&mut fresh(), &config, &[size; 6]);
            assert_eq!(acked, [false, true, false, true, false, true], "{size}");
        }
        assert_eq!(
            at_once_of_a_stream(&mut fresh(), &config, &[100, 99, 98, 99, 99]),
            [false, false, false, false, true]
        );
        // two that the host coalesced show it, though the peer pushed the last
        let (mut policy, mut ack) = (fresh(), PendingAck::No);
        policy.on_text(Arrival::new(200, 100, RMSS, true), &mut ack, &config, RTO, Instant::ZERO);
        assert_eq!(ack, PendingAck::Now);
        // the MSS that the peer announced is a bound for a peer that pushes all
        let mut policy = AckPolicy::new(&config, RMSS, 100, Instant::ZERO);
        assert_eq!(at_once(&mut policy, &config, Instant::ZERO, &[100; 4]), [false, true, false, true]);
    }

    /// Small segments among large ones are no full-sized ones, pushed or not: they count by their octets.
    #[test]
    fn small_segments_among_large_ones_count_by_their_octets() {
        let config = Config::builder().quick_acks(0).ack_full_sized(true).build().unwrap();
        let mixed: Vec<u32> = [1460, 1460].into_iter().chain([100; 28]).collect();
        for stream in
            [at_once_of_a_stream, |policy: &mut _, config: &_, sizes: &_| at_once(policy, config, Instant::ZERO, sizes)]
        {
            let mut policy = AckPolicy::new(&config, RMSS, RMSS, Instant::ZERO);
            for _ in 0..5 {
                let acked = stream(&mut policy, &config, &mixed);
                assert!(acked.iter().filter(|&&now| now).count() <= 2, "{acked:?}"); // 5720 octets, 2920 each
            }
            assert_eq!(policy.full.size, RMSS);
        }
        // an interactive peer pushes each: 2 * 536 octets count
        let mut policy = AckPolicy::new(&config, RMSS, RMSS, Instant::ZERO);
        assert_eq!(at_once(&mut policy, &config, Instant::ZERO, &[100; 55]).iter().filter(|&&now| now).count(), 5);
    }

    /// The path of the peer became narrow: as soon as two of the larger segments' octets have come in smaller ones,
    /// those count.
    #[test]
    fn a_full_size_that_shrinks_is_learned_from_what_two_larger_ones_would_bring() {
        let config = Config::builder().quick_acks(0).ack_full_sized(true).build().unwrap();
        let mut policy = AckPolicy::new(&config, RMSS, RMSS, Instant::ZERO);
        assert_eq!(at_once_of_a_stream(&mut policy, &config, &[1460; 4]), [false, true, false, true]);
        let acked = at_once_of_a_stream(&mut policy, &config, &[536; 10]);
        assert_eq!(acked, [false, false, false, false, false, true, false, true, false, true]);
        assert_eq!(at_once_of_a_stream(&mut policy, &config, &[1460; 4]), [false, true, false, true]);
    }

    quickcheck::quickcheck! {
        /// RFC 5681 §4.2: whatever comes, 2 * RMSS octets are not left unacknowledged.
        fn two_segments_of_rmss_are_acknowledged_at_once(texts: Vec<(u16, u16, bool)>, peer_mss: u16) -> bool {
            let config = Config::builder().quick_acks(0).ack_full_sized(true).build().unwrap();
            let mut policy = AckPolicy::new(&config, RMSS, peer_mss.max(48), Instant::ZERO);
            let mut ack = PendingAck::No;
            texts.into_iter().all(|(octets, size, pushed)| {
                let text = Arrival::new(u32::from(octets % 3000) + 1, size % 1500, RMSS, pushed);
                policy.on_text(text, &mut ack, &config, RTO, Instant::ZERO);
                match core::mem::take(&mut ack) {
                    PendingAck::Delayed { segments, octets } => {
                        ack = PendingAck::Delayed { segments, octets };
                        octets < 2 * u32::from(RMSS)
                    }
                    PendingAck::No | PendingAck::Now | PendingAck::Pure => true,
                }
            })
        }
    }

    #[test]
    fn the_first_segments_are_acknowledged_at_once_and_those_after_a_pause() {
        let config = Config::builder().quick_acks(3).build().unwrap();
        let mut policy = AckPolicy::new(&config, RMSS, RMSS, Instant::ZERO);
        let quick = [true, true, true, false, true, false];
        assert_eq!(at_once(&mut policy, &config, Instant::ZERO, &[9; 6]), quick);
        let (short, long) = (Instant::ZERO + RTO, Instant::ZERO + RTO.times(3));
        assert_eq!(at_once(&mut policy, &config, short, &[9; 2]), [false, true]);
        assert_eq!(at_once(&mut policy, &config, long, &[9; 6]), quick);
        policy.quicken(&config);
        assert_eq!(at_once(&mut policy, &config, long, &[9; 6]), quick);
    }

    #[test]
    fn after_a_pause_between_turns_an_acknowledgment_waits_for_the_answer() {
        let config = Config::builder().quick_acks(2).delayed_ack(Micros::from_millis(40).into()).build().unwrap();
        let mut policy = AckPolicy::new(&config, RMSS, RMSS, Instant::ZERO);
        assert_eq!(at_once(&mut policy, &config, Instant::ZERO, &[9; 3]), [true, true, false]);
        for turn in 1..4 {
            policy.on_sent(&config, policy.last + Micros::from_millis(39));
            assert_eq!(at_once(&mut policy, &config, Instant::ZERO + RTO.times(5 * turn), &[9]), [false]);
        }
        policy.on_sent(&config, policy.last + Micros::from_millis(40)); // too late to have carried it
        assert_eq!(at_once(&mut policy, &config, Instant::ZERO + RTO.times(50), &[9; 3]), [true, true, false]);
    }
}
