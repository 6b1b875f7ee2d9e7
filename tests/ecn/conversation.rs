//! Two ends over a link that marks.

use std::time::Duration;

use segue::{Ecn, EcnMode};
use segue_kit::net::{Fault, FaultKind, Link, Opening, Outcome, Plan, Side, What, run};

/// The client sends 600,000 octets over 8 Mbit/s and 40 ms, and the network marks these of its segments.
fn marking(modes: [EcnMode; 2], marked: &[u32]) -> Plan {
    let mut plan = Plan::exchange(600_000, 0);
    for (end, mode) in plan.ends.iter_mut().zip(modes) {
        end.config = end.config.to_builder().ecn(mode).build().expect("valid");
    }
    plan.links = [Link { delay: Duration::from_millis(20), rate: 1000, queue: 0 }; 2];
    plan.faults = marked.iter().map(|&nth| Fault { from: Side::Client, nth, kind: FaultKind::Mark }).collect();
    plan
}

/// The codepoints and whether they were sent again, of all segments of text that the client sent.
fn sent(outcome: &Outcome) -> Vec<(Ecn, bool)> {
    let of_client = outcome.trace.records.iter().filter(|record| record.side == Side::Client);
    of_client
        .filter_map(|record| match &record.what {
            What::Depart { segment, again, .. } if !segment.payload.is_empty() => Some((segment.ecn, *again)),
            _ => None,
        })
        .collect()
}

#[test]
fn marks_slow_down_and_lose_nothing() {
    let marked: Vec<u32> = (1..5).map(|i| i * 60).collect();
    let outcome = run(&marking([EcnMode::Active, EcnMode::Passive], &marked)).expect_finished();
    let client = outcome.host(Side::Client).connection.as_ref().expect("it was there").info().counters;
    let server = outcome.host(Side::Server).connection.as_ref().expect("it was there").info().counters;
    assert_eq!((client.retransmissions, server.ecn_marks, client.ecn_reductions), (0, 4, 4));
    assert!(sent(&outcome).iter().all(|said| *said == (Ecn::Ect0, false)));
}

#[test]
fn a_burst_of_marks_is_one_congestion() {
    let marked: Vec<u32> = (100..108).collect();
    let outcome = run(&marking([EcnMode::Active, EcnMode::Passive], &marked)).expect_finished();
    let client = outcome.host(Side::Client).connection.as_ref().expect("it was there").info().counters;
    let server = outcome.host(Side::Server).connection.as_ref().expect("it was there").info().counters;
    assert_eq!((server.ecn_marks, client.ecn_reductions), (8, 1));
}

#[test]
fn without_agreement_nothing_is_capable() {
    for modes in [[EcnMode::Passive, EcnMode::Active], [EcnMode::Active, EcnMode::Off], [EcnMode::Off, EcnMode::Active]]
    {
        let outcome = run(&marking(modes, &[])).expect_finished();
        assert!(sent(&outcome).iter().all(|(ecn, _)| *ecn == Ecn::NotEct), "{modes:?}");
    }
}

/// Marks and losses mixed, both ends sending, all ways to open.
#[test]
fn marks_and_losses_together() {
    for opening in [Opening::Listen, Opening::Accept, Opening::Simultaneous] {
        for seed in 0..10 {
            let mut plan = marking([EcnMode::Active; 2], &[]).with(|plan| plan.opening = opening);
            plan.ends[0].octets = 100_000;
            plan.ends[1].octets = 100_000;
            let rates = segue_kit::net::Rates { lose: 20, hold: 10, ..Default::default() };
            plan = plan.with_faults(seed, rates, 400);
            let mut rng = segue_kit::Rng::new(seed + 1000);
            for from in Side::BOTH {
                for nth in (0..200).filter(|_| rng.chance(100)) {
                    plan.faults.push(Fault { from, nth, kind: FaultKind::Mark });
                }
            }
            let outcome = run(&plan).expect_finished();
            assert!(sent(&outcome).iter().all(|(ecn, again)| *ecn == Ecn::NotEct || !again));
        }
    }
}
