//! The AQM with two queues by itself: its markers, its controller, its scheduler, against the equations of RFC 9332.

use bytes::Bytes;
use segue::{Ecn, Segment};
use segue_sim::dualpi2::{Aqm, DualPi2, ONE, TARGET};
use segue_sim::link::{MILLISECOND, Nanos, Packet, SECOND};

const RATE: u64 = 12_000_000;
/// The time of a packet of 1500 octets at this rate.
const PACKET: Nanos = MILLISECOND;

fn packet(ecn: Ecn) -> Packet {
    let segment = Segment { ecn, payload: Bytes::from(vec![0; 1460]), ..Segment::default() };
    Packet { flow: 0, segment }
}

fn aqm() -> DualPi2 {
    DualPi2::new(Aqm::Dual, RATE)
}

fn codes(aqm: &mut DualPi2, now: Nanos, count: usize) -> Vec<Ecn> {
    (0..count).map_while(|_| aqm.dequeue(now)).map(|packet| packet.segment.ecn).collect()
}

#[test]
fn ect_1_and_ce_wait_in_the_l_queue_and_all_else_in_the_c_queue() {
    let mut aqm = aqm();
    for ecn in [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce] {
        assert!(aqm.enqueue(packet(ecn), 0));
    }
    assert_eq!(codes(&mut aqm, 0, 9), [Ecn::Ect1, Ecn::NotEct, Ecn::Ce, Ecn::Ect0]);
    assert_eq!(aqm.waits().map(<[u32]>::len), [2, 2]);
    let mut single = DualPi2::new(Aqm::Classic, RATE);
    (0..4).for_each(|_| assert!(single.enqueue(packet(Ecn::Ect1), 0)));
    codes(&mut single, 0, 9);
    assert_eq!(single.waits().map(<[u32]>::len), [0, 4]);
}

/// Where both queues stand, 15 of 16 packets are of the L queue (RFC 9332 §4.2.2: a small weight for the C queue).
#[test]
fn the_scheduler_starves_neither_queue() {
    let mut aqm = aqm();
    for _ in 0..200 {
        aqm.enqueue(packet(Ecn::Ect1), 0);
    }
    for _ in 0..40 {
        aqm.enqueue(packet(Ecn::Ect0), 0);
    }
    let sent = codes(&mut aqm, 0, 160);
    let classic = sent.iter().filter(|ecn| **ecn == Ecn::Ect0).count();
    assert!((10..=11).contains(&classic), "{classic}");
    let later = codes(&mut aqm, 0, 1000);
    assert_eq!(later.len(), 80, "and an empty queue keeps nobody waiting");
}

/// The ramp of the L queue's own marker (Figure 5): no mark up to 0.8 ms, each packet from 1.2 ms on, half of them at 1 ms; a packet
/// alone is never marked (Th_len).
#[test]
fn the_l_queue_marks_by_a_ramp() {
    for (wait, low, high) in [(800_000, 0, 0), (1_000_000, 49, 51), (1_100_000, 74, 76), (1_200_000, 99, 100)] {
        let mut aqm = aqm();
        (0..101).for_each(|_| assert!(aqm.enqueue(packet(Ecn::Ect1), 0)));
        let marks = codes(&mut aqm, wait, 101).iter().filter(|ecn| **ecn == Ecn::Ce).count();
        assert!((low..=high).contains(&marks), "{wait}: {marks}");
    }
    let mut aqm = aqm();
    for n in 0..50 {
        aqm.enqueue(packet(Ecn::Ect1), n * 2 * MILLISECOND);
        assert_eq!(codes(&mut aqm, n * 2 * MILLISECOND + 1_900_000, 1), [Ecn::Ect1]);
    }
}

/// Dequeues a packet each `PACKET` for this time, with a packet of each kind that is put before each.
fn feed(aqm: &mut DualPi2, from: Nanos, time: Nanos, arrivals: impl Fn(u64) -> Vec<Ecn>) -> Vec<Ecn> {
    let mut sent = Vec::new();
    for n in 0..time / PACKET {
        let now = from + n * PACKET;
        for ecn in arrivals(n) {
            aqm.enqueue(packet(ecn), now);
        }
        sent.extend(codes(aqm, now, 1));
    }
    sent
}

/// In steady state classic marks are squared and those of L4S doubled: p_C = p'², p_CL = 2 p' (Figure 6). A C queue that stands at
/// its target moves p' no more.
#[test]
fn the_coupling_in_steady_state() {
    let mut aqm = aqm();
    for n in 0..20 {
        aqm.enqueue(packet(Ecn::Ect0), n * PACKET / 20);
    }
    let mut now = PACKET;
    let mut probabilities = Vec::new();
    for _ in 0..400 {
        // a queue that stands at 20 packets, 20 ms: 5 ms above the target, so p' grows by 0.16 * 5 ms in each 16 ms
        feed(&mut aqm, now, 16 * MILLISECOND, |_| vec![Ecn::Ect0]);
        now += 16 * MILLISECOND;
        let (classic, coupled) =
            (aqm.classic_probability() as f64 / ONE as f64, aqm.coupled_probability() as f64 / ONE as f64);
        assert!((classic - (coupled / 2.0).powi(2)).abs() < 1e-6);
        probabilities.push(coupled / 2.0);
    }
    let slope = (probabilities[200] - probabilities[100]) / 100.0;
    let error = (20.0 * MILLISECOND as f64 - TARGET as f64) / SECOND as f64;
    assert!((slope / (0.16 * error) - 1.0).abs() < 0.25, "{slope} {}", 0.16 * error);
    assert!(probabilities.windows(2).skip(2).all(|pair| pair[1] > pair[0]));
}

/// Marks have the probability p_CL in the L queue and p_C in the C queue; drops take the place of marks for what is not ECN-capable.
#[test]
fn marks_and_drops_have_the_probabilities_of_the_coupling() {
    for kind in [Ecn::Ect0, Ecn::NotEct] {
        let mut aqm = aqm();
        (0..20).for_each(|_| _ = aqm.enqueue(packet(kind), 0));
        let (mut now, mut expected, mut counted) = (0, [0.0; 2], [0; 2]);
        for _ in 0..1200 {
            feed(&mut aqm, now, PACKET, |_| if now / PACKET % 2 == 0 { vec![Ecn::Ect1] } else { vec![kind] });
            now += PACKET;
            let served = aqm.waits().map(<[u32]>::len);
            let p = [aqm.coupled_probability(), aqm.classic_probability()].map(|p| p as f64 / ONE as f64);
            (0..2).for_each(|queue| expected[queue] += p[queue] * (served[queue] - counted[queue]) as f64);
            counted = served;
        }
        let (marked, dropped) = (aqm.marked(), aqm.dropped());
        assert!(counted.iter().all(|count| *count > 200) && marked[0] > 50, "{counted:?} {marked:?}");
        assert!((marked[0] as f64 - expected[0]).abs() < 3.0, "{kind:?} {marked:?} {expected:?}");
        let (told, other) = if kind == Ecn::NotEct { (dropped[1], marked[1]) } else { (marked[1], dropped[1]) };
        assert!((told as f64 - expected[1]).abs() < 3.0, "{kind:?} {told} {expected:?}");
        assert_eq!((other, dropped[0]), (0, 0));
    }
}

/// Overload by what does not answer (Figure 7 and 8): from p_C = 1/4 on, ECN-capable packets are dropped in both queues, as often as others,
/// and the L queue alone drives the controller as well.
#[test]
fn overload_drops_in_both_queues() {
    for kind in [Ecn::Ect1, Ecn::Ect0] {
        let mut aqm = aqm();
        feed(&mut aqm, 0, 20 * SECOND, |n| if n % 2 == 0 { vec![kind; 3] } else { vec![kind] });
        let dropped: u64 = aqm.dropped().iter().sum();
        assert!(dropped > 1000, "{kind:?}: {dropped}");
        assert!(aqm.classic_probability() >= ONE / 4);
    }
}

/// After the load p' falls to nothing, also while nothing arrives.
#[test]
fn the_controller_rests_after_the_load() {
    let mut aqm = aqm();
    (0..40).for_each(|_| _ = aqm.enqueue(packet(Ecn::Ect0), 0));
    feed(&mut aqm, 0, 2 * SECOND, |_| vec![Ecn::Ect0]);
    assert!(aqm.classic_probability() > 0);
    while aqm.dequeue(3 * SECOND).is_some() {}
    aqm.enqueue(packet(Ecn::Ect0), 60 * SECOND);
    assert_eq!((aqm.classic_probability(), aqm.coupled_probability()), (0, 0));
    assert_eq!(aqm.octets(), 1500);
}

#[test]
fn there_is_room_for_250_ms() {
    let mut aqm = aqm();
    let held = (0..1000).filter(|n| aqm.enqueue(packet(if n % 2 == 0 { Ecn::Ect0 } else { Ecn::Ect1 }), 0)).count();
    assert_eq!(held, 250);
}
