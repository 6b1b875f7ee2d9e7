//! Two connections and a path between them in virtual time: a round trip of 30 ms, and what a middlebox does to each packet.

use std::collections::VecDeque;

use bytes::Bytes;
use segue::congestion::{Algorithm, Bbr, Cubic, Prague, PragueInfo, Reno};
use segue::{Action, Arc, Config, ConfigBuilder, Connection, Ecn, EcnMode, Event, Flags, Info, Instant, Path, Secrets};
use segue::{Segment, SeqNum, codec};
use segue_kit::ms;

pub(super) const MODES: [EcnMode; 4] = [EcnMode::Off, EcnMode::Passive, EcnMode::Active, EcnMode::Accurate];
pub(super) const TRIP: u64 = 15;

pub(super) fn prague() -> Algorithm {
    Algorithm::Prague(Prague::default())
}

pub(super) fn controllers() -> [Algorithm; 4] {
    [Algorithm::Reno(Reno::default()), Algorithm::Cubic(Cubic::default()), Algorithm::Bbr(Bbr::default()), prague()]
}

/// Big buffers, and AccECN asked for.
pub(super) fn config(mode: EcnMode) -> ConfigBuilder {
    Config::builder()
        .nagle(false)
        .send_buffer(1 << 24)
        .receive_buffer(1 << 24)
        .receive_buffer_initial(1 << 24)
        .ecn(mode)
}

/// One end: what it sent, and octets of text by codepoint, those sent again apart.
pub(super) struct End {
    pub(super) tcp: Connection,
    out: Vec<Segment>,
    pub(super) got: u64,
    /// New text: octets as Not-ECT, ECT(1), ECT(0).
    pub(super) sent: [u64; 3],
    /// Packets without new text that were ECN-capable.
    pub(super) capable_others: u64,
    high: Option<SeqNum>,
}

impl End {
    fn new(tcp: Connection, actions: Vec<Action>, now: Instant) -> Self {
        let mut end = Self { tcp, out: Vec::new(), got: 0, sent: [0; 3], capable_others: 0, high: None };
        end.note(actions, now);
        end
    }

    pub(super) fn does(&mut self, event: Event, now: Instant) {
        let mut actions = Vec::new();
        self.tcp.handle(event, now, &mut actions).expect("it can proceed");
        self.note(actions, now);
    }

    /// What a call gave that is no event.
    pub(super) fn take(&mut self, actions: Vec<Action>, now: Instant) {
        self.note(actions, now);
    }

    fn note(&mut self, actions: Vec<Action>, now: Instant) {
        for action in actions {
            match action {
                Action::Transmit(segment) => codec::split(segment).for_each(|segment| self.sends(segment)),
                Action::Deliver(text) => {
                    self.got += text.len() as u64;
                    self.does(Event::Consume(text.len()), now);
                }
                Action::Closed(reason) => panic!("closed: {reason:?}"),
                _ => {}
            }
        }
        self.tcp.check_invariants();
    }

    fn sends(&mut self, segment: Segment) {
        let again = segment.is_empty() || self.high.is_some_and(|high| segment.seq.before(high));
        if again || segment.flags.contains(Flags::SYN) {
            self.capable_others += u64::from(segment.ecn != Ecn::NotEct);
        } else {
            let place = match segment.ecn {
                Ecn::NotEct => 0,
                Ecn::Ect1 => 1,
                Ecn::Ect0 => 2,
                Ecn::Ce => panic!("an end never sends CE"),
            };
            self.sent[place] += segment.payload.len() as u64;
        }
        self.high = Some(self.high.map_or(segment.end(), |high| high.max(segment.end())));
        self.out.push(segment);
    }

    pub(super) fn info(&self) -> Info {
        self.tcp.info()
    }

    pub(super) fn prague(&self) -> PragueInfo {
        let Some(Algorithm::Prague(prague)) = self.tcp.controller() else { panic!("it is another") };
        prague.info()
    }

    pub(super) fn is_accurate(&self) -> bool {
        self.info().accurate_ecn.is_some()
    }
}

/// What the path does to a packet of this end (0 or 1); `None`: it is lost.
pub(super) type Fate<'a> = &'a mut dyn FnMut(usize, Segment) -> Option<Segment>;

pub(super) struct World {
    pub(super) ends: [End; 2],
    pub(super) now: Instant,
    /// What is on its way from each end, and when it arrives.
    ways: [VecDeque<(Instant, Segment)>; 2],
}

/// A path that does nothing.
pub(super) fn clean(_: usize, segment: Segment) -> Option<Segment> {
    Some(segment)
}

/// What a queue does to an ECN-capable packet.
pub(super) fn mark(segment: Segment) -> Segment {
    if segment.ecn == Ecn::NotEct { segment } else { Segment { ecn: Ecn::Ce, ..segment } }
}

impl World {
    /// Connected, over this path.
    pub(super) fn new(controllers: [Algorithm; 2], configs: [&ConfigBuilder; 2], fate: Fate<'_>) -> Self {
        let now = Instant::from_millis(1);
        let [first, second] = controllers;
        let [one, other] = configs.map(|config| Arc::new(config.build().expect("valid")));
        let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 7 };
        let (client, actions) = Connection::connect_with(first, one, Path::ipv4(1500), secrets(0xFFFF_F000), now);
        let mut client = End::new(client, actions, now);
        let syn = fate(0, client.out.remove(0)).expect("the SYN is not lost here");
        let now = now + ms(TRIP);
        let (server, actions) = Connection::accept_with(second, other, Path::ipv4(1500), secrets(77), syn, now);
        let ends = [client, End::new(server, actions, now)];
        let mut world = Self { ends, now, ways: [VecDeque::new(), VecDeque::new()] };
        world.run(100, fate);
        world
    }

    /// The user of this end writes.
    pub(super) fn send(&mut self, side: usize, octets: usize) {
        self.ends[side].does(Event::Send(Bytes::from(vec![7; octets])), self.now);
    }

    fn next(&self) -> Option<Instant> {
        let arrivals = self.ways.iter().filter_map(|way| way.front().map(|(at, _)| *at));
        let timers = self.ends.iter().filter_map(|end| end.tcp.next_deadline().map(|(_, at)| at.max(self.now)));
        arrivals.chain(timers).min()
    }

    /// For so many milliseconds.
    pub(super) fn run(&mut self, millis: u64, fate: Fate<'_>) {
        let end = self.now + ms(millis);
        loop {
            for side in 0..2 {
                for segment in std::mem::take(&mut self.ends[side].out) {
                    if let Some(segment) = fate(side, segment) {
                        self.ways[side].push_back((self.now + ms(TRIP), segment));
                    }
                }
            }
            let Some(next) = self.next().filter(|at| *at <= end) else { break };
            self.now = next;
            for side in 0..2 {
                while let Some((_, segment)) = self.ways[side].front().filter(|(at, _)| *at <= next).cloned() {
                    self.ways[side].pop_front();
                    self.ends[1 - side].does(Event::Segment(segment), next);
                }
                if let Some((timer, _)) = self.ends[side].tcp.next_deadline().filter(|(_, at)| *at <= next) {
                    self.ends[side].does(Event::Timer(timer), next);
                }
            }
        }
        self.now = end;
    }

    /// A user of the first end that always has more to send, for so many milliseconds.
    pub(super) fn greedy(&mut self, millis: u64, fate: Fate<'_>) {
        for _ in 0..millis.div_ceil(10) {
            if let room @ 1_000_000.. = self.ends[0].tcp.send_room() {
                self.send(0, room);
            }
            self.run(10, fate);
        }
    }
}
