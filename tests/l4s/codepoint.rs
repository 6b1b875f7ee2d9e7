//! ECT(1) only with a scalable controller and accurate feedback at both ends (RFC 9331 §4.2, §4.3 item 1).

use super::world::{MODES, World, clean, config, controllers, mark, prague};
use segue::EcnMode;
use segue::congestion::{Algorithm, Controller, Cubic};

/// Every mode with every other, every controller with every other, text in both directions, one packet lost and some marked.
#[test]
fn rfc_9331_4_2_ect_1_needs_a_scalable_controller_and_accurate_feedback() {
    let mut with = [0; 2];
    for modes in MODES.into_iter().flat_map(|one| MODES.map(|other| [one, other])) {
        for pair in (0..4).flat_map(|one| (0..4).map(move |other| [one, other])) {
            let pair = pair.map(|number: usize| controllers()[number].clone());
            let mut packets = 0;
            let mut fate = |_, segment| {
                packets += 1;
                if packets % 29 == 13 {
                    None
                } else if packets % 5 == 0 {
                    Some(mark(segment))
                } else {
                    Some(segment)
                }
            };
            let mut world = World::new(pair.clone(), [&config(modes[0]), &config(modes[1])], &mut clean);
            (0..2).for_each(|side| world.send(side, 60_000));
            world.run(3000, &mut fate);
            let accurate = world.ends[0].is_accurate();
            let classic = !accurate && world.ends[0].info().ecn;
            for (end, controller) in world.ends.iter().zip(&pair) {
                let l4s = accurate && controller.is_scalable();
                let expected = match (l4s, accurate || classic) {
                    (true, _) => [0, 60_000, 0],
                    (false, true) => [0, 0, 60_000],
                    (false, false) => [60_000, 0, 0],
                };
                assert_eq!(end.sent, expected, "{modes:?} {}", controller.is_scalable());
                assert_eq!(end.capable_others, 0, "nothing else is ECN-capable");
                with[usize::from(l4s)] += 1;
            }
            assert_eq!(world.ends.each_ref().map(|end| end.got), [60_000; 2], "{modes:?}");
        }
    }
    assert!(with[1] >= 16 && with[0] > 400, "{with:?}");
}

/// Each direction chooses for itself (RFC 9331 §4.2): Prague beside CUBIC.
#[test]
fn rfc_9331_4_2_each_end_chooses_for_itself() {
    let accurate = config(EcnMode::Accurate);
    let mut world = World::new([Algorithm::Cubic(Cubic::default()), prague()], [&accurate, &accurate], &mut clean);
    (0..2).for_each(|side| world.send(side, 30_000));
    world.run(1000, &mut clean);
    assert_eq!((world.ends[0].sent, world.ends[1].sent), ([0, 0, 30_000], [0, 30_000, 0]));
    let told = world.ends.each_ref().map(|end| end.info().accurate_ecn.unwrap());
    assert_eq!((told[0].ect_octets_out, told[1].ect_octets_out), ((30_000, 0), (0, 30_000)));
}

/// RFC 9331 §4.3 item 1: replaced by a classic one and back while both kinds are in flight; every octet is counted as what
/// it was sent as, and nothing is taken for mangled.
#[test]
fn rfc_9331_4_3_a_controller_that_is_replaced_changes_the_codepoint_from_then_on() {
    let accurate = config(EcnMode::Accurate);
    for start in [prague(), Algorithm::default()] {
        let mut world = World::new([start.clone(), Algorithm::default()], [&accurate, &accurate], &mut clean);
        for round in 0..8 {
            world.send(0, 40_000);
            world.run(17, &mut clean); // text is in flight
            let scalable = world.ends[0].tcp.controller().unwrap().is_scalable();
            let next = if scalable { Algorithm::default() } else { prague() };
            let mut actions = Vec::new();
            let now = world.now;
            let before = world.ends[0].sent;
            world.ends[0].tcp.replace_controller(next, now, &mut actions);
            assert!(actions.iter().all(|action| !matches!(action, segue::Action::Transmit(_))) || round > 0);
            world.ends[0].take(actions, now);
            let lent = if scalable { 1 } else { 2 };
            world.send(0, 1000);
            world.run(300, &mut clean);
            let after = world.ends[0].sent;
            assert_eq!(after[lent], before[lent], "round {round}: no more of the codepoint before");
            assert!(after[3 - lent] >= before[3 - lent] + 1000);
        }
        let info = world.ends[0].info();
        let told = info.accurate_ecn.unwrap();
        assert!(info.ecn && told.options, "it is not taken for mangled");
        let [none, one, zero] = world.ends[0].sent;
        assert_eq!((none, told.ect_octets_out), (0, (zero, one)));
        assert_eq!(world.ends[1].got, 8 * 41_000);
    }
}
