//! The server (RFC 7413 §4.2.2): text on a SYN with a valid cookie is delivered at once, and may be answered.

use segue::{EcnMode, FastOpenAnswer, FastOpenCookie, Flags, Path, Segment, State, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{ours, peer, peer_ctl, peer_syn, peer_text, text, theirs};
use segue_kit::{ms, plain};

use super::{VALID, cookie, with_option};

/// A SYN with the cookie and this number of octets of text.
fn syn(octets: usize) -> Segment {
    Segment { payload: text(octets), ..with_option(peer_syn(), cookie()) }
}

fn accept(octets: usize, answer: FastOpenAnswer) -> Rig {
    Rig::accept_fast_open(plain(), Path::ipv4(1500), syn(octets), answer)
}

#[test]
fn rfc_7413_4_2_2_text_with_a_valid_cookie_is_delivered_at_once() {
    let mut tcp = accept(100, VALID);
    assert_eq!(tcp.said(), "Connected; Deliver 100; <SEQ=-1><ACK=100><CTL=SYN,ACK>");
    assert_eq!(tcp.state(), State::SynReceived);
    assert_eq!(tcp.delivered(), text(100));
    assert_eq!(tcp.arrives(peer(100, 0)), "Report(FastOpenConfirmed)");
    assert_eq!(tcp.state(), State::Established);
    assert_eq!(accept(0, VALID).said(), "Connected; <SEQ=-1><ACK=0><CTL=SYN,ACK>");
}

/// Without a valid cookie the handshake is an ordinary one; text waits for its end.
#[test]
fn rfc_7413_4_2_2_without_a_valid_cookie_the_syn_alone_is_acknowledged() {
    for cookie in [None, Some(cookie())] {
        let mut tcp = accept(100, FastOpenAnswer { valid: false, cookie });
        assert_eq!(tcp.said(), "<SEQ=-1><ACK=0><CTL=SYN,ACK>");
        assert_eq!(tcp.only().options.fast_open(), cookie);
        tcp.send(10);
        assert_eq!(tcp.lengths(), [0; 0], "nothing leaves before the handshake");
        let words = tcp.arrives(peer(0, 0));
        assert!(words.starts_with("Connected; Deliver 100"), "{words}");
    }
}

/// The answer leaves before the handshake is complete, as far as the initial window and the window of the SYN allow.
#[test]
fn rfc_7413_4_2_2_the_answer_leaves_before_the_handshake_is_complete() {
    for (window, most) in [(65_535, 14_600), (5000, 4999), (0, 0)] {
        let syn = Segment { window, ..syn(100) };
        let mut tcp = Rig::accept_fast_open(plain(), Path::ipv4(1500), syn, VALID);
        tcp.send(20_000);
        let sent: usize = tcp.lengths().iter().sum();
        assert!((most - most.min(1460)..=most).contains(&sent), "{window}: {sent}");
        if most > 0 {
            assert!(sent > 0);
            assert_eq!(tcp.sent()[0].seq, ours(0));
        }
        let end = u32::try_from(sent).unwrap();
        tcp.arrives(Segment { window: 65_535, ..peer(100, end) });
        assert_eq!(tcp.state(), State::Established);
        assert_eq!(tcp.info().snd_una, ours(end));
    }
}

/// Nagle's algorithm holds back a small segment while text is in flight; our SYN is none.
#[test]
fn a_small_answer_leaves_at_once_and_another_one_waits() {
    let mut tcp = accept(100, VALID);
    assert_eq!(tcp.send(10), "<SEQ=0><ACK=100><DATA=10><CTL=PSH,ACK>");
    assert_eq!(tcp.send(10), "");
    assert_eq!(
        tcp.arrives(peer(100, 10)),
        "Report(FastOpenConfirmed); Acked(10); <SEQ=10><ACK=100><DATA=10><CTL=PSH,ACK>"
    );
}

/// An ACK of the SYN,ACK alone loses nothing of what is under way.
#[test]
fn the_ack_of_the_syn_leaves_early_text_in_flight() {
    let mut tcp = accept(100, VALID);
    tcp.send(1000);
    assert_eq!(tcp.arrives(peer(100, 0)), "Report(FastOpenConfirmed)");
    assert_eq!((tcp.info().flight, tcp.info().counters.retransmissions), (1000, 0));
    assert_eq!(tcp.arrives(peer(100, 1000)), "Acked(1000); Flushed");
}

/// A FIN waits for the handshake, ours and the peer's.
#[test]
fn a_fin_waits_for_the_handshake() {
    let mut tcp = accept(100, VALID);
    tcp.send(1000);
    assert_eq!(tcp.close(), "");
    assert_eq!(tcp.state(), State::SynReceived);
    let words = tcp.arrives(peer(100, 1000));
    assert!(words.ends_with("<SEQ=1000><ACK=100><CTL=FIN,ACK>"), "{words}");
    assert_eq!(tcp.state(), State::FinWait1);
    let mut only_fin = accept(0, VALID);
    assert_eq!(only_fin.close(), "");

    let syn = Segment { flags: Flags::SYN | Flags::FIN, ..syn(100) };
    let mut tcp = Rig::accept_fast_open(plain().drop_syn_fin(false), Path::ipv4(1500), syn, VALID);
    assert_eq!(tcp.said(), "Connected; Deliver 100; <SEQ=-1><ACK=100><CTL=SYN,ACK>");
    assert_eq!(tcp.arrives(peer(101, 0)), "Report(FastOpenConfirmed); PeerClosed; <SEQ=0><ACK=101><CTL=ACK>");
    assert_eq!(tcp.state(), State::CloseWait);
}

/// The SYN,ACK again has neither the option nor text; what was sent goes again when the client has answered.
#[test]
fn the_syn_ack_again_is_an_ordinary_one() {
    let mut tcp = accept(100, FastOpenAnswer { cookie: Some(cookie()), ..VALID });
    assert_eq!(tcp.only().options.fast_open(), Some(cookie()));
    tcp.send(1000);
    assert_eq!(tcp.fire(Timer::Retransmit), "<SEQ=-1><ACK=100><CTL=SYN,ACK>");
    assert_eq!((tcp.only().options.fast_open(), tcp.only().payload.len()), (None, 0));
    assert_eq!(tcp.send(500), "", "nothing new either: the path may have lost it");
    tcp.arrives(peer(100, 0));
    assert_eq!(tcp.lengths(), [1460], "Nagle holds the rest");
    assert_eq!(tcp.info().counters.retransmissions, 2);
}

/// The client repeats its SYN: the answer acknowledges the text that was delivered.
#[test]
fn a_repeated_syn_delivers_nothing_twice() {
    let mut tcp = accept(100, VALID);
    tcp.wait(ms(1000));
    for again in [syn(100), peer_syn()] {
        assert_eq!(tcp.arrives(again), "<SEQ=-1><ACK=100><CTL=SYN,ACK>; Discarded(SynRepeated)");
    }
    tcp.wait(ms(1000));
    assert_eq!(tcp.arrives(peer_text(0, 150, 0)), "Report(FastOpenConfirmed); Deliver 50");
}

/// The text counts in the receive window of the SYN,ACK until the user takes it.
#[test]
fn the_window_of_the_syn_ack_is_what_is_left() {
    let config = plain().receive_buffer(5000);
    let tcp = Rig::accept_fast_open(config, Path::ipv4(1500), syn(1000), VALID);
    let ordinary = Rig::accept(config, Path::ipv4(1500), syn(1000));
    assert_eq!(ordinary.only().window - tcp.only().window, 1000);
    assert_eq!(tcp.only().ack, theirs(1000));
}

/// A reset, a bad ACK: the rules of SYN-RECEIVED.
#[test]
fn early_text_changes_no_rule_of_syn_received() {
    let mut tcp = accept(100, VALID);
    tcp.send(1000);
    assert_eq!(tcp.arrives(peer(100, 1001)), "<SEQ=1001><CTL=RST>; Discarded(BadHandshakeAck)");
    assert_eq!(tcp.arrives(peer_ctl(Flags::RST, 100, 0)), "Closed(Reset)");
    let mut tcp = accept(100, VALID);
    tcp.send(1000);
    while tcp.state() == State::SynReceived {
        let (timer, _) = tcp.connection.next_deadline().expect("it gives up some time");
        tcp.fire(timer);
    }
    assert!(tcp.said().ends_with("Closed(ConnectTimeout)"), "{}", tcp.said());
}

/// RFC 9768 §3.2.2.2: feedback works as after any handshake.
#[test]
fn accurate_ecn_and_fast_open_go_together() {
    let ask = Flags::AE | Flags::CWR | Flags::ECE;
    let syn = Segment { flags: Flags::SYN | ask, ..syn(100) };
    let mut tcp = Rig::accept_fast_open(plain().ecn(EcnMode::Passive), Path::ipv4(1500), syn, VALID);
    tcp.send(1000);
    assert_eq!(tcp.only().ecn, segue::Ecn::NotEct, "the handshake is not complete");
    tcp.arrives(Segment { flags: Flags::ACK | Flags::AE | Flags::ECE, ..peer(100, 1000) });
    assert!(tcp.info().accurate_ecn.is_some());
    tcp.send(1000);
    assert_eq!(tcp.only().ecn, segue::Ecn::Ect0);
}

/// RFC 7413 §4.2: without the call the option is ignored.
#[test]
fn rfc_7413_4_2_an_ordinary_open_ignores_the_option() {
    for cookie in [cookie(), FastOpenCookie::default()] {
        let syn = Segment { payload: text(100), ..with_option(peer_syn(), cookie) };
        let tcp = Rig::accept(plain(), Path::ipv4(1500), syn);
        assert_eq!(tcp.said(), "<SEQ=-1><ACK=0><CTL=SYN,ACK>");
        assert_eq!(tcp.only().options.fast_open(), None);
    }
}

/// The user took the text before the handshake was complete: then the window that it left open is told.
#[test]
fn what_the_user_took_early_opens_the_window_with_the_handshake() {
    let config = plain().receive_buffer(1000);
    let mut tcp = Rig::accept_fast_open(config, Path::ipv4(1500), syn(900), VALID);
    assert_eq!(tcp.consume(900), "");
    assert_eq!(tcp.arrives(peer(900, 0)), "Report(FastOpenConfirmed); <SEQ=0><ACK=900><CTL=ACK>");
    assert_eq!(tcp.only().window, 1000);
}

/// A SYN,ACK of a simultaneous open stands before text that was delivered: it is old (RFC 9293 §3.10.7.4 first), and says nothing of
/// ECN. The answer is that of RFC 5961 §4.2, an ACK under the throttle of challenges.
#[test]
fn a_syn_ack_after_early_text_changes_nothing() {
    let syn = Segment { flags: Flags::SYN | Flags::ECE | Flags::CWR, ..syn(100) };
    let mut tcp = Rig::accept_fast_open(plain().ecn(EcnMode::Passive), Path::ipv4(1500), syn, VALID);
    let before = tcp.connection.clone();
    let words = tcp.arrives(Segment { seq: peer_syn().seq, ..peer_ctl(Flags::SYN | Flags::ACK, 0, 0) });
    assert!(words.contains("Discarded(OutOfWindow)"), "{words}");
    assert_eq!(tcp.connection.canonical(tcp.now), before.canonical(tcp.now));
    tcp.arrives(peer(100, 0));
    assert!(tcp.info().ecn);
}
