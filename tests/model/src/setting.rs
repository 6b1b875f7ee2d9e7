//! The configurations by name, each with its bounds.

use std::time::Duration;

use segue::congestion::{Algorithm, Bbr, Prague, Reno};
use segue::{Arc, Config, ConfigBuilder, EcnMode, Flags, Segment};

use crate::end::iss;

/// The steps of each kind that remain.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Bounds {
    /// Segments lost, repeated, overtaken by another, marked.
    pub(crate) losses: u8,
    pub(crate) repetitions: u8,
    pub(crate) overtakings: u8,
    pub(crate) marks: u8,
    /// Timers in time, and seconds late.
    pub(crate) timers: u8,
    pub(crate) late: u8,
    pub(crate) aborts: u8,
    pub(crate) forgeries: u8,
    pub(crate) reboots: u8,
    /// Changes of a setting or of the MTU; arrivals of all at once.
    pub(crate) knobs: u8,
    pub(crate) batches: u8,
}

/// When a user takes delivered text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reads {
    AtOnce,
    /// At any time, all of it.
    All,
    /// At any time, an octet.
    OneByOne,
}

/// How a piece of text is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Pushed,
    More,
    Urgent,
}

/// What an end may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Role {
    /// Connections that it opens, the first one at once, the next when it is over.
    pub(crate) opens: u8,
    /// Connections that its host accepts.
    pub(crate) accepts: u8,
    /// It begins as a value in LISTEN.
    pub(crate) listens: bool,
    /// The pieces of text that its user sends, in octets.
    pub(crate) script: &'static [u8],
    /// They are in turn without PUSH, urgent, and pushed; else all are pushed.
    pub(crate) mixed: bool,
    /// Octets of text that go with its SYN (RFC 7413); 0: it opens without Fast Open.
    pub(crate) early: u8,
    pub(crate) closes: bool,
    pub(crate) releases: bool,
    pub(crate) reads: Reads,
}

const ACTIVE: Role = Role {
    opens: 1,
    accepts: 0,
    listens: false,
    script: &[],
    mixed: false,
    early: 0,
    closes: true,
    releases: false,
    reads: Reads::AtOnce,
};
impl Role {
    /// The piece of this number, in octets.
    pub(crate) fn piece(&self, number: u8) -> (Kind, u16) {
        let kind = match number % 3 {
            0 if self.mixed => Kind::More,
            1 if self.mixed => Kind::Urgent,
            _ => Kind::Pushed,
        };
        (kind, self.script[usize::from(number)].into())
    }
}

const PASSIVE: Role = Role { opens: 0, accepts: 3, ..ACTIVE };

/// A configuration.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) configs: [Arc<Config>; 2],
    pub(crate) controllers: [Algorithm; 2],
    pub(crate) roles: [Role; 2],
    pub(crate) bounds: Bounds,
    /// Segments that the channel holds in each direction; more are lost.
    pub(crate) channel: usize,
    /// The segments under way to each end at the start.
    pub(crate) under_way: [Vec<Segment>; 2],
    /// Two states are the same only if the whole values are, throttles and statistics included; else if they are so for
    /// `canonical`.
    pub(crate) whole: bool,
    /// The invariants of the machine are a law, too.
    pub(crate) invariants: bool,
    /// How far an edge may move left by rounding to the scale.
    pub(crate) rounding: u32,
    /// Timers of the fair schedule that run before the users close.
    pub(crate) idle: u32,
}

const BOUNDS: Bounds = Bounds {
    losses: 1,
    repetitions: 1,
    overtakings: 1,
    marks: 0,
    timers: 3,
    late: 0,
    aborts: 0,
    forgeries: 0,
    reboots: 0,
    knobs: 0,
    batches: 0,
};

/// No option, and nothing that waits: each text is acknowledged at once. Nobody gives up within the bounds.
fn plain() -> ConfigBuilder {
    Config::builder()
        .timestamps(false)
        .window_scaling(false)
        .sack(false)
        .rack(false)
        .ecn(EcnMode::Off)
        .nagle(false)
        .delayed_ack(Duration::ZERO)
        .mtu_probing(false)
        .black_hole_timeouts(0)
        .receive_buffer(4096)
        .user_timeout(Some(Duration::from_secs(120)))
        .connect_timeout(Some(Duration::from_secs(120)))
        .msl(Duration::from_secs(2))
}

fn built(builder: ConfigBuilder) -> Arc<Config> {
    Arc::new(builder.build().expect("the settings are in range"))
}

impl Setting {
    fn new(name: &'static str, about: &'static str, config: ConfigBuilder) -> Self {
        let config = built(config);
        Self {
            name,
            about,
            configs: [config.clone(), config],
            controllers: [Algorithm::default(), Algorithm::default()],
            roles: [Role { script: &[1], ..ACTIVE }, Role { script: &[1], ..PASSIVE }],
            bounds: BOUNDS,
            channel: 4,
            under_way: [Vec::new(), Vec::new()],
            whole: false,
            invariants: true,
            rounding: 0,
            idle: 0,
        }
    }

    /// The congestion controllers of A and of B.
    fn controlled_by(self, a: Algorithm, b: Algorithm) -> Self {
        Self { controllers: [a, b], ..self }
    }

    fn bounds(self, change: impl FnOnce(&mut Bounds)) -> Self {
        let mut bounds = self.bounds;
        change(&mut bounds);
        Self { bounds, ..self }
    }

    fn roles(self, change: impl FnOnce(&mut [Role; 2])) -> Self {
        let mut roles = self.roles;
        change(&mut roles);
        Self { roles, ..self }
    }

    fn scripts(self, a: &'static [u8], b: &'static [u8]) -> Self {
        self.roles(|roles| (roles[0].script, roles[1].script) = (a, b))
    }
}

/// All configurations.
pub(crate) fn all() -> Vec<Setting> {
    let mut list = lives();
    list.extend(windows_and_ends());
    list.extend(options());
    list.extend(features());
    list
}

/// How connections begin and end.
fn lives() -> Vec<Setting> {
    let old_syn = Segment { seq: iss(0, 0) - (1 << 20), flags: Flags::SYN, window: 4096, ..Segment::default() };
    let mut old =
        Setting::new("old-syn", "the SYN of an earlier connection is under way to B (RFC 9293, Figure 8)", plain())
            .bounds(|b| (b.losses, b.timers) = (1, 4));
    old.under_way[1].push(old_syn);
    vec![
        Setting::new("active-passive", "A opens, B accepts; each sends text and closes", plain())
            .scripts(&[1, 2], &[1]),
        Setting::new("both-open", "the SYNs cross (RFC 9293, Figure 7)", plain())
            .roles(|roles| (roles[1].opens, roles[1].accepts) = (1, 0)),
        Setting::new("both-close", "no text, many faults: the two FINs cross or follow each other", plain())
            .scripts(&[], &[])
            .bounds(|b| (b.losses, b.repetitions, b.overtakings, b.timers) = (2, 2, 2, 5)),
        Setting::new(
            "one-fault-each",
            "no text, one fault of each kind, two timers: few enough for all states",
            plain(),
        )
        .scripts(&[], &[])
        .bounds(|b| b.timers = 2),
        Setting::new("one-octet", "an octet from A to B, many faults", plain())
            .scripts(&[1], &[])
            .bounds(|b| (b.losses, b.repetitions, b.overtakings, b.timers) = (2, 2, 2, 5)),
        Setting::new("half-close", "A closes early, B goes on sending", plain()).scripts(&[1], &[2, 1, 1]),
        Setting::new("abort", "either user may abort at any time", plain()).bounds(|b| b.aborts = 2),
        Setting::new("release", "either user may be gone at any time, with text unread", plain())
            .scripts(&[1, 1], &[1])
            .roles(|roles| roles.iter_mut().for_each(|role| (role.releases, role.reads) = (true, Reads::All))),
        Setting::new("listen", "B is a value in LISTEN, and goes back to it when A aborts in the handshake", plain())
            .roles(|roles| (roles[0].opens, roles[1].listens) = (2, true))
            .bounds(|b| b.aborts = 1),
        Setting::new("time-wait", "A opens again while B may be in TIME-WAIT (RFC 6191)", plain())
            .scripts(&[1], &[])
            .roles(|roles| roles[0].opens = 2),
        old,
        Setting::new(
            "reboot",
            "one end forgets the connection, and A opens again (RFC 9293, Figures 9 and 10)",
            plain(),
        )
        .roles(|roles| roles[0].opens = 2)
        .bounds(|b| (b.reboots, b.overtakings) = (1, 0)),
        Setting::new(
            "reboot-narrow",
            "one end forgets the connection, windows of one octet, nobody ever gives up, and no limit of challenge ACKs",
            plain()
                .receive_buffer(1)
                .user_timeout(None)
                .connect_timeout(None)
                .challenge_limit(u16::MAX),
        )
        .scripts(&[2], &[])
        .bounds(|b| (b.reboots, b.losses, b.timers) = (1, 0, 1)),
    ]
}

/// Windows, slow users, hosts, attackers.
fn windows_and_ends() -> Vec<Setting> {
    let slow = |roles: &mut [Role; 2]| roles.iter_mut().for_each(|role| role.reads = Reads::OneByOne);
    let mut keep_alive = Setting::new(
        "keep-alive",
        "both ends ask whether the other is there",
        plain()
            .keep_alive(true)
            .keep_alive_idle(Duration::from_secs(1))
            .keep_alive_interval(Duration::from_secs(1))
            .keep_alive_probes(2),
    )
    .bounds(|b| b.timers = 4);
    keep_alive.idle = 12;
    let mut throttles = Setting::new(
        "throttles",
        "forged segments are steps, and the throttles of challenge ACKs are part of the state",
        plain().challenge_limit(1),
    )
    .scripts(&[], &[])
    .bounds(|b| *b = Bounds { timers: 1, losses: 1, forgeries: 4, ..Bounds::default() });
    throttles.whole = true;
    vec![
        Setting::new(
            "zero-window",
            "buffers of two octets, users that read an octet at a time",
            plain().receive_buffer(2),
        )
        .scripts(&[3, 1], &[1])
        .roles(slow),
        Setting::new(
            "both-windows-closed",
            "two full buffers of one octet, and text in both directions",
            plain().receive_buffer(1),
        )
        .scripts(&[1, 2], &[1, 2])
        .roles(slow)
        .bounds(|b| (b.repetitions, b.timers) = (0, 4)),
        Setting::new(
            "slow-hosts",
            "delayed ACKs, Nagle's algorithm, bursts of one segment, and hosts that are late",
            plain().delayed_ack(Duration::from_millis(40)).quick_acks(0).nagle(true).max_burst(1).max_mss(64),
        )
        .scripts(&[100, 1], &[1])
        .bounds(|b| (b.late, b.repetitions, b.timers) = (2, 0, 3)),
        Setting::new(
            "calls",
            "text without PUSH and urgent text, a cork, an MTU that changes, segments that arrive together",
            plain().nagle(true),
        )
        .scripts(&[1, 1, 1], &[1])
        .roles(|roles| roles[0].mixed = true)
        .bounds(|b| *b = Bounds { losses: 1, timers: 3, knobs: 2, batches: 2, ..Bounds::default() }),
        keep_alive,
        throttles,
    ]
}

/// The options of the SYNs.
fn options() -> Vec<Setting> {
    let mut scaling = Setting::new(
        "scaling",
        "windows in units of 8 octets, of which a user reads one octet at a time",
        plain().window_scaling(true).window_shift(Some(3)).receive_buffer(20),
    )
    .scripts(&[16, 9], &[])
    .roles(|roles| roles[1].reads = Reads::OneByOne)
    .bounds(|b| (b.repetitions, b.timers) = (0, 3));
    scaling.rounding = 7;
    let mut default = Setting::new(
        "default",
        "the default configuration with ECN, all options and algorithms",
        Config::builder().ecn(EcnMode::Active),
    )
    .scripts(&[1, 2], &[1])
    .bounds(|b| (b.marks, b.late) = (1, 1));
    default.rounding = 7;
    vec![
        Setting::new(
            "sack",
            "SACK and DSACK without RACK: holes, repairs, duplicates (RFC 2018, RFC 2883, RFC 6675)",
            plain().sack(true),
        )
        .scripts(&[1, 1, 1, 1], &[])
        .bounds(|b| (b.overtakings, b.timers) = (2, 3)),
        Setting::new("rack", "RACK-TLP: time detects loss (RFC 8985)", plain().sack(true).rack(true))
            .scripts(&[1, 1, 1], &[])
            .bounds(|b| (b.losses, b.timers) = (2, 4)),
        Setting::new("timestamps", "timestamps and PAWS (RFC 7323)", plain().timestamps(true))
            .scripts(&[1, 1], &[1])
            .bounds(|b| (b.late, b.timers) = (1, 3)),
        scaling,
        Setting::new("ecn", "ECN: the network marks (RFC 3168)", plain().ecn(EcnMode::Active))
            .scripts(&[1, 1, 1], &[1])
            .bounds(|b| (b.marks, b.repetitions) = (2, 0)),
        default,
    ]
}

/// What came after RFC 9293 and its options: other controllers, accurate feedback, Fast Open.
fn features() -> Vec<Setting> {
    let bbr = || Algorithm::Bbr(Bbr::default());
    let prague = || Algorithm::Prague(Prague::default());
    let rack = || plain().sack(true).rack(true);
    vec![
        Setting::new("bbr", "BBR at both ends: samples of the rate, pacing", rack())
            .controlled_by(bbr(), bbr())
            .scripts(&[1, 1, 1], &[1])
            .bounds(|b| b.timers = 4),
        Setting::new("prague", "Prague, whose segments the network marks (RFC 9331)", rack().ecn(EcnMode::Accurate))
            .controlled_by(prague(), prague())
            .scripts(&[1, 1, 1], &[1])
            .bounds(|b| (b.marks, b.repetitions, b.timers) = (2, 0, 4)),
        Setting::new(
            "accurate-ecn",
            "accurate feedback (RFC 9768) for CUBIC and NewReno",
            plain().ecn(EcnMode::Accurate),
        )
        .controlled_by(Algorithm::default(), Algorithm::Reno(Reno::default()))
        .scripts(&[1, 1, 1], &[1])
        .bounds(|b| (b.marks, b.repetitions) = (2, 0)),
        // A SYN that the network repeats may open a connection whose peer is gone (RFC 7413 §2.1): nothing is repeated.
        Setting::new("fast-open", "A opens with text on its SYN (RFC 7413)", plain())
            .roles(|roles| roles[0].early = 2)
            .scripts(&[1], &[1, 1])
            .bounds(|b| (b.losses, b.repetitions, b.timers) = (2, 0, 4)),
    ]
}
