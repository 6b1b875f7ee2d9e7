//! What a congestion controller of a host's own hears, and that its answers count.

use segue::congestion::{Acked, Congestion, Controller, Delivery};
use segue::{Arc, Config, Connection, Event, Flags, Info, Instant, Options, Path, SackBlock, Secrets, Segment, SeqNum};

/// A fixed window. It tells in ssthresh the octets that it heard to be delivered, and in the highest octet how often it heard of
/// nothing.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct ByRates {
    window: u32,
    heard: u32,
}

impl Controller for ByRates {
    fn start(&mut self, _: u32, _: u32, _: Instant) {}
    fn on_ack(&mut self, _: &Acked) {}
    fn on_congestion(&mut self, _: &Congestion) {}
    fn window(&self) -> u32 {
        self.window
    }
    fn ssthresh(&self) -> u32 {
        self.heard
    }
    fn on_delivery(&mut self, delivery: &Delivery) {
        let nothing = delivery.octets == 0 && delivery.lost == 0;
        self.heard += delivery.octets + (u32::from(nothing) << 24);
    }
    fn reduces_proportionally(&self) -> bool {
        false
    }
}

const ISS: SeqNum = SeqNum::new(99);

struct Tcp(Connection<ByRates>, Instant);

impl Tcp {
    /// Established with a peer that reports, with twenty segments of 1000 octets sent.
    fn with_twenty_segments() -> Self {
        let (config, mut now) = (Arc::new(Config::default()), Instant::from_millis(1));
        let secrets = Secrets { iss: ISS, ts_offset: 0 };
        let controller = ByRates { window: 20_000, heard: 0 };
        let (mut tcp, _) = Connection::connect_with(controller, config, Path::ipv4(1500), secrets, now);
        let options = Options { mss: Some(1000), sack_permitted: true, ..Options::default() };
        let (flags, window) = (Flags::SYN | Flags::ACK, u16::MAX);
        now += core::time::Duration::from_millis(100);
        let syn = Segment { seq: ISS, ack: ISS + 1, flags, window, options: options.into(), ..Segment::default() };
        tcp.handle_segment(syn, now);
        tcp.handle(Event::Send(vec![0; 20_000].into()), now, &mut Vec::new()).unwrap();
        Self(tcp, now + core::time::Duration::from_millis(100))
    }

    /// The peer has all before the segment of this number, and those from `first` to before `last`.
    fn acknowledges(&mut self, segments: u32, reported: Option<(u32, u32)>) -> Info {
        let place = |segment: u32| ISS + 1 + 1000 * segment;
        let block = reported.map(|(first, last)| SackBlock { left: place(first), right: place(last) });
        let mut ack =
            Segment { seq: ISS + 1, ack: place(segments), flags: Flags::ACK, window: u16::MAX, ..Segment::default() };
        if let Some(block) = block {
            ack.options.update(|options| assert!(options.sack.push(block)));
        }
        self.0.handle_segment(ack, self.1);
        self.0.info()
    }
}

/// Of each octet once, when it is reported or acknowledged; and not of an ACK that tells nothing.
#[test]
fn a_controller_by_rates_hears_of_each_octet_once() {
    let mut tcp = Tcp::with_twenty_segments();
    let before = tcp.0.info().ssthresh; // of the SYN
    for (segments, reported, heard) in [
        (2, None, 2000),
        (2, None, 2000),
        (4, None, 4000),
        (4, Some((5, 6)), 5000),
        (4, Some((5, 6)), 5000),
        (4, Some((5, 9)), 8000),
        (9, None, 9000),
        (9, None, 9000),
        (20, None, 20_000),
    ] {
        let info = tcp.acknowledges(segments, reported);
        assert_eq!(info.ssthresh - before, heard, "{segments} segments, {reported:?}");
    }
}

/// RFC 9937 is not for a controller that declines it: its window is in force in recovery, too.
#[test]
fn the_window_of_a_controller_that_declines_prr_is_in_force_in_recovery() {
    let mut tcp = Tcp::with_twenty_segments();
    let info = tcp.acknowledges(0, Some((1, 5)));
    assert_eq!((info.counters.fast_retransmits, info.cwnd), (1, 20_000));
}

/// Tells in ssthresh how many samples of the rate it heard.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Samples(u32);

impl Controller for Samples {
    fn start(&mut self, _: u32, _: u32, _: Instant) {}
    fn on_ack(&mut self, _: &Acked) {}
    fn on_congestion(&mut self, _: &Congestion) {}
    fn window(&self) -> u32 {
        4000
    }
    fn ssthresh(&self) -> u32 {
        self.0
    }
    fn on_delivery(&mut self, delivery: &Delivery) {
        self.0 += u32::from(delivery.rate.is_some());
    }
}

/// What was sent under another controller tells the new one that it arrived, and no rate.
#[test]
fn a_controller_that_takes_over_hears_no_rates_of_what_was_sent_before() {
    let (config, mut now) = (Arc::new(Config::default()), Instant::from_millis(1));
    let secrets = Secrets { iss: ISS, ts_offset: 0 };
    let (mut tcp, _) = Connection::connect_with(Samples(0), config, Path::ipv4(1500), secrets, now);
    let options = Options { mss: Some(1000), ..Options::default() };
    let window = u16::MAX;
    let from_peer = |flags, ack, options: Options| Segment {
        seq: if flags == Flags::ACK { ISS + 1 } else { ISS },
        ack: ISS + ack,
        flags,
        window,
        options: options.into(),
        ..Segment::default()
    };
    let pass = core::time::Duration::from_millis(100);
    now += pass;
    tcp.handle_segment(from_peer(Flags::SYN | Flags::ACK, 1, options), now);
    tcp.handle(Event::Send(vec![0; 20_000].into()), now, &mut Vec::new()).unwrap();
    let mut acks = |tcp: &mut Connection<Samples>, ack| {
        now += pass;
        tcp.handle_segment(from_peer(Flags::ACK, ack, Options::default()), now);
        tcp.info().ssthresh
    };
    assert_eq!(acks(&mut tcp, 2001), 1);
    let before = tcp.replace_controller(Samples(0), Instant::from_millis(201), &mut Vec::new());
    assert_eq!(before, Samples(1));
    assert_eq!(acks(&mut tcp, 4001), 0); // two segments that were sent at first
    assert_eq!(acks(&mut tcp, 6001), 0); // and two that the first acknowledgment let go
    assert_eq!(acks(&mut tcp, 8001), 1);
}
