//! The user timeout option (RFC 5482).

use segue::{Config, ConfigBuilder, Event, Flags, Knob, Options, Path, Segment, State, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{peer, peer_syn, peer_syn_ack, peer_text, stamped};
use segue_kit::{plain, secs};

fn on() -> ConfigBuilder {
    plain().user_timeout_option(true)
}

/// The segment with the option of this value.
fn with(segment: Segment, value: u16) -> Segment {
    let options = Options { user_timeout: Some(value), ..segment.options.get() };
    Segment { options: options.into(), ..segment }
}

/// What the segments of the last call say of the user timeout.
fn said(tcp: &Rig) -> Vec<Option<u16>> {
    tcp.sent().iter().map(|segment| segment.options.user_timeout()).collect()
}

/// ESTABLISHED; the peer said `value` on its SYN,ACK.
fn told(config: ConfigBuilder, value: u16) -> Rig {
    let mut tcp = Rig::connect(config, Path::ipv4(1500));
    tcp.arrives(with(peer_syn_ack(), value));
    assert_eq!(tcp.state(), State::Established);
    tcp
}

/// §3: "Defaults to false": the option is not sent, and a received one is ignored.
#[test]
fn the_user_timeout_option_is_off_by_default() {
    assert!(!Config::default().user_timeout_option());
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    assert_eq!(said(&tcp), [None]);
    assert_eq!(tcp.arrives(with(peer_syn_ack(), 5000)), "Connected; <SEQ=0><ACK=0><CTL=ACK>");
    assert_eq!((said(&tcp), tcp.info().user_timeout), (vec![None], Some(secs(300))));
}

/// §3: on the SYN, on the SYN,ACK, on the first segment after it, and then no more.
#[test]
fn the_user_timeout_is_said_on_the_syns_and_the_first_segment_after_them() {
    let mut tcp = Rig::connect(on(), Path::ipv4(1500));
    assert_eq!(said(&tcp), [Some(300)]);
    assert!(tcp.fire(Timer::Retransmit).ends_with("<CTL=SYN>"));
    assert_eq!(said(&tcp), [Some(300)]);
    tcp.arrives(peer_syn_ack());
    assert_eq!(said(&tcp), [Some(300)]);
    tcp.send(3000);
    assert_eq!(said(&tcp), [None, None]);

    // passive: the SYN,ACK has it whatever the SYN had; then the first segment, and its text leaves room for it (MUST-16)
    let mut tcp = Rig::accept(on().nagle(false), Path::ipv4(1500), peer_syn());
    assert_eq!(said(&tcp), [Some(300)]);
    tcp.arrives(peer(0, 0));
    tcp.send(3000);
    assert_eq!((said(&tcp), tcp.lengths()), (vec![Some(300), None, None], vec![1456, 1460, 84]));
}

/// §3: "whenever it starts using a new user timeout"; with the next segment.
#[test]
fn a_new_user_timeout_is_said_with_the_next_segment() {
    let mut tcp = Rig::established(on());
    assert_eq!(tcp.does(Event::Set(Knob::UserTimeout(Some(secs(40_000))))), "");
    tcp.send(1);
    assert_eq!(said(&tcp), [Some(0x8000 | 667)]); // minutes, rounded up
    tcp.arrives(peer(0, 1));
    tcp.send(1);
    assert_eq!(said(&tcp), [None]);
    tcp.arrives(peer(0, 2));
    tcp.does(Event::Set(Knob::UserTimeout(None)));
    tcp.arrives(peer_text(1, 1, 2)); // out of order
    assert_eq!(said(&tcp), [Some(0xFFFF)]);

    // where SACK blocks and timestamps fill the header, it waits
    let mut syn_ack = stamped(peer_syn_ack(), 1, 0);
    syn_ack.options.update(|options| options.sack_permitted = true);
    let mut tcp = Rig::connect(on().timestamps(true).sack(true), Path::ipv4(1500));
    tcp.arrives(syn_ack);
    assert_eq!(said(&tcp), [Some(300)]);
    for n in 1..=3 {
        tcp.arrives(stamped(peer_text(100 * n, 1, 0), 1, 0));
    }
    tcp.does(Event::Set(Knob::UserTimeout(Some(secs(200)))));
    tcp.arrives(stamped(peer_text(400, 1, 0), 1, 0));
    assert_eq!((said(&tcp), tcp.sent()[0].options.sack().len()), (vec![None], 3));
    tcp.arrives(stamped(peer_text(0, 300, 0), 1, 0));
    assert_eq!(said(&tcp), [Some(200)]);
}

/// TIME-WAIT waits for no acknowledgment: a user timeout is neither said nor heard.
#[test]
fn time_wait_text_beyond_the_fin_finds_no_user_timeout() {
    let mut tcp = Rig::in_state(State::TimeWait, on());
    tcp.does(Event::Set(Knob::UserTimeout(Some(secs(200)))));
    let text = with(peer_text(1, 10, 1), 600);
    assert_eq!(tcp.arrives(text), "Discarded(AfterFin); <SEQ=1><ACK=1><CTL=ACK>");
    assert_eq!(said(&tcp), [None]);
}

/// §3.1: USER_TIMEOUT = min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)); the later value counts.
#[test]
fn the_longer_user_timeout_counts_at_both_ends() {
    for (own, remote, expected) in
        [(300, 200, 300), (300, 500, 500), (300, 0x8000 | 20, 1200), (10, 50, 100), (9, 32_000, 3600)]
    {
        let tcp = told(on().user_timeout(Some(secs(own))), remote);
        assert_eq!(tcp.info().user_timeout, Some(secs(expected)), "{own} {remote}");
    }
    let mut tcp = told(on(), 500);
    tcp.send(10);
    assert_eq!(tcp.until(Timer::UserTimeout), Some(secs(500)));
    assert_eq!(tcp.arrives(with(peer(0, 10), 700)), "Report(UserTimeout(700s)); Acked(10); Flushed");
    tcp.send(10);
    let happened = tcp.pass(secs(1000));
    assert_eq!(happened.last(), Some(&(700_000, "Closed(UserTimeout)".to_string())));
}

/// §3.4: 0 is reserved; a segment that is thrown away says nothing; a repeated value is no news.
#[test]
fn only_what_is_accepted_and_new_is_heard() {
    let mut tcp = told(on(), 500);
    for value in [0, 0x8000] {
        assert_eq!(tcp.arrives(with(peer(0, 0), value)), "");
    }
    assert_eq!(tcp.arrives(with(peer(0, 0), 500)), "");
    assert_eq!(tcp.arrives(with(peer(100_000, 0), 900)), "<SEQ=0><ACK=0><CTL=ACK>; Discarded(OutOfWindow)");
    assert_eq!(tcp.info().user_timeout, Some(secs(500)));
}

/// §3: who sets a user timeout keeps it (CHANGEABLE), and hears what the peer said (§3.1).
#[test]
fn a_user_timeout_that_the_user_set_is_not_changed() {
    let mut tcp = told(on(), 500);
    tcp.does(Event::Set(Knob::UserTimeout(Some(secs(20)))));
    assert_eq!(tcp.info().user_timeout, Some(secs(20)));
    assert_eq!(tcp.arrives(with(peer(0, 0), 900)), "Report(UserTimeout(900s))");
    tcp.send(1);
    assert_eq!(tcp.until(Timer::UserTimeout), Some(secs(20)));

    // "for ever" is a choice too
    let tcp = told(on().user_timeout(None), 900);
    assert_eq!(tcp.info().user_timeout, None);
}

/// §3.3: "Connections in other states MUST use the default timeout values".
#[test]
fn the_handshake_has_its_own_timeout() {
    let mut tcp = Rig::accept(on(), Path::ipv4(1500), with(peer_syn(), 900));
    assert_eq!(tcp.until(Timer::UserTimeout), Some(secs(180)));
    tcp.arrives(peer(0, 0));
    tcp.send(1);
    assert_eq!(tcp.until(Timer::UserTimeout), Some(secs(900)));
    // a crossing SYN
    let mut tcp = Rig::connect(on(), Path::ipv4(1500));
    assert_eq!(tcp.arrives(with(peer_syn(), 901)), "Report(UserTimeout(901s)); <SEQ=-1><ACK=0><CTL=SYN,ACK>");
    assert_eq!((said(&tcp), tcp.until(Timer::UserTimeout)), (vec![Some(300)], Some(secs(180))));
}

/// §4.2: a keep-alive must not end what the user timeout would have let live.
#[test]
fn keep_alives_wait_longer_than_the_user_timeout() {
    let config = on().keep_alive(true).keep_alive_idle(secs(60));
    assert_eq!(told(config, 900).until(Timer::KeepAlive), Some(secs(901)));
    assert_eq!(told(config, 1).until(Timer::KeepAlive), Some(secs(301)));
    assert_eq!(told(config.keep_alive_idle(secs(5000)), 900).until(Timer::KeepAlive), Some(secs(5000)));
    assert_eq!(told(config.user_timeout_option(false), 900).until(Timer::KeepAlive), Some(secs(60)));
    let rst = Segment { flags: Flags::RST, ..peer(0, 0) };
    assert_eq!(told(config, 900).arrives(with(rst, 5)), "Closed(Reset)");
}
