//! What a controller by rates hears of each acknowledgment and of each loss: draft-ietf-ccwg-bbr §4.1, in numbers worked out
//! by hand. Text counts in segments of 1000 octets.

use std::time::Duration;

use segue::congestion::{Acked, Congestion, Controller, Delivery, Lost, RateSample};
use segue::{
    Arc, Config, Connection, Event, Flags, Instant, Options, Path, SackBlock, Secrets, Segment, SeqNum, Timer,
};
use segue_kit::ms;

const ISS: SeqNum = SeqNum::new(99);

/// A fixed window, and all that it heard.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Recorder {
    window: u32,
    marks: bool,
    restarts: u32,
    /// tx_in_flight, lost, delivered, whether it adjoins and whether the application limited it.
    lost: Vec<(u32, u32, u64, bool, bool)>,
    /// The sample, and whether the window was full.
    delivered: Vec<(Option<Rate>, bool)>,
}

/// Octets, the interval in ms, prior_delivered, tx_in_flight, lost, and whether the application limited it.
type Rate = (u64, u64, u64, u32, u32, bool);

fn rate(sample: RateSample) -> Rate {
    let millis = sample.interval.as_millis() as u64;
    let RateSample { delivered, prior_delivered, tx_in_flight, lost, application_limited, .. } = sample;
    (delivered, millis, prior_delivered, tx_in_flight, lost, application_limited)
}

impl Controller for Recorder {
    fn start(&mut self, _: u32, _: u32, _: Instant) {}
    fn on_ack(&mut self, _: &Acked) {}
    fn on_congestion(&mut self, _: &Congestion) {}
    fn window(&self) -> u32 {
        self.window
    }
    fn on_lost(&mut self, lost: &Lost) {
        assert_eq!(lost.octets, 1000);
        self.lost.push((lost.tx_in_flight, lost.lost, lost.delivered, lost.adjoins, lost.application_limited));
    }
    fn on_delivery(&mut self, delivery: &Delivery) {
        self.delivered.push((delivery.rate.map(rate), delivery.window_limited));
    }
    fn on_restart(&mut self, _: Instant) {
        self.restarts += 1;
    }
    fn marks_application_limited(&self) -> bool {
        self.marks
    }
    fn reduces_proportionally(&self) -> bool {
        false
    }
}

struct Tcp(Connection<Recorder>, Instant, u16);

impl Tcp {
    /// Established with a peer that reports; the handshake took 100 ms, and 100 more have passed.
    fn new(recorder: Recorder) -> Self {
        Self::opened(recorder, false, true)
    }

    /// The same, with Nagle's algorithm and a peer that reports, or without.
    fn opened(recorder: Recorder, nagle: bool, sack: bool) -> Self {
        let config = Config::builder().timestamps(false).nagle(nagle).send_buffer(1 << 20);
        let (config, now) = (Arc::new(config.build().unwrap()), Instant::from_millis(1000));
        let secrets = Secrets { iss: ISS, ts_offset: 0 };
        let (tcp, _) = Connection::connect_with(recorder, config, Path::ipv4(1500), secrets, now);
        let options = Options { mss: Some(1000), sack_permitted: sack, ..Options::default() };
        let (flags, window) = (Flags::SYN | Flags::ACK, u16::MAX);
        let syn = Segment { seq: ISS, ack: ISS + 1, flags, window, options: options.into(), ..Segment::default() };
        let mut tcp = Self(tcp, now + ms(100), u16::MAX);
        tcp.0.handle_segment(syn, tcp.1);
        tcp.wait(100);
        tcp
    }

    fn with_window(window: u32) -> Self {
        Self::new(Recorder { window, ..Recorder::default() })
    }

    fn wait(&mut self, millis: u64) {
        self.1 += Duration::from_millis(millis);
    }

    fn send(&mut self, segments: usize) {
        self.0.handle(Event::Send(vec![0; 1000 * segments].into()), self.1, &mut Vec::new()).unwrap();
    }

    /// The peer has all before the segment of this number, and those from `first` to before `last`.
    fn acknowledges(&mut self, segments: u32, reports: &[(u32, u32)]) {
        let place = |segment: u32| ISS + 1 + 1000 * segment;
        let mut ack =
            Segment { seq: ISS + 1, ack: place(segments), flags: Flags::ACK, window: self.2, ..Segment::default() };
        for (first, last) in reports {
            let block = SackBlock { left: place(*first), right: place(*last) };
            ack.options.update(|options| assert!(options.sack.push(block)));
        }
        self.0.handle_segment(ack, self.1);
    }

    /// All that was heard so far.
    fn heard(&self) -> Recorder {
        self.0.controller().expect("it has one").clone()
    }
}

/// One sample an acknowledgment, of the segment that was sent last among those it delivers. The SYN is the first octet
/// that was delivered.
#[test]
fn each_sample_is_of_the_segment_sent_last() {
    let mut tcp = Tcp::with_window(10_000);
    let syn = tcp.heard().delivered.len();
    tcp.send(30);
    tcp.wait(100);
    tcp.acknowledges(2, &[]); // segments 10 and 11 leave with 8000 octets in flight
    tcp.wait(10);
    tcp.acknowledges(2, &[(3, 5)]); // 12 and 13
    tcp.wait(90);
    tcp.acknowledges(11, &[]); // of which 2 and 5 to 10 are new
    let heard = tcp.heard().delivered.split_off(syn);
    assert_eq!(
        heard,
        [
            (Some((2000, 100, 1, 2000, 0, false)), true),
            (Some((4000, 110, 1, 5000, 0, false)), true),
            (Some((9000, 100, 2001, 9000, 0, false)), true),
        ]
    );
}

/// Each lost segment once, in the order of their sending, with what was in flight when it left and what was lost since;
/// the sample has what was lost since its segment left.
#[test]
fn each_lost_segment_is_told_once_in_order() {
    let mut tcp = Tcp::with_window(20_000);
    let syn = tcp.heard().delivered.len();
    tcp.send(20);
    tcp.wait(100);
    tcp.acknowledges(1, &[]);
    tcp.acknowledges(1, &[(5, 9)]);
    tcp.acknowledges(1, &[(5, 9)]);
    tcp.acknowledges(1, &[(5, 9), (12, 15)]);
    tcp.acknowledges(1, &[(5, 9), (12, 16)]);
    let heard = tcp.heard();
    let first = [(2000, 1000, false), (3000, 2000, true), (4000, 3000, true), (5000, 4000, true)];
    let first = first.map(|(tx_in_flight, lost, adjoins)| (tx_in_flight, lost, 5001, adjoins, false));
    let second = [(10_000, 5000, false), (11_000, 6000, true), (12_000, 7000, true)];
    let second = second.map(|(tx_in_flight, lost, adjoins)| (tx_in_flight, lost, 8001, adjoins, false));
    assert_eq!(heard.lost, [&first[..], &second[..]].concat());
    let samples: Vec<_> =
        heard.delivered[syn..].iter().map(|(rate, _)| rate.map(|rate| (rate.0, rate.3, rate.4))).collect();
    let expected = [(1000, 1000, 0), (5000, 9000, 4000), (8000, 15_000, 7000), (9000, 16_000, 7000)];
    assert_eq!(samples, expected.map(Some));
}

/// What is sent when all that was found lost is known counts only what is lost after it.
#[test]
fn what_was_lost_before_a_segment_left_is_not_lost_since() {
    let mut tcp = Tcp::with_window(20_000);
    tcp.send(30);
    tcp.wait(100);
    tcp.acknowledges(0, &[(2, 6)]); // 0 and 1 are lost; they go again, and new ones follow
    tcp.wait(100);
    tcp.acknowledges(20, &[]);
    tcp.acknowledges(21, &[]);
    let heard = tcp.heard();
    assert_eq!(heard.lost.len(), 2);
    let (last, _) = heard.delivered.last().expect("a sample");
    assert_eq!(last.map(|rate| rate.4), Some(0));
}

/// Where the window leaves no room for a segment, it limits.
#[test]
fn the_window_limits_where_no_segment_has_room() {
    for (segments, limited) in [(10, true), (9, false), (1, false)] {
        let mut tcp = Tcp::with_window(10_500);
        tcp.send(segments);
        tcp.wait(100);
        tcp.acknowledges(1, &[]);
        let (_, told) = tcp.heard().delivered.pop().expect("a sample");
        assert_eq!(told, limited, "{segments}");
    }
}

/// Nothing in flight, and the application had no more: only then it is a restart.
#[test]
fn a_restart_is_after_a_pause_of_the_application() {
    let mut tcp = Tcp::with_window(10_000);
    tcp.send(1);
    tcp.wait(100);
    let first = tcp.heard().restarts;
    tcp.send(1); // in flight is the first
    assert_eq!(tcp.heard().restarts, first);
    tcp.acknowledges(2, &[]);
    tcp.wait(1000);
    tcp.send(5);
    assert_eq!(tcp.heard().restarts, first + 1);
    tcp.wait(100);
    tcp.send(5);
    assert_eq!(tcp.heard().restarts, first + 1);
    // a window that limits, and everything acknowledged at once: the next text follows at once
    tcp.send(20);
    tcp.wait(100);
    tcp.acknowledges(17, &[]);
    assert_eq!(tcp.heard().restarts, first + 1);
}

/// Samples are limited by the application from the moment it has no more until that is delivered.
#[test]
fn samples_are_limited_by_the_application_for_a_round() {
    let mut tcp = Tcp::with_window(10_000);
    tcp.send(4);
    tcp.wait(50);
    tcp.send(30); // 4000 in flight were all there was
    tcp.wait(50);
    let syn = tcp.heard().delivered.len();
    (1..=14).for_each(|segments| tcp.acknowledges(segments, &[]));
    let limited: Vec<_> = tcp.heard().delivered[syn..].iter().map(|(rate, _)| rate.expect("a sample").5).collect();
    let expected: Vec<_> = (1..=14).map(|segment| (5..=14).contains(&segment)).collect();
    assert_eq!(limited, expected);
}

/// A controller that sends little of its own will says so: what is sent then tells nothing of the path.
#[test]
fn a_controller_can_mark_what_is_sent_as_limited() {
    for marks in [false, true] {
        let mut tcp = Tcp::new(Recorder { window: 4000, marks, ..Recorder::default() });
        tcp.send(60);
        let syn = tcp.heard().delivered.len();
        for round in 1..=5 {
            tcp.wait(100);
            tcp.acknowledges(4 * round, &[]);
        }
        let limited: Vec<_> = tcp.heard().delivered[syn..].iter().map(|(rate, _)| rate.expect("a sample").5).collect();
        assert_eq!(limited, [marks; 5]);
    }
}

/// A probe of a closed window is an octet in a long time: it measures no path.
#[test]
fn probes_of_a_closed_window_are_limited() {
    let mut tcp = Tcp::with_window(10_000);
    tcp.send(30);
    tcp.wait(100);
    tcp.2 = 0;
    tcp.acknowledges(10, &[]);
    let told = tcp.heard().delivered.len();
    let (timer, at) = tcp.0.next_deadline().expect("the persist timer");
    assert_eq!(timer, Timer::Persist);
    tcp.1 = at;
    tcp.0.handle_timer(timer, at);
    tcp.wait(100);
    let mut ack = Segment { seq: ISS + 1, ack: ISS + 10_002, flags: Flags::ACK, ..Segment::default() };
    ack.window = 0;
    tcp.0.handle_segment(ack, tcp.1);
    let heard = tcp.heard();
    assert_eq!(heard.delivered.len(), told + 1);
    let sample = heard.delivered[told].0.expect("a sample");
    assert_eq!((sample.0, sample.3, sample.5), (1, 1, true));
}

/// §4.1.3.5.1. An acknowledgment that fills a hole delivers at once what came over a long time: without reports that is no
/// rate. The round goes on all the same.
#[test]
fn recovery_without_reports_tells_no_rate() {
    let mut tcp = Tcp::opened(Recorder { window: 20_000, ..Recorder::default() }, false, false);
    tcp.send(20);
    tcp.wait(100);
    tcp.acknowledges(1, &[]);
    (0..3).for_each(|_| tcp.acknowledges(1, &[])); // the third duplicate: segment 1 is lost
    let told = tcp.heard().delivered.len();
    tcp.wait(100);
    tcp.acknowledges(20, &[]);
    let heard = tcp.heard();
    assert_eq!(heard.lost.len(), 1);
    let (sample, _) = heard.delivered[told];
    let sample = sample.expect("a sample");
    assert_eq!((sample.0, sample.1, sample.2 > 1), (0, 0, true), "{sample:?}");
    tcp.send(1);
    tcp.wait(100);
    tcp.acknowledges(21, &[]);
    let (sample, _) = tcp.heard().delivered.pop().expect("it was told");
    assert_eq!(sample.map(|rate| (rate.0, rate.1)), Some((1000, 100)), "after recovery rates count again");
}

/// Small writes that Nagle's algorithm holds back are the application's limit, though text waits.
#[test]
fn small_writes_that_wait_are_limited_by_the_application() {
    for (octets, limited) in [(300, true), (3000, false)] {
        let mut tcp = Tcp::opened(Recorder { window: 3000, ..Recorder::default() }, true, true);
        let told = tcp.heard().delivered.len();
        for round in 1..6 {
            (0..3000 / octets).for_each(|_| {
                tcp.0.handle(Event::Send(vec![0; octets].into()), tcp.1, &mut Vec::new()).unwrap();
            });
            if limited {
                tcp.0.handle(Event::Send(vec![0; 10].into()), tcp.1, &mut Vec::new()).unwrap();
            } else {
                tcp.send(3); // the window is full, and more waits
            }
            tcp.wait(100);
            let acked = tcp.0.info().snd_nxt;
            let ack = Segment { seq: ISS + 1, ack: acked, flags: Flags::ACK, window: tcp.2, ..Segment::default() };
            tcp.0.handle_segment(ack, tcp.1);
            assert!(tcp.heard().delivered.len() >= told + round);
        }
        let (sample, _) = tcp.heard().delivered.pop().expect("it was told");
        assert_eq!(sample.map(|rate| rate.5), Some(limited), "writes of {octets}");
    }
}
