//! The named seeds of the target `events`: attacks and corners that TCPs fell for, each with what must come of it.

use segue::{CloseReason, Discard, Flags, State};

use crate::fuzz::events::{Ack, Gap, Outcome, Script, Seq, Shape, Start, Ts, With, op};

pub(crate) struct Seed {
    /// The file in `fuzz/corpus/events`.
    pub(crate) name: &'static str,
    pub(crate) script: Script,
    pub(crate) expect: fn(&Outcome),
}

const NEXT: (Seq, i64) = (Seq::Next, 0);
const NXT: (Ack, i64) = (Ack::Nxt, 0);
const ACK: Flags = Flags::ACK;
const RST: Flags = Flags::RST;
const SYN: Flags = Flags::SYN;
const FIN_ACK: Flags = Flags::FIN.union(Flags::ACK);
const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);
const XMAS: Flags =
    Flags::FIN.union(Flags::URG).union(Flags::PSH).union(Flags::SYN).union(Flags::RST).union(Flags::ACK);

fn text(length: u8) -> Shape {
    Shape { length, ..Shape::default() }
}

fn ts(ts: Ts) -> Shape {
    Shape { length: 4, ts: ts as u8, ..Shape::default() }
}

fn with(bits: u8, octets: &'static [u8]) -> Shape {
    Shape { with: Some(With { bits, octets }), ..Shape::default() }
}

const BARE: Shape = Shape { length: 0, window: 0, ts: 0, with: None };
const ZERO_WINDOW: Shape = Shape { length: 0, window: 1, ts: 0, with: None };

/// From this state, with ISS 2³¹ − 1 and IRS 2³² − 1: both wrap with the first octet.
fn from(start: Start) -> Script {
    Script::new(start, 2, 4)
}

fn established() -> Script {
    from(Start::Established)
}

fn discarded(outcome: &Outcome, reason: Discard) {
    assert!(outcome.discards.contains(&reason), "{outcome:?}");
}

fn resets(outcome: &Outcome) -> usize {
    outcome.transmitted.iter().filter(|s| s.flags.contains(RST)).count()
}

fn stays(outcome: &Outcome, state: State, reason: Discard) {
    discarded(outcome, reason);
    assert_eq!((outcome.state, outcome.closed), (state, None), "{outcome:?}");
}

fn challenged(outcome: &Outcome, reason: Discard) {
    stays(outcome, State::Established, reason);
    let flags: Vec<_> = outcome.transmitted.iter().map(|s| (s.flags, s.len())).collect();
    assert_eq!(flags, [(ACK, 0)], "one challenge ACK");
}

fn silent(outcome: &Outcome, state: State, reason: Discard) {
    stays(outcome, state, reason);
    assert_eq!(outcome.transmitted, [], "no answer");
}

fn closed(outcome: &Outcome, reason: CloseReason) {
    assert_eq!((outcome.state, outcome.closed), (State::Closed, Some(reason)), "{outcome:?}");
}

fn reset_unchanged(outcome: &Outcome, state: State) {
    stays(outcome, state, Discard::BadHandshakeAck);
    assert_eq!((resets(outcome), outcome.transmitted.len()), (1, 1), "{outcome:?}");
}

fn reset_unchanged_syn_received(outcome: &Outcome) {
    stays(outcome, State::SynReceived, Discard::BadHandshakeAck);
    assert_eq!(resets(outcome), 1, "{outcome:?}");
}

fn delivered(outcome: &Outcome, octets: u32) {
    assert_eq!(outcome.delivered, octets, "{outcome:?}");
}

pub(crate) fn all() -> Vec<Seed> {
    [handshake(), blind(), text_in(), acknowledgments(), closing(), time_and_path()].into_iter().flatten().collect()
}

fn seed(name: &'static str, script: Script, expect: fn(&Outcome)) -> Seed {
    Seed { name, script, expect }
}

fn handshake() -> Vec<Seed> {
    let mut seeds = vec![
        seed("b05_listen_syn_fin", from(Start::Listen).segment(SYN | Flags::FIN, NEXT, NXT, BARE), |o| {
            assert_eq!(o.state, State::SynReceived);
        }),
        seed("b05_listen_null", from(Start::Listen).segment(Flags::empty(), NEXT, NXT, text(4)), |o| {
            silent(o, State::Listen, Discard::NotSyn);
        }),
        seed("b05_listen_syn_rst", from(Start::Listen).segment(SYN | RST, NEXT, NXT, BARE), |o| {
            silent(o, State::Listen, Discard::NotSyn);
        }),
        seed("b06_syn_sent_bad_ack", from(Start::SynSent).segment(SYN_ACK, NEXT, (Ack::Nxt, 1), BARE), |o| {
            reset_unchanged(o, State::SynSent);
        }),
        seed("b06_syn_sent_bad_ack_rst", from(Start::SynSent).segment(RST | ACK, NEXT, (Ack::Nxt, 1), BARE), |o| {
            silent(o, State::SynSent, Discard::BadHandshakeAck);
        }),
        seed("b06_syn_sent_rst_without_ack", from(Start::SynSent).segment(RST, NEXT, NXT, BARE), |o| {
            silent(o, State::SynSent, Discard::BlindReset);
        }),
        seed("b06_syn_sent_refused", from(Start::SynSent).segment(RST | ACK, NEXT, NXT, BARE), |o| {
            closed(o, CloseReason::Refused);
        }),
        seed("b07_split_handshake", from(Start::SynSent).segment(SYN, NEXT, NXT, BARE), |o| {
            assert_eq!(o.state, State::SynReceived);
            assert_eq!(o.transmitted.last().map(|s| s.flags), Some(SYN_ACK));
        }),
        seed(
            "b08_simultaneous_open",
            from(Start::SynSent).segment(SYN, NEXT, NXT, BARE).segment(SYN_ACK, (Seq::Irs, 0), NXT, BARE),
            |o| assert_eq!(o.state, State::Established),
        ),
        seed("b10_listen_rst_returns", from(Start::SynReceivedListen).segment(RST, NEXT, NXT, BARE), |o| {
            assert_eq!((o.state, o.closed), (State::Listen, None));
        }),
        seed("b10_accept_rst_ends", from(Start::SynReceivedAccept).segment(RST, NEXT, NXT, BARE), |o| {
            assert_eq!(o.state, State::Closed);
        }),
        seed("b11_syn_repeated", from(Start::SynReceivedAccept).segment(SYN, (Seq::Irs, 0), NXT, BARE), |o| {
            stays(o, State::SynReceived, Discard::SynRepeated);
            assert_eq!(o.transmitted.last().map(|s| s.flags), Some(SYN_ACK));
        }),
        seed("b11_other_syn", from(Start::SynReceivedAccept).segment(SYN, (Seq::Next, 100), NXT, BARE), |o| {
            stays(o, State::SynReceived, Discard::SynChallenged);
        }),
        seed(
            "b12_syn_ack_unanswered",
            (0..12).fold(from(Start::SynReceivedAccept), |script, _| script.next_timer()),
            |o| closed(o, CloseReason::ConnectTimeout),
        ),
        seed("b13_third_ack_lost_data_comes", from(Start::SynReceivedAccept).segment(ACK, NEXT, NXT, text(4)), |o| {
            assert_eq!(o.state, State::Established);
            delivered(o, 100);
        }),
        seed("b14_handshake_ack_with_fin", from(Start::SynReceivedAccept).segment(FIN_ACK, NEXT, NXT, text(3)), |o| {
            assert_eq!(o.state, State::CloseWait);
            delivered(o, 10);
        }),
        seed("b15_listen_ack_of_nothing", from(Start::Listen).segment(ACK, NEXT, (Ack::Raw, 0), BARE), |o| {
            stays(o, State::Listen, Discard::AckInListen);
            assert_eq!(resets(o), 1);
        }),
        seed("b16_peer_rebooted", established().segment(SYN, (Seq::Opposite, 0), NXT, BARE), |o| {
            challenged(o, Discard::SynChallenged);
        }),
        seed("a11_mss_zero", from(Start::Listen).segment(SYN, NEXT, NXT, with(8, &[0, 0])), |o| {
            assert_eq!(o.state, State::SynReceived);
        }),
        seed("a13_window_scale_255", from(Start::Listen).segment(SYN, NEXT, NXT, with(16, &[255])), |o| {
            assert_eq!(o.state, State::SynReceived);
        }),
    ];
    seeds.extend(
        [Start::SynReceivedListen, Start::SynReceivedAccept, Start::SynReceivedActive]
            .into_iter()
            .zip(["b10_listen_bad_ack", "b10_accept_bad_ack", "b10_active_bad_ack"])
            .map(|(start, name)| {
                seed(name, from(start).segment(ACK, NEXT, (Ack::Nxt, 1), BARE), |o| {
                    reset_unchanged(o, State::SynReceived)
                })
            }),
    );
    seeds
}

fn blind() -> Vec<Seed> {
    vec![
        seed("c01_rst_exact", established().segment(RST, NEXT, NXT, BARE), |o| closed(o, CloseReason::Reset)),
        seed("c01_rst_in_window", established().segment(RST, (Seq::Next, 1), NXT, BARE), |o| {
            challenged(o, Discard::ResetChallenged);
        }),
        seed("c01_rst_last_in_window", established().segment(RST, (Seq::Edge, -1), NXT, BARE), |o| {
            challenged(o, Discard::ResetChallenged);
        }),
        seed("c01_rst_at_edge", established().segment(RST, (Seq::Edge, 0), NXT, BARE), |o| {
            silent(o, State::Established, Discard::ResetOutOfWindow);
        }),
        seed("c01_rst_before", established().segment(RST, (Seq::Next, -1), NXT, BARE), |o| {
            silent(o, State::Established, Discard::ResetOutOfWindow);
        }),
        seed("c02_syn_in_window", established().segment(SYN, (Seq::Next, 100), NXT, BARE), |o| {
            challenged(o, Discard::SynChallenged);
        }),
        seed("c03_ack_too_old", established().segment(ACK, NEXT, (Ack::Opposite, 1), BARE), |o| {
            challenged(o, Discard::AckOutOfRange);
        }),
        seed(
            "d14_ack_half_the_circle_away",
            established().config(11).segment(ACK, NEXT, (Ack::Opposite, 0), BARE),
            |o| {
                challenged(o, Discard::AckOutOfRange);
            },
        ),
        seed("c07_text_with_old_ack", established().segment(ACK, NEXT, (Ack::Opposite, 1), text(4)), |o| {
            challenged(o, Discard::AckOutOfRange);
            delivered(o, 0);
        }),
        seed("c08_ghost_ack_on_keep_alive", established().segment(ACK, (Seq::Next, -1), (Ack::Nxt, 1), BARE), |o| {
            challenged(o, Discard::AckOutOfRange)
        }),
        seed("c08_ghost_ack_without_scaling", established().peer(4).segment(ACK, NEXT, (Ack::Nxt, 1), BARE), |o| {
            challenged(o, Discard::AckOutOfRange);
        }),
        seed("c08_ghost_ack", established().segment(ACK, NEXT, (Ack::Nxt, 1), text(4)), |o| {
            challenged(o, Discard::AckOutOfRange);
            delivered(o, 0);
        }),
        seed(
            "c06_challenge_war",
            (0..40).fold(established(), |script, _| script.segment(RST, (Seq::Next, 1), NXT, BARE)),
            |o| assert_eq!(o.transmitted.len(), 10, "the limit per connection"),
        ),
        seed("c09_icmp_port_unreachable", established().send(10).raw(Gap::Zero, op::PATH, &[5, 0]), |o| {
            assert_eq!((o.state, o.closed), (State::Established, None));
        }),
        seed("c09_icmp_refuses_syn", from(Start::SynSent).raw(Gap::Zero, op::PATH, &[5, 0]), |o| {
            assert!(matches!(o.closed, Some(CloseReason::Unreachable(_))), "{o:?}");
        }),
        seed("c09_packet_too_big_zero", established().send(5000).raw(Gap::Zero, op::PATH, &[0x40, 0]), |o| {
            assert_eq!((o.state, o.closed), (State::Established, None));
        }),
        seed("b05_xmas", established().segment(XMAS, (Seq::Next, 1), NXT, text(4)), |o| {
            challenged(o, Discard::ResetChallenged);
        }),
    ]
}

/// So many single octets with gaps between them.
fn flood(octets: u32) -> Script {
    (0..octets).fold(established(), |script, i| {
        script.segment(ACK, (Seq::AfterLast, if i == 0 { 100 } else { 1 }), NXT, text(1))
    })
}

fn text_in() -> Vec<Seed> {
    vec![
        seed(
            "d02_overlaps",
            established()
                .segment(ACK, (Seq::Next, 100), NXT, text(4))
                .segment(ACK, (Seq::Next, 10), NXT, text(4))
                .segment(ACK, NEXT, NXT, text(5))
                .segment(ACK, (Seq::Next, -100), NXT, text(5)),
            |o| delivered(o, 2 * 1448 - 100),
        ),
        seed("d03_keep_alive", established().segment(ACK, (Seq::Next, -1), NXT, text(1)), |o| {
            assert_eq!((o.state, o.delivered, o.transmitted.len()), (State::Established, 0, 1));
        }),
        seed(
            "d03_straddles_the_edge",
            established().segment(ACK, (Seq::Edge, -10), NXT, text(4)).segment(ACK, NEXT, NXT, text(4)),
            |o| {
                delivered(o, 100);
            },
        ),
        seed("d03_beyond_the_edge", established().segment(ACK, (Seq::Edge, 0), NXT, text(4)), |o| {
            stays(o, State::Established, Discard::OutOfWindow);
        }),
        seed("d04_one_octet_gaps", flood(260).segment(ACK, NEXT, NXT, text(1)), |o| {
            stays(o, State::Established, Discard::ReassemblyFull);
            delivered(o, 1);
        }),
        seed(
            "d07_text_after_fin",
            established().segment(FIN_ACK, NEXT, NXT, text(3)).segment(ACK, NEXT, NXT, text(4)),
            |o| {
                assert_eq!(o.state, State::CloseWait);
                delivered(o, 10);
            },
        ),
        seed(
            "d07_fin_inside_held_text",
            established().segment(ACK, (Seq::Next, 100), NXT, text(1)).segment(FIN_ACK, NEXT, NXT, text(4)),
            |o| {
                assert_eq!(o.state, State::CloseWait, "a FIN that is next in order ends the stream");
                delivered(o, 100);
            },
        ),
        seed(
            "d07_fin_twice_elsewhere",
            established().segment(FIN_ACK, (Seq::Next, 100), NXT, BARE).segment(FIN_ACK, (Seq::Next, 10), NXT, BARE),
            |o| assert_eq!((o.state, o.delivered), (State::Established, 0)),
        ),
        seed(
            "a18_urgent_after_text_on_the_syn",
            from(Start::Listen).segment(SYN, NEXT, NXT, text(3)).segment(
                ACK | Flags::URG,
                (Seq::Next, 10),
                NXT,
                text(3),
            ),
            |o| delivered(o, 20),
        ),
        seed(
            "a18_urgent_text_is_not_offloaded",
            established().config(10).raw(Gap::Zero, op::OTHER, &[0, 0x4E, 0x20]),
            |o| assert!(o.transmitted.iter().all(|s| s.flags.contains(Flags::URG) && s.segment_size == 0), "{o:?}"),
        ),
        seed("a18_urgent_pointer_wild", established().segment(ACK | Flags::URG, NEXT, NXT, text(2)), |o| {
            delivered(o, 2)
        }),
        seed("d14_half_the_circle", established().segment(ACK, (Seq::Opposite, -1448), NXT, text(4)), |o| {
            stays(o, State::Established, Discard::OutOfWindow);
        }),
        seed(
            "d10_user_never_reads",
            (0..190).fold(established(), |script, _| script.segment(ACK, (Seq::Next, 0), NXT, text(5))),
            |o| stays(o, State::Established, Discard::ZeroWindow),
        ),
    ]
}

fn acknowledgments() -> Vec<Seed> {
    vec![
        seed("e04_window_shrinks", established().send(5000).segment(ACK, NEXT, (Ack::Una, 0), ZERO_WINDOW), |o| {
            assert_eq!(o.state, State::Established);
        }),
        seed(
            "e05_zero_window_for_ever",
            (0..30).fold(established().segment(ACK, NEXT, NXT, ZERO_WINDOW).send(10), |script, _| {
                script.next_timer().segment(ACK, NEXT, (Ack::Una, 0), ZERO_WINDOW)
            }),
            |o| assert_eq!((o.state, o.closed), (State::Established, None), "probes never give up while answered"),
        ),
        seed(
            "e05_sockstress_unanswered",
            (0..30).fold(established().segment(ACK, NEXT, NXT, ZERO_WINDOW).send(10), |s, _| s.next_timer()),
            |o| {
                closed(o, CloseReason::UserTimeout);
            },
        ),
        seed(
            "e07_sack_nonsense",
            established().send(5000).segment(
                ACK,
                NEXT,
                (Ack::Una, 0),
                with(4, &[30 << 3, 29 << 3, 3 << 3, 24 << 3, 0, 0, 9, 4 << 3]),
            ),
            |o| assert_eq!((o.state, o.closed), (State::Established, None)),
        ),
        seed(
            "e02_300_duplicate_acks",
            (0..300).fold(established().send(20_000), |s, _| s.segment(ACK, NEXT, (Ack::Una, 0), BARE)),
            |o| {
                let text = o.transmitted.iter().filter(|s| !s.payload.is_empty()).count();
                assert!(text < 40, "{text} segments of text");
            },
        ),
        seed(
            "e10_paws",
            established().segment_after(Gap::S60, ACK, NEXT, NXT, ts(Ts::Good)).segment(ACK, NEXT, NXT, ts(Ts::Old)),
            |o| {
                stays(o, State::Established, Discard::Paws);
                delivered(o, 100);
            },
        ),
        seed("e11_missing_timestamp", established().segment(ACK, NEXT, NXT, ts(Ts::Missing)), |o| {
            silent(o, State::Established, Discard::MissingTimestamp);
        }),
        seed("e13_retransmissions_run_out", (0..20).fold(established().send(100), |s, _| s.next_timer()), |o| {
            closed(o, CloseReason::UserTimeout);
        }),
    ]
}

fn closing() -> Vec<Seed> {
    let bare = |start: Start, flags, seq, ack| from(start).segment(flags, seq, ack, BARE);
    vec![
        seed("f01_fin_and_ack_to_time_wait", bare(Start::FinWait1, FIN_ACK, NEXT, NXT), |o| {
            assert_eq!(o.state, State::TimeWait)
        }),
        seed("f01_closing_to_time_wait", bare(Start::Closing, ACK, NEXT, NXT), |o| {
            assert_eq!(o.state, State::TimeWait)
        }),
        seed("f01_last_ack_to_closed", bare(Start::LastAck, ACK, NEXT, NXT), |o| closed(o, CloseReason::Finished)),
        seed("f01_time_wait_ends", from(Start::TimeWait).next_timer(), |o| closed(o, CloseReason::Finished)),
        seed("f02_fin_wait_2_orphan", from(Start::FinWait2).release().next_timer(), |o| {
            closed(o, CloseReason::FinWait2Timeout)
        }),
        seed("f03_last_ack_unanswered", (0..20).fold(from(Start::LastAck), |s, _| s.next_timer()), |o| {
            closed(o, CloseReason::UserTimeout);
        }),
        seed("f04_time_wait_rst", bare(Start::TimeWait, RST, NEXT, NXT), |o| {
            silent(o, State::TimeWait, Discard::TimeWait)
        }),
        seed("f04_time_wait_old_text", from(Start::TimeWait).segment(ACK, (Seq::Irs, 1), NXT, text(4)), |o| {
            assert_eq!(o.state, State::TimeWait);
        }),
        seed(
            "f04_time_wait_fin_again",
            from(Start::TimeWait).segment_after(Gap::S60, FIN_ACK, (Seq::Next, -1), NXT, BARE),
            |o| {
                assert_eq!((o.state, o.transmitted.len()), (State::TimeWait, 1));
            },
        ),
        seed("b18_time_wait_syn", bare(Start::TimeWait, SYN, (Seq::Next, 100), NXT), |o| {
            assert_eq!((o.state, o.transmitted.len()), (State::TimeWait, 0), "the host decides about a successor");
        }),
        seed("f05_released_with_unread_text", established().segment(ACK, NEXT, NXT, text(4)).release(), |o| {
            closed(o, CloseReason::Unread);
            assert_eq!(resets(o), 1);
        }),
        seed("f05_text_after_release", established().release().segment(ACK, NEXT, NXT, text(4)), |o| {
            closed(o, CloseReason::Unread);
            assert_eq!(resets(o), 1);
        }),
        seed("f06_closed_answers_with_rst", from(Start::Closed).segment(ACK, NEXT, NXT, text(4)), |o| {
            discarded(o, Discard::NoConnection);
            assert_eq!(resets(o), 1);
        }),
        seed("f06_closed_never_answers_rst", bare(Start::Closed, RST, NEXT, NXT), |o| {
            assert_eq!((resets(o), o.state), (0, State::Closed));
        }),
        seed("f08_closing_fin_again", from(Start::Closing).next_timer(), |o| {
            assert!(o.transmitted.iter().any(|s| s.flags.contains(Flags::FIN)), "{o:?}");
        }),
        seed("f09_abort", established().send(100).abort().abort().close().send(1).consume(1), |o| {
            closed(o, CloseReason::Aborted);
            assert_eq!(resets(o), 1);
        }),
        seed(
            "f12_user_never_closes",
            from(Start::CloseWait).send(100).segment(ACK, NEXT, NXT, BARE).next_timer(),
            |o| {
                assert_eq!(o.state, State::CloseWait);
            },
        ),
    ]
}

fn time_and_path() -> Vec<Seed> {
    vec![
        seed(
            "g01_clock_goes_back",
            established().send(100).raw(Gap::Back, op::ANY_TIMER, &[3]).raw(Gap::Back, op::SEND, &[0, 9]),
            |o| {
                assert_eq!(o.state, State::Established);
            },
        ),
        seed("g01_years_pass", established().send(100).raw(Gap::Years100, op::ANY_TIMER, &[3]), |o| {
            let again = o.transmitted.iter().filter(|s| s.payload.len() == 100).count();
            assert_eq!((o.state, o.closed, again), (State::Established, None, 2), "{o:?}"); // nobody gives up unasked
        }),
        seed(
            "g01_end_of_time",
            established().send(100).raw(Gap::End, op::NEXT_TIMER, &[]).raw(Gap::End, op::SEND, &[0, 9]),
            |o| {
                assert_eq!((o.state, o.closed), (State::Established, None));
            },
        ),
        seed(
            "g02_timers_that_are_not_due",
            (0..9).fold(established(), |s, i| s.raw(Gap::Zero, op::ANY_TIMER, &[i])),
            |o| {
                assert_eq!((o.state, o.transmitted.len()), (State::Established, 0));
            },
        ),
        seed(
            "g05_mtu_down_and_up",
            established().send(20_000).raw(Gap::Zero, op::PATH, &[0x27]).next_timer().raw(Gap::Zero, op::PATH, &[0x57]),
            |o| {
                assert_eq!(o.state, State::Established);
                assert!(o.transmitted.iter().any(|s| !s.payload.is_empty() && s.payload.len() <= 576 - 40), "{o:?}");
            },
        ),
        seed(
            "g02_one_call_for_several_timers",
            established().config(8).raw(Gap::S3, op::ANY_TIMER, &[6]).close().next_timer(),
            |o| assert_eq!(o.state, State::FinWait1),
        ),
        seed(
            "g05_mtu_68_while_text_is_held",
            flood(6).send(10_000).raw(Gap::Zero, op::PATH, &[0x37]).next_timer(),
            |o| {
                assert!(o.transmitted.len() < 1500, "{} segments for 10 000 octets", o.transmitted.len());
            },
        ),
        seed(
            "g06_listen_batch_acks_half_the_circle_away",
            Script::new(Start::Listen, 0, 0).raw(Gap::Zero, op::BATCH, &[0, 0x12, 0, 0, 0, 0, 0x0A, 3, 0]),
            reset_unchanged_syn_received,
        ),
        seed(
            "g06_batch_at_the_edges",
            established().raw(Gap::Zero, op::BATCH, &[2, 0, 1, 2, 0x80, 0, 0, 0, 0, 0, 9, 0, 4]),
            |o| {
                assert_eq!(o.closed, None);
            },
        ),
    ]
}
