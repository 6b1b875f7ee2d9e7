//! D: attacks on the stream and on reassembly; A18: urgent pointers.

use segue::{Event, Flags, Segment, State, Timer};
use segue_kit::rig::{ACK, At, FIN, Rig, SYN, everywhere};
use segue_kit::{EDGES, ms, secs};

/// URGENT/11 CVE-2019-12255, uIP CVE-2020-17437, NicheStack CVE-2021-31400.
#[test]
fn a18_an_urgent_pointer_only_points() {
    everywhere(|at| {
        for (up, told) in [
            (0, "Deliver \"abc\""),
            (1, "Urgent { ahead: 1 }; Deliver \"abc\""),
            (3, "Urgent { ahead: 3 }; Deliver \"abc\""),
            (4, "Urgent { ahead: 4 }; Deliver \"abc\""),
            (u16::MAX, "Urgent { ahead: 65535 }; Deliver \"abc\""),
        ] {
            let mut rig = at.established();
            let segment = Segment { flags: ACK | Flags::URG, urgent: up, ..rig.text(1, 1, "abc") };
            assert_eq!(rig.arrives(segment), told);
            assert_eq!(rig.delivered(), b"abc", "urgent text stays in line");
        }
    });
}

#[test]
fn a18_an_urgent_pointer_without_urg_or_in_a_syn() {
    everywhere(|at| {
        let mut rig = at.established();
        let segment = Segment { urgent: 2, ..rig.text(1, 1, "abc") };
        assert_eq!(rig.arrives(segment), "Deliver \"abc\"");
        // The pointer counts from the number of the segment, which is that of its SYN (RFC 9293 §3.1).
        let mut rig = at.connect();
        let segment = Segment { urgent: 3, payload: "abc".into(), ..rig.syn(SYN | ACK | Flags::URG) };
        assert_eq!(rig.arrives(segment), "Connected; Urgent { ahead: 2 }; Deliver \"abc\"; <SEQ=1><ACK=4><CTL=ACK>");
        let mut rig = at.crossed();
        let segment = Segment { urgent: 3, payload: "abc".into(), ..rig.syn(SYN | ACK | Flags::URG) };
        assert!(rig.arrives(segment).starts_with("Connected; Urgent { ahead: 2 }; Deliver \"abc\""));
    });
}

/// An urgent pointer far ahead is kept over any number of segments; 2³¹ behind is behind.
#[test]
fn a18_urgent_mode_lasts_until_its_end() {
    everywhere(|at| {
        let mut rig = at.established();
        let segment = Segment { flags: ACK | Flags::URG, urgent: 2500, ..rig.octets(1, 1, 1000) };
        assert_eq!(rig.arrives(segment), "Urgent { ahead: 2500 }; Deliver 1000");
        assert_eq!(rig.arrives(rig.octets(1001, 1, 1000)), "Deliver 1000; <SEQ=1><ACK=2001><CTL=ACK>");
        assert_eq!(rig.connection.info().urgent_remaining, 2500);
        rig.consume(2000);
        assert_eq!(rig.connection.info().urgent_remaining, 500);
        rig.arrives(rig.octets(2001, 1, 1000));
        assert_eq!((rig.connection.info().rcv_up, rig.connection.info().urgent_remaining), (None, 500));
        rig.consume(1000);
        assert_eq!(rig.connection.info().urgent_remaining, 0);
    });
}

/// Ptacek and Newsham: whoever watches must see what the user sees.
#[test]
fn d1_the_first_accepted_octet_wins() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.arrives(rig.text(3, 1, "cd"));
        rig.arrives(rig.text(2, 1, "BCDEF"));
        rig.arrives(rig.text(6, 1, "fg"));
        rig.arrives(rig.text(1, 1, "AXXXXXXX"));
        assert_eq!(rig.delivered(), b"ABcdEFgX");
        assert!(rig.arrives(rig.text(1, 1, "evil")).ends_with("Discarded(Duplicate)"), "delivered is delivered");
    });
}

/// Every overlap of two pieces, against one octet at a time.
#[test]
fn d2_every_overlap_of_two_pieces() {
    for irs in EDGES {
        let at = At { irs, ..At::default() };
        for a in 1..6i64 {
            for b in a + 1..8 {
                for c in 1..6i64 {
                    for d in c + 1..8 {
                        let mut rig = at.established();
                        let mut model = [None; 9];
                        let mut delivered = Vec::new();
                        for (from, to, fill) in [(a, b, b'1'), (c, d, b'2'), (1, 9, b'3')] {
                            let text = vec![fill; (to - from) as usize];
                            rig.arrives(rig.text(from, 1, text));
                            delivered.extend(rig.delivered());
                            for octet in &mut model[from as usize..to as usize] {
                                octet.get_or_insert(fill);
                            }
                        }
                        let expected: Vec<u8> = model.iter().flatten().copied().collect();
                        assert_eq!(delivered, expected, "{a}..{b} and {c}..{d}");
                    }
                }
            }
        }
    }
}

#[test]
fn d3_what_lies_outside_the_window_is_trimmed() {
    everywhere(|at| {
        let mut rig = at.established();
        assert_eq!(rig.arrives(rig.octets(9999, 1, 100)), "<SEQ=1><ACK=1><CTL=ACK>");
        assert_eq!(rig.connection.info().held, 2);
        rig.unmoved(rig.octets(10_001, 1, 100), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(OutOfWindow)");
        assert_eq!(rig.arrives(rig.ack(10_001, 1)), "");
        assert_eq!(rig.arrives(rig.ack(0, 1)), "<SEQ=1><ACK=1><CTL=ACK>");
    });
}

/// SegmentSmack CVE-2018-5390, FreeBSD CVE-2018-6922.
#[test]
fn d4_a_flood_of_gaps_is_capped_and_the_stream_goes_on() {
    everywhere(|at| {
        let mut rig = at.established();
        for seq in (3..9000).step_by(2) {
            rig.arrives(rig.text(seq, 1, "x"));
        }
        let info = rig.connection.info();
        assert_eq!((info.held_ranges, info.held), (64, 64));
        assert_eq!(
            rig.arrives(rig.text(1, 1, "ab")),
            "Deliver \"ab\"; Deliver \"x\"; <SEQ=1><ACK=4><CTL=ACK>".replace("ab\"; Deliver \"x", "abx")
        );
    });
}

/// smoltcp 284a2c97.
#[test]
fn d5_a_zero_window_takes_no_text_and_a_fin_alone_waits() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.receive_buffer(4)).established();
        rig.arrives(rig.text(1, 1, "abcd"));
        assert_eq!(rig.fire(Timer::DelayedAck), "<SEQ=1><ACK=5><CTL=ACK>");
        assert_eq!(rig.only().window, 0);
        assert_eq!(rig.arrives(rig.text(5, 1, "e")), "Discarded(ZeroWindow); <SEQ=1><ACK=5><CTL=ACK>");
        assert_eq!(rig.arrives(rig.fin(5, 1)), "Discarded(ZeroWindow); <SEQ=1><ACK=5><CTL=ACK>");
        assert_eq!(rig.consume(4), "<SEQ=1><ACK=5><CTL=ACK>");
        assert_eq!(rig.arrives(rig.fin(5, 1)), "PeerClosed; <SEQ=1><ACK=6><CTL=ACK>");
    });
}

/// smoltcp f56ed8b4.
#[test]
fn d6_text_beyond_the_window_is_refused() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.receive_buffer(6)).established();
        rig.unmoved(rig.text(7, 1, "g"), "<SEQ=1><ACK=1><CTL=ACK>; Discarded(OutOfWindow)");
        assert_eq!(rig.arrives(rig.text(1, 1, "abcdefgh")), "Deliver \"abcdef\"");
    });
}

#[test]
fn d7_the_first_fin_fixes_the_length_of_the_stream() {
    everywhere(|at| {
        let fin = |rig: &Rig, seq, text: &'static str| Segment { payload: text.into(), ..rig.fin(seq, 1) };
        let mut rig = at.established();
        assert_eq!(rig.arrives(fin(&rig, 4, "def")), "<SEQ=1><ACK=1><CTL=ACK>"); // FIN at 7
        assert_eq!(rig.arrives(rig.text(7, 1, "evil")), "Discarded(AfterFin); <SEQ=1><ACK=1><CTL=ACK>");
        assert_eq!(rig.arrives(rig.text(5, 1, "efevil")), "<SEQ=1><ACK=1><CTL=ACK>");
        rig.arrives(rig.fin(3, 1)); // another one inside the stream
        rig.arrives(rig.fin(40, 1)); // and one behind it
        rig.arrives(rig.text(1, 1, "abc"));
        assert_eq!((rig.delivered(), rig.state()), (b"abcdef".to_vec(), State::CloseWait));
        assert_eq!(rig.only().ack, rig.rcv(8));
        assert_eq!(rig.arrives(rig.text(8, 1, "evil")), "Discarded(AfterFin); <SEQ=1><ACK=8><CTL=ACK>");
        assert_eq!(rig.arrives(rig.fin(9, 1)), "Discarded(AfterFin); <SEQ=1><ACK=8><CTL=ACK>");
        assert_eq!(rig.state(), State::CloseWait);
    });
}

/// A FIN that would cut off text already held is no FIN of this stream.
#[test]
fn d7_a_fin_before_text_that_is_held_is_not_believed() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.arrives(rig.text(5, 1, "ef"));
        rig.arrives(rig.fin(3, 1));
        rig.arrives(rig.text(1, 1, "abcd"));
        assert_eq!((rig.delivered(), rig.state()), (b"abcdef".to_vec(), State::Established));
    });
}

/// Nothing that was reported as received is ever given up.
#[test]
fn d8_our_own_blocks_are_kept() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.sack(true).max_ranges(8)).established();
        let mut reported = std::collections::BTreeSet::new();
        for i in 0..200i64 {
            rig.arrives(rig.text(2 + (i * 37) % 9000, 1, "xyz"));
            let sack = rig.only().options.sack();
            for block in sack {
                reported.extend(block.left - rig.rcv(0)..block.right - rig.rcv(0));
            }
        }
        assert_eq!(reported.len(), rig.connection.info().held);
        let mut held = 0;
        for octet in reported {
            // A gap filled up to here must release it.
            let nxt = i64::from(rig.connection.info().rcv_nxt - rig.rcv(0));
            if nxt <= i64::from(octet) {
                rig.arrives(rig.octets(nxt, 1, (i64::from(octet) - nxt) as usize + 1));
            }
            held += 1;
        }
        assert!(held > 0 && rig.connection.info().held == 0);
    });
}

#[test]
fn d9_psh_makes_no_difference() {
    everywhere(|at| {
        let (mut plain, mut pushed) = (at.established(), at.established());
        let segment = plain.text(1, 1, "abc");
        assert_eq!(plain.arrives(segment.clone()), pushed.arrives(Segment { flags: ACK | Flags::PSH, ..segment }));
        assert!(plain.connection == pushed.connection);
    });
}

#[test]
fn d10_a_user_that_never_reads_closes_the_window_and_it_never_shrinks() {
    everywhere(|at| {
        let mut rig = at.established();
        let (mut seq, mut edge) = (1, 10_001);
        while rig.connection.info().rcv_wnd > 0 {
            rig.arrives(rig.octets(seq, 1, 700.min(rig.connection.info().rcv_wnd as usize)));
            seq = i64::from(rig.connection.info().rcv_nxt - rig.rcv(0));
            if let Some(segment) = rig.sent().last() {
                let now = i64::from(segment.ack - rig.rcv(0)) + i64::from(segment.window);
                assert!(now >= edge);
                edge = now;
            }
        }
        assert_eq!((seq, rig.connection.info().unconsumed), (10_001, 10_000));
        for _ in 0..20 {
            rig.arrives(rig.text(10_001, 1, "p"));
            assert_eq!((rig.only().ack, rig.only().window), (rig.rcv(10_001), 0));
        }
    });
}

#[test]
fn d11_neither_side_makes_windows_silly() {
    everywhere(|at| {
        let mut rig = at.established();
        for i in 0..10 {
            rig.arrives(rig.octets(1 + 1000 * i, 1, 1000));
        }
        let mut updates = Vec::new();
        for _ in 0..10_000 {
            rig.consume(1);
            updates.extend(rig.sent().iter().map(|segment| segment.window));
        }
        assert!(updates.len() <= 10 && updates.iter().all(|window| *window >= 1000), "{updates:?}");
        // As sender: an octet of window is not used while more may come.
        let mut rig = at.established();
        rig.window = 1;
        rig.arrives(rig.ack(1, 1));
        assert_eq!(rig.send(5000), "");
    });
}

#[test]
fn d12_buffers_of_every_size() {
    everywhere(|at| {
        for buffer in [1, 2, 999, 1000, 1001, 65_535, 65_536, (1 << 30) - 1] {
            let sized = at.with(|config| config.receive_buffer(buffer).send_buffer(buffer).window_scaling(true));
            let mut rig = sized.established();
            let (mut sent, mut seq) = (1, 1);
            for _ in 0..50 {
                let window = rig.connection.info().rcv_wnd;
                let size = window.min(1000) as usize;
                rig.arrives(rig.octets(seq, sent, size));
                assert_eq!(rig.delivered().len(), size, "buffer {buffer}");
                seq += size as i64;
                rig.consume(size);
                if let Some((timer, _)) = rig.connection.next_deadline() {
                    rig.fire(timer);
                }
                rig.send(rig.connection.send_room().min(500));
                sent = i64::from(rig.connection.info().snd_nxt - rig.snd(0));
                rig.arrives(rig.ack(seq, sent));
            }
            assert!(seq > 50.min(i64::from(buffer)), "buffer {buffer}: {seq}");
        }
    });
}

/// The stream crosses every wrap point octet by octet, in order and not.
#[test]
fn d14_text_crosses_the_wraps() {
    for edge in EDGES {
        for back in [1u32, 2, 500, 5000] {
            let at = At { iss: edge.wrapping_sub(back), irs: edge.wrapping_sub(back), ..At::default() };
            let mut rig = at.established();
            let mut delivered = 0;
            for i in (0..6000).step_by(300) {
                rig.arrives(rig.octets(i + 151, 1, 150));
                delivered += rig.delivered().len();
                rig.arrives(rig.octets(i + 1, 1, 150));
                delivered += rig.delivered().len();
                rig.consume(300);
                rig.wait(ms(1));
            }
            assert_eq!(delivered, 6000);
            rig.send(6000);
            assert_eq!(rig.octets_sent(), 6000);
            for acked in (1..=6000).step_by(7) {
                rig.arrives(rig.ack(6001, acked));
                assert_eq!(rig.connection.info().snd_una, rig.snd(acked));
            }
        }
    }
}

/// A number 2³¹ away is neither before nor after, and must not be taken for either.
#[test]
fn d14_numbers_half_a_circle_away_are_refused() {
    everywhere(|at| {
        for far in [0x7FFF_FFFE, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, 0x8000_0002i64] {
            let mut rig = at.established();
            rig.send(10);
            rig.unmoved(rig.text(far, 1, "evil"), rig.clone().arrives(rig.text(far, 1, "evil")).as_str());
            assert!(rig.said().contains("Discarded("), "{}", rig.said());
            rig.unmoved(rig.ack(1, far), "<SEQ=11><ACK=1><CTL=ACK>; Discarded(AckOutOfRange)");
            rig.unmoved(rig.rst(far), "Discarded(ResetOutOfWindow)");
        }
    });
}

/// "Full reassembly drops the next expected octet": with no range to spare and none to gain.
#[test]
fn d_the_smallest_reassembly_still_takes_what_comes_next() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.max_ranges(1).receive_buffer(8)).established();
        rig.arrives(rig.text(8, 1, "h"));
        assert_eq!(rig.arrives(rig.text(5, 1, "e")), "Discarded(ReassemblyFull); <SEQ=1><ACK=1><CTL=ACK>");
        let mut stream = Vec::new();
        for (seq, text) in [(1, "a"), (2, "bc"), (4, "d"), (5, "ef"), (7, "g")] {
            rig.arrives(rig.text(seq, 1, text));
            stream.extend(rig.delivered());
        }
        assert_eq!(stream, b"abcdefgh");
    });
}

/// A blind octet or FIN anywhere in the window is held, as nobody can tell it from the peer's. The peer's own stream, in
/// order, then ends where its FIN stands, however it is cut.
#[test]
fn d_no_guess_keeps_the_stream_from_its_end() {
    everywhere(|at| {
        for (guess, fin) in
            [2, 3, 50, 99, 100, 101, 102, 103, 250, 5000, 9999].into_iter().flat_map(|g| [(g, false), (g, true)])
        {
            for len in [usize::from(!fin), 1, 40] {
                for cut in [100, 33, 1] {
                    // Forged text that joins the stream before its FIN is there was injected (RFC 5961 §5.1).
                    let joins = guess <= 100 || (cut == 33 && guess == 101);
                    if joins && guess + len as i64 > 101 && cut != 100 {
                        continue;
                    }
                    let mut rig = at.established();
                    let mut forged = rig.octets(guess, 1, len);
                    forged.flags.set(FIN, fin);
                    rig.arrives(forged);
                    let (mut delivered, mut closed) = (0, false);
                    let mut seq = 1;
                    while seq <= 101 {
                        let len = cut.min(101 - seq);
                        let mut honest = rig.octets(seq, 1, len as usize);
                        honest.flags.set(FIN, seq + len == 101 && (cut != 33 || len == 0)); // with 33: a bare one
                        let told = rig.arrives(honest);
                        delivered += rig.delivered().len();
                        closed |= told.contains("PeerClosed");
                        seq += len.max(1);
                        if cut != 33 && seq == 101 {
                            break;
                        }
                    }
                    let claimed = guess + len as i64; // where the forged FIN stands
                    let shorter = fin && claimed < 101;
                    assert!(closed, "guess {guess}, FIN {fin}, {len} octets, cut {cut}");
                    assert!(shorter || delivered == 100, "{guess} {fin} {len} {cut}: {delivered}");
                    assert_eq!(rig.connection.info().held, 0);
                }
            }
        }
    });
}

/// "Old ACK throws away new data."
#[test]
fn d_text_with_an_old_ack_is_taken() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(500);
        rig.arrives(rig.ack(1, 501));
        assert_eq!(rig.arrives(rig.text(1, 1, "abc")), "Deliver \"abc\"");
        let segment = Segment { flags: ACK | FIN, ..rig.text(4, 200, "def") };
        assert_eq!(rig.arrives(segment), "Deliver \"def\"; PeerClosed; <SEQ=501><ACK=8><CTL=ACK>");
    });
}

/// MUST-31: urgent text of any length, further than sixteen bits can point.
#[test]
fn d_urgent_text_longer_than_its_pointer() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.does(Event::SendUrgent(vec![b'!'; 100_000].into()));
        let mut una = 1;
        let mut last = 0;
        while una < 100_001 {
            for segment in rig.sent() {
                assert!(segment.flags.contains(Flags::URG));
                let left = 100_001 - i64::from(segment.seq - rig.snd(0));
                assert_eq!(i64::from(segment.urgent), left.min(65_535));
                last = left;
            }
            una = i64::from(rig.connection.info().snd_nxt - rig.snd(0));
            rig.arrives(rig.ack(1, una));
        }
        assert!(last <= 1000);
        rig.wait(secs(1));
        rig.send(1);
        assert!(!rig.only().flags.contains(Flags::URG));
    });
}
