//! RFC 9768 §3.2.2.5, App. A: the Data Sender: how many marks an acknowledgment tells of, and what follows.

use bytes::Bytes;
use segue::congestion::{Acked, Congestion, Controller, Delivery, Signal};
use segue::{Action, Arc, Connection, Ecn, Event, Flags, Instant, Path, Secrets, Segment, SeqNum};
use segue_kit::rig::{At, Rig};
use segue_kit::streams::{ours, peer, peer_syn_ack};
use segue_kit::{Rng, ms};

use super::{accurate, client, client_of, coded, connect, marks, order_0, send, with_option};

/// A client without the peer's options, before a flight of this number of packets of 1000 octets; two of these or less were acknowledged
/// at once so far.
fn flight(packets: usize) -> Rig {
    let config = accurate().send_buffer(1 << 20).initial_window(10);
    let mut rig = Rig::connect(config, Path::ipv4(1500));
    rig.arrives(coded(peer_syn_ack(), 0b010));
    let mut acked = 0;
    rig.send(100); // the first text has an option of its own
    // slow start, until they fit
    while usize::try_from(rig.info().cwnd).unwrap() < packets * 1000 + 3000 {
        let nxt = rig.info().snd_nxt - ours(0);
        if nxt > acked {
            rig.wait(ms(20));
        }
        while nxt > acked {
            acked = nxt.min(acked + 2000);
            rig.arrives(coded(peer(0, acked), 5));
        }
        while usize::try_from(rig.info().flight).unwrap() + 1000 <= usize::try_from(rig.info().cwnd).unwrap() {
            rig.send(1000);
            if rig.sent().is_empty() {
                break;
            }
        }
    }
    let nxt = rig.info().snd_nxt - ours(0);
    while acked < nxt {
        acked = nxt.min(acked + 2000);
        rig.arrives(coded(peer(0, acked), 5));
    }
    assert_eq!((rig.info().flight, marks(&rig).ce_packets_out), (0, 0));
    rig
}

/// RFC 3168 §6.1.2 by RFC 9768 §4: one reduction for the marks of a window of data; more marks later are another.
#[test]
fn rfc_9768_4_marks_reduce_once_in_a_round_trip() {
    let mut rig = client();
    send(&mut rig, 4);
    let before = rig.info().cwnd;
    for n in 1..=3 {
        rig.arrives(coded(peer(0, 1000 * u32::from(n)), 5 + n));
    }
    assert_eq!((rig.info().counters.ecn_reductions, marks(&rig).ce_packets_out), (1, 3));
    assert!(rig.info().cwnd < before);
    rig.arrives(coded(peer(0, 4000), 8 % 8));
    send(&mut rig, 2);
    rig.arrives(coded(peer(0, 5000), 1));
    assert_eq!((rig.info().counters.ecn_reductions, marks(&rig).ce_packets_out), (2, 4));
}

/// App. A.1: an acknowledgment that another has superseded tells nothing: nothing new, and no later timestamp.
#[test]
fn rfc_9768_a_1_superseded_acknowledgments_are_ignored() {
    let mut rig = client();
    send(&mut rig, 3);
    rig.arrives(with_option(coded(peer(0, 2000), 6), order_0(&[1001, 1000])));
    assert_eq!(marks(&rig).ce_packets_out, 1);
    for ace in 0..8 {
        rig.arrives(with_option(coded(peer(0, 1000), ace), order_0(&[1, 99])));
        rig.arrives(with_option(coded(peer(0, 2000), ace), order_0(&[1, 99])));
    }
    assert_eq!((marks(&rig).ce_packets_out, marks(&rig).ce_octets_out), (1, 1000));
    // with timestamps, a later one counts though nothing is acknowledged
    let mut rig = At::default().with(|config| config.ecn(segue::EcnMode::Accurate).timestamps(true)).connect();
    rig.arrives(coded(rig.syn(Flags::SYN | Flags::ACK), 0b010));
    rig.send(10);
    rig.peer_clock += 1;
    rig.arrives(coded(rig.text(1, 1, "later"), 6));
    assert_eq!(marks(&rig).ce_packets_out, 1, "{:?}", rig.last);
    rig.arrives(coded(rig.text(6, 1, "as late"), 7));
    assert_eq!(marks(&rig).ce_packets_out, 1);
}

/// §3.2.2.5.2, App. A.2.1: runs of lost acknowledgments, of every length, with every share of marks: no mark is missed,
/// where acknowledgments usually cover few packets, and no more are counted than there were packets.
#[test]
fn rfc_9768_3_2_2_5_2_lost_acknowledgments_hide_no_mark() {
    for run in 1..=40u32 {
        for percent in [1, 5, 25, 50, 75, 99, 100] {
            let mut rig = flight(usize::try_from(run).unwrap() + 3);
            let mut rng = Rng::new(u64::from(run * 1000 + percent));
            let start = rig.info().snd_nxt - ours(0);
            for _ in 0..run + 2 {
                rig.send(1000);
            }
            let sent = (rig.info().snd_nxt - ours(0) - start) / 1000;
            assert_eq!(sent, run + 2, "the window takes it");
            let mut truth = 0u32;
            let mut marked = |packets: u32| {
                truth += (0..packets).filter(|_| rng.chance(10 * percent)).count() as u32;
                truth
            };
            // two packets, the first of them marked for certain, then the run is lost but for its end
            let first = marked(1) + 1;
            rig.arrives(coded(peer(0, start + 2000), ((5 + first) % 8) as u8));
            let all = marked(run) + 1;
            rig.arrives(coded(peer(0, start + sent * 1000), ((5 + all) % 8) as u8));
            let told = u32::try_from(marks(&rig).ce_packets_out).unwrap();
            assert!(told >= all && told <= first + run, "{run} {percent}: {told} for {all}");
            assert_eq!(told % 8, all % 8);
        }
    }
}

/// Without a mark so far, a long acknowledgment whose counter stands still is no sign of congestion; and where every
/// acknowledgment is long (receive offload, ACK filters) the field is not taken for all of them being marked.
#[test]
fn rfc_9768_3_2_2_5_2_long_acknowledgments_are_not_all_marks() {
    let mut rig = flight(50);
    let mut rng = Rng::new(45);
    let (mut cep, mut truth) = (5u64, 0u64);
    let mut round = |rig: &mut Rig, permille: u32| {
        for _ in 0..45 {
            rig.send(1000);
        }
        while rig.info().flight > 0 {
            let una = rig.info().snd_una - ours(0);
            let octets = rig.info().flight.min(45_000);
            let some = (0..octets.div_ceil(1000)).filter(|_| rng.chance(permille)).count() as u64;
            (cep, truth) = (cep + some, truth + some);
            rig.wait(ms(20));
            rig.arrives(coded(peer(0, una + octets), (cep % 8) as u8));
        }
        truth
    };
    (0..20).for_each(|_| _ = round(&mut rig, 0));
    assert_eq!((marks(&rig).ce_packets_out, rig.info().counters.ecn_reductions), (0, 0));
    let mut truth = 0;
    (0..60).for_each(|_| truth = round(&mut rig, 50));
    let told = marks(&rig).ce_packets_out;
    assert!(told < 2 * truth + 45, "{told} for {truth}");
    assert!(told >= truth / 2, "{told} for {truth}");
    assert!(rig.info().counters.ecn_reductions > 5);
    // the marks end, and so does what is counted
    let before = marks(&rig).ce_packets_out;
    (0..20).for_each(|_| _ = round(&mut rig, 0));
    assert!(marks(&rig).ce_packets_out <= before + 8, "{before} {:?}", marks(&rig));
}

/// App. A.2.2 and its examples: with the option the packets are as many as the marked octets take.
#[test]
fn rfc_9768_a_2_2_examples_with_the_option() {
    for (ace, ceb, expected) in [(5, 1448, 8), (7, 1448, 2), (4, 10_136, 7), (6, 13_032, 9), (6, 1000, 1)] {
        let mut rig = client_of(accurate().initial_window(10).send_buffer(1 << 20));
        rig.send(100);
        for _ in 0..9 {
            rig.send(1448);
        }
        let nxt = rig.info().snd_nxt - ours(0);
        assert!(nxt > 9 * 1000, "{nxt}");
        rig.arrives(with_option(coded(peer(0, nxt), ace), order_0(&[1, ceb])));
        let packets = nxt.div_ceil(1448);
        let expected = if u64::from(packets) >= expected { expected } else { expected % 8 };
        assert_eq!(marks(&rig).ce_packets_out, expected, "{ace} {ceb} of {packets}");
    }
}

/// §3.2.2.5.2: more marks than packets: "the Data Sender SHOULD consider the ACE counter to be correct".
#[test]
fn rfc_9768_3_2_2_5_2_the_counter_counts_control_packets_too() {
    let mut rig = client();
    send(&mut rig, 2);
    rig.arrives(coded(peer(0, 1000), 5));
    rig.arrives(coded(peer(0, 2000), 5 + 2));
    assert_eq!(marks(&rig).ce_packets_out, 2);
}

/// App. A.3: octets are estimated by the packets where no option tells, and an option that comes later corrects the sum.
#[test]
fn rfc_9768_a_3_marked_octets_are_estimated() {
    let mut rig = client();
    send(&mut rig, 3);
    rig.arrives(coded(peer(0, 1000), 5));
    rig.arrives(coded(peer(0, 2000), 6));
    assert_eq!(marks(&rig).ce_octets_out, 1000);
    rig.arrives(with_option(coded(peer(0, 3000), 7), order_0(&[1, 1700])));
    assert_eq!((marks(&rig).ce_octets_out, marks(&rig).ce_packets_out), (1700, 2));
}

/// App. A.1: an option whose counters step back, on an acknowledgment that brings something new, is late or wrong.
#[test]
fn rfc_9768_a_1_counters_do_not_step_back() {
    let mut rig = client();
    send(&mut rig, 3);
    rig.arrives(with_option(coded(peer(0, 1000), 6), order_0(&[2001, 1000])));
    rig.arrives(with_option(coded(peer(0, 2000), 6), order_0(&[2000, 999])));
    assert_eq!((marks(&rig).ce_octets_out, marks(&rig).ect_octets_out), (1000, (2000, 0)));
    rig.arrives(with_option(coded(peer(0, 3000), 7), order_0(&[2001, 2000])));
    assert_eq!((marks(&rig).ce_octets_out, marks(&rig).ce_packets_out), (2000, 2));
}

/// While nothing of ours is in flight the counter is followed, too, by the timestamp: marks of pure ACKs are no news later.
#[test]
fn rfc_9768_a_1_an_idle_sender_follows_the_counter() {
    let mut rig = At::default().with(|config| config.ecn(segue::EcnMode::Accurate).timestamps(true)).connect();
    rig.arrives(coded(rig.syn(Flags::SYN | Flags::ACK), 0b010));
    for n in 1..=3u8 {
        rig.peer_clock += 1;
        rig.arrives(coded(rig.ack(1, 1), (5 + n) % 8));
        assert_eq!(marks(&rig).ce_packets_out, u64::from(n));
    }
    assert_eq!(rig.info().counters.ecn_reductions, 0, "nothing is in flight");
    rig.send(10);
    rig.peer_clock += 1;
    rig.arrives(coded(rig.ack(1, 11), 0));
    assert_eq!((marks(&rig).ce_packets_out, rig.info().counters.ecn_reductions), (3, 0));
}

/// A controller that notes what it is told.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Noting {
    octets: u64,
    marked: (u64, u64),
    most: u32,
    signals: u32,
}

impl Controller for Noting {
    fn start(&mut self, _: u32, _: u32, _: Instant) {}
    fn on_ack(&mut self, _: &Acked) {}
    fn on_congestion(&mut self, congestion: &Congestion) {
        self.signals += u32::from(congestion.signal == Signal::Ecn);
    }
    fn window(&self) -> u32 {
        100_000
    }
    fn on_delivery(&mut self, delivery: &Delivery) {
        assert!(delivery.ce_octets <= delivery.octets && delivery.ecn_echo == (delivery.ce_packets > 0));
        self.octets += u64::from(delivery.octets);
        self.marked.0 += u64::from(delivery.ce_packets);
        self.marked.1 += u64::from(delivery.ce_octets);
        self.most = self.most.max(delivery.ce_octets);
    }
}

/// A controller that works by rates hears how much was marked, with every acknowledgment; and of congestion once.
#[test]
fn a_controller_hears_how_much_was_marked() {
    let config = Arc::new(accurate().build().unwrap());
    let secrets = Secrets { iss: SeqNum::new(9), ts_offset: 0 };
    let now = Instant::from_millis(5);
    let (mut tcp, actions) = Connection::connect_with(Noting::default(), config, Path::ipv4(1500), secrets, now);
    let Some(Action::Transmit(syn)) = actions.first() else { panic!("a SYN") };
    let base = Segment { seq: SeqNum::new(700), ack: syn.seq + 1, window: 65_535, ..Segment::default() };
    let syn_ack = Segment { flags: Flags::SYN | Flags::ACK, ..base.clone() };
    let syn_ack = Segment { options: segue::Options { mss: Some(1460), ..Default::default() }.into(), ..syn_ack };
    tcp.handle_segment(with_option(coded(syn_ack, 0b010), order_0(&[1, 0, 1])), now);
    let mut out = Vec::new();
    tcp.handle(Event::Send(Bytes::from(vec![0; 30_000])), now + ms(1), &mut out).unwrap();
    let ect = |action: &Action| matches!(action, Action::Transmit(segment) if segment.ecn == Ecn::Ect0);
    assert!(out.iter().filter(|action| ect(action)).count() > 20);
    let mut ack = |octets: u32, ace, ceb| {
        let segment = Segment { seq: base.seq + 1, ack: base.ack + octets, flags: Flags::ACK, ..base.clone() };
        tcp.handle_segment(with_option(coded(segment, ace), order_0(&[1, ceb])), now + ms(20));
        tcp.info().accurate_ecn.unwrap()
    };
    ack(1456, 5, 0);
    ack(4000, 6, 1456);
    let told = ack(20_000, 4, 1456 + 9000);
    assert_eq!((told.ce_packets_out, told.ce_octets_out), (7, 10_456));
    ack(20_100, 4 + 3, 1456 + 9000 + 5000); // more than it acknowledges
    assert_eq!(tcp.info().counters.ecn_reductions, 1);
}

/// RFC 3168 §6.1.2: the window does not grow with an acknowledgment that tells of marks.
#[test]
fn rfc_9768_4_no_growth_with_marks() {
    let mut rig = connect(segue::EcnMode::Accurate);
    rig.arrives(coded(peer_syn_ack(), 0b010));
    send(&mut rig, 4);
    rig.arrives(coded(peer(0, 1000), 6));
    let after = rig.info().cwnd;
    rig.arrives(coded(peer(0, 2000), 7)); // of the same window
    assert_eq!(rig.info().cwnd, after);
}
