//! When the users are done, the ends fall silent: no acknowledgment answers an acknowledgment.

use std::time::Duration;

use segue::Flags;
use segue_kit::Rng;
use segue_kit::net::{Closing, Fault, FaultKind, Link, Opening, Plan, Rates, Side, run};

fn never_closed(client: u64, server: u64) -> Plan {
    Plan::exchange(client, server).with(|plan| plan.ends.iter_mut().for_each(|end| end.closing = Closing::Never))
}

#[test]
fn an_idle_connection_is_silent_after_three_segments() {
    for opening in [Opening::Listen, Opening::Accept] {
        let outcome = run(&never_closed(0, 0).with(|plan| plan.opening = opening)).expect_accounted();
        assert_eq!(outcome.segments, 3, "{}", outcome.report("not three segments"));
    }
}

/// Figure 7: four segments, and none answers the last two.
#[test]
fn a_simultaneous_open_is_silent_after_four_segments() {
    let outcome = run(&never_closed(0, 0).with(|plan| plan.opening = Opening::Simultaneous)).expect_accounted();
    assert_eq!(outcome.segments, 4, "{}", outcome.report("not four segments"));
}

#[test]
fn opening_and_closing_take_seven_segments() {
    let outcome = run(&Plan::default().with(|plan| {
        plan.ends[1].closing = Closing::AfterPeer(Duration::from_millis(1));
    }))
    .expect_finished();
    assert_eq!(outcome.segments, 7, "{}", outcome.report("not seven segments"));
}

/// Without faults: a segment for every MSS, at most an acknowledgment for each, and a handful for the two ends.
#[test]
fn a_clean_transfer_takes_no_more_segments_than_it_must() {
    for (client, server) in [(1, 0), (1460, 0), (100_000, 0), (0, 100_000), (50_000, 80_000)] {
        let outcome = run(&Plan::exchange(client, server)).expect_finished();
        let mss = 1448; // 1500 less 40 less timestamps
        let text = (client.div_ceil(mss) + server.div_ceil(mss)) as u32;
        assert!(outcome.segments <= 2 * text + 10, "{}", outcome.report("too many segments"));
    }
}

/// One fault anywhere costs a bounded number of segments more.
#[test]
fn one_fault_is_answered_by_a_bounded_number_of_segments() {
    let plan = Plan::exchange(10_000, 5000);
    let clean = run(&plan).expect_finished();
    for from in Side::BOTH {
        for nth in 0..clean.host(from).sent {
            for kind in
                [FaultKind::Lose, FaultKind::Duplicate(30_000), FaultKind::Hold(100_000), FaultKind::Corrupt(99)]
            {
                let outcome =
                    run(&plan.clone().with(|plan| plan.faults = vec![Fault { from, nth, kind }])).expect_finished();
                assert!(outcome.segments <= clean.segments + 16, "{}", outcome.report("too many segments"));
            }
        }
    }
}

/// Simultaneous open and close with everything duplicated and delayed: the mixtures of crossing segments in which two
/// ends could answer each other for ever.
#[test]
fn crossing_segments_do_not_start_a_war_of_acknowledgments() {
    for seed in 0..60 {
        let rates = Rates { lose: 100, duplicate: 500, hold: 500, ..Rates::default() };
        let plan = Plan::exchange(seed * 40, seed * 30).with_faults(seed, rates, 30).with(|plan| {
            plan.opening = Opening::Simultaneous;
            for end in &mut plan.ends {
                end.closing = Closing::WhenWritten;
                end.config = end.config.to_builder().receive_buffer(600).build().expect("valid");
            }
        });
        let outcome = run(&plan).expect_finished();
        assert!(outcome.segments < 400, "{}", outcome.report("too many segments"));
    }
}

/// Everything late and half of it twice, so that acknowledgments arrive with old timestamps and with numbers of long ago:
/// what answers them arrives so, too. However high the limit of challenges, the two fall silent.
#[test]
fn stale_acknowledgments_are_not_answered_without_end() {
    for (window_scaling, seed) in [true, false].into_iter().flat_map(|scaling| (0..20).map(move |seed| (scaling, seed)))
    {
        let twice = Rates { duplicate: 500, ..Rates::default() }.faults(&mut Rng::new(seed + 100), 20_000);
        let late = Rates { hold: 1000, ..Rates::default() };
        let plan = never_closed(25_000, 0).with_faults(seed, late, 20_000).with(|plan| plan.faults.extend(twice));
        let plan = plan.with_config(|config| {
            let config = config.challenge_limit(65_535).challenge_window(Duration::from_millis(1));
            config.window_scaling(window_scaling).receive_buffer(20_000)
        });
        let outcome = run(&plan).expect_accounted();
        let text = outcome.trace.departures(Side::Client).filter(|s| !s.is_empty()).count();
        let bare = |side| outcome.trace.departures(side).filter(|s| s.is_empty()).count();
        let (client, server) = (bare(Side::Client), bare(Side::Server));
        // Each segment of text arrives up to twice; a throttle of 10 in 5 s at either end for what nobody asked for.
        assert!(server <= 2 * text + 30 && client <= 30, "{}", outcome.report("too many acknowledgments"));
    }
}

/// No bare acknowledgment is answered by a bare acknowledgment in a run without faults.
#[test]
fn acknowledgments_are_not_acknowledged() {
    let plan = never_closed(200_000, 0).with(|plan| plan.links = [Link { rate: 1000, ..Link::default() }; 2]);
    let outcome = run(&plan).expect_accounted();
    let bare = |side| outcome.trace.departures(side).filter(|s| s.is_empty() && !s.flags.contains(Flags::RST)).count();
    assert_eq!(bare(Side::Client), 0, "{}", outcome.report("bare ACKs of the sender"));
    assert!(bare(Side::Server) as u64 <= 200_000 / 1448 + 2);
}
