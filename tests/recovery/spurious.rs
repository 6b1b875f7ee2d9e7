//! Reductions that were mistakes: F-RTO (RFC 5682), Eifel (RFC 3522), DSACK (RFC 3708), and the response (RFC 4015).

use segue::{ConfigBuilder, Timer};

use super::bench::{Bench, everywhere, ms, sack, without_rack, without_sack};

/// Ten in flight, and the retransmission timer fires.
fn timed_out(iss: u32, config: ConfigBuilder, more: bool) -> Bench {
    let mut bench = Bench::new(iss, config);
    bench.send(if more { 30 } else { 10 });
    let rto = bench.until(Timer::Retransmit).unwrap();
    assert_eq!(bench.fire(Timer::Retransmit, rto), "0");
    assert_eq!(bench.windows(), (1000, 5000));
    bench
}

/// RFC 5682 §2.1 (1) (2b) (3b): both acknowledgments advance: spurious. The window is as it was, and nothing more goes
/// again.
#[test]
fn basic_f_rto_a_spurious_timeout() {
    everywhere(|iss| {
        let mut bench = timed_out(iss, without_sack(), true);
        bench.wait(10);
        assert_eq!(bench.ack(1), "10 11"); // (2b): two new segments
        bench.wait(10);
        bench.ack(2); // (3b)
        assert_eq!((bench.episodes(), bench.windows()), ((0, 1, 1), (10_000, u32::MAX)));
        bench.wait(10);
        bench.ack(10);
        assert_eq!(bench.info().counters.retransmissions, 1);
    });
}

/// (2a): a duplicate ACK first: conventional recovery, whatever comes then.
#[test]
fn basic_f_rto_a_duplicate_first_is_conventional() {
    everywhere(|iss| {
        let mut bench = timed_out(iss, without_sack(), true);
        bench.wait(10);
        bench.ack(0);
        bench.wait(10);
        assert_eq!(bench.ack(1), "1 2");
        bench.wait(10);
        bench.ack(4);
        assert_eq!((bench.episodes(), bench.windows().1), ((0, 1, 0), 5000));
    });
}

/// (2a): the first acknowledgment covers "recover": not enough evidence.
#[test]
fn f_rto_an_acknowledgment_of_everything_is_conventional() {
    everywhere(|iss| {
        for config in [without_sack(), without_rack()] {
            let mut bench = timed_out(iss, config, true);
            bench.wait(100);
            bench.ack(10);
            bench.wait(100);
            bench.ack(11);
            assert_eq!((bench.episodes(), bench.windows().1), ((0, 1, 0), 5000));
        }
    });
}

/// (2a): it does not acknowledge all that was retransmitted: a receiver that acknowledges by pieces proves nothing.
#[test]
fn basic_f_rto_a_part_of_the_retransmission_is_conventional() {
    everywhere(|iss| {
        let mut bench = timed_out(iss, without_sack(), true);
        bench.wait(10);
        bench.octets(500, &[], None);
        bench.wait(10);
        bench.ack(2);
        assert_eq!((bench.episodes().2, bench.windows().1), (0, 5000));
    });
}

/// (2b): without new text to send, step 3 is skipped: what follows are retransmissions in slow start.
#[test]
fn f_rto_without_new_text_is_conventional() {
    everywhere(|iss| {
        for config in [without_sack(), without_rack()] {
            let mut bench = timed_out(iss, config, false); // 0 and 3 were lost, and the ACKs of the rest
            bench.wait(100);
            assert_eq!(bench.ack(3), "3 4");
            bench.wait(100);
            bench.ack(10); // 5 to 9 were sent once, and arrived before the timeout
            assert_eq!((bench.episodes(), bench.windows().1), ((0, 1, 0), 5000));
        }
    });
}

/// The same where the peer's window prohibits it.
#[test]
fn f_rto_without_window_is_conventional() {
    everywhere(|iss| {
        for config in [without_sack(), without_rack()] {
            let mut bench = Bench::new(iss, config);
            bench.window_is(9_984);
            bench.send(30);
            bench.pass(300);
            assert_eq!(bench.episodes().1, 1);
            bench.window = 7 * 1000 - 88; // the edge stays where it was, or before
            bench.wait(100);
            let sent = bench.ack(3);
            assert!(sent.starts_with("3"), "{sent}");
            bench.wait(100);
            bench.window = 64_000;
            bench.octets(9_984, &[], None);
            assert_eq!(bench.episodes().2, 0);
        }
    });
}

/// (3a): the second is a duplicate: the loss was real.
#[test]
fn f_rto_a_duplicate_second_is_conventional() {
    everywhere(|iss| {
        for config in [without_sack(), without_rack()] {
            let mut bench = timed_out(iss, config, true);
            bench.wait(100);
            assert_eq!(bench.ack(1), "10 11");
            bench.wait(100);
            bench.sack(1, &[(10, 11)]);
            bench.wait(10);
            bench.ack(2);
            assert_eq!((bench.episodes(), bench.windows().1), ((0, 1, 0), 5000));
            assert!(bench.info().cwnd <= 3000);
        }
    });
}

/// RFC 5682 §3.1 (3a): an acknowledgment beyond "RecoveryPoint" is an answer to the new text, not to what was delayed.
#[test]
fn f_rto_beyond_the_recovery_point_is_conventional() {
    everywhere(|iss| {
        let mut bench = timed_out(iss, without_rack(), true);
        bench.wait(100);
        assert_eq!(bench.ack(1), "10 11");
        bench.wait(100);
        bench.ack(12);
        assert_eq!((bench.episodes(), bench.windows().1), ((0, 1, 0), 5000));
    });
}

/// RFC 5682 §3.1 (2), (3b): with SACK duplicates before the first new acknowledgment do not matter, and a report of text
/// of before the timeout is as good as an acknowledgment.
#[test]
fn sack_f_rto_reports_of_what_was_delayed() {
    everywhere(|iss| {
        for config in [without_rack(), sack()] {
            let mut bench = Bench::new(iss, config.rack(false));
            bench.send(30);
            bench.pass(300);
            bench.wait(10);
            bench.sack(0, &[(2, 3)]);
            bench.wait(10);
            assert!(bench.ack(1).starts_with("10"), "{:?}", bench.log);
            bench.wait(10);
            bench.sack(1, &[(2, 4)]);
            assert_eq!((bench.episodes(), bench.windows()), ((0, 1, 1), (10_000, u32::MAX)));
        }
    });
}

/// RFC 5682 §2.1 (3b): "recover" is SND.UNA after it, so that a loss in the same flight is found by duplicates.
#[test]
fn after_a_spurious_timeout_fast_retransmit_works() {
    everywhere(|iss| {
        let mut bench = timed_out(iss, without_sack(), true);
        bench.wait(10);
        bench.ack(1);
        bench.wait(10);
        bench.ack(2);
        assert_eq!(bench.episodes().2, 1);
        for _ in 0..3 {
            bench.ack(2);
        }
        assert_eq!(bench.episodes().0, 1);
        assert_eq!(bench.log.last().unwrap().1, "2");
    });
}

/// RFC 3522: the first acceptable ACK echoes a time of before the retransmission.
#[test]
fn eifel_a_spurious_timeout() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack().timestamps(true).rack(false));
        bench.send(30);
        bench.fire(Timer::Retransmit, 300);
        bench.wait(10);
        let sent = bench.ack_echo(1, 0);
        assert_eq!((bench.episodes(), bench.windows()), ((0, 1, 1), (10_000, u32::MAX)));
        assert_eq!(sent, "10");
        bench.wait(10);
        bench.ack_echo(10, 0);
        assert_eq!(bench.info().counters.retransmissions, 1);
    });
}

/// RFC 5682 §2.1 (1): the timer expires again for the same segment. The recovery goes on as usual: no ACK makes it spurious,
/// and ssthresh stays (RFC 5681 §3.1).
#[test]
fn rfc_5682_2_1_after_a_second_timeout_nothing_is_spurious() {
    everywhere(|iss| {
        for config in [without_sack(), without_rack()] {
            let mut bench = timed_out(iss, config, true);
            let due = bench.clock() + bench.until(Timer::Retransmit).unwrap();
            assert_eq!(bench.fire(Timer::Retransmit, due), "0");
            bench.wait(10);
            assert_eq!(bench.ack(1), "1 2");
            bench.wait(10);
            assert_eq!(bench.ack(2), "3 4");
            assert_eq!((bench.episodes(), bench.windows()), ((0, 2, 0), (3000, 5000)));
        }
    });
}

/// RFC 3522 step 4: an echo of the retransmission, or of the same millisecond, is none.
#[test]
fn eifel_a_real_timeout() {
    everywhere(|iss| {
        for echo in [300, 301] {
            let mut bench = Bench::new(iss, sack().timestamps(true).rack(false));
            bench.send(30);
            bench.fire(Timer::Retransmit, 300);
            bench.wait(100);
            bench.ack_echo(1, echo);
            bench.wait(10);
            bench.ack_echo(2, 0); // later ones do not count
            bench.ack_echo(3, 0);
            assert_eq!((bench.episodes(), bench.windows().1), ((0, 1, 0), 5000), "echo {echo}");
        }
    });
}

/// RFC 3522 step 5: everything is acknowledged, and the peer has never reported a duplicate: all ACKs may have been lost.
/// With a DSACK in the same ACK the retransmission arrived as well: conventional.
#[test]
fn eifel_the_loss_of_all_acknowledgments_is_a_loss() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack().timestamps(true).rack(false));
        bench.send(10);
        bench.fire(Timer::Retransmit, 300);
        bench.wait(100);
        bench.ack_echo(10, 0);
        assert_eq!((bench.episodes(), bench.windows().1), ((0, 1, 0), 5000));

        let mut bench = Bench::new(iss, sack().timestamps(true).rack(false));
        bench.send(30);
        bench.fire(Timer::Retransmit, 300);
        bench.wait(100);
        bench.octets(5000, &[(500, 1000)], Some(0)); // of a piece of it only
        assert_eq!((bench.episodes(), bench.windows().1), ((0, 1, 0), 5000));
    });
}

/// Eifel for a fast retransmit: the original was late, by more than the reordering window; from then on RACK expects it.
#[test]
fn eifel_a_spurious_fast_retransmit() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack().timestamps(true));
        bench.send(10);
        bench.at(100);
        bench.octets(0, &[(1000, 4000)], Some(0));
        assert_eq!((bench.episodes().0, bench.windows().1), (1, 5000));
        bench.at(130);
        bench.octets(4000, &[], Some(0));
        assert_eq!((bench.episodes(), bench.windows()), ((1, 0, 1), (10_000, u32::MAX)));
        bench.wait(10);
        bench.octets(4000, &[(5000, 8000)], Some(0)); // three reports are no loss any more
        assert_eq!(bench.episodes().0, 1);
    });
}

/// RFC 3708: all that was sent again arrived twice.
#[test]
fn dsack_a_spurious_fast_retransmit() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(30);
        bench.at(100);
        bench.sack(0, &[(1, 4)]); // 0 goes again
        bench.at(130);
        bench.ack(4); // the original
        assert_eq!((bench.episodes(), bench.windows().1), ((1, 0, 0), 5000)); // not known yet
        bench.at(200);
        bench.sack(4, &[(0, 1)]);
        assert_eq!((bench.episodes(), bench.windows()), ((1, 0, 1), (10_000, u32::MAX)));
    });
}

/// RFC 3708 §3 (B.2): one of two arrived twice, the other was lost.
#[test]
fn dsack_of_a_part_undoes_nothing() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(30);
        bench.at(100);
        bench.sack(0, &[(2, 8)]); // 0 and 1 go again
        bench.at(200);
        bench.sack(8, &[(1, 2)]); // only 0 was lost
        bench.wait(100);
        bench.ack(20);
        assert_eq!((bench.episodes(), bench.windows().1), ((1, 0, 0), 5000));
    });
}

/// RFC 3708 §3 (A.4): the network made the copy of what was never sent again: it proves nothing.
#[test]
fn dsack_of_what_was_not_sent_again_undoes_nothing() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(30);
        bench.at(100);
        bench.sack(0, &[(1, 4)]); // 0 is lost, and goes again
        bench.at(110);
        bench.sack(0, &[(2, 3), (1, 4)]); // 2 arrived twice
        bench.at(200);
        bench.ack(10);
        assert_eq!((bench.episodes(), bench.windows().1), ((1, 0, 0), 5000));
    });
}

/// The same copy beside an honest report does not hide it: what was sent again arrived twice.
#[test]
fn dsack_of_other_text_is_no_hindrance() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(30);
        bench.at(100);
        bench.sack(0, &[(1, 4)]);
        bench.at(110);
        bench.sack(0, &[(2, 3), (1, 4)]);
        bench.at(130);
        bench.ack(4);
        bench.at(200);
        bench.sack(4, &[(0, 1)]);
        assert_eq!(bench.episodes(), (1, 0, 1));
    });
}

/// RFC 3708 §3 (A.1): the report of the first segment where nothing was reported before may mean that a window of
/// acknowledgments was lost.
#[test]
fn dsack_after_the_loss_of_all_acknowledgments_undoes_nothing() {
    everywhere(|iss| {
        let mut bench = timed_out(iss, without_rack(), false);
        bench.wait(100);
        bench.sack(10, &[(0, 1)]);
        assert_eq!((bench.episodes(), bench.windows().1), ((0, 1, 0), 5000));
    });
}

/// RFC 3708 §3, RFC 4015 §3 (9): a lone segment; the first acknowledgment covers everything, and is no evidence by itself (RFC
/// 3522 §3.2 (5), RFC 5682 §2.1 (2a)). The window of one segment has grown to two when the report comes: ssthresh is as it was.
#[test]
fn dsack_after_the_acknowledgment_of_everything_undoes_a_timeout() {
    everywhere(|iss| {
        for config in [without_rack(), without_rack().timestamps(true)] {
            let mut bench = Bench::new(iss, config.initial_window(1));
            assert_eq!(bench.send(30), "0");
            assert_eq!(bench.fire(Timer::Retransmit, 300), "0");
            bench.at(350);
            assert_eq!(bench.ack_echo(1, 0), "1 2");
            assert_eq!((bench.episodes(), bench.windows()), ((0, 1, 0), (2000, 2000)));
            bench.at(400);
            bench.octets(1000, &[(0, 1000)], Some(0));
            assert_eq!((bench.episodes(), bench.windows()), ((0, 1, 1), (2000, u32::MAX)));
        }
    });
}

/// A tail-loss probe repaired the loss, its acknowledgment was late, and the timeout sent the segment once more: the duplicate
/// tells of the probe's copy, not of the first (RFC 3708 §3 (A.3)).
#[test]
fn dsack_of_what_a_probe_had_sent_before_undoes_nothing() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(2);
        bench.at(100);
        bench.ack(1); // the second is lost
        let due = bench.clock() + bench.until(Timer::TailLossProbe).unwrap();
        assert_eq!(bench.fire(Timer::TailLossProbe, due), "1");
        let due = bench.clock() + bench.until(Timer::Retransmit).unwrap();
        assert_eq!(bench.fire(Timer::Retransmit, due), "1");
        bench.wait(10);
        bench.ack(2);
        bench.wait(90);
        bench.sack(2, &[(1, 2)]);
        assert_eq!(bench.episodes(), (0, 1, 0));
    });
}

/// RFC 3708 §3 (A.3): what was sent again twice may have been lost once.
#[test]
fn dsack_of_what_was_sent_again_twice_undoes_nothing() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(30);
        bench.at(100);
        assert_eq!(bench.sack(0, &[(1, 4)]), "0");
        assert_eq!(bench.sack(0, &[(1, 8)]), "10 11");
        bench.at(200);
        assert!(bench.sack(0, &[(1, 12)]).starts_with('0')); // 10 was sent after it
        bench.at(300);
        bench.ack(12);
        bench.sack(12, &[(0, 1)]);
        bench.sack(12, &[(0, 1)]);
        assert_eq!((bench.episodes(), bench.windows().1), ((1, 0, 0), 5000));
    });
}

/// RFC 4015 §3.6: after a spurious timeout the back-off is over, and the first sample of new text counts in full.
#[test]
fn rfc_4015_the_timeout_adapts_at_once() {
    everywhere(|iss| {
        let mut bench = timed_out(iss, without_sack(), true);
        assert_eq!(bench.info().rto, ms(600));
        bench.wait(100);
        bench.ack(1);
        bench.wait(10);
        bench.ack(2);
        assert_eq!(bench.episodes().2, 1);
        bench.wait(300);
        bench.ack(12); // 11 was sent 310 ms ago
        let info = bench.info();
        assert!(info.srtt >= Some(ms(310)) && info.rttvar >= Some(ms(155)), "{info:?}");
    });
}

/// A reduction is undone once: a later loss reduces the window for good.
#[test]
fn real_loss_after_an_undone_reduction_counts() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, sack());
        bench.send(60);
        bench.at(100);
        bench.sack(0, &[(1, 4)]);
        bench.at(130);
        bench.ack(4);
        bench.at(200);
        bench.sack(4, &[(0, 1)]);
        assert_eq!(bench.episodes(), (1, 0, 1));
        bench.at(300);
        bench.sack(4, &[(5, 12)]);
        bench.pass(25); // reordering was seen
        assert_eq!(bench.episodes(), (2, 0, 1));
        bench.wait(100);
        bench.ack(30);
        bench.sack(30, &[(0, 1)]); // an old duplicate
        assert_eq!(bench.episodes(), (2, 0, 1));
        assert!(bench.windows().1 < 10_000);
    });
}
