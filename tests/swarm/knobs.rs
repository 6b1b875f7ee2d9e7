//! Knobs and controllers that change at any time, at both ends, over a link that loses and reorders: all text arrives, no
//! window is taken back, no segment is larger than its end wants, and the invariants hold at every step.

use std::collections::BTreeMap;
use std::time::Duration;

use segue::congestion::{Algorithm, Bbr, Cubic, Prague, Reno};
use segue::{Action, Arc, Connection, Error, Event, Instant, Knob, Path, Secrets, Segment, SeqNum, codec};
use segue_kit::settings::{Mixture, config};
use segue_kit::{Rng, knobs};

use super::runner::run;

/// Octets of text of each side.
const OCTETS: usize = 40_000;
/// When the link stops losing, and the users turn their knobs to what lets the text go on.
const HEALED: Instant = Instant::from_secs(20);
/// When all must be over.
const LIMIT: Instant = Instant::from_secs(40_000);

/// What ends a connection whose peer is only slow, or makes 2 MSL of minutes: the faults of this test would do it.
const IMPATIENT: [&str; 7] =
    ["user_timeout", "data_retries", "syn_retries", "connect_timeout", "keep_alive", "user_timeout_option", "min_mtu"];

fn octet(side: usize, at: usize) -> u8 {
    u8::try_from((at * 31 + at / 256 * 7 + side) % 251).expect("less than 251")
}

struct End {
    tcp: Connection,
    sent: usize,
    got: usize,
    closed: bool,
    peer_closed: bool,
    edge: SeqNum,
}

struct World {
    rng: Rng,
    ends: [End; 2],
    wires: BTreeMap<(Instant, u64), (usize, Segment)>,
    count: u64,
    now: Instant,
    mtu: u16,
    loss: u32,
}

/// A knob that does not end the connection for want of patience.
fn patient(rng: &mut Rng) -> Knob {
    loop {
        match knobs::any(rng) {
            Knob::UserTimeout(_)
            | Knob::KeepAlive(true)
            | Knob::DataRetries(_)
            | Knob::SynRetries(_)
            | Knob::ConnectTimeout(_)
            | Knob::UserTimeoutOption(_) => {}
            knob => return knob,
        }
    }
}

fn controller(rng: &mut Rng) -> Algorithm {
    match rng.below(4) {
        0 => Algorithm::Reno(Reno::default()),
        1 => Algorithm::Cubic(Cubic::default()),
        2 => Algorithm::Bbr(Bbr::default()),
        _ => Algorithm::Prague(Prague::default()),
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mtu = rng.pick(&[576, 1500, 9000]);
        let (path, now) = (Path::ipv4(mtu), Instant::from_millis(1));
        let mut policy =
            || Arc::new(config(&mut rng, &Mixture::draw(&mut Rng::new(seed), 300).without(&IMPATIENT), &[]));
        let [first, second] = [policy(), policy()];
        let secrets = |iss: u64| Secrets { iss: SeqNum::new((iss & 0xFFFF_FFFF) as u32), ts_offset: 7 };
        let (client, actions) = Connection::connect_with(controller(&mut rng), first, path, secrets(rng.next()), now);
        let server = Connection::listen_with(controller(&mut rng), second, path, secrets(rng.next()));
        let end = |tcp| End { tcp, sent: 0, got: 0, closed: false, peer_closed: false, edge: SeqNum::new(0) };
        let loss = rng.pick(&[0, 10, 50, 150]);
        let ends = [end(client), end(server)];
        let mut world = Self { rng, ends, wires: BTreeMap::new(), count: 0, now, mtu, loss };
        world.take(0, actions);
        world
    }

    fn take(&mut self, side: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Transmit(segment) => self.transmit(side, segment),
                Action::Deliver(text) => {
                    let end = &mut self.ends[side];
                    for octet_there in &text {
                        assert_eq!(*octet_there, octet(1 - side, end.got), "octet {}", end.got);
                        end.got += 1;
                    }
                }
                Action::PeerClosed => self.ends[side].peer_closed = true,
                Action::Closed(reason) => {
                    assert!(self.is_over(side), "{side} ended: {reason:?}");
                    self.ends[side].closed = true;
                }
                _ => {}
            }
        }
        self.laws(side);
    }

    fn is_over(&self, side: usize) -> bool {
        self.ends[side].sent == OCTETS && self.ends[side].got == OCTETS
    }

    fn transmit(&mut self, side: usize, segment: Segment) {
        let most = usize::from(self.ends[side].tcp.config().max_sent_mss());
        for segment in codec::split(segment) {
            assert!(segment.payload.len() <= most, "{} octets of text, {most} wanted", segment.payload.len());
            let size = 40 + segment.payload.len() + segment.options.wire_len();
            let lost = self.now < HEALED && self.rng.chance(self.loss);
            if lost || size > usize::from(self.mtu) {
                continue;
            }
            let at = self.now + Duration::from_micros(u64::from(1000 + self.rng.below(20_000)));
            self.count += 1;
            self.wires.insert((at, self.count), (1 - side, segment));
        }
    }

    fn laws(&mut self, side: usize) {
        let end = &mut self.ends[side];
        end.tcp.check_invariants();
        let info = end.tcp.info();
        if info.rcv_buff > 0 {
            let edge = info.rcv_nxt + info.rcv_wnd;
            assert!(end.edge == SeqNum::new(0) || !edge.before(end.edge), "the window was taken back");
            end.edge = edge;
            assert!(info.unconsumed <= info.rcv_buff as usize);
        }
    }

    fn does(&mut self, side: usize, event: Event) {
        let mut actions = Vec::new();
        let before = matches!(event, Event::Set(_)).then(|| self.ends[side].tcp.clone());
        let done = self.ends[side].tcp.handle(event, self.now, &mut actions);
        if let (Err(error), Some(before)) = (done, before) {
            assert!(error == Error::InvalidSetting && self.ends[side].tcp == before);
        }
        self.take(side, actions);
    }

    /// The user writes what fits, reads some, and changes its mind.
    fn user(&mut self, side: usize) {
        let end = &self.ends[side];
        let (left, room) = (OCTETS - end.sent, end.tcp.send_room());
        let unread = end.tcp.info().unconsumed;
        if left > 0 && room > 0 && self.rng.chance(600) {
            let octets = left.min(room).min(1 + self.rng.below(9000) as usize);
            let text: Vec<u8> = (self.ends[side].sent..).take(octets).map(|at| octet(side, at)).collect();
            self.ends[side].sent += octets;
            self.does(side, Event::Send(text.into()));
        }
        if self.ends[side].sent == OCTETS && self.ends[side].tcp.state().is_synchronized() {
            self.does(side, Event::Close); // a second time it is refused
        }
        if unread > 0 && (self.now >= HEALED || self.rng.chance(500)) {
            let octets = if self.now >= HEALED { unread } else { 1 + self.rng.below(unread as u32) as usize };
            self.does(side, Event::Consume(octets));
        }
        if self.now < HEALED && self.rng.chance(150) {
            let knob = patient(&mut self.rng);
            if self.rng.chance(300) {
                self.does(side, Event::Batch(vec![Event::Consume(1), Event::Set(knob), Event::Set(knob)]));
            } else {
                self.does(side, Event::Set(knob));
            }
        }
        if self.now < HEALED && self.rng.chance(50) {
            let mut actions = Vec::new();
            let new = controller(&mut self.rng);
            self.ends[side].tcp.replace_controller(new, self.now, &mut actions);
            self.take(side, actions);
        }
    }

    /// What lets the text go on.
    fn heal(&mut self) {
        for side in [0, 1] {
            for knob in [
                Knob::Cork(false),
                Knob::ReceiveBuffer(1 << 20),
                Knob::SendLowWater(None),
                Knob::SendBuffer(1 << 20),
                Knob::MaxRto(Duration::from_secs(60)),
            ] {
                self.does(side, Event::Set(knob));
            }
        }
    }

    fn run(mut self) {
        let mut healed = false;
        while !(0..2).all(|side| self.is_over(side) && self.ends[side].peer_closed) {
            let wire = self.wires.keys().next().map(|(at, _)| *at);
            let timers = [0, 1].map(|side| self.ends[side].tcp.next_deadline().map(|(_, at)| at));
            let next = wire.into_iter().chain(timers.into_iter().flatten()).min();
            let next = next.unwrap_or(self.now + Duration::from_millis(10)).max(self.now);
            self.now = next.min(self.now + Duration::from_millis(200)); // a user acts in a pause, too
            if !healed && self.now >= HEALED {
                healed = true;
                self.heal();
            }
            assert!(self.now < LIMIT, "{:?} of {OCTETS} octets arrived", [self.ends[0].got, self.ends[1].got]);
            while self.wires.keys().next().is_some_and(|(at, _)| *at <= self.now) {
                let (_, (side, segment)) = self.wires.pop_first().expect("it is there");
                self.does(side, Event::Segment(segment));
            }
            for side in [0, 1] {
                if let Some((timer, _)) = self.ends[side].tcp.next_deadline().filter(|(_, at)| *at <= self.now) {
                    self.does(side, Event::Timer(timer));
                }
                if !self.ends[side].closed {
                    self.user(side);
                }
            }
        }
    }
}

/// Knobs at any time over a lossy link.
#[test]
fn knobs_at_any_time() {
    run("knobs_at_any_time", 300, |seed| {
        let world = std::panic::catch_unwind(|| World::new(seed).run());
        world.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
            (text.chars().take(60).collect(), text.chars().take(2000).collect())
        })
    });
}
