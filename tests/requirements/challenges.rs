//! SYNs and resets on a connection that exists, and what bounds the answers to bare segments (RFC 9293 §3.10.7.4, RFC 5961).

use segue::{Connection, Event, Flags, Instant, Path, Secrets, Segment, SeqNum, State, Timer};

use crate::fixture::{IRS, Tcp, ms, ours, peer, peer_ctl, peer_syn, peer_text, plain, secs, stamped, text, theirs};

const FIN_ACK: Flags = Flags::FIN.union(Flags::ACK);

/// SYN-RECEIVED and the states after it.
fn live() -> impl Iterator<Item = State> {
    State::ALL.into_iter().filter(|state| *state == State::SynReceived || state.is_synchronized())
}

fn at_1000(segment: Segment) -> Segment {
    stamped(segment, 1000, 5000)
}

/// RFC 5961 §5.2: MAX.SND.WND is "the largest window that the local sender has ever received", that of the SYN included.
#[test]
fn max_snd_wnd_includes_the_window_of_the_syn() {
    let syn = |segment: Segment| Segment { window: 1000, ..segment };
    let listen = || {
        let mut tcp = Tcp::listen(plain());
        tcp.arrives(syn(peer_syn()));
        tcp
    };
    let accept = || Tcp::accept(plain(), Path::ipv4(1500), syn(peer_syn()));
    let crossed = || {
        let mut tcp = Tcp::connect(plain(), Path::ipv4(1500));
        tcp.arrives(syn(peer_syn()));
        tcp
    };
    let active = || {
        let mut tcp = Tcp::connect(plain(), Path::ipv4(1500));
        tcp.arrives(syn(crate::fixture::peer_syn_ack()));
        tcp
    };
    let ways: [&dyn Fn() -> Tcp; 4] = [&listen, &accept, &crossed, &active];
    for (way, open) in ways.into_iter().enumerate() {
        for (below, taken) in [(1000, true), (1001, false)] {
            let mut tcp = open();
            tcp.arrives(Segment { window: 1, ..peer(0, 0) });
            assert_eq!((tcp.state(), tcp.info().snd_wnd), (State::Established, 1));
            let old = Segment { ack: ours(0) - below, ..peer_text(0, 10, 0) };
            assert_eq!(tcp.arrives(old).contains("Deliver 10"), taken, "way {way}, {below} below SND.UNA");
        }
    }
}

/// A FIN that is next in order ends the stream (§3.10.7.4 eighth), whatever somebody said of numbers beyond it.
#[test]
fn a_fin_next_in_order_ends_the_stream_in_front_of_held_text() {
    let established = || {
        let mut tcp = Tcp::established(plain());
        assert_eq!(tcp.arrives(peer_text(4999, 1, 0)), "<SEQ=0><ACK=0><CTL=ACK>");
        assert_eq!(tcp.info().held, 1);
        tcp
    };
    let after = |tcp: &Tcp| (tcp.state(), tcp.info().held, tcp.info().counters.octets_trimmed);
    let mut tcp = established();
    assert_eq!(tcp.arrives(peer_text(0, 100, 0)), "Deliver 100; <SEQ=0><ACK=100><CTL=ACK>");
    assert_eq!(tcp.arrives(peer_ctl(FIN_ACK, 100, 0)), "PeerClosed; <SEQ=0><ACK=101><CTL=ACK>");
    assert_eq!(after(&tcp), (State::CloseWait, 0, 1));
    // behind text, and behind text that came in part before
    for start in [0, 60] {
        let mut tcp = established();
        tcp.arrives(peer_text(0, start, 0));
        let words = tcp.arrives(Segment { flags: FIN_ACK, ..peer_text(0, 100, 0) });
        assert_eq!(words, format!("Deliver {}; PeerClosed; <SEQ=0><ACK=101><CTL=ACK>", 100 - start));
        assert_eq!(after(&tcp), (State::CloseWait, 0, 1 + u64::try_from(start).unwrap()));
    }
    // held text that goes on across the FIN is cut there
    let mut tcp = Tcp::established(plain());
    tcp.arrives(peer_text(50, 100, 0));
    let words = tcp.arrives(Segment { flags: FIN_ACK, ..peer_text(0, 100, 0) });
    assert_eq!(words, "Deliver 100; PeerClosed; <SEQ=0><ACK=101><CTL=ACK>");
    assert_eq!(after(&tcp), (State::CloseWait, 0, 50));
    // a FIN that is held out of order is not of this stream either
    let mut tcp = Tcp::established(plain());
    tcp.arrives(peer_ctl(FIN_ACK, 5000, 0));
    assert_eq!(tcp.arrives(peer_ctl(FIN_ACK, 0, 0)), "PeerClosed; <SEQ=0><ACK=1><CTL=ACK>");
    // what comes at or after it is thrown away
    assert_eq!(tcp.arrives(peer_text(1, 5, 0)), "Discarded(AfterFin); <SEQ=0><ACK=1><CTL=ACK>");
}

/// A FIN out of order proves nothing yet: it yields to text that is held.
#[test]
fn a_fin_out_of_order_yields_to_held_text() {
    let mut tcp = Tcp::established(plain());
    tcp.arrives(peer_text(4999, 1, 0));
    assert_eq!(tcp.arrives(peer_ctl(FIN_ACK, 100, 0)), "<SEQ=0><ACK=0><CTL=ACK>");
    assert_eq!(tcp.arrives(peer_text(0, 100, 0)), "Deliver 100; <SEQ=0><ACK=100><CTL=ACK>");
    assert_eq!((tcp.state(), tcp.info().held), (State::Established, 1));
    assert_eq!(tcp.arrives(peer_ctl(FIN_ACK, 100, 0)), "PeerClosed; <SEQ=0><ACK=101><CTL=ACK>");
}

/// A FIN behind text of a SYN that is held in part only comes again with the rest.
#[test]
fn syn_received_a_fin_behind_text_of_the_syn_that_was_cut_is_cut_off_too() {
    let syn_fin = |octets| Segment { flags: Flags::SYN | Flags::FIN, payload: text(octets), ..peer_syn() };
    for (octets, ends) in [(1460, true), (1461, false), (5000, false)] {
        let mut tcp = Tcp::accept(plain(), Path::ipv4(1500), syn_fin(octets));
        assert_eq!(tcp.info().held, 1460);
        let words = tcp.arrives(peer(1460, 0));
        let expected = if ends { "PeerClosed; <SEQ=0><ACK=1461>" } else { "<SEQ=0><ACK=1460>" };
        assert_eq!(words, format!("Connected; Deliver 1460; {expected}<CTL=ACK>"), "{octets}");
        assert_eq!(tcp.state() == State::CloseWait, ends);
        if !ends {
            let rest = Segment { payload: text(octets).slice(1460..), ..peer(1460, 0) };
            assert!(!tcp.arrives(rest).contains("PeerClosed"), "{octets}: the FIN was not accepted with the SYN");
            let fin = peer_ctl(FIN_ACK, u32::try_from(octets).unwrap(), 0);
            assert!(tcp.arrives(fin).contains("PeerClosed"), "{octets}");
        }
    }
}

/// SHLD-3 in the states in which the peer's FIN came; in TIME-WAIT there is nobody left to tell.
#[test]
fn shld_3_release_with_unread_text_resets_after_the_peers_fin() {
    for (state, acknowledged) in [(State::Closing, 0), (State::LastAck, 0), (State::CloseWait, 0), (State::TimeWait, 1)]
    {
        for read in [0, 9, 10] {
            let mut tcp = Tcp::established(plain());
            if matches!(state, State::Closing | State::TimeWait) {
                tcp.close();
            }
            tcp.arrives(Segment { flags: FIN_ACK, ..peer_text(0, 10, acknowledged) });
            if state == State::LastAck {
                tcp.close();
            }
            assert_eq!(tcp.state(), state);
            tcp.consume(read);
            let words = tcp.event(Event::Release);
            if read < 10 && state != State::TimeWait {
                assert!(words.ends_with("<CTL=RST>; Closed(Unread)"), "{state}: {words}");
                assert_eq!(tcp.sent[0].seq, ours(u32::from(state != State::CloseWait)));
            } else {
                assert!(!words.contains("RST") && !words.contains("Closed"), "{state}: {words}");
            }
        }
    }
}
