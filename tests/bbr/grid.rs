//! Paths of all kinds: the grid of the draft (Appendix A), and wild ones.

use super::*;

/// Round trips from half a millisecond to a second, rates from 64 kbit/s to 10 Gbit/s. After Startup and Drain, 85 % of
/// what the path takes is used: ProbeRTT and ProbeBW_DOWN may cost a seventh of the short time in which a fast path is
/// watched. A BDP beyond the largest window, and packets by the hundred thousand, are left out.
#[test]
fn any_round_trip_and_any_rate_is_used() {
    for rate in [64_000, 1_000_000, 100_000_000, 1_000_000_000, 10_000_000_000] {
        for delay in [MILLI / 4, 10 * MILLI, 500 * MILLI] {
            let mut link = Link { rate, delay, ..Link::default() };
            if link.bdp() > 30_000_000 {
                continue;
            }
            link.queue = (2 * link.bdp()).max(60_000);
            let bdp = link.bdp();
            let mut world = World::new(link);
            world.app = App::Greedy;
            let started = world.until(100 * SECOND, |world| world.bbr().full_bw_reached && world.state() != Drain);
            assert!(started, "{rate} bit/s, {delay} ns: {:#?}", world.bbr());
            // four round trips, and four windows of packets on a slow path
            let time = (8 * delay).max((bdp + 60_000) * 8 * SECOND / rate);
            let (got, goodput) = (world.rate_over(time), world.goodput());
            assert!(got >= goodput * 85 / 100, "{rate} bit/s, {delay} ns: {got} of {goodput}");
        }
    }
}
