//! The interface to the user (RFC 9293 §3.9.1).

use segue::{Config, Connection, Event, Flags, IcmpKind, Path, Segment, State};
use segue_kit::rig::Rig;
use segue_kit::streams::{SECRETS, ours, peer_ctl, peer_syn, text};
use segue_kit::{plain, secs};

/// Passive OPENs are values of their own: what happens to one touches no other, and half-open connections do not keep a
/// host from listening.
#[test]
fn must_41_must_42_each_passive_open_is_a_value_of_its_own() {
    let config = segue::Arc::new(Config::default());
    let listen = || Connection::listen(config.clone(), Path::ipv4(1500), SECRETS);
    let (mut first, second) = (listen(), listen());
    let untouched = second.clone();
    first.handle_segment(peer_syn(), segue::Instant::ZERO);
    let third = listen();
    assert_eq!(first.state(), State::SynReceived);
    assert_eq!([&second, &third], [&untouched; 2]);
    assert_eq!(third.state(), State::Listen);
}

/// The three reports of §3.9.1.8, none of which ends the connection.
#[test]
fn must_47_u_8_reports_of_icmp_retransmission_and_urgent_data() {
    let mut tcp = Rig::established(plain());
    tcp.send(10);
    let kind = IcmpKind::Unreachable;
    assert_eq!(tcp.does(Event::Icmp { kind, quoted_seq: ours(0), mtu: 0 }), "Report(Icmp(Unreachable))");
    let happened = tcp.pass(secs(10));
    assert!(happened[2].1.starts_with("Report(Unresponsive { retransmissions: 3 })"), "{happened:?}");
    let urgent = Segment { urgent: 4, payload: text(4), ..peer_ctl(Flags::URG | Flags::ACK, 0, 10) };
    assert_eq!(tcp.arrives(urgent), "Urgent { ahead: 4 }; Deliver 4; Acked(10); Flushed");
    assert_eq!(tcp.state(), State::Established);
}

/// SHLD-20: nothing depends on a report being looked at.
#[test]
fn shld_20_reports_may_be_left_unread() {
    let (mut one, mut other) = (Rig::established(plain()), Rig::established(plain()));
    for tcp in [&mut one, &mut other] {
        tcp.send(10);
    }
    let mut heard = 0;
    for n in 0..100 {
        let kind = if n % 2 == 0 { IcmpKind::TimeExceeded } else { IcmpKind::ParameterProblem };
        let event = Event::Icmp { kind, quoted_seq: ours(0), mtu: 0 };
        let mut listening = |action| heard += usize::from(matches!(action, segue::Action::Report(_)));
        one.connection.handle(event.clone(), one.now, &mut listening).unwrap();
        other.connection.handle(event, other.now, &mut |_| ()).unwrap();
    }
    assert_eq!((heard, one.connection == other.connection), (100, true));
}
