//! RFC 4821 §7.7: large packets vanish and no error tells why.

use segue::{Config, Event, Path, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{peer, peer_syn_ack};
use segue_kit::{ms, plain, secs};

use super::link::{Fate, World, carries};
use super::proven;

/// The packets that eight timeouts send, and the MTU in use after each.
fn timeouts(tcp: &mut Rig) -> Vec<(usize, u16)> {
    some_timeouts(tcp, 8)
}

fn some_timeouts(tcp: &mut Rig, count: usize) -> Vec<(usize, u16)> {
    let once = |_| {
        tcp.fire(Timer::Retransmit);
        (tcp.lengths().iter().sum::<usize>() + 40, tcp.info().path_mtu)
    };
    (0..count).map(once).collect()
}

/// The MTUs that timeouts without end lead to.
fn falls(tcp: &mut Rig) -> Vec<u16> {
    timeouts(tcp).into_iter().map(|(_, mtu)| mtu).collect()
}

/// The sizes of the packets that timeouts without end send.
fn sizes(tcp: &mut Rig) -> Vec<usize> {
    timeouts(tcp).into_iter().map(|(size, _)| size).collect()
}

#[test]
fn three_timeouts_of_a_full_segment_lower_the_mtu() {
    let mut tcp = proven();
    tcp.send(10_000);
    tcp.fire(Timer::Retransmit);
    tcp.fire(Timer::Retransmit);
    assert_eq!((tcp.lengths(), tcp.info().path_mtu), (vec![1460], 1500));
    let words = tcp.fire(Timer::Retransmit);
    assert_eq!(
        words,
        "Report(Unresponsive { retransmissions: 3 }); Report(PathMtu(1024)); <SEQ=2920><ACK=0><DATA=984><CTL=ACK>"
    );
}

/// Only the first segment goes in ever smaller packets: the MTU stays at 1024 until one of them gets through.
#[test]
fn the_steps_are_1024_and_halves_down_to_the_floor() {
    let mut tcp = proven();
    tcp.send(10_000);
    let fallen = timeouts(&mut tcp);
    let sizes = [1500, 1500, 1024, 512, 256, 128, 68, 68];
    let mtus = [1500, 1500, 1024, 1024, 1024, 1024, 1024, 1024];
    assert_eq!(fallen, sizes.into_iter().zip(mtus).collect::<Vec<_>>());
    let mut tcp = Rig::connect(plain(), Path::ipv6(1500));
    tcp.arrives(peer_syn_ack());
    tcp.send(10_000);
    assert_eq!(falls(&mut tcp)[1..5], [1500, 1280, 1280, 1280]);
}

#[test]
fn the_steps_are_configurable() {
    let mut tcp = Rig::established(plain().black_hole_timeouts(2).black_hole_mtu(1400).min_mtu(552));
    tcp.send(10_000);
    assert_eq!(timeouts(&mut tcp)[..5], [(1500, 1500), (1400, 1400), (700, 1400), (552, 1400), (552, 1400)]);
    let mut tcp = Rig::established(plain().black_hole_timeouts(0));
    tcp.send(10_000);
    assert!(falls(&mut tcp).iter().all(|mtu| *mtu == 1500));
}

/// A path that takes less than any step so far: the step that makes the segment smaller is taken at once.
#[test]
fn a_small_segment_takes_the_step_below_its_size() {
    let mut tcp = Rig::established(plain());
    tcp.send(161);
    assert_eq!(sizes(&mut tcp)[..4], [201, 201, 128, 68]);
    assert_eq!(tcp.info().path_mtu, 1500);
    // where as much got through before, it is rather an outage: that takes twice as many timeouts
    let mut tcp = proven();
    tcp.send(161);
    assert_eq!(sizes(&mut tcp)[..7], [201, 201, 201, 201, 201, 128, 68]);
}

/// It is not the size: the segment is small, the FIN or the SYN is alone, or a window that shrank keeps the text out.
#[test]
fn what_a_smaller_mtu_would_not_help_lowers_nothing() {
    let mut small = proven();
    small.send(28); // 68 octets with the headers
    assert!(falls(&mut small).iter().all(|mtu| *mtu == 1500));
    let mut fin = proven();
    fin.close();
    assert!(falls(&mut fin).iter().all(|mtu| *mtu == 1500));
    let mut syn = Rig::connect(plain(), Path::ipv4(1500));
    for _ in 0..6 {
        syn.fire(Timer::Retransmit);
    }
    assert_eq!(syn.info().path_mtu, 1500);
    let mut shrunk = proven();
    shrunk.send(10_000);
    shrunk.arrives(segue::Segment { window: 1460, ..peer(0, 2920) });
    assert!(falls(&mut shrunk).iter().all(|mtu| *mtu == 1500));
}

/// A plain outage: when something gets through again, the full size is tried at once, and it works.
#[test]
fn after_an_outage_the_full_size_is_back_at_once() {
    let mut tcp = proven();
    tcp.send(10_000);
    falls(&mut tcp);
    assert_eq!(tcp.lengths(), [28]);
    let words = tcp.arrives(peer(0, 2948));
    assert!(words.starts_with("Report(PathMtu(1500)); Acked(28)"), "{words}");
    assert!(tcp.lengths().iter().all(|len| *len == 1460), "{:?}", tcp.lengths());
    let end = tcp.info().snd_nxt;
    while tcp.info().snd_una != end {
        let una = tcp.info().snd_una + 1460.min(end - tcp.info().snd_una);
        tcp.arrives(segue::Segment { ack: una, ..peer(0, 0) });
    }
    // that is settled: a single timeout lowers nothing
    tcp.send(10_000);
    tcp.fire(Timer::Retransmit);
    assert_eq!(tcp.info().path_mtu, 1500);
}

/// A black hole: the full size fails once more, and then the smaller one stays.
#[test]
fn in_a_black_hole_the_size_that_works_stays() {
    let mut tcp = proven();
    tcp.send(10_000);
    for _ in 0..3 {
        tcp.fire(Timer::Retransmit);
    }
    assert!(tcp.arrives(peer(0, 2920 + 984)).starts_with("Report(PathMtu(1500))"));
    let words = tcp.fire(Timer::Retransmit); // one is enough now
    assert!(words.starts_with("Report(PathMtu(1024)); <SEQ=3904><ACK=0><DATA=984>"), "{words}");
    assert!(!tcp.arrives(peer(0, 3904 + 984)).contains("PathMtu"));
    let mut acked = 3904 + 984;
    while tcp.info().send_queue > 0 {
        assert!(tcp.lengths().iter().all(|len| *len <= 984), "{:?}", tcp.lengths());
        acked = (acked + 984).min(12_920);
        tcp.quiet(ms(1));
        tcp.arrives(peer(0, acked));
    }
    assert_eq!(tcp.info().path_mtu, 1024);
    // then probes look for what more gets through, the full size first (RFC 4821 §7.3)
    tcp.send(10_000);
    assert!(tcp.lengths().contains(&1460), "{:?}", tcp.lengths());
    assert_eq!(tcp.info().path_mtu, 1024);
}

/// Where not even the first step gets through, those below it are found; the MTU follows when that was so three times.
#[test]
fn a_narrower_hole_is_found_step_by_step() {
    let mut tcp = proven();
    tcp.send(10_000);
    for _ in 0..4 {
        tcp.fire(Timer::Retransmit);
    }
    assert_eq!((tcp.lengths(), tcp.info().path_mtu), (vec![472], 1024));
    tcp.arrives(peer(0, 2920 + 472)); // what fits 512 octets gets through: it looks like the end of an outage
    assert_eq!((tcp.lengths()[0], tcp.info().path_mtu), (1460, 1500));
    for una in [472, 944] {
        if una == 472 {
            tcp.fire(Timer::Retransmit);
            assert_eq!((tcp.lengths(), tcp.info().path_mtu), (vec![984], 1024));
        }
        tcp.fire(Timer::Retransmit);
        assert_eq!((tcp.lengths(), tcp.info().path_mtu), (vec![472], 1024));
        tcp.arrives(peer(0, 2920 + una + 472));
    }
    assert_eq!((tcp.lengths()[0], tcp.info().path_mtu), (472, 512));
}

/// The packet of 512 octets got through and its acknowledgment was lost. That of the next one ends where this one ended: none of
/// 1024 octets got through.
#[test]
fn a_lost_acknowledgment_proves_no_larger_packet() {
    for (acked, next) in [(472, 472), (984, 984)] {
        let mut tcp = Rig::established(plain());
        tcp.send(10_000);
        let sent: Vec<_> = some_timeouts(&mut tcp, 5).into_iter().map(|(size, _)| size).collect();
        assert_eq!(sent, [1500, 1500, 1024, 512, 256]);
        tcp.arrives(peer(0, acked));
        tcp.fire(Timer::Retransmit);
        assert_eq!(tcp.lengths(), [next], "after {acked}");
    }
}

/// An outage led to the floor, the link takes 486 octets: before the MTU is lowered each step down to what worked is tried.
#[test]
fn the_steps_above_what_an_outage_led_to_are_tried_before_the_mtu_is_lowered() {
    let mut tcp = proven();
    tcp.send(10_000);
    falls(&mut tcp);
    let mut una = 2920 + 28;
    tcp.arrives(peer(0, una)); // the outage is over
    for sizes in [&[1024, 68][..], &[512, 256]] {
        for size in sizes {
            tcp.fire(Timer::Retransmit);
            assert_eq!((tcp.lengths(), tcp.info().path_mtu), (vec![size - 40], 1024));
        }
        una += u32::try_from(tcp.lengths()[0]).expect("a segment");
        tcp.arrives(peer(0, una));
    }
    assert_eq!(tcp.info().path_mtu, 256);
}

/// Whenever the outage ends that came with it: a narrow link is used by the largest step that gets through, or more.
#[test]
fn an_outage_does_not_make_a_narrow_link_narrower() {
    for (link, step) in [(1000, 512), (486, 256), (300, 256), (200, 128)] {
        for outage in (0..=60).map(secs) {
            let narrow =
                move |at, from, size| if at < outage { Fate::Lost } else { carries(link, false)(at, from, size) };
            let configs = [0; 2].map(|_| Config::builder().user_timeout(None));
            let mut world = World::new(configs, Path::ipv4(1500)).over(narrow);
            world.transfer(100_000, secs(600));
            assert!(world.mtus.iter().all(|(_, mtu)| *mtu >= step), "{link}, {outage:?}: {:?}", world.mtus);
        }
    }
}

/// Smaller packets that vanish as well show that this is no matter of size.
#[test]
fn an_outage_that_ends_with_a_small_packet_leaves_the_mtu() {
    let mut tcp = Rig::established_with_reno(plain().user_timeout(None));
    tcp.send(2920);
    tcp.quiet(ms(100));
    tcp.arrives(peer(0, 2920));
    tcp.send(10_000);
    let mut una = 2920;
    for _ in 0..6 {
        for _ in 0..5 {
            tcp.fire(Timer::Retransmit);
            assert!(tcp.info().path_mtu >= 1024);
        }
        una += u32::try_from(tcp.lengths()[0]).expect("a segment");
        tcp.arrives(peer(0, una));
        assert!(tcp.info().path_mtu >= 1024);
    }
    assert_eq!(tcp.info().path_mtu, 1500);
}

/// An acknowledgment proves the size of what it acknowledges, and no other: it may be for what was sent before.
#[test]
fn an_acknowledgment_of_less_than_the_packet_proves_nothing() {
    let mut tcp = proven();
    tcp.send(10_000);
    for _ in 0..3 {
        tcp.fire(Timer::Retransmit);
    }
    assert_eq!((tcp.lengths(), tcp.info().path_mtu), (vec![984], 1024));
    tcp.arrives(peer(0, 2920 + 100)); // less than was sent
    assert_eq!(tcp.info().path_mtu, 1024);
    tcp.fire(Timer::Retransmit);
    assert_eq!((tcp.lengths(), tcp.info().path_mtu), (vec![472], 1024));
}

/// What the host says is a fact: it ends the search.
#[test]
fn the_host_has_the_last_word() {
    let mut tcp = proven();
    tcp.send(10_000);
    falls(&mut tcp);
    tcp.does(Event::Mtu(1300));
    assert_eq!(tcp.info().path_mtu, 1300);
    tcp.arrives(peer(0, 2920 + 28));
    assert_eq!(tcp.info().path_mtu, 1300);
    tcp.fire(Timer::Retransmit);
    assert_eq!(tcp.info().path_mtu, 1300, "three again");
}
