//! Closing (RFC 9293 §3.5.3, §3.6).

use segue::{Config, Event, Flags, Knob, Options, Path, Segment, State, Timer, Timestamps};
use segue_kit::rig::Rig;
use segue_kit::streams::{IRS, ours, peer, peer_ctl, peer_syn, peer_syn_ack, peer_text, stamped, text, theirs};
use segue_kit::{ms, plain, secs};

const FIN_ACK: Flags = Flags::FIN.union(Flags::ACK);

#[test]
fn must_12_the_user_learns_whether_the_peer_closed_or_reset() {
    let mut closed = Rig::established(plain());
    let fin = Segment { payload: text(5), ..peer_ctl(FIN_ACK, 0, 0) };
    assert_eq!(closed.arrives(fin), "Deliver 5; PeerClosed; <SEQ=0><ACK=6><CTL=ACK>");
    assert_eq!(closed.state(), State::CloseWait);

    let mut reset = Rig::established(plain());
    assert_eq!(reset.arrives(peer_text(0, 5, 0)), "Deliver 5");
    assert_eq!(reset.arrives(peer_ctl(Flags::RST, 5, 0)), "Closed(Reset)");
    assert_eq!(reset.state(), State::Closed);
}

#[test]
fn must_13_time_wait_lasts_two_msl() {
    for (config, msl) in [(plain(), secs(120)), (plain().msl(ms(700)), ms(700))] {
        let mut tcp = Rig::in_state(State::TimeWait, config);
        assert_eq!(tcp.connection.next_deadline(), Some((Timer::TimeWait, tcp.now + 2 * msl)));
        tcp.quiet(2 * msl - ms(1));
        assert_eq!(tcp.state(), State::TimeWait);
        assert_eq!(tcp.fire(Timer::TimeWait), "Closed(Finished)");
        assert_eq!((tcp.state(), tcp.until(Timer::TimeWait)), (State::Closed, None));
    }
}

#[test]
fn u_17_the_default_msl_is_two_minutes() {
    assert_eq!(Config::default().msl(), secs(120));
}

#[test]
fn shld_2_a_reset_with_text_is_a_reset() {
    let reset = |seq| Segment { payload: text(20), ..peer_ctl(Flags::RST, seq, 0) };
    let mut tcp = Rig::established(plain());
    assert_eq!(tcp.arrives(reset(0)), "Closed(Reset)");

    // with a closed window too (MUST-66)
    let mut tcp = Rig::established(plain().receive_buffer(100));
    assert_eq!(tcp.arrives(peer_text(0, 100, 0)), "Deliver 100");
    assert_eq!((tcp.info().rcv_wnd, tcp.arrives(reset(100))), (0, "Closed(Reset)".to_string()));
}

#[test]
fn shld_3_and_may_1_unread_text_of_a_released_connection_is_reset() {
    // unread when the user leaves
    let mut tcp = Rig::established(plain());
    tcp.arrives(peer_text(0, 10, 0));
    assert_eq!(tcp.does(Event::Release), "<SEQ=0><CTL=RST>; Closed(Unread)");

    // read in time, but more comes afterwards
    for state in [State::FinWait1, State::FinWait2] {
        let mut tcp = Rig::established(plain());
        tcp.arrives(peer_text(0, 10, 0));
        tcp.consume(10);
        assert_eq!(tcp.does(Event::Release), "<SEQ=0><ACK=10><CTL=FIN,ACK>");
        if state == State::FinWait2 {
            assert_eq!(tcp.arrives(peer(10, 1)), "Flushed");
        }
        assert_eq!(tcp.state(), state);
        assert_eq!(tcp.arrives(peer_text(10, 1, 1)).replace("Flushed; ", ""), "<SEQ=1><CTL=RST>; Closed(Unread)");
    }

    // nothing more comes: an ordinary close
    let mut tcp = Rig::established(plain());
    assert_eq!(tcp.does(Event::Release), "<SEQ=0><ACK=0><CTL=FIN,ACK>");
    assert_eq!(tcp.arrives(peer_ctl(FIN_ACK, 0, 1)), "PeerClosed; Flushed; <SEQ=1><ACK=1><CTL=ACK>");
    assert_eq!(tcp.state(), State::TimeWait);
}

#[test]
fn may_1_an_ordinary_close_goes_on_receiving() {
    let mut tcp = Rig::established(plain());
    tcp.close();
    assert_eq!(tcp.arrives(peer_text(0, 10, 1)), "Deliver 10; Flushed");
    assert_eq!(tcp.state(), State::FinWait2);
}

/// TIME-WAIT of a connection with timestamps; TS.Recent is 1000, RCV.NXT is octet 1.
fn time_wait_with_timestamps() -> Rig {
    let mut tcp = Rig::connect(plain().timestamps(true), Path::ipv4(1500));
    tcp.arrives(stamped(peer_syn_ack(), 1000, 5000));
    tcp.close();
    tcp.arrives(stamped(peer_ctl(FIN_ACK, 0, 1), 1000, 5000));
    assert_eq!(tcp.state(), State::TimeWait);
    tcp
}

/// RFC 6191 §2, with a column of our own for what MAY-2 says without timestamps: SYN with (timestamp, number) may open
/// a successor.
#[test]
fn shld_4_and_may_2_a_newer_syn_in_time_wait_opens_a_successor() {
    let syn = |timestamp: Option<u32>, seq: u32| {
        let timestamps = timestamp.map(|value| Timestamps { value, echo: 0 });
        Segment { seq: theirs(seq), options: Options { timestamps, ..Options::default() }.into(), ..peer_syn() }
    };
    let cases = [
        (Some(1001), 500, true),          // a later timestamp
        (Some(1001), u32::MAX - 9, true), // ... whatever the number
        (Some(1000), 1, true),            // the same timestamp and a number beyond all that were used
        (Some(1000), 0, false),           // ... and one that was
        (Some(999), 500, false),          // an older timestamp
        (None, 1, true),                  // no timestamp: the number alone
        (None, 0, false),
    ];
    for (timestamp, seq, opens) in cases {
        let mut tcp = time_wait_with_timestamps();
        let words = tcp.arrives(syn(timestamp, seq));
        assert_eq!(tcp.sent(), []);
        assert_eq!(tcp.state(), State::TimeWait);
        assert_eq!(words.starts_with("Successor"), opens, "{timestamp:?}, {seq}: {words}");
        assert_eq!(words == "Discarded(TimeWait)", !opens, "{timestamp:?}, {seq}: {words}");
    }
    // without timestamps before: those of the SYN are newer than none, else the number decides
    for (timestamp, seq, opens) in [(Some(1), 0, true), (None, 1, true), (None, 0, false)] {
        let mut tcp = Rig::in_state(State::TimeWait, plain().timestamps(timestamp.is_some()));
        assert_eq!(tcp.arrives(syn(timestamp, seq)).starts_with("Successor"), opens, "{timestamp:?}, {seq}");
    }
}

/// MAY-2 (1): the ISS of the successor lies beyond every number used before; the SYN it is opened with is the one that came.
#[test]
fn may_2_the_successor_is_told_the_last_number_used() {
    let mut tcp = Rig::in_state(State::TimeWait, plain());
    let syn = Segment { seq: theirs(900), ..peer_syn() };
    let actions = tcp.connection.handle_segment(syn.clone(), tcp.now);
    assert_eq!(actions, [segue::Action::Successor { syn: syn.clone().into(), iss_after: ours(1) }]);
    // (2): this value is still in TIME-WAIT; should the SYN prove to be an old duplicate, nothing has changed
    assert_eq!((tcp.state(), tcp.until(Timer::TimeWait)), (State::TimeWait, Some(secs(240))));

    let mut off = Rig::in_state(State::TimeWait, plain().time_wait_reuse(false));
    assert_eq!(off.arrives(syn), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(SynChallenged)");
}

/// §3.10.5: ABORT deletes the TCB; no TIME-WAIT follows (the text of §3.5.2 about the one who resets contradicts it).
#[test]
fn u_18_abort_enters_closed_at_once() {
    for state in State::ALL.into_iter().filter(|state| *state == State::SynReceived || state.is_synchronized()) {
        let mut tcp = Rig::in_state(state, plain());
        let seq = tcp.info().snd_nxt;
        let words = tcp.does(Event::Abort);
        let resets = match state {
            State::SynReceived | State::Established | State::FinWait1 | State::FinWait2 | State::CloseWait => 1,
            _ => 0,
        };
        assert!(words.ends_with("Closed(Aborted)"), "{state}: {words}");
        assert_eq!(tcp.sent(), vec![Segment { seq, flags: Flags::RST, ..Segment::default() }; resets], "{state}");
        assert_eq!((tcp.state(), tcp.connection.next_deadline()), (State::Closed, None));
    }
}

/// §3.6: FIN-WAIT-2 is without limit while the user is there, and limited when it is gone.
#[test]
fn fin_wait_2_is_limited_only_without_a_user() {
    let mut there = Rig::in_state(State::FinWait2, plain());
    assert_eq!(there.pass(secs(1_000_000)), []);
    let mut gone = Rig::established(plain());
    gone.does(Event::Release);
    gone.arrives(peer(0, 1));
    assert_eq!(gone.pass(secs(60)), [(60_000, "Closed(FinWait2Timeout)".to_string())]);
}

/// A connection that is being closed is not kept open by keep-alives alone, nor by knobs that change meanwhile.
#[test]
fn time_wait_has_one_timer() {
    let mut tcp = Rig::in_state(State::TimeWait, plain().keep_alive(true));
    tcp.does(Event::Set(Knob::KeepAliveIdle(secs(1))));
    tcp.does(Event::Set(Knob::UserTimeout(Some(secs(1)))));
    assert_eq!(tcp.pass(secs(240)), [(240_000, "Closed(Finished)".to_string())]);
    assert_eq!(tcp.arrives(Segment { seq: IRS, ..peer(0, 0) }), "<SEQ=0><CTL=RST>; Discarded(NoConnection)");
}
