//! BBRv3 over an emulated path: the test cases of the draft (draft-ietf-ccwg-bbr, Appendix A), and what holds of any path.

mod changes;
mod cycle;
mod grid;
mod path;
mod probe_rtt;
mod spurious;
mod startup;

use segue::congestion::BbrState::*;

use path::{App, Bucket, Link, MILLI, Nanos, SECOND, World};

/// A BDP of a hundred segments: 63 rounds take longer than a probe waits.
fn long() -> Link {
    Link { rate: 20_000_000, delay: 30 * MILLI, queue: 400_000, ..Link::default() }
}

/// A queue of 0.4 BDP: Startup and probes end by loss, so inflight_longterm is set.
fn shallow() -> Link {
    Link { queue: 20_000, ..Link::default() }
}

/// Half of what the path of `Link::default` takes, in octets each millisecond.
const HALF: u32 = 600;

/// The values that full_bw_count takes until the flow leaves the state or the time is over.
fn full_bw_counts(world: &mut World, time: Nanos) -> Vec<u8> {
    let (state, mut counts) = (world.state(), vec![world.bbr().full_bw_count]);
    let leaves = world.until(time, |world| {
        let count = world.bbr().full_bw_count;
        if counts.last() != Some(&count) {
            counts.push(count);
        }
        world.state() != state
    });
    assert!(leaves, "{state:?} goes on: {counts:?}");
    counts
}
