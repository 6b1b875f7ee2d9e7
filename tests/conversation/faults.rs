//! One kind of fault at a time.

use std::time::Duration;

use segue::{CloseReason, ConfigBuilder, Flags, IpVersion, Path};
use segue_kit::net::{
    Closing, Fault, FaultKind, Link, Narrow, Opening, Outage, Outcome, Plan, Rates, Reading, Record, Side, What,
    packet_len, run,
};

/// Text both ways under faults at these rates, for several seeds and ways to open.
fn survives(rates: Rates) {
    for seed in 0..12 {
        for opening in [Opening::Listen, Opening::Accept, Opening::Simultaneous] {
            let plan = Plan::exchange(60_000, 20_000).with_faults(seed, rates, 200).with(|plan| plan.opening = opening);
            run(&plan).expect_finished();
        }
    }
}

#[test]
fn a_clean_network_carries_everything_without_a_retransmission() {
    let outcome = run(&Plan::exchange(300_000, 100_000)).expect_finished();
    for side in Side::BOTH {
        let counters = outcome.host(side).connection.as_ref().expect("it lived").info().counters;
        assert_eq!((counters.retransmissions, counters.timeouts, counters.discarded), (0, 0, 0), "{counters:?}");
    }
}

#[test]
fn loss() {
    survives(Rates { lose: 100, ..Rates::default() });
}

#[test]
fn loss_in_bursts() {
    survives(Rates { lose: 50, burst: 700, ..Rates::default() });
}

#[test]
fn duplication() {
    survives(Rates { duplicate: 300, ..Rates::default() });
}

#[test]
fn reordering() {
    survives(Rates { hold: 300, ..Rates::default() });
}

#[test]
fn corruption_is_caught_by_the_checksum() {
    survives(Rates { corrupt: 100, ..Rates::default() });
}

#[test]
fn everything_at_once() {
    survives(Rates { lose: 80, duplicate: 80, hold: 80, corrupt: 40, burst: 300 });
}

/// Half of all segments are lost for a while: back-off, no give-up.
#[test]
fn heavy_loss_is_outlived() {
    for seed in 0..20 {
        let plan = Plan::exchange(20_000, 20_000)
            .with_config(|config| config.user_timeout(None).connect_timeout(None).msl(Duration::from_secs(600)))
            .with_faults(seed, Rates { lose: 500, ..Rates::default() }, 60);
        run(&plan).expect_finished();
    }
}

/// The reader pauses for a minute: the window closes, probes go on, nothing is lost and nobody gives up.
#[test]
fn window_starvation() {
    for (at, receive_buffer) in [(1, 10_000), (5000, 4000), (20_000, 3000), (1, 600)] {
        let plan = Plan::exchange(50_000, 0)
            .with_config(|config| config.receive_buffer(receive_buffer).user_timeout(Some(Duration::from_secs(30))))
            .with(|plan| plan.ends[1].reading = Reading::Pause { at, length: Duration::from_secs(60) });
        let outcome = run(&plan).expect_finished();
        let counters = outcome.host(Side::Client).connection.as_ref().expect("it lived").info().counters;
        assert!(counters.probes > 2, "the window was never probed: {counters:?}");
    }
}

/// Both readers pause, both windows close: neither side may wait for the other (the 0-0 livelock).
#[test]
fn window_starvation_both_ways() {
    for seed in 0..10 {
        let plan = Plan::exchange(30_000, 30_000)
            .with_config(|config| config.receive_buffer(4000))
            .with_faults(seed, Rates { lose: 100, ..Rates::default() }, 100)
            .with(|plan| {
                for end in &mut plan.ends {
                    end.reading = Reading::Pause { at: 3000, length: Duration::from_secs(20) };
                }
            });
        run(&plan).expect_finished();
    }
}

/// A reader that takes a little at a time must not bring the sender to send a little at a time.
#[test]
fn sips_do_not_cause_silly_windows() {
    let plan = Plan::exchange(60_000, 0).with_config(|config| config.receive_buffer(8760)).with(|plan| {
        plan.ends[1].reading = Reading::Sips { octets: 100, every: Duration::from_millis(1) };
    });
    let outcome = run(&plan).expect_finished();
    let small = outcome.trace.departures(Side::Client).filter(|s| (1..1000).contains(&s.payload.len())).count();
    assert!(small <= 12, "{small} small segments:\n{}", outcome.report("silly windows"));
}

/// A slow link with a short queue: what overflows is lost, and the congestion window finds its place.
#[test]
fn a_bottleneck_is_shared_and_not_flooded() {
    let slow = Link { delay: Duration::from_millis(30), rate: 125, queue: 20_000 };
    let plan = Plan::exchange(1_000_000, 0).with(|plan| plan.links[0] = slow);
    let outcome = run(&plan).expect_finished();
    let counters = outcome.host(Side::Client).connection.as_ref().expect("it lived").info().counters;
    assert!(counters.retransmissions < 200, "of about 700 segments: {counters:?}");
}

/// The widest window that the server announced, by its scale.
fn widest(outcome: &Outcome, shift: u32) -> u32 {
    let windows = outcome.trace.departures(Side::Server).filter(|s| !s.flags.contains(Flags::SYN));
    windows.map(|s| u32::from(s.window) << shift).max().unwrap_or(0)
}

/// The window grows as the sender needs it: the transfer takes no longer than with the whole buffer from the start, and
/// the promise stays in proportion to what a round trip carries. With timestamps and without.
#[test]
fn a_tuned_receive_buffer_holds_nobody_back() {
    const LIMIT: u32 = 16 << 20;
    let wide = Link { delay: Duration::from_millis(50), rate: 12_500, queue: 2_000_000 }; // 1.25 MB on the way
    for timestamps in [true, false] {
        let buffers = |config: ConfigBuilder| config.timestamps(timestamps).receive_buffer(LIMIT).send_buffer(LIMIT);
        let plan = Plan::exchange(12_000_000, 0).with_config(buffers).with(|plan| plan.links = [wide; 2]);
        let whole = plan.clone().with_config(|config| config.receive_buffer_initial(LIMIT));
        let (tuned, whole) = (run(&plan).expect_finished(), run(&whole).expect_finished());
        assert_eq!(tuned.end, whole.end, "tuning held the sender back");
        assert!((LIMIT - (1 << 9)..=LIMIT).contains(&widest(&whole, 9)), "{}", widest(&whole, 9)); // in units of the scale
        // With the queue full a round trip carries 3.25 MB: twice that, and the receiver learns it a round trip late.
        assert!((2_500_000..13_000_000).contains(&widest(&tuned, 9)), "{}", widest(&tuned, 9));
    }
}

/// A user that takes little in a round trip keeps the window small, however fast the sender is.
#[test]
fn a_slow_reader_gets_no_large_window() {
    let plan = Plan::exchange(400_000, 0)
        .with_config(|config| config.receive_buffer(16 << 20).send_buffer(1 << 20).receive_buffer_initial(14_600))
        .with(|plan| plan.ends[1].reading = Reading::Sips { octets: 1000, every: Duration::from_millis(10) });
    let outcome = run(&plan).expect_finished();
    assert!((5000..60_000).contains(&widest(&outcome, 9)), "{}", widest(&outcome, 9));
}

#[test]
fn an_outage_within_r2_is_outlived() {
    for from in [0, 10, 30, 50, 100] {
        let plan = Plan::exchange(50_000, 50_000).with(|plan| {
            plan.outage = Some(Outage { from: Duration::from_millis(from), until: Duration::from_secs(60) });
        });
        run(&plan).expect_finished();
    }
}

#[test]
fn an_outage_beyond_r2_is_told_to_both_users() {
    let plan = Plan::exchange(50_000, 50_000).with(|plan| {
        plan.outage = Some(Outage { from: Duration::from_millis(50), until: Duration::from_secs(100_000) });
    });
    let outcome = run(&plan).expect_accounted();
    for side in Side::BOTH {
        assert_eq!(outcome.reason(side), Some(CloseReason::UserTimeout));
    }
}

#[test]
fn an_outage_from_the_start_is_a_connect_timeout() {
    let plan = Plan::default().with(|plan| {
        plan.outage = Some(Outage { from: Duration::ZERO, until: Duration::from_secs(100_000) });
    });
    let outcome = run(&plan).expect_accounted();
    assert_eq!(outcome.reason(Side::Client), Some(CloseReason::ConnectTimeout));
    assert!(outcome.end >= segue::Instant::from_millis(180_000), "R2 for SYN is 180 s (MUST-23)");
}

/// Two hosts that differ in everything they can differ in.
#[test]
fn unlike_hosts_understand_each_other() {
    for seed in 0..10 {
        let rates = Rates { lose: 50, hold: 50, ..Rates::default() };
        let plan = Plan::exchange(60_000, 60_000).with_faults(seed, rates, 200).with(|plan| {
            let builder = plan.ends[1].config.to_builder();
            let builder = builder.timestamps(false).sack(false).window_scaling(false).nagle(false).ack_every(1);
            plan.ends[1].config = builder.receive_buffer(3000).send_buffer(2000).build().expect("valid");
            plan.ends[1].path = Path::ipv4(576);
            plan.ends[1].closing = Closing::AfterPeer(Duration::from_millis(100));
        });
        run(&plan).expect_finished();
    }
}

/// Large transmissions cut below the machine (GSO), a limit on bursts, and losses of single pieces.
#[test]
fn segmentation_below_and_limited_bursts() {
    for (seed, max_burst, max_transmit) in [(1, 0, 65_000), (2, 1, 0), (3, 4, 20_000), (4, 1, 65_000), (5, 2, 3000)] {
        let plan = Plan::exchange(300_000, 100_000)
            .with_config(|config| config.max_burst(max_burst).max_transmit(max_transmit))
            .with_faults(seed, Rates { lose: 30, ..Rates::default() }, 300);
        run(&plan).expect_finished();
    }
}

/// The whole way as octets: decoding gives back the encoded segment.
#[test]
fn the_wire_format_carries_a_whole_conversation() {
    for seed in 0..5 {
        let rates = Rates { lose: 50, corrupt: 50, ..Rates::default() };
        run(&Plan::exchange(50_000, 50_000).with_faults(seed, rates, 200).with(|plan| plan.encode = true))
            .expect_finished();
    }
}

/// Ten megabytes with two losses in a hundred.
#[test]
fn bulk_with_loss() {
    let mut plan = Plan::exchange(10_000_000, 0).with_faults(7, Rates { lose: 20, ..Rates::default() }, 20_000);
    plan.links = [Link { delay: Duration::from_millis(2), ..Link::default() }; 2];
    run(&plan).expect_finished();
}

/// Every single segment of a small conversation duplicated, much later: none may do harm.
#[test]
fn a_late_copy_of_any_segment_is_harmless() {
    let plan = Plan::exchange(6000, 3000);
    let clean = run(&plan).expect_finished();
    for from in Side::BOTH {
        for nth in 0..clean.host(from).sent {
            for after in [1, 45_000, 150_000, 2_000_000] {
                let fault = Fault { from, nth, kind: FaultKind::Duplicate(after) };
                run(&plan.clone().with(|plan| plan.faults = vec![fault])).expect_finished();
            }
        }
    }
}

/// Every single segment of a small conversation late.
#[test]
fn a_late_segment_is_harmless() {
    let plan = Plan::exchange(6000, 3000);
    let clean = run(&plan).expect_finished();
    for from in Side::BOTH {
        for nth in 0..clean.host(from).sent {
            for extra in [1, 45_000, 150_000, 2_000_000] {
                let fault = Fault { from, nth, kind: FaultKind::Hold(extra) };
                run(&plan.clone().with(|plan| plan.faults = vec![fault])).expect_finished();
            }
        }
    }
}

/// The path narrows in the middle: queued data and data in flight are cut anew, and where the first error is believed
/// nothing too big is sent twice.
#[test]
fn a_path_that_narrows_is_adapted_to() {
    for (at, mtu, max_transmit) in [(0, 1400, 0), (45, 1400, 0), (90, 576, 0), (130, 1200, 30_000), (60, 300, 0)] {
        let narrow = Narrow { from: Side::Client, at: Duration::from_millis(at), mtu, silent: false };
        let plan = Plan::exchange(200_000, 20_000)
            .with_config(|config| config.max_transmit(max_transmit).too_big_timeouts(0))
            .with(|plan| plan.narrow = Some(narrow));
        let outcome = run(&plan).expect_finished();
        let told = |r: &&Record| matches!(&r.what, What::Call(text) if text.starts_with("ICMP"));
        let after = outcome.trace.records.iter().skip_while(|r| !told(r));
        let too_big = |r: &&Record| {
            r.side == Side::Client
                && matches!(&r.what, What::Depart { segment, .. } if packet_len(IpVersion::V4, segment) > usize::from(mtu))
        };
        assert!(after.clone().count() > 0, "no packet was too big: {}", outcome.report("nothing to learn"));
        assert_eq!(after.filter(too_big).count(), 0, "{}", outcome.report("the smaller MTU was not learnt"));
    }
}
