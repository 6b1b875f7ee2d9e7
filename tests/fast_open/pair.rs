//! Two ends with Fast Open over a link that loses, doubles and delays: nothing is lost, nothing comes twice, and the
//! answer is a round trip earlier where nothing happens.

use std::time::Duration;

use segue::{Action, Config, ConfigBuilder, Event, FastOpen, FastOpenAnswer, FastOpenCookie, Instant, Segment, codec};
use segue_kit::pair::{Next, Pair};
use segue_kit::rig::At;
use segue_kit::streams::text;
use segue_kit::{Rng, ms, plain, secs};

use super::{VALID, cookie};

const CLIENT: usize = 0;
const SERVER: usize = 1;
/// From one end to the other.
const DELAY: Duration = ms(20);

/// What happens to a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Arrives,
    Lost,
    Late(Duration),
    Twice,
}

/// An end's user.
struct User {
    got: Vec<u8>,
    /// When the last text came.
    got_at: Instant,
    /// Octets that it has still to write.
    queue: usize,
    written: usize,
    connected: u32,
    sent: usize,
}

struct World<'a> {
    pair: Pair,
    users: [User; 2],
    /// The fate of a packet, by its end and its number.
    fates: Box<dyn FnMut(usize, usize) -> Fate + 'a>,
    answer: FastOpenAnswer,
    accepted: bool,
}

fn at(iss: u32, config: ConfigBuilder, start: Instant) -> At {
    At { iss, config: config.build().expect("valid"), start, ..At::default() }
}

impl<'a> World<'a> {
    /// The client's SYN leaves; each end's user has this number of octets to say, the client's those of `open` first.
    fn new(
        configs: [ConfigBuilder; 2],
        (open, answer): (FastOpen, FastOpenAnswer),
        octets: [usize; 2],
        fates: impl FnMut(usize, usize) -> Fate + 'a,
    ) -> Self {
        let start = Instant::from_secs(5);
        let on_open = open.text.len();
        let client = at(u32::MAX - 100, configs[CLIENT], start).connect_fast_open(open);
        let server = at(77, configs[SERVER], start).listen();
        let syn = client.last.clone();
        let user = |queue, written| User { got: Vec::new(), got_at: start, queue, written, connected: 0, sent: 0 };
        let users = [user(octets[CLIENT] - on_open, on_open), user(octets[SERVER], 0)];
        let pair = Pair::new([client, server]);
        let mut world = Self { pair, users, fates: Box::new(fates), answer, accepted: false };
        world.carry_out(CLIENT, syn);
        world
    }

    fn transmit(&mut self, from: usize, segment: Segment) {
        let fate = (self.fates)(from, self.users[from].sent);
        self.users[from].sent += 1;
        let at = self.pair.now + DELAY;
        match fate {
            Fate::Lost => {}
            Fate::Arrives => self.pair.plan(at, 1 - from, segment),
            Fate::Late(time) => self.pair.plan(at + time, 1 - from, segment),
            Fate::Twice => {
                self.pair.plan(at, 1 - from, segment.clone());
                self.pair.plan(at + ms(1), 1 - from, segment);
            }
        }
    }

    fn carry_out(&mut self, end: usize, actions: Vec<Action>) {
        let mut read = 0;
        for action in actions {
            match action {
                Action::Transmit(segment) => codec::split(segment).for_each(|piece| self.transmit(end, piece)),
                Action::Deliver(text) => {
                    let user = &mut self.users[end];
                    user.got.extend_from_slice(&text);
                    user.got_at = self.pair.now;
                    read += text.len();
                }
                Action::Connected => self.users[end].connected += 1,
                Action::Closed(reason) => panic!("{end}: {reason:?} at {}", self.pair.now),
                _ => {}
            }
        }
        if read > 0 {
            let actions = self.pair.call(end, Event::Consume(read));
            self.carry_out(end, actions);
        }
        self.write(end);
    }

    /// The user writes what there is room for.
    fn write(&mut self, end: usize) {
        let user = &mut self.users[end];
        let room = self.pair.ends[end].connection.send_room().min(user.queue);
        if room > 0 && user.connected > 0 {
            let next = text(user.written + room).slice(user.written..);
            (user.queue, user.written) = (user.queue - room, user.written + room);
            let actions = self.pair.call(end, Event::Send(next));
            self.carry_out(end, actions);
        }
    }

    /// The first SYN that arrives opens the server.
    fn accept(&mut self, syn: Segment) {
        self.accepted = true;
        let config = self.pair.ends[SERVER].at.config.to_builder();
        let answer = if syn.options.fast_open().is_some() { self.answer } else { FastOpenAnswer::default() };
        self.pair.ends[SERVER] = at(77, config, self.pair.now).accept_fast_open(syn, answer);
        let actions = self.pair.ends[SERVER].last.clone();
        self.carry_out(SERVER, actions);
    }

    /// All text of both arrives, once and in order.
    #[track_caller]
    fn run(&mut self, octets: [usize; 2], limit: Duration) {
        let end = self.pair.now + limit;
        let missing = |world: &Self| (0..2).any(|side| world.users[side].got.len() < octets[1 - side]);
        while missing(self) {
            let Some(next) = self.pair.next(end) else { break };
            let (side, event) = match next {
                Next::Arrives(SERVER, syn) if !self.accepted => {
                    self.accept(syn);
                    continue;
                }
                Next::Arrives(side, segment) => (side, Event::Segment(segment)),
                Next::Due(side, timer) => (side, Event::Timer(timer)),
            };
            let actions = self.pair.call(side, event);
            self.carry_out(side, actions);
        }
        for side in 0..2 {
            assert!(self.users[side].got == text(octets[1 - side]), "{side}: {} octets", self.users[side].got.len());
            assert_eq!(self.users[side].connected, 1, "{side}");
        }
    }
}

fn open(octets: usize) -> FastOpen {
    FastOpen { cookie: cookie(), mss: Some(1460), text: text(octets) }
}

/// The first request and its answer take one round trip; with an ordinary handshake they take two.
#[test]
fn the_answer_comes_a_round_trip_earlier() {
    for (answer, trips) in [(VALID, 1), (FastOpenAnswer::default(), 2)] {
        let octets = [100, 1000];
        let mut world = World::new([plain(), plain()], (open(100), answer), octets, |_, _| Fate::Arrives);
        let start = world.pair.now;
        world.run(octets, secs(10));
        assert_eq!(world.users[CLIENT].got_at.saturating_since(start), 2 * trips * DELAY);
    }
}

/// Every combination of what happens to the first packets of both ends, with texts around the size of a segment, valid
/// cookies and others.
#[test]
fn whatever_happens_to_the_first_packets_nothing_is_lost_and_nothing_comes_twice() {
    let fates = [Fate::Arrives, Fate::Lost, Fate::Late(ms(1500)), Fate::Twice];
    let config = |all: bool| if all { all_options() } else { plain() };
    for fate in 0..4usize.pow(4) {
        let of = |from: usize, nth: usize| {
            if nth < 2 { fates[(fate >> (2 * (2 * from + nth))) & 3] } else { Fate::Arrives }
        };
        for (which, octets) in [0, 1, 1447, 1460, 1461, 5000].into_iter().enumerate() {
            let answer = FastOpenAnswer { valid: (fate + which) % 3 > 0, cookie: (fate % 2 == 0).then(cookie) };
            let (rich, back) = (which % 2 == 0, octets + 10);
            let mut world = World::new([config(rich), config(true)], (open(octets), answer), [octets, back], of);
            world.run([octets, back], secs(60));
        }
    }
}

fn all_options() -> ConfigBuilder {
    plain().timestamps(true).sack(true).window_scaling(true).user_timeout_option(true)
}

/// Links that lose any packet, double and delay some; users of any appetite; cookies and MSS of any kind.
#[test]
fn any_pair_over_any_link_transfers_all() {
    for seed in 0..600 {
        let mut rng = Rng::new(seed);
        let mut config = || {
            Config::builder()
                .timestamps(rng.chance(500))
                .sack(rng.chance(700))
                .window_scaling(rng.chance(700))
                .nagle(rng.chance(500))
                .pacing(rng.chance(300))
                .drop_syn_fin(rng.chance(500))
                .receive_buffer(2000 + rng.below(100_000))
                .send_buffer(8192 + rng.below(100_000))
                .user_timeout(None)
                .connect_timeout(None)
        };
        let configs = [config(), config()];
        let text_on_open = rng.below(8192) as usize;
        let cookie = FastOpenCookie::new(&[7; 16][..[0, 4, 8, 16][rng.below(4) as usize]]).expect("a valid length");
        let mss = rng.chance(700).then(|| 64 + rng.below(9000) as u16);
        let open = FastOpen { cookie, mss, text: text(text_on_open) };
        let give = rng.chance(500).then_some(cookie);
        let answer = FastOpenAnswer { valid: rng.chance(700) && !cookie.as_slice().is_empty(), cookie: give };
        let octets = [text_on_open + rng.below(20_000) as usize, rng.below(30_000) as usize];
        let loss = rng.below(300);
        let fates = move |_, nth| match rng.below(1000) {
            n if nth > 60 || n > loss + 200 => Fate::Arrives,
            n if n < loss => Fate::Lost,
            n if n % 2 == 0 => Fate::Twice,
            n => Fate::Late(Duration::from_micros(u64::from(n) * 700)),
        };
        World::new(configs, (open, answer), octets, fates).run(octets, secs(1200));
    }
}

/// A server without Fast Open keeps the text of the SYN until the handshake is complete, and acknowledges it then, though
/// the client's window has let less go again.
#[test]
fn a_server_may_keep_the_text_and_acknowledge_it_with_the_handshake() {
    for (mss, window) in [(1460, 1), (64, 1), (536, 10)] {
        let client = plain().initial_window(window).timestamps(true).sack(true);
        let server = plain().max_mss(mss);
        let octets = [1400, 10];
        let mut world =
            World::new([client, server], (open(1400), FastOpenAnswer::default()), octets, |_, _| Fate::Arrives);
        world.run(octets, secs(20));
    }
}
