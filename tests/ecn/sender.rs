//! RFC 3168 §6.1.2, §6.1.4 to §6.1.6: which packets are ECN-capable, and the answer to an echo.

use segue::{Ecn, Event, Flags, Knob, SackBlock, Segment, Timer, codec};
use segue_kit::rig::Rig;
use segue_kit::streams::{notation, ours, peer, stamped};
use segue_kit::{ms, plain, secs};

use super::{agreed, all_said, established, with};

const ECT: (Ecn, Flags) = (Ecn::Ect0, Flags::empty());
const ECT_CWR: (Ecn, Flags) = (Ecn::Ect0, Flags::CWR);
const PLAIN: (Ecn, Flags) = (Ecn::NotEct, Flags::empty());

/// The peer's ACK of our text before octet `ack`, with ECE.
fn echo(ack: u32) -> Segment {
    with(peer(0, ack), Flags::ECE)
}

/// Ten full segments of a long text are in flight, one round trip of 100 ms after the first.
fn sending() -> Rig {
    let mut tcp = established();
    tcp.quiet(ms(100));
    tcp.send(200_000);
    assert_eq!((tcp.sent().len(), tcp.info().flight, tcp.info().cwnd), (10, 14_600, 14_600));
    tcp.quiet(ms(100));
    tcp
}

/// Acknowledges everything in turn, each segment as it comes, for one round trip. Returns what was sent meanwhile.
fn round_trip(tcp: &mut Rig, flags: Flags) -> Vec<Segment> {
    let end = tcp.info().snd_nxt;
    let mut sent = Vec::new();
    while tcp.info().snd_una != end {
        let una = tcp.info().snd_una;
        let ack = una + 1460.min(end - una);
        let segment = Segment { ack, ..with(peer(0, 0), flags) };
        tcp.arrives(segment);
        sent.extend_from_slice(tcp.sent());
    }
    tcp.now += ms(100);
    sent
}

#[test]
fn new_text_is_ect_0_and_nothing_else_is() {
    let mut tcp = established();
    assert_eq!(all_said(&tcp), [PLAIN], "a pure ACK");
    tcp.send(2920);
    assert_eq!(all_said(&tcp), [ECT; 2]);
    tcp.arrives(peer(0, 2920));
    tcp.close();
    assert_eq!((notation(&tcp.sent()[0]), all_said(&tcp)), ("<SEQ=2920><ACK=0><CTL=FIN,ACK>".into(), vec![PLAIN]));
}

#[test]
fn text_with_the_fin_is_ect_0() {
    let mut tcp = established();
    tcp.does(Event::Set(Knob::Cork(true)));
    tcp.send(10);
    tcp.close();
    assert_eq!(
        (notation(&tcp.sent()[0]), all_said(&tcp)),
        ("<SEQ=0><ACK=0><DATA=10><CTL=FIN,PSH,ACK>".into(), vec![ECT])
    );
}

#[test]
fn what_is_sent_again_is_not_ect_and_has_no_cwr() {
    // by the timer
    let mut tcp = established();
    tcp.send(2920);
    tcp.fire(Timer::Retransmit);
    assert_eq!(all_said(&tcp), [PLAIN]);
    // by duplicates: limited transmit is new text, the fast retransmission is not
    let mut tcp = sending();
    for _ in 0..2 {
        tcp.arrives(peer(0, 0));
        assert_eq!(all_said(&tcp), [ECT]);
    }
    tcp.arrives(peer(0, 0));
    assert_eq!((tcp.sent()[0].seq, all_said(&tcp)[0]), (tcp.info().snd_una, PLAIN));
}

/// §6.1.6: also the first probe, whose octet was never sent before.
#[test]
fn window_probes_are_not_ect_and_have_no_cwr() {
    let mut tcp = sending();
    tcp.arrives(Segment { window: 0, ..echo(14_600) });
    assert_eq!(tcp.info().counters.ecn_reductions, 1);
    for _ in 0..2 {
        tcp.fire(Timer::Persist);
        assert_eq!((tcp.lengths(), all_said(&tcp)), (vec![1], vec![PLAIN]));
    }
    // CWR waits for new text
    tcp.arrives(peer(0, 14_601));
    assert_eq!(all_said(&tcp)[..2], [ECT_CWR, ECT]);
}

#[test]
fn an_echo_reduces_once_and_the_first_new_text_says_so() {
    let mut tcp = sending();
    tcp.arrives(echo(1460));
    let info = tcp.info();
    assert_eq!((info.cwnd, info.ssthresh, info.counters.ecn_reductions), (7300, 7300, 1));
    let sent = round_trip(&mut tcp, Flags::ECE); // it goes on until CWR is heard
    let info = tcp.info();
    assert_eq!((info.cwnd, info.ssthresh, info.counters.ecn_reductions), (7300, 7300, 1), "no second one, no growth");
    assert_eq!((sent.len(), sent[0].seq), (5, ours(14_600)));
    assert_eq!(sent.iter().map(super::said).collect::<Vec<_>>(), [ECT_CWR, ECT, ECT, ECT, ECT]);
    // the window grows again with acknowledgments that have no ECE
    round_trip(&mut tcp, Flags::empty());
    assert_eq!((tcp.info().cwnd, tcp.info().counters.ecn_reductions), (8760, 1));
}

#[test]
fn an_echo_of_what_was_sent_after_the_reduction_reduces_again() {
    let mut tcp = sending();
    round_trip(&mut tcp, Flags::ECE);
    tcp.arrives(echo(14_600 + 1460));
    let info = tcp.info();
    assert_eq!((info.cwnd, info.counters.ecn_reductions), (3650, 2));
    assert_eq!(round_trip(&mut tcp, Flags::empty()).iter().filter(|s| s.flags.contains(Flags::CWR)).count(), 1);
}

#[test]
fn an_echo_on_a_duplicate_or_on_text_counts() {
    let mut tcp = sending();
    tcp.arrives(echo(0));
    assert_eq!((tcp.info().ssthresh, tcp.info().counters.ecn_reductions), (7300, 1));
    let mut tcp = sending();
    tcp.arrives(with(segue_kit::streams::peer_text(0, 10, 0), Flags::ECE));
    assert_eq!((tcp.info().ssthresh, tcp.info().counters.ecn_reductions), (7300, 1));
}

/// E12 of the attacks' catalogue: forged echoes cost one reduction for each window of data and no more.
#[test]
fn a_flood_of_echoes_reduces_once_for_a_window() {
    let mut tcp = sending();
    for _ in 0..500 {
        tcp.arrives(with(segue_kit::streams::peer_text(0, 0, 0), Flags::ECE));
    }
    assert_eq!(tcp.info().counters.ecn_reductions, 1);
    for trips in 2..6 {
        let end = tcp.info().snd_nxt;
        round_trip(&mut tcp, Flags::ECE);
        tcp.arrives(Segment { ack: tcp.info().snd_nxt, ..echo(0) });
        assert_eq!(tcp.info().counters.ecn_reductions, trips, "past {end}");
        for _ in 0..100 {
            tcp.arrives(Segment { ack: tcp.info().snd_una, ..echo(0) });
        }
        assert_eq!(tcp.info().counters.ecn_reductions, trips);
    }
}

#[test]
fn an_echo_of_nothing_is_ignored() {
    let mut tcp = sending();
    let before = tcp.info();
    tcp.arrives(echo(0x8000)); // never sent
    tcp.arrives(Segment { seq: segue_kit::streams::theirs(1 << 30), ..echo(1460) }); // outside of the window
    assert_eq!((tcp.info().cwnd, tcp.info().ssthresh), (before.cwnd, before.ssthresh));
    // nothing in flight
    let mut tcp = established();
    tcp.send(100);
    tcp.arrives(peer(0, 100));
    tcp.arrives(echo(100));
    assert_eq!(tcp.info().counters.ecn_reductions, 0);
    // not agreed
    let mut tcp = Rig::established(plain());
    tcp.send(200_000);
    tcp.arrives(echo(1460));
    assert_eq!((tcp.info().counters.ecn_reductions, tcp.info().cwnd), (0, 14_600 + 1460), "and the window grows");
}

/// §6.1.2: dropped and marked segments of one window are one congestion.
#[test]
fn a_loss_in_the_window_of_a_mark_is_repaired_without_another_reduction() {
    let mut tcp = sending();
    tcp.arrives(echo(1460));
    assert_eq!(tcp.info().ssthresh, 7300);
    for _ in 0..3 {
        tcp.arrives(echo(1460));
    }
    let again = tcp.sent().iter().find(|segment| segment.seq == ours(1460));
    assert_eq!(again.map(super::said), Some(PLAIN), "the lost segment is sent again");
    let info = tcp.info();
    assert_eq!((info.ssthresh, info.counters.ecn_reductions, info.counters.fast_retransmits), (7300, 1, 1));
    tcp.arrives(Segment { ack: info.snd_nxt, ..peer(0, 0) });
    assert_eq!(tcp.info().ssthresh, 7300);
}

#[test]
fn a_loss_of_what_was_sent_after_the_mark_reduces_again() {
    let mut tcp = sending();
    round_trip(&mut tcp, Flags::ECE);
    for _ in 0..3 {
        tcp.arrives(peer(0, 14_600)); // the segment with CWR is lost
    }
    let info = tcp.info();
    assert!(info.ssthresh < 7300 && info.counters.fast_retransmits == 1, "{info:?}");
}

#[test]
fn a_mark_in_the_window_of_a_loss_does_not_reduce_again() {
    let mut tcp = sending();
    for _ in 0..3 {
        tcp.arrives(peer(0, 0));
    }
    let ssthresh = tcp.info().ssthresh;
    let recover = tcp.info().snd_nxt;
    tcp.arrives(echo(1460));
    tcp.arrives(Segment { ack: recover, ..echo(0) });
    assert_eq!((tcp.info().ssthresh, tcp.info().counters.ecn_reductions), (ssthresh, 0));
    // CWR after a fast retransmit as after a mark, on the first new text
    let said = all_said(&tcp);
    assert_eq!((said[0], said[1]), (ECT_CWR, ECT));
}

#[test]
fn cwr_follows_a_timeout() {
    let mut tcp = established();
    tcp.send(1460);
    tcp.fire(Timer::Retransmit);
    assert_eq!(all_said(&tcp), [PLAIN]);
    tcp.arrives(echo(1460)); // of the same window as the loss
    assert_eq!(tcp.info().counters.ecn_reductions, 0);
    tcp.send(3000);
    assert_eq!(all_said(&tcp)[0], ECT_CWR);
}

/// "ssthresh should not be decreased if it has been decreased within the last round trip time."
#[test]
fn a_timeout_in_the_window_of_a_mark_leaves_ssthresh() {
    let mut tcp = sending();
    tcp.arrives(echo(1460));
    tcp.fire(Timer::Retransmit);
    assert_eq!((tcp.info().cwnd, tcp.info().ssthresh), (1460, 7300));
}

/// §6.1.2: "The sending TCP will then be able to send a new packet only when the retransmit timer expires."
#[test]
fn an_echo_with_a_window_of_one_segment_waits_for_the_timer() {
    let mut tcp = established();
    tcp.send(200_000);
    tcp.fire(Timer::Retransmit); // the loss window: one segment
    assert_eq!(tcp.info().cwnd, 1460);
    tcp.quiet(ms(100));
    tcp.arrives(echo(14_600)); // of the loss, and no growth
    assert_eq!((tcp.info().cwnd, all_said(&tcp)), (1460, vec![ECT_CWR]));
    tcp.quiet(ms(100));
    // the segment with CWR was itself marked
    assert_eq!(tcp.arrives(echo(14_600 + 1460)), "Acked(1460)");
    assert_eq!((tcp.info().cwnd, tcp.info().flight, tcp.info().counters.ecn_reductions), (1460, 0, 1));
    let rto = tcp.info().rto;
    assert_eq!(tcp.until(Timer::Retransmit), Some(rto));
    // neither more text nor another acknowledgment ends it
    tcp.quiet(rto - ms(1));
    assert_eq!(tcp.send(10_000), "");
    assert_eq!(tcp.arrives(echo(14_600 + 1460)), "");
    let before = tcp.info();
    assert!(tcp.fire(Timer::Retransmit).starts_with("<SEQ=16060>"));
    assert_eq!((tcp.sent().len(), all_said(&tcp)), (1, vec![ECT_CWR]));
    let (timeouts, backed_off) = (before.counters.timeouts, before.rto);
    assert_eq!((tcp.info().counters.timeouts, tcp.info().rto), (timeouts, backed_off), "nothing was lost");
    tcp.quiet(ms(100));
    tcp.arrives(peer(0, 16_060 + 1460));
    assert_eq!(tcp.info().cwnd, 2920);
}

/// A FIN waits like text, and the hold leaves no timer behind when nothing waits: only memory is given back then.
#[test]
fn a_hold_with_nothing_to_send_sets_no_timer() {
    let mut tcp = established();
    tcp.send(14_600);
    tcp.fire(Timer::Retransmit);
    tcp.quiet(ms(100));
    tcp.arrives(echo(14_600));
    tcp.send(1460);
    tcp.quiet(ms(100));
    tcp.arrives(echo(14_600 + 1460));
    let rto = tcp.info().rto;
    let next = tcp.connection.next_deadline().map(|(timer, _)| timer);
    assert_eq!((tcp.info().counters.ecn_reductions, next), (1, Some(Timer::Idle)));
    assert_eq!(Timer::ALL.iter().filter(|timer| tcp.until(**timer).is_some()).count(), 1);
    assert_eq!(tcp.close(), "");
    assert_eq!(tcp.until(Timer::Retransmit), Some(rto));
    assert_eq!(tcp.fire(Timer::Retransmit), "<SEQ=16060><ACK=0><CTL=FIN,ACK>");

    let mut tcp = established();
    tcp.send(14_600);
    tcp.fire(Timer::Retransmit);
    tcp.quiet(ms(100));
    tcp.arrives(echo(14_600));
    tcp.send(1460);
    tcp.quiet(ms(100));
    tcp.arrives(echo(14_600 + 1460));
    tcp.quiet(secs(5));
    assert_eq!(tcp.send(1000), "<SEQ=16060><ACK=0><DATA=1000><CTL=PSH,ACK,CWR>");
}

/// A host that comes late: what leaves first after the hold was over has a timer of its own, and nothing goes again.
#[test]
fn a_hold_that_a_late_host_missed_is_no_timeout_of_what_is_sent_then() {
    let mut tcp = established();
    tcp.send(200_000);
    tcp.fire(Timer::Retransmit);
    tcp.quiet(ms(100));
    tcp.arrives(echo(14_600));
    tcp.quiet(ms(100));
    tcp.arrives(echo(14_600 + 1460));
    let rto = tcp.info().rto;
    assert_eq!((tcp.info().flight, tcp.until(Timer::Retransmit)), (0, Some(rto)));
    tcp.wait(rto + secs(1));
    assert!(tcp.send(1460).starts_with("<SEQ=16060>"));
    assert_eq!((tcp.info().flight, tcp.until(Timer::Retransmit)), (1460, Some(rto)));
    let before = tcp.info().counters.timeouts;
    assert!(!tcp.call_timer(Timer::Retransmit).contains("SEQ=16060"));
    assert_eq!(tcp.info().counters.timeouts, before);
}

/// One value for many segments: all are ECN-capable, CWR is the first one's (RFC 3168 §6.1.2).
#[test]
fn cwr_belongs_to_the_first_of_many() {
    let mut tcp = agreed(plain().max_transmit(60_000));
    tcp.send(200_000);
    tcp.arrives(echo(1460));
    let info = tcp.info();
    tcp.arrives(Segment { ack: info.snd_nxt, ..peer(0, 0) });
    assert_eq!((tcp.sent().len(), tcp.sent()[0].segment_size), (1, 1460));
    let pieces: Vec<_> = codec::split(tcp.sent()[0].clone()).map(|piece| super::said(&piece)).collect();
    assert_eq!(pieces.len(), 6);
    assert!(pieces[0] == ECT_CWR && pieces[1..].iter().all(|said| *said == ECT), "{pieces:?}");
}

/// "MUST reset the retransmit timer on receiving the ECN-Echo packet when the congestion window is one", also when it
/// acknowledges nothing new.
#[test]
fn an_echo_with_a_window_of_one_segment_restarts_the_timer() {
    let mut tcp = agreed(plain().initial_window(1));
    tcp.send(10_000);
    assert_eq!((tcp.lengths(), tcp.until(Timer::Retransmit)), (vec![1460], Some(ms(1000))));
    tcp.quiet(ms(400));
    tcp.arrives(echo(0));
    assert_eq!((tcp.until(Timer::Retransmit), tcp.info().counters.ecn_reductions), (Some(ms(1000)), 1));
    tcp.quiet(ms(10));
    assert_eq!(tcp.arrives(peer(0, 1460)), "Acked(1460)");
}

/// While a loss of the marked window is repaired, marks on what was sent meanwhile are the same congestion.
#[test]
fn a_mark_while_a_covered_loss_is_repaired_does_not_reduce_again() {
    let mut tcp = sending();
    for n in 1..=8 {
        tcp.arrives(echo(n * 1460)); // the ninth segment is lost
    }
    for _ in 0..3 {
        tcp.arrives(echo(8 * 1460));
    }
    let recover = tcp.info().snd_nxt;
    assert!(recover.after(ours(14_600)), "new text, with CWR, has left");
    assert_eq!(tcp.info().counters.fast_retransmits, 1);
    tcp.arrives(Segment { ack: recover - 1, ..echo(0) });
    tcp.arrives(Segment { ack: recover, ..echo(0) });
    assert_eq!((tcp.info().counters.ecn_reductions, tcp.info().ssthresh), (1, 7300));
}

/// ESTABLISHED with ECN, SACK and RACK; ten full segments of a text of `octets` are in flight.
fn sending_with_sack(octets: usize) -> Rig {
    let mut tcp = Rig::connect_with_reno(plain().sack(true).ecn(segue::EcnMode::Active));
    let mut syn_ack = with(segue_kit::streams::peer_syn_ack(), Flags::ECE);
    syn_ack.options.update(|options| options.sack_permitted = true);
    tcp.quiet(ms(100));
    tcp.arrives(syn_ack);
    tcp.send(octets);
    tcp.quiet(ms(100));
    assert_eq!(tcp.info().flight, 14_600);
    tcp
}

/// The peer's ACK that reports these octets of our text.
fn report(ack: u32, left: u32, right: u32) -> Segment {
    let mut segment = peer(0, ack);
    segment.options.update(|options| options.sack.push(SackBlock { left: ours(left), right: ours(right) }));
    segment
}

/// A fast retransmission that was a mistake: the window is as before, and there is no reduction to tell of.
#[test]
fn a_reduction_that_was_a_mistake_is_not_told() {
    let mut tcp = sending_with_sack(14_600);
    tcp.arrives(report(0, 1460, 5840));
    assert_eq!((tcp.info().counters.fast_retransmits, all_said(&tcp)), (1, vec![PLAIN]));
    tcp.quiet(ms(100));
    tcp.arrives(report(14_600, 0, 1460)); // both arrived: DSACK
    assert_eq!(tcp.info().counters.spurious_recoveries, 1);
    tcp.send(1460);
    assert_eq!(all_said(&tcp), [ECT]);
    // a real one is told
    let mut tcp = sending_with_sack(14_600);
    tcp.arrives(report(0, 1460, 5840));
    tcp.quiet(ms(100));
    tcp.arrives(peer(0, 14_600));
    tcp.send(1460);
    assert_eq!(all_said(&tcp), [ECT_CWR]);
}

/// A loss that turns out to have been none, after a mark has reduced the window as well: that reduction stays.
#[test]
fn an_undo_does_not_take_back_the_reduction_for_a_mark() {
    let mut tcp = sending_with_sack(200_000);
    tcp.arrives(report(0, 1460, 5840));
    assert_eq!(tcp.info().counters.fast_retransmits, 1);
    tcp.arrives(report(0, 1460, 14_600));
    assert!(tcp.info().snd_nxt.after(ours(14_600 + 1460)), "new text is sent in recovery");
    tcp.quiet(ms(100));
    tcp.arrives(peer(0, 14_600));
    let next = tcp.info().snd_una + 1460;
    assert!(next.before(tcp.info().snd_nxt), "recovery is over, more is in flight");
    tcp.quiet(ms(100));
    tcp.arrives(Segment { ack: next, ..echo(0) });
    let info = tcp.info();
    assert_eq!(info.counters.ecn_reductions, 1);
    tcp.arrives(Segment { ack: next, ..report(0, 0, 1460) });
    assert_eq!((tcp.info().cwnd, tcp.info().ssthresh), (info.cwnd, info.ssthresh));
    assert_eq!(tcp.info().counters.spurious_recoveries, 0);
}

/// RFC 4015 §3.4: the ACK that proves a timeout to be spurious restores the window, unless it has ECE: then the window stays
/// as small as the timeout made it.
#[test]
fn rfc_4015_3_4_an_echo_beside_the_proof_of_a_needless_timeout_keeps_the_window_small() {
    for (marked, cwnd) in [(false, 14_480), (true, 1460)] {
        let mut tcp = Rig::connect_with_reno(plain().timestamps(true).ecn(segue::EcnMode::Active));
        let clock = |tcp: &Rig| tcp.sent()[0].options.timestamps().unwrap().value;
        let opened = clock(&tcp);
        tcp.quiet(ms(100));
        tcp.arrives(stamped(with(segue_kit::streams::peer_syn_ack(), Flags::ECE), 1, opened));
        tcp.send(200_000);
        let first = clock(&tcp);
        tcp.fire(Timer::Retransmit);
        assert_eq!((tcp.info().counters.timeouts, tcp.info().cwnd), (1, 1460));
        tcp.quiet(ms(10));
        tcp.arrives(stamped(if marked { echo(1448) } else { peer(0, 1448) }, 1, first));
        assert_eq!(tcp.info().counters.spurious_recoveries, 1, "the echo is that of the original");
        assert_eq!(tcp.info().cwnd, cwnd);
    }
}

/// While a mark holds back new text, a tail-loss probe brings none either: it is the last segment again.
#[test]
fn a_tail_probe_keeps_to_the_hold_of_a_mark() {
    for (marks, probe) in [(0, "<SEQ=1460><ACK=0><DATA=1460><CTL=ACK>"), (1, "<SEQ=0><ACK=0><DATA=1460><CTL=ACK>")] {
        let mut tcp = Rig::connect_with_reno(plain().sack(true).ecn(segue::EcnMode::Active).initial_window(1));
        let mut syn_ack = with(segue_kit::streams::peer_syn_ack(), Flags::ECE);
        syn_ack.options.update(|options| options.sack_permitted = true);
        tcp.quiet(ms(100));
        tcp.arrives(syn_ack);
        tcp.send(10_000);
        assert_eq!(tcp.lengths(), [1460]);
        tcp.quiet(ms(100));
        (0..marks).for_each(|_| drop(tcp.arrives(echo(0))));
        assert_eq!((tcp.info().cwnd, tcp.info().counters.ecn_reductions), (1460, marks));
        assert_eq!(tcp.fire(Timer::TailLossProbe), probe);
    }
}
