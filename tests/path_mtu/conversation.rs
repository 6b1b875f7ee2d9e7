//! Whole connections over a path that drops large packets in silence, or is out for a while.

use std::time::Duration;

use segue::{Path, Report};
use segue_kit::net::{Narrow, Outage, Outcome, Plan, Side, What, run};

/// The client sends 200,000 octets, the server 20,000; from `at` on, packets above `mtu` from the client vanish.
fn hole(at: u64, mtu: u16, path: Path) -> Plan {
    let narrow = Narrow { from: Side::Client, at: Duration::from_millis(at), mtu, silent: true };
    Plan::exchange(200_000, 20_000).with(|plan| {
        plan.narrow = Some(narrow);
        plan.ends.iter_mut().for_each(|end| end.path = path);
    })
}

/// The path MTUs that the client used, in order.
fn used(outcome: &Outcome) -> Vec<u16> {
    let told = outcome.trace.records.iter().filter(|record| record.side == Side::Client);
    told.filter_map(|record| match &record.what {
        What::Told(segue::Action::Report(Report::PathMtu(mtu))) => Some(*mtu),
        _ => None,
    })
    .collect()
}

#[test]
fn a_black_hole_is_found_and_lived_with() {
    for (at, mtu, path, settled) in [
        (0, 1400, Path::ipv4(1500), 1024),
        (90, 1400, Path::ipv4(1500), 1024),
        (130, 1030, Path::ipv4(9000), 1024),
        (0, 576, Path::ipv4(1500), 512),
        (60, 300, Path::ipv4(1500), 256),
        (0, 1280, Path::ipv6(1500), 1280),
        (90, 1400, Path::ipv6(1500), 1280),
    ] {
        let outcome = run(&hole(at, mtu, path)).expect_finished();
        assert_eq!(used(&outcome).last(), Some(&settled), "{at} ms, {mtu}: {:?}", used(&outcome));
        let took = outcome.end.saturating_since(segue::Instant::ZERO);
        assert!(took < Duration::from_secs(300), "{at} ms, {mtu}: {took:?}");
    }
}

#[test]
fn an_outage_leaves_the_mtu_as_it_was() {
    for seconds in [2, 5, 20, 100] {
        let from = Duration::from_millis(70);
        let outage = Outage { from, until: from + Duration::from_secs(seconds) };
        let plan = Plan::exchange(200_000, 20_000).with(|plan| plan.outage = Some(outage));
        let outcome = run(&plan).expect_finished();
        assert!(used(&outcome).last().is_none_or(|mtu| *mtu == 1500), "{seconds} s: {:?}", used(&outcome));
        assert_eq!(outcome.host(Side::Client).connection.as_ref().expect("it was there").info().path_mtu, 1500);
    }
}

/// A router that tells is believed, by default after a timeout where its claim contradicts what got through.
#[test]
fn a_path_that_narrows_and_says_so_is_adapted_to() {
    for (at, mtu) in [(0, 1400), (45, 1400), (90, 576), (130, 1200), (60, 300)] {
        let mut plan = hole(at, mtu, Path::ipv4(1500));
        plan.narrow.as_mut().expect("a narrow path").silent = false;
        let outcome = run(&plan).expect_finished();
        assert_eq!(used(&outcome), [mtu], "{at} ms");
    }
}
