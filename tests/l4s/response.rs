//! How Prague answers marks and losses over a path.

use super::world::{World, clean, config, mark, prague};
use segue::congestion::Algorithm;
use segue::{EcnMode, Flags, Segment};

const MSS: u32 = 1448;

fn world(mode: EcnMode) -> World {
    World::new([prague(), Algorithm::default()], [&config(mode), &config(EcnMode::Passive)], &mut clean)
}

fn is_text(side: usize, segment: &Segment) -> bool {
    side == 0 && !segment.payload.is_empty()
}

/// One segment in `n` is marked: alpha becomes 1 / n, and the window some 2 n segments (RFC 9331 §4.3: two marks in a round trip).
#[test]
fn rfc_9331_4_3_the_window_is_inversely_proportional_to_the_marks() {
    for every in [16u32, 40, 100] {
        let mut world = world(EcnMode::Accurate);
        let mut texts = 0;
        let mut fate = |side, segment| {
            texts += u32::from(is_text(side, &segment));
            Some(if texts % every == 0 { mark(segment) } else { segment })
        };
        world.greedy(30_000, &mut fate);
        let (mut sum, mut alpha) = (0u64, 0u64);
        for _ in 0..500 {
            world.greedy(20, &mut fate);
            sum += u64::from(world.ends[0].prague().cwnd / MSS);
            alpha += u64::from(world.ends[0].prague().alpha);
        }
        let (window, alpha) = (sum as f64 / 500.0, alpha as f64 / 500.0 / f64::from(1 << 24));
        let (fraction, marks) = (1.0 / f64::from(every), window / f64::from(every));
        assert!((alpha / fraction - 1.0).abs() < 0.15, "1 / {every}: {alpha}");
        assert!((1.5..2.6).contains(&marks), "1 / {every}: {window} segments, {marks} marks in a round trip");
        let info = world.ends[0].info();
        assert!(info.ecn && info.counters.ecn_reductions == 0, "the machine told of no classic mark");
        assert!(!world.ends[0].prague().classic_queue);
    }
}

/// RFC 9331 §4.2: with classic feedback, a mark halves as RFC 3168 has it, and CWR tells of it.
#[test]
fn rfc_9331_4_2_with_classic_feedback_it_is_a_classic_controller() {
    let mut world = world(EcnMode::Active);
    assert!(world.ends[0].info().ecn && !world.ends[0].is_accurate());
    world.greedy(150, &mut clean);
    let before = world.ends[0].info().cwnd;
    let (mut left, mut cwr) = (1, 0);
    let mut fate = |side, segment: Segment| {
        cwr += u32::from(side == 0 && segment.flags.contains(Flags::CWR));
        let marks = is_text(side, &segment) && left > 0;
        left -= u32::from(marks);
        Some(if marks { mark(segment) } else { segment })
    };
    world.greedy(100, &mut fate);
    let info = world.ends[0].info();
    assert_eq!((info.counters.ecn_reductions, cwr, world.ends[0].sent[1]), (1, 1, 0));
    assert!(info.ssthresh <= before && info.ssthresh >= before / 3, "{before} {}", info.ssthresh);
}

/// RFC 9331 §4.3 item 2: losses halve the window, also where the same round trip has marks, and no mark covers them.
#[test]
fn rfc_9331_4_3_losses_halve_beside_marks() {
    for marks in [false, true] {
        let mut world = world(EcnMode::Accurate);
        let mut texts = 0;
        let mut fate = |side, segment| {
            texts += u32::from(is_text(side, &segment));
            Some(if texts % 40 == 0 { mark(segment) } else { segment })
        };
        world.greedy(15_000, &mut fate);
        let before = world.ends[0].prague();
        let mut left = 1;
        let mut lossy = |side, segment: Segment| {
            let text = is_text(side, &segment);
            if text && left > 0 {
                left -= 1;
                return None;
            }
            Some(if marks && text { mark(segment) } else { segment })
        };
        world.greedy(20, &mut lossy);
        world.greedy(40, &mut fate);
        let (info, after) = (world.ends[0].info(), world.ends[0].prague());
        assert_eq!(info.counters.fast_retransmits, 1);
        let (least, most) = (before.cwnd / 2 - 3 * MSS, before.cwnd / 2 + 3 * MSS);
        assert!((least..=most).contains(&after.cwnd), "marks {marks}: {} of {}", after.cwnd, before.cwnd);
    }
}

/// A loss that was none, since the segment only came late, is undone, though marks came since.
#[test]
fn a_spurious_loss_is_undone_beside_marks() {
    let mut world = world(EcnMode::Accurate);
    let mut texts = 0;
    let mut fate = |side, segment| {
        texts += u32::from(is_text(side, &segment));
        Some(if texts % 40 == 0 { mark(segment) } else { segment })
    };
    world.greedy(15_000, &mut fate);
    let before = world.ends[0].prague().cwnd;
    let mut late = None;
    let mut holding = |side, segment: Segment| {
        if is_text(side, &segment) && late.is_none() {
            late = Some(segment);
            return None;
        }
        Some(segment)
    };
    world.greedy(50, &mut holding);
    let low = world.ends[0].prague().cwnd;
    assert!(low < before / 3 * 2, "{low} of {before}");
    let now = world.now;
    world.ends[1].does(segue::Event::Segment(late.expect("one was held")), now); // a D-SACK tells of it
    world.greedy(100, &mut fate);
    let (info, after) = (world.ends[0].info(), world.ends[0].prague().cwnd);
    assert_eq!(info.counters.spurious_recoveries, 1);
    assert!(after > before / 10 * 8, "{after} of {before}");
}
