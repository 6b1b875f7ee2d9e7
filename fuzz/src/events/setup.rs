//! Where an input starts: configuration, path, numbers, the peer's options, and a state reached by legitimate events.

use arbitrary::{Arbitrary as _, Unstructured};
use segue::{
    Action, Arc, Config, Connection, Event, Flags, Instant, IpVersion, Options, Path, Secrets, Segment, SeqNum, State,
    Timestamps,
};
use segue_kit::settings;

use super::super::features::Features;
use super::Reader;
use super::metered::Metered;
use super::watched::Watched;

/// The state in which the steps begin, with how it was reached where that matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Start {
    /// Passive OPEN by `accept`.
    Established,
    /// Active OPEN.
    EstablishedActive,
    /// No connection any more.
    Closed,
    /// Passive OPEN.
    Listen,
    /// Active OPEN, no answer yet.
    SynSent,
    /// From LISTEN.
    SynReceivedListen,
    /// By `accept`.
    SynReceivedAccept,
    /// From SYN-SENT: simultaneous open.
    SynReceivedActive,
    /// CLOSE.
    FinWait1,
    /// CLOSE, acknowledged.
    FinWait2,
    /// The peer's FIN.
    CloseWait,
    /// Both FINs crossed.
    Closing,
    /// The peer's FIN, then CLOSE.
    LastAck,
    /// CLOSE, acknowledged, then the peer's FIN.
    TimeWait,
}

impl Start {
    /// All of them, at the index that their octet gives.
    pub const ALL: [Self; 14] = [
        Self::Established,
        Self::EstablishedActive,
        Self::Closed,
        Self::Listen,
        Self::SynSent,
        Self::SynReceivedListen,
        Self::SynReceivedAccept,
        Self::SynReceivedActive,
        Self::FinWait1,
        Self::FinWait2,
        Self::CloseWait,
        Self::Closing,
        Self::LastAck,
        Self::TimeWait,
    ];

    /// The state it names.
    pub fn state(self) -> State {
        match self {
            Self::Established | Self::EstablishedActive => State::Established,
            Self::Closed => State::Closed,
            Self::Listen => State::Listen,
            Self::SynSent => State::SynSent,
            Self::SynReceivedListen | Self::SynReceivedAccept | Self::SynReceivedActive => State::SynReceived,
            Self::FinWait1 => State::FinWait1,
            Self::FinWait2 => State::FinWait2,
            Self::CloseWait => State::CloseWait,
            Self::Closing => State::Closing,
            Self::LastAck => State::LastAck,
            Self::TimeWait => State::TimeWait,
        }
    }
}

/// ISS and IRS: the places where sequence arithmetic turns, and just before them.
pub(crate) const NUMBERS: [u32; 8] =
    [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX, 0x7FFF_FC00, u32::MAX - 1000, 0x1234_5678];

/// The first part of an input.
#[derive(Clone, Debug)]
pub struct Setup {
    features: Features,
    start: Start,
    config: Arc<Config>,
    path: Path,
    iss: SeqNum,
    irs: SeqNum,
    peer: Options,
    /// The window of the peer's SYN.
    window: u16,
}

impl Setup {
    /// The octets of a setup with the default configuration, for scripts.
    pub fn octets(start: Start, iss: u8, irs: u8) -> [u8; 4] {
        [start as u8, iss << 4 | irs, 0, 0]
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Self {
        let features = Features::read(input);
        let start = Start::ALL[usize::from(input.u8()) % Start::ALL.len()];
        let numbers = input.u8();
        let number = |i: u8| SeqNum::new(NUMBERS[usize::from(i & 7)]);
        let options = input.u8();
        let choice = input.u8();
        let config = features.configure(config(choice, input).to_builder()).build().expect("as valid as before");
        let mut peer = peer_options(options);
        if options & 0x40 != 0 {
            (peer.window_scale, peer.mss) = (Some(input.u8() & 15), Some(input.u16()));
        }
        let window = if options & 0x80 == 0 { u16::MAX } else { input.u16() };
        let path = if choice & 0x20 != 0 {
            any_path(input)
        } else if choice & 0x10 == 0 {
            Path::ipv4(1500)
        } else {
            Path { ip_options: 8, ..Path::ipv6(1280) }
        };
        let (iss, irs) = (number(numbers >> 4), number(numbers));
        Self { features, start, config: Arc::new(config), path, iss, irs, peer, window }
    }

    /// Brings a connection into the state by the events that lead there, watched like all others.
    pub(super) fn reach(&self, traced: bool) -> Watched {
        let mut watched = self.open();
        watched.traced = traced;
        let (peer_nxt, fin) = (self.irs + 1, Flags::FIN | Flags::ACK);
        let ack = |watched: &Watched| watched.info().snd_nxt;
        match self.start {
            // LISTEN is made without a time: an event that does nothing tells it.
            Start::Listen => watched.must(Event::Continue),
            Start::SynSent => {}
            Start::Closed => watched.must(Event::Abort),
            Start::SynReceivedListen | Start::SynReceivedActive => watched.must(Event::Segment(self.syn(Flags::SYN))),
            Start::SynReceivedAccept => {}
            Start::EstablishedActive => watched.must(Event::Segment(self.syn(Flags::SYN | Flags::ACK))),
            Start::Established => self.establish(&mut watched),
            Start::FinWait1 => {
                self.establish(&mut watched);
                watched.must(Event::Close);
            }
            Start::FinWait2 | Start::TimeWait => {
                self.establish(&mut watched);
                watched.must(Event::Close);
                watched.must(self.segment(Flags::ACK, peer_nxt, ack(&watched)));
                if self.start == Start::TimeWait {
                    watched.must(self.segment(fin, peer_nxt, ack(&watched)));
                }
            }
            Start::CloseWait | Start::LastAck => {
                self.establish(&mut watched);
                watched.must(self.segment(fin, peer_nxt, ack(&watched)));
                if self.start == Start::LastAck {
                    watched.must(Event::Close);
                }
            }
            Start::Closing => {
                self.establish(&mut watched);
                watched.must(Event::Close);
                watched.must(self.segment(fin, peer_nxt, watched.info().snd_una));
            }
        }
        assert_eq!(watched.info().state, self.start.state(), "the way to the first state");
        watched.begin();
        watched
    }

    fn open(&self) -> Watched {
        let now = Instant::from_micros(1_000_000);
        let metered = Metered::new(self.config.clone(), || self.connection(now));
        Watched::new(self.connection(now), metered, self.config.clone(), self.peer, self.irs, now)
    }

    fn connection(&self, now: Instant) -> (Connection, Vec<Action>) {
        let secrets = Secrets { iss: self.iss, ts_offset: 0xFFFF_0000 };
        let (config, path, controller) = (self.config.clone(), self.path, self.features.controller(0));
        match self.start {
            Start::SynSent | Start::SynReceivedActive | Start::EstablishedActive | Start::Closed => {
                Connection::connect_with(controller, config, path, secrets, now)
            }
            Start::Listen | Start::SynReceivedListen => {
                (Connection::listen_with(controller, config, path, secrets), Vec::new())
            }
            _ => Connection::accept_with(controller, config, path, secrets, self.syn(Flags::SYN), now),
        }
    }

    fn establish(&self, watched: &mut Watched) {
        watched.must(self.segment(Flags::ACK, self.irs + 1, self.iss + 1));
    }

    /// The peer's SYN, or SYN,ACK; it asks for accurate feedback, or knows it (RFC 9768 §3.1.1).
    fn syn(&self, flags: Flags) -> Segment {
        let flags = match (self.features.is_accurate(), flags.contains(Flags::ACK)) {
            (false, _) => flags,
            (true, false) => flags | Flags::AE | Flags::CWR | Flags::ECE,
            (true, true) => flags | Flags::CWR, // our SYN came as not ECN-capable
        };
        let ack = if flags.contains(Flags::ACK) { self.iss + 1 } else { SeqNum::new(0) };
        Segment { seq: self.irs, ack, flags, window: self.window, options: self.peer.into(), ..Segment::default() }
    }

    fn segment(&self, flags: Flags, seq: SeqNum, ack: SeqNum) -> Event {
        let options = Options { timestamps: self.peer.timestamps, ..Options::default() };
        Event::Segment(Segment { seq, ack, flags, window: 65_535, options: options.into(), ..Segment::default() })
    }
}

/// What the peer's SYN carries; 0: everything.
fn peer_options(choice: u8) -> Options {
    Options {
        mss: [Some(1460), None, Some(0), Some(536)][usize::from(choice & 3)],
        window_scale: [Some(7), None, Some(14), Some(255)][usize::from(choice >> 2 & 3)],
        sack_permitted: choice & 0x10 == 0,
        timestamps: (choice & 0x20 == 0).then_some(Timestamps { value: 1000, echo: 0 }),
        ..Options::default()
    }
}

/// Any path that leaves room for text beside all options.
pub(crate) fn any_path(input: &mut Reader<'_>) -> Path {
    let ip = if input.u8() & 1 == 0 { IpVersion::V4 } else { IpVersion::V6 };
    let mtu = input.u16().max(ip.min_mtu());
    let room = mtu - ip.min_mtu();
    Path { ip, mtu, ip_options: u16::from(input.u8() % 41).min(room) }
}

/// The default, tight limits, or any valid configuration.
pub(crate) fn config(choice: u8, input: &mut Reader<'_>) -> Config {
    let tight = Config::builder().receive_buffer(3000).send_buffer(5000).max_ranges(2).initial_window(2);
    let config = match choice & 0x0F {
        0..=5 => Ok(Config::default()),
        6 | 7 => tight.build(),
        8 | 9 => tight.max_burst(2).nagle(false).keep_alive(true).build(),
        10 => Config::builder().max_transmit(65_000).max_burst(3).build(),
        11 => Config::builder().rfc5961(false).rfc1337(false).time_wait_reuse(false).drop_syn_fin(true).build(),
        12 | 13 => Ok(Config::arbitrary(&mut Unstructured::new(input.take(64))).unwrap_or_default()),
        _ => Ok(settings::some(input, &[1448, 1460, 65_535])),
    };
    config.expect("within the ranges")
}
