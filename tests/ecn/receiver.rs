//! RFC 3168 §6.1.3 to §6.1.6: the receiver's echo.

use segue::{Ecn, Flags, Knob, Segment, Timer};
use segue_kit::rig::Rig;
use segue_kit::streams::{peer, peer_ctl, peer_text, text, theirs};
use segue_kit::{ms, plain, secs};

use super::{agreed, all_said, established, marked, with};

const ECE: (Ecn, Flags) = (Ecn::NotEct, Flags::ECE);
const PLAIN: (Ecn, Flags) = (Ecn::NotEct, Flags::empty());

/// The codepoint of a sender that uses ECN.
fn ect(segment: Segment) -> Segment {
    Segment { ecn: Ecn::Ect0, ..segment }
}

#[test]
fn ce_is_echoed_on_every_acknowledgment_until_cwr() {
    let mut tcp = established();
    tcp.arrives(ect(peer_text(0, 100, 0)));
    assert_eq!(tcp.fire(Timer::DelayedAck), "<SEQ=0><ACK=100><CTL=ACK>");
    // at once, and not after a delay: the sender should hear it
    assert_eq!(tcp.arrives(marked(peer_text(100, 100, 0))), "Deliver 100; <SEQ=0><ACK=200><CTL=ACK,ECE>");
    tcp.arrives(ect(peer_text(200, 100, 0)));
    assert_eq!(tcp.fire(Timer::DelayedAck), "<SEQ=0><ACK=300><CTL=ACK,ECE>");
    // on text as well
    assert_eq!(tcp.send(5), "<SEQ=0><ACK=300><DATA=5><CTL=PSH,ACK,ECE>");
    assert_eq!(all_said(&tcp), [(Ecn::Ect0, Flags::ECE)]);
    // on the answer to a segment out of order or out of the window
    assert_eq!(tcp.arrives(ect(peer_text(900, 100, 0))), "<SEQ=5><ACK=300><CTL=ACK,ECE>");
    assert_eq!(tcp.arrives(peer_text(0, 100, 0)), "<SEQ=5><ACK=300><CTL=ACK,ECE>; Discarded(Duplicate)");
    // the sender has reduced its window, and hears at once that this is known
    assert_eq!(
        tcp.arrives(ect(with(peer_text(300, 100, 5), Flags::CWR))),
        "Deliver 100; Acked(5); Flushed; <SEQ=5><ACK=400><CTL=ACK>"
    );
    assert_eq!(tcp.info().counters.ecn_marks, 1);
}

#[test]
fn another_mark_after_cwr_starts_again() {
    let mut tcp = established();
    tcp.arrives(marked(peer_text(0, 10, 0)));
    tcp.arrives(with(peer_text(10, 10, 0), Flags::CWR));
    assert_eq!(all_said(&tcp), [PLAIN]);
    assert_eq!(tcp.arrives(marked(peer_text(20, 10, 0))), "Deliver 10; <SEQ=0><ACK=30><CTL=ACK,ECE>");
    // the segment with CWR is itself marked: the echo goes on
    assert_eq!(tcp.arrives(marked(with(peer_text(30, 10, 0), Flags::CWR))), "Deliver 10; <SEQ=0><ACK=40><CTL=ACK,ECE>");
    assert_eq!(tcp.info().counters.ecn_marks, 3);
}

#[test]
fn a_mark_while_the_echo_is_on_makes_no_more_acknowledgments() {
    let mut tcp = established();
    tcp.arrives(marked(peer_text(0, 10, 0)));
    assert_eq!(tcp.arrives(marked(peer_text(10, 10, 0))), "Deliver 10");
    assert_eq!(tcp.arrives(marked(peer_text(20, 10, 0))), "Deliver 10; <SEQ=0><ACK=30><CTL=ACK,ECE>");
}

#[test]
fn a_mark_on_text_out_of_order_counts() {
    let mut tcp = established();
    assert_eq!(tcp.arrives(marked(peer_text(100, 100, 0))), "<SEQ=0><ACK=0><CTL=ACK,ECE>");
}

/// §6.1.5: who does not know the window cannot make the sender slow down.
#[test]
fn a_mark_outside_of_the_window_does_not_count() {
    let mut tcp = established();
    tcp.arrives(peer_text(0, 100, 0));
    tcp.fire(Timer::DelayedAck);
    let edge = tcp.info().rcv_wnd + 100;
    for old_or_beyond in [peer_text(0, 100, 0), peer_text(0, 50, 0), peer_text(edge, 100, 0), peer_text(1 << 30, 5, 0)]
    {
        assert!(tcp.arrives(marked(old_or_beyond)).contains("Discarded"));
        assert_eq!(all_said(&tcp), [PLAIN]);
    }
    // nor does CWR out there end an echo
    tcp.arrives(marked(peer_text(100, 100, 0)));
    assert_eq!(tcp.info().counters.ecn_marks, 1);
    tcp.arrives(with(peer_text(0, 100, 0), Flags::CWR));
    assert_eq!(all_said(&tcp), [ECE]);
    // one that lies across the left edge brings new text
    tcp.arrives(with(peer_text(150, 100, 0), Flags::CWR));
    assert_eq!(all_said(&tcp), [PLAIN]);
}

#[test]
fn a_mark_on_what_carries_no_text_does_not_count() {
    let mut tcp = established();
    tcp.arrives(marked(peer(0, 0)));
    tcp.arrives(marked(peer_ctl(Flags::FIN | Flags::ACK, 0, 0)));
    assert_eq!((all_said(&tcp), tcp.info().counters.ecn_marks), (vec![PLAIN], 0));
}

/// §6.1.6: the octet of a window probe is dropped, its mark counts.
#[test]
fn a_mark_on_a_window_probe_counts() {
    let mut tcp = agreed(plain().receive_buffer(1000));
    tcp.arrives(peer_text(0, 1000, 0));
    assert_eq!(tcp.info().rcv_wnd, 0);
    tcp.fire_if(Timer::DelayedAck);
    assert_eq!(tcp.arrives(peer_text(1000, 1, 0)), "Discarded(ZeroWindow); <SEQ=0><ACK=1000><CTL=ACK>");
    assert_eq!(tcp.arrives(marked(peer_text(1000, 1, 0))), "Discarded(ZeroWindow); <SEQ=0><ACK=1000><CTL=ACK,ECE>");
}

#[test]
fn without_agreement_marks_are_ignored() {
    let mut tcp = Rig::established(plain());
    tcp.arrives(marked(peer_text(0, 100, 0)));
    assert_eq!(tcp.fire(Timer::DelayedAck), "<SEQ=0><ACK=100><CTL=ACK>");
    assert_eq!(tcp.info().counters.ecn_marks, 0);
}

/// Merged segments (GRO): one of them was marked, and the host says so.
#[test]
fn a_mark_on_merged_segments_counts() {
    let mut tcp = established();
    let merged = Segment { segment_size: 1000, payload: text(2500), ..marked(peer(0, 0)) };
    assert_eq!(tcp.arrives(merged), "Deliver 2500; <SEQ=0><ACK=2500><CTL=ACK,ECE>");
}

#[test]
fn segments_that_arrive_together_share_an_echo() {
    let mut tcp = established();
    let words =
        tcp.arrive_together(vec![ect(peer_text(0, 10, 0)), marked(peer_text(10, 10, 0)), ect(peer_text(20, 10, 0))]);
    assert_eq!(words, "Deliver 10; Deliver 10; Deliver 10; <SEQ=0><ACK=30><CTL=ACK,ECE>");
}

#[test]
fn a_keep_alive_echoes_too_and_has_no_ect() {
    let mut tcp = established();
    tcp.does(segue::Event::Set(Knob::KeepAlive(true)));
    tcp.arrives(marked(peer_text(0, 10, 0)));
    tcp.now += secs(7200);
    tcp.fire(Timer::KeepAlive);
    assert_eq!(all_said(&tcp), [ECE]);
}

/// §6.1.1: TIME-WAIT forgets what was agreed.
#[test]
fn time_wait_echoes_nothing() {
    let mut tcp = established();
    tcp.close();
    let last = Segment { payload: text(10), ..with(peer_ctl(Flags::FIN | Flags::ACK, 0, 1), Flags::empty()) };
    tcp.arrives(marked(last.clone()));
    assert_eq!(tcp.state(), segue::State::TimeWait);
    tcp.quiet(ms(10));
    tcp.arrives(Segment { seq: theirs(0), ..last });
    assert_eq!(all_said(&tcp), [PLAIN]);
}

/// Text after the peer's FIN is nobody's.
#[test]
fn a_mark_behind_the_fin_does_not_count() {
    let mut tcp = established();
    tcp.arrives(peer_ctl(Flags::FIN | Flags::ACK, 0, 0));
    tcp.arrives(marked(peer_text(1, 10, 0)));
    assert_eq!(all_said(&tcp), [PLAIN]);
}
