//! Settings whose effect no requirement of the list shows: each does what its line in `docs/configuration.md` says.

use segue::{Config, Flags, Path, State, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{peer, peer_ctl, peer_syn_ack, peer_text};
use segue_kit::{ms, plain, secs};

/// When each retransmission of the SYN leaves, in milliseconds.
fn syns(config: segue::ConfigBuilder) -> Vec<u64> {
    Rig::connect(config, Path::ipv4(1500)).pass(secs(1000)).iter().map(|(at, _)| *at).collect()
}

#[test]
fn initial_rto_and_max_rto_bound_the_back_off() {
    let config = plain().min_rto(ms(1)).initial_rto(ms(200)).syn_retries(4);
    assert_eq!(syns(config), [200, 600, 1400, 3000, 6200]);
    let config = plain().initial_rto(secs(50)).connect_timeout(None).syn_retries(4);
    assert_eq!(syns(config), [50_000, 110_000, 170_000, 230_000, 290_000]); // 60 s at the most
    let config = plain().initial_rto(secs(50)).max_rto(secs(120)).connect_timeout(None).syn_retries(4);
    assert_eq!(syns(config), [50_000, 150_000, 270_000, 390_000, 510_000]);
}

#[test]
fn keep_alive_interval_is_the_time_between_unanswered_probes() {
    let config = plain().keep_alive(true).keep_alive_idle(secs(60)).keep_alive_interval(secs(7)).keep_alive_probes(3);
    let happened = Rig::established(config).pass(secs(1000));
    let instants: Vec<u64> = happened.iter().map(|(at, _)| *at / 1000).collect();
    assert_eq!(instants, [60, 67, 74, 81]);
    assert_eq!(happened[3].1, "Closed(KeepAliveTimeout)");
}

#[test]
fn fin_wait_2_is_the_limit_after_release() {
    for limit in [secs(5), secs(500)] {
        let mut tcp = Rig::established(plain().fin_wait_2(limit));
        tcp.does(segue::Event::Release);
        tcp.arrives(peer(0, 1));
        assert_eq!((tcp.state(), tcp.until(Timer::FinWait2)), (State::FinWait2, Some(limit)));
        assert_eq!(tcp.fire(Timer::FinWait2), "Closed(FinWait2Timeout)");
    }
}

#[test]
fn challenges_are_limited_in_number_and_time() {
    let mut tcp = Rig::established(plain().challenge_limit(3).challenge_window(secs(2)));
    let challenges = |tcp: &mut Rig, n: u32| {
        (0..n).for_each(|_| drop(tcp.arrives(peer_ctl(Flags::SYN, 5, 0))));
        tcp.info().counters.challenge_acks
    };
    assert_eq!(challenges(&mut tcp, 10), 3);
    tcp.quiet(ms(1999));
    assert_eq!(challenges(&mut tcp, 10), 3);
    tcp.quiet(ms(1));
    assert_eq!(challenges(&mut tcp, 10), 6);
}

#[test]
fn ack_every_segment() {
    let mut tcp = Rig::established(plain().ack_every(1));
    for n in 0..3 {
        assert!(tcp.arrives(peer_text(n, 1, 0)).ends_with("<CTL=ACK>"));
    }
}

/// Both ends of the range, and what lies outside of it.
#[test]
fn max_mss_and_min_mss_bound_segments() {
    for (largest, expected) in [(500, 500), (1460, 1460), (9000, 1460)] {
        let mut tcp = Rig::established(plain().max_mss(largest));
        tcp.send(5000);
        assert_eq!(tcp.lengths()[0], expected);
    }
    let mut small = peer_syn_ack();
    small.options.update(|options| options.mss = Some(60));
    for (least, expected) in [(48, 60), (100, 100), (536, 536)] {
        let mut tcp = Rig::connect(plain().min_mss(least), Path::ipv4(1500));
        tcp.arrives(small.clone());
        tcp.send(5000);
        assert_eq!(tcp.lengths()[0], expected);
    }
}

/// RFC 8985 §7.2: a lone segment is probed later by what its acknowledgment may be delayed.
#[test]
fn max_ack_delay_puts_off_the_probe_of_a_lone_segment() {
    let probe = |delay: u64| {
        let mut syn_ack = peer_syn_ack();
        syn_ack.options.update(|options| options.sack_permitted = true);
        let config = plain().sack(true).min_rto(secs(60)).max_ack_delay(ms(delay));
        let mut tcp = Rig::connect(config, Path::ipv4(1500));
        tcp.quiet(ms(100));
        tcp.arrives(syn_ack);
        tcp.send(10);
        tcp.until(Timer::TailLossProbe)
    };
    assert_eq!([0, 25, 500].map(probe), [200, 225, 700].map(|millis| Some(ms(millis))));
}

/// With pacing `burst` segments leave at once, and the others one after the other.
#[test]
fn pacing_burst_bounds_what_leaves_at_once() {
    for burst in [1_u16, 4] {
        let mut tcp = Rig::connect(plain().pacing(true).pacing_burst(burst), Path::ipv4(1500));
        tcp.quiet(ms(100));
        tcp.arrives(peer_syn_ack());
        tcp.send(14_600);
        let at_once = tcp.lengths().len();
        assert_eq!(at_once, usize::from(burst));
        let mut rest = 0;
        while tcp.info().flight < 14_600 {
            let before = tcp.now;
            tcp.fire(Timer::Pace);
            assert!(tcp.now > before && tcp.lengths().len() == 1);
            rest += 1;
        }
        assert_eq!((at_once + rest, tcp.until(Timer::Pace)), (10, None));
    }
}

/// `copy_below`, `frame_size`: text held out of order in small pieces does not keep the frames it came in.
#[test]
fn copy_below_merges_small_pieces() {
    for (copy_below, frame_size, kept) in [(64, 0, true), (1000, 0, false), (64, 4096, false)] {
        let mut tcp = Rig::established(plain().copy_below(copy_below).frame_size(frame_size));
        let segment = peer_text(100, 500, 0);
        let frame = segment.payload.clone();
        tcp.arrives(segment);
        assert_eq!(!frame.is_unique(), kept, "copy_below {copy_below}, frame_size {frame_size}");
    }
}

#[test]
fn the_limits_of_the_user_timeout_option_count() {
    let config = plain().user_timeout_option(true).user_timeout(Some(secs(30)));
    for (config, said, expected) in [
        (config.user_timeout_lower(secs(50)), 10, 50),
        (config.user_timeout_lower(secs(5)), 10, 30),
        (config.user_timeout_upper(secs(700)), 30_000, 700),
    ] {
        let mut tcp = Rig::connect(config, Path::ipv4(1500));
        let mut syn_ack = peer_syn_ack();
        syn_ack.options.update(|options| options.user_timeout = Some(said));
        tcp.arrives(syn_ack);
        assert_eq!(tcp.info().user_timeout, Some(secs(expected)));
    }
}

/// Every setting has a test that gives it another value and looks at what follows.
#[test]
fn every_setting_is_set_by_a_test() {
    let root = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut sources) = (vec![root], String::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension().and_then(|extension| extension.to_str()) {
                None => folders.extend(path.is_dir().then_some(path)),
                Some("rs") if !path.ends_with("conversation/generate.rs") => {
                    sources += &std::fs::read_to_string(path).unwrap()
                }
                Some(_) => {}
            }
        }
    }
    let is_set = |name: &str| sources.split(&format!(".{name}(")).skip(1).any(|rest| !rest.starts_with(')'));
    let forgotten: Vec<_> = Config::fields().iter().map(|field| field.name).filter(|name| !is_set(name)).collect();
    assert_eq!(forgotten, Vec::<&str>::new());
    assert!(!is_set("no_such_setting"));
}
