//! Plays a plan: the queue of events in virtual time, the links, and whose turn it is.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use segue::codec::{self, Packet, PseudoHeader};
use segue::ip::{self, Datagram, Format};
use segue::{Ecn, Flags, Instant, Options, Segment, SeqNum};
use segue_kit::Rng;

use super::judge;
use super::middlebox::{self, Parcel, Way};
use super::neighbour::Neighbour;
use super::plan::{self, Plan, Stack};
use super::shared::{Parcels, World};
use super::station::Station;
use super::task::Over;
use crate::Counts;

/// More turns of one host at one time mean that it never rests.
const TURNS: u32 = 2000;
/// An open that found no place is tried again; so often at the most.
const TRIES: u32 = 60;

/// A link and the direction in which it is passed: 0 away from the host, or to the next router.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leg {
    Access(u8, usize),
    Trunk(u8, usize),
}

#[derive(Clone, Debug)]
enum Event {
    /// A packet is at the end of a link.
    Hop(Leg, u8, Box<Parcel>),
    Turn(u8),
    Open(usize, u32),
    Release(u8, Way, u64),
    Flood(u16),
    Reboot(u8),
}

/// The TCP of a host at work.
#[derive(Debug)]
enum Tcp {
    Segue(Box<Station>),
    Smoltcp(Box<Neighbour>),
}

#[derive(Debug)]
struct Host {
    tcp: Tcp,
    inbox: Parcels,
    middlebox: Option<middlebox::State>,
    turn: Option<Instant>,
    /// Turns at one time.
    turns: (Instant, u32),
    lives: u8,
}

/// How busy a link is in one direction, and whether it has lost the last packet.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    busy: Instant,
    lost: bool,
}

/// A run.
#[derive(Debug)]
pub(super) struct Sim<'a> {
    world: World<'a>,
    hosts: Vec<Host>,
    access: Vec<[Load; 2]>,
    trunks: Vec<[Load; 2]>,
    queue: BTreeMap<(Instant, u64), Event>,
    order: u64,
    packets: u64,
    last_packet: Instant,
    most_packets: judge::Packets,
}

impl<'a> Sim<'a> {
    pub(super) fn new(plan: &'a Plan, steps: bool) -> Self {
        let now = Instant::from_micros(plan.start);
        let hosts = (0..plan.hosts.len() as u8).map(|number| Host {
            tcp: match &plan.host(number).stack {
                Stack::Segue(_) => Tcp::Segue(Box::new(Station::new(plan, number, 0))),
                Stack::Smoltcp(settings) => Tcp::Smoltcp(Box::new(Neighbour::new(plan, number, settings, now))),
            },
            inbox: Vec::new(),
            middlebox: middlebox::State::new(plan, number),
            turn: None,
            turns: (now, 0),
            lives: 0,
        });
        let mut sim = Self {
            world: World {
                plan,
                now,
                rng: Rng::new(plan.seed ^ 0xD1CE),
                tasks: Vec::new(),
                flows: vec![[None; 2]; plan.flows.len()],
                names: BTreeMap::new(),
                counts: Counts::default(),
                signs: BTreeMap::new(),
                steps: steps.then(VecDeque::new),
            },
            hosts: hosts.collect(),
            access: vec![[Load::default(); 2]; plan.hosts.len()],
            trunks: vec![[Load::default(); 2]; plan.trunks.len()],
            queue: BTreeMap::new(),
            order: 0,
            packets: 0,
            last_packet: now,
            most_packets: judge::Packets::of(plan),
        };
        plan.flows.iter().enumerate().for_each(|(i, flow)| sim.plan(now + flow.at, Event::Open(i, 0)));
        for (number, host) in plan.hosts.iter().enumerate() {
            host.reboot.into_iter().for_each(|at| sim.plan(now + at, Event::Reboot(number as u8)));
        }
        plan.flood.iter().for_each(|flood| sim.plan(now + flood.at, Event::Flood(0)));
        sim
    }

    /// Plays it to the end, and judges it. A panic, be it the machine's or a law's, goes on.
    pub(super) fn finish(&mut self) -> Result<Counts, String> {
        let end = Instant::from_micros(self.world.plan.start) + judge::longest(self.world.plan);
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > end {
                break;
            }
            self.world.now = self.world.now.max(at);
            self.happen(event);
        }
        for host in &self.hosts {
            if let Tcp::Smoltcp(neighbour) = &host.tcp {
                neighbour.signs(&mut self.world);
            }
        }
        let full = |host: &Host| matches!(&host.tcp, Tcp::Segue(station) if station.is_full());
        let full: Vec<bool> = self.hosts.iter().map(full).collect();
        let remains = self.hosts.iter_mut().try_for_each(|host| match &mut host.tcp {
            Tcp::Segue(station) => station.remains(&self.world, &full),
            Tcp::Smoltcp(neighbour) => neighbour.remains(&self.world),
        });
        judge::run(&self.world, self.last_packet)?;
        remains?;
        self.world.counts.add("packets", self.packets);
        judge::count(&mut self.world);
        Ok(self.world.counts.clone())
    }

    /// The last steps, when they were kept.
    pub(super) fn steps(&self) -> String {
        self.world.steps.iter().flatten().fold(String::new(), |all, step| all + step + "\n")
    }

    fn plan(&mut self, at: Instant, event: Event) {
        self.order += 1;
        self.queue.insert((at, self.order), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Hop(leg, to, parcel) => self.hop(leg, to, *parcel),
            Event::Turn(number) => {
                let host = &mut self.hosts[usize::from(number)];
                if host.turn == Some(self.world.now) {
                    host.turn = None;
                    self.turn(number);
                }
            }
            Event::Open(flow, tries) => self.open(flow, tries),
            Event::Release(number, way, wait) => {
                let middlebox = self.hosts[usize::from(number)].middlebox.as_mut();
                if let Some(parcel) = middlebox.and_then(|middlebox| middlebox.release(way, wait)) {
                    self.beyond(number, way, parcel);
                }
            }
            Event::Flood(count) => self.flood(count),
            Event::Reboot(number) => self.reboot(number),
        }
    }

    fn open(&mut self, flow: usize, tries: u32) {
        let client = self.world.plan.flows[flow].client;
        let now = self.world.now;
        let awake = self.awake(client);
        if awake > now {
            return self.plan(awake, Event::Open(flow, tries));
        }
        let opened = match &mut self.hosts[usize::from(client)].tcp {
            Tcp::Segue(station) => station.open(&mut self.world, flow).map_err(|error| error.to_string()),
            Tcp::Smoltcp(neighbour) => {
                neighbour.open(&mut self.world, flow);
                Ok(())
            }
        };
        match opened {
            Ok(()) => self.world.note(|| format!("h{client}: opens flow {flow}")),
            Err(error) => {
                self.world.counts.add("opens that found no place", 1);
                self.world.note(|| format!("h{client}: flow {flow} is not opened: {error}"));
                if tries < TRIES {
                    self.plan(now + Duration::from_secs(1 << tries.min(6)), Event::Open(flow, tries + 1));
                }
            }
        }
        self.wake(client, now);
    }

    /// Until when a host sleeps.
    fn awake(&self, number: u8) -> Instant {
        let start = Instant::from_micros(self.world.plan.start);
        let sleep = self.world.plan.host(number).sleep;
        let sleeps = sleep.filter(|(since, until)| (start + *since..start + *until).contains(&self.world.now));
        sleeps.map_or(self.world.now, |(_, until)| start + until)
    }

    fn wake(&mut self, number: u8, at: Instant) {
        let at = at.max(self.world.now);
        let host = &mut self.hosts[usize::from(number)];
        if host.turn.is_none_or(|turn| at < turn) {
            host.turn = Some(at);
            self.plan(at, Event::Turn(number));
        }
    }

    fn turn(&mut self, number: u8) {
        let (awake, now) = (self.awake(number), self.world.now);
        if awake > now {
            return self.wake(number, awake);
        }
        let host = &mut self.hosts[usize::from(number)];
        let again = host.turns.0 == now && host.inbox.is_empty();
        host.turns = (now, if again { host.turns.1 + 1 } else { 0 });
        assert!(host.turns.1 < TURNS, "host {number} wants one turn after the other at one time");
        let arrived = std::mem::take(&mut host.inbox);
        let (sent, users) = match &mut host.tcp {
            Tcp::Segue(station) => {
                let sent = station.turn(&mut self.world, arrived);
                (sent, station.users.values().copied().collect::<Vec<_>>())
            }
            Tcp::Smoltcp(neighbour) => {
                let sent = neighbour.turn(&mut self.world, arrived);
                (sent, neighbour.users())
            }
        };
        for parcel in sent {
            self.depart(number, parcel);
        }
        let tick = users.iter().filter_map(|task| self.world.next_tick(*task)).min();
        let (deadline, more) = match &self.hosts[usize::from(number)].tcp {
            Tcp::Segue(station) => (station.next_deadline(), station.wants_flush()),
            Tcp::Smoltcp(neighbour) => (neighbour.next_deadline(), false),
        };
        let late = self.world.plan.host(number).late;
        // who has something at once is not late
        let deadline = deadline.map(|at| if at > now { at + self.world.up_to(late) } else { at });
        let more = more.then(|| now + Duration::from_micros(100));
        if let Some(next) = [tick, deadline, more].into_iter().flatten().min() {
            self.wake(number, next);
        }
    }

    fn reboot(&mut self, number: u8) {
        let Host { tcp: Tcp::Segue(station), lives, inbox, turn, .. } = &mut self.hosts[usize::from(number)] else {
            return;
        };
        *lives += 1;
        for task in station.users.values() {
            self.world.tasks[*task].over = Some(Over::Rebooted); // also of one that had not read all
        }
        **station = Station::new(self.world.plan, number, *lives);
        inbox.clear();
        *turn = None;
        self.world.note(|| format!("h{number} starts anew"));
    }

    /// A SYN from an address that nobody has.
    fn flood(&mut self, count: u16) {
        let plan = self.world.plan;
        let Some(flood) = &plan.flood else { return };
        let seq = SeqNum::new(self.world.rng.next() as u32);
        let options = Options { mss: Some(1460), ..Options::default() };
        let segment = Segment { seq, flags: Flags::SYN, window: 5000, options: options.into(), ..Segment::default() };
        let packet = Packet { src_port: 1024 + count, dst_port: flood.port, segment };
        if let Some(addresses) = PseudoHeader::new(plan.address(200), plan.address(flood.host)) {
            self.hosts[usize::from(flood.host)].inbox.push((addresses, packet));
            self.wake(flood.host, self.world.now);
        }
        if count + 1 < flood.count {
            self.plan(self.world.now + flood.every, Event::Flood(count + 1));
        }
    }

    /// A packet leaves a host.
    fn depart(&mut self, number: u8, (addresses, packet): Parcel) {
        for piece in codec::split_packet(packet) {
            self.packets += 1;
            self.last_packet = self.world.now;
            let elapsed = self.world.now.saturating_since(Instant::from_micros(self.world.plan.start));
            let most = self.most_packets.by(elapsed);
            assert!(self.packets <= most, "{most} packets and no end");
            self.at_box(number, Way::Out, (addresses, piece));
        }
    }

    /// A packet is at the middlebox of a host, or at none.
    fn at_box(&mut self, number: u8, way: Way, parcel: Parcel) {
        let calm = self.is_calm();
        let World { rng, now, .. } = &mut self.world;
        let Some(middlebox) = &mut self.hosts[usize::from(number)].middlebox else {
            return self.beyond(number, way, parcel);
        };
        let passed = middlebox.pass(way, parcel, calm, *now, rng);
        if let Some((wait, time)) = passed.wait {
            self.plan(self.world.now + time, Event::Release(number, way, wait));
        }
        passed.parcels.into_iter().for_each(|parcel| self.beyond(number, way, parcel));
    }

    fn beyond(&mut self, number: u8, way: Way, parcel: Parcel) {
        match way {
            Way::Out => {
                let Some(to) = self.world.plan.host_of(parcel.0.dst()) else { return };
                self.enter(Leg::Access(number, 0), to, parcel);
            }
            Way::In => {
                let most = self.world.plan.host(number).batch;
                let wait = self.world.up_to(most);
                self.world.note(|| format!("  → h{number} {}", shown(&parcel)));
                self.hosts[usize::from(number)].inbox.push(parcel);
                self.wake(number, self.world.now + wait);
            }
        }
    }

    fn is_calm(&self) -> bool {
        self.world.now >= Instant::from_micros(self.world.plan.start) + self.world.plan.calm
    }

    fn hop(&mut self, leg: Leg, to: u8, parcel: Parcel) {
        let plan = self.world.plan;
        let at = match leg {
            Leg::Access(_, 1) => return self.at_box(to, Way::In, parcel),
            Leg::Access(number, _) => plan.host(number).router,
            Leg::Trunk(number, 0) => number + 1,
            Leg::Trunk(number, _) => number,
        };
        let aim = plan.host(to).router;
        let next = match at.cmp(&aim) {
            std::cmp::Ordering::Equal => Leg::Access(to, 1),
            std::cmp::Ordering::Less => Leg::Trunk(at, 0),
            std::cmp::Ordering::Greater => Leg::Trunk(at - 1, 1),
        };
        self.enter(next, to, parcel);
    }

    /// A packet enters a link, and is at its end later, or never.
    fn enter(&mut self, leg: Leg, to: u8, mut parcel: Parcel) {
        let plan = self.world.plan;
        let (way, load) = match leg {
            Leg::Access(number, direction) => {
                (&plan.host(number).access, &mut self.access[usize::from(number)][direction])
            }
            Leg::Trunk(number, direction) => {
                (&plan.trunks[usize::from(number)], &mut self.trunks[usize::from(number)][direction])
            }
        };
        let now = self.world.now;
        let octets = 40 + parcel.1.segment.options.wire_len() + parcel.1.segment.payload.len();
        let arrival = pass(way, load, octets, now);
        let lose = if load.lost { way.odds.burst.max(way.odds.lose) } else { way.odds.lose };
        let elapsed = now.saturating_since(Instant::from_micros(plan.start));
        let calm = elapsed >= plan.calm;
        load.lost = !calm && self.world.rng.chance(lose);
        let cut = matches!(leg, Leg::Trunk(trunk, _) if is_cut(plan, trunk, elapsed));
        let fate = match arrival {
            None => Some("the queue is full"),
            _ if cut => Some("the trunk is cut"),
            _ if load.lost => Some("lost"),
            Some(_) => None,
        };
        if matches!(leg, Leg::Access(_, 0)) || fate.is_some() {
            self.world.note(|| format!("{leg:?} {} {}", shown(&parcel), fate.unwrap_or_default()));
        }
        let (None, Some(mut at)) = (fate, arrival) else { return };
        if !calm {
            let odds = way.odds;
            if self.world.rng.chance(odds.corrupt) {
                let flipped = self.over_the_wire(&parcel, true);
                assert!(flipped.is_none(), "a flipped bit went unnoticed");
                return;
            }
            if self.world.rng.chance(odds.mark) && parcel.1.segment.ecn != Ecn::NotEct {
                parcel.1.segment.ecn = Ecn::Ce;
            }
            if self.world.rng.chance(odds.hold) {
                at += self.world.up_to(odds.held);
            }
            if self.world.rng.chance(odds.double) {
                let copy = at + self.world.up_to(odds.held);
                self.plan(copy, Event::Hop(leg, to, Box::new(parcel.clone())));
            }
        }
        if plan.encode && matches!(leg, Leg::Access(_, 0)) {
            parcel = self.over_the_wire(&parcel, false).expect("what was encoded can be decoded");
        }
        self.plan(at, Event::Hop(leg, to, Box::new(parcel)));
    }

    /// A packet as octets and back; with a bit flipped the checksum gives it away.
    fn over_the_wire(&mut self, parcel: &Parcel, flips: bool) -> Option<Parcel> {
        let mut octets = Vec::new();
        ip::encode(parcel.0, &parcel.1, Format::default(), &mut octets).expect("what is sent can be encoded");
        if flips {
            let header = if parcel.0.src().is_ipv4() { 20 } else { 40 };
            let bit = header * 8 + self.world.rng.below((octets.len() - header) as u32 * 8) as usize;
            octets[bit / 8] ^= 1 << (bit % 8);
        }
        match ip::decode(Bytes::from(octets), Format::default()) {
            Ok(Datagram::Tcp(addresses, packet)) => Some((addresses, packet)),
            _ => None,
        }
    }
}

/// When a link has carried a packet to its end; `None` when its queue is full.
fn pass(way: &plan::Way, load: &mut Load, octets: usize, now: Instant) -> Option<Instant> {
    let plan::Way { link, .. } = way;
    if link.rate == 0 {
        return Some(now + link.delay);
    }
    let begins = now.max(load.busy);
    let waiting = begins.saturating_since(now).as_micros() as u64 * u64::from(link.rate) / 1000;
    if link.queue > 0 && waiting > u64::from(link.queue) {
        return None;
    }
    load.busy = begins + Duration::from_micros(octets as u64 * 1000 / u64::from(link.rate));
    Some(load.busy + link.delay)
}

fn is_cut(plan: &Plan, trunk: u8, elapsed: Duration) -> bool {
    plan.partitions.iter().any(|cut| cut.trunk == trunk && (cut.from..cut.until).contains(&elapsed))
}

/// A packet for a ladder: `10.0.0.1:49152 10.0.0.2:80 <SEQ=…>`.
fn shown((addresses, packet): &Parcel) -> String {
    let (src, dst) = (addresses.src(), addresses.dst());
    format!("{src}:{} {dst}:{} {}", packet.src_port, packet.dst_port, packet.segment)
}
