//! ICMP errors (RFC 9293 §3.9.2.2, RFC 5927).

use segue::{Event, IcmpKind, Path, SeqNum, State, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{ISS, ours, peer, peer_syn};
use segue_kit::{ms, plain};

const SOFT: [IcmpKind; 3] = [IcmpKind::Unreachable, IcmpKind::TimeExceeded, IcmpKind::ParameterProblem];
const HARD: [IcmpKind; 2] = [IcmpKind::ProtocolUnreachable, IcmpKind::PortUnreachable];

fn icmp(tcp: &mut Rig, kind: IcmpKind, quoted_seq: SeqNum, mtu: u16) -> String {
    tcp.does(Event::Icmp { kind, quoted_seq, mtu })
}

/// A synchronized state with ten octets in flight.
fn in_flight(state: State) -> Rig {
    let mut tcp = Rig::established(plain());
    tcp.send(10);
    match state {
        State::Established => {}
        State::FinWait1 => drop(tcp.close()),
        State::CloseWait => {
            drop(tcp.arrives(segue_kit::streams::peer_ctl(segue::Flags::FIN | segue::Flags::ACK, 0, 0)))
        }
        State::LastAck => {
            tcp.arrives(segue_kit::streams::peer_ctl(segue::Flags::FIN | segue::Flags::ACK, 0, 0));
            tcp.close();
        }
        State::Closing => {
            tcp.close();
            tcp.arrives(segue_kit::streams::peer_ctl(segue::Flags::FIN | segue::Flags::ACK, 0, 0));
        }
        _ => unreachable!("{state} has nothing in flight"),
    }
    assert_eq!(tcp.state(), state);
    tcp
}
const IN_FLIGHT: [State; 5] = [State::Established, State::FinWait1, State::CloseWait, State::LastAck, State::Closing];

#[test]
fn must_56_shld_25_soft_errors_are_reported_and_end_nothing() {
    for kind in SOFT {
        for state in IN_FLIGHT {
            let mut tcp = in_flight(state);
            let before = tcp.connection.canonical(tcp.now);
            assert_eq!(icmp(&mut tcp, kind, ours(3), 0), format!("Report(Icmp({kind:?}))"));
            assert_eq!(tcp.connection.canonical(tcp.now), before);
        }
        let mut syn_sent = Rig::connect(plain(), Path::ipv4(1500));
        assert_eq!(icmp(&mut syn_sent, kind, ISS, 0), format!("Report(Icmp({kind:?}))"));
        assert_eq!(syn_sent.state(), State::SynSent);
        let mut syn_received = Rig::accept(plain(), Path::ipv4(1500), peer_syn());
        assert_eq!(icmp(&mut syn_received, kind, ISS, 0), format!("Report(Icmp({kind:?}))"));
        assert_eq!(syn_received.state(), State::SynReceived);
    }
}

/// Which messages these are: the codes of MUST-56, SHLD-26 and RFC 1122 §3.2.2.1.
#[test]
fn must_54_must_56_shld_26_types_and_codes() {
    let soft_v4 = [(3, 0), (3, 1), (3, 5), (11, 0), (11, 1), (12, 0)].map(|(kind, code)| IcmpKind::from_v4(kind, code));
    let soft_v6 =
        [(1, 0), (1, 3), (3, 0), (3, 1), (4, 0), (4, 1), (4, 2)].map(|(kind, code)| IcmpKind::from_v6(kind, code));
    for kind in soft_v4.into_iter().chain(soft_v6) {
        assert!(kind.is_some_and(|kind| SOFT.contains(&kind) && !kind.is_hard()), "{kind:?}");
    }
    assert_eq!(IcmpKind::from_v4(3, 2), Some(IcmpKind::ProtocolUnreachable));
    assert_eq!([IcmpKind::from_v4(3, 3), IcmpKind::from_v6(1, 4)], [Some(IcmpKind::PortUnreachable); 2]);
    assert_eq!([IcmpKind::from_v4(3, 4), IcmpKind::from_v6(2, 0)], [Some(IcmpKind::PacketTooBig); 2]);
    assert_eq!(IcmpKind::from_v4(4, 0), Some(IcmpKind::SourceQuench));
    assert_eq!([IcmpKind::from_v4(8, 0), IcmpKind::from_v6(128, 0)], [None; 2]); // echo requests
}

#[test]
fn must_54_shld_26_hard_errors_end_what_is_opening() {
    for kind in HARD {
        let mut syn_sent = Rig::connect(plain(), Path::ipv4(1500));
        assert_eq!(icmp(&mut syn_sent, kind, ISS, 0), format!("Closed(Unreachable({kind:?}))"));
        assert_eq!(syn_sent.state(), State::Closed);
        let mut syn_received = Rig::accept(plain(), Path::ipv4(1500), peer_syn());
        assert_eq!(icmp(&mut syn_received, kind, ISS, 0), format!("Closed(Unreachable({kind:?}))"));
        let mut listening = Rig::listen(plain());
        listening.arrives(peer_syn());
        assert_eq!(icmp(&mut listening, kind, ISS, 0), "ReturnedToListen");
    }
}

/// RFC 5927 §5.2: a deviation from SHLD-26 that RFC 9293 names itself.
#[test]
fn shld_26_hard_errors_are_soft_in_synchronized_states() {
    for kind in HARD {
        for state in IN_FLIGHT {
            let mut tcp = in_flight(state);
            assert_eq!(icmp(&mut tcp, kind, ours(0), 0), format!("Report(Icmp({kind:?}))"));
            assert_eq!(tcp.state(), state);
        }
    }
}

#[test]
fn must_55_source_quench_is_ignored() {
    let mut tcp = in_flight(State::Established);
    let before = tcp.connection.clone();
    assert_eq!(icmp(&mut tcp, IcmpKind::SourceQuench, ours(0), 0), "");
    assert_eq!(tcp.connection, before);
}

/// SND.UNA =< quoted number < SND.NXT (RFC 5927 §4.1): who quotes another has seen nothing of ours.
#[test]
fn must_54_only_what_is_in_flight_can_be_quoted() {
    for kind in SOFT.into_iter().chain(HARD).chain([IcmpKind::PacketTooBig]) {
        for (quoted, counts) in
            [(ours(0), true), (ours(1459), true), (ours(1460), false), (ISS, false), (ours(1 << 31), false)]
        {
            let mut tcp = Rig::established(plain());
            tcp.send(1460);
            assert_eq!(!icmp(&mut tcp, kind, quoted, 1400).is_empty(), counts, "{kind:?}, {quoted}");
        }
        let mut idle = Rig::established(plain());
        assert_eq!(icmp(&mut idle, kind, ours(0), 1400), "");
        let mut syn_sent = Rig::connect(plain(), Path::ipv4(1500));
        assert_eq!(icmp(&mut syn_sent, kind, ISS + 1, 1400), "");
    }
}

/// RFC 1191, RFC 8201: the flight is cut anew, at once; the congestion window is not a matter of it.
#[test]
fn must_54_packet_too_big_makes_segments_smaller() {
    let mut tcp = Rig::established(plain());
    tcp.send(2920);
    assert_eq!(tcp.lengths(), [1460, 1460]);
    let words = icmp(&mut tcp, IcmpKind::PacketTooBig, ours(0), 1400);
    assert!(words.starts_with("Report(PathMtu(1400)); <SEQ=0><ACK=0><DATA=1360>"), "{words}");
    assert_eq!(tcp.lengths(), [1360, 1360, 200]);
    assert_eq!((tcp.info().eff_snd_mss, tcp.info().ssthresh), (1360, u32::MAX));
    assert_eq!(tcp.arrives(peer(0, 2920)), "Acked(2920); Flushed");
    tcp.send(1360);
    // never larger by such a message
    assert_eq!(icmp(&mut tcp, IcmpKind::PacketTooBig, ours(2920), 1500), "");
    assert_eq!(tcp.until(Timer::Persist), None);
}

/// RFC 5927 §7: the flight is cut anew at most once in a round trip, whatever forged errors say.
#[test]
fn a_series_of_too_big_errors_does_not_resend_the_flight_each_time() {
    let mut tcp = Rig::established(plain());
    tcp.send(14_600);
    let mut octets = 0;
    for mtu in (68..1500).rev() {
        tcp.does(Event::Icmp { kind: IcmpKind::PacketTooBig, quoted_seq: ours(0), mtu });
        octets += tcp.sent().iter().map(|segment| segment.payload.len()).sum::<usize>();
    }
    assert!(octets <= 14_600, "{octets} octets sent again");
    tcp.quiet(ms(500));
    tcp.does(Event::Icmp { kind: IcmpKind::PacketTooBig, quoted_seq: ours(0), mtu: 1000 });
    assert_eq!(tcp.info().eff_snd_mss, 960); // a round trip later the next router is heard
}
