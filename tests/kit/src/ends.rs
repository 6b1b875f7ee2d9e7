//! Two connections of any kind over a loose link, step by step. A world is a value: a clone of it goes on by itself, also
//! with another connection in the place of one of its own. [`crate::net`] holds a conversation to its laws; this holds it
//! to none but those of every call, since its connections may be any that can be.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use segue::congestion::{Algorithm, Bbr, Cubic, Prague, Reno};
use segue::{
    Action, Arc, Config, Connection, Ecn, EcnMode, Event, FastOpen, FastOpenAnswer, FastOpenCookie, Flags, IcmpKind,
    Info, Instant, IpVersion, Options, Path, SackBlock, Secrets, Segment, SeqNum, Timestamps, codec,
};

use crate::net::packet_len;
use crate::settings::{self, Mixture};
use crate::{Rng, STARTS, bounds, knobs};

/// Segments that the link holds, at the most.
const QUEUE: usize = 400;
/// Calls that one step lets happen by time, at the most.
const CALLS: u32 = 300;

/// Two connections, what is under way between them, and the numbers that decide what happens next.
#[derive(Clone, Debug)]
pub struct Ends {
    pub rng: Rng,
    pub now: Instant,
    ends: [Option<Connection>; 2],
    configs: [Arc<Config>; 2],
    paths: [Path; 2],
    secrets: [Secrets; 2],
    opens_fast: bool,
    ahead: BTreeMap<(Instant, u32), (usize, Segment)>,
    count: u32,
    /// Of a thousand segments: lost, marked, late.
    loss: u32,
    marks: u32,
    late: u32,
    delay: Duration,
    /// What the link takes, in octets.
    link: usize,
    /// Whether users take what arrives; of a thousand chances to close, those that they take.
    reads: bool,
    closes: u32,
}

fn algorithm(rng: &mut Rng) -> Algorithm {
    match rng.below(5) {
        0 => Algorithm::Reno(Reno::default()),
        1 => Algorithm::Bbr(Bbr::default()),
        2 => Algorithm::Prague(Prague::default()),
        3 => Algorithm::Cubic(Cubic::default()),
        _ => Algorithm::default(),
    }
}

fn config(rng: &mut Rng) -> Arc<Config> {
    let density = rng.pick(&[0, 0, 100, 300, 500]);
    let mixture = Mixture::draw(rng, density);
    let mut config = settings::config(rng, &mixture, &[536, 1448, 1460, 3000, 65_535]);
    if rng.chance(400) {
        config = config.to_builder().ecn(EcnMode::Accurate).build().unwrap_or(config);
    }
    if rng.chance(400) {
        let (receive, send) = (1 + rng.below(60_000), 1 + rng.below(60_000));
        let small = config.to_builder().receive_buffer(receive).send_buffer(send).window_shift(None).build();
        config = small.unwrap_or(config);
    }
    if rng.chance(200) {
        config = config.to_builder().keep_alive(true).pacing(true).build().unwrap_or(config);
    }
    if rng.chance(500) {
        config = config.to_builder().mtu_probing(true).build().unwrap_or(config);
    }
    Arc::new(config)
}

impl Ends {
    /// The world of a seed, in which one end has opened.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0xE2D5_0F57);
        let rng = &mut rng;
        let configs = [config(rng), config(rng)];
        let ip = rng.pick(&[IpVersion::V4, IpVersion::V6]);
        let least = match ip {
            IpVersion::V4 => 576,
            IpVersion::V6 => 1280,
        };
        let mtu = rng.pick(&[1500, 1500, least, 4000, 9000, 65_535]);
        let secrets = |rng: &mut Rng| Secrets {
            iss: SeqNum::new(rng.pick(&STARTS)),
            ts_offset: rng.pick(&[0, 0x7FFF_FFFF, u32::MAX]),
        };
        let mut ends = Self {
            now: Instant::from_micros(rng.pick(&[0, 1_000_000, 4_294_967_295_000, 1 << 50])),
            ends: [None, None],
            configs,
            paths: [Path { ip, mtu, ip_options: rng.pick(&[0, 0, 0, 40]) }, Path { ip, mtu, ip_options: 0 }],
            secrets: [secrets(rng), secrets(rng)],
            opens_fast: rng.chance(300),
            ahead: BTreeMap::new(),
            count: 0,
            loss: rng.pick(&[0, 20, 100, 300]),
            marks: rng.pick(&[0, 0, 50, 500]),
            late: rng.pick(&[0, 50, 300]),
            delay: rng.pick_micros(&[100, 5000, 20_000, 150_000]),
            link: usize::from(rng.pick(&[least, mtu - mtu / 16, mtu])) + 40,
            reads: rng.chance(700),
            closes: rng.pick(&[0, 100, 1000]),
            rng: rng.clone(),
        };
        ends.open();
        ends
    }

    fn open(&mut self) {
        let (config, path, secrets) = (self.configs[0].clone(), self.paths[0], self.secrets[0]);
        let chosen = algorithm(&mut self.rng);
        let mut actions = vec![];
        if self.rng.chance(300) {
            let listens = algorithm(&mut self.rng);
            self.ends[1] =
                Some(Connection::listen_with(listens, self.configs[1].clone(), self.paths[1], self.secrets[1]));
        } else if self.rng.chance(200) {
            let (connection, actions) =
                Connection::connect(self.configs[1].clone(), self.paths[1], self.secrets[1], self.now);
            self.ends[1] = Some(connection);
            self.carry(1, actions);
        }
        let client = if self.opens_fast {
            let cookie = if self.rng.chance(800) { FastOpenCookie::new(b"a cookie") } else { FastOpenCookie::new(b"") };
            let text = Bytes::from(vec![b'f'; self.rng.below(4000) as usize % (config.send_buffer() as usize + 1)]);
            let open = FastOpen { cookie: cookie.expect("an even number of octets"), mss: Some(path.mss()), text };
            Connection::connect_fast_open_with_into(chosen, config, path, secrets, open, self.now, &mut actions)
                .expect("it is no more than the room")
        } else {
            Connection::connect_with_into(chosen, config, path, secrets, self.now, &mut actions)
        };
        self.ends[0] = Some(client);
        self.carry(0, actions);
    }

    /// The connection of an end, if a SYN has made one.
    pub const fn connection(&self, end: usize) -> Option<&Connection> {
        self.ends[end].as_ref()
    }

    /// Another connection stands in the place of one.
    pub fn replace(&mut self, end: usize, connection: Connection) {
        self.ends[end] = Some(connection);
    }

    /// A call, and what the link makes of what leaves.
    ///
    /// # Panics
    /// Where the actions are more than the bounds of `docs/architecture.md` allow.
    pub fn call(&mut self, end: usize, event: Event) {
        let Some(connection) = &mut self.ends[end] else { return };
        let before = connection.info();
        let mut actions = vec![];
        let _ = connection.handle(event, self.now, &mut actions); // a call that cannot proceed changes nothing
        let most = most_actions(&self.configs[end], &before, &connection.info());
        assert!(actions.len() as u64 <= most, "{} actions, {most} at the most", actions.len());
        self.carry(end, actions);
    }

    fn carry(&mut self, from: usize, actions: Vec<Action>) {
        let segments = actions.into_iter().filter_map(|action| match action {
            Action::Transmit(segment) => Some(segment),
            _ => None,
        });
        for mut segment in segments.flat_map(codec::split) {
            let fits = packet_len(self.paths[from].ip, &segment) <= self.link;
            if !fits || self.rng.chance(self.loss) || self.ahead.len() >= QUEUE {
                continue;
            }
            if segment.ecn != Ecn::NotEct && self.rng.chance(self.marks) {
                segment.ecn = Ecn::Ce;
            }
            let late = if self.rng.chance(self.late) { self.delay * (1 + self.rng.below(3)) } else { Duration::ZERO };
            for _ in 0..if self.rng.chance(self.late / 4) { 2 } else { 1 } {
                self.count += 1;
                self.ahead.insert((self.now + self.delay + late, self.count), (1 - from, segment.clone()));
            }
        }
    }

    fn arrive(&mut self, end: usize, segment: Segment) {
        if self.ends[end].is_some() {
            return self.call(end, Event::Segment(segment));
        }
        if segment.flags & (Flags::SYN | Flags::ACK | Flags::RST) != Flags::SYN {
            return;
        }
        let (config, path, secrets) = (self.configs[end].clone(), self.paths[end], self.secrets[end]);
        let chosen = algorithm(&mut self.rng);
        let answer = FastOpenAnswer { valid: self.rng.chance(700), cookie: FastOpenCookie::new(b"a cookie") };
        let mut actions = vec![];
        let common = (config, path, secrets);
        let made = Connection::accept_fast_open_with_into(chosen, common, segment, answer, self.now, &mut actions);
        self.ends[end] = Some(made);
        self.carry(end, actions);
    }

    /// Time passes: what is under way arrives, timers run when they are due.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..CALLS {
            let arrival = self.ahead.first_key_value().map(|(key, _)| key.0);
            let due = |end: usize| Some((self.ends[end].as_ref()?.next_deadline()?, end));
            let timer = due(0).into_iter().chain(due(1)).min_by_key(|((_, at), _)| *at);
            let first = arrival.into_iter().chain(timer.map(|((_, at), _)| at)).min();
            let Some(at) = first.filter(|at| *at <= until) else {
                self.now = self.now.max(until);
                return;
            };
            self.now = self.now.max(at);
            if arrival == Some(at) {
                let (_, (end, segment)) = self.ahead.pop_first().expect("something is under way");
                self.arrive(end, segment);
            } else if let Some(((timer, _), end)) = timer {
                self.call(end, Event::Timer(timer));
            }
        }
    }

    /// The next of what these connections, their users, hosts and the network do.
    pub fn step(&mut self) {
        let end = self.rng.below(2) as usize;
        match self.rng.below(40) {
            0..=9 => self.sends(end),
            10..=14 if self.reads => self.call(end, Event::Consume(usize::MAX)),
            10..=15 => {
                let some = self.rng.below(3000) as usize;
                self.call(end, Event::Consume(some));
            }
            16 if self.rng.chance(self.closes) => {
                self.call(end, Event::Close);
                if self.rng.chance(600) {
                    self.call(1 - end, Event::Close);
                }
            }
            17 if self.rng.chance(60) => self.call(end, Event::Release),
            18 if self.rng.chance(20) => self.call(end, Event::Abort),
            19 | 20 => {
                let knob = knobs::any(&mut self.rng);
                self.call(end, Event::Set(knob));
            }
            21 if self.rng.chance(300) => {
                let mtu = self.rng.pick(&[576, 1280, 1500, 3000, 9000]);
                self.call(end, Event::Mtu(mtu));
            }
            22 => self.quotes(end),
            23 => {
                let other = algorithm(&mut self.rng);
                let now = self.now;
                let mut actions = vec![];
                if let Some(connection) = self.ends[end].as_mut().filter(|_| self.rng.chance(200)) {
                    connection.replace_controller(other, now, &mut actions);
                }
                self.carry(end, actions);
            }
            24 => self.call(end, Event::Continue),
            25 => {
                let forged = self.forged(end);
                self.call(end, Event::Segment(forged));
            }
            26 => self.loss = self.rng.pick(&[0, 20, 100, 1000]),
            _ => {}
        }
        let time = self.rng.pick_micros(&[0, 100, 3000, 10_000, 40_000, 200_000, 1_000_000]);
        self.pass(time);
    }

    fn sends(&mut self, end: usize) {
        let Some(room) = self.ends[end].as_ref().map(Connection::send_room) else { return };
        let text = Bytes::from(vec![b'x'; room.min(self.rng.below(12_000) as usize)]);
        let event = match self.rng.below(12) {
            0 => Event::SendUrgent(text),
            1 | 2 => Event::SendMore(text),
            _ => Event::Send(text),
        };
        self.call(end, event);
    }

    /// An ICMP error that quotes what is in flight.
    fn quotes(&mut self, end: usize) {
        let Some(info) = self.ends[end].as_ref().map(Connection::info) else { return };
        let kind = self.rng.pick(&[IcmpKind::PacketTooBig, IcmpKind::PacketTooBig, IcmpKind::Unreachable]);
        let mtu = self.rng.pick(&[0, 576, 1280, 1400]);
        self.call(end, Event::Icmp { kind, quoted_seq: info.snd_una, mtu });
    }

    /// A segment that the peer has not sent and might have, as somebody who knows the numbers forges it.
    pub fn forged(&mut self, end: usize) -> Segment {
        let rng = &mut self.rng;
        let Some(info) = self.ends[end].as_ref().map(Connection::info) else { return Segment::default() };
        let within = |rng: &mut Rng, most: u32| rng.below(most.saturating_add(1).max(1));
        let ack = info.snd_una + if rng.chance(400) { info.flight } else { within(rng, info.flight) };
        let ahead = if rng.chance(600) { 0 } else { within(rng, info.rcv_wnd) };
        let mut options = Options::default();
        if rng.chance(700) {
            let value = u32::try_from((self.now.as_micros() / 1000) & 0xFFFF_FFFF).expect("32 bits");
            options.timestamps = Some(Timestamps { value: value.wrapping_add(rng.below(3) * 1000), echo: value });
        }
        if info.flight > 1 && rng.chance(400) {
            let left = info.snd_una + 1 + within(rng, info.flight - 2);
            let right = left + 1 + within(rng, (info.snd_nxt - left).saturating_sub(1));
            options.sack.push(SackBlock { left, right });
        }
        let flags = Flags::ACK
            | match rng.below(20) {
                0 => Flags::FIN,
                1 => Flags::RST,
                2 => Flags::SYN,
                3 => Flags::URG,
                _ => Flags::empty(),
            }
            | rng.pick(&[Flags::empty(), Flags::empty(), Flags::ECE, Flags::CWR, Flags::AE]);
        let text = if rng.chance(500) { within(rng, info.rcv_wnd.min(3000)) as usize } else { 0 };
        Segment {
            seq: info.rcv_nxt + ahead,
            ack,
            flags,
            window: rng.pick(&[0, 1, 1000, 60_000]),
            urgent: if flags.contains(Flags::URG) { within(rng, 3000) as u16 } else { 0 },
            options: options.into(),
            ecn: rng.pick(&[Ecn::NotEct, Ecn::Ce]),
            payload: Bytes::from(vec![b'y'; text]),
            ..Segment::default()
        }
    }
}

/// The most actions of one event: what it transmits, what it delivers, and what it tells.
fn most_actions(config: &Config, before: &Info, after: &Info) -> u64 {
    let mss = after.eff_snd_mss.min(before.eff_snd_mss).max(1);
    let queue = if before.send_queue > after.send_queue { before } else { after };
    let held = before.held_ranges as u64;
    let delivered = bounds::pieces(config, u64::from(before.rcv_buff.max(after.rcv_buff)), held);
    2 * bounds::transmissions(config, queue, mss, 1) + delivered + 64
}
