//! A controller that takes over from another one goes on with the round trip that the connection knows.

use std::time::Duration;

use segue::congestion::{Acked, Algorithm, Bbr, BbrInfo, Congestion, Controller};
use segue::{Action, Arc, Config, Connection, Flags, Instant, Path, Secrets, Segment, SeqNum};
use segue_kit::{ms, secs};

use super::tail_losses::{START, Tcp};

type Adaptive = Tcp<Algorithm>;

/// Segments go, and arrive after this time.
fn round(tcp: &mut Adaptive, segments: &mut u32, rtt: u64) {
    tcp.send(2);
    *segments += 2;
    tcp.wait(rtt);
    tcp.acknowledges(*segments, None);
    assert_eq!(tcp.tcp.info().flight, 0);
}

/// The shortest round trip took 50 ms, the others 100; the number of segments so far.
fn measured() -> (Adaptive, u32) {
    let (mut tcp, mut segments) = (Adaptive::new(Algorithm::default(), START), 0);
    for rtt in [50, 100, 100, 100] {
        round(&mut tcp, &mut segments, rtt);
    }
    (tcp, segments)
}

fn bbr(tcp: &Adaptive) -> BbrInfo {
    let Some(Algorithm::Bbr(bbr)) = tcp.tcp.controller() else { panic!("BBR took over") };
    bbr.info()
}

/// BBR's draft §5.2.1 and §5.6.2: what leaves at first is paced over the smoothed round trip, not over a millisecond, and
/// BBR.min_rtt is the shortest one.
#[test]
fn bbr_takes_over_with_the_round_trip_of_the_connection() {
    let (mut tcp, _) = measured();
    let srtt = tcp.tcp.info().srtt.expect("it was measured");
    assert!(srtt > ms(70) && srtt < ms(100), "{srtt:?}");
    tcp.tcp.replace_controller(Algorithm::Bbr(Bbr::default()), tcp.now, &mut Vec::new());
    let info = bbr(&tcp);
    assert_eq!((info.min_rtt, info.cwnd), (Some(ms(50)), 10_000));
    let rate = u128::from(info.cwnd) * 1_000_000 / srtt.as_micros() * 277 / 100;
    assert!(u128::from(info.pacing_rate).abs_diff(rate) <= 3, "{} and {rate}", info.pacing_rate);
    // the window takes a third of a round trip; without a round trip it would leave at once
    let begin = tcp.now;
    tcp.send(10);
    let at_once = tcp.tcp.info().flight;
    assert!((1000..=3000).contains(&at_once), "{at_once}");
    while tcp.tcp.info().flight < 10_000 {
        let (timer, at) = tcp.tcp.next_deadline().expect("the pacer");
        tcp.now = at;
        tcp.tcp.handle_timer(timer, at);
    }
    let took = tcp.now.saturating_since(begin);
    assert!(took > srtt / 5 && took < srtt / 2, "{took:?}");
}

/// What the connection knew is an estimate like others: where round trips stay longer it is forgotten after ten seconds.
#[test]
fn bbr_forgets_the_round_trip_that_it_took_over() {
    let (mut tcp, mut segments) = measured();
    tcp.tcp.replace_controller(Algorithm::Bbr(Bbr::default()), tcp.now, &mut Vec::new());
    let begin = tcp.now;
    while tcp.now < begin + secs(12) {
        if tcp.now < begin + secs(9) {
            assert_eq!(bbr(&tcp).min_rtt, Some(ms(50)));
        }
        round(&mut tcp, &mut segments, 100);
    }
    assert_eq!(bbr(&tcp).min_rtt, Some(ms(100)));
}

/// What it heard of the round trip, after its start.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Heard {
    started: bool,
    rtt: Option<(Duration, Duration)>,
}

impl Controller for Heard {
    fn start(&mut self, _: u32, _: u32, _: Instant) {
        *self = Self { started: true, rtt: None };
    }
    fn on_ack(&mut self, _: &Acked) {}
    fn on_congestion(&mut self, _: &Congestion) {}
    fn window(&self) -> u32 {
        10_000
    }
    fn set_rtt(&mut self, srtt: Duration, min_rtt: Duration) {
        assert!(self.started);
        self.rtt = Some((srtt, min_rtt));
    }
}

/// At the opening there is none to tell, nor while the handshake goes on.
#[test]
fn a_controller_hears_of_the_round_trip_where_it_takes_over() {
    let (config, now) = (Arc::new(Config::default()), Instant::from_secs(1));
    let secrets = Secrets { iss: SeqNum::new(99), ts_offset: 0 };
    let (mut tcp, _) = Connection::connect_with(Heard::default(), config, Path::ipv4(1500), secrets, now);
    let heard = |tcp: &Connection<Heard>| tcp.controller().expect("it has one").clone();
    tcp.replace_controller(Heard::default(), now, &mut Vec::new());
    assert_eq!(heard(&tcp), Heard::default());
    let (flags, ack) = (Flags::SYN | Flags::ACK, SeqNum::new(100));
    let syn = Segment { seq: SeqNum::new(7), ack, flags, window: 60_000, ..Segment::default() };
    let actions = tcp.handle_segment(syn, now + ms(40));
    assert!(actions.contains(&Action::Connected));
    assert_eq!(heard(&tcp), Heard { started: true, rtt: None });
    tcp.replace_controller(Heard::default(), now + ms(40), &mut Vec::new());
    assert_eq!(heard(&tcp).rtt, Some((ms(40), ms(40))));
}
