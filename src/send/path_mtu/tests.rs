//! The path MTU: errors, black holes, the search, and the order in which they meet.

use super::*;
use alloc::vec::Vec;
use quickcheck::quickcheck;

/// Timeouts that are enough to leave a black hole.
const MOST_TIMEOUTS: u32 = 30;

const POLICY: Policy = Policy {
    floor: 68,
    believe_after: 1,
    hole_after: 3,
    hole_mtu: 1024,
    retry: Some(Micros::from_secs(600)),
    probing: true,
    largest: 0,
    peer: 1500,
};
const RTT: Micros = Micros::from_millis(100);
const NOW: Instant = Instant::from_millis(1_000_000);

fn told(mtu: u16, policy: &Policy) -> PathMtu {
    let mut path = PathMtu::new();
    path.on_told(mtu, mtu, policy, NOW);
    path
}

fn at(position: u32) -> Position {
    Position::ISS + position
}

fn sent(path: &mut PathMtu, start: u32, end: u32, size: u16, again: bool) {
    path.on_sent(&Packet { start: at(start), end: at(end), size, again, first: false, probe: false });
}

fn probe(path: &mut PathMtu, start: u32, end: u32, size: u16) {
    path.on_sent(&Packet { start: at(start), end: at(end), size, again: false, first: false, probe: true });
}

fn too_big(path: &mut PathMtu, start: u32, claimed: u16, repeats: u32, policy: &Policy, now: Instant) -> Option<u16> {
    path.on_too_big(TooBig { start: at(start), claimed, pure_ack: None }, (1500, repeats), policy, (RTT, now))
}

/// One packet of 1500 octets is acknowledged, another one is in flight.
fn proven() -> PathMtu {
    let mut path = told(1500, &POLICY);
    sent(&mut path, 1, 1461, 1500, false);
    assert_eq!(path.on_acknowledged(at(1461), 1500, &POLICY, NOW), None);
    sent(&mut path, 1461, 2921, 1500, false);
    path
}

/// RFC 5927 §7.2: Initial Path-MTU Discovery.
#[test]
fn an_error_about_a_size_that_never_got_through_is_believed_at_once() {
    let mut path = told(1500, &POLICY);
    sent(&mut path, 1, 1461, 1500, false);
    for (claimed, answer) in [(1500, None), (1600, None), (1400, Some(1400))] {
        assert_eq!(too_big(&mut path.clone(), 1, claimed, 0, &POLICY, NOW), answer);
    }
    assert_eq!(too_big(&mut told(1500, &POLICY), 1, 1400, 0, &POLICY, NOW), None, "nothing was sent");
}

/// RFC 5927 §7.2: Path-MTU Update.
#[test]
fn an_error_about_a_size_that_got_through_waits_for_a_timeout() {
    let mut path = proven();
    assert_eq!(too_big(&mut path, 1461, 1400, 0, &POLICY, NOW), None);
    let mut progress = path.clone();
    assert_eq!(path.on_timeout(1500, (1500, 1), &POLICY, NOW), Some(1400));
    assert_eq!(progress.on_acknowledged(at(2921), 1500, &POLICY, NOW), None);
    assert_eq!(progress.on_timeout(1500, (1500, 1), &POLICY, NOW), None, "it was a false claim");
    assert_eq!(too_big(&mut proven(), 1461, 1400, 1, &POLICY, NOW), Some(1400), "it has timed out already");
    let traditional = Policy { believe_after: 0, ..POLICY };
    assert_eq!(too_big(&mut proven(), 1461, 1400, 0, &traditional, NOW), Some(1400));
}

/// The MTU has fallen meanwhile: the error believed at last is no news.
#[test]
fn an_error_that_claims_no_less_than_the_mtu_changes_nothing() {
    let mut path = proven();
    assert_eq!(too_big(&mut path, 1461, 1400, 0, &POLICY, NOW), None);
    assert_eq!(path.on_timeout(1300, (1300, 1), &POLICY, NOW), None);
    let floor = Policy { floor: 552, hole_mtu: 1024, ..POLICY };
    let mut path = told(552, &floor);
    sent(&mut path, 1, 513, 552, false);
    let error = TooBig { start: at(1), claimed: 300, pure_ack: None };
    assert_eq!(path.on_too_big(error, (552, 0), &floor, (RTT, NOW)), None);
}

/// The shortcuts ask: while a size is in doubt each packet has to be looked at.
#[test]
fn packets_are_calm_until_their_size_is_in_doubt() {
    let (mut path, policy) = (proven(), Policy { probing: false, ..POLICY });
    assert!(path.is_calm(1500, NOW));
    for timeouts in 1..=policy.hole_after {
        path.on_timeout(1500, (1500, timeouts), &policy, NOW);
        assert_eq!(path.is_calm(1500, NOW), timeouts < policy.hole_after, "{timeouts} timeouts");
    }
}

#[test]
fn what_was_sent_again_proves_no_size() {
    let mut path = told(1500, &POLICY);
    sent(&mut path, 1, 1461, 1500, false);
    sent(&mut path, 1, 501, 540, true);
    path.on_acknowledged(at(1461), 1500, &POLICY, NOW);
    assert_eq!(path.max_acked, 0);
    let mut path = told(1500, &POLICY);
    sent(&mut path, 1, 1461, 1500, false);
    sent(&mut path, 1461, 1961, 540, true); // another part of the stream
    path.on_acknowledged(at(1461), 1500, &POLICY, NOW);
    assert_eq!(path.max_acked, 1500);
}

/// An error about a pure ACK: less than the ACK, and where larger packets got through, twice.
#[test]
fn an_error_about_a_pure_ack_says_less_than_its_size() {
    let error = |path: &mut PathMtu, claimed, now| {
        let error = TooBig { start: at(2921), claimed, pure_ack: Some(52) };
        path.on_too_big(error, (1500, 0), &POLICY, (RTT, now))
    };
    let mut path = told(1500, &POLICY);
    assert!(!path.sent_pure_ack());
    path.on_pure_ack(80);
    path.on_pure_ack(52);
    assert!(path.sent_pure_ack());
    assert_eq!(error(&mut path, 80, NOW), None);
    assert_eq!(error(&mut path, 68, NOW), Some(68));
    let mut path = proven();
    path.on_pure_ack(80);
    assert_eq!(error(&mut path, 68, NOW), None);
    assert_eq!(error(&mut path, 68, NOW + RTT / 2), None);
    assert_eq!(error(&mut path, 68, NOW + RTT), Some(68));
    let mut path = proven();
    path.on_pure_ack(80);
    sent(&mut path, 2921, 3000, 120, false);
    assert!(!path.sent_pure_ack(), "SND.NXT is another");
}

/// The sizes of the first segment, timeouts without end, and the MTUs.
fn falls(path: &mut PathMtu, policy: &Policy) -> (Vec<u16>, Vec<u16>) {
    let (mut mtu, mut cuts, mut mtus) = (1500, Vec::new(), Vec::new());
    for repeats in 1..20 {
        if let Some(lower) = path.on_timeout(mtu, (mtu, repeats), policy, NOW) {
            mtus.push(lower);
            mtu = lower;
        }
        let size = path.cut().unwrap_or(mtu);
        if path.cut().is_some() && cuts.last() != Some(&size) {
            cuts.push(size);
        }
        let end = 1461 + u32::from(size) - 40;
        path.on_sent(&Packet { start: at(1461), end: at(end), size, again: true, first: true, probe: false });
    }
    (cuts, mtus)
}

/// RFC 4821 §7.7: the initial search_low, then the first segment alone in halves, to 68 over IPv4.
#[test]
fn timeouts_make_the_first_segment_smaller() {
    assert_eq!(falls(&mut proven(), &POLICY), ([1024, 512, 256, 128, 68].into(), [1024].into()));
    assert_eq!(falls(&mut proven(), &Policy { hole_after: 0, ..POLICY }), ([].into(), [].into()));
    let floor = Policy { floor: 552, ..POLICY };
    assert_eq!(falls(&mut proven(), &floor), ([1024, 552].into(), [1024].into()));
    let v6 = Policy { floor: 1280, hole_mtu: 1280, ..POLICY };
    assert_eq!(falls(&mut proven(), &v6), ([1280].into(), [1280].into()));
    let mut small = proven();
    assert_eq!(small.on_timeout(68, (1500, 3), &POLICY, NOW), None);
    assert_eq!(small.cut(), None, "a smaller packet would not help it");
    assert_eq!(small.on_timeout(600, (1500, 5), &POLICY, NOW), None);
    assert_eq!(small.cut(), None, "as much got through before");
    let mut new = PathMtu::new();
    for (path, repeats) in [(&mut small, 6), (&mut new, 3)] {
        assert_eq!(path.on_timeout(600, (1500, repeats), &POLICY, NOW), None);
        assert_eq!(path.cut(), Some(512), "the first step that makes it smaller");
    }
}

#[test]
fn after_an_outage_the_full_size_is_back() {
    let mut path = proven();
    falls(&mut path, &POLICY);
    assert_eq!(path.on_acknowledged(at(1461 + 28), 1024, &POLICY, NOW), Some(1500));
    assert_eq!(path.cut(), None);
    sent(&mut path, 2921, 4381, 1500, false);
    assert_eq!(path.on_acknowledged(at(4381), 1500, &POLICY, NOW), None);
    assert_eq!((path.trouble.hole, path.max_acked), (Hole::None, 1500));
    assert_eq!(path.on_timeout(1500, (1500, 1), &POLICY, NOW), None);
}

/// On trial one timeout of the larger size is enough; the loss of a packet no larger than the size that works is no
/// matter of size.
#[test]
fn a_trial_ends_with_one_timeout() {
    let mut path = proven();
    assert_eq!(path.on_timeout(1500, (1500, 3), &POLICY, NOW), Some(1024));
    path.on_sent(&Packet { start: at(1461), end: at(2445), size: 1024, again: true, first: true, probe: false });
    assert_eq!(path.on_acknowledged(at(2445), 1024, &POLICY, NOW), Some(1500));
    assert_eq!(path.on_timeout(900, (1500, 1), &POLICY, NOW), None, "of this size they get through");
    assert_eq!(path.on_timeout(1500, (1500, 1), &POLICY, NOW), Some(1024));
    path.on_sent(&Packet { start: at(2445), end: at(3429), size: 1024, again: true, first: true, probe: false });
    assert_eq!(path.on_acknowledged(at(3429), 1024, &POLICY, NOW), None);
    assert_eq!(path.probe_size(1024, |high| high, NOW), Some(1500), "probes look for more");
    path.on_told(1500, 1500, &POLICY, NOW);
    assert_eq!((path.trouble.hole, path.probe_size(1500, |high| high, NOW)), (Hole::None, None));
}

/// What was in doubt gets through: the safe size first, then the full one on trial.
#[test]
fn a_larger_packet_that_gets_through_ends_the_doubt() {
    let mut path = proven();
    falls(&mut path, &POLICY);
    assert_eq!(path.on_acknowledged(at(1489), 1024, &POLICY, NOW), Some(1500));
    assert_eq!(path.on_timeout(1500, (1500, 1), &POLICY, NOW), Some(1024));
    path.on_sent(&Packet { start: at(1489), end: at(2473), size: 1024, again: true, first: true, probe: false });
    assert_eq!(path.on_timeout(1024, (1024, 2), &POLICY, NOW), None);
    assert_eq!(path.cut(), Some(68), "what worked last");
    path.on_sent(&Packet { start: at(1489), end: at(1517), size: 68, again: true, first: true, probe: false });
    assert_eq!(path.on_acknowledged(at(1517), 1024, &POLICY, NOW), None, "twice: 1024 is in doubt");
    sent(&mut path, 1517, 2501, 1024, true);
    assert_eq!(path.on_acknowledged(at(2501), 1024, &POLICY, NOW), Some(1500));
}

quickcheck! {
    /// A link takes no more than some octets and tells nothing; segments go again in pieces of any size, as where the
    /// text of an earlier segment ends. No piece that gets through tells that larger ones do: after some timeouts the
    /// MTU is no larger than the link.
    fn the_mtu_falls_whatever_the_pieces_that_get_through(link: u16, pieces: Vec<u16>) -> bool {
        let link = 68 + link % 1432;
        let mut pieces = pieces.iter().map(|piece| 41 + piece % 1460).chain([1500]).collect::<Vec<_>>().into_iter().cycle();
        let (mut path, mut mtu, mut una, mut repeats) = (told(1500, &POLICY), 1500, 1, 0);
        for _ in 0..MOST_TIMEOUTS {
            let mut size = 0;
            while mtu > link {
                size = path.cut().map_or(mtu, |cut| pieces.next().unwrap_or(cut).min(cut));
                let end = una + u32::from(size) - 40;
                path.on_sent(&Packet { start: at(una), end: at(end), size, again: true, first: true, probe: false });
                if size > link {
                    break;
                }
                (una, repeats) = (end, 0);
                mtu = path.on_acknowledged(at(una), mtu, &POLICY, NOW).unwrap_or(mtu);
            }
            repeats += 1;
            mtu = path.on_timeout(size, (mtu, repeats), &POLICY, NOW).unwrap_or(mtu);
        }
        mtu <= link
    }
}

/// The search with a path of `mtu` octets. Returns what it found, and the sizes of the probes.
fn search(mtu: u16, start: u16, policy: &Policy) -> (u16, Vec<u16>) {
    let (mut path, mut now, mut in_use, mut una) = (told(start, policy), NOW, start, 1);
    let mut sizes = Vec::new();
    while let Some(size) = path.probe_size(in_use, |high| high, now) {
        sizes.push(size);
        probe(&mut path, una, una + u32::from(size), size);
        let end = una + u32::from(size) + 1000;
        if size > mtu {
            assert!(path.on_loss(ProbeLoss::Alone, at(end), now + RTT));
            assert_eq!(path.probe_size(in_use, |high| high, now + RTT), None, "one at a time");
        }
        in_use = path.on_acknowledged(at(end), in_use, policy, now).unwrap_or(in_use);
        una = end;
        now += RTT;
    }
    (in_use, sizes)
}

/// Within log2 of the range, and two more; each size that fails is tried three times.
#[test]
fn every_path_is_found() {
    let jumbo = Policy { largest: 9001, peer: 9001, ..POLICY };
    for (policy, start, top) in [(jumbo, 1500, 9001), (jumbo, 1024, 9001), (Policy { peer: 9001, ..POLICY }, 576, 576)]
    {
        for mtu in start..=top {
            let (found, mut sizes) = search(mtu, start, &policy);
            assert!(found <= mtu && mtu - found < 8, "{mtu}: {found}");
            let probes = sizes.len();
            sizes.dedup();
            let different = sizes.len();
            assert!(different <= 15 && probes <= 3 * different, "{mtu}: {sizes:?}");
            assert!(sizes.iter().all(|&size| start < size && size <= 9001));
        }
    }
    let ethernet = Policy { largest: 1500, ..POLICY };
    for common in [1280, 1400, 1420, 1440, 1450, 1460, 1480, 1492, 1500] {
        assert_eq!(search(common, 1024, &ethernet).0, common);
    }
    assert_eq!(search(9000, 1500, &Policy { largest: 9000, ..POLICY }).1, [], "the peer takes no more");
}

/// RFC 4821 §7.6.2 to §7.6.4.
#[test]
fn what_a_lost_probe_means_depends_on_what_else_was_lost() {
    let policy = Policy { largest: 9000, peer: 9000, ..POLICY };
    let later = NOW + RTT;
    let out = || {
        let mut path = told(1500, &policy);
        probe(&mut path, 1, 8961, 9000);
        path
    };
    let mut alone = out();
    assert!(alone.on_loss(ProbeLoss::Alone, at(20_000), later));
    assert_eq!(alone.on_acknowledged(at(19_999), 1500, &policy, NOW), None, "others may be lost, too");
    assert_eq!((alone.probe().is_some(), alone.search.fails), (true, 0));
    assert!(!alone.clone().on_loss(ProbeLoss::Others, at(20_000), later));
    assert_eq!(alone.on_acknowledged(at(20_000), 1500, &policy, NOW), None);
    assert_eq!((alone.probe().is_some(), alone.search.fails), (false, 1));
    assert_eq!(
        (alone.probe_size(1500, |high| high, NOW), alone.probe_size(1500, |high| high, later)),
        (None, Some(9000))
    );
    for loss in [ProbeLoss::WithOthers, ProbeLoss::Alone] {
        let mut path = out();
        assert!(!path.on_loss(ProbeLoss::Others, at(20_000), later), "that is congestion");
        assert_eq!(path.clone().on_acknowledged(at(8961), 1500, &policy, NOW), Some(9000), "it works all the same");
        assert!(!path.on_loss(loss, at(20_000), later));
        assert_eq!((path.search.fails, path.probe_size(1500, |high| high, NOW)), (0, Some(9000)));
    }
    let mut timeout = out();
    timeout.on_probe_timeout(at(1), later, 1500, &policy, NOW);
    assert_eq!((timeout.search.fails, timeout.probe_size(1500, |high| high, NOW)), (1, None));
    let mut outage = out();
    outage.on_probe_timeout(at(0), later, 1500, &policy, NOW);
    assert_eq!(
        (outage.search.fails, outage.probe_size(1500, |high| high, later)),
        (0, Some(9000)),
        "what was before it is lost, too"
    );
    let mut part = out();
    assert_eq!(part.on_acknowledged(at(4000), 1500, &policy, NOW), None);
    assert_eq!(part.probe_size(1500, |high| high, NOW), Some(9000), "the peer had no room for all of it");
    assert_eq!(out().on_acknowledged(at(1), 1500, &policy, NOW), None);
    assert!(!told(1500, &policy).on_loss(ProbeLoss::Alone, at(20_000), later), "none is out");
}

/// An error about the probe is exact (RFC 4821 §7.6.2); it goes no lower than the MTU in use.
#[test]
fn an_error_about_a_probe_bounds_the_search() {
    let policy = Policy { largest: 9000, peer: 9000, ..POLICY };
    let error = |start, claimed| TooBig { start: at(start), claimed, pure_ack: None };
    let mut path = told(1500, &policy);
    probe(&mut path, 1, 8961, 9000);
    assert!(!path.on_probe_too_big(error(2, 4000), 1500, &policy, NOW), "another number");
    assert!(!path.on_probe_too_big(error(1, 9000), 1500, &policy, NOW));
    assert!(!path.on_probe_too_big(error(1, 1499), 1500, &policy, NOW));
    let mut same = path.clone();
    assert!(same.on_probe_too_big(error(1, 1500), 1500, &policy, NOW));
    assert_eq!(same.probe_size(1500, |high| high, NOW), None);
    assert_eq!(same.on_acknowledged(at(9000), 1500, &policy, NOW + Micros::from_secs(600)), None);
    assert_eq!(same.probe_size(1500, |high| high, NOW + Micros::from_secs(600)), Some(9000), "ten minutes later");
    assert!(path.on_probe_too_big(error(1, 4000), 1500, &policy, NOW));
    assert_eq!(path.probe_size(1500, |high| high, NOW), Some(4000));
}

/// What an error has lowered is tried again as well (RFC 1191 §6.3), by a probe; without probes the full size is.
#[test]
fn what_an_error_lowered_is_tried_again() {
    for probing in [true, false] {
        let policy = Policy { probing, ..POLICY };
        let mut path = told(1500, &policy);
        sent(&mut path, 1, 1461, 1500, false);
        assert_eq!(too_big(&mut path, 1, 1400, 0, &policy, NOW), Some(1400));
        sent(&mut path, 1, 1361, 1400, true);
        let later = NOW + Micros::from_secs(600);
        assert_eq!(path.on_acknowledged(at(1361), 1400, &policy, NOW), None);
        assert_eq!(path.probe_size(1400, |high| high, later), None);
        let full = path.on_acknowledged(at(1362), 1400, &policy, later);
        if probing {
            assert_eq!((full, path.probe_size(1400, |high| high, later)), (None, Some(1500)));
            continue;
        }
        assert_eq!((full, path.probe_size(1400, |high| high, later)), (Some(1500), None));
        sent(&mut path, 1361, 2821, 1500, false);
        assert_eq!(path.on_timeout(1500, (1500, 1), &policy, later), Some(1400), "errors have ceased, not the link");
    }
}

/// A size that fails right above the one that works leaves nothing to search: the next search waits for `mtu_retry`.
#[test]
fn a_size_that_is_excluded_ends_the_search_where_nothing_lies_between() {
    let later = NOW + Micros::from_secs(600);
    for (failed, next) in [(76, None), (1024, Some(576))] {
        let mut path = told(1500, &POLICY);
        path.search.begin(1500, 68, NOW);
        path.search.exclude(failed, 68, Some(later));
        assert_eq!(path.probe_size(68, |high| high, NOW), next);
        assert!(!path.search.is_over(68, NOW));
        assert_eq!(path.search.is_over(68, later), next.is_none());
    }
}

/// `mtu_retry` changes while a lowered MTU is kept: the new time counts from then on; where the search goes on, and where
/// the MTU is not lowered, nothing waits.
#[test]
fn another_retry_time_counts_from_then_on() {
    let mut path = proven();
    assert_eq!(too_big(&mut path, 1461, 1400, 1, &POLICY, NOW), Some(1400));
    let later = NOW + Micros::from_secs(100);
    let [never, soon] = [None, Some(Micros::from_secs(300))].map(|retry| Policy { retry, ..POLICY });
    let due = |path: &PathMtu, at| path.search.is_over(1400, at);
    path.on_retry(1400, &never, later);
    assert!(!due(&path, NOW + Micros::from_secs(1_000_000)));
    path.on_retry(1400, &soon, later);
    assert!(!due(&path, later + Micros::from_secs(299)) && due(&path, later + Micros::from_secs(300)));
    let mut whole = proven();
    let before = whole.clone();
    whole.on_retry(1500, &soon, later);
    assert_eq!(whole, before);
}

/// RFC 8899 §3 item 7: the loss of a probe is no congestion, also when the search that sent it is over; but neither its arrival
/// nor its loss tells the next search anything.
#[test]
fn the_probe_of_a_search_that_is_over_proves_nothing() {
    let on = Policy { largest: 9000, peer: 9000, ..POLICY };
    let off = Policy { probing: false, ..on };
    let (later, soon) = (NOW + RTT, NOW + RTT / 2);
    for (last, next) in [(&off, None), (&on, Some(9000))] {
        let mut path = told(1500, &on);
        probe(&mut path, 1, 8961, 9000);
        path.on_probing(1500, &off, NOW);
        path.on_probing(1500, last, NOW);
        assert_eq!(path.probe(), Some((at(1), at(8961))));
        assert_eq!(path.probe_size(1500, |high| high, later), None, "one at a time");
        let mut arrived = path.clone();
        assert_eq!(arrived.on_acknowledged(at(8961), 1500, last, NOW), None);
        assert_eq!((arrived.probe(), arrived.probe_size(1500, |high| high, NOW)), (None, next));
        assert_eq!(arrived.is_at_rest(), next.is_none());
        let mut lost = path.clone();
        assert!(lost.on_loss(ProbeLoss::Alone, at(20_000), later), "no congestion");
        assert_eq!(lost.on_acknowledged(at(20_000), 1500, last, NOW), None);
        assert_eq!((lost.search.fails, lost.probe()), (0, None));
        assert_eq!((lost.probe_size(1500, |high| high, soon), lost.probe_size(1500, |high| high, later)), (None, next));
        let mut timeout = path.clone();
        timeout.on_probe_timeout(at(0), later, 1500, last, NOW);
        assert_eq!((timeout.search.fails, timeout.probe()), (0, None));
        assert!(!path.on_loss(ProbeLoss::WithOthers, at(20_000), later) && path.probe().is_none());
    }
    let mut narrower = told(9000, &on);
    probe(&mut narrower, 1, 8961, 9000);
    narrower.on_told(1500, 8000, &on, NOW);
    assert_eq!(narrower.probe(), None, "it goes again at once, in smaller segments");
}
