//! The Dual-Queue Coupled AQM DualPI2 (RFC 9332 App. A), simplified: an L queue for L4S traffic with a marker of its own, a C
//! queue for classic traffic with a PI controller, and the coupling of both. Integers only; marks and drops follow counters, no
//! chance (Figure 4, `recur`). What a weighted scheduler serves (§4.2.2).

use std::collections::VecDeque;

use segue::Ecn;

use super::link::{MILLISECOND, Nanos, Packet, SECOND};

/// A probability of 1.
pub const ONE: u64 = 1 << 32;
/// k: the coupling factor.
const COUPLING: u64 = 2;
/// p_Cmax: from here on the queue is overloaded.
const OVERLOAD: u64 = ONE / (COUPLING * COUPLING);
/// The delay that the PI controller is to reach in the C queue.
pub const TARGET: Nanos = 15 * MILLISECOND;
/// Tupdate.
const UPDATE: Nanos = 16 * MILLISECOND;
/// The gains of the PI controller in mHz: of the error, and of the change since the last update.
const ALPHA: i128 = 160;
const BETA: i128 = 3200;
/// The ramp of the L queue's own marker: from no mark to a mark on every packet.
const MIN_TH: Nanos = 800_000;
const RANGE: Nanos = 400_000;
/// Of 16 octets, those of the C queue where both have more than they may send.
const CLASSIC_WEIGHT: i64 = 1;
const L4S_WEIGHT: i64 = 15;

/// Which queues there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aqm {
    /// Both: ECT(1) and CE wait in the L queue, all else in the C queue.
    Dual,
    /// The C queue alone, as an AQM that knows RFC 3168 only: it marks ECT(0) and ECT(1) alike.
    Classic,
}

/// A packet that waits, and since when.
#[derive(Clone, Debug)]
struct Waiting {
    since: Nanos,
    /// Others waited when it came (Th_len).
    behind: bool,
    packet: Packet,
}

/// A queue, and the fraction of its next mark or drop.
#[derive(Clone, Debug, Default)]
struct Queue {
    packets: VecDeque<Waiting>,
    octets: u64,
    count: u64,
    /// Packets marked, and packets dropped.
    marked: u64,
    dropped: u64,
    /// How long each packet waited, in microseconds.
    waits: Vec<u32>,
}

impl Queue {
    /// cq.time() and lq.time(): how long the head has waited.
    fn time(&self, now: Nanos) -> Nanos {
        self.packets.front().map_or(0, |head| now.saturating_sub(head.since))
    }

    /// True with a certain likelihood: when the sum of all so far passes 1.
    fn recur(&mut self, likelihood: u64) -> bool {
        self.count += likelihood;
        let recurs = self.count > ONE;
        if recurs {
            self.count -= ONE;
        }
        recurs
    }

    fn put(&mut self, packet: Packet, now: Nanos) {
        self.octets += packet.len();
        self.packets.push_back(Waiting { since: now, behind: !self.packets.is_empty(), packet });
    }

    fn pop(&mut self, now: Nanos) -> Option<(Nanos, bool, Packet)> {
        let Waiting { since, behind, packet } = self.packets.pop_front()?;
        self.octets -= packet.len();
        Some((now - since, behind, packet))
    }
}

/// Both queues before a link.
#[derive(Clone, Debug)]
pub struct DualPi2 {
    aqm: Aqm,
    /// Octets that may wait in both.
    limit: u64,
    l4s: Queue,
    classic: Queue,
    /// p': the base probability.
    base: u64,
    /// The delay at the last update.
    before: Nanos,
    updated: Nanos,
    /// What the C queue may send ahead of the L queue, in 16ths of octets.
    credit: i64,
}

impl DualPi2 {
    pub fn new(aqm: Aqm, rate: u64) -> Self {
        let (l4s, classic) = (Queue::default(), Queue::default());
        let limit = (rate / 32).max(32 * 1500); // 250 ms
        Self { aqm, limit, l4s, classic, base: 0, before: 0, updated: 0, credit: 0 }
    }

    /// Octets that wait.
    pub fn octets(&self) -> u64 {
        self.l4s.octets + self.classic.octets
    }

    /// How long each packet of the L queue, and of the C queue, has waited, in microseconds.
    pub fn waits(&self) -> [&[u32]; 2] {
        [&self.l4s.waits, &self.classic.waits]
    }

    /// Packets marked in the L queue, and in the C queue.
    pub fn marked(&self) -> [u64; 2] {
        [self.l4s.marked, self.classic.marked]
    }

    /// Packets dropped there; not those for which there was no room.
    pub fn dropped(&self) -> [u64; 2] {
        [self.l4s.dropped, self.classic.dropped]
    }

    /// p_C: the probability of a classic mark or drop.
    pub fn classic_probability(&self) -> u64 {
        (u128::from(self.base) * u128::from(self.base) / u128::from(ONE)) as u64
    }

    /// p_CL: the coupled probability of an L4S mark.
    pub fn coupled_probability(&self) -> u64 {
        (self.base * COUPLING).min(ONE)
    }

    /// dualpi2_enqueue. Whether there was room.
    pub fn enqueue(&mut self, packet: Packet, now: Nanos) -> bool {
        self.update_until(now);
        if self.octets() + packet.len() > self.limit {
            return false;
        }
        let is_l4s = self.aqm == Aqm::Dual && matches!(packet.segment.ecn, Ecn::Ect1 | Ecn::Ce);
        if is_l4s {
            self.l4s.put(packet, now)
        } else {
            self.classic.put(packet, now)
        }
        true
    }

    /// dualpi2_dequeue: the next packet that is not dropped.
    pub fn dequeue(&mut self, now: Nanos) -> Option<Packet> {
        self.update_until(now);
        loop {
            let sent = if self.serves_l4s() { self.dequeue_l4s(now) } else { self.dequeue_classic(now) }?;
            if let Some(packet) = sent {
                return Some(packet);
            }
        }
    }

    /// The scheduler.
    fn serves_l4s(&mut self) -> bool {
        let len = |queue: &Queue| queue.packets.front().map(|head| head.packet.len() as i64);
        match (len(&self.l4s), len(&self.classic)) {
            (Some(len), Some(_)) if self.credit <= 0 => {
                self.credit += CLASSIC_WEIGHT * len;
                true
            }
            (Some(_), Some(len)) => {
                self.credit -= L4S_WEIGHT * len;
                false
            }
            (l4s, _) => {
                self.credit = 0;
                l4s.is_some()
            }
        }
    }

    /// A packet of the L queue: marked by the queue's own marker or by the coupling (Figure 7, lines 4a to 8j). The outer
    /// `None`: there is none; the inner: it was dropped.
    fn dequeue_l4s(&mut self, now: Nanos) -> Option<Option<Packet>> {
        let (wait, behind, mut packet) = self.l4s.pop(now)?;
        let (coupled, classic) = (self.coupled_probability(), self.classic_probability());
        let likelihood = if coupled < ONE {
            coupled.max(if behind { laqm(wait) } else { 0 })
        } else if self.l4s.recur(classic) {
            self.l4s.dropped += 1;
            return Some(None);
        } else {
            coupled
        };
        if self.l4s.recur(likelihood) {
            packet.segment.ecn = Ecn::Ce;
            self.l4s.marked += 1;
        }
        self.l4s.waits.push((wait / 1000) as u32);
        Some(Some(packet))
    }

    /// A packet of the C queue: the squared mark, or drop (lines 10 to 17).
    fn dequeue_classic(&mut self, now: Nanos) -> Option<Option<Packet>> {
        let (wait, _, mut packet) = self.classic.pop(now)?;
        let likelihood = self.classic_probability();
        if self.classic.recur(likelihood) {
            if packet.segment.ecn == Ecn::NotEct || likelihood >= OVERLOAD {
                self.classic.dropped += 1;
                return Some(None);
            }
            packet.segment.ecn = Ecn::Ce;
            self.classic.marked += 1;
        }
        self.classic.waits.push((wait / 1000) as u32);
        Some(Some(packet))
    }

    /// dualpi2_update at each multiple of Tupdate up to now (Figure 8). Nothing has come or gone since the last event.
    fn update_until(&mut self, now: Nanos) {
        while now - self.updated >= UPDATE {
            if self.octets() == 0 && self.base == 0 && self.before == 0 {
                self.updated = now - now % UPDATE;
                return;
            }
            self.updated += UPDATE;
            self.update(self.updated);
        }
    }

    fn update(&mut self, now: Nanos) {
        let current = self.classic.time(now).max(self.l4s.time(now));
        let error = i128::from(current) - i128::from(TARGET);
        let change = i128::from(current) - i128::from(self.before);
        let step = (ALPHA * error + BETA * change) * i128::from(ONE) / (1000 * i128::from(SECOND));
        self.base = (i128::from(self.base) + step).clamp(0, i128::from(ONE)) as u64;
        self.before = current;
    }
}

/// The native L4S AQM: a ramp (Figure 5).
fn laqm(wait: Nanos) -> u64 {
    let above = wait.saturating_sub(MIN_TH).min(RANGE);
    (u128::from(above) * u128::from(ONE) / u128::from(RANGE)) as u64
}
