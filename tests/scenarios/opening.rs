//! Establishing a connection (RFC 9293 §3.5).

use std::time::Duration;

use segue::State::{Closed, Listen, SynSent};
use segue::Timer::{DelayedAck, Retransmit};

use super::world::{A, B, everywhere};

/// RFC 9293 Figure 6: SYN x; SYN,ACK y, x + 1; ACK x + 1, y + 1. A SYN takes a number, a bare ACK none: the text that
/// follows has the number of the ACK before it.
#[test]
fn figure_6_basic_three_way_handshake() {
    everywhere(|w| {
        w.listen(B, 300);
        w.connect(A, 100);
        w.states(SynSent, Listen);
        w.play(
            "2.  SYN-SENT    --> <SEQ=100><CTL=SYN>               --> SYN-RECEIVED
             3.  ESTABLISHED <-- <SEQ=300><ACK=101><CTL=SYN,ACK>  <-- SYN-RECEIVED
             4.  ESTABLISHED --> <SEQ=101><ACK=301><CTL=ACK>      --> ESTABLISHED",
        );
        w.told(A, "Connected");
        w.told(B, "Connected");
        w.send(A, 10);
        w.play("5.  ESTABLISHED --> <SEQ=101><ACK=301><DATA=10><CTL=ACK> --> ESTABLISHED");
        w.told(B, "Deliver 10");
        w.fire(B, DelayedAck);
        w.play("6.  ESTABLISHED <-- <SEQ=301><ACK=111><CTL=ACK> <-- ESTABLISHED");
    });
}

/// RFC 9293 Figure 7 (MUST-10).
#[test]
fn figure_7_simultaneous_open() {
    everywhere(|w| {
        w.connect(A, 100);
        w.connect(B, 300);
        w.play(
            "2.  SYN-SENT     --> <SEQ=100><CTL=SYN>              ...
             3.  SYN-RECEIVED <-- <SEQ=300><CTL=SYN>              <-- SYN-SENT
             4.               ... <SEQ=100><CTL=SYN>              --> SYN-RECEIVED
             5.  SYN-RECEIVED --> <SEQ=100><ACK=301><CTL=SYN,ACK> ...
             6.  ESTABLISHED  <-- <SEQ=300><ACK=101><CTL=SYN,ACK> <-- SYN-RECEIVED
             7.               ... <SEQ=100><ACK=301><CTL=SYN,ACK> --> ESTABLISHED",
        );
        w.told(A, "Connected");
        w.told(B, "Connected");
    });
}

#[test]
fn simultaneous_open_with_a_syn_lost_becomes_an_ordinary_one() {
    everywhere(|w| {
        w.connect(A, 100);
        w.connect(B, 300);
        w.play(
            "SYN-SENT     --> <SEQ=100><CTL=SYN>              X
             SYN-RECEIVED <-- <SEQ=300><CTL=SYN>              <-- SYN-SENT
             SYN-RECEIVED --> <SEQ=100><ACK=301><CTL=SYN,ACK> --> ESTABLISHED
             ESTABLISHED  <-- <SEQ=301><ACK=101><CTL=ACK>     <-- ESTABLISHED",
        );
    });
}

#[test]
fn simultaneous_open_with_a_syn_ack_lost_is_completed_by_its_retransmission() {
    everywhere(|w| {
        w.connect(A, 100);
        w.connect(B, 300);
        w.play(
            "SYN-SENT     --> <SEQ=100><CTL=SYN>              ...
             SYN-RECEIVED <-- <SEQ=300><CTL=SYN>              <-- SYN-SENT
                          ... <SEQ=100><CTL=SYN>              --> SYN-RECEIVED
             SYN-RECEIVED --> <SEQ=100><ACK=301><CTL=SYN,ACK> X
             ESTABLISHED  <-- <SEQ=300><ACK=101><CTL=SYN,ACK> <-- SYN-RECEIVED",
        );
        w.fire(B, Retransmit);
        w.play(
            "ESTABLISHED  <-- <SEQ=300><ACK=101><CTL=SYN,ACK> <-- SYN-RECEIVED
             ESTABLISHED  --> <SEQ=101><ACK=301><CTL=ACK>     --> ESTABLISHED",
        );
    });
}

/// RFC 9293 Figure 8: the old SYN costs the server nothing but an ISS.
#[test]
fn figure_8_recovery_from_old_duplicate_syn() {
    everywhere(|w| {
        w.listen(B, 300);
        w.connect(A, 100);
        w.play(
            "2.  SYN-SENT    --> <SEQ=100><CTL=SYN>               ...
             3.  (duplicate) ... <SEQ=90><CTL=SYN>                --> SYN-RECEIVED
             4.  SYN-SENT    <-- <SEQ=300><ACK=91><CTL=SYN,ACK>   <-- SYN-RECEIVED
             5.  SYN-SENT    --> <SEQ=91><CTL=RST>                --> LISTEN",
        );
        w.told(A, "Discarded(BadHandshakeAck)");
        w.told(B, "ReturnedToListen");
        w.rearm(B, 400);
        w.play(
            "6.              ... <SEQ=100><CTL=SYN>               --> SYN-RECEIVED
             7.  ESTABLISHED <-- <SEQ=400><ACK=101><CTL=SYN,ACK>  <-- SYN-RECEIVED
             8.  ESTABLISHED --> <SEQ=101><ACK=401><CTL=ACK>      --> ESTABLISHED",
        );
        w.told(A, "Connected");
        w.told(B, "Connected");
    });
}

/// Figure 8 with lines 5 and 6 exchanged: "a more complex exchange".
#[test]
fn old_duplicate_syn_and_the_new_syn_before_the_reset_still_connect() {
    everywhere(|w| {
        w.listen(B, 300);
        w.connect(A, 100);
        w.play(
            "SYN-SENT    --> <SEQ=100><CTL=SYN>               ...
             (duplicate) ... <SEQ=90><CTL=SYN>                --> SYN-RECEIVED
             SYN-SENT    <-- <SEQ=300><ACK=91><CTL=SYN,ACK>   <-- SYN-RECEIVED
             SYN-SENT    --> <SEQ=91><CTL=RST>                ...
                         ... <SEQ=100><CTL=SYN>               --> SYN-RECEIVED
             SYN-SENT    <-- <SEQ=301><ACK=91><CTL=ACK>       <-- SYN-RECEIVED
                         ... <SEQ=91><CTL=RST>                --> LISTEN
             SYN-SENT    --> <SEQ=91><CTL=RST>                --> LISTEN",
        );
        w.rearm(B, 400);
        w.fire(A, Retransmit);
        w.play(
            "SYN-SENT    --> <SEQ=100><CTL=SYN>               --> SYN-RECEIVED
             ESTABLISHED <-- <SEQ=400><ACK=101><CTL=SYN,ACK>  <-- SYN-RECEIVED
             ESTABLISHED --> <SEQ=101><ACK=401><CTL=ACK>      --> ESTABLISHED",
        );
    });
}

/// The same at a host that makes its value when the SYN comes: the value ends, with a reason, and the next SYN gets another.
#[test]
fn old_duplicate_syn_at_accept_leaves_no_dead_connection() {
    everywhere(|w| {
        w.connect(A, 100);
        w.play("SYN-SENT    --> <SEQ=100><CTL=SYN> ...");
        w.accept(B, 300, "<SEQ=90><CTL=SYN>");
        w.play(
            "SYN-SENT    <-- <SEQ=300><ACK=91><CTL=SYN,ACK>   <-- SYN-RECEIVED
             SYN-SENT    --> <SEQ=91><CTL=RST>                --> CLOSED",
        );
        w.told(B, "Closed(Reset)");
        w.listen(B, 400);
        w.play(
            "            ... <SEQ=100><CTL=SYN>               --> SYN-RECEIVED
             ESTABLISHED <-- <SEQ=400><ACK=101><CTL=SYN,ACK>  <-- SYN-RECEIVED
             ESTABLISHED --> <SEQ=101><ACK=401><CTL=ACK>      --> ESTABLISHED",
        );
    });
}

/// An old SYN of a host that is gone for good, so that not even a reset answers: R2 for SYN ends it (MUST-23).
#[test]
fn syn_received_without_any_answer_ends_after_r2() {
    everywhere(|w| {
        w.listen(B, 300);
        w.play("(duplicate) ... <SEQ=90><CTL=SYN> --> SYN-RECEIVED");
        let begun = w.now;
        for wait in [1, 2, 4, 8, 16, 32, 60] {
            w.play("X <SEQ=300><ACK=91><CTL=SYN,ACK> <-- SYN-RECEIVED");
            assert_eq!(w.deadline(B, Retransmit), Some(Duration::from_secs(wait)));
            w.fire(B, Retransmit);
        }
        w.play("X <SEQ=300><ACK=91><CTL=SYN,ACK> <-- SYN-RECEIVED");
        w.fire(B, segue::Timer::UserTimeout);
        assert_eq!(w.now.saturating_since(begun), Duration::from_secs(180));
        w.told(B, "Closed(ConnectTimeout)");
    });
}

#[test]
fn syn_sent_reset_from_a_closed_port_is_refused() {
    everywhere(|w| {
        w.connect(A, 100);
        w.play(
            "SYN-SENT --> <SEQ=100><CTL=SYN>                --> CLOSED
             CLOSED   <-- <SEQ=0><ACK=101><CTL=RST,ACK>     <-- CLOSED",
        );
        w.told(A, "Closed(Refused)");
        w.states(Closed, Closed);
    });
}

/// RFC 6298 (5.7): after a lost SYN the RTO is 3 s when text is sent.
#[test]
fn syn_sent_lost_syn_comes_again_and_text_waits_3_s() {
    everywhere(|w| {
        w.listen(B, 300);
        w.connect(A, 100);
        w.play("SYN-SENT    --> <SEQ=100><CTL=SYN>               X");
        assert_eq!(w.deadline(A, Retransmit), Some(Duration::from_secs(1)));
        w.fire(A, Retransmit);
        w.play(
            "SYN-SENT    --> <SEQ=100><CTL=SYN>               --> SYN-RECEIVED
             ESTABLISHED <-- <SEQ=300><ACK=101><CTL=SYN,ACK>  <-- SYN-RECEIVED
             ESTABLISHED --> <SEQ=101><ACK=301><CTL=ACK>      --> ESTABLISHED",
        );
        w.send(A, 10);
        assert_eq!(w.deadline(A, Retransmit), Some(Duration::from_secs(3)));
        w.play("ESTABLISHED --> <SEQ=101><ACK=301><DATA=10><CTL=ACK> X");
    });
}

#[test]
fn syn_received_lost_syn_ack_comes_again() {
    everywhere(|w| {
        w.listen(B, 300);
        w.connect(A, 100);
        w.play(
            "SYN-SENT    --> <SEQ=100><CTL=SYN>               --> SYN-RECEIVED
                         X   <SEQ=300><ACK=101><CTL=SYN,ACK>  <-- SYN-RECEIVED",
        );
        w.fire(B, Retransmit);
        w.play(
            "ESTABLISHED <-- <SEQ=300><ACK=101><CTL=SYN,ACK>  <-- SYN-RECEIVED
             ESTABLISHED --> <SEQ=101><ACK=301><CTL=ACK>      --> ESTABLISHED",
        );
    });
}

/// The client may speak at once: its first text carries the ACK that was lost.
#[test]
fn syn_received_lost_ack_is_made_up_by_the_text() {
    everywhere(|w| {
        w.listen(B, 300);
        w.connect(A, 100);
        w.play(
            "SYN-SENT    --> <SEQ=100><CTL=SYN>                   --> SYN-RECEIVED
             ESTABLISHED <-- <SEQ=300><ACK=101><CTL=SYN,ACK>      <-- SYN-RECEIVED
             ESTABLISHED --> <SEQ=101><ACK=301><CTL=ACK>          X",
        );
        w.send(A, 10);
        w.play("ESTABLISHED --> <SEQ=101><ACK=301><DATA=10><CTL=ACK> --> ESTABLISHED");
        w.told(B, "Connected; Deliver 10");
    });
}

#[test]
fn syn_received_lost_ack_is_asked_for_by_the_syn_ack_again() {
    everywhere(|w| {
        w.listen(B, 300);
        w.connect(A, 100);
        w.play(
            "SYN-SENT    --> <SEQ=100><CTL=SYN>               --> SYN-RECEIVED
             ESTABLISHED <-- <SEQ=300><ACK=101><CTL=SYN,ACK>  <-- SYN-RECEIVED
             ESTABLISHED --> <SEQ=101><ACK=301><CTL=ACK>      X",
        );
        w.fire(B, Retransmit);
        w.play(
            "ESTABLISHED <-- <SEQ=300><ACK=101><CTL=SYN,ACK>  <-- SYN-RECEIVED
             ESTABLISHED --> <SEQ=101><ACK=301><CTL=ACK>      --> ESTABLISHED",
        );
    });
}

#[test]
fn syn_received_duplicate_syn_is_answered_by_the_same_syn_ack() {
    everywhere(|w| {
        w.listen(B, 300);
        w.connect(A, 100);
        w.play(
            "SYN-SENT    --> <SEQ=100><CTL=SYN>               --> SYN-RECEIVED
             SYN-SENT    ... <SEQ=300><ACK=101><CTL=SYN,ACK>  <-- SYN-RECEIVED
             (duplicate) ... <SEQ=100><CTL=SYN>               --> SYN-RECEIVED
             ESTABLISHED <-- <SEQ=300><ACK=101><CTL=SYN,ACK>  ...
             ESTABLISHED --> <SEQ=101><ACK=301><CTL=ACK>      --> ESTABLISHED
             ESTABLISHED <-- <SEQ=300><ACK=101><CTL=SYN,ACK>  <-- ESTABLISHED
             ESTABLISHED --> <SEQ=101><ACK=301><CTL=ACK>      --> ESTABLISHED",
        );
    });
}

/// Text given before the connection is there leaves in the segment that completes the handshake (§3.10.2).
#[test]
fn syn_sent_send_leaves_with_the_ack_of_the_handshake() {
    everywhere(|w| {
        w.listen(B, 300);
        w.connect(A, 100);
        w.send(A, 10);
        w.play(
            "SYN-SENT    --> <SEQ=100><CTL=SYN>                   --> SYN-RECEIVED
             ESTABLISHED <-- <SEQ=300><ACK=101><CTL=SYN,ACK>      <-- SYN-RECEIVED
             ESTABLISHED --> <SEQ=101><ACK=301><DATA=10><CTL=ACK> --> ESTABLISHED",
        );
        w.told(A, "Connected");
        w.told(B, "Connected; Deliver 10");
    });
}

#[test]
fn syn_sent_close_is_cancelled_without_a_segment() {
    everywhere(|w| {
        w.connect(A, 100);
        w.play("SYN-SENT --> <SEQ=100><CTL=SYN> X");
        w.close(A);
        w.told(A, "Closed(Cancelled)");
        w.states(Closed, Closed);
    });
}
