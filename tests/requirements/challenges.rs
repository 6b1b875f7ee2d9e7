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
