//! Conversations between an end with all features and an end with some, both ways, and between two of the latter. Segments
//! pass as octets; the network loses, repeats and reorders them.

use std::time::Duration;

use bytes::Bytes;

/// Octets that each user sends.
const OCTETS: usize = 400_000;
/// The loop turns every 5 ms.
const TURN: u64 = 5000;
/// Far more than any of these conversations takes, in microseconds.
const LIMIT: u64 = 600_000_000;

/// One end of a conversation with its user: it sends text, closes, and keeps what it receives.
trait End {
    /// Active OPEN.
    fn connect(&mut self, now: u64);
    /// A segment as octets; the first opens a passive end.
    fn arrives(&mut self, octets: Bytes, now: u64);
    /// The user sends as much as there is room for, and timers run.
    fn turn(&mut self, now: u64);
    /// The segments that left since the last call.
    fn departures(&mut self) -> Vec<Vec<u8>>;
    fn received(&self) -> &[u8];
    /// Both streams ended and nothing is left to do.
    fn is_finished(&self) -> bool;
    /// Whether it negotiates SACK and ECN.
    fn agrees_on(&self) -> [bool; 2];
}

/// Which settings the ends have.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Settings {
    Default,
    /// All that a feature brings.
    AllOn,
}

/// An end made of the crate `$segue`.
macro_rules! end {
    ($end:ident, $segue:ident) => {
        struct $end {
            config: $segue::Arc<$segue::Config>,
            connection: Option<$segue::Connection>,
            text: Bytes,
            link: Vec<Vec<u8>>,
            received: Vec<u8>,
            peer_closed: bool,
            closed: Option<$segue::CloseReason>,
        }

        impl $end {
            fn boxed(settings: Settings, text: &[u8]) -> Box<dyn End> {
                let config = $segue::Config::builder().msl(Duration::from_secs(5));
                let period = Some(Duration::from_secs(300));
                let config = match settings {
                    Settings::Default => config,
                    Settings::AllOn => config.pacing(true).preserve_window(period).ecn($segue::EcnMode::Active),
                };
                Box::new(Self {
                    config: $segue::Arc::new(config.build().expect("a config")),
                    connection: None,
                    text: Bytes::copy_from_slice(text),
                    link: Vec::new(),
                    received: Vec::new(),
                    peer_closed: false,
                    closed: None,
                })
            }

            fn addresses() -> $segue::codec::PseudoHeader {
                let address = std::net::Ipv4Addr::LOCALHOST;
                $segue::codec::PseudoHeader::V4 { src: address, dst: address }
            }

            fn secrets(now: u64) -> $segue::Secrets {
                $segue::Secrets { iss: $segue::SeqNum::new(0xFFFF_0000 + now as u32 % 7), ts_offset: 0 }
            }

            fn call<T>(
                &mut self,
                call: impl FnOnce(&mut $segue::Connection) -> (T, Vec<$segue::Action>),
                now: u64,
            ) -> T {
                let connection = self.connection.as_mut().expect("it is open");
                let (result, actions) = call(connection);
                connection.check_invariants();
                self.carry_out(actions, now);
                result
            }

            fn carry_out(&mut self, actions: Vec<$segue::Action>, now: u64) {
                for action in actions {
                    match action {
                        $segue::Action::Transmit(segment) => {
                            let packet = $segue::codec::Packet { src_port: 1, dst_port: 1, segment };
                            let mut octets = Vec::new();
                            let fill = $segue::codec::Fill::Now(Self::addresses());
                            $segue::codec::encode(&packet, fill, &mut octets).expect("a segment that fits");
                            self.link.push(octets);
                        }
                        $segue::Action::Deliver(text) => {
                            self.received.extend_from_slice(&text);
                            let at = $segue::Instant::from_micros(now);
                            self.call(|connection| ((), connection.consume(text.len(), at)), now);
                        }
                        $segue::Action::PeerClosed => self.peer_closed = true,
                        $segue::Action::Closed(reason) => self.closed = Some(reason),
                        _ => {}
                    }
                }
            }
        }

        impl End for $end {
            fn connect(&mut self, now: u64) {
                let (config, path) = (self.config.clone(), $segue::Path::ipv4(1500));
                let at = $segue::Instant::from_micros(now);
                let (connection, actions) = $segue::Connection::connect(config, path, Self::secrets(now), at);
                self.connection = Some(connection);
                self.carry_out(actions, now);
            }

            fn arrives(&mut self, octets: Bytes, now: u64) {
                let verify = $segue::codec::Verify::Now(Self::addresses());
                let segment = $segue::codec::decode(octets, verify).expect("a good segment").segment;
                let at = $segue::Instant::from_micros(now);
                if self.connection.is_some() {
                    return self.call(|connection| ((), connection.handle_segment(segment, at)), now);
                }
                let (config, path) = (self.config.clone(), $segue::Path::ipv4(1500));
                let (connection, actions) = $segue::Connection::accept(config, path, Self::secrets(now), segment, at);
                self.connection = Some(connection);
                self.carry_out(actions, now);
            }

            fn turn(&mut self, now: u64) {
                let at = $segue::Instant::from_micros(now);
                let Some(connection) = &self.connection else { return };
                if connection.state().is_synchronized() && self.closed.is_none() {
                    let mut text = std::mem::take(&mut self.text);
                    if !text.is_empty() {
                        let send = |connection: &mut $segue::Connection| match connection.send(&mut text, at) {
                            Ok(actions) => ((), actions),
                            Err($segue::Error::NoRoom { .. }) => ((), Vec::new()),
                            Err(error) => panic!("SEND: {error}"),
                        };
                        self.call(send, now);
                    }
                    if text.is_empty() {
                        // An error: the user closed before.
                        self.call(|connection| ((), connection.close(at).unwrap_or_default()), now);
                    }
                    self.text = text;
                }
                let due = self.connection.as_ref().and_then($segue::Connection::next_deadline);
                if let Some((timer, _)) = due.filter(|&(_, due)| due <= at) {
                    self.call(|connection| ((), connection.handle_timer(timer, at)), now);
                }
            }

            fn departures(&mut self) -> Vec<Vec<u8>> {
                std::mem::take(&mut self.link)
            }

            fn received(&self) -> &[u8] {
                &self.received
            }

            fn is_finished(&self) -> bool {
                assert!(matches!(self.closed, None | Some($segue::CloseReason::Finished)), "{:?}", self.closed);
                self.peer_closed && self.closed.is_some()
            }

            fn agrees_on(&self) -> [bool; 2] {
                [self.config.sack(), self.config.ecn() == $segue::EcnMode::Active]
            }
        }
    };
}

end!(Full, segue);
end!(Small, small);

type New = fn(Settings, &[u8]) -> Box<dyn End>;

/// Segments in a thousand that the network loses, repeats, or holds back for a few turns.
#[derive(Clone, Copy, Debug)]
struct Faults {
    lose: u32,
    repeat: u32,
    hold: u32,
}

/// The network from one end to the other.
struct Link {
    /// Segments with the turn in which they arrive.
    segments: Vec<(u64, Vec<u8>)>,
    faults: Faults,
    seed: u32,
}

impl Link {
    fn chance(&mut self, of_thousand: u32) -> bool {
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.seed >> 8) % 1000 < of_thousand
    }

    fn take(&mut self, segments: Vec<Vec<u8>>, now: u64) {
        for octets in segments {
            if self.chance(self.faults.lose) {
                continue;
            }
            let delay = if self.chance(self.faults.hold) { 5 * TURN } else { TURN };
            if self.chance(self.faults.repeat) {
                self.segments.push((now + 2 * TURN, octets.clone()));
            }
            self.segments.push((now + delay, octets));
        }
    }

    fn arrivals(&mut self, now: u64) -> Vec<(u64, Vec<u8>)> {
        self.segments.extract_if(.., |(at, _)| *at <= now).collect()
    }
}

fn text(seed: usize) -> Vec<u8> {
    (0..OCTETS).map(|i| (i * seed % 251) as u8).collect()
}

/// The whole conversation. Returns how long it took.
fn converse(client: New, server: New, settings: Settings, faults: Faults) -> Duration {
    let texts = [text(3), text(7)];
    let mut ends = [client(settings, &texts[0]), server(settings, &texts[1])];
    let mut links = [1, 2].map(|seed| Link { segments: Vec::new(), faults, seed });
    let mut now = 1_000_000;
    ends[0].connect(now);
    let mut syns = 0;
    while !ends.iter().all(|end| end.is_finished()) {
        assert!(
            now < LIMIT,
            "{settings:?}, {faults:?}: received {:?}",
            ends.each_ref().map(|end| end.received().len())
        );
        for from in 0..2 {
            let departures = ends[from].departures();
            if syns <= from && !departures.is_empty() {
                check_syn(ends[from].as_ref(), &departures[0], settings);
                syns += 1;
            }
            links[from].take(departures, now);
        }
        now += TURN;
        for to in 0..2 {
            for (_, octets) in links[1 - to].arrivals(now) {
                ends[to].arrives(octets.into(), now);
            }
            ends[to].turn(now);
        }
    }
    assert!(ends[0].received() == texts[1] && ends[1].received() == texts[0], "what was received");
    Duration::from_micros(now - 1_000_000)
}

/// A SYN offers SACK and ECN only where the end has the feature.
fn check_syn(end: &dyn End, octets: &[u8], settings: Settings) {
    let packet = segue::codec::decode(Bytes::copy_from_slice(octets), segue::codec::Verify::Now(Full::addresses()))
        .expect("a SYN");
    let [sack, ecn] = end.agrees_on();
    let flags = packet.segment.flags;
    let initial = flags.contains(segue::Flags::SYN) && !flags.contains(segue::Flags::ACK);
    assert!(sack || !packet.segment.options.sack_permitted(), "SACK-permitted without the feature");
    assert!(!initial || sack == packet.segment.options.sack_permitted(), "SACK-permitted");
    assert_eq!(
        initial && flags.contains(segue::Flags::ECE),
        initial && ecn && settings == Settings::AllOn,
        "ECE of a SYN"
    );
}

const CALM: Faults = Faults { lose: 0, repeat: 0, hold: 0 };
const LOSSY: Faults = Faults { lose: 20, repeat: 20, hold: 50 };
const BAD: Faults = Faults { lose: 100, repeat: 100, hold: 200 };

fn all_faults(client: New, server: New) {
    for settings in [Settings::Default, Settings::AllOn] {
        let times = [CALM, LOSSY, BAD].map(|faults| converse(client, server, settings, faults));
        println!("{settings:?}: {times:?}");
    }
}

#[test]
fn a_small_client_talks_to_a_full_server() {
    all_faults(Small::boxed, Full::boxed);
}

#[test]
fn a_full_client_talks_to_a_small_server() {
    all_faults(Full::boxed, Small::boxed);
}

#[test]
fn two_small_ends_talk() {
    all_faults(Small::boxed, Small::boxed);
}

/// The part of a manifest with the features.
fn features(manifest: &str) -> Vec<&str> {
    let (_, rest) = manifest.split_once("\n[features]\n").expect("features");
    let (features, _) = rest.split_once("\n\n[").expect("a part behind");
    features.lines().filter(|line| !line.starts_with('#') && !line.contains("dep:")).collect()
}

#[test]
fn the_small_crate_has_the_features_of_segue() {
    let small: Vec<_> = features(include_str!("../small/Cargo.toml"));
    let small: Vec<_> = small
        .into_iter()
        .filter(|line| !["arbitrary = []", "portable-atomic = []", "host = []", "ip = []", "serde = []"].contains(line))
        .collect();
    assert_eq!(small, features(include_str!("../../../Cargo.toml")));
}
