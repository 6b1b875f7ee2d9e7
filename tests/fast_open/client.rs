//! The client (RFC 7413 §4.1.3, §4.2.2): what its SYN carries, and what it makes of the answer.

use segue::{
    CloseReason, Config, Connection, Error, Event, FastOpen, FastOpenCookie, Flags, IcmpKind, Instant, Path, Segment,
    State, Timer,
};
use segue_kit::plain;
use segue_kit::rig::Rig;
use segue_kit::streams::{SECRETS, ours, peer, peer_ctl, peer_syn, peer_syn_ack, text};

use super::{cookie, with_option, with_text};

fn connect(open: FastOpen) -> Rig {
    Rig::connect_fast_open(plain(), Path::ipv4(1500), open)
}

/// The SYN,ACK that acknowledges this number of octets of text.
fn syn_ack(octets: u32) -> Segment {
    Segment { ack: ours(octets), ..peer_syn_ack() }
}

/// §4.1.3: without a cookie the SYN asks for one, and has no text.
#[test]
fn rfc_7413_4_2_1_a_syn_without_a_cookie_asks_for_one() {
    let mut tcp = connect(FastOpen::request(text(100)));
    assert_eq!(tcp.only().options.fast_open(), Some(FastOpenCookie::default()));
    assert!(tcp.only().payload.is_empty());
    let answer = with_option(peer_syn_ack(), cookie());
    let words = tcp.arrives(answer);
    let report = "Report(FastOpenCookie { cookie: FastOpenCookie(6120636f6f6b6965), mss: 1460 })";
    assert_eq!(words, format!("Connected; {report}; <SEQ=0><ACK=0><DATA=100><CTL=PSH,ACK>"));
}

#[test]
fn a_server_that_gives_no_cookie_is_reported() {
    for answer in [peer_syn_ack(), with_option(peer_syn_ack(), FastOpenCookie::default())] {
        let words = connect(FastOpen::request(text(0))).arrives(answer);
        assert_eq!(words, "Connected; Report(FastOpenRefused(NoCookie)); <SEQ=0><ACK=0><CTL=ACK>");
    }
}

/// §4.2.2: the text that fits one segment beside the options, by the MSS that is known, or the default one.
#[test]
fn rfc_7413_4_2_2_text_goes_with_the_cookie() {
    let long = |mss| FastOpen { cookie: cookie(), mss, text: text(5000) };
    let len = |config, path, mss| {
        let tcp = Rig::connect_fast_open(config, path, long(mss));
        let syn = tcp.only().clone();
        assert_eq!((syn.flags, syn.options.fast_open()), (Flags::SYN, Some(cookie())));
        assert!(syn.options.wire_len() <= 40);
        assert_eq!(tcp.info().snd_nxt, ours(u32::try_from(syn.payload.len()).unwrap()));
        syn.payload.len() + syn.options.wire_len()
    };
    let all = plain().timestamps(true).sack(true).window_scaling(true).user_timeout_option(true);
    for config in [plain(), all] {
        assert_eq!(len(config, Path::ipv4(1500), Some(1460)), 1460);
        assert_eq!(len(config, Path::ipv4(1500), Some(9000)), 1460, "the path takes no more");
        assert_eq!(len(config, Path::ipv4(1500), Some(1000)), 1000);
        assert_eq!(len(config, Path::ipv4(1500), None), 536);
        assert_eq!(len(config, Path::ipv6(1500), None), 1220);
    }
    // the longest cookie beside all options: the user timeout gives way
    let cookie = FastOpenCookie::new(&[7; 16]).unwrap();
    let tcp = Rig::connect_fast_open(all, Path::ipv4(1500), FastOpen { cookie, ..long(None) });
    assert_eq!((tcp.only().options.fast_open(), tcp.only().options.user_timeout()), (Some(cookie), None));
}

#[test]
fn a_syn_ack_that_acknowledges_the_text_ends_it() {
    let mut tcp = connect(with_text(100));
    assert_eq!(tcp.only().payload.len(), 100);
    assert_eq!(tcp.arrives(syn_ack(100)), "Connected; Acked(100); Flushed; <SEQ=100><ACK=0><CTL=ACK>");
    assert_eq!((tcp.state(), tcp.info().counters.retransmissions), (State::Established, 0));
}

/// §4.2.2: what the SYN,ACK does not acknowledge was not taken, and not lost: it goes with the ACK, the window as it was.
#[test]
fn text_that_the_server_did_not_take_goes_with_the_ack() {
    for taken in [0, 1, 999, 1000] {
        let mut tcp = Rig::connect_fast_open(plain().nagle(false), Path::ipv4(1500), with_text(3000));
        let on_syn = u32::try_from(tcp.only().payload.len()).unwrap();
        assert!(on_syn > 1000);
        let words = tcp.arrives(syn_ack(taken));
        assert_eq!(words.contains("FastOpenRefused(NotAcknowledged)"), taken == 0, "{words}");
        let sent: usize = tcp.lengths().iter().sum();
        assert_eq!(sent, 3000 - taken as usize, "{words}");
        let fresh = Rig::established(plain());
        assert_eq!((tcp.info().cwnd, tcp.info().ssthresh), (fresh.info().cwnd, fresh.info().ssthresh));
        assert!(tcp.info().srtt.is_some(), "the SYN measures a round trip");
    }
}

/// A new cookie may come with the refusal of an old one.
#[test]
fn a_refused_cookie_may_be_replaced() {
    let new = FastOpenCookie::new(&[9; 4]).unwrap();
    let words = connect(with_text(10)).arrives(with_option(syn_ack(0), new));
    let told = "Report(FastOpenCookie { cookie: FastOpenCookie(09090909), mss: 1460 }); \
                Report(FastOpenRefused(NotAcknowledged))";
    assert!(words.contains(told), "{words}");
}

/// §4.2.2: the SYN again has neither option nor text; the text is in the queue, whichever SYN is answered.
#[test]
fn the_syn_again_is_an_ordinary_one() {
    for taken in [0, 100] {
        let mut tcp = connect(with_text(100));
        let words = tcp.fire(Timer::Retransmit);
        assert_eq!(words, "Report(FastOpenRefused(Timeout)); <SEQ=-1><CTL=SYN>");
        assert_eq!((tcp.only().options.fast_open(), tcp.only().payload.len()), (None, 0));
        assert_eq!(tcp.fire(Timer::Retransmit), "<SEQ=-1><CTL=SYN>", "it is told once");
        assert_eq!(tcp.send(50), "", "nothing leaves before the handshake");
        let words = tcp.arrives(syn_ack(taken));
        assert!(!words.contains("Refused"), "{words}");
        assert_eq!(tcp.lengths().iter().sum::<usize>(), 150 - taken as usize, "{words}");
    }
}

/// A request that is lost says the same.
#[test]
fn a_request_without_an_answer_is_reported() {
    let words = connect(FastOpen::request(text(0))).fire(Timer::Retransmit);
    assert_eq!(words, "Report(FastOpenRefused(Timeout)); <SEQ=-1><CTL=SYN>");
}

/// An ICMP error for the SYN with text is a negative answer; where the packet was too big, the SYN goes again at once.
#[test]
fn rfc_7413_4_1_3_1_an_icmp_error_is_a_negative_answer() {
    let error = |tcp: &mut Rig, kind, mtu| tcp.does(Event::Icmp { kind, quoted_seq: ours(0) - 1, mtu });
    let mut tcp = connect(with_text(1000));
    let words = error(&mut tcp, IcmpKind::PacketTooBig, 576);
    assert_eq!(words, "Report(FastOpenRefused(Icmp(PacketTooBig))); <SEQ=-1><CTL=SYN>");
    assert_eq!(error(&mut tcp, IcmpKind::PacketTooBig, 576), "", "told once");
    let mut tcp = connect(with_text(1000));
    let words = error(&mut tcp, IcmpKind::Unreachable, 0);
    assert_eq!(words, "Report(FastOpenRefused(Icmp(Unreachable))); Report(Icmp(Unreachable))");
    let mut tcp = connect(with_text(1000));
    tcp.does(Event::Icmp { kind: IcmpKind::PacketTooBig, quoted_seq: ours(5000), mtu: 576 });
    assert_eq!(tcp.lengths(), [0; 0], "it quotes what was never sent");
    let mut tcp = connect(FastOpen::request(text(10)));
    assert_eq!(error(&mut tcp, IcmpKind::PacketTooBig, 576), "", "a SYN without text fits");
}

/// §3.10.7.3: acknowledgments up to the end of the text are good, others draw a reset.
#[test]
fn the_text_on_the_syn_counts_for_the_ack() {
    for (octets, good) in [(0, true), (100, true), (101, false), (u32::MAX, false)] {
        let mut tcp = connect(with_text(100));
        tcp.arrives(Segment { ack: ours(0) + octets, ..peer_syn_ack() });
        assert_eq!(tcp.state() == State::Established, good, "{octets}");
    }
    let mut tcp = connect(with_text(100));
    let reset = Segment { ack: ours(100), ..peer_ctl(Flags::RST | Flags::ACK, 0, 0) };
    assert_eq!(tcp.arrives(reset), format!("Closed({:?})", CloseReason::Refused));
}

/// Simultaneous open: the SYN,ACK has no text; what went with the SYN goes again unless it is acknowledged.
#[test]
fn a_crossing_syn_leaves_the_text_in_the_queue() {
    for taken in [0, 100] {
        let mut tcp = connect(with_text(100));
        assert_eq!(tcp.arrives(peer_syn()), "<SEQ=-1><ACK=0><CTL=SYN,ACK>");
        let words = tcp.arrives(peer(0, taken));
        assert!(words.contains("Connected"), "{words}");
        assert_eq!(tcp.lengths().iter().sum::<usize>(), 100 - taken as usize, "{words}");
    }
}

/// A server with a closed window: the text waits for it.
#[test]
fn text_that_was_not_taken_obeys_the_window() {
    let mut tcp = connect(with_text(1000));
    let words = tcp.arrives(Segment { window: 0, ..syn_ack(0) });
    assert!(words.ends_with("<SEQ=0><ACK=0><CTL=ACK>"), "{words}");
    assert_eq!(tcp.lengths(), [0]);
    tcp.arrives(peer(0, 0));
    assert_eq!(tcp.lengths(), [1000]);
}

#[test]
fn more_text_than_the_send_buffer_is_an_error() {
    let config = Config::builder().send_buffer(2048).build().unwrap().into();
    let refused = Connection::connect_fast_open(config, Path::ipv4(1500), SECRETS, with_text(2049), Instant::ZERO);
    assert_eq!(refused.err(), Some(Error::NoRoom { room: 2048 }));
}

/// RFC 7413 §2: it is used by the calls that ask for it, and by no other.
#[test]
fn rfc_7413_2_an_ordinary_open_has_no_option() {
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    assert_eq!(tcp.only().options.fast_open(), None);
    assert_eq!(tcp.arrives(with_option(peer_syn_ack(), cookie())), "Connected; <SEQ=0><ACK=0><CTL=ACK>");
}

/// §4.2.2, 1 a: by the limit of a header, and by a path that takes no more.
#[test]
fn without_room_for_the_option_the_handshake_is_an_ordinary_one() {
    let all = plain().timestamps(true).sack(true).window_scaling(true);
    let mut request = Rig::connect_fast_open(
        all.user_timeout_option(true),
        Path { ip_options: 8, ..Path::ipv4(68) },
        FastOpen::request(text(0)),
    );
    assert_eq!(request.only().options.fast_open(), None);
    assert!(!request.arrives(peer_syn_ack()).contains("FastOpen"));
    let with = |octets: usize| FastOpen { cookie: FastOpenCookie::new(&[7; 16][..octets]).unwrap(), ..with_text(100) };
    // 28 octets of options: MSS, timestamps, SACK-permitted and window scale take 19
    for (octets, fits) in [(4, true), (6, true), (8, false), (16, false)] {
        let mut tcp = Rig::connect_fast_open(all, Path::ipv4(68), with(octets));
        assert_eq!(tcp.only().options.fast_open().is_some(), fits, "{octets}");
        assert!(tcp.only().options.wire_len() + tcp.only().payload.len() <= 28);
        let words = tcp.arrives(peer_syn_ack());
        assert!(words.contains("Connected"), "{words}");
        assert!(!words.contains("FastOpenRefused"), "nothing was asked: {words}");
    }
}

/// Neither the largest segment that we announce nor a cap of our own lets more text go with the SYN.
#[test]
fn the_caps_of_the_mss_hold_for_the_syn() {
    for config in [plain().max_mss(200), plain().max_sent_mss(200)] {
        for mss in [None, Some(1460)] {
            let open = FastOpen { mss, ..with_text(3000) };
            let tcp = Rig::connect_fast_open(config, Path::ipv4(1500), open);
            assert_eq!(tcp.only().payload.len() + tcp.only().options.wire_len(), 200, "{mss:?}");
        }
    }
}
