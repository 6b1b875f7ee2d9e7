//! Two connections, each with shortcuts and without, with users, hosts and the network between them.

use std::collections::VecDeque;

use bytes::Bytes;
use segue::{
    Action, Arc, Config, Connection, Ecn, Event, Flags, Instant, Path, Secrets, Segment, SeqNum, State, Timer,
};
use segue_kit::{EDGES, Rng, STARTS, settings};

use crate::controllers::Kind;
use crate::difference::{compare, compare_connections};
use crate::draw::{self, Weights};
use crate::same;

/// Segments that one side remembers, to replay them.
const REMEMBERED: usize = 16;
/// Segments on the way to one side.
const ON_THE_WAY: usize = 3000;

/// What the runs did.
#[derive(Default, Debug)]
pub(crate) struct Stats {
    pub(crate) events: u64,
    pub(crate) segments: u64,
    /// Segments that took the first shortcut.
    pub(crate) predicted: u64,
}

/// One connection twice.
pub(crate) struct Side<K: Kind> {
    pub(crate) full: Connection<K::Full>,
    plain: plain::Connection<K::Plain>,
    /// What is on its way to it, each with the time of arrival.
    inbox: VecDeque<(u64, Segment)>,
    /// `MorePending` is not answered yet.
    more: bool,
    closed: bool,
    /// Some of the last segments that arrived.
    pub(crate) seen: Vec<Segment>,
}

impl<K: Kind> Side<K> {
    /// Whether a segment has arrived. Only the first few are looked at: the order is nearly that of arrival.
    fn is_ready(&self, now: u64) -> bool {
        self.inbox.iter().take(8).any(|(at, _)| *at <= now)
    }
}

/// The arguments of a new connection.
struct Start<'a> {
    config: &'a Config,
    path: Path,
    secrets: Secrets,
    seed: u64,
    at: Instant,
}

impl Start<'_> {
    fn connect<K: Kind>(self) -> (Side<K>, Vec<Action>) {
        let Self { config, path, secrets, seed, at } = self;
        let (full, plain) = K::controllers(seed);
        let (full, actions) = Connection::connect_with(full, Arc::new(*config), path, secrets, at);
        let config = Arc::new(same::config(config));
        let (path, secrets, at) = (same::path(path), same::secrets(secrets), same::instant(at));
        let (plain, of_plain) = plain::Connection::connect_with(plain, config, path, secrets, at);
        compare("the actions", &actions, &of_plain);
        (Self::side(full, plain), actions)
    }

    fn listen<K: Kind>(self) -> Side<K> {
        let Self { config, path, secrets, seed, at: _ } = self;
        let (full, plain) = K::controllers(seed);
        let full = Connection::listen_with(full, Arc::new(*config), path, secrets);
        let config = Arc::new(same::config(config));
        let plain = plain::Connection::listen_with(plain, config, same::path(path), same::secrets(secrets));
        Self::side(full, plain)
    }

    fn accept<K: Kind>(self, syn: Segment) -> (Side<K>, Vec<Action>) {
        let Self { config, path, secrets, seed, at } = self;
        let (full, plain) = K::controllers(seed);
        let of_plain = same::segment(&syn);
        let (full, actions) = Connection::accept_with(full, Arc::new(*config), path, secrets, syn, at);
        let config = Arc::new(same::config(config));
        let (path, secrets, at) = (same::path(path), same::secrets(secrets), same::instant(at));
        let (plain, of_plain) = plain::Connection::accept_with(plain, config, path, secrets, of_plain, at);
        compare("the actions", &actions, &of_plain);
        (Self::side(full, plain), actions)
    }

    fn side<K: Kind>(full: Connection<K::Full>, plain: plain::Connection<K::Plain>) -> Side<K> {
        Side { full, plain, inbox: VecDeque::new(), more: false, closed: false, seen: Vec::new() }
    }
}

pub(crate) struct World<'a, K: Kind> {
    pub(crate) rng: Rng,
    /// Microseconds.
    now: u64,
    pub(crate) sides: [Side<K>; 2],
    weights: Weights,
    stats: &'a mut Stats,
    /// Whether to print each event.
    log: bool,
}

impl<'a, K: Kind> World<'a, K> {
    pub(crate) fn new(seed: u64, stats: &'a mut Stats, log: bool) -> Self {
        let mut rng = Rng::new(seed);
        let mut now = rng.pick(&[0, 1, 1_000_000, 1_000_000, 1 << 40, (1 << 62) - 100_000_000, u64::MAX - 5]);
        let configs = [0, 1].map(|_| draw::config(&mut rng));
        let path = draw::path(&mut rng);
        let weights = Weights::draw(&mut rng);
        if log {
            configs.iter().for_each(|config| println!("{}", settings::show(config)));
            println!("{path:?} {weights:?} now {now}");
        }
        let secrets = [0, 1].map(|_| Secrets {
            iss: SeqNum::new(if rng.chance(500) { low(rng.next()) } else { rng.pick(&STARTS) }),
            ts_offset: if rng.chance(500) { low(rng.next()) } else { rng.pick(&EDGES) },
        });
        let seed = rng.next();
        let start = |side: usize, now: u64| {
            let seed = if side == 0 { seed } else { !seed };
            Start { config: &configs[side], path, secrets: secrets[side], seed, at: Instant::from_micros(now) }
        };
        let (client, actions) = start(0, now).connect();
        let syn = actions.into_iter().find_map(|action| match action {
            Action::Transmit(syn) => Some(syn),
            _ => None,
        });
        let syn = syn.expect("a SYN");
        now = now.saturating_add(weights.latency.into());
        let (server, actions) = if rng.chance(100) {
            let mut server = start(1, now).listen();
            server.inbox.push_back((now, syn));
            (server, Vec::new())
        } else {
            start(1, now).accept(syn)
        };
        let mut world = Self { rng, now, sides: [client, server], weights, stats, log };
        world.carry_out(1, actions);
        world
    }

    pub(crate) fn is_over(&self) -> bool {
        self.sides.iter().all(|side| side.closed)
    }

    /// One event for one side, with shortcuts and without.
    fn give(&mut self, side: usize, event: Event, now: u64) {
        self.stats.events += 1;
        if self.log {
            println!("{} side {side} at {now}: {event:?}", self.stats.events);
        }
        let thorough = self.rng.chance(5);
        let Side { full, plain, .. } = &mut self.sides[side];
        let (at, of_plain) = (Instant::from_micros(now), same::event(&event));
        let (mut actions, mut plain_actions) = (Vec::new(), Vec::new());
        let result = full.handle(event, at, &mut actions);
        let plain_result = plain.handle(of_plain, same::instant(at), &mut plain_actions);
        if self.log {
            println!("    {actions:?}");
        }
        assert_eq!(format!("{result:?}"), format!("{plain_result:?}"), "the results differ");
        compare("the actions", &actions, &plain_actions);
        compare_connections(full, plain, thorough);
        full.check_invariants();
        check_deadlines(full);
        self.carry_out(side, actions);
    }

    fn carry_out(&mut self, side: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Transmit(segment) => self.transmit(side, segment),
                Action::MorePending => self.sides[side].more = true,
                Action::Closed(_) => self.sides[side].closed = true,
                _ => {}
            }
        }
    }

    /// The network: it cuts, loses, marks, delays and repeats.
    fn transmit(&mut self, side: usize, segment: Segment) {
        let pieces = if self.rng.chance(500) { cut(segment) } else { vec![segment] };
        for mut piece in pieces {
            if self.rng.chance(self.weights.lose) {
                continue;
            }
            if self.rng.chance(self.weights.mark) {
                piece.ecn = Ecn::Ce;
            }
            let latency = self.weights.latency;
            let late = if self.rng.chance(self.weights.late) { self.rng.below(3 * latency + 10) } else { 0 };
            let at = self.now.saturating_add(u64::from(latency + late));
            let inbox = &mut self.sides[1 - side].inbox;
            if self.rng.chance(self.weights.duplicate) {
                inbox.push_back((at.saturating_add(u64::from(latency / 2)), piece.clone()));
            }
            inbox.push_back((at, piece));
            let excess = inbox.len().saturating_sub(ON_THE_WAY);
            inbox.drain(..excess);
        }
    }

    /// The segments that have arrived, or some of them.
    pub(crate) fn arrivals(&mut self, side: usize) -> Vec<Segment> {
        let now = self.now;
        let most = if self.rng.chance(self.weights.batch) { 1 + self.rng.below(12) } else { 1 };
        let Side { inbox, seen, .. } = &mut self.sides[side];
        if self.weights.late > 0 {
            inbox.make_contiguous().sort_by_key(|(at, _)| *at);
        }
        let mut arrived = Vec::new();
        for _ in 0..most {
            if inbox.front().is_none_or(|(at, _)| *at > now) {
                break;
            }
            arrived.extend(inbox.pop_front().map(|(_, segment)| segment));
        }
        for segment in &arrived {
            if seen.len() < REMEMBERED {
                seen.push(segment.clone());
            } else {
                seen[self.rng.below(REMEMBERED as u32) as usize] = segment.clone();
            }
        }
        if self.rng.chance(200) { merged(arrived) } else { arrived }
    }

    fn deliver(&mut self, side: usize) {
        let mut arrived = self.arrivals(side);
        self.stats.segments += arrived.len() as u64;
        let before = self.sides[side].full.info().counters.segments_predicted;
        let back = if self.rng.chance(self.weights.gap) { self.rng.below(1000) } else { 0 };
        let now = self.now.saturating_sub(back.into());
        match arrived.pop() {
            Some(only) if arrived.is_empty() && self.rng.chance(900) => self.give(side, Event::Segment(only), now),
            Some(last) => {
                arrived.push(last);
                self.give(side, Event::Segments(arrived), now);
            }
            None => return,
        }
        self.stats.predicted += self.sides[side].full.info().counters.segments_predicted - before;
        if self.rng.chance(self.weights.echo) {
            self.give(side, Event::Consume(usize::MAX), self.now);
        }
    }

    /// One step of the run: time passes, and something happens or not.
    pub(crate) fn turn(&mut self) {
        self.pass_time();
        // Timers, mostly as soon as they are due.
        for side in 0..2 {
            let due = self.sides[side].full.next_deadline().filter(|(_, at)| at.as_micros() <= self.now);
            if let Some((timer, _)) = due.filter(|_| self.rng.chance(900)) {
                return self.give(side, Event::Timer(timer), self.now);
            }
        }
        let side = self.rng.below(2) as usize;
        if self.rng.chance(self.weights.arrive) {
            let ready = [side, 1 - side].into_iter().find(|&side| self.sides[side].is_ready(self.now));
            if let Some(ready) = ready {
                return self.deliver(ready);
            }
            if self.rng.chance(500) {
                self.now = self.next_instant().map_or(self.now, |next| next.max(self.now));
                return;
            }
        }
        if let Some(event) = self.event_for(side) {
            self.give(side, event, self.now);
        }
    }

    /// What the user, the host or somebody else does now.
    fn event_for(&mut self, side: usize) -> Option<Event> {
        if self.rng.chance(self.weights.forged) {
            return Some(self.forged(side));
        }
        if self.rng.chance(self.weights.odd) {
            return Some(self.odd(side));
        }
        if self.sides[side].more && self.rng.chance(600) {
            self.sides[side].more = false;
            return Some(Event::Continue);
        }
        if self.rng.chance(self.weights.close) {
            return Some(
                [Event::Close, Event::Release, Event::Abort][self.rng.pick(&[0, 0, 0, 0, 0, 0, 1, 2])].clone(),
            );
        }
        if self.rng.chance(self.weights.consume) {
            let unread = self.sides[side].full.info().unconsumed;
            return Some(Event::Consume(self.rng.pick(&[0, 1, usize::MAX, unread / 2, unread, unread])));
        }
        self.rng.chance(self.weights.send).then(|| self.send(side))
    }

    /// One or several forged segments, among what has arrived.
    fn forged(&mut self, side: usize) -> Event {
        let several = self.rng.chance(self.weights.batch);
        let count = if several { 1 + self.rng.below(5) } else { 1 };
        if count == 1 {
            return Event::Segment(self.forge(side));
        }
        let mut segments: Vec<_> = (0..count).map(|_| self.forge(side)).collect();
        for segment in self.arrivals(side) {
            let at = self.rng.below(segments.len() as u32 + 1) as usize;
            segments.insert(at, segment);
        }
        Event::Segments(segments)
    }

    fn send(&mut self, side: usize) -> Event {
        let full = &self.sides[side].full;
        let (room, mss) = (full.send_room(), usize::from(full.info().eff_snd_mss));
        let drawn = self.rng.below(self.weights.size + 1) as usize;
        let octets = self.rng.pick(&[0, 1, mss, mss + 1, mss.saturating_sub(1), mss * 2, room, drawn, drawn, drawn]);
        let octets = if self.rng.chance(980) { octets.min(room) } else { octets };
        let octets = octets.min(if self.rng.chance(20) { 1 << 20 } else { 20_000 });
        let text = Bytes::from(vec![self.stats.events.to_le_bytes()[0]; octets]);
        if self.rng.chance(200) { Event::SendMore(text) } else { Event::Send(text) }
    }

    /// When the next segment arrives or the next timer is due.
    fn next_instant(&self) -> Option<u64> {
        let arrivals = self.sides.iter().flat_map(|side| side.inbox.iter().take(8).map(|(at, _)| *at));
        arrivals.chain(self.next_deadline()).min()
    }

    fn next_deadline(&self) -> Option<u64> {
        self.sides.iter().filter_map(|side| side.full.next_deadline()).map(|(_, at)| at.as_micros()).min()
    }

    /// Usually by little; now and then it jumps, also back.
    fn pass_time(&mut self) {
        let now = self.now;
        if !self.rng.chance(self.weights.gap) {
            self.now = now.saturating_add(self.rng.pick(&[0, 0, 0, 1, 7, 100]));
            return;
        }
        let by = self.rng.next() >> (self.rng.below(40) + 24);
        let deadline = self.next_deadline();
        let times = [
            now.saturating_add(by),
            now.saturating_sub(by),
            now.saturating_add(1_000_000),
            deadline.map_or(now, |at| at.saturating_sub(1)),
            deadline.unwrap_or(now),
            now.saturating_add(1000),
        ];
        self.now = self.rng.pick(&times);
    }
}

pub(crate) fn low(number: u64) -> u32 {
    (number & u64::from(u32::MAX)) as u32
}

/// The segments of one `Transmit`, as GSO cuts them.
fn cut(segment: Segment) -> Vec<Segment> {
    let (size, len) = (usize::from(segment.segment_size), segment.payload.len());
    if size == 0 {
        return vec![segment];
    }
    let cut = |start: usize| {
        let end = (start + size).min(len);
        let mut flags = segment.flags;
        if end < len {
            flags.remove(Flags::FIN | Flags::PSH);
        }
        if start > 0 {
            flags.remove(Flags::CWR);
        }
        let (seq, payload) = (segment.seq + start as u32, segment.payload.slice(start..end));
        Segment { seq, flags, segment_size: 0, payload, ..segment.clone() }
    };
    (0..len).step_by(size).map(cut).collect()
}

/// The segments as GRO merges them.
fn merged(segments: Vec<Segment>) -> Vec<Segment> {
    let mut merged: Vec<Segment> = Vec::new();
    for segment in segments {
        match merged.last_mut() {
            Some(last) if continues(last, &segment) => {
                last.segment_size = size(last);
                last.payload = [&last.payload[..], &segment.payload[..]].concat().into();
                last.flags |= segment.flags;
            }
            _ => merged.push(segment),
        }
    }
    merged
}

fn size(segment: &Segment) -> u16 {
    if segment.segment_size > 0 { segment.segment_size } else { segment.payload.len() as u16 }
}

/// Whether GRO adds the segment to the last one.
fn continues(last: &Segment, segment: &Segment) -> bool {
    let plain = |segment: &Segment| segment.flags.difference(Flags::PSH) == Flags::ACK && !segment.payload.is_empty();
    let whole = usize::from(size(last).max(1));
    plain(last)
        && plain(segment)
        && last.end() == segment.seq
        && last.payload.len().is_multiple_of(whole)
        && segment.segment_size == 0
        && segment.payload.len() <= whole
        && (last.ack, last.ecn) == (segment.ack, segment.ecn)
        && last.options == segment.options
}

/// What holds of the timers of any connection.
fn check_deadlines<C: segue::Controller>(tcp: &Connection<C>) {
    let info = tcp.info();
    let next = Timer::ALL.iter().filter_map(|&timer| tcp.deadline(timer)).min();
    assert_eq!(next, tcp.next_deadline().map(|(_, at)| at), "next_deadline");
    if info.flight > 0 && !matches!(info.state, State::Closed | State::Listen) {
        let armed = [Timer::Retransmit, Timer::Persist].iter().any(|&timer| tcp.deadline(timer).is_some());
        assert!(armed, "{} octets in flight, and no timer", info.flight);
    }
    if let Some(probe) = tcp.deadline(Timer::TailLossProbe) {
        let rto = tcp.deadline(Timer::Retransmit);
        assert!(rto.is_some_and(|rto| probe <= rto), "the probe is after the timeout");
    }
}
