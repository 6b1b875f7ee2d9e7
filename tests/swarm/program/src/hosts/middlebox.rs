//! What stands before a host: it rewrites, strips, splits and joins what passes, and may forget whom it knows.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use segue::codec::{Packet, PseudoHeader};
use segue::{Ecn, Flags, Instant, SackBlock, SackBlocks, Segment};
use segue_kit::Rng;

use super::plan::{Middlebox, Plan};

/// Whither a packet goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Out,
    In,
}

/// A packet with its addresses.
pub(super) type Parcel = (PseudoHeader, Packet);

/// The names of a flow outside of a NAT.
#[derive(Clone, Debug, Default)]
struct Nat {
    outside: BTreeMap<u16, (u16, Instant)>,
    inside: BTreeMap<u16, u16>,
    next: u16,
}

/// A middlebox at work.
#[derive(Clone, Debug)]
pub(super) struct State {
    plan: Middlebox,
    addresses: [IpAddr; 2],
    nat: Nat,
    /// Text that waits for more, by direction, with the number of its wait.
    held: [Option<(Parcel, u64)>; 2],
    waits: u64,
    most: usize,
}

/// What comes of a packet: what goes on, and a wait that begins.
#[derive(Debug, Default)]
pub(super) struct Passed {
    pub(super) parcels: Vec<Parcel>,
    pub(super) wait: Option<(u64, Duration)>,
}

impl State {
    pub(super) fn new(plan: &Plan, host: u8) -> Option<Self> {
        let least = plan.hosts.iter().map(|host| usize::from(host.mtu)).min().unwrap_or(0);
        Some(Self {
            plan: plan.middlebox(host)?.clone(),
            addresses: [plan.address(host), plan.outside(host)],
            nat: Nat::default(),
            held: [None, None],
            waits: 0,
            most: least.saturating_sub(100),
        })
    }

    /// A packet comes by.
    pub(super) fn pass(&mut self, way: Way, parcel: Parcel, calm: bool, now: Instant, rng: &mut Rng) -> Passed {
        let translated = match way {
            Way::Out => self.translate_out(parcel, now),
            Way::In => self.translate_in(parcel, now),
        };
        let Some((addresses, mut packet)) = translated else { return Passed::default() };
        self.rewrite(way, &mut packet.segment, calm);
        let pieces = if !calm && rng.chance(self.plan.split) { split(packet, rng) } else { vec![packet] };
        let mut passed = Passed::default();
        for piece in pieces {
            self.join(way, (addresses, piece), calm, &mut passed);
        }
        passed
    }

    fn translate_out(&mut self, (addresses, mut packet): Parcel, now: Instant) -> Option<Parcel> {
        let Some(idle) = self.plan.nat else { return Some((addresses, packet)) };
        let Nat { outside, inside, next } = &mut self.nat;
        let known = outside.get(&packet.src_port).filter(|(_, last)| now.saturating_since(*last) < idle);
        let port = known.map_or_else(
            || {
                *next += 1;
                20_000 + *next
            },
            |(port, _)| *port,
        );
        outside.insert(packet.src_port, (port, now));
        inside.insert(port, packet.src_port);
        packet.src_port = port;
        Some((PseudoHeader::new(self.addresses[1], addresses.dst())?, packet))
    }

    fn translate_in(&mut self, (addresses, mut packet): Parcel, now: Instant) -> Option<Parcel> {
        let Some(idle) = self.plan.nat else { return Some((addresses, packet)) };
        let port = *self.nat.inside.get(&packet.dst_port)?;
        let (outside, last) = self.nat.outside.get_mut(&port)?;
        if *outside != packet.dst_port || now.saturating_since(*last) >= idle {
            return None; // forgotten
        }
        *last = now;
        packet.dst_port = port;
        Some((PseudoHeader::new(addresses.src(), self.addresses[0])?, packet))
    }

    fn rewrite(&self, way: Way, segment: &mut Segment, calm: bool) {
        let Middlebox { strip, clamp_mss, bleach, hides_sack, shift, shifts_sack, .. } = &self.plan;
        let mut options = segment.options.get();
        if segment.flags.contains(Flags::SYN) {
            options.mss = options.mss.filter(|_| !strip.mss).map(|mss| clamp_mss.map_or(mss, |most| mss.min(most)));
            options.window_scale = options.window_scale.filter(|_| !strip.window_scale);
            options.sack_permitted &= !strip.sack;
            options.timestamps = options.timestamps.filter(|_| !strip.timestamps);
            if *bleach {
                segment.flags -= Flags::ECE | Flags::CWR;
            }
        }
        if *bleach {
            segment.ecn = Ecn::NotEct;
        }
        if *hides_sack && !calm {
            options.sack = SackBlocks::default();
        }
        match way {
            Way::Out => segment.seq += *shift,
            Way::In => {
                if segment.flags.contains(Flags::ACK) {
                    segment.ack = segment.ack - *shift;
                }
                if *shifts_sack {
                    options.sack = SackBlocks::default();
                    for block in segment.options.sack().iter().filter(|_| calm || !hides_sack) {
                        options.sack.push(SackBlock { left: block.left - *shift, right: block.right - *shift });
                    }
                }
            }
        }
        segment.options = options.into();
    }

    /// Text waits for the next, which is put behind it.
    fn join(&mut self, way: Way, parcel: Parcel, calm: bool, passed: &mut Passed) {
        let held = self.held[way as usize].take();
        let Some(((addresses, mut first), wait)) = held else { return self.hold(way, parcel, calm, passed) };
        let next = &parcel.1;
        let fits = first.segment.payload.len() + next.segment.payload.len() <= self.most;
        if addresses == parcel.0 && goes_on(&first, next) && fits {
            let text = [&first.segment.payload[..], &next.segment.payload[..]].concat();
            first.segment.payload = text.into();
            first.segment.flags |= next.segment.flags;
            if next.segment.flags.intersects(Flags::FIN | Flags::PSH) {
                passed.parcels.push((addresses, first));
            } else {
                self.held[way as usize] = Some(((addresses, first), wait));
            }
            return;
        }
        passed.parcels.push((addresses, first));
        self.hold(way, parcel, calm, passed);
    }

    fn hold(&mut self, way: Way, parcel: Parcel, calm: bool, passed: &mut Passed) {
        let segment = &parcel.1.segment;
        let coalesce = self.plan.coalesce;
        if calm || coalesce.is_zero() || segment.payload.is_empty() || segment.flags != Flags::ACK {
            passed.parcels.push(parcel);
            return;
        }
        self.waits += 1;
        self.held[way as usize] = Some((parcel, self.waits));
        passed.wait = Some((self.waits, coalesce));
    }

    /// The wait with this number is over.
    pub(super) fn release(&mut self, way: Way, number: u64) -> Option<Parcel> {
        let held = &mut self.held[way as usize];
        held.take_if(|(_, wait)| *wait == number).map(|(parcel, _)| parcel)
    }
}

fn goes_on(first: &Packet, next: &Packet) -> bool {
    let (a, b) = (&first.segment, &next.segment);
    (first.src_port, first.dst_port) == (next.src_port, next.dst_port)
        && b.seq == a.end()
        && !b.payload.is_empty()
        && (b.flags - Flags::PSH - Flags::FIN) == Flags::ACK
        && (a.ack, a.window, &a.options, a.ecn) == (b.ack, b.window, &b.options, b.ecn)
}

fn split(packet: Packet, rng: &mut Rng) -> Vec<Packet> {
    let len = packet.segment.payload.len() as u32;
    if len < 2 || packet.segment.flags.intersects(Flags::SYN | Flags::URG | Flags::RST) {
        return vec![packet];
    }
    let at = 1 + rng.below(len - 1);
    let (mut first, mut second) = (packet.clone(), packet);
    first.segment.payload.truncate(at as usize);
    first.segment.flags -= Flags::FIN | Flags::PSH;
    second.segment.payload = second.segment.payload.slice(at as usize..);
    second.segment.seq += at;
    vec![first, second]
}
