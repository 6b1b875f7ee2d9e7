//! RFC 5927 §7.2: an error is believed at once about what never got through, and otherwise when timeouts agree.

use segue::{ConfigBuilder, Event, IcmpKind, Path, Segment, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{ours, peer, peer_syn_ack};
use segue_kit::{ms, plain};

use super::proven;

fn too_big(tcp: &mut Rig, seq: u32, mtu: u16) -> String {
    tcp.does(Event::Icmp { kind: IcmpKind::PacketTooBig, quoted_seq: ours(seq), mtu })
}

fn with_path(config: ConfigBuilder, path: Path) -> Rig {
    let mut tcp = Rig::connect(config, path);
    tcp.arrives(peer_syn_ack());
    tcp
}

#[test]
fn initial_discovery_believes_at_once() {
    let mut tcp = Rig::established_with_reno(plain());
    tcp.send(4000);
    let before = tcp.info();
    assert!(too_big(&mut tcp, 0, 1400).starts_with("Report(PathMtu(1400)); <SEQ=0><ACK=0><DATA=1360>"));
    let info = tcp.info();
    assert_eq!((info.path_mtu, info.eff_snd_mss), (1400, 1360));
    assert_eq!((info.cwnd, info.ssthresh), (before.cwnd, before.ssthresh), "it is no congestion");
}

/// An error about a size is no congestion: what is too large goes again, and the window stays.
#[test]
fn rfc_1191_6_4_an_error_about_a_size_leaves_the_window() {
    let mut tcp = Rig::established_with_reno(plain());
    tcp.send(14_600);
    let before = (tcp.info().cwnd, tcp.info().ssthresh);
    too_big(&mut tcp, 0, 1400);
    assert!(tcp.sent().len() > 10, "all ten were too large");
    assert_eq!((tcp.info().cwnd, tcp.info().ssthresh), before);
}

/// Only segments that are too large go again.
#[test]
fn what_fits_is_not_sent_again() {
    let mut tcp = Rig::established_with_reno(plain().nagle(false));
    tcp.send(1460);
    tcp.send(500);
    tcp.send(1460);
    too_big(&mut tcp, 0, 1400);
    let sent: Vec<_> = tcp.sent().iter().map(|segment| (segment.seq - ours(0), segment.payload.len())).collect();
    assert_eq!(sent, [(0, 1360), (1360, 100), (1960, 1360), (3320, 100)]);
}

#[test]
fn what_was_never_sent_cannot_be_too_big() {
    let mut tcp = Rig::established(plain());
    tcp.send(600);
    assert_eq!(too_big(&mut tcp, 0, 1400), "");
    assert_eq!(too_big(&mut tcp, 0, 640), "");
    assert!(too_big(&mut tcp, 0, 639).starts_with("Report(PathMtu(639))"));
    // a SYN fits every link
    let mut opening = Rig::connect(plain(), Path::ipv4(1500));
    let iss = opening.info().iss;
    let error = Event::Icmp { kind: IcmpKind::PacketTooBig, quoted_seq: iss, mtu: 68 };
    assert_eq!((opening.does(error), opening.info().path_mtu), (String::new(), 1500));
}

#[test]
fn an_update_waits_for_a_timeout() {
    let mut tcp = proven();
    tcp.send(2920);
    assert_eq!(too_big(&mut tcp, 2920, 1400), "");
    assert_eq!(tcp.info().path_mtu, 1500);
    assert!(tcp.fire(Timer::Retransmit).starts_with("Report(PathMtu(1400)); <SEQ=2920><ACK=0><DATA=1360>"));
    // and after one it is believed at once
    let mut tcp = proven();
    tcp.send(2920);
    tcp.fire(Timer::Retransmit);
    assert!(too_big(&mut tcp, 2920, 1400).starts_with("Report(PathMtu(1400))"));
}

#[test]
fn progress_shows_that_an_error_was_false() {
    let mut tcp = proven();
    tcp.send(4380);
    too_big(&mut tcp, 2920, 1400);
    tcp.arrives(peer(0, 4380));
    tcp.fire(Timer::Retransmit);
    assert_eq!(tcp.info().path_mtu, 1500);
    // progress before what it quotes shows nothing
    let mut tcp = proven();
    tcp.send(4380);
    too_big(&mut tcp, 4380, 1400);
    tcp.arrives(peer(0, 4380));
    assert!(tcp.fire(Timer::Retransmit).starts_with("Report(PathMtu(1400))"));
}

/// The search believes a size between the one that got through and the one on trial at once.
#[test]
fn larger_than_what_got_through_is_believed_at_once() {
    let mut tcp = Rig::established(plain());
    tcp.send(960);
    tcp.quiet(ms(100));
    tcp.arrives(peer(0, 960)); // a packet of 1000 octets
    tcp.send(1460);
    assert_eq!(too_big(&mut tcp, 960, 999), "");
    assert!(too_big(&mut tcp, 960, 1000).starts_with("Report(PathMtu(1000))"));
}

#[test]
fn how_many_timeouts_it_takes_can_be_set() {
    for timeouts in [0, 1, 2] {
        let mut tcp = Rig::established(plain().too_big_timeouts(timeouts));
        tcp.send(1460);
        tcp.arrives(peer(0, 1460));
        tcp.send(1460);
        too_big(&mut tcp, 1460, 1400);
        for _ in 0..timeouts {
            assert_eq!(tcp.info().path_mtu, 1500);
            tcp.fire(Timer::Retransmit);
        }
        assert_eq!(tcp.info().path_mtu, 1400, "{timeouts}");
    }
}

/// Linux goes no lower than 552 (`min_pmtu`): what a forger can make of a connection that he sees.
#[test]
fn the_floor_is_configurable_and_never_below_the_versions_minimum() {
    let mut tcp = Rig::established(plain().min_mtu(552));
    tcp.send(1460);
    assert!(too_big(&mut tcp, 0, 100).starts_with("Report(PathMtu(552))"));
    let mut tcp = Rig::established(plain());
    tcp.send(1460);
    assert!(too_big(&mut tcp, 0, 68).starts_with("Report(PathMtu(68))"));
    let mut tcp = with_path(plain(), Path::ipv6(1500));
    tcp.send(1440);
    assert_eq!((too_big(&mut tcp, 0, 1279), too_big(&mut tcp, 0, 600)), (String::new(), String::new()));
    assert!(too_big(&mut tcp, 0, 1280).starts_with("Report(PathMtu(1280))"));
    // the floor is for errors, not for the host
    let mut tcp = Rig::established(plain().min_mtu(552));
    tcp.does(Event::Mtu(300));
    assert_eq!(tcp.info().path_mtu, 300);
}

/// What an error has lowered is tried again after ten minutes (RFC 1191 §6.3); the next error is believed at once.
#[test]
fn the_full_size_is_tried_again() {
    let mut tcp = Rig::established(plain());
    tcp.send(1460);
    too_big(&mut tcp, 0, 1400);
    tcp.quiet(ms(100));
    tcp.arrives(peer(0, 1460));
    tcp.now += ms(599_000);
    tcp.send(1360);
    assert_eq!(tcp.arrives(peer(0, 2820)), "Acked(1360); Flushed");
    tcp.send(6000);
    assert_eq!(tcp.lengths(), [1360, 1360, 1360, 1360]);
    tcp.now += ms(2000);
    assert_eq!(tcp.arrives(peer(0, 8820 - 560)), "Acked(5440); <SEQ=8260><ACK=0><DATA=560><CTL=PSH,ACK>");
    tcp.arrives(peer(0, 8820));
    // one packet, followed by smaller ones (RFC 4821 §7.5), and the error about it is exact (§7.6.2)
    tcp.send(6000);
    assert_eq!(tcp.lengths(), [1460, 1360, 1360, 1360]);
    assert_eq!(
        too_big(&mut tcp, 8820, 1400),
        "<SEQ=8820><ACK=0><DATA=1360><CTL=ACK>; <SEQ=10180><ACK=0><DATA=100><CTL=ACK>"
    );
    assert_eq!((tcp.info().path_mtu, tcp.info().ssthresh), (1400, u32::MAX));
    tcp.arrives(peer(0, 8820 + 5540));
    tcp.arrives(peer(0, 14_820));
    tcp.now += ms(601_000);
    tcp.send(1360);
    tcp.arrives(peer(0, 16_180));
    tcp.send(6000);
    assert_eq!(tcp.arrives(peer(0, 16_180 + 1460)), "Report(PathMtu(1500)); Acked(1460)");

    // without probes the full size is in use at once
    let mut tcp = Rig::established(plain().mtu_probing(false));
    tcp.send(1460);
    too_big(&mut tcp, 0, 1400);
    tcp.quiet(ms(100));
    tcp.arrives(peer(0, 1460));
    tcp.now += ms(601_000);
    tcp.send(1360);
    assert_eq!(tcp.arrives(peer(0, 2820)), "Report(PathMtu(1500)); Acked(1360); Flushed");
    tcp.send(1460);
    assert_eq!(tcp.lengths(), [1460]);
    assert!(too_big(&mut tcp, 2820, 1400).starts_with("Report(PathMtu(1400)); <SEQ=2820><ACK=0><DATA=1360>"));

    let mut tcp = Rig::established(plain().mtu_retry(None));
    tcp.send(1460);
    too_big(&mut tcp, 0, 1400);
    tcp.arrives(peer(0, 1460));
    tcp.now += ms(1_000_000_000);
    tcp.send(1360);
    tcp.arrives(peer(0, 2820));
    assert_eq!(tcp.info().path_mtu, 1400);
}

/// The attack of RFC 5927 §7.1: forged errors, all in flight, against a connection that makes progress.
#[test]
fn forged_errors_do_nothing_to_a_connection_that_makes_progress() {
    let mut tcp = proven();
    let mut acked = 2920;
    tcp.send(100_000);
    for round in 0..20 {
        for mtu in [68, 296, 552, 1006, 1280, 1400, 1499] {
            let seq = tcp.info().snd_una;
            let error = Event::Icmp { kind: IcmpKind::PacketTooBig, quoted_seq: seq, mtu };
            assert_eq!(tcp.does(error), "", "round {round}");
        }
        tcp.quiet(ms(50));
        acked += 1460;
        tcp.arrives(Segment { window: 65_535, ..peer(0, acked) });
    }
    assert_eq!((tcp.info().path_mtu, tcp.info().counters.retransmissions), (1500, 0));
}

/// A larger MTU makes nothing in flight too large, however much one `Transmit` carried.
#[test]
fn a_larger_mtu_sends_nothing_again() {
    let mut tcp = Rig::established(plain().max_transmit(60_000));
    tcp.does(Event::Mtu(1000));
    tcp.send(9600);
    assert_eq!(tcp.sent().len(), 1);
    tcp.does(Event::Mtu(1500));
    assert_eq!((tcp.sent().len(), tcp.info().counters.retransmissions), (0, 0));
}
