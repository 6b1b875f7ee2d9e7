//! Retransmission, congestion control and giving up (RFC 9293 §3.8.1 to §3.8.3).

use segue::{Config, Event, Knob, Path, State, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{SECRETS, ours, peer, peer_syn, peer_syn_ack, stamped, text};
use segue_kit::{ms, plain, secs};

/// The instants, in milliseconds, at which something was transmitted.
fn transmissions(happened: &[(u64, String)]) -> Vec<u64> {
    happened.iter().filter(|(_, words)| words.contains("<SEQ=")).map(|(at, _)| *at).collect()
}

fn at(happened: &[(u64, String)], word: &str) -> Option<u64> {
    happened.iter().find(|(_, words)| words.contains(word)).map(|(at, _)| *at)
}

/// RFC 6298 (2.2), (2.3) in a scripted exchange, against the formulas computed here.
#[test]
fn must_18_the_rto_follows_rfc_6298() {
    let mut tcp = Rig::established(plain().min_rto(ms(1)));
    let (mut srtt, mut rttvar) = (0.0, 0.0); // the handshake's round trip took no time
    let mut next = 0;
    for rtt in [100_u32, 300, 200, 200, 50, 1000, 100, 100] {
        tcp.send(10);
        next += 10;
        tcp.now += ms(u64::from(rtt));
        tcp.arrives(peer(0, next));
        rttvar = 0.75 * rttvar + 0.25 * f64::abs(srtt - f64::from(rtt));
        srtt = 0.875 * srtt + 0.125 * f64::from(rtt);
        let millis = |d: std::time::Duration| d.as_secs_f64() * 1000.0;
        let info = tcp.info();
        assert!((millis(info.srtt.unwrap()) - srtt).abs() < 0.02, "SRTT {:?}, {srtt}", info.srtt);
        assert!((millis(info.rttvar.unwrap()) - rttvar).abs() < 0.02, "RTTVAR {:?}, {rttvar}", info.rttvar);
        assert!((millis(info.rto) - (srtt + f64::max(1.0, 4.0 * rttvar))).abs() < 0.1, "RTO {:?}", info.rto);
    }
}

/// Karn: the acknowledgment of something sent twice measures nothing, and the back-off stays until a fresh segment is measured.
#[test]
fn must_18_retransmitted_text_gives_no_sample() {
    let mut tcp = Rig::established(plain());
    tcp.send(10);
    tcp.now += ms(100);
    tcp.arrives(peer(0, 10));
    let before = tcp.info();
    tcp.send(10);
    tcp.fire(Timer::Retransmit);
    tcp.now += ms(300);
    tcp.arrives(peer(0, 20));
    let after = tcp.info();
    assert_eq!((after.srtt, after.rttvar), (before.srtt, before.rttvar));
    let srtt = ms(100) / 8; // the handshake's round trip took no time
    assert_eq!((before.rto, after.rto), (secs(1) + srtt, 2 * (secs(1) + srtt)));
    tcp.send(10);
    tcp.now += ms(100);
    tcp.arrives(peer(0, 30));
    let srtt = std::time::Duration::from_nanos(23_437_500); // 7/8 of 12.5 ms and 1/8 of 100 ms
    assert!(tcp.info().rto.abs_diff(secs(1) + srtt) < std::time::Duration::from_micros(1));
}

/// The same for a fast retransmission.
#[test]
fn must_18_fast_retransmitted_text_gives_no_sample() {
    let mut tcp = Rig::established(plain());
    tcp.send(5 * 1460);
    tcp.quiet(ms(100));
    for n in 1..=3 {
        let again = if n == 3 { "<SEQ=0><ACK=0><DATA=1460><CTL=ACK>" } else { "" };
        assert_eq!(tcp.arrives(peer(0, 0)), again);
    }
    tcp.quiet(ms(300));
    tcp.arrives(peer(0, 5 * 1460));
    assert_eq!(tcp.info().srtt, Some(ms(0))); // the handshake's
}

/// With timestamps the echo tells which of the two was acknowledged (RFC 7323 §4.1).
#[test]
fn must_18_an_echo_measures_what_was_retransmitted() {
    let mut tcp = Rig::connect(plain().timestamps(true), Path::ipv4(1500));
    tcp.arrives(stamped(peer_syn_ack(), 1, 5000));
    tcp.send(10);
    tcp.fire(Timer::Retransmit); // at 6000 ms
    tcp.now += ms(80);
    tcp.arrives(stamped(peer(0, 10), 1, 6000));
    assert_eq!(tcp.info().srtt, Some(ms(10))); // 7/8 × 0 + 1/8 × 80
}

/// RFC 5681 §3.1: slow start adds a segment for each acknowledgment of a segment.
#[test]
fn must_19_slow_start() {
    let mut tcp = Rig::established(plain().initial_window(2));
    assert_eq!(tcp.info().cwnd, 2920);
    tcp.send(100 * 1460);
    assert_eq!(tcp.lengths(), [1460; 2]);
    for n in 1..=10 {
        tcp.arrives(peer(0, n * 1460));
        assert_eq!((tcp.info().cwnd, tcp.lengths().len()), (2920 + n * 1460, 2), "acknowledgment {n}");
    }
}

/// RFC 5681 §3.1 (2), (4): after a timeout one segment, slow start up to half the flight, then one segment for each round
/// trip.
#[test]
fn must_19_congestion_avoidance() {
    let mut tcp = Rig::established_with_reno(plain());
    tcp.send(100 * 1460);
    assert_eq!(tcp.info().flight, 14_600);
    assert_eq!(tcp.fire(Timer::Retransmit), "<SEQ=0><ACK=0><DATA=1460><CTL=ACK>");
    assert_eq!((tcp.info().ssthresh, tcp.info().cwnd), (7300, 1460));
    let mut acked = 14_600; // at once: what was reported piece by piece would not have been lost (RFC 5682)
    tcp.arrives(peer(0, acked));
    assert_eq!(tcp.info().cwnd, 2920);
    while tcp.info().cwnd < 7300 {
        let before = tcp.info().cwnd;
        acked += 1460;
        tcp.arrives(peer(0, acked));
        assert_eq!(tcp.info().cwnd, before + 1460);
    }
    for window in [7300, 8760, 10_220] {
        let mut octets = 0;
        while tcp.info().cwnd == window {
            acked += 1460;
            octets += 1460;
            tcp.arrives(peer(0, acked));
        }
        assert_eq!((octets, tcp.info().cwnd), (window, window + 1460));
    }
}

/// RFC 6298 (5.5): each timeout doubles the RTO, up to the limit.
#[test]
fn must_19_the_back_off_is_exponential() {
    let mut tcp = Rig::established(plain().user_timeout(None));
    tcp.send(10);
    let happened = tcp.pass(secs(303));
    let instants = [1, 3, 7, 15, 31, 63, 123, 183, 243, 303].map(|second| second * 1000);
    assert_eq!(transmissions(&happened), instants);
}

#[test]
fn must_20_shld_9_shld_10_r1_is_reported_once_and_r2_closes() {
    let mut tcp = Rig::established(plain());
    tcp.send(10);
    let happened = tcp.pass(secs(1000));
    let reports: Vec<_> = happened.iter().filter(|(_, words)| words.contains("Report")).collect();
    let again = "<SEQ=0><ACK=0><DATA=10><CTL=PSH,ACK>";
    assert_eq!(reports, [&(7000, format!("Report(Unresponsive {{ retransmissions: 3 }}); {again}"))]);
    assert_eq!(happened.last(), Some(&(300_000, "Closed(UserTimeout)".to_string())));
}

#[test]
fn shld_10_shld_11_u_16_the_defaults_of_r1_and_r2() {
    assert_eq!(Config::default().r1(), 3);
    assert_eq!(Config::default().user_timeout(), Some(secs(300)));
    assert!(Config::builder().r1(2).build().is_err());
}

#[test]
fn must_21_the_user_sets_r2() {
    for (limit, ends) in [(secs(10), 10_000), (secs(100), 100_000), (secs(5000), 5_000_000)] {
        let mut tcp = Rig::established(plain());
        tcp.does(Event::Set(Knob::UserTimeout(Some(limit))));
        tcp.send(10);
        let happened = tcp.pass(secs(10_000));
        assert_eq!(at(&happened, "Closed(UserTimeout)"), Some(ends));
    }
    // while it waits
    let mut tcp = Rig::established(plain());
    tcp.send(10);
    tcp.pass(secs(20));
    tcp.does(Event::Set(Knob::UserTimeout(Some(secs(30)))));
    assert_eq!(tcp.until(Timer::UserTimeout), Some(secs(10)));
}

#[test]
fn must_21_r2_may_be_never() {
    let mut tcp = Rig::established(plain());
    tcp.does(Event::Set(Knob::UserTimeout(None)));
    tcp.send(10);
    let happened = tcp.pass(secs(100 * 3600));
    assert_eq!(tcp.state(), State::Established);
    assert_eq!(happened.last().map(|(at, _)| *at > 99 * 3600 * 1000), Some(true), "it is still retransmitted");
}

/// R2 as a count of retransmissions beside the time: what comes first ends the connection.
#[test]
fn must_21_r2_may_be_a_count() {
    let mut tcp = Rig::established(plain().data_retries(3));
    for n in 0..2 {
        tcp.send(1);
        assert_eq!(transmissions(&tcp.pass(secs(10))), [1000, 3000, 7000]);
        tcp.arrives(peer(0, 2 * n + 1)); // counts anew
        tcp.send(1);
        tcp.arrives(peer(0, 2 * n + 2)); // ends the back-off
    }
    tcp.send(1);
    let happened = tcp.pass(secs(1000));
    assert_eq!(transmissions(&happened), [1000, 3000, 7000]);
    assert_eq!(happened.last(), Some(&(15_000, "Closed(UserTimeout)".to_string())));

    let mut patient = Rig::established(plain().data_retries(200));
    patient.send(1);
    assert_eq!(at(&patient.pass(secs(1000)), "Closed(UserTimeout)"), Some(300_000));
}

/// Probes of a closed window count when they are not answered (MUST-37); so does text beyond a shrunk edge (SHLD-17).
#[test]
fn must_21_answered_probes_do_not_count() {
    let closed = |window| segue::Segment { window, ..peer(0, 0) };
    let mut tcp = Rig::connect(plain().data_retries(2), Path::ipv4(1500));
    tcp.arrives(segue::Segment { window: 0, ..peer_syn_ack() });
    tcp.send(3000);
    for _ in 0..10 {
        assert_eq!(tcp.fire(Timer::Persist), "<SEQ=0><ACK=0><DATA=1><CTL=ACK>");
        tcp.arrives(closed(0));
    }
    let happened = tcp.pass(secs(1000));
    assert_eq!(happened.len(), 3, "two probes and the end: {happened:?}");
    assert!(happened[2].1.ends_with("Closed(UserTimeout)"), "{happened:?}");

    let mut tcp = Rig::established(plain().data_retries(2));
    tcp.send(3000);
    tcp.arrives(closed(1000));
    for _ in 0..10 {
        assert!(tcp.fire(Timer::Retransmit).contains("<SEQ=0><ACK=0><DATA=1000><CTL=ACK>"));
        tcp.arrives(closed(1000));
    }
    assert_eq!(tcp.state(), State::Established);
}

#[test]
fn must_22_the_retransmissions_of_a_syn_may_be_counted() {
    for count in [1_u8, 3] {
        let end = (1000 << (count + 1)) - 1000;
        let tries: Vec<u64> = (1..=u64::from(count)).map(|n| (1000 << n) - 1000).collect();
        let config = plain().syn_retries(count);
        for mut tcp in [Rig::connect(config, Path::ipv4(1500)), Rig::accept(config, Path::ipv4(1500), peer_syn())] {
            let happened = tcp.pass(secs(1000));
            assert_eq!(transmissions(&happened), tries);
            assert_eq!(happened.last(), Some(&(end, "Closed(ConnectTimeout)".to_string())));
        }
        // the handshake counts by itself
        let mut tcp = Rig::connect(config.data_retries(1), Path::ipv4(1500));
        tcp.pass(ms(1000));
        tcp.arrives(peer_syn_ack());
        tcp.send(1);
        let happened = tcp.pass(secs(100));
        assert_eq!(happened.last(), Some(&(9000, "Closed(UserTimeout)".to_string())), "{happened:?}"); // RTO 3 s, then 6 s
    }
}

/// R2 counts from the last progress, not from the first octet of a long transfer.
#[test]
fn must_20_progress_starts_r2_anew() {
    let mut tcp = Rig::established(plain());
    tcp.send(2000);
    tcp.pass(secs(200));
    tcp.arrives(peer(0, 1460));
    assert_eq!(tcp.until(Timer::UserTimeout), Some(secs(300)));
    tcp.arrives(peer(0, 2000));
    assert_eq!(tcp.until(Timer::UserTimeout), None);
}

#[test]
fn must_22_must_23_a_syn_is_repeated_for_three_minutes() {
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    let happened = tcp.pass(secs(1000));
    let instants = [1, 3, 7, 15, 31, 63, 123].map(|second| second * 1000);
    assert_eq!(transmissions(&happened), instants);
    assert_eq!(at(&happened, "Report(Unresponsive { retransmissions: 3 })"), Some(7000));
    assert_eq!(happened.last(), Some(&(180_000, "Closed(ConnectTimeout)".to_string())));
    assert!(happened.iter().all(|(_, words)| !words.contains("<SEQ=") || words.ends_with("<SEQ=-1><CTL=SYN>")));
}

#[test]
fn must_22_a_syn_ack_is_repeated_likewise() {
    let mut tcp = Rig::accept(plain(), Path::ipv4(1500), peer_syn());
    let happened = tcp.pass(secs(1000));
    assert_eq!(transmissions(&happened), [1, 3, 7, 15, 31, 63, 123].map(|second| second * 1000));
    assert_eq!(at(&happened, "Report(Unresponsive { retransmissions: 3 })"), Some(7000));
    assert_eq!(happened.last(), Some(&(180_000, "Closed(ConnectTimeout)".to_string())));
}

/// The user may be less patient, and end an OPEN at any time.
#[test]
fn must_23_the_application_may_cancel_sooner() {
    let mut tcp = Rig::connect(plain().connect_timeout(Some(secs(10))), Path::ipv4(1500));
    assert_eq!(tcp.pass(secs(20)).last(), Some(&(10_000, "Closed(ConnectTimeout)".to_string())));
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    assert_eq!(tcp.close(), "Closed(Cancelled)");
}

/// A controller of an embedder's: always two segments.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct TwoSegments {
    mss: u32,
    congested: u32,
}

impl segue::Controller for TwoSegments {
    fn start(&mut self, mss: u32, _initial: u32, _now: segue::Instant) {
        self.mss = mss;
    }
    fn on_ack(&mut self, _acked: &segue::congestion::Acked) {}
    fn on_congestion(&mut self, _congestion: &segue::congestion::Congestion) {
        self.congested += 1;
    }
    fn window(&self) -> u32 {
        2 * self.mss
    }
}

#[test]
fn may_18_an_embedder_may_bring_a_controller() {
    let config = segue::Arc::new(plain().build().unwrap());
    let now = segue::Instant::ZERO;
    let (mut connection, _) =
        segue::Connection::connect_with(TwoSegments::default(), config, Path::ipv4(1500), SECRETS, now);
    connection.handle_segment(peer_syn_ack(), now);
    connection.send(&mut text(100_000), now).unwrap();
    for n in 1..20 {
        assert_eq!((connection.info().flight, connection.info().cwnd), (2920, 2920));
        connection.handle_segment(peer(0, n * 1460), now);
    }
}

/// RFC 6675 §2: with SACK, an ACK that reports something new is a duplicate although its window is another, as that of
/// a peer which tunes its buffer is each time. One that reports nothing new, or nonsense, is none.
#[test]
fn a_sack_that_reports_more_is_a_duplicate_ack_whatever_its_window() {
    let mut tcp = Rig::connect(plain().sack(true).rack(false), Path::ipv4(1500));
    let mut syn_ack = peer_syn_ack();
    syn_ack.options.update(|options| options.sack_permitted = true);
    tcp.arrives(syn_ack);
    tcp.send(14_600);
    let report = |window: u16, left: u32, right: u32| {
        let mut ack = segue::Segment { window, ..peer(0, 0) };
        ack.options.update(|options| options.sack.push(segue::SackBlock { left: ours(left), right: ours(right) }));
        ack
    };
    let retransmits = |tcp: &Rig| tcp.info().counters.fast_retransmits;
    tcp.arrives(report(60_001, 1460, 2920));
    for window in 50_000..50_010 {
        tcp.arrives(report(window, 1460, 2920)); // nothing new
        tcp.arrives(report(window + 100, 2920, 1460)); // inverted
        tcp.arrives(report(window + 200, 1460, 90_000)); // beyond SND.NXT
    }
    tcp.arrives(report(60_002, 1460, 4380));
    assert_eq!((retransmits(&tcp), tcp.info().counters.duplicate_acks), (0, 2));
    tcp.arrives(report(60_003, 1460, 5840));
    assert_eq!(retransmits(&tcp), 1);
    assert_eq!(tcp.sent().first().map(|segment| segment.seq), Some(ours(0)));
}

/// RFC 6582 §3.2: fast retransmit works however far the numbers have gone on since the last loss; half the circle of
/// 2³² is no horizon.
#[test]
fn fast_retransmit_works_after_two_gibibytes_without_loss() {
    let mut tcp = Rig::established(plain().max_transmit(65_000).nagle(false));
    let mut sent = 0u32;
    while sent < (1 << 31) + (1 << 20) {
        tcp.send(130_000);
        sent += 130_000;
        while tcp.info().flight > 0 {
            let acked = tcp.info().snd_nxt - ours(0);
            tcp.arrives(peer(0, acked));
        }
    }
    tcp.send(14_600);
    let una = tcp.info().snd_una - ours(0);
    for _ in 0..3 {
        tcp.arrives(peer(0, una));
    }
    assert_eq!(tcp.info().counters.fast_retransmits, 1);
}

/// RFC 5681 §4.1: the restart window holds for the first segment after the idle time, however large a `Transmit` may be.
#[test]
fn after_idle_no_more_than_the_restart_window_is_sent() {
    let mut tcp = Rig::established(plain().max_transmit(64_000));
    for _ in 0..30 {
        tcp.send(64_000);
        while tcp.info().flight > 0 {
            let acked = tcp.info().snd_nxt - ours(0);
            tcp.arrives(peer(0, acked));
        }
    }
    assert!(tcp.info().cwnd > 60_000);
    tcp.quiet(secs(100));
    tcp.send(64_000);
    assert_eq!(tcp.info().flight, 14_600);
}
