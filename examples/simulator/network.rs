//! The paths between endpoints.

use std::collections::BTreeMap;
use std::time::Duration;

use segue::Instant;
use segue::codec::{Packet, PseudoHeader};
use segue_kit::{Rng, us};

/// A path, the same in both directions.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    delay: Duration,
    /// A packet takes up to so much longer, and so may overtake.
    jitter: Duration,
    /// Of a thousand packets.
    lost: u32,
}

impl Path {
    pub fn draw(rng: &mut Rng) -> Self {
        Self {
            delay: rng.pick_millis(&[1, 5, 20, 40, 100]),
            jitter: rng.pick_micros(&[0, 0, 100, 2000, 10_000]),
            lost: rng.pick(&[0, 0, 1, 10, 30]),
        }
    }
}

/// A packet on its way to an endpoint.
pub type Travelling = (usize, PseudoHeader, Packet);

/// What is on its way.
#[derive(Debug)]
pub struct Network {
    under_way: BTreeMap<(Instant, u64), Travelling>,
    sent: u64,
    rng: Rng,
}

impl Network {
    pub fn new(seed: u64) -> Self {
        Self { under_way: BTreeMap::new(), sent: 0, rng: Rng::new(seed) }
    }

    /// Sends a packet to an endpoint. Returns whether it gets lost.
    pub fn send(&mut self, now: Instant, path: &Path, (to, ends, packet): (usize, PseudoHeader, &Packet)) -> bool {
        if self.rng.chance(path.lost) {
            return true;
        }
        let jitter = u32::try_from(path.jitter.as_micros()).unwrap_or(u32::MAX);
        let late = us(self.rng.below(jitter + 1).into());
        self.sent += 1;
        self.under_way.insert((now + path.delay + late, self.sent), (to, ends, packet.clone()));
        false
    }

    /// When the next packet arrives.
    pub fn next(&self) -> Option<Instant> {
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next packet that has arrived.
    pub fn arrived(&mut self, now: Instant) -> Option<Travelling> {
        let first = self.under_way.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }
}
