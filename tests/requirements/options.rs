//! Window field, options and MSS (RFC 9293 §3.1, §3.2, §3.7.1).

use segue::{Config, Event, Flags, IpVersion, Options, Path, SackBlock, SackBlocks, Segment, State, Timer, Timestamps};
use segue_kit::plain;
use segue_kit::rig::Rig;
use segue_kit::streams::{peer, peer_ctl, peer_syn, peer_syn_ack, peer_text, stamped, theirs};

/// A connection to a peer whose SYN,ACK has these options.
fn connected(config: segue::ConfigBuilder, path: Path, options: Options) -> Rig {
    let mut tcp = Rig::connect(config, path);
    tcp.arrives(Segment { options: options.into(), ..peer_syn_ack() });
    assert_eq!(tcp.state(), State::Established);
    tcp
}

fn mss(mss: u16) -> Options {
    Options { mss: Some(mss), ..Options::default() }
}

/// Whatever is in flight is acknowledged, until `flight` octets are out at once.
fn grow(tcp: &mut Rig, window: u16, flight: u32) {
    while tcp.info().flight < flight {
        let before = tcp.info().cwnd;
        let room = tcp.connection.send_room();
        tcp.send(room);
        if tcp.info().flight >= flight {
            return;
        }
        let all = Segment { window, ..tcp.in_turn() };
        tcp.arrives(all);
        assert!(tcp.info().cwnd > before, "the window no longer grows, at {before}");
    }
}

#[test]
fn must_1_a_window_above_32767_is_a_large_one() {
    for window in [0x8000, 0xFFFF] {
        let mut tcp = connected(plain().send_buffer(1 << 20), Path::ipv4(1500), mss(1460));
        tcp.arrives(Segment { window, ..peer(0, 0) });
        assert_eq!(tcp.info().snd_wnd, u32::from(window));
        let whole = u32::from(window) / 1460 * 1460;
        grow(&mut tcp, window, whole);
        assert_eq!(tcp.info().flight, whole);
    }
}

#[test]
fn rec_1_windows_of_a_gigabyte() {
    let config = Config::builder().receive_buffer((1 << 30) - 1).send_buffer((1 << 30) - 1);
    let config = config.receive_buffer_initial((1 << 30) - 1);
    let options = Options { window_scale: Some(14), ..mss(65_000) };
    let mut tcp = connected(config.timestamps(false), Path::ipv4(65_535), options);
    assert_eq!((tcp.info().snd_wnd, tcp.info().rcv_wnd), (65_535, 65_535 << 14)); // the window in a SYN is never scaled
    assert_eq!((tcp.sent()[0].window, u32::from(tcp.sent()[0].window) << 14), (65_535, 1_073_725_440));
    tcp.arrives(peer(0, 0));
    assert_eq!(tcp.info().snd_wnd, 1_073_725_440);
    // text at the far edge, numbers wrapped: the last octet of the window is taken, the one after it is not
    assert_eq!(tcp.arrives(peer_text(1_073_725_439, 1, 0)), "<SEQ=0><ACK=0><CTL=ACK>");
    assert_eq!(tcp.info().held, 1);
    assert_eq!(tcp.arrives(peer_text(1_073_725_440, 1, 0)), "<SEQ=0><ACK=0><CTL=ACK>; Discarded(OutOfWindow)");
    assert_eq!(tcp.arrives(peer_text(u32::MAX, 1, 0)), "Discarded(Duplicate); <SEQ=0><ACK=0><CTL=ACK>");
}

/// RFC 7323 §2.3: any shift can be asked for with which the buffer can be announced; the window on the wire is rounded
/// down to it, and a window that opens by less than its unit is no window.
#[test]
fn the_shift_of_our_windows_can_be_chosen() {
    for shift in [0, 3, 7, 14] {
        let config = plain().window_scaling(true).receive_buffer(100_000).window_shift(Some(shift));
        let mut tcp = connected(config, Path::ipv4(1500), Options { window_scale: Some(0), ..mss(1460) });
        let unit = 1 << shift;
        let most = |octets: u32| (octets / unit).min(65_535);
        assert_eq!(u32::from(tcp.sent()[0].window), most(100_000));
        let mut next = 0;
        while tcp.info().rcv_wnd >= 1460 {
            tcp.arrives(peer_text(next, 1460, 0));
            next += 1460;
            tcp.fire_if(Timer::DelayedAck);
        }
        let taken = usize::try_from(next).unwrap();
        assert!(tcp.consume(taken).ends_with("<CTL=ACK>"), "the window opens again");
        assert_eq!(u32::from(tcp.sent()[0].window), most(100_000));
    }
    let syn = Rig::connect(plain().window_scaling(true).window_shift(Some(9)), Path::ipv4(1500));
    assert_eq!(syn.sent()[0].options.window_scale(), Some(9));
    assert!(Config::builder().window_shift(Some(15)).build().is_err());
    assert!(Config::builder().receive_buffer(511).window_shift(Some(9)).build().is_err());
}

#[test]
fn must_5_options_on_any_segment_change_nothing() {
    let odd = Options {
        mss: Some(100),
        window_scale: Some(9),
        sack_permitted: true,
        user_timeout: Some(3),
        fast_open: segue::FastOpenCookie::new(&[7; 8]),
        ..Options::default()
    };
    for state in State::ALL.into_iter().filter(|state| *state == State::SynReceived || state.is_synchronized()) {
        for flags in [Flags::ACK, Flags::FIN | Flags::ACK, Flags::RST, Flags::URG | Flags::ACK, Flags::SYN] {
            for len in [0, 3] {
                let mut tcp = Rig::in_state(state, plain());
                let segment = Segment { flags, urgent: 2, payload: segue_kit::streams::text(len), ..tcp.in_turn() };
                let mut twin = Rig::in_state(state, plain());
                let plain = twin.arrives(segment.clone());
                let with = tcp.arrives(Segment { options: odd.into(), ..segment });
                if flags != Flags::SYN || state != State::TimeWait {
                    assert_eq!(with, plain, "{state}, {flags:?}");
                }
                let now = tcp.now;
                let after = [tcp, twin].map(|tcp| {
                    let counters = tcp.connection.info().counters;
                    // The counts are the same, but that odd options take no shortcut.
                    (tcp.connection.canonical(now), counters.segments_in, counters.segments_out, counters.discarded)
                });
                assert!(after[0] == after[1], "{state}, {flags:?}: {after:?}");
            }
        }
    }
}

#[test]
fn must_14_and_shld_5_both_syns_carry_the_mss() {
    for (path, mss) in
        [(Path::ipv4(1500), 1460), (Path::ipv6(1500), 1440), (Path::ipv4(576), 536), (Path::ipv6(1280), 1220)]
    {
        let syn = Rig::connect(plain(), path).sent()[0].clone();
        let syn_ack = Rig::accept(plain(), path, peer_syn()).sent()[0].clone();
        assert_eq!([syn.flags, syn_ack.flags], [Flags::SYN, Flags::SYN | Flags::ACK]);
        // MAY-3: also where it is the default, 536 and 1220
        assert_eq!([syn.options.mss(), syn_ack.options.mss()], [Some(mss); 2], "{path:?}");
    }
}

#[test]
fn must_14_the_mss_of_the_peer_limits_segments() {
    let mut tcp = connected(plain(), Path::ipv4(1500), mss(700));
    tcp.send(2100);
    assert_eq!(tcp.lengths(), [700, 700, 700]);
}

#[test]
fn must_15_without_an_option_the_mss_is_536_or_1220() {
    for (path, size) in [(Path::ipv4(1500), 536), (Path::ipv6(1500), 1220)] {
        for (config, options) in [(plain(), 0), (plain().timestamps(true), 12)] {
            let timestamps = Some(Timestamps { value: 1, echo: 0 });
            let mut tcp = connected(config, path, Options { timestamps, ..Options::default() });
            tcp.send(10_000);
            assert!(tcp.lengths().len() > 2);
            assert!(tcp.lengths().iter().all(|len| *len == size - options), "{:?}", tcp.lengths());
        }
    }
}

/// Eff.snd.MSS = min (SendMSS + 20, MMS_S) - TCPhdrsize - IPoptionsize, by the letter, for every segment that is sent.
#[test]
fn must_16_full_segments_fill_the_smaller_of_mss_and_path() {
    for ip in [IpVersion::V4, IpVersion::V6] {
        for mtu in [1280, 1492, 1500, 9000] {
            for ip_options in [0, 8, 40] {
                for send_mss in [400, 1460, 9000] {
                    for timestamps in [false, true] {
                        let path = Path { ip, mtu, ip_options };
                        let options = Options {
                            sack_permitted: true,
                            timestamps: timestamps.then_some(Timestamps { value: 1, echo: 0 }),
                            ..mss(send_mss)
                        };
                        let mut tcp = connected(Config::builder(), path, options);
                        tcp.arrives(stamped(peer_text(50, 10, 0), 2, 5000)); // a gap: segments carry a SACK block
                        tcp.send(60_000);
                        let limit = (send_mss + 20).min(mtu - ip.header());
                        assert!(tcp.sent().len() > 1);
                        for segment in tcp.sent() {
                            let header = 20 + u16::try_from(segment.options.wire_len()).unwrap();
                            assert_eq!(header, 20 + 12 + if timestamps { 12 } else { 0 });
                            let payload = u16::try_from(segment.payload.len()).unwrap();
                            assert_eq!(payload, limit - header - ip_options, "{path:?} {send_mss}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn must_65_no_mss_after_the_syn() {
    let options =
        Options { window_scale: Some(2), sack_permitted: true, timestamps: Some(Timestamps::default()), ..mss(1460) };
    let mut tcp = connected(Config::builder(), Path::ipv4(1500), options);
    let mut sent = tcp.sent().to_vec();
    tcp.send(5000);
    sent.extend_from_slice(tcp.sent());
    for _ in 0..3 {
        tcp.arrives(stamped(peer_text(9, 10, 0), 1, 5000));
        sent.extend_from_slice(tcp.sent());
    }
    tcp.fire(Timer::TailLossProbe);
    sent.extend_from_slice(tcp.sent());
    tcp.fire(Timer::Retransmit);
    sent.extend_from_slice(tcp.sent());
    tcp.close();
    sent.extend_from_slice(tcp.sent());
    tcp.arrives(stamped(peer_ctl(Flags::FIN | Flags::ACK, 19, 0), 1, 5000)); // held: after it ABORT sends no reset
    sent.extend_from_slice(tcp.sent());
    tcp.does(Event::Abort);
    sent.extend_from_slice(tcp.sent());
    assert!(sent.len() > 8 && sent.iter().any(|segment| segment.flags.contains(Flags::RST)));
    assert!(sent.iter().all(|segment| segment.options.mss().is_none()), "{sent:?}");
}

/// MTU less fixed headers, whatever options will be used; never more than `max_mss`.
#[test]
fn must_67_the_announced_mss_leaves_out_options_only() {
    for (path, announced) in
        [(Path::ipv4(1500), 1460), (Path::ipv6(1500), 1440), (Path::ipv4(68), 28), (Path::ipv4(65_535), 65_495)]
    {
        for (config, ip_options) in [(plain(), 0), (Config::builder(), 40)] {
            let syn = Rig::connect(config, Path { ip_options, ..path }).sent()[0].clone();
            assert_eq!(syn.options.mss(), Some(announced));
        }
    }
    let syn = Rig::connect(plain().max_mss(1200), Path::ipv4(1500)).sent()[0].clone();
    assert_eq!(syn.options.mss(), Some(1200));
}

/// The peer's MSS may be 0 or tiny (CVE-2019-11479): 0 counts as none, others as `min_mss` at the least.
#[test]
fn a_tiny_mss_is_raised_to_the_configured_minimum() {
    for (announced, used) in [(0, 536), (1, 64), (63, 64), (64, 64), (65, 65)] {
        let tcp = connected(plain(), Path::ipv4(1500), mss(announced));
        assert_eq!(tcp.info().eff_snd_mss, used);
    }
}

/// SACK blocks on segments of a connection that did not agree on them are no reason to drop anything.
#[test]
fn must_5_sack_blocks_without_agreement_are_ignored() {
    let mut sack = SackBlocks::new();
    sack.push(SackBlock { left: theirs(0), right: theirs(9) });
    let mut tcp = Rig::established(plain());
    let segment = peer_text(0, 5, 0);
    assert_eq!(tcp.arrives(Segment { options: Options { sack, ..Options::default() }.into(), ..segment }), "Deliver 5");
}
