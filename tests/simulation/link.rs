//! One direction of the path, packet by packet.

use bytes::Bytes;
use segue::{Ecn, Segment};

use segue_sim::link::{Fate, Link, MILLISECOND, Nanos, Packet, SECOND, Settings, Tally};
use segue_sim::loss::Loss;

/// The time an octet takes.
const OCTET: Nanos = 1000;
const DELAY: Nanos = 20 * MILLISECOND;

/// 8 Mbit/s, so that an octet takes a microsecond, and a queue of two large packets.
fn settings() -> Settings {
    let (loss, mark_after, hold, bunch) = (Loss::None, None, None, None);
    let (aqm, farther) = (None, 0);
    Settings { rate: 8_000_000, delay: DELAY, queue: 3000, mark_after, aqm, farther, loss, hold, bunch }
}

fn link(settings: Settings) -> Link {
    Link::new(settings, 7)
}

/// An IP packet of `len` octets; `flow` tells packets apart.
fn packet(len: usize, flow: usize) -> Packet {
    Packet { flow, segment: Segment { payload: Bytes::from(vec![0; len - 40]), ..Segment::default() } }
}

fn capable(len: usize, ecn: Ecn) -> Packet {
    let packet = packet(len, 0);
    Packet { segment: Segment { ecn, ..packet.segment }, ..packet }
}

/// All packets under way with the times of their arrival.
fn arrivals(link: &mut Link) -> Vec<(Nanos, Packet)> {
    std::iter::from_fn(|| Some((link.next_arrival()?, link.take().expect("one that arrives")))).collect()
}

fn times(link: &mut Link) -> Vec<(Nanos, usize)> {
    arrivals(link).into_iter().map(|(at, packet)| (at, packet.flow)).collect()
}

#[test]
fn the_length_is_that_of_the_ip_packet() {
    let mut packet = packet(1500, 0);
    assert_eq!(packet.len(), 1500);
    packet.segment.options.update(|options| options.timestamps = Some(segue::Timestamps { value: 1, echo: 2 }));
    assert_eq!(packet.len(), 1512);
}

#[test]
fn packets_are_transmitted_one_after_the_other_and_take_the_delay() {
    let mut link = link(settings());
    for (flow, len) in [(0, 1500), (1, 40), (2, 1000)] {
        assert_eq!(link.offer(packet(len, flow), 0), Fate::Arrives);
    }
    assert_eq!(link.offer(packet(100, 3), SECOND), Fate::Arrives);
    let expected = [(1500, 0), (1540, 1), (2540, 2)].map(|(octets, flow)| (octets * OCTET + DELAY, flow));
    assert_eq!(times(&mut link), [&expected[..], &[(SECOND + 100 * OCTET + DELAY, 3)]].concat());
}

#[test]
fn the_queue_takes_its_octets_and_not_one_more() {
    let mut link = link(settings());
    assert_eq!(link.offer(packet(1500, 0), 0), Fate::Arrives);
    assert_eq!(link.offer(packet(1460, 1), 0), Fate::Arrives);
    assert_eq!(link.offer(packet(41, 2), 0), Fate::Full);
    assert_eq!(link.offer(packet(40, 3), 0), Fate::Arrives);
    assert_eq!(link.backlog(0), 3000);
    // A packet in transmission frees the queue octet by octet.
    assert_eq!(link.offer(packet(1500, 4), 1500 * OCTET - 1), Fate::Full);
    assert_eq!(link.offer(packet(1500, 5), 1500 * OCTET), Fate::Arrives);
    assert_eq!(link.tally, Tally { offered: 6, full: 2, ..Tally::default() });
    assert_eq!(times(&mut link).iter().map(|(_, flow)| *flow).collect::<Vec<_>>(), [0, 1, 3, 5]);
}

#[test]
fn capable_packets_that_would_wait_too_long_are_marked_and_others_are_not() {
    let mut link = link(Settings { mark_after: Some(1500 * OCTET), queue: 100_000, ..settings() });
    for ecn in [Ecn::Ect0, Ecn::Ect0, Ecn::Ect0, Ecn::NotEct, Ecn::Ect1, Ecn::Ce] {
        link.offer(capable(1500, ecn), 0);
    }
    let marks = arrivals(&mut link).into_iter().map(|(_, packet)| packet.segment.ecn).collect::<Vec<_>>();
    assert_eq!(marks, [Ecn::Ect0, Ecn::Ect0, Ecn::Ce, Ecn::NotEct, Ecn::Ce, Ecn::Ce], "the second waits just so long");
    assert_eq!(link.tally.marked, 2);
}

#[test]
fn a_lost_packet_has_taken_its_share_of_the_rate() {
    let mut link = link(Settings { loss: Loss::Texts(vec![1]), ..settings() });
    assert_eq!(link.offer(packet(1500, 0), 0), Fate::Lost);
    assert_eq!(link.offer(packet(1500, 1), 0), Fate::Arrives);
    assert_eq!(times(&mut link), [(3000 * OCTET + DELAY, 1)]);
}

#[test]
fn packets_held_back_arrive_later_by_just_that_time_and_others_overtake_them() {
    let hold = 5 * MILLISECOND;
    let mut link = link(Settings { hold: Some((100_000, hold)), ..settings() });
    let count = 20_000;
    for n in 0..count {
        assert_eq!(link.offer(packet(1000, n), n as u64 * MILLISECOND), Fate::Arrives);
    }
    let due = |flow: usize| flow as u64 * MILLISECOND + 1000 * OCTET + DELAY;
    let arrived = times(&mut link);
    assert!(arrived.is_sorted_by_key(|(at, _)| *at), "in the order of time");
    assert_eq!(arrived.len(), count);
    let held = arrived.iter().filter(|(at, flow)| *at == due(*flow) + hold).count();
    let others = arrived.iter().filter(|(at, flow)| *at == due(*flow)).count();
    assert_eq!((held + others, held as u64), (count, link.tally.held));
    assert!((1900..2100).contains(&held), "a tenth of them: {held}");
}

#[test]
fn bunches_arrive_at_the_multiples_of_their_period_in_order() {
    let period = 5 * MILLISECOND;
    let mut link = link(Settings { bunch: Some(period), ..settings() });
    for n in 0..1000 {
        link.offer(packet(40, n), n as u64 * 777_777);
    }
    let due = |flow: usize| flow as u64 * 777_777 + 40 * OCTET + DELAY;
    let arrived = times(&mut link);
    assert!(arrived.iter().map(|(_, flow)| *flow).eq(0..1000), "all, in order");
    for (at, flow) in arrived {
        assert!(at % period == 0 && (at - period + 1..=at).contains(&due(flow)), "{flow} arrives at {at}");
    }
}

#[test]
fn the_seed_decides_which_packets_are_lost() {
    let lost = |seed| {
        let mut link = Link::new(Settings { loss: Loss::Random(500_000), queue: 1 << 40, ..settings() }, seed);
        (0..64).map(|n| link.offer(packet(40, n), 0) == Fate::Lost).collect::<Vec<_>>()
    };
    assert_eq!(lost(1), lost(1));
    assert_ne!(lost(1), lost(2));
}
