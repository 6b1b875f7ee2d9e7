//! Every size, count and time at its extremes, in every setting, knob, event and constructor: no call panics (the tests
//! run with overflow checks), no invariant breaks, no packet exceeds its path.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use quickcheck::{Arbitrary, Gen, QuickCheck};
use segue::congestion::{Acked, Algorithm, Congestion, Controller, Reno};
use segue::{
    Action, Arc, Config, ConfigBuilder, Connection, EcnMode, Event, Flags, IcmpKind, Instant, IpVersion, Knob, Path,
    Secrets, Segment, SeqNum, Timer, codec,
};
use segue_kit::rig::At;
use segue_kit::{Rng, knobs, ms, secs};

/// A value at one end of what its type or its setting can hold.
trait Extreme: Copy {
    type Bound;
    fn extremes(low: Self::Bound, high: Self::Bound) -> Vec<Self>;
}

macro_rules! whole_numbers {
    ($($t:ty)*) => {$(
        impl Extreme for $t {
            type Bound = Self;
            fn extremes(low: Self, high: Self) -> Vec<Self> {
                vec![low, high, 0, 1, Self::MAX]
            }
        }
    )*};
}
whole_numbers!(u8 u16 u32);

impl Extreme for bool {
    type Bound = Self;
    fn extremes(low: Self, high: Self) -> Vec<Self> {
        vec![low, high]
    }
}

impl Extreme for EcnMode {
    type Bound = Self;
    fn extremes(low: Self, high: Self) -> Vec<Self> {
        vec![low, high]
    }
}

impl Extreme for Duration {
    type Bound = Self;
    fn extremes(low: Self, high: Self) -> Vec<Self> {
        vec![low, high, Self::ZERO, Self::from_nanos(1), Self::MAX]
    }
}

impl<T: Extreme<Bound = T>> Extreme for Option<T> {
    type Bound = T;
    fn extremes(low: T, high: T) -> Vec<Self> {
        T::extremes(low, high).into_iter().map(Some).chain([None]).collect()
    }
}

macro_rules! settings {
    ($($name:ident: $t:ty, $range:expr;)*) => {
        const SETTINGS: &[(&str, &str)] = &[$((stringify!($name), stringify!($range))),*];

        /// The builder with this setting at the nth of its extremes; the first two are valid.
        fn set(config: ConfigBuilder, setting: usize, nth: usize) -> ConfigBuilder {
            match SETTINGS[setting].0 {
                $(stringify!($name) => {
                    let (low, high) = ($range).into_inner();
                    let values = <$t as Extreme>::extremes(low, high);
                    config.$name(values[nth % values.len()])
                })*
                name => panic!("no setting {name}"),
            }
        }
    };
}
settings! {
    receive_buffer: u32, 1..=1_073_741_823;
    receive_buffer_initial: u32, 14_600..=1_073_741_823;
    send_buffer: u32, 1..=1_073_741_823;
    send_low_water: Option<u32>, 0..=1_073_741_823;
    max_ranges: u16, 0..=65_535;
    frame_size: u32, 0..=16_777_216;
    copy_below: u16, 64..=65_535;
    max_mss: u16, 64..=65_535;
    max_sent_mss: u16, 64..=65_535;
    min_mss: u16, 48..=536;
    min_mtu: u16, 68..=1500;
    too_big_timeouts: u8, 0..=16;
    black_hole_timeouts: u8, 0..=255;
    black_hole_mtu: u16, 68..=1500;
    mtu_probing: bool, false..=true;
    mtu_probe_max: u16, 0..=65_535;
    mtu_retry: Option<Duration>, secs(300)..=secs(1_000_000);
    window_scaling: bool, false..=true;
    window_shift: Option<u8>, 0..=14;
    timestamps: bool, false..=true;
    tolerate_missing_timestamps: bool, false..=true;
    sack: bool, false..=true;
    dsack: bool, false..=true;
    ecn: EcnMode, EcnMode::Off..=EcnMode::Accurate;
    rack: bool, false..=true;
    max_ack_delay: Duration, ms(0)..=ms(500);
    nagle: bool, false..=true;
    minshall: bool, false..=true;
    sws_override: Duration, ms(100)..=ms(1000);
    delayed_ack: Duration, ms(0)..=ms(499);
    ack_every: u8, 1..=2;
    ack_full_sized: bool, false..=true;
    quick_acks: u8, 0..=255;
    initial_rto: Duration, ms(10)..=secs(60);
    min_rto: Duration, ms(1)..=secs(60);
    max_rto: Duration, secs(60)..=secs(600);
    r1: u8, 3..=255;
    user_timeout: Option<Duration>, secs(1)..=secs(1_000_000);
    user_timeout_option: bool, false..=true;
    user_timeout_lower: Duration, secs(1)..=secs(1_000_000);
    user_timeout_upper: Duration, secs(601)..=secs(1_000_000);
    connect_timeout: Option<Duration>, secs(1)..=secs(1_000_000);
    data_retries: u8, 0..=255;
    syn_retries: u8, 0..=255;
    keep_alive: bool, false..=true;
    keep_alive_idle: Duration, secs(1)..=secs(1_000_000);
    keep_alive_interval: Duration, secs(1)..=secs(1_000_000);
    keep_alive_probes: u8, 2..=255;
    keep_alive_octet: bool, false..=true;
    msl: Duration, ms(0)..=secs(600);
    fin_wait_2: Duration, ms(0)..=secs(1_000_000);
    rfc5961: bool, false..=true;
    challenge_limit: u16, 1..=65_535;
    challenge_window: Duration, ms(1)..=secs(600);
    rfc1337: bool, false..=true;
    time_wait_reuse: bool, false..=true;
    drop_syn_fin: bool, false..=true;
    initial_window: u8, 1..=10;
    preserve_window: Option<Duration>, secs(1)..=secs(300);
    pacing: bool, false..=true;
    pacing_burst: u16, 1..=1000;
    max_burst: u16, 0..=65_535;
    max_transmit: u16, 0..=65_000;
    option_space: u8, 0..=40;
}

/// The table above is that of `Config`.
#[test]
fn every_setting_has_its_extremes() {
    let fields: Vec<_> = Config::fields().iter().map(|field| (field.name, field.range)).collect();
    assert_eq!(SETTINGS, fields);
}

/// Both ends of a range are valid, what lies outside is named, and nothing panics.
#[test]
fn both_ends_of_each_range_are_valid_and_what_lies_outside_is_refused() {
    for (setting, (name, _)) in SETTINGS.iter().enumerate() {
        for end in 0..2 {
            // what bounds the setting gives way
            let wide = set(Config::builder(), setting, end).max_rto(secs(600)).user_timeout_upper(secs(1_000_000));
            let wide = if *name == "max_mss" { wide.min_mss(48) } else { wide };
            let wide = if *name == "send_low_water" { wide.send_buffer(1_073_741_823) } else { wide };
            let wide = if *name == "receive_buffer" { wide.window_shift(None) } else { wide };
            assert!(set(wide, setting, end).build().is_ok() || *name == "user_timeout_upper", "{name}");
        }
        for outside in 2..8 {
            let built = set(Config::builder(), setting, outside).build();
            let valid = set(built.unwrap_or_default().to_builder(), setting, outside).build();
            assert_eq!(built, valid, "{name}");
        }
    }
}

/// What somebody does with two connections that talk to each other.
#[derive(Clone, Debug)]
enum Step {
    /// The first segment on its way to this end arrives, or is lost.
    Arrives,
    Lost,
    /// All that is on its way arrives.
    All,
    Send(usize),
    SendMore(usize),
    SendUrgent(usize),
    Consume(usize),
    Close,
    Release,
    Abort,
    Continue,
    Timer(Timer),
    Next,
    Rearm(u32),
    Set(Knob),
    Mtu(u16),
    /// An error about the segment at SND.UNA, SND.NXT - 1 or SND.NXT.
    Icmp(IcmpKind, u8, u16),
    /// A segment whose fields are as large as they can be, at RCV.NXT.
    Huge(Flags, u16),
    Clock(Clock),
}

#[derive(Clone, Copy, Debug)]
enum Clock {
    Later(Duration),
    At(u64),
}

#[derive(Clone, Debug)]
struct Story {
    /// Settings by number, each at one of its extremes, for both ends.
    settings: [Vec<(usize, usize)>; 2],
    paths: [Path; 2],
    iss: [u32; 2],
    start: u64,
    /// 0: a listening end; 1: accepts; 2: both connect.
    opening: u8,
    steps: Vec<(usize, Step)>,
}

fn pick<T: Clone>(g: &mut Gen, values: &[T]) -> T {
    g.choose(values).expect("some").clone()
}

fn duration(g: &mut Gen) -> Duration {
    let micros = Duration::from_micros;
    let far = [
        micros(1 << 58),
        micros((1 << 58) + 1),
        micros(1 << 62),
        micros(u64::MAX),
        micros(u64::MAX - 1),
        Duration::MAX,
    ];
    let near = [Duration::ZERO, Duration::from_nanos(1), micros(1), ms(1), ms(40), secs(1), secs(7200)];
    if bool::arbitrary(g) { pick(g, &far) } else { pick(g, &near) }
}

fn size(g: &mut Gen) -> usize {
    pick(g, &[0, 1, 2, 1000, 4000, 20_000])
}

fn flags(g: &mut Gen) -> Flags {
    Flags::from_bits_truncate(u16::arbitrary(g)) | pick(g, &[Flags::ACK, Flags::ACK, Flags::empty()])
}

fn knob(g: &mut Gen) -> Knob {
    match u8::arbitrary(g) % 8 {
        0 => Knob::Nagle(bool::arbitrary(g)),
        1 => Knob::Cork(bool::arbitrary(g)),
        2 => Knob::KeepAlive(bool::arbitrary(g)),
        3 => Knob::KeepAliveIdle(duration(g)),
        4 => Knob::ReceiveBuffer(pick(g, &[0, 1, 1000, u32::MAX])),
        5 => knobs::any(&mut Rng::new(u64::arbitrary(g))),
        _ => Knob::UserTimeout(if u8::arbitrary(g) % 4 == 0 { None } else { Some(duration(g)) }),
    }
}

fn icmp(g: &mut Gen) -> IcmpKind {
    pick(
        g,
        &[
            IcmpKind::PacketTooBig,
            IcmpKind::PacketTooBig,
            IcmpKind::PortUnreachable,
            IcmpKind::SourceQuench,
            IcmpKind::TimeExceeded,
        ],
    )
}

/// Half of the kinds of steps are off in each story: what ends connections leaves room for the rest.
fn step(g: &mut Gen, kinds: &[u8]) -> Step {
    let mtus = [0, 1, 67, 68, 69, 108, 576, 1279, 1280, 1500, u16::MAX];
    match pick(g, kinds) {
        0 => Step::Arrives,
        1 => Step::Lost,
        2 => Step::Send(size(g)),
        3 => Step::SendMore(size(g)),
        4 => Step::SendUrgent(size(g)),
        5 => Step::Consume(pick(g, &[0, 1, 1000, usize::MAX])),
        6 => pick(g, &[Step::Close, Step::Release]),
        7 => pick(g, &[Step::Abort, Step::Close]),
        8 => Step::Continue,
        9 => Step::Timer(pick(g, &Timer::ALL)),
        10 => Step::Next,
        11 => Step::Rearm(pick(g, &[0, 1, u32::MAX])),
        12 => Step::Set(knob(g)),
        13 => Step::Mtu(pick(g, &mtus)),
        14 => Step::Icmp(icmp(g), pick(g, &[0, 1, 2]), pick(g, &mtus)),
        15 => Step::Huge(flags(g), pick(g, &[0, 1, u16::MAX])),
        16 => Step::Clock(Clock::At(pick(g, &[0, 1, 1 << 58, 1 << 62, u64::MAX]))),
        17 => Step::Clock(Clock::Later(duration(g))),
        _ => Step::All,
    }
}

impl Arbitrary for Story {
    fn arbitrary(g: &mut Gen) -> Self {
        let kinds: Vec<u8> = (0..18).filter(|_| bool::arbitrary(g)).chain([2, 10, 18, 18]).collect();
        let settings = |g: &mut Gen| {
            let many = pick(g, &[0, 1, 5, 20, 58]);
            (0..many).map(|_| (usize::arbitrary(g) % SETTINGS.len(), usize::arbitrary(g) % 6)).collect()
        };
        let path = |g: &mut Gen| Path {
            ip: pick(g, &[IpVersion::V4, IpVersion::V6]),
            mtu: pick(g, &[0, 1, 68, 576, 1280, 1500, u16::MAX]),
            ip_options: pick(g, &[0, 0, 1, 40, 41, 1180, 1181, u16::MAX]),
        };
        Self {
            settings: [settings(g), settings(g)],
            paths: [path(g), path(g)],
            iss: [pick(g, &[0, 1, u32::MAX, 1 << 31]), u32::arbitrary(g)],
            start: pick(g, &[0, 1, 1 << 40, (1 << 58) - 1, 1 << 58, 1 << 62, u64::MAX]),
            opening: u8::arbitrary(g) % 3,
            steps: (0..80).map(|_| (usize::arbitrary(g) % 2, step(g, &kinds))).collect(),
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let story = self.clone();
        let steps = (0..story.steps.len()).map({
            let story = story.clone();
            move |i| {
                let mut shorter = story.clone();
                shorter.steps.remove(i);
                shorter
            }
        });
        let settings = (0..2).flat_map(move |end| {
            let story = story.clone();
            (0..story.settings[end].len()).map(move |i| {
                let mut plainer = story.clone();
                plainer.settings[end].remove(i);
                plainer
            })
        });
        Box::new(steps.chain(settings))
    }
}

/// The settings that can be built, one after the other.
fn config(settings: &[(usize, usize)]) -> Config {
    settings.iter().fold(Config::default(), |config, &(setting, nth)| {
        set(config.to_builder(), setting, nth).build().unwrap_or(config)
    })
}

struct World<C: Controller> {
    ends: [Connection<C>; 2],
    paths: [Path; 2],
    wires: [VecDeque<Segment>; 2],
    /// The largest packet that each end may try: what the host told of its path, or what probes may reach.
    widest: [u16; 2],
    /// The least text that a segment has room for: 16 octets beside timestamps, or what the least MSS of a peer leaves.
    least: [u16; 2],
    now: u64,
    /// The latest time that each end was told.
    latest: [u64; 2],
}

impl<C: Controller> World<C> {
    fn new(story: &Story, controller: &C) -> Self {
        let arcs = [0, 1].map(|end| Arc::new(config(&story.settings[end])));
        let least = [0, 1].map(|end| {
            let path: &Path = &story.paths[end];
            let most = if path.ip == IpVersion::V4 { 40 } else { 1180 };
            arcs[end]
                .min_mss()
                .min(arcs[end].max_sent_mss())
                .saturating_sub(
                    path.ip_options.min(most) + u16::from(arcs[end].option_space()).next_multiple_of(4) + 12,
                )
                .clamp(1, 16)
        });
        let secrets = story.iss.map(|iss| Secrets { iss: SeqNum::new(iss), ts_offset: iss.rotate_left(1) });
        let now = Instant::from_micros(story.start);
        let connect = |end: usize| {
            Connection::connect_with(controller.clone(), arcs[end].clone(), story.paths[end], secrets[end], now)
        };
        let (first, actions) = connect(0);
        let syn = actions.iter().find_map(|action| match action {
            Action::Transmit(syn) => Some(syn.clone()),
            _ => None,
        });
        let (second, answers) = match (story.opening, syn) {
            (0, _) => {
                let listening =
                    Connection::listen_with(controller.clone(), arcs[1].clone(), story.paths[1], secrets[1]);
                (listening, Vec::new())
            }
            (1, Some(syn)) => {
                Connection::accept_with(controller.clone(), arcs[1].clone(), story.paths[1], secrets[1], syn, now)
            }
            _ => connect(1),
        };
        let mut world = Self {
            ends: [first, second],
            paths: story.paths,
            wires: [VecDeque::new(), VecDeque::new()],
            widest: [0, 1].map(|end| story.paths[end].mtu.max(arcs[end].mtu_probe_max())),
            least,
            now: story.start,
            latest: [story.start, if story.opening == 0 { 0 } else { story.start }],
        };
        if story.opening != 1 {
            world.takes(0, actions);
        }
        world.takes(1, answers);
        world
    }

    fn takes(&mut self, end: usize, actions: Vec<Action>) {
        for action in actions {
            if let Action::Transmit(segment) = action {
                self.fits(end, &segment);
                self.wires[1 - end].extend(codec::split(segment));
            }
        }
        self.ends[end].check_invariants();
        drop(self.ends[end].canonical(Instant::from_micros(self.now)));
        let mss = self.ends[end].info().eff_snd_mss; // 0 before the SYNs are here
        assert!(mss == 0 || mss >= self.least[end], "segments of {mss} octets");
    }

    /// No segment exceeds what a packet can be, and text comes in pieces worth a packet.
    fn fits(&self, end: usize, segment: &Segment) {
        let path = &self.paths[end];
        let (most, least_mtu) = match path.ip {
            IpVersion::V4 => (40, 68),
            IpVersion::V6 => (1180, 1280),
        };
        let ip_options = usize::from(path.ip_options.min(most));
        let size = match segment.segment_size {
            0 => segment.payload.len(),
            size => usize::from(size),
        };
        let room = usize::from(self.widest[end].max(self.ends[end].info().path_mtu).max(least_mtu));
        let packet = usize::from(path.ip.header()) + ip_options + 20 + segment.options.wire_len() + size;
        let tiny = size <= 28 && segment.options.wire_len() <= 40;
        assert!(packet <= room || tiny, "{packet} octets on a path of {room}: {segment}");
    }

    fn event(&mut self, end: usize, event: Event) {
        let fired = matches!(event, Event::Timer(_));
        let mut actions = Vec::new();
        match self.ends[end].handle(event, Instant::from_micros(self.now), &mut actions) {
            Ok(()) => self.latest[end] = self.latest[end].max(self.now),
            Err(error) => assert_eq!(actions, [], "{error} and yet it does something"),
        }
        self.takes(end, actions);
        let clock = Instant::from_micros(self.latest[end].min(1 << 58));
        let next = self.ends[end].next_deadline();
        assert!(!fired || next.is_none_or(|(_, at)| at > clock), "{next:?} is due at {clock}");
    }

    fn does(&mut self, end: usize, step: &Step) {
        let info = self.ends[end].info();
        let text = |octets: usize| Bytes::from(vec![b'x'; octets]);
        match *step {
            Step::Arrives => {
                if let Some(segment) = self.wires[end].pop_front() {
                    self.event(end, Event::Segment(segment));
                }
            }
            Step::Lost => drop(self.wires[end].pop_front()),
            Step::All => {
                for _ in 0..40 {
                    self.does(end, &Step::Arrives);
                    self.does(1 - end, &Step::Arrives);
                }
            }
            Step::Send(octets) => self.event(end, Event::Send(text(octets.min(self.ends[end].send_room())))),
            Step::SendMore(octets) => self.event(end, Event::SendMore(text(octets))),
            Step::SendUrgent(octets) => self.event(end, Event::SendUrgent(text(octets))),
            Step::Consume(octets) => self.event(end, Event::Consume(octets)),
            Step::Close => self.event(end, Event::Close),
            Step::Release => self.event(end, Event::Release),
            Step::Abort => self.event(end, Event::Abort),
            Step::Continue => self.event(end, Event::Continue),
            Step::Timer(timer) => self.event(end, Event::Timer(timer)),
            Step::Next => {
                if let Some((timer, at)) = self.ends[end].next_deadline() {
                    self.now = self.now.max(at.as_micros());
                    self.event(end, Event::Timer(timer));
                }
            }
            Step::Rearm(iss) => {
                self.event(end, Event::Rearm(Secrets { iss: SeqNum::new(iss), ts_offset: u32::MAX }));
            }
            Step::Set(knob) => self.event(end, Event::Set(knob)),
            Step::Mtu(mtu) => {
                self.widest[end] = self.widest[end].max(mtu);
                self.event(end, Event::Mtu(mtu));
            }
            Step::Icmp(kind, place, mtu) => {
                let quoted_seq = [info.snd_una, info.snd_nxt - 1, info.snd_nxt][usize::from(place)];
                self.event(end, Event::Icmp { kind, quoted_seq, mtu });
            }
            Step::Huge(flags, number) => self.event(end, Event::Segment(huge(&info, flags, number))),
            Step::Clock(Clock::Later(time)) => {
                self.now = (Instant::from_micros(self.now) + time).as_micros();
            }
            Step::Clock(Clock::At(now)) => self.now = now,
        }
    }
}

/// A segment at RCV.NXT that acknowledges all, with every field and option at `number`.
fn huge(info: &segue::Info, flags: Flags, number: u16) -> Segment {
    let wide = u32::from(number) | u32::from(number) << 16;
    let byte = number.to_le_bytes()[0];
    let mut sack = segue::SackBlocks::default();
    sack.push(segue::SackBlock { left: info.snd_una + wide, right: info.snd_nxt + wide });
    Segment {
        seq: info.rcv_nxt,
        ack: info.snd_nxt,
        flags,
        window: number,
        urgent: number,
        segment_size: number,
        options: segue::Options {
            mss: Some(number),
            window_scale: Some(byte),
            sack_permitted: true,
            timestamps: Some(segue::Timestamps { value: wide, echo: wide }),
            user_timeout: Some(number),
            sack,
            ..segue::Options::default()
        }
        .into(),
        payload: vec![b'h'; usize::from(number)].into(),
        ..Segment::default()
    }
}

fn plays<C: Controller>(story: &Story, controller: &C) {
    let mut world = World::new(story, controller);
    for (end, step) in &story.steps {
        world.does(*end, step);
    }
}

/// An embedder's controller that says one thing always.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Stubborn {
    window: u32,
    ssthresh: u32,
    rate: Option<u64>,
    proportional: bool,
}

impl Controller for Stubborn {
    fn start(&mut self, _mss: u32, _initial: u32, _now: Instant) {}
    fn on_ack(&mut self, _acked: &Acked) {}
    fn on_congestion(&mut self, _congestion: &Congestion) {}
    fn window(&self) -> u32 {
        self.window
    }
    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }
    fn pacing_rate(&self) -> Option<u64> {
        self.rate
    }
    fn reduces_proportionally(&self) -> bool {
        self.proportional
    }
}

#[derive(Clone, Debug)]
struct WithStubborn(Story, Stubborn);

impl Arbitrary for WithStubborn {
    fn arbitrary(g: &mut Gen) -> Self {
        let wide = [0, 1, 1000, u32::MAX];
        let stubborn = Stubborn {
            window: pick(g, &wide),
            ssthresh: pick(g, &wide),
            rate: pick(g, &[None, Some(0), Some(1), Some(1_000_000), Some(u64::MAX)]),
            proportional: bool::arbitrary(g),
        };
        Self(Story::arbitrary(g), stubborn)
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let stubborn = self.1.clone();
        Box::new(self.0.shrink().map(move |story| Self(story, stubborn.clone())))
    }
}

const STORIES: u64 = 1500;

#[test]
fn no_call_panics_at_any_extreme() {
    fn property(story: Story) {
        plays(&story, &Algorithm::default());
        plays(&story, &Algorithm::Reno(Reno::default()));
    }
    QuickCheck::new().tests(STORIES).quickcheck(property as fn(Story));
}

#[test]
fn no_call_panics_whatever_the_controller_says() {
    fn property(story: WithStubborn) {
        plays(&story.0, &story.1);
    }
    QuickCheck::new().tests(STORIES).quickcheck(property as fn(WithStubborn));
}

// The inputs that did.

#[test]
fn a_user_timeout_of_any_length_goes_with_keep_alives() {
    let mut rig = At::default().with(|config| config.user_timeout_option(true).keep_alive(true)).established();
    for (limit, keep_alive) in [
        (secs(1), Some(secs(7200))),
        (secs(7200), Some(secs(7201))),
        (Duration::MAX, None), // later than any instant
        (Duration::from_micros(u64::MAX), None),
        (Duration::from_micros(1 << 62), None),
    ] {
        rig.does(Event::Set(Knob::UserTimeout(Some(limit))));
        assert_eq!(rig.until(Timer::KeepAlive), keep_alive, "{limit:?}");
    }
    rig.send(1);
    assert_eq!((rig.until(Timer::Retransmit), rig.until(Timer::UserTimeout)), (Some(secs(1)), None));
    assert_eq!(rig.pass(secs(1_000_000)).pop().expect("a timer").1, "<SEQ=1><ACK=1><DATA=1><CTL=PSH,ACK>");
    rig.does(Event::Set(Knob::UserTimeout(None)));
    rig.arrives(rig.ack(1, 2));
    rig.does(Event::Set(Knob::KeepAliveIdle(Duration::MAX)));
    assert_eq!(rig.until(Timer::KeepAlive), None);
}

/// The lengths of the segments of 100 octets of text on this path.
fn lengths(path: Path, timestamps: bool) -> (u16, Vec<usize>) {
    let config = Config::builder().timestamps(timestamps).nagle(false).build().expect("valid");
    let secrets = Secrets { iss: SeqNum::new(1), ts_offset: 0 };
    let now = Instant::ZERO;
    let (mut tcp, _) = Connection::connect(Arc::new(config), path, secrets, now);
    let options = segue::Options {
        mss: Some(1460),
        timestamps: timestamps.then_some(segue::Timestamps { value: 1, echo: 0 }),
        ..segue::Options::default()
    };
    let flags = Flags::SYN | Flags::ACK;
    let syn_ack =
        Segment { ack: SeqNum::new(2), flags, window: u16::MAX, options: options.into(), ..Segment::default() };
    tcp.handle_segment(syn_ack, now);
    let mut text = Bytes::from(vec![b'.'; 100_000]);
    let sent = tcp.send(&mut text, now).expect("established");
    let lengths: Vec<usize> = sent
        .iter()
        .filter_map(|action| if let Action::Transmit(segment) = action { Some(segment.payload.len()) } else { None })
        .collect();
    (tcp.info().path_mtu, lengths[..3].to_vec())
}

/// MUST-16, within what an IP header can hold.
#[test]
fn more_ip_options_than_a_header_holds_count_as_all_it_holds() {
    for ip_options in [40, 41, u16::MAX] {
        let path = Path { ip_options, ..Path::ipv4(1500) };
        assert_eq!(lengths(path, false), (1500, vec![1420; 3]));
        assert_eq!(lengths(path, true), (1500, vec![1408; 3]));
    }
    for ip_options in [1180, 1181, u16::MAX] {
        assert_eq!(lengths(Path { ip_options, ..Path::ipv6(1500) }, false), (1500, vec![260; 3]));
    }
}

/// RFC 791 §3.2: a link carries 68 octets, a header of 60 and 8 of a fragment. TCP beside 40 octets of options needs more,
/// so IP cuts; a segment is as large as it would be without them, not one octet.
#[test]
fn the_narrowest_path_takes_as_much_text_with_ip_options_as_without() {
    for (ip_options, mtu) in [(0, 68), (12, 68), (12, 80), (40, 0), (40, 68), (40, 108)] {
        let path = Path { ip_options, ..Path::ipv4(mtu) };
        assert_eq!(lengths(path, false), (mtu.max(68), vec![28; 3]));
        assert_eq!(lengths(path, true), (mtu.max(68), vec![16; 3]));
    }
    let path = Path { ip_options: 1180, ..Path::ipv6(0) };
    assert_eq!(lengths(path, false), (1280, vec![40; 3]));
    assert_eq!(lengths(path, true), (1280, vec![28; 3]));
}
