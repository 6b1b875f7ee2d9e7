//! One direction of the path: a bottleneck with a queue before it, and what can happen to packets behind it.

use std::collections::VecDeque;

use segue::{Ecn, Segment};
use segue_kit::Rng;

use super::dualpi2::{Aqm, DualPi2};
use super::loss::{Loss, Losses};

/// Virtual time in nanoseconds.
pub type Nanos = u64;

pub const MILLISECOND: Nanos = 1_000_000;
pub const SECOND: Nanos = 1_000 * MILLISECOND;

/// What a direction is like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Bits per second, of IP packets.
    pub rate: u64,
    /// From the end of transmission to arrival.
    pub delay: Nanos,
    /// Octets that may wait, the packet in transmission included.
    pub queue: u64,
    /// ECN-capable packets that would wait longer than this are marked.
    pub mark_after: Option<Nanos>,
    /// An AQM in the place of the drop-tail queue. It has room for 250 ms.
    pub aqm: Option<Aqm>,
    /// The packets of the second flow take so much longer behind the bottleneck. There is no `hold` beside it.
    pub farther: Nanos,
    /// Packets lost behind the bottleneck: they have taken their share of the rate.
    pub loss: Loss,
    /// So many millionths of the packets are held back for so long.
    pub hold: Option<(u32, Nanos)>,
    /// Packets arrive in bunches, at the multiples of this.
    pub bunch: Option<Nanos>,
}

/// A packet on its way.
#[derive(Clone, Debug)]
pub struct Packet {
    pub flow: usize,
    pub segment: Segment,
}

impl Packet {
    /// Octets of the IPv4 packet.
    pub fn len(&self) -> u64 {
        (20 + 20 + self.segment.options.wire_len() + self.segment.payload.len()) as u64
    }
}

/// What became of a packet that was offered to a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It will arrive.
    Arrives,
    /// It was lost behind the bottleneck.
    Lost,
    /// The queue was full.
    Full,
}

/// What happened to the packets offered so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub offered: u64,
    pub full: u64,
    pub lost: u64,
    pub marked: u64,
    pub held: u64,
    /// By an AQM.
    pub dropped: u64,
}

#[derive(Clone, Debug)]
pub struct Link {
    settings: Settings,
    losses: Losses,
    rng: Rng,
    aqm: Option<DualPi2>,
    /// When the last packet accepted will have been transmitted.
    free_at: Nanos,
    /// Each has its packets in the order of arrival.
    in_order: VecDeque<(Nanos, Packet)>,
    held: VecDeque<(Nanos, Packet)>,
    pub tally: Tally,
}

impl Link {
    pub fn new(settings: Settings, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let losses = Losses::new(settings.loss.clone(), rng.next());
        let (in_order, held) = (VecDeque::new(), VecDeque::new());
        let aqm = settings.aqm.map(|aqm| DualPi2::new(aqm, settings.rate));
        Self { settings, losses, rng, aqm, free_at: 0, in_order, held, tally: Tally::default() }
    }

    /// Octets that wait at `now`, the rest of the packet in transmission included.
    pub fn backlog(&self, now: Nanos) -> u64 {
        let wait = u128::from(self.free_at.saturating_sub(now));
        let sending = (wait * u128::from(self.settings.rate)).div_ceil(8 * u128::from(SECOND)) as u64;
        sending + self.aqm.as_ref().map_or(0, DualPi2::octets)
    }

    /// The AQM.
    pub fn aqm(&self) -> Option<&DualPi2> {
        self.aqm.as_ref()
    }

    /// A packet comes to the queue.
    pub fn offer(&mut self, mut packet: Packet, now: Nanos) -> Fate {
        self.tally.offered += 1;
        if self.aqm.is_some() {
            return self.offer_to_aqm(packet, now);
        }
        let len = packet.len();
        if self.backlog(now) + len > self.settings.queue {
            self.tally.full += 1;
            return Fate::Full;
        }
        let starts = self.free_at.max(now);
        let capable = matches!(packet.segment.ecn, Ecn::Ect0 | Ecn::Ect1);
        if capable && self.settings.mark_after.is_some_and(|limit| starts - now > limit) {
            packet.segment.ecn = Ecn::Ce;
            self.tally.marked += 1;
        }
        self.transmit(packet, starts)
    }

    /// A packet comes to the AQM. If nothing is sent, it leaves at once.
    fn offer_to_aqm(&mut self, packet: Packet, now: Nanos) -> Fate {
        let Some(aqm) = &mut self.aqm else { return Fate::Full };
        if !aqm.enqueue(packet, now) {
            self.tally.full += 1;
            return Fate::Full;
        }
        if self.free_at <= now {
            self.transmit_next(now);
        }
        Fate::Arrives
    }

    /// The AQM gives the next packet, if one waits.
    fn transmit_next(&mut self, now: Nanos) {
        let Some(aqm) = &mut self.aqm else { return };
        let packet = aqm.dequeue(now);
        (self.tally.marked, self.tally.dropped) = (aqm.marked().iter().sum(), aqm.dropped().iter().sum());
        if let Some(packet) = packet {
            self.transmit(packet, now);
        }
    }

    /// When the AQM gives the next packet.
    fn next_departure(&self) -> Option<Nanos> {
        self.aqm.as_ref().filter(|aqm| aqm.octets() > 0).map(|_| self.free_at)
    }

    /// A packet is transmitted from `starts` on.
    fn transmit(&mut self, packet: Packet, starts: Nanos) -> Fate {
        self.free_at = starts + packet.len() * 8 * SECOND / self.settings.rate;
        if self.losses.next(!packet.segment.payload.is_empty()) {
            self.tally.lost += 1;
            return Fate::Lost;
        }
        let mut at = self.free_at + self.settings.delay;
        match self.settings.hold {
            _ if packet.flow == 1 && self.settings.farther > 0 => {
                self.held.push_back((at + self.settings.farther, packet));
            }
            Some((share, time)) if self.rng.below(1_000_000) < share => {
                self.tally.held += 1;
                self.held.push_back((at + time, packet));
            }
            _ => {
                if let Some(period) = self.settings.bunch {
                    at = at.next_multiple_of(period);
                }
                self.in_order.push_back((at, packet));
            }
        }
        Fate::Arrives
    }

    /// When the next packet arrives, or leaves the AQM.
    pub fn next_arrival(&self) -> Option<Nanos> {
        [self.next_departure(), self.first_arrival()].into_iter().flatten().min()
    }

    fn first_arrival(&self) -> Option<Nanos> {
        match (self.in_order.front(), self.held.front()) {
            (Some((a, _)), Some((b, _))) => Some(*a.min(b)),
            (Some((at, _)), None) | (None, Some((at, _))) => Some(*at),
            (None, None) => None,
        }
    }

    /// The next packet that arrives; none, if it is time for one to leave the AQM first.
    pub fn take(&mut self) -> Option<Packet> {
        if let Some(at) = self.next_departure().filter(|at| self.first_arrival().is_none_or(|first| *at <= first)) {
            self.transmit_next(at);
            return None;
        }
        let held_first = match (self.in_order.front(), self.held.front()) {
            (Some((a, _)), Some((b, _))) => b < a,
            (first, _) => first.is_none(),
        };
        let queue = if held_first { &mut self.held } else { &mut self.in_order };
        queue.pop_front().map(|(_, packet)| packet)
    }
}
