//! What is made of the feedback of text sent as ECT(1), where the path or the peer does what it must not.

use super::world::{World, clean, config, mark, prague};
use segue::congestion::Algorithm;
use segue::{AccEcn, Ecn, EcnMode, Flags, Segment};
use segue_kit::Rng;

fn world() -> World {
    let accurate = config(EcnMode::Accurate);
    World::new([prague(), Algorithm::default()], [&accurate, &accurate], &mut clean)
}

fn on_text(side: usize, segment: Segment, change: impl FnOnce(Segment) -> Segment) -> Option<Segment> {
    Some(if side == 0 && !segment.payload.is_empty() { change(segment) } else { segment })
}

/// RFC 9768 §3.2.2.3: ECT(1) may not become ECT(0). The option tells, and nothing is sent as ECN-capable any more.
#[test]
fn rfc_9768_3_2_2_3_text_that_arrives_as_ect_0_ends_ect() {
    let mut world = world();
    let mut fate = |side, segment| on_text(side, segment, |segment| Segment { ecn: Ecn::Ect0, ..segment });
    world.send(0, 200_000);
    world.run(1000, &mut fate);
    let end = &world.ends[0];
    assert!(!end.info().ecn && end.info().accurate_ecn.is_some());
    assert!(end.sent[1] < 60_000 && end.sent[0] > 140_000 && end.sent[2] == 0, "{:?}", end.sent);
    assert_eq!(world.ends[1].got, 200_000);
}

/// ECT(1) that is bleached: no mark and no count; it is as without ECN, and losses rule.
#[test]
fn bleached_text_brings_no_marks_and_losses_rule() {
    let mut world = world();
    let mut packets = 0;
    let mut fate = |side, segment: Segment| {
        packets += u32::from(side == 0);
        if packets % 400 == 399 {
            return None;
        }
        on_text(side, mark(segment), |segment| Segment { ecn: Ecn::NotEct, ..segment })
    };
    world.greedy(2000, &mut fate);
    let info = world.ends[0].info();
    let told = info.accurate_ecn.unwrap();
    assert_eq!((told.ect_octets_out, told.ce_octets_out), ((0, 0), 0));
    assert!(info.counters.fast_retransmits > 1 && info.ssthresh < u32::MAX);
}

/// A peer, or a path, that says every packet is marked: after four rounds neither marks count nor is ECT set (RFC 9768 §3.2.2.3).
#[test]
fn rfc_9768_3_2_2_3_all_marked_from_the_start_is_not_believed() {
    let mut world = world();
    let mut fate = |side, segment| on_text(side, segment, mark);
    world.greedy(100, &mut fate);
    assert!(world.ends[0].info().ecn);
    let low = world.ends[0].prague().cwnd;
    assert!(low < 10 * 1460, "{low}");
    world.greedy(400, &mut fate);
    assert!(!world.ends[0].info().ecn);
    let sent = world.ends[0].sent;
    world.greedy(400, &mut fate);
    assert_eq!((world.ends[0].sent[1], world.ends[0].sent[2]), (sent[1], 0), "no text is ECT any more");
    assert!(world.ends[0].prague().cwnd > low, "and the window grows again");
}

/// All packets marked after a while without: that is believed, and the window falls as low as it may; the flow goes on.
#[test]
fn all_marked_later_is_believed_and_the_flow_goes_on() {
    let mut world = world();
    world.greedy(300, &mut clean);
    let mut fate = |side, segment| on_text(side, segment, mark);
    world.greedy(8000, &mut fate);
    let (info, prague) = (world.ends[0].info(), world.ends[0].prague());
    assert!(info.ecn && prague.alpha > (1 << 24) / 10 * 9, "{}", prague.alpha);
    assert!(prague.cwnd < 1460 && info.cwnd <= 2 * 1460, "{prague:?}");
    let got = world.ends[1].got;
    world.greedy(2000, &mut fate);
    assert!(world.ends[1].got > got, "the rate falls, and is not nothing");
    world.greedy(10_000, &mut clean);
    assert!(world.ends[0].prague().cwnd > 40 * 1460, "{:?}", world.ends[0].prague());
}

/// No mark ever: slow start goes on until the peer's window, and nothing is reduced.
#[test]
fn without_marks_nothing_is_reduced() {
    let mut world = world();
    world.greedy(200, &mut clean);
    let (info, prague) = (world.ends[0].info(), world.ends[0].prague());
    assert!(info.cwnd > 200 * 1460 && info.ssthresh == u32::MAX && prague.alpha == 1 << 24);
}

/// Counters that jump as they like, options of any kind: the windows stay in their limits, all text arrives.
#[test]
fn absurd_counters_break_nothing() {
    for seed in 0..60u64 {
        let mut rng = Rng::new(seed);
        let mut world = world();
        let mut fate = |side, mut segment: Segment| {
            if side == 1 && !segment.flags.contains(Flags::SYN) && rng.chance(700) {
                segment.flags.toggle(Flags::AE);
                segment.flags.set(Flags::CWR, rng.chance(500));
                segment.flags.set(Flags::ECE, rng.chance(500));
                let fields = [0; 3].map(|_: u32| rng.pick(&[0, 1, 1461, 0x7F_FFFF, 0x80_0000, 0xFF_FFFF]));
                let option = if rng.chance(500) { AccEcn::order_0(&fields) } else { AccEcn::order_1(&fields) };
                segment.options.update(|options| options.acc_ecn = option.filter(|_| fields[0] != 1));
            }
            Some(segment)
        };
        world.send(0, 150_000);
        for _ in 0..4000 {
            world.run(50, &mut fate);
            let info = world.ends[0].info();
            assert!((1..=1 << 30).contains(&info.cwnd) && info.ssthresh >= 2, "{info:?}");
            if world.ends[1].got == 150_000 {
                break;
            }
        }
        assert_eq!(world.ends[1].got, 150_000, "{seed}");
    }
}
