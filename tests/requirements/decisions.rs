//! What the RFCs leave open or contradict each other in, and segue decided: the table in `docs/conformance/decisions.md`.

use segue::{
    Arc, Config, Connection, Discard, Error, Event, Flags, IcmpKind, Instant, Options, Path, Segment, State, Timer,
};
use segue_kit::rig::Rig;
use segue_kit::streams::{
    IRS, ISS, SECRETS, ours, peer, peer_ctl, peer_syn, peer_syn_ack, peer_text, stamped, text, theirs,
};
use segue_kit::{ms, plain, secs};

const FIN_ACK: Flags = Flags::FIN.union(Flags::ACK);

/// Two ends that disagree on their numbers must not answer each other for ever; but who lacks our acknowledgment always gets it.
#[test]
fn unacceptable_answers_without_sequence_length_are_throttled() {
    let answers = |segment: Segment| {
        let mut tcp = Rig::established(plain());
        (0..100).filter(|_| tcp.arrives(segment.clone()).contains("<SEQ=0><ACK=0><CTL=ACK>")).count()
    };
    assert_eq!(answers(peer(70_000, 0)), 10);
    assert_eq!(answers(peer_text(70_000, 1, 0)), 100);
    assert_eq!(answers(peer_text(u32::MAX - 99, 10, 0)), 100);
    assert_eq!(answers(peer_ctl(FIN_ACK, 70_000, 0)), 100);
}

#[test]
fn unacceptable_resets_are_never_answered() {
    let mut tcp = Rig::established(plain());
    assert_eq!(tcp.arrives(peer_ctl(Flags::RST, 70_000, 0)), "Discarded(ResetOutOfWindow)");
}

#[test]
fn syn_received_bad_ack_is_reset_and_the_state_stays() {
    for ack in [ISS, ours(1), ISS - 1, ours(1 << 30)] {
        let mut tcp = Rig::in_state(State::SynReceived, plain());
        tcp.arrives(Segment { ack, ..peer(0, 0) });
        assert_eq!(tcp.sent(), [Segment { seq: ack, flags: Flags::RST, ..Segment::default() }]);
        assert_eq!(tcp.state(), State::SynReceived);
        assert_eq!(tcp.arrives(peer(0, 0)), "Connected");
    }
}

/// The copy shares the throttle of challenge ACKs, and leaves RTO, R1 and R2 alone.
#[test]
fn syn_received_repeated_syn_brings_the_syn_ack_again() {
    let mut tcp = Rig::in_state(State::SynReceived, plain());
    tcp.quiet(ms(500));
    let deadlines = [Timer::Retransmit, Timer::UserTimeout].map(|timer| tcp.until(timer));
    assert_eq!(deadlines, [Some(ms(500)), Some(secs(180) - ms(500))]);
    assert_eq!(tcp.arrives(peer_syn()), "<SEQ=-1><ACK=0><CTL=SYN,ACK>; Discarded(SynRepeated)");
    for _ in 0..20 {
        tcp.arrives(peer_syn());
    }
    assert_eq!(tcp.arrives(peer_syn()), "Discarded(SynRepeated)");
    assert_eq!(deadlines, [Timer::Retransmit, Timer::UserTimeout].map(|timer| tcp.until(timer)));
    assert_eq!(tcp.info().rto, secs(1));
}

/// RFC 9293 returns to LISTEN, or resets; segue extends RFC 5961's protection to this state.
#[test]
fn syn_received_another_syn_is_challenged() {
    for seq in [0, 1000, 65_534] {
        let mut tcp = Rig::listen(plain());
        tcp.arrives(peer_syn());
        let words = tcp.arrives(peer_ctl(Flags::SYN, seq, 0));
        assert_eq!(words, "<SEQ=0><ACK=0><CTL=ACK>; Discarded(SynChallenged)", "{seq}");
        assert_eq!(tcp.state(), State::SynReceived);
    }
    let mut by_the_letter = Rig::listen(plain().rfc5961(false));
    by_the_letter.arrives(peer_syn());
    assert_eq!(by_the_letter.arrives(peer_ctl(Flags::SYN, 1000, 0)), "ReturnedToListen");
}

/// "Queue for processing after entering ESTABLISHED state" (§3.10.4) also where nothing is queued, as BSD does.
#[test]
fn syn_received_close_waits_for_established() {
    let mut tcp = Rig::in_state(State::SynReceived, plain());
    assert_eq!((tcp.close().as_str(), tcp.state()), ("", State::SynReceived));
    assert_eq!(tcp.arrives(peer(0, 0)), "Connected; <SEQ=0><ACK=0><CTL=FIN,ACK>");
    assert_eq!(tcp.state(), State::FinWait1);
}

#[test]
fn syn_with_fin_is_processed_or_dropped_by_configuration() {
    let syn_fin = Segment { flags: Flags::SYN | Flags::FIN, payload: text(5), ..peer_syn() };
    let mut tcp = Rig::listen(plain());
    assert_eq!(tcp.arrives(syn_fin.clone()), "<SEQ=-1><ACK=0><CTL=SYN,ACK>");
    assert_eq!(tcp.arrives(peer(6, 0)), "Connected; Deliver 5; PeerClosed; <SEQ=0><ACK=6><CTL=ACK>");
    assert_eq!(tcp.state(), State::CloseWait);
    let mut tcp = Rig::listen(plain().drop_syn_fin(true));
    assert_eq!((tcp.arrives(syn_fin).as_str(), tcp.state()), ("Discarded(SynFin)", State::Listen));
}

/// No more than one segment of text is held for a handshake that may never be completed.
#[test]
fn text_on_a_syn_is_held_up_to_one_segment() {
    let mut tcp = Rig::listen(plain());
    tcp.arrives(Segment { payload: text(5000), ..peer_syn() });
    assert_eq!(tcp.info().held, 1460);
    assert_eq!(tcp.arrives(peer(0, 0)), "Connected; Deliver 1460; <SEQ=0><ACK=1460><CTL=ACK>");
}

/// Nobody is left to read it when it may be delivered.
#[test]
fn text_on_a_syn_for_a_user_who_is_gone_is_reset() {
    let mut tcp = Rig::listen(plain());
    tcp.arrives(Segment { payload: text(10), ..peer_syn() });
    assert_eq!(tcp.does(Event::Release), "");
    assert_eq!(tcp.arrives(peer(10, 0)), "Connected; <SEQ=0><CTL=RST>; Closed(Unread)");
}

#[test]
fn open_is_a_constructor_and_send_in_listen_an_error() {
    let now = Instant::ZERO;
    let mut connection = Connection::listen(Arc::new(Config::default()), Path::ipv4(1500), SECRETS);
    let before = connection.clone();
    assert_eq!(connection.send(&mut text(1), now), Err(Error::RemoteUnspecified));
    assert_eq!(connection, before);
    connection.close(now).unwrap();
    assert_eq!(connection.send(&mut text(1), now), Err(Error::NotConnected));
    assert_eq!(connection.close(now), Err(Error::NotConnected));
}

/// Back in LISTEN nothing is answered with numbers already used: an ISS serves once.
#[test]
fn listen_waits_for_new_secrets_after_a_reset() {
    let mut tcp = Rig::listen(plain());
    tcp.arrives(peer_syn());
    assert_eq!(tcp.arrives(peer_ctl(Flags::RST, 0, 0)), "ReturnedToListen");
    assert_eq!(tcp.arrives(peer_syn()), "Discarded(NotArmed)");
    tcp.does(Event::Rearm(segue::Secrets { iss: ISS + 100, ts_offset: 0 }));
    assert_eq!(tcp.arrives(peer_syn()), "<SEQ=99><ACK=0><CTL=SYN,ACK>");
}

/// Erratum 8167: SYN-SENT knows no number of the peer's that a reset could be compared with; its ACK is what proves it.
#[test]
fn syn_sent_reset_needs_an_acceptable_ack_and_no_number() {
    for seq in [0, 12_345, u32::MAX] {
        let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
        assert_eq!(tcp.arrives(peer_ctl(Flags::RST | Flags::ACK, seq, 0)), "Closed(Refused)");
        let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
        assert_eq!(tcp.arrives(peer_ctl(Flags::RST, seq, 0)), "Discarded(BlindReset)");
        assert_eq!(tcp.arrives(peer_ctl(Flags::RST | Flags::ACK, seq, 1)), "Discarded(BadHandshakeAck)");
        assert_eq!(tcp.state(), State::SynSent);
    }
}

/// Text ahead of a gap is held; its ACK, its window and its urgent pointer count at once.
#[test]
fn out_of_order_text_acknowledges_at_once() {
    let mut tcp = Rig::established(plain());
    tcp.send(10);
    let segment = Segment { urgent: 3, window: 7777, flags: Flags::ACK | Flags::URG, ..peer_text(100, 10, 10) };
    assert_eq!(tcp.arrives(segment), "Urgent { ahead: 103 }; Acked(10); Flushed; <SEQ=10><ACK=0><CTL=ACK>");
    assert_eq!((tcp.info().snd_wnd, tcp.info().held), (7777, 10));
}

/// RFC 1337: not even an exact reset ends TIME-WAIT.
#[test]
fn time_wait_ignores_resets_unless_configured() {
    for seq in [0, 1, 5] {
        let mut tcp = Rig::in_state(State::TimeWait, plain());
        assert_eq!(tcp.arrives(peer_ctl(Flags::RST, seq, 1)), "Discarded(TimeWait)");
        assert_eq!(tcp.until(Timer::TimeWait), Some(secs(240)));
    }
    let mut tcp = Rig::in_state(State::TimeWait, plain().rfc1337(false));
    assert_eq!(tcp.arrives(peer_ctl(Flags::RST, 1, 1)), "Closed(Reset)");
}

#[test]
fn time_wait_answers_the_fin_and_restarts_and_is_silent_to_what_is_acceptable() {
    let mut tcp = Rig::in_state(State::TimeWait, plain());
    tcp.quiet(secs(100));
    assert_eq!(tcp.arrives(peer_ctl(FIN_ACK, 0, 1)), "<SEQ=1><ACK=1><CTL=ACK>");
    assert_eq!(tcp.until(Timer::TimeWait), Some(secs(240)));
    tcp.quiet(secs(100));
    assert_eq!(tcp.arrives(peer(1, 1)), "Discarded(TimeWait)");
    assert_eq!(tcp.arrives(peer(500, 1)), "Discarded(TimeWait)");
    assert_eq!(tcp.until(Timer::TimeWait), Some(secs(140)));
}

/// §3.10.7.4 fifth, TIME-WAIT: the ACK of a segment sent after the FIN tells nothing, and its window is not taken.
#[test]
fn time_wait_text_beyond_the_fin_is_answered_and_its_window_is_not_taken() {
    let mut tcp = Rig::in_state(State::TimeWait, plain());
    let before = tcp.info();
    let text = Segment { window: 65_535, ..peer_text(1, 10, 1) };
    assert_eq!(tcp.arrives(text), "Discarded(AfterFin); <SEQ=1><ACK=1><CTL=ACK>");
    let after = tcp.info();
    assert_eq!((after.snd_wnd, after.snd_wl1, after.snd_wl2), (before.snd_wnd, before.snd_wl1, before.snd_wl2));
    assert_eq!(tcp.until(Timer::TimeWait), Some(secs(240)));
}

/// RFC 6298 (5.7), RFC 5681 §3.1: a SYN that was lost makes data start slowly.
#[test]
fn a_lost_syn_makes_the_rto_3_s_and_the_window_small() {
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    tcp.fire(Timer::Retransmit);
    tcp.arrives(peer_syn_ack());
    assert_eq!((tcp.info().rto, tcp.info().cwnd), (secs(3), 14_600));
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    tcp.fire(Timer::Retransmit);
    tcp.fire(Timer::Retransmit);
    tcp.arrives(peer_syn_ack());
    assert_eq!((tcp.info().rto, tcp.info().cwnd), (secs(3), 1460));
}

/// RFC 6298 (2.4): the limit is a setting; 200 ms by default, 1 s as the RFC has it. It is one of the variation: SRTT, an eighth
/// of 1 ms here, comes on top.
#[test]
fn the_rto_is_200_ms_at_least_or_what_is_set() {
    for (config, rto) in [(plain().min_rto(Config::default().min_rto()), ms(200)), (plain(), secs(1))] {
        let mut tcp = Rig::established(config);
        tcp.send(10);
        tcp.now += ms(1);
        tcp.arrives(peer(0, 10));
        assert_eq!(tcp.info().rto, rto + ms(1) / 8);
    }
}

/// CLOSE in CLOSE-WAIT: "queue this request until all preceding SENDs have been segmentized; then send a FIN, enter LAST-ACK".
#[test]
fn close_wait_becomes_last_ack_when_the_fin_is_sent() {
    let mut tcp = Rig::connect(plain(), Path::ipv4(1500));
    tcp.arrives(Segment { window: 1460, ..peer_syn_ack() });
    tcp.send(3000);
    tcp.arrives(Segment { window: 1460, ..peer_ctl(FIN_ACK, 0, 0) });
    tcp.close();
    assert_eq!(tcp.state(), State::CloseWait);
    tcp.arrives(Segment { window: 1460, ..peer(1, 1460) });
    assert_eq!(tcp.state(), State::CloseWait);
    assert_eq!(
        tcp.arrives(Segment { window: 1460, ..peer(1, 2920) }),
        "Acked(1460); <SEQ=2920><ACK=1><DATA=80><CTL=FIN,PSH,ACK>"
    );
    assert_eq!(tcp.state(), State::LastAck);
}

/// RFC 7323 §3.2: "a TCP SHOULD silently drop" what lacks the option once it was agreed; resets are exempt (§5.2).
#[test]
fn a_missing_timestamp_drops_the_segment() {
    let mut tcp = Rig::connect(plain().timestamps(true), Path::ipv4(1500));
    tcp.arrives(stamped(peer_syn_ack(), 100, 5000));
    assert_eq!(tcp.arrives(peer_text(0, 5, 0)), "Discarded(MissingTimestamp)");
    assert_eq!(tcp.arrives(stamped(peer_text(0, 5, 0), 99, 5000)), "<SEQ=0><ACK=0><CTL=ACK>; Discarded(Paws)");
    assert_eq!(tcp.arrives(stamped(peer_text(0, 5, 0), 100, 5000)), "Deliver 5");
    assert_eq!(tcp.arrives(peer_ctl(Flags::RST, 5, 0)), "Closed(Reset)");
}

/// The first FIN accepted fixes the length of the stream: text behind it is none of this stream's.
#[test]
fn text_behind_a_fin_is_thrown_away() {
    let mut tcp = Rig::established(plain());
    assert_eq!(tcp.arrives(peer_ctl(FIN_ACK, 10, 0)), "<SEQ=0><ACK=0><CTL=ACK>");
    let words = tcp.arrives(peer_text(10, 5, 0));
    assert!(words.contains(&format!("{:?}", Discard::AfterFin)), "{words}");
    assert_eq!(tcp.arrives(peer_text(0, 10, 0)), "Deliver 10; PeerClosed; <SEQ=0><ACK=11><CTL=ACK>");
}

/// A passive OPEN is for one peer: the host looks up the connection, the value never sees another's segments.
#[test]
fn accept_of_what_opens_nothing_is_closed() {
    let (config, now) = (Arc::new(Config::default()), Instant::ZERO);
    let (connection, actions) = Connection::accept(config, Path::ipv4(1500), SECRETS, peer(0, 0), now);
    assert_eq!(connection.state(), State::Closed);
    assert_eq!(actions.last(), Some(&segue::Action::Closed(segue::CloseReason::NotSyn)));
}

/// The shifts are those of both SYNs; one above 14 counts as 14 (RFC 7323 §2.3).
#[test]
fn a_window_scale_above_14_counts_as_14() {
    let options = Options { window_scale: Some(255), ..peer_syn_ack().options.get() };
    let mut tcp = Rig::connect(plain().window_scaling(true), Path::ipv4(1500));
    tcp.arrives(Segment { options: options.into(), ..peer_syn_ack() });
    tcp.arrives(Segment { window: 2, ..peer(0, 0) });
    assert_eq!(tcp.info().snd_wnd, 2 << 14);
}

/// An IPv4 router that does not say its MTU: the next lower plateau (RFC 1191 §7). IPv6 goes no lower than 1280 (RFC 8201 §4).
#[test]
fn too_big_without_a_size_takes_the_next_plateau() {
    let too_big = |path, mtu| {
        let mut tcp = Rig::connect(plain(), path);
        tcp.arrives(peer_syn_ack());
        tcp.send(1460);
        let words = tcp.does(Event::Icmp { kind: IcmpKind::PacketTooBig, quoted_seq: ours(0), mtu });
        words.split("; ").next().unwrap_or_default().to_string()
    };
    assert_eq!(too_big(Path::ipv4(1500), 0), "Report(PathMtu(1492))");
    assert_eq!(too_big(Path::ipv4(1500), 68), "Report(PathMtu(68))");
    assert_eq!(too_big(Path::ipv4(1500), 67), ""); // RFC 5927 §7.4
    assert_eq!(too_big(Path::ipv6(1500), 1000), "");
    assert_eq!(too_big(Path::ipv6(1500), 1280), "Report(PathMtu(1280))");
}

/// RFC 5681 §4.1: after an idle time of more than an RTO the window starts again from the initial one.
#[test]
fn an_idle_connection_restarts_from_the_initial_window() {
    let mut tcp = Rig::established(plain());
    tcp.send(60_000);
    let mut acked = 0;
    while tcp.info().send_queue > 0 {
        acked += tcp.info().flight;
        tcp.arrives(peer(0, acked));
    }
    assert!(tcp.info().cwnd > 14_600);
    tcp.quiet(secs(2));
    tcp.send(30_000);
    assert_eq!((tcp.info().cwnd, tcp.info().flight), (14_600, 14_600));
}

/// RFC 7661 §4.4.3, where it is asked for: the window outlives the pause, but for its half after each non-validated period.
#[test]
fn a_window_that_is_not_used_is_kept_for_a_while() {
    for (pause, expected) in [(secs(2), 49_640), (secs(290), 49_640), (secs(310), 24_820), (secs(2000), 14_600)] {
        let mut tcp = Rig::established(plain().preserve_window(Some(secs(300))));
        tcp.send(60_000);
        let mut acked = 0;
        while tcp.info().send_queue > 0 {
            acked += tcp.info().flight;
            tcp.quiet(ms(10));
            tcp.arrives(peer(0, acked));
        }
        assert_eq!(tcp.info().cwnd, 49_640);
        tcp.quiet(pause);
        tcp.send(100);
        assert_eq!(tcp.info().cwnd, expected, "after {pause:?}");
    }
}

/// RFC 7661 §4.4.1: a loss while the window is not validated leaves a share of what was in use, not of the window.
#[test]
fn a_loss_while_the_window_is_not_validated_counts_what_was_in_use() {
    for (preserve, expected) in [(None, 10_220), (Some(secs(300)), 9198)] {
        let mut tcp = Rig::established(plain().preserve_window(preserve));
        tcp.send(60_000);
        let mut acked = 0;
        while tcp.info().send_queue > 0 {
            acked += tcp.info().flight;
            tcp.quiet(ms(10));
            tcp.arrives(peer(0, acked));
        }
        tcp.quiet(secs(2));
        tcp.send(14_600);
        for _ in 0..3 {
            tcp.arrives(peer(0, acked));
        }
        assert_eq!(tcp.info().ssthresh, 10_220); // 0.7 of the flight
        tcp.arrives(peer(0, acked + 14_600));
        assert_eq!(tcp.info().cwnd, expected); // 0.7 of the flight less the segment that was sent again
    }
}

/// A SYN is never resent by what arrives for another incarnation: the numbers of the first are gone.
#[test]
fn closed_values_answer_as_a_tcp_without_a_connection() {
    let mut tcp = Rig::established(plain());
    tcp.does(Event::Abort);
    tcp.arrives(peer_text(3, 5, 0));
    assert_eq!(tcp.sent(), [Segment { seq: ours(0), flags: Flags::RST, ..Segment::default() }]);
    tcp.arrives(Segment { flags: Flags::SYN, ..peer_syn() });
    let reset = Segment { ack: IRS + 1, flags: Flags::RST | Flags::ACK, ..Segment::default() };
    assert_eq!((tcp.sent(), IRS + 1), (&[reset][..], theirs(0)));
}
