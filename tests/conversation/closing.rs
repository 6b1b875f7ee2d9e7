//! Who closes first, who leaves, who aborts.

use std::time::Duration;

use segue::{CloseReason, State};
use segue_kit::net::{Closing, Opening, Plan, Rates, Reading, Side, run};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn closings(client: Closing, server: Closing) -> Plan {
    Plan::exchange(30_000, 30_000).with(|plan| {
        plan.ends[0].closing = client;
        plan.ends[1].closing = server;
    })
}

/// Both orders and both at once, with and without loss, however the connection was opened.
#[test]
fn every_order_of_closing_finishes() {
    let orders = [
        (Closing::WhenWritten, Closing::AfterPeer(ms(0))),
        (Closing::WhenWritten, Closing::AfterPeer(ms(700))),
        (Closing::AfterPeer(ms(0)), Closing::WhenWritten),
        (Closing::AfterPeer(ms(700)), Closing::WhenWritten),
        (Closing::WhenWritten, Closing::WhenWritten),
        (Closing::At(ms(3000)), Closing::At(ms(3000))),
    ];
    for (client, server) in orders {
        for opening in [Opening::Listen, Opening::Accept, Opening::Simultaneous] {
            for seed in 0..8 {
                let rates = Rates { lose: if seed == 0 { 0 } else { 150 }, ..Rates::default() };
                let plan = closings(client, server).with_faults(seed, rates, 80).with(|plan| plan.opening = opening);
                run(&plan).expect_finished();
            }
        }
    }
}

#[test]
fn closing_without_any_text_finishes() {
    for (client, server) in [
        (Closing::WhenWritten, Closing::AfterPeer(ms(0))),
        (Closing::AfterPeer(ms(0)), Closing::WhenWritten),
        (Closing::WhenWritten, Closing::WhenWritten),
    ] {
        let plan = closings(client, server).with(|plan| plan.ends.iter_mut().for_each(|end| end.octets = 0));
        run(&plan).expect_finished();
    }
}

/// The client is done at once, the server goes on for long: half-closed, nothing is cut off (§3.6.1).
#[test]
fn half_closed_text_flows_to_the_end() {
    for first in Side::BOTH {
        for seed in 0..5 {
            let plan = Plan::default().with_faults(seed, Rates { lose: 50, ..Rates::default() }, 100).with(|plan| {
                let (first, last) = (first.index(), first.other().index());
                plan.ends[first].closing = Closing::WhenWritten;
                plan.ends[last].closing = Closing::AfterPeer(ms(0));
                plan.ends[last].octets = 200_000;
                plan.ends[last].pause = ms(2);
                plan.ends[last].chunk = 4000;
            });
            run(&plan).expect_finished();
        }
    }
}

/// A FIN behind a closed window: the reader pauses, the writer has closed long ago.
#[test]
fn closing_before_a_closed_window_finishes() {
    let plan = Plan::exchange(20_000, 0).with_config(|config| config.receive_buffer(4000)).with(|plan| {
        plan.ends[1].reading = Reading::Pause { at: 3000, length: Duration::from_secs(30) };
    });
    run(&plan).expect_finished();
}

/// After TIME-WAIT both ends are in CLOSED, and the one that closed first was there 2 MSL later (MUST-13).
#[test]
fn the_active_closer_lingers_for_2_msl() {
    let outcome = run(&Plan::default()).expect_finished();
    assert_eq!(
        (outcome.host(Side::Client).state(), outcome.host(Side::Server).state()),
        (State::Closed, State::Closed)
    );
    let lasted = outcome.end.saturating_since(segue::Instant::ZERO);
    assert!(lasted >= ms(240_000) && lasted < ms(241_000), "{lasted:?}");
}

/// ABORT at any time: the one says `Aborted`, the other learns of a reset; what came before it was good.
#[test]
fn abort_at_any_time_is_told_to_the_peer() {
    for side in Side::BOTH {
        for at in (0..300).step_by(7) {
            let plan =
                Plan::exchange(100_000, 100_000).with(|plan| plan.ends[side.index()].closing = Closing::Abort(ms(at)));
            let outcome = run(&plan).expect_accounted();
            assert_eq!(outcome.reason(side), Some(CloseReason::Aborted), "{}", outcome.report("abort"));
            let other = outcome.reason(side.other());
            let expected = match outcome.host(side.other()).state() {
                State::Listen => None, // it was reset in the handshake, or never reached
                _ if outcome.host(side.other()).user.connected => Some(CloseReason::Reset),
                _ => Some(CloseReason::Refused), // the server was gone before the SYN came
            };
            assert_eq!(other, expected, "abort after {at} ms\n{}", outcome.report("abort"));
        }
    }
}

/// The user leaves in the middle: the machine finishes alone, or says why it could not.
#[test]
fn release_at_any_time_is_accounted_for() {
    for side in Side::BOTH {
        for at in (0..400).step_by(13) {
            let plan = closings(Closing::AfterPeer(ms(0)), Closing::AfterPeer(ms(0)));
            let outcome =
                run(&plan.with(|plan| plan.ends[side.index()].closing = Closing::Release(ms(at)))).expect_accounted();
            assert!(outcome.reason(side).is_some(), "{}", outcome.report("release"));
        }
    }
}
